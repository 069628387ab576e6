//! The record: what is anchored of a receipt, without personal data, signed by the unit's key.
//!
//! ```text
//! SignedRecord { 1 record: bytes, 2 signature: bytes[64] }          the leaf of the batch tree, verbatim
//! ReceiptRecord {
//!   1 format_version  2 suite           3 record_type      4 receipt_code     5 receipt_number
//!   6 unit_id         7 total_fen (zigzag)                 8 issue_time_ms    9 key_id
//!  10 body_root[32]  11 disclosure_count                  12 biz_key[16]     13 key_epoch
//!  14 uniqueness_keys (23 bytes each, ascending)           15 reverses_code   16 reverses_number
//!  17 seal_by_ms
//! }
//! ```
//! Category, kind and year are digits of `receipt_code` and stand nowhere else. Invariants checked on decoding:
//! canonical bytes, fixed lengths, at most [`limits::UNIQUENESS_KEYS_MAX`] keys in ascending order, none of which excludes another,
//! a link to a reversed original exactly when the total is negative (V26).

use prost::Message;

use crate::blind::UniquenessKey;
use crate::hash::Hash;
use crate::ids::{Fen, KeyId, ReceiptCode, ReceiptKey, ReceiptNumber, UnitId, UnixMillis};
use crate::limits;
use crate::reason::Reason;
use crate::suite::{ChainId, Namespace, PublicKey, Signature, Signer, Suite};
use crate::wire::{decode_canonical, fixed};

/// The format this build writes and reads.
pub const FORMAT_VERSION: u32 = 1;

/// What a record says: its `record_type`. A submitter is registered with the types that it may carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u32)]
pub enum RecordType {
    /// A receipt, blue or red: [`ReceiptRecord`].
    Receipt = 1,
}

impl RecordType {
    /// Every type that there is, by number. Claims, paper, payments and days follow.
    pub const ALL: &'static [Self] = &[Self::Receipt];

    /// The number on the wire; never 0.
    pub const fn number(self) -> u32 {
        self as u32
    }

    /// Its name in descriptions and documents.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Receipt => "receipt",
        }
    }

    /// Reads a number; `None` for a type that there is not.
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.iter().copied().find(|known| known.number() == number)
    }
}

/// What is anchored of a receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiptRecord {
    /// Signature suite of the record.
    pub suite: Suite,
    /// (票据代码, 票据号码).
    pub key: ReceiptKey,
    /// Issuing unit.
    pub unit: UnitId,
    /// 金额合计 in 分; negative on a red receipt.
    pub total: Fen,
    /// When the receipt was issued.
    pub issue_time: UnixMillis,
    /// The unit's key that signs.
    pub signing_key: KeyId,
    /// Root of the disclosures' tree.
    pub body_root: Hash,
    /// Number of disclosures: the size of that tree.
    pub disclosure_count: u32,
    /// Keyed hash of (unit, `biz_code`).
    pub biz_key: [u8; 16],
    /// Epoch of the blinding secret behind `biz_key`; a uniqueness key has its own.
    pub key_epoch: u32,
    /// Keys that at most one live receipt may hold; on a red receipt, those its original held.
    pub uniqueness_keys: Vec<UniquenessKey>,
    /// The receipt that this (red) one reverses.
    pub reverses: Option<ReceiptKey>,
    /// The time by which the issuer promises the seal.
    pub seal_by: UnixMillis,
}

#[derive(Clone, PartialEq, Message)]
struct RecordWire {
    #[prost(uint32, tag = "1")]
    format_version: u32,
    #[prost(uint32, tag = "2")]
    suite: u32,
    #[prost(uint32, tag = "3")]
    record_type: u32,
    #[prost(uint32, tag = "4")]
    receipt_code: u32,
    #[prost(uint64, tag = "5")]
    receipt_number: u64,
    #[prost(uint32, tag = "6")]
    unit_id: u32,
    #[prost(sint64, tag = "7")]
    total_fen: i64,
    #[prost(uint64, tag = "8")]
    issue_time_ms: u64,
    #[prost(uint32, tag = "9")]
    key_id: u32,
    #[prost(bytes = "vec", tag = "10")]
    body_root: Vec<u8>,
    #[prost(uint32, tag = "11")]
    disclosure_count: u32,
    #[prost(bytes = "vec", tag = "12")]
    biz_key: Vec<u8>,
    #[prost(uint32, tag = "13")]
    key_epoch: u32,
    #[prost(bytes = "vec", repeated, tag = "14")]
    uniqueness_keys: Vec<Vec<u8>>,
    #[prost(uint32, tag = "15")]
    reverses_code: u32,
    #[prost(uint64, tag = "16")]
    reverses_number: u64,
    #[prost(uint64, tag = "17")]
    seal_by_ms: u64,
}

impl ReceiptRecord {
    /// The canonical bytes that are signed.
    pub fn encode(&self) -> Vec<u8> {
        RecordWire {
            format_version: FORMAT_VERSION,
            suite: self.suite.number(),
            record_type: RecordType::Receipt.number(),
            receipt_code: self.key.code.get(),
            receipt_number: self.key.number.get(),
            unit_id: self.unit.get(),
            total_fen: self.total.get(),
            issue_time_ms: self.issue_time.get(),
            key_id: self.signing_key.get(),
            body_root: self.body_root.0.to_vec(),
            disclosure_count: self.disclosure_count,
            biz_key: self.biz_key.to_vec(),
            key_epoch: self.key_epoch,
            uniqueness_keys: self.uniqueness_keys.iter().map(|key| key.to_bytes().to_vec()).collect(),
            reverses_code: self.reverses.map_or(0, |key| key.code.get()),
            reverses_number: self.reverses.map_or(0, |key| key.number.get()),
            seal_by_ms: self.seal_by.get(),
        }
        .encode_to_vec()
    }

