//! Failures inside this process, as a caller sees them: a reason and no detail. The detail is in the log.

use tallystick_proto::errors::{CallReason, Refusal};

/// `INTERNAL`: something failed that the caller has no part in.
pub(crate) fn internal(error: impl std::fmt::Display) -> Refusal {
    tracing::error!(%error, "a call failed inside");
    Refusal::new(CallReason::Internal)
}
