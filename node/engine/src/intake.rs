//! Which blocks of the height being decided went to the application and to the engine.
//!
//! Judging a block costs an execution and a synced write. A proposer that streams ever new blocks would keep this node at that
//! and nothing else, so of one sender at most [`BLOCKS_PER_ROUND_MAX`] blocks a round are judged. An honest validator sends one
//! block a round. The sender is the one whose signature is on the stream, not the proposer: from a late round on
//! everybody may send the proposer's block, and must not use up the proposer's share. Nor can anybody else use up a sender's:
//! its signature covers every byte of the block (`streaming`).

use std::collections::{BTreeMap, BTreeSet};

use crate::types::{BlockId, MemberId};

/// One, and one more: two blocks of one proposer are evidence against it, which the engine keeps.
const BLOCKS_PER_ROUND_MAX: u32 = 2;

/// Which blocks of the height being decided were delivered to the engine, and how many of each sender were judged.
#[derive(Debug, Default)]
pub(crate) struct Intake {
    delivered: BTreeSet<(u32, BlockId)>,
    judged: BTreeMap<(u32, MemberId), u32>,
}

impl Intake {
    /// The engine gets this block for this round. False if it has it already.
    pub(crate) fn deliver(&mut self, round: u32, block_id: BlockId) -> bool {
        self.delivered.insert((round, block_id))
    }

    /// May the application be asked about this block of this sender? Counts as asked.
    pub(crate) fn may_judge(&mut self, round: u32, sender: MemberId, block_id: &BlockId) -> bool {
        if self.delivered.contains(&(round, *block_id)) {
            return false;
        }
        let judged = self.judged.entry((round, sender)).or_default();
        let may = *judged < BLOCKS_PER_ROUND_MAX;
        *judged += u32::from(may);
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: MemberId = MemberId::new(1);
    const TWO: MemberId = MemberId::new(2);

    fn block(number: u32) -> BlockId {
        let mut id = [0; 32];
        id[..4].copy_from_slice(&number.to_be_bytes());
        BlockId(id)
    }

    #[test]
    fn a_proposer_that_streams_ever_new_blocks_is_judged_twice_a_round() {
        let mut intake = Intake::default();
        let judged = (0..10_000).filter(|number| intake.may_judge(0, ONE, &block(*number))).count();
        assert_eq!(judged, 2);
        assert!(intake.may_judge(1, ONE, &block(7)), "another round");
        assert!(intake.may_judge(0, TWO, &block(7)), "another sender");
        assert_eq!(intake.judged.len(), 3);
    }

    #[test]
    fn bytes_that_are_not_the_block_use_up_the_sender_s_share_only() {
        let mut intake = Intake::default();
        // The application ignores these bytes, so the block is never delivered.
        assert!(intake.may_judge(12, TWO, &block(7)));
        assert!(intake.may_judge(12, TWO, &block(7)));
        assert!(!intake.may_judge(12, TWO, &block(7)));
        assert!(intake.may_judge(12, ONE, &block(7)));
    }

    #[test]
    fn a_delivered_block_is_judged_and_delivered_once_a_round() {
        let mut intake = Intake::default();
        assert!(intake.may_judge(0, ONE, &block(1)));
        assert!(intake.deliver(0, block(1)));
        assert!(!intake.may_judge(0, ONE, &block(1)));
        assert!(!intake.may_judge(0, TWO, &block(1)));
        assert!(!intake.deliver(0, block(1)));
        assert!(intake.may_judge(4, ONE, &block(1)), "proposed again");
        assert!(intake.may_judge(0, ONE, &block(2)), "known blocks do not count");
    }
}
