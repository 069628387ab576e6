//! Connections of strangers: counted, in all and from one network, and cut when they fall silent.
//!
//! Keep-alive pings make every living client say something well within the limit. TLS, if any, is done on top of this, in a time of its
//! own; a connection holds its place meanwhile.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tallystick_service::accept::next_with_place;
use tallystick_service::callers::{Network, Share, Shares};
use tallystick_service::shutdown::{CancellationToken, TaskError};
use tallystick_service::tls::PublicTls;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, Sleep};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::Connected;

use super::ServeOptions;

/// Accepted connections that the server has not taken yet.
const QUEUE: usize = 16;
/// How long a handshake may take, however much is said in it.
const HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(10);

/// Accepts until `stop`: the stream for the server, and the task that feeds it.
pub(super) fn accept(
    listener: TcpListener,
    options: &ServeOptions,
    stop: CancellationToken,
) -> (ReceiverStream<io::Result<BoundedIo>>, impl Future<Output = Result<(), TaskError>> + Send + use<>) {
    let (sender, receiver) = mpsc::channel(QUEUE);
    let places = Arc::new(Semaphore::new(options.connections_max.max(1)));
    let shares = Shares::new(usize::MAX, options.caller_connections_max.max(1));
    let idle_timeout = options.idle_timeout;
    let task = async move {
        tokio::select! {
            () = accept_all(listener, &places, &shares, idle_timeout, sender) => {}
            () = stop.cancelled() => {}
        }
        Ok(())
    };
    (ReceiverStream::new(receiver), task)
}

/// Makes TLS of connections until `stop`, each under the newest certificate: the stream for the server, and the task that feeds it.
pub(super) fn shake_hands(
    mut plain: ReceiverStream<io::Result<BoundedIo>>,
    tls: Arc<PublicTls>,
    stop: CancellationToken,
) -> (ReceiverStream<io::Result<TlsStream<BoundedIo>>>, impl Future<Output = Result<(), TaskError>> + Send + use<>) {
    let (sender, receiver) = mpsc::channel(QUEUE);
    let all = async move {
        // Dropping the set, at the stop, ends the handshakes under way.
        let mut handshakes = JoinSet::new();
        while let Some(Ok(io)) = plain.next().await {
            while handshakes.try_join_next().is_some() {}
            let (acceptor, sender) = (TlsAcceptor::from(tls.server_config()), sender.clone());
            handshakes.spawn(async move {
                let remote = io.remote;
                match tokio::time::timeout(HANDSHAKE_TIME_MAX, acceptor.accept(io)).await {
                    // An error means that the server has stopped; the connection is dropped.
                    Ok(Ok(stream)) => drop(sender.send(Ok(stream)).await),
                    Ok(Err(error)) => tracing::debug!(%remote, %error, "handshake failed"),
                    Err(_) => tracing::debug!(%remote, "handshake took too long"),
                }
            });
        }
    };
    let task = async move {
        tokio::select! {
            () = all => {}
            () = stop.cancelled() => {}
        }
        Ok(())
    };
    (ReceiverStream::new(receiver), task)
}

async fn accept_all(
    listener: TcpListener,
    places: &Arc<Semaphore>,
    shares: &Shares<Network>,
    idle_timeout: Duration,
    sender: mpsc::Sender<io::Result<BoundedIo>>,
) {
    loop {
        // `None` only if the semaphore is closed, which never happens.
        let Some((stream, remote, place)) = next_with_place(&listener, places).await else { return };
        let Some(share) = shares.try_acquire(Network::of(remote.ip()), 1) else {
            tracing::debug!(%remote, "too many connections from this network; closed");
            continue;
        };
        let io = BoundedIo::new(stream, remote, idle_timeout, (place, share));
        if sender.send(Ok(io)).await.is_err() {
            return;
        }
    }
}

/// A place among all, and one among those of the network.
type Held = (OwnedSemaphorePermit, Share<Network>);

/// A connection that holds a place, and loses it when it is silent for too long.
#[derive(Debug)]
pub(super) struct BoundedIo {
    stream: TcpStream,
    remote: SocketAddr,
    idle_timeout: Duration,
    deadline: Pin<Box<Sleep>>,
    _held: Held,
}

impl BoundedIo {
    fn new(stream: TcpStream, remote: SocketAddr, idle_timeout: Duration, held: Held) -> Self {
        let deadline = Box::pin(tokio::time::sleep(idle_timeout));
        Self { stream, remote, idle_timeout, deadline, _held: held }
    }
}

impl Connected for BoundedIo {
    type ConnectInfo = SocketAddr;

    fn connect_info(&self) -> SocketAddr {
        self.remote
    }
}

impl AsyncRead for BoundedIo {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.stream).poll_read(cx, buffer) {
            Poll::Ready(result) => {
                let deadline = Instant::now() + self.idle_timeout;
                self.deadline.as_mut().reset(deadline);
                Poll::Ready(result)
            }
            Poll::Pending => {
                ready!(self.deadline.as_mut().poll(cx));
                Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the connection was silent for too long")))
            }
        }
    }
}

impl AsyncWrite for BoundedIo {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buffer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
