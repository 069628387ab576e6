//! Sealing: this validator's signatures under the checkpoint of each decided height, and the quorum's note.
//!
//! A height is sealed when more than two thirds of the validators that decided it have cosigned its checkpoint. Every line from outside is
//! verified before it is kept; this node's own go through the guard first.
//!
//! ```text
//! own signature ──▶ guard ─┐
//! peers' lines ─▶ verified ┴▶ held (`lines`) ─▶ with the published note's lines: assembled ─▶ one synced write of two notes
//! ```
//! The last height of a validator set is the handover: with its note under the old set readers come to trust the next one. Nobody may
//! lose it: as long as a node lacks it, it signs and publishes no larger tree, so that whoever has a larger tree's note has, or had from a
//! quorum, the handover's. Its lines come from its signers, the whole note from any peer that stored it. A member whose keys are
//! not in the next set signs it once and no further tree.
//!
//! Invariants of what is published: a smaller tree never follows a larger one; of one tree, neither a log key's line nor the "as
//! of" is ever lost again, because the lines published before take part in each assembly, and a note is replaced only by one with
//! a later "as of" or a further log key. One validator's wrong line never keeps the others' from being published.
//!
//! Not here: talking to the peers (`peers`), and the public door (`publish`).

mod handover;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use ed25519_dalek::Signer as _;
use prometheus_client::metrics::counter::Counter;
use receipt_core::ids::{Height, UnixMillis, ValidatorId};
use receipt_core::note::{
    Assembled, Assembly, Checkpoint, PolicyError, PosixSeconds, SignatureLine, SignedNote, cosign, sign,
};
use tokio::sync::watch;

use crate::clocks::PeerClocks;
use crate::early::{EarlyLine, EarlyLines};
use crate::evidence::EvidenceFolder;
use crate::guard::{Guard, GuardError};
use crate::heights::ChainHeights;
use crate::ledger::Ledger;
use crate::lines::{HeldLines, KEPT_HEIGHTS, News, claimed_time};
use crate::membership::{Membership, ValidatorKeys};
use crate::note_keys::{NoteKeys, NoteKeysOfSet};
use crate::store::StoreError;

/// Why a checkpoint could not be signed or a line not be kept.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The guard refused, or its file failed. Fatal.
    #[error(transparent)]
    Guard(#[from] GuardError),
    /// The store failed. Fatal.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A peer's line is not what it says. Not fatal.
    #[error("signature lines of validator {validator} at height {height} are refused: {problem}")]
    Line {
        /// Who is said to have signed.
        validator: ValidatorId,
        /// The height of the note.
        height: Height,
        /// What is wrong.
        problem: String,
    },
    /// A peer's note of a handover is not what it says. Not fatal.
    #[error("the note of the handover at height {height} is refused: {problem}")]
    Note {
        /// The height of the note.
        height: Height,
        /// What is wrong.
        problem: String,
    },
    /// This validator's keys are not those of the registry. Fatal.
    #[error("this validator's keys do not fit the registry: {0}")]
    Keys(String),
}

impl SealError {
    /// Whether the process must end.
    pub fn is_fatal(&self) -> bool {
        !matches!(self, Self::Line { .. } | Self::Note { .. })
    }
}

/// A validator's lines under one checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnLines {
    /// The signed height.
    pub height: Height,
    /// The signed checkpoint.
    pub checkpoint: Checkpoint,
    /// Log signature and cosignature.
    pub lines: Vec<SignatureLine>,
}

/// A checkpoint and the lines kept under it, by validator.
pub(crate) type KeptLines = (Checkpoint, Vec<(ValidatorId, Vec<SignatureLine>)>);

/// What came of being asked to sign a height.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signing {
    /// It is signed, or there is nothing to sign.
    Done,
    /// It waits for the note of a handover before it.
    AwaitsHandover,
}

