//! The client side: a tonic channel that shows the own certificate and checks who answers.
//!
//! Tonic's own TLS client takes its certificate once, when the channel is made, and checks the server's host name only.
//! This one asks [`Tls`] at every connection, so that a replaced certificate is used without a restart, and refuses a
//! server whose certificate names another role or number: an issuer's certificate must not pass for a validator's.

use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::Uri;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::transport::{Channel, Endpoint};

use super::{ALPN_H2, SESSION_LABEL, Session, Tls};
use crate::address::host_of;
use crate::identity::{PeerIdentity, Role, read_certificate};

/// Flow-control windows, bytes: the largest answer, a block with its records and entries, must not wait for a round trip to be read on. What a
/// connection can make its client hold unread is the connection's.
const STREAM_WINDOW_BYTES: u32 = 8 * 1024 * 1024 + 256 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 16 * 1024 * 1024;

/// Whom the certificate of the other side must name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExpectedPeer {
    /// The role it must have.
    pub role: Role,
    /// The registry number it must have; `None`: any of the role.
    pub id: Option<u32>,
}

/// Where and how to connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelConfig {
    /// `host:port`. The host must stand in the server's certificate.
    pub authority: String,
    /// Whom the certificate of the other side must name.
    pub expected: ExpectedPeer,
    /// How long connecting may take, handshake included.
    pub connect_timeout: Duration,
    /// How long a call may take until its answer begins; `None`: as the call says.
    pub request_timeout: Option<Duration>,
}

impl ChannelConfig {
    /// A channel with 2 s to connect and no limit per call.
    pub fn new(authority: impl Into<String>, expected: ExpectedPeer) -> Self {
        Self { authority: authority.into(), expected, connect_timeout: Duration::from_secs(2), request_timeout: None }
    }
}

/// Why there can be no channel to an authority. (Whether somebody answers shows at the first call.)
#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    /// The address is not `host:port`.
    #[error("`{0}` is not host:port")]
    Authority(String),
}

/// A channel that connects at its first call, and again whenever the connection broke.
pub fn connect_lazy(tls: &Arc<Tls>, config: &ChannelConfig) -> Result<Channel, ChannelError> {
    connect_lazy_with_session(tls, config).map(|(channel, _)| channel)
}

/// The number in the certificate of whoever answers on a channel.
#[derive(Debug, Clone, Default)]
pub struct PeerNumber(Arc<OnceLock<u32>>);

impl PeerNumber {
    /// The number; `None` before the first connection.
    pub fn get(&self) -> Option<u32> {
        self.0.get().copied()
    }
}

/// The same, and who answers there, for a caller that counts voices: the first connection decides, and a later one to somebody else is
/// refused, so that what was said over one channel was said by one.
pub fn connect_lazy_to_one(tls: &Arc<Tls>, config: &ChannelConfig) -> Result<(Channel, PeerNumber), ChannelError> {
    let number = PeerNumber::default();
    let (channel, _) = connect(tls, config, Some(number.clone()))?;
    Ok((channel, number))
}

/// The same, and the session of its newest connection: zeros before the first. By the time that a request's body is read, the request
/// has its connection.
pub fn connect_lazy_with_session(
    tls: &Arc<Tls>,
    config: &ChannelConfig,
) -> Result<(Channel, watch::Receiver<Session>), ChannelError> {
    connect(tls, config, None)
}

fn connect(
    tls: &Arc<Tls>,
    config: &ChannelConfig,
    one: Option<PeerNumber>,
) -> Result<(Channel, watch::Receiver<Session>), ChannelError> {
    let bad = || ChannelError::Authority(config.authority.clone());
    let target = Target { one, ..Target::parse(&config.authority, config.expected).ok_or_else(bad)? };
    // The scheme given to tonic is http, because with https it would start TLS itself.
    let uri = |scheme: &str| format!("{scheme}://{}", config.authority).parse::<Uri>().map_err(|_| bad());
    let mut endpoint = Endpoint::from(uri("http")?)
        .origin(uri("https")?)
        .connect_timeout(config.connect_timeout)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .http2_keep_alive_interval(Duration::from_secs(10))
        .keep_alive_timeout(Duration::from_secs(5))
        .keep_alive_while_idle(true);
    if let Some(timeout) = config.request_timeout {
        endpoint = endpoint.timeout(timeout);
    }
    let tls = tls.clone();
    let (newest, session) = watch::channel([0; 32]);
    let newest = Arc::new(newest);
    let connector = tower::service_fn(move |_: Uri| {
        let (tls, target, newest) = (tls.clone(), target.clone(), Arc::clone(&newest));
        async move {
            let stream = target.connect(&tls).await?;
            let session = stream.get_ref().1.export_keying_material([0; 32], SESSION_LABEL, None);
            newest.send_replace(session.map_err(io::Error::other)?);
            Ok::<_, io::Error>(TokioIo::new(stream))
        }
    });
    Ok((endpoint.connect_with_connector_lazy(connector), session))
}

