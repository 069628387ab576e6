//! A proof file (c2sp.org/tlog-proof): that an entry stands in a log, checked offline against a policy.
//!
//! ```text
//! c2sp.org/tlog-proof@v1
//! [extra <base64>]            not authenticated
//! index <n>
//! <base64 hash> ...           the leaf's sibling first
//! (empty line)
//! <checkpoint note verbatim, with signature lines>
//! ```
//!
//! Our own proofs have no `extra` line and are read by [`TlogProof::parse_without_extra`]: a part that nobody signs has no
//! place in a file that people keep as evidence.

use std::fmt;

use super::checkpoint::{Checkpoint, CheckpointError};
use super::policy::{Endorsement, Policy, PolicyError};
use super::signed_note::{NoteError, SignedNote};
use super::text::{base64, parse_base64, parse_decimal, parse_hash};
use crate::hash::Hash;
use crate::ids::LeafIndex;
use crate::limits::NOTE_BYTES_MAX;
use crate::merkle::{INCLUSION_HASHES_MAX, ProofError, verify_inclusion};
use crate::suite::Suite;

const MAGIC: &str = "c2sp.org/tlog-proof@v1";

/// A note at its limit, and as much again for the path and the extra data.
const PROOF_BYTES_MAX: usize = 2 * NOTE_BYTES_MAX;

/// Why a file is not a proof, or proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TlogProofError {
    /// The file breaks a rule of the format.
    #[error("not a proof file: {0}")]
    Format(&'static str),
    /// What stands after the path is not a signed note.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The note inside is not a checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The checkpoint inside does not satisfy the policy.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The path does not lead to the checkpoint's root.
    #[error(transparent)]
    Path(#[from] ProofError),
}

/// A parsed proof file. `Display` writes exactly the bytes that were parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlogProof {
    /// Opaque data that nobody has signed.
    pub extra: Option<Vec<u8>>,
    /// The entry's position in the log.
    pub index: LeafIndex,
    /// From the leaf's sibling to the root's child.
    pub path: Vec<Hash>,
    /// The signed checkpoint whose tree the path leads to.
    pub checkpoint: SignedNote,
}

impl TlogProof {
    /// Reads a proof file of the general form; nothing is verified.
    pub fn parse(bytes: &[u8]) -> Result<Self, TlogProofError> {
        let format = TlogProofError::Format;
        if bytes.len() > PROOF_BYTES_MAX {
            return Err(format("it is too large"));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| format("it is not UTF-8"))?;
        let (head, note) = text.split_once("\n\n").ok_or(format("it has no empty line"))?;
        let mut lines = head.split('\n').peekable();
        if lines.next() != Some(MAGIC) {
            return Err(format("it does not start with the format's name"));
        }
        let extra = match lines.next_if(|line| line.starts_with("extra ")) {
            None => None,
            Some(line) => Some(parse_base64(&line["extra ".len()..]).ok_or(format("extra is not base64"))?),
        };
        let index = lines.next().and_then(|line| line.strip_prefix("index "));
        let index = index.and_then(parse_decimal).ok_or(format("it has no index"))?;
        let mut path = Vec::new();
        for line in lines {
            if path.len() == INCLUSION_HASHES_MAX {
                return Err(format("the path is too long"));
            }
            path.push(parse_hash(line).ok_or(format("a path line is not the base64 of 32 bytes"))?);
        }
        let checkpoint = SignedNote::parse(note.as_bytes())?;
        Checkpoint::parse(checkpoint.text())?;
        let proof = Self { extra, index: LeafIndex::new(index), path, checkpoint };
        if proof.to_string() == text { Ok(proof) } else { Err(format("it is not in canonical form")) }
    }

    /// Reads a proof file and refuses unauthenticated extra data.
    pub fn parse_without_extra(bytes: &[u8]) -> Result<Self, TlogProofError> {
        let proof = Self::parse(bytes)?;
        if proof.extra.is_some() { Err(TlogProofError::Format("extra data is not accepted")) } else { Ok(proof) }
    }

    /// Checks that the leaf with this hash, in a log made with the hash of `suite`, stands at `index` of a log whose checkpoint
    /// satisfies `policy`. The extra data is not judged.
    pub fn verify(&self, suite: Suite, policy: &Policy, leaf_hash: &Hash) -> Result<Endorsement, TlogProofError> {
        let endorsement = policy.verify(&self.checkpoint)?;
        let checkpoint = &endorsement.checkpoint;
        verify_inclusion(suite, leaf_hash, self.index, checkpoint.size(), &self.path, &checkpoint.root())?;
        Ok(endorsement)
    }
}

impl fmt::Display for TlogProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{MAGIC}")?;
        if let Some(extra) = &self.extra {
            writeln!(f, "extra {}", base64(extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        self.path.iter().try_for_each(|hash| writeln!(f, "{}", base64(hash.as_bytes())))?;
        write!(f, "\n{}", self.checkpoint)
    }
}
