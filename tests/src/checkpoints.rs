//! Everything that the validators publish while a test runs: under a quorum each, and all of one history.
//!
//! The tips are read every few milliseconds, so a short-lived fork would be seen. Not here: the blocks behind them; the audit
//! replays those.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use receipt_core::hash::Hash;
use receipt_core::merkle::verify_consistency;
use receipt_core::trust::{TrustFile, TrustedCheckpoint};
use tallystick_devnet::process::http_get;
use tallystick_devnet::{Caller, Network};
use tallystick_proto::ledger::v1::GetConsistencyProofRequest;
use tokio::task::JoinSet;

const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// A validator that stands still answers nothing.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

#[derive(Default)]
struct Seen {
    by_size: BTreeMap<u64, TrustedCheckpoint>,
    newest: BTreeMap<u32, u64>,
    problems: Vec<String>,
}

/// Reads the checkpoints of all validators until it is dropped.
pub struct CheckpointWatch {
    seen: Arc<Mutex<Seen>>,
    _readers: JoinSet<()>,
}

impl CheckpointWatch {
    /// Begins to read.
    pub fn start(network: &Network) -> Result<Self> {
        let trust = Arc::new(network.trust()?);
        let seen = Arc::new(Mutex::new(Seen::default()));
        let mut readers = JoinSet::new();
        for node in &network.description().nodes {
            readers.spawn(read(node.validator_id, node.http, Arc::clone(&trust), Arc::clone(&seen)));
        }
        Ok(Self { seen, _readers: readers })
    }

    /// A validator loses its store: what it publishes next may be smaller.
    pub fn forget(&self, validator_id: u32) {
        lock(&self.seen).newest.remove(&validator_id);
    }

    /// Proves each checkpoint that was seen to be a beginning of the newest; how many there were. For a time at which all
    /// validators have one tip.
    pub async fn check(self, network: &Network) -> Result<usize> {
        let (checkpoints, problems) = {
            let seen = lock(&self.seen);
            (seen.by_size.values().cloned().collect::<Vec<_>>(), seen.problems.clone())
        };
        ensure!(problems.is_empty(), "{}", problems.join("\n"));
        ensure!(!checkpoints.is_empty(), "no checkpoint was seen");
        let trust = network.trust()?;
        let mut ledger = network.ledger_client(1, Caller::Auditor).await?;
        for old in &checkpoints {
            let request = GetConsistencyProofRequest { first_size: old.size.get(), second_size: 0 };
            let answer = ledger.get_consistency_proof(request).await.context("ask for a consistency proof")?;
            let answer = answer.into_inner();
            let newest = trust.verify_checkpoint(&answer.checkpoint)?;
            let path = answer.path.iter().map(|hash| Hash::from_slice(hash)).collect::<Option<Vec<_>>>();
            let path = path.context("a proof holds something that is no hash")?;
            verify_consistency(trust.suite(), old.size, &old.root, newest.size, &newest.root, &path)
                .with_context(|| format!("from size {} to {}", old.size, newest.size))?;
        }
        Ok(checkpoints.len())
    }
}

async fn read(validator_id: u32, address: SocketAddr, trust: Arc<TrustFile>, seen: Arc<Mutex<Seen>>) {
    let mut last = Vec::new();
    loop {
        // A validator that is away now is asked again.
        if let Ok(Ok((200, note))) = tokio::time::timeout(ANSWER_TIMEOUT, http_get(address, "/checkpoint")).await
            && note != last
        {
            let judged = trust.verify_checkpoint(&String::from_utf8_lossy(&note));
            let mut seen = lock(&seen);
            match judged {
                Ok(checkpoint) => seen.take(validator_id, checkpoint),
                Err(error) => seen.problems.push(format!("node-{validator_id} publishes what nobody trusts: {error}")),
            }
            last = note;
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

impl Seen {
    fn take(&mut self, validator_id: u32, checkpoint: TrustedCheckpoint) {
        let size = checkpoint.size.get();
        let newest = self.newest.entry(validator_id).or_default();
        if size < *newest {
            self.problems.push(format!("node-{validator_id} went from size {newest} back to {size}"));
        }
        *newest = size;
        let known = self.by_size.entry(size).or_insert_with(|| checkpoint.clone());
        if known.root != checkpoint.root {
            self.problems.push(format!("FORK: size {size} has roots {} and {}", known.root, checkpoint.root));
        }
    }
}

fn lock(seen: &Mutex<Seen>) -> std::sync::MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}
