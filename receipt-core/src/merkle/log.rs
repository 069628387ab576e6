//! Roots and proofs of the outer log, for any size it has ever had, from its stored complete subtrees.
//!
//! Complete subtrees ([`NodeId`]) never change, so a store writes each once (about two per leaf, as [`super::Frontier::append`]
//! reports them) and never touches it again. Every root, inclusion path and consistency path of every size reads O(log n) of them.
//!
//! Not here: what a leaf means, who signed the root, and checking (`verify`).

use super::frontier::Frontier;
use super::hasher::{empty_root, node_hash};
use super::node::{NodeId, peaks_of};
use crate::hash::Hash;
use crate::ids::{LeafIndex, TreeSize};
use crate::suite::Suite;

/// Reads stored complete subtrees.
///
/// Contract: only nodes that are complete at the size given to the calling function are asked for; a missing one is the
/// reader's error (a torn store, a size that the log never had), never a made-up hash.
pub trait NodeReader {
    /// The reader's own error.
    type Error;

    /// The suite whose hash the nodes were made with.
    fn suite(&self) -> Suite;

    /// The hash of the complete subtree `id`.
    fn node(&self, id: NodeId) -> Result<Hash, Self::Error>;
}

/// Why no root or proof could be computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LogError<E> {
    /// The leaf index is not below the size.
    #[error("leaf index {index} is not inside a log of {size} leaves")]
    IndexBeyondSize {
        /// The index asked about.
        index: LeafIndex,
        /// The size asked about.
        size: TreeSize,
    },
    /// Consistency leads from a non-empty log to one at least as large.
    #[error("no consistency proof leads from size {first} to size {second}")]
    SizesOutOfOrder {
        /// The older size.
        first: TreeSize,
        /// The newer size.
        second: TreeSize,
    },
    /// A node could not be read.
    #[error("a node of the log could not be read")]
    Reader(#[source] E),
}

/// The root of the log at `size`.
pub fn root_at<R: NodeReader>(reader: &R, size: TreeSize) -> Result<Hash, LogError<R::Error>> {
    if size == TreeSize::ZERO {
        return Ok(empty_root(reader.suite()));
    }
    range_root(reader, 0, size.get())
}

/// The frontier of the log at `size`: to append again after a restart or a roll-back.
pub fn frontier_at<R: NodeReader>(reader: &R, size: TreeSize) -> Result<Frontier, LogError<R::Error>> {
    let mut peaks = Vec::new();
    for node in peaks_of(0, size.get()) {
        peaks.push(reader.node(node).map_err(LogError::Reader)?);
    }
    Ok(Frontier::from_peaks(reader.suite(), size, peaks))
}

/// The inclusion path of leaf `index` in the log at `size`, the leaf's sibling first (RFC 6962 §2.1.1).
pub fn inclusion_path<R: NodeReader>(
    reader: &R,
    index: LeafIndex,
    size: TreeSize,
) -> Result<Vec<Hash>, LogError<R::Error>> {
    if index.get() >= size.get() {
        return Err(LogError::IndexBeyondSize { index, size });
    }
    let mut path = Vec::new();
    let (mut low, mut high) = (0, size.get());
    while high - low > 1 {
        let middle = low + split(high - low);
        if index.get() < middle {
            path.push(range_root(reader, middle, high)?);
            high = middle;
        } else {
            path.push(range_root(reader, low, middle)?);
            low = middle;
        }
    }
    path.reverse();
    Ok(path)
}

/// The consistency path from the log at `first` to the log at `second` (RFC 6962 §2.1.2).
pub fn consistency_path<R: NodeReader>(
    reader: &R,
    first: TreeSize,
    second: TreeSize,
) -> Result<Vec<Hash>, LogError<R::Error>> {
    if first == TreeSize::ZERO || first > second {
        return Err(LogError::SizesOutOfOrder { first, second });
    }
    let mut path = Vec::new();
    let (mut low, mut high) = (0, second.get());
    // The older tree ends at `first`; walk down until the range ends there too.
    while high != first.get() {
        let middle = low + split(high - low);
        if first.get() <= middle {
            path.push(range_root(reader, middle, high)?);
            high = middle;
        } else {
            path.push(range_root(reader, low, middle)?);
            low = middle;
        }
    }
    // If that range starts at 0 it is the whole older tree, whose root the verifier has.
    if low != 0 {
        path.push(range_root(reader, low, high)?);
    }
    path.reverse();
    Ok(path)
}

/// The largest power of two below `count` (> 1).
fn split(count: u64) -> u64 {
    1 << (63 - (count - 1).leading_zeros())
}

fn range_root<R: NodeReader>(reader: &R, low: u64, high: u64) -> Result<Hash, LogError<R::Error>> {
    let nodes: Vec<NodeId> = peaks_of(low, high).collect();
    let mut root: Option<Hash> = None;
    for node in nodes.into_iter().rev() {
        let left = reader.node(node).map_err(LogError::Reader)?;
        root = Some(root.map_or(left, |right| node_hash(reader.suite(), &left, &right)));
    }
    Ok(root.unwrap_or_else(|| empty_root(reader.suite())))
}
