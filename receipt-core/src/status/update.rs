//! Updating the status map. The only file that names `jmt`.
//!
//! `jmt` works out which nodes change; it is given records through [`Source`], and its new nodes are written in our record
//! form. It expects a root at *every* version, while ours exist only where something changed: [`Source`] answers for the
//! version before the new one with the root of the last version there is.
//!
//! Every record is checked before `jmt` sees it, because it asserts on trees that no update can have made: its form, its
//! place, and that it is what the branch above it says.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::marker::PhantomData;

use borsh::BorshDeserialize;
use jmt::storage::{LeafNode, Node, NodeKey, TreeReader};
use jmt::{JellyfishMerkleTree, KeyHash, OwnedValue, SimpleHasher, Version};

use super::hashing::{empty_root, value_hash};
use super::map::{StatusError, StatusMap, StatusReader, read};
use super::record::{Branch, Child, HEAD_KEY, Place, Record, encode_head};
use crate::hash::Hash;
use crate::ids::Height;
use crate::suite::Suite;
use crate::suite::hashing::{Hasher, StaticSuite, with_static_suite};

/// What a block does to the map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusUpdate {
    /// The root afterwards.
    pub root: Hash,
    /// The version to read from afterwards: the new one; the old one if nothing changed; `None` if the map is empty.
    pub version: Option<Height>,
    /// Records to write, in ascending order of keys; empty if nothing changed.
    pub nodes: Vec<(Vec<u8>, Vec<u8>)>,
    /// Keys of records that this and later versions do not use.
    pub stale: Vec<Vec<u8>>,
}

impl<R: StatusReader> StatusMap<'_, R> {
    /// Sets (`Some`) and removes (`None`) keys, making version `next`. Nothing is written: the caller commits `nodes` with
    /// the block, and prunes `stale` when it likes. The outcome does not depend on the order of `changes`.
    pub fn update(
        &self,
        next: Height,
        changes: &[(Hash, Option<Vec<u8>>)],
    ) -> Result<StatusUpdate, StatusError<R::Error>> {
        if let Some(base) = self.version.filter(|base| *base >= next) {
            return Err(StatusError::VersionNotAfter { next, base });
        }
        let mut by_key = BTreeMap::new();
        for (key, value) in changes {
            if by_key.insert(KeyHash(key.0), value.clone()).is_some() {
                return Err(StatusError::ChangedTwice(*key));
            }
        }
        let source = Source::new(self, next.get().checked_sub(1));
        let outcome = with_static_suite!(self.suite, S => {
            JellyfishMerkleTree::<_, SuiteHasher<S>>::new(&source).put_value_set(by_key.clone(), next.get())
        });
        let (root, batch) = outcome.map_err(|error| source.failure(&error))?;
        let root = Hash(root.0);
        if root == self.root()? {
            return Ok(StatusUpdate { root, version: self.version, nodes: Vec::new(), stale: Vec::new() });
        }
        let stale = batch.stale_node_index_batch.iter().map(|index| source.place(&index.node_key).to_key()).collect();
        if root == empty_root() {
            let nodes = vec![(HEAD_KEY.to_vec(), encode_head(None))];
            return Ok(StatusUpdate { root, version: None, nodes, stale });
        }
        let mut nodes = Vec::with_capacity(batch.node_batch.nodes().len() + 1);
        nodes.push((HEAD_KEY.to_vec(), encode_head(Some(next))));
        for (key, node) in batch.node_batch.nodes() {
            let record = source.record(node, &by_key).ok_or_else(|| StatusError::Tree(format!("made {node:?}")))?;
            nodes.push((source.place(key).to_key(), record.encode()));
        }
        nodes.sort_unstable();
        Ok(StatusUpdate { root, version: Some(next), nodes, stale })
    }
}

/// A suite's hash as `jmt` takes it.
struct SuiteHasher<S>(Hasher, PhantomData<S>);

impl<S: StaticSuite> SimpleHasher for SuiteHasher<S> {
    fn new() -> Self {
        Self(S::SUITE.hasher(), PhantomData)
    }

    fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    fn finalize(self) -> [u8; 32] {
        self.0.finish().0
    }
}

/// The map's records as `jmt` wants to read them.
struct Source<'a, R: StatusReader> {
    suite: Suite,
    reader: &'a R,
    base: Option<Height>,
    /// The version before the new one, at which `jmt` looks for the root.
    root_alias: Option<Version>,
    /// The values of all leaves read: `jmt` knows only their hashes, and a leaf that moves takes its value along.
    values: RefCell<BTreeMap<KeyHash, Vec<u8>>>,
    /// What the branches read so far say of their children, which are read after them.
    expected: RefCell<BTreeMap<Place, Child>>,
    /// The typed error behind the untyped one that `jmt` hands back.
    failed: RefCell<Option<StatusError<R::Error>>>,
}

impl<'a, R: StatusReader> Source<'a, R> {
    fn new(map: &StatusMap<'a, R>, root_alias: Option<Version>) -> Self {
        let (reader, base) = (map.reader, map.version);
        Self {
            suite: map.suite,
            reader,
            base,
            root_alias,
            values: RefCell::default(),
            expected: RefCell::default(),
            failed: RefCell::default(),
        }
    }

    fn failure(&self, error: &anyhow::Error) -> StatusError<R::Error> {
        self.failed.take().unwrap_or_else(|| StatusError::Tree(format!("{error:#}")))
    }

