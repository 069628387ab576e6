//! Verdicts on presentations: what is shown is proved, what is withheld is said to be, and nothing is taken for the whole receipt.

use super::*;
use crate::bundle::{Leaf, Presentation, share};
use crate::receipt::decimal::Yuan4;
use crate::receipt::disclosure::Salt;
use crate::receipt::model::{AuxItem, OtherInfo};

fn judge_part(chain: &TestChain, presentation: &Presentation) -> Verdict {
    verify_bundle(&presentation.encode(), chain.trust(), chain.now())
}

fn shared(chain: &TestChain, receipt: &TestReceipt, fields: &[&str]) -> Presentation {
    share(&chain.bundle(receipt), fields).unwrap()
}

fn report(verdict: &Verdict) -> serde_json::Value {
    serde_json::from_str(&verdict.to_json()).unwrap()
}

fn codes(list: &serde_json::Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|row| row["code"].as_str().unwrap()).collect()
}

#[test]
fn a_presentation_of_every_sample_shows_that_and_no_more() {
    let mut chain = TestChain::new();
    for (id, receipt) in all_samples(&mut chain) {
        let verdict = judge_part(&chain, &shared(&chain, &receipt, &["payer_name", "items[0]"]));
        let red = receipt.receipt.draft.is_red();
        let finding = match id.as_str() {
            "S01" => Finding::Reversed,
            _ if red => Finding::RedInForce,
            _ => Finding::Presented,
        };
        assert_eq!(verdict.finding(), finding, "{id}: {:?}", verdict.conclusion);
        assert!(verdict.receipt.is_none(), "{id}: what is shown is not the receipt");
        let report = report(&verdict);
        assert!(report.get("receipt").is_none(), "{id}");
        assert!(codes(&report["notices"]).contains(&"PRESENTATION"), "{id}");
        assert!(codes(&report["not_checked"]).starts_with(&["WITHHELD", "CONTENT_RULES"]), "{id}");
        let shown = codes(&report["presentation"]["lines"]);
        let expected = "receipt_code receipt_number issue_time unit_name unit_code issue_date total_amount receipt_name \
                        supervisor_area_code payer_name item_count aux_count items[0]";
        assert_eq!(shown.join(" "), expected, "{id}");
        let withheld = codes(&report["presentation"]["withheld"]);
        assert!(withheld.starts_with(&["check_code", "specimen_code", "biz_code"]), "{id}: {withheld:?}");
        let count = usize::try_from(receipt.signed.record.disclosure_count).unwrap();
        assert_eq!(shown.len() + withheld.len(), count, "{id}");
        let payer = &report["presentation"]["lines"][9]["value"]["zh"];
        let name = receipt.receipt.draft.payer_name.as_str();
        assert_eq!(*payer, if name.is_empty() { "（空）" } else { name }, "{id}");
    }
}

/// Every check of a bundle, with those of a content that is shown in part in the place of the whole one's.
#[test]
fn every_check_but_those_that_need_the_whole_content_is_made() {
    let (chain, receipt) = chain();
    let verdict = judge_part(&chain, &shared(&chain, &receipt, &[]));
    let made: Vec<&str> = verdict.checks.iter().map(|check| check.id.code()).collect();
    let of_whole = [CheckId::BodyRoot, CheckId::BodyForm, CheckId::BodyRecord, CheckId::BodyRules];
    let of_part = [CheckId::ShownRoot, CheckId::ShownForm, CheckId::ShownRecord];
    let expected =
        CheckId::ALL.iter().filter(|id| of_part.contains(id) || (of_bundles().contains(id) && !of_whole.contains(id)));
    assert_eq!(made, expected.map(|id| id.code()).collect::<Vec<_>>());
    assert!(verdict.checks.iter().all(|check| check.outcome == CheckOutcome::Passed));
}

