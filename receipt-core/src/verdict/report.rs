//! The verdict as the one structure that page, command line, gRPC and documents show: codes and values for machines, and beside each
//! of them its words in both languages. Its JSON has fixed keys in a fixed order, no float and no null (docs/spec/verdict.md).
//!
//! Nothing is judged here. Words come from `sentences`, labels from `labels`.

use serde::Serialize;

use super::check::{Check, CheckOutcome};
use super::face::Face;
use super::fill::said;
use super::labels::field_label;
use super::language::{Said, Sentence};
use super::layer::{Layer, LayerResult};
use super::material::DateSource;
use super::presentation::{self, PresentationReport};
use super::sentences::{Finding, NotChecked, Notice, Phrase, SIGNATURE_LAYER, Tone, layer_name, layer_result_word};
use super::signed::Signed;
use super::value::{Parameters, Value};
use super::{Means, TimeSource, Verdict};
use crate::shown;
use crate::suite::ChainId;
use crate::trust::TrustFile;

/// The value of `format`.
pub const VERDICT_FORMAT: &str = "tallystick/verdict/v1";

/// The conclusion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConclusionReport {
    /// Stable code.
    pub code: &'static str,
    /// Class: `in_force`, `too_old`, `reversed`, `signed`, `refused`, `invalid`, `unjudged`, `no_receipt` or `unreadable`.
    pub result: &'static str,
    /// `good`, `caution`, `bad` or `unknown`.
    pub tone: &'static str,
    /// Code of the check that failed, if one did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub check: Option<&'static str>,
    /// What the words name.
    pub parameters: Parameters,
    /// In a word.
    pub word: Said,
    /// In a sentence.
    pub sentence: Said,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<Said>,
    /// Particulars for technicians: English, not stable, without personal values.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// What must be read beside the conclusion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NoticeReport {
    /// Stable code.
    pub code: &'static str,
    /// What the words name.
    pub parameters: Parameters,
    /// In words.
    #[serde(flatten)]
    pub said: Said,
}

/// A layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LayerReport {
    /// `genuine`, `anchored` or `in_force`.
    pub code: &'static str,
    /// `passed`, `failed` or `unknown`.
    pub result: &'static str,
    /// In words.
    #[serde(flatten)]
    pub said: Said,
}

/// As of when the verdict speaks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AsOfReport {
    /// Seconds since 1970.
    pub seconds: u64,
    /// Its age at the time of the judgement, in seconds.
    pub age_seconds: u64,
    /// `checkpoint` or `directory`.
    pub source: &'static str,
    /// In words.
    #[serde(flatten)]
    pub said: Said,
}

/// The time of the judgement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JudgedAtReport {
    /// Milliseconds since 1970.
    pub ms: u64,
    /// Whose time it is: `given` or `clock`.
    pub source: &'static str,
    /// In words.
    #[serde(flatten)]
    pub said: Said,
}

/// The chain of the trust file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChainReport {
    /// Chain id, hex.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Whether its receipts are specimens (测试样票).
    pub test: bool,
}

/// Something that must be the same on the paper.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CompareReport {
    /// The field's name; `total_in_words` is derived.
    pub code: &'static str,
    /// What the field is called.
    #[serde(flatten)]
    pub label: Said,
    /// What was signed.
    pub value: String,
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
    /// What the words name.
    pub parameters: Parameters,
    /// What holds, or what it means that it does not.
    #[serde(flatten)]
    pub said: Said,
    /// Particulars for technicians: English, not stable, without personal values.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<String>,
}

/// Something that was not checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NotCheckedReport {
    /// Stable code.
    pub code: &'static str,
    /// In words.
    #[serde(flatten)]
    pub said: Said,
}

/// The whole verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VerdictReport {
    /// [`VERDICT_FORMAT`].
    pub format: &'static str,
    /// What it comes to.
    pub conclusion: ConclusionReport,
    /// What must be read beside it.
    pub notices: Vec<NoticeReport>,
    /// The three layers, from the innermost outwards.
    pub layers: Vec<LayerReport>,
    /// As of when it speaks, if of a certain time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_of: Option<AsOfReport>,
    /// The time of the judgement.
    pub judged_at: JudgedAtReport,
    /// The chain of the trust file.
    pub chain: ChainReport,
    /// The agencies that vouch for the state.
    pub signers: Vec<String>,
    /// What must be the same on the paper, once the unit's signature is known to hold.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub compare: Vec<CompareReport>,
    /// Every check that was made, in order.
    pub checks: Vec<CheckReport>,
    /// What was not checked.
    pub not_checked: Vec<NotCheckedReport>,
    /// What is shown of the receipt and what is not, of a presentation, once it is known to be what the record commits to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub presentation: Option<PresentationReport>,
    /// The receipt's face, once it is known to be what the unit signed; without the check code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipt: Option<Face>,
}

