//! What the engine and the other validators say to each other, without a transport of its own.
//!
//! ```text
//! engine ──▶ actor ──▶ outbox: all that this node says now, once ──▶ Outgoing, one a peer ─┐
//!                                                                                          │ the node's transport
//! engine ◀── intake: room of its own for each peer, given back as the engine gets on ◀── Incoming, one a peer
//!        ──▶ requests for decided blocks, when it is behind                ──▶ Fetch ──▶ Network::requested, answer (there)
//! ```
//! The transport brings frames in order or ends, and knows who sends: a message of member B comes from B, and nobody passes it on. A
//! frame is a kind and a message of `codec`:
//! ```text
//! frame    kind u8 · the rest: 0 hello (`hello`) · 1 vote or proposal · 2 liveness · 3 block part · 4 status
//! request  a hello without its signatures · request
//! ```
//! Invariants:
//! - A link begins with a hello (kind 0 in every version) of the same chain and version, and is none before it: another language is no
//!   fault, and is asked again as often as the peer likes. Anything else ends the link, and so does a frame that is no message, or a
//!   vote or proposal of another member than the peer. Certificates hold others' signatures, and block parts are signed whole
//!   (`streaming`); the engine checks both.
//! - Only the holder of a member's consensus key takes the place of a link that it has signed for. A link that is not signed for is let in
//!   while there is none that is (of a peer in no set, or whose newest key this node does not know yet), and heard of statuses only; it is
//!   judged again when the peer's keys are others. What is done over it is not held against the member.
//! - A slow or silent peer costs nobody else anything: each link reads the outbox for itself, and what has become void is gone from it.
//! - What a peer sends waits at most in its own room; then it is read no further until the engine has got on.
//! - A new link begins with all that this node says at this height: what was lost with the old one is not missed.
//! - A request of a node that is behind never comes to the engine of the node that it asks: it reads stored blocks, and holds up no vote.
//!
//! Not here: certificates, connections, and when to connect again (the node's `converse`).

mod actor;
mod fetch_room;
mod hello;
mod intake;
mod outbox;

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::{BufMut, Bytes, BytesMut};
use malachitebft_app_channel::app::streaming::StreamMessage;
use malachitebft_app_channel::app::types::PeerId;
use tokio::sync::watch;
use tracing::warn;

pub(crate) use actor::NetworkActor;
use fetch_room::FetchRoom;
pub use hello::{LinkKeys, Session};
use hello::{Proof, Way};
use intake::Begun;
pub(crate) use intake::{Attached, EARLY_MAX};
pub use intake::{EARLY_BYTES_MAX, Incoming};
pub use outbox::Outgoing;

use crate::certificate::DecidedValue;
use crate::codec::{Wire as _, asked_heights, response};
use crate::error::{EngineError, bad};
use crate::limits::{REQUEST_HEIGHTS_MAX, answer_bytes_max, heard_bytes_max};
use crate::proposal_part::ProposalPart;
use crate::streaming::CHUNK_BYTES;
use crate::types::MemberId;
use crate::wire::CodecError;
use outbox::Outbox;

/// The largest frame: a chunk, or the header of the largest block, or a certificate, each with what is around it. Whole blocks
/// travel in answers to a node that is behind, never here.
pub const FRAME_BYTES_MAX: usize = CHUNK_BYTES + 64 * 1024;
/// Of frames and requests. Another one is another language.
const VERSION: u8 = 1;

/// The rest after a first fault, doubled so often at most: a minute.
const FAULT_PAUSE: Duration = Duration::from_secs(1);
const FAULT_DOUBLINGS_MAX: u32 = 6;
const FORGOTTEN_AFTER: Duration = Duration::from_secs(600);

const HELLO: u8 = 0;
const VOTE: u8 = 1;
const LIVENESS: u8 = 2;
const PART: u8 = 3;
const STATUS: u8 = 4;

