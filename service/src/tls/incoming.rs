//! The server side: accepted connections with their handshake done and their peer named, for
//! `tonic::transport::Server::serve_with_incoming_shutdown`.
//!
//! Handshakes run beside each other and within a time limit, so a silent client holds up nobody; connections are counted,
//! so a thousand silent clients do not either.

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
use crate::identity::{IdentityError, Named, read_certificate};
use crate::shutdown::{CancellationToken, TaskError};

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
    let (sender, ready) = mpsc::channel(64);
    let task = async move {
        tokio::select! {
            () = accept_all(listener, tls, limits, sender) => {}
            () = stop.cancelled() => {}
        }
        Ok(())
    };
    (Incoming { ready }, task)
}

async fn accept_all(listener: TcpListener, tls: Arc<Tls>, limits: IncomingLimits, sender: mpsc::Sender<TlsIo>) {
    let permits = Arc::new(Semaphore::new(limits.connections_max));
    let callers = Places::new(limits.connections_max, limits.caller_connections_max);
    // Dropping the set, when the server stops, ends the handshakes under way.
    let mut handshakes = JoinSet::new();
    loop {
        while handshakes.try_join_next().is_some() {}
        // `None` only if the semaphore is closed, which never happens.
        let Some((stream, remote, permit)) = next_with_place(&listener, &permits).await else { return };
        let handshake = Handshake { tls: tls.clone(), remote, permit, callers: callers.clone() };
        let sender = sender.clone();
        handshakes.spawn(async move {
            match tokio::time::timeout(limits.handshake_timeout, handshake.run(stream)).await {
                // An error means that the server has stopped; the connection is dropped.
                Ok(Ok(io)) => drop(sender.send(io).await),
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
        Ok(TlsIo { stream, info, _permit: self.permit, _share: share })
    }
}

/// One connection after its handshake.
#[derive(Debug)]
pub struct TlsIo {
    stream: TlsStream<TcpStream>,
    info: ConnectionInfo,
    _permit: OwnedSemaphorePermit,
    _share: Place,
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
