//! V14 V15: what was paid has one receipt in force.
//!
//! - A payment, settlement, decision paid at once, or instalment of a decision: held by one live receipt.
//! - A decision paid at once leaves no room for an instalment, and an instalment none for all at once; instalments stand side by
//!   side. Rows cannot be read in order here, so that the live instalments of a decision are counted.
//!
//! A key is the unit's or everybody's: [`UniquenessType::scope`](crate::blind::UniquenessType::scope). Its epoch tells whoever has the
//! secrets which one to use, and is not judged.

use super::overlay::Overlay;
use super::reading::ReadError;
use super::refusal::{RecordError, require};
use super::tables::{Table, decision_key_bytes, receipt_key_bytes, uniqueness_key_bytes};
use crate::blind::{UniquenessKey, UniquenessType};
use crate::ids::{ReceiptKey, UnitId};
use crate::reason::Reason;
use crate::record::ReceiptRecord;

/// There is room for all keys of a blue record; it holds them from now on. Checks everything before the first write.
pub(super) fn claim_keys(overlay: &mut Overlay<'_>, record: &ReceiptRecord) -> Result<(), RecordError> {
    for key in &record.uniqueness_keys {
        require(!is_held(overlay, record.unit, key)?, key.kind.reason_if_held())?;
    }
    for key in &record.uniqueness_keys {
        let holder = receipt_key_bytes(record.key).to_vec();
        overlay.write(Table::UniquenessKeys, uniqueness_key_bytes(record.unit, key), holder);
        if key.instalment.is_some() {
            let live = live_instalments(overlay, record.unit, key)?;
            put_live_instalments(overlay, record.unit, key, live.checked_add(1))?;
        }
    }
    Ok(())
}

/// The keys of a red record, whose unit is the original's, are held by the original. They are freed. Checks everything before the
/// first write.
pub(super) fn free_keys(
    overlay: &mut Overlay<'_>,
    red: &ReceiptRecord,
    original: ReceiptKey,
) -> Result<(), RecordError> {
    for key in &red.uniqueness_keys {
        let holder = overlay.read(Table::UniquenessKeys, &uniqueness_key_bytes(red.unit, key))?;
        require(holder.as_deref() == Some(receipt_key_bytes(original).as_slice()), Reason::FieldInvalid)?;
    }
    for key in &red.uniqueness_keys {
        overlay.delete(Table::UniquenessKeys, uniqueness_key_bytes(red.unit, key));
        if key.instalment.is_some() {
            let live = live_instalments(overlay, red.unit, key)?;
            put_live_instalments(overlay, red.unit, key, live.checked_sub(1))?;
        }
    }
    Ok(())
}

/// Whether a live receipt leaves no room for the key.
fn is_held(overlay: &Overlay<'_>, unit: UnitId, key: &UniquenessKey) -> Result<bool, ReadError> {
    if overlay.contains(Table::UniquenessKeys, &uniqueness_key_bytes(unit, key))? {
        return Ok(true);
    }
    match (key.kind, key.instalment) {
        (UniquenessType::Decision, None) => Ok(live_instalments(overlay, unit, key)? > 0),
        (UniquenessType::Decision, Some(_)) => {
            let at_once = UniquenessKey { instalment: None, ..*key };
            overlay.contains(Table::UniquenessKeys, &uniqueness_key_bytes(unit, &at_once))
        }
        (UniquenessType::Payment | UniquenessType::MedicalSettlement, _) => Ok(false),
    }
}

/// How many instalments of the key's decision have a live receipt.
fn live_instalments(overlay: &Overlay<'_>, unit: UnitId, key: &UniquenessKey) -> Result<u32, ReadError> {
    let Some(count) = overlay.read(Table::UniquenessKeys, &decision_key_bytes(unit, key))? else { return Ok(0) };
    let count = count.try_into().map_err(|_| corrupt())?;
    Ok(u32::from_be_bytes(count))
}

/// `None` is a count that cannot be: more than there are numbers, or fewer than none.
fn put_live_instalments(
    overlay: &mut Overlay<'_>,
    unit: UnitId,
    key: &UniquenessKey,
    count: Option<u32>,
) -> Result<(), ReadError> {
    let row = decision_key_bytes(unit, key);
    match count.ok_or_else(corrupt)? {
        0 => overlay.delete(Table::UniquenessKeys, row),
        count => overlay.write(Table::UniquenessKeys, row, count.to_be_bytes().to_vec()),
    }
    Ok(())
}

fn corrupt() -> ReadError {
    ReadError::corrupt("count of a decision's instalments")
}
