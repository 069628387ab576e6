//! What peers say, on its way to a running engine: who may have how much of it in memory.
//!
//! The engine's parts take messages into queues without a bound and tell nobody when they are through with one. So behind every few
//! frames of a peer goes a *mark*, an empty part of this node's own: it takes the same way, through consensus to the app loop, and
//! comes after all that went before it ([`Network::passed`]). A peer has [`PLACES`] frames that no mark has passed yet; with none
//! left its link is read no further, and the transport's own flow control holds the peer up. The others have their own places.
//! Nothing is dropped for want of room.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use malachitebft_app_channel::app::consensus::LivenessMsg;
use malachitebft_app_channel::app::engine::consensus::ConsensusMsg;
use malachitebft_app_channel::app::engine::network::{NetworkEvent, Status};
use malachitebft_app_channel::app::engine::sync::SyncMsg;
use malachitebft_app_channel::app::streaming::{StreamContent, StreamId, StreamMessage};
use malachitebft_app_channel::app::types::codec::Codec;
use malachitebft_app_channel::app::types::{PeerId, SignedConsensusMsg, sync};
use malachitebft_sync::InboundRequestId;
use ractor::ActorRef;
use tokio::sync::{Semaphore, oneshot, watch};

use super::{FRAME_BYTES_MAX, LIVENESS, LinkError, Network, PART, STATUS, WORD, peer_id};
use crate::codec::{ChainCodec, CodecError};
use crate::config::EngineError;
use crate::context::Ledger;
use crate::streaming::ProposalPart;
use crate::types::MemberId;

/// Frames of one peer that no mark has passed: times [`FRAME_BYTES_MAX`] 12 MiB, and room for a whole block of 4 MiB.
const PLACES: usize = 64;
/// So often a mark goes behind the frames of a peer. With all places taken, marks for most of them are under way.
const MARK_EVERY: u64 = 16;
/// Words of one peer for heights that are not started. The engine keeps them unchecked, in queues that all share.
pub(crate) const EARLY_MAX: usize = 64;
/// Between two statuses of a peer that are heard; an honest one tells its own twice a second.
const STATUS_PAUSE: Duration = Duration::from_millis(50);
/// Requests of one peer that wait for their answers; an honest one's engine has five under way.
const REQUESTS_MAX: usize = 8;

/// A running engine, as the links see it.
pub(crate) struct Attached {
    consensus: ActorRef<ConsensusMsg<Ledger>>,
    sync: ActorRef<SyncMsg<Ledger>>,
    codec: ChainCodec,
    own: PeerId,
    rooms: BTreeMap<MemberId, Room>,
    requests: Mutex<BTreeMap<InboundRequestId, Request>>,
    next_request: AtomicU64,
}

/// A peer's places and counts; they outlast its links, so that a new link brings no new places.
struct Room {
    id: PeerId,
    places: Semaphore,
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    unmarked: u64,
    early: usize,
    early_of: u64,
    status_at: Option<Instant>,
}

struct Request {
    peer: MemberId,
    answer: oneshot::Sender<Bytes>,
}

impl Room {
    fn counts(&self) -> std::sync::MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a word of this height is worth a place, when `height` is the one to decide, and `started` or not.
    fn wants(&self, of: u64, height: u64, started: u64) -> bool {
        if of < height || of == started {
            return of >= height;
        }
        let mut counts = self.counts();
        if counts.early_of != height {
            (counts.early_of, counts.early) = (height, 0);
        }
        counts.early += 1;
        counts.early <= EARLY_MAX
    }

    fn hears_status(&self) -> bool {
        let (mut counts, now) = (self.counts(), Instant::now());
        let hears = counts.status_at.is_none_or(|last| now.duration_since(last) >= STATUS_PAUSE);
        if hears {
            counts.status_at = Some(now);
        }
        hears
    }
}

impl Attached {
    /// Of the engine with these parts.
    pub(crate) fn new(
        network: &Network,
        consensus: ActorRef<ConsensusMsg<Ledger>>,
        sync: ActorRef<SyncMsg<Ledger>>,
        codec: ChainCodec,
    ) -> Result<Self, EngineError> {
        let room = |id| Room { id, places: Semaphore::new(PLACES), counts: Mutex::default() };
        let rooms = network.0.peers.iter().map(|(member, links)| (*member, room(links.id))).collect();
        let own = peer_id(network.0.own)?;
        let (requests, next_request) = (Mutex::default(), AtomicU64::new(0));
        Ok(Self { consensus, sync, codec, own, rooms, requests, next_request })
    }

    /// The engine may begin.
    pub(crate) fn begin(&self) -> Result<(), EngineError> {
        // Consensus waits for an address before it asks the application where to start. There is none: links are the node's.
        let nowhere = "/memory/1".parse().map_err(crate::boot::start_error)?;
        self.consensus
            .cast(ConsensusMsg::NetworkEvent(NetworkEvent::Listening(nowhere)))
            .map_err(crate::boot::start_error)
    }

