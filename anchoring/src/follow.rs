//! Follows the sealed ledger and acts on what it decided.
//!
//! ```text
//! node ─ StreamBlocks ─▶ chain: rebuild the log's root, check the checkpoint's quorum ─▶ outcomes: ONE journal write ─▶ wake
//! ```
//! Nothing of a block is acted on before a checkpoint that the trust file accepts covers it. A node that sends something
//! else is left for the next one. Progress and outcomes are one write, so that each block is acted on exactly once.

use std::sync::Arc;
use std::time::Duration;

use receipt_core::ids::TreeSize;
use receipt_core::note::PosixSeconds;
use receipt_core::trust::OutOfTurn;
use tallystick_proto::ledger::v1::StreamBlocksRequest;
use tallystick_service::clock::Clock;
use tallystick_service::shutdown::CancellationToken;
use tokio::sync::watch;
use tonic::Status;

mod chain;
mod outcomes;

#[cfg(test)]
mod tests;

pub use chain::{Chain, ChainError, HeldLimits, ProofWanted, SealedBlock};
pub use outcomes::{Acted, Mode, OutcomeError, Outcomes};

use crate::asking::{AskError, check_fresh, consistency_path, newest_checkpoint};
use crate::desk::Desk;
use crate::journal::JournalError;
use crate::judge::CheckpointError;
use crate::nodes::{Node, Nodes};
use crate::own_fault::{OwnFault, Standing};
use crate::quorum_time::{ObservingJudge, QuorumTime};

/// Pause between attempts, when a node's stream ended or was not believed.
const RETRY_PAUSE: Duration = Duration::from_millis(100);
/// The same, when what is in the way is on this side.
const OWN_FAULT_PAUSE: Duration = Duration::from_secs(1);
/// With batches on their way and no block for this long, another node is asked.
const SILENCE_MAX: Duration = Duration::from_secs(5);

/// How far the journal has followed: told to everybody who shows heights or events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Followed {
    /// Last sealed height that was acted on.
    pub height: u64,
    /// Number of the last event.
    pub event: u64,
}

/// A fresh checkpoint: whoever has followed the tree has caught up.
#[derive(Debug, Clone, Copy)]
struct Target {
    size: TreeSize,
    as_of: PosixSeconds,
}

/// What the follower works with.
pub struct Follower {
    /// The nodes to ask.
    pub nodes: Arc<Nodes>,
    /// Acts on outcomes.
    pub outcomes: Outcomes,
    /// What it shares with the others; the gate is opened here when the journal has caught up.
    pub desk: Desk,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// Learns the time from every checkpoint.
    pub quorum_time: Arc<QuorumTime>,
    /// A checkpoint older than this does not show that the journal is up to date, seconds.
    pub fresh_seconds: u64,
    /// What is held back before a proof is asked for.
    pub held: HeldLimits,
    /// Tells how far it is.
    pub followed: watch::Sender<Followed>,
    /// Tells what of this process keeps it from following.
    pub standing: Standing,
}

/// Why following one node ended.
enum Ended {
    /// The node failed: the next one may do better.
    Node(Status),
    /// The node said something that is not so: logged, and the next one is asked.
    Distrusted(String),
    /// The node's newest checkpoint is of validators who may have taken over in blocks that were not followed yet.
    UnknownSet(String),
    /// A quorum whose turn it is not by the trust file has signed what the node gave. Of one node that may be a theft of keys; if all say it,
    /// the file is wrong.
    OutOfTurn(OutOfTurn),
    /// What a quorum stands behind does not go with what this process has: the next node has the same.
    Own(OwnFault),
    /// This machine is short of files or memory. The blocks were not acted on, so that they can be asked for again.
    Short(JournalError),
    /// Other validators took over, and the node's newest checkpoint may be judged now.
    HandedOver,
    /// The journal is not the newest: it follows no further, so that `recover` finds all it lacks.
    Halted,
    /// This process must end.
    Fatal(JournalError),
}

impl From<OutcomeError> for Ended {
    fn from(error: OutcomeError) -> Self {
        match error {
            OutcomeError::Journal(error) => error.into(),
            OutcomeError::Own(fault) => Self::Own(fault),
            OutcomeError::Halted(_) => Self::Halted,
        }
    }
}

impl From<JournalError> for Ended {
    fn from(error: JournalError) -> Self {
        if error.may_pass() { Self::Short(error) } else { Self::Fatal(error) }
    }
}

impl From<ChainError> for Ended {
    fn from(error: ChainError) -> Self {
        match error {
            ChainError::Checkpoint { source: CheckpointError::OutOfTurn(out_of_turn), .. } => {
                Self::OutOfTurn(out_of_turn)
            }
            error => Self::Distrusted(error.to_string()),
        }
    }
}

impl From<AskError> for Ended {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Node(status) => Self::Node(status),
            AskError::UnknownSet(problem) => Self::UnknownSet(problem),
            AskError::OutOfTurn(out_of_turn) => Self::OutOfTurn(out_of_turn),
            AskError::Distrusted(problem) => Self::Distrusted(problem),
            AskError::Old { .. } => Self::Node(Status::unavailable(error.to_string())),
        }
    }
}

