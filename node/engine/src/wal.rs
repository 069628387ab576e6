//! Looking at the log of an engine that does not run.
//!
//! The engine's own check comes too late, after its start, and a bad header makes it panic. This one reads a copy: the engine
//! cuts off a torn end when it opens a log, and a damaged file must stay as it was found.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use malachitebft_app_channel::app::consensus::Input;
use malachitebft_app_channel::app::engine::wal::log_entries;
use malachitebft_app_channel::app::types::core::{NilOrVal, Round, VoteType};
use malachitebft_app_channel::app::wal::Log;
use tokio::sync::watch;

use crate::codec::ChainCodec;
use crate::config::lock_log;
use crate::context::ChainContext;
use crate::preimage::VoteSlot;
use crate::types::{BlockId, MemberId};

/// Whether a log can be read, and what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogState {
    /// There is no file, or an empty one.
    Missing,
    /// Every entry can be read. A torn last entry counts as none: it was never acted upon.
    Sound(LogContents),
}

/// What a log holds of its height.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogContents {
    /// The height it is of.
    pub height: u64,
    /// Its entries.
    pub entries: usize,
    /// Blocks that the engine was told are valid. At a replay it decides one of them without asking for it again, so the
    /// application must still have them all.
    pub blocks: BTreeSet<BlockId>,
    /// Votes and proposals, whoever made them.
    pub statements: Vec<LoggedStatement>,
}

/// A vote or a proposal in a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoggedStatement {
    /// The validator that made the statement.
    pub member: MemberId,
    /// Prevote, precommit or proposal.
    pub kind: StatementKind,
    /// Height and round.
    pub slot: VoteSlot,
    /// For which block; `None` is nil.
    pub block_id: Option<BlockId>,
}

/// The statements of which a validator makes one per height and round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatementKind {
    /// A proposal.
    Proposal,
    /// A prevote.
    Prevote,
    /// A precommit.
    Precommit,
}

/// Why a log cannot be used, or not now.
#[derive(Debug, thiserror::Error)]
pub enum LogFault {
    /// An engine has it open.
    #[error("the consensus log is in use")]
    InUse,
    /// Its header or an entry is not what the engine wrote.
    #[error("the consensus log is damaged: {problem}")]
    Damaged {
        /// What is wrong.
        problem: String,
        /// What stands before the damage.
        readable: LogContents,
    },
    /// It cannot be read or copied: the disk is full or fails, or rights are missing. Nothing says that it is damaged.
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
    // For a lock that another process holds, the engine's library gives an error without a code of the operating system.
    let lock = lock_log(path)
        .map_err(|error| if error.raw_os_error().is_none() { LogFault::InUse } else { LogFault::Io(error) })?;
    let copy = path.with_extension("wal.examined");
    let examined = std::fs::copy(path, &copy).map_err(LogFault::Io).and_then(|_| read(&copy));
    std::fs::remove_file(&copy)
        .or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })?;
    drop(lock);
    examined
}

/// Damage is what the bytes say; what the system says is an error of its own.
fn fault(error: io::Error, place: &str, readable: LogContents) -> LogFault {
    if error.raw_os_error().is_some() {
        return LogFault::Io(error);
    }
    LogFault::Damaged { problem: format!("{place}{error}"), readable }
}

fn read(path: &Path) -> Result<LogState, LogFault> {
    let mut contents = LogContents::default();
    let mut log = Log::open(path).map_err(|error| fault(error, "", LogContents::default()))?;
    contents.height = log.sequence();
    if log.is_empty() {
        return Ok(LogState::Sound(contents));
    }
    let codec = ChainCodec { peer_tip: watch::channel(0).0 };
    let entries =
        log_entries::<ChainContext, _>(&mut log, &codec).map_err(|error| match error.downcast::<io::Error>() {
            Ok(error) => fault(error, "", contents.clone()),
            Err(error) => LogFault::Damaged { problem: error.to_string(), readable: contents.clone() },
        })?;
    for entry in entries {
        let place = format!("entry {}: ", contents.entries + 1);
        match entry {
            Ok(entry) => contents.add(&entry).map_err(|problem| LogFault::Damaged {
                problem: format!("{place}{problem}"),
                readable: contents.clone(),
            })?,
            Err(error) => return Err(fault(error, &place, contents)),
        }
    }
    Ok(LogState::Sound(contents))
}

impl LogContents {
    /// Adds an entry. An error: it is of another height, as a reset that was torn leaves it.
    fn add(&mut self, entry: &Input<ChainContext>) -> Result<(), String> {
        let round = |round: Round| round.as_u32().unwrap_or(0);
        let block = |value: &NilOrVal<BlockId>| match value {
            NilOrVal::Nil => None,
            NilOrVal::Val(id) => Some(*id),
        };
        let (height, statement) = match entry {
            Input::Vote(vote) => {
                let vote = &vote.message;
                let kind = match vote.vote_type {
                    VoteType::Prevote => StatementKind::Prevote,
                    VoteType::Precommit => StatementKind::Precommit,
                };
                (vote.height, Some((vote.member, kind, round(vote.round), block(&vote.value))))
            }
            Input::Proposal(proposal) => {
                let proposal = &proposal.message;
                let kind = StatementKind::Proposal;
                (proposal.height, Some((proposal.member, kind, round(proposal.round), Some(proposal.value))))
            }
            Input::ProposedValue(value, _) => {
                // An invalid block is never decided, so the application need not have it.
                if value.validity.is_valid() {
                    self.blocks.insert(value.value);
                }
                (value.height, None)
            }
            Input::PolkaCertificate(certificate) => (certificate.height, None),
            _ => (crate::context::ChainHeight(self.height), None),
        };
        if height.0 != self.height {
            return Err(format!("it is of height {}, the log of height {}", height.0, self.height));
        }
        self.statements.extend(statement.map(|(member, kind, round, block_id)| LoggedStatement {
            member,
            kind,
            slot: VoteSlot { height: height.0, round },
            block_id,
        }));
        self.entries += 1;
        Ok(())
    }
}
