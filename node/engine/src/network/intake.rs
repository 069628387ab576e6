//! What peers say, on its way to a running engine: who may have how much of it in memory.
//!
//! The engine's parts take messages into queues without a bound and tell nobody when they are through with one. So behind every few
//! frames of a peer goes a *mark*, an empty part of this node's own: it takes the same way, through consensus to the app loop, and
//! comes after all that went before it ([`Network::passed`]). A peer has room for frames of so many bytes that no mark has passed yet
//! ([`crate::limits::heard_bytes_max`]), and a small one takes a share, too ([`FRAMES_MAX`]); with none left its link is read no further, and the
//! transport's own flow control holds the peer up. The others have their own room. Nothing is dropped for want of room.
//!
//! Votes and proposals of heights that are not started are another matter: the engine keeps them unchecked, for a few heights that all peers share, and
//! the lowest heights displace the highest. So it gets those of the next [`HEIGHTS_AHEAD`] only. What a peer says of later ones, to a node
//! that lags, waits here: the newest votes of the peer's own two newest heights, until the node comes near them. Certificates are large, and the
//! engine throws away those of other heights than its own, so none is kept beyond the next one.
//! ```text
//! height     decided │ to decide   + 1    + 2 │ + 3  …
//!            void    │ engine, EARLY_MAX each │ here, EARLY_MAX in all
//! ```

use std::collections::{BTreeMap, VecDeque};
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
use ractor::ActorRef;
use tokio::sync::{Semaphore, watch};

use super::hello::Proof;
use super::{FRAME_BYTES_MAX, LIVENESS, LinkError, Network, PART, STATUS, VOTE, peer_id};
use crate::codec::ChainCodec;
use crate::context::ChainContext;
use crate::error::{EngineError, start_error};
use crate::proposal_part::ProposalPart;
use crate::types::MemberId;
use crate::wire::CodecError;

/// Frames of one peer that no mark has passed, however small: each is work for the engine, and another's vote waits for it.
const FRAMES_MAX: usize = 64;
/// A mark goes behind the frames of a peer whenever they have taken this part of its room. With all of it taken, marks for most are under way.
const MARKS: usize = 4;
/// Votes and proposals of one peer for one height that is not started, in the engine's queues; and as many for all heights farther ahead, here.
pub(crate) const EARLY_MAX: usize = 64;
/// How far beyond the height to decide the engine is told votes. As far as a resting node looks (`hold`).
const HEIGHTS_AHEAD: u64 = 2;
/// And certificates, which it keeps of no height that it is not about to begin.
const CERTIFICATE_HEIGHTS_AHEAD: u64 = 1;
/// A vote or proposal in memory, and what keeps it; a certificate with as many signatures as one may have.
const VOTE_BYTES_MAX: usize = 1024;
const CERTIFICATE_BYTES_MAX: usize = 16 * 1024;
/// What one peer may have kept of words of heights that are not started: here and in the engine's queues.
pub const EARLY_BYTES_MAX: usize = EARLY_MAX * (2 * CERTIFICATE_BYTES_MAX + 2 * VOTE_BYTES_MAX);
/// Between two statuses of a peer that are heard; an honest one tells its own twice a second.
const STATUS_PAUSE: Duration = Duration::from_millis(50);

/// A running engine, as the links see it.
pub(crate) struct Attached {
    consensus: ActorRef<ConsensusMsg<ChainContext>>,
    sync: ActorRef<SyncMsg<ChainContext>>,
    codec: ChainCodec,
    own: PeerId,
    rooms: BTreeMap<MemberId, Room>,
}

/// A peer's room and counts; they outlast its links, so that a new link brings no new room.
struct Room {
    id: PeerId,
    /// Bytes that it has, and those left of them.
    bytes_max: usize,
    bytes_left: Semaphore,
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    /// Bytes of room that frames have taken behind the last mark.
    unmarked: usize,
    /// Votes and proposals that the engine has of heights that were not started.
    early: BTreeMap<u64, usize>,
    /// Votes and proposals of heights farther ahead, oldest first.
    far: VecDeque<(u64, NetworkEvent<ChainContext>)>,
    status_at: Option<Instant>,
}

