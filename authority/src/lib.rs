//! How authorities govern a chain: genesis, proposals, signatures given apart, submission.
//!
//! ```text
//! description ─▶ genesis ─▶ chain id
//! description ─▶ drafting ─▶ proposal file ─▶ show · sign (authority 1) ─▶ … ─▶ sign (authority k) ─▶ submit ─▶ ledger
//!                                                                                             └▶ credentials ─▶ issuers
//! ```
//! Everything but `nodes`, `registry`, `trial`, `submit` and what `directory` reads works on a machine without a network. Invariants: nothing is signed that was not
//! shown; what is shown is decoded from the bytes that are signed; only the genesis file, or a trust file that has followed
//! the ledger, says who the authorities are.
//!
//! Not here: the ledger's judgement of an action, and stores. Errors are `anyhow` where a person alone reads them.

pub mod actions;
pub mod chain;
mod council;
pub mod directory;
pub mod drafting;
pub mod epochs;
pub mod genesis;
pub mod keys;
pub mod nodes;
pub mod proposal;
pub mod quorums;
pub mod registry;
pub mod show;
pub mod starts;
pub mod submit;
pub mod succession;
pub mod text;
pub mod trial;
pub mod words;

pub use chain::Chain;
pub use proposal::{Proposal, ProposalError};
