//! `scan`: the code on the paper, judged by the directory of units on the command line.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has to fail")]

mod common;

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use common::{TestFile, chain};
use receipt_core::answer::Answer;
use receipt_core::bundle::Bundle;
use receipt_core::code::{self, Host};
use receipt_core::directory::DirectoryFile;
use receipt_core::ids::UnixMillis;
use receipt_core::suite::Signer as _;
use receipt_core::testkit::{TestChain, TestReceipt, UNIT_KEY_BASE, unit_key};
use receipt_core::verdict::{CodeScan, LedgerAnswer, verify_code};

const HOST: &str = "TALLY.EXAMPLE";

struct Desk {
    trust: TestFile,
    at: String,
}

impl Desk {
    fn new(chain: &TestChain) -> Self {
        Self { trust: TestFile::new("trust", chain.trust().to_text()), at: chain.now().get().to_string() }
    }

    fn scan(&self, text: &str, directory: &TestFile, more: &[&str], typed: impl AsRef<[u8]>) -> Output {
        let mut running = Command::new(env!("CARGO_BIN_EXE_tallystick-verifier"))
            .args(["scan", text, "--host", "old.example", "--at", &self.at])
            .arg("--trust")
            .arg(self.trust.path())
            .arg("--directory")
            .arg(directory.path())
            .args(more)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A program that reads nothing may have ended.
        let _ = running.stdin.take().unwrap().write_all(typed.as_ref());
        running.wait_with_output().unwrap()
    }
}

fn text(output: &Output) -> String {
    String::from_utf8([&output.stdout[..], &output.stderr].concat()).unwrap()
}

fn code_of(output: &Output) -> i32 {
    output.status.code().unwrap()
}

#[test]
fn a_code_is_judged_offline_and_said_with_its_exit_code() {
    let (chain, receipts) = chain();
    let desk = Desk::new(&chain);
    let mut units = chain.directory();
    units.time = UnixMillis::new(chain.now().get() - 2 * 86_400_000);
    let unit = receipts[1].signed.record.unit;
    let file = |units| DirectoryFile { signed: chain.sign_directory(units), deltas: Vec::new() };
    let changed = |change: &dyn Fn(&mut receipt_core::directory::UnitRow)| {
        let mut units = units.clone();
        change(units.units.iter_mut().find(|row| row.unit() == unit).unwrap());
        TestFile::new("units", file(units).encode())
    };
    let plain = file(units.clone());
    let directory = TestFile::new("units", plain.encode());
    let code = code::text(&Host::new(HOST).unwrap(), &receipts[1].record);
    let host = ["--host", HOST];

    let output = desk.scan(&code, &directory, &host, "");
    let said = text(&output);
    assert_eq!(code_of(&output), 4, "{said}");
    assert!(
        said.starts_with("SIGNED, NOT CHECKED  ") && said.contains("directory of units as of 2 days ago"),
        "{said}"
    );
    let zh = text(&desk.scan(&code, &directory, &["--host", HOST, "--lang", "zh"], ""));
    assert!(zh.starts_with("已签名，未核实  ") && zh.contains("请与手里的票据核对"), "{zh}");
    // A scanner that types ends with a line end, of one or two characters.
    for end in ["", "\n", "\r\n"] {
        let typed = desk.scan("-", &directory, &host, format!("{code}{end}"));
        assert_eq!((code_of(&typed), text(&typed)), (4, said.clone()), "{end:?}");
    }
    for typed in [format!("{code} \n").into_bytes(), b"\xff\xfe\n".to_vec(), Vec::new(), vec![b'1'; 100_000]] {
        assert_eq!(code_of(&desk.scan("-", &directory, &host, typed)), 5);
    }

    let hosts = ["old.example", HOST].map(|host| Host::new(host).unwrap());
    let opened = plain.open(chain.trust()).unwrap();
    let scan = CodeScan { text: &code, hosts: &hosts, directory: &opened, ledger: LedgerAnswer::NotAsked };
    let library = verify_code(&scan, chain.trust(), chain.now()).to_json();
    let json = text(&desk.scan(&code, &directory, &["--host", HOST, "--json"], ""));
    assert!(json.ends_with(&format!("\"verdict\":{library}}}\n")), "{json}");

    // The directory is two days old, to the second.
    for (max_age, word) in [("172800s", "SIGNED, NOT CHECKED"), ("172799s", "DIRECTORY TOO OLD")] {
        let output = desk.scan(&code, &directory, &["--host", HOST, "--max-age", max_age], "");
        assert_eq!(code_of(&output), 4, "{}", text(&output));
        assert!(text(&output).starts_with(word), "{max_age}: {}", text(&output));
    }

    let by_stranger = unit_key(4242).public_key().0.to_vec();
    for (directory, exit, word) in [
        (changed(&|row| row.keys[0].revoked_from_ms = 1), 4, "KEY REVOKED"),
        (changed(&|row| row.keys.clear()), 4, "CANNOT BE JUDGED HERE"),
        (changed(&|row| row.keys[0].public_key.clone_from(&by_stranger)), 1, "FORGED SIGNATURE"),
    ] {
        let output = desk.scan(&code, &directory, &host, "");
        assert_eq!(code_of(&output), exit, "{}", text(&output));
        assert!(text(&output).starts_with(word), "{}", text(&output));
    }
    let output = desk.scan(&code, &directory, &[], "");
    assert!(code_of(&output) == 5 && text(&output).starts_with("LEADS ELSEWHERE"), "{}", text(&output));
}

