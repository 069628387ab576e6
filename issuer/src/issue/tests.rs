use receipt_core::ids::{ReceiptCode, ReceiptNumber, UnixMillis};
use receipt_core::reason::Reason;
use receipt_core::receipt::civil::CivilDate;
use receipt_core::receipt::disclosure::Body;
use receipt_core::receipt::ext::Ext;
use receipt_core::receipt::layout::from_values;
use receipt_core::receipt::model::{ReceiptDraft, Related};
use receipt_core::record::SignedRecord;
use receipt_core::suite::Signer;
use receipt_core::testkit::{GENESIS_TIME_MS, TestChain, UNIT_KEY_BASE, UTC_OFFSET_MINUTES, unit_key};
use tallystick_proto::errors::ErrorReason;
use tallystick_service::clock::Clock as _;

use super::*;
use crate::fate::{Fate, fate};
use crate::journal::{Journal, ReceiptReads as _, ReceiptWrites as _};
use crate::testing::{Fixture, TestIssuer, draft, fixture, identity, init, key_of, offered};

mod blinding;
mod shortage;

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
    let body = Body::of_receipt(signed.record.suite, &receipt, &open.seed).unwrap();
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
        let again = ReceiptDraft { biz_code: biz_code.to_owned(), ..first.clone() };
        issuer.prepare(again, None).unwrap()
    };
    let (new, again, other) = (prepared("A"), prepared("B"), prepared("C"));
    assert_eq!(new.uniqueness.len(), 1);
    let in_one_group = issuer.sequencer.issue(vec![new, again]).unwrap();
    let later = issuer.sequencer.issue(vec![other]).unwrap();
    let key = key_of(&in_one_group[0]);
    for result in [&in_one_group[1], &later[0]] {
        let refusal = result.as_ref().unwrap_err();
        assert_eq!(refusal.reason, Reason::PaymentReceipted.into());
        // Named, whether it stands in the journal or in the same group.
        let told = |name: &str| refusal.metadata.get(name).cloned();
        assert_eq!(told("receipt_number"), Some(key.number.to_string()), "{refusal:?}");
        assert_eq!((told("receipt_code"), told("biz_code")), (Some(key.code.to_string()), Some("A".to_owned())));
    }
}

#[tokio::test]
async fn a_lost_reply_is_an_unknown_outcome_and_a_call_that_was_never_taken_is_not() {
    let Fixture { mut chain, issuer, .. } = fixture();
    let prepared = issuer.prepare(draft(&mut chain, "S01", "A"), None).unwrap();
    let (queue, mut jobs) = issue_queue(100);
    let asking = tokio::spawn({
        let (queue, prepared) = (queue.clone(), prepared.clone());
        async move { queue.issue(vec![prepared]).await }
    });
    // The sequencer took it, and its write failed: it ends without an answer, and what is on disk nobody knows.
    drop(jobs.0.recv().await);
    let lost = asking.await.unwrap().unwrap_err();
    assert_eq!(lost.reason, CallReason::OutcomeUnknown.into());
    assert!(lost.retry_after_ms.is_some());
    assert_eq!(lost.advice.receipt, tallystick_proto::errors::Stands::Unknown);
    assert_eq!(lost.advice.action, tallystick_proto::errors::Action::RepeatHere);
    drop(jobs);
    let refused = queue.issue(vec![prepared]).await.unwrap_err();
    assert_eq!(refused.reason, CallReason::ShuttingDown.into());
    assert_eq!(refused.advice.receipt, tallystick_proto::errors::Stands::No);
}

#[test]
fn the_issue_time_never_goes_back() {
    let Fixture { mut chain, mut issuer, .. } = fixture();
    let later = UnixMillis::new(GENESIS_TIME_MS + 3_600_000);
    issuer.clock.set(later);
    assert_eq!(issuer.issue_new(draft(&mut chain, "S01", "A")).issue_time, later);
    // A clock that is set back a little: time stands still.
    issuer.clock.set(UnixMillis::new(later.get() - 60_000));
    assert_eq!(issuer.issue_new(draft(&mut chain, "S01", "B")).issue_time, later);
    assert_eq!(issuer.journal.last_issue_time().unwrap(), later);
}

fn observe(issuer: &TestIssuer, time: UnixMillis) {
    issuer
        .quorum_time
        .observe(receipt_core::ids::TreeSize::new(1), receipt_core::note::PosixSeconds::new(time.seconds()));
}

