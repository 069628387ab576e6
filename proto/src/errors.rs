//! One table of errors: stable reason ↔ gRPC code ↔ HTTP status ↔ whether and when to retry.
//!
//! A [`Refusal`] is what a service says; on the wire it is a gRPC status with `google.rpc.ErrorInfo{reason, domain}`, for
//! fields at fault `google.rpc.BadRequest`, where waiting helps `google.rpc.RetryInfo`; inside `IssueMany` it is an
//! `ItemError` with the same content. [`Refusal::from_status`] reads it back. What a refusal means for the receipt
//! ([`Advice`]) stands in the metadata.
//!
//! Invariants: a reason always travels with the code of the table; a retry hint is sent exactly where the table says
//! that the same request may succeed later; the advice says `repeat` or `repeat_here` exactly there.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::time::Duration;

use receipt_core::reason::Reason;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::issuer::v1 as issuer;

mod advice;

pub use advice::{ACTION_KEY, Action, Advice, PLACE_KEY, Place, RECEIPT_KEY, Stands, advice_if_refused};

/// `ErrorInfo.domain` of every refusal of ours.
pub const ERROR_DOMAIN: &str = "tallystick";

macro_rules! call_reasons {
    ($($variant:ident = $name:literal, $sentence:literal;)*) => {
        /// Why a call is refused that has nothing to do with receipts: who calls, how, and whether the service can.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum CallReason {
            $(#[doc = $sentence] $variant,)*
        }

        impl CallReason {
            /// Every variant, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The stable name.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// One sentence for a person.
            pub const fn sentence(self) -> &'static str {
                match self { $(Self::$variant => $sentence,)* }
            }

            fn parse(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

call_reasons! {
    NotAuthenticated = "NOT_AUTHENTICATED", "The client certificate names nobody of this chain, or is not valid now.";
    NotPermitted = "NOT_PERMITTED", "The caller's role may not call this method.";
    NotDelegated = "NOT_DELEGATED", "The registry does not let this system act for this unit and place.";
    RequestInvalid = "REQUEST_INVALID", "The request is incomplete or contradicts itself.";
    PageTokenInvalid = "PAGE_TOKEN_INVALID", "The page token was not made for this list and filter.";
    RequestTooLarge = "REQUEST_TOO_LARGE", "The request exceeds a limit in bytes or items.";
    MethodUnknown = "METHOD_UNKNOWN", "This service has no such method.";
    EncodingUnknown = "ENCODING_UNKNOWN", "The request is compressed in a way that this service does not read.";
    NotFound = "NOT_FOUND", "There is no such thing, or not yet.";
    BodyErased = "BODY_ERASED", "The body of this receipt was erased; its record, number and state remain.";
    NoDocument = "NO_DOCUMENT", "This issuer can not make that document; the message says why. The bundle can be had all the same.";
    NotReady = "NOT_READY", "The service is starting or catching up; retry after the stated delay.";
    ClockWrong = "CLOCK_WRONG", "The service's clock is too far from the ledger's time; retry elsewhere or after the stated delay.";
    ShuttingDown = "SHUTTING_DOWN", "The service is shutting down; retry elsewhere or after the stated delay.";
    DiskLow = "DISK_LOW", "The service's disk is nearly full; it only answers reads.";
    OutcomeUnknown = "OUTCOME_UNKNOWN", "Whether the call was carried out is not known.";
    Internal = "INTERNAL", "The service failed; its operator finds the cause under the request id.";
}

/// A stable reason: of the domain, or of the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorReason {
    /// About receipts, batches or the ledger.
    Core(Reason),
    /// About the call itself.
    Call(CallReason),
}

impl From<Reason> for ErrorReason {
    fn from(reason: Reason) -> Self {
        Self::Core(reason)
    }
}

impl From<CallReason> for ErrorReason {
    fn from(reason: CallReason) -> Self {
        Self::Call(reason)
    }
}

impl fmt::Display for ErrorReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mapping {
    /// Canonical gRPC code.
    pub code: Code,
    /// HTTP status of the JSON doors.
    pub http_status: u16,
    /// After how many milliseconds the same request may succeed, unless the service knows better; `None`: never.
    pub retry_after_ms: Option<u64>,
}

impl ErrorReason {
    /// The stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Core(reason) => reason.as_str(),
            Self::Call(reason) => reason.as_str(),
        }
    }

    /// One sentence for a person.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Core(reason) => reason.sentence(),
            Self::Call(reason) => reason.sentence(),
        }
    }

    /// Reads a stable name; `None` for one of a newer version.
    pub fn parse(name: &str) -> Option<Self> {
        Reason::parse(name).map(Self::Core).or_else(|| CallReason::parse(name).map(Self::Call))
    }

    /// The reason's row.
    pub const fn mapping(self) -> Mapping {
        match self {
            Self::Core(reason) => core_mapping(reason),
            Self::Call(reason) => call_mapping(reason),
        }
    }
}

