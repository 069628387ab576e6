//! What leaves a gRPC server, looked at once: every refusal is of the table, has a log line and is counted; every call is timed.
//!
//! ```text
//! request id ─▶ this layer ─▶ authorisation ─▶ services
//!               │ status without ErrorInfo, made by the framework (undecodable, too large, unknown method …): put into the table
//!               │ refusal: one line inside the call's span, so that the request id that a caller complains of is in the log
//! ```
//! It keeps the server's own limit of time, too: the framework's stands around all layers, and what it cuts has no reason. Put it
//! right behind [`crate::request_id::RequestIdLayer`]. Not here: what this layer cannot see: connections that break, deadlines
//! of the caller (`docs/spec/reasons.md` says what a status without `ErrorInfo` means).

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt;
use hyper::body::Frame;
use tallystick_proto::errors::{CallReason, Refusal};
use tonic::body::Body;
use tonic::{Code, Status};
use tower::Layer;

use crate::around::{Answering, Around, Inner, Layered};
use crate::tls::ConnectionInfo;

mod framework;
mod metrics;

#[cfg(test)]
mod tests;

pub use metrics::CallMetrics;

/// Lines about refusals that are written at once.
const LINES_MAX: u32 = 100;
/// Afterwards so many a second: some 100 MB a day at most, whoever floods.
const LINES_PER_SECOND: u64 = 5;

/// Which encodings a server reads, told to callers who use another.
const ACCEPT_ENCODING: &str = "grpc-accept-encoding";

/// Looks at every answer.
#[derive(Debug, Clone)]
pub struct AnswersLayer {
    shared: Arc<Shared>,
    time_max: Option<Duration>,
}

#[derive(Debug)]
struct Shared {
    metrics: CallMetrics,
    lines: Mutex<Lines>,
}

impl AnswersLayer {
    /// Counts and times in `metrics`.
    pub fn new(metrics: CallMetrics) -> Self {
        let lines = Lines { left: LINES_MAX, suppressed: 0, since: Instant::now() };
        Self { shared: Arc::new(Shared { metrics, lines: Mutex::new(lines) }), time_max: None }
    }

    /// Until its answer begins, a call has so long; then it is cut with `OUTCOME_UNKNOWN`.
    #[must_use]
    pub fn within(self, time_max: Duration) -> Self {
        Self { time_max: Some(time_max), ..self }
    }
}

impl<S> Layer<S> for AnswersLayer {
    type Service = Layered<S, Self>;

    fn layer(&self, inner: S) -> Self::Service {
        Layered::new(inner, self)
    }
}

impl<B> Around<B> for AnswersLayer {
    fn answer<S: Inner<B>>(&self, inner: &mut S, request: Request<B>) -> Answering<S::Error> {
        let call = Call {
            shared: Arc::clone(&self.shared),
            span: tracing::Span::current(),
            caller: caller(request.extensions().get::<ConnectionInfo>()),
        };
        let path = request.uri().path().to_owned();
        let (started, time_max) = (Instant::now(), self.time_max);
        let answer = inner.call(request);
        Box::pin(async move {
            let response = match time_max {
                Some(time_max) => tokio::time::timeout(time_max, answer).await.unwrap_or_else(|_| Ok(cut(time_max)))?,
                None => answer.await?,
            };
            call.shared.metrics.answered(&path, started.elapsed());
            Ok(call.look_at(response))
        })
    }
}

/// The answer to a call that took too long. What it was about to do may be done.
fn cut(time_max: Duration) -> Response<Body> {
    let message = format!("the call took longer than {} s and was cut; make it again", time_max.as_secs());
    Refusal::new(CallReason::OutcomeUnknown).with_message(message).to_status().into_http()
}

fn caller(connection: Option<&ConnectionInfo>) -> String {
    match connection.map(|connection| &connection.peer) {
        Some(Ok(named)) => named.identity.to_string(),
        _ => "unnamed".to_owned(),
    }
}

/// One call, as far as its answer's log line needs it.
struct Call {
    shared: Arc<Shared>,
    span: tracing::Span,
    caller: String,
}

impl Call {
    fn look_at(self, response: Response<Body>) -> Response<Body> {
        let (mut parts, body) = response.into_parts();
        // The status of a refused unary call, and of a stream refused before its first message, is in the headers.
        if let Some(refusal) = self.refusal(&mut parts.headers, framework::Stage::Request) {
            self.tell(&refusal);
            return Response::from_parts(parts, body);
        }
        // The status of a stream comes in its trailers.
        let watched = body.map_frame(move |frame| match frame.into_trailers() {
            Ok(mut trailers) => {
                if let Some(refusal) = self.refusal(&mut trailers, framework::Stage::Answer) {
                    self.tell(&refusal);
                }
                Frame::trailers(trailers)
            }
            Err(frame) => frame,
        });
        Response::from_parts(parts, Body::new(watched))
    }

    /// The refusal that these headers tell; one that the framework made is put into the table on the way.
    fn refusal(&self, headers: &mut HeaderMap, stage: framework::Stage) -> Option<Refusal> {
        let status = Status::from_header_map(headers).filter(|status| status.code() != Code::Ok)?;
        if let Some(refusal) = Refusal::from_status(&status) {
            return Some(refusal);
        }
        let refusal = framework::refusal_of(&status, stage);
        if refusal.reason == CallReason::Internal.into() {
            self.span
                .in_scope(|| tracing::error!(code = ?status.code(), said = ?status.message(), "a call failed inside"));
        }
        let ours = refusal.to_status();
        let encodings = headers.remove(ACCEPT_ENCODING);
        // Every header of the old status is set by the new one too, so nothing of the old one is left.
        if ours.add_header(headers).is_err() {
            tracing::error!(reason = refusal.reason.as_str(), "a refusal does not fit into headers");
        }
        if let Some(encodings) = encodings {
            headers.insert(ACCEPT_ENCODING, encodings);
        }
        Some(refusal)
    }

    fn tell(&self, refusal: &Refusal) {
        self.shared.metrics.refused(refusal.reason);
        let Some(suppressed) = self.shared.lines.lock().unwrap_or_else(PoisonError::into_inner).one(Instant::now())
        else {
            return;
        };
        let fields: Vec<&str> = refusal.violations.iter().map(|violation| violation.field.as_str()).collect();
        // Debug escapes whatever a caller put into a field's name or value.
        self.span.in_scope(|| {
            tracing::info!(
                reason = refusal.reason.as_str(), caller = %self.caller, said = ?refusal.message, ?fields, suppressed,
                "refused"
            );
        });
    }
}

/// How many lines may still be written: a flood of bad calls must not fill a disk.
#[derive(Debug)]
struct Lines {
    left: u32,
    suppressed: u64,
    since: Instant,
}

impl Lines {
    /// One line, with the number of those that were left out before it; `None`: left out.
    fn one(&mut self, now: Instant) -> Option<u64> {
        let seconds = now.duration_since(self.since).as_secs();
        if seconds > 0 {
            let earned = seconds.saturating_mul(LINES_PER_SECOND).min(u64::from(LINES_MAX));
            self.left = self.left.saturating_add(u32::try_from(earned).unwrap_or(LINES_MAX)).min(LINES_MAX);
            self.since = now;
        }
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                Some(std::mem::take(&mut self.suppressed))
            }
            None => {
                self.suppressed = self.suppressed.saturating_add(1);
                None
            }
        }
    }
}
