//! The issuer: takes drafts of fiscal receipts from business systems, numbers, signs and stores them, has them anchored on
//! the ledger, and hands out proofs.
//!
//! ```text
//! api ─▶ issue ─▶ journal ◀──▶ anchoring ◀──▶ nodes
//!  │                 ▲             │
//!  └─ watch, bundle ─┴─── owner ◀──┘
//!             └─▶ documents
//! ```
//! `tallystick-anchoring` batches records, offers them, follows what the ledger decided, and asks `owner` what that means for
//! receipts. `app` wires everything. Not here: validators (never imported), and the verdict on a bundle (`receipt-core`).

pub mod api;
pub mod app;
pub mod authority;
pub mod backup;
pub mod blinding;
pub mod body;
pub mod bundle;
mod chain;
pub mod check;
pub mod config;
pub mod control;
pub mod credentials;
pub mod documents;
pub mod erasure;
pub mod export;
mod failure;
pub mod fate;
pub mod figures;
mod holder;
pub mod issue;
pub mod journal;
pub mod keygen;
pub mod keys;
mod memory;
pub mod metrics;
pub mod numbering;
pub mod owner;
pub mod recover;
pub mod registry;
pub mod repair;
pub mod rewrap;
pub mod secrets;
pub mod segments;
mod server;
pub mod tries;
pub mod try_desk;
pub mod watch;

#[cfg(test)]
mod testing;
