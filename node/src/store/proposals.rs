//! Undecided proposals: on disk before anybody votes for them.

use receipt_core::hash::Hash;
use receipt_core::ids::Height;
use rocksdb::WriteBatch;

use super::{Store, StoreError, UNDECIDED};

/// A proposal as judged, once.
///
/// Value: `round u32 ‖ pol round u32 + 1 (0: none) ‖ proposer u32 ‖ valid u8 ‖ own u8 ‖ block bytes`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredProposal {
    /// The block's hash.
    pub block_id: Hash,
    /// The round it was first proposed in.
    pub round: u32,
    /// The round of its proof of lock, if it was a proposal again when it was first seen.
    pub pol_round: Option<u32>,
    /// Who proposed it in that round. 0 if only sync brought it.
    pub proposer: u32,
    /// The verdict, timeliness included: never judged again.
    pub valid: bool,
    /// Whether this node built it.
    pub own: bool,
    /// The block.
    pub bytes: Vec<u8>,
}

fn key(height: Height, block_id: Hash) -> [u8; 40] {
    let mut key = [0; 40];
    key[..8].copy_from_slice(&height.get().to_be_bytes());
    key[8..].copy_from_slice(&block_id.0);
    key
}

impl StoredProposal {
    fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(14 + self.bytes.len());
        bytes.extend_from_slice(&self.round.to_be_bytes());
        bytes.extend_from_slice(&self.pol_round.map_or(0, |round| round.saturating_add(1)).to_be_bytes());
        bytes.extend_from_slice(&self.proposer.to_be_bytes());
        bytes.push(u8::from(self.valid));
        bytes.push(u8::from(self.own));
        bytes.extend_from_slice(&self.bytes);
        bytes
    }

    fn decode(block_id: Hash, value: &[u8]) -> Option<Self> {
        let (round, rest) = value.split_first_chunk::<4>()?;
        let (pol_round, rest) = rest.split_first_chunk::<4>()?;
        let (proposer, rest) = rest.split_first_chunk::<4>()?;
        let ([valid, own], bytes) = rest.split_first_chunk::<2>()?;
        Some(Self {
            block_id,
            round: u32::from_be_bytes(*round),
            pol_round: u32::from_be_bytes(*pol_round).checked_sub(1),
            proposer: u32::from_be_bytes(*proposer),
            valid: *valid == 1,
            own: *own == 1,
            bytes: bytes.to_vec(),
        })
    }
}

impl Store {
    /// Stores a proposal, synced, before it is answered for. What is stored of its block already stays: the verdict, the first
    /// round, and that it is this node's own. Only a proposer takes the place of none.
    pub fn put_proposal(&self, height: Height, proposal: &StoredProposal) -> Result<(), StoreError> {
        if let Some(known) = self.proposal(height, proposal.block_id)?
            && (known.proposer != 0 || proposal.proposer == 0)
        {
            return Ok(());
        }
        let mut batch = WriteBatch::default();
        batch.put_cf(self.family(UNDECIDED)?, key(height, proposal.block_id), proposal.encode());
        self.write_synced(batch)
    }

    /// One proposal of a height.
    pub fn proposal(&self, height: Height, block_id: Hash) -> Result<Option<StoredProposal>, StoreError> {
        let Some(value) = self.get_in(UNDECIDED, &key(height, block_id))? else { return Ok(None) };
        let decoded = StoredProposal::decode(block_id, &value);
        decoded.map(Some).ok_or_else(|| StoreError::corrupt("a proposal"))
    }

    /// All proposals of a height.
    pub fn proposals(&self, height: Height) -> Result<Vec<StoredProposal>, StoreError> {
        let start = height.get().to_be_bytes();
        let mode = rocksdb::IteratorMode::From(&start, rocksdb::Direction::Forward);
        let mut proposals = Vec::new();
        for row in self.db.iterator_cf(self.family(UNDECIDED)?, mode) {
            let (row_key, value) = row?;
            let Some((row_height, id)) = row_key.split_first_chunk::<8>() else {
                return Err(StoreError::corrupt("a proposal's key"));
            };
            if *row_height != start {
                break;
            }
            let decoded = Hash::from_slice(id).and_then(|id| StoredProposal::decode(id, &value));
            proposals.push(decoded.ok_or_else(|| StoreError::corrupt("a proposal"))?);
        }
        Ok(proposals)
    }

    /// Forgets all proposals of `height`.
    pub(super) fn forget_proposals(&self, batch: &mut WriteBatch, height: Height) -> Result<(), StoreError> {
        let family = self.family(UNDECIDED)?;
        let end = height.get().saturating_add(1).to_be_bytes();
        let start = height.get().to_be_bytes();
        // Lower heights were forgotten with their own blocks: starting here skips their tombstones.
        for row in self.db.iterator_cf(family, rocksdb::IteratorMode::From(&start, rocksdb::Direction::Forward)) {
            let (row_key, _) = row?;
            if row_key.as_ref() >= end.as_slice() {
                break;
            }
            batch.delete_cf(family, row_key);
        }
        Ok(())
    }
}