/// What sealing shares with the rest of the node.
pub(crate) struct SealParts {
    /// Store and chain.
    pub ledger: Ledger,
    /// Permits each own signature.
    pub guard: Arc<Guard>,
    /// Decided and sealed heights.
    pub heights: Arc<ChainHeights>,
    /// Where notes of another history are kept.
    pub evidence: Arc<EvidenceFolder>,
    /// Learns from the others' cosignatures what time they have.
    pub clocks: Arc<PeerClocks>,
}

/// Collects signature lines and publishes notes.
pub struct Sealer {
    ledger: Ledger,
    guard: Arc<Guard>,
    heights: Arc<ChainHeights>,
    evidence: Arc<EvidenceFolder>,
    clocks: Arc<PeerClocks>,
    membership: Arc<Membership>,
    set: NoteKeysOfSet,
    held: HeldLines,
    early: EarlyLines,
    own: watch::Sender<Option<OwnLines>>,
    /// One writer of notes at a time: what is published is compared, then replaced.
    publishing: Mutex<()>,
    /// Up to here every handover has its note.
    handed_over: Mutex<Height>,
    /// Why the tip is not signed, as it was last said.
    mute: Mutex<Option<&'static str>>,
    /// Whose wrong lines were told of.
    named: Mutex<BTreeSet<ValidatorId>>,
    dropped_lines: Counter,
}

impl Sealer {
    /// It signs the heights whose validator set has this node with keys that it holds.
    pub(crate) fn new(parts: SealParts, membership: Arc<Membership>) -> Self {
        let SealParts { ledger, guard, heights, evidence, clocks } = parts;
        let set = NoteKeysOfSet::new(&ledger.genesis.origin);
        Self {
            ledger,
            guard,
            heights,
            evidence,
            clocks,
            membership,
            set,
            held: HeldLines::default(),
            early: EarlyLines::default(),
            own: watch::Sender::new(None),
            publishing: Mutex::default(),
            handed_over: Mutex::new(Height::ZERO),
            mute: Mutex::default(),
            named: Mutex::default(),
            dropped_lines: Counter::default(),
        }
    }

    /// Lines that were left out of notes because they are wrong.
    pub(crate) fn dropped_lines(&self) -> Counter {
        self.dropped_lines.clone()
    }

    /// The newest own lines.
    pub fn watch_own(&self) -> watch::Receiver<Option<OwnLines>> {
        self.own.subscribe()
    }

    /// This node's own lines for a height, if it has signed it.
    pub fn own_lines(&self) -> Option<OwnLines> {
        self.own.borrow().clone()
    }

    fn checkpoint_of(&self, height: Height) -> Result<Option<Checkpoint>, StoreError> {
        let Some(range) = self.ledger.store.height_range(height)? else { return Ok(None) };
        let root = self.ledger.store.root_at(range.size)?;
        let checkpoint = Checkpoint::new(&self.ledger.genesis.origin, range.size, root);
        checkpoint.map(Some).map_err(|error| StoreError::Corrupt(error.to_string()))
    }

    /// The keys that the set of a height has for this validator, if it holds them.
    fn keys_at(&self, height: Height) -> Result<Option<&ValidatorKeys>, StoreError> {
        Ok(self.membership.keys_in(&self.ledger.validators_at(height)?))
    }

    /// Whether the set of a height has the very same keys.
    fn stays(&self, keys: &ValidatorKeys, height: Height) -> Result<bool, StoreError> {
        Ok(self.keys_at(height)?.is_some_and(|next| next.public() == keys.public()))
    }

    /// Says once why the tip is not signed, until that changes.
    fn say_mute(&self, reason: Option<&'static str>) {
        let mut said = self.mute.lock().unwrap_or_else(PoisonError::into_inner);
        if *said != reason {
            *said = reason;
            match reason {
                Some(reason) => tracing::info!(reason, "this validator does not sign checkpoints for now"),
                None => tracing::info!("this validator signs checkpoints again"),
            }
        }
    }

