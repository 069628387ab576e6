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
//! prove just that. What is not checked at all is listed too ([`NotChecked`]).
//!
//! No network, no clock, no way to skip a check, no panic.

mod anchored;
mod check;
mod face;
mod genuine;
mod in_force;
mod labels;
mod layer;
mod place;
mod report;
mod sentences;
mod text;
mod versions;

#[cfg(test)]
mod tests;

pub use check::{Check, CheckOutcome, Failure, LayerResult, Unjudged};
pub use face::{Face, FaceLine, utc_text};
pub use genuine::differing_field;
pub use in_force::proved_status;
pub use labels::{FieldLabel, field_label};
pub use layer::Layer;
pub use place::{PlaceError, PlaceVerdict, RecordPlace, proved_place};
pub use report::{CheckReport, ConclusionReport, LayersReport, NotCheckedReport, VerdictReport};
pub use sentences::{CheckId, Doubt, Heading, NotChecked, Sentence};

use crate::bundle::{self, BUNDLE_FORMAT, Bundle, FileKind};
use crate::ids::{ReceiptKey, UnixMillis};
use crate::note::PosixSeconds;
use crate::receipt::model::Receipt;
use crate::shown::line;
use crate::suite::ChainId;
use crate::trust::TrustFile;
use check::Judge;
use face::time_text;

/// How far a signed time may lie ahead of the caller's: clocks drift.
pub const CLOCK_DRIFT_MS_MAX: u64 = 10 * 60 * 1000;

/// The code of a file that is no bundle.
const NO_RECEIPT: &str = "NO_RECEIPT";

/// Whether somebody can have meant this time of a judgement: from 2020 to 2100. Anything else is seconds, a date or a typing error.
pub fn can_be_meant(at: UnixMillis) -> bool {
    (1_577_836_800_000..4_102_444_800_000).contains(&at.get())
}

/// What it all amounts to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Conclusion {
    /// Genuine, anchored, and plainly in force as of that time.
    InForce {
        /// The quorum's time that the status is proved for, in seconds since 1970.
        as_of: PosixSeconds,
    },
    /// Genuine and anchored, but 冲红 by a red receipt.
    Reversed {
        /// The red receipt.
        by: ReceiptKey,
        /// The quorum's time that the status is proved for, in seconds since 1970.
        as_of: PosixSeconds,
    },
    /// It may be good, and this program or this trust file does not know enough to say.
    Unjudged(Unjudged),
    /// The file is something else than a bundle.
    NoReceipt {
        /// What it seems to be.
        detail: String,
    },
    /// Something does not hold.
    Invalid(Failure),
}

impl Conclusion {
    /// The words for it.
    pub const fn heading(&self) -> Heading {
        match self {
            Self::InForce { .. } => Heading::InForce,
            Self::Reversed { .. } => Heading::Reversed,
            Self::Unjudged(_) => Heading::Unjudged,
            Self::NoReceipt { .. } => Heading::NoReceipt,
            Self::Invalid(_) => Heading::Invalid,
        }
    }
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
    /// The chain that the trust file is about.
    pub chain: ChainId,
    /// The chain's name.
    pub chain_name: String,
    /// The chain's UTC offset, for printing times.
    pub utc_offset_minutes: i32,
    /// The receipt, once it is known to be what the record commits to.
    pub receipt: Option<Receipt>,
    /// The agencies of the quorum that vouches for the status, by their names in the validator set.
    pub signers: Vec<String>,
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
        self.receipt.as_ref().filter(|receipt| receipt.draft.is_red())?.draft.reversal_of()
    }

    /// What failed, if something did.
    pub fn failure(&self) -> Option<&Failure> {
        match &self.conclusion {
            Conclusion::Invalid(failure) => Some(failure),
            _ => None,
        }
    }

    /// Stable code of what the conclusion hangs on: of the check that failed, of the doubt, or `NO_RECEIPT`; empty if the receipt
    /// is proved.
    pub fn code(&self) -> &'static str {
        match &self.conclusion {
            Conclusion::InForce { .. } | Conclusion::Reversed { .. } => "",
            Conclusion::Unjudged(unjudged) => unjudged.doubt.code(),
            Conclusion::NoReceipt { .. } => NO_RECEIPT,
            Conclusion::Invalid(failure) => failure.code(),
        }
    }

    /// What the check that was left open means.
    fn open_sentence(&self) -> Option<Sentence> {
        match &self.conclusion {
            Conclusion::Unjudged(unjudged) => Some(unjudged.doubt.sentence()),
            Conclusion::NoReceipt { .. } => Some(Heading::NoReceipt.sentence()),
            _ => None,
        }
    }

    /// The same verdict for one who does not take an older word: a receipt whose status was stated more than so many seconds before
    /// the given time is not called in force. A reversal stays one, however old.
    #[must_use]
    pub fn not_older_than(mut self, age_seconds_max: u64) -> Self {
        if let (Conclusion::InForce { as_of }, Some(age)) = (&self.conclusion, self.as_of_age_seconds())
            && age > age_seconds_max
        {
            let as_of = time_text(UnixMillis::new(as_of.get().saturating_mul(1000)), self.utc_offset_minutes);
            let (age, allowed) = (text::age(age), text::age(age_seconds_max));
            let detail = format!("it was in force as of {as_of}, {age} ago, and {allowed} are allowed");
            self.conclusion = Conclusion::Unjudged(Unjudged { doubt: Doubt::TooOld, detail });
            self.layers.in_force = LayerResult::Unknown;
        }
        self
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
        match self.conclusion {
            Conclusion::InForce { as_of } | Conclusion::Reversed { as_of, .. } => {
                Some(self.at.seconds().saturating_sub(as_of.get()))
            }
            Conclusion::Unjudged(_) | Conclusion::NoReceipt { .. } | Conclusion::Invalid(_) => None,
        }
    }

    /// What a verifier without network cannot know.
    pub fn not_checked(&self) -> &'static [NotChecked] {
        NotChecked::ALL
    }

    /// The report for machines.
    pub fn to_report(&self) -> VerdictReport {
        report::of(self)
    }

    /// The verdict in one line, without a line end: what it comes to, and as of when or why.
    pub fn to_line(&self) -> String {
        text::headline(self)
    }

    /// The report for people, in Chinese and English.
    pub fn to_text(&self) -> String {
        text::render(self)
    }
}

