//! The state transition: `apply(state, block) -> Effects | refusal`, a pure function.
//!
//! Validators run it before they vote, auditors when they replay; both through [`StateRead`], a plain keyed read. All table
//! layouts and value encodings live here ([`tables`]), so that a store is only a map from (table, key) to bytes.
//!
//! Invariants, as absences: no clock, no randomness, no map iteration whose order is not defined, no floats, no I/O but
//! `StateRead`. What one batch wrote is either kept whole or dropped whole.

mod action;
mod apply;
mod authorities;
mod batches;
mod blinding;
mod budget;
mod chain;
mod checked;
mod directory;
mod effects;
mod ending;
mod founding;
mod governance;
mod members;
mod messages;
mod overlay;
mod owned;
mod reading;
mod records;
mod refusal;
mod registry_map;
mod schedule;
mod scope;
mod settlement;
mod statuses;
pub mod tables;
mod trial;
mod uniqueness;

#[cfg(test)]
mod tests;

pub use apply::apply;
pub use authorities::read_authorities;
pub use blinding::{BlindingEpoch, EpochState, RegisteredEpoch, read_blinding_epochs};
pub use chain::ChainParameters;
pub use checked::{BatchCache, BatchFault, CheckedBatch, CheckedBlock, NoCache};
pub use effects::{Effects, Outcome, totals_commitment};
pub use ending::{Ending, latest_block};
pub use founding::genesis_effects;
pub use members::{read_pending_validators, read_validators};
pub use messages::followed_writes;
pub use overlay::{StateRead, Writes};
pub use owned::read_validator_name;
pub use reading::{ReadError, receipt_key_of};
pub use refusal::{ApplyError, BlockRefusal};
pub use registry_map::{RegistryNodes, as_registered, is_in_registry_map, registry_map_key};
pub use schedule::{Schedule, proposer_order, read_schedule};
pub use scope::{Scope, read_scope};
pub use statuses::{Status, StatusNodes, StatusValue, status_value_hash, stored_value_hash, unknown_status_kind};
pub use trial::{ActionRefusal, Trial, try_governance, would_execute};
