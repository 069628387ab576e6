//! Blocks, their entries and the log: what one decided height adds, as one synced write.

use receipt_core::block::block_id;
use receipt_core::genesis::Genesis;
use receipt_core::hash::Hash;
use receipt_core::ids::{Height, LeafIndex, TreeSize};
use receipt_core::merkle::Frontier;
use receipt_core::state::tables::{META_TIP, Table, Tip};
use receipt_core::state::{Effects, StateRead as _, read_validators};
use rocksdb::WriteBatch;

use super::{
    BLOCKS, CERTIFICATES, ENTRIES, FORMAT_VERSION, HEIGHTS, LOG_NODES, NODE, SIZES, Store, StoreError, VALIDATOR_SETS,
    read_u64,
};

/// The leaves of one height.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeightRange {
    /// Its first leaf.
    pub first_leaf: LeafIndex,
    /// The log's size after it; the seal is leaf `size − 1`.
    pub size: TreeSize,
    /// The version of the status map after it.
    pub status_version: Option<Height>,
}

/// A stored block.
#[derive(Debug, Clone)]
pub struct BlockRecord {
    /// The block's bytes; empty for height 0.
    pub block: Vec<u8>,
    /// This node's commit certificate; empty for height 0.
    pub certificate: Vec<u8>,
    /// The leaves that it adds to the log.
    pub range: HeightRange,
}

/// Heights that are looked at when a store is opened: more than the database's log holds of full blocks.
const HEIGHTS_CHECKED: usize = 4096;

impl Store {
    pub(super) fn commit_genesis(&self, genesis: &Genesis, effects: &Effects) -> Result<(), StoreError> {
        let mut batch = WriteBatch::default();
        let node = self.family(NODE)?;
        batch.put_cf(node, b"format", FORMAT_VERSION.to_be_bytes());
        batch.put_cf(node, b"chain", genesis.chain_id().0.0);
        batch.put_cf(node, b"genesis", genesis.encode());
        self.add_effects(&mut batch, effects, Frontier::new(self.suite), None)?;
        self.write_synced(batch)
    }

    /// Commits a decided block: bytes, certificate, state, log. Forgets the undecided proposals of its height.
    pub fn commit_block(&self, effects: &Effects, block: &[u8], certificate: &[u8]) -> Result<(), StoreError> {
        let height = effects.tip.height.get().to_be_bytes();
        let mut batch = WriteBatch::default();
        batch.put_cf(self.family(BLOCKS)?, height, block);
        batch.put_cf(self.family(CERTIFICATES)?, height, certificate);
        self.add_effects(&mut batch, effects, self.frontier()?, Some(block_id(self.suite, block)))?;
        self.retire_nodes(&mut batch, effects)?;
        self.forget_proposals(&mut batch, effects.tip.height)?;
        self.write_synced(batch)
    }

    fn add_effects(
        &self,
        batch: &mut WriteBatch,
        effects: &Effects,
        mut frontier: Frontier,
        block_id: Option<Hash>,
    ) -> Result<(), StoreError> {
        for ((table, key), value) in &effects.writes {
            let family = self.family(table.name())?;
            match value {
                Some(value) => batch.put_cf(family, key, value),
                None => batch.delete_cf(family, key),
            }
        }
        self.keep_validators(batch, effects)?;
        let (entries, nodes) = (self.family(ENTRIES)?, self.family(LOG_NODES)?);
        for entry in &effects.entries {
            let leaf = frontier.size().get();
            batch.put_cf(entries, leaf.to_be_bytes(), entry);
            let appended = frontier.append(entry, |id, hash| batch.put_cf(nodes, id.to_key(), hash.0));
            appended.map_err(|error| StoreError::corrupt(error.to_string()))?;
        }
        let (height, size) = (effects.tip.height.get(), frontier.size().get());
        if size != effects.tip.log_size.get() {
            return Err(StoreError::corrupt("the log's size is not the state's"));
        }
        let mut range = effects.first_leaf.get().to_be_bytes().to_vec();
        range.extend_from_slice(&size.to_be_bytes());
        range.extend_from_slice(&effects.tip.status_version.map_or(0, Height::get).to_be_bytes());
        range.extend_from_slice(block_id.as_ref().map_or(&[], |id| id.as_bytes().as_slice()));
        batch.put_cf(self.family(HEIGHTS)?, height.to_be_bytes(), range);
        batch.put_cf(self.family(SIZES)?, size.to_be_bytes(), height.to_be_bytes());
        batch.put_cf(self.family(NODE)?, b"frontier", frontier.encode());
        Ok(())
    }

    /// The newest decided block: height, time, seal hash, effects hash.
    pub fn tip(&self) -> Result<Tip, StoreError> {
        let bytes = self.get(Table::Meta, META_TIP)?.ok_or_else(|| StoreError::corrupt("no tip"))?;
        Ok(Tip::decode(&bytes)?)
    }

    /// The compact range of the log at the tip.
    pub fn frontier(&self) -> Result<Frontier, StoreError> {
        let bytes = self.get_in(NODE, b"frontier")?.ok_or_else(|| StoreError::corrupt("no frontier"))?;
        Frontier::decode(self.suite, &bytes).map_err(|error| StoreError::corrupt(error.to_string()))
    }

