//! Erasing bodies: what a receipt says of a person goes for good; its record, its number and its fate stay.
//!
//! ```text
//! by name (≤ 200)  judge all ─▶ list (append, fsync) ─▶ journal: keys give way to the time of erasure (one synced write) ─▶ guard ─▶ rewrite
//! by age           list (one line: the rule) ─▶ journal: the run ─▶ guard ─▶ steps beside issuing (`run`, `task`)
//! ```
//! Each write by which the journal acts on the list is counted as one that an older copy lacks: put back, such a copy is halted
//! ([`tallystick_anchoring::guard`]), and takes nothing that was acted upon for a torn end of the list.
//! The list is kept beside the journal and outside of its backups: at each start, and by `restore`, what it names is erased again,
//! so that a backup brings no body back. Repeating an erasure changes nothing. Not here: who may ask for it (whoever may open
//! the operator's socket), and copies elsewhere: bundles that were handed out, exports, backups.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;

use receipt_core::ids::{ReceiptCode, ReceiptKey, UnixMillis};
use receipt_core::record::SignedRecord;
use tallystick_service::disk_fault::DiskFault;
use tallystick_service::durable::DurableError;

use crate::fate::{Fate, fate};
use crate::journal::{
    BODIES, BODY_KEYS, Durability, ErasureReads as _, ErasureRun, ErasureWrites as _, Journal, JournalError,
    JournalWrite, ListPosition, ReceiptReads as _, ReceiptWrites as _, day_number, receipt_key_bytes,
};
use list::{ErasedList, Line};
use rule::{Retention, Rule, written_day};
use run::Eraser;

pub mod copies;
pub mod list;
pub mod rule;
pub mod run;
pub mod task;

#[cfg(test)]
mod tests;

/// Receipts of one request.
pub const RECEIPTS_MAX: usize = 200;
/// Erasures of one write when the list is applied anew.
const CHUNK: usize = 1_000;
/// Named receipts read at once.
const PAGE: usize = 10_000;

/// Why nothing was erased.
#[derive(Debug, thiserror::Error)]
pub enum EraseError {
    /// The journal failed: fatal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The list failed.
    #[error("{action} the list of erased bodies {path}: {source}{way}", path = path.display(), way = way_of(source))]
    File {
        /// What was tried, as a verb for the message.
        action: &'static str,
        /// The file or directory it was tried on.
        path: PathBuf,
        /// The operating system's answer.
        source: io::Error,
    },
    /// The list could not be made.
    #[error("the list of erased bodies: {0}")]
    Durable(#[from] DurableError),
    /// The list is not this journal's, or a line of it is no line.
    #[error("the list of erased bodies {path} {problem}", path = path.display())]
    List {
        /// Its path.
        path: PathBuf,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// This issuer has no such receipt.
    #[error("{0}: this issuer has no such receipt; nothing was erased")]
    Unknown(ReceiptKey),
    /// The ledger has not decided yet.
    #[error(
        "{0} is not decided on the ledger yet, and its bundle was never made; try again when it is. Nothing was erased"
    )]
    Undecided(ReceiptKey),
    /// Within the time for which it must be kept.
    #[error(
        "{key} was issued on {day} and is kept for {years} years (bodies.retention_years); if the law asks for it all the same, say \
         `--despite-retention`. Nothing was erased", day = written_day(*day)
    )]
    Retained {
        /// The receipt.
        key: ReceiptKey,
        /// Its day of issue.
        day: u32,
        /// The period of its category.
        years: u32,
    },
    /// An erasure by age is under way.
    #[error("an erasure by age is under way (rule {0}); wait until it is complete: `erase-bodies --progress`")]
    UnderWay(String),
}

fn way_of(error: &io::Error) -> String {
    let way = DiskFault::of_io(error).and_then(DiskFault::way);
    way.map(|way| format!(". What to do: {way}")).unwrap_or_default()
}

/// What is to be erased by name, and when that is.
#[derive(Debug, Clone)]
pub struct Wish {
    /// The receipts.
    pub keys: Vec<ReceiptKey>,
    /// Now: what is noted as the time of erasure.
    pub now: UnixMillis,
    /// The day by which periods are judged: see [`today`].
    pub today: u32,
    /// The chain's UTC offset.
    pub utc_offset_minutes: i32,
    /// For how long bodies are kept.
    pub retention: Retention,
    /// Whether to erase younger ones, too.
    pub despite_retention: bool,
}

