//! How the engine can fail: before it starts, while it starts, and as it ends.

use std::path::PathBuf;

use crate::signing::SignRefused;

/// Why the engine did not start, or why it ended. After any of these the process exits, but for a refusal that says `conflict`.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// A value of the configuration is unusable; found before anything is started.
    #[error("{key}: {problem}")]
    Config {
        /// The field of [`EngineConfig`](crate::EngineConfig).
        key: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The engine could not be built.
    #[error("the consensus engine does not start: {0}")]
    Start(String),
    /// The engine was built, and does not begin.
    #[error("the consensus engine does not begin")]
    NotBeginning,
    /// The signer refused: it would have been a double sign, or the key store failed.
    #[error(transparent)]
    SignRefused(#[from] SignRefused),
    /// The application failed, or answered what cannot be.
    #[error("{call} failed: {reason}")]
    Application {
        /// The method of `Application` that failed.
        call: &'static str,
        /// The reason, for the message.
        reason: String,
    },
    /// The write-ahead log is damaged. The node must be repaired before it votes again.
    #[error("the consensus log is damaged: {0}")]
    DamagedLog(String),
    /// The write-ahead log cannot be read or written. Nothing says that it is damaged.
    #[error("the consensus log {path} cannot be read or written: {source}", path = path.display())]
    LogFailed {
        /// The log.
        path: PathBuf,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// The engine ended by itself; its log lines say why.
    #[error("the consensus engine has ended; its ERROR lines above say why")]
    Closed,
    /// The engine said something that it should not.
    #[error("the consensus engine sent {0}")]
    Unexpected(&'static str),
    /// A task panicked.
    #[error("the consensus task panicked: {0}")]
    Panicked(String),
}

impl EngineError {
    /// What the engine says of its log is text. An answer of the operating system has its number there; all else is damage.
    pub(crate) fn of_log(path: PathBuf, problem: String) -> Self {
        if problem.contains("(os error ") {
            return Self::LogFailed { path, source: std::io::Error::other(problem) };
        }
        Self::DamagedLog(problem)
    }
}

/// A value of the configuration is unusable.
pub(crate) fn bad(key: &'static str, problem: impl std::fmt::Display) -> EngineError {
    EngineError::Config { key, problem: problem.to_string() }
}

/// The engine could not be built.
pub(crate) fn start_error(error: impl std::fmt::Display) -> EngineError {
    EngineError::Start(error.to_string())
}
