//! Verdicts over whole bundles of the test chain: good ones of every sample, and every way of being bad. Of codes: `scan`; of
//! presentations: `presented`; of reports of receipts left out: `left_out`.

mod left_out;
mod presented;
mod scan;

use super::*;
use crate::authorities::AuthoritySet;
use crate::batch::SignedBatchHeader;
use crate::bundle::{Bundle, FileSort, StatusPart};
use crate::credential::{SignedCredential, UnitCredential};
use crate::hash::Hash;
use crate::ids::{Fen, Height, KeyId, LeafIndex, TreeSize, UnitId};
use crate::note::{Checkpoint, SignedNote, TlogProof};
use crate::receipt::layout::to_values;
use crate::record::SignedRecord;
use crate::suite::Signer;
use crate::testkit::{TestChain, TestReceipt, TestValidator};
use crate::trust::TrustedAuthorities;

/// A chain with one anchored receipt among others, and two blocks on top.
fn chain() -> (TestChain, TestReceipt) {
    let mut chain = TestChain::new();
    let receipts: Vec<TestReceipt> = ["S02", "S01", "S05"].iter().map(|id| chain.issue(id)).collect();
    chain.add_block(&receipts);
    let others: Vec<TestReceipt> = ["S06", "S08"].iter().map(|id| chain.issue(id)).collect();
    chain.add_block(&others);
    chain.add_block(&[]);
    (chain, receipts[1].clone())
}

fn judge(chain: &TestChain, bundle: &Bundle) -> Verdict {
    verify_bundle(&bundle.encode(), chain.trust(), chain.now())
}

/// The checks that a bundle goes through: all but those of a code's and of a presentation's.
fn of_bundles() -> Vec<CheckId> {
    use CheckId::{CodeForm, DirectoryKey, DirectoryRevocation, LedgerAnswer, ReportForm, SealByPassed};
    use CheckId::{ShownForm, ShownRecord, ShownRoot};
    let of_codes = [CodeForm, DirectoryKey, DirectoryRevocation, LedgerAnswer, ReportForm, SealByPassed];
    let of_others = [&of_codes[..], &[ShownRoot, ShownForm, ShownRecord]].concat();
    CheckId::ALL.iter().copied().filter(|id| !of_others.contains(id)).collect()
}

fn code(verdict: &Verdict) -> &'static str {
    verdict.code()
}

/// Every sample, with what it needs before it.
fn all_samples(chain: &mut TestChain) -> Vec<(String, TestReceipt)> {
    let original = chain.issue("S01");
    chain.add_block(std::slice::from_ref(&original));
    let mut receipts = vec![("S01".to_owned(), original.clone())];
    for number in 2..=17 {
        let id = format!("S{number:02}");
        let receipt = if id == "S13" {
            chain.reverse(&original)
        } else {
            let draft = chain.draft_after(&id, Some(&original.receipt));
            chain.issue_draft(draft, Vec::new())
        };
        receipts.push((id, receipt));
    }
    let rest: Vec<TestReceipt> = receipts[1..].iter().map(|(_, receipt)| receipt.clone()).collect();
    chain.add_block(&rest);
    receipts
}

#[test]
fn every_sample_is_in_force_but_the_reversed_one() {
    let mut chain = TestChain::new();
    for (id, receipt) in all_samples(&mut chain) {
        let bundle = chain.bundle(&receipt);
        let verdict = judge(&chain, &bundle);
        assert_eq!(verdict.warnings().collect::<Vec<_>>(), Vec::<&str>::new(), "{id}");
        if id == "S01" {
            assert!(matches!(verdict.conclusion, Conclusion::Reversed { .. }), "{id}: {:?}", verdict.conclusion);
        } else {
            assert!(verdict.is_in_force(), "{id}: {:?}", verdict.conclusion);
            let ids: Vec<CheckId> = verdict.checks.iter().map(|check| check.id).collect();
            assert_eq!(ids, of_bundles(), "{id}: every check once, in order");
        }
        assert!(bundle.evidence_byte_size() <= 6 * 1024, "{id}: {} bytes", bundle.evidence_byte_size());
        for text in Language::ALL.map(|language| verdict.to_text(language)) {
            assert!(text.contains(&receipt.receipt.draft.unit_code) && text.contains("ANCHOR_QUORUM"), "{text}");
            assert!(!text.contains(&receipt.receipt.issued.check_code.to_string()), "the check code is a secret");
        }
    }
}

#[test]
fn the_parts_that_age_say_as_of_when() {
    let (chain, receipt) = chain();
    let verdict = judge(&chain, &chain.bundle(&receipt));
    let Conclusion::InForce { as_of } = verdict.conclusion else { panic!("{:?}", verdict.conclusion) };
    assert_eq!(verdict.as_of_age_seconds(), Some(chain.now().seconds() - as_of.get()));
    let report = serde_json::to_value(verdict.to_report()).unwrap();
    assert_eq!(report["conclusion"]["result"], "in_force");
    assert_eq!((&report["layers"][1]["code"], &report["layers"][1]["result"]), (&"anchored".into(), &"passed".into()));
    assert_eq!(report["as_of"]["seconds"], as_of.get());
    assert_eq!(report["receipt"]["total"], receipt.receipt.draft.total_amount.to_string());
    assert_eq!(report["signers"].as_array().unwrap().len(), 3);
    assert!(!report.to_string().contains("check_code"));
    // Ten minutes of drift are allowed, one more second is not.
    let early = UnixMillis::new(as_of.get() * 1000 - CLOCK_DRIFT_MS_MAX);
    let bytes = chain.bundle(&receipt).encode();
    assert!(verify_bundle(&bytes, chain.trust(), early).is_in_force());
    let earlier = UnixMillis::new(early.get() - 1000);
    assert!(!verify_bundle(&bytes, chain.trust(), earlier).is_in_force());
}

#[test]
fn a_reversed_receipt_names_its_red_one_and_old_evidence_stays_dated() {
    let (mut chain, receipt) = chain();
    let before = chain.bundle(&receipt);
    let red = chain.reverse(&receipt);
    chain.add_block(std::slice::from_ref(&red));
    let bundle = chain.bundle(&receipt);
    let verdict = judge(&chain, &bundle);
    assert!(matches!(verdict.conclusion, Conclusion::Reversed { by, .. } if by == red.receipt.key()));
    assert_eq!(verdict.layers.anchored, LayerResult::Passed);
    assert_eq!(verdict.layers.in_force, LayerResult::Failed);
    assert!(verdict.to_line(Language::Zh).contains(&red.receipt.key().to_string()));
    assert!(judge(&chain, &chain.bundle(&red)).is_in_force(), "the red receipt itself");
    assert!(judge(&chain, &before).is_in_force(), "as of then it was");

    let hidden = Bundle { status: StatusPart { value: None, ..bundle.status.clone() }, ..bundle.clone() };
    assert_eq!(code(&judge(&chain, &hidden)), "STATUS_PROOF");
    let mut other = bundle.clone();
    other.status.value.as_mut().unwrap()[20] ^= 1;
    assert_eq!(code(&judge(&chain, &other)), "STATUS_PROOF", "another red number");
    let old_proof = StatusPart { map: before.status.map.clone(), value: None, ..bundle.status.clone() };
    assert_eq!(code(&judge(&chain, &Bundle { status: old_proof, ..bundle })), "STATUS_PROOF");
}

