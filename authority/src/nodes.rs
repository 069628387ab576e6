//! The validators as an authority's operator meets them: over mTLS, as the role `operator`.
//!
//! A node is asked only after it has named the chain of the genesis file. One that is away, or of another chain, is followed
//! by the next. Not here: what is made of the answers.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use receipt_core::hash::Hash;
use tallystick_proto::admin::v1::admin_service_client::AdminServiceClient;
use tallystick_proto::admin::v1::{GetNodeStatusRequest, GetNodeStatusResponse};
use tallystick_proto::ledger::v1::ledger_service_client::LedgerServiceClient;
use tallystick_service::clock::SystemClock;
use tallystick_service::identity::{ChainName, Role};
use tallystick_service::said::said;
use tallystick_service::tls::{ChannelConfig, ExpectedPeer, Tls, TlsFiles, connect_lazy};
use tonic::transport::Channel;

use crate::chain::Chain;

/// Answers above this are refused: the entries of a block fit.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Until an answer begins.
const CALL_TIMEOUT: Duration = Duration::from_secs(15);

/// No node could be asked, or none took what it was given: trying again may help. Anything else that fails in this program is the
/// caller's to mend.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unanswered(pub String);

/// One validator.
pub struct Node {
    /// `host:port`.
    pub name: String,
    channel: Channel,
}

impl Node {
    /// Its admin service.
    pub fn admin(&self) -> AdminServiceClient<Channel> {
        AdminServiceClient::new(self.channel.clone()).max_decoding_message_size(ANSWER_BYTES_MAX)
    }

    /// Its ledger service.
    pub fn ledger(&self) -> LedgerServiceClient<Channel> {
        LedgerServiceClient::new(self.channel.clone()).max_decoding_message_size(ANSWER_BYTES_MAX)
    }

    /// How it is; refused if it is of another chain.
    pub async fn status(&self, chain: &Chain) -> Result<GetNodeStatusResponse> {
        let status = self.admin().get_node_status(GetNodeStatusRequest {}).await;
        let status = status.map_err(|status| anyhow::anyhow!(said(&status)))?.into_inner();
        let given = Hash::from_slice(&status.chain_id).context("it names no chain id")?;
        ensure!(given == chain.id.0, "it is of chain {given}, and the genesis file is of chain {}", chain.id.0);
        Ok(status)
    }
}

/// The validators that were named.
pub struct Nodes {
    nodes: Vec<Node>,
}

impl Nodes {
    /// Prepares connections to `host:port` each; nothing is connected yet. Call it inside a runtime.
    pub fn new(chain: &Chain, names: &[String], files: TlsFiles) -> Result<Self> {
        ensure!(!names.is_empty(), "no node was named; give `--node HOST:PORT`");
        let chain_name = ChainName::parse(&chain.genesis.chain_name).context("the chain's name")?;
        let tls = Tls::load(files, chain_name, Arc::new(SystemClock)).context("load the TLS files")?;
        let node = |name: &String| {
            let expected = ExpectedPeer { role: Role::Validator, id: None };
            let config = ChannelConfig {
                connect_timeout: CONNECT_TIMEOUT,
                request_timeout: Some(CALL_TIMEOUT),
                ..ChannelConfig::new(name.clone(), expected)
            };
            let channel = connect_lazy(&tls, &config).context("`--node`")?;
            Ok(Node { name: name.clone(), channel })
        };
        Ok(Self { nodes: names.iter().map(node).collect::<Result<_>>()? })
    }

    /// All of them, in the order in which they were named.
    pub fn all(&self) -> &[Node] {
        &self.nodes
    }

    /// The first that answers and is of this chain, with its status.
    pub async fn first(&self, chain: &Chain) -> Result<(&Node, GetNodeStatusResponse)> {
        let mut problems = Vec::new();
        for node in &self.nodes {
            match node.status(chain).await {
                Ok(status) => return Ok((node, status)),
                Err(problem) => problems.push(format!("{}: {problem:#}", node.name)),
            }
        }
        Err(Unanswered(format!("no node could be asked: {}", problems.join("; "))).into())
    }
}
