//! Batches whose rows cannot be read any more, learnt from the ledger again: what it has decided stands there for good.
//!
//! ```text
//! a row that cannot be read ─▶ its outcome: block and leaf ─▶ a node's block, with its records ─┐
//! the row, written anew ◀─ the records lead to the header's root ◀─ the entry is under a quorum's checkpoint, and speaks of this batch
//! ```
//! Nothing is believed that is not so proved; another node is asked where it is not. Each row is a write of its own: what was interrupted is done
//! by doing it again. Not here: batches that are not decided (`recover` takes them apart), records and where they went (whoever has their
//! acknowledgements).

use receipt_core::batch::SignedBatchHeader;
use receipt_core::block::{Block, Item};
use receipt_core::entry::Entry;
use receipt_core::hash::Hash;
use receipt_core::ids::{BatchSequence, RecordKey};
use receipt_core::merkle::{InnerTree, leaf_hash, verify_inclusion};
use receipt_core::record::SignedRecord;
use tallystick_proto::ledger::v1::{GetInclusionProofRequest, LedgerBlock, StreamBlocksRequest};
use tallystick_service::said::said;
use tonic::Status;

use crate::journal::{BatchOutcome, BatchRow, Durability, Journal, JournalError};
use crate::nodes::{LedgerClient, Nodes};
use crate::owner::Owner;
use crate::trust::FollowedTrust;

#[cfg(test)]
mod tests;

/// What became of the rows that could not be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Relearnt {
    /// Batches whose rows are whole again.
    pub batches: Vec<BatchSequence>,
    /// Those whose rows are not, and why.
    pub left: Vec<(BatchSequence, String)>,
}

/// Learns the batches of one journal again. Alone with it.
pub struct Relearner<'a> {
    /// The journal.
    pub journal: &'a Journal,
    /// Whose records they are.
    pub owner: &'a dyn Owner,
    /// The nodes to ask.
    pub nodes: &'a Nodes,
    /// Whose checkpoints count.
    pub trust: &'a FollowedTrust,
}

/// A batch as the ledger has it.
struct Learnt {
    header: SignedBatchHeader,
    records: Vec<Vec<u8>>,
}

