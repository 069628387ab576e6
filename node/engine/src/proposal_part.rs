//! The parts in which a proposed block travels. Cutting a block into them and putting it together again: `streaming`.

use bytes::Bytes;

use crate::preimage::{StreamFields, VoteSlot};

/// What a stream carries, and who says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StreamHeader {
    pub(crate) slot: VoteSlot,
    pub(crate) fields: StreamFields,
    /// The sender's, of `preimage::stream`.
    pub(crate) signature: [u8; 64],
}

/// One part of a proposal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ProposalPart {
    /// The first part.
    Header(Box<StreamHeader>),
    /// A piece of the block of this slot.
    Chunk { slot: VoteSlot, bytes: Bytes },
}

impl ProposalPart {
    pub(crate) fn slot(&self) -> VoteSlot {
        match self {
            Self::Header(header) => header.slot,
            Self::Chunk { slot, .. } => *slot,
        }
    }
}
