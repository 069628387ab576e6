//! Sealing: this validator's signatures under the checkpoint of each decided height, and the quorum's note.
//!
//! A height is sealed when more than two thirds of its validators have cosigned its checkpoint. Every line from outside is
//! verified before it is kept; this node's own go through the guard first. A smaller checkpoint is never published after a
//! larger one. Not here: talking to the peers (`peers`), and publishing (`publish`).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use ed25519_dalek::{Signer as _, SigningKey};
use receipt_core::ids::{Height, UnixMillis, ValidatorId};
use receipt_core::note::{Checkpoint, PosixSeconds, SignatureLine, SignedNote, cosign, sign};
use tokio::sync::watch;

use crate::clocks::PeerClocks;
use crate::early::{EarlyLine, EarlyLines};
use crate::evidence::EvidenceFolder;
use crate::guard::{Guard, GuardError};
use crate::ledger::Ledger;
use crate::note_keys::{NoteKeys, NoteKeysOfSet};
use crate::progress::Progress;
use crate::store::StoreError;

/// Heights whose lines are kept while they wait for their quorum.
const KEPT_HEIGHTS: u64 = 256;

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
        /// What.
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
        !matches!(self, Self::Line { .. })
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

/// The keys with which a validator signs checkpoints.
pub struct SealKeys {
    /// Log key, type 0x01.
    pub log: SigningKey,
    /// Cosigner key, type 0x04.
    pub cosigner: SigningKey,
}

/// What sealing shares with the rest of the node.
pub(crate) struct SealParts {
    /// Store and chain.
    pub ledger: Ledger,
    /// Permits each own signature.
    pub guard: Arc<Guard>,
    /// Decided and sealed heights.
    pub progress: Arc<Progress>,
    /// Where notes of another history are kept.
    pub evidence: Arc<EvidenceFolder>,
    /// Learns from the others' cosignatures what time they have.
    pub clocks: Arc<PeerClocks>,
}

/// Collects signature lines and publishes notes.
pub struct Sealer {
    ledger: Ledger,
    guard: Arc<Guard>,
    progress: Arc<Progress>,
    evidence: Arc<EvidenceFolder>,
    clocks: Arc<PeerClocks>,
    id: ValidatorId,
    keys: SealKeys,
    set: NoteKeysOfSet,
    collected: Mutex<BTreeMap<Height, BTreeMap<ValidatorId, Vec<SignatureLine>>>>,
    early: EarlyLines,
    own: watch::Sender<Option<OwnLines>>,
}

