//! Options of RocksDB: one set for every store of the project.
//!
//! *Memory.* One cache. The write buffers' memory is charged to it, so that blocks give way to them; indexes and filters are cut into
//! partitions and live in it, so that only those in use take room however many keys there are; so do large values.
//!
//! *Standstills.* Every write here is waited for by somebody, and some by a whole chain. Two things make it wait. The disk: a synced write
//! comes after all that was given to the disk before it, such as a table of 64 MiB. Hence small buffers, tables that go to disk as
//! they are written, at a bounded rate, and large values that are never copied again. RocksDB: it stops all writes when a family
//! has filled its last write buffer before the one ahead is on disk (a turn of the logs makes every family begin a new one), or
//! has collected too many small tables. Hence two threads that write buffers out, several buffers a family instead of two, and
//! several compactions at once, but only when one falls behind. And the processor: threads that merge are nicer than all others
//! (`threads`).

use std::fs::File;
use std::io;
use std::path::Path;

use rocksdb::statistics::StatsLevel;
use rocksdb::{
    BlockBasedIndexType, BlockBasedOptions, Cache, DBCompressionType, DBRecoveryMode, LruCacheOptions, Options,
    WriteBufferManager,
};

use crate::budget::StoreShare;
use crate::threads;

/// How a family is used, by which it is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// A few rows, or a few bytes of each receipt.
    Few,
    /// Read in order, or by keys that are there.
    Scans,
    /// Mostly asked for keys that are not there: filters answer.
    LookUps,
    /// Values of kilobytes to megabytes, in the order of their keys: tables are rewritten less often.
    Large,
    /// Large values that do not compress, kept apart from the keys.
    Blobs,
}

/// One partition of an index or a filter: four times what RocksDB takes by itself, so that there are fewer to look for.
const PARTITION_BYTES: usize = 16 * 1024;
/// Share of a write buffer that its filter may take.
const MEMTABLE_BLOOM_RATIO: f64 = 0.02;
/// Values from here on go to blob files.
const BLOB_BYTES_MIN: u64 = 512;
/// RocksDB's own log: files, and the bytes of each.
const LOG_FILES: usize = 4;
const LOG_FILE_BYTES_MAX: usize = 4 * MIB;
/// Write-ahead logs above this make the families that keep the oldest of them write out what they hold.
const LOGS_BYTES_MAX: u64 = 256 * MIB as u64;
/// Background jobs: a quarter of them write buffers out, the rest compact; but only one of the rest until that one falls behind.
const JOBS: i32 = 8;
/// Buffers of one family, the active one included, before its writes stop. The memory of all is bounded by the manager.
const BUFFERS_MAX: i32 = 6;
/// Written-out buffers that are merged at once. Keys are hashes, so each merge rewrites all of the first merged level: half as often with twice as
/// many, and a look-up goes through four more filters.
const MERGED_AT_ONCE: i32 = 8;
/// Write buffers that the first merged level holds.
const LEVEL_BASE_BUFFERS: u64 = 10;
/// What is written to a table goes to disk after so many bytes, not all at the end.
const SYNCED_AFTER_BYTES: u64 = MIB as u64;
/// Interval at which the rate limiter is refilled, in microseconds: often, so that writes do not come in bursts.
const LIMITER_REFILL_MICROS: i64 = 10_000;
/// One of so many portions goes to compactions even if flushes would take all.
const LIMITER_FAIRNESS: i32 = 10;
/// Memory for which one table is kept open: a table's reader takes a few KiB beside the cache.
const BYTES_PER_OPEN_TABLE: u64 = 32 * 1024;
/// RocksDB takes no fewer.
const OPEN_TABLES_MIN: u64 = 20;
const CACHE_SHARD_BITS: i32 = 4;

const MIB: usize = 1024 * 1024;

/// A store's options and what its families share. Clones share the cache, and so the memory.
#[derive(Clone)]
pub struct StoreSetup {
    pub(crate) database: Options,
    pub(crate) cache: Cache,
    pub(crate) write_buffers: WriteBufferManager,
    pub(crate) share: StoreShare,
}

impl std::fmt::Debug for StoreSetup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "StoreSetup({:?})", self.share)
    }
}

