//! Verdicts over signed records without their content: what a code on paper says, alone and with the ledger's answer.

use std::collections::BTreeMap;

use super::*;
use crate::block::Item;
use crate::code::Host;
use crate::directory::{Directory, FormerName, TrustedDirectory, UnitRow};
use crate::entry::{BatchRefused, Entry, RecordRefusal};
use crate::ids::{BatchSequence, IssuerId};
use crate::merkle::leaf_hash;
use crate::note::PosixSeconds;
use crate::reason::Reason;
use crate::testkit::ISSUER;
use crate::verdict::sentences::refusal_clause;

/// What is known beside a record.
struct Known(TrustedDirectory);

impl Known {
    /// The units of the chain, as of two days ago.
    fn of(chain: &TestChain) -> Self {
        Self::with(chain, |_| ())
    }

    /// The same, changed.
    fn with(chain: &TestChain, change: impl FnOnce(&mut Directory)) -> Self {
        let mut directory = chain.directory();
        directory.time = UnixMillis::new(chain.now().get() - 2 * 86_400_000);
        change(&mut directory);
        Self(chain.trusted(directory))
    }

    fn judge(&self, chain: &TestChain, record: &[u8], ledger: LedgerAnswer<'_>, at: UnixMillis) -> Verdict {
        verify_scan(&Scan { record, directory: &self.0, ledger }, chain.trust(), at)
    }
}

/// The row and the only key of a receipt's unit.
fn row_of<'a>(directory: &'a mut Directory, receipt: &TestReceipt) -> &'a mut UnitRow {
    let unit = receipt.signed.record.unit;
    directory.units.iter_mut().find(|row| row.unit() == unit).unwrap()
}

/// A code is not the paper that it stands on: without an anchor nothing calls a receipt genuine or in force.
fn praises_nothing(verdict: &Verdict) {
    let (zh, en) = (verdict.to_text(Language::Zh), verdict.to_text(Language::En));
    let (zh, en) = (zh.replace("真实：未判断", ""), en.replace("Genuine: not judged", ""));
    assert!(!zh.contains("真实") && !zh.starts_with("有效"), "{zh}");
    assert!(!en.to_lowercase().contains("genuine") && !en.contains("IN FORCE"), "{en}");
    let holds = verdict.layers.genuine == LayerResult::Passed;
    assert_eq!([zh.contains("签名成立：是"), en.contains("Signature holds: yes")], [holds; 2], "{zh}{en}");
}

fn newest(chain: &TestChain) -> &str {
    &chain.blocks().last().unwrap().checkpoint
}

