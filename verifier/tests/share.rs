//! `share`: docs/how-to/share-less.md as it stands, what is refused, and what `verify` says of what was made.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has to fail")]

mod common;
#[path = "common/schema.rs"]
mod schema;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use common::chain;
use receipt_core::bundle::{Bundle, Presentation};
use receipt_core::testkit::{TestChain, TestReceipt};
use receipt_core::verdict::verify_bundle;

/// A holder's folder: a receipt and a trust file.
struct Holder {
    directory: scratch::Directory,
    chain: TestChain,
    receipt: TestReceipt,
}

impl Holder {
    fn new() -> Self {
        let directory = scratch::Directory::new();
        let (chain, receipts) = chain();
        let holder = Self { directory, chain, receipt: receipts[1].clone() };
        std::fs::write(holder.path("receipt.tally"), holder.chain.bundle(&holder.receipt).encode()).unwrap();
        std::fs::write(holder.path("trust.txt"), holder.chain.trust().to_text()).unwrap();
        holder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Runs a line of a shell in the folder.
    fn shell(&self, line: &str) -> Output {
        let programs = Path::new(env!("CARGO_BIN_EXE_tallystick-verifier")).parent().unwrap().to_owned();
        let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
        Command::new("sh").args(["-c", line]).current_dir(self.directory.path()).env("PATH", path).output().unwrap()
    }

    fn share(&self, arguments: &[&str]) -> Output {
        let program = env!("CARGO_BIN_EXE_tallystick-verifier");
        Command::new(program).arg("share").args(arguments).current_dir(self.directory.path()).output().unwrap()
    }
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn said(output: &Output) -> (i32, String) {
    (output.status.code().unwrap(), String::from_utf8(output.stderr.clone()).unwrap())
}

/// The commands of the page, in order.
fn commands() -> Vec<&'static str> {
    let page = include_str!("../../docs/how-to/share-less.md");
    page.split("```\n").skip(1).step_by(2).map(str::trim).collect()
}

#[test]
fn the_page_works_as_it_stands() {
    let holder = Holder::new();
    let [list, share, verify] = commands()[..] else { panic!("three commands") };
    let listed = text(&holder.shell(list));
    let line = |name: &str| listed.lines().find(|line| line[1..].trim_start().starts_with(name)).unwrap().to_owned();
    assert!(line("total_amount").starts_with('*') && line("payer_name").starts_with(' '), "{listed}");
    assert!(line("payer_name").contains("交款人") && line("items[0]").contains("项目明细第1行"), "{listed}");
    assert!(!listed.contains("check_code"), "{listed}");

    let made = holder.shell(share);
    assert_eq!(said(&made), (0, String::new()));
    assert!(text(&made).starts_with("shown.tally: 13 of "), "{}", text(&made));
    let judged = holder.shell(&format!("{verify} --at {}", holder.chain.now().get()));
    assert_eq!(said(&judged), (0, String::new()));
    let page = text(&judged);
    assert!(page.starts_with("SHOWN IN PART, IN FORCE  "), "{page}");
    let draft = &holder.receipt.receipt.draft;
    assert!(page.contains(&format!("Payer: {}\n", draft.payer_name)) && page.contains("Item 1: "), "{page}");
    assert!(page.contains("\nWithheld ") && page.contains("  -    Check code\n"), "{page}");
    assert!(!page.contains(&holder.receipt.receipt.issued.check_code.to_string()), "{page}");
    assert!(draft.biz_code.len() > 4 && !page.contains(&draft.biz_code), "{page}");

    // What was made is what the library makes, and the program's JSON is the library's.
    let bytes = std::fs::read(holder.path("shown.tally")).unwrap();
    assert!(Presentation::decode(&bytes).is_ok() && Bundle::decode(&bytes).is_err());
    let json = text(&holder.shell(&format!("{verify} --json --at {}", holder.chain.now().get())));
    let library = verify_bundle(&bytes, holder.chain.trust(), holder.chain.now()).to_json();
    assert!(json.trim_end().ends_with(&format!("\"verdict\":{library}}}")), "{json}");
    let schema = serde_json::from_str(include_str!("../../docs/spec/schemas/verify.schema.json")).unwrap();
    let mut found = Vec::new();
    schema::breaks(&schema, &serde_json::from_str(&json).unwrap(), "$", &mut found);
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn what_is_not_shared_has_its_exit_code_and_its_sentence() {
    let holder = Holder::new();
    std::fs::write(holder.path("trust.tally"), holder.chain.trust().to_text()).unwrap();
    let mut altered = holder.chain.bundle(&holder.receipt);
    altered.values[16] = "别人".to_owned();
    std::fs::write(holder.path("altered.tally"), altered.encode()).unwrap();
    for (arguments, code, sentence) in [
        (&["receipt.tally", "--fields", "check_code", "--out", "x"][..], 64, "check_code is never shown"),
        (&["receipt.tally", "--fields", "payer", "--out", "x"], 64, "no field payer"),
        (&["receipt.tally", "--fields", "payer_name"], 64, "--out"),
        (&["altered.tally", "--fields", "payer_name", "--out", "x"], 1, "not what its record commits to"),
        (&["trust.tally", "--out", "x"], 5, "trust.tally"),
        (&["absent.tally", "--out", "x"], 66, "absent.tally"),
        (&["receipt.tally", "--out", "receipt.tally"], 66, "receipt.tally"),
        (&["receipt.tally", "--out", "absent/x"], 66, "absent"),
    ] {
        let (found, error) = said(&holder.share(arguments));
        assert!(found == code && error.contains(sentence), "{arguments:?}: {found} {error}");
        assert!(!holder.path("x").exists(), "{arguments:?}");
    }
    let kept = std::fs::read(holder.path("receipt.tally")).unwrap();
    assert!(Bundle::decode(&kept).is_ok(), "the bundle is still there");
    // A part is no bundle to share from, and one receipt shown twice is one.
    assert_eq!(said(&holder.share(&["receipt.tally", "--out", "part.tally"])).0, 0);
    assert_eq!(said(&holder.share(&["part.tally", "--out", "x"])).0, 5);
    let at = holder.chain.now().get();
    let lines = text(
        &holder.shell(&format!("tallystick-verifier verify receipt.tally part.tally --trust trust.txt --at {at}")),
    );
    assert!(lines.contains("SAME RECEIPT AS receipt.tally") && lines.contains("SHOWN IN PART, IN FORCE  "), "{lines}");
    assert!(lines.contains("2 files: 2 in force (1 of them shown in part)"), "{lines}");
}
