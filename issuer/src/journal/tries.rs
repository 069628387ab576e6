//! Tries to fetch a receipt, as counts: never which receipt, whose, or from where.
//!
//! ```text
//! tries   0x00 ‖ lane u8                      Heat: all tries of the lane
//!         0x01 ‖ lane u8 ‖ bucket u16         Heat: tries for what falls into this bucket, by a keyed hash of what was asked for
//!         0x02 ‖ source [16]                  Heat ‖ Heat ‖ u64: what is known of a source (see `tries::Source`)
//!         0x03 ‖ u8                           the same, of all sources with this first byte that found no room
//! Heat    thousandths of a try u64 ‖ when it was written u64, milliseconds
//! ```
//! A number that nobody ever issued falls into a bucket like any other, so that tries for it count and wait like tries for one that is there,
//! and fill no row more: at most 4 × 65,536 buckets and [`SOURCES_MAX`] sources. Rows that have cooled down are deleted. One writer: the desk
//! of tries. A row that cannot be read counts as none, and is written over.

use receipt_core::ids::UnixMillis;
use tallystick_anchoring::journal::{Access, Family, Fields, Journal, JournalError, JournalWrite};

use crate::tries::{Heat, Lane, Source};

/// Counts of tries.
pub(crate) const TRIES: Family = Family { name: "tries", access: Access::Few };

/// Sources that have rows of their own.
pub const SOURCES_MAX: usize = 262_144;

const ALL: u8 = 0;
const TARGET: u8 = 1;
const SOURCE: u8 = 2;
const CROWDED_SOURCE: u8 = 3;
/// A bound on pages that count rows.
const PAGE: usize = 10_000;

/// What a row counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TryRow {
    /// All tries of a lane.
    All(Lane),
    /// Those for what falls into a bucket.
    Target(Lane, u16),
    /// Those of a source.
    Source([u8; 16]),
    /// Those of all sources without rows of their own that begin with this byte.
    CrowdedSource(u8),
}

impl TryRow {
    fn key(self) -> Vec<u8> {
        match self {
            Self::All(lane) => vec![ALL, lane.number()],
            Self::Target(lane, bucket) => [&[TARGET, lane.number()][..], &bucket.to_be_bytes()].concat(),
            Self::Source(source) => [&[SOURCE][..], &source].concat(),
            Self::CrowdedSource(first) => vec![CROWDED_SOURCE, first],
        }
    }

    fn of_key(key: &[u8]) -> Option<Self> {
        let lane = |number: u8| Lane::ALL.into_iter().find(|lane| lane.number() == number);
        match key {
            [ALL, number] => lane(*number).map(Self::All),
            [TARGET, number, high, low] => Some(Self::Target(lane(*number)?, u16::from_be_bytes([*high, *low]))),
            [SOURCE, source @ ..] => source.try_into().ok().map(Self::Source),
            [CROWDED_SOURCE, first] => Some(Self::CrowdedSource(*first)),
            _ => None,
        }
    }
}

/// What a row holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TryCount {
    /// Of all, or of a bucket.
    Heat(Heat),
    /// Of a source.
    Source(Source),
}

impl TryCount {
    fn encode(&self) -> Vec<u8> {
        let heat = |heat: &Heat| [heat.thousandths.to_be_bytes(), heat.at.get().to_be_bytes()].concat();
        match self {
            Self::Heat(count) => heat(count),
            Self::Source(Source { lately, with_face, next }) => {
                [heat(lately), heat(with_face), next.get().to_be_bytes().to_vec()].concat()
            }
        }
    }

    fn decode(row: TryRow, bytes: &[u8]) -> Result<Self, JournalError> {
        let mut fields = Fields(bytes);
        let mut heat =
            || Ok::<_, JournalError>(Heat { thousandths: fields.u64()?, at: UnixMillis::new(fields.u64()?) });
        let count = match row {
            TryRow::All(_) | TryRow::Target(..) => Self::Heat(heat()?),
            TryRow::Source(_) | TryRow::CrowdedSource(_) => {
                let (lately, with_face) = (heat()?, heat()?);
                Self::Source(Source { lately, with_face, next: UnixMillis::new(fields.u64()?) })
            }
        };
        fields.end()?;
        Ok(count)
    }

