//! Serving HTTP/1.1 to strangers: bounded in connections, in connections of one address, and in patience.
//!
//! ```text
//! accept ─▶ counted (all, per address) ─▶ headers within a time ─▶ router ─▶ closed after its lifetime, or at the stop
//! ```
//! A connection above a bound is closed at once, without an answer: it costs a file descriptor for an instant. Invariant:
//! the server ends within [`STOP_GRACE`] of the stop, whatever clients hold open. Not here: what is served.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::time::Duration;

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::accept::next_connection;
use crate::callers::{Share, Shares};
use crate::shutdown::CancellationToken;

/// How long requests under way may take once the stop is asked for; then they are cut.
const STOP_GRACE: Duration = Duration::from_secs(1);

/// Bounds of what strangers may occupy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HttpLimits {
    /// Connections at once.
    pub connections_max: usize,
    /// Connections of one address at once.
    pub address_connections_max: usize,
    /// How long a request's header may take; also how long a connection may rest between two requests.
    pub header_timeout: Duration,
    /// How long a connection lives. A reader that takes its answer slower than this is cut.
    pub connection_time_max: Duration,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            connections_max: 256,
            address_connections_max: 64,
            header_timeout: Duration::from_secs(10),
            connection_time_max: Duration::from_secs(120),
        }
    }
}

impl HttpLimits {
    /// So many connections at once, of which one address has at most a quarter.
    pub fn of(connections_max: usize) -> Self {
        let limits = Self::default();
        let of_one = limits.address_connections_max.min(connections_max / 4).max(1);
        Self { connections_max, address_connections_max: of_one, ..limits }
    }
}

/// Who is at the other end of the connection; an extension of each request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

/// Serves `router` on `listener` until `stop`.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: HttpLimits,
    stop: CancellationToken,
) -> io::Result<()> {
    let places = Shares::new(limits.connections_max, limits.address_connections_max);
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let (stream, remote) = tokio::select! {
            next = next_connection(&listener) => next,
            () = stop.cancelled() => break,
        };
        match places.try_acquire(remote.ip(), 1) {
            Some(place) => {
                let router = router.clone().layer(Extension(ClientAddress(remote.ip())));
                connections.spawn(connection(stream, router, place, limits, stop.clone()));
            }
            None => tracing::debug!(%remote, "too many connections; this one is closed"),
        }
    }
    drop(listener);
    let ended = async { while connections.join_next().await.is_some() {} };
    // When the grace is over, dropping the set ends the connections that are left.
    let _ = tokio::time::timeout(STOP_GRACE, ended).await;
    Ok(())
}

async fn connection(
    stream: TcpStream,
    router: Router,
    _place: Share<IpAddr>,
    limits: HttpLimits,
    stop: CancellationToken,
) {
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let life = Life { time_max: limits.connection_time_max, grace: STOP_GRACE, stop: &stop };
    life.of(serving, http1::Connection::graceful_shutdown).await;
}

/// How long a connection lives.
#[derive(Debug, Clone, Copy)]
pub struct Life<'a> {
    /// So long, if neither end ends it sooner.
    pub time_max: Duration,
    /// How long a request under way at its end may still take.
    pub grace: Duration,
    /// At this it ends, too.
    pub stop: &'a CancellationToken,
}

