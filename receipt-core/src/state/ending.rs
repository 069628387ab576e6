//! The end of a permission: one rule for all of them.
//!
//! A key's revocation, a key's planned end, a unit's suspension, a segment's closing, and a kind taken from a unit each end a
//! permission. What was issued before still arrives for a while, because an issuer may have been cut off; not for ever, because
//! whoever has stolen the key could else date back.
//!
//! ```text
//! dated     permits t  ⇔  t < from  ∧  block time ≤ max(recorded, from) + 10 days
//! undated   permits t  ⇔              block time ≤ recorded + 10 days
//! ```
//! `recorded` is the block time of the action that set the present end; 0 for an end that was known from the beginning.
//!
//! A revocation, a planned end and a suspension are *dated*: the authorities say from which issue time on nothing is good, also
//! of a time that is past. A closing and a kind taken away have no date. They begin for each issuer when it learns of them, and
//! that is later than the block that records them: what an issuer acknowledges in between it has acknowledged in good faith, and the
//! ledger takes it. A dishonest issuer gains nothing by that: it could put any earlier issue time into its records.
//!
//! The issuer asks this same function before it acknowledges a receipt, for the latest block that may carry it ([`latest_block`]). So
//! it stops when it learns of an end without a date, and at the date of one that has a date. Why so: docs/adr/0013-endings.md.

use crate::ids::UnixMillis;
use crate::limits;

/// The latest block that may carry a record of this issue time, if an end that begins then lets it in at all. An issuer acknowledges what
/// a block of this time would take: then each earlier block takes it, too.
pub fn latest_block(issue_time: UnixMillis) -> UnixMillis {
    issue_time.plus_millis(limits::REVOCATION_GRACE_MS)
}

/// From when on a permission has ended, and when the ledger learnt of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ending {
    /// 0: there is no end, or it has no date.
    from: UnixMillis,
    /// Not 0 of one without a date.
    recorded: UnixMillis,
}

impl Ending {
    /// An ending that an action of a block of `recorded_ms` set; `from_ms` 0: there is none.
    pub const fn new(from_ms: u64, recorded_ms: u64) -> Self {
        let recorded_ms = if from_ms == 0 { 0 } else { recorded_ms };
        Self { from: UnixMillis::new(from_ms), recorded: UnixMillis::new(recorded_ms) }
    }

    /// An ending without a date, which an action of a block of `recorded_ms` set; 0: there is none.
    pub const fn undated(recorded_ms: u64) -> Self {
        Self { from: UnixMillis::new(0), recorded: UnixMillis::new(recorded_ms) }
    }

    /// An ending that was known from the beginning; `from_ms` 0: there is none.
    pub const fn planned(from_ms: u64) -> Self {
        Self::new(from_ms, 0)
    }

    /// Whether it lets a record of this issue time into a block of this time.
    pub fn permits(self, issue_time: UnixMillis, block_time: UnixMillis) -> bool {
        let is_before = self.from.get() == 0 || issue_time < self.from;
        is_before && !self.is_over(block_time)
    }

    /// Whether it permits nothing in a block of this time, whatever the issue time. It stays so in all later blocks.
    pub fn is_over(self, block_time: UnixMillis) -> bool {
        let begins = self.from.max(self.recorded);
        self.exists() && block_time.since(begins) > limits::REVOCATION_GRACE_MS
    }

    /// First block time (ms) at which it is over; 0: there is no end.
    pub fn over_from_ms(self) -> u64 {
        let begins = self.from.max(self.recorded);
        if self.exists() { begins.plus_millis(limits::REVOCATION_GRACE_MS + 1).get() } else { 0 }
    }

    /// The ending after an action of a block of `block_time` set it to `from_ms` (0 lifts it). The days of grace begin anew, so that
    /// what is on its way arrives; but not if they are over and the end is only dated earlier: what no block takes any more is
    /// never taken again, and an issuer that has signed a batch anew relies on it.
    #[must_use]
    pub fn moved_to(self, from_ms: u64, block_time: UnixMillis) -> Self {
        let from = UnixMillis::new(from_ms);
        if from == self.from {
            return self;
        }
        if from_ms == 0 {
            return Self::new(0, 0);
        }
        let stays_over = self.is_over(block_time) && from < self.from;
        Self { from, recorded: if stays_over { self.recorded } else { block_time } }
    }

    /// First issue time (ms) it does not permit; 0: there is no end, or it has no date.
    pub const fn from_ms(self) -> u64 {
        self.from.get()
    }

    /// Block time (ms) of the action that set it; 0: known from the beginning.
    pub const fn recorded_ms(self) -> u64 {
        self.recorded.get()
    }

