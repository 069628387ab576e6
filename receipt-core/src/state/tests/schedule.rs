//! Who proposes: how long a validator that missed its turns is skipped, how many at once, and what clears it.

use std::ops::Range;

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

/// Goes on with `schedule` while `dead` does not propose, up to a height (exclusive); the heights at which it was waited for.
fn heights_that_wait(set: &ValidatorSet, schedule: &mut Schedule, heights: Range<u64>, dead: ValidatorId) -> Vec<u64> {
    let mut waited = Vec::new();
    for height in heights {
        let order = proposer_order(set, schedule, Height::new(height));
        let round = usize::from(order[0] == dead);
        if round == 1 {
            waited.push(height);
        }
        schedule.after_block(set, Height::new(height), order[round], u32::try_from(round).unwrap());
    }
    waited
}

#[test]
fn a_miss_costs_32_own_turns_and_each_further_one_64() {
    for members in [4_u32, 7, 10] {
        let set = validator_set(1..=members);
        let mut schedule = Schedule::default();
        let n = u64::from(members);
        // Member 1's turns are the multiples of n.
        let waited = heights_that_wait(&set, &mut schedule, 1..400 * n, id(1));
        let expected = [1, 34, 99, 164, 229, 294, 359].map(|turn| turn * n);
        assert_eq!(waited, expected, "{members} members");
        // One success, and the count starts anew.
        let own = Height::new(424 * n);
        assert_eq!(proposer_order(&set, &schedule, own)[0], id(1));
        schedule.after_block(&set, own, id(1), 0);
        assert_eq!(schedule, Schedule::default());
    }
}

/// Wherever in the rotation it dies, and whoever missed a turn shortly before.
#[test]
fn of_four_a_dead_proposer_is_waited_for_once_in_a_hundred_heights() {
    let set = validator_set(1..=4);
    let mut runs = 0;
    for dead in 1..=4 {
        for dies_at in 300..=600 {
            for hiccup in [None, Some(7), Some(200), Some(298), Some(299)] {
                let mut schedule = Schedule::default();
                for height in (1..dies_at).map(Height::new) {
                    let round = usize::from(hiccup == Some(height.get()));
                    let proposer = proposer_order(&set, &schedule, height)[round];
                    schedule.after_block(&set, height, proposer, u32::try_from(round).unwrap());
                }
                let waited = heights_that_wait(&set, &mut schedule, dies_at..dies_at + 100, id(dead));
                let skipped_already = waited.is_empty();
                assert!(waited.len() <= 1, "{dead} dies at {dies_at}, {hiccup:?}: {waited:?}");
                assert!(!skipped_already || hiccup.is_some(), "{dead} dies at {dies_at}: its turn never came");
                runs += 1;
            }
        }
    }
    assert_eq!(runs, 4 * 301 * 5);
}

