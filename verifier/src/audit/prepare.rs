//! The parallel half: all of a block that can be judged without the state before it.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use receipt_core::block::{Block, Item, block_id};
use receipt_core::hash::Hash;
use receipt_core::ids::{Height, KeyId};
use receipt_core::seal::Seal;
use receipt_core::state::{CheckedBlock, NoCache};
use receipt_core::suite::{ChainId, PublicKey};
use tallystick_proto::ledger::v1::LedgerBlock;
use tallystick_service::rng::{Entropy, random_array};

use super::finding::{Finding, FindingCode};

/// Registered keys as far as the replay has come. A key id is never given to another key, so what is found here stays
/// right; a key not found yet is looked up again by the replay.
#[derive(Default)]
pub(super) struct KeyRegistry(RwLock<HashMap<u32, PublicKey>>);

impl KeyRegistry {
    pub(super) fn insert(&self, id: u32, key: PublicKey) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(id, key);
    }

    fn get(&self, id: KeyId) -> Option<PublicKey> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(&id.get()).copied()
    }
}

/// What a block was served with.
#[derive(Debug, Clone, Default)]
pub(super) struct Served {
    pub(super) entries: Vec<Vec<u8>>,
    pub(super) first_leaf: u64,
    pub(super) certificate: Vec<u8>,
    pub(super) checkpoint: String,
}

/// A block whose content was checked: hashes, roots, counts, a verdict for every record's signature.
pub(super) struct PreparedBlock {
    pub(super) checked: CheckedBlock,
    pub(super) seal: Seal,
    pub(super) id: Hash,
    pub(super) record_count: u64,
    pub(super) record_bytes: u64,
    pub(super) block_bytes: u64,
}

/// One served message, prepared.
pub(super) struct Prepared {
    pub(super) height: Height,
    pub(super) served: Served,
    /// `None` for genesis.
    pub(super) block: Option<Box<PreparedBlock>>,
}

/// Prepares blocks on any thread.
pub(super) struct Preparer<'a> {
    pub(super) chain: ChainId,
    pub(super) keys: &'a KeyRegistry,
    pub(super) entropy: &'a dyn Entropy,
}

impl Preparer<'_> {
    /// `position` counts the messages from 0, which must be the height.
    pub(super) fn prepare(&self, position: u64, message: LedgerBlock) -> Result<Prepared, Finding> {
        let height = Height::new(position);
        if message.height != position {
            let detail = format!("height {} was served in its place", message.height);
            return Err(Finding::at(height, FindingCode::HeightOrder, detail));
        }
        let block = if position == 0 {
            if !message.block.is_empty() {
                return Err(Finding::at(height, FindingCode::BlockForm, "genesis is not a decided block"));
            }
            None
        } else {
            Some(Box::new(self.block(height, &message)?))
        };
        let served = Served {
            entries: message.entries.iter().map(|entry| entry.to_vec()).collect(),
            first_leaf: message.first_leaf_index,
            certificate: message.certificate.to_vec(),
            checkpoint: message.checkpoint,
        };
        Ok(Prepared { height, served, block })
    }

    fn block(&self, height: Height, message: &LedgerBlock) -> Result<PreparedBlock, Finding> {
        let block = Block::decode(&message.block)
            .map_err(|error| Finding::at(height, FindingCode::BlockForm, error.to_string()))?;
        let id = block_id(block.seal.suite, &message.block);
        if Hash::from_slice(&message.block_hash) != Some(id) {
            return Err(Finding::at(height, FindingCode::BlockHash, format!("the bytes hash to {id}")));
        }
        if block.content.height != height {
            let detail = format!("the block says height {}", block.content.height);
            return Err(Finding::at(height, FindingCode::HeightOrder, detail));
        }
        let entropy = random_array(self.entropy)
            .map_err(|error| Finding::at(height, FindingCode::NotJudged, error.to_string()))?;
        let records = block.content.items.iter().flat_map(|item| match item {
            Item::Batch(batch) => batch.records.as_slice(),
            Item::Governance(_) => &[],
        });
        let (record_count, record_bytes) =
            records.fold((0, 0), |(count, bytes), record| (count + 1, bytes + record.len() as u64));
        let lookup = |id| self.keys.get(id);
        let checked = CheckedBlock::check(block.content, self.chain, &NoCache, &lookup, entropy)
            .map_err(|error| Finding::at(height, FindingCode::Batch, error.to_string()))?;
        let block_bytes = message.block.len() as u64;
        Ok(PreparedBlock { checked, seal: block.seal, id, record_count, record_bytes, block_bytes })
    }
}
