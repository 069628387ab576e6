//! `recover`: brings a journal that may not issue up to the ledger, and lets it go on under a new epoch.
//!
//! ```text
//! take back undecided batches ─▶ follow the ledger with its records ─▶ adopt batches of ours that are not here ─┐
//!        ┌───────────────────── the fence: burn what was leased, take the new epoch ◀───── governance ◀─────────┤
//!        └▶ clean the queues, end the halt                                             caught up, no fence yet: plan
//! ```
//! Run twice: the first run learns all that the ledger knows and says which governance is needed; the second, after it, ends
//! the halt. Only a fence *after* the first run counts, that names this journal: under an earlier one the lost journal may have issued, under
//! another's a copy of it issues. What it may have
//! given out and the ledger does not know is burnt whole by the owner: whatever was leased before the fence. Each step is one or two
//! journal writes and may be repeated after a crash.
//!
//! Invariants: nothing is believed that a quorum's checkpoint does not cover; no header is signed here. Not here: what the records mean
//! (their owner), the command line.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use receipt_core::batch::SignedBatchHeader;
use receipt_core::block::{Block, Item};
use receipt_core::entry::Entry;
use receipt_core::hash::Hash;
use receipt_core::ids::TreeSize;
use receipt_core::merkle::InnerTree;
use receipt_core::state::ChainParameters;
use tallystick_proto::ledger::v1::LedgerBlock;
use tallystick_service::rng::{Entropy, EntropyError, random_array};

use crate::desk::Desk;
use crate::follow::{Chain, HeldLimits, Mode, OutcomeError, Outcomes, ProofWanted, SealedBlock};
use crate::guard::{Guard, GuardError, begin_anew};
use crate::journal::{BatchRow, Durability, JournalError, Placement};
use crate::judge::CheckpointJudge;
use crate::own_fault::OwnFault;
use crate::owner::OwnBatch;

mod session;

#[cfg(test)]
mod tests;

pub use session::Session;

/// Why recovery cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// The journal failed.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The guard file failed.
    #[error(transparent)]
    Guard(#[from] GuardError),
    /// The operating system gave no randomness.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// The journal is not halted.
    #[error("this journal is not halted: there is nothing to recover; start it with `run`")]
    NotHalted,
    /// The node's block does not hold: another node may do better.
    #[error("{0}")]
    Node(String),
    /// The blocks are under a quorum, and do not go with what this process has: no other node can do better.
    #[error(transparent)]
    Own(#[from] OwnFault),
    /// The ledger has other batches of this submitter than this journal, which says so and stays halted.
    #[error("{0}")]
    Halted(String),
    /// Batches between the journal and what the ledger shows next are missing.
    #[error(
        "the ledger has batch {found} of this issuer next, this journal knows those before {expected}: it was followed past \
         the gap; restore a backup from before it, or make an empty journal with `init`, and recover that"
    )]
    Gap {
        /// The next that this journal lacks.
        expected: u64,
        /// The next on the ledger.
        found: u64,
    },
}

impl From<OutcomeError> for RecoverError {
    fn from(error: OutcomeError) -> Self {
        match error {
            OutcomeError::Journal(error) => Self::Journal(error),
            OutcomeError::Own(fault) => Self::Own(fault),
            OutcomeError::Halted(problem) => Self::Halted(problem),
        }
    }
}

/// How recovery stands after catching up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecoveryState {
    /// The ledger must fence the lost journal, and name this one: raise the issuer's epoch above this one.
    AwaitsFence {
        /// The epoch on the ledger now.
        epoch: u32,
    },
    /// The journal may issue again.
    Recovered {
        /// The epoch in which it signs now.
        epoch: u32,
        /// Its records that wait for a batch.
        waiting: u64,
    },
}

/// A recovery under way. One process, alone with the journal.
#[derive(Debug)]
pub struct Recovery {
    desk: Desk,
    outcomes: Outcomes,
    chain: Chain,
    /// Batches of ours in blocks that are not sealed yet, by height.
    ahead: BTreeMap<u64, Vec<OwnBatch>>,
    adopted_batches: u64,
    adopted_records: u64,
}

