//! Atomic writes, typed.

use prost::Message;
use receipt_core::blind::UniquenessKey;
use receipt_core::ids::{BatchSequence, ReceiptKey, SegmentId, UnitId, UnixMillis};
use receipt_core::state::Writes;
use rocksdb::WriteBatch;

use super::rows::{
    adopted_key, biz_key, day_prefix, past_name_prefix, receipt_key_bytes, registry_key, reissue_key, requeue_key,
    stopped_key,
};
use super::{
    BatchOutcome, BatchRow, BizRow, Cf, DayKind, DecidedTally, EventRow, IssuedTally, JOURNAL_FORMAT, Journal,
    JournalError, META_EPOCH, META_FENCE_ABOVE, META_FORMAT, META_HALTED, META_LAST_ISSUE_TIME, META_NEXT_SEQUENCE,
    META_PROGRESS, META_STEP, Placement, Progress, ReceiptRow, write_options,
};
use crate::body::SealedBody;

/// Whether a write is on disk when `commit` returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Fsynced: nothing takes it back.
    Synced,
    /// In order with all other writes, on disk soon: for what can be learnt again from the ledger.
    Ordered,
}

/// A write in the making. Dropped without `commit`, it never was.
#[must_use = "a journal write does nothing until it is committed"]
pub struct JournalWrite<'a> {
    journal: &'a Journal,
    batch: WriteBatch,
    missing: bool,
}

impl<'a> JournalWrite<'a> {
    pub(super) fn new(journal: &'a Journal) -> Self {
        Self { journal, batch: WriteBatch::default(), missing: false }
    }

    /// Writes all or nothing.
    pub fn commit(self, durability: Durability) -> Result<(), JournalError> {
        if self.missing {
            return Err(JournalError::Corrupt("a column family is missing"));
        }
        Ok(self.journal.db.write_opt(self.batch, &write_options(durability))?)
    }

    /// A new receipt: row, sealed body and its wrapped key.
    pub fn put_receipt(&mut self, key: ReceiptKey, row: &ReceiptRow, body: &SealedBody) {
        let key = receipt_key_bytes(key);
        self.put(Cf::Receipts, &key, &row.encode_to_vec());
        self.put(Cf::Bodies, &key, &body.ciphertext);
        self.put(Cf::BodyKeys, &key, &body.wrapped_key);
    }

    /// Erases a body: its key gives way to the time of its erasure. That no file holds the key any more is
    /// [`Journal::scrub`]'s.
    pub fn erase_body(&mut self, key: ReceiptKey, at: UnixMillis) {
        let key = receipt_key_bytes(key);
        self.put(Cf::BodyKeys, &key, &at.get().to_be_bytes());
        self.delete(Cf::Bodies, &key);
    }

    /// Forgets a body with its receipt, which gave its number up to another.
    pub fn delete_body(&mut self, key: ReceiptKey) {
        let key = receipt_key_bytes(key);
        self.delete(Cf::BodyKeys, &key);
        self.delete(Cf::Bodies, &key);
    }

    /// Who holds a biz code.
    pub fn put_biz(&mut self, unit: UnitId, biz_code: &str, row: BizRow) {
        self.put(Cf::Biz, &biz_key(unit, biz_code), &row.encode());
    }

    /// Who holds a uniqueness key.
    pub fn put_uniqueness(&mut self, key: UniquenessKey, holder: ReceiptKey) {
        self.put(Cf::Uniqueness, &key.to_bytes(), &receipt_key_bytes(holder));
    }

    /// Frees a uniqueness key.
    pub fn delete_uniqueness(&mut self, key: UniquenessKey) {
        self.delete(Cf::Uniqueness, &key.to_bytes());
    }

    /// Which red receipt reverses an original.
    pub fn put_reversal(&mut self, original: ReceiptKey, red: ReceiptKey) {
        self.put(Cf::Reversals, &receipt_key_bytes(original), &receipt_key_bytes(red));
    }

