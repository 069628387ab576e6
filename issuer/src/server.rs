//! The gRPC server: its services, its layers, its bounds.
//!
//! What callers may hold in memory, together and each: messages on their way in by their announced length
//! ([`tallystick_service::arrival`]), calls until their answer is on the wire and Watch streams until they end
//! ([`tallystick_service::inflight`]), connections ([`tallystick_service::tls`]). A caller is a certificate, over all of its connections. Not
//! here: what the services answer (`api`).

use std::sync::Arc;
use std::time::Duration;

use receipt_core::limits;
use tallystick_proto::FILE_DESCRIPTOR_SET;
use tallystick_proto::issuer::v1::issuer_service_server::IssuerServiceServer;
use tallystick_proto::portal::v1::portal_service_server::PortalServiceServer;
use tallystick_service::answers::AnswersLayer;
use tallystick_service::arrival::{ArrivalLayer, ArrivalLimits, is_reflection};
use tallystick_service::authorization::{AuthorizationLayer, COMMON_SERVICES};
use tallystick_service::callers::Places;
use tallystick_service::clock::Clock;
use tallystick_service::descriptors::Files;
use tallystick_service::inflight::InFlightLayer;
use tallystick_service::request_id::RequestIdLayer;
use tallystick_service::rng::OsEntropy;
use tallystick_service::shutdown::{CancellationToken, TaskError};
use tallystick_service::tls::{Incoming, IncomingLimits};
use tonic::codec::CompressionEncoding;
use tonic::transport::Server;

use crate::api::{IssuerApi, PortalApi};
use crate::memory::{REQUESTS_BYTES_MAX, STREAMS_MAX};

/// What the port serves besides the common services.
pub(crate) const SERVICES: &[&str] = &["tallystick.issuer.v1.IssuerService", "tallystick.portal.v1.PortalService"];
/// Connections at once, if the bound on open files allows.
const CONNECTIONS_MAX: usize = 4096;
/// Of these, connections of one caller.
const CALLER_CONNECTIONS_MAX: usize = 64;
/// Calls under way at once: each waits for its seal for up to a minute.
const CALLS_MAX: usize = 4096;
/// Of these, calls of one caller.
const CALLER_CALLS_MAX: usize = 1024;
/// Calls that one connection may have opened. Above it the caller's own library waits.
const CONNECTION_STREAMS_MAX: u32 = 1024;
/// Of the Watch streams, streams of one caller.
const CALLER_STREAMS_MAX: usize = 32;
/// Of the bytes of requests, bytes of one caller.
const CALLER_REQUESTS_BYTES_MAX: usize = 4 * limits::REQUEST_BYTES_MAX;
/// For a request to arrive whole.
const REQUEST_PATIENCE: Duration = Duration::from_secs(30);
/// Bytes of requests that one connection may send ahead of what is read.
const CONNECTION_WINDOW_BYTES: u32 = 2 * 1024 * 1024;
/// Of these, bytes of one call.
const STREAM_WINDOW_BYTES: u32 = 1024 * 1024;
/// A request of the portal: a few short fields.
const PORTAL_REQUEST_BYTES_MAX: usize = 16 * 1024;
/// A peer that is gone without a word is noticed.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(20);
const WATCH: &str = "/tallystick.issuer.v1.IssuerService/Watch";

fn is_stream(path: &str) -> bool {
    path == WATCH || path == "/grpc.health.v1.Health/Watch"
}

/// Bounds of the port, under the process's bound on open files.
pub(crate) fn incoming_limits(files: Files) -> IncomingLimits {
    let [connections_max] = files.connections([CONNECTIONS_MAX]);
    IncomingLimits::new(connections_max, CALLER_CONNECTIONS_MAX)
}

/// Serves until the token is cancelled, and until calls under way are answered.
pub(crate) async fn serve_grpc(
    (api, portal): (IssuerApi, PortalApi),
    incoming: Incoming,
    clock: Arc<dyn Clock>,
    answers: AnswersLayer,
    token: CancellationToken,
) -> Result<(), TaskError> {
    let service = IssuerServiceServer::new(api)
        .accept_compressed(CompressionEncoding::Gzip)
        .max_decoding_message_size(limits::REQUEST_BYTES_MAX)
        .max_encoding_message_size(2 * limits::BUNDLE_BYTES_MAX);
    let portal = PortalServiceServer::new(portal)
        .max_decoding_message_size(PORTAL_REQUEST_BYTES_MAX)
        .max_encoding_message_size(2 * limits::BUNDLE_BYTES_MAX);
    let (health_reporter, health) = tonic_health::server::health_reporter();
    // Both versions of reflection are served: many tools know only the older one.
    let reflection = || {
        let builder = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET);
        // Reflection names only the services of this port.
        let names = SERVICES.iter().chain(COMMON_SERVICES);
        names.fold(builder, |builder, name| builder.with_service_name(*name))
    };
    let arrival = ArrivalLimits {
        bytes: Places::new(REQUESTS_BYTES_MAX, CALLER_REQUESTS_BYTES_MAX),
        validators: None,
        message_bytes_max: limits::REQUEST_BYTES_MAX,
        patience: REQUEST_PATIENCE,
        is_streamed: is_reflection,
    };
    let calls = InFlightLayer::new(Places::new(CALLS_MAX, CALLER_CALLS_MAX), is_stream)
        .with_streams(Places::new(STREAMS_MAX, CALLER_STREAMS_MAX));
    let server = Server::builder()
        .max_concurrent_streams(CONNECTION_STREAMS_MAX)
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .initial_stream_window_size(Some(STREAM_WINDOW_BYTES))
        .initial_connection_window_size(Some(CONNECTION_WINDOW_BYTES))
        .layer(RequestIdLayer::new(&OsEntropy)?)
        .layer(answers)
        .layer(AuthorizationLayer::new(clock).serving(SERVICES))
        .layer(calls)
        .layer(ArrivalLayer::new(arrival))
        .add_service(health)
        .add_service(reflection().build_v1()?)
        .add_service(reflection().build_v1alpha()?)
        .add_service(service)
        .add_service(portal);
    health_reporter.set_serving::<IssuerServiceServer<IssuerApi>>().await;
    health_reporter.set_serving::<PortalServiceServer<PortalApi>>().await;
    server.serve_with_incoming_shutdown(incoming, token.cancelled_owned()).await.map_err(TaskError::from)
}
