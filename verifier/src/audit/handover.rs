//! How changes of validators and authorities are reported.

use receipt_core::hash::Hash;
use receipt_core::ids::Height;
use receipt_core::succession::AuthorityChange;
use receipt_core::suite::PublicKey;
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

/// A change of the authorities.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuthorityChangeReport {
    /// Height of the block that brings it.
    pub height: u64,
    /// First leaf of the log that is the new set's.
    pub first_leaf: u64,
    /// Number of members.
    pub authorities: usize,
    /// How many of them must sign.
    pub threshold: u32,
    /// Keys of those who were not authorities before, hex.
    pub joined: Vec<String>,
    /// Keys of those who are no authorities any more, hex.
    pub left: Vec<String>,
}

impl AuthorityChangeReport {
    pub(super) fn new(height: Height, change: &AuthorityChange) -> Self {
        let hex = |keys: &[PublicKey]| keys.iter().map(|key| Hash(key.0).to_string()).collect();
        Self {
            height: height.get(),
            first_leaf: change.first_leaf.get(),
            authorities: change.members,
            threshold: change.threshold,
            joined: hex(&change.joined),
            left: hex(&change.left),
        }
    }
}
