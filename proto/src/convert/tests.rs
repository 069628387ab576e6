use receipt_core::receipt::ext::Ext;
use receipt_core::receipt::model::{PayerIdType, PayerType, PaymentMode, ReversalReason};

use super::*;

/// A draft with every field of its category given, no two of them equal, so that a mix-up shows.
fn draft(category: &str, ext: &str) -> model::ReceiptDraft {
    let text = r#"{
      "receipt_code": "99CC0126", "receipt_name": "n1", "specimen_code": "n2", "supervisor_area_code": "n3",
      "unit_code": "n4", "issue_date": "2026-11-02", "biz_code": "n5", "place_code": "n6", "total_amount": "-121.00",
      "payer_type": "organisation", "payer_id_type": "uscc", "payer_code": "n7", "payer_name": "𠮷n8",
      "payments": [{"mode": "cash", "amount": "1.01", "channel_reference": "n9"}, {"mode": "in_kind", "amount": "0.00"}],
      "rec_name": "n10", "rec_account": "n11", "rec_bank": "n12", "handling_person": "n13", "checker": "n14",
      "remark": "n15", "supervisor_remark": "n16",
      "related": [
        {"relation": "reversal_of", "receipt_code": "99060125", "receipt_number": "0000000001"},
        {"relation": "reissue_after_partial_refund", "receipt_code": "99060124", "receipt_number": "0000000002"},
        {"relation": "exchanged_paper", "paper_code": "n17", "paper_number": "n18"},
        {"relation": "covers_pay_code", "pay_code": "n19"}],
      "reversal": {"reason": "other", "text": "n20", "operator": "n21", "refund_reference": "n22",
        "reissue_biz_code": "n23"},
      "other_info": [{"no": 24, "name": "n25", "value": "n26"}],
      "ext": EXT,
      "items": [
        {"item_code": "n27", "item_name": "n28", "unit": "n29", "quantity": "1.5", "standard": "2.0001",
          "amount": "-3.01", "rounding_adjustment": "-0.0004", "remark": "n30"},
        {"item_code": "n31", "item_name": "n32", "amount": "0.00"}],
      "aux_items": [
        {"related_item_code": "n33", "related_item_name": "n34", "item_code": "n35", "item_name": "n36", "unit": "n37",
          "quantity": "4", "standard": "5.0005", "amount": "6.0006", "remark": "n38"},
        {"related_item_code": "n39", "item_name": "n40", "amount": "0"}]
    }"#;
    serde_json::from_str(&text.replace("CC", category).replace("EXT", ext)).unwrap()
}

const NON_TAX: &str = r#"{"pay_code":"x1","collection_mode":"centralised","confirm_time":"17","payment_channel":"x2"}"#;
const SCHOOL: &str = r#"{"school_name":"x3","student_id":"x4","grade_class":"x5","term":"x6","batch_no":"x7"}"#;

