//! V29: settling a closed segment, one row per refusal.

use prost::Message as _;

use super::draft::blue;
use super::ledger::{Ledger, segment};
use crate::block::Item;
use crate::governance::{Action, CloseSegment, NumberRange, SettleSegment};
use crate::ids::UnixMillis;
use crate::limits::{REVOCATION_GRACE_MS, SETTLED_HOLES_MAX};
use crate::reason::Reason;
use crate::state::tables::{SegmentState, Table};
use crate::state::{BlockRefusal, followed_writes, would_execute};

const TOO_MANY: &str = "too many numbers below the highest used ones are named; settle fewer segments at once";

type Ranges<'a> = &'a [(u64, u64)];

fn settle(segment_id: u32, void: Ranges<'_>, lost: Ranges<'_>) -> Action {
    let ranges =
        |list: Ranges<'_>| list.iter().map(|(first, last)| NumberRange { first: *first, last: *last }).collect();
    Action::SettleSegment(SettleSegment { segment_id, void: ranges(void), lost: ranges(lost) })
}

fn problem_of(ledger: &Ledger, action: &Action) -> Result<(), &'static str> {
    let governance = Item::Governance(ledger.governance(vec![action.clone()]));
    match ledger.execute(ledger.content(vec![governance])) {
        Ok(_) => Ok(()),
        Err(BlockRefusal::Governance { problem, .. }) => Err(problem),
        Err(other) => panic!("{other}"),
    }
}

fn close(ledger: &mut Ledger, segment_id: u32) -> u64 {
    ledger.govern(vec![Action::CloseSegment(CloseSegment { segment_id })])
}

/// Segment 13 (20,001 to 20,100) with 20,001, 20,002 and 20,005 used, closed, its grace over.
fn settleable() -> Ledger {
    let mut ledger = Ledger::new();
    let leaves = [20_001, 20_002, 20_005].map(|number| blue(&ledger, number).leaf()).to_vec();
    assert_eq!(ledger.submit(leaves), []);
    ledger.time = close(&mut ledger, 13) + REVOCATION_GRACE_MS + 1;
    ledger
}

#[test]
fn every_number_is_used_void_or_lost() {
    const MISSING: Result<(), &str> = Err("not every number of the segment is used, void or lost");
    const ASCEND: Result<(), &str> = Err("ranges must ascend");
    const BOTH: Result<(), &str> = Err("a number is both void and lost");
    const OUTSIDE: Result<(), &str> = Err("a range lies outside of the segment");
    const USED: Result<(), &str> = Err("a number is used and cannot be void or lost");
    let rows: &[(Ranges<'_>, Ranges<'_>, Result<(), &str>)] = &[
        (&[(20_003, 20_004), (20_006, 20_100)], &[], Ok(())),
        (&[], &[(20_003, 20_004), (20_006, 20_100)], Ok(())),
        (&[(20_006, 20_100)], &[(20_003, 20_004)], Ok(())),
        (&[(20_003, 20_003), (20_004, 20_004), (20_007, 20_100)], &[(20_006, 20_006)], Ok(())),
        (&[], &[], MISSING),
        (&[(20_003, 20_004), (20_006, 20_099)], &[], MISSING),
        (&[(20_006, 20_100)], &[(20_004, 20_004)], MISSING),
        // As many as are needed, but the wrong ones.
        (&[(20_002, 20_003), (20_006, 20_100)], &[], USED),
        (&[(20_004, 20_100)], &[], USED),
        (&[(20_003, 20_004), (20_006, 20_101)], &[], OUTSIDE),
        (&[(20_000, 20_000), (20_003, 20_004), (20_006, 20_100)], &[], OUTSIDE),
        (&[(20_006, 20_100), (20_003, 20_004)], &[], ASCEND),
        (&[(20_003, 20_004), (20_004, 20_004), (20_006, 20_100)], &[], ASCEND),
        (&[(20_004, 20_003), (20_006, 20_100)], &[], ASCEND),
        (&[(0, 0), (20_003, 20_004), (20_006, 20_100)], &[], ASCEND),
        (&[(20_003, 20_004), (20_006, 20_100)], &[(20_004, 20_004)], BOTH),
        (&[(20_003, 20_004), (20_006, 20_100)], &[(20_050, 20_060)], BOTH),
        (&[(0, u64::MAX)], &[], ASCEND),
        (&[(1, u64::MAX)], &[], OUTSIDE),
    ];
    let ledger = settleable();
    for (void, lost, expected) in rows {
        assert_eq!(problem_of(&ledger, &settle(13, void, lost)), *expected, "{void:?} {lost:?}");
    }
}

#[test]
fn a_segment_is_settled_once_after_its_closing_and_grace() {
    let all: Ranges<'_> = &[(20_001, 20_100)];
    let mut ledger = Ledger::new();
    assert_eq!(problem_of(&ledger, &settle(99, all, &[])), Err("the segment is not allocated"));
    assert_eq!(problem_of(&ledger, &settle(13, all, &[])), Err("the segment is not closed"));
    let closed = close(&mut ledger, 13);
    ledger.time = closed + REVOCATION_GRACE_MS;
    let early = Err("receipts of the segment may still come within the grace");
    assert_eq!(problem_of(&ledger, &settle(13, all, &[])), early, "the last moment at which a receipt is taken");
    ledger.time += 1;
    let late = blue(&ledger, 20_001).with(|draft| draft.record.issue_time = UnixMillis::new(closed - 1));
    let settled = ledger.govern(vec![settle(13, &[(20_001, 20_099)], &[(20_100, 20_100)])]);
    let state: SegmentState = ledger.message(Table::Segments, 13);
    assert_eq!((state.settled_at_ms, state.void_count, state.lost_count, state.used_count), (settled, 99, 1, 0));
    assert_eq!(problem_of(&ledger, &settle(13, all, &[])), Err("the segment is settled already"));
    let refusals = ledger.submit(vec![late.leaf()]);
    assert_eq!(refusals[0].reason, Reason::NumberNotOwned, "nothing comes after a settlement");
}

