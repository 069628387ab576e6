//! How a change of the validator set is reported.

use serde::Serialize;

/// A change of the validator set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HandoverReport {
    /// First height of the new set.
    pub height: u64,
    /// First tree size for which its keys count.
    pub first_tree_size: u64,
    /// Members.
    pub validators: usize,
    /// How many are enough.
    pub quorum: usize,
    /// The set's hash, hex.
    pub set_hash: String,
}
