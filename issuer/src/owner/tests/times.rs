//! What becomes of receipts whose issue time is far from the validators' time, or from the end of a key.

use receipt_core::batch::{BatchHeader, SignedBatchHeader};
use receipt_core::governance::{CloseSegment, RegisterUnit};
use receipt_core::ids::TreeSize;
use receipt_core::limits::ISSUE_TIME_CUT_AHEAD_MS_MAX;
use receipt_core::note::PosixSeconds;
use receipt_core::receipt::civil::CivilDate;
use receipt_core::receipt::model::ReceiptDraft;
use receipt_core::testkit::{ISSUER_KEY, UTC_OFFSET_MINUTES};
use tallystick_service::clock::Clock as _;

use super::*;
use crate::testing::identity;

const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;

fn seal(issuer: &mut TestIssuer, chain: &mut TestChain, request: &SubmitBatchRequest) {
    chain.add_items(vec![offered(request)]).unwrap();
    issuer.follow(chain);
}

fn header(request: &SubmitBatchRequest) -> BatchHeader {
    SignedBatchHeader::decode(&request.signed_header).unwrap().header
}

/// Issued while this issuer's clock was hours ahead, and nobody knew better. The ledger would let its batch wait, and all later ones.
#[test]
fn a_record_far_ahead_of_the_validators_waits_and_those_after_it_are_cut() {
    let Fixture { dir, mut chain, mut issuer } = fixture();
    let right = issuer.clock.now();
    issuer.clock.advance_ms(6 * HOUR_MS);
    let early = issuer.issue_new(draft(&mut chain, "S01", "A"));
    issuer.clock.set(right);
    issuer.quorum_time.observe(TreeSize::new(1), PosixSeconds::new(right.seconds()));
    let after = ["B", "C"].map(|biz_code| issuer.issue_new(draft(&mut chain, "S01", biz_code)));
    assert_eq!(after[0].issue_time, right, "what follows is dated by the right clock");
    let (_, request) = issuer.cut();
    assert_eq!(request.records.len(), 2);
    assert_eq!(header(&request).last_issue_time, right);
    assert_eq!((issuer.backlog.records(), issuer.backlog.early()), (0, 1));
    assert_eq!(issuer.batcher.cut().unwrap(), None, "it waits, and no sequence is spent");
    seal(&mut issuer, &mut chain, &request);
    for sealed in after {
        assert!(matches!(fate(&issuer.journal, sealed.key).unwrap(), Fate::Sealed { .. }));
    }
    // A restart finds it again, and what came meanwhile.
    drop(issuer);
    let journal = Journal::open(dir.path(), identity(&chain)).unwrap();
    let mut issuer = TestIssuer::start(journal, &chain, 2);
    issuer.clock.set(right);
    issuer.quorum_time.observe(TreeSize::new(1), PosixSeconds::new(right.seconds()));
    issuer.issue_new(draft(&mut chain, "S01", "D"));
    let (_, request) = issuer.cut();
    assert_eq!((request.records.len(), issuer.backlog.early()), (1, 1));
    seal(&mut issuer, &mut chain, &request);
    // Its time comes.
    let ripe_s = (6 * HOUR_MS - ISSUE_TIME_CUT_AHEAD_MS_MAX) / 1000 + 1;
    issuer.monotonic.advance_s(ripe_s - 60);
    assert_eq!(issuer.batcher.cut().unwrap(), None);
    issuer.monotonic.advance_s(60);
    let (_, request) = issuer.cut();
    assert_eq!((request.records.len(), issuer.backlog.early()), (1, 0));
    chain.wait_until(early.issue_time);
    seal(&mut issuer, &mut chain, &request);
    assert!(matches!(fate(&issuer.journal, early.key).unwrap(), Fate::Sealed { .. }));
}

/// Issuer and ledger ask one predicate: what is acknowledged until a planned revocation is sealed.
#[test]
fn what_is_issued_before_a_revocation_that_was_dated_far_ahead_is_sealed() {
    let Fixture { mut chain, mut issuer, .. } = fixture();
    let first = draft(&mut chain, "S01", "A");
    let unit = issuer.registry.view().unit_by_code(&first.unit_code).unwrap().clone();
    let revoked_from_ms = GENESIS_TIME_MS + 20 * DAY_MS;
    let key_id = unit.keys[0].id.get();
    let message = chain.governance(vec![
        Action::RevokeKey(RevokeKey { key_id, revoked_from_ms }),
        Action::RevokeKey(RevokeKey { key_id: ISSUER_KEY, revoked_from_ms }),
    ]);
    chain.add_items(vec![Item::Governance(message)]).unwrap();
    issuer.follow(&chain);
    // Fifteen days later, beyond the grace of the recording.
    let issued_at = UnixMillis::new(GENESIS_TIME_MS + 15 * DAY_MS);
    issuer.clock.set(issued_at);
    chain.wait_until(issued_at);
    let mut late = draft(&mut chain, "S01", "B");
    late.issue_date = CivilDate::at(issued_at, UTC_OFFSET_MINUTES).unwrap();
    let issued = issuer.issue_new(late);
    let (_, request) = issuer.cut();
    seal(&mut issuer, &mut chain, &request);
    let fate = fate(&issuer.journal, issued.key).unwrap();
    assert!(matches!(fate, Fate::Sealed { .. }), "{fate:?}");
    // From its beginning on, neither of the two takes one.
    issuer.clock.set(UnixMillis::new(revoked_from_ms));
    let unit = issuer.registry.view().unit_by_code(&first.unit_code).unwrap().clone();
    assert!(!unit.keys[0].covers(UnixMillis::new(revoked_from_ms)));
    assert!(unit.keys[0].covers(UnixMillis::new(revoked_from_ms - 1)));
}

