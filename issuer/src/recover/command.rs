//! The command: catches up over the network, and says what is to be done.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use prometheus_client::registry::Registry as Metrics;
use receipt_core::hash::Hash;
use receipt_core::ids::TreeSize;
use receipt_core::state::ChainParameters;
use tallystick_proto::ledger::v1::{GetCheckpointRequest, GetConsistencyProofRequest, StreamBlocksRequest};
use tallystick_service::clock::{Clock, SystemClock};
use tallystick_service::durable::{self, FileMode};
use tallystick_service::identity::ChainName;
use tallystick_service::outln;
use tallystick_service::said::said;
use tallystick_service::tls::Tls;

use super::plan::governance_plan;
use super::{RecoverError, Recovery, Standing};
use crate::app::{LoadedChain, load_chain};
use crate::backlog::Backlog;
use crate::config::Settings;
use crate::flight::Flight;
use crate::follow::{Outcomes, OutcomesParts, ProofWanted};
use crate::gate::Gate;
use crate::guard::stand_aside;
use crate::journal::Journal;
use crate::metrics::IssuerMetrics;
use crate::nodes::{Node, Nodes};
use crate::registry::Registry;
use crate::waiters::Waiters;

/// Attempts per node: one that is away or not believed is followed by the next.
const ATTEMPTS_PER_NODE: usize = 3;

/// Catches up and ends the halt, or writes to `plan` (if given) the governance that must come first. Tells on standard output.
pub async fn run(settings: &Settings, plan: Option<&Path>) -> Result<Standing> {
    let chain = load_chain(settings)?;
    let journal = Arc::new(Journal::open(&settings.journal_dir, chain.identity)?);
    let guard = stand_aside(&journal, &settings.guard_file)?;
    let mut recovery = begin(&chain, &journal)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let chain_name = ChainName::parse(&chain.genesis.chain_name).context("the chain's name")?;
    let tls = Tls::load(settings.tls.clone(), chain_name, Arc::clone(&clock)).context("load TLS files")?;
    let nodes = Nodes::new(&tls, &settings.nodes, settings.call_timeout())?;
    let fresh_seconds = settings.ledger.fresh_ms / 1000;
    let session = Session { chain: &chain, nodes: &nodes, clock: clock.as_ref(), fresh_seconds };
    session.catch_up(&mut recovery).await?;
    let (batches, receipts) = recovery.adopted();
    outln!("caught up with the ledger at height {}", recovery.next_height().saturating_sub(1));
    outln!("learnt from it: {receipts} receipts in {batches} batches that this journal did not have");
    let standing = recovery.finish(guard, &settings.guard_file)?;
    match standing {
        Standing::Recovered { epoch, waiting } => {
            outln!("recovered: this journal signs in epoch {epoch}; {waiting} of its receipts wait for a batch");
            outln!("start it with `tallystick-issuer run`, and have the callers resubmit what they miss");
        }
        Standing::AwaitsFence { epoch } => {
            outln!("the ledger has epoch {epoch} of this issuer: it must rise before this journal may issue");
            tell_plan(&chain, &journal, epoch, plan)?;
        }
    }
    Ok(standing)
}

fn begin(chain: &LoadedChain, journal: &Arc<Journal>) -> Result<Recovery> {
    let (flight, _departures) = Flight::new();
    let outcomes = Outcomes::new(OutcomesParts {
        journal: Arc::clone(journal),
        registry: Arc::new(Registry::open(journal)?),
        gate: Arc::new(Gate::new(journal.halted()?)),
        backlog: Arc::new(Backlog::default()),
        flight: Arc::new(flight),
        waiters: Arc::new(Waiters::default()),
        metrics: Arc::new(IssuerMetrics::register(&mut Metrics::default())),
        chain: ChainParameters::of(&chain.genesis),
        utc_offset_minutes: chain.genesis.utc_offset_minutes,
        recovering: true,
    });
    Ok(Recovery::begin(Arc::clone(journal), outcomes, chain.genesis.utc_offset_minutes)?)
}

fn tell_plan(chain: &LoadedChain, journal: &Journal, epoch: u32, plan: Option<&Path>) -> Result<()> {
    let messages = governance_plan(journal, chain.genesis.suite, epoch)?;
    let Some(path) = plan else {
        outln!("run it again with `--plan FILE`: it writes the governance that the authorities must sign");
        return Ok(());
    };
    for (index, message) in messages.iter().enumerate() {
        let path = if index == 0 { path.to_owned() } else { path.with_extension(format!("{}.gov", index + 1)) };
        durable::create(&path, &message.encode(), FileMode::Shared)
            .with_context(|| format!("write the plan {}", path.display()))?;
        outln!(
            "wrote {}: governance sequence {}, {} actions; have it signed and submitted, then run `recover` again",
            path.display(),
            message.sequence,
            message.actions.len()
        );
    }
    Ok(())
}

