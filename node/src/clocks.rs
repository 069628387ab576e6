//! Whether this node's clock agrees with the other validators', and whether the chain's time lies ahead of it.
//!
//! A validator writes its clock into every cosignature. Lines arrive as soon as they are signed, so the newest ones of a peer say how
//! far this clock is from that one. A line that comes late makes this clock look ahead, never behind: the smallest of a peer's last
//! [`SAMPLES`] counts for "ahead", the newest for "behind". Up to f peers may lie or be wrong themselves, so this clock is off by
//! what f + 1 peers agree on. Nothing is remembered for longer than [`FORGOTTEN_AFTER`]: a clock that was set right is right.
//!
//! It changes nothing that this node does: it says so (metric, readiness, log), because nobody else would notice. Blocks of a
//! clock that is off do not come in time at the others (`genesis::Timeliness`).

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use receipt_core::ids::{UnixMillis, ValidatorId};
use receipt_core::note::PosixSeconds;
use receipt_core::validators::ValidatorSet;
use tallystick_service::clock::Clock;
use tallystick_service::metrics::ReadyPart;
use tallystick_service::shutdown::CancellationToken;
use tokio::time::Instant;

use crate::ledger::Ledger;
use crate::store::StoreError;

/// Lines of one peer that are compared. The first one after a start may be as old as the pause between two.
const SAMPLES: usize = 3;
/// Lines of one peer without which nothing is said of it.
const SAMPLES_MIN: usize = 2;
const FORGOTTEN_AFTER: Duration = Duration::from_secs(120);
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// Looks in a row at which the clock is off before it is said: a process that stood still reads old lines first.
const LOOKS: u32 = 3;
/// Cosignatures have whole seconds, rounded down.
const ROUNDING_MS: i64 = 500;

/// A line that arrived.
#[derive(Debug, Clone, Copy)]
struct Sample {
    /// This clock then, less the signer's.
    distance_ms: i64,
    at: Instant,
}

/// What the others' cosignatures say of this clock.
#[derive(Debug)]
pub(crate) struct PeerClocks {
    clock: Arc<dyn Clock>,
    peers: Mutex<BTreeMap<ValidatorId, VecDeque<Sample>>>,
}

fn signed(millis: u64) -> i64 {
    i64::try_from(millis).unwrap_or(i64::MAX)
}

impl PeerClocks {
    /// Before any peer was heard.
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, peers: Mutex::default() }
    }

    /// A new line of a validator was verified: it says that it signed at this time.
    pub(crate) fn heard(&self, id: ValidatorId, signed_at: PosixSeconds) {
        let theirs = signed(signed_at.get().saturating_mul(1000)).saturating_add(ROUNDING_MS);
        let sample = Sample { distance_ms: signed(self.clock.now().get()).saturating_sub(theirs), at: Instant::now() };
        let mut peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        let samples = peers.entry(id).or_default();
        samples.push_back(sample);
        if samples.len() > SAMPLES {
            samples.pop_front();
        }
    }

    /// Forgets who is not in this validator set: f is the set's.
    pub(crate) fn retain(&self, set: &ValidatorSet) {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner).retain(|id, _| set.member(*id).is_some());
    }

    /// How far this clock is ahead of what f + 1 peers have, in milliseconds; negative: behind. `None` while too few were heard.
    pub(crate) fn distance_ms(&self, faults_max: usize) -> Option<i64> {
        self.distance_ms_at(Instant::now(), faults_max)
    }

    fn distance_ms_at(&self, now: Instant, faults_max: usize) -> Option<i64> {
        let mut peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        for samples in peers.values_mut() {
            samples.retain(|sample| now.duration_since(sample.at) <= FORGOTTEN_AFTER);
        }
        let heard = || peers.values().filter(|samples| samples.len() >= SAMPLES_MIN);
        let mut ahead: Vec<i64> =
            heard().filter_map(|samples| samples.iter().map(|sample| sample.distance_ms).min()).collect();
        let mut behind: Vec<i64> = heard().filter_map(|samples| Some(samples.back()?.distance_ms)).collect();
        drop(peers);
        ahead.sort_unstable_by(|a, b| b.cmp(a));
        behind.sort_unstable();
        match (ahead.get(faults_max).copied()?, behind.get(faults_max).copied()?) {
            (ahead, _) if ahead > 0 => Some(ahead),
            (_, behind) => Some(behind.min(0)),
        }
    }

    /// How far the chain's newest block lies ahead of this clock, in milliseconds; 0 if it does not.
    pub(crate) fn tip_ahead_ms(&self, tip_time: UnixMillis) -> u64 {
        tip_time.since(self.clock.now())
    }
}

