//! One row per rule and per refusal: a sample, an edit, what is said of it.

use std::cell::OnceCell;

use expect_test::{Expect, expect};

use super::*;
use crate::ids::{Fen, ReceiptNumber};
use crate::limits::{AUX_ITEMS_MAX, ITEMS_MAX, TOTAL_FEN_BOUND};
use crate::receipt::civil::CivilDate;
use crate::receipt::decimal::{Quantity, Yuan4};
use crate::receipt::ext::{DonationKind, Ext};
use crate::receipt::fixture;
use crate::receipt::model::{OtherInfo, PayerIdType, PayerType, Payment, PaymentMode, Related, ReversalReason};
use crate::receipt::samples::{RunParams, Samples};

/// Knows the samples' region but the kind 99, and every item but `X`; the titles and names of the samples.
struct Open;

impl Catalogue for Open {
    fn kind_is_registered(&self, code: ReceiptCode) -> bool {
        code.region() == 99 && code.kind() != 99
    }

    fn item_is_attached(&self, _unit_code: &str, _code: ReceiptCode, item_code: &str) -> bool {
        item_code != "X"
    }

    fn title(&self, code: ReceiptCode) -> Option<&str> {
        (code.get() / 100 == 990_601).then_some("示例省医疗门诊收费票据（电子）")
    }

    fn item_name(&self, _unit_code: &str, code: ReceiptCode, item_code: &str) -> Option<&str> {
        match (code.category(), item_code) {
            (6, "0602") => Some("诊察费"),
            (7, "HF01") => Some("理事单位会费"),
            _ => None,
        }
    }
}

mod fields;

thread_local! {
    static SAMPLES: OnceCell<Samples> = const { OnceCell::new() };
}

fn date(text: &str) -> CivilDate {
    CivilDate::parse(text).unwrap()
}

fn template(sample_id: &str, original: Option<&Receipt>) -> ReceiptDraft {
    let params = RunParams {
        date: date("2026-11-12"),
        year_digits: 26,
        biz_prefix: "T-",
        serial: 1,
        utc_offset_minutes: 480,
        original,
    };
    SAMPLES.with(|samples| samples.get_or_init(|| Samples::load().unwrap()).template(sample_id, &params).unwrap())
}

fn original() -> Receipt {
    fixture::issue(template("S01", None), 1023)
}

/// A draft with the world around it: what an edit may change.
struct Case {
    draft: ReceiptDraft,
    now: UnixMillis,
    offline_issue_time: Option<UnixMillis>,
    original: Option<Receipt>,
}

fn case(sample_id: &str) -> Case {
    let original = matches!(sample_id, "S13" | "S14").then(original);
    let now = date("2026-11-12").at_seconds(36_000, 480).unwrap();
    Case { draft: template(sample_id, original.as_ref()), now, offline_issue_time: None, original }
}

fn violations(case: &Case) -> String {
    let context = RuleContext {
        now: case.now,
        offline_issue_time: case.offline_issue_time,
        utc_offset_minutes: 480,
        new_year_grace_days: NEW_YEAR_GRACE_DAYS,
        catalogue: &Open,
        original: case.original.as_ref(),
    };
    match check_draft(&case.draft, &context) {
        Ok(()) => "ok".to_owned(),
        Err(violations) => violations.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
    }
}

/// Edits the draft.
fn check(sample_id: &str, edit: impl FnOnce(&mut ReceiptDraft), expected: Expect) {
    let mut case = case(sample_id);
    edit(&mut case.draft);
    expected.assert_eq(&violations(&case));
}

/// Edits the draft or the world around it.
fn check_case(sample_id: &str, edit: impl FnOnce(&mut Case), expected: Expect) {
    let mut case = case(sample_id);
    edit(&mut case);
    expected.assert_eq(&violations(&case));
}

/// Sets a receipt code with the template that belongs to it.
fn set_code(draft: &mut ReceiptDraft, code: &str) {
    draft.receipt_code = ReceiptCode::parse(code).unwrap();
    draft.specimen_code = format!("{code}01");
}

/// Sets the total with items, payments and own payment that fit.
fn set_total(draft: &mut ReceiptDraft, fen: i64) {
    draft.total_amount = Fen::new(fen);
    draft.items.truncate(1);
    draft.items[0].amount = Fen::new(fen);
    draft.items[0].quantity = None;
    draft.payments.truncate(1);
    draft.payments[0].amount = Fen::new(fen);
}

#[test]
fn unedited_samples_pass() {
    for sample in 1..=17 {
        assert_eq!(violations(&case(&format!("S{sample:02}"))), "ok", "S{sample:02}");
    }
}

