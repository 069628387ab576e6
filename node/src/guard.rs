//! The guard: what this validator has signed, on disk before anything leaves.
//!
//! It stands outside RocksDB and outside backups, so that neither a damaged write-ahead log nor a restored machine makes an
//! honest validator sign twice: asked again for the same thing it returns the stored signature, asked for a conflicting one
//! it refuses.
//!
//! One file of two slots, written in turn; the newer one with a good checksum counts. A power cut can tear the slot being
//! written, never the one before it.
//! ```text
//! slot (64 KiB):  "TALLYGRD" ‖ format u32 ‖ chain id [32] ‖ counter u64 ‖ length u32 ‖ payload ‖ SHA-256 of all before
//! payload:        cosigned size u64 ‖ root [32] ‖ height u64 ‖ round floor u32 ‖ count u32 ‖ votes…
//! vote:           kind u8 ‖ round u32 ‖ SHA-256 of the preimage [32] ‖ signature [64]
//! ```
//! Invariants: height and cosigned size never fall; of one (height, round, kind) one preimage is ever signed; of one size one
//! root. Votes of rounds below the floor were dropped to make room: nothing is signed there any more.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use ed25519_dalek::Signer as _;
use receipt_core::hash::{Hash, sha256};
use receipt_core::ids::TreeSize;
use receipt_core::suite::ChainId;
use tallystick_engine::{ConsensusSigner, SignRefused, SignRequest};

mod slot;

use slot::{Contents, SLOT_BYTES, Vote};

/// Why the guard does not open, or does not let something be signed.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// The file can not be read or written. Fatal.
    #[error("guard file {path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// The operating system's word.
        source: std::io::Error,
    },
    /// No slot has a good checksum, or the file is another chain's.
    #[error("guard file {path}: {problem}. Do not replace it: run `tallystick-node repair` first")]
    Unreadable {
        /// The file.
        path: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// It would be a second history.
    #[error("refused to sign: {0}")]
    Conflict(String),
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
    /// Creates the file; refuses if it exists.
    pub fn create(path: &Path, chain: ChainId) -> Result<(), GuardError> {
        let io = |source| GuardError::Io { path: path.display().to_string(), source };
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(io)?;
        }
        let mut file = OpenOptions::new().write(true).create_new(true).open(path).map_err(io)?;
        let slot = Contents::default().encode_slot(chain, 1);
        file.write_all(&vec![0; 2 * SLOT_BYTES]).map_err(io)?;
        file.seek(SeekFrom::Start(0)).map_err(io)?;
        file.write_all(&slot).map_err(io)?;
        file.sync_all().map_err(io)?;
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(parent).and_then(|directory| directory.sync_all()).map_err(io)
    }

    /// Opens the file of this chain.
    pub fn open(path: &Path, chain: ChainId) -> Result<Self, GuardError> {
        let shown = path.display().to_string();
        let io = |source| GuardError::Io { path: shown.clone(), source };
        let mut file = OpenOptions::new().read(true).write(true).open(path).map_err(io)?;
        let mut bytes = Vec::new();
        Read::by_ref(&mut file).take(2 * SLOT_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(io)?;
        let unreadable = |problem| GuardError::Unreadable { path: shown.clone(), problem };
        let slots = bytes.chunks(SLOT_BYTES).filter_map(Contents::decode_slot);
        let newest = slots.max_by_key(|(_, counter, _)| *counter);
        let (found, counter, contents) = newest.ok_or_else(|| unreadable("no slot has a good checksum"))?;
        if found != chain {
            return Err(unreadable("it belongs to another chain"));
        }
        Ok(Self { path: path.to_owned(), chain, state: Mutex::new(State { file, counter, contents }) })
    }

    /// The height of the last vote, and the last cosigned size.
    pub fn position(&self) -> (u64, TreeSize) {
        let state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        (state.contents.height, TreeSize::new(state.contents.cosigned_size))
    }

    /// Remembers, durably, that this checkpoint is being signed. Refuses a smaller tree, or another root of the same size.
    pub fn permit_checkpoint(&self, size: TreeSize, root: Hash) -> Result<(), GuardError> {
        let mut state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (known_size, known_root) = (state.contents.cosigned_size, state.contents.cosigned_root);
        if size.get() < known_size {
            let text = format!("a checkpoint of size {size}: this validator signed one of size {known_size} before");
            return Err(GuardError::Conflict(text));
        }
        if size.get() == known_size {
            let same = root == known_root;
            return if same { Ok(()) } else { Err(GuardError::Conflict(format!("a second root of size {size}"))) };
        }
        state.contents.cosigned_size = size.get();
        state.contents.cosigned_root = root;
        self.persist(&mut state)
    }

    /// Returns the signature to give for a vote: the stored one, or a new one that is stored first.
    fn vote(&self, vote: &VoteRequest, sign: impl FnOnce() -> [u8; 64]) -> Result<[u8; 64], GuardError> {
        let mut state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let contents = &mut state.contents;
        if vote.height < contents.height || (vote.height == contents.height && vote.round < contents.round_floor) {
            let text = format!(
                "height {} round {}: this validator has voted at height {} from round {} on",
                vote.height, vote.round, contents.height, contents.round_floor
            );
            return Err(GuardError::Conflict(text));
        }
        if vote.height > contents.height {
            contents.start_height(vote.height);
        }
        if let Some(known) = contents.vote(vote.kind, vote.round) {
            if known.digest == vote.digest {
                return Ok(known.signature);
            }
            let text = format!("a second vote of kind {} at height {} round {}", vote.kind, vote.height, vote.round);
            return Err(GuardError::Conflict(text));
        }
        let signature = sign();
        contents.push(Vote { kind: vote.kind, round: vote.round, digest: vote.digest, signature });
        self.persist(&mut state)?;
        Ok(signature)
    }

    fn persist(&self, state: &mut State) -> Result<(), GuardError> {
        let io = |source| GuardError::Io { path: self.path.display().to_string(), source };
        let counter = state.counter + 1;
        let slot = state.contents.encode_slot(self.chain, counter);
        let offset = (counter + 1) % 2 * SLOT_BYTES as u64;
        state.file.seek(SeekFrom::Start(offset)).map_err(io)?;
        state.file.write_all(&slot).map_err(io)?;
        state.file.sync_data().map_err(io)?;
        state.counter = counter;
        Ok(())
    }
}

