//! The node's metrics. Names end in their units; no label holds anything personal.
//!
//! What each means, and at which value somebody must get up: `docs/ops/metrics.md`.

use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use tallystick_service::tls::DaysLeft;
use tallystick_storage::{MemoryBudget, figures};

use crate::api::Services;
use crate::histogram::seconds;
use crate::memory::{ANSWERS, FETCHED, LINKS, POOL, READ, pooled_bytes};
use crate::store_check::CheckMetrics;

/// Counters and histograms that parts write to.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    /// Rounds above 0 that started: each cost a timeout.
    pub further_rounds: Counter,
    /// Proposals that this node was not among the first to vote for.
    pub untimely_proposals: Counter,
    /// Executing a block, own or received.
    pub execute_seconds: Histogram,
    /// The synced write of a decided block.
    pub commit_seconds: Histogram,
    /// 1 while the validator set has this node with keys that it holds.
    pub validator: Gauge,
    /// Until the own TLS certificate ends.
    pub tls_certificate_days_left: DaysLeft,
    /// How the store's bytes are.
    pub store_check: CheckMetrics,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            further_rounds: Counter::default(),
            untimely_proposals: Counter::default(),
            execute_seconds: seconds(),
            commit_seconds: seconds(),
            validator: Gauge::default(),
            tls_certificate_days_left: DaysLeft::default(),
            store_check: CheckMetrics::default(),
        }
    }
}

/// Gauges read from the parts at each scrape.
struct Gauges(Services);

impl std::fmt::Debug for Gauges {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Gauges")
    }
}

impl Gauges {
    /// Seconds: this clock against the others' (negative: behind), and the newest block ahead of it. 0 while nothing is known.
    fn clock_rows(&self) -> [(&'static str, &'static str, f64); 2] {
        let Services { ledger, clocks, .. } = &self.0;
        let set = ledger.next_height().and_then(|height| ledger.validators_at(height));
        let faults_max = set.map(|set| set.faults_max());
        let distance_ms = faults_max.ok().and_then(|faults_max| clocks.distance_ms(faults_max)).unwrap_or(0);
        let tip_ahead_ms = ledger.tip().map_or(0, |tip| clocks.tip_ahead_ms(tip.time));
        [
            (
                "clock_distance_seconds",
                "Clock ahead of f + 1 other validators', negative: behind",
                distance_ms as f64 / 1e3,
            ),
            ("tip_ahead_seconds", "Time of the newest block ahead of the clock", tip_ahead_ms as f64 / 1e3),
        ]
    }

    fn rows(&self) -> [(&'static str, &'static str, u64); 12] {
        let Services { pool, heights, disk, block_streams, evidence, .. } = &self.0;
        let size = pool.size();
        [
            ("decided_height", "Newest decided height", heights.decided_height().get()),
            ("sealed_height", "Newest sealed height", heights.sealed_height().get()),
            ("unsealed_heights", "Decided heights without a quorum's seal", heights.unsealed_heights()),
            ("pool_batches", "Batches waiting", size.batches as u64),
            (
                "pool_early_batches",
                "Batches waiting because their issue time lies too far ahead",
                pool.early_batches() as u64,
            ),
            ("pool_records", "Records waiting", size.records as u64),
            ("pool_bytes", "Bytes waiting or being checked", size.bytes as u64),
            ("block_streams", "Followers of blocks", block_streams.in_use() as u64),
            ("evidence_files", "Files of evidence against other validators", evidence.files() as u64),
            ("disk_free_bytes", "Free bytes on the data disk", disk.free_bytes()),
            ("disk_low_water_bytes", "Free bytes below which no batches are taken", disk.low_water_bytes()),
            ("disk_low", "1 while the disk is below its low-water mark", u64::from(disk.is_low())),
        ]
    }
}

fn gauge(value: u64) -> ConstGauge<i64> {
    ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX))
}

impl Collector for Gauges {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        for (name, help, value) in self.rows() {
            let metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            gauge(value).encode(metric)?;
        }
        for (name, help, value) in self.clock_rows() {
            let metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            ConstGauge::new(value).encode(metric)?;
        }
        let refused = prometheus_client::metrics::counter::ConstCounter::new(self.0.pool.refused_batches());
        let help = "Offered batches that were at fault";
        refused.encode(encoder.encode_descriptor("refused_batches", help, None, MetricType::Counter)?)?;
        let peers = self.0.forwarder.peers();
        let help = "1 while the last call to the validator was answered";
        let mut family = encoder.encode_descriptor("peer_connected", help, None, MetricType::Gauge)?;
        for peer in &peers {
            gauge(u64::from(peer.connected)).encode(family.encode_family(&[("peer", peer.id.get())])?)?;
        }
        let help = "Newest height of which the validator has given its signature lines";
        let mut family = encoder.encode_descriptor("peer_signed_height", help, None, MetricType::Gauge)?;
        for peer in &peers {
            gauge(peer.signed_height.get()).encode(family.encode_family(&[("peer", peer.id.get())])?)?;
        }
        Ok(())
    }
}

