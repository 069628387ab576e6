//! The actions of governance and their messages. The same messages are the registry's state values.

use prost::Message;

use super::ActionWire;
use super::area::SetAreaAuthorities;
use super::collector::RegisterCollector;
use super::kind::RegisterKind;
use super::submitter::RegisterIssuer;
use crate::authorities::AuthoritySet;
use crate::suite::PublicKey;
use crate::validators::{Validator, ValidatorSet, ValidatorWire};
use crate::wire::{NotCanonical, decode_canonical, fixed};

/// Registers an issuing unit, or replaces its entry.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct RegisterUnit {
    /// Registry number.
    #[prost(uint32, tag = "1")]
    pub unit_id: u32,
    /// 统一社会信用代码, 18 characters.
    #[prost(string, tag = "2")]
    pub unit_code: String,
    /// 开票单位名称.
    #[prost(string, tag = "3")]
    pub name: String,
    /// 监管机构代码, 6 digits.
    #[prost(string, tag = "4")]
    pub supervisor_area_code: String,
    /// Kinds the unit may issue (V16): the first six digits of a receipt code, ascending.
    #[prost(uint32, repeated, tag = "5")]
    pub kinds: Vec<u32>,
    /// From this issue time on (ms) the unit is suspended; 0: it is not.
    #[prost(uint64, tag = "6")]
    pub suspended_from_ms: u64,
}

/// Whose key it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyOwner {
    /// A unit: signs records.
    Unit,
    /// An issuer: signs batch headers.
    Issuer,
}

impl KeyOwner {
    /// The number on the wire.
    pub const fn number(self) -> u32 {
        match self {
            Self::Unit => 1,
            Self::Issuer => 2,
        }
    }
}

/// Registers a signing key. A key id is used once, for ever.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct RegisterKey {
    /// Registry number.
    #[prost(uint32, tag = "1")]
    pub key_id: u32,
    /// 1 unit, 2 issuer.
    #[prost(uint32, tag = "2")]
    pub owner_kind: u32,
    /// Unit or issuer number.
    #[prost(uint32, tag = "3")]
    pub owner_id: u32,
    /// Signature suite.
    #[prost(uint32, tag = "4")]
    pub suite: u32,
    /// Public key, 32 bytes, canonical and torsion-free.
    #[prost(bytes = "vec", tag = "5")]
    pub public_key: Vec<u8>,
    /// First issue time (ms) it is valid for.
    #[prost(uint64, tag = "6")]
    pub valid_from_ms: u64,
    /// First issue time (ms) it is no longer valid for; 0: open.
    #[prost(uint64, tag = "7")]
    pub valid_until_ms: u64,
}

/// Ends a key's validity.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct RevokeKey {
    /// The key.
    #[prost(uint32, tag = "1")]
    pub key_id: u32,
    /// First issue time (ms) it is no longer valid for.
    #[prost(uint64, tag = "2")]
    pub revoked_from_ms: u64,
}

/// A unit for which a system may act, and from where.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Grant {
    /// The unit.
    #[prost(uint32, tag = "1")]
    pub unit_id: u32,
    /// Issuing points (开票点); empty: all of the unit's.
    #[prost(string, repeated, tag = "2")]
    pub places: Vec<String>,
}

/// Registers a calling system, or replaces its entry.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct RegisterSystem {
    /// Registry number, as in the system's certificate.
    #[prost(uint32, tag = "1")]
    pub system_id: u32,
    /// Display name; nothing refers to it.
    #[prost(string, tag = "2")]
    pub name: String,
    /// The system's permissions, each for a unit.
    #[prost(message, repeated, tag = "3")]
    pub grants: Vec<Grant>,
}

/// Allocates a range of numbers to a unit and leases it to one issuer's journal.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct AllocateSegment {
    /// Registry number.
    #[prost(uint32, tag = "1")]
    pub segment_id: u32,
    /// Unit that may use the numbers.
    #[prost(uint32, tag = "2")]
    pub unit_id: u32,
    /// Issuer that allots them.
    #[prost(uint32, tag = "3")]
    pub issuer_id: u32,
    /// 票据代码 of the numbers.
    #[prost(uint32, tag = "4")]
    pub receipt_code: u32,
    /// First number.
    #[prost(uint64, tag = "5")]
    pub first_number: u64,
    /// Last number, inclusive.
    #[prost(uint64, tag = "6")]
    pub last_number: u64,
}

