//! Fetching a receipt: who shows that it is theirs gets it, and nobody else learns anything.

use std::time::Instant;

use bytes::Bytes;
use receipt_core::receipt::ext::Ext;
use receipt_core::receipt::model::PayerIdType;
use tallystick_proto::portal::v1 as portal;
use tallystick_proto::portal::v1::elements_response::Answer as ElementsAnswer;
use tallystick_proto::portal::v1::fetch_by_reference_request::Reference;
use tallystick_proto::portal::v1::fetch_response::Answer;

use super::*;
use crate::journal::{TryCount, TryReads as _, TryRow};
use crate::tries::Lane;

const MASKED_ID: &str = "990305********001X";
const ANSWERED_AFTER: Duration = Duration::from_millis(300);

fn from(source: u8) -> Option<portal::Try> {
    Some(portal::Try { source: Bytes::from(vec![source; 16]), ticket: Bytes::new() })
}

fn face(issued: &wire::IssueResponse) -> portal::FetchRequest {
    portal::FetchRequest {
        attempt: from(1),
        receipt_code: issued.receipt_code.clone(),
        receipt_number: issued.receipt_number.clone(),
        check_code: issued.check_code.clone(),
        format: portal::Format::Bundle.into(),
        ..portal::FetchRequest::default()
    }
}

/// Another check code than this one.
fn wrong(check_code: &str) -> String {
    let first = if check_code.starts_with('0') { '1' } else { '0' };
    std::iter::once(first).chain(check_code.chars().skip(1)).collect()
}

impl Running {
    async fn fetch(&self, request: portal::FetchRequest) -> Result<Answer, Refusal> {
        Ok(self.context.fetch(None, request).await?.response.answer.unwrap())
    }

    async fn fetch_by(&self, request: portal::FetchByReferenceRequest) -> Result<Answer, Refusal> {
        Ok(self.context.fetch_by_reference(None, request).await?.response.answer.unwrap())
    }

    /// Time goes on, for the validators, too.
    fn advance_ms(&self, millis: u64) {
        self.clock.advance_ms(millis);
        let seconds = receipt_core::note::PosixSeconds::new(self.clock.now().seconds());
        self.quorum_time.observe(receipt_core::ids::TreeSize::new(self.clock.now().get()), seconds);
    }

    /// The conclusion of the bundle that an answer has.
    fn judged(&self, answer: Answer) -> Conclusion {
        let Answer::Document(document) = answer else { panic!("{answer:?}") };
        self.conclusion(&document.content)
    }

    /// What the journal knows of tries, thousandths: of all of each lane, and the number of rows.
    fn tries(&self) -> (Vec<u64>, usize) {
        let all = |lane| match self.context.journal.tries(TryRow::All(lane)).unwrap() {
            Some(TryCount::Heat(heat)) => heat.thousandths,
            _ => 0,
        };
        let rows = self.context.journal.tries_after(&[], 10_000).unwrap().0.len();
        (Lane::ALL.into_iter().map(all).collect(), rows)
    }

    async fn issued_with_id(&self, sample: &str, biz_code: &str) -> (ReceiptDraft, wire::IssueResponse) {
        let mut draft = self.draft(sample, biz_code);
        draft.payer_id_type = PayerIdType::Resident;
        draft.payer_code = MASKED_ID.to_owned();
        let issued = self.issue_sealed(&draft).await.unwrap();
        (draft, issued)
    }
}

