//! Large messages, rare characters, overload.

use receipt_core::reason::Reason;
use receipt_core::verdict::verify_bundle;
use tallystick_devnet::generate_receipts::GeneratedReceipt;
use tallystick_devnet::logs::AllowList;
use tallystick_devnet::registry::SYSTEM_HOSPITALS;
use tallystick_devnet::{Caller, NetworkOptions};
use tallystick_proto::convert::draft_to_wire;
use tallystick_proto::errors::{CallReason, ErrorReason};
use tallystick_proto::issuer::v1::{
    BizKey, GetReceiptRequest, IssueManyRequest, IssueRequest, IssueResponse, ReceiptState, Wait, get_receipt_request,
    issue_result,
};
use tallystick_service::clock::{Clock as _, SystemClock};
use tallystick_tests::judgement::all_sealed_once;
use tallystick_tests::load::{Acked, Clients, clients, issue};
use tallystick_tests::requests::reversal;
use tallystick_tests::{TestNetwork, after_kills};
use tonic::Code;

use super::{AWAY, biz_key, key, refusal, request, reverse, sealed, told};

const OUTBOX_RECORDS_MAX: usize = 10;
const CALLS_MAX: usize = 2_000;

#[tokio::test(flavor = "multi_thread")]
async fn large_messages_are_refused_and_rare_characters_travel_unchanged() {
    let network = TestNetwork::start(&NetworkOptions::default()).await.unwrap();
    let client = network.issuer_client(1, Caller::System(SYSTEM_HOSPITALS)).await.unwrap();
    // Beyond the limit of one message: refused unread, and the connection goes on.
    let mut huge = draft_to_wire(&network.sample("S01", 1).unwrap().draft);
    huge.remark = "x".repeat(9 << 20);
    let request = IssueManyRequest { drafts: vec![huge.clone()], wait: Wait::Pending.into(), wait_timeout_ms: 0 };
    let status = client.clone().issue_many(request).await.unwrap_err();
    assert_eq!(status.code(), Code::OutOfRange, "{status:?}");
    // The framework refused it, and it has a reason of the table all the same.
    assert_eq!(refusal(&status).reason, CallReason::RequestTooLarge.into());
    // Compressed it comes through the wire, and the limit is that of what it holds.
    let zipped = client.clone().send_compressed(tonic::codec::CompressionEncoding::Gzip);
    let request = IssueManyRequest { drafts: vec![huge.clone()], wait: Wait::Pending.into(), wait_timeout_ms: 0 };
    let bomb = zipped.clone().issue_many(request).await.unwrap_err();
    assert_eq!(refusal(&bomb).reason, CallReason::RequestTooLarge.into(), "{bomb:?}");
    let selector = Some(get_receipt_request::Selector::BizKey(BizKey {
        unit_code: huge.unit_code.clone(),
        biz_code: "no such".to_owned(),
    }));
    let answer = zipped.clone().get_receipt(GetReceiptRequest { selector }).await.unwrap().into_inner();
    assert_eq!(answer.state(), ReceiptState::Unknown);
    // Below it: the field is named.
    huge.remark = "x".repeat(2 << 20);
    let request = IssueRequest { draft: Some(huge), ..IssueRequest::default() };
    let refusal = refusal(&client.clone().issue(request).await.unwrap_err());
    assert!(!refusal.violations.is_empty() || refusal.reason == CallReason::RequestTooLarge.into(), "{refusal:?}");
    assert!(refusal.message.len() < 10_000, "a refusal does not repeat what it refuses");

    // Four-byte characters of GB 18030 in every text that a person may write.
    let mut draft = network.sample("S01", 2).unwrap().draft;
    draft.payer_name = "𠮷某𬱖".to_owned();
    draft.handling_person = "𡈽何".to_owned();
    draft.checker = "𫖯吴".to_owned();
    draft.remark = "备注：𣗋𩸽".repeat(10);
    draft.biz_code = format!("{}-𠮷", draft.biz_code);
    let issued = sealed(&client, &draft).await;
    let verdict = verify_bundle(&issued.bundle, &network.trust().unwrap(), SystemClock.now());
    assert!(verdict.is_in_force(), "{:?}", verdict.conclusion);
    assert_eq!(verdict.receipt.unwrap().draft, draft);
    assert_eq!(told(&client, key(&issued), &draft).await.biz_key, Some(biz_key(&draft)));
    let red = reverse(&client, reversal(&draft, key(&issued), "R")).await.unwrap();
    assert_eq!(red.red_draft.unwrap().payer_name, draft.payer_name);
    drop(client);
    network.wait_equal_tips().await.unwrap();
    network.audit(1).await.unwrap();
    network.finish(&AllowList::lifecycle()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn overload_is_refused_with_a_hint_and_nothing_is_lost() {
    let mut network = TestNetwork::generate(&NetworkOptions::default()).await.unwrap();
    // One batch on its way, and little room behind it.
    let config = network.layout().issuer_config(1);
    let text = std::fs::read_to_string(&config).unwrap();
    let text = text.replace("[batch]\n", "[batch]\nin_flight_max = 1\n");
    let text = text.replace("[issue]\n", &format!("[issue]\noutbox_records_max = {OUTBOX_RECORDS_MAX}\n"));
    std::fs::write(&config, text).unwrap();
    network.start().await.unwrap();
    let clients = clients(&network, 1).await.unwrap();
    let mut generator = network.receipts(1).unwrap();
    let mut acked = vec![issue(&clients, generator.mixed().unwrap()).await.unwrap()];
    all_sealed_once(&network, 1, &acked).await.unwrap();
    let drafts: Vec<GeneratedReceipt> = (0..CALLS_MAX).map(|_| generator.mixed().unwrap()).collect();
    let many: Vec<GeneratedReceipt> = (0..2 * OUTBOX_RECORDS_MAX).map(|_| generator.outpatient().unwrap()).collect();
    for id in AWAY {
        network.node(id).unwrap().pause().unwrap();
    }
    let mut not_taken = vec![issue_until_refused(&clients, drafts, &mut acked).await];
    not_taken.extend(issue_many(&clients, many, &mut acked).await);
    assert!(not_taken.len() > OUTBOX_RECORDS_MAX, "the outbox has room for {OUTBOX_RECORDS_MAX}");
    for id in AWAY {
        network.node(id).unwrap().resume().unwrap();
    }
    // Whoever heeds the hint is served; nothing is lost, and nothing is there twice.
    for receipt in not_taken {
        let again = issue(&clients, receipt).await.unwrap();
        assert!(!again.response.replayed, "a refused draft left nothing behind");
        acked.push(again);
    }
    all_sealed_once(&network, 1, &acked).await.unwrap();
    network.wait_equal_tips().await.unwrap();
    network.audit(1).await.unwrap();
    network.finish(&after_kills(AllowList::lifecycle())).await.unwrap();
}

fn taken(receipt: GeneratedReceipt, response: IssueResponse) -> Acked {
    let key = (response.receipt_code.clone(), response.receipt_number.clone());
    Acked { receipt, key, response }
}

/// One call after the other, until there is no room; the draft that was refused.
async fn issue_until_refused(
    clients: &Clients,
    drafts: Vec<GeneratedReceipt>,
    acked: &mut Vec<Acked>,
) -> GeneratedReceipt {
    for receipt in drafts {
        let mut client = clients[&receipt.system_id].clone();
        match client.issue(request(&receipt.draft, Wait::Pending)).await {
            Ok(response) => acked.push(taken(receipt, response.into_inner())),
            Err(status) => {
                assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
                let refusal = refusal(&status);
                assert_eq!(refusal.reason, ErrorReason::Core(Reason::Overloaded));
                assert!(refusal.retry_after_ms.is_some_and(|millis| millis > 0), "{refusal:?}");
                return receipt;
            }
        }
    }
    panic!("{} receipts were taken and none refused", acked.len());
}

/// One larger call: each draft has its own answer, and its own hint. Those that were refused.
async fn issue_many(clients: &Clients, many: Vec<GeneratedReceipt>, acked: &mut Vec<Acked>) -> Vec<GeneratedReceipt> {
    let drafts = many.iter().map(|receipt| draft_to_wire(&receipt.draft)).collect();
    let request = IssueManyRequest { drafts, wait: Wait::Pending.into(), wait_timeout_ms: 0 };
    let results = clients[&SYSTEM_HOSPITALS].clone().issue_many(request).await.unwrap().into_inner().results;
    let mut not_taken = Vec::new();
    for (receipt, result) in many.into_iter().zip(results) {
        match result.result.unwrap() {
            issue_result::Result::Issued(response) => acked.push(taken(receipt, response)),
            issue_result::Result::Error(error) => {
                assert_eq!((error.reason.as_str(), error.retry_after_ms > 0), ("OVERLOADED", true), "{error:?}");
                not_taken.push(receipt);
            }
        }
    }
    not_taken
}
