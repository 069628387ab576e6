//! Making an erasure true of the files: what was overwritten or deleted leaves memory, logs and tables.
//!
//! A store of RocksDB's kind keeps old versions: in its write-ahead logs until all they hold is in tables, in tables until
//! compaction. Ciphertexts of bodies stay in blob files until those are collected; without their keys nothing opens them.
//! Not here: copies elsewhere (backups, the disk's own old blocks).

use receipt_core::ids::{ReceiptKey, UnitId};
use rocksdb::{BottommostLevelCompaction, CompactOptions, FlushOptions};

use super::rows::{biz_key, receipt_key_bytes};
use super::{Cf, Journal, JournalError};

/// Keys whose tables are rewritten one by one; of more, all from the first to the last once.
const ALONE_MAX: usize = 8;

impl Journal {
    /// Removes old versions of these receipts' body keys and biz rows from every file of the journal. May be repeated; others
    /// write meanwhile.
    pub fn scrub(&self, erased: &[(ReceiptKey, UnitId, String)]) -> Result<(), JournalError> {
        let families = Cf::ALL.into_iter().map(|cf| self.cf(cf)).collect::<Result<Vec<_>, _>>()?;
        let mut options = FlushOptions::default();
        options.set_wait(true);
        // All of them: a write-ahead log is removed once no family needs it.
        self.db.flush_cfs_opt(&families, &options)?;
        self.rewrite(Cf::BodyKeys, erased.iter().map(|(key, ..)| receipt_key_bytes(*key).to_vec()).collect())?;
        self.rewrite(Cf::Biz, erased.iter().map(|(_, unit, biz_code)| biz_key(*unit, biz_code)).collect())
    }

    /// Rewrites the tables that hold these keys, without their old versions.
    fn rewrite(&self, cf: Cf, mut keys: Vec<Vec<u8>>) -> Result<(), JournalError> {
        let mut options = CompactOptions::default();
        options.set_bottommost_level_compaction(BottommostLevelCompaction::Force);
        options.set_exclusive_manual_compaction(false);
        let cf = self.cf(cf)?;
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
