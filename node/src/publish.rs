//! The public door: checkpoint, tiles and entry bundles over HTTP, read-only (c2sp.org/tlog-tiles).
//!
//! Only what is sealed is served: a tile beyond the newest sealed size does not exist yet. Tiles are immutable; the checkpoint
//! is not: it has a line of every validator that signed. All of it is public, so that any page may read every answer. Calls of
//! one address are counted (`limit`); connections are bounded by the server.

mod limit;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use receipt_core::ids::{Height, LeafIndex, TreeSize};
use receipt_core::merkle::{TilePath, encode_entry_bundle, tile_hashes};
use tokio::sync::Semaphore;

use self::limit::{CallLimit, limit_calls};
use crate::api::Services;
use crate::config::PublicConfig;
use crate::store::{HeightRange, StoreError};

const IMMUTABLE: &str = "public, max-age=31536000, immutable";
const MUTABLE: &str = "no-cache";

/// Reads under way at once; each holds a tile or a bundle of entries in memory.
const READS_MAX: usize = 32;

#[derive(Clone)]
struct Door {
    services: Services,
    reads: Arc<Semaphore>,
}

/// The routes, each call counted.
pub(crate) fn router(services: Services, config: &PublicConfig) -> Router {
    let door = Door { services, reads: Arc::new(Semaphore::new(READS_MAX)) };
    let limit = Arc::new(CallLimit::new(config));
    Router::new()
        .route("/", get(what_this_is))
        .route("/checkpoint", get(checkpoint))
        .route("/tile/{*path}", get(tile))
        .with_state(door)
        .layer(from_fn_with_state(limit, limit_calls))
        .layer(from_fn(for_any_page))
}

/// Says in each answer, refusals included, that a page of any origin may read it, and answers a browser that asks beforehand.
async fn for_any_page(request: Request, next: Next) -> Response {
    let asks = request.method() == Method::OPTIONS;
    let mut answer = next.run(request).await;
    if asks && answer.status() == StatusCode::METHOD_NOT_ALLOWED {
        answer = StatusCode::NO_CONTENT.into_response();
        let headers = answer.headers_mut();
        headers.insert(header::ALLOW, HeaderValue::from_static("GET, HEAD, OPTIONS"));
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, HEAD"));
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("*"));
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
    }
    let headers = answer.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("retry-after"));
    answer
}

/// One line for whoever opens the address in a browser.
async fn what_this_is(State(door): State<Door>) -> Response {
    let origin = &door.services.ledger.genesis.origin;
    let text = format!(
        "Public log {origin} of electronic fiscal receipts, no personal data: /checkpoint and /tile/ as in c2sp.org/tlog-tiles\n"
    );
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, MUTABLE)], text).into_response()
}

impl Door {
    /// Reads off the async workers, if there is room; the answer otherwise.
    async fn read<T: Send + 'static>(
        self,
        read: impl FnOnce(&Services) -> Result<Option<T>, StoreError> + Send + 'static,
    ) -> Result<T, Response> {
        let Ok(_place) = self.reads.try_acquire() else {
            return Err((StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "1")]).into_response());
        };
        let services = self.services.clone();
        if services.ledger.store.is_short() {
            return Err((StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "10")]).into_response());
        }
        match tokio::task::spawn_blocking(move || read(&services)).await {
            Ok(Ok(Some(found))) => Ok(found),
            // Not to be cached: what is missing now may be there soon.
            Ok(Ok(None)) => Err((StatusCode::NOT_FOUND, [(header::CACHE_CONTROL, MUTABLE)]).into_response()),
            Ok(Err(error)) => {
                self.services.fatal.report(&error);
                Err(StatusCode::INTERNAL_SERVER_ERROR.into_response())
            }
            Err(error) => {
                tracing::error!(%error, "a public read failed");
                Err(StatusCode::INTERNAL_SERVER_ERROR.into_response())
            }
        }
    }
}

async fn checkpoint(State(door): State<Door>) -> Response {
    match door.read(|services| services.ledger.store.published_checkpoint()).await {
        Ok((_, note)) => {
            let headers = [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, MUTABLE)];
            (headers, note).into_response()
        }
        Err(answer) => answer,
    }
}

async fn tile(State(door): State<Door>, Path(path): Path<String>) -> Response {
    let Ok(path) = TilePath::parse(&format!("tile/{path}")) else { return StatusCode::NOT_FOUND.into_response() };
    match door.read(move |services| read_tile(services, path)).await {
        Ok(bytes) => {
            let headers = [(header::CONTENT_TYPE, "application/octet-stream"), (header::CACHE_CONTROL, IMMUTABLE)];
            (headers, bytes).into_response()
        }
        Err(answer) => answer,
    }
}

fn sealed_size(services: &Services) -> Result<TreeSize, StoreError> {
    let (store, sealed) = (&services.ledger.store, services.heights.sealed_height());
    // Height 0 stands for "nothing yet", too.
    if sealed == Height::ZERO && store.checkpoint(sealed)?.is_none() {
        return Ok(TreeSize::ZERO);
    }
    let range = store.height_range(sealed)?.ok_or_else(|| StoreError::Corrupt("a sealed height is missing".into()))?;
    Ok(range.size)
}

fn read_tile(services: &Services, path: TilePath) -> Result<Option<Vec<u8>>, StoreError> {
    let (TilePath::Hashes(tile) | TilePath::Entries(tile)) = path;
    if !tile.exists_at(sealed_size(services)?) {
        return Ok(None);
    }
    if let TilePath::Hashes(tile) = path {
        let hashes = tile_hashes(&services.ledger.store, tile)?;
        return Ok(hashes.map(|hashes| hashes.iter().flat_map(|hash| hash.0).collect()));
    }
    let first = tile.index() * 256;
    let range = HeightRange {
        first_leaf: LeafIndex::new(first),
        size: TreeSize::new(first + u64::from(tile.width())),
        status_version: None,
    };
    let bundle = encode_entry_bundle(&services.ledger.store.entries(&range)?);
    bundle.map(Some).map_err(|error| StoreError::Corrupt(error.to_string()))
}

#[cfg(test)]
mod tests;
