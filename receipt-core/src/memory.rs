//! The ledger state in memory: what an auditor's replay and the tests execute blocks over.
//!
//! Not for nodes: nothing here is durable, and only the newest version of the status map can be proved; of the registry's every one. Whoever iterates
//! gets rows in the order of their keys, so the maps' order never shows.

use std::collections::HashMap;

use crate::hash::Hash;
use crate::ids::Height;
use crate::state::tables::{META_TIP, Table, Tip};
use crate::state::{ReadError, RegistryNodes, StateRead, StatusNodes, Writes, registry_map_key};
use crate::status::{StatusError, StatusLookup, StatusMap};
use crate::suite::Suite;

/// A whole state, one map per table.
#[derive(Debug, Default)]
pub struct MemoryState {
    tables: [HashMap<Vec<u8>, Vec<u8>>; Table::ALL.len()],
}

impl MemoryState {
    /// The state before genesis.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes over what a block wrote, and forgets the records of the status map that it replaced.
    pub fn commit(&mut self, writes: Writes, stale_nodes: &[Vec<u8>]) {
        let stale = stale_nodes.iter().map(|key| ((Table::StatusNodes, key.clone()), None));
        for ((table, key), value) in writes.into_iter().chain(stale) {
            let Some(rows) = self.tables.get_mut(table as usize) else { continue };
            match value {
                Some(value) => {
                    rows.insert(key, value);
                }
                None => {
                    rows.remove(&key);
                }
            }
        }
    }

    /// How many rows a table has.
    pub fn row_count(&self, table: Table) -> usize {
        self.tables.get(table as usize).map_or(0, HashMap::len)
    }

    /// All rows of a table, in the order of their keys.
    pub fn rows(&self, table: Table) -> Vec<(&[u8], &[u8])> {
        let rows = self.tables.get(table as usize).into_iter().flatten();
        let mut rows: Vec<_> = rows.map(|(key, value)| (key.as_slice(), value.as_slice())).collect();
        rows.sort_unstable();
        rows
    }

    /// Where the chain stands; `None` before genesis.
    pub fn tip(&self) -> Result<Option<Tip>, ReadError> {
        self.get(Table::Meta, META_TIP)?.map(|bytes| Tip::decode(&bytes)).transpose()
    }

    /// The value that the status map of a chain of `suite` holds for a status key, and the proof of it or of its absence.
    pub fn prove_status(&self, suite: Suite, key: &Hash) -> Result<StatusLookup, StatusError<ReadError>> {
        let tip = self.tip().map_err(StatusError::Reader)?;
        StatusMap::at(suite, &StatusNodes(self), tip.and_then(|tip| tip.status_version)).prove(key)
    }

    /// A row of the registry as the block of `version` left it, which is one that changed the registry ([`Tip::registry_version`]), and the proof of
    /// it or of its absence under that block's `registry_root`.
    pub fn prove_registered(
        &self,
        suite: Suite,
        version: Height,
        (table, key): (Table, &[u8]),
    ) -> Result<StatusLookup, StatusError<ReadError>> {
        StatusMap::at(suite, &RegistryNodes(self), Some(version)).prove(&registry_map_key(suite, table, key))
    }
}

impl StateRead for MemoryState {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        Ok(self.tables.get(table as usize).and_then(|rows| rows.get(key)).cloned())
    }
}