#[test]
fn no_flipped_byte_is_ever_valid() {
    let (mut chain, receipt) = chain();
    let red = chain.reverse(&receipt);
    let in_force = chain.bundle(&receipt).encode();
    chain.add_block(&[red]);
    let reversed = chain.bundle(&receipt).encode();
    for (name, bytes) in [("in force", in_force), ("reversed", reversed)] {
        for position in 0..bytes.len() {
            for mask in [0x01, 0x20, 0x80] {
                let mut flipped = bytes.clone();
                flipped[position] ^= mask;
                let verdict = verify_bundle(&flipped, chain.trust(), chain.now());
                assert!(!verdict.is_proved(), "{name}: byte {position} ^ {mask:#x}: {:?}", verdict.conclusion);
            }
        }
    }
}

#[test]
fn truncated_extended_and_random_files_are_no_bundles() {
    let (chain, receipt) = chain();
    let bytes = chain.bundle(&receipt).encode();
    let refused = |bytes: &[u8]| assert_eq!(code(&verify_bundle(bytes, chain.trust(), chain.now())), "BUNDLE_FORM");
    for length in 0..bytes.len() {
        let verdict = verify_bundle(&bytes[..length], chain.trust(), chain.now());
        let begins = length >= "{\"format\":\"tallystick/bundle/".len();
        assert_eq!(code(&verdict), if begins { "BUNDLE_FORM" } else { "NO_RECEIPT" }, "{length}");
    }
    for junk in [&b"\n"[..], b" ", b"{}", b"\0", b"junk"] {
        refused(&[&bytes[..], junk].concat());
        refused(&[junk, &bytes[..]].concat());
    }
    let text = String::from_utf8(bytes).unwrap();
    refused(text.replacen("\"format\"", "\"extra\":1,\"format\"", 1).as_bytes());
    refused(text.replacen("{\"format\"", "{ \"format\"", 1).as_bytes());
    refused(text.replacen("\"index\":", "\"index\":0", 1).as_bytes());
    refused(text.replacen("医", "\\u533b", 1).as_bytes());
    let long = [&b"{\"format\":\"tallystick/bundle/v1\","[..], &vec![b' '; crate::limits::BUNDLE_BYTES_MAX]].concat();
    refused(&long);
}

#[test]
fn what_is_no_bundle_is_no_receipt_and_not_invalid() {
    let (chain, receipt) = chain();
    for (bytes, sort) in [
        (&b""[..], FileSort::Empty),
        (b"{}", FileSort::Unknown),
        (b"%PDF-1.7\n", FileSort::Pdf),
        (b"tallystick/trust/v1\n", FileSort::Trust),
        (&vec![b' '; crate::limits::BUNDLE_BYTES_MAX + 1], FileSort::Unknown),
    ] {
        let verdict = verify_bundle(bytes, chain.trust(), chain.now());
        assert_eq!(verdict.conclusion, Conclusion::NoReceipt { seems: sort });
        assert_eq!((code(&verdict), verdict.layers.genuine), ("NO_RECEIPT", LayerResult::Unknown));
        let (zh, en) = (verdict.to_text(Language::Zh), verdict.to_text(Language::En));
        assert!(zh.starts_with("不是票据  这不是票据文件：") && !zh.contains("无效"), "{zh}");
        assert!(en.starts_with("NO RECEIPT  This is no receipt: ") && !en.contains("NO\n"), "{en}");
    }
    let text = String::from_utf8(chain.bundle(&receipt).encode()).unwrap();
    for (damaged, damage) in [
        (format!("\u{feff}{text}"), "BYTE_ORDER_MARK"),
        (format!("{text}\r\n"), "LINE_ENDS"),
        (format!("{text}\n"), "NEWLINE_ADDED"),
    ] {
        let verdict = verify_bundle(damaged.as_bytes(), chain.trust(), chain.now());
        assert_eq!((code(&verdict), verdict.finding()), ("BUNDLE_FORM", Finding::Damaged));
        let report = serde_json::to_value(verdict.to_report()).unwrap();
        assert_eq!(report["conclusion"]["parameters"]["damage"], damage);
    }
}

/// What this program or this trust file does not know: name, code, what is done to a good bundle.
const DOUBTS: &[(&str, &str, Forge)] = &[
    ("another chain", "OTHER_CHAIN", |_, _, bundle| bundle.chain.0.0[0] ^= 1),
    ("a record of a later format", "FORMAT_UNKNOWN", |_, _, bundle| later(&mut bundle.record, 1, 2)),
    ("a record of another type", "FORMAT_UNKNOWN", |_, _, bundle| later(&mut bundle.record, 5, 7)),
    ("a credential of a later format", "FORMAT_UNKNOWN", |_, _, bundle| later(&mut bundle.credential, 1, 2)),
    ("a header of a later format", "FORMAT_UNKNOWN", |_, _, bundle| later(&mut bundle.batch.header, 1, 9)),
    ("a seal of a later format", "FORMAT_UNKNOWN", |_, _, bundle| bundle.status.seal[1] = 2),
    ("one authority of two", "AUTHORITIES_UNKNOWN", |chain, receipt, bundle| {
        let mut credential = chain.credential(receipt);
        credential.signatures.truncate(1);
        bundle.credential = credential.encode();
    }),
    ("validators that came later", "VALIDATORS_UNKNOWN", |chain, _, bundle| {
        let strangers: Vec<TestValidator> = (11..=14).map(TestValidator::new).collect();
        let size = chain.log().size();
        let note = chain.checkpoint_note(size, &strangers[..3], chain.now().seconds());
        bundle.status.proof = chain.proof_with(size - 1, size, &note);
    }),
    ("one new validator among three", "VALIDATORS_UNKNOWN", |chain, _, bundle| {
        let mut signers = chain.validators_at(Height::new(1)).to_vec();
        signers[2] = TestValidator::new(11);
        let size = chain.log().size();
        let note = chain.checkpoint_note(size, &signers[..3], chain.now().seconds());
        bundle.status.proof = chain.proof_with(size - 1, size, &note);
    }),
];