impl Relearner<'_> {
    /// Looks at the row of each batch, and learns those again that cannot be read.
    pub async fn run(&self) -> Result<Relearnt, JournalError> {
        let mut relearnt = Relearnt::default();
        for sequence in 1..self.journal.next_sequence()?.get() {
            let sequence = BatchSequence::new(sequence);
            if self.is_whole(sequence)? {
                continue;
            }
            match self.learn(sequence).await? {
                Ok(()) => relearnt.batches.push(sequence),
                Err(problem) => relearnt.left.push((sequence, problem)),
            }
        }
        Ok(relearnt)
    }

    fn is_whole(&self, sequence: BatchSequence) -> Result<bool, JournalError> {
        let looked = self.journal.batch(sequence).and_then(|row| {
            let Some(row) = row else { return Ok(false) };
            row.keys()?;
            Ok(SignedBatchHeader::decode(&row.signed_header).is_ok())
        });
        match looked {
            Err(error) if error.is_damage() => Ok(false),
            looked => looked,
        }
    }

    async fn learn(&self, sequence: BatchSequence) -> Result<Result<(), String>, JournalError> {
        let outcome = match self.journal.outcome(sequence) {
            Err(error) if error.is_damage() => return Ok(Err(error.to_string())),
            outcome => outcome?,
        };
        let Some(outcome) = outcome else {
            return Ok(Err("it is not decided on the ledger, as far as this journal has followed it".to_owned()));
        };
        let (learnt, node) = match self.nodes.ask(|client| self.fetch(client, sequence, outcome)).await {
            Ok(learnt) => learnt,
            Err(status) => return Ok(Err(format!("no node has it: {}", said(&status)))),
        };
        self.write(&learnt, outcome)?;
        tracing::info!(%sequence, node = node.name, "a batch was learnt from the ledger again");
        Ok(Ok(()))
    }

    /// The batch, proved to be the one that was decided.
    async fn fetch(
        &self,
        mut client: LedgerClient,
        sequence: BatchSequence,
        outcome: BatchOutcome,
    ) -> Result<Learnt, Status> {
        let height = outcome.height.get();
        let request = StreamBlocksRequest { from_height: height, with_records: true, follow: false };
        let block = client.stream_blocks(request).await?.into_inner().message().await?;
        let block = block.filter(|block| block.height == height);
        let block = block.ok_or_else(|| unproved("the block is missing"))?;
        let (entry, learnt) = self.of_block(&block, sequence, outcome).map_err(unproved)?;

        let request = GetInclusionProofRequest { leaf_index: outcome.leaf_index.get(), tree_size: 0 };
        let inclusion = client.get_inclusion_proof(request).await?.into_inner();
        let trusted = self.trust.verify_checkpoint(&inclusion.checkpoint).map_err(unproved)?;
        let path = inclusion.path.iter().map(|hash| Hash::from_slice(hash)).collect::<Option<Vec<_>>>();
        let path = path.ok_or_else(|| unproved("a hash of another length"))?;
        let suite = self.journal.identity().suite;
        let leaf = leaf_hash(suite, &entry);
        verify_inclusion(suite, &leaf, outcome.leaf_index, trusted.size, &path, &trusted.root).map_err(unproved)?;
        Ok(learnt)
    }

    /// The entry at the outcome's leaf, and the batch that it speaks of.
    fn of_block(
        &self,
        block: &LedgerBlock,
        sequence: BatchSequence,
        outcome: BatchOutcome,
    ) -> Result<(Vec<u8>, Learnt), &'static str> {
        let at = outcome.leaf_index.get().checked_sub(block.first_leaf_index);
        let at = at.and_then(|at| usize::try_from(at).ok());
        let entry = at.and_then(|at| block.entries.get(at)).ok_or("the block has no such leaf")?;
        let own = self.journal.identity().issuer;
        let hash = match Entry::decode(entry).map_err(|_| "an entry is not canonical")? {
            Entry::BatchHeader(signed) if !outcome.refused => {
                let is_own = (signed.header.issuer, signed.header.sequence) == (own, sequence);
                is_own.then(|| signed.header_hash())
            }
            Entry::BatchRefused(refused) if outcome.refused => {
                ((refused.issuer, refused.sequence) == (own, sequence)).then_some(refused.header_hash)
            }
            _ => None,
        };
        let hash = hash.ok_or("the leaf speaks of something else")?;
        let decoded = Block::decode(&block.block).map_err(|_| "the block came without its records")?;
        let mut batches = decoded.content.items.into_iter().filter_map(|item| match item {
            Item::Batch(batch) => Some(batch),
            Item::Governance(_) => None,
        });
        let batch = batches.find(|batch| batch.header.header_hash() == hash).ok_or("the batch is missing")?;
        let tree = InnerTree::from_leaves(batch.header.header.suite, &batch.records);
        if batch.header.header.count as usize != batch.records.len()
            || !tree.is_ok_and(|tree| tree.root() == batch.header.header.root)
        {
            return Err("the records of the batch do not lead to its header's root");
        }
        Ok((entry.to_vec(), Learnt { header: batch.header, records: batch.records }))
    }

    fn write(&self, learnt: &Learnt, outcome: BatchOutcome) -> Result<(), JournalError> {
        let mut row = BatchRow { signed_header: learnt.header.encode(), ..BatchRow::default() };
        let decoded: Result<Vec<_>, _> = learnt.records.iter().map(|bytes| SignedRecord::decode(bytes)).collect();
        // The row of a refused batch names its records only if all of them are in this journal, as `recover` writes it.
        if let Ok(decoded) = decoded
            && (!outcome.refused || self.are_here(&decoded, &learnt.records)?)
        {
            row.note = self.owner.note(&decoded)?;
            decoded.iter().for_each(|signed| row.push_key(signed.record.key.into()));
        }
        let mut write = self.journal.write();
        write.put_batch(learnt.header.header.sequence, self.journal.next_sequence()?, &row);
        write.commit(Durability::Synced)
    }

    fn are_here(&self, decoded: &[SignedRecord], records: &[Vec<u8>]) -> Result<bool, JournalError> {
        let keys: Vec<RecordKey> = decoded.iter().map(|signed| signed.record.key.into()).collect();
        let here = self.journal.each_signed_record(&keys)?;
        // A record that cannot be read counts as this one: its caller can hand back no other under its number.
        Ok(here.iter().zip(records).all(|((_, read), bytes)| match read {
            Ok((here, _)) => here == bytes,
            Err(JournalError::Unreadable(_)) => true,
            Err(_) => false,
        }))
    }
}

/// A node's answer that does not hold: another one may do better.
fn unproved(problem: impl std::fmt::Display) -> Status {
    Status::data_loss(problem.to_string())
}