/// Looks at the clock and says what is wrong with it.
pub(crate) struct ClockWatch {
    /// The times that the other validators signed.
    pub clocks: Arc<PeerClocks>,
    /// The chain's time and bounds.
    pub ledger: Ledger,
}

/// What was found at one look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Findings {
    /// This clock against the others', if it is off.
    distance_ms: Option<i64>,
    /// The newest block against this clock, if it is too far ahead for another one.
    tip_ahead_ms: Option<u64>,
}

impl Findings {
    /// `before`: what was off a look ago is right again only when it is clearly inside of the bound.
    fn new(distance_ms: Option<i64>, tip_ahead_ms: u64, ahead_ms_max: u64, before: Self) -> Self {
        let bound = if before.distance_ms.is_some() { ahead_ms_max / 2 } else { ahead_ms_max };
        Self {
            distance_ms: distance_ms.filter(|distance| distance.unsigned_abs() > bound),
            // The next block's time must be after the tip's. If the tip is so far ahead, no next block can be timely by this clock.
            tip_ahead_ms: (tip_ahead_ms >= ahead_ms_max).then_some(tip_ahead_ms),
        }
    }

    /// For readiness and log; `None`: nothing is wrong.
    fn problem(self, ahead_ms_max: u64) -> Option<String> {
        let off = self.distance_ms.map(|distance| {
            let (seconds, side) = (distance.unsigned_abs() / 1000, if distance > 0 { "ahead of" } else { "behind" });
            format!("is {seconds} s {side} the other validators' clocks; set it right, and see that NTP runs")
        });
        let waits = self.tip_ahead_ms.map(|ahead| {
            format!(
                "is {} s behind the chain's newest block, and the next one may be at most {} s ahead of it: this node waits, or \
                 its clock is wrong",
                ahead / 1000,
                ahead_ms_max / 1000
            )
        });
        let problems: Vec<String> = [off, waits].into_iter().flatten().collect();
        (!problems.is_empty()).then(|| problems.join("; it "))
    }
}

impl ClockWatch {
    /// Looks until `stop`, and tells readiness.
    pub(crate) async fn watch(self, part: ReadyPart, stop: CancellationToken) -> Result<(), StoreError> {
        let ahead_ms_max = self.ledger.genesis.timeliness.ahead_ms_max;
        let (mut before, mut off_looks) = (Findings::default(), 0_u32);
        loop {
            let set = self.ledger.validators_at(self.ledger.next_height()?)?;
            self.clocks.retain(&set);
            let tip_ahead_ms = self.clocks.tip_ahead_ms(self.ledger.tip()?.time);
            let distance_ms = self.clocks.distance_ms(set.faults_max());
            let is_off = distance_ms.is_some_and(|distance| distance.unsigned_abs() > ahead_ms_max);
            off_looks = if is_off { off_looks.saturating_add(1) } else { 0 };
            let confirmed = distance_ms.filter(|_| off_looks >= LOOKS || before.distance_ms.is_some());
            let now = Findings::new(confirmed, tip_ahead_ms, ahead_ms_max, before);
            tell(&part, before, now, ahead_ms_max);
            before = now;
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = tokio::time::sleep(LOOK_INTERVAL) => {}
            }
        }
    }
}

/// Readiness at each look; the log when something begins or ends.
fn tell(part: &ReadyPart, before: Findings, now: Findings, ahead_ms_max: u64) {
    match now.problem(ahead_ms_max) {
        Some(problem) => part.not_ready(problem),
        None => part.ready(),
    }
    let begins = |of: fn(Findings) -> bool| !of(before) && of(now);
    if begins(|found| found.distance_ms.is_some()) || begins(|found| found.tip_ahead_ms.is_some()) {
        let problem = now.problem(ahead_ms_max).unwrap_or_default();
        tracing::warn!(distance_ms = now.distance_ms, tip_ahead_ms = now.tip_ahead_ms, "this node's clock {problem}");
    }
    if before != Findings::default() && now == Findings::default() {
        tracing::info!("this node's clock agrees with the chain and the other validators again");
    }
}

#[cfg(test)]
mod tests {
    use tallystick_service::clock::FixedClock;

