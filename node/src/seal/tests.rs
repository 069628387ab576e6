mod handover;

use std::time::Duration;

use receipt_core::testkit::{GENESIS_TIME_MS, TestChain, TestValidator};

use super::*;
use crate::testing::TestNode;

/// Seconds after genesis.
const T: u64 = GENESIS_TIME_MS / 1000 + 60;

struct World {
    chain: TestChain,
    node: TestNode,
    height: Height,
    checkpoint: Checkpoint,
}

/// Validator 1 with one decided block; it takes renewed lines at any time.
fn world() -> World {
    let mut chain = TestChain::new();
    let height = chain.add_block(&[]);
    let mut node = TestNode::new(&chain, 1);
    patient(&mut node);
    node.decide(&chain, height);
    let checkpoint = node.services.sealer.checkpoint_of(height).unwrap().unwrap();
    World { chain, node, height, checkpoint }
}

fn patient(node: &mut TestNode) {
    Arc::get_mut(&mut node.services.sealer).unwrap().held = HeldLines::with_interval(Duration::ZERO);
}

impl World {
    fn lines(&self, id: u32, seconds: u64) -> Vec<SignatureLine> {
        let (origin, text) = (self.checkpoint.origin(), self.checkpoint.to_string());
        let validator = TestValidator::new(id);
        vec![validator.sign_as_log(origin, &text), validator.cosign(origin, &text, seconds)]
    }

    fn accept(&self, id: u32, seconds: u64) {
        let lines = self.lines(id, seconds);
        self.node.services.sealer.accept_lines(self.height, &self.checkpoint, ValidatorId::new(id), lines).unwrap();
    }

    fn published(&self) -> Option<SignedNote> {
        let note = self.node.services.ledger.store.published_checkpoint().unwrap();
        note.map(|(_, note)| SignedNote::parse(note.as_bytes()).unwrap())
    }

    /// "As of" of the published note, in seconds after [`T`], and the validators whose log key signed it.
    fn standing(&self) -> Option<(u64, Vec<u32>)> {
        let note = self.published()?;
        let as_of = self.chain.trust().verify_note(&note).unwrap().as_of.get() - T;
        let signed = |id: &u32| note.signatures().contains(&self.lines(*id, 0)[0]);
        Some((as_of, (1..=4).filter(signed).collect()))
    }
}

#[test]
fn every_log_key_that_signed_stands_in_the_published_note_and_one_in_proofs() {
    let world = world();
    for (id, expected) in [(2, None), (3, None), (4, Some(vec![2, 3, 4])), (1, Some(vec![1, 2, 3, 4]))] {
        world.accept(id, T);
        assert_eq!(world.standing().map(|(_, signed)| signed), expected, "after validator {id}");
    }
    let proof = world.node.services.ledger.store.checkpoint(world.height).unwrap().unwrap();
    let proof = SignedNote::parse(proof.as_bytes()).unwrap();
    assert_eq!(proof.signatures().len(), 1 + 3);
    world.chain.trust().verify_note(&proof).unwrap();
}

/// Lines in the order in which they come: seconds after `T`, and the published "as of" after each.
#[test]
fn the_published_time_never_steps_back_and_notes_are_rewritten_for_gain_only() {
    let world = world();
    let rows: [(u32, u64, Option<u64>); 11] = [
        (1, 50, None),
        (2, 60, None),
        (3, 40, Some(40)),
        (4, 45, Some(45)),
        // A clock was set back; an old line was handed on again.
        (1, 10, Some(45)),
        (2, 59, Some(45)),
        (3, 40, Some(45)),
        // One validator alone moves nothing, however far ahead its clock is.
        (4, 9_000, Some(50)),
        (4, 9_001, Some(50)),
        (3, 55, Some(55)),
        (1, 70, Some(60)),
    ];
    let mut writes = Vec::new();
    for (id, seconds, as_of) in rows {
        let before = world.published();
        world.accept(id, T + seconds);
        assert_eq!(world.standing().map(|(as_of, _)| as_of), as_of, "validator {id} at {seconds}");
        writes.push(world.published() != before);
    }
    assert_eq!(writes, [false, false, true, true, false, false, false, true, false, true, true]);
}

/// After a restart a node holds nobody's lines. What it had published counts all the same.
#[test]
fn a_restart_loses_neither_time_nor_log_keys_of_the_published_note() {
    let mut world = world();
    for id in 1..=4 {
        world.accept(id, T + 50);
    }
    patient(&mut world.node);
    let before = world.published();
    // The same validators' older lines, from whoever kept them.
    for id in 1..=3 {
        world.accept(id, T + 20);
    }
    assert_eq!(world.published(), before);
    // Validator 4 is away: its log key's line stays with the unchanged tree.
    for id in 1..=3 {
        world.accept(id, T + 60);
    }
    assert_eq!(world.standing(), Some((60, vec![1, 2, 3, 4])));
}

/// Such lines cannot come in: each is verified, and no set has two keys of one name and id. Should they, the others' count.
#[test]
fn a_wrong_line_is_left_out_its_author_named_and_the_others_published() {
    let world = world();
    let sealer = &world.node.services.sealer;
    let mut wrong = world.lines(2, T);
    wrong[0] = TestValidator::new(2).sign_as_log(world.checkpoint.origin(), "another text\n");
    sealer.held.keep((world.height, ValidatorId::new(2)), PosixSeconds::new(T), wrong, world.height, None);
    world.accept(1, T);
    assert_eq!((world.standing(), sealer.dropped_lines().get()), (None, 0), "no quorum yet");
    world.accept(3, T);
    assert_eq!(world.standing(), Some((0, vec![1, 3])), "validator 2 has cosigned, and its log line is wrong");
    assert_eq!(sealer.dropped_lines().get(), 1);
    assert!(!sealer.has_lines(world.height, ValidatorId::new(2)));
    world.accept(4, T);
    assert_eq!(world.standing(), Some((0, vec![1, 3, 4])));
}
