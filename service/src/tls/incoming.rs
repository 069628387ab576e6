//! The server side: accepted connections with their handshake done and their peer named, for
//! `tonic::transport::Server::serve_with_incoming_shutdown`.
//!
//! Handshakes run beside each other and within a time limit, so a silent client holds up nobody; connections are counted,
//! so a thousand silent clients do not either. A port may have several servers, each with bounds of its own for some callers: a
//! connection comes to one of them by its certificate ([`Door`]).

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::Stream;
use tonic::transport::server::Connected;

use super::{SESSION_LABEL, Session, Tls};
use crate::accept::next_with_place;
use crate::callers::{Place, Places};
use crate::identity::{IdentityError, Named, PeerIdentity, Role, read_certificate};
use crate::shutdown::{CancellationToken, TaskError};

/// Connections that a server has not taken yet.
const QUEUE: usize = 64;

/// Bounds of what strangers may occupy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IncomingLimits {
    /// Connections at once, those in their handshake included; more wait in the kernel.
    pub connections_max: usize,
    /// Of these, connections of one certificate's holder; more are closed after the handshake, so that idle ones lock nobody out.
    pub caller_connections_max: usize,
    /// How long a handshake may take.
    pub handshake_timeout: Duration,
}

impl IncomingLimits {
    /// So many connections, of which one caller has `caller_connections_max`, and never more than a quarter.
    pub fn new(connections_max: usize, caller_connections_max: usize) -> Self {
        Self {
            connections_max,
            caller_connections_max: caller_connections_max.min(connections_max / 4).max(1),
            handshake_timeout: Duration::from_secs(10),
        }
    }
}

impl Default for IncomingLimits {
    fn default() -> Self {
        Self::new(4096, 64)
    }
}

/// What every request of a connection knows about it (in its extensions).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionInfo {
    /// The other end's address.
    pub remote: SocketAddr,
    /// Whom its certificate names. The certificate itself is genuine and was valid at the handshake.
    pub peer: Result<Named, IdentityError>,
    /// What only its two ends know.
    pub session: Session,
}

/// One of a port's servers, which is for some callers.
#[derive(Debug, Clone)]
pub struct Door {
    /// Whom it is for.
    pub role: Role,
    /// Of these by registry number; `None`: all of the role.
    pub ids: Option<BTreeSet<u32>>,
    /// Connections of theirs at once. One that finds no place comes in where everybody does.
    pub places: Places,
}

impl Door {
    fn place(&self, caller: Option<&PeerIdentity>) -> Option<Place> {
        let caller = caller.filter(|caller| caller.role == self.role)?;
        let is_known = self.ids.as_ref().is_none_or(|ids| ids.contains(&caller.id));
        if is_known { self.places.try_acquire(Some(caller)) } else { None }
    }
}

/// Accepted connections. Ends when the accepting task does.
#[derive(Debug)]
pub struct Incoming {
    ready: mpsc::Receiver<TlsIo>,
}

impl Stream for Incoming {
    type Item = io::Result<TlsIo>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.ready.poll_recv(cx).map(|io| io.map(Ok))
    }
}

/// Accepts on `listener` until `stop`: the stream for the server, and the task that feeds it.
pub fn accept(
    listener: TcpListener,
    tls: Arc<Tls>,
    limits: IncomingLimits,
    stop: CancellationToken,
) -> (Incoming, impl Future<Output = Result<(), TaskError>> + Send + use<>) {
    let ([], everybody, task) = accept_at_doors(listener, tls, limits, [], stop);
    (everybody, task)
}

