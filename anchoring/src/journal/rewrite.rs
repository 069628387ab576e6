//! A damaged journal written anew: every row that can be read goes into new tables. Nothing is left out: where a row cannot be read, the copy
//! is refused, and whoever has that row is to give it first.
//!
//! ```text
//! family of any kind    read from its first row to its last
//! keyed by record       where that fails: each record by itself, as the other families name it
//! batches               where that fails: each by its sequence
//! outbox, requeue       where one fails: made anew, as one queue. In it is each record that went nowhere, in the order of issue
//! ```
//! A row that was written again since its table rotted is read without that table, but lists, compaction and the next copy are
//! not: this is what ends them. Not here: which row is damaged ([`crate::check`]).

use std::path::Path;

use prost::Message as _;
use receipt_core::ids::{BatchSequence, RecordKey, UnixMillis};
use receipt_core::record::SignedRecord;
use rocksdb::{FlushOptions, WriteBatch};
use tallystick_storage::{StoreSetup, StoreShare};

use super::families::{BATCHES, OUTBOX, PLACEMENTS, RECORDS, REQUEUE};
use super::rows::record_key;
use super::{Durability, Family, Inspector, Journal, JournalError, RecordRow, StretchEnd, open_store, write_options};

/// Rows of one write.
const ROWS: usize = 256;

/// Which records wait for a batch: what the records themselves tell, too.
const QUEUES: [Family; 2] = [OUTBOX, REQUEUE];

fn issue_time(row: &[u8]) -> Result<UnixMillis, JournalError> {
    const CORRUPT: JournalError = JournalError::Corrupt("a record that waits for a batch");
    let row = RecordRow::decode(row).map_err(|_| CORRUPT)?;
    Ok(SignedRecord::decode(&row.signed_record).map_err(|_| CORRUPT)?.record.issue_time)
}

/// Why a journal was not written anew.
#[derive(Debug, thiserror::Error)]
pub enum RewriteError {
    /// The journal, or the copy, failed.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A record's row cannot be read.
    #[error("{0} cannot be read and would be lost; have its caller hand it back by `Resubmit` first")]
    Record(String),
    /// A batch's row cannot be read.
    #[error(
        "batch {0} cannot be read and would be lost; `repair --from-ledger` learns it again, once the ledger has decided it"
    )]
    Batch(BatchSequence),
    /// A family's rows cannot be read.
    #[error("the journal's {0} cannot be read and would be lost; `restore` a sound backup, then `recover`")]
    Family(&'static str),
}

impl Journal {
    /// Writes all rows into a new journal at `to`, which is absent. Durable when it returns; on an error remove what is there.
    pub fn write_anew(&self, to: &Path, inspector: &dyn Inspector) -> Result<Self, RewriteError> {
        std::fs::create_dir(to).map_err(|error| JournalError::Store(error.to_string()))?;
        let identity = self.identity;
        let setup = StoreSetup::new(StoreShare::SMALL);
        let copy = Self { db: open_store(to, identity.layout, &setup, true)?, identity, setup };
        let queues = if self.are_queues_damaged()? { &QUEUES[..] } else { &[] };
        for family in self.families().into_iter().filter(|family| !queues.contains(family)) {
            self.rewrite_family(&copy, family, inspector)?;
        }
        if !queues.is_empty() {
            let records = copy.queue_anew()?;
            tracing::warn!(
                records,
                "the queue of records that wait for a batch was damaged, and is made anew from the records"
            );
        }
        let families = self.families().into_iter().map(|family| copy.cf(family)).collect::<Result<Vec<_>, _>>()?;
        let mut options = FlushOptions::default();
        options.set_wait(true);
        copy.db.flush_cfs_opt(&families, &options).map_err(JournalError::from)?;
        Ok(copy)
    }

    /// Whether the records that wait cannot be listed. Of a halted journal they cannot be told from those that `recover` is about to place.
    fn are_queues_damaged(&self) -> Result<bool, RewriteError> {
        for family in QUEUES {
            let mut after: Option<Vec<u8>> = None;
            let is_damaged = loop {
                let stretch = self.stretch(family, after.as_deref(), ROWS)?;
                if stretch.rows.iter().any(|(key, value)| self.misread(family, key, value).is_some()) {
                    break true;
                }
                match stretch.end {
                    StretchEnd::Full => after = stretch.rows.last().map(|(key, _)| key.to_vec()),
                    StretchEnd::Last => break false,
                    StretchEnd::Damage(_) => break true,
                }
            };
            if is_damaged {
                return if self.halted()?.is_some() { Err(RewriteError::Family(family.name)) } else { Ok(true) };
            }
        }
        Ok(false)
    }

