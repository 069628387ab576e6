//! Field by field: what if it is absent, negative, in the future, of another category, hidden, too long? The table in
//! docs/spec/rules.md says the same, with the reasons; a field without a row there fails here.

use super::*;
use crate::receipt::ext::{CollectionMode, DuesExt, FineExt, MedicalExt, NonTaxExt, SocialInsuranceExt};
use crate::receipt::layout::HEADER_NAMES;

/// A condition, the sample that is edited, the edit, and what is said: `ok`, or how the first violation begins.
type Row = (&'static str, &'static str, fn(&mut ReceiptDraft), &'static str);

fn medical(draft: &mut ReceiptDraft) -> &mut MedicalExt {
    match &mut draft.ext {
        Ext::Medical { medical } => medical,
        other => panic!("{other:?}"),
    }
}

fn fine(draft: &mut ReceiptDraft) -> &mut FineExt {
    match &mut draft.ext {
        Ext::PaymentBook { fine, .. } => fine,
        other => panic!("{other:?}"),
    }
}

fn non_tax(draft: &mut ReceiptDraft) -> &mut NonTaxExt {
    match &mut draft.ext {
        Ext::NontaxGeneral { non_tax, .. } | Ext::PaymentBook { non_tax, .. } => non_tax,
        other => panic!("{other:?}"),
    }
}

fn dues(draft: &mut ReceiptDraft) -> &mut DuesExt {
    match &mut draft.ext {
        Ext::Dues { dues } => dues,
        other => panic!("{other:?}"),
    }
}

fn social(draft: &mut ReceiptDraft) -> &mut SocialInsuranceExt {
    match &mut draft.ext {
        Ext::SocialInsurance { social_insurance, .. } => social_insurance,
        other => panic!("{other:?}"),
    }
}

fn donation(draft: &mut ReceiptDraft) -> &mut crate::receipt::ext::DonationExt {
    match &mut draft.ext {
        Ext::Donation { donation } => donation,
        other => panic!("{other:?}"),
    }
}

/// Moves one fen from the first payment to a second one that is below zero, so that the sum stays.
fn negative_part(draft: &mut ReceiptDraft) {
    let further = Payment { amount: Fen::new(-1), ..draft.payments[0].clone() };
    draft.payments[0].amount = Fen::new(draft.payments[0].amount.get() + 1);
    draft.payments.push(further);
}

const ROWS: &[Row] = &[
    // The title, and the item's name, are the registered ones.
    (
        "another kind's title",
        "S01",
        |d| d.receipt_name = "示例省医疗住院收费票据（电子）".into(),
        "V01 FIELD_INVALID receipt_name: is not",
    ),
    ("no title", "S11", |d| d.receipt_name.clear(), "V27 FIELD_INVALID receipt_name: is required"),
    (
        "another item's name",
        "S01",
        |d| d.items[0].item_name = "手术费".into(),
        "V13 ITEM_NOT_ALLOWED items[0].item_name: is not",
    ),
    (
        "a name with another one in front",
        "S01",
        |d| d.items[0].item_name = "副诊察费".into(),
        "V13 ITEM_NOT_ALLOWED items[0].item_name",
    ),
    ("a longer name", "S01", |d| d.items[0].item_name = "诊察费之外".into(), "V13 ITEM_NOT_ALLOWED items[0].item_name"),
    ("an addition in brackets", "S08", |d| d.items[0].item_name = "理事单位会费（2028年度）".into(), "ok"),
    (
        "a line of another item's name",
        "S01",
        |d| d.aux_items[0].related_item_name = "化验费".into(),
        "V10 FIELD_INVALID aux_items[0].related_item_name",
    ),
    ("a line without the item's name", "S01", |d| d.aux_items[0].related_item_name.clear(), "ok"),
    // Who pays.
    (
        "a birthday in 2099",
        "S11",
        |d| d.payer_code = "110105209912310029".into(),
        "V07 FIELD_INVALID payer_code: is a resident ID with a birthday",
    ),
    (
        "a birthday tomorrow",
        "S11",
        |d| d.payer_code = resident("11010520261113002"),
        "V07 FIELD_INVALID payer_code: is a resident ID with a birthday",
    ),
    ("a birthday today", "S11", |d| d.payer_code = resident("11010520261112002"), "ok"),
    (
        "a masked birthday in 2099",
        "S11",
        |d| d.payer_code = "1101052099****0024".into(),
        "V07 FIELD_INVALID payer_code: is not a masked",
    ),
    ("18 asterisks", "S11", |d| d.payer_code = "*".repeat(18), "V07 FIELD_INVALID payer_code: is not a masked"),
    (
        "full-width digits",
        "S11",
        |d| d.payer_code = "１１０１０５１９４９１２３１００２Ｘ".into(),
        "V07 FIELD_INVALID payer_code",
    ),
    (
        "a resident ID as USCC",
        "S12",
        |d| d.payer_code = "11010519491231002X".into(),
        "V06 FIELD_INVALID payer_code: is a resident ID",
    ),
    ("a USCC as resident ID", "S11", |d| d.payer_code = "91990300MA5EX00172".into(), "V07 FIELD_INVALID payer_code"),
    (
        "a resident ID as passport",
        "S11",
        |d| (d.payer_id_type, d.payer_code) = (PayerIdType::Passport, "11010519491231002X".into()),
        "FORM FIELD_INVALID payer_id_type",
    ),
    (
        "a resident ID of nobody known",
        "S11",
        |d| (d.payer_id_type, d.payer_code) = (PayerIdType::Unidentified, "11010519491231002X".into()),
        "FORM FIELD_INVALID payer_id_type",
    ),
    (
        "a USCC of nobody known",
        "S12",
        |d| d.payer_id_type = PayerIdType::Unidentified,
        "FORM FIELD_INVALID payer_id_type",
    ),
    (
        "another document of nobody known",
        "S11",
        |d| (d.payer_id_type, d.payer_code) = (PayerIdType::Unidentified, "军字第123号".into()),
        "ok",
    ),
    (
        "asterisks as passport",
        "S11",
        |d| (d.payer_id_type, d.payer_code) = (PayerIdType::Passport, "*********".into()),
        "FORM FIELD_INVALID payer_code",
    ),
    (
        "a masked passport",
        "S11",
        |d| (d.payer_id_type, d.payer_code) = (PayerIdType::Passport, "E*******8".into()),
        "ok",
    ),
    (
        "a permit",
        "S11",
        |d| (d.payer_id_type, d.payer_code) = (PayerIdType::HkMacauTaiwanPermit, "H1234567801".into()),
        "ok",
    ),
    (
        "words as passport",
        "S11",
        |d| (d.payer_id_type, d.payer_code) = (PayerIdType::Passport, "没有带".into()),
        "FORM FIELD_INVALID payer_code",
    ),
    ("a masked account", "S11", |d| d.rec_account = "****0301".into(), "ok"),
    (
        "an account of asterisks",
        "S11",
        |d| d.rec_account = "*".repeat(18),
        "V27 FIELD_INVALID rec_account: must have a letter or a digit",
    ),
    (
        "a code of dashes",
        "S11",
        |d| d.biz_code = "----".into(),
        "V27 FIELD_INVALID biz_code: must have a letter or a digit",
    ),
    // Parts of the amount.
    ("a negative part", "S11", negative_part, "V26 FIELD_INVALID payments[1].amount: must not be below zero"),
    ("a part of zero", "S11", |d| d.payments.push(Payment { amount: Fen::ZERO, ..d.payments[0].clone() }), "ok"),
    ("a positive part of a refund", "S13", |d| d.payments[0].amount = Fen::new(1), "V08"),
    ("an amount without a negative", "S12", |d| set_total(d, i64::MIN), "V26 FIELD_INVALID total_amount"),
    ("a part without a negative", "S11", |d| d.payments[0].amount = Fen::new(i64::MIN), "V08"),
    ("goods for a fee", "S11", |d| d.payments[0].mode = PaymentMode::InKind, "V23 FIELD_INVALID payments[0].mode"),
    ("money for goods", "S10", |d| d.payments[0].mode = PaymentMode::Cash, "V23 FIELD_INVALID payments[0].mode"),
    (
        "health insurance for a fee",
        "S11",
        |d| d.payments[0].mode = PaymentMode::MedicalInsurance,
        "FORM FIELD_INVALID payments[0].mode",
    ),
    ("health insurance for its premium", "S05", |d| d.payments[0].mode = PaymentMode::MedicalInsurance, "ok"),
    (
        "a discount line",
        "S12",
        |d| {
            let mut line = d.items[0].clone();
            (line.amount, line.quantity, line.standard) =
                (Fen::new(-100), Some(Quantity::new(10_000)), Some(Yuan4::new(-10_000)));
            d.items.push(line.clone());
            (line.amount, line.standard) = (Fen::new(100), None);
            d.items.push(line);
        },
        "ok",
    ),
    (
        "a quantity beyond the range",
        "S12",
        |d| (d.items[0].quantity, d.items[0].standard) = (Some(Quantity::new(i64::MIN)), None),
        "V26 FIELD_INVALID items[0].quantity",
    ),
    (
        "a standard beyond the range",
        "S12",
        |d| (d.items[0].quantity, d.items[0].standard) = (None, Some(Yuan4::new(i64::MIN))),
        "V26 FIELD_INVALID items[0].standard",
    ),
    ("an adjustment beyond the range", "S01", |d| d.items[0].rounding_adjustment = Some(Yuan4::new(i64::MIN)), "V10"),
    (
        "a line's quantity beyond the range",
        "S01",
        |d| d.aux_items[0].quantity = Some(Quantity::new(i64::MIN)),
        "V26 FIELD_INVALID aux_items[0].quantity",
    ),
    (
        "a line's standard beyond the range",
        "S01",
        |d| d.aux_items[0].standard = Some(Yuan4::new(i64::MIN)),
        "V26 FIELD_INVALID aux_items[0].standard",
    ),
    // Care.
    ("care booked for next month", "S01", |d| medical(d).medical_date = Some(date("2026-12-13")), "ok"),
    (
        "care in 2099",
        "S01",
        |d| medical(d).medical_date = Some(date("2099-01-01")),
        "FORM FIELD_INVALID medical.medical_date: lies more than 31 days",
    ),
    ("care long ago", "S01", |d| medical(d).medical_date = Some(date("1999-01-01")), "ok"),
    ("no day of care", "S01", |d| medical(d).medical_date = None, "ok"),
    (
        "admitted tomorrow",
        "S02",
        |d| (medical(d).in_hospital_date, medical(d).out_hospital_date) = (Some(date("2026-11-13")), None),
        "FORM FIELD_INVALID medical.in_hospital_date: lies after",
    ),
    ("settled before the weekend", "S02", |d| medical(d).out_hospital_date = Some(date("2026-11-15")), "ok"),
    (
        "discharged next week",
        "S02",
        |d| medical(d).out_hospital_date = Some(date("2026-11-16")),
        "FORM FIELD_INVALID medical.out_hospital_date: lies more than 3 days",
    ),
    (
        "discharged before admitted",
        "S02",
        |d| medical(d).out_hospital_date = Some(date("2026-01-01")),
        "FORM FIELD_INVALID medical.out_hospital_date: is before",
    ),
    (
        "more days than there were",
        "S02",
        |d| medical(d).hospital_days = Some(11),
        "FORM FIELD_INVALID medical.hospital_days",
    ),
    ("fewer days, an interim bill", "S02", |d| medical(d).hospital_days = Some(3), "ok"),
    (
        "days without end",
        "S02",
        |d| (medical(d).in_hospital_date, medical(d).hospital_days) = (None, Some(u32::MAX)),
        "V26 FIELD_INVALID medical.hospital_days",
    ),
    (
        "the fund pays, no settlement",
        "S01",
        |d| medical(d).settlement_number.clear(),
        "V14 FIELD_INVALID medical.settlement_number",
    ),
    (
        "the account pays, no settlement",
        "S03",
        |d| (medical(d).account_pay, medical(d).own_pay) = (Fen::new(1_500), Fen::ZERO),
        "V14 FIELD_INVALID medical.settlement_number",
    ),
    ("nobody else pays, no settlement", "S03", |d| medical(d).settlement_number.clear(), "ok"),
    (
        "a dash as settlement",
        "S01",
        |d| medical(d).settlement_number = "-".into(),
        "V27 FIELD_INVALID medical.settlement_number: must have a letter",
    ),
    (
        "a negative part of the split",
        "S01",
        |d| (medical(d).own_pay, medical(d).fund_pay) = (Fen::new(-100), Fen::new(28_637)),
        "V26 FIELD_INVALID medical.own_pay",
    ),
    ("a negative advance", "S02", |d| medical(d).prepay = Some(Fen::new(-1)), "V26 FIELD_INVALID medical.prepay"),
    ("a negative top-up", "S02", |d| medical(d).recharge = Some(Fen::new(-1)), "V26 FIELD_INVALID medical.recharge"),
    ("a negative refund", "S02", |d| medical(d).refund = Some(Fen::new(-1)), "V26 FIELD_INVALID medical.refund"),
    (
        "a refund without a negative",
        "S02",
        |d| medical(d).refund = Some(Fen::new(i64::MIN)),
        "V26 FIELD_INVALID medical.refund",
    ),
    (
        "自费 without a negative",
        "S01",
        |d| medical(d).self_cost = Some(Fen::new(i64::MIN)),
        "V26 FIELD_INVALID medical.self_cost",
    ),
    (
        "自付 without a negative",
        "S01",
        |d| medical(d).self_payment = Some(Fen::new(i64::MIN)),
        "V26 FIELD_INVALID medical.self_payment",
    ),
    ("a part of the split without a negative", "S01", |d| medical(d).other_pay = Fen::new(i64::MIN), "V11"),
    // Fines.
    (
        "a fine without its decision",
        "S04",
        |d| d.ext = Ext::empty(3),
        "V15 FIELD_INVALID fine.penalty_decision_no: is required",
    ),
    (
        "a decision number alone missing",
        "S04",
        |d| fine(d).penalty_decision_no.clear(),
        "V15 FIELD_INVALID fine.penalty_decision_no",
    ),
    (
        "a dash as decision",
        "S04",
        |d| fine(d).penalty_decision_no = "—".into(),
        "V27 FIELD_INVALID fine.penalty_decision_no: must have a letter",
    ),
    (
        "decided tomorrow",
        "S04",
        |d| (fine(d).penalty_decision_date, fine(d).pay_deadline) = (Some(date("2026-11-13")), None),
        "FORM FIELD_INVALID fine.penalty_decision_date",
    ),
    ("no day of decision", "S04", |d| fine(d).penalty_decision_date = None, "ok"),
    (
        "due before decided",
        "S04",
        |d| fine(d).pay_deadline = Some(date("2026-01-01")),
        "FORM FIELD_INVALID fine.pay_deadline: is before",
    ),
    (
        "paid after the deadline",
        "S04",
        |d| (fine(d).penalty_decision_date, fine(d).pay_deadline) = (None, Some(date("2026-01-01"))),
        "ok",
    ),
    (
        "due in 2099",
        "S04",
        |d| fine(d).pay_deadline = Some(date("2099-01-01")),
        "FORM FIELD_INVALID fine.pay_deadline: lies more than",
    ),
    (
        "a negative addition",
        "S04",
        |d| fine(d).late_penalty = Some(Fen::new(-1)),
        "V26 FIELD_INVALID fine.late_penalty",
    ),
    (
        "an addition above the total",
        "S04",
        |d| fine(d).late_penalty = Some(Fen::new(20_001)),
        "V26 FIELD_INVALID fine.late_penalty: is more than",
    ),
    (
        "an addition without a negative",
        "S04",
        |d| fine(d).late_penalty = Some(Fen::new(i64::MIN)),
        "V26 FIELD_INVALID fine.late_penalty",
    ),
    ("instalment 0", "S04", |d| fine(d).instalment = Some(0), "V15 FIELD_INVALID fine.instalment"),
    ("instalments without end", "S04", |d| fine(d).instalment = Some(u32::MAX), "V15 FIELD_INVALID fine.instalment"),
    (
        "a plate in the open",
        "S04",
        |d| fine(d).plate_no_masked = "示A·12325".into(),
        "FORM FIELD_INVALID fine.plate_no_masked",
    ),
    // Payments by code.
    ("direct without a pay code", "S11", |d| non_tax(d).pay_code.clear(), "V14 FIELD_INVALID non_tax.pay_code"),
    (
        "centralised without a pay code",
        "S11",
        |d| (non_tax(d).collection_mode, non_tax(d).pay_code) = (Some(CollectionMode::Centralised), String::new()),
        "ok",
    ),
    ("a pay code of 19 digits", "S11", |d| non_tax(d).pay_code = "1".repeat(19), "FORM FIELD_INVALID pay_code"),
    ("full-width digits as pay code", "S11", |d| non_tax(d).pay_code = "９".repeat(20), "FORM FIELD_INVALID pay_code"),
    (
        "confirmed tomorrow",
        "S11",
        |d| non_tax(d).confirm_time = date("2026-11-13").at_seconds(0, 480),
        "FORM FIELD_INVALID non_tax.confirm_time: lies after",
    ),
    (
        "confirmed in seconds",
        "S11",
        |d| non_tax(d).confirm_time = Some(UnixMillis::new(1_794_000_000)),
        "FORM FIELD_INVALID non_tax.confirm_time: lies before 2000",
    ),
    (
        "confirmed beyond the calendar",
        "S11",
        |d| non_tax(d).confirm_time = Some(UnixMillis::new(u64::MAX)),
        "FORM FIELD_INVALID non_tax.confirm_time: lies after",
    ),
    ("not confirmed", "S11", |d| non_tax(d).confirm_time = None, "ok"),
    // Gifts, dues, insurance.
    (
        "given tomorrow",
        "S09",
        |d| donation(d).donation_date = Some(date("2026-11-13")),
        "FORM FIELD_INVALID donation.donation_date",
    ),
    ("no day of the gift", "S09", |d| donation(d).donation_date = None, "ok"),
    (
        "goods valued by nothing",
        "S10",
        |d| donation(d).valuation_basis.clear(),
        "V23 FIELD_INVALID donation.valuation_basis",
    ),
    ("dues of next year", "S08", |d| dues(d).membership_period = "2028-01-01/2028-12-31".into(), "ok"),
    (
        "dues backwards",
        "S08",
        |d| dues(d).membership_period = "2028-12-31/2028-01-01".into(),
        "FORM FIELD_INVALID dues.membership_period",
    ),
    (
        "dues in words",
        "S08",
        |d| dues(d).membership_period = "明年".into(),
        "FORM FIELD_INVALID dues.membership_period",
    ),
    ("no period of dues", "S08", |d| dues(d).membership_period.clear(), "ok"),
    (
        "a month that is none",
        "S05",
        |d| social(d).period = "2026-13".into(),
        "FORM FIELD_INVALID social_insurance.period",
    ),
    ("the extension of another category", "S11", |d| d.ext = Ext::empty(5), "FORM FIELD_INVALID ext"),
    ("no extension", "S11", |d| d.ext = Ext::empty(1), "ok"),
];

/// With its check digit.
fn resident(first_17: &str) -> String {
    format!("{first_17}{}", crate::receipt::idcheck::resident_id_check_digit(first_17).unwrap())
}

#[test]
fn every_row_is_judged_as_it_says() {
    for (condition, sample, edit, expected) in ROWS {
        let mut case = case(sample);
        edit(&mut case.draft);
        let said = violations(&case);
        let found = if *expected == "ok" { said == "ok" } else { said.lines().any(|line| line.starts_with(expected)) };
        assert!(found, "{condition}: {said}");
    }
}

/// Whatever number of a receipt is at the end of its type: it does not pass.
#[test]
fn no_number_without_a_negative_passes() {
    for sample in ["S01", "S02", "S04", "S11", "S13"] {
        let base = serde_json::to_value(case(sample).draft).unwrap();
        let mut pointers = Vec::new();
        numbers("", &base, &mut pointers);
        assert!(pointers.len() >= 5, "{sample}: {pointers:?}");
        for pointer in pointers {
            for extreme in
                ["922337203685477.5807", "-922337203685477.5807", "92233720368547758.07", "-92233720368547758.07"]
            {
                let mut json = base.clone();
                *json.pointer_mut(&pointer).unwrap() = extreme.into();
                let Ok(draft) = serde_json::from_value::<ReceiptDraft>(json) else { continue };
                let case = Case { draft, ..case(sample) };
                assert_ne!(violations(&case), "ok", "{sample} {pointer} {extreme}");
            }
        }
    }
}

/// Every amount and decimal of a draft.
const NUMBERS: [&str; 15] = [
    "total_amount",
    "amount",
    "quantity",
    "standard",
    "rounding_adjustment",
    "fund_pay",
    "other_pay",
    "account_pay",
    "own_pay",
    "self_payment",
    "self_cost",
    "prepay",
    "recharge",
    "refund",
    "late_penalty",
];

fn numbers(at: &str, value: &serde_json::Value, out: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(fields) => {
            fields.iter().for_each(|(name, value)| numbers(&format!("{at}/{name}"), value, out));
        }
        serde_json::Value::Array(entries) => {
            entries.iter().enumerate().for_each(|(index, value)| numbers(&format!("{at}/{index}"), value, out));
        }
        _ => {
            let name = at.rsplit('/').next().unwrap_or_default();
            if NUMBERS.contains(&name) {
                out.push(at.to_owned());
            }
        }
    }
}

