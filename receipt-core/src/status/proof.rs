//! Proofs of presence and absence in the status map, their one encoding, and their strict verifier.
//!
//! ```text
//! end       u8           0: the key's position is empty
//!                        1: the key's own leaf stands there
//!                        2: another key's leaf stands there ‖ other key (32) ‖ H of its value (32)
//! count     u16 BE       at most 256
//! siblings  32 × count   from the bottom up; that at position i stands at depth count - i
//! ```
//!
//! Verifying: start with E, leaf(key, H(value)), or leaf(other key, other value hash); for each sibling, at depth d =
//! count, count - 1, … 1: if bit d - 1 of *the key asked about* is 1, hash := inner(sibling, hash), else inner(hash, sibling);
//! compare with the root. Refused besides: another key equal to the key, or that shares fewer than `count` bits with it; a
//! lowest sibling that is E (a subtree of at most one entry is never split).

use super::hashing::{bit, common_bits, empty_root, inner_hash, leaf_hash, value_hash};
use crate::hash::Hash;
use crate::suite::Suite;

/// A key has 256 bits, so no path is longer.
pub const STATUS_SIBLINGS_MAX: usize = 256;

/// Why a status proof is malformed or proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StatusProofError {
    /// The bytes are not an encoded proof.
    #[error("not a status proof: {0}")]
    Encoding(&'static str),
    /// A value was stated and the proof is of absence, or the other way round.
    #[error("the proof is of the other kind")]
    OtherKind,
    /// The other key does not stand where the key would.
    #[error("the other leaf does not stand in the key's place")]
    OtherLeafElsewhere,
    /// The lowest sibling is empty: no honest map has such a node.
    #[error("the lowest sibling is empty")]
    NotCanonical,
    /// The path leads to another root.
    #[error("the path leads to another root")]
    RootMismatch,
}

/// What stands at the key's position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// No leaf: the subtree at that place is empty.
    Empty,
    /// The key's own leaf.
    Own,
    /// The only leaf of that subtree, which is another key's.
    Other { key: Hash, value_hash: Hash },
}

/// A proof that a key has a given value, or none, under a root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusProof {
    end: End,
    siblings: Vec<Hash>,
}

impl StatusProof {
    /// `siblings` from the bottom up.
    pub(super) fn new(end: End, siblings: Vec<Hash>) -> Self {
        Self { end, siblings }
    }

    /// Whether the proof is one of presence. Says nothing until verified.
    pub fn is_of_presence(&self) -> bool {
        self.end == End::Own
    }

    /// Checks that under `root` the map has exactly `value` at `key`; `None` is absence.
    pub fn verify(&self, suite: Suite, root: &Hash, key: &Hash, value: Option<&[u8]>) -> Result<(), StatusProofError> {
        let count = self.siblings.len();
        let mut hash = match (self.end, value) {
            (End::Own, Some(value)) => leaf_hash(suite, key, &value_hash(suite, value)),
            (End::Empty, None) => empty_root(),
            (End::Other { key: other, value_hash }, None) => {
                if other == *key || common_bits(&other, key) < count {
                    return Err(StatusProofError::OtherLeafElsewhere);
                }
                leaf_hash(suite, &other, &value_hash)
            }
            _ => return Err(StatusProofError::OtherKind),
        };
        if count > STATUS_SIBLINGS_MAX {
            return Err(StatusProofError::Encoding("there are too many siblings"));
        }
        if self.siblings.first() == Some(&empty_root()) {
            return Err(StatusProofError::NotCanonical);
        }
        for (sibling, depth) in self.siblings.iter().zip((0..count).rev()) {
            hash = if bit(key, depth) { inner_hash(suite, sibling, &hash) } else { inner_hash(suite, &hash, sibling) };
        }
        if hash == *root { Ok(()) } else { Err(StatusProofError::RootMismatch) }
    }

    /// The canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(3 + 64 + 32 * self.siblings.len());
        match self.end {
            End::Empty => bytes.push(0),
            End::Own => bytes.push(1),
            End::Other { key, value_hash } => {
                bytes.push(2);
                bytes.extend_from_slice(key.as_bytes());
                bytes.extend_from_slice(value_hash.as_bytes());
            }
        }
        // At most 256 by construction and by `decode`.
        bytes.extend_from_slice(&(self.siblings.len() as u16).to_be_bytes());
        for sibling in &self.siblings {
            bytes.extend_from_slice(sibling.as_bytes());
        }
        bytes
    }

    /// Reads canonical bytes; nothing is verified.
    pub fn decode(bytes: &[u8]) -> Result<Self, StatusProofError> {
        let short = StatusProofError::Encoding("it ends early");
        let (end, rest) = bytes.split_first().ok_or(short)?;
        let (end, rest) = match end {
            0 => (End::Empty, rest),
            1 => (End::Own, rest),
            2 => {
                let (key, rest) = rest.split_first_chunk::<32>().ok_or(short)?;
                let (value_hash, rest) = rest.split_first_chunk::<32>().ok_or(short)?;
                (End::Other { key: Hash(*key), value_hash: Hash(*value_hash) }, rest)
            }
            _ => return Err(StatusProofError::Encoding("its end is of no known kind")),
        };
        let (count, rest) = rest.split_first_chunk::<2>().ok_or(short)?;
        let count = usize::from(u16::from_be_bytes(*count));
        let (siblings, tail) = rest.as_chunks::<32>();
        if count > STATUS_SIBLINGS_MAX || siblings.len() != count || !tail.is_empty() {
            return Err(StatusProofError::Encoding("the siblings do not fit their count"));
        }
        Ok(Self { end, siblings: siblings.iter().map(|sibling| Hash(*sibling)).collect() })
    }
}
