//! The state transition: `apply(state, block) -> Effects | refusal`, a pure function.
//!
//! Validators run it before they vote, auditors when they replay; both through [`StateRead`], a plain keyed read. All table
//! layouts and value encodings live here ([`tables`]), so that a store is only a map from (table, key) to bytes.
//!
//! Invariants, as absences: no clock, no randomness, no map iteration whose order is not defined, no floats, no I/O but
//! `StateRead`. What one batch wrote is either kept whole or dropped whole.

mod apply;
mod batches;
mod budget;
mod checked;
mod ending;
mod governance;
mod overlay;
mod records;
mod schedule;
mod settlement;
mod statuses;
pub mod tables;

#[cfg(test)]
mod tests;

pub use apply::{
    ApplyError, BlockRefusal, ChainParameters, Effects, Outcome, apply, followed_writes, genesis_effects,
    read_pending_validators, read_schedule, read_validators, registry_writes, totals_commitment,
};
pub use checked::{BatchCache, BatchFault, CheckedBatch, CheckedBlock, NoCache};
pub use ending::Ending;
pub use overlay::{ReadError, StateRead, Writes};
pub use schedule::{Schedule, proposer_order};
pub use statuses::{Status, StatusNodes, StatusValue, status_value_hash, stored_value_hash, unknown_status_kind};
