//! A 32-byte [`Hash`], and plain SHA-256 for what is no chain's: names derived in tests, tokens, checksums, note key ids.
//!
//! Not here: the ledger's hashing. That is its suite's ([`crate::suite::Suite::digest`], [`crate::suite::Suite::tagged`]);
//! what hashes with this file is the same on chains of every suite.

use sha2::{Digest, Sha256};

/// A digest of 32 bytes: a suite's, or SHA-256's.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// 32 zero bytes: "nothing before this" in chained hashes.
    pub const ZERO: Self = Self([0; 32]);

    /// The digest as a slice.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Reads exactly 32 bytes; any other length is `None`.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

impl std::fmt::Display for Hash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl std::fmt::Debug for Hash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Hash({})", hex::encode(&self.0[..6]))
    }
}

/// Plain SHA-256 of the concatenation of `parts`.
pub fn sha256(parts: &[&[u8]]) -> Hash {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    Hash(hasher.finalize().into())
}

/// Domain-separated hash: SHA-256(`domain` ‖ 0x0A ‖ parts…), on no chain's behalf. `domain` is an ASCII name such as
/// `tallystick/page-token/v1`. The caller fixes the lengths of all parts but the last, so no two inputs share a preimage.
pub fn tagged(domain: &str, parts: &[&[u8]]) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update(domain.as_bytes());
    hasher.update(b"\n");
    for part in parts {
        hasher.update(part);
    }
    Hash(hasher.finalize().into())
}
