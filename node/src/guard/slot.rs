//! The guard file's slot: what it holds, and its bytes.

use receipt_core::hash::{Hash, sha256};
use receipt_core::suite::ChainId;
use tallystick_engine::BlockId;

/// Bytes of one slot: votes of a height's last few hundred rounds fit.
pub(super) const SLOT_BYTES: usize = 64 * 1024;
const MAGIC: &[u8; 8] = b"TALLYGRD";
const FORMAT_VERSION: u32 = 2;
const HEADER_BYTES: usize = 8 + 4 + 32 + 8 + 4;
const FIXED_BYTES: usize = 8 + 32 + 8 + 4 + 1 + 4 + 32 + 4;
const VOTE_BYTES: usize = 1 + 4 + 4 + 1 + 32 + 64;
const VOTES_MAX: usize = 512;

/// What a statement is. In the order in which they are made in a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Proposal = 0,
    Prevote = 1,
    Precommit = 2,
}

/// One statement of a height.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ballot {
    pub(super) kind: Kind,
    pub(super) round: u32,
    /// Of a proposal that proposes again.
    pub(super) pol_round: Option<u32>,
    /// `None` is nil; a proposal has a block.
    pub(super) block_id: Option<BlockId>,
}

/// One signature given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Vote {
    pub(super) ballot: Ballot,
    pub(super) signature: [u8; 64],
}

/// The newest precommit for a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lock {
    pub(super) round: u32,
    pub(super) block_id: BlockId,
}

/// The content of a guard file: the votes of its height, the lock, the cosigned size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Contents {
    pub(super) cosigned_size: u64,
    pub(super) cosigned_root: Hash,
    pub(super) height: u64,
    /// Votes of rounds below were dropped to make room.
    pub(super) round_floor: u32,
    /// Whether the engine got another statement than it asked for: its log no longer follows from itself.
    pub(super) amended: bool,
    pub(super) lock: Option<Lock>,
    pub(super) votes: Vec<Vote>,
}

impl Default for Contents {
    fn default() -> Self {
        Self {
            cosigned_size: 0,
            cosigned_root: Hash::ZERO,
            height: 0,
            round_floor: 0,
            amended: false,
            lock: None,
            votes: Vec::new(),
        }
    }
}

/// Why a slot does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SlotFault {
    /// Torn, damaged or never written.
    Damaged,
    /// A good checksum, and a format of another version.
    Version,
}

impl Contents {
    pub(super) fn start_height(&mut self, height: u64) {
        self.height = height;
        self.round_floor = 0;
        self.amended = false;
        self.lock = None;
        self.votes.clear();
    }

    pub(super) fn vote(&self, kind: Kind, round: u32) -> Option<&Vote> {
        self.votes.iter().find(|vote| vote.ballot.kind == kind && vote.ballot.round == round)
    }

    pub(super) fn newest(&self, kind: Kind) -> Option<&Vote> {
        self.votes.iter().filter(|vote| vote.ballot.kind == kind).max_by_key(|vote| vote.ballot.round)
    }

    /// Round and kind of the newest prevote or precommit.
    pub(super) fn newest_vote(&self) -> Option<(u32, Kind)> {
        let votes = self.votes.iter().map(|vote| (vote.ballot.round, vote.ballot.kind));
        votes.filter(|(_, kind)| *kind != Kind::Proposal).max()
    }

    /// Whether this block was voted for at this height, as far as is remembered. The lock always is.
    pub(super) fn voted_for(&self, block_id: BlockId) -> bool {
        let votes = self.votes.iter().filter(|vote| vote.ballot.kind != Kind::Proposal);
        let mut blocks = votes.filter_map(|vote| vote.ballot.block_id).chain(self.lock.map(|lock| lock.block_id));
        blocks.any(|known| known == block_id)
    }

    /// Adds a vote; when full, the oldest rounds go and the floor rises. The lock stays.
    pub(super) fn push(&mut self, vote: Vote) {
        if self.votes.len() >= VOTES_MAX {
            let mut rounds: Vec<u32> = self.votes.iter().map(|vote| vote.ballot.round).collect();
            rounds.sort_unstable();
            let floor = rounds.get(VOTES_MAX / 2).copied().unwrap_or(0).min(vote.ballot.round);
            self.round_floor = self.round_floor.max(floor);
            self.votes.retain(|vote| vote.ballot.round >= floor);
        }
        if let (Kind::Precommit, Some(block_id)) = (vote.ballot.kind, vote.ballot.block_id)
            && self.lock.is_none_or(|lock| lock.round <= vote.ballot.round)
        {
            self.lock = Some(Lock { round: vote.ballot.round, block_id });
        }
        self.votes.push(vote);
    }

