//! Verdicts over signed records without their content: what a code on paper says, alone and with the ledger's answer.

use super::*;
use crate::block::Item;
use crate::entry::{BatchRefused, Entry, RecordRefusal};
use crate::ids::{BatchSequence, IssuerId};
use crate::merkle::leaf_hash;
use crate::note::PosixSeconds;
use crate::reason::Reason;
use crate::testkit::ISSUER;
use crate::verdict::sentences::refusal_clause;

/// What is known beside a record.
struct Known {
    units: Vec<UnitCredential>,
    units_as_of: PosixSeconds,
}

impl Known {
    fn of(chain: &TestChain, receipt: &TestReceipt) -> Self {
        let units_as_of = PosixSeconds::new(chain.now().seconds() - 2 * 86_400);
        Self { units: vec![chain.credential(receipt).credential], units_as_of }
    }

    fn judge(&self, chain: &TestChain, record: &[u8], ledger: LedgerAnswer<'_>, at: UnixMillis) -> Verdict {
        let scan = Scan { record, units: &self.units, units_as_of: self.units_as_of, ledger };
        verify_scan(&scan, chain.trust(), at)
    }
}

fn newest(chain: &TestChain) -> &str {
    &chain.blocks().last().unwrap().checkpoint
}

#[test]
fn offline_a_code_is_signed_and_no_more() {
    let (mut chain, receipt) = chain();
    let known = Known::of(&chain, &receipt);
    let judge = |record: &[u8], known: &Known| known.judge(&chain, record, LedgerAnswer::NotAsked, chain.now());
    let verdict = judge(&receipt.record, &known);
    assert_eq!((verdict.finding(), verdict.is_proved(), verdict.code()), (Finding::Unchecked, false, "UNCHECKED"));
    let Layers { genuine, anchored, in_force } = verdict.layers;
    assert_eq!([genuine, anchored, in_force], [LayerResult::Passed, LayerResult::Unknown, LayerResult::Unknown]);
    let (zh, en) = (verdict.to_text(Language::Zh), verdict.to_text(Language::En));
    assert!(
        zh.starts_with("已签名，未核实  由") && zh.contains("两天前的单位名录") && zh.contains("请逐项核对纸面"),
        "{zh}"
    );
    assert!(en.contains("directory of units as of 2 days ago") && en.contains("A code can be copied"), "{en}");
    for praise in ["IN FORCE", "genuine", "有效  "] {
        assert!(!en.contains(praise) && !zh.starts_with(praise), "{en}");
    }
    let signed = verdict.signed.unwrap();
    assert_eq!((signed.key, signed.total), (receipt.receipt.key(), receipt.receipt.draft.total_amount));
    assert!(zh.contains(&crate::receipt::words::amount_in_words(signed.total)), "{zh}");
    // Whose key is not in the directory, whose key it is not, and when it was not valid.
    let without = Known { units: Vec::new(), ..Known::of(&chain, &receipt) };
    let verdict = judge(&receipt.record, &without);
    assert_eq!((verdict.finding(), verdict.signed), (Finding::KeyUnknown, None));
    let mut other = Known::of(&chain, &receipt);
    other.units[0].public_key = crate::suite::Signer::public_key(&crate::testkit::unit_key(4242));
    assert_eq!(judge(&receipt.record, &other).code(), "RECORD_SIGNATURE");
    // A directory of later knows that there is no other credential; one of before cannot, whatever it has for an earlier time.
    let mut ended = Known::of(&chain, &receipt);
    let issued = receipt.signed.record.issue_time;
    ended.units[0].valid_until = Some(issued);
    for (as_of, finding, code) in [
        (issued.seconds() - 1, Finding::KeyUnknown, "KEY_UNKNOWN"),
        (issued.seconds(), Finding::Forged, "CREDENTIAL_SCOPE"),
        (issued.seconds() + 1, Finding::Forged, "CREDENTIAL_SCOPE"),
    ] {
        ended.units_as_of = PosixSeconds::new(as_of);
        let verdict = judge(&receipt.record, &ended);
        assert_eq!((verdict.finding(), verdict.code(), verdict.signed.as_ref()), (finding, code, None));
        assert_eq!(verdict.as_of.unwrap().time, ended.units_as_of, "of when");
    }
    // A renamed unit has two credentials of one key: the one of the record's time counts, wherever it stands in the list.
    let mut renamed = Known::of(&chain, &receipt);
    let mut before = renamed.units[0].clone();
    before.valid_until = Some(receipt.signed.record.issue_time);
    renamed.units.insert(0, before);
    assert_eq!(judge(&receipt.record, &renamed).finding(), Finding::Unchecked);
    renamed.units.reverse();
    assert_eq!(judge(&receipt.record, &renamed).finding(), Finding::Unchecked);
    let early = UnixMillis::new(receipt.signed.record.issue_time.get() - CLOCK_DRIFT_MS_MAX - 1);
    let verdict = known.judge(&chain, &receipt.record, LedgerAnswer::NotAsked, early);
    assert_eq!((verdict.finding(), verdict.code()), (Finding::FromTheFuture, "ISSUE_TIME"));
    // No changed byte is ever signed.
    for position in 0..receipt.record.len() {
        for mask in [0x01, 0x20, 0x80] {
            let mut flipped = receipt.record.clone();
            flipped[position] ^= mask;
            let finding = judge(&flipped, &known).finding();
            assert_ne!(finding.result(), FindingResult::Signed, "byte {position} ^ {mask:#x}");
        }
    }
    let red = chain.reverse(&receipt);
    let verdict = known.judge(&chain, &red.record, LedgerAnswer::NotAsked, chain.now());
    assert!(verdict.to_report().notices.iter().any(|notice| notice.code == "RED"), "{verdict:?}");
}

