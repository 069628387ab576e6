//! Blocks in parts: cutting an own block into a stream, and the header that says whose it is.
//!
//! A stream is one signed [`StreamHeader`] (sequence 0), then chunks of [`CHUNK_BYTES`], the last one shorter, numbered from 1.
//! The header names the hash of each chunk, so that its signature covers the whole block: whoever passes the header on under
//! another body harms only himself (`docs/adr/0015-chunks-bound-to-the-header.md`). `assembly` does the other direction.

mod assembly;

use std::hash::{BuildHasher, Hasher};

use bytes::Bytes;
use malachitebft_app_channel::app::streaming::{StreamContent, StreamId, StreamMessage};

pub(crate) use assembly::{Assembly, Current, Finished, Limits};

use crate::context::MemberSet;
use crate::preimage;
use crate::proposal_part::{ProposalPart, StreamHeader};
use crate::scheme::{Signature, chunk_hash};

/// Bytes of a chunk: big enough for few messages a block, small enough to interleave with votes.
pub const CHUNK_BYTES: usize = 128 * 1024;
/// From this round on the engine has every validator that locks on a block send it again, not only the round's proposer.
pub(crate) const ANYBODY_RESENDS_FROM_ROUND: u32 = 10;

/// Why a stream is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum StreamFault {
    #[error("the block is empty or above the limit")]
    Length,
    #[error("a chunk is not what the header names")]
    WrongChunk,
    #[error("its parts are of two heights or rounds")]
    TwoSlots,
    #[error("the proposer does not propose in this round")]
    WrongProposer,
    #[error("the sender may not send it")]
    WrongSender,
    #[error("the signature is invalid")]
    BadSignature,
    #[error("the earlier round is not earlier")]
    PolRound,
}

impl StreamHeader {
    /// Is this the scheduled proposer's block, sent and signed by somebody who may?
    pub(crate) fn check(&self, set: &MemberSet, chain_id: &[u8; 32]) -> Result<(), StreamFault> {
        let fields = &self.fields;
        if fields.pol_round.is_some_and(|pol_round| pol_round >= self.slot.round) {
            return Err(StreamFault::PolRound);
        }
        if set.proposer(self.slot.round).id() != fields.proposer {
            return Err(StreamFault::WrongProposer);
        }
        if fields.sender != fields.proposer && self.slot.round < ANYBODY_RESENDS_FROM_ROUND {
            return Err(StreamFault::WrongSender);
        }
        let sender = set.get(fields.sender).ok_or(StreamFault::WrongSender)?;
        let preimage = preimage::stream(chain_id, self.slot, fields);
        if sender.public_key().verifies(&preimage, &Signature(self.signature)) {
            Ok(())
        } else {
            Err(StreamFault::BadSignature)
        }
    }
}

/// Chunks of a block of this length.
pub(crate) fn chunk_count(bytes_total: usize) -> usize {
    bytes_total.div_ceil(CHUNK_BYTES)
}

/// The pieces in which a block travels.
fn chunks(block: &Bytes) -> impl Iterator<Item = Bytes> {
    (0..chunk_count(block.len())).map(|index| {
        let from = index * CHUNK_BYTES;
        block.slice(from..block.len().min(from + CHUNK_BYTES))
    })
}

/// What a header says of the pieces of its block.
pub(crate) fn chunk_hashes(block: &Bytes) -> Vec<[u8; 32]> {
    chunks(block).map(|chunk| chunk_hash(&chunk)).collect()
}

/// Makes stream ids that no restart repeats.
pub(crate) struct StreamIds {
    start: u64,
    next: u64,
}

impl StreamIds {
    pub(crate) fn new() -> Self {
        // The keys of this hasher are random for each process, which is enough to tell streams of two runs apart.
        let start = std::collections::hash_map::RandomState::new().build_hasher().finish();
        Self { start, next: 0 }
    }

    fn next_id(&mut self) -> StreamId {
        let mut id = Vec::with_capacity(16);
        id.extend_from_slice(&self.start.to_be_bytes());
        id.extend_from_slice(&self.next.to_be_bytes());
        self.next = self.next.wrapping_add(1);
        StreamId::new(id.into())
    }

    /// The messages of one stream, in order.
    pub(crate) fn cut(&mut self, header: StreamHeader, block: &Bytes) -> Vec<StreamMessage<ProposalPart>> {
        let (id, slot) = (self.next_id(), header.slot);
        let chunks = chunks(block).map(|bytes| ProposalPart::Chunk { slot, bytes });
        std::iter::once(ProposalPart::Header(Box::new(header)))
            .chain(chunks)
            .zip(0u64..)
            .map(|(part, sequence)| StreamMessage::new(id.clone(), sequence, StreamContent::Data(part)))
            .collect()
    }
}

#[cfg(test)]
mod tests;