/// A red receipt copies: a title renamed, an item detached, a day that was right when the original was issued.
#[test]
fn a_red_receipt_is_not_judged_again_by_what_may_have_changed() {
    let mut case = case("S13");
    let original = case.original.as_mut().unwrap();
    for draft in [&mut original.draft, &mut case.draft] {
        draft.receipt_name = "旧名称".to_owned();
        draft.items[0].item_name = "旧项目".to_owned();
        draft.items[1].item_code = "X".to_owned();
        draft.aux_items.clear();
        medical(draft).settlement_number.clear();
    }
    assert_eq!(violations(&case), "ok");
}

/// The specification has a row for every field of the body, of its rows and of its lists.
#[test]
fn the_specification_has_a_row_for_every_field() {
    let page = include_str!("../../../../../docs/spec/rules.md");
    let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("| `")).collect();
    let has = |name: &str| {
        rows.iter().any(|row| row.split('|').nth(1).is_some_and(|cell| cell.contains(&format!("`{name}`"))))
    };
    let extensions = (0..100).flat_map(Ext::names);
    let lists = [
        "payments[].mode",
        "payments[].amount",
        "payments[].channel_reference",
        "items[].item_code",
        "items[].item_name",
        "items[].unit",
        "items[].quantity",
        "items[].standard",
        "items[].amount",
        "items[].rounding_adjustment",
        "items[].remark",
        "aux_items[].related_item_code",
        "aux_items[].related_item_name",
        "aux_items[].item_code",
        "aux_items[].item_name",
        "aux_items[].unit",
        "aux_items[].quantity",
        "aux_items[].standard",
        "aux_items[].amount",
        "aux_items[].remark",
        "other_info[].no",
        "other_info[].name",
        "other_info[].value",
        "related[].reversal_of",
        "related[].reissue_after_partial_refund",
        "related[].exchanged_paper",
        "related[].covers_pay_code",
        "reversal.reason",
        "reversal.text",
        "reversal.operator",
        "reversal.refund_reference",
        "reversal.reissue_biz_code",
    ];
    let missing: Vec<&str> =
        HEADER_NAMES.iter().copied().chain(extensions).chain(lists).filter(|name| !has(name)).collect();
    assert_eq!(missing, Vec::<&str>::new());
}
