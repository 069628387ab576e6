//! A validator that misbehaves on purpose, for tests of the others.
//!
//! Compiled with the feature `byzantine` only, into a program of its own (`tallystick-node-byzantine`); the shipped
//! one is built without it. Its consensus key stands behind no guard: the engine's proxy asks it for conflicting
//! signatures. It seals as an honest validator does.

use ed25519_dalek::Signer as _;
use tallystick_engine::{Byzantine, ConsensusSigner, SignRefused, SignRequest, Signed};

/// Double-signs every vote and every proposal, and sends others' headers on over bodies of its own.
pub const EQUIVOCATES: Byzantine = Byzantine {
    equivocate_votes: true,
    equivocate_proposals: true,
    drop_votes: false,
    drop_proposals: false,
    forge_bodies: true,
};

/// Signs anything.
pub(crate) struct UnguardedSigner(ed25519_dalek::SigningKey);

impl UnguardedSigner {
    pub(crate) fn new(seed: &[u8; 32]) -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(seed))
    }
}

impl ConsensusSigner for UnguardedSigner {
    fn sign(&self, request: &SignRequest, preimage: &[u8]) -> Result<Signed, SignRefused> {
        Ok(Signed { statement: request.clone(), signature: self.0.sign(preimage).to_bytes() })
    }

    fn public_key(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }
}
