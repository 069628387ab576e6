//! Validators that do not reach each other, for a while or one of them never.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod support;

use std::sync::atomic::Ordering;

use support::links::{Link, Links};
use support::{Node, assert_same, network, rest, set_busy, start_all};

/// Ends the load; all nodes must have decided the same.
async fn end_alike(mut nodes: Vec<Node>) {
    set_busy(&nodes, false);
    rest(&nodes).await;
    assert_same(&nodes);
    for node in &mut nodes {
        node.stop().await;
    }
}

/// Each of the two has a quorum without the other, and fetches from a third what the other proposed, once it is decided.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_that_never_reach_each_other_decide_with_the_rest() {
    let directory = scratch::Directory::new();
    let mut nodes = network(4, directory.path());
    let links = Links::between(&mut nodes).await;
    links.set(0, 1, Link::Cut);
    for node in &nodes {
        node.disk.block_bytes.store(600_000, Ordering::SeqCst);
    }
    set_busy(&nodes, true);
    start_all(&mut nodes).await;
    for node in &nodes {
        node.disk.wait_for_tip(16).await;
    }
    end_alike(nodes).await;
}

/// Cut apart or standing still: neither half decides, and both go on together by themselves.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_halves_decide_nothing_and_go_on_when_they_are_joined() {
    let directory = scratch::Directory::new();
    let mut nodes = network(4, directory.path());
    let links = Links::between(&mut nodes).await;
    set_busy(&nodes, true);
    start_all(&mut nodes).await;
    let mut tip = 0;
    for apart in [Link::Cut, Link::Still] {
        for node in &nodes {
            node.disk.wait_for_tip(tip + 6).await;
        }
        links.set_all(&[0, 1], &[2, 3], apart);
        // What was on its way may still be decided.
        tip = support::stand_still(&nodes).await;
        links.set_all(&[0, 1], &[2, 3], Link::Open);
    }
    for node in &nodes {
        node.disk.wait_for_tip(tip + 6).await;
    }
    end_alike(nodes).await;
}

/// A validator that nothing reaches any more, though its connections stay, holds up nobody, and catches up when it is back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_whose_connections_stand_still_holds_up_nobody_and_comes_back() {
    let directory = scratch::Directory::new();
    let mut nodes = network(4, directory.path());
    let links = Links::between(&mut nodes).await;
    for node in &nodes {
        node.disk.block_bytes.store(600_000, Ordering::SeqCst);
    }
    set_busy(&nodes, true);
    start_all(&mut nodes).await;
    for node in &nodes {
        node.disk.wait_for_tip(6).await;
    }
    links.set_all(&[3], &[0, 1, 2], Link::Still);
    let left_at = nodes[3].disk.tip();
    for node in &nodes[..3] {
        node.disk.wait_for_tip(left_at + 12).await;
    }
    links.set_all(&[3], &[0, 1, 2], Link::Open);
    let others_at = nodes[0].disk.tip();
    nodes[3].disk.wait_for_tip(others_at).await;
    end_alike(nodes).await;
}
