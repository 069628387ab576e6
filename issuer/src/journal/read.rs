//! Typed reads. Lists are read in bounded pages.

use receipt_core::blind::UniquenessKey;
use receipt_core::ids::{ReceiptKey, RecordKey, SegmentId, UnitId, UnixMillis};
use receipt_core::state::tables::uniqueness_key_bytes;
use tallystick_anchoring::journal::{Journal, JournalError, Row, fixed};

use super::rows::{
    adopted_key, bare_end, bare_from, bare_key, biz_key, day_prefix, past_name_prefix, receipt_key, receipt_key_bytes,
    receipt_of, reissue_key, rows_against, stopped_key,
};
use super::{
    BIZ, BODIES, BODY_KEYS, Bare, BizRow, DAYS, DECIDED, DayKind, DecidedTally, ISSUED, IssuedTally, REVERSALS,
    ReceiptRow, SEGMENTS, UNIQUENESS,
};
use crate::body::SealedBody;

/// Past names looked at: each costs a body root, and the registry renames a unit seldom.
const PAST_NAMES_MAX: usize = 64;

/// Of a body's key row: when the body was erased. A wrapped key is longer.
pub(super) fn erasure_time(row: &[u8]) -> Option<UnixMillis> {
    row.try_into().ok().map(|bytes| UnixMillis::new(u64::from_be_bytes(bytes)))
}

/// What the journal has of a receipt's body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoredBody {
    /// Ciphertext and wrapped key.
    Whole(SealedBody),
    /// It was erased at this time.
    Erased(UnixMillis),
    /// One of the two without the other: damage.
    Torn,
    /// Neither, and no erasure is noted.
    Nothing,
}

/// Where a page of receipts without a body begins.
#[derive(Debug, Clone, Copy)]
pub enum BareFrom {
    /// With the first that was issued at this time, or later.
    Time(UnixMillis),
    /// Behind this one.
    After(Bare),
}

/// What the issuer reads of its journal besides what anchoring reads.
pub trait ReceiptReads {
    /// A receipt without its body.
    fn receipt(&self, key: ReceiptKey) -> Result<Option<ReceiptRow>, JournalError>;

    /// Many receipts, in the order asked for.
    fn receipts(&self, keys: &[ReceiptKey]) -> Result<Vec<Option<ReceiptRow>>, JournalError>;

    /// At most `limit` receipts after `after`, ordered by key.
    fn receipts_after(
        &self,
        after: Option<ReceiptKey>,
        limit: usize,
    ) -> Result<Vec<(ReceiptKey, ReceiptRow)>, JournalError>;

    /// What there is of a body.
    fn stored_body(&self, key: ReceiptKey) -> Result<StoredBody, JournalError>;

    /// A body as stored; `None` once erased.
    fn body(&self, key: ReceiptKey) -> Result<Option<SealedBody>, JournalError>;

    /// The wrapped key of a body; `None` once erased.
    fn wrapped_key(&self, key: ReceiptKey) -> Result<Option<Vec<u8>>, JournalError>;

    /// At most `limit` receipts from the key `start` on that have or had a body here, with its wrapped key; `None` once it is erased.
    #[expect(clippy::type_complexity, reason = "a list of pairs")]
    fn wrapped_keys_from(&self, start: &[u8], limit: usize)
    -> Result<Vec<(ReceiptKey, Option<Vec<u8>>)>, JournalError>;

    /// When a body was erased; `None` if it was not, or was never here.
    fn erased_at(&self, key: ReceiptKey) -> Result<Option<UnixMillis>, JournalError>;

    /// Keys of at most `limit` receipts from `first` to `last`, ascending.
    fn keys_between(&self, first: ReceiptKey, last: ReceiptKey, limit: usize) -> Result<Vec<ReceiptKey>, JournalError>;

    /// Who holds a biz code.
    fn biz(&self, unit: UnitId, biz_code: &str) -> Result<Option<BizRow>, JournalError>;

