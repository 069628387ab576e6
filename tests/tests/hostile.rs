//! One certificate in hostile hands: what it can make an issuer or a node hold, and whether others are still served.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::StreamBody;
use hyper::body::Frame;
use receipt_core::limits;
use tallystick_devnet::logs::AllowList;
use tallystick_devnet::registry::{SYSTEM_HOSPITALS, SYSTEM_OFFICES};
use tallystick_devnet::{Caller, Network, NetworkOptions};
use tallystick_proto::convert::draft_to_wire;
use tallystick_proto::errors::{ErrorReason, Refusal};
use tallystick_proto::issuer::v1::{GetReceiptRequest, IssueRequest, ReceiptState, Wait, WatchRequest};
use tallystick_tests::TestNetwork;
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::Status;
use tonic::body::Body;
use tonic::codec::CompressionEncoding;
use tonic::codegen::Service as _;
use tonic::codegen::http::{Request, Response};
use tonic::transport::Channel;

const HOSTILE: Caller = Caller::System(SYSTEM_OFFICES);
/// Above what it held before; the limits of one caller allow less (`issuer/src/server.rs`).
const GROWTH_BYTES_MAX: u64 = 160 * 1024 * 1024;

/// Peak of the issuer's resident memory.
fn peak_bytes(network: &Network) -> u64 {
    let (_, pid) = network.process_ids().into_iter().find(|(name, _)| name == "issuer-1").unwrap();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// A connection that the issuer keeps: one above the share is closed after the handshake.
async fn connect(network: &Network) -> Option<Channel> {
    let channel = network.issuer_channel(1, HOSTILE).await.ok()?;
    let mut client = tallystick_devnet::clients::issuer_client(channel.clone());
    let status = client.get_receipt(GetReceiptRequest::default()).await.unwrap_err();
    Refusal::from_status(&status).map(|_| channel)
}

/// A call whose request says how long it is, sends `sent` bytes of it, and then nothing.
struct HalfSent {
    _more: mpsc::UnboundedSender<Result<Frame<Bytes>, Infallible>>,
    answer: tokio::task::JoinHandle<Result<Response<Body>, tonic::transport::Error>>,
}

const ISSUE_MANY: &str = "tallystick.issuer.v1.IssuerService/IssueMany";
const GET_BLOCK: &str = "tallystick.ledger.v1.LedgerService/GetBlock";

fn half_sent(channel: &Channel, method: &str, announced: usize, sent: usize) -> HalfSent {
    let (more, receiver) = mpsc::unbounded_channel();
    let mut message = vec![0];
    message.extend_from_slice(&u32::try_from(announced).unwrap().to_be_bytes());
    message.resize(5 + sent, 0x0a);
    more.send(Ok(Frame::data(Bytes::from(message)))).unwrap();
    let request = Request::post(format!("https://localhost/{method}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Body::new(StreamBody::new(UnboundedReceiverStream::new(receiver))))
        .unwrap();
    let mut channel = channel.clone();
    let answer = tokio::spawn(async move {
        std::future::poll_fn(|cx| channel.poll_ready(cx)).await?;
        channel.call(request).await
    });
    HalfSent { _more: more, answer }
}

/// Somebody else issues, and it is sealed.
async fn an_honest_system_is_served(network: &TestNetwork, number: u64) {
    let receipt = network.sample("S01", number).unwrap();
    assert_eq!(receipt.system_id, SYSTEM_HOSPITALS);
    let mut client = network.issuer_client(1, Caller::System(SYSTEM_HOSPITALS)).await.unwrap();
    let draft = Some(draft_to_wire(&receipt.draft));
    let request = IssueRequest { draft, wait: Wait::Sealed.into(), wait_timeout_ms: 30_000, with_bundle: true };
    let answer = client.issue(request).await.unwrap().into_inner();
    assert_eq!(answer.state(), ReceiptState::Sealed);
}

fn is_overloaded(status: &Status) -> bool {
    let refusal = Refusal::from_status(status).unwrap_or_else(|| panic!("not a refusal of ours: {status:?}"));
    refusal.reason == ErrorReason::Core(receipt_core::reason::Reason::Overloaded)
}

#[tokio::test(flavor = "multi_thread")]
async fn one_certificate_cannot_exhaust_an_issuer() {
    let network = TestNetwork::start(&NetworkOptions::default()).await.unwrap();
    an_honest_system_is_served(&network, 1).await;
    let before = peak_bytes(&network);

    // Connections: a share of them. The connections above it are closed.
    let mut connections = Vec::new();
    let mut closed = 0;
    for _ in 0..80 {
        match connect(&network).await {
            Some(channel) => connections.push(channel),
            None => closed += 1,
        }
    }
    assert_eq!((connections.len(), closed), (64, 16));
    an_honest_system_is_served(&network, 2).await;

    // Calls that announce 8 MiB, send 48 KiB, and stop: 100 on each of ten connections.
    let mut calls = Vec::new();
    for channel in connections.iter().take(10) {
        calls.extend((0..100).map(|_| half_sent(channel, ISSUE_MANY, limits::REQUEST_BYTES_MAX, 48 * 1024)));
    }
    // All but the caller's share are refused at once; the others when they have not come in time.
    let mut refused = 0;
    while refused < 900 {
        let Some(position) = calls.iter().position(|call| call.answer.is_finished()) else {
            tokio::task::yield_now().await;
            continue;
        };
        let answer = calls.swap_remove(position).answer.await.unwrap().unwrap();
        let status = Status::from_header_map(answer.headers()).unwrap();
        assert!(is_overloaded(&status), "{status:?}");
        refused += 1;
    }
    an_honest_system_is_served(&network, 3).await;
    drop(calls);

    // Streams that nobody reads: a share of them.
    let mut streams = Vec::new();
    let mut overloaded = 0;
    for index in 0..1000 {
        let mut client = tallystick_devnet::clients::issuer_client(connections[index % connections.len()].clone());
        match client.watch(WatchRequest::default()).await {
            Ok(stream) => streams.push(stream),
            Err(status) => {
                assert!(is_overloaded(&status), "{status:?}");
                overloaded += 1;
            }
        }
    }
    assert_eq!((streams.len(), overloaded), (32, 968));
    an_honest_system_is_served(&network, 4).await;

    let grown = peak_bytes(&network).saturating_sub(before);
    assert!(grown <= GROWTH_BYTES_MAX, "{} MiB more than before", grown / 1024 / 1024);
    println!("{} MiB more than before", grown / 1024 / 1024);
    drop((streams, connections));
    tokio::time::timeout(Duration::from_secs(30), network.wait_equal_tips()).await.unwrap().unwrap();
    network.finish(&AllowList::lifecycle()).await.unwrap();
}

/// Until so many of the calls are refused, all of them for overload.
async fn wait_overloaded(calls: &mut Vec<HalfSent>, count: usize) {
    for _ in 0..count {
        let position = loop {
            match calls.iter().position(|call| call.answer.is_finished()) {
                Some(position) => break position,
                None => tokio::task::yield_now().await,
            }
        };
        let answer = calls.swap_remove(position).answer.await.unwrap().unwrap();
        let status = Status::from_header_map(answer.headers()).unwrap();
        assert!(is_overloaded(&status), "{status:?}");
    }
}

/// A node takes requests of 4 MiB; an auditor's certificate may hold four of them, and consensus goes on.
#[tokio::test(flavor = "multi_thread")]
async fn one_certificate_cannot_exhaust_a_node_and_who_compresses_is_served_like_others() {
    let network = TestNetwork::start(&NetworkOptions::default()).await.unwrap();
    let channel = network.node_channel(1, Caller::Auditor).await.unwrap();
    let mut calls: Vec<HalfSent> = (0..32).map(|_| half_sent(&channel, GET_BLOCK, 4 * 1024 * 1024, 1024)).collect();
    wait_overloaded(&mut calls, 28).await;
    assert!(calls.iter().all(|call| !call.answer.is_finished()), "its share");
    an_honest_system_is_served(&network, 1).await;
    drop(calls);

    // Sixteen compressed calls at once, each under way until its receipt is sealed.
    let mut client = network.issuer_client(1, Caller::System(SYSTEM_HOSPITALS)).await.unwrap();
    client = client.send_compressed(CompressionEncoding::Gzip);
    let mut issuing = tokio::task::JoinSet::new();
    for number in 2..18 {
        let draft = Some(draft_to_wire(&network.sample("S01", number).unwrap().draft));
        let request = IssueRequest { draft, wait: Wait::Sealed.into(), wait_timeout_ms: 30_000, with_bundle: false };
        let mut client = client.clone();
        issuing.spawn(async move { client.issue(request).await.map(|answer| answer.into_inner().state()) });
    }
    for outcome in issuing.join_all().await {
        assert_eq!(outcome.unwrap(), ReceiptState::Sealed);
    }
    network.finish(&AllowList::lifecycle()).await.unwrap();
}