fn drafts() -> Vec<model::ReceiptDraft> {
    let medical = r#"{"gender":"m1","medical_type":"m2","patient_number":"m3","medical_date":"2026-01-01",
        "case_number":"m4","hospitalization_number":"m5","department_name":"m6","in_hospital_date":"2026-01-02",
        "out_hospital_date":"2026-01-03","hospital_days":"9","org_type":"m7","medical_insurance_type":"m8",
        "medical_insurance_id":"m9","settlement_number":"m10","fund_pay":"0.01","other_pay":"0.02",
        "account_pay":"0.03","own_pay":"0.04","self_payment":"0.05","self_cost":"0.06","prepay":"0.07",
        "recharge":"0.08","refund":"0.09"}"#;
    let fine = r#"{"penalty_decision_no":"f1","penalty_decision_date":"2026-02-01","instalment":"2",
        "pay_deadline":"2026-02-02","late_penalty":"0.00","plate_no_masked":"f2"}"#;
    let donation = r#"{"donation_kind":"in_kind","donation_project":"d1","donation_date":"2026-03-01",
        "restricted_use":"true","valuation_basis":"d2","anonymous":"true"}"#;
    let rows = [
        ("01", format!(r#"{{"nontax_general":{{"non_tax":{NON_TAX},"school":{SCHOOL}}}}}"#)),
        ("02", format!(r#"{{"nontax_special":{{"non_tax":{NON_TAX}}}}}"#)),
        ("03", format!(r#"{{"payment_book":{{"non_tax":{NON_TAX},"fine":{fine}}}}}"#)),
        (
            "04",
            format!(
                r#"{{"settlement":{{"settlement":{{"settlement_kind":"s1","project_no":"s2"}},"school":{SCHOOL},"non_tax":{NON_TAX}}}}}"#
            ),
        ),
        ("05", format!(r#"{{"donation":{{"donation":{donation}}}}}"#)),
        ("06", format!(r#"{{"medical":{{"medical":{medical}}}}}"#)),
        ("07", r#"{"dues":{"dues":{"membership_no":"u1","membership_period":"u2"}}}"#.to_owned()),
        (
            "08",
            format!(
                r#"{{"social_insurance":{{"social_insurance":{{"insured_id":"i1","period":"i2"}},"non_tax":{NON_TAX}}}}}"#
            ),
        ),
        ("09", r#"{"dues":{"dues":{"membership_no":"u1","membership_period":"u2"}}}"#.to_owned()),
        ("99", r#""other""#.to_owned()),
    ];
    rows.iter().map(|(category, ext)| draft(category, ext)).collect()
}

#[test]
fn every_field_of_every_category_survives() {
    for draft in drafts() {
        let wire = draft_to_wire(&draft);
        assert_eq!(draft_from_wire(wire), Ok(draft));
    }
}

#[test]
fn an_extension_without_fields_is_none_and_reads_as_the_empty_one() {
    for mut draft in drafts() {
        draft.ext = Ext::for_code(draft.receipt_code);
        let wire = draft_to_wire(&draft);
        assert_eq!(wire.ext, None, "{}", draft.receipt_code);
        assert_eq!(draft_from_wire(wire), Ok(draft));
    }
}

/// One draft, however its absent extension is written: without one, with an empty one, with empty groups.
#[test]
fn a_draft_is_the_same_however_what_is_absent_is_written() {
    let identity = |wire: wire::ReceiptDraft| {
        let read = read_draft(wire, CivilDate::parse("2026-11-02").unwrap()).unwrap();
        receipt_core::receipt::sameness::draft_identity(&read.draft).unwrap()
    };
    for mut draft in drafts() {
        draft.ext = Ext::for_code(draft.receipt_code);
        let plain = draft_to_wire(&draft);
        let written = identity(plain.clone());
        let category = draft.receipt_code.category();
        let empty = wire::Extension::default();
        let of = |categories: &[u32]| categories.contains(&category);
        let groups = wire::Extension {
            medical: of(&[6]).then(wire::MedicalExtension::default),
            non_tax: of(&[1, 2, 3, 4, 8]).then(wire::NonTaxExtension::default),
            fine: of(&[3]).then(wire::FineExtension::default),
            school: of(&[1, 4]).then(wire::SchoolExtension::default),
            settlement: of(&[4]).then(wire::SettlementExtension::default),
            donation: of(&[5]).then(wire::DonationExtension::default),
            dues: of(&[7, 9]).then(wire::DuesExtension::default),
            social_insurance: of(&[8]).then(wire::SocialInsuranceExtension::default),
        };
        for ext in [empty, groups] {
            assert_eq!(identity(wire::ReceiptDraft { ext: Some(ext), ..plain.clone() }), written, "{category:02}");
        }
        // The day on which it is sent is no part of it, given or not; nor is the form of its texts.
        for issue_date in ["", "2026-11-03"] {
            let other = wire::ReceiptDraft { issue_date: issue_date.to_owned(), ..plain.clone() };
            assert_eq!(identity(other), written, "{category:02}");
        }
        let composed = wire::ReceiptDraft { payer_name: "\u{c4}郎".to_owned(), ..plain.clone() };
        let decomposed = wire::ReceiptDraft { payer_name: "A\u{308}\u{f92c}".to_owned(), ..plain };
        assert_eq!(identity(composed.clone()), identity(decomposed));
        assert_ne!(identity(composed), written);
    }
}

#[test]
fn the_door_says_what_it_did() {
    let mut wire = draft_to_wire(&drafts()[5]);
    wire.issue_date.clear();
    wire.payer_name = "\u{f92c}".to_owned();
    wire.items[1].item_name = "\u{e816}".to_owned();
    wire.ext.as_mut().unwrap().medical.as_mut().unwrap().department_name = "\u{fa18}".to_owned();
    let today = CivilDate::parse("2026-11-09").unwrap();
    let read = read_draft(wire.clone(), today).unwrap();
    assert_eq!((read.dated, read.draft.issue_date), (false, today));
    assert_eq!(read.normalised, ["payer_name", "medical.department_name", "items[1].item_name"]);
    assert_eq!((read.draft.payer_name.as_str(), read.draft.items[1].item_name.as_str()), ("郎", "𠂇"));
    wire.issue_date = "2026-11-02".to_owned();
    let read = read_draft(wire, today).unwrap();
    assert!(read.dated && read.draft.issue_date != today);
}

#[test]
fn every_enum_value_survives() {
    let base = draft("99", r#""other""#);
    let through = |change: &dyn Fn(&mut model::ReceiptDraft)| {
        let mut draft = base.clone();
        change(&mut draft);
        assert_eq!(draft_from_wire(draft_to_wire(&draft)), Ok(draft));
    };
    PayerType::ALL.iter().for_each(|value| through(&|draft| draft.payer_type = *value));
    PayerIdType::ALL.iter().for_each(|value| through(&|draft| draft.payer_id_type = *value));
    PaymentMode::ALL.iter().for_each(|value| through(&|draft| draft.payments[0].mode = *value));
    ReversalReason::ALL.iter().for_each(|value| {
        through(&|draft| draft.reversal.as_mut().unwrap().reason = *value);
    });
}

#[test]
fn refusals_name_the_field() {
    type Change = fn(&mut wire::ReceiptDraft);
    let rows: &[(&str, &str, Change)] = &[
        ("06", "receipt_code", |draft| draft.receipt_code = "9906012".to_owned()),
        ("06", "issue_date", |draft| draft.issue_date = "2026-02-29".to_owned()),
        ("06", "issue_date", |draft| draft.issue_date.clear()),
        ("06", "payer_type", |draft| draft.payer_type = 3),
        ("06", "payer_type", |draft| draft.payer_type = 0),
        ("06", "payer_id_type", |draft| draft.payer_id_type = -1),
        ("06", "payments[1].mode", |draft| draft.payments[1].mode = 11),
        ("06", "payments[0].mode", |draft| draft.payments[0].mode = 0),
        ("06", "reversal.reason", |draft| draft.reversal.as_mut().unwrap().reason = 99),
        ("06", "related[0].relation", |draft| draft.related[0].relation = None),
        ("06", "related[4].receipt_number", |draft| {
            let reference =
                wire::ReceiptReference { receipt_code: "99060126".to_owned(), receipt_number: "1".to_owned() };
            draft.related.push(wire::Related { relation: Some(wire::related::Relation::ReversalOf(reference)) });
        }),
        ("06", "medical.medical_date", |draft| {
            draft.ext.as_mut().unwrap().medical.as_mut().unwrap().medical_date = "1 May".to_owned();
        }),
        ("06", "fine", |draft| draft.ext.as_mut().unwrap().fine = Some(wire::FineExtension::default())),
        ("01", "non_tax.collection_mode", |draft| {
            draft.ext.as_mut().unwrap().non_tax.as_mut().unwrap().collection_mode = 3;
        }),
        ("05", "donation.donation_kind", |draft| {
            draft.ext.as_mut().unwrap().donation.as_mut().unwrap().donation_kind = 3;
        }),
        ("05", "medical", |draft| draft.ext.as_mut().unwrap().medical = Some(wire::MedicalExtension::default())),
        ("99", "dues", |draft| {
            draft.ext = Some(wire::Extension { dues: Some(wire::DuesExtension::default()), ..Default::default() });
        }),
    ];
    for (category, field, change) in rows {
        let draft = drafts().into_iter().find(|draft| draft.receipt_code.to_string()[2..4] == **category).unwrap();
        let mut wire = draft_to_wire(&draft);
        change(&mut wire);
        let errors = draft_from_wire(wire).unwrap_err();
        assert_eq!(errors.0.iter().map(|error| error.field.as_str()).collect::<Vec<_>>(), [*field], "{errors}");
        let refusal = Refusal::from(errors);
        assert_eq!(refusal.violations[0].field, *field);
        assert!(refusal.message.starts_with(&format!("{field}: ")), "{}", refusal.message);
    }
}

#[test]
fn all_fields_at_fault_are_named_at_once() {
    let mut wire = draft_to_wire(&drafts()[5]);
    wire.issue_date = "2 Nov".to_owned();
    wire.payer_type = 9;
    wire.payments[0].mode = 0;
    wire.payments[1].mode = 77;
    let reference = wire::ReceiptReference { receipt_code: "x".to_owned(), receipt_number: "y".to_owned() };
    wire.related = vec![wire::Related { relation: Some(wire::related::Relation::ReversalOf(reference)) }];
    let groups = wire.ext.as_mut().unwrap();
    groups.medical.as_mut().unwrap().medical_date = "soon".to_owned();
    groups.fine = Some(wire::FineExtension::default());
    let fields = |wire: wire::ReceiptDraft| -> Vec<String> {
        draft_from_wire(wire).unwrap_err().0.into_iter().map(|error| error.field).collect()
    };
    let mut expected = vec![
        "issue_date",
        "payer_type",
        "payments[0].mode",
        "payments[1].mode",
        "related[0].receipt_code",
        "related[0].receipt_number",
        "medical.medical_date",
        "fine",
    ];
    assert_eq!(fields(wire.clone()), expected);
    // Without a category no group can be told to be of another one; its fields are read all the same.
    wire.receipt_code = "9906".to_owned();
    expected.insert(0, "receipt_code");
    expected.pop();
    assert_eq!(fields(wire.clone()), expected);
    let refusal = Refusal::from(draft_from_wire(wire).unwrap_err());
    assert!(refusal.message.ends_with("(and 7 more)"), "{}", refusal.message);
}
