//! What the ledger says of a receipt, as its documents say it: in the words of the verdict, and as of when.

use receipt_core::ids::{ReceiptKey, UnixMillis};
use receipt_core::note::PosixSeconds;
use receipt_core::verdict::{Conclusion, Verdict};

use crate::content::time_text;
use crate::template::Template;

/// The state of a receipt as of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// The verdict's sentence, in Chinese.
    pub sentence: String,
    /// Time of the checkpoint.
    pub as_of: PosixSeconds,
    /// The red receipt that reversed it: then every page says so.
    pub reversed_by: Option<ReceiptKey>,
}

impl State {
    /// Of a verdict on a bundle; `None` unless it says that the receipt is in force or reversed.
    pub fn of(verdict: &Verdict) -> Option<Self> {
        let (as_of, reversed_by) = match verdict.conclusion {
            Conclusion::InForce { .. } => (verdict.as_of?, None),
            Conclusion::Reversed { by, .. } => (verdict.as_of?, Some(by)),
            _ => return None,
        };
        let sentence = verdict.to_report().conclusion.sentence.zh;
        Some(Self { sentence, as_of: as_of.time, reversed_by })
    }

    /// The line that stands on a document.
    pub(crate) fn line(&self, template: &Template, utc_offset_minutes: i32) -> String {
        let as_of = UnixMillis::new(self.as_of.get().saturating_mul(1000));
        let line = template.sentences.state.replace("{as_of}", &time_text(as_of, utc_offset_minutes));
        line.replace("{sentence}", &self.sentence)
    }
}
