//! What a caller must know beside the reason so that one payment never gets two receipts: whether a receipt stands, where
//! it is found, and what to do.
//!
//! Two tables over the same reasons, because the same reason means different things in two places: in the refusal of a
//! call ([`ErrorReason::advice`]: nothing was made by this call), and as `refused_reason` of an acknowledged receipt that
//! the ledger refused ([`advice_if_refused`]: its number is spent). `docs/spec/reasons.md` shows both; a test compares.

use std::collections::BTreeMap;

use receipt_core::reason::Reason;

use super::{CallReason, ErrorReason};
use crate::issuer::v1 as issuer;

/// Key of [`Stands`] in `ErrorInfo.metadata`.
pub const RECEIPT_KEY: &str = "receipt";
/// Key of [`Place`] in `ErrorInfo.metadata`.
pub const PLACE_KEY: &str = "where";
/// Key of [`Action`] in `ErrorInfo.metadata`.
pub const ACTION_KEY: &str = "action";

macro_rules! texts {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            /// Every variant, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The stable text.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

texts! {
    /// Whether a receipt stands for what the call was about.
    Stands {
        /// One stands, pending or sealed.
        Yes = "yes",
        /// This call made none, and met none.
        No = "no",
        /// Nobody here knows.
        Unknown = "unknown",
    }
}

texts! {
    /// Where that receipt is found.
    Place {
        /// There is none, or nobody knows of one.
        Nowhere = "nowhere",
        /// At this issuer, by unit and biz_code: `GetReceipt{biz_key}`.
        BizCode = "biz_code",
        /// At this issuer, by what was paid: `GetReceipt{payment}`.
        Payment = "payment",
        /// At this issuer, as `reversed_by` of the original: `GetReceipt{key}` of the original.
        Original = "original",
        /// At this issuer, of a unit or place for which this system may not act: the unit knows it.
        OtherPlace = "other_place",
        /// On the ledger, made by another issuer of the unit: `GetReceipt` there.
        OtherIssuer = "other_issuer",
    }
}

texts! {
    /// What a program does next.
    Action {
        /// Issue nothing: use the receipt that stands.
        UseReceipt = "use_receipt",
        /// Look at the receipt that stands and decide: the same business event, or another one that needs a biz_code of its own.
        LookUp = "look_up",
        /// The same call again after the stated delay, with the same biz_code; here, or at another issuer of the unit.
        Repeat = "repeat",
        /// The same call again after the stated delay, with the same biz_code, at this issuer: no other one knows.
        RepeatHere = "repeat_here",
        /// Correct what is named and call again. The biz_code is still free.
        Correct = "correct",
        /// Have the cause mended, then issue anew under a new biz_code.
        NewBizCode = "new_biz_code",
        /// The issuer's operator has to act.
        Operator = "operator",
        /// The authority has to change the registry; then the same call again.
        Authority = "authority",
    }
}

/// The three together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Advice {
    /// Whether a receipt stands.
    pub receipt: Stands,
    /// Where a receipt that stands can be found.
    pub place: Place,
    /// What the caller is to do.
    pub action: Action,
}

const fn advice(receipt: Stands, place: Place, action: Action) -> Advice {
    Advice { receipt, place, action }
}

const fn none(action: Action) -> Advice {
    advice(Stands::No, Place::Nowhere, action)
}

impl Advice {
    /// Writes it into the metadata of an error.
    pub(super) fn write(self, metadata: &mut impl Extend<(String, String)>) {
        let rows = [
            (RECEIPT_KEY, self.receipt.as_str()),
            (PLACE_KEY, self.place.as_str()),
            (ACTION_KEY, self.action.as_str()),
        ];
        metadata.extend(rows.map(|(key, text)| (key.to_owned(), text.to_owned())));
    }

    /// Takes it out of the metadata of an error; what is missing or of a newer version is that of the reason.
    pub(super) fn remove_from(metadata: &mut BTreeMap<String, String>, reason: ErrorReason) -> Self {
        let mut given = |key: &str| metadata.remove(key).unwrap_or_default();
        let (receipt, place, action) = (given(RECEIPT_KEY), given(PLACE_KEY), given(ACTION_KEY));
        let usual = reason.advice();
        Self {
            receipt: Stands::parse(&receipt).unwrap_or(usual.receipt),
            place: Place::parse(&place).unwrap_or(usual.place),
            action: Action::parse(&action).unwrap_or(usual.action),
        }
    }

    /// The wire form, which stands beside a `refused_reason`.
    pub fn to_wire(self) -> issuer::RefusedAdvice {
        issuer::RefusedAdvice {
            receipt: self.receipt.as_str().to_owned(),
            r#where: self.place.as_str().to_owned(),
            action: self.action.as_str().to_owned(),
        }
    }
}