impl Room {
    fn new(id: PeerId, bytes_max: usize) -> Self {
        Self { id, bytes_max, bytes_left: Semaphore::new(bytes_max), counts: Mutex::default() }
    }

    /// Room that a frame of so many bytes takes.
    fn taken_by(&self, frame_bytes: usize) -> usize {
        frame_bytes.max(self.bytes_max / FRAMES_MAX)
    }

    /// A frame has taken so much; how much a mark behind it gives back, if there is to be one.
    fn mark(&self, taken: usize) -> Option<usize> {
        let mut counts = self.counts();
        counts.unmarked += taken;
        let due = counts.unmarked >= self.bytes_max / MARKS;
        due.then(|| std::mem::take(&mut counts.unmarked))
    }

    fn counts(&self) -> std::sync::MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A vote or proposal of this height: what of it goes to the engine now.
    fn hear(
        &self,
        of: u64,
        event: NetworkEvent<ChainContext>,
        network: &Network,
    ) -> Option<NetworkEvent<ChainContext>> {
        let mut counts = self.counts();
        // Asked while they are held: `release` comes after a change, and finds what was kept before it.
        let (height, started) = (network.height(), network.started());
        if of < height {
            return None;
        }
        if of == started {
            return Some(event);
        }
        if of > height.saturating_add(CERTIFICATE_HEIGHTS_AHEAD) && is_certificate(&event) {
            return None;
        }
        if of <= height.saturating_add(HEIGHTS_AHEAD) {
            return counts.is_early(of, height).then_some(event);
        }
        counts.keep(of, event);
        None
    }

