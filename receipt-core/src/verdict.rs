//! The verdict on a bundle: a pure function of (bundle, trust file, time given by the caller).
//!
//! ```text
//! genuine    the body is what the record commits to, and the unit signed the record
//! anchored   the record stands in a batch whose header stands in the log under a quorum of validators
//! in force   as of a later quorum, the ledger's status map says nothing else about it
//! ```
//! The checks run in the order of [`CheckId::ALL`] and stop at the first that fails, so a verdict is the list of all that
//! was established before. Body rules (V06 to V11, V13, V23, V24, V27, FORM of days) only warn: a receipt that breaks one is still the
//! unit's own act, and a holder must be able to prove just that. What is not checked at all is listed too ([`NotChecked`]).
//!
//! No network, no clock, no way to skip a check, no panic.

mod anchored;
mod check;
mod face;
mod genuine;
mod in_force;
mod labels;
mod report;
mod text;

#[cfg(test)]
mod tests;

pub use check::{Check, CheckId, CheckOutcome, Failure, Layer, LayerResult, NotChecked};
pub use face::{Face, FaceLine, utc_text};
pub use genuine::differing_field;
pub use in_force::proved_status;
pub use labels::{FieldLabel, field_label};
pub use report::{CheckReport, ConclusionReport, LayersReport, NotCheckedReport, VerdictReport};

use crate::bundle::Bundle;
use crate::ids::{ReceiptKey, UnixMillis};
use crate::note::PosixSeconds;
use crate::receipt::model::Receipt;
use crate::suite::ChainId;
use crate::trust::TrustFile;
use check::Judge;

/// How far a signed time may lie ahead of the caller's: clocks drift.
pub const CLOCK_DRIFT_MS_MAX: u64 = 10 * 60 * 1000;

/// What it all amounts to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Conclusion {
    /// Genuine, anchored, and plainly in force as of that time.
    InForce {
        /// As of when.
        as_of: PosixSeconds,
    },
    /// Genuine and anchored, but 冲红 by a red receipt.
    Reversed {
        /// The red receipt.
        by: ReceiptKey,
        /// As of when.
        as_of: PosixSeconds,
    },
    /// Something does not hold.
    Invalid(Failure),
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
    /// What it amounts to.
    pub conclusion: Conclusion,
    /// Layer by layer.
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
    /// Names of the quorum that vouches for the status.
    pub signers: Vec<String>,
}

impl Verdict {
    /// Whether the receipt is genuine, anchored and in force.
    pub fn is_in_force(&self) -> bool {
        matches!(self.conclusion, Conclusion::InForce { .. })
    }

    /// The receipt that this one reverses, if it is a red one (冲红): in force or not, it attests no payment received.
    pub fn reverses(&self) -> Option<ReceiptKey> {
        self.receipt.as_ref().filter(|receipt| receipt.draft.is_red())?.draft.reversal_of()
    }

    /// What failed, if something did.
    pub fn failure(&self) -> Option<&Failure> {
        match &self.conclusion {
            Conclusion::Invalid(failure) => Some(failure),
            Conclusion::InForce { .. } | Conclusion::Reversed { .. } => None,
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
        match self.conclusion {
            Conclusion::InForce { as_of } | Conclusion::Reversed { as_of, .. } => {
                Some(self.at.seconds().saturating_sub(as_of.get()))
            }
            Conclusion::Invalid(_) => None,
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

    /// The report for people, in Chinese and English.
    pub fn to_text(&self) -> String {
        text::render(self)
    }
}

/// Judges the bytes of a bundle against a trust file at a time.
pub fn verify_bundle(bytes: &[u8], trust: &TrustFile, at: UnixMillis) -> Verdict {
    let mut judge = Judge::default();
    let mut seen = Seen::default();
    let conclusion = match conclude(bytes, trust, at, &mut judge, &mut seen) {
        Ok(conclusion) => conclusion,
        Err(failure) => Conclusion::Invalid(failure),
    };
    let invalid = matches!(conclusion, Conclusion::Invalid(_));
    let layer = |layer| judge.layer(layer, invalid);
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
) -> Result<Conclusion, Failure> {
    let bundle = judge.take(CheckId::BundleForm, Bundle::decode(bytes))?;
    let context = Context { bundle: &bundle, trust, latest: at.plus_millis(CLOCK_DRIFT_MS_MAX) };
    let (signed, receipt) = genuine::check(&context, judge)?;
    seen.receipt = Some(receipt);
    let header_index = anchored::check(&context, &signed, judge)?;
    in_force::check(&context, header_index, judge, seen)
}
