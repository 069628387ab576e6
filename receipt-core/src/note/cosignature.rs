//! Signing notes: a log's signature and a timestamped cosignature (c2sp.org/tlog-cosignature).
//!
//! ```text
//! cosignature message:  "cosignature/v1\n" "time <POSIX seconds>\n" <the whole checkpoint text>
//! ```
//!
//! A cosignature says: "the largest tree that I have seen for this origin at that time has this root". Signing happens in
//! the caller's closure, so that a guard or an HSM decides; this file fixes the bytes and checks what comes back. It does
//! not persist anything: the signer records (size, root) *before* it lets the closure sign.

use std::fmt;

use super::key::{KeyKind, VerifierKey};
use super::signed_note::SignatureLine;

/// Whole seconds since the Unix epoch, as cosignatures state them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PosixSeconds(u64);

impl PosixSeconds {
    /// Wraps seconds since the epoch.
    pub const fn new(seconds: u64) -> Self {
        Self(seconds)
    }

    /// Seconds since the epoch.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for PosixSeconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

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

/// The bytes that a cosigner signs for a checkpoint text.
pub fn cosignature_message(time: PosixSeconds, checkpoint_text: &str) -> Vec<u8> {
    format!("cosignature/v1\ntime {time}\n{checkpoint_text}").into_bytes()
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
    let line = SignatureLine::by(key, payload);
    if key.verify(text, &line).is_some() { Ok(line) } else { Err(SignError::Mismatch) }
}
