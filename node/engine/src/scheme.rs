//! Ed25519 as the engine's signing scheme: keys and signatures as newtypes, verification by the rule of ZIP 215; and the hash
//! of a block's chunks.
//!
//! Private keys do not occur here: signing is the application's.

use std::fmt;

use ed25519_zebra::{Signature as ZebraSignature, VerificationKey};
use malachitebft_app_channel::app::types::core::SigningScheme;
use sha2::{Digest, Sha256};

/// The engine's tag type for this scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ed25519;

/// SHA-256 of a chunk, as the signed header of its stream names it.
pub(crate) fn chunk_hash(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// A 64-byte signature, not yet verified.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Signature(pub(crate) [u8; 64]);

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().take(6).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A decompressed verification key and the bytes it came from.
#[derive(Clone, Copy)]
pub(crate) struct PublicKey {
    bytes: [u8; 32],
    key: VerificationKey,
}

/// The bytes are not a key, or not of the right length.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an Ed25519 key or signature")]
pub(crate) struct SchemeError;

impl PublicKey {
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, SchemeError> {
        let bytes: [u8; 32] = bytes.try_into().map_err(|_| SchemeError)?;
        let key = VerificationKey::try_from(bytes).map_err(|_| SchemeError)?;
        Ok(Self { bytes, key })
    }

    pub(crate) fn to_bytes(self) -> [u8; 32] {
        self.bytes
    }

    pub(crate) fn verifies(&self, preimage: &[u8], signature: &Signature) -> bool {
        self.key.verify(&ZebraSignature::from(signature.0), preimage).is_ok()
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for PublicKey {}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.bytes.iter().take(6).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl SigningScheme for Ed25519 {
    type DecodingError = SchemeError;
    type Signature = Signature;
    type PublicKey = PublicKey;
    type PrivateKey = ();

    fn decode_signature(bytes: &[u8]) -> Result<Signature, SchemeError> {
        bytes.try_into().map(Signature).map_err(|_| SchemeError)
    }

    fn encode_signature(signature: &Signature) -> Vec<u8> {
        signature.0.to_vec()
    }

    fn decode_public_key(bytes: &[u8]) -> Result<PublicKey, SchemeError> {
        PublicKey::decode(bytes)
    }

    fn encode_public_key(public_key: &PublicKey) -> Vec<u8> {
        public_key.bytes.to_vec()
    }
}
