//! The engine's network part: what its other parts tell it goes into the outbox, or to [`Fetch`](super::Fetch).
//!
//! It tells nothing itself: what peers say goes straight to consensus and sync ([`Attached`]), not by the engine's port of
//! 128 places that overwrites what is not read in time. So a subscription needs nothing done.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use malachitebft_app_channel::app::consensus::LivenessMsg;
use malachitebft_app_channel::app::engine::network::{
    NetworkEvent, NetworkMsg, PersistentPeerError, Status as EngineStatus,
};
use malachitebft_app_channel::app::streaming::{StreamContent, StreamMessage};
use malachitebft_app_channel::app::types::codec::Codec;
use malachitebft_app_channel::app::types::{PeerId, SignedConsensusMsg, sync};
use malachitebft_sync::{OutboundFailureReason, OutboundRequestId};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::task::AbortHandle;

use super::{FetchError, LIVENESS, Network, PART, STATUS, VOTE, frame, member_of, peer_id};
use crate::codec::{ChainCodec, Wire};
use crate::context::ChainContext;
use crate::proposal_part::ProposalPart;

/// As long as the engine itself waits for blocks before it asks somebody else.
const FETCH_WITHIN: Duration = Duration::from_secs(10);

pub(crate) struct NetworkActor {
    pub(crate) network: Network,
    pub(crate) codec: ChainCodec,
}

/// Fetches under way; the engine has a few at a time.
#[derive(Default)]
pub(crate) struct Fetching {
    next: u64,
    under_way: BTreeMap<OutboundRequestId, AbortHandle>,
}

impl Drop for Fetching {
    fn drop(&mut self) {
        self.under_way.values().for_each(AbortHandle::abort);
    }
}

impl NetworkActor {
    fn encode<T: Wire>(&self, kind: u8, message: &T) -> Result<Bytes, ActorProcessingErr> {
        let message: Bytes = self.codec.encode(message)?;
        Ok(frame(kind, &message))
    }

    fn say(&self, height: u64, frame: Bytes) {
        self.network.change_outbox(|outbox| outbox.vote(height, frame));
    }

    fn say_part(&self, message: &StreamMessage<ProposalPart>) -> Result<(), ActorProcessingErr> {
        // A stream has an announced length, so its end is not sent.
        let StreamContent::Data(part) = &message.content else { return Ok(()) };
        let (height, stream) = (part.slot().height, message.stream_id.to_bytes());
        let frame = self.encode(PART, message)?;
        self.network.change_outbox(|outbox| outbox.part(height, stream, frame));
        Ok(())
    }

    fn say_status(&self, status: &EngineStatus<ChainContext>) -> Result<(), ActorProcessingErr> {
        let (tip_height, history_min_height) = (status.tip_height, status.history_min_height);
        let status =
            sync::Status::<ChainContext> { peer_id: peer_id(self.network.0.own)?, tip_height, history_min_height };
        // The own status does not raise the known tip; only those of others do.
        let frame = self.encode(STATUS, &status)?;
        self.network.change_outbox(|outbox| outbox.status(frame));
        Ok(())
    }

    fn fetch(
        &self,
        fetching: &mut Fetching,
        peer: PeerId,
        request: &sync::Request<ChainContext>,
    ) -> Result<OutboundRequestId, ActorProcessingErr> {
        fetching.under_way.retain(|_, handle| !handle.is_finished());
        fetching.next += 1;
        let id = OutboundRequestId::new(fetching.next);
        let sync::Request::ValueRequest(asked) = request;
        let heights = asked.range.start().0..=asked.range.end().0;
        let message: Bytes = self.codec.encode(request)?;
        let request = [&super::hello::head(&self.network.0.chain_id)[..], &message].concat().into();
        let (network, codec, id_there) = (self.network.clone(), self.codec.clone(), id.clone());
        let task = tokio::spawn(async move {
            // If there is no room for long, the engine gives up, aborts this task, and asks again.
            let room = network.0.fetched.ask(*heights.start()).await;
            let event = match fetched(&network, peer, request).await {
                Ok(bytes) => {
                    let length = bytes.len();
                    let answer: Option<sync::Response<ChainContext>> = codec.decode(bytes).ok();
                    if let Some(answer) = &answer {
                        room.came(&heights, answer, length);
                    }
                    NetworkEvent::SyncResponse(id_there, peer, answer)
                }
                Err(error) => NetworkEvent::SyncRequestFailed(id_there, peer, reason_of(error)),
            };
            let engine = network.0.engine.borrow().as_ref().map(Arc::clone);
            if let Some(engine) = engine {
                engine.fetched(event);
            }
        });
        fetching.under_way.insert(id.clone(), task.abort_handle());
        Ok(id)
    }
}

