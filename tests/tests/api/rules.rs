//! Each fiscal rule that an issuer judges, broken once: reason and field are named, and no number is spent.

use receipt_core::ids::{Fen, ReceiptCode, ReceiptNumber};
use receipt_core::reason::Reason;
use receipt_core::receipt::decimal::{Quantity, Yuan4};
use receipt_core::receipt::ext::Ext;
use receipt_core::receipt::model::{ReceiptDraft, Related, Reversal, ReversalReason};
use tallystick_devnet::NetworkOptions;
use tallystick_devnet::clients::IssuerClient;
use tallystick_devnet::generate_receipts::GeneratedReceipt;
use tallystick_devnet::logs::AllowList;
use tallystick_devnet::registry::SYSTEM_HOSPITALS;
use tallystick_proto::issuer::v1::IssueResponse;
use tallystick_tests::TestNetwork;
use tallystick_tests::load::{Clients, clients};
use tallystick_tests::requests::reversal;

use super::{key, refused, reverse, sealed};

/// A rule, a sample that keeps it, an edit that breaks it, what is said, and of which field.
type BrokenRule = (&'static str, &'static str, fn(&mut ReceiptDraft), Reason, &'static str);

fn set_code(draft: &mut ReceiptDraft, code: &str) {
    draft.receipt_code = ReceiptCode::parse(code).unwrap();
    draft.specimen_code = format!("{code}01");
}

fn set_total(draft: &mut ReceiptDraft, fen: i64) {
    draft.total_amount = Fen::new(fen);
    draft.items.truncate(1);
    draft.items[0].amount = Fen::new(fen);
    draft.items[0].quantity = None;
    draft.payments.truncate(1);
    draft.payments[0].amount = Fen::new(fen);
}

const BROKEN_RULES: [BrokenRule; 28] = [
    ("V01", "S11", |d| set_code(d, "99019926"), Reason::KindNotAllowed, "receipt_code"),
    (
        "V04",
        "S11",
        |d| {
            let code = d.receipt_code.get();
            set_code(d, &(code + 1).to_string());
        },
        Reason::DateOutOfRange,
        "receipt_code",
    ),
    ("V05", "S11", |d| d.issue_date = d.issue_date.plus_days(-1).unwrap(), Reason::DateOutOfRange, "issue_date"),
    ("V05", "S11", |d| d.issue_date = d.issue_date.plus_days(1).unwrap(), Reason::DateOutOfRange, "issue_date"),
    ("V06", "S12", |d| d.payer_code = "91990300MA5EX00173".to_owned(), Reason::FieldInvalid, "payer_code"),
    ("V07", "S11", |d| d.payer_code = "110105194912310021".to_owned(), Reason::FieldInvalid, "payer_code"),
    ("V08", "S12", |d| d.payments[0].amount = Fen::new(1), Reason::SumMismatch, "payments"),
    (
        "V09",
        "S17",
        |d| d.items[0].quantity = Some(Quantity::parse("89.2").unwrap()),
        Reason::SumMismatch,
        "items[0].amount",
    ),
    (
        "V10",
        "S01",
        |d| d.aux_items[0].amount = Yuan4::parse("25.0101").unwrap(),
        Reason::SumMismatch,
        "items[0].amount",
    ),
    (
        "V10",
        "S01",
        |d| d.aux_items[0].related_item_code = "0699".to_owned(),
        Reason::FieldInvalid,
        "aux_items[0].related_item_code",
    ),
    (
        "V11",
        "S01",
        |d| {
            if let Ext::Medical { medical } = &mut d.ext {
                medical.own_pay = Fen::new(medical.own_pay.get() + 1);
            }
        },
        Reason::MedicalSplitMismatch,
        "medical",
    ),
    ("V13", "S12", |d| d.items[0].item_code = "X".to_owned(), Reason::ItemNotAllowed, "items[0].item_code"),
    (
        "V15",
        "S04",
        |d| {
            if let Ext::PaymentBook { fine, .. } = &mut d.ext {
                fine.penalty_decision_no.clear();
            }
        },
        Reason::FieldInvalid,
        "fine.penalty_decision_no",
    ),
    (
        "V23",
        "S10",
        |d| {
            if let Ext::Donation { donation } = &mut d.ext {
                donation.donation_kind = None;
            }
        },
        Reason::FieldInvalid,
        "donation.donation_kind",
    ),
    (
        "V01",
        "S11",
        |d| d.receipt_name = "示例省资金往来结算票据（电子）".to_owned(),
        Reason::FieldInvalid,
        "receipt_name",
    ),
    ("V13", "S12", |d| d.items[0].item_name = "履约保证金".to_owned(), Reason::ItemNotAllowed, "items[0].item_name"),
    ("V15", "S04", |d| d.ext = Ext::empty(3), Reason::FieldInvalid, "fine.penalty_decision_no"),
    (
        "V14",
        "S01",
        |d| {
            if let Ext::Medical { medical } = &mut d.ext {
                medical.settlement_number.clear();
            }
        },
        Reason::FieldInvalid,
        "medical.settlement_number",
    ),
    (
        "FORM",
        "S01",
        |d| {
            if let Ext::Medical { medical } = &mut d.ext {
                medical.medical_date = Some(d.issue_date.plus_days(32).unwrap());
            }
        },
        Reason::FieldInvalid,
        "medical.medical_date",
    ),
    (
        "V26",
        "S11",
        |d| {
            let fen = d.payments[0].amount.get();
            d.payments.push(d.payments[0].clone());
            (d.payments[0].amount, d.payments[1].amount) = (Fen::new(fen + 1), Fen::new(-1));
        },
        Reason::FieldInvalid,
        "payments[1].amount",
    ),
    ("V24", "S10", |d| d.payer_code = "E12345678".to_owned(), Reason::FieldInvalid, "payer_code"),
    ("V26", "S12", |d| set_total(d, 0), Reason::FieldInvalid, "total_amount"),
    ("V26", "S12", |d| set_total(d, -5), Reason::FieldInvalid, "total_amount"),
    ("V27", "S01", |d| d.payer_name = "林\u{200b}某".to_owned(), Reason::FieldInvalid, "payer_name"),
    ("V27", "S01", |d| d.payer_name.clear(), Reason::FieldInvalid, "payer_name"),
    ("V27", "S01", |d| d.remark = "备".repeat(201), Reason::FieldInvalid, "remark"),
    ("V27", "S01", |d| d.biz_code = "1".repeat(51), Reason::FieldInvalid, "biz_code"),
    ("FORM", "S01", |d| d.specimen_code = "9904012601 ".to_owned(), Reason::FieldInvalid, "specimen_code"),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_broken_rule_is_refused_with_its_reason_and_field() {
    let network = TestNetwork::start(&NetworkOptions::default()).await.unwrap();
    let clients = clients(&network, 1).await.unwrap();
    for (serial, (rule, sample, edit, reason, field)) in (1..).zip(BROKEN_RULES) {
        let GeneratedReceipt { system_id, mut draft } = network.sample(sample, serial).unwrap();
        edit(&mut draft);
        let refusal = refused(&clients[&system_id], &draft).await;
        assert_eq!(refusal.reason, reason.into(), "{rule} {field}: {refusal:?}");
        let named = refusal.violations.iter().any(|found| found.field == field && found.description.starts_with(rule));
        assert!(named, "{rule} {field}: {refusal:?}");
        assert_eq!(refusal.retry_after_ms, None, "{rule}: the same request never succeeds");
    }
    let hospitals = &clients[&SYSTEM_HOSPITALS];
    let original = network.sample("S01", 101).unwrap().draft;
    let issued = sealed(hospitals, &original).await;
    links(&network, hospitals, &original, &issued).await;
    unfounded_reversal(&network, &clients).await;
    // A unit that nobody registered.
    let mut stranger = network.sample("S01", 105).unwrap().draft;
    stranger.unit_code = "91990300MA5EX00174".to_owned();
    assert_eq!(refused(hospitals, &stranger).await.reason, Reason::UnitUnknown.into());

    // Nothing of all that took a number: the next one follows.
    let next = sealed(hospitals, &network.sample("S01", 106).unwrap().draft).await;
    let number = |response: &IssueResponse| response.receipt_number.parse::<u64>().unwrap();
    assert_eq!(number(&next), number(&issued) + 1);
    network.wait_equal_tips().await.unwrap();
    network.audit(1).await.unwrap();
    network.finish(&AllowList::lifecycle()).await.unwrap();
}

/// V19, V20: what a receipt refers to.
async fn links(network: &TestNetwork, hospitals: &IssuerClient, original: &ReceiptDraft, issued: &IssueResponse) {
    let (receipt_code, number) = (original.receipt_code, issued.receipt_number.as_str());
    let receipt_number = |number: &str| ReceiptNumber::parse(number).unwrap();
    // What is re-issued lies below its original, which must be there.
    for (number, reason, field) in
        [(number, Reason::AmountMismatch, "total_amount"), ("0999999999", Reason::OriginalUnknown, "related")]
    {
        let mut reissued = network.sample("S01", 102).unwrap().draft;
        let receipt_number = receipt_number(number);
        reissued.related = vec![Related::ReissueAfterPartialRefund { receipt_code, receipt_number }];
        let refusal = refused(hospitals, &reissued).await;
        assert_eq!((refusal.reason, refusal.violations[0].field.as_str()), (reason.into(), field), "{refusal:?}");
    }
    // A red receipt is made by Reverse alone.
    let mut red = network.sample("S01", 104).unwrap().draft;
    red.related = vec![Related::ReversalOf { receipt_code, receipt_number: receipt_number(number) }];
    red.reversal = Some(Reversal {
        reason: ReversalReason::FullRefund,
        text: String::new(),
        operator: "何某".to_owned(),
        refund_reference: "TK-1".to_owned(),
        reissue_biz_code: String::new(),
    });
    let refusal = refused(hospitals, &red).await;
    assert_eq!((refusal.reason, refusal.violations[0].field.as_str()), (Reason::FieldInvalid.into(), "reversal"));
}

/// V30: the reversal of non-tax revenue says where the money went.
async fn unfounded_reversal(network: &TestNetwork, clients: &Clients) {
    let fee = network.sample("S04", 103).unwrap();
    let office = &clients[&fee.system_id];
    let taken = sealed(office, &fee.draft).await;
    let mut unfounded = reversal(&fee.draft, key(&taken), "R");
    unfounded.reversal.as_mut().unwrap().refund_reference.clear();
    let refusal = reverse(office, unfounded).await.unwrap_err();
    assert_eq!(refusal.violations[0].field, "reversal.refund_reference", "{refusal:?}");
    assert!(refusal.violations[0].description.starts_with("V30"), "{refusal:?}");
}
