//! The verdict on a bundle: a pure function of (bundle, trust file, time given by the caller).
//!
//! ```text
//! genuine    the body is what the record commits to, and the unit signed the record
//! anchored   the record stands in a batch whose header stands in the log under a quorum of validators
//! in force   as of a later quorum, the ledger's status map says nothing else about it
//! ```
//! The checks run in the order of [`CheckId::ALL`] and stop at the first that fails, so a verdict is the list of all that was
//! established before. What this program or this trust file does not know (another chain, a later format, status or validator set)
//! is *cannot be judged here*, and any other file *no receipt*: neither is invalid, and neither in force. Body rules (V06 to V11,
//! V13, V23, V24, V27, FORM of days) only warn: a receipt that breaks one is still the unit's own act, and a holder must be able to
//! prove just that. What is not checked at all is listed too ([`NotChecked`]). A presentation is judged as a bundle, but for its content:
//! what is shown is proved, what is withheld is said to be, and it is never called the receipt.
//!
//! No network, no clock, no way to skip a check, no panic.

mod anchored;
mod check;
mod choices;
mod conclusion;
mod differences;
mod face;
mod fill;
mod genuine;
mod in_force;
mod labels;
mod language;
mod layer;
mod left_out;
mod material;
mod place;
mod presentation;
mod presented;
mod report;
mod scan;
mod sentences;
mod signed;
mod text;
mod times;
mod trace;
mod value;
mod versions;

#[cfg(test)]
mod tests;

pub use check::{Check, CheckOutcome};
pub use choices::{Choice, choices};
pub use conclusion::{Conclusion, Doubt, Failure, Unjudged};
pub use differences::{Difference, differing_field};
pub use face::{Face, FaceLine};
pub use fill::{said, say};
pub use in_force::proved_status;
pub use labels::field_label;
pub use language::{Language, Said, Sentence};
pub use layer::{Layer, LayerResult};
pub use material::{AsOf, DateSource};
pub use place::{PlaceError, PlaceVerdict, RecordPlace, proved_place};
pub use presentation::{PresentationReport, WithheldReport};
pub use presented::Presented;
pub use report::{
    AsOfReport, ChainReport, CheckReport, CompareReport, ConclusionReport, JudgedAtReport, LayerReport,
    NotCheckedReport, NoticeReport, UnreadableReport, VERDICT_FORMAT, VerdictReport, unreadable,
};
pub use scan::{CodeScan, LedgerAnswer, Scan};
pub use sentences::{CheckId, Finding, FindingResult, NotChecked, Notice, Phrase, Tone};
pub use signed::Signed;
pub use times::utc_text;
pub use trace::{Trace, TracedCheckpoint, TracedStep, TracedTree, trace_bundle};
pub use value::{Parameters, Value};

use crate::bundle::{self, BUNDLE_FORMAT, BundleError, FileKind, ReceiptFile};
use crate::code::CodeError;
use crate::directory::TrustedDirectory;
use crate::ids::{ReceiptKey, UnixMillis};
use crate::note::PosixSeconds;
use crate::receipt::model::Receipt;
use crate::shown::line;
use crate::suite::ChainId;
use crate::trust::TrustFile;
use check::Judge;
use material::{Context, Proofs, Seen};

/// How far a signed time may lie ahead of the caller's: clocks drift.
pub const CLOCK_DRIFT_MS_MAX: u64 = 10 * 60 * 1000;

/// Whether somebody can have meant this time of a judgement: from 2020 to 2100. Anything else is seconds, a date or a typing error.
pub fn can_be_meant(at: UnixMillis) -> bool {
    (1_577_836_800_000..4_102_444_800_000).contains(&at.get())
}

/// Whose time a verdict is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeSource {
    /// Somebody gave it.
    Given,
    /// The clock of the machine that judges.
    Clock,
}

/// What was judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Means {
    /// A bundle.
    Bundle,
    /// What a holder shows of one.
    Presentation,
    /// A signed record without its content.
    Record,
    /// The report that such a one was left out.
    Report,
}

/// The three layers, each for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layers {
    /// Content and signature.
    pub genuine: LayerResult,
    /// The ledger has it.
    pub anchored: LayerResult,
    /// The ledger says nothing against it.
    pub in_force: LayerResult,
}

