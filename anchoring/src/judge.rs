//! Who judges a checkpoint: the trust file, or something that wraps it and takes note of what it judges.

use receipt_core::hash::Hash;
use receipt_core::ids::TreeSize;
use receipt_core::trust::{OutOfTurn, TrustError, TrustFile, TrustedCheckpoint};

/// Why a checkpoint is not relied on, by what may be at fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// Of validators that the trust file does not know, as far as it was followed. Perhaps they took over.
    #[error(transparent)]
    UnknownSet(TrustError),
    /// Under a quorum, but of validators whose turn it is not by the trust file. Whoever hands it over has made up none of it: the trust
    /// file is of another history, or the keys of a whole quorum were stolen.
    #[error("{0}")]
    OutOfTurn(OutOfTurn),
    /// Of no quorum: whoever hands it over said something that is not so.
    #[error(transparent)]
    Refused(TrustError),
}

/// A checkpoint under the quorum whose turn it is, or what may be at fault.
pub(crate) fn judged(trust: &TrustFile, note: &str) -> Result<TrustedCheckpoint, CheckpointError> {
    trust.verify_checkpoint(note).map_err(|error| match trust.signed_out_of_turn(note) {
        Some(out_of_turn) => CheckpointError::OutOfTurn(out_of_turn),
        None if error.is_beyond_the_file() => CheckpointError::UnknownSet(error),
        None => CheckpointError::Refused(error),
    })
}

/// Judges the text of a signed checkpoint note.
pub trait CheckpointJudge {
    /// Size and root of a checkpoint under a quorum.
    fn judge(&self, note: &str) -> Result<(TreeSize, Hash), CheckpointError>;
}

impl CheckpointJudge for TrustFile {
    fn judge(&self, note: &str) -> Result<(TreeSize, Hash), CheckpointError> {
        judged(self, note).map(|trusted| (trusted.size, trusted.root))
    }
}