#[test]
fn words_never_call_it_the_whole_receipt() {
    let (mut chain, receipt) = chain();
    let presentation = shared(&chain, &receipt, &["payer_name", "remark"]);
    let verdict = judge_part(&chain, &presentation);
    let (zh, en) = (verdict.to_line(Language::Zh), verdict.to_line(Language::En));
    assert!(zh.starts_with("部分出示，有效  只出示了票据的一部分；这张票据真实，已上链，有效。  "), "{zh}");
    assert!(en.starts_with("SHOWN IN PART, IN FORCE  Only a part of the receipt is shown; "), "{en}");
    let (zh, en) = (verdict.to_text(Language::Zh), verdict.to_text(Language::En));
    let name = &receipt.receipt.draft.payer_name;
    assert!(en.contains("Shown and proved  ") && en.contains(&format!("  Payer: {name}\n")), "{en}");
    assert!(en.contains("\nWithheld (the receipt may have them or not)\n"), "{en}");
    assert!(en.contains("  -    Payer code\n") && en.contains("  -    Item 1\n"), "{en}");
    assert!(en.contains("13 values are shown, ") && en.contains("  Remark: (empty)\n"), "{en}");
    assert!(!en.contains("\nReceipt  ") && !zh.contains("\n票面  "), "no face: {zh}");
    assert!(
        zh.contains("没有出示（") && zh.contains("  -    项目明细第1行\n") && zh.contains("  备注：（空）\n"),
        "{zh}"
    );
    assert!(!zh.contains(&receipt.receipt.issued.check_code.to_string()));
    // The rest of the story is the ledger's, and needs no content.
    let later = verify_bundle(&presentation.encode(), chain.trust(), chain.now().plus_millis(86_400_000));
    let later = later.not_older_than(3600);
    assert_eq!(later.finding(), Finding::TooOld);
    let says_so = |verdict: &Verdict| {
        let (zh, en) = (verdict.to_line(Language::Zh), verdict.to_line(Language::En));
        assert!(zh.starts_with("【部分出示】") && en.starts_with("SHOWN IN PART: "), "{zh}\n{en}");
    };
    says_so(&later);
    let red = chain.reverse(&receipt);
    chain.add_block(std::slice::from_ref(&red));
    let reversed = judge_part(&chain, &shared(&chain, &receipt, &["payer_name"]));
    assert!(matches!(reversed.conclusion, Conclusion::Reversed { by, .. } if by == red.receipt.key()));
    let red = judge_part(&chain, &shared(&chain, &red, &[]));
    says_so(&reversed);
    says_so(&red);
    assert_eq!((red.finding(), red.reverses()), (Finding::RedInForce, Some(receipt.receipt.key())));
}

/// The mark of a chain for tests comes first.
#[test]
fn a_part_of_a_specimen_says_both() {
    let mut chain = TestChain::of_specimens("specimens");
    let receipt = chain.issue("S02");
    chain.add_block(std::slice::from_ref(&receipt));
    let red = chain.reverse(&receipt);
    chain.add_block(std::slice::from_ref(&red));
    let reversed = judge_part(&chain, &shared(&chain, &receipt, &["payer_name"]));
    let (zh, en) = (reversed.to_line(Language::Zh), reversed.to_line(Language::En));
    assert!(
        zh.starts_with("【测试样票】【部分出示】") && en.starts_with("TEST SPECIMEN: SHOWN IN PART: "),
        "{zh}\n{en}"
    );
}

#[test]
fn a_document_number_that_is_shown_on_purpose_is_shown_whole() {
    let (chain, receipt) = chain();
    let code = &receipt.receipt.draft.payer_code;
    assert!(!code.is_empty());
    let report = report(&judge_part(&chain, &shared(&chain, &receipt, &["payer_code"])));
    let lines = report["presentation"]["lines"].as_array().unwrap();
    let line = lines.iter().find(|line| line["code"] == "payer_code").unwrap();
    assert_eq!(line["value"]["en"], code.as_str());
}

type Tamper = fn(&mut Presentation, &Presentation);