    /// The height to decide has changed: what goes to the engine of the votes that were kept.
    fn release(&self, height: u64) -> Vec<NetworkEvent<ChainContext>> {
        let mut counts = self.counts();
        let kept = std::mem::take(&mut counts.far);
        let mut near = Vec::new();
        for (of, event) in kept {
            if of > height.saturating_add(HEIGHTS_AHEAD) {
                counts.far.push_back((of, event));
            } else if of >= height && counts.is_early(of, height) {
                near.push(event);
            }
        }
        near
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

impl Counts {
    /// Takes a place among the early votes of this height.
    fn is_early(&mut self, of: u64, height: u64) -> bool {
        self.early = self.early.split_off(&height);
        let early = self.early.entry(of).or_default();
        let has_place = *early < EARLY_MAX;
        *early += usize::from(has_place);
        has_place
    }

    /// Keeps a vote or proposal of a height far ahead. An honest peer is at its newest height, and repeats what counts at the one before.
    fn keep(&mut self, of: u64, event: NetworkEvent<ChainContext>) {
        let newest = self.far.iter().map(|(height, _)| *height).max().unwrap_or(0).max(of);
        self.far.push_back((of, event));
        self.far.retain(|(height, _)| height.saturating_add(1) >= newest);
        if self.far.len() > EARLY_MAX {
            self.far.pop_front();
        }
    }
}

impl Attached {
    /// Of the engine with these parts.
    pub(crate) fn new(
        network: &Network,
        consensus: ActorRef<ConsensusMsg<ChainContext>>,
        sync: ActorRef<SyncMsg<ChainContext>>,
        codec: ChainCodec,
    ) -> Result<Self, EngineError> {
        let room = |id| Room::new(id, network.0.heard_bytes_max);
        let rooms = network.0.peers.iter().map(|(member, links)| (*member, room(links.id))).collect();
        let own = peer_id(network.0.own)?;
        Ok(Self { consensus, sync, codec, own, rooms })
    }

    /// The engine may begin.
    pub(crate) fn begin(&self) -> Result<(), EngineError> {
        // Consensus waits for an address before it asks the application where to start. There is none: links are the node's.
        let nowhere = "/memory/1".parse().map_err(start_error)?;
        self.consensus.cast(ConsensusMsg::NetworkEvent(NetworkEvent::Listening(nowhere))).map_err(start_error)
    }

    fn room(&self, peer: MemberId) -> Result<&Room, LinkError> {
        self.rooms.get(&peer).ok_or(LinkError::Stranger(peer))
    }

    fn to_consensus(&self, event: NetworkEvent<ChainContext>) -> Result<(), LinkError> {
        self.consensus.cast(ConsensusMsg::NetworkEvent(event)).map_err(|_| LinkError::NotRunning)
    }

    fn to_sync(&self, event: NetworkEvent<ChainContext>) -> Result<(), LinkError> {
        self.sync.cast(SyncMsg::NetworkEvent(event)).map_err(|_| LinkError::NotRunning)
    }

    /// Hands an event of a peer, of a frame of so many bytes, to consensus once the peer has room for it, and a mark behind it now and then.
    async fn pass(
        &self,
        peer: MemberId,
        frame_bytes: usize,
        event: NetworkEvent<ChainContext>,
    ) -> Result<(), LinkError> {
        let room = self.room(peer)?;
        let taken = room.taken_by(frame_bytes);
        let permits = u32::try_from(taken).map_err(|_| LinkError::TooLarge(frame_bytes))?;
        room.bytes_left.acquire_many(permits).await.map_err(|_| LinkError::NotRunning)?.forget();
        self.to_consensus(event)?;
        let Some(marked) = room.mark(taken) else { return Ok(()) };
        let id = StreamId::new(Bytes::copy_from_slice(&peer.get().to_be_bytes()));
        let mark = StreamMessage::new(id, marked as u64, StreamContent::Fin);
        self.to_consensus(NetworkEvent::ProposalPart(self.own, None, mark))
    }

    /// What of all peers no mark has passed.
    pub(super) fn heard_bytes(&self) -> usize {
        let rooms = self.rooms.values();
        rooms.map(|room| room.bytes_max.saturating_sub(room.bytes_left.available_permits())).sum()
    }

    /// The height to decide has changed: votes that were kept for it, and for those near it, go to the engine.
    pub(super) fn release(&self, height: u64) {
        for room in self.rooms.values() {
            for event in room.release(height) {
                // An engine that ends needs none.
                let _ = self.to_consensus(event);
            }
        }
    }

    /// A mark has come; its stream id names the peer, its number says how much room the frames before it took.
    pub(super) fn passed(&self, mark: &StreamMessage<ProposalPart>) {
        let Ok(peer) = <[u8; 4]>::try_from(&mark.stream_id.to_bytes()[..]) else { return };
        if let Some(room) = self.rooms.get(&MemberId::new(u32::from_be_bytes(peer))) {
            room.bytes_left.add_permits(usize::try_from(mark.sequence).unwrap_or(0).min(room.bytes_max));
        }
    }

    pub(super) fn fetched(&self, event: NetworkEvent<ChainContext>) {
        // An error: the engine is ending and does not need the blocks.
        let _ = self.to_sync(event);
    }
}

/// A link that has begun.
pub(super) struct Begun {
    pub(super) peer: MemberId,
    pub(super) number: u64,
    pub(super) newest: watch::Receiver<u64>,
    pub(super) proof: Proof,
    /// Whether the peer's consensus key has signed for it.
    pub(super) signed: bool,
}

/// A peer's link to this node.
pub struct Incoming {
    network: Network,
    engine: Arc<Attached>,
    link: Begun,
}

impl Incoming {
    pub(super) fn new(network: Network, engine: Arc<Attached>, link: Begun) -> Result<Self, LinkError> {
        let incoming = Self { network, engine, link };
        let connected = NetworkEvent::PeerConnected(incoming.engine.room(incoming.link.peer)?.id);
        incoming.engine.to_consensus(connected)?;
        Ok(incoming)
    }

    /// Hands a frame on to the engine; waits while the peer has no room. After an error the link must be closed.
    pub async fn receive(&mut self, frame: Bytes) -> Result<(), LinkError> {
        let over = self.over();
        let taken = tokio::select! {
            biased;
            why = over => Err(why),
            taken = self.receive_now(frame) => taken,
        };
        taken.inspect_err(|error| self.network.note_fault(self.link.peer, error, self.link.signed))
    }

    /// Returns when the link must be closed though the peer says nothing.
    pub fn over(&self) -> impl Future<Output = LinkError> + Send + use<> {
        let (mut running, mut newest) = (self.network.0.engine.subscribe(), self.link.newest.clone());
        let (engine, number) = (self.engine.clone(), self.link.number);
        async move {
            let is_another = |now: &Option<Arc<Attached>>| now.as_ref().is_none_or(|now| !Arc::ptr_eq(now, &engine));
            tokio::select! {
                _ = running.wait_for(is_another) => LinkError::NotRunning,
                _ = newest.wait_for(|newest| *newest != number) => LinkError::Replaced,
            }
        }
    }

    async fn receive_now(&mut self, frame: Bytes) -> Result<(), LinkError> {
        if frame.len() > FRAME_BYTES_MAX {
            return Err(LinkError::TooLarge(frame.len()));
        }
        let engine = self.engine.clone();
        let peer = self.link.peer;
        let (room, bytes) = (engine.room(peer)?, frame.len());
        let (kind, message) = (frame.first().copied(), frame.slice(1.min(frame.len())..));
        if matches!(kind, Some(VOTE | LIVENESS | PART)) && !self.is_signed() {
            return Ok(());
        }
        let (height, event) = match kind {
            Some(VOTE) => vote(room.id, self.own_vote(engine.codec.decode(message)?)?),
            Some(LIVENESS) => liveness(room.id, self.own_liveness(engine.codec.decode(message)?)?),
            Some(PART) => {
                let part: StreamMessage<ProposalPart> = engine.codec.decode(message)?;
                // The app loop bounds them by height itself (`streaming`).
                return engine.pass(peer, bytes, NetworkEvent::ProposalPart(room.id, None, part)).await;
            }
            Some(STATUS) => return self.receive_status(room, message),
            _ => return Err(CodecError::Invalid("frame kind").into()),
        };
        match room.hear(height, event, &self.network) {
            Some(event) => engine.pass(peer, bytes, event).await,
            None => Ok(()),
        }
    }

    fn is_signed(&mut self) -> bool {
        let Begun { peer, number, proof, signed, .. } = &mut self.link;
        *signed = *signed || self.network.is_signed_now(*peer, *number, proof);
        *signed
    }

    /// Nobody passes on, so a vote or proposal is the peer's own.
    fn own_vote(
        &self,
        message: SignedConsensusMsg<ChainContext>,
    ) -> Result<SignedConsensusMsg<ChainContext>, LinkError> {
        let member = match &message {
            SignedConsensusMsg::Vote(vote) => vote.message.member,
            SignedConsensusMsg::Proposal(proposal) => proposal.message.member,
        };
        if member == self.link.peer { Ok(message) } else { Err(LinkError::OthersVote(member)) }
    }

    /// So is a vote that is said again. Certificates hold the votes of many, whoever sends them.
    fn own_liveness(&self, message: LivenessMsg<ChainContext>) -> Result<LivenessMsg<ChainContext>, LinkError> {
        match &message {
            LivenessMsg::Vote(vote) if vote.message.member != self.link.peer => {
                Err(LinkError::OthersVote(vote.message.member))
            }
            _ => Ok(message),
        }
    }

    fn receive_status(&self, room: &Room, message: Bytes) -> Result<(), LinkError> {
        if !room.hears_status() {
            return Ok(());
        }
        let status: sync::Status<ChainContext> = self.engine.codec.decode(message)?;
        if status.peer_id != room.id {
            return Err(LinkError::OthersStatus);
        }
        let status = Status::new(status.tip_height, status.history_min_height);
        self.engine.to_sync(NetworkEvent::Status(room.id, status))
    }
}

/// A vote or proposal with its height.
fn vote(from: PeerId, message: SignedConsensusMsg<ChainContext>) -> (u64, NetworkEvent<ChainContext>) {
    match message {
        SignedConsensusMsg::Vote(vote) => (vote.message.height.0, NetworkEvent::Vote(from, vote)),
        SignedConsensusMsg::Proposal(proposal) => (proposal.message.height.0, NetworkEvent::Proposal(from, proposal)),
    }
}

/// What is said again, or leads on, with its height.
fn liveness(from: PeerId, message: LivenessMsg<ChainContext>) -> (u64, NetworkEvent<ChainContext>) {
    match message {
        LivenessMsg::Vote(vote) => (vote.message.height.0, NetworkEvent::Vote(from, vote)),
        LivenessMsg::PolkaCertificate(polka) => (polka.height.0, NetworkEvent::PolkaCertificate(from, polka)),
        LivenessMsg::SkipRoundCertificate(round) => (round.height.0, NetworkEvent::RoundCertificate(from, round)),
    }
}

fn is_certificate(event: &NetworkEvent<ChainContext>) -> bool {
    matches!(event, NetworkEvent::PolkaCertificate(..) | NetworkEvent::RoundCertificate(..))
}

impl Drop for Incoming {
    fn drop(&mut self) {
        // With a newer link the peer is still connected.
        if !self.network.closed(self.link.peer, self.link.number) {
            return;
        }
        if let Ok(room) = self.engine.room(self.link.peer) {
            // An engine that has ended counts no peers.
            let _ = self.engine.to_consensus(NetworkEvent::PeerDisconnected(room.id));
            let _ = self.engine.to_sync(NetworkEvent::PeerDisconnected(room.id));
        }
    }
}

#[cfg(test)]
mod tests {
    use malachitebft_app_channel::app::types::core::{
        NilOrVal, Round, RoundCertificate, RoundCertificateType, RoundSignature, SignedMessage, VoteType,
    };

    use super::*;
    use crate::certificate::SIGNATURES_MAX;
    use crate::context::{ChainHeight, ChainVote};
    use crate::limits::heard_bytes_max;
    use crate::network::tests::silent;
    use crate::scheme::Signature;
    use crate::streaming::CHUNK_BYTES;
    use crate::types::BlockId;

    fn room() -> Room {
        Room::new(peer_id(MemberId::new(2)).unwrap(), heard_bytes_max(4 * 1024 * 1024))
    }

    /// A vote for nil; the round tells it from others.
    fn vote(height: u64, round: u32) -> NetworkEvent<ChainContext> {
        let vote = ChainVote {
            vote_type: VoteType::Prevote,
            height: ChainHeight(height),
            round: Round::from(Some(round)),
            value: NilOrVal::Nil,
            member: MemberId::new(2),
        };
        NetworkEvent::Vote(peer_id(MemberId::new(2)).unwrap(), SignedMessage::new(vote, Signature([0; 64])))
    }

    fn slots(events: impl IntoIterator<Item = NetworkEvent<ChainContext>>) -> Vec<(u64, u32)> {
        let slot = |event: NetworkEvent<ChainContext>| match event {
            NetworkEvent::Vote(_, vote) => (vote.message.height.0, vote.message.round.as_u32().unwrap()),
            other => panic!("{other:?}"),
        };
        events.into_iter().map(slot).collect()
    }

    /// Of a node that decides this height.
    fn deciding(height: u64) -> Network {
        let network = silent(1, &[2, 3]).unwrap();
        network.at_height(height);
        network.start_height(height);
        network
    }

    /// Before, 64 frames had room whatever their size: 12 MiB, of which an honest peer needs 4.
    #[test]
    fn a_block_has_room_and_a_peer_no_more_and_what_waits_is_given_back_by_marks() {
        let room = room();
        let part = room.taken_by(CHUNK_BYTES + 256);
        assert!(32 * part + 8 * room.taken_by(150) <= room.bytes_max, "the largest block, its header and votes");
        assert!(
            FRAMES_MAX * room.taken_by(150) <= room.bytes_max && (FRAMES_MAX + 1) * room.taken_by(150) > room.bytes_max
        );
        assert!(room.bytes_max <= 5 << 20);
        // Whatever the sizes: what stands under no mark leaves room for the largest frame, else a peer would wait for ever.
        for block_bytes_max in [1, 4 << 20, 64 << 20] {
            let room = Room::new(room.id, heard_bytes_max(block_bytes_max));
            for frame in [1, CHUNK_BYTES, FRAME_BYTES_MAX] {
                let marked = (0..1000).filter_map(|_| room.mark(room.taken_by(frame))).sum::<usize>();
                let unmarked = room.counts().unmarked;
                assert_eq!(marked + std::mem::take(&mut room.counts().unmarked), 1000 * room.taken_by(frame));
                assert!(unmarked + room.taken_by(FRAME_BYTES_MAX) <= room.bytes_max, "{block_bytes_max}, {frame}");
            }
        }
    }

    #[test]
    fn a_peer_has_its_own_bound_of_early_words() {
        let (network, hostile) = (deciding(7), room());
        let hears = |room: &Room, of: u64| room.hear(of, vote(of, 0), &network).is_some();
        assert!((0..1000).all(|_| hears(&hostile, 7)), "of the height that is decided: judged at once");
        assert!(!hears(&hostile, 6), "over");
        for height in [8, 9] {
            assert_eq!((0..1000).filter(|_| hears(&hostile, height)).count(), EARLY_MAX);
        }
        assert!(hears(&room(), 8), "of another peer");
        assert!(hears(&hostile, 7), "what it says of now is heard");
        network.at_height(8);
        assert!(!hears(&hostile, 8), "not started, and its places for it are taken");
        network.start_height(8);
        assert!(hears(&hostile, 8));
        assert!(hostile.counts().early.len() <= 1 + HEIGHTS_AHEAD as usize);
    }

    /// The engine keeps votes of 16 heights, and the lowest displace the highest: a validator that speaks of all between displaced what
    /// the others said of theirs.
    #[test]
    fn words_far_ahead_wait_in_the_peers_own_places_until_the_node_comes_near() {
        let (network, hostile, honest) = (deciding(7), room(), room());
        for height in 10..1000 {
            assert!(hostile.hear(height, vote(height, 0), &network).is_none(), "{height}");
        }
        assert!(hostile.counts().far.len() <= EARLY_MAX);
        // An honest one decides height 30, 31 and 32 meanwhile.
        for (height, round) in [(30, 0), (31, 0), (31, 1), (32, 0)] {
            assert!(honest.hear(height, vote(height, round), &network).is_none());
        }
        let mut told = Vec::new();
        for height in 8..=33 {
            network.at_height(height);
            let mut near = slots(honest.release(height));
            near.extend(slots(hostile.release(height)));
            assert!(near.iter().all(|(of, _)| (height..=height + HEIGHTS_AHEAD).contains(of)), "{height}: {near:?}");
            told.extend(near);
        }
        assert_eq!(told, [(31, 0), (31, 1), (32, 0)], "the peer's two newest heights");
        assert!(honest.counts().far.is_empty());
    }

    /// With as many signatures as one may have.
    fn certificate(height: u64) -> NetworkEvent<ChainContext> {
        let signature = RoundSignature::new(
            VoteType::Precommit,
            NilOrVal::Val(BlockId([7; 32])),
            MemberId::new(2),
            Signature([0; 64]),
        );
        let certificate = RoundCertificate {
            height: ChainHeight(height),
            round: Round::new(3),
            cert_type: RoundCertificateType::Skip,
            round_signatures: vec![signature; SIGNATURES_MAX],
        };
        NetworkEvent::RoundCertificate(peer_id(MemberId::new(2)).unwrap(), certificate)
    }

    /// 64 of them were kept for each height, and for all farther ahead: a megabyte each of one peer.
    #[test]
    fn certificates_are_not_kept_that_the_engine_would_throw_away() {
        let (network, hostile) = (deciding(7), room());
        for (height, heard) in [(7, true), (8, true), (9, false), (10, false), (1000, false)] {
            assert_eq!(hostile.hear(height, certificate(height), &network).is_some(), heard, "{height}");
        }
        assert!(hostile.counts().far.is_empty());
        assert!(hostile.hear(9, vote(9, 0), &network).is_some(), "they take no vote's place");
        let NetworkEvent::RoundCertificate(_, RoundCertificate { round_signatures, .. }) = certificate(7) else {
            panic!("another event");
        };
        assert!(size_of_val(&round_signatures[..]) <= CERTIFICATE_BYTES_MAX);
        assert!(2 * size_of::<(u64, NetworkEvent<ChainContext>)>() <= VOTE_BYTES_MAX, "in a queue that has grown");
    }

    /// A peer whose height lasts says its votes again every few seconds.
    #[test]
    fn of_words_far_ahead_the_newest_are_kept() {
        let (network, honest) = (deciding(7), room());
        for round in 0..1000 {
            assert!(honest.hear(30, vote(30, round), &network).is_none());
        }
        let kept = slots(honest.release(30));
        assert_eq!(kept.len(), EARLY_MAX);
        assert_eq!(kept.last(), Some(&(30, 999)));
    }
}
