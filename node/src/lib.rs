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
pub mod keygen;
pub mod ledger;
pub mod offline;
pub mod pool;
pub mod progress;
pub mod seal;
pub mod store;

mod api;
mod consensus;
mod disk;
mod early;
mod evidence;
mod metrics;
mod note_keys;
mod participation;
mod peers;
mod preflight;
mod publish;
mod servers;
mod standing;
mod view;

#[cfg(test)]
mod testing;
