//! The torn end of a journal's log: cut where it holds nothing that was acknowledged, refused where it may.
//!
//! A power cut leaves of what was not synced any set of pages. What was never synced was never acknowledged, so that end may be cut:
//! the journal is then as it was before the first torn write, without a hole. But rotten bytes in what *was* synced look alike.
//! Three marks tell them apart:
//!
//! ```text
//! cut    the journal before the first torn write           e.g. write 41, next batch 7
//! guard  how far it had come, within 100 ms                must not be ahead of cut
//! whole  every write that can be read, past the gap, too   at most one write and one batch ahead of cut
//! ```
//! Each writer writes one after the other, each write synced before the next begins: if a second one stands whole behind a torn
//! one, the torn one had been synced. What rots within the guard's last interval, as the very last write, passes for a torn one; then
//! the ledger shows what it has of it ([`crate::follow`]), as with any journal that lacks its last moments.
//!
//! Not here: a journal that is behind its guard for another reason ([`crate::guard`]).

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use tallystick_service::disk_fault::DiskFault;
use tallystick_storage::StoreShare;

use crate::guard::{Guard, GuardError, Mark, halt};
use crate::journal::{Journal, JournalError, JournalIdentity, each_whole_write, log_files, put_by, torn_at};

#[cfg(test)]
mod tests;

/// Why a journal is not opened.
#[derive(Debug, thiserror::Error)]
pub enum TailError {
    /// It cannot be, whatever its log's end.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Its guard cannot be asked.
    #[error(transparent)]
    Guard(#[from] GuardError),
    /// A file could not be read or cut.
    #[error("{action} {path}: {source}{way}", path = path.display(), way = way_of(source))]
    File {
        /// What was tried, as a verb for the message.
        action: &'static str,
        /// The file or directory it was tried on.
        path: PathBuf,
        /// The operating system's answer.
        source: io::Error,
    },
    /// Something that was acknowledged cannot be read.
    #[error(
        "a part of the journal's log {log} cannot be read, and records that were acknowledged may be in it: {why}. Nothing was \
         changed. Keep a copy of the journal's whole directory, then run `{program} recover`: it goes on from the last write that \
         can be read, under a new epoch (docs/ops/repair.md, \"A torn end\")"
    )]
    Acknowledged {
        /// The file.
        log: String,
        /// What shows it, for the message.
        why: String,
        /// The program whose command repairs it, for the message.
        program: &'static str,
    },
}

fn way_of(error: &io::Error) -> String {
    let way = DiskFault::of_io(error).and_then(DiskFault::way);
    way.map(|way| format!(". What to do: {way}")).unwrap_or_default()
}

/// An end that was cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// Where what was cut is kept.
    pub kept_at: PathBuf,
    /// How far the journal goes now.
    pub mark: Mark,
}

