//! The journal's keys and values, typed. Layouts are drawn in the parent module.

use prost::Message;
use receipt_core::hash::Hash;
use receipt_core::ids::{
    BatchSequence, Fen, Height, LeafIndex, ReceiptCode, ReceiptKey, ReceiptNumber, SegmentId, UnitId, UnixMillis,
};
use receipt_core::merkle::Frontier;
use receipt_core::reason::Reason;
use receipt_core::state::tables::Table;
use receipt_core::suite::Suite;

use super::{JournalError, fixed, frontier};

pub(super) fn receipt_key_bytes(key: ReceiptKey) -> [u8; 12] {
    let mut bytes = [0; 12];
    bytes[..4].copy_from_slice(&key.code.get().to_be_bytes());
    bytes[4..].copy_from_slice(&key.number.get().to_be_bytes());
    bytes
}

pub(super) fn receipt_key(bytes: &[u8]) -> Result<ReceiptKey, JournalError> {
    let bytes: [u8; 12] = fixed(bytes, "receipt key")?;
    let mut fields = Fields(&bytes);
    fields.receipt_key()
}

pub(super) fn biz_key(unit: UnitId, biz_code: &str) -> Vec<u8> {
    [&unit.get().to_be_bytes()[..], biz_code.as_bytes()].concat()
}

/// No biz code holds a NUL (V27), so that none is mistaken for a hash.
pub(super) fn adopted_key(unit: UnitId, biz_hash: &[u8; 16]) -> Vec<u8> {
    [&unit.get().to_be_bytes()[..], &[0], biz_hash].concat()
}

/// A segment that gives out no more numbers.
pub(super) fn stopped_key(segment: SegmentId) -> [u8; 5] {
    let mut bytes = [1; 5];
    bytes[..4].copy_from_slice(&segment.get().to_be_bytes());
    bytes
}

/// What the registry does not remember: beyond every table's number.
const PAST_NAMES: u8 = 0xf0;

pub(super) fn past_name_prefix(unit: UnitId) -> [u8; 5] {
    let mut bytes = [PAST_NAMES; 5];
    bytes[1..].copy_from_slice(&unit.get().to_be_bytes());
    bytes
}

/// Longer than any reversal's key, so that none is mistaken for it.
pub(super) fn reissue_key(original: ReceiptKey) -> Vec<u8> {
    [&receipt_key_bytes(original)[..], &[1]].concat()
}

pub(super) fn registry_key(table: Table, key: &[u8]) -> Vec<u8> {
    [&[table as u8][..], key].concat()
}

pub(super) fn requeue_key(sequence: BatchSequence, index: u16) -> [u8; 10] {
    let mut bytes = [0; 10];
    bytes[..8].copy_from_slice(&sequence.get().to_be_bytes());
    bytes[8..].copy_from_slice(&index.to_be_bytes());
    bytes
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

/// Reads big-endian fields in order.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], JournalError> {
        let (head, rest) = self.0.split_first_chunk::<N>().ok_or(JournalError::Corrupt("a value is too short"))?;
        self.0 = rest;
        Ok(*head)
    }

    fn u64(&mut self) -> Result<u64, JournalError> {
        self.take().map(u64::from_be_bytes)
    }

    fn u32(&mut self) -> Result<u32, JournalError> {
        self.take().map(u32::from_be_bytes)
    }

    fn u16(&mut self) -> Result<u16, JournalError> {
        self.take().map(u16::from_be_bytes)
    }

    fn i64(&mut self) -> Result<i64, JournalError> {
        self.take().map(i64::from_be_bytes)
    }

    fn receipt_key(&mut self) -> Result<ReceiptKey, JournalError> {
        let code = ReceiptCode::new(self.u32()?).map_err(|_| JournalError::Corrupt("receipt code"))?;
        let number = ReceiptNumber::new(self.u64()?).map_err(|_| JournalError::Corrupt("receipt number"))?;
        Ok(ReceiptKey { code, number })
    }

    fn end(&self) -> Result<(), JournalError> {
        if self.0.is_empty() { Ok(()) } else { Err(JournalError::Corrupt("a value is too long")) }
    }
}

/// A receipt without its body.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct ReceiptRow {
    /// The signed record, verbatim.
    #[prost(bytes = "vec", tag = "1")]
    pub signed_record: Vec<u8>,
    /// 业务流水号.
    #[prost(string, tag = "2")]
    pub biz_code: String,
    /// 开票点.
    #[prost(string, tag = "3")]
    pub place_code: String,
}

/// Who holds a biz code, and for which content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BizRow {
    /// Hash of what the caller sent.
    pub content: Hash,
    /// The receipt.
    pub key: ReceiptKey,
}

