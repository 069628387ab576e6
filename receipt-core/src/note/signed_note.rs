//! A signed note (c2sp.org/signed-note): a text and one or more signature lines.
//!
//! ```text
//! <text, ends in \n>
//! \n
//! — <key name> <base64( key id[4] ‖ payload )>\n      one or more lines
//! ```
//!
//! The text is all up to and including the newline before the last empty line. Valid UTF-8, no byte below 0x20 but \n.
//! Unknown keys are ignored; a wrong signature by a *known* key rejects the whole note; many lines by one key count once.

use std::fmt;

use super::cosignature::PosixSeconds;
use super::key::VerifierKey;
use super::signature_line::SignatureLine;
use super::text::has_control_character;
use crate::limits::{NOTE_BYTES_MAX, NOTE_SIGNATURES_MAX};

/// Why bytes are not a signed note, or why a note is not signed by the keys it must be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// The note is longer than [`NOTE_BYTES_MAX`].
    #[error("a note of {bytes} bytes is too large")]
    TooLarge {
        /// The note's length.
        bytes: usize,
    },
    /// The note has more lines than [`NOTE_SIGNATURES_MAX`].
    #[error("the note has more than {NOTE_SIGNATURES_MAX} signature lines")]
    TooManySignatures,
    /// Not UTF-8, or a control character other than newline.
    #[error("the note is not plain UTF-8 text")]
    NotText,
    /// No text ending in a newline, no empty line, or no signature line after it.
    #[error("the note is not a text, an empty line and signature lines")]
    Shape,
    /// A signature line is not `— name base64`.
    #[error("signature line {line} is malformed")]
    SignatureLine {
        /// Counted from 1.
        line: usize,
    },
    /// A known key's signature is wrong.
    #[error("the signature by {name} is wrong")]
    BadSignature {
        /// The key's name.
        name: String,
    },
    /// No line is by a known key.
    #[error("no known key has signed the note")]
    NoKnownKey,
}

/// A valid signature found by [`SignedNote::verify`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// Position of the key in the list given.
    pub key: usize,
    /// Position of its line in the note: of several by one key, the one with the latest time.
    pub line: usize,
    /// When a cosigner says it signed; `None` for a log's signature.
    pub time: Option<PosixSeconds>,
}

/// What the lines of a note are worth, each by itself.
pub(super) struct Sifted {
    /// Each known key that has signed, once, in the order of the keys.
    pub(super) valid: Vec<Verified>,
    /// Positions of lines by known keys whose signature is wrong.
    pub(super) wrong: Vec<usize>,
}

/// A well-formed note. `Display` writes exactly the bytes that [`SignedNote::parse`] took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedNote {
    text: String,
    signatures: Vec<SignatureLine>,
}

impl SignedNote {
    /// Puts a text and lines together; refused if the result could not be parsed again.
    pub fn new(text: &str, signatures: Vec<SignatureLine>) -> Result<Self, NoteError> {
        if has_control_character(text) {
            return Err(NoteError::NotText);
        }
        if !text.ends_with('\n') || signatures.is_empty() {
            return Err(NoteError::Shape);
        }
        if signatures.len() > NOTE_SIGNATURES_MAX {
            return Err(NoteError::TooManySignatures);
        }
        let note = Self { text: text.to_owned(), signatures };
        let bytes = note.to_string().len();
        if bytes > NOTE_BYTES_MAX { Err(NoteError::TooLarge { bytes }) } else { Ok(note) }
    }

    /// Reads a note, strictly and within the limits. Signatures are not verified yet.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > NOTE_BYTES_MAX {
            return Err(NoteError::TooLarge { bytes: bytes.len() });
        }
        let note = std::str::from_utf8(bytes).map_err(|_| NoteError::NotText)?;
        let (head, tail) = note.rsplit_once("\n\n").ok_or(NoteError::Shape)?;
        let lines = tail.strip_suffix('\n').ok_or(NoteError::Shape)?;
        if lines.split('\n').nth(NOTE_SIGNATURES_MAX).is_some() {
            return Err(NoteError::TooManySignatures);
        }
        let signatures = (1..)
            .zip(lines.split('\n'))
            .map(|(line, text)| SignatureLine::parse(text).ok_or(NoteError::SignatureLine { line }))
            .collect::<Result<Vec<_>, _>>()?;
        Self::new(&format!("{head}\n"), signatures)
    }

    /// The signed text, with its final newline.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signature lines, in the note's order.
    pub fn signatures(&self) -> &[SignatureLine] {
        &self.signatures
    }

    /// Verifies every line by a known key; at least one valid line is required. The result has each key at most once, in
    /// the order of `keys`.
    pub fn verify(&self, keys: &[&VerifierKey]) -> Result<Vec<Verified>, NoteError> {
        let Sifted { valid, wrong } = self.sift(keys);
        if let Some(line) = wrong.first() {
            return Err(NoteError::BadSignature { name: self.signatures[*line].name().to_owned() });
        }
        if valid.is_empty() { Err(NoteError::NoKnownKey) } else { Ok(valid) }
    }

    /// Judges every line by itself: for whoever puts notes together. Whoever reads them rejects one with a wrong line
    /// ([`Self::verify`]).
    pub(super) fn sift(&self, keys: &[&VerifierKey]) -> Sifted {
        let (mut valid, mut wrong): (Vec<Verified>, Vec<usize>) = (Vec::new(), Vec::new());
        for (line, signature) in self.signatures.iter().enumerate() {
            let Some(key) = keys.iter().position(|key| key.made(signature)) else { continue };
            let Some(time) = keys[key].verify(&self.text, signature) else {
                wrong.push(line);
                continue;
            };
            match valid.iter_mut().find(|verified| verified.key == key) {
                Some(earlier) if earlier.time >= time => {}
                Some(earlier) => *earlier = Verified { key, line, time },
                None => valid.push(Verified { key, line, time }),
            }
        }
        valid.sort_by_key(|verified| verified.key);
        Sifted { valid, wrong }
    }
}

impl fmt::Display for SignedNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}
