//! One row per reason for which a blue record is refused (V02 V03 V14–V18), and the good cases right beside each.
//!
//! Every refusal is judged in one batch together with its good twin of the same number, `biz_key` and payment: whatever is
//! wrong with the record may not cost the twin anything, and the twin alone is taken under the next sequence.

use super::draft::{Draft, blue, blue_of_2, instalment, receipt_key, uniqueness};
use super::ledger::{CODE, HOUR_MS, Ledger, T, issuer_signer, register_unit, segment};
use crate::blind::UniquenessType::{Decision, MedicalSettlement, Payment};
use crate::entry::RecordRefusal;
use crate::governance::{Action, CloseSegment, KeyOwner, RegisterUnit, RevokeKey};
use crate::ids::{Fen, KeyId, LeafIndex, UnitId, UnixMillis};
use crate::limits::{ISSUE_TIME_WAITS_MS_MAX, REVOCATION_GRACE_MS};
use crate::reason::Reason;
use crate::record::{SignedRecord, status_key};
use crate::state::tables::{KeyState, RefusedState, Table, UnitState};
use crate::suite::ChainId;
use crate::testkit::{software_key, unit_key};

const TWIN: u64 = 7;
const DAY_MS: u64 = 24 * HOUR_MS;

/// The twin: good in every row.
fn twin(ledger: &Ledger) -> Draft {
    blue(ledger, TWIN).with_keys(&[uniqueness(Payment, 7), uniqueness(Decision, 7)])
}

/// `edit` turns the twin into the record under test; `prepare` made the ledger's past.
fn check(prepare: impl FnOnce(&mut Ledger), edit: impl FnOnce(&mut Draft), expected: Option<Reason>) {
    let mut ledger = Ledger::new();
    prepare(&mut ledger);
    let edited = twin(&ledger).with(edit).leaf();
    let Some(reason) = expected else {
        assert_eq!(ledger.submit(vec![edited]), []);
        return;
    };
    let rows = |ledger: &Ledger| Table::ALL.map(|table| ledger.state.row_count(table));
    let before = rows(&ledger);
    let twin = twin(&ledger).leaf();
    let refused = ledger.submit(vec![edited.clone(), twin.clone()]);
    assert_eq!(refused, [RecordRefusal { index: 0, reason }]);
    let mut after = rows(&ledger);
    after[Table::Batches as usize] -= 1;
    // Whether the unit's own key signed these very bytes. A refusal for another reason than the signature is remembered then.
    let genuine = is_genuine(&ledger, &edited);
    after[Table::Refused as usize] -= usize::from(genuine);
    assert_eq!(after, before, "a refused batch leaves its sequence, where its genuine record stands, and nothing else");
    let status_key = status_key(ledger.chain.suite, &edited);
    let remembered = ledger.get(Table::Refused, status_key.as_bytes());
    let leaf_index = LeafIndex::new(ledger.tip().log_size.get() - 2);
    let state = RefusedState { leaf_index, batch_index: 0, reason };
    assert_eq!(remembered.map(|bytes| RefusedState::decode(&bytes).unwrap()), genuine.then_some(state));
    assert_eq!(ledger.submit(vec![twin]), [], "the good record is taken under the next sequence");
}

fn is_genuine(ledger: &Ledger, leaf: &[u8]) -> bool {
    let Ok(signed) = SignedRecord::decode(leaf) else { return false };
    let Some(key) = ledger.get(Table::Keys, &signed.record.signing_key.get().to_be_bytes()) else { return false };
    let key = <KeyState as prost::Message>::decode(key.as_slice()).unwrap().key;
    let owned = key.owner_kind == KeyOwner::Unit.number() && key.owner_id == signed.record.unit.get();
    owned && signed.verify(ledger.chain.id, &key.key().unwrap())
}

fn nothing(_: &mut Ledger) {}

fn take(draft: fn(&Ledger) -> Draft) -> impl FnOnce(&mut Ledger) {
    move |ledger| assert_eq!(ledger.submit(vec![draft(ledger).leaf()]), [])
}

