//! The guard: what this validator has signed, on disk before anything leaves.
//!
//! It stands outside RocksDB and outside backups, so that neither a damaged write-ahead log nor a restored machine makes an
//! honest validator sign twice, or forget what it is locked on. It needs nothing of the engine's memory: `answer` has
//! the rules.
//!
//! One file of two slots, written in turn; the newer one with a good checksum counts. A power cut can tear the slot being
//! written, never the one before it.
//! ```text
//! slot (64 KiB):  "TALLYGRD" ‖ format u32 (2) ‖ chain id [32] ‖ counter u64 ‖ length u32 ‖ payload ‖ SHA-256 of all before
//! payload:        cosigned size u64 ‖ root [32] ‖ height u64 ‖ round floor u32 ‖ amended u8
//!                 ‖ lock: round + 1 u32 (0: none) ‖ block id [32] ‖ count u32 ‖ votes…
//! vote:           kind u8 (0 proposal, 1 prevote, 2 precommit) ‖ round u32 ‖ pol round + 1 u32 (0: none)
//!                 ‖ present u8 (0: nil) ‖ block id [32] ‖ signature [64]
//! ```
//! Invariants: height and cosigned size never fall; of one (height, round, kind) one statement is ever signed; of one size one
//! root. Votes of rounds below the floor were dropped to make room: nothing is signed there any more. The lock is never dropped.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use receipt_core::hash::Hash;
use receipt_core::ids::TreeSize;
use receipt_core::suite::ChainId;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use tallystick_engine::{BlockId, LoggedStatement, StatementKind};
use tallystick_service::disk_fault::DiskFault;
use tallystick_service::durable::{self, FileMode};

mod answer;
mod signer;
mod slot;

use answer::{Answer, Grounds};
pub use signer::GuardedSigner;
use slot::{Ballot, Contents, Kind, SLOT_BYTES, SlotFault, Vote};

/// Why the guard does not open, or does not let something be signed.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// The file can not be read or written. Fatal.
    #[error("guard file {path}: {source}{way}", way = way_of(.source))]
    Io {
        /// The file.
        path: String,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// No slot has a good checksum, or the file is another chain's or another format's.
    #[error(
        "guard file {path}: {problem}. Keep it, and make no other one: a validator without its memory must not vote"
    )]
    Unreadable {
        /// The file.
        path: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// Another process has it open, or it is another configuration's too. Two that sign by one file sign twice.
    #[error("guard file {path} is in use by another process: stop that one, or correct guard_file")]
    InUse {
        /// The file.
        path: String,
    },
    /// It would be a second history.
    #[error("refused to sign: {0}")]
    Conflict(String),
}

/// What an operator does about the system's answer, if it says: a missing guard is no matter of the disk.
fn way_of(error: &std::io::Error) -> String {
    let way = DiskFault::of_io(error).and_then(DiskFault::way);
    way.map_or(String::new(), |way| format!(". What to do: {way}"))
}

/// What a guard remembers, for who looks at a stopped node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GuardSummary {
    /// The height of the last vote; 0 before the first.
    pub height: u64,
    /// The newest round voted in at this height.
    pub round: Option<u32>,
    /// The block that was precommitted last at this height, and its round.
    pub lock: Option<(u32, BlockId)>,
    /// The last cosigned size.
    pub cosigned_size: TreeSize,
}

/// What this validator proposed in a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proposed {
    /// No proposal in this round.
    Nothing,
    /// This block, for the first time.
    Block(BlockId),
    /// A block again, by a proof of lock that only the engine can have.
    Again,
    /// The round's votes were dropped to make room.
    Forgotten,
}

/// The guard of one validator.
pub struct Guard {
    path: PathBuf,
    chain: ChainId,
    state: Mutex<State>,
}

struct State {
    file: File,
    counter: u64,
    contents: Contents,
}

