use receipt_core::testkit::{GENESIS_TIME_MS, TestChain};

use super::*;
use crate::testkit::FixedMonotonic;
use crate::testkit::ledger::{FakeLedger, dead_channel};

const BOUND_MS: u64 = 60_000;
const SIZE: TreeSize = TreeSize::new(7);
/// 2026-11-02 02:00:00 UTC.
const START_S: u64 = 1_793_584_800;

struct Fixture {
    monotonic: Arc<FixedMonotonic>,
    time: QuorumTime,
}

fn fixture() -> Fixture {
    let monotonic = Arc::new(FixedMonotonic::default());
    let time = QuorumTime::new(monotonic.clone(), BOUND_MS);
    Fixture { monotonic, time }
}

fn at(seconds: u64) -> UnixMillis {
    UnixMillis::new((START_S + seconds) * 1000)
}

#[test]
fn nothing_is_known_before_the_first_checkpoint() {
    let Fixture { time, .. } = fixture();
    assert_eq!(time.distance_ms(at(0)), None);
    assert_eq!(time.check(at(1_000_000)), Ok(()));
}

#[test]
fn a_clock_within_the_bound_is_relied_on_and_no_other() {
    let Fixture { time, .. } = fixture();
    time.observe(SIZE, PosixSeconds::new(START_S));
    for (seconds, expected) in [(0, Ok(())), (60, Ok(())), (61, Err(ClockFault::Ahead(61_000)))] {
        assert_eq!(time.check(at(seconds)), expected, "{seconds}");
    }
    assert_eq!(time.check(UnixMillis::new((START_S - 60) * 1000)), Ok(()));
    assert_eq!(time.check(UnixMillis::new((START_S - 61) * 1000)), Err(ClockFault::Behind(61_000)));
}

#[test]
fn the_time_goes_on_without_a_ledger() {
    let Fixture { monotonic, time } = fixture();
    time.observe(SIZE, PosixSeconds::new(START_S));
    monotonic.advance_s(25 * 3600);
    assert_eq!(time.check(at(25 * 3600)), Ok(()));
    assert_eq!(time.check(at(26 * 3600)), Err(ClockFault::Ahead(3_600_000)));
    assert_eq!(time.check(at(24 * 3600)), Err(ClockFault::Behind(3_600_000)));
}

#[test]
fn an_old_checkpoint_moves_nothing_back() {
    let Fixture { monotonic, time } = fixture();
    time.observe(SIZE, PosixSeconds::new(START_S));
    // A ledger that stands still, or a node that holds its newest back, shows the same and older ones for hours.
    for _ in 0..100 {
        monotonic.advance_s(120);
        time.observe(SIZE, PosixSeconds::new(START_S));
        time.observe(SIZE, PosixSeconds::new(START_S - 50));
    }
    assert_eq!(time.distance_ms(at(12_000)), Some(0));
}

#[test]
fn a_checkpoint_seen_late_does_not_make_the_clock_look_fast() {
    let Fixture { monotonic, time } = fixture();
    time.observe(SIZE, PosixSeconds::new(START_S));
    monotonic.advance_s(100);
    // Signed 90 s before it is seen: newer than the last one, and worse.
    time.observe(SIZE, PosixSeconds::new(START_S + 10));
    assert_eq!(time.distance_ms(at(100)), Some(0));
}

#[test]
fn a_fast_monotonic_clock_is_corrected_by_later_checkpoints() {
    let Fixture { monotonic, time } = fixture();
    // It gains a second per hour: 240 s in ten days, far beyond the bound.
    for hour in 0..240_u64 {
        time.observe(SIZE, PosixSeconds::new(START_S + hour * 3600));
        let distance = time.distance_ms(at(hour * 3600)).unwrap();
        assert!(distance.unsigned_abs() <= 2_000, "after {hour} h: {distance} ms");
        monotonic.advance_s(3601);
    }
}