#[test]
fn within_the_grace_all_else_is_judged_already() {
    let mut ledger = Ledger::new();
    let leaf = blue(&ledger, 20_001).leaf();
    assert_eq!(ledger.submit(vec![leaf]), []);
    close(&mut ledger, 13);
    let early = Err("receipts of the segment may still come within the grace");
    assert_eq!(problem_of(&ledger, &settle(13, &[(20_002, 20_100)], &[])), early);
    let used = Err("a number is used and cannot be void or lost");
    assert_eq!(problem_of(&ledger, &settle(13, &[(20_001, 20_001), (20_003, 20_100)], &[])), used);
}

#[test]
fn whoever_follows_the_registry_alone_follows_a_settlement() {
    let mut ledger = settleable();
    // A follower's registry: what governance wrote, and no record. It counts nothing as used.
    let mut registry = Ledger::new();
    registry.time = ledger.time - REVOCATION_GRACE_MS - 1;
    close(&mut registry, 13);
    let state: SegmentState = registry.message(Table::Segments, 13);
    assert_eq!(state.used_count, 0);
    let settlement = ledger.governance(vec![settle(13, &[(20_006, 20_100)], &[(20_003, 20_004)])]);
    ledger.add(vec![Item::Governance(settlement.clone())]).unwrap();
    let tip = ledger.tip();
    let (chain, height, time) = (&registry.chain, tip.height, tip.time);
    assert!(would_execute(&registry.state, chain, &settlement, height, time).is_err(), "it lacks the records");
    let writes = followed_writes(&registry.state, chain, &settlement, height, time).unwrap();
    let written = writes[&(Table::Segments, 13_u32.to_be_bytes().to_vec())].as_deref().unwrap();
    let followed = SegmentState::decode(written).unwrap();
    let decided: SegmentState = ledger.message(Table::Segments, 13);
    assert_eq!((followed.settled_at_ms, followed.void_count, followed.lost_count), (decided.settled_at_ms, 95, 2));
    // What a follower can judge, it judges.
    let outside = registry.governance(vec![settle(13, &[(1, 2)], &[])]);
    assert!(followed_writes(&registry.state, chain, &outside, height, time).is_err());
}

#[test]
fn look_ups_are_bounded() {
    // Only the last number is used, so each before it would have to be looked up.
    let most = 50_001 + SETTLED_HOLES_MAX;
    for (last, expected) in [(most, Ok(())), (most + 1, Err(TOO_MANY))] {
        let mut ledger = Ledger::new();
        ledger.govern(vec![Action::AllocateSegment(segment(15, 1, 1, 50_001, last))]);
        let leaf = blue(&ledger, last).leaf();
        assert_eq!(ledger.submit(vec![leaf]), []);
        ledger.time = close(&mut ledger, 15) + REVOCATION_GRACE_MS + 1;
        assert_eq!(problem_of(&ledger, &settle(15, &[(50_001, last - 1)], &[])), expected, "{last}");
    }
}

/// Each settlement by itself would do; whoever votes executes them all before the timeout.
#[test]
fn look_ups_are_bounded_for_the_whole_block() {
    let half = SETTLED_HOLES_MAX / 2;
    let with = |holes_of_second: u64| {
        let mut ledger = Ledger::new();
        let lasts = [50_001 + half, 70_001 + holes_of_second];
        let allocate = |id, first, last| Action::AllocateSegment(segment(id, 1, 1, first, last));
        ledger.govern(vec![allocate(15, 50_001, lasts[0]), allocate(16, 70_001, lasts[1])]);
        let leaves = lasts.map(|last| blue(&ledger, last).leaf()).to_vec();
        assert_eq!(ledger.submit(leaves), []);
        close(&mut ledger, 15);
        ledger.time = close(&mut ledger, 16) + REVOCATION_GRACE_MS + 1;
        let settlements = [settle(15, &[(50_001, lasts[0] - 1)], &[]), settle(16, &[(70_001, lasts[1] - 1)], &[])];
        let refusal = |result: Result<_, BlockRefusal>| match result.err() {
            None => None,
            Some(BlockRefusal::Governance { problem, .. }) => Some(problem),
            Some(other) => panic!("{other}"),
        };
        // In one message, and in two of one block.
        let one = ledger.governance(settlements.to_vec());
        let first = ledger.governance(vec![settlements[0].clone()]);
        let mut second = ledger.unsigned(vec![settlements[1].clone()]);
        second.sequence += 1;
        second.previous = first.hash();
        let second = ledger.signed(second, &[0, 1]);
        let one = refusal(ledger.execute(ledger.content(vec![Item::Governance(one)])));
        let two = refusal(ledger.execute(ledger.content(vec![Item::Governance(first), Item::Governance(second)])));
        (one, two)
    };
    assert_eq!(with(SETTLED_HOLES_MAX - half), (None, None));
    assert_eq!(with(SETTLED_HOLES_MAX - half + 1), (Some(TOO_MANY), Some(TOO_MANY)));
}
