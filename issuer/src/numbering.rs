//! The next number of a unit's leased segments.
//!
//! Owned by the sequencer alone. A number is spent by the write that stores its receipt: until then `allot` changes only
//! memory, and `reset` forgets it. Invariants: numbers of a segment ascend without gaps; a number is never given out twice,
//! whatever crashes.

use std::collections::HashMap;

use receipt_core::ids::{ReceiptCode, ReceiptNumber, SegmentId, UnitId};

use crate::journal::{Journal, JournalError, JournalWrite, ReceiptReads as _, ReceiptWrites as _};
use crate::registry::{RegistryView, Segment};

/// Segments remembered; beyond, the memory is dropped and read again from the journal.
const SEGMENTS_MAX: usize = 100_000;

/// Numbers of these segments that were never given out, as the journal has it.
pub fn numbers_left(journal: &Journal, segments: &[Segment]) -> Result<u64, JournalError> {
    let mut left: u64 = 0;
    for segment in segments {
        let next = journal.next_number(segment.id)?.unwrap_or(segment.first);
        left = left.saturating_add(segment.last.saturating_add(1).saturating_sub(next));
    }
    Ok(left)
}

/// Next numbers by segment, and which of them changed since the last write.
#[derive(Debug, Default)]
pub struct Numbering {
    next: HashMap<SegmentId, u64>,
    changed: Vec<SegmentId>,
}

impl Numbering {
    /// The next free number of the unit's segments for this code; `None` if all are used up (NUMBER_EXHAUSTED).
    pub fn allot(
        &mut self,
        journal: &Journal,
        view: &RegistryView,
        unit: UnitId,
        code: ReceiptCode,
    ) -> Result<Option<ReceiptNumber>, JournalError> {
        for segment in view.segments(unit, code) {
            let next = match self.next.get(&segment.id) {
                Some(next) => *next,
                None => journal.next_number(segment.id)?.unwrap_or(segment.first),
            };
            if next > segment.last {
                continue;
            }
            let number = ReceiptNumber::new(next).map_err(|_| JournalError::Corrupt("segment range"))?;
            self.next.insert(segment.id, next.saturating_add(1));
            if self.changed.last() != Some(&segment.id) {
                self.changed.push(segment.id);
            }
            return Ok(Some(number));
        }
        Ok(None)
    }

    /// Adds the changed next numbers to a write.
    pub fn write(&mut self, write: &mut JournalWrite<'_>) {
        self.changed.sort_unstable();
        self.changed.dedup();
        for segment in self.changed.drain(..) {
            if let Some(next) = self.next.get(&segment) {
                write.put_next_number(segment, *next);
            }
        }
        if self.next.len() > SEGMENTS_MAX {
            self.next.clear();
        }
    }

    /// Forgets everything that was not written.
    pub fn reset(&mut self) {
        self.next.clear();
        self.changed.clear();
    }
}
