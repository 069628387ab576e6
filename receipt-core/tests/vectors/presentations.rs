//! Presentations: made of a bundle, refused, judged, and tampered with.

use receipt_core::bundle::{Bundle, Leaf, Presentation, SHOWN_ALWAYS, share};
use receipt_core::hash::Hash;
use receipt_core::ids::LeafIndex;
use receipt_core::receipt::disclosure::{Body, Salt};
use receipt_core::receipt::layout::HEADER_NAMES;
use receipt_core::verdict::verify_bundle;
use serde_json::{Value, json};

use super::SUITE;
use super::bundles::{expected, splice};
use super::forgeries::FORGERIES;
use super::scene::Scene;

type Tamper = fn(&mut Presentation, &Presentation);

/// Name, expected code, what is done to a presentation, the other being of another receipt.
pub(crate) const TAMPERED: &[(&str, &str, Tamper)] = &[
    ("a value changed", "SHOWN_ROOT", |own, _| set(own, 16, "别人")),
    ("a total changed", "SHOWN_ROOT", |own, _| set(own, 7, "1.00")),
    ("two values exchanged", "SHOWN_ROOT", |own, _| own.leaves.swap(16, 23)),
    ("a value in the place of a hash", "SHOWN_ROOT", |own, _| own.leaves[15] = own.leaves[16].clone()),
    ("a value doubled", "SHOWN_ROOT", |own, _| {
        let leaf = own.leaves[16].clone();
        own.leaves.push(leaf);
    }),
    ("a value left out", "SHOWN_ROOT", |own, _| {
        own.leaves.pop();
    }),
    ("a salt changed", "SHOWN_ROOT", |own, _| {
        let Leaf::Shown { salt: Salt(salt), .. } = &mut own.leaves[16] else { panic!("shown") };
        salt[0] ^= 1;
    }),
    ("a hash changed", "SHOWN_ROOT", |own, _| own.leaves[15] = Leaf::Withheld(Hash::ZERO)),
    ("a withheld value invented", "SHOWN_ROOT", |own, _| set(own, 15, "990305199001010015")),
    ("a value of another receipt", "SHOWN_ROOT", |own, other| own.leaves[16] = other.leaves[16].clone()),
    ("the content of another receipt", "SHOWN_ROOT", |own, other| own.leaves.clone_from(&other.leaves)),
    ("the check code shown", "BUNDLE_FORM", |own, _| set(own, 2, "7c41a9")),
    ("the total withheld", "BUNDLE_FORM", |own, _| own.leaves[7] = Leaf::Withheld(Hash::ZERO)),
    ("a count withheld", "BUNDLE_FORM", |own, _| own.leaves[28] = Leaf::Withheld(Hash::ZERO)),
    ("fewer positions than a header has", "BUNDLE_FORM", |own, _| own.leaves.truncate(29)),
    ("another index in the batch", "BATCH_INCLUSION", |own, _| own.batch.index = LeafIndex::new(1)),
];

fn set(presentation: &mut Presentation, position: usize, text: &str) {
    let salt = match &presentation.leaves[position] {
        Leaf::Shown { salt, .. } => *salt,
        Leaf::Withheld(_) => Salt([0; 16]),
    };
    presentation.leaves[position] = Leaf::Shown { salt, value: text.to_owned() };
}

/// What is shown of any content, whether it is a receipt or not: a dishonest unit signs what it likes.
pub(crate) fn present(bundle: &Bundle, positions: &[usize]) -> Presentation {
    let body = Body::of_values(SUITE, bundle.values.clone(), &bundle.seed).unwrap();
    let leaf = |(position, disclosure): (usize, &receipt_core::receipt::disclosure::Disclosure)| {
        let is_always = HEADER_NAMES.get(position).is_some_and(|name| SHOWN_ALWAYS.contains(name));
        if is_always || positions.contains(&position) {
            Leaf::Shown { salt: disclosure.salt, value: disclosure.value.clone() }
        } else {
            Leaf::Withheld(disclosure.leaf_hash(SUITE))
        }
    };
    let Bundle { chain, record, credential, batch, anchor, status, .. } = bundle.clone();
    let leaves = body.disclosures().iter().enumerate().map(leaf).collect();
    Presentation { chain, leaves, record, credential, batch, anchor, status }
}

/// What a unit signs against its own record, and what of it is shown: name, code, positions that are shown besides.
pub(crate) const DISHONEST: &[(&str, &str, &[usize])] = &[
    ("a signed amount with one decimal", "SHOWN_FORM", &[]),
    ("a signed list with a space", "SHOWN_FORM", &[17]),
    ("a signed date that does not exist", "SHOWN_FORM", &[]),
    ("a signed row too many", "SHOWN_FORM", &[]),
    ("a signed total that the record denies", "SHOWN_RECORD", &[]),
    ("a signed date of another day", "SHOWN_RECORD", &[]),
    ("a link to an original on the record's side only", "SHOWN_RECORD", &[25, 26]),
    ("another unit's name in the credential", "BODY_UNIT", &[]),
    ("somebody else's key", "RECORD_SIGNATURE", &[]),
    ("a header that was never decided", "ANCHOR_INCLUSION", &[]),
];

/// A content that contradicts its record, in part.
pub(crate) fn dishonest(scene: &mut Scene, good: &Bundle, name: &str, positions: &[usize]) -> Presentation {
    let (_, _, forge) = FORGERIES.iter().find(|(known, ..)| *known == name).unwrap();
    let mut bundle = good.clone();
    forge(scene, &mut bundle);
    present(&bundle, positions)
}

