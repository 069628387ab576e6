//! What an issuer measures once a second for `/metrics`, besides what anchoring measures.
//!
//! Not here: counters, which the parts count themselves as things happen (`metrics`).

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry as MetricsRegistry;
use receipt_core::ids::{KeyId, ReceiptCode, UnitId, UnixMillis};
use receipt_core::receipt::civil::CivilDate;
use tallystick_anchoring::figures::Pending;
use tallystick_service::clock::Clock;
use tallystick_storage::{MemoryBudget, figures};

use crate::documents::Documents;
use crate::issue::IssueQueue;
use crate::journal::{Journal, JournalError};
use crate::memory::{DOCUMENTS, DRAFTS};
use crate::metrics::{Days, IssuerMetrics, KeyLabel, SegmentLabel, UnitLabel};
use crate::numbering::numbers_left;
use crate::registry::Registry;

/// Numbers left are counted at every so many measurements.
const SEGMENTS_EVERY: u64 = 15;

/// What the measurements read and where they are shown.
pub struct FiguresParts {
    /// Knows which numbers are used.
    pub journal: Arc<Journal>,
    /// Leased segments.
    pub registry: Arc<Registry>,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// The metrics to set.
    pub metrics: Arc<IssuerMetrics>,
    /// The chain's UTC offset: by its calendar codes end with the year.
    pub utc_offset_minutes: i32,
}

/// Measures.
pub struct Figures {
    parts: FiguresParts,
    measured: u64,
    segments_told: HashSet<SegmentLabel>,
    successors_told: HashSet<SegmentLabel>,
    units_told: HashSet<UnitLabel>,
    ends_warned: HashMap<String, u64>,
}

/// From so many days before its end on a key is warned of, once for each number.
const WARNED_DAYS: [u64; 5] = [28, 14, 7, 3, 1];
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

impl Figures {
    /// Before the first measurement.
    pub fn new(parts: FiguresParts) -> Self {
        Self {
            parts,
            measured: 0,
            segments_told: HashSet::new(),
            successors_told: HashSet::new(),
            units_told: HashSet::new(),
            ends_warned: HashMap::new(),
        }
    }

    /// Measures everything once. An error is fatal to the process.
    pub fn measure(&mut self, pending: Pending) -> Result<(), JournalError> {
        let metrics = &self.parts.metrics;
        metrics.receipts_pending.set(pending.records);
        metrics.oldest_pending_seconds.set(pending.oldest_ms as f64 / 1000.0);
        let now = self.parts.clock.now();
        if self.measured.is_multiple_of(SEGMENTS_EVERY) {
            self.measure_segments()?;
            self.measure_successors(now)?;
        }
        self.measured = self.measured.wrapping_add(1);
        Ok(())
    }

    /// Days until keys end: this issuer's, and those of the units that have numbers here. Weeks before, each is warned of. As
    /// often as segments are measured.
    pub fn measure_keys(&mut self, issuer_key: KeyId) {
        if self.measured % SEGMENTS_EVERY != 1 {
            return;
        }
        let FiguresParts { registry, clock, metrics, .. } = &self.parts;
        let (view, now) = (registry.view(), clock.now());
        let (label, until) = (KeyLabel { key: issuer_key.get() }, view.own.until(issuer_key));
        set_days_left(&metrics.issuer_key_days_left, &label, until, now);
        let mut ends = vec![(format!("key {issuer_key} of this issuer"), until)];
        let units: HashSet<_> = view.all_segments().map(|(unit, ..)| unit).collect();
        let mut told = HashSet::new();
        for unit in units.into_iter().filter_map(|unit| view.unit(unit)) {
            let (label, until) = (UnitLabel { unit_code: unit.code.clone() }, unit.keys_until());
            set_days_left(&metrics.unit_key_days_left, &label, until, now);
            ends.push((format!("the last key of unit {}", unit.code), until));
            told.insert(label);
        }
        for gone in self.units_told.difference(&told) {
            metrics.unit_key_days_left.remove(gone);
        }
        self.units_told = told;
        for (key, until) in ends {
            self.warn_of(key, until, now);
        }
    }

