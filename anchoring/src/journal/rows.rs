//! The journal's keys and values, typed. Layouts are drawn in the parent module.
//!
//! A *note* is what the owner keeps beside a record, a batch or an event: its own bytes, never read here.

use prost::Message;
use receipt_core::hash::Hash;
use receipt_core::ids::{BatchSequence, Height, LeafIndex, RecordKey, UnixMillis};
use receipt_core::merkle::Frontier;
use receipt_core::reason::Reason;
use receipt_core::state::tables::Table;
use receipt_core::suite::Suite;

use super::{JournalError, fixed, frontier};

/// Bytes of a record key.
const RECORD_KEY_BYTES: usize = 12;

pub(super) fn record_key(bytes: &[u8]) -> Result<RecordKey, JournalError> {
    Ok(RecordKey(fixed(bytes, "record key")?))
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

/// Reads big-endian fields in order.
pub struct Fields<'a>(pub &'a [u8]);

impl Fields<'_> {
    /// The next `N` bytes.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], JournalError> {
        let (head, rest) = self.0.split_first_chunk::<N>().ok_or(JournalError::Corrupt("a value is too short"))?;
        self.0 = rest;
        Ok(*head)
    }

    /// The next 8 bytes.
    pub fn u64(&mut self) -> Result<u64, JournalError> {
        self.array().map(u64::from_be_bytes)
    }

    /// The next 4 bytes.
    pub fn u32(&mut self) -> Result<u32, JournalError> {
        self.array().map(u32::from_be_bytes)
    }

    /// The next 2 bytes.
    pub fn u16(&mut self) -> Result<u16, JournalError> {
        self.array().map(u16::from_be_bytes)
    }

    /// The next 8 bytes, signed.
    pub fn i64(&mut self) -> Result<i64, JournalError> {
        self.array().map(i64::from_be_bytes)
    }

    /// Refuses a value that goes on after its last field.
    pub fn end(&self) -> Result<(), JournalError> {
        if self.0.is_empty() { Ok(()) } else { Err(JournalError::Corrupt("a value is too long")) }
    }
}

/// A record.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct RecordRow {
    /// The signed record, verbatim.
    #[prost(bytes = "vec", tag = "1")]
    pub signed_record: Vec<u8>,
    /// The owner's note, opaque here.
    #[prost(bytes = "vec", tag = "2")]
    pub note: Vec<u8>,
}

/// Where a record went from the outbox.
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
        /// The reason, for the message.
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
        let placement = match fields.array::<1>()? {
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
    /// 12 bytes per record, in leaf order.
    #[prost(bytes = "vec", tag = "2")]
    pub record_keys: Vec<u8>,
    /// The owner's note, opaque here.
    #[prost(bytes = "vec", tag = "3")]
    pub note: Vec<u8>,
}

impl BatchRow {
    /// The records, in leaf order.
    pub fn keys(&self) -> Result<Vec<RecordKey>, JournalError> {
        self.record_keys.chunks(RECORD_KEY_BYTES).map(record_key).collect()
    }

    /// The record at an index.
    pub fn key_at(&self, index: u32) -> Result<RecordKey, JournalError> {
        let start = usize::try_from(index).unwrap_or(usize::MAX).saturating_mul(RECORD_KEY_BYTES);
        let bytes = self.record_keys.get(start..start.saturating_add(RECORD_KEY_BYTES));
        record_key(bytes.ok_or(JournalError::Corrupt("batch index"))?)
    }

    /// How many records it has.
    pub fn record_count(&self) -> usize {
        self.record_keys.len() / RECORD_KEY_BYTES
    }

    /// Appends a record.
    pub fn push_key(&mut self, key: RecordKey) {
        self.record_keys.extend_from_slice(&key.0);
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
        let refused = fields.array::<1>()? != [0];
        let outcome = Self { refused, leaf_index: LeafIndex::new(fields.u64()?), height: Height::new(fields.u64()?) };
        fields.end()?;
        Ok(outcome)
    }
}

/// One decided batch, in the order of the ledger.
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
    /// The owner's note, opaque here.
    #[prost(bytes = "vec", tag = "5")]
    pub note: Vec<u8>,
}

/// How far the ledger has been followed: the last sealed block that was acted on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FollowedTip {
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

impl FollowedTip {
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
            seal_hash: Hash(fields.array()?),
            event: fields.u64()?,
            frontier: frontier(suite, fields.0)?,
        })
    }
}
