//! Signature and hash suites: the only module that chooses either. Everything signed names its suite and is judged by
//! [`Suite::verify`]; whoever judges also asks that the suite is the chain's, so that no weaker one can be slipped in.
//!
//! Every signature is over `namespace ‖ 0x0A ‖ chain id (32 bytes) ‖ message`; there is no way to sign bare bytes.
//! Records and batch headers verify under ZIP 215 ([`verify_zip215`], and [`verify_many_zip215`], whose verdict is the
//! same by construction); governance verifies strictly ([`verify_strict`]: RFC 8032, canonical S, no small-order keys).
//! Signed notes have their own strict verifier in [`crate::note`].
//!
//! A suite is a hash function, too ([`Suite::digest`], [`Suite::tagged`]; `suite/hashing.rs`): the chain's id, its trees, its
//! status map, salts, blinded keys and every hash that the ledger states are the suite's.
//!
//! Not here: key storage, randomness, the engine's votes, checkpoint notes. Fixed for every suite: a digest and a public key
//! have 32 bytes, a signature 64.

use chacha20::{ChaCha20Rng, rand_core::SeedableRng};
use ed25519_dalek::Signer as _;

use crate::hash::Hash;

#[cfg(test)]
pub(crate) mod dummy;
pub(crate) mod hashing;
#[cfg(test)]
mod tests;

/// Identifies a chain: the hash of its genesis file, under the suite that the file names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ChainId(pub Hash);

/// A signature and hash suite. The number stands in genesis and in every signed thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Suite {
    /// 1: Ed25519 and SHA-256.
    Ed25519Sha256,
    /// For the tests of this crate alone, to show that nothing but this module knows what a signature or a hash is. No other build
    /// has it.
    #[cfg(test)]
    Dummy,
}

impl Suite {
    /// The suite's number on the wire.
    pub const fn number(self) -> u32 {
        match self {
            Self::Ed25519Sha256 => 1,
            #[cfg(test)]
            Self::Dummy => dummy::NUMBER,
        }
    }

    /// The suite with this number, if this build knows it.
    pub const fn from_number(number: u32) -> Option<Self> {
        match number {
            1 => Some(Self::Ed25519Sha256),
            #[cfg(test)]
            dummy::NUMBER => Some(Self::Dummy),
            _ => None,
        }
    }

    /// Whether a key may be registered under this suite.
    pub fn registers(self, key: &PublicKey) -> bool {
        match self {
            Self::Ed25519Sha256 => key.is_registrable(),
            #[cfg(test)]
            Self::Dummy => dummy::registers(key),
        }
    }

    /// Whether a signature is valid under this suite's rule for what is signed.
    pub fn verify(
        self,
        key: &PublicKey,
        namespace: Namespace,
        chain: ChainId,
        message: &[u8],
        signature: &Signature,
    ) -> bool {
        match (self, namespace) {
            (Self::Ed25519Sha256, Namespace::Receipt | Namespace::Batch | Namespace::Precommit) => {
                verify_zip215(key, namespace, chain, message, signature)
            }
            (Self::Ed25519Sha256, Namespace::Governance | Namespace::Credential | Namespace::Directory) => {
                verify_strict(key, namespace, chain, message, signature)
            }
            #[cfg(test)]
            (Self::Dummy, _) => dummy::verify(key, &preimage(namespace, chain, message), signature),
        }
    }

    /// Many records' or headers' signatures at once: one verdict each, equal to [`Suite::verify`]'s. `entropy`: see
    /// [`verify_many_zip215`].
    pub fn verify_many(
        self,
        items: &[Signed<'_>],
        namespace: Namespace,
        chain: ChainId,
        entropy: [u8; 32],
    ) -> Vec<bool> {
        match (self, namespace) {
            (Self::Ed25519Sha256, Namespace::Receipt | Namespace::Batch | Namespace::Precommit) => {
                verify_many_zip215(items, namespace, chain, entropy)
            }
            _ => items
                .iter()
                .map(|item| self.verify(&item.key, namespace, chain, item.message, &item.signature))
                .collect(),
        }
    }
}

/// What a signature is for. Each has a string of its own, so a signature of one kind never passes as another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Namespace {
    /// A unit's signature over a record.
    Receipt,
    /// An issuer's signature over a batch header.
    Batch,
    /// An authority's signature over a governance message.
    Governance,
    /// An authority's signature over a unit's credential.
    Credential,
    /// An authority's signature over a directory of units.
    Directory,
    /// A validator's precommit: made by the consensus engine, verified by auditors in commit certificates.
    Precommit,
}

impl Namespace {
    /// The ASCII prefix of the signed bytes.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Receipt => "tallystick/receipt/v1",
            Self::Batch => "tallystick/batch/v1",
            Self::Governance => "tallystick/governance/v1",
            Self::Credential => "tallystick/credential/v1",
            Self::Directory => "tallystick/directory/v1",
            Self::Precommit => "tallystick/precommit/v1",
        }
    }
}

