//! One receipt through all its states, as GetReceipt, GetBundle, Watch, Reverse and DayTotals tell of it.

use receipt_core::reason::Reason;
use receipt_core::receipt::model::ReceiptDraft;
use receipt_core::verdict::verify_bundle;
use tallystick_devnet::clients::IssuerClient;
use tallystick_devnet::logs::AllowList;
use tallystick_devnet::registry::SYSTEM_HOSPITALS;
use tallystick_devnet::{Caller, NetworkOptions};
use tallystick_proto::issuer::v1::{
    GetReceiptResponse, IssueResponse, ReceiptKey, ReceiptState, Standing, Wait, WatchResponse, get_receipt_request,
};
use tallystick_service::clock::{Clock as _, SystemClock};
use tallystick_tests::requests::reversal;
use tallystick_tests::{TestNetwork, after_kills};
use tonic::Streaming;

use super::{AWAY, biz_key, bundle, key, next, request, reverse, state, sum, told, totals, watch};

#[tokio::test(flavor = "multi_thread")]
async fn what_became_of_a_receipt_is_told_in_every_state() {
    let options = NetworkOptions { issuers: 2, ..NetworkOptions::default() };
    let mut network = TestNetwork::start(&options).await.unwrap();
    let client = network.issuer_client(1, Caller::System(SYSTEM_HOSPITALS)).await.unwrap();
    let other_issuer = network.issuer_client(2, Caller::System(SYSTEM_HOSPITALS)).await.unwrap();
    let draft = network.sample("S01", 1).unwrap().draft;
    unknown(&client, &draft).await;
    for id in AWAY {
        network.node(id).unwrap().pause().unwrap();
    }
    let mut live = watch(&client, 0, Vec::new()).await;
    let issued = pending(&client, &draft).await;
    for id in AWAY {
        network.node(id).unwrap().resume().unwrap();
    }
    in_force(&network, &client, &draft, &issued, &mut live).await;
    refused(&other_issuer, &draft).await;
    reversed(&client, &draft, &issued, &mut live).await;

    drop((live, client, other_issuer));
    network.wait_equal_tips().await.unwrap();
    network.audit(1).await.unwrap();
    let allowed = after_kills(AllowList::lifecycle())
        .and("issuer-2", &["ALARM: the ledger refused an acknowledged receipt", "BIZ_CODE_USED"]);
    network.finish(&allowed).await.unwrap();
}

/// UNKNOWN: never issued.
async fn unknown(client: &IssuerClient, draft: &ReceiptDraft) {
    let nowhere = ReceiptKey { receipt_code: draft.receipt_code.to_string(), receipt_number: "0999999999".to_owned() };
    let unknown = told(client, nowhere.clone(), draft).await;
    let empty = GetReceiptResponse { state: ReceiptState::Unknown.into(), ..GetReceiptResponse::default() };
    assert_eq!(unknown, empty);
    assert_eq!(bundle(client, nowhere).await.unwrap_err().reason, Reason::NotFoundOrMismatch.into());
}

/// PENDING: durable, and no quorum.
async fn pending(client: &IssuerClient, draft: &ReceiptDraft) -> IssueResponse {
    let issued = client.clone().issue(request(draft, Wait::Pending)).await.unwrap().into_inner();
    let pending = told(client, key(&issued), draft).await;
    assert_eq!((pending.state(), pending.standing()), (ReceiptState::Pending, Standing::Unspecified));
    assert_eq!((pending.signed_record.clone(), pending.block_height), (issued.signed_record.clone(), 0));
    assert_eq!((pending.check_code.clone(), pending.seal_by_ms), (issued.check_code.clone(), issued.seal_by_ms));
    assert_eq!(bundle(client, key(&issued)).await.unwrap_err().reason, Reason::InProgress.into());
    let early = reverse(client, reversal(draft, key(&issued), "R0")).await.unwrap_err();
    assert_eq!(early.reason, Reason::InProgress.into());
    assert!(early.retry_after_ms.is_some());
    let waiting = totals(client, draft).await.unwrap();
    assert_eq!((waiting.blue_count, waiting.pending_count), (1, 1));
    issued
}