    /// Once at each mark. A key that has ended is told by those whom it stops.
    fn warn_of(&mut self, key: String, until: Option<UnixMillis>, now: UnixMillis) {
        let left_ms = until.and_then(|until| until.get().checked_sub(now.get()));
        let mark = left_ms.and_then(|left| WARNED_DAYS.into_iter().filter(|days| left < days * DAY_MS).min());
        let before = match mark {
            Some(mark) => self.ends_warned.insert(key.clone(), mark),
            None => self.ends_warned.remove(&key),
        };
        if let (Some(left_ms), Some(_)) = (left_ms, mark.filter(|mark| before != Some(*mark))) {
            let (days, hours) = (left_ms / DAY_MS, left_ms % DAY_MS / 3_600_000);
            tracing::warn!(%key, "a key ends in {days} d {hours} h: register its successor (docs/ops/keys.md, Rotation)");
        }
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

/// Negative after the end; no series without one.
fn set_days_left<L>(family: &Family<L, Days>, label: &L, until: Option<UnixMillis>, now: UnixMillis)
where
    L: Clone + std::fmt::Debug + Eq + std::hash::Hash,
{
    let days = |from: UnixMillis, to: UnixMillis| to.get().saturating_sub(from.get()) as f64 / DAY_MS as f64;
    match until {
        None => {
            family.remove(label);
        }
        Some(until) => {
            family.get_or_create(label).set(if until < now { -days(until, now) } else { days(now, until) });
        }
    }
}

/// Shows the budget of memory, and what is held of it.
pub(crate) fn register_memory(
    registry: &mut MetricsRegistry,
    budget: &MemoryBudget,
    journal: &Arc<Journal>,
    queue: IssueQueue,
    documents: Option<Arc<Documents>>,
) {
    let journal = Arc::clone(journal);
    let bytes = |bytes: usize| u64::try_from(bytes).unwrap_or(u64::MAX);
    let parts = move || {
        let drawn = documents.as_ref().map(|documents| (DOCUMENTS, bytes(documents.held_bytes())));
        std::iter::once((DRAFTS, bytes(queue.held_bytes()))).chain(drawn).collect()
    };
    figures::register(registry, budget, Box::new(move || journal.figures()), Box::new(parts));
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use receipt_core::block::Item;
    use receipt_core::governance::{Action, RevokeKey};
    use receipt_core::testkit::{ISSUER_KEY, TestChain, UTC_OFFSET_MINUTES};
    use tallystick_anchoring::figures::Figures as Anchored;
    use tallystick_anchoring::metrics::NodeLabel;
    use tallystick_anchoring::nodes::Nodes;
    use tallystick_anchoring::testkit::ledger::dead_channel;

    use super::*;
    use crate::testing::{TestIssuer, draft, init, offered};

    const NOTHING: Pending = Pending { records: 0, oldest_ms: 0 };

    fn figures_of(issuer: &TestIssuer) -> Figures {
        Figures::new(FiguresParts {
            journal: Arc::clone(&issuer.journal),
            registry: Arc::clone(&issuer.registry),
            clock: issuer.clock.clone(),
            metrics: Arc::clone(&issuer.metrics),
            utc_offset_minutes: UTC_OFFSET_MINUTES,
        })
    }

    #[test]
    fn a_code_without_numbers_for_the_coming_year_is_told_from_december_on() {
        let dir = scratch::Directory::new();
        let mut chain = TestChain::new();
        let issuer = TestIssuer::start(init(dir.path(), &chain), &chain, 1);
        let mut figures = figures_of(&issuer);
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
        // If nobody acts, the metric still shows it in the new year, when the unit has no number to issue.
        assert_eq!(missing(&mut figures, &format!("{}-02-01", year + 1), next_year), Some(1));
    }

    /// Before, nothing showed it until issuing stopped on the key's last day.
    #[test]
    fn keys_that_end_are_counted_down_and_warned_of_weeks_before() {
        let dir = scratch::Directory::new();
        let mut chain = TestChain::new();
        let mut issuer = TestIssuer::start(init(dir.path(), &chain), &chain, 1);
        let mut figures = figures_of(&issuer);
        let metrics = Arc::clone(&issuer.metrics);
        let text = |metrics: &IssuerMetrics| format!("{:?}", metrics.issuer_key_days_left);
        let look = |figures: &mut Figures| {
            for _ in 0..SEGMENTS_EVERY {
                figures.measure(NOTHING).unwrap();
                figures.measure_keys(KeyId::new(ISSUER_KEY));
            }
        };
        let nothing = text(&metrics);
        look(&mut figures);
        assert_eq!(text(&metrics), nothing, "a key without an end shows no days");
        let unit_code = draft(&mut chain, "S01", "A").unit_code;
        let ends_ms = issuer.clock.now().get() + 20 * DAY_MS;
        let unit_key = issuer.registry.view().unit_by_code(&unit_code).unwrap().keys[0].id;
        for key_id in [ISSUER_KEY, unit_key.get()] {
            let message = chain.governance(vec![Action::RevokeKey(RevokeKey { key_id, revoked_from_ms: ends_ms })]);
            chain.add_items(vec![Item::Governance(message)]).unwrap();
        }
        issuer.follow(&chain);
        look(&mut figures);
        let key_days = || metrics.issuer_key_days_left.get_or_create(&KeyLabel { key: ISSUER_KEY }).get();
        let unit_days = metrics.unit_key_days_left.get_or_create(&UnitLabel { unit_code }).get();
        assert_eq!((key_days(), unit_days), (20.0, 20.0));
        let warned = |figures: &Figures| {
            let mut marks: Vec<u64> = figures.ends_warned.values().copied().collect();
            marks.sort_unstable();
            marks
        };
        assert_eq!(warned(&figures), [28, 28], "the issuer's key and the unit's");
        issuer.clock.advance_ms(18 * DAY_MS);
        look(&mut figures);
        assert_eq!((key_days(), warned(&figures)), (2.0, vec![3, 3]));
        issuer.clock.advance_ms(3 * DAY_MS);
        look(&mut figures);
        assert_eq!(key_days(), -1.0);
    }

    #[tokio::test]
    async fn what_waits_and_what_is_left_is_measured() {
        let dir = scratch::Directory::new();
        let mut chain = TestChain::new();
        let mut issuer = TestIssuer::start(init(dir.path(), &chain), &chain, 1);
        let channels = (0..2).map(|number| (format!("node-{number}"), dead_channel())).collect();
        let nodes = Arc::new(Nodes::over(channels, Duration::from_secs(1)));
        let metrics = Arc::clone(&issuer.metrics);
        let mut figures = figures_of(&issuer);
        let anchored = Anchored {
            desk: issuer.desk.clone(),
            nodes: Arc::clone(&nodes),
            quorum_time: Arc::clone(&issuer.quorum_time),
            clock: issuer.clock.clone(),
        };
        let mut measure = || figures.measure(anchored.measure().unwrap()).unwrap();
        let now = issuer.clock.now();
        issuer
            .quorum_time
            .observe(receipt_core::ids::TreeSize::new(1), receipt_core::note::PosixSeconds::new(now.seconds()));
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
