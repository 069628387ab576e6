//! The layout is frozen, lossless and strict.

use std::fmt::Write;

use expect_test::expect;

use super::*;
use crate::receipt::fixture;

#[test]
fn positions_of_format_version_1_are_frozen() {
    let mut table = format!("header: {}\n", HEADER_NAMES.join(" "));
    for category in 0..100 {
        let names = Ext::names(category);
        if !names.is_empty() {
            writeln!(table, "{category:02}: {}", names.join(" ")).unwrap();
        }
    }
    expect![[r#"
        header: receipt_code receipt_number check_code issue_time unit_name unit_code issue_date total_amount receipt_name specimen_code supervisor_area_code biz_code place_code payer_type payer_id_type payer_code payer_name payments rec_name rec_account rec_bank handling_person checker remark supervisor_remark related reversal other_info item_count aux_count
        01: non_tax.pay_code non_tax.collection_mode non_tax.confirm_time non_tax.payment_channel school.school_name school.student_id school.grade_class school.term school.batch_no
        02: non_tax.pay_code non_tax.collection_mode non_tax.confirm_time non_tax.payment_channel
        03: non_tax.pay_code non_tax.collection_mode non_tax.confirm_time non_tax.payment_channel fine.penalty_decision_no fine.penalty_decision_date fine.instalment fine.pay_deadline fine.late_penalty fine.plate_no_masked
        04: settlement.settlement_kind settlement.project_no school.school_name school.student_id school.grade_class school.term school.batch_no non_tax.pay_code non_tax.collection_mode non_tax.confirm_time non_tax.payment_channel
        05: donation.donation_kind donation.donation_project donation.donation_date donation.restricted_use donation.valuation_basis donation.anonymous
        06: medical.gender medical.medical_type medical.patient_number medical.medical_date medical.case_number medical.hospitalization_number medical.department_name medical.in_hospital_date medical.out_hospital_date medical.hospital_days medical.org_type medical.medical_insurance_type medical.medical_insurance_id medical.settlement_number medical.fund_pay medical.other_pay medical.account_pay medical.own_pay medical.self_payment medical.self_cost medical.prepay medical.recharge medical.refund
        07: dues.membership_no dues.membership_period
        08: social_insurance.insured_id social_insurance.period non_tax.pay_code non_tax.collection_mode non_tax.confirm_time non_tax.payment_channel
        09: dues.membership_no dues.membership_period
    "#]].assert_eq(&table);
}

#[test]
fn each_name_has_one_position() {
    for category in 0..100 {
        let mut names: Vec<&str> = HEADER_NAMES.iter().copied().chain(Ext::names(category)).collect();
        for (position, name) in names.iter().enumerate() {
            assert_eq!(field_position(category, name), u32::try_from(position).ok(), "{category} {name}");
            assert_eq!(position_name(category, 1, u32::try_from(position).unwrap()), *name);
        }
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), row_start(category), "{category}");
        let start = u32::try_from(row_start(category)).unwrap();
        assert_eq!(position_name(category, 1, start), "items[0]");
        assert_eq!(position_name(category, 1, start + 1), "aux_items[0]");
        assert!((0..start).all(|position| row_of_name(&position_name(category, 1, position)).is_none()), "{category}");
    }
    for (row, list) in
        [(0, RowList::Items), (1_999, RowList::Items), (0, RowList::AuxItems), (1_999, RowList::AuxItems)]
    {
        assert_eq!(row_of_name(&row_name(list, row)), Some((list, row)));
        assert_eq!(RowList::named(list.name()), Some(list));
    }
    for name in ["items", "items[]", "items[-1]", "items[0", "items[0].amount", "others[0]", "[0]", ""] {
        assert_eq!(row_of_name(name), None, "{name}");
    }
    assert_eq!(field_position(6, "fine.instalment"), None);
    assert_eq!(header_position("receipt_code"), Some(0));
}