    fn room(&self, peer: MemberId) -> Result<&Room, LinkError> {
        self.rooms.get(&peer).ok_or(LinkError::Stranger(peer))
    }

    fn to_consensus(&self, event: NetworkEvent<Ledger>) -> Result<(), LinkError> {
        self.consensus.cast(ConsensusMsg::NetworkEvent(event)).map_err(|_| LinkError::NotRunning)
    }

    fn to_sync(&self, event: NetworkEvent<Ledger>) -> Result<(), LinkError> {
        self.sync.cast(SyncMsg::NetworkEvent(event)).map_err(|_| LinkError::NotRunning)
    }

    /// Hands an event of a peer to consensus once the peer has a place for it, and a mark behind it now and then.
    async fn pass(&self, room: &Room, peer: MemberId, event: NetworkEvent<Ledger>) -> Result<(), LinkError> {
        room.places.acquire().await.map_err(|_| LinkError::NotRunning)?.forget();
        self.to_consensus(event)?;
        let frames = {
            let mut counts = room.counts();
            counts.unmarked += 1;
            if counts.unmarked < MARK_EVERY {
                return Ok(());
            }
            std::mem::take(&mut counts.unmarked)
        };
        let id = StreamId::new(Bytes::copy_from_slice(&peer.get().to_be_bytes()));
        let mark = StreamMessage::new(id, frames, StreamContent::Fin);
        self.to_consensus(NetworkEvent::ProposalPart(self.own, None, mark))
    }

    /// A mark has come; its stream id names the peer, its number says how many frames it followed.
    pub(super) fn passed(&self, mark: &StreamMessage<ProposalPart>) {
        let Ok(peer) = <[u8; 4]>::try_from(&mark.stream_id.to_bytes()[..]) else { return };
        if let Some(room) = self.rooms.get(&MemberId::new(u32::from_be_bytes(peer))) {
            room.places.add_permits(usize::try_from(mark.sequence).unwrap_or(0).min(PLACES));
        }
    }

    fn requests(&self) -> std::sync::MutexGuard<'_, BTreeMap<InboundRequestId, Request>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a peer's request to the engine.
    pub(super) fn answer(self: &Arc<Self>, peer: MemberId, request: Bytes) -> Result<Answer, LinkError> {
        let request: sync::Request<Ledger> = self.codec.decode(request)?;
        let id = InboundRequestId::new(self.next_request.fetch_add(1, Ordering::SeqCst));
        let (sender, answer) = oneshot::channel();
        {
            let mut requests = self.requests();
            if requests.values().filter(|request| request.peer == peer).count() >= REQUESTS_MAX {
                return Err(LinkError::Busy);
            }
            requests.insert(id.clone(), Request { peer, answer: sender });
        }
        let waiting = Answer { engine: self.clone(), id: id.clone(), peer, answer };
        self.to_sync(NetworkEvent::SyncRequest(id, self.room(peer)?.id, request))?;
        Ok(waiting)
    }

    /// The engine's answer to a request; `None`: it gives none.
    pub(super) fn answered(&self, id: &InboundRequestId, response: Option<&sync::Response<Ledger>>) {
        let request = self.requests().remove(id);
        let encoded = response.and_then(|response| self.codec.encode(response).ok());
        if let (Some(request), Some(encoded)) = (request, encoded) {
            // Nobody waits any more: the peer went away.
            let _ = request.answer.send(encoded);
        }
    }

    pub(super) fn fetched(&self, event: NetworkEvent<Ledger>) {
        // An engine that ends needs no blocks.
        let _ = self.to_sync(event);
    }
}

/// A request that waits for the engine's answer.
pub(super) struct Answer {
    engine: Arc<Attached>,
    id: InboundRequestId,
    peer: MemberId,
    answer: oneshot::Receiver<Bytes>,
}

impl Answer {
    pub(super) async fn wait(mut self) -> Result<Bytes, LinkError> {
        (&mut self.answer).await.map_err(|_| LinkError::NoAnswer)
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        let waited = self.engine.requests().remove(&self.id).is_some();
        if let Some(room) = self.engine.rooms.get(&self.peer).filter(|_| waited) {
            let _ = self.engine.to_sync(NetworkEvent::SyncInboundRequestFailed(self.id.clone(), room.id));
        }
    }
}

/// A peer's link to this node.
pub struct Incoming {
    network: Network,
    engine: Arc<Attached>,
    peer: MemberId,
    number: u64,
    newest: watch::Receiver<u64>,
    greeted: bool,
}

impl Incoming {
    pub(super) fn new(
        network: Network,
        engine: Arc<Attached>,
        peer: MemberId,
        number: u64,
        newest: watch::Receiver<u64>,
    ) -> Self {
        Self { network, engine, peer, number, newest, greeted: false }
    }

