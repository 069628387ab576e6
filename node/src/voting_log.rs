//! The voting engine's log, judged before each start of it: it is used, put aside, or waited out.
//!
//! The log makes a restart quick; what binds this validator stands in the guard (`docs/adr/0006-guard-slots.md`). So a log that the
//! engine could not go on from is put aside, never deleted, and the engine begins the height anew:
//! ```text
//! damaged                                           consensus.wal.damaged-1, -2, …
//! names a block that the store does not have        consensus.wal.without-block-1, …
//! the guard put other statements into it            consensus.wal.amended (the last one)
//! ```
//! The second is what a store that was restored or made anew leaves: replayed, such a log decides a block that is not there.
//!
//! Invariant: nothing that this validator has said is put aside unless the guard has it, too. A guard that lacks it was
//! made anew or is an older one; then the node first follows its peers past the log's height, without voting.

use std::path::{Path, PathBuf};

use receipt_core::hash::Hash;
use receipt_core::ids::Height;
use tallystick_engine::{BlockId, LogContents, LogFault, LogState, MemberId, examine_log};
use tallystick_service::disk_fault::DiskFault;
use tallystick_service::durable;

use crate::guard::Guard;
use crate::store::{Store, StoreError};

/// Its name in `wal_dir`.
pub(crate) const VOTING_LOG: &str = "consensus.wal";
/// The last log that was put aside because the guard had put other statements into it.
const AMENDED_LOG: &str = "consensus.wal.amended";
const WAY_OF_DEVICE: &str = "start again; if it stays so, look at the disk of `wal_dir`";

/// Why the log cannot be judged or moved. Fatal to the process.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LogError {
    /// Another process has the log open.
    #[error(
        "the consensus log {0} is in use: another process runs with this `wal_dir`, most often this node itself. Stop it first"
    )]
    InUse(String),
    /// It cannot be read: rights, space, the disk.
    #[error("the consensus log {path} cannot be read: {source}. What to do: {way}", way = way_of(.source))]
    Unreadable {
        /// The log.
        path: String,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// It cannot be put out of the way.
    #[error("cannot put {path} aside: {source}. What to do: {way}", way = way_of(.source))]
    SetAside {
        /// The log.
        path: String,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What an operator does about an answer of the operating system.
pub(crate) fn way_of(error: &std::io::Error) -> &'static str {
    DiskFault::of_io(error).and_then(DiskFault::way).unwrap_or(WAY_OF_DEVICE)
}

/// Whether the engine can go on from a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fitness {
    /// There is none; the engine makes one.
    Missing,
    /// Replayed if it is of the next height; else the engine empties it.
    Usable(LogContents),
    /// It goes out of the way; nothing is lost with it.
    Unfit(Unfit),
    /// Unfit, and it holds a statement of this validator that the guard lacks: nothing is signed up to this height.
    Uncovered(Height),
}

/// Why a log goes out of the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// An entry or the header is not what was written.
    Damaged(String),
    /// The store lacks a block that the log says was judged.
    WithoutBlock(BlockId),
    /// The guard gave the engine other statements than it asked for.
    Amended,
}

impl std::fmt::Display for Unfit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Damaged(problem) => write!(f, "it is damaged: {problem}"),
            Self::WithoutBlock(block_id) => {
                write!(
                    f,
                    "it names block {block_id}, which the store does not have: the store is older, or was made anew"
                )
            }
            Self::Amended => f.write_str("it holds other statements than the engine asked for"),
        }
    }
}

/// What a log is judged by.
#[derive(Clone, Copy)]
pub(crate) struct Judges<'a> {
    /// What this validator has said.
    pub guard: &'a Guard,
    /// The store, for the blocks that it holds.
    pub store: &'a Store,
    /// This validator.
    pub member: MemberId,
}

