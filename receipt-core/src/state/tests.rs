//! Tests of the state transition, as tables over a small chain with fixed keys: `ledger` is that chain, `draft` its records.
//!
//! Not here: the trees under the state (`merkle`, `status`), and the bundles made from it (`verdict`).

mod areas;
mod authorities;
mod batches;
mod blinding;
mod directory;
mod draft;
mod effects;
mod encodings;
mod forms;
mod frame;
mod frozen;
mod ledger;
mod links;
mod messages;
mod records;
mod registry;
mod registry_map;
mod schedule;
mod settlement;
mod signatures;
mod uniqueness;