#[test]
fn a_clock_that_jumped_back_issues_nothing_until_it_is_set_right() {
    let Fixture { mut chain, mut issuer, .. } = fixture();
    let right = issuer.clock.now();
    let first = issuer.issue_new(draft(&mut chain, "S01", "A"));
    // By an hour, and no ledger in sight: its own last issue time tells.
    issuer.clock.set(UnixMillis::new(right.get() - 3_600_000));
    let results = issuer.issue(vec![draft(&mut chain, "S01", "B"), draft(&mut chain, "S01", "A")]);
    let refusal = results[0].as_ref().unwrap_err();
    assert_eq!(refusal.reason, CallReason::ClockWrong.into());
    assert!(refusal.retry_after_ms.is_some());
    assert!(refusal.message.contains("3600 s behind the last receipt"), "{}", refusal.message);
    assert_eq!(results[1], Ok(Issued::Existing(first.key)), "what is issued is answered");
    // With the validators' time in sight, that tells.
    observe(&issuer, right);
    let refusal = issuer.issue(vec![draft(&mut chain, "S01", "B")]).remove(0).unwrap_err();
    assert!(refusal.message.contains("behind the validators' time"), "{}", refusal.message);
    issuer.clock.set(right);
    let second = issuer.issue_new(draft(&mut chain, "S01", "B"));
    assert_eq!(second.key.number.get(), first.key.number.get() + 1, "no number was spent");
}

#[test]
fn a_clock_that_runs_ahead_issues_nothing_until_it_is_set_right() {
    let Fixture { mut chain, mut issuer, .. } = fixture();
    let right = issuer.clock.now();
    observe(&issuer, right);
    let first = issuer.issue_new(draft(&mut chain, "S01", "A"));
    for ahead_ms in [61_000, 3_600_000] {
        issuer.clock.set(UnixMillis::new(right.get() + ahead_ms));
        let refusal = issuer.issue(vec![draft(&mut chain, "S01", "B")]).remove(0).unwrap_err();
        assert_eq!(refusal.reason, CallReason::ClockWrong.into());
        assert!(refusal.retry_after_ms.is_some());
        assert!(refusal.message.contains("ahead of the validators' time"), "{}", refusal.message);
    }
    // Within the bound it issues, and set right it goes on at once: the ledger takes all of it.
    issuer.clock.set(UnixMillis::new(right.get() + 60_000));
    issuer.issue_new(draft(&mut chain, "S01", "B"));
    issuer.clock.set(right);
    let third = issuer.issue_new(draft(&mut chain, "S01", "C"));
    assert_eq!(third.key.number.get(), first.key.number.get() + 2, "no number was spent");
    all_sealed(&mut issuer, &mut chain, &[first.key, third.key]);
}

#[test]
fn twenty_five_hours_without_a_ledger_lose_nothing() {
    let Fixture { mut chain, mut issuer, .. } = fixture();
    let start = issuer.clock.now();
    observe(&issuer, start);
    let mut keys = Vec::new();
    let mut last = start;
    for hour in 0..=25_u64 {
        last = UnixMillis::new(start.get() + hour * 3_600_000);
        issuer.clock.set(last);
        keys.push(issuer.issue_new(draft_on(&mut chain, last, &format!("H{hour}"))).key);
        // A clock that goes wrong meanwhile is noticed all the same, by the monotonic clock.
        issuer.clock.set(UnixMillis::new(last.get() + 120_000));
        let refusal = issuer.issue(vec![draft_on(&mut chain, last, "wrong")]).remove(0).unwrap_err();
        assert_eq!(refusal.reason, CallReason::ClockWrong.into(), "hour {hour}");
        issuer.monotonic.advance_s(3600);
    }
    // The ledger is back; everything is sealed, long after the promise.
    chain.wait_until(last);
    all_sealed(&mut issuer, &mut chain, &keys);
}

/// A draft of the local day of `time`.
fn draft_on(chain: &mut TestChain, time: UnixMillis, biz_code: &str) -> receipt_core::receipt::model::ReceiptDraft {
    let issue_date = CivilDate::at(time, UTC_OFFSET_MINUTES).unwrap();
    receipt_core::receipt::model::ReceiptDraft { issue_date, ..draft(chain, "S01", biz_code) }
}

#[test]
fn issued_in_the_last_moment_of_a_day_and_sealed_on_the_next() {
    let Fixture { mut chain, mut issuer, .. } = fixture();
    let midnight = TestChain::date().at_seconds(86_399, UTC_OFFSET_MINUTES).unwrap().plus_millis(1_000);
    let last_moment = UnixMillis::new(midnight.get() - 100);
    issuer.clock.set(last_moment);
    let late = issuer.issue_new(draft_on(&mut chain, last_moment, "A"));
    assert_eq!(late.issue_time, last_moment);
    // The next call is of the next day; yesterday's date is refused.
    issuer.clock.set(midnight);
    let early = issuer.issue_new(draft_on(&mut chain, midnight, "B"));
    chain.wait_until(UnixMillis::new(midnight.get() + 2_000));
    all_sealed(&mut issuer, &mut chain, &[late.key, early.key]);
    let unit = issuer.registry.view().unit_by_code(&draft(&mut chain, "S01", "A").unit_code).unwrap().id;
    let kind = late.key.code.get() / 100;
    for (day, key) in [(20_261_102, late.key), (20_261_103, early.key)] {
        let day_kind = crate::journal::DayKind { unit, day, kind };
        assert_eq!(issuer.journal.issued(day_kind).unwrap().blue_count, 1, "{day}");
        assert_eq!(issuer.journal.decided(day_kind).unwrap().sealed_count, 1, "{day}: the day of issue counts");
        assert_eq!(issuer.journal.day(unit, day, None, 10).unwrap()[0].0, key);
    }
}