impl Recovery {
    /// Takes undecided batches back: their headers are of an epoch that is over.
    pub fn begin(desk: Desk, parameters: ChainParameters) -> Result<Self, RecoverError> {
        let journal = &desk.journal;
        if journal.halted()?.is_none() {
            return Err(RecoverError::NotHalted);
        }
        let undecided = journal.undecided()?;
        let mut write = journal.write();
        for sequence in undecided.iter().rev() {
            let row = journal.batch(*sequence)?.ok_or(JournalError::Corrupt("an undecided batch is missing"))?;
            for (index, key) in (0_u16..).zip(row.keys()?) {
                write.delete_placement(key);
                write.put_requeue(*sequence, index, key);
            }
            write.delete_batch(*sequence, *sequence);
        }
        write.commit(Durability::Synced)?;
        let chain = Chain::new(journal.followed_tip()?, HeldLimits::default());
        let outcomes = Outcomes::new(desk.clone(), parameters, Mode::Recovering);
        Ok(Self { desk, outcomes, chain, ahead: BTreeMap::new(), adopted_batches: 0, adopted_records: 0 })
    }

    /// Forgets blocks that are not sealed yet: another node is asked.
    pub fn rewind(&mut self) -> Result<(), JournalError> {
        self.chain = Chain::new(self.desk.journal.followed_tip()?, HeldLimits::default());
        self.ahead.clear();
        Ok(())
    }

    /// The height to offer next.
    pub fn next_height(&self) -> u64 {
        self.chain.next_height()
    }

    /// Leaves of the sealed log that was followed.
    pub fn sealed_size(&self) -> TreeSize {
        self.chain.sealed_size()
    }

    /// Batches and records that were learnt from the ledger in this run.
    pub fn adopted(&self) -> (u64, u64) {
        (self.adopted_batches, self.adopted_records)
    }

    /// Takes the next decided block, with its records, and acts on what it seals.
    pub fn offer(&mut self, block: &LedgerBlock, judge: &dyn CheckpointJudge) -> Result<(), RecoverError> {
        let sealed = self.chain.offer(block, judge).map_err(|error| RecoverError::Node(error.to_string()))?;
        let own = self.own_batches(block)?;
        if !own.is_empty() {
            self.ahead.insert(block.height, own);
        }
        self.act(&sealed)
    }

    /// What the node has to prove before more blocks are offered: see [`Chain::proof_wanted`].
    pub fn proof_wanted(&self) -> Option<ProofWanted> {
        self.chain.proof_wanted()
    }

    /// Takes that proof, and acts on what it seals.
    pub fn prove(&mut self, path: &[Hash]) -> Result<(), RecoverError> {
        let sealed = self.chain.prove(path).map_err(|error| RecoverError::Node(error.to_string()))?;
        self.act(&sealed)
    }

    fn act(&mut self, sealed: &[SealedBlock]) -> Result<(), RecoverError> {
        let Some(tip) = self.chain.sealed_tip(sealed).cloned() else { return Ok(()) };
        for block in sealed {
            for batch in self.ahead.remove(&block.height.get()).unwrap_or_default() {
                self.take_in(&batch)?;
            }
        }
        let acted = self.outcomes.act(sealed, &tip)?;
        self.chain.acted(acted.event);
        self.outcomes.wake(&acted);
        Ok(())
    }

    fn take_in(&mut self, batch: &OwnBatch) -> Result<(), RecoverError> {
        let sequence = batch.header.header.sequence;
        if let Some(row) = self.desk.journal.batch(sequence)?
            && row.signed_header == batch.header.encode()
        {
            return Ok(());
        }
        let expected = self.desk.journal.next_sequence()?;
        if sequence != expected {
            return Err(RecoverError::Gap { expected: expected.get(), found: sequence.get() });
        }
        let new = self.adopt(batch)?;
        if new > 0 {
            tracing::warn!(%sequence, records = new, "learnt a batch of the lost journal from the ledger");
        }
        self.adopted_batches += u64::from(new > 0);
        self.adopted_records += new;
        Ok(())
    }

