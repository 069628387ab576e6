//! Receipts left out: docs/how-to/report-left-out.md as it stands, what is not reported, and what an audit says of each report.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has to fail")]

mod common;
#[path = "common/schema.rs"]
mod schema;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use common::{chain, chain_named, export, served};
use receipt_core::answer::Answer;
use receipt_core::block::Item;
use receipt_core::bundle::{Bundle, LeftOut};
use receipt_core::code::{self, Host};
use receipt_core::directory::DirectoryFile;
use receipt_core::hash::Hash;
use receipt_core::ids::{Height, ReceiptNumber, UnixMillis};
use receipt_core::note::{SignedNote, TlogProof};
use receipt_core::record::{ReceiptRecord, SignedRecord};
use receipt_core::testkit::{TestChain, TestReceipt, TestValidator, unit_key};
use receipt_core::verdict::verify_left_out;
use serde_json::Value;

/// A desk with a ledger that has some receipts, and one that it does not have.
struct Desk {
    directory: scratch::Directory,
    chain: TestChain,
    receipts: Vec<TestReceipt>,
    missing: TestReceipt,
    /// An hour after the promised time.
    at: UnixMillis,
}

impl Desk {
    fn new() -> Self {
        let (mut chain, receipts) = chain();
        let missing = chain.issue("S02");
        let at = missing.signed.record.seal_by.plus_millis(3_600_000);
        let desk = Self { directory: scratch::Directory::new(), chain, receipts, missing, at };
        let signed = desk.chain.sign_directory(desk.chain.directory());
        desk.write("trust.txt", desk.chain.trust().to_text());
        desk.write("genesis.bin", desk.chain.genesis().encode());
        desk.write("units.bin", DirectoryFile { signed, deltas: Vec::new() }.encode());
        desk.write("code.txt", code::text(&Host::new("TALLY.EXAMPLE").unwrap(), &desk.missing.record));
        desk.write("answer.json", desk.absent(desk.seal_by() + 1).encode());
        desk.write("ledger", export(&desk.chain, &served(&desk.chain)));
        desk
    }

    fn seal_by(&self) -> u64 {
        self.missing.signed.record.seal_by.seconds()
    }

    /// "No such record", by everybody's checkpoint of the whole log.
    fn absent(&self, seconds: u64) -> Answer {
        Answer::Absent { checkpoint: self.note(seconds) }
    }

    fn note(&self, seconds: u64) -> String {
        let everybody = self.chain.validators_at(self.chain.height());
        self.chain.checkpoint_note(self.chain.log().size(), everybody, seconds)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), bytes).unwrap();
    }

    /// Runs a line of a shell on the desk.
    fn shell(&self, line: &str) -> (i32, String) {
        let programs = Path::new(env!("CARGO_BIN_EXE_tallystick-verifier")).parent().unwrap().to_owned();
        let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
        let mut shell = Command::new("sh");
        let Output { status, stdout, stderr } =
            shell.args(["-c", line]).current_dir(self.directory.path()).env("PATH", path).output().unwrap();
        (status.code().unwrap(), String::from_utf8([stdout, stderr].concat()).unwrap())
    }

    fn report(&self, arguments: &str) -> (i32, String) {
        let at = self.at.get();
        self.shell(&format!(
            "tallystick-verifier report-left-out {arguments} --directory units.bin --trust trust.txt --at {at}"
        ))
    }

    /// A report that somebody hands in, as the library makes it.
    fn hand_in(&self, name: &str, record: &[u8], checkpoint: &str) {
        let (chain, record) = (self.chain.trust().chain_id(), record.to_vec());
        self.write(name, LeftOut { chain, record, checkpoint: checkpoint.to_owned() }.encode());
    }

    fn audit(&self, files: &[&str], more: &str) -> (i32, String) {
        let files: Vec<String> = files.iter().map(|file| format!("--left-out {file}")).collect();
        self.shell(&format!(
            "tallystick-verifier audit --genesis genesis.bin --export ledger {} {more}",
            files.join(" ")
        ))
    }
}

