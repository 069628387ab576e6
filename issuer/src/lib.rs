//! The issuer: takes drafts of fiscal receipts from business systems, numbers, signs and stores them, batches them onto
//! the ledger, follows what the ledger decided, and hands out proofs.
//!
//! ```text
//! api ─▶ issue ─▶ journal ◀─ batcher ─▶ flight ─▶ submit ─▶ nodes
//!  │                 ▲                      ▲                  │
//!  └─ watch, bundle ─┴────── follow ◀───────┴──────────────────┘
//! ```
//! `app` wires everything. Not here: validators (never imported), and the verdict on a bundle (`receipt-core`).

pub mod api;
pub mod app;
pub mod authority;
pub mod backlog;
pub mod backup;
pub mod batcher;
pub mod body;
pub mod bundle;
pub mod config;
pub mod control;
pub mod credentials;
pub mod erasure;
pub mod export;
pub mod fate;
pub mod figures;
pub mod flight;
pub mod follow;
pub mod gate;
pub mod guard;
mod holder;
pub mod housekeeping;
pub mod issue;
pub mod journal;
pub mod keygen;
pub mod keys;
pub mod metrics;
pub mod nodes;
pub mod numbering;
pub mod quorum_time;
pub mod recover;
pub mod registry;
pub mod segments;
pub mod submit;
pub mod waiters;
pub mod watch;

#[cfg(test)]
mod testing;
