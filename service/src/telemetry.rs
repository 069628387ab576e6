//! Logs: one `tracing` subscriber per process, to standard error, as text for people or JSON for machines.
//!
//! Events carry the receipt's key and the request id where they have one, and never a personal field.

use serde::Deserialize;
use tracing::Metadata;
use tracing_subscriber::filter::{FilterExt as _, filter_fn};
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, registry};

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One line of text per event.
    #[default]
    Text,
    /// One JSON object per event.
    Json,
}

/// The `[log]` table of a config file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct LogConfig {
    /// `text` or `json`.
    pub format: LogFormat,
    /// What is logged: `tracing` directives such as `info,tallystick_node=debug`.
    pub filter: String,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { format: LogFormat::Text, filter: "info".to_owned() }
    }
}

/// Why logging cannot start.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter does not parse.
    #[error("log filter `{filter}`: {problem}")]
    Filter {
        /// As configured.
        filter: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Called twice in one process.
    #[error("logging was started before")]
    AlreadyStarted,
}

/// Reads a filter without starting anything: for checking a config.
pub fn check_filter(filter: &str) -> Result<EnvFilter, TelemetryError> {
    EnvFilter::try_new(filter)
        .map_err(|error| TelemetryError::Filter { filter: filter.to_owned(), problem: error.to_string() })
}

/// Starts logging for the whole process. Once.
pub fn init(config: &LogConfig) -> Result<(), TelemetryError> {
    init_without(config, |_| false)
}

/// As [`init`], without the events that `hidden` knows: those of a library that say what is not so in this process.
pub fn init_without(config: &LogConfig, hidden: fn(&Metadata<'_>) -> bool) -> Result<(), TelemetryError> {
    let filter = check_filter(&config.filter)?.and(filter_fn(move |metadata| !hidden(metadata)));
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let started = match config.format {
        LogFormat::Text => registry().with(lines.with_ansi(false).with_filter(filter)).try_init(),
        LogFormat::Json => registry().with(lines.json().flatten_event(true).with_filter(filter)).try_init(),
    };
    started.map_err(|_| TelemetryError::AlreadyStarted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_checked() {
        check_filter("info,tallystick_node=debug").unwrap();
        let error = check_filter("tallystick_node=loud").unwrap_err();
        assert!(error.to_string().contains("tallystick_node=loud"), "{error}");
        assert!(matches!(
            init(&LogConfig { filter: "a=b=c".to_owned(), ..LogConfig::default() }),
            Err(TelemetryError::Filter { .. })
        ));
    }

    #[test]
    fn starts_once() {
        let config = LogConfig { format: LogFormat::Json, ..LogConfig::default() };
        init(&config).unwrap();
        assert!(matches!(init(&config), Err(TelemetryError::AlreadyStarted)));
    }

    #[test]
    fn the_config_table() {
        let config: LogConfig = toml::from_str("format = \"json\"").unwrap();
        assert_eq!(config, LogConfig { format: LogFormat::Json, filter: "info".to_owned() });
        toml::from_str::<LogConfig>("format = \"xml\"").unwrap_err();
    }
}
