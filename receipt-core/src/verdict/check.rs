//! The list of the checks that were made, and what became of them. Their names and sentences: `sentences`.

use std::fmt::Display;

use super::Conclusion;
use super::layer::Layer;
use super::sentences::{CheckId, Doubt, Sentence};

/// What became of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LayerResult {
    /// Every check of it holds.
    Passed,
    /// A check of it does not hold, or (in force) the receipt is reversed.
    Failed,
    /// An earlier check failed, or this cannot be judged here.
    Unknown,
}

impl LayerResult {
    /// The stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }
}

/// What became of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckOutcome {
    /// The check holds.
    Passed,
    /// It does not hold, and the verdict does not hang on it.
    Warned,
    /// The check does not hold, and the bundle is invalid.
    Failed,
    /// Whether it holds cannot be judged here.
    Unknown,
}

impl CheckOutcome {
    /// The stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Warned => "warned",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }
}

/// A check that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Which check it is.
    pub id: CheckId,
    /// Whether it holds.
    pub outcome: CheckOutcome,
    /// Particulars of a warning or failure, without personal values.
    pub details: Vec<String>,
}

/// Why a bundle proves nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The check that did not hold.
    pub check: CheckId,
    /// Particulars, without personal values.
    pub detail: String,
}

impl Failure {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        self.check.code()
    }

    /// One sentence for a person.
    pub const fn sentence(&self) -> Sentence {
        self.check.failure()
    }

    /// The layer that failed.
    pub const fn layer(&self) -> Layer {
        self.check.layer()
    }
}

/// Why a file that may be good cannot be judged here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unjudged {
    /// What this program or trust file lacks.
    pub doubt: Doubt,
    /// Particulars, without personal values.
    pub detail: String,
}

/// Collects checks in order. Its errors are what the verdict comes to.
#[derive(Default)]
pub(super) struct Judge {
    checks: Vec<Check>,
}

impl Judge {
    pub(super) fn pass(&mut self, id: CheckId) {
        self.checks.push(Check { id, outcome: CheckOutcome::Passed, details: Vec::new() });
    }

    pub(super) fn warn(&mut self, id: CheckId, details: Vec<String>) {
        self.checks.push(Check { id, outcome: CheckOutcome::Warned, details });
    }

    pub(super) fn fail(&mut self, id: CheckId, detail: impl Display) -> Conclusion {
        let detail = detail.to_string();
        self.checks.push(Check { id, outcome: CheckOutcome::Failed, details: vec![detail.clone()] });
        Conclusion::Invalid(Failure { check: id, detail })
    }

    /// The check cannot be made with what this program and this trust file know.
    pub(super) fn doubt(&mut self, id: CheckId, doubt: Doubt, detail: impl Display) -> Conclusion {
        let detail = detail.to_string();
        self.leave_open(id, &detail);
        Conclusion::Unjudged(Unjudged { doubt, detail })
    }

    /// The file is something else.
    pub(super) fn no_receipt(&mut self, detail: impl Display) -> Conclusion {
        let detail = detail.to_string();
        self.leave_open(CheckId::BundleForm, &detail);
        Conclusion::NoReceipt { detail }
    }

    /// The check cannot be made here, and those after it are made all the same.
    pub(super) fn leave_open(&mut self, id: CheckId, detail: &str) {
        self.checks.push(Check { id, outcome: CheckOutcome::Unknown, details: vec![detail.to_owned()] });
    }

    /// Passes if the condition holds.
    pub(super) fn require(&mut self, id: CheckId, holds: bool, detail: impl Display) -> Result<(), Conclusion> {
        if !holds {
            return Err(self.fail(id, detail));
        }
        self.pass(id);
        Ok(())
    }

    /// Passes with the value, fails with the error.
    pub(super) fn require_ok<T, E: Display>(&mut self, id: CheckId, result: Result<T, E>) -> Result<T, Conclusion> {
        let value = result.map_err(|error| self.fail(id, error))?;
        self.pass(id);
        Ok(value)
    }

    /// What became of a layer, the verdict being final.
    pub(super) fn layer(&self, layer: Layer) -> LayerResult {
        let reached = self.checks.last().is_some_and(|last| layer <= last.id.layer());
        let ended = |outcome| self.checks.iter().any(|check| check.id.layer() == layer && check.outcome == outcome);
        if ended(CheckOutcome::Failed) {
            LayerResult::Failed
        } else if !reached || ended(CheckOutcome::Unknown) {
            LayerResult::Unknown
        } else {
            LayerResult::Passed
        }
    }

    pub(super) fn into_checks(self) -> Vec<Check> {
        self.checks
    }
}