/// The commands of the page, in order.
fn commands() -> Vec<&'static str> {
    let page = include_str!("../../docs/how-to/report-left-out.md");
    page.split("```\n").skip(1).step_by(2).map(str::trim).collect()
}

#[test]
fn the_page_works_as_it_stands() {
    let desk = Desk::new();
    let [report, verify] = commands()[..] else { panic!("two commands") };
    let at = format!("--at {}", desk.at.get());
    let (code, said) = desk.shell(&report.replace("--out", &format!("{at} --out")));
    assert_eq!(code, 0, "{said}");
    assert!(said.starts_with("left-out.tally: REPORTED AS LEFT OUT  "), "{said}");
    let (code, said) = desk.shell(&format!("{verify} {at}"));
    assert_eq!(code, 4, "{said}");
    assert!(said.starts_with("REPORTED AS LEFT OUT  ") && said.contains("Signature holds: yes"), "{said}");
    assert!(!said.contains(&desk.missing.receipt.draft.payer_name), "{said}");
    let zh = desk.shell(&format!("{verify} {at} --lang zh")).1;
    assert!(zh.starts_with("漏记报告  "), "{zh}");

    let bytes = std::fs::read(desk.path("left-out.tally")).unwrap();
    let units = desk.chain.trusted(desk.chain.directory());
    let library = verify_left_out(&bytes, &units, desk.chain.trust(), desk.at).to_json();
    let json = desk.shell(&format!("{verify} {at} --json")).1;
    assert!(json.trim_end().ends_with(&format!("\"verdict\":{library}}}")), "{json}");
    let schema = serde_json::from_str(include_str!("../../docs/spec/schemas/verify.schema.json")).unwrap();
    let mut found = Vec::new();
    schema::breaks(&schema, &serde_json::from_str(&json).unwrap(), "$", &mut found);
    assert_eq!(found, Vec::<String>::new());
    // Where receipts are judged it is none.
    let (code, said) = desk.shell(&format!("tallystick-verifier verify left-out.tally --trust trust.txt {at}"));
    assert!(code == 5 && said.contains("it is the report of a receipt left out"), "{code} {said}");
    // One changed byte.
    let mut changed = bytes.clone();
    changed[bytes.len() - 40] ^= 1;
    desk.write("changed.tally", changed);
    let (code, said) = desk.shell(&format!("{verify} {at}").replace("left-out.tally", "changed.tally"));
    assert_eq!(code, 1, "{said}");
}