/// The whole verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The overall conclusion.
    pub conclusion: Conclusion,
    /// The result of each layer.
    pub layers: Layers,
    /// Every check that was made, in order; the last one is the one that failed, if any did.
    pub checks: Vec<Check>,
    /// The time that the caller gave.
    pub at: UnixMillis,
    /// Whose time that is.
    pub time_source: TimeSource,
    /// As of when the verdict speaks, if it does of a certain time.
    pub as_of: Option<AsOf>,
    /// As of when the directory of units is that a code was judged by: with an answer of the ledger, too.
    pub directory_as_of: Option<PosixSeconds>,
    /// The chain that the trust file is about.
    pub chain: ChainId,
    /// The chain's name.
    pub chain_name: String,
    /// Whether the chain's receipts are specimens (测试样票).
    pub is_test: bool,
    /// The chain's UTC offset, for printing times.
    pub utc_offset_minutes: i32,
    /// What the unit signed, once its signature is known to hold.
    pub signed: Option<Signed>,
    /// The receipt, once it is known to be what the record commits to.
    pub receipt: Option<Receipt>,
    /// What is shown of a receipt, once it is known to be what the record commits to; of a presentation, and instead of `receipt`.
    pub presented: Option<Presented>,
    /// The agencies of the quorum that vouches for the status, by their names in the validator set.
    pub signers: Vec<String>,
    means: Means,
}

impl Verdict {
    /// Whether the receipt is genuine, anchored and in force.
    pub fn is_in_force(&self) -> bool {
        matches!(self.conclusion, Conclusion::InForce { .. })
    }

    /// Whether the receipt is genuine and anchored, and its status is known: in force or reversed.
    pub fn is_proved(&self) -> bool {
        matches!(self.conclusion, Conclusion::InForce { .. } | Conclusion::Reversed { .. })
    }

    /// The receipt that this one reverses, if it is a red one (冲红): in force or not, it attests no payment received.
    pub fn reverses(&self) -> Option<ReceiptKey> {
        self.signed.as_ref()?.reverses
    }

    /// What failed, if something did.
    pub fn failure(&self) -> Option<&Failure> {
        match &self.conclusion {
            Conclusion::Invalid(failure) => Some(failure),
            _ => None,
        }
    }

    /// The conclusion as it is told: code, class, tone and words.
    pub fn finding(&self) -> Finding {
        match &self.conclusion {
            Conclusion::InForce { .. } if self.reverses().is_some() => Finding::RedInForce,
            Conclusion::InForce { .. } if self.means == Means::Presentation => Finding::Presented,
            Conclusion::InForce { .. } => Finding::InForce,
            Conclusion::TooOld { .. } => Finding::TooOld,
            Conclusion::Reversed { .. } => Finding::Reversed,
            Conclusion::Pending { .. } => Finding::Pending,
            Conclusion::Overdue { .. } => Finding::Overdue,
            Conclusion::LeftOut { .. } => Finding::LeftOut,
            Conclusion::Unchecked => Finding::Unchecked,
            Conclusion::Refused { .. } => Finding::Refused,
            Conclusion::Unjudged(unjudged) => unjudged.doubt.finding(),
            Conclusion::NoReceipt { .. } => Finding::NoReceipt,
            Conclusion::NoCode(CodeError::Elsewhere { .. }) => Finding::CodeElsewhere,
            Conclusion::NoCode(_) => Finding::CodeRefused,
            // A report anchors nothing: its checkpoint says of when it is.
            Conclusion::Invalid(failure) if self.means == Means::Report && failure.check == CheckId::AnchorQuorum => {
                Finding::ReportUnproved
            }
            Conclusion::Invalid(failure) => failure.check.finding(),
        }
    }