    /// Decodes and checks the form. Errors: `NOT_CANONICAL`, `SUITE_UNKNOWN`, `FIELD_INVALID`.
    pub fn decode(bytes: &[u8]) -> Result<Self, Reason> {
        let wire: RecordWire = decode_canonical("ReceiptRecord", bytes).map_err(|_| Reason::NotCanonical)?;
        if wire.format_version != FORMAT_VERSION || wire.record_type != RecordType::Receipt.number() {
            return Err(Reason::NotCanonical);
        }
        let reverses = match (wire.reverses_code, wire.reverses_number) {
            (0, 0) => None,
            (code, number) => Some(receipt_key(code, number)?),
        };
        let record = Self {
            suite: Suite::from_number(wire.suite).ok_or(Reason::SuiteUnknown)?,
            key: receipt_key(wire.receipt_code, wire.receipt_number)?,
            unit: UnitId::new(wire.unit_id),
            total: Fen::new(wire.total_fen),
            issue_time: UnixMillis::new(wire.issue_time_ms),
            signing_key: KeyId::new(wire.key_id),
            body_root: Hash(fixed("body_root", &wire.body_root).map_err(|_| Reason::NotCanonical)?),
            disclosure_count: wire.disclosure_count,
            biz_key: fixed("biz_key", &wire.biz_key).map_err(|_| Reason::NotCanonical)?,
            key_epoch: wire.key_epoch,
            uniqueness_keys: uniqueness_keys(&wire.uniqueness_keys)?,
            reverses,
            seal_by: UnixMillis::new(wire.seal_by_ms),
        };
        record.check_amount()?;
        Ok(record)
    }

    /// V26: blue totals are positive, red ones negative, both within bounds; a red one names its original.
    fn check_amount(&self) -> Result<(), Reason> {
        let fen = self.total.get();
        let in_range = fen != 0 && fen.unsigned_abs() < limits::TOTAL_FEN_BOUND.unsigned_abs();
        let linked = (fen < 0) == self.reverses.is_some();
        if in_range && linked && self.disclosure_count > 0 { Ok(()) } else { Err(Reason::FieldInvalid) }
    }
}

fn receipt_key(code: u32, number: u64) -> Result<ReceiptKey, Reason> {
    Ok(ReceiptKey {
        code: ReceiptCode::new(code).map_err(|_| Reason::FieldInvalid)?,
        number: ReceiptNumber::new(number).map_err(|_| Reason::FieldInvalid)?,
    })
}

fn uniqueness_keys(wire: &[Vec<u8>]) -> Result<Vec<UniquenessKey>, Reason> {
    if wire.len() > limits::UNIQUENESS_KEYS_MAX {
        return Err(Reason::FieldInvalid);
    }
    let keys = wire.iter().map(|bytes| UniquenessKey::from_slice(bytes)).collect::<Option<Vec<_>>>();
    let keys = keys.ok_or(Reason::NotCanonical)?;
    let adjacent = || keys.windows(2);
    if !adjacent().all(|pair| pair[0] < pair[1]) {
        return Err(Reason::NotCanonical);
    }
    // In this order keys that exclude each other are neighbours: a decision paid at once comes before its instalments.
    if adjacent().any(|pair| pair[0].excludes(&pair[1])) { Err(Reason::FieldInvalid) } else { Ok(keys) }
}

/// A record with its signature, as carried everywhere: the bytes are the leaf of the batch tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedRecord {
    /// The decoded record.
    pub record: ReceiptRecord,
    /// The signed bytes, verbatim.
    pub record_bytes: Vec<u8>,
    /// The unit's signature.
    pub signature: Signature,
}

#[derive(Clone, PartialEq, Message)]
struct SignedWire {
    #[prost(bytes = "vec", tag = "1")]
    record: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    signature: Vec<u8>,
}

impl SignedRecord {
    /// Signs a record.
    pub fn sign(record: ReceiptRecord, chain: ChainId, signer: &dyn Signer) -> Self {
        let record_bytes = record.encode();
        let signature = signer.sign(Namespace::Receipt, chain, &record_bytes);
        Self { record, record_bytes, signature }
    }

    /// The leaf bytes.
    pub fn encode(&self) -> Vec<u8> {
        SignedWire { record: self.record_bytes.clone(), signature: self.signature.0.to_vec() }.encode_to_vec()
    }

    /// Decodes and checks the form, not the signature. Errors: `RECORD_TOO_LARGE` and those of [`ReceiptRecord::decode`].
    pub fn decode(bytes: &[u8]) -> Result<Self, Reason> {
        if bytes.len() > limits::RECORD_BYTES_MAX {
            return Err(Reason::RecordTooLarge);
        }
        let wire: SignedWire = decode_canonical("SignedRecord", bytes).map_err(|_| Reason::NotCanonical)?;
        let signature = Signature(fixed("signature", &wire.signature).map_err(|_| Reason::NotCanonical)?);
        Ok(Self { record: ReceiptRecord::decode(&wire.record)?, record_bytes: wire.record, signature })
    }

    /// What it says.
    pub const fn record_type(&self) -> RecordType {
        RecordType::Receipt
    }

    /// V18: the unit's signature over the received bytes, under the record's suite.
    pub fn verify(&self, chain: ChainId, key: &PublicKey) -> bool {
        self.record.suite.verify(key, Namespace::Receipt, chain, &self.record_bytes, &self.signature)
    }
}

/// The status key of a receipt: a hash of its whole signed record, so that knowing a number is not enough to look it up.
/// Under the chain's suite.
pub fn status_key(suite: Suite, signed_record: &[u8]) -> Hash {
    suite.tagged("tallystick/status-key/v1", &[signed_record])
}
