//! Which blinding secrets the chain has had: the fingerprint of each epoch's.
//!
//! ```text
//! Meta `blinding`   (epoch u32 ‖ fingerprint [16])…, ascending by epoch
//! ```
//! All issuers of a chain must hash payments under one secret, or a payment gets a second receipt that nobody sees. The ledger cannot
//! hash; it tells each issuer which secret it must hold. An epoch is given once and only rises, and a secret has one epoch: two
//! epochs of one secret would make two rows of one payment's key look like two payments.

use super::action::{ActionError, ActionResult, require};
use super::overlay::{Overlay, StateRead};
use super::reading::{Fields, ReadError};
use super::tables::{META_BLINDING, Table};
use crate::fingerprint::Fingerprint;
use crate::governance::RegisterBlinding;

/// The registered secret of an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlindingEpoch {
    /// The epoch, from 1.
    pub epoch: u32,
    /// Of its secret.
    pub fingerprint: Fingerprint,
}

impl BlindingEpoch {
    /// Reads a row's value.
    pub fn decode_all(bytes: &[u8]) -> Result<Vec<Self>, ReadError> {
        let mut fields = Fields(bytes);
        let mut epochs = Vec::new();
        while !fields.0.is_empty() {
            epochs.push(Self { epoch: fields.u32()?, fingerprint: Fingerprint(fields.array()?) });
        }
        Ok(epochs)
    }

    /// A row's value.
    pub fn encode_all(epochs: &[Self]) -> Vec<u8> {
        epochs.iter().flat_map(|one| one.epoch.to_be_bytes().into_iter().chain(one.fingerprint.0)).collect()
    }
}

/// All registered epochs, ascending.
pub fn read_blinding_epochs(state: &dyn StateRead) -> Result<Vec<BlindingEpoch>, ReadError> {
    state.get(Table::Meta, META_BLINDING)?.map_or(Ok(Vec::new()), |bytes| BlindingEpoch::decode_all(&bytes))
}

pub(super) fn register(overlay: &mut Overlay<'_>, action: &RegisterBlinding) -> ActionResult {
    let bytes = overlay.read(Table::Meta, META_BLINDING)?.unwrap_or_default();
    let mut epochs = BlindingEpoch::decode_all(&bytes)?;
    let newest = epochs.last().map_or(0, |last| last.epoch);
    require(action.epoch > newest, "a blinding epoch is above all registered ones")?;
    let fingerprint = Fingerprint::from_slice(&action.fingerprint);
    let fingerprint = fingerprint.ok_or(ActionError::Refused("a blinding secret's fingerprint has 16 bytes"))?;
    let is_new = epochs.iter().all(|known| known.fingerprint != fingerprint);
    require(is_new, "the blinding secret is registered for an earlier epoch")?;
    epochs.push(BlindingEpoch { epoch: action.epoch, fingerprint });
    overlay.write(Table::Meta, META_BLINDING, BlindingEpoch::encode_all(&epochs));
    Ok(())
}
