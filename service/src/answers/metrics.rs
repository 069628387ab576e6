//! How long calls take, and why they are refused. Every label exists from the start, so that an alarm on an increase sees the
//! first event. Labels are methods and reasons, nothing that a caller chooses.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use receipt_core::reason::Reason;
use tallystick_proto::errors::{CallReason, ErrorReason};

use crate::authorization::METHOD_RULES;

/// A call that is in no row of the table of methods.
const OTHER: &str = "other";

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct MethodLabel {
    method: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabel {
    reason: &'static str,
}

/// Times and refusals of a server's calls.
#[derive(Debug, Clone)]
pub struct CallMetrics {
    seconds: Family<MethodLabel, Histogram, fn() -> Histogram>,
    refused: Family<ReasonLabel, Counter>,
    methods: Vec<&'static str>,
}

impl CallMetrics {
    /// Registers `tallystick_grpc_…` in a registry without prefix, for a server of these services (`package.Service`).
    pub fn register(registry: &mut Registry, services: &[&str]) -> Self {
        let served = METHOD_RULES.iter().map(|rule| rule.path.trim_start_matches('/'));
        let served = served.filter(|path| path.split_once('/').is_some_and(|(service, _)| services.contains(&service)));
        let metrics = Self {
            seconds: Family::new_with_constructor(|| Histogram::new(exponential_buckets(0.000_5, 2.0, 18))),
            refused: Family::default(),
            methods: served.collect(),
        };
        for method in metrics.methods.iter().copied().chain([OTHER]) {
            drop(metrics.seconds.get_or_create(&MethodLabel { method }));
        }
        let core = Reason::ALL.iter().copied().filter(|reason| *reason != Reason::Replayed).map(ErrorReason::Core);
        for reason in core.chain(CallReason::ALL.iter().copied().map(ErrorReason::Call)) {
            drop(metrics.refused.get_or_create(&ReasonLabel { reason: reason.as_str() }));
        }
        let registry = registry.sub_registry_with_prefix("tallystick_grpc");
        registry.register("call_seconds", "Until the answer, or its first part, by method", metrics.seconds.clone());
        registry.register("calls_refused", "Calls refused, by reason", metrics.refused.clone());
        metrics
    }

    /// A call was answered, well or not.
    pub(super) fn answered(&self, path: &str, took: Duration) {
        let path = path.trim_start_matches('/');
        let method = self.methods.iter().copied().find(|method| *method == path).unwrap_or(OTHER);
        self.seconds.get_or_create(&MethodLabel { method }).observe(took.as_secs_f64());
    }

    /// A call was refused.
    pub(super) fn refused(&self, reason: ErrorReason) {
        self.refused.get_or_create(&ReasonLabel { reason: reason.as_str() }).inc();
    }
}
