//! Reversals (V19, V26): every refusal, what a good one frees, and what it leaves in the status map.

use super::draft::{Draft, blue, blue_of_2, receipt_key, red, uniqueness};
use super::ledger::{CODE, Ledger};
use crate::blind::UniquenessType::{Decision, Payment};
use crate::entry::RecordRefusal;
use crate::ids::{Fen, ReceiptKey, UnitId};
use crate::reason::Reason;
use crate::record::status_key;
use crate::state::tables::{ReceiptState, Table, receipt_key_bytes, uniqueness_key_bytes};
use crate::state::{Status, StatusValue, status_value_hash};
use crate::suite::Suite;

const SUITE: Suite = Suite::Ed25519Sha256;

fn refusal(index: u32, reason: Reason) -> RecordRefusal {
    RecordRefusal { index, reason }
}

fn keys() -> [crate::blind::UniquenessKey; 2] {
    [uniqueness(Payment, 1), uniqueness(Decision, 1)]
}

/// A ledger on which 1 (with two keys) and 3 are in force, 2 is reversed by 9, and 30,001 is unit 2's.
fn ledger() -> Ledger {
    let mut ledger = Ledger::new();
    let second = blue(&ledger, 2);
    let leaves = vec![
        blue(&ledger, 1).with_keys(&keys()).leaf(),
        second.leaf(),
        blue(&ledger, 3).with_keys(&[uniqueness(Payment, 3)]).leaf(),
        blue_of_2(&ledger, 30_001).leaf(),
        red(&ledger, 9, &second).leaf(),
    ];
    assert_eq!(ledger.submit(leaves), []);
    ledger
}

fn receipt(ledger: &Ledger, number: u64) -> ReceiptState {
    let key = receipt_key_bytes(receipt_key(CODE, number));
    ReceiptState::decode(&ledger.get(Table::Receipts, &key).unwrap()).unwrap()
}

/// `edit` spoils the good reversal of 1, which follows in the same batch and must not suffer.
fn check(edit: impl FnOnce(&mut Draft), reason: Reason) {
    let mut ledger = ledger();
    let good = |ledger: &Ledger| red(ledger, 10, &blue(ledger, 1).with_keys(&keys()));
    let [bad, good] = [good(&ledger).with(edit).leaf(), good(&ledger).leaf()];
    assert_eq!(ledger.submit(vec![bad, good.clone()]), [refusal(0, reason)]);
    assert_eq!(receipt(&ledger, 1).reversed_by, None);
    assert_eq!(ledger.submit(vec![good]), []);
    assert_eq!(receipt(&ledger, 1).reversed_by, Some(receipt_key(CODE, 10)));
}

fn reverses(number: u64) -> Option<ReceiptKey> {
    Some(receipt_key(CODE, number))
}

#[test]
fn refused_reversals() {
    check(|draft| draft.record.reverses = reverses(4), Reason::OriginalUnknown);
    check(|draft| draft.record.reverses = reverses(10), Reason::OriginalUnknown);
    check(|draft| draft.record.reverses = Some(receipt_key(99_060_226, 1)), Reason::OriginalUnknown);
    check(|draft| draft.record.reverses = reverses(30_001), Reason::UnitMismatch);
    check(|draft| draft.record.reverses = reverses(9), Reason::OriginalIsRed);
    check(|draft| draft.record.reverses = reverses(2), Reason::AlreadyReversed);
    check(|draft| draft.record.total = Fen::new(-38_536), Reason::AmountMismatch);
    check(|draft| draft.record.total = Fen::new(-38_538), Reason::AmountMismatch);
    // V26: the sign and the link go together.
    check(|draft| draft.record.total = Fen::new(38_537), Reason::FieldInvalid);
    check(|draft| draft.record.reverses = None, Reason::FieldInvalid);
    // Its keys are the original's: none missing, none more, none another's.
    check(|draft| draft.record.uniqueness_keys.truncate(1), Reason::FieldInvalid);
    check(|draft| draft.record.uniqueness_keys.clear(), Reason::FieldInvalid);
    check(|draft| draft.record.uniqueness_keys.push(uniqueness(Decision, 9)), Reason::FieldInvalid);
    check(|draft| draft.record.uniqueness_keys[0] = uniqueness(Payment, 3), Reason::FieldInvalid);
    check(|draft| draft.record.uniqueness_keys[0] = uniqueness(Payment, 0), Reason::FieldInvalid);
    // A red receipt is a record like others.
    check(|draft| draft.record.key = receipt_key(CODE, 3), Reason::NumberUsed);
    check(|draft| draft.record.biz_key = super::draft::biz_key(3), Reason::BizCodeUsed);
}

