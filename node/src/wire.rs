//! Hashes, checkpoints and signature lines as the messages between validators carry them: for who sends and who answers.

use receipt_core::hash::Hash;
use receipt_core::ids::{Height, TreeSize, ValidatorId};
use receipt_core::note::{Checkpoint, SignatureLine};
use tallystick_proto::peer::v1::{CheckpointId, SignatureLines};

/// Hashes that one announcement holds: a peer cuts its own to it.
pub(crate) const ANNOUNCED_MAX: usize = 1024;

/// A hash as the messages carry it.
pub(crate) fn hash_bytes(hash: &Hash) -> bytes::Bytes {
    bytes::Bytes::copy_from_slice(hash.as_bytes())
}

/// A checkpoint as the messages name it.
pub(crate) fn checkpoint_id(height: Height, checkpoint: &Checkpoint) -> CheckpointId {
    CheckpointId { height: height.get(), tree_size: checkpoint.size().get(), root: hash_bytes(&checkpoint.root()) }
}

/// Signature lines as the messages carry them.
pub(crate) fn signature_lines(id: ValidatorId, lines: &[SignatureLine]) -> SignatureLines {
    SignatureLines { validator_id: id.get(), lines: lines.iter().map(ToString::to_string).collect() }
}

/// Reads a checkpoint and lines that a peer sent.
pub(crate) fn read_lines(
    origin: &str,
    id: &CheckpointId,
    own: &SignatureLines,
) -> Option<(Height, Checkpoint, ValidatorId, Vec<SignatureLine>)> {
    let root = Hash::from_slice(&id.root)?;
    let checkpoint = Checkpoint::new(origin, TreeSize::new(id.tree_size), root).ok()?;
    if own.lines.len() > 2 {
        return None;
    }
    let lines: Option<Vec<SignatureLine>> = own.lines.iter().map(|line| SignatureLine::parse(line)).collect();
    Some((Height::new(id.height), checkpoint, ValidatorId::new(own.validator_id), lines?))
}