impl ErrorReason {
    /// What the refusal of a call means, unless the service knows better.
    pub const fn advice(self) -> Advice {
        match self {
            Self::Core(reason) => core_advice(reason),
            Self::Call(reason) => call_advice(reason),
        }
    }
}

const fn core_advice(reason: Reason) -> Advice {
    use Reason as R;
    match reason {
        R::Replayed => advice(Stands::Yes, Place::BizCode, Action::UseReceipt),
        R::BizCodeConflict => advice(Stands::Yes, Place::BizCode, Action::LookUp),
        R::BizCodeUsed => advice(Stands::Yes, Place::BizCode, Action::UseReceipt),
        R::InProgress => advice(Stands::Unknown, Place::BizCode, Action::Repeat),
        R::PaymentReceipted | R::DecisionPaid => advice(Stands::Yes, Place::Payment, Action::UseReceipt),
        R::AlreadyReversed => advice(Stands::Yes, Place::Original, Action::UseReceipt),
        R::LedgerUnavailable => advice(Stands::Yes, Place::BizCode, Action::Repeat),
        R::NotFoundOrMismatch => advice(Stands::Unknown, Place::Nowhere, Action::Correct),
        R::NumberExhausted | R::RateLimited | R::Overloaded | R::SequenceGap | R::TooEarly => none(Action::Repeat),
        R::RefusalBudgetSpent => none(Action::Repeat),
        R::UnitSuspended | R::IssuerUnknown | R::SegmentUnknown | R::RecordTypeNotAllowed => none(Action::Authority),
        R::KindNotAllowed | R::ItemNotAllowed | R::SumMismatch | R::MedicalSplitMismatch => none(Action::Correct),
        R::UnitUnknown | R::FieldInvalid | R::DateOutOfRange => none(Action::Correct),
        R::PayCodeUnknown | R::PayCodeUnpaid => none(Action::Correct),
        R::PaperOut | R::ClaimLive | R::ClaimExceeds | R::OfflineExpired => none(Action::Correct),
        R::OriginalUnknown | R::OriginalIsRed | R::AmountMismatch | R::UnitMismatch => none(Action::Correct),
        R::SignatureInvalid | R::NotCanonical | R::RecordTooLarge => none(Action::Correct),
        R::NumberNotOwned | R::NumberUsed | R::KeyRevoked | R::EpochFenced => none(Action::Operator),
        R::SequenceConflict | R::RootMismatch | R::CountMismatch | R::BatchTooLarge => none(Action::Operator),
        R::SuiteUnknown | R::ChainMismatch | R::TimeInvalid => none(Action::Operator),
    }
}

const fn call_advice(reason: CallReason) -> Advice {
    use CallReason as C;
    match reason {
        C::NotAuthenticated | C::NotPermitted | C::RequestInvalid | C::PageTokenInvalid => none(Action::Correct),
        C::RequestTooLarge | C::MethodUnknown | C::EncodingUnknown => none(Action::Correct),
        C::NotDelegated => none(Action::Authority),
        C::NotFound => advice(Stands::Unknown, Place::Nowhere, Action::Correct),
        C::BodyErased => advice(Stands::Yes, Place::BizCode, Action::LookUp),
        C::NoDocument => advice(Stands::Unknown, Place::BizCode, Action::Operator),
        C::NotReady | C::ClockWrong | C::ShuttingDown | C::DiskLow => none(Action::Repeat),
        C::OutcomeUnknown | C::Internal => advice(Stands::Unknown, Place::BizCode, Action::RepeatHere),
    }
}

/// What it means that the ledger refused an acknowledged receipt for this reason. Some reasons say that another receipt of the
/// same business event stands: issuing anew would make a second one. So "issue anew" is said only where nothing can stand; a
/// reason that the ledger does not give yet is to be looked up.
pub const fn advice_if_refused(reason: Reason) -> Advice {
    use Reason as R;
    match reason {
        R::BizCodeUsed | R::BizCodeConflict | R::PaymentReceipted | R::DecisionPaid | R::AlreadyReversed => {
            advice(Stands::Yes, Place::OtherIssuer, Action::UseReceipt)
        }
        R::SuiteUnknown | R::ChainMismatch | R::SignatureInvalid | R::KeyRevoked | R::NotCanonical => {
            none(Action::NewBizCode)
        }
        R::RecordTooLarge | R::TimeInvalid | R::FieldInvalid | R::UnitUnknown | R::UnitSuspended => {
            none(Action::NewBizCode)
        }
        R::KindNotAllowed | R::SegmentUnknown | R::NumberNotOwned | R::UnitMismatch | R::AmountMismatch => {
            none(Action::NewBizCode)
        }
        R::OriginalUnknown | R::OriginalIsRed | R::RecordTypeNotAllowed => none(Action::NewBizCode),
        // NUMBER_USED is judged before the biz code and the payment, so the number may have been spent on this same business event.
        _ => advice(Stands::Unknown, Place::OtherIssuer, Action::LookUp),
    }
}
