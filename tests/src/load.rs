//! Receipts issued in the background while a test disturbs the network.
//!
//! Every worker issues one receipt after the other. A call that fails in flight is repeated with the same content and the
//! same `biz_code` until the issuer answers; what it then acknowledged is remembered. A refusal that no retry helps is an
//! error. Not here: what becomes of the receipts.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use tallystick_devnet::clients::IssuerClient;
use tallystick_devnet::generate_receipts::{GeneratedReceipt, GeneratorParams, ReceiptGenerator};
use tallystick_devnet::outcomes::Key;
use tallystick_devnet::registry::{Registry, SYSTEM_HOSPITALS, SYSTEM_OFFICES};
use tallystick_devnet::{Caller, Network};
use tallystick_proto::convert::draft_to_wire;
use tallystick_proto::errors::Refusal;
use tallystick_proto::issuer::v1::{IssueRequest, IssueResponse, ResubmitRequest, Wait};
use tallystick_service::clock::{Clock as _, SystemClock};
use tokio::task::JoinSet;
use tonic::Status;

/// Workers of one load.
const WORKERS: u64 = 3;
/// Pause between two receipts of one worker.
const PACE: Duration = Duration::from_millis(30);
/// Pause between two attempts of one call.
const RETRY_PAUSE: Duration = Duration::from_millis(50);
/// An attempt without an answer.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the issuer may be away.
const AWAY_MAX: Duration = Duration::from_secs(120);
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Clients of one issuer, by system.
pub type Clients = BTreeMap<u32, IssuerClient>;

/// A receipt that an issuer has acknowledged.
#[derive(Debug, Clone)]
pub struct Acked {
    /// The generated receipt that was issued.
    pub receipt: GeneratedReceipt,
    /// Code and number.
    pub key: Key,
    /// The answer.
    pub response: IssueResponse,
}

impl Acked {
    /// Hands the receipt back to its issuer by `Resubmit`, and waits for its seal.
    pub async fn resubmit(&self, clients: &Clients) -> std::result::Result<IssueResponse, Status> {
        let request = ResubmitRequest {
            signed_record: self.response.signed_record.clone(),
            draft: Some(draft_to_wire(&self.receipt.draft)),
            check_code: self.response.check_code.clone(),
            body_seed: self.response.body_seed.clone(),
            wait: Wait::Sealed.into(),
            wait_timeout_ms: 60_000,
        };
        let client = clients.get(&self.receipt.system_id);
        let client = client.ok_or_else(|| Status::not_found("no client for the receipt's system"))?;
        Ok(client.clone().resubmit(request).await?.into_inner())
    }
}

/// Clients of an issuer as the systems that issue.
pub async fn clients(network: &Network, issuer_id: u32) -> Result<Clients> {
    let mut clients = Clients::new();
    for system_id in [SYSTEM_HOSPITALS, SYSTEM_OFFICES] {
        clients.insert(system_id, network.issuer_client(issuer_id, Caller::System(system_id)).await?);
    }
    Ok(clients)
}

/// Issuing that goes on until it is stopped.
pub struct Load {
    stop: Arc<AtomicBool>,
    acked_count: Arc<AtomicUsize>,
    workers: JoinSet<Result<Vec<Acked>>>,
}

impl Load {
    /// Starts to issue at an issuer.
    pub async fn start(network: &Network, issuer_id: u32, seed: u64) -> Result<Self> {
        let mut load = Self { stop: Arc::default(), acked_count: Arc::default(), workers: JoinSet::new() };
        let offset = network.description().utc_offset_minutes;
        for worker in 0..WORKERS {
            let seed = seed.wrapping_mul(WORKERS).wrapping_add(worker);
            let params = GeneratorParams::at(SystemClock.now(), offset, seed)?;
            let params = GeneratorParams { biz_prefix: format!("L{worker}{}", params.biz_prefix), ..params };
            let worker = Worker {
                registry: network.registry().clone(),
                clients: clients(network, issuer_id).await?,
                params,
                stop: Arc::clone(&load.stop),
                acked_count: Arc::clone(&load.acked_count),
            };
            load.workers.spawn(worker.run());
        }
        Ok(load)
    }

    /// Waits until so many more receipts are acknowledged.
    pub async fn wait_more(&mut self, count: usize) -> Result<()> {
        let wanted = self.acked_count.load(Ordering::Relaxed) + count;
        let deadline = Instant::now() + AWAY_MAX;
        while self.acked_count.load(Ordering::Relaxed) < wanted {
            if let Some(ended) = self.workers.try_join_next() {
                ended.context("issue in the background")??;
                bail!("a worker ended before it was stopped");
            }
            ensure!(Instant::now() < deadline, "no {count} receipts were acknowledged in {AWAY_MAX:?}");
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        Ok(())
    }

    /// Stops, once every call on its way is answered; everything that was acknowledged.
    pub async fn stop(mut self) -> Result<Vec<Acked>> {
        self.stop.store(true, Ordering::Relaxed);
        let mut acked = Vec::new();
        while let Some(ended) = self.workers.join_next().await {
            acked.extend(ended.context("issue in the background")??);
        }
        Ok(acked)
    }
}

struct Worker {
    registry: Registry,
    clients: Clients,
    params: GeneratorParams,
    stop: Arc<AtomicBool>,
    acked_count: Arc<AtomicUsize>,
}

impl Worker {
    async fn run(self) -> Result<Vec<Acked>> {
        let mut generator = ReceiptGenerator::new(&self.registry, self.params)?;
        let mut acked = Vec::new();
        while !self.stop.load(Ordering::Relaxed) {
            acked.push(issue(&self.clients, generator.mixed()?).await?);
            self.acked_count.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(PACE).await;
        }
        Ok(acked)
    }
}

/// Issues one receipt; repeats the call until it is answered.
pub async fn issue(clients: &Clients, receipt: GeneratedReceipt) -> Result<Acked> {
    let mut client = clients.get(&receipt.system_id).context("there is no client of the system")?.clone();
    let draft = Some(draft_to_wire(&receipt.draft));
    let request = IssueRequest { draft, wait: Wait::Pending.into(), ..IssueRequest::default() };
    let deadline = Instant::now() + AWAY_MAX;
    loop {
        let attempt = tokio::time::timeout(CALL_TIMEOUT, client.issue(request.clone())).await;
        let status = match attempt {
            Ok(Ok(response)) => {
                let response = response.into_inner();
                let key = (response.receipt_code.clone(), response.receipt_number.clone());
                return Ok(Acked { receipt, key, response });
            }
            Ok(Err(status)) => status,
            Err(_) => Status::deadline_exceeded("no answer"),
        };
        if Refusal::from_status(&status).is_some_and(|refusal| refusal.retry_after_ms.is_none()) {
            bail!("{} was refused: {status}", receipt.draft.biz_code);
        }
        ensure!(Instant::now() < deadline, "{} was not acknowledged: {status}", receipt.draft.biz_code);
        tokio::time::sleep(RETRY_PAUSE).await;
    }
}
