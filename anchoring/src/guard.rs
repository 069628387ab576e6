//! The guard file: how far this journal had come, kept apart from the journal and from every backup of it.
//!
//! ```text
//! two slots of 4,096 bytes, written in turn:  mark ‖ '\n' ‖ SHA-256(mark) in hexadecimal ‖ '\n'
//! mark    {"chain":"…","issuer":1,"turn":7,"step":1234,"next_sequence":56}
//! ```
//! A journal that is behind its mark is an older copy put back: it would acknowledge under names that are used, or bring back what was
//! erased, so it halts at the start, and so does one whose guard is gone. It is made whole or not at all; one that cannot be read, of a journal in which nothing was ever
//! written, is made anew. The mark follows the journal within [`INTERVAL`], off the way of the records, and
//! never goes ahead of what is on disk: a crash leaves it behind, which is no fault. Like a node's guard it is never copied
//! nor restored. What was written within the last interval before a crash is the one thing a copy may lack unnoticed.
//!
//! Not here: what the ledger shows of a journal that is not the newest (`follow`), and the way out (`recover`).

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tallystick_service::durable::{self, DurableError, FileMode};
use tallystick_service::shutdown::CancellationToken;

use crate::journal::{Durability, Journal, JournalError, JournalIdentity};

#[cfg(test)]
mod tests;

/// Interval at which the journal's progress is written to the guard file.
pub const INTERVAL: Duration = Duration::from_millis(100);
const SLOT_BYTES: u64 = 4096;
const SLOT_LENGTH: usize = 4096;

/// Why the guard cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// The journal failed.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The file failed.
    #[error("{action} the guard file {path}: {source}", path = path.display())]
    File {
        /// What was tried, as a verb for the message.
        action: &'static str,
        /// The file or directory it was tried on.
        path: PathBuf,
        /// The operating system's answer.
        source: io::Error,
    },
    /// Both slots are damaged: a power cut tears one at most.
    #[error("the guard file {path} is damaged; move it aside and run `{program} recover`")]
    Damaged {
        /// Its path.
        path: String,
        /// The program whose command repairs it, for the message.
        program: &'static str,
    },
    /// Not there, though the journal has been in use.
    #[error(
        "the guard file {path} is missing, so nothing shows that this journal is not an older copy; if the journal was moved, move \
         the guard file after it; if it is lost, run `{program} recover`"
    )]
    Missing {
        /// Its path.
        path: String,
        /// The program whose command repairs it, for the message.
        program: &'static str,
    },
    /// The file is of another chain or issuer.
    #[error("the guard file {0} belongs to another chain or issuer; guard_file must be this journal's own")]
    Foreign(String),
}

/// How far a journal has come: both only rise but for `recover`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mark {
    /// Counted writes: synced ones of the owner, of records and of whatever else no older copy may lack unnoticed.
    pub step: u64,
    /// The next batch.
    pub next_sequence: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    chain: String,
    issuer: u32,
    turn: u64,
    step: u64,
    next_sequence: u64,
}

/// The open guard file.
#[derive(Debug)]
pub struct Guard {
    path: PathBuf,
    file: File,
    newest: Mutex<Stored>,
}

impl Mark {
    /// The mark of a journal as it can be read now.
    pub fn of(journal: &Journal) -> Result<Self, JournalError> {
        Ok(Self { step: journal.step()?.unwrap_or(0), next_sequence: journal.next_sequence()?.get() })
    }
}

impl Guard {
    /// Makes a guard for a new journal. One that is there already, of this chain and issuer, stays as it is: it knows of the
    /// journal that was before.
    pub fn create(path: &Path, identity: JournalIdentity) -> Result<Self, GuardError> {
        match Self::open(path, identity)? {
            Some(guard) => Ok(guard),
            None => Self::make(path, identity, Mark::default()),
        }
    }

