//! Bodies: values, salts, leaves, root; and the name of every position in every category.

use receipt_core::merkle::leaf_hash;
use receipt_core::receipt::disclosure::Body;
use receipt_core::receipt::ext::Ext;
use receipt_core::receipt::layout::{HEADER_NAMES, field_position, from_values, to_values};
use receipt_core::testkit::{TestChain, TestReceipt};
use serde_json::{Value, json};

use super::scene::Scene;
use super::{SUITE, hexes};

fn body(receipt: &TestReceipt) -> Value {
    let body = Body::of_receipt(SUITE, &receipt.receipt, &receipt.seed).unwrap();
    let disclosures = body.disclosures().iter().map(|disclosure| {
        let data = disclosure.leaf_data();
        assert_eq!(leaf_hash(SUITE, &data), disclosure.leaf_hash(SUITE));
        json!({
            "position": disclosure.position,
            "salt": hex::encode(disclosure.salt.0),
            "value": disclosure.value,
            "leaf_hash": disclosure.leaf_hash(SUITE).to_string(),
        })
    });
    assert_eq!(to_values(&receipt.receipt).unwrap().len(), body.disclosures().len());
    json!({
        "seed": hex::encode(receipt.seed.as_bytes()),
        "disclosures": disclosures.collect::<Vec<_>>(),
        "root": body.root().to_string(),
        "path_of_position_7": hexes(body.inclusion_path(7).unwrap().iter().map(|hash| hash.0)),
    })
}

/// The values of one receipt of every category that the samples have.
fn receipts() -> Vec<Vec<String>> {
    let mut chain = TestChain::new();
    let original = chain.issue("S01");
    let mut seen = Vec::new();
    let mut receipts = Vec::new();
    for number in 2..=17 {
        let id = format!("S{number:02}");
        if id == "S13" {
            continue;
        }
        let draft = chain.draft_after(&id, Some(&original.receipt));
        let category = draft.receipt_code.category();
        if !seen.contains(&category) {
            seen.push(category);
            receipts.push(to_values(&chain.issue_draft(draft, Vec::new()).receipt).unwrap());
        }
    }
    assert!(seen.len() >= 8, "{seen:?}");
    receipts
}

/// Texts at one position of the first body, and whether the values are then a receipt.
fn spellings(values: &[String]) -> Vec<Value> {
    let positions = SPELLINGS.iter().flat_map(|(position, texts)| texts.iter().map(move |text| (*position, *text)));
    let rows = positions.map(|(position, text)| {
        let mut values = values.to_vec();
        values[position] = text.to_owned();
        json!({ "position": position, "text": text, "accepted": from_values(&values).is_ok() })
    });
    rows.collect()
}

