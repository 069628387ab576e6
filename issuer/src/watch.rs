//! Outcomes in the order in which the ledger decided them, each with a position to go on from.
//!
//! ```text
//! position = event number << 13 | index in the batch << 1 | kind       kind 0: its own outcome   1: its original reversed
//! ```
//! The ledger fixes the order of events, so positions stay the same across crashes and restores.
//!
//! A watcher costs what it hears: an event without any of its units is passed over by its row alone, of the others only its
//! units' records are read, and not more than one page of them at a time.

use receipt_core::ids::{BatchSequence, Height, ReceiptKey, UnitId};
use receipt_core::reason::Reason;
use receipt_core::record::{ReceiptRecord, SignedRecord};

use crate::authority::Audience;
use crate::journal::{
    BatchNote, BatchRow, EventNote, EventRow, Journal, JournalError, ReceiptReads as _, ReceiptRow, receipt_of,
};

const EVENT_SHIFT: u32 = 13;
const LAST_OF_EVENT: u64 = (1 << EVENT_SHIFT) - 1;
/// Records read at once.
const PAGE_RECORDS_MAX: usize = 256;
/// Events passed over at once.
const PAGE_EVENTS_MAX: u64 = 1_000;

/// One outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchedOutcome {
    /// Its position: a watcher goes on after it.
    pub position: u64,
    /// The receipt.
    pub key: ReceiptKey,
    /// Its unit.
    pub unit: UnitId,
    /// Its biz code.
    pub biz_code: String,
    /// Height of the deciding block.
    pub height: Height,
    /// What happened.
    pub change: Change,
}

/// What happened to a receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Sealed, and in force.
    Sealed,
    /// Refused for this reason.
    Refused(Reason),
    /// Reversed by this red receipt.
    Reversed(ReceiptKey),
}

/// A stretch of outcomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutcomePage {
    /// Those that the audience hears, ascending.
    pub outcomes: Vec<WatchedOutcome>,
    /// Everything up to here is told: go on from it.
    pub next: u64,
}

/// The next outcomes after `position`, perhaps none of this stretch. `None`: nothing has happened since.
pub fn outcomes_after(
    journal: &Journal,
    audience: &Audience<'_>,
    position: u64,
) -> Result<Option<OutcomePage>, JournalError> {
    // Begin with the event that contains the position: it may have outcomes behind the position.
    let mut number = (position >> EVENT_SHIFT).max(1);
    if position & LAST_OF_EVENT == LAST_OF_EVENT {
        number = number.saturating_add(1);
    }
    let last = number.saturating_add(PAGE_EVENTS_MAX);
    let mut passed = None;
    while number < last {
        let Some(event) = journal.event(number)? else { break };
        let base = number << EVENT_SHIFT;
        let for_others = |unit: &u32| !audience.hears_unit(UnitId::new(*unit));
        let units = EventNote::read(&event.note)?.units;
        if !units.is_empty() && units.iter().all(for_others) {
            passed = Some(base | LAST_OF_EVENT);
            number = number.saturating_add(1);
            continue;
        }
        return page_of(journal, audience, &event, base, position).map(Some);
    }
    Ok(passed.map(|next| OutcomePage { outcomes: Vec::new(), next }))
}

