//! RFC 6962 Merkle trees: the inner tree of a batch, the outer log, and one strict verifier for both.
//!
//! Leaf = H(0x00 ‖ data); node = H(0x01 ‖ left ‖ right); the empty tree is H(""); a tree of n > 1 leaves splits at the largest
//! power of two below n. H is the suite's hash, SHA-256 under suite 1. Three rooms:
//!
//! - building a batch's tree in memory ([`InnerTree`]);
//! - growing the log one leaf at a time and proving anything about it from stored complete subtrees ([`Frontier`],
//!   [`NodeReader`], [`inclusion_path`], [`consistency_path`]) and serving it as tiles ([`TileId`], [`TilePath`]);
//! - checking a path ([`verify_inclusion`], [`verify_consistency`]), or showing it ([`inclusion_steps`]).
//!
//! Not here: signatures over roots (`note`), the sparse map (`status`), storage.
//!
//! Invariant: a verifier is given the tree size by something signed (a checkpoint, a batch header); most valid paths also
//! pass under some other size.

mod frontier;
mod hasher;
mod inner;
mod log;
mod node;
mod tiles;
mod verify;

#[cfg(test)]
mod tests;

pub use frontier::{Frontier, FrontierError, root_of_leaf_hashes, root_of_leaves};
pub use hasher::{empty_root, leaf_hash, leaf_hash_of_parts, node_hash};
pub use inner::{InnerTree, InnerTreeError};
pub use log::{LogError, NodeReader, consistency_path, frontier_at, inclusion_path, root_at};
pub use node::NodeId;
pub use tiles::{
    BundleError, TILE_WIDTH, TileError, TileId, TileNodes, TileNodesError, TilePath, TileReader, decode_entry_bundle,
    encode_entry_bundle, new_tiles, tile_hashes, tiles_of,
};
pub use verify::{
    INCLUSION_HASHES_MAX, PathStep, ProofError, inclusion_steps, root_from_inclusion, verify_consistency,
    verify_inclusion,
};
