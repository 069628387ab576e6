//! Reads: of the journal's own rows typed, of its owner's as bytes. Lists are read in bounded pages.

use prost::Message;
use receipt_core::ids::{BatchSequence, RecordKey};
use receipt_core::record::SignedRecord;
use receipt_core::state::tables::Table;
use rocksdb::{Direction, IteratorMode, ReadOptions};

use super::families::{BATCHES, EVENTS, META, OUTBOX, OUTCOMES, PLACEMENTS, RECORDS, REGISTRY, REQUEUE};
use super::rows::{record_key, registry_key};
use super::{BatchOutcome, BatchRow, EventRow, Family, Journal, JournalError, Placement, RecordRow, fixed};

/// A signed record, verbatim and decoded; or why it cannot be read.
pub type ReadRecord = Result<(Vec<u8>, SignedRecord), JournalError>;

/// A key and its value.
pub type Row = (Box<[u8]>, Box<[u8]>);

impl Journal {
    /// The value under a key of a family.
    pub fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>, JournalError> {
        self.db.get_cf(self.cf(family)?, key).map_err(JournalError::of_read)
    }

    /// Of each key whether it has no row: each table is asked once for all of them. `false` of one that cannot be read.
    pub fn are_absent(&self, family: Family, keys: &[impl AsRef<[u8]>]) -> Result<Vec<bool>, JournalError> {
        let rows = self.db.batched_multi_get_cf(self.cf(family)?, keys, false);
        Ok(rows.into_iter().map(|row| matches!(row, Ok(None))).collect())
    }