    /// Takes a frame; waits while the peer has no place. After an error the link must be closed.
    pub async fn take(&mut self, frame: Bytes) -> Result<(), LinkError> {
        let over = self.over();
        let taken = tokio::select! {
            biased;
            why = over => Err(why),
            taken = self.take_now(frame) => taken,
        };
        if let Some(error) = taken.as_ref().err().filter(|error| error.is_fault()) {
            self.network.at_fault(self.peer, error);
        }
        taken
    }

    /// Returns when the link must be closed though the peer says nothing.
    pub fn over(&self) -> impl Future<Output = LinkError> + Send + use<> {
        let (mut running, mut newest) = (self.network.0.engine.subscribe(), self.newest.clone());
        let (engine, number) = (self.engine.clone(), self.number);
        async move {
            let is_another = |now: &Option<Arc<Attached>>| now.as_ref().is_none_or(|now| !Arc::ptr_eq(now, &engine));
            tokio::select! {
                _ = running.wait_for(is_another) => LinkError::NotRunning,
                _ = newest.wait_for(|newest| *newest != number) => LinkError::Replaced,
            }
        }
    }

    async fn take_now(&mut self, frame: Bytes) -> Result<(), LinkError> {
        if frame.len() > FRAME_BYTES_MAX {
            return Err(LinkError::TooLarge(frame.len()));
        }
        let engine = self.engine.clone();
        let room = engine.room(self.peer)?;
        if !self.greeted {
            if frame != self.network.0.hello {
                return Err(LinkError::OtherLanguage);
            }
            self.greeted = true;
            return engine.to_consensus(NetworkEvent::PeerConnected(room.id));
        }
        let (kind, message) = (frame.first().copied(), frame.slice(1.min(frame.len())..));
        let (height, event) = match kind {
            Some(WORD) => word(room.id, engine.codec.decode(message)?),
            Some(LIVENESS) => liveness(room.id, engine.codec.decode(message)?),
            Some(PART) => {
                let part: StreamMessage<ProposalPart> = engine.codec.decode(message)?;
                // The app loop bounds them by height itself (`streaming`).
                return engine.pass(room, self.peer, NetworkEvent::ProposalPart(room.id, None, part)).await;
            }
            Some(STATUS) => return self.take_status(room, message),
            _ => return Err(CodecError::Invalid("frame kind").into()),
        };
        if !room.wants(height, self.network.height(), self.network.started()) {
            return Ok(());
        }
        engine.pass(room, self.peer, event).await
    }

    fn take_status(&self, room: &Room, message: Bytes) -> Result<(), LinkError> {
        if !room.hears_status() {
            return Ok(());
        }
        let status: sync::Status<Ledger> = self.engine.codec.decode(message)?;
        if status.peer_id != room.id {
            return Err(LinkError::OthersStatus);
        }
        let status = Status::new(status.tip_height, status.history_min_height);
        self.engine.to_sync(NetworkEvent::Status(room.id, status))
    }
}

/// A vote or proposal with its height.
fn word(from: PeerId, message: SignedConsensusMsg<Ledger>) -> (u64, NetworkEvent<Ledger>) {
    match message {
        SignedConsensusMsg::Vote(vote) => (vote.message.height.0, NetworkEvent::Vote(from, vote)),
        SignedConsensusMsg::Proposal(proposal) => (proposal.message.height.0, NetworkEvent::Proposal(from, proposal)),
    }
}

/// What is said again, or leads on, with its height.
fn liveness(from: PeerId, message: LivenessMsg<Ledger>) -> (u64, NetworkEvent<Ledger>) {
    match message {
        LivenessMsg::Vote(vote) => (vote.message.height.0, NetworkEvent::Vote(from, vote)),
        LivenessMsg::PolkaCertificate(polka) => (polka.height.0, NetworkEvent::PolkaCertificate(from, polka)),
        LivenessMsg::SkipRoundCertificate(round) => (round.height.0, NetworkEvent::RoundCertificate(from, round)),
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if !self.greeted || *self.newest.borrow() != self.number {
            return;
        }
        if let Ok(room) = self.engine.room(self.peer) {
            // An engine that has ended counts no peers.
            let _ = self.engine.to_consensus(NetworkEvent::PeerDisconnected(room.id));
            let _ = self.engine.to_sync(NetworkEvent::PeerDisconnected(room.id));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_has_its_own_bound_of_early_words() {
        let room =
            || Room { id: peer_id(MemberId::new(2)).unwrap(), places: Semaphore::new(1), counts: Mutex::default() };
        let hostile = room();
        assert!((0..1000).all(|_| hostile.wants(7, 7, 7)), "of the height that is decided: judged at once");
        assert!(!hostile.wants(6, 7, 7), "over");
        let heard = (0..1000).filter(|number| hostile.wants(8 + number % 9, 7, 7)).count();
        assert_eq!(heard, EARLY_MAX);
        assert!(room().wants(8, 7, 7), "of another peer");
        assert!(hostile.wants(7, 7, 7), "what it says of now is heard");
        // The next height, and while it is not started.
        assert_eq!((0..1000).filter(|_| hostile.wants(8, 8, 7)).count(), EARLY_MAX);
    }
}
