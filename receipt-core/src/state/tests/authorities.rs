//! Replacing the authorities: who must sign it, which keys may be theirs, and from when they count.

use super::draft::blue;
use super::ledger::{Ledger, genesis, register_key, validator_set};
use crate::authorities::AuthoritySet;
use crate::block::Item;
use crate::genesis::Genesis;
use crate::governance::{Action, Governance, KeyOwner, RegisterKind, SetValidators, SignedGovernance};
use crate::ids::{BatchSequence, Height};
use crate::state::tables::is_of_registry;
use crate::state::tables::{META_AUTHORITIES, Table};
use crate::state::{BlockRefusal, genesis_effects, read_authorities};
use crate::suite::{PublicKey, Signer, SoftwareKey, Suite};
use crate::testkit::{TestValidator, software_key, unit_key};

const OLD: [&str; 3] = ["authority-0", "authority-1", "authority-2"];
const FEW: &str = "it is not signed by enough authorities";
const NOT_ALL: &str = "it is not signed by every new authority";
const STRANGER: &str = "it is signed by a key that is no authority's";
const HELD: &str = "a new authority's key is of another role, or was an authority's before";

fn public(name: &str) -> PublicKey {
    software_key(name).public_key()
}

fn set(names: &[&str], threshold: u32) -> AuthoritySet {
    AuthoritySet { keys: names.iter().map(|name| public(name)).collect(), threshold }
}

fn signed(ledger: &Ledger, actions: Vec<Action>, signers: &[&str]) -> SignedGovernance {
    let keys: Vec<SoftwareKey> = signers.iter().map(|name| software_key(name)).collect();
    let keys: Vec<&dyn Signer> = keys.iter().map(|key| key as &dyn Signer).collect();
    SignedGovernance::sign(ledger.unsigned(actions), ledger.chain.id, &keys)
}

/// What a block says of a message with this set alone.
fn replaced(ledger: &Ledger, next: &AuthoritySet, signers: &[&str]) -> Result<(), &'static str> {
    let message = signed(ledger, vec![Action::SetAuthorities(next.clone())], signers);
    match ledger.execute(ledger.content(vec![Item::Governance(message)])) {
        Ok(_) => Ok(()),
        Err(BlockRefusal::Governance { problem, .. }) => Err(problem),
        Err(other) => panic!("{other}"),
    }
}

fn replace(ledger: &mut Ledger, next: &AuthoritySet, signers: &[&str]) {
    let message = signed(ledger, vec![Action::SetAuthorities(next.clone())], signers);
    ledger.add(vec![Item::Governance(message)]).unwrap();
}

/// One row per group of signers.
#[test]
fn enough_of_the_old_and_all_of_the_new_must_sign() {
    let next = set(&["authority-0", "authority-1", "new"], 2);
    let strangers = set(&["a", "b", "c"], 2);
    for (what, next, signers, expected) in [
        ("two old ones that stay, and the new one", &next, &["authority-0", "authority-1", "new"][..], Ok(())),
        ("and the one that leaves", &next, &["authority-0", "authority-1", "authority-2", "new"], Ok(())),
        ("the new one has not", &next, &["authority-0", "authority-1"], Err(NOT_ALL)),
        ("all old ones, and not the new one", &next, &OLD, Err(NOT_ALL)),
        ("one that stays has not", &next, &["authority-0", "authority-2", "new"], Err(NOT_ALL)),
        ("too few old ones", &next, &["authority-0", "new"], Err(FEW)),
        ("all are replaced", &strangers, &["authority-0", "authority-2", "a", "b", "c"], Ok(())),
        ("by themselves", &strangers, &["a", "b", "c"], Err(FEW)),
        ("one of those is missing", &strangers, &["authority-0", "authority-2", "a", "b"], Err(NOT_ALL)),
        ("and somebody else", &strangers, &["authority-0", "authority-2", "a", "b", "c", "d"], Err(STRANGER)),
    ] {
        assert_eq!(replaced(&Ledger::new(), next, signers), expected, "{what}");
    }
    // A signature that is given for a new one must be its own.
    let ledger = Ledger::new();
    let mut forged = signed(&ledger, vec![Action::SetAuthorities(next)], &["authority-0", "authority-1", "new"]);
    let position = forged.signatures.iter().position(|(key, _)| *key == public("new")).unwrap();
    forged.signatures[position].1.0[7] ^= 1;
    let refused = ledger.execute(ledger.content(vec![Item::Governance(forged)])).unwrap_err();
    assert!(refused.to_string().contains("an authority's signature is not valid"), "{refused}");
}

