//! Logs: one `tracing` subscriber per process, to standard error, as text for people or JSON for machines.
//!
//! Every event is one line, whatever is in it (`terminal`). Events carry the receipt's key and the request id where they have one, and
//! never a personal field. What a library says that no operator can use is left out ([`Quiet`]), unless the configured filter asks
//! for it by its target.

use serde::Deserialize;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Context, Filter, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, fmt, registry};

use crate::terminal::LogWriter;

/// Format of log lines.
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
        /// The filter as configured.
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

/// What is left out of a process's log beside what its filter leaves out.
#[derive(Debug, Clone, Copy)]
pub struct Quiet {
    /// `tracing` directives that come before the configured ones, which override them where they name the same target.
    pub directives: &'static str,
    /// Knows events of a library that say what is not so in this process; never said.
    pub misleads: fn(&Event<'_>) -> bool,
}

impl Default for Quiet {
    fn default() -> Self {
        Self { directives: "", misleads: |_| false }
    }
}

/// Starts logging for the whole process. Once.
pub fn init(config: &LogConfig) -> Result<(), TelemetryError> {
    init_quiet(config, Quiet::default())
}

/// As [`init`], leaving some lines out.
pub fn init_quiet(config: &LogConfig, quiet: Quiet) -> Result<(), TelemetryError> {
    let is_json = config.format == LogFormat::Json;
    let writer = move || LogWriter::new(std::io::stderr(), is_json);
    subscriber(config, quiet, writer)?.try_init().map_err(|_| TelemetryError::AlreadyStarted)
}

fn subscriber<W>(config: &LogConfig, quiet: Quiet, writer: W) -> Result<impl Subscriber + Send + Sync, TelemetryError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    check_filter(&config.filter)?;
    let directives = match quiet.directives {
        "" => config.filter.clone(),
        directives => format!("{directives},{}", config.filter),
    };
    let filter = check_filter(&directives)?;
    let lines = fmt::layer().with_writer(writer);
    let lines = match config.format {
        LogFormat::Text => lines.with_ansi(false).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    Ok(registry().with(filter).with(lines.with_filter(Unsaid { misleads: quiet.misleads })))
}

/// Lets an event through unless it misleads.
struct Unsaid {
    misleads: fn(&Event<'_>) -> bool,
}

impl<S> Filter<S> for Unsaid {
    fn enabled(&self, _: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        true
    }

    fn event_enabled(&self, event: &Event<'_>, _: &Context<'_, S>) -> bool {
        !(self.misleads)(event)
    }
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

    /// Everything that was written, for a look at it.
    #[derive(Clone, Default)]
    struct Written(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

    impl std::io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_no_operator_can_use_is_left_out_unless_asked_for() {
        const QUIET: Quiet =
            Quiet { directives: "noisy=warn", misleads: |event| event.metadata().target() == "noisy_end" };
        for format in [LogFormat::Text, LogFormat::Json] {
            for (filter, expected) in
                [("info", [false, true]), ("info,noisy=info", [true, true]), ("error,noisy_end=error", [false, true])]
            {
                let written = Written::default();
                let config = LogConfig { format, filter: filter.to_owned() };
                let writer = written.clone();
                let subscriber = subscriber(&config, QUIET, move || writer.clone()).unwrap();
                tracing::subscriber::with_default(subscriber, || {
                    tracing::info!(target: "noisy_core", "a step");
                    tracing::warn!(target: "noisy_core", "a warning");
                    tracing::error!(target: "noisy_end", "what is not so");
                    tracing::error!(target: "ours", "what is so");
                });
                let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
                assert_eq!(["a step", "a warning"].map(|said| text.contains(said)), expected, "{filter}: {text}");
                assert!(text.contains("what is so") && !text.contains("what is not so"), "{filter}: {text}");
            }
        }
    }

    #[test]
    fn the_config_table() {
        let config: LogConfig = toml::from_str("format = \"json\"").unwrap();
        assert_eq!(config, LogConfig { format: LogFormat::Json, filter: "info".to_owned() });
        toml::from_str::<LogConfig>("format = \"xml\"").unwrap_err();
    }
}