/// Judges the bytes of a bundle (`.tally`) against a trust file. `at` is the time of the judgement, in milliseconds since 1970: what
/// is signed more than [`CLOCK_DRIFT_MS_MAX`] later is refused. Takes any bytes, and always gives a verdict: see [`Conclusion`].
pub fn verify_bundle(bytes: &[u8], trust: &TrustFile, at: UnixMillis) -> Verdict {
    let mut judge = Judge::default();
    let mut seen = Seen::default();
    let conclusion = match conclude(bytes, trust, at, &mut judge, &mut seen) {
        Ok(conclusion) | Err(conclusion) => conclusion,
    };
    let layer = |layer| judge.layer(layer);
    Verdict {
        layers: Layers {
            genuine: layer(Layer::Genuine),
            anchored: layer(Layer::Anchored),
            in_force: match conclusion {
                Conclusion::Reversed { .. } => LayerResult::Failed,
                _ => layer(Layer::InForce),
            },
        },
        conclusion,
        checks: judge.into_checks(),
        at,
        chain: trust.chain_id(),
        chain_name: trust.chain_name().to_owned(),
        utc_offset_minutes: trust.utc_offset_minutes(),
        receipt: seen.receipt,
        signers: seen.signers,
    }
}

/// What was established on the way.
#[derive(Default)]
struct Seen {
    receipt: Option<Receipt>,
    signers: Vec<String>,
}

/// What all checks are made against.
struct Context<'a> {
    bundle: &'a Bundle,
    trust: &'a TrustFile,
    /// Nothing may have been signed later than this.
    latest: UnixMillis,
}

fn conclude(
    bytes: &[u8],
    trust: &TrustFile,
    at: UnixMillis,
    judge: &mut Judge,
    seen: &mut Seen,
) -> Result<Conclusion, Conclusion> {
    match bundle::kind_of(bytes) {
        FileKind::Bundle => {}
        FileKind::OtherBundle { format } => {
            let detail = format!("its format is {}, and this program knows {BUNDLE_FORMAT}", line(&format));
            return Err(judge.doubt(CheckId::BundleForm, Doubt::FormatUnknown, detail));
        }
        FileKind::Other { seems } => return Err(judge.no_receipt(seems)),
    }
    let bundle = judge.require_ok(CheckId::BundleForm, Bundle::decode(bytes))?;
    let context = Context { bundle: &bundle, trust, latest: at.plus_millis(CLOCK_DRIFT_MS_MAX) };
    let (signed, receipt, later) = genuine::check(&context, judge)?;
    seen.receipt = Some(receipt);
    let header_index = anchored::check(&context, &signed, judge)?;
    if let Some(later) = later {
        return Err(Conclusion::Unjudged(Unjudged { doubt: Doubt::AuthoritiesUnknown, detail: later.0 }));
    }
    in_force::check(&context, header_index, judge, seen)
}
