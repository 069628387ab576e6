//! What the binary prints for machines, against the published schemas.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has to fail")]

mod common;
#[path = "common/schema.rs"]
mod schema;

use std::process::Command;

use common::{TestFile, chain, export, served};
use receipt_core::code::Host;
use receipt_core::directory::DirectoryFile;
use schema::breaks;
use serde_json::Value;

fn assert_fits(schema: &str, format_version: u32, document: &Value) {
    let mut found = Vec::new();
    breaks(&serde_json::from_str(schema).unwrap(), document, "$", &mut found);
    assert_eq!(found, Vec::<String>::new(), "{document}");
    assert_eq!(
        (&document["format_version"], &document["program"]),
        (&format_version.into(), &"tallystick-verifier".into())
    );
    assert_eq!(document["program_version"], env!("CARGO_PKG_VERSION"));
}

fn documents(arguments: &[&str]) -> Vec<Value> {
    let output = Command::new(env!("CARGO_BIN_EXE_tallystick-verifier")).args(arguments).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn what_verify_audit_and_compare_print_fits_its_schema() {
    let (chain, receipts) = chain();
    let path = |file: &TestFile| file.path().to_str().unwrap().to_owned();
    let trust = TestFile::new("trust", chain.trust().to_text());
    let mut forged = chain.bundle(&receipts[1]).encode();
    forged[200] ^= 1;
    let files = [chain.bundle(&receipts[1]).encode(), chain.bundle(&receipts[0]).encode(), forged];
    let files = files.map(|bytes| TestFile::new("x.tally", bytes));
    let [good, reversed, bad] = files.each_ref().map(path);
    let at = chain.now().get().to_string();
    let missing = format!("{good}.missing");
    let verdicts =
        documents(&["verify", &good, &reversed, &bad, &missing, "--trust", &path(&trust), "--at", &at, "--json"]);
    assert_eq!(verdicts.len(), 4);
    for verdict in &verdicts {
        assert_fits(include_str!("../../docs/spec/schemas/verify.schema.json"), 2, verdict);
    }

    let directory = DirectoryFile { signed: chain.sign_directory(chain.directory()), deltas: Vec::new() };
    let directory = TestFile::new("units", directory.encode());
    let code = receipt_core::code::text(&Host::new("tally.example").unwrap(), &receipts[1].record);
    for text in [code.as_str(), "https://elsewhere.example"] {
        let more = ["--host", "tally.example", "--trust", &path(&trust), "--directory", &path(&directory), "--json"];
        let verdicts = documents(&[&["scan", text, "--at", &at][..], &more].concat());
        assert_eq!(verdicts.len(), 1);
        assert_fits(include_str!("../../docs/spec/schemas/scan.schema.json"), 1, &verdicts[0]);
    }

    let genesis = TestFile::new("genesis", chain.genesis().encode());
    let mut torn = export(&chain, &served(&chain));
    let whole = TestFile::new("ledger", &torn);
    torn.truncate(torn.len() - 9);
    for ledger in [whole, TestFile::new("ledger", torn)] {
        let reports = documents(&["audit", "--export", &path(&ledger), "--genesis", &path(&genesis), "--json"]);
        assert_eq!(reports.len(), 1);
        assert_fits(include_str!("../../docs/spec/schemas/audit.schema.json"), 1, &reports[0]);
    }

    let notes = [2, 4].map(|height: usize| TestFile::new("note", &chain.blocks()[height].checkpoint));
    let evidence = notes[0].path().with_file_name("evidence");
    let [old, new] = notes.each_ref().map(path);
    for (first, second) in [(&new, &new), (&old, &new)] {
        let evidence = evidence.to_str().unwrap();
        let reports =
            documents(&["compare", first, second, "--trust", &path(&trust), "--evidence", evidence, "--json"]);
        assert_eq!(reports.len(), 1);
        assert_fits(include_str!("../../docs/spec/schemas/compare.schema.json"), 1, &reports[0]);
    }
}

#[test]
fn a_document_that_does_not_fit_is_noticed() {
    let schema = include_str!("../../docs/spec/schemas/compare.schema.json");
    let mut found = Vec::new();
    let document = serde_json::json!({"format_version": "1", "relation": "cousins", "first": {"tree_size": 1}});
    breaks(&serde_json::from_str(schema).unwrap(), &document, "$", &mut found);
    for problem in ["$.format_version is", "$.relation is none", "$.first.root is missing", "$.made_at is missing"] {
        assert!(found.iter().any(|line| line.starts_with(problem)), "{problem}: {found:?}");
    }
}