impl VerdictReport {
    /// One line of JSON. Characters that act on a reader are escaped, so that it can be shown anywhere.
    pub fn to_json(&self) -> String {
        // Texts and integers under text keys only: JSON always takes them.
        let text = serde_json::to_string(self).unwrap_or_default();
        shown::json(&text).into_owned()
    }
}

pub(super) fn of(verdict: &Verdict) -> VerdictReport {
    let offset = verdict.utc_offset_minutes;
    let words = |sentence, parameters: &Parameters| said(sentence, parameters, offset);
    let notice = |(notice, parameters): (Notice, Parameters)| NoticeReport {
        code: notice.code(),
        said: words(notice.sentence(), &parameters),
        parameters,
    };
    let not_checked =
        |item: &NotChecked| NotCheckedReport { code: item.code(), said: words(item.sentence(), &Parameters::NONE) };
    VerdictReport {
        format: VERDICT_FORMAT,
        conclusion: conclusion(verdict),
        notices: verdict.notices().into_iter().map(notice).collect(),
        layers: layers(verdict),
        as_of: as_of(verdict),
        judged_at: judged_at(verdict),
        chain: chain(verdict.chain, &verdict.chain_name, verdict.is_test),
        signers: verdict.signers.clone(),
        compare: verdict.signed.as_ref().map(compare).unwrap_or_default(),
        checks: verdict.checks.iter().map(|made| check(made, verdict)).collect(),
        not_checked: verdict.not_checked().iter().map(not_checked).collect(),
        presentation: verdict.presented.as_ref().map(|presented| presentation::of(presented, offset)),
        receipt: verdict.receipt.as_ref().map(|receipt| Face::of(receipt, offset)),
    }
}

/// What is said of a file that gave no bytes to judge: of a verdict its first keys, and the chain that was asked about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnreadableReport {
    /// [`VERDICT_FORMAT`].
    pub format: &'static str,
    /// That it cannot be read, and why.
    pub conclusion: ConclusionReport,
    /// What must be read beside it.
    pub notices: Vec<NoticeReport>,
    /// The chain of the trust file.
    pub chain: ChainReport,
}

/// The conclusion on a file that gave no bytes to judge, and would have been judged by this trust file.
pub fn unreadable(problem: &str, trust: &TrustFile) -> UnreadableReport {
    let parameters = Parameters::of([("problem", Value::Text(problem.to_owned()))]);
    let notice = Notice::TestChain;
    let said = said(notice.sentence(), &Parameters::NONE, 0);
    let test = NoticeReport { code: notice.code(), parameters: Parameters::NONE, said };
    UnreadableReport {
        format: VERDICT_FORMAT,
        conclusion: of_finding(Finding::Unreadable, parameters, 0),
        notices: trust.is_test().then_some(test).into_iter().collect(),
        chain: chain(trust.chain_id(), trust.chain_name(), trust.is_test()),
    }
}

fn chain(id: ChainId, name: &str, test: bool) -> ChainReport {
    ChainReport { id: id.0.to_string(), name: name.to_owned(), test }
}

fn of_finding(finding: Finding, parameters: Parameters, utc_offset_minutes: i32) -> ConclusionReport {
    let words = |sentence| said(sentence, &parameters, utc_offset_minutes);
    let advice = finding.advice();
    ConclusionReport {
        code: finding.code(),
        result: finding.result().as_str(),
        tone: finding.tone().as_str(),
        check: None,
        word: words(finding.word()),
        sentence: words(finding.sentence()),
        advice: (!advice.en.is_empty()).then(|| words(advice)),
        parameters,
        detail: None,
    }
}

