//! Making an erasure true of the files: what was overwritten or deleted leaves memory, logs and tables.
//!
//! ```text
//! rows overwritten or deleted ─▶ flush_logs: no log holds the old versions ─▶ rewrite_tables: no table of these keys does
//! ```
//! A store of RocksDB's kind keeps old versions: in its write-ahead logs until all they hold is in tables, in tables until
//! compaction. Large values stay in blob files: one whose values are all deleted goes with the rewriting, another one stays (they are not
//! collected). Not here: copies elsewhere (backups, the disk's own old blocks).

use rocksdb::{BottommostLevelCompaction, CompactOptions, FlushOptions};

use super::{Family, Journal, JournalError};

impl Journal {
    /// Writes all that memory holds into tables, so that the write-ahead logs up to here are removed. Others write meanwhile.
    pub fn flush_logs(&self) -> Result<(), JournalError> {
        let families = self.identity.layout.all().map(|family| self.cf(family)).collect::<Result<Vec<_>, _>>()?;
        let mut options = FlushOptions::default();
        options.set_wait(true);
        // All of them: a write-ahead log is removed once no family needs it.
        Ok(self.db.flush_cfs_opt(&families, &options)?)
    }

    /// Rewrites the tables of a family that hold keys from `first` to `last`, without old versions. May be repeated; others write
    /// meanwhile. Reads and writes as much as these tables are large.
    pub fn rewrite_tables(&self, family: Family, first: &[u8], last: &[u8]) -> Result<(), JournalError> {
        let mut options = CompactOptions::default();
        options.set_bottommost_level_compaction(BottommostLevelCompaction::Force);
        options.set_exclusive_manual_compaction(false);
        self.db.compact_range_cf_opt(self.cf(family)?, Some(first), Some(last), &options);
        Ok(())
    }
}
