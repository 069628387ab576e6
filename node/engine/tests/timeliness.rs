//! Blocks that come in time at some validators and not at others stop nobody.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod support;

use std::sync::atomic::Ordering;
use std::time::Duration;

use support::{Node, assert_same, id, network, set_busy, start_all};

const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until these are locked on one block of height 1.
async fn wait_for_lock(nodes: &[&Node]) {
    let locked = async {
        loop {
            let locks: Vec<_> = nodes.iter().map(|node| node.disk.lock(1)).collect();
            if locks.iter().all(|lock| lock.is_some() && *lock == locks[0]) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, locked).await.expect("they lock");
}

/// The attack: a proposer dates its block so that one honest validator finds it early and the others do not, prevotes it,
/// and leaves those two locked. The third must be able to join them. Here, at every height.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_block_at_the_edge_of_timely_does_not_split_the_honest_for_ever() {
    let directory = scratch::Directory::new();
    let mut nodes = network(4, directory.path());
    nodes[1].disk.never_precommits.store(true, Ordering::SeqCst);
    nodes[3].disk.lags.store(true, Ordering::SeqCst);
    set_busy(&nodes, true);
    start_all(&mut nodes).await;
    for node in &nodes {
        node.disk.wait_for_tip(12).await;
    }
    set_busy(&nodes, false);
    support::rest(&nodes).await;
    assert_same(&nodes);
    {
        let stored = nodes[0].disk.stored.lock().unwrap();
        for (_, certificate) in &stored.decided {
            let signers: Vec<_> = certificate.signatures.iter().map(|(member, _)| *member).collect();
            let as_told = signers.contains(&id(3)) && !signers.contains(&id(1));
            assert!(as_told, "height {}: {signers:?}", certificate.height);
        }
    }
    for node in &mut nodes {
        node.stop().await;
    }
}

/// Two are locked on a block whose proof is lost with their logs; the third never had the block, and gets it without a proof
/// in a round that is not the block's. It follows the two, because they are more than a third.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_locked_block_without_proof_is_voted_for_by_one_that_missed_it() {
    let directory = scratch::Directory::new();
    let mut nodes = network(4, directory.path());
    // The proposer of height 1, round 0.
    nodes[1].disk.never_precommits.store(true, Ordering::SeqCst);
    set_busy(&nodes, true);
    start_all(&mut nodes[..3]).await;
    wait_for_lock(&[&nodes[0], &nodes[2]]).await;
    for node in &mut nodes[..3] {
        node.stop().await;
        std::fs::remove_file(node.log_path()).unwrap();
    }
    let block_id = nodes[0].disk.lock(1).unwrap();
    // Also if the block is the own one of a validator that is left, whose turn comes again.
    nodes[3].disk.lags.store(true, Ordering::SeqCst);
    for index in [0, 2, 3] {
        nodes[index].start().await;
    }
    for index in [0, 2, 3] {
        nodes[index].disk.wait_for_tip(1).await;
        assert_eq!(nodes[index].disk.blocks()[0], block_id);
    }
    nodes[3].disk.lags.store(false, Ordering::SeqCst);
    for index in [0, 2, 3] {
        nodes[index].disk.wait_for_tip(3).await;
    }
    for index in [0, 2, 3] {
        nodes[index].stop().await;
    }
}
