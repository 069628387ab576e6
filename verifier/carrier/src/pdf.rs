//! What is attached to a PDF (ISO 32000-1 §7.11): the files in the catalog's name tree and in its `AF` array.
//!
//! ```text
//! startxref ─▶ table or stream of addresses ─▶ Prev … ─▶ Root ─▶ Names/EmbeddedFiles ─▶ Filespec ─▶ EF ─▶ stream
//!                                                           └──▶ AF [ … ] ──────────────┘
//! ```
//! A file whose addresses do not lead to its catalog is searched for objects instead, as readers do. What a file says twice counts as its
//! last revision has it. Nothing of a page is read.

mod addresses;
mod document;
mod object;
mod predictor;
mod search;
mod stream;
mod tree;

use crate::budget::Budget;
use crate::outcome::{Attachment, Why};

use document::Document;

/// All that is attached. `start`: where the header stands, from which the file counts.
pub(crate) fn attachments(file: &[u8], start: usize) -> Result<Vec<Attachment>, Why> {
    let mut budget = Budget::new();
    let file = file.get(start..).unwrap_or_default();
    let by_address = addresses::read(file, &mut budget).and_then(|addresses| {
        let mut document = Document::new(file, addresses, &mut budget);
        tree::attachments(&mut document)
    });
    match by_address {
        Err(Why::Damaged) => {
            let addresses = search::addresses(file, &mut budget)?;
            let mut document = Document::new(file, addresses, &mut budget);
            tree::attachments(&mut document)
        }
        other => other,
    }
}

#[cfg(test)]
mod tests;