    /// Not later than now: see [`Heat::by`].
    #[must_use]
    pub fn by(self, now: UnixMillis) -> Self {
        match self {
            Self::Heat(heat) => Self::Heat(heat.by(now)),
            Self::Source(source) => Self::Source(source.by(now)),
        }
    }

    /// Whether the row may be forgotten.
    #[must_use]
    pub fn is_cold(&self, row: TryRow, now: UnixMillis) -> bool {
        match (self, row) {
            (Self::Heat(heat), TryRow::Target(lane, _)) => heat.is_cold(now, lane.half_life_ms()),
            // Four rows, which are always written.
            (Self::Heat(_), _) => false,
            (Self::Source(source), _) => source.is_cold(now),
        }
    }
}

/// Reads of tries.
pub trait TryReads {
    /// What a row counts; `None` if nothing, or if it cannot be read.
    fn tries(&self, row: TryRow) -> Result<Option<TryCount>, JournalError>;

    /// How many sources have rows of their own.
    fn try_sources(&self) -> Result<usize, JournalError>;

    /// At most `limit` rows behind `after`, ascending, and the key of the last one looked at, `None` if there are no more. Of a table that cannot
    /// be read: none.
    #[expect(clippy::type_complexity, reason = "a page and where it ends")]
    fn tries_after(
        &self,
        after: &[u8],
        limit: usize,
    ) -> Result<(Vec<(TryRow, TryCount)>, Option<Vec<u8>>), JournalError>;
}

/// Writes of tries.
pub trait TryWrites {
    /// What a row counts.
    fn put_tries(&mut self, row: TryRow, count: &TryCount);

    /// Forgets a row.
    fn delete_tries(&mut self, row: TryRow);
}

/// A count is no record of anything: where it cannot be read, counting begins anew. The daily check of the journal tells of the damage.
fn readable<T>(read: Result<T, JournalError>) -> Result<Option<T>, JournalError> {
    match read {
        Err(error) if error.is_damage() => Ok(None),
        read => read.map(Some),
    }
}

impl TryReads for Journal {
    fn tries(&self, row: TryRow) -> Result<Option<TryCount>, JournalError> {
        let Some(bytes) = readable(self.get(TRIES, &row.key()))?.flatten() else { return Ok(None) };
        readable(TryCount::decode(row, &bytes))
    }

    fn try_sources(&self) -> Result<usize, JournalError> {
        let (mut sources, mut start) = (0, vec![SOURCE]);
        loop {
            let Some(page) = readable(self.page(TRIES, &start, Some(&[CROWDED_SOURCE]), PAGE))? else {
                return Ok(sources);
            };
            sources += page.len();
            match page.last() {
                Some((last, _)) if page.len() == PAGE => start = [&last[..], &[0]].concat(),
                _ => return Ok(sources),
            }
        }
    }

    fn tries_after(
        &self,
        after: &[u8],
        limit: usize,
    ) -> Result<(Vec<(TryRow, TryCount)>, Option<Vec<u8>>), JournalError> {
        let start = if after.is_empty() { Vec::new() } else { [after, &[0]].concat() };
        let Some(page) = readable(self.page(TRIES, &start, None, limit))? else { return Ok((Vec::new(), None)) };
        let next = page.last().filter(|_| page.len() == limit).map(|(key, _)| key.to_vec());
        let read = |(key, value): &(Box<[u8]>, Box<[u8]>)| {
            let row = TryRow::of_key(key)?;
            Some((row, TryCount::decode(row, value).ok()?))
        };
        Ok((page.iter().filter_map(read).collect(), next))
    }
}

impl TryWrites for JournalWrite<'_> {
    fn put_tries(&mut self, row: TryRow, count: &TryCount) {
        self.put(TRIES, &row.key(), &count.encode());
    }

    fn delete_tries(&mut self, row: TryRow) {
        self.delete(TRIES, &row.key());
    }
}
