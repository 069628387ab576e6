//! The second layer: record → batch root → header → log root → checkpoint under a quorum.

use super::check::Judge;
use super::sentences::{CheckId, Doubt};
use super::{Conclusion, Context, versions};
use crate::batch::SignedBatchHeader;
use crate::entry::Entry;
use crate::ids::{LeafIndex, UnixMillis};
use crate::merkle::{leaf_hash, verify_inclusion};
use crate::note::{PosixSeconds, SignedNote, TlogProof};
use crate::reason::Reason;
use crate::record::SignedRecord;
use crate::trust::{TrustFile, TrustedCheckpoint};

/// Returns the log index of the batch header.
pub(super) fn check(context: &Context<'_>, signed: &SignedRecord, judge: &mut Judge) -> Result<LeafIndex, Conclusion> {
    let (bundle, trust) = (context.bundle, context.trust);
    let suite = trust.suite();
    if let Some(format) = versions::unknown_in_signed(&bundle.batch.header) {
        return Err(judge.doubt(CheckId::HeaderForm, Doubt::FormatUnknown, format));
    }
    let header = SignedBatchHeader::decode(&bundle.batch.header);
    let header = header.and_then(|header| match header.header.suite == suite {
        true => Ok(header),
        false => Err(Reason::SuiteUnknown),
    });
    let header = judge.require_ok(CheckId::HeaderForm, header)?;
    let batch = &header.header;
    let leaf = leaf_hash(suite, &bundle.record);
    // The tree's size is the header's signed count, never the bundle's word.
    let (index, path) = (bundle.batch.index, &bundle.batch.path);
    let included = verify_inclusion(suite, &leaf, index, batch.tree_size(), path, &batch.root);
    judge.require_ok(CheckId::BatchInclusion, included)?;
    let issued = signed.record.issue_time;
    let within = batch.first_issue_time <= issued && issued <= batch.last_issue_time;
    judge.require(CheckId::HeaderTime, within, format_args!("issued at {issued}"))?;

    let proof = judge.require_ok(CheckId::AnchorForm, TlogProof::parse_without_extra(bundle.anchor.as_bytes()))?;
    let checkpoint = quorum(CheckId::AnchorQuorum, trust, &proof.checkpoint, judge)?;
    let entry = leaf_hash(suite, &Entry::BatchHeader(header).encode());
    let included = verify_inclusion(suite, &entry, proof.index, checkpoint.size, &proof.path, &checkpoint.root);
    judge.require_ok(CheckId::AnchorInclusion, included)?;
    let timely = !is_after(checkpoint.as_of, context.latest);
    judge.require(CheckId::AnchorTime, timely, format_args!("cosigned at {}", checkpoint.as_of))?;
    Ok(proof.index)
}

/// The checkpoint under a quorum, with exactly the lines that this takes: one of the log, and the quorum's. A line more is
/// one that nobody answers for. If it may be by validators that came after the trust file, nothing is said of it.
pub(super) fn quorum(
    id: CheckId,
    trust: &TrustFile,
    note: &SignedNote,
    judge: &mut Judge,
) -> Result<TrustedCheckpoint, Conclusion> {
    let checkpoint = match trust.verify_note(note) {
        Ok(checkpoint) => checkpoint,
        Err(error) if error.is_beyond_the_file() => return Err(judge.doubt(id, Doubt::ValidatorsUnknown, error)),
        Err(error) => return Err(judge.fail(id, error)),
    };
    let (given, needed) = (note.signatures().len(), 1 + checkpoint.signers.len());
    judge.require(id, given == needed, format_args!("it has {given} signatures and needs {needed}"))?;
    Ok(checkpoint)
}

/// Whether a cosignature time lies after an instant.
pub(super) fn is_after(time: PosixSeconds, latest: UnixMillis) -> bool {
    time.get() > latest.seconds()
}
