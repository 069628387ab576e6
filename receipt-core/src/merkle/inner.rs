//! A whole tree in memory, for the records of a batch and the disclosures of a body. The only file that names `rs_merkle`.
//!
//! `rs_merkle`'s stock hasher has no prefixes, so it is not RFC 6962; with the hasher below (leaves hashed before they go
//! in, 0x01 before two children, a lone node promoted) its roots and layers equal RFC 6962. It builds only: its own
//! `verify` accepts a trailing extra hash, so paths are checked by [`super::verify_inclusion`] alone.

use std::marker::PhantomData;

use rs_merkle::{Hasher, PartialTree};

use super::hasher::{empty_root, leaf_hash, node_hash};
use crate::hash::Hash;
use crate::ids::{LeafIndex, TreeSize};
use crate::suite::Suite;
use crate::suite::hashing::{StaticSuite, with_static_suite};

/// RFC 6962 under a suite, as `rs_merkle` takes it.
#[derive(Clone)]
struct Rfc6962<S>(PhantomData<S>);

impl<S: StaticSuite> Hasher for Rfc6962<S> {
    type Hash = [u8; 32];

    fn hash(data: &[u8]) -> [u8; 32] {
        leaf_hash(S::SUITE, data).0
    }

    fn concat_and_hash(left: &[u8; 32], right: Option<&[u8; 32]>) -> [u8; 32] {
        right.map_or(*left, |right| node_hash(S::SUITE, &Hash(*left), &Hash(*right)).0)
    }
}

/// A built tree of any suite: nothing in it is hashed any more.
trait Layers: Send + Sync {
    /// From the leaves up; each node with its position.
    fn layers(&self) -> &[Vec<(usize, [u8; 32])>];
}

impl<S: StaticSuite> Layers for PartialTree<Rfc6962<S>> {
    fn layers(&self) -> &[Vec<(usize, [u8; 32])>] {
        self.layers()
    }
}

/// Why a tree could not be built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the Merkle tree could not be built: {detail}")]
pub struct InnerTreeError {
    detail: String,
}

/// A tree over a fixed list of leaves, all layers kept, so that every path is a look-up.
pub struct InnerTree {
    tree: Option<Box<dyn Layers>>,
    root: Hash,
    size: TreeSize,
}

impl InnerTree {
    /// Builds the tree over leaf *contents*, in order.
    pub fn from_leaves<L: AsRef<[u8]>>(
        suite: Suite,
        leaves: impl IntoIterator<Item = L>,
    ) -> Result<Self, InnerTreeError> {
        let hashes: Vec<[u8; 32]> = leaves.into_iter().map(|leaf| leaf_hash(suite, leaf.as_ref()).0).collect();
        with_static_suite!(suite, S => Self::build::<S>(&hashes))
    }

    /// Builds the tree over leaf *hashes* (see [`leaf_hash`]), in order.
    pub fn from_leaf_hashes(suite: Suite, hashes: &[Hash]) -> Result<Self, InnerTreeError> {
        let hashes: Vec<[u8; 32]> = hashes.iter().map(|hash| hash.0).collect();
        with_static_suite!(suite, S => Self::build::<S>(&hashes))
    }

    fn build<S: StaticSuite>(hashes: &[[u8; 32]]) -> Result<Self, InnerTreeError> {
        let size = TreeSize::new(hashes.len() as u64);
        if hashes.is_empty() {
            return Ok(Self { tree: None, root: empty_root(S::SUITE), size });
        }
        let tree = PartialTree::<Rfc6962<S>>::from_leaves(hashes)
            .map_err(|error| InnerTreeError { detail: error.message().to_owned() })?;
        let root = tree.root().ok_or_else(|| InnerTreeError { detail: "no root".to_owned() })?;
        Ok(Self { root: Hash(*root), tree: Some(Box::new(tree)), size })
    }

    /// The root; H("") of an empty tree.
    pub fn root(&self) -> Hash {
        self.root
    }

    /// The number of leaves.
    pub fn size(&self) -> TreeSize {
        self.size
    }

    /// The inclusion path of leaf `index`, the leaf's sibling first; `None` if there is no such leaf.
    pub fn path(&self, index: LeafIndex) -> Option<Vec<Hash>> {
        if index.get() >= self.size.get() {
            return None;
        }
        let mut position = usize::try_from(index.get()).ok()?;
        let mut path = Vec::new();
        for layer in self.tree.as_ref()?.layers() {
            // A node without a sibling is promoted: it adds nothing to the path.
            if let Some((_, hash)) = layer.get(position ^ 1) {
                path.push(Hash(*hash));
            }
            position /= 2;
        }
        Some(path)
    }

    /// The inclusion paths of all leaves, in order.
    pub fn paths(&self) -> Vec<Vec<Hash>> {
        (0..self.size.get()).filter_map(|index| self.path(LeafIndex::new(index))).collect()
    }
}
