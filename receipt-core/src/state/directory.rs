//! The directory of units as the ledger keeps it: a row a unit, brought up to date by the block that changes a unit or a key of one.
//!
//! What scanners of codes judge by (`crate::directory`). A block that changes no unit costs two empty look-ups; one that does hashes its
//! rows, and the tree over all leaves anew: inserting a unit moves all that follow it. Rows and leaves are writes like any other; their
//! root stands in the seal.

use std::collections::BTreeMap;

use super::overlay::{Overlay, StateRead};
use super::reading::{Fields, ReadError};
use super::tables::{KeyState, META_DIRECTORY, Table, UnitState};
use crate::directory::{DirectoryKey, FormerName, UnitRow};
use crate::governance::KeyOwner;
use crate::hash::Hash;
use crate::ids::UnixMillis;
use crate::merkle::{leaf_hash, root_of_leaf_hashes};
use crate::suite::Suite;

/// Writes the rows that the block's changes of units and keys make, and returns the root over all rows; `before` is the one over those of
/// the parent.
pub(super) fn write_directory(
    overlay: &mut Overlay<'_>,
    suite: Suite,
    block_time: UnixMillis,
    before: Hash,
) -> Result<Hash, ReadError> {
    let changed = changed_rows(overlay, block_time)?;
    if changed.is_empty() {
        return Ok(before);
    }
    let mut leaves = read_leaves(overlay)?;
    for (unit, row) in changed {
        let bytes = row.encode();
        leaves.insert(unit, leaf_hash(suite, &bytes));
        overlay.write(Table::Directory, unit.to_be_bytes(), bytes);
    }
    let encoded = leaves.iter().flat_map(|(unit, leaf)| unit.to_be_bytes().into_iter().chain(leaf.0)).collect();
    overlay.write(Table::Meta, META_DIRECTORY, encoded);
    Ok(root_of_leaf_hashes(suite, leaves.into_values()))
}

/// The rows, by unit, that are new or not as they were.
fn changed_rows(overlay: &Overlay<'_>, block_time: UnixMillis) -> Result<BTreeMap<u32, UnitRow>, ReadError> {
    let mut keys: BTreeMap<u32, Vec<DirectoryKey>> = BTreeMap::new();
    for id in overlay.written_keys(Table::Units) {
        keys.entry(number(id)?).or_default();
    }
    for id in overlay.written_keys(Table::Keys) {
        let state: KeyState = overlay.read_message(Table::Keys, id)?.ok_or_else(|| ReadError::corrupt("keys"))?;
        if state.key.owner_kind == KeyOwner::Unit.number() {
            keys.entry(state.key.owner_id).or_default().push(directory_key(state));
        }
    }
    let mut changed = BTreeMap::new();
    for (unit, keys) in keys {
        let id = unit.to_be_bytes();
        let state: UnitState = overlay.read_message(Table::Units, &id)?.ok_or_else(|| ReadError::corrupt("units"))?;
        let before: Option<UnitRow> = overlay.read_message(Table::Directory, &id)?;
        let row = row_after(before.clone(), state, keys, block_time);
        if before.as_ref() != Some(&row) {
            changed.insert(unit, row);
        }
    }
    Ok(changed)
}

fn row_after(before: Option<UnitRow>, state: UnitState, written: Vec<DirectoryKey>, block_time: UnixMillis) -> UnitRow {
    let UnitRow { keys, mut former_names, unit_name: name_before, .. } = before.clone().unwrap_or_default();
    if before.is_some() && name_before != state.unit.name {
        former_names.push(FormerName { unit_name: name_before, until_ms: block_time.get() });
    }
    let by_id = keys.into_iter().chain(written).map(|key| (key.key_id, key));
    UnitRow {
        unit_id: state.unit.unit_id,
        unit_code: state.unit.unit_code,
        unit_name: state.unit.name,
        supervisor_area_code: state.unit.supervisor_area_code,
        keys: by_id.collect::<BTreeMap<_, _>>().into_values().collect(),
        former_names,
    }
}

fn directory_key(state: KeyState) -> DirectoryKey {
    DirectoryKey {
        key_id: state.key.key_id,
        public_key: state.key.public_key,
        valid_from_ms: state.key.valid_from_ms,
        valid_until_ms: state.key.valid_until_ms,
        revoked_from_ms: state.revoked_from_ms,
    }
}

fn read_leaves(state: &dyn StateRead) -> Result<BTreeMap<u32, Hash>, ReadError> {
    let bytes = state.get(Table::Meta, META_DIRECTORY)?.unwrap_or_default();
    let mut fields = Fields(&bytes);
    let mut leaves = BTreeMap::new();
    while !fields.0.is_empty() {
        leaves.insert(fields.u32()?, fields.hash()?);
    }
    Ok(leaves)
}

fn number(key: &[u8]) -> Result<u32, ReadError> {
    key.try_into().map(u32::from_be_bytes).map_err(|_| ReadError::corrupt("units"))
}
