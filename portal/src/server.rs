//! Connections of strangers: counted, in all and of one source, with their handshakes bounded in number and time, and their lives.
//!
//! ```text
//! accept ─▶ rate of the source, and of all ─▶ a place ─▶ handshake in time ─▶ HTTP/2 or HTTP/1.1 ─▶ closed after its life, or at the stop
//! ```
//! A connection above a bound is closed at once, before a handshake: it costs a file descriptor for an instant. A source is an IPv4
//! address, or the first 64 bits of an IPv6 address. Invariant: the server ends within [`STOP_GRACE`] of the stop, whatever clients hold
//! open. Not here: what is served, and how many requests are under way (`router`).

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::{Extension, Router};
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tallystick_service::accept::next_connection;
use tallystick_service::callers::{Network, Share, Shares};
use tallystick_service::http::Life;
use tallystick_service::shutdown::CancellationToken;
use tallystick_service::tls::PublicTls;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::config::LimitsConfig;
use crate::metrics::PortalMetrics;
use crate::rates::Rates;

/// How long requests under way may take once the stop is asked for; then they are cut.
const STOP_GRACE: Duration = Duration::from_secs(5);
const HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(10);
/// How long a header may take, and how long an HTTP/1.1 connection may rest between two requests.
const HEADER_TIME_MAX: Duration = Duration::from_secs(15);
/// A source may begin as many connections at once as it may in so many seconds.
const BURST_SECONDS: u32 = 8;
const HEADER_BYTES_MAX: u32 = 16 * 1024;
const HEADERS_MAX: usize = 64;
/// Requests of one HTTP/2 connection under way.
const STREAMS_MAX: u32 = 16;
/// What one of them may send before it is read: a form is smaller.
const STREAM_WINDOW_BYTES: u32 = 16 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 64 * 1024;
/// Of answers, what one stream may have waiting for a slow reader.
const SEND_BYTES_MAX: usize = 64 * 1024;
/// An HTTP/2 peer that is gone without a word is noticed.
const KEEPALIVE: Duration = Duration::from_secs(20);

/// Bounds of what strangers may occupy.
#[derive(Debug, Clone)]
pub(crate) struct ServerLimits {
    connections_max: usize,
    source_connections_max: usize,
    life: Duration,
    source_rate: u32,
    rate: u32,
    handshake: Duration,
    header: Duration,
}

impl ServerLimits {
    /// As configured, with at most so many connections as the process has files for.
    pub(crate) fn new(config: &LimitsConfig, connections_max: usize) -> Self {
        Self {
            connections_max,
            source_connections_max: config.source_connections_max.min(connections_max),
            life: Duration::from_secs(config.connection_seconds_max),
            source_rate: config.source_connections_per_second_max,
            rate: config.connections_per_second_max,
            handshake: HANDSHAKE_TIME_MAX,
            header: HEADER_TIME_MAX,
        }
    }
}

/// What every connection needs.
struct Door {
    tls: Arc<PublicTls>,
    router: Router,
    limits: ServerLimits,
    metrics: PortalMetrics,
    stop: CancellationToken,
}

/// Serves `router` on `listener` until `stop`. Each request knows its source: the extension [`Network`].
pub(crate) async fn serve(
    listener: TcpListener,
    tls: Arc<PublicTls>,
    router: Router,
    (limits, metrics): (ServerLimits, PortalMetrics),
    stop: CancellationToken,
) -> io::Result<()> {
    let places = Shares::new(limits.connections_max, limits.source_connections_max);
    let burst = limits.source_rate.saturating_mul(BURST_SECONDS);
    let rates = Rates::new((burst, Duration::from_secs(BURST_SECONDS.into())), limits.rate);
    let door = Arc::new(Door { tls, router, limits, metrics, stop });
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let (stream, remote) = tokio::select! {
            next = next_connection(&listener) => next,
            () = door.stop.cancelled() => break,
        };
        let source = Network::of(remote.ip());
        match (rates.take(source), places.try_acquire(source, 1)) {
            (Ok(()), Some(place)) => {
                connections.spawn(Arc::clone(&door).connection(stream, source, place));
            }
            (Err(_), _) => door.metrics.turn_away("connection_rate"),
            (Ok(()), None) => door.metrics.turn_away("connections"),
        }
    }
    drop(listener);
    let ended = async { while connections.join_next().await.is_some() {} };
    // When the grace is over, dropping the set ends the connections that are left.
    let _ = tokio::time::timeout(STOP_GRACE, ended).await;
    Ok(())
}

impl Door {
    async fn connection(self: Arc<Self>, stream: TcpStream, source: Network, place: Share<Network>) {
        self.metrics.connections.inc();
        let serving = async {
            let handshake = TlsAcceptor::from(self.tls.server_config()).accept(stream);
            match tokio::time::timeout(self.limits.handshake, handshake).await {
                Ok(Ok(stream)) => self.talk(stream, source).await,
                Ok(Err(_)) | Err(_) => self.metrics.handshake_failed(),
            }
        };
        let stopped_early = async {
            self.stop.cancelled().await;
            tokio::time::sleep(STOP_GRACE).await;
        };
        tokio::select! {
            () = serving => {}
            () = stopped_early => {}
        }
        self.metrics.connections.dec();
        drop(place);
    }

    async fn talk(&self, stream: TlsStream<TcpStream>, source: Network) {
        let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        let service = TowerToHyperService::new(self.router.clone().layer(Extension(source)));
        let io = TokioIo::new(stream);
        let life = Life { time_max: self.limits.life, grace: STOP_GRACE, stop: &self.stop };
        if is_http2 {
            let mut builder = http2::Builder::new(TokioExecutor::new());
            builder
                .timer(TokioTimer::new())
                .max_concurrent_streams(STREAMS_MAX)
                .max_header_list_size(HEADER_BYTES_MAX)
                .initial_stream_window_size(STREAM_WINDOW_BYTES)
                .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
                .max_send_buf_size(SEND_BYTES_MAX)
                .max_pending_accept_reset_streams(STREAMS_MAX as usize)
                .keep_alive_interval(KEEPALIVE)
                .keep_alive_timeout(KEEPALIVE);
            life.of(builder.serve_connection(io, service), http2::Connection::graceful_shutdown).await;
        } else {
            let serving = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(self.limits.header)
                .max_buf_size(HEADER_BYTES_MAX as usize)
                .max_headers(HEADERS_MAX)
                .serve_connection(io, service);
            life.of(serving, http1::Connection::graceful_shutdown).await;
        }
    }
}

#[cfg(test)]
mod tests;