    /// Which receipt re-issues what remains of a reversed original.
    pub fn put_reissue(&mut self, original: ReceiptKey, reissue: ReceiptKey) {
        self.put(Cf::Reversals, &reissue_key(original), &receipt_key_bytes(reissue));
    }

    /// Queues a receipt for a batch.
    pub fn put_outbox(&mut self, position: u64, key: ReceiptKey) {
        self.put(Cf::Outbox, &position.to_be_bytes(), &receipt_key_bytes(key));
    }

    /// Takes a receipt off the queue.
    pub fn delete_outbox(&mut self, position: u64) {
        self.delete(Cf::Outbox, &position.to_be_bytes());
    }

    /// Queues a good record of a refused batch again.
    pub fn put_requeue(&mut self, sequence: BatchSequence, index: u16, key: ReceiptKey) {
        self.put(Cf::Requeue, &requeue_key(sequence, index), &receipt_key_bytes(key));
    }

    /// Takes a record off that queue.
    pub fn delete_requeue(&mut self, sequence: BatchSequence, index: u16) {
        self.delete(Cf::Requeue, &requeue_key(sequence, index));
    }

    /// Where a receipt went.
    pub fn put_placement(&mut self, key: ReceiptKey, placement: Placement) {
        self.put(Cf::Placements, &receipt_key_bytes(key), &placement.encode());
    }

    /// Back to the queue.
    pub fn delete_placement(&mut self, key: ReceiptKey) {
        self.delete(Cf::Placements, &receipt_key_bytes(key));
    }

    /// A batch as cut; the next sequence follows it.
    pub fn put_batch(&mut self, sequence: BatchSequence, next: BatchSequence, row: &BatchRow) {
        self.put(Cf::Batches, &sequence.get().to_be_bytes(), &row.encode_to_vec());
        self.put_meta(META_NEXT_SEQUENCE, &next.get().to_be_bytes());
    }

    /// What the ledger decided on a batch.
    pub fn put_outcome(&mut self, sequence: BatchSequence, outcome: BatchOutcome) {
        self.put(Cf::Outcomes, &sequence.get().to_be_bytes(), &outcome.encode());
    }

    /// What Watch tells.
    pub fn put_event(&mut self, number: u64, row: &EventRow) {
        self.put(Cf::Events, &number.to_be_bytes(), &row.encode_to_vec());
    }

    /// The day index.
    pub fn put_day(&mut self, unit: UnitId, day: u32, key: ReceiptKey, place_code: &str) {
        let key = [&day_prefix(unit, day)[..], &receipt_key_bytes(key)].concat();
        self.put(Cf::Days, &key, place_code.as_bytes());
    }

    /// Receipts issued.
    pub fn put_issued(&mut self, key: DayKind, tally: IssuedTally) {
        self.put(Cf::Issued, &key.encode(), &tally.encode());
    }

    /// Receipts decided.
    pub fn put_decided(&mut self, key: DayKind, tally: DecidedTally) {
        self.put(Cf::Decided, &key.encode(), &tally.encode());
    }

    /// The next number of a segment.
    pub fn put_next_number(&mut self, segment: SegmentId, next: u64) {
        self.put(Cf::Segments, &segment.get().to_be_bytes(), &next.to_be_bytes());
    }

    /// Ends a segment here: none of its numbers from `first_unused` on is ever given out.
    pub fn put_stopped(&mut self, segment: SegmentId, first_unused: u64, last: u64) {
        self.put(Cf::Segments, &stopped_key(segment), &first_unused.to_be_bytes());
        self.put_next_number(segment, last.saturating_add(1));
    }

    /// A name that a unit had until now.
    pub fn put_past_name(&mut self, unit: UnitId, name: &str) {
        self.put(Cf::Registry, &[&past_name_prefix(unit)[..], name.as_bytes()].concat(), &[]);
    }

    /// How many writes the sequencer has made, this one included.
    pub fn put_step(&mut self, step: u64) {
        self.put_meta(META_STEP, &step.to_be_bytes());
    }

