//! `VerifierService` over gRPC: the pure function of `verify`, for those who cannot run it themselves.
//!
//! ```text
//! accept (bounded, idle ones are cut) ──▶ [TLS] ──▶ a place, or a refusal ──▶ verify_bundle on a blocking thread ──▶ verdict
//! certificate files: looked at again while it runs                                  metrics and readiness: an operator's port of its own
//! ```
//! Stateless and read-only: nothing of a bundle is kept, logged or sent on; the answer has no personal field. Anybody may
//! call, so every size, count and time that a stranger can occupy has a bound here. Who believes the answer trusts this
//! service; who does not runs `verify`.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::registry::Registry;
use receipt_core::ids::UnixMillis;
use receipt_core::limits::BUNDLE_BYTES_MAX;
use receipt_core::reason::Reason;
use receipt_core::trust::TrustFile;
use receipt_core::verdict::{FindingResult, Language, TimeSource, Verdict, can_be_meant, verify_bundle};
use tallystick_proto::FILE_DESCRIPTOR_SET;
use tallystick_proto::errors::{CallReason, Refusal};
use tallystick_proto::verifier::v1::verifier_service_server::{VerifierService, VerifierServiceServer};
use tallystick_proto::verifier::v1::{Check, Outcome, VerifyBundleRequest, VerifyBundleResponse};
use tallystick_service::answers::{AnswersLayer, CallMetrics};
use tallystick_service::authorization::COMMON_SERVICES;
use tallystick_service::clock::Clock;
use tallystick_service::metrics::{self, Readiness};
use tallystick_service::process;
use tallystick_service::request_id::RequestIdLayer;
use tallystick_service::rng::{EntropyError, OsEntropy};
use tallystick_service::shutdown::{CancellationToken, TaskError, Tasks};
use tallystick_service::tls::{CertificateWatch, DaysLeft, PublicTls, watch};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_stream::wrappers::ReceiverStream;
use tonic::codec::CompressionEncoding;
use tonic::transport::Server;
use tonic::transport::server::{Connected, Router};
use tonic::{Request, Response, Status};
use tower::layer::util::{Identity as NoLayer, Stack};

mod incoming;
mod places;

use incoming::{accept, shake_hands};
use places::Places;

const SERVICE: &str = "tallystick.verifier.v1.VerifierService";

/// The request's envelope beside the bundle.
const REQUEST_BYTES_MAX: usize = BUNDLE_BYTES_MAX + 1024;
/// Every check in both languages, with room.
const RESPONSE_BYTES_MAX: usize = 256 * 1024;
/// From the first byte of a request to its answer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
const STREAMS_PER_CONNECTION_MAX: u32 = 16;
const HEADER_BYTES_MAX: u32 = 16 * 1024;
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(20);
/// Interval at which the certificate files are looked at.
const TLS_WATCH_INTERVAL: Duration = Duration::from_secs(10);

/// What strangers may occupy, and the service's own certificate.
#[derive(Debug, Clone)]
pub struct ServeOptions {
    /// Connections at once; more wait in the kernel.
    pub connections_max: usize,
    /// Of these, connections from one network; one more is closed at once.
    pub caller_connections_max: usize,
    /// A connection that says nothing for so long is cut.
    pub idle_timeout: Duration,
    /// Requests being read or judged at once, over all connections: each may hold a whole bundle. More are refused.
    pub requests_max: usize,
    /// Of these, requests from one network.
    pub caller_requests_max: usize,
    /// Bundles judged at once: as many as there are cores for it.
    pub judgements_max: usize,
    /// What callers are shown; `None`: plain text, behind something that ends TLS.
    pub tls: Option<Arc<PublicTls>>,
}

impl Default for ServeOptions {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            connections_max: 1024,
            caller_connections_max: 128,
            idle_timeout: Duration::from_secs(60),
            requests_max: 64,
            caller_requests_max: 16,
            judgements_max: cores,
            tls: None,
        }
    }
}

impl ServeOptions {
    /// Options for a server behind a proxy through which all callers come and which bounds each of them itself.
    #[must_use]
    pub fn behind_proxy(self) -> Self {
        Self { caller_connections_max: self.connections_max, caller_requests_max: self.requests_max, ..self }
    }
}

