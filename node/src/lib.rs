//! A validator of the ledger: orders batches by BFT consensus, executes them, keeps them in RocksDB, cosigns checkpoints, and
//! serves blocks, proofs and tiles.
//!
//! ```text
//! issuer ─SubmitBatch─▶ api ─▶ pool ◀─▶ peers          consensus ─▶ ledger (execute) ─▶ store ─▶ seal ◀─▶ peers
//!                               └────────candidates────────▲                              └▶ publish (tiles), api
//! ```
//! `app` wires everything; only `consensus` and `guard` name the engine's seam, only `store` names RocksDB.

pub mod app;
#[cfg(feature = "byzantine")]
pub mod byzantine;
pub mod config;
pub mod guard;
pub mod heights;
pub mod keygen;
pub mod ledger;
pub mod offline;
pub mod pool;
pub mod seal;
pub mod store;
mod store_check;

mod api;
mod clocks;
mod consensus;
mod converse;
mod disk;
mod early;
mod evidence;
mod fatal;
mod histogram;
mod lines;
mod membership;
mod memory;
mod metrics;
mod note_keys;
mod participation;
mod peer_readiness;
mod peers;
mod preflight;
mod publish;
mod servers;
mod succession;
mod view;
mod voting_log;
mod wire;

#[cfg(test)]
mod testing;

/// The engine's lines that a node's log leaves out.
pub const QUIET: tallystick_service::telemetry::Quiet = tallystick_service::telemetry::Quiet {
    directives: tallystick_engine::QUIET_DIRECTIVES,
    misleads: tallystick_engine::misleads,
};
