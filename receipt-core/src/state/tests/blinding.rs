//! Blinding epochs: one after the other, each secret once, sixteen at most, and withdrawn as long as no record names them.

use super::draft::{blue, instalment, red, uniqueness};
use super::ledger::{Ledger, genesis};
use super::registry::check_on;
use crate::blind::UniquenessKey;
use crate::blind::UniquenessType::Payment;
use crate::block::Item;
use crate::fingerprint::Fingerprint;
use crate::governance::{Action, RegisterBlinding, WithdrawBlinding};
use crate::ids::UnitId;
use crate::memory::MemoryState;
use crate::reason::Reason;
use crate::state::EpochState::{self, Named, Unused, Withdrawn};
use crate::state::tables::{META_BLINDING, Table, is_of_registry};
use crate::state::{
    BlindingEpoch, BlockRefusal, RegisteredEpoch, followed_writes, genesis_effects, read_blinding_epochs,
};

const NEXT: Result<(), &str> =
    Err("a blinding epoch is the one after the newest, which counts also if it is withdrawn; the first is 1");
const BYTES: Result<(), &str> = Err("a blinding secret's fingerprint has 16 bytes");
const KNOWN: Result<(), &str> = Err("the blinding secret is registered for an earlier epoch");
const FULL: Result<(), &str> =
    Err("16 blinding epochs are in force, and a record has no room for the keys of a further one");
const UNKNOWN: Result<(), &str> = Err("the blinding epoch is not registered");
const TWICE: Result<(), &str> = Err("the blinding epoch is withdrawn already");
const NAMED: Result<(), &str> = Err("a record names the blinding epoch, and payments are known by its secret");

fn register(epoch: u32, fingerprint: &[u8]) -> Action {
    Action::RegisterBlinding(RegisterBlinding { epoch, fingerprint: fingerprint.to_vec() })
}

fn withdraw(epoch: u32) -> Action {
    Action::WithdrawBlinding(WithdrawBlinding { epoch })
}

/// What became of each epoch, from 1 on.
fn states(ledger: &Ledger) -> Vec<EpochState> {
    read_blinding_epochs(&ledger.state).unwrap().iter().map(|known| known.state).collect()
}

/// A ledger with these epochs, each under a secret of its number.
fn with_epochs(count: u8) -> Ledger {
    let mut ledger = Ledger::new();
    ledger.govern((1..=count).map(|epoch| register(epoch.into(), &[epoch; 16])).collect());
    ledger
}

fn payment(tag: u8, epoch: u32) -> UniquenessKey {
    UniquenessKey { epoch, ..uniqueness(Payment, tag) }
}

#[test]
fn epochs_follow_one_another_and_a_secret_has_one() {
    let mut ledger = Ledger::new();
    assert_eq!(read_blinding_epochs(&ledger.state), Ok(Vec::new()));
    for (epoch, fingerprint, expected) in [
        (0, &[1; 16][..], NEXT),
        (1, &[1; 15], BYTES),
        (1, &[1; 17], BYTES),
        (1, &[], BYTES),
        (2, &[1; 16], NEXT),
        (u32::MAX, &[1; 16], NEXT),
        (1, &[1; 16], Ok(())),
    ] {
        check_on(&ledger, register(epoch, fingerprint), expected);
    }
    ledger.govern(vec![register(1, &[1; 16]), register(2, &[2; 16])]);
    for (epoch, fingerprint, expected) in [
        (1, [3; 16], NEXT),
        (2, [3; 16], NEXT),
        (2, [2; 16], NEXT),
        (3, [1; 16], KNOWN),
        (3, [2; 16], KNOWN),
        (4, [3; 16], NEXT),
        (u32::MAX, [3; 16], NEXT),
        (3, [3; 16], Ok(())),
    ] {
        check_on(&ledger, register(epoch, &fingerprint), expected);
    }
    let known = |(epoch, byte): (u32, u8)| RegisteredEpoch {
        secret: BlindingEpoch { epoch, fingerprint: Fingerprint([byte; 16]) },
        state: Unused,
    };
    let epochs = [(1, 1), (2, 2)].map(known);
    assert_eq!(read_blinding_epochs(&ledger.state), Ok(epochs.to_vec()));
    let mut bytes = RegisteredEpoch::encode_all(&epochs);
    assert_eq!(bytes.len(), 42);
    assert!(RegisteredEpoch::decode_all(&bytes[..41]).is_err(), "a cut row");
    bytes[41] = 3;
    assert!(RegisteredEpoch::decode_all(&bytes).is_err(), "no such state");
}

