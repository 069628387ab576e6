//! The exact bytes that are signed. Nothing else is ever signed with a consensus key by this crate.
//!
//! Every preimage is `namespace ‖ 0x0A ‖ chain id (32 bytes) ‖ fields`, the fields of fixed width, big-endian:
//! ```text
//! tallystick/prevote/v1          height u64 · round u32 · present u8 · block id 32 (zeros if absent)
//! tallystick/precommit/v1        height u64 · round u32 · present u8 · block id 32 (zeros if absent)
//! tallystick/proposal/v1         height u64 · round u32 · pol present u8 · pol round u32 (0 if absent) · block id 32
//! tallystick/stream/v1           height u64 · round u32 · pol present u8 · pol round u32 · block id 32
//!                                · proposer u32 · sender u32 · bytes total u32 · hash 32 of each chunk, in order
//! tallystick/link/v1             from u32 · to u32 · session 32
//! ```
//! "present" is 1 or 0; a vote without a block is a vote for nil. The chain id is the hash of the genesis block. A vote does
//! not name its voter: the key does. A *precommit* with a block, signed by more than 2/3, is what a certificate carries.
//! A *stream* signature says who sends which bytes, a *link* signature who speaks on a connection (`network`); neither is a vote.

use crate::types::{BlockId, MemberId};

/// Namespace of prevotes.
pub const PREVOTE: &str = "tallystick/prevote/v1";
/// Namespace of precommits, the signatures of a certificate.
pub const PRECOMMIT: &str = "tallystick/precommit/v1";
/// Namespace of proposals.
pub const PROPOSAL: &str = "tallystick/proposal/v1";
/// Namespace of the headers of part streams.
pub const STREAM: &str = "tallystick/stream/v1";
/// Namespace of a link's hello.
pub const LINK: &str = "tallystick/link/v1";

/// Where a vote or proposal belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VoteSlot {
    /// The height that is being decided.
    pub height: u64,
    /// Its round, from 0.
    pub round: u32,
}

fn begin(namespace: &str, chain_id: &[u8; 32], slot: VoteSlot) -> Vec<u8> {
    let mut out = head(namespace, chain_id);
    out.extend_from_slice(&slot.height.to_be_bytes());
    out.extend_from_slice(&slot.round.to_be_bytes());
    out
}

fn head(namespace: &str, chain_id: &[u8; 32]) -> Vec<u8> {
    let mut out = Vec::with_capacity(160);
    out.extend_from_slice(namespace.as_bytes());
    out.push(b'\n');
    out.extend_from_slice(chain_id);
    out
}

fn optional_round(out: &mut Vec<u8>, round: Option<u32>) {
    out.push(u8::from(round.is_some()));
    out.extend_from_slice(&round.unwrap_or(0).to_be_bytes());
}

fn vote(namespace: &str, chain_id: &[u8; 32], slot: VoteSlot, block_id: Option<&BlockId>) -> Vec<u8> {
    let mut out = begin(namespace, chain_id, slot);
    out.push(u8::from(block_id.is_some()));
    out.extend_from_slice(&block_id.map_or([0; 32], |id| id.0));
    out
}

/// The preimage of a prevote; `None` is nil.
pub fn prevote(chain_id: &[u8; 32], slot: VoteSlot, block_id: Option<&BlockId>) -> Vec<u8> {
    vote(PREVOTE, chain_id, slot, block_id)
}

/// The preimage of a precommit; `None` is nil.
pub fn precommit(chain_id: &[u8; 32], slot: VoteSlot, block_id: Option<&BlockId>) -> Vec<u8> {
    vote(PRECOMMIT, chain_id, slot, block_id)
}

/// The preimage of a proposal.
pub fn proposal(chain_id: &[u8; 32], slot: VoteSlot, pol_round: Option<u32>, block_id: &BlockId) -> Vec<u8> {
    let mut out = begin(PROPOSAL, chain_id, slot);
    optional_round(&mut out, pol_round);
    out.extend_from_slice(&block_id.0);
    out
}

/// The fields of a stream header that are signed besides its slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamFields {
    /// The round of more than 2/3 prevotes, if the block is proposed again.
    pub pol_round: Option<u32>,
    /// The block's hash.
    pub block_id: BlockId,
    /// Who proposes in this round.
    pub proposer: MemberId,
    /// The member that sends the stream and signs its header.
    pub sender: MemberId,
    /// The block's length.
    pub bytes_total: u32,
    /// SHA-256 of each chunk, in order: whoever passes on the header cannot give it another body.
    pub chunk_hashes: Vec<[u8; 32]>,
}

/// The preimage of a stream header.
pub fn stream(chain_id: &[u8; 32], slot: VoteSlot, fields: &StreamFields) -> Vec<u8> {
    let mut out = begin(STREAM, chain_id, slot);
    optional_round(&mut out, fields.pol_round);
    out.extend_from_slice(&fields.block_id.0);
    for number in [fields.proposer.get(), fields.sender.get(), fields.bytes_total] {
        out.extend_from_slice(&number.to_be_bytes());
    }
    fields.chunk_hashes.iter().for_each(|hash| out.extend_from_slice(hash));
    out
}

/// The preimage of the hello with which `from` begins a link to `to` on a connection.
pub fn link(chain_id: &[u8; 32], from: MemberId, to: MemberId, session: &[u8; 32]) -> Vec<u8> {
    let mut out = head(LINK, chain_id);
    out.extend_from_slice(&from.get().to_be_bytes());
    out.extend_from_slice(&to.get().to_be_bytes());
    out.extend_from_slice(session);
    out
}

#[cfg(test)]
mod tests;
