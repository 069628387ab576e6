//! Engines whose logs are gone vote on: what they said before binds them through the signer alone.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod support;

use std::sync::atomic::Ordering;

use support::{Node, assert_same, network, rest, set_busy, start_all};

const CYCLES: u64 = 6;
const HEIGHTS: u64 = 5;

async fn stop_all(nodes: &mut [Node]) {
    for node in nodes {
        node.stop().await;
    }
}

/// All stop in the midst of deciding; then the logs of `count` of them are lost, others from cycle to cycle.
async fn lose_logs(count: usize) -> Vec<Node> {
    let directory = scratch::Directory::new();
    let mut nodes = network(4, directory.path());
    set_busy(&nodes, true);
    let mut reached = 0;
    for cycle in 0..CYCLES {
        start_all(&mut nodes).await;
        for node in &nodes {
            node.disk.wait_for_tip(reached + HEIGHTS).await;
        }
        reached = nodes.iter().map(|node| node.disk.tip()).max().unwrap_or(0);
        stop_all(&mut nodes).await;
        for lost in 0..count {
            let node = &nodes[(cycle as usize + lost) % 4];
            std::fs::remove_file(node.log_path()).unwrap();
        }
    }
    start_all(&mut nodes).await;
    for node in &nodes {
        node.disk.wait_for_tip(reached + HEIGHTS).await;
    }
    set_busy(&nodes, false);
    rest(&nodes).await;
    assert_same(&nodes);
    for node in &nodes {
        assert!(node.disk.stored.lock().unwrap().equivocations.is_empty(), "node {}", node.index);
    }
    stop_all(&mut nodes).await;
    nodes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_validators_without_logs_vote_on() {
    lose_logs(2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_validators_without_logs_vote_on() {
    let nodes = lose_logs(4).await;
    let repeated: usize = nodes.iter().map(|node| node.disk.repeated.load(Ordering::SeqCst)).sum();
    println!("{repeated} statements were repeated instead of others");
}
