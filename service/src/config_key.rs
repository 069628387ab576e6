//! Which config key an error is about, and whether a restart may help: an error of a file that a config names is told under its key.
//!
//! Exit codes follow from it (`exit`): a supervisor starts a process again after an error that may pass, and not after one that
//! somebody must mend.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};

use crate::config::ConfigError;
use crate::durable::DurableError;
use crate::keyfile::KeyFileError;
use crate::terminal::describe;
use crate::tls::TlsError;

/// Why what a config key names cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// It is not what it must be, or not there: the same config fails again.
    #[error("config key `{key}`: {problem}")]
    Config {
        /// Dotted path of the key.
        key: String,
        /// What is wrong.
        problem: String,
    },
    /// The operating system could not do it now; a restart may help.
    #[error("config key `{key}`: {problem}")]
    Passing {
        /// Dotted path of the key.
        key: String,
        /// The error's text.
        problem: String,
    },
}

impl KeyError {
    /// The error of a value that is wrong.
    pub fn config(key: &str, problem: impl Into<String>) -> Self {
        Self::Config { key: key.to_owned(), problem: problem.into() }
    }

    /// Whether the config is to be changed, or what it names.
    pub const fn is_config(&self) -> bool {
        matches!(self, Self::Config { .. })
    }

    /// Of an error that using the key's value met. One of the operating system that may pass is told apart.
    pub fn of(key: &str, error: &(dyn Error + 'static)) -> Self {
        let (key, problem) = (key.to_owned(), describe(error));
        if may_pass(error) { Self::Passing { key, problem } } else { Self::Config { key, problem } }
    }
}

/// Which config key an error is about, if the file that failed is one that the config names: `keys` has each with its path.
/// `None` if it is about no such file, or was told as a config error already.
pub fn blame(error: &(dyn Error + 'static), keys: &[(&str, PathBuf)]) -> Option<KeyError> {
    let mut cause = Some(error);
    while let Some(next) = cause {
        if next.is::<ConfigError>() || next.is::<KeyError>() {
            return None;
        }
        if let Some(path) = path_of(next) {
            let named = keys.iter().find(|(_, file)| path.starts_with(file))?;
            return Some(KeyError::of(named.0, error));
        }
        cause = next.source();
    }
    None
}

/// The file that an error of this crate is about.
fn path_of<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Path> {
    if let Some(error) = error.downcast_ref::<DurableError>() {
        return Some(&error.path);
    }
    if let Some(error) = error.downcast_ref::<KeyFileError>() {
        return error.path();
    }
    match error.downcast_ref::<TlsError>()? {
        TlsError::File(error) => Some(&error.path),
        TlsError::Pem { path, .. } | TlsError::Identity { path, .. } => Some(path),
        _ => None,
    }
}

/// Names the key whose value an error is about.
pub trait OfKey<T> {
    /// Turns the error into one of this key.
    fn of_key(self, key: &str) -> Result<T, KeyError>;
}

impl<T, E: Error + 'static> OfKey<T> for Result<T, E> {
    fn of_key(self, key: &str) -> Result<T, KeyError> {
        self.map_err(|error| KeyError::of(key, &error))
    }
}

/// Whether the operating system's answer may be another one next time: not for a missing file or one of the wrong mode.
pub fn may_pass(error: &(dyn Error + 'static)) -> bool {
    system_kind(error).is_some_and(|kind| !is_lasting(kind))
}

/// Whether it is the operating system's answer, and will be the same next time: a file that is missing, in the way, or of the wrong
/// mode.
pub fn will_last(error: &(dyn Error + 'static)) -> bool {
    system_kind(error).is_some_and(is_lasting)
}

/// What the operating system said, if it is the cause.
fn system_kind(error: &(dyn Error + 'static)) -> Option<io::ErrorKind> {
    let mut cause = Some(error);
    while let Some(next) = cause {
        if let Some(error) = next.downcast_ref::<io::Error>() {
            return Some(error.kind());
        }
        cause = next.source();
    }
    None
}

fn is_lasting(kind: io::ErrorKind) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        kind,
        Kind::NotFound
            | Kind::PermissionDenied
            | Kind::IsADirectory
            | Kind::NotADirectory
            | Kind::AlreadyExists
            | Kind::FileTooLarge
            | Kind::InvalidInput
            | Kind::InvalidFilename
            | Kind::InvalidData
            | Kind::AddrNotAvailable
    )
}