fn at(draft: &mut Draft, issue_time: u64) {
    draft.record.issue_time = UnixMillis::new(issue_time);
}

fn of_unit_2(draft: &mut Draft) {
    draft.record.unit = UnitId::new(2);
    draft.record.signing_key = KeyId::new(102);
    draft.record.key = receipt_key(CODE, 30_001);
    draft.signer = unit_key(2);
}

#[test]
fn the_twin_itself_is_taken() {
    check(nothing, |_| {}, None);
    check(nothing, of_unit_2, None);
}

#[test]
fn issue_times_lie_inside_the_header_and_not_far_ahead_of_the_block() {
    // The ledger's next block is at T + 10 s. What lies less far ahead waits as a whole batch: see there.
    check(nothing, |draft| at(draft, T + 10_000 + ISSUE_TIME_WAITS_MS_MAX + 1), Some(Reason::TimeInvalid));
    check(nothing, |draft| at(draft, u64::MAX), Some(Reason::TimeInvalid));
    for (first, last, outside) in [(T + 1000, T + 2000, T + 999), (T + 1000, T + 2000, T + 2001)] {
        let mut ledger = Ledger::new();
        let leaves = vec![
            blue(&ledger, 1).with(|draft| at(draft, first)).leaf(),
            blue(&ledger, 2).with(|draft| at(draft, outside)).leaf(),
            blue(&ledger, 3).with(|draft| at(draft, last)).leaf(),
        ];
        let mut header = ledger.header(1, &leaves);
        (header.first_issue_time, header.last_issue_time) = (UnixMillis::new(first), UnixMillis::new(last));
        let batch = ledger.sign_header(header, leaves);
        let refusals = ledger.add(vec![batch]).unwrap().outcomes[0].refusals.clone();
        assert_eq!(refusals, [RecordRefusal { index: 1, reason: Reason::TimeInvalid }]);
    }
}

#[test]
fn units() {
    let suspend = |ledger: &mut Ledger, from_ms| {
        let unit = RegisterUnit { suspended_from_ms: from_ms, ..register_unit(2, &[990_601]) };
        ledger.govern(vec![Action::RegisterUnit(unit)])
    };
    let issued = |issue_time| {
        move |draft: &mut Draft| {
            of_unit_2(draft);
            at(draft, issue_time);
        }
    };
    check(nothing, |draft| draft.record.unit = UnitId::new(3), Some(Reason::UnitUnknown));
    check(nothing, |draft| draft.record.unit = UnitId::new(0), Some(Reason::UnitUnknown));
    // Suspended from T + 2 s: what was issued before is taken until the grace ends, to the millisecond.
    let suspended = |ledger: &mut Ledger| {
        suspend(ledger, T + 2000);
    };
    check(suspended, issued(T + 1999), None);
    check(suspended, issued(T + 2000), Some(Reason::UnitSuspended));
    let grace_ends =
        |extra| move |ledger: &mut Ledger| ledger.time = suspend(ledger, T + 2000) + REVOCATION_GRACE_MS + extra;
    check(grace_ends(0), issued(T + 1999), None);
    check(grace_ends(1), issued(T + 1999), Some(Reason::UnitSuspended));
    // Registering the same suspension again does not prolong the grace.
    let again = move |ledger: &mut Ledger| {
        let recorded = suspend(ledger, T + 2000);
        suspend(ledger, T + 2000);
        ledger.time = recorded + REVOCATION_GRACE_MS + 1;
    };
    check(again, issued(T + 1999), Some(Reason::UnitSuspended));
    let lifted = |ledger: &mut Ledger| {
        suspend(ledger, T + 2000);
        suspend(ledger, 0);
    };
    check(lifted, issued(T + 3000), None);
    // Announced long before: what is issued until then is taken, and arrives for ten days after it.
    let announced = |after: u64| {
        move |ledger: &mut Ledger| {
            suspend(ledger, T + 60 * DAY_MS);
            ledger.time = T + after;
        }
    };
    check(announced(60 * DAY_MS), issued(T + 60 * DAY_MS - 1), None);
    check(announced(60 * DAY_MS), issued(T + 60 * DAY_MS), Some(Reason::UnitSuspended));
    check(announced(60 * DAY_MS + REVOCATION_GRACE_MS), issued(T + 60 * DAY_MS - 1), None);
    check(announced(60 * DAY_MS + REVOCATION_GRACE_MS + 1), issued(T + 60 * DAY_MS - 1), Some(Reason::UnitSuspended));
}

