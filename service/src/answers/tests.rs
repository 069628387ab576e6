use std::convert::Infallible;
use std::io;

use http::HeaderValue;
use http_body_util::{Empty, Full};
use prometheus_client::registry::Registry;
use prost::Message;
use receipt_core::reason::Reason;
use tallystick_proto::errors::ErrorReason;
use tallystick_proto::issuer::v1::IssueRequest;
use tallystick_proto::verifier::v1::verifier_service_server::{VerifierService, VerifierServiceServer};
use tallystick_proto::verifier::v1::{VerifyBundleRequest, VerifyBundleResponse};
use tower::ServiceExt;
use tracing_subscriber::fmt::MakeWriter;

use super::framework::{Stage, refusal_of};
use super::*;
use crate::request_id::{REQUEST_ID_HEADER, RequestIdLayer};
use crate::rng::SeededEntropy;

const METHOD: &str = "/tallystick.verifier.v1.VerifierService/VerifyBundle";

/// Answers, refuses with a reason of the table, or fails as a library would.
struct Verifier(Option<Status>);

#[tonic::async_trait]
impl VerifierService for Verifier {
    async fn verify_bundle(
        &self,
        _: tonic::Request<VerifyBundleRequest>,
    ) -> Result<tonic::Response<VerifyBundleResponse>, Status> {
        self.0.clone().map_or_else(|| Ok(tonic::Response::new(VerifyBundleResponse::default())), Err)
    }
}

fn layer() -> AnswersLayer {
    AnswersLayer::new(CallMetrics::register(&mut Registry::default(), &[]))
}

fn framed(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[0], &length[..], message].concat()
}

/// What a caller reads of an answer: its status, from the headers or the trailers.
async fn status_of(response: Response<Body>) -> Status {
    let (parts, body) = response.into_parts();
    if let Some(status) = Status::from_header_map(&parts.headers) {
        return status;
    }
    let trailers = body.collect().await.unwrap().trailers().cloned().unwrap_or_default();
    Status::from_header_map(&trailers).unwrap()
}

async fn call(failure: Option<Status>, path: &str, encoding: Option<&'static str>, body: Vec<u8>) -> Status {
    let server = VerifierServiceServer::new(Verifier(failure)).max_decoding_message_size(64);
    let service = RequestIdLayer::new(&SeededEntropy::new(1)).unwrap().layer(layer().layer(server));
    let mut request = Request::post(path).header("x-request-id", "his-17").body(Body::new(Full::from(body))).unwrap();
    if let Some(encoding) = encoding {
        request.headers_mut().insert("grpc-encoding", HeaderValue::from_static(encoding));
    }
    let response = service.oneshot(request).await.unwrap();
    assert_eq!(response.headers()[&REQUEST_ID_HEADER], "his-17");
    status_of(response).await
}

#[tokio::test]
async fn whatever_the_framework_refuses_has_a_reason_of_the_table() {
    let bundle = |bytes| VerifyBundleRequest { bundle: vec![0; bytes].into(), at_time_ms: 0 }.encode_to_vec();
    let good = || framed(&bundle(8));
    let (unknown, too_large) = (CallReason::MethodUnknown, CallReason::RequestTooLarge);
    let rows = [
        ("too large", METHOD, None, framed(&bundle(65)), too_large),
        ("no protobuf", METHOD, None, framed(&[0xff; 20]), CallReason::RequestInvalid),
        ("cut off", METHOD, None, good()[..9].to_vec(), CallReason::RequestInvalid),
        ("no message at all", METHOD, None, Vec::new(), CallReason::RequestInvalid),
        ("an unknown flag", METHOD, None, [&[7], &good()[1..]].concat(), CallReason::RequestInvalid),
        ("compressed without saying how", METHOD, None, [&[1], &good()[1..]].concat(), CallReason::RequestInvalid),
        ("zstd", METHOD, Some("zstd"), good(), CallReason::EncodingUnknown),
        ("no such method", "/tallystick.verifier.v1.VerifierService/Bless", None, good(), unknown),
    ];
    for (what, path, encoding, body, expected) in rows {
        let status = call(None, path, encoding, body).await;
        let refusal = Refusal::from_status(&status).unwrap_or_else(|| panic!("{what}: {status:?}"));
        assert_eq!(refusal.reason, ErrorReason::Call(expected), "{what}: {status:?}");
        assert_eq!(status.code(), refusal.reason.mapping().code, "{what}");
    }
    assert_eq!(call(None, METHOD, None, good()).await.code(), Code::Ok);
}