/// Closes a segment (V29).
#[derive(Clone, PartialEq, Eq, Message)]
pub struct CloseSegment {
    /// The segment.
    #[prost(uint32, tag = "1")]
    pub segment_id: u32,
}

/// Numbers of a segment, both ends included.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct NumberRange {
    /// First number.
    #[prost(uint64, tag = "1")]
    pub first: u64,
    /// Last number.
    #[prost(uint64, tag = "2")]
    pub last: u64,
}

/// Settles a closed segment (核销): says of each number that no receipt used what became of it (V29).
#[derive(Clone, PartialEq, Eq, Message)]
pub struct SettleSegment {
    /// The segment.
    #[prost(uint32, tag = "1")]
    pub segment_id: u32,
    /// Numbers never used, or spent by a refused receipt: void (作废), ascending.
    #[prost(message, repeated, tag = "2")]
    pub void: Vec<NumberRange>,
    /// Numbers declared lost (遗失), ascending.
    #[prost(message, repeated, tag = "3")]
    pub lost: Vec<NumberRange>,
}

/// Raises an issuer's epoch: batches of an older one are refused from then on.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct FenceIssuer {
    /// The issuer.
    #[prost(uint32, tag = "1")]
    pub issuer_id: u32,
    /// The new epoch, greater than the current one.
    #[prost(uint32, tag = "2")]
    pub epoch: u32,
    /// The one journal that may go on in this epoch: 16 random bytes that it drew when it began to recover. Empty: none may, before a
    /// further fence names it.
    #[prost(bytes = "vec", tag = "3")]
    pub journal: Vec<u8>,
}

/// A code and its name.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct CodeName {
    /// Code.
    #[prost(string, tag = "1")]
    pub code: String,
    /// Name.
    #[prost(string, tag = "2")]
    pub name: String,
}

/// Attaches items to a unit and kind (V13): instead of those attached before, or besides them. A list above a log entry's limit
/// comes as a first action that replaces and further ones that add. The registry keeps the whole list, with `adds` false.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct AttachItems {
    /// The unit.
    #[prost(uint32, tag = "1")]
    pub unit_id: u32,
    /// The kind.
    #[prost(uint32, tag = "2")]
    pub kind: u32,
    /// 项目, ascending by code.
    #[prost(message, repeated, tag = "3")]
    pub items: Vec<CodeName>,
    /// Whether those attached before stay; one whose code is given again gets the new name.
    #[prost(bool, tag = "4")]
    pub adds: bool,
}

/// Registers the fingerprint of an epoch's blinding secret. No issuer issues with another secret, or in an epoch that has none.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct RegisterBlinding {
    /// The epoch: one more than the newest, withdrawn ones counted.
    #[prost(uint32, tag = "1")]
    pub epoch: u32,
    /// Its secret's [`Fingerprint`](crate::fingerprint::Fingerprint), 16 bytes.
    #[prost(bytes = "vec", tag = "2")]
    pub fingerprint: Vec<u8>,
}

/// Withdraws a blinding epoch that no record names: one that was registered by mistake. Its number and its secret are never registered
/// again.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct WithdrawBlinding {
    /// The epoch.
    #[prost(uint32, tag = "1")]
    pub epoch: u32,
}

/// Replaces the validator set from a height on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetValidators {
    /// First height of the new set.
    pub effective_height: u64,
    /// The new set.
    pub validators: ValidatorSet,
}

#[derive(Clone, PartialEq, Message)]
struct SetValidatorsWire {
    #[prost(uint64, tag = "1")]
    effective_height: u64,
    #[prost(message, repeated, tag = "2")]
    members: Vec<ValidatorWire>,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// 1.
    RegisterUnit(RegisterUnit),
    /// 2.
    RegisterKey(RegisterKey),
    /// 3.
    RevokeKey(RevokeKey),
    /// 4.
    RegisterSystem(RegisterSystem),
    /// 5.
    AllocateSegment(AllocateSegment),
    /// 6.
    CloseSegment(CloseSegment),
    /// 7.
    RegisterIssuer(RegisterIssuer),
    /// 8.
    FenceIssuer(FenceIssuer),
    /// 9.
    RegisterKind(RegisterKind),
    /// 10.
    AttachItems(AttachItems),
    /// 11.
    SetValidators(SetValidators),
    /// 12.
    SettleSegment(SettleSegment),
    /// 13: replaces the authorities, from the next message on.
    SetAuthorities(AuthoritySet),
    /// 14.
    RegisterBlinding(RegisterBlinding),
    /// 15.
    WithdrawBlinding(WithdrawBlinding),
    /// 16.
    SetAreaAuthorities(SetAreaAuthorities),
    /// 17.
    RegisterCollector(RegisterCollector),
}