impl BizRow {
    /// Of a receipt whose body was erased: nothing is left of what the caller sent, nor a hash by which to guess it.
    #[must_use]
    pub fn erased(key: ReceiptKey) -> Self {
        Self { content: Hash([0; 32]), key }
    }

    /// Whether what the caller sent was erased.
    #[must_use]
    pub fn is_erased(&self) -> bool {
        self.content == Hash([0; 32])
    }

    pub(super) fn encode(self) -> Vec<u8> {
        [&self.content.0[..], &receipt_key_bytes(self.key)].concat()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, JournalError> {
        let mut fields = Fields(bytes);
        let row = Self { content: Hash(fields.take()?), key: fields.receipt_key()? };
        fields.end()?;
        Ok(row)
    }
}

/// Where a receipt went from the outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// Into a batch: its fate is the batch's.
    Batched {
        /// The batch.
        sequence: BatchSequence,
        /// Index among its records.
        index: u16,
    },
    /// Refused on the ledger; final.
    Refused {
        /// Why.
        reason: Reason,
        /// Height of the deciding block.
        height: Height,
    },
}

impl Placement {
    pub(super) fn encode(self) -> Vec<u8> {
        match self {
            Self::Batched { sequence, index } => {
                [&[1][..], &sequence.get().to_be_bytes(), &index.to_be_bytes()].concat()
            }
            Self::Refused { reason, height } => {
                [&[2][..], &reason.code().to_be_bytes(), &height.get().to_be_bytes()].concat()
            }
        }
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, JournalError> {
        let mut fields = Fields(bytes);
        let placement = match fields.take::<1>()? {
            [1] => Self::Batched { sequence: BatchSequence::new(fields.u64()?), index: fields.u16()? },
            [2] => Self::Refused {
                reason: Reason::from_code(fields.u32()?).ok_or(JournalError::Corrupt("refusal reason"))?,
                height: Height::new(fields.u64()?),
            },
            _ => return Err(JournalError::Corrupt("placement")),
        };
        fields.end()?;
        Ok(placement)
    }
}

/// A batch as it was cut.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct BatchRow {
    /// The signed header, verbatim.
    #[prost(bytes = "vec", tag = "1")]
    pub signed_header: Vec<u8>,
    /// 12 bytes per record: code u32 ‖ number u64, in leaf order.
    #[prost(bytes = "vec", tag = "2")]
    pub receipt_keys: Vec<u8>,
    /// Indexes of red records, ascending.
    #[prost(uint32, repeated, tag = "3")]
    pub reds: Vec<u32>,
    /// For the tallies, 16 bytes each: unit u32 ‖ day u32 ‖ kind u32 ‖ count of records u32.
    #[prost(bytes = "vec", tag = "4")]
    pub tallies: Vec<u8>,
    /// The unit of each record, in leaf order.
    #[prost(uint32, repeated, tag = "5")]
    pub units: Vec<u32>,
}

impl BatchRow {
    /// The receipts, in leaf order.
    pub fn keys(&self) -> Result<Vec<ReceiptKey>, JournalError> {
        self.receipt_keys.chunks(12).map(receipt_key).collect()
    }

    /// The receipt at an index.
    pub fn key_at(&self, index: u32) -> Result<ReceiptKey, JournalError> {
        let start = usize::try_from(index).unwrap_or(usize::MAX).saturating_mul(12);
        let bytes = self.receipt_keys.get(start..start.saturating_add(12));
        receipt_key(bytes.ok_or(JournalError::Corrupt("batch index"))?)
    }

    /// Appends a receipt.
    pub fn push_key(&mut self, key: ReceiptKey) {
        self.receipt_keys.extend_from_slice(&receipt_key_bytes(key));
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

/// What the ledger decided on a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchOutcome {
    /// Whether it was refused whole.
    pub refused: bool,
    /// Its log leaf: header or refusal.
    pub leaf_index: LeafIndex,
    /// Height of the deciding block.
    pub height: Height,
}

impl BatchOutcome {
    pub(super) fn encode(self) -> Vec<u8> {
        let leaf = self.leaf_index.get().to_be_bytes();
        [&[u8::from(self.refused)][..], &leaf, &self.height.get().to_be_bytes()].concat()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, JournalError> {
        let mut fields = Fields(bytes);
        let refused = fields.take::<1>()? != [0];
        let outcome = Self { refused, leaf_index: LeafIndex::new(fields.u64()?), height: Height::new(fields.u64()?) };
        fields.end()?;
        Ok(outcome)
    }
}

/// One decided batch, for Watch.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct EventRow {
    /// The batch.
    #[prost(uint64, tag = "1")]
    pub sequence: u64,
    /// Height of the deciding block.
    #[prost(uint64, tag = "2")]
    pub height: u64,
    /// Of a refused batch: indexes of the refused records, ascending. Empty: sealed.
    #[prost(uint32, repeated, tag = "3")]
    pub refused_indexes: Vec<u32>,
    /// Their reasons, by number.
    #[prost(uint32, repeated, tag = "4")]
    pub refused_reasons: Vec<u32>,
    /// The units of which it tells anything, ascending: most watchers look no further.
    #[prost(uint32, repeated, tag = "5")]
    pub units: Vec<u32>,
}

/// Which tally.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DayKind {
    /// The unit.
    pub unit: UnitId,
    /// The local day of issue, `yyyymmdd`.
    pub day: u32,
    /// First six digits of the receipt code.
    pub kind: u32,
}