/// Why a link ends, or does not begin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// The validator is not among the configured peers.
    #[error("validator {0} is not among this node's peers")]
    Stranger(MemberId),
    /// The engine does not run (yet), or has just ended.
    #[error("consensus does not run yet")]
    NotRunning,
    /// Not signed with the peer's consensus key, while a link stands that is.
    #[error("it is not signed with this validator's consensus key, and a link stands that is")]
    Unsigned,
    /// Whether it is signed cannot be known now: an unsigned link must not take a signed one's place for that.
    #[error("this node cannot read the validator sets by which it knows links")]
    SetsUnread,
    /// The peer has opened another link.
    #[error("a newer link of the same validator took this one's place")]
    Replaced,
    /// The first frame is no hello of this chain and version.
    #[error("it speaks of another chain, or another version of the language")]
    OtherLanguage,
    /// A frame above [`FRAME_BYTES_MAX`].
    #[error("a frame of {0} bytes, {FRAME_BYTES_MAX} is the most")]
    TooLarge(usize),
    /// A frame that is no message.
    #[error("a frame is no message: {0}")]
    Malformed(#[from] CodecError),
    /// A vote or proposal of another member: nobody passes on.
    #[error("a vote or proposal of validator {0}, which is somebody else")]
    OthersVote(MemberId),
    /// A status that names somebody else.
    #[error("a status of somebody else")]
    OthersStatus,
    /// It sent what no honest peer does, and is not heard for a while.
    #[error("it was at fault, and is heard again after a while")]
    Resting,
}

impl LinkError {
    /// Whether the peer is at fault: an honest one of this version never does that. One of another version is not; else a change of the
    /// version would silence honest validators until their rests are over.
    pub fn is_fault(&self) -> bool {
        matches!(self, Self::TooLarge(_) | Self::Malformed(_) | Self::OthersVote(_) | Self::OthersStatus)
    }
}

/// Why blocks could not be fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// No connection.
    #[error("the peer is not reached")]
    Unreachable,
    /// No answer in time.
    #[error("the peer did not answer in time")]
    TimedOut,
    /// It answered with a refusal, or too much.
    #[error("the peer refused")]
    Refused,
}

/// The node's way to ask another for decided blocks.
#[async_trait]
pub trait Fetch: Send + Sync + 'static {
    /// Carries `request` to that peer's [`Network::requested`] and brings its [`Network::answer`], of at most `bytes_max`. Dropped when
    /// nobody waits for it any more.
    async fn fetch(&self, peer: MemberId, request: Bytes, bytes_max: usize) -> Result<Bytes, FetchError>;
}

/// The engine's side of all links. Cheap to clone. Outlives engines: a node that follows first, and votes then, has one.
#[derive(Clone)]
pub struct Network(Arc<Shared>);

struct Shared {
    own: MemberId,
    chain_id: [u8; 32],
    keys: Arc<dyn LinkKeys>,
    /// The largest answer to a request of this node.
    answer_bytes_max: usize,
    /// Frames of one peer that the engine is not through with.
    heard_bytes_max: usize,
    fetched: FetchRoom,
    peers: BTreeMap<MemberId, PeerLinks>,
    fetch: Arc<dyn Fetch>,
    outbox: Mutex<Outbox>,
    /// Told at each change of the outbox.
    said: watch::Sender<()>,
    engine: watch::Sender<Option<Arc<Attached>>>,
    /// The height being decided, or to be started next.
    height: AtomicU64,
    /// The newest height that the engine has started; 0 before its first, when it would keep only some of what comes.
    started: AtomicU64,
}

struct PeerLinks {
    id: PeerId,
    /// The number of its newest link to this node.
    newest: watch::Sender<u64>,
    state: Mutex<LinkState>,
}

#[derive(Default)]
struct LinkState {
    /// The newest link, while it is open, and whether it is signed for.
    standing: Option<(u64, bool)>,
    /// Of links that are signed for.
    faults: Faults,
    /// Of links that are not, and of requests: whoever has a certificate in the member's name.
    unsigned_faults: Faults,
    /// Whether it was told that somebody tried, since the newest link began.
    told: bool,
}

