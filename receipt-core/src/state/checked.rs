//! Batches whose root, count and signatures have been checked, once.
//!
//! A pool checks a batch when it arrives; executing a block reuses that verdict if the block carries the very same records.
//! A signature verdict is remembered together with the public key it was given for, so a registry change can not turn it.

use std::sync::Arc;

use crate::batch::SignedBatchHeader;
use crate::block::{Batch, BlockContent, Item};
use crate::governance::SignedGovernance;
use crate::hash::Hash;
use crate::ids::KeyId;
use crate::limits;
use crate::merkle;
use crate::reason::Reason;
use crate::record::{ReceiptRecord, SignedRecord, status_key};
use crate::suite::{ChainId, Namespace, PublicKey, Signed, Suite};

/// A batch whose records do not match its header: no batch at all, refused before it can spend a sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BatchFault {
    /// The number of records is not the header's `count`.
    #[error("the batch has another number of records than its header says")]
    Count,
    /// The records' root is not the header's `root`.
    #[error("the root of the batch's records is not the root in its header")]
    Root,
    /// More than [`limits::BATCH_BYTES_MAX`] bytes.
    #[error("the batch is larger than {} bytes", limits::BATCH_BYTES_MAX)]
    Size,
}

impl BatchFault {
    /// The stable reason.
    pub fn reason(self) -> Reason {
        match self {
            Self::Count => Reason::CountMismatch,
            Self::Root => Reason::RootMismatch,
            Self::Size => Reason::BatchTooLarge,
        }
    }
}

#[derive(Debug)]
pub(crate) struct CheckedRecord {
    pub(crate) decoded: Result<SignedRecord, Reason>,
    pub(crate) status_key: Hash,
    pub(crate) verdict: Option<(PublicKey, bool)>,
}

/// A batch whose root and count match its header, with a signature verdict for each record.
#[derive(Debug)]
pub struct CheckedBatch {
    batch: Batch,
    header_hash: Hash,
    pub(crate) checked: Vec<CheckedRecord>,
    bytes: usize,
}

impl CheckedBatch {
    /// Checks size, count, root and every record's signature. `key` looks a registered key up; `entropy` is fresh randomness
    /// for batch verification (32 zero bytes are fine where nobody can adapt to it, as in a replay of decided blocks).
    pub fn check(
        batch: Batch,
        chain: ChainId,
        key: &dyn Fn(KeyId) -> Option<PublicKey>,
        entropy: [u8; 32],
    ) -> Result<Self, BatchFault> {
        let bytes = batch.records.iter().map(Vec::len).sum::<usize>() + batch.header.header_bytes.len();
        if bytes > limits::BATCH_BYTES_MAX {
            return Err(BatchFault::Size);
        }
        if batch.records.len() != batch.header.header.count as usize {
            return Err(BatchFault::Count);
        }
        let suite = batch.header.header.suite;
        let tree = merkle::InnerTree::from_leaves(suite, &batch.records).map_err(|_| BatchFault::Count)?;
        if tree.root() != batch.header.header.root {
            return Err(BatchFault::Root);
        }
        let mut checked: Vec<CheckedRecord> = batch
            .records
            .iter()
            .map(|leaf| CheckedRecord {
                decoded: SignedRecord::decode(leaf),
                status_key: status_key(suite, leaf),
                verdict: None,
            })
            .collect();
        verify_signatures(&mut checked, suite, chain, key, entropy);
        Ok(Self { header_hash: batch.header.header_hash(), batch, checked, bytes })
    }

    /// The signed header.
    pub fn header(&self) -> &SignedBatchHeader {
        &self.batch.header
    }

    /// The records, verbatim.
    pub fn records(&self) -> &[Vec<u8>] {
        &self.batch.records
    }

    /// The records, decoded, in order; bytes that are no record are left out.
    pub fn decoded(&self) -> impl Iterator<Item = &ReceiptRecord> {
        self.checked.iter().filter_map(|checked| checked.decoded.as_ref().ok()).map(|signed| &signed.record)
    }

    /// Hash of the signed header; it identifies the batch.
    pub fn header_hash(&self) -> Hash {
        self.header_hash
    }

    /// Bytes of header and records.
    pub fn byte_size(&self) -> usize {
        self.bytes
    }