impl StoreSetup {
    /// Sets up a store that keeps within `share`.
    pub fn new(share: StoreShare) -> Self {
        threads::start_merging(JOBS - JOBS / 4);
        let mut cache = LruCacheOptions::default();
        cache.set_capacity(share.cache_bytes());
        cache.set_num_shard_bits(CACHE_SHARD_BITS);
        let cache = Cache::new_lru_cache_opts(&cache);
        // Half of the cache at most is write buffers. They do not stall writers when they are over it for a moment: what is
        // charged to the cache makes blocks give way.
        let write_buffers =
            WriteBufferManager::new_write_buffer_manager_with_cache(share.cache_bytes() / 2, false, cache.clone());
        let mut database = Options::default();
        database.set_paranoid_checks(true);
        database.set_write_buffer_manager(&write_buffers);
        database.set_max_background_jobs(JOBS);
        database.set_max_total_wal_size(LOGS_BYTES_MAX);
        database.set_bytes_per_sync(SYNCED_AFTER_BYTES);
        let table_rate = i64::try_from(share.table_bytes_per_second).unwrap_or(i64::MAX);
        database.set_ratelimiter(table_rate, LIMITER_REFILL_MICROS, LIMITER_FAIRNESS);
        database.set_keep_log_file_num(LOG_FILES);
        database.set_max_log_file_size(LOG_FILE_BYTES_MAX);
        // RocksDB would log a table of every family every ten minutes. The metrics have these figures.
        database.set_stats_dump_period_sec(0);
        database.set_max_open_files(open_tables(share));
        database.enable_statistics();
        database.set_statistics_level(StatsLevel::ExceptHistogramOrTimers);
        Self { database, cache, write_buffers, share }
    }

    /// Options of the database.
    pub fn database(&self, recovery: DBRecoveryMode) -> Options {
        let mut options = self.database.clone();
        options.set_wal_recovery_mode(recovery);
        options
    }

    /// Options of a family.
    pub fn family(&self, access: Access) -> Options {
        let mut options = Options::default();
        options.set_compression_type(DBCompressionType::Lz4);
        options.set_max_write_buffer_number(BUFFERS_MAX);
        let buffer_bytes = self.buffer_bytes(access);
        options.set_write_buffer_size(buffer_bytes);
        options.set_level_zero_file_num_compaction_trigger(MERGED_AT_ONCE);
        // About as much as is merged into it at once: with RocksDB's 256 MiB, small buffers would have it rewritten again and again.
        options.set_max_bytes_for_level_base(LEVEL_BASE_BUFFERS * u64::try_from(buffer_bytes).unwrap_or(u64::MAX / 8));
        let mut table = self.table();
        match access {
            Access::Few | Access::Scans => {}
            Access::LookUps => {
                table.set_bloom_filter(10.0, false);
                table.set_partition_filters(true);
                // Without these, each look-up walks the list of everything written lately.
                options.set_memtable_prefix_bloom_ratio(MEMTABLE_BLOOM_RATIO);
                options.set_memtable_whole_key_filtering(true);
            }
            Access::Large => options.set_target_file_size_base(128 * MIB as u64),
            Access::Blobs => {
                options.set_compression_type(DBCompressionType::None);
                options.set_enable_blob_files(true);
                options.set_min_blob_size(BLOB_BYTES_MIN);
                // Not collected: each compaction would copy the oldest quarter of all values once more, and more of them the more there are.
                // Nothing overwrites a value. A file goes once nothing in it is live.
                options.set_enable_blob_gc(false);
                options.set_blob_cache(&self.cache);
            }
        }
        options.set_block_based_table_factory(&table);
        options
    }

    /// Has what is read next of the store in this directory come from the disk: cache and operating system give up what they hold of its tables
    /// and blob files. What is in use at this moment, what open tables pin (their top indexes) and pages not written yet stay.
    pub fn forget_cached(&self, directory: &Path) -> io::Result<()> {
        let mut cache = self.cache.clone();
        cache.set_capacity(0);
        cache.set_capacity(self.share.cache_bytes());
        for entry in std::fs::read_dir(directory)? {
            let path = entry?.path();
            if !path.extension().is_some_and(|extension| extension == "sst" || extension == "blob") {
                continue;
            }
            match File::open(&path) {
                // This is advice to the system; a file system may ignore it.
                Ok(file) => drop(rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed)),
                // The file was merged into another one since the directory was listed.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// One write buffer. The busy families' own buffers fill before the manager's bound is reached: it would write out the
    /// oldest, which are the tiniest.
    fn buffer_bytes(&self, access: Access) -> usize {
        let all = self.share.cache_bytes() / 2;
        match access {
            Access::Few => (all / 32).clamp(MIB / 2, 4 * MIB),
            Access::Scans => (all / 12).clamp(MIB / 2, 16 * MIB),
            Access::LookUps | Access::Large | Access::Blobs => (all / 6).clamp(MIB, 64 * MIB),
        }
    }

    fn table(&self) -> BlockBasedOptions {
        let mut table = BlockBasedOptions::default();
        table.set_block_cache(&self.cache);
        table.set_format_version(6);
        table.set_index_type(BlockBasedIndexType::TwoLevelIndexSearch);
        table.set_metadata_block_size(PARTITION_BYTES);
        table.set_cache_index_and_filter_blocks(true);
        table.set_cache_index_and_filter_blocks_with_high_priority(true);
        table.set_pin_l0_filter_and_index_blocks_in_cache(true);
        table.set_pin_top_level_index_and_filter(true);
        table
    }
}

/// Tables that may be open at once.
pub(crate) fn open_tables(share: StoreShare) -> i32 {
    let tables = share.files.min(share.bytes / BYTES_PER_OPEN_TABLE).max(OPEN_TABLES_MIN);
    i32::try_from(tables).unwrap_or(i32::MAX)
}
