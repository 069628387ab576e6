use receipt_core::ids::{ReceiptCode, ReceiptNumber, UnixMillis};
use receipt_core::reason::Reason;
use receipt_core::receipt::disclosure::Body;
use receipt_core::receipt::layout::from_values;
use receipt_core::record::SignedRecord;
use receipt_core::suite::Signer;
use receipt_core::testkit::{GENESIS_TIME_MS, TestChain, UNIT_KEY_BASE, unit_key};
use tallystick_proto::errors::ErrorReason;

use super::*;
use crate::testing::{TestIssuer, draft, init, key_of};

struct Fixture {
    _dir: tempfile::TempDir,
    chain: TestChain,
    issuer: TestIssuer,
}

fn fixture() -> Fixture {
    let dir = tempfile::tempdir().unwrap();
    let chain = TestChain::new();
    let issuer = TestIssuer::start(init(dir.path(), &chain), &chain, 1);
    Fixture { _dir: dir, chain, issuer }
}

fn reason(result: &IssueResult) -> ErrorReason {
    result.as_ref().unwrap_err().reason
}

#[test]
fn a_receipt_is_signed_committed_and_stored_encrypted() {
    let Fixture { mut chain, mut issuer, .. } = fixture();
    let draft = draft(&mut chain, "S01", "A");
    let acknowledgement = issuer.issue_new(draft.clone());
    let signed = SignedRecord::decode(&acknowledgement.signed_record).unwrap();
    let unit = signed.record.unit.get();
    assert_eq!(signed.record.signing_key.get(), UNIT_KEY_BASE + unit);
    assert!(signed.verify(chain.genesis().chain_id(), &unit_key(unit).public_key()));
    assert_eq!(signed.record.seal_by.since(signed.record.issue_time), 600_000);
    let sealed = issuer.journal.body(acknowledgement.key).unwrap().unwrap();
    let open = issuer.cipher.open(acknowledgement.key, &sealed).unwrap();
    assert_eq!(open.seed, acknowledgement.seed);
    let receipt = from_values(&open.values).unwrap();
    assert_eq!(receipt.draft, draft);
    assert_eq!(receipt.issued.check_code, acknowledgement.check_code);
    let body = Body::of_receipt(&receipt, &open.seed).unwrap();
    assert_eq!(body.root(), signed.record.body_root);
    assert_eq!(body.disclosures().len(), signed.record.disclosure_count as usize);
    let leaked = receipt_core::receipt::rules::leaked_fields(&acknowledgement.signed_record, &receipt).unwrap();
    assert_eq!(leaked, Vec::<String>::new(), "V25");
}

#[test]
fn one_biz_code_is_one_receipt_in_a_group_and_across_groups() {
    let Fixture { mut chain, mut issuer, .. } = fixture();
    let same = draft(&mut chain, "S01", "A");
    let results = issuer.issue(vec![same.clone(); 50]);
    let key = key_of(&results[0]);
    assert!(results[1..].iter().all(|result| *result == Ok(Issued::Existing(key))));
    assert_eq!(issuer.issue(vec![same.clone()]), vec![Ok(Issued::Existing(key))]);
    let mut other = same;
    other.payer_name.push('氏');
    assert_eq!(reason(&issuer.issue(vec![other])[0]), Reason::BizCodeConflict.into());
    assert_eq!(issuer.backlog.records(), 1);
}

#[test]
fn numbers_of_a_segment_ascend_without_gaps_even_past_refusals() {
    let Fixture { mut chain, mut issuer, .. } = fixture();
    let drafts = ["A", "B", "A", "C"].map(|biz_code| draft(&mut chain, "S01", biz_code));
    let mut conflicting = draft(&mut chain, "S01", "A");
    conflicting.payer_name.push('氏');
    let mut group = drafts.to_vec();
    group.insert(2, conflicting);
    let results = issuer.issue(group);
    let first = key_of(&results[0]).number.get();
    assert_eq!(key_of(&results[1]).number.get(), first + 1);
    assert_eq!(reason(&results[2]), Reason::BizCodeConflict.into());
    assert_eq!(results[3], Ok(Issued::Existing(key_of(&results[0]))));
    assert_eq!(key_of(&results[4]).number.get(), first + 2);
}

#[test]
fn a_used_up_segment_is_number_exhausted_and_spends_nothing() {
    let Fixture { mut chain, mut issuer, .. } = fixture();
    let sample = draft(&mut chain, "S01", "A");
    let view = issuer.registry.view();
    let unit = view.unit_by_code(&sample.unit_code).unwrap().id;
    let segment = view.segments(unit, sample.receipt_code)[0];
    let mut write = issuer.journal.write();
    write.put_next_number(segment.id, segment.last);
    write.commit(crate::journal::Durability::Synced).unwrap();
    let results = issuer.issue(vec![sample, draft(&mut chain, "S01", "B")]);
    assert_eq!(key_of(&results[0]).number, ReceiptNumber::new(segment.last).unwrap());
    assert_eq!(reason(&results[1]), Reason::NumberExhausted.into());
    assert_eq!(issuer.journal.biz(unit, "B").unwrap(), None);
}

