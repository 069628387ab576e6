//! How much a caller may send to a node before it is read, as HTTP/2 says it at the begin of a connection: what lies above waits for round
//! trips. A peer has a whole block, an issuer the largest batch, each over a few connections; everybody else little.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use receipt_core::limits::{BATCH_BYTES_MAX, BLOCK_BYTES_MAX};
use tallystick_devnet::clients::certificate_files;
use tallystick_devnet::logs::AllowList;
use tallystick_devnet::{Caller, Network, NetworkOptions};
use tallystick_service::clock::SystemClock;
use tallystick_service::identity::ChainName;
use tallystick_service::tls::{Tls, TlsFiles};
use tallystick_tests::TestNetwork;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Of RFC 9113: the windows if nothing is said, frames, settings.
const WINDOW_UNSAID: usize = 65_535;
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const WINDOW_UPDATE: u8 = 8;
const MAX_CONCURRENT_STREAMS: u16 = 3;
const INITIAL_WINDOW_SIZE: u16 = 4;
/// Calls that a caller may have under way: none above them waits unread in a window.
const CALLS_MAX: usize = 32;

/// What a server lets a connection do before it reads.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
struct Told {
    stream_window: usize,
    connection_window: usize,
    calls: usize,
}

fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, 0], &[0; 4], payload].concat()
}

/// A connection as this caller, and what the node says on it up to its answer to a second ping: what it has to say comes before that.
async fn connect(network: &Network, caller: Caller) -> (TlsStream<TcpStream>, Told) {
    let files = certificate_files(network.layout(), caller);
    let authorities = network.layout().ca().cert;
    let files = TlsFiles { certificate_chain: files.cert, private_key: files.key, authorities };
    let chain = ChainName::parse(&network.description().chain_name).unwrap();
    let tls = Tls::load(files, chain, Arc::new(SystemClock)).unwrap();
    let stream = TcpStream::connect(network.node_addresses(1).unwrap().grpc).await.unwrap();
    let name = "localhost".try_into().unwrap();
    let mut stream = TlsConnector::from(tls.client_config()).connect(name, stream).await.unwrap();
    let hello = [PREFACE, &frame(SETTINGS, &[]), &frame(PING, &[7; 8])].concat();
    stream.write_all(&hello).await.unwrap();
    let mut told = Told { stream_window: WINDOW_UNSAID, connection_window: WINDOW_UNSAID, calls: usize::MAX };
    let mut pings = 0;
    while pings < 2 {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await.unwrap();
        let mut payload = vec![0; usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2])];
        stream.read_exact(&mut payload).await.unwrap();
        let number = |bytes: &[u8]| u32::from_be_bytes(bytes.try_into().unwrap()) as usize;
        match head[3] {
            SETTINGS => {
                for setting in payload.chunks(6) {
                    match u16::from_be_bytes([setting[0], setting[1]]) {
                        MAX_CONCURRENT_STREAMS => told.calls = number(&setting[2..]),
                        INITIAL_WINDOW_SIZE => told.stream_window = number(&setting[2..]),
                        _ => {}
                    }
                }
            }
            WINDOW_UPDATE if head[5..] == [0; 4] => told.connection_window += number(&payload),
            PING if head[4] == 1 => {
                pings += 1;
                stream.write_all(&frame(PING, &[8; 8])).await.unwrap();
            }
            _ => {}
        }
    }
    (stream, told)
}

/// How often a message of so many bytes is held up for want of a window.
fn round_trips(told: Told, message_bytes: usize) -> usize {
    message_bytes.div_ceil(told.stream_window.min(told.connection_window))
}

/// Before, everybody had 1 MiB: five round trips for a block, three for a batch, and 32 MiB of each certificate that nothing counted.
#[tokio::test(flavor = "multi_thread")]
async fn a_block_of_a_peer_and_a_batch_of_an_issuer_take_one_round_trip_and_strangers_little() {
    let mut network = TestNetwork::start(&NetworkOptions::default()).await.unwrap();
    // Its own connections, to be counted from none.
    network.node(2).unwrap().terminate().await.unwrap();
    network.issuer(1).unwrap().terminate().await.unwrap();
    let (block, batch) = (BLOCK_BYTES_MAX + 128 * 1024, BATCH_BYTES_MAX + 32 * 1024);
    let mut open = Vec::new();
    for _ in 0..6 {
        let (connection, told) = connect(&network, Caller::Validator(2)).await;
        assert_eq!((round_trips(told, block), told.calls), (1, CALLS_MAX), "{told:?}");
        assert!(told.connection_window <= BLOCK_BYTES_MAX + 256 * 1024, "{told:?}");
        open.push(connection);
    }
    for _ in 0..4 {
        let (connection, told) = connect(&network, Caller::Issuer(1)).await;
        assert_eq!((round_trips(told, batch), told.calls), (1, CALLS_MAX), "{told:?}");
        assert!(told.connection_window <= BATCH_BYTES_MAX + 64 * 1024, "{told:?}");
        open.push(connection);
    }
    let little = Told { stream_window: WINDOW_UNSAID, connection_window: WINDOW_UNSAID, calls: CALLS_MAX };
    for caller in [Caller::Validator(2), Caller::Issuer(1), Caller::Auditor, Caller::Operator, Caller::Claimer] {
        let (connection, told) = connect(&network, caller).await;
        assert_eq!(told, little, "{caller:?}");
        open.push(connection);
    }
    // A place comes back with its connection; when the node notices is its own matter.
    open.clear();
    let again = async {
        while connect(&network, Caller::Validator(2)).await.1 == little {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), again).await.unwrap();
    network.node(2).unwrap().start().unwrap();
    network.node(2).unwrap().wait_ready().await.unwrap();
    network.issuer(1).unwrap().start().unwrap();
    network.issuer(1).unwrap().wait_ready().await.unwrap();
    network.finish(&AllowList::lifecycle()).await.unwrap();
}