    /// At most `limit` rows of a family from `start` on and before `end`, ascending by key.
    pub fn page(
        &self,
        family: Family,
        start: &[u8],
        end: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Row>, JournalError> {
        let mut options = ReadOptions::default();
        if let Some(end) = end {
            options.set_iterate_upper_bound(end.to_vec());
        }
        let mode = IteratorMode::From(start, Direction::Forward);
        let rows = self.db.iterator_cf_opt(self.cf(family)?, options, mode).take(limit);
        rows.map(|row| row.map_err(JournalError::of_read)).collect()
    }

    /// A record.
    pub fn record(&self, key: impl Into<RecordKey>) -> Result<Option<RecordRow>, JournalError> {
        self.message(RECORDS, &key.into().0, "record row")
    }

    /// Many records, in the order asked for.
    pub fn records(&self, keys: &[RecordKey]) -> Result<Vec<Option<RecordRow>>, JournalError> {
        let cf = self.cf(RECORDS)?;
        let keys = keys.iter().map(|key| key.0);
        let keys: Vec<[u8; 12]> = keys.collect();
        let rows = self.db.batched_multi_get_cf(cf, keys.iter(), false).into_iter().map(|value| {
            match value.map_err(JournalError::of_read)? {
                None => Ok(None),
                Some(bytes) => RecordRow::decode(&bytes[..]).map(Some).map_err(|_| JournalError::Corrupt("record row")),
            }
        });
        rows.collect()
    }

    /// At most `limit` records after `after`, ordered by key.
    pub fn records_after(
        &self,
        after: Option<RecordKey>,
        limit: usize,
    ) -> Result<Vec<(RecordKey, RecordRow)>, JournalError> {
        // The least key after one of fixed length is that key with one more byte.
        let start = after.map_or_else(Vec::new, |after| [&after.0[..], &[0]].concat());
        let read = |(key, value): Row| {
            let row = RecordRow::decode(&value[..]).map_err(|_| JournalError::Corrupt("record row"))?;
            Ok((record_key(&key)?, row))
        };
        self.page(RECORDS, &start, None, limit)?.into_iter().map(read).collect()
    }

    /// Keys of at most `limit` records from `first` to `last`, ascending.
    pub fn record_keys(&self, first: RecordKey, last: RecordKey, limit: usize) -> Result<Vec<RecordKey>, JournalError> {
        let end = [&last.0[..], &[0]].concat();
        let rows = self.page(RECORDS, &first.0, Some(&end), limit)?;
        rows.into_iter().map(|(key, _)| record_key(&key)).collect()
    }

    /// The signed records that must be there.
    pub fn signed_records(&self, keys: &[RecordKey]) -> Result<Vec<Vec<u8>>, JournalError> {
        let rows = self.records(keys)?.into_iter();
        rows.map(|row| row.map(|row| row.signed_record).ok_or(JournalError::Corrupt("a record is missing"))).collect()
    }

    /// Each of these signed records, or why it cannot be read. An error is of a store that cannot be read at all.
    pub fn each_signed_record(&self, keys: &[RecordKey]) -> Result<Vec<(RecordKey, ReadRecord)>, JournalError> {
        let rows = match self.signed_records(keys) {
            // Reading all at once fails if one cannot be read. Then each is read alone, so that the others are not lost with it.
            Err(error) if error.is_damage() => keys.iter().map(|key| self.signed_record(*key)).collect(),
            rows => rows?.into_iter().map(Ok).collect::<Vec<_>>(),
        };
        let decoded = |bytes: Vec<u8>| {
            let signed = SignedRecord::decode(&bytes).map_err(|_| JournalError::Corrupt("a signed record"))?;
            Ok((bytes, signed))
        };
        let judged = |(key, row): (&RecordKey, Result<Vec<u8>, JournalError>)| match row.and_then(decoded) {
            Err(error) if !error.is_damage() => Err(error),
            read => Ok((*key, read)),
        };
        keys.iter().zip(rows).map(judged).collect()
    }

    fn signed_record(&self, key: RecordKey) -> Result<Vec<u8>, JournalError> {
        self.record(key)?.map(|row| row.signed_record).ok_or(JournalError::Corrupt("a record is missing"))
    }

    /// Where a record went; `None` while it waits in the outbox.
    pub fn placement(&self, key: impl Into<RecordKey>) -> Result<Option<Placement>, JournalError> {
        self.get(PLACEMENTS, &key.into().0)?.map(|bytes| Placement::decode(&bytes)).transpose()
    }

    /// A batch as cut.
    pub fn batch(&self, sequence: BatchSequence) -> Result<Option<BatchRow>, JournalError> {
        self.message(BATCHES, &sequence.get().to_be_bytes(), "batch row")
    }

    /// What the ledger decided on a batch; `None` while it is on its way.
    pub fn outcome(&self, sequence: BatchSequence) -> Result<Option<BatchOutcome>, JournalError> {
        let bytes = self.get(OUTCOMES, &sequence.get().to_be_bytes())?;
        bytes.map(|bytes| BatchOutcome::decode(&bytes)).transpose()
    }

    /// Batches that were cut and are not decided, ascending. Outcomes come in order, so they are the last ones.
    pub fn undecided(&self) -> Result<Vec<BatchSequence>, JournalError> {
        let mut sequences = Vec::new();
        let mut sequence = self.next_sequence()?;
        while let Some(previous) = sequence.previous().filter(|previous| previous.get() > 0) {
            if self.outcome(previous)?.is_some() {
                break;
            }
            sequences.push(previous);
            sequence = previous;
        }
        sequences.reverse();
        Ok(sequences)
    }

    /// At most `limit` queued records from `position` on.
    pub fn outbox(&self, position: u64, limit: usize) -> Result<Vec<(u64, RecordKey)>, JournalError> {
        let rows = self.page(OUTBOX, &position.to_be_bytes(), None, limit)?;
        let read = |(key, value): Row| Ok((u64::from_be_bytes(fixed(&key, "outbox position")?), record_key(&value)?));
        rows.into_iter().map(read).collect()
    }

    /// One after the last outbox position in use; 0 if none is.
    pub fn outbox_end(&self) -> Result<u64, JournalError> {
        let mut last = self.db.iterator_cf(self.cf(OUTBOX)?, IteratorMode::End);
        match last.next().transpose().map_err(JournalError::of_read)? {
            None => Ok(0),
            Some((key, _)) => Ok(u64::from_be_bytes(fixed(&key, "outbox position")?).saturating_add(1)),
        }
    }

    /// At most `limit` good records of refused batches, in order.
    pub fn requeued(&self, limit: usize) -> Result<Vec<(BatchSequence, u16, RecordKey)>, JournalError> {
        let rows = self.page(REQUEUE, &[], None, limit)?;
        let read = |(key, value): Row| {
            let (sequence, index) = key.split_at_checked(8).ok_or(JournalError::Corrupt("requeue key"))?;
            let sequence = BatchSequence::new(u64::from_be_bytes(fixed(sequence, "requeue key")?));
            Ok((sequence, u16::from_be_bytes(fixed(index, "requeue key")?), record_key(&value)?))
        };
        rows.into_iter().map(read).collect()
    }

    /// An event.
    pub fn event(&self, number: u64) -> Result<Option<EventRow>, JournalError> {
        self.message(EVENTS, &number.to_be_bytes(), "event row")
    }

    /// A value of the registry, as it was followed.
    pub fn registered(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, JournalError> {
        self.get(REGISTRY, &registry_key(table, key))
    }

    /// Every value of a registry table, ascending by key. The registry is small and held in memory anyway.
    pub fn registry_table(&self, table: Table) -> Result<Vec<Vec<u8>>, JournalError> {
        let (start, end) = ([table as u8], [(table as u8).saturating_add(1)]);
        let rows = self.page(REGISTRY, &start, Some(&end), usize::MAX)?;
        Ok(rows.into_iter().map(|(_, value)| value.to_vec()).collect())
    }

    /// What is wrong with a row of the journal's own, if it is not what this module writes. Rows of the owner are not judged.
    pub fn misread(&self, family: Family, key: &[u8], value: &[u8]) -> Option<String> {
        let judged = match family {
            OUTBOX | REQUEUE => record_key(value).map(drop),
            PLACEMENTS => record_key(key).and_then(|_| Placement::decode(value)).map(drop),
            OUTCOMES => BatchOutcome::decode(value).map(drop),
            EVENTS => EventRow::decode(value).map(drop).map_err(|_| JournalError::Corrupt("event row")),
            META => self.followed_tip().map(drop),
            _ => Ok(()),
        };
        judged.err().map(|error| error.to_string())
    }

    fn message<M: Message + Default>(
        &self,
        family: Family,
        key: &[u8],
        what: &'static str,
    ) -> Result<Option<M>, JournalError> {
        let Some(bytes) = self.get(family, key)? else { return Ok(None) };
        M::decode(bytes.as_slice()).map(Some).map_err(|_| JournalError::Corrupt(what))
    }
}
