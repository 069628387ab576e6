//! The issuer's counters and gauges. No label carries a receipt, a unit's payer, or anything personal.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use receipt_core::reason::Reason;
use tallystick_anchoring::metrics::AnchoringMetrics;
use tallystick_proto::errors::{CallReason, ErrorReason};

mod fetching;

pub use fetching::{FetchMetrics, TryAnswer, TryLabel, WayLabel};

/// Why a record was refused.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ReasonLabel {
    /// Stable name.
    pub reason: String,
}

/// What a document is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct FormatLabel {
    /// `pdf`, `ofd`, `xml`, `png` or `slip`.
    pub format: &'static str,
}

/// A key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct KeyLabel {
    /// Its registry number.
    pub key: u32,
}

/// A unit.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct UnitLabel {
    /// The unit's code.
    pub unit_code: String,
}

/// Numbers of one unit and receipt code.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct SegmentLabel {
    /// The unit's code.
    pub unit_code: String,
    /// The receipt code.
    pub receipt_code: u32,
}

type Whole = Gauge<u64, AtomicU64>;
type Seconds = Gauge<f64, AtomicU64>;
/// Days, with their fraction.
pub(crate) type Days = Gauge<f64, AtomicU64>;

/// All of them. `docs/ops/metrics-issuer.md` says what each means and what to alarm on.
#[derive(Debug)]
pub struct IssuerMetrics {
    /// Metrics of anchoring.
    pub anchoring: Arc<AnchoringMetrics>,
    /// Metrics of fetching.
    pub fetching: FetchMetrics,
    receipts_issued: Counter,
    issue_groups: Counter,
    group_drafts: Histogram,
    /// Drafts and reversals that were not taken: nothing was spent.
    calls_refused: Family<ReasonLabel, Counter>,
    /// Records refused on the ledger after they were acknowledged: each needs a person.
    pub records_refused: Family<ReasonLabel, Counter>,
    /// Documents handed out.
    documents_made: Family<FormatLabel, Counter>,
    /// Receipts sealed.
    pub receipts_sealed: Counter,
    /// Receipts acknowledged and not decided.
    pub receipts_pending: Whole,
    /// How long the oldest of them has waited.
    pub oldest_pending_seconds: Seconds,
    /// Numbers not given out yet.
    pub segment_numbers_left: Family<SegmentLabel, Whole>,
    /// 1 where the code that a unit needs next, or needs already, has no numbers.
    pub successor_missing: Family<SegmentLabel, Whole>,
    /// Bodies erased, by name and by age.
    pub bodies_erased: Counter,
    /// 1 while an erasure by age is under way.
    pub erasure_under_way: Whole,
    /// Bodies that it, or the last one, has looked at.
    pub erasure_looked_at: Whole,
    /// When the journal was last checked from end to end, seconds since 1970; 0: not since the start.
    pub journal_check_completed: Seconds,
    /// Faults that this check found.
    pub journal_faults: Whole,
    /// Rows that were checked.
    pub journal_rows_checked: Counter,
    /// Checks that could not go on.
    pub journal_checks_interrupted: Counter,
    /// Until the own TLS certificate ends.
    pub tls_certificate_days_left: Days,
    /// Until this issuer's key ends, if it has an end.
    pub issuer_key_days_left: Family<KeyLabel, Days>,
    /// Until the last key of a unit ends, if it has an end.
    pub unit_key_days_left: Family<UnitLabel, Days>,
}

impl IssuerMetrics {
    /// Registers everything under `tallystick_issuer_`.
    pub fn register(registry: &mut Registry) -> Self {
        let registry = registry.sub_registry_with_prefix("tallystick_issuer");
        let metrics = Self {
            anchoring: Arc::new(AnchoringMetrics::register(registry)),
            fetching: FetchMetrics::register(registry),
            receipts_issued: Counter::default(),
            issue_groups: Counter::default(),
            group_drafts: Histogram::new(exponential_buckets(1.0, 2.0, 13)),
            calls_refused: Family::default(),
            records_refused: Family::default(),
            documents_made: Family::default(),
            receipts_sealed: Counter::default(),
            receipts_pending: Whole::default(),
            oldest_pending_seconds: Seconds::default(),
            segment_numbers_left: Family::default(),
            successor_missing: Family::default(),
            bodies_erased: Counter::default(),
            erasure_under_way: Whole::default(),
            erasure_looked_at: Whole::default(),
            journal_check_completed: Seconds::default(),
            journal_faults: Whole::default(),
            journal_rows_checked: Counter::default(),
            journal_checks_interrupted: Counter::default(),
            tls_certificate_days_left: Days::default(),
            issuer_key_days_left: Family::default(),
            unit_key_days_left: Family::default(),
        };
        metrics.start_at_zero();
        metrics.register_receipts(registry);
        metrics.register_erasures(registry);
        metrics.register_ends(registry);
        metrics.register_check(registry);
        metrics
    }

    /// Every label from the start: an alarm on an increase sees the first event only if the counter was there before it.
    fn start_at_zero(&self) {
        let label = |reason: ErrorReason| ReasonLabel { reason: reason.as_str().to_owned() };
        for reason in Reason::ALL.iter().copied().filter(|reason| *reason != Reason::Replayed) {
            drop(self.calls_refused.get_or_create(&label(reason.into())));
            drop(self.records_refused.get_or_create(&label(reason.into())));
        }
        for reason in CallReason::ALL.iter().copied() {
            drop(self.calls_refused.get_or_create(&label(reason.into())));
        }
    }