#[test]
fn kinds() {
    let code = |code| move |draft: &mut Draft| draft.record.key = receipt_key(code, 5);
    check(nothing, code(99_060_326), Some(Reason::KindNotAllowed));
    check(nothing, code(99_999_926), Some(Reason::KindNotAllowed));
    check(nothing, code(99_060_226), Some(Reason::NumberNotOwned));
    let widened = |ledger: &mut Ledger| {
        ledger.govern(vec![Action::RegisterUnit(register_unit(1, &[990_601, 990_602, 990_603]))]);
    };
    check(widened, code(99_060_326), None);
}

#[test]
fn a_kind_taken_from_a_unit_takes_for_ten_days_what_is_issued_by_whoever_does_not_know_of_it() {
    let register =
        |ledger: &mut Ledger, kinds: &[u32]| ledger.govern(vec![Action::RegisterUnit(register_unit(2, kinds))]);
    let issued = |issue_time| {
        move |draft: &mut Draft| {
            of_unit_2(draft);
            at(draft, issue_time);
        }
    };
    // Taken at T + 10 s.
    let taken = move |ledger: &mut Ledger| assert_eq!(register(ledger, &[]), T + 10_000);
    check(taken, issued(T + 9_999), None);
    // Its issuer follows the ledger a little behind, or has been cut off from it for days.
    check(taken, issued(T + 10_000), None);
    let grace_ends = |extra| {
        move |ledger: &mut Ledger| {
            taken(ledger);
            ledger.time = T + 10_000 + REVOCATION_GRACE_MS + extra;
        }
    };
    for issue_time in [T + 9_999, T + 10_000 + 9 * DAY_MS] {
        check(grace_ends(0), issued(issue_time), None);
        check(grace_ends(1), issued(issue_time), Some(Reason::KindNotAllowed));
    }
    // Registering the unit again prolongs nothing; attaching the kind again ends the end.
    let again = move |ledger: &mut Ledger| {
        taken(ledger);
        ledger.time = T + DAY_MS;
        register(ledger, &[990_602]);
        ledger.time = T + 10_000 + REVOCATION_GRACE_MS + 1;
    };
    check(again, issued(T + 9_999), Some(Reason::KindNotAllowed));
    let back = move |ledger: &mut Ledger| {
        taken(ledger);
        ledger.time = T + DAY_MS;
        register(ledger, &[990_601, 990_602]);
    };
    check(back, issued(T + DAY_MS), None);
    // What nothing comes of any more is forgotten.
    let mut ledger = Ledger::new();
    grace_ends(1)(&mut ledger);
    assert_eq!(ledger.message::<UnitState>(Table::Units, 2).detached.len(), 1);
    register(&mut ledger, &[]);
    assert_eq!(ledger.message::<UnitState>(Table::Units, 2).detached, []);
}

