//! Whose checkpoints and credentials count: the trust file that was given, and every set of validators or authorities that took over since.
//!
//! A set takes over where a seal under the quorum of the set before names its hash (`docs/spec/trust.md`, Handover). The journal keeps
//! the trust file as far as it has followed the ledger, from the first block on and in the same write as its progress: so a restart never meets a
//! checkpoint of a set that it has seen take over and does not know, and what a file that is given later says of blocks that were followed is held
//! against it. What the given file has beyond them is not kept: nobody has confirmed it, and a better file may take its place. Authorities take over
//! right after the entry that brings them. If neither of the two files begins with the other's sets, nothing is believed.
//!
//! Not here: reading the file (the owner), and what a checkpoint needs (`receipt_core::trust`).

use std::sync::{Arc, PoisonError, RwLock};

use receipt_core::hash::Hash;
use receipt_core::ids::TreeSize;
use receipt_core::state::{ReadError, StateRead, read_pending_validators};
use receipt_core::trust::{SetEnd, TrustFile, TrustTextError, TrustedCheckpoint};

use crate::journal::{Journal, JournalError};
use crate::judge::{CheckpointError, CheckpointJudge};

/// Why no trust file can be relied on.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The journal failed: fatal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The given file is of another history.
    #[error(
        "it names other validators or authorities than the ledger that this journal has followed: compare its sets with those of another party's \
         trust file"
    )]
    OtherSets,
}

/// A validator set takes over after the block that says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Handover {
    /// The set's hash, as the block's seal names it.
    pub set_hash: Hash,
    /// Where the set before ends.
    pub end: SetEnd,
}

/// The trust file that counts now. Shared by all who judge checkpoints.
#[derive(Debug)]
pub struct FollowedTrust(RwLock<Arc<TrustFile>>);

impl FollowedTrust {
    /// The given file, or the journal's if that one has followed further.
    pub fn open(given: TrustFile, journal: &Journal) -> Result<Self, TrustError> {
        let Some(text) = journal.trust()? else { return Ok(Self::of(given)) };
        let followed = TrustFile::parse(&text).map_err(|_| JournalError::Corrupt("the trust file"))?;
        // What the given file has beyond the journal's must lie beyond what the journal has followed: it would have seen it.
        let seen = journal.followed_tip()?.frontier.size();
        let alike = given.takeovers(TreeSize::ZERO, seen) == followed.takeovers(TreeSize::ZERO, seen);
        if alike && given.goes_on_from(&followed) {
            Ok(Self::of(given))
        } else if followed.goes_on_from(&given) {
            Ok(Self::of(followed))
        } else {
            Err(TrustError::OtherSets)
        }
    }

    /// This file, until a handover is followed.
    pub fn of(trust: TrustFile) -> Self {
        Self(RwLock::new(Arc::new(trust)))
    }

    /// The file that counts now.
    pub fn current(&self) -> Arc<TrustFile> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// A handover was followed, and is about to be written; where that fails, the process ends.
    pub(crate) fn replace(&self, trust: TrustFile) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(trust);
    }

    /// The text of a signed checkpoint note under a quorum.
    pub fn verify_checkpoint(&self, note: &str) -> Result<TrustedCheckpoint, receipt_core::trust::TrustError> {
        self.current().verify_checkpoint(note)
    }
}

impl CheckpointJudge for FollowedTrust {
    fn judge(&self, note: &str) -> Result<(TreeSize, Hash), CheckpointError> {
        self.current().judge(note)
    }
}

/// Why a handover of the ledger is not followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HandoverError {
    /// The registry cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The ledger brings it, and did not announce it, as far as the registry here has it.
    #[error("{0}")]
    Unannounced(&'static str),
    /// The trust file has something else there.
    #[error(transparent)]
    Trust(TrustTextError),
}

/// The trust file after a handover; `None` if it knows the set already. `registry` is the registry as followed up to the block.
pub(crate) fn after(
    trust: &TrustFile,
    handover: &Handover,
    registry: &dyn StateRead,
) -> Result<Option<TrustFile>, HandoverError> {
    let Handover { set_hash, end } = *handover;
    let unannounced = HandoverError::Unannounced;
    let announced = read_pending_validators(registry)?;
    let (_, set) = announced.ok_or(unannounced("no governance announced the validator set that the seal names"))?;
    if set.hash(trust.suite()) != set_hash {
        return Err(unannounced("governance announced another validator set than the seal names"));
    }
    trust.after_handover(end, &set).map_err(HandoverError::Trust)
}