fn refused(result: Result<Answer, Refusal>) -> Refusal {
    match result {
        Err(refusal) => refusal,
        Ok(answer) => panic!("{answer:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_the_check_code_gets_the_receipt_with_its_proof() {
    let running = running().await;
    let issued = running.sealed("S01", "A").await;
    let Answer::Document(document) = running.fetch(face(&issued)).await.unwrap() else { panic!() };
    assert!(matches!(running.conclusion(&document.content), Conclusion::InForce { .. }));
    assert_eq!(document.file_name, format!("{}-{}.tally", issued.receipt_code, issued.receipt_number));
    let typed = portal::FetchRequest { check_code: issued.check_code.to_uppercase(), ..face(&issued) };
    assert!(matches!(running.judged(running.fetch(typed).await.unwrap()), Conclusion::InForce { .. }));
    let as_format = |format: portal::Format| portal::FetchRequest { format: format.into(), ..face(&issued) };
    let Answer::Document(xml) = running.fetch(as_format(portal::Format::Xml)).await.unwrap() else { panic!() };
    assert_eq!(xml.file_name, format!("{}-{}.xml", issued.receipt_code, issued.receipt_number));
    assert!(std::str::from_utf8(&xml.content).unwrap().contains("<TallystickBundle>"));
    // This issuer has no fonts.
    assert_eq!(refused(running.fetch(as_format(portal::Format::Pdf)).await).reason.as_str(), "NO_DOCUMENT");
    let page = portal::FetchRequest { page: 1, ..as_format(portal::Format::Xml) };
    assert_eq!(refused(running.fetch(page).await).violations[0].field, "page");
}

/// One path, one answer: what is wrong does not show, not in the answer, not in its time, not in what is written.
#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_code_an_unknown_number_and_an_erased_body_are_one_answer() {
    let running = running().await;
    let issued = running.sealed("S01", "A").await;
    let other = running.sealed("S01", "B").await;
    let erased = running.sealed("S01", "C").await;
    let erased_key = key_from_wire(&key_of(&erased)).unwrap();
    let mut write = running.context.journal.write();
    write.erase_body(erased_key, UnixMillis::new(5));
    write.commit(crate::journal::Durability::Synced).unwrap();

    let requests = [
        portal::FetchRequest { check_code: wrong(&issued.check_code), ..face(&issued) },
        portal::FetchRequest { check_code: other.check_code.clone(), ..face(&issued) },
        portal::FetchRequest { receipt_number: "9999999999".to_owned(), ..face(&issued) },
        portal::FetchRequest { receipt_code: "99010126".to_owned(), ..face(&issued) },
        face(&erased),
    ];
    let mut answers = Vec::new();
    for (source, request) in (10..).zip(requests) {
        let before = running.tries();
        let began = Instant::now();
        let refusal = refused(running.fetch(portal::FetchRequest { attempt: from(source), ..request }).await);
        assert!(began.elapsed() >= ANSWERED_AFTER, "{source}");
        let after = running.tries();
        // One try more of all, one row more of a source, and one of what was asked for unless that was asked for before.
        answers.push((refusal, after.0[0] - before.0[0]));
    }
    let (first, counted) = &answers[0];
    assert_eq!((first.reason.as_str(), first.metadata.len(), *counted), ("NOT_FOUND_OR_MISMATCH", 0, 1_000));
    for (refusal, written) in &answers {
        assert_eq!((refusal, written), (first, counted));
    }
    // The right one, from yet another source, is as easy as ever, and counts nothing.
    let before = running.tries().0[0];
    running.fetch(portal::FetchRequest { attempt: from(30), ..face(&issued) }).await.unwrap();
    let taken_back = async {
        while running.tries().0[0] != before {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), taken_back).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn others_tries_make_the_holder_wait_in_a_place_that_nobody_can_take() {
    let running = running().await;
    let issued = running.sealed("S01", "A").await;
    let unknown = portal::FetchRequest { receipt_number: "9999999999".to_owned(), ..face(&issued) };
    // The same of a receipt and of a number that nobody issued.
    for request in [face(&issued), unknown] {
        let guess = portal::FetchRequest { check_code: wrong(&issued.check_code), ..request.clone() };
        for source in 0..4 {
            let answer = running.fetch(portal::FetchRequest { attempt: from(source), ..guess.clone() }).await;
            match (source, answer) {
                (0..3, Err(refusal)) => assert_eq!(refusal.reason.as_str(), "NOT_FOUND_OR_MISMATCH"),
                (3, Ok(Answer::Wait(wait))) => assert_eq!(wait.wait_ms, 1_000),
                (_, other) => panic!("{source}: {other:?}"),
            }
        }
        let Answer::Wait(wait) = running.fetch(request.clone()).await.unwrap() else { panic!() };
        assert_eq!((wait.wait_ms, wait.good_for_ms), (2_000, 600_000));
    }

    let Answer::Wait(wait) = running.fetch(face(&issued)).await.unwrap() else { panic!() };
    let with = |ticket: &Bytes, request: portal::FetchRequest| {
        let source = request.attempt.clone().unwrap().source;
        portal::FetchRequest { attempt: Some(portal::Try { source, ticket: ticket.clone() }), ..request }
    };
    running.advance_ms(1_500);
    let counted = running.tries();
    let Answer::Wait(early) = running.fetch(with(&wait.ticket, face(&issued))).await.unwrap() else { panic!() };
    assert_eq!((early.ticket.clone(), early.wait_ms), (wait.ticket.clone(), 2_500));
    assert_eq!(running.tries(), counted, "it was counted when the ticket was given");
    running.advance_ms(2_500);
    // The ticket is for this request of this source alone: another guess, and the same from elsewhere, wait anew.
    let guess = portal::FetchRequest { check_code: wrong(&issued.check_code), ..face(&issued) };
    let elsewhere = portal::FetchRequest { attempt: from(40), ..face(&issued) };
    for request in [guess, elsewhere] {
        let answer = running.fetch(with(&wait.ticket, request)).await.unwrap();
        assert!(matches!(answer, Answer::Wait(_)), "{answer:?}");
    }
    let answer = running.fetch(with(&wait.ticket, face(&issued))).await.unwrap();
    assert!(matches!(running.judged(answer), Conclusion::InForce { .. }));
}

/// A hundred wrong tries from a hundred sources: the check code alone is not judged any more, and the holder is, with what else is on the paper.
#[tokio::test(flavor = "multi_thread")]
async fn after_many_tries_date_and_amount_are_asked_for() {
    let running = running().await;
    let draft = running.draft("S01", "A");
    let issued = running.issue_sealed(&draft).await.unwrap();
    let whole = portal::FetchRequest {
        issue_date: issued.issue_date.clone(),
        total_fen: Some(draft.total_amount.get()),
        ..face(&issued)
    };
    let key = key_from_wire(&key_of(&issued)).unwrap();
    let target = [b"face\n", &crate::journal::receipt_key_bytes(key)[..]].concat();
    let bucket = running.context.tickets.bucket(&target);
    for source in 0..100 {
        let attempt = crate::try_desk::Attempt { lane: Lane::Code, bucket, source: [source; 16] };
        assert!(running.context.tries.count(attempt).await.unwrap().is_counted());
    }
    let counted = running.tries();
    let Answer::GiveMore(more) = running.fetch(face(&issued)).await.unwrap() else { panic!() };
    assert_eq!(more.fields, ["issue_date", "total_fen"]);
    assert_eq!(running.tries(), counted, "what is not judged is not counted");
    assert!(matches!(running.judged(running.fetch(whole.clone()).await.unwrap()), Conclusion::InForce { .. }));
    // All that is given must fit.
    for (source, other) in (50..).zip([
        portal::FetchRequest { total_fen: Some(draft.total_amount.get() + 1), ..whole.clone() },
        portal::FetchRequest { issue_date: "2020-01-01".to_owned(), ..whole.clone() },
        portal::FetchRequest { check_code: wrong(&issued.check_code), ..whole },
    ]) {
        let refusal = refused(running.fetch(portal::FetchRequest { attempt: from(source), ..other }).await);
        assert_eq!(refusal.reason.as_str(), "NOT_FOUND_OR_MISMATCH");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_lost_it_names_what_was_paid_and_the_end_of_an_identity_number() {
    let running = running().await;
    let (draft, issued) = running.issued_with_id("S01", "A").await;
    let by = |reference: Reference| portal::FetchByReferenceRequest {
        attempt: from(1),
        unit_code: draft.unit_code.clone(),
        reference: Some(reference),
        payer_id_last_four: "001x".to_owned(),
        format: portal::Format::Bundle.into(),
        ..portal::FetchByReferenceRequest::default()
    };
    let settlement = |number: &str| by(Reference::SettlementNumber(number.to_owned()));
    for request in [settlement("JS-A"), settlement("ｊｓ－Ａ"), by(Reference::BizCode("A".to_owned()))] {
        assert!(matches!(running.judged(running.fetch_by(request).await.unwrap()), Conclusion::InForce { .. }));
    }
    let mut seen = Vec::new();
    for (source, request) in (10..).zip([
        portal::FetchByReferenceRequest { payer_id_last_four: "0013".to_owned(), ..settlement("JS-A") },
        settlement("JS-B"),
        portal::FetchByReferenceRequest { unit_code: "129903004000000X".to_owned(), ..settlement("JS-A") },
        by(Reference::BizCode("B".to_owned())),
        by(Reference::PayCode("JS-A".to_owned())),
        portal::FetchByReferenceRequest { total_fen: Some(1), ..settlement("JS-A") },
    ]) {
        let began = Instant::now();
        seen.push(refused(
            running.fetch_by(portal::FetchByReferenceRequest { attempt: from(source), ..request }).await,
        ));
        assert!(began.elapsed() >= ANSWERED_AFTER, "{source}");
    }
    assert_eq!(seen[0].reason.as_str(), "NOT_FOUND_OR_MISMATCH");
    assert!(seen.iter().all(|refusal| *refusal == seen[0]), "{seen:?}");

    // However it is written, it is one thing that is tried for: five tries a week, then date and amount.
    for (source, number) in (20..).zip(["js-a", "JS–A", "ＪＳ-A"]) {
        let request = portal::FetchByReferenceRequest { payer_id_last_four: "0013".to_owned(), ..settlement(number) };
        let answer = running.fetch_by(portal::FetchByReferenceRequest { attempt: from(source), ..request }).await;
        let is_placed = matches!(answer, Ok(Answer::Wait(_))) || refused(answer.clone()).retry_after_ms.is_none();
        assert!(is_placed, "{number}");
    }
    let again = portal::FetchByReferenceRequest { attempt: from(60), ..settlement("JS-A") };
    let answer = running.fetch_by(again.clone()).await.unwrap();
    assert!(matches!(answer, Answer::GiveMore(_)), "{answer:?}");
    let whole = portal::FetchByReferenceRequest {
        issue_date: issued.issue_date.clone(),
        total_fen: Some(draft.total_amount.get()),
        ..again
    };
    assert!(matches!(running.judged(running.fetch_by(whole).await.unwrap()), Conclusion::InForce { .. }));
}

/// Of every instalment of a decision, and of a receipt whose payer has no number that shows.
#[tokio::test(flavor = "multi_thread")]
async fn a_decision_is_one_thing_to_try_for_and_a_hidden_number_opens_nothing() {
    let running = running().await;
    let mut draft = running.draft("S04", "F");
    draft.payer_id_type = PayerIdType::Resident;
    draft.payer_code = MASKED_ID.to_owned();
    let Ext::PaymentBook { fine, .. } = &draft.ext else { panic!() };
    let decision = |instalment: u32| {
        Reference::Decision(wire::DecisionKey { penalty_decision_no: fine.penalty_decision_no.clone(), instalment })
    };
    let instalment = fine.instalment.unwrap_or(0);
    running.issue_sealed(&draft).await.unwrap();
    let by = |source: u8, reference: Reference, end: &str| portal::FetchByReferenceRequest {
        attempt: from(source),
        unit_code: draft.unit_code.clone(),
        reference: Some(reference),
        payer_id_last_four: end.to_owned(),
        format: portal::Format::Bundle.into(),
        ..portal::FetchByReferenceRequest::default()
    };
    let answer = running.fetch_by(by(1, decision(instalment), "001X")).await.unwrap();
    assert!(matches!(running.judged(answer), Conclusion::InForce { .. }));
    for source in 10..15 {
        let answer = running.fetch_by(by(source, decision(u32::from(source)), "0013")).await;
        assert!(!matches!(answer, Ok(Answer::GiveMore(_))), "{source}");
    }
    let answer = running.fetch_by(by(16, decision(99), "0013")).await.unwrap();
    assert!(matches!(answer, Answer::GiveMore(_)), "{answer:?}");

    let mut hidden = running.draft("S01", "H");
    hidden.payer_id_type = PayerIdType::Resident;
    hidden.payer_code = "99030519900101****".to_owned();
    running.issue_sealed(&hidden).await.unwrap();
    let settlement = Reference::SettlementNumber("JS-H".to_owned());
    let mut request = by(20, settlement, "0101");
    request.unit_code = hidden.unit_code.clone();
    let refusal = refused(running.fetch_by(request.clone()).await);
    assert_eq!(refusal.reason.as_str(), "NOT_FOUND_OR_MISMATCH");
    let refusal = refused(
        running.fetch_by(portal::FetchByReferenceRequest { payer_id_last_four: "****".to_owned(), ..request }).await,
    );
    assert_eq!(refusal.violations[0].field, "payer_id_last_four");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_five_elements_say_genuine_and_what_became_of_it() {
    let running = running().await;
    let draft = running.draft("S01", "A");
    let issued = running.issue_sealed(&draft).await.unwrap();
    let elements = portal::ElementsRequest {
        attempt: from(1),
        receipt_code: issued.receipt_code.clone(),
        receipt_number: issued.receipt_number.clone(),
        check_code: issued.check_code.clone(),
        issue_date: issued.issue_date.clone(),
        total_fen: draft.total_amount.get(),
    };
    let genuine =
        async |request: portal::ElementsRequest| match running.context.elements(request).await?.answer.unwrap() {
            ElementsAnswer::Genuine(genuine) => Ok::<_, Refusal>(genuine),
            ElementsAnswer::Wait(wait) => panic!("{wait:?}"),
        };
    let found = genuine(elements.clone()).await.unwrap();
    assert_eq!((found.state(), found.standing()), (wire::ReceiptState::Sealed, wire::Standing::InForce));
    assert_eq!(found.signed_record, issued.signed_record);
    assert!(matches!(running.conclusion(&found.bundle), Conclusion::InForce { .. }));

    let refusal =
        genuine(portal::ElementsRequest { attempt: from(2), total_fen: 1, ..elements.clone() }).await.unwrap_err();
    assert_eq!(refusal.reason.as_str(), "NOT_FOUND_OR_MISMATCH");
    let refusal = genuine(portal::ElementsRequest { issue_date: String::new(), ..elements.clone() }).await.unwrap_err();
    assert_eq!(refusal.violations[0].field, "issue_date");

    let red = running.context.reverse(SYSTEM, running.reversal(&draft.unit_code, &issued, "R")).await.unwrap();
    let found = genuine(elements).await.unwrap();
    assert_eq!((found.standing(), found.reversed_by.clone()), (wire::Standing::Reversed, Some(key_of(&red))));
    assert!(matches!(running.conclusion(&found.bundle), Conclusion::Reversed { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_not_the_form_is_refused_by_field_and_counts_nothing() {
    let running = running().await;
    let good = portal::FetchRequest {
        attempt: from(1),
        receipt_code: "99060126".to_owned(),
        receipt_number: "0000000001".to_owned(),
        check_code: "abc123".to_owned(),
        format: portal::Format::Bundle.into(),
        ..portal::FetchRequest::default()
    };
    let short = Some(portal::Try { source: Bytes::from_static(&[1; 15]), ticket: Bytes::new() });
    for (field, request) in [
        ("attempt", portal::FetchRequest { attempt: None, ..good.clone() }),
        ("attempt.source", portal::FetchRequest { attempt: short, ..good.clone() }),
        ("receipt_code", portal::FetchRequest { receipt_code: "9906012".to_owned(), ..good.clone() }),
        ("receipt_number", portal::FetchRequest { receipt_number: "1".to_owned(), ..good.clone() }),
        ("check_code", portal::FetchRequest { check_code: "abc12\u{ff13}".to_owned(), ..good.clone() }),
        ("issue_date", portal::FetchRequest { issue_date: "2026-02-30".to_owned(), ..good.clone() }),
        ("format", portal::FetchRequest { format: 0, ..good.clone() }),
        ("page", portal::FetchRequest { page: 1, ..good.clone() }),
    ] {
        let refusal = refused(running.fetch(request).await);
        assert_eq!(refusal.violations[0].field, field, "{refusal}");
    }
    assert_eq!(running.tries(), (vec![0; 4], 0));
    running
        .quorum_time
        .observe(receipt_core::ids::TreeSize::new(1_000), receipt_core::note::PosixSeconds::new(9_000_000_000));
    assert_eq!(
        refused(running.fetch(good).await).reason.as_str(),
        "CLOCK_WRONG",
        "a clock that is wrong judges nobody"
    );
}
