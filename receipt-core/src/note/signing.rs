//! Signing notes: a log's signature and a cosigner's, as lines.
//!
//! The caller's closure signs, so that a guard or an HSM decides; this file fixes the bytes and checks what comes back. It
//! does not persist anything: the signer records (size, root) *before* it lets the closure sign.

use super::cosignature::{PosixSeconds, cosignature_message};
use super::key::VerifierKey;
use super::key_id::KeyKind;
use super::signature_line::SignatureLine;

/// Why no signature line was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignError<E> {
    /// A log key cannot cosign, nor a cosigner key sign as the log.
    #[error("the key is of the other kind")]
    WrongKind,
    /// The closure refused or failed.
    #[error("the signer refused or failed")]
    Signer(#[source] E),
    /// The closure's signature does not verify under the key: it signed with another key or other bytes.
    #[error("the signature does not belong to the key")]
    Mismatch,
}

/// A log's signature line (type 0x01). `signer` is given the exact bytes to sign.
pub fn sign<E>(
    key: &VerifierKey,
    text: &str,
    signer: impl FnOnce(&[u8]) -> Result<[u8; 64], E>,
) -> Result<SignatureLine, SignError<E>> {
    if key.kind() != KeyKind::Log {
        return Err(SignError::WrongKind);
    }
    let signature = signer(text.as_bytes()).map_err(SignError::Signer)?;
    checked(key, text, signature.to_vec())
}

/// A cosigner's signature line (type 0x04) with its time. `signer` is given the exact bytes to sign.
pub fn cosign<E>(
    key: &VerifierKey,
    text: &str,
    time: PosixSeconds,
    signer: impl FnOnce(&[u8]) -> Result<[u8; 64], E>,
) -> Result<SignatureLine, SignError<E>> {
    if key.kind() != KeyKind::Cosigner {
        return Err(SignError::WrongKind);
    }
    let signature = signer(&cosignature_message(time, text)).map_err(SignError::Signer)?;
    checked(key, text, [time.get().to_be_bytes().as_slice(), &signature].concat())
}

fn checked<E>(key: &VerifierKey, text: &str, payload: Vec<u8>) -> Result<SignatureLine, SignError<E>> {
    let line = SignatureLine::new(key.name(), key.id(), payload);
    if key.verify(text, &line).is_some() { Ok(line) } else { Err(SignError::Mismatch) }
}
