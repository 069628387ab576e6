//! Nothing happens twice: one receipt per `biz_code`, one receipt in force per payment and decision, one reversal per receipt, however
//! many call at once.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use receipt_core::reason::Reason;
use receipt_core::receipt::ext::Ext;
use receipt_core::verdict::{Conclusion, verify_bundle};
use tallystick_devnet::NetworkOptions;
use tallystick_devnet::clients::IssuerClient;
use tallystick_devnet::generate_receipts::GeneratedReceipt;
use tallystick_devnet::logs::AllowList;
use tallystick_proto::convert::draft_to_wire;
use tallystick_proto::errors::{ErrorReason, Refusal};
use tallystick_proto::issuer::v1::{
    IssueManyRequest, IssueRequest, IssueResponse, ReceiptKey, ReceiptState, Standing, Wait, issue_result,
};
use tallystick_service::clock::{Clock as _, SystemClock};
use tallystick_tests::TestNetwork;
use tallystick_tests::judgement::{all_sealed_once, bundle_of, client_of, state_of};
use tallystick_tests::load::{Acked, Clients, clients};
use tallystick_tests::requests::reversal;
use tokio::task::JoinSet;
use tonic::Status;

const CALLS_AT_ONCE: u64 = 50;

async fn issue(clients: &Clients, receipt: &GeneratedReceipt, wait: Wait) -> Result<Acked, Refusal> {
    let mut client = clients[&receipt.system_id].clone();
    let draft = Some(draft_to_wire(&receipt.draft));
    let answer = client.issue(IssueRequest { draft, wait: wait.into(), wait_timeout_ms: 30_000, with_bundle: false });
    let response = answer.await.map_err(refusal)?.into_inner();
    let key = (response.receipt_code.clone(), response.receipt_number.clone());
    Ok(Acked { receipt: receipt.clone(), key, response })
}

fn refusal(status: Status) -> Refusal {
    Refusal::from_status(&status).unwrap_or_else(|| panic!("not a refusal of ours: {status:?}"))
}

