//! What a store holds in memory and how its writes fare, for metrics.

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use rocksdb::statistics::Ticker;
use rocksdb::{DB, properties};

use crate::budget::{MemoryBudget, Part};
use crate::setup::StoreSetup;

/// A store at one moment. Bytes, unless said otherwise.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StoreFigures {
    /// The whole cache: blocks, indexes, filters, large values, and what is charged for write buffers.
    pub cache_bytes: u64,
    /// Of these, what is in use right now or never given up: write buffers above all.
    pub pinned_bytes: u64,
    /// Write buffers, those on their way to disk included.
    pub memtable_bytes: u64,
    /// Readers of open tables, which no cache accounts for.
    pub table_reader_bytes: u64,
    /// For how long writes were slowed down or stopped since the store was opened, microseconds.
    pub write_stall_micros: u64,
    /// 1 while writes stand still.
    pub write_stopped: u64,
    /// While writes are slowed down, bytes a second that are let through; else 0.
    pub delayed_write_bytes_per_second: u64,
    /// What compactions still have to rewrite, by RocksDB's estimate.
    pub compaction_pending_bytes: u64,
    /// Tables of the family that has the most at level 0. Writes are slowed down from 20 on and stop at 36.
    pub level0_tables_max: u64,
    /// Flushes under way.
    pub flushes: u64,
    /// Compactions under way.
    pub compactions: u64,
    /// Written since the store was opened: to write-ahead logs.
    pub written_log_bytes: u64,
    /// … by flushes to tables.
    pub written_flush_bytes: u64,
    /// … by compactions to tables.
    pub written_compaction_bytes: u64,
    /// Of what flushes and compactions wrote: to files of large values.
    pub written_blob_bytes: u64,
}

impl StoreSetup {
    /// Measures a store that was opened with this setup. What RocksDB does not say counts as 0.
    pub fn figures<'a>(&self, db: &DB, families: impl Iterator<Item = &'a str>) -> StoreFigures {
        let count = |bytes: usize| u64::try_from(bytes).unwrap_or(u64::MAX);
        let of_all = |name: &rocksdb::properties::PropName| db.property_int_value(name).ok().flatten().unwrap_or(0);
        let ticker = |ticker: Ticker| self.database.get_ticker_count(ticker);
        let mut figures = StoreFigures {
            cache_bytes: count(self.cache.get_usage()),
            pinned_bytes: count(self.cache.get_pinned_usage()),
            memtable_bytes: count(self.write_buffers.get_usage()),
            write_stall_micros: ticker(Ticker::StallMicros),
            write_stopped: of_all(properties::IS_WRITE_STOPPED),
            delayed_write_bytes_per_second: of_all(properties::ACTUAL_DELAYED_WRITE_RATE),
            flushes: of_all(properties::NUM_RUNNING_FLUSHES),
            compactions: of_all(properties::NUM_RUNNING_COMPACTIONS),
            written_log_bytes: ticker(Ticker::WalFileBytes),
            written_flush_bytes: ticker(Ticker::FlushWriteBytes),
            written_compaction_bytes: ticker(Ticker::CompactWriteBytes),
            written_blob_bytes: ticker(Ticker::BlobDbBlobFileBytesWritten),
            ..StoreFigures::default()
        };
        let level0 = properties::num_files_at_level(0);
        for family in families.filter_map(|name| db.cf_handle(name)) {
            let of_family = |name: &rocksdb::properties::PropName| {
                db.property_int_value_cf(family, name).ok().flatten().unwrap_or(0)
            };
            figures.table_reader_bytes += of_family(properties::ESTIMATE_TABLE_READERS_MEM);
            figures.compaction_pending_bytes += of_family(properties::ESTIMATE_PENDING_COMPACTION_BYTES);
            // This is a number as well, but RocksDB gives it only as text.
            let tables = db.property_value_cf(family, &level0).ok().flatten().and_then(|text| text.parse().ok());
            figures.level0_tables_max = figures.level0_tables_max.max(tables.unwrap_or(0));
        }
        figures
    }
}

/// Reads the store; called at each scrape.
pub type Measure = Box<dyn Fn() -> StoreFigures + Send + Sync>;
/// Reads what other parts hold, by the names that they have in the budget; called at each scrape.
pub type MeasureParts = Box<dyn Fn() -> Vec<(&'static str, u64)> + Send + Sync>;

struct StoreCollector {
    budget: Vec<Part>,
    store: Measure,
    parts: MeasureParts,
}

impl std::fmt::Debug for StoreCollector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "StoreCollector({:?})", self.budget)
    }
}

/// Registers `tallystick_memory_…` and `tallystick_store_…` in a registry without prefix. `docs/ops/metrics-store.md` says what each
/// means.
pub fn register(registry: &mut Registry, budget: &MemoryBudget, store: Measure, parts: MeasureParts) {
    registry.register_collector(Box::new(StoreCollector { budget: budget.parts().to_vec(), store, parts }));
}

fn gauge(value: u64) -> ConstGauge<i64> {
    ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX))
}

impl Collector for StoreCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let figures = (self.store)();
        let help = "What a part of the process may hold in memory";
        let mut family = encoder.encode_descriptor("tallystick_memory_budget_bytes", help, None, MetricType::Gauge)?;
        for part in &self.budget {
            gauge(part.bytes_max).encode(family.encode_family(&[("part", part.name)])?)?;
        }
        let help = "What a part of the process holds in memory, as far as it is counted";
        let mut family = encoder.encode_descriptor("tallystick_memory_bytes", help, None, MetricType::Gauge)?;
        for (part, bytes) in (self.parts)().into_iter().chain([
            ("store_cache", figures.cache_bytes),
            ("store_pinned", figures.pinned_bytes),
            ("store_memtables", figures.memtable_bytes),
            ("store_table_readers", figures.table_reader_bytes),
        ]) {
            gauge(bytes).encode(family.encode_family(&[("part", part)])?)?;
        }
        for (name, help, value) in [
            ("tallystick_store_write_stopped", "1 while writes stand still", figures.write_stopped),
            (
                "tallystick_store_delayed_write_bytes_per_second",
                "What is let through while writes are slowed down, else 0",
                figures.delayed_write_bytes_per_second,
            ),
            (
                "tallystick_store_compaction_pending_bytes",
                "What compactions still have to rewrite",
                figures.compaction_pending_bytes,
            ),
            ("tallystick_store_level0_tables_max", "Tables of the fullest level 0", figures.level0_tables_max),
            ("tallystick_store_flushes", "Flushes under way", figures.flushes),
            ("tallystick_store_compactions", "Compactions under way", figures.compactions),
        ] {
            gauge(value).encode(encoder.encode_descriptor(name, help, None, MetricType::Gauge)?)?;
        }
        let stalled = ConstCounter::new(figures.write_stall_micros as f64 / 1e6);
        let help = "Time for which writes were slowed down or stopped";
        stalled.encode(encoder.encode_descriptor(
            "tallystick_store_write_stall_seconds",
            help,
            None,
            MetricType::Counter,
        )?)?;
        let help = "Bytes written to disk";
        let mut family =
            encoder.encode_descriptor("tallystick_store_written_bytes", help, None, MetricType::Counter)?;
        for (by, bytes) in [
            ("log", figures.written_log_bytes),
            ("flush", figures.written_flush_bytes),
            ("compaction", figures.written_compaction_bytes),
            ("blob", figures.written_blob_bytes),
        ] {
            ConstCounter::new(bytes).encode(family.encode_family(&[("by", by)])?)?;
        }
        Ok(())
    }
}
