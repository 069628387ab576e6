//! Creating and opening the database, and what it may use.
//!
//! Budgets: half of the process's open files, the rest being for connections; one cache for blocks, indexes and filters of all
//! families, whose indexes and filters are partitioned, so that only the parts in use take room however many keys there are; and
//! [`LOG_BYTES_MAX`] for RocksDB's own log.

use std::path::Path;
use std::sync::Arc;

use receipt_core::genesis::Genesis;
use receipt_core::state::genesis_effects;
use receipt_core::state::tables::Table;
use rocksdb::{
    BlockBasedIndexType, BlockBasedOptions, Cache, ColumnFamilyDescriptor, DB, DBCompressionType, DBRecoveryMode,
    Options,
};
use rustix::process::{Resource, getrlimit};
use tallystick_service::disk_fault::DiskFault;

use super::{FAMILIES, FORMAT_VERSION, NODE, Store, StoreError, WAY_OF_DAMAGE};

/// Share of a write buffer that its filter may take.
const MEMTABLE_BLOOM_RATIO: f64 = 0.02;

/// Why a directory can not be opened or created as a node's store.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// `init` would overwrite something.
    #[error("{path} exists already; `init` only makes new directories. To start over, move it away first")]
    Exists {
        /// The directory.
        path: String,
    },
    /// There is no store.
    #[error("{path} holds no node store; create one with `tallystick-node init`")]
    Missing {
        /// The directory.
        path: String,
    },
    /// Made by a newer program.
    #[error("{path} has format {found}, this program reads up to {FORMAT_VERSION}; run the newer program")]
    Newer {
        /// The directory.
        path: String,
        /// Its format.
        found: u32,
    },
    /// The store of another chain.
    #[error(
        "{path} belongs to chain {found}, the configured genesis is chain {expected}; check `data_dir` and `genesis_file`"
    )]
    Foreign {
        /// The directory.
        path: String,
        /// Its chain id.
        found: String,
        /// The genesis file's.
        expected: String,
    },
    /// Torn or damaged.
    #[error("{path} is damaged: {problem}. What to do: {WAY_OF_DAMAGE}")]
    Damaged {
        /// The directory.
        path: String,
        /// What is wrong.
        problem: String,
    },
    /// The operating system does not let the database in; nothing says that it is damaged.
    #[error("{path} can not be opened: {problem}. What to do: {way}")]
    Blocked {
        /// The directory.
        path: String,
        /// What the system said.
        problem: String,
        /// The way out.
        way: &'static str,
    },
    /// Genesis can not be executed.
    #[error("the genesis file can not be executed: {0}")]
    Genesis(String),
}

/// Tables that are open at once, at least and at most: the latter are a terabyte of them.
const OPEN_FILES: [u64; 2] = [64, 16_384];
const CACHE_BYTES: usize = 256 * 1024 * 1024;
/// One partition of an index or a filter.
const PARTITION_BYTES: usize = 4096;
/// RocksDB's own log files, and the bytes of each.
const LOG_FILES: usize = 4;
const LOG_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Of the files that the process may open, those for tables. `None`: without a bound.
fn open_files(limit: Option<u64>) -> i32 {
    let [least, most] = OPEN_FILES;
    let half = limit.map_or(most, |limit| (limit / 2).clamp(least, most));
    i32::try_from(half).unwrap_or(i32::MAX)
}

fn options(recovery: DBRecoveryMode) -> Options {
    let mut options = Options::default();
    options.set_paranoid_checks(true);
    options.set_wal_recovery_mode(recovery);
    options.set_max_background_jobs(2);
    options.set_db_write_buffer_size(128 * 1024 * 1024);
    options.set_max_total_wal_size(256 * 1024 * 1024);
    options.set_keep_log_file_num(LOG_FILES);
    options.set_max_log_file_size(LOG_BYTES_MAX / LOG_FILES);
    // A database that can not open its files is fatal.
    options.set_max_open_files(open_files(getrlimit(Resource::Nofile).current));
    options
}

/// Point lookups by hash-like keys want a filter; blocks want compression and no filter.
fn family_options(name: &str, cache: &Cache) -> Options {
    let mut options = Options::default();
    let mut table = BlockBasedOptions::default();
    table.set_block_cache(cache);
    table.set_bloom_filter(10.0, false);
    table.set_format_version(6);
    table.set_index_type(BlockBasedIndexType::TwoLevelIndexSearch);
    table.set_partition_filters(true);
    table.set_metadata_block_size(PARTITION_BYTES);
    table.set_cache_index_and_filter_blocks(true);
    table.set_cache_index_and_filter_blocks_with_high_priority(true);
    table.set_pin_l0_filter_and_index_blocks_in_cache(true);
    table.set_pin_top_level_index_and_filter(true);
    options.set_block_based_table_factory(&table);
    // Most lookups ask whether a key is new. Without these, each walks the list of everything written lately.
    options.set_memtable_prefix_bloom_ratio(MEMTABLE_BLOOM_RATIO);
    options.set_memtable_whole_key_filtering(true);
    options.set_compression_type(DBCompressionType::Lz4);
    if name == super::BLOCKS || name == super::UNDECIDED {
        // Large values: fewer rewrites of them.
        options.set_target_file_size_base(128 * 1024 * 1024);
    }
    options
}

fn families() -> impl Iterator<Item = ColumnFamilyDescriptor> {
    let names = FAMILIES.into_iter().chain(Table::ALL.map(Table::name)).chain([rocksdb::DEFAULT_COLUMN_FAMILY_NAME]);
    // One cache: what is read often takes it, in whatever family it lies.
    let cache = Cache::new_lru_cache(CACHE_BYTES);
    names.map(move |name| ColumnFamilyDescriptor::new(name, family_options(name, &cache)))
}

