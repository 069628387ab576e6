//! Atomic writes: of the journal's own rows typed, of its owner's as bytes.

use prost::Message;
use receipt_core::ids::{BatchSequence, RecordKey, UnixMillis};
use receipt_core::state::Writes;
use rocksdb::WriteBatch;

use super::families::{BATCHES, EVENTS, META, OUTBOX, OUTCOMES, PLACEMENTS, RECORDS, REGISTRY, REQUEUE};
use super::rows::{registry_key, requeue_key};
use super::{
    BatchOutcome, BatchRow, EventRow, Family, FollowedTip, Journal, JournalError, META_EPOCH, META_FENCE_ABOVE,
    META_FENCE_ID, META_FOLLOWED_TIP, META_HALTED, META_LAST_ISSUE_TIME, META_NEXT_SEQUENCE, META_STEP, META_TRUST,
    Placement, RecordRow, owned_key, write_options,
};

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

    /// A row of the owner's families.
    pub fn put(&mut self, family: Family, key: &[u8], value: &[u8]) {
        match self.journal.cf(family) {
            Ok(cf) => self.batch.put_cf(cf, key, value),
            Err(_) => self.missing = true,
        }
    }

    /// Deletes such a row.
    pub fn delete(&mut self, family: Family, key: &[u8]) {
        match self.journal.cf(family) {
            Ok(cf) => self.batch.delete_cf(cf, key),
            Err(_) => self.missing = true,
        }
    }

    /// A small value of the owner, by its name.
    pub fn put_owned(&mut self, name: &str, value: &[u8]) {
        self.put_meta(&owned_key(name), value);
    }

    /// Deletes such a value.
    pub fn delete_owned(&mut self, name: &str) {
        self.delete(META, &owned_key(name));
    }

    /// A record.
    pub fn put_record(&mut self, key: impl Into<RecordKey>, row: &RecordRow) {
        self.put(RECORDS, &key.into().0, &row.encode_to_vec());
    }

    /// Queues a record for a batch.
    pub fn put_outbox(&mut self, position: u64, key: impl Into<RecordKey>) {
        self.put(OUTBOX, &position.to_be_bytes(), &key.into().0);
    }

    /// Takes a record off the queue.
    pub fn delete_outbox(&mut self, position: u64) {
        self.delete(OUTBOX, &position.to_be_bytes());
    }

    /// Queues a good record of a refused batch again.
    pub fn put_requeue(&mut self, sequence: BatchSequence, index: u16, key: RecordKey) {
        self.put(REQUEUE, &requeue_key(sequence, index), &key.0);
    }

    /// Takes a record off that queue.
    pub fn delete_requeue(&mut self, sequence: BatchSequence, index: u16) {
        self.delete(REQUEUE, &requeue_key(sequence, index));
    }

    /// Notes in which batch, and at which index, a record is.
    pub fn put_placement(&mut self, key: impl Into<RecordKey>, placement: Placement) {
        self.put(PLACEMENTS, &key.into().0, &placement.encode());
    }

    /// Forgets where a record went: it waits to be cut again.
    pub fn delete_placement(&mut self, key: RecordKey) {
        self.delete(PLACEMENTS, &key.0);
    }

    /// A batch as cut; the next sequence follows it.
    pub fn put_batch(&mut self, sequence: BatchSequence, next: BatchSequence, row: &BatchRow) {
        self.put(BATCHES, &sequence.get().to_be_bytes(), &row.encode_to_vec());
        self.put_meta(META_NEXT_SEQUENCE, &next.get().to_be_bytes());
    }

    /// Takes a batch back that was never decided; `next` is cut next.
    pub fn delete_batch(&mut self, sequence: BatchSequence, next: BatchSequence) {
        self.delete(BATCHES, &sequence.get().to_be_bytes());
        self.put_meta(META_NEXT_SEQUENCE, &next.get().to_be_bytes());
    }

    /// What the ledger decided on a batch.
    pub fn put_outcome(&mut self, sequence: BatchSequence, outcome: BatchOutcome) {
        self.put(OUTCOMES, &sequence.get().to_be_bytes(), &outcome.encode());
    }

    /// A decided batch, in the order of the ledger.
    pub fn put_event(&mut self, number: u64, row: &EventRow) {
        self.put(EVENTS, &number.to_be_bytes(), &row.encode_to_vec());
    }

    /// How many writes the owner has made that no older copy may lack unnoticed (see [`crate::guard`]), this one included: all that put records, and what else
    /// must not come back. It is to be synced, and the next counted one begins when it is.
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
                Some(value) => self.put(REGISTRY, &key, value),
                None => self.delete(REGISTRY, &key),
            }
        }
    }

    /// How far the ledger has been followed.
    pub fn put_followed_tip(&mut self, tip: &FollowedTip) {
        self.put_meta(META_FOLLOWED_TIP, &tip.encode());
    }

    /// The trust file as far as the ledger is followed with this write.
    pub fn put_trust(&mut self, text: &str) {
        self.put_meta(META_TRUST, text.as_bytes());
    }

    /// Stops anchoring until `recover`, with the reason. A recovery that was under way begins anew: in a backup, it is of another
    /// time, and the fence that it waits for may be spent.
    pub fn put_halted(&mut self, reason: &str) {
        self.put_meta(META_HALTED, reason.as_bytes());
        self.delete(META, META_FENCE_ABOVE);
        self.delete(META, META_FENCE_ID);
    }

    /// Ends a halt: `recover` has brought this journal up to the ledger, under a new epoch.
    pub fn delete_halted(&mut self) {
        self.delete(META, META_HALTED);
        self.delete(META, META_FENCE_ABOVE);
        self.delete(META, META_FENCE_ID);
    }

    /// What the fence that `recover` waits for must name: drawn anew by each recovery, so never that of a copy.
    pub fn put_fence_id(&mut self, id: [u8; 16]) {
        self.put_meta(META_FENCE_ID, &id);
    }

    /// `recover` has caught up with the ledger in this epoch of it, or that epoch is another journal's: only a higher one ends the halt.
    pub fn put_fence_above(&mut self, epoch: u32) {
        self.put_meta(META_FENCE_ABOVE, &epoch.to_be_bytes());
    }

    /// The epoch in which this journal signs.
    pub fn put_epoch(&mut self, epoch: u32) {
        self.put_meta(META_EPOCH, &epoch.to_be_bytes());
    }

    pub(super) fn put_meta(&mut self, name: &[u8], value: &[u8]) {
        self.put(META, name, value);
    }
}
