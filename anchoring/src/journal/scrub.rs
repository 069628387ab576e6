//! Making an erasure true of the files: what was overwritten or deleted leaves memory, logs and tables.
//!
//! A store of RocksDB's kind keeps old versions: in its write-ahead logs until all they hold is in tables, in tables until
//! compaction. Large values stay in blob files until those are collected; without their keys nothing opens them.
//! Not here: copies elsewhere (backups, the disk's own old blocks).

use rocksdb::{BottommostLevelCompaction, CompactOptions, FlushOptions};

use super::{Family, Journal, JournalError};

/// Keys whose tables are rewritten one by one; of more, all from the first to the last once.
const ALONE_MAX: usize = 8;

impl Journal {
    /// Removes old versions of these rows from every file of the journal. May be repeated; others write meanwhile.
    pub fn scrub_rows(&self, rows: Vec<(Family, Vec<Vec<u8>>)>) -> Result<(), JournalError> {
        let families = self.identity.layout.all().map(|family| self.cf(family)).collect::<Result<Vec<_>, _>>()?;
        let mut options = FlushOptions::default();
        options.set_wait(true);
        // All of them: a write-ahead log is removed once no family needs it.
        self.db.flush_cfs_opt(&families, &options)?;
        for (family, keys) in rows {
            self.rewrite(family, keys)?;
        }
        Ok(())
    }

    /// Rewrites the tables that hold these keys, without their old versions.
    fn rewrite(&self, family: Family, mut keys: Vec<Vec<u8>>) -> Result<(), JournalError> {
        let mut options = CompactOptions::default();
        options.set_bottommost_level_compaction(BottommostLevelCompaction::Force);
        options.set_exclusive_manual_compaction(false);
        let cf = self.cf(family)?;
        keys.sort();
        let ranges: Vec<(&Vec<u8>, &Vec<u8>)> = match (keys.first(), keys.last()) {
            (Some(first), Some(last)) if keys.len() > ALONE_MAX => vec![(first, last)],
            _ => keys.iter().map(|key| (key, key)).collect(),
        };
        for (first, last) in ranges {
            self.db.compact_range_cf_opt(cf, Some(first), Some(last), &options);
        }
        Ok(())
    }
}