/// What is done to a presentation of one receipt, the other being of another, and the check at which it fails: one of the file, one of the content, and what
/// stands outside it. All that can be done to the content: `presentation.json`.
const TAMPERED: &[(&str, &str, Tamper)] = &[
    ("a value changed", "SHOWN_ROOT", |own, _| set(own, 16, "别人")),
    ("the check code shown", "BUNDLE_FORM", |own, _| set(own, 2, "7c41a9")),
    ("the record of another receipt", "CREDENTIAL_SCOPE", |own, other| own.record.clone_from(&other.record)),
    ("another index in the batch", "BATCH_INCLUSION", |own, _| own.batch.index = LeafIndex::new(0)),
    ("a state that does not read", "STATUS_PROOF", |own, _| own.status.map.push(0)),
];

fn set(presentation: &mut Presentation, position: usize, text: &str) {
    let salt = match &presentation.leaves[position] {
        Leaf::Shown { salt, .. } => *salt,
        Leaf::Withheld(_) => Salt([0; 16]),
    };
    presentation.leaves[position] = Leaf::Shown { salt, value: text.to_owned() };
}

#[test]
fn every_tampering_fails_at_its_check() {
    let mut chain = TestChain::new();
    let receipts: Vec<TestReceipt> = ["S05", "S01", "S06"].iter().map(|id| chain.issue(id)).collect();
    chain.add_block(&receipts);
    let fields = ["payer_name", "remark"];
    let [own, other] = [1, 2].map(|of: usize| shared(&chain, &receipts[of], &fields));
    for (name, expected, tamper) in TAMPERED {
        let mut tampered = own.clone();
        tamper(&mut tampered, &other);
        let verdict = judge_part(&chain, &tampered);
        assert_eq!(verdict.code(), *expected, "{name}: {:?}", verdict.conclusion);
        assert!(!verdict.is_proved(), "{name}");
        let content_holds = verdict.layers.genuine == LayerResult::Passed;
        assert_eq!(verdict.presented.is_some(), content_holds, "{name}: nothing is shown that does not hold");
    }
}

#[test]
fn no_flipped_byte_of_a_presentation_is_ever_valid() {
    let (chain, receipt) = chain();
    let bytes = shared(&chain, &receipt, &["payer_name", "items"]).encode();
    assert!(verify_bundle(&bytes, chain.trust(), chain.now()).is_proved());
    for position in 0..bytes.len() {
        for mask in [0x01, 0x20] {
            let mut flipped = bytes.clone();
            flipped[position] ^= mask;
            let verdict = verify_bundle(&flipped, chain.trust(), chain.now());
            assert!(!verdict.is_proved(), "byte {position} ^ {mask:#x}: {:?}", verdict.conclusion);
        }
    }
}

/// A bundle under the other name and a presentation under a bundle's are neither.
#[test]
fn one_kind_is_not_passed_off_as_the_other() {
    let (chain, receipt) = chain();
    let whole = String::from_utf8(chain.bundle(&receipt).encode()).unwrap();
    let part = String::from_utf8(shared(&chain, &receipt, &[]).encode()).unwrap();
    let (of_whole, of_part) = ("tallystick/bundle/v1", "tallystick/bundle/presentation/v1");
    for (text, code) in [
        (whole.replacen(of_whole, of_part, 1), "BUNDLE_FORM"),
        (part.replacen(of_part, of_whole, 1), "BUNDLE_FORM"),
        (part.replacen(of_part, "tallystick/bundle/presentation/v2", 1), "FORMAT_UNKNOWN"),
        (format!("{part}\n"), "BUNDLE_FORM"),
        (format!("\u{feff}{part}"), "BUNDLE_FORM"),
    ] {
        let verdict = verify_bundle(text.as_bytes(), chain.trust(), chain.now());
        assert_eq!((verdict.code(), verdict.is_proved()), (code, false), "{text:.80}");
    }
}