/// Judges the log for a start of the engine at height `next`. Changes nothing.
pub(crate) fn judge(path: &Path, next: u64, judges: Judges<'_>) -> Result<Fitness, LogError> {
    let shown = || path.display().to_string();
    let (contents, damage) = match examine_log(path) {
        Ok(LogState::Missing) => return Ok(Fitness::Missing),
        Ok(LogState::Sound(contents)) => (contents, None),
        Err(LogFault::Damaged { problem, readable }) => (readable, Some(problem)),
        Err(LogFault::InUse) => return Err(LogError::InUse(shown())),
        Err(LogFault::Io(source)) => return Err(LogError::Unreadable { path: shown(), source }),
    };
    let height = contents.height;
    let why = match damage {
        Some(problem) => Unfit::Damaged(problem),
        None if height != next => return Ok(Fitness::Usable(contents)),
        None if judges.guard.is_amended_at(next) => Unfit::Amended,
        None => match missing_block(&contents, judges.store)? {
            Some(block_id) => Unfit::WithoutBlock(block_id),
            None => return Ok(Fitness::Usable(contents)),
        },
    };
    let mut own = contents.statements.iter().filter(|said| said.member == judges.member);
    // The guard has amended this log before, so it is the same guard.
    let uncovered = height >= next && why != Unfit::Amended && own.any(|said| !judges.guard.covers(said));
    Ok(if uncovered { Fitness::Uncovered(Height::new(height)) } else { Fitness::Unfit(why) })
}

fn missing_block(contents: &LogContents, store: &Store) -> Result<Option<BlockId>, StoreError> {
    for block_id in &contents.blocks {
        if store.proposal_head(Height::new(contents.height), Hash(block_id.0))?.is_none() {
            return Ok(Some(*block_id));
        }
    }
    Ok(None)
}

/// Moves a log out of the way; where it is now.
pub(crate) fn set_aside(path: &Path, why: &Unfit) -> Result<PathBuf, LogError> {
    let moved = match why {
        Unfit::Damaged(_) => move_to_free_name(path, "damaged"),
        Unfit::WithoutBlock(_) => move_to_free_name(path, "without-block"),
        Unfit::Amended => move_to(path, path.with_file_name(AMENDED_LOG)),
    };
    moved.map_err(|source| LogError::SetAside { path: path.display().to_string(), source })
}

fn move_to(path: &Path, to: PathBuf) -> std::io::Result<PathBuf> {
    std::fs::rename(path, &to)?;
    durable::sync_parent(path).map_err(|error| error.source)?;
    Ok(to)
}

fn move_to_free_name(path: &Path, kind: &str) -> std::io::Result<PathBuf> {
    for number in 1_u32.. {
        let to = path.with_file_name(format!("{VOTING_LOG}.{kind}-{number}"));
        if !to.try_exists()? {
            return move_to(path, to);
        }
    }
    Err(std::io::Error::other("no free name is left"))
}

/// Makes the log fit for a start at height `next`. `Some`: this height must be decided first, by the others.
pub(crate) fn prepare(path: &Path, next: u64, judges: Judges<'_>) -> Result<Option<Height>, LogError> {
    match judge(path, next, judges)? {
        Fitness::Missing | Fitness::Usable(_) => Ok(None),
        Fitness::Uncovered(height) => {
            tracing::warn!(
                %height,
                "the engine's log cannot be used, and holds statements of this validator that its guard file lacks, so this is \
                 not the guard file they were made with: nothing is signed up to this height"
            );
            Ok(Some(height))
        }
        Fitness::Unfit(Unfit::Amended) => {
            let to = set_aside(path, &Unfit::Amended)?;
            tracing::info!(height = next, to = %to.display(), "the engine's log is set aside; the guard's votes stand");
            Ok(None)
        }
        Fitness::Unfit(why) => {
            let to = set_aside(path, &why)?;
            tracing::warn!(height = next, to = %to.display(), %why, "the engine's log is set aside; the guard's votes stand");
            Ok(None)
        }
    }
}

#[cfg(test)]
mod tests;
