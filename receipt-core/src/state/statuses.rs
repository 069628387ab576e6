//! Statuses of receipts that are not plainly in force, and their place in the status map.
//!
//! ```text
//! status        1 ‖ red code u32 ‖ red number u64                     reversed (冲红)
//! StatusValue   salt [16] ‖ status                                    what a holder is shown
//! map value     H("tallystick/status-value/v1" ‖ 0x0A ‖ salt ‖ status)
//! salt          first 16 bytes of H("tallystick/status-salt/v1" ‖ 0x0A ‖ block salt ‖ status key)
//! ```
//! H is the suite's hash. The map holds value hashes only, so that a neighbour's proof gives nothing away.

use super::overlay::{Overlay, StateRead};
use super::reading::{Fields, ReadError};
use super::tables::{Table, Tip, receipt_key_bytes};
use crate::hash::Hash;
use crate::ids::{Height, ReceiptKey};
use crate::status::{StatusMap, StatusReader};
use crate::suite::Suite;

/// Why a receipt is not plainly in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// 冲红: reversed by a red receipt.
    Reversed {
        /// The red receipt.
        by: ReceiptKey,
    },
}

const REVERSED: u8 = 1;
const SALT_BYTES: usize = 16;

/// A status with its salt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatusValue {
    /// Hides the status from whoever sees only its hash.
    pub salt: [u8; 16],
    /// The status.
    pub status: Status,
}

impl StatusValue {
    /// salt ‖ status.
    pub fn encode(&self) -> Vec<u8> {
        let Status::Reversed { by } = self.status;
        let mut bytes = self.salt.to_vec();
        bytes.push(REVERSED);
        bytes.extend_from_slice(&receipt_key_bytes(by));
        bytes
    }

    /// Reads salt ‖ status, strictly.
    pub fn decode(bytes: &[u8]) -> Result<Self, ReadError> {
        let mut fields = Fields(bytes);
        let salt = fields.array()?;
        if fields.u8()? != REVERSED {
            return Err(ReadError::corrupt("status"));
        }
        let by = fields.key()?;
        fields.end()?;
        Ok(Self { salt, status: Status::Reversed { by } })
    }
}

/// What stands in the status map for a value.
pub fn status_value_hash(suite: Suite, value: &StatusValue) -> Hash {
    stored_value_hash(suite, &value.encode())
}

/// What stands in the status map for the bytes of a value, whether or not this program knows the kind of its status.
pub fn stored_value_hash(suite: Suite, value: &[u8]) -> Hash {
    suite.tagged("tallystick/status-value/v1", &[value])
}

/// The kind of a status that this program does not know. Zero is no kind.
pub fn unknown_status_kind(value: &[u8]) -> Option<u8> {
    value.get(SALT_BYTES).copied().filter(|kind| *kind != REVERSED && *kind != 0)
}

/// What the block's status changes do to the map.
pub(super) struct StatusOutcome {
    pub(super) root: Hash,
    pub(super) version: Option<Height>,
    pub(super) stale_nodes: Vec<Vec<u8>>,
}

/// Reads the map's records out of the state.
pub struct StatusNodes<'a>(pub &'a dyn StateRead);

impl StatusReader for StatusNodes<'_> {
    type Error = ReadError;

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        self.0.get(Table::StatusNodes, key)
    }
}

/// Writes the block's status changes over the map as the parent left it.
pub(super) fn write_statuses(
    overlay: &mut Overlay<'_>,
    suite: Suite,
    parent: &Tip,
    height: Height,
    block_salt: &[u8; 32],
    changes: &[(Hash, Status)],
) -> Result<StatusOutcome, ReadError> {
    if changes.is_empty() {
        let (root, version) = (parent.status_root, parent.status_version);
        return Ok(StatusOutcome { root, version, stale_nodes: Vec::new() });
    }
    let mut map_changes = Vec::with_capacity(changes.len());
    for (key, status) in changes {
        let digest = suite.tagged("tallystick/status-salt/v1", &[block_salt, key.as_bytes()]);
        let mut salt = [0; 16];
        salt.copy_from_slice(&digest.0[..16]);
        let value = StatusValue { salt, status: *status };
        overlay.write(Table::Statuses, key.0, value.encode());
        map_changes.push((*key, Some(status_value_hash(suite, &value).0.to_vec())));
    }
    let reader = StatusNodes(&*overlay);
    let update = StatusMap::at(suite, &reader, parent.status_version).update(height, &map_changes);
    let update = update.map_err(|error| ReadError(error.to_string()))?;
    for (key, node) in update.nodes {
        overlay.write(Table::StatusNodes, key, node);
    }
    Ok(StatusOutcome { root: update.root, version: update.version, stale_nodes: update.stale })
}