    /// Those of these biz codes that no row has, as far as their tables can be read.
    fn without_biz(&self, keys: Vec<(UnitId, String)>) -> Result<Vec<(UnitId, String)>, JournalError>;

    /// Those of these rows of uniqueness keys that are not there, as far as their tables can be read.
    fn without_uniqueness(&self, rows: Vec<[u8; 23]>) -> Result<Vec<[u8; 23]>, JournalError>;

    /// The receipt that was learnt from the ledger under this keyed hash of a biz code, if any was.
    fn adopted(&self, unit: UnitId, biz_hash: &[u8; 16]) -> Result<Option<ReceiptKey>, JournalError>;

    /// Which live receipt of a unit holds this very uniqueness key.
    fn uniqueness(&self, unit: UnitId, key: UniquenessKey) -> Result<Option<ReceiptKey>, JournalError>;

    /// Which live receipt leaves no room for a uniqueness key of a unit's receipt: its holder; if it is a decision paid at once, also
    /// one of an instalment; if it is an instalment, also that of the whole decision.
    fn receipted(&self, unit: UnitId, key: UniquenessKey) -> Result<Option<ReceiptKey>, JournalError>;

    /// The red receipt that reverses (or tries to reverse) an original.
    fn reversal(&self, original: ReceiptKey) -> Result<Option<ReceiptKey>, JournalError>;

    /// The receipt that re-issues (or tries to re-issue) what remains of a reversed original.
    fn reissue(&self, original: ReceiptKey) -> Result<Option<ReceiptKey>, JournalError>;

    /// At most `limit` receipts of a unit's day after `after`, ordered by key, with their place codes.
    fn day(
        &self,
        unit: UnitId,
        day: u32,
        after: Option<ReceiptKey>,
        limit: usize,
    ) -> Result<Vec<(ReceiptKey, String)>, JournalError>;

    /// What was issued of a unit, day and kind.
    fn issued(&self, key: DayKind) -> Result<IssuedTally, JournalError>;

    /// What was decided of a unit, day and kind.
    fn decided(&self, key: DayKind) -> Result<DecidedTally, JournalError>;

    /// The kinds of which a unit issued anything on a day, ascending, at most `limit`.
    fn issued_kinds(&self, unit: UnitId, day: u32, limit: usize) -> Result<Vec<DayKind>, JournalError>;

    /// The next number of a segment; `None` if none was used yet.
    fn next_number(&self, segment: SegmentId) -> Result<Option<u64>, JournalError>;

    /// Of a segment that gives out no more numbers: the first that was never given out.
    fn first_unused(&self, segment: SegmentId) -> Result<Option<u64>, JournalError>;

    /// At most `limit` receipts of a unit of which this journal has the record alone, in the order of their issue: from a time on, or after one of them.
    fn bare(&self, unit: UnitId, from: BareFrom, limit: usize) -> Result<Vec<Bare>, JournalError>;

    /// The names that a unit had before its present one, as far as this journal has followed.
    fn past_names(&self, unit: UnitId) -> Result<Vec<String>, JournalError>;
}

impl ReceiptReads for Journal {
    fn receipt(&self, key: ReceiptKey) -> Result<Option<ReceiptRow>, JournalError> {
        self.record(key)?.map(ReceiptRow::from_record).transpose()
    }

    fn receipts(&self, keys: &[ReceiptKey]) -> Result<Vec<Option<ReceiptRow>>, JournalError> {
        let keys: Vec<RecordKey> = keys.iter().map(|key| RecordKey::from(*key)).collect();
        let rows = self.records(&keys)?.into_iter();
        rows.map(|row| row.map(ReceiptRow::from_record).transpose()).collect()
    }

    fn receipts_after(
        &self,
        after: Option<ReceiptKey>,
        limit: usize,
    ) -> Result<Vec<(ReceiptKey, ReceiptRow)>, JournalError> {
        let rows = self.records_after(after.map(RecordKey::from), limit)?.into_iter();
        rows.map(|(key, row)| Ok((receipt_of(key)?, ReceiptRow::from_record(row)?))).collect()
    }