#[test]
fn sixteen_epochs_are_in_force_at_most() {
    let mut ledger = with_epochs(16);
    check_on(&ledger, register(17, &[17; 16]), FULL);
    ledger.govern(vec![withdraw(3)]);
    ledger.govern(vec![register(17, &[17; 16])]);
    check_on(&ledger, register(18, &[18; 16]), FULL);
}

#[test]
fn an_epoch_that_no_record_names_is_withdrawn_for_ever() {
    let mut ledger = with_epochs(3);
    for (epoch, expected) in [(0, UNKNOWN), (4, UNKNOWN), (u32::MAX, UNKNOWN), (1, Ok(())), (3, Ok(()))] {
        check_on(&ledger, withdraw(epoch), expected);
    }
    ledger.govern(vec![withdraw(3), withdraw(1)]);
    assert_eq!(states(&ledger), [Withdrawn, Unused, Withdrawn]);
    check_on(&ledger, withdraw(3), TWICE);
    // Neither its number nor its secret comes back.
    check_on(&ledger, register(3, &[9; 16]), NEXT);
    check_on(&ledger, register(4, &[3; 16]), KNOWN);
    // The last one, too, and the next one in the same message.
    ledger.govern(vec![withdraw(2), register(4, &[4; 16])]);
    assert_eq!(states(&ledger), [Withdrawn, Withdrawn, Withdrawn, Unused]);
    assert!(is_of_registry(Table::Meta, META_BLINDING));
}

/// One row per record: its biz code's epoch, its keys', and the epochs that it names.
#[test]
fn a_taken_record_names_the_epochs_of_all_its_keys() {
    let of_decision = UniquenessKey { epoch: 3, ..instalment(5, 1) };
    for (key_epoch, keys, expected) in [
        (1, vec![], [Named, Unused, Unused]),
        (3, vec![], [Unused, Unused, Named]),
        (2, vec![payment(1, 1), payment(2, 2)], [Named, Named, Unused]),
        (1, vec![of_decision], [Named, Unused, Named]),
        // The ledger judges no record by its epochs; those that are not registered are not written down.
        (0, vec![], [Unused; 3]),
        (4, vec![payment(1, u32::MAX)], [Unused; 3]),
    ] {
        let mut ledger = with_epochs(3);
        let draft = blue(&ledger, 1).with_keys(&keys).with(|draft| draft.record.key_epoch = key_epoch);
        assert_eq!(ledger.submit(vec![draft.leaf()]), []);
        assert_eq!(states(&ledger), expected, "{key_epoch} {keys:?}");
        for (epoch, state) in (1..).zip(expected) {
            check_on(&ledger, withdraw(epoch), if state == Named { NAMED } else { Ok(()) });
        }
    }
}

#[test]
fn a_refused_batch_names_nothing() {
    let mut ledger = with_epochs(2);
    let good = blue(&ledger, 1).with_keys(&[payment(1, 1), payment(2, 2)]);
    let bad = blue(&ledger, 2).with(|draft| draft.record.unit = UnitId::new(99));
    let refusals = ledger.submit(vec![good.leaf(), bad.leaf()]);
    assert_eq!(refusals.iter().map(|refusal| refusal.reason).collect::<Vec<_>>(), [Reason::UnitUnknown]);
    assert_eq!(states(&ledger), [Unused, Unused]);
}

