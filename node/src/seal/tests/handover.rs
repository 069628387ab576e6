//! From one validator set to the next: each height is signed and judged under the keys of its own set.

use super::*;

/// Validator 1 leaves, 5 joins, 4 changes its keys.
fn new_set() -> Vec<TestValidator> {
    vec![TestValidator::new(2), TestValidator::new(3), TestValidator::with_new_keys(4), TestValidator::new(5)]
}

fn old_set() -> Vec<TestValidator> {
    (1..=4).map(TestValidator::new).collect()
}

/// A chain with two heights of the new set, and the last height of the old one.
fn rotated() -> (TestChain, Height) {
    let mut chain = TestChain::new();
    chain.add_block(&[]);
    chain.rotate_validators(new_set());
    let last = chain.height();
    chain.add_block(&[]);
    chain.add_block(&[]);
    (chain, last)
}

fn next(height: Height) -> Height {
    height.next().unwrap()
}

fn node(chain: &TestChain, validator: &TestValidator) -> TestNode {
    let mut node = TestNode::of(chain, validator);
    patient(&mut node);
    node
}

fn restarted(node: TestNode, chain: &TestChain, validator: &TestValidator) -> TestNode {
    let mut node = node.restarted(chain, validator);
    patient(&mut node);
    node
}

fn checkpoint(chain: &TestChain, height: Height) -> Checkpoint {
    let size = chain.blocks()[height.get() as usize].log_size;
    Checkpoint::new(&chain.genesis().origin, receipt_core::ids::TreeSize::new(size), chain.log().root(size)).unwrap()
}

/// Gives a node a validator's lines of a height.
fn tell(node: &TestNode, chain: &TestChain, height: Height, validator: &TestValidator) -> Result<(), SealError> {
    let (checkpoint, origin) = (checkpoint(chain, height), &chain.genesis().origin);
    let text = checkpoint.to_string();
    let lines = vec![validator.sign_as_log(origin, &text), validator.cosign(origin, &text, T)];
    node.services.sealer.take_lines(height, &checkpoint, ValidatorId::new(validator.id), lines)
}

/// The height that a node signed last, and when.
fn signed(node: &TestNode) -> Option<(Height, u64)> {
    let own = node.services.sealer.own_lines()?;
    Some((own.height, claimed_time(&own.lines).unwrap().get() - T))
}

fn sign(node: &TestNode, height: Height, seconds: u64) {
    node.services.sealer.sign_height(height, UnixMillis::new((T + seconds) * 1000)).unwrap();
}

fn verify_note(node: &TestNode, chain: &TestChain, height: Height) {
    let note = node.services.ledger.store.checkpoint(height).unwrap().unwrap();
    assert_eq!(chain.trust().verify_checkpoint(&note).unwrap().size, checkpoint(chain, height).size());
}

#[test]
fn each_height_is_sealed_under_the_keys_of_its_own_set() {
    let own = TestValidator::new(2);
    for restarts in [false, true] {
        let (chain, last) = rotated();
        let mut node = node(&chain, &own);
        for (height, set, others) in [
            (last, old_set(), vec![TestValidator::with_new_keys(4), TestValidator::new(5)]),
            (next(last), new_set(), vec![TestValidator::new(1), TestValidator::new(4)]),
        ] {
            node.decide(&chain, height);
            if restarts {
                node = restarted(node, &chain, &own);
            }
            sign(&node, height, 0);
            assert_eq!(signed(&node), Some((height, 0)));
            for other in &others {
                tell(&node, &chain, height, other).unwrap_err();
            }
            for member in set.iter().filter(|member| member.id != own.id) {
                tell(&node, &chain, height, member).unwrap();
            }
            assert_eq!(node.services.progress.sealed_height(), height);
            verify_note(&node, &chain, height);
        }
        // The old height is judged under the old set for good.
        tell(&node, &chain, last, &TestValidator::new(5)).unwrap_err();
        assert_eq!(node.services.sealer.open_handover().unwrap(), None);
    }
}