fn conclusion(verdict: &Verdict) -> ConclusionReport {
    let detail = match &verdict.conclusion {
        super::Conclusion::Invalid(failure) => Some(failure.detail.clone()),
        super::Conclusion::Unjudged(unjudged) => Some(unjudged.detail.clone()),
        _ => None,
    };
    let of_finding = of_finding(verdict.finding(), verdict.parameters(), verdict.utc_offset_minutes);
    // A specimen is nothing to rely on, however good.
    let is_good_specimen = verdict.is_test && verdict.finding().tone() == Tone::Good;
    ConclusionReport {
        tone: if is_good_specimen { Tone::Caution.as_str() } else { of_finding.tone },
        check: verdict.failure().map(super::Failure::code),
        detail,
        ..of_finding
    }
}

fn layers(verdict: &Verdict) -> Vec<LayerReport> {
    let result_of = |layer| match layer {
        Layer::Genuine => verdict.layers.genuine,
        Layer::Anchored => verdict.layers.anchored,
        Layer::InForce => verdict.layers.in_force,
    };
    // A signature makes a code the unit's, and not the paper under it.
    let is_signature_alone =
        matches!(verdict.means, Means::Record | Means::Report) && verdict.layers.anchored != LayerResult::Passed;
    let name = |layer, result| match (layer, result) {
        (Layer::Genuine, LayerResult::Passed) if is_signature_alone => SIGNATURE_LAYER,
        _ => layer_name(layer),
    };
    let report = |layer: Layer| {
        let result = result_of(layer);
        LayerReport { code: layer.as_str(), result: result.as_str(), said: layer_line(name(layer, result), result) }
    };
    Layer::ALL.into_iter().map(report).collect()
}

fn layer_line(layer: Sentence, result: LayerResult) -> Said {
    let (result, Sentence { zh, en }) = (layer_result_word(result), Phrase::LayerLine.sentence());
    let line = |line: &str, layer, result| line.replace("{layer}", layer).replace("{result}", result);
    Said { zh: line(zh, layer.zh, result.zh), en: line(en, layer.en, result.en) }
}

fn as_of(verdict: &Verdict) -> Option<AsOfReport> {
    let as_of = verdict.as_of?;
    let (seconds, age_seconds) = (as_of.time.get(), verdict.age_of(as_of.time));
    let parameters =
        Parameters::of([("age_seconds", Value::Ago(age_seconds)), ("as_of_seconds", Value::Seconds(seconds))]);
    let (source, phrase) = match as_of.source {
        DateSource::Checkpoint => ("checkpoint", Phrase::AsOfCheckpoint),
        DateSource::Directory => ("directory", Phrase::AsOfDirectory),
    };
    let said = said(phrase.sentence(), &parameters, verdict.utc_offset_minutes);
    Some(AsOfReport { seconds, age_seconds, source, said })
}

fn judged_at(verdict: &Verdict) -> JudgedAtReport {
    let (source, phrase) = match verdict.time_source {
        TimeSource::Given => ("given", Phrase::AtGiven),
        TimeSource::Clock => ("clock", Phrase::AtClock),
    };
    let parameters = Parameters::of([("at_ms", Value::Millis(verdict.at))]);
    let said = said(phrase.sentence(), &parameters, verdict.utc_offset_minutes);
    JudgedAtReport { ms: verdict.at.get(), source, said }
}

fn compare(signed: &Signed) -> Vec<CompareReport> {
    let report = |(code, value): (&'static str, String)| {
        let label = field_label(code).unwrap_or(Sentence { zh: code, en: code });
        CompareReport { code, label: said(label, &Parameters::NONE, 0), value: shown::line(&value).into_owned() }
    };
    signed.to_compare().into_iter().map(report).collect()
}

fn check(check: &Check, verdict: &Verdict) -> CheckReport {
    let of_verdict = verdict.parameters();
    let (sentence, parameters) = match check.outcome {
        CheckOutcome::Passed => (check.id.claim(), &check.parameters),
        CheckOutcome::Warned | CheckOutcome::Failed => (check.id.failure(), &check.parameters),
        // Why it was left open is what the verdict comes to.
        CheckOutcome::Unknown => (verdict.finding().sentence(), &of_verdict),
    };
    CheckReport {
        code: check.id.code(),
        layer: check.id.layer().as_str(),
        outcome: check.outcome.as_str(),
        said: said(sentence, parameters, verdict.utc_offset_minutes),
        parameters: check.parameters.clone(),
        details: check.details.clone(),
    }
}
