//! What a validator sends that no honest one does, in bytes: garbage, another chain's frames, floods. The others go on, and name it.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod support;

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use ed25519_dalek::{Signer as _, SigningKey};
use support::wires::{CONVERSE, SESSION, connect, write_frame};
use support::{CHAIN, Node, assert_same, id, key, network, rest, set_busy, start_all};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

const HOSTILE: usize = 3;
const PATIENCE: Duration = Duration::from_secs(20);
/// However often it was at fault in a test, it is heard again within this.
const UNHEARD_MAX: Duration = Duration::from_secs(120);
/// Whoever was at fault is not heard for so long, and longer after a second fault. A test that is itself so slow is heard, rightly.
const REST: Duration = Duration::from_secs(1);

/// Of the hostile validator, signed with this key for a connection with this session.
fn hello_by(key: &SigningKey, to: &Node, session: [u8; 32]) -> Vec<u8> {
    let signature = key.sign(&tallystick_engine::link(&CHAIN, id(HOSTILE), id(to.index), &session));
    [&[0, 1][..], &CHAIN, &[1], &signature.to_bytes()].concat()
}

/// The same as it should be.
fn hello(to: &Node) -> Vec<u8> {
    hello_by(&key(HOSTILE), to, SESSION)
}

/// The same of another chain.
fn foreign(to: &Node) -> Vec<u8> {
    let mut hello = hello(to);
    hello[2..34].fill(0xC2);
    hello
}

/// A vote for nil of this height and round, with no signature at all.
fn vote(height: u64, round: u32) -> Vec<u8> {
    vote_of(HOSTILE, height, round)
}

fn vote_of(member: usize, height: u64, round: u32) -> Vec<u8> {
    let mut frame = vec![1, 0, 1];
    frame.extend_from_slice(&height.to_be_bytes());
    frame.push(1);
    frame.extend_from_slice(&round.to_be_bytes());
    frame.push(0);
    frame.extend_from_slice(&id(member).get().to_be_bytes());
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

/// A connection of the hostile validator that has sent this first.
async fn link(to: &Node, first: &[u8]) -> TcpStream {
    let mut link = connect(id(HOSTILE), &to.listen.to_string(), CONVERSE).await.unwrap();
    // It may be closed already.
    let _ = write_frame(&mut link, first).await;
    link
}

/// Whether the node takes the link; false if it closes it.
async fn stands(link: &mut TcpStream) -> bool {
    tokio::time::timeout(PATIENCE, link.read_u8()).await.expect("neither taken nor closed").is_ok()
}

/// Whether the node closes a link, or does not take it.
async fn is_closed(link: &mut TcpStream) -> bool {
    matches!(tokio::time::timeout(PATIENCE, link.read_u8()).await, Ok(Err(_)))
}

/// Whether the node has not closed it yet.
fn is_open(link: &TcpStream) -> bool {
    link.try_read(&mut [0]).is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
}

/// Until the node has noticed that the link which was signed for is gone.
async fn until_gone(by: &Node) {
    until_taken(by, &hello_by(&key(0), by, SESSION)).await;
}

/// Until the hostile validator is heard (again).
async fn until_heard(by: &Node) {
    until_taken(by, &hello(by)).await;
}

async fn until_taken(by: &Node, hello: &[u8]) {
    let deadline = Instant::now() + UNHEARD_MAX;
    while !stands(&mut link(by, hello).await).await {
        assert!(Instant::now() < deadline, "node {} takes no link", by.index);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
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
    let directory = scratch::Directory::new();
    let nodes = three_of_four(directory.path()).await;
    let faults = [
        Vec::new(),
        vec![9; 40],
        vec![1, 0, 1, 2, 3],
        [vote(1, 0), vec![0]].concat(),
        // Another's vote, as a new one and as one that is said again: nobody passes on.
        vote_of(0, 1, 0),
        [&[2][..], &[0], &vote_of(0, 1, 0)[2..]].concat(),
        // A frame above what any message needs.
        vec![3; 200 * 1024],
    ];
    // Longer rests for each: a node hears of two faults here, or three.
    for (fault, node) in faults.iter().zip(nodes[..HOSTILE].iter().cycle()) {
        until_heard(node).await;
        let mut hostile = link(node, &hello(node)).await;
        assert!(stands(&mut hostile).await);
        let before = Instant::now();
        // It may be closed already.
        let _ = write_frame(&mut hostile, fault).await;
        assert!(is_closed(&mut hostile).await, "{fault:?}");
        let heard = stands(&mut link(node, &hello(node)).await).await;
        assert!(!heard || before.elapsed() >= REST, "it rests: {fault:?}");
    }
    go_on_and_stop(nodes).await;
}

/// The first change of the language silenced every validator of the other version for up to a minute.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_language_is_no_fault_and_is_heard_as_soon_as_it_is_the_same() {
    let directory = scratch::Directory::new();
    let nodes = three_of_four(directory.path()).await;
    let mut newer = hello(&nodes[0]);
    newer[1] += 1;
    newer.extend_from_slice(&[7; 64]);
    for other in [foreign(&nodes[0]), newer, vec![0]] {
        for _ in 0..8 {
            assert!(!stands(&mut link(&nodes[0], &other).await).await, "{other:?}");
        }
        assert!(stands(&mut link(&nodes[0], &hello(&nodes[0])).await).await, "{other:?}");
    }
    go_on_and_stop(nodes).await;
}

/// A newer link of one validator ends its older one, one that never begins ends none, and strangers have none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_validator_has_one_link_and_a_stranger_none() {
    let directory = scratch::Directory::new();
    let nodes = three_of_four(directory.path()).await;
    let mut first = link(&nodes[0], &hello(&nodes[0])).await;
    assert!(stands(&mut first).await);
    assert!(!stands(&mut link(&nodes[0], &foreign(&nodes[0])).await).await);
    assert!(is_open(&first), "ended by one that never began");
    let mut second = link(&nodes[0], &hello(&nodes[0])).await;
    assert!(stands(&mut second).await);
    assert!(is_closed(&mut first).await);
    let mut stranger = connect(id(9), &nodes[0].listen.to_string(), CONVERSE).await.unwrap();
    let _ = write_frame(&mut stranger, &hello(&nodes[0])).await;
    assert!(is_closed(&mut stranger).await);
    write_frame(&mut second, &vote(nodes[0].disk.tip() + 1, 0)).await.unwrap();
    go_on_and_stop(nodes).await;
}

