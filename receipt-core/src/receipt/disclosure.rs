//! A receipt's body: one salted leaf per value, and the Merkle root over the leaves.
//!
//! ```text
//! leaf data = salt (16 bytes) ‖ position (u32, big-endian) ‖ value (UTF-8)
//! salt      = keyed(seed (32 bytes), "tallystick/salt/v1\n" ‖ position (u32, big-endian))[0..16]
//! body_root = RFC 6962 root over the leaf data, in order of position
//! ```
//! Keyed hash and tree are the suite's; under suite 1 they are HMAC-SHA256 and SHA-256.
//!
//! The seed is random per receipt and secret: who holds it (the issuer, the holder of the full bundle) can disclose any
//! subset; who holds neither seed nor salts learns nothing from the root. A presentation carries the salts of what it
//! shows. Deleting body and seed erases the content.
//!
//! Not here: which values exist (`layout`), and the proof that the root is anchored.

use std::fmt;

use zeroize::{Zeroize as _, ZeroizeOnDrop};

use crate::hash::Hash;
use crate::ids::LeafIndex;
use crate::merkle::{InnerTree, leaf_hash_of_parts, root_of_leaf_hashes};
use crate::receipt::layout::{BodyError, from_values, to_values};
use crate::receipt::model::Receipt;
use crate::suite::Suite;
use crate::suite::hashing::KeyedHasher;

/// Bytes of a salt.
pub const SALT_BYTES: usize = 16;
/// Bytes of a seed.
pub const SEED_BYTES: usize = 32;

/// The per-receipt secret from which all salts derive. Its `Debug` shows nothing; wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Seed([u8; SEED_BYTES]);

impl Seed {
    /// Wraps 32 random bytes.
    pub const fn new(random: [u8; SEED_BYTES]) -> Self {
        Self(random)
    }

    /// Reads it out of storage, without a copy between; `None` for another length.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        let mut seed = Self([0; SEED_BYTES]);
        if bytes.len() != SEED_BYTES {
            return None;
        }
        seed.0.copy_from_slice(bytes);
        Some(seed)
    }

    /// The bytes, for storage and for the full bundle.
    pub const fn as_bytes(&self) -> &[u8; SEED_BYTES] {
        &self.0
    }

    /// The salt of a position under a suite.
    pub fn salt(&self, suite: Suite, position: u32) -> Salt {
        self.salts(suite).at(position)
    }

    /// Salts with the key schedule done once: a body needs dozens of them.
    fn salts(&self, suite: Suite) -> Salts {
        Salts(suite.keyed(&self.0))
    }
}

impl Drop for Seed {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl ZeroizeOnDrop for Seed {}

/// The suite's keyed hash under a seed.
struct Salts(KeyedHasher);

impl Salts {
    fn at(&self, position: u32) -> Salt {
        Salt(self.0.clone().short_of([&b"tallystick/salt/v1\n"[..], &position.to_be_bytes()]))
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(…)")
    }
}

/// The random bytes that are hashed with one value, so that it cannot be guessed from its hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Salt(pub [u8; SALT_BYTES]);

impl Salt {
    /// The RFC 6962 hash of the leaf with a value at a position, under a suite.
    pub fn leaf_hash(&self, suite: Suite, position: u32, value: &str) -> Hash {
        leaf_hash_of_parts(suite, &[&self.0, &position.to_be_bytes(), value.as_bytes()])
    }
}

/// One value, opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disclosure {
    /// Its position in the body.
    pub position: u32,
    /// Its salt.
    pub salt: Salt,
    /// Its text.
    pub value: String,
}

impl Disclosure {
    /// What the leaf commits to.
    pub fn leaf_data(&self) -> Vec<u8> {
        let mut data = Vec::with_capacity(SALT_BYTES + 4 + self.value.len());
        data.extend_from_slice(&self.salt.0);
        data.extend_from_slice(&self.position.to_be_bytes());
        data.extend_from_slice(self.value.as_bytes());
        data
    }

    /// The RFC 6962 hash of the leaf under a suite.
    pub fn leaf_hash(&self, suite: Suite) -> Hash {
        self.salt.leaf_hash(suite, self.position, &self.value)
    }
}

/// All values of a receipt, opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    suite: Suite,
    disclosures: Vec<Disclosure>,
}

impl Body {
    /// The body of a receipt under a suite and a seed.
    pub fn of_receipt(suite: Suite, receipt: &Receipt, seed: &Seed) -> Result<Self, BodyError> {
        Self::of_values(suite, to_values(receipt)?, seed)
    }

    /// The body of values by position, as a full bundle carries them. Whether they are a receipt: [`Body::receipt`].
    pub fn of_values(suite: Suite, values: Vec<String>, seed: &Seed) -> Result<Self, BodyError> {
        let salts = seed.salts(suite);
        let disclosures = values.into_iter().enumerate().map(|(position, value)| {
            let position = u32::try_from(position).map_err(|_| BodyError::TooManyRows)?;
            Ok(Disclosure { position, salt: salts.at(position), value })
        });
        Ok(Self { suite, disclosures: disclosures.collect::<Result<_, BodyError>>()? })
    }

    /// The suite of salts and tree.
    pub fn suite(&self) -> Suite {
        self.suite
    }

    /// The disclosures by position.
    pub fn disclosures(&self) -> &[Disclosure] {
        &self.disclosures
    }

    /// The receipt, if the values are exactly one.
    pub fn receipt(&self) -> Result<Receipt, BodyError> {
        let values: Vec<String> = self.disclosures.iter().map(|disclosure| disclosure.value.clone()).collect();
        from_values(&values)
    }

    /// The leaf data by position.
    pub fn leaves(&self) -> Vec<Vec<u8>> {
        self.disclosures.iter().map(Disclosure::leaf_data).collect()
    }

    /// The root that the record carries, over [`Body::leaves`], without copying the values.
    pub fn root(&self) -> Hash {
        root_of_leaf_hashes(self.suite, self.leaf_hashes())
    }

    /// The inclusion path of a position, leaf's sibling first; `None` beyond the end.
    pub fn inclusion_path(&self, position: u32) -> Option<Vec<Hash>> {
        let hashes: Vec<Hash> = self.leaf_hashes().collect();
        InnerTree::from_leaf_hashes(self.suite, &hashes).ok()?.path(LeafIndex::new(u64::from(position)))
    }

    fn leaf_hashes(&self) -> impl Iterator<Item = Hash> {
        self.disclosures.iter().map(|disclosure| disclosure.leaf_hash(self.suite))
    }
}

#[cfg(test)]
mod tests;