/// The ports, bound.
#[derive(Debug)]
pub struct Listeners {
    /// For everybody.
    pub grpc: TcpListener,
    /// For the operator: `/metrics`, `/livez`, `/readyz`. `None`: nothing is shown.
    pub metrics: Option<TcpListener>,
}

/// Why the service does not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The descriptors of the services do not read.
    #[error("reflection: {0}")]
    Reflection(#[source] tonic_reflection::server::Error),
    /// The system gives no randomness for the names of requests.
    #[error("no randomness: {0}")]
    Entropy(#[source] EntropyError),
}

/// Starts the service's tasks on bound listeners; they end with the token of `tasks`.
pub fn start(
    tasks: &mut Tasks,
    listeners: Listeners,
    trust: Arc<TrustFile>,
    clock: Arc<dyn Clock>,
    options: &ServeOptions,
) -> Result<(), ServeError> {
    let token: CancellationToken = tasks.token().clone();
    let service = Service { trust, clock, judgements: Arc::new(Semaphore::new(options.judgements_max.max(1))) };
    let (health_reporter, health) = tonic_health::server::health_reporter();
    let reflection = || {
        let builder = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            .with_service_name(SERVICE);
        COMMON_SERVICES.iter().fold(builder, |builder, name| builder.with_service_name(*name))
    };
    // Both versions of reflection are served: many tools know only the older one.
    let newer = reflection().build_v1().map_err(ServeError::Reflection)?;
    let older = reflection().build_v1alpha().map_err(ServeError::Reflection)?;
    let verifier = VerifierServiceServer::new(service)
        .accept_compressed(CompressionEncoding::Gzip)
        .max_decoding_message_size(REQUEST_BYTES_MAX)
        .max_encoding_message_size(RESPONSE_BYTES_MAX);
    let mut registry = Registry::default();
    process::register(&mut registry, "tallystick-verifier", env!("CARGO_PKG_VERSION"));
    let answers = AnswersLayer::new(CallMetrics::register(&mut registry, &[SERVICE])).within(REQUEST_TIMEOUT);
    let readiness = Readiness::new();
    let router =
        server(options, answers)?.add_service(health).add_service(newer).add_service(older).add_service(verifier);
    let (connections, accepting) = accept(listeners.grpc, options, token.clone());
    tasks.spawn("accept", accepting);
    let healthy = async move { health_reporter.set_serving::<VerifierServiceServer<Service>>().await };
    if let Some(tls) = &options.tls {
        let (connections, handshakes) = shake_hands(connections, Arc::clone(tls), token.clone());
        tasks.spawn("handshakes", handshakes);
        tasks.spawn("grpc", serve(router, connections, healthy, token.clone()));
        let watching = watched(&mut registry, &readiness);
        tasks.spawn("tls-watch", watch(Arc::clone(tls), watching, token.clone()));
    } else {
        tasks.spawn("grpc", serve(router, connections, healthy, token.clone()));
    }
    if let Some(listener) = listeners.metrics {
        tasks.spawn("metrics", metrics::serve(listener, registry, readiness, token));
    }
    Ok(())
}

/// What is told of the certificate.
fn watched(registry: &mut Registry, readiness: &Readiness) -> CertificateWatch {
    let days_left = DaysLeft::default();
    let help = "Days until the TLS certificate ends; negative afterwards";
    registry.register("tallystick_verifier_tls_certificate_days_left", help, days_left.clone());
    CertificateWatch { interval: TLS_WATCH_INTERVAL, ready: readiness.part("tls"), days_left }
}

type Bounded = Stack<Places, Stack<AnswersLayer, Stack<RequestIdLayer, NoLayer>>>;

async fn serve<Io>(
    router: Router<Bounded>,
    connections: ReceiverStream<io::Result<Io>>,
    healthy: impl Future<Output = ()>,
    stop: CancellationToken,
) -> Result<(), TaskError>
where
    Io: AsyncRead + AsyncWrite + Connected + Unpin + Send + 'static,
{
    healthy.await;
    Ok(router.serve_with_incoming_shutdown(connections, stop.cancelled_owned()).await?)
}

fn server(options: &ServeOptions, answers: AnswersLayer) -> Result<Server<Bounded>, ServeError> {
    let request_ids = RequestIdLayer::new(&OsEntropy).map_err(ServeError::Entropy)?;
    let server = Server::builder()
        .max_concurrent_streams(STREAMS_PER_CONNECTION_MAX)
        .http2_max_header_list_size(HEADER_BYTES_MAX)
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .http2_max_pending_accept_reset_streams(Some(STREAMS_PER_CONNECTION_MAX as usize));
    Ok(server.layer(request_ids).layer(answers).layer(Places::new(options.requests_max, options.caller_requests_max)))
}

struct Service {
    trust: Arc<TrustFile>,
    clock: Arc<dyn Clock>,
    judgements: Arc<Semaphore>,
}

#[tonic::async_trait]
impl VerifierService for Service {
    async fn verify_bundle(
        &self,
        request: Request<VerifyBundleRequest>,
    ) -> Result<Response<VerifyBundleResponse>, Status> {
        let VerifyBundleRequest { bundle, at_time_ms } = request.into_inner();
        let (at, time_source) = match at_time_ms {
            0 => (self.clock.now(), TimeSource::Clock),
            given => (UnixMillis::new(given), TimeSource::Given),
        };
        if !can_be_meant(at) {
            let message = "at_time_ms is before 2020 or after 2100: give milliseconds since 1970, or 0 for now";
            return Err(Refusal::new(Reason::FieldInvalid).with_message(message.to_owned()).to_status());
        }
        let internal = || Refusal::new(CallReason::Internal).to_status();
        // The semaphore is never closed. The permit moves into the judgement, which goes on even if the call is cancelled.
        let permit = Arc::clone(&self.judgements).acquire_owned().await.map_err(|_| internal())?;
        let trust = Arc::clone(&self.trust);
        let judged = tokio::task::spawn_blocking(move || {
            let answer = answer(&verify_bundle(&bundle, &trust, at).timed_by(time_source));
            drop(permit);
            answer
        });
        judged.await.map(Response::new).map_err(|_| internal())
    }
}

/// The verdict on the wire: all of it is the report's.
pub fn answer(verdict: &Verdict) -> VerifyBundleResponse {
    let mut report = verdict.to_report();
    // A face has personal fields; whoever asks has the bundle.
    (report.receipt, report.presentation) = (None, None);
    let mut answer = VerifyBundleResponse { at_time_ms: verdict.at.get(), ..VerifyBundleResponse::default() };
    answer.set_outcome(match verdict.finding().result() {
        FindingResult::InForce => Outcome::Valid,
        FindingResult::Reversed => Outcome::NotInForce,
        FindingResult::Invalid | FindingResult::Refused => Outcome::Refused,
        FindingResult::NoReceipt => Outcome::NoReceipt,
        FindingResult::TooOld | FindingResult::Signed | FindingResult::Unjudged | FindingResult::Unreadable => {
            Outcome::NotJudged
        }
    });
    verdict.code().clone_into(&mut answer.reason);
    answer.message = Language::ALL.map(|language| verdict.to_line(language)).join("\n");
    answer.status_as_of_seconds = report.as_of.as_ref().map_or(0, |as_of| as_of.seconds);
    answer.standing = match verdict.finding().result() {
        FindingResult::Reversed => "reversed".to_owned(),
        FindingResult::InForce if verdict.reverses().is_some() => "red".to_owned(),
        FindingResult::InForce if verdict.presented.is_some() => "presented".to_owned(),
        _ => String::new(),
    };
    for check in &report.checks {
        let line = |detail: String| Check { name: check.code.to_owned(), detail };
        match check.outcome {
            "passed" => answer.checked.push(line(check.said.en.clone())),
            "warned" => answer.warnings.push(line(check.said.en.clone())),
            _ => {}
        }
    }
    let not_checked = report.not_checked.iter();
    answer.not_checked =
        not_checked.map(|item| Check { name: item.code.to_owned(), detail: item.said.en.clone() }).collect();
    let content_holds = verdict.receipt.is_some() || verdict.presented.is_some();
    // What record and credential say, and the content with them.
    if let Some(signed) = verdict.signed.as_ref().filter(|_| content_holds) {
        answer.receipt_code = signed.key.code.to_string();
        answer.receipt_number = signed.key.number.to_string();
        answer.total_fen = signed.total.get();
        answer.unit_code.clone_from(&signed.unit_code);
    }
    answer.verdict = report.to_json();
    answer
}
