//! The order of proposers and the schedule's row in the state, over heights with missed turns.

use receipt_core::ids::{Height, ValidatorId};
use receipt_core::state::{Schedule, proposer_order};
use receipt_core::testkit::TestValidator;
use receipt_core::validators::ValidatorSet;
use serde_json::{Value, json};

/// A run of heights: the members, and the round of each block.
fn run(name: &str, sets: &[(u64, &[u32])], rounds: &[(u64, u32)]) -> Value {
    let mut schedule = Schedule::default();
    let mut rows = Vec::new();
    for (height, round) in rounds {
        let members = sets.iter().rev().find(|(first, _)| first <= height).unwrap().1;
        let validators = members.iter().map(|id| TestValidator::new(*id).public()).collect();
        let set = ValidatorSet::new(validators).unwrap();
        let order = proposer_order(&set, &schedule, Height::new(*height));
        let proposer = order[*round as usize % order.len()];
        let before = hex::encode(schedule.encode());
        schedule.after_block(&set, Height::new(*height), proposer, *round);
        rows.push(json!({
            "height": height,
            "members": members,
            "before": before,
            "order": order.into_iter().map(ValidatorId::get).collect::<Vec<_>>(),
            "proposer_round": round,
            "proposer_id": proposer.get(),
            "after": hex::encode(schedule.encode()),
        }));
    }
    json!({ "name": name, "blocks": rows })
}

#[test]
fn schedule_json() {
    let four: &[u32] = &[1, 2, 3, 4];
    let runs = [
        run(
            "one of four is dead: skipped for 32 turns, then for 64",
            &[(0, four)],
            &[(4, 1), (5, 0), (8, 0), (132, 0), (136, 1), (392, 0), (396, 1), (652, 0)],
        ),
        run("a newer miss takes the place of an older one", &[(0, four)], &[(4, 1), (5, 1), (6, 0), (8, 0), (9, 0)]),
        run("the skipped one saves a height", &[(0, four)], &[(4, 1), (6, 3), (7, 0), (8, 0)]),
        run("more rounds than members", &[(0, four)], &[(4, 9), (5, 4), (6, 0), (7, 0), (8, 0)]),
        run("f is 0", &[(0, &[1, 2, 3])], &[(3, 1), (4, 2), (6, 0)]),
        run(
            "of seven two, of four one is skipped; one that left is forgotten",
            &[(0, &[1, 2, 3, 4, 5, 6, 7]), (15, &[2, 3, 5, 6])],
            &[(7, 1), (8, 1), (10, 2), (14, 0), (15, 0), (16, 0), (17, 1), (18, 0)],
        ),
    ];
    super::check("schedule.json", &json!({ "runs": runs }));
}
