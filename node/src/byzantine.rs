//! A validator that misbehaves on purpose, for tests of the others.
//!
//! Compiled with the feature `byzantine` only, into a program of its own (`tallystick-node-byzantine`); the shipped
//! one is built without it. Its consensus key stands behind no guard: the engine's proxy asks it for conflicting
//! signatures. It seals as an honest validator does. The same program also runs an honest validator under a wrong clock.

use std::path::PathBuf;

use ed25519_dalek::Signer as _;
use receipt_core::ids::UnixMillis;
use tallystick_engine::{Byzantine, ConsensusSigner, SignRefused, SignRequest, SignResponse};
use tallystick_service::clock::{Clock, SystemClock};

/// Double-signs every vote and every proposal, and sends others' headers on over bodies of its own.
pub const EQUIVOCATES: Byzantine = Byzantine {
    equivocate_votes: true,
    equivocate_proposals: true,
    drop_votes: false,
    drop_proposals: false,
    forge_bodies: true,
};

/// The machine's clock, shifted by what a file says: a whole number of milliseconds, read each time. Without the file it is right.
#[derive(Debug)]
pub struct ShiftedClock(PathBuf);

impl ShiftedClock {
    /// Shifted by this file.
    pub fn by_file(path: PathBuf) -> Self {
        Self(path)
    }
}

impl Clock for ShiftedClock {
    fn now(&self) -> UnixMillis {
        let text = std::fs::read_to_string(&self.0).unwrap_or_default();
        let offset_ms: i64 = text.trim().parse().unwrap_or(0);
        UnixMillis::new(SystemClock.now().get().saturating_add_signed(offset_ms))
    }
}

/// Signs anything.
pub(crate) struct UnguardedSigner(ed25519_dalek::SigningKey);

impl UnguardedSigner {
    pub(crate) fn new(seed: &[u8; 32]) -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(seed))
    }
}

impl ConsensusSigner for UnguardedSigner {
    fn sign(&self, request: &SignRequest, preimage: &[u8]) -> Result<SignResponse, SignRefused> {
        Ok(SignResponse { statement: request.clone(), signature: self.0.sign(preimage).to_bytes() })
    }

    fn public_key(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }
}
