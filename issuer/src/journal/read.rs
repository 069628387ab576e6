//! Typed reads. Lists are read in bounded pages.

use prost::Message;
use receipt_core::blind::UniquenessKey;
use receipt_core::ids::{BatchSequence, ReceiptKey, SegmentId, UnitId, UnixMillis};
use receipt_core::state::tables::Table;
use rocksdb::{Direction, IteratorMode, ReadOptions};

use super::rows::{
    adopted_key, biz_key, day_prefix, past_name_prefix, receipt_key, receipt_key_bytes, reissue_key, stopped_key,
};
use super::{
    BatchOutcome, BatchRow, BizRow, Cf, DayKind, DecidedTally, EventRow, IssuedTally, Journal, JournalError, Placement,
    ReceiptRow, fixed,
};
use crate::body::SealedBody;

type Row = (Box<[u8]>, Box<[u8]>);

/// Past names looked at: each costs a body root, and the registry renames a unit seldom.
const PAST_NAMES_MAX: usize = 64;

/// Of a body's key row: when the body was erased. A wrapped key is longer.
fn erasure_time(row: &[u8]) -> Option<UnixMillis> {
    row.try_into().ok().map(|bytes| UnixMillis::new(u64::from_be_bytes(bytes)))
}

impl Journal {
    /// A receipt without its body.
    pub fn receipt(&self, key: ReceiptKey) -> Result<Option<ReceiptRow>, JournalError> {
        self.message(Cf::Receipts, &receipt_key_bytes(key), "receipt row")
    }

    /// Many receipts, in the order asked for.
    pub fn receipts(&self, keys: &[ReceiptKey]) -> Result<Vec<Option<ReceiptRow>>, JournalError> {
        let cf = self.cf(Cf::Receipts)?;
        let keys: Vec<[u8; 12]> = keys.iter().map(|key| receipt_key_bytes(*key)).collect();
        let rows = self.db.batched_multi_get_cf(cf, keys.iter(), false).into_iter().map(|value| match value? {
            None => Ok(None),
            Some(bytes) => ReceiptRow::decode(&bytes[..]).map(Some).map_err(|_| JournalError::Corrupt("receipt row")),
        });
        rows.collect()
    }

    /// At most `limit` receipts after `after`, ordered by key.
    pub fn receipts_after(
        &self,
        after: Option<ReceiptKey>,
        limit: usize,
    ) -> Result<Vec<(ReceiptKey, ReceiptRow)>, JournalError> {
        // The least key after one of fixed length is that key with one more byte.
        let start = after.map_or_else(Vec::new, |after| [&receipt_key_bytes(after)[..], &[0]].concat());
        let read = |(key, value): Row| {
            let row = ReceiptRow::decode(&value[..]).map_err(|_| JournalError::Corrupt("receipt row"))?;
            Ok((receipt_key(&key)?, row))
        };
        self.page(Cf::Receipts, &start, None, limit)?.into_iter().map(read).collect()
    }

    /// A body as stored; `None` once erased.
    pub fn body(&self, key: ReceiptKey) -> Result<Option<SealedBody>, JournalError> {
        let key = receipt_key_bytes(key);
        let parts = self.get(Cf::Bodies, &key)?.zip(self.get(Cf::BodyKeys, &key)?);
        Ok(parts.map(|(ciphertext, wrapped_key)| SealedBody { ciphertext, wrapped_key }))
    }

    /// When a body was erased; `None` if it was not, or was never here.
    pub fn erased_at(&self, key: ReceiptKey) -> Result<Option<UnixMillis>, JournalError> {
        let row = self.get(Cf::BodyKeys, &receipt_key_bytes(key))?;
        Ok(row.and_then(|row| erasure_time(&row)))
    }

    /// Keys of at most `limit` receipts from `first` to `last`, ascending.
    pub fn keys_between(
        &self,
        first: ReceiptKey,
        last: ReceiptKey,
        limit: usize,
    ) -> Result<Vec<ReceiptKey>, JournalError> {
        let end = [&receipt_key_bytes(last)[..], &[0]].concat();
        let rows = self.page(Cf::Receipts, &receipt_key_bytes(first), Some(&end), limit)?;
        rows.into_iter().map(|(key, _)| receipt_key(&key)).collect()
    }

    /// Who holds a biz code.
    pub fn biz(&self, unit: UnitId, biz_code: &str) -> Result<Option<BizRow>, JournalError> {
        self.get(Cf::Biz, &biz_key(unit, biz_code))?.map(|bytes| BizRow::decode(&bytes)).transpose()
    }

