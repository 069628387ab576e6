//! Genesis: the file from which everything follows. Its hash is the chain id.
//!
//! ```text
//! Genesis {
//!   1 format_version  2 chain_name  3 origin  4 suite  5 time_ms  6 utc_offset_minutes (zigzag)
//!   7 authority_keys: bytes[32]…  8 authority_threshold  9 validators…  10 actions…
//! }
//! ```
//! The actions enter the log of block 0 as governance entries of sequence 0, without signatures: genesis itself is what is
//! trusted.

use prost::Message;

use crate::governance::{Action, ActionWire};
use crate::hash::tagged;
use crate::ids::UnixMillis;
use crate::record::FORMAT_VERSION;
use crate::suite::{ChainId, PublicKey, Suite};
use crate::validators::{Validator, ValidatorSet, ValidatorWire};
use crate::wire::{NotCanonical, decode_canonical, fixed};

/// A chain's beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Genesis {
    /// For people, and in certificates: `[a-z0-9-]+`.
    pub chain_name: String,
    /// The log's origin in checkpoints, a schema-less URL such as `ledger.example.org/2026`.
    pub origin: String,
    /// The chain's suite.
    pub suite: Suite,
    /// Time of block 0.
    pub time: UnixMillis,
    /// The chain's fixed UTC offset in minutes (+08:00 is 480).
    pub utc_offset_minutes: i32,
    /// Keys of the authorities.
    pub authorities: Vec<PublicKey>,
    /// How many of them must sign governance.
    pub authority_threshold: u32,
    /// The first validator set.
    pub validators: ValidatorSet,
    /// The first registry.
    pub actions: Vec<Action>,
}

#[derive(Clone, PartialEq, Message)]
struct GenesisWire {
    #[prost(uint32, tag = "1")]
    format_version: u32,
    #[prost(string, tag = "2")]
    chain_name: String,
    #[prost(string, tag = "3")]
    origin: String,
    #[prost(uint32, tag = "4")]
    suite: u32,
    #[prost(uint64, tag = "5")]
    time_ms: u64,
    #[prost(sint32, tag = "6")]
    utc_offset_minutes: i32,
    #[prost(bytes = "vec", repeated, tag = "7")]
    authority_keys: Vec<Vec<u8>>,
    #[prost(uint32, tag = "8")]
    authority_threshold: u32,
    #[prost(message, repeated, tag = "9")]
    validators: Vec<ValidatorWire>,
    #[prost(message, repeated, tag = "10")]
    actions: Vec<ActionWire>,
}

impl Genesis {
    /// The canonical bytes of the file.
    pub fn encode(&self) -> Vec<u8> {
        GenesisWire {
            format_version: FORMAT_VERSION,
            chain_name: self.chain_name.clone(),
            origin: self.origin.clone(),
            suite: self.suite.number(),
            time_ms: self.time.get(),
            utc_offset_minutes: self.utc_offset_minutes,
            authority_keys: self.authorities.iter().map(|key| key.0.to_vec()).collect(),
            authority_threshold: self.authority_threshold,
            validators: self.validators.members().iter().map(Validator::to_wire).collect(),
            actions: self.actions.iter().map(Action::to_wire).collect(),
        }
        .encode_to_vec()
    }

    /// Reads and checks a genesis file.
    pub fn decode(bytes: &[u8]) -> Result<Self, NotCanonical> {
        const WHAT: NotCanonical = NotCanonical("Genesis");
        let wire: GenesisWire = decode_canonical("Genesis", bytes)?;
        let members = wire.validators.iter().map(Validator::from_wire).collect::<Result<Vec<_>, _>>()?;
        let authorities = wire.authority_keys.iter().map(|key| fixed("authority_key", key).map(PublicKey));
        let genesis = Self {
            suite: Suite::from_number(wire.suite).ok_or(WHAT)?,
            time: UnixMillis::new(wire.time_ms),
            utc_offset_minutes: wire.utc_offset_minutes,
            authorities: authorities.collect::<Result<_, _>>()?,
            authority_threshold: wire.authority_threshold,
            validators: ValidatorSet::new(members).map_err(|_| WHAT)?,
            actions: wire.actions.iter().map(Action::from_wire).collect::<Result<_, _>>()?,
            chain_name: wire.chain_name,
            origin: wire.origin,
        };
        let sound = wire.format_version == FORMAT_VERSION && genesis.is_sound();
        if sound { Ok(genesis) } else { Err(WHAT) }
    }

    fn is_sound(&self) -> bool {
        let count = self.authorities.len();
        let threshold = self.authority_threshold as usize;
        let named = |text: &str| !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || c == '+');
        let mut keys = self.authorities.clone();
        keys.sort_unstable();
        keys.dedup();
        keys.len() == count
            && keys.iter().all(PublicKey::is_registrable)
            && (1..=count).contains(&threshold)
            && named(&self.chain_name)
            && named(&self.origin)
            && self.utc_offset_minutes.unsigned_abs() <= 14 * 60
    }

    /// The chain id: a hash of the whole file.
    pub fn chain_id(&self) -> ChainId {
        ChainId(tagged("tallystick/genesis/v1", &[&self.encode()]))
    }
}
