//! The issuer's counters and gauges. No label carries a receipt, a unit's payer, or anything personal.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// Why a record was refused.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ReasonLabel {
    /// Stable name.
    pub reason: String,
}

/// All of them.
#[derive(Debug)]
pub struct IssuerMetrics {
    receipts_issued: Counter,
    issue_groups: Counter,
    group_drafts: Histogram,
    /// Records refused on the ledger after they were acknowledged: each needs a person.
    pub records_refused: Family<ReasonLabel, Counter>,
    /// Receipts sealed.
    pub receipts_sealed: Counter,
    /// Batches cut.
    pub batches_cut: Counter,
    /// Batches offered again, to the same or another node.
    pub batches_resubmitted: Counter,
    /// Records waiting for a batch.
    pub outbox_records: Gauge<u64, AtomicU64>,
    /// Batches on their way.
    pub batches_in_flight: Gauge<u64, AtomicU64>,
    /// Last sealed height that was acted on.
    pub followed_height: Gauge<u64, AtomicU64>,
    /// From cut to sealed, seconds.
    pub batch_sealed_seconds: Histogram,
    /// Times a node's answer was not believed.
    pub nodes_distrusted: Counter,
}

impl IssuerMetrics {
    /// Registers everything under `tallystick_issuer_`.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            receipts_issued: Counter::default(),
            issue_groups: Counter::default(),
            group_drafts: Histogram::new(exponential_buckets(1.0, 2.0, 13)),
            records_refused: Family::default(),
            receipts_sealed: Counter::default(),
            batches_cut: Counter::default(),
            batches_resubmitted: Counter::default(),
            outbox_records: Gauge::default(),
            batches_in_flight: Gauge::default(),
            followed_height: Gauge::default(),
            batch_sealed_seconds: Histogram::new(exponential_buckets(0.05, 2.0, 14)),
            nodes_distrusted: Counter::default(),
        };
        let registry = registry.sub_registry_with_prefix("tallystick_issuer");
        registry.register("receipts_issued", "Receipts durable and acknowledged", metrics.receipts_issued.clone());
        registry.register("issue_groups", "Synced writes of receipts", metrics.issue_groups.clone());
        registry.register("issue_group_drafts", "Receipts per synced write", metrics.group_drafts.clone());
        registry.register("records_refused", "Records refused on the ledger", metrics.records_refused.clone());
        registry.register("receipts_sealed", "Receipts sealed", metrics.receipts_sealed.clone());
        registry.register("batches_cut", "Batches cut", metrics.batches_cut.clone());
        registry.register("batches_resubmitted", "Batches offered again", metrics.batches_resubmitted.clone());
        registry.register("outbox_records", "Records waiting for a batch", metrics.outbox_records.clone());
        registry.register("batches_in_flight", "Batches on their way", metrics.batches_in_flight.clone());
        registry.register("followed_height", "Last sealed height acted on", metrics.followed_height.clone());
        registry.register("batch_sealed_seconds", "From cut to sealed", metrics.batch_sealed_seconds.clone());
        registry.register("nodes_distrusted", "Answers of nodes not believed", metrics.nodes_distrusted.clone());
        metrics
    }

    /// Counts one synced write.
    pub fn issued(&self, receipts: usize) {
        self.receipts_issued.inc_by(receipts as u64);
        self.issue_groups.inc();
        self.group_drafts.observe(receipts as f64);
    }

    /// Counts an acknowledged record that the ledger refused.
    pub fn refused(&self, reason: receipt_core::reason::Reason) {
        self.records_refused.get_or_create(&ReasonLabel { reason: reason.as_str().to_owned() }).inc();
    }
}
