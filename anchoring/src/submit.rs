//! Offers batches to nodes until they are decided.
//!
//! A node's answer is an opinion: only a sealed outcome (`follow`) ends an offer. A node that fails or does not lead to a
//! seal in time is followed by the next one; offering a batch twice is harmless, because it is known by its header.
//!
//! A batch whose key has ended for it is taken by no node, and no later block can carry it: what has ended stays ended. When more nodes
//! say so than may lie, it is offered no more. It waits for the restart with the new key, which signs it anew (`batcher`).

use std::collections::BTreeSet;
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
    /// The nodes that batches are offered to.
    pub nodes: Arc<Nodes>,
    /// Metrics to update.
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
        // Batches that are not decided yet are offered again at the next start.
        offers.shutdown().await;
        Ok(())
    }

    async fn offer(self, flying: Arc<Flying>) {
        let decided = flying.decided.clone();
        tokio::select! {
            () = decided.cancelled() => {}
            () = self.offer_until_key_ended(&flying) => {
                let _counted = Waiting::count(&self.metrics);
                decided.cancelled().await;
            }
        }
    }

    /// Returns when the nodes say that the batch's key has ended for it.
    async fn offer_until_key_ended(&self, flying: &Flying) {
        let sequence = flying.sequence;
        let mut words = KeyWords::of(self.nodes.count());
        let first = self.nodes.preferred();
        let mut pause = ALL_FAILED_PAUSE;
        for index in first.. {
            if index > first {
                self.metrics.batches_resubmitted.inc();
            }
            let node = self.nodes.node(index);
            match self.submit(node, &flying.request).await {
                Ok(outcome) => {
                    words.taken();
                    tracing::debug!(%sequence, node = node.name, ?outcome, "batch offered");
                    tokio::time::sleep(self.resubmit).await;
                }
                Err(status) => {
                    let refusal = Refusal::from_status(&status);
                    // Too early by this node's clock. Another node's clock may be right, so the next one is asked; if none takes the batch now, a
                    // longer pause does no harm.
                    if refusal.as_ref().is_some_and(|refusal| refusal.reason == Reason::TooEarly.into()) {
                        pause = self.resubmit;
                    }
                    let reason = refusal.map(|refusal| refusal.reason);
                    let key_ended = reason == Some(Reason::KeyRevoked.into());
                    let (node, reason) = (&node.name, reason.map(|reason| reason.as_str()));
                    if key_ended {
                        tracing::info!(%sequence, node, "a node says that the key of a batch has ended");
                        if words.ended(index % self.nodes.count()) {
                            return;
                        }
                    } else {
                        tracing::warn!(%sequence, node, code = ?status.code(), reason, "a node did not take a batch");
                    }
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

/// Which nodes said that a batch's key has ended for it. Up to f of them may lie.
struct KeyWords {
    wanted: usize,
    nodes: BTreeSet<usize>,
}

impl KeyWords {
    /// Of so many nodes, n: f + 1 must say it, f being a third of n - 1.
    fn of(nodes: usize) -> Self {
        Self { wanted: nodes.saturating_sub(1) / 3 + 1, nodes: BTreeSet::new() }
    }

    /// A node said so. Whether that is enough.
    fn ended(&mut self, node: usize) -> bool {
        self.nodes.insert(node);
        self.nodes.len() >= self.wanted
    }

    /// A node took the batch: whoever said otherwise was behind, or lied.
    fn taken(&mut self) {
        self.nodes.clear();
    }
}

/// Counts a batch that waits for a new key as long as it is there. The first one is told.
struct Waiting<'a>(&'a AnchoringMetrics);

impl<'a> Waiting<'a> {
    fn count(metrics: &'a AnchoringMetrics) -> Self {
        if metrics.batches_without_key.inc() == 0 {
            tracing::error!(
                "ALARM: the key under which batches were signed has ended, and no node takes them any more. Nothing acknowledged is lost: \
                 they wait until this process is restarted with its new key, and are signed anew"
            );
        }
        Self(metrics)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.batches_without_key.dec();
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::registry::Registry;

    use super::*;

    #[test]
    fn so_many_nodes_as_may_lie_do_not_end_an_offer() {
        for (nodes, lying) in [(1, 0), (3, 0), (4, 1), (6, 1), (7, 2), (64, 21)] {
            let mut words = KeyWords::of(nodes);
            for node in 0..lying {
                assert!(!words.ended(node) && !words.ended(node), "{nodes}: one node counts once");
            }
            words.taken();
            for node in 0..lying {
                assert!(!words.ended(node), "{nodes}: forgotten when a node took it");
            }
            assert!(words.ended(lying), "{nodes}");
        }
    }

    #[test]
    fn a_batch_that_waits_for_a_key_is_counted_until_it_is_gone() {
        let metrics = AnchoringMetrics::register(&mut Registry::default());
        let one = Waiting::count(&metrics);
        let two = Waiting::count(&metrics);
        assert_eq!(metrics.batches_without_key.get(), 2);
        drop((one, two));
        assert_eq!(metrics.batches_without_key.get(), 0);
    }
}