    fn exists(self) -> bool {
        self.from.get() != 0 || self.recorded.get() != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: u64 = limits::REVOCATION_GRACE_MS;
    const DAY: u64 = 24 * 3600 * 1000;
    const NOW: u64 = 1_793_584_800_000;

    /// One row per kind of start: (from, recorded), then the last block time at which the last good issue time is taken.
    #[test]
    fn an_end_permits_what_came_before_it_for_ten_days_of_knowing_and_of_being() {
        for (name, from, recorded, last_block) in [
            ("recorded when it begins", NOW, NOW, NOW + GRACE),
            ("recorded later, as a theft is found out", NOW, NOW + 30 * DAY, NOW + 30 * DAY + GRACE),
            ("recorded long before it begins", NOW, NOW - 30 * DAY, NOW + GRACE),
            ("planned", NOW, 0, NOW + GRACE),
            ("at the end of all times", u64::MAX, NOW, u64::MAX),
        ] {
            let ending = Ending::new(from, recorded);
            let permits = |issued: u64, block: u64| ending.permits(UnixMillis::new(issued), UnixMillis::new(block));
            assert!(permits(from - 1, last_block), "{name}");
            assert!(!permits(from, last_block), "{name}: from itself");
            assert!(permits(from - 1, recorded), "{name}: an earlier block");
            if last_block < u64::MAX {
                assert!(!permits(from - 1, last_block + 1), "{name}: a day too late");
                assert!(!permits(0, last_block + 1), "{name}: dated back");
                assert!(
                    ending.is_over(UnixMillis::new(last_block + 1)) && !ending.is_over(UnixMillis::new(last_block))
                );
            }
        }
        let none = Ending::planned(0);
        assert!(none.permits(UnixMillis::new(u64::MAX), UnixMillis::new(u64::MAX)));
        assert!(!none.is_over(UnixMillis::new(u64::MAX)));
    }

    /// A segment's closing, a kind taken away: an issuer that has not heard of it goes on, and what it has issued is taken.
    #[test]
    fn an_end_without_a_date_takes_every_issue_time_for_ten_days_and_then_none() {
        let at = UnixMillis::new;
        let ending = Ending::undated(NOW);
        for issued in [0, NOW - 1, NOW, NOW + DAY, NOW + GRACE, u64::MAX] {
            assert!(ending.permits(at(issued), at(NOW + GRACE)), "{issued}");
            assert!(!ending.permits(at(issued), at(NOW + GRACE + 1)), "{issued}");
        }
        assert!(!ending.is_over(at(NOW + GRACE)) && ending.is_over(at(NOW + GRACE + 1)));
        assert_eq!(ending.over_from_ms(), NOW + GRACE + 1);
        let none = Ending::undated(0);
        assert!(none.permits(at(u64::MAX), at(u64::MAX)));
        assert_eq!((none, none.over_from_ms()), (Ending::new(0, NOW), 0));
    }

    /// The issuer's question. One row an ending: the last issue time that an issuer acknowledges which knows of it.
    #[test]
    fn whoever_asks_for_the_latest_block_stops_at_a_date_or_when_it_learns_of_an_end_without_one() {
        for (name, ending, last) in [
            ("without a date", Ending::undated(NOW), NOW),
            ("dated when it was recorded", Ending::new(NOW, NOW), NOW - 1),
            ("dated ahead", Ending::new(NOW + 30 * DAY, NOW), NOW + 30 * DAY - 1),
            ("dated back", Ending::new(NOW - DAY, NOW), NOW - DAY - 1),
            ("planned", Ending::planned(NOW), NOW - 1),
            ("none", Ending::planned(0), u64::MAX - 1),
        ] {
            let acknowledges = |issued: u64| {
                let issued = UnixMillis::new(issued);
                ending.permits(issued, latest_block(issued))
            };
            assert!(acknowledges(last), "{name}");
            assert!(!acknowledges(last + 1) || name == "none", "{name}: one later");
            // What it acknowledges is taken by every block that comes in the ten days after it.
            let taken = (0..=10)
                .all(|days| ending.permits(UnixMillis::new(last), UnixMillis::new(last.saturating_add(days * DAY))));
            assert!(taken, "{name}");
        }
    }

    #[test]
    fn a_moved_end_counts_from_its_own_recording_and_what_is_over_stays_over() {
        let at = UnixMillis::new;
        let first = Ending::planned(0).moved_to(NOW + 60 * DAY, at(NOW));
        assert_eq!(first, Ending::new(NOW + 60 * DAY, NOW));
        // The key is stolen before its planned end: what was issued before the theft may still be on its way.
        let (theft, found) = (NOW + 20 * DAY, NOW + 32 * DAY);
        let second = first.moved_to(theft, at(found));
        assert_eq!(second, Ending::new(theft, found));
        assert!(second.permits(at(theft - 1), at(found + GRACE)));
        // The same ending again does not prolong the grace.
        assert_eq!(second.moved_to(theft, at(found + 5 * DAY)), second);
        // The grace is over: an earlier date, set for the record, lets nothing in again.
        let late = at(found + GRACE + 1);
        let third = second.moved_to(theft - DAY, late);
        assert_eq!(third, Ending::new(theft - DAY, found));
        assert!(!third.permits(at(theft - DAY - 1), late));
        // A suspension that is dated later or lifted lets records in again.
        assert!(second.moved_to(theft + 90 * DAY, late).permits(at(theft + DAY), late));
        assert_eq!(second.moved_to(0, late), Ending::planned(0));
    }
}
