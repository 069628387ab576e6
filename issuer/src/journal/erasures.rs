//! What the journal knows of erasures. That a body is erased stands in the body's own key row; here is the rest.
//!
//! ```text
//! erasures   0x00                            where this journal stands in the list: made at u64 ‖ bytes u64
//!            0x01                            rule (text) of all erasures by age that are complete, as one
//!            0x02                            ErasureRun: the one under way, or the last one
//!            0x03 ‖ code u32 ‖ number u64    when a receipt was erased by its name, u64 milliseconds
//! ```
//! From these the list can be written anew. One writer: the sequencer, but for 0x01 and 0x02 while a run is under way.

use prost::Message;
use receipt_core::ids::{ReceiptKey, UnixMillis};
use tallystick_anchoring::journal::{Access, Family, Fields, Journal, JournalError, JournalWrite, Row, fixed};

use super::BODY_KEYS;
use super::read::erasure_time;
use super::rows::{receipt_key, receipt_key_bytes};
/// Erasures.
pub(super) const ERASURES: Family = Family { name: "erasures", access: Access::Scans };

const LIST: &[u8] = &[0];
const RULE: &[u8] = &[1];
const RUN: &[u8] = &[2];
const NAMED: u8 = 3;

/// How far into which list of erased bodies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListPosition {
    /// When the list was made: it tells one made anew from the old one.
    pub made_at: UnixMillis,
    /// Up to where.
    pub bytes: u64,
}

/// A stretch of bodies of one code in which a run has erased some.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct ErasedRange {
    /// Key of the first.
    #[prost(bytes = "vec", tag = "1")]
    pub first: Vec<u8>,
    /// Key of the last.
    #[prost(bytes = "vec", tag = "2")]
    pub last: Vec<u8>,
    /// Bodies erased so far.
    #[prost(uint64, tag = "3")]
    pub erased: u64,
}

/// The phase of an erasure by age.
#[derive(Debug, Clone, Copy, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub enum ErasurePhase {
    /// Goes through the bodies and erases what is due.
    Walking = 0,
    /// Rewrites the tables that held it.
    Rewriting = 1,
    /// The run is complete.
    Done = 2,
}

/// An erasure by age, as far as it has come.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct ErasureRun {
    /// What is erased: the text of a rule (`crate::erasure::rule`).
    #[prost(string, tag = "1")]
    pub rule: String,
    /// When it began, milliseconds: the time of erasure of all its bodies.
    #[prost(uint64, tag = "2")]
    pub started_at_ms: u64,
    /// When it was complete; 0 before.
    #[prost(uint64, tag = "3")]
    pub finished_at_ms: u64,
    /// Its phase.
    #[prost(enumeration = "ErasurePhase", tag = "4")]
    pub phase: i32,
    /// Where the walk goes on: a key of the bodies.
    #[prost(bytes = "vec", tag = "5")]
    pub next: Vec<u8>,
    /// Bodies looked at.
    #[prost(uint64, tag = "6")]
    pub looked_at: u64,
    /// Bodies erased.
    #[prost(uint64, tag = "7")]
    pub erased: u64,
    /// Due bodies that stay, because the ledger has not decided on their receipts.
    #[prost(uint64, tag = "8")]
    pub undecided: u64,
    /// Bodies that stay, because their receipt cannot be read: damage.
    #[prost(uint64, tag = "9")]
    pub unreadable: u64,
    /// What is to be rewritten, ascending.
    #[prost(message, repeated, tag = "10")]
    pub ranges: Vec<ErasedRange>,
    /// How many of these are rewritten.
    #[prost(uint64, tag = "11")]
    pub rewritten: u64,
}

impl ErasureRun {
    /// One that begins now.
    #[must_use]
    pub fn begin(rule: String, now: UnixMillis) -> Self {
        Self { rule, started_at_ms: now.get(), ..Self::default() }
    }

    /// Whether it is complete.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.phase() == ErasurePhase::Done
    }
}

/// Reads about erasures.
pub trait ErasureReads {
    /// Where this journal stands in the list; `None` if it never acted on one.
    fn list_position(&self) -> Result<Option<ListPosition>, JournalError>;

    /// The rule of all that was erased by age, runs that are complete together; `None` if there was none.
    fn erased_by_age(&self) -> Result<Option<String>, JournalError>;