/// At most one page of an event.
fn page_of(
    journal: &Journal,
    audience: &Audience<'_>,
    event: &EventRow,
    base: u64,
    position: u64,
) -> Result<OutcomePage, JournalError> {
    let batch = journal.batch(BatchSequence::new(event.sequence))?;
    let batch = batch.ok_or(JournalError::Corrupt("an event's batch is missing"))?;
    let mut candidates = candidates(event, &batch, audience, base, position)?;
    let next = match candidates.get(PAGE_RECORDS_MAX) {
        // The next page begins right before the first record that did not fit.
        Some(beyond) => beyond.position - 1,
        None => base | LAST_OF_EVENT,
    };
    candidates.truncate(PAGE_RECORDS_MAX);
    let keys: Vec<ReceiptKey> = candidates.iter().map(|candidate| candidate.key).collect();
    let (mut outcomes, mut reversals) = (Vec::with_capacity(candidates.len()), Vec::new());
    for (candidate, row) in candidates.into_iter().zip(journal.receipts(&keys)?) {
        let row = row.ok_or(JournalError::Corrupt("a receipt is missing"))?;
        let record = record_of(&row)?;
        if let (Change::Sealed, Some(original)) = (candidate.change, record.reverses) {
            reversals.push((original, Candidate { position: candidate.position | 1, ..candidate }));
        }
        outcomes.extend(candidate.told(audience, &record, row, event.height));
    }
    let originals: Vec<ReceiptKey> = reversals.iter().map(|(original, _)| *original).collect();
    for ((original, red), row) in reversals.into_iter().zip(journal.receipts(&originals)?) {
        // The original was issued by another issuer, which reports its reversal itself.
        let Some(row) = row else { continue };
        let reversed = Candidate { key: original, change: Change::Reversed(red.key), ..red };
        let record = record_of(&row)?;
        outcomes.extend(reversed.told(audience, &record, row, event.height));
    }
    outcomes.retain(|outcome| outcome.position > position);
    outcomes.sort_unstable_by_key(|outcome| outcome.position);
    Ok(OutcomePage { outcomes, next })
}

/// A record whose outcome may be told.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    position: u64,
    key: ReceiptKey,
    change: Change,
}

impl Candidate {
    fn told(
        self,
        audience: &Audience<'_>,
        record: &ReceiptRecord,
        row: ReceiptRow,
        height: u64,
    ) -> Option<WatchedOutcome> {
        let Self { position, key, change } = self;
        let unit = record.unit;
        let biz_code = row.biz_code;
        let height = Height::new(height);
        let outcome = WatchedOutcome { position, key, unit, biz_code, height, change };
        audience.hears(unit, &row.place_code).then_some(outcome)
    }
}

/// The records of an event from `position` on that are not certainly of other units; one more than a page, if there are.
fn candidates(
    event: &EventRow,
    batch: &BatchRow,
    audience: &Audience<'_>,
    base: u64,
    position: u64,
) -> Result<Vec<Candidate>, JournalError> {
    let record_count = u32::try_from(batch.record_count()).unwrap_or(u32::MAX);
    let units = BatchNote::read(&batch.note)?.units;
    let indexes: Vec<(u32, Change)> = if event.refused_indexes.is_empty() {
        (0..record_count).map(|index| (index, Change::Sealed)).collect()
    } else {
        let refusals = event.refused_indexes.iter().zip(&event.refused_reasons);
        let read = |(index, reason): (&u32, &u32)| {
            let reason = Reason::from_code(*reason).ok_or(JournalError::Corrupt("refusal reason"))?;
            Ok((*index, Change::Refused(reason)))
        };
        refusals.map(read).collect::<Result<_, JournalError>>()?
    };
    let heard = |index: u32| {
        let unit = usize::try_from(index).ok().and_then(|index| units.get(index));
        unit.is_none_or(|unit| audience.hears_unit(UnitId::new(*unit)))
    };
    let mut candidates = Vec::new();
    for (index, change) in indexes {
        let at = base | u64::from(index) << 1;
        // A red record has two positions: its own outcome, and that of its original. The first may have been sent and the second not.
        if at | 1 <= position || !heard(index) {
            continue;
        }
        candidates.push(Candidate { position: at, key: receipt_of(batch.key_at(index)?)?, change });
        if candidates.len() > PAGE_RECORDS_MAX {
            break;
        }
    }
    Ok(candidates)
}

fn record_of(row: &ReceiptRow) -> Result<ReceiptRecord, JournalError> {
    let signed = SignedRecord::decode(&row.signed_record).map_err(|_| JournalError::Corrupt("a signed record"))?;
    Ok(signed.record)
}