#[test]
fn keys() {
    let key = |id, issue_time| {
        move |draft: &mut Draft| {
            draft.record.signing_key = KeyId::new(id);
            at(draft, issue_time);
        }
    };
    check(nothing, key(999, T + 1000), Some(Reason::SignatureInvalid));
    // Another unit's key, an issuer's key: each signs truly, and for nothing.
    for (id, signer) in [(102, unit_key(2)), (1, issuer_signer(1))] {
        let foreign = |draft: &mut Draft| {
            draft.record.signing_key = KeyId::new(id);
            draft.signer = signer;
        };
        check(nothing, foreign, Some(Reason::SignatureInvalid));
    }
    let later = |ledger: &mut Ledger| ledger.time = T + HOUR_MS;
    check(later, key(111, T + HOUR_MS - 1), Some(Reason::KeyRevoked));
    check(later, key(111, T + HOUR_MS), None);
    check(later, key(112, T + HOUR_MS - 1), None);
    check(later, key(112, T + HOUR_MS), Some(Reason::KeyRevoked));
    // A planned end is one that was known from the beginning: it bounds lateness as any other.
    let late = |extra| move |ledger: &mut Ledger| ledger.time = T + HOUR_MS + REVOCATION_GRACE_MS + extra;
    check(late(0), key(112, T + HOUR_MS - 1), None);
    check(late(1), key(112, T + HOUR_MS - 1), Some(Reason::KeyRevoked));
}

#[test]
fn revoked_keys() {
    let revoke = |ledger: &mut Ledger, from_ms| {
        ledger.govern(vec![Action::RevokeKey(RevokeKey { key_id: 102, revoked_from_ms: from_ms })])
    };
    let issued = |issue_time| {
        move |draft: &mut Draft| {
            of_unit_2(draft);
            at(draft, issue_time);
        }
    };
    let revoked = |ledger: &mut Ledger| {
        revoke(ledger, T + 2000);
    };
    check(revoked, issued(T + 1999), None);
    check(revoked, issued(T + 2000), Some(Reason::KeyRevoked));
    let grace_ends =
        |extra| move |ledger: &mut Ledger| ledger.time = revoke(ledger, T + 2000) + REVOCATION_GRACE_MS + extra;
    check(grace_ends(0), issued(T + 1999), None);
    check(grace_ends(1), issued(T + 1999), Some(Reason::KeyRevoked));
    // Dated ahead: what the issuer acknowledges until then is taken until then, and for ten days more.
    let planned = |after: u64| {
        move |ledger: &mut Ledger| {
            revoke(ledger, T + 11 * DAY_MS);
            ledger.time = T + after;
        }
    };
    check(planned(11 * DAY_MS), issued(T + 11 * DAY_MS - 1), None);
    check(planned(11 * DAY_MS), issued(T + 11 * DAY_MS), Some(Reason::KeyRevoked));
    check(planned(11 * DAY_MS + REVOCATION_GRACE_MS), issued(T + 11 * DAY_MS - 1), None);
    check(planned(11 * DAY_MS + REVOCATION_GRACE_MS + 1), issued(T + 11 * DAY_MS - 1), Some(Reason::KeyRevoked));
    // Moved to an earlier time: that time holds, and the grace counts from the second revocation.
    let earlier = move |extra| {
        move |ledger: &mut Ledger| {
            revoke(ledger, T + 2000);
            ledger.time += DAY_MS;
            ledger.time = revoke(ledger, T + 1500) + REVOCATION_GRACE_MS + extra;
        }
    };
    check(earlier(0), issued(T + 1499), None);
    check(earlier(0), issued(T + 1500), Some(Reason::KeyRevoked));
    check(earlier(1), issued(T + 1499), Some(Reason::KeyRevoked));
    // But what is over stays over.
    let over = move |ledger: &mut Ledger| {
        ledger.time = revoke(ledger, T + 2000) + REVOCATION_GRACE_MS + 1;
        revoke(ledger, T + 1500);
    };
    check(over, issued(T + 1499), Some(Reason::KeyRevoked));
}

#[test]
fn bad_signatures() {
    check(nothing, |draft| draft.signer = software_key("a thief"), Some(Reason::SignatureInvalid));
    check(nothing, |draft| draft.signer = unit_key(2), Some(Reason::SignatureInvalid));
    let other_chain = ChainId(crate::hash::sha256(&[b"another chain"]));
    check(nothing, |draft| draft.chain = other_chain, Some(Reason::SignatureInvalid));
    // Over other bytes than the ones that are carried.
    let mut ledger = Ledger::new();
    let [mut forged, good] = [blue(&ledger, 1).leaf(), blue(&ledger, 1).leaf()];
    let body_root = forged.windows(32).position(|window| window == [0x0B; 32]).unwrap();
    forged[body_root] ^= 1;
    let refusals = ledger.submit(vec![forged, good]);
    assert_eq!(refusals, [RecordRefusal { index: 0, reason: Reason::SignatureInvalid }]);
}

