use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Instant;

use receipt_core::testkit::{TestBlock, TestChain};
use tallystick_engine::MemberId;
use tallystick_proto::errors::CallReason;
use tallystick_proto::peer::v1::FetchDecidedRequest;
use tallystick_proto::peer::v1::peer_service_server::PeerService as _;
use tallystick_service::identity::Role;
use tonic::Request;

use super::*;
use crate::testing::{TestNode, identity};

/// Two decided heights, the second with a receipt.
fn chain() -> TestChain {
    let mut chain = TestChain::new();
    chain.add_block(&[]);
    let receipt = chain.issue("S01");
    chain.add_block(&[receipt]);
    chain
}

fn node(chain: &TestChain) -> TestNode {
    let node = TestNode::new(chain, 1);
    node.decide(chain, Height::new(2));
    node
}

fn blocks(chain: &TestChain, heights: RangeInclusive<usize>) -> Vec<DecidedValue> {
    let value = |block: &TestBlock| DecidedValue {
        bytes: block.bytes.clone().into(),
        certificate: Certificate::decode(&block.certificate).unwrap(),
    };
    chain.blocks()[heights].iter().map(value).collect()
}

#[test]
fn a_range_is_answered_as_far_as_it_is_stored_and_as_bytes_go() {
    let chain = chain();
    let ledger = node(&chain).services.ledger;
    let decided = |heights, bytes_max| decided_blocks(&ledger, heights, bytes_max).unwrap();
    let all = usize::MAX;
    for (heights, expected) in [(1..=2, 1..=2), (2..=9, 2..=2), (1..=u64::MAX, 1..=2), (2..=2, 2..=2)] {
        assert_eq!(decided(heights.clone(), all), blocks(&chain, expected), "{heights:?}");
    }
    for nothing in [0..=2, 3..=9, RangeInclusive::new(2, 1), u64::MAX..=u64::MAX] {
        assert!(decided(nothing.clone(), all).is_empty(), "{nothing:?}");
    }
    let bytes: usize = chain.blocks()[1..=2].iter().map(|block| block.bytes.len() + block.certificate.len()).sum();
    for (bytes_max, expected) in [(bytes, 1..=2), (bytes - 1, 1..=1), (0, 1..=1)] {
        assert_eq!(decided(1..=2, bytes_max), blocks(&chain, expected), "{bytes_max} of {bytes}");
    }
}

/// Reads went on when their callers had broken off, in consensus' own loop, and their places were free for the next ones.
#[tokio::test]
async fn who_asks_and_breaks_off_has_one_read_under_way_and_another_is_answered_meanwhile() {
    let chain = chain();
    let mut services = node(&chain).services;
    services.answer_patience = Duration::ZERO;
    let (hostile, honest) = (identity(Role::Validator, 3), identity(Role::Validator, 2));
    let begun = Arc::new(AtomicUsize::new(0));
    let (free, busy) = std::sync::mpsc::channel::<()>();
    let busy = Arc::new(Mutex::new(busy));
    // A read takes as long as the test likes.
    let read = || {
        let (begun, busy) = (Arc::clone(&begun), Arc::clone(&busy));
        move || {
            begun.fetch_add(1, Ordering::SeqCst);
            let _ = busy.lock().unwrap().recv();
            Ok(Bytes::from_static(b"blocks"))
        }
    };
    for _ in 0..100 {
        let mut call = Box::pin(services.in_turn(Some(&hostile), read()));
        let _ = std::future::poll_fn(|cx| Poll::Ready(call.as_mut().poll(cx).is_pending())).await;
        drop(call);
        tokio::task::yield_now().await;
        assert_eq!(services.answer_bytes.in_use(), ANSWER_BYTES_MAX, "room for one, however often it asks");
        let status = services.in_turn(Some(&hostile), read()).await.unwrap_err();
        let refusal = Refusal::from_status(&status).unwrap();
        assert_eq!((refusal.reason, refusal.retry_after_ms), (Reason::Overloaded.into(), Some(COME_AGAIN_MS)));
    }
    let (answer, room) = services.decided(Some(&honest), 1..=2).await.unwrap();
    assert_eq!(answer, Network::answer(1, blocks(&chain, 1..=2)));
    drop((room, free));
    // Wait until its read is done.
    drop(services.answer_turns.acquire_many(Some(&hostile), 1).await);
    assert_eq!(begun.load(Ordering::SeqCst), 1);
    assert_eq!(services.answer_bytes.in_use(), 0, "the room of what nobody waited for is given back");
}

#[test]
fn reading_for_one_validator_has_a_rate() {
    for (bytes, pause) in
        [(0, Duration::ZERO), (4 << 20, Duration::from_micros(62_500)), (64 << 20, Duration::from_secs(1))]
    {
        assert_eq!(pause_after(bytes), pause);
    }
    assert!(pause_after(usize::MAX) > Duration::from_secs(1));
}

#[tokio::test]
async fn a_validator_has_its_next_turn_after_a_pause() {
    let chain = chain();
    let services = node(&chain).services;
    let caller = identity(Role::Validator, 2);
    let before = Instant::now();
    for _ in 0..2 {
        let read = || Ok(vec![0_u8; ANSWER_BYTES_MAX].into());
        drop(services.in_turn(Some(&caller), read).await.unwrap());
    }
    assert!(before.elapsed() >= pause_after(ANSWER_BYTES_MAX));
}

#[tokio::test]
async fn a_store_that_cannot_be_read_ends_the_process_and_not_only_the_answer() {
    let chain = chain();
    let node = node(&chain);
    let services = &node.services;
    services.ledger.store.damage(crate::store::HEIGHTS, &1_u64.to_be_bytes());
    let head = services.network.hello(MemberId::new(2), &[0; 32]).slice(..34);
    let request = [&head[..], &1_u64.to_be_bytes(), &1_u64.to_be_bytes()].concat().into();
    let mut request = Request::new(FetchDecidedRequest { request });
    request.extensions_mut().insert(identity(Role::Validator, 2));
    let status = services.fetch_decided(request).await.unwrap_err();
    assert_eq!(Refusal::from_status(&status).unwrap().reason, CallReason::Internal.into());
    assert!(services.fatal.told().is_some_and(|told| told.contains("corrupt")));
}
