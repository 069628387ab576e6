//! The seal: last log leaf of each block, from which everything else about the state is proved.
//!
//! ```text
//! Seal {
//!   1 format_version  2 suite  3 height  4 time_ms  5 parent_seal_hash[32]  6 status_root[32]
//!   7 validator_set_hash[32]  8 next_validator_set_hash[32]  9 effects_hash[32]  10 totals_commitment[32]
//!   11 directory_root[32]  12 registry_root[32]
//! }
//! ```
//! The checkpoint after a block is a plain C2SP checkpoint of size n; the seal is leaf n − 1 (checked by whoever relies on
//! it). `effects_hash` chains every write of every block; `totals_commitment` hides the running totals under a salt.

use prost::Message;

use crate::hash::Hash;
use crate::ids::{Height, UnixMillis};
use crate::record::FORMAT_VERSION;
use crate::suite::Suite;
use crate::wire::{NotCanonical, decode_canonical, fixed};

/// What a block leaves behind, in the open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seal {
    /// The chain's suite.
    pub suite: Suite,
    /// The block's height.
    pub height: Height,
    /// The block's time.
    pub time: UnixMillis,
    /// [`Seal::hash`] of the block before; zero at height 0.
    pub parent_seal_hash: Hash,
    /// Root of the status map after the block.
    pub status_root: Hash,
    /// The validator set that decides and cosigns this height.
    pub validator_set_hash: Hash,
    /// The set that decides and cosigns the next height.
    pub next_validator_set_hash: Hash,
    /// H(previous ‖ the block's writes in canonical order).
    pub effects_hash: Hash,
    /// Salted commitment to the running totals.
    pub totals_commitment: Hash,
    /// Root of the directory of units after the block.
    pub directory_root: Hash,
    /// Root of the registry's map after the block.
    pub registry_root: Hash,
}

#[derive(Clone, PartialEq, Message)]
struct SealWire {
    #[prost(uint32, tag = "1")]
    format_version: u32,
    #[prost(uint32, tag = "2")]
    suite: u32,
    #[prost(uint64, tag = "3")]
    height: u64,
    #[prost(uint64, tag = "4")]
    time_ms: u64,
    #[prost(bytes = "vec", tag = "5")]
    parent_seal_hash: Vec<u8>,
    #[prost(bytes = "vec", tag = "6")]
    status_root: Vec<u8>,
    #[prost(bytes = "vec", tag = "7")]
    validator_set_hash: Vec<u8>,
    #[prost(bytes = "vec", tag = "8")]
    next_validator_set_hash: Vec<u8>,
    #[prost(bytes = "vec", tag = "9")]
    effects_hash: Vec<u8>,
    #[prost(bytes = "vec", tag = "10")]
    totals_commitment: Vec<u8>,
    #[prost(bytes = "vec", tag = "11")]
    directory_root: Vec<u8>,
    #[prost(bytes = "vec", tag = "12")]
    registry_root: Vec<u8>,
}

impl Seal {
    /// The message bytes, without the entry tag.
    pub fn encode(&self) -> Vec<u8> {
        SealWire {
            format_version: FORMAT_VERSION,
            suite: self.suite.number(),
            height: self.height.get(),
            time_ms: self.time.get(),
            parent_seal_hash: self.parent_seal_hash.0.to_vec(),
            status_root: self.status_root.0.to_vec(),
            validator_set_hash: self.validator_set_hash.0.to_vec(),
            next_validator_set_hash: self.next_validator_set_hash.0.to_vec(),
            effects_hash: self.effects_hash.0.to_vec(),
            totals_commitment: self.totals_commitment.0.to_vec(),
            directory_root: self.directory_root.0.to_vec(),
            registry_root: self.registry_root.0.to_vec(),
        }
        .encode_to_vec()
    }

    /// Decodes the canonical bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, NotCanonical> {
        let wire: SealWire = decode_canonical("Seal", bytes)?;
        if wire.format_version != FORMAT_VERSION {
            return Err(NotCanonical("Seal"));
        }
        Ok(Self {
            suite: Suite::from_number(wire.suite).ok_or(NotCanonical("Seal"))?,
            height: Height::new(wire.height),
            time: UnixMillis::new(wire.time_ms),
            parent_seal_hash: Hash(fixed("parent_seal_hash", &wire.parent_seal_hash)?),
            status_root: Hash(fixed("status_root", &wire.status_root)?),
            validator_set_hash: Hash(fixed("validator_set_hash", &wire.validator_set_hash)?),
            next_validator_set_hash: Hash(fixed("next_validator_set_hash", &wire.next_validator_set_hash)?),
            effects_hash: Hash(fixed("effects_hash", &wire.effects_hash)?),
            totals_commitment: Hash(fixed("totals_commitment", &wire.totals_commitment)?),
            directory_root: Hash(fixed("directory_root", &wire.directory_root)?),
            registry_root: Hash(fixed("registry_root", &wire.registry_root)?),
        })
    }

    /// What the next block calls its parent, under the seal's suite.
    pub fn hash(&self) -> Hash {
        self.suite.tagged("tallystick/seal/v1", &[&self.encode()])
    }
}
