//! When an idle chain rests and when it goes on.
//!
//! After each decision the engine asks which height to start. While nobody has anything to propose, that answer is held
//! back: no timer runs, no block is made, and nodes that are behind are still served. (Holding back a *proposal* instead would block
//! everything: rounds would climb.) This file decides; it holds no channel and calls nobody.
//!
//! A node without work of its own goes on when another validator acts on the next height (a proposal, its parts, or a vote for a
//! block; a vote for nil does not count, as a node that restarts alone casts one), but not before [`REST_MIN`] has passed: most
//! of this is heard before any signature is checked, and whoever acts for no reason must not keep an idle chain at full
//! speed. It goes on at once while it is catching up. If peers announce a higher tip and nothing else happens, it goes on
//! after a pause; each time that nobody then has a block for it, the pause doubles, so a false announcement costs little,
//! however long it is believed.

use std::time::Duration;

/// How long a node without work rests at least after a decision, whoever acts.
const REST_MIN: Duration = Duration::from_secs(1);
/// How long a resting node ignores peers that say they are ahead, unless it is catching up.
const LEFT_BEHIND_AFTER: Duration = Duration::from_secs(2);
/// How often that pause doubles at most: about two minutes.
const DOUBLED_MAX: u32 = 6;
/// How far ahead of the height being decided activity is remembered.
const HEIGHTS_AHEAD: u64 = 2;

/// What is known of the others' progress.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Progress {
    /// The height being decided, or to be started next.
    deciding: u64,
    /// The highest height at which another validator acted, bounded.
    active: u64,
    /// The last height whose block came from a peer's store.
    synced: u64,
    /// Whether the height being decided was started only because peers said they were ahead.
    on_hearsay: bool,
    /// How often in a row that was not so.
    false_alarms: u32,
}

impl Progress {
    /// The height to decide changed: the one before it is decided.
    pub(crate) fn deciding(&mut self, height: u64) {
        self.deciding = height;
        if std::mem::take(&mut self.on_hearsay) && !self.is_catching_up() {
            self.false_alarms = (self.false_alarms + 1).min(DOUBLED_MAX);
        }
    }

    fn is_catching_up(&self) -> bool {
        self.synced.saturating_add(1) == self.deciding
    }

    /// Another validator acted at this height.
    pub(crate) fn acted(&mut self, height: u64) {
        self.active = self.active.max(height.min(self.deciding.saturating_add(HEIGHTS_AHEAD)));
    }

    /// A block of this height came from a peer's store.
    pub(crate) fn synced(&mut self, height: u64) {
        self.synced = height;
        self.false_alarms = 0;
    }

    /// Must the height to decide be started now, whether there is work or not? If so, it is taken to be. `peer_tip` is the
    /// highest tip that peers announced, `rested` how long this node has rested already.
    pub(crate) fn must_go_on(&mut self, peer_tip: u64, rested: Duration) -> bool {
        let behind = peer_tip >= self.deciding;
        if (self.active >= self.deciding && rested >= REST_MIN) || (behind && self.is_catching_up()) {
            return true;
        }
        self.on_hearsay = behind && rested >= LEFT_BEHIND_AFTER * (1 << self.false_alarms);
        self.on_hearsay
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(deciding: u64) -> Progress {
        Progress { deciding, ..Progress::default() }
    }

    #[test]
    fn rests_until_somebody_acts_on_the_next_height() {
        let mut progress = at(7);
        assert!(!progress.must_go_on(6, Duration::MAX));
        progress.acted(6);
        assert!(!progress.must_go_on(6, Duration::MAX));
        progress.acted(7);
        assert!(progress.must_go_on(6, REST_MIN));
        progress.deciding(8);
        assert!(!progress.must_go_on(7, Duration::MAX));
    }

    #[test]
    fn activity_ahead_is_remembered_but_a_far_claim_does_not_last() {
        let mut progress = at(7);
        progress.acted(u64::MAX);
        for height in 7..=9 {
            progress.deciding(height);
            assert!(progress.must_go_on(height - 1, REST_MIN), "{height}");
        }
        progress.deciding(10);
        assert!(!progress.must_go_on(9, Duration::MAX));
    }

    /// Else one bogus vote, whose signature nobody has checked yet, starts three heights at once, and so on for ever.
    #[test]
    fn whoever_acts_a_node_without_work_rests_a_while() {
        let mut progress = at(7);
        progress.acted(9);
        for height in 7..=9 {
            progress.deciding(height);
            assert!(!progress.must_go_on(height - 1, Duration::from_millis(999)), "{height}");
            assert!(progress.must_go_on(height - 1, Duration::from_secs(1)), "{height}");
        }
    }

    #[test]
    fn catching_up_never_rests_and_stops_at_the_tip() {
        let mut progress = at(7);
        progress.synced(6);
        assert!(progress.must_go_on(9, Duration::ZERO));
        assert!(!progress.must_go_on(6, Duration::MAX));
    }

    #[test]
    fn a_node_left_behind_goes_on_after_the_pause() {
        let mut progress = at(7);
        assert!(!progress.must_go_on(7, Duration::from_millis(1999)));
        assert!(progress.must_go_on(7, Duration::from_secs(2)));
    }

    #[test]
    fn a_tip_that_nobody_has_ends_ever_fewer_rests_and_a_true_one_is_followed_at_once_again() {
        let mut progress = at(7);
        let rests = |progress: &mut Progress| {
            let mut seconds = (0..1000).map(Duration::from_secs);
            seconds.find(|rested| progress.must_go_on(1 << 62, *rested)).map(|rested| rested.as_secs())
        };
        for (height, expected) in (8..).zip([2, 4, 8, 16, 32, 64, 128, 128]) {
            assert_eq!(rests(&mut progress), Some(expected));
            // Decided by votes, not from a peer's store.
            progress.deciding(height);
        }
        assert_eq!(rests(&mut progress), Some(128));
        progress.synced(15);
        progress.deciding(16);
        assert_eq!(rests(&mut progress), Some(0), "catching up");
        progress.deciding(17);
        assert_eq!(rests(&mut progress), Some(2));
    }
}
