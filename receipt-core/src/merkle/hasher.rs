//! The three hashes of RFC 6962 §2.1. The prefixes keep a leaf from passing for a node.

use crate::hash::{Hash, sha256, sha256_of};

/// SHA-256(0x00 ‖ `data`): the hash of a leaf.
pub fn leaf_hash(data: &[u8]) -> Hash {
    sha256(&[&[0x00], data])
}

/// The same of data in parts, without joining them.
pub fn leaf_hash_of_parts(parts: &[&[u8]]) -> Hash {
    sha256_of(std::iter::once(&[0x00][..]).chain(parts.iter().copied()))
}

/// SHA-256(0x01 ‖ `left` ‖ `right`): the hash of an inner node.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    sha256(&[&[0x01], left.as_bytes(), right.as_bytes()])
}

/// SHA-256 of nothing: the root of a tree without leaves.
pub fn empty_root() -> Hash {
    sha256(&[])
}
