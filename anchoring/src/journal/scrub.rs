//! Making an erasure true of the files: what was overwritten or deleted leaves memory, logs and tables.
//!
//! ```text
//! rows overwritten or deleted ─▶ flush_logs: no log holds the old versions ─▶ rewrite_tables: no table of these keys does
//! ```
//! A store of RocksDB's kind keeps old versions: in its write-ahead logs until all they hold is in tables, in tables until
//! compaction. The database does not say whether a rewriting failed, so it is judged by what can be seen, round by round: no table that was there at the
//! round's start may be there still, and nothing that the database does in the background may have failed meanwhile. By the first alone a
//! rewriting that failed would pass for done where the database has merged those tables of its own accord: what it made of them is new, and
//! may hold the old versions.
//! Large values stay in blob files: one whose values are all deleted goes with the rewriting, another one stays (they are not
//! collected). Not here: copies elsewhere (backups, the disk's own old blocks).

use std::collections::BTreeSet;

use rocksdb::properties::BACKGROUND_ERRORS;
use rocksdb::{BottommostLevelCompaction, CompactOptions, FlushOptions};

use super::{Family, Journal, JournalError};

impl Journal {
    /// Writes all that memory holds into tables, so that the write-ahead logs up to here are removed. Others write meanwhile.
    pub fn flush_logs(&self) -> Result<(), JournalError> {
        let families = self.identity.layout.all().map(|family| self.cf(family)).collect::<Result<Vec<_>, _>>()?;
        let mut options = FlushOptions::default();
        options.set_wait(true);
        // All families are flushed, not only those with something to erase: RocksDB removes a log only once no family needs it.
        Ok(self.db.flush_cfs_opt(&families, &options)?)
    }

    /// Rewrites the tables of a family that hold keys from `first` to `last`, without old versions. May be repeated; others write
    /// meanwhile. Reads and writes as much as these tables are large. [`JournalError::NotRewritten`] if one of them may still be there.
    pub fn rewrite_tables(&self, family: Family, first: &[u8], last: &[u8]) -> Result<(), JournalError> {
        let mut left = BTreeSet::new();
        for _ in 0..ROUNDS {
            let round = self.begin_round(family, first, last)?;
            self.compact(family, first, last)?;
            left = self.left_by(&round)?;
            if left.is_empty() {
                return Ok(());
            }
        }
        Err(JournalError::NotRewritten(left.into_iter().collect::<Vec<_>>().join(", ")))
    }

    pub(super) fn compact(&self, family: Family, first: &[u8], last: &[u8]) -> Result<(), JournalError> {
        let mut options = CompactOptions::default();
        options.set_bottommost_level_compaction(BottommostLevelCompaction::Force);
        options.set_exclusive_manual_compaction(false);
        self.db.compact_range_cf_opt(self.cf(family)?, Some(first), Some(last), &options);
        Ok(())
    }

    pub(super) fn begin_round<'a>(
        &self,
        family: Family,
        first: &'a [u8],
        last: &'a [u8],
    ) -> Result<Round<'a>, JournalError> {
        // Read the count first, so that a failure while the tables are listed is seen as well.
        let failures = self.background_failures()?;
        Ok(Round { family, first, last, tables: self.tables_with(family, first, last)?, failures })
    }

    /// The tables that may hold old versions after a round.
    pub(super) fn left_by(&self, round: &Round<'_>) -> Result<BTreeSet<String>, JournalError> {
        let now = self.tables_with(round.family, round.first, round.last)?;
        let has_failed = self.background_failures()? != round.failures;
        Ok(if has_failed { now } else { &round.tables & &now })
    }

    /// How many flushes and compactions have failed since the journal was opened.
    fn background_failures(&self) -> Result<u64, JournalError> {
        let failures = self.db.property_int_value(BACKGROUND_ERRORS)?;
        failures.ok_or_else(|| JournalError::Store("it does not count what fails in the background".to_owned()))
    }

    /// Files of the tables that may hold keys from `first` to `last`. Names are never used again.
    pub(crate) fn tables_with(
        &self,
        family: Family,
        first: &[u8],
        last: &[u8],
    ) -> Result<BTreeSet<String>, JournalError> {
        let overlaps = |start: &Option<Vec<u8>>, end: &Option<Vec<u8>>| {
            start.as_deref().is_none_or(|start| start <= last) && end.as_deref().is_none_or(|end| end >= first)
        };
        let files = self.db.live_files()?.into_iter();
        let files =
            files.filter(|file| file.column_family_name == family.name && overlaps(&file.start_key, &file.end_key));
        Ok(files.map(|file| file.name.trim_start_matches('/').to_owned()).collect())
    }
}

/// A rewriting, as it is judged afterwards.
pub(super) struct Round<'a> {
    family: Family,
    first: &'a [u8],
    last: &'a [u8],
    /// The tables of these keys at its start.
    pub(super) tables: BTreeSet<String>,
    /// What had failed in the background by then.
    failures: u64,
}

/// A table that the database moves to another level of its own accord meanwhile may be passed over once.
const ROUNDS: usize = 2;