/// In the order of the block.
#[test]
fn a_batch_counts_for_what_comes_after_it_in_the_block() {
    let ledger = with_epochs(2);
    let draft = blue(&ledger, 1).with(|draft| draft.record.key_epoch = 2);
    let message = || Item::Governance(ledger.governance(vec![withdraw(2)]));
    let batch = || ledger.batch(1, vec![draft.leaf()]);
    let problem = NAMED.unwrap_err();
    let refused = ledger.execute(ledger.content(vec![batch(), message()])).unwrap_err();
    assert_eq!(refused, BlockRefusal::Governance { area: None, sequence: 2, problem });
    let effects = ledger.execute(ledger.content(vec![message(), batch()])).unwrap();
    let row = effects.writes[&(Table::Meta, META_BLINDING.to_vec())].clone().unwrap();
    let states: Vec<EpochState> = RegisteredEpoch::decode_all(&row).unwrap().iter().map(|known| known.state).collect();
    assert_eq!(states, [Unused, Withdrawn]);
    assert_eq!(effects.outcomes[0].refusals, []);
}

/// Nothing that was acknowledged is lost: what was issued before the withdrawal was known is taken, and reversed like any other.
#[test]
fn a_record_on_its_way_is_taken_after_the_withdrawal() {
    let mut ledger = with_epochs(2);
    ledger.govern(vec![withdraw(2)]);
    let late = blue(&ledger, 1).with_keys(&[payment(1, 1), payment(2, 2)]).with(|draft| draft.record.key_epoch = 2);
    assert_eq!(ledger.submit(vec![late.leaf()]), []);
    assert_eq!(states(&ledger), [Named, Withdrawn]);
    // Its payment is held under each of its keys, by the epoch that stays, too.
    let again = blue(&ledger, 2).with_keys(&[payment(1, 1)]);
    let refusals = ledger.submit(vec![again.leaf()]);
    assert_eq!(refusals.iter().map(|refusal| refusal.reason).collect::<Vec<_>>(), [Reason::PaymentReceipted]);
    assert_eq!(ledger.submit(vec![red(&ledger, 3, &late).leaf()]), []);
    assert_eq!(states(&ledger), [Named, Withdrawn]);
}

/// The row is written once in an epoch's life.
#[test]
fn only_the_first_batch_that_names_an_epoch_writes_the_row() {
    let mut ledger = with_epochs(1);
    let is_written = |ledger: &mut Ledger, number| {
        let batch = ledger.batch(1, vec![blue(ledger, number).leaf()]);
        ledger.add(vec![batch]).unwrap().writes.contains_key(&(Table::Meta, META_BLINDING.to_vec()))
    };
    assert!(is_written(&mut ledger, 1));
    assert!(!is_written(&mut ledger, 2));
}

/// Whoever follows entries without records never learns that an epoch is named, and withdraws as the ledger does.
#[test]
fn followers_without_records_withdraw_alike() {
    let mut ledger = Ledger::new();
    let mut replica = MemoryState::new();
    replica.commit(genesis_effects(&genesis()).unwrap().writes, &[]);
    let mut govern = |ledger: &mut Ledger, actions| {
        let message = ledger.governance(actions);
        let content = ledger.content(Vec::new());
        let writes = followed_writes(&replica, &ledger.chain, &message, content.height, content.time).unwrap();
        replica.commit(writes, &[]);
        ledger.add(vec![Item::Governance(message)]).unwrap();
    };
    govern(&mut ledger, vec![register(1, &[1; 16]), register(2, &[2; 16])]);
    assert_eq!(ledger.submit(vec![blue(&ledger, 1).leaf()]), []);
    govern(&mut ledger, vec![withdraw(2)]);
    assert_eq!(states(&ledger), [Named, Withdrawn]);
    let followed: Vec<bool> =
        read_blinding_epochs(&replica).unwrap().iter().map(RegisteredEpoch::is_withdrawn).collect();
    assert_eq!(followed, [false, true]);
}