impl Action {
    pub(crate) fn to_wire(&self) -> ActionWire {
        let (kind, body) = match self {
            Self::RegisterUnit(body) => (1, body.encode_to_vec()),
            Self::RegisterKey(body) => (2, body.encode_to_vec()),
            Self::RevokeKey(body) => (3, body.encode_to_vec()),
            Self::RegisterSystem(body) => (4, body.encode_to_vec()),
            Self::AllocateSegment(body) => (5, body.encode_to_vec()),
            Self::CloseSegment(body) => (6, body.encode_to_vec()),
            Self::RegisterIssuer(body) => (7, body.encode_to_vec()),
            Self::FenceIssuer(body) => (8, body.encode_to_vec()),
            Self::RegisterKind(body) => (9, body.encode_to_vec()),
            Self::AttachItems(body) => (10, body.encode_to_vec()),
            Self::SetValidators(body) => (11, body.encode()),
            Self::SettleSegment(body) => (12, body.encode_to_vec()),
            Self::SetAuthorities(body) => (13, body.encode()),
            Self::RegisterBlinding(body) => (14, body.encode_to_vec()),
            Self::WithdrawBlinding(body) => (15, body.encode_to_vec()),
            Self::SetAreaAuthorities(body) => (16, body.encode()),
            Self::RegisterCollector(body) => (17, body.encode_to_vec()),
        };
        ActionWire { kind, body }
    }

    pub(crate) fn from_wire(wire: &ActionWire) -> Result<Self, NotCanonical> {
        let body = wire.body.as_slice();
        Ok(match wire.kind {
            1 => Self::RegisterUnit(decode_canonical("RegisterUnit", body)?),
            2 => Self::RegisterKey(decode_canonical("RegisterKey", body)?),
            3 => Self::RevokeKey(decode_canonical("RevokeKey", body)?),
            4 => Self::RegisterSystem(decode_canonical("RegisterSystem", body)?),
            5 => Self::AllocateSegment(decode_canonical("AllocateSegment", body)?),
            6 => Self::CloseSegment(decode_canonical("CloseSegment", body)?),
            7 => Self::RegisterIssuer(decode_canonical("RegisterIssuer", body)?),
            8 => Self::FenceIssuer(decode_canonical("FenceIssuer", body)?),
            9 => Self::RegisterKind(decode_canonical("RegisterKind", body)?),
            10 => Self::AttachItems(decode_canonical("AttachItems", body)?),
            11 => Self::SetValidators(SetValidators::decode(body)?),
            12 => Self::SettleSegment(decode_canonical("SettleSegment", body)?),
            13 => Self::SetAuthorities(AuthoritySet::decode(body)?),
            14 => Self::RegisterBlinding(decode_canonical("RegisterBlinding", body)?),
            15 => Self::WithdrawBlinding(decode_canonical("WithdrawBlinding", body)?),
            16 => Self::SetAreaAuthorities(SetAreaAuthorities::decode(body)?),
            17 => Self::RegisterCollector(decode_canonical("RegisterCollector", body)?),
            _ => return Err(NotCanonical("Action")),
        })
    }
}

impl SetValidators {
    fn encode(&self) -> Vec<u8> {
        let members = self.validators.members().iter().map(Validator::to_wire).collect();
        SetValidatorsWire { effective_height: self.effective_height, members }.encode_to_vec()
    }

    fn decode(bytes: &[u8]) -> Result<Self, NotCanonical> {
        let wire: SetValidatorsWire = decode_canonical("SetValidators", bytes)?;
        let members = wire.members.iter().map(Validator::from_wire).collect::<Result<Vec<_>, _>>()?;
        let validators = ValidatorSet::new(members).map_err(|_| NotCanonical("SetValidators"))?;
        Ok(Self { effective_height: wire.effective_height, validators })
    }
}

impl RegisterKey {
    /// The key, if it has 32 bytes.
    pub fn key(&self) -> Result<PublicKey, NotCanonical> {
        fixed("public_key", &self.public_key).map(PublicKey)
    }
}
