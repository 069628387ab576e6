//! Real sockets and handshakes: who is slow, silent or many ends only what is his own.

use std::net::SocketAddr;

use axum::routing::get;
use http_body_util::{BodyExt as _, Empty};
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tallystick_service::clock::SystemClock;
use tallystick_service::durable::{self, FileMode};
use tallystick_service::tls::{OwnFiles, Watched as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream as ClientStream;

use super::*;

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";

struct World {
    folder: scratch::Directory,
    address: SocketAddr,
    tls: Arc<PublicTls>,
    own: CertificateDer<'static>,
    stop: CancellationToken,
    server: tokio::task::JoinHandle<io::Result<()>>,
}

fn limits() -> ServerLimits {
    let config = LimitsConfig { source_connections_per_second_max: 1000, ..LimitsConfig::default() };
    ServerLimits::new(&config, config.connections_max)
}

fn write_certificate(folder: &std::path::Path) -> (OwnFiles, CertificateDer<'static>) {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    let files = OwnFiles { certificate_chain: folder.join("public.pem"), private_key: folder.join("public.key") };
    durable::write(&files.certificate_chain, certificate.pem().as_bytes(), FileMode::Shared).unwrap();
    durable::write(&files.private_key, key.serialize_pem().as_bytes(), FileMode::Private).unwrap();
    (files, certificate.der().clone())
}

async fn world(limits: ServerLimits) -> World {
    let slow = get(|| async { tokio::time::sleep(Duration::from_secs(3600)).await });
    world_of(limits, Router::new().route("/", get(|| async { "hello" })).route("/slow", slow)).await
}

async fn world_of(limits: ServerLimits, router: Router) -> World {
    let folder = scratch::Directory::new();
    let (files, own) = write_certificate(folder.path());
    let tls = PublicTls::load(files, Arc::new(SystemClock)).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let parts = (limits, PortalMetrics::default());
    let server = tokio::spawn(serve(listener, Arc::clone(&tls), router, parts, stop.clone()));
    World { folder, address, tls, own, stop, server }
}

impl World {
    /// A TCP connection from 127.0.0.`number`: to the server another source each.
    async fn tcp(&self, number: u8) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from(([127, 0, 0, number], 0))).unwrap();
        socket.connect(self.address).await.unwrap()
    }

    async fn tls(&self, number: u8, protocol: &[u8]) -> io::Result<ClientStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.own.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let mut config = builder.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![protocol.to_vec()];
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, self.tcp(number).await).await
    }

    /// Connects until the server has room: it notices the end of a connection in its own time.
    async fn until_served(&self, number: u8) {
        let trying = async {
            loop {
                if let Ok(mut stream) = self.tls(number, b"http/1.1").await
                    && answers(&mut stream).await
                {
                    return;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(60), trying).await.expect("room in time");
    }
}

/// One request on an open connection; `false` if the server has closed it.
async fn answers(stream: &mut ClientStream<TcpStream>) -> bool {
    if stream.write_all(REQUEST).await.is_err() || stream.flush().await.is_err() {
        return false;
    }
    let mut answer = [0; 4096];
    let read = stream.read(&mut answer).await.unwrap_or(0);
    answer[..read].starts_with(b"HTTP/1.1 200")
}

#[tokio::test]
async fn both_versions_of_http_are_spoken_and_no_other() {
    let world = world(limits()).await;
    assert!(answers(&mut world.tls(1, b"http/1.1").await.unwrap()).await);
    let stream = world.tls(1, b"h2").await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    let speaking = tokio::spawn(connection);
    let request = http::Request::get("https://localhost/").body(Empty::<bytes::Bytes>::new()).unwrap();
    let answer = sender.send_request(request).await.unwrap();
    assert_eq!(answer.version(), http::Version::HTTP_2);
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "hello");
    drop(sender);
    speaking.await.unwrap().unwrap();
    assert!(world.tls(1, b"http/1.0").await.is_err(), "no protocol in common");
    let mut plain = world.tcp(1).await;
    plain.write_all(REQUEST).await.unwrap();
    let mut said = Vec::new();
    let _ = plain.read_to_end(&mut said).await;
    assert!(!said.starts_with(b"HTTP"), "nothing is said without TLS");
}

#[tokio::test]
async fn a_source_has_its_share_and_gets_it_back() {
    let world = world(ServerLimits { source_connections_max: 2, source_rate: 100_000, ..limits() }).await;
    let mut first = world.tls(1, b"http/1.1").await.unwrap();
    let mut second = world.tls(1, b"http/1.1").await.unwrap();
    assert!(answers(&mut first).await && answers(&mut second).await);
    assert!(world.tls(1, b"http/1.1").await.is_err(), "above its share");
    assert!(answers(&mut world.tls(2, b"http/1.1").await.unwrap()).await, "another source");
    assert!(answers(&mut first).await, "the others go on");
    drop(second);
    world.until_served(1).await;
}

