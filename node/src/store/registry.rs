//! The registry as rows, for whoever compares what several nodes say.

use receipt_core::hash::{Hash, sha256};
use receipt_core::ids::Height;
use receipt_core::state::ReadError;
use receipt_core::state::tables::{
    GovernanceState, META_GOVERNANCE, META_TIP, REGISTRY_TABLES, Table, Tip, is_of_registry,
};

use super::{Row, Store, StoreError};

/// Some rows of the registry, all as of one height.
#[derive(Debug)]
pub struct RegistryPage {
    /// The height.
    pub height: Height,
    /// The last governance message of the chain's own authorities by then.
    pub governance: GovernanceState,
    /// A hash of the last messages of all, the chain's and the areas': pages of one version are of one registry.
    pub version: Hash,
    /// Ascending by table and key.
    pub rows: Vec<(Table, Row)>,
    /// Whether rows follow.
    pub is_cut: bool,
}

impl Store {
    /// Rows of the registry from a key of a table on, until they have so many bytes: at least one, if there is one.
    pub fn registry_page(&self, from: (Table, &[u8]), bytes_max: usize) -> Result<RegistryPage, StoreError> {
        self.reading(|| self.registry_page_now(from, bytes_max))
    }

    /// The version of the registry as it is: see [`RegistryPage::version`].
    pub fn registry_version(&self) -> Result<Hash, StoreError> {
        self.reading(|| self.version_in(&self.db.snapshot()))
    }

    fn version_in(&self, snapshot: &rocksdb::Snapshot<'_>) -> Result<Hash, StoreError> {
        let own = snapshot.get_cf(self.family(Table::Meta.name())?, META_GOVERNANCE)?;
        let mut rows = own.ok_or_else(|| StoreError::corrupt("no governance"))?;
        for row in snapshot.iterator_cf(self.family(Table::Areas.name())?, rocksdb::IteratorMode::Start) {
            let (key, value) = row?;
            // Rows that differ give different bytes: a value is a message, and begins with its area.
            rows.extend_from_slice(&key);
            rows.extend_from_slice(&value);
        }
        Ok(sha256(&[&rows]))
    }

    fn registry_page_now(&self, from: (Table, &[u8]), bytes_max: usize) -> Result<RegistryPage, StoreError> {
        let snapshot = self.db.snapshot();
        let meta = |key: &[u8], what: &str| -> Result<Vec<u8>, StoreError> {
            let value = snapshot.get_cf(self.family(Table::Meta.name())?, key)?;
            value.ok_or_else(|| StoreError::corrupt(format!("no {what}")))
        };
        let tip: Result<Tip, ReadError> = Tip::decode(&meta(META_TIP, "tip")?);
        let governance = GovernanceState::decode(&meta(META_GOVERNANCE, "governance")?)?;
        let version = self.version_in(&snapshot)?;
        let (mut rows, mut bytes) = (Vec::new(), 0_usize);
        let height = tip?.height;
        for table in REGISTRY_TABLES.into_iter().filter(|table| *table >= from.0) {
            let start = if table == from.0 { from.1 } else { &[] };
            let mode = rocksdb::IteratorMode::From(start, rocksdb::Direction::Forward);
            for row in snapshot.iterator_cf(self.family(table.name())?, mode) {
                let (key, value) = row?;
                if !is_of_registry(table, &key) {
                    continue;
                }
                if bytes >= bytes_max {
                    return Ok(RegistryPage { height, governance, version, rows, is_cut: true });
                }
                bytes = bytes.saturating_add(key.len()).saturating_add(value.len());
                rows.push((table, (key.into_vec(), value.into_vec())));
            }
        }
        Ok(RegistryPage { height, governance, version, rows, is_cut: false })
    }
}
