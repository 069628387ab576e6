//! Sealed checkpoints and the cosignatures that make them.

use receipt_core::ids::{Height, ValidatorId};
use rocksdb::WriteBatch;

use super::{CHECKPOINTS, COSIGNATURES, Store, StoreError, read_u64};

fn cosignature_key(height: Height, validator: ValidatorId) -> [u8; 12] {
    let mut key = [0; 12];
    key[..8].copy_from_slice(&height.get().to_be_bytes());
    key[8..].copy_from_slice(&validator.get().to_be_bytes());
    key
}

impl Store {
    /// Stores the sealed note of a height. Not synced: it can be put together again from cosignatures.
    pub fn put_checkpoint(&self, height: Height, note: &str) -> Result<(), StoreError> {
        Ok(self.db.put_cf(self.family(CHECKPOINTS)?, height.get().to_be_bytes(), note)?)
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

    /// Stores a validator's signature lines for a height, replacing older ones; forgets those of heights below `keep_from`.
    pub fn put_cosignature(
        &self,
        height: Height,
        validator: ValidatorId,
        lines: &str,
        keep_from: Height,
    ) -> Result<(), StoreError> {
        let family = self.family(COSIGNATURES)?;
        let mut batch = WriteBatch::default();
        batch.put_cf(family, cosignature_key(height, validator), lines);
        batch.delete_range_cf(family, [0; 12], cosignature_key(keep_from, ValidatorId::new(0)));
        Ok(self.db.write(batch)?)
    }

    /// The signature lines stored for a height, by validator.
    pub fn cosignatures(&self, height: Height) -> Result<Vec<(ValidatorId, String)>, StoreError> {
        let start = cosignature_key(height, ValidatorId::new(0));
        let mode = rocksdb::IteratorMode::From(&start, rocksdb::Direction::Forward);
        let mut found = Vec::new();
        for row in self.db.iterator_cf(self.family(COSIGNATURES)?, mode) {
            let (key, lines) = row?;
            let Some((row_height, id)) = key.split_first_chunk::<8>() else {
                return Err(StoreError::corrupt("a cosignature's key"));
            };
            if u64::from_be_bytes(*row_height) != height.get() {
                break;
            }
            let id = id.try_into().map(u32::from_be_bytes).map_err(|_| StoreError::corrupt("a cosignature's key"))?;
            let lines = String::from_utf8(lines.into_vec()).map_err(|_| StoreError::corrupt("a cosignature"))?;
            found.push((ValidatorId::new(id), lines));
        }
        Ok(found)
    }
}

fn read_checkpoint(key: &[u8], note: Vec<u8>) -> Result<(Height, String), StoreError> {
    let height = Height::new(read_u64(key)?);
    let note = String::from_utf8(note).map_err(|_| StoreError::corrupt("a checkpoint"))?;
    Ok((height, note))
}