/// The first write that is not whole.
struct Torn {
    log: PathBuf,
    offset: u64,
    /// Log files behind it.
    later: Vec<PathBuf>,
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> TailError {
    let path = path.to_owned();
    move |source| TailError::File { action, path, source }
}

/// Opens a journal. If its end is torn, and shown to hold nothing that was acknowledged, that end is cut, with a WARN.
pub fn open(
    path: &Path,
    identity: JournalIdentity,
    guard_file: &Path,
    share: StoreShare,
) -> Result<(Journal, Option<Cut>), TailError> {
    let Some((torn, lock)) = find(path, identity)? else {
        return Ok((Journal::open_within(path, identity, share)?, None));
    };
    let mark = mark_before(path, identity, &torn)?;
    if let Some(why) = acknowledged(&torn, identity, guard_file, mark)? {
        let (log, program) = (torn.log.display().to_string(), identity.layout.program);
        return Err(TailError::Acknowledged { log, why, program });
    }
    let kept_at = cut(path, &torn)?;
    tracing::warn!(
        kept_at = %kept_at.display(),
        step = mark.step,
        next_sequence = mark.next_sequence,
        "the journal's newest writes were torn and are cut off, as a power cut leaves them; none of them was acknowledged"
    );
    drop(lock);
    Ok((Journal::open_within(path, identity, share)?, Some(Cut { kept_at, mark })))
}

/// Opens a journal that is to be recovered: whatever stands behind a torn write is cut, and if any of it may have been acknowledged,
/// the journal is halted.
pub fn open_to_recover(path: &Path, identity: JournalIdentity, guard_file: &Path) -> Result<Journal, TailError> {
    let why = match open(path, identity, guard_file, StoreShare::SMALL) {
        Ok((journal, _)) => return Ok(journal),
        Err(TailError::Acknowledged { why, .. }) => why,
        Err(error) => return Err(error),
    };
    if let Some((torn, _lock)) = find(path, identity)? {
        halt_beforehand(path, identity, guard_file, &torn)?;
        let kept_at = cut(path, &torn)?;
        tracing::warn!(kept_at = %kept_at.display(), why, "the journal's newest writes cannot be read and are cut off");
    }
    let journal = Journal::open(path, identity)?;
    if journal.halted()?.is_none() {
        halt(&journal, &format!("the newest writes of this journal could not be read and were cut off: {why}"))?;
    }
    Ok(journal)
}

/// Has the guard know of a write that the journal will not have once it is cut, so that every start halts. Between the cut and the halt in the
/// journal itself the power may fail, and the guard, which trails, may know of nothing behind the cut.
fn halt_beforehand(path: &Path, identity: JournalIdentity, guard_file: &Path, torn: &Torn) -> Result<(), TailError> {
    // Without a guard file nothing needs to be written: a journal without its guard does not start.
    let Some(guard) = Guard::open(guard_file, identity)? else { return Ok(()) };
    let (known, before, behind) = (guard.mark(), mark_before(path, identity, torn)?, behind(torn)?);
    let step = known.step.max(before.step).max(behind.step).saturating_add(1);
    let next_sequence = known.next_sequence.max(before.next_sequence).max(behind.next_sequence);
    Ok(guard.put(Mark { step, next_sequence })?)
}

/// The first write that is not whole, if there is one, and the lock that keeps others away meanwhile.
fn find(path: &Path, identity: JournalIdentity) -> Result<Option<(Torn, File)>, TailError> {
    Journal::check_present(path, identity)?;
    let mut logs = log_files(path).map_err(failed("list", path))?.into_iter();
    while let Some(log) = logs.next() {
        let Some(offset) = torn_at(&log).map_err(failed("read", &log))? else { continue };
        // While a process writes, the end of its log is unfinished most of the time. Holding its lock shows that none is running.
        let lock = path.join("LOCK");
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(&lock);
        let file = file.map_err(failed("open", &lock))?;
        let locked = rustix::fs::fcntl_lock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive);
        locked.map_err(|error| failed("lock", &lock)(error.into()))?;
        // Look again under the lock: the first look may have seen the unfinished write of a process that was still running.
        if torn_at(&log).map_err(failed("read", &log))? == Some(offset) {
            return Ok(Some((Torn { log, offset, later: logs.collect() }, file)));
        }
    }
    Ok(None)
}

/// How it is known that something acknowledged may stand behind the cut; `None` if nothing does.
fn acknowledged(
    torn: &Torn,
    identity: JournalIdentity,
    guard_file: &Path,
    cut: Mark,
) -> Result<Option<String>, TailError> {
    let Mark { step, next_sequence } = cut;
    let readable = format!("before it the journal ends at write {step}, next batch {next_sequence}");
    let Some(guard) = Guard::open(guard_file, identity)? else {
        return Ok(Some(format!("{readable}, and there is no guard file {} to compare with", guard_file.display())));
    };
    let guard = guard.mark();
    if guard.step > step || guard.next_sequence > next_sequence {
        let Mark { step, next_sequence } = guard;
        return Ok(Some(format!("{readable}; the guard file says write {step}, next batch {next_sequence}")));
    }
    let whole = behind(torn)?;
    if whole.step > step.saturating_add(1) || whole.next_sequence > next_sequence.saturating_add(1) {
        let Mark { step, next_sequence } = whole;
        return Ok(Some(format!("{readable}; behind it stand writes up to {step}, next batch {next_sequence}")));
    }
    Ok(None)
}

