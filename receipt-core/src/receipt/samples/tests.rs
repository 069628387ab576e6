//! Every sample maps, field by field, to a draft that all rules accept.

use std::collections::BTreeSet;

use super::*;
use crate::ids::{Fen, ReceiptNumber};
use crate::receipt::disclosure::{Body, Seed};
use crate::receipt::idcheck::{masked_code, resident_id_birthday};
use crate::receipt::layout::field_position;
use crate::receipt::model::{CheckCode, Issued};
use crate::receipt::rules::{Catalogue, NEW_YEAR_GRACE_DAYS, RuleContext, check_body, check_draft, leaked_fields};

/// Registers exactly the kinds and items of the samples.
struct SampleCatalogue(Vec<SampleUnit>);

impl Catalogue for SampleCatalogue {
    fn kind_is_registered(&self, code: ReceiptCode) -> bool {
        self.0.iter().any(|unit| unit.receipt_code.get() / 100 == code.get() / 100)
    }

    fn item_is_attached(&self, unit_code: &str, code: ReceiptCode, item_code: &str) -> bool {
        self.0.iter().any(|unit| {
            unit.unit_code == unit_code
                && unit.receipt_code.get() / 100 == code.get() / 100
                && unit.items.iter().any(|(known, _)| known == item_code)
        })
    }
}

fn catalogue(samples: &Samples) -> SampleCatalogue {
    SampleCatalogue(samples.ids().iter().map(|id| samples.unit(id).unwrap()).collect())
}

fn params<'a>(date: &str, serial: u64, original: Option<&'a Receipt>) -> RunParams<'a> {
    let date = CivilDate::parse(date).unwrap();
    let year_digits = u32::from(date.year() % 100);
    RunParams { date, year_digits, biz_prefix: "R7-", serial, utc_offset_minutes: 480, original }
}

fn issue(samples: &Samples, sample_id: &str, draft: ReceiptDraft, number: u64) -> Receipt {
    let issued = Issued {
        receipt_number: ReceiptNumber::new(number).unwrap(),
        check_code: CheckCode::parse("0a1b2c").unwrap(),
        issue_time: draft.issue_date.at_seconds(36_000, 480).unwrap(),
        unit_name: samples.unit(sample_id).unwrap().unit_name,
    };
    Receipt { issued, draft }
}

/// All samples of one run, issued in order.
fn run(samples: &Samples, date: &str, serial: u64) -> Vec<Receipt> {
    let mut receipts: Vec<Receipt> = Vec::new();
    for (id, number) in samples.ids().into_iter().zip(1..) {
        let original = samples.original_of(id).map(|_| receipts[0].clone());
        let draft = samples.template(id, &params(date, serial, original.as_ref())).unwrap();
        receipts.push(issue(samples, id, draft, number));
    }
    receipts
}

#[test]
fn all_samples_pass_all_rules_on_any_day() {
    let samples = Samples::load().unwrap();
    assert_eq!(samples.ids().len(), 17);
    let catalogue = catalogue(&samples);
    for (date, serial) in [("2026-11-12", 1), ("2027-03-01", 2), ("2028-02-29", 99_999_999)] {
        let receipts = run(&samples, date, serial);
        for (receipt, id) in receipts.iter().zip(samples.ids()) {
            let context = RuleContext {
                now: receipt.issued.issue_time,
                offline_issue_time: None,
                utc_offset_minutes: 480,
                new_year_grace_days: NEW_YEAR_GRACE_DAYS,
                catalogue: &catalogue,
                original: samples.original_of(id).map(|_| &receipts[0]),
            };
            assert_eq!(check_draft(&receipt.draft, &context), Ok(()), "{id}");
            assert_eq!(check_body(receipt, &catalogue), Ok(()), "{id}");
        }
    }
}

#[test]
fn bodies_and_json_are_lossless() {
    let samples = Samples::load().unwrap();
    for receipt in run(&samples, "2026-11-12", 1) {
        let body = Body::of_receipt(crate::suite::Suite::Ed25519Sha256, &receipt, &Seed::new([1; 32])).unwrap();
        assert_eq!(body.receipt().unwrap(), receipt);
        let json = serde_json::to_string(&receipt).unwrap();
        assert_eq!(serde_json::from_str::<Receipt>(&json).unwrap(), receipt);
        assert!(json.len() < 8192, "{}", json.len());
        assert_eq!(leaked_fields(body.root().as_bytes(), &receipt).unwrap(), Vec::<String>::new());
    }
}

#[test]
fn every_field_of_theirs_is_mapped_and_every_row_used() {
    let samples = Samples::load().unwrap();
    let paths: BTreeSet<String> = samples.samples.iter().flat_map(convert::leaf_paths).map(|(path, _)| path).collect();
    let mapped: BTreeSet<String> = MAPPING.iter().map(|(path, _)| (*path).to_owned()).collect();
    assert_eq!(mapped.len(), MAPPING.len(), "a path is mapped twice");
    assert_eq!(paths, mapped);
    for (path, target) in MAPPING {
        if let Target::Carry(name) | Target::Shift(name) | Target::Unique(name) = target {
            let known = (0..100).any(|category| field_position(category, name).is_some());
            assert!(known, "{path} goes to {name}, which no category has");
        }
    }
}