    /// Signs a decided height, guard first, and offers the lines to whoever watches. Passed over are a tree smaller than one that
    /// this validator has signed, and one under a set that knows other keys of it: the store was made anew or restored from a
    /// copy, and is catching up, or the keys were replaced. Nor is a tree signed twice for one second, or for an earlier one, and
    /// the handover not again by whom the next set does not have: a set that has ended says no later time. After a handover nothing is
    /// signed before its note is stored here.
    pub fn sign_height(&self, height: Height, now: UnixMillis) -> Result<Signing, SealError> {
        let checkpoint = self.checkpoint_of(height)?;
        let checkpoint = checkpoint.ok_or_else(|| StoreError::Corrupt(format!("height {height} is missing")))?;
        let (keys, id) = (self.keys_at(height)?, self.membership.id());
        let awaits_handover = self.open_handover()?.is_some_and(|open| open < height);
        let mute = if checkpoint.size() < self.guard.position().1 {
            Some("this validator has signed a larger tree; its store is catching up")
        } else if keys.is_none() {
            Some("the validator set of this height has other keys for this validator, or does not know it")
        } else if awaits_handover {
            Some("the last tree of the validator set before is not sealed by that set here yet")
        } else {
            None
        };
        self.say_mute(mute);
        let time = PosixSeconds::new(now.seconds());
        let Some(keys) = keys.filter(|_| mute.is_none() && self.held.news(height, id, time) == News::New) else {
            return Ok(if awaits_handover { Signing::AwaitsHandover } else { Signing::Done });
        };
        if self.held.has(height, id) && !self.stays(keys, next_of(height)?)? {
            return Ok(Signing::Done);
        }
        self.guard.permit_checkpoint(checkpoint.size(), checkpoint.root())?;
        let text = checkpoint.to_string();
        let keys_error = |error: String| SealError::Keys(error);
        let set = self.note_keys(height)?;
        let [log_key, cosigner_key] = set.of(id).ok_or_else(|| keys_error(format!("no validator {id} in the set")))?;
        let log = &keys.log;
        let log_line = sign(log_key, &text, |bytes| Ok::<_, std::convert::Infallible>(log.sign(bytes).to_bytes()));
        let cosigner = &keys.cosigner;
        let cosign_line = cosign(cosigner_key, &text, time, |bytes| {
            Ok::<_, std::convert::Infallible>(cosigner.sign(bytes).to_bytes())
        });
        let lines = vec![
            log_line.map_err(|error| keys_error(error.to_string()))?,
            cosign_line.map_err(|error| keys_error(error.to_string()))?,
        ];
        self.held.keep((height, id), time, lines.clone(), self.heights.decided_height(), self.open_handover()?);
        self.own.send_replace(Some(OwnLines { height, checkpoint, lines }));
        self.try_seal(height)?;
        Ok(Signing::Done)
    }

    /// Takes a validator's lines. Those of a height that this node has not decided yet wait for it, if it is right ahead:
    /// only lines that the validator itself has brought may come that early.
    pub fn accept_lines(
        &self,
        height: Height,
        claimed: &Checkpoint,
        id: ValidatorId,
        lines: Vec<SignatureLine>,
    ) -> Result<(), SealError> {
        let refuse = |problem: String| SealError::Line { validator: id, height, problem };
        let Some(checkpoint) = self.checkpoint_of(height)? else {
            let early = EarlyLine { validator: id, checkpoint: claimed.clone(), lines };
            if !self.ledger.may_decide(height, id)? {
                return Err(refuse("not in the validator set of this height".into()));
            }
            self.early.keep(self.heights.decided_height(), height, early);
            return Ok(());
        };
        let time = claimed_time(&lines).ok_or_else(|| refuse("there is no cosignature".into()))?;
        let is_kept = claimed == &checkpoint && self.held.news(height, id, time) != News::New;
        if is_kept || self.is_over(height)? {
            return Ok(());
        }
        let set = self.note_keys(height)?;
        let keys = set.of(id).ok_or_else(|| refuse("not in the validator set of this height".into()))?;
        let note = SignedNote::new(&claimed.to_string(), lines.clone()).map_err(|error| refuse(error.to_string()))?;
        let verified = note.verify(&keys.each_ref()).map_err(|error| refuse(error.to_string()))?;
        if verified.len() != 2 || lines.len() != 2 {
            return Err(refuse("a log signature and a cosignature are needed, and nothing else".into()));
        }
        if let Some(signed_at) = verified.iter().find_map(|line| line.time) {
            self.clocks.heard(id, signed_at);
        }
        if claimed.size() != checkpoint.size() {
            // The height is not signed: whoever handed the lines on may have named a wrong one.
            return Err(refuse("it signs the tree of another height".into()));
        }
        if *claimed != checkpoint {
            self.keep_fork(height, id, &note)?;
            return Err(refuse("it signs another root than this node has".into()));
        }
        self.held.keep((height, id), time, lines, self.heights.decided_height(), self.open_handover()?);
        self.try_seal(height)
    }

