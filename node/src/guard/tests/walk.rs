//! Whatever an engine without a memory asks for, in whatever order, across restarts: what is signed never breaks a rule.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % bound
    }

    fn request(&mut self, height: u64) -> SignRequest {
        let round = self.below(6) as u32;
        let block_id = [None, Some(A), Some(B)][self.below(3) as usize];
        let earlier = self.below(u64::from(round) + 1) as u32;
        match self.below(5) {
            0 => proposal(height, round, Some(earlier).filter(|earlier| *earlier < round), block_id.unwrap_or(A)),
            1 | 2 => {
                let polka_round = Some(earlier).filter(|earlier| *earlier < round && block_id.is_some());
                SignRequest::Prevote { slot: slot(height, round), block_id, polka_round, untimely: self.below(8) == 0 }
            }
            _ => precommit(height, round, block_id),
        }
    }
}

/// Everything that left, in order, and the polka that was shown for it.
#[derive(Default)]
struct Seen {
    by_slot: BTreeMap<(VoteSlot, u8), Vec<u8>>,
    newest: Option<(VoteSlot, u8)>,
    lock: Option<(VoteSlot, BlockId)>,
    voted: BTreeSet<(u64, BlockId)>,
}

impl Seen {
    fn take(&mut self, statement: &SignRequest, polka_round: Option<u32>, untimely: bool) {
        let (at, block_id) = match *statement {
            SignRequest::Proposal { slot, block_id, .. } => ((slot, 0), Some(block_id)),
            SignRequest::Prevote { slot, block_id, .. } => ((slot, 1), block_id),
            SignRequest::Precommit { slot, block_id } => ((slot, 2), block_id),
            _ => panic!("not asked for"),
        };
        let bytes = preimage(statement);
        if let Some(known) = self.by_slot.get(&at) {
            assert_eq!(*known, bytes, "a second statement at {at:?}");
            return;
        }
        self.by_slot.insert(at, bytes);
        if at.1 == 0 {
            return;
        }
        if let Some(block_id) = block_id {
            assert!(self.newest.is_none_or(|newest| newest < at), "a block after {:?} at {at:?}", self.newest);
            let lock = self.lock.filter(|(locked_at, _)| locked_at.height == at.0.height);
            if let (1, Some((locked_at, locked))) = (at.1, lock) {
                let free = locked == block_id || polka_round.is_some_and(|polka| polka >= locked_at.round);
                assert!(free, "locked at {locked_at:?}, another block at {at:?}");
            }
            let is_first = self.voted.insert((at.0.height, block_id));
            assert!(at.1 == 2 || !is_first || !untimely, "an untimely block at {at:?}");
            if at.1 == 2 {
                self.lock = Some((at.0, block_id));
            }
        }
        self.newest = self.newest.max(Some(at));
    }
}

#[test]
fn no_order_of_questions_breaks_a_rule() {
    for seed in 0..40 {
        let directory = scratch::Directory::new();
        Guard::create(&path(&directory), CHAIN).unwrap();
        let mut random = Random(seed);
        let mut seen = Seen::default();
        let mut signer = open(&directory);
        let mut blocks = 0;
        for step in 0..120 {
            if random.below(10) == 0 {
                signer = open(&directory);
            }
            let is_old = random.below(20) == 0 && step >= 40;
            let request = random.request(1 + step / 40 - u64::from(is_old));
            let (polka_round, untimely) = match &request {
                SignRequest::Prevote { polka_round, untimely, .. } => (*polka_round, *untimely),
                _ => (None, false),
            };
            if let Some(statement) = ask(&signer, &request) {
                blocks += u32::from(preimage(&statement) == preimage(&request));
                seen.take(&statement, polka_round, untimely);
            }
        }
        assert!(blocks > 10, "seed {seed}: hardly anything was given as asked");
    }
}
