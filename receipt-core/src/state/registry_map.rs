//! The registry's map: all that is registered, under a root that stands in every seal.
//!
//! ```text
//! map key    H("tallystick/registry-key/v1" ‖ 0x0A ‖ table u8 ‖ the row's key)
//! map value  the row as registered: what moves without governance is 0 in it
//! ```
//! H is the suite's hash; the tree is that of statuses ([`StatusMap`]), with values in the open. Its nodes are never deleted, and the values stand in
//! them: whoever keeps them has the registry as of every height, and can prove each row of then, or that there was none. Blocks without governance
//! take the root over.
//!
//! Not in the map: validators, whose sets' hashes stand in the seal; the directory, which has a root of its own; blinding secrets, of
//! which records move the states.

use prost::Message;

use super::overlay::{Overlay, StateRead};
use super::reading::ReadError;
use super::tables::{IssuerState, META_AUTHORITIES, SegmentState, Table, Tip};
use crate::hash::Hash;
use crate::ids::Height;
use crate::status::{StatusMap, StatusReader};
use crate::suite::Suite;

/// The tables whose rows stand in the map; of `Meta` the authorities alone.
const TABLES: [Table; 11] = [
    Table::Meta,
    Table::Units,
    Table::Systems,
    Table::Keys,
    Table::Segments,
    Table::CodeHighWater,
    Table::Issuers,
    Table::Kinds,
    Table::Items,
    Table::Areas,
    Table::Collectors,
];

/// Whether a row of the state stands in the registry's map.
pub fn is_in_registry_map(table: Table, key: &[u8]) -> bool {
    TABLES.contains(&table) && (table != Table::Meta || key == META_AUTHORITIES)
}

/// The place of a row in the map.
pub fn registry_map_key(suite: Suite, table: Table, key: &[u8]) -> Hash {
    suite.tagged("tallystick/registry-key/v1", &[&[table as u8], key])
}

/// What stands in the map for a row's value: of a segment without the numbers used, of an issuer without where its batches stand.
pub fn as_registered(table: Table, value: &[u8]) -> Result<Vec<u8>, ReadError> {
    let corrupt = || ReadError::corrupt(table.name());
    Ok(match table {
        Table::Segments => {
            let state = SegmentState::decode(value).map_err(|_| corrupt())?;
            SegmentState { used_count: 0, highest_used: 0, ..state }.encode_to_vec()
        }
        Table::Issuers => {
            let state = IssuerState::decode(value).map_err(|_| corrupt())?;
            IssuerState { next_sequence: 0, refused_bytes: 0, refused_at_ms: 0, ..state }.encode_to_vec()
        }
        _ => value.to_vec(),
    })
}

/// Reads the map's records out of the state.
pub struct RegistryNodes<'a>(pub &'a dyn StateRead);

impl StatusReader for RegistryNodes<'_> {
    type Error = ReadError;

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        self.0.get(Table::RegistryNodes, key)
    }
}

/// Where the map stands after a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RegistryOutcome {
    pub(super) root: Hash,
    /// The height that last changed it.
    pub(super) version: Height,
}

impl RegistryOutcome {
    /// As the parent left it.
    pub(super) fn of(parent: &Tip) -> Self {
        Self { root: parent.registry_root, version: parent.registry_version }
    }
}

/// Writes what the block's governance has registered over the map as the parent left it; `before` is `None` in block 0.
pub(super) fn write_registry_map(
    overlay: &mut Overlay<'_>,
    suite: Suite,
    height: Height,
    before: Option<RegistryOutcome>,
) -> Result<RegistryOutcome, ReadError> {
    let mut changes = Vec::new();
    for table in TABLES {
        for key in overlay.written_keys(table).filter(|key| is_in_registry_map(table, key)) {
            let value = overlay.read(table, key)?;
            let registered = value.map(|value| as_registered(table, &value)).transpose()?;
            changes.push((registry_map_key(suite, table, key), registered));
        }
    }
    let reader = RegistryNodes(&*overlay);
    let map = StatusMap::at(suite, &reader, before.map(|before| before.version));
    let update = map.update(height, &changes).map_err(|error| ReadError(error.to_string()))?;
    for (key, node) in update.nodes {
        overlay.write(Table::RegistryNodes, key, node);
    }
    // The authorities stand in it from block 0 on.
    let version = update.version.ok_or_else(|| ReadError::corrupt("the registry's map"))?;
    Ok(RegistryOutcome { root: update.root, version })
}
