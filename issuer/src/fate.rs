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
