//! Four engines in one process decide, rest, wake, lose a node and take it back.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod support;

use std::sync::atomic::Ordering;

use ed25519_dalek::{Signature, VerifyingKey};
use support::{BLOCK_BYTES_MAX, CHAIN, Node, assert_same, id, key, network, rest, set, set_busy, start_all};
use tallystick_engine::fetched_bytes_max;

/// Checks each certificate with another Ed25519 library and a preimage written out by hand.
fn assert_certificates(node: &Node, nodes: usize) {
    let stored = node.disk.stored.lock().unwrap();
    for (index, (_, certificate)) in stored.decided.iter().enumerate() {
        let height = index as u64 + 1;
        assert_eq!(certificate.height, height);
        let mut preimage = b"tallystick/precommit/v1\n".to_vec();
        preimage.extend_from_slice(&CHAIN);
        preimage.extend_from_slice(&height.to_be_bytes());
        preimage.extend_from_slice(&certificate.round.to_be_bytes());
        preimage.push(1);
        preimage.extend_from_slice(&certificate.block_id.0);
        let mut signers = std::collections::BTreeSet::new();
        for (member, signature) in &certificate.signatures {
            let signer = (0..nodes).find(|index| id(*index) == *member).expect("a member");
            let key: VerifyingKey = key(signer).verifying_key();
            key.verify_strict(&preimage, &Signature::from_bytes(signature)).expect("a genuine signature");
            signers.insert(signer);
        }
        assert!(signers.len() * 3 > nodes * 2, "height {height}: {signers:?}");
        certificate.verify(&CHAIN, &set(nodes, height).members).expect("the library agrees");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn decide_rest_wake_and_catch_up() {
    let directory = scratch::Directory::new();
    let mut nodes = network(4, directory.path());
    set_busy(&nodes, true);
    start_all(&mut nodes).await;
    for node in &nodes {
        node.disk.wait_for_tip(20).await;
    }

    // Nothing to do: the chain rests.
    set_busy(&nodes, false);
    let resting = rest(&nodes).await;

    // Work that all know, all woken.
    for node in &nodes {
        node.disk.pool.lock().unwrap().insert(7);
        node.control().wake();
    }
    for node in &nodes {
        assert_eq!(node.disk.wait_for_item(7).await, resting + 1);
    }

    // Work that only the next proposer knows: its parts wake the others. A wake without work wakes nobody.
    for node in &nodes {
        node.control().wake();
    }
    let resting = rest(&nodes).await;
    let proposer = set(4, resting + 1).proposer_order[0];
    let proposer = nodes.iter().find(|node| node.config.member == proposer).unwrap();
    proposer.disk.pool.lock().unwrap().insert(8);
    proposer.control().wake();
    for node in &nodes {
        assert_eq!(node.disk.wait_for_item(8).await, resting + 1);
    }

    // One stops; the others go on; it comes back to an idle chain and catches up.
    nodes[3].stop().await;
    set_busy(&nodes[..3], true);
    for node in &nodes[..3] {
        node.disk.wait_for_tip(resting + 30).await;
    }
    set_busy(&nodes[..3], false);
    let resting = rest(&nodes[..3]).await;
    nodes[3].start().await;
    nodes[3].disk.wait_for_tip(resting).await;
    let before = rest(&nodes).await;
    assert_same(&nodes);
    for node in &nodes {
        assert_certificates(node, 4);
        assert!(node.disk.stored.lock().unwrap().equivocations.is_empty());
    }

    // It votes again.
    set_busy(&nodes, true);
    for node in &nodes {
        node.disk.wait_for_tip(before + 10).await;
    }
    let voted = nodes[0].disk.stored.lock().unwrap().decided[before as usize + 2..]
        .iter()
        .any(|(_, certificate)| certificate.signatures.iter().any(|(member, _)| *member == id(3)));
    assert!(voted, "the returned validator's votes count");
    for node in &mut nodes {
        node.stop().await;
    }
}

/// The largest blocks travel in parts, and a node that starts with nothing gets them all, and no more of them at a time than it has room for:
/// it asked for forty heights at once, and kept all that came.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_node_fetches_the_largest_blocks() {
    let directory = scratch::Directory::new();
    let mut nodes = network(4, directory.path());
    for node in &nodes {
        node.disk.block_bytes.store(4 * 1024 * 1024, Ordering::SeqCst);
    }
    set_busy(&nodes, true);
    start_all(&mut nodes[..3]).await;
    for node in &nodes[..3] {
        node.disk.wait_for_tip(9).await;
    }
    nodes[3].start().await;
    nodes[3].disk.wait_for_tip(11).await;
    set_busy(&nodes, false);
    rest(&nodes).await;
    assert_same(&nodes);
    let held = nodes[3].fetch.peak_bytes.load(Ordering::SeqCst);
    assert!((1..=fetched_bytes_max(BLOCK_BYTES_MAX)).contains(&held), "{} MiB at a time", held >> 20);
    assert_certificates(&nodes[3], 4);
    for node in &mut nodes {
        node.stop().await;
    }
}
