//! Connections of strangers: counted, and cut when they fall silent.
//!
//! Keep-alive pings make every living client say something well within the limit. TLS, if any, is done by the server on
//! top of this.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tallystick_service::accept::next_with_place;
use tallystick_service::shutdown::{CancellationToken, TaskError};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Instant, Sleep};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::Connected;

/// Accepts until `stop`: the stream for the server, and the task that feeds it.
pub(super) fn accept(
    listener: TcpListener,
    connections_max: usize,
    idle_timeout: Duration,
    stop: CancellationToken,
) -> (ReceiverStream<io::Result<BoundedIo>>, impl Future<Output = Result<(), TaskError>> + Send + use<>) {
    let (sender, receiver) = mpsc::channel(16);
    let task = async move {
        tokio::select! {
            () = accept_all(listener, connections_max, idle_timeout, sender) => {}
            () = stop.cancelled() => {}
        }
        Ok(())
    };
    (ReceiverStream::new(receiver), task)
}

async fn accept_all(
    listener: TcpListener,
    connections_max: usize,
    idle_timeout: Duration,
    sender: mpsc::Sender<io::Result<BoundedIo>>,
) {
    let permits = Arc::new(Semaphore::new(connections_max.max(1)));
    loop {
        // Never closed.
        let Some((stream, remote, permit)) = next_with_place(&listener, &permits).await else { return };
        let io = BoundedIo::new(stream, remote, idle_timeout, permit);
        if sender.send(Ok(io)).await.is_err() {
            return;
        }
    }
}

/// A connection that holds a place, and loses it when it is silent for too long.
#[derive(Debug)]
pub(super) struct BoundedIo {
    stream: TcpStream,
    remote: SocketAddr,
    idle_timeout: Duration,
    deadline: Pin<Box<Sleep>>,
    _permit: OwnedSemaphorePermit,
}

impl BoundedIo {
    fn new(stream: TcpStream, remote: SocketAddr, idle_timeout: Duration, permit: OwnedSemaphorePermit) -> Self {
        let deadline = Box::pin(tokio::time::sleep(idle_timeout));
        Self { stream, remote, idle_timeout, deadline, _permit: permit }
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