/// The quorum's clocks were 90 s ahead and were set right: this issuer's own clock was right all the time.
#[test]
fn a_quorum_that_was_ahead_is_followed_back_as_soon_as_it_agrees_again() {
    let ahead_for_13_s = || {
        let fixture = fixture();
        for second in [0, 13] {
            fixture.time.observe(SIZE, PosixSeconds::new(START_S + 90 + second));
            fixture.monotonic.advance_s(13);
        }
        assert_eq!(fixture.time.check(at(26)), Err(ClockFault::Behind(90_000)));
        fixture
    };
    // Under load: the next block is sealed as soon as their clocks reach it, and is of a larger tree.
    let Fixture { monotonic, time } = ahead_for_13_s();
    monotonic.advance_s(60);
    time.observe(TreeSize::new(8), PosixSeconds::new(START_S + 86));
    assert_eq!(time.check(at(86)), Ok(()));
    assert_eq!(time.distance_ms(at(86)), Some(0));
    // At rest: the same tree is cosigned anew, with a time that is not shown before the old one is passed.
    let Fixture { monotonic, time } = ahead_for_13_s();
    monotonic.advance_s(60);
    time.observe(SIZE, PosixSeconds::new(START_S + 86));
    assert_eq!(time.check(at(86)), Err(ClockFault::Behind(90_000)), "it may be an old one");
    monotonic.advance_s(20);
    time.observe(SIZE, PosixSeconds::new(START_S + 106));
    assert_eq!(time.check(at(106)), Ok(()));
    // And what was ahead is forgotten: a clock that goes wrong now is found out.
    for minutes in 1..=2 {
        monotonic.advance_s(5 * 60);
        time.observe(SIZE, PosixSeconds::new(START_S + 106 + minutes * 5 * 60));
    }
    assert_eq!(time.check(at(106 + 600 + 90)), Err(ClockFault::Ahead(90_000)));
}

/// One validator may write any time into its cosignature, and be one of the quorum whose oldest time counts.
#[test]
fn one_validator_that_dates_back_stops_no_issuer() {
    let Fixture { time, .. } = fixture();
    time.observe(SIZE, PosixSeconds::new(START_S));
    time.observe(TreeSize::new(8), PosixSeconds::new(0));
    assert_eq!(time.check(at(0)), Ok(()));
    assert_eq!(time.check(at(61)), Err(ClockFault::Ahead(61_000)));
    assert!(!time.is_early(at(0)));
}

#[test]
fn a_last_issue_time_of_the_far_future_holds_nothing_back() {
    let Fixture { time, .. } = fixture();
    time.observe(SIZE, PosixSeconds::new(START_S));
    let cut_ahead_s = receipt_core::limits::ISSUE_TIME_CUT_AHEAD_MS_MAX / 1000;
    for (last_s, early, issued) in [
        (0, false, Ok(at(0))),
        (60, false, Ok(at(60))),
        (61, false, Err(ClockFault::WentBack(61_000))),
        (cut_ahead_s, false, Err(ClockFault::WentBack(cut_ahead_s * 1000))),
        (cut_ahead_s + 1, true, Ok(at(0))),
        (70 * 365 * 86_400, true, Ok(at(0))),
    ] {
        assert_eq!(time.is_early(at(last_s)), early, "{last_s}");
        let judged = time.check_issuing(at(0), at(last_s)).map(|()| time.issue_time(at(0), at(last_s)));
        assert_eq!(judged, issued, "{last_s}");
    }
}

#[test]
fn a_clock_that_goes_back_a_little_waits_and_one_that_goes_back_far_is_refused() {
    let Fixture { time, .. } = fixture();
    assert_eq!(time.check_issuing(at(0), at(60)), Ok(()));
    assert_eq!(time.check_issuing(at(0), at(61)), Err(ClockFault::WentBack(61_000)));
    let refusal = ClockFault::WentBack(61_000).refusal();
    assert_eq!(refusal.reason.as_str(), "CLOCK_WRONG");
    assert!(refusal.retry_after_ms.is_some());
    assert!(refusal.message.contains("61 s behind the last receipt"), "{}", refusal.message);
}

#[tokio::test]
async fn every_node_is_asked_and_the_dead_are_passed_over() {
    let ledger = FakeLedger::new(TestChain::new());
    let trust = Arc::new(FollowedTrust::of(ledger.chain.lock().unwrap().trust().clone()));
    let channels = vec![("dead".to_owned(), dead_channel()), ("alive".to_owned(), ledger.serve().await)];
    let nodes = Arc::new(Nodes::over(channels, Duration::from_secs(2)));
    let time = Arc::new(fixture().time);
    let keeper = TimeKeeper { nodes, trust, time: Arc::clone(&time) };
    keeper.ask_all().await;
    let distance = time.distance_ms(UnixMillis::new(GENESIS_TIME_MS)).unwrap();
    assert!(distance.unsigned_abs() <= 2_000, "{distance} ms from the time of the chain's first checkpoint");
}