/// Unit and receipt code of a draft, and the segment from which it gets its number.
fn places_of(issuer: &TestIssuer, draft: &ReceiptDraft) -> (UnitState, SegmentId) {
    let view = issuer.registry.view();
    let unit = view.unit_by_code(&draft.unit_code).unwrap();
    let row = issuer.journal.registered(Table::Units, &unit.id.get().to_be_bytes()).unwrap().unwrap();
    let segment = view.segments(unit.id, draft.receipt_code)[0];
    (UnitState::decode(row.as_slice()).unwrap(), segment.id)
}

/// An issuer learns of an action when it has followed the block that carries it. Whatever it acknowledges until then, be it for hours, is sealed.
#[test]
fn what_is_issued_before_the_issuer_hears_of_a_kind_taken_away_or_a_segment_closed_is_sealed() {
    for hours in [0, 1, 9 * 24] {
        for closes in [false, true] {
            let Fixture { mut chain, mut issuer, .. } = fixture();
            let first = draft(&mut chain, "S01", "A");
            let (state, segment) = places_of(&issuer, &first);
            let action = match closes {
                true => Action::CloseSegment(CloseSegment { segment_id: segment.get() }),
                false => Action::RegisterUnit(RegisterUnit { kinds: Vec::new(), ..state.unit }),
            };
            let message = chain.governance(vec![action]);
            chain.add_items(vec![Item::Governance(message)]).unwrap();
            // The block is decided, and this issuer has not followed it.
            let issued_at = chain.now().plus_millis(hours * HOUR_MS);
            issuer.clock.set(issued_at);
            let issue_date = CivilDate::at(issued_at, UTC_OFFSET_MINUTES).unwrap();
            let [unaware, aware] =
                ["B", "C"].map(|biz_code| ReceiptDraft { issue_date, ..draft(&mut chain, "S01", biz_code) });
            let issued = issuer.issue_new(unaware);
            let (_, request) = issuer.cut();
            chain.wait_until(issued_at);
            seal(&mut issuer, &mut chain, &request);
            let fate = fate(&issuer.journal, issued.key).unwrap();
            assert!(matches!(fate, Fate::Sealed { .. }), "{hours} h, closes {closes}: {fate:?}");
            // Now it has heard of it, and issues nothing more.
            let refusal = match closes {
                true => issuer.issue(vec![aware]).remove(0).unwrap_err(),
                false => issuer.prepare(aware, None).unwrap_err(),
            };
            let reason = if closes { Reason::NumberExhausted } else { Reason::KindNotAllowed };
            assert_eq!(refusal.reason, reason.into(), "{hours} h");
        }
    }
}

/// A draft is judged when it arrives, and again in its turn: what lies between the two is enough for a date to come, or for a block.
#[test]
fn a_draft_that_waited_is_judged_by_the_registry_of_its_turn() {
    for suspends in [false, true] {
        let Fixture { mut chain, mut issuer, .. } = fixture();
        let waiting = draft(&mut chain, "S01", "A");
        let (state, _) = places_of(&issuer, &waiting);
        let from = issuer.clock.now().plus_millis(60_000);
        let unit = match suspends {
            true => RegisterUnit { suspended_from_ms: from.get(), ..state.unit },
            false => RegisterUnit { kinds: Vec::new(), ..state.unit },
        };
        let message = chain.governance(vec![Action::RegisterUnit(unit)]);
        let mut prepared = vec![issuer.prepare(waiting, None).unwrap()];
        chain.add_items(vec![Item::Governance(message)]).unwrap();
        issuer.follow(&chain);
        if suspends {
            prepared[0] = issuer.prepare(prepared[0].draft.clone(), None).unwrap();
        }
        issuer.clock.set(from.max(chain.now()));
        let refusal = issuer.sequencer.issue(prepared).unwrap().remove(0).unwrap_err();
        let reason = if suspends { Reason::UnitSuspended } else { Reason::KindNotAllowed };
        assert_eq!(refusal.reason, reason.into());
    }
}
