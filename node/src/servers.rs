//! The gRPC servers behind the one port: their services, layers, bounds, end.
//!
//! ```text
//! connection ─▶ who holds its certificate │ peers      window: a whole block           CONNECTIONS_OF_A_PEER each
//!                                         │ issuers    window: the largest batch       ISSUER_CONNECTIONS_MAX in all
//!                                         │ everybody else, and whoever found no place: a small one
//! ```
//! HTTP/2 tells a caller before its first call how much it may send unread (the window), and takes nothing back; a batch or block above that
//! waits for a round trip. So there is a server for each size, alike in all else. Invariant: no call waits unread. One above a caller's bound is
//! refused at once, or not opened by the caller's own library; requests are read as they come, into counted room (`arrival`). A window
//! stays full only behind a peer's conversation, of which each has one (`memory`: links).
//!
//! At the stop, health watches and block streams end by themselves; whatever a client holds open beyond that is cut after
//! [`STOP_GRACE`], so that a follower can not keep a node from ending. Not here: what the services answer (`api`), and the
//! public HTTP door (`publish`).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use receipt_core::limits;
use tallystick_engine::FRAME_BYTES_MAX;
use tallystick_proto::admin::v1::admin_service_server::AdminServiceServer;
use tallystick_proto::ledger::v1::ledger_service_server::LedgerServiceServer;
use tallystick_proto::peer::v1::peer_service_server::PeerServiceServer;
use tallystick_service::answers::AnswersLayer;
use tallystick_service::arrival::{ArrivalLayer, ArrivalLimits, is_reflection};
use tallystick_service::authorization::{AuthorizationLayer, COMMON_SERVICES};
use tallystick_service::callers::Places;
use tallystick_service::clock::Clock;
use tallystick_service::identity::Role;
use tallystick_service::inflight::InFlightLayer;
use tallystick_service::request_id::RequestIdLayer;
use tallystick_service::rng::OsEntropy;
use tallystick_service::shutdown::{CancellationToken, TaskError};
use tallystick_service::tls::{Door, Incoming, IncomingLimits, Tls, accept_at_doors};
use tokio::net::TcpListener;
use tonic::codec::CompressionEncoding;
use tonic::server::NamedService;
use tonic::service::Routes;
use tonic::transport::Server;
use tower::ServiceBuilder;

use crate::api::Services;
use crate::memory::{
    BATCH_MESSAGE_BYTES_MAX, PEER_WINDOW_BYTES, SENT_BYTES_MAX, VALIDATOR_SENT_BYTES_MAX, validators_sent_bytes_max,
};

/// What the port serves besides the common services.
pub(crate) const SERVICES: &[&str] =
    &["tallystick.ledger.v1.LedgerService", "tallystick.peer.v1.PeerService", "tallystick.admin.v1.AdminService"];
/// How long connections may take to close once the stop is asked for; then they are cut.
const STOP_GRACE: Duration = Duration::from_secs(1);

/// Calls of others than validators under way at once.
const CALLS_MAX: usize = 128;
/// Of these, calls of one caller. Of one validator as many, outside of the others'.
const CALLER_CALLS_MAX: usize = 32;
/// Of messages on their way in, bytes of one caller other than a validator: what an issuer has under way at once.
const CALLER_SENT_BYTES_MAX: usize = 4 * BATCH_MESSAGE_BYTES_MAX;
/// A message of a conversation: a frame, and what encodes it.
const CONVERSE_MESSAGE_BYTES_MAX: usize = FRAME_BYTES_MAX + 1024;
/// Calls that one connection may have opened. Above it the caller's own library waits: a call that waited here would wait unread.
const CONNECTION_STREAMS_MAX: u32 = CALLER_CALLS_MAX as u32;
/// What an issuer may send before it is read: the largest batch, and what is sent around its records.
const ISSUER_WINDOW_BYTES: usize = limits::BATCH_BYTES_MAX + 64 * 1024;
/// What everybody else may: as HTTP/2 has it if nothing is said.
const WINDOW_BYTES: usize = 65_535;
/// A peer has three connections (words, batches and lines, blocks that it fetches), and may have three more before it shows that those are dead.
const CONNECTIONS_OF_A_PEER: usize = 6;
/// Connections of issuers with their window.
const ISSUER_CONNECTIONS_MAX: usize = 64;
/// Of these, connections of one issuer: it has one, and may have another before it shows that this is dead.
const CONNECTIONS_OF_AN_ISSUER: usize = 4;
/// Until its answer begins, a call has so long: one whose request never comes is cut.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// A peer that is gone without a word is noticed.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(20);

/// Answers that go on for as long as the caller likes; block streams have places of their own (`api`), and each validator has one
/// conversation.
fn is_long_lived(path: &str) -> bool {
    matches!(path, "/tallystick.ledger.v1.LedgerService/StreamBlocks" | "/grpc.health.v1.Health/Watch")
        || is_conversation(path)
}

/// A request that is a stream, of frames that the engine bounds. A validator has one; of others that have not begun, the first frame counts.
fn is_conversation(path: &str) -> bool {
    path == "/tallystick.peer.v1.PeerService/Converse"
}

/// What comes to the servers of the port.
pub(crate) struct GrpcIncoming {
    peers: Incoming,
    issuers: Incoming,
    others: Incoming,
    /// How many peers there are.
    peer_count: usize,
}