#[test]
fn an_unmapped_field_is_refused() {
    let mut samples = Samples::load().unwrap();
    samples.samples[0].insert("new_field".to_owned(), Value::from("x"));
    let refusal = samples.template("S01", &params("2026-11-12", 1, None)).unwrap_err();
    assert_eq!(refusal.to_string(), "S01: the mapping knows no field new_field");
    let mut samples = Samples::load().unwrap();
    samples.samples[1]["items"][0]["tax"] = Value::from("x");
    let refusal = samples.template("S02", &params("2026-11-12", 1, None)).unwrap_err();
    assert_eq!(refusal.to_string(), "S02: the mapping knows no field items[].tax");
}

/// Each carried text arrives unchanged in the place that the table names.
#[test]
fn carried_values_arrive() {
    let samples = Samples::load().unwrap();
    let receipts = run(&samples, "2026-11-12", 1);
    let mut carried = 0;
    for (sample, receipt) in samples.samples.iter().zip(&receipts) {
        if receipt.draft.is_red() {
            continue;
        }
        let values = crate::receipt::layout::to_values(receipt).unwrap();
        for (path, value) in convert::leaf_paths(sample) {
            if let Some(Target::Carry(name)) = mapping::target(&path) {
                let position = field_position(receipt.draft.receipt_code.category(), name).unwrap() as usize;
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                assert_eq!(values[position], text, "{path}");
                carried += 1;
            }
        }
        assert_eq!(receipt.draft.items.len(), sample["items"].as_array().unwrap().len());
    }
    assert!(carried > 150, "{carried}");
}

/// S13's own figures are those of the reversed S01.
#[test]
fn the_reversal_is_the_one_in_the_file() {
    let samples = Samples::load().unwrap();
    let receipts = run(&samples, "2026-11-12", 1);
    let (red, sample) = (&receipts[12].draft, &samples.samples[12]);
    assert_eq!(red.total_amount.to_string(), sample["total_amount"].as_str().unwrap());
    assert_eq!(
        crate::receipt::words::amount_in_words(red.total_amount),
        sample["total_amount_capital"].as_str().unwrap()
    );
    for (item, row) in red.items.iter().zip(sample["items"].as_array().unwrap()) {
        assert_eq!(item.item_code, row["item_code"].as_str().unwrap());
        assert_eq!(item.amount.to_string(), row["item_amount"].as_str().unwrap());
        assert_eq!(item.quantity.unwrap().to_string(), row["item_quantity"].as_str().unwrap());
    }
    assert_eq!(red.reversal.as_ref().unwrap().text, "部分退费（退彩超检查）");
    assert_eq!(red.reversal.as_ref().unwrap().reissue_biz_code, receipts[13].draft.biz_code);
    assert_eq!(receipts[13].draft.reissue_of(), Some(receipts[0].key()));
}

#[test]
fn what_must_differ_between_runs_differs() {
    let samples = Samples::load().unwrap();
    let mut seen = BTreeSet::new();
    for serial in 0..200 {
        for receipt in run(&samples, "2026-11-12", serial) {
            assert!(seen.insert(receipt.draft.biz_code.clone()));
            for code in receipt.draft.pay_codes() {
                assert!(seen.insert(code.to_owned()));
            }
        }
    }
    let draft = |id| samples.template(id, &params("2026-11-12", 1, None)).unwrap();
    assert_eq!(draft("S04"), draft("S04"), "the same parameters give the same draft");
}

#[test]
fn details() {
    let samples = Samples::load().unwrap();
    let draft = |id| samples.template(id, &params("2027-03-01", 1, None)).unwrap();
    let first = draft("S01");
    assert!(resident_id_birthday(&first.payer_code).is_some());
    assert_eq!(masked_code(&first.payer_code), "990305********0012");
    assert_eq!(first.receipt_code.to_string(), "99060127");
    assert_eq!(first.specimen_code, "9906012701");
    assert_eq!(
        first.payments.iter().map(|payment| payment.amount).collect::<Vec<_>>(),
        [Fen::new(30_120), Fen::new(8_417)]
    );
    assert_eq!(first.payments[1].mode.as_str(), "wechat");
    assert_eq!(draft("S17").other_info[0].value, "示房(2026)***0402");
    let confirmed = draft("S11").ext.non_tax().unwrap().confirm_time.unwrap();
    assert_eq!(confirmed, CivilDate::parse("2027-03-01").unwrap().at_seconds(37_290, 480).unwrap());
    assert!(samples.is_exchanged_to_paper("S03"));
    assert!(!samples.is_exchanged_to_paper("S01"));
    let refusal = samples.template("S13", &params("2026-11-12", 1, None)).unwrap_err();
    assert_eq!(refusal.to_string(), "S13 needs the receipt issued from S01");
    assert_eq!(samples.template("S18", &params("2026-11-12", 1, None)).unwrap_err().to_string(), "no sample S18");
}
