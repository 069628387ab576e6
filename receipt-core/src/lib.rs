//! What all programs of Tallystick share: what a receipt, a record, a batch, a block, a checkpoint and a bundle *are*,
//! and which of them are valid.
//!
//! Pure by construction: this crate knows no clock, no randomness, no file, no network, no async runtime. The same
//! bytes give the same verdict on a validator, in an auditor's replay and in a browser (it builds for
//! `wasm32-unknown-unknown`).

#![deny(clippy::float_arithmetic)]

pub mod answer;
pub mod area;
pub mod authorities;
mod authorized;
pub mod batch;
pub mod blind;
pub mod block;
pub mod bundle;
pub mod code;
pub mod credential;
pub mod directory;
pub mod entry;
pub mod export;
pub mod fingerprint;
pub mod genesis;
pub mod governance;
pub mod hash;
pub mod ids;
pub mod limits;
pub mod memory;
pub mod merkle;
pub mod note;
pub mod reason;
pub mod receipt;
pub mod record;
pub mod registered_at;
pub mod seal;
pub mod shown;
pub mod state;
pub mod status;
pub mod succession;
pub mod suite;
#[cfg(any(test, feature = "testkit"))]
pub mod testkit;
pub mod trust;
pub mod validators;
pub mod verdict;
pub mod wire;