/// Writes another number at this place of the signed message, and a field that this program does not know behind it.
fn later(signed: &mut Vec<u8>, place: usize, number: u8) {
    let start = signed.iter().position(|byte| *byte == 0x08).unwrap();
    signed[start + place] = number;
    signed.extend_from_slice(&[0xf8, 0x01, 0x01]);
}

#[test]
fn what_is_not_known_is_neither_invalid_nor_in_force() {
    for (name, expected, change) in DOUBTS {
        let (mut chain, receipt) = chain();
        let mut bundle = chain.bundle(&receipt);
        change(&mut chain, &receipt, &mut bundle);
        let verdict = judge(&chain, &bundle);
        assert!(matches!(verdict.conclusion, Conclusion::Unjudged(_)), "{name}: {:?}", verdict.conclusion);
        assert_eq!((code(&verdict), verdict.is_proved(), verdict.failure()), (*expected, false, None), "{name}");
        let (zh, en) = (verdict.to_text(Language::Zh), verdict.to_text(Language::En));
        assert!(zh.starts_with("无法判断  ") && !zh.contains("：否") && !zh.contains("无效"), "{name}: {zh}");
        assert!(en.starts_with("CANNOT BE JUDGED HERE  ") && !en.contains(": NO\n"), "{name}: {en}");
        assert!(!en.contains("IN FORCE"), "{name}: {en}");
        let report = serde_json::to_value(verdict.to_report()).unwrap();
        assert_eq!(
            (&report["conclusion"]["result"], &report["conclusion"]["code"]),
            (&"unjudged".into(), &(*expected).into())
        );
    }
    let (chain, receipt) = chain();
    let later = String::from_utf8(chain.bundle(&receipt).encode()).unwrap().replacen("bundle/v1", "bundle/v2", 1);
    assert_eq!(code(&verify_bundle(later.as_bytes(), chain.trust(), chain.now())), "FORMAT_UNKNOWN");
}

#[test]
fn a_trust_file_that_ends_before_the_checkpoint_cannot_judge_it() {
    let (mut chain, receipt) = chain();
    let ended = chain.log().size();
    let bytes = {
        chain.rotate_validators((21..=24).map(TestValidator::new).collect());
        chain.add_block(&[]);
        chain.bundle(&receipt).encode()
    };
    let whole = chain.trust().to_text();
    let newest = whole.rfind("\n\nvalidators ").unwrap();
    let closed = crate::trust::TrustFile::parse(&whole[..=newest]).unwrap();
    assert!(closed.sets()[0].end.unwrap().last_size >= TreeSize::new(ended));
    assert_eq!(code(&verify_bundle(&bytes, &closed, chain.now())), "VALIDATORS_UNKNOWN");
    assert!(verify_bundle(&bytes, chain.trust(), chain.now()).is_in_force());
}

/// One authority of three leaves for a new one: what was anchored before is vouched for by those who were in force then.
#[test]
fn authorities_vouch_for_what_was_anchored_in_their_time() {
    let (mut chain, before) = chain();
    let old_trust = chain.trust().clone();
    let old_credential = chain.credential(&before);
    chain.replace_authorities(&["authority-0", "authority-7", "authority-8"]);
    let after = chain.issue("S01");
    chain.add_block(std::slice::from_ref(&after));
    let with = |receipt: &TestReceipt, credential: &SignedCredential| {
        let mut bundle = chain.bundle(receipt);
        bundle.credential = credential.encode();
        bundle.encode()
    };
    let new_credential = chain.credential(&after);
    let codes = |bundle: &[u8]| {
        [chain.trust(), &old_trust].map(|trust| code(&verify_bundle(bundle, trust, chain.now())).to_owned())
    };
    // With the file of today, and with one that has not followed the change.
    for (what, bundle, expected) in [
        ("as it was", with(&before, &old_credential), ["", ""]),
        ("as it is", with(&after, &new_credential), ["", "AUTHORITIES_UNKNOWN"]),
        // A file of before cannot know that the old set has ended, and none knows whether one who stayed is enough by now.
        ("the old set vouches for a later record", with(&after, &old_credential), ["AUTHORITIES_UNKNOWN", ""]),
        (
            "the new set for an earlier one",
            with(&before, &new_credential),
            ["CREDENTIAL_SIGNATURES", "AUTHORITIES_UNKNOWN"],
        ),
    ] {
        assert_eq!(codes(&bundle), expected, "{what}");
    }
    // Enough that stayed: nothing is signed anew.
    let keys = ["authority-0", "authority-1", "authority-7"].map(crate::testkit::software_key);
    let all: Vec<&dyn Signer> = keys.iter().map(|key| key as &dyn Signer).collect();
    let both = SignedCredential::sign(new_credential.credential.clone(), chain.genesis().chain_id(), &all);
    assert_eq!(codes(&with(&before, &both)), ["", ""]);
    assert_eq!(codes(&with(&after, &both)), ["", ""]);
    // A forger who has neither authorities nor a ledger is called one, by either file.
    let thieves = ["thief", "another"].map(crate::testkit::software_key);
    let thieves: Vec<&dyn Signer> = thieves.iter().map(|key| key as &dyn Signer).collect();
    let forged = SignedCredential::sign(new_credential.credential.clone(), chain.genesis().chain_id(), &thieves);
    assert_eq!(codes(&with(&after, &forged)), ["AUTHORITIES_UNKNOWN", "AUTHORITIES_UNKNOWN"]);
    assert_eq!(codes(&with(&before, &forged)), ["CREDENTIAL_SIGNATURES", "AUTHORITIES_UNKNOWN"]);
    let mut unanchored = chain.bundle(&after);
    unanchored.credential = forged.encode();
    unanchored.batch.index = LeafIndex::new(1);
    assert_eq!(codes(&unanchored.encode()), ["BATCH_INCLUSION", "BATCH_INCLUSION"]);
    let mut invalid = forged;
    invalid.signatures[0].1.0[9] ^= 1;
    assert_eq!(codes(&with(&after, &invalid)), ["CREDENTIAL_SIGNATURES", "CREDENTIAL_SIGNATURES"]);
}

/// Their names, and how many of them must sign.
type Authorities = (&'static [&'static str], u32);

fn authorities(names: &[&str], threshold: u32) -> AuthoritySet {
    let key = |name: &&str| crate::testkit::software_key(name).public_key();
    AuthoritySet { keys: names.iter().map(key).collect(), threshold }
}

/// What has changed, the set before it and the one after it, who has signed the credential, and the verdicts of a trust file that knows
/// the change and of one that does not.
type Succession = (&'static str, Authorities, Authorities, &'static [&'static str], [&'static str; 2]);