async fn fetched(network: &Network, peer: PeerId, request: Bytes) -> Result<Bytes, FetchError> {
    let member = member_of(&peer).ok_or(FetchError::Unreachable)?;
    let bytes_max = network.0.answer_bytes_max;
    let fetch = network.0.fetch.fetch(member, request, bytes_max);
    let bytes = tokio::time::timeout(FETCH_WITHIN, fetch).await.unwrap_or(Err(FetchError::TimedOut))?;
    if bytes.len() > bytes_max { Err(FetchError::Refused) } else { Ok(bytes) }
}

fn reason_of(error: FetchError) -> OutboundFailureReason {
    match error {
        FetchError::Unreachable => OutboundFailureReason::DialFailure,
        FetchError::TimedOut => OutboundFailureReason::Timeout,
        FetchError::Refused => OutboundFailureReason::Io,
    }
}

#[async_trait]
impl Actor for NetworkActor {
    type Msg = NetworkMsg<ChainContext>;
    type State = Fetching;
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Self::Msg>, (): ()) -> Result<Fetching, ActorProcessingErr> {
        Ok(Fetching::default())
    }

    async fn handle(
        &self,
        _: ActorRef<Self::Msg>,
        message: Self::Msg,
        fetching: &mut Fetching,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            NetworkMsg::PublishConsensusMsg(message) => {
                let height = match &message {
                    SignedConsensusMsg::Vote(vote) => vote.message.height,
                    SignedConsensusMsg::Proposal(proposal) => proposal.message.height,
                };
                self.say(height.0, self.encode(VOTE, &message)?);
            }
            NetworkMsg::PublishLivenessMsg(message) => {
                let height = match &message {
                    LivenessMsg::Vote(vote) => vote.message.height,
                    LivenessMsg::PolkaCertificate(certificate) => certificate.height,
                    LivenessMsg::SkipRoundCertificate(certificate) => certificate.height,
                };
                self.say(height.0, self.encode(LIVENESS, &message)?);
            }
            NetworkMsg::PublishProposalPart(message) => self.say_part(&message)?,
            NetworkMsg::BroadcastStatus(status) => self.say_status(&status)?,
            NetworkMsg::OutgoingRequest(peer, request, reply) => {
                // Sending fails if the requester has gone. Then it does not need the number.
                let _ = reply.send(self.fetch(fetching, peer, &request)?);
            }
            NetworkMsg::CancelRequest(id) => {
                if let Some(handle) = fetching.under_way.remove(&id) {
                    handle.abort();
                }
            }
            NetworkMsg::DumpState(reply) => _ = reply.send(None),
            NetworkMsg::UpdatePersistentPeers(_, reply) => {
                _ = reply.send(Err(PersistentPeerError::NetworkStopped));
            }
            // Nothing to do: peers are known by their certificates, nothing in this part depends on the set, and peers' requests never come
            // to the engine.
            NetworkMsg::OutgoingResponse(..)
            | NetworkMsg::CancelInboundRequest(_)
            | NetworkMsg::Subscribe(_)
            | NetworkMsg::UpdateValidatorSet(_)
            | NetworkMsg::ValidatorProofVerified { .. }
            | NetworkMsg::NewEvent(_) => {}
        }
        Ok(())
    }
}
