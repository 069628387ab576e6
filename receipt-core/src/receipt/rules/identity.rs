//! Who issues and who pays: V06, V07, V24 and the form of the payer's identity.

use super::{Findings, RuleId};
use crate::receipt::ext::Ext;
use crate::receipt::idcheck::{is_masked_resident_id, resident_id_is_valid, uscc_is_valid};
use crate::receipt::model::{PayerIdType, PayerType, ReceiptDraft};

pub(super) fn check(draft: &ReceiptDraft, findings: &mut Findings) {
    if !uscc_is_valid(&draft.unit_code) {
        findings.invalid(RuleId::V06, "unit_code", "is not a valid unified social credit code");
    }
    let anonymous = matches!(&draft.ext, Ext::Donation { donation } if donation.anonymous);
    if anonymous && !draft.payer_code.is_empty() {
        findings.invalid(RuleId::V24, "payer_code", "must be absent for an anonymous donation");
    }
    let id_type_fits = match draft.payer_type {
        PayerType::Individual => draft.payer_id_type != PayerIdType::Uscc,
        PayerType::Organisation => matches!(draft.payer_id_type, PayerIdType::Uscc | PayerIdType::Unidentified),
    };
    if !id_type_fits {
        findings.invalid(RuleId::Form, "payer_id_type", "does not fit the payer type");
    }
    check_payer_code(draft, anonymous, findings);
}

fn check_payer_code(draft: &ReceiptDraft, anonymous: bool, findings: &mut Findings) {
    let code = draft.payer_code.as_str();
    if code.is_empty() {
        let may_be_absent = matches!(draft.payer_id_type, PayerIdType::Newborn | PayerIdType::Unidentified);
        if !may_be_absent && !anonymous {
            findings.invalid(RuleId::Form, "payer_code", "is required for this payer_id_type");
        }
        return;
    }
    match draft.payer_id_type {
        PayerIdType::Uscc if !uscc_is_valid(code) => {
            findings.invalid(RuleId::V06, "payer_code", "is not a valid unified social credit code");
        }
        PayerIdType::Resident if !is_masked_resident_id(code) && !resident_id_is_valid(code) => {
            findings.invalid(RuleId::V07, "payer_code", "is not a valid resident ID");
        }
        _ => {}
    }
}