struct Session<'a> {
    chain: &'a LoadedChain,
    nodes: &'a Nodes,
    clock: &'a dyn Clock,
    fresh_seconds: u64,
}

impl Session<'_> {
    async fn catch_up(&self, recovery: &mut Recovery) -> Result<()> {
        let mut problems = Vec::new();
        for attempt in 0..ATTEMPTS_PER_NODE * self.nodes.count() {
            let node = self.nodes.node(attempt);
            match self.follow(node, recovery).await {
                Ok(()) => return Ok(()),
                Err(RecoverError::Node(problem)) => {
                    tracing::warn!(node = node.name, problem, "a node did not bring the journal up to the ledger");
                    problems.push(format!("{}: {problem}", node.name));
                }
                Err(error) => return Err(error.into()),
            }
            recovery.rewind()?;
        }
        let tried = problems.len().saturating_sub(self.nodes.count());
        bail!("no node brought the journal up to the ledger; run `recover` again. {}", problems[tried..].join("; "))
    }

    async fn follow(&self, node: &Node, recovery: &mut Recovery) -> Result<(), RecoverError> {
        let away = |status: tonic::Status| RecoverError::Node(said(&status));
        let target = self.fresh_size(node).await?;
        // A block may take as long as any call; the stream as a whole takes as long as it takes.
        let late = |_| RecoverError::Node("it did not answer in time".to_owned());
        let timeout = self.nodes.call_timeout();
        let request = StreamBlocksRequest { from_height: recovery.next_height(), with_records: true, follow: false };
        let mut client = node.client.clone();
        let call = tokio::time::timeout(timeout, client.stream_blocks(request)).await.map_err(late)?;
        let mut blocks = call.map_err(away)?.into_inner();
        while let Some(block) = tokio::time::timeout(timeout, blocks.message()).await.map_err(late)?.map_err(away)? {
            tokio::task::block_in_place(|| recovery.offer(&block, self.chain.trust.as_ref()))?;
            if let Some(wanted) = recovery.proof_wanted() {
                let path = self.consistency_path(node, wanted).await?;
                tokio::task::block_in_place(|| recovery.prove(&path))?;
            }
        }
        if recovery.sealed_size() < target {
            return Err(RecoverError::Node("its stream ended before its newest checkpoint".to_owned()));
        }
        Ok(())
    }

    async fn consistency_path(&self, node: &Node, wanted: ProofWanted) -> Result<Vec<Hash>, RecoverError> {
        let mut client = node.client.clone();
        let request = GetConsistencyProofRequest { first_size: wanted.first.get(), second_size: wanted.second.get() };
        let call = tokio::time::timeout(self.nodes.call_timeout(), client.get_consistency_proof(request)).await;
        let call = call.map_err(|_| RecoverError::Node("no answer to GetConsistencyProof".to_owned()))?;
        let answer = call.map_err(|status| RecoverError::Node(said(&status)))?.into_inner();
        let path = answer.path.iter().map(|hash| Hash::from_slice(hash)).collect::<Option<Vec<_>>>();
        path.ok_or_else(|| RecoverError::Node("a consistency proof holds something that is no hash".to_owned()))
    }

    /// Size of the newest tree, under a checkpoint that is fresh by the quorum's own times.
    async fn fresh_size(&self, node: &Node) -> Result<TreeSize, RecoverError> {
        let mut client = node.client.clone();
        let call = tokio::time::timeout(self.nodes.call_timeout(), client.get_checkpoint(GetCheckpointRequest {}));
        let call = call.await.map_err(|_| RecoverError::Node("no answer to GetCheckpoint".to_owned()))?;
        let answer = call.map_err(|status| RecoverError::Node(said(&status)))?.into_inner();
        let trusted = self.chain.trust.verify_checkpoint(&answer.checkpoint);
        let trusted = trusted.map_err(|error| RecoverError::Node(error.to_string()))?;
        if trusted.as_of.get().saturating_add(self.fresh_seconds) < self.clock.now().seconds() {
            return Err(RecoverError::Node("its newest checkpoint is old".to_owned()));
        }
        Ok(trusted.size)
    }
}