#[test]
fn numbers() {
    let number = |number| move |draft: &mut Draft| draft.record.key = receipt_key(CODE, number);
    check(nothing, number(1), None);
    check(nothing, number(9_999), None);
    // Between segments, beyond all, another unit's, leased to the other issuer.
    for outside in [0, 10_000, 20_101, 9_999_999_999, 30_001, 10_001] {
        check(nothing, number(outside), Some(Reason::NumberNotOwned));
    }
    let appended = |ledger: &mut Ledger| {
        ledger.govern(vec![Action::AllocateSegment(segment(15, 1, 1, 50_001, 50_010))]);
    };
    check(appended, number(50_010), None);
    check(appended, number(50_011), Some(Reason::NumberNotOwned));
}

#[test]
fn closed_segments() {
    let close = |ledger: &mut Ledger| ledger.govern(vec![Action::CloseSegment(CloseSegment { segment_id: 13 })]);
    let issued = |issue_time| {
        move |draft: &mut Draft| {
            draft.record.key = receipt_key(CODE, 20_001);
            at(draft, issue_time);
        }
    };
    // Closed at T + 10 s.
    let closed = |ledger: &mut Ledger| assert_eq!(close(ledger), T + 10_000);
    check(closed, issued(T + 9_999), None);
    // Its issuer follows the ledger a little behind, or has been cut off from it for days.
    check(closed, issued(T + 10_000), None);
    let grace_ends = |extra| move |ledger: &mut Ledger| ledger.time = close(ledger) + REVOCATION_GRACE_MS + extra;
    for issue_time in [T + 9_999, T + 10_000 + 9 * DAY_MS] {
        check(grace_ends(0), issued(issue_time), None);
        check(grace_ends(1), issued(issue_time), Some(Reason::NumberNotOwned));
    }
}

#[test]
fn numbers_and_biz_keys_are_used_once() {
    let earlier = |ledger: &Ledger| blue(ledger, 5);
    check(take(earlier), |draft| draft.record.key = receipt_key(CODE, 5), Some(Reason::NumberUsed));
    check(take(earlier), |draft| draft.record.biz_key = super::draft::biz_key(5), Some(Reason::BizCodeUsed));
    // A biz_code is the unit's own.
    check(take(|ledger| blue_of_2(ledger, 30_005)), |draft| draft.record.biz_key = super::draft::biz_key(30_005), None);
    // In one batch the first one wins.
    let mut ledger = Ledger::new();
    let leaves = vec![
        blue(&ledger, 1).leaf(),
        blue(&ledger, 1).with(|draft| draft.record.biz_key = [1; 16]).leaf(),
        blue(&ledger, 2).with(|draft| draft.record.biz_key = super::draft::biz_key(1)).leaf(),
        blue(&ledger, 1).leaf(),
    ];
    let refusal = |index, reason| RecordRefusal { index, reason };
    assert_eq!(
        ledger.submit(leaves),
        [refusal(1, Reason::NumberUsed), refusal(2, Reason::BizCodeUsed), refusal(3, Reason::NumberUsed)]
    );
}

