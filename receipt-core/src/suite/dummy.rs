//! The second suite, of tests alone: signatures are a keyed hash that anybody can forge, with keys that are no Ed25519 keys;
//! its hash is SHA-256 of what is hashed behind a prefix. It shows that what is outside of `suite` takes verdicts, not curves,
//! and digests, not SHA-256.

use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

use super::hashing::StaticSuite;
use super::{ChainId, Namespace, PublicKey, Signature, Signer, Suite, preimage};
use crate::hash::tagged;

/// Far from the numbers that real suites will get.
pub(crate) const NUMBER: u32 = 0xD000_0001;

/// A key: a hash that is no point of the curve.
pub(crate) struct DummyKey(PublicKey);

impl DummyKey {
    pub(crate) fn from_seed(seed: &[u8; 32]) -> Self {
        let mut key = tagged("tallystick/dummy-key", &[seed]).0;
        // Not the encoding of a point: a key that Ed25519 takes would show nothing.
        while ed25519_dalek::VerifyingKey::from_bytes(&key).is_ok() {
            key = tagged("tallystick/dummy-key", &[&key]).0;
        }
        Self(PublicKey(key))
    }
}

impl Signer for DummyKey {
    fn public_key(&self) -> PublicKey {
        self.0
    }

    fn sign(&self, namespace: Namespace, chain: ChainId, message: &[u8]) -> Signature {
        signature(&self.0, &preimage(namespace, chain, message))
    }
}

pub(super) fn registers(key: &PublicKey) -> bool {
    ed25519_dalek::VerifyingKey::from_bytes(&key.0).is_err()
}

pub(super) fn verify(key: &PublicKey, preimage: &[u8], given: &Signature) -> bool {
    signature(key, preimage) == *given
}

fn signature(key: &PublicKey, preimage: &[u8]) -> Signature {
    let half = |tag: &str| tagged(tag, &[&key.0, preimage]).0;
    let mut bytes = [0; 64];
    bytes[..32].copy_from_slice(&half("tallystick/dummy-signature-0"));
    bytes[32..].copy_from_slice(&half("tallystick/dummy-signature-1"));
    Signature(bytes)
}

/// The suite as a type.
#[derive(Clone)]
pub(crate) struct DummyType;

impl StaticSuite for DummyType {
    const SUITE: Suite = Suite::Dummy;
}

/// No message of another hash has this prefix, so nothing hashes to the same under both suites.
pub(super) fn hasher() -> Sha256 {
    Sha256::new_with_prefix(b"tallystick/dummy-hash/v1\n")
}

pub(super) fn keyed(mut mac: Hmac<Sha256>) -> Hmac<Sha256> {
    mac.update(b"tallystick/dummy-mac/v1\n");
    mac
}
