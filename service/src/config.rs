//! One TOML file per process: read, unknown keys refused, errors that name the key, exit code 64.
//!
//! Unknown keys are refused here for every config type, at every depth; a type need not remember to ask for it. Paths in
//! a config are relative to the file, not to the working directory: use [`ConfigPath`] for them, then
//! [`Loaded::resolve`]. Checks across keys belong to the process, before it binds a port: report them by
//! [`Loaded::invalid`].

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::address::host_of;
use crate::durable;

/// A config file above this is not one.
const CONFIG_BYTES_MAX: usize = 1024 * 1024;

/// Exit code of a process whose config is refused (`EX_USAGE` of sysexits.h).
pub const EXIT_CODE_CONFIG: u8 = 64;

/// Why a config is refused: one sentence that names the file and the key.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("config {path}: {problem}", path = path.display())]
    Unreadable {
        /// The config file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A key that nobody knows: a typing error must not pass as a default.
    #[error("config {path}: unknown key `{key}`; remove it or correct its name", path = path.display())]
    UnknownKey {
        /// The config file.
        path: PathBuf,
        /// Dotted path of the key.
        key: String,
    },
    /// A key with a value that will not do.
    #[error("config {path}: key `{key}`: {problem}", path = path.display())]
    Invalid {
        /// The config file.
        path: PathBuf,
        /// Dotted path of the key.
        key: String,
        /// What is wrong with its value.
        problem: String,
    },
}

impl ConfigError {
    /// The process's exit code for it: 64.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(EXIT_CODE_CONFIG)
    }
}

/// A path as written in a config file: relative to that file. Only [`Loaded::resolve`] turns it into a usable one.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct ConfigPath(PathBuf);

impl ConfigPath {
    /// Makes one without a file, for defaults and tests.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }
}

/// A config and where it was read.
#[derive(Debug, Clone)]
pub struct Loaded<T> {
    /// The parsed file.
    pub value: T,
    path: PathBuf,
}

impl<T> Loaded<T> {
    /// The path that a config path means: absolute as it is, relative to the file's directory.
    pub fn resolve(&self, path: &ConfigPath) -> PathBuf {
        self.path.parent().unwrap_or(Path::new("")).join(&path.0)
    }

    /// The refusal of a value that the process finds wrong, for example after comparing two keys.
    pub fn invalid(&self, key: &str, problem: impl Into<String>) -> ConfigError {
        ConfigError::Invalid { path: self.path.clone(), key: key.to_owned(), problem: problem.into() }
    }

    /// Refuses what is not `host:port`.
    pub fn check_authority(&self, key: &str, authority: &str) -> Result<(), ConfigError> {
        host_of(authority).map(drop).ok_or_else(|| self.invalid(key, "must be host:port, without a scheme"))
    }

    /// The config file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Reads `path` as a `T`.
pub fn load<T: DeserializeOwned>(path: &Path) -> Result<Loaded<T>, ConfigError> {
    let unreadable = |problem: String| ConfigError::Unreadable { path: path.to_owned(), problem };
    let bytes = durable::read(path, CONFIG_BYTES_MAX).map_err(|error| unreadable(error.source.to_string()))?;
    let text = std::str::from_utf8(&bytes).map_err(|_| unreadable("is not UTF-8 text".to_owned()))?;
    let document = toml::Deserializer::parse(text).map_err(|error| unreadable(error.to_string()))?;
    let mut unknown = None;
    let mut note_unknown = |key: serde_ignored::Path<'_>| {
        // In this library's path an optional table has a step `?`, which is in no config file. Remove it.
        unknown.get_or_insert(key.to_string().replace(".?", ""));
    };
    let value = serde_path_to_error::deserialize(serde_ignored::Deserializer::new(document, &mut note_unknown));
    // A misspelt key is often also missing under its right name. Naming the misspelt one helps more.
    if let Some(key) = unknown {
        return Err(ConfigError::UnknownKey { path: path.to_owned(), key });
    }
    let value = value.map_err(|error| ConfigError::Invalid {
        path: path.to_owned(),
        key: error.path().to_string(),
        problem: error.inner().message().to_owned(),
    })?;
    Ok(Loaded { value, path: path.to_owned() })
}

#[cfg(test)]
mod tests;