#[test]
fn a_reversal_frees_the_keys_and_a_reissue_takes_them() {
    let mut ledger = ledger();
    let first = blue(&ledger, 1).with_keys(&keys());
    let again = blue(&ledger, 20).with_keys(&keys());
    assert_eq!(
        ledger.submit(vec![again.leaf()]),
        [refusal(0, Reason::PaymentReceipted)],
        "held as long as 1 is in force"
    );
    // Reversal and re-issue in one batch, in this order only.
    let reversal = red(&ledger, 10, &first);
    assert_eq!(
        ledger.submit(vec![again.leaf(), reversal.leaf()]),
        [refusal(0, Reason::PaymentReceipted)],
        "the re-issue stands before the reversal"
    );
    assert_eq!(ledger.submit(vec![reversal.leaf(), again.leaf()]), []);
    for key in keys() {
        assert_eq!(
            ledger.get(Table::UniquenessKeys, &uniqueness_key_bytes(UnitId::new(1), &key)).unwrap(),
            receipt_key_bytes(receipt_key(CODE, 20)),
            "the re-issue holds them now"
        );
    }
    // The red receipt of 1 does not reach through to 20.
    let second_red = red(&ledger, 11, &first).leaf();
    assert_eq!(ledger.submit(vec![second_red]), [refusal(0, Reason::AlreadyReversed)]);
}

#[test]
fn blue_and_red_in_one_batch_and_twice_in_one_batch() {
    let mut ledger = ledger();
    let fourth = blue(&ledger, 4);
    let leaves = vec![
        red(&ledger, 40, &fourth).leaf(),
        fourth.leaf(),
        red(&ledger, 41, &fourth).leaf(),
        red(&ledger, 42, &fourth).leaf(),
    ];
    assert_eq!(
        ledger.submit(leaves),
        [refusal(0, Reason::OriginalUnknown), refusal(3, Reason::AlreadyReversed)],
        "order decides; the second reversal is one too many"
    );
    let leaves = vec![fourth.leaf(), red(&ledger, 41, &fourth).leaf()];
    assert_eq!(ledger.submit(leaves), []);
    assert_eq!(receipt(&ledger, 4).reversed_by, reverses(41));
}

#[test]
fn two_batches_reverse_the_same_receipt() {
    let mut ledger = ledger();
    let original = blue(&ledger, 3).with_keys(&[uniqueness(Payment, 3)]);
    let first = ledger.batch(1, vec![red(&ledger, 10, &original).leaf()]);
    let second = ledger.batch(2, vec![red(&ledger, 10_001, &original).leaf()]);
    let effects = ledger.add(vec![first, second]).unwrap();
    assert_eq!(effects.outcomes[0].refusals, []);
    assert_eq!(effects.outcomes[1].refusals, [refusal(0, Reason::AlreadyReversed)]);
    assert_eq!(receipt(&ledger, 3).reversed_by, reverses(10));
}

#[test]
fn the_status_map_holds_the_reversed_and_proves_the_others_absent() {
    let mut ledger = ledger();
    let blue_key = |number: u64, draft: Draft| (number, status_key(SUITE, &draft.leaf()));
    let [in_force, reversed] = [blue_key(1, blue(&ledger, 1).with_keys(&keys())), blue_key(2, blue(&ledger, 2))];
    let red_receipt = blue_key(9, red(&ledger, 9, &blue(&ledger, 2)));
    let prove = |ledger: &Ledger, key: &crate::hash::Hash| {
        let lookup = ledger.state.prove_status(SUITE, key).unwrap();
        lookup.proof.verify(SUITE, &ledger.tip().status_root, key, lookup.value.as_deref()).unwrap();
        lookup.value
    };
    for (number, key) in [in_force, reversed, red_receipt] {
        assert_eq!(receipt(&ledger, number).status_key, key);
    }
    assert_eq!(prove(&ledger, &in_force.1), None);
    assert_eq!(prove(&ledger, &red_receipt.1), None);
    let stored = StatusValue::decode(&ledger.get(Table::Statuses, &reversed.1.0).unwrap()).unwrap();
    assert_eq!(stored.status, Status::Reversed { by: receipt_key(CODE, 9) });
    assert_eq!(prove(&ledger, &reversed.1).unwrap(), status_value_hash(SUITE, &stored).0);
    // Another reversal moves the root; an empty block and a refused reversal do not.
    let root = ledger.tip().status_root;
    ledger.add(Vec::new()).unwrap();
    let late = red(&ledger, 11, &blue(&ledger, 2)).leaf();
    assert_eq!(ledger.submit(vec![late]), [refusal(0, Reason::AlreadyReversed)]);
    assert_eq!((ledger.tip().status_root, ledger.tip().status_version.map(crate::ids::Height::get)), (root, Some(1)));
    let reversal = red(&ledger, 12, &blue(&ledger, 1).with_keys(&keys())).leaf();
    assert_eq!(ledger.submit(vec![reversal]), []);
    assert_ne!(ledger.tip().status_root, root);
    assert!(prove(&ledger, &in_force.1).is_some() && prove(&ledger, &reversed.1).is_some());
}
