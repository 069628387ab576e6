use super::*;
use crate::bundle::Bundle;
use crate::ids::Height;
use crate::testkit::{TestChain, TestReceipt};
use crate::verdict::{Conclusion, Finding, verify_bundle};

fn chain() -> (TestChain, TestReceipt) {
    let mut chain = TestChain::new();
    let receipt = chain.issue("S01");
    chain.add_block(std::slice::from_ref(&receipt));
    (chain, receipt)
}

fn taken(bundle: &Bundle) -> Answer {
    let Bundle { batch, anchor, status, .. } = bundle.clone();
    Answer::Taken { batch, anchor, status }
}

/// One of each form.
fn answers() -> Vec<Answer> {
    let (mut chain, receipt) = chain();
    let red = chain.reverse(&receipt);
    chain.add_block(std::slice::from_ref(&red));
    let checkpoint = chain.blocks().last().unwrap().checkpoint.clone();
    let place = chain.place(&receipt.record);
    let replaced_by = Some(red.receipt.key());
    vec![
        taken(&chain.bundle(&receipt)),
        taken(&chain.bundle(&red)),
        Answer::Refused { checkpoint: checkpoint.clone(), place: place.clone(), replaced_by },
        Answer::Refused { checkpoint: checkpoint.clone(), place, replaced_by: None },
        Answer::Absent { checkpoint },
    ]
}

#[test]
fn an_answer_has_one_spelling() {
    for answer in answers() {
        let bytes = answer.encode();
        assert_eq!(Answer::decode(&bytes), Ok(answer.clone()));
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.starts_with("{\"format\":\"tallystick/ledger-answer/v1\",\"answer\":\""), "{text}");
        for (from, to, problem) in [
            ("{\"format\"", " {\"format\"", BundleError::NotCanonical),
            ("\"answer\":\"", "\"answer\":\"x", BundleError::Value { name: "answer" }),
            ("answer/v1", "answer/v2", BundleError::Format),
        ] {
            assert_eq!(Answer::decode(text.replacen(from, to, 1).as_bytes()), Err(problem), "{to}");
        }
        for changed in
            ["{}", "", "null", &text[..text.len() - 1], &text.replacen("{\"format", "{\"more\":1,\"format", 1)]
        {
            assert!(matches!(Answer::decode(changed.as_bytes()), Err(BundleError::Json { .. })), "{changed}");
        }
    }
    let large = vec![b' '; ANSWER_BYTES_MAX + 1];
    assert_eq!(Answer::decode(&large), Err(BundleError::TooLarge { bytes: large.len() }));
    let absent = answers().pop().unwrap().encode();
    let replaced = String::from_utf8(absent).unwrap().replace("}", ",\"replaced_by\":\"99060126-0001000001\"}");
    assert_eq!(
        Answer::decode(replaced.as_bytes()),
        Err(BundleError::NotCanonical),
        "a key of another form is not lost"
    );
}

#[test]
fn a_bundle_gets_a_later_status_and_becomes_reversed() {
    let (mut chain, receipt) = chain();
    let old = chain.bundle(&receipt).encode();
    let red = chain.reverse(&receipt);
    chain.add_block(std::slice::from_ref(&red));
    assert_eq!(verify_bundle(&old, chain.trust(), chain.now()).finding(), Finding::InForce);
    let joined = join(&old, &taken(&chain.bundle(&receipt)), chain.trust()).unwrap();
    let verdict = verify_bundle(&joined.encode(), chain.trust(), chain.now());
    assert!(matches!(verdict.conclusion, Conclusion::Reversed { by, .. } if by == red.receipt.key()), "{verdict:?}");
    // The same answer twice is the same bundle, and the earlier state does not come back.
    let again = join(&joined.encode(), &taken(&chain.bundle(&receipt)), chain.trust());
    assert_eq!(again.unwrap(), joined);
    let earlier = taken(&Bundle::decode(&old).unwrap());
    assert_eq!(join(&joined.encode(), &earlier, chain.trust()), Err(JoinError::Older));
}

