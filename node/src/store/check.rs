//! Reading all rows of the store, checksums verified, a stretch at a time.

use rocksdb::{Direction, IteratorMode, ReadOptions};

use super::{Store, StoreError, family_names};

/// Rows that could be read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stretch {
    /// Number of rows read.
    pub(crate) rows: u64,
    /// The key of the last one; `None` at the end of the family.
    pub(crate) last: Option<Vec<u8>>,
}

impl Store {
    /// The name of every family.
    pub(crate) fn families() -> Vec<&'static str> {
        family_names().collect()
    }

    /// Reads at most `limit` rows of a family after a key. Nothing of it takes room in the cache.
    pub(crate) fn read_through(&self, family: &str, after: Option<&[u8]>, limit: usize) -> Result<Stretch, StoreError> {
        let family = self.family(family)?;
        self.reading(|| self.read_through_now(family, after, limit))
    }

    fn read_through_now(
        &self,
        family: &rocksdb::ColumnFamily,
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Stretch, StoreError> {
        let mut options = ReadOptions::default();
        options.fill_cache(false);
        options.set_verify_checksums(true);
        let start = after.map_or_else(Vec::new, |after| [after, &[0]].concat());
        let mode = IteratorMode::From(&start, Direction::Forward);
        let mut stretch = Stretch { rows: 0, last: None };
        for row in self.db.iterator_cf_opt(family, options, mode).take(limit) {
            stretch.rows += 1;
            stretch.last = Some(row?.0.into_vec());
        }
        if stretch.rows < limit as u64 {
            stretch.last = None;
        }
        Ok(stretch)
    }
}