#[test]
fn offline_a_code_is_signed_and_no_more() {
    let (mut chain, receipt) = chain();
    let known = Known::of(&chain);
    let judge = |record: &[u8], known: &Known| known.judge(&chain, record, LedgerAnswer::NotAsked, chain.now());
    let verdict = judge(&receipt.record, &known);
    assert_eq!((verdict.finding(), verdict.is_proved(), verdict.code()), (Finding::Unchecked, false, "UNCHECKED"));
    let directory_time = verdict.as_of;
    let Layers { genuine, anchored, in_force } = verdict.layers;
    assert_eq!([genuine, anchored, in_force], [LayerResult::Passed, LayerResult::Unknown, LayerResult::Unknown]);
    let (zh, en) = (verdict.to_text(Language::Zh), verdict.to_text(Language::En));
    assert!(
        zh.starts_with("已签名，未核实  由")
            && zh.contains("两天前的单位名录")
            && zh.contains("请与手里的票据逐项核对"),
        "{zh}"
    );
    assert!(en.contains("directory of units as of 2 days ago") && en.contains("A code can be copied"), "{en}");
    praises_nothing(&verdict);
    let signed = verdict.signed.unwrap();
    assert_eq!((signed.key, signed.total), (receipt.receipt.key(), receipt.receipt.draft.total_amount));
    assert!(zh.contains(&crate::receipt::words::amount_in_words(signed.total)), "{zh}");
    // Whose key is not in the directory, whose key it is not, and when it was not valid.
    let changed = |change: &dyn Fn(&mut UnitRow)| Known::with(&chain, |list| change(row_of(list, &receipt)));
    for without in [
        Known::with(&chain, |list| list.units.retain(|row| row.unit() != receipt.signed.record.unit)),
        changed(&|row| row.keys.clear()),
        changed(&|row| row.keys[0].key_id += 1),
    ] {
        let verdict = judge(&receipt.record, &without);
        assert_eq!((verdict.finding(), verdict.signed), (Finding::KeyUnknown, None));
    }
    let issued = receipt.signed.record.issue_time.get();
    let strange = crate::suite::Signer::public_key(&crate::testkit::unit_key(4242));
    let other = changed(&|row| row.keys[0].public_key = strange.0.to_vec());
    assert_eq!(judge(&receipt.record, &other).code(), "RECORD_SIGNATURE");
    assert_eq!(judge(&receipt.record, &changed(&|row| row.keys[0].valid_until_ms = issued)).code(), "CREDENTIAL_SCOPE");
    assert_eq!(
        judge(&receipt.record, &changed(&|row| row.keys[0].valid_from_ms = issued + 1)).code(),
        "CREDENTIAL_SCOPE"
    );
    // A renamed unit had another name on the paper: the one of the record's time counts.
    let named = |until_ms| {
        let former = |name: &str, until_ms| FormerName { unit_name: name.to_owned(), until_ms };
        let renamed = changed(&|row| row.former_names = vec![former("甲", issued - 5), former("乙", until_ms)]);
        judge(&receipt.record, &renamed).signed.unwrap().unit_name
    };
    let now = receipt.receipt.issued.unit_name.as_str();
    assert_eq!([named(issued + 1).as_str(), named(issued).as_str()], ["乙", now]);
    let early = UnixMillis::new(receipt.signed.record.issue_time.get() - CLOCK_DRIFT_MS_MAX - 1);
    let verdict = known.judge(&chain, &receipt.record, LedgerAnswer::NotAsked, early);
    assert_eq!((verdict.finding(), verdict.code()), (Finding::FromTheFuture, "ISSUE_TIME"));
    assert!(verdict.signed.is_some(), "what was signed is shown to one whose clock is slow, too");
    // The clock is as likely wrong as the unit: nothing says that the signature does not hold.
    assert_eq!(verdict.layers.genuine, LayerResult::Unknown);
    assert!(verdict.to_text(Language::En).contains("Genuine: not judged"), "{}", verdict.to_text(Language::En));
    // No changed byte is ever signed.
    for position in 0..receipt.record.len() {
        for mask in [0x01, 0x20, 0x80] {
            let mut flipped = receipt.record.clone();
            flipped[position] ^= mask;
            let verdict = judge(&flipped, &known);
            assert_ne!(verdict.finding().result(), FindingResult::Signed, "byte {position} ^ {mask:#x}");
            assert_eq!(verdict.as_of, directory_time, "byte {position} ^ {mask:#x}");
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
        let known = Known::of(&chain);
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
    let known = Known::of(&chain);
    let seal_by = waiting.signed.record.seal_by;
    let validators = chain.validators_at(chain.height())[..3].to_vec();
    let at = seal_by.plus_millis(3_600_000);
    for (seconds, finding) in [(seal_by.seconds(), Finding::Pending), (seal_by.seconds() + 1, Finding::Overdue)] {
        let note = chain.checkpoint_note(chain.log().size(), &validators, seconds);
        let verdict = known.judge(&chain, &waiting.record, LedgerAnswer::Absent { checkpoint: &note }, at);
        assert_eq!((verdict.finding(), verdict.layers.anchored), (finding, LayerResult::Unknown));
        assert_eq!(verdict.as_of, Some(AsOf { time: PosixSeconds::new(seconds), source: DateSource::Checkpoint }));
        praises_nothing(&verdict);
    }
    // Whoever answers may lie: a receipt that the ledger has is not called bad by a word.
    let (mut chain, sealed) = super::chain();
    let seal_by = sealed.signed.record.seal_by;
    let red = chain.reverse(&sealed);
    chain.add_block(std::slice::from_ref(&red));
    let validators = chain.validators_at(chain.height())[..3].to_vec();
    let note = chain.checkpoint_note(chain.log().size(), &validators, seal_by.seconds() + 1);
    let absent = LedgerAnswer::Absent { checkpoint: &note };
    let verdict = Known::of(&chain).judge(&chain, &sealed.record, absent, seal_by.plus_millis(3_600_000));
    let conclusion = verdict.to_report().conclusion;
    assert_eq!((conclusion.code, conclusion.tone), ("OVERDUE", "caution"));
    assert!(verdict.to_line(Language::Zh).contains("查询的答复说至今未上链"), "{verdict:?}");
    assert!(verdict.to_line(Language::En).contains("by what was answered it is not"), "{verdict:?}");
    // A checkpoint from before the record cannot say that it is not there, or it would be in time for ever.
    let issued = waiting.signed.record.issue_time.seconds();
    for (seconds, finding) in [(issued - 600, Finding::Pending), (issued - 601, Finding::AnswerFalse)] {
        let note = chain.checkpoint_note(chain.log().size(), &validators, seconds);
        let verdict = known.judge(&chain, &waiting.record, LedgerAnswer::Absent { checkpoint: &note }, at);
        assert_eq!((verdict.finding(), verdict.layers.anchored), (finding, LayerResult::Unknown));
        assert!(verdict.checks.iter().all(|check| check.outcome != CheckOutcome::Failed), "{verdict:?}");
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

/// A thief dates what he signs as he likes: only the ledger's word makes a record under a revoked key the unit's.
#[test]
fn a_code_under_a_revoked_key_is_worth_nothing_without_its_anchor() {
    let (mut chain, receipt) = chain();
    let waiting = chain.issue("S01");
    let issued = receipt.signed.record.issue_time.get();
    for from in [1, issued, issued + 1, u64::MAX] {
        let known = Known::with(&chain, |list| row_of(list, &receipt).keys[0].revoked_from_ms = from);
        let judge = |which: &TestReceipt, ledger| known.judge(&chain, &which.record, ledger, chain.now());
        let verdict = judge(&receipt, LedgerAnswer::NotAsked);
        assert_eq!((verdict.finding(), verdict.layers.genuine), (Finding::KeyRevoked, LayerResult::Unknown));
        assert_eq!(verdict.finding().result(), FindingResult::Unjudged);
        assert!(verdict.to_line(Language::En).starts_with("KEY REVOKED"), "{}", verdict.to_line(Language::En));
        let verdict = judge(&waiting, LedgerAnswer::Absent { checkpoint: newest(&chain) });
        assert_eq!(verdict.finding(), Finding::KeyRevoked, "the word that it is not there makes it no better");
        let bundle = chain.bundle(&receipt);
        // No answer that does not hold does, whatever of it fails.
        let mut moved = bundle.clone();
        moved.batch.index = LeafIndex::new(moved.batch.index.get() + 1);
        let hidden = StatusPart { map: Vec::new(), ..bundle.status.clone() };
        let false_ones = [
            LedgerAnswer::Absent { checkpoint: "" },
            LedgerAnswer::Taken { batch: &moved.batch, anchor: &moved.anchor, status: &moved.status },
            LedgerAnswer::Taken { batch: &bundle.batch, anchor: &bundle.anchor, status: &hidden },
        ];
        for answer in false_ones {
            let verdict = judge(&receipt, answer);
            let Layers { genuine, anchored, in_force } = verdict.layers;
            assert_eq!(
                (verdict.finding(), [genuine, anchored, in_force]),
                (Finding::KeyRevoked, [LayerResult::Unknown; 3])
            );
            assert_eq!(verdict.checks.last().unwrap().id, CheckId::DirectoryRevocation);
            praises_nothing(&verdict);
        }
        let taken = LedgerAnswer::Taken { batch: &bundle.batch, anchor: &bundle.anchor, status: &bundle.status };
        assert!(judge(&receipt, taken).is_in_force(), "the ledger took it while the key was good");
    }
    let known = Known::of(&chain);
    let verdict = known.judge(&chain, &receipt.record, LedgerAnswer::NotAsked, chain.now());
    assert!(verdict.checks.iter().any(|check| check.id == CheckId::DirectoryRevocation), "{verdict:?}");
}

/// The age that is allowed is the directory's own, and what is worse than old stays what it is.
#[test]
fn an_old_directory_is_said_to_be_old() {
    let (chain, receipt) = chain();
    let plain = Known::of(&chain);
    let judge = |known: &Known| known.judge(&chain, &receipt.record, LedgerAnswer::NotAsked, chain.now());
    let age = 2 * 86_400;
    assert_eq!(judge(&plain).not_older_than(age).finding(), Finding::Unchecked);
    let verdict = judge(&plain).not_older_than(age - 1);
    assert_eq!((verdict.finding(), verdict.layers.genuine), (Finding::DirectoryOld, LayerResult::Unknown));
    assert_eq!(verdict.finding().result(), FindingResult::Unjudged);
    let (zh, en) = (verdict.to_line(Language::Zh), verdict.to_line(Language::En));
    assert!(zh.starts_with("名录过旧  ") && zh.contains("两天前的单位名录"), "{zh}");
    assert!(en.starts_with("DIRECTORY TOO OLD  ") && en.contains("may have been revoked since"), "{en}");
    assert!(!verdict.to_report().compare.is_empty(), "what was signed is shown all the same");
    let forged = Known::with(&chain, |list| row_of(list, &receipt).keys[0].public_key[0] ^= 1);
    assert_eq!(judge(&forged).not_older_than(0).code(), "RECORD_SIGNATURE");
    let revoked = Known::with(&chain, |list| row_of(list, &receipt).keys[0].revoked_from_ms = 1);
    assert_eq!(judge(&revoked).not_older_than(0).finding(), Finding::KeyRevoked);
    // What a node says of the ledger and does not prove makes the directory no younger: a thief's receipt is absent, too.
    let absent = LedgerAnswer::Absent { checkpoint: newest(&chain) };
    for (answer, finding) in
        [(absent, Finding::Pending), (LedgerAnswer::Absent { checkpoint: "" }, Finding::AnswerFalse)]
    {
        let judge = || plain.judge(&chain, &receipt.record, answer, chain.now());
        assert_eq!(judge().not_older_than(age).finding(), finding);
        let verdict = judge().not_older_than(age - 1);
        assert_eq!((verdict.finding(), verdict.layers.genuine), (Finding::DirectoryOld, LayerResult::Unknown));
        assert!(verdict.to_line(Language::En).contains("The directory of units is 2 days old"), "{verdict:?}");
    }
    // A state of the ledger does not get old by the directory.
    let bundle = chain.bundle(&receipt);
    let taken = LedgerAnswer::Taken { batch: &bundle.batch, anchor: &bundle.anchor, status: &bundle.status };
    let verdict = plain.judge(&chain, &receipt.record, taken, chain.now());
    assert!(verdict.not_older_than(age - 1).is_in_force());
}

/// Its age would be nothing for ever to whoever's clock is slow.
#[test]
fn a_directory_from_the_future_is_not_judged_by() {
    let (chain, receipt) = chain();
    let of =
        |seconds| Known::with(&chain, |list| list.time = UnixMillis::new((chain.now().seconds() + seconds) * 1000));
    let judge = |known: &Known| known.judge(&chain, &receipt.record, LedgerAnswer::NotAsked, chain.now());
    assert_eq!(judge(&of(600)).not_older_than(0).finding(), Finding::Unchecked, "clocks drift");
    let verdict = judge(&of(601)).not_older_than(0);
    assert_eq!((verdict.finding(), verdict.layers.genuine), (Finding::DirectoryAhead, LayerResult::Unknown));
    assert!(verdict.signed.is_none() && verdict.to_text(Language::Zh).contains("请先核对本机时钟"), "{verdict:?}");
}

/// A code that was copied wrongly by hand or read wrongly by a camera is never another receipt, nor the same one.
#[test]
fn no_changed_character_of_a_code_is_signed() {
    let (chain, receipt) = chain();
    let known = Known::of(&chain);
    let hosts = [Host::new("tally.example").unwrap()];
    let judge = |text: &str| {
        let scan = CodeScan { text, hosts: &hosts, directory: &known.0, ledger: LedgerAnswer::NotAsked };
        verify_code(&scan, chain.trust(), chain.now())
    };
    let text = crate::code::text(&hosts[0], &receipt.record);
    assert_eq!(judge(&text).finding(), Finding::Unchecked);
    let mut found: BTreeMap<&str, usize> = BTreeMap::new();
    for (at, digit) in text.char_indices().skip(crate::code::address(&hosts[0]).len()) {
        // Every other digit, none, one more; a letter, a space, and a digit of another script.
        let others = ('0'..='9').filter(|other| *other != digit).map(String::from);
        let torn = [String::new(), format!("0{digit}"), "O".to_owned(), " ".to_owned(), "１".to_owned()];
        for other in others.chain(torn) {
            let changed = format!("{}{other}{}", &text[..at], &text[at + 1..]);
            let verdict = judge(&changed);
            let result = verdict.finding().result();
            assert!(!matches!(result, FindingResult::Signed | FindingResult::InForce), "{changed}");
            assert_eq!(verdict.signed, None, "nothing of it is shown to be compared: {changed}");
            *found.entry(verdict.finding().code()).or_default() += 1;
        }
    }
    for code in ["CODE_REFUSED", "DAMAGED", "FORGED"] {
        assert!(found.get(code).is_some_and(|count| *count > 10), "{found:?}");
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
        Known::of(&chain).judge(&chain, &which.record, ledger, chain.now())
    };
    let place = chain.place(&twin.record);
    let verdict = judge(&twin, &place, None);
    assert_eq!(verdict.conclusion, Conclusion::Refused { reason: Reason::NumberUsed, replaced_by: None });
    assert_eq!((verdict.layers.genuine, verdict.layers.anchored), (LayerResult::Passed, LayerResult::Failed));
    let zh = judge(&twin, &place, Some(receipt.receipt.key())).to_line(Language::Zh);
    let key = receipt.receipt.key();
    assert!(
        zh.starts_with(&format!("账本未接受  账本拒绝了这张票据：票据号码已被使用；答复称已由{key}代替。")),
        "{zh}"
    );
    assert_eq!(judge(&good, &chain.place(&good.record), None).finding(), Finding::Pending, "its batch came back");
    // A proof of something else, and none.
    let taken = chain.place(&receipt.record);
    let unpathed = RecordPlace { path: Vec::new(), ..place.clone() };
    for (which, place) in [(&receipt, &taken), (&good, &place), (&twin, &unpathed)] {
        let verdict = judge(which, place, None);
        assert_eq!(verdict.finding(), Finding::AnswerFalse);
        // Nobody has shown that the ledger refused it.
        assert!(!verdict.to_text(Language::En).contains("The ledger refused"), "{}", verdict.to_text(Language::En));
        assert_eq!(verdict.checks.last().map(|check| check.outcome), Some(CheckOutcome::Unknown));
    }
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
        let verdict = Known::of(&chain).judge(&chain, &receipt.record, ledger, chain.now());
        for language in Language::ALL {
            let line = verdict.to_line(language);
            assert!(line.contains(clause.of(language)), "{line}");
        }
        let report = serde_json::to_value(verdict.to_report()).unwrap();
        assert_eq!(report["conclusion"]["parameters"]["reason"], reason.as_str());
    }
}
