//! A receipt is fetched from a real issuer over mutual TLS by a portal: with the right details, with wrong ones, of a number that nobody
//! issued; waits grow, a killed and restarted issuer goes on counting; and a portal can do nothing else, nor anybody else this.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use receipt_core::receipt::ext::Ext;
use receipt_core::receipt::model::PayerIdType;
use receipt_core::verdict::{Conclusion, verify_bundle};
use tallystick_devnet::clients::PortalClient;
use tallystick_devnet::issuing::issue_one;
use tallystick_devnet::logs::AllowList;
use tallystick_devnet::process::http_get;
use tallystick_devnet::{Caller, NetworkOptions};
use tallystick_proto::admin::v1::ReadRegistryRequest;
use tallystick_proto::errors::Refusal;
use tallystick_proto::issuer::v1::{
    BizKey, GetBundleRequest, GetReceiptRequest, IssueRequest, IssueResponse, ReceiptState, Wait, WatchRequest,
    get_bundle_request, get_receipt_request,
};
use tallystick_proto::ledger::v1::GetBlockRequest;
use tallystick_proto::portal::v1::fetch_by_reference_request::Reference;
use tallystick_proto::portal::v1::fetch_response::Answer;
use tallystick_proto::portal::v1::{
    ElementsRequest, FetchByReferenceRequest, FetchRequest, Format, Try, elements_response,
};
use tallystick_service::clock::{Clock as _, SystemClock};
use tallystick_tests::{TestNetwork, after_kills};

const ISSUER: u32 = 1;
const RESIDENT_ID: &str = "990305199001010015";
const SETTLEMENT: &str = "JS2026-FETCH-1";

fn attempt(source: u8, ticket: &[u8]) -> Option<Try> {
    Some(Try { source: vec![source; 16].into(), ticket: ticket.to_vec().into() })
}

fn face(issued: &IssueResponse, source: u8) -> FetchRequest {
    FetchRequest {
        attempt: attempt(source, &[]),
        receipt_code: issued.receipt_code.clone(),
        receipt_number: issued.receipt_number.clone(),
        check_code: issued.check_code.clone(),
        format: Format::Bundle.into(),
        ..FetchRequest::default()
    }
}

/// What a try came to.
#[derive(Debug)]
enum Came {
    Bundle(Vec<u8>),
    Wait { ticket: Vec<u8>, wait_ms: u32 },
    GiveMore,
    Refused(String),
}

fn came(answer: Result<Option<Answer>, tonic::Status>) -> Came {
    match answer {
        Ok(Some(Answer::Document(document))) => Came::Bundle(document.content.to_vec()),
        Ok(Some(Answer::Wait(wait))) => Came::Wait { ticket: wait.ticket.to_vec(), wait_ms: wait.wait_ms },
        Ok(Some(Answer::GiveMore(_))) => Came::GiveMore,
        Ok(None) => panic!("an empty answer"),
        Err(status) => Came::Refused(Refusal::from_status(&status).unwrap().reason.as_str().to_owned()),
    }
}

async fn fetch(portal: &mut PortalClient, request: FetchRequest) -> Came {
    came(portal.fetch(request).await.map(|response| response.into_inner().answer))
}

fn assert_in_force(network: &TestNetwork, bundle: &[u8]) {
    let verdict = verify_bundle(bundle, &network.trust().unwrap(), SystemClock.now());
    assert!(matches!(verdict.conclusion, Conclusion::InForce { .. }), "{:?}", verdict.conclusion);
}

/// Whether a call ended with this reason.
fn refused<T: std::fmt::Debug>(answer: Result<T, tonic::Status>, reason: &str) {
    let status = answer.unwrap_err();
    assert_eq!(Refusal::from_status(&status).map(|refusal| refusal.reason.as_str()), Some(reason), "{status:?}");
}

