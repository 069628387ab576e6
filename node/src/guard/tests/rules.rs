//! The rules as a table: what was said, what is asked, what is given.

use super::*;

struct Row {
    rule: &'static str,
    said: Vec<SignRequest>,
    asked: SignRequest,
    /// `None`: refused.
    given: Option<SignRequest>,
}

fn row(rule: &'static str, said: &[SignRequest], asked: &SignRequest, given: Option<SignRequest>) -> Row {
    Row { rule, said: said.to_vec(), asked: asked.clone(), given }
}

fn with_polka(height: u64, round: u32, block_id: BlockId, polka_round: u32) -> SignRequest {
    let (slot, block_id, polka_round) = (slot(height, round), Some(block_id), Some(polka_round));
    SignRequest::Prevote { slot, block_id, polka_round, untimely: false }
}

fn untimely(height: u64, round: u32, block_id: Option<BlockId>) -> SignRequest {
    SignRequest::Prevote { slot: slot(height, round), block_id, polka_round: None, untimely: true }
}

fn check(rows: Vec<Row>) {
    for Row { rule, said, asked, given } in rows {
        let directory = scratch::Directory::new();
        Guard::create(&path(&directory), CHAIN).unwrap();
        let signer = open(&directory);
        for request in &said {
            assert_eq!(ask(&signer, request).as_ref(), Some(request), "{rule}");
        }
        drop(signer);
        assert_eq!(ask(&open(&directory), &asked), given, "{rule}");
        let amended = given.as_ref().is_some_and(|given| preimage(given) != preimage(&asked));
        assert_eq!(read(&directory).is_amended_at(1), amended, "{rule}");
    }
}

#[test]
fn of_one_slot_one_statement() {
    let (yes, nil) = (Some(A), None);
    check(vec![
        row("prevote repeated", &[prevote(1, 0, yes)], &prevote(1, 0, Some(B)), Some(prevote(1, 0, yes))),
        row("nil prevote repeated", &[prevote(1, 0, nil)], &prevote(1, 0, yes), Some(prevote(1, 0, nil))),
        row("precommit repeated", &[precommit(1, 0, yes)], &precommit(1, 0, nil), Some(precommit(1, 0, yes))),
        row("nil precommit repeated", &[precommit(1, 0, nil)], &precommit(1, 0, yes), Some(precommit(1, 0, nil))),
        row("kinds apart", &[prevote(1, 0, yes)], &precommit(1, 0, Some(B)), Some(precommit(1, 0, Some(B)))),
        row("proposal repeated", &[proposal(1, 0, None, A)], &proposal(1, 0, None, B), Some(proposal(1, 0, None, A))),
        row(
            "proposal repeated for one with a proof",
            &[proposal(1, 2, None, A)],
            &proposal(1, 2, Some(1), B),
            Some(proposal(1, 2, None, A)),
        ),
        row("the engine lacks the proof", &[proposal(1, 2, Some(1), A)], &proposal(1, 2, None, A), None),
        row("older height", &[prevote(2, 0, nil)], &prevote(1, 7, nil), None),
    ]);
}

#[test]
fn blocks_are_voted_for_in_order_only() {
    let (yes, nil) = (Some(A), None);
    let later = [prevote(1, 3, nil)];
    check(vec![
        row("late prevote", &later, &prevote(1, 2, yes), Some(prevote(1, 2, nil))),
        row("late precommit", &later, &precommit(1, 2, yes), Some(precommit(1, 2, nil))),
        row("late nil", &later, &prevote(1, 2, nil), Some(prevote(1, 2, nil))),
        row("next step", &later, &precommit(1, 3, yes), Some(precommit(1, 3, yes))),
        row("prevote after precommit", &[precommit(1, 3, nil)], &prevote(1, 3, yes), Some(prevote(1, 3, nil))),
        row("next round", &[precommit(1, 3, nil)], &prevote(1, 4, yes), Some(prevote(1, 4, yes))),
        row("late proposal", &later, &proposal(1, 2, None, A), Some(proposal(1, 2, None, A))),
    ]);
}

