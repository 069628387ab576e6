//! The second layer: record → batch root → header → log root → checkpoint under a quorum.

use super::check::Judge;
use super::conclusion::{Conclusion, Doubt};
use super::material::Proofs;
use super::sentences::CheckId;
use super::value::{Parameters, Value};
use super::versions;
use crate::batch::SignedBatchHeader;
use crate::entry::Entry;
use crate::ids::{LeafIndex, UnixMillis};
use crate::merkle::{leaf_hash, verify_inclusion};
use crate::note::{PosixSeconds, SignedNote, TlogProof};
use crate::reason::Reason;
use crate::record::SignedRecord;
use crate::trust::{TrustFile, TrustedCheckpoint};

/// Returns the log index of the batch header.
pub(super) fn check(proofs: &Proofs<'_>, signed: &SignedRecord, judge: &mut Judge) -> Result<LeafIndex, Conclusion> {
    let suite = proofs.trust.suite();
    if let Some(format) = versions::unknown_in_signed(&proofs.batch.header) {
        return Err(judge.doubt(CheckId::HeaderForm, Doubt::FormatUnknown, format));
    }
    let header = SignedBatchHeader::decode(&proofs.batch.header);
    let header = header.and_then(|header| match header.header.suite == suite {
        true => Ok(header),
        false => Err(Reason::SuiteUnknown),
    });
    let header = judge.require_ok(CheckId::HeaderForm, header)?;
    let batch = &header.header;
    let leaf = leaf_hash(suite, proofs.record);
    // The tree's size is the header's signed count, never the bundle's word.
    let (index, path) = (proofs.batch.index, &proofs.batch.path);
    let included = verify_inclusion(suite, &leaf, index, batch.tree_size(), path, &batch.root);
    judge.require_ok(CheckId::BatchInclusion, included)?;
    let issued = signed.record.issue_time;
    let within = batch.first_issue_time <= issued && issued <= batch.last_issue_time;
    judge.require(CheckId::HeaderTime, within, format_args!("issued at {issued}"))?;

    let proof = judge.require_ok(CheckId::AnchorForm, TlogProof::parse_without_extra(proofs.anchor.as_bytes()))?;
    let checkpoint = quorum(CheckId::AnchorQuorum, proofs, &proof.checkpoint, judge)?;
    let entry = leaf_hash(suite, &Entry::BatchHeader(header).encode());
    let included = verify_inclusion(suite, &entry, proof.index, checkpoint.size, &proof.path, &checkpoint.root);
    judge.require_ok(CheckId::AnchorInclusion, included)?;
    check_time(checkpoint.as_of, proofs.latest, judge)?;
    Ok(proof.index)
}

/// That the checkpoint over the batch is not from the future.
pub(super) fn check_time(as_of: PosixSeconds, latest: UnixMillis, judge: &mut Judge) -> Result<(), Conclusion> {
    let parameters = || Parameters::of([("signed_seconds", Value::Seconds(as_of.get()))]);
    judge.require_with(CheckId::AnchorTime, !is_after(as_of, latest), parameters, format_args!("cosigned at {as_of}"))
}

/// The checkpoint under a quorum; in a file with exactly the lines that this takes: one of the log, and the quorum's. A line more is
/// one that nobody answers for. If it may be by validators that came after the trust file, nothing is said of it.
pub(super) fn quorum(
    id: CheckId,
    proofs: &Proofs<'_>,
    note: &SignedNote,
    judge: &mut Judge,
) -> Result<TrustedCheckpoint, Conclusion> {
    let checkpoint = endorsed(id, proofs.trust, note, judge)?;
    let (given, needed) = (note.signatures().len(), 1 + checkpoint.signers.len());
    let lines = proofs.may_have_spare_lines || given == needed;
    judge.require(id, lines, format_args!("it has {given} signatures and needs {needed}"))?;
    Ok(checkpoint)
}

/// The checkpoint under a quorum, the check not yet passed.
pub(super) fn endorsed(
    id: CheckId,
    trust: &TrustFile,
    note: &SignedNote,
    judge: &mut Judge,
) -> Result<TrustedCheckpoint, Conclusion> {
    trust.verify_note(note).map_err(|error| match error.is_beyond_the_file() {
        true => judge.doubt(id, Doubt::ValidatorsUnknown, error),
        false => judge.fail(id, error),
    })
}

/// Whether a cosignature time lies after an instant.
pub(super) fn is_after(time: PosixSeconds, latest: UnixMillis) -> bool {
    time.get() > latest.seconds()
}
