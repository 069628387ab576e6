//! Which blinding secrets the chain has: the fingerprint of each epoch's, and what became of the epoch.
//!
//! ```text
//! Meta `blinding`   (epoch u32 ‖ fingerprint [16] ‖ state u8)…, every epoch from 1 on
//! state             0 registered, and no record names it    1 a taken record names it    2 withdrawn
//! ```
//! All issuers of a chain must hash payments under one secret, or a payment gets a second receipt that nobody sees. The ledger cannot
//! hash; it tells each issuer which secret it must hold. Epochs follow one another without a gap, and a secret has one epoch: two
//! epochs of one secret would make two rows of one payment's key look like two payments.
//!
//! An epoch that was registered by mistake is withdrawn as long as no record names it: without that, every issuer would need its secret for
//! ever. It keeps its number and its fingerprint, because a record that was on its way may still name it: the ledger takes such a record,
//! as it judges no record by its epochs. A withdrawn epoch that is named later stays withdrawn.
//!
//! Whether a record names an epoch is kept in the row, so that nobody has to look through the records. The row is read once a block, and
//! written by the first batch that names the epoch. Whoever follows governance without the records never sees state 1, and needs it for
//! nothing: the block that carries a withdrawal was judged where the records are.

use super::action::{ActionError, ActionResult, require};
use super::checked::CheckedRecord;
use super::overlay::{Overlay, StateRead};
use super::reading::{Fields, ReadError};
use super::tables::{META_BLINDING, Table};
use crate::fingerprint::Fingerprint;
use crate::governance::{RegisterBlinding, WithdrawBlinding};
use crate::limits;
use crate::record::ReceiptRecord;

/// The secret of an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlindingEpoch {
    /// The epoch, from 1.
    pub epoch: u32,
    /// Of its secret.
    pub fingerprint: Fingerprint,
}

/// What became of a registered epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum EpochState {
    /// It is registered, and no taken record names it.
    Unused = 0,
    /// A taken record names it.
    Named = 1,
    /// It is withdrawn: nothing is to be issued in it, and nobody needs its secret.
    Withdrawn = 2,
}

/// An epoch as it is registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RegisteredEpoch {
    /// Which secret it has.
    pub secret: BlindingEpoch,
    /// What became of it.
    pub state: EpochState,
}

impl RegisteredEpoch {
    /// Whether it is withdrawn.
    pub fn is_withdrawn(&self) -> bool {
        self.state == EpochState::Withdrawn
    }

    /// Reads a row's value.
    pub fn decode_all(bytes: &[u8]) -> Result<Vec<Self>, ReadError> {
        let mut fields = Fields(bytes);
        let mut epochs = Vec::new();
        while !fields.0.is_empty() {
            let secret = BlindingEpoch { epoch: fields.u32()?, fingerprint: Fingerprint(fields.array()?) };
            let state = match fields.u8()? {
                0 => EpochState::Unused,
                1 => EpochState::Named,
                2 => EpochState::Withdrawn,
                _ => return Err(ReadError::corrupt("state of a blinding epoch")),
            };
            epochs.push(Self { secret, state });
        }
        Ok(epochs)
    }

    /// A row's value.
    pub fn encode_all(epochs: &[Self]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for one in epochs {
            bytes.extend_from_slice(&one.secret.epoch.to_be_bytes());
            bytes.extend_from_slice(&one.secret.fingerprint.0);
            bytes.push(one.state as u8);
        }
        bytes
    }
}

/// All registered epochs, withdrawn ones, too, ascending.
pub fn read_blinding_epochs(state: &dyn StateRead) -> Result<Vec<RegisteredEpoch>, ReadError> {
    state.get(Table::Meta, META_BLINDING)?.map_or(Ok(Vec::new()), |bytes| RegisteredEpoch::decode_all(&bytes))
}

fn write(overlay: &mut Overlay<'_>, epochs: &[RegisteredEpoch]) {
    overlay.write(Table::Meta, META_BLINDING, RegisteredEpoch::encode_all(epochs));
}

pub(super) fn register(overlay: &mut Overlay<'_>, action: &RegisterBlinding) -> ActionResult {
    let mut epochs = read_blinding_epochs(&*overlay)?;
    let newest = epochs.last().map_or(0, |last| last.secret.epoch);
    let is_next = newest.checked_add(1) == Some(action.epoch);
    require(
        is_next,
        "a blinding epoch is the one after the newest, which counts also if it is withdrawn; the first is 1",
    )?;
    let fingerprint = Fingerprint::from_slice(&action.fingerprint);
    let fingerprint = fingerprint.ok_or(ActionError::Refused("a blinding secret's fingerprint has 16 bytes"))?;
    let is_new = epochs.iter().all(|known| known.secret.fingerprint != fingerprint);
    require(is_new, "the blinding secret is registered for an earlier epoch")?;
    let in_force = epochs.iter().filter(|known| !known.is_withdrawn()).count();
    require(
        in_force < limits::BLINDING_EPOCHS_MAX,
        "16 blinding epochs are in force, and a record has no room for the keys of a further one",
    )?;
    let secret = BlindingEpoch { epoch: action.epoch, fingerprint };
    epochs.push(RegisteredEpoch { secret, state: EpochState::Unused });
    write(overlay, &epochs);
    Ok(())
}

pub(super) fn withdraw(overlay: &mut Overlay<'_>, action: &WithdrawBlinding) -> ActionResult {
    let mut epochs = read_blinding_epochs(&*overlay)?;
    let known = epochs.iter_mut().find(|known| known.secret.epoch == action.epoch);
    let known = known.ok_or(ActionError::Refused("the blinding epoch is not registered"))?;
    require(!known.is_withdrawn(), "the blinding epoch is withdrawn already")?;
    require(
        known.state == EpochState::Unused,
        "a record names the blinding epoch, and payments are known by its secret",
    )?;
    known.state = EpochState::Withdrawn;
    write(overlay, &epochs);
    Ok(())
}

/// The epochs in force that no record names yet: few, and mostly none.
pub(super) fn unused_epochs(overlay: &Overlay<'_>) -> Result<Vec<u32>, ReadError> {
    let epochs = read_blinding_epochs(overlay)?;
    let unused = epochs.into_iter().filter(|known| known.state == EpochState::Unused);
    Ok(unused.map(|known| known.secret.epoch).collect())
}

/// Writes down which of the `unused` epochs the records of a taken batch name, and takes them from the list.
pub(super) fn name_epochs(
    overlay: &mut Overlay<'_>,
    unused: &mut Vec<u32>,
    records: &[CheckedRecord],
) -> Result<(), ReadError> {
    let count = unused.len();
    for signed in records.iter().filter_map(|checked| checked.decoded.as_ref().ok()) {
        if unused.is_empty() {
            break;
        }
        unused.retain(|epoch| !names(&signed.record, *epoch));
    }
    if unused.len() == count {
        return Ok(());
    }
    let mut epochs = read_blinding_epochs(&*overlay)?;
    for known in epochs.iter_mut().filter(|known| known.state == EpochState::Unused) {
        if !unused.contains(&known.secret.epoch) {
            known.state = EpochState::Named;
        }
    }
    write(overlay, &epochs);
    Ok(())
}

/// Whether one of the record's keyed hashes is under the secret of this epoch.
fn names(record: &ReceiptRecord, epoch: u32) -> bool {
    record.key_epoch == epoch || record.uniqueness_keys.iter().any(|key| key.epoch == epoch)
}
