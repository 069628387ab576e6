//! Forgetting old versions of the status map.
//!
//! Each block that changes the map replaces some of its nodes. They are named in a row of that height, and deleted with a later
//! block, once the sealed height is [`PROVEN_HEIGHTS`] further: proofs are given under the newest sealed root, never under one
//! before it. So the table holds the map as it is, and the window, however long the chain grows.

use receipt_core::ids::Height;
use receipt_core::state::Effects;
use receipt_core::state::tables::Table;
use rocksdb::WriteBatch;

use super::{NODE, STALE_NODES, Store, StoreError, read_u64};

/// Sealed heights for whose proofs all nodes stay: readers that began under an older root end in peace.
pub(crate) const PROVEN_HEIGHTS: u64 = 64;
/// Heights whose nodes one block deletes at most: a backlog costs no block much.
const PRUNED_HEIGHTS_MAX: usize = 8;
/// In `node`: the last height whose nodes are deleted.
const PRUNED: &[u8] = b"pruned";

impl Store {
    /// Adds to a block's write: the nodes that it replaces, and the end of those whose time has come.
    pub(super) fn retire_nodes(&self, batch: &mut WriteBatch, effects: &Effects) -> Result<(), StoreError> {
        let stale = self.family(STALE_NODES)?;
        if !effects.stale_nodes.is_empty() {
            batch.put_cf(stale, effects.tip.height.get().to_be_bytes(), encode(&effects.stale_nodes)?);
        }
        let Some((sealed, _)) = self.latest_checkpoint()? else { return Ok(()) };
        let floor = sealed.get().saturating_sub(PROVEN_HEIGHTS);
        let pruned = self.get_in(NODE, PRUNED)?.map_or(Ok(0), |bytes| read_u64(&bytes))?;
        let nodes = self.family(Table::StatusNodes.name())?;
        // What lies before was deleted: starting here skips its tombstones.
        let start = pruned.saturating_add(1).to_be_bytes();
        let mode = rocksdb::IteratorMode::From(&start, rocksdb::Direction::Forward);
        let rows: Vec<_> = self.reading(|| {
            let rows = self.db.iterator_cf(stale, mode).take(PRUNED_HEIGHTS_MAX);
            Ok(rows.collect::<Result<_, _>>()?)
        })?;
        let mut last = None;
        for (key, keys) in rows {
            let height = Height::new(read_u64(&key)?);
            if height.get() > floor {
                break;
            }
            for node in decode(&keys) {
                batch.delete_cf(nodes, node.ok_or_else(|| StoreError::corrupt("stale nodes"))?);
            }
            batch.delete_cf(stale, key);
            last = Some(height);
        }
        if let Some(last) = last {
            batch.put_cf(self.family(NODE)?, PRUNED, last.get().to_be_bytes());
        }
        Ok(())
    }
}

fn encode(keys: &[Vec<u8>]) -> Result<Vec<u8>, StoreError> {
    let mut bytes = Vec::new();
    for key in keys {
        bytes.push(u8::try_from(key.len()).map_err(|_| StoreError::corrupt("a status node's key is too long"))?);
        bytes.extend_from_slice(key);
    }
    Ok(bytes)
}

/// The keys of a row; `None` where it ends early.
fn decode(mut bytes: &[u8]) -> impl Iterator<Item = Option<&[u8]>> {
    std::iter::from_fn(move || {
        let (length, rest) = bytes.split_first()?;
        let split = rest.split_at_checked(usize::from(*length));
        bytes = split.map_or(&[], |(_, rest)| rest);
        Some(split.map(|(key, _)| key))
    })
}
