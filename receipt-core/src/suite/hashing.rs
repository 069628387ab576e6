//! A suite's hash function: the only place where the ledger's hashing is chosen.
//!
//! ```text
//! suite   digest     keyed
//! 1       SHA-256    HMAC-SHA256 (RFC 2104)
//! ```
//! Every suite's digest has 32 bytes. What calls this file hashes under a chain's suite; what calls [`crate::hash::sha256`] or
//! [`crate::hash::tagged`] is SHA-256 on every chain, and `tests/tests/tidy.rs` has the list of those.
//!
//! A suite is matched on here and in `suite.rs` alone. A shipped build has one suite: the matches are none, and a hash costs
//! what a direct call of SHA-256 does.

use hmac::digest::common::Key;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use zeroize::Zeroize as _;

use super::Suite;
#[cfg(test)]
use super::dummy;
use crate::hash::Hash;

impl Suite {
    /// The hash of the concatenation of `parts`.
    pub fn digest(self, parts: &[&[u8]]) -> Hash {
        self.digest_of(parts.iter().copied())
    }

    /// The same of any sequence of parts.
    pub(crate) fn digest_of<'a>(self, parts: impl IntoIterator<Item = &'a [u8]>) -> Hash {
        let mut hasher = self.hasher();
        for part in parts {
            hasher.update(part);
        }
        hasher.finish()
    }

    /// Domain-separated hash: H(`domain` ‖ 0x0A ‖ parts…), as [`crate::hash::tagged`] has it for SHA-256. The caller fixes the
    /// lengths of all parts but the last.
    pub fn tagged(self, domain: &str, parts: &[&[u8]]) -> Hash {
        self.digest_of([domain.as_bytes(), b"\n"].into_iter().chain(parts.iter().copied()))
    }

    /// A hash under way.
    pub(crate) fn hasher(self) -> Hasher {
        match self {
            Self::Ed25519Sha256 => Hasher::Sha256(Sha256::new()),
            #[cfg(test)]
            Self::Dummy => Hasher::Dummy(dummy::hasher()),
        }
    }

    /// The suite's keyed hash under a 32-byte key; clone it to hash many things under one key.
    pub(crate) fn keyed(self, key: &[u8; 32]) -> KeyedHasher {
        // HMAC fills a key up to its block with zeros, so this is HMAC under the 32 bytes.
        let mut block = Key::<Hmac<Sha256>>::default();
        block[..32].copy_from_slice(key);
        let mac = Hmac::new(&block);
        block.zeroize();
        match self {
            Self::Ed25519Sha256 => KeyedHasher::HmacSha256(mac),
            #[cfg(test)]
            Self::Dummy => KeyedHasher::Dummy(dummy::keyed(mac)),
        }
    }
}

/// A hash under way.
#[derive(Clone)]
pub(crate) enum Hasher {
    Sha256(Sha256),
    #[cfg(test)]
    Dummy(Sha256),
}

impl Hasher {
    pub(crate) fn update(&mut self, data: &[u8]) {
        match self {
            Self::Sha256(hasher) => hasher.update(data),
            #[cfg(test)]
            Self::Dummy(hasher) => hasher.update(data),
        }
    }

    pub(crate) fn finish(self) -> Hash {
        match self {
            Self::Sha256(hasher) => Hash(hasher.finalize().into()),
            #[cfg(test)]
            Self::Dummy(hasher) => Hash(hasher.finalize().into()),
        }
    }
}

/// A keyed hash under way. Its states, from which whoever has them can compute every hash under the key, are wiped when it is dropped
/// (features `zeroize` of hmac and sha2). Not wiped are hmac's own copy of the key block, while it sets up the states, and what a move
/// leaves behind on the stack.
#[derive(Clone)]
pub(crate) enum KeyedHasher {
    HmacSha256(Hmac<Sha256>),
    #[cfg(test)]
    Dummy(Hmac<Sha256>),
}

impl KeyedHasher {
    /// The keyed hash of the concatenation of `parts`.
    pub(crate) fn digest_of<'a>(mut self, parts: impl IntoIterator<Item = &'a [u8]>) -> [u8; 32] {
        for part in parts {
            match &mut self {
                Self::HmacSha256(mac) => mac.update(part),
                #[cfg(test)]
                Self::Dummy(mac) => mac.update(part),
            }
        }
        match self {
            Self::HmacSha256(mac) => mac.finalize().into_bytes().into(),
            #[cfg(test)]
            Self::Dummy(mac) => mac.finalize().into_bytes().into(),
        }
    }

    /// Its first 16 bytes: what salts and blinded keys are.
    pub(crate) fn short_of<'a>(self, parts: impl IntoIterator<Item = &'a [u8]>) -> [u8; 16] {
        let digest = self.digest_of(parts);
        let mut short = [0; 16];
        short.copy_from_slice(&digest[..16]);
        short
    }
}

/// A suite as a type, for libraries that take their hash function as one.
pub(crate) trait StaticSuite: Clone + Send + Sync + 'static {
    const SUITE: Suite;
}

/// Suite 1 as a type.
#[derive(Clone)]
pub(crate) struct Suite1;

impl StaticSuite for Suite1 {
    const SUITE: Suite = Suite::Ed25519Sha256;
}

/// `with_static_suite!(suite, S => …)`: the expression with `S` standing for the suite's type.
macro_rules! with_static_suite {
    ($suite:expr, $name:ident => $body:expr) => {
        match $suite {
            $crate::suite::Suite::Ed25519Sha256 => {
                type $name = $crate::suite::hashing::Suite1;
                $body
            }
            #[cfg(test)]
            $crate::suite::Suite::Dummy => {
                type $name = $crate::suite::dummy::DummyType;
                $body
            }
        }
    };
}
pub(crate) use with_static_suite;
