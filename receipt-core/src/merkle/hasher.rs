//! The three hashes of RFC 6962 §2.1, under a suite's hash function. The prefixes keep a leaf from passing for a node.

use crate::hash::Hash;
use crate::suite::Suite;

/// H(0x00 ‖ `data`): the hash of a leaf.
pub fn leaf_hash(suite: Suite, data: &[u8]) -> Hash {
    suite.digest(&[&[0x00], data])
}

/// The same of data in parts, without joining them.
pub fn leaf_hash_of_parts(suite: Suite, parts: &[&[u8]]) -> Hash {
    suite.digest_of(std::iter::once(&[0x00][..]).chain(parts.iter().copied()))
}

/// H(0x01 ‖ `left` ‖ `right`): the hash of an inner node.
pub fn node_hash(suite: Suite, left: &Hash, right: &Hash) -> Hash {
    suite.digest(&[&[0x01], left.as_bytes(), right.as_bytes()])
}

/// H of nothing: the root of a tree without leaves.
pub fn empty_root(suite: Suite) -> Hash {
    suite.digest(&[])
}