    /// The run under way, or the last one.
    fn erasure_run(&self) -> Result<Option<ErasureRun>, JournalError>;

    /// At most `limit` receipts that were erased by name, after `after`, ascending.
    fn erased_by_name(
        &self,
        after: Option<ReceiptKey>,
        limit: usize,
    ) -> Result<Vec<(ReceiptKey, UnixMillis)>, JournalError>;

    /// Whether a receipt was erased by its name.
    fn was_erased_by_name(&self, key: ReceiptKey) -> Result<bool, JournalError>;

    /// At most `limit` receipts from the key `start` on that have or had a body here, and whether that was erased.
    fn bodies_from(&self, start: &[u8], limit: usize) -> Result<Vec<(ReceiptKey, bool)>, JournalError>;
}

/// Writes about erasures.
pub trait ErasureWrites {
    /// Where this journal stands in the list.
    fn put_list_position(&mut self, position: ListPosition);

    /// The rule of all that was erased by age.
    fn put_erased_by_age(&mut self, rule: &str);

    /// The run under way.
    fn put_erasure_run(&mut self, run: &ErasureRun);

    /// A receipt that was erased by its name.
    fn put_erased_by_name(&mut self, key: ReceiptKey, at: UnixMillis);
}

impl ErasureReads for Journal {
    fn list_position(&self) -> Result<Option<ListPosition>, JournalError> {
        let Some(bytes) = self.get(ERASURES, LIST)? else { return Ok(None) };
        let mut fields = Fields(&bytes);
        let position = ListPosition { made_at: UnixMillis::new(fields.u64()?), bytes: fields.u64()? };
        fields.end()?;
        Ok(Some(position))
    }

    fn erased_by_age(&self) -> Result<Option<String>, JournalError> {
        let corrupt = |_| JournalError::Corrupt("the rule of erasures");
        self.get(ERASURES, RULE)?.map(String::from_utf8).transpose().map_err(corrupt)
    }

    fn erasure_run(&self) -> Result<Option<ErasureRun>, JournalError> {
        let Some(bytes) = self.get(ERASURES, RUN)? else { return Ok(None) };
        ErasureRun::decode(bytes.as_slice()).map(Some).map_err(|_| JournalError::Corrupt("an erasure"))
    }

    fn was_erased_by_name(&self, key: ReceiptKey) -> Result<bool, JournalError> {
        Ok(self.get(ERASURES, &[&[NAMED][..], &receipt_key_bytes(key)].concat())?.is_some())
    }

    fn erased_by_name(
        &self,
        after: Option<ReceiptKey>,
        limit: usize,
    ) -> Result<Vec<(ReceiptKey, UnixMillis)>, JournalError> {
        // The least key after one of fixed length is that key with one more byte.
        let start = after.map_or_else(|| vec![NAMED], |after| [&[NAMED][..], &receipt_key_bytes(after), &[0]].concat());
        let read = |(key, value): Row| {
            let key = receipt_key(key.get(1..).unwrap_or_default())?;
            Ok((key, UnixMillis::new(u64::from_be_bytes(fixed(&value, "time of an erasure")?))))
        };
        self.page(ERASURES, &start, Some(&[NAMED + 1]), limit)?.into_iter().map(read).collect()
    }

    fn bodies_from(&self, start: &[u8], limit: usize) -> Result<Vec<(ReceiptKey, bool)>, JournalError> {
        let rows = self.page(BODY_KEYS, start, None, limit)?.into_iter();
        rows.map(|(key, value)| Ok((receipt_key(&key)?, erasure_time(&value).is_some()))).collect()
    }
}

impl ErasureWrites for JournalWrite<'_> {
    fn put_list_position(&mut self, position: ListPosition) {
        let value = [position.made_at.get().to_be_bytes(), position.bytes.to_be_bytes()].concat();
        self.put(ERASURES, LIST, &value);
    }

    fn put_erased_by_age(&mut self, rule: &str) {
        self.put(ERASURES, RULE, rule.as_bytes());
    }

    fn put_erasure_run(&mut self, run: &ErasureRun) {
        self.put(ERASURES, RUN, &run.encode_to_vec());
    }

    fn put_erased_by_name(&mut self, key: ReceiptKey, at: UnixMillis) {
        self.put(ERASURES, &[&[NAMED][..], &receipt_key_bytes(key)].concat(), &at.get().to_be_bytes());
    }
}
