//! Governance: how units, systems, keys, segments, issuers, kinds and validators change.
//!
//! ```text
//! SignedGovernance { 1 governance: bytes, 2 signers: bytes[32]… (authority keys, ascending), 3 signatures: bytes[64]… }
//! Governance { 1 format_version  2 suite  3 sequence  4 expiry_height  5 actions…  6 previous [32]  7 area }
//! Action     { 1 kind  2 body: bytes }                                body: the message of that kind, canonical
//! ```
//! Sequences ascend by one, and each message names the one before it by its id: whoever gets authorities to sign for a sequence
//! that is not the next one gets nothing that can be played later, because nobody knows yet what will come before it. A message is
//! taken from `expiry_height` − [`limits::GOVERNANCE_VALID_HEIGHTS_MAX`] to `expiry_height`, signed strictly by at least the
//! threshold of the authorities in force, and, if it replaces them, by every one of the new ones: a key that nobody holds would
//! lock governance for ever. A message of an area is signed by the authorities of that area, and has a row of sequences of its own: so no area
//! keeps another, or the chain's own authorities, from their turn. Genesis carries actions without signatures: they enter the log as sequence 0, with zeros as `previous`.

use prost::Message;

use crate::area::Area;
use crate::authorities::AuthoritySet;
use crate::authorized::{self, Signed};
use crate::hash::Hash;
use crate::ids::Height;
#[cfg(doc)]
use crate::limits;
use crate::record::FORMAT_VERSION;
use crate::suite::{ChainId, Namespace, PublicKey, Signature, Signer, Suite};
use crate::wire::{NotCanonical, decode_canonical, fixed};

mod action;
mod area;
mod collector;
mod kind;
mod submitter;

pub use action::{
    Action, AllocateSegment, AttachItems, CloseSegment, CodeName, FenceIssuer, Grant, KeyOwner, NumberRange,
    RegisterBlinding, RegisterKey, RegisterSystem, RegisterUnit, RevokeKey, SetValidators, SettleSegment,
    WithdrawBlinding,
};
pub use area::SetAreaAuthorities;
pub use collector::RegisterCollector;
pub use kind::{Opens, RegisterKind};
pub use submitter::RegisterIssuer;

/// A list of registry changes, taken whole or not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Governance {
    /// Suite of the authority signatures.
    pub suite: Suite,
    /// Whose message it is: of an area's authorities, who change what lies in the area; `None`: of the chain's own.
    pub area: Option<Area>,
    /// One more than the last one taken of the same area, or of the chain's own authorities; 0 only in genesis.
    pub sequence: u64,
    /// Last height at which it may be taken.
    pub expiry: Height,
    /// Id ([`Self::id`]) of the message that was taken before; for sequence 1 the chain id, of an area's zeros.
    pub previous: Hash,
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
    #[prost(bytes = "vec", tag = "6")]
    previous: Vec<u8>,
    #[prost(uint32, tag = "7")]
    area: u32,
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
            previous: self.previous.0.to_vec(),
            area: self.area.map_or(0, Area::get),
        }
        .encode_to_vec()
    }

    /// What identifies the message: the next one names it, and a pool keeps it by this.
    pub fn id(&self) -> Hash {
        governance_id(self.suite, &self.encode())
    }

    /// Decodes the canonical bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, NotCanonical> {
        let wire: GovernanceWire = decode_canonical("Governance", bytes)?;
        if wire.format_version != FORMAT_VERSION {
            return Err(NotCanonical("Governance"));
        }
        let governance = Self {
            suite: Suite::from_number(wire.suite).ok_or(NotCanonical("Governance"))?,
            area: match wire.area {
                0 => None,
                code => Some(Area::new(code).ok_or(NotCanonical("Governance"))?),
            },
            sequence: wire.sequence,
            expiry: Height::new(wire.expiry_height),
            previous: Hash(fixed("previous", &wire.previous)?),
            actions: wire.actions.iter().map(Action::from_wire).collect::<Result<_, _>>()?,
        };
        // Who must sign a message that replaces the authorities twice? And whoever follows the changes of authorities asks for no area.
        let most = if governance.area.is_none() { 1 } else { 0 };
        if governance.authority_changes().count() > most {
            return Err(NotCanonical("Governance"));
        }
        Ok(governance)
    }

    fn authority_changes(&self) -> impl Iterator<Item = &AuthoritySet> {
        self.actions.iter().filter_map(|action| match action {
            Action::SetAuthorities(set) => Some(set),
            _ => None,
        })
    }

    /// The keys of all that the message names as authorities, of the chain or of areas: each of them has to sign.
    pub fn named_keys(&self) -> impl Iterator<Item = &PublicKey> {
        self.actions.iter().flat_map(|action| match action {
            Action::SetAuthorities(set) => set.keys.as_slice(),
            Action::SetAreaAuthorities(change) => change.set.keys.as_slice(),
            _ => &[],
        })
    }

    /// The authorities that the message puts in the place of those who sign it, if it does.
    pub fn next_authorities(&self) -> Option<&AuthoritySet> {
        self.authority_changes().next()
    }
}

