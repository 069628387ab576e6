//! Verifier keys (c2sp.org/signed-note): who may have signed a note, and with what.
//!
//! ```text
//! vkey    = name "+" hex8(key id) "+" base64(type ‖ public key)
//! payload of a signature line, after the key id:
//!   type 0x01, log        signature (64) over the note text
//!   type 0x04, cosigner   time u64 BE (8) ‖ signature (64) over the cosignature message
//! ```
//!
//! Invariant: a [`VerifierKey`] holds a canonical, torsion-free point of the curve and a well-formed name.

use std::fmt;

use ed25519_dalek::{Signature, VerifyingKey};

use super::cosignature::{PosixSeconds, cosignature_message};
use super::key_id::{KeyId, KeyKind, is_key_name};
use super::signature_line::SignatureLine;
use super::text::{base64, parse_base64};

/// Why a verifier key is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Names are non-empty, without spaces, control characters and "+".
    #[error("the key's name is empty or has a space, a control character or a plus")]
    Name,
    /// The text is not `name+hex8+base64`.
    #[error("a verifier key is written name+id+base64")]
    Shape,
    /// A type byte other than 0x01 and 0x04.
    #[error("signature type {0:#04x} is not supported")]
    UnsupportedType(u8),
    /// Not a canonical, torsion-free Ed25519 point.
    #[error("the key is not a canonical, torsion-free Ed25519 public key")]
    Point,
    /// The id is not the hash of name, type and key.
    #[error("the key id does not belong to this name and key")]
    IdMismatch,
}

/// A public key that may sign notes.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    kind: KeyKind,
    id: KeyId,
    point: VerifyingKey,
}

impl VerifierKey {
    /// From a name and 32 public bytes; the id follows from them.
    pub fn new(name: &str, kind: KeyKind, public_key: [u8; 32]) -> Result<Self, KeyError> {
        if !is_key_name(name) {
            return Err(KeyError::Name);
        }
        let point = VerifyingKey::from_bytes(&public_key).map_err(|_| KeyError::Point)?;
        let edwards = point.to_edwards();
        if point.is_weak() || !edwards.is_torsion_free() || edwards.compress().to_bytes() != public_key {
            return Err(KeyError::Point);
        }
        Ok(Self { name: name.to_owned(), kind, id: KeyId::of(name, kind, &public_key), point })
    }

    /// Reads a vkey; only the canonical spelling with the right id is taken.
    pub fn parse(vkey: &str) -> Result<Self, KeyError> {
        let (name, rest) = vkey.split_once('+').ok_or(KeyError::Shape)?;
        let (_, key) = rest.split_once('+').ok_or(KeyError::Shape)?;
        let bytes = parse_base64(key).ok_or(KeyError::Shape)?;
        let (kind, public_key) = bytes.split_first().ok_or(KeyError::Shape)?;
        let kind = match kind {
            0x01 => KeyKind::Log,
            0x04 => KeyKind::Cosigner,
            other => return Err(KeyError::UnsupportedType(*other)),
        };
        let public_key = public_key.try_into().map_err(|_| KeyError::Point)?;
        let parsed = Self::new(name, kind, public_key)?;
        if parsed.to_string() == vkey { Ok(parsed) } else { Err(KeyError::IdMismatch) }
    }

    /// The key's name; a log's is its origin.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the key signs as a log or as a cosigner.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The id that stands in front of its signatures.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// The 32 public bytes.
    pub fn public_key(&self) -> [u8; 32] {
        self.point.to_bytes()
    }

    /// Whether a signature line claims to be by this key: name and id both.
    pub fn made(&self, line: &SignatureLine) -> bool {
        line.key_id() == self.id && line.name() == self.name
    }

    /// Verifies one line over a note's text, strictly. `None`: not by this key, or the signature is wrong. A log's line has
    /// no time.
    pub fn verify(&self, text: &str, line: &SignatureLine) -> Option<Option<PosixSeconds>> {
        if !self.made(line) {
            return None;
        }
        let strict = |message: &[u8], signature: &[u8; 64]| {
            self.point.verify_strict(message, &Signature::from_bytes(signature)).is_ok()
        };
        match self.kind {
            KeyKind::Log => {
                let signature = line.payload().try_into().ok()?;
                strict(text.as_bytes(), signature).then_some(None)
            }
            KeyKind::Cosigner => {
                let (time, signature) = line.payload().split_first_chunk::<8>()?;
                let time = PosixSeconds::new(u64::from_be_bytes(*time));
                strict(&cosignature_message(time, text), signature.try_into().ok()?).then_some(Some(time))
            }
        }
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let typed = [&[self.kind.byte()], self.point.as_bytes().as_slice()].concat();
        write!(f, "{}+{}+{}", self.name, self.id, base64(&typed))
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifierKey({self})")
    }
}
