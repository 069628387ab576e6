//! The hashes of the status map. Their inputs are drawn at the head of `status`.

use crate::hash::Hash;
use crate::suite::Suite;

/// The hash of an empty subtree, and the root of the empty map, under every suite: nothing is hashed.
pub fn empty_root() -> Hash {
    Hash(*b"SPARSE_MERKLE_PLACEHOLDER_HASH__")
}

/// What stands for a value.
pub(super) fn value_hash(suite: Suite, value: &[u8]) -> Hash {
    suite.digest(&[value])
}

/// The hash of a subtree with one entry.
pub(super) fn leaf_hash(suite: Suite, key: &Hash, value_hash: &Hash) -> Hash {
    suite.digest(&[b"JMT::LeafNode", key.as_bytes(), value_hash.as_bytes()])
}

/// The hash of a subtree with more entries.
pub(super) fn inner_hash(suite: Suite, left: &Hash, right: &Hash) -> Hash {
    suite.digest(&[b"JMT::IntrnalNode", left.as_bytes(), right.as_bytes()])
}

/// Bit `depth` (0 to 255) of a key, the most significant of the first byte first: `true` leads right.
pub(super) fn bit(key: &Hash, depth: usize) -> bool {
    key.0[depth / 8] >> (7 - depth % 8) & 1 == 1
}

/// Half-byte `depth` (0 to 63) of a key.
pub(super) fn nibble(key: &Hash, depth: usize) -> u8 {
    let byte = key.0[depth / 2];
    if depth.is_multiple_of(2) { byte >> 4 } else { byte & 0x0f }
}

/// The number of leading bits that two keys share.
pub(super) fn common_bits(a: &Hash, b: &Hash) -> usize {
    let differ = a.0.iter().zip(&b.0).enumerate().find(|(_, (a, b))| a != b);
    differ.map_or(256, |(position, (a, b))| 8 * position + (a ^ b).leading_zeros() as usize)
}