#[test]
fn with_proofs_a_code_is_what_its_bundle_is() {
    let (mut chain, receipt) = chain();
    let red = chain.reverse(&receipt);
    let in_force = chain.bundle(&receipt);
    chain.add_block(std::slice::from_ref(&red));
    let [reversed, red_bundle] = [chain.bundle(&receipt), chain.bundle(&red)];
    for bundle in [in_force, reversed, red_bundle] {
        let known = Known::of(&chain, &receipt);
        let mut parts = bundle.clone();
        let answer = |parts: &Bundle| {
            let ledger = LedgerAnswer::Taken { batch: &parts.batch, anchor: &parts.anchor, status: &parts.status };
            known.judge(&chain, &parts.record, ledger, chain.now())
        };
        let (of_code, of_bundle) = (answer(&parts), super::judge(&chain, &bundle));
        assert_eq!((&of_code.conclusion, of_code.layers), (&of_bundle.conclusion, of_bundle.layers));
        assert_eq!((of_code.as_of, &of_code.signers), (of_bundle.as_of, &of_bundle.signers));
        // A false answer says nothing against the receipt.
        parts.batch.index = LeafIndex::new(parts.batch.index.get() + 1);
        let verdict = answer(&parts);
        assert_eq!((verdict.finding(), verdict.layers.anchored), (Finding::AnswerFalse, LayerResult::Unknown));
        assert!(verdict.signed.is_some() && verdict.to_line(Language::En).contains("BATCH_INCLUSION"), "{verdict:?}");
    }
}

#[test]
fn what_the_ledger_has_not_is_in_time_or_overdue_by_its_own_time() {
    let (mut chain, _) = chain();
    let waiting = chain.issue("S02");
    let known = Known::of(&chain, &waiting);
    let seal_by = waiting.signed.record.seal_by;
    let validators = chain.validators_at(chain.height())[..3].to_vec();
    let at = seal_by.plus_millis(3_600_000);
    for (seconds, finding) in [(seal_by.seconds(), Finding::Pending), (seal_by.seconds() + 1, Finding::Overdue)] {
        let note = chain.checkpoint_note(chain.log().size(), &validators, seconds);
        let verdict = known.judge(&chain, &waiting.record, LedgerAnswer::Absent { checkpoint: &note }, at);
        assert_eq!((verdict.finding(), verdict.layers.anchored), (finding, LayerResult::Unknown));
        assert_eq!(verdict.as_of, Some(AsOf { time: PosixSeconds::new(seconds), source: DateSource::Checkpoint }));
    }
    let strangers: Vec<TestValidator> = (91..=94).map(TestValidator::new).collect();
    let future = chain.checkpoint_note(chain.log().size(), &validators, at.seconds() + 601);
    let foreign = chain.checkpoint_note(chain.log().size(), &strangers, at.seconds());
    for (note, finding) in
        [(future, Finding::AnswerFalse), (foreign, Finding::ValidatorsUnknown), (String::new(), Finding::AnswerFalse)]
    {
        let verdict = known.judge(&chain, &waiting.record, LedgerAnswer::Absent { checkpoint: &note }, at);
        assert_eq!(verdict.finding(), finding);
    }
}

