//! Why a block is not executed, and why a record is not taken.

use super::reading::ReadError;
use crate::area::Area;
use crate::hash::Hash;
use crate::ids::{Height, UnixMillis};
use crate::limits;
use crate::reason::Reason;

/// Why a block may not be decided. Whoever proposed it is at fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BlockRefusal {
    /// The block does not have the next height.
    #[error("the block has height {given}, expected {expected}")]
    Height {
        /// Height that the block states.
        given: Height,
        /// One more than the tip's.
        expected: Height,
    },
    /// The block names another parent than the tip.
    #[error("the block's parent seal hash is not the tip's")]
    Parent,
    /// Not later than the parent.
    #[error("the block's time {given} is not later than its parent's {parent}")]
    Time {
        /// Time that the block states.
        given: UnixMillis,
        /// Time of the parent.
        parent: UnixMillis,
    },
    /// The named proposer had no turn in the named round.
    #[error("the block names a proposer whose turn it was not")]
    Proposer,
    /// More than [`limits::BLOCK_RECORDS_MAX`] records.
    #[error("the block has more than {} records", limits::BLOCK_RECORDS_MAX)]
    Records,
    /// A log entry above [`limits::ENTRY_BYTES_MAX`].
    #[error(
        "a log entry of the block is larger than {} bytes; what it carries has to be split",
        limits::ENTRY_BYTES_MAX
    )]
    Entry,
    /// A batch that may not stand in a block.
    #[error("batch {header_hash} may not stand in this block: {}", reason.as_str())]
    Batch {
        /// Its header's hash.
        header_hash: Hash,
        /// The reason, for the message.
        reason: Reason,
    },
    /// A governance message that may not stand in a block.
    #[error("governance message {sequence}{} is refused: {problem}", of_area(*area))]
    Governance {
        /// Whose message it is: an area's, or the chain's.
        area: Option<Area>,
        /// Its sequence.
        sequence: u64,
        /// What is wrong.
        problem: &'static str,
    },
    /// Executing gave another seal than the block carries.
    #[error("executing the block gives another seal than it carries")]
    Seal,
}

fn of_area(area: Option<Area>) -> String {
    area.map(|area| format!(" of area {area}")).unwrap_or_default()
}

/// Why `apply` gave no effects.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// The block is at fault: no vote for it.
    #[error(transparent)]
    Refused(#[from] BlockRefusal),
    /// The store is at fault: fatal.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// Why a record was not taken, or that the state could not be read.
pub(crate) enum RecordError {
    Refused(Reason),
    Read(ReadError),
}

impl From<ReadError> for RecordError {
    fn from(error: ReadError) -> Self {
        Self::Read(error)
    }
}

impl From<Reason> for RecordError {
    fn from(reason: Reason) -> Self {
        Self::Refused(reason)
    }
}

/// Refuses for this reason unless the condition holds.
pub(super) fn require(condition: bool, reason: Reason) -> Result<(), RecordError> {
    if condition { Ok(()) } else { Err(RecordError::Refused(reason)) }
}
