//! ListReceipts, DayTotals, Watch and the figures: what was issued, to whom it is due; nothing of others.

use std::time::{Duration, Instant};

use receipt_core::reason::Reason;
use receipt_core::receipt::model::ReceiptDraft;
use tallystick_devnet::clients::IssuerClient;
use tallystick_devnet::logs::AllowList;
use tallystick_devnet::process::http_get;
use tallystick_devnet::registry::{ONE_PLACE, SYSTEM_HOSPITALS, SYSTEM_OFFICES, SYSTEM_ONE_PLACE};
use tallystick_devnet::{Caller, NetworkOptions};
use tallystick_proto::errors::CallReason;
use tallystick_proto::issuer::v1::{
    IssueResponse, ListReceiptsRequest, ReceiptKey, ReceiptState, ReverseRequest, Standing, WatchRequest,
};
use tallystick_tests::TestNetwork;
use tallystick_tests::judgement::SEAL_TIMEOUT;
use tallystick_tests::requests::reversal;

use super::{bundle, key, list, next, refusal, reverse, sealed, told, totals, watch};

const POLL_INTERVAL: Duration = Duration::from_millis(20);

type Issued = (ReceiptDraft, IssueResponse);

/// The systems that call.
struct Callers {
    hospitals: IssuerClient,
    offices: IssuerClient,
    kiosk: IssuerClient,
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_totals_and_watching_show_what_was_issued_and_to_whom_it_is_due() {
    let network = TestNetwork::start(&NetworkOptions::default()).await.unwrap();
    let client = |system: u32| network.issuer_client(1, Caller::System(system));
    let callers = Callers {
        hospitals: client(SYSTEM_HOSPITALS).await.unwrap(),
        offices: client(SYSTEM_OFFICES).await.unwrap(),
        kiosk: client(SYSTEM_ONE_PLACE).await.unwrap(),
    };
    // Seven at one hospital, at two places in turn; one at an office.
    let mut issued: Vec<Issued> = Vec::new();
    for serial in 1..=7 {
        let mut draft = network.sample("S01", serial).unwrap().draft;
        assert_eq!(draft.place_code, ONE_PLACE);
        if serial % 2 == 0 {
            draft.place_code = "MZ-04".to_owned();
        }
        let response = sealed(&callers.hospitals, &draft).await;
        issued.push((draft, response));
    }
    let draft = network.sample("S11", 1).unwrap().draft;
    let response = sealed(&callers.offices, &draft).await;
    let of_office = (draft, response);

    lists(&network, &callers, &issued).await;
    let day = totals(&callers.hospitals, &issued[0].0).await.unwrap();
    let fen: i64 = issued.iter().map(|(draft, _)| draft.total_amount.get()).sum();
    assert_eq!((day.blue_count, day.blue_sum_fen, day.red_count), (7, fen, 0));
    assert_eq!((day.pending_count, day.refused_count), (0, 0));
    assert_eq!(totals(&callers.offices, &of_office.0).await.unwrap().blue_count, 2);
    watching(&callers, &issued, &of_office).await;
    one_place(&callers, &issued).await;
    foreign_reversals(&network, &callers, &issued[0]).await;

    // The figures of the operations door are those of the test.
    let metrics = metrics(&network).await;
    for line in ["receipts_issued_total 9", "receipts_sealed_total 9", "receipts_pending 0", "batches_in_flight 0"] {
        assert!(metrics.contains(&format!("\ntallystick_issuer_{line}\n")), "{line} is not in\n{metrics}");
    }
    assert!(metrics.contains("calls_refused_total{reason=\"NOT_FOUND_OR_MISMATCH\"} 3"), "{metrics}");
    drop(callers);
    network.wait_equal_tips().await.unwrap();
    network.audit(1).await.unwrap();
    network.finish(&AllowList::lifecycle()).await.unwrap();
}

fn whole_day(draft: &ReceiptDraft) -> ListReceiptsRequest {
    let (unit_code, day) = (draft.unit_code.clone(), draft.issue_date.to_string());
    ListReceiptsRequest { unit_code, day, ..ListReceiptsRequest::default() }
}

fn at_place(draft: &ReceiptDraft, place_code: &str) -> ListReceiptsRequest {
    ListReceiptsRequest { place_code: place_code.to_owned(), ..whole_day(draft) }
}

/// Every receipt once, in order, on pages of one snapshot.
async fn lists(network: &TestNetwork, callers: &Callers, issued: &[Issued]) {
    let Callers { hospitals, offices, .. } = callers;
    let sample = &issued[0].0;
    let mut request = ListReceiptsRequest { page_limit: 3, ..whole_day(sample) };
    let (mut rows, mut snapshots) = (Vec::new(), Vec::new());
    loop {
        let page = list(hospitals, request.clone()).await.unwrap();
        assert!(page.receipts.len() <= 3);
        snapshots.push(page.snapshot_height);
        rows.extend(page.receipts);
        if snapshots.len() == 1 {
            // Another unit goes on meanwhile: the sealed height moves, the listing's does not.
            sealed(offices, &network.sample("S11", 2).unwrap().draft).await;
        }
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    assert!(snapshots.len() >= 3 && snapshots.iter().all(|height| *height == snapshots[0]), "{snapshots:?}");
    let listed = rows.iter().map(|row| (row.key.clone().unwrap(), row.biz_code.clone(), row.total_fen));
    let all = issued.iter().map(|(draft, response)| (key(response), draft.biz_code.clone(), draft.total_amount.get()));
    assert_eq!(listed.collect::<Vec<_>>(), all.collect::<Vec<_>>());
    assert!(rows.iter().all(|row| row.state() == ReceiptState::Sealed && row.standing() == Standing::InForce));
    assert_eq!(list(hospitals, at_place(sample, "MZ-04")).await.unwrap().receipts.len(), 3);

    let of_another_list = ListReceiptsRequest { page_token: request.page_token, ..at_place(sample, "MZ-04") };
    assert_eq!(list(hospitals, of_another_list).await.unwrap_err().reason, CallReason::PageTokenInvalid.into());
    let too_large = ListReceiptsRequest { page_limit: 1_001, ..whole_day(sample) };
    assert_eq!(list(hospitals, too_large).await.unwrap_err().violations[0].field, "page_limit");
    let no_day = ListReceiptsRequest { day: "2020-02-30".to_owned(), ..whole_day(sample) };
    assert_eq!(list(hospitals, no_day).await.unwrap_err().violations[0].field, "day");
    assert_eq!(list(offices, whole_day(sample)).await.unwrap_err().reason, CallReason::NotDelegated.into());
}

/// From the beginning, from any position, by unit; and nothing of others.
async fn watching(callers: &Callers, issued: &[Issued], of_office: &Issued) {
    let Callers { hospitals, offices, .. } = callers;
    let unit_code = issued[0].0.unit_code.clone();
    let mut stream = watch(hospitals, 0, Vec::new()).await;
    let mut heard = Vec::new();
    for (_, response) in issued {
        heard.push(next(&mut stream).await);
        assert_eq!(heard.last().unwrap().key, Some(key(response)));
    }
    assert!(heard.windows(2).all(|pair| pair[0].position < pair[1].position));
    let mut resumed = watch(hospitals, heard[2].position, vec![unit_code.clone()]).await;
    for expected in &heard[3..] {
        assert_eq!(next(&mut resumed).await, *expected);
    }
    assert_eq!(next(&mut watch(offices, 0, Vec::new()).await).await.key, Some(key(&of_office.1)));
    let foreign = WatchRequest { after_position: 0, unit_codes: vec![unit_code] };
    let refused = offices.clone().watch(foreign).await.unwrap_err();
    assert_eq!(refusal(&refused).reason, CallReason::NotDelegated.into());
}

/// A delegation to one place: its own, and nothing else.
async fn one_place(callers: &Callers, issued: &[Issued]) {
    let kiosk = &callers.kiosk;
    let (own, other) = (&issued[0], &issued[1]);
    assert_eq!(told(kiosk, key(&own.1), &own.0).await.state(), ReceiptState::Sealed);
    assert_eq!(told(kiosk, key(&other.1), &other.0).await.state(), ReceiptState::Unknown);
    assert_eq!(bundle(kiosk, key(&other.1)).await.unwrap_err().reason, Reason::NotFoundOrMismatch.into());
    let page = list(kiosk, whole_day(&own.0)).await.unwrap();
    assert_eq!(page.receipts.len(), 4);
    assert!(page.receipts.iter().all(|row| row.place_code == ONE_PLACE));
    let elsewhere = list(kiosk, at_place(&own.0, "MZ-04")).await.unwrap_err();
    assert_eq!(elsewhere.reason, CallReason::NotDelegated.into());
    assert_eq!(totals(kiosk, &own.0).await.unwrap_err().reason, CallReason::NotDelegated.into());
    let mut stream = watch(kiosk, 0, Vec::new()).await;
    for (_, response) in issued.iter().step_by(2) {
        assert_eq!(next(&mut stream).await.key, Some(key(response)));
    }
    let request = ReverseRequest { place_code: ONE_PLACE.to_owned(), ..reversal(&other.0, key(&other.1), "K") };
    assert_eq!(reverse(kiosk, request).await.unwrap_err().reason, Reason::NotFoundOrMismatch.into());
}

/// Another unit's receipt: not to be reversed, and not to be told from one that does not exist.
async fn foreign_reversals(network: &TestNetwork, callers: &Callers, own: &Issued) {
    let Callers { hospitals, offices, .. } = callers;
    let other_hospital = network.receipts(1).unwrap().outpatient().unwrap().draft;
    let foreign = reverse(hospitals, reversal(&other_hospital, key(&own.1), "F")).await.unwrap_err();
    let nowhere = ReceiptKey { receipt_number: "0999999999".to_owned(), ..key(&own.1) };
    assert_eq!(foreign, reverse(hospitals, reversal(&other_hospital, nowhere, "F")).await.unwrap_err());
    assert_eq!(foreign.reason, Reason::NotFoundOrMismatch.into());
    let by_offices = reverse(offices, reversal(&own.0, key(&own.1), "O")).await.unwrap_err();
    assert_eq!(by_offices.reason, CallReason::NotDelegated.into());
    assert_eq!(told(hospitals, key(&own.1), &own.0).await.standing(), Standing::InForce);
}

/// What an issuer shows, once its gauges are measured after the last seal.
async fn metrics(network: &TestNetwork) -> String {
    let address = network.issuer_addresses(1).unwrap().metrics;
    let deadline = Instant::now() + SEAL_TIMEOUT;
    loop {
        let (status, text) = http_get(address, "/metrics").await.unwrap();
        assert_eq!(status, 200);
        let text = String::from_utf8(text).unwrap();
        if text.contains("receipts_pending 0\n") && text.contains("batches_in_flight 0\n") {
            return text;
        }
        assert!(Instant::now() < deadline, "receipts stay pending:\n{text}");
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}