impl Guard {
    /// Creates the file; refuses if it exists. A crash leaves none or a whole one: a file that is no guard could not be told
    /// from a damaged one, and nobody may replace that.
    pub fn create(path: &Path, chain: ChainId) -> Result<(), GuardError> {
        let io = |path: &Path, source| GuardError::Io { path: path.display().to_string(), source };
        if let Some(parent) = path.parent() {
            durable::private_directory(parent).map_err(|error| io(&error.path, error.source))?;
        }
        let mut bytes = Contents::default().encode_slot(chain, 1);
        bytes.resize(2 * SLOT_BYTES, 0);
        durable::create(path, &bytes, FileMode::Private).map_err(|error| io(&error.path, error.source))
    }

    /// Opens the file of this chain, for this process alone.
    pub fn open(path: &Path, chain: ChainId) -> Result<Self, GuardError> {
        let shown = path.display().to_string();
        let io = |source| GuardError::Io { path: shown.clone(), source };
        let file = OpenOptions::new().read(true).write(true).open(path).map_err(io)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Self::read(path, chain, file),
            Err(Errno::WOULDBLOCK) => Err(GuardError::InUse { path: shown }),
            Err(error) => Err(io(error.into())),
        }
    }

    fn read(path: &Path, chain: ChainId, mut file: File) -> Result<Self, GuardError> {
        let shown = path.display().to_string();
        let io = |source| GuardError::Io { path: shown.clone(), source };
        let mut bytes = Vec::new();
        Read::by_ref(&mut file).take(2 * SLOT_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(io)?;
        let unreadable = |problem| GuardError::Unreadable { path: shown.clone(), problem };
        let slots: Vec<_> = bytes.chunks(SLOT_BYTES).map(Contents::decode_slot).collect();
        if slots.iter().any(|slot| matches!(slot, Err(SlotFault::Version))) {
            return Err(unreadable("it was written by a version of this program with another format"));
        }
        if bytes.chunks(SLOT_BYTES).zip(&slots).any(|(bytes, slot)| is_damaged(bytes, slot)) {
            // If a power cut tore this slot while it was written, no vote of it has left this node. Otherwise the disk may have lost a vote,
            // and the warning says so.
            tracing::warn!(path = shown, "a slot of the guard file is damaged; the other one counts");
        }
        let newest = slots.into_iter().flatten().max_by_key(|(_, counter, _)| *counter);
        let (found, counter, contents) = newest.ok_or_else(|| unreadable("no slot has a good checksum"))?;
        if found != chain {
            return Err(unreadable("it belongs to another chain"));
        }
        Ok(Self { path: path.to_owned(), chain, state: Mutex::new(State { file, counter, contents }) })
    }

    /// The height of the last vote, and the last cosigned size.
    pub fn position(&self) -> (u64, TreeSize) {
        let summary = self.summary();
        (summary.height, summary.cosigned_size)
    }

    /// What it remembers, for display.
    pub fn summary(&self) -> GuardSummary {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let contents = &state.contents;
        GuardSummary {
            height: contents.height,
            round: contents.newest_vote().map(|(round, _)| round),
            lock: contents.lock.map(|lock| (lock.round, lock.block_id)),
            cosigned_size: TreeSize::new(contents.cosigned_size),
        }
    }

    /// Whether the engine got another statement at this height than it asked for. Then its log cannot be replayed: the
    /// engine would not find the same statements again, and stop.
    pub fn is_amended_at(&self, height: u64) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.contents.height == height && state.contents.amended
    }

    /// Whether it has this statement of its own validator, or may have forgotten it because it can be made no more. `false`:
    /// this guard is not the one that was there when it was signed.
    pub fn covers(&self, said: &LoggedStatement) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let contents = &state.contents;
        if said.slot.height != contents.height {
            return said.slot.height < contents.height;
        }
        let kind = match said.kind {
            StatementKind::Proposal => Kind::Proposal,
            StatementKind::Prevote => Kind::Prevote,
            StatementKind::Precommit => Kind::Precommit,
        };
        let known = contents.vote(kind, said.slot.round);
        known.map_or(said.slot.round < contents.round_floor, |vote| vote.ballot.block_id == said.block_id)
    }

    /// What this validator proposed in a round.
    pub fn proposed_at(&self, height: u64, round: u32) -> Proposed {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let contents = &state.contents;
        if contents.height != height {
            return Proposed::Nothing;
        }
        match contents.vote(Kind::Proposal, round).map(|vote| vote.ballot) {
            Some(Ballot { block_id: Some(block_id), pol_round: None, .. }) => Proposed::Block(block_id),
            Some(_) => Proposed::Again,
            None if round < contents.round_floor => Proposed::Forgotten,
            None => Proposed::Nothing,
        }
    }

    pub(super) fn chain(&self) -> ChainId {
        self.chain
    }

    /// Remembers, durably, that this checkpoint is being signed. Refuses a smaller tree, or another root of the same size.
    pub fn permit_checkpoint(&self, size: TreeSize, root: Hash) -> Result<(), GuardError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (known_size, known_root) = (state.contents.cosigned_size, state.contents.cosigned_root);
        if size.get() < known_size {
            let text = format!("a checkpoint of size {size}: this validator signed one of size {known_size} before");
            return Err(GuardError::Conflict(text));
        }
        if size.get() == known_size {
            let same = root == known_root;
            return if same { Ok(()) } else { Err(GuardError::Conflict(format!("a second root of size {size}"))) };
        }
        let contents = Contents { cosigned_size: size.get(), cosigned_root: root, ..state.contents.clone() };
        self.persist(&mut state, contents)
    }

    /// The statement to give, and its signature: the one asked for or, as `answer` has it, another. New ones are on disk when
    /// this returns. `sign` gives `None` for what is no statement.
    fn vote(
        &self,
        height: u64,
        asked: &Ballot,
        grounds: Grounds,
        sign: impl FnOnce(&Ballot) -> Option<[u8; 64]>,
    ) -> Result<Vote, GuardError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = answer::answer(&state.contents, height, asked, grounds);
        let (vote, is_new) = match answer {
            Answer::Refuse(text) => return Err(GuardError::Conflict(text)),
            Answer::Repeat(vote) => (vote, false),
            Answer::Sign(ballot) => {
                let signature =
                    sign(&ballot).ok_or_else(|| GuardError::Conflict("a proposal of nothing".to_owned()))?;
                (Vote { ballot, signature }, true)
            }
        };
        if vote.ballot != *asked {
            tracing::info!(height, ?asked, given = ?vote.ballot, "the guard answers with another statement");
        }
        let amends = vote.ballot != *asked && !(height == state.contents.height && state.contents.amended);
        if is_new || amends {
            let mut contents = state.contents.clone();
            if height > contents.height {
                contents.start_height(height);
            }
            contents.amended |= amends;
            if is_new {
                contents.push(vote);
            }
            self.persist(&mut state, contents)?;
        }
        Ok(vote)
    }

    /// Remembers `contents` once they are on disk, and not before: after a failed write the old ones are known still.
    fn persist(&self, state: &mut State, contents: Contents) -> Result<(), GuardError> {
        let io = |source| GuardError::Io { path: self.path.display().to_string(), source };
        let counter = state.counter + 1;
        let slot = contents.encode_slot(self.chain, counter);
        let offset = (counter + 1) % 2 * SLOT_BYTES as u64;
        state.file.seek(SeekFrom::Start(offset)).map_err(io)?;
        state.file.write_all(&slot).map_err(io)?;
        state.file.sync_data().map_err(io)?;
        state.counter = counter;
        state.contents = contents;
        Ok(())
    }
}

/// Neither good nor never written.
fn is_damaged(bytes: &[u8], slot: &Result<(ChainId, u64, Contents), SlotFault>) -> bool {
    matches!(slot, Err(SlotFault::Damaged)) && bytes.iter().any(|byte| *byte != 0)
}

#[cfg(test)]
mod tests;
