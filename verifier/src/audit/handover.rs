//! How a change of the validator set is reported.

use serde::Serialize;

/// A change of the validator set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HandoverReport {
    /// First height of the new set.
    pub height: u64,
    /// First tree size for which its keys count.
    pub first_tree_size: u64,
    /// Number of members.
    pub validators: usize,
    /// Number of members that make a quorum.
    pub quorum: usize,
    /// The set's hash, hex.
    pub set_hash: String,
}
