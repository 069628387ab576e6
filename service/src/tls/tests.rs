//! Real handshakes over loopback, against a server with the authorization layer.

use std::error::Error as _;
use std::net::SocketAddr;

use receipt_core::ids::UnixMillis;
use rustls::pki_types::ServerName;
use tallystick_proto::errors::Refusal;
use tallystick_proto::peer::v1::GetCosignaturesRequest;
use tallystick_proto::peer::v1::peer_service_client::PeerServiceClient;
use tallystick_proto::verifier::v1::verifier_service_client::VerifierServiceClient;
use tallystick_proto::verifier::v1::verifier_service_server::{VerifierService, VerifierServiceServer};
use tallystick_proto::verifier::v1::{VerifyBundleRequest, VerifyBundleResponse};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio_stream::StreamExt as _;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Code, Request, Response, Status};

use super::*;
use crate::authorization::AuthorizationLayer;
use crate::callers::Places;
use crate::clock::FixedClock;
use crate::identity::Role;
use crate::metrics::Readiness;
use crate::request_id::{REQUEST_ID_HEADER, RequestIdLayer};
use crate::rng::SeededEntropy;
use crate::testing::{Authority, Leaf, VALID_FROM, VALID_UNTIL};

mod files;

const NOW: u64 = 1_800_000_000_000;
const SERVER: &str = "tallystick://demo/validator/1";
const SYSTEM: &str = "tallystick://demo/system/17";

/// Answers with the caller's name.
struct WhoAmI;

#[tonic::async_trait]
impl VerifierService for WhoAmI {
    async fn verify_bundle(
        &self,
        request: Request<VerifyBundleRequest>,
    ) -> Result<Response<VerifyBundleResponse>, Status> {
        let extensions = request.extensions();
        let message = match request.get_ref().bundle.as_ref() {
            b"session" => format!("{:?}", extensions.get::<ConnectionInfo>().unwrap().session),
            _ => extensions.get::<PeerIdentity>().unwrap().to_string(),
        };
        Ok(Response::new(VerifyBundleResponse { message, ..VerifyBundleResponse::default() }))
    }
}

struct World {
    dir: scratch::Directory,
    authority: Authority,
    clock: Arc<FixedClock>,
    server: Arc<Tls>,
    address: SocketAddr,
    stop: CancellationToken,
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// A server under `tls` on a port of its own.
async fn serve(
    tls: &Arc<Tls>,
    clock: &Arc<FixedClock>,
    limits: IncomingLimits,
    stop: &CancellationToken,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (incoming, acceptor) = accept(listener, tls.clone(), limits, stop.clone());
    tokio::spawn(acceptor);
    let serve = Server::builder()
        .layer(RequestIdLayer::new(&SeededEntropy::new(1)).unwrap())
        .layer(AuthorizationLayer::new(clock.clone()))
        .add_service(VerifierServiceServer::new(WhoAmI))
        .serve_with_incoming_shutdown(incoming, stop.clone().cancelled_owned());
    tokio::spawn(serve);
    address
}

fn chain() -> ChainName {
    ChainName::parse("demo").unwrap()
}

impl World {
    async fn new() -> Self {
        Self::with(&Leaf::new(SERVER), IncomingLimits::default()).await
    }

    async fn with(leaf: &Leaf<'_>, limits: IncomingLimits) -> Self {
        let dir = scratch::Directory::new();
        let authority = Authority::new();
        let clock = Arc::new(FixedClock::new(UnixMillis::new(NOW)));
        let files = authority.certify(&dir.path().join("server"), leaf);
        let server = Tls::load(files, chain(), clock.clone()).unwrap();
        let stop = CancellationToken::new();
        let address = serve(&server, &clock, limits, &stop).await;
        Self { dir, authority, clock, server, address, stop }
    }

    fn client(&self, authority: &Authority, leaf: &Leaf<'_>) -> Arc<Tls> {
        let files = authority.certify(&self.dir.path().join("client"), leaf);
        Tls::load(files, chain(), self.clock.clone()).unwrap()
    }

    fn channel(&self, tls: &Arc<Tls>, role: Role, id: Option<u32>) -> Channel {
        let config = ChannelConfig::new(self.address.to_string(), ExpectedPeer { role, id });
        connect_lazy(tls, &config).unwrap()
    }

