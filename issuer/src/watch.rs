//! Outcomes in the order in which the ledger decided them, each with a position to go on from.
//!
//! ```text
//! position = event number << 13 | index in the batch << 1 | kind       kind 0: its own outcome   1: its original reversed
//! ```
//! The ledger fixes the order of events, so positions stay the same across crashes and restores.

use std::collections::HashSet;

use receipt_core::ids::{BatchSequence, Height, ReceiptKey, UnitId};
use receipt_core::reason::Reason;
use receipt_core::record::SignedRecord;

use crate::journal::{EventRow, Journal, JournalError};

const EVENT_SHIFT: u32 = 13;

/// One outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchedOutcome {
    /// Its position.
    pub position: u64,
    /// Which receipt.
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

/// Outcomes of one event after `position`, of these units. `None`: there is no such event yet.
pub fn outcomes_after(
    journal: &Journal,
    units: &HashSet<UnitId>,
    position: u64,
) -> Result<Option<(Vec<WatchedOutcome>, u64)>, JournalError> {
    let last_of_event = (1_u64 << EVENT_SHIFT) - 1;
    // The event in which the position lies may have more after it.
    let number = (position >> EVENT_SHIFT).max(1);
    let number = if position & last_of_event == last_of_event { number.saturating_add(1) } else { number };
    let Some(event) = journal.event(number)? else { return Ok(None) };
    let base = number << EVENT_SHIFT;
    let mut outcomes = expand(journal, &event, base)?;
    outcomes.retain(|outcome| outcome.position > position && units.contains(&outcome.unit));
    Ok(Some((outcomes, base | last_of_event)))
}

fn expand(journal: &Journal, event: &EventRow, base: u64) -> Result<Vec<WatchedOutcome>, JournalError> {
    let sequence = BatchSequence::new(event.sequence);
    let batch = journal.batch(sequence)?.ok_or(JournalError::Corrupt("an event's batch is missing"))?;
    let height = Height::new(event.height);
    if !event.refused_indexes.is_empty() {
        let refusals = event.refused_indexes.iter().zip(&event.refused_reasons);
        let outcomes = refusals.map(|(index, reason)| {
            let reason = Reason::from_code(*reason).ok_or(JournalError::Corrupt("refusal reason"))?;
            let position = base | u64::from(*index) << 1;
            outcome(journal, batch.key_at(*index)?, position, height, Change::Refused(reason))
        });
        return outcomes.collect();
    }
    let mut outcomes = Vec::new();
    for (index, key) in (0_u32..).zip(batch.keys()?) {
        let position = base | u64::from(index) << 1;
        outcomes.push(outcome(journal, key, position, height, Change::Sealed)?);
        if batch.reds.binary_search(&index).is_ok()
            && let Some(original) = original_of(journal, key)?
            && journal.receipt(original)?.is_some()
        {
            outcomes.push(outcome(journal, original, position | 1, height, Change::Reversed(key))?);
        }
    }
    Ok(outcomes)
}

fn outcome(
    journal: &Journal,
    key: ReceiptKey,
    position: u64,
    height: Height,
    change: Change,
) -> Result<WatchedOutcome, JournalError> {
    let row = journal.receipt(key)?.ok_or(JournalError::Corrupt("a receipt is missing"))?;
    let record = SignedRecord::decode(&row.signed_record).map_err(|_| JournalError::Corrupt("a signed record"))?;
    Ok(WatchedOutcome { position, key, unit: record.record.unit, biz_code: row.biz_code, height, change })
}

fn original_of(journal: &Journal, red: ReceiptKey) -> Result<Option<ReceiptKey>, JournalError> {
    let row = journal.receipt(red)?.ok_or(JournalError::Corrupt("a receipt is missing"))?;
    let record = SignedRecord::decode(&row.signed_record).map_err(|_| JournalError::Corrupt("a signed record"))?;
    Ok(record.record.reverses)
}
