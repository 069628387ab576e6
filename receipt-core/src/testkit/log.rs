//! The outer log in memory.

use std::collections::HashMap;
use std::convert::Infallible;

use crate::hash::Hash;
use crate::ids::{LeafIndex, TreeSize};
use crate::merkle::{Frontier, NodeId, NodeReader, consistency_path, inclusion_path, root_at};
use crate::suite::Suite;

/// All complete subtrees of the log.
#[derive(Debug)]
pub struct TestLog {
    frontier: Frontier,
    nodes: HashMap<NodeId, Hash>,
}

impl NodeReader for TestLog {
    type Error = Infallible;

    fn suite(&self) -> Suite {
        self.frontier.suite()
    }

    fn node(&self, id: NodeId) -> Result<Hash, Infallible> {
        Ok(*self.nodes.get(&id).expect("a node of the log"))
    }
}

impl TestLog {
    /// The empty log of a chain of `suite`.
    pub(super) fn new(suite: Suite) -> Self {
        Self { frontier: Frontier::new(suite), nodes: HashMap::new() }
    }

    /// Appends an entry.
    pub(super) fn append(&mut self, entry: &[u8]) {
        let nodes = &mut self.nodes;
        self.frontier
            .append(entry, |id, hash| {
                nodes.insert(id, hash);
            })
            .unwrap();
    }

    /// Leaves so far.
    pub fn size(&self) -> u64 {
        self.frontier.size().get()
    }

    /// The root at a size.
    pub fn root(&self, size: u64) -> Hash {
        root_at(self, TreeSize::new(size)).unwrap()
    }

    /// The inclusion path of a leaf at a size.
    pub fn inclusion(&self, index: u64, size: u64) -> Vec<Hash> {
        inclusion_path(self, LeafIndex::new(index), TreeSize::new(size)).unwrap()
    }

    /// The consistency path between two sizes.
    pub fn consistency(&self, first: u64, second: u64) -> Vec<Hash> {
        consistency_path(self, TreeSize::new(first), TreeSize::new(second)).unwrap()
    }
}
