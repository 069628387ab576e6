//! Audits with the issuers' contents: every line against its record, and what the lines leave open.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has to fail")]

mod common;

use common::{Extra, PLAIN, TestFile, audit_blocks, bodies, chain, export, served};
use prost::Message;
use receipt_core::block::Item;
use receipt_core::bundle::{Absence, BodyLine};
use receipt_core::governance::{Action, RegisterUnit};
use receipt_core::ids::Fen;
use receipt_core::state::StateRead;
use receipt_core::state::tables::{Table, UnitState};
use receipt_core::testkit::{TestChain, TestReceipt};
use receipt_core::verdict::{Failure, verify_bundle};
use tallystick_service::rng::SeededEntropy;
use tallystick_verifier::audit::{AuditOptions, AuditResult, audit};
use tallystick_verifier::progress::Silent;
use tallystick_verifier::source::Source;

#[test]
fn contents_are_checked_against_their_records() {
    let (mut chain, mut receipts) = chain();
    let mut draft = chain.draft("S01");
    draft.items[0].amount = Fen::new(draft.items[0].amount.get() + 100);
    let clean = TestFile::new("bodies", bodies(&receipts));
    let report = audit_blocks(&chain, &served(&chain), Extra { bodies: Some(&clean), ..PLAIN });
    assert_eq!(report.result, AuditResult::Clean, "{}", report.to_text());
    assert_eq!(report.bodies.unwrap().good, 7);

    let broken = chain.issue_draft(draft, Vec::new());
    chain.add_block(std::slice::from_ref(&broken));
    let missing = TestFile::new("bodies", bodies(&receipts));
    let report = audit_blocks(&chain, &served(&chain), Extra { bodies: Some(&missing), ..PLAIN });
    assert_eq!(report.result, AuditResult::Incomplete, "nothing is wrong, but not everything was seen");
    assert!(report.to_text().contains("Content of 1 receipts: no line was given"), "{}", report.to_text());
    assert_eq!(report.bodies.unwrap().missing, 1);

    let mut changed = receipts[1].clone();
    changed.receipt.draft.remark = "changed".to_owned();
    let never = chain.issue("S02");
    receipts.extend([broken, changed, never, receipts[2].clone()]);
    let mut lines = bodies(&receipts);
    lines.extend_from_slice(b"junk\n");
    let file = TestFile::new("bodies", lines);
    let report = audit_blocks(&chain, &served(&chain), Extra { bodies: Some(&file), ..PLAIN });
    let found = report.bodies.unwrap();
    assert_eq!((found.good, found.missing, found.mismatches, found.repeated), (7, 0, 3, 1), "{found:?}");
    assert_eq!(found.broken_rules.get("V08"), Some(&1), "{found:?}");
}

#[test]
fn erased_contents_are_named_and_several_files_are_one() {
    let (chain, receipts) = chain();
    let first = TestFile::new("first", bodies(&receipts[..3]));
    let mut lines = bodies(&receipts[3..6]);
    let erased = BodyLine { record: receipts[6].record.clone(), content: Err(Absence::Erased) };
    lines.extend(erased.encode());
    let second = TestFile::new("second", lines);
    let ledger = TestFile::new("ledger.export", export(&chain, &served(&chain)));
    let options = AuditOptions {
        threads: 1,
        bodies: vec![first.path(), second.path()],
        left_out: Vec::new(),
        trust: None,
        registry_at: None,
        entropy: &SeededEntropy::new(1),
    };
    let report = audit(chain.genesis(), &Source::Export(ledger.path()), &options, &mut Silent).unwrap();
    let text = report.to_text();
    assert_eq!(report.result, AuditResult::Incomplete, "nobody saw what was erased: {text}");
    let found = report.bodies.unwrap();
    assert_eq!((found.good, found.erased, found.missing), (6, 1, 0), "{found:?}");
    assert!(text.contains(&format!("ERASED         {}", found.erased_receipts[0])), "{text}");
    assert!(text.contains("Content of 1 receipts: their issuer says that it was erased"), "{text}");
    // A stranger's record is no erased receipt of this ledger.
    let stranger = BodyLine { record: TestChain::named("other").issue("S01").record, content: Err(Absence::Erased) };
    let file = TestFile::new("bodies", [bodies(&receipts), stranger.encode()].concat());
    let report = audit_blocks(&chain, &served(&chain), Extra { bodies: Some(&file), ..PLAIN });
    assert_eq!((report.result, report.bodies.unwrap().mismatches), (AuditResult::Refuted, 1));
}

#[test]
fn lost_and_never_held_contents_are_not_called_erased() {
    let (chain, receipts) = chain();
    let absent = [Absence::Erased, Absence::Lost, Absence::NeverHeld];
    let line = |(receipt, absence): (&TestReceipt, Absence)| {
        let mut line = BodyLine { record: receipt.record.clone(), content: Err(absence) }.encode();
        line.push(b'\n');
        line
    };
    let words: Vec<u8> = receipts[..3].iter().zip(absent).flat_map(line).collect();
    let file = TestFile::new("bodies", [words, bodies(&receipts[3..])].concat());
    let report = audit_blocks(&chain, &served(&chain), Extra { bodies: Some(&file), ..PLAIN });
    let text = report.to_text();
    assert_eq!(report.result, AuditResult::Incomplete, "{text}");
    assert!(text.contains("4 good, 1 erased, 1 lost, 1 never held, 0 missing"), "{text}");
    let [erased, lost, _] = [0, 1, 2].map(|index: usize| receipts[index].signed.record.key.to_string());
    assert!(text.contains(&format!("ERASED         {erased}\n")), "{text}");
    assert!(text.contains(&format!("LOST           {lost}\n")), "{text}");
    assert!(text.contains("says that it is lost") && text.contains("never given it back"), "{text}");
}