    /// Stable code of what the conclusion hangs on: of the check that failed, otherwise of the finding; empty if the receipt is proved.
    pub fn code(&self) -> &'static str {
        match &self.conclusion {
            Conclusion::InForce { .. } | Conclusion::Reversed { .. } => "",
            Conclusion::Invalid(failure) => failure.code(),
            _ => self.finding().code(),
        }
    }

    /// What the finding's words name.
    fn parameters(&self) -> Parameters {
        let key = |name, key: ReceiptKey| Parameters::of([(name, Value::Receipt(key))]);
        let seal_by = |time: UnixMillis| Parameters::of([("seal_by_ms", Value::Millis(time))]);
        match &self.conclusion {
            Conclusion::InForce { .. } => Parameters::NONE.and("reverses", self.reverses().map(Value::Receipt)),
            Conclusion::TooOld { age_seconds_max, .. } => Parameters::NONE
                .and("age_seconds", self.as_of_age_seconds().map(Value::Age))
                .and("allowed_seconds", Some(Value::Span(*age_seconds_max))),
            Conclusion::Reversed { by, .. } => key("by", *by),
            Conclusion::Pending { seal_by: time }
            | Conclusion::Overdue { seal_by: time }
            | Conclusion::LeftOut { seal_by: time } => seal_by(*time),
            Conclusion::Unchecked => {
                let unit = self.signed.as_ref().map(|signed| Value::Text(signed.unit_name.clone()));
                Parameters::NONE.and("unit_name", unit)
            }
            Conclusion::Refused { reason, replaced_by } => {
                Parameters::of([("reason", Value::Reason(*reason))]).and("replaced_by", replaced_by.map(Value::Receipt))
            }
            Conclusion::Unjudged(unjudged) => unjudged.parameters.clone(),
            Conclusion::NoReceipt { seems } => Parameters::of([("seems", Value::Sort(*seems))]),
            Conclusion::NoCode(fault) => Parameters::of([("fault", Value::Code(fault.clone()))]),
            Conclusion::Invalid(failure) => failure.parameters.clone(),
        }
    }

    /// What must be read beside the conclusion.
    fn notices(&self) -> Vec<(Notice, Parameters)> {
        let red = self.reverses().filter(|_| self.finding() != Finding::RedInForce);
        let red = red.map(|original| (Notice::Red, Parameters::of([("reverses", Value::Receipt(original))])));
        let warned = self.checks.iter().find(|check| check.outcome == CheckOutcome::Warned);
        let rules = warned.map(|check| (Notice::RulesBroken, check.parameters.clone()));
        let is_a_copy = self.means == Means::Record && self.signed.is_some();
        let count = |count: usize| Value::Number(u64::try_from(count).unwrap_or(u64::MAX));
        let part = self.presented.as_ref().map(|presented| {
            let counts = [("shown", presented.shown_count()), ("withheld", presented.withheld_count())];
            (Notice::Presentation, Parameters::of(counts.map(|(name, number)| (name, count(number)))))
        });
        let test = self.is_test.then_some((Notice::TestChain, Parameters::NONE));
        let compare = is_a_copy.then_some((Notice::Compare, Parameters::NONE));
        test.into_iter().chain(part).chain(red).chain(compare).chain(rules).collect()
    }

    /// The same verdict, the time being of that source.
    #[must_use]
    pub fn timed_by(self, time_source: TimeSource) -> Self {
        Self { time_source, ..self }
    }

    /// The same verdict for one who does not take an older word: a receipt whose status was stated more than so many seconds before
    /// the given time is not called in force, and a code not signed if nothing but an older directory of units than that says so. A
    /// reversal stays one, however old.
    #[must_use]
    pub fn not_older_than(mut self, age_seconds_max: u64) -> Self {
        let too_old = |age: &u64| *age > age_seconds_max;
        if let Conclusion::InForce { as_of } = self.conclusion
            && self.as_of_age_seconds().is_some_and(|age| too_old(&age))
        {
            self.conclusion = Conclusion::TooOld { as_of, age_seconds_max };
            self.layers.in_force = LayerResult::Unknown;
        }
        let age = self.directory_as_of.map(|time| self.age_of(time)).filter(too_old);
        if let Some(age) = age.filter(|_| self.rests_on_directory()) {
            let parameters =
                Parameters::of([("age_seconds", Value::Age(age)), ("allowed_seconds", Value::Span(age_seconds_max))]);
            let detail = "a revocation that came later is not in it".to_owned();
            self.conclusion = Conclusion::Unjudged(Unjudged { doubt: Doubt::DirectoryOld, parameters, detail });
            self.layers.genuine = LayerResult::Unknown;
        }
        self
    }

    /// Whether the unit's signature holds and nothing but the directory says that its key was good: no proof shows that the ledger took the
    /// record, or why it did not.
    fn rests_on_directory(&self) -> bool {
        match &self.conclusion {
            Conclusion::Unchecked
            | Conclusion::Pending { .. }
            | Conclusion::Overdue { .. }
            | Conclusion::LeftOut { .. } => true,
            Conclusion::Unjudged(unjudged) => {
                let by_answer = [Doubt::AnswerFalse, Doubt::ValidatorsUnknown, Doubt::FormatUnknown];
                self.signed.is_some() && by_answer.contains(&unjudged.doubt)
            }
            _ => false,
        }
    }

    /// Sentences of the checks that warned.
    pub fn warnings(&self) -> impl Iterator<Item = &str> {
        self.checks
            .iter()
            .filter(|check| check.outcome == CheckOutcome::Warned)
            .flat_map(|check| check.details.iter().map(String::as_str))
    }

    /// How old the statement about the status is, in seconds; `None` without one.
    pub fn as_of_age_seconds(&self) -> Option<u64> {
        let as_of = self.as_of.filter(|as_of| as_of.source == DateSource::Checkpoint)?;
        Some(self.age_of(as_of.time))
    }

    /// Whether the ledger is known to have the receipt, with its status as of some time.
    fn status_is_known(&self) -> bool {
        self.is_proved() || matches!(self.conclusion, Conclusion::TooOld { .. })
    }

    fn age_of(&self, time: PosixSeconds) -> u64 {
        self.at.seconds().saturating_sub(time.get())
    }

    /// What could not be known.
    pub fn not_checked(&self) -> &'static [NotChecked] {
        use NotChecked as N;
        match self.means {
            Means::Bundle => &[
                N::LaterStatus,
                N::IssuerSignature,
                N::LedgerRules,
                N::KeyRevocation,
                N::ItemsAttached,
                N::PayerIdentity,
            ],
            Means::Presentation => &[
                N::Withheld,
                N::ContentRules,
                N::LaterStatus,
                N::IssuerSignature,
                N::LedgerRules,
                N::KeyRevocation,
                N::ItemsAttached,
                N::PayerIdentity,
            ],
            Means::Record if self.status_is_known() => &[N::LaterStatus, N::LedgerRules, N::Content, N::PayerIdentity],
            Means::Report => &[N::Anchored, N::Content, N::KeyRevoked, N::PayerIdentity],
            Means::Record => &[N::Anchored, N::Reversed, N::Content, N::KeyRevoked, N::PayerIdentity],
        }
    }

    /// The one structure that is shown everywhere.
    pub fn to_report(&self) -> VerdictReport {
        report::of(self)
    }

    /// The report as JSON, on one line without a line end (docs/spec/verdict.md).
    pub fn to_json(&self) -> String {
        self.to_report().to_json()
    }

    /// The verdict in one line, without a line end: what it comes to, and as of when or why.
    pub fn to_line(&self, language: Language) -> String {
        text::headline(&self.to_report(), language)
    }

    /// The report for people: a page of plain text, ending in a newline.
    pub fn to_text(&self, language: Language) -> String {
        text::render(&self.to_report(), language)
    }
}