/// The exact bytes that are signed: `namespace ‖ 0x0A ‖ chain id ‖ message`.
pub fn preimage(namespace: Namespace, chain: ChainId, message: &[u8]) -> Vec<u8> {
    let name = namespace.as_str().as_bytes();
    let mut bytes = Vec::with_capacity(name.len() + 33 + message.len());
    bytes.extend_from_slice(name);
    bytes.push(b'\n');
    bytes.extend_from_slice(chain.0.as_bytes());
    bytes.extend_from_slice(message);
    bytes
}

/// A 32-byte public key as registered on the ledger.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PublicKey(pub [u8; 32]);

impl PublicKey {
    /// Whether the key may be registered: canonical encoding, a point of the curve, torsion-free, not the identity.
    pub fn is_registrable(&self) -> bool {
        // dalek decompresses leniently, so compare the re-encoding; a torsion-free point of prime order is not weak.
        let Ok(key) = ed25519_dalek::VerifyingKey::from_bytes(&self.0) else { return false };
        let point = key.to_edwards();
        !key.is_weak() && point.is_torsion_free() && point.compress().to_bytes() == self.0
    }
}

impl std::fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PublicKey({})", hex::encode(&self.0[..6]))
    }
}

/// A 64-byte signature.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature(pub [u8; 64]);

impl Signature {
    /// Reads exactly 64 bytes.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

impl std::fmt::Debug for Signature {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Signature({})", hex::encode(&self.0[..6]))
    }
}

/// Something that can sign under a namespace: a key in memory here, an HSM elsewhere.
pub trait Signer: Send + Sync {
    /// The public half.
    fn public_key(&self) -> PublicKey;
    /// Signs `namespace ‖ 0x0A ‖ chain id ‖ message`.
    fn sign(&self, namespace: Namespace, chain: ChainId, message: &[u8]) -> Signature;
}

/// An Ed25519 key held in memory; zeroized on drop.
pub struct SoftwareKey(ed25519_dalek::SigningKey);

impl SoftwareKey {
    /// From a 32-byte secret seed (RFC 8032).
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(seed))
    }
}

impl Signer for SoftwareKey {
    fn public_key(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }

    fn sign(&self, namespace: Namespace, chain: ChainId, message: &[u8]) -> Signature {
        Signature(self.0.sign(&preimage(namespace, chain, message)).to_bytes())
    }
}

/// ZIP 215 verification of one signature.
pub fn verify_zip215(
    key: &PublicKey,
    namespace: Namespace,
    chain: ChainId,
    message: &[u8],
    signature: &Signature,
) -> bool {
    let Ok(key) = ed25519_zebra::VerificationKey::try_from(key.0) else { return false };
    let signature = ed25519_zebra::Signature::from(signature.0);
    key.verify(&signature, &preimage(namespace, chain, message)).is_ok()
}

/// One signature to check together with others.
pub struct Signed<'a> {
    /// The key that should have signed.
    pub key: PublicKey,
    /// The signed message, without namespace and chain id.
    pub message: &'a [u8],
    /// The signature.
    pub signature: Signature,
}

/// ZIP 215 verification of many signatures of one namespace: one verdict each, equal to [`verify_zip215`]'s.
///
/// `entropy` makes the batch equation's coefficients unpredictable to whoever made the signatures; give 32 fresh random
/// bytes. If the batch fails, each is checked singly, so that the bad one can be named.
pub fn verify_many_zip215(items: &[Signed<'_>], namespace: Namespace, chain: ChainId, entropy: [u8; 32]) -> Vec<bool> {
    let single = |item: &Signed<'_>| verify_zip215(&item.key, namespace, chain, item.message, &item.signature);
    if items.len() < 2 {
        return items.iter().map(single).collect();
    }
    let mut batch = ed25519_zebra::batch::Verifier::new();
    for item in items {
        let key = ed25519_zebra::VerificationKeyBytes::from(item.key.0);
        let signature = ed25519_zebra::Signature::from(item.signature.0);
        batch.queue((key, signature, &preimage(namespace, chain, item.message)));
    }
    if batch.verify(ChaCha20Rng::from_seed(entropy)).is_ok() {
        return vec![true; items.len()];
    }
    items.iter().map(single).collect()
}

/// Strict verification (RFC 8032, canonical S, no small-order key or R): for governance.
pub fn verify_strict(
    key: &PublicKey,
    namespace: Namespace,
    chain: ChainId,
    message: &[u8],
    signature: &Signature,
) -> bool {
    let Ok(key) = ed25519_dalek::VerifyingKey::from_bytes(&key.0) else { return false };
    let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
    key.verify_strict(&preimage(namespace, chain, message), &signature).is_ok()
}