    pub(super) fn encode_slot(&self, chain: ChainId, counter: u64) -> Vec<u8> {
        let mut payload = Vec::with_capacity(FIXED_BYTES + self.votes.len() * VOTE_BYTES);
        payload.extend_from_slice(&self.cosigned_size.to_be_bytes());
        payload.extend_from_slice(&self.cosigned_root.0);
        payload.extend_from_slice(&self.height.to_be_bytes());
        payload.extend_from_slice(&self.round_floor.to_be_bytes());
        payload.push(u8::from(self.amended));
        put_round(&mut payload, self.lock.map(|lock| lock.round));
        payload.extend_from_slice(&self.lock.map_or([0; 32], |lock| lock.block_id.0));
        payload.extend_from_slice(&(self.votes.len() as u32).to_be_bytes());
        for Vote { ballot, signature } in &self.votes {
            payload.push(ballot.kind as u8);
            payload.extend_from_slice(&ballot.round.to_be_bytes());
            put_round(&mut payload, ballot.pol_round);
            payload.push(u8::from(ballot.block_id.is_some()));
            payload.extend_from_slice(&ballot.block_id.map_or([0; 32], |block_id| block_id.0));
            payload.extend_from_slice(signature);
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

    pub(super) fn decode_slot(slot: &[u8]) -> Result<(ChainId, u64, Self), SlotFault> {
        let (header, payload) = checked(slot).ok_or(SlotFault::Damaged)?;
        let number = |range| header.get(range).and_then(|bytes: &[u8]| bytes.try_into().ok());
        if number(8..12).map(u32::from_be_bytes) != Some(FORMAT_VERSION) {
            return Err(SlotFault::Version);
        }
        let parsed = || {
            let chain = ChainId(Hash::from_slice(header.get(12..44)?)?);
            let counter = u64::from_be_bytes(header.get(44..52)?.try_into().ok()?);
            Some((chain, counter, Self::decode_payload(payload)?))
        };
        parsed().ok_or(SlotFault::Damaged)
    }

    fn decode_payload(payload: &[u8]) -> Option<Self> {
        let (size, rest) = payload.split_first_chunk::<8>()?;
        let (root, rest) = rest.split_first_chunk::<32>()?;
        let (height, rest) = rest.split_first_chunk::<8>()?;
        let (floor, rest) = rest.split_first_chunk::<4>()?;
        let ([amended], rest) = rest.split_first_chunk::<1>()?;
        let (lock_round, rest) = rest.split_first_chunk::<4>()?;
        let (lock_block, rest) = rest.split_first_chunk::<32>()?;
        let (count, rest) = rest.split_first_chunk::<4>()?;
        let votes: Option<Vec<Vote>> = rest.chunks(VOTE_BYTES).map(decode_vote).collect();
        let votes = votes.filter(|votes| votes.len() == u32::from_be_bytes(*count) as usize)?;
        let block_id = BlockId(*lock_block);
        Some(Self {
            cosigned_size: u64::from_be_bytes(*size),
            cosigned_root: Hash(*root),
            height: u64::from_be_bytes(*height),
            round_floor: u32::from_be_bytes(*floor),
            amended: *amended == 1,
            lock: round(*lock_round).map(|round| Lock { round, block_id }),
            votes,
        })
    }
}

/// Header and payload of a slot whose checksum is good.
fn checked(slot: &[u8]) -> Option<(&[u8], &[u8])> {
    let header = slot.get(..HEADER_BYTES)?;
    let length = u32::from_be_bytes(header.get(52..56)?.try_into().ok()?) as usize;
    let end = HEADER_BYTES.checked_add(length)?;
    let checksum = slot.get(end..end.checked_add(32)?)?;
    let good = header.get(..8)? == MAGIC && sha256(&[slot.get(..end)?]).0 == checksum;
    good.then_some((header, slot.get(HEADER_BYTES..end)?))
}

/// A round plus one; 0 is none. The engine's rounds end far below the last number.
fn put_round(out: &mut Vec<u8>, round: Option<u32>) {
    out.extend_from_slice(&round.map_or(0, |round| round.saturating_add(1)).to_be_bytes());
}

fn round(bytes: [u8; 4]) -> Option<u32> {
    u32::from_be_bytes(bytes).checked_sub(1)
}

fn decode_vote(bytes: &[u8]) -> Option<Vote> {
    let ([kind], rest) = bytes.split_first_chunk::<1>()?;
    let (vote_round, rest) = rest.split_first_chunk::<4>()?;
    let (pol_round, rest) = rest.split_first_chunk::<4>()?;
    let ([present], rest) = rest.split_first_chunk::<1>()?;
    let (block, rest) = rest.split_first_chunk::<32>()?;
    let kind = match kind {
        0 => Kind::Proposal,
        1 => Kind::Prevote,
        2 => Kind::Precommit,
        _ => return None,
    };
    let block_id = match present {
        0 => None,
        1 => Some(BlockId(*block)),
        _ => return None,
    };
    let ballot = Ballot { kind, round: u32::from_be_bytes(*vote_round), pol_round: round(*pol_round), block_id };
    Some(Vote { ballot, signature: rest.try_into().ok()? })
}
