//! An erasure by age: goes through the bodies in the order of their keys, in steps that are each one write, beside issuing.
//!
//! ```text
//! walk ─▶ … ─▶ walk ─▶ flush the logs ─▶ rewrite a range ─▶ … ─▶ rewrite a range ─▶ done
//! one step: at most STEP bodies: which are due? ─▶ one write: their keys give way to the time of erasure, the run's row goes on
//! ```
//! The run's row says where it stands, in the same write as what it did: killed at any step it goes on from there. Its writes are
//! ordered and not synced (a lost one is done again); the flush before the rewriting makes all of them durable. Keys of one code lie
//! together, and what is due is whole years of codes, so that only the tables are rewritten that held them. Not here: what is due
//! (`rule`), when steps are made (`task`), the list (`list`).

use std::collections::BTreeMap;

use receipt_core::ids::{ReceiptCode, ReceiptKey, UnixMillis};
use receipt_core::record::SignedRecord;

use super::rule::Rule;
use crate::fate::{Fate, fate};
use crate::journal::{
    BODIES, BODY_KEYS, Durability, ErasedRange, ErasurePhase, ErasureReads as _, ErasureRun, ErasureWrites as _,
    Journal, JournalError, ReceiptReads as _, ReceiptRow, ReceiptWrites as _, day_number, receipt_key_bytes,
};

/// Bodies of one step.
const STEP_BODIES: usize = 512;
/// Erased bodies of one rewriting: some seconds of it.
const RANGE_ERASED_MAX: u64 = 500_000;

/// A stretch of bodies, judged.
struct Page {
    /// Those that are due, with their local days of issue.
    due: Vec<(ReceiptKey, u32)>,
    undecided: u64,
    unreadable: u64,
    looked_at: u64,
    /// Where to go on; `None` at the end.
    next: Option<Vec<u8>>,
}

/// What is due, without erasing it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Due {
    /// By category: how many bodies, the first and the last of their days of issue.
    pub by_category: BTreeMap<u32, (u64, u32, u32)>,
    /// Due, and not decided on the ledger: they would stay.
    pub undecided: u64,
    /// Bodies of receipts that cannot be read; they would stay.
    pub unreadable: u64,
}

/// Goes through the bodies of one journal.
#[derive(Debug)]
pub struct Eraser<'a> {
    journal: &'a Journal,
    utc_offset_minutes: i32,
    step_bodies: usize,
}

/// All that was erased by age: by runs that are complete, and by the one under way.
pub fn erased_by_age(journal: &Journal) -> Result<Rule, JournalError> {
    let complete = match journal.erased_by_age()? {
        None => Rule::default(),
        Some(text) => text.parse().map_err(|_| JournalError::Corrupt("the rule of erasures"))?,
    };
    match journal.erasure_run()? {
        Some(run) if !run.is_done() => Ok(complete.and(&rule_of(&run)?)),
        _ => Ok(complete),
    }
}

/// The rule by which a run erases. An error if the stored text is no rule.
pub fn rule_of(run: &ErasureRun) -> Result<Rule, JournalError> {
    run.rule.parse().map_err(|_| JournalError::Corrupt("the rule of an erasure"))
}

impl<'a> Eraser<'a> {
    /// Erases from this journal. Days are those of the chain's UTC offset.
    #[must_use]
    pub fn new(journal: &'a Journal, utc_offset_minutes: i32) -> Self {
        Self { journal, utc_offset_minutes, step_bodies: STEP_BODIES }
    }

    /// The same with steps of so many bodies.
    #[cfg(test)]
    pub(super) fn in_steps_of(self, step_bodies: usize) -> Self {
        Self { step_bodies, ..self }
    }

    /// Counts what a rule covers. Reads only.
    pub fn count(&self, rule: &Rule) -> Result<Due, JournalError> {
        let mut counted = Due::default();
        let mut start = Some(Vec::new());
        while let Some(from) = start {
            let page = self.judge(rule, &from)?;
            for (key, day) in page.due {
                let (bodies, first, last) = counted.by_category.entry(key.code.category()).or_insert((0, day, day));
                *bodies += 1;
                (*first, *last) = (day.min(*first), day.max(*last));
            }
            counted.undecided += page.undecided;
            counted.unreadable += page.unreadable;
            start = page.next;
        }
        Ok(counted)
    }

    /// Makes all steps of the run under way, one after the other.
    pub fn finish(&self, now: UnixMillis) -> Result<Option<ErasureRun>, JournalError> {
        let mut last = None;
        while let Some(run) = self.step(now)? {
            last = Some(run);
        }
        Ok(last)
    }

    /// Makes the next step of the run under way. Returns the run as it stands then; `None` if none is under way.
    pub fn step(&self, now: UnixMillis) -> Result<Option<ErasureRun>, JournalError> {
        let Some(mut run) = self.journal.erasure_run()?.filter(|run| !run.is_done()) else { return Ok(None) };
        match run.phase() {
            ErasurePhase::Walking => self.walk(&mut run)?,
            ErasurePhase::Rewriting => self.rewrite(&mut run, now)?,
            ErasurePhase::Done => {}
        }
        Ok(Some(run))
    }

