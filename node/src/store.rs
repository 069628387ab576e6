//! The store: RocksDB, and the only module that names it.
//!
//! One column family per state table ([`Table::name`]), and these beside them:
//! ```text
//! family          key                          value
//! blocks          height u64                   block bytes (none for height 0)
//! certificates    height u64                   commit certificate of this node
//! heights         height u64                   first leaf u64 ‖ log size after it u64 ‖ status version u64 (0: none) ‖ block id
//! sizes           log size after it u64        height u64
//! entries         leaf index u64               entry bytes
//! log-nodes       level u8 ‖ index u64         hash of a complete subtree
//! checkpoints     height u64                   sealed note text, with the lines that a proof needs
//! stale-nodes     height u64                   status-map nodes that this height replaced: (length u8 ‖ key) each
//! undecided       height u64 ‖ block id        proposal judgement ‖ block bytes
//! validator-sets  first height u64             the validator set that decides from there to the next row
//! node            ASCII name                   `format`, `chain`, `frontier`, `genesis`, `pruned`, `published`: height u64 ‖ note
//! ```
//! Contract: everything of one block is one synced write ([`Store::commit_block`]); a synced write that fails is fatal to the
//! process, which restarts from disk; a read for which the machine is short of files waits (`shortage`). `open` refuses a directory that is missing, foreign, newer, or without its marks; only
//! [`Store::init`] creates one.

mod blocks;
mod check;
mod open;
mod proposals;
mod registry;
mod seals;
mod shortage;
mod statuses;
mod validators;

use std::path::Path;
use std::sync::Arc;

use receipt_core::hash::Hash;
use receipt_core::ids::Height;
use receipt_core::merkle::{NodeId, NodeReader};
use receipt_core::state::tables::{META_TIP, Table, Tip};
use receipt_core::state::{ReadError, StateRead};
use receipt_core::suite::Suite;
use rocksdb::{DB, WriteBatch, WriteOptions};
use tallystick_service::disk_fault::DiskFault;
use tallystick_service::shutdown::CancellationToken;
use tallystick_storage::{StoreFigures, StoreSetup};

pub use blocks::{BlockRecord, HeightRange};
pub use open::OpenError;
pub use proposals::{ProposalHead, StoredProposal};
pub use registry::RegistryPage;
use shortage::Shortage;
pub use validators::ValidatorsFrom;

/// The format this build reads and writes.
pub const FORMAT_VERSION: u32 = 1;

pub(crate) const BLOCKS: &str = "blocks";
pub(crate) const CERTIFICATES: &str = "certificates";
pub(crate) const HEIGHTS: &str = "heights";
pub(crate) const SIZES: &str = "sizes";
pub(crate) const ENTRIES: &str = "entries";
pub(crate) const LOG_NODES: &str = "log-nodes";
pub(crate) const CHECKPOINTS: &str = "checkpoints";
pub(crate) const STALE_NODES: &str = "stale-nodes";
pub(crate) const UNDECIDED: &str = "undecided";
pub(crate) const VALIDATOR_SETS: &str = "validator-sets";
pub(crate) const NODE: &str = "node";

pub(crate) const FAMILIES: [&str; 11] = [
    BLOCKS,
    CERTIFICATES,
    HEIGHTS,
    SIZES,
    ENTRIES,
    LOG_NODES,
    CHECKPOINTS,
    STALE_NODES,
    UNDECIDED,
    VALIDATOR_SETS,
    NODE,
];

fn family_names() -> impl Iterator<Item = &'static str> {
    FAMILIES.into_iter().chain(Table::ALL.map(Table::name))
}

/// A key and its value.
pub type Row = (Vec<u8>, Vec<u8>);

/// Reading or writing the store failed. Fatal: the process restarts from disk.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// RocksDB reported it.
    #[error("the store failed: {0}. What to do: {way}", way = way_of(.0))]
    Rocks(rocksdb::Error),
    /// A value is not what was written.
    #[error("the store is corrupt: {0}. What to do: {WAY_OF_DAMAGE}")]
    Corrupt(String),
}

/// What an operator does about a damaged store.
const WAY_OF_DAMAGE: &str =
    "move `data_dir` aside, run `tallystick-node init`, then `run`: the node fetches its blocks from its peers";

/// What an operator does about an error of the database.
fn way_of(error: &rocksdb::Error) -> &'static str {
    DiskFault::of_text(error.as_ref(), Path::new("")).way().unwrap_or(WAY_OF_DAMAGE)
}

impl StoreError {
    pub(crate) fn corrupt(what: impl Into<String>) -> Self {
        Self::Corrupt(what.into())
    }

    /// What is wrong, without what to do about it.
    pub(crate) fn problem(&self) -> &str {
        match self {
            Self::Rocks(error) => error.as_ref(),
            Self::Corrupt(problem) => problem,
        }
    }
}

impl From<rocksdb::Error> for StoreError {
    fn from(error: rocksdb::Error) -> Self {
        Self::Rocks(error)
    }
}

impl From<ReadError> for StoreError {
    fn from(error: ReadError) -> Self {
        Self::Corrupt(error.0)
    }
}

impl From<StoreError> for ReadError {
    fn from(error: StoreError) -> Self {
        Self(error.to_string())
    }
}

