//! What became of a record, as far as this journal knows.

use receipt_core::ids::{BatchSequence, Height, LeafIndex, RecordKey};
use receipt_core::reason::Reason;

use crate::journal::{Journal, JournalError, Placement};

/// What became of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Not decided on the ledger yet.
    Pending,
    /// Final: in this batch, whose header stands at this leaf of the log.
    Sealed {
        /// The batch.
        sequence: BatchSequence,
        /// Index among its records.
        index: u16,
        /// Log leaf of the batch's header.
        leaf_index: LeafIndex,
        /// Height of the deciding block.
        height: Height,
    },
    /// Final: its name on the ledger is spent.
    Refused {
        /// The reason, for the message.
        reason: Reason,
        /// Height of the deciding block.
        height: Height,
    },
}

impl Fate {
    /// What was known at a sealed height: what was decided later was pending then.
    #[must_use]
    pub fn as_of(self, snapshot: Height) -> Self {
        match self {
            Self::Sealed { height, .. } | Self::Refused { height, .. } if height > snapshot => Self::Pending,
            fate => fate,
        }
    }
}

/// The fate of a record that the journal has.
pub fn fate(journal: &Journal, key: impl Into<RecordKey>) -> Result<Fate, JournalError> {
    Ok(match journal.placement(key)? {
        None => Fate::Pending,
        Some(Placement::Refused { reason, height }) => Fate::Refused { reason, height },
        Some(Placement::Batched { sequence, index }) => match journal.outcome(sequence)? {
            // When a batch is refused its valid records lose their placement in the same write, so what has a placement here is sealed.
            Some(outcome) if !outcome.refused => {
                Fate::Sealed { sequence, index, leaf_index: outcome.leaf_index, height: outcome.height }
            }
            _ => Fate::Pending,
        },
    })
}
