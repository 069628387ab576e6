//! The receipt: its content, its rules, its body of salted disclosures, and how it is printed.
//!
//! What is *not* here: the anchored record, its signature, and every rule that needs the ledger's state.
//!
//! ```text
//! caller ──▶ ReceiptDraft ──check_draft──▶ + Issued = Receipt ──disclosure──▶ values ──+ seed──▶ leaves ──▶ body_root
//! ```
//!
//! Invariants: an amount is a whole number of 分 or of 1/10,000 yuan, never a float; a text that is absent is the
//! empty text; one receipt has exactly one list of values, and a list that would encode differently is refused.

pub mod blanks;
pub mod chars;
pub mod civil;
pub mod decimal;
pub mod disclosure;
pub mod ext;
pub mod field;
#[cfg(test)]
pub(crate) mod fixture;
pub mod idcheck;
pub mod layout;
pub mod model;
mod nfc;
pub mod normalise;
pub mod red;
pub mod rules;
pub mod sameness;
pub mod samples;
mod values;
pub mod words;