impl LinkState {
    fn faults(&mut self, signed: bool) -> &mut Faults {
        if signed { &mut self.faults } else { &mut self.unsigned_faults }
    }
}

impl PeerLinks {
    fn state(&self) -> std::sync::MutexGuard<'_, LinkState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a [`Network`] is made of.
pub struct NetworkConfig<'a> {
    /// The chain.
    pub chain_id: [u8; 32],
    /// This node.
    pub own: MemberId,
    /// Its peers, and no others.
    pub peers: &'a [MemberId],
    /// The largest block.
    pub block_bytes_max: usize,
    /// The way to ask for blocks.
    pub fetch: Arc<dyn Fetch>,
    /// By which links are known.
    pub keys: Arc<dyn LinkKeys>,
}

/// What a peer was at fault for, and how long it rests for it.
#[derive(Default)]
struct Faults {
    in_a_row: u32,
    heard_from: Option<Instant>,
}

impl Faults {
    /// It was at fault now: it rests, twice as long each time. Faults long ago are forgotten.
    fn note(&mut self, now: Instant) {
        if self.heard_from.is_some_and(|from| now.duration_since(from) > FORGOTTEN_AFTER) {
            self.in_a_row = 0;
        }
        self.heard_from = Some(now + FAULT_PAUSE * (1 << self.in_a_row.min(FAULT_DOUBLINGS_MAX)));
        self.in_a_row = self.in_a_row.saturating_add(1);
    }

    fn rests(&self, now: Instant) -> bool {
        self.heard_from.is_some_and(|from| now < from)
    }
}

/// A member as the engine's types know peers.
fn peer_id(member: MemberId) -> Result<PeerId, EngineError> {
    let mut bytes = vec![0, 4];
    bytes.extend_from_slice(&member.get().to_be_bytes());
    PeerId::from_bytes(&bytes).map_err(|error| bad("peers", error))
}

/// The member that [`peer_id`] made this of.
pub(crate) fn member_of(peer: &PeerId) -> Option<MemberId> {
    let bytes: [u8; 6] = peer.to_bytes().try_into().ok()?;
    let [0, 4, number @ ..] = bytes else { return None };
    Some(MemberId::new(u32::from_be_bytes(number)))
}

fn frame(kind: u8, message: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(1 + message.len());
    frame.put_u8(kind);
    frame.extend_from_slice(message);
    frame.freeze()
}

impl Network {
    /// Refuses peers that stand there twice, or are this node.
    pub fn new(config: NetworkConfig<'_>) -> Result<Self, EngineError> {
        let NetworkConfig { chain_id, own, peers, block_bytes_max, fetch, keys } = config;
        let mut links = BTreeMap::new();
        for peer in peers {
            let link = PeerLinks { id: peer_id(*peer)?, newest: watch::Sender::new(0), state: Mutex::default() };
            if *peer == own || links.insert(*peer, link).is_some() {
                return Err(bad("peers", format!("validator {peer} is this node, or stands there twice")));
            }
        }
        let answer_bytes_max = answer_bytes_max(block_bytes_max);
        Ok(Self(Arc::new(Shared {
            own,
            chain_id,
            keys,
            answer_bytes_max,
            heard_bytes_max: heard_bytes_max(block_bytes_max),
            fetched: FetchRoom::new(answer_bytes_max),
            peers: links,
            fetch,
            outbox: Mutex::new(Outbox::for_blocks(block_bytes_max)),
            said: watch::Sender::new(()),
            engine: watch::Sender::new(None),
            height: AtomicU64::new(0),
            started: AtomicU64::new(0),
        })))
    }

    /// The peers, ascending.
    pub fn peers(&self) -> impl Iterator<Item = MemberId> {
        self.0.peers.keys().copied().collect::<Vec<_>>().into_iter()
    }

