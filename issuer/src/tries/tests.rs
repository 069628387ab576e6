use super::*;

const NOW: UnixMillis = UnixMillis::new(1_800_000_000_000);

const UNTRIED: Counts = Counts { all: Heat::COLD, target: Heat::COLD, source: Source::NEW };

fn heat(tries: u64) -> Heat {
    Heat { thousandths: tries * ONE, at: NOW }
}

fn after(millis: u64) -> UnixMillis {
    NOW.plus_millis(millis)
}

/// What became of a try of this lane, with these counts, now.
fn placed(lane: Lane, counts: Counts) -> Place {
    place(&counts, lane, NOW).0
}

#[test]
fn a_count_cools_down_by_half_in_its_time_and_never_heats_up() {
    let count = heat(1_000);
    for (millis, left) in [(0, 1_000_000), (DAY, 500_000), (2 * DAY, 250_000), (DAY / 2, 750_000), (10 * DAY, 976)] {
        assert_eq!(count.left(after(millis), DAY), left, "{millis}");
    }
    assert_eq!(count.left(UnixMillis::new(u64::MAX), DAY), 0);
    let mut before = u64::MAX;
    for hour in 0..200 {
        let left = count.left(after(hour * HOUR), DAY);
        assert!(left <= before, "hour {hour}");
        before = left;
    }
    assert!(Heat { thousandths: u64::MAX, at: NOW }.left(after(1), DAY) > u64::MAX / 2, "no overflow");
}

#[test]
fn the_wait_for_one_receipt_doubles_and_ends_at_32_seconds() {
    for (tries, seconds) in
        [(0, 0), (1, 0), (2, 0), (3, 1), (4, 2), (5, 4), (6, 8), (7, 16), (8, 32), (9, 32), (99, 32), (1_000_000, 32)]
    {
        let counts = Counts { target: heat(tries), ..UNTRIED };
        // With the face given there is no end of tries.
        let expected = if seconds == 0 { Place::Now } else { Place::At(after(seconds * SECOND)) };
        assert_eq!(placed(Lane::CodeAndFace, counts), expected, "{tries}");
    }
}

#[test]
fn on_the_secret_alone_no_more_is_judged_than_the_table_says() {
    for (lane, of_one, of_all) in [(Lane::Code, 100, 100_000), (Lane::Reference, 5, 500)] {
        let one = |tries| placed(lane, Counts { target: heat(tries), ..UNTRIED });
        let all = |tries| placed(lane, Counts { all: heat(tries), ..UNTRIED });
        assert_ne!(one(of_one - 1), Place::GiveMore, "{lane:?}");
        assert_eq!(one(of_one), Place::GiveMore, "{lane:?}");
        assert_eq!(all(of_all - 1), Place::Now, "{lane:?}");
        assert_eq!(all(of_all), Place::GiveMore, "{lane:?}");
    }
    for lane in [Lane::CodeAndFace, Lane::ReferenceAndFace] {
        let counts = Counts { all: heat(1_000_000_000), target: heat(1_000_000_000), ..UNTRIED };
        assert_eq!(placed(lane, counts), Place::At(after(WAIT_MS_MAX)), "who gives everything is never locked out");
    }
}

#[test]
fn what_is_crowded_is_judged_for_sources_that_have_not_failed_themselves() {
    for (lane, from, failures) in [(Lane::CodeAndFace, 100, 4), (Lane::ReferenceAndFace, 20, 2)] {
        let of = |tries, failed| {
            let source = Source { with_face: heat(failed), ..Source::NEW };
            placed(lane, Counts { target: heat(tries), source, ..UNTRIED })
        };
        assert_eq!(of(from, failures), Place::TooOften(CROWD_RETRY_MS), "{lane:?}");
        assert_eq!(of(from, failures - 1), Place::At(after(WAIT_MS_MAX)), "{lane:?}");
        assert_eq!(of(from - 1, failures), Place::At(after(WAIT_MS_MAX)), "{lane:?}: not crowded");
    }
}

