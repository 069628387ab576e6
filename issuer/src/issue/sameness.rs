//! Whether a call is the one that made a receipt: by the tag that the journal keeps of it, as long as the receipt's body is there.

use receipt_core::hash::Hash;

use crate::body::BodyCipher;
use crate::journal::{BizRow, Journal, JournalError, ReceiptReads as _};

/// What a call is to the receipt that has its biz code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SameCall {
    /// The one that made it.
    Same,
    /// Another one.
    Other,
    /// Nobody can tell: the body was erased, and what was sent with it.
    Erased,
}

/// Holds the hash of a call against the holder of its biz code.
pub(crate) fn same_call(
    journal: &Journal,
    cipher: &BodyCipher,
    row: &BizRow,
    content: &Hash,
) -> Result<SameCall, JournalError> {
    let Some(wrapped_key) = journal.wrapped_key(row.key)? else {
        let erased = journal.erased_at(row.key)?.is_some();
        return Ok(if erased { SameCall::Erased } else { unreadable(row, &"it has no wrapped key") });
    };
    Ok(match cipher.tag(row.key, &wrapped_key, content) {
        Ok(tag) if tag == row.content => SameCall::Same,
        Ok(_) => SameCall::Other,
        Err(error) => unreadable(row, &error),
    })
}

/// A damaged body: the caller is shown the receipt that stands, as with any other conflict.
fn unreadable(row: &BizRow, problem: &dyn std::fmt::Display) -> SameCall {
    tracing::error!(receipt = %row.key, %problem, "a body is damaged; a repeated call cannot be told from another one");
    SameCall::Other
}
