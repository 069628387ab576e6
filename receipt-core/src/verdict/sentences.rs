//! Every sentence of a verdict, in Chinese and English: one table for page, command line, JSON, gRPC and documents.
//!
//! ```text
//! checks        CheckId      what holds if a check passes, and what it means if it does not
//! conclusions   Finding      what it all amounts to: a word, a sentence, what to do; its result and tone
//! refusals                   why the ledger refused a record
//! phrases       Notice       what must be read beside the conclusion
//!               NotChecked   what nobody could know who judged with these means
//!               Phrase       headings and what else is said around a verdict
//! ```
//! Codes are stable; sentences are not. `{name}` is a value, `[…]` goes if a value in it is missing. No sentence of something bad begins
//! with a word that reads as praise. 上链 is what the ledger does with a record; 入账 is what a claimer does with a receipt, and never
//! stands for the other.

mod checks;
mod conclusions;
mod phrases;
mod refusals;

#[cfg(test)]
mod tests;

pub use checks::CheckId;
pub use conclusions::{Finding, FindingResult, Tone};
pub use phrases::{NotChecked, Notice, Phrase};
pub(super) use phrases::{SIGNATURE_LAYER, damage_clause, layer_name, layer_result_word, sort_clause};
pub(super) use refusals::refusal_clause;
