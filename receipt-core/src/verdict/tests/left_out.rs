//! Reports of receipts that were left out: what is made into one, and that no changed byte of it is taken.

use std::collections::BTreeSet;

use super::*;
use crate::answer::report_left_out;
use crate::block::Item;
use crate::bundle::LeftOut;
use crate::directory::{Directory, TrustedDirectory};
use crate::note::PosixSeconds;

/// A chain, a record that it does not have, and a time an hour after the promised one.
struct Scene {
    chain: TestChain,
    anchored: TestReceipt,
    missing: TestReceipt,
    at: UnixMillis,
}

impl Scene {
    fn new() -> Self {
        let (mut chain, anchored) = chain();
        let missing = chain.issue("S02");
        let at = missing.signed.record.seal_by.plus_millis(3_600_000);
        Self { chain, anchored, missing, at }
    }

    fn units(&self, change: impl FnOnce(&mut Directory)) -> TrustedDirectory {
        let mut units = self.chain.directory();
        change(&mut units);
        self.chain.trusted(units)
    }

    /// A checkpoint of the whole log with a line of every validator, as a node publishes it.
    fn note(&self, seconds: u64) -> String {
        let validators = self.chain.validators_at(self.chain.height());
        self.chain.checkpoint_note(self.chain.log().size(), validators, seconds)
    }

    fn late_note(&self) -> String {
        self.note(self.missing.signed.record.seal_by.seconds() + 1)
    }

    fn report(&self) -> LeftOut {
        let note = self.late_note();
        let units = self.units(|_| ());
        let ledger = LedgerAnswer::Absent { checkpoint: &note };
        let scan = Scan { record: &self.missing.record, directory: &units, ledger };
        report_left_out(&scan, self.chain.trust(), self.at).unwrap()
    }

    fn judge(&self, bytes: &[u8]) -> Verdict {
        verify_left_out(bytes, &self.units(|_| ()), self.chain.trust(), self.at)
    }

    /// The directory, the key of the record's unit being revoked.
    fn revoked(&self) -> TrustedDirectory {
        let unit = self.missing.signed.record.unit;
        self.units(|list| {
            let row = list.units.iter_mut().find(|row| row.unit() == unit).unwrap();
            row.keys[0].revoked_from_ms = self.at.get();
        })
    }
}

#[test]
fn a_report_proves_the_promise_and_the_time_and_says_what_it_does_not_prove() {
    let scene = Scene::new();
    let report = scene.report();
    let verdict = scene.judge(&report.encode());
    let seal_by = scene.missing.signed.record.seal_by;
    assert_eq!((verdict.finding(), &verdict.conclusion), (Finding::LeftOut, &Conclusion::LeftOut { seal_by }));
    assert_eq!(verdict.finding().result(), FindingResult::Signed);
    let Layers { genuine, anchored, in_force } = verdict.layers;
    assert_eq!([genuine, anchored, in_force], [LayerResult::Passed, LayerResult::Unknown, LayerResult::Unknown]);
    let as_of = PosixSeconds::new(seal_by.seconds() + 1);
    assert_eq!(verdict.as_of, Some(AsOf { time: as_of, source: DateSource::Checkpoint }));
    let (zh, en) = (verdict.to_text(Language::Zh), verdict.to_text(Language::En));
    assert!(zh.starts_with("漏记报告  ") && zh.contains("签名成立：是") && zh.contains("文件不能证明"), "{zh}");
    assert!(en.starts_with("REPORTED AS LEFT OUT  ") && en.contains("No file can prove"), "{en}");
    assert!(!en.contains("Genuine") && !en.contains("in force"), "{en}");
    let signed = verdict.signed.as_ref().unwrap();
    assert_eq!((signed.key, signed.seal_by), (scene.missing.receipt.key(), seal_by));
    let made: Vec<CheckId> = verdict.checks.iter().map(|check| check.id).collect();
    assert!(made.is_sorted() && made.ends_with(&[CheckId::SealByPassed, CheckId::LedgerAnswer]), "{made:?}");
    // Nothing of the content is in it, and of the note's lines those of a quorum.
    let draft = &scene.missing.receipt.draft;
    let text = String::from_utf8(report.encode()).unwrap();
    assert!(!text.contains(&draft.payer_name) && !text.contains(&draft.biz_code), "{text}");
    assert_eq!(SignedNote::parse(report.checkpoint.as_bytes()).unwrap().signatures().len(), 1 + 3);
    assert!(text.len() < 2_000, "{} bytes", text.len());
    // For whoever looks for a receipt it is none, and says what it is.
    let verdict = verify_bundle(text.as_bytes(), scene.chain.trust(), scene.at);
    assert_eq!(verdict.conclusion, Conclusion::NoReceipt { seems: FileSort::LeftOut });
}

