//! The binary: arguments, exit codes, output, and comparing checkpoints.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has to fail")]

mod common;

use std::path::PathBuf;
use std::process::{Command, Output};

use common::{FakeNode, TestFile, chain, chain_named, export, served};
use receipt_core::authorities::AuthoritySet;
use receipt_core::entry::Entry;
use receipt_core::governance::{Action, SignedGovernance};
use receipt_core::hash::Hash;
use receipt_core::ids::{Height, LeafIndex, TreeSize};
use receipt_core::merkle::Frontier;
use receipt_core::note::PosixSeconds;
use receipt_core::registered_at::RegisteredAt;
use receipt_core::suite::Signer as _;
use receipt_core::testkit::{TestChain, TestValidator};
use receipt_core::trust::{SetEnd, TrustFile};
use receipt_core::validators::ValidatorSet;
use receipt_core::verdict::verify_bundle;
use tallystick_proto::ledger::v1::LedgerBlock;

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tallystick-verifier")).args(arguments).output().unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn path(file: &TestFile) -> String {
    file.path().to_str().unwrap().to_owned()
}

#[test]
fn verify_says_it_with_its_exit_code() {
    let (chain, receipts) = chain();
    let at = chain.now().get().to_string();
    let absent = path(&TestFile::new("trust", "")) + ".absent";
    assert_eq!(code(&run(&["verify", "x.tally", "--trust", &absent])), 66, "no such file");
    let trust = TestFile::new("trust", chain.trust().to_text());
    let trust = path(&trust);
    let good = TestFile::new("good.tally", chain.bundle(&receipts[1]).encode());
    let reversed = TestFile::new("reversed.tally", chain.bundle(&receipts[0]).encode());
    let mut bytes = chain.bundle(&receipts[1]).encode();
    bytes[200] ^= 1;
    let bad = TestFile::new("bad.tally", bytes);
    let verify = |files: &[&TestFile], more: &[&str]| {
        let files: Vec<String> = files.iter().map(|file| path(file)).collect();
        let mut arguments = vec!["verify"];
        arguments.extend(files.iter().map(String::as_str));
        arguments.extend(["--trust", &trust, "--at", &at]);
        arguments.extend(more);
        run(&arguments)
    };
    let output = verify(&[&good], &[]);
    assert_eq!(code(&output), 0);
    assert!(text(&output).contains("IN FORCE") && text(&output).contains("Total: "), "{}", text(&output));
    let chinese = verify(&[&good], &["--lang", "zh"]);
    assert_eq!(code(&chinese), 0);
    assert!(text(&chinese).starts_with("有效  票据真实，已上链，有效。  "), "{}", text(&chinese));
    assert!(text(&chinese).contains("金额合计（大写）：") && !text(&chinese).contains("Total"), "{}", text(&chinese));
    assert_eq!(code(&verify(&[&good], &["--lang", "fr"])), 64);
    assert_eq!(code(&verify(&[&reversed], &[])), 2);
    assert_eq!(code(&verify(&[&bad], &[])), 1);
    let all = verify(&[&good, &reversed, &bad], &[]);
    assert_eq!(code(&all), 1);
    assert!(text(&all).contains("3 files: 1 in force, 1 reversed, 1 invalid\n"), "{}", text(&all));
    let chinese = verify(&[&good, &reversed, &bad, &good], &["--lang", "zh"]);
    assert!(text(&chinese).ends_with("共4个文件：有效2，已冲红1，无效1；重复1\n"), "{}", text(&chinese));
    let json = verify(&[&good, &reversed], &["--json"]);
    assert_eq!(code(&json), 2);
    let lines: Vec<serde_json::Value> = text(&json).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["verdict"]["conclusion"]["result"], "in_force");
    assert_eq!(lines[1]["verdict"]["conclusion"]["result"], "reversed");
    assert_eq!(lines[1]["verdict"]["layers"][0]["result"], "passed");
    // What is printed is the library's report, byte for byte.
    let library = verify_bundle(&std::fs::read(good.path()).unwrap(), chain.trust(), chain.now()).to_json();
    assert!(text(&json).lines().next().unwrap().ends_with(&format!("\"verdict\":{library}}}")), "{}", text(&json));
    // An hour before it was made, the same bundle is from the future.
    let early = run(&["verify", &path(&good), "--trust", &trust, "--at", "2026-11-01T00:00:00Z"]);
    assert_eq!(code(&early), 1);
}

#[test]
fn a_red_receipt_is_in_force_and_said_to_be_red() {
    let (chain, receipts) = chain();
    let at = chain.now().get().to_string();
    let trust = TestFile::new("trust", chain.trust().to_text());
    let red = TestFile::new("red.tally", chain.bundle(&receipts[4]).encode());
    let blue = TestFile::new("blue.tally", chain.bundle(&receipts[1]).encode());
    let original = receipts[0].receipt.key().to_string();
    let verify = |files: &[&TestFile], more: &[&str]| {
        let files: Vec<String> = files.iter().map(|file| path(file)).collect();
        let mut arguments: Vec<&str> = vec!["verify"];
        arguments.extend(files.iter().map(String::as_str));
        let trust = path(&trust);
        arguments.extend(["--trust", &trust, "--at", &at]);
        arguments.extend(more);
        let output = run(&arguments);
        (code(&output), text(&output))
    };
    let (code, page) = verify(&[&red], &[]);
    assert_eq!(code, 0);
    let red_line =
        format!("RED RECEIPT  This is a red receipt: it reverses {original} and attests no payment received.");
    assert!(page.starts_with(&red_line) && !page.contains("IN FORCE"), "{page}");
    let (code, lines) = verify(&[&red, &blue], &[]);
    assert_eq!(code, 0);
    let told: Vec<bool> = lines.lines().map(|line| line.starts_with(&red_line)).collect();
    assert_eq!(told, [true, false, false], "{lines}");
    assert!(lines.ends_with("2 files: 2 in force (1 of them red), 0 reversed, 0 invalid\n"), "{lines}");
    let (_, json) = verify(&[&red, &blue], &["--json"]);
    let reports: Vec<serde_json::Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let conclusions = reports.iter().map(|report| &report["verdict"]["conclusion"]).collect::<Vec<_>>();
    assert_eq!((&conclusions[0]["code"], &conclusions[1]["code"]), (&"RED_IN_FORCE".into(), &"IN_FORCE".into()));
    assert_eq!(conclusions[0]["parameters"]["reverses"], original);
}

