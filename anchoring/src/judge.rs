//! Who judges a checkpoint: the trust file, or something that wraps it and takes note of what it judges.

use receipt_core::hash::Hash;
use receipt_core::ids::TreeSize;
use receipt_core::trust::TrustFile;

/// Judges the text of a signed checkpoint note.
pub trait CheckpointJudge {
    /// Size and root of a checkpoint under a quorum.
    fn judge(&self, note: &str) -> Result<(TreeSize, Hash), String>;
}

impl CheckpointJudge for TrustFile {
    fn judge(&self, note: &str) -> Result<(TreeSize, Hash), String> {
        let trusted = self.verify_checkpoint(note).map_err(|error| error.to_string())?;
        Ok((trusted.size, trusted.root))
    }
}