/// Whoever has a validator's certificate and not its consensus key: a link that the key has signed for keeps its place, and gets it
/// whoever was there before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_that_the_consensus_key_has_not_signed_takes_nobodys_place() {
    let directory = scratch::Directory::new();
    let nodes = three_of_four(directory.path()).await;
    let node = &nodes[0];
    let unsigned = [
        hello_by(&key(0), node, SESSION),
        // Signed for another connection, and for another node.
        hello_by(&key(HOSTILE), node, [0x5F; 32]),
        hello(&nodes[1]),
        [&hello(node)[..35], &[0; 64]].concat(),
    ];
    for hello_of_another in &unsigned {
        // It may be the only one.
        let mut other = link(node, hello_of_another).await;
        assert!(stands(&mut other).await);
        // What it says is not heard, nor held against the validator: that is no message.
        write_frame(&mut other, &[1, 0, 1, 2, 3]).await.unwrap();
        let mut own = link(node, &hello(node)).await;
        assert!(stands(&mut own).await);
        assert!(is_closed(&mut other).await, "the consensus key's takes its place");
        for again in &unsigned {
            assert!(!stands(&mut link(node, again).await).await);
        }
        assert!(is_open(&own));
        drop(own);
        until_gone(node).await;
    }
    // Nor is a fault of somebody else.
    let before = Instant::now();
    let mut faulty = link(node, &[1, 2, 3]).await;
    assert!(is_closed(&mut faulty).await);
    let heard = stands(&mut link(node, &unsigned[0]).await).await;
    assert!(!heard || before.elapsed() >= REST, "it rests");
    assert!(stands(&mut link(node, &hello(node)).await).await);
    go_on_and_stop(nodes).await;
}

/// Resident memory of this process, in MiB.
fn resident_mib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse::<usize>().unwrap() / 1024
}

async fn flood(
    address: String,
    hello: Vec<u8>,
    tip: tokio::sync::watch::Receiver<u64>,
    frame: impl Fn(u64, u64) -> Vec<u8>,
) {
    for number in 0_u64.. {
        let Ok(mut link) = connect(id(HOSTILE), &address, CONVERSE).await else { continue };
        if write_frame(&mut link, &hello).await.is_err() {
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
    let directory = scratch::Directory::new();
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
            floods.spawn(flood(
                node.listen.to_string(),
                hello(node),
                node.disk.tip.subscribe(),
                move |height, number| match kind {
                    0 => vote(height, (number % 10) as u32),
                    1 => vote(height + 1 + number % 16, (number % 1000) as u32),
                    _ => chunk(height + number % 3, number),
                },
            ));
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