#[test]
fn what_is_not_reported_has_its_exit_code_and_its_sentence() {
    let desk = Desk::new();
    let digits = code::digits(&desk.missing.record);
    let good = &desk.receipts[1];
    desk.write("good.tally", desk.chain.bundle(good).encode());
    desk.write("reversed.tally", desk.chain.bundle(&desk.receipts[0]).encode());
    // A bundle whose proofs are another receipt's proves nothing, and its record is still the unit's.
    let unproved = Bundle { record: desk.missing.record.clone(), ..desk.chain.bundle(good) };
    desk.write("unproved.tally", unproved.encode());
    let Bundle { batch, anchor, status, .. } = desk.chain.bundle(good);
    desk.write("taken.json", Answer::Taken { batch, anchor, status }.encode());
    desk.write("early.json", desk.absent(desk.seal_by()).encode());
    let mut forged = desk.missing.record.clone();
    *forged.last_mut().unwrap() ^= 1;
    let [forged, of_good] = [&forged, &good.record].map(|record| code::digits(record));
    for (arguments, exit, sentence) in [
        ("good.tally --answer answer.json --out x".to_owned(), 2, "IN FORCE"),
        ("reversed.tally --answer answer.json --out x".to_owned(), 2, "REVERSED"),
        (format!("--code {of_good} --answer taken.json --out x"), 2, "IN FORCE"),
        (format!("--code {digits} --answer early.json --out x"), 4, "NOT YET ANCHORED"),
        (format!("--code {digits} --answer taken.json --out x"), 4, "CANNOT BE JUDGED HERE"),
        (format!("--code {forged} --answer answer.json --out x"), 1, "FORGED SIGNATURE"),
        ("--code 12 --answer answer.json --out x".to_owned(), 5, "no receipt's"),
        ("trust.txt --answer answer.json --out x".to_owned(), 5, "trust.txt"),
        (format!("--code {digits} --answer trust.txt --out x"), 64, "trust.txt"),
        (format!("--code {digits} --out x"), 64, "--answer"),
        (format!("good.tally --code {digits} --answer answer.json --out x"), 64, "cannot be used with"),
        (format!("--code {digits} --answer absent.json --out x"), 66, "absent.json"),
        (format!("--code {digits} --answer answer.json --out trust.txt"), 66, "trust.txt"),
        (format!("--code {digits} --node http://127.0.0.1:9 --out x"), 66, "node"),
    ] {
        let (code, said) = desk.report(&arguments);
        assert!(code == exit && said.contains(sentence), "{arguments}: {code} {said}");
        assert!(!desk.path("x").exists(), "{arguments}");
    }
    for (name, bundle, exit, sentence) in not_judged_here(&desk) {
        desk.write("here.tally", bundle);
        let (code, said) = desk.report("here.tally --answer answer.json --out x");
        assert!(code == exit && said.contains(sentence), "{name}: {code} {said}");
        assert!(!desk.path("x").exists(), "{name}");
    }
    let (code, said) = desk.report("unproved.tally --answer answer.json --out x");
    assert_eq!(code, 0, "{said}");
    assert_eq!(LeftOut::decode(&std::fs::read(desk.path("x")).unwrap()).unwrap().record, desk.missing.record);
}

/// Bundles of receipts that are on a ledger, and that this desk cannot see to be.
fn not_judged_here(desk: &Desk) -> Vec<(&'static str, Vec<u8>, i32, &'static str)> {
    let (other, receipts) = chain_named("another");
    let good = desk.chain.bundle(&desk.receipts[1]);
    let later = String::from_utf8(good.encode()).unwrap().replacen("bundle/v1", "bundle/v2", 1);
    let strangers: Vec<TestValidator> = (91..=94).map(TestValidator::new).collect();
    let note = desk.chain.checkpoint_note(desk.chain.log().size(), &strangers, desk.seal_by());
    let checkpoint = SignedNote::parse(note.as_bytes()).unwrap();
    let proof = TlogProof::parse(good.anchor.as_bytes()).unwrap();
    let anchor = TlogProof { checkpoint, ..proof }.to_string();
    // Sealed six hours after this desk's clock.
    let (mut chain, _) = chain();
    let late = chain.issue("S02");
    chain.let_pass(30 * 3_600_000);
    chain.add_block(std::slice::from_ref(&late));
    vec![
        ("another chain", other.bundle(&receipts[1]).encode(), 4, "CANNOT BE JUDGED HERE"),
        ("a later format", later.into_bytes(), 4, "CANNOT BE JUDGED HERE"),
        ("later validators", Bundle { anchor, ..good }.encode(), 4, "CANNOT BE JUDGED HERE"),
        ("a slow clock", chain.bundle(&late).encode(), 1, "FUTURE"),
    ]
}

fn outcomes(report: &Value) -> Vec<(String, String)> {
    let rows = report["left_out"].as_array().unwrap().iter();
    rows.map(|row| [&row["outcome"], &row["checkpoint"]].map(|word| word.as_str().unwrap().to_owned()))
        .map(|[outcome, checkpoint]| (outcome, checkpoint))
        .collect()
}