    /// Refuses who is no peer: of others nothing need be read.
    pub fn check_peer(&self, peer: MemberId) -> Result<(), LinkError> {
        self.0.peers.get(&peer).map(|_| ()).ok_or(LinkError::Stranger(peer))
    }

    /// The first frame of a link to this peer, on the connection with this session.
    pub fn hello(&self, to: MemberId, session: &Session) -> Bytes {
        let Shared { own, chain_id, keys, .. } = &*self.0;
        hello::signed(Way { chain_id, from: *own, to, session }, keys.as_ref())
    }

    /// All that this node says to its peers behind the hello, from the height that is being decided on.
    pub fn outgoing(&self) -> Outgoing {
        Outgoing::new(self.clone())
    }

    /// A peer opens its link to this node with its first frame, a hello, on the connection with this session; an older link of the same
    /// peer ends.
    pub fn open(&self, peer: MemberId, hello: &[u8], session: &Session) -> Result<Incoming, LinkError> {
        let links = self.0.peers.get(&peer).ok_or(LinkError::Stranger(peer))?;
        let engine = self.0.engine.borrow().clone();
        let engine = engine.filter(|_| self.started() > 0).ok_or(LinkError::NotRunning)?;
        let Shared { own, chain_id, keys, .. } = &*self.0;
        let proof = Proof::read(hello, Way { chain_id, from: peer, to: *own, session });
        let mut proof = proof.inspect_err(|error| self.note_fault(peer, error, false))?;
        let known = keys.keys_of(peer).map_err(|problem| {
            warn!(%peer, problem, "a link is refused: the validator sets cannot be read");
            LinkError::SetsUnread
        })?;
        let signed = proof.is_by(&known);
        let mut state = links.state();
        if state.faults(signed).rests(Instant::now()) {
            return Err(LinkError::Resting);
        }
        // A peer that is in no validator set has no key to sign with: `known` is empty, and its links are let in unsigned.
        if !signed && !known.is_empty() && state.standing.is_some_and(|(_, signed)| signed) {
            if !std::mem::replace(&mut state.told, true) {
                warn!(%peer, "somebody with a validator's certificate opens a link that its consensus key has not signed; it is refused");
            }
            return Err(LinkError::Unsigned);
        }
        // The link takes its place only now, after its hello: one that never says hello displaces nobody.
        let number = *links.newest.borrow() + 1;
        state.standing = Some((number, signed));
        state.told = false;
        links.newest.send_replace(number);
        drop(state);
        Incoming::new(self.clone(), engine, Begun { peer, number, newest: links.newest.subscribe(), proof, signed })
    }

    /// A link that was not signed for: is it now? The peer's keys, or the set, may be others since it began.
    fn is_signed_now(&self, peer: MemberId, number: u64, proof: &mut Proof) -> bool {
        // If the sets cannot be read the link stays unsigned. The next message asks again.
        let Ok(known) = self.0.keys.keys_of(peer) else { return false };
        let signed = proof.is_by(&known);
        if signed && let Some(links) = self.0.peers.get(&peer) {
            let mut state = links.state();
            state.standing = state.standing.map(|(newest, was)| (newest, was || newest == number));
        }
        signed
    }

    /// A link has ended. Whether the peer has no other.
    fn closed(&self, peer: MemberId, number: u64) -> bool {
        let Some(links) = self.0.peers.get(&peer) else { return false };
        let mut state = links.state();
        let was_newest = state.standing.is_some_and(|(newest, _)| newest == number);
        if was_newest {
            state.standing = None;
        }
        was_newest
    }

