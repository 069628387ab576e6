//! Reading the status map at one version: its root, a value, a proof. Updating is in `update`.

use super::hashing::{empty_root, nibble, value_hash};
use super::proof::{End, StatusProof};
use super::record::{Branch, Child, HEAD_KEY, Place, Record, decode_head};
use crate::hash::Hash;
use crate::ids::Height;
use crate::suite::Suite;

/// A plain key-value store that holds the map's records.
///
/// Contract: returns what an update told the store to write, byte for byte; `None` for keys never written or pruned.
pub trait StatusReader {
    /// The store's own error.
    type Error;

    /// The record under an opaque key.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Self::Error>;
}

/// Why the map could not be read or updated. All but the last two mean a broken store: fatal to a node.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StatusError<E> {
    /// The store failed.
    #[error("the status map's store failed")]
    Reader(#[source] E),
    /// A record is missing: the version was never written, or it was pruned.
    #[error("status map record {key} is missing")]
    Missing {
        /// The record's key, in hex.
        key: String,
    },
    /// A record does not decode, or does not belong to its key.
    #[error("status map record {key} is corrupt")]
    Corrupt {
        /// The record's key, in hex.
        key: String,
    },
    /// The tree refused to update.
    #[error("the status map could not be updated: {0}")]
    Tree(String),
    /// One update may change a key once.
    #[error("status key {0} is changed twice in one update")]
    ChangedTwice(Hash),
    /// Versions only grow.
    #[error("version {next} does not follow version {base}")]
    VersionNotAfter {
        /// The version asked for.
        next: Height,
        /// The version that it should follow.
        base: Height,
    },
}

/// A key's value and the proof of it: `proof.verify(suite, &root, key, value.as_deref())` holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusLookup {
    /// The value; `None` if the key is not in the map.
    pub value: Option<Vec<u8>>,
    /// Proves the value or its absence.
    pub proof: StatusProof,
}

/// A closure `|key| store.get(key)` reads too.
impl<F, E> StatusReader for F
where
    F: Fn(&[u8]) -> Result<Option<Vec<u8>>, E>,
{
    type Error = E;

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, E> {
        self(key)
    }
}

/// What stands at a key's position, with the value if it is the key's own.
type Found = (Option<Vec<u8>>, End);

/// The map as of one version.
pub struct StatusMap<'a, R> {
    pub(super) suite: Suite,
    pub(super) reader: &'a R,
    pub(super) version: Option<Height>,
}

impl<'a, R: StatusReader> StatusMap<'a, R> {
    /// The map as the last committed update left it; empty if there was none.
    pub fn latest(suite: Suite, reader: &'a R) -> Result<Self, StatusError<R::Error>> {
        let head = reader.get(HEAD_KEY).map_err(StatusError::Reader)?.unwrap_or_default();
        let version = decode_head(&head).ok_or_else(|| StatusError::Corrupt { key: hex::encode(HEAD_KEY) })?;
        Ok(Self::at(suite, reader, version))
    }

    /// The map as of the version that an update returned (not pruned since); `None` is the empty map.
    pub fn at(suite: Suite, reader: &'a R, version: Option<Height>) -> Self {
        Self { suite, reader, version }
    }

    /// The version that is read; `None` for the empty map.
    pub fn version(&self) -> Option<Height> {
        self.version
    }

    /// The root: what a seal states.
    pub fn root(&self) -> Result<Hash, StatusError<R::Error>> {
        Ok(match self.version {
            None => empty_root(),
            Some(version) => read(self.suite, self.reader, &Place::root(version), None)?.hash(self.suite),
        })
    }

    /// The value at `key`, and the proof of it or of its absence.
    pub fn prove(&self, key: &Hash) -> Result<StatusLookup, StatusError<R::Error>> {
        let mut siblings = Vec::new();
        let (value, end) = match self.version {
            None => (None, End::Empty),
            Some(version) => self.descend(key, Place::root(version), &mut siblings)?,
        };
        siblings.reverse();
        Ok(StatusLookup { value, proof: StatusProof::new(end, siblings) })
    }

    /// Walks from the root towards `key`, collecting siblings from the top down.
    fn descend(&self, key: &Hash, mut place: Place, siblings: &mut Vec<Hash>) -> Result<Found, StatusError<R::Error>> {
        let mut expected = None;
        loop {
            let branch = match read(self.suite, self.reader, &place, expected.as_ref())? {
                Record::Leaf { key: own, value } if own == *key => return Ok((Some(value), End::Own)),
                Record::Leaf { key: other, value } => {
                    return Ok((None, End::Other { key: other, value_hash: value_hash(self.suite, &value) }));
                }
                Record::Branch(branch) => branch,
            };
            let Some((slot, child)) = narrow(self.suite, &branch, nibble(key, place.path.len()), siblings) else {
                return Ok((None, End::Empty));
            };
            place.path.push(slot);
            place.version = child.version;
            expected = Some(child);
        }
    }
}

/// Walks the four binary levels inside a branch towards `half`, and returns the child to go on with: the one in that slot,
/// or a leaf that has the rest of the walk's subtree for itself.
fn narrow(suite: Suite, branch: &Branch, half: u8, siblings: &mut Vec<Hash>) -> Option<(u8, Child)> {
    let (mut low, mut width) = (0usize, 16usize);
    loop {
        let slots = &branch.0[low..low + width];
        let mut children = (low..).zip(slots).filter_map(|(slot, child)| Some((slot, (*child)?)));
        let (slot, first) = children.next()?;
        if width == 1 || (first.is_leaf && children.next().is_none()) {
            return Some((slot as u8, first));
        }
        width /= 2;
        let (near, far) = if usize::from(half) & width == 0 { (low, low + width) } else { (low + width, low) };
        siblings.push(Branch::hash_of(suite, &branch.0[far..far + width]));
        low = near;
    }
}

/// Reads and checks one record; `expected` is what the branch above says of it.
pub(super) fn read<R: StatusReader>(
    suite: Suite,
    reader: &R,
    place: &Place,
    expected: Option<&Child>,
) -> Result<Record, StatusError<R::Error>> {
    let key = place.to_key();
    let bytes = reader.get(&key).map_err(StatusError::Reader)?;
    let bytes = bytes.ok_or_else(|| StatusError::Missing { key: hex::encode(&key) })?;
    let record = Record::decode(&bytes, place).filter(|record| expected.is_none_or(|child| child.is(suite, record)));
    record.ok_or_else(|| StatusError::Corrupt { key: hex::encode(&key) })
}