/// How far the writes go that stand whole behind the torn one.
fn behind(torn: &Torn) -> Result<Mark, TailError> {
    let mut furthest = Mark::default();
    let mut see = |write: &[u8]| {
        let (step, next_sequence) = put_by(write);
        furthest.step = furthest.step.max(step.unwrap_or(0));
        furthest.next_sequence = furthest.next_sequence.max(next_sequence.unwrap_or(0));
    };
    each_whole_write(&torn.log, torn.offset, &mut see).map_err(failed("read", &torn.log))?;
    for log in &torn.later {
        each_whole_write(log, 0, &mut see).map_err(failed("read", log))?;
    }
    Ok(furthest)
}

/// How far the journal goes without what is torn and what stands behind it. Looked at in a twin of its directory: nothing changes.
fn mark_before(path: &Path, identity: JournalIdentity, torn: &Torn) -> Result<Mark, TailError> {
    let twin = beside(path, "looking");
    // An interrupted run may have left this directory. It has nothing but hard links and a copy.
    match fs::remove_dir_all(&twin) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed("remove", &twin)(error)),
        _ => {}
    }
    let looked = make_twin(path, &twin, torn).and_then(|()| Ok(Mark::of(&Journal::look(&twin, identity)?)?));
    let removed = fs::remove_dir_all(&twin);
    let mark = looked?;
    removed.map_err(failed("remove", &twin))?;
    Ok(mark)
}

fn make_twin(path: &Path, twin: &Path, torn: &Torn) -> Result<(), TailError> {
    fs::create_dir(twin).map_err(failed("make", twin))?;
    for entry in fs::read_dir(path).map_err(failed("list", path))? {
        let from = entry.map_err(failed("list", path))?.path();
        let Some(name) = from.file_name() else { continue };
        if name == "LOCK" || torn.later.contains(&from) || from.is_dir() {
            continue;
        }
        let to = twin.join(name);
        if from == torn.log {
            fs::copy(&from, &to).map_err(failed("copy", &from))?;
            let file = OpenOptions::new().write(true).open(&to).map_err(failed("open", &to))?;
            file.set_len(torn.offset).map_err(failed("cut", &to))?;
        } else {
            fs::hard_link(&from, &to).map_err(failed("link", &from))?;
        }
    }
    Ok(())
}

/// Cuts the log, and takes later ones away. What is cut is kept in a new directory beside the journal, and nothing else: what stands before it
/// stays in the journal, where an erasure reaches it.
fn cut(path: &Path, torn: &Torn) -> Result<PathBuf, TailError> {
    let mut number = 1;
    let kept_at = loop {
        let kept_at = beside(path, &format!("torn-{number}"));
        match fs::create_dir(&kept_at) {
            Ok(()) => break kept_at,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            Err(error) => return Err(failed("make", &kept_at)(error)),
        }
    };
    for log in torn.later.iter().chain([&torn.log]) {
        let Some(name) = log.file_name() else { continue };
        let copy = kept_at.join(name);
        let from = if *log == torn.log { torn.offset } else { 0 };
        copy_from(log, from, &copy).map_err(failed("copy", log))?;
    }
    sync(&kept_at)?;
    // Remove the newest first, so that after a crash in between the torn log is still found. The later logs may be the only evidence that
    // something acknowledged is lost; `halt_beforehand` has written that to the guard already.
    for log in torn.later.iter().rev() {
        fs::remove_file(log).map_err(failed("remove", log))?;
    }
    sync(path)?;
    let file = OpenOptions::new().write(true).open(&torn.log).map_err(failed("open", &torn.log))?;
    file.set_len(torn.offset).and_then(|()| file.sync_all()).map_err(failed("cut", &torn.log))?;
    Ok(kept_at)
}

/// Copies a file from an offset on; on disk when it returns.
fn copy_from(path: &Path, offset: u64, to: &Path) -> io::Result<()> {
    let (mut from, mut to) = (File::open(path)?, File::create_new(to)?);
    from.seek(SeekFrom::Start(offset))?;
    io::copy(&mut from, &mut to)?;
    to.sync_all()
}

fn sync(directory: &Path) -> Result<(), TailError> {
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(failed("sync", directory))
}

/// `journal.torn-1` for `journal`.
fn beside(path: &Path, name: &str) -> PathBuf {
    let mut full = path.as_os_str().to_owned();
    full.push(".");
    full.push(name);
    PathBuf::from(full)
}
