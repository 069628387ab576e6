//! What goes to all peers, and what is known of each: whether it answers, and how far it says it is.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use receipt_core::governance::SignedGovernance;
use receipt_core::hash::Hash;
use receipt_core::ids::{Height, ValidatorId};
use receipt_core::validators::ValidatorSet;
use tokio::sync::broadcast;

const FORWARD_QUEUE: usize = 1024;
/// A node this far behind a peer's signed height says so.
const BEHIND_HEIGHTS: u64 = 5;

#[derive(Clone)]
pub(super) enum Forward {
    Batch(Hash),
    Governance(Arc<SignedGovernance>),
}

/// Hands on what this node took in; knows which peers answer.
#[derive(Clone)]
pub(crate) struct Forwarder {
    pub(super) queue: broadcast::Sender<Forward>,
    peers: Arc<Mutex<BTreeMap<ValidatorId, PeerView>>>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct PeerView {
    pub(super) connected: bool,
    signed_height: Height,
    /// How often it has said how far it is, since the start.
    answers: u64,
    /// Whether it has answered, or failed to, since the start.
    asked: bool,
    /// What was last found wrong with it.
    pub(super) complaint: String,
}

/// How a peer is, as seen from here.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PeerState {
    /// Its registry number.
    pub id: ValidatorId,
    /// Whether it answered the last call.
    pub connected: bool,
    /// The newest height of which it has given its lines.
    pub signed_height: Height,
}

/// How often validators have said how far they are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Answers(BTreeMap<ValidatorId, u64>);

impl Answers {
    /// How many of them have said so again since `before`.
    pub(crate) fn since(&self, before: &Self) -> usize {
        self.0.iter().filter(|(id, count)| **count > before.0.get(id).copied().unwrap_or(0)).count()
    }
}

impl Default for Forwarder {
    fn default() -> Self {
        Self { queue: broadcast::Sender::new(FORWARD_QUEUE), peers: Arc::default() }
    }
}

impl Forwarder {
    /// Sends a pooled batch to every peer. Whoever misses it gets it by announcement.
    pub(crate) fn forward(&self, header_hash: Hash) {
        // Sending fails only without receivers: on a chain of one validator.
        let _ = self.queue.send(Forward::Batch(header_hash));
    }

    /// Sends a governance message to every peer.
    pub(crate) fn forward_governance(&self, message: SignedGovernance) {
        let _ = self.queue.send(Forward::Governance(Arc::new(message)));
    }

    /// Peers that answered the last call, whether they are in the validator set or not.
    pub(crate) fn connected(&self) -> Vec<u32> {
        let peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        peers.iter().filter(|(_, view)| view.connected).map(|(id, _)| id.get()).collect()
    }

    /// How many heights this node is behind what f + 1 peers of a validator set have signed; `None` while too few of the set's `peers` were
    /// asked to say so. Whoever is not in the set says nothing: f is the set's.
    pub(crate) fn heights_behind(&self, decided: Height, set: &ValidatorSet, peers: usize) -> Option<u64> {
        let views = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        let of_set = views.iter().filter(|(id, _)| set.member(**id).is_some());
        let (mut heights, mut asked) = (Vec::new(), 0);
        for (_, view) in of_set {
            heights.push(view.signed_height.get());
            asked += usize::from(view.asked);
        }
        drop(views);
        heights.sort_unstable_by(|a, b| b.cmp(a));
        let reached = heights.get(set.faults_max()).copied().unwrap_or(0);
        let behind = reached.saturating_sub(decided.get());
        // Validators that were not asked yet can only raise this figure, so a figure above 0 counts already.
        (asked >= peers || behind > 0).then_some(behind)
    }

    /// Whether this node is as far as f + 1 validators of the set said they are, when all of the set's `peers` were asked. Unlike
    /// [`Self::heights_behind`], which takes a peer without an answer for one that is not ahead, so that a network can start. With fewer
    /// than f + 1 answers nobody knows how far the chain is, and this is false. `own` is not asked: a chain of one is level with itself.
    pub(crate) fn is_level(&self, decided: Height, set: &ValidatorSet, peers: usize, own: ValidatorId) -> bool {
        let views = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        let said = views.iter().filter(|(id, view)| view.answers > 0 && set.member(**id).is_some()).count();
        drop(views);
        let others = set.members().iter().filter(|member| member.id != own).count();
        let enough = said > set.faults_max() || others == 0;
        enough && self.heights_behind(decided, set, peers) == Some(0)
    }

    /// How often each validator of the set has said how far it is.
    pub(crate) fn answers(&self, set: &ValidatorSet) -> Answers {
        let views = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        let of_set = views.iter().filter(|(id, _)| set.member(**id).is_some());
        Answers(of_set.map(|(id, view)| (*id, view.answers)).collect())
    }

    /// Whether f + 1 peers have signed heights that this node has not decided.
    pub(crate) fn is_behind(&self, decided: Height, set: &ValidatorSet) -> bool {
        self.heights_behind(decided, set, 0).is_some_and(|behind| behind > BEHIND_HEIGHTS)
    }

    /// A peer has answered, or failed to.
    pub(crate) fn note_asked(&self, id: ValidatorId) {
        self.note(id, |view| view.asked = true);
    }

    pub(super) fn was_asked(&self, id: ValidatorId) -> bool {
        let peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        peers.get(&id).is_some_and(|view| view.asked)
    }

    /// All peers that were talked to, ascending.
    pub(crate) fn peers(&self) -> Vec<PeerState> {
        let peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        let state = |(id, view): (&ValidatorId, &PeerView)| PeerState {
            id: *id,
            connected: view.connected,
            signed_height: view.signed_height,
        };
        peers.iter().map(state).collect()
    }

    /// A peer has given its lines of a height.
    pub(crate) fn note_signed(&self, id: ValidatorId, height: Height) {
        self.note(id, |view| {
            view.answers = view.answers.saturating_add(1);
            view.signed_height = view.signed_height.max(height);
        });
    }

    pub(super) fn note(&self, id: ValidatorId, update: impl FnOnce(&mut PeerView)) {
        let mut peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        update(peers.entry(id).or_default());
    }
}