/// A desk with reports of all that a ledger can have of a record; and the record that came late.
fn desk_with_reports() -> (Desk, TestReceipt) {
    let mut desk = Desk::new();
    let note = desk.note(desk.chain.now().seconds());
    // Refused, with one that is sent back; later taken, long after its time.
    let mut twin = desk.receipts[1].receipt.clone();
    "TWIN".clone_into(&mut twin.draft.biz_code);
    let twin = desk.chain.sign(twin, Vec::new());
    let late = desk.chain.issue("S05");
    let returned = desk.chain.issue("S02");
    let batch = desk.chain.batch(vec![twin.record.clone(), late.record.clone(), returned.record.clone()]);
    desk.chain.add_items(vec![Item::Batch(batch)]).unwrap();
    let mut stale = desk.receipts[1].receipt.clone();
    "STALE".clone_into(&mut stale.draft.biz_code);
    let stale = desk.chain.sign(stale, Vec::new());
    desk.chain.let_pass(25 * 3_600_000);
    let batch = desk.chain.batch(vec![stale.record.clone()]);
    desk.chain.add_items(vec![Item::Batch(batch)]).unwrap();
    desk.chain.add_block(std::slice::from_ref(&late));
    let waiting = desk.chain.issue("S02");
    desk.write("ledger", export(&desk.chain, &served(&desk.chain)));
    let newest = desk.note(desk.chain.now().seconds());
    let larger = {
        let everybody = desk.chain.validators_at(desk.chain.height());
        let root = receipt_core::hash::Hash::ZERO;
        desk.chain.checkpoint_over(desk.chain.log().size() + 7, root, everybody, desk.chain.now().seconds())
    };
    for (name, record, checkpoint) in [
        ("missing", &desk.missing.record, &newest),
        ("late", &late.record, &note),
        ("in-time", &desk.receipts[1].record, &larger),
        ("refused", &twin.record, &newest),
        ("waiting", &waiting.record, &String::new()),
        ("returned", &returned.record, &newest),
        ("stale", &stale.record, &newest),
    ] {
        desk.hand_in(name, record, checkpoint);
    }
    for (name, record) in signed_apart(&desk) {
        desk.hand_in(name, &record, &newest);
    }
    (desk, late)
}