#[derive(Debug, Clone)]
struct Target {
    authority: String,
    name: ServerName<'static>,
    expected: ExpectedPeer,
    /// Who answered first, if nobody else may after it.
    one: Option<PeerNumber>,
}

impl Target {
    fn parse(authority: &str, expected: ExpectedPeer) -> Option<Self> {
        let name = host_of(authority)?;
        Some(Self { authority: authority.to_owned(), name, expected, one: None })
    }

    async fn connect(&self, tls: &Tls) -> io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(&self.authority).await?;
        stream.set_nodelay(true)?;
        let stream = TlsConnector::from(tls.client_config()).connect(self.name.clone(), stream).await?;
        self.check(&stream, tls).map_err(|problem| io::Error::new(io::ErrorKind::PermissionDenied, problem))?;
        Ok(stream)
    }

    fn check(&self, stream: &TlsStream<TcpStream>, tls: &Tls) -> Result<(), String> {
        let session = stream.get_ref().1;
        if session.alpn_protocol() != Some(ALPN_H2) {
            return Err(format!("{} does not speak HTTP/2", self.authority));
        }
        let certificates = session.peer_certificates().unwrap_or_default();
        let own = certificates.first().ok_or("the server showed no certificate")?;
        self.judge(&read_certificate(own, tls.chain()).map_err(|error| error.to_string())?.identity)
    }

    /// Whether this is whom the caller wants to speak with.
    fn judge(&self, found: &PeerIdentity) -> Result<(), String> {
        let ExpectedPeer { role, id } = self.expected;
        if found.role != role || id.is_some_and(|id| id != found.id) {
            let id = id.map_or_else(|| "any".to_owned(), |id| id.to_string());
            return Err(format!("{} is {found}, not {role} {id}", self.authority));
        }
        let first = self.one.as_ref().map_or(found.id, |one| *one.0.get_or_init(|| found.id));
        if first != found.id {
            return Err(format!("{} is {found} now, and was {role} {first} before", self.authority));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorities() {
        let expected = ExpectedPeer { role: Role::Validator, id: None };
        for good in ["127.0.0.1:7001", "node-1.example.org:443", "[::1]:80"] {
            assert!(Target::parse(good, expected).is_some(), "{good}");
        }
        for bad in ["", "127.0.0.1", ":80", "node:x", "node:70000", "https://node:80", "a b:80"] {
            assert!(Target::parse(bad, expected).is_none(), "{bad}");
        }
    }

    /// An address may lead to somebody else after a connection broke. What was said over one channel was said by one.
    #[test]
    fn a_channel_to_one_keeps_to_whoever_answered_first() {
        let expected = ExpectedPeer { role: Role::Validator, id: None };
        let number = PeerNumber::default();
        let target = Target { one: Some(number.clone()), ..Target::parse("node:1", expected).unwrap() };
        let of = |uri: &str| PeerIdentity::parse(&format!("tallystick://demo/{uri}")).unwrap();
        assert!(target.judge(&of("issuer/2")).is_err(), "another role");
        assert_eq!(number.get(), None);
        for _ in 0..2 {
            target.judge(&of("validator/2")).unwrap();
            assert_eq!(number.get(), Some(2));
        }
        let problem = target.judge(&of("validator/3")).unwrap_err();
        assert!(problem.contains("validator/3 now, and was validator 2 before"), "{problem}");
        // Without that wish any validator will do.
        let any = Target::parse("node:1", expected).unwrap();
        assert!(any.judge(&of("validator/2")).is_ok() && any.judge(&of("validator/3")).is_ok());
    }
}
