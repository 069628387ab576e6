//! The verdict for machines: plain texts and numbers, stable names.

use serde::Serialize;

use super::check::Check;
use super::face::{Face, utc_text};
use super::{CheckOutcome, Conclusion, Sentence, Verdict};
use crate::ids::UnixMillis;

/// The conclusion, for machines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum ConclusionReport {
    /// Genuine, anchored, in force.
    InForce,
    /// Genuine and anchored, but reversed.
    Reversed {
        /// The red receipt, `code-number`.
        by: String,
    },
    /// It may be good, and this program or this trust file does not know enough to say.
    Unjudged {
        /// Stable code of the doubt.
        code: &'static str,
        /// One sentence for a person.
        sentence: &'static str,
        /// The sentence in Chinese.
        sentence_zh: &'static str,
        /// Particulars, without personal values.
        detail: String,
    },
    /// The file is something else than a bundle.
    NoReceipt {
        /// What it seems to be.
        detail: String,
    },
    /// Something does not hold.
    Invalid {
        /// Stable code of the check.
        code: &'static str,
        /// The layer that does not hold.
        failed_layer: &'static str,
        /// One sentence for a person.
        sentence: &'static str,
        /// The sentence in Chinese.
        sentence_zh: &'static str,
        /// Particulars, without personal values.
        detail: String,
    },
}

/// The layers: `passed`, `failed` or `unknown`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct LayersReport {
    /// Content and signature.
    pub genuine: &'static str,
    /// The ledger has it.
    pub anchored: &'static str,
    /// The ledger says nothing against it.
    pub in_force: &'static str,
}

/// A check that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckReport {
    /// Stable code.
    pub code: &'static str,
    /// Its layer.
    pub layer: &'static str,
    /// `passed`, `warned`, `failed` or `unknown`.
    pub outcome: &'static str,
    /// What holds, or what it means that it does not.
    pub sentence: &'static str,
    /// The sentence in Chinese.
    pub sentence_zh: &'static str,
    /// Particulars of a warning or failure.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<String>,
}

/// Something that was not checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct NotCheckedReport {
    /// Stable code.
    pub code: &'static str,
    /// One sentence for a person.
    pub sentence: &'static str,
    /// The sentence in Chinese.
    pub sentence_zh: &'static str,
}

/// The whole verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VerdictReport {
    /// The overall conclusion.
    pub conclusion: ConclusionReport,
    /// If it is a red receipt: the one that it reverses, `code-number`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reverses: Option<String>,
    /// The result of each layer.
    pub layers: LayersReport,
    /// The time for which the status is proved, seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_of: Option<u64>,
    /// The same as RFC 3339 text, UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_of_utc: Option<String>,
    /// Its age at the time given by the caller, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_of_age_seconds: Option<u64>,
    /// The time given by the caller, Unix milliseconds.
    pub at_ms: u64,
    /// Chain id, hex.
    pub chain: String,
    /// Chain name.
    pub chain_name: String,
    /// The quorum that vouches for the status.
    pub signers: Vec<String>,
    /// Every check that was made, in order.
    pub checks: Vec<CheckReport>,
    /// What was not checked.
    pub not_checked: Vec<NotCheckedReport>,
    /// The receipt's face, once it is known to be what the unit signed; without the check code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipt: Option<Face>,
}

pub(super) fn of(verdict: &Verdict) -> VerdictReport {
    let as_of = match &verdict.conclusion {
        Conclusion::InForce { as_of } | Conclusion::Reversed { as_of, .. } => Some(as_of.get()),
        Conclusion::Unjudged(_) | Conclusion::NoReceipt { .. } | Conclusion::Invalid(_) => None,
    };
    let not_checked = verdict.not_checked().iter();
    VerdictReport {
        conclusion: conclusion_report(&verdict.conclusion),
        reverses: verdict.reverses().map(|original| original.to_string()),
        layers: LayersReport {
            genuine: verdict.layers.genuine.as_str(),
            anchored: verdict.layers.anchored.as_str(),
            in_force: verdict.layers.in_force.as_str(),
        },
        as_of,
        as_of_utc: as_of.map(|seconds| utc_text(UnixMillis::new(seconds.saturating_mul(1000)))),
        as_of_age_seconds: verdict.as_of_age_seconds(),
        at_ms: verdict.at.get(),
        chain: verdict.chain.0.to_string(),
        chain_name: verdict.chain_name.clone(),
        signers: verdict.signers.clone(),
        checks: verdict.checks.iter().map(|check| check_report(check, verdict)).collect(),
        not_checked: not_checked
            .map(|item| {
                let Sentence { zh, en } = item.sentence();
                NotCheckedReport { code: item.code(), sentence: en, sentence_zh: zh }
            })
            .collect(),
        receipt: verdict.receipt.as_ref().map(|receipt| Face::of(receipt, verdict.utc_offset_minutes)),
    }
}

fn conclusion_report(conclusion: &Conclusion) -> ConclusionReport {
    match conclusion {
        Conclusion::InForce { .. } => ConclusionReport::InForce,
        Conclusion::Reversed { by, .. } => ConclusionReport::Reversed { by: by.to_string() },
        Conclusion::Unjudged(unjudged) => {
            let (code, Sentence { zh, en }) = (unjudged.doubt.code(), unjudged.doubt.sentence());
            ConclusionReport::Unjudged { code, sentence: en, sentence_zh: zh, detail: unjudged.detail.clone() }
        }
        Conclusion::NoReceipt { detail } => ConclusionReport::NoReceipt { detail: detail.clone() },
        Conclusion::Invalid(failure) => {
            let Sentence { zh, en } = failure.sentence();
            ConclusionReport::Invalid {
                code: failure.code(),
                failed_layer: failure.layer().as_str(),
                sentence: en,
                sentence_zh: zh,
                detail: failure.detail.clone(),
            }
        }
    }
}

fn check_report(check: &Check, verdict: &Verdict) -> CheckReport {
    let Sentence { zh, en } = match check.outcome {
        CheckOutcome::Passed => check.id.claim(),
        CheckOutcome::Warned | CheckOutcome::Failed => check.id.failure(),
        CheckOutcome::Unknown => verdict.open_sentence().unwrap_or(check.id.claim()),
    };
    CheckReport {
        code: check.id.code(),
        layer: check.id.layer().as_str(),
        outcome: check.outcome.as_str(),
        sentence: en,
        sentence_zh: zh,
        details: check.details.clone(),
    }
}