const fn never(code: Code, http_status: u16) -> Mapping {
    Mapping { code, http_status, retry_after_ms: None }
}

const fn later(code: Code, http_status: u16, retry_after_ms: u64) -> Mapping {
    Mapping { code, http_status, retry_after_ms: Some(retry_after_ms) }
}

const fn core_mapping(reason: Reason) -> Mapping {
    use Reason as R;
    match reason {
        R::Replayed => never(Code::Ok, 200),
        R::InProgress => later(Code::Aborted, 409, 200),
        R::RateLimited => later(Code::ResourceExhausted, 429, 1_000),
        R::Overloaded => later(Code::ResourceExhausted, 503, 500),
        R::LedgerUnavailable => later(Code::Unavailable, 503, 1_000),
        R::SequenceGap => later(Code::FailedPrecondition, 409, 200),
        R::TooEarly => later(Code::FailedPrecondition, 409, 60_000),
        R::RefusalBudgetSpent => later(Code::ResourceExhausted, 429, 60_000),
        // The unit's authority leases another segment; another issuer of the unit may have numbers now.
        R::NumberExhausted => later(Code::FailedPrecondition, 409, 60_000),
        R::UnitUnknown | R::PayCodeUnknown | R::NotFoundOrMismatch | R::OriginalUnknown => never(Code::NotFound, 404),
        R::IssuerUnknown | R::SegmentUnknown => never(Code::NotFound, 404),
        R::BizCodeConflict | R::BizCodeUsed | R::NumberUsed | R::SequenceConflict => never(Code::AlreadyExists, 409),
        R::UnitSuspended | R::KeyRevoked | R::EpochFenced | R::RecordTypeNotAllowed => {
            never(Code::PermissionDenied, 403)
        }
        R::SumMismatch | R::MedicalSplitMismatch | R::FieldInvalid | R::DateOutOfRange => {
            never(Code::InvalidArgument, 400)
        }
        R::SignatureInvalid | R::RootMismatch | R::CountMismatch | R::NotCanonical | R::RecordTooLarge => {
            never(Code::InvalidArgument, 400)
        }
        R::BatchTooLarge | R::UnitMismatch | R::AmountMismatch | R::SuiteUnknown | R::ChainMismatch => {
            never(Code::InvalidArgument, 400)
        }
        R::TimeInvalid => never(Code::InvalidArgument, 400),
        R::NumberNotOwned | R::KindNotAllowed | R::ItemNotAllowed | R::PayCodeUnpaid => {
            never(Code::FailedPrecondition, 409)
        }
        R::PaymentReceipted | R::DecisionPaid | R::AlreadyReversed | R::PaperOut | R::ClaimLive | R::ClaimExceeds => {
            never(Code::FailedPrecondition, 409)
        }
        R::OfflineExpired | R::OriginalIsRed => never(Code::FailedPrecondition, 409),
    }
}

