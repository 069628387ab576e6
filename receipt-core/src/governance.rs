//! Governance: how units, systems, keys, segments, issuers, kinds and validators change.
//!
//! ```text
//! SignedGovernance { 1 governance: bytes, 2 signers: packed u32 (authority indexes, ascending), 3 signatures: bytes[64]… }
//! Governance { 1 format_version  2 suite  3 sequence  4 expiry_height  5 actions… }
//! Action     { 1 kind  2 body: bytes }                                body: the message of that kind, canonical
//! ```
//! Sequences ascend by one; a message is taken at a height ≤ `expiry_height`, signed strictly by at least the threshold of
//! authority keys. Genesis carries actions without signatures: they enter the log as sequence 0.

use prost::Message;

use crate::hash::{Hash, tagged};
use crate::ids::Height;
use crate::record::FORMAT_VERSION;
use crate::suite::{ChainId, Namespace, PublicKey, Signature, Signer, Suite, verify_strict};
use crate::wire::{NotCanonical, decode_canonical, fixed};

mod action;

pub use action::{
    Action, AllocateSegment, AttachItems, CloseSegment, CodeName, FenceIssuer, Grant, KeyOwner, RegisterIssuer,
    RegisterKey, RegisterKind, RegisterSystem, RegisterUnit, RevokeKey, SetValidators,
};

/// A list of registry changes, taken whole or not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Governance {
    /// Suite of the authority signatures.
    pub suite: Suite,
    /// One more than the last one taken; 0 only in genesis.
    pub sequence: u64,
    /// Last height at which it may be taken.
    pub expiry: Height,
    /// The changes, applied in order.
    pub actions: Vec<Action>,
}

#[derive(Clone, PartialEq, Message)]
struct GovernanceWire {
    #[prost(uint32, tag = "1")]
    format_version: u32,
    #[prost(uint32, tag = "2")]
    suite: u32,
    #[prost(uint64, tag = "3")]
    sequence: u64,
    #[prost(uint64, tag = "4")]
    expiry_height: u64,
    #[prost(message, repeated, tag = "5")]
    actions: Vec<ActionWire>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ActionWire {
    #[prost(uint32, tag = "1")]
    pub(crate) kind: u32,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) body: Vec<u8>,
}

impl Governance {
    /// The canonical bytes that authorities sign.
    pub fn encode(&self) -> Vec<u8> {
        GovernanceWire {
            format_version: FORMAT_VERSION,
            suite: self.suite.number(),
            sequence: self.sequence,
            expiry_height: self.expiry.get(),
            actions: self.actions.iter().map(Action::to_wire).collect(),
        }
        .encode_to_vec()
    }

    /// Decodes the canonical bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, NotCanonical> {
        let wire: GovernanceWire = decode_canonical("Governance", bytes)?;
        if wire.format_version != FORMAT_VERSION {
            return Err(NotCanonical("Governance"));
        }
        Ok(Self {
            suite: Suite::from_number(wire.suite).ok_or(NotCanonical("Governance"))?,
            sequence: wire.sequence,
            expiry: Height::new(wire.expiry_height),
            actions: wire.actions.iter().map(Action::from_wire).collect::<Result<_, _>>()?,
        })
    }
}

/// A governance message with the authorities' signatures: the content of a `Governance` log entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedGovernance {
    /// The decoded message.
    pub governance: Governance,
    /// The signed bytes, verbatim.
    pub governance_bytes: Vec<u8>,
    /// Authority index and signature, ascending by index.
    pub signatures: Vec<(u32, Signature)>,
}

#[derive(Clone, PartialEq, Message)]
struct SignedWire {
    #[prost(bytes = "vec", tag = "1")]
    governance: Vec<u8>,
    #[prost(uint32, repeated, tag = "2")]
    signers: Vec<u32>,
    #[prost(bytes = "vec", repeated, tag = "3")]
    signatures: Vec<Vec<u8>>,
}

impl SignedGovernance {
    /// Signs with authority keys, given as (index in genesis, key), ascending.
    pub fn sign(governance: Governance, chain: ChainId, signers: &[(u32, &dyn Signer)]) -> Self {
        let governance_bytes = governance.encode();
        let sign = |signer: &dyn Signer| signer.sign(Namespace::Governance, chain, &governance_bytes);
        let signatures = signers.iter().map(|(index, signer)| (*index, sign(*signer))).collect();
        Self { governance, governance_bytes, signatures }
    }

    /// The bytes of the log entry, without its tag.
    pub fn encode(&self) -> Vec<u8> {
        SignedWire {
            governance: self.governance_bytes.clone(),
            signers: self.signatures.iter().map(|(index, _)| *index).collect(),
            signatures: self.signatures.iter().map(|(_, signature)| signature.0.to_vec()).collect(),
        }
        .encode_to_vec()
    }

    /// Decodes the canonical bytes; signers must be strictly ascending.
    pub fn decode(bytes: &[u8]) -> Result<Self, NotCanonical> {
        let wire: SignedWire = decode_canonical("SignedGovernance", bytes)?;
        let ascending = wire.signers.windows(2).all(|pair| pair[0] < pair[1]);
        if wire.signers.len() != wire.signatures.len() || !ascending {
            return Err(NotCanonical("SignedGovernance"));
        }
        let signatures = wire
            .signers
            .iter()
            .zip(&wire.signatures)
            .map(|(index, bytes)| fixed("signature", bytes).map(|signature| (*index, Signature(signature))));
        Ok(Self {
            governance: Governance::decode(&wire.governance)?,
            signatures: signatures.collect::<Result<_, _>>()?,
            governance_bytes: wire.governance,
        })
    }

    /// Whether at least `threshold` distinct authorities signed, given ascending, every given signature being valid under
    /// strict rules.
    pub fn verify(&self, chain: ChainId, authorities: &[PublicKey], threshold: u32) -> bool {
        let valid = |(index, signature): &(u32, Signature)| {
            authorities
                .get(*index as usize)
                .is_some_and(|key| verify_strict(key, Namespace::Governance, chain, &self.governance_bytes, signature))
        };
        let distinct = self.signatures.windows(2).all(|pair| pair[0].0 < pair[1].0);
        distinct && self.signatures.len() >= threshold as usize && self.signatures.iter().all(valid)
    }

    /// What identifies the message in a pool.
    pub fn hash(&self) -> Hash {
        tagged("tallystick/governance-id/v1", &[&self.governance_bytes])
    }
}