/// An honest receipt is never INVALID to the older file; what a forger can reach is genuine to neither.
#[test]
fn a_trust_file_of_before_calls_nothing_invalid_that_a_newer_one_may_take() {
    let (chain, receipt) = chain();
    let bundle = chain.bundle(&receipt);
    let leaf = TlogProof::parse_without_extra(bundle.anchor.as_bytes()).unwrap().index;
    let (good, unknown, invalid) = ("", "AUTHORITIES_UNKNOWN", "CREDENTIAL_SIGNATURES");
    let judged = |before: &AuthoritySet, after: &AuthoritySet, by: u64, signers: &[&str]| {
        let first = TrustedAuthorities { first_leaf: LeafIndex::ZERO, set: before.clone() };
        let older = TrustFile { authorities: vec![first], ..chain.trust().clone() };
        let newer = older.with_next_authorities(LeafIndex::new(by), after).unwrap().unwrap();
        let keys: Vec<_> = signers.iter().map(|name| crate::testkit::software_key(name)).collect();
        let keys: Vec<&dyn Signer> = keys.iter().map(|key| key as &dyn Signer).collect();
        let credential = SignedCredential::sign(chain.credential(&receipt).credential, bundle.chain, &keys).encode();
        let bytes = Bundle { credential, ..bundle.clone() }.encode();
        [newer, older].map(|trust| verify_bundle(&bytes, &trust, chain.now()))
    };
    let rows: &[Succession] = &[
        ("k lowered", (&["a", "b", "c"], 3), (&["a", "b", "c"], 2), &["a", "b"], [good, unknown]),
        ("left without a successor", (&["a", "b", "c", "d"], 3), (&["a", "b", "c"], 2), &["b", "c"], [good, unknown]),
        ("one is left", (&["a", "b", "c"], 2), (&["c"], 1), &["c"], [good, unknown]),
        ("one replaced", (&["a", "b", "c"], 2), (&["a", "b", "d"], 2), &["b", "d"], [good, unknown]),
        ("all replaced", (&["a", "b"], 2), (&["d", "e"], 2), &["d", "e"], [good, unknown]),
        ("too few of the newest", (&["a", "b", "c"], 2), (&["a", "d", "e"], 2), &["d"], [unknown, unknown]),
        ("strangers", (&["a", "b", "c"], 2), (&["a", "d", "e"], 2), &["x", "y"], [unknown, unknown]),
        ("a stranger and one that left", (&["a", "b", "c"], 2), (&["a", "d", "e"], 2), &["x", "b"], [unknown, unknown]),
        // Of whom nobody can be in a later set; a file of before cannot know that they have left.
        ("those who left", (&["a", "b", "c"], 2), (&["a", "d", "e"], 2), &["b", "c"], [invalid, good]),
        ("one that left", (&["a", "b", "c"], 2), (&["a", "d", "e"], 2), &["b"], [invalid, unknown]),
        ("nobody", (&["a", "b", "c"], 2), (&["a", "d", "e"], 2), &[], [invalid, invalid]),
    ];
    for (what, before, after, signers, expected) in rows {
        let (before, after) = (authorities(before.0, before.1), authorities(after.0, after.1));
        let verdicts = judged(&before, &after, leaf.get() - 1, signers);
        assert_eq!(verdicts.each_ref().map(code), *expected, "{what}");
        for verdict in &verdicts {
            assert_eq!(verdict.layers.genuine == LayerResult::Passed, code(verdict) == good, "{what}");
        }
    }
    // Under a set whose end is known nothing newer is possible.
    let (before, after) = (authorities(&["a", "b", "c"], 2), authorities(&["a", "d", "e"], 1));
    for (what, signers, expected) in [
        ("enough", &["b", "c"][..], [good, good]),
        ("too few", &["a"], [invalid, unknown]),
        ("those of later", &["d", "e"], [invalid, unknown]),
        ("strangers", &["x", "y"], [invalid, unknown]),
    ] {
        assert_eq!(judged(&before, &after, leaf.get(), signers).each_ref().map(code), expected, "before: {what}");
    }
    // What to do is said.
    let [_, older] = judged(&before, &after, leaf.get() - 1, &["d"]);
    let text = older.to_text(Language::En);
    for words in ["Bring the trust file up to date", "of the 3 authorities", "0 signed it, and 2 must"] {
        assert!(text.contains(words), "{text}");
    }
}

/// Credential and checkpoint by keys that no trust file has: it cannot be ruled out that both sets were replaced, and nothing is shown.
#[test]
fn what_strangers_alone_have_signed_is_not_called_genuine() {
    let (chain, receipt) = chain();
    let thief = crate::testkit::software_key("thief");
    let credential = chain.credential(&receipt).credential;
    let mut bundle = chain.bundle(&receipt);
    bundle.credential = SignedCredential::sign(credential, chain.genesis().chain_id(), &[&thief]).encode();
    let verdict = judge(&chain, &bundle);
    assert_eq!(code(&verdict), "AUTHORITIES_UNKNOWN");
    assert_eq!(verdict.layers.genuine, LayerResult::Unknown);
    assert_eq!(verdict.layers.anchored, LayerResult::Passed);
    assert_eq!((&verdict.signed, &verdict.receipt), (&None, &None), "nothing of it is shown");
    // What does not hold is a fault, whoever may have been replaced.
    let mut misplaced = bundle.clone();
    misplaced.batch.index = LeafIndex::new(2);
    let verdict = judge(&chain, &misplaced);
    assert_eq!(code(&verdict), "BATCH_INCLUSION");
    assert_eq!((verdict.layers.genuine, verdict.layers.anchored), (LayerResult::Unknown, LayerResult::Failed));
    let proof = TlogProof::parse_without_extra(bundle.anchor.as_bytes()).unwrap();
    let strangers: Vec<TestValidator> = (91..=94).map(TestValidator::new).collect();
    let note = chain.checkpoint_note(chain.log().size(), &strangers, chain.now().seconds());
    bundle.anchor = chain.proof_with(proof.index.get(), chain.log().size(), &note);
    let verdict = judge(&chain, &bundle);
    assert_eq!(code(&verdict), "VALIDATORS_UNKNOWN");
    assert_eq!(verdict.layers.genuine, LayerResult::Unknown);
    assert_eq!(verdict.layers.anchored, LayerResult::Unknown);
}

