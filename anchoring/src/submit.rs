//! Offers batches to nodes until they are decided.
//!
//! A node's answer is an opinion: only a sealed outcome (`follow`) ends an offer. A node that fails or does not lead to a
//! seal in time is followed by the next one; offering a batch twice is harmless, because it is known by its header.
//!
//! A batch whose key has ended for it is taken by no node, and no later block can carry it: what has ended stays ended. When a node says
//! so, and the blocks that this process has followed say so, too, it is offered no more. It waits for the restart with the new key, which signs
//! it anew (`batcher`). The nodes' word alone would not do: an issuer knows some of them, and how many of these lie nobody can say.

use std::sync::Arc;
use std::time::Duration;

use receipt_core::batch::SignedBatchHeader;
use receipt_core::reason::Reason;
use tallystick_proto::errors::Refusal;
use tallystick_proto::ledger::v1::{SubmitBatchRequest, SubmitOutcome};
use tallystick_service::shutdown::CancellationToken;
use tokio::task::JoinSet;
use tonic::Status;

use crate::flight::{Departures, Flying};
use crate::journal::Journal;
use crate::metrics::AnchoringMetrics;
use crate::nodes::{Node, Nodes};
use crate::registered::Registered;

/// After every node failed, before they are tried again.
const ALL_FAILED_PAUSE: Duration = Duration::from_millis(200);

/// What the submitter works with.
#[derive(Debug, Clone)]
pub struct Submitter {
    /// The nodes that batches are offered to.
    pub nodes: Arc<Nodes>,
    /// Says how far the ledger was followed.
    pub journal: Arc<Journal>,
    /// Says which keys have ended by then.
    pub registered: Arc<Registered>,
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

    /// Returns when the batch's key has ended for it.
    async fn offer_until_key_ended(&self, flying: &Flying) {
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
                        if self.key_has_ended(flying) {
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

    /// Whether no block after those that this process has followed can carry the batch, because its key has ended for it.
    fn key_has_ended(&self, flying: &Flying) -> bool {
        // What cannot be read now is asked again with the next answer.
        let Ok(tip) = self.journal.followed_tip() else { return false };
        let Ok(signed) = SignedBatchHeader::decode(&flying.request.signed_header) else { return false };
        let signing_time = signed.header.signing_time(tip.time);
        self.registered.view().has_ended(signed.header.signing_key, signing_time, tip.time)
    }

    async fn submit(&self, node: &Node, request: &SubmitBatchRequest) -> Result<SubmitOutcome, Status> {
        let mut client = node.client.clone();
        let call = client.submit_batch(request.clone());
        let answer = tokio::time::timeout(self.nodes.call_timeout(), call).await;
        let answer = answer.map_err(|_| Status::deadline_exceeded("the node did not answer in time"))??;
        Ok(answer.into_inner().outcome())
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
    use receipt_core::block::Item;
    use receipt_core::governance::{Action, RevokeKey};
    use receipt_core::testkit::{GENESIS_TIME_MS, ISSUER_KEY, TestChain};

    use super::*;
    use crate::testkit::ledger::dead_channel;
    use crate::testkit::process::{TestProcess, init};

    /// One of the nodes lies, or all that this issuer knows.
    #[tokio::test]
    async fn what_nodes_say_of_a_key_does_not_end_an_offer_before_the_ledger_says_so() {
        let dir = scratch::Directory::new();
        let mut chain = TestChain::new();
        let mut process = TestProcess::start(init(&dir.path().join("journal"), &chain), &chain);
        process.acknowledge(&mut chain);
        process.batcher.cut().unwrap().unwrap();
        let flying = process.departures.try_recv().unwrap();
        let submitter = Submitter {
            nodes: Arc::new(Nodes::over(vec![("liar".to_owned(), dead_channel())], Duration::from_secs(1))),
            journal: Arc::clone(&process.desk.journal),
            registered: Arc::clone(&process.desk.registered),
            metrics: Arc::clone(&process.desk.metrics),
            resubmit: Duration::from_secs(1),
        };
        assert!(!submitter.key_has_ended(&flying));
        let revoke = RevokeKey { key_id: ISSUER_KEY, revoked_from_ms: GENESIS_TIME_MS };
        let message = chain.governance(vec![Action::RevokeKey(revoke)]);
        chain.add_items(vec![Item::Governance(message)]).unwrap();
        assert!(!submitter.key_has_ended(&flying), "decided, and not followed yet");
        process.follow(&chain);
        assert!(submitter.key_has_ended(&flying));
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