#[test]
fn tries_of_one_source_stand_in_a_line_that_grows_and_ends() {
    for (tries, seconds) in
        [(0, 0), (59, 0), (60, 1), (89, 1), (90, 2), (120, 4), (210, 32), (240, 64), (1_000_000, 64)]
    {
        let source = Source { lately: heat(tries), ..Source::NEW };
        let (_, counted) = place(&Counts { source, ..UNTRIED }, Lane::Code, NOW);
        assert_eq!(counted.source.next, after(seconds * SECOND), "{tries}");
    }
    let line =
        |millis: u64| placed(Lane::Code, Counts { source: Source { next: after(millis), ..Source::NEW }, ..UNTRIED });
    assert_eq!(line(5_000), Place::At(after(5_000)));
    assert_eq!(line(LINE_MS_MAX), Place::At(after(LINE_MS_MAX)));
    assert_eq!(line(LINE_MS_MAX + 1), Place::TooOften(1));
}

#[test]
fn a_try_counts_everywhere_and_one_that_was_right_nowhere() {
    for (lane, weight, with_face) in
        [(Lane::Code, 1, 0), (Lane::CodeAndFace, 1, 1), (Lane::Reference, 5, 0), (Lane::ReferenceAndFace, 5, 1)]
    {
        let (place, counted) = place(&UNTRIED, lane, NOW);
        assert_eq!(place, Place::Now);
        let source = Source { lately: heat(weight), with_face: heat(with_face), next: NOW };
        assert_eq!(counted, Counts { all: heat(1), target: heat(1), source }, "{lane:?}");
        let back = taken_back(&counted, lane, NOW);
        let nothing =
            Counts { all: heat(0), target: heat(0), source: Source { lately: heat(0), with_face: heat(0), next: NOW } };
        assert_eq!(back, nothing, "{lane:?}");
    }
    let full = Counts { target: heat(100), ..UNTRIED };
    assert_eq!(place(&full, Lane::Code, NOW), (Place::GiveMore, full), "what is not judged is not counted");
}

/// How many check codes may be guessed of one receipt, whoever asks from wherever: a hundred, then about fifty a day.
#[test]
fn a_million_sources_get_no_more_guesses_at_one_receipt_than_the_count_lets_through() {
    const MINUTES: u64 = 30 * 24 * 60;
    let (mut target, mut judged) = (Heat::COLD, 0_u64);
    for minute in 0..MINUTES {
        let now = after(minute * 60 * SECOND);
        // Each minute ever new sources try, until none is judged any more.
        loop {
            let (place, counted) = place(&Counts { target, ..UNTRIED }, Lane::Code, now);
            if !place.is_counted() {
                break;
            }
            (target, judged) = (counted.target, judged + 1);
        }
    }
    assert!(judged <= 100 + 30 * 52, "{judged}");
    assert!(judged >= 100 + 30 * 45, "{judged}: the way stays open");
}

/// One source that never rests, over a day: the line lets a few thousand tries through, and never none.
#[test]
fn a_source_that_never_rests_is_slowed_down_and_not_locked_out() {
    let (mut source, mut judged, mut last) = (Source::NEW, 0_u64, NOW);
    let mut longest = 0;
    for second in 0..24 * 3_600 {
        let now = after(second * SECOND);
        let (place, counted) = place(&Counts { source, ..UNTRIED }, Lane::Code, now);
        if place == Place::Now {
            (source, judged) = (counted.source, judged + 1);
            longest = longest.max(now.since(last));
            last = now;
        }
    }
    assert!((2_850..2_950).contains(&judged), "{judged}");
    assert!(longest <= SOURCE_GAP_MS_MAX, "{longest}");
}

#[test]
fn a_clock_that_jumps_neither_forgives_nor_locks() {
    let future = Heat { thousandths: 8 * ONE, at: after(3 * 365 * DAY) };
    let counts = Counts { target: future, ..UNTRIED };
    let (place, counted) = place(&counts, Lane::Code, NOW);
    assert_eq!(place, Place::At(after(WAIT_MS_MAX)), "set back, it is as hot as it was");
    assert_eq!(counted.target, Heat { thousandths: 9 * ONE, at: NOW }, "and cools down from now on");
    assert_eq!(future.by(NOW), Heat { thousandths: 8 * ONE, at: NOW });
    assert_eq!(heat(1).by(after(5)), heat(1));
    let source = Source { next: after(3 * 365 * DAY), ..Source::NEW };
    let (place, _) = super::place(&Counts { source, ..UNTRIED }, Lane::Code, NOW);
    assert_eq!(place, Place::Now, "a line of years is of a wrong clock");
    assert_eq!(source.by(NOW).next, NOW);
}
