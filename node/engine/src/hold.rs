//! When an idle chain rests and when it goes on.
//!
//! After each decision the engine asks which height to start. While nobody has anything to propose, that answer is held
//! back: no timer runs, no block is made, and nodes that are behind are still served. (Holding back a *proposal* instead would block
//! everything: rounds would climb.) This file decides; it holds no channel and calls nobody.
//!
//! A node goes on at once when another validator acts on the next height (a proposal, its parts, or a vote for a block;
//! a vote for nil does not count, as a node that restarts alone casts one), or when it is catching up. If peers announce
//! a higher tip and nothing else happens, it goes on after a pause: a false announcement then costs little.

use std::time::Duration;

/// How long a resting node ignores peers that say they are ahead, unless it is catching up.
const LEFT_BEHIND_AFTER: Duration = Duration::from_secs(2);
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
}

impl Progress {
    /// The height to decide changed.
    pub(crate) fn deciding(&mut self, height: u64) {
        self.deciding = height;
    }

    /// Another validator acted at this height.
    pub(crate) fn acted(&mut self, height: u64) {
        self.active = self.active.max(height.min(self.deciding.saturating_add(HEIGHTS_AHEAD)));
    }

    /// A block of this height came from a peer's store.
    pub(crate) fn synced(&mut self, height: u64) {
        self.synced = height;
    }

    /// Must the height to decide be started now, whether there is work or not? `peer_tip` is the highest tip that peers
    /// announced, `rested` how long this node has rested already.
    pub(crate) fn must_go_on(&self, peer_tip: u64, rested: Duration) -> bool {
        let behind = peer_tip >= self.deciding;
        let catching_up = self.synced.saturating_add(1) == self.deciding;
        self.active >= self.deciding || (behind && (catching_up || rested >= LEFT_BEHIND_AFTER))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(deciding: u64) -> Progress {
        Progress { deciding, active: 0, synced: 0 }
    }

    #[test]
    fn rests_until_somebody_acts_on_the_next_height() {
        let mut progress = at(7);
        assert!(!progress.must_go_on(6, Duration::MAX));
        progress.acted(6);
        assert!(!progress.must_go_on(6, Duration::MAX));
        progress.acted(7);
        assert!(progress.must_go_on(6, Duration::ZERO));
        progress.deciding(8);
        assert!(!progress.must_go_on(7, Duration::MAX));
    }

    #[test]
    fn activity_ahead_is_remembered_but_a_far_claim_does_not_last() {
        let mut progress = at(7);
        progress.acted(u64::MAX);
        for height in 7..=9 {
            progress.deciding(height);
            assert!(progress.must_go_on(height - 1, Duration::ZERO), "{height}");
        }
        progress.deciding(10);
        assert!(!progress.must_go_on(9, Duration::ZERO));
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
        let progress = at(7);
        assert!(!progress.must_go_on(7, Duration::from_millis(1999)));
        assert!(progress.must_go_on(7, Duration::from_secs(2)));
    }
}