#[test]
fn a_payment_has_one_live_receipt() {
    let Fixture { mut chain, mut issuer, .. } = fixture();
    let first = draft(&mut chain, "S01", "A");
    let prepared = |biz_code: &str| {
        let again = receipt_core::receipt::model::ReceiptDraft { biz_code: biz_code.to_owned(), ..first.clone() };
        issuer.prepare(again, None).unwrap()
    };
    let (new, again, other) = (prepared("A"), prepared("B"), prepared("C"));
    assert_eq!(new.uniqueness.len(), 1);
    let in_one_group = issuer.sequencer.issue(vec![new, again]).unwrap();
    key_of(&in_one_group[0]);
    let later = issuer.sequencer.issue(vec![other]).unwrap();
    for result in [&in_one_group[1], &later[0]] {
        assert_eq!(reason(result), Reason::PaymentReceipted.into());
    }
}

#[test]
fn the_issue_time_never_goes_back() {
    let Fixture { mut chain, mut issuer, .. } = fixture();
    let later = UnixMillis::new(GENESIS_TIME_MS + 3_600_000);
    issuer.clock.set(later);
    assert_eq!(issuer.issue_new(draft(&mut chain, "S01", "A")).issue_time, later);
    issuer.clock.set(UnixMillis::new(GENESIS_TIME_MS));
    assert_eq!(issuer.issue_new(draft(&mut chain, "S01", "B")).issue_time, later);
    assert_eq!(issuer.journal.last_issue_time().unwrap(), later);
}

#[test]
fn midnight_between_check_and_turn_refuses_the_date() {
    let Fixture { mut chain, mut issuer, .. } = fixture();
    let prepared = issuer.prepare(draft(&mut chain, "S01", "A"), None).unwrap();
    issuer.clock.set(UnixMillis::new(GENESIS_TIME_MS + 16 * 3_600_000));
    let result = issuer.sequencer.issue(vec![prepared]).unwrap().remove(0);
    assert_eq!(reason(&result), Reason::DateOutOfRange.into());
}

#[test]
fn a_closed_gate_refuses_new_receipts_and_answers_old_ones() {
    let Fixture { mut chain, mut issuer, .. } = fixture();
    let known = draft(&mut chain, "S01", "A");
    let key = issuer.issue_new(known.clone()).key;
    issuer.gate.halt("behind");
    let results = issuer.issue(vec![known, draft(&mut chain, "S01", "B")]);
    assert_eq!(results[0], Ok(Issued::Existing(key)));
    assert_eq!(reason(&results[1]), Reason::EpochFenced.into());
}

#[test]
fn rules_are_named_with_their_field() {
    let Fixture { mut chain, issuer, .. } = fixture();
    let mut wrong = draft(&mut chain, "S01", "A");
    wrong.total_amount = receipt_core::ids::Fen::new(wrong.total_amount.get() + 1);
    let refusal = issuer.prepare(wrong, None).unwrap_err();
    assert_eq!(refusal.reason, Reason::SumMismatch.into());
    assert!(!refusal.violations.is_empty());
    let mut foreign = draft(&mut chain, "S01", "A");
    foreign.receipt_code = ReceiptCode::parse("99070126").unwrap();
    let refusal = issuer.prepare(foreign, None).unwrap_err();
    assert!(refusal.violations.iter().any(|violation| violation.field == "receipt_code" || violation.field == "ext"));
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_concurrent_calls_with_one_biz_code_make_one_receipt() {
    let Fixture { _dir, mut chain, issuer } = fixture();
    let prepared = issuer.prepare(draft(&mut chain, "S01", "A"), None).unwrap();
    let (queue, jobs) = issue_queue(100);
    let token = CancellationToken::new();
    let sequencer = tokio::spawn(run(issuer.sequencer, jobs, 1024, token.clone()));
    let calls: Vec<_> = (0..50)
        .map(|_| {
            let (queue, prepared) = (queue.clone(), prepared.clone());
            tokio::spawn(async move { queue.issue(vec![prepared]).await.unwrap().remove(0).unwrap() })
        })
        .collect();
    let mut new = 0;
    let mut keys = std::collections::HashSet::new();
    for call in calls {
        match call.await.unwrap() {
            Issued::New(acknowledgement) => {
                new += 1;
                keys.insert(acknowledgement.key);
            }
            Issued::Existing(key) => {
                keys.insert(key);
            }
        }
    }
    assert_eq!((new, keys.len()), (1, 1));
    token.cancel();
    sequencer.await.unwrap().unwrap();
    let refusal = queue.issue(vec![prepared]).await.unwrap_err();
    assert_eq!(refusal.reason.as_str(), "SHUTTING_DOWN");
}

#[tokio::test]
async fn a_full_queue_is_overloaded_with_a_retry_hint() {
    let Fixture { _dir, mut chain, issuer } = fixture();
    let prepared = issuer.prepare(draft(&mut chain, "S01", "A"), None).unwrap();
    let places = 1 + prepared.byte_size / PLACE_BYTES;
    let (queue, _jobs) = issue_queue(places);
    let waiting = tokio::spawn({
        let (queue, prepared) = (queue.clone(), prepared.clone());
        async move { queue.issue(vec![prepared]).await }
    });
    while queue.places.available_permits() > 0 {
        tokio::task::yield_now().await;
    }
    let refusal = queue.issue(vec![prepared]).await.unwrap_err();
    assert_eq!(refusal.reason, Reason::Overloaded.into());
    assert!(refusal.retry_after_ms.is_some());
    waiting.abort();
}