/// Judges the bytes of a bundle or presentation (`.tally`) against a trust file. `at` is the time of the judgement, in milliseconds since 1970: what
/// is signed more than [`CLOCK_DRIFT_MS_MAX`] later is refused. Takes any bytes, and always gives a verdict: see [`Conclusion`].
pub fn verify_bundle(bytes: &[u8], trust: &TrustFile, at: UnixMillis) -> Verdict {
    let means = match bundle::kind_of(bytes) {
        FileKind::Presentation => Means::Presentation,
        FileKind::Bundle | FileKind::OtherBundle { .. } | FileKind::Other(_) => Means::Bundle,
    };
    judged(trust, at, means, |latest, judge, seen| conclude(bytes, trust, latest, judge, seen))
}

/// Judges a signed record without its content, as a code on paper carries it, against a trust file. `at` as in [`verify_bundle`].
pub fn verify_scan(scan: &Scan<'_>, trust: &TrustFile, at: UnixMillis) -> Verdict {
    judged_record(trust, at, Means::Record, &mut |latest, judge, seen| scan::conclude(scan, trust, latest, judge, seen))
}

/// Judges the text of a code on paper, as it was scanned: reads the record in it, and judges that as [`verify_scan`] does.
pub fn verify_code(scan: &CodeScan<'_>, trust: &TrustFile, at: UnixMillis) -> Verdict {
    judged_record(trust, at, Means::Record, &mut |latest, judge, seen| {
        scan::conclude_code(scan, trust, latest, judge, seen)
    })
}

