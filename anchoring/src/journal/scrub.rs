//! Making an erasure true of the files: what was overwritten or deleted leaves memory, logs and tables.
//!
//! ```text
//! rows overwritten or deleted ─▶ flush_logs: no log holds the old versions ─▶ rewrite_tables: no table of these keys does
//! ```
//! A store of RocksDB's kind keeps old versions: in its write-ahead logs until all they hold is in tables, in tables until
//! compaction. The database does not say whether a rewriting failed, so it is looked at: no table that was there before may be there still.
//! Large values stay in blob files: one whose values are all deleted goes with the rewriting, another one stays (they are not
//! collected). Not here: copies elsewhere (backups, the disk's own old blocks).

use std::collections::BTreeSet;

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
    /// meanwhile. Reads and writes as much as these tables are large. [`JournalError::NotRewritten`] if one of them is still there.
    pub fn rewrite_tables(&self, family: Family, first: &[u8], last: &[u8]) -> Result<(), JournalError> {
        let mut options = CompactOptions::default();
        options.set_bottommost_level_compaction(BottommostLevelCompaction::Force);
        options.set_exclusive_manual_compaction(false);
        let before = self.tables_with(family, first, last)?;
        let mut left = before.clone();
        for _ in 0..REWRITINGS {
            self.db.compact_range_cf_opt(self.cf(family)?, Some(first), Some(last), &options);
            left = &before & &self.tables_with(family, first, last)?;
            if left.is_empty() {
                return Ok(());
            }
        }
        Err(JournalError::NotRewritten(left.into_iter().collect::<Vec<_>>().join(", ")))
    }

    /// Files of the tables that may hold keys from `first` to `last`. Names are never used again.
    fn tables_with(&self, family: Family, first: &[u8], last: &[u8]) -> Result<BTreeSet<String>, JournalError> {
        let overlaps = |start: &Option<Vec<u8>>, end: &Option<Vec<u8>>| {
            start.as_deref().is_none_or(|start| start <= last) && end.as_deref().is_none_or(|end| end >= first)
        };
        let files = self.db.live_files()?.into_iter();
        let files =
            files.filter(|file| file.column_family_name == family.name && overlaps(&file.start_key, &file.end_key));
        Ok(files.map(|file| file.name.trim_start_matches('/').to_owned()).collect())
    }
}

/// A table that the database moves to another level of its own accord meanwhile may be passed over once.
const REWRITINGS: usize = 2;