impl Sealer {
    /// For the validator of this id. It signs while the registered keys are the given ones.
    pub(crate) fn new(parts: SealParts, id: ValidatorId, keys: SealKeys) -> Self {
        let SealParts { ledger, guard, progress, evidence, clocks } = parts;
        let set = NoteKeysOfSet::new(&ledger.genesis.origin);
        let (collected, early) = (Mutex::default(), EarlyLines::default());
        let own = watch::Sender::new(None);
        Self { ledger, guard, progress, evidence, clocks, id, keys, set, collected, early, own }
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

    /// Whether the registry has these keys for this validator.
    fn is_registered(&self) -> Result<bool, StoreError> {
        let set = self.ledger.next_validators()?;
        Ok(set.member(self.id).is_some_and(|own| {
            own.log_key.0 == self.keys.log.verifying_key().to_bytes()
                && own.cosigner_key.0 == self.keys.cosigner.verifying_key().to_bytes()
        }))
    }

    /// Signs a decided height, guard first, and offers the lines to whoever watches. Passed over are a tree smaller than one that
    /// this validator has signed, and one under a set that knows other keys of it: the store was made anew or restored from a
    /// copy, and is catching up, or the keys were replaced.
    pub fn sign_height(&self, height: Height, now: UnixMillis) -> Result<(), SealError> {
        let checkpoint = self.checkpoint_of(height)?;
        let checkpoint = checkpoint.ok_or_else(|| StoreError::Corrupt(format!("height {height} is missing")))?;
        if checkpoint.size() < self.guard.position().1 || !self.is_registered()? {
            return Ok(());
        }
        self.guard.permit_checkpoint(checkpoint.size(), checkpoint.root())?;
        let text = checkpoint.to_string();
        let keys_error = |error: String| SealError::Keys(error);
        let set = self.note_keys()?;
        let [log_key, cosigner_key] =
            set.of(self.id).ok_or_else(|| keys_error(format!("no validator {} in the set", self.id)))?;
        let log = &self.keys.log;
        let log_line = sign(log_key, &text, |bytes| Ok::<_, std::convert::Infallible>(log.sign(bytes).to_bytes()));
        let time = PosixSeconds::new(now.seconds());
        let cosigner = &self.keys.cosigner;
        let cosign_line = cosign(cosigner_key, &text, time, |bytes| {
            Ok::<_, std::convert::Infallible>(cosigner.sign(bytes).to_bytes())
        });
        let lines = vec![
            log_line.map_err(|error| keys_error(error.to_string()))?,
            cosign_line.map_err(|error| keys_error(error.to_string()))?,
        ];
        self.keep(height, self.id, lines.clone());
        self.own.send_replace(Some(OwnLines { height, checkpoint, lines }));
        self.try_seal(height)
    }

    /// Takes a validator's lines. Those of a height that this node has not decided yet wait for it, if it is right ahead:
    /// only lines that the validator itself has brought may come that early.
    pub fn take_lines(
        &self,
        height: Height,
        claimed: &Checkpoint,
        id: ValidatorId,
        lines: Vec<SignatureLine>,
    ) -> Result<(), SealError> {
        let refuse = |problem: String| SealError::Line { validator: id, height, problem };
        let Some(checkpoint) = self.checkpoint_of(height)? else {
            let early = EarlyLine { validator: id, checkpoint: claimed.clone(), lines };
            if self.ledger.next_validators()?.member(id).is_some() {
                self.early.keep(self.progress.decided_height(), height, early);
            }
            return Ok(());
        };
        if claimed == &checkpoint && self.has_these(height, id, &lines) {
            return Ok(());
        }
        let set = self.note_keys()?;
        let keys = set.of(id).ok_or_else(|| refuse("not in the validator set".into()))?;
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
        self.keep(height, id, lines);
        self.try_seal(height)
    }

    /// Keeps a note that contradicts this node's history, next to this node's own with all lines under it: the validator's
    /// among them, if it signed both.
    fn keep_fork(&self, height: Height, id: ValidatorId, theirs: &SignedNote) -> Result<(), SealError> {
        let Some((checkpoint, lines)) = self.lines_of(height)? else { return Ok(()) };
        let lines = lines.into_iter().flat_map(|(_, lines)| lines).collect();
        match SignedNote::new(&checkpoint.to_string(), lines) {
            Ok(ours) => self.evidence.fork(id, checkpoint.size(), &theirs.to_string(), &ours.to_string()),
            // A note needs a line, and nobody has signed this height here yet.
            Err(error) => {
                tracing::error!(validator = %id, %height, note = %theirs, %error, "another history, and no note to compare with");
            }
        }
        Ok(())
    }

    /// Judges the lines that came before this height was decided.
    pub(crate) fn take_early(&self, height: Height) -> Result<(), SealError> {
        for EarlyLine { validator, checkpoint, lines } in self.early.take(height) {
            match self.take_lines(height, &checkpoint, validator, lines) {
                Err(error) if error.is_fatal() => return Err(error),
                Err(error) => tracing::info!(%error, "early signature lines are refused"),
                Ok(()) => {}
            }
        }
        Ok(())
    }

    /// Whether lines of this validator are kept for a height.
    pub(crate) fn has_lines(&self, height: Height, id: ValidatorId) -> bool {
        let collected = self.collected.lock().unwrap_or_else(PoisonError::into_inner);
        collected.get(&height).is_some_and(|lines| lines.contains_key(&id))
    }

    fn has_these(&self, height: Height, id: ValidatorId, lines: &[SignatureLine]) -> bool {
        let collected = self.collected.lock().unwrap_or_else(PoisonError::into_inner);
        collected.get(&height).and_then(|kept| kept.get(&id)).is_some_and(|kept| kept == lines)
    }

    fn note_keys(&self) -> Result<Arc<NoteKeys>, SealError> {
        self.set.of(self.ledger.next_validators()?).map_err(SealError::Keys)
    }

    fn keep(&self, height: Height, id: ValidatorId, lines: Vec<SignatureLine>) {
        let mut collected = self.collected.lock().unwrap_or_else(PoisonError::into_inner);
        collected.entry(height).or_default().insert(id, lines);
        let floor = Height::new(self.progress.decided_height().get().saturating_sub(KEPT_HEIGHTS));
        *collected = collected.split_off(&floor);
    }

    /// Publishes the note of a height if its quorum is complete and nothing larger is published.
    fn try_seal(&self, height: Height) -> Result<(), SealError> {
        if height < self.progress.sealed_height() {
            return Ok(());
        }
        let Some(checkpoint) = self.checkpoint_of(height)? else { return Ok(()) };
        let set = self.note_keys()?;
        let lines: Vec<SignatureLine> = {
            let collected = self.collected.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(of_height) = collected.get(&height).filter(|lines| lines.len() >= set.quorum()) else {
                return Ok(());
            };
            of_height.values().flatten().cloned().collect()
        };
        let note = SignedNote::new(&checkpoint.to_string(), lines);
        let note = note.map_err(|error| SealError::Keys(error.to_string()))?;
        let Ok(assembled) = set.policy().assemble(&note) else { return Ok(()) };
        self.ledger.store.put_checkpoint(height, &assembled.to_string())?;
        self.progress.sealed(height);
        Ok(())
    }

    /// All lines kept for a height, by validator.
    pub(crate) fn lines_of(&self, height: Height) -> Result<Option<KeptLines>, StoreError> {
        let Some(checkpoint) = self.checkpoint_of(height)? else { return Ok(None) };
        let collected = self.collected.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = collected.get(&height).map(|lines| lines.iter().map(|(id, lines)| (*id, lines.clone())).collect());
        Ok(lines.map(|lines| (checkpoint, lines)))
    }

    /// This validator's number.
    pub fn validator_id(&self) -> ValidatorId {
        self.id
    }
}
