//! The node's metrics. Names end in their units; no label holds anything personal.

use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use crate::disk::DiskWatch;
use crate::pool::Pool;
use crate::progress::Progress;

/// Counters that parts increment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Metrics {
    /// Rounds above 0 that started: each cost a timeout.
    pub further_rounds: Counter,
}

/// Gauges read from the parts at each scrape.
struct Gauges {
    pool: Arc<Pool>,
    progress: Arc<Progress>,
    disk: Arc<DiskWatch>,
}

impl std::fmt::Debug for Gauges {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Gauges")
    }
}

impl Collector for Gauges {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let pool = self.pool.size();
        let rows: [(&str, &str, u64); 6] = [
            ("decided_height", "Newest decided height", self.progress.decided_height().get()),
            ("sealed_height", "Newest sealed height", self.progress.sealed_height().get()),
            ("pool_batches", "Batches waiting", pool.batches as u64),
            ("pool_records", "Records waiting", pool.records as u64),
            ("pool_bytes", "Bytes waiting", pool.bytes as u64),
            ("disk_free_bytes", "Free bytes on the data disk", self.disk.free_bytes()),
        ];
        for (name, help, value) in rows {
            let gauge = ConstGauge::<i64>::new(i64::try_from(value).unwrap_or(i64::MAX));
            let metric = encoder.encode_descriptor(name, help, None, gauge.metric_type())?;
            gauge.encode(metric)?;
        }
        Ok(())
    }
}

/// Registers everything under `tallystick_node_…`.
pub(crate) fn registry(metrics: &Metrics, pool: Arc<Pool>, progress: Arc<Progress>, disk: Arc<DiskWatch>) -> Registry {
    let mut registry = Registry::with_prefix("tallystick_node");
    registry.register("further_rounds", "Consensus rounds above 0", metrics.further_rounds.clone());
    registry.register_collector(Box::new(Gauges { pool, progress, disk }));
    registry
}
