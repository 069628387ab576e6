//! The right edge of a growing tree: what must be remembered to append to the log and to know its root.
//!
//! A tree of n leaves is a row of complete subtrees, one per set bit of n, the largest first; the frontier is the list of
//! their roots. Appending touches O(log n) of them and reports each complete subtree that comes into being, exactly once
//! in the life of the log: storing those is all that proofs for every later and earlier size need (see `log`).
//!
//! ```text
//! encoding:  size u64 BE ‖ 32 bytes per set bit of size, the largest subtree first
//! ```

use super::hasher::{empty_root, leaf_hash, node_hash};
use super::node::NodeId;
use crate::hash::Hash;
use crate::ids::{LeafIndex, TreeSize};
use crate::suite::Suite;

/// Why a frontier cannot be grown or read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrontierError {
    /// The log holds 2^64 - 1 leaves.
    #[error("the log is full")]
    Full,
    /// The stored bytes are not a frontier.
    #[error("a frontier of {size} leaves does not take {bytes} bytes")]
    Encoding {
        /// The size that the bytes state, 0 if they are too short to state one.
        size: u64,
        /// The number of bytes found.
        bytes: usize,
    },
}

/// The compact range [0, size) of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frontier {
    suite: Suite,
    size: TreeSize,
    /// Roots of the complete subtrees, the largest (leftmost) first. Invariant: one per set bit of `size`.
    peaks: Vec<Hash>,
}

impl Frontier {
    /// The frontier of the empty tree.
    pub fn new(suite: Suite) -> Self {
        Self { suite, size: TreeSize::ZERO, peaks: Vec::new() }
    }

    /// From the roots of the complete subtrees, one per set bit of `size`, the largest first.
    pub(super) fn from_peaks(suite: Suite, size: TreeSize, peaks: Vec<Hash>) -> Self {
        debug_assert_eq!(peaks.len(), size.get().count_ones() as usize);
        Self { suite, size, peaks }
    }

    /// Whose hash the tree is made with.
    pub fn suite(&self) -> Suite {
        self.suite
    }

    /// The number of leaves.
    pub fn size(&self) -> TreeSize {
        self.size
    }

    /// The root of the tree; H("") while it is empty.
    pub fn root(&self) -> Hash {
        bag(self.suite, &self.peaks)
    }

    /// Appends a leaf with this content and returns its index. `completed` is called for the leaf itself (level 0) and then for each larger
    /// subtree that it completes, upwards: these are the nodes to store.
    pub fn append(&mut self, leaf: &[u8], mut completed: impl FnMut(NodeId, Hash)) -> Result<LeafIndex, FrontierError> {
        let index = self.size.get();
        let grown = self.size.next().ok_or(FrontierError::Full)?;
        let leaf_hash = leaf_hash(self.suite, leaf);
        completed(NodeId { level: 0, index }, leaf_hash);
        push(self.suite, &mut self.peaks, index, leaf_hash, completed);
        self.size = grown;
        Ok(LeafIndex::new(index))
    }

    /// The stored form.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(8 + 32 * self.peaks.len());
        bytes.extend_from_slice(&self.size.get().to_be_bytes());
        for peak in &self.peaks {
            bytes.extend_from_slice(peak.as_bytes());
        }
        bytes
    }

    /// Reads the stored form of a tree made with `suite`; any other length than the size asks for is refused.
    pub fn decode(suite: Suite, bytes: &[u8]) -> Result<Self, FrontierError> {
        let Some((size, rest)) = bytes.split_first_chunk::<8>() else {
            return Err(FrontierError::Encoding { size: 0, bytes: bytes.len() });
        };
        let size = u64::from_be_bytes(*size);
        let (chunks, tail) = rest.as_chunks::<32>();
        if !tail.is_empty() || chunks.len() != size.count_ones() as usize {
            return Err(FrontierError::Encoding { size, bytes: bytes.len() });
        }
        Ok(Self::from_peaks(suite, TreeSize::new(size), chunks.iter().map(|chunk| Hash(*chunk)).collect()))
    }
}

/// The root of a tree over leaf *contents*, in order, without building the tree: what [`super::InnerTree`] would say.
pub fn root_of_leaves<L: AsRef<[u8]>>(suite: Suite, leaves: impl IntoIterator<Item = L>) -> Hash {
    root_of_leaf_hashes(suite, leaves.into_iter().map(|leaf| leaf_hash(suite, leaf.as_ref())))
}

/// The same over leaf *hashes*.
pub fn root_of_leaf_hashes(suite: Suite, hashes: impl IntoIterator<Item = Hash>) -> Hash {
    let mut peaks = Vec::new();
    for (index, hash) in (0..).zip(hashes) {
        push(suite, &mut peaks, index, hash, |_, _| ());
    }
    bag(suite, &peaks)
}

/// Adds leaf `index` to the peaks of [0, index), merging what it completes.
fn push(suite: Suite, peaks: &mut Vec<Hash>, index: u64, leaf_hash: Hash, mut completed: impl FnMut(NodeId, Hash)) {
    let mut node = NodeId { level: 0, index };
    let mut hash = leaf_hash;
    while node.index & 1 == 1 {
        // An odd node's left sibling is complete, so it is the last peak.
        let Some(left) = peaks.pop() else { break };
        hash = node_hash(suite, &left, &hash);
        node = NodeId { level: node.level + 1, index: node.index >> 1 };
        completed(node, hash);
    }
    peaks.push(hash);
}

/// Peaks to root, from the smallest up.
fn bag(suite: Suite, peaks: &[Hash]) -> Hash {
    let mut peaks = peaks.iter().rev();
    let Some(smallest) = peaks.next() else { return empty_root(suite) };
    peaks.fold(*smallest, |right, left| node_hash(suite, left, &right))
}