impl Life<'_> {
    /// Serves a connection for its life. A client that breaks off or breaks the protocol ends only its own connection. `end` is the
    /// connection's `graceful_shutdown`.
    pub async fn of<C: Future>(self, connection: C, end: impl FnOnce(Pin<&mut C>)) {
        tokio::pin!(connection);
        tokio::select! {
            _ = connection.as_mut() => return,
            () = self.stop.cancelled() => {}
            () = tokio::time::sleep(self.time_max) => {}
        }
        end(connection.as_mut());
        let _ = tokio::time::timeout(self.grace, connection).await;
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";

    struct World {
        address: std::net::SocketAddr,
        stop: CancellationToken,
        server: tokio::task::JoinHandle<io::Result<()>>,
    }

    async fn world(limits: HttpLimits) -> World {
        let slow = get(|| async { tokio::time::sleep(Duration::from_secs(3600)).await });
        let router = Router::new().route("/", get(|| async { "hello" })).route("/slow", slow);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let server = tokio::spawn(serve(listener, router, limits, stop.clone()));
        World { address, stop, server }
    }

    /// One request on an open connection; `false` if the server has closed it.
    async fn answers(stream: &mut TcpStream) -> bool {
        if stream.write_all(REQUEST).await.is_err() {
            return false;
        }
        let mut answer = [0; 4096];
        let read = stream.read(&mut answer).await.unwrap_or(0);
        answer[..read].starts_with(b"HTTP/1.1 200")
    }

    async fn is_closed(stream: &mut TcpStream) -> bool {
        !matches!(stream.read(&mut [0; 1]).await, Ok(1))
    }

    #[tokio::test]
    async fn an_address_has_its_share_and_gets_it_back() {
        let world = world(HttpLimits { address_connections_max: 2, ..HttpLimits::default() }).await;
        let mut first = TcpStream::connect(world.address).await.unwrap();
        let mut second = TcpStream::connect(world.address).await.unwrap();
        assert!(answers(&mut first).await && answers(&mut second).await);
        let mut third = TcpStream::connect(world.address).await.unwrap();
        assert!(is_closed(&mut third).await);
        assert!(answers(&mut first).await, "the others go on");
        drop(second);
        // The server notices the end of a connection in its own time.
        loop {
            let mut fourth = TcpStream::connect(world.address).await.unwrap();
            if answers(&mut fourth).await {
                break;
            }
        }
    }

    #[tokio::test]
    async fn all_addresses_together_have_a_bound() {
        let world = world(HttpLimits { connections_max: 2, ..HttpLimits::default() }).await;
        let mut held = Vec::new();
        for number in 1..=2 {
            let mut stream = connect_from(number, world.address).await;
            assert!(answers(&mut stream).await, "{number}");
            held.push(stream);
        }
        assert!(is_closed(&mut connect_from(3, world.address).await).await);
    }

    /// Connects from 127.0.0.`number`: to the server another address.
    async fn connect_from(number: u8, to: std::net::SocketAddr) -> TcpStream {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind(std::net::SocketAddr::from(([127, 0, 0, number], 0))).unwrap();
        socket.connect(to).await.unwrap()
    }

    #[tokio::test]
    async fn silence_and_half_a_header_are_not_waited_for() {
        let world = world(HttpLimits { header_timeout: Duration::from_millis(20), ..HttpLimits::default() }).await;
        for said in ["", "GET / HT", "GET / HTTP/1.1\r\nhost: x\r\n"] {
            let mut stream = TcpStream::connect(world.address).await.unwrap();
            stream.write_all(said.as_bytes()).await.unwrap();
            let mut rest = Vec::new();
            let _ = stream.read_to_end(&mut rest).await;
            assert!(!rest.starts_with(b"HTTP/1.1 200"), "{said:?}");
        }
    }

    #[tokio::test]
    async fn a_connection_ends_after_its_lifetime() {
        let limits = HttpLimits { connection_time_max: Duration::from_millis(20), ..HttpLimits::default() };
        let world = world(limits).await;
        let mut stream = TcpStream::connect(world.address).await.unwrap();
        assert!(is_closed(&mut stream).await);
    }

    #[tokio::test]
    async fn the_stop_waits_for_nobody() {
        let world = world(HttpLimits::default()).await;
        let mut streams = Vec::new();
        for said in ["", "GET / HT", "GET /slow HTTP/1.1\r\nhost: x\r\n\r\n"] {
            let mut stream = TcpStream::connect(world.address).await.unwrap();
            stream.write_all(said.as_bytes()).await.unwrap();
            streams.push(stream);
        }
        let mut live = TcpStream::connect(world.address).await.unwrap();
        assert!(answers(&mut live).await);
        world.stop.cancel();
        world.server.await.unwrap().unwrap();
        assert!(TcpStream::connect(world.address).await.is_err());
    }
}
