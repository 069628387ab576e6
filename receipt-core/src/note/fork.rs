//! Evidence of a fork: two notes of one log and one size whose roots differ.
//!
//! ```text
//! tallystick/fork/v1\n
//! note <bytes>\n <note, verbatim>
//! note <bytes>\n <note, verbatim>
//! ```
//! Whoever meets another history writes it (a node, an auditor), and anybody reads it. Not here: who signed what, and whether that proves
//! anything; the notes are judged by a trust file.

use super::signed_note::SignedNote;

const MAGIC: &str = "tallystick/fork/v1\n";

/// The text is no evidence of a fork.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an evidence file of two notes")]
pub struct NotEvidence;

/// Two notes, verbatim. Nothing is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForkEvidence {
    /// The notes, in the order of the file.
    pub notes: [String; 2],
}

impl ForkEvidence {
    /// Evidence from two notes, verbatim; nothing is checked.
    pub fn new(first: impl Into<String>, second: impl Into<String>) -> Self {
        Self { notes: [first.into(), second.into()] }
    }

    /// The file.
    pub fn encode(&self) -> String {
        let [first, second] = self.notes.each_ref().map(|note| format!("note {}\n{note}", note.len()));
        format!("{MAGIC}{first}{second}")
    }

    /// Reads a file; what it takes it prints back byte for byte.
    pub fn decode(text: &str) -> Result<Self, NotEvidence> {
        let rest = text.strip_prefix(MAGIC).ok_or(NotEvidence)?;
        let (first, rest) = read_note(rest).ok_or(NotEvidence)?;
        let (second, rest) = read_note(rest).ok_or(NotEvidence)?;
        let evidence = Self::new(first, second);
        if rest.is_empty() && evidence.encode() == text { Ok(evidence) } else { Err(NotEvidence) }
    }
}

/// A note and what follows it.
fn read_note(text: &str) -> Option<(&str, &str)> {
    let (length, tail) = text.strip_prefix("note ")?.split_once('\n')?;
    let (note, rest) = tail.split_at_checked(length.parse().ok()?)?;
    SignedNote::parse(note.as_bytes()).ok()?;
    Some((note, rest))
}
