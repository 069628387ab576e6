//! Anchoring: what everybody needs who submits signed records to the ledger and must not lose one.
//!
//! ```text
//! owner ─▶ journal ◀─ batcher ─▶ flight ─▶ submit ─▶ nodes
//!   ▲         ▲                    ▲                   │
//!   └──────── follow ◀─────────────┴───────────────────┘
//! ```
//! It knows signed records and what became of them. What a record says, who may ask for one and what its outcome means besides, its
//! [`Owner`](owner::Owner) knows: an issuer today, a claimer or a revenue office tomorrow. Durability, concurrency and errors are the
//! contracts of [`journal`] and [`owner`].
//!
//! - [`tasks::Anchoring`] starts what runs; [`recover`] brings a journal back that was lost or fenced.
//! - A record is acknowledged once it is in the journal; it is offered until the ledger has decided; nothing is believed that a quorum's
//!   checkpoint does not cover; a journal that is not the newest signs nothing ([`guard`], [`gate`]).
//!
//! Not here: validators (never imported), the state machine (`receipt-core`), any caller's API.

mod asking;
pub mod backlog;
pub mod batcher;
pub mod check;
mod cut_off;
pub mod desk;
pub mod fate;
pub mod figures;
pub mod flight;
pub mod follow;
pub mod gate;
pub mod guard;
pub mod housekeeping;
pub mod journal;
pub mod judge;
pub mod metrics;
pub mod nodes;
pub mod own_fault;
pub mod owner;
pub mod quorum_time;
pub mod recover;
pub mod registered;
pub mod relearn;
pub mod submit;
pub mod tail;
pub mod tasks;
pub mod trust;
pub mod waiters;

#[cfg(any(test, feature = "testkit"))]
pub mod testkit;