#[test]
fn v01_kind_is_registered() {
    check(
        "S11",
        |d| set_code(d, "99019926"),
        expect!["V01 KIND_NOT_ALLOWED receipt_code: kind 99019926 is not registered"],
    );
    check(
        "S11",
        |d| set_code(d, "98010126"),
        expect!["V01 KIND_NOT_ALLOWED receipt_code: kind 98010126 is not registered"],
    );
    assert!(serde_json::from_str::<ReceiptDraft>(r#"{"receipt_code":"9901012"}"#).is_err());
}

#[test]
fn v04_year_digits() {
    let new_year = |d: &mut Case, day: &str, second: u32, code: &str| {
        d.draft.issue_date = date(day);
        d.now = date(day).at_seconds(second, 480).unwrap();
        set_code(&mut d.draft, code);
    };
    check_case("S11", |c| new_year(c, "2027-01-01", 1, "99010126"), expect!["ok"]);
    check_case("S11", |c| new_year(c, "2027-01-01", 1, "99010127"), expect!["ok"]);
    check_case("S11", |c| new_year(c, "2027-01-31", 86_399, "99010126"), expect!["ok"]);
    check_case(
        "S11",
        |c| new_year(c, "2027-02-01", 0, "99010126"),
        expect!["V04 DATE_OUT_OF_RANGE receipt_code: year digits 26 do not fit a day of issue in 2027"],
    );
    check_case(
        "S11",
        |c| new_year(c, "2027-01-01", 1, "99010125"),
        expect!["V04 DATE_OUT_OF_RANGE receipt_code: year digits 25 do not fit a day of issue in 2027"],
    );
    check_case(
        "S11",
        |c| new_year(c, "2026-12-31", 86_399, "99010127"),
        expect!["V04 DATE_OUT_OF_RANGE receipt_code: year digits 27 do not fit a day of issue in 2026"],
    );
    check_case("S11", |c| new_year(c, "2100-01-01", 1, "99010199"), expect!["ok"]);
}

#[test]
fn v05_day_of_issue() {
    const HOUR: u64 = 3_600_000;
    check(
        "S11",
        |d| d.issue_date = date("2026-11-11"),
        expect![[r#"
            V05 DATE_OUT_OF_RANGE issue_date: is 2026-11-11, but the day of issue is 2026-11-12
            FORM FIELD_INVALID non_tax.confirm_time: lies after the day of issue"#]],
    );
    check(
        "S11",
        |d| d.issue_date = date("2026-11-13"),
        expect!["V05 DATE_OUT_OF_RANGE issue_date: is 2026-11-13, but the day of issue is 2026-11-12"],
    );
    let at = |day: &str, second| date(day).at_seconds(second, 480).unwrap();
    check_case("S11", |c| c.now = UnixMillis::new(at("2026-11-13", 0).get() - 1), expect!["ok"]);
    check_case(
        "S11",
        |c| c.now = at("2026-11-13", 0),
        expect!["V05 DATE_OUT_OF_RANGE issue_date: is 2026-11-12, but the day of issue is 2026-11-13"],
    );
    check_case("S11", |c| c.now = at("2026-11-12", 0), expect!["ok"]);
    let offline = |c: &mut Case, hours: u64| {
        c.offline_issue_time = Some(at("2026-11-12", 36_000));
        c.now = at("2026-11-12", 36_000).plus_millis(hours * HOUR);
    };
    check_case("S11", |c| offline(c, 24), expect!["ok"]);
    check_case("S11", |c| offline(c, 25), expect!["V05 OFFLINE_EXPIRED offline_issue_time: is more than 24 hours ago"]);
    check_case(
        "S11",
        |c| c.offline_issue_time = Some(c.now.plus_millis(1)),
        expect!["V05 TIME_INVALID offline_issue_time: lies in the future"],
    );
    check_case(
        "S11",
        |c| c.now = UnixMillis::new(u64::MAX),
        expect!["V05 TIME_INVALID issue_date: date: year must be 1900 to 2999"],
    );
}

#[test]
fn v06_social_credit_codes() {
    check(
        "S11",
        |d| d.unit_code = "129903004557730349".to_owned(),
        expect!["V06 FIELD_INVALID unit_code: is not a valid unified social credit code"],
    );
    check(
        "S11",
        |d| d.unit_code = String::new(),
        expect!["V06 FIELD_INVALID unit_code: is not a valid unified social credit code"],
    );
    check(
        "S12",
        |d| d.payer_code = "91990300MA5EX00173".to_owned(),
        expect!["V06 FIELD_INVALID payer_code: is not a valid unified social credit code"],
    );
}

#[test]
fn v07_resident_ids() {
    check(
        "S11",
        |d| d.payer_code = "110105194912310021".to_owned(),
        expect!["V07 FIELD_INVALID payer_code: is not a valid resident ID"],
    );
    check("S11", |d| d.payer_code = "11010519491231002X".to_owned(), expect!["ok"]);
    check("S11", |d| d.payer_code = "110105********002X".to_owned(), expect!["ok"]);
    check(
        "S11",
        |d| d.payer_code = "110105*******002X".to_owned(),
        expect![
            "V07 FIELD_INVALID payer_code: is not a masked resident ID: 18 characters, at least four of them shown, and those possible"
        ],
    );
}

#[test]
fn payer_identity() {
    check(
        "S11",
        |d| d.payer_code.clear(),
        expect!["FORM FIELD_INVALID payer_code: is required for this payer_id_type"],
    );
    check(
        "S11",
        |d| d.payer_id_type = PayerIdType::Uscc,
        expect![[r#"
            FORM FIELD_INVALID payer_id_type: does not fit the payer type
            V06 FIELD_INVALID payer_code: is a resident ID, not a unified social credit code"#]],
    );
    check(
        "S12",
        |d| d.payer_id_type = PayerIdType::Passport,
        expect!["FORM FIELD_INVALID payer_id_type: does not fit the payer type"],
    );
    check(
        "S12",
        |d| d.payer_type = PayerType::Individual,
        expect!["FORM FIELD_INVALID payer_id_type: does not fit the payer type"],
    );
    let newborn = |d: &mut ReceiptDraft| {
        d.payer_id_type = PayerIdType::Newborn;
        d.payer_code.clear();
    };
    check("S01", newborn, expect!["ok"]);
    let foreigner = |d: &mut ReceiptDraft| {
        d.payer_id_type = PayerIdType::Passport;
        d.payer_code = "E12345678".to_owned();
    };
    check("S01", foreigner, expect!["ok"]);
}

#[test]
fn v08_sums() {
    check(
        "S12",
        |d| d.total_amount = Fen::new(1),
        expect![[r#"
        V08 SUM_MISMATCH items: add up to 200000.00, but total_amount is 0.01
        V08 SUM_MISMATCH payments: add up to 200000.00, but total_amount is 0.01"#]],
    );
    check(
        "S12",
        |d| d.payments[0].amount = Fen::new(1),
        expect!["V08 SUM_MISMATCH payments: add up to 0.01, but total_amount is 200000.00"],
    );
    let overflow = |d: &mut ReceiptDraft| {
        let row = d.items[0].clone();
        d.items = vec![row; ITEMS_MAX];
        d.items.iter_mut().for_each(|item| item.amount = Fen::new(i64::MAX));
    };
    let mut case = case("S12");
    overflow(&mut case.draft);
    let all = violations(&case);
    assert!(
        all.contains("V08 SUM_MISMATCH items: add up to an amount beyond the range, but total_amount is 200000.00"),
        "{all}"
    );
    let discount = |d: &mut ReceiptDraft| {
        let mut row = d.items[0].clone();
        row.amount = Fen::new(-100);
        row.quantity = None;
        d.items.push(row.clone());
        row.amount = Fen::new(100);
        d.items.push(row.clone());
        row.amount = Fen::ZERO;
        d.items.push(row);
    };
    check("S12", discount, expect!["ok"]);
}

#[test]
fn v09_quantity_times_standard() {
    check(
        "S17",
        |d| d.items[0].quantity = Some(Quantity::parse("89.2").unwrap()),
        expect!["V09 SUM_MISMATCH items[0].amount: 89.2 × 120.0000 is not 10692.00 ± 0.01"],
    );
    check(
        "S17",
        |d| d.items[0].quantity = Some(Quantity::parse("89.1001").unwrap()),
        expect!["V09 SUM_MISMATCH items[0].amount: 89.1001 × 120.0000 is not 10692.00 ± 0.01"],
    );
    check("S17", |d| d.items[0].standard = Some(Yuan4::parse("120.0001").unwrap()), expect!["ok"]);
    check("S17", |d| d.items[0].standard = None, expect!["ok"]);
    check("S17", |d| d.items[0].quantity = None, expect!["ok"]);
    check(
        "S17",
        |d| d.items[0].quantity = Some(Quantity::new(i64::MAX)),
        expect![[r#"
            V09 SUM_MISMATCH items[0].amount: 922337203685477.5807 × 120.0000 is not 10692.00 ± 0.01
            V26 FIELD_INVALID items[0].quantity: must be below 10^12"#]],
    );
}

#[test]
fn v10_aux_lines() {
    let line = |d: &mut ReceiptDraft, amount: &str| d.aux_items[0].amount = Yuan4::parse(amount).unwrap();
    let adjust =
        |d: &mut ReceiptDraft, amount: &str| d.items[0].rounding_adjustment = Some(Yuan4::parse(amount).unwrap());
    check("S01", |d| line(d, "25.0100"), expect!["ok"]);
    check(
        "S01",
        |d| line(d, "25.0101"),
        expect!["V10 SUM_MISMATCH items[0].amount: its aux_items add up to 25.0101 instead of 25.0000"],
    );
    check(
        "S01",
        |d| line(d, "24.9899"),
        expect!["V10 SUM_MISMATCH items[0].amount: its aux_items add up to 24.9899 instead of 25.0000"],
    );
    check(
        "S01",
        |d| d.aux_items[0].related_item_code = "0699".to_owned(),
        expect!["V10 FIELD_INVALID aux_items[0].related_item_code: names no item of the receipt"],
    );
    check("S01", |d| d.aux_items.clear(), expect!["ok"]);
    check("S01", |d| drop(d.aux_items.remove(0)), expect!["ok"]);
    let adjusted = |d: &mut ReceiptDraft, amount: &str, adjustment: &str| {
        line(d, amount);
        adjust(d, adjustment);
    };
    check("S01", |d| adjusted(d, "25.0100", "-0.0100"), expect!["ok"]);
    check(
        "S01",
        |d| adjusted(d, "25.0050", "-0.0049"),
        expect!["V10 SUM_MISMATCH items[0].amount: its aux_items add up to 25.0001 instead of 25.0000"],
    );
    check(
        "S01",
        |d| adjusted(d, "26.0000", "-1.0000"),
        expect!["V10 FIELD_INVALID items[0].rounding_adjustment: is above 0.01 per line"],
    );
    check(
        "S12",
        |d| adjust(d, "0.0100"),
        expect!["V10 FIELD_INVALID items[0].rounding_adjustment: is above 0.01 per line"],
    );
}

#[test]
fn v10_two_items_of_one_code_share_their_lines() {
    let split = |d: &mut ReceiptDraft| {
        let mut half = d.items[1].clone();
        half.quantity = None;
        half.amount = Fen::new(2_000);
        d.items[1].quantity = None;
        d.items[1].amount = Fen::new(7_600);
        d.items.push(half);
    };
    check("S01", split, expect!["ok"]);
}

#[test]
fn v11_medical_split() {
    let own = |d: &mut ReceiptDraft, fen: i64| match &mut d.ext {
        Ext::Medical { medical } => medical.own_pay = Fen::new(fen),
        other => panic!("{other:?}"),
    };
    check(
        "S01",
        |d| own(d, 8_418),
        expect!["V11 MEDICAL_SPLIT_MISMATCH medical: the four parts add up to 385.38, but total_amount is 385.37"],
    );
    check(
        "S01",
        |d| own(d, i64::MAX),
        expect![[r#"
            V11 MEDICAL_SPLIT_MISMATCH medical: the four parts add up to an amount beyond the range, but total_amount is 385.37
            V26 FIELD_INVALID medical.own_pay: must be below 10^12 yuan"#]],
    );
    check(
        "S02",
        |d| own(d, 558_873),
        expect!["V11 MEDICAL_SPLIT_MISMATCH medical: the four parts add up to 16891.39, but total_amount is 16891.40"],
    );
    let informative = |d: &mut ReceiptDraft| match &mut d.ext {
        Ext::Medical { medical } => (medical.self_payment, medical.self_cost) = (Some(Fen::new(-7)), None),
        other => panic!("{other:?}"),
    };
    check("S01", informative, expect!["ok"]);
}

#[test]
fn v13_items() {
    check(
        "S12",
        |d| d.items[0].item_code = "X".to_owned(),
        expect!["V13 ITEM_NOT_ALLOWED items[0].item_code: item is not attached to the unit and kind 99040126"],
    );
}

#[test]
fn v15_decisions() {
    let fine = |d: &mut ReceiptDraft, number: &str, instalment| match &mut d.ext {
        Ext::PaymentBook { fine, .. } => (fine.penalty_decision_no, fine.instalment) = (number.to_owned(), instalment),
        other => panic!("{other:?}"),
    };
    check("S04", |d| fine(d, "9903001900123456", Some(2)), expect!["ok"]);
    check(
        "S04",
        |d| fine(d, "", None),
        expect![
            "V15 FIELD_INVALID fine.penalty_decision_no: is required: every receipt of category 03 is for a decision"
        ],
    );
    check(
        "S04",
        |d| fine(d, "1", Some(0)),
        expect!["V15 FIELD_INVALID fine.instalment: counts from 1, to at most 1200"],
    );
}

#[test]
fn v19_red_receipts() {
    check(
        "S13",
        |d| d.items[0].amount = Fen::new(-2_501),
        expect![[r#"
        V08 SUM_MISMATCH items: add up to -385.38, but total_amount is -385.37
        V19 AMOUNT_MISMATCH items[0]: is not the original's with the sign turned"#]],
    );
    check(
        "S13",
        |d| d.payer_name = "赵某".to_owned(),
        expect!["V19 AMOUNT_MISMATCH payer_name: is not the original's with the sign turned"],
    );
    check(
        "S13",
        |d| d.related.clear(),
        expect![
            "V19 FIELD_INVALID related: a red receipt names exactly one original as reversal_of, any other receipt none"
        ],
    );
    check(
        "S13",
        |d| d.related.push(d.related[0].clone()),
        expect![[r#"
        V19 FIELD_INVALID related: a red receipt names exactly one original as reversal_of, any other receipt none
        V19 AMOUNT_MISMATCH related: is not the original's with the sign turned"#]],
    );
    check(
        "S13",
        |d| d.reversal = None,
        expect![[r#"
            V26 FIELD_INVALID total_amount: must be above zero
            V26 FIELD_INVALID payments[0].amount: must not be below zero; a refund is a reversal
            V26 FIELD_INVALID payments[1].amount: must not be below zero; a refund is a reversal
            V26 FIELD_INVALID medical.fund_pay: must not be below zero; a refund is a reversal
            V26 FIELD_INVALID medical.account_pay: must not be below zero; a refund is a reversal
            V26 FIELD_INVALID medical.own_pay: must not be below zero; a refund is a reversal
            V19 FIELD_INVALID related: a red receipt names exactly one original as reversal_of, any other receipt none
            V19 AMOUNT_MISMATCH reversal: is not the original's with the sign turned"#]],
    );
    check(
        "S13",
        |d| set_code(d, "99060226"),
        expect!["V19 KIND_NOT_ALLOWED receipt_code: is not of the original's kind"],
    );
    check_case(
        "S13",
        |c| c.original = None,
        expect!["V19 ORIGINAL_UNKNOWN related: receipt 99060126-0000001023 is not known"],
    );
    check_case(
        "S13",
        |c| c.original.as_mut().unwrap().issued.receipt_number = ReceiptNumber::new(7).unwrap(),
        expect!["V19 ORIGINAL_UNKNOWN related: receipt 99060126-0000001023 is not known"],
    );
    let of_red = |c: &mut Case| {
        let red = fixture::issue(c.draft.clone(), 1187);
        c.draft.related = vec![Related::ReversalOf {
            receipt_code: red.draft.receipt_code,
            receipt_number: red.issued.receipt_number,
        }];
        c.original = Some(red);
    };
    check_case("S13", of_red, expect!["V19 ORIGINAL_IS_RED related: receipt 99060126-0000001187 is itself a reversal"]);
    let foreign = |c: &mut Case| c.original.as_mut().unwrap().draft.unit_code = "12990300455002109G".to_owned();
    check_case("S13", foreign, expect!["V19 UNIT_MISMATCH unit_code: is not the unit of the original"]);
}

#[test]
fn v20_reissue() {
    check_case(
        "S14",
        |c| c.original = None,
        expect!["V20 ORIGINAL_UNKNOWN related: receipt 99060126-0000001023 is not known"],
    );
    check_case(
        "S14",
        |c| c.original.as_mut().unwrap().draft.total_amount = c.draft.total_amount,
        expect!["V20 AMOUNT_MISMATCH total_amount: is not below 205.37, the original's total"],
    );
    let foreign_red_and_above = |c: &mut Case| {
        let original = c.original.as_mut().unwrap();
        original.draft.unit_code = "12990300455002109G".to_owned();
        original.draft.total_amount = c.draft.total_amount;
        original.draft.reversal = case("S13").draft.reversal;
    };
    check_case("S14", foreign_red_and_above, expect!["V20 UNIT_MISMATCH unit_code: is not the unit of the original"]);
    check(
        "S14",
        |d| d.related.push(d.related[0].clone()),
        expect!["V20 FIELD_INVALID related: at most one re-issue link, and none on a red receipt"],
    );
    let on_red = |c: &mut Case| {
        let Some(key) = c.draft.reversal_of() else { panic!() };
        c.draft.related.push(Related::ReissueAfterPartialRefund { receipt_code: key.code, receipt_number: key.number });
    };
    check_case(
        "S13",
        on_red,
        expect![[r#"
        V20 FIELD_INVALID related: at most one re-issue link, and none on a red receipt
        V19 AMOUNT_MISMATCH related: is not the original's with the sign turned"#]],
    );
}

#[test]
fn v23_donations() {
    let donation = |d: &mut ReceiptDraft, kind, basis: &str| match &mut d.ext {
        Ext::Donation { donation } => (donation.donation_kind, donation.valuation_basis) = (kind, basis.to_owned()),
        other => panic!("{other:?}"),
    };
    check(
        "S10",
        |d| donation(d, Some(DonationKind::InKind), ""),
        expect!["V23 FIELD_INVALID donation.valuation_basis: is required for goods"],
    );
    check("S10", |d| donation(d, None, "发票"), expect!["V23 FIELD_INVALID donation.donation_kind: is required"]);
    check(
        "S10",
        |d| donation(d, Some(DonationKind::Money), ""),
        expect!["V23 FIELD_INVALID payments[0].mode: in_kind is the mode of a gift of goods, and of nothing else"],
    );
    check("S09", |d| donation(d, Some(DonationKind::Money), ""), expect!["ok"]);
}

#[test]
fn v24_anonymous() {
    check(
        "S10",
        |d| d.payer_code = "E12345678".to_owned(),
        expect!["V24 FIELD_INVALID payer_code: must be absent for an anonymous donation"],
    );
}

#[test]
fn v25_anchored_records() {
    let check = |bytes: &[u8], expected: Expect| {
        let fields = [
            AnchoredField { name: "total_fen", value: AnchoredValue::Integer },
            AnchoredField { name: "biz_key", value: AnchoredValue::Bytes(bytes) },
        ];
        let text = match check_anchored(&fields) {
            Ok(()) => "ok".to_owned(),
            Err(violations) => violations[0].to_string(),
        };
        expected.assert_eq(&text);
    };
    check(&[0x9c; 16], expect!["ok"]);
    check(&[0x9c; 32], expect!["ok"]);
    check(&[0x9c; 18], expect!["V25 FIELD_INVALID biz_key: is neither a hash nor a key nor a signature"]);
    check("林某某".as_bytes(), expect!["V25 FIELD_INVALID biz_key: is neither a hash nor a key nor a signature"]);
    check(b"MZ20261102000917", expect!["V25 FIELD_INVALID biz_key: is text"]);
    let receipt = original();
    let record = [&[0x9c; 40][..], "林某某".as_bytes(), &[7; 5], receipt.draft.biz_code.as_bytes()].concat();
    assert_eq!(leaked_fields(&record, &receipt).unwrap(), ["biz_code", "payer_name"]);
    assert!(leaked_fields(&[0x9c; 240], &receipt).unwrap().is_empty());
}

#[test]
fn v26_amount_range() {
    check("S12", |d| set_total(d, 0), expect!["V26 FIELD_INVALID total_amount: must be above zero"]);
    check(
        "S12",
        |d| set_total(d, -5),
        expect![[r#"
        V26 FIELD_INVALID total_amount: must be above zero
        V26 FIELD_INVALID payments[0].amount: must not be below zero; a refund is a reversal"#]],
    );
    check("S12", |d| set_total(d, TOTAL_FEN_BOUND - 1), expect!["ok"]);
    check(
        "S12",
        |d| set_total(d, TOTAL_FEN_BOUND),
        expect![[r#"
        V26 FIELD_INVALID total_amount: must be below 10^12 yuan
        V26 FIELD_INVALID payments[0].amount: must be below 10^12 yuan
        V26 FIELD_INVALID items[0].amount: must be below 10^12 yuan"#]],
    );
    check(
        "S12",
        |d| set_total(d, i64::MIN),
        expect![[r#"
            V26 FIELD_INVALID total_amount: must be above zero
            V26 FIELD_INVALID total_amount: must be below 10^12 yuan
            V26 FIELD_INVALID payments[0].amount: must be below 10^12 yuan
            V26 FIELD_INVALID payments[0].amount: must not be below zero; a refund is a reversal
            V26 FIELD_INVALID items[0].amount: must be below 10^12 yuan"#]],
    );
    check("S12", |d| set_total(d, 1), expect!["ok"]);
    let mut red = case("S13");
    red.draft.total_amount = Fen::new(5);
    let all = violations(&red);
    assert!(
        all.lines().any(|line| line == "V26 FIELD_INVALID total_amount: must be below zero on a red receipt"),
        "{all}"
    );
    check(
        "S01",
        |d| d.aux_items[0].amount = Yuan4::new(i64::MAX),
        expect![[r#"
            V10 SUM_MISMATCH items[0].amount: its aux_items add up to 922337203685477.5807 instead of 25.0000
            V26 FIELD_INVALID aux_items[0].amount: must be below 10^12"#]],
    );
}

#[test]
fn v27_texts() {
    let name = |text: &str| {
        let text = text.to_owned();
        move |d: &mut ReceiptDraft| d.payer_name = text
    };
    check("S01", name("𠮷某𬱖"), expect!["ok"]);
    check("S01", name("Ärzte·Müller"), expect!["ok"]);
    check("S01", name("A\u{308}rzte"), expect!["V27 FIELD_INVALID payer_name: must be in Unicode normal form C"]);
    check(
        "S01",
        name("林\u{0}某"),
        expect!["V27 FIELD_INVALID payer_name: has the control character U+0000: leave it out"],
    );
    check(
        "S01",
        name("林\n某"),
        expect!["V27 FIELD_INVALID payer_name: has the control character U+000A: leave it out"],
    );
    check(
        "S01",
        name("林\u{85}某"),
        expect!["V27 FIELD_INVALID payer_name: has the control character U+0085: leave it out"],
    );
    check(
        "S01",
        name("林\u{200b}某"),
        expect!["V27 FIELD_INVALID payer_name: has the invisible character U+200B: leave it out"],
    );
    check(
        "S01",
        name("\u{202e}某林"),
        expect!["V27 FIELD_INVALID payer_name: has the invisible character U+202E: leave it out"],
    );
    check("S01", name(""), expect!["V27 FIELD_INVALID payer_name: is required"]);
    check("S01", name(" "), expect!["V27 FIELD_INVALID payer_name: must not begin or end with white space"]);
    check("S01", name("林某 "), expect!["V27 FIELD_INVALID payer_name: must not begin or end with white space"]);
    check("S01", name(&"林".repeat(200)), expect!["ok"]);
    check("S01", name(&"林".repeat(201)), expect!["V27 FIELD_INVALID payer_name: must have at most 200 characters"]);
    check("S01", name(&"a".repeat(201)), expect!["V27 FIELD_INVALID payer_name: must have at most 200 characters"]);
    check("S01", |d| d.remark = "备".repeat(200), expect!["ok"]);
    check(
        "S01",
        |d| d.remark = "备".repeat(201),
        expect!["V27 FIELD_INVALID remark: must have at most 200 characters"],
    );
    check(
        "S01",
        |d| d.supervisor_remark = "备".repeat(201),
        expect!["V27 FIELD_INVALID supervisor_remark: must have at most 200 characters"],
    );
    check(
        "S01",
        |d| d.biz_code = "1".repeat(51),
        expect!["V27 FIELD_INVALID biz_code: must have at most 50 characters"],
    );
    check("S01", |d| d.biz_code.clear(), expect!["V27 FIELD_INVALID biz_code: is required"]);
}

#[test]
fn v27_hidden_and_private_characters() {
    let name = |text: &str| {
        let text = text.to_owned();
        move |d: &mut ReceiptDraft| d.payer_name = text
    };
    check(
        "S01",
        name("林\u{e5e5}某"),
        expect![
            "V27 FIELD_INVALID payer_name: has the private-use character U+E5E5, which means nothing outside the program that made it: write the character that it stands for"
        ],
    );
    check(
        "S01",
        name("\u{e863}某"),
        expect![
            "V27 FIELD_INVALID payer_name: has the private-use character U+E863; write 䶮 (U+4DAE), for which GBK used it"
        ],
    );
    check("S01", name("葛\u{e0100}城"), expect!["ok"]);
    check(
        "S01",
        |d| d.biz_code = "葛\u{e0100}1".to_owned(),
        expect!["V27 FIELD_INVALID biz_code: must not have variation selectors: it is a code"],
    );
    for hidden in ['\u{61c}', '\u{180e}', '\u{3164}', '\u{2800}', '\u{e0041}', '\u{115f}', '\u{fffe}'] {
        for text in [format!("{hidden}"), format!("林{hidden}某"), format!("{hidden}{hidden}")] {
            let mut case = case("S01");
            case.draft.payer_name = text.clone();
            assert!(violations(&case).starts_with("V27 FIELD_INVALID payer_name: has "), "{text:?}");
        }
    }
    for empty in ["—", "***", "。", "\u{301}", "·"] {
        let mut case = case("S01");
        case.draft.payer_name = empty.to_owned();
        assert!(violations(&case).starts_with("V27 FIELD_INVALID payer_name: must "), "{empty:?}");
    }
}

/// Puts a tab into a text, and expects it to be found under the given path.
fn finds_tab(sample_id: &str, field: &str, text: impl FnOnce(&mut ReceiptDraft) -> &mut String) {
    let mut case = case(sample_id);
    *text(&mut case.draft) = "1\t2".to_owned();
    let expected = format!("V27 FIELD_INVALID {field}: has the control character U+0009: leave it out");
    let all = violations(&case);
    assert!(all.lines().any(|line| line == expected), "{field}: {all}");
}

#[test]
fn v27_reaches_every_text() {
    finds_tab("S01", "receipt_name", |d| &mut d.receipt_name);
    finds_tab("S01", "biz_code", |d| &mut d.biz_code);
    finds_tab("S01", "place_code", |d| &mut d.place_code);
    finds_tab("S01", "payer_code", |d| &mut d.payer_code);
    finds_tab("S01", "payer_name", |d| &mut d.payer_name);
    finds_tab("S01", "rec_name", |d| &mut d.rec_name);
    finds_tab("S01", "rec_account", |d| &mut d.rec_account);
    finds_tab("S01", "rec_bank", |d| &mut d.rec_bank);
    finds_tab("S01", "handling_person", |d| &mut d.handling_person);
    finds_tab("S01", "checker", |d| &mut d.checker);
    finds_tab("S01", "remark", |d| &mut d.remark);
    finds_tab("S01", "supervisor_remark", |d| &mut d.supervisor_remark);
    finds_tab("S01", "items[3].item_code", |d| &mut d.items[3].item_code);
    finds_tab("S01", "items[3].item_name", |d| &mut d.items[3].item_name);
    finds_tab("S01", "items[3].unit", |d| &mut d.items[3].unit);
    finds_tab("S01", "items[3].remark", |d| &mut d.items[3].remark);
    finds_tab("S01", "aux_items[5].related_item_code", |d| &mut d.aux_items[5].related_item_code);
    finds_tab("S01", "aux_items[5].related_item_name", |d| &mut d.aux_items[5].related_item_name);
    finds_tab("S01", "aux_items[5].item_code", |d| &mut d.aux_items[5].item_code);
    finds_tab("S01", "aux_items[5].item_name", |d| &mut d.aux_items[5].item_name);
    finds_tab("S01", "aux_items[5].unit", |d| &mut d.aux_items[5].unit);
    finds_tab("S01", "aux_items[5].remark", |d| &mut d.aux_items[5].remark);
    finds_tab("S01", "payments[1].channel_reference", |d| &mut d.payments[1].channel_reference);
    finds_tab("S02", "other_info[1].name", |d| &mut d.other_info[1].name);
    finds_tab("S02", "other_info[1].value", |d| &mut d.other_info[1].value);
    finds_tab("S13", "reversal.text", |d| &mut d.reversal.as_mut().unwrap().text);
    finds_tab("S13", "reversal.operator", |d| &mut d.reversal.as_mut().unwrap().operator);
    finds_tab("S13", "reversal.refund_reference", |d| &mut d.reversal.as_mut().unwrap().refund_reference);
    finds_tab("S13", "reversal.reissue_biz_code", |d| &mut d.reversal.as_mut().unwrap().reissue_biz_code);
    finds_tab("S01", "medical.gender", |d| match &mut d.ext {
        Ext::Medical { medical } => &mut medical.gender,
        other => panic!("{other:?}"),
    });
    finds_tab("S06", "school.batch_no", |d| match &mut d.ext {
        Ext::NontaxGeneral { school, .. } => &mut school.batch_no,
        other => panic!("{other:?}"),
    });
}

#[test]
fn v27_required_texts() {
    check("S01", |d| d.receipt_name.clear(), expect!["V27 FIELD_INVALID receipt_name: is required"]);
    check("S01", |d| d.place_code.clear(), expect!["V27 FIELD_INVALID place_code: is required"]);
    check("S01", |d| d.handling_person.clear(), expect!["V27 FIELD_INVALID handling_person: is required"]);
    check("S01", |d| d.checker.clear(), expect!["V27 FIELD_INVALID checker: is required"]);
    check("S12", |d| d.items[0].item_code.clear(), expect!["V27 FIELD_INVALID items[0].item_code: is required"]);
    check("S12", |d| d.items[0].item_name.clear(), expect!["V27 FIELD_INVALID items[0].item_name: is required"]);
    check(
        "S01",
        |d| d.aux_items[5].item_name.clear(),
        expect!["V27 FIELD_INVALID aux_items[5].item_name: is required"],
    );
    check("S02", |d| d.other_info[1].name.clear(), expect!["V27 FIELD_INVALID other_info[1].name: is required"]);
    check(
        "S02",
        |d| d.other_info[1].value = "值".repeat(501),
        expect!["V27 FIELD_INVALID other_info[1].value: must have at most 500 characters"],
    );
    check(
        "S13",
        |d| d.reversal.as_mut().unwrap().operator.clear(),
        expect!["V27 FIELD_INVALID reversal.operator: is required"],
    );
    let paper = Related::ExchangedPaper { paper_code: String::new(), paper_number: "1\t2".to_owned() };
    check(
        "S01",
        |d| d.related.push(paper),
        expect![[r#"
        V27 FIELD_INVALID related[0].paper_code: is required
        V27 FIELD_INVALID related[0].paper_number: has the control character U+0009: leave it out"#]],
    );
}

#[test]
fn v30_reversal_of_non_tax() {
    let receipt = fixture::issue(template("S11", None), 7);
    let red = |refund: &str, reissue: &str, reason, text: &str| {
        let mut case = case("S11");
        let mut reversal = template("S13", Some(&original())).reversal.unwrap();
        (reversal.reason, reversal.text) = (reason, text.to_owned());
        (reversal.refund_reference, reversal.reissue_biz_code) = (refund.to_owned(), reissue.to_owned());
        let request = crate::receipt::red::RedRequest {
            receipt_code: receipt.draft.receipt_code,
            issue_date: case.draft.issue_date,
            biz_code: "T-red".to_owned(),
            place_code: "001".to_owned(),
            handling_person: "何某".to_owned(),
            checker: "吴某".to_owned(),
            remark: String::new(),
            reversal,
        };
        case.draft = crate::receipt::red::red_draft(&receipt, &request).unwrap();
        case.original = Some(receipt.clone());
        violations(&case)
    };
    expect!["V30 FIELD_INVALID reversal.refund_reference: the reversal of a non-tax receipt names a refund_reference or a reissue_biz_code"].assert_eq(&red("", "", ReversalReason::FullRefund, ""));
    expect!["ok"].assert_eq(&red("TF1", "", ReversalReason::FullRefund, ""));
    expect!["ok"].assert_eq(&red("", "B2", ReversalReason::WrongPayer, ""));
    expect!["FORM FIELD_INVALID reversal.text: is required for the reason other"].assert_eq(&red(
        "TF1",
        "",
        ReversalReason::Other,
        "",
    ));
    expect!["ok"].assert_eq(&red("TF1", "", ReversalReason::Other, "系统故障"));
}

#[test]
fn forms() {
    check(
        "S12",
        |d| d.supervisor_area_code = "9903".to_owned(),
        expect!["FORM FIELD_INVALID supervisor_area_code: must be exactly 6 digits"],
    );
    check(
        "S12",
        |d| d.supervisor_area_code = "99030０".to_owned(),
        expect!["FORM FIELD_INVALID supervisor_area_code: must be exactly 6 digits"],
    );
    check(
        "S12",
        |d| d.specimen_code = "9904012601 ".to_owned(),
        expect!["FORM FIELD_INVALID specimen_code: must be the receipt code and a 2-digit version"],
    );
    check(
        "S12",
        |d| d.specimen_code = "9904022601".to_owned(),
        expect!["FORM FIELD_INVALID specimen_code: must be the receipt code and a 2-digit version"],
    );
    check(
        "S12",
        |d| d.ext = Ext::Other,
        expect!["FORM FIELD_INVALID ext: is not the extension of the receipt code's category"],
    );
    check(
        "S12",
        |d| d.ext = Ext::empty(6),
        expect![[r#"
        FORM FIELD_INVALID ext: is not the extension of the receipt code's category
        V11 MEDICAL_SPLIT_MISMATCH medical: the four parts add up to 0.00, but total_amount is 200000.00"#]],
    );
    let covers = |pay_code: &str| Related::CoversPayCode { pay_code: pay_code.to_owned() };
    let three = [covers("99030026000000045108"), covers("99030026000000045109")];
    check("S11", |d| d.related.extend(three), expect!["ok"]);
    let twice = vec![covers("99030026000000045108"); 2];
    check(
        "S11",
        |d| d.related.extend(twice),
        expect!["FORM FIELD_INVALID pay_code: the same pay code is covered twice"],
    );
    check("S11", |d| d.related.push(covers("9903")), expect!["FORM FIELD_INVALID pay_code: must be exactly 20 digits"]);
}

#[test]
fn limits() {
    check("S12", |d| d.items.clear(), expect!["FORM FIELD_INVALID items: needs at least one entry"]);
    check("S12", |d| d.payments.clear(), expect!["FORM FIELD_INVALID payments: needs at least one entry"]);
    let items = |count: usize| {
        move |d: &mut ReceiptDraft| {
            let row = d.items[0].clone();
            d.items.resize(count, crate::receipt::model::Item { amount: Fen::ZERO, quantity: None, ..row });
        }
    };
    check("S12", items(ITEMS_MAX), expect!["ok"]);
    check("S12", items(ITEMS_MAX + 1), expect!["LIMIT FIELD_INVALID items: has 201 entries, at most 200 are allowed"]);
    let aux = |count: usize, remark: usize| {
        move |d: &mut ReceiptDraft| {
            let row = crate::receipt::model::AuxItem { amount: Yuan4::ZERO, ..d.aux_items[0].clone() };
            d.aux_items.resize(count, crate::receipt::model::AuxItem { remark: "备".repeat(remark), ..row });
        }
    };
    check("S01", aux(800, 2), expect!["ok"]);
    check("S01", aux(AUX_ITEMS_MAX, 2), expect!["ok"]);
    check(
        "S01",
        aux(AUX_ITEMS_MAX + 1, 2),
        expect!["LIMIT FIELD_INVALID aux_items: has 2001 entries, at most 2000 are allowed"],
    );
    check(
        "S01",
        aux(AUX_ITEMS_MAX, 200),
        expect!["LIMIT FIELD_INVALID aux_items: the receipt would exceed 1048576 bytes"],
    );
    let payments = |d: &mut ReceiptDraft| {
        let nothing = Payment { mode: PaymentMode::Cash, amount: Fen::ZERO, channel_reference: String::new() };
        d.payments.resize(PAYMENTS_MAX + 1, nothing);
    };
    check("S12", payments, expect!["LIMIT FIELD_INVALID payments: has 17 entries, at most 16 are allowed"]);
    let pay_codes = |d: &mut ReceiptDraft| {
        let related = |index| Related::CoversPayCode { pay_code: format!("99030026{index:012}") };
        d.related = (0..=RELATED_MAX).map(related).collect();
    };
    check("S11", pay_codes, expect!["LIMIT FIELD_INVALID related: has 18 entries, at most 17 are allowed"]);
    let other = |d: &mut ReceiptDraft| {
        d.other_info.resize(OTHER_INFO_MAX + 1, OtherInfo { no: 1, name: "x".to_owned(), value: String::new() });
    };
    check("S12", other, expect!["LIMIT FIELD_INVALID other_info: has 51 entries, at most 50 are allowed"]);
}

#[test]
fn all_violations_are_collected() {
    let edit = |d: &mut ReceiptDraft| {
        d.payer_name.clear();
        d.total_amount = Fen::new(1);
        d.unit_code.clear();
        d.items[2].item_code = "X".to_owned();
    };
    check(
        "S02",
        edit,
        expect![[r#"
        V06 FIELD_INVALID unit_code: is not a valid unified social credit code
        V08 SUM_MISMATCH items: add up to 16891.40, but total_amount is 0.01
        V08 SUM_MISMATCH payments: add up to 16891.40, but total_amount is 0.01
        V11 MEDICAL_SPLIT_MISMATCH medical: the four parts add up to 16891.40, but total_amount is 0.01
        V13 ITEM_NOT_ALLOWED items[2].item_code: item is not attached to the unit and kind 99060226
        V27 FIELD_INVALID payer_name: is required"#]],
    );
}

#[test]
fn bodies_are_judged_without_a_clock() {
    let mut receipt = original();
    assert_eq!(check_body(&receipt, &Open), Ok(()));
    receipt.issued.unit_name.clear();
    receipt.draft.items[0].amount = Fen::new(1);
    receipt.draft.payer_code = "990305198001010012".to_owned();
    let violations = check_body(&receipt, &Open).unwrap_err();
    let text: Vec<String> = violations.iter().map(ToString::to_string).collect();
    expect![[r#"
        V27 FIELD_INVALID unit_name: is required
        V07 FIELD_INVALID payer_code: is not a valid resident ID
        V08 SUM_MISMATCH items: add up to 360.38, but total_amount is 385.37
        V09 SUM_MISMATCH items[0].amount: 1 × 25.0000 is not 0.01 ± 0.01
        V10 SUM_MISMATCH items[0].amount: its aux_items add up to 25.0000 instead of 0.0100"#]]
    .assert_eq(&text.join("\n"));
}

proptest::proptest! {
    /// Any JSON that reads as a draft is judged without a panic, whatever its amounts and texts.
    #[test]
    fn junk_drafts_never_panic(
        position in 0_usize..80,
        junk in proptest::prop_oneof![".{0,30}", "-?[0-9]{1,20}(\\.[0-9]{2,4})?", "[0-9A-Z*]{18}", "20[0-9]{2}-[0-9]{2}-[0-9]{2}"],
        sample in 1_u32..=17,
        now in proptest::prelude::any::<u64>(),
    ) {
        let mut case = case(&format!("S{sample:02}"));
        case.now = UnixMillis::new(now);
        let mut json = serde_json::to_value(&case.draft).unwrap();
        let mut leaves = Vec::new();
        collect_leaves(&mut json, &mut leaves);
        let count = leaves.len();
        *leaves[position % count] = serde_json::Value::from(junk);
        drop(leaves);
        if let Ok(draft) = serde_json::from_value::<ReceiptDraft>(json) {
            case.draft = draft;
            let _ = violations(&case);
            let receipt = fixture::issue(case.draft.clone(), 1);
            if let Ok(values) = crate::receipt::layout::to_values(&receipt) {
                proptest::prop_assert_eq!(crate::receipt::layout::from_values(&values), Ok(receipt));
            }
        }
    }

    #[test]
    fn junk_json_never_panics(text in "[\\[\\]{}\":,a-z0-9_.\\-]{0,80}") {
        let _ = serde_json::from_str::<ReceiptDraft>(&text);
    }
}

fn collect_leaves<'a>(value: &'a mut serde_json::Value, leaves: &mut Vec<&'a mut serde_json::Value>) {
    match value {
        serde_json::Value::Object(fields) => fields.values_mut().for_each(|value| collect_leaves(value, leaves)),
        serde_json::Value::Array(entries) => entries.iter_mut().for_each(|value| collect_leaves(value, leaves)),
        leaf => leaves.push(leaf),
    }
}
