//! The issuer's keys and values in the journal, typed. Layouts are drawn in the parent module.

use std::num::NonZeroU16;
use std::ops::RangeInclusive;

use prost::Message;
use receipt_core::blind::{UniquenessKey, UniquenessType};
use receipt_core::hash::Hash;
use receipt_core::ids::{Fen, ReceiptKey, RecordKey, SegmentId, UnitId, UnixMillis};
use receipt_core::state::tables::uniqueness_key_bytes;
use tallystick_anchoring::journal::{Fields, JournalError, RecordRow, fixed};

use super::tallies::DayKind;

pub(crate) fn receipt_key_bytes(key: ReceiptKey) -> [u8; 12] {
    RecordKey::from(key).0
}

pub(super) fn receipt_key(bytes: &[u8]) -> Result<ReceiptKey, JournalError> {
    receipt_of(RecordKey(fixed(bytes, "receipt key")?))
}

/// The receipt that a record of this journal is.
pub fn receipt_of(key: RecordKey) -> Result<ReceiptKey, JournalError> {
    ReceiptKey::try_from(key).map_err(|_| JournalError::Corrupt("receipt key"))
}

pub(super) fn biz_key(unit: UnitId, biz_code: &str) -> Vec<u8> {
    [&unit.get().to_be_bytes()[..], biz_code.as_bytes()].concat()
}

/// No biz code holds a NUL (V27), so that none is mistaken for a hash.
pub(super) fn adopted_key(unit: UnitId, biz_hash: &[u8; 16]) -> Vec<u8> {
    [&unit.get().to_be_bytes()[..], &[0], biz_hash].concat()
}

/// Receipts of a unit of which this journal has the record alone, from an issue time on.
pub(super) fn bare_from(unit: UnitId, since: UnixMillis) -> Vec<u8> {
    [&unit.get().to_be_bytes()[..], &[2], &since.get().to_be_bytes()].concat()
}

/// Behind all of them.
pub(super) fn bare_end(unit: UnitId) -> [u8; 5] {
    let mut bytes = [3; 5];
    bytes[..4].copy_from_slice(&unit.get().to_be_bytes());
    bytes
}

pub(super) fn bare_key(unit: UnitId, issue_time: UnixMillis, key: ReceiptKey) -> Vec<u8> {
    [&bare_from(unit, issue_time)[..], &receipt_key_bytes(key)].concat()
}

/// A receipt of which this journal has the record alone: what it re-issues, if it does, stands in its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bare {
    /// Which.
    pub key: ReceiptKey,
    /// When it was issued.
    pub issue_time: UnixMillis,
    /// Its amount.
    pub total: Fen,
}

impl Bare {
    /// From a row's key behind its unit, and its value.
    pub(super) fn decode(row_key: &[u8], value: &[u8]) -> Result<Self, JournalError> {
        let (mut fields, mut value) = (Fields(row_key), Fields(value));
        let issue_time = UnixMillis::new(fields.u64()?);
        let key = receipt_key(&fields.array::<12>()?)?;
        let bare = Self { key, issue_time, total: Fen::new(value.i64()?) };
        fields.end()?;
        value.end()?;
        Ok(bare)
    }
}

/// Rows of `uniqueness`, from one to another, of which none may be there if a receipt of `unit` is to hold this key; the key's own row
/// is the first of them, or among them.
pub(crate) fn rows_against(unit: UnitId, key: UniquenessKey) -> Vec<RangeInclusive<[u8; 23]>> {
    let row = |instalment| uniqueness_key_bytes(unit, &UniquenessKey { instalment, ..key });
    let own = row(key.instalment);
    match (key.kind, key.instalment) {
        // A receipt for the whole decision: none of its instalments may have a receipt.
        (UniquenessType::Decision, None) => vec![own..=row(Some(NonZeroU16::MAX))],
        (UniquenessType::Decision, Some(_)) => vec![own..=own, row(None)..=row(None)],
        (UniquenessType::Payment | UniquenessType::MedicalSettlement, _) => vec![own..=own],
    }
}

/// A segment that gives out no more numbers.
pub(super) fn stopped_key(segment: SegmentId) -> [u8; 5] {
    let mut bytes = [1; 5];
    bytes[..4].copy_from_slice(&segment.get().to_be_bytes());
    bytes
}

/// No biz code holds a control character (V27), so that none is mistaken for a name.
pub(super) fn past_name_prefix(unit: UnitId) -> [u8; 5] {
    let mut bytes = [1; 5];
    bytes[..4].copy_from_slice(&unit.get().to_be_bytes());
    bytes
}