/// The ledger takes everything that waits; these are sealed.
fn all_sealed(issuer: &mut TestIssuer, chain: &mut TestChain, keys: &[receipt_core::ids::ReceiptKey]) {
    let (_, request) = issuer.cut();
    chain.add_items(vec![offered(&request)]).unwrap();
    issuer.follow(chain);
    for key in keys {
        let fate = fate(&issuer.journal, *key).unwrap();
        assert!(matches!(fate, Fate::Sealed { .. }), "{key}: {fate:?}");
    }
}

#[test]
fn midnight_between_check_and_turn_refuses_the_date() {
    let Fixture { mut chain, mut issuer, .. } = fixture();
    let prepared = issuer.prepare(draft(&mut chain, "S01", "A"), None).unwrap();
    issuer.clock.set(UnixMillis::new(GENESIS_TIME_MS + 16 * 3_600_000));
    let result = issuer.sequencer.issue(vec![prepared]).unwrap().remove(0);
    assert_eq!(reason(&result), Reason::DateOutOfRange.into());
    // A draft that the issuer dates is of the day of its turn.
    let prepared = issuer.prepare(draft(&mut chain, "S01", "A"), None).unwrap_err();
    assert_eq!(prepared.reason, Reason::DateOutOfRange.into());
    issuer.clock.set(UnixMillis::new(GENESIS_TIME_MS));
    let undated = Prepared { dated: false, ..issuer.prepare(draft(&mut chain, "S01", "A"), None).unwrap() };
    issuer.clock.set(UnixMillis::new(GENESIS_TIME_MS + 16 * 3_600_000));
    let key = key_of(&issuer.sequencer.issue(vec![undated]).unwrap().remove(0));
    let body = issuer.journal.body(key).unwrap().unwrap();
    let receipt = from_values(&issuer.cipher.open(key, &body).unwrap().values).unwrap();
    assert_eq!(receipt.draft.issue_date, CivilDate::parse("2026-11-03").unwrap());
}

