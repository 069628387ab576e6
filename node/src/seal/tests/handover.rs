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
    node.services.sealer.accept_lines(height, &checkpoint, ValidatorId::new(validator.id), lines)
}

/// The height that a node signed last, and when.
fn signed(node: &TestNode) -> Option<(Height, u64)> {
    let own = node.services.sealer.own_lines()?;
    Some((own.height, claimed_time(&own.lines).unwrap().get() - T))
}

fn sign(node: &TestNode, height: Height, seconds: u64) -> Signing {
    node.services.sealer.sign_height(height, UnixMillis::new((T + seconds) * 1000)).unwrap()
}

/// The old set seals its last height, as a node hears of it.
fn hand_over(node: &TestNode, chain: &TestChain, last: Height) {
    for member in old_set().iter().filter(|member| member.id != node.id.get()) {
        tell(node, chain, last, member).unwrap();
    }
    verify_note(node, chain, last);
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
            assert_eq!(node.services.heights.sealed_height(), height);
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
        hand_over(&node, &chain, last);
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
        hand_over(&node, &chain, last);
        sign(&node, next(last), 1);
        assert_eq!(signed(&node), Some(if early { (next(last), 1) } else { (last, 0) }));
        node = restarted(node, &chain, &new);
        sign(&node, next(last), 2);
        assert_eq!(signed(&node), Some((next(last), 2)));
        for member in [TestValidator::new(2), TestValidator::new(5)] {
            tell(&node, &chain, next(last), &member).unwrap();
        }
        assert_eq!(node.services.heights.sealed_height(), next(last));
        verify_note(&node, &chain, next(last));
    }
}

/// Without that note no trust file could be walked to the new set, and its signers may be gone tomorrow.
#[test]
fn nothing_after_a_handover_is_signed_or_published_before_its_own_set_has_sealed_it() {
    let (chain, last) = rotated();
    let node = node(&chain, &TestValidator::new(2));
    node.decide(&chain, next(last));
    let sealer = &node.services.sealer;
    for member in &new_set()[1..] {
        tell(&node, &chain, next(last), member).unwrap();
    }
    let before = node.services.heights.sealed_height();
    assert!(before < last, "a quorum of the new set has signed, and readers would not know it");
    assert_eq!(sign(&node, next(last), 0), Signing::AwaitsHandover);
    assert_eq!(signed(&node), None);
    for (member, is_open) in old_set()[1..].iter().zip([true, true, false]) {
        assert_eq!(node.services.heights.sealed_height(), before);
        tell(&node, &chain, last, member).unwrap();
        assert_eq!(sealer.open_handover().unwrap(), is_open.then_some(last), "validator {}", member.id);
    }
    verify_note(&node, &chain, last);
    assert_eq!(node.services.heights.sealed_height(), next(last), "its quorum waited");
    verify_note(&node, &chain, next(last));
    assert_eq!(sign(&node, next(last), 0), Signing::Done);
    assert_eq!(signed(&node), Some((next(last), 0)));
    // Another height of the old set stays passed over.
    let passed = Height::new(last.get() - 1);
    for member in &old_set() {
        tell(&node, &chain, passed, member).unwrap();
    }
    assert_eq!(node.services.ledger.store.checkpoint(passed).unwrap(), None);
}

/// Whoever has the note hands it out, also after a restart and when the old validators are gone; nobody takes anything else for it.
#[test]
fn a_handovers_note_is_taken_from_anybody_and_no_other_one_is() {
    let (chain, last) = rotated();
    let holder = node(&chain, &TestValidator::new(3));
    holder.decide(&chain, next(last));
    sign(&holder, last, 0);
    hand_over(&holder, &chain, last);
    let holder = restarted(holder, &chain, &TestValidator::new(3));
    assert!(holder.services.sealer.lines_of(last).unwrap().is_none());
    let note = holder.services.sealer.handover_note(last).unwrap().unwrap();
    assert_eq!(holder.services.sealer.handover_note(next(last)).unwrap(), None, "no handover");
    assert_eq!(holder.services.sealer.handover_note(Height::new(99)).unwrap(), None, "not decided");

    let asks = node(&chain, &TestValidator::new(5));
    asks.decide(&chain, next(last));
    let sealer = &asks.services.sealer;
    let text = checkpoint(&chain, last).to_string();
    let lines = |validators: &[TestValidator], text: &str| {
        let origin = &chain.genesis().origin;
        let lines =
            validators.iter().flat_map(|member| [member.sign_as_log(origin, text), member.cosign(origin, text, T)]);
        SignedNote::new(text, lines.collect()).unwrap().to_string()
    };
    let other = checkpoint(&chain, next(last)).to_string();
    for wrong in [
        String::new(),
        "no note".to_owned(),
        lines(&old_set()[..2], &text),
        lines(&new_set(), &text),
        lines(&old_set(), &other),
    ] {
        let refused = sealer.accept_handover_note(last, &wrong).unwrap_err();
        assert!(!refused.is_fatal(), "{refused}");
        assert_eq!(sealer.open_handover().unwrap(), Some(last));
    }
    sealer.accept_handover_note(last, &note).unwrap();
    verify_note(&asks, &chain, last);
    assert_eq!((sealer.open_handover().unwrap(), asks.services.heights.sealed_height()), (None, last));
    assert_eq!(sign(&asks, next(last), 0), Signing::Done);
    assert_eq!(signed(&asks), Some((next(last), 0)));
}

/// Nothing else leads a trust file over it: its lines are kept however far the chain has gone on before they come.
#[test]
fn a_handover_is_sealed_however_late_its_lines_come() {
    let (mut chain, last) = rotated();
    for _ in 0..=KEPT_HEIGHTS {
        chain.add_block(&[]);
    }
    let node = node(&chain, &TestValidator::new(2));
    node.decide(&chain, chain.height());
    assert_eq!(node.services.sealer.open_handover().unwrap(), Some(last));
    hand_over(&node, &chain, last);
    assert_eq!(node.services.sealer.open_handover().unwrap(), None);
}

/// A validator that left gives the same lines for ever.
#[test]
fn lines_far_below_the_tip_say_nothing_of_a_clock() {
    let mut chain = TestChain::new();
    let first = chain.add_block(&[]);
    for _ in 0..=KEPT_HEIGHTS {
        chain.add_block(&[]);
    }
    let node = node(&chain, &TestValidator::new(2));
    node.decide(&chain, chain.height());
    for id in 1..=3 {
        tell(&node, &chain, first, &TestValidator::new(id)).unwrap();
    }
    assert_eq!(node.services.clocks.distance_ms(1), None);
    assert!(!node.services.sealer.has_lines(first, ValidatorId::new(1)));
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
    node.services.sealer.accept_early_lines(first).unwrap();
    let held = [1, 4, 5].map(|id| node.services.sealer.has_lines(first, ValidatorId::new(id)));
    assert_eq!(held, [false, true, true], "validator 1 is not in the new set");
}
