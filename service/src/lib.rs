//! What every long-running process shares: transport security, identity and authorisation, key files,
//! configuration, logs, metrics, orderly shutdown, and the two things that make a process impure: clock and entropy.
//!
//! Not here: anything about receipts or blocks. Each module stands alone; `app.rs` of a process wires them together.

pub mod accept;
mod address;
pub mod answers;
pub mod around;
pub mod arrival;
pub mod authorization;
pub mod callers;
pub mod clock;
pub mod config;
pub mod config_key;
pub mod descriptors;
pub mod disk_fault;
pub mod durable;
pub mod exit;
pub mod hardening;
pub mod http;
pub mod identity;
pub mod inflight;
pub mod input;
pub mod keyfile;
pub mod metrics;
pub mod passphrase;
pub mod process;
pub mod report;
pub mod request_id;
pub mod rng;
pub mod said;
pub mod shutdown;
pub mod telemetry;
pub mod terminal;
pub mod tls;

#[cfg(test)]
mod testing;
