//! The validators as an authority's operator meets them: over mTLS, as the role `operator`.
//!
//! A node is asked only after it has named the chain of the genesis file. One that is away, or of another chain, is followed
//! by the next. Not here: what is made of the answers.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use receipt_core::hash::Hash;
use tallystick_proto::admin::v1::admin_service_client::AdminServiceClient;
use tallystick_proto::admin::v1::{GetNodeStatusRequest, GetNodeStatusResponse};
use tallystick_proto::ledger::v1::ledger_service_client::LedgerServiceClient;
use tallystick_service::clock::SystemClock;
use tallystick_service::identity::{ChainName, Role};
use tallystick_service::said::said;
use tallystick_service::tls::{ChannelConfig, ExpectedPeer, PeerNumber, Tls, TlsFiles, connect_lazy_to_one};
use tonic::transport::Channel;

use crate::chain::Chain;

/// Answers above this are refused: the entries of a block fit.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a node may take until its answer begins.
const CALL_TIMEOUT: Duration = Duration::from_secs(15);

/// No node could be asked, none took what it was given, or too few say the same: trying again may help. Anything else that fails in
/// this program is the caller's to mend.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unanswered(pub String);

/// One validator.
pub struct Node {
    /// `host:port`.
    pub name: String,
    channel: Channel,
    validator: PeerNumber,
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

    /// The validator that answers there, by its certificate; `None` before the first answer.
    pub(crate) fn validator(&self) -> Option<u32> {
        self.validator.get()
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
        let twice =
            names.iter().enumerate().find(|(index, name)| names.iter().take(*index).any(|other| other == *name));
        if let Some((_, name)) = twice {
            bail!("`--node {name}` is given twice; each validator counts once, whatever its address");
        }
        let chain_name = ChainName::parse(&chain.genesis.chain_name).context("the chain's name")?;
        let tls = Tls::load(files, chain_name, Arc::new(SystemClock)).context("load the TLS files")?;
        let node = |name: &String| {
            let expected = ExpectedPeer { role: Role::Validator, id: None };
            let config = ChannelConfig {
                connect_timeout: CONNECT_TIMEOUT,
                request_timeout: Some(CALL_TIMEOUT),
                ..ChannelConfig::new(name.clone(), expected)
            };
            let (channel, validator) = connect_lazy_to_one(&tls, &config).context("`--node`")?;
            Ok(Node { name: name.clone(), channel, validator })
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

/// The newest governance message of the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GovernanceTip {
    /// Sequence of the last message; 0 for genesis alone.
    pub sequence: u64,
    /// Its id; the chain id for genesis alone.
    pub id: Hash,
    /// Height of the ledger: the lowest of those who agree on the rest.
    pub height: u64,
}

impl Nodes {
    /// Where governance stands, as so many of the named nodes say alike that one of them is honest. A single one could have
    /// authorities sign for a place in the order that is not the next one.
    pub async fn governance_tip(&self, chain: &Chain) -> Result<GovernanceTip> {
        let mut voices = self.voices(chain).await?;
        let needed = voices.needed();
        let mut said = Vec::new();
        for node in &self.nodes {
            said.extend(voices.admit(node, node.status(chain).await.and_then(|status| tip_of(&status))));
        }
        if let Some(tip) = agreed(&said, needed) {
            return Ok(tip);
        }
        let away = voices.away();
        Err(Unanswered(format!(
            "{needed} validators must say alike where governance stands, since {} of them may be wrong; {} answered, and no \
             {needed} of them agree. Give `--node` for more of them, or ask again when a message under way is executed.{away}",
            needed - 1,
            said.len()
        ))
        .into())
    }
}

fn tip_of(status: &GetNodeStatusResponse) -> Result<GovernanceTip> {
    let id = Hash::from_slice(&status.governance_id).context("it names no id of the last governance message")?;
    Ok(GovernanceTip { sequence: status.governance_sequence, id, height: status.decided_height })
}

/// What at least `needed` say alike, the height apart: that of the lowest of them.
fn agreed(said: &[GovernanceTip], needed: usize) -> Option<GovernanceTip> {
    let alike = |tip: &GovernanceTip| {
        let same = said.iter().filter(|other| (other.sequence, other.id) == (tip.sequence, tip.id));
        let heights: Vec<u64> = same.map(|other| other.height).collect();
        let height = heights.iter().copied().min()?;
        (heights.len() >= needed).then_some(GovernanceTip { height, ..*tip })
    };
    said.iter().filter_map(alike).max_by_key(|tip| tip.sequence)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_liar_among_four_does_not_say_where_governance_stands() {
        let tip = |sequence, id: u8, height| GovernanceTip { sequence, id: Hash([id; 32]), height };
        let honest = tip(4, 4, 100);
        let liar = tip(11, 9, u64::MAX);
        assert_eq!(agreed(&[liar, honest], 2), None, "which of them is right can not be told");
        assert_eq!(agreed(&[liar, honest, tip(4, 4, 97)], 2), Some(tip(4, 4, 97)));
        // One node names the same place in the order, but another predecessor.
        assert_eq!(agreed(&[tip(4, 9, 100), honest], 2), None);
        // One node agrees on the place and states a later time. That must not move the expiry.
        assert_eq!(agreed(&[tip(4, 4, u64::MAX), honest], 2), Some(honest));
        assert_eq!(agreed(&[], 1), None);
        // Two honest nodes are a message apart. The state that enough nodes have is taken.
        assert_eq!(agreed(&[tip(5, 5, 101), honest, honest], 2), Some(honest));
    }
}
