//! A validator that misbehaves on purpose, by the engine's own proxy between consensus and network.
//!
//! Compiled with the feature `byzantine` only, which the shipped node never has. The signer given to such a node must
//! not be guarded: it is asked for conflicting signatures.

use bytes::Bytes;
use malachitebft_app_channel::NetworkMsg;
use malachitebft_app_channel::app::engine::network::NetworkRef;
use malachitebft_app_channel::app::streaming::{StreamContent, StreamMessage};
use malachitebft_engine_byzantine::{
    ByzantineConfig, ByzantineNetworkProxy, ConflictingValueFn, ConflictingVoteValueFn, Trigger,
};
use tokio::sync::mpsc;

use crate::adapter::ChainSigner;
use crate::config::Byzantine;
use crate::context::ChainContext;
use crate::proposal_part::ProposalPart;
use crate::streaming::StreamIds;
use crate::types::{BlockId, MemberId};

/// Sends another's header on, twice, over a body that is not its block.
pub(crate) async fn send_forged(
    message: &StreamMessage<ProposalPart>,
    ids: &mut StreamIds,
    network: &mpsc::Sender<NetworkMsg<ChainContext>>,
) {
    let StreamContent::Data(ProposalPart::Header(header)) = &message.content else { return };
    let body = Bytes::from(vec![0xEE; header.fields.bytes_total as usize]);
    for _ in 0..2 {
        for part in ids.cut(*header.clone(), &body) {
            // A closed network means that the engine ends.
            let _ = network.send(NetworkMsg::PublishProposalPart(part)).await;
        }
    }
}

fn other(block_id: &BlockId) -> BlockId {
    let mut bytes = block_id.0;
    bytes[31] ^= 1;
    BlockId(bytes)
}

/// Stands between the engine and its network. Conflicting values differ from the true ones in the last bit.
pub(crate) async fn proxy(
    byzantine: Byzantine,
    network: NetworkRef<ChainContext>,
    signer: ChainSigner,
    address: MemberId,
) -> Result<NetworkRef<ChainContext>, impl std::fmt::Display> {
    let when = |set: bool| if set { Trigger::Always } else { Trigger::Never };
    let config = ByzantineConfig {
        equivocate_votes: when(byzantine.equivocate_votes),
        equivocate_proposals: when(byzantine.equivocate_proposals),
        drop_votes: when(byzantine.drop_votes),
        drop_proposals: when(byzantine.drop_proposals),
        ..ByzantineConfig::default()
    };
    let span = tracing::error_span!("byzantine", %address);
    let value: Option<ConflictingValueFn<ChainContext>> = Some(Box::new(other));
    let voted: Option<ConflictingVoteValueFn<ChainContext>> = Some(Box::new(|id| id.map_or(BlockId([1; 32]), other)));
    ByzantineNetworkProxy::spawn(config, network, Box::new(signer), ChainContext, address, span, value, voted).await
}