impl DayKind {
    pub(super) fn encode(self) -> [u8; 12] {
        let mut bytes = [0; 12];
        bytes[..4].copy_from_slice(&self.unit.get().to_be_bytes());
        bytes[4..8].copy_from_slice(&self.day.to_be_bytes());
        bytes[8..].copy_from_slice(&self.kind.to_be_bytes());
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, JournalError> {
        let mut fields = Fields(bytes);
        let key = Self { unit: UnitId::new(fields.u32()?), day: fields.u32()?, kind: fields.u32()? };
        fields.end()?;
        Ok(key)
    }
}

/// Receipts issued of one unit, day and kind, whatever becomes of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct IssuedTally {
    /// Blue ones.
    pub blue_count: u64,
    /// Their sum in 分.
    pub blue_fen: i64,
    /// Red ones.
    pub red_count: u64,
    /// Their (negative) sum in 分.
    pub red_fen: i64,
}

impl IssuedTally {
    /// Counts one receipt. Saturates: 10^12 yuan and 2^63 fen are far apart.
    pub fn add(&mut self, total: Fen) {
        let fen = total.get();
        if fen < 0 {
            self.red_count = self.red_count.saturating_add(1);
            self.red_fen = self.red_fen.saturating_add(fen);
        } else {
            self.blue_count = self.blue_count.saturating_add(1);
            self.blue_fen = self.blue_fen.saturating_add(fen);
        }
    }

    /// Counts one receipt no more.
    pub fn remove(&mut self, total: Fen) {
        let fen = total.get();
        if fen < 0 {
            self.red_count = self.red_count.saturating_sub(1);
            self.red_fen = self.red_fen.saturating_sub(fen);
        } else {
            self.blue_count = self.blue_count.saturating_sub(1);
            self.blue_fen = self.blue_fen.saturating_sub(fen);
        }
    }

    pub(super) fn encode(self) -> Vec<u8> {
        let counts = [self.blue_count.to_be_bytes(), self.blue_fen.to_be_bytes()].concat();
        [counts, [self.red_count.to_be_bytes(), self.red_fen.to_be_bytes()].concat()].concat()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, JournalError> {
        let mut fields = Fields(bytes);
        let tally = Self {
            blue_count: fields.u64()?,
            blue_fen: fields.i64()?,
            red_count: fields.u64()?,
            red_fen: fields.i64()?,
        };
        fields.end()?;
        Ok(tally)
    }
}

/// What was decided of one unit, day and kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DecidedTally {
    /// Sealed receipts.
    pub sealed_count: u64,
    /// Refused receipts, with their amounts.
    pub refused: IssuedTally,
}

impl DecidedTally {
    pub(super) fn encode(self) -> Vec<u8> {
        [self.sealed_count.to_be_bytes().to_vec(), self.refused.encode()].concat()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, JournalError> {
        let mut fields = Fields(bytes);
        Ok(Self { sealed_count: fields.u64()?, refused: IssuedTally::decode(fields.0)? })
    }
}

/// How far the ledger has been followed: the last sealed block that was acted on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Its height.
    pub height: Height,
    /// Its time.
    pub time: UnixMillis,
    /// Hash of its seal.
    pub seal_hash: Hash,
    /// Number of the last event.
    pub event: u64,
    /// The log after it.
    pub frontier: Frontier,
}

impl Progress {
    pub(super) fn encode(&self) -> Vec<u8> {
        [
            &self.height.get().to_be_bytes()[..],
            &self.time.get().to_be_bytes(),
            &self.seal_hash.0,
            &self.event.to_be_bytes(),
            &self.frontier.encode(),
        ]
        .concat()
    }

    pub(super) fn decode(suite: Suite, bytes: &[u8]) -> Result<Self, JournalError> {
        let mut fields = Fields(bytes);
        Ok(Self {
            height: Height::new(fields.u64()?),
            time: UnixMillis::new(fields.u64()?),
            seal_hash: Hash(fields.take()?),
            event: fields.u64()?,
            frontier: frontier(suite, fields.0)?,
        })
    }
}