#[test]
fn another_chain_is_named() {
    let (chain, receipt) = chain();
    let other = TestChain::named("otherchain");
    let verdict = verify_bundle(&chain.bundle(&receipt).encode(), other.trust(), chain.now());
    let ids = [chain.genesis().chain_id(), other.genesis().chain_id()].map(|chain| chain.0.to_string());
    for language in Language::ALL {
        let (line, page) = (verdict.to_line(language), verdict.to_text(language));
        assert!(line.contains(chain.trust().origin()) && line.contains("otherchain"), "{line}");
        // Eight digits in the sentence, which has to fit on a phone; all of them among the particulars.
        for id in &ids {
            assert!(line.contains(&id[..8]) && !line.contains(&id[..9]) && page.contains(id), "{page}");
        }
    }
}

#[test]
fn an_old_word_is_not_enough_for_whoever_asks_for_a_newer_one() {
    let (mut chain, receipt) = chain();
    let bytes = chain.bundle(&receipt).encode();
    let later = |seconds: u64| {
        let at = chain.now().plus_millis(seconds * 1000);
        verify_bundle(&bytes, chain.trust(), at)
    };
    let age = later(0).as_of_age_seconds().unwrap();
    assert!(later(100).not_older_than(age + 100).is_in_force());
    let old = later(86_400).not_older_than(3600);
    assert_eq!((code(&old), old.is_proved(), old.layers.in_force), ("TOO_OLD", false, LayerResult::Unknown));
    assert_eq!((old.layers.genuine, old.layers.anchored), (LayerResult::Passed, LayerResult::Passed));
    assert!(matches!(old.conclusion, Conclusion::TooOld { age_seconds_max: 3600, .. }), "{:?}", old.conclusion);
    let (zh, en) = (old.to_text(Language::Zh), old.to_text(Language::En));
    assert!(zh.starts_with("状态过旧  状态是24小时以前的，要求不超过一小时；当时有效。"), "{zh}");
    assert!(en.starts_with("STATE TOO OLD  The state is 24 hours old, no more than 1 hour being allowed"), "{en}");
    assert!(!en.contains("IN FORCE"), "{en}");
    let later = later(3 * 86_400).to_line(Language::Zh);
    assert!(later.contains("三天前的状态（2026年11月2日 "), "{later}");
    let red = chain.reverse(&receipt);
    chain.add_block(std::slice::from_ref(&red));
    let bytes = chain.bundle(&receipt).encode();
    let reversed = verify_bundle(&bytes, chain.trust(), chain.now().plus_millis(86_400_000)).not_older_than(1);
    assert!(matches!(reversed.conclusion, Conclusion::Reversed { .. }), "a reversal does not age");
}

#[test]
fn every_line_says_as_of_when_and_no_bad_one_praises() {
    let (mut chain, receipt) = chain();
    let good = judge(&chain, &chain.bundle(&receipt));
    let (zh, en) = (good.to_line(Language::Zh), good.to_line(Language::En));
    assert!(zh.starts_with("有效  票据真实，已上链，有效。  刚刚的状态（2026年11月2日 "), "{zh}");
    assert!(en.starts_with("IN FORCE  The receipt is genuine, anchored and in force.  state as of "), "{en}");
    assert_eq!(good.signers, ["v1", "v2", "v3"], "the agencies, not their keys");
    let mut forged = chain.bundle(&receipt);
    forged.values[7] = "1.00".to_owned();
    let forged = judge(&chain, &forged);
    let (zh, en) = (forged.to_line(Language::Zh), forged.to_line(Language::En));
    assert_eq!(zh, "已被改动  内容被改动过，不是开票单位签名的内容；不同的是：金额合计（小写）。  (BODY_ROOT)");
    assert!(
        en.starts_with(
            "ALTERED  The content was changed, and is not what the unit signed; what differs: Total.  (BODY_ROOT: "
        ),
        "{en}"
    );
    for praise in ["genuine", "anchored", "in force", "IN FORCE", "真实", "有效"] {
        assert!(!zh.contains(praise) && !en.contains(praise), "{zh} {en}");
    }
    let red = chain.reverse(&receipt);
    chain.add_block(std::slice::from_ref(&red));
    let reversed = judge(&chain, &chain.bundle(&receipt));
    let key = red.receipt.key();
    let (zh, en) = (reversed.to_line(Language::Zh), reversed.to_line(Language::En));
    assert!(zh.starts_with(&format!("已冲红  这张票据已被红字票据{key}冲红，不再有效。  ")), "{zh}");
    assert!(en.starts_with(&format!("REVERSED  The red receipt {key} reversed this receipt")), "{en}");
    let red = judge(&chain, &chain.bundle(&red));
    assert_eq!((red.finding(), red.is_in_force()), (Finding::RedInForce, true));
    assert!(red.to_line(Language::Zh).starts_with("红字票据  "), "{}", red.to_line(Language::Zh));
}

/// What the unit signed is shown beside a content that was changed: whoever holds the paper sees the difference.
#[test]
fn what_was_signed_is_shown_beside_what_was_changed() {
    let (chain, receipt) = chain();
    let good = chain.bundle(&receipt);
    let compare = |verdict: &Verdict| serde_json::to_value(verdict.to_report()).unwrap()["compare"].clone();
    let signed = compare(&judge(&chain, &good));
    let codes: Vec<&str> = signed.as_array().unwrap().iter().map(|row| row["code"].as_str().unwrap()).collect();
    let all = "unit_name unit_code receipt_code receipt_number issue_date total_amount total_in_words";
    assert_eq!(codes.join(" "), all);
    assert_eq!(signed[5]["value"], receipt.receipt.draft.total_amount.to_string());
    for (position, value, field) in [
        (7, "1.00", Some("total_amount")),
        (1, "9999999999", Some("receipt_number")),
        (6, "2026-11-03", Some("issue_date")),
        (4, "别的单位", Some("unit_name")),
        (16, "别人", None),
    ] {
        let mut changed = good.clone();
        assert_ne!(changed.values[position], value);
        changed.values[position] = value.to_owned();
        let verdict = judge(&chain, &changed);
        assert_eq!((verdict.finding(), verdict.receipt.is_none()), (Finding::Altered, true), "{position}");
        let report = serde_json::to_value(verdict.to_report()).unwrap();
        assert_eq!(report["conclusion"]["parameters"]["field"].as_str(), field, "{position}");
        assert_eq!(compare(&verdict), signed, "{position}");
    }
    let mut unsigned = good;
    unsigned.record[40] ^= 1;
    assert!(compare(&judge(&chain, &unsigned)).is_null(), "nothing before the signature holds");
}