#[test]
fn values_of_a_receipt() {
    let receipt = fixture::receipt();
    let values = to_values(&receipt).unwrap();
    let table: String = values
        .iter()
        .zip(0..)
        .filter(|(value, _)| !value.is_empty())
        .map(|(value, position)| format!("{position} {} = {value}\n", position_name(6, 2, position)))
        .collect();
    expect![[r#"
        0 receipt_code = 99060126
        1 receipt_number = 0000001023
        2 check_code = 7c41a9
        3 issue_time = 1793578897000
        4 unit_name = 示例市第一人民医院
        5 unit_code = 129903004000000181
        6 issue_date = 2026-11-02
        7 total_amount = 121.00
        8 receipt_name = 示例省医疗门诊收费票据（电子）
        9 specimen_code = 9906012601
        10 supervisor_area_code = 990300
        11 biz_code = MZ20261102000917
        12 place_code = MZ-03
        13 payer_type = individual
        14 payer_id_type = resident
        15 payer_code = 990305********0012
        16 payer_name = 林某某
        17 payments = [{"mode":"medical_insurance","amount":"101.00","channel_reference":"YB1"},{"mode":"wechat","amount":"20.00"}]
        21 handling_person = 何某
        22 checker = 吴某
        27 other_info = [{"no":1,"name":"居民大病保险资金支出","value":"1.00"}]
        28 item_count = 2
        29 aux_count = 1
        30 medical.gender = 女
        33 medical.medical_date = 2026-11-02
        44 medical.fund_pay = 81.00
        45 medical.other_pay = 0.00
        46 medical.account_pay = 20.00
        47 medical.own_pay = 20.00
        53 items[0] = {"item_code":"0602","item_name":"诊察费","unit":"项","quantity":"1","standard":"25.0000","amount":"25.00"}
        54 items[1] = {"item_code":"0604","item_name":"化验费","quantity":"1.5","standard":"64.0000","amount":"96.00"}
        55 aux_items[0] = {"related_item_code":"0604","item_name":"血细胞分析","quantity":"3","standard":"32.0000","amount":"96.0049"}
    "#]].assert_eq(&table);
    assert_eq!(from_values(&values).unwrap(), receipt);
}

fn check(name: &str, value: &str, expected: &expect_test::Expect) {
    let mut values = to_values(&fixture::receipt()).unwrap();
    let position = match name {
        "items[0]" => row_start(6),
        "aux_items[0]" => row_start(6) + 2,
        _ => field_position(6, name).unwrap() as usize,
    };
    values[position] = value.to_owned();
    let text = match from_values(&values) {
        Ok(_) => "accepted".to_owned(),
        Err(error) => error.to_string(),
    };
    expected.assert_eq(&text);
}

#[test]
fn what_would_be_written_otherwise_is_refused() {
    check("payer_name", "赵某", &expect!["accepted"]);
    check("receipt_code", "9906012", &expect!["receipt_code: must be exactly 8 digits"]);
    check("receipt_code", "99020126", &expect!["the number of values does not fit the counts in the header"]);
    check("total_amount", "0121.00", &expect!["total_amount: must not have leading zeros"]);
    check("total_amount", "121.0", &expect!["total_amount: must be digits with exactly two decimals, like 385.37"]);
    check("total_amount", "", &expect!["total_amount: must have two decimals, like 385.37"]);
    check("issue_time", "01", &expect!["issue_time: must be decimal digits without leading zeros"]);
    check("issue_date", "2026-02-30", &expect!["issue_date: no such day"]);
    check("payer_type", "1", &expect!["payer_type: must be one of: individual organisation"]);
    check("item_count", "1", &expect!["the number of values does not fit the counts in the header"]);
    check("item_count", "3", &expect!["the number of values does not fit the counts in the header"]);
    check("item_count", "4294967295", &expect!["the number of values does not fit the counts in the header"]);
    check("payments", "[]", &expect!["payments: not the canonical text"]);
    check("payments", r#"[{"mode":"cash","amount":"1.00"}]"#, &expect!["accepted"]);
    check("payments", r#"[{"amount":"1.00","mode":"cash"}]"#, &expect!["payments: not the canonical text"]);
    check("payments", r#"[ {"mode":"cash","amount":"1.00"}]"#, &expect!["payments: not the canonical text"]);
    check(
        "payments",
        r#"[{"mode":"cash","amount":"1.00","channel_reference":""}]"#,
        &expect!["payments: not the canonical text"],
    );
    check(
        "payments",
        r#"[{"mode":"cash","amount":"1.00","bank":"x"}]"#,
        &expect!["payments: must be the JSON of this format version"],
    );
    check("related", r#"[{"relation":"covers_pay_code","pay_code":"1"}]"#, &expect!["accepted"]);
    check(
        "related",
        r#"[{"relation":"covers_pay_code","pay_code":"1","x":1}]"#,
        &expect!["related: must be the JSON of this format version"],
    );
    check("reversal", r#"{"reason":"other","operator":"x"}"#, &expect!["accepted"]);
    check(
        "reversal",
        r#"{"reason":"whim","operator":"x"}"#,
        &expect!["reversal: must be the JSON of this format version"],
    );
    check("reversal", "null", &expect!["reversal: must be the JSON of this format version"]);
    check("medical.hospital_days", "9", &expect!["accepted"]);
    check(
        "medical.hospital_days",
        "09",
        &expect!["medical.hospital_days: must be decimal digits without leading zeros"],
    );
    check("medical.fund_pay", "", &expect!["medical.fund_pay: must have two decimals, like 385.37"]);
    check(
        "items[0]",
        r#"{"item_code":"1","item_name":"\u8bca","amount":"25.00"}"#,
        &expect!["items[0]: not the canonical text"],
    );
    check(
        "items[0]",
        r#"{"item_code":"1","item_name":"诊","quantity":"1.0","amount":"25.00"}"#,
        &expect!["items[0]: not the canonical text"],
    );
    check("items[0]", "", &expect!["items[0]: must be the JSON of this format version"]);
    check(
        "aux_items[0]",
        r#"{"related_item_code":"1","item_name":"诊","amount":"25.00"}"#,
        &expect!["aux_items[0]: not the canonical text"],
    );
}

#[test]
fn a_missing_or_surplus_value_is_refused() {
    let values = to_values(&fixture::receipt()).unwrap();
    for count in 0..values.len() {
        assert!(from_values(&values[..count]).is_err(), "{count}");
    }
    let surplus = [&values[..], &[String::new()]].concat();
    assert_eq!(from_values(&surplus), Err(BodyError::CountMismatch));
}

#[test]
fn an_extension_of_another_category_has_no_body() {
    let mut receipt = fixture::receipt();
    receipt.draft.ext = Ext::Other;
    assert_eq!(to_values(&receipt), Err(BodyError::ExtMismatch));
}

proptest::proptest! {
    #[test]
    fn junk_never_panics(values in proptest::collection::vec(".{0,12}", 0..80)) {
        let _ = from_values(&values);
    }

    #[test]
    fn a_changed_value_is_refused_or_reads_back(position in 0_usize..60, value in ".{0,20}") {
        let mut values = to_values(&fixture::receipt()).unwrap();
        let position = position % values.len();
        values[position] = value;
        if let Ok(receipt) = from_values(&values) {
            proptest::prop_assert_eq!(to_values(&receipt).unwrap(), values);
        }
    }
}
