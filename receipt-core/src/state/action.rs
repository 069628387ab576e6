//! What all governance actions share: where one is applied, and what may be wrong with it.

use super::chain::ChainParameters;
use super::reading::ReadError;
use crate::area::Area;
use crate::ids::{Height, UnixMillis};
use crate::suite::Suite;

/// What is wrong with a governance action, or that the state could not be read.
pub(crate) enum ActionError {
    Refused(&'static str),
    Read(ReadError),
}

impl From<ReadError> for ActionError {
    fn from(error: ReadError) -> Self {
        Self::Read(error)
    }
}

pub(super) type ActionResult = Result<(), ActionError>;

pub(super) fn require(condition: bool, problem: &'static str) -> ActionResult {
    if condition { Ok(()) } else { Err(ActionError::Refused(problem)) }
}

/// Where an action is applied.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ActionPlace<'a> {
    /// The chain's suite.
    pub(crate) suite: Suite,
    /// The log's origin.
    pub(crate) origin: &'a str,
    /// The block's height.
    pub(crate) height: Height,
    /// The block's time.
    pub(crate) block_time: UnixMillis,
    /// Whose message the action is of: it may not reach beyond the area.
    pub(crate) area: Option<Area>,
    /// Whether the state holds the records, too.
    pub(crate) records: Records,
}

impl<'a> ActionPlace<'a> {
    /// The place in a block of this height and time, of a message of the chain's own authorities.
    pub(crate) fn of(chain: &'a ChainParameters, height: Height, block_time: UnixMillis, records: Records) -> Self {
        Self { suite: chain.suite, origin: &chain.origin, height, block_time, area: None, records }
    }

    /// The same, of a message of this area.
    pub(crate) fn within(self, area: Option<Area>) -> Self {
        Self { area, ..self }
    }
}

/// Whether the state on which governance is applied holds the ledger's records, or the registry alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Records {
    /// The whole state.
    AtHand,
    /// The registry as followed from the log's entries: what was used of a segment is not known.
    Elsewhere,
}