/// The same path as in the bundle, and none for what is withheld.
#[test]
fn a_shown_value_is_followed_and_a_withheld_one_is_not() {
    let (chain, receipt) = chain();
    let (bundle, part) = (chain.bundle(&receipt).encode(), shared(&chain, &receipt, &["payer_name"]).encode());
    let trace = |bytes: &[u8], field| trace_bundle(bytes, chain.trust(), chain.now(), field);
    for field in ["total_amount", "payer_name"] {
        let whole = trace(&bundle, field);
        assert!(whole.is_some());
        assert_eq!(trace(&part, field), whole, "{field}");
    }
    for field in ["payer_code", "items[0]", "check_code"] {
        assert!(trace(&bundle, field).is_some() && trace(&part, field).is_none(), "{field}");
    }
}

/// The ledger's newest word goes into a presentation as into a bundle.
#[test]
fn a_presentation_is_made_new() {
    let (mut chain, receipt) = chain();
    let old = shared(&chain, &receipt, &["payer_name"]).encode();
    let red = chain.reverse(&receipt);
    chain.add_block(std::slice::from_ref(&red));
    let Bundle { batch, anchor, status, .. } = chain.bundle(&receipt);
    let answer = crate::answer::Answer::Taken { batch, anchor, status };
    let new = crate::answer::join(&old, &answer, chain.trust()).unwrap().encode();
    assert!(verify_bundle(&old, chain.trust(), chain.now()).is_in_force(), "as of then");
    let verdict = verify_bundle(&new, chain.trust(), chain.now());
    assert_eq!(
        (verdict.finding(), verdict.presented.unwrap().value("payer_name").is_some()),
        (Finding::Reversed, true)
    );
}

/// What a holder is offered is what they can get, with the values that a reader will see.
#[test]
fn what_is_offered_can_be_shown() {
    let (chain, receipt) = chain();
    let bundle = chain.bundle(&receipt);
    let offered = choices(&bundle, 480).unwrap();
    let count = usize::try_from(receipt.signed.record.disclosure_count).unwrap();
    assert_eq!(offered.len(), count - 1, "all but the check code");
    let names: Vec<&str> =
        offered.iter().map(|choice| choice.line.code.as_str()).filter(|name| *name != "payer_code").collect();
    let verdict = judge_part(&chain, &share(&bundle, &names).unwrap());
    let lines = verdict.to_report().presentation.unwrap().lines;
    let expected: Vec<FaceLine> =
        offered.into_iter().map(|choice| choice.line).filter(|line| line.code != "payer_code").collect();
    assert_eq!(lines, expected);
}

/// Whoever shows a row or a list gives away all that stands in it, so he and its reader see all of it: also what a face has no place for.
#[test]
fn nothing_of_what_is_shown_is_left_unsaid() {
    let mut chain = TestChain::new();
    let mut texts_seen = 0;
    for (id, receipt) in all_samples(&mut chain) {
        let bundle = chain.bundle(&receipt);
        let choices = crate::verdict::choices(&bundle, 480).unwrap();
        let rows = |name: &str| name.contains('[') || ["payments", "related", "reversal", "other_info"].contains(&name);
        for choice in choices.iter().filter(|choice| rows(&choice.line.code)) {
            let name = choice.line.code.as_str();
            let presentation = share(&bundle, &[name]).unwrap_or_else(|problem| panic!("{id} {name}: {problem}"));
            let json = |leaf: &Leaf| {
                serde_json::from_str::<serde_json::Value>(leaf.value()?).ok().filter(|json| !json.is_number())
            };
            let shown: Vec<_> = presentation.leaves.iter().filter_map(json).collect();
            let objects = shown.iter().flat_map(|json| match json {
                serde_json::Value::Array(rows) => rows.clone(),
                other => vec![other.clone()],
            });
            for (key, value) in objects.flat_map(|row| row.as_object().cloned().unwrap_or_default()) {
                // These are said in words.
                if ["mode", "reason", "relation"].contains(&key.as_str()) {
                    continue;
                }
                let text = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
                texts_seen += 1;
                for language in [&choice.line.value.zh, &choice.line.value.en] {
                    assert!(language.contains(&text), "{id} {name} {key}: {text:?} is not in {language:?}");
                    assert!(
                        !language.contains(&format!("{key}:")),
                        "{id} {name}: {language:?} is no word of a reader's"
                    );
                }
            }
        }
    }
    assert!(texts_seen > 100, "{texts_seen}");
}