#[test]
fn every_changed_byte_is_found() {
    let scene = Scene::new();
    let bytes = scene.report().encode();
    let mut found = BTreeSet::new();
    for position in 0..bytes.len() {
        for mask in [0x01, 0x02, 0x20, 0x80] {
            let mut changed = bytes.clone();
            changed[position] ^= mask;
            let verdict = scene.judge(&changed);
            assert_ne!(verdict.finding(), Finding::LeftOut, "byte {position} ^ {mask:#x}");
            found.insert(verdict.finding().code());
        }
        assert_ne!(scene.judge(&bytes[..position]).finding(), Finding::LeftOut);
    }
    let expected = ["DAMAGED", "FORGED", "OTHER_CHAIN", "REPORT_UNPROVED", "FORMAT_UNKNOWN"];
    assert!(expected.iter().all(|code| found.contains(code)), "{found:?}");
    // What is of a later version may be good: it is not called damaged.
    let later = b"{\"format\":\"tallystick/left-out/v2\",\"records\":[]}";
    assert_eq!(scene.judge(later).finding(), Finding::FormatUnknown);
    for junk in [&b""[..], b"{}", &[0xff; 4096], &[bytes.as_slice(), b"\n"].concat()] {
        assert_eq!(scene.judge(junk).code(), "REPORT_FORM");
    }
}

/// A report is no better than its checkpoint: who signed it, of when it is, and what stands beside it.
#[test]
fn the_checkpoint_is_a_quorums_and_of_after_the_promised_time() {
    let scene = Scene::new();
    let seal_by = scene.missing.signed.record.seal_by.seconds();
    let size = scene.chain.log().size();
    let known = scene.chain.validators_at(scene.chain.height());
    let strangers: Vec<TestValidator> = (91..=94).map(TestValidator::new).collect();
    let revoked = scene.revoked();
    let of = |validators: &[TestValidator], seconds| scene.chain.checkpoint_note(size, validators, seconds);
    for (name, note, finding) in [
        ("in time to the second", of(&known[..3], seal_by), Finding::ReportUnproved),
        ("a second later", of(&known[..3], seal_by + 1), Finding::LeftOut),
        ("two of four", of(&known[..2], seal_by + 1), Finding::ReportUnproved),
        ("a line more than a quorum needs", of(known, seal_by + 1), Finding::ReportUnproved),
        ("later validators", of(&strangers, seal_by + 1), Finding::ValidatorsUnknown),
        ("from the future", of(&known[..3], scene.at.seconds() + 601), Finding::FromTheFuture),
        ("none", String::new(), Finding::ReportUnproved),
    ] {
        let bytes = LeftOut { checkpoint: note, ..scene.report() }.encode();
        let verdict = scene.judge(&bytes);
        assert_eq!(verdict.finding(), finding, "{name}: {verdict:?}");
        assert!(verdict.signed.is_some(), "{name}: the signature is judged before");
        // A bad note beside a copied code says nothing of whether the ledger has the receipt.
        let Layers { genuine, anchored, in_force } = verdict.layers;
        let (passed, unknown) = (LayerResult::Passed, LayerResult::Unknown);
        assert_eq!([genuine, anchored, in_force], [passed, unknown, unknown], "{name}");
        // Under a revoked key none of it is said to be the unit's.
        let verdict = verify_left_out(&bytes, &revoked, scene.chain.trust(), scene.at);
        assert_eq!((verdict.finding(), verdict.layers.genuine), (Finding::KeyRevoked, unknown), "{name}: {verdict:?}");
        assert_eq!(verdict.layers.anchored, unknown, "{name}");
    }
    // Before the record there is nothing to leave out, whatever its unit promised.
    let mut early = scene.missing.signed.record.clone();
    early.seal_by = UnixMillis::new(1);
    let key = crate::testkit::unit_key(early.unit.get());
    let early = SignedRecord::sign(early, scene.chain.trust().chain_id(), &key);
    let note = of(&known[..3], early.record.issue_time.seconds() - 601);
    let report = LeftOut { record: early.encode(), checkpoint: note, ..scene.report() };
    assert_eq!(scene.judge(&report.encode()).code(), "SEAL_BY_PASSED");
}