    /// The latest issue time.
    pub fn put_last_issue_time(&mut self, time: UnixMillis) {
        self.put_meta(META_LAST_ISSUE_TIME, &time.get().to_be_bytes());
    }

    /// Registry changes, as the state transition gave them.
    pub fn put_registry(&mut self, writes: &Writes) {
        for ((table, key), value) in writes {
            let key = registry_key(*table, key);
            match value {
                Some(value) => self.put(Cf::Registry, &key, value),
                None => self.delete(Cf::Registry, &key),
            }
        }
    }

    /// How far the ledger has been followed.
    pub fn put_progress(&mut self, progress: &Progress) {
        self.put_meta(META_PROGRESS, &progress.encode());
    }

    /// Stops issuing until `recover`, with the reason. A recovery that was under way begins anew: in a backup, it is of another
    /// time, and the fence that it waits for may be spent.
    pub fn put_halted(&mut self, reason: &str) {
        self.put_meta(META_HALTED, reason.as_bytes());
        self.delete(Cf::Meta, META_FENCE_ABOVE);
    }

    /// Ends a halt: `recover` has brought this journal up to the ledger, under a new epoch.
    pub fn delete_halted(&mut self) {
        self.delete(Cf::Meta, META_HALTED);
        self.delete(Cf::Meta, META_FENCE_ABOVE);
    }

    /// `recover` has caught up with the ledger in this epoch of it: only a higher one ends the halt.
    pub fn put_fence_above(&mut self, epoch: u32) {
        self.put_meta(META_FENCE_ABOVE, &epoch.to_be_bytes());
    }

    /// A receipt that this journal learnt from the ledger, by the keyed hash of its biz code.
    pub fn put_adopted(&mut self, unit: UnitId, biz_hash: &[u8; 16], key: ReceiptKey) {
        self.put(Cf::Biz, &adopted_key(unit, biz_hash), &receipt_key_bytes(key));
        self.put_meta(META_FORMAT, &JOURNAL_FORMAT.to_be_bytes());
    }

    /// A receipt's row alone.
    pub fn put_row(&mut self, key: ReceiptKey, row: &ReceiptRow) {
        self.put(Cf::Receipts, &receipt_key_bytes(key), &row.encode_to_vec());
    }

    /// Frees a biz code: the receipt that held it was never on the ledger and gave its number up to another.
    pub fn delete_biz(&mut self, unit: UnitId, biz_code: &str) {
        self.delete(Cf::Biz, &biz_key(unit, biz_code));
    }

    /// Takes a reversal back.
    pub fn delete_reversal(&mut self, original: ReceiptKey) {
        self.delete(Cf::Reversals, &receipt_key_bytes(original));
    }

    /// Takes a receipt out of the day index.
    pub fn delete_day(&mut self, unit: UnitId, day: u32, key: ReceiptKey) {
        self.delete(Cf::Days, &[&day_prefix(unit, day)[..], &receipt_key_bytes(key)].concat());
    }

    /// Takes a batch back that was never decided; `next` is cut next.
    pub fn delete_batch(&mut self, sequence: BatchSequence, next: BatchSequence) {
        self.delete(Cf::Batches, &sequence.get().to_be_bytes());
        self.put_meta(META_NEXT_SEQUENCE, &next.get().to_be_bytes());
    }

    /// The epoch in which this journal signs.
    pub fn put_epoch(&mut self, epoch: u32) {
        self.put_meta(META_EPOCH, &epoch.to_be_bytes());
    }

    pub(super) fn put_meta(&mut self, name: &[u8], value: &[u8]) {
        self.put(Cf::Meta, name, value);
    }

    fn put(&mut self, cf: Cf, key: &[u8], value: &[u8]) {
        match self.journal.cf(cf) {
            Ok(cf) => self.batch.put_cf(cf, key, value),
            Err(_) => self.missing = true,
        }
    }

    fn delete(&mut self, cf: Cf, key: &[u8]) {
        match self.journal.cf(cf) {
            Ok(cf) => self.batch.delete_cf(cf, key),
            Err(_) => self.missing = true,
        }
    }
}
