//! Where a record stands in the log, as a node says it: taken in a batch, or refused with one. Nothing of it is believed.

use crate::batch::SignedBatchHeader;
use crate::entry::Entry;
use crate::hash::Hash;
use crate::ids::{LeafIndex, TreeSize};
use crate::merkle::{ProofError, leaf_hash, verify_inclusion};
use crate::reason::Reason;
use crate::suite::Suite;

/// A record's way to the log's root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordPlace {
    /// Log index of the entry.
    pub leaf_index: LeafIndex,
    /// The entry, verbatim.
    pub entry: Vec<u8>,
    /// Inclusion path of the entry.
    pub path: Vec<Hash>,
    /// `SignedBatchHeader`, verbatim.
    pub signed_header: Vec<u8>,
    /// Index of the record in its batch.
    pub batch_index: LeafIndex,
    /// Inclusion path of the record under the batch's root.
    pub batch_path: Vec<Hash>,
}

/// What the log's entry says of the record's batch, and so of the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlaceVerdict {
    /// The batch was taken: its status says the rest.
    Taken,
    /// The batch was refused, this record for that reason. A later batch may have taken it all the same; whoever has a proof of
    /// that needs no answer of a node.
    Refused(Reason),
    /// The batch was refused for other records' sake: this one was good, and is to come again in another batch.
    SentBack,
}

/// Why a place does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlaceError {
    /// The header does not read.
    #[error("the batch header does not read: {}", .0.as_str())]
    Header(Reason),
    /// The entry does not read, or is of another kind.
    #[error("the log entry is neither a batch header nor a refusal")]
    Entry,
    /// The entry names another batch.
    #[error("the log entry is of another batch than the header")]
    OtherBatch,
    /// The record is not under the batch's root.
    #[error("the record is not in the batch: {0}")]
    Record(ProofError),
    /// The entry is not under the log's root.
    #[error("the entry is not in the log: {0}")]
    Log(ProofError),
}

/// Judges where `signed_record` (its bytes) stands under the log of `size` leaves and root `root`.
pub fn proved_place(
    suite: Suite,
    root: &Hash,
    size: TreeSize,
    signed_record: &[u8],
    place: &RecordPlace,
) -> Result<PlaceVerdict, PlaceError> {
    let header = SignedBatchHeader::decode(&place.signed_header).map_err(PlaceError::Header)?;
    let batch = &header.header;
    if batch.suite != suite {
        return Err(PlaceError::Header(Reason::SuiteUnknown));
    }
    let record = leaf_hash(suite, signed_record);
    // The batch's size is its header's count, never the node's word.
    verify_inclusion(suite, &record, place.batch_index, batch.tree_size(), &place.batch_path, &batch.root)
        .map_err(PlaceError::Record)?;
    let leaf = leaf_hash(suite, &place.entry);
    verify_inclusion(suite, &leaf, place.leaf_index, size, &place.path, root).map_err(PlaceError::Log)?;
    match Entry::decode(&place.entry).map_err(|_| PlaceError::Entry)? {
        Entry::BatchHeader(entry) if entry == header => Ok(PlaceVerdict::Taken),
        Entry::BatchRefused(refused) if refused.header_hash == header.header_hash() => {
            let own = refused.refusals.iter().find(|refusal| u64::from(refusal.index) == place.batch_index.get());
            Ok(own.map_or(PlaceVerdict::SentBack, |refusal| PlaceVerdict::Refused(refusal.reason)))
        }
        Entry::BatchHeader(_) | Entry::BatchRefused(_) => Err(PlaceError::OtherBatch),
        Entry::Governance(_) | Entry::Seal(_) => Err(PlaceError::Entry),
    }
}