    /// Whether lines of this height are of no use any more: a validator that left gives its last ones for ever.
    fn is_over(&self, height: Height) -> Result<bool, StoreError> {
        let is_old = height.get().saturating_add(KEPT_HEIGHTS) < self.heights.decided_height().get();
        Ok(is_old && self.open_handover()? != Some(height))
    }

    /// Keeps a note that contradicts this node's history, next to this node's own with all lines under it: the validator's
    /// among them, if it signed both.
    fn keep_fork(&self, height: Height, id: ValidatorId, theirs: &SignedNote) -> Result<(), SealError> {
        let Some((checkpoint, lines)) = self.lines_of(height)? else {
            tracing::error!(validator = %id, %height, note = %theirs, "another history of a height that is not decided here");
            return Ok(());
        };
        let lines = lines.into_iter().flat_map(|(_, lines)| lines).collect();
        match SignedNote::new(&checkpoint.to_string(), lines) {
            Ok(ours) => self.evidence.fork(id, checkpoint.size(), &theirs.to_string(), &ours.to_string()),
            // A note needs at least one line, and this node has none for this height yet.
            Err(error) => {
                tracing::error!(validator = %id, %height, note = %theirs, %error, "another history, and no note to compare with");
            }
        }
        Ok(())
    }

    /// Judges the lines that came before this height was decided.
    pub(crate) fn accept_early_lines(&self, height: Height) -> Result<(), SealError> {
        for EarlyLine { validator, checkpoint, lines } in self.early.remove(height) {
            match self.accept_lines(height, &checkpoint, validator, lines) {
                Err(error) if error.is_fatal() => return Err(error),
                Err(error) => tracing::info!(%error, "early signature lines are refused"),
                Ok(()) => {}
            }
        }
        Ok(())
    }

    /// Whether lines of this validator are held for a height.
    pub(crate) fn has_lines(&self, height: Height, id: ValidatorId) -> bool {
        self.held.has(height, id)
    }

    fn note_keys(&self, height: Height) -> Result<Arc<NoteKeys>, SealError> {
        self.set.of(self.ledger.validators_at(height)?).map_err(SealError::Keys)
    }

    /// Publishes the notes of a height if its quorum is complete, nothing larger is published, and there is something to gain. What
    /// lies after a handover waits for the handover's.
    fn try_seal(&self, height: Height) -> Result<(), SealError> {
        if self.seal_one(height)? && self.is_handover(height)? {
            return self.seal_after(height);
        }
        Ok(())
    }

    fn publish(&self, height: Height, notes: &Assembly) -> Result<(), StoreError> {
        self.ledger.store.put_checkpoint(height, &notes.smallest.to_string(), &notes.fullest.to_string())?;
        self.heights.sealed(height);
        Ok(())
    }