struct VoteRequest {
    kind: u8,
    height: u64,
    round: u32,
    digest: Hash,
}

/// The consensus key behind the guard.
pub struct GuardedSigner {
    guard: std::sync::Arc<Guard>,
    key: ed25519_dalek::SigningKey,
}

impl GuardedSigner {
    /// Signs with the key of this seed whatever the guard permits.
    pub fn new(guard: std::sync::Arc<Guard>, seed: &[u8; 32]) -> Self {
        Self { guard, key: ed25519_dalek::SigningKey::from_bytes(seed) }
    }
}

impl ConsensusSigner for GuardedSigner {
    fn sign(&self, request: &SignRequest, preimage: &[u8]) -> Result<[u8; 64], SignRefused> {
        let (kind, slot) = match request {
            SignRequest::Prevote { slot, .. } => (1, slot),
            SignRequest::Precommit { slot, .. } => (2, slot),
            SignRequest::Proposal { slot, .. } => (3, slot),
            // Neither says anything about what this validator votes for.
            SignRequest::Stream { .. } | SignRequest::ValidatorProof => return Ok(self.key.sign(preimage).to_bytes()),
        };
        let vote = VoteRequest { kind, height: slot.height, round: slot.round, digest: sha256(&[preimage]) };
        let signed = self.guard.vote(&vote, || self.key.sign(preimage).to_bytes());
        signed.map_err(|error| SignRefused { reason: error.to_string() })
    }

    fn public_key(&self) -> [u8; 32] {
        self.key.verifying_key().to_bytes()
    }
}

#[cfg(test)]
mod tests;