/// An erased body, as far as its traces go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erasure {
    /// The receipt.
    pub key: ReceiptKey,
    /// Whether it had been erased before.
    pub repeated: bool,
}

/// Counts a write that acts on the list. Not of a halted journal: that may be an older copy itself, and its count would put the guard ahead of the
/// newest one.
fn count(journal: &Journal, write: &mut JournalWrite<'_>) -> Result<(), JournalError> {
    if journal.halted()?.is_none() {
        write.put_step(journal.step()?.unwrap_or(0).saturating_add(1));
    }
    Ok(())
}

/// Makes bodies that were erased by name unreadable in the journal's files, too.
pub fn rewrite(journal: &Journal, keys: impl Iterator<Item = ReceiptKey>) -> Result<(), JournalError> {
    let mut keys: Vec<[u8; 12]> = keys.map(receipt_key_bytes).collect();
    keys.sort_unstable();
    journal.flush_logs()?;
    // One rewriting for all keys of one receipt code: their rows stand together.
    for keys in keys.chunk_by(|one, next| one[..4] == next[..4]) {
        if let (Some(first), Some(last)) = (keys.first(), keys.last()) {
            journal.rewrite_tables(BODY_KEYS, first, last)?;
            journal.rewrite_tables(BODIES, first, last)?;
        }
    }
    Ok(())
}

/// Erases all of these bodies, or none of them: durable when it returns, to be followed by the guard and rewritten next. The journal's writer of
/// bodies must not write meanwhile, and counts on from [`Journal::step`].
pub fn erase(journal: &Journal, list: &ErasedList, wish: &Wish) -> Result<Vec<Erasure>, EraseError> {
    reapply(journal, list, wish.utc_offset_minutes)?;
    let erasures = wish.keys.iter().map(|key| judge(journal, *key, wish)).collect::<Result<Vec<_>, _>>()?;
    let new: Vec<ReceiptKey> = erasures.iter().filter(|erasure| !erasure.repeated).map(|erasure| erasure.key).collect();
    if new.is_empty() {
        return Ok(erasures);
    }
    let lines: Vec<Line> = new.iter().map(|key| Line::Named { key: *key, at: wish.now }).collect();
    let position = list.append(&lines)?;
    let mut write = journal.write();
    for key in &new {
        write.erase_body(*key, wish.now);
        write.put_erased_by_name(*key, wish.now);
    }
    count(journal, &mut write)?;
    write.put_list_position(position);
    write.commit(Durability::Synced)?;
    for key in new {
        tracing::info!(receipt = %key, despite_retention = wish.despite_retention, "a body was erased");
    }
    Ok(erasures)
}

/// The day by which it is judged what is due: the clock's, or that of the last block followed if it is earlier. A clock that runs
/// ahead by years must not erase what is young: nothing brings it back.
pub fn today(journal: &Journal, now: UnixMillis, utc_offset_minutes: i32) -> Result<u32, JournalError> {
    Ok(day_number(now.min(journal.followed_tip()?.time), utc_offset_minutes))
}

/// Begins an erasure by age: durable when it returns, and to be followed by the guard; its steps are made by [`task`] or [`Eraser::finish`]. Who
/// writes bodies counts on, as above.
pub fn begin(
    journal: &Journal,
    list: &ErasedList,
    rule: &Rule,
    now: UnixMillis,
    utc_offset_minutes: i32,
) -> Result<(), EraseError> {
    reapply(journal, list, utc_offset_minutes)?;
    if let Some(run) = journal.erasure_run()?.filter(|run| !run.is_done()) {
        return Err(EraseError::UnderWay(run.rule));
    }
    let position = list.append(&[Line::Expired { rule: rule.clone(), at: now }])?;
    let mut write = journal.write();
    write.put_erasure_run(&ErasureRun::begin(rule.to_string(), now));
    count(journal, &mut write)?;
    write.put_list_position(position);
    write.commit(Durability::Synced)?;
    tracing::info!(%rule, "an erasure by age began");
    Ok(())
}