#[tokio::test]
async fn all_sources_together_have_a_bound() {
    let world = world(ServerLimits { connections_max: 2, source_rate: 100_000, rate: 100_000, ..limits() }).await;
    let mut held = Vec::new();
    for number in 1..=2 {
        let mut stream = world.tls(number, b"http/1.1").await.unwrap();
        assert!(answers(&mut stream).await, "{number}");
        held.push(stream);
    }
    assert!(world.tls(3, b"http/1.1").await.is_err());
    held.clear();
    world.until_served(3).await;
}

#[tokio::test]
async fn a_flood_of_one_source_leaves_the_others_alone() {
    let world = world(ServerLimits { source_connections_max: 8, source_rate: 1, ..limits() }).await;
    let mut flood = Vec::new();
    for _ in 0..500 {
        flood.push(world.tcp(1).await);
    }
    // Its burst is 8 connections, then one a second, its share 8: whatever it holds open, the next source is served.
    assert!(answers(&mut world.tls(2, b"http/1.1").await.unwrap()).await);
    drop(flood);
    assert!(world.tls(1, b"http/1.1").await.is_err(), "it has used up its rate");
}

#[tokio::test]
async fn who_says_nothing_or_half_is_not_waited_for() {
    let short = Duration::from_millis(50);
    let without_handshake = world(ServerLimits { handshake: short, ..limits() }).await;
    let mut silent = without_handshake.tcp(1).await;
    assert_eq!(silent.read(&mut [0; 1]).await.unwrap_or(0), 0, "no handshake");
    let mut half = without_handshake.tcp(1).await;
    half.write_all(&[0x16, 0x03, 0x01, 0x02, 0x00, 0x01]).await.unwrap();
    assert_eq!(half.read(&mut [0; 1]).await.unwrap_or(0), 0, "half a handshake");
    let without_header = world(ServerLimits { header: short, ..limits() }).await;
    for said in ["", "GET / HT", "GET / HTTP/1.1\r\nhost: x\r\n"] {
        let mut stream = without_header.tls(1, b"http/1.1").await.unwrap();
        stream.write_all(said.as_bytes()).await.unwrap();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
        assert!(!rest.starts_with(b"HTTP/1.1 200"), "{said:?}");
    }
}

#[tokio::test]
async fn a_connection_ends_after_its_life_in_either_version() {
    let world = world(ServerLimits { life: Duration::from_millis(50), ..limits() }).await;
    for protocol in [&b"http/1.1"[..], b"h2"] {
        let mut stream = world.tls(1, protocol).await.unwrap();
        if protocol == b"h2" {
            // The preface, an empty SETTINGS, and the beginning of a header that never ends.
            stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0\0\0\x05\x01\0").await.unwrap();
        }
        let mut rest = Vec::new();
        // It is over when the stream is, with or without a last word.
        let _ = stream.read_to_end(&mut rest).await;
        assert!(!rest.starts_with(b"HTTP/1.1 200"));
    }
}