/// The node's database. Cheap to clone; reads from any thread, writes of blocks from one.
#[derive(Clone)]
pub struct Store {
    db: Arc<DB>,
    /// The chain's suite.
    suite: Suite,
    setup: StoreSetup,
    shortage: Arc<Shortage>,
}

impl Store {
    pub(crate) fn get_in(&self, family: &str, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let family = self.family(family)?;
        self.reading(|| Ok(self.db.get_cf(family, key)?))
    }

    /// Reads, and waits while the machine is short of what that takes.
    fn reading<T>(&self, read: impl FnMut() -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.shortage.read(read)
    }

    /// Whether somebody waits because the machine is short of files or memory.
    pub(crate) fn is_short(&self) -> bool {
        self.shortage.is_waited_for()
    }

    /// From `stop` on nobody waits any more.
    pub(crate) async fn wait_until(self, stop: CancellationToken) -> std::io::Result<()> {
        stop.cancelled().await;
        self.end_waiting();
        Ok(())
    }

    /// The process ends: who waits gets an error.
    fn end_waiting(&self) {
        self.shortage.end();
    }

    pub(crate) fn family(&self, name: &str) -> Result<&rocksdb::ColumnFamily, StoreError> {
        self.db.cf_handle(name).ok_or_else(|| StoreError::corrupt(format!("no column family {name}")))
    }

    pub(crate) fn write_synced(&self, batch: WriteBatch) -> Result<(), StoreError> {
        let mut options = WriteOptions::default();
        options.set_sync(true);
        Ok(self.db.write_opt(batch, &options)?)
    }

    /// Puts bytes into a family that nothing there understands.
    #[cfg(test)]
    pub(crate) fn damage(&self, family: &str, key: &[u8]) {
        let mut batch = WriteBatch::default();
        batch.put_cf(self.family(family).unwrap(), key, b"?");
        self.write_synced(batch).unwrap();
    }

    /// Has what is read next come from the disk: what is cached of its tables is given up.
    pub(crate) fn forget_cached(&self) -> std::io::Result<()> {
        self.setup.forget_cached(self.db.path())
    }

    /// What it holds in memory, and how its writes fare.
    pub fn figures(&self) -> StoreFigures {
        self.setup.figures(&self.db, family_names())
    }

    /// Flushes and compacts everything: for figures that do not depend on what was compacted last.
    pub fn compact(&self) -> Result<(), StoreError> {
        for name in family_names() {
            let family = self.family(name)?;
            self.db.flush_cf(family)?;
            self.db.compact_range_cf::<&[u8], &[u8]>(family, None, None);
        }
        Ok(())
    }

    /// Bytes of the live SST files per column family, as they are. What only the write-ahead log has so far is not in them.
    pub fn live_bytes(&self) -> Result<Vec<(String, u64)>, StoreError> {
        let bytes_of = |name: &str| {
            let bytes = self.db.property_int_value_cf(self.family(name)?, "rocksdb.live-sst-files-size")?;
            Ok((name.to_owned(), bytes.unwrap_or(0)))
        };
        family_names().map(bytes_of).collect()
    }

    /// Rows of a state table from `start` on, in key order, at most `limit`, and the height as of which they hold.
    pub fn scan(&self, table: Table, start: &[u8], limit: usize) -> Result<(Height, Vec<Row>), StoreError> {
        let snapshot = self.db.snapshot();
        let (meta, family) = (self.family(Table::Meta.name())?, self.family(table.name())?);
        self.reading(|| {
            let tip = snapshot.get_cf(meta, META_TIP)?;
            let tip = Tip::decode(&tip.ok_or_else(|| StoreError::corrupt("no tip"))?)?;
            let mode = rocksdb::IteratorMode::From(start, rocksdb::Direction::Forward);
            let rows = snapshot.iterator_cf(family, mode).take(limit);
            let row = |(key, value): (Box<[u8]>, Box<[u8]>)| (key.into_vec(), value.into_vec());
            let rows = rows.map(|found| found.map(row).map_err(StoreError::from));
            Ok((tip.height, rows.collect::<Result<_, _>>()?))
        })
    }
}

impl StateRead for Store {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        Ok(self.get_in(table.name(), key)?)
    }

    /// Tables and filters are looked for once for all keys that fall into them.
    fn get_many(&self, table: Table, keys: &[Vec<u8>]) -> Result<Vec<Option<Vec<u8>>>, ReadError> {
        let family = self.family(table.name())?;
        let values = self.reading(|| {
            let values = self.db.batched_multi_get_cf(family, keys, false);
            let owned = values.into_iter().map(|value| Ok(value?.map(|value| value.to_vec())));
            owned.collect::<Result<_, StoreError>>()
        })?;
        Ok(values)
    }
}

impl NodeReader for Store {
    type Error = StoreError;

    fn suite(&self) -> Suite {
        self.suite
    }

    fn node(&self, id: NodeId) -> Result<Hash, StoreError> {
        let bytes = self.get_in(LOG_NODES, &id.to_key())?;
        bytes
            .and_then(|bytes| Hash::from_slice(&bytes))
            .ok_or_else(|| StoreError::corrupt(format!("log node ({}, {}) is missing", id.level, id.index)))
    }
}

/// Reads a big-endian u64 value.
pub(crate) fn read_u64(bytes: &[u8]) -> Result<u64, StoreError> {
    bytes.try_into().map(u64::from_be_bytes).map_err(|_| StoreError::corrupt("an integer has the wrong length"))
}

#[cfg(test)]
mod tests;
