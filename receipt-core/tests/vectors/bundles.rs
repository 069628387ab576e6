//! Whole bundles with their verdicts: good ones in full, bad ones as a splice into a good one.

use receipt_core::bundle::Bundle;
use receipt_core::credential::SignedCredential;
use receipt_core::hash::Hash;
use receipt_core::ids::UnixMillis;
use receipt_core::suite::Signer;
use receipt_core::testkit::software_key;
use receipt_core::trust::TrustFile;
use receipt_core::verdict::{Conclusion, verify_bundle};
use serde_json::{Value, json};

use super::forgeries::{DOUBTS, FORGERIES};
use super::scene::Scene;

/// The part of a verdict that every implementation must reach.
pub(crate) fn expected(bytes: &[u8], trust: &TrustFile, at: UnixMillis) -> Value {
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
        other => panic!("no bundle comes to this: {other:?}"),
    }
}

/// Which bytes of `base` to replace by what in order to get `other`.
pub(crate) fn splice(base: &[u8], other: &[u8]) -> Value {
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
    let mut bundles: Vec<Value> = good.iter().map(row).collect();
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
    add_authorities(&base, &trust, &mut bundles, &mut tampered);
    let value = json!({ "trust": trust.to_text(), "bundles": bundles, "tampered_first_bundle": tampered });
    super::check("bundle.json", &value);
}

fn add_authorities(base: &Bundle, trust: &TrustFile, bundles: &mut Vec<Value>, tampered: &mut Vec<Value>) {
    for (name, bundle, at, code) in of_authorities(base) {
        let verdict = expected(&bundle.encode(), trust, at);
        assert_eq!(verdict["code"].as_str(), code, "{name}");
        let at_ms = at.get();
        match code {
            None => {
                bundles.push(json!({ "name": name, "at_ms": at_ms, "bundle": text(&bundle), "expected": verdict }));
            }
            Some(_) => {
                let splice = splice(&base.encode(), &bundle.encode());
                tampered.push(json!({ "name": name, "at_ms": at_ms, "splice": splice, "expected": verdict }));
            }
        }
    }
}

/// Who vouches for what was anchored before one of three authorities was replaced, and after it: name, bundle, time, code.
pub(crate) fn of_authorities(before: &Bundle) -> Vec<(&'static str, Bundle, UnixMillis, Option<&'static str>)> {
    let mut chain = Scene::new().chain;
    let receipt = chain.issue("S02");
    chain.add_block(std::slice::from_ref(&receipt));
    let at = chain.now();
    let after = chain.bundle(&receipt);
    let signed_by = |bundle: &Bundle, names: &[&str]| {
        let keys: Vec<_> = names.iter().map(|name| software_key(name)).collect();
        let keys: Vec<&dyn Signer> = keys.iter().map(|key| key as &dyn Signer).collect();
        let credential = SignedCredential::decode(&bundle.credential).unwrap().credential;
        let credential = SignedCredential::sign(credential, bundle.chain, &keys).encode();
        Bundle { credential, ..bundle.clone() }
    };
    let [stayed, left, new] =
        [["authority-0", "authority-1"], ["authority-1", "authority-2"], ["authority-1", "authority-7"]];
    let all = ["authority-0", "authority-1", "authority-2"];
    let [invalid, unknown] = [Some("CREDENTIAL_SIGNATURES"), Some("AUTHORITIES_UNKNOWN")];
    vec![
        ("later, by those who stayed", signed_by(&after, &stayed), at, None),
        ("later, by a new one", signed_by(&after, &new), at, None),
        ("later, by all of before", signed_by(&after, &all), at, None),
        ("earlier, by one that left", signed_by(before, &left), at, None),
        ("later, by one of two and one that left", signed_by(&after, &left), at, unknown),
        ("later, by one that left", signed_by(&after, &left[1..]), at, invalid),
        ("later, by one of two", signed_by(&after, &stayed[..1]), at, unknown),
        ("later, by nobody", signed_by(&after, &[]), at, invalid),
        ("earlier, by one of two", signed_by(before, &stayed[..1]), at, invalid),
        ("earlier, by a new one", signed_by(before, &new), at, invalid),
        ("earlier, by strangers", signed_by(before, &["a", "b"]), at, invalid),
        ("later, by strangers", signed_by(&after, &["a", "b"]), at, unknown),
        ("later, by a stranger too", signed_by(&after, &["authority-0", "b"]), at, unknown),
        ("later, by strangers as well", signed_by(&after, &["a", "authority-0", "authority-1"]), at, None),
    ]
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