/// One row per set that may not be.
#[test]
fn a_set_can_govern_and_takes_no_key_of_another_role() {
    let mut ledger = Ledger::new();
    // Announced, and not in force: its keys are taken all the same.
    let announced = SetValidators { effective_height: 1_000, validators: validator_set([1, 2, 3, 4, 9]) };
    ledger.govern(vec![Action::SetValidators(announced)]);
    let with =
        |key: PublicKey| AuthoritySet { keys: vec![public("authority-0"), public("authority-1"), key], threshold: 2 };
    let validator = |id| TestValidator::new(id).public();
    let none = AuthoritySet { keys: Vec::new(), threshold: 0 };
    let many = AuthoritySet { keys: (0..65).map(|n| public(&format!("many-{n}"))).collect(), threshold: 1 };
    for (what, next, expected) in [
        ("nobody", none, "no such number of authorities"),
        ("a threshold of nobody", set(&OLD[..2], 0), "no such number of authorities"),
        ("a threshold above all", set(&OLD[..2], 3), "no such number of authorities"),
        ("one twice", set(&["authority-0", "authority-0"], 1), "an authority stands twice"),
        ("no point of the curve", with(PublicKey([0; 32])), "an authority's key is not registrable"),
        ("too many", many, "there are too many authorities"),
        ("as it is", set(&OLD, 2), "these are the authorities already"),
        ("a validator's consensus key", with(validator(1).consensus_key), HELD),
        ("a validator's log key", with(validator(2).log_key), HELD),
        ("a validator's cosigner key", with(validator(3).cosigner_key), HELD),
        ("a key of an announced validator", with(validator(9).cosigner_key), HELD),
        ("a unit's key", with(unit_key(1).public_key()), HELD),
    ] {
        let action = Action::SetAuthorities(next.clone());
        let trial = crate::state::try_governance(
            &ledger.state,
            &ledger.chain,
            &ledger.unsigned(vec![action]),
            Height::new(2),
            crate::ids::UnixMillis::new(ledger.time),
        );
        assert_eq!(trial.unwrap().actions.unwrap_err().problem, expected, "{what}");
    }
    // And nobody takes an authority's.
    let authority = public("authority-2");
    let key = Action::RegisterKey(register_key(900, KeyOwner::Unit, 1, authority));
    let refused = |ledger: &Ledger, action| {
        let governance = ledger.governance(vec![action]);
        ledger.execute(ledger.content(vec![Item::Governance(governance)])).unwrap_err().to_string()
    };
    assert!(refused(&ledger, key).contains("the key is somebody else's, or of another role"));
    let mut members = validator_set(2..=5).members().to_vec();
    members[3].log_key = authority;
    let validators = crate::validators::ValidatorSet::new(members).unwrap();
    let validators = Action::SetValidators(SetValidators { effective_height: 1_000, validators });
    assert!(refused(&ledger, validators).contains("a key was another validator's, or of another role"));
    let unit_of_validator = register_key(901, KeyOwner::Unit, 1, validator(9).log_key);
    assert!(refused(&ledger, Action::RegisterKey(unit_of_validator)).contains("somebody else's"));
    let other_units = register_key(902, KeyOwner::Unit, 2, unit_key(1).public_key());
    assert!(refused(&ledger, Action::RegisterKey(other_units)).contains("somebody else's"));
}

#[test]
fn a_key_that_was_replaced_does_not_come_back() {
    let mut ledger = Ledger::new();
    replace(&mut ledger, &set(&["authority-0", "authority-1", "new"], 2), &["authority-0", "authority-1", "new"]);
    let back = set(&OLD, 2);
    assert_eq!(replaced(&ledger, &back, &["authority-0", "authority-1", "authority-2"]), Err(HELD));
    // Whoever stays is no newcomer, and a threshold may change alone.
    let all = ["authority-0", "authority-1", "new"];
    assert_eq!(replaced(&ledger, &set(&all, 3), &all), Ok(()));
}

/// In the order of the log, not of the blocks.
#[test]
fn the_next_message_is_the_new_authorities() {
    let kind = |kind| vec![Action::RegisterKind(RegisterKind::named(kind, "新"))];
    let next = set(&["a", "b", "c"], 3);
    for signers in [&["a", "b", "c"][..], &["authority-0", "authority-1"]] {
        let mut ledger = Ledger::new();
        let change = signed(
            &ledger,
            [vec![Action::SetAuthorities(next.clone())], kind(7)].concat(),
            &["authority-0", "authority-1", "a", "b", "c"],
        );
        let next_message = following(&ledger, &change, kind(8), signers);
        let result = ledger.add(vec![Item::Governance(change), Item::Governance(next_message)]);
        if signers.len() == 3 {
            assert_eq!(result.map(|effects| effects.entries.len()), Ok(3));
            assert_eq!(read_authorities(&ledger.state).unwrap(), next);
            assert_eq!(ledger.get(Table::Meta, META_AUTHORITIES), Some(next.encode()));
        } else {
            let problem = STRANGER;
            assert_eq!(result.unwrap_err(), BlockRefusal::Governance { area: None, sequence: 2, problem });
        }
    }
    assert!(is_of_registry(Table::Meta, META_AUTHORITIES));
}