/// Whether the body of a receipt went with an erasure by age, also if it was not here at that time.
pub fn went_by_age(journal: &Journal, code: ReceiptCode, day: u32) -> Result<bool, JournalError> {
    Ok(run::erased_by_age(journal)?.covers(code, day))
}

/// Numbers of bodies that were erased again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reapplied {
    /// Bodies erased by name.
    pub named: usize,
    /// Bodies erased by age.
    pub by_age: u64,
}

/// Erases again what the list says and the journal, an older copy, has not done. Refuses a list that is older than the journal.
pub fn reapply(journal: &Journal, list: &ErasedList, utc_offset_minutes: i32) -> Result<Reapplied, EraseError> {
    Ok(reapply_rows(journal, list, utc_offset_minutes, false)?.0)
}

/// The same at a start, which is not refused where old tables cannot be written anew, as on a full disk: returns the keys whose tables
/// are still to be, by [`task`]. Until the next erasure each start has them written anew.
pub fn reapply_at_start(
    journal: &Journal,
    list: &ErasedList,
    utc_offset_minutes: i32,
) -> Result<(Reapplied, Vec<ReceiptKey>), EraseError> {
    reapply_rows(journal, list, utc_offset_minutes, true)
}

fn reapply_rows(
    journal: &Journal,
    list: &ErasedList,
    utc_offset_minutes: i32,
    tables_may_wait: bool,
) -> Result<(Reapplied, Vec<ReceiptKey>), EraseError> {
    let known = journal.list_position()?;
    // An older copy, which is halted, does not know what was acted upon.
    if let Some(known) = &known
        && journal.halted()?.is_none()
        && let Some(bytes) = list.cut_torn(known)?
    {
        let path = list.path().display();
        tracing::warn!(%path, bytes, "the end of the list of erased bodies was torn and is cut off: nothing was erased by it; ask for it again");
    }
    let end = list.position()?;
    if known.as_ref().is_some_and(|known| known.made_at > end.made_at) {
        return Err(list.problem(
            "was made before the list that this journal knows: it is an older copy; put its newest copy back",
        ));
    }
    let known = known.filter(|known| known.made_at == end.made_at).map(|known| known.bytes);
    if known.is_some_and(|known| known > end.bytes) {
        return Err(list.problem(
            "ends before the last erasure that this journal knows: it is an older copy; put its newest copy back",
        ));
    }
    if known == Some(end.bytes) {
        return Ok((Reapplied::default(), Vec::new()));
    }
    let (mut named, mut rule, mut began) = (Vec::new(), None::<Rule>, UnixMillis::new(0));
    for line in list.lines_after(known)? {
        match line {
            Line::Named { key, at } => named.push((key, at)),
            Line::Expired { rule: one, at } => {
                rule = Some(rule.map_or_else(|| one.clone(), |rule| rule.and(&one)));
                began = at;
            }
        }
    }
    let again = again_by_name(journal, &named)?;
    let by_age = match rule.map(|rule| again_by_age(journal, &rule, began, utc_offset_minutes)) {
        None => 0,
        // It is under way, and goes on.
        Some(Err(JournalError::NotRewritten(_))) if tables_may_wait => {
            journal.erasure_run()?.map_or(0, |run| run.erased)
        }
        Some(erased) => erased?,
    };
    let again = Reapplied { named: again, by_age };
    // Of all of them: a start that was killed while it rewrote finds them erased.
    let keys: Vec<ReceiptKey> = named.into_iter().map(|(key, _)| key).collect();
    if !keys.is_empty() {
        match rewrite(journal, keys.iter().copied()) {
            Err(JournalError::NotRewritten(_)) if tables_may_wait => return Ok((again, keys)),
            rewritten => rewritten?,
        }
    }
    // Last: whatever ends this early has it done again.
    let mut write = journal.write();
    write.put_list_position(end);
    write.commit(Durability::Synced)?;
    Ok((again, Vec::new()))
}