/// Nobody may take a specimen for a receipt: not in a line, not in a page, not by the colour.
#[test]
fn every_verdict_of_a_test_chain_says_so() {
    let mut chain = TestChain::of_specimens("specimens");
    let receipt = chain.issue("S01");
    chain.add_block(std::slice::from_ref(&receipt));
    let good = chain.bundle(&receipt);
    let mut altered = good.clone();
    altered.values[7] = "1.00".to_owned();
    for (bytes, tone) in
        [(good.encode(), "caution"), (altered.encode(), "bad"), (Vec::new(), "unknown"), (b"{}".to_vec(), "unknown")]
    {
        let verdict = verify_bundle(&bytes, chain.trust(), chain.now());
        let report = verdict.to_report();
        assert_eq!((report.chain.test, report.notices[0].code, report.conclusion.tone), (true, "TEST_CHAIN", tone));
        for text in [verdict.to_line(Language::Zh), verdict.to_text(Language::Zh)] {
            assert!(text.starts_with("【测试样票】"), "{text}");
        }
        for text in [verdict.to_line(Language::En), verdict.to_text(Language::En)] {
            assert!(text.starts_with("TEST SPECIMEN: "), "{text}");
        }
    }
    let real = TestChain::named("specimens");
    assert_ne!(real.genesis().chain_id(), chain.genesis().chain_id());
    assert!(!verify_bundle(b"{}", real.trust(), real.now()).to_text(Language::Zh).contains("测试样票"));
}

#[test]
fn a_remark_cannot_repaint_the_verdict() {
    let mut chain = TestChain::new();
    let mut draft = chain.draft("S01");
    "x\u{1b}[2J\u{1b}[H有效 IN FORCE\u{9b}2J\u{202e}\u{85}\n有效 IN FORCE".clone_into(&mut draft.remark);
    draft.payer_name.push('\u{1b}');
    let receipt = chain.issue_draft(draft, Vec::new());
    chain.add_block(std::slice::from_ref(&receipt));
    let verdict = judge(&chain, &chain.bundle(&receipt));
    let texts = Language::ALL.map(|language| verdict.to_text(language));
    for text in &texts {
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()) && !text.contains('\u{202e}'), "{text:?}");
        assert!(text.contains("\\u{1b}[2J") && text.contains("\\n有效"), "{text}");
    }
    let begins = |text: &str, word: &str| text.lines().filter(|line| line.starts_with(word)).count();
    assert_eq!((begins(&texts[0], "有效"), begins(&texts[1], "IN FORCE")), (1, 1));
    // What is to be shown has it written out; what a program gets from the JSON does not act either.
    let face = verdict.to_report().receipt.unwrap();
    let remark = &face.lines.iter().find(|line| line.code == "remark").unwrap().value;
    assert!(remark.zh.contains("\\u{202e}") && remark.zh == remark.en, "{remark:?}");
    let json = verdict.to_json();
    assert!(json.chars().all(|c| !c.is_control()) && !json.contains('\u{202e}'), "{json}");
}

type Forge = fn(&mut TestChain, &TestReceipt, &mut Bundle);

/// One row per way of being bad: name, expected code, what is done to a good bundle.
const FORGERIES: &[(&str, &str, Forge)] = &[
    ("record of another receipt", "BODY_ROOT", |chain, _, bundle| {
        bundle.record = chain.issue("S01").record;
    }),
    ("record is not canonical", "RECORD_FORM", |_, _, bundle| bundle.record.push(0)),
    ("credential is not canonical", "CREDENTIAL_FORM", |_, _, bundle| bundle.credential.push(0)),
    ("no authority at all", "CREDENTIAL_SIGNATURES", |chain, receipt, bundle| {
        let mut credential = chain.credential(receipt);
        credential.signatures.clear();
        bundle.credential = credential.encode();
    }),
    ("credential of another unit", "CREDENTIAL_SCOPE", |chain, receipt, bundle| {
        let other = UnitCredential { unit: UnitId::new(999), ..chain.credential(receipt).credential };
        bundle.credential = chain.sign_credential(other).encode();
    }),
    ("credential of another key", "CREDENTIAL_SCOPE", |chain, receipt, bundle| {
        let other = UnitCredential { signing_key: KeyId::new(999), ..chain.credential(receipt).credential };
        bundle.credential = chain.sign_credential(other).encode();
    }),
    ("credential of another time", "CREDENTIAL_SCOPE", |chain, receipt, bundle| {
        let issued = receipt.signed.record.issue_time;
        let other = UnitCredential { valid_until: Some(issued), ..chain.credential(receipt).credential };
        bundle.credential = chain.sign_credential(other).encode();
    }),
    ("key of somebody else", "RECORD_SIGNATURE", |chain, receipt, bundle| {
        let public_key = crate::suite::Signer::public_key(&crate::testkit::unit_key(4242));
        let other = UnitCredential { public_key, ..chain.credential(receipt).credential };
        bundle.credential = chain.sign_credential(other).encode();
    }),
    ("record changed after signing", "RECORD_SIGNATURE", |_, receipt, bundle| {
        let mut signed = receipt.signed.clone();
        signed.record.total = Fen::new(signed.record.total.get() + 1);
        signed.record_bytes = signed.record.encode();
        bundle.record = signed.encode();
    }),
    ("amount changed", "BODY_ROOT", |_, receipt, bundle| {
        let mut forged = receipt.receipt.clone();
        forged.draft.total_amount = Fen::new(1);
        bundle.values = to_values(&forged).unwrap();
    }),
    ("a value left out", "BODY_ROOT", |_, _, bundle| {
        bundle.values.pop();
    }),
    ("another seed", "BODY_ROOT", |_, _, bundle| bundle.seed = crate::receipt::disclosure::Seed::new([0; 32])),
    ("another unit's name in the credential", "BODY_UNIT", |chain, receipt, bundle| {
        let other = UnitCredential { unit_name: "别的单位".to_owned(), ..chain.credential(receipt).credential };
        bundle.credential = chain.sign_credential(other).encode();
    }),
    ("header is not canonical", "HEADER_FORM", |_, _, bundle| bundle.batch.header.push(0)),
    ("another index in the batch", "BATCH_INCLUSION", |_, _, bundle| bundle.batch.index = LeafIndex::new(0)),
    ("an index beyond the batch", "BATCH_INCLUSION", |_, _, bundle| bundle.batch.index = LeafIndex::new(3)),
    ("a trailing hash in the batch path", "BATCH_INCLUSION", |_, _, bundle| bundle.batch.path.push(Hash::ZERO)),
    ("a missing hash in the batch path", "BATCH_INCLUSION", |_, _, bundle| {
        bundle.batch.path.pop();
    }),
    ("the header of another batch", "BATCH_INCLUSION", |chain, _, bundle| {
        let other = chain.issue("S01");
        bundle.batch.header = chain.batch(vec![other.record]).header.encode();
    }),
    ("a header that was never decided", "ANCHOR_INCLUSION", |_, _, bundle| {
        let mut header = SignedBatchHeader::decode(&bundle.batch.header).unwrap();
        header.header.epoch += 1;
        header.header_bytes = header.header.encode();
        bundle.batch.header = header.encode();
    }),
    ("another signature under the header", "ANCHOR_INCLUSION", |_, _, bundle| {
        let mut header = SignedBatchHeader::decode(&bundle.batch.header).unwrap();
        header.signature.0[0] ^= 1;
        bundle.batch.header = header.encode();
    }),
    ("extra data in the proof", "ANCHOR_FORM", |_, _, bundle| {
        bundle.anchor = bundle.anchor.replacen("index ", "extra AAAA\nindex ", 1);
    }),
    ("a trailing hash in the log path", "ANCHOR_INCLUSION", |_, _, bundle| {
        bundle.anchor = with_path(&bundle.anchor, |path| path.push(Hash::ZERO));
    }),
    ("a missing hash in the log path", "ANCHOR_INCLUSION", |_, _, bundle| {
        bundle.anchor = with_path(&bundle.anchor, |path| {
            path.pop();
        });
    }),
    ("the path of another tree size", "ANCHOR_INCLUSION", |chain, _, bundle| {
        let proof = TlogProof::parse(bundle.anchor.as_bytes()).unwrap();
        let size = chain.log().size();
        bundle.anchor = with_path(&bundle.anchor, |path| *path = chain.log().inclusion(proof.index.get(), size));
    }),
    ("the status is older than the receipt", "SEAL_NEWER", |chain, _, bundle| {
        bundle.status.proof = chain.proof(chain.blocks()[0].log_size - 1, Height::ZERO);
        bundle.status.seal = chain.blocks()[0].seal.encode();
    }),
    ("the seal is not canonical", "SEAL_FORM", |_, _, bundle| bundle.status.seal.push(0)),
    ("a seal that is not the last leaf", "SEAL_POSITION", |chain, _, bundle| {
        let (earlier, tip) = (&chain.blocks()[1], &chain.blocks()[3]);
        bundle.status.seal = earlier.seal.encode();
        bundle.status.proof = chain.proof_with(earlier.log_size - 1, tip.log_size, &tip.checkpoint);
    }),
    ("another status root in the seal", "SEAL_POSITION", |chain, _, bundle| {
        let mut seal = chain.blocks()[3].seal.clone();
        seal.status_root = Hash::ZERO;
        bundle.status.seal = seal.encode();
    }),
    ("a status proof that does not read", "STATUS_PROOF", |_, _, bundle| bundle.status.map.push(0)),
    ("a status that is not in the map", "STATUS_PROOF", |_, _, bundle| {
        let by = crate::ids::ReceiptKey {
            code: crate::ids::ReceiptCode::new(99_060_126).unwrap(),
            number: crate::ids::ReceiptNumber::new(1).unwrap(),
        };
        let value = crate::state::StatusValue { salt: [0; 16], status: crate::state::Status::Reversed { by } };
        bundle.status.value = Some(value.encode());
    }),
];