/// A message that follows `before` in the same block.
fn following(ledger: &Ledger, before: &SignedGovernance, actions: Vec<Action>, signers: &[&str]) -> SignedGovernance {
    let sequence = before.governance.sequence + 1;
    let governance = Governance { sequence, previous: before.hash(), ..ledger.unsigned(actions) };
    let keys: Vec<SoftwareKey> = signers.iter().map(|name| software_key(name)).collect();
    let keys: Vec<&dyn Signer> = keys.iter().map(|key| key as &dyn Signer).collect();
    SignedGovernance::sign(governance, ledger.chain.id, &keys)
}

/// A block of its own for none of it: batches before and after a change, and a change of what the change before it has put in place.
#[test]
fn two_changes_and_batches_around_them_stand_in_one_block() {
    let mut ledger = Ledger::new();
    let first = set(&["authority-0", "authority-1", "new"], 2);
    let second = set(&["authority-1", "new", "newer"], 3);
    let one =
        signed(&ledger, vec![Action::SetAuthorities(first)], &["authority-0", "authority-2", "authority-1", "new"]);
    let change = |set: &AuthoritySet| vec![Action::SetAuthorities(set.clone())];
    let two = |signers: &[&str]| following(&ledger, &one, change(&second), signers);
    let leaves = [1, 2, 3].map(|number| vec![blue(&ledger, number).leaf()]);
    let header = |position: usize| {
        let mut header = ledger.header(1, &leaves[position]);
        header.sequence = BatchSequence::new(header.sequence.get() + position as u64);
        ledger.sign_header(header, leaves[position].clone())
    };
    let items = |two: SignedGovernance| {
        vec![header(0), Item::Governance(one.clone()), header(1), Item::Governance(two), header(2)]
    };
    for (signers, problem) in [
        // Whoever left with the first change signs no more.
        (&["authority-0", "authority-2", "authority-1", "new", "newer"][..], STRANGER),
        (&["authority-1", "newer"], FEW),
        (&["authority-0", "authority-1", "newer"], NOT_ALL),
    ] {
        let refused = ledger.execute(ledger.content(items(two(signers)))).unwrap_err();
        assert_eq!(refused, BlockRefusal::Governance { area: None, sequence: 2, problem }, "{signers:?}");
    }
    let effects = ledger.execute(ledger.content(items(two(&["authority-1", "new", "newer"])))).unwrap();
    let tags: Vec<u8> = effects.entries.iter().map(|entry| entry[0]).collect();
    assert_eq!(tags, [1, 3, 1, 3, 1, 4], "each at its place in the log");
    let size = ledger.tip().log_size.get();
    let taken: Vec<u64> = effects.outcomes.iter().map(|outcome| outcome.leaf_index.get() - size).collect();
    assert_eq!(taken, [0, 2, 4]);
    assert!(effects.outcomes.iter().all(|outcome| outcome.refusals.is_empty()));
    ledger.commit(&effects);
    assert_eq!(read_authorities(&ledger.state).unwrap(), second);
    // Who came and went within the block was an authority all the same, and what left does not come back.
    let back = set(&["authority-1", "new", "authority-0"], 2);
    let signers = ["authority-0", "authority-1", "new", "newer"];
    assert_eq!(replaced(&ledger, &back, &signers), Err(HELD));
}

#[test]
fn genesis_and_a_second_replacement_in_one_message_are_refused() {
    let next = Action::SetAuthorities(set(&["a"], 1));
    let twice = Governance {
        suite: Suite::Ed25519Sha256,
        area: None,
        sequence: 1,
        expiry: Height::new(9),
        previous: crate::hash::Hash([0; 32]),
        actions: vec![next.clone(), next.clone()],
    };
    assert!(Governance::decode(&twice.encode()).is_err());
    let once = Governance { actions: vec![next.clone()], ..twice };
    assert_eq!(Governance::decode(&once.encode()), Ok(once));
    let mut bad = genesis();
    bad.actions.push(next);
    assert!(genesis_effects(&bad).unwrap_err().to_string().contains("apart from its actions"));
    let twin =
        Genesis { authorities: vec![genesis().validators.members()[0].log_key], authority_threshold: 1, ..genesis() };
    assert!(genesis_effects(&twin).unwrap_err().to_string().contains("an authority's key is a validator's"));
}