const fn call_mapping(reason: CallReason) -> Mapping {
    match reason {
        CallReason::NotAuthenticated => never(Code::Unauthenticated, 401),
        CallReason::NotPermitted | CallReason::NotDelegated => never(Code::PermissionDenied, 403),
        CallReason::RequestInvalid | CallReason::PageTokenInvalid => never(Code::InvalidArgument, 400),
        CallReason::RequestTooLarge => never(Code::OutOfRange, 413),
        CallReason::MethodUnknown | CallReason::EncodingUnknown => never(Code::Unimplemented, 501),
        CallReason::NotFound => never(Code::NotFound, 404),
        CallReason::BodyErased => never(Code::NotFound, 410),
        CallReason::NoDocument => never(Code::FailedPrecondition, 409),
        CallReason::NotReady | CallReason::ShuttingDown => later(Code::Unavailable, 503, 1_000),
        CallReason::ClockWrong => later(Code::Unavailable, 503, 10_000),
        CallReason::DiskLow => later(Code::ResourceExhausted, 507, 60_000),
        CallReason::OutcomeUnknown => later(Code::Unavailable, 503, 1_000),
        // A failure of the service is no verdict on the request.
        CallReason::Internal => later(Code::Internal, 500, 10_000),
    }
}

/// One field at fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldViolation {
    /// Path as in the bundle: `items[3].amount`.
    pub field: String,
    /// For a person; not stable.
    pub description: String,
}

impl fmt::Display for FieldViolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.description)
    }
}

/// Why a service does not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}: {message}")]
pub struct Refusal {
    /// The stable reason, which callers match on.
    pub reason: ErrorReason,
    /// For a person; not stable; without personal data.
    pub message: String,
    /// Fields at fault.
    pub violations: Vec<FieldViolation>,
    /// After how many milliseconds a retry makes sense; `None`: the same request never succeeds.
    pub retry_after_ms: Option<u64>,
    /// Whether a receipt stands, where, and what to do. In the metadata on the wire.
    pub advice: Advice,
    /// Further facts by stable key: `receipt_code`, `receipt_number` and `biz_code` of the receipt that stands, where the
    /// caller may know it.
    pub metadata: BTreeMap<String, String>,
}

impl Refusal {
    /// A refusal for this reason, with the sentence and retry hint of the table.
    pub fn new(reason: impl Into<ErrorReason>) -> Self {
        let reason = reason.into();
        Self {
            reason,
            message: reason.sentence().to_owned(),
            violations: Vec::new(),
            retry_after_ms: reason.mapping().retry_after_ms,
            advice: reason.advice(),
            metadata: BTreeMap::new(),
        }
    }

    /// `FIELD_INVALID` for one field, which the message names, too.
    pub fn field(field: impl Into<String>, description: impl Into<String>) -> Self {
        Self::fields(
            Reason::FieldInvalid,
            vec![FieldViolation { field: field.into(), description: description.into() }],
        )
    }

    /// A refusal for these fields, the first of which the message names.
    pub fn fields(reason: impl Into<ErrorReason>, violations: Vec<FieldViolation>) -> Self {
        let refusal = Self::new(reason);
        let message = match violations.as_slice() {
            [] => refusal.message.clone(),
            [only] => only.to_string(),
            [first, rest @ ..] => format!("{first} (and {} more)", rest.len()),
        };
        Self { violations, message, ..refusal }
    }

    /// Replaces the message for people.
    #[must_use]
    pub fn with_message(mut self, message: impl Into<String>) -> Self {
        self.message = message.into();
        self
    }

    /// Adds a field that is at fault.
    #[must_use]
    pub fn with_violation(mut self, field: impl Into<String>, description: impl Into<String>) -> Self {
        self.violations.push(FieldViolation { field: field.into(), description: description.into() });
        self
    }

    /// Adds a key and a value to the metadata.
    #[must_use]
    pub fn with_metadata(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.metadata.insert(key.into(), value.into());
        self
    }

    /// With another advice than the reason's usual one. That of waiting fits the retry hint: leave it as it is.
    #[must_use]
    pub fn with_advice(mut self, receipt: Stands, place: Place, action: Action) -> Self {
        self.advice = Advice { receipt, place, action };
        self
    }

