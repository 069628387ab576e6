//! The validators this process talks to, and which of them is preferred now.
//!
//! Nothing a node says is believed for its own sake: proofs and checkpoints are verified by whoever uses them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use receipt_core::limits;
use serde::Deserialize;
use tallystick_proto::ledger::v1::ledger_service_client::LedgerServiceClient;
use tallystick_service::identity::Role;
use tallystick_service::tls::{ChannelConfig, ChannelError, ExpectedPeer, Tls, connect_lazy};
use tonic::Status;
use tonic::transport::Channel;

/// One validator's read and submit port, as a config names it.
#[derive(Debug, Clone, Deserialize)]
pub struct NodeConfig {
    /// `host:port`; the host must stand in the node's certificate.
    pub authority: String,
    /// Its number in the registry, which its certificate must name; absent: any validator of the chain.
    pub validator_id: Option<u32>,
}

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

/// All nodes of the config.
#[derive(Debug)]
pub struct Nodes {
    nodes: Vec<Node>,
    /// Always below their number.
    preferred: AtomicUsize,
    fail_overs: AtomicU64,
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

    /// From channels, each with its name; at least one.
    pub fn over(channels: Vec<(String, Channel)>, call_timeout: Duration) -> Self {
        let node = |(name, channel): (String, Channel)| {
            let client = LedgerServiceClient::new(channel)
                .max_decoding_message_size(2 * limits::BLOCK_BYTES_MAX)
                .max_encoding_message_size(2 * limits::BATCH_BYTES_MAX);
            Node { name, client }
        };
        let nodes = channels.into_iter().map(node).collect();
        Self { nodes, preferred: AtomicUsize::new(0), fail_overs: AtomicU64::new(0), call_timeout }
    }

    /// How many there are; at least one.
    pub fn count(&self) -> usize {
        self.nodes.len()
    }

    /// Index of the preferred one: where trying begins.
    pub fn preferred(&self) -> usize {
        self.preferred.load(Ordering::Relaxed)
    }

    /// The node at an index, counted round and round.
    pub fn node(&self, index: usize) -> &Node {
        &self.nodes[index % self.nodes.len()]
    }

    /// The node at this index failed: if it is the preferred one, the next one is from now on.
    pub fn avoid(&self, failed: usize) {
        let failed = failed % self.nodes.len();
        let next = (failed + 1) % self.nodes.len();
        if self.preferred.compare_exchange(failed, next, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            self.fail_overs.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How often another node became the preferred one.
    pub fn fail_overs(&self) -> u64 {
        self.fail_overs.load(Ordering::Relaxed)
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
        let first = self.preferred();
        for index in first..first.saturating_add(self.count()) {
            let node = self.node(index);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::ledger::dead_channel;

    #[tokio::test]
    async fn a_cycle_of_failures_tries_every_node_once() {
        let channels = (0..4).map(|number| (format!("node-{number}"), dead_channel())).collect();
        let nodes = Nodes::over(channels, Duration::from_secs(1));
        nodes.avoid(0);
        let first = nodes.preferred();
        let mut tried = Vec::new();
        for index in first..first + nodes.count() {
            tried.push(nodes.node(index).name.clone());
            nodes.avoid(index);
        }
        assert_eq!(tried, ["node-1", "node-2", "node-3", "node-0"]);
        assert_eq!((nodes.preferred(), nodes.fail_overs()), (1, 5));
        nodes.avoid(3);
        assert_eq!((nodes.preferred(), nodes.fail_overs()), (1, 5), "whoever failed earlier is not preferred any more");
    }
}