    /// Tip, frontier and last height must agree: they were written together. And the newest heights must follow on one another:
    /// the database takes a page of zeros in its log for an end, and goes on with what stands behind it.
    pub(super) fn check_tip(&self) -> Result<(), StoreError> {
        let (tip, frontier) = (self.tip()?, self.frontier()?);
        let missing = |height: u64| StoreError::corrupt(format!("height {height} is missing"));
        let range = self.height_range(tip.height)?.ok_or_else(|| missing(tip.height.get()))?;
        if frontier.size() != tip.log_size || range.size != tip.log_size {
            return Err(StoreError::corrupt("tip, log and heights disagree"));
        }
        let next = Height::new(tip.height.get().saturating_add(1));
        let known = self.validators_at(next)?.map(|known| known.set);
        if known != Some(read_validators(self, next)?) {
            return Err(StoreError::corrupt(format!(
                "state and `{VALIDATOR_SETS}` disagree on who decides height {next}"
            )));
        }
        let mut first_leaf = range.first_leaf.get();
        for height in (0..tip.height.get()).rev().take(HEIGHTS_CHECKED) {
            let range = self.height_range(Height::new(height))?.ok_or_else(|| missing(height))?;
            if range.size.get() != first_leaf {
                return Err(StoreError::corrupt(format!("height {height} does not end where the next one begins")));
            }
            first_leaf = range.first_leaf.get();
        }
        Ok(())
    }

    /// The leaves of a height.
    pub fn height_range(&self, height: Height) -> Result<Option<HeightRange>, StoreError> {
        Ok(self.height_row(height)?.map(|(range, _)| range))
    }

    /// The leaves of a height, and its block's hash (none for height 0): all there is to know without reading the block.
    pub fn height_row(&self, height: Height) -> Result<Option<(HeightRange, Option<Hash>)>, StoreError> {
        let Some(bytes) = self.get_in(HEIGHTS, &height.get().to_be_bytes())? else { return Ok(None) };
        let corrupt = || StoreError::corrupt(format!("the row of height {height}"));
        let (first, rest) = bytes.split_at_checked(8).ok_or_else(corrupt)?;
        let (size, rest) = rest.split_at_checked(8).ok_or_else(corrupt)?;
        let (version, id) = rest.split_at_checked(8).ok_or_else(corrupt)?;
        let block_id = Hash::from_slice(id);
        if block_id.is_some() == id.is_empty() {
            return Err(corrupt());
        }
        let range = HeightRange {
            first_leaf: LeafIndex::new(read_u64(first)?),
            size: TreeSize::new(read_u64(size)?),
            status_version: Some(read_u64(version)?).filter(|version| *version > 0).map(Height::new),
        };
        Ok(Some((range, block_id)))
    }

    /// This node's commit certificate of a height; empty for height 0 and for heights not decided.
    pub fn certificate(&self, height: Height) -> Result<Vec<u8>, StoreError> {
        Ok(self.get_in(CERTIFICATES, &height.get().to_be_bytes())?.unwrap_or_default())
    }

    /// The height after which the log had exactly this size.
    pub fn height_of_size(&self, size: TreeSize) -> Result<Option<Height>, StoreError> {
        let bytes = self.get_in(SIZES, &size.get().to_be_bytes())?;
        bytes.map(|bytes| read_u64(&bytes).map(Height::new)).transpose()
    }

    /// The height whose block appended this leaf.
    pub fn height_of_leaf(&self, leaf: LeafIndex) -> Result<Option<Height>, StoreError> {
        let start = leaf.get().saturating_add(1).to_be_bytes();
        let mode = rocksdb::IteratorMode::From(&start, rocksdb::Direction::Forward);
        let family = self.family(SIZES)?;
        let row = self.reading(|| Ok(self.db.iterator_cf(family, mode).next().transpose()?))?;
        row.map(|(_, height)| read_u64(&height).map(Height::new)).transpose()
    }

    /// A decided block.
    pub fn block(&self, height: Height) -> Result<Option<BlockRecord>, StoreError> {
        let Some(range) = self.height_range(height)? else { return Ok(None) };
        let key = height.get().to_be_bytes();
        let block = self.get_in(BLOCKS, &key)?.unwrap_or_default();
        let certificate = self.certificate(height)?;
        Ok(Some(BlockRecord { block, certificate, range }))
    }

    /// Entries `first … size − 1`, in order.
    pub fn entries(&self, range: &HeightRange) -> Result<Vec<Vec<u8>>, StoreError> {
        let (first, end) = (range.first_leaf.get(), range.size.get());
        let start = first.to_be_bytes();
        let mode = rocksdb::IteratorMode::From(&start, rocksdb::Direction::Forward);
        let family = self.family(ENTRIES)?;
        self.reading(|| {
            let mut rows = self.db.iterator_cf(family, mode);
            let entry = |leaf: u64| {
                let row = rows.next().transpose()?.filter(|(key, _)| key.as_ref() == leaf.to_be_bytes());
                let (_, entry) = row.ok_or_else(|| StoreError::corrupt(format!("entry {leaf} is missing")))?;
                Ok(entry.into_vec())
            };
            (first..end).map(entry).collect()
        })
    }

    /// The root of the log at a size it has had.
    pub fn root_at(&self, size: TreeSize) -> Result<Hash, StoreError> {
        receipt_core::merkle::root_at(self, size).map_err(|error| StoreError::corrupt(error.to_string()))
    }
}
