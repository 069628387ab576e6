//! Requests to an issuer that several subjects send.

use receipt_core::receipt::model::ReceiptDraft;
use tallystick_proto::issuer::v1::{ReceiptKey, ReverseRequest, Wait};
use tallystick_proto::receipt::v1::{Reversal, ReversalReason};

/// The reversal (冲红) of a whole receipt that came of `draft`; it waits for the seal. `biz_code` makes the unit's own number of the red one.
pub fn reversal(draft: &ReceiptDraft, original: ReceiptKey, biz_code: &str) -> ReverseRequest {
    ReverseRequest {
        unit_code: draft.unit_code.clone(),
        original: Some(original),
        reversal: Some(Reversal {
            reason: ReversalReason::FullRefund.into(),
            operator: "何某".to_owned(),
            refund_reference: "TK-1".to_owned(),
            ..Reversal::default()
        }),
        biz_code: format!("{}-{biz_code}", draft.biz_code),
        place_code: draft.place_code.clone(),
        handling_person: draft.handling_person.clone(),
        checker: draft.checker.clone(),
        wait: Wait::Sealed.into(),
        wait_timeout_ms: 30_000,
        ..ReverseRequest::default()
    }
}
