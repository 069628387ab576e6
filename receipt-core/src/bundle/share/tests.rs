//! What a presentation gives away, and what it does not.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::*;
use crate::bundle::{NEVER_SHOWN, ReceiptFile};
use crate::hash::Hash;
use crate::receipt::disclosure::Salt;
use crate::suite::Suite;
use crate::testkit::{TestChain, TestReceipt};

const SUITE: Suite = Suite::Ed25519Sha256;

fn chain(sample_id: &str) -> (TestChain, TestReceipt) {
    let mut chain = TestChain::new();
    let receipt = chain.issue(sample_id);
    chain.add_block(std::slice::from_ref(&receipt));
    (chain, receipt)
}

fn withheld(presentation: &Presentation) -> Vec<usize> {
    let leaves = presentation.leaves.iter().enumerate();
    leaves.filter(|(_, leaf)| leaf.value().is_none()).map(|(position, _)| position).collect()
}

/// Every text of a JSON document.
fn texts(value: &serde_json::Value, found: &mut Vec<String>) {
    match value {
        serde_json::Value::String(text) => found.push(text.clone()),
        serde_json::Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
        serde_json::Value::Object(items) => items.values().for_each(|item| texts(item, found)),
        _ => {}
    }
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

/// The places of a presentation in which the bytes stand: its file, and each of its texts as it is, in base64 and in hex.
fn stands_in(file: &[u8], needle: &[u8]) -> bool {
    let mut found = Vec::new();
    texts(&serde_json::from_slice(file).unwrap(), &mut found);
    let written = [needle.to_vec(), BASE64_STANDARD.encode(needle).into_bytes(), hex::encode(needle).into_bytes()];
    written.iter().any(|form| contains(file, form))
        || found.iter().any(|text| {
            let decoded = BASE64_STANDARD.decode(text).unwrap_or_default();
            contains(text.as_bytes(), needle) || contains(&decoded, needle)
        })
}

#[test]
fn nothing_of_what_is_withheld_stands_in_the_file() {
    for sample_id in ["S01", "S02", "S05", "S06", "S08", "S03"] {
        let (chain, receipt) = chain(sample_id);
        let bundle = chain.bundle(&receipt);
        let fields: &[&str] = &["payer_type"];
        let presentation = share(&bundle, fields).unwrap();
        let file = presentation.encode();
        assert_eq!(ReceiptFile::decode(&file).unwrap(), ReceiptFile::Part(presentation.clone()));
        assert!(!stands_in(&file, bundle.seed.as_bytes()), "{sample_id}");
        let shown: Vec<&str> = presentation.values().into_iter().flatten().collect();
        let hidden = withheld(&presentation);
        assert!(hidden.len() > 18 && hidden.contains(&2), "{sample_id}: {hidden:?}");
        for position in hidden {
            let salt = bundle.seed.salt(SUITE, u32::try_from(position).unwrap());
            assert!(!stands_in(&file, &salt.0), "{sample_id}: the salt of {position}");
            let value = &bundle.values[position];
            // Shorter ones stand anywhere by chance, and what is shown may say the same.
            if value.len() >= 4 && !shown.iter().any(|text| text.contains(value.as_str())) {
                assert!(!stands_in(&file, value.as_bytes()), "{sample_id}: {position}: {value}");
            }
        }
        // What is shown does stand there, by the same search.
        assert!(stands_in(&file, &bundle.seed.salt(SUITE, 13).0) && stands_in(&file, bundle.values[13].as_bytes()));
    }
}

/// An amount has few values, and a name is on a list: whoever could try them would know it.
#[test]
fn a_withheld_value_is_not_found_by_trying_all_there_are() {
    let (chain, receipt) = chain("S01");
    let bundle = chain.bundle(&receipt);
    let position = crate::receipt::layout::field_position(6, "medical.own_pay").unwrap();
    let value = bundle.values[position as usize].clone();
    assert!(value.len() <= 7, "a short value: {value}");
    let everything_else: Vec<String> = {
        let opened = Opened::of(&bundle).unwrap();
        let may = |name: &&String| !["medical.own_pay", NEVER_SHOWN, "payer_code"].contains(&name.as_str());
        opened.names.iter().filter(may).cloned().collect()
    };
    let presentation = share(&bundle, &everything_else).unwrap();
    let Leaf::Withheld(hash) = presentation.leaves[position as usize] else { panic!("withheld") };
    let guess = |salts: &[Salt]| {
        let mut amounts = (0..100_000_u32).map(|fen| format!("{}.{:02}", fen / 100, fen % 100));
        let found = |amount: &String| salts.iter().any(|salt| salt.leaf_hash(SUITE, position, amount) == hash);
        amounts.find(found)
    };
    assert_eq!(guess(&[bundle.seed.salt(SUITE, position)]), Some(value), "with its salt it is");
    // Those of its neighbours, and none.
    let neighbours = [position - 1, position + 1].map(|at| match &presentation.leaves[at as usize] {
        Leaf::Shown { salt, .. } => *salt,
        Leaf::Withheld(_) => panic!("everything else is shown"),
    });
    let salts: Vec<Salt> = neighbours.into_iter().chain([Salt([0; 16])]).collect();
    assert_eq!(guess(&salts), None);
    let unsalted = |amount: &str| crate::merkle::leaf_hash(SUITE, amount.as_bytes());
    assert!((0..100_000_u32).all(|fen| unsalted(&format!("{}.{:02}", fen / 100, fen % 100)) != hash));
}

#[test]
fn no_two_salts_are_alike() {
    let (chain, receipt) = chain("S01");
    let bundle = chain.bundle(&receipt);
    let count = u32::try_from(bundle.values.len()).unwrap();
    let mut salts: Vec<[u8; 16]> = (0..count).map(|position| bundle.seed.salt(SUITE, position).0).collect();
    salts.sort_unstable();
    salts.dedup();
    assert_eq!(salts.len(), count as usize, "128 bits each, no two alike");
}

#[test]
fn a_holder_picks_fields_and_rows_by_name() {
    let (chain, receipt) = chain("S01");
    let bundle = chain.bundle(&receipt);
    let names = Opened::of(&bundle).unwrap().names;
    let shown = |fields: &[&str]| {
        let presentation = share(&bundle, fields).unwrap();
        let values = names.iter().zip(&presentation.leaves).filter(|(_, leaf)| leaf.value().is_some());
        values.map(|(name, _)| name.clone()).collect::<Vec<_>>()
    };
    let always = shown(&[]);
    let mut expected: Vec<&str> = names.iter().map(String::as_str).filter(|name| is_always_shown(name)).collect();
    assert_eq!(always, expected);
    expected.extend(["payer_name", "medical.own_pay", "items[1]"]);
    let mut picked = shown(&["items[1]", "payer_name", "medical.own_pay", "payer_name", "receipt_code"]);
    picked.sort_unstable();
    expected.sort_unstable();
    assert_eq!(picked, expected);
    let rows = |fields: &[&str], list: &str| shown(fields).iter().filter(|name| name.starts_with(list)).count();
    assert_eq!((rows(&["items"], "items["), rows(&["items"], "aux_items[")), (receipt.receipt.draft.items.len(), 0));
    assert_eq!(rows(&["aux_items"], "aux_items["), receipt.receipt.draft.aux_items.len());
}

#[test]
fn what_cannot_be_shown_is_refused() {
    let (chain, receipt) = chain("S01");
    let bundle = chain.bundle(&receipt);
    assert!(!receipt.receipt.draft.payer_code.is_empty(), "the sample has a document number");
    for (fields, code) in [
        (&["check_code"][..], "SHARE_SECRET"),
        (&["payer"], "SHARE_FIELD"),
        (&[""], "SHARE_FIELD"),
        (&["items[99]"], "SHARE_FIELD"),
        (&["items["], "SHARE_FIELD"),
        (&["non_tax.pay_code"], "SHARE_FIELD"),
        (&["payer_code", "biz_code"], "SHARE_TOGETHER"),
    ] {
        let problem = share(&bundle, fields).unwrap_err();
        assert_eq!(problem.code(), code, "{fields:?}: {problem}");
    }
    assert!(share(&bundle, &["payer_code"]).is_ok() && share(&bundle, &["biz_code"]).is_ok());
    let mut altered = bundle.clone();
    altered.values[16] = "别人".to_owned();
    assert_eq!(share(&altered, &["payer_name"]), Err(ShareError::Content));
    let mut other = bundle;
    other.record = chain.bundle(&receipt).credential;
    assert_eq!(share(&other, &["payer_name"]).unwrap_err().code(), "RECEIPT");
    // An organisation's code is public: the reference alone is enough.
    let (chain, receipt) = self::chain("S08");
    let of_organisation = chain.bundle(&receipt);
    assert_eq!(share(&of_organisation, &["biz_code"]).unwrap_err().code(), "SHARE_TOGETHER");
    assert!(share(&of_organisation, &["payer_code", "payer_name"]).is_ok());
}

#[test]
fn a_presentation_has_one_spelling() {
    let (chain, receipt) = chain("S01");
    let bundle = chain.bundle(&receipt);
    let presentation = share(&bundle, &["payer_name"]).unwrap();
    let text = String::from_utf8(presentation.encode()).unwrap();
    assert_eq!(Presentation::decode(text.as_bytes()).unwrap(), presentation);
    assert!(Bundle::decode(text.as_bytes()).is_err(), "it is no bundle");
    assert!(Presentation::decode(&bundle.encode()).is_err(), "and a bundle is none");
    let (first_hash, as_bundle) = (text.find("{\"hash\":\"").unwrap(), "\"tallystick/bundle/v1\"");
    for changed in [
        text.replacen("{\"format\"", "{ \"format\"", 1),
        format!("{text}\n"),
        text.replacen("\"leaves\":[", "\"leaves\":[{},", 1),
        text.replacen("\"leaves\":[", "\"seed\":\"AA==\",\"leaves\":[", 1),
        text.replacen("{\"hash\":", "{\"salt\":null,\"hash\":", 1),
        text.replacen("{\"hash\":", "{\"value\":\"1\",\"hash\":", 1),
        text.replacen("\"record\":", "\"seed\":\"AA==\",\"record\":", 1),
        text.replacen("\"tallystick/bundle/presentation/v1\"", as_bundle, 1),
        text[..text.len() - 1].to_owned(),
        format!("{}{}", &text[..first_hash], text[first_hash..].replacen('=', "", 1)),
    ] {
        assert_ne!(changed, text);
        assert!(Presentation::decode(changed.as_bytes()).is_err(), "{changed:.300}");
        assert!(ReceiptFile::decode(changed.as_bytes()).is_err(), "{changed:.300}");
    }
    let with = |position: usize, leaf: Leaf| {
        let mut changed = presentation.clone();
        changed.leaves[position] = leaf;
        Presentation::decode(&changed.encode())
    };
    let secret = Leaf::Shown { salt: bundle.seed.salt(SUITE, 2), value: bundle.values[2].clone() };
    assert_eq!(with(2, secret), Err(BundleError::Value { name: "body" }), "the check code is shown");
    for position in [0, 1, 3, 4, 5, 6, 7, 8, 10, 28, 29] {
        let hidden = with(position, Leaf::Withheld(Hash::ZERO));
        assert_eq!(hidden, Err(BundleError::Value { name: "body" }), "{position} is withheld");
    }
    let mut short = presentation;
    short.leaves.truncate(29);
    assert!(Presentation::decode(&short.encode()).is_err());
}