#[tokio::test]
async fn a_services_own_refusal_is_left_as_it_is_and_a_librarys_failure_is_internal() {
    let own = Refusal::new(Reason::Overloaded).with_message("64 at once").with_metadata("k", "v");
    let body = || framed(&VerifyBundleRequest::default().encode_to_vec());
    let told = call(Some(own.to_status()), METHOD, None, body()).await;
    assert_eq!(Refusal::from_status(&told), Some(own));
    let told = call(Some(Status::data_loss("rocksdb: /var/lib/x is gone")), METHOD, None, body()).await;
    let refusal = Refusal::from_status(&told).unwrap();
    assert_eq!(refusal.reason, CallReason::Internal.into());
    assert!(!refusal.message.contains("/var"), "{}", refusal.message);
}

#[tokio::test]
async fn a_status_at_the_end_of_a_stream_is_put_into_the_table_too() {
    let inner = tower::service_fn(|_: Request<()>| async {
        let mut trailers = HeaderMap::new();
        Status::not_found("no such symbol").add_header(&mut trailers).unwrap();
        let body = Empty::<hyper::body::Bytes>::new().with_trailers(async { Some(Ok(trailers)) });
        Ok::<_, Infallible>(Response::new(Body::new(body)))
    });
    let response = layer().layer(inner).oneshot(Request::new(())).await.unwrap();
    let refusal = Refusal::from_status(&status_of(response).await).unwrap();
    assert_eq!((refusal.reason, refusal.message.as_str()), (CallReason::NotFound.into(), "no such symbol"));
}

#[tokio::test]
async fn a_call_that_takes_too_long_is_cut_with_a_reason() {
    let inner = tower::service_fn(|_: Request<()>| std::future::pending::<Result<Response<Body>, Infallible>>());
    let service = layer().within(Duration::from_millis(5)).layer(inner);
    let refusal = Refusal::from_status(&status_of(service.oneshot(Request::new(())).await.unwrap()).await).unwrap();
    assert_eq!(refusal.reason, CallReason::OutcomeUnknown.into());
}

#[test]
fn a_text_that_is_not_utf_8_is_told_by_its_field() {
    // draft (1) ─ payer_name (13); draft ─ items (26) ─ item_name (2): 王 in GBK.
    let gbk = [0xcd_u8, 0xf5];
    let payer = [&[10, 4, 106, 2], &gbk[..]].concat();
    let item = [&[10, 7, 0xd2, 1, 4, 18, 2], &gbk[..]].concat();
    let gender = [&[10, 9, 0xca, 1, 6, 10, 4, 10, 2], &gbk[..]].concat();
    for (bytes, field) in [(payer, "payer_name"), (item, "items.item_name"), (gender, "medical.gender")] {
        let error = IssueRequest::decode(bytes.as_slice()).unwrap_err();
        let refusal = refusal_of(&Status::internal(error.to_string()), Stage::Request);
        assert_eq!(refusal.reason, CallReason::RequestInvalid.into(), "{error}");
        let fields: Vec<&str> = refusal.violations.iter().map(|violation| violation.field.as_str()).collect();
        assert_eq!(fields, [field], "{error}");
        assert!(refusal.message.contains("UTF-8") && refusal.message.contains(field), "{}", refusal.message);
    }
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn a_refusal_has_one_log_line_with_its_request_id() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(log.clone()).finish();
    let _default = tracing::subscriber::set_default(subscriber);
    let refusal = Refusal::field("payer_name", "is \u{1b}[2J bad");
    // A test beside this one that refuses first has this line marked as wanted by nobody. Once it is known, a further subscriber makes
    // `tracing` ask all of them again.
    call(Some(refusal.to_status()), METHOD, None, framed(&[])).await;
    let _asked_again = tracing::Dispatch::new(tracing_subscriber::registry());
    log.0.lock().unwrap().clear();
    call(Some(refusal.to_status()), METHOD, None, framed(&[])).await;
    call(None, METHOD, None, framed(&[])).await;
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 1, "{text}");
    for told in ["his-17", "FIELD_INVALID", "payer_name", "VerifyBundle"] {
        assert!(lines[0].contains(told), "{told}: {text}");
    }
    assert!(!text.contains('\u{1b}'), "{text:?}");
}

#[test]
fn a_flood_of_refusals_writes_a_bounded_number_of_lines() {
    let start = Instant::now();
    let mut lines = Lines { left: LINES_MAX, suppressed: 0, since: start };
    let written = (0..1_000).filter(|_| lines.one(start).is_some()).count();
    assert_eq!(written, LINES_MAX as usize);
    let later = start + Duration::from_secs(1);
    assert_eq!(lines.one(later), Some(1_000 - u64::from(LINES_MAX)));
    let written = (0..1_000).filter(|_| lines.one(later).is_some()).count();
    assert_eq!(written as u64, LINES_PER_SECOND - 1);
    // A quiet minute gives the burst back.
    let much_later = later + Duration::from_secs(60);
    assert_eq!((0..1_000).filter(|_| lines.one(much_later).is_some()).count(), LINES_MAX as usize);
}