    /// The heights whose decided blocks a peer that is behind asks for, at most [`REQUEST_HEIGHTS_MAX`]; there may be none of them here.
    /// Refuses strangers, another chain's or version's requests, and what is no request.
    pub fn requested(&self, peer: MemberId, request: &Bytes) -> Result<RangeInclusive<u64>, LinkError> {
        self.check_peer(peer)?;
        let head = hello::head(&self.0.chain_id);
        if !request.starts_with(&head) {
            return Err(LinkError::OtherLanguage);
        }
        let asked = asked_heights(request.slice(head.len()..)).map_err(LinkError::from);
        let asked = asked.inspect_err(|error| self.note_fault(peer, error, false))?;
        let (first, most) = (*asked.start(), REQUEST_HEIGHTS_MAX as u64 - 1);
        Ok(first..=first.saturating_add(most).min(*asked.end()))
    }

    /// The answer to such a request: the decided blocks from its first height on, without gaps; of [`answer_bytes_max`] bytes at most, if the
    /// blocks have no more than one may have.
    ///
    /// [`answer_bytes_max`]: crate::answer_bytes_max
    pub fn answer(first_height: u64, blocks: Vec<DecidedValue>) -> Bytes {
        response(first_height, blocks).to_bytes()
    }

    /// If a peer was at fault its link ends, and it is named: once until it is heard again, for requests are answered meanwhile.
    fn note_fault(&self, peer: MemberId, error: &LinkError, signed: bool) {
        let Some(links) = self.0.peers.get(&peer).filter(|_| error.is_fault()) else { return };
        let now = Instant::now();
        let (mut state, consensus_key) = (links.state(), if signed { "signed" } else { "not signed" });
        let faults = state.faults(signed);
        if !faults.rests(now) {
            warn!(%peer, %error, consensus_key, "a validator sends what no honest one does; it is not heard for a while");
        }
        faults.note(now);
    }

    fn outbox(&self) -> std::sync::MutexGuard<'_, Outbox> {
        self.0.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change_outbox(&self, change: impl FnOnce(&mut Outbox)) {
        change(&mut self.outbox());
        self.0.said.send_replace(());
    }

    fn height(&self) -> u64 {
        self.0.height.load(Ordering::SeqCst)
    }

    fn started(&self) -> u64 {
        self.0.started.load(Ordering::SeqCst)
    }

    /// The engine goes on to this height: what was said below the one before it is void.
    pub(crate) fn at_height(&self, height: u64) {
        self.0.height.store(height, Ordering::SeqCst);
        self.0.fetched.at_height(height);
        self.change_outbox(|outbox| outbox.at_height(height));
        // Release early votes after the height was stored, because what is kept from now on is compared with it.
        if let Some(engine) = &*self.0.engine.borrow() {
            engine.release(height);
        }
    }

    /// Bytes of blocks that this node has fetched because it is behind, or is fetching.
    pub fn fetched_bytes(&self) -> usize {
        self.0.fetched.bytes()
    }

    /// What this node says to its peers, and what of theirs the engine is not through with, in bytes.
    pub fn link_bytes(&self) -> usize {
        let heard = self.0.engine.borrow().as_ref().map_or(0, |engine| engine.heard_bytes());
        self.outbox().bytes().saturating_add(heard)
    }

    /// The engine has started this height: it judges what is said of it. From the first one on, peers are heard.
    pub(crate) fn start_height(&self, height: u64) {
        self.0.started.store(height, Ordering::SeqCst);
    }

    /// An engine begins.
    pub(crate) fn attach(&self, engine: Arc<Attached>) {
        self.0.engine.send_replace(Some(engine));
    }

    /// The engine ends: all links to this node end, and it says nothing any more.
    pub(crate) fn detach(&self) {
        self.0.started.store(0, Ordering::SeqCst);
        self.0.engine.send_replace(None);
        self.0.fetched.clear();
        self.change_outbox(Outbox::clear);
    }

    /// The app loop has got a mark: what went before it is through.
    pub(crate) fn passed(&self, mark: &StreamMessage<ProposalPart>) {
        if let Some(engine) = &*self.0.engine.borrow() {
            engine.passed(mark);
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