    fn stored_body(&self, key: ReceiptKey) -> Result<StoredBody, JournalError> {
        let key = receipt_key_bytes(key);
        let row = self.get(BODY_KEYS, &key)?;
        if let Some(at) = row.as_deref().and_then(erasure_time) {
            return Ok(StoredBody::Erased(at));
        }
        Ok(match (self.get(BODIES, &key)?, row) {
            (Some(ciphertext), Some(wrapped_key)) => StoredBody::Whole(SealedBody { ciphertext, wrapped_key }),
            (None, None) => StoredBody::Nothing,
            (Some(_), None) | (None, Some(_)) => StoredBody::Torn,
        })
    }

    fn body(&self, key: ReceiptKey) -> Result<Option<SealedBody>, JournalError> {
        Ok(match self.stored_body(key)? {
            StoredBody::Whole(body) => Some(body),
            StoredBody::Erased(_) | StoredBody::Torn | StoredBody::Nothing => None,
        })
    }

    fn wrapped_key(&self, key: ReceiptKey) -> Result<Option<Vec<u8>>, JournalError> {
        let row = self.get(BODY_KEYS, &receipt_key_bytes(key))?;
        Ok(row.filter(|row| erasure_time(row).is_none()))
    }

    fn wrapped_keys_from(
        &self,
        start: &[u8],
        limit: usize,
    ) -> Result<Vec<(ReceiptKey, Option<Vec<u8>>)>, JournalError> {
        let rows = self.page(BODY_KEYS, start, None, limit)?.into_iter();
        let wrapped = |row: Box<[u8]>| erasure_time(&row).is_none().then(|| row.into_vec());
        rows.map(|(key, row)| Ok((receipt_key(&key)?, wrapped(row)))).collect()
    }

    fn erased_at(&self, key: ReceiptKey) -> Result<Option<UnixMillis>, JournalError> {
        let row = self.get(BODY_KEYS, &receipt_key_bytes(key))?;
        Ok(row.and_then(|row| erasure_time(&row)))
    }

    fn keys_between(&self, first: ReceiptKey, last: ReceiptKey, limit: usize) -> Result<Vec<ReceiptKey>, JournalError> {
        self.record_keys(first.into(), last.into(), limit)?.into_iter().map(receipt_of).collect()
    }

    fn biz(&self, unit: UnitId, biz_code: &str) -> Result<Option<BizRow>, JournalError> {
        self.get(BIZ, &biz_key(unit, biz_code))?.map(|bytes| BizRow::decode(&bytes)).transpose()
    }

    fn without_biz(&self, keys: Vec<(UnitId, String)>) -> Result<Vec<(UnitId, String)>, JournalError> {
        let rows: Vec<Vec<u8>> = keys.iter().map(|(unit, biz_code)| biz_key(*unit, biz_code)).collect();
        let absent = self.are_absent(BIZ, &rows)?;
        Ok(keys.into_iter().zip(absent).filter_map(|(key, is_absent)| is_absent.then_some(key)).collect())
    }

    fn without_uniqueness(&self, rows: Vec<[u8; 23]>) -> Result<Vec<[u8; 23]>, JournalError> {
        let absent = self.are_absent(UNIQUENESS, &rows)?;
        Ok(rows.into_iter().zip(absent).filter_map(|(row, is_absent)| is_absent.then_some(row)).collect())
    }

    fn adopted(&self, unit: UnitId, biz_hash: &[u8; 16]) -> Result<Option<ReceiptKey>, JournalError> {
        self.get(BIZ, &adopted_key(unit, biz_hash))?.map(|bytes| receipt_key(&bytes)).transpose()
    }

    fn uniqueness(&self, unit: UnitId, key: UniquenessKey) -> Result<Option<ReceiptKey>, JournalError> {
        let row = uniqueness_key_bytes(unit, &key);
        self.get(UNIQUENESS, &row)?.map(|bytes| receipt_key(&bytes)).transpose()
    }