/// Of a row that cannot be read nothing is known: whoever asks writes it anew.
fn readable<T>(read: Result<Option<T>, JournalError>) -> Result<Option<T>, JournalError> {
    match read {
        Err(error) if error.is_damage() => Ok(None),
        read => read,
    }
}

/// The same, and completes what was under way when this copy was made: afterwards nothing that ever was to be erased is there.
pub fn reapply_whole(
    journal: &Journal,
    list: &ErasedList,
    now: UnixMillis,
    utc_offset_minutes: i32,
) -> Result<Reapplied, EraseError> {
    let again = reapply(journal, list, utc_offset_minutes)?;
    let under_way = Eraser::new(journal, utc_offset_minutes).finish(now)?.map_or(0, |run| run.erased);
    Ok(Reapplied { by_age: again.by_age + under_way, ..again })
}

fn again_by_name(journal: &Journal, named: &[(ReceiptKey, UnixMillis)]) -> Result<usize, JournalError> {
    let mut again = 0;
    for chunk in named.chunks(CHUNK) {
        let mut write = journal.write();
        count(journal, &mut write)?;
        for (key, at) in chunk {
            write.put_erased_by_name(*key, *at);
            if readable(journal.erased_at(*key))?.is_none() {
                write.erase_body(*key, *at);
                again += 1;
            }
        }
        write.commit(Durability::Synced)?;
    }
    Ok(again)
}

/// Together with what is under way in this copy.
fn again_by_age(
    journal: &Journal,
    rule: &Rule,
    began: UnixMillis,
    utc_offset_minutes: i32,
) -> Result<u64, JournalError> {
    let (rule, ranges) = match journal.erasure_run()?.filter(|run| !run.is_done()) {
        None => (rule.clone(), Vec::new()),
        // What it has erased is still to be written anew.
        Some(run) => (rule.and(&run::rule_of(&run)?), run.ranges),
    };
    let mut write = journal.write();
    count(journal, &mut write)?;
    write.put_erasure_run(&ErasureRun { ranges, ..ErasureRun::begin(rule.to_string(), began) });
    write.commit(Durability::Synced)?;
    Ok(Eraser::new(journal, utc_offset_minutes).finish(began)?.map_or(0, |run| run.erased))
}

/// Makes the list anew from what the journal knows. How many lines it has.
pub fn rewrite_list(journal: &Journal, list: &ErasedList, now: UnixMillis) -> Result<usize, EraseError> {
    let mut lines = Vec::new();
    let mut after = None;
    loop {
        let page = journal.erased_by_name(after, PAGE)?;
        let Some((last, _)) = page.last() else { break };
        after = Some(*last);
        lines.extend(page.into_iter().map(|(key, at)| Line::Named { key, at }));
    }
    let rule = run::erased_by_age(journal)?;
    if rule != Rule::default() {
        let began = journal.erasure_run()?.map_or(now, |run| UnixMillis::new(run.started_at_ms));
        lines.push(Line::Expired { rule, at: began });
    }
    // Later than the one before it, whatever the clock says: by this an older list is known.
    let after_former = journal.list_position()?.map_or(now, |known| known.made_at.plus_millis(1));
    let position: ListPosition = list.replace(&lines, now.max(after_former))?;
    let mut write = journal.write();
    write.put_list_position(position);
    write.commit(Durability::Synced)?;
    Ok(lines.len())
}

fn judge(journal: &Journal, key: ReceiptKey, wish: &Wish) -> Result<Erasure, EraseError> {
    let row = journal.receipt(key)?.ok_or(EraseError::Unknown(key))?;
    let record = SignedRecord::decode(&row.signed_record).map_err(|_| JournalError::Corrupt("a signed record"))?.record;
    let repeated = journal.erased_at(key)?.is_some();
    if !repeated {
        if fate(journal, key)? == Fate::Pending {
            return Err(EraseError::Undecided(key));
        }
        let issued = day_number(record.issue_time, wish.utc_offset_minutes);
        let due = wish.retention.due(wish.today, &BTreeSet::new());
        if !wish.despite_retention && !due.covers(key.code, issued) {
            let years = wish.retention.years_of(key.code);
            return Err(EraseError::Retained { key, day: issued, years });
        }
    }
    Ok(Erasure { key, repeated })
}