async fn issue(network: &TestNetwork, serial: u64) -> (String, IssueResponse) {
    let mut receipt = network.sample("S01", serial).unwrap();
    receipt.draft.payer_id_type = PayerIdType::Resident;
    receipt.draft.payer_code = RESIDENT_ID.to_owned();
    let Ext::Medical { medical } = &mut receipt.draft.ext else { panic!("{:?}", receipt.draft.ext) };
    medical.settlement_number = format!("{SETTLEMENT}{serial}");
    let client = network.issuer_client(ISSUER, Caller::System(receipt.system_id)).await.unwrap();
    (receipt.draft.unit_code.clone(), issue_one(client, &receipt, Wait::Sealed).await.unwrap().response)
}

/// Wrong codes, ever new sources: of a receipt and of a number that nobody issued alike.
async fn assert_guesses_wait(portal: &mut PortalClient, issued: &IssueResponse) {
    let unknown = IssueResponse { receipt_number: "9999999999".to_owned(), ..issued.clone() };
    let guess = if issued.check_code.starts_with('0') { "1aaaaa" } else { "0aaaaa" };
    for (of, first_source) in [(issued, 10), (&unknown, 20)] {
        let mut waits = Vec::new();
        for source in first_source..first_source + 6 {
            let request = FetchRequest { check_code: guess.to_owned(), ..face(of, source) };
            waits.push(match fetch(portal, request).await {
                Came::Refused(reason) => {
                    assert_eq!(reason, "NOT_FOUND_OR_MISMATCH");
                    0
                }
                // A try that queues is counted later than it came, and waits for that longer: each next step is twice as long.
                Came::Wait { wait_ms, .. } => (wait_ms / 1_000).checked_ilog2().map_or(0, |step| 1 << step),
                other => panic!("{other:?}"),
            });
        }
        assert_eq!(waits, [0, 0, 0, 1, 2, 4], "seconds");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_holder_fetches_and_a_guesser_waits_ever_longer_over_restarts() {
    let mut network = TestNetwork::start(&NetworkOptions::default()).await.unwrap();
    let (unit, issued) = issue(&network, 1).await;
    let mut portal = network.portal_client(ISSUER, Caller::Portal).await.unwrap();

    let Came::Bundle(bundle) = fetch(&mut portal, face(&issued, 1)).await else { panic!() };
    assert_in_force(&network, &bundle);
    let by = FetchByReferenceRequest {
        attempt: attempt(1, &[]),
        unit_code: unit,
        reference: Some(Reference::SettlementNumber(format!("{SETTLEMENT}1"))),
        payer_id_last_four: "0015".to_owned(),
        format: Format::Bundle.into(),
        ..FetchByReferenceRequest::default()
    };
    let answer = portal.fetch_by_reference(by.clone()).await.map(|response| response.into_inner().answer);
    let Came::Bundle(bundle) = came(answer) else { panic!() };
    assert_in_force(&network, &bundle);
    refused(
        portal.fetch_by_reference(FetchByReferenceRequest { payer_id_last_four: "0016".to_owned(), ..by }).await,
        "NOT_FOUND_OR_MISMATCH",
    );
    let elements = ElementsRequest {
        attempt: attempt(1, &[]),
        receipt_code: issued.receipt_code.clone(),
        receipt_number: issued.receipt_number.clone(),
        check_code: issued.check_code.clone(),
        issue_date: issued.issue_date.clone(),
        total_fen: total(&bundle),
    };
    let answer = portal.elements(elements).await.unwrap().into_inner().answer.unwrap();
    let elements_response::Answer::Genuine(genuine) = answer else { panic!("{answer:?}") };
    assert_eq!(genuine.state(), ReceiptState::Sealed);
    assert_in_force(&network, &genuine.bundle);

    assert_guesses_wait(&mut portal, &issued).await;

    // Killed, and started again: it goes on where it was, also for whoever is right; a ticket of before is still good.
    let Came::Wait { ticket, wait_ms: 8_000..16_000 } = fetch(&mut portal, face(&issued, 30)).await else { panic!() };
    network.issuer(ISSUER).unwrap().kill().await.unwrap();
    network.issuer(ISSUER).unwrap().start().unwrap();
    network.issuer(ISSUER).unwrap().wait_ready().await.unwrap();
    let mut portal = network.portal_client(ISSUER, Caller::Portal).await.unwrap();
    let Came::Wait { wait_ms: 16_000..32_000, .. } = fetch(&mut portal, face(&issued, 31)).await else { panic!() };
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    let bundle = loop {
        let request = FetchRequest { attempt: attempt(30, &ticket), ..face(&issued, 30) };
        match fetch(&mut portal, request).await {
            Came::Bundle(bundle) => break bundle,
            Came::Wait { ticket: same, wait_ms } => {
                assert_eq!(same, ticket);
                assert!(tokio::time::Instant::now() < deadline);
                tokio::time::sleep(Duration::from_millis(u64::from(wait_ms))).await;
            }
            other => panic!("{other:?}"),
        }
    };
    assert_in_force(&network, &bundle);

    let metrics = network.issuer_addresses(ISSUER).unwrap().metrics;
    let (_, text) = http_get(metrics, "/metrics").await.unwrap();
    let text = String::from_utf8(text).unwrap();
    assert!(text.contains("tallystick_issuer_fetch_tries_total{way=\"code\",answer=\"fits\"} 1\n"), "{text}");
    for told in [&issued.check_code, &hex::encode([30; 16])] {
        assert!(!text.contains(told.as_str()), "{told}");
    }
    network.wait_equal_tips().await.unwrap();
    network.finish(&after_kills(AllowList::lifecycle())).await.unwrap();
}

/// The signed total of a receipt.
fn total(bundle: &[u8]) -> i64 {
    let bundle = receipt_core::bundle::Bundle::decode(bundle).unwrap();
    receipt_core::record::SignedRecord::decode(&bundle.record).unwrap().record.total.get()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_portal_can_do_nothing_else_and_nobody_else_this() {
    let network = TestNetwork::start(&NetworkOptions::default()).await.unwrap();
    let (unit_code, issued) = issue(&network, 1).await;
    let mut issuer = network.issuer_client(ISSUER, Caller::Portal).await.unwrap();
    let biz_key = BizKey { unit_code, biz_code: "A".to_owned() };
    let selector = Some(get_receipt_request::Selector::BizKey(biz_key.clone()));
    refused(issuer.get_receipt(GetReceiptRequest { selector }).await, "NOT_PERMITTED");
    let selector = Some(get_bundle_request::Selector::BizKey(biz_key));
    refused(issuer.get_bundle(GetBundleRequest { selector }).await, "NOT_PERMITTED");
    refused(issuer.issue(IssueRequest::default()).await, "NOT_PERMITTED");
    refused(issuer.watch(WatchRequest::default()).await, "NOT_PERMITTED");
    let mut ledger = network.ledger_client(1, Caller::Portal).await.unwrap();
    refused(ledger.get_block(GetBlockRequest { height: 1, ..GetBlockRequest::default() }).await, "NOT_PERMITTED");
    let mut admin = network.admin_client(1, Caller::Portal).await.unwrap();
    refused(admin.read_registry(ReadRegistryRequest::default()).await, "NOT_PERMITTED");
    // What is the issuer's is not at a node.
    let channel = network.node_channel(1, Caller::Portal).await.unwrap();
    let mut elsewhere = tallystick_devnet::clients::portal_client(channel);
    refused(elsewhere.fetch(face(&issued, 1)).await, "METHOD_UNKNOWN");
    for caller in
        [Caller::System(1), Caller::Auditor, Caller::Operator, Caller::Claimer, Caller::Validator(1), Caller::Issuer(1)]
    {
        let mut client = network.portal_client(ISSUER, caller).await.unwrap();
        refused(client.fetch(face(&issued, 1)).await, "NOT_PERMITTED");
        refused(client.fetch_by_reference(FetchByReferenceRequest::default()).await, "NOT_PERMITTED");
        refused(client.elements(ElementsRequest::default()).await, "NOT_PERMITTED");
    }
    network.wait_equal_tips().await.unwrap();
    network.finish(&AllowList::lifecycle()).await.unwrap();
}