/// The port, with a server for each of these validators, for issuers, and for all others: what the servers get, and the task that accepts.
pub(crate) fn accept_grpc(
    listener: TcpListener,
    tls: Arc<Tls>,
    limits: IncomingLimits,
    peers: BTreeSet<u32>,
    stop: CancellationToken,
) -> (GrpcIncoming, impl Future<Output = Result<(), TaskError>> + Send) {
    let peer_count = peers.len();
    let of_peers = Places::new(CONNECTIONS_OF_A_PEER.saturating_mul(peer_count), CONNECTIONS_OF_A_PEER);
    let of_issuers = Places::new(ISSUER_CONNECTIONS_MAX, CONNECTIONS_OF_AN_ISSUER);
    let doors = [
        Door { role: Role::Validator, ids: Some(peers), places: of_peers },
        Door { role: Role::Issuer, ids: None, places: of_issuers },
    ];
    let ([peers, issuers], others, accepting) = accept_at_doors(listener, tls, limits, doors, stop);
    (GrpcIncoming { peers, issuers, others, peer_count }, accepting)
}

/// Serves until `stop`, and a little longer for calls under way.
pub(crate) async fn serve_grpc(
    services: Services,
    incoming: GrpcIncoming,
    clock: Arc<dyn Clock>,
    answers: AnswersLayer,
    stop: CancellationToken,
) -> Result<(), TaskError> {
    let (mut reporter, health) = tonic_health::server::health_reporter();
    reporter.set_serving::<LedgerServiceServer<Services>>().await;
    // Both versions: many tools know the older one only.
    let reflection = || {
        let builder = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(tallystick_proto::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET);
        // Only what this port has.
        let names = SERVICES.iter().chain(COMMON_SERVICES);
        names.fold(builder, |builder, name| builder.with_service_name(*name))
    };
    let GrpcIncoming { peers, issuers, others, peer_count } = incoming;
    let layers = ServiceBuilder::new()
        .layer(RequestIdLayer::new(&OsEntropy)?)
        .layer(answers.within(CALL_TIMEOUT))
        .layer(AuthorizationLayer::new(clock).serving(SERVICES))
        .layer(calls_under_way())
        .layer(requests_on_their_way(peer_count));
    let bytes = BATCH_MESSAGE_BYTES_MAX;
    let routes = Routes::new(health)
        .add_service(reflection().build_v1()?)
        .add_service(reflection().build_v1alpha()?)
        .add_service(
            LedgerServiceServer::new(services.clone())
                .accept_compressed(CompressionEncoding::Gzip)
                .max_decoding_message_size(bytes),
        )
        .add_service(PeerServiceServer::new(services.clone()).max_decoding_message_size(bytes))
        .add_service(AdminServiceServer::new(services).accept_compressed(CompressionEncoding::Gzip));
    // The layers' bounds are of all three together.
    let serve = |incoming: Incoming, window_bytes: usize| {
        let server = server(window_bytes).layer(layers.clone()).add_routes(routes.clone());
        server.serve_with_incoming_shutdown(incoming, stop.clone().cancelled_owned())
    };
    let serving = async {
        tokio::try_join!(
            serve(peers, PEER_WINDOW_BYTES),
            serve(issuers, ISSUER_WINDOW_BYTES),
            serve(others, WINDOW_BYTES)
        )
    };
    let cut = async {
        stop.cancelled().await;
        // Ends the streams of whoever watches the health.
        for name in ["", LedgerServiceServer::<Services>::NAME] {
            reporter.clear_service_status(name).await;
        }
        tokio::time::sleep(STOP_GRACE).await;
    };
    tokio::select! {
        served = serving => Ok(served.map(|_| ())?),
        () = cut => {
            tracing::info!("connections that clients held open are cut");
            Ok(())
        }
    }
}

/// A server whose callers may send so many bytes unread, of one call or of a connection.
fn server(window_bytes: usize) -> Server {
    let window_bytes = u32::try_from(window_bytes).unwrap_or(u32::MAX);
    Server::builder()
        .max_concurrent_streams(CONNECTION_STREAMS_MAX)
        .initial_stream_window_size(window_bytes)
        .initial_connection_window_size(window_bytes)
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
}

fn calls_under_way() -> InFlightLayer {
    let validators = CALLER_CALLS_MAX.saturating_mul(limits::VALIDATORS_MAX);
    InFlightLayer::new(Places::new(CALLS_MAX, CALLER_CALLS_MAX), is_long_lived)
        .with_validators(Places::new(validators, CALLER_CALLS_MAX))
}

fn requests_on_their_way(peer_count: usize) -> ArrivalLayer {
    let of_validators = Places::new(validators_sent_bytes_max(peer_count), VALIDATOR_SENT_BYTES_MAX);
    let limits = ArrivalLimits {
        bytes: Places::new(SENT_BYTES_MAX, CALLER_SENT_BYTES_MAX),
        validators: Some(of_validators),
        message_bytes_max: BATCH_MESSAGE_BYTES_MAX,
        patience: CALL_TIMEOUT,
        is_streamed: is_reflection,
    };
    ArrivalLayer::new(limits).with_conversations(is_conversation, CONVERSE_MESSAGE_BYTES_MAX)
}
