//! The port for operators of a process: `/metrics`, `/livez`, `/readyz`, over plain HTTP on a port of its own.
//!
//! Alive means that the process answers. Ready means that every part that said it must be is; what is missing stands in
//! the body of `/readyz`. Bind the port to a private address: it knows no callers.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::extract::State as Shared;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;

use crate::http::HttpLimits;
use crate::shutdown::CancellationToken;

/// Connections at once: some that scrape, somebody who looks.
const CONNECTIONS_MAX: usize = 32;
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What a process is still waiting for before it can serve.
#[derive(Debug, Clone, Default)]
pub struct Readiness(Arc<Mutex<BTreeMap<&'static str, State>>>);

/// A part's state, which `/readyz` shows.
#[derive(Debug, Clone)]
enum State {
    Ready,
    /// It can serve, and there is something to say of it.
    ReadyBut(String),
    NotReady(String),
}

impl State {
    fn sentence(&self) -> Option<&String> {
        match self {
            Self::Ready => None,
            Self::ReadyBut(sentence) | Self::NotReady(sentence) => Some(sentence),
        }
    }
}

impl Readiness {
    /// Nothing to wait for yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a part that must be ready; it is not yet.
    pub fn part(&self, name: &'static str) -> ReadyPart {
        self.parts().insert(name, State::NotReady("is starting".to_owned()));
        ReadyPart { readiness: self.clone(), name }
    }

    /// Whether every part is ready.
    pub fn is_ready(&self) -> bool {
        !self.parts().values().any(|state| matches!(state, State::NotReady(_)))
    }

    fn parts(&self) -> MutexGuard<'_, BTreeMap<&'static str, State>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One sentence per part that is not ready; if all are, `ready` and what there is to say.
impl fmt::Display for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_ready = self.is_ready();
        if is_ready {
            f.write_str("ready\n")?;
        }
        let parts = self.parts();
        let told = parts.iter().filter(|(_, state)| is_ready || matches!(state, State::NotReady(_)));
        let mut sentences = told.filter_map(|(name, state)| state.sentence().map(|sentence| (name, sentence)));
        sentences.try_for_each(|(name, sentence)| writeln!(f, "{name} {sentence}"))
    }
}

/// One part of a process, as seen by readiness.
#[derive(Debug, Clone)]
pub struct ReadyPart {
    readiness: Readiness,
    name: &'static str,
}

impl ReadyPart {
    /// From now on it can serve.
    pub fn ready(&self) {
        self.readiness.parts().insert(self.name, State::Ready);
    }

    /// From now on it can serve, and operators should know for example that it `follows without a vote`.
    pub fn ready_but(&self, remark: impl Into<String>) {
        self.readiness.parts().insert(self.name, State::ReadyBut(remark.into()));
    }

    /// From now on it cannot, for example because it `is 120 blocks behind`.
    pub fn not_ready(&self, problem: impl Into<String>) {
        self.readiness.parts().insert(self.name, State::NotReady(problem.into()));
    }
}

#[derive(Clone)]
struct Door {
    registry: Arc<Registry>,
    readiness: Readiness,
}

/// Serves the door until `stop`. Register all metrics before.
pub async fn serve(
    listener: TcpListener,
    registry: Registry,
    readiness: Readiness,
    stop: CancellationToken,
) -> std::io::Result<()> {
    let router = Router::new()
        .route("/metrics", get(metrics))
        .route("/livez", get(|| async { "alive\n" }))
        .route("/readyz", get(ready))
        .with_state(Door { registry: Arc::new(registry), readiness });
    crate::http::serve(listener, router, HttpLimits::of(CONNECTIONS_MAX), stop).await
}

async fn metrics(Shared(door): Shared<Door>) -> impl IntoResponse {
    let mut text = String::new();
    match prometheus_client::encoding::text::encode(&mut text, &door.registry) {
        Ok(()) => (StatusCode::OK, [(header::CONTENT_TYPE, OPENMETRICS)], text),
        Err(fmt::Error) => {
            (StatusCode::INTERNAL_SERVER_ERROR, [(header::CONTENT_TYPE, "text/plain")], "cannot encode\n".to_owned())
        }
    }
}

async fn ready(Shared(door): Shared<Door>) -> impl IntoResponse {
    let status = if door.readiness.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, door.readiness.to_string())
}

#[cfg(test)]
mod tests {
    use prometheus_client::metrics::counter::Counter;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    async fn get(address: std::net::SocketAddr, path: &str) -> (u16, String) {
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    #[tokio::test]
    async fn the_three_paths() {
        let mut registry = Registry::default();
        let receipts = Counter::<u64>::default();
        registry.register("receipts", "Receipts issued", receipts.clone());
        let readiness = Readiness::new();
        let store = readiness.part("store");
        let ledger = readiness.part("ledger");
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let door = tokio::spawn(serve(listener, registry, readiness.clone(), stop.clone()));

        assert_eq!(get(address, "/livez").await, (200, "alive\n".to_owned()));
        assert_eq!(get(address, "/readyz").await, (503, "ledger is starting\nstore is starting\n".to_owned()));
        store.ready();
        ledger.not_ready("is 120 blocks behind");
        assert_eq!(get(address, "/readyz").await, (503, "ledger is 120 blocks behind\n".to_owned()));
        ledger.ready_but("follows without a vote");
        assert_eq!(get(address, "/readyz").await, (200, "ready\nledger follows without a vote\n".to_owned()));
        store.not_ready("is gone");
        assert_eq!(get(address, "/readyz").await, (503, "store is gone\n".to_owned()));
        store.ready();
        ledger.ready();
        assert_eq!(get(address, "/readyz").await, (200, "ready\n".to_owned()));

        receipts.inc_by(17);
        let (status, text) = get(address, "/metrics").await;
        assert_eq!(status, 200);
        assert!(text.contains("receipts_total 17\n") && text.ends_with("# EOF\n"), "{text}");
        assert_eq!(get(address, "/other").await.0, 404);

        stop.cancel();
        door.await.unwrap().unwrap();
    }
}
