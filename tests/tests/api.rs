//! Every method of the issuer's service over mTLS, against real processes: what is told in each state, lists and totals, what
//! is watched, what is refused and why, and what overload costs.
//!
//! Not here: idempotency and races (`uniqueness`), who may call at all (`callers`).

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod limits;
mod lists;
mod rules;
mod states;

use receipt_core::receipt::model::ReceiptDraft;
use tallystick_devnet::clients::IssuerClient;
use tallystick_proto::convert::draft_to_wire;
use tallystick_proto::errors::Refusal;
use tallystick_proto::issuer::v1::{
    BizKey, DayTotalsRequest, GetBundleRequest, GetReceiptRequest, GetReceiptResponse, IssueRequest, IssueResponse,
    ListReceiptsRequest, ListReceiptsResponse, ReceiptKey, ReceiptState, ReverseRequest, Totals, Wait, WatchRequest,
    WatchResponse, get_bundle_request, get_receipt_request,
};
use tallystick_tests::judgement::SEAL_TIMEOUT;
use tonic::{Status, Streaming};

/// No quorum without them. The issuers prefer the others.
const AWAY: [u32; 2] = [3, 4];

fn refusal(status: &Status) -> Refusal {
    Refusal::from_status(status).unwrap_or_else(|| panic!("not a refusal of ours: {status:?}"))
}

fn request(draft: &ReceiptDraft, wait: Wait) -> IssueRequest {
    let draft = Some(draft_to_wire(draft));
    IssueRequest { draft, wait: wait.into(), wait_timeout_ms: 30_000, with_bundle: wait == Wait::Sealed }
}

/// Issues and waits for the seal.
async fn sealed(client: &IssuerClient, draft: &ReceiptDraft) -> IssueResponse {
    let response = client.clone().issue(request(draft, Wait::Sealed)).await.unwrap().into_inner();
    assert_eq!(response.state(), ReceiptState::Sealed, "{}", draft.biz_code);
    response
}

async fn refused(client: &IssuerClient, draft: &ReceiptDraft) -> Refusal {
    refusal(&client.clone().issue(request(draft, Wait::Pending)).await.unwrap_err())
}

fn key(response: &IssueResponse) -> ReceiptKey {
    ReceiptKey { receipt_code: response.receipt_code.clone(), receipt_number: response.receipt_number.clone() }
}

fn biz_key(draft: &ReceiptDraft) -> BizKey {
    BizKey { unit_code: draft.unit_code.clone(), biz_code: draft.biz_code.clone() }
}

/// What is told of a receipt, by number and by the unit's own key: the same.
async fn told(client: &IssuerClient, key: ReceiptKey, draft: &ReceiptDraft) -> GetReceiptResponse {
    let by_number = state(client, get_receipt_request::Selector::Key(key)).await;
    let by_biz_code = state(client, get_receipt_request::Selector::BizKey(biz_key(draft))).await;
    let comparable = |answer: &GetReceiptResponse| GetReceiptResponse { snapshot_height: 0, ..answer.clone() };
    assert_eq!(comparable(&by_number), comparable(&by_biz_code), "{}", draft.biz_code);
    by_biz_code
}

async fn state(client: &IssuerClient, selector: get_receipt_request::Selector) -> GetReceiptResponse {
    client.clone().get_receipt(GetReceiptRequest { selector: Some(selector) }).await.unwrap().into_inner()
}

async fn bundle(client: &IssuerClient, key: ReceiptKey) -> Result<Vec<u8>, Refusal> {
    let selector = Some(get_bundle_request::Selector::Key(key));
    let answer = client.clone().get_bundle(GetBundleRequest { selector }).await;
    answer.map(|answer| answer.into_inner().bundle.to_vec()).map_err(|status| refusal(&status))
}

async fn reverse(client: &IssuerClient, request: ReverseRequest) -> Result<IssueResponse, Refusal> {
    let answer = client.clone().reverse(request).await;
    answer.map(tonic::Response::into_inner).map_err(|status| refusal(&status))
}

async fn watch(client: &IssuerClient, after_position: u64, unit_codes: Vec<String>) -> Streaming<WatchResponse> {
    client.clone().watch(WatchRequest { after_position, unit_codes }).await.unwrap().into_inner()
}

/// The next outcome, which must come.
async fn next(stream: &mut Streaming<WatchResponse>) -> WatchResponse {
    let outcome = tokio::time::timeout(SEAL_TIMEOUT, stream.message()).await;
    outcome.expect("an outcome in time").unwrap().expect("the stream goes on")
}

async fn totals(client: &IssuerClient, draft: &ReceiptDraft) -> Result<Totals, Refusal> {
    let request = DayTotalsRequest { unit_code: draft.unit_code.clone(), day: draft.issue_date.to_string() };
    let answer = client.clone().day_totals(request).await.map_err(|status| refusal(&status))?.into_inner();
    let total = answer.total.unwrap();
    let by_kind = answer.by_kind.iter().map(|row| row.totals.unwrap());
    assert_eq!(by_kind.map(|kind| kind.blue_sum_fen + kind.red_sum_fen).sum::<i64>(), sum(&total), "kinds add up");
    Ok(total)
}

fn sum(totals: &Totals) -> i64 {
    totals.blue_sum_fen + totals.red_sum_fen
}

async fn list(client: &IssuerClient, request: ListReceiptsRequest) -> Result<ListReceiptsResponse, Refusal> {
    let answer = client.clone().list_receipts(request).await;
    answer.map(tonic::Response::into_inner).map_err(|status| refusal(&status))
}
