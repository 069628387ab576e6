//! Catching up over the network.

use receipt_core::ids::TreeSize;
use tallystick_proto::ledger::v1::StreamBlocksRequest;
use tallystick_service::clock::Clock;
use tallystick_service::said::said;

use super::{RecoverError, Recovery};
use crate::asking::{AskError, check_fresh, consistency_path, newest_checkpoint};
use crate::nodes::{Node, Nodes};
use crate::trust::FollowedTrust;

/// Attempts per node: one that is away or not believed is followed by the next.
const ATTEMPTS_PER_NODE: usize = 3;

/// Asks nodes for what the journal lacks.
pub struct Session<'a> {
    /// Whose checkpoints count. The recovery moves it on.
    pub trust: &'a FollowedTrust,
    /// The nodes to ask.
    pub nodes: &'a Nodes,
    /// The time of day.
    pub clock: &'a dyn Clock,
    /// A checkpoint older than this does not show that the journal is up to date, seconds.
    pub fresh_seconds: u64,
}

impl From<AskError> for RecoverError {
    fn from(error: AskError) -> Self {
        Self::Node(error.to_string())
    }
}

impl Session<'_> {
    /// Brings the journal up to a fresh checkpoint, or says why no node did.
    pub async fn catch_up(&self, recovery: &mut Recovery) -> Result<(), RecoverError> {
        let mut problems = Vec::new();
        for attempt in 0..ATTEMPTS_PER_NODE * self.nodes.count() {
            let node = self.nodes.node(attempt);
            match self.follow(node, recovery).await {
                Ok(()) => return Ok(()),
                Err(RecoverError::Node(problem)) => {
                    tracing::warn!(node = node.name, problem, "a node did not bring the journal up to the ledger");
                    problems.push(format!("{}: {problem}", node.name));
                }
                Err(error) => return Err(error),
            }
            recovery.rewind()?;
        }
        let tried = problems.len().saturating_sub(self.nodes.count());
        let problems = problems.get(tried..).unwrap_or_default().join("; ");
        Err(RecoverError::Node(format!(
            "no node brought the journal up to the ledger; run `recover` again. {problems}"
        )))
    }

    async fn follow(&self, node: &Node, recovery: &mut Recovery) -> Result<(), RecoverError> {
        let away = |status: tonic::Status| RecoverError::Node(said(&status));
        // The checkpoint may be signed by validators that this side does not know yet. The blocks up to there introduce them.
        let target = match self.newest_size(node).await {
            Err(AskError::UnknownSet(_)) => None,
            size => Some(size?),
        };
        // Each block has the timeout of a call. The stream as a whole has none.
        let late = |_| RecoverError::Node("it did not answer in time".to_owned());
        let timeout = self.nodes.call_timeout();
        let request = StreamBlocksRequest { from_height: recovery.next_height(), with_records: true, follow: false };
        let mut client = node.client.clone();
        let call = tokio::time::timeout(timeout, client.stream_blocks(request)).await.map_err(late)?;
        let mut blocks = call.map_err(away)?.into_inner();
        while let Some(block) = tokio::time::timeout(timeout, blocks.message()).await.map_err(late)?.map_err(away)? {
            tokio::task::block_in_place(|| recovery.offer(&block, self.trust))?;
            if let Some(wanted) = recovery.proof_wanted() {
                let path = consistency_path(self.nodes, node, (wanted.first, wanted.second)).await?;
                tokio::task::block_in_place(|| recovery.prove(&path))?;
            }
        }
        let target = match target {
            Some(size) => size,
            None => self.newest_size(node).await?,
        };
        if recovery.sealed_size() < target {
            return Err(RecoverError::Node("its stream ended before its newest checkpoint".to_owned()));
        }
        Ok(())
    }

    /// Size of the node's newest tree, if its checkpoint is fresh.
    async fn newest_size(&self, node: &Node) -> Result<TreeSize, AskError> {
        let newest = newest_checkpoint(self.nodes, node, self.trust).await?;
        check_fresh(&newest, self.clock, self.fresh_seconds)?;
        Ok(newest.size)
    }
}
