//! When an idle chain rests and when it goes on.
//!
//! After each decision the engine asks which height to start. While nobody has anything to propose, that answer is held
//! back: no timer runs, no block is made, and nodes that are behind are still served. (Holding back a *proposal* instead would block
//! everything: rounds would climb.) This file decides; it holds no channel and calls nobody.
//!
//! A node without work of its own goes on when another validator acts on the next height, by its signature (a proposal, its parts,
//! or a vote for a block; a vote for nil does not count, as a node that restarts alone casts one), but not before [`REST_MIN`] has
//! passed. Each time that the height then carries nothing, the pause for this validator doubles, so that one that acts for no
//! reason drives an idle chain at a block in a minute, and not at one a second. It goes on at once while it is catching up. If
//! peers announce a higher tip and nothing else happens, it goes on after a pause; each time that nobody then has a block for it,
//! the pause doubles, so a false announcement costs little, however long it is believed.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::types::MemberId;

/// How long a node without work rests at least after a decision, whoever acts.
const REST_MIN: Duration = Duration::from_secs(1);
/// How long a resting node ignores peers that say they are ahead, unless it is catching up.
const LEFT_BEHIND_AFTER: Duration = Duration::from_secs(2);
/// How often a pause doubles at most: one and two minutes.
const DOUBLED_MAX: u32 = 6;
/// How far ahead of the height being decided activity is remembered.
const HEIGHTS_AHEAD: u64 = 2;

/// What the other validators do at the heights to come, as far as it ends this node's rest.
#[derive(Clone, Debug, Default)]
pub(crate) struct PeerActivity {
    /// The height being decided, or to be started next.
    deciding: u64,
    /// The highest height at which each other validator acted, bounded.
    active: BTreeMap<MemberId, u64>,
    /// Whose act alone was the cause to start the height being decided.
    roused_by: Option<MemberId>,
    /// How often in a row a validator was such a cause, and the height carried nothing.
    roused_in_vain: BTreeMap<MemberId, u32>,
    /// The last height whose block came from a peer's store.
    synced: u64,
    /// Whether the height being decided was started only because peers said they were ahead.
    on_hearsay: bool,
    /// How often in a row that was not so.
    false_alarms: u32,
}

impl PeerActivity {
    /// The height to decide changed: the one before it is decided, and `carried` something or not.
    pub(crate) fn deciding(&mut self, height: u64, carried: bool) {
        self.deciding = height;
        match self.roused_by.take() {
            Some(member) if carried => _ = self.roused_in_vain.remove(&member),
            Some(member) => {
                let count = self.roused_in_vain.entry(member).or_default();
                *count = (*count + 1).min(DOUBLED_MAX);
            }
            None => {}
        }
        if std::mem::take(&mut self.on_hearsay) && !self.is_catching_up() {
            self.false_alarms = (self.false_alarms + 1).min(DOUBLED_MAX);
        }
    }

    fn is_catching_up(&self) -> bool {
        self.synced.saturating_add(1) == self.deciding
    }

    /// Whether this act of another validator says more than is known of it.
    pub(crate) fn is_news(&self, member: MemberId, height: u64) -> bool {
        height >= self.deciding && self.active.get(&member).is_none_or(|known| *known < self.bounded(height))
    }

    /// Another validator acted at this height; its signature was checked.
    pub(crate) fn acted(&mut self, member: MemberId, height: u64) {
        let height = self.bounded(height);
        let known = self.active.entry(member).or_default();
        *known = height.max(*known);
    }

    fn bounded(&self, height: u64) -> u64 {
        height.min(self.deciding.saturating_add(HEIGHTS_AHEAD))
    }