    /// The receipt that was learnt from the ledger under this keyed hash of a biz code, if any was.
    pub fn adopted(&self, unit: UnitId, biz_hash: &[u8; 16]) -> Result<Option<ReceiptKey>, JournalError> {
        self.get(Cf::Biz, &adopted_key(unit, biz_hash))?.map(|bytes| receipt_key(&bytes)).transpose()
    }

    /// Any receipt whose body is here.
    pub fn some_body(&self) -> Result<Option<(ReceiptKey, SealedBody)>, JournalError> {
        for row in self.db.iterator_cf(self.cf(Cf::BodyKeys)?, IteratorMode::Start) {
            let (key, wrapped_key) = row?;
            if erasure_time(&wrapped_key).is_none() {
                let key = receipt_key(&key)?;
                return Ok(self.body(key)?.map(|body| (key, body)));
            }
        }
        Ok(None)
    }

    /// Which live receipt holds a uniqueness key.
    pub fn uniqueness(&self, key: UniquenessKey) -> Result<Option<ReceiptKey>, JournalError> {
        self.get(Cf::Uniqueness, &key.to_bytes())?.map(|bytes| receipt_key(&bytes)).transpose()
    }

    /// The red receipt that reverses (or tries to reverse) an original.
    pub fn reversal(&self, original: ReceiptKey) -> Result<Option<ReceiptKey>, JournalError> {
        self.get(Cf::Reversals, &receipt_key_bytes(original))?.map(|bytes| receipt_key(&bytes)).transpose()
    }

    /// The receipt that re-issues (or tries to re-issue) what remains of a reversed original.
    pub fn reissue(&self, original: ReceiptKey) -> Result<Option<ReceiptKey>, JournalError> {
        self.get(Cf::Reversals, &reissue_key(original))?.map(|bytes| receipt_key(&bytes)).transpose()
    }

    /// Where a receipt went; `None` while it waits in the outbox.
    pub fn placement(&self, key: ReceiptKey) -> Result<Option<Placement>, JournalError> {
        self.get(Cf::Placements, &receipt_key_bytes(key))?.map(|bytes| Placement::decode(&bytes)).transpose()
    }

    /// A batch as cut.
    pub fn batch(&self, sequence: BatchSequence) -> Result<Option<BatchRow>, JournalError> {
        self.message(Cf::Batches, &sequence.get().to_be_bytes(), "batch row")
    }

