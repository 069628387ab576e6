//! The public door: checkpoint, tiles and entry bundles over HTTP, read-only (c2sp.org/tlog-tiles).
//!
//! Only what is sealed is served: a tile beyond the newest sealed size does not exist yet. Tiles are immutable; the checkpoint
//! is not.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use receipt_core::ids::{LeafIndex, TreeSize};
use receipt_core::merkle::{TilePath, encode_entry_bundle, tile_hashes};

use crate::api::Services;
use crate::store::{HeightRange, StoreError};

const IMMUTABLE: &str = "public, max-age=31536000, immutable";
const MUTABLE: &str = "no-cache";

/// The routes.
pub(crate) fn router(services: Services) -> Router {
    Router::new().route("/checkpoint", get(checkpoint)).route("/tile/{*path}", get(tile)).with_state(services)
}

fn failed(error: &StoreError) -> Response {
    tracing::error!(%error, "a public read failed");
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}

async fn checkpoint(State(services): State<Services>) -> Response {
    match services.ledger.store.latest_checkpoint() {
        Ok(Some((_, note))) => {
            let headers = [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, MUTABLE)];
            (headers, note).into_response()
        }
        Ok(None) => StatusCode::NOT_FOUND.into_response(),
        Err(error) => failed(&error),
    }
}

async fn tile(State(services): State<Services>, Path(path): Path<String>) -> Response {
    let Ok(path) = TilePath::parse(&format!("tile/{path}")) else { return StatusCode::NOT_FOUND.into_response() };
    match read_tile(&services, path) {
        Ok(Some(bytes)) => {
            let headers = [(header::CONTENT_TYPE, "application/octet-stream"), (header::CACHE_CONTROL, IMMUTABLE)];
            (headers, bytes).into_response()
        }
        Ok(None) => StatusCode::NOT_FOUND.into_response(),
        Err(error) => failed(&error),
    }
}

fn sealed_size(services: &Services) -> Result<TreeSize, StoreError> {
    Ok(services.sealed_tip()?.map_or(TreeSize::ZERO, |tip| TreeSize::new(tip.tree_size)))
}

fn read_tile(services: &Services, path: TilePath) -> Result<Option<Vec<u8>>, StoreError> {
    let size = sealed_size(services)?;
    match path {
        TilePath::Hashes(tile) => {
            if !tile.exists_at(size) {
                return Ok(None);
            }
            let hashes = tile_hashes(&services.ledger.store, tile)?;
            Ok(hashes.map(|hashes| hashes.iter().flat_map(|hash| hash.0).collect()))
        }
        TilePath::Entries(tile) => {
            if !tile.exists_at(size) {
                return Ok(None);
            }
            let first = tile.index() * 256;
            let range = HeightRange {
                first_leaf: LeafIndex::new(first),
                size: TreeSize::new(first + u64::from(tile.width())),
                status_version: None,
            };
            let entries = services.ledger.store.entries(&range)?;
            let bundle = encode_entry_bundle(&entries);
            bundle.map(Some).map_err(|error| StoreError::Corrupt(error.to_string()))
        }
    }
}