/// All at once; the answers in the order of the drafts.
async fn issue_at_once(clients: &Clients, receipts: Vec<GeneratedReceipt>) -> Vec<Result<Acked, Refusal>> {
    let mut calls = JoinSet::new();
    for (index, receipt) in receipts.into_iter().enumerate() {
        let clients = clients.clone();
        calls.spawn(async move { (index, issue(&clients, &receipt, Wait::Pending).await) });
    }
    let mut answers = calls.join_all().await;
    answers.sort_by_key(|(index, _)| *index);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

fn assert_refused<T: std::fmt::Debug>(answer: Result<T, Refusal>, reason: Reason) {
    assert_eq!(answer.unwrap_err().reason, ErrorReason::Core(reason));
}

fn with_biz_code(receipt: &GeneratedReceipt, biz_code: &str) -> GeneratedReceipt {
    let mut other = receipt.clone();
    other.draft.biz_code = format!("{}-{biz_code}", receipt.draft.biz_code);
    other
}

#[tokio::test(flavor = "multi_thread")]
async fn one_biz_code_is_one_receipt() {
    let network = TestNetwork::start(&NetworkOptions::default()).await.unwrap();
    let clients = clients(&network, 1).await.unwrap();
    let mut generator = network.receipts(1).unwrap();

    // The same content: one is new, all others are that one.
    let receipt = generator.outpatient().unwrap();
    let answers = issue_at_once(&clients, (0..CALLS_AT_ONCE).map(|_| receipt.clone()).collect()).await;
    let answers: Vec<Acked> = answers.into_iter().map(Result::unwrap).collect();
    assert_eq!(answers.iter().filter(|acked| !acked.response.replayed).count(), 1);
    for acked in &answers {
        let parts = |acked: &Acked| {
            (acked.key.clone(), acked.response.signed_record.clone(), acked.response.check_code.clone())
        };
        assert_eq!(parts(acked), parts(&answers[0]));
    }

    // Two contents under one biz_code: the first one stands, every other call is the same or in conflict.
    let first = generator.outpatient().unwrap();
    let mut second = first.clone();
    second.draft.remark = "另一内容".to_owned();
    let drafts = (0..CALLS_AT_ONCE).map(|index| if index % 2 == 0 { first.clone() } else { second.clone() });
    let mut taken = Vec::new();
    for answer in issue_at_once(&clients, drafts.collect()).await {
        match answer {
            Ok(acked) => taken.push(acked),
            Err(refusal) => assert_eq!(refusal.reason, ErrorReason::Core(Reason::BizCodeConflict)),
        }
    }
    assert_eq!(taken.len() as u64, CALLS_AT_ONCE / 2);
    assert!(taken.iter().all(|acked| acked.key == taken[0].key && acked.receipt.draft == taken[0].receipt.draft));

    let acked = [answers[0].clone(), taken[0].clone()];
    all_sealed_once(&network, 1, &acked).await.unwrap();
    // Sealed receipts answer alike.
    let again = issue(&clients, &receipt, Wait::Pending).await.unwrap();
    assert_eq!((again.key, again.response.replayed), (answers[0].key.clone(), true));
    assert_eq!(again.response.state(), ReceiptState::Sealed);
    let mut changed = receipt.clone();
    changed.draft.checker = "另一人".to_owned();
    assert_refused(issue(&clients, &changed, Wait::Pending).await, Reason::BizCodeConflict);

    network.wait_equal_tips().await.unwrap();
    network.audit(1).await.unwrap();
    network.finish(&AllowList::lifecycle()).await.unwrap();
}

async fn reverse(client: &IssuerClient, acked: &Acked, biz_code: &str) -> Result<IssueResponse, Refusal> {
    let (receipt_code, receipt_number) = acked.key.clone();
    let original = ReceiptKey { receipt_code, receipt_number };
    let request = reversal(&acked.receipt.draft, original, biz_code);
    client.clone().reverse(request).await.map(tonic::Response::into_inner).map_err(refusal)
}

/// Reverses by many calls at once, each with a `biz_code` of its own; the one red receipt that all of them name.
async fn reverse_at_once(client: &IssuerClient, acked: &Acked, count: usize) -> Acked {
    let mut calls = JoinSet::new();
    for index in 0..count {
        let (client, acked) = (client.clone(), acked.clone());
        calls.spawn(async move { reverse(&client, &acked, &format!("R{index}")).await.unwrap() });
    }
    let reds = calls.join_all().await;
    assert_eq!(reds.iter().filter(|red| !red.replayed).count(), 1);
    assert!(reds.iter().all(|red| red.state() == ReceiptState::Sealed && red.signed_record == reds[0].signed_record));
    let response = reds[0].clone();
    let key = (response.receipt_code.clone(), response.receipt_number.clone());
    Acked { receipt: acked.receipt.clone(), key, response }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_payment_is_one_receipt_in_force() {
    let network = TestNetwork::start(&NetworkOptions::default()).await.unwrap();
    let clients = clients(&network, 1).await.unwrap();

    // A fine, paid once, by many calls at once.
    let fine = network.sample("S04", 1).unwrap();
    let same_payment = (0..CALLS_AT_ONCE).map(|index| with_biz_code(&fine, &index.to_string())).collect();
    let mut taken = Vec::new();
    for answer in issue_at_once(&clients, same_payment).await {
        match answer {
            Ok(acked) => taken.push(acked),
            Err(refusal) => assert_eq!(refusal.reason, ErrorReason::Core(Reason::PaymentReceipted)),
        }
    }
    let [acked] = taken.as_slice() else { panic!("{} receipts of one payment", taken.len()) };
    all_sealed_once(&network, 1, std::slice::from_ref(acked)).await.unwrap();
    assert_refused(issue(&clients, &with_biz_code(&fine, "late"), Wait::Pending).await, Reason::PaymentReceipted);
    let mut other_payment = with_biz_code(&fine, "decision");
    let Ext::PaymentBook { non_tax, .. } = &mut other_payment.draft.ext else { panic!("S04 is no payment book") };
    non_tax.pay_code = network.sample("S04", 2).unwrap().draft.pay_codes()[0].to_owned();
    assert_refused(issue(&clients, &other_payment, Wait::Pending).await, Reason::DecisionPaid);

    // A medical settlement.
    let visit = network.receipts(1).unwrap().outpatient().unwrap();
    let settled = issue(&clients, &visit, Wait::Sealed).await.unwrap();
    assert_eq!(settled.response.state(), ReceiptState::Sealed);
    assert_refused(issue(&clients, &with_biz_code(&visit, "again"), Wait::Pending).await, Reason::PaymentReceipted);

    // Reversed once, whoever asks again; the red receipt itself is final.
    let client = client_of(&clients, acked).unwrap();
    let red = reverse_at_once(&client, acked, 10).await;
    let again = reverse(&client, acked, "later").await.unwrap();
    assert_eq!((again.signed_record, again.replayed), (red.response.signed_record.clone(), true));
    assert_refused(reverse(&client, &red, "red").await, Reason::OriginalIsRed);
    let state = state_of(&clients, acked).await.unwrap();
    assert_eq!((state.state(), state.standing()), (ReceiptState::Sealed, Standing::Reversed));
    let by = state.reversed_by.unwrap();
    assert_eq!((by.receipt_code, by.receipt_number), red.key);
    let bundle = bundle_of(client.clone(), acked).await.unwrap();
    let verdict = verify_bundle(&bundle, &network.trust().unwrap(), SystemClock.now());
    assert!(matches!(verdict.conclusion, Conclusion::Reversed { .. }), "{:?}", verdict.conclusion);

    // The payment and the decision are free again, once.
    let reissued = issue(&clients, &with_biz_code(&fine, "reissued"), Wait::Sealed).await.unwrap();
    assert_eq!(reissued.response.state(), ReceiptState::Sealed);
    assert_refused(issue(&clients, &with_biz_code(&fine, "third"), Wait::Pending).await, Reason::PaymentReceipted);
    assert_refused(issue(&clients, &other_payment, Wait::Pending).await, Reason::DecisionPaid);

    network.wait_equal_tips().await.unwrap();
    network.audit(1).await.unwrap();
    network.finish(&AllowList::lifecycle()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_draft_of_five_hundred_is_refused_alone() {
    const BAD: usize = 250;
    let network = TestNetwork::start(&NetworkOptions::default()).await.unwrap();
    let mut generator = network.receipts(1).unwrap();
    let mut receipts: Vec<GeneratedReceipt> = (0..500).map(|_| generator.outpatient().unwrap()).collect();
    receipts[BAD].draft.items[0].amount = receipt_core::ids::Fen::new(receipts[BAD].draft.items[0].amount.get() + 1);
    let drafts = receipts.iter().map(|receipt| draft_to_wire(&receipt.draft)).collect();
    let clients = clients(&network, 1).await.unwrap();
    let mut client = clients[&receipts[0].system_id].clone();
    let request = IssueManyRequest { drafts, wait: Wait::Sealed.into(), wait_timeout_ms: 30_000 };
    let results = client.issue_many(request.clone()).await.unwrap().into_inner().results;
    assert_eq!(results.len(), receipts.len());
    let mut acked = Vec::new();
    for (index, (receipt, result)) in receipts.iter().zip(results).enumerate() {
        match result.result.unwrap() {
            issue_result::Result::Issued(response) => {
                assert_ne!(index, BAD);
                assert_eq!(response.state(), ReceiptState::Sealed);
                let key = (response.receipt_code.clone(), response.receipt_number.clone());
                acked.push(Acked { receipt: receipt.clone(), key, response });
            }
            issue_result::Result::Error(error) => {
                assert_eq!((index, error.reason.as_str()), (BAD, Reason::SumMismatch.as_str()), "{error:?}");
                assert!(!error.field_violations.is_empty(), "{error:?}");
            }
        }
    }
    assert_eq!(acked.len(), 499);
    all_sealed_once(&network, 1, &acked).await.unwrap();
    // No number was spent on it: the numbers of each unit and kind follow one another.
    let mut numbers: Vec<_> = acked.iter().map(|acked| acked.key.clone()).collect();
    numbers.sort();
    numbers.dedup();
    assert_eq!(numbers.len(), acked.len());

    let mut too_many = request;
    too_many.drafts.push(too_many.drafts[0].clone());
    let refused = refusal(client.issue_many(too_many).await.unwrap_err());
    assert_eq!(refused.reason.as_str(), "REQUEST_TOO_LARGE");
    network.wait_equal_tips().await.unwrap();
    network.audit(1).await.unwrap();
    network.finish(&AllowList::lifecycle()).await.unwrap();
}
