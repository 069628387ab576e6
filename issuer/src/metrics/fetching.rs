//! What is counted of fetching receipts: how many tries, of which way, with which answer. Nothing of a receipt, a person or a source.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::tries::Lane;

/// A way to try, and what it was answered with.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct TryLabel {
    /// The way.
    pub way: &'static str,
    /// The answer.
    pub answer: &'static str,
}

/// A way to try.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct WayLabel {
    /// The way.
    pub way: &'static str,
}

/// What a try was answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TryAnswer {
    /// The details fit.
    Fits,
    /// They do not, or there is no such receipt.
    NoMatch,
    /// It waits.
    Wait,
    /// Date and amount are asked for.
    GiveMore,
    /// The source has tried too often.
    TooOften,
    /// The issuer could not judge it.
    Failed,
}

impl TryAnswer {
    const ALL: [Self; 6] = [Self::Fits, Self::NoMatch, Self::Wait, Self::GiveMore, Self::TooOften, Self::Failed];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Fits => "fits",
            Self::NoMatch => "no_match",
            Self::Wait => "wait",
            Self::GiveMore => "give_more",
            Self::TooOften => "too_often",
            Self::Failed => "failed",
        }
    }
}

/// Counters and gauges of fetching.
#[derive(Debug)]
pub struct FetchMetrics {
    tries: Family<TryLabel, Counter>,
    wrong_lately: Family<WayLabel, Gauge<f64, AtomicU64>>,
    /// Sources of which something is known.
    pub sources: Gauge<u64, AtomicU64>,
}

impl FetchMetrics {
    /// Registers them; every label is there from the start.
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self { tries: Family::default(), wrong_lately: Family::default(), sources: Gauge::default() };
        for way in Lane::ALL {
            for answer in TryAnswer::ALL {
                drop(metrics.tries.get_or_create(&TryLabel { way: way.as_str(), answer: answer.as_str() }));
            }
            metrics.wrong_lately(way, 0);
        }
        registry.register("fetch_tries", "Tries to fetch a receipt, by way and answer", metrics.tries.clone());
        let wrong = "Wrong tries to fetch receipts, halved each day";
        registry.register("fetch_wrong_lately", wrong, metrics.wrong_lately.clone());
        let sources = "Sources of tries that the journal knows";
        registry.register("fetch_sources", sources, metrics.sources.clone());
        metrics
    }

    /// Counts an answer.
    pub fn answered(&self, way: Lane, answer: TryAnswer) {
        self.tries.get_or_create(&TryLabel { way: way.as_str(), answer: answer.as_str() }).inc();
    }

    /// How many wrong tries there were lately, in thousandths.
    pub(crate) fn wrong_lately(&self, way: Lane, thousandths: u64) {
        self.wrong_lately.get_or_create(&WayLabel { way: way.as_str() }).set(thousandths as f64 / 1_000.0);
    }
}