impl Store {
    /// Creates a store with block 0 in it. The directory must not exist.
    pub fn init(path: &Path, genesis: &Genesis) -> Result<Self, OpenError> {
        let shown = path.display().to_string();
        if path.exists() {
            return Err(OpenError::Exists { path: shown });
        }
        let effects = genesis_effects(genesis).map_err(|error| OpenError::Genesis(error.to_string()))?;
        let damaged =
            |error: StoreError| OpenError::Damaged { path: shown.clone(), problem: error.problem().to_owned() };
        let mut options = options(DBRecoveryMode::AbsoluteConsistency);
        options.create_if_missing(true);
        options.create_missing_column_families(true);
        let db = DB::open_cf_descriptors(&options, path, families()).map_err(|error| refusal(path, &error))?;
        let store = Self { db: Arc::new(db), suite: genesis.suite };
        store.commit_genesis(genesis, &effects).map_err(damaged)?;
        Ok(store)
    }

    /// Opens a store that `init` made for this genesis.
    pub fn open(path: &Path, genesis: &Genesis) -> Result<Self, OpenError> {
        Self::open_by(path, genesis, open_to_a_point_in_time)
    }

    /// The same, to look at only: nothing in the directory changes, not even its log. For a store that no process has open.
    pub fn open_read_only(path: &Path, genesis: &Genesis) -> Result<Self, OpenError> {
        Self::open_by(path, genesis, |path| {
            let options = options(DBRecoveryMode::PointInTime);
            let db = DB::open_cf_descriptors_read_only(&options, path, families(), false);
            Ok((db.map_err(|error| refusal(path, &error))?, None))
        })
    }

    fn open_by(
        path: &Path,
        genesis: &Genesis,
        open: impl FnOnce(&Path) -> Result<(DB, Option<String>), OpenError>,
    ) -> Result<Self, OpenError> {
        let shown = path.display().to_string();
        if let Err(error) = std::fs::metadata(path.join("CURRENT")) {
            return Err(match DiskFault::of_io(&error).and_then(DiskFault::way) {
                Some(way) => OpenError::Blocked { path: shown, problem: error.to_string(), way },
                None => OpenError::Missing { path: shown },
            });
        }
        let damaged = |problem: String| OpenError::Damaged { path: shown.clone(), problem };
        let (db, torn) = open(path)?;
        let store = Self { db: Arc::new(db), suite: genesis.suite };
        let mark = |name: &str| {
            let value = store.get_in(NODE, name.as_bytes()).map_err(|error| damaged(error.problem().to_owned()))?;
            value.ok_or_else(|| damaged(format!("its mark `{name}` is missing")))
        };
        let format = mark("format")?.try_into().map(u32::from_be_bytes);
        let format = format.map_err(|_| damaged("its format mark is torn".into()))?;
        if format > FORMAT_VERSION {
            return Err(OpenError::Newer { path: shown, found: format });
        }
        let chain = mark("chain")?;
        let expected = genesis.chain_id();
        if chain != expected.0.as_bytes() {
            return Err(OpenError::Foreign { path: shown, found: hex(&chain), expected: expected.0.to_string() });
        }
        store.check_tip().map_err(|error| damaged(error.problem().to_owned()))?;
        if let Some(problem) = torn {
            let height = store.tip().map_err(|error| damaged(error.problem().to_owned()))?.height;
            tracing::warn!(path = shown, problem, %height, "the store's newest writes were torn and are dropped, as a power cut leaves them; what lacks comes from the peers");
        }
        Ok(store)
    }
}

/// Opens the database. If the newest writes of its log are torn, it is opened as it was before the first of them, and what is
/// wrong is returned.
///
/// Every write is synced before the next one begins, so that only the last can be torn, in whatever way the disk leaves its pages. Should the
/// disk have lost more, the store is older than it was, but still of one moment: nothing after a gap is taken. This is
/// safe, because what this validator has said stands in the guard: behind it, the node follows its peers.
pub(super) fn open_to_a_point_in_time(path: &Path) -> Result<(DB, Option<String>), OpenError> {
    let open = |recovery| DB::open_cf_descriptors(&options(recovery), path, families());
    let error = match open(DBRecoveryMode::AbsoluteConsistency) {
        Ok(db) => return Ok((db, None)),
        Err(error) => error,
    };
    if DiskFault::of_text(error.as_ref(), path) != DiskFault::Damaged {
        return Err(refusal(path, &error));
    }
    let db = open(DBRecoveryMode::PointInTime).map_err(|error| refusal(path, &error))?;
    Ok((db, Some(error.into_string())))
}

/// A full disk and a second process are told apart from damage: whoever makes a new store for them does harm.
fn refusal(path: &Path, error: &rocksdb::Error) -> OpenError {
    let (shown, problem) = (path.display().to_string(), error.to_string());
    match DiskFault::of_text(&problem, path).way() {
        Some(way) => OpenError::Blocked { path: shown, problem, way },
        None => OpenError::Damaged { path: shown, problem },
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_take_half_of_the_files_that_the_process_may_open() {
        for (limit, expected) in [
            (Some(0), 64),
            (Some(256), 128),
            (Some(1024), 512),
            (Some(4096), 2048),
            (Some(1_048_576), 16_384),
            (None, 16_384),
        ] {
            assert_eq!(open_files(limit), expected, "{limit:?}");
        }
    }
}
