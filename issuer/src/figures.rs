//! What is measured once a second for `/metrics`, from the journal and from what is in memory.
//!
//! Not here: counters, which the parts count themselves as things happen (`metrics`).

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use receipt_core::batch::SignedBatchHeader;
use receipt_core::ids::{ReceiptCode, ReceiptKey, UnitId, UnixMillis};
use receipt_core::receipt::civil::CivilDate;
use receipt_core::record::SignedRecord;
use tallystick_service::clock::Clock;

use crate::backlog::Backlog;
use crate::flight::Flight;
use crate::journal::{Journal, JournalError};
use crate::metrics::{IssuerMetrics, NodeLabel, SegmentLabel};
use crate::nodes::Nodes;
use crate::numbering::numbers_left;
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
    /// The chain's UTC offset: by its calendar codes end with the year.
    pub utc_offset_minutes: i32,
}

/// Measures.
pub struct Figures {
    parts: FiguresParts,
    measured: u64,
    fail_overs_told: u64,
    segments_told: HashSet<SegmentLabel>,
    successors_told: HashSet<SegmentLabel>,
}

impl Figures {
    /// Nothing measured yet.
    pub fn new(parts: FiguresParts) -> Self {
        let (segments_told, successors_told) = (HashSet::new(), HashSet::new());
        Self { parts, measured: 0, fail_overs_told: 0, segments_told, successors_told }
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
            self.measure_successors(now)?;
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
            let left = numbers_left(journal, segments)?;
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

    /// The last two digits of a receipt code are its year, so each needs a successor: from December on next year's, later
    /// this year's. Told of every unit and kind that was leased numbers for that year or the one before, and may still issue.
    fn measure_successors(&mut self, now: UnixMillis) -> Result<(), JournalError> {
        let FiguresParts { journal, registry, metrics, utc_offset_minutes, .. } = &self.parts;
        let Ok(today) = CivilDate::at(now, *utc_offset_minutes) else { return Ok(()) };
        let year = if today.month() == 12 { today.year().saturating_add(1) } else { today.year() };
        let view = registry.view();
        let due = u32::from(year % 100);
        let recent = |code: u32| code % 100 == due || (code + 1) % 100 == due;
        let leased = view.all_leased().filter(|(_, code)| recent(*code));
        let in_use: BTreeSet<(UnitId, u32)> = leased.map(|(unit, code)| (unit, code / 100)).collect();
        let mut told = HashSet::new();
        for (id, kind) in in_use {
            let Ok(code) = ReceiptCode::new(kind.saturating_mul(100).saturating_add(due)) else { continue };
            let Some(unit) = view.unit(id).filter(|unit| unit.may_issue(code, now)) else { continue };
            let missing = numbers_left(journal, view.segments(id, code))? == 0;
            let label = SegmentLabel { unit_code: unit.code.clone(), receipt_code: code.get() };
            metrics.successor_missing.get_or_create(&label).set(u64::from(missing));
            told.insert(label);
        }
        for gone in self.successors_told.difference(&told) {
            metrics.successor_missing.remove(gone);
        }
        self.successors_told = told;
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

    use receipt_core::testkit::{TestChain, UTC_OFFSET_MINUTES};

    use super::*;
    use crate::testing::ledger::dead_channel;
    use crate::testing::{TestIssuer, draft, init, offered};

    fn figures_of(issuer: &TestIssuer) -> (Figures, Arc<Nodes>) {
        let channels = (0..2).map(|number| (format!("node-{number}"), dead_channel())).collect();
        let nodes = Arc::new(Nodes::over(channels, Duration::from_secs(1)));
        let figures = Figures::new(FiguresParts {
            journal: Arc::clone(&issuer.journal),
            registry: Arc::clone(&issuer.registry),
            backlog: Arc::clone(&issuer.backlog),
            flight: Arc::clone(&issuer.flight),
            nodes: Arc::clone(&nodes),
            quorum_time: Arc::clone(&issuer.quorum_time),
            clock: issuer.clock.clone(),
            metrics: Arc::clone(&issuer.metrics),
            utc_offset_minutes: UTC_OFFSET_MINUTES,
        });
        (figures, nodes)
    }

    #[tokio::test]
    async fn a_code_without_numbers_for_the_coming_year_is_told_from_december_on() {
        let dir = tempfile::tempdir().unwrap();
        let mut chain = TestChain::new();
        let issuer = TestIssuer::start(init(dir.path(), &chain), &chain, 1);
        let (mut figures, _nodes) = figures_of(&issuer);
        let sample = draft(&mut chain, "S01", "A");
        let missing = |figures: &mut Figures, day: &str, code: u32| {
            let noon = CivilDate::parse(day).unwrap().at_seconds(12 * 3600, UTC_OFFSET_MINUTES).unwrap();
            figures.measure_successors(noon).unwrap();
            let label = SegmentLabel { unit_code: sample.unit_code.clone(), receipt_code: code };
            figures
                .successors_told
                .contains(&label)
                .then(|| issuer.metrics.successor_missing.get_or_create(&label).get())
        };
        let this_year = sample.receipt_code.get();
        let (year, next_year) = (2000 + this_year % 100, this_year + 1);
        assert_eq!(missing(&mut figures, &format!("{year}-11-30"), this_year), Some(0));
        assert_eq!(missing(&mut figures, &format!("{year}-11-30"), next_year), None, "not yet of interest");
        assert_eq!(missing(&mut figures, &format!("{year}-12-01"), next_year), Some(1));
        assert_eq!(missing(&mut figures, &format!("{year}-12-01"), this_year), None, "told no more");
        // Nobody has seen to it: in January and later the unit has no number for the year.
        assert_eq!(missing(&mut figures, &format!("{}-02-01", year + 1), next_year), Some(1));
    }

    #[tokio::test]
    async fn what_waits_and_what_is_left_is_measured() {
        let dir = tempfile::tempdir().unwrap();
        let mut chain = TestChain::new();
        let mut issuer = TestIssuer::start(init(dir.path(), &chain), &chain, 1);
        let metrics = Arc::clone(&issuer.metrics);
        let (mut figures, nodes) = figures_of(&issuer);
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
