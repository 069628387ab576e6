//! Keys of the test chain, all derived from names, and what validators sign with them.

use ed25519_dalek::{Signer as _, SigningKey};

use crate::hash::{Hash, tagged};
use crate::ids::{Height, ValidatorId};
use crate::note::{KeyKind, PosixSeconds, SignatureLine, VerifierKey, cosign, sign};
use crate::suite::{ChainId, PublicKey, Signer, SoftwareKey, Suite};
use crate::validators::{Validator, ValidatorSet};

fn seed(name: &str) -> [u8; 32] {
    tagged("tallystick/testkit/v1", &[name.as_bytes()]).0
}

/// The key derived from a name.
pub fn software_key(name: &str) -> SoftwareKey {
    SoftwareKey::from_seed(&seed(name))
}

/// The key derived from a name under a suite.
pub(super) fn signer(suite: Suite, name: &str) -> Box<dyn Signer> {
    match suite {
        Suite::Ed25519Sha256 => Box::new(software_key(name)),
        #[cfg(test)]
        Suite::Dummy => Box::new(crate::suite::dummy::DummyKey::from_seed(&seed(name))),
    }
}

/// Names of the three authorities of genesis.
pub(super) const AUTHORITIES: [&str; 3] = ["authority-0", "authority-1", "authority-2"];

/// A validator with its three secret keys.
#[derive(Debug, Clone)]
pub struct TestValidator {
    /// Registry number.
    pub id: u32,
    /// Its name, `v<id>`.
    pub name: String,
    consensus: SigningKey,
    log: SigningKey,
    cosigner: SigningKey,
}

impl TestValidator {
    /// The validator with this number.
    pub fn new(id: u32) -> Self {
        Self::of_seeds(id, "")
    }

    /// The same validator after a change of all its keys.
    pub fn with_new_keys(id: u32) -> Self {
        Self::of_seeds(id, "-new")
    }

    fn of_seeds(id: u32, suffix: &str) -> Self {
        let key = |role: &str| SigningKey::from_bytes(&seed(&format!("validator-{id}-{role}{suffix}")));
        Self { id, name: format!("v{id}"), consensus: key("consensus"), log: key("log"), cosigner: key("cosigner") }
    }

    /// Log key and cosigner key, for whoever signs in this validator's place.
    pub fn note_keys(&self) -> [SigningKey; 2] {
        [self.log.clone(), self.cosigner.clone()]
    }

    /// Consensus key, for whoever votes in this validator's place.
    pub fn consensus_key(&self) -> SigningKey {
        self.consensus.clone()
    }

    /// Its public part.
    pub fn public(&self) -> Validator {
        let public = |key: &SigningKey| PublicKey(key.verifying_key().to_bytes());
        Validator {
            id: ValidatorId::new(self.id),
            name: self.name.clone(),
            consensus_key: public(&self.consensus),
            log_key: public(&self.log),
            cosigner_key: public(&self.cosigner),
        }
    }

    /// Its log signature over a checkpoint text.
    pub fn sign_as_log(&self, origin: &str, text: &str) -> SignatureLine {
        let key = VerifierKey::new(origin, KeyKind::Log, self.log.verifying_key().to_bytes()).unwrap();
        sign(&key, text, |message| Ok::<_, std::convert::Infallible>(self.log.sign(message).to_bytes())).unwrap()
    }

    /// Its cosignature over a checkpoint text.
    pub fn cosign(&self, origin: &str, text: &str, time_seconds: u64) -> SignatureLine {
        let name = self.public().cosigner_name(origin);
        let key = VerifierKey::new(&name, KeyKind::Cosigner, self.cosigner.verifying_key().to_bytes()).unwrap();
        let time = PosixSeconds::new(time_seconds);
        cosign(&key, text, time, |message| Ok::<_, std::convert::Infallible>(self.cosigner.sign(message).to_bytes()))
            .unwrap()
    }

    /// Its precommit for a block in a round.
    pub fn precommit(&self, chain: ChainId, height: Height, round: u32, block: &Hash) -> [u8; 64] {
        let mut preimage = b"tallystick/precommit/v1\n".to_vec();
        preimage.extend_from_slice(chain.0.as_bytes());
        preimage.extend_from_slice(&height.get().to_be_bytes());
        preimage.extend_from_slice(&round.to_be_bytes());
        preimage.push(1);
        preimage.extend_from_slice(block.as_bytes());
        self.consensus.sign(&preimage).to_bytes()
    }
}

/// The validator set of these validators, given ascending.
pub(super) fn set_of(validators: &[TestValidator]) -> ValidatorSet {
    ValidatorSet::new(validators.iter().map(TestValidator::public).collect()).unwrap()
}

/// A commit certificate: height ‖ round ‖ block id ‖ count u16 ‖ (member u32 ‖ signature)…, ascending.
pub(super) fn certificate(
    validators: &[TestValidator],
    chain: ChainId,
    height: Height,
    round: u32,
    block: &Hash,
) -> Vec<u8> {
    let mut bytes = height.get().to_be_bytes().to_vec();
    bytes.extend_from_slice(&round.to_be_bytes());
    bytes.extend_from_slice(block.as_bytes());
    bytes.extend_from_slice(&u16::try_from(validators.len()).unwrap().to_be_bytes());
    for validator in validators {
        bytes.extend_from_slice(&validator.id.to_be_bytes());
        bytes.extend_from_slice(&validator.precommit(chain, height, round, block));
    }
    bytes
}