/// Longer than any reversal's key, so that none is mistaken for it.
pub(super) fn reissue_key(original: ReceiptKey) -> Vec<u8> {
    [&receipt_key_bytes(original)[..], &[1]].concat()
}

pub(super) fn day_prefix(unit: UnitId, day: u32) -> [u8; 8] {
    let mut bytes = [0; 8];
    bytes[..4].copy_from_slice(&unit.get().to_be_bytes());
    bytes[4..].copy_from_slice(&day.to_be_bytes());
    bytes
}

/// The local day of an instant as `yyyymmdd`.
pub fn day_number(time: UnixMillis, utc_offset_minutes: i32) -> u32 {
    let (year, month, day) = time.civil_date(utc_offset_minutes);
    u32::try_from(year).unwrap_or(0) * 10_000 + month * 100 + day
}

/// A receipt without its body.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReceiptRow {
    /// The signed record, verbatim.
    pub signed_record: Vec<u8>,
    /// 业务流水号.
    pub biz_code: String,
    /// 开票点.
    pub place_code: String,
}

/// What is kept beside a record.
#[derive(Clone, PartialEq, Eq, Message)]
struct RecordNote {
    #[prost(string, tag = "1")]
    biz_code: String,
    #[prost(string, tag = "2")]
    place_code: String,
}

impl ReceiptRow {
    pub(super) fn to_record(&self) -> RecordRow {
        let note = RecordNote { biz_code: self.biz_code.clone(), place_code: self.place_code.clone() };
        RecordRow { signed_record: self.signed_record.clone(), note: note.encode_to_vec() }
    }

    pub(crate) fn from_record(row: RecordRow) -> Result<Self, JournalError> {
        let note = RecordNote::decode(row.note.as_slice()).map_err(|_| JournalError::Corrupt("a record's note"))?;
        Ok(Self { signed_record: row.signed_record, biz_code: note.biz_code, place_code: note.place_code })
    }
}

/// Who holds a biz code, and for which content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BizRow {
    /// Tag of what the caller sent, under the key of the receipt's body ([`crate::body::BodyCipher::tag`]): worth nothing once that
    /// is erased, so that erasing a body changes nothing here.
    pub content: Hash,
    /// The receipt.
    pub key: ReceiptKey,
}

impl BizRow {
    pub(super) fn encode(self) -> Vec<u8> {
        [&self.content.0[..], &receipt_key_bytes(self.key)].concat()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, JournalError> {
        let mut fields = Fields(bytes);
        let row = Self { content: Hash(fields.array()?), key: receipt_key(&fields.array::<12>()?)? };
        fields.end()?;
        Ok(row)
    }
}

/// What is kept beside a batch, so that its decision costs no look at each receipt.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct BatchNote {
    /// Indexes of red records, ascending.
    #[prost(uint32, repeated, tag = "1")]
    pub reds: Vec<u32>,
    /// For the tallies, 16 bytes each: unit u32 ‖ day u32 ‖ kind u32 ‖ count of records u32.
    #[prost(bytes = "vec", tag = "2")]
    pub tallies: Vec<u8>,
    /// The unit of each record, in leaf order.
    #[prost(uint32, repeated, tag = "3")]
    pub units: Vec<u32>,
}

impl BatchNote {
    /// As a batch's row has it.
    pub fn read(note: &[u8]) -> Result<Self, JournalError> {
        Self::decode(note).map_err(|_| JournalError::Corrupt("a batch's note"))
    }

    /// How many records fall on each unit, day and kind.
    pub fn counts(&self) -> Result<Vec<(DayKind, u32)>, JournalError> {
        let read = |bytes: &[u8]| {
            let mut fields = Fields(bytes);
            let day_kind = DayKind { unit: UnitId::new(fields.u32()?), day: fields.u32()?, kind: fields.u32()? };
            let count = fields.u32()?;
            fields.end()?;
            Ok((day_kind, count))
        };
        self.tallies.chunks(16).map(read).collect()
    }

    /// Appends a count.
    pub fn push_count(&mut self, day_kind: DayKind, count: u32) {
        self.tallies.extend_from_slice(&day_kind.encode());
        self.tallies.extend_from_slice(&count.to_be_bytes());
    }
}

/// What is kept beside an event, for Watch.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct EventNote {
    /// The units of which it tells anything, ascending: most watchers look no further.
    #[prost(uint32, repeated, tag = "1")]
    pub units: Vec<u32>,
}

impl EventNote {
    /// As an event's row has it.
    pub fn read(note: &[u8]) -> Result<Self, JournalError> {
        Self::decode(note).map_err(|_| JournalError::Corrupt("an event's note"))
    }
}