    /// Every record without a placement waits, and no other: a placement is written when a record leaves its queue, and deleted when it
    /// comes back. How many there are.
    fn queue_anew(&self) -> Result<u64, JournalError> {
        let mut waiting: Vec<(UnixMillis, RecordKey)> = Vec::new();
        let mut after: Option<Vec<u8>> = None;
        loop {
            let stretch = self.stretch(RECORDS, after.as_deref(), ROWS)?;
            for (key, value) in &stretch.rows {
                let key = record_key(key)?;
                if self.placement(key)?.is_none() {
                    waiting.push((issue_time(value)?, key));
                }
            }
            match stretch.end {
                StretchEnd::Full => after = stretch.rows.last().map(|(key, _)| key.to_vec()),
                StretchEnd::Last => break,
                StretchEnd::Damage(error) => return Err(error),
            }
        }
        waiting.sort_unstable();
        let mut batch = WriteBatch::default();
        for (position, (_, key)) in (0_u64..).zip(&waiting) {
            batch.put_cf(self.cf(OUTBOX)?, position.to_be_bytes(), key.0);
        }
        self.put_all(batch)?;
        Ok(waiting.len() as u64)
    }

    fn rewrite_family(&self, copy: &Self, family: Family, inspector: &dyn Inspector) -> Result<(), RewriteError> {
        let mut after: Option<Vec<u8>> = None;
        loop {
            let stretch = self.stretch(family, after.as_deref(), ROWS)?;
            let mut batch = WriteBatch::default();
            for (key, value) in &stretch.rows {
                batch.put_cf(copy.cf(family)?, key, value);
            }
            copy.put_all(batch)?;
            match stretch.end {
                StretchEnd::Full => after = stretch.rows.last().map(|(key, _)| key.to_vec()),
                StretchEnd::Last => return Ok(()),
                StretchEnd::Damage(_) => break,
            }
        }
        if family == BATCHES {
            return self.rewrite_batches(copy);
        }
        if inspector.expendable().contains(&family) {
            tracing::warn!(
                family = family.name,
                "the rows from the first that cannot be read on are left out; nothing depends on them, and their counts begin anew"
            );
            return Ok(());
        }
        let by_record = family == RECORDS || family == PLACEMENTS || inspector.by_record().contains(&family);
        if by_record { self.rewrite_by_record(copy, family, inspector) } else { Err(RewriteError::Family(family.name)) }
    }

    fn rewrite_by_record(&self, copy: &Self, family: Family, inspector: &dyn Inspector) -> Result<(), RewriteError> {
        let mut after: Option<RecordKey> = None;
        loop {
            let names = self.names(inspector.naming(), after, ROWS)?;
            let mut batch = WriteBatch::default();
            for key in &names.keys {
                match self.get(family, &key.0) {
                    Ok(Some(value)) => batch.put_cf(copy.cf(family)?, key.0, value),
                    Ok(None) => {}
                    Err(error) if error.is_damage() => return Err(RewriteError::Record(inspector.name(*key))),
                    Err(error) => return Err(error.into()),
                }
            }
            copy.put_all(batch)?;
            match names.keys.last() {
                Some(last) if names.more => after = Some(*last),
                _ => return Ok(()),
            }
        }
    }

    fn rewrite_batches(&self, copy: &Self) -> Result<(), RewriteError> {
        for sequence in 1..self.next_sequence()?.get() {
            let (key, sequence) = (sequence.to_be_bytes(), BatchSequence::new(sequence));
            let mut batch = WriteBatch::default();
            match self.get(BATCHES, &key) {
                Ok(Some(value)) => batch.put_cf(copy.cf(BATCHES)?, key, value),
                Ok(None) => continue,
                Err(error) if error.is_damage() => return Err(RewriteError::Batch(sequence)),
                Err(error) => return Err(error.into()),
            }
            copy.put_all(batch)?;
        }
        Ok(())
    }

    fn put_all(&self, batch: WriteBatch) -> Result<(), JournalError> {
        // Not synced here: the whole journal is flushed and synced once, at the end.
        Ok(self.db.write_opt(batch, &write_options(Durability::Ordered))?)
    }
}
