//! Reads that look at the files themselves: checksums are verified, and nothing that is read takes room in the cache.

use std::collections::BTreeSet;

use receipt_core::ids::RecordKey;
use rocksdb::{Direction, IteratorMode, ReadOptions};

use super::families::{PLACEMENTS, RECORDS};
use super::read::Row;
use super::rows::record_key;
use super::{Family, Journal, JournalError};

/// Rows as far as they can be read.
pub struct Stretch {
    /// Ascending by key.
    pub rows: Vec<Row>,
    /// What stands behind them: more rows, nothing, or what cannot be read.
    pub end: StretchEnd,
}

/// Why a stretch ends.
#[derive(Debug)]
pub enum StretchEnd {
    /// It is as long as was asked for.
    Full,
    /// There are no more rows.
    Last,
    /// The next ones cannot be read.
    Damage(JournalError),
}

/// Names of records, and the families that could not name any more of them.
pub struct Names {
    /// Keys, ascending.
    pub keys: Vec<RecordKey>,
    /// Whether there are more behind them.
    pub more: bool,
    /// Of each family that cannot be read there: its name, and the error.
    pub damaged: Vec<(&'static str, JournalError)>,
}

fn options() -> ReadOptions {
    let mut options = ReadOptions::default();
    options.fill_cache(false);
    options.set_verify_checksums(true);
    options
}

impl Journal {
    /// At most `limit` rows of a family after the key `after`.
    pub fn stretch(&self, family: Family, after: Option<&[u8]>, limit: usize) -> Result<Stretch, JournalError> {
        let start = after.map_or_else(Vec::new, |after| [after, &[0]].concat());
        let mode = IteratorMode::From(&start, Direction::Forward);
        let mut rows = Vec::new();
        for row in self.db.iterator_cf_opt(self.cf(family)?, options(), mode).take(limit) {
            match row.map_err(JournalError::of_read) {
                Ok(row) => rows.push(row),
                Err(error) if error.is_damage() => return Ok(Stretch { rows, end: StretchEnd::Damage(error) }),
                Err(error) => return Err(error),
            }
        }
        let end = if rows.len() < limit { StretchEnd::Last } else { StretchEnd::Full };
        Ok(Stretch { rows, end })
    }

    /// The keys of at most about `limit` records after `after`, as `records`, `placements` and these families of the owner name them:
    /// where one cannot be read, the others do.
    pub fn names(&self, owners: &[Family], after: Option<RecordKey>, limit: usize) -> Result<Names, JournalError> {
        let (mut keys, mut damaged) = (BTreeSet::new(), Vec::new());
        // The key up to which every readable family has been read. Beyond it a family may still have names to add.
        let mut whole: Option<RecordKey> = None;
        for family in [RECORDS, PLACEMENTS].into_iter().chain(owners.iter().copied()) {
            let stretch = self.stretch(family, after.as_ref().map(|after| &after.0[..]), limit)?;
            let named: Vec<RecordKey> = stretch.rows.iter().filter_map(|(key, _)| record_key(key).ok()).collect();
            match stretch.end {
                StretchEnd::Full => {
                    let last = named.last().copied();
                    whole = whole.map_or(last, |whole| last.map(|last| whole.min(last)));
                }
                StretchEnd::Last => {}
                StretchEnd::Damage(error) => damaged.push((family.name, error)),
            }
            keys.extend(named);
        }
        if let Some(whole) = whole {
            keys.retain(|key| *key <= whole);
        }
        Ok(Names { keys: keys.into_iter().collect(), more: whole.is_some(), damaged })
    }

    /// All families, with their uses.
    pub fn families(&self) -> Vec<Family> {
        self.identity.layout.all().collect()
    }
}
