//! What became of a receipt, as far as this issuer's journal knows.

use receipt_core::ids::{Height, ReceiptKey};
use tallystick_anchoring::journal::{Journal, JournalError};

use crate::journal::ReceiptReads as _;

pub use tallystick_anchoring::fate::{Fate, fate};

/// The red receipt that has reversed an original, if that is sealed here.
pub fn reversed_by(journal: &Journal, original: ReceiptKey) -> Result<Option<(ReceiptKey, Height)>, JournalError> {
    let Some(red) = journal.reversal(original)? else { return Ok(None) };
    Ok(match fate(journal, red)? {
        Fate::Sealed { height, .. } => Some((red, height)),
        _ => None,
    })
}

/// Whether the ledger refused a receipt: it stands for nothing, and what it took is free.
pub fn is_refused(journal: &Journal, key: ReceiptKey) -> Result<bool, JournalError> {
    Ok(matches!(fate(journal, key)?, Fate::Refused { .. }))
}

/// The red receipt that reverses an original, or tries to. One that the ledger refused reverses nothing.
pub fn live_reversal(journal: &Journal, original: ReceiptKey) -> Result<Option<ReceiptKey>, JournalError> {
    match journal.reversal(original)? {
        Some(red) if is_refused(journal, red)? => Ok(None),
        red => Ok(red),
    }
}
