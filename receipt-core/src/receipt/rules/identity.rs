//! Who issues and who pays: V06, V07, V24 and the form of the payer's identity.

use super::{Findings, RuleId};
use crate::receipt::civil::CivilDate;
use crate::receipt::ext::Ext;
use crate::receipt::idcheck::{masked_resident_id_is_plausible, resident_id_birthday, uscc_is_valid};
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
    if let Ext::PaymentBook { fine, .. } = &draft.ext
        && !fine.plate_no_masked.is_empty()
        && !fine.plate_no_masked.contains('*')
    {
        findings.invalid(RuleId::Form, "fine.plate_no_masked", "must be masked with *, as in 示A·***25");
    }
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
    let today = draft.issue_date;
    let birthday = resident_id_birthday(code);
    match draft.payer_id_type {
        PayerIdType::Uscc if birthday.is_some() => {
            findings.invalid(RuleId::V06, "payer_code", "is a resident ID, not a unified social credit code");
        }
        PayerIdType::Uscc if !uscc_is_valid(code) => {
            findings.invalid(RuleId::V06, "payer_code", "is not a valid unified social credit code");
        }
        PayerIdType::Resident => check_resident_id(code, birthday, today, findings),
        PayerIdType::Passport | PayerIdType::HkMacauTaiwanPermit if !is_document_number(code) => {
            let problem = "must be the number of a document: ASCII letters and digits, at least two of them not masked";
            findings.invalid(RuleId::Form, "payer_code", problem);
        }
        // Residents of Hong Kong, Macau and Taiwan have IDs of the same form; nobody else has one under another type.
        PayerIdType::Passport | PayerIdType::Newborn | PayerIdType::Unidentified if birthday.is_some() => {
            findings.invalid(RuleId::Form, "payer_id_type", "does not fit payer_code, which is a resident ID");
        }
        PayerIdType::Unidentified if uscc_is_valid(code) => {
            findings.invalid(
                RuleId::Form,
                "payer_id_type",
                "does not fit payer_code, which is a unified social credit code",
            );
        }
        _ => {}
    }
}

fn check_resident_id(code: &str, birthday: Option<CivilDate>, today: CivilDate, findings: &mut Findings) {
    match birthday {
        Some(birthday) if birthday > today => {
            findings.invalid(RuleId::V07, "payer_code", "is a resident ID with a birthday after the day of issue");
        }
        Some(_) => {}
        None if code.contains('*') => {
            if !masked_resident_id_is_plausible(code, today) {
                let problem =
                    "is not a masked resident ID: 18 characters, at least four of them shown, and those possible";
                findings.invalid(RuleId::V07, "payer_code", problem);
            }
        }
        None => findings.invalid(RuleId::V07, "payer_code", "is not a valid resident ID"),
    }
}

/// Numbers of passports and permits differ too much for more: letters, digits, and what masks and joins them.
fn is_document_number(code: &str) -> bool {
    let shown = code.bytes().filter(u8::is_ascii_alphanumeric).count();
    let is_known = |byte: u8| byte.is_ascii_alphanumeric() || b"*()-/ ".contains(&byte);
    (4..=30).contains(&code.len()) && shown >= 2 && code.bytes().all(is_known)
}