#[test]
fn a_closed_gate_refuses_new_receipts_and_answers_old_ones() {
    let Fixture { mut chain, mut issuer, .. } = fixture();
    let known = draft(&mut chain, "S01", "A");
    let key = issuer.issue_new(known.clone()).key;
    issuer.gate.halt("behind");
    let results = issuer.issue(vec![known, draft(&mut chain, "S01", "B")]);
    assert_eq!(results[0], Ok(Issued::Existing(key)));
    let refusal = results[1].as_ref().unwrap_err();
    assert_eq!((refusal.reason, refusal.retry_after_ms), (CallReason::NotReady.into(), Some(60_000)));
    assert!(!refusal.message.contains("behind"), "why is the operator's: {refusal}");
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
    let mut split = draft(&mut chain, "S01", "A");
    let Ext::Medical { medical } = &mut split.ext else { panic!("a medical receipt") };
    medical.own_pay = receipt_core::ids::Fen::new(medical.own_pay.get() + 1);
    medical.gender = "\t".to_owned();
    split.checker.clear();
    let refusal = issuer.prepare(split, None).unwrap_err();
    let mut fields: Vec<&str> = refusal.violations.iter().map(|violation| violation.field.as_str()).collect();
    fields.sort_unstable();
    // One way to name a group, everywhere; all fields at once, the first of them in the message.
    assert_eq!(fields, ["checker", "medical", "medical.gender"]);
    let first = &refusal.violations[0];
    assert_eq!(refusal.message, format!("{}: {} (and 2 more)", first.field, first.description));
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_concurrent_calls_with_one_biz_code_make_one_receipt() {
    let Fixture { mut chain, issuer, .. } = fixture();
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
    let Fixture { mut chain, issuer, .. } = fixture();
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

/// A fine, paid under a pay code of its own.
fn fine(chain: &mut TestChain, biz_code: &str, pay_code: u8, instalment: Option<u32>) -> ReceiptDraft {
    let mut draft = draft(chain, "S04", biz_code);
    let Ext::PaymentBook { non_tax, fine, .. } = &mut draft.ext else { panic!("S04 is no payment book") };
    non_tax.pay_code = format!("{pay_code:020}");
    fine.instalment = instalment;
    draft
}

#[test]
fn a_decision_is_receipted_at_once_or_by_instalments() {
    /// What was paid before, what is paid then, and whether there is room for it.
    type Row<'a> = (&'a [Option<u32>], Option<u32>, bool);
    let rows: [Row<'_>; 8] = [
        (&[None], None, false),
        (&[None], Some(1), false),
        (&[None], Some(2), false),
        (&[Some(2)], None, false),
        (&[Some(1), Some(1_200)], None, false),
        (&[Some(2)], Some(2), false),
        (&[Some(2)], Some(1), true),
        (&[Some(1), Some(3)], Some(2), true),
    ];
    for (before, then, taken) in rows {
        // In a later group, and in the same one.
        for later in [true, false] {
            let Fixture { mut chain, mut issuer, .. } = fixture();
            let mut drafts: Vec<_> = (1_u8..)
                .zip(before)
                .map(|(number, instalment)| fine(&mut chain, &number.to_string(), number, *instalment))
                .collect();
            let last = fine(&mut chain, "last", 99, then);
            let results = if later {
                let mut results = issuer.issue(drafts);
                results.extend(issuer.issue(vec![last]));
                results
            } else {
                drafts.push(last);
                issuer.issue(drafts)
            };
            let (last, earlier) = results.split_last().unwrap();
            let holders: Vec<String> = earlier.iter().map(|result| key_of(result).number.to_string()).collect();
            match last {
                Ok(_) => assert!(taken, "{before:?} {then:?} later: {later}"),
                Err(refusal) => {
                    assert!(!taken, "{before:?} {then:?} later: {later} {refusal}");
                    assert_eq!(refusal.reason, Reason::DecisionPaid.into());
                    assert!(
                        holders.contains(&refusal.metadata["receipt_number"]),
                        "{refusal:?} names one of {holders:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn a_settlement_number_is_its_units_and_a_pay_code_is_everybodys() {
    let settled = |chain: &mut TestChain, sample: &str, biz_code: &str| {
        let mut draft = draft(chain, sample, biz_code);
        let Ext::Medical { medical } = &mut draft.ext else { panic!("{sample} is no medical receipt") };
        medical.settlement_number = "JS-1".to_owned();
        draft
    };
    for later in [true, false] {
        let Fixture { mut chain, mut issuer, .. } = fixture();
        let one = settled(&mut chain, "S01", "A");
        let other = settled(&mut chain, "S02", "B");
        let same = settled(&mut chain, "S01", "C");
        assert_ne!(one.unit_code, other.unit_code);
        let results = if later {
            [one, other, same].into_iter().flat_map(|draft| issuer.issue(vec![draft])).collect()
        } else {
            issuer.issue(vec![one, other, same])
        };
        assert_ne!(key_of(&results[0]), key_of(&results[1]), "two hospitals have the same number");
        assert_eq!(reason(&results[2]), Reason::PaymentReceipted.into());

        let fine = fine(&mut chain, "D", 7, None);
        let mut school = draft(&mut chain, "S06", "E");
        assert_ne!(fine.unit_code, school.unit_code);
        school.related.push(Related::CoversPayCode { pay_code: format!("{:020}", 7) });
        let prepared = issuer.prepare(school, None);
        issuer.issue(vec![fine]);
        let prepared = prepared.unwrap();
        assert_eq!(reason(&issuer.sequencer.issue(vec![prepared]).unwrap()[0]), Reason::PaymentReceipted.into());
    }
}

#[tokio::test]
async fn a_call_that_never_fits_says_so_and_a_single_draft_always_fits() {
    let Fixture { mut chain, issuer, .. } = fixture();
    let mut prepared = issuer.prepare(draft(&mut chain, "S01", "A"), None).unwrap();
    let (queue, _jobs) = issue_queue(10);
    let refusal = queue.issue(vec![prepared.clone(); 11]).await.unwrap_err();
    assert_eq!((refusal.reason.as_str(), refusal.retry_after_ms), ("REQUEST_TOO_LARGE", None));
    assert!(refusal.message.contains("split"), "{refusal}");
    assert_eq!(queue.places.available_permits(), 10);
    // One draft that takes more than there is takes all of it.
    prepared.byte_size = 20 * PLACE_BYTES;
    let waiting = tokio::spawn({
        let queue = queue.clone();
        async move { queue.issue(vec![prepared]).await }
    });
    while queue.places.available_permits() > 0 && !waiting.is_finished() {
        tokio::task::yield_now().await;
    }
    assert!(!waiting.is_finished(), "it waits for its turn");
    waiting.abort();
}