/// Judges the bytes of a report that a receipt was left out ([`bundle::LeftOut`]) by a directory of units. `at` as in [`verify_bundle`].
pub fn verify_left_out(bytes: &[u8], directory: &TrustedDirectory, trust: &TrustFile, at: UnixMillis) -> Verdict {
    judged_record(trust, at, Means::Report, &mut |latest, judge, seen| {
        left_out::conclude(bytes, directory, trust, latest, judge, seen)
    })
}

/// [`judged`] once for all that is judged by a directory of units: phones fetch the code of it.
fn judged_record(
    trust: &TrustFile,
    at: UnixMillis,
    means: Means,
    conclude: &mut dyn FnMut(UnixMillis, &mut Judge, &mut Seen) -> Result<Conclusion, Conclusion>,
) -> Verdict {
    judged(trust, at, means, conclude)
}

fn judged(
    trust: &TrustFile,
    at: UnixMillis,
    means: Means,
    conclude: impl FnOnce(UnixMillis, &mut Judge, &mut Seen) -> Result<Conclusion, Conclusion>,
) -> Verdict {
    let mut judge = Judge::default();
    let mut seen = Seen::default();
    let conclusion = match conclude(at.plus_millis(CLOCK_DRIFT_MS_MAX), &mut judge, &mut seen) {
        Ok(conclusion) | Err(conclusion) => conclusion,
    };
    let layer = |layer: Layer| match &conclusion {
        // What was answered proves nothing, neither for the receipt nor against it.
        Conclusion::Unjudged(Unjudged { doubt: Doubt::AnswerFalse | Doubt::KeyRevoked, .. })
            if layer > Layer::Genuine =>
        {
            LayerResult::Unknown
        }
        // A report that does not hold says nothing of whether the ledger has the receipt.
        _ if means == Means::Report && layer > Layer::Genuine => LayerResult::Unknown,
        Conclusion::Reversed { .. } if layer == Layer::InForce => LayerResult::Failed,
        _ => judge.layer(layer),
    };
    Verdict {
        layers: Layers {
            genuine: layer(Layer::Genuine),
            anchored: layer(Layer::Anchored),
            in_force: layer(Layer::InForce),
        },
        conclusion,
        checks: judge.into_checks(),
        at,
        time_source: TimeSource::Given,
        as_of: seen.as_of,
        directory_as_of: seen.directory_as_of,
        chain: trust.chain_id(),
        chain_name: trust.chain_name().to_owned(),
        is_test: trust.is_test(),
        utc_offset_minutes: trust.utc_offset_minutes(),
        signed: seen.signed,
        receipt: seen.receipt,
        presented: seen.presented,
        signers: seen.signers,
        means,
    }
}

fn conclude(
    bytes: &[u8],
    trust: &TrustFile,
    latest: UnixMillis,
    judge: &mut Judge,
    seen: &mut Seen,
) -> Result<Conclusion, Conclusion> {
    match bundle::kind_of(bytes) {
        FileKind::Bundle | FileKind::Presentation => {}
        FileKind::OtherBundle { format } => {
            let detail = format!("its format is {}, and this program knows {BUNDLE_FORMAT}", line(&format));
            return Err(judge.doubt(CheckId::BundleForm, Doubt::FormatUnknown, detail));
        }
        FileKind::Other(seems) => {
            judge.leave_open(CheckId::BundleForm, "it does not begin as a bundle does");
            return Err(Conclusion::NoReceipt { seems });
        }
    }
    let file = ReceiptFile::decode(bytes).map_err(|error| {
        let damage = match &error {
            BundleError::Damaged(damage) => Some(Value::Damage(*damage)),
            _ => None,
        };
        judge.fail_with(CheckId::BundleForm, Parameters::NONE.and("damage", damage), error)
    })?;
    judge.pass(CheckId::BundleForm);
    let (signed, later) = genuine::check(&Context { file: &file, trust, latest }, judge, seen)?;
    let evidence = file.evidence();
    let proofs = Proofs {
        record: evidence.record,
        batch: evidence.batch,
        anchor: evidence.anchor,
        status: evidence.status,
        trust,
        latest,
        may_have_spare_lines: false,
    };
    let header_index = anchored::check(&proofs, &signed, judge)?;
    if let Some(later) = later {
        let (doubt, detail) = (Doubt::AuthoritiesUnknown, later.0);
        return Err(Conclusion::Unjudged(Unjudged { doubt, parameters: Parameters::NONE, detail }));
    }
    in_force::check(&proofs, header_index, judge, seen)
}
