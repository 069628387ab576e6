//! `VerifierService`: the same verdicts over gRPC, for anybody, within bounds.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has to fail")]

mod common;

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use common::{TestFile, chain};
use receipt_core::limits::BUNDLE_BYTES_MAX;
use receipt_core::reason::Reason;
use receipt_core::testkit::TestChain;
use tallystick_proto::errors::{Refusal, retry_after};
use tallystick_proto::verifier::v1::verifier_service_client::VerifierServiceClient;
use tallystick_proto::verifier::v1::{Outcome, VerifyBundleRequest, VerifyBundleResponse};
use tallystick_service::clock::FixedClock;
use tallystick_service::durable::{self, FileMode};
use tallystick_service::shutdown::{CancellationToken, Tasks};
use tallystick_service::tls::{OwnFiles, PublicTls};
use tallystick_verifier::serve::{Listeners, ServeOptions, start};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tonic::transport::{Certificate, Channel, ClientTlsConfig};
use tonic::{Code, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

/// Far above what anything here takes; reached only if it never happens.
const PATIENCE: Duration = Duration::from_secs(60);

struct Running {
    address: SocketAddr,
    token: CancellationToken,
    tasks: tokio::task::JoinHandle<()>,
}

impl Running {
    async fn start(chain: &TestChain, options: &ServeOptions) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let token = CancellationToken::new();
        let mut tasks = Tasks::new(token.clone());
        let trust = Arc::new(chain.trust().clone());
        let listeners = Listeners { grpc: listener, metrics: None };
        start(&mut tasks, listeners, trust, Arc::new(FixedClock::new(chain.now())), options).unwrap();
        let tasks = tokio::spawn(async move { tasks.run(PATIENCE).await.unwrap() });
        Self { address, token, tasks }
    }

    async fn channel(&self) -> Channel {
        Channel::from_shared(format!("http://{}", self.address)).unwrap().connect().await.unwrap()
    }

    async fn stop(self) {
        self.token.cancel();
        self.tasks.await.unwrap();
    }
}

async fn verify(channel: &Channel, bundle: Vec<u8>, at_time_ms: u64) -> Result<VerifyBundleResponse, Status> {
    let request = VerifyBundleRequest { bundle: bundle.into(), at_time_ms };
    Ok(VerifierServiceClient::new(channel.clone()).verify_bundle(request).await?.into_inner())
}