#[tokio::test]
async fn headers_without_end_are_refused() {
    let world = world(limits()).await;
    let mut stream = world.tls(1, b"http/1.1").await.unwrap();
    let long = format!("GET / HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "y".repeat(64 * 1024));
    let _ = stream.write_all(long.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP/1.1 200"), "{:?}", String::from_utf8_lossy(&answer));
}

#[tokio::test]
async fn a_new_certificate_is_shown_without_a_restart() {
    let mut world = world(limits()).await;
    assert!(answers(&mut world.tls(1, b"http/1.1").await.unwrap()).await);
    let (_, new) = write_certificate(world.folder.path());
    assert!(world.tls.reload().unwrap());
    assert!(world.tls(1, b"http/1.1").await.is_err(), "the old one is not shown any more");
    world.own = new;
    assert!(answers(&mut world.tls(1, b"http/1.1").await.unwrap()).await);
    assert!(!world.tls.reload().unwrap(), "nothing has changed");
    std::fs::write(world.folder.path().join("public.pem"), "no certificate").unwrap();
    assert!(world.tls.reload().is_err());
    assert!(answers(&mut world.tls(1, b"http/1.1").await.unwrap()).await, "the one in use stays");
}

#[tokio::test]
async fn the_stop_waits_for_nobody() {
    let world = world(limits()).await;
    let _silent = world.tcp(1).await;
    let mut slow = world.tls(1, b"http/1.1").await.unwrap();
    slow.write_all(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut live = world.tls(1, b"http/1.1").await.unwrap();
    assert!(answers(&mut live).await);
    world.stop.cancel();
    world.server.await.unwrap().unwrap();
    assert!(TcpStream::connect(world.address).await.is_err());
}

/// The bytes of a file of the page, and what they are like as brotli.
fn page() -> (Vec<u8>, Vec<u8>) {
    let policy = "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'\">";
    let page = format!("{policy}{}", "有效 in force ".repeat(1000)).into_bytes();
    let mut brotli = Vec::new();
    brotli::BrotliCompress(&mut &page[..], &mut brotli, &brotli::enc::BrotliEncoderParams::default()).unwrap();
    (page, brotli)
}

/// A server for a folder with the page alone. `brotli`: whether it lies beside it.
async fn world_of_page(has_brotli: bool) -> World {
    let folder = scratch::Directory::new();
    std::fs::create_dir(folder.path().join("hosted")).unwrap();
    let (page, brotli) = page();
    std::fs::write(folder.path().join("hosted/index.html"), &page).unwrap();
    let sums = format!("{}  hosted/index.html\n", receipt_core::hash::sha256(&[&page]));
    std::fs::write(folder.path().join("SHA256SUMS"), sums).unwrap();
    if has_brotli {
        std::fs::write(folder.path().join("hosted/index.html.br"), brotli).unwrap();
    }
    let files = Arc::new(crate::files::Files::read(folder.path()).unwrap());
    let router = Router::new()
        .fallback(move |request: axum::extract::Request| async move { crate::router::found(&files, None, &request) });
    world_of(limits(), router).await
}

/// What a server sends to one request, by its header's end.
async fn sent(world: &World, method: &str, headers: &str) -> (String, Vec<u8>) {
    let mut stream = world.tls(1, b"http/1.1").await.unwrap();
    let request = format!("{method} / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    stream.flush().await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    (String::from_utf8(answer[..end + 2].to_vec()).unwrap(), answer[end + 4..].to_vec())
}

fn value<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

fn unpacked(coding: Option<&str>, body: &[u8]) -> Vec<u8> {
    let mut reader: Box<dyn io::Read + '_> = match coding {
        None => Box::new(body),
        Some("br") => Box::new(brotli::Decompressor::new(body, 4096)),
        Some("gzip") => Box::new(flate2::read::GzDecoder::new(body)),
        Some(other) => panic!("{other}"),
    };
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).unwrap();
    bytes
}

/// The lines of a header in an order of their own, without the time.
fn lines(head: &str) -> std::collections::BTreeSet<&str> {
    head.lines().filter(|line| !line.starts_with("date")).collect()
}

#[tokio::test]
async fn the_page_goes_in_the_shortest_form_that_is_taken() {
    let (page, brotli) = page();
    for has_brotli in [true, false] {
        let world = world_of_page(has_brotli).await;
        let shortest = if has_brotli { "br" } else { "gzip" };
        let mut etags = std::collections::BTreeSet::new();
        for (headers, expected) in [
            ("accept-encoding: gzip, deflate, br, zstd\r\n", Some(shortest)),
            ("accept-encoding: gzip\r\naccept-encoding: br\r\n", Some(shortest)),
            ("accept-encoding: *\r\n", Some(shortest)),
            ("accept-encoding: br;q=0, gzip;q=0.1\r\n", Some("gzip")),
            ("accept-encoding: br;q=0, *;q=0\r\n", None),
            ("accept-encoding: identity, br;q=0.9, gzip;q=0.9\r\n", None),
            ("accept-encoding: deflate;q=1;q=1, br;q=7, \u{ff}\r\n", None),
            ("accept-encoding:\r\n", None),
            ("range: bytes=0-9\r\n", None),
            ("", None),
        ] {
            let (head, body) = sent(&world, "GET", headers).await;
            assert!(head.starts_with("HTTP/1.1 200 "), "{headers}{head}");
            let coding = value(&head, "content-encoding");
            assert_eq!(coding, expected, "{headers}");
            assert!(unpacked(coding, &body) == page, "{headers}");
            assert_eq!(value(&head, "vary"), Some("accept-encoding"));
            assert_eq!(value(&head, "content-length"), Some(body.len().to_string().as_str()), "{headers}");
            assert!(coding != Some("br") || body == brotli, "as it lies there");

            // Of a HEAD the same but the bytes.
            let (of_head, nothing) = sent(&world, "HEAD", headers).await;
            assert_eq!((lines(&of_head), nothing.len()), (lines(&head), 0), "{headers}");

            // Who has it in this form is not sent it again, and has it in no other.
            let etag = value(&head, "etag").unwrap().to_owned();
            let (again, nothing) = sent(&world, "GET", &format!("{headers}if-none-match: {etag}\r\n")).await;
            assert!(again.starts_with("HTTP/1.1 304 ") && nothing.is_empty(), "{headers}{again}");
            assert_eq!((value(&again, "etag"), value(&again, "vary")), (Some(&*etag), Some("accept-encoding")));
            etags.insert((coding.map(str::to_owned), etag));
        }
        assert_eq!(etags.len(), if has_brotli { 3 } else { 2 }, "one for each form: {etags:?}");
    }
}