    /// A channel of a client that keeps none of our rules.
    fn raw_channel(&self, config: ClientConfig) -> Channel {
        let (address, config) = (self.address, Arc::new(config));
        let connector = tower::service_fn(move |_: http::Uri| {
            let config = config.clone();
            async move {
                let stream = TcpStream::connect(address).await?;
                let name = ServerName::try_from("127.0.0.1").unwrap();
                let stream = tokio_rustls::TlsConnector::from(config).connect(name, stream).await?;
                Ok::<_, std::io::Error>(hyper_util::rt::TokioIo::new(stream))
            }
        });
        Endpoint::from_static("http://server").connect_with_connector_lazy(connector)
    }
}

async fn who_am_i(channel: &Channel) -> Result<String, Status> {
    let mut client = VerifierServiceClient::new(channel.clone());
    client.verify_bundle(VerifyBundleRequest::default()).await.map(|response| response.into_inner().message)
}

/// The whole chain of causes: what the TLS library said stands at its end.
fn causes(status: &Status) -> String {
    let mut text = status.to_string();
    let mut cause = status.source();
    while let Some(error) = cause {
        text = format!("{text}; {error}");
        cause = error.source();
    }
    text
}

#[tokio::test]
async fn a_valid_certificate_names_its_holder_to_the_method() {
    let world = World::new().await;
    let tls = world.client(&world.authority, &Leaf::new(SYSTEM));
    assert_eq!(tls.identity().to_string(), SYSTEM);
    let channel = world.channel(&tls, Role::Validator, Some(1));
    assert_eq!(who_am_i(&channel).await.unwrap(), SYSTEM);
}

/// A signature over it is good for this connection alone.
#[tokio::test]
async fn both_ends_of_a_connection_know_its_session_and_no_two_have_the_same() {
    let world = World::new().await;
    let tls = world.client(&world.authority, &Leaf::new(SYSTEM));
    let mut seen = vec![[0; 32]];
    for _ in 0..3 {
        let config = ChannelConfig::new(world.address.to_string(), ExpectedPeer { role: Role::Validator, id: Some(1) });
        let (channel, session) = connect_lazy_with_session(&tls, &config).unwrap();
        let request = VerifyBundleRequest { bundle: b"session".as_slice().into(), ..VerifyBundleRequest::default() };
        let answer = VerifierServiceClient::new(channel).verify_bundle(request).await.unwrap();
        let own = *session.borrow();
        assert_eq!(answer.into_inner().message, format!("{own:?}"));
        assert!(!seen.contains(&own));
        seen.push(own);
    }
}

#[tokio::test]
async fn every_answer_carries_a_request_id() {
    let world = World::new().await;
    let tls = world.client(&world.authority, &Leaf::new(SYSTEM));
    let mut client = VerifierServiceClient::new(world.channel(&tls, Role::Validator, None));
    let answer = client.verify_bundle(VerifyBundleRequest::default()).await.unwrap();
    assert!(answer.metadata().get(REQUEST_ID_HEADER.as_str()).is_some());
}

#[tokio::test]
async fn a_wrong_role_is_refused_with_a_reason() {
    let world = World::new().await;
    let tls = world.client(&world.authority, &Leaf::new(SYSTEM));
    let mut client = PeerServiceClient::new(world.channel(&tls, Role::Validator, None));
    let status = client.get_cosignatures(GetCosignaturesRequest::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
    assert_eq!(Refusal::from_status(&status).unwrap().reason.as_str(), "NOT_PERMITTED");
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_is_refused() {
    let world = World::new().await;
    let files = Authority::new().certify(&world.dir.path().join("client"), &Leaf::new(SYSTEM));
    // It trusts the server, and only the server does not trust it.
    std::fs::copy(world.dir.path().join("server/ca.pem"), &files.authorities).unwrap();
    let tls = Tls::load(files, chain(), world.clock.clone()).unwrap();
    let status = who_am_i(&world.channel(&tls, Role::Validator, None)).await.unwrap_err();
    assert!(causes(&status).contains("UnknownCA"), "{}", causes(&status));
}

#[tokio::test]
async fn an_expired_or_future_certificate_is_refused() {
    let world = World::new().await;
    let now = i64::try_from(NOW / 1000).unwrap();
    // TLS has one alert for both.
    for valid in [(now - 100, now - 1), (now + 1, now + 100)] {
        let tls = world.client(&world.authority, &Leaf { valid, ..Leaf::new(SYSTEM) });
        let status = who_am_i(&world.channel(&tls, Role::Validator, None)).await.unwrap_err();
        assert!(causes(&status).contains("CertificateExpired"), "{}", causes(&status));
    }
}

#[tokio::test]
async fn a_client_without_certificate_is_refused() {
    let world = World::new().await;
    let mut config = ClientConfig::clone(&world.client(&world.authority, &Leaf::new(SYSTEM)).client_config());
    config.client_auth_cert_resolver = Arc::new(NoCertificate);
    let status = who_am_i(&world.raw_channel(config)).await.unwrap_err();
    assert!(causes(&status).contains("CertificateRequired"), "{}", causes(&status));
}

#[derive(Debug)]
struct NoCertificate;

impl rustls::client::ResolvesClientCert for NoCertificate {
    fn resolve(&self, _: &[&[u8]], _: &[rustls::SignatureScheme]) -> Option<Arc<rustls::sign::CertifiedKey>> {
        None
    }

    fn has_certs(&self) -> bool {
        false
    }
}

#[tokio::test]
async fn a_genuine_certificate_that_names_nobody_here_is_not_authenticated() {
    let world = World::new().await;
    for uri in ["tallystick://other/system/17", "https://example.org/", "tallystick://demo/king/1"] {
        let files = world.authority.certify(&world.dir.path().join("client"), &Leaf::new(uri));
        assert!(matches!(Tls::load(files.clone(), chain(), world.clock.clone()), Err(TlsError::Identity { .. })));
        // Our own client would not even load it; another one might.
        let pems = Pems::read(&files).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(certificates(&files.authorities, &pems.authorities).unwrap().remove(0)).unwrap();
        let Own { certificates, key } = pems.own.own(&files.own()).unwrap();
        let parts = Parts { certificates, key, roots: Arc::new(roots), clock: world.clock.clone() };
        let status = who_am_i(&world.raw_channel(parts.client().unwrap())).await.unwrap_err();
        assert_eq!(status.code(), Code::Unauthenticated, "{uri}");
        assert_eq!(Refusal::from_status(&status).unwrap().reason.as_str(), "NOT_AUTHENTICATED");
    }
}

#[tokio::test]
async fn a_certificate_that_expires_during_the_connection_is_refused_at_the_next_request() {
    let world = World::new().await;
    let tls = world.client(&world.authority, &Leaf::new(SYSTEM));
    let channel = world.channel(&tls, Role::Validator, None);
    who_am_i(&channel).await.unwrap();
    world.clock.set(UnixMillis::new(u64::try_from(VALID_UNTIL + 1).unwrap() * 1000));
    let status = who_am_i(&channel).await.unwrap_err();
    assert_eq!(Refusal::from_status(&status).unwrap().reason.as_str(), "NOT_AUTHENTICATED");
}

#[tokio::test]
async fn a_client_refuses_a_server_of_another_name() {
    let world = World::new().await;
    let tls = world.client(&world.authority, &Leaf::new(SYSTEM));
    for (role, id) in [(Role::Issuer, None), (Role::Validator, Some(2))] {
        let status = who_am_i(&world.channel(&tls, role, id)).await.unwrap_err();
        assert!(causes(&status).contains("is tallystick://demo/validator/1, not"), "{}", causes(&status));
    }
}

#[tokio::test]
async fn a_client_refuses_an_expired_server() {
    let expired = i64::try_from(NOW / 1000).unwrap() - 1;
    let leaf = Leaf { valid: (expired - 100, expired), ..Leaf::new(SERVER) };
    let world = World::with(&leaf, IncomingLimits::default()).await;
    let tls = world.client(&world.authority, &Leaf::new(SYSTEM));
    let status = who_am_i(&world.channel(&tls, Role::Validator, None)).await.unwrap_err();
    assert!(causes(&status).contains("certificate expired"), "{}", causes(&status));
}

#[tokio::test]
async fn replaced_certificates_are_used_for_new_connections_without_a_restart() {
    let world = World::new().await;
    let tls = world.client(&world.authority, &Leaf::new(SYSTEM));
    let old = world.channel(&tls, Role::Validator, Some(1));
    who_am_i(&old).await.unwrap();

    // Both sides move to another authority.
    let other = Authority::new();
    other.certify(&world.dir.path().join("server"), &Leaf::new(SERVER));
    assert!(world.server.reload().unwrap());
    assert!(!world.server.reload().unwrap(), "unchanged files are not a change");
    let stranger = who_am_i(&world.channel(&tls, Role::Validator, None)).await.unwrap_err();
    assert!(causes(&stranger).contains("UnknownIssuer"), "{}", causes(&stranger));
    other.certify(&world.dir.path().join("client"), &Leaf::new(SYSTEM));
    assert!(tls.reload().unwrap());
    let new = world.channel(&tls, Role::Validator, Some(1));
    assert_eq!(who_am_i(&new).await.unwrap(), SYSTEM);

    assert_eq!(who_am_i(&old).await.unwrap(), SYSTEM, "a standing connection goes on");
}

/// In seconds since the epoch.
fn now_seconds() -> i64 {
    i64::try_from(NOW / 1000).unwrap()
}

#[tokio::test]
async fn a_good_certificate_is_not_replaced_by_anothers_or_by_one_that_is_not_valid() {
    let world = World::new().await;
    let server = world.dir.path().join("server");
    let ended = (now_seconds() - 100, now_seconds() - 1);
    let future = (now_seconds() + 1, now_seconds() + 100);
    for (uri, valid, expected) in [
        ("tallystick://demo/validator/2", (VALID_FROM, VALID_UNTIL), "this process is tallystick://demo/validator/1"),
        ("tallystick://demo/issuer/1", (VALID_FROM, VALID_UNTIL), "this process is tallystick://demo/validator/1"),
        (SERVER, ended, "ended 0 d 0 h ago, the one in use is valid"),
        (SERVER, future, "is not valid yet"),
    ] {
        world.authority.certify(&server, &Leaf { valid, ..Leaf::new(uri) });
        let refused = world.server.reload().unwrap_err().to_string();
        assert!(refused.contains(expected) && refused.contains("cert.pem"), "{refused}");
        assert_eq!(world.server.identity().to_string(), SERVER);
        assert!(world.server.validity().is_valid());
    }
    // The certificate in use ends; one that is valid is taken, and so is another that has ended: neither is worse.
    world.clock.set(UnixMillis::new(u64::try_from(VALID_UNTIL + 1).unwrap() * 1000));
    world.authority.certify(&server, &Leaf { valid: ended, ..Leaf::new(SERVER) });
    assert!(world.server.reload().unwrap());
    world.authority.certify(&server, &Leaf { valid: (VALID_UNTIL, VALID_UNTIL + 100), ..Leaf::new(SERVER) });
    assert!(world.server.reload().unwrap());
    assert!(world.server.validity().is_valid());
}

#[tokio::test]
async fn a_start_with_an_ended_certificate_is_not_ready_until_a_new_one_is_there() {
    let leaf = Leaf { valid: (now_seconds() - 100, now_seconds() - 1), ..Leaf::new(SERVER) };
    let world = World::with(&leaf, IncomingLimits::default()).await;
    let (stop, readiness, days_left) = (CancellationToken::new(), Readiness::new(), DaysLeft::default());
    let watch = CertificateWatch {
        interval: Duration::from_millis(1),
        ready: readiness.part("tls"),
        days_left: days_left.clone(),
    };
    let watch = tokio::spawn(world.server.clone().watch(watch, stop.clone()));
    while !readiness.to_string().contains("tls certificate ended 0 d 0 h ago; put a new one in its place") {
        tokio::task::yield_now().await;
    }
    assert!(days_left.get() < 0.0, "{}", days_left.get());
    world.authority.certify(&world.dir.path().join("server"), &Leaf::new(SERVER));
    while !readiness.is_ready() {
        tokio::task::yield_now().await;
    }
    let expected = (VALID_UNTIL - now_seconds()) as f64 / 86_400.0;
    assert!((days_left.get() - expected).abs() < 1.0, "{}", days_left.get());
    // It ends while the process runs.
    world.clock.set(UnixMillis::new(u64::try_from(VALID_UNTIL + 1).unwrap() * 1000));
    while readiness.is_ready() {
        tokio::task::yield_now().await;
    }
    stop.cancel();
    watch.await.unwrap().unwrap();
}

#[tokio::test]
async fn files_that_do_not_fit_together_leave_the_old_ones_in_use() {
    let world = World::new().await;
    let files = world.dir.path().join("server");
    let whole = std::fs::read(files.join("cert.pem")).unwrap();
    let foreign = world.authority.certify(&world.dir.path().join("elsewhere"), &Leaf::new(SERVER));
    let foreign = std::fs::read(foreign.certificate_chain).unwrap();
    for content in [b"".as_slice(), b"junk", &whole[..whole.len() / 2], &foreign] {
        std::fs::write(files.join("cert.pem"), content).unwrap();
        world.server.reload().unwrap_err();
    }
    let tls = world.client(&world.authority, &Leaf::new(SYSTEM));
    who_am_i(&world.channel(&tls, Role::Validator, Some(1))).await.unwrap();
}

#[tokio::test]
async fn a_private_key_that_others_may_read_is_refused() {
    let world = World::new().await;
    let key = world.dir.path().join("server/key.pem");
    durable::write(&key, &std::fs::read(&key).unwrap(), durable::FileMode::Shared).unwrap();
    assert!(world.server.reload().unwrap_err().to_string().contains("chmod 600"));
}

#[tokio::test]
async fn silent_clients_are_dropped_and_hold_up_nobody() {
    let limits = IncomingLimits { handshake_timeout: Duration::from_millis(50), ..IncomingLimits::new(2, 2) };
    let world = World::with(&Leaf::new(SERVER), limits).await;
    let mut silent = Vec::new();
    for _ in 0..2 {
        silent.push(TcpStream::connect(world.address).await.unwrap());
    }
    let tls = world.client(&world.authority, &Leaf::new(SYSTEM));
    who_am_i(&world.channel(&tls, Role::Validator, None)).await.unwrap();
    for mut stream in silent {
        assert_eq!(stream.read(&mut [0; 1]).await.unwrap(), 0, "still open");
    }
}

#[tokio::test]
async fn one_caller_s_idle_connections_leave_room_for_others() {
    let world = World::with(&Leaf::new(SERVER), IncomingLimits::new(16, 64)).await;
    let first = world.client(&world.authority, &Leaf::new(SYSTEM));
    let mut idle = Vec::new();
    for _ in 0..4 {
        let channel = world.channel(&first, Role::Validator, None);
        who_am_i(&channel).await.unwrap();
        idle.push(channel);
    }
    who_am_i(&world.channel(&first, Role::Validator, None)).await.unwrap_err();
    let second = world.client(&world.authority, &Leaf::new("tallystick://demo/system/18"));
    who_am_i(&world.channel(&second, Role::Validator, None)).await.unwrap();
    who_am_i(&idle[0]).await.unwrap();
}

/// A port of several servers: of a peer two connections come to the first, of issuers one to the second, everything else to the third.
#[tokio::test]
async fn a_connection_comes_in_at_the_door_of_its_caller_while_that_has_places() {
    let world = World::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let doors = [
        Door { role: Role::Validator, ids: Some([2, 3].into()), places: Places::new(3, 2) },
        Door { role: Role::Issuer, ids: None, places: Places::new(1, 1) },
    ];
    let limits = IncomingLimits::default();
    let ([mut peers, mut issuers], mut others, accepting) =
        accept_at_doors(listener, world.server.clone(), limits, doors, world.stop.clone());
    tokio::spawn(accepting);
    let (peer, other_peer, issuer) =
        ("tallystick://demo/validator/2", "tallystick://demo/validator/3", "tallystick://demo/issuer/7");
    let mut kept = Vec::new();
    for (who, door) in [
        (peer, "peers"),
        (peer, "peers"),
        (peer, "others"),
        (other_peer, "peers"),
        (other_peer, "others"),
        // Nobody's peer, so that it takes no place of theirs.
        ("tallystick://demo/validator/9", "others"),
        (issuer, "issuers"),
        ("tallystick://demo/issuer/8", "others"),
        (SYSTEM, "others"),
        // Of another chain.
        ("tallystick://test/validator/2", "others"),
        // The first issuer's is gone.
        (issuer, "issuers"),
    ] {
        if kept.len() == 10 {
            drop(kept.remove(6));
        }
        let files = world.authority.certify(&world.dir.path().join("client"), &Leaf::new(who));
        let name = ChainName::parse(who.split('/').nth(2).unwrap()).unwrap();
        let tls = Tls::load(files, name, world.clock.clone()).unwrap();
        let stream = TcpStream::connect(address).await.unwrap();
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let stream = tokio_rustls::TlsConnector::from(tls.client_config()).connect(name, stream).await.unwrap();
        let (came, io) = tokio::select! {
            io = peers.next() => ("peers", io),
            io = issuers.next() => ("issuers", io),
            io = others.next() => ("others", io),
        };
        assert_eq!(came, door, "{who}");
        kept.push((io, stream));
    }
}
