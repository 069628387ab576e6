//! Offers batches to nodes until they are decided.
//!
//! A node's answer is an opinion: only a sealed outcome (`follow`) ends an offer. A node that fails or does not lead to a
//! seal in time is followed by the next one; offering a batch twice is harmless, because it is known by its header.

use std::sync::Arc;
use std::time::Duration;

use receipt_core::reason::Reason;
use tallystick_proto::errors::Refusal;
use tallystick_proto::ledger::v1::{SubmitBatchRequest, SubmitOutcome};
use tallystick_service::shutdown::CancellationToken;
use tokio::task::JoinSet;
use tonic::Status;

use crate::flight::{Departures, Flying};
use crate::metrics::AnchoringMetrics;
use crate::nodes::{Node, Nodes};

/// After every node failed, before they are tried again.
const ALL_FAILED_PAUSE: Duration = Duration::from_millis(200);

/// What the submitter works with.
#[derive(Debug, Clone)]
pub struct Submitter {
    /// Where batches are offered.
    pub nodes: Arc<Nodes>,
    /// Counters.
    pub metrics: Arc<AnchoringMetrics>,
    /// An offer not decided after this goes to the next node.
    pub resubmit: Duration,
}

impl Submitter {
    /// Offers every departing batch until it is decided, or the token is cancelled.
    pub async fn run(
        self,
        mut departures: Departures,
        token: CancellationToken,
    ) -> Result<(), std::convert::Infallible> {
        let mut offers = JoinSet::new();
        loop {
            tokio::select! {
                departed = departures.recv() => {
                    let Some(flying) = departed else { break };
                    offers.spawn(self.clone().offer(flying));
                }
                Some(_) = offers.join_next(), if !offers.is_empty() => {}
                () = token.cancelled() => break,
            }
        }
        // What is not decided sets out again at the next start.
        offers.shutdown().await;
        Ok(())
    }

    async fn offer(self, flying: Arc<Flying>) {
        let decided = flying.decided.clone();
        tokio::select! {
            () = decided.cancelled() => {}
            () = self.offer_for_ever(&flying) => {}
        }
    }

    async fn offer_for_ever(&self, flying: &Flying) {
        let sequence = flying.sequence;
        let first = self.nodes.preferred();
        let mut pause = ALL_FAILED_PAUSE;
        for index in first.. {
            if index > first {
                self.metrics.batches_resubmitted.inc();
            }
            let node = self.nodes.node(index);
            match self.submit(node, &flying.request).await {
                Ok(outcome) => {
                    tracing::debug!(%sequence, node = node.name, ?outcome, "batch offered");
                    tokio::time::sleep(self.resubmit).await;
                }
                Err(status) => {
                    let refusal = Refusal::from_status(&status);
                    // The node keeps the batch; another one's clock may be right. If none takes it now, there is no hurry.
                    if refusal.as_ref().is_some_and(|refusal| refusal.reason == Reason::TooEarly.into()) {
                        pause = self.resubmit;
                    }
                    let reason = refusal.map(|refusal| refusal.reason.as_str());
                    let node = &node.name;
                    tracing::warn!(%sequence, node, code = ?status.code(), reason, "a node did not take a batch");
                    self.nodes.avoid(index);
                    if (index - first + 1).is_multiple_of(self.nodes.count()) {
                        tokio::time::sleep(pause).await;
                        pause = ALL_FAILED_PAUSE;
                    }
                }
            }
        }
    }

    async fn submit(&self, node: &Node, request: &SubmitBatchRequest) -> Result<SubmitOutcome, Status> {
        let mut client = node.client.clone();
        let call = client.submit_batch(request.clone());
        let answer = tokio::time::timeout(self.nodes.call_timeout(), call).await;
        let answer = answer.map_err(|_| Status::deadline_exceeded("the node did not answer in time"))??;
        Ok(answer.into_inner().outcome())
    }
}