    fn place(&self, key: &NodeKey) -> Place {
        let path: Vec<u8> = key.nibble_path().nibbles().map(u8::from).collect();
        match self.base {
            Some(base) if path.is_empty() && Some(key.version()) == self.root_alias => Place::root(base),
            _ => Place { version: Height::new(key.version()), path },
        }
    }

    /// Our record of a new node; `None` for what no update makes (an empty node, a leaf without value).
    fn record(&self, node: &Node, changes: &BTreeMap<KeyHash, Option<Vec<u8>>>) -> Option<Record> {
        match node {
            Node::Null => None,
            Node::Leaf(leaf) => {
                let key = leaf.key_hash();
                let value = match changes.get(&key) {
                    Some(changed) => changed.clone()?,
                    None => self.values.borrow().get(&key)?.clone(),
                };
                Some(Record::Leaf { key: Hash(key.0), value })
            }
            Node::Internal(node) => {
                let mut branch = Branch::default();
                for (slot, child) in node.children_sorted() {
                    let version = Height::new(child.version);
                    branch.0[slot.as_usize()] =
                        Some(Child { hash: Hash(child.hash), version, is_leaf: child.is_leaf() });
                }
                Some(Record::Branch(branch))
            }
        }
    }

    fn read(&self, place: &Place) -> Result<Node, StatusError<R::Error>> {
        let expected = self.expected.borrow().get(place).copied();
        let record = read(self.suite, self.reader, place, expected.as_ref())?;
        let node = Node::try_from_slice(&to_borsh(self.suite, &record));
        let node = node.map_err(|_| StatusError::Corrupt { key: hex::encode(place.to_key()) })?;
        match record {
            Record::Leaf { key, value } => {
                self.values.borrow_mut().insert(KeyHash(key.0), value);
            }
            Record::Branch(Branch(children)) => {
                let children = (0u8..).zip(*children).filter_map(|(slot, child)| {
                    let child = child?;
                    let path = [place.path.as_slice(), &[slot]].concat();
                    Some((Place { version: child.version, path }, child))
                });
                self.expected.borrow_mut().extend(children);
            }
        }
        Ok(node)
    }
}

/// A record as `jmt` encodes its nodes: the only way to hand it one, because its branch type is private.
fn to_borsh(suite: Suite, record: &Record) -> Vec<u8> {
    match record {
        Record::Leaf { key, value } => [&[2], key.as_bytes().as_slice(), value_hash(suite, value).as_bytes()].concat(),
        Record::Branch(Branch(children)) => {
            let mut bytes = vec![1];
            for child in children.iter() {
                let Some(child) = child else {
                    bytes.push(0);
                    continue;
                };
                bytes.push(1);
                bytes.extend_from_slice(child.hash.as_bytes());
                bytes.extend_from_slice(&child.version.get().to_le_bytes());
                match child.is_leaf {
                    true => bytes.push(0),
                    // The count of leaves below is for statistics only, and not kept by us.
                    false => bytes.extend_from_slice(&[1, 0, 0, 0, 0, 0, 0, 0, 0]),
                }
            }
            let present = children.iter().flatten().count() as u64;
            bytes.extend_from_slice(&present.to_le_bytes());
            bytes.extend_from_slice(&0u64.to_le_bytes());
            bytes
        }
    }
}

impl<R: StatusReader> TreeReader for Source<'_, R> {
    fn get_node_option(&self, key: &NodeKey) -> anyhow::Result<Option<Node>> {
        if key.nibble_path().is_empty() {
            match self.base {
                // The empty map has no records, but `jmt` wants its root.
                None => return Ok((Some(key.version()) == self.root_alias).then_some(Node::Null)),
                // `jmt` asks for roots of other versions too; only that of the base is needed.
                Some(_) if Some(key.version()) != self.root_alias => return Ok(None),
                Some(_) => {}
            }
        }
        self.read(&self.place(key)).map(Some).map_err(|error| {
            self.failed.replace(Some(error));
            anyhow::anyhow!("a record could not be read")
        })
    }

    fn get_value_option(&self, _: Version, key: KeyHash) -> anyhow::Result<Option<OwnedValue>> {
        Ok(self.values.borrow().get(&key).cloned())
    }

    fn get_rightmost_leaf(&self) -> anyhow::Result<Option<(NodeKey, LeafNode)>> {
        anyhow::bail!("the status map is not restored through its tree")
    }
}

/// What `jmt` itself says of a key, by its own prover and verifier: its value, and its proof as it encodes it.
#[cfg(test)]
pub(super) fn prove_by_jmt<R: StatusReader>(
    suite: Suite,
    reader: &R,
    version: Height,
    key: &Hash,
) -> (Option<Vec<u8>>, Vec<u8>) {
    let source = Source::new(&StatusMap::at(suite, reader, Some(version)), Some(version.get()));
    with_static_suite!(suite, S => {
        let tree = JellyfishMerkleTree::<_, SuiteHasher<S>>::new(&source);
        let (value, proof) = tree.get_with_proof(KeyHash(key.0), version.get()).expect("jmt proves");
        let root = tree.get_root_hash(version.get()).expect("jmt has the root");
        proof.verify(root, KeyHash(key.0), value.as_ref()).expect("jmt verifies itself");
        (value, borsh::to_vec(&proof).expect("jmt encodes"))
    })
}
