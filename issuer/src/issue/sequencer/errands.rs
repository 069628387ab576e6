//! What operators ask of the one writer: to stop a segment, to erase bodies. Between two groups, so that no number and no body is
//! on its way meanwhile.

use receipt_core::governance::AllocateSegment;
use receipt_core::ids::SegmentId;

use super::Sequencer;
use crate::erasure::list::ErasedList;
use crate::erasure::rule::Rule;
use crate::erasure::{self, EraseError, Erasure, Wish};
use crate::journal::{Durability, JournalError, ReceiptReads as _, ReceiptWrites as _};

impl Sequencer {
    /// Ends a segment here, durably: none of its numbers is given out from now on. Returns the first that never was. Repeating
    /// it changes nothing.
    pub fn stop(&mut self, lease: &AllocateSegment) -> Result<u64, JournalError> {
        let journal = &self.parts.journal;
        let segment = SegmentId::new(lease.segment_id);
        if let Some(first_unused) = journal.first_unused(segment)? {
            return Ok(first_unused);
        }
        let first_unused = journal.next_number(segment)?.unwrap_or(lease.first_number);
        let step = self.step.saturating_add(1);
        let mut write = journal.write();
        write.put_stopped(segment, first_unused, lease.last_number);
        write.put_step(step);
        write.commit(Durability::Synced)?;
        self.step = step;
        // The numbering is read again from the journal, because it may remember numbers of the segment that has just ended.
        self.numbering.reset();
        tracing::info!(%segment, first_unused, "a segment gives out no more numbers");
        Ok(first_unused)
    }

    /// Erases bodies by name; their tables are to be rewritten next.
    pub fn erase(&mut self, list: &ErasedList, wish: &Wish) -> Result<Result<Vec<Erasure>, EraseError>, JournalError> {
        let erased = unless_fatal(erasure::erase(&self.parts.journal, list, wish))?;
        self.count_on()?;
        Ok(erased)
    }

    /// Begins an erasure by age, whose steps are made elsewhere.
    pub fn begin_erasure(&mut self, list: &ErasedList, rule: &Rule) -> Result<Result<(), EraseError>, JournalError> {
        let parts = &self.parts;
        let begun =
            unless_fatal(erasure::begin(&parts.journal, list, rule, parts.clock.now(), parts.utc_offset_minutes))?;
        self.count_on()?;
        Ok(begun)
    }

    /// An erasure counts its own writes; also one that was refused may have done first what the list said before.
    fn count_on(&mut self) -> Result<(), JournalError> {
        self.step = self.parts.journal.step()?.unwrap_or(0);
        Ok(())
    }
}

/// A journal that fails is fatal, as for every write of this one. For want of files or room the operator gives the command again.
fn unless_fatal<T>(result: Result<T, EraseError>) -> Result<Result<T, EraseError>, JournalError> {
    match result {
        Err(EraseError::Journal(error)) if !error.may_pass() => Err(error),
        other => Ok(other),
    }
}
