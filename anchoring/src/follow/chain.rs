//! The sealed chain, as rebuilt from what a node sends: log root, seals, checkpoints. Pure.
//!
//! A block is *offered* as decided and becomes *sealed* when a checkpoint that covers it has the quorum and the very root
//! that its entries lead to. Whatever does not fit ends the session with that node; the sealed part is never touched.
//!
//! Heights need no checkpoint of their own: each block names the next one that there is. Its quorum is judged once, and the
//! blocks up to it are held back until the entries reach its size. A gap of any length is crossed in bounded memory: when
//! too much is held back, the node is asked to prove that the log so far is a beginning of that checkpoint's.

use receipt_core::entry::Entry;
use receipt_core::hash::Hash;
use receipt_core::ids::{Height, LeafIndex, TreeSize, UnixMillis};
use receipt_core::merkle::verify_consistency;
use receipt_core::note::PosixSeconds;
use receipt_core::trust::SetEnd;
use tallystick_proto::ledger::v1::LedgerBlock;

use crate::journal::FollowedTip;
use crate::judge::{CheckpointError, CheckpointJudge};
use crate::trust::Handover;

/// Entries held back until a checkpoint covers them; then a proof is wanted.
const HELD_ENTRIES_MAX: usize = 16_384;
/// Bytes of those entries.
const HELD_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Why a block is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// The block is not the next one.
    #[error("block {given} came instead of block {expected}")]
    Height {
        /// The height that the node sent.
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
    #[error("block {height}: its checkpoint is not accepted: {source}")]
    Checkpoint {
        /// Its height.
        height: u64,
        /// What is wrong.
        source: CheckpointError,
    },
    /// The checkpoint is under a quorum, but its root is not that of the entries sent.
    #[error("block {height}: its entries do not lead to the checkpoint's root")]
    Root {
        /// Its height.
        height: u64,
    },
    /// The log so far is not proved to be a beginning of the checkpoint's.
    #[error("block {height}: the log up to it is not proved to be under the checkpoint ahead: {problem}")]
    Proof {
        /// The last block offered.
        height: u64,
        /// What is wrong.
        problem: String,
    },
    /// More than may be held back, and no checkpoint ahead of it.
    #[error("{entries} entries came up to block {height} and no checkpoint that covers them")]
    Unsealed {
        /// The block.
        height: u64,
        /// Number of entries.
        entries: usize,
    },
}

/// Two sizes of the log: that the first is a beginning of the second is to be proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProofWanted {
    /// What the entries lead to.
    pub first: TreeSize,
    /// What a quorum has signed.
    pub second: TreeSize,
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
    /// The validator set that its seal hands over to.
    pub handover: Option<Handover>,
}

/// A checkpoint under a quorum, not yet reached.
#[derive(Debug)]
struct Covering {
    /// As the node named it; whether it is so, the size tells.
    height: u64,
    size: TreeSize,
    root: Hash,
}

/// Blocks whose checkpoint is still ahead.
#[derive(Debug, Default)]
struct Held {
    blocks: Vec<SealedBlock>,
    entries: usize,
    bytes: usize,
}

impl Held {
    fn is_full(&self, limits: HeldLimits) -> bool {
        self.entries >= limits.entries || self.bytes >= limits.bytes
    }
}

/// How much may be held back. One block may go beyond it.
#[derive(Debug, Clone, Copy)]
pub struct HeldLimits {
    /// Entries held until a checkpoint covers them.
    pub entries: usize,
    /// Bytes of those entries.
    pub bytes: usize,
}

impl Default for HeldLimits {
    fn default() -> Self {
        Self { entries: HELD_ENTRIES_MAX, bytes: HELD_BYTES_MAX }
    }
}

/// The chain up to the last offered block.
#[derive(Debug)]
pub struct Chain {
    sealed: FollowedTip,
    ahead: FollowedTip,
    held: Held,
    covering: Option<Covering>,
    limits: HeldLimits,
}

