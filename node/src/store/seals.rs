//! Sealed checkpoints: of each height the smallest note, which goes into proofs; of the newest one also the published note,
//! with a line of every key that signed.

use receipt_core::ids::Height;
use rocksdb::WriteBatch;

use super::{CHECKPOINTS, NODE, Store, StoreError, read_u64};

const PUBLISHED: &[u8] = b"published";

impl Store {
    /// Stores the notes of the newest sealed height, synced: what was published once is published after a power cut, too.
    pub fn put_checkpoint(&self, height: Height, smallest: &str, published: &str) -> Result<(), StoreError> {
        let mut batch = WriteBatch::default();
        batch.put_cf(self.family(CHECKPOINTS)?, height.get().to_be_bytes(), smallest);
        batch.put_cf(self.family(NODE)?, PUBLISHED, [&height.get().to_be_bytes(), published.as_bytes()].concat());
        self.write_synced(batch)
    }

    /// The published note: that of the newest sealed height.
    pub fn published_checkpoint(&self) -> Result<Option<(Height, String)>, StoreError> {
        let Some(row) = self.get_in(NODE, PUBLISHED)? else { return Ok(None) };
        let (height, note) = row.split_first_chunk::<8>().ok_or_else(|| StoreError::corrupt("the published note"))?;
        read_checkpoint(height, note.to_vec()).map(Some)
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
        let family = self.family(CHECKPOINTS)?;
        let row = self.reading(|| Ok(self.db.iterator_cf(family, mode).next().transpose()?))?;
        row.map(|(key, note)| read_checkpoint(&key, note.into_vec())).transpose()
    }

    /// The newest sealed note.
    pub fn latest_checkpoint(&self) -> Result<Option<(Height, String)>, StoreError> {
        let family = self.family(CHECKPOINTS)?;
        let row = self.reading(|| Ok(self.db.iterator_cf(family, rocksdb::IteratorMode::End).next().transpose()?))?;
        row.map(|(key, note)| read_checkpoint(&key, note.into_vec())).transpose()
    }
}

fn read_checkpoint(key: &[u8], note: Vec<u8>) -> Result<(Height, String), StoreError> {
    let height = Height::new(read_u64(key)?);
    let note = String::from_utf8(note).map_err(|_| StoreError::corrupt("a checkpoint"))?;
    Ok((height, note))
}