/// Records that were never submitted, by name.
fn signed_apart(desk: &Desk) -> [(&'static str, Vec<u8>); 6] {
    // The same number twice, and a key that is nobody's.
    let mut second = desk.receipts[1].signed.record.clone();
    second.disclosure_count += 1;
    let (chain, unit) = (desk.chain.trust().chain_id(), second.unit.get());
    let sign = |record: &ReceiptRecord, by| SignedRecord::sign(record.clone(), chain, &unit_key(by)).encode();
    // Another receipt of the same business event, by the unit and by a stranger.
    let mut again = desk.missing.signed.record.clone();
    again.biz_key = desk.receipts[1].signed.record.biz_key;
    // Of after the last block, whatever was promised.
    let issue_time = desk.chain.now().plus_millis(601_000);
    let future = ReceiptRecord { seal_by: UnixMillis::new(1), issue_time, ..again.clone() };
    [
        ("twice", sign(&second, unit)),
        ("stranger", sign(&second, 4242)),
        ("junk", b"junk".to_vec()),
        ("replaced", sign(&again, unit)),
        ("stranger-again", sign(&again, 4242)),
        ("future", sign(&future, unit)),
    ]
}

#[test]
fn an_audit_says_of_each_report_what_the_ledger_has() {
    let (desk, late) = desk_with_reports();
    let (code, text) = desk.audit(&NAMES, "");
    assert_eq!(code, 2, "{text}");
    assert!(text.starts_with("INCOMPLETE  ") && text.contains("4 reported receipts are left out"), "{text}");
    assert!(text.contains("2 reported receipts were refused, and no other took their place"), "{text}");
    for line in [
        "LEFT OUT       missing: ",
        "LATE           late: ",
        "in time        in-time: ",
        "REFUSED        refused: ",
        "not due yet    waiting: ",
        "LEFT OUT       twice: ",
        "NOT SIGNED     stranger: ",
        "NOT SIGNED     junk: ",
        "ANOTHER record of this number is there",
        "is of a larger tree than was replayed",
        "none of this ledger's: no quorum signed it",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    let late_line = text.lines().find(|line| line.contains(" late: ")).unwrap();
    assert!(late_line.contains(" h ") && late_line.contains("later than promised by "), "{late_line}");

    assert_tells(&desk, &late);
    let (code, text) = desk.audit(&["stale"], "");
    assert!(code == 2 && text.starts_with("INCOMPLETE  "), "{text}");
    // Late and in time are no reservation.
    let (code, text) = desk.audit(&["late", "in-time"], "");
    assert!(code == 0 && text.starts_with("CLEAN  "), "{text}");
}

/// Refused in time: by the issuer's own fault, so that it is left out after all; and because the payment has its receipt.
#[test]
fn what_was_refused_in_time_and_not_replaced_is_owed() {
    let mut desk = Desk::new();
    let mut outside = desk.chain.issue("S02").receipt;
    outside.issued.receipt_number = ReceiptNumber::new(9_999_999_999).unwrap();
    let outside = desk.chain.sign(outside, Vec::new());
    let again = desk.chain.issue("S05").receipt;
    let payment = desk.receipts.iter().find(|receipt| !receipt.signed.record.uniqueness_keys.is_empty()).unwrap();
    let again = desk.chain.sign(again, payment.signed.record.uniqueness_keys.clone());
    for receipt in [&outside, &again] {
        let batch = desk.chain.batch(vec![receipt.record.clone()]);
        desk.chain.add_items(vec![Item::Batch(batch)]).unwrap();
    }
    desk.chain.wait_until(desk.at);
    desk.chain.add_block(&[]);
    desk.write("ledger", export(&desk.chain, &served(&desk.chain)));
    let note = desk.note(desk.chain.now().seconds());
    desk.hand_in("outside", &outside.record, &note);
    desk.hand_in("again", &again.record, &note);
    for (name, reason, is_owed) in [("outside", "NUMBER_NOT_OWNED", true), ("again", "PAYMENT_RECEIPTED", false)] {
        let (code, json) = desk.audit(&[name], "--json");
        let row = &serde_json::from_str::<Value>(&json).unwrap()["left_out"][0];
        assert_eq!((&row["outcome"], &row["reason"]), (&"REFUSED".into(), &reason.into()), "{row}");
        assert_eq!(
            (code, &row["owed"], row["late_ms"].is_null()),
            (if is_owed { 2 } else { 0 }, &is_owed.into(), true),
            "{row}"
        );
    }
}

#[test]
fn what_a_unit_has_beside_a_record_is_said_only_of_what_it_signed() {
    let (desk, _) = desk_with_reports();
    let (_, text) = desk.audit(&NAMES, "");
    let of_business = format!("; the ledger has {} of the same business event", desk.receipts[1].receipt.key());
    for (name, words) in [
        ("twice", "; ANOTHER record of this number is there"),
        ("refused", "; ANOTHER record of this number is there"),
        ("stale", "; ANOTHER record of this number is there"),
        ("replaced", of_business.as_str()),
        ("returned", "; a batch with it was refused for other records' sake"),
    ] {
        assert!(line_of(&text, name).contains(words), "{name}: {text}");
    }
    // A forged record accuses no unit.
    for name in ["stranger", "stranger-again"] {
        let line = line_of(&text, name);
        assert!(!line.contains("ANOTHER") && !line.contains("business event"), "{line}");
    }
}

fn line_of<'a>(text: &'a str, name: &str) -> &'a str {
    text.lines().find(|line| line.contains(&format!(" {name}: 99"))).unwrap()
}

/// The reports of the test above.
const NAMES: [&str; 13] = [
    "missing",
    "late",
    "in-time",
    "refused",
    "waiting",
    "twice",
    "stranger",
    "junk",
    "replaced",
    "stranger-again",
    "returned",
    "future",
    "stale",
];

