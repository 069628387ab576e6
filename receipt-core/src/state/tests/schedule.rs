//! Who proposes: how long a validator that missed its turns is skipped, how many at once, and what clears it.

use super::ledger::{Ledger, validator_set};
use crate::block::BlockContent;
use crate::ids::{Height, ValidatorId};
use crate::state::schedule::{Schedule, proposer_order};
use crate::state::{BlockRefusal, read_schedule};
use crate::validators::ValidatorSet;

fn id(value: u32) -> ValidatorId {
    ValidatorId::new(value)
}

/// The order of a height if nobody ever missed a turn.
fn order_by_turns(set: &ValidatorSet, height: Height) -> Vec<ValidatorId> {
    proposer_order(set, &Schedule::default(), height)
}

/// How many members are skipped at a height.
fn skipped(set: &ValidatorSet, schedule: &Schedule, height: Height) -> usize {
    let records = Schedule::encode(schedule);
    let until = |record: &[u8]| u64::from_be_bytes(record[8..].try_into().unwrap());
    let ids = |record: &[u8]| id(u32::from_be_bytes(record[..4].try_into().unwrap()));
    let (records, rest) = records.as_chunks::<16>();
    assert!(rest.is_empty());
    records.iter().filter(|r| set.member(ids(*r)).is_some() && until(*r) > height.get()).count()
}

#[test]
fn a_miss_costs_2_4_8_up_to_64_own_turns() {
    for members in [4_u32, 7, 10] {
        let set = validator_set(1..=members);
        let mut schedule = Schedule::default();
        let mut height = Height::new(1);
        for misses in 1..=8_u32 {
            // On to a height that is member 1's own.
            while proposer_order(&set, &schedule, height)[0] != id(1) {
                let proposer = proposer_order(&set, &schedule, height)[0];
                schedule.after_block(&set, height, proposer, 0);
                height = height.next().unwrap();
            }
            let second = proposer_order(&set, &schedule, height)[1];
            schedule.after_block(&set, height, second, 1);
            let mut turns_lost = 0;
            loop {
                height = height.next().unwrap();
                let order = proposer_order(&set, &schedule, height);
                let own_turn = order_by_turns(&set, height)[0] == id(1);
                if own_turn && order[0] == id(1) {
                    break;
                }
                assert!(!order.starts_with(&[id(1)]));
                turns_lost += u64::from(own_turn);
                schedule.after_block(&set, height, order[0], 0);
            }
            assert_eq!(turns_lost, (1 << misses).min(64), "miss {misses} of {members} members");
        }
        // One success, and the count starts anew.
        schedule.after_block(&set, height, id(1), 0);
        assert_eq!(schedule, Schedule::default());
    }
}

#[test]
fn the_skipped_stand_last_and_can_still_save_a_height() {
    let set = validator_set(1..=4);
    let mut schedule = Schedule::default();
    // Height 4 is member 1's; 2 proposes in round 1.
    schedule.after_block(&set, Height::new(4), id(2), 1);
    assert_eq!(proposer_order(&set, &schedule, Height::new(5)), [id(2), id(3), id(4), id(1)]);
    assert_eq!(proposer_order(&set, &schedule, Height::new(6)), [id(3), id(4), id(2), id(1)]);
    // In round 3 of height 6 member 1 proposes: it is back, 3 is skipped, and f = 1 allows no more.
    schedule.after_block(&set, Height::new(6), id(1), 3);
    assert_eq!(proposer_order(&set, &schedule, Height::new(7)), [id(4), id(1), id(2), id(3)]);
    assert_eq!(proposer_order(&set, &schedule, Height::new(8)), [id(1), id(2), id(4), id(3)]);
}

#[test]
fn random_rounds_keep_the_invariants() {
    // A linear congruential generator: the seed is the test's.
    let mut random = 20_261_102_u64;
    let mut next = |below: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % below
    };
    for members in 1..=10_u32 {
        let set = validator_set(1..=members);
        let mut schedule = Schedule::default();
        for height in (1..400).map(Height::new) {
            let order = proposer_order(&set, &schedule, height);
            let mut sorted = order.clone();
            sorted.sort();
            assert_eq!(sorted, (1..=members).map(id).collect::<Vec<_>>(), "a permutation");
            let round = if next(2) == 0 { 0 } else { u32::try_from(next(u64::from(members) * 3)).unwrap() };
            let proposer = order[round as usize % order.len()];
            schedule.after_block(&set, height, proposer, round);
            let after = height.next().unwrap();
            assert!(skipped(&set, &schedule, after) <= set.faults_max(), "at most f of {members}");
            assert_eq!(Schedule::decode(&schedule.encode()), Ok(schedule.clone()));
            let unskipped = order_by_turns(&set, after);
            if members < 4 {
                assert_eq!(proposer_order(&set, &schedule, after), unskipped, "f = 0 skips nobody");
            }
        }
    }
}

#[test]
fn members_that_left_take_no_place_among_the_skipped() {
    let mut schedule = Schedule::default();
    // Member 1 of the old set missed its turn at height 4; the new set does not have it.
    schedule.after_block(&validator_set(1..=4), Height::new(4), id(2), 1);
    let set = validator_set(2..=5);
    let order = proposer_order(&set, &schedule, Height::new(5));
    schedule.after_block(&set, Height::new(5), order[1], 1);
    let order_after = proposer_order(&set, &schedule, Height::new(9));
    assert_eq!((order[0], order_after.last()), (id(3), Some(&id(3))));
}

#[test]
fn blocks_count_the_missed_turns() {
    let mut ledger = Ledger::new();
    let at = |ledger: &Ledger, proposer, round| BlockContent {
        proposer: id(proposer),
        proposer_round: round,
        ..ledger.content(Vec::new())
    };
    // Height 1 is member 2's; 4 proposes in round 2. f = 1: only 2 is skipped, 3 is not.
    let content = at(&ledger, 4, 2);
    let effects = ledger.execute(content).unwrap();
    ledger.commit(&effects);
    let schedule = read_schedule(&ledger.state).unwrap();
    assert_eq!(
        hex::encode(schedule.encode()),
        concat!("0000000200000001000000000000000a", "00000003000000010000000000000000"),
        "2: one miss, until height 1 + 2 · 4 + 1; 3: one miss, not skipped"
    );
    // Height 2: 3, 4, 1, and 2 last. Height 5 would be 2's.
    assert_eq!(ledger.execute(at(&ledger, 2, 2)).err(), Some(BlockRefusal::Proposer));
    ledger.execute(at(&ledger, 2, 3)).unwrap();
    for _ in 2..=4 {
        ledger.add(Vec::new()).unwrap();
    }
    assert_eq!(ledger.execute(at(&ledger, 2, 0)).err(), Some(BlockRefusal::Proposer));
    ledger.execute(at(&ledger, 3, 0)).unwrap();
}