#[test]
fn a_reader_that_has_seen_enough_does_not_change_the_verdict() {
    let (chain, receipts) = chain();
    let trust = TestFile::new("trust", chain.trust().to_text());
    for (receipt, expected, more) in
        [(&receipts[1], 0, &[][..]), (&receipts[0], 2, &[]), (&receipts[0], 2, &["--json"])]
    {
        let bundle = TestFile::new("head.tally", chain.bundle(receipt).encode());
        let at = chain.now().get().to_string();
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = Command::new(env!("CARGO_BIN_EXE_tallystick-verifier"));
        command.args(["verify", &path(&bundle), "--trust", &path(&trust), "--at", &at]).args(more);
        let output = command.stdout(writer).stderr(std::process::Stdio::piped()).output().unwrap();
        assert_eq!(code(&output), expected);
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

struct Desk {
    chain: TestChain,
    trust: TestFile,
    good: TestFile,
    directory: scratch::Directory,
}

impl Desk {
    fn new() -> Self {
        let (chain, receipts) = chain();
        let trust = TestFile::new("trust", chain.trust().to_text());
        let good = TestFile::new("good.tally", chain.bundle(&receipts[1]).encode());
        Self { chain, trust, good, directory: scratch::Directory::new() }
    }

    fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let path = self.directory.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn verify(&self, files: &[&str], more: &[&str]) -> (i32, String) {
        let (trust, at) = (path(&self.trust), self.chain.now().get().to_string());
        let arguments = [&["verify"], files, &["--trust", &trust, "--at", &at], more].concat();
        let output = run(&arguments);
        assert!(output.stdout.iter().chain(&output.stderr).all(|byte| *byte != 0x1b), "{arguments:?}");
        (code(&output), text(&output))
    }
}

#[test]
fn what_cannot_be_judged_has_its_own_code_and_no_receipt_another() {
    let desk = Desk::new();
    let good = path(&desk.good);
    let (other, receipts) = chain_named("otherchain");
    let foreign = desk.file("foreign.tally", other.bundle(&receipts[1]).encode());
    let picture = desk.file("picture.tally", b"\xff\xd8\xff\xe0 JFIF");
    let (code, page) = desk.verify(&[&foreign], &[]);
    assert_eq!(code, 4, "{page}");
    assert!(page.starts_with("CANNOT BE JUDGED HERE  The receipt is of another chain, "), "{page}");
    let ids = [other.genesis().chain_id(), desk.chain.genesis().chain_id()].map(|chain| chain.0.to_string());
    assert!(ids.iter().all(|id| page.contains(id)) && !page.contains("INVALID"), "{page}");
    let sentence = page.lines().next().unwrap();
    assert!(ids.iter().all(|id| !sentence.contains(&id[..9]) && sentence.contains(&id[..8])), "{sentence}");
    let (code, page) = desk.verify(&[&picture], &[]);
    assert_eq!(code, 5, "{page}");
    assert!(
        page.starts_with("NO RECEIPT  This is no receipt: it is a picture.") && !page.contains("INVALID"),
        "{page}"
    );
    let (code, lines) = desk.verify(&[&good, &foreign, &picture], &[]);
    assert_eq!(code, 5, "the graver of the two");
    let summary = "3 files: 1 in force, 0 reversed, 0 invalid, 1 cannot be judged here, 1 no receipt\n";
    assert!(lines.ends_with(summary), "{lines}");
    let (_, json) = desk.verify(&[&foreign, &picture], &["--json"]);
    let results: Vec<serde_json::Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let conclusions = results.iter().map(|line| &line["verdict"]["conclusion"]).collect::<Vec<_>>();
    assert_eq!((&conclusions[0]["result"], &conclusions[0]["code"]), (&"unjudged".into(), &"OTHER_CHAIN".into()));
    assert_eq!(conclusions[1]["result"], "no_receipt");
}

#[test]
fn one_unreadable_file_hides_no_verdict() {
    let desk = Desk::new();
    let (good, missing) = (path(&desk.good), desk.directory.path().join("missing").to_str().unwrap().to_owned());
    let folder = desk.directory.path().to_str().unwrap().to_owned();
    let (code, lines) = desk.verify(&[&missing, &folder, "/dev/zero", &good], &[]);
    assert_eq!(code, 66, "{lines}");
    assert_eq!(
        lines.lines().filter(|line| line.starts_with("NOT READ  The file cannot be read: ")).count(),
        2,
        "{lines}"
    );
    assert_eq!(lines.lines().filter(|line| line.starts_with("IN FORCE")).count(), 1, "{lines}");
    let (_, chinese) = desk.verify(&[&missing, &good], &["--lang", "zh"]);
    assert!(chinese.starts_with("无法读取  文件无法读取：") && chinese.contains("无法读取1"), "{chinese}");
    assert!(lines.ends_with("4 files: 1 in force, 0 reversed, 0 invalid, 1 no receipt, 2 not read\n"), "{lines}");
    let (_, json) = desk.verify(&[&missing, &good], &["--json"]);
    let results: Vec<serde_json::Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let result = |line: &serde_json::Value| line["verdict"]["conclusion"]["result"].clone();
    assert_eq!((result(&results[0]), result(&results[1])), ("unreadable".into(), "in_force".into()));
    assert!(lines.lines().all(|line| !line.starts_with("TEST SPECIMEN")), "{lines}");
    // Of a chain for tests that is said first, whatever else is.
    let specimens = TestChain::of_specimens("specimens");
    let trust = desk.file("specimens.trust", specimens.trust().to_text());
    let judged = |language: &str| text(&run(&["verify", &missing, "--trust", &trust, "--lang", language]));
    assert!(judged("en").starts_with("TEST SPECIMEN: NOT READ  The file cannot be read: "), "{}", judged("en"));
    assert!(judged("zh").starts_with("【测试样票】无法读取  "), "{}", judged("zh"));
    let json: serde_json::Value =
        serde_json::from_str(&text(&run(&["verify", &missing, "--trust", &trust, "--json"]))).unwrap();
    assert_eq!(json["verdict"]["notices"][0]["code"], "TEST_CHAIN");
    assert_eq!(json["verdict"]["chain"]["id"], specimens.genesis().chain_id().0.to_string());
    let bad = desk.file("bad.tally", [&std::fs::read(&good).unwrap()[..], b"x"].concat());
    assert_eq!(desk.verify(&[&missing, &bad], &[]).0, 1, "what is known to be bad comes first");
}

#[test]
fn no_file_is_read_beyond_its_limit_and_no_pipe_waited_for_without_end() {
    let desk = Desk::new();
    let good = path(&desk.good);
    // Whatever takes a file: an endless one ends with a sentence.
    for arguments in [
        &["verify", &good, "--trust", "/dev/zero"][..],
        &["trust", "show", "/dev/zero"],
        &["trust", "from-genesis", "/dev/zero"],
        &["compare", "/dev/zero", "--trust", &path(&desk.trust)],
        &["compare", "/dev/zero", "/dev/zero", "--trust", &path(&desk.trust)],
        &["audit", "--genesis", "/dev/zero", "--export", &good],
    ] {
        let output = run(arguments);
        assert_eq!(code(&output), 64, "{arguments:?}: {}", errors(&output));
        assert!(errors(&output).contains("longer than"), "{}", errors(&output));
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_tallystick-verifier"));
    let at = desk.chain.now().get().to_string();
    command.args(["verify", "/dev/stdin", "--trust", &path(&desk.trust), "--at", &at]);
    let mut child = command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    std::io::Write::write_all(&mut input, &std::fs::read(&good).unwrap()).unwrap();
    drop(input);
    assert_eq!(code(&child.wait_with_output().unwrap()), 0, "a pipe that delivers is a file");
}

#[test]
fn neither_a_file_name_nor_a_remark_nor_an_argument_acts_on_the_terminal() {
    let mut desk = Desk::new();
    let mut draft = desk.chain.draft("S01");
    "\u{1b}[2J\u{1b}[H有效 IN FORCE\u{9b}2J\u{202e}\n有效 IN FORCE".clone_into(&mut draft.remark);
    let receipt = desk.chain.issue_draft(draft, Vec::new());
    desk.chain.add_block(std::slice::from_ref(&receipt));
    let mut bundle = desk.chain.bundle(&receipt);
    let painted = desk.file("painted.tally", bundle.encode());
    let acts = |text: &str| text.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}');
    for (more, word) in [(&["--full"][..], "IN FORCE"), (&["--lang", "zh"], "有效"), (&["--json"], "")] {
        let (code, page) = desk.verify(&[&painted], more);
        assert!(code == 0 && !acts(&page), "{page:?}");
        let begins = page.lines().filter(|line| line.starts_with("有效") || line.starts_with("IN FORCE")).count();
        assert_eq!((begins, page.starts_with(word)), (usize::from(!word.is_empty()), true), "{page}");
    }
    bundle.values[7] = "1.00".to_owned();
    let forged = desk.file("x\n有效\nIN FORCE  state as of just now  y.tally\u{1b}[2J", bundle.encode());
    let praises = |line: &str| line.starts_with("有效") || line.starts_with("IN FORCE");
    let (code, lines) = desk.verify(&[&forged, &painted], &[]);
    assert!(code == 1 && !acts(&lines), "{lines:?}");
    assert_eq!(lines.lines().filter(|line| praises(line)).count(), 1, "{lines}");
    assert_eq!(lines.lines().count(), 3, "{lines}");
    for (praising, language) in [("有效", "zh"), ("IN FORCE", "en")] {
        let praising = desk.file(praising, bundle.encode());
        let (_, pages) = desk.verify(&[&praising, &forged], &["--full", "--lang", language]);
        assert!(!pages.lines().any(praises), "{pages}");
    }
    // Messages of programs that refuse their arguments, and of files that do not read.
    for arguments in [
        &["verify", "--x\u{1b}[2J\n有效 IN FORCE", &painted][..],
        &["verify", &painted, "--trust", "/no\u{1b}where\n有效 IN FORCE"],
        &["verify", &painted, "--trust", &path(&desk.trust), "--at", "x\u{1b}\n有效 IN FORCE"],
    ] {
        let output = run(arguments);
        let said = errors(&output);
        assert!(!acts(&said) && !said.lines().any(|line| line.starts_with("有效")), "{said:?}");
    }
}

#[test]
fn one_receipt_given_twice_is_said() {
    let desk = Desk::new();
    let good = path(&desk.good);
    let copy = desk.file("copy.tally", std::fs::read(&good).unwrap());
    let (code, lines) = desk.verify(&[&good, &copy, &good], &[]);
    assert_eq!(code, 0);
    assert_eq!(lines.matches("SAME RECEIPT AS ").count(), 2, "{lines}");
    assert!(lines.ends_with("; 2 given more than once\n"), "{lines}");
    let (_, json) = desk.verify(&[&good, &copy], &["--json"]);
    let second: serde_json::Value = serde_json::from_str(json.lines().nth(1).unwrap()).unwrap();
    assert_eq!(second["given_before_as"], good.as_str());
}

#[test]
fn times_are_what_somebody_can_mean_and_a_word_can_be_too_old() {
    let desk = Desk::new();
    let (good, trust) = (path(&desk.good), path(&desk.trust));
    let at = |time: &str, more: &[&str]| {
        let output = run(&[&["verify", &good, "--trust", &trust, "--at", time], more].concat());
        (code(&output), text(&output), errors(&output))
    };
    for bad in ["20261302", "1793577600", "0", "1", "tomorrow", "2026-11-02T08:00:00"] {
        let (code, _, said) = at(bad, &[]);
        assert!(code == 64 && said.contains("--at"), "{bad}: {said}");
    }
    for date in ["2026-12-31", "20261231", "2026-12-31T00:00:00+08:00"] {
        let (code, page, _) = at(date, &[]);
        assert!(code == 0 && page.starts_with("IN FORCE  ") && page.contains("days ago (2026-11-"), "{page}");
        assert!(page.contains("judged at the given time, 2026-12-3"), "{page}");
        let (code, page, _) = at(date, &["--max-age", "24h"]);
        assert!(code == 4 && page.starts_with("STATE TOO OLD  The state is ") && !page.contains("IN FORCE"), "{page}");
        assert_eq!(at(date, &["--max-age", "90d"]).0, 0);
    }
    assert_eq!(at("2026-12-31", &["--max-age", "24"]).0, 64);
}

#[test]
fn causes_are_said_once_and_damage_on_the_way_has_a_sentence() {
    let desk = Desk::new();
    let good = path(&desk.good);
    let trust = desk.chain.trust().to_text();
    let refused = |name: &str, text: String| {
        let file = desk.file(name, text);
        let output = run(&["verify", &good, "--trust", &file]);
        assert_eq!(code(&output), 64);
        errors(&output)
    };
    assert!(refused("crlf", trust.replace('\n', "\r\n")).contains("CR LF"));
    assert!(refused("bom", format!("\u{feff}{trust}")).contains("byte order mark"));
    let said = refused("witness", trust.replacen("witness ", "witness x", 1));
    let cause = said.rsplit(": ").next().unwrap().trim();
    assert_eq!(said.matches(cause).count(), 1, "{said}");
}

#[test]
fn another_chains_ledger_is_not_judged() {
    let desk = Desk::new();
    let (other, _) = chain_named("otherchain");
    let genesis = TestFile::new("genesis", desk.chain.genesis().encode());
    let foreign = TestFile::new("ledger", export(&other, &served(&other)));
    let output = run(&["audit", "--export", &path(&foreign), "--genesis", &path(&genesis)]);
    assert_eq!(code(&output), 4, "{}", text(&output));
    assert!(errors(&output).contains(&other.genesis().chain_id().0.to_string()), "{}", errors(&output));
    assert_eq!(code(&run(&["trust", "update", &path(&desk.trust), "--export", &path(&foreign)])), 4);
    let note = &other.blocks()[4].checkpoint;
    let note = TestFile::new("note", note);
    let compared = run(&["compare", &path(&note), &path(&note), "--trust", &path(&desk.trust)]);
    assert_eq!(code(&compared), 4, "{}", errors(&compared));
    let trust = TestFile::new("trust", other.trust().to_text());
    let own = TestFile::new("ledger", export(&desk.chain, &served(&desk.chain)));
    let mixed = run(&["audit", "--export", &path(&own), "--genesis", &path(&genesis), "--trust", &path(&trust)]);
    assert_eq!(code(&mixed), 64, "{}", errors(&mixed));
}

#[test]
fn usage_errors_are_64() {
    let junk = TestFile::new("junk", "junk");
    let junk = path(&junk);
    for arguments in [
        &[][..],
        &["verify"],
        &["verify", "--skip-signatures", "x"],
        &["verify", &junk, "--trust", &junk],
        &["audit", "--genesis", &junk],
        &["audit", "--genesis", &junk, "--export", &junk],
        &["audit", "--genesis", &junk, "--export", &junk, "--node", "http://x:1"],
        &["trust", "show", &junk],
        &["trust", "from-genesis", &junk],
        &["compare", &junk, "--trust", &junk],
    ] {
        assert_eq!(code(&run(arguments)), 64, "{arguments:?}");
    }
    assert_eq!(code(&run(&["--help"])), 0);
    assert_eq!(code(&run(&["--version"])), 0);
}

#[test]
fn every_command_tells_its_exit_codes() {
    for command in [
        &[][..],
        &["verify"],
        &["audit"],
        &["compare"],
        &["serve"],
        &["scan"],
        &["share"],
        &["report-left-out"],
        &["trust"],
        &["trust", "update"],
    ] {
        let help = text(&run(&[command, &["--help"]].concat()));
        let codes: Vec<&str> = help.lines().skip_while(|line| !line.starts_with("Exit codes")).skip(1).collect();
        let codes: Vec<&str> = codes.iter().filter_map(|line| line.split_whitespace().next()).collect();
        assert!(codes.starts_with(&["0"]) && codes.contains(&"64") && codes.contains(&"66"), "{command:?}: {help}");
        for code in codes {
            let all = tallystick_service::exit::EXIT_CODES.lines().skip(1);
            assert!(
                all.filter_map(|line| line.split_whitespace().next()).any(|known| known == code),
                "{command:?}: {code}"
            );
        }
    }
    assert!(text(&run(&["--help"])).contains(tallystick_service::exit::EXIT_CODES));
}

#[test]
fn audit_replays_an_export() {
    let (chain, _) = chain();
    let genesis = TestFile::new("genesis", chain.genesis().encode());
    let ledger = TestFile::new("ledger", export(&chain, &served(&chain)));
    let new_trust = TestFile::new("trust", "");
    let output =
        run(&["audit", "--export", &path(&ledger), "--genesis", &path(&genesis), "--write-trust", &path(&new_trust)]);
    assert_eq!(code(&output), 0, "{}", text(&output));
    assert!(text(&output).starts_with("CLEAN"));
    assert!(text(&output).contains("Content not checked"));
    assert_eq!(std::fs::read_to_string(new_trust.path()).unwrap(), chain.trust().to_text());
    let json = run(&["audit", "--export", &path(&ledger), "--genesis", &path(&genesis), "--json", "--threads", "1"]);
    let report: serde_json::Value = serde_json::from_str(&text(&json)).unwrap();
    assert_eq!(report["result"], "clean");
    assert_eq!(report["totals"]["blue_count"], 6);

    // The registry as of a height, which the ledger must have.
    let registry = TestFile::new("registry", "");
    let at = |height: &str| {
        let arguments = ["audit", "--export", &path(&ledger), "--genesis", &path(&genesis), "--registry-at", height];
        run(&[&arguments[..], &["--write-registry", &path(&registry)]].concat())
    };
    assert_eq!(code(&at("1")), 0);
    let written = RegisteredAt::parse(&std::fs::read_to_string(registry.path()).unwrap()).unwrap();
    assert_eq!((written.height, written.seal_hash), (Height::new(1), chain.blocks()[1].seal.hash()));
    let output = at("99");
    let reached = chain.height();
    assert_eq!(code(&output), 64, "{}", errors(&output));
    assert!(
        errors(&output).contains(&format!("is not written: the ledger ends at height {reached}")),
        "{}",
        errors(&output)
    );

    let mut blocks = served(&chain);
    blocks[2].first_leaf_index += 1;
    let forged = TestFile::new("ledger", export(&chain, &blocks));
    let refuted = run(&["audit", "--export", &path(&forged), "--genesis", &path(&genesis), "--json"]);
    assert_eq!(code(&refuted), 1);
    let report: serde_json::Value = serde_json::from_str(&text(&refuted)).unwrap();
    assert_eq!(report["findings"][0]["code"], "ENTRIES");
    let mut torn = export(&chain, &served(&chain));
    torn.truncate(torn.len() - 9);
    let torn = TestFile::new("ledger", torn);
    assert_eq!(code(&run(&["audit", "--export", &path(&torn), "--genesis", &path(&genesis)])), 2);

    // Without a quorum's word the trust file is not written, and the caller is told.
    let mut blocks = served(&chain);
    blocks.iter_mut().for_each(|block| block.checkpoint.clear());
    let bare = TestFile::new("ledger", export(&chain, &blocks));
    let kept = TestFile::new("trust", "as it was");
    let output = run(&["audit", "--export", &path(&bare), "--genesis", &path(&genesis), "--write-trust", &path(&kept)]);
    assert_eq!((code(&output), std::fs::read_to_string(kept.path()).unwrap().as_str()), (2, "as it was"));
    assert!(errors(&output).contains("is not written"), "{}", errors(&output));
}

#[test]
fn trust_files_are_made_and_shown() {
    let (chain, _) = chain();
    let genesis = TestFile::new("genesis", chain.genesis().encode());
    let made = run(&["trust", "from-genesis", &path(&genesis)]);
    assert_eq!((code(&made), text(&made)), (0, chain.trust().to_text()));
    let trust = TestFile::new("trust", text(&made));
    let shown = run(&["trust", "show", &path(&trust)]);
    assert!(text(&shown).contains("2 of 3 must sign") && text(&shown).contains("v1, v2, v3, v4"));
    let ledger = TestFile::new("ledger", export(&chain, &served(&chain)));
    let updated = run(&["trust", "update", &path(&trust), "--export", &path(&ledger)]);
    assert_eq!((code(&updated), text(&updated)), (0, chain.trust().to_text()));
}

struct Notes {
    trust: TestFile,
    directory: scratch::Directory,
}

impl Notes {
    fn new(chain: &TestChain) -> Self {
        Self { trust: TestFile::new("trust", chain.trust().to_text()), directory: scratch::Directory::new() }
    }

    fn compare(&self, first: &str, second: &str, more: &[&str]) -> (Output, PathBuf) {
        let file = |name: &str| self.directory.path().join(name);
        std::fs::write(file("a"), first).unwrap();
        std::fs::write(file("b"), second).unwrap();
        let evidence = file("evidence");
        let names: Vec<String> =
            ["a", "b", "evidence"].iter().map(|name| file(name).to_str().unwrap().to_owned()).collect();
        let mut arguments = vec!["compare", &names[0], &names[1], "--trust"];
        let trust = path(&self.trust);
        arguments.extend([trust.as_str(), "--evidence", &names[2]]);
        arguments.extend(more);
        (run(&arguments), evidence)
    }
}

#[test]
fn compare_tells_one_history_from_two() {
    let (chain, _) = chain();
    let notes = Notes::new(&chain);
    let [old, new] = [&chain.blocks()[2], &chain.blocks()[4]];
    assert_eq!(code(&notes.compare(&new.checkpoint, &new.checkpoint, &[]).0), 0);
    assert_eq!(code(&notes.compare(&old.checkpoint, &new.checkpoint, &[]).0), 2, "no proof at hand");

    let validators = chain.validators_at(Height::new(4));
    let forged = chain.checkpoint_over(new.log_size, Hash::ZERO, &validators[1..], chain.now().seconds());
    let (fork, evidence) = notes.compare(&new.checkpoint, &forged, &[]);
    assert_eq!(code(&fork), 1);
    assert!(text(&fork).contains("FORK") && text(&fork).contains("Signed both: v2"), "{}", text(&fork));
    let again = run(&["compare", evidence.to_str().unwrap(), "--trust", &path(&notes.trust), "--json"]);
    assert_eq!(code(&again), 1);
    let report: serde_json::Value = serde_json::from_str(&text(&again)).unwrap();
    assert_eq!((&report["relation"], report["signed_both"].as_array().unwrap().len()), (&"fork".into(), 2));
    let two_of_four = chain.checkpoint_over(new.log_size, Hash::ZERO, &validators[..2], 1);
    // Nobody need believe that note; but two of its signers have signed the other one, too.
    let (twice, evidence) = notes.compare(&new.checkpoint, &two_of_four, &[]);
    let said = text(&twice);
    assert!(code(&twice) == 1 && said.contains("DOUBLE-SIGNED") && said.contains("Signed both: v1, v2"), "{said}");
    let again = run(&["compare", evidence.to_str().unwrap(), "--trust", &path(&notes.trust), "--json"]);
    let report: serde_json::Value = serde_json::from_str(&text(&again)).unwrap();
    assert_eq!((code(&again), &report["relation"]), (1, &"double_signed".into()));
    let alone = chain.checkpoint_over(new.log_size, Hash::ZERO, &validators[..1], 1);
    let by_another = chain.checkpoint_note(new.log_size, &validators[1..2], 1);
    assert_eq!(code(&notes.compare(&alone, &by_another, &[]).0), 64, "nobody signed both");
    let of_another_size = chain.checkpoint_over(new.log_size - 1, Hash::ZERO, &validators[..2], 1);
    assert_eq!(code(&notes.compare(&new.checkpoint, &of_another_size, &[]).0), 64, "that note says nothing");

    let forged_old = chain.checkpoint_over(old.log_size, Hash::ZERO, &validators[..3], 1);
    let (old, new) = (old.checkpoint.clone(), new.checkpoint.clone());
    let (address, _chain) = FakeNode::start(chain);
    let node = format!("http://{address}");
    let (proved, _) = notes.compare(&new, &old, &["--node", &node]);
    assert_eq!(code(&proved), 0, "{}", text(&proved));
    assert!(text(&proved).starts_with("CONSISTENT"));
    // The node has its own checkpoint of the older size: two roots under a quorum.
    let (fork, _) = notes.compare(&forged_old, &new, &["--node", &node]);
    assert_eq!(code(&fork), 1, "{}", text(&fork));
    let (unreachable, _) = notes.compare(&old, &new, &["--node", "http://127.0.0.1:1"]);
    assert_eq!(code(&unreachable), 2);
}

fn errors(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A receipt under new validators, and the trust file from before they came.
fn handed_over() -> (TestChain, Vec<u8>, TrustFile) {
    let (mut chain, _) = chain();
    let before = chain.trust().clone();
    chain.rotate_validators((31..=34).map(TestValidator::new).collect());
    let receipt = chain.issue("S02");
    chain.add_block(std::slice::from_ref(&receipt));
    let bundle = chain.bundle(&receipt).encode();
    (chain, bundle, before)
}

#[test]
fn trust_update_follows_a_change_of_validators() {
    let (chain, bundle, before) = handed_over();
    let at = chain.now().get().to_string();
    let expected = chain.trust().to_text();
    let blocks = served(&chain);
    let old = TestFile::new("trust", before.to_text());
    let ledger = TestFile::new("ledger", export(&chain, &blocks));
    let bundle = TestFile::new("new.tally", bundle);
    let verify = |trust: &TestFile| code(&run(&["verify", &path(&bundle), "--trust", &path(trust), "--at", &at]));
    assert_eq!(verify(&old), 4, "the old trust file knows no such validators");

    let updated = run(&["trust", "update", &path(&old), "--export", &path(&ledger)]);
    assert_eq!((code(&updated), text(&updated)), (0, expected.clone()), "{}", errors(&updated));
    assert!(errors(&updated).contains("new: 1 validator set, 0 sets of authorities;"), "{}", errors(&updated));
    let new = TestFile::new("trust", text(&updated));
    assert_eq!(verify(&new), 0);
    let again = run(&["trust", "update", &path(&new), "--export", &path(&ledger)]);
    assert_eq!((code(&again), text(&again)), (0, expected.clone()));
    assert!(errors(&again).contains("new: 0 validator sets, 0 sets of authorities;"), "{}", errors(&again));

    // New validators whom the old ones did not cosign are not taken over, and nothing is printed.
    let handover = blocks.iter().position(|block| block.height == chain.height().get() - 1).unwrap();
    let mut unsigned = blocks.clone();
    unsigned[handover].checkpoint = String::new();
    let forged = TestFile::new("ledger", export(&chain, &unsigned));
    let refused = run(&["trust", "update", &path(&old), "--export", &path(&forged)]);
    assert_eq!((code(&refused), text(&refused)), (1, String::new()), "{}", errors(&refused));
    let mut changed = blocks;
    let mut entry = changed[1].entries[0].to_vec();
    entry[20] ^= 1;
    changed[1].entries[0] = entry.into();
    let changed = TestFile::new("ledger", export(&chain, &changed));
    assert_eq!(code(&run(&["trust", "update", &path(&old), "--export", &path(&changed)])), 1);
    let foreign = TestFile::new("trust", TestChain::named("otherchain").trust().to_text());
    assert_eq!(code(&run(&["trust", "update", &path(&foreign), "--export", &path(&ledger)])), 4);
    assert_eq!(code(&run(&["trust", "update", &path(&old), "--export", "/nowhere/at.all"])), 66);

    let (address, _chain) = FakeNode::start(chain);
    let online = run(&["trust", "update", &path(&old), "--node", &format!("http://{address}")]);
    assert_eq!((code(&online), text(&online)), (0, expected), "{}", errors(&online));
}

#[test]
fn trust_update_follows_a_change_of_authorities() {
    let (mut chain, _) = chain();
    let before = chain.trust().clone();
    chain.replace_authorities(&["authority-0", "authority-7", "authority-8"]);
    let receipt = chain.issue("S02");
    chain.add_block(std::slice::from_ref(&receipt));
    let at = chain.now().get().to_string();
    let expected = chain.trust().to_text();
    let blocks = served(&chain);
    let old = TestFile::new("trust", before.to_text());
    let ledger = TestFile::new("ledger", export(&chain, &blocks));
    let bundle = TestFile::new("new.tally", chain.bundle(&receipt).encode());
    let verify = |trust: &TestFile| run(&["verify", &path(&bundle), "--trust", &path(trust), "--at", &at]);
    let unjudged = verify(&old);
    assert_eq!(code(&unjudged), 4, "{}", text(&unjudged));
    for words in ["CANNOT BE JUDGED HERE", "Too few authorities of the trust file", "Bring the trust file up to date"] {
        assert!(text(&unjudged).contains(words), "{}", text(&unjudged));
    }
    let updated = run(&["trust", "update", &path(&old), "--export", &path(&ledger)]);
    assert_eq!((code(&updated), text(&updated)), (0, expected), "{}", errors(&updated));
    assert!(errors(&updated).contains("new: 0 validator sets, 1 set of authorities;"), "{}", errors(&updated));
    let new = TestFile::new("trust", text(&updated));
    assert_eq!(code(&verify(&new)), 0);
    let again = run(&["trust", "update", &path(&new), "--export", &path(&ledger)]);
    assert!(errors(&again).contains("0 sets of authorities;"), "{}", errors(&again));
    let shown = run(&["trust", "show", &path(&new)]);
    assert_eq!(text(&shown).matches("2 of 3 must sign").count(), 2, "{}", text(&shown));

    // Without a checkpoint over the entry nothing is taken over.
    let mut unsealed = blocks;
    for block in unsealed.iter_mut().rev().take(2) {
        block.checkpoint = String::new();
    }
    let unsealed = TestFile::new("ledger", export(&chain, &unsealed));
    let kept = run(&["trust", "update", &path(&old), "--export", &path(&unsealed)]);
    assert_eq!((code(&kept), text(&kept)), (0, before.to_text()), "{}", errors(&kept));
}

/// Whoever has the validators' keys has all cosignatures, and still puts in no authorities.
#[test]
fn trust_update_takes_no_authorities_for_whom_the_authorities_have_not_signed() {
    let (mut chain, _) = chain();
    let trust = TestFile::new("trust", chain.trust().to_text());
    let blocks = served(&chain);
    let thief = receipt_core::testkit::software_key("thief");
    let set = AuthoritySet { keys: vec![thief.public_key()], threshold: 1 };
    // What those in force have signed, without the new one; its content, signed by nobody, and by the new one alone.
    let by_the_old = chain.governance(vec![Action::SetAuthorities(set)]);
    let id = chain.genesis().chain_id();
    let by_nobody = SignedGovernance::sign(by_the_old.governance.clone(), id, &[]);
    let by_the_new = SignedGovernance::sign(by_the_old.governance.clone(), id, &[&thief]);
    for (forged, problem) in [
        (by_the_old, "not signed by every new authority"),
        (by_nobody, "not signed by enough authorities"),
        (by_the_new, "not signed by enough authorities"),
    ] {
        let entry = Entry::Governance(forged).encode();
        let mut frontier = Frontier::new(chain.trust().suite());
        for bytes in blocks.iter().flat_map(|block| &block.entries).map(|bytes| &bytes[..]).chain([&entry[..]]) {
            frontier.append(bytes, |_, _| ()).unwrap();
        }
        let (size, time) = (frontier.size().get(), chain.now().seconds());
        let height = blocks.last().unwrap().height + 1;
        let checkpoint = chain.checkpoint_over(size, frontier.root(), chain.validators_at(chain.height()), time);
        let block = LedgerBlock { height, entries: vec![entry.into()], checkpoint, ..blocks.last().unwrap().clone() };
        let ledger = TestFile::new("ledger", export(&chain, &[blocks.clone(), vec![block]].concat()));
        let refused = run(&["trust", "update", &path(&trust), "--export", &path(&ledger)]);
        assert_eq!((code(&refused), text(&refused)), (1, String::new()), "{}", errors(&refused));
        assert!(errors(&refused).contains(problem), "{}", errors(&refused));
    }
}

/// The file knows a set that the log has not, or lacks one that it has: one of the two is wrong, and nothing is printed.
#[test]
fn trust_update_refuses_a_file_that_does_not_fit_the_log() {
    let (mut chain, _) = chain();
    let before = chain.trust().clone();
    chain.replace_authorities(&["authority-0", "authority-7", "authority-8"]);
    chain.rotate_validators((31..=34).map(TestValidator::new).collect());
    chain.add_block(&[]);
    let (right, blocks) = (chain.trust(), served(&chain));
    let ledger = TestFile::new("ledger", export(&chain, &blocks));
    let by = right.authority_sets()[1].first_leaf.get() - 1;
    let (end, set) = (right.sets()[0].end.unwrap(), validator_set(31..=34));
    let ends = |last_size| SetEnd { last_size: TreeSize::new(last_size), ..end };
    let others = AuthoritySet { threshold: 1, ..right.authorities().clone() };
    let authorities =
        |leaf: u64, set: &AuthoritySet| before.with_next_authorities(LeafIndex::new(leaf), set).unwrap().unwrap();
    let validators = |end: SetEnd, set: &ValidatorSet| before.with_next_set(end, set).unwrap();
    let size = end.last_size.get();
    // The first validator's log key in the place of the first one of the next set.
    let whole = right.to_text();
    let keys: Vec<&str> = whole.lines().filter(|line| line.starts_with("log ")).collect();
    let other_keys = whole.replace(keys[4], keys[0]);
    let of_authorities = |leaf: u64| format!("authorities from leaf {} on", leaf + 1);
    let of_validators = |size: u64| format!("validators from tree size {} on", size + 1);
    for (what, file, named) in [
        ("authorities that the log has not", authorities(by - 2, &others).to_text(), of_authorities(by - 2)),
        ("others", authorities(by, &others).to_text(), of_authorities(by)),
        ("later ones alone", authorities(by + 3, &others).to_text(), of_authorities(by)),
        ("validators that the log has not", validators(ends(by), &set).to_text(), of_validators(by)),
        ("others", validators(end, &validator_set(2..=5)).to_text(), of_validators(size)),
        ("another end", validators(SetEnd { until: PosixSeconds::new(1), ..end }, &set).to_text(), of_validators(size)),
        ("later ones alone", validators(ends(size + 1), &set).to_text(), of_validators(size)),
        ("another key under the right hash", other_keys, of_validators(size)),
    ] {
        let file = TestFile::new("trust", file);
        let refused = run(&["trust", "update", &path(&file), "--export", &path(&ledger)]);
        assert_eq!((code(&refused), text(&refused)), (1, String::new()), "{what}: {}", errors(&refused));
        for words in [&named[..], "Either the trust file or this log is wrong", "ask another node"] {
            assert!(errors(&refused).contains(words), "{what}: {}", errors(&refused));
        }
    }
    let file = TestFile::new("trust", right.to_text());
    let kept = run(&["trust", "update", &path(&file), "--export", &path(&ledger)]);
    assert_eq!((code(&kept), text(&kept)), (0, right.to_text()), "{}", errors(&kept));
    assert!(!errors(&kept).contains("warning"), "{}", errors(&kept));
}

fn validator_set(ids: std::ops::RangeInclusive<u32>) -> ValidatorSet {
    ValidatorSet::new(ids.map(|id| TestValidator::new(id).public()).collect()).unwrap()
}

/// The source lags behind the file: nothing is wrong, and what was compared with nothing is named.
#[test]
fn trust_update_warns_of_a_source_that_is_behind_the_file() {
    let (mut chain, _) = chain();
    let (blocks, size) = (served(&chain), chain.log().size());
    chain.replace_authorities(&["authority-0", "authority-7", "authority-8"]);
    chain.rotate_validators((31..=34).map(TestValidator::new).collect());
    let ahead = chain.trust();
    let file = TestFile::new("trust", ahead.to_text());
    let ledger = TestFile::new("ledger", export(&chain, &blocks));
    let kept = run(&["trust", "update", &path(&file), "--export", &path(&ledger)]);
    assert_eq!((code(&kept), text(&kept)), (0, ahead.to_text()), "{}", errors(&kept));
    let warnings: Vec<String> =
        errors(&kept).lines().filter(|line| line.starts_with("warning: ")).map(str::to_owned).collect();
    let (first_leaf, end) = (ahead.authority_sets()[1].first_leaf, ahead.sets()[0].end.unwrap().last_size.get());
    for (warning, known) in warnings
        .iter()
        .zip([format!("authorities from leaf {first_leaf} on"), format!("validators from tree size {} on", end + 1)])
    {
        assert!(
            warning.contains(&known) && warning.contains(&format!("up to tree size {size} only: it lags")),
            "{warning}"
        );
    }
    assert_eq!(warnings.len(), 2, "{}", errors(&kept));
}

#[test]
fn trust_update_walks_several_changes_in_one_block() {
    let (mut chain, _) = chain();
    let before = chain.trust().clone();
    let successions: [&[&str]; 2] =
        [&["authority-0", "authority-7", "authority-8"], &["authority-7", "authority-8", "authority-9"]];
    chain.replace_all(&successions, (31..=34).map(TestValidator::new).collect());
    let receipt = chain.issue("S02");
    chain.add_block(std::slice::from_ref(&receipt));
    let ledger = TestFile::new("ledger", export(&chain, &served(&chain)));
    let second = &chain.trust().authority_sets()[1];
    let by = LeafIndex::new(second.first_leaf.get() - 1);
    let between = before.with_next_authorities(by, &second.set).unwrap().unwrap();
    // From genesis on, and from a file that stopped between the two.
    for (old, new) in [(before, "2 sets"), (between, "1 set")] {
        let old = TestFile::new("trust", old.to_text());
        let updated = run(&["trust", "update", &path(&old), "--export", &path(&ledger)]);
        assert_eq!((code(&updated), text(&updated)), (0, chain.trust().to_text()), "{}", errors(&updated));
        assert!(
            errors(&updated).contains(&format!("new: 1 validator set, {new} of authorities;")),
            "{}",
            errors(&updated)
        );
    }
}

#[test]
fn a_node_that_is_behind_proves_nothing_and_accuses_nobody() {
    let (mut longer, _) = chain();
    longer.add_block(&[]);
    let notes = Notes::new(&longer);
    let [old, new] = [2, 5].map(|height: usize| longer.blocks()[height].checkpoint.clone());
    let (behind, _) = chain();
    assert_eq!(behind.blocks()[4].checkpoint, longer.blocks()[4].checkpoint, "the same history, one block shorter");
    let (address, _behind) = FakeNode::start(behind);
    let (output, evidence) = notes.compare(&old, &new, &["--node", &format!("http://{address}")]);
    assert_eq!(code(&output), 2, "{}", text(&output));
    assert!(text(&output).starts_with("UNPROVEN") && !evidence.exists(), "{}", text(&output));
    let (address, _longer) = FakeNode::start(longer);
    let (output, evidence) = notes.compare(&old, &new, &["--node", &format!("http://{address}")]);
    assert_eq!(code(&output), 0, "{}", text(&output));
    assert!(text(&output).starts_with("CONSISTENT") && !evidence.exists(), "{}", text(&output));
}

#[test]
fn evidence_convinces_a_second_run_and_only_while_it_is_whole() {
    let (chain, _, _) = handed_over();
    let notes = Notes::new(&chain);
    let new = chain.blocks().last().unwrap();
    // Under the set that came later: whoever checks needs the updated trust file.
    let validators = chain.validators_at(chain.height());
    let forged = chain.checkpoint_over(new.log_size, Hash([7; 32]), &validators[1..], chain.now().seconds());
    // Three of four are needed; the fork's two quorums share two.
    let whole =
        chain.checkpoint_over(new.log_size, chain.log().root(new.log_size), &validators[..3], chain.now().seconds());
    let (fork, evidence) = notes.compare(&whole, &forged, &["--json"]);
    assert_eq!(code(&fork), 1, "{}", errors(&fork));
    let report: serde_json::Value = serde_json::from_str(&text(&fork)).unwrap();
    assert_eq!(report["signed_both"].as_array().unwrap().len(), 2);
    let trust = path(&notes.trust);
    let again = run(&["compare", evidence.to_str().unwrap(), "--trust", &trust, "--json"]);
    assert_eq!((code(&again), text(&again)), (1, text(&fork)), "the same verdict from the file alone");
    let old = TestFile::new("trust", TrustFile::from_genesis(chain.genesis()).unwrap().to_text());
    assert_eq!(code(&run(&["compare", evidence.to_str().unwrap(), "--trust", &path(&old)])), 4, "later validators");
    let mut bytes = std::fs::read(&evidence).unwrap();
    let last = bytes.len() - 10;
    bytes[last] ^= 1;
    let torn = TestFile::new("evidence", &bytes);
    assert_eq!(code(&run(&["compare", &path(&torn), "--trust", &trust])), 64, "no evidence against anybody");
}