/// The same for programs.
fn assert_tells(desk: &Desk, late: &TestReceipt) {
    let (code, json) = desk.audit(&NAMES, "--json");
    let report: Value = serde_json::from_str(&json).unwrap();
    let expected = [
        ("LEFT_OUT", "same"),
        ("LATE", "same"),
        ("ON_TIME", "beyond"),
        ("REFUSED", "same"),
        ("NOT_DUE", "unsigned"),
        ("LEFT_OUT", "same"),
        ("NOT_SIGNED", "same"),
        ("NOT_SIGNED", "same"),
        ("LEFT_OUT", "same"),
        ("NOT_SIGNED", "same"),
        ("LEFT_OUT", "same"),
        ("NOT_DUE", "same"),
        ("REFUSED", "same"),
    ];
    assert_eq!((code, outcomes(&report)), (2, expected.map(|(a, b)| (a.to_owned(), b.to_owned())).to_vec()));
    let schema = serde_json::from_str(include_str!("../../docs/spec/schemas/audit.schema.json")).unwrap();
    let mut found = Vec::new();
    schema::breaks(&schema, &report, "$", &mut found);
    assert_eq!(found, Vec::<String>::new());
    let rows = &report["left_out"];
    assert_eq!((&rows[3]["reason"], &rows[3]["height"]), (&"NUMBER_USED".into(), &5.into()), "{rows}");
    let used: Vec<&str> = NAMES
        .into_iter()
        .enumerate()
        .filter(|(at, _)| rows[*at]["number_used"] == true)
        .map(|(_, name)| name)
        .collect();
    assert_eq!(used, ["refused", "twice", "stale"]);
    let replaced: Vec<&str> = NAMES
        .into_iter()
        .enumerate()
        .filter(|(at, _)| !rows[*at]["replaced_by"].is_null())
        .map(|(_, name)| name)
        .collect();
    assert_eq!(
        (replaced, &rows[8]["replaced_by"]),
        (vec!["replaced", "future"], &desk.receipts[1].receipt.key().to_string().into())
    );
    assert!(rows[3]["late_ms"].is_null() && rows[12]["late_ms"].as_u64() > Some(3_000_000), "{rows}");
    let late_ms = rows[1]["late_ms"].as_u64().unwrap();
    assert_eq!(late_ms, rows[1]["time_ms"].as_u64().unwrap() - late.signed.record.seal_by.get());
}

/// What was reported as left out and comes after all is late, and the report still shows it.
#[test]
fn what_comes_after_all_is_late() {
    let mut desk = Desk::new();
    desk.chain.wait_until(desk.at);
    desk.chain.add_block(&[]);
    desk.write("ledger", export(&desk.chain, &served(&desk.chain)));
    desk.write("answer.json", desk.absent(desk.chain.now().seconds()).encode());
    desk.at = desk.chain.now();
    let digits = code::digits(&desk.missing.record);
    let (code, said) = desk.report(&format!("--code {digits} --answer answer.json --out left-out.tally"));
    assert_eq!(code, 0, "{said}");
    let (code, text) = desk.audit(&["left-out.tally"], "");
    assert!(code == 2 && text.contains("LEFT OUT       left-out.tally: "), "{text}");
    let missing = desk.missing.clone();
    desk.chain.add_block(std::slice::from_ref(&missing));
    desk.write("ledger", export(&desk.chain, &served(&desk.chain)));
    let (code, text) = desk.audit(&["left-out.tally"], "");
    assert!(code == 0 && text.contains("LATE           left-out.tally: "), "{text}");
}