/// The same for a port of several servers: a stream for each door, one for everybody else, and the task that feeds them. A connection comes
/// in at the first door that is for its caller and has a place.
pub fn accept_at_doors<const DOORS: usize>(
    listener: TcpListener,
    tls: Arc<Tls>,
    limits: IncomingLimits,
    doors: [Door; DOORS],
    stop: CancellationToken,
) -> ([Incoming; DOORS], Incoming, impl Future<Output = Result<(), TaskError>> + Send + use<DOORS>) {
    let queue = || {
        let (sender, ready) = mpsc::channel(QUEUE);
        (sender, Incoming { ready })
    };
    let (everybody, rest) = queue();
    let mut open = Vec::new();
    let streams = doors.map(|door| {
        let (sender, incoming) = queue();
        open.push((door, sender));
        incoming
    });
    let ways = Arc::new(Ways { doors: open, everybody });
    let task = async move {
        tokio::select! {
            () = accept_all(listener, tls, limits, ways) => {}
            () = stop.cancelled() => {}
        }
        Ok(())
    };
    (streams, rest, task)
}

/// The servers of a port.
struct Ways {
    doors: Vec<(Door, mpsc::Sender<TlsIo>)>,
    everybody: mpsc::Sender<TlsIo>,
}

impl Ways {
    async fn hand_over(&self, mut io: TlsIo) {
        let caller = io.info.peer.as_ref().ok().map(|named| &named.identity);
        let found = self.doors.iter().find_map(|(door, sender)| Some((door.place(caller)?, sender)));
        let (place, sender) = found.map_or((None, &self.everybody), |(place, sender)| (Some(place), sender));
        io._place = place;
        // An error means that the server has stopped; the connection is dropped.
        drop(sender.send(io).await);
    }
}

async fn accept_all(listener: TcpListener, tls: Arc<Tls>, limits: IncomingLimits, ways: Arc<Ways>) {
    let permits = Arc::new(Semaphore::new(limits.connections_max));
    let callers = Places::new(limits.connections_max, limits.caller_connections_max);
    // Dropping the set, when the server stops, ends the handshakes under way.
    let mut handshakes = JoinSet::new();
    loop {
        while handshakes.try_join_next().is_some() {}
        // `None` only if the semaphore is closed, which never happens.
        let Some((stream, remote, permit)) = next_with_place(&listener, &permits).await else { return };
        let handshake = Handshake { tls: tls.clone(), remote, permit, callers: callers.clone() };
        let ways = Arc::clone(&ways);
        handshakes.spawn(async move {
            match tokio::time::timeout(limits.handshake_timeout, handshake.run(stream)).await {
                Ok(Ok(io)) => ways.hand_over(io).await,
                Ok(Err(error)) => tracing::info!(%remote, %error, "handshake refused"),
                Err(_) => tracing::info!(%remote, "handshake took too long"),
            }
        });
    }
}

struct Handshake {
    tls: Arc<Tls>,
    remote: SocketAddr,
    permit: OwnedSemaphorePermit,
    callers: Places,
}

impl Handshake {
    async fn run(self, stream: TcpStream) -> io::Result<TlsIo> {
        let stream = TlsAcceptor::from(self.tls.server_config()).accept(stream).await?;
        let certificates = stream.get_ref().1.peer_certificates().unwrap_or_default();
        let own = certificates.first().ok_or(IdentityError::Certificate);
        let peer = own.and_then(|certificate| read_certificate(certificate, self.tls.chain()));
        let caller = peer.as_ref().ok().map(|named| &named.identity);
        let share = self
            .callers
            .try_acquire(caller)
            .ok_or_else(|| io::Error::other("this caller has its share of connections"))?;
        let session = stream.get_ref().1.export_keying_material([0; 32], SESSION_LABEL, None);
        let info = ConnectionInfo { remote: self.remote, peer, session: session.map_err(io::Error::other)? };
        Ok(TlsIo { stream, info, _permit: self.permit, _share: share, _place: None })
    }
}

/// One connection after its handshake.
#[derive(Debug)]
pub struct TlsIo {
    stream: TlsStream<TcpStream>,
    info: ConnectionInfo,
    _permit: OwnedSemaphorePermit,
    _share: Place,
    /// At its door.
    _place: Option<Place>,
}

impl Connected for TlsIo {
    type ConnectInfo = ConnectionInfo;

    fn connect_info(&self) -> Self::ConnectInfo {
        self.info.clone()
    }
}

impl AsyncRead for TlsIo {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for TlsIo {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buffer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
