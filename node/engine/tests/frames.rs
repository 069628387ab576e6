//! What a validator sends that no honest one does, in bytes: garbage, another chain's words, floods. The others go on, and name it.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod support;

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use support::wires::{CONVERSE, connect, write_frame};
use support::{CHAIN, Node, assert_same, id, network, rest, set_busy, start_all};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

const HOSTILE: usize = 3;

fn hello(chain: [u8; 32]) -> Vec<u8> {
    [&[0, 1][..], &chain].concat()
}

/// A vote for nil of this height and round, with no signature at all.
fn vote(height: u64, round: u32) -> Vec<u8> {
    let mut frame = vec![1, 0, 1];
    frame.extend_from_slice(&height.to_be_bytes());
    frame.push(1);
    frame.extend_from_slice(&round.to_be_bytes());
    frame.push(0);
    frame.extend_from_slice(&id(HOSTILE).get().to_be_bytes());
    frame.extend_from_slice(&[0; 64]);
    frame
}

/// A chunk of a block of this height, under a stream of its own.
fn chunk(height: u64, stream: u64) -> Vec<u8> {
    let bytes = [7; 128 * 1024];
    let mut frame = vec![3, 8];
    frame.extend_from_slice(&stream.to_be_bytes());
    frame.extend_from_slice(&1_u64.to_be_bytes());
    frame.extend_from_slice(&[0, 1]);
    frame.extend_from_slice(&height.to_be_bytes());
    frame.extend_from_slice(&0_u32.to_be_bytes());
    frame.extend_from_slice(&u32::try_from(bytes.len()).unwrap().to_be_bytes());
    frame.extend_from_slice(&bytes);
    frame
}

async fn link(to: &Node) -> TcpStream {
    connect(id(HOSTILE), &to.listen.to_string(), CONVERSE).await.unwrap()
}

/// Whether the node closes the link. It never says anything.
async fn is_closed(link: &mut TcpStream) -> bool {
    matches!(tokio::time::timeout(Duration::from_secs(20), link.read_u8()).await, Ok(Err(_)))
}

/// Three of four engines, deciding blocks; the fourth validator is the test.
async fn three_of_four(directory: &std::path::Path) -> Vec<Node> {
    let mut nodes = network(4, directory);
    set_busy(&nodes, true);
    start_all(&mut nodes[..HOSTILE]).await;
    for node in &nodes[..HOSTILE] {
        node.disk.wait_for_tip(2).await;
    }
    nodes
}

async fn go_on_and_stop(mut nodes: Vec<Node>) {
    let tip = nodes[0].disk.tip();
    for node in &nodes[..HOSTILE] {
        node.disk.wait_for_tip(tip + 3).await;
    }
    set_busy(&nodes[..HOSTILE], false);
    rest(&nodes[..HOSTILE]).await;
    assert_same(&nodes[..HOSTILE]);
    for node in &mut nodes[..HOSTILE] {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_message_ends_the_link_and_is_not_heard_again_for_a_while() {
    let directory = tempfile::tempdir().unwrap();
    let nodes = three_of_four(directory.path()).await;
    let good = hello(CHAIN);
    let faults: [&[Vec<u8>]; 7] = [
        &[hello([0xC2; 32])],
        &[vote(1, 0)],
        &[good.clone(), Vec::new()],
        &[good.clone(), vec![9; 40]],
        &[good.clone(), vec![1, 0, 1, 2, 3]],
        &[good.clone(), [vote(1, 0), vec![0]].concat()],
        // A frame above what any message needs.
        &[good.clone(), vec![3; 200 * 1024]],
    ];
    // Longer rests for each: a node hears of one fault here, or two.
    for (fault, node) in faults.iter().zip(nodes[..HOSTILE].iter().cycle()) {
        let mut link = loop {
            // While it rests, its links end at once.
            let mut link = link(node).await;
            if tokio::time::timeout(Duration::from_millis(300), link.read_u8()).await.is_err() {
                break link;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        };
        for frame in *fault {
            // It may be closed already.
            let _ = write_frame(&mut link, frame).await;
        }
        assert!(is_closed(&mut link).await, "{:?}", fault.last());
        let mut again = self::link(node).await;
        let begun = Instant::now();
        assert!(is_closed(&mut again).await, "it rests");
        assert!(begun.elapsed() < Duration::from_secs(20));
    }
    go_on_and_stop(nodes).await;
}

/// A newer link of one validator ends its older one, and strangers have none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_validator_has_one_link_and_a_stranger_none() {
    let directory = tempfile::tempdir().unwrap();
    let nodes = three_of_four(directory.path()).await;
    let mut first = link(&nodes[0]).await;
    write_frame(&mut first, &hello(CHAIN)).await.unwrap();
    let mut second = link(&nodes[0]).await;
    write_frame(&mut second, &hello(CHAIN)).await.unwrap();
    assert!(is_closed(&mut first).await);
    let mut stranger = connect(id(9), &nodes[0].listen.to_string(), CONVERSE).await.unwrap();
    assert!(is_closed(&mut stranger).await);
    write_frame(&mut second, &vote(nodes[0].disk.tip() + 1, 0)).await.unwrap();
    go_on_and_stop(nodes).await;
}

/// Resident memory of this process, in MiB.
fn resident_mib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse::<usize>().unwrap() / 1024
}

async fn flood(address: String, tip: tokio::sync::watch::Receiver<u64>, frame: impl Fn(u64, u64) -> Vec<u8>) {
    for number in 0_u64.. {
        let Ok(mut link) = connect(id(HOSTILE), &address, CONVERSE).await else { continue };
        if write_frame(&mut link, &hello(CHAIN)).await.is_err() {
            continue;
        }
        for count in 0..u64::MAX {
            let height = *tip.borrow() + 1;
            if write_frame(&mut link, &frame(height, number << 32 | count)).await.is_err() {
                break;
            }
        }
    }
}

/// As fast as the others read: votes of this height with bad signatures, votes of heights to come, and chunks of streams that never end.
/// What honest validators say gets through, in bounded memory.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn floods_of_a_validator_fill_nobodys_memory_and_silence_nobody() {
    let directory = tempfile::tempdir().unwrap();
    let nodes = three_of_four(directory.path()).await;
    for node in &nodes {
        node.disk.block_bytes.store(600_000, Ordering::SeqCst);
        // What comes meanwhile must wait somewhere.
        node.disk.judging_ms.store(400, Ordering::SeqCst);
    }
    let before = resident_mib();
    for kind in 0..3 {
        let mut floods = tokio::task::JoinSet::new();
        for node in &nodes[..HOSTILE] {
            floods.spawn(flood(node.listen.to_string(), node.disk.tip.subscribe(), move |height, number| match kind {
                0 => vote(height, (number % 10) as u32),
                1 => vote(height + 1 + number % 16, (number % 1000) as u32),
                _ => chunk(height + number % 3, number),
            }));
        }
        let tip = nodes[0].disk.tip();
        for node in &nodes[..HOSTILE] {
            node.disk.wait_for_tip(tip + 8).await;
        }
        floods.shutdown().await;
        let grown = resident_mib().saturating_sub(before);
        assert!(grown < 250, "kind {kind}: {grown} MiB more");
    }
    go_on_and_stop(nodes).await;
}