    fn receipted(&self, unit: UnitId, key: UniquenessKey) -> Result<Option<ReceiptKey>, JournalError> {
        for rows in rows_against(unit, key) {
            let (first, last) = rows.into_inner();
            let holder = if first == last {
                self.get(UNIQUENESS, &first)?
            } else {
                // One byte more is the first key behind the last one.
                let end = [&last[..], &[0]].concat();
                let found = self.page(UNIQUENESS, &first, Some(&end), 1)?.into_iter().next();
                found.map(|(_, holder)| holder.into_vec())
            };
            if let Some(holder) = holder {
                return receipt_key(&holder).map(Some);
            }
        }
        Ok(None)
    }

    fn reversal(&self, original: ReceiptKey) -> Result<Option<ReceiptKey>, JournalError> {
        self.get(REVERSALS, &receipt_key_bytes(original))?.map(|bytes| receipt_key(&bytes)).transpose()
    }

    fn reissue(&self, original: ReceiptKey) -> Result<Option<ReceiptKey>, JournalError> {
        self.get(REVERSALS, &reissue_key(original))?.map(|bytes| receipt_key(&bytes)).transpose()
    }

    fn day(
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
        self.page(DAYS, &start, Some(&end), limit)?.into_iter().map(read).collect()
    }

    fn issued(&self, key: DayKind) -> Result<IssuedTally, JournalError> {
        let bytes = self.get(ISSUED, &key.encode())?;
        bytes.map_or(Ok(IssuedTally::default()), |bytes| IssuedTally::decode(&bytes))
    }

    fn decided(&self, key: DayKind) -> Result<DecidedTally, JournalError> {
        let bytes = self.get(DECIDED, &key.encode())?;
        bytes.map_or(Ok(DecidedTally::default()), |bytes| DecidedTally::decode(&bytes))
    }

    fn issued_kinds(&self, unit: UnitId, day: u32, limit: usize) -> Result<Vec<DayKind>, JournalError> {
        let (start, end) = (day_prefix(unit, day), day_prefix(unit, day.saturating_add(1)));
        let rows = self.page(ISSUED, &start, Some(&end), limit)?;
        rows.into_iter().map(|(key, _)| DayKind::decode(&key)).collect()
    }

    fn next_number(&self, segment: SegmentId) -> Result<Option<u64>, JournalError> {
        let bytes = self.get(SEGMENTS, &segment.get().to_be_bytes())?;
        bytes.map(|bytes| Ok(u64::from_be_bytes(fixed(&bytes, "next number")?))).transpose()
    }

    fn first_unused(&self, segment: SegmentId) -> Result<Option<u64>, JournalError> {
        let bytes = self.get(SEGMENTS, &stopped_key(segment))?;
        bytes.map(|bytes| Ok(u64::from_be_bytes(fixed(&bytes, "first unused number")?))).transpose()
    }

    fn bare(&self, unit: UnitId, from: BareFrom, limit: usize) -> Result<Vec<Bare>, JournalError> {
        let start = match from {
            BareFrom::Time(since) => bare_from(unit, since),
            // The least key after one of fixed length is that key with one more byte.
            BareFrom::After(bare) => [&bare_key(unit, bare.issue_time, bare.key)[..], &[0]].concat(),
        };
        let read = |(key, value): Row| Bare::decode(key.get(5..).unwrap_or_default(), &value);
        self.page(BIZ, &start, Some(&bare_end(unit)), limit)?.into_iter().map(read).collect()
    }

    fn past_names(&self, unit: UnitId) -> Result<Vec<String>, JournalError> {
        let prefix = past_name_prefix(unit);
        let mut end = prefix;
        end[4] = end[4].saturating_add(1);
        let rows = self.page(BIZ, &prefix, Some(&end), PAST_NAMES_MAX)?.into_iter();
        let names = rows.filter_map(|(key, _)| Some(key.strip_prefix(&prefix[..])?.to_vec()));
        names.map(|name| String::from_utf8(name).map_err(|_| JournalError::Corrupt("a past name"))).collect()
    }
}
