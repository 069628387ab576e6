//! The authorities: whose signatures change the registry and vouch for units, and how many of them it takes.
//!
//! ```text
//! AuthoritySet { 1 keys: bytes[32]…, 2 threshold }
//! ```
//! An authority is its key. The first set stands in genesis; `SetAuthorities` replaces it. Not here: which set is in force (state, trust
//! file), and what they sign (`governance`, `credential`).

use prost::Message;

use crate::limits;
use crate::suite::{PublicKey, Suite};
use crate::wire::{NotCanonical, decode_canonical, fixed};

/// Authorities, in the order in which they are numbered, and how many must sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthoritySet {
    /// Their keys.
    pub keys: Vec<PublicKey>,
    /// How many of them must sign.
    pub threshold: u32,
}

#[derive(Clone, PartialEq, Message)]
struct AuthoritySetWire {
    #[prost(bytes = "vec", repeated, tag = "1")]
    keys: Vec<Vec<u8>>,
    #[prost(uint32, tag = "2")]
    threshold: u32,
}

impl AuthoritySet {
    /// The canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        let keys = self.keys.iter().map(|key| key.0.to_vec()).collect();
        AuthoritySetWire { keys, threshold: self.threshold }.encode_to_vec()
    }

    /// Decodes the canonical bytes. Whether the set can govern: [`Self::check`].
    pub fn decode(bytes: &[u8]) -> Result<Self, NotCanonical> {
        let wire: AuthoritySetWire = decode_canonical("AuthoritySet", bytes)?;
        let keys = wire.keys.iter().map(|key| fixed("authority key", key).map(PublicKey));
        Ok(Self { keys: keys.collect::<Result<_, _>>()?, threshold: wire.threshold })
    }

    /// Count, keys and threshold; the problem otherwise.
    pub fn check(&self, suite: Suite) -> Result<(), &'static str> {
        let require = |holds: bool, problem| if holds { Ok(()) } else { Err(problem) };
        let mut distinct = self.keys.clone();
        distinct.sort_unstable();
        distinct.dedup();
        require(self.keys.len() <= limits::VALIDATORS_MAX, "there are too many authorities")?;
        require(distinct.len() == self.keys.len(), "an authority stands twice")?;
        require(distinct.iter().all(|key| suite.registers(key)), "an authority's key is not registrable")?;
        require((1..=distinct.len()).contains(&(self.threshold as usize)), "no such number of authorities")
    }

    /// Whether this is the key of one of them.
    pub fn has(&self, key: &PublicKey) -> bool {
        self.keys.contains(key)
    }

    /// Whether enough of them are among these keys, each given once: at least the threshold, and at least one.
    pub fn suffices(&self, mut signers: impl FnMut(&PublicKey) -> bool) -> bool {
        self.keys.iter().filter(|key| signers(key)).count() >= self.threshold.max(1) as usize
    }
}
