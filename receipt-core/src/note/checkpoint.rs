//! A checkpoint (c2sp.org/tlog-checkpoint): the text by which a log commits to its tree.
//!
//! ```text
//! <origin>\n
//! <size, decimal>\n
//! <base64 of the root>\n
//! ```
//!
//! Extension lines are allowed by the specification, discouraged by it, and refused here.

use std::fmt;

use super::text::{base64, has_control_character, parse_decimal, parse_hash};
use crate::hash::Hash;
use crate::ids::TreeSize;

/// Why a text is not a checkpoint of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a checkpoint: {problem}")]
pub struct CheckpointError {
    /// What is wrong with it.
    pub problem: &'static str,
}

/// A log's origin, size and root. `Display` writes the text that is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    origin: String,
    size: TreeSize,
    root: Hash,
}

impl Checkpoint {
    /// A checkpoint; the origin must be one non-empty line without control characters.
    pub fn new(origin: &str, size: TreeSize, root: Hash) -> Result<Self, CheckpointError> {
        if origin.is_empty() || origin.contains('\n') || has_control_character(origin) {
            return Err(CheckpointError { problem: "the origin is not one line of text" });
        }
        Ok(Self { origin: origin.to_owned(), size, root })
    }

    /// Reads exactly three lines, each in its one spelling.
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let problem = |problem| CheckpointError { problem };
        let mut lines = text.split('\n');
        let (Some(origin), Some(size), Some(root), Some(""), None) =
            (lines.next(), lines.next(), lines.next(), lines.next(), lines.next())
        else {
            return Err(problem("it has not exactly three lines"));
        };
        let size = parse_decimal(size).ok_or(problem("the size is not a decimal number"))?;
        let root = parse_hash(root).ok_or(problem("the root is not the base64 of 32 bytes"))?;
        let checkpoint = Self::new(origin, TreeSize::new(size), root)?;
        if checkpoint.to_string() == text { Ok(checkpoint) } else { Err(problem("it is not in canonical form")) }
    }

    /// The log's origin.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Number of leaves in the log.
    pub fn size(&self) -> TreeSize {
        self.size
    }

    /// The root of the tree with that many leaves.
    pub fn root(&self) -> Hash {
        self.root
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}\n{}\n", self.origin, self.size, base64(self.root.as_bytes()))
    }
}
