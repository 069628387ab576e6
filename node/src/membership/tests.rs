use receipt_core::testkit::{TestChain, TestValidator};

use super::*;
use crate::testing::{TestNode, keys_of};

/// One row per set: what a node that holds the old keys, the new ones or both is to it.
#[test]
fn a_node_is_what_the_set_says_by_number_and_keys() {
    let set = |own: Option<TestValidator>| {
        let members = own.into_iter().chain([2, 3, 4].map(TestValidator::new));
        ValidatorSet::new(members.map(|member| member.public()).collect()).unwrap()
    };
    let (old, new) = (keys_of(&TestValidator::new(1)), keys_of(&TestValidator::with_new_keys(1)));
    let mixed = ValidatorKeys { consensus: new.consensus.clone(), ..old.clone() };
    let holders = [vec![old.clone()], vec![new.clone()], vec![old.clone(), new.clone()], vec![mixed]];
    let parts =
        |set: &ValidatorSet| holders.clone().map(|keys| Membership::new(ValidatorId::new(1), keys).part_in(set));
    assert_eq!(parts(&set(None)), [Part::Outsider; 4]);
    let (yes, no) = (Part::Member, Part::OtherKeys);
    assert_eq!(parts(&set(Some(TestValidator::new(1)))), [yes, no, yes, no]);
    assert_eq!(parts(&set(Some(TestValidator::with_new_keys(1)))), [no, yes, yes, no]);
}

/// Validator 4 changes its keys; of each height it votes with those of the height's set, and with none where it lacks them.
#[test]
fn the_consensus_key_is_that_of_the_heights_set() {
    let mut chain = TestChain::new();
    let (old, new) = (TestValidator::new(4), TestValidator::with_new_keys(4));
    chain.rotate_validators(vec![TestValidator::new(1), TestValidator::new(2), TestValidator::new(3), new.clone()]);
    let last = chain.height();
    let node = TestNode::of(&chain, &old);
    node.decide(&chain, last);
    let keys = |held: &[&TestValidator]| {
        let held = held.iter().map(|validator| keys_of(validator)).collect();
        let membership = std::sync::Arc::new(Membership::new(ValidatorId::new(4), held));
        VotingKeys::new(membership, node.services.ledger.clone())
    };
    let first = last.next().unwrap();
    let public = |key: SigningKey| PublicKey(key.verifying_key().to_bytes());
    let both = keys(&[&old, &new]);
    for _ in 0..2 {
        assert_eq!(public(both.at(last).unwrap()), old.public().consensus_key);
        assert_eq!(public(both.at(first).unwrap()), new.public().consensus_key);
    }
    for (held, works, fails) in [(&old, last, first), (&new, first, last)] {
        let keys = keys(&[held]);
        assert!(keys.at(works).is_ok());
        assert!(keys.at(fails).unwrap_err().conflict, "the process survives it");
    }
    assert!(!both.at(Height::new(first.get() + 1)).unwrap_err().conflict, "a height whose set nobody knows");
}

/// A link is signed with every key that the node holds, and known by those of the set of now and of one that is decided on.
#[test]
fn links_are_known_by_the_keys_of_now_and_of_the_announced_set() {
    let mut chain = TestChain::new();
    let (old, new) = (TestValidator::new(4), TestValidator::with_new_keys(4));
    chain.rotate_validators(vec![TestValidator::new(1), TestValidator::new(2), TestValidator::new(3), new.clone()]);
    let node = TestNode::of(&chain, &TestValidator::new(1));
    let membership = std::sync::Arc::new(Membership::new(ValidatorId::new(4), vec![keys_of(&old), keys_of(&new)]));
    let keys = LinkKeys::new(membership, node.services.ledger.clone());
    let known = |id| tallystick_engine::LinkKeys::keys_of(&keys, MemberId::new(id)).unwrap();
    let [old, new] = [old, new].map(|validator| validator.public().consensus_key.0);
    assert_eq!((known(4), known(9)), (vec![old], vec![]));
    node.decide(&chain, Height::new(chain.height().get() - 1));
    assert_eq!(known(4), [old, new], "decided on");
    assert_eq!(known(1).len(), 1);
    node.decide(&chain, chain.height());
    assert_eq!(known(4), [new]);
    assert_eq!(tallystick_engine::LinkKeys::sign(&keys, b"hello").len(), 2);
    // A store error made every validator one of no set, whose links need no signature.
    let first = chain.height().get() + 1;
    node.services.ledger.store.damage(crate::store::VALIDATOR_SETS, &first.to_be_bytes());
    assert!(tallystick_engine::LinkKeys::keys_of(&keys, MemberId::new(4)).is_err());
}