#[test]
fn who_is_not_in_the_next_set_signs_the_handover_once_and_no_further_tree() {
    for (validator, stays) in
        [(TestValidator::new(1), false), (TestValidator::new(4), false), (TestValidator::new(2), true)]
    {
        let (chain, last) = rotated();
        let node = node(&chain, &validator);
        let before = Height::new(last.get() - 1);
        node.decide(&chain, before);
        for seconds in [0, 1] {
            sign(&node, before, seconds);
            assert_eq!(signed(&node), Some((before, seconds)), "an unchanged tree is signed again");
        }
        node.decide(&chain, last);
        sign(&node, last, 2);
        assert_eq!(signed(&node), Some((last, 2)));
        sign(&node, last, 3);
        assert_eq!(signed(&node), Some((last, if stays { 3 } else { 2 })));
        node.decide(&chain, next(last));
        sign(&node, next(last), 4);
        assert_eq!(signed(&node), Some(if stays { (next(last), 4) } else { (last, 2) }));
    }
}

#[test]
fn a_validator_signs_with_its_new_keys_from_the_first_height_of_its_set() {
    let (chain, last) = rotated();
    let [old, new] = [TestValidator::new(4), TestValidator::with_new_keys(4)];
    // Its operator puts the new keys in before, or after they are due.
    for early in [true, false] {
        let mut node = node(&chain, if early { &new } else { &old });
        node.decide(&chain, last);
        sign(&node, last, 0);
        assert_eq!(signed(&node), if early { None } else { Some((last, 0)) });
        node.decide(&chain, next(last));
        sign(&node, next(last), 1);
        assert_eq!(signed(&node), Some(if early { (next(last), 1) } else { (last, 0) }));
        node = restarted(node, &chain, &new);
        sign(&node, next(last), 2);
        assert_eq!(signed(&node), Some((next(last), 2)));
        for member in [TestValidator::new(2), TestValidator::new(5)] {
            tell(&node, &chain, next(last), &member).unwrap();
        }
        assert_eq!(node.services.progress.sealed_height(), next(last));
        verify_note(&node, &chain, next(last));
    }
}

/// Without that note no trust file could be walked to the new set.
#[test]
fn a_handover_is_sealed_by_its_own_set_even_after_a_larger_tree() {
    let (chain, last) = rotated();
    let node = node(&chain, &TestValidator::new(2));
    node.decide(&chain, next(last));
    let sealer = &node.services.sealer;
    for member in &new_set()[1..] {
        tell(&node, &chain, next(last), member).unwrap();
    }
    assert_eq!(node.services.progress.sealed_height(), next(last));
    assert_eq!(sealer.open_handover().unwrap(), Some(last));
    let published = node.services.ledger.store.published_checkpoint().unwrap();
    for member in &old_set()[..2] {
        tell(&node, &chain, last, member).unwrap();
    }
    assert_eq!(sealer.open_handover().unwrap(), Some(last), "two of four");
    tell(&node, &chain, last, &TestValidator::new(3)).unwrap();
    verify_note(&node, &chain, last);
    assert_eq!(sealer.open_handover().unwrap(), None);
    assert_eq!(node.services.ledger.store.published_checkpoint().unwrap(), published);
    assert_eq!(node.services.progress.sealed_height(), next(last));
    // Another height under it stays passed over.
    let before = Height::new(last.get() - 1);
    for member in &old_set() {
        tell(&node, &chain, before, member).unwrap();
    }
    assert_eq!(node.services.ledger.store.checkpoint(before).unwrap(), None);
}

/// A node that decides last gets the new set's lines before it knows that set's first height.
#[test]
fn early_lines_are_kept_from_members_of_a_set_that_is_announced() {
    let (chain, last) = rotated();
    let node = node(&chain, &TestValidator::new(2));
    node.decide(&chain, Height::new(last.get() - 1));
    let first = next(last);
    for member in [TestValidator::new(5), TestValidator::with_new_keys(4), TestValidator::new(1)] {
        tell(&node, &chain, first, &member).unwrap();
    }
    tell(&node, &chain, first, &TestValidator::new(9)).unwrap_err();
    tell(&node, &chain, last, &TestValidator::new(5)).unwrap_err();
    node.decide(&chain, first);
    node.services.sealer.take_early(first).unwrap();
    let held = [1, 4, 5].map(|id| node.services.sealer.has_lines(first, ValidatorId::new(id)));
    assert_eq!(held, [false, true, true], "validator 1 is not in the new set");
}
