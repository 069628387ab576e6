//! What is measured once a second for `/metrics`, from the journal and from what is in memory.
//!
//! Not here: counters, which the parts count themselves as things happen (`metrics`).

use std::collections::HashSet;
use std::sync::Arc;

use receipt_core::batch::SignedBatchHeader;
use receipt_core::ids::{ReceiptKey, UnixMillis};
use receipt_core::record::SignedRecord;
use tallystick_service::clock::Clock;

use crate::backlog::Backlog;
use crate::flight::Flight;
use crate::journal::{Journal, JournalError};
use crate::metrics::{IssuerMetrics, NodeLabel, SegmentLabel};
use crate::nodes::Nodes;
use crate::quorum_time::QuorumTime;
use crate::registry::Registry;

/// Numbers left are counted at every so many measurements.
const SEGMENTS_EVERY: u64 = 15;

/// What is measured.
pub struct FiguresParts {
    /// What waits, and which numbers are used.
    pub journal: Arc<Journal>,
    /// Leased segments.
    pub registry: Arc<Registry>,
    /// What waits for a batch.
    pub backlog: Arc<Backlog>,
    /// What is on its way.
    pub flight: Arc<Flight>,
    /// Which of them is in use.
    pub nodes: Arc<Nodes>,
    /// How far the clock is from it.
    pub quorum_time: Arc<QuorumTime>,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// Where it is shown.
    pub metrics: Arc<IssuerMetrics>,
}

/// Measures.
pub struct Figures {
    parts: FiguresParts,
    measured: u64,
    fail_overs_told: u64,
    segments_told: HashSet<SegmentLabel>,
}

impl Figures {
    /// Nothing measured yet.
    pub fn new(parts: FiguresParts) -> Self {
        Self { parts, measured: 0, fail_overs_told: 0, segments_told: HashSet::new() }
    }

    /// Measures everything once. An error is fatal to the process.
    pub fn measure(&mut self) -> Result<(), JournalError> {
        let FiguresParts { backlog, flight, quorum_time, clock, metrics, .. } = &self.parts;
        metrics.outbox_records.set(backlog.records());
        metrics.batches_in_flight.set(flight.count() as u64);
        metrics.outbox_early_records.set(backlog.early());
        let waiting = backlog.records().saturating_add(backlog.early());
        metrics.receipts_pending.set(waiting.saturating_add(flight.records()));
        let now = clock.now();
        let oldest = self.oldest_pending()?.map_or(0, |oldest| now.get().saturating_sub(oldest.get()));
        metrics.oldest_pending_seconds.set(oldest as f64 / 1000.0);
        if let Some(distance) = quorum_time.distance_ms(now) {
            metrics.clock_distance_seconds.set(distance as f64 / 1000.0);
        }
        self.measure_nodes();
        if self.measured.is_multiple_of(SEGMENTS_EVERY) {
            self.measure_segments()?;
        }
        self.measured = self.measured.wrapping_add(1);
        Ok(())
    }

    /// Issue time of the receipt that has waited longest for its seal.
    fn oldest_pending(&self) -> Result<Option<UnixMillis>, JournalError> {
        let FiguresParts { journal, backlog, flight, .. } = &self.parts;
        let corrupt = |_| JournalError::Corrupt("a batch header");
        let in_flight = match flight.oldest() {
            Some(flying) => {
                let signed = SignedBatchHeader::decode(&flying.request.signed_header).map_err(corrupt)?;
                Some(signed.header.first_issue_time)
            }
            None => None,
        };
        let requeued = journal.requeued(1)?.first().map(|(.., key)| *key);
        let waiting = journal.outbox(backlog.outbox_start(), 1)?.first().map(|(_, key)| *key);
        let mut oldest = in_flight;
        for key in [requeued, waiting].into_iter().flatten() {
            let time = issue_time(journal, key)?;
            oldest = Some(oldest.map_or(time, |oldest| oldest.min(time)));
        }
        Ok(oldest)
    }

    fn measure_nodes(&mut self) {
        let (nodes, metrics) = (&self.parts.nodes, &self.parts.metrics);
        let preferred = nodes.preferred();
        for index in 0..nodes.count() {
            let label = NodeLabel { node: nodes.node(index).name.clone() };
            metrics.node_in_use.get_or_create(&label).set(u64::from(index == preferred));
        }
        let fail_overs = nodes.fail_overs();
        metrics.node_fail_overs.inc_by(fail_overs.saturating_sub(self.fail_overs_told));
        self.fail_overs_told = fail_overs;
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

fn issue_time(journal: &Journal, key: ReceiptKey) -> Result<UnixMillis, JournalError> {
    let row = journal.receipt(key)?.ok_or(JournalError::Corrupt("a receipt is missing"))?;
    let signed = SignedRecord::decode(&row.signed_record).map_err(|_| JournalError::Corrupt("a signed record"))?;
    Ok(signed.record.issue_time)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use receipt_core::testkit::TestChain;

    use super::*;
    use crate::testing::ledger::dead_channel;
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
            backlog: Arc::clone(&issuer.backlog),
            flight: Arc::clone(&issuer.flight),
            nodes: Arc::clone(&nodes),
            quorum_time: Arc::clone(&issuer.quorum_time),
            clock: issuer.clock.clone(),
            metrics: Arc::clone(&metrics),
        });
        let now = issuer.clock.now();
        issuer
            .quorum_time
            .observe(receipt_core::ids::TreeSize::new(1), receipt_core::note::PosixSeconds::new(now.seconds()));
        let first = draft(&mut chain, "S01", "A");
        let code = first.receipt_code.get();
        let label = SegmentLabel { unit_code: first.unit_code.clone(), receipt_code: code };
        figures.measure().unwrap();
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
            figures.measure().unwrap();
        }
        assert_eq!((metrics.receipts_pending.get(), metrics.outbox_records.get()), (3, 2));
        assert_eq!(metrics.batches_in_flight.get(), 1);
        assert_eq!(metrics.oldest_pending_seconds.get(), 7.0);
        assert_eq!(metrics.clock_distance_seconds.get(), 7.0 + (now.get() % 1000) as f64 / 1000.0);
        assert_eq!(metrics.segment_numbers_left.get_or_create(&label).get(), all_numbers - 3);
        let in_use = |node: &str| metrics.node_in_use.get_or_create(&NodeLabel { node: node.to_owned() }).get();
        assert_eq!((in_use("node-0"), in_use("node-1"), metrics.node_fail_overs.get()), (0, 1, 1));

        // Once the first is sealed, the others are the oldest.
        chain.add_items(vec![offered(&request)]).unwrap();
        issuer.follow(&chain);
        issuer.clock.advance_ms(1_000);
        figures.measure().unwrap();
        assert_eq!((metrics.receipts_pending.get(), metrics.oldest_pending_seconds.get()), (2, 1.0));
    }
}