/// One row per case of n = 4, f = 1: who missed when, and who is skipped at which height.
#[test]
fn the_place_among_the_skipped_goes_to_whoever_comes_back_last() {
    type Row = (&'static str, &'static [(u64, u32, u32)], &'static [(u64, Option<u32>)]);
    // Misses: height, round of the block, its proposer. Height h is the turn of member h mod 4 + 1.
    let rows: [Row; 6] = [
        ("a miss", &[(4, 1, 2)], &[(5, Some(1)), (132, Some(1)), (133, None)]),
        (
            "a newer miss takes the place of an older one",
            &[(4, 1, 2), (5, 1, 3)],
            &[(6, Some(2)), (133, Some(2)), (134, None)],
        ),
        ("a block of its own ends it", &[(4, 1, 2), (5, 3, 1)], &[(6, Some(2))]),
        ("all others miss one height: whoever has missed before", &[(4, 1, 2), (5, 1, 3), (6, 3, 2)], &[(7, Some(1))]),
        ("two at one height: the lower id", &[(4, 2, 3)], &[(5, Some(1))]),
        (
            "a second miss outlasts another's first",
            &[(4, 1, 2), (136, 1, 2), (137, 1, 3)],
            &[(138, Some(1)), (392, Some(1))],
        ),
    ];
    for (name, misses, expected) in rows {
        let set = validator_set(1..=4);
        let mut schedule = Schedule::default();
        for (height, round, proposer) in misses {
            let order = proposer_order(&set, &schedule, Height::new(*height));
            assert_eq!(order[*round as usize], id(*proposer), "{name}: {order:?} at {height}");
            schedule.after_block(&set, Height::new(*height), id(*proposer), *round);
        }
        for (height, skipped) in expected {
            let turns = order_by_turns(&set, Height::new(*height));
            let mut order: Vec<_> = turns.iter().copied().filter(|member| Some(*member) != skipped.map(id)).collect();
            order.extend(skipped.map(id));
            assert_eq!(proposer_order(&set, &schedule, Height::new(*height)), order, "{name}, height {height}");
        }
    }
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
            assert_eq!(Schedule::decode(&schedule.encode()), Ok(schedule.clone()));
            // All but at most f stand in the order of turns, and these f behind them.
            let (order, turns) = (proposer_order(&set, &schedule, after), order_by_turns(&set, after));
            let active = set.members().len() - set.faults_max();
            let place = |member: &ValidatorId| turns.iter().position(|other| other == member);
            assert!(order[..active].is_sorted_by_key(place), "at most f of {members} are skipped: {order:?}");
        }
    }
}

#[test]
fn members_that_left_take_no_place_among_the_skipped() {
    // Member 1 missed its turn at height 8, after 3 at height 6; the new set does not have 1.
    let mut schedule = Schedule::default();
    let old = validator_set(1..=4);
    schedule.after_block(&old, Height::new(6), id(4), 1);
    schedule.after_block(&old, Height::new(8), id(2), 1);
    assert_eq!(proposer_order(&old, &schedule, Height::new(9)).last(), Some(&id(1)));
    let set = validator_set(2..=5);
    assert_eq!(proposer_order(&set, &schedule, Height::new(9)), [id(4), id(5), id(2), id(3)], "3 is skipped");
    schedule.after_block(&set, Height::new(9), id(4), 0);
    assert_eq!(hex::encode(schedule.encode()), concat!("00000003", "00000001", "0000000000000087"));
}

/// Seven members may skip two, four only one.
#[test]
fn a_smaller_set_skips_fewer() {
    let mut schedule = Schedule::default();
    let seven = validator_set(1..=7);
    // Height 7 is the turn of 1, height 8 that of 2.
    schedule.after_block(&seven, Height::new(7), id(2), 1);
    schedule.after_block(&seven, Height::new(8), id(3), 1);
    let order = proposer_order(&seven, &schedule, Height::new(14));
    assert_eq!(order, [3, 4, 5, 6, 7, 1, 2].map(id));
    let order = proposer_order(&validator_set(1..=4), &schedule, Height::new(12));
    assert_eq!(order, [1, 3, 4, 2].map(id), "the one whose turns come back last");
}

#[test]
fn blocks_count_the_missed_turns() {
    let mut ledger = Ledger::new();
    let at = |ledger: &Ledger, proposer, round| BlockContent {
        proposer: id(proposer),
        proposer_round: round,
        ..ledger.content(Vec::new())
    };
    // Height 1 is member 2's; 4 proposes in round 2. f = 1: of 2 and 3 only 2 is skipped.
    let content = at(&ledger, 4, 2);
    let effects = ledger.execute(content).unwrap();
    ledger.commit(&effects);
    let schedule = read_schedule(&ledger.state).unwrap();
    assert_eq!(
        hex::encode(schedule.encode()),
        concat!("00000002000000010000000000000082", "00000003000000010000000000000082"),
        "2 and 3: one miss each, until height 1 + 32 · 4 + 1 = 130"
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
