//! What a receipt refers to: payment, reversal, re-issue, decision, gift. V14, V15, V19, V20, V23 and V30 as far as content shows
//! them.

use super::{Findings, RuleId};
use crate::reason::Reason;
use crate::receipt::ext::{CollectionMode, DonationKind, Ext};
use crate::receipt::model::{PaymentMode, Receipt, ReceiptDraft, Related, ReversalReason};
use crate::receipt::red::{RedError, first_difference};

/// Categories 01, 02 and 03 carry non-tax revenue.
fn is_non_tax(draft: &ReceiptDraft) -> bool {
    (1..=3).contains(&draft.receipt_code.category())
}

pub(super) fn check_relations(draft: &ReceiptDraft, findings: &mut Findings) {
    let count = |wanted: fn(&Related) -> bool| draft.related.iter().filter(|related| wanted(related)).count();
    let reversals = count(|related| matches!(related, Related::ReversalOf { .. }));
    let reissues = count(|related| matches!(related, Related::ReissueAfterPartialRefund { .. }));
    if reversals != usize::from(draft.is_red()) {
        let message = "a red receipt names exactly one original as reversal_of, any other receipt none";
        findings.invalid(RuleId::V19, "related", message);
    }
    if reissues > usize::from(!draft.is_red()) {
        findings.invalid(RuleId::V20, "related", "at most one re-issue link, and none on a red receipt");
    }
    if let Some(reversal) = &draft.reversal {
        if reversal.reason == ReversalReason::Other && reversal.text.is_empty() {
            findings.invalid(RuleId::Form, "reversal.text", "is required for the reason other");
        }
        if is_non_tax(draft) && reversal.refund_reference.is_empty() && reversal.reissue_biz_code.is_empty() {
            let message = "the reversal of a non-tax receipt names a refund_reference or a reissue_biz_code";
            findings.invalid(RuleId::V30, "reversal.refund_reference", message);
        }
    }
    check_references(draft, findings);
}

/// V14, V15: what makes one payment, settlement or decision known again must be named wherever there is one: without it, nothing
/// would keep it from a second receipt.
fn check_references(draft: &ReceiptDraft, findings: &mut Findings) {
    if draft.is_red() {
        return;
    }
    match &draft.ext {
        // No kind says yet that it is a payment book without a decision: every one is taken for a fine.
        Ext::PaymentBook { fine, .. } if fine.penalty_decision_no.is_empty() => {
            let problem = "is required: every receipt of category 03 is for a decision";
            findings.invalid(RuleId::V15, "fine.penalty_decision_no", problem);
        }
        Ext::Medical { medical }
            if medical.settlement_number.is_empty()
                && [medical.fund_pay, medical.account_pay].iter().any(|part| part.get() != 0) =>
        {
            let problem = "is required where fund_pay or account_pay is not zero";
            findings.invalid(RuleId::V14, "medical.settlement_number", problem);
        }
        _ => {}
    }
    let direct = draft.ext.non_tax().is_some_and(|paid| paid.collection_mode == Some(CollectionMode::Direct));
    if direct && draft.pay_codes().is_empty() {
        findings.invalid(RuleId::V14, "non_tax.pay_code", "is required for the collection mode direct");
    }
}

/// V19 and V20 against the original: same unit, not red, exact negatives or less.
pub(super) fn check_original(draft: &ReceiptDraft, original: Option<&Receipt>, findings: &mut Findings) {
    let (rule, key) = match (draft.reversal_of(), draft.reissue_of()) {
        (Some(key), _) => (RuleId::V19, key),
        (None, Some(key)) => (RuleId::V20, key),
        (None, None) => return,
    };
    let Some(original) = original.filter(|original| original.key() == key) else {
        findings.add(rule, Reason::OriginalUnknown, "related", format!("receipt {key} is not known"));
        return;
    };
    if original.draft.unit_code != draft.unit_code {
        // Say nothing further about a receipt of another unit, least of all its total.
        findings.add(rule, Reason::UnitMismatch, "unit_code", "is not the unit of the original");
        return;
    }
    if original.draft.is_red() {
        findings.add(rule, Reason::OriginalIsRed, "related", format!("receipt {key} is itself a reversal"));
        return;
    }
    if rule == RuleId::V20 {
        if draft.total_amount >= original.draft.total_amount {
            let message = format!("is not below {}, the original's total", original.draft.total_amount);
            findings.add(rule, Reason::AmountMismatch, "total_amount", message);
        }
        return;
    }
    match first_difference(draft, original) {
        Ok(None) => {}
        Ok(Some(field)) => {
            findings.add(rule, Reason::AmountMismatch, field, "is not the original's with the sign turned");
        }
        Err(RedError::KindDiffers) => {
            findings.add(rule, Reason::KindNotAllowed, "receipt_code", "is not of the original's kind");
        }
        Err(error) => findings.add(rule, Reason::AmountMismatch, "total_amount", error.to_string()),
    }
}

/// V23: a gift says what it is, and goods on what their value rests. Goods are given in kind, money is not, and only gifts
/// are in kind; health insurance pays for treatment and for its own premiums.
pub(super) fn check_donation(draft: &ReceiptDraft, findings: &mut Findings) {
    let category = draft.receipt_code.category();
    let kind = match &draft.ext {
        Ext::Donation { donation } => {
            match donation.donation_kind {
                None => findings.invalid(RuleId::V23, "donation.donation_kind", "is required"),
                Some(DonationKind::InKind) if donation.valuation_basis.is_empty() => {
                    findings.invalid(RuleId::V23, "donation.valuation_basis", "is required for goods");
                }
                Some(_) => {}
            }
            donation.donation_kind
        }
        _ => Some(DonationKind::Money),
    };
    for (index, payment) in draft.payments.iter().enumerate() {
        let field = || format!("payments[{index}].mode");
        let in_kind = payment.mode == PaymentMode::InKind;
        if kind.is_some_and(|kind| in_kind != (kind == DonationKind::InKind)) {
            findings.invalid(RuleId::V23, field(), "in_kind is the mode of a gift of goods, and of nothing else");
        }
        if payment.mode == PaymentMode::MedicalInsurance && !matches!(category, 6 | 8) {
            findings.invalid(RuleId::Form, field(), "medical_insurance pays in the categories 06 and 08 only");
        }
    }
}