/// What every process shows, and everything of a node under `tallystick_node_…`.
pub(crate) fn registry(metrics: &Metrics, services: &Services) -> Registry {
    let mut root = Registry::default();
    tallystick_service::process::register(&mut root, "tallystick-node", env!("CARGO_PKG_VERSION"));
    let registry = root.sub_registry_with_prefix("tallystick_node");
    registry.register("further_rounds", "Consensus rounds above 0", metrics.further_rounds.clone());
    let help = "Proposals that came early, late, or in another round than their own";
    registry.register("untimely_proposals", help, metrics.untimely_proposals.clone());
    let help = "1 while this node is a validator of the next height, 0 while it follows without a vote";
    registry.register("validator", help, metrics.validator.clone());
    let execute = metrics.execute_seconds.clone();
    registry.register("execute_seconds", "Executing a block, own or received", execute);
    registry.register("commit_seconds", "The synced write of a decided block", metrics.commit_seconds.clone());
    let days = "Days until this node's TLS certificate ends, negative: it has ended";
    registry.register("tls_certificate_days_left", days, metrics.tls_certificate_days_left.clone());
    metrics.store_check.register(registry);
    let seal = services.heights.seal_seconds();
    registry.register("seal_seconds", "From the decision of a height to its quorum's seal", seal);
    let found = services.evidence.found();
    registry.register("contradictions", "Contradicting signatures of validators, kept as evidence or not", found);
    let dropped = services.sealer.dropped_lines();
    registry.register("dropped_lines", "Wrong signature lines that were left out of checkpoints", dropped);
    registry.register_collector(Box::new(Gauges(services.clone())));
    root
}

/// Shows the budget of memory, and what is held of it.
pub(crate) fn register_memory(registry: &mut Registry, budget: &MemoryBudget, services: &Services) {
    let store = services.ledger.store.clone();
    let (pool, read, answers) =
        (Arc::clone(&services.pool), services.read_bytes.clone(), services.answer_bytes.clone());
    let network = services.network.clone();
    let parts = move || {
        let count = |bytes: usize| u64::try_from(bytes).unwrap_or(u64::MAX);
        vec![
            (POOL, pooled_bytes(pool.size().bytes)),
            (READ, count(read.in_use())),
            (ANSWERS, count(answers.in_use())),
            (FETCHED, count(network.fetched_bytes())),
            (LINKS, count(network.link_bytes())),
        ]
    };
    figures::register(registry, budget, Box::new(move || store.figures()), Box::new(parts));
}

#[cfg(test)]
mod tests {
    use receipt_core::ids::ValidatorId;
    use receipt_core::testkit::TestChain;

    use super::*;
    use crate::testing::TestNode;

    #[test]
    fn every_metric_of_the_operators_table_is_there() {
        let mut chain = TestChain::new();
        let height = chain.add_block(&[]);
        let node = TestNode::new(&chain, 1);
        node.decide(&chain, height);
        node.services.forwarder.note_signed(ValidatorId::new(2), height);
        let metrics = Metrics::default();
        metrics.further_rounds.inc();
        let registry = registry(&metrics, &node.services);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        for line in [
            "tallystick_node_decided_height 1\n",
            "tallystick_node_sealed_height 0\n",
            "tallystick_node_unsealed_heights 1\n",
            "tallystick_node_further_rounds_total 1\n",
            "tallystick_node_refused_batches_total 0\n",
            "tallystick_node_disk_low 0\n",
            "tallystick_node_evidence_files 0\n",
            "tallystick_node_pool_early_batches 0\n",
            "tallystick_node_clock_distance_seconds 0.0\n",
            "tallystick_node_tip_ahead_seconds 0.0\n",
            "tallystick_node_untimely_proposals_total 0\n",
            "tallystick_node_contradictions_total 0\n",
            "tallystick_node_dropped_lines_total 0\n",
            "tallystick_node_peer_signed_height{peer=\"2\"} 1\n",
            "tallystick_node_peer_connected{peer=\"2\"} 0\n",
        ] {
            assert!(text.contains(line), "{line}{text}");
        }
        node.seal(&chain, height);
        text.clear();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        assert!(text.contains("tallystick_node_seal_seconds_count 1\n"), "{text}");
        let table =
            [include_str!("../../docs/ops/metrics.md"), include_str!("../../docs/ops/metrics-process.md")].concat();
        for name in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
            let name = name.split(' ').next().unwrap();
            assert!(table.contains(&format!("`{name}")), "{name} is in no table of docs/ops");
        }
    }
}
