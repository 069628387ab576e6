//! The block around its items: height, parent, time, proposer and size. A block that is wrong here gets no vote.

use super::draft::blue;
use super::ledger::{Ledger, T};
use crate::block::BlockContent;
use crate::entry::Entry;
use crate::governance::{Action, AttachItems, CodeName};
use crate::hash::Hash;
use crate::ids::{Height, UnixMillis, ValidatorId};
use crate::limits::{BATCH_RECORDS_MAX, BLOCK_RECORDS_MAX, ENTRY_BYTES_MAX};
use crate::state::BlockRefusal;

fn check(edit: impl FnOnce(&mut BlockContent), expected: Option<BlockRefusal>) {
    let mut ledger = Ledger::new();
    ledger.add(Vec::new()).unwrap();
    // Height 2, after a parent at T + 10 s; members 3, 4, 1, 2 have the turns.
    let mut content = ledger.content(Vec::new());
    edit(&mut content);
    assert_eq!(ledger.execute(content).err(), expected);
}

fn height(given: u64) -> Option<BlockRefusal> {
    Some(BlockRefusal::Height { given: Height::new(given), expected: Height::new(2) })
}

fn time(given: u64) -> Option<BlockRefusal> {
    Some(BlockRefusal::Time { given: UnixMillis::new(given), parent: UnixMillis::new(T + 10_000) })
}

#[test]
fn height_parent_and_time() {
    check(|_| {}, None);
    check(|content| content.height = Height::new(0), height(0));
    check(|content| content.height = Height::new(1), height(1));
    check(|content| content.height = Height::new(3), height(3));
    check(|content| content.parent_seal_hash = Hash::ZERO, Some(BlockRefusal::Parent));
    check(|content| content.parent_seal_hash.0[31] ^= 1, Some(BlockRefusal::Parent));
    check(|content| content.time = UnixMillis::new(0), time(0));
    check(|content| content.time = UnixMillis::new(T + 9_999), time(T + 9_999));
    check(|content| content.time = UnixMillis::new(T + 10_000), time(T + 10_000));
    check(|content| content.time = UnixMillis::new(T + 10_001), None);
}

#[test]
fn the_proposer_has_its_turn_in_its_round() {
    let turn = |proposer, round| {
        move |content: &mut BlockContent| {
            content.proposer = ValidatorId::new(proposer);
            content.proposer_round = round;
        }
    };
    for (round, proposer) in [(0, 3), (1, 4), (2, 1), (3, 2), (4, 3), (u32::MAX, 2)] {
        check(turn(proposer, round), None);
        for other in (0..=5).filter(|other| *other != proposer) {
            check(turn(other, round), Some(BlockRefusal::Proposer));
        }
    }
}

#[test]
fn a_block_has_at_most_8192_records() {
    let ledger = Ledger::new();
    let full = || vec![vec![1]; BATCH_RECORDS_MAX];
    let first = ledger.batch(1, full());
    let second = ledger.batch(2, full());
    let mut header = ledger.header(1, &[vec![1]]);
    header.sequence = header.sequence.next().unwrap();
    let one_more = ledger.sign_header(header, vec![vec![1]]);
    let effects = ledger.execute(ledger.content(vec![first.clone(), second.clone()])).unwrap();
    assert_eq!(effects.outcomes.iter().map(|outcome| outcome.refusals.len()).sum::<usize>(), BLOCK_RECORDS_MAX);
    for entry in &effects.entries {
        assert!(entry.len() <= ENTRY_BYTES_MAX, "4,096 refusals fit into an entry");
        assert_eq!(Entry::decode(entry).unwrap().encode(), *entry);
    }
    let refusal = ledger.execute(ledger.content(vec![first, second, one_more])).unwrap_err();
    assert_eq!(refusal, BlockRefusal::Records);
}

#[test]
fn an_entry_has_at_most_60_kib() {
    let ledger = Ledger::new();
    let items = |count: usize| {
        let items = (0..count).map(|code| CodeName { code: format!("{code:06}"), name: "字".repeat(30) }).collect();
        let governance =
            ledger.governance(vec![Action::AttachItems(AttachItems { unit_id: 1, kind: 990_601, items, adds: false })]);
        vec![crate::block::Item::Governance(governance)]
    };
    ledger.execute(ledger.content(items(500))).unwrap();
    assert_eq!(ledger.execute(ledger.content(items(700))).unwrap_err(), BlockRefusal::Entry);
}

#[test]
fn one_bad_item_refuses_the_whole_block() {
    let ledger = Ledger::new();
    let good = ledger.batch(1, vec![blue(&ledger, 1).leaf()]);
    let stale = ledger.governance(Vec::new());
    let items = vec![good, crate::block::Item::Governance(stale.clone()), crate::block::Item::Governance(stale)];
    let refusal = ledger.execute(ledger.content(items)).unwrap_err();
    assert!(matches!(refusal, BlockRefusal::Governance { area: None, sequence: 1, .. }), "{refusal}");
}