impl Follower {
    /// Follows until the token is cancelled. An error is fatal to the process.
    pub async fn run(mut self, token: CancellationToken) -> Result<(), JournalError> {
        let nodes = Arc::clone(&self.nodes);
        let mut told_short = false;
        for index in nodes.preferred().. {
            if self.desk.gate.is_halted() {
                // A halted issuer follows no more blocks, but still answers queries about the receipts that it has.
                token.cancelled().await;
                return Ok(());
            }
            let node = nodes.node(index);
            let ended = tokio::select! {
                ended = self.follow(node) => ended,
                () = token.cancelled() => return Ok(()),
            };
            let mut pause = RETRY_PAUSE;
            let was_short = std::mem::replace(&mut told_short, matches!(ended, Ended::Short(_)));
            match ended {
                Ended::Fatal(error) => return Err(error),
                Ended::Own(fault) => {
                    self.standing.has(fault);
                    pause = OWN_FAULT_PAUSE;
                }
                Ended::OutOfTurn(out_of_turn) => {
                    self.standing.out_of_turn(&node.name, out_of_turn, nodes.count());
                    pause = OWN_FAULT_PAUSE;
                }
                Ended::Short(error) => {
                    if !was_short {
                        tracing::warn!(%error, "blocks could not be acted on, and are asked for again until they can");
                    }
                    pause = OWN_FAULT_PAUSE;
                }
                Ended::Halted => continue,
                Ended::Node(status) => {
                    let (code, message) = (status.code(), status.message());
                    tracing::info!(node = node.name, ?code, message, "stopped following a node");
                }
                Ended::HandedOver => continue,
                Ended::UnknownSet(problem) => {
                    tracing::warn!(
                        node = node.name,
                        problem,
                        "a node's blocks do not lead to the validators of its newest checkpoint"
                    );
                }
                Ended::Distrusted(problem) => {
                    self.desk.metrics.nodes_distrusted.inc();
                    tracing::error!(node = node.name, problem, "a node's answer is not believed");
                }
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = token.cancelled() => return Ok(()),
            }
        }
        Ok(())
    }

    /// Follows one node until it fails.
    async fn follow(&mut self, node: &Node) -> Ended {
        match self.try_follow(node).await {
            Ok(()) => Ended::Node(Status::aborted("the node ended its stream")),
            Err(ended) => ended,
        }
    }

    async fn try_follow(&mut self, node: &Node) -> Result<(), Ended> {
        let tip = self.desk.journal.followed_tip()?;
        let mut chain = Chain::new(tip, self.held);
        let mut target = None;
        let mut unknown_set = None;
        if !self.desk.gate.is_caught_up() {
            match self.newest(node).await {
                Ok(newest) => target = Some(newest),
                // This checkpoint is signed by validators that the blocks in between introduce. After following those, the loop asks again.
                Err(Ended::UnknownSet(problem)) => unknown_set = Some((problem, self.desk.trust.current())),
                Err(ended) => return Err(ended),
            }
            self.open_gate(&chain, target);
        }
        let request = StreamBlocksRequest { from_height: chain.next_height(), with_records: false, follow: true };
        let mut client = node.client.clone();
        let call = tokio::time::timeout(self.nodes.call_timeout(), client.stream_blocks(request)).await;
        let call = call.map_err(|_| Ended::Node(Status::deadline_exceeded("no answer to StreamBlocks")))?;
        let mut blocks = call.map_err(Ended::Node)?.into_inner();
        tracing::info!(node = node.name, from_height = chain.next_height(), "following");
        loop {
            let block = match tokio::time::timeout(SILENCE_MAX, blocks.message()).await {
                Ok(block) => block.map_err(Ended::Node)?,
                Err(_) => match &unknown_set {
                    Some((problem, _)) => return Err(Ended::UnknownSet(problem.clone())),
                    None if self.desk.flight.count() > 0 => {
                        return Err(Ended::Node(Status::deadline_exceeded("no block while batches are on their way")));
                    }
                    None => continue,
                },
            };
            let Some(block) = block else { return Ok(()) };
            let judge = ObservingJudge { trust: &self.desk.trust, time: &self.quorum_time };
            let sealed = chain.offer(&block, &judge)?;
            self.act(&mut chain, &sealed, target)?;
            if unknown_set.as_ref().is_some_and(|(_, before)| !Arc::ptr_eq(before, &self.desk.trust.current())) {
                return Err(Ended::HandedOver);
            }
            if let Some(wanted) = chain.proof_wanted() {
                let path = consistency_path(&self.nodes, node, (wanted.first, wanted.second)).await?;
                let sealed = chain.prove(&path)?;
                self.act(&mut chain, &sealed, target)?;
            }
        }
    }

    /// Acts on blocks that are sealed now, and tells everybody.
    fn act(&mut self, chain: &mut Chain, sealed: &[SealedBlock], target: Option<Target>) -> Result<(), Ended> {
        let Some(tip) = chain.sealed_tip(sealed) else { return Ok(()) };
        let acted = tokio::task::block_in_place(|| self.outcomes.act(sealed, tip))?;
        chain.acted(acted.event);
        self.standing.is_sound();
        let height = chain.sealed_height();
        self.desk.metrics.followed_height.set(height);
        // Publish the height before waking anybody: a waiter that wakes must not read a height from before its own decision.
        self.followed.send_replace(Followed { height, event: acted.event });
        self.outcomes.wake(&acted);
        self.open_gate(chain, target);
        Ok(())
    }

    /// The node's newest tree, if its checkpoint is fresh.
    async fn newest(&self, node: &Node) -> Result<Target, Ended> {
        let newest = newest_checkpoint(&self.nodes, node, &self.desk.trust).await?;
        self.quorum_time.observe(newest.size, newest.as_of);
        check_fresh(&newest, &*self.clock, self.fresh_seconds)?;
        Ok(Target { size: newest.size, as_of: newest.as_of })
    }

    fn open_gate(&mut self, chain: &Chain, target: Option<Target>) {
        let Some(reached) = target.filter(|target| chain.sealed_size() >= target.size) else { return };
        if !self.desk.gate.is_caught_up() {
            tracing::info!(height = chain.sealed_height(), "caught up with the ledger");
            self.quorum_time.heard(reached.as_of);
            self.desk.gate.caught_up();
            self.standing.is_sound();
        }
    }
}
