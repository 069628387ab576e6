//! How a note's key is named: its name, its type, and the id that follows from both and the key (c2sp.org/signed-note).
//!
//! ```text
//! key id  = SHA-256(name ‖ 0x0A ‖ type ‖ public key)[0..4]
//! ```

use std::fmt;

use crate::hash::sha256;

/// What a key signs: the type byte of the specification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyKind {
    /// 0x01: Ed25519 over the note text; a log's key, named by its origin.
    Log,
    /// 0x04: timestamped Ed25519 cosignature; a witness's or validator's key.
    Cosigner,
}

impl KeyKind {
    /// The type byte.
    pub const fn byte(self) -> u8 {
        match self {
            Self::Log => 0x01,
            Self::Cosigner => 0x04,
        }
    }
}

/// The first four bytes of the hash that names a key; not unique, so always read together with the key's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub [u8; 4]);

impl KeyId {
    /// The id of a key under a name.
    pub fn of(name: &str, kind: KeyKind, public_key: &[u8; 32]) -> Self {
        let digest = sha256(&[name.as_bytes(), b"\n", &[kind.byte()], public_key]).0;
        Self([digest[0], digest[1], digest[2], digest[3]])
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// Whether a text may name a key: non-empty, no Unicode space, no control character, no plus.
pub(super) fn is_key_name(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(|c| c.is_whitespace() || c < ' ' || c == '+')
}
