//! What must be true of every acknowledged receipt in the end.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use receipt_core::trust::TrustFile;
use receipt_core::verdict::verify_bundle;
use tallystick_devnet::clients::IssuerClient;
use tallystick_devnet::{Caller, Network};
use tallystick_proto::admin::v1::ListIssuersRequest;
use tallystick_proto::issuer::v1::{
    BizKey, DayTotalsRequest, GetBundleRequest, GetReceiptRequest, GetReceiptResponse, ReceiptState,
    get_bundle_request, get_receipt_request,
};
use tallystick_service::clock::{Clock as _, SystemClock};
use tokio::task::JoinSet;

use crate::TestNetwork;
use crate::load::{Acked, Clients, clients, issue};

/// How long an acknowledged receipt may stay pending once everything runs again.
pub const SEAL_TIMEOUT: Duration = Duration::from_secs(60);
const POLL_INTERVAL: Duration = Duration::from_millis(50);
const CHECKS_AT_ONCE: usize = 8;

/// Waits until the ledger has this issuer in this epoch: what `recover` asked the authorities for is executed.
pub async fn wait_epoch(network: &Network, issuer_id: u32, epoch: u64) -> Result<()> {
    let mut admin = network.admin_client(1, Caller::Operator).await?;
    let deadline = Instant::now() + SEAL_TIMEOUT;
    loop {
        let issuers = admin.list_issuers(ListIssuersRequest::default()).await?.into_inner().issuers;
        if issuers.iter().any(|issuer| issuer.issuer_id == issuer_id && issuer.epoch == epoch) {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "issuer {issuer_id} is not in epoch {epoch}: {issuers:?}");
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// What became of a receipt, by the unit's own number.
pub async fn state_of(clients: &Clients, acked: &Acked) -> Result<GetReceiptResponse> {
    let mut client = client_of(clients, acked)?;
    let selector = Some(get_receipt_request::Selector::BizKey(biz_key(acked)));
    let answer = client.get_receipt(GetReceiptRequest { selector }).await;
    Ok(answer.with_context(|| format!("ask for {}", acked.receipt.draft.biz_code))?.into_inner())
}

/// Every one of these is sealed, once, under the key and with the signature of its acknowledgement; its bundle verifies
/// offline; and the issuer has no other receipts of that day.
pub async fn all_sealed_once(network: &Network, issuer_id: u32, acked: &[Acked]) -> Result<()> {
    let clients = Arc::new(clients(network, issuer_id).await?);
    let trust = Arc::new(network.trust()?);
    let keys: BTreeSet<_> = acked.iter().map(|acked| &acked.key).collect();
    ensure!(keys.len() == acked.len(), "{} receipts have {} numbers", acked.len(), keys.len());
    let deadline = Instant::now() + SEAL_TIMEOUT;
    let mut running = JoinSet::new();
    for acked in acked {
        if running.len() >= CHECKS_AT_ONCE
            && let Some(ended) = running.join_next().await
        {
            ended.context("check a receipt")??;
        }
        running.spawn(sealed_once(Arc::clone(&clients), Arc::clone(&trust), acked.clone(), deadline));
    }
    while let Some(ended) = running.join_next().await {
        ended.context("check a receipt")??;
    }
    let total = day_count(network, &clients, acked).await?;
    ensure!(total == acked.len() as u64, "the issuer counts {total} receipts, {} were acknowledged", acked.len());
    Ok(())
}

async fn sealed_once(clients: Arc<Clients>, trust: Arc<TrustFile>, acked: Acked, deadline: Instant) -> Result<()> {
    let biz_code = &acked.receipt.draft.biz_code;
    let state = loop {
        let state = state_of(&clients, &acked).await?;
        if state.state() != ReceiptState::Pending {
            break state;
        }
        ensure!(Instant::now() < deadline, "{biz_code} is still pending after {SEAL_TIMEOUT:?}");
        tokio::time::sleep(POLL_INTERVAL).await;
    };
    let name = state.state().as_str_name();
    ensure!(state.state() == ReceiptState::Sealed, "{biz_code} is {name} {}", state.refused_reason);
    let key = state.key.context("the answer names no receipt")?;
    ensure!((key.receipt_code, key.receipt_number) == acked.key, "{biz_code} has another number than acknowledged");
    ensure!(state.signed_record == acked.response.signed_record, "{biz_code} has another record than acknowledged");
    ensure!(state.block_height > 0, "{biz_code} is sealed in no block");
    let bundle = bundle_of(client_of(&clients, &acked)?, &acked).await?;
    let verdict = tokio::task::spawn_blocking(move || verify_bundle(&bundle, &trust, SystemClock.now()));
    let verdict = verdict.await.context("verify a bundle")?;
    ensure!(verdict.is_in_force(), "the verdict on {biz_code} is {:?}", verdict.conclusion);
    let draft = verdict.receipt.map(|receipt| receipt.draft);
    ensure!(draft.as_ref() == Some(&acked.receipt.draft), "the bundle of {biz_code} holds another receipt");
    Ok(())
}

/// Issues a receipt, waits until it is sealed, and fetches its bundle as a citizen keeps it. `seed` makes the receipt.
pub async fn issue_and_keep(network: &TestNetwork, issuer_id: u32, seed: u64) -> Result<(Acked, Vec<u8>)> {
    let clients = clients(network, issuer_id).await?;
    let acked = issue(&clients, network.receipts(seed)?.outpatient()?).await?;
    let deadline = Instant::now() + SEAL_TIMEOUT;
    loop {
        match bundle_of(client_of(&clients, &acked)?, &acked).await {
            Ok(bundle) => return Ok((acked, bundle)),
            Err(error) if Instant::now() >= deadline => return Err(error),
            Err(_) => tokio::time::sleep(POLL_INTERVAL).await,
        }
    }
}

/// The bundle of a sealed receipt.
pub async fn bundle_of(mut client: IssuerClient, acked: &Acked) -> Result<Vec<u8>> {
    let selector = Some(get_bundle_request::Selector::BizKey(biz_key(acked)));
    let answer = client.get_bundle(GetBundleRequest { selector }).await;
    let answer = answer.with_context(|| format!("fetch the bundle of {}", acked.receipt.draft.biz_code))?;
    Ok(answer.into_inner().bundle.to_vec())
}

/// Blue receipts of all units on the day of these, none of which may be pending or refused.
async fn day_count(network: &Network, clients: &Clients, acked: &[Acked]) -> Result<u64> {
    let Some(first) = acked.first() else { return Ok(0) };
    let day = first.receipt.draft.issue_date.to_string();
    let mut total = 0;
    for unit in &network.registry().units {
        let system_id = network.registry().system_of(unit);
        let mut client = clients.get(&system_id).context("there is no client of the system")?.clone();
        let request = DayTotalsRequest { unit_code: unit.unit_code.clone(), day: day.clone() };
        let answer = client.day_totals(request).await.context("ask for totals")?.into_inner();
        let totals = answer.total.context("the totals are missing")?;
        let idle = (totals.pending_count, totals.refused_count, totals.red_count) == (0, 0, 0);
        ensure!(idle, "unit {} has {totals:?}", unit.unit_code);
        total += totals.blue_count;
    }
    Ok(total)
}

/// The client of the system that issued a receipt.
pub fn client_of(clients: &Clients, acked: &Acked) -> Result<IssuerClient> {
    Ok(clients.get(&acked.receipt.system_id).context("there is no client of the system")?.clone())
}

fn biz_key(acked: &Acked) -> BizKey {
    let draft = &acked.receipt.draft;
    BizKey { unit_code: draft.unit_code.clone(), biz_code: draft.biz_code.clone() }
}
