//! The verifier: for citizens who hold a bundle, and for auditors who replay the ledger.
//!
//! ```text
//! bundle + trust file + time ──▶ receipt_core::verdict                                   verify
//! node or export ──▶ source ──▶ prepare (parallel) ──▶ replay (in order) ──▶ report      audit
//! two checkpoint notes ──▶ same | consistent | fork with its evidence file               compare
//! uploaded bundle ──▶ the same verdict, over gRPC                                         serve
//! ```
//! It shares the rules of `receipt-core` with the ledger and nothing else: neither node nor issuer is linked, state lives
//! in memory, and commit certificates are checked by code of its own.
//!
//! Not here: a clock (the binary passes it on), and any way to skip a check.

pub mod audit;
pub mod certificate;
pub mod compare;
pub mod export;
pub mod follow;
pub mod node;
pub mod progress;
pub mod serve;
pub mod sink;
pub mod source;
pub mod when;
