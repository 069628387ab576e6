//! Whole bundles with their verdicts: good ones in full, bad ones as a splice into a good one.

use receipt_core::bundle::Bundle;
use receipt_core::hash::Hash;
use receipt_core::ids::UnixMillis;
use receipt_core::trust::TrustFile;
use receipt_core::verdict::{Conclusion, verify_bundle};
use serde_json::{Value, json};

use super::forgeries::{DOUBTS, FORGERIES};
use super::scene::Scene;

/// The part of a verdict that every implementation must reach.
fn expected(bytes: &[u8], trust: &TrustFile, at: UnixMillis) -> Value {
    let verdict = verify_bundle(bytes, trust, at);
    match &verdict.conclusion {
        Conclusion::InForce { as_of } => {
            json!({ "result": "in_force", "as_of": as_of.get(), "signers": verdict.signers })
        }
        Conclusion::Reversed { by, as_of } => {
            json!({ "result": "reversed", "by": by.to_string(), "as_of": as_of.get(), "signers": verdict.signers })
        }
        Conclusion::Unjudged(_) => json!({ "result": "unjudged", "code": verdict.code() }),
        Conclusion::NoReceipt { .. } => json!({ "result": "no_receipt", "code": verdict.code() }),
        Conclusion::Invalid(failure) => json!({ "result": "invalid", "code": failure.code() }),
    }
}

/// Which bytes of `base` to replace by what in order to get `other`.
fn splice(base: &[u8], other: &[u8]) -> Value {
    let text = std::str::from_utf8(other).unwrap();
    let mut from = base.iter().zip(other).take_while(|(a, b)| a == b).count();
    while !text.is_char_boundary(from) {
        from -= 1;
    }
    let room = base.len().min(other.len()) - from;
    let mut same = base.iter().rev().zip(other.iter().rev()).take(room).take_while(|(a, b)| a == b).count();
    while !text.is_char_boundary(other.len() - same) {
        same -= 1;
    }
    json!({ "from_byte": from, "to_byte": base.len() - same, "insert": &text[from..other.len() - same] })
}

fn text(bundle: &Bundle) -> String {
    String::from_utf8(bundle.encode()).unwrap()
}

#[test]
fn bundle_json() {
    let mut scene = Scene::new();
    let now = scene.chain.now();
    let trust = scene.chain.trust().clone();
    let good = [
        ("in force", scene.chain.bundle(&scene.blues[0])),
        ("reversed", scene.chain.bundle(&scene.blues[1])),
        ("red", scene.chain.bundle(&scene.red)),
    ];
    let row = |(name, bundle): &(&str, Bundle)| json!({ "name": name, "at_ms": now.get(), "bundle": text(bundle), "expected": expected(&bundle.encode(), &trust, now) });
    let bundles: Vec<Value> = good.iter().map(row).collect();
    let base = good[0].1.clone();
    let mut tampered: Vec<Value> = FORGERIES
        .iter()
        .map(|(name, code, forge)| {
            let mut bundle = base.clone();
            forge(&mut scene, &mut bundle);
            let verdict = expected(&bundle.encode(), &trust, now);
            assert_eq!(verdict, json!({ "result": "invalid", "code": code }), "{name}");
            json!({ "name": name, "at_ms": now.get(), "splice": splice(&base.encode(), &bundle.encode()), "expected": verdict })
        })
        .collect();
    for (name, code, forge) in DOUBTS {
        let mut bundle = base.clone();
        forge(&mut scene, &mut bundle);
        let verdict = expected(&bundle.encode(), &trust, now);
        assert_eq!(verdict, json!({ "result": "unjudged", "code": code }), "{name}");
        tampered.push(json!({ "name": name, "at_ms": now.get(), "splice": splice(&base.encode(), &bundle.encode()), "expected": verdict }));
    }
    for (name, result, other) in other_files(&text(&base)) {
        let verdict = expected(other.as_bytes(), &trust, now);
        assert_eq!(verdict["result"], result, "{name}");
        let splice = splice(text(&base).as_bytes(), other.as_bytes());
        tampered.push(json!({ "name": name, "at_ms": now.get(), "splice": splice, "expected": verdict }));
    }
    for (name, other) in misspelt(&text(&base)) {
        let verdict = expected(other.as_bytes(), &trust, now);
        assert_eq!(verdict["code"], "BUNDLE_FORM", "{name}");
        let splice = splice(text(&base).as_bytes(), other.as_bytes());
        tampered.push(json!({ "name": name, "at_ms": now.get(), "splice": splice, "expected": verdict }));
    }
    // The times given: a moment too early for two of the layers, and just in time.
    let issued = scene.blues[0].signed.record.issue_time.get();
    for (name, at_ms) in [
        ("issued in the future", issued - 600_001),
        ("anchored in the future", issued - 600_000),
        ("within the drift", (scene.chain.blocks()[7].seal.time.get() / 1000 + 1) * 1000 - 600_000),
    ] {
        let splice = json!({ "from_byte": 0, "to_byte": 0, "insert": "" });
        let verdict = expected(&base.encode(), &trust, UnixMillis::new(at_ms));
        tampered.push(json!({ "name": name, "at_ms": at_ms, "splice": splice, "expected": verdict }));
    }
    // The same keys under the hash of another set: a trust file that fits the cosignatures and not the seal.
    let (known, unknown) = (trust.sets()[1].set_hash.to_string(), Hash::ZERO.to_string());
    let other = TrustFile::parse(&trust.to_text().replace(&known, &unknown)).unwrap();
    let verdict = expected(&base.encode(), &other, now);
    assert_eq!(verdict["code"], "SEAL_SET");
    tampered.push(json!({
        "name": "a trust file with another set hash",
        "at_ms": now.get(),
        "splice": { "from_byte": 0, "to_byte": 0, "insert": "" },
        "trust_replace": [known, unknown],
        "expected": verdict,
    }));
    let value = json!({ "trust": trust.to_text(), "bundles": bundles, "tampered_first_bundle": tampered });
    super::check("bundle.json", &value);
}

/// Files that are no bundle of this format: name, result, text.
fn other_files(text: &str) -> Vec<(&'static str, &'static str, String)> {
    vec![
        ("a later format", "unjudged", text.replacen("bundle/v1", "bundle/v2", 1)),
        ("an empty file", "no_receipt", String::new()),
        ("another JSON file", "no_receipt", "{}".to_owned()),
        ("a bundle cut off in its format", "no_receipt", text[..20].to_owned()),
        ("a bundle that begins too late", "no_receipt", format!("{}{text}", " ".repeat(240))),
    ]
}

/// The same content, spelt otherwise.
fn misspelt(text: &str) -> Vec<(&'static str, String)> {
    vec![
        ("a space", text.replacen("{\"format\"", "{ \"format\"", 1)),
        ("a newline at the end", format!("{text}\n")),
        ("an unknown key", text.replacen("\"format\"", "\"extra\":1,\"format\"", 1)),
        ("a byte order mark", format!("\u{feff}{text}")),
        (
            "another format behind a space",
            text.replacen("{\"format\":\"tallystick/bundle/v1", "{ \"format\":\"tallystick/bundle/v2", 1),
        ),
        ("an index written as a fraction", text.replacen(",\"path\"", ".0,\"path\"", 1)),
        ("a needless escape", text.replacen("ledger", "\\u006cedger", 1)),
        ("a value of null", text.replacen("\"}}", "\",\"value\":null}}", 1)),
        ("cut off", text[..text.len() - 1].to_owned()),
    ]
}