#[tokio::test(flavor = "multi_thread")]
async fn verdicts_are_those_of_the_library() {
    let (chain, receipts) = chain();
    let running = Running::start(&chain, &ServeOptions::default()).await;
    let channel = running.channel().await;
    let good = chain.bundle(&receipts[1]).encode();

    let answer = verify(&channel, good.clone(), 0).await.unwrap();
    assert_eq!((answer.outcome(), answer.reason.as_str(), answer.standing.as_str()), (Outcome::Valid, "", ""));
    assert_eq!(answer.at_time_ms, chain.now().get(), "the service's clock");
    assert!(answer.status_as_of_seconds > 0 && answer.checked.len() > 20 && answer.not_checked.len() > 3, "{answer:?}");
    let record = &receipts[1].signed.record;
    assert_eq!(
        (answer.receipt_code, answer.receipt_number),
        (record.key.code.to_string(), record.key.number.to_string())
    );
    assert_eq!((answer.total_fen, answer.unit_code.len()), (record.total.get(), 18));
    assert!(
        answer.message.starts_with("有效  票据真实") && answer.message.contains("\nIN FORCE  "),
        "{}",
        answer.message
    );
    let verdict: serde_json::Value = serde_json::from_str(&answer.verdict).unwrap();
    assert_eq!((&verdict["conclusion"]["code"], verdict.get("receipt")), (&"IN_FORCE".into(), None));
    assert_eq!(verdict["judged_at"]["source"], "clock", "the service's");

    let reversed = verify(&channel, chain.bundle(&receipts[0]).encode(), 0).await.unwrap();
    assert_eq!((reversed.outcome(), reversed.standing.as_str()), (Outcome::NotInForce, "reversed"));

    // A bad bundle is an answer, whatever is wrong with it.
    let mut flipped = good.clone();
    flipped[200] ^= 1;
    for (bad, outcome) in [
        (flipped, Outcome::Refused),
        (good[..good.len() - 1].to_vec(), Outcome::Refused),
        (Vec::new(), Outcome::NoReceipt),
        (b"junk".to_vec(), Outcome::NoReceipt),
    ] {
        let refused = verify(&channel, bad, 0).await.unwrap();
        assert_eq!(refused.outcome(), outcome);
        assert!(!refused.reason.is_empty() && !refused.message.is_empty(), "{refused:?}");
    }
    let early = verify(&channel, good.clone(), 1_600_000_000_000).await.unwrap();
    assert_eq!((early.outcome(), early.reason.as_str()), (Outcome::Refused, "ISSUE_TIME"));
    assert_eq!(early.at_time_ms, 1_600_000_000_000);
    for nobody_means in [1, 20_261_102, 1_793_577_600, 17_935_776_000_000] {
        let refused = verify(&channel, good.clone(), nobody_means).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
        assert!(refused.message().contains("at_time_ms"), "{refused}");
    }
    let foreign = TestChain::named("otherchain");
    let elsewhere = Running::start(&foreign, &ServeOptions::default()).await;
    let refused = verify(&elsewhere.channel().await, good, chain.now().get()).await.unwrap();
    assert_eq!((refused.outcome(), refused.reason.as_str()), (Outcome::NotJudged, "OTHER_CHAIN"));
    assert!(refused.message.contains(&chain.genesis().chain_id().0.to_string()[..8]), "{}", refused.message);
    drop(channel);
    elsewhere.stop().await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_red_receipt_is_valid_and_said_to_be_red() {
    let (chain, receipts) = chain();
    let running = Running::start(&chain, &ServeOptions::default()).await;
    let answer = verify(&running.channel().await, chain.bundle(&receipts[4]).encode(), 0).await.unwrap();
    assert_eq!((answer.outcome(), answer.standing.as_str()), (Outcome::Valid, "red"));
    assert!(answer.total_fen < 0 && answer.message.contains(&receipts[0].receipt.key().to_string()), "{answer:?}");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_shown_in_part_is_said_to_be_and_none_of_it_comes_back() {
    let (chain, receipts) = chain();
    let running = Running::start(&chain, &ServeOptions::default()).await;
    let part = receipt_core::bundle::share(&chain.bundle(&receipts[1]), &["payer_name"]).unwrap();
    let answer = verify(&running.channel().await, part.encode(), 0).await.unwrap();
    assert_eq!((answer.outcome(), answer.standing.as_str()), (Outcome::Valid, "presented"));
    assert!(answer.not_checked.iter().any(|check| check.name == "WITHHELD"), "{answer:?}");
    assert_eq!(answer.total_fen, receipts[1].signed.record.total.get());
    let payer = &receipts[1].receipt.draft.payer_name;
    assert!(!payer.is_empty() && !answer.verdict.contains(payer.as_str()), "{}", answer.verdict);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_rule_is_a_warning_and_no_personal_field_comes_back() {
    let (mut chain, _) = chain();
    let mut draft = chain.draft("S01");
    draft.items[0].amount = receipt_core::ids::Fen::new(draft.items[0].amount.get() + 100);
    let payer = draft.payer_name.clone();
    let broken = chain.issue_draft(draft, Vec::new());
    chain.add_block(std::slice::from_ref(&broken));
    let running = Running::start(&chain, &ServeOptions::default()).await;
    let answer = verify(&running.channel().await, chain.bundle(&broken).encode(), 0).await.unwrap();
    assert_eq!(answer.outcome(), Outcome::Valid);
    assert!(answer.warnings.iter().any(|warning| warning.name == "BODY_RULES"), "{answer:?}");
    assert!(!payer.is_empty() && !format!("{answer:?}").contains(&payer));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sizes_are_capped_and_the_service_lives_on() {
    let (chain, receipts) = chain();
    let running = Running::start(&chain, &ServeOptions::default()).await;
    let channel = running.channel().await;
    let refused = verify(&channel, vec![b' '; BUNDLE_BYTES_MAX + 2048], 0).await.unwrap_err();
    assert_eq!(refused.code(), Code::OutOfRange, "{refused}");
    let largest = verify(&channel, vec![b' '; BUNDLE_BYTES_MAX], 0).await.unwrap();
    assert_eq!((largest.outcome(), largest.reason.as_str()), (Outcome::NoReceipt, "NO_RECEIPT"));
    let header = "x".repeat(64 * 1024);
    let mut request = tonic::Request::new(VerifyBundleRequest::default());
    request.metadata_mut().insert("padding", header.parse().unwrap());
    assert!(VerifierServiceClient::new(channel).verify_bundle(request).await.is_err(), "headers above their limit");
    let answer = verify(&running.channel().await, chain.bundle(&receipts[1]).encode(), 0).await.unwrap();
    assert_eq!(answer.outcome(), Outcome::Valid);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_connection_loses_its_place() {
    let (chain, receipts) = chain();
    let options =
        ServeOptions { connections_max: 1, idle_timeout: Duration::from_millis(300), ..ServeOptions::default() };
    let running = Running::start(&chain, &options).await;
    let mut silent = TcpStream::connect(running.address).await.unwrap();
    // The only place is taken; the call waits in the kernel until the silent one is cut.
    let call = async { verify(&running.channel().await, chain.bundle(&receipts[1]).encode(), 0).await };
    let answer = tokio::time::timeout(PATIENCE, call).await.unwrap().unwrap();
    assert_eq!(answer.outcome(), Outcome::Valid);
    let mut bytes = Vec::new();
    let cut = tokio::io::AsyncReadExt::read_to_end(&mut silent, &mut bytes);
    // Closed, or reset: either way at an end.
    drop(tokio::time::timeout(PATIENCE, cut).await.unwrap());
    running.stop().await;
}

/// The beginning of an HTTP/2 connection, and of one call on it: the headers, and nothing of the message.
fn beginning_of_a_call() -> Vec<u8> {
    let frame = |kind: u8, flags: u8, stream: u8, payload: &[u8]| {
        let length = u8::try_from(payload.len()).unwrap();
        [&[0, 0, length, kind, flags, 0, 0, 0, stream], payload].concat()
    };
    let text = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    let headers = [
        // POST, http, and literals: path, authority, content type, te.
        vec![0x83, 0x86, 0x04],
        text("/tallystick.verifier.v1.VerifierService/VerifyBundle"),
        vec![0x01],
        text("localhost"),
        vec![0x0f, 0x10],
        text("application/grpc"),
        vec![0x00],
        text("te"),
        text("trailers"),
    ];
    [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice(), &frame(4, 0, 0, &[]), &frame(1, 4, 1, &headers.concat())].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_above_the_limit_is_told_at_once_when_to_try_again() {
    let (chain, receipts) = chain();
    let running = Running::start(&chain, &ServeOptions { requests_max: 1, ..ServeOptions::default() }).await;
    let good = chain.bundle(&receipts[1]).encode();
    let channel = running.channel().await;
    // Calls whose bundle does not come: sooner or later the only place is taken by one of them. A single one might itself meet the
    // call of this loop there, be refused, and leave the place free for ever.
    let mut held = Vec::new();
    let refused = async {
        loop {
            let mut slow = TcpStream::connect(running.address).await.unwrap();
            tokio::io::AsyncWriteExt::write_all(&mut slow, &beginning_of_a_call()).await.unwrap();
            held.push(slow);
            match verify(&channel, good.clone(), 0).await {
                Ok(answer) => assert_eq!(answer.outcome(), Outcome::Valid),
                Err(status) => return status,
            }
        }
    };
    let refused = tokio::time::timeout(PATIENCE, refused).await.unwrap();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert_eq!(Refusal::from_status(&refused).unwrap().reason, Reason::Overloaded.into());
    assert!(retry_after(&refused).is_some(), "{refused:?}");
    // Also when the bundle is still on its way to the server.
    let large = verify(&channel, vec![b' '; BUNDLE_BYTES_MAX], 0).await.unwrap_err();
    assert_eq!(large.code(), Code::ResourceExhausted, "{large}");
    drop(held);
    let served = async {
        while let Err(status) = verify(&channel, good.clone(), 0).await {
            assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
        }
    };
    tokio::time::timeout(PATIENCE, served).await.unwrap();
    drop(channel);
    running.stop().await;
}

/// Whose uploads never end takes its own share, and another caller is served all the same. On this machine every address of
/// 127.0.0.0/8 is one.
#[tokio::test(flavor = "multi_thread")]
async fn slow_uploads_of_one_caller_leave_room_for_others() {
    let (chain, receipts) = chain();
    let good = chain.bundle(&receipts[1]).encode();
    let options = ServeOptions { requests_max: 8, caller_requests_max: 4, ..ServeOptions::default() };
    for (options, is_served) in [(options.clone(), true), (options.behind_proxy(), false)] {
        let running = Running::start(&chain, &options).await;
        let mut held = Vec::new();
        // Above its share they are refused, and take no more.
        for _ in 0..12 {
            let socket = tokio::net::TcpSocket::new_v4().unwrap();
            socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
            let mut slow = socket.connect(running.address).await.unwrap();
            tokio::io::AsyncWriteExt::write_all(&mut slow, &beginning_of_a_call()).await.unwrap();
            held.push(slow);
        }
        let channel = running.channel().await;
        if is_served {
            for _ in 0..50 {
                assert_eq!(verify(&channel, good.clone(), 0).await.unwrap().outcome(), Outcome::Valid);
            }
        } else {
            // Together they fill it: what a proxy has to keep from its callers.
            let refused_once = async {
                while verify(&channel, good.clone(), 0).await.is_ok() {
                    tokio::task::yield_now().await;
                }
            };
            tokio::time::timeout(PATIENCE, refused_once).await.unwrap();
        }
        drop((held, channel));
        running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_above_the_share_of_its_network_is_closed() {
    let (chain, receipts) = chain();
    let running = Running::start(&chain, &ServeOptions { caller_connections_max: 1, ..ServeOptions::default() }).await;
    let from = async |address: &str| {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind(format!("{address}:0").parse().unwrap()).unwrap();
        socket.connect(running.address).await.unwrap()
    };
    let kept = from("127.0.0.2").await;
    let mut closed = from("127.0.0.2").await;
    let mut bytes = Vec::new();
    let end = tokio::io::AsyncReadExt::read_to_end(&mut closed, &mut bytes);
    drop(tokio::time::timeout(PATIENCE, end).await.unwrap());
    assert!(bytes.is_empty(), "it was served");
    let answer = verify(&running.channel().await, chain.bundle(&receipts[1]).encode(), 0).await.unwrap();
    assert_eq!(answer.outcome(), Outcome::Valid, "another network");
    drop(kept);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn health_and_reflection_answer() {
    let (chain, _) = chain();
    let running = Running::start(&chain, &ServeOptions::default()).await;
    let channel = running.channel().await;
    let service = "tallystick.verifier.v1.VerifierService".to_owned();
    let answer = HealthClient::new(channel.clone()).check(HealthCheckRequest { service }).await.unwrap();
    assert_eq!(answer.into_inner().status(), ServingStatus::Serving);
    macro_rules! names_by {
        ($version:ident) => {{
            use tonic_reflection::pb::$version::server_reflection_client::ServerReflectionClient;
            use tonic_reflection::pb::$version::server_reflection_request::MessageRequest;
            use tonic_reflection::pb::$version::server_reflection_response::MessageResponse;
            let request = tonic_reflection::pb::$version::ServerReflectionRequest {
                host: String::new(),
                message_request: Some(MessageRequest::ListServices(String::new())),
            };
            let mut answers = ServerReflectionClient::new(channel.clone())
                .server_reflection_info(tokio_stream::iter([request]))
                .await
                .unwrap()
                .into_inner();
            let answer = answers.message().await.unwrap().unwrap().message_response;
            let Some(MessageResponse::ListServicesResponse(list)) = answer else { panic!("a list of services") };
            list.service.into_iter().map(|service| service.name).collect::<Vec<String>>()
        }};
    }
    // Tools know the one or the other version.
    for names in [names_by!(v1), names_by!(v1alpha)] {
        assert!(names.contains(&"tallystick.verifier.v1.VerifierService".to_owned()), "{names:?}");
        assert!(!names.iter().any(|name| name.contains("issuer") || name.contains("admin")), "{names:?}");
    }
    drop(channel);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_binary_serves_until_sigterm() {
    let (chain, receipts) = chain();
    let trust = TestFile::new("trust", chain.trust().to_text());
    let mut child = Command::new(env!("CARGO_BIN_EXE_tallystick-verifier"))
        .args(["serve", "--listen", "127.0.0.1:0", "--trust"])
        .arg(trust.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("listening on ").unwrap().to_owned();
    let channel = Channel::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap();
    let at = chain.now().get();
    let answer = verify(&channel, chain.bundle(&receipts[1]).encode(), at).await.unwrap();
    assert_eq!((answer.outcome(), answer.at_time_ms), (Outcome::Valid, at));
    drop(channel);
    assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
    let status = child.wait().unwrap();
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(status.code(), Some(0), "{said}");
    let number = receipts[1].signed.record.key.number.to_string();
    assert!(!said.contains(&number), "what was judged is not logged: {said}");
}

/// A self-signed certificate for a host until the end of a year, and its key, in files of `folder`; and the certificate, for clients.
fn certify(folder: &Path, host: &str, last_year: i32) -> (OwnFiles, String) {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec![host.to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(last_year, 12, 31);
    let own = params.self_signed(&key).unwrap().pem();
    let files = OwnFiles { certificate_chain: folder.join("cert.pem"), private_key: folder.join("key.pem") };
    durable::write(&files.private_key, key.serialize_pem().as_bytes(), FileMode::Private).unwrap();
    durable::write(&files.certificate_chain, own.as_bytes(), FileMode::Shared).unwrap();
    (files, own)
}

async fn over_tls(address: SocketAddr, own: &str) -> Result<Channel, tonic::transport::Error> {
    let trusted = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(own)).domain_name("localhost");
    Channel::from_shared(format!("https://{address}")).unwrap().tls_config(trusted)?.connect().await
}

async fn http_get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// Asks until the operator's port says it.
async fn until_said(address: SocketAddr, path: &str, expected: &str) -> String {
    let asking = async {
        loop {
            let answer = http_get(address, path).await;
            if answer.contains(expected) {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.unwrap()
}

async fn until_logged(log: &Path, expected: &str) {
    let waiting = async {
        while !std::fs::read_to_string(log).unwrap().contains(expected) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("the log does not say: {expected}"));
}

/// A process that a failed test does not leave behind.
struct EndedWithTest(Child);

impl Drop for EndedWithTest {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// It starts with a certificate that has ended, says so, and takes a new one while it runs; and none that is worse.
#[tokio::test(flavor = "multi_thread")]
async fn the_certificate_is_watched_and_replaced_while_it_serves() {
    let (chain, receipts) = chain();
    let trust = TestFile::new("trust", chain.trust().to_text());
    let folder = scratch::Directory::new();
    let log = folder.path().join("log");
    let (files, ended) = certify(folder.path(), "localhost", 2020);
    let child = Command::new(env!("CARGO_BIN_EXE_tallystick-verifier"))
        .args(["serve", "--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0", "--trust"])
        .arg(trust.path())
        .arg("--tls-cert")
        .arg(&files.certificate_chain)
        .arg("--tls-key")
        .arg(&files.private_key)
        .stdout(Stdio::piped())
        .stderr(std::fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let mut child = EndedWithTest(child);
    let mut lines = BufReader::new(child.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut address_behind =
        |word: &str| lines.next().unwrap().strip_prefix(word).unwrap().parse::<SocketAddr>().unwrap();
    let (address, operations) = (address_behind("listening on "), address_behind("metrics on "));
    let hang_up =
        || assert!(Command::new("kill").args(["-HUP", &child.0.id().to_string()]).status().unwrap().success());

    let ready = until_said(operations, "/readyz", "tls certificate ended ").await;
    assert!(ready.starts_with("HTTP/1.1 503"), "{ready}");
    let metrics = http_get(operations, "/metrics").await;
    let days_left = "\ntallystick_verifier_tls_certificate_days_left ";
    assert!(metrics.contains(&format!("{days_left}-")), "{metrics}");
    let build =
        format!("tallystick_build_info{{program=\"tallystick-verifier\",version=\"{}\"}} 1", env!("CARGO_PKG_VERSION"));
    assert!(metrics.contains(&build) && metrics.contains("process_resident_memory_bytes"), "{metrics}");
    let table = include_str!("../../docs/ops/metrics-process.md");
    assert!(table.contains(days_left.trim()), "the operators' page has the metric");
    assert!(over_tls(address, &ended).await.is_err());

    let (_, own) = certify(folder.path(), "localhost", 2050);
    hang_up();
    until_said(operations, "/readyz", "HTTP/1.1 200").await;
    let channel = over_tls(address, &own).await.unwrap();
    let good = chain.bundle(&receipts[1]).encode();
    let at = chain.now().get();
    assert_eq!(verify(&channel, good.clone(), at).await.unwrap().outcome(), Outcome::Valid);
    let call = "tallystick_grpc_call_seconds_count{method=\"tallystick.verifier.v1.VerifierService/VerifyBundle\"} 1\n";
    until_said(operations, "/metrics", call).await;

    // Worse ones stay out: of another host, ended, without its key.
    let kept = std::fs::read(&files.private_key).unwrap();
    certify(folder.path(), "elsewhere", 2050);
    hang_up();
    until_logged(&log, "holds for none of the hosts of the certificate in use (localhost)").await;
    certify(folder.path(), "localhost", 2020);
    hang_up();
    until_logged(&log, "holds a certificate that ended ").await;
    std::fs::write(&files.private_key, kept).unwrap();
    hang_up();
    until_logged(&log, "is not the key of the certificate in ").await;
    let again = over_tls(address, &own).await.unwrap();
    assert_eq!(verify(&again, good, at).await.unwrap().outcome(), Outcome::Valid);
    assert!(http_get(operations, "/readyz").await.starts_with("HTTP/1.1 200"));
    drop((channel, again));

    assert!(Command::new("kill").arg(child.0.id().to_string()).status().unwrap().success());
    let status = child.0.wait().unwrap();
    let said = std::fs::read_to_string(&log).unwrap();
    assert_eq!(status.code(), Some(0), "{said}");
    assert!(said.contains("ALARM: the TLS certificate is not valid") && said.contains("TLS files reloaded"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_asks_for_no_client_certificate() {
    let (chain, receipts) = chain();
    let folder = scratch::Directory::new();
    let (files, own) = certify(folder.path(), "localhost", 2050);
    let tls = PublicTls::load(files, Arc::new(FixedClock::new(chain.now()))).unwrap();
    let running = Running::start(&chain, &ServeOptions { tls: Some(tls), ..ServeOptions::default() }).await;
    let channel = over_tls(running.address, &own).await.unwrap();
    let answer = verify(&channel, chain.bundle(&receipts[1]).encode(), 0).await.unwrap();
    assert_eq!(answer.outcome(), Outcome::Valid);
    let plain = Channel::from_shared(format!("http://{}", running.address)).unwrap().connect().await;
    let refused = match plain {
        Ok(channel) => verify(&channel, Vec::new(), 0).await.is_err(),
        Err(_) => true,
    };
    assert!(refused, "plain text on a TLS port");
    drop(channel);
    running.stop().await;
}

#[test]
fn bad_arguments_are_named_before_anything_is_bound() {
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_tallystick-verifier")).args(arguments).output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let (chain, _) = chain();
    let trust = TestFile::new("trust", chain.trust().to_text());
    let trust = trust.path().to_str().unwrap().to_owned();
    assert_eq!(run(&["serve", "--trust", "/nowhere/at.all", "--listen", "127.0.0.1:0"]).0, 64);
    assert_eq!(run(&["serve", "--trust", &trust, "--listen", "nowhere"]).0, 64);
    assert_eq!(run(&["serve", "--trust", &trust]).0, 64);
    assert_eq!(run(&["serve", "--trust", &trust, "--listen", "127.0.0.1:0", "--tls-cert", &trust]).0, 64);
    let loose = ["serve", "--trust", &trust, "--listen", "127.0.0.1:0", "--tls-cert", &trust, "--tls-key", &trust];
    let (code, said) = run(&loose);
    assert!(code == 64 && said.contains("chmod 600"), "{said}");
    let folders = [scratch::Directory::new(), scratch::Directory::new()];
    let [own, other] = folders.each_ref().map(|folder| certify(folder.path(), "localhost", 2050).0);
    let [own, other] = [own.certificate_chain, other.private_key].map(|path| path.to_str().unwrap().to_owned());
    let foreign = ["serve", "--trust", &trust, "--listen", "127.0.0.1:0", "--tls-cert", &own, "--tls-key", &other];
    let (code, said) = run(&foreign);
    assert!(code == 64 && said.contains("is not the key of the certificate in "), "{said}");
}
