//! The validator set: who decides, who cosigns, and how many are enough.
//!
//! The set's hash commits to consensus, log and cosigner keys alike. A quorum is more than two thirds of the members,
//! each with one vote.

use prost::Message;

use crate::hash::Hash;
use crate::ids::ValidatorId;
use crate::limits;
use crate::note::{KeyId, KeyKind};
use crate::suite::{PublicKey, Suite};
use crate::wire::{NotCanonical, decode_canonical, fixed};

/// One validator and its three keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Validator {
    /// Registry number.
    pub id: ValidatorId,
    /// Short name, part of its cosigner key's name: `[a-z0-9-]{1,32}`.
    pub name: String,
    /// Signs consensus votes.
    pub consensus_key: PublicKey,
    /// Signs checkpoints as the log (note type 0x01, named by the origin).
    pub log_key: PublicKey,
    /// Cosigns checkpoints (note type 0x04, named `<origin>/<name>`).
    pub cosigner_key: PublicKey,
}

/// The validators of a range of heights, ascending by id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValidatorSet {
    members: Vec<Validator>,
}

/// Why a list of validators is not a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ValidatorSetError {
    /// No member, or more than [`limits::VALIDATORS_MAX`].
    #[error("a validator set has 1 to 64 members")]
    Size,
    /// Ids are not strictly ascending.
    #[error("validator ids must be strictly ascending")]
    Order,
    /// A name is empty, too long or has a character outside `[a-z0-9-]`, or is used twice.
    #[error("validator names must be unique, 1 to 32 characters of a-z, 0-9 and '-'")]
    Name,
    /// A key may not be registered, or is used twice.
    #[error("validator keys must be canonical, torsion-free and used once")]
    Key,
    /// The log keys of two members have the same note key id: their signature lines could not be told apart.
    #[error(
        "the log keys of validators {0} and {1} have the same note key id under this chain's origin: one of the two needs another log key"
    )]
    NoteKeyId(ValidatorId, ValidatorId),
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ValidatorWire {
    #[prost(uint32, tag = "1")]
    id: u32,
    #[prost(string, tag = "2")]
    name: String,
    #[prost(bytes = "vec", tag = "3")]
    consensus_key: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    log_key: Vec<u8>,
    #[prost(bytes = "vec", tag = "5")]
    cosigner_key: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct SetWire {
    #[prost(message, repeated, tag = "1")]
    members: Vec<ValidatorWire>,
}

impl Validator {
    pub(crate) fn to_wire(&self) -> ValidatorWire {
        ValidatorWire {
            id: self.id.get(),
            name: self.name.clone(),
            consensus_key: self.consensus_key.0.to_vec(),
            log_key: self.log_key.0.to_vec(),
            cosigner_key: self.cosigner_key.0.to_vec(),
        }
    }

    pub(crate) fn from_wire(wire: &ValidatorWire) -> Result<Self, NotCanonical> {
        Ok(Self {
            id: ValidatorId::new(wire.id),
            name: wire.name.clone(),
            consensus_key: PublicKey(fixed("consensus_key", &wire.consensus_key)?),
            log_key: PublicKey(fixed("log_key", &wire.log_key)?),
            cosigner_key: PublicKey(fixed("cosigner_key", &wire.cosigner_key)?),
        })
    }

    /// The name of its cosigner key in notes.
    pub fn cosigner_name(&self, origin: &str) -> String {
        format!("{origin}/{}", self.name)
    }
}

impl ValidatorSet {
    /// Checks size, order, names and keys.
    pub fn new(members: Vec<Validator>) -> Result<Self, ValidatorSetError> {
        if members.is_empty() || members.len() > limits::VALIDATORS_MAX {
            return Err(ValidatorSetError::Size);
        }
        if !members.windows(2).all(|pair| pair[0].id < pair[1].id) {
            return Err(ValidatorSetError::Order);
        }
        let valid_name = |name: &str| {
            (1..=32).contains(&name.len())
                && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        };
        let mut names: Vec<&str> = members.iter().map(|member| member.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        if names.len() != members.len() || !names.iter().all(|name| valid_name(name)) {
            return Err(ValidatorSetError::Name);
        }
        let mut keys: Vec<PublicKey> =
            members.iter().flat_map(|m| [m.consensus_key, m.log_key, m.cosigner_key]).collect();
        keys.sort_unstable();
        keys.dedup();
        if keys.len() != 3 * members.len() || !keys.iter().all(PublicKey::is_registrable) {
            return Err(ValidatorSetError::Key);
        }
        Ok(Self { members })
    }

    /// Whether signature lines tell the log keys apart. All are named by the origin, so only the four bytes of the key id are left
    /// to do so, and whoever tries 2^32 keys makes one with another's id. Cosigner keys have names of their own.
    pub fn check_note_keys(&self, origin: &str) -> Result<(), ValidatorSetError> {
        let ids: Vec<KeyId> =
            self.members.iter().map(|member| KeyId::of(origin, KeyKind::Log, &member.log_key.0)).collect();
        for (position, member) in self.members.iter().enumerate() {
            if let Some(earlier) = ids[..position].iter().position(|id| *id == ids[position]) {
                return Err(ValidatorSetError::NoteKeyId(self.members[earlier].id, member.id));
            }
        }
        Ok(())
    }

    /// The members, ascending by id.
    pub fn members(&self) -> &[Validator] {
        &self.members
    }

    /// The member with this id.
    pub fn member(&self, id: ValidatorId) -> Option<&Validator> {
        self.members.iter().find(|member| member.id == id)
    }

    /// The smallest number of members that is more than two thirds.
    pub fn quorum(&self) -> usize {
        self.members.len() * 2 / 3 + 1
    }

    /// How many members may fail: `(n − 1) / 3`.
    pub fn faults_max(&self) -> usize {
        (self.members.len() - 1) / 3
    }

    /// Canonical bytes: also the state's encoding.
    pub fn encode(&self) -> Vec<u8> {
        SetWire { members: self.members.iter().map(Validator::to_wire).collect() }.encode_to_vec()
    }

    /// Reads and checks canonical bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, NotCanonical> {
        let wire: SetWire = decode_canonical("ValidatorSet", bytes)?;
        let members = wire.members.iter().map(Validator::from_wire).collect::<Result<Vec<_>, _>>()?;
        Self::new(members).map_err(|_| NotCanonical("ValidatorSet"))
    }

    /// Reads bytes that this program checked when it stored them: keys are not examined again, which would cost most of a
    /// millisecond in every block.
    pub fn decode_stored(bytes: &[u8]) -> Result<Self, NotCanonical> {
        let wire: SetWire = decode_canonical("ValidatorSet", bytes)?;
        let members = wire.members.iter().map(Validator::from_wire).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { members })
    }

    /// What a seal of a chain of `suite` says of the set.
    pub fn hash(&self, suite: Suite) -> Hash {
        suite.tagged("tallystick/validator-set/v1", &[&self.encode()])
    }
}