#[test]
fn a_body_file_without_lines_does_not_fill_the_memory() {
    let (chain, receipts) = chain();
    let mut bytes = vec![b'x'; 20 << 20];
    bytes.push(b'\n');
    bytes.extend(bodies(&receipts));
    let file = TestFile::new("bodies", bytes);
    let report = audit_blocks(&chain, &served(&chain), Extra { bodies: Some(&file), ..PLAIN });
    let found = report.bodies.unwrap();
    assert_eq!((found.good, found.mismatches), (7, 1), "{found:?}");
}

#[test]
fn the_word_erased_hides_no_content_that_is_there() {
    let (mut chain, mut receipts) = chain();
    let mut draft = chain.draft("S01");
    draft.items[0].amount = Fen::new(draft.items[0].amount.get() + 100);
    let broken = chain.issue_draft(draft, Vec::new());
    chain.add_block(std::slice::from_ref(&broken));
    receipts.push(broken);
    let erased = |receipt: &TestReceipt| {
        let mut line = BodyLine { record: receipt.record.clone(), content: Err(Absence::Erased) }.encode();
        line.push(b'\n');
        line
    };
    let words: Vec<u8> = receipts.iter().flat_map(erased).collect();

    let file = TestFile::new("bodies", &words);
    let report = audit_blocks(&chain, &served(&chain), Extra { bodies: Some(&file), ..PLAIN });
    assert_eq!(report.result, AuditResult::Incomplete, "nothing was checked: {}", report.to_text());
    assert_eq!(report.bodies.unwrap().erased, 8);

    // Before or after the word, a content is judged, and no receipt counts twice.
    for lines in [[words.clone(), bodies(&receipts)].concat(), [bodies(&receipts), words].concat()] {
        let file = TestFile::new("bodies", lines);
        let report = audit_blocks(&chain, &served(&chain), Extra { bodies: Some(&file), ..PLAIN });
        assert_eq!(report.result, AuditResult::Refuted, "{}", report.to_text());
        let found = report.bodies.unwrap();
        assert_eq!((found.good, found.erased, found.missing, found.repeated), (7, 0, 0, 8), "{found:?}");
        assert_eq!(found.broken_rules.get("V08"), Some(&1), "{found:?}");
        assert!(found.erased_receipts.is_empty(), "{found:?}");
    }
}

/// The receipt as its unit signs it, with this name on it.
fn named(chain: &mut TestChain, unit_name: &str) -> TestReceipt {
    let TestReceipt { mut receipt, signed, .. } = chain.issue("S02");
    unit_name.clone_into(&mut receipt.issued.unit_name);
    chain.sign(receipt, signed.record.uniqueness_keys)
}

#[test]
fn a_content_with_a_name_or_area_that_its_unit_never_had_is_found() {
    let (mut chain, mut receipts) = chain();
    let unit = receipts[1].signed.record.unit.get();
    let registered = StateRead::get(chain.state(), Table::Units, &unit.to_be_bytes()).unwrap().unwrap();
    let registered = UnitState::decode(registered.as_slice()).unwrap().unit;

    // Old names stay good for old receipts, new ones for new.
    let renamed = RegisterUnit { name: "改名后的医院".to_owned(), ..registered };
    let governance = chain.governance(vec![Action::RegisterUnit(renamed.clone())]);
    chain.add_items(vec![Item::Governance(governance)]).unwrap();
    let new = named(&mut chain, &renamed.name);
    chain.add_block(std::slice::from_ref(&new));
    receipts.push(new);
    let file = TestFile::new("bodies", bodies(&receipts));
    let report = audit_blocks(&chain, &served(&chain), Extra { bodies: Some(&file), ..PLAIN });
    assert_eq!(report.result, AuditResult::Clean, "{}", report.to_text());
    assert_eq!(report.bodies.unwrap().good, 8);

    let foreign = named(&mut chain, "别处的医院");
    let TestReceipt { mut receipt, signed, .. } = chain.issue("S02");
    "990399".clone_into(&mut receipt.draft.supervisor_area_code);
    let elsewhere = chain.sign(receipt, signed.record.uniqueness_keys);
    let trust = chain.trust().clone();
    for odd in [foreign, elsewhere] {
        chain.add_block(std::slice::from_ref(&odd));
        let verdict = verify_bundle(&chain.bundle(&odd).encode(), &trust, chain.now());
        assert_eq!(verdict.failure().map(Failure::code), Some("BODY_UNIT"), "verify says the same");
        receipts.push(odd);
    }
    let file = TestFile::new("bodies", bodies(&receipts));
    let report = audit_blocks(&chain, &served(&chain), Extra { bodies: Some(&file), ..PLAIN });
    assert_eq!(report.result, AuditResult::Refuted, "{}", report.to_text());
    let found = report.bodies.unwrap();
    assert_eq!((found.good, found.mismatches), (8, 2), "{found:?}");
    assert!(found.problems.iter().all(|problem| problem.contains("was never registered with")), "{found:?}");
}
