//! The status map: a sparse Merkle map from status keys to salted statuses, holding only receipts that are not plainly in
//! force. Its root stands in every seal, so presence *and absence* of a key are provable offline.
//!
//! # The tree, for a stranger who writes a verifier
//!
//! A binary tree of depth 256; a key's bits, the most significant of the first byte first, choose left (0) or right (1).
//!
//! ```text
//! empty subtree          E = the 32 ASCII bytes "SPARSE_MERKLE_PLACEHOLDER_HASH__"
//! subtree of one entry   H("JMT::LeafNode" ‖ key[32] ‖ H(value))        at whatever depth it stands
//! larger subtree         H("JMT::IntrnalNode" ‖ left[32] ‖ right[32])    (so spelled)
//! root of the empty map  E
//! ```
//! H is the suite's hash, SHA-256 under suite 1.
//!
//! The labels take 13 and 16 bytes, so a leaf's preimage has 77 bytes and an inner one's 80: neither passes for the other.
//! The shape follows from the set of keys alone; the order of insertions and deletions leaves no trace. A proof walks
//! from the key's position to the root; its bytes are drawn in `status/proof.rs`.
//!
//! These are the rules of a Jellyfish Merkle tree (crate `jmt`), which does the updating (`status/update.rs`, the only file
//! that names it). Reading, proving and verifying are written here without it.
//!
//! # Versions and storage
//!
//! A version of the map is named by the height of the block that made it; blocks that change nothing make none. Nodes are immutable
//! records under opaque keys, and one more record names the last version; an update returns those to write and those that the new
//! version no longer uses, which may be deleted once no proof under an older version is wanted. The empty map has no nodes and no
//! version.
//!
//! Not here: what a status says, its salt, and the store.

mod hashing;
mod map;
mod proof;
mod record;
mod update;

#[cfg(test)]
mod tests;

pub use hashing::empty_root;
pub use map::{StatusError, StatusLookup, StatusMap, StatusReader};
pub use proof::{STATUS_SIBLINGS_MAX, StatusProof, StatusProofError};
pub use update::StatusUpdate;
