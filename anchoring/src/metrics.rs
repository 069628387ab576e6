//! Counters and gauges of anchoring. The owner registers them under its own prefix. No label carries anything of a record.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// A validator.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct NodeLabel {
    /// `host:port`.
    pub node: String,
}

type Whole = Gauge<u64, AtomicU64>;
type Seconds = Gauge<f64, AtomicU64>;

/// All of them. The owner's table in `docs/ops` says what each means and what to alarm on.
#[derive(Debug)]
pub struct AnchoringMetrics {
    /// Batches cut.
    pub batches_cut: Counter,
    /// Batches offered again, to the same or another node.
    pub batches_resubmitted: Counter,
    /// Records waiting for a batch.
    pub outbox_records: Whole,
    /// Records waiting for their issue time.
    pub outbox_early_records: Whole,
    /// Records waiting for a batch whose rows cannot be read.
    pub outbox_unreadable_records: Whole,
    /// Batches that are not offered, because a record of theirs cannot be read.
    pub batches_unreadable: Whole,
    /// Batches offered and not decided yet.
    pub batches_in_flight: Whole,
    /// Of them, those that no node takes any more, because their key has ended.
    pub batches_without_key: Whole,
    /// Last sealed height that was acted on.
    pub followed_height: Whole,
    /// From cut to sealed, seconds.
    pub batch_sealed_seconds: Histogram,
    /// Times a node's answer was not believed.
    pub nodes_distrusted: Counter,
    /// 1 for the node that is tried first.
    pub node_in_use: Family<NodeLabel, Whole>,
    /// Times another node became the first.
    pub node_fail_overs: Counter,
    /// How far this machine's clock is ahead of the quorum's time; negative: behind.
    pub clock_distance_seconds: Seconds,
}

impl AnchoringMetrics {
    /// Registers all of them in a registry that bears the owner's prefix.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            batches_cut: Counter::default(),
            batches_resubmitted: Counter::default(),
            outbox_records: Whole::default(),
            outbox_early_records: Whole::default(),
            outbox_unreadable_records: Whole::default(),
            batches_unreadable: Whole::default(),
            batches_in_flight: Whole::default(),
            batches_without_key: Whole::default(),
            followed_height: Whole::default(),
            batch_sealed_seconds: Histogram::new(exponential_buckets(0.05, 2.0, 14)),
            nodes_distrusted: Counter::default(),
            node_in_use: Family::default(),
            node_fail_overs: Counter::default(),
            clock_distance_seconds: Seconds::default(),
        };
        registry.register("batches_cut", "Batches cut", metrics.batches_cut.clone());
        registry.register("batches_resubmitted", "Batches offered again", metrics.batches_resubmitted.clone());
        registry.register("outbox_records", "Records waiting for a batch", metrics.outbox_records.clone());
        let early = "Records issued too far ahead of the validators' time, waiting for it";
        registry.register("outbox_early_records", early, metrics.outbox_early_records.clone());
        let unreadable = "Records waiting for a batch whose rows cannot be read";
        registry.register("outbox_unreadable_records", unreadable, metrics.outbox_unreadable_records.clone());
        let grounded = "Undecided batches that are not offered, because a record of theirs cannot be read";
        registry.register("batches_unreadable", grounded, metrics.batches_unreadable.clone());
        registry.register("batches_in_flight", "Batches on their way", metrics.batches_in_flight.clone());
        let waiting = "Batches that wait to be signed anew, because their key has ended";
        registry.register("batches_without_key", waiting, metrics.batches_without_key.clone());
        registry.register("followed_height", "Last sealed height acted on", metrics.followed_height.clone());
        registry.register("batch_sealed_seconds", "From cut to sealed", metrics.batch_sealed_seconds.clone());
        registry.register("nodes_distrusted", "Answers of nodes not believed", metrics.nodes_distrusted.clone());
        registry.register("node_in_use", "1 for the node that is tried first", metrics.node_in_use.clone());
        registry.register("node_fail_overs", "Times another node became the first", metrics.node_fail_overs.clone());
        let distance = "Clock ahead of the validators' time, negative: behind";
        registry.register("clock_distance_seconds", distance, metrics.clock_distance_seconds.clone());
        metrics
    }
}
