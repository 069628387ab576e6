//! Callers that may not call get nothing: those without grants, of other units and places, of other roles, with bad certificates.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use tallystick_devnet::clients::IssuerClient;
use tallystick_devnet::generate_receipts::GeneratedReceipt;
use tallystick_devnet::logs::AllowList;
use tallystick_devnet::registry::{
    ONE_PLACE, SYSTEM_HOSPITALS, SYSTEM_OFFICES, SYSTEM_ONE_PLACE, SYSTEM_WITHOUT_GRANTS,
};
use tallystick_devnet::{Caller, Network, NetworkOptions};
use tallystick_proto::admin::v1::GetNodeStatusRequest;
use tallystick_proto::convert::draft_to_wire;
use tallystick_proto::errors::{CallReason, ErrorReason, Refusal};
use tallystick_proto::issuer::v1::get_receipt_request::Selector;
use tallystick_proto::issuer::v1::{BizKey, GetReceiptRequest, IssueRequest, ReceiptKey, ReceiptState, Wait};
use tallystick_proto::ledger::v1::{GetBlockRequest, SubmitBatchRequest};
use tallystick_tests::TestNetwork;
use tonic::Status;

const UNREGISTERED: Caller = Caller::System(999);

fn reason(status: &Status) -> ErrorReason {
    Refusal::from_status(status).unwrap_or_else(|| panic!("not a refusal of ours: {status:?}")).reason
}

fn request(receipt: &GeneratedReceipt) -> IssueRequest {
    let draft = Some(draft_to_wire(&receipt.draft));
    IssueRequest { draft, wait: Wait::Sealed.into(), wait_timeout_ms: 30_000, with_bundle: false }
}

/// What the issuer tells a caller of a receipt, by number or by the unit's own key.
async fn state(mut client: IssuerClient, selector: Selector) -> Result<ReceiptState, ErrorReason> {
    let answer = client.get_receipt(GetReceiptRequest { selector: Some(selector) }).await;
    answer.map(|response| response.into_inner().state()).map_err(|status| reason(&status))
}

fn biz_key(receipt: &GeneratedReceipt) -> Selector {
    let (unit_code, biz_code) = (receipt.draft.unit_code.clone(), receipt.draft.biz_code.clone());
    Selector::BizKey(BizKey { unit_code, biz_code })
}

async fn assert_refused(network: &Network, caller: Caller, receipt: &GeneratedReceipt, expected: CallReason) {
    let mut client = network.issuer_client(1, caller).await.unwrap();
    let status = client.issue(request(receipt)).await.unwrap_err();
    assert_eq!(reason(&status), ErrorReason::Call(expected), "{caller:?}");
    let owner = network.issuer_client(1, Caller::System(receipt.system_id)).await.unwrap();
    assert_eq!(state(owner, biz_key(receipt)).await, Ok(ReceiptState::Unknown), "{caller:?}");
}

