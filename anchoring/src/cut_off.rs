//! Whether what this process knows of the ledger is recent enough to acknowledge records by it.
//!
//! ```text
//! known ─────────────── 9 days ─────────────▶ nothing is acknowledged ── 1 day ──▶
//!   └ an end that is recorded right after it lets in what this process acknowledges, for ten days ┘
//! ```
//! A kind may be taken from a unit, or a segment closed, and a process that is cut off does not learn of it. What it acknowledges then is
//! taken if it arrives within ten days ([`Ending`]). So it goes on for nine of them, and what waits has a day to be delivered. One
//! that was started while it is cut off does not know how old its journal is, and acknowledges nothing at all ([`gate`](crate::gate)).

use receipt_core::limits;
#[cfg(doc)]
use receipt_core::state::Ending;

use crate::desk::Desk;
use crate::journal::JournalError;
use crate::quorum_time::QuorumTime;

/// Closes the gate if too much time has passed since what is known, and opens it when enough has been followed.
pub(crate) fn look(desk: &Desk, quorum_time: &QuorumTime) -> Result<(), JournalError> {
    let tip = desk.journal.followed_tip()?;
    let unheard_ms = quorum_time.unheard_ms(tip.time, tip.frontier.size());
    // Before it has caught up with the ledger the gate is closed anyway, and an old journal is no alarm.
    let is_cut_off = desk.gate.is_caught_up() && unheard_ms.is_some_and(|age| age > limits::LEDGER_UNHEARD_MS_MAX);
    if desk.gate.set_cut_off(is_cut_off) {
        let (height, hours) = (tip.height.get(), unheard_ms.unwrap_or(0) / 3_600_000);
        match is_cut_off {
            true => tracing::error!(
                followed_height = height,
                hours,
                "ALARM: nothing is issued until the ledger can be followed again: what was taken away since is not known here"
            ),
            false => tracing::info!(followed_height = height, "the ledger is followed again"),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use receipt_core::ids::{TreeSize, UnixMillis};
    use receipt_core::note::PosixSeconds;
    use receipt_core::testkit::TestChain;

    use super::*;
    use crate::gate::Closed;
    use crate::testkit::process::{TestProcess, desk_of, init};

    const DAY_S: u64 = 24 * 3600;

    struct CutOff {
        chain: TestChain,
        process: TestProcess,
        _dir: scratch::Directory,
    }

    /// A process that has followed the chain's only block, and has just seen the checkpoint of it.
    fn fixture() -> CutOff {
        let dir = scratch::Directory::new();
        let mut chain = TestChain::new();
        let process_journal = init(&dir.path().join("journal"), &chain);
        let mut process = TestProcess::start(process_journal, &chain);
        chain.add_block(&[]);
        process.follow(&chain);
        let cut_off = CutOff { chain, process, _dir: dir };
        cut_off.observe(0);
        cut_off
    }

    impl CutOff {
        fn now(&self) -> UnixMillis {
            self.process.quorum_time.latest().unwrap()
        }

        /// Sees a checkpoint of now, of a tree of so many leaves more than were followed.
        fn observe(&self, more: u64) {
            let tip = self.process.journal().followed_tip().unwrap();
            let now = self.process.quorum_time.latest().unwrap_or(tip.time);
            let size = TreeSize::new(tip.frontier.size().get() + more);
            self.process.quorum_time.observe(size, PosixSeconds::new(now.seconds()));
        }

        fn gate(&self) -> Result<(), Closed> {
            look(&self.process.desk, &self.process.quorum_time).unwrap();
            self.process.desk.gate.check()
        }
    }

    #[test]
    fn an_issuer_that_is_cut_off_stops_on_the_ninth_day_and_goes_on_when_it_has_followed() {
        let mut cut_off = fixture();
        assert_eq!(cut_off.gate(), Ok(()));
        cut_off.process.monotonic.advance_s(9 * DAY_S - 60);
        assert_eq!(cut_off.gate(), Ok(()), "a long holiday");
        cut_off.process.monotonic.advance_s(120);
        assert_eq!(cut_off.gate(), Err(Closed::CutOff));
        // It sees that there is more. That is not enough: it must have followed it.
        cut_off.observe(1);
        assert_eq!(cut_off.gate(), Err(Closed::CutOff));
        cut_off.chain.wait_until(cut_off.now());
        cut_off.chain.add_block(&[]);
        cut_off.process.follow(&cut_off.chain);
        assert_eq!(cut_off.gate(), Ok(()));
    }

    /// A block comes right after the start, and its checkpoint is seen before it is followed. The block before is weeks old.
    #[test]
    fn a_start_on_a_chain_that_rested_for_weeks_is_no_alarm() {
        let cut_off = fixture();
        cut_off.process.monotonic.advance_s(20 * DAY_S);
        cut_off.process.quorum_time.heard(PosixSeconds::new(cut_off.now().seconds()));
        cut_off.observe(1);
        assert_eq!(cut_off.gate(), Ok(()));
        // Before it has caught up: its journal is as old as it is.
        cut_off.process.monotonic.advance_s(10 * DAY_S);
        let dir = scratch::Directory::new();
        let chain = TestChain::new();
        let (desk, ..) = desk_of(&Arc::new(init(&dir.path().join("journal"), &chain)), &chain);
        look(&desk, &cut_off.process.quorum_time).unwrap();
        desk.gate.caught_up();
        assert_eq!(desk.gate.check(), Ok(()));
    }

    #[test]
    fn a_chain_on_which_nothing_happens_is_heard_of_all_the_same() {
        let cut_off = fixture();
        for _ in 0..20 {
            cut_off.process.monotonic.advance_s(DAY_S);
            cut_off.observe(0);
            assert_eq!(cut_off.gate(), Ok(()));
        }
        // Blocks that are withheld while the checkpoints come: what is in them is not known. The days count from the last checkpoint before.
        for day in 1..=9 {
            cut_off.observe(day);
            cut_off.process.monotonic.advance_s(DAY_S);
            assert_eq!(cut_off.gate(), Ok(()), "day {day}");
        }
        cut_off.process.monotonic.advance_s(1);
        cut_off.observe(10);
        assert_eq!(cut_off.gate(), Err(Closed::CutOff));
    }
}
