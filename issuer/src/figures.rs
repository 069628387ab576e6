//! What an issuer measures once a second for `/metrics`, besides what anchoring measures.
//!
//! Not here: counters, which the parts count themselves as things happen (`metrics`).

use std::collections::HashSet;
use std::sync::Arc;

use tallystick_anchoring::figures::Pending;

use crate::journal::{Journal, JournalError, ReceiptReads as _};
use crate::metrics::{IssuerMetrics, SegmentLabel};
use crate::registry::Registry;

/// Numbers left are counted at every so many measurements.
const SEGMENTS_EVERY: u64 = 15;

/// What is measured.
pub struct FiguresParts {
    /// Which numbers are used.
    pub journal: Arc<Journal>,
    /// Leased segments.
    pub registry: Arc<Registry>,
    /// Where it is shown.
    pub metrics: Arc<IssuerMetrics>,
}

/// Measures.
pub struct Figures {
    parts: FiguresParts,
    measured: u64,
    segments_told: HashSet<SegmentLabel>,
}

impl Figures {
    /// Nothing measured yet.
    pub fn new(parts: FiguresParts) -> Self {
        Self { parts, measured: 0, segments_told: HashSet::new() }
    }

    /// Measures everything once. An error is fatal to the process.
    pub fn measure(&mut self, pending: Pending) -> Result<(), JournalError> {
        let metrics = &self.parts.metrics;
        metrics.receipts_pending.set(pending.records);
        metrics.oldest_pending_seconds.set(pending.oldest_ms as f64 / 1000.0);
        if self.measured.is_multiple_of(SEGMENTS_EVERY) {
            self.measure_segments()?;
        }
        self.measured = self.measured.wrapping_add(1);
        Ok(())
    }

    fn measure_segments(&mut self) -> Result<(), JournalError> {
        let FiguresParts { journal, registry, metrics, .. } = &self.parts;
        let view = registry.view();
        let mut told = HashSet::new();
        for (unit, receipt_code, segments) in view.all_segments() {
            let mut left: u64 = 0;
            for segment in segments {
                let next = journal.next_number(segment.id)?.unwrap_or(segment.first);
                left = left.saturating_add(segment.last.saturating_add(1).saturating_sub(next));
            }
            let unit_code = view.unit(unit).map(|unit| unit.code.clone()).unwrap_or_default();
            let label = SegmentLabel { unit_code, receipt_code };
            metrics.segment_numbers_left.get_or_create(&label).set(left);
            told.insert(label);
        }
        for gone in self.segments_told.difference(&told) {
            metrics.segment_numbers_left.remove(gone);
        }
        self.segments_told = told;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use receipt_core::testkit::TestChain;
    use tallystick_anchoring::metrics::NodeLabel;
    use tallystick_anchoring::nodes::Nodes;
    use tallystick_anchoring::testkit::ledger::dead_channel;
    use tallystick_service::clock::Clock as _;

    use super::*;
    use crate::testing::{TestIssuer, draft, init, offered};

    #[tokio::test]
    async fn what_waits_and_what_is_left_is_measured() {
        let dir = tempfile::tempdir().unwrap();
        let mut chain = TestChain::new();
        let mut issuer = TestIssuer::start(init(dir.path(), &chain), &chain, 1);
        let channels = (0..2).map(|number| (format!("node-{number}"), dead_channel())).collect();
        let nodes = Arc::new(Nodes::over(channels, Duration::from_secs(1)));
        let metrics = Arc::clone(&issuer.metrics);
        let mut figures = Figures::new(FiguresParts {
            journal: Arc::clone(&issuer.journal),
            registry: Arc::clone(&issuer.registry),
            metrics: Arc::clone(&metrics),
        });
        let anchored = tallystick_anchoring::figures::Figures {
            desk: issuer.desk.clone(),
            nodes: Arc::clone(&nodes),
            quorum_time: Arc::clone(&issuer.quorum_time),
            clock: issuer.clock.clone(),
        };
        let mut measure = || figures.measure(anchored.measure().unwrap()).unwrap();
        let now = issuer.clock.now();
        issuer.quorum_time.observe(receipt_core::note::PosixSeconds::new(now.seconds()));
        let first = draft(&mut chain, "S01", "A");
        let code = first.receipt_code.get();
        let label = SegmentLabel { unit_code: first.unit_code.clone(), receipt_code: code };
        measure();
        let all_numbers = metrics.segment_numbers_left.get_or_create(&label).get();
        assert!(all_numbers > 0);
        assert_eq!((metrics.receipts_pending.get(), metrics.oldest_pending_seconds.get()), (0, 0.0));

        // One in flight, and seven seconds later two that wait.
        issuer.issue_new(first);
        let (_, request) = issuer.cut();
        issuer.clock.advance_ms(7_000);
        issuer.issue_new(draft(&mut chain, "S01", "B"));
        issuer.issue_new(draft(&mut chain, "S01", "C"));
        nodes.avoid(0);
        for _ in 0..SEGMENTS_EVERY {
            measure();
        }
        assert_eq!((metrics.receipts_pending.get(), metrics.anchoring.outbox_records.get()), (3, 2));
        assert_eq!(metrics.anchoring.batches_in_flight.get(), 1);
        assert_eq!(metrics.oldest_pending_seconds.get(), 7.0);
        assert_eq!(metrics.anchoring.clock_distance_seconds.get(), 7.0 + (now.get() % 1000) as f64 / 1000.0);
        assert_eq!(metrics.segment_numbers_left.get_or_create(&label).get(), all_numbers - 3);
        let in_use =
            |node: &str| metrics.anchoring.node_in_use.get_or_create(&NodeLabel { node: node.to_owned() }).get();
        assert_eq!((in_use("node-0"), in_use("node-1"), metrics.anchoring.node_fail_overs.get()), (0, 1, 1));

        // Once the first is sealed, the others are the oldest.
        chain.add_items(vec![offered(&request)]).unwrap();
        issuer.follow(&chain);
        issuer.clock.advance_ms(1_000);
        measure();
        assert_eq!((metrics.receipts_pending.get(), metrics.oldest_pending_seconds.get()), (2, 1.0));
    }
}