    /// Opens the guard; `None` if there is none.
    pub fn open(path: &Path, identity: JournalIdentity) -> Result<Option<Self>, GuardError> {
        let failed = |action, source| failed_file(action, path, source);
        let file = match OpenOptions::new().read(true).write(true).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed("open", error)),
        };
        let mut slots = Vec::new();
        for slot in 0..2 {
            match read_slot(&file, slot).map_err(|source| failed("read", source))? {
                Slot::Good(stored) => slots.push(stored),
                Slot::Empty => {}
                // If a power cut tore this slot while it was written, the other slot has all that was known before that write. Otherwise the
                // disk is failing, and the warning says so.
                Slot::Damaged => {
                    tracing::warn!(path = %path.display(), "a slot of the guard file is damaged; the other one counts");
                }
            }
        }
        let program = identity.layout.program;
        let damaged = || GuardError::Damaged { path: path.display().to_string(), program };
        let newest = slots.into_iter().max_by_key(|stored| stored.turn).ok_or_else(damaged)?;
        if newest.chain != identity.chain.0.to_string() || newest.issuer != identity.issuer.get() {
            return Err(GuardError::Foreign(path.display().to_string()));
        }
        Ok(Some(Self { path: path.to_owned(), file, newest: Mutex::new(newest) }))
    }

    fn make(path: &Path, identity: JournalIdentity, mark: Mark) -> Result<Self, GuardError> {
        let Mark { step, next_sequence } = mark;
        let (chain, issuer) = (identity.chain.0.to_string(), identity.issuer.get());
        let stored = Stored { chain, issuer, turn: 1, step, next_sequence };
        let slot = slot_of(&stored).map_err(|source| failed_file("write", path, source))?;
        // The file gets its full length now, so that later writes never need space on a full disk.
        let mut bytes = vec![0; 2 * SLOT_LENGTH];
        let at = usize::try_from(stored.turn % 2 * SLOT_BYTES).unwrap_or_default();
        if let Some(place) = bytes.get_mut(at..at + slot.len()) {
            place.copy_from_slice(slot.as_bytes());
        }
        let failed = |DurableError { action, path, source }| GuardError::File { action, path, source };
        durable::write(path, &bytes, FileMode::Private).map_err(failed)?;
        let file = OpenOptions::new().read(true).write(true).open(path);
        let file = file.map_err(|source| failed_file("open", path, source))?;
        Ok(Self { path: path.to_owned(), file, newest: Mutex::new(stored) })
    }

    /// How far the journal had come.
    pub fn mark(&self) -> Mark {
        let newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        Mark { step: newest.step, next_sequence: newest.next_sequence }
    }

    /// Writes how far the journal has come, if that is further than what stands here. Synced when it returns.
    pub fn follow(&self, journal: &Journal) -> Result<(), GuardError> {
        let now = Mark::of(journal)?;
        // Compare under the lock: another caller may have read the journal later than this one, and have written its mark already.
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        let furthest =
            Mark { step: now.step.max(newest.step), next_sequence: now.next_sequence.max(newest.next_sequence) };
        let is_known = (newest.step, newest.next_sequence) == (furthest.step, furthest.next_sequence);
        if is_known { Ok(()) } else { self.write(&mut newest, furthest) }
    }

    /// Writes this mark, whatever stood here: `recover` has found out what is true.
    pub fn put(&self, mark: Mark) -> Result<(), GuardError> {
        self.write(&mut self.newest.lock().unwrap_or_else(PoisonError::into_inner), mark)
    }

    fn write(&self, newest: &mut Stored, mark: Mark) -> Result<(), GuardError> {
        let Mark { step, next_sequence } = mark;
        let stored = Stored { turn: newest.turn + 1, step, next_sequence, ..newest.clone() };
        let failed = |source| failed_file("write", &self.path, source);
        let slot = slot_of(&stored).map_err(failed)?;
        self.file.write_all_at(slot.as_bytes(), stored.turn % 2 * SLOT_BYTES).map_err(failed)?;
        self.file.sync_data().map_err(failed)?;
        *newest = stored;
        Ok(())
    }

    /// Follows the journal until the token is cancelled. An error is fatal to the process.
    pub async fn run(self: Arc<Self>, journal: Arc<Journal>, token: CancellationToken) -> Result<(), GuardError> {
        while token.run_until_cancelled(tokio::time::sleep(INTERVAL)).await.is_some() {
            match tokio::task::block_in_place(|| self.follow(&journal)) {
                // The guard follows in one of the next rounds.
                Err(GuardError::Journal(error)) if error.may_pass() => {}
                followed => followed?,
            }
        }
        Ok(())
    }
}

