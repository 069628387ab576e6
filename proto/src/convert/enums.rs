//! The enums of a draft, value by value, both ways. A value that the schema does not define is refused, never defaulted.

use receipt_core::receipt::ext::{CollectionMode, DonationKind};
use receipt_core::receipt::model::{PayerIdType, PayerType, PaymentMode, ReversalReason};

use super::DraftError;
use crate::receipt::v1 as wire;

macro_rules! pairs {
    ($core:ident as $name:ident, $to_wire:ident { $($variant:ident),* $(,)? }) => {
        fn $name(field: impl FnOnce() -> String, value: i32) -> Result<Option<$core>, DraftError> {
            match wire::$core::try_from(value) {
                Ok(wire::$core::Unspecified) => Ok(None),
                $(Ok(wire::$core::$variant) => Ok(Some($core::$variant)),)*
                Err(_) => Err(DraftError { field: field(), problem: "has a value that this version does not know" }),
            }
        }

        pub(super) fn $to_wire(value: $core) -> i32 {
            match value { $($core::$variant => wire::$core::$variant.into(),)* }
        }
    };
}

pairs!(PayerType as read_payer_type, payer_type_to_wire { Individual, Organisation });
pairs!(
    PayerIdType as read_payer_id_type,
    payer_id_type_to_wire { Resident, Passport, HkMacauTaiwanPermit, Newborn, Unidentified, Uscc }
);
pairs!(
    PaymentMode as read_payment_mode,
    payment_mode_to_wire {
        Cash,
        Transfer,
        Pos,
        Wechat,
        Alipay,
        Unionpay,
        Withholding,
        MedicalInsurance,
        Prepayment,
        InKind
    }
);
pairs!(
    ReversalReason as read_reversal_reason,
    reversal_reason_to_wire {
        FullRefund,
        PartialRefund,
        WrongPayer,
        WrongItem,
        WrongAmount,
        Duplicate,
        DecisionRevoked,
        Other
    }
);
pairs!(CollectionMode as read_collection_mode, known_collection_mode_to_wire { Direct, Centralised });
pairs!(DonationKind as read_donation_kind, known_donation_kind_to_wire { Money, InKind });

pub(super) fn payer_type(value: i32) -> Result<PayerType, DraftError> {
    let field = || "payer_type".to_owned();
    required(field, read_payer_type(field, value)?)
}

pub(super) fn payer_id_type(value: i32) -> Result<PayerIdType, DraftError> {
    let field = || "payer_id_type".to_owned();
    required(field, read_payer_id_type(field, value)?)
}

pub(super) fn payment_mode(at: &str, value: i32) -> Result<PaymentMode, DraftError> {
    let field = || format!("{at}.mode");
    required(field, read_payment_mode(field, value)?)
}

pub(super) fn reversal_reason(value: i32) -> Result<ReversalReason, DraftError> {
    let field = || "reversal.reason".to_owned();
    required(field, read_reversal_reason(field, value)?)
}

pub(super) fn collection_mode(value: i32) -> Result<Option<CollectionMode>, DraftError> {
    read_collection_mode(|| "non_tax.collection_mode".to_owned(), value)
}

pub(super) fn collection_mode_to_wire(value: Option<CollectionMode>) -> i32 {
    value.map_or(wire::CollectionMode::Unspecified.into(), known_collection_mode_to_wire)
}

pub(super) fn donation_kind(value: i32) -> Result<Option<DonationKind>, DraftError> {
    read_donation_kind(|| "donation.donation_kind".to_owned(), value)
}

pub(super) fn donation_kind_to_wire(value: Option<DonationKind>) -> i32 {
    value.map_or(wire::DonationKind::Unspecified.into(), known_donation_kind_to_wire)
}

fn required<T>(field: impl FnOnce() -> String, value: Option<T>) -> Result<T, DraftError> {
    value.ok_or_else(|| DraftError { field: field(), problem: "is missing" })
}