/// Whoever stole a key could report as many receipts as he can sign.
#[test]
fn under_a_revoked_key_a_report_says_nothing() {
    let scene = Scene::new();
    let bytes = scene.report().encode();
    let unit = scene.missing.signed.record.unit;
    let verdict = verify_left_out(&bytes, &scene.revoked(), scene.chain.trust(), scene.at);
    assert_eq!((verdict.finding(), verdict.layers.genuine), (Finding::KeyRevoked, LayerResult::Unknown));
    let unknown = scene.units(|list| list.units.retain(|row| row.unit() != unit));
    assert_eq!(verify_left_out(&bytes, &unknown, scene.chain.trust(), scene.at).finding(), Finding::KeyUnknown);
    // By an old directory it may have been revoked since.
    let old = scene.units(|list| list.time = UnixMillis::new(scene.chain.now().get() - 2 * 86_400_000));
    let verdict = verify_left_out(&bytes, &old, scene.chain.trust(), scene.at).not_older_than(3_600);
    assert_eq!(verdict.finding(), Finding::DirectoryOld);
}

/// What is not left out is not reported, and the verdict says what it is instead.
#[test]
fn nothing_else_is_made_into_a_report() {
    let mut scene = Scene::new();
    let late = scene.late_note();
    let mut twin = scene.anchored.receipt.clone();
    "TWIN".clone_into(&mut twin.draft.biz_code);
    let twin = scene.chain.sign(twin, Vec::new());
    let sent_back = scene.chain.issue("S05");
    let batch = scene.chain.batch(vec![twin.record.clone(), sent_back.record.clone()]);
    scene.chain.add_items(vec![Item::Batch(batch)]).unwrap();
    let newer = scene.note(sent_back.signed.record.seal_by.seconds() + 1);
    let units = scene.units(|_| ());
    let bundle = scene.chain.bundle(&scene.anchored);
    let [refused, returned] = [&twin, &sent_back].map(|of| scene.chain.place(&of.record));
    let early = scene.note(scene.missing.signed.record.seal_by.seconds());
    let refusal = |place| LedgerAnswer::Refused { checkpoint: &newer, place, replaced_by: None };
    let taken = LedgerAnswer::Taken { batch: &bundle.batch, anchor: &bundle.anchor, status: &bundle.status };
    let at = scene.at.plus_millis(86_400_000);
    let report =
        |record: &[u8], ledger| report_left_out(&Scan { record, directory: &units, ledger }, scene.chain.trust(), at);
    for (name, record, ledger, finding) in [
        ("not asked", &scene.missing, LedgerAnswer::NotAsked, Finding::Unchecked),
        ("in time", &scene.missing, LedgerAnswer::Absent { checkpoint: &early }, Finding::Pending),
        ("no checkpoint", &scene.missing, LedgerAnswer::Absent { checkpoint: "" }, Finding::AnswerFalse),
        ("taken", &scene.anchored, taken, Finding::InForce),
        ("refused", &twin, refusal(&refused), Finding::Refused),
        ("another's proofs", &scene.missing, taken, Finding::AnswerFalse),
    ] {
        let verdict = report(&record.record, ledger).expect_err(name);
        assert_eq!(verdict.finding(), finding, "{name}");
    }
    let made = report(&scene.missing.record, LedgerAnswer::Absent { checkpoint: &late }).unwrap();
    assert_eq!(made.record, scene.missing.record);
    // A batch that came back for others' sake leaves the record where it was.
    let made = report(&sent_back.record, refusal(&returned)).unwrap();
    assert_eq!(verify_left_out(&made.encode(), &units, scene.chain.trust(), at).finding(), Finding::LeftOut);
    let mut forged = scene.missing.record.clone();
    *forged.last_mut().unwrap() ^= 1;
    let verdict = report(&forged, LedgerAnswer::Absent { checkpoint: &late }).unwrap_err();
    assert_eq!(verdict.code(), "RECORD_SIGNATURE");
}
