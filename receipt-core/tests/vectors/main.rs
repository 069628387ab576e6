//! The vectors of `docs/spec/vectors`: recomputed from the deterministic test chain and compared with the committed files.
//!
//! A stranger's implementation is tested against the files; this program says that they still are what this one does.
//! `UPDATE_VECTORS=1 cargo test -p receipt-core --features testkit --test vectors` writes them anew: a change of a file is a
//! change of a format, and needs a new format version.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has to fail")]

mod answers;
mod blocks;
mod body;
mod bundles;
mod code;
mod directory;
mod foreign_suite;
mod forgeries;
mod governance;
mod left_out;
mod log;
mod presentations;
mod records;
mod registry;
mod scene;
mod schedule;
mod signatures;
mod status_map;
mod succession;
mod verdicts;

use std::path::PathBuf;

use receipt_core::suite::Suite;
use serde_json::Value;

/// The vectors are of the one suite that shipped builds have.
pub(crate) const SUITE: Suite = Suite::Ed25519Sha256;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/spec/vectors")
}

/// Compares with the committed file, or writes it if `UPDATE_VECTORS` is set. Key order and white space do not count.
fn check(name: &str, computed: &Value) {
    let path = folder().join(name);
    if std::env::var_os("UPDATE_VECTORS").is_some() {
        let text = format!("{}\n", serde_json::to_string_pretty(computed).unwrap());
        std::fs::create_dir_all(folder()).unwrap();
        std::fs::write(&path, text).unwrap();
    }
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let committed: Value = serde_json::from_str(&text).unwrap();
    let place = difference(&committed, computed, name.to_owned());
    assert!(place.is_none(), "{} differs from what the code computes", place.unwrap_or_default());
}

/// The first place where two values differ.
fn difference(committed: &Value, computed: &Value, place: String) -> Option<String> {
    match (committed, computed) {
        (Value::Object(a), Value::Object(b)) if a.len() == b.len() => a.iter().find_map(|(key, value)| {
            let place = format!("{place}/{key}");
            b.get(key).map_or(Some(place.clone()), |other| difference(value, other, place))
        }),
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            let pairs = a.iter().zip(b).enumerate();
            pairs.into_iter().find_map(|(index, (a, b))| difference(a, b, format!("{place}/{index}")))
        }
        _ => (committed != computed).then_some(place),
    }
}

fn hexes<B: AsRef<[u8]>>(items: impl IntoIterator<Item = B>) -> Vec<String> {
    items.into_iter().map(|item| hex::encode(item)).collect()
}

#[test]
fn a_difference_is_found_wherever_it_is() {
    let value = serde_json::json!({"a": [1, {"b": "c"}]});
    assert_eq!(difference(&value, &value, "v".to_owned()), None);
    for other in [
        serde_json::json!({"a": [1, {"b": "d"}]}),
        serde_json::json!({"a": [1, {"b": "c"}, 2]}),
        serde_json::json!({"a": [1, {"x": "c"}]}),
        serde_json::json!({"a": [1, {"b": "c"}], "e": 1}),
    ] {
        assert!(difference(&value, &other, "v".to_owned()).is_some(), "{other}");
    }
}

#[test]
fn no_file_is_without_its_test() {
    let mut names: Vec<String> =
        folder().read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    let tested = [
        "batch",
        "blinding",
        "block",
        "body",
        "bundle",
        "code",
        "directory",
        "foreign-suite",
        "governance",
        "ledger-answer",
        "left-out",
        "log",
        "presentation",
        "record",
        "registry",
        "schedule",
        "signatures",
        "status-map",
        "succession",
        "trust",
        "verdict",
    ];
    assert_eq!(names, tested.map(|name| format!("{name}.json")));
}