    /// Counts a document.
    pub fn document_made(&self, format: &'static str) {
        self.documents_made.get_or_create(&FormatLabel { format }).inc();
    }

    fn register_erasures(&self, registry: &mut Registry) {
        registry.register("bodies_erased", "Bodies erased, by name and by age", self.bodies_erased.clone());
        let under_way = "1 while an erasure by age is under way";
        registry.register("erasure_under_way", under_way, self.erasure_under_way.clone());
        let looked_at = "Bodies that the erasure by age under way, or the last one, has looked at";
        registry.register("erasure_looked_at", looked_at, self.erasure_looked_at.clone());
    }

    /// What ends some day unless somebody renews it.
    fn register_ends(&self, registry: &mut Registry) {
        let days = "Days until this issuer's TLS certificate ends, negative: it has ended";
        registry.register("tls_certificate_days_left", days, self.tls_certificate_days_left.clone());
        let days = "Days until this issuer's key ends, negative: it has ended";
        registry.register("issuer_key_days_left", days, self.issuer_key_days_left.clone());
        let days = "Days until the last key of a unit ends, negative: it has ended";
        registry.register("unit_key_days_left", days, self.unit_key_days_left.clone());
    }

    /// How the journal's bytes are.
    fn register_check(&self, registry: &mut Registry) {
        let completed = "When the journal was last checked from end to end, seconds since 1970; 0: not since the start";
        registry.register("journal_check_completed_seconds", completed, self.journal_check_completed.clone());
        let faults = "Faults that the last complete check of the journal found";
        registry.register("journal_faults", faults, self.journal_faults.clone());
        registry.register("journal_rows_checked", "Rows of the journal checked", self.journal_rows_checked.clone());
        let interrupted = "Checks of the journal that could not go on, and began again later";
        registry.register("journal_checks_interrupted", interrupted, self.journal_checks_interrupted.clone());
    }

    fn register_receipts(&self, registry: &mut Registry) {
        registry.register("receipts_issued", "Receipts durable and acknowledged", self.receipts_issued.clone());
        registry.register("issue_groups", "Synced writes of receipts", self.issue_groups.clone());
        registry.register("issue_group_drafts", "Receipts per synced write", self.group_drafts.clone());
        registry.register("calls_refused", "Drafts and reversals not taken", self.calls_refused.clone());
        registry.register("records_refused", "Records refused on the ledger", self.records_refused.clone());
        registry.register("documents_made", "Documents drawn for callers", self.documents_made.clone());
        registry.register("receipts_sealed", "Receipts sealed", self.receipts_sealed.clone());
        registry.register("receipts_pending", "Receipts acknowledged, not decided", self.receipts_pending.clone());
        let oldest = "Age of the oldest receipt that is not decided";
        registry.register("oldest_pending_seconds", oldest, self.oldest_pending_seconds.clone());
        let left = "Numbers not given out yet, by unit and receipt code";
        registry.register("segment_numbers_left", left, self.segment_numbers_left.clone());
        let missing = "1 where the receipt code that follows, or is due, has no numbers";
        registry.register("successor_missing", missing, self.successor_missing.clone());
    }

    /// Counts one synced write.
    pub fn issued(&self, receipts: usize) {
        self.receipts_issued.inc_by(receipts as u64);
        self.issue_groups.inc();
        self.group_drafts.observe(receipts as f64);
    }

    /// Counts a draft or a reversal that was not taken.
    pub fn refused_call(&self, reason: ErrorReason) {
        self.calls_refused.get_or_create(&ReasonLabel { reason: reason.as_str().to_owned() }).inc();
    }

    /// Counts an acknowledged record that the ledger refused.
    pub fn refused(&self, reason: Reason) {
        self.records_refused.get_or_create(&ReasonLabel { reason: reason.as_str().to_owned() }).inc();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use tallystick_anchoring::metrics::NodeLabel;

    use super::*;

    #[test]
    fn every_metric_has_its_row_in_the_operators_table_and_every_row_its_metric() {
        let mut registry = Registry::default();
        let metrics = IssuerMetrics::register(&mut registry);
        // A metric with labels is shown only once it has a value for one.
        metrics.anchoring.node_in_use.get_or_create(&NodeLabel { node: "n:1".to_owned() }).set(1);
        let label = SegmentLabel { unit_code: "U".to_owned(), receipt_code: 99_060_126 };
        metrics.segment_numbers_left.get_or_create(&label).set(1);
        metrics.successor_missing.get_or_create(&label).set(1);
        metrics.document_made("pdf");
        metrics.issuer_key_days_left.get_or_create(&KeyLabel { key: 1 }).set(1.0);
        metrics.unit_key_days_left.get_or_create(&UnitLabel { unit_code: "U".to_owned() }).set(1.0);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        for at_zero in
            ["calls_refused_total{reason=\"OUTCOME_UNKNOWN\"} 0", "records_refused_total{reason=\"NUMBER_USED\"} 0"]
        {
            assert!(
                text.contains(&format!("tallystick_issuer_{at_zero}\n")),
                "{at_zero} before the first event: {text}"
            );
        }
        let kinds = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
        let shown: BTreeSet<String> = kinds
            .map(|(name, kind)| if kind == "counter" { format!("{name}_total") } else { name.to_owned() })
            .collect();
        let table = include_str!("../../docs/ops/metrics-issuer.md");
        let rows = table.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
        let documented: BTreeSet<String> = rows.map(|(name, _)| name.to_owned()).collect();
        assert_eq!(documented, shown);
    }
}
