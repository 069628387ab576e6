//! V14 V15 over long histories: against a plain model that looks through all live receipts, and what is left in the table.

use super::draft::{Draft, blue, blue_of_2, instalment, red, red_of_2, uniqueness};
use super::ledger::Ledger;
use crate::blind::UniquenessKey;
use crate::blind::UniquenessType::{Decision, MedicalSettlement, Payment};
use crate::entry::RecordRefusal;
use crate::hash::sha256;
use crate::reason::Reason;
use crate::state::tables::{Table, decision_key_bytes};

/// A receipt of unit 1 or 2 over what was paid.
fn of(ledger: &Ledger, unit: u32, number: u64, keys: &[UniquenessKey]) -> Draft {
    let draft = if unit == 1 { blue(ledger, number) } else { blue_of_2(ledger, number) };
    draft.with_keys(keys)
}

fn red_of(ledger: &Ledger, unit: u32, number: u64, original: &Draft) -> Draft {
    if unit == 1 { red(ledger, number, original) } else { red_of_2(ledger, number, original) }
}

/// Why the keys cannot be taken beside those of the live receipts: the reason of the first that is held.
fn against(live: &[(u32, Draft)], unit: u32, keys: &[UniquenessKey]) -> Option<Reason> {
    let held = |key: &&UniquenessKey| {
        live.iter().any(|(other, draft)| {
            let reaches = key.kind == Payment || *other == unit;
            reaches && draft.record.uniqueness_keys.iter().any(|held| held.excludes(key))
        })
    };
    keys.iter().find(held).map(|key| key.kind.reason_if_held())
}

#[test]
fn histories_agree_with_a_search_through_all_live_receipts() {
    for seed in 0_u32..12 {
        let mut draws = 0_u32;
        let mut draw = |below: u64| {
            draws += 1;
            let digest = sha256(&[&seed.to_be_bytes(), &draws.to_be_bytes()]);
            u64::from_be_bytes(digest.0[..8].try_into().unwrap()) % below
        };
        let mut ledger = Ledger::new();
        let mut live: Vec<(u32, Draft)> = Vec::new();
        let (mut taken, mut refused) = (0, 0);
        for step in 1..=120 {
            if !live.is_empty() && draw(3) == 0 {
                let (unit, original) = live.swap_remove(draw(live.len() as u64) as usize);
                let number = if unit == 1 { 1_000 + step } else { 31_000 + step };
                let red = red_of(&ledger, unit, number, &original);
                assert_eq!(ledger.submit(vec![red.leaf()]), [], "seed {seed} step {step}");
                continue;
            }
            let unit = 1 + draw(2) as u32;
            let number = if unit == 1 { step } else { 30_000 + step };
            let mut keys: Vec<UniquenessKey> = (0..=draw(2))
                .map(|_| {
                    let tag = 1 + draw(2) as u8;
                    match draw(4) {
                        0 => uniqueness(Payment, tag),
                        1 => uniqueness(MedicalSettlement, tag),
                        2 => uniqueness(Decision, tag),
                        _ => instalment(tag, 1 + draw(3) as u16),
                    }
                })
                .collect();
            keys.sort_unstable();
            keys.dedup_by(|later, earlier| earlier.excludes(later));
            let draft = of(&ledger, unit, number, &keys);
            let expected = against(&live, unit, &keys);
            let refusals: Vec<RecordRefusal> =
                expected.into_iter().map(|reason| RecordRefusal { index: 0, reason }).collect();
            assert_eq!(ledger.submit(vec![draft.leaf()]), refusals, "seed {seed} step {step} {keys:?}");
            match expected {
                None => {
                    live.push((unit, draft));
                    taken += 1;
                }
                Some(_) => refused += 1,
            }
        }
        assert!(taken > 10 && refused > 10, "seed {seed}: {taken} taken, {refused} refused");
        // Once all is reversed, nothing is left behind.
        for (place, (unit, original)) in (1..).zip(live) {
            let number = if unit == 1 { 2_000 + place } else { 32_000 + place };
            let red = red_of(&ledger, unit, number, &original);
            assert_eq!(ledger.submit(vec![red.leaf()]), []);
        }
        assert_eq!(ledger.state.row_count(Table::UniquenessKeys), 0, "seed {seed}");
    }
}

#[test]
fn reversed_instalments_make_room_when_the_last_of_them_is_gone() {
    let mut ledger = Ledger::new();
    let first = blue(&ledger, 1).with_keys(&[instalment(1, 1)]);
    let second = blue(&ledger, 2).with_keys(&[instalment(1, 2)]);
    assert_eq!(ledger.submit(vec![first.leaf(), second.leaf()]), []);
    let unit = first.record.unit;
    let count = |ledger: &Ledger| ledger.get(Table::UniquenessKeys, &decision_key_bytes(unit, &instalment(1, 1)));
    assert_eq!(count(&ledger), Some(vec![0, 0, 0, 2]));
    let whole = |ledger: &Ledger, number| blue(ledger, number).with_keys(&[uniqueness(Decision, 1)]).leaf();
    let refused = [RecordRefusal { index: 0, reason: Reason::DecisionPaid }];
    assert_eq!(ledger.submit(vec![whole(&ledger, 3)]), refused);
    assert_eq!(ledger.submit(vec![red(&ledger, 11, &first).leaf()]), []);
    assert_eq!(count(&ledger), Some(vec![0, 0, 0, 1]));
    assert_eq!(ledger.submit(vec![whole(&ledger, 3)]), refused);
    // The last reversal and the payment at once, in one batch and in this order.
    assert_eq!(ledger.submit(vec![red(&ledger, 12, &second).leaf(), whole(&ledger, 3)]), []);
    assert_eq!(count(&ledger), None);
    let third = blue(&ledger, 4).with_keys(&[instalment(1, 3)]).leaf();
    assert_eq!(ledger.submit(vec![third]), refused);
}

/// A red record that names another instalment, or the decision at once, frees nothing.
#[test]
fn a_reversal_frees_the_instalments_of_its_original_and_no_others() {
    let mut ledger = Ledger::new();
    let first = blue(&ledger, 1).with_keys(&[instalment(1, 1)]);
    let second = blue(&ledger, 2).with_keys(&[instalment(1, 2)]);
    assert_eq!(ledger.submit(vec![first.leaf(), second.leaf()]), []);
    for wrong in [instalment(1, 2), instalment(1, 3), instalment(2, 1), uniqueness(Decision, 1)] {
        let red = red(&ledger, 11, &first).with_keys(&[wrong]);
        assert_eq!(ledger.submit(vec![red.leaf()]), [RecordRefusal { index: 0, reason: Reason::FieldInvalid }]);
    }
    assert_eq!(ledger.submit(vec![red(&ledger, 11, &first).leaf()]), []);
}