/// SEALED, and in force: the watcher hears of it by itself.
async fn in_force(
    network: &TestNetwork,
    client: &IssuerClient,
    draft: &ReceiptDraft,
    issued: &IssueResponse,
    live: &mut Streaming<WatchResponse>,
) {
    let first = next(live).await;
    assert_eq!((first.key.clone(), first.state()), (Some(key(issued)), ReceiptState::Sealed));
    assert_eq!((first.biz_key.clone(), first.standing()), (Some(biz_key(draft)), Standing::InForce));
    let in_force = told(client, key(issued), draft).await;
    assert_eq!((in_force.state(), in_force.standing()), (ReceiptState::Sealed, Standing::InForce));
    assert_eq!((in_force.total_fen, in_force.block_height), (draft.total_amount.get(), first.block_height));
    assert_eq!(in_force.signed_record, issued.signed_record);
    let trust = network.trust().unwrap();
    let verdict = verify_bundle(&bundle(client, key(issued)).await.unwrap(), &trust, SystemClock.now());
    assert!(verdict.is_in_force(), "{:?}", verdict.conclusion);
}

/// REFUSED: the same transaction at another issuer.
async fn refused(other_issuer: &IssuerClient, draft: &ReceiptDraft) {
    let twin = other_issuer.clone().issue(request(draft, Wait::Sealed)).await.unwrap().into_inner();
    assert_eq!((twin.state(), twin.refused_reason.as_str()), (ReceiptState::Refused, "BIZ_CODE_USED"));
    let spent = told(other_issuer, key(&twin), draft).await;
    assert_eq!((spent.state(), spent.refused_reason.as_str()), (ReceiptState::Refused, "BIZ_CODE_USED"));
    assert_eq!((spent.standing(), spent.block_height > 0), (Standing::Unspecified, true));
    assert_eq!(bundle(other_issuer, key(&twin)).await.unwrap_err().reason, Reason::BizCodeUsed.into());
    let told_of = next(&mut watch(other_issuer, 0, Vec::new()).await).await;
    assert_eq!((told_of.key, told_of.refused_reason.as_str()), (Some(key(&twin)), "BIZ_CODE_USED"));
    let spent = totals(other_issuer, draft).await.unwrap();
    assert_eq!((spent.blue_count, spent.blue_sum_fen, spent.refused_count, spent.pending_count), (0, 0, 1, 0));
}

/// REVERSED: the original, by the red one.
async fn reversed(
    client: &IssuerClient,
    draft: &ReceiptDraft,
    issued: &IssueResponse,
    live: &mut Streaming<WatchResponse>,
) {
    let red = reverse(client, reversal(draft, key(issued), "R1")).await.unwrap();
    let (red_sealed, reversed) = (next(live).await, next(live).await);
    assert_eq!((red_sealed.key.clone(), red_sealed.state()), (Some(key(&red)), ReceiptState::Sealed));
    assert_eq!((reversed.key.clone(), reversed.standing()), (Some(key(issued)), Standing::Reversed));
    assert_eq!(reversed.reversed_by, Some(key(&red)));
    let original = told(client, key(issued), draft).await;
    assert_eq!((original.standing(), original.reversed_by), (Standing::Reversed, Some(key(&red))));
    let of_red = state(client, get_receipt_request::Selector::Key(key(&red))).await;
    assert_eq!((of_red.reversal_of, of_red.total_fen), (Some(key(issued)), -draft.total_amount.get()));
    let both = totals(client, draft).await.unwrap();
    assert_eq!((both.blue_count, both.red_count, sum(&both), both.pending_count), (1, 1, 0, 0));
}
