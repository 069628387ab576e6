//! Looking at the log of an engine that does not run.
//!
//! The engine's own check comes too late, after its start, and a bad header makes it panic. This one reads a copy: the engine
//! cuts off a torn end when it opens a log, and a damaged file must stay as it was found.

use std::io;
use std::path::Path;

use malachitebft_app_channel::app::engine::wal::log_entries;
use malachitebft_app_channel::app::wal::Log;
use tokio::sync::watch;

use crate::codec::ChainCodec;
use crate::config::lock_log;
use crate::context::Ledger;

/// What a log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogState {
    /// There is no file, or an empty one.
    Missing,
    /// The engine can go on from it. A torn last entry counts as sound: it was never acted upon.
    Sound {
        /// The height it is of.
        height: u64,
        /// Its entries.
        entries: usize,
    },
}

/// Why a log cannot be used, or not now.
#[derive(Debug, thiserror::Error)]
pub enum LogFault {
    /// An engine has it open.
    #[error("the consensus log is in use")]
    InUse,
    /// Its header or an entry is not what the engine wrote.
    #[error("the consensus log is damaged: {0}")]
    Damaged(String),
    /// It cannot be read.
    #[error("the consensus log cannot be read: {0}")]
    Io(#[from] io::Error),
}

/// Looks at a log without changing it.
pub fn examine_log(path: &Path) -> Result<LogState, LogFault> {
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.len() == 0 => return Ok(LogState::Missing),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(LogState::Missing),
        found => found?,
    };
    let lock = lock_log(path).map_err(|_| LogFault::InUse)?;
    let copy = path.with_extension("wal.examined");
    let examined = std::fs::copy(path, &copy).map_err(LogFault::Io).and_then(|_| read(&copy));
    std::fs::remove_file(&copy)
        .or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })?;
    drop(lock);
    examined
}

fn read(path: &Path) -> Result<LogState, LogFault> {
    let damaged = |error: &dyn std::fmt::Display| LogFault::Damaged(error.to_string());
    let mut log = Log::open(path).map_err(|error| damaged(&error))?;
    let height = log.sequence();
    if log.is_empty() {
        return Ok(LogState::Sound { height, entries: 0 });
    }
    let codec = ChainCodec { peer_tip: watch::channel(0).0 };
    let mut entries = 0;
    for entry in log_entries::<Ledger, _>(&mut log, &codec).map_err(|error| damaged(&error))? {
        entry.map_err(|error| damaged(&format_args!("entry {}: {error}", entries + 1)))?;
        entries += 1;
    }
    Ok(LogState::Sound { height, entries })
}