#[test]
fn a_payment_has_one_live_receipt() {
    for (kind, reason, of_another_unit) in [
        (Payment, Reason::PaymentReceipted, Some(Reason::PaymentReceipted)),
        // Settlements and decisions are numbered by their unit.
        (MedicalSettlement, Reason::PaymentReceipted, None),
        (Decision, Reason::DecisionPaid, None),
    ] {
        let held = move |ledger: &mut Ledger| {
            let leaf = blue(ledger, 5).with_keys(&[uniqueness(kind, 1)]).leaf();
            assert_eq!(ledger.submit(vec![leaf]), []);
        };
        check(held, |draft| draft.record.uniqueness_keys = vec![uniqueness(kind, 1)], Some(reason));
        check(held, |draft| draft.record.uniqueness_keys = vec![uniqueness(kind, 2)], None);
        // One of its keys is held: the others stay free for the twin, which brings them too.
        check(
            held,
            |draft| {
                draft.record.uniqueness_keys.push(uniqueness(kind, 1));
                draft.record.uniqueness_keys.sort_unstable();
            },
            Some(reason),
        );
        // Under another label of its epoch it is the same.
        let relabelled = crate::blind::UniquenessKey { epoch: 2, ..uniqueness(kind, 1) };
        check(held, |draft| draft.record.uniqueness_keys = vec![relabelled], Some(reason));
        check(
            held,
            |draft| {
                of_unit_2(draft);
                draft.record.uniqueness_keys = vec![uniqueness(kind, 1)];
            },
            of_another_unit,
        );
    }
    // The type is part of the key.
    let held = |ledger: &mut Ledger| {
        let leaf = blue(ledger, 5).with_keys(&[uniqueness(Payment, 1)]).leaf();
        assert_eq!(ledger.submit(vec![leaf]), []);
    };
    check(held, |draft| draft.record.uniqueness_keys = vec![uniqueness(Decision, 1)], None);
}

#[test]
fn a_decision_is_paid_at_once_or_in_instalments() {
    let held = |keys: Vec<crate::blind::UniquenessKey>| {
        move |ledger: &mut Ledger| assert_eq!(ledger.submit(vec![blue(ledger, 5).with_keys(&keys).leaf()]), [])
    };
    let brings = |keys: Vec<crate::blind::UniquenessKey>| move |draft: &mut Draft| draft.record.uniqueness_keys = keys;
    let whole = || vec![uniqueness(Decision, 1)];
    let refused = Some(Reason::DecisionPaid);
    for part in [1, 2, 1_200, u16::MAX] {
        check(held(whole()), brings(vec![instalment(1, part)]), refused);
        check(held(vec![instalment(1, part)]), brings(whole()), refused);
        check(held(vec![instalment(1, part)]), brings(vec![instalment(1, part)]), refused);
        check(held(vec![instalment(1, part)]), brings(vec![instalment(2, part)]), None);
    }
    check(held(vec![instalment(1, 1)]), brings(vec![instalment(1, 2)]), None);
    // One receipt over two instalments, of which one is paid.
    check(held(vec![instalment(1, 2)]), brings(vec![instalment(1, 1), instalment(1, 2)]), refused);
    check(held(vec![instalment(1, 3)]), brings(vec![instalment(1, 1), instalment(1, 2)]), None);
}

/// While a secret gives way to the next, a receipt brings the keys of both, and meets the receipts of either.
#[test]
fn keys_of_two_epochs_stand_in_one_record() {
    let of_next = |tag| crate::blind::UniquenessKey { epoch: 2, ..uniqueness(Payment, tag) };
    let held = |ledger: &mut Ledger| {
        let leaf = blue(ledger, 5).with_keys(&[uniqueness(Payment, 1)]).leaf();
        assert_eq!(ledger.submit(vec![leaf]), []);
    };
    check(held, |draft| draft.record.uniqueness_keys = vec![of_next(0xA1)], None);
    let both = |draft: &mut Draft| draft.record.uniqueness_keys = vec![uniqueness(Payment, 1), of_next(0xA1)];
    check(held, both, Some(Reason::PaymentReceipted));
    check(nothing, both, None);
}

#[test]
fn amounts_at_their_bounds() {
    let total = |fen| move |draft: &mut Draft| draft.record.total = Fen::new(fen);
    check(nothing, total(1), None);
    check(nothing, total(crate::limits::TOTAL_FEN_BOUND - 1), None);
    for fen in [0, crate::limits::TOTAL_FEN_BOUND, i64::MAX, -1, i64::MIN] {
        check(nothing, total(fen), Some(Reason::FieldInvalid));
    }
}
