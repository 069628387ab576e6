//! Issuing many receipts through the public API, as the systems that may, with the time that each answer took.
//!
//! Not here: load with a rate, percentiles, retries of what was refused; a refusal is an error.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use tallystick_proto::convert::draft_to_wire;
use tallystick_proto::errors::Refusal;
use tallystick_proto::issuer::v1::issue_result::Result as ItemResult;
use tallystick_proto::issuer::v1::{IssueManyRequest, IssueRequest, IssueResponse, ReceiptState, Wait};
use tokio::task::JoinSet;

use crate::clients::IssuerClient;
use crate::generate_receipts::GeneratedReceipt;
use crate::outcomes::Key;

/// A receipt that the issuer has taken.
#[derive(Debug, Clone)]
pub struct IssuedReceipt {
    /// The system that issued it.
    pub system_id: u32,
    /// Code and number.
    pub key: Key,
    /// When it was asked for.
    pub called_at: Instant,
    /// How long the acknowledgement took.
    pub acknowledgement: Duration,
    /// The answer.
    pub response: IssueResponse,
}

/// How many receipts go into a call, and how many calls run at once.
#[derive(Debug, Clone, Copy)]
pub struct IssuePace {
    /// Receipts of one `IssueMany`; 1 means `Issue`.
    pub per_call: usize,
    /// Calls on their way at once.
    pub concurrency: usize,
}

/// Issues all, each as its own system; `progress` counts receipts that were acknowledged.
pub async fn issue_all(
    clients: &BTreeMap<u32, IssuerClient>,
    receipts: Vec<GeneratedReceipt>,
    pace: IssuePace,
    progress: &Arc<AtomicU64>,
) -> Result<Vec<IssuedReceipt>> {
    ensure!(pace.per_call >= 1 && pace.concurrency >= 1, "a pace of nothing issues nothing");
    let mut by_system: BTreeMap<u32, Vec<GeneratedReceipt>> = BTreeMap::new();
    for receipt in receipts {
        by_system.entry(receipt.system_id).or_default().push(receipt);
    }
    let mut issued = Vec::new();
    let mut calls = JoinSet::new();
    for (system_id, receipts) in by_system {
        let client = clients.get(&system_id).with_context(|| format!("there is no client of system {system_id}"))?;
        for chunk in receipts.chunks(pace.per_call) {
            if calls.len() >= pace.concurrency {
                take_finished(&mut calls, &mut issued, progress).await?;
            }
            let (client, chunk) = (client.clone(), chunk.to_vec());
            calls.spawn(issue_chunk(client, system_id, chunk));
        }
    }
    while !calls.is_empty() {
        take_finished(&mut calls, &mut issued, progress).await?;
    }
    Ok(issued)
}

async fn take_finished(
    calls: &mut JoinSet<Result<Vec<IssuedReceipt>>>,
    issued: &mut Vec<IssuedReceipt>,
    progress: &AtomicU64,
) -> Result<()> {
    if let Some(finished) = calls.join_next().await {
        let receipts = finished.context("issue receipts")??;
        progress.fetch_add(receipts.len() as u64, Ordering::Relaxed);
        issued.extend(receipts);
    }
    Ok(())
}

async fn issue_chunk(
    client: IssuerClient,
    system_id: u32,
    receipts: Vec<GeneratedReceipt>,
) -> Result<Vec<IssuedReceipt>> {
    match receipts.as_slice() {
        [one] => Ok(vec![issue_one(client, one, Wait::Pending).await?]),
        _ => issue_many(client, system_id, &receipts).await,
    }
}

/// `Issue` of one receipt. With `Wait::Sealed` the answer carries the bundle; anything but SEALED is then an error.
pub async fn issue_one(mut client: IssuerClient, receipt: &GeneratedReceipt, wait: Wait) -> Result<IssuedReceipt> {
    let request = IssueRequest {
        draft: Some(draft_to_wire(&receipt.draft)),
        wait: wait.into(),
        wait_timeout_ms: 30_000,
        with_bundle: wait == Wait::Sealed,
    };
    let called_at = Instant::now();
    let response = client.issue(request).await;
    let acknowledgement = called_at.elapsed();
    let response = response.with_context(|| format!("issue {}", receipt.draft.biz_code))?.into_inner();
    ensure!(
        wait != Wait::Sealed || response.state() == ReceiptState::Sealed,
        "{} is {} and not sealed {}",
        receipt.draft.biz_code,
        response.state().as_str_name(),
        response.refused_reason
    );
    Ok(issued(receipt.system_id, called_at, acknowledgement, response))
}

async fn issue_many(
    mut client: IssuerClient,
    system_id: u32,
    receipts: &[GeneratedReceipt],
) -> Result<Vec<IssuedReceipt>> {
    let drafts = receipts.iter().map(|receipt| draft_to_wire(&receipt.draft)).collect();
    let request = IssueManyRequest { drafts, wait: Wait::Pending.into(), wait_timeout_ms: 0 };
    let called_at = Instant::now();
    let response = client.issue_many(request).await;
    let acknowledgement = called_at.elapsed();
    let results = response.with_context(|| format!("issue {} receipts", receipts.len()))?.into_inner().results;
    ensure!(results.len() == receipts.len(), "{} results for {} receipts", results.len(), receipts.len());
    let each = receipts.iter().zip(results).map(|(receipt, result)| match result.result {
        Some(ItemResult::Issued(response)) => Ok(issued(system_id, called_at, acknowledgement, response)),
        Some(ItemResult::Error(error)) => {
            let refusal = Refusal::from_item_error(&error);
            let text = refusal.map_or_else(|| error.reason.clone(), |refusal| format!("{refusal:?}"));
            bail!("{} was not issued: {text}", receipt.draft.biz_code)
        }
        None => bail!("the result of {} is empty", receipt.draft.biz_code),
    });
    each.collect()
}

fn issued(system_id: u32, called_at: Instant, acknowledgement: Duration, response: IssueResponse) -> IssuedReceipt {
    let key = (response.receipt_code.clone(), response.receipt_number.clone());
    IssuedReceipt { system_id, key, called_at, acknowledgement, response }
}