/// The names of the body are for programs: a reader of either language gets a word for each.
#[test]
fn no_name_of_the_body_is_shown_to_a_reader() {
    let mut chain = TestChain::new();
    let mut draft = chain.draft("S01");
    (draft.items[0].quantity, draft.items[0].unit) = (None, "次".to_owned());
    draft.items[0].remark = "甲".to_owned();
    draft.payments[0].channel_reference = "YB1".to_owned();
    draft.other_info = vec![OtherInfo { no: 7, name: "床号".to_owned(), value: "3".to_owned() }];
    let aux = AuxItem {
        related_item_code: "0609".to_owned(),
        related_item_name: "西药费".to_owned(),
        item_code: "X1".to_owned(),
        item_name: "阿莫西林".to_owned(),
        unit: "盒".to_owned(),
        quantity: None,
        standard: None,
        amount: Yuan4::parse("1.0000").unwrap(),
        remark: "甲类".to_owned(),
    };
    draft.aux_items = vec![aux];
    let receipt = chain.issue_draft(draft, Vec::new());
    chain.add_block(std::slice::from_ref(&receipt));
    let choices = crate::verdict::choices(&chain.bundle(&receipt), 480).unwrap();
    let value = |name: &str| &choices.iter().find(|choice| choice.line.code == name).unwrap().line.value;
    assert!(value("payments").zh.contains("（渠道流水号：YB1）"), "{:?}", value("payments"));
    assert_eq!(
        (value("other_info").zh.as_str(), value("other_info").en.as_str()),
        ("床号：3（序号：7）", "床号: 3 (No.: 7)")
    );
    let (item, aux) = (value("items[0]"), value("aux_items[0]"));
    assert!(item.zh.contains("计量单位：次") && item.zh.contains("备注：甲）"), "{item:?}");
    assert!(
        aux.zh.ends_with("（计量单位：盒，所属项目编码：0609，所属项目：西药费，编码：X1，备注：甲类）"),
        "{aux:?}"
    );
    assert!(
        aux.en.ends_with("(Unit of measure: 盒, Code of its item: 0609, Its item: 西药费, Code: X1, Remark: 甲类)"),
        "{aux:?}"
    );
    // What stands in the body as a code.
    for (sample, name, zh, en) in [
        ("S04", "non_tax.collection_mode", "直缴", "paid into the treasury"),
        ("S09", "donation.donation_kind", "货币", "money"),
        ("S09", "donation.restricted_use", "是", "yes"),
        ("S09", "donation.anonymous", "否", "no"),
        ("S10", "donation.donation_kind", "实物", "in kind"),
        ("S10", "donation.anonymous", "是", "yes"),
    ] {
        let receipt = chain.issue(sample);
        chain.add_block(std::slice::from_ref(&receipt));
        let choices = crate::verdict::choices(&chain.bundle(&receipt), 480).unwrap();
        let shown = choices.into_iter().find(|choice| choice.line.code == name).unwrap().line.value;
        assert_eq!((shown.zh.as_str(), shown.en.as_str()), (zh, en), "{sample} {name}");
        // The same on a face, but for what is not the case.
        let on_face = Face::of(&receipt.receipt, 480).lines.into_iter().find(|line| line.code == name);
        assert_eq!(on_face.map(|line| line.value), (zh != "否").then_some(shown), "{sample} {name}");
    }
}