    /// What the ledger decided on a batch; `None` while it is on its way.
    pub fn outcome(&self, sequence: BatchSequence) -> Result<Option<BatchOutcome>, JournalError> {
        let bytes = self.get(Cf::Outcomes, &sequence.get().to_be_bytes())?;
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

    /// At most `limit` queued receipts from `position` on.
    pub fn outbox(&self, position: u64, limit: usize) -> Result<Vec<(u64, ReceiptKey)>, JournalError> {
        let rows = self.page(Cf::Outbox, &position.to_be_bytes(), None, limit)?;
        let read = |(key, value): Row| Ok((u64::from_be_bytes(fixed(&key, "outbox position")?), receipt_key(&value)?));
        rows.into_iter().map(read).collect()
    }

    /// One after the last outbox position in use; 0 if none is.
    pub fn outbox_end(&self) -> Result<u64, JournalError> {
        let mut last = self.db.iterator_cf(self.cf(Cf::Outbox)?, IteratorMode::End);
        match last.next().transpose()? {
            None => Ok(0),
            Some((key, _)) => Ok(u64::from_be_bytes(fixed(&key, "outbox position")?).saturating_add(1)),
        }
    }

    /// At most `limit` good records of refused batches, in order.
    pub fn requeued(&self, limit: usize) -> Result<Vec<(BatchSequence, u16, ReceiptKey)>, JournalError> {
        let rows = self.page(Cf::Requeue, &[], None, limit)?;
        let read = |(key, value): Row| {
            let (sequence, index) = key.split_at_checked(8).ok_or(JournalError::Corrupt("requeue key"))?;
            let sequence = BatchSequence::new(u64::from_be_bytes(fixed(sequence, "requeue key")?));
            Ok((sequence, u16::from_be_bytes(fixed(index, "requeue key")?), receipt_key(&value)?))
        };
        rows.into_iter().map(read).collect()
    }

    /// An event.
    pub fn event(&self, number: u64) -> Result<Option<EventRow>, JournalError> {
        self.message(Cf::Events, &number.to_be_bytes(), "event row")
    }

    /// At most `limit` receipts of a unit's day after `after`, ordered by key, with their place codes.
    pub fn day(
        &self,
        unit: UnitId,
        day: u32,
        after: Option<ReceiptKey>,
        limit: usize,
    ) -> Result<Vec<(ReceiptKey, String)>, JournalError> {
        let prefix = day_prefix(unit, day);
        let mut start = prefix.to_vec();
        if let Some(after) = after {
            start.extend_from_slice(&receipt_key_bytes(after));
            start.push(0);
        }
        let end = day_prefix(unit, day.saturating_add(1));
        let read = |(key, value): Row| {
            let key = receipt_key(key.get(8..).unwrap_or_default())?;
            Ok((key, String::from_utf8_lossy(&value).into_owned()))
        };
        self.page(Cf::Days, &start, Some(&end), limit)?.into_iter().map(read).collect()
    }

    /// What was issued of a unit, day and kind.
    pub fn issued(&self, key: DayKind) -> Result<IssuedTally, JournalError> {
        let bytes = self.get(Cf::Issued, &key.encode())?;
        bytes.map_or(Ok(IssuedTally::default()), |bytes| IssuedTally::decode(&bytes))
    }

    /// What was decided of a unit, day and kind.
    pub fn decided(&self, key: DayKind) -> Result<DecidedTally, JournalError> {
        let bytes = self.get(Cf::Decided, &key.encode())?;
        bytes.map_or(Ok(DecidedTally::default()), |bytes| DecidedTally::decode(&bytes))
    }

    /// The kinds of which a unit issued anything on a day, ascending, at most `limit`.
    pub fn issued_kinds(&self, unit: UnitId, day: u32, limit: usize) -> Result<Vec<DayKind>, JournalError> {
        let (start, end) = (day_prefix(unit, day), day_prefix(unit, day.saturating_add(1)));
        let rows = self.page(Cf::Issued, &start, Some(&end), limit)?;
        rows.into_iter().map(|(key, _)| DayKind::decode(&key)).collect()
    }

    /// The next number of a segment; `None` if none was used yet.
    pub fn next_number(&self, segment: SegmentId) -> Result<Option<u64>, JournalError> {
        let bytes = self.get(Cf::Segments, &segment.get().to_be_bytes())?;
        bytes.map(|bytes| Ok(u64::from_be_bytes(fixed(&bytes, "next number")?))).transpose()
    }

    /// Of a segment that gives out no more numbers: the first that was never given out.
    pub fn first_unused(&self, segment: SegmentId) -> Result<Option<u64>, JournalError> {
        let bytes = self.get(Cf::Segments, &stopped_key(segment))?;
        bytes.map(|bytes| Ok(u64::from_be_bytes(fixed(&bytes, "first unused number")?))).transpose()
    }

    /// The names that a unit had before its present one, as far as this journal has followed.
    pub fn past_names(&self, unit: UnitId) -> Result<Vec<String>, JournalError> {
        let prefix = past_name_prefix(unit);
        let rows = self.page(Cf::Registry, &prefix, None, PAST_NAMES_MAX)?.into_iter();
        let names = rows.filter_map(|(key, _)| Some(key.strip_prefix(&prefix[..])?.to_vec()));
        names.map(|name| String::from_utf8(name).map_err(|_| JournalError::Corrupt("a past name"))).collect()
    }

    /// Every value of a registry table, ascending by key. The registry is small and held in memory anyway.
    pub fn registry_table(&self, table: Table) -> Result<Vec<Vec<u8>>, JournalError> {
        let (start, end) = ([table as u8], [(table as u8).saturating_add(1)]);
        let rows = self.page(Cf::Registry, &start, Some(&end), usize::MAX)?;
        Ok(rows.into_iter().map(|(_, value)| value.to_vec()).collect())
    }

    fn message<M: Message + Default>(&self, cf: Cf, key: &[u8], what: &'static str) -> Result<Option<M>, JournalError> {
        let Some(bytes) = self.get(cf, key)? else { return Ok(None) };
        M::decode(bytes.as_slice()).map(Some).map_err(|_| JournalError::Corrupt(what))
    }

    fn page(&self, cf: Cf, start: &[u8], end: Option<&[u8]>, limit: usize) -> Result<Vec<Row>, JournalError> {
        let mut options = ReadOptions::default();
        if let Some(end) = end {
            options.set_iterate_upper_bound(end.to_vec());
        }
        let mode = IteratorMode::From(start, Direction::Forward);
        let rows = self.db.iterator_cf_opt(self.cf(cf)?, options, mode).take(limit);
        rows.map(|row| row.map_err(JournalError::from)).collect()
    }
}