fn with_path(proof: &str, change: impl FnOnce(&mut Vec<Hash>)) -> String {
    let mut proof = TlogProof::parse(proof.as_bytes()).unwrap();
    change(&mut proof.path);
    proof.to_string()
}

#[test]
fn every_forgery_fails_at_its_check() {
    for (name, expected, forge) in FORGERIES {
        let (mut chain, receipt) = chain();
        let mut bundle = chain.bundle(&receipt);
        assert!(judge(&chain, &bundle).is_in_force());
        forge(&mut chain, &receipt, &mut bundle);
        let verdict = judge(&chain, &bundle);
        assert_eq!(code(&verdict), *expected, "{name}: {:?}", verdict.conclusion);
        let failed = verdict.checks.last().unwrap();
        assert_eq!(failed.outcome, CheckOutcome::Failed, "{name}");
        let layers = verdict.layers;
        let expected_layers = match failed.id.layer() {
            Layer::Genuine => [LayerResult::Failed, LayerResult::Unknown, LayerResult::Unknown],
            Layer::Anchored => [LayerResult::Passed, LayerResult::Failed, LayerResult::Unknown],
            Layer::InForce => [LayerResult::Passed, LayerResult::Passed, LayerResult::Failed],
        };
        assert_eq!([layers.genuine, layers.anchored, layers.in_force], expected_layers, "{name}");
    }
}

type Change = fn(&mut SignedRecord);

/// Signs a content that contradicts its own record, as a dishonest unit could.
fn contradiction(change: Change) -> Verdict {
    let mut chain = TestChain::new();
    let mut receipt = chain.issue("S01");
    change(&mut receipt.signed);
    let unit = receipt.signed.record.unit.get();
    let key = crate::testkit::unit_key(unit);
    receipt.signed = SignedRecord::sign(receipt.signed.record.clone(), chain.genesis().chain_id(), &key);
    receipt.record = receipt.signed.encode();
    // What the ledger would refuse or cannot see does not matter here: the content is judged first.
    let good = chain.issue("S01");
    chain.add_block(std::slice::from_ref(&good));
    let mut bundle = chain.bundle(&good);
    bundle.values = to_values(&receipt.receipt).unwrap();
    bundle.seed = receipt.seed.clone();
    bundle.record = receipt.record;
    judge(&chain, &bundle)
}

#[test]
fn a_content_that_contradicts_its_record_is_refused() {
    let rows: [(&str, Change); 6] = [
        ("receipt_code differs", |signed| {
            signed.record.key.code = crate::ids::ReceiptCode::new(99_060_226).unwrap();
        }),
        ("receipt_number differs", |signed| {
            signed.record.key.number = crate::ids::ReceiptNumber::new(5).unwrap();
        }),
        ("total_amount differs", |signed| signed.record.total = Fen::new(signed.record.total.get() + 1)),
        ("issue_time differs", |signed| {
            signed.record.issue_time = signed.record.issue_time.plus_millis(1);
        }),
        ("the reversed original differs", |signed| {
            signed.record.total = Fen::new(-signed.record.total.get());
            signed.record.reverses = Some(signed.record.key);
        }),
        ("", |signed| signed.record.disclosure_count += 1),
    ];
    for (detail, change) in rows {
        let verdict = contradiction(change);
        let failure = verdict.failure().unwrap();
        match detail {
            "" => assert_eq!(failure.code(), "BODY_ROOT"),
            // A wrong total is a red link as well: whichever is named first will do.
            "the reversed original differs" => assert_eq!(failure.code(), "BODY_RECORD"),
            _ => assert_eq!((failure.code(), failure.detail.as_str()), ("BODY_RECORD", detail)),
        }
        assert!(verdict.receipt.is_none(), "an unproved content is not shown");
    }
}

