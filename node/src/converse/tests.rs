//! Links without an engine behind them: who is let in, and what a caller is told. With engines: the tests of the network.

use receipt_core::reason::Reason;
use receipt_core::testkit::TestChain;
use tallystick_engine::{Certificate, DecidedValue};
use tallystick_proto::errors::CallReason;

use super::*;
use crate::memory::ANSWER_BYTES_MAX;
use crate::testing::{TestNode, identity};

fn reason(status: &Status) -> String {
    Refusal::from_status(status).map(|refusal| refusal.reason.to_string()).unwrap_or_default()
}

async fn conversation(of: &TestNode, with: &TestNode) -> Conversation {
    let channel = with.serve_peer(of.id).await;
    Conversation { peer: with.id, channel, session: no_session(), network: of.services.network.clone() }
}

/// Without TLS there is none.
fn no_session() -> watch::Receiver<Session> {
    watch::channel([0; 32]).1
}

/// The caller tries again, and says so once.
#[tokio::test(flavor = "multi_thread")]
async fn before_the_peers_engine_runs_a_link_is_refused_with_a_reason_that_stays_the_same() {
    let chain = TestChain::new();
    let (own, peer) = (TestNode::new(&chain, 1), TestNode::new(&chain, 2));
    let conversation = conversation(&own, &peer).await;
    let mut told = None;
    for _ in 0..2 {
        let ended = conversation.converse(&mut told).await;
        assert_eq!(reason(&ended), CallReason::NotReady.as_str(), "{ended}");
        assert_eq!(why(&ended), "NOT_READY: consensus does not run yet");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_validator_that_is_no_peer_is_refused_by_its_number() {
    let chain = TestChain::new();
    let (own, peer) = (TestNode::new(&chain, 9), TestNode::new(&chain, 2));
    let ended = conversation(&own, &peer).await.converse(&mut None).await;
    assert_eq!(reason(&ended), CallReason::NotPermitted.as_str(), "{ended}");
    assert!(ended.message().contains("validator 9"), "{ended}");
    // Nor is its hello waited for.
    let mut client = PeerServiceClient::new(peer.serve_peer(own.id).await);
    let silent = client.converse(tokio_stream::pending::<ConverseRequest>()).await.unwrap_err();
    assert_eq!(reason(&silent), CallReason::NotPermitted.as_str(), "{silent}");
    let fetch = PeerFetch(BTreeMap::from([(MemberId::new(2), peer.serve_peer(own.id).await)]));
    assert_eq!(fetch.fetch(MemberId::new(2), Bytes::new(), 100).await, Err(FetchError::Refused));
    assert_eq!(fetch.fetch(MemberId::new(3), Bytes::new(), 100).await, Err(FetchError::Unreachable));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_is_away_is_not_reached() {
    let chain = TestChain::new();
    let own = TestNode::new(&chain, 1);
    let nowhere = tonic::transport::Endpoint::from_static("http://127.0.0.1:1").connect_lazy();
    let network = own.services.network.clone();
    let conversation =
        Conversation { peer: ValidatorId::new(2), channel: nowhere.clone(), session: no_session(), network };
    let why = why(&conversation.converse(&mut None).await);
    assert!(why.starts_with("not reached: ") && why.contains("refused"), "{why}");
    let fetch = PeerFetch(BTreeMap::from([(MemberId::new(2), nowhere)]));
    assert_eq!(fetch.fetch(MemberId::new(2), Bytes::new(), 100).await, Err(FetchError::Unreachable));
}

/// It is told to come again, does so by itself, and is served once there is room.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_behind_waits_for_room_and_is_not_refused_for_the_want_of_it() {
    let mut chain = TestChain::new();
    let height = chain.add_block(&[]);
    let (own, mut peer) = (TestNode::new(&chain, 1), TestNode::new(&chain, 2));
    peer.decide(&chain, height);
    peer.services.answer_patience = Duration::ZERO;
    let caller = identity(Role::Validator, own.id.get());
    let taken = peer.services.answer_bytes.try_acquire_many(Some(&caller), ANSWER_BYTES_MAX).unwrap();
    let channel = peer.serve_peer(own.id).await;
    let mut client = PeerServiceClient::new(channel.clone());
    let request = request_of(&own, &peer);
    let status = client.fetch_decided(FetchDecidedRequest { request: request.clone() }).await.unwrap_err();
    let refusal = Refusal::from_status(&status).unwrap();
    assert_eq!((refusal.reason, refusal.retry_after_ms), (Reason::Overloaded.into(), Some(200)));
    // Another peer's room is its own.
    let other = peer.serve_peer(ValidatorId::new(3)).await;
    let answer = PeerServiceClient::new(other).fetch_decided(FetchDecidedRequest { request: request.clone() }).await;
    let block = &chain.blocks()[1];
    let certificate = Certificate::decode(&block.certificate).unwrap();
    let expected = Network::answer(1, vec![DecidedValue { bytes: block.bytes.clone().into(), certificate }]);
    assert_eq!(answer.unwrap().into_inner().response, expected);

    let fetch = PeerFetch(BTreeMap::from([(peer_id(&peer), channel)]));
    let mut calls = peer.calls.subscribe();
    let second_try = *calls.borrow() + 2;
    let mut fetched = fetch.fetch(peer_id(&peer), request, ANSWER_BYTES_MAX);
    tokio::select! {
        told = &mut fetched => panic!("while there is no room: {told:?}"),
        come_again = calls.wait_for(|calls| *calls >= second_try) => drop(come_again.unwrap()),
    }
    drop(taken);
    assert_eq!(fetched.await.unwrap(), expected);
    assert_eq!(peer.services.answer_bytes.in_use(), 0);
}

/// For the block of height 1.
fn request_of(own: &TestNode, to: &TestNode) -> Bytes {
    let head = own.services.network.hello(peer_id(to), &[0; 32]).slice(..34);
    [&head[..], &1_u64.to_be_bytes(), &1_u64.to_be_bytes()].concat().into()
}

/// It waited for room, and took it, before it was refused.
#[tokio::test(flavor = "multi_thread")]
async fn who_gets_no_answer_is_refused_whether_there_is_room_or_not() {
    let chain = TestChain::new();
    let (own, stranger, mut peer) = (TestNode::new(&chain, 1), TestNode::new(&chain, 9), TestNode::new(&chain, 2));
    peer.services.answer_patience = Duration::ZERO;
    let request = request_of(&own, &peer);
    for (caller, request, expected) in [
        (&stranger, request, CallReason::NotPermitted.as_str()),
        (&own, Bytes::from_static(b"another language"), Reason::FieldInvalid.as_str()),
    ] {
        let identity = identity(Role::Validator, caller.id.get());
        let _taken = peer.services.answer_bytes.try_acquire_many(Some(&identity), ANSWER_BYTES_MAX).unwrap();
        let mut client = PeerServiceClient::new(peer.serve_peer(caller.id).await);
        let status = client.fetch_decided(FetchDecidedRequest { request }).await.unwrap_err();
        assert_eq!(reason(&status), expected, "{status}");
    }
}

fn peer_id(peer: &TestNode) -> MemberId {
    MemberId::new(peer.id.get())
}
