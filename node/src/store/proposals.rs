//! Undecided proposals: on disk before anybody votes for them.

use receipt_core::hash::Hash;
use receipt_core::ids::Height;
use rocksdb::WriteBatch;

use super::{Store, StoreError, UNDECIDED};

/// Bytes of a row before the block.
const HEAD_BYTES: usize = 14;

/// What is known of a proposal apart from its block.
///
/// `round u32 ‖ pol round u32 + 1 (0: none) ‖ proposer u32 ‖ verdict u8 (0 breaks a rule, 1 valid and timely, 2 valid)
/// ‖ own u8`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProposalHead {
    /// The block's hash.
    pub block_id: Hash,
    /// The round it was first proposed in.
    pub round: u32,
    /// The round of the proof of lock that its proposer claimed when it was first seen.
    pub pol_round: Option<u32>,
    /// Who proposed it in that round. 0 if only sync brought it.
    pub proposer: u32,
    /// Whether it keeps all rules: of block and state alone, never judged again.
    pub valid: bool,
    /// Whether it came in time when it was first seen, or at a later time.
    pub timely: bool,
    /// Whether this node built it.
    pub own: bool,
}

/// A proposal. Value: its head, then the block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredProposal {
    /// What is known of it.
    pub head: ProposalHead,
    /// The block.
    pub bytes: Vec<u8>,
}

fn key(height: Height, block_id: Hash) -> [u8; 40] {
    let mut key = [0; 40];
    key[..8].copy_from_slice(&height.get().to_be_bytes());
    key[8..].copy_from_slice(&block_id.0);
    key
}

impl ProposalHead {
    fn encode(&self) -> [u8; HEAD_BYTES] {
        let mut bytes = [0; HEAD_BYTES];
        bytes[..4].copy_from_slice(&self.round.to_be_bytes());
        bytes[4..8].copy_from_slice(&self.pol_round.map_or(0, |round| round.saturating_add(1)).to_be_bytes());
        bytes[8..12].copy_from_slice(&self.proposer.to_be_bytes());
        bytes[12] = match (self.valid, self.timely) {
            (false, _) => 0,
            (true, true) => 1,
            (true, false) => 2,
        };
        bytes[13] = u8::from(self.own);
        bytes
    }

    fn decode(block_id: Hash, value: &[u8]) -> Option<Self> {
        let (round, rest) = value.split_first_chunk::<4>()?;
        let (pol_round, rest) = rest.split_first_chunk::<4>()?;
        let (proposer, rest) = rest.split_first_chunk::<4>()?;
        let ([verdict @ 0..=2, own], _) = rest.split_first_chunk::<2>()? else { return None };
        Some(Self {
            block_id,
            round: u32::from_be_bytes(*round),
            pol_round: u32::from_be_bytes(*pol_round).checked_sub(1),
            proposer: u32::from_be_bytes(*proposer),
            valid: *verdict != 0,
            timely: *verdict == 1,
            own: *own == 1,
        })
    }
}

impl Store {
    /// Stores a proposal, synced, before it is answered for. What is stored of its block already stays: the verdict, the first
    /// round, and that it is this node's own. Only a proposer takes the place of none, and a block that was untimely may
    /// become timely.
    pub fn put_proposal(&self, height: Height, head: &ProposalHead, block: &[u8]) -> Result<(), StoreError> {
        let mut head = *head;
        if let Some(known) = self.proposal_head(height, head.block_id)? {
            let becomes_timely = head.timely && !known.timely;
            if known.proposer != 0 || head.proposer == 0 {
                if !becomes_timely {
                    return Ok(());
                }
                head = ProposalHead { timely: true, ..known };
            }
        }
        let mut value = Vec::with_capacity(HEAD_BYTES + block.len());
        value.extend_from_slice(&head.encode());
        value.extend_from_slice(block);
        let mut batch = WriteBatch::default();
        batch.put_cf(self.family(UNDECIDED)?, key(height, head.block_id), value);
        self.write_synced(batch)
    }

    /// What is known of a height's proposal. Copies no block.
    pub fn proposal_head(&self, height: Height, block_id: Hash) -> Result<Option<ProposalHead>, StoreError> {
        let family = self.family(UNDECIDED)?;
        let value = self.reading(|| Ok(self.db.get_pinned_cf(family, key(height, block_id))?))?;
        let Some(value) = value else { return Ok(None) };
        let head = ProposalHead::decode(block_id, &value);
        head.map(Some).ok_or_else(|| StoreError::corrupt("a proposal"))
    }

    /// One proposal of a height.
    pub fn proposal(&self, height: Height, block_id: Hash) -> Result<Option<StoredProposal>, StoreError> {
        let Some(mut value) = self.get_in(UNDECIDED, &key(height, block_id))? else { return Ok(None) };
        let head = ProposalHead::decode(block_id, &value).ok_or_else(|| StoreError::corrupt("a proposal"))?;
        value.drain(..HEAD_BYTES);
        Ok(Some(StoredProposal { head, bytes: value }))
    }

    /// What is known of all proposals of a height. Copies no block: of a height that stands still there may be many.
    pub fn proposals(&self, height: Height) -> Result<Vec<ProposalHead>, StoreError> {
        let family = self.family(UNDECIDED)?;
        self.reading(|| self.heads(family, height.get().to_be_bytes()))
    }

    fn heads(&self, family: &rocksdb::ColumnFamily, start: [u8; 8]) -> Result<Vec<ProposalHead>, StoreError> {
        let mut heads = Vec::new();
        let mut rows = self.db.raw_iterator_cf(family);
        rows.seek(start);
        while let Some((row_key, value)) = rows.item() {
            let Some((row_height, id)) = row_key.split_first_chunk::<8>() else {
                return Err(StoreError::corrupt("a proposal's key"));
            };
            if *row_height != start {
                break;
            }
            let head = Hash::from_slice(id).and_then(|id| ProposalHead::decode(id, value));
            heads.push(head.ok_or_else(|| StoreError::corrupt("a proposal"))?);
            rows.next();
        }
        rows.status()?;
        Ok(heads)
    }

    /// Forgets all proposals of `height`.
    pub(super) fn forget_proposals(&self, batch: &mut WriteBatch, height: Height) -> Result<(), StoreError> {
        let family = self.family(UNDECIDED)?;
        let end = height.get().saturating_add(1).to_be_bytes();
        let start = height.get().to_be_bytes();
        // Lower heights were forgotten with their own blocks: starting here skips their tombstones. Read again after a shortage, a row is deleted twice.
        self.reading(|| {
            for row in self.db.iterator_cf(family, rocksdb::IteratorMode::From(&start, rocksdb::Direction::Forward)) {
                let (row_key, _) = row?;
                if row_key.as_ref() >= end.as_slice() {
                    break;
                }
                batch.delete_cf(family, row_key);
            }
            Ok(())
        })
    }
}