    /// Takes a batch into the journal as if it had been cut here. Returns how many of its records were not known. Repeating it changes
    /// nothing.
    fn adopt(&self, batch: &OwnBatch) -> Result<u64, JournalError> {
        let (journal, header) = (&self.desk.journal, &batch.header.header);
        let sequence = header.sequence;
        let next = sequence.next().ok_or(JournalError::Corrupt("batch sequence"))?;
        let mut write = journal.write();
        let adopted = self.desk.owner.adopt(&mut write, batch)?;
        let mut row = BatchRow { signed_header: batch.header.encode(), note: adopted.note, ..BatchRow::default() };
        for (index, key) in (0_u16..).zip(adopted.keys) {
            if batch.refusal.is_none() {
                write.put_placement(key, Placement::Batched { sequence, index });
            }
            row.push_key(key);
        }
        write.put_batch(sequence, next, &row);
        write.put_last_issue_time(header.last_issue_time.max(journal.last_issue_time()?));
        write.commit(Durability::Synced)?;
        Ok(adopted.new)
    }

    /// Batches of this issuer in a block, each with records that its header commits to.
    fn own_batches(&self, block: &LedgerBlock) -> Result<Vec<OwnBatch>, RecoverError> {
        let issuer = self.desk.journal.identity().issuer;
        let problem = |what: &str| RecoverError::Node(format!("block {}: {what}", block.height));
        let mut wanted = Vec::new();
        for bytes in &block.entries {
            match Entry::decode(bytes).map_err(|_| problem("an entry is not canonical"))? {
                Entry::BatchHeader(header) if header.header.issuer == issuer => {
                    wanted.push((header.header_hash(), None));
                }
                Entry::BatchRefused(refused) if refused.issuer == issuer => {
                    wanted.push((refused.header_hash, Some(refused)));
                }
                _ => {}
            }
        }
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let decoded = Block::decode(&block.block).map_err(|_| problem("it came without its records"))?;
        let mut batches: BTreeMap<_, _> = BTreeMap::new();
        for item in decoded.content.items {
            if let Item::Batch(batch) = item {
                batches.insert(batch.header.header_hash(), batch);
            }
        }
        let own = wanted.into_iter().map(|(hash, refusal)| {
            let batch = batches.remove(&hash).ok_or_else(|| problem("a batch of its entries is missing"))?;
            if !commits_to(&batch.header, &batch.records) {
                return Err(problem("the records of a batch do not lead to its header's root"));
            }
            Ok(OwnBatch { header: batch.header, records: batch.records, refusal })
        });
        own.collect()
    }

    /// After catching up: ends the halt, if the ledger has fenced the lost journal since the first run. The guard (at `path`)
    /// learns first that every other copy is behind. What the fence must name is drawn by the first run.
    pub fn finish(
        &self,
        guard: Option<Guard>,
        path: &Path,
        entropy: &dyn Entropy,
    ) -> Result<RecoveryState, RecoverError> {
        let journal = &self.desk.journal;
        let epoch = journal.epoch()?;
        let Some(above) = journal.fence_above()? else {
            let mut write = journal.write();
            write.put_fence_above(epoch);
            write.put_fence_id(random_array(entropy)?);
            write.commit(Durability::Synced)?;
            return Ok(RecoveryState::AwaitsFence { epoch });
        };
        if epoch <= above {
            return Ok(RecoveryState::AwaitsFence { epoch });
        }
        let mut write = journal.write();
        let mut waiting = HashSet::new();
        // Remove from the queues what the ledger has decided, and the second row of what waits twice.
        for (sequence, index, key) in journal.requeued(usize::MAX)? {
            if journal.placement(key)?.is_some() || !waiting.insert(key) {
                write.delete_requeue(sequence, index);
            }
        }
        for (position, key) in journal.outbox(0, usize::MAX)? {
            if journal.placement(key)?.is_some() || !waiting.insert(key) {
                write.delete_outbox(position);
            }
        }
        write.put_step(begin_anew(guard, journal, path)?);
        write.delete_halted();
        write.commit(Durability::Synced)?;
        Ok(RecoveryState::Recovered { epoch, waiting: waiting.len() as u64 })
    }
}

fn commits_to(header: &SignedBatchHeader, records: &[Vec<u8>]) -> bool {
    let tree = InnerTree::from_leaves(header.header.suite, records);
    header.header.count as usize == records.len() && tree.is_ok_and(|tree| tree.root() == header.header.root)
}
