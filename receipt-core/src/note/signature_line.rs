//! One signature line of a note (c2sp.org/signed-note).
//!
//! ```text
//! — <key name> <base64( key id[4] ‖ payload )>
//! ```

use std::fmt;

use super::key_id::{KeyId, is_key_name};
use super::text::{base64, parse_base64};

/// One signature line. Says who claims to have signed; nothing is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureLine {
    name: String,
    key_id: KeyId,
    payload: Vec<u8>,
}

impl SignatureLine {
    /// A line by the key of this name and id; the payload is what follows the key id.
    pub(super) fn new(name: &str, key_id: KeyId, payload: Vec<u8>) -> Self {
        Self { name: name.to_owned(), key_id, payload }
    }

    /// Reads one line without its newline; `None` if it is malformed.
    pub fn parse(line: &str) -> Option<Self> {
        let (name, encoded) = line.strip_prefix("— ")?.split_once(' ')?;
        let bytes = parse_base64(encoded)?;
        let (key_id, payload) = bytes.split_first_chunk::<4>()?;
        if !is_key_name(name) || payload.is_empty() {
            return None;
        }
        Some(Self::new(name, KeyId(*key_id), payload.to_vec()))
    }

    /// The claimed key's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The claimed key's id.
    pub fn key_id(&self) -> KeyId {
        self.key_id
    }

    /// What follows the key id: a signature, or a time and a signature.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }
}

impl fmt::Display for SignatureLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [self.key_id.0.as_slice(), &self.payload].concat();
        write!(f, "— {} {}", self.name, base64(&bytes))
    }
}