impl Chain {
    /// From the last sealed block that was acted on.
    pub fn new(tip: FollowedTip, limits: HeldLimits) -> Self {
        Self { sealed: tip.clone(), ahead: tip, held: Held::default(), covering: None, limits }
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

    /// The tip after blocks that `offer` returned; `None` if it returned none.
    pub fn sealed_tip(&self, blocks: &[SealedBlock]) -> Option<&FollowedTip> {
        (!blocks.is_empty()).then_some(&self.sealed)
    }

    /// Blocks were acted on up to this event number.
    pub fn acted(&mut self, event: u64) {
        self.sealed.event = event;
        self.ahead.event = event;
    }

    /// Takes the next decided block. Returns the blocks that are sealed by its checkpoint, oldest first. Where a proof is
    /// wanted, it comes before the next block.
    pub fn offer(&mut self, block: &LedgerBlock, judge: &dyn CheckpointJudge) -> Result<Vec<SealedBlock>, ChainError> {
        let expected = self.next_height();
        if block.height != expected {
            return Err(ChainError::Height { given: block.height, expected });
        }
        if self.held.is_full(self.limits) {
            return Err(ChainError::Unsealed { height: self.ahead.height.get(), entries: self.held.entries });
        }
        let decoded = self.extend(block)?;
        self.held.entries += block.entries.len();
        self.held.bytes += block.entries.iter().map(bytes::Bytes::len).sum::<usize>();
        self.held.blocks.push(decoded);
        self.accept_checkpoint(block, judge)?;
        let Some(covering) = &self.covering else { return Ok(Vec::new()) };
        let frontier = &self.ahead.frontier;
        if block.height < covering.height && frontier.size() < covering.size {
            return Ok(Vec::new());
        }
        if frontier.size() != covering.size || frontier.root() != covering.root {
            return Err(ChainError::Root { height: block.height });
        }
        self.covering = None;
        Ok(self.seal())
    }

    /// Judges the checkpoint that a block names, if it is nearer than the one that is known.
    fn accept_checkpoint(&mut self, block: &LedgerBlock, judge: &dyn CheckpointJudge) -> Result<(), ChainError> {
        let height = block.checkpoint_height;
        let nearer = self.covering.as_ref().is_none_or(|known| height < known.height);
        if block.checkpoint.is_empty() || height < block.height || !nearer {
            return Ok(());
        }
        let (size, root) =
            judge.judge(&block.checkpoint).map_err(|source| ChainError::Checkpoint { height: block.height, source })?;
        self.covering = Some(Covering { height, size, root });
        Ok(())
    }

    /// What has to be proved before the next block is offered.
    pub fn proof_wanted(&self) -> Option<ProofWanted> {
        let covering = self.covering.as_ref().filter(|_| self.held.is_full(self.limits))?;
        Some(ProofWanted { first: self.ahead.frontier.size(), second: covering.size })
    }

    /// Takes the proof that is wanted. Returns the blocks that it seals, oldest first.
    pub fn prove(&mut self, path: &[Hash]) -> Result<Vec<SealedBlock>, ChainError> {
        let Some(covering) = &self.covering else { return Ok(Vec::new()) };
        let frontier = &self.ahead.frontier;
        verify_consistency(frontier.suite(), frontier.size(), &frontier.root(), covering.size, &covering.root, path)
            .map_err(|error| ChainError::Proof { height: self.ahead.height.get(), problem: error.to_string() })?;
        Ok(self.seal())
    }

    fn seal(&mut self) -> Vec<SealedBlock> {
        self.sealed = self.ahead.clone();
        std::mem::take(&mut self.held).blocks
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
            let leaf = frontier.append(bytes, |_, _| ()).map_err(|_| problem("the log is full"))?;
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
        let end = SetEnd { last_size: frontier.size(), until: PosixSeconds::new(seal.time.seconds()) };
        let set_hash = seal.next_validator_set_hash;
        let handover = (set_hash != seal.validator_set_hash).then_some(Handover { set_hash, end });
        self.ahead = FollowedTip { height, time, seal_hash: seal.hash(), event: self.ahead.event, frontier };
        Ok(SealedBlock { height, time, entries, handover })
    }
}
