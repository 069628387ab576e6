//! Fingerprints of secrets: what shows that a secret is the one of before, and nothing else about it.
//!
//! ```text
//! fingerprint = keyed hash(secret, domain ‖ 0x0A), its first 16 bytes
//! domain        tallystick/blinding-fingerprint/v1, tallystick/master-fingerprint/v1
//! ```
//! The keyed hash is the suite's (suite 1: HMAC-SHA256). Under a random secret it is a pseudorandom function: a fingerprint tells
//! nothing of the secret, nor of the other keyed hashes under it, whose domains are others. It holds no chain id, because the secret
//! of a new chain is registered in its genesis, whose hash the chain id is; so one secret used on two chains is seen to be one.

use std::fmt;

use crate::blind::BlindingSecret;
use crate::suite::Suite;

const BLINDING: &str = "tallystick/blinding-fingerprint/v1\n";
const MASTER: &str = "tallystick/master-fingerprint/v1\n";

/// A secret's fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub [u8; 16]);

impl Fingerprint {
    /// The fingerprint of a blinding secret.
    pub fn of_blinding(secret: &BlindingSecret) -> Self {
        Self(secret.keyed(BLINDING, &[]))
    }

    /// Of a master key of receipt bodies (32 random bytes), on a chain of `suite`.
    pub fn of_master(suite: Suite, key: &[u8; 32]) -> Self {
        Self(suite.keyed(key).short_of([MASTER.as_bytes()]))
    }

    /// From its 16 bytes.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUITE: Suite = Suite::Ed25519Sha256;

    #[test]
    fn another_secret_or_purpose_is_another_fingerprint() {
        let blinding = |byte| Fingerprint::of_blinding(&BlindingSecret::new(SUITE, 1, &[byte; 32]));
        let master = |byte| Fingerprint::of_master(SUITE, &[byte; 32]);
        assert_eq!(blinding(1), blinding(1));
        let all = [blinding(1), blinding(2), master(1), master(2)];
        for (index, one) in all.iter().enumerate() {
            assert!(all[index + 1..].iter().all(|other| other != one), "{one}");
        }
        assert_eq!(Fingerprint::from_slice(&all[0].0), Some(all[0]));
        assert_eq!(Fingerprint::from_slice(&all[0].0[1..]), None);
    }
}
