//! The guard file's slot: what it holds, and its bytes.

use receipt_core::hash::{Hash, sha256};
use receipt_core::suite::ChainId;

/// Bytes of one slot: votes of a height's last few hundred rounds fit.
pub(super) const SLOT_BYTES: usize = 64 * 1024;
const MAGIC: &[u8; 8] = b"TALLYGRD";
const FORMAT_VERSION: u32 = 1;
const HEADER_BYTES: usize = 8 + 4 + 32 + 8 + 4;
const VOTE_BYTES: usize = 1 + 4 + 32 + 64;
const VOTES_MAX: usize = 512;

/// One signature given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Vote {
    pub(super) kind: u8,
    pub(super) round: u32,
    pub(super) digest: Hash,
    pub(super) signature: [u8; 64],
}

/// What the guard remembers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Contents {
    pub(super) cosigned_size: u64,
    pub(super) cosigned_root: Hash,
    pub(super) height: u64,
    pub(super) round_floor: u32,
    votes: Vec<Vote>,
}

impl Default for Contents {
    fn default() -> Self {
        Self { cosigned_size: 0, cosigned_root: Hash::ZERO, height: 0, round_floor: 0, votes: Vec::new() }
    }
}

impl Contents {
    pub(super) fn start_height(&mut self, height: u64) {
        self.height = height;
        self.round_floor = 0;
        self.votes.clear();
    }

    pub(super) fn vote(&self, kind: u8, round: u32) -> Option<&Vote> {
        self.votes.iter().find(|vote| vote.kind == kind && vote.round == round)
    }

    /// Adds a vote; when full, the oldest rounds go and the floor rises.
    pub(super) fn push(&mut self, vote: Vote) {
        if self.votes.len() >= VOTES_MAX {
            let mut rounds: Vec<u32> = self.votes.iter().map(|vote| vote.round).collect();
            rounds.sort_unstable();
            let floor = rounds.get(VOTES_MAX / 2).copied().unwrap_or(0).min(vote.round);
            self.round_floor = self.round_floor.max(floor);
            self.votes.retain(|vote| vote.round >= floor);
        }
        self.votes.push(vote);
    }

    pub(super) fn encode_slot(&self, chain: ChainId, counter: u64) -> Vec<u8> {
        let mut payload = Vec::with_capacity(56 + self.votes.len() * VOTE_BYTES);
        payload.extend_from_slice(&self.cosigned_size.to_be_bytes());
        payload.extend_from_slice(&self.cosigned_root.0);
        payload.extend_from_slice(&self.height.to_be_bytes());
        payload.extend_from_slice(&self.round_floor.to_be_bytes());
        payload.extend_from_slice(&(self.votes.len() as u32).to_be_bytes());
        for vote in &self.votes {
            payload.push(vote.kind);
            payload.extend_from_slice(&vote.round.to_be_bytes());
            payload.extend_from_slice(&vote.digest.0);
            payload.extend_from_slice(&vote.signature);
        }
        let mut slot = Vec::with_capacity(HEADER_BYTES + payload.len() + 32);
        slot.extend_from_slice(MAGIC);
        slot.extend_from_slice(&FORMAT_VERSION.to_be_bytes());
        slot.extend_from_slice(&chain.0.0);
        slot.extend_from_slice(&counter.to_be_bytes());
        slot.extend_from_slice(&(payload.len() as u32).to_be_bytes());
        slot.extend_from_slice(&payload);
        let checksum = sha256(&[&slot]);
        slot.extend_from_slice(&checksum.0);
        slot
    }

    pub(super) fn decode_slot(slot: &[u8]) -> Option<(ChainId, u64, Self)> {
        let header = slot.get(..HEADER_BYTES)?;
        let length = u32::from_be_bytes(header.get(52..56)?.try_into().ok()?) as usize;
        let end = HEADER_BYTES.checked_add(length)?;
        let checksum = slot.get(end..end.checked_add(32)?)?;
        let format = u32::from_be_bytes(header.get(8..12)?.try_into().ok()?);
        if header.get(..8)? != MAGIC || format != FORMAT_VERSION || sha256(&[slot.get(..end)?]).0 != checksum {
            return None;
        }
        let chain = ChainId(Hash::from_slice(header.get(12..44)?)?);
        let counter = u64::from_be_bytes(header.get(44..52)?.try_into().ok()?);
        Some((chain, counter, Self::decode_payload(slot.get(HEADER_BYTES..end)?)?))
    }

    fn decode_payload(payload: &[u8]) -> Option<Self> {
        let (size, rest) = payload.split_first_chunk::<8>()?;
        let (root, rest) = rest.split_first_chunk::<32>()?;
        let (height, rest) = rest.split_first_chunk::<8>()?;
        let (floor, rest) = rest.split_first_chunk::<4>()?;
        let (count, rest) = rest.split_first_chunk::<4>()?;
        let votes: Option<Vec<Vote>> = rest.chunks(VOTE_BYTES).map(decode_vote).collect();
        let votes = votes.filter(|votes| votes.len() == u32::from_be_bytes(*count) as usize)?;
        Some(Self {
            cosigned_size: u64::from_be_bytes(*size),
            cosigned_root: Hash(*root),
            height: u64::from_be_bytes(*height),
            round_floor: u32::from_be_bytes(*floor),
            votes,
        })
    }
}

fn decode_vote(bytes: &[u8]) -> Option<Vote> {
    let ([kind], rest) = bytes.split_first_chunk::<1>()?;
    let (round, rest) = rest.split_first_chunk::<4>()?;
    let (digest, rest) = rest.split_first_chunk::<32>()?;
    let signature: [u8; 64] = rest.try_into().ok()?;
    Some(Vote { kind: *kind, round: u32::from_be_bytes(*round), digest: Hash(*digest), signature })
}