#[test]
fn the_lock_is_kept_until_a_later_polka() {
    let locked = [prevote(1, 2, Some(A)), precommit(1, 2, Some(A)), prevote(1, 3, None), precommit(1, 3, None)];
    let nil = Some(prevote(1, 5, None));
    let moved: Vec<_> = locked.iter().cloned().chain([precommit(1, 4, Some(B))]).collect();
    check(vec![
        row("another block", &locked, &prevote(1, 5, Some(B)), nil.clone()),
        row("a polka before the lock", &locked, &with_polka(1, 5, B, 1), nil.clone()),
        row("a polka of the lock's round", &locked, &with_polka(1, 5, B, 2), Some(prevote(1, 5, Some(B)))),
        row("a later polka", &locked, &with_polka(1, 5, B, 4), Some(prevote(1, 5, Some(B)))),
        row("the locked block", &locked, &prevote(1, 5, Some(A)), Some(prevote(1, 5, Some(A)))),
        row("a precommit moves the lock", &moved, &with_polka(1, 5, A, 3), nil),
        row("to its own round", &moved, &with_polka(1, 5, A, 4), Some(prevote(1, 5, Some(A)))),
        row("the next height is free", &locked, &prevote(2, 0, Some(B)), Some(prevote(2, 0, Some(B)))),
    ]);
}

/// Else one block dated at the edge of what is timely would split the honest validators for ever.
#[test]
fn an_untimely_block_is_not_prevoted_first_but_precommitted_and_kept() {
    let (yes, nil) = (Some(A), Some(prevote(1, 1, None)));
    let locked = [prevote(1, 0, None), precommit(1, 0, yes)];
    let voted = [prevote(1, 0, yes), precommit(1, 0, None)];
    check(vec![
        row("the height's first vote", &[], &untimely(1, 1, yes), nil.clone()),
        row("a later round", &[prevote(1, 0, None)], &untimely(1, 1, yes), nil.clone()),
        row("prevoted before", &voted, &untimely(1, 1, yes), Some(prevote(1, 1, yes))),
        row("another prevoted before", &voted, &untimely(1, 1, Some(B)), nil.clone()),
        row("locked on it", &locked, &untimely(1, 1, yes), Some(prevote(1, 1, yes))),
        row("locked on another", &locked, &untimely(1, 1, Some(B)), nil.clone()),
        row("nil", &[], &untimely(1, 1, None), nil),
        row("precommit", &[prevote(1, 1, None)], &precommit(1, 1, yes), Some(precommit(1, 1, yes))),
        row("said before it came again", &voted, &untimely(1, 0, yes), Some(prevote(1, 0, yes))),
    ]);
}

#[test]
fn many_rounds_keep_the_newest_and_the_lock() {
    let directory = scratch::Directory::new();
    Guard::create(&path(&directory), CHAIN).unwrap();
    let signer = open(&directory);
    ask(&signer, &precommit(1, 0, Some(A))).unwrap();
    for round in 1..600 {
        ask(&signer, &prevote(1, round, Some(A))).unwrap();
    }
    let signer = open(&directory);
    let guard = read(&directory);
    assert_eq!(guard.summary().lock, Some((0, A)), "never dropped");
    assert_eq!(guard.proposed_at(1, 0), Proposed::Forgotten);
    assert_eq!(guard.proposed_at(1, 599), Proposed::Nothing);
    assert_eq!(ask(&signer, &prevote(1, 1, None)), Some(prevote(1, 599, Some(A))), "forgotten: the newest instead");
    assert_eq!(ask(&signer, &precommit(1, 0, Some(B))), None, "forgotten, and nothing newer");
    assert_eq!(ask(&signer, &proposal(1, 0, None, A)), None);
    assert_eq!(ask(&signer, &prevote(1, 600, Some(B))), Some(prevote(1, 600, None)), "still locked");
}
