//! Making load: calls at a rate (open), or as many as are answered (closed), over mTLS.
//!
//! - **open**: call i is due at start + i ÷ rate, whatever happened to the calls before; latencies count from when a call
//!   was due, so a slow answer also counts against those that had to wait behind it.
//! - **closed**: so many callers, each with one call on its way; each waits while too many receipts are unsealed, so the
//!   rate is what the *whole* way to the seal sustains, not what the issuer takes in.
//!
//! A call refused for overload is counted and, in a closed loop, made again with a new draft after the pause that the
//! issuer asks for. Any other refusal is on the list of problems. Not here: figures.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use tallystick_devnet::clients::IssuerClient;
use tallystick_devnet::registry::SYSTEM_HOSPITALS;
use tallystick_devnet::{Caller, Network};
use tallystick_proto::errors::retry_after;
use tallystick_proto::issuer::v1::issue_result::Result as ItemResult;
use tallystick_proto::issuer::v1::{IssueManyRequest, IssueRequest, IssueResponse, Wait};
use tokio::task::JoinSet;
use tonic::{Code, Status};

use crate::supply::Supply;
use crate::tracker::{Key, Tracked, Tracker};

/// The issuer under load.
const ISSUER: u32 = 1;
/// Calls of an open loop on their way at once; beyond, a call is counted as not made.
const OPEN_CALLS_MAX: u64 = 4_096;
/// Pause where the issuer names none.
const PAUSE_DEFAULT: Duration = Duration::from_millis(100);
/// How long the rest may take to be sealed after the load.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(120);
const PROBLEMS_MAX: usize = 100;

/// Pace of the calls: at a rate, or as answers come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// At a rate, in receipts per second.
    Open {
        /// Receipts per second, called for whether answers come or not.
        rate: u64,
    },
    /// As fast as answers and seals come.
    Closed {
        /// Number of callers that each wait for their answer.
        callers: usize,
        /// Acknowledged receipts that may wait for their seal.
        unsealed_max: usize,
    },
}

/// Pace, kind of call and connections of a load.
#[derive(Debug, Clone, Copy)]
pub struct LoadOptions {
    /// Pace of the calls.
    pub pace: Pace,
    /// Receipts of a call: `None` for `Issue`, else `IssueMany` of so many.
    pub many: Option<usize>,
    /// TLS connections over which the calls are spread.
    pub connections: usize,
}

/// An answered call.
#[derive(Debug, Clone, Copy)]
pub struct Acknowledged {
    /// When the call was due by the pace; latency counts from here.
    pub called_at: Instant,
    /// When the answer was there.
    pub answered_at: Instant,
    /// Receipts acknowledged by it.
    pub receipts: u32,
}

/// Load that runs. Its tasks end when it is dropped.
#[derive(Debug)]
pub struct Load {
    shared: Arc<Shared>,
    tasks: JoinSet<Result<()>>,
}

#[derive(Debug)]
struct Shared {
    options: LoadOptions,
    supply: Supply,
    tracker: Tracker,
    stopped: AtomicBool,
    calls_in_flight: AtomicU64,
    calls_skipped: AtomicU64,
    receipts_overloaded: AtomicU64,
    answers: Mutex<Answers>,
}

#[derive(Debug, Default)]
struct Answers {
    acknowledged: Vec<Acknowledged>,
    problems: Vec<String>,
}

/// Everything that a load brought.
#[derive(Debug)]
pub struct LoadOutcome {
    /// Answered calls with at least one receipt.
    pub acknowledged: Vec<Acknowledged>,
    /// What became of the receipts.
    pub tracked: Tracked,
    /// Receipts refused for overload, with a hint to try again.
    pub receipts_overloaded: u64,
    /// Calls of an open loop that were not made, because too many were on their way.
    pub calls_skipped: u64,
    /// Refusals for other reasons, and broken calls; at most the first hundred.
    pub problems: Vec<String>,
    /// From the end of the load to the last seal.
    pub drain: Duration,
}