#[test]
fn lines_that_a_bundle_does_not_have_are_left_out() {
    let (chain, receipt) = chain();
    let bundle = chain.bundle(&receipt);
    let size = chain.log().size();
    let everybody = chain.validators_at(Height::new(1));
    let note = chain.checkpoint_note(size, everybody, chain.now().seconds());
    let with_all = |proof: &str| {
        let proof = TlogProof::parse_without_extra(proof.as_bytes()).unwrap();
        TlogProof { checkpoint: SignedNote::parse(note.as_bytes()).unwrap(), ..proof }.to_string()
    };
    let status = StatusPart { proof: with_all(&bundle.status.proof), ..bundle.status.clone() };
    let answer =
        Answer::Taken { batch: bundle.batch.clone(), anchor: with_all(&bundle.anchor), status: status.clone() };
    let with_spare_lines = Bundle { status, anchor: with_all(&bundle.anchor), ..bundle.clone() };
    assert_eq!(verify_bundle(&with_spare_lines.encode(), chain.trust(), chain.now()).code(), "ANCHOR_QUORUM");
    let joined = join(&bundle.encode(), &answer, chain.trust()).unwrap();
    assert_eq!(verify_bundle(&joined.encode(), chain.trust(), chain.now()).finding(), Finding::InForce);
}

#[test]
fn an_answer_that_does_not_fit_says_why_and_a_false_one_does_not_verify() {
    let (mut chain, receipt) = chain();
    let other = chain.issue("S02");
    chain.add_block(std::slice::from_ref(&other));
    let (bundle, trust) = (chain.bundle(&receipt), chain.trust());
    let bytes = bundle.encode();
    assert!(matches!(join(b"{}", &taken(&bundle), trust), Err(JoinError::Bundle(_))));
    let checkpoint = chain.blocks().last().unwrap().checkpoint.clone();
    assert_eq!(join(&bytes, &Answer::Absent { checkpoint }, trust), Err(JoinError::NotTaken));
    let stranger = TestChain::named("another");
    assert!(matches!(join(&bytes, &taken(&bundle), stranger.trust()), Err(JoinError::Checkpoint(_))));
    let Answer::Taken { batch, anchor, status } = taken(&bundle) else { panic!("taken") };
    let cut = StatusPart { proof: status.proof.lines().next().unwrap().to_owned(), ..status.clone() };
    let answer = Answer::Taken { batch: batch.clone(), anchor: anchor.clone(), status: cut };
    assert!(matches!(join(&bytes, &answer, trust), Err(JoinError::Checkpoint(_))));
    // Proofs of another receipt: they join, and the verdict finds it.
    let joined = join(&bytes, &taken(&chain.bundle(&other)), trust).unwrap();
    assert!(!verify_bundle(&joined.encode(), trust, chain.now()).is_proved());
    let unsaid = StatusPart { map: Vec::new(), ..status };
    let joined = join(&bytes, &Answer::Taken { batch, anchor, status: unsaid }, trust).unwrap();
    assert!(!verify_bundle(&joined.encode(), trust, chain.now()).is_proved());
}

#[test]
fn of_a_scan_an_answer_is_what_its_parts_are() {
    for answer in answers() {
        match (answer.borrowed(), &answer) {
            (LedgerAnswer::Taken { anchor, .. }, Answer::Taken { anchor: own, .. }) => assert_eq!(anchor, own),
            (LedgerAnswer::Refused { replaced_by, place, .. }, Answer::Refused { replaced_by: own, .. }) => {
                assert_eq!(replaced_by, *own);
                assert!(!place.entry.is_empty());
            }
            (LedgerAnswer::Absent { checkpoint }, Answer::Absent { checkpoint: own }) => assert_eq!(checkpoint, own),
            (borrowed, _) => panic!("{borrowed:?}"),
        }
    }
}
