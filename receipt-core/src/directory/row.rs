//! A row of the directory: one unit with all of its keys, as the ledger keeps it and the directory's tree has it as a leaf.
//!
//! ```text
//! UnitRow      { 1 unit_id  2 unit_code  3 unit_name  4 supervisor_area_code  5 keys { DirectoryKey }…  6 former_names { FormerName }… }
//! DirectoryKey { 1 key_id  2 public_key[32]  3 valid_from_ms  4 valid_until_ms (0: open)  5 revoked_from_ms (0: not revoked) }
//! FormerName   { 1 unit_name  2 until_ms }
//! ```
//! Keys ascend by id, former names by `until_ms`. Not here: suspensions and kinds. They can be lifted or attached again, which only a
//! signature of authorities may say, and credentials do not speak of them.

use prost::Message;

use crate::credential::UnitCredential;
use crate::ids::{KeyId, UnitId, UnixMillis};
use crate::suite::{PublicKey, Suite};
use crate::wire::{NotCanonical, decode_canonical, fixed};

/// A unit's key.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct DirectoryKey {
    /// Its registry number.
    #[prost(uint32, tag = "1")]
    pub key_id: u32,
    /// The key that signs the unit's records.
    #[prost(bytes = "vec", tag = "2")]
    pub public_key: Vec<u8>,
    /// First issue time it is valid for.
    #[prost(uint64, tag = "3")]
    pub valid_from_ms: u64,
    /// First issue time it is no longer valid for, as planned; 0: open.
    #[prost(uint64, tag = "4")]
    pub valid_until_ms: u64,
    /// The first issue time that its revocation covers; 0: not revoked.
    #[prost(uint64, tag = "5")]
    pub revoked_from_ms: u64,
}

impl DirectoryKey {
    /// The first issue time that its revocation covers, if it is revoked.
    pub fn revoked_from(&self) -> Option<UnixMillis> {
        (self.revoked_from_ms != 0).then_some(UnixMillis::new(self.revoked_from_ms))
    }

    fn is_sound(&self) -> bool {
        self.public_key.len() == 32 && (self.valid_until_ms == 0 || self.valid_from_ms < self.valid_until_ms)
    }
}

/// A name that the unit had.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct FormerName {
    /// The name.
    #[prost(string, tag = "1")]
    pub unit_name: String,
    /// Time of the block that gave it another one: receipts issued before bear this one.
    #[prost(uint64, tag = "2")]
    pub until_ms: u64,
}

/// A unit and its keys.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct UnitRow {
    /// The unit's registry number.
    #[prost(uint32, tag = "1")]
    pub unit_id: u32,
    /// 统一社会信用代码, 18 characters.
    #[prost(string, tag = "2")]
    pub unit_code: String,
    /// 开票单位名称.
    #[prost(string, tag = "3")]
    pub unit_name: String,
    /// 监管机构代码.
    #[prost(string, tag = "4")]
    pub supervisor_area_code: String,
    /// Its keys, ascending by id; revoked and expired ones, too.
    #[prost(message, repeated, tag = "5")]
    pub keys: Vec<DirectoryKey>,
    /// Names that it had, ascending by their ends.
    #[prost(message, repeated, tag = "6")]
    pub former_names: Vec<FormerName>,
}

impl UnitRow {
    /// The canonical bytes: a leaf of the directory's tree.
    pub fn encode(&self) -> Vec<u8> {
        self.encode_to_vec()
    }

    /// Decodes the canonical bytes of a sound row.
    pub fn decode(bytes: &[u8]) -> Result<Self, NotCanonical> {
        let row: Self = decode_canonical("UnitRow", bytes)?;
        if row.is_sound() { Ok(row) } else { Err(NotCanonical("UnitRow")) }
    }

    /// The unit's registry number.
    pub fn unit(&self) -> UnitId {
        UnitId::new(self.unit_id)
    }

    /// The key with this number, if it is one of the unit's.
    pub fn key(&self, key: KeyId) -> Option<&DirectoryKey> {
        let position = self.keys.binary_search_by_key(&key.get(), |key| key.key_id).ok()?;
        self.keys.get(position)
    }

    /// The unit's name at this issue time.
    pub fn name_at(&self, issue_time: UnixMillis) -> &str {
        let former = self.former_names.iter().find(|former| issue_time < UnixMillis::new(former.until_ms));
        former.map_or(&self.unit_name, |former| &former.unit_name)
    }

    /// What a credential of this key of the unit would say of an issue time; `None` if it has no such key.
    pub fn credential_at(&self, suite: Suite, key: KeyId, issue_time: UnixMillis) -> Option<UnitCredential> {
        let key = self.key(key)?;
        Some(UnitCredential {
            suite,
            unit: self.unit(),
            unit_code: self.unit_code.clone(),
            unit_name: self.name_at(issue_time).to_owned(),
            supervisor_area_code: self.supervisor_area_code.clone(),
            signing_key: KeyId::new(key.key_id),
            public_key: PublicKey(fixed("public_key", &key.public_key).ok()?),
            valid_from: UnixMillis::new(key.valid_from_ms),
            valid_until: (key.valid_until_ms != 0).then_some(UnixMillis::new(key.valid_until_ms)),
        })
    }

    /// Lengths, orders and windows.
    pub(super) fn is_sound(&self) -> bool {
        let alphanumeric = self.unit_code.bytes().all(|byte| byte.is_ascii_alphanumeric());
        self.unit_code.len() == 18
            && alphanumeric
            && self.keys.iter().all(DirectoryKey::is_sound)
            && self.keys.windows(2).all(|pair| pair[0].key_id < pair[1].key_id)
            && self.former_names.windows(2).all(|pair| pair[0].until_ms < pair[1].until_ms)
    }
}

/// Whether every row is sound, and they ascend by unit.
pub(super) fn are_sound(rows: &[UnitRow]) -> bool {
    rows.iter().all(UnitRow::is_sound) && rows.windows(2).all(|pair| pair[0].unit_id < pair[1].unit_id)
}