    fn walk(&self, run: &mut ErasureRun) -> Result<(), JournalError> {
        let page = self.judge(&rule_of(run)?, &run.next)?;
        let at = UnixMillis::new(run.started_at_ms);
        let mut write = self.journal.write();
        for (key, _) in &page.due {
            write.erase_body(*key, at);
            note_range(&mut run.ranges, *key);
        }
        run.looked_at += page.looked_at;
        run.erased += page.due.len() as u64;
        run.undecided += page.undecided;
        run.unreadable += page.unreadable;
        let is_last = page.next.is_none();
        run.next = page.next.unwrap_or_else(|| run.next.clone());
        // With the erasures, also those of the last page: a kill during the flush repeats that page, finds nothing due there any more, and must
        // still know which tables to rewrite.
        write.put_erasure_run(run);
        write.commit(Durability::Ordered)?;
        if !is_last {
            return Ok(());
        }
        // From here on all that was erased is in tables, and no log has a key that gave way.
        self.journal.flush_logs()?;
        run.phase = ErasurePhase::Rewriting.into();
        self.commit(run)
    }

    fn rewrite(&self, run: &mut ErasureRun, now: UnixMillis) -> Result<(), JournalError> {
        let at = usize::try_from(run.rewritten).unwrap_or(usize::MAX);
        if let Some(ErasedRange { first, last, .. }) = run.ranges.get(at) {
            self.journal.rewrite_tables(BODY_KEYS, first, last)?;
            self.journal.rewrite_tables(BODIES, first, last)?;
            run.rewritten += 1;
            return self.commit(run);
        }
        run.phase = ErasurePhase::Done.into();
        run.finished_at_ms = now.get();
        let mut write = self.journal.write();
        write.put_erased_by_age(&erased_by_age(self.journal)?.and(&rule_of(run)?).to_string());
        write.put_erasure_run(run);
        write.commit(Durability::Synced)?;
        let ErasureRun { rule, looked_at, erased, undecided, unreadable, .. } = run;
        tracing::info!(%rule, looked_at, erased, undecided, unreadable, "bodies were erased by age");
        Ok(())
    }

    fn commit(&self, run: &ErasureRun) -> Result<(), JournalError> {
        let mut write = self.journal.write();
        write.put_erasure_run(run);
        write.commit(Durability::Synced)
    }

    fn judge(&self, rule: &Rule, start: &[u8]) -> Result<Page, JournalError> {
        let bodies = self.journal.bodies_from(start, self.step_bodies)?;
        let mut page = Page { due: Vec::new(), undecided: 0, unreadable: 0, looked_at: 0, next: None };
        if let Some((last, _)) = bodies.last().filter(|_| bodies.len() == self.step_bodies) {
            page.next = Some([&receipt_key_bytes(*last)[..], &[0]].concat());
        }
        let mut there = Vec::new();
        for (key, erased) in &bodies {
            if !rule.may_cover(key.code) {
                page.next = Some(after_code(key.code));
                break;
            }
            page.looked_at += 1;
            if !erased {
                there.push(*key);
            }
        }
        for (key, row) in rows(self.journal, &there)? {
            match self.judge_one(rule, key, row) {
                Ok(Verdict::Stays) => {}
                Ok(Verdict::Due(day)) => page.due.push((key, day)),
                Ok(Verdict::Undecided) => page.undecided += 1,
                Err(error) if error.is_damage() => {
                    tracing::error!(receipt = %key, %error, "the body of a receipt that cannot be read was not erased by age");
                    page.unreadable += 1;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(page)
    }

    fn judge_one(
        &self,
        rule: &Rule,
        key: ReceiptKey,
        row: Result<Option<ReceiptRow>, JournalError>,
    ) -> Result<Verdict, JournalError> {
        let row = row?.ok_or(JournalError::Corrupt("a body without its receipt"))?;
        let signed = SignedRecord::decode(&row.signed_record).map_err(|_| JournalError::Corrupt("a signed record"))?;
        let day = day_number(signed.record.issue_time, self.utc_offset_minutes);
        if !rule.covers(key.code, day) {
            return Ok(Verdict::Stays);
        }
        Ok(if fate(self.journal, key)? == Fate::Pending { Verdict::Undecided } else { Verdict::Due(day) })
    }
}

/// Widens the last range if it is of the same code, or begins another one.
fn note_range(ranges: &mut Vec<ErasedRange>, key: ReceiptKey) {
    let bytes = receipt_key_bytes(key).to_vec();
    match ranges.last_mut() {
        Some(range) if range.first[..4] == bytes[..4] && range.erased < RANGE_ERASED_MAX => {
            range.last = bytes;
            range.erased += 1;
        }
        _ => ranges.push(ErasedRange { first: bytes.clone(), last: bytes, erased: 1 }),
    }
}

/// The first key of the codes after this one.
fn after_code(code: ReceiptCode) -> Vec<u8> {
    (code.get() + 1).to_be_bytes().to_vec()
}

type Row = (ReceiptKey, Result<Option<ReceiptRow>, JournalError>);

/// The receipts' rows. One that is damaged does not hide the others.
fn rows(journal: &Journal, keys: &[ReceiptKey]) -> Result<Vec<Row>, JournalError> {
    match journal.receipts(keys) {
        Ok(rows) => Ok(keys.iter().copied().zip(rows.into_iter().map(Ok)).collect()),
        Err(error) if error.is_damage() => Ok(keys.iter().map(|key| (*key, journal.receipt(*key))).collect()),
        Err(error) => Err(error),
    }
}

enum Verdict {
    Stays,
    /// The body is due; with the local day of issue.
    Due(u32),
    Undecided,
}
