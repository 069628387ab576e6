//! The secrets of a development network: drawn once, written as encrypted key files.
//!
//! One passphrase per directory of keys. From the operating system by default; a seeded network repeats them, so that a
//! test can name what it found.
//!
//! Not here: TLS keys (see [`crate::pki`]).

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result};
use receipt_core::suite::{PublicKey, Signer as _, SoftwareKey};
use tallystick_service::durable::{self, FileMode};
use tallystick_service::keyfile::{self, KdfCost, KeyKind, NewKey, Passphrase};
use tallystick_service::rng::{Entropy, random_array};

use crate::registry::key_id;

/// A 32-byte secret.
pub type Seed = [u8; 32];

/// Seeds of one validator.
#[derive(Clone)]
pub struct ValidatorSeeds {
    /// Signs votes.
    pub consensus: Seed,
    /// Signs checkpoints as the log.
    pub log: Seed,
    /// Cosigns checkpoints.
    pub cosigner: Seed,
}

/// Everything secret.
pub struct Secrets {
    /// Authorities, by index in genesis.
    pub authorities: Vec<Seed>,
    /// Validators, by number from 1.
    pub validators: Vec<ValidatorSeeds>,
    /// Unit and issuer keys by key number.
    pub keys: BTreeMap<u32, Seed>,
    /// Master key of each issuer.
    pub masters: Vec<Seed>,
    /// Secret behind the keyed hashes; shared by all issuers.
    pub blinding: Seed,
}

/// Number of parties of each kind.
#[derive(Debug, Clone, Copy)]
pub struct SecretCounts {
    /// Authorities.
    pub authorities: u32,
    /// Validators.
    pub validators: u32,
    /// Issuers.
    pub issuers: u32,
    /// Units, each with a key at every issuer.
    pub units: u32,
}

impl Secrets {
    /// Draws them all, in one order.
    pub fn draw(counts: SecretCounts, entropy: &dyn Entropy) -> Result<Self> {
        let seed = || random_array::<32>(entropy);
        let authorities = (0..counts.authorities).map(|_| seed()).collect::<Result<_, _>>()?;
        let validator = || Ok(ValidatorSeeds { consensus: seed()?, log: seed()?, cosigner: seed()? });
        let validators = (0..counts.validators).map(|_| validator()).collect::<Result<_>>()?;
        let mut keys = BTreeMap::new();
        for issuer_id in 1..=counts.issuers {
            for unit_id in 0..=counts.units {
                keys.insert(key_id(issuer_id, unit_id), seed()?);
            }
        }
        let masters = (0..counts.issuers).map(|_| seed()).collect::<Result<_, _>>()?;
        Ok(Self { authorities, validators, keys, masters, blinding: seed()? })
    }

    /// Public key of a unit or issuer key.
    pub fn public_key(&self, key_id: u32) -> Result<PublicKey> {
        let seed = self.keys.get(&key_id).with_context(|| format!("no key {key_id} was drawn"))?;
        Ok(public_key(seed))
    }
}

/// The public half of a seed.
pub fn public_key(seed: &Seed) -> PublicKey {
    SoftwareKey::from_seed(seed).public_key()
}

/// Writes key files under one new passphrase, which goes to a file beside them.
pub struct KeyWriter<'a> {
    passphrase: Passphrase,
    entropy: &'a dyn Entropy,
}

impl<'a> KeyWriter<'a> {
    /// Draws a passphrase and writes it to `passphrase_file`.
    pub fn new(passphrase_file: &Path, entropy: &'a dyn Entropy) -> Result<Self> {
        let text = hex::encode(random_array::<16>(entropy)?);
        durable::create(passphrase_file, format!("{text}\n").as_bytes(), FileMode::Private)?;
        Ok(Self { passphrase: Passphrase::new(&text), entropy })
    }

    /// Writes the seed of a signing key.
    pub fn signing(&self, path: &Path, seed: &Seed) -> Result<()> {
        self.write(path, seed, KeyKind::Ed25519Seed)
    }

    /// Writes a symmetric key.
    pub fn symmetric(&self, path: &Path, key: &Seed) -> Result<()> {
        self.write(path, key, KeyKind::Symmetric)
    }

    fn write(&self, path: &Path, secret: &Seed, kind: KeyKind) -> Result<()> {
        let new_key = NewKey { secret, kind, cost: KdfCost::DEVELOPMENT };
        Ok(keyfile::create(path, &self.passphrase, &new_key, self.entropy)?)
    }
}
