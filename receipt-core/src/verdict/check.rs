//! The list of the checks that were made, and what became of them. Their names and sentences: `sentences`.

use std::fmt::Display;

use super::conclusion::{Conclusion, Doubt, Failure, Unjudged};
use super::layer::{Layer, LayerResult};
use super::sentences::{CheckId, Finding};
use super::value::Parameters;

/// What became of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckOutcome {
    /// The check holds.
    Passed,
    /// It does not hold, and the verdict does not hang on it.
    Warned,
    /// The check does not hold, and the receipt is no good.
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
    /// What its sentence names.
    pub parameters: Parameters,
    /// Particulars of a warning or failure for whoever mends a program: English, without personal values.
    pub details: Vec<String>,
}

/// Collects checks in order. Its errors are what the verdict comes to.
#[derive(Default)]
pub(super) struct Judge {
    checks: Vec<Check>,
}

impl Judge {
    fn add(&mut self, id: CheckId, outcome: CheckOutcome, parameters: Parameters, details: Vec<String>) {
        self.checks.push(Check { id, outcome, parameters, details });
    }

    pub(super) fn pass(&mut self, id: CheckId) {
        self.add(id, CheckOutcome::Passed, Parameters::NONE, Vec::new());
    }

    pub(super) fn warn(&mut self, id: CheckId, parameters: Parameters, details: Vec<String>) {
        self.add(id, CheckOutcome::Warned, parameters, details);
    }

    pub(super) fn fail(&mut self, id: CheckId, detail: impl Display) -> Conclusion {
        self.fail_with(id, Parameters::NONE, detail)
    }

    /// The check fails, and its sentence names something.
    pub(super) fn fail_with(&mut self, id: CheckId, parameters: Parameters, detail: impl Display) -> Conclusion {
        let detail = detail.to_string();
        self.add(id, CheckOutcome::Failed, parameters.clone(), vec![detail.clone()]);
        Conclusion::Invalid(Failure { check: id, parameters, detail })
    }

    /// The check cannot be made with what this program and this trust file know.
    pub(super) fn doubt(&mut self, id: CheckId, doubt: Doubt, detail: impl Display) -> Conclusion {
        self.doubt_with(id, doubt, Parameters::NONE, detail)
    }

    /// The same, and the finding's sentence names something.
    pub(super) fn doubt_with(
        &mut self,
        id: CheckId,
        doubt: Doubt,
        parameters: Parameters,
        detail: impl Display,
    ) -> Conclusion {
        let detail = detail.to_string();
        self.leave_open(id, &detail);
        Conclusion::Unjudged(Unjudged { doubt, parameters, detail })
    }

    /// The check cannot be made here, and those after it are made all the same.
    pub(super) fn leave_open(&mut self, id: CheckId, detail: &str) {
        self.add(id, CheckOutcome::Unknown, Parameters::NONE, vec![detail.to_owned()]);
    }

    /// One more particular of the check that was made last.
    pub(super) fn particular(&mut self, detail: String) {
        if let Some(last) = self.checks.last_mut() {
            last.details.push(detail);
        }
    }

    /// Passes if the condition holds.
    pub(super) fn require(&mut self, id: CheckId, holds: bool, detail: impl Display) -> Result<(), Conclusion> {
        self.require_with(id, holds, || Parameters::NONE, detail)
    }

    /// Passes if the condition holds; its sentence names something if it does not.
    pub(super) fn require_with(
        &mut self,
        id: CheckId,
        holds: bool,
        parameters: impl FnOnce() -> Parameters,
        detail: impl Display,
    ) -> Result<(), Conclusion> {
        if !holds {
            return Err(self.fail_with(id, parameters(), detail));
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

    /// What became of a layer, the verdict being final. What is from the future says as much of the clock as of the layer.
    pub(super) fn layer(&self, layer: Layer) -> LayerResult {
        let mut is_open = self.checks.last().is_none_or(|last| layer > last.id.layer());
        for check in self.checks.iter().filter(|check| check.id.layer() == layer) {
            match check.outcome {
                CheckOutcome::Failed if check.id.finding() != Finding::FromTheFuture => return LayerResult::Failed,
                CheckOutcome::Failed | CheckOutcome::Unknown => is_open = true,
                CheckOutcome::Passed | CheckOutcome::Warned => {}
            }
        }
        if is_open { LayerResult::Unknown } else { LayerResult::Passed }
    }

    pub(super) fn into_checks(self) -> Vec<Check> {
        self.checks
    }
}