#[test]
fn a_broken_body_rule_warns_and_does_not_refuse() {
    let mut chain = TestChain::new();
    let mut draft = chain.draft("S01");
    draft.items[0].amount = Fen::new(draft.items[0].amount.get() + 100);
    let receipt = chain.issue_draft(draft, Vec::new());
    chain.add_block(std::slice::from_ref(&receipt));
    let verdict = judge(&chain, &chain.bundle(&receipt));
    assert!(verdict.is_in_force());
    assert!(verdict.warnings().any(|warning| warning.starts_with("V08")), "{:?}", verdict.checks);
    let report = verdict.to_report();
    assert_eq!(
        (report.notices[0].code, report.notices[0].said.zh.as_str()),
        ("RULES_BROKEN", "内容有不合票据规则之处（规则V08、V09、V10）；有疑问请向开票单位询问。")
    );
}

#[test]
fn broken_rules_are_told_within_a_bound() {
    let mut chain = TestChain::new();
    let mut draft = chain.draft("S01");
    let aux = draft.aux_items[0].clone();
    draft.aux_items = vec![aux; 60];
    for aux in &mut draft.aux_items {
        "0699".clone_into(&mut aux.related_item_code);
    }
    let receipt = chain.issue_draft(draft, Vec::new());
    chain.add_block(std::slice::from_ref(&receipt));
    let verdict = judge(&chain, &chain.bundle(&receipt));
    let told: Vec<&str> = verdict.warnings().collect();
    assert_eq!(told.len(), 21, "{told:?}");
    assert!(told[20].starts_with("and ") && told[20].ends_with(" more"), "{told:?}");
}

#[test]
fn the_issue_date_is_the_local_day_of_the_issue_time() {
    let mut chain = TestChain::new();
    let mut draft = chain.draft("S01");
    draft.issue_date = draft.issue_date.plus_days(1).unwrap();
    let receipt = chain.issue_draft(draft, Vec::new());
    chain.add_block(std::slice::from_ref(&receipt));
    let verdict = judge(&chain, &chain.bundle(&receipt));
    assert_eq!(verdict.failure().unwrap().detail, "issue_date is not the day of issue_time");
}

#[test]
fn a_checkpoint_needs_its_own_quorum() {
    let (chain, receipt) = chain();
    let bundle = chain.bundle(&receipt);
    let size = chain.log().size();
    let at = chain.now().seconds();
    let validators = chain.validators_at(Height::new(1)).to_vec();
    let with_note = |note: String| {
        let mut bundle = bundle.clone();
        bundle.status.proof = chain.proof_with(size - 1, size, &note);
        judge(&chain, &bundle)
    };
    assert!(with_note(chain.checkpoint_note(size, &validators[1..], at)).is_in_force(), "any three of four");
    assert_eq!(code(&with_note(chain.checkpoint_note(size, &validators[..2], at))), "SEAL_QUORUM", "two of four");
    let twice = [validators[0].clone(), validators[1].clone(), validators[1].clone()];
    assert_eq!(code(&with_note(chain.checkpoint_note(size, &twice, at))), "SEAL_QUORUM", "one validator twice");
    assert_eq!(code(&with_note(chain.checkpoint_note(size, &validators, at))), "SEAL_QUORUM", "one more than needed");
    let strangers: Vec<TestValidator> = (11..=14).map(TestValidator::new).collect();
    assert_eq!(code(&with_note(chain.checkpoint_note(size, &strangers, at))), "VALIDATORS_UNKNOWN", "strangers");
    let future = chain.checkpoint_note(size, &validators[..3], chain.now().seconds() + 601);
    assert_eq!(code(&with_note(future)), "SEAL_TIME", "from the future");

    let origin = chain.trust().origin();
    let text = Checkpoint::new(origin, TreeSize::new(size), chain.log().root(size)).unwrap().to_string();
    let cosigned = validators[..3].iter().map(|validator| validator.cosign(origin, &text, at)).collect();
    let unsigned = SignedNote::new(&text, cosigned).unwrap().to_string();
    assert_eq!(code(&with_note(unsigned)), "SEAL_QUORUM", "no log signature");
}

#[test]
fn retired_validators_vouch_for_nothing_new() {
    let (mut chain, receipt) = chain();
    let old = chain.bundle(&receipt);
    let retired = chain.validators_at(chain.height()).to_vec();
    chain.rotate_validators((21..=24).map(TestValidator::new).collect());
    chain.add_block(&[]);
    assert!(judge(&chain, &old).is_in_force(), "old evidence stays good");
    let fresh = chain.bundle(&receipt);
    assert!(judge(&chain, &fresh).is_in_force(), "across the handover");
    let size = chain.log().size();
    let note = chain.checkpoint_note(size, &retired[..3], chain.now().seconds());
    let mut forged = fresh;
    forged.status.proof = chain.proof_with(size - 1, size, &note);
    assert_eq!(code(&judge(&chain, &forged)), "SEAL_QUORUM");
}

#[test]
fn a_seal_names_the_set_that_cosigned_it() {
    let (chain, receipt) = chain();
    // The same keys under a set of another hash: a trust file that fits the cosignatures and not the seal.
    let text = chain.trust().to_text();
    let hash = chain.genesis().validators.hash(chain.genesis().suite).to_string();
    let other = crate::trust::TrustFile::parse(&text.replace(&hash, &Hash::ZERO.to_string())).unwrap();
    let verdict = verify_bundle(&chain.bundle(&receipt).encode(), &other, chain.now());
    assert_eq!(code(&verdict), "SEAL_SET");
}

#[test]
fn another_chain_with_the_same_keys_refuses_the_bundle() {
    let (chain, receipt) = chain();
    let other = TestChain::named("otherchain");
    let mut bundle = chain.bundle(&receipt);
    let foreign = |bundle: &Bundle| verify_bundle(&bundle.encode(), other.trust(), chain.now());
    assert_eq!(code(&foreign(&bundle)), "OTHER_CHAIN");
    // Relabelled, it fails at the first signature: every preimage holds the chain id.
    bundle.chain = other.genesis().chain_id();
    assert_eq!(code(&foreign(&bundle)), "CREDENTIAL_SIGNATURES");
}

#[test]
fn every_field_has_a_label() {
    use crate::receipt::ext::Ext;
    use crate::receipt::layout::HEADER_NAMES;
    let extensions = (0..100).flat_map(Ext::names);
    for name in HEADER_NAMES.iter().copied().chain(extensions) {
        assert!(field_label(name).is_some(), "{name}");
    }
}

#[test]
fn codes_are_unique_and_ordered_by_layer() {
    let mut codes: Vec<&str> = CheckId::ALL.iter().map(|id| id.code()).collect();
    assert!(CheckId::ALL.windows(2).all(|pair| pair[0].layer() <= pair[1].layer()));
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), CheckId::ALL.len());
}
