//! The gRPC server: its services, its layers, its bounds, its end.
//!
//! At the stop, health watches and block streams end by themselves; whatever a client holds open beyond that is cut after
//! [`STOP_GRACE`], so that a follower can not keep a node from ending. Not here: what the services answer (`api`), and the
//! public HTTP door (`publish`).

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
use tallystick_service::inflight::InFlightLayer;
use tallystick_service::request_id::RequestIdLayer;
use tallystick_service::rng::OsEntropy;
use tallystick_service::shutdown::{CancellationToken, TaskError};
use tallystick_service::tls::Incoming;
use tonic::codec::CompressionEncoding;
use tonic::server::NamedService;

use crate::api::Services;
use crate::memory::{BATCH_MESSAGE_BYTES_MAX, SENT_BYTES_MAX};

/// What the port serves besides the common services.
pub(crate) const SERVICES: &[&str] =
    &["tallystick.ledger.v1.LedgerService", "tallystick.peer.v1.PeerService", "tallystick.admin.v1.AdminService"];
/// How long connections may take to close once the stop is asked for; then they are cut.
const STOP_GRACE: Duration = Duration::from_secs(1);

/// Calls of others than validators under way at once.
const CALLS_MAX: usize = 128;
/// Of these, calls of one caller. Of one validator as many, outside of the others'.
const CALLER_CALLS_MAX: usize = 32;
/// Of messages on their way in, bytes of one caller: what an issuer has under way at once.
const CALLER_SENT_BYTES_MAX: usize = 4 * BATCH_MESSAGE_BYTES_MAX;
/// A message of a conversation: a frame, and what encodes it.
const CONVERSE_MESSAGE_BYTES_MAX: usize = FRAME_BYTES_MAX + 1024;
/// Calls under way of one connection; more wait.
const CONNECTION_CALLS_MAX: usize = 32;
/// Calls that one connection may have opened, those that wait included.
const CONNECTION_STREAMS_MAX: u32 = 64;
/// What a connection may send before it is read: a usual batch, so that one of a far issuer or peer does not take a round trip for
/// each 64 KiB. Times the port's connections, what these may hold in memory.
const WINDOW_BYTES: u32 = 1024 * 1024;
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

/// A request that is a stream, of frames that the engine bounds. A validator has one, and others that have not begun, as many as
/// calls: so a frame has its limit before it is read, and may never come.
fn is_conversation(path: &str) -> bool {
    path == "/tallystick.peer.v1.PeerService/Converse"
}

/// Serves until `stop`, and a little longer for calls under way.
pub(crate) async fn serve_grpc(
    services: Services,
    incoming: Incoming,
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
    let bytes = BATCH_MESSAGE_BYTES_MAX;
    let validators = CALLER_CALLS_MAX.saturating_mul(limits::VALIDATORS_MAX);
    let arrival = ArrivalLimits {
        bytes: Places::new(SENT_BYTES_MAX, CALLER_SENT_BYTES_MAX),
        validators: Some(Places::new(SENT_BYTES_MAX, CALLER_SENT_BYTES_MAX)),
        message_bytes_max: bytes,
        patience: CALL_TIMEOUT,
        is_streamed: is_reflection,
    };
    let serving = tonic::transport::Server::builder()
        .concurrency_limit_per_connection(CONNECTION_CALLS_MAX)
        .max_concurrent_streams(CONNECTION_STREAMS_MAX)
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .layer(RequestIdLayer::new(&OsEntropy)?)
        .layer(answers.within(CALL_TIMEOUT))
        .layer(AuthorizationLayer::new(clock).serving(SERVICES))
        .layer(
            InFlightLayer::new(Places::new(CALLS_MAX, CALLER_CALLS_MAX), is_long_lived)
                .with_validators(Places::new(validators, CALLER_CALLS_MAX)),
        )
        .layer(ArrivalLayer::new(arrival).with_conversations(is_conversation, CONVERSE_MESSAGE_BYTES_MAX))
        .add_service(health)
        .add_service(reflection().build_v1()?)
        .add_service(reflection().build_v1alpha()?)
        .add_service(
            LedgerServiceServer::new(services.clone())
                .accept_compressed(CompressionEncoding::Gzip)
                .max_decoding_message_size(bytes),
        )
        .add_service(PeerServiceServer::new(services.clone()).max_decoding_message_size(bytes))
        .add_service(AdminServiceServer::new(services).accept_compressed(CompressionEncoding::Gzip))
        .serve_with_incoming_shutdown(incoming, stop.clone().cancelled_owned());
    let cut = async {
        stop.cancelled().await;
        // Ends the streams of whoever watches the health.
        for name in ["", LedgerServiceServer::<Services>::NAME] {
            reporter.clear_service_status(name).await;
        }
        tokio::time::sleep(STOP_GRACE).await;
    };
    tokio::select! {
        served = serving => Ok(served?),
        () = cut => {
            tracing::info!("connections that clients held open are cut");
            Ok(())
        }
    }
}