/// The same content, spelt otherwise: name, code, text.
fn misspelt(text: &str, whole: &str) -> Vec<(&'static str, &'static str, String)> {
    let (own, of_whole) = ("tallystick/bundle/presentation/v1", "tallystick/bundle/v1");
    vec![
        ("a space", "BUNDLE_FORM", text.replacen("{\"format\"", "{ \"format\"", 1)),
        ("a newline at the end", "BUNDLE_FORM", format!("{text}\n")),
        ("a seed beside the body", "BUNDLE_FORM", text.replacen("\"record\"", "\"seed\":\"AA==\",\"record\"", 1)),
        ("a seed in the body", "BUNDLE_FORM", text.replacen("\"leaves\"", "\"seed\":\"AA==\",\"leaves\"", 1)),
        ("a leaf that is both", "BUNDLE_FORM", text.replacen("{\"hash\":", "{\"value\":\"1\",\"hash\":", 1)),
        ("a leaf that is neither", "BUNDLE_FORM", text.replacen("\"leaves\":[", "\"leaves\":[{},", 1)),
        ("a value before its salt", "BUNDLE_FORM", text.replacen("{\"salt\":", "{\"value\":\"1\",\"salt\":", 1)),
        ("a bundle under this name", "BUNDLE_FORM", whole.replacen(of_whole, own, 1)),
        ("under a bundle's name", "BUNDLE_FORM", text.replacen(own, of_whole, 1)),
        ("a later format", "FORMAT_UNKNOWN", text.replacen(own, "tallystick/bundle/presentation/v2", 1)),
    ]
}

fn text(presentation: &Presentation) -> String {
    String::from_utf8(presentation.encode()).unwrap()
}

/// A presentation of every kind: name, bundle, fields.
fn made_row(scene: &Scene, (name, bundle, fields): (&str, &Bundle, &[&str])) -> Value {
    let now = scene.chain.now();
    let presentation = share(bundle, fields).unwrap();
    let file = presentation.encode();
    let report = verify_bundle(&file, scene.chain.trust(), now).to_report().presentation.unwrap();
    json!({
        "name": name,
        "at_ms": now.get(),
        "bundle": String::from_utf8(bundle.encode()).unwrap(),
        "fields": fields,
        "presentation": text(&presentation),
        "shown": report.lines.iter().map(|line| line.code.clone()).collect::<Vec<_>>(),
        "withheld": report.withheld.iter().map(|row| row.code.clone()).collect::<Vec<_>>(),
        "expected": expected(&file, scene.chain.trust(), now),
    })
}

/// Files that are not what a holder made: name, code, text.
fn tampered_files(
    scene: &mut Scene,
    good: &Bundle,
    own: &Presentation,
    other: &Presentation,
) -> Vec<(&'static str, &'static str, String)> {
    let mut files = Vec::new();
    for &(name, code, tamper) in TAMPERED {
        let mut presentation = own.clone();
        tamper(&mut presentation, other);
        files.push((name, code, text(&presentation)));
    }
    for &(name, code, positions) in DISHONEST {
        files.push((name, code, text(&dishonest(scene, good, name, positions))));
    }
    // Nobody can see a contradiction in what is withheld; what the ledger never took is found all the same.
    let hidden = dishonest(scene, good, "a link to an original on the record's side only", &[]);
    files.push(("the same, the link withheld", "BATCH_INCLUSION", text(&hidden)));
    let whole = String::from_utf8(good.encode()).unwrap();
    files.extend(misspelt(&text(own), &whole));
    files
}

#[test]
fn presentation_json() {
    let mut scene = Scene::new();
    let (now, trust) = (scene.chain.now(), scene.chain.trust().clone());
    let [good, reversed, red] =
        [&scene.blues[0], &scene.blues[1], &scene.red].map(|receipt| scene.chain.bundle(receipt));
    let some = ["payer_name", "remark"];
    let rows: [(&str, &Bundle, &[&str]); 6] = [
        ("nothing more than must be", &good, &[]),
        ("payer and remark", &good, &some),
        ("all rows", &good, &["items", "aux_items"]),
        ("an item, a remark and an amount", &reversed, &["items[0]", "remark", "medical.fund_pay"]),
        ("reversed", &reversed, &some),
        ("red", &red, &["reversal", "related"]),
    ];
    let made = rows.map(|row| made_row(&scene, row));
    let refused: [(&Bundle, &[&str]); 4] = [
        (&good, &["check_code"]),
        (&good, &["items[800]"]),
        (&good, &["payer"]),
        (&reversed, &["payer_code", "biz_code"]),
    ];
    let refused = refused.map(|(bundle, fields)| {
        let bytes = String::from_utf8(bundle.encode()).unwrap();
        json!({ "bundle": bytes, "fields": fields, "problem": share(bundle, fields).unwrap_err().code() })
    });
    let (base, other) = (share(&good, &some).unwrap(), share(&reversed, &some).unwrap());
    let tampered = tampered_files(&mut scene, &good, &base, &other).into_iter().map(|(name, code, file)| {
        let verdict = expected(file.as_bytes(), &trust, now);
        assert_eq!(verdict["code"], code, "{name}");
        json!({ "name": name, "at_ms": now.get(), "splice": splice(&base.encode(), file.as_bytes()), "expected": verdict })
    });
    let tampered: Vec<Value> = tampered.collect();
    let value = json!({
        "trust": trust.to_text(),
        "presentations": made,
        "refused": refused,
        "base": text(&base),
        "tampered_base": tampered,
    });
    super::check("presentation.json", &value);
}
