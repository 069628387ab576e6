//! The stored form of the status map: one record per node of a tree that branches sixteen ways (four bits at a time).
//!
//! ```text
//! "head"   the last version u64 BE, or nothing if the map is empty: the only record that is ever written again
//! key      version u64 BE ‖ path length in half-bytes u8 ‖ path, two half-bytes per byte, the last padded with 0
//! leaf     0x01 ‖ key (32) ‖ value
//! branch   0x02 ‖ children u16 BE ‖ leaves among them u16 BE (bit 15 = child 0) ‖ per child: hash (32) ‖ version u64 BE
//! ```
//!
//! Invariants: a branch has two children or more, or one that is not a leaf; a record is used only if it hashes to what the branch
//! above it says, so a damaged store is an error and never a wrong proof (the root is compared with a seal). Records of one version
//! stand together, so a block's update is one run of keys.

use super::hashing::{empty_root, inner_hash, leaf_hash, nibble, value_hash};
use crate::hash::Hash;
use crate::ids::Height;
use crate::suite::Suite;

/// The key of the record that names the last version; node keys have at least nine bytes.
pub(super) const HEAD_KEY: &[u8] = b"head";

/// The head record for a version; `None` is the empty map.
pub(super) fn encode_head(version: Option<Height>) -> Vec<u8> {
    version.map(|version| version.get().to_be_bytes().to_vec()).unwrap_or_default()
}

/// Reads a head record; the outer `None` means that it is not one.
pub(super) fn decode_head(bytes: &[u8]) -> Option<Option<Height>> {
    if bytes.is_empty() {
        return Some(None);
    }
    bytes.try_into().ok().map(|version| Some(Height::new(u64::from_be_bytes(version))))
}

/// Where a node stands: the version that wrote it, and the half-bytes that lead to it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) version: Height,
    pub(super) path: Vec<u8>,
}

impl Place {
    pub(super) fn root(version: Height) -> Self {
        Self { version, path: Vec::new() }
    }

    pub(super) fn to_key(&self) -> Vec<u8> {
        let mut key = Vec::with_capacity(9 + self.path.len().div_ceil(2));
        key.extend_from_slice(&self.version.get().to_be_bytes());
        // A path has at most 64 half-bytes.
        key.push(self.path.len() as u8);
        key.extend(self.path.chunks(2).map(|pair| pair[0] << 4 | pair.get(1).copied().unwrap_or(0)));
        key
    }
}

/// A branch's pointer to a node one half-byte below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Child {
    pub(super) hash: Hash,
    pub(super) version: Height,
    pub(super) is_leaf: bool,
}

/// Sixteen slots, by half-byte.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Branch(pub(super) Box<[Option<Child>; 16]>);

/// A stored node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Record {
    Leaf { key: Hash, value: Vec<u8> },
    Branch(Branch),
}

impl Child {
    /// Whether a record is the one this child points to.
    pub(super) fn is(&self, suite: Suite, record: &Record) -> bool {
        self.is_leaf == matches!(record, Record::Leaf { .. }) && self.hash == record.hash(suite)
    }
}

impl Record {
    pub(super) fn hash(&self, suite: Suite) -> Hash {
        match self {
            Self::Leaf { key, value } => leaf_hash(suite, key, &value_hash(suite, value)),
            Self::Branch(Branch(children)) => Branch::hash_of(suite, children.as_slice()),
        }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        match self {
            Self::Leaf { key, value } => [&[0x01], key.as_bytes().as_slice(), value].concat(),
            Self::Branch(Branch(children)) => {
                let bits = |wanted: fn(&Child) -> bool| {
                    children.iter().fold(0u16, |bits, child| bits << 1 | u16::from(child.as_ref().is_some_and(wanted)))
                };
                let mut bytes = vec![0x02];
                bytes.extend_from_slice(&bits(|_| true).to_be_bytes());
                bytes.extend_from_slice(&bits(|child| child.is_leaf).to_be_bytes());
                for child in children.iter().flatten() {
                    bytes.extend_from_slice(child.hash.as_bytes());
                    bytes.extend_from_slice(&child.version.get().to_be_bytes());
                }
                bytes
            }
        }
    }

    /// Reads the record stored at `place`; `None` if it is not one, or one of another place.
    pub(super) fn decode(bytes: &[u8], place: &Place) -> Option<Self> {
        let (tag, rest) = bytes.split_first()?;
        match tag {
            0x01 => {
                let (key, value) = rest.split_first_chunk::<32>()?;
                let key = Hash(*key);
                let stands_here = (0..).zip(&place.path).all(|(depth, half)| nibble(&key, depth) == *half);
                stands_here.then(|| Self::Leaf { key, value: value.to_vec() })
            }
            0x02 => Self::decode_branch(rest, place),
            _ => None,
        }
    }

    fn decode_branch(bytes: &[u8], place: &Place) -> Option<Self> {
        let (present, rest) = bytes.split_first_chunk::<2>()?;
        let (leaves, rest) = rest.split_first_chunk::<2>()?;
        let (present, leaves) = (u16::from_be_bytes(*present), u16::from_be_bytes(*leaves));
        let (slots, tail) = rest.as_chunks::<40>();
        let lone_leaf = present.count_ones() == 1 && leaves != 0;
        let well_formed = slots.len() == present.count_ones() as usize && tail.is_empty() && leaves & !present == 0;
        if !well_formed || slots.is_empty() || lone_leaf || place.path.len() >= 64 {
            return None;
        }
        let mut children = Branch::default();
        let mut slots = slots.iter();
        for (position, child) in children.0.iter_mut().enumerate() {
            let bit = 0x8000 >> position;
            if present & bit != 0 {
                let slot = slots.next()?;
                let (hash, version) = slot.split_first_chunk::<32>()?;
                let version = Height::new(u64::from_be_bytes(version.try_into().ok()?));
                *child = Some(Child { hash: Hash(*hash), version, is_leaf: leaves & bit != 0 });
            }
        }
        Some(Self::Branch(children))
    }
}

impl Branch {
    /// The hash of the binary subtree over a power of two of neighbouring slots.
    pub(super) fn hash_of(suite: Suite, slots: &[Option<Child>]) -> Hash {
        let mut children = slots.iter().flatten();
        match (children.next(), children.next()) {
            (None, _) => empty_root(),
            (Some(only), None) if only.is_leaf || slots.len() == 1 => only.hash,
            _ => {
                let (left, right) = slots.split_at(slots.len() / 2);
                inner_hash(suite, &Self::hash_of(suite, left), &Self::hash_of(suite, right))
            }
        }
    }
}
