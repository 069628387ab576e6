//! The one strict verifier of Merkle paths (RFC 9162 §2.1.3.2 and §2.1.4.2), for batches, bodies and the log.
//!
//! Strict: a missing, an extra and a wrong hash are all refused, and an index at or beyond the size too. It is pure, and
//! checking allocates nothing. Size and suite must come from something signed.

use super::hasher::node_hash;
use crate::hash::Hash;
use crate::ids::{LeafIndex, TreeSize};
use crate::suite::Suite;

/// No path in a tree of at most 2^64 - 1 leaves has more hashes; readers refuse longer lists unread.
pub const INCLUSION_HASHES_MAX: usize = 64;

/// Why a path proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The leaf index is not below the tree size.
    #[error("leaf index {index} is not inside a tree of {size} leaves")]
    IndexBeyondSize {
        /// The index asked about.
        index: LeafIndex,
        /// The size of the tree.
        size: TreeSize,
    },
    /// A consistency proof must lead from a non-empty tree to one at least as large.
    #[error("no consistency proof leads from size {first} to size {second}")]
    SizesOutOfOrder {
        /// The older size.
        first: TreeSize,
        /// The newer size.
        second: TreeSize,
    },
    /// The path has more hashes than this index and size need.
    #[error("the path has too many hashes")]
    PathTooLong,
    /// The path has fewer hashes than this index and size need.
    #[error("the path has too few hashes")]
    PathTooShort,
    /// The path leads to another root than the given one (for consistency: to another older or newer root).
    #[error("the path leads to another root")]
    RootMismatch,
}

/// Checks that the leaf with `leaf_hash` stands at `index` of the tree with `size` leaves and `root` (RFC 9162 §2.1.3.2).
/// `path` starts with the leaf's sibling.
pub fn verify_inclusion(
    suite: Suite,
    leaf_hash: &Hash,
    index: LeafIndex,
    size: TreeSize,
    path: &[Hash],
    root: &Hash,
) -> Result<(), ProofError> {
    let computed = root_from_inclusion(suite, leaf_hash, index, size, path)?;
    if computed == *root { Ok(()) } else { Err(ProofError::RootMismatch) }
}

/// The root to which a well-formed path leads. Proves nothing until it is compared with a signed root.
pub fn root_from_inclusion(
    suite: Suite,
    leaf_hash: &Hash,
    index: LeafIndex,
    size: TreeSize,
    path: &[Hash],
) -> Result<Hash, ProofError> {
    climb(suite, leaf_hash, index, size, path, |_| {})
}

/// One step of a way through a tree: two nodes and the one above them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PathStep {
    /// The node that the path brings along.
    pub sibling: Hash,
    /// Whether it stands left of the node that was computed.
    pub sibling_is_left: bool,
    /// The node above both.
    pub parent: Hash,
}

/// The steps of [`root_from_inclusion`], the last one's parent being the root; none in a tree of one leaf.
pub fn inclusion_steps(
    suite: Suite,
    leaf_hash: &Hash,
    index: LeafIndex,
    size: TreeSize,
    path: &[Hash],
) -> Result<Vec<PathStep>, ProofError> {
    let mut steps = Vec::new();
    climb(suite, leaf_hash, index, size, path, |step| steps.push(step))?;
    Ok(steps)
}

fn climb(
    suite: Suite,
    leaf_hash: &Hash,
    index: LeafIndex,
    size: TreeSize,
    path: &[Hash],
    mut each: impl FnMut(PathStep),
) -> Result<Hash, ProofError> {
    if index.get() >= size.get() {
        return Err(ProofError::IndexBeyondSize { index, size });
    }
    let (mut node, mut last) = (index.get(), size.get() - 1);
    let mut root = *leaf_hash;
    for sibling in path {
        if last == 0 {
            return Err(ProofError::PathTooLong);
        }
        let sibling_is_left = node & 1 == 1 || node == last;
        if sibling_is_left {
            root = node_hash(suite, sibling, &root);
            skip_promoted(&mut node, &mut last);
        } else {
            root = node_hash(suite, &root, sibling);
        }
        each(PathStep { sibling: *sibling, sibling_is_left, parent: root });
        node >>= 1;
        last >>= 1;
    }
    if last == 0 { Ok(root) } else { Err(ProofError::PathTooShort) }
}

/// Checks that the tree (`first`, `first_root`) is a prefix of the tree (`second`, `second_root`) (RFC 9162 §2.1.4.2).
/// Equal sizes need an empty path and equal roots. An older tree of size 0 is refused: it needs no proof.
pub fn verify_consistency(
    suite: Suite,
    first: TreeSize,
    first_root: &Hash,
    second: TreeSize,
    second_root: &Hash,
    path: &[Hash],
) -> Result<(), ProofError> {
    if first == TreeSize::ZERO || first > second {
        return Err(ProofError::SizesOutOfOrder { first, second });
    }
    if first == second {
        return match (path.is_empty(), first_root == second_root) {
            (false, _) => Err(ProofError::PathTooLong),
            (true, false) => Err(ProofError::RootMismatch),
            (true, true) => Ok(()),
        };
    }
    // A complete older tree is itself the first node of the path, and is left out of it.
    let (seed, rest) = if first.get().is_power_of_two() {
        (first_root, path)
    } else {
        path.split_first().ok_or(ProofError::PathTooShort)?
    };
    let (mut node, mut last) = (first.get() - 1, second.get() - 1);
    while node & 1 == 1 {
        node >>= 1;
        last >>= 1;
    }
    let (mut old, mut new) = (*seed, *seed);
    for hash in rest {
        if last == 0 {
            return Err(ProofError::PathTooLong);
        }
        if node & 1 == 1 || node == last {
            old = node_hash(suite, hash, &old);
            new = node_hash(suite, hash, &new);
            skip_promoted(&mut node, &mut last);
        } else {
            new = node_hash(suite, &new, hash);
        }
        node >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(ProofError::PathTooShort);
    }
    if old == *first_root && new == *second_root { Ok(()) } else { Err(ProofError::RootMismatch) }
}

/// On the right edge of the tree a node without a sibling rises unchanged: those levels take no hash of the path.
fn skip_promoted(node: &mut u64, last: &mut u64) {
    while *node & 1 == 0 && *node != 0 {
        *node >>= 1;
        *last >>= 1;
    }
}