/// What a block shows to be false says nothing of the reports, and of that they were handed in.
#[test]
fn of_a_ledger_that_does_not_hold_no_report_is_judged() {
    let desk = Desk::new();
    let everybody = desk.chain.validators_at(desk.chain.height());
    let size = desk.chain.blocks()[2].first_leaf;
    let fork = desk.chain.checkpoint_over(size, Hash([7; 32]), &everybody[..3], desk.seal_by() + 1);
    desk.hand_in("forked", &desk.missing.record, &fork);
    desk.hand_in("plain", &desk.missing.record, &desk.note(desk.chain.now().seconds()));
    // A trust file that is not the ledger's keeps none back.
    let marked = desk.chain.trust().to_text().replacen("\norigin ", "\ntest\norigin ", 1);
    desk.write("marked.txt", marked);
    let (code, text) = desk.audit(&["plain"], "--trust marked.txt");
    assert!(code == 1 && text.contains(": TRUST: ") && text.contains("not due yet    plain: "), "{text}");
    let mut blocks = served(&desk.chain);
    blocks[3].block_hash = vec![0; 32].into();
    desk.write("ledger", export(&desk.chain, &blocks));
    let (code, text) = desk.audit(&["forked", "plain"], "");
    assert!(code == 1 && text.contains("BLOCK_HASH") && text.contains("CHECKPOINT_ROOT"), "{text}");
    assert!(text.contains("not checked    2 reports of receipts left out"), "{text}");
    // Without reports there is nothing to say.
    assert!(!desk.audit(&[], "").1.contains("reports of receipts left out"));
}

/// A report under a key that was revoked says nothing of its unit.
#[test]
fn a_revoked_key_is_told_apart() {
    let mut desk = Desk::new();
    desk.chain.wait_until(desk.at);
    let record = &desk.missing.signed.record;
    let revocation = TestChain::revocation(record.signing_key.get(), record.issue_time.get());
    desk.chain.govern(vec![revocation]);
    desk.write("ledger", export(&desk.chain, &served(&desk.chain)));
    desk.hand_in("stolen", &desk.missing.record, &desk.note(desk.chain.now().seconds()));
    let (code, text) = desk.audit(&["stolen"], "");
    assert!(code == 0 && text.contains("KEY REVOKED    stolen: ") && text.contains("is revoked from"), "{text}");
}

/// Who was shown another history has a note of it, and that convinces an auditor; nobody else's note does.
#[test]
fn a_checkpoint_of_another_history_refutes_and_a_made_up_one_does_not() {
    let desk = Desk::new();
    let size = desk.chain.log().size();
    let everybody = desk.chain.validators_at(desk.chain.height());
    let other = |size, count: usize| {
        let root = receipt_core::hash::Hash([7; 32]);
        desk.chain.checkpoint_over(size, root, &everybody[..count], desk.seal_by() + 1)
    };
    for (name, note) in [("forked", other(size, 3)), ("inside", other(size - 1, 3))] {
        desk.hand_in(name, &desk.missing.record, &note);
        let (code, text) = desk.audit(&[name], "");
        assert!(code == 1 && text.starts_with("REFUTED  ") && text.contains("CHECKPOINT_ROOT"), "{name}: {text}");
        assert!(text.contains("of ANOTHER history"), "{name}: {text}");
        let report: Value = serde_json::from_str(&desk.audit(&[name], "--json").1).unwrap();
        assert_eq!(report["findings"][0]["evidence"], note.as_str(), "{name}");
    }
    desk.hand_in("made-up", &desk.missing.record, &other(size, 2));
    assert!(desk.audit(&["made-up"], "").1.contains("no quorum signed it"));
    assert_ne!(desk.audit(&["made-up"], "").0, 1);
    // Files that are none, or another chain's, are not taken.
    let (other_chain, _) = chain_named("another");
    let report = LeftOut { chain: other_chain.trust().chain_id(), record: Vec::new(), checkpoint: String::new() };
    desk.write("foreign", report.encode());
    for name in ["foreign", "trust.txt"] {
        let (code, said) = desk.audit(&[name], "");
        assert!(code == 64 && said.contains(name), "{name}: {said}");
    }
    assert_eq!(desk.audit(&["nowhere"], "").0, 66);
    assert_eq!(desk.chain.height(), Height::new(4));
}
