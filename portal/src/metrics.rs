//! The portal's counters and gauges. No label carries a source, a receipt, or anything that somebody typed.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use tallystick_service::tls::DaysLeft;

const LIMITS: [&str; 6] = ["connection_rate", "connections", "requests", "refreshes", "fetches", "documents"];
const OUTCOMES: [&str; 9] =
    ["taken", "refused", "absent", "behind", "unknown_validators", "distrusted", "malformed", "unavailable", "timeout"];

const ISSUER_OUTCOMES: [&str; 3] = ["answered", "refused", "unavailable"];

/// Which of the portal's doors a request came to, and how it was answered.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct RequestLabel {
    door: &'static str,
    status: u16,
}

/// Why a connection or request was turned away.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct LimitLabel {
    limit: &'static str,
}

/// How something ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct OutcomeLabel {
    outcome: &'static str,
}

/// All of them. `docs/ops/metrics-portal.md` says what each means and what to alarm on.
#[derive(Debug, Clone)]
pub(crate) struct PortalMetrics {
    requests: Family<RequestLabel, Counter>,
    turned_away: Family<LimitLabel, Counter>,
    handshakes_failed: Counter,
    pub(crate) connections: Gauge,
    node_answers: Family<OutcomeLabel, Counter>,
    issuer_answers: Family<OutcomeLabel, Counter>,
    pub(crate) cache_hits: Counter,
    pub(crate) cache_bytes: Gauge,
    pub(crate) public_certificate_days_left: DaysLeft,
    pub(crate) tls_certificate_days_left: DaysLeft,
    pub(crate) checkpoint_age_seconds: Gauge<f64, AtomicU64>,
    pub(crate) directory_age_seconds: Gauge<f64, AtomicU64>,
    pub(crate) directory_refused: Gauge,
    seconds: Family<DoorLabel, Histogram, fn() -> Histogram>,
}

/// One of the portal's doors.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct DoorLabel {
    door: &'static str,
}

impl Default for PortalMetrics {
    fn default() -> Self {
        Self {
            requests: Family::default(),
            turned_away: Family::default(),
            handshakes_failed: Counter::default(),
            connections: Gauge::default(),
            node_answers: Family::default(),
            issuer_answers: Family::default(),
            cache_hits: Counter::default(),
            cache_bytes: Gauge::default(),
            public_certificate_days_left: DaysLeft::default(),
            tls_certificate_days_left: DaysLeft::default(),
            checkpoint_age_seconds: Gauge::default(),
            directory_age_seconds: Gauge::default(),
            directory_refused: Gauge::default(),
            seconds: Family::new_with_constructor(|| Histogram::new(exponential_buckets(0.001, 4.0, 8))),
        }
    }
}

impl PortalMetrics {
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        // There from the start with 0, so that an alarm sees the very first event.
        for limit in LIMITS {
            drop(metrics.turned_away.get_or_create(&LimitLabel { limit }));
        }
        for outcome in OUTCOMES {
            drop(metrics.node_answers.get_or_create(&OutcomeLabel { outcome }));
        }
        for outcome in ISSUER_OUTCOMES {
            drop(metrics.issuer_answers.get_or_create(&OutcomeLabel { outcome }));
        }
        let registry = registry.sub_registry_with_prefix("tallystick_portal");
        let m = metrics.clone();
        registry.register("requests", "Requests answered, by door and HTTP status", m.requests);
        registry.register("request_seconds", "From a request's header to its answer's", m.seconds);
        registry.register("turned_away", "Connections and requests above a limit", m.turned_away);
        registry.register("handshakes_failed", "TLS handshakes that failed or took too long", m.handshakes_failed);
        registry.register("connections", "Connections open", m.connections);
        registry.register("node_answers", "Answers of nodes about receipts, by outcome", m.node_answers);
        registry.register("issuer_answers", "Answers of issuers to fetching, by outcome", m.issuer_answers);
        registry.register("refresh_cache_hits", "Questions answered without a node", m.cache_hits);
        registry.register("refresh_cache_bytes", "Bytes of cached answers", m.cache_bytes);
        registry.register(
            "public_certificate_days_left",
            "Days until the certificate that browsers see ends",
            m.public_certificate_days_left,
        );
        registry.register(
            "tls_certificate_days_left",
            "Days until the certificate towards nodes and issuers ends",
            m.tls_certificate_days_left,
        );
        registry.register(
            "checkpoint_age_seconds",
            "Age of the newest checkpoint that a node showed, when it was shown",
            m.checkpoint_age_seconds,
        );
        registry.register(
            "directory_age_seconds",
            "Age of the directory of units that is served; 0 without one",
            m.directory_age_seconds,
        );
        registry.register(
            "directory_refused",
            "1 while the file in the place of the directory of units is not taken",
            m.directory_refused,
        );
        metrics
    }

    pub(crate) fn answered(&self, door: &'static str, status: u16, seconds: f64) {
        self.requests.get_or_create(&RequestLabel { door, status }).inc();
        self.seconds.get_or_create(&DoorLabel { door }).observe(seconds);
    }

    pub(crate) fn turn_away(&self, limit: &'static str) {
        self.turned_away.get_or_create(&LimitLabel { limit }).inc();
    }

    pub(crate) fn handshake_failed(&self) {
        self.handshakes_failed.inc();
    }

    /// `answered`, also with "no match" or a wait; `refused`: the call itself; `unavailable`: no answer came, from nobody or from somebody of another chain.
    pub(crate) fn issuer_answered(&self, outcome: &'static str) {
        self.issuer_answers.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    pub(crate) fn node_answered(&self, outcome: &'static str) {
        self.node_answers.get_or_create(&OutcomeLabel { outcome }).inc();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_operators_table_has_all_of_them() {
        let mut registry = Registry::default();
        let metrics = PortalMetrics::register(&mut registry);
        metrics.answered("page", 200, 0.001);
        metrics.turn_away("source_connections");
        metrics.node_answered("taken");
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        assert!(text.contains("tallystick_portal_requests_total{door=\"page\",status=\"200\"} 1\n"), "{text}");
        let kinds = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
        let shown: BTreeSet<String> = kinds
            .map(|(name, kind)| if kind == "counter" { format!("{name}_total") } else { name.to_owned() })
            .collect();
        let table = include_str!("../../docs/ops/metrics-portal.md");
        let rows = table.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
        assert_eq!(rows.map(|(name, _)| name.to_owned()).collect::<BTreeSet<_>>(), shown);
    }
}