    /// A validator that acts at the height to decide, and after whose act this node has rested long enough.
    fn rouser(&self, rested: Duration) -> Option<MemberId> {
        let pause = |member| REST_MIN * (1 << self.roused_in_vain.get(member).copied().unwrap_or(0));
        let mut acting = self.active.iter().filter(|(_, height)| **height >= self.deciding);
        acting.find(|(member, _)| rested >= pause(member)).map(|(member, _)| *member)
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
        if behind && self.is_catching_up() {
            return true;
        }
        self.roused_by = self.rouser(rested);
        if self.roused_by.is_some() {
            return true;
        }
        self.on_hearsay = behind && rested >= LEFT_BEHIND_AFTER * (1 << self.false_alarms);
        self.on_hearsay
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OTHER: MemberId = MemberId::new(2);

    fn at(deciding: u64) -> PeerActivity {
        PeerActivity { deciding, ..PeerActivity::default() }
    }

    #[test]
    fn rests_until_somebody_acts_on_the_next_height() {
        let mut activity = at(7);
        assert!(!activity.must_go_on(6, Duration::MAX));
        activity.acted(OTHER, 6);
        assert!(!activity.must_go_on(6, Duration::MAX));
        activity.acted(OTHER, 7);
        assert!(activity.must_go_on(6, REST_MIN));
        activity.deciding(8, true);
        assert!(!activity.must_go_on(7, Duration::MAX));
    }

    #[test]
    fn activity_ahead_is_remembered_but_a_far_claim_does_not_last() {
        let mut activity = at(7);
        activity.acted(OTHER, u64::MAX);
        for height in 7..=9 {
            activity.deciding(height, true);
            assert!(activity.must_go_on(height - 1, REST_MIN), "{height}");
        }
        activity.deciding(10, true);
        assert!(!activity.must_go_on(9, Duration::MAX));
    }

    /// Else one vote starts three heights at once, and so on for ever.
    #[test]
    fn whoever_acts_a_node_without_work_rests_a_while() {
        let mut activity = at(7);
        activity.acted(OTHER, 9);
        for height in 7..=9 {
            activity.deciding(height, true);
            assert!(!activity.must_go_on(height - 1, Duration::from_millis(999)), "{height}");
            assert!(activity.must_go_on(height - 1, Duration::from_secs(1)), "{height}");
        }
    }

    /// Seconds of rest before a node without work goes on.
    fn rest_s(activity: &mut PeerActivity) -> Option<u64> {
        (0..1000).find(|seconds| activity.must_go_on(0, Duration::from_secs(*seconds)))
    }

    /// Else one validator that votes for nothing at all keeps an idle chain at a block a second, for ever.
    #[test]
    fn a_validator_that_rouses_for_nothing_is_waited_for_ever_longer_and_only_that_one() {
        let mut activity = at(7);
        for (height, expected) in (7..).zip([1, 2, 4, 8, 16, 32, 64, 64]) {
            activity.acted(OTHER, height);
            assert_eq!(rest_s(&mut activity), Some(expected), "height {height}");
            activity.deciding(height + 1, false);
        }
        // Another member is heard as before; each has a count of its own.
        let third = MemberId::new(3);
        activity.acted(OTHER, 15);
        activity.acted(third, 15);
        assert_eq!(rest_s(&mut activity), Some(1));
        activity.deciding(16, true);
        // If this node has work itself, no other member is the cause of the height.
        activity.deciding(17, false);
        activity.acted(third, 17);
        assert_eq!(rest_s(&mut activity), Some(1));
        activity.deciding(18, true);
        // The height had work after all, so the member did not drive an idle chain.
        activity.acted(OTHER, 18);
        assert_eq!(rest_s(&mut activity), Some(64));
        activity.deciding(19, true);
        activity.acted(OTHER, 19);
        assert_eq!(rest_s(&mut activity), Some(1));
    }

    #[test]
    fn an_act_is_checked_once() {
        let mut activity = at(7);
        assert!(!activity.is_news(OTHER, 6), "decided");
        assert!(activity.is_news(OTHER, 7));
        activity.acted(OTHER, 7);
        assert!(!activity.is_news(OTHER, 7) && activity.is_news(OTHER, 8));
        activity.acted(OTHER, u64::MAX);
        assert!(!activity.is_news(OTHER, u64::MAX), "bounded");
    }

    #[test]
    fn catching_up_never_rests_and_stops_at_the_tip() {
        let mut activity = at(7);
        activity.synced(6);
        assert!(activity.must_go_on(9, Duration::ZERO));
        assert!(!activity.must_go_on(6, Duration::MAX));
    }

    #[test]
    fn a_node_left_behind_goes_on_after_the_pause() {
        let mut activity = at(7);
        assert!(!activity.must_go_on(7, Duration::from_millis(1999)));
        assert!(activity.must_go_on(7, Duration::from_secs(2)));
    }

    #[test]
    fn a_tip_that_nobody_has_ends_ever_fewer_rests_and_a_true_one_is_followed_at_once_again() {
        let mut activity = at(7);
        let rests = |activity: &mut PeerActivity| {
            let mut seconds = (0..1000).map(Duration::from_secs);
            seconds.find(|rested| activity.must_go_on(1 << 62, *rested)).map(|rested| rested.as_secs())
        };
        for (height, expected) in (8..).zip([2, 4, 8, 16, 32, 64, 128, 128]) {
            assert_eq!(rests(&mut activity), Some(expected));
            // This height is decided by votes, not fetched from a peer.
            activity.deciding(height, false);
        }
        assert_eq!(rests(&mut activity), Some(128));
        activity.synced(15);
        activity.deciding(16, true);
        assert_eq!(rests(&mut activity), Some(0), "catching up");
        activity.deciding(17, true);
        assert_eq!(rests(&mut activity), Some(2));
    }
}