/// A governance message with the authorities' signatures: the content of a `Governance` log entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedGovernance {
    /// The decoded message.
    pub governance: Governance,
    /// The signed bytes, verbatim.
    pub governance_bytes: Vec<u8>,
    /// Public key and signature, ascending by key.
    pub signatures: Vec<(PublicKey, Signature)>,
}

impl SignedGovernance {
    /// Signs with authority keys.
    pub fn sign(governance: Governance, chain: ChainId, signers: &[&dyn Signer]) -> Self {
        let governance_bytes = governance.encode();
        let signatures = authorized::sign(Namespace::Governance, chain, &governance_bytes, signers);
        Self { governance, governance_bytes, signatures }
    }

    /// The bytes of the log entry, without its tag.
    pub fn encode(&self) -> Vec<u8> {
        authorized::encode(&self.governance_bytes, &self.signatures)
    }

    /// Decodes the canonical bytes; signers must be strictly ascending.
    pub fn decode(bytes: &[u8]) -> Result<Self, NotCanonical> {
        let (governance_bytes, signatures) = authorized::decode("SignedGovernance", bytes)?;
        Ok(Self { governance: Governance::decode(&governance_bytes)?, governance_bytes, signatures })
    }

    /// Whether those have signed who must while these authorities are in force. Whether the suite is the chain's is the caller's to ask.
    pub fn verify(&self, chain: ChainId, authorities: &AuthoritySet) -> bool {
        self.signature_problem(chain, authorities).is_none()
    }

    /// Why the signatures do not do while these authorities (the chain's, or those of the message's area) are in force: at least the threshold
    /// of them must have signed, every one of those that the message names as authorities, and nobody else; every signature must be valid under the message's suite.
    pub fn signature_problem(&self, chain: ChainId, authorities: &AuthoritySet) -> Option<&'static str> {
        let has_signed = |key: &PublicKey| self.signatures.iter().any(|(signer, _)| signer == key);
        let may_sign = |key: &PublicKey| authorities.has(key) || self.governance.named_keys().any(|named| named == key);
        let signed = Signed {
            suite: self.governance.suite,
            namespace: Namespace::Governance,
            chain,
            message: &self.governance_bytes,
        };
        if !self.signatures.iter().all(|(key, _)| may_sign(key)) {
            return Some("it is signed by a key that is no authority's");
        }
        if !authorities.suffices(has_signed) {
            return Some("it is not signed by enough authorities");
        }
        if !self.governance.named_keys().all(has_signed) {
            return Some("it is not signed by every new authority");
        }
        (!signed.by(&self.signatures)).then_some("an authority's signature is not valid")
    }

    /// [`Governance::id`] of the message, of the bytes as they were signed.
    pub fn hash(&self) -> Hash {
        governance_id(self.governance.suite, &self.governance_bytes)
    }
}

fn governance_id(suite: Suite, governance_bytes: &[u8]) -> Hash {
    suite.tagged("tallystick/governance-id/v1", &[governance_bytes])
}
