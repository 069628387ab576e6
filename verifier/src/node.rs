//! A node's read API as an auditor uses it: blocks, consistency proofs, checkpoints. Nothing that a node says is believed.

use std::path::PathBuf;
use std::sync::Arc;

use receipt_core::answer::Answer;
use receipt_core::export::FRAME_BYTES_MAX;
use receipt_core::hash::Hash;
use receipt_core::ids::{ReceiptKey, TreeSize};
use tallystick_proto::answers::{Said, answer_of, ask_about};
use tallystick_proto::ledger::v1::ledger_service_client::LedgerServiceClient;
use tallystick_proto::ledger::v1::{
    GetCheckpointRequest, GetConsistencyProofRequest, GetInclusionProofRequest, StreamBlocksRequest,
};
use tallystick_service::clock::SystemClock;
use tallystick_service::identity::{ChainName, IdentityError, Role};
use tallystick_service::said::said;
use tallystick_service::tls::{ChannelConfig, ChannelError, ExpectedPeer, Tls, TlsError, TlsFiles, connect_lazy};
use tonic::transport::{Channel, Endpoint};

use crate::sink::{Announcement, Detail, Flow, Sink};

/// Certificates for mTLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeTls {
    /// PEM files.
    pub files: TlsFiles,
    /// The chain's name, as in genesis and in certificates.
    pub chain_name: String,
}

impl NodeTls {
    /// From the three paths of the command line.
    pub fn new(certificate: PathBuf, key: PathBuf, authorities: PathBuf, chain_name: &str) -> Self {
        let files = TlsFiles { certificate_chain: certificate, private_key: key, authorities };
        Self { files, chain_name: chain_name.to_owned() }
    }
}

/// Where a node is and how to reach it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeAddress {
    /// `host:port`.
    pub authority: String,
    /// mTLS; `None`: plain text, for a node behind a local proxy and for tests.
    pub tls: Option<NodeTls>,
}

/// Why a node could not be read.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The URL is not `https://host:port`, or `http://host:port` without certificates.
    #[error("`{0}` is not https://host:port with certificates, or http://host:port without")]
    Url(String),
    /// The certificate files cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The chain's name cannot stand in certificates.
    #[error(transparent)]
    ChainName(#[from] IdentityError),
    /// No connection can be made.
    #[error(transparent)]
    Channel(#[from] ChannelError),
    /// The transport refuses the address.
    #[error("the address cannot be used: {0}")]
    Transport(#[from] tonic::transport::Error),
    /// The runtime for network calls cannot start.
    #[error("the network runtime cannot start: {0}")]
    Runtime(#[source] std::io::Error),
    /// The node answers with an error, or not at all.
    #[error("the node: {said}", said = said(.0))]
    Status(Box<tonic::Status>),
    /// The node's answer about a receipt is not of the form.
    #[error("the node's answer about the receipt does not read")]
    Answer,
    /// The node's answer has a malformed hash.
    #[error("the node's answer has a hash that has not 32 bytes")]
    Hash,
}

impl From<tonic::Status> for NodeError {
    fn from(status: tonic::Status) -> Self {
        Self::Status(Box::new(status))
    }
}

impl NodeAddress {
    /// Reads `https://host:port` (with certificates) or `http://host:port` (without).
    pub fn parse(url: &str, tls: Option<NodeTls>) -> Result<Self, NodeError> {
        let scheme = if tls.is_some() { "https://" } else { "http://" };
        let authority = url.strip_prefix(scheme).map(|rest| rest.trim_end_matches('/'));
        match authority.filter(|authority| !authority.is_empty() && !authority.contains('/')) {
            Some(authority) => Ok(Self { authority: authority.to_owned(), tls }),
            None => Err(NodeError::Url(url.to_owned())),
        }
    }

    fn channel(&self) -> Result<Channel, NodeError> {
        let Some(tls) = &self.tls else {
            return Ok(Endpoint::from_shared(format!("http://{}", self.authority))?.connect_lazy());
        };
        let chain = ChainName::parse(&tls.chain_name)?;
        let material = Tls::load(tls.files.clone(), chain, Arc::new(SystemClock))?;
        let expected = ExpectedPeer { role: Role::Validator, id: None };
        Ok(connect_lazy(&material, &ChannelConfig::new(self.authority.clone(), expected))?)
    }

    fn client(&self) -> Result<LedgerServiceClient<Channel>, NodeError> {
        Ok(LedgerServiceClient::new(self.channel()?).max_decoding_message_size(FRAME_BYTES_MAX))
    }
}

/// Runs network calls to their end on a runtime of their own.
fn block_on<T>(work: impl Future<Output = Result<T, NodeError>>) -> Result<T, NodeError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(NodeError::Runtime)?;
    runtime.block_on(work)
}

/// Reads every sealed block from genesis on.
pub fn stream_blocks(address: &NodeAddress, detail: Detail, sink: &mut dyn Sink) -> Result<(), NodeError> {
    block_on(async {
        let mut client = address.client()?;
        let newest = client.get_checkpoint(GetCheckpointRequest {}).await?.into_inner();
        if sink.announce(Announcement { last_height: Some(newest.height), chain: None }) == Flow::Stop {
            return Ok(());
        }
        let request = StreamBlocksRequest { from_height: 0, with_records: detail == Detail::Records, follow: false };
        let mut blocks = client.stream_blocks(request).await?.into_inner();
        while let Some(block) = blocks.message().await? {
            if sink.block(block) == Flow::Stop {
                break;
            }
        }
        Ok(())
    })
}

/// What the node says of a receipt: its proofs, its refusal, or its newest checkpoint beside the word that it has no such record.
pub fn receipt_state(address: &NodeAddress, key: ReceiptKey, status_key: Hash) -> Result<Answer, NodeError> {
    block_on(async {
        let mut client = address.client()?;
        match ask_about(&mut client, key, status_key).await? {
            Said::State(state) => answer_of(*state).ok_or(NodeError::Answer),
            Said::Absent { checkpoint } => Ok(Answer::Absent { checkpoint }),
        }
    })
}

/// The newest sealed checkpoint note.
pub fn newest_checkpoint(address: &NodeAddress) -> Result<String, NodeError> {
    block_on(async { Ok(address.client()?.get_checkpoint(GetCheckpointRequest {}).await?.into_inner().checkpoint) })
}

/// The consistency path between two sizes, as the node gives it.
pub fn consistency_path(address: &NodeAddress, first: TreeSize, second: TreeSize) -> Result<Vec<Hash>, NodeError> {
    block_on(async {
        let request = GetConsistencyProofRequest { first_size: first.get(), second_size: second.get() };
        let response = address.client()?.get_consistency_proof(request).await?.into_inner();
        let path = response.path.iter().map(|hash| Hash::from_slice(hash).ok_or(NodeError::Hash));
        path.collect()
    })
}

/// The node's own checkpoint note of a size, if it sealed a tree of that size.
pub fn checkpoint_of(address: &NodeAddress, size: TreeSize) -> Result<String, NodeError> {
    block_on(async {
        let leaf_index = size.get().saturating_sub(1);
        let request = GetInclusionProofRequest { leaf_index, tree_size: size.get() };
        Ok(address.client()?.get_inclusion_proof(request).await?.into_inner().checkpoint)
    })
}