impl Load {
    /// Starts the load on a running network where nothing else issues.
    pub async fn start(network: &Network, options: LoadOptions) -> Result<Self> {
        ensure!(options.connections >= 1, "load needs a connection");
        ensure!(options.many.is_none_or(|size| (1..=500).contains(&size)), "IssueMany takes 1 to 500 receipts");
        let mut clients = Vec::new();
        for _ in 0..options.connections {
            clients.push(network.issuer_client(ISSUER, Caller::System(SYSTEM_HOSPITALS)).await?);
        }
        let watcher = network.issuer_client(ISSUER, Caller::System(SYSTEM_HOSPITALS)).await?;
        let shared = Arc::new(Shared {
            options,
            supply: Supply::new(network)?,
            tracker: Tracker::start(watcher, 0).await?,
            stopped: AtomicBool::new(false),
            calls_in_flight: AtomicU64::new(0),
            calls_skipped: AtomicU64::new(0),
            receipts_overloaded: AtomicU64::new(0),
            answers: Mutex::default(),
        });
        let mut tasks = JoinSet::new();
        match options.pace {
            Pace::Open { rate } => {
                ensure!(rate >= 1, "a rate of nothing is no load");
                tasks.spawn(open_loop(Arc::clone(&shared), clients, rate));
            }
            Pace::Closed { callers, unsealed_max } => {
                for client in clients.iter().cycle().take(callers) {
                    tasks.spawn(closed_loop(Arc::clone(&shared), client.clone(), unsealed_max));
                }
            }
        }
        Ok(Self { shared, tasks })
    }

    /// Who is told of the outcomes.
    pub fn tracker(&self) -> &Tracker {
        &self.shared.tracker
    }

    /// Fails if the load broke: its tasks run until they are stopped.
    pub fn check(&mut self) -> Result<()> {
        match self.tasks.try_join_next() {
            None => Ok(()),
            Some(ended) => {
                ended.context("make load")??;
                bail!("the load ended by itself")
            }
        }
    }

    /// Stops calling, waits until every acknowledged receipt is decided, and hands out all samples.
    pub async fn finish(mut self) -> Result<LoadOutcome> {
        self.shared.stopped.store(true, Ordering::Relaxed);
        let stopped_at = Instant::now();
        while let Some(ended) = self.tasks.join_next().await {
            ended.context("make load")??;
        }
        // Too late is not an error here: the receipts are reported as unsealed.
        let _ = tokio::time::timeout(DRAIN_TIMEOUT, self.shared.tracker.wait_below(1)).await;
        let drain = stopped_at.elapsed();
        let shared = Arc::into_inner(self.shared).context("a call is still on its way")?;
        let answers = shared.answers.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok(LoadOutcome {
            acknowledged: answers.acknowledged,
            tracked: shared.tracker.finish(),
            receipts_overloaded: shared.receipts_overloaded.into_inner(),
            calls_skipped: shared.calls_skipped.into_inner(),
            problems: answers.problems,
            drain,
        })
    }
}

async fn closed_loop(shared: Arc<Shared>, client: IssuerClient, unsealed_max: usize) -> Result<()> {
    while !shared.stopped.load(Ordering::Relaxed) {
        shared.tracker.wait_below(unsealed_max).await?;
        if let Some(pause) = shared.call(client.clone(), Instant::now()).await? {
            tokio::time::sleep(pause).await;
        }
    }
    Ok(())
}

