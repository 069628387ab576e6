//! How the complete subtrees of the outer log are named, and which of them make up a range of leaves.
//!
//! A node (level, index) is the root of the *complete* subtree over leaves [index·2^level, (index+1)·2^level).
//!
//! ```text
//! size 7:      level 2:  [ 0 ............ 3 ]
//!              level 1:  [ 0 .. 1 ][ 2 .. 3 ][ 4 .. 5 ]
//!              level 0:  0    1    2    3    4    5    6        peaks: (2,0) (1,2) (0,6)
//! ```

/// Names a complete subtree of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId {
    /// log2 of the number of leaves below, 0 for a leaf.
    pub level: u8,
    /// Position among the subtrees of this level, from the left.
    pub index: u64,
}

impl NodeId {
    /// A store's key: `level u8 ‖ index u64 BE`. The hashes of a tile are consecutive under it.
    pub fn to_key(self) -> [u8; 9] {
        let mut key = [self.level; 9];
        key[1..].copy_from_slice(&self.index.to_be_bytes());
        key
    }
}

/// The complete subtrees that make up [low, high), from the left. `low` is a multiple of a power of two ≥ `high - low`.
pub(super) fn peaks_of(low: u64, high: u64) -> impl Iterator<Item = NodeId> {
    let count = high - low;
    let mut start = low;
    (0..64u8).rev().filter(move |level| count >> level & 1 == 1).map(move |level| {
        let node = NodeId { level, index: start >> level };
        start += 1 << level;
        node
    })
}
