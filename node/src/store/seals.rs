//! Sealed checkpoints.

use receipt_core::ids::Height;

use super::{CHECKPOINTS, Store, StoreError, read_u64};

impl Store {
    /// Stores the sealed note of a height, synced: what was published once is published after a power cut, too.
    pub fn put_checkpoint(&self, height: Height, note: &str) -> Result<(), StoreError> {
        let mut synced = rocksdb::WriteOptions::default();
        synced.set_sync(true);
        Ok(self.db.put_cf_opt(self.family(CHECKPOINTS)?, height.get().to_be_bytes(), note, &synced)?)
    }

    /// The sealed note of exactly this height.
    pub fn checkpoint(&self, height: Height) -> Result<Option<String>, StoreError> {
        let note = self.get_in(CHECKPOINTS, &height.get().to_be_bytes())?;
        note.map(|note| String::from_utf8(note).map_err(|_| StoreError::corrupt("a checkpoint"))).transpose()
    }

    /// The first sealed note at or after a height: it seals that height.
    pub fn checkpoint_from(&self, height: Height) -> Result<Option<(Height, String)>, StoreError> {
        let start = height.get().to_be_bytes();
        let mode = rocksdb::IteratorMode::From(&start, rocksdb::Direction::Forward);
        let row = self.db.iterator_cf(self.family(CHECKPOINTS)?, mode).next().transpose()?;
        row.map(|(key, note)| read_checkpoint(&key, note.into_vec())).transpose()
    }

    /// The newest sealed note.
    pub fn latest_checkpoint(&self) -> Result<Option<(Height, String)>, StoreError> {
        let family = self.family(CHECKPOINTS)?;
        let row = self.db.iterator_cf(family, rocksdb::IteratorMode::End).next().transpose()?;
        row.map(|(key, note)| read_checkpoint(&key, note.into_vec())).transpose()
    }
}

fn read_checkpoint(key: &[u8], note: Vec<u8>) -> Result<(Height, String), StoreError> {
    let height = Height::new(read_u64(key)?);
    let note = String::from_utf8(note).map_err(|_| StoreError::corrupt("a checkpoint"))?;
    Ok((height, note))
}