async fn open_loop(shared: Arc<Shared>, clients: Vec<IssuerClient>, rate: u64) -> Result<()> {
    let per_call = shared.options.many.unwrap_or(1) as u64;
    let start = Instant::now();
    let mut calls = JoinSet::new();
    let mut next = clients.iter().cycle();
    for index in 0u64.. {
        if shared.stopped.load(Ordering::Relaxed) {
            break;
        }
        let due = start + Duration::from_nanos(index * per_call * 1_000_000_000 / rate);
        tokio::time::sleep_until(due.into()).await;
        while let Some(ended) = calls.try_join_next() {
            let _: Option<Duration> = ended.context("make a call")??;
        }
        if shared.calls_in_flight.load(Ordering::Relaxed) >= OPEN_CALLS_MAX {
            shared.calls_skipped.fetch_add(1, Ordering::Relaxed);
            continue;
        }
        shared.calls_in_flight.fetch_add(1, Ordering::Relaxed);
        let client = next.next().context("there is no connection")?.clone();
        let shared = Arc::clone(&shared);
        calls.spawn(async move {
            let result = shared.call(client, due).await;
            shared.calls_in_flight.fetch_sub(1, Ordering::Relaxed);
            result
        });
    }
    while let Some(ended) = calls.join_next().await {
        let _: Option<Duration> = ended.context("make a call")??;
    }
    Ok(())
}

impl Shared {
    /// One call; answers how long to pause if the issuer was overloaded.
    async fn call(&self, mut client: IssuerClient, called_at: Instant) -> Result<Option<Duration>> {
        let Some(size) = self.options.many else {
            let request = IssueRequest {
                draft: Some(self.supply.next()),
                wait: Wait::Pending.into(),
                wait_timeout_ms: 0,
                with_bundle: false,
            };
            return match client.issue(request).await {
                Ok(response) => {
                    self.acknowledged(called_at, &[response.into_inner()])?;
                    Ok(None)
                }
                Err(status) => Ok(self.refused(&status, 1)),
            };
        };
        let drafts = self.supply.take(size);
        let request = IssueManyRequest { drafts, wait: Wait::Pending.into(), wait_timeout_ms: 0 };
        let results = match client.issue_many(request).await {
            Ok(response) => response.into_inner().results,
            Err(status) => return Ok(self.refused(&status, size as u64)),
        };
        let mut pause_ms = 0;
        let mut issued = Vec::with_capacity(results.len());
        for result in results {
            match result.result {
                Some(ItemResult::Issued(response)) => issued.push(response),
                Some(ItemResult::Error(error)) if error.retry_after_ms > 0 => {
                    pause_ms = pause_ms.max(error.retry_after_ms);
                    self.receipts_overloaded.fetch_add(1, Ordering::Relaxed);
                }
                Some(ItemResult::Error(error)) => self.problem(format!("{}: {}", error.reason, error.message)),
                None => self.problem("a result is empty".to_owned()),
            }
        }
        self.acknowledged(called_at, &issued)?;
        Ok((pause_ms > 0).then_some(Duration::from_millis(pause_ms)))
    }

    fn acknowledged(&self, called_at: Instant, issued: &[IssueResponse]) -> Result<()> {
        if issued.is_empty() {
            return Ok(());
        }
        let answered_at = Instant::now();
        for response in issued {
            if response.replayed {
                self.problem(format!("{} existed before", response.receipt_number));
            }
            self.tracker.acknowledged(Key::parse(&response.receipt_code, &response.receipt_number)?, called_at);
        }
        let receipts = u32::try_from(issued.len())?;
        let acknowledged = Acknowledged { called_at, answered_at, receipts };
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).acknowledged.push(acknowledged);
        Ok(())
    }

    /// Notes a refused call of so many receipts; answers the pause if it was for overload.
    fn refused(&self, status: &Status, receipts: u64) -> Option<Duration> {
        if matches!(status.code(), Code::ResourceExhausted | Code::Unavailable) {
            self.receipts_overloaded.fetch_add(receipts, Ordering::Relaxed);
            return Some(retry_after(status).unwrap_or(PAUSE_DEFAULT));
        }
        self.problem(format!("{}: {}", status.code(), status.message()));
        None
    }

    fn problem(&self, text: String) {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        if answers.problems.len() < PROBLEMS_MAX {
            answers.problems.push(text);
        }
    }
}