/// Every type of a value at its edges. Position 53 is the first item row.
const SPELLINGS: &[(usize, &[&str])] = &[
    (0, &["99060226", "9906022", "99060226 ", "９9060226", ""]),
    (1, &["0000000000", "9999999999", "000000000", ""]),
    (2, &["abc123", "abc12", "ABC123", "abc1234"]),
    (3, &["0", "00", "18446744073709551615", "18446744073709551616", "-1", "+1", ""]),
    (4, &["", " ", "a\nb"]),
    (6, &["2024-02-29", "2023-02-29", "1900-02-29", "1899-12-31", "2999-12-31", "3000-01-01", "2026-1-02", ""]),
    (
        7,
        &[
            "0.00",
            "-0.00",
            "-1.00",
            "01.00",
            "1.0",
            "1",
            "1.000",
            ".00",
            "92233720368547758.07",
            "92233720368547758.08",
            "",
        ],
    ),
    (13, &["individual", "organisation", "Individual", ""]),
    (14, &["uscc", "newborn", "individual", ""]),
    (
        17,
        &[
            "",
            "[]",
            "null",
            r#"[{"mode":"cash","amount":"1.00"}]"#,
            r#"[{"amount":"1.00","mode":"cash"}]"#,
            r#"[{"mode":"cash","amount":"1.00","channel_reference":""}]"#,
            r#"[{"mode":"cash","amount":1.00}]"#,
            r#"[{"mode":"cash","amount":"1.00","extra":"1"}]"#,
            r#"[{"mode":"cash","amount":"1.00","channel_reference":null}]"#,
            r#"[{"mode":"cash","mode":"cash","amount":"1.00"}]"#,
            r#"[{"mode":"cash","amount":"1.00","channel_reference":"a\u001fb\n\b\"\\"}]"#,
            r#"[{"mode":"cash","amount":"1.00","channel_reference":"a\u001Fb"}]"#,
            r#"[{"mode":"cash","amount":"1.00","channel_reference":"a\u000ab"}]"#,
            r#"[{"mode":"cash","amount":"1.00","channel_reference":"a\/b"}]"#,
            r#"[{"mode":"cash","amount":"1.00","channel_reference":"\ud800"}]"#,
            "[{\"mode\":\"cash\",\"amount\":\"1.00\",\"channel_reference\":\"\u{7f}\u{2028}\u{1f600}\"}]",
            r#"[{"mode":"barter","amount":"1.00"}]"#,
            r#"[["cash","1.00"]]"#,
        ],
    ),
    (
        25,
        &[
            r#"[{"relation":"reversal_of","receipt_code":"99060226","receipt_number":"0000000001"}]"#,
            r#"[{"receipt_code":"99060226","relation":"reversal_of","receipt_number":"0000000001"}]"#,
            r#"[{"relation":"reissue_after_partial_refund","receipt_code":"99060226","receipt_number":"0000000001"}]"#,
            r#"[{"relation":"reversal_of","receipt_code":"99060226"}]"#,
            r#"[{"relation":"exchanged_paper","paper_code":"","paper_number":""}]"#,
            r#"[{"relation":"exchanged_paper","paper_code":"1"}]"#,
            r#"[{"relation":"covers_pay_code","pay_code":"1"},{"relation":"covers_pay_code","pay_code":"2"}]"#,
            r#"[{"relation":"covers_pay_code","pay_code":"1","receipt_code":"99060226"}]"#,
            r#"[{"relation":"other"}]"#,
        ],
    ),
    (
        26,
        &[
            r#"{"reason":"duplicate","operator":"x"}"#,
            r#"{"reason":"other","text":"y","operator":"","refund_reference":"z","reissue_biz_code":"w"}"#,
            r#"{"reason":"duplicate"}"#,
            r#"{"reason":"duplicate","operator":"x","text":"y"}"#,
            "{}",
        ],
    ),
    (
        27,
        &[
            r#"[{"no":0,"name":"","value":""}]"#,
            r#"[{"no":4294967295,"name":"","value":""}]"#,
            r#"[{"no":4294967296,"name":"","value":""}]"#,
            r#"[{"no":-1,"name":"","value":""}]"#,
            r#"[{"no":1.0,"name":"","value":""}]"#,
            r#"[{"no":"1","name":"","value":""}]"#,
            r#"[{"no":true,"name":"","value":""}]"#,
        ],
    ),
    (28, &["7", "9", "08", ""]),
    (29, &["1", ""]),
    (33, &["2026-11-02", "", "2026-11-31"]),
    (39, &["", "0", "4294967295", "4294967296", "-1"]),
    (44, &["", "0.00"]),
    (48, &["", "0.00", "0"]),
    (
        53,
        &[
            r#"{"item_code":"1","item_name":"x","amount":"1.00"}"#,
            r#"{"item_code":"1","item_name":"x","quantity":"1.5","amount":"1.00"}"#,
            r#"{"item_code":"1","item_name":"x","quantity":"1.50","amount":"1.00"}"#,
            r#"{"item_code":"1","item_name":"x","quantity":"0","amount":"1.00"}"#,
            r#"{"item_code":"1","item_name":"x","quantity":"-0","amount":"1.00"}"#,
            r#"{"item_code":"1","item_name":"x","quantity":"1.","amount":"1.00"}"#,
            r#"{"item_code":"1","item_name":"x","quantity":"-0.0001","amount":"1.00"}"#,
            r#"{"item_code":"1","item_name":"x","quantity":"922337203685477.5807","amount":"1.00"}"#,
            r#"{"item_code":"1","item_name":"x","quantity":"922337203685477.5808","amount":"1.00"}"#,
            r#"{"item_code":"1","item_name":"x","standard":"50.0000","amount":"1.00"}"#,
            r#"{"item_code":"1","item_name":"x","standard":"50.00","amount":"1.00"}"#,
            r#"{"item_code":"1","item_name":"x","amount":"1.00","rounding_adjustment":"0.0000","remark":"r"}"#,
            r#"{"item_code":"1","item_name":"x","amount":"1.00","remark":""}"#,
            r#"{"item_code":"1","item_name":"x","unit":"","amount":"1.00"}"#,
            r#"{"item_code":"","item_name":"","amount":"1.00"}"#,
            r#"{"item_code":"1","amount":"1.00"}"#,
            r#"["1","x","1.00"]"#,
            "",
        ],
    ),
];

#[test]
fn body_json() {
    let scene = Scene::new();
    let categories: Vec<Value> = (1..=10)
        .map(|category| {
            for name in Ext::names(category) {
                assert!(field_position(category, name).unwrap() as usize >= HEADER_NAMES.len());
            }
            json!({ "category": category, "fields": Ext::names(category) })
        })
        .collect();
    let value = json!({
        "header": HEADER_NAMES,
        "categories": categories,
        "receipts": receipts(),
        "spellings_in_first_body": spellings(&to_values(&scene.blues[0].receipt).unwrap()),
        "bodies": [body(&scene.blues[0]), body(&scene.blues[1]), body(&scene.red)],
    });
    super::check("body.json", &value);
}