#[test]
fn with_the_ledgers_answer_a_code_is_in_force_reversed_or_not_there() {
    let (mut chain, receipts) = chain();
    let desk = Desk::new(&chain);
    let directory = DirectoryFile { signed: chain.sign_directory(chain.directory()), deltas: Vec::new() };
    let directory = TestFile::new("units", directory.encode());
    let waiting = chain.issue("S01");
    let taken = |which: &TestReceipt| {
        let Bundle { batch, anchor, status, .. } = chain.bundle(which);
        Answer::Taken { batch, anchor, status }.encode()
    };
    let checkpoint = chain.blocks().last().unwrap().checkpoint.clone();
    let absent = Answer::Absent { checkpoint }.encode();
    let [reversed, good] = [&receipts[0], &receipts[1]];
    for (of, answer, exit, word) in [
        (good, taken(good), 0, "IN FORCE"),
        (reversed, taken(reversed), 2, "REVERSED"),
        (&waiting, absent, 4, "NOT YET ANCHORED"),
        (good, taken(reversed), 4, "CANNOT BE JUDGED HERE"),
        (good, b"{}".to_vec(), 64, "tallystick-verifier: reading "),
    ] {
        let code = code::text(&Host::new(HOST).unwrap(), &of.record);
        let answer = TestFile::new("answer", answer);
        let output = desk.scan(&code, &directory, &["--host", HOST, "--answer", answer.path().to_str().unwrap()], "");
        let said = text(&output);
        assert_eq!(code_of(&output), exit, "{said}");
        assert!(said.starts_with(word), "{word}: {said}");
    }
}

#[test]
fn what_cannot_be_used_is_named() {
    let (mut chain, receipts) = chain();
    let desk = Desk::new(&chain);
    let before = chain.directory();
    chain.govern(vec![TestChain::revocation(UNIT_KEY_BASE + 1, 5)]);
    let delta = chain.delta(&before, Vec::new());
    let file = |delta: Vec<u8>| {
        let file = DirectoryFile { signed: chain.sign_directory(before.clone()), deltas: vec![delta] };
        TestFile::new("units", file.encode())
    };
    let code = code::text(&Host::new(HOST).unwrap(), &receipts[1].record);
    let good = file(delta.encode());
    assert_eq!(code_of(&desk.scan(&code, &good, &["--host", HOST], "")), 4);
    let mut held_back = delta;
    held_back.units.clear();
    let other = TestChain::named("another");
    let foreign = DirectoryFile { signed: other.sign_directory(other.directory()), deltas: Vec::new() };
    let draft = receipt_core::directory::SignedDirectory::sign(before.clone(), chain.genesis().chain_id(), &[]);
    let draft = DirectoryFile { signed: draft, deltas: Vec::new() };
    for (directory, said) in [
        (file(held_back.encode()), "delta 1 of the directory: with the delta's rows"),
        (TestFile::new("units", draft.encode()), "not signed by enough of the authorities"),
        (TestFile::new("units", b"junk"), "no directory of units"),
        (TestFile::new("units", foreign.encode()), "or is of another chain"),
    ] {
        let output = desk.scan(&code, &directory, &["--host", HOST], "");
        assert_eq!(code_of(&output), 64, "{}", text(&output));
        assert!(text(&output).contains(said), "{}", text(&output));
    }
    let output = desk.scan(&code, &good, &["--host", HOST, "--max-age", "2"], "");
    assert!(code_of(&output) == 64 && text(&output).contains("--max-age: `2`"), "{}", text(&output));
    let output = desk.scan(&code, &good, &["--host", "https://x"], "");
    assert!(code_of(&output) == 64 && text(&output).contains("without https://"), "{}", text(&output));
    let absent = TestFile::new("units", b"");
    let gone = absent.path().with_extension("gone");
    let arguments = ["scan", &code, "--host", HOST, "--directory", gone.to_str().unwrap(), "--trust"];
    let output =
        Command::new(env!("CARGO_BIN_EXE_tallystick-verifier")).args(arguments).arg(desk.trust.path()).output();
    assert_eq!(code_of(&output.unwrap()), 66);
}