/// Opens the guard of a journal that is about to run. A journal behind its guard is halted here, durably; one without a guard is
/// refused, unless it is new, or halted anyway (`None`). A journal that an older program made gets its guard now.
pub fn stand_before(journal: &Journal, path: &Path) -> Result<Option<Guard>, GuardError> {
    let now = Mark::of(journal)?;
    let is_new = journal.step()?.is_none_or(|step| step == 0 && now.next_sequence == 1);
    let opened = match Guard::open(path, journal.identity()) {
        // A guard that was torn while it was made had recorded nothing yet.
        Err(GuardError::Damaged { .. }) if is_new && journal.halted()?.is_none() => {
            tracing::warn!(path = %path.display(), "the guard file cannot be read, and its journal is new: it is made anew");
            return Guard::make(path, journal.identity(), now).map(Some);
        }
        opened => opened?,
    };
    let Some(guard) = opened else {
        return match journal.halted()? {
            Some(_) => Ok(None),
            None if is_new => Guard::make(path, journal.identity(), now).map(Some),
            None => {
                let program = journal.identity().layout.program;
                Err(GuardError::Missing { path: path.display().to_string(), program })
            }
        };
    };
    let mark = guard.mark();
    if (now.step < mark.step || now.next_sequence < mark.next_sequence) && journal.halted()?.is_none() {
        let Mark { step, next_sequence } = now;
        let why = format!(
            "this journal (write {step}, next batch {next_sequence}) is behind its guard file {} (write {}, next batch {}): an \
             older copy was put back without `{} restore`",
            path.display(),
            mark.step,
            mark.next_sequence,
            journal.identity().layout.program
        );
        halt(journal, &why)?;
    }
    Ok(Some(guard))
}

/// For `recover`: the guard of a halted journal, and of one that has lost its guard, which is halted here.
pub fn stand_aside(journal: &Journal, path: &Path) -> Result<Option<Guard>, GuardError> {
    match stand_before(journal, path) {
        Err(GuardError::Missing { path, .. }) => {
            halt(journal, &format!("the guard file {path} is missing: nothing shows that this journal is the newest"))?;
            Ok(None)
        }
        other => other,
    }
}

/// What `recover` writes down before it ends the halt: a step beyond everything that any copy of this journal has reached. The
/// caller puts it into the journal, too.
pub fn begin_anew(guard: Option<Guard>, journal: &Journal, path: &Path) -> Result<u64, GuardError> {
    let now = Mark::of(journal)?;
    let guard = match guard {
        Some(guard) => guard,
        None => Guard::create(path, journal.identity())?,
    };
    let step = now.step.max(guard.mark().step).saturating_add(1);
    guard.put(Mark { step, ..now })?;
    Ok(step)
}

/// Stops a journal until `recover`, durably.
pub(crate) fn halt(journal: &Journal, why: &str) -> Result<(), JournalError> {
    let why = format!("{why}; {}", journal.identity().layout.how_to_recover());
    let mut write = journal.write();
    write.put_halted(&why);
    write.commit(Durability::Synced)?;
    tracing::error!(why, "ALARM: this journal is not the newest; nothing is issued, signed or followed");
    Ok(())
}

fn failed_file(action: &'static str, path: &Path, source: io::Error) -> GuardError {
    GuardError::File { action, path: path.to_owned(), source }
}

fn slot_of(stored: &Stored) -> io::Result<String> {
    let text = serde_json::to_string(stored).map_err(io::Error::other)?;
    Ok(format!("{text}\n{}\n", hex::encode(Sha256::digest(&text))))
}

/// What stands in a slot.
enum Slot {
    Good(Stored),
    /// All zeros: the slot was never written.
    Empty,
    Damaged,
}

fn read_slot(file: &File, slot: u64) -> io::Result<Slot> {
    let mut bytes = vec![0; SLOT_LENGTH];
    match file.read_exact_at(&mut bytes, slot * SLOT_BYTES) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(Slot::Damaged),
        read => read?,
    }
    if bytes.iter().all(|byte| *byte == 0) {
        return Ok(Slot::Empty);
    }
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let (Some(text), Some(sum)) = (lines.next(), lines.next()) else { return Ok(Slot::Damaged) };
    let whole = hex::encode(Sha256::digest(text)).as_bytes() == sum;
    Ok(if whole { serde_json::from_slice(text).map_or(Slot::Damaged, Slot::Good) } else { Slot::Damaged })
}
