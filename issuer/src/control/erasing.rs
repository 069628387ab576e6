//! `tallystick-issuer erase-bodies`: erases what receipts say of persons, asked of the running issuer or done in a stopped one's
//! journal. Not here: what erasing is (`crate::erasure`).

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use receipt_core::ids::ReceiptKey;
use tallystick_anchoring::guard::{self, Guard, GuardError};
use tallystick_service::clock::{Clock as _, SystemClock};

use super::{ControlParts, ask, connect, open_stopped};
use crate::chain::load_chain;
use crate::config::{CATEGORY_PROBLEM, Settings, parse_category};
use crate::erasure::copies::said_of_copies;
use crate::erasure::list::{ErasedList, parse_key};
use crate::erasure::rule::{Rule, written_day};
use crate::erasure::run::{Due, Eraser};
use crate::erasure::{self, Erasure, RECEIPTS_MAX, Wish, today};
use crate::journal::{ErasurePhase, ErasureReads as _, ErasureRun, Journal, JournalError};

const DESPITE_RETENTION: &str = "despite-retention";
/// All categories.
const ALL: &str = "all";
/// Interval at which a run that is waited for is looked at.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(1);
/// How the line about a run that is complete begins.
const COMPLETE: &str = "complete: ";

impl ControlParts {
    /// Erases all of the named bodies, or none.
    pub(super) async fn erase_bodies(&self, words: &str) -> Result<String> {
        let (despite_retention, words) = match words.split_once(' ') {
            Some((DESPITE_RETENTION, words)) => (true, words),
            _ => (false, words),
        };
        let keys = words.split(' ').map(|word| parse_key(word).with_context(|| format!("{word} is no code-number")));
        let keys = keys.collect::<Result<Vec<_>>>()?;
        let wish = wish(&self.settings, &self.journal, keys, self.utc_offset_minutes, despite_retention)?;
        let list = self.list();
        let erased = self.queue.errand(move |sequencer| sequencer.erase(&list, &wish)).await??;
        self.metrics.bodies_erased.inc_by(new_ones(&erased).count() as u64);
        let (journal, guard) = (Arc::clone(&self.journal), self.guard.clone());
        tokio::task::spawn_blocking(move || {
            follow(guard.as_deref(), &journal)?;
            rewrite_tables(&journal, &erased)?;
            anyhow::Ok(summary(&erased, &journal))
        })
        .await?
    }

    /// Begins an erasure by age; its steps are the task's.
    pub(super) async fn erase_expired(&self, words: &str) -> Result<String> {
        let categories = if words == ALL { Ok(BTreeSet::new()) } else { words.split(' ').map(category).collect() };
        let rule = due_now(&self.settings, &self.journal, &categories?, self.utc_offset_minutes)?;
        let list = self.list();
        self.queue.errand(move |sequencer| sequencer.begin_erasure(&list, &rule)).await??;
        self.erasure_begun.notify_one();
        let (journal, guard) = (Arc::clone(&self.journal), self.guard.clone());
        tokio::task::spawn_blocking(move || follow(guard.as_deref(), &journal)).await??;
        self.erasure_progress()
    }

    /// How far the run has come.
    pub(super) fn erasure_progress(&self) -> Result<String> {
        Ok(progress(self.journal.erasure_run()?.as_ref(), self.journal.path()))
    }

    fn list(&self) -> ErasedList {
        list_of(&self.settings, &self.journal)
    }
}

fn category(word: &str) -> Result<u32> {
    parse_category(word).context(CATEGORY_PROBLEM)
}

fn wish(
    settings: &Settings,
    journal: &Journal,
    keys: Vec<ReceiptKey>,
    utc_offset_minutes: i32,
    despite_retention: bool,
) -> Result<Wish, JournalError> {
    let (now, retention) = (SystemClock.now(), settings.retention.clone());
    let today = today(journal, now, utc_offset_minutes)?;
    Ok(Wish { keys, now, today, utc_offset_minutes, retention, despite_retention })
}

