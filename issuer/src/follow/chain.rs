//! The sealed chain, as rebuilt from what a node sends: log root, seals, checkpoints. Pure.
//!
//! A block is *offered* as decided and becomes *sealed* when a checkpoint that covers it has the quorum and the very root
//! that its entries lead to. Whatever does not fit ends the session with that node; the sealed part is never touched.

use receipt_core::entry::Entry;
use receipt_core::hash::Hash;
use receipt_core::ids::{Height, LeafIndex, TreeSize, UnixMillis};
use receipt_core::merkle::leaf_hash;
use receipt_core::trust::TrustFile;
use tallystick_proto::ledger::v1::LedgerBlock;

use crate::journal::Progress;

/// Blocks held back until a checkpoint covers them. Proposers stop earlier.
const UNSEALED_BLOCKS_MAX: usize = 256;

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

/// Why a block is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// Not the next one.
    #[error("block {given} came instead of block {expected}")]
    Height {
        /// As sent.
        given: u64,
        /// One after the last.
        expected: u64,
    },
    /// Its entries are not the log's next, do not decode, or do not end in the block's own seal.
    #[error("block {height}: {problem}")]
    Entries {
        /// Its height.
        height: u64,
        /// What is wrong.
        problem: &'static str,
    },
    /// The checkpoint is not accepted.
    #[error("block {height}: its checkpoint is not accepted: {problem}")]
    Checkpoint {
        /// Its height.
        height: u64,
        /// Why.
        problem: String,
    },
    /// The checkpoint is under a quorum, but its root is not that of the entries sent.
    #[error("block {height}: its entries do not lead to the checkpoint's root")]
    Root {
        /// Its height.
        height: u64,
    },
    /// Too many blocks without a checkpoint.
    #[error("{0} blocks came without a checkpoint that covers them")]
    Unsealed(usize),
}

/// A block under a quorum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedBlock {
    /// Its height.
    pub height: Height,
    /// Its time.
    pub time: UnixMillis,
    /// Its entries, each with its log leaf; the seal, last, is left out.
    pub entries: Vec<(LeafIndex, Entry)>,
}

/// The chain up to the last offered block.
#[derive(Debug)]
pub struct Chain {
    sealed: Progress,
    ahead: Progress,
    waiting: Vec<SealedBlock>,
}

impl Chain {
    /// From the last sealed block that was acted on.
    pub fn new(progress: Progress) -> Self {
        Self { sealed: progress.clone(), ahead: progress, waiting: Vec::new() }
    }

    /// The height to offer next.
    pub fn next_height(&self) -> u64 {
        self.ahead.height.get().saturating_add(1)
    }

    /// The last sealed height.
    pub fn sealed_height(&self) -> u64 {
        self.sealed.height.get()
    }

    /// Leaves of the sealed log.
    pub fn sealed_size(&self) -> TreeSize {
        self.sealed.frontier.size()
    }

    /// Progress after blocks that `offer` returned; `None` if it returned none.
    pub fn sealed_progress(&self, blocks: &[SealedBlock]) -> Option<&Progress> {
        (!blocks.is_empty()).then_some(&self.sealed)
    }

    /// Blocks were acted on up to this event number.
    pub fn acted(&mut self, event: u64) {
        self.sealed.event = event;
        self.ahead.event = event;
    }

    /// Takes the next decided block. Returns the blocks that are sealed by its checkpoint, oldest first.
    pub fn offer(&mut self, block: &LedgerBlock, judge: &dyn CheckpointJudge) -> Result<Vec<SealedBlock>, ChainError> {
        let expected = self.next_height();
        if block.height != expected {
            return Err(ChainError::Height { given: block.height, expected });
        }
        let decoded = self.extend(block)?;
        self.waiting.push(decoded);
        if block.checkpoint_height == block.height && !block.checkpoint.is_empty() {
            let height = block.height;
            let (size, root) =
                judge.judge(&block.checkpoint).map_err(|problem| ChainError::Checkpoint { height, problem })?;
            if size != self.ahead.frontier.size() || root != self.ahead.frontier.root() {
                return Err(ChainError::Root { height });
            }
            self.sealed = self.ahead.clone();
            return Ok(std::mem::take(&mut self.waiting));
        }
        if self.waiting.len() > UNSEALED_BLOCKS_MAX {
            return Err(ChainError::Unsealed(self.waiting.len()));
        }
        Ok(Vec::new())
    }

    /// Appends the block's entries to the log.
    fn extend(&mut self, block: &LedgerBlock) -> Result<SealedBlock, ChainError> {
        let problem = |problem| ChainError::Entries { height: block.height, problem };
        if block.first_leaf_index != self.ahead.frontier.size().get() {
            return Err(problem("its first leaf is not the log's next"));
        }
        let mut frontier = self.ahead.frontier.clone();
        let mut entries = Vec::with_capacity(block.entries.len());
        for bytes in &block.entries {
            let leaf = frontier.append(leaf_hash(bytes), |_, _| ()).map_err(|_| problem("the log is full"))?;
            entries.push((leaf, Entry::decode(bytes).map_err(|_| problem("an entry is not canonical"))?));
        }
        let Some((_, Entry::Seal(seal))) = entries.pop() else {
            return Err(problem("its last entry is not a seal"));
        };
        if seal.height.get() != block.height || seal.parent_seal_hash != self.ahead.seal_hash {
            return Err(problem("its seal is not the next of the chain"));
        }
        if entries.iter().any(|(_, entry)| matches!(entry, Entry::Seal(_))) {
            return Err(problem("it has two seals"));
        }
        let (height, time) = (seal.height, seal.time);
        self.ahead = Progress { height, time, seal_hash: seal.hash(), event: self.ahead.event, frontier };
        Ok(SealedBlock { height, time, entries })
    }
}