    /// With a better retry hint than the table's. Without effect where the table says never.
    #[must_use]
    pub fn with_retry_after_ms(mut self, millis: u64) -> Self {
        self.retry_after_ms = self.retry_after_ms.map(|_| millis);
        self
    }

    /// The gRPC status.
    pub fn to_status(&self) -> Status {
        let metadata = self.all_metadata();
        let mut details = ErrorDetails::with_error_info(self.reason.as_str(), ERROR_DOMAIN, metadata);
        for violation in &self.violations {
            details.add_bad_request_violation(&violation.field, &violation.description);
        }
        if let Some(millis) = self.retry_after_ms {
            details.set_retry_info(Some(Duration::from_millis(millis)));
        }
        Status::with_error_details(self.reason.mapping().code, &self.message, details)
    }

    /// Reads a status back; `None` if it is not one of ours, or of a newer version.
    pub fn from_status(status: &Status) -> Option<Self> {
        let details = status.get_error_details();
        let info = details.error_info().filter(|info| info.domain == ERROR_DOMAIN)?;
        let violations = details.bad_request().map(|bad| bad.field_violations.as_slice()).unwrap_or_default();
        let delay = details.retry_info().and_then(|retry| retry.retry_delay);
        let reason = ErrorReason::parse(&info.reason)?;
        let mut metadata: BTreeMap<String, String> = info.metadata.clone().into_iter().collect();
        Some(Self {
            reason,
            message: status.message().to_owned(),
            violations: violations
                .iter()
                .map(|v| FieldViolation { field: v.field.clone(), description: v.description.clone() })
                .collect(),
            retry_after_ms: delay.map(|delay| u64::try_from(delay.as_millis()).unwrap_or(u64::MAX)),
            advice: Advice::remove_from(&mut metadata, reason),
            metadata,
        })
    }

    fn all_metadata(&self) -> HashMap<String, String> {
        let mut metadata: HashMap<String, String> = self.metadata.clone().into_iter().collect();
        self.advice.write(&mut metadata);
        metadata
    }

    /// The refusal as the result of one item of `IssueMany`.
    pub fn to_item_error(&self) -> issuer::ItemError {
        issuer::ItemError {
            reason: self.reason.as_str().to_owned(),
            message: self.message.clone(),
            field_violations: self
                .violations
                .iter()
                .map(|v| issuer::FieldViolation { field: v.field.clone(), description: v.description.clone() })
                .collect(),
            retry_after_ms: self.retry_after_ms.unwrap_or(0),
            grpc_code: self.reason.mapping().code as i32,
            metadata: self.all_metadata(),
        }
    }

    /// Reads an item's error back; `None` for a reason of a newer version.
    pub fn from_item_error(error: &issuer::ItemError) -> Option<Self> {
        let reason = ErrorReason::parse(&error.reason)?;
        let mut metadata: BTreeMap<String, String> = error.metadata.clone().into_iter().collect();
        Some(Self {
            reason,
            message: error.message.clone(),
            violations: error
                .field_violations
                .iter()
                .map(|v| FieldViolation { field: v.field.clone(), description: v.description.clone() })
                .collect(),
            retry_after_ms: (error.retry_after_ms > 0).then_some(error.retry_after_ms),
            advice: Advice::remove_from(&mut metadata, reason),
            metadata,
        })
    }
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        refusal.to_status()
    }
}

/// After how long the same idempotent call may be tried again; `None`: never. Also of statuses that no service of ours
/// made, such as a broken connection.
pub fn retry_after(status: &Status) -> Option<Duration> {
    if let Some(refusal) = Refusal::from_status(status) {
        return refusal.retry_after_ms.map(Duration::from_millis);
    }
    match status.code() {
        Code::Unavailable | Code::Cancelled | Code::DeadlineExceeded | Code::Unknown => {
            Some(Duration::from_millis(200))
        }
        Code::ResourceExhausted | Code::Aborted => Some(Duration::from_millis(500)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