fn due_now(
    settings: &Settings,
    journal: &Journal,
    categories: &BTreeSet<u32>,
    utc_offset_minutes: i32,
) -> Result<Rule, JournalError> {
    Ok(settings.retention.due(today(journal, SystemClock.now(), utc_offset_minutes)?, categories))
}

/// A copy of the journal from before must not pass for the newest, once somebody was told that something is erased.
fn follow(guard: Option<&Guard>, journal: &Journal) -> Result<(), GuardError> {
    guard.map_or(Ok(()), |guard| guard.follow(journal))
}

fn new_ones(erased: &[Erasure]) -> impl Iterator<Item = ReceiptKey> {
    erased.iter().filter(|erasure| !erasure.repeated).map(|erasure| erasure.key)
}

/// Of all that were named: an earlier request may have ended before it came so far.
fn rewrite_tables(journal: &Journal, erased: &[Erasure]) -> Result<(), JournalError> {
    erasure::rewrite(journal, erased.iter().map(|erasure| erasure.key))
}

fn summary(erased: &[Erasure], journal: &Journal) -> String {
    let new = new_ones(erased).count();
    let before = erased.len() - new;
    format!("{new} bodies erased, {before} had been erased before{}", said_of_copies(journal.path()))
}

/// One line about a run.
fn progress(run: Option<&ErasureRun>, journal_dir: &Path) -> String {
    let Some(run) = run else { return format!("{COMPLETE}there was no erasure by age in this journal") };
    let ErasureRun { rule, looked_at, erased, undecided, unreadable, rewritten, ranges, .. } = run;
    let figures = format!(
        "{erased} bodies erased of {looked_at} looked at; due and left: {undecided} undecided, {unreadable} unreadable (rule {rule})"
    );
    match run.phase() {
        ErasurePhase::Walking => format!("erasing: {figures}"),
        ErasurePhase::Rewriting => format!("rewriting {rewritten} of {} ranges: {figures}", ranges.len()),
        ErasurePhase::Done => format!("{COMPLETE}{figures}{}", said_of_copies(journal_dir)),
    }
}

/// Erases bodies by the running issuer; if none runs, in its journal.
pub async fn request_erasure(settings: &Settings, receipts: &[String], despite_retention: bool) -> Result<String> {
    ensure!(receipts.len() <= RECEIPTS_MAX, "one request erases at most {RECEIPTS_MAX} named bodies; make several");
    let read = |text: &String| {
        parse_key(text)
            .with_context(|| format!("{text} is no receipt; write its code, a hyphen, its number: 99060126-0000000001"))
    };
    let keys = receipts.iter().map(read).collect::<Result<Vec<_>>>()?;
    if let Some(stream) = connect(settings).await? {
        let words: Vec<String> = keys.iter().map(ToString::to_string).collect();
        let despite = if despite_retention { format!("{DESPITE_RETENTION} ") } else { String::new() };
        return ask(stream, &format!("erase-bodies {despite}{}", words.join(" "))).await;
    }
    let Stopped { journal, guard, list, utc_offset_minutes } = stopped(settings)?;
    let wish = wish(settings, &journal, keys, utc_offset_minutes, despite_retention)?;
    let erased = erasure::erase(&journal, &list, &wish)?;
    follow(guard.as_ref(), &journal)?;
    rewrite_tables(&journal, &erased)?;
    Ok(summary(&erased, &journal))
}

/// Erases what is due by the running issuer, and waits until that is complete; if none runs, in its journal.
pub async fn request_expired(settings: &Settings, categories: &BTreeSet<u32>) -> Result<String> {
    if let Some(stream) = connect(settings).await? {
        let words: Vec<String> = categories.iter().map(|category| format!("{category:02}")).collect();
        let words = if words.is_empty() { ALL.to_owned() } else { words.join(" ") };
        let mut said = ask(stream, &format!("erase-expired {words}")).await?;
        while !said.starts_with(COMPLETE) {
            tokio::time::sleep(PROGRESS_INTERVAL).await;
            said = request_progress(settings).await?;
        }
        return Ok(said);
    }
    let Stopped { journal, guard, list, utc_offset_minutes } = stopped(settings)?;
    // An erasure that was under way when the issuer stopped is finished first.
    let eraser = Eraser::new(&journal, utc_offset_minutes);
    eraser.finish(SystemClock.now())?;
    let now = SystemClock.now();
    let rule = due_now(settings, &journal, categories, utc_offset_minutes)?;
    erasure::begin(&journal, &list, &rule, now, utc_offset_minutes)?;
    follow(guard.as_ref(), &journal)?;
    Ok(progress(eraser.finish(now)?.as_ref(), journal.path()))
}

