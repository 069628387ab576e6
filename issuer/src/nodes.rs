//! The validators this issuer talks to, and which of them is preferred now.
//!
//! Nothing a node says is believed for its own sake: proofs and checkpoints are verified by whoever uses them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use receipt_core::limits;
use tallystick_proto::ledger::v1::ledger_service_client::LedgerServiceClient;
use tallystick_service::identity::Role;
use tallystick_service::tls::{ChannelConfig, ChannelError, ExpectedPeer, Tls, connect_lazy};
use tonic::Status;
use tonic::transport::Channel;

use crate::config::NodeConfig;

/// A node's client.
pub type LedgerClient = LedgerServiceClient<Channel>;

/// One validator.
#[derive(Debug, Clone)]
pub struct Node {
    /// `host:port`, for logs.
    pub name: String,
    /// Calls it; clones share the connection.
    pub client: LedgerClient,
}

/// All of them.
#[derive(Debug)]
pub struct Nodes {
    nodes: Vec<Node>,
    preferred: AtomicUsize,
    call_timeout: Duration,
}

impl Nodes {
    /// Channels that connect when first used.
    pub fn new(tls: &Arc<Tls>, configs: &[NodeConfig], call_timeout: Duration) -> Result<Self, ChannelError> {
        let node = |config: &NodeConfig| {
            let expected = ExpectedPeer { role: Role::Validator, id: config.validator_id };
            let channel = connect_lazy(tls, &ChannelConfig::new(&config.authority, expected))?;
            Ok((config.authority.clone(), channel))
        };
        let channels = configs.iter().map(node).collect::<Result<_, _>>()?;
        Ok(Self::over(channels, call_timeout))
    }

    /// Over these channels, each with its name; at least one.
    pub(crate) fn over(channels: Vec<(String, Channel)>, call_timeout: Duration) -> Self {
        let node = |(name, channel): (String, Channel)| {
            let client = LedgerServiceClient::new(channel)
                .max_decoding_message_size(2 * limits::BLOCK_BYTES_MAX)
                .max_encoding_message_size(2 * limits::BATCH_BYTES_MAX);
            Node { name, client }
        };
        let nodes = channels.into_iter().map(node).collect();
        Self { nodes, preferred: AtomicUsize::new(0), call_timeout }
    }

    /// How many there are; at least one.
    pub fn count(&self) -> usize {
        self.nodes.len()
    }

    /// The `attempt`-th to try, from the preferred one on.
    pub fn pick(&self, attempt: usize) -> &Node {
        let index = self.preferred.load(Ordering::Relaxed).wrapping_add(attempt) % self.nodes.len();
        &self.nodes[index]
    }

    /// The preferred one failed: the next is preferred, unless somebody else changed that already.
    pub fn avoid(&self, failed: &str) {
        let current = self.preferred.load(Ordering::Relaxed);
        if self.nodes[current % self.nodes.len()].name == failed {
            let next = (current + 1) % self.nodes.len();
            let _ = self.preferred.compare_exchange(current, next, Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    /// Longest time of one call.
    pub fn call_timeout(&self) -> Duration {
        self.call_timeout
    }

    /// Asks one node after the other until one answers; the last error if none does.
    pub async fn ask<T, F>(&self, call: impl Fn(LedgerClient) -> F) -> Result<(T, &Node), Status>
    where
        F: Future<Output = Result<T, Status>>,
    {
        let mut last = Status::unavailable("no node");
        for attempt in 0..self.count() {
            let node = self.pick(attempt);
            match tokio::time::timeout(self.call_timeout, call(node.client.clone())).await {
                Ok(Ok(answer)) => return Ok((answer, node)),
                Ok(Err(status)) => last = status,
                Err(_) => last = Status::deadline_exceeded("the node did not answer in time"),
            }
            tracing::debug!(node = node.name, code = ?last.code(), "a node did not answer; trying the next");
        }
        Err(last)
    }
}
