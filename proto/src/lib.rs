//! The gRPC contract: generated messages and services, the table of errors, and the conversion of a receipt draft.
//!
//! What nodes answer about a receipt is written as it is handed on (`answers`).
//!
//! gRPC messages are envelopes. Whatever is signed or hashed (records, headers, entries, seals, blocks, governance,
//! checkpoints, bundles) travels in them as bytes or note text, verbatim, and is never modelled a second time here.
//!
//! Not here: transport security and authorisation (`service`), fiscal rules (`receipt-core`).

pub mod answers;
pub mod convert;
pub mod errors;
pub mod strict;

mod generated;

pub use generated::{admin, issuer, ledger, peer, portal, receipt, verifier};

/// Encoded `FileDescriptorSet` of all packages, for `tonic_reflection::server::Builder::register_encoded_file_descriptor_set`.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/tallystick_descriptor.bin"));

#[cfg(test)]
mod tests;