    /// Header and records.
    pub fn batch(&self) -> &Batch {
        &self.batch
    }
}

/// Records of another suite than their header's get no verdict: `apply` refuses them for that.
fn verify_signatures(
    checked: &mut [CheckedRecord],
    suite: Suite,
    chain: ChainId,
    key: &dyn Fn(KeyId) -> Option<PublicKey>,
    entropy: [u8; 32],
) {
    let mut positions = Vec::with_capacity(checked.len());
    let mut known_keys = std::collections::HashMap::new();
    let mut signed = Vec::with_capacity(checked.len());
    for (position, record) in checked.iter().enumerate() {
        let Ok(decoded) = &record.decoded else { continue };
        if decoded.record.suite != suite {
            continue;
        }
        let id = decoded.record.signing_key;
        let Some(key) = *known_keys.entry(id).or_insert_with(|| key(id)) else { continue };
        positions.push((position, key));
        signed.push(Signed { key, message: &decoded.record_bytes, signature: decoded.signature });
    }
    let verdicts = suite.verify_many(&signed, Namespace::Receipt, chain, entropy);
    drop(signed);
    for ((position, key), verdict) in positions.into_iter().zip(verdicts) {
        if let Some(record) = checked.get_mut(position) {
            record.verdict = Some((key, verdict));
        }
    }
}

/// Where checked batches may be found again.
pub trait BatchCache {
    /// The checked batch with this header hash.
    fn checked_batch(&self, header_hash: Hash) -> Option<Arc<CheckedBatch>>;
}

/// No cache: everything is checked anew.
pub struct NoCache;

impl BatchCache for NoCache {
    fn checked_batch(&self, _: Hash) -> Option<Arc<CheckedBatch>> {
        None
    }
}

pub(crate) enum CheckedItem {
    Batch(Arc<CheckedBatch>),
    Governance(SignedGovernance),
}

/// A block's content with all its batches checked.
pub struct CheckedBlock {
    pub(crate) content: BlockContent,
    pub(crate) items: Vec<CheckedItem>,
}

impl CheckedBlock {
    /// Checks the batches of a block that came from elsewhere, reusing cached verdicts where the records are the same.
    /// A header with other records than the cached ones is checked anew: its own root decides.
    pub fn check(
        mut content: BlockContent,
        chain: ChainId,
        cache: &dyn BatchCache,
        key: &dyn Fn(KeyId) -> Option<PublicKey>,
        entropy: [u8; 32],
    ) -> Result<Self, BatchFault> {
        let mut items = Vec::with_capacity(content.items.len());
        for item in std::mem::take(&mut content.items) {
            items.push(match item {
                Item::Governance(governance) => CheckedItem::Governance(governance),
                Item::Batch(batch) => {
                    let same = |cached: &Arc<CheckedBatch>| cached.batch == batch;
                    let cached = cache.checked_batch(batch.header.header_hash()).filter(same);
                    CheckedItem::Batch(match cached {
                        Some(cached) => cached,
                        None => Arc::new(CheckedBatch::check(batch, chain, key, entropy)?),
                    })
                }
            });
        }
        Ok(Self { content, items })
    }

    /// Assembles a block of a proposer's own: `content.items` must be empty; batches come from its pool.
    pub fn assemble(content: BlockContent, governance: Vec<SignedGovernance>, batches: Vec<Arc<CheckedBatch>>) -> Self {
        let governance = governance.into_iter().map(CheckedItem::Governance);
        let batches = batches.into_iter().map(CheckedItem::Batch);
        Self { content, items: governance.chain(batches).collect() }
    }

    /// The batches, in order: `apply` has one outcome for each.
    pub fn batches(&self) -> impl Iterator<Item = &CheckedBatch> {
        self.items.iter().filter_map(|item| match item {
            CheckedItem::Batch(batch) => Some(batch.as_ref()),
            CheckedItem::Governance(_) => None,
        })
    }

    /// The content with its items, for encoding.
    pub fn to_content(&self) -> BlockContent {
        let items = self.items.iter().map(|item| match item {
            CheckedItem::Batch(batch) => Item::Batch(batch.batch.clone()),
            CheckedItem::Governance(governance) => Item::Governance(governance.clone()),
        });
        BlockContent { items: items.collect(), ..self.content.clone() }
    }
}