#[test]
fn a_refusal_is_proved_and_says_why() {
    let (mut chain, receipt) = chain();
    let mut twin = receipt.receipt.clone();
    "TWIN".clone_into(&mut twin.draft.biz_code);
    let twin = chain.sign(twin, Vec::new());
    let good = chain.issue("S05");
    let batch = chain.batch(vec![twin.record.clone(), good.record.clone()]);
    chain.add_items(vec![Item::Batch(batch)]).unwrap();
    let judge = |which: &TestReceipt, place: &RecordPlace, replaced_by| {
        let ledger = LedgerAnswer::Refused { checkpoint: newest(&chain), place, replaced_by };
        Known::of(&chain, which).judge(&chain, &which.record, ledger, chain.now())
    };
    let place = chain.place(&twin.record);
    let verdict = judge(&twin, &place, None);
    assert_eq!(verdict.conclusion, Conclusion::Refused { reason: Reason::NumberUsed, replaced_by: None });
    assert_eq!((verdict.layers.genuine, verdict.layers.anchored), (LayerResult::Passed, LayerResult::Failed));
    let zh = judge(&twin, &place, Some(receipt.receipt.key())).to_line(Language::Zh);
    let key = receipt.receipt.key();
    assert!(zh.starts_with(&format!("被拒绝  账本拒绝了这张票据：票据号码已被使用；已由{key}代替。")), "{zh}");
    assert_eq!(judge(&good, &chain.place(&good.record), None).finding(), Finding::Pending, "its batch came back");
    // A proof of something else, and none.
    let taken = chain.place(&receipt.record);
    assert_eq!(judge(&receipt, &taken, None).finding(), Finding::AnswerFalse);
    assert_eq!(judge(&good, &place, None).finding(), Finding::AnswerFalse);
    assert_eq!(judge(&twin, &RecordPlace { path: Vec::new(), ..place }, None).finding(), Finding::AnswerFalse);
}

/// Every reason has words, and is told by them.
#[test]
fn every_refusal_is_told_in_both_languages() {
    let (mut chain, receipt) = chain();
    let header = chain.batch(vec![receipt.record.clone()]).header;
    let validators = chain.validators_at(Height::new(0))[..3].to_vec();
    for reason in Reason::ALL {
        let Some(clause) = refusal_clause(*reason) else { continue };
        let refused = BatchRefused {
            issuer: IssuerId::new(ISSUER),
            sequence: BatchSequence::new(1),
            header_hash: header.header_hash(),
            refusals: vec![RecordRefusal { index: 0, reason: *reason }],
        };
        let entry = Entry::BatchRefused(refused).encode();
        let root = leaf_hash(chain.trust().suite(), &entry);
        let checkpoint = &chain.checkpoint_over(1, root, &validators, chain.now().seconds());
        let place = RecordPlace {
            leaf_index: LeafIndex::ZERO,
            entry,
            path: Vec::new(),
            signed_header: header.encode(),
            batch_index: LeafIndex::ZERO,
            batch_path: Vec::new(),
        };
        let ledger = LedgerAnswer::Refused { checkpoint, place: &place, replaced_by: None };
        let verdict = Known::of(&chain, &receipt).judge(&chain, &receipt.record, ledger, chain.now());
        for language in Language::ALL {
            let line = verdict.to_line(language);
            assert!(line.contains(clause.of(language)), "{line}");
        }
        let report = serde_json::to_value(verdict.to_report()).unwrap();
        assert_eq!(report["conclusion"]["parameters"]["reason"], reason.as_str());
    }
}