    /// Whether notes were published.
    fn seal_one(&self, height: Height) -> Result<bool, SealError> {
        let _publishing = self.publishing.lock().unwrap_or_else(PoisonError::into_inner);
        if height < self.heights.sealed_height() || self.open_handover()?.is_some_and(|open| open < height) {
            // A larger tree is published already, and its note seals this one too; or a handover must be published first.
            return Ok(false);
        }
        let Some(checkpoint) = self.checkpoint_of(height)? else {
            return Err(StoreError::Corrupt(format!("height {height} was signed and is missing")).into());
        };
        let set = self.note_keys(height)?;
        let published = self.published_of(height)?;
        let held = self.held.of(height);
        if published.is_none() && held.len() < set.quorum() {
            // No quorum yet.
            return Ok(false);
        }
        let (mut signers, mut lines) = (Vec::new(), Vec::new());
        for (id, own) in held {
            signers.extend(own.iter().map(|_| id));
            lines.extend(own);
        }
        // The published lines were verified when they came. They go behind the new ones, because a wrong line is named by its position.
        lines.extend(published.iter().flat_map(|note| note.signatures().iter().cloned()));
        let note = SignedNote::new(&checkpoint.to_string(), lines);
        let note = note.map_err(|error| SealError::Keys(error.to_string()))?;
        let Assembled { notes, wrong } = set.policy().assemble(&note);
        let authors: BTreeSet<ValidatorId> = wrong.iter().filter_map(|line| signers.get(*line).copied()).collect();
        self.drop_lines(height, &authors);
        let notes = match notes {
            Ok(notes) => notes,
            Err(PolicyError::QuorumNotReached { .. }) => return Ok(false),
            Err(error) => {
                tracing::error!(%height, %error, "a quorum has signed, and its lines make no note");
                return Ok(false);
            }
        };
        let before = published.map(|note| set.policy().assemble(&note).notes);
        if before.is_some_and(|before| before.is_ok_and(|before| !gains(&before, &notes))) {
            return Ok(false);
        }
        self.publish(height, &notes)?;
        Ok(true)
    }

    /// The note that is published, if it is of this height.
    fn published_of(&self, height: Height) -> Result<Option<SignedNote>, StoreError> {
        let Some((published, note)) = self.ledger.store.published_checkpoint()? else { return Ok(None) };
        let note = SignedNote::parse(note.as_bytes()).map_err(|error| StoreError::Corrupt(error.to_string()))?;
        Ok((published == height).then_some(note))
    }

    /// Leaves out what does not verify among the set's lines, and says whose it is: once, and counts each time.
    fn drop_lines(&self, height: Height, authors: &BTreeSet<ValidatorId>) {
        for id in authors {
            self.held.forget(height, *id);
            self.dropped_lines.inc();
            let mut named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
            if named.insert(*id) {
                tracing::warn!(
                    validator = %id, %height,
                    "signature lines of a validator are left out of the checkpoint: they are wrong under the key that has their \
                     name and key id in the validator set"
                );
            }
        }
    }

    /// All lines held for a height, by validator; `None` if it is not decided, or nobody's lines are held.
    pub(crate) fn lines_of(&self, height: Height) -> Result<Option<KeptLines>, StoreError> {
        let Some(checkpoint) = self.checkpoint_of(height)? else { return Ok(None) };
        let lines = self.held.of(height);
        Ok((!lines.is_empty()).then_some((checkpoint, lines)))
    }

    /// This validator's number.
    pub fn validator_id(&self) -> ValidatorId {
        self.membership.id()
    }
}

fn next_of(height: Height) -> Result<Height, StoreError> {
    height.next().ok_or_else(|| StoreError::Corrupt("no height is left".into()))
}

/// Whether notes of the same tree are worth a synced write: a later "as of", or a further log key.
fn gains(before: &Assembly, now: &Assembly) -> bool {
    let log_lines = |notes: &Assembly| {
        let name = notes.smallest.signatures().first().map(SignatureLine::name);
        notes.fullest.signatures().iter().filter(|line| Some(line.name()) == name).count()
    };
    now.as_of > before.as_of || (now.as_of == before.as_of && log_lines(now) > log_lines(before))
}

#[cfg(test)]
mod tests;
