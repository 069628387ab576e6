//! One of four validators double-signs everything: the others agree, and can prove it.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use ed25519_dalek::Signature;
use support::{assert_same, id, key, network, rest, set_busy, start_all};
use tallystick_engine::{Byzantine, Equivocation};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_equivocating_validator_is_outvoted_and_convicted() {
    let directory = scratch::Directory::new();
    let mut nodes = network(4, directory.path());
    nodes[3].config.byzantine =
        Some(Byzantine { equivocate_votes: true, equivocate_proposals: true, ..Byzantine::default() });
    set_busy(&nodes, true);
    start_all(&mut nodes).await;
    for node in &nodes[..3] {
        node.disk.wait_for_tip(12).await;
    }
    let histories: Vec<_> = nodes[..3].iter().map(|node| node.disk.blocks()[..12].to_vec()).collect();
    assert!(histories.iter().all(|history| *history == histories[0]));
    let mut kinds = BTreeSet::new();
    for node in &nodes[..3] {
        for found in &node.disk.stored.lock().unwrap().equivocations {
            assert_eq!(found.member, id(3));
            let [first, second] = &found.statements;
            assert_ne!(first.preimage, second.preimage);
            for statement in [first, second] {
                let signature = Signature::from_bytes(&statement.signature);
                key(3).verifying_key().verify_strict(&statement.preimage, &signature).expect("it signed this");
            }
            assert_eq!(found.public_key, key(3).verifying_key().to_bytes());
            let kept = Equivocation::decode(&found.encode()).unwrap();
            kept.check().expect("the file convicts it, too");
            let namespace = first.preimage.split(|byte| *byte == b'\n').next().unwrap_or_default();
            kinds.insert(String::from_utf8_lossy(namespace).into_owned());
        }
    }
    assert!(kinds.contains("tallystick/prevote/v1"), "{kinds:?}");
    for node in &mut nodes {
        node.stop().await;
    }
}

/// One of four sends every header on, twice, over a body of its own; blocks of several chunks, so that the forgeries come while the
/// real ones are under way. Nobody misses a block for it: all are decided with the votes of the three others alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_validator_that_forges_others_bodies_forges_in_vain() {
    let directory = scratch::Directory::new();
    let mut nodes = network(4, directory.path());
    nodes[3].config.byzantine =
        Some(Byzantine { forge_bodies: true, drop_votes: true, drop_proposals: true, ..Byzantine::default() });
    for node in &nodes {
        node.disk.block_bytes.store(1_000_000, Ordering::SeqCst);
    }
    set_busy(&nodes, true);
    start_all(&mut nodes).await;
    for node in &nodes[..3] {
        node.disk.wait_for_tip(12).await;
    }
    set_busy(&nodes, false);
    rest(&nodes[..3]).await;
    assert_same(&nodes[..3]);
    for node in &mut nodes {
        node.stop().await;
    }
}