    use super::*;

    const NOW_S: u64 = 1_793_584_800;
    const DAY_S: i64 = 24 * 3600;

    fn clocks() -> (Arc<FixedClock>, PeerClocks) {
        let clock = Arc::new(FixedClock::new(UnixMillis::new(NOW_S * 1000 + 500)));
        (Arc::clone(&clock), PeerClocks::new(clock))
    }

    /// Lines of one peer, each so many seconds from this clock.
    fn hear(clocks: &PeerClocks, id: u32, seconds_from_here: &[i64]) {
        for seconds in seconds_from_here {
            clocks.heard(ValidatorId::new(id), PosixSeconds::new(NOW_S.saturating_add_signed(*seconds)));
        }
    }

    /// One row per view of three peers, of whom one may lie: how far this clock is ahead, in seconds.
    #[test]
    fn this_clock_is_off_by_what_f_plus_1_peers_agree_on() {
        type Row<'a> = (&'a str, [&'a [i64]; 3], Option<i64>);
        let rows: [Row<'_>; 10] = [
            ("nothing heard", [&[], &[], &[]], None),
            ("one line each: it may be old", [&[-15], &[-15], &[-15]], None),
            ("one peer is no quorum", [&[0, 0], &[], &[]], None),
            ("all agree", [&[0, 0], &[0, 0], &[0, 0]], Some(0)),
            ("a day ahead", [&[-DAY_S, -DAY_S], &[-DAY_S, -DAY_S], &[-DAY_S, -DAY_S]], Some(DAY_S)),
            ("two hours behind", [&[7200, 7200], &[7200, 7200], &[7200, 7200]], Some(-7200)),
            ("one of the others is wrong, not this one", [&[0, 0], &[-DAY_S, -DAY_S], &[0, 0]], Some(0)),
            ("one lies, and this one is wrong", [&[0, 0], &[900, 900], &[900, 901]], Some(-900)),
            ("one dead", [&[-900, -900], &[-900, -900], &[]], Some(900)),
            ("lines that come late say nothing", [&[0, -40], &[-40, 0], &[0, -40]], Some(0)),
        ];
        for (name, peers, expected_s) in rows {
            let (_, clocks) = clocks();
            for (id, lines) in (2..).zip(peers) {
                hear(&clocks, id, lines);
            }
            assert_eq!(clocks.distance_ms(1), expected_s.map(|seconds| seconds * 1000), "{name}");
        }
    }

    #[test]
    fn a_clock_that_was_set_right_is_right_and_peers_that_are_away_say_nothing() {
        let (clock, clocks) = clocks();
        clock.set(UnixMillis::new((NOW_S + 3600) * 1000 + 500));
        (2..=4).for_each(|id| hear(&clocks, id, &[0, 0, 0]));
        assert_eq!(clocks.distance_ms(1), Some(3_600_000));
        clock.set(UnixMillis::new(NOW_S * 1000 + 500));
        hear(&clocks, 2, &[0]);
        hear(&clocks, 3, &[0]);
        assert_eq!(clocks.distance_ms(1), Some(0), "as soon as two were heard again");
        let later = Instant::now() + FORGOTTEN_AFTER + Duration::from_millis(1);
        assert_eq!(clocks.distance_ms_at(later, 1), None);
    }

    #[test]
    fn what_is_off_is_said_with_what_is_waited_for() {
        let bound = 10_000;
        let found = |distance, tip, before| Findings::new(distance, tip, bound, before);
        let fine = Findings::default();
        assert_eq!(found(Some(10_000), 9_999, fine), fine);
        assert_eq!(found(None, 0, fine).problem(bound), None);
        let off = found(Some(-7_200_400), 0, fine);
        let problem = off.problem(bound).unwrap();
        assert!(problem.starts_with("is 7200 s behind the other validators' clocks"), "{problem}");
        assert_eq!(found(Some(-5_001), 0, off).distance_ms, Some(-5_001), "not before it is clearly right");
        assert_eq!(found(Some(-5_000), 0, off), fine);
        let waits = found(Some(0), 74_000, fine);
        let problem = waits.problem(bound).unwrap();
        assert!(problem.contains("is 74 s behind the chain's newest block"), "{problem}");
        assert!(problem.contains("this node waits"), "{problem}");
        assert!(found(Some(86_400_000), 74_000, fine).problem(bound).unwrap().contains("; it is 74 s behind"));
    }
}