/// How far the erasure by age has come.
pub async fn request_progress(settings: &Settings) -> Result<String> {
    if let Some(stream) = connect(settings).await? {
        return ask(stream, "erasure-progress -").await;
    }
    let run = open_to_read(settings)?.0.erasure_run()?;
    let said = progress(run.as_ref(), &settings.journal_dir);
    let waits = run.is_some_and(|run| !run.is_done());
    Ok(if waits { format!("{said}; no issuer runs, it goes on with the next start") } else { said })
}

/// Counts what is due, beside a running issuer or not. Erases nothing.
pub fn count_expired(settings: &Settings, categories: &BTreeSet<u32>) -> Result<String> {
    let (journal, utc_offset_minutes) = open_to_read(settings)?;
    let rule = due_now(settings, &journal, categories, utc_offset_minutes)?;
    let due = Eraser::new(&journal, utc_offset_minutes)
        .count(&rule)
        .context("count in the journal (beside a running issuer a file may go away meanwhile: repeat it)")?;
    Ok(counted(&due, &rule)?)
}

fn counted(due: &Due, rule: &Rule) -> Result<String, std::fmt::Error> {
    let mut text = format!("rule {rule}\n");
    let mut all = 0;
    for (category, (bodies, first, last)) in &due.by_category {
        all += bodies;
        let (first, last) = (written_day(*first), written_day(*last));
        writeln!(text, "category {category:02}: {bodies} bodies, issued {first} to {last}")?;
    }
    let Due { undecided, unreadable, .. } = due;
    write!(text, "{all} bodies are due; {undecided} more are undecided, {unreadable} unreadable, and would stay. ")?;
    write!(text, "Nothing was erased")?;
    Ok(text)
}

/// Makes the list of erased bodies anew from the journal of a stopped issuer.
pub fn rewrite(settings: &Settings) -> Result<String> {
    let journal = open_stopped(settings)?;
    let list = list_of(settings, &journal);
    ensure!(!list.exists(), "{} is there; move it aside first if it is not to be used", list.path().display());
    let lines = erasure::rewrite_list(&journal, &list, SystemClock.now())?;
    Ok(format!(
        "{}: {lines} lines. What an older copy of this journal did not know is not among them",
        list.path().display()
    ))
}

/// A stopped issuer's journal that is about to be erased in.
struct Stopped {
    journal: Journal,
    /// None of a halted journal that lost it.
    guard: Option<Guard>,
    list: ErasedList,
    utc_offset_minutes: i32,
}

/// An older copy is halted here, as at a start: what is counted in it would bring it level with its guard.
fn stopped(settings: &Settings) -> Result<Stopped> {
    let journal = open_stopped(settings)?;
    let guard = guard::stand_before(&journal, &settings.guard_file)?;
    let list = list_of(settings, &journal);
    let utc_offset_minutes = load_chain(settings)?.genesis.utc_offset_minutes;
    Ok(Stopped { journal, guard, list, utc_offset_minutes })
}

fn list_of(settings: &Settings, journal: &Journal) -> ErasedList {
    ErasedList::new(&settings.erased_file, journal.identity())
}

fn open_to_read(settings: &Settings) -> Result<(Journal, i32)> {
    let chain = load_chain(settings)?;
    let journal = Journal::open_read_only(&settings.journal_dir, chain.identity)?;
    Ok((journal, chain.genesis.utc_offset_minutes))
}