/// At the handshake, or at the first call at the latest.
async fn assert_shut_out(network: &Network, caller: Caller, receipt: &GeneratedReceipt) {
    if let Ok(mut client) = network.issuer_client(1, caller).await {
        let status = client.issue(request(receipt)).await.unwrap_err();
        let refusal = Refusal::from_status(&status).map(|refusal| refusal.reason);
        let expected = [None, Some(ErrorReason::Call(CallReason::NotAuthenticated))];
        assert!(expected.contains(&refusal), "{caller:?}: {status:?}");
    }
    let owner = network.issuer_client(1, Caller::System(receipt.system_id)).await.unwrap();
    assert_eq!(state(owner, biz_key(receipt)).await, Ok(ReceiptState::Unknown), "{caller:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_issue_is_refused() {
    let network = TestNetwork::start(&NetworkOptions::default()).await.unwrap();
    // At the first hospital, which the kiosk may serve at one place.
    let hospital = network.sample("S01", 1).unwrap();
    assert_eq!((hospital.system_id, hospital.draft.place_code.as_str()), (SYSTEM_HOSPITALS, ONE_PLACE));
    let mut elsewhere = network.sample("S01", 2).unwrap();
    elsewhere.draft.place_code = "MZ-04".to_owned();
    let other_hospital = network.receipts(1).unwrap().outpatient().unwrap();

    for (caller, receipt) in [
        (Caller::System(SYSTEM_WITHOUT_GRANTS), &hospital),
        (UNREGISTERED, &hospital),
        (Caller::System(SYSTEM_OFFICES), &hospital),
        (Caller::System(SYSTEM_ONE_PLACE), &elsewhere),
        (Caller::System(SYSTEM_ONE_PLACE), &other_hospital),
    ] {
        assert_refused(&network, caller, receipt, CallReason::NotDelegated).await;
    }
    for caller in [Caller::Auditor, Caller::Operator, Caller::Claimer, Caller::Validator(1), Caller::Issuer(1)] {
        assert_refused(&network, caller, &hospital, CallReason::NotPermitted).await;
    }
    for caller in [Caller::ExpiredSystem, Caller::StrangerSystem] {
        assert_shut_out(&network, caller, &hospital).await;
    }

    // The same receipt through the door that is open to it; another system does not learn of it.
    let mut kiosk = network.issuer_client(1, Caller::System(SYSTEM_ONE_PLACE)).await.unwrap();
    let issued = kiosk.issue(request(&hospital)).await.unwrap().into_inner();
    assert_eq!((issued.state(), issued.replayed), (ReceiptState::Sealed, false));
    let key = ReceiptKey { receipt_code: issued.receipt_code, receipt_number: issued.receipt_number };
    let not_delegated = Err(ErrorReason::Call(CallReason::NotDelegated));
    for (system_id, by_number, by_biz_code) in [
        (SYSTEM_HOSPITALS, Ok(ReceiptState::Sealed), Ok(ReceiptState::Sealed)),
        (SYSTEM_OFFICES, Ok(ReceiptState::Unknown), not_delegated),
        (SYSTEM_WITHOUT_GRANTS, Ok(ReceiptState::Unknown), not_delegated),
    ] {
        let client = network.issuer_client(1, Caller::System(system_id)).await.unwrap();
        assert_eq!(state(client.clone(), Selector::Key(key.clone())).await, by_number, "system {system_id}");
        assert_eq!(state(client, biz_key(&hospital)).await, by_biz_code, "system {system_id}");
    }
    network.wait_equal_tips().await.unwrap();
    network.audit(1).await.unwrap();
    network.finish(&AllowList::lifecycle()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_validators_serve_no_strangers() {
    let mut network = TestNetwork::generate(&NetworkOptions::default()).await.unwrap();
    network.start_nodes().await.unwrap();
    let not_permitted = ErrorReason::Call(CallReason::NotPermitted);
    for caller in [Caller::System(SYSTEM_HOSPITALS), Caller::Claimer] {
        let mut ledger = network.ledger_client(1, caller).await.unwrap();
        let status = ledger.get_block(GetBlockRequest { height: 1, with_records: true }).await.unwrap_err();
        assert_eq!(reason(&status), not_permitted, "{caller:?}");
        let status = network.admin_client(1, caller).await.unwrap().get_node_status(GetNodeStatusRequest {}).await;
        assert_eq!(reason(&status.unwrap_err()), not_permitted, "{caller:?}");
    }
    for caller in [Caller::System(SYSTEM_HOSPITALS), Caller::Auditor, Caller::Operator, Caller::Validator(2)] {
        let mut ledger = network.ledger_client(1, caller).await.unwrap();
        let status = ledger.submit_batch(SubmitBatchRequest::default()).await.unwrap_err();
        assert_eq!(reason(&status), not_permitted, "{caller:?}");
    }
    network.wait_equal_tips().await.unwrap();
    network.audit(1).await.unwrap();
    network.finish(&AllowList::lifecycle()).await.unwrap();
}
