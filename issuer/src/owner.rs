//! What receipts mean to anchoring: the issuer's end of [`tallystick_anchoring::owner`].
//!
//! - a sealed batch: its receipts count as sealed; red ones free their original's payment keys;
//! - a refused batch: the bad receipts count as refused, with an alarm, and free their payment keys;
//! - governance: names that units had are kept; a fence burns every number leased before it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use prost::Message as _;
use receipt_core::governance::{Action, AllocateSegment};
use receipt_core::ids::{ReceiptKey, RecordKey, SegmentId, UnitId};
use receipt_core::record::{ReceiptRecord, RecordType, SignedRecord};
use receipt_core::state::tables::{SegmentState, Table, UnitState};
use tallystick_anchoring::journal::{BatchRow, Journal, JournalError, JournalWrite};
use tallystick_anchoring::owner::{Adopted, Committed, OwnBatch, Owner, OwnerStep, RefusedRecord, RegistryChange};

use crate::journal::{
    BatchNote, DayKind, DecidedTally, EventNote, ReceiptReads as _, ReceiptWrites as _, Tallies, day_number, receipt_of,
};
use crate::metrics::IssuerMetrics;
use crate::registry::{Registry, kind_of};

use adopt::adopt;

mod adopt;

#[cfg(test)]
mod tests;

/// The issuer, to anchoring.
#[derive(Debug)]
pub struct ReceiptOwner {
    /// Where receipts are looked up.
    pub journal: Arc<Journal>,
    /// Reloaded after governance.
    pub registry: Arc<Registry>,
    /// Metrics to update.
    pub metrics: Arc<IssuerMetrics>,
    /// The chain's UTC offset.
    pub utc_offset_minutes: i32,
}

/// One step over sealed blocks.
struct Step<'a> {
    owner: &'a ReceiptOwner,
    tallies: Tallies<DecidedTally>,
}

impl Owner for ReceiptOwner {
    fn record_types(&self) -> &'static [RecordType] {
        &[RecordType::Receipt]
    }

    fn note(&self, records: &[SignedRecord]) -> Result<Vec<u8>, JournalError> {
        let mut note = BatchNote::default();
        let mut counts: BTreeMap<DayKind, u32> = BTreeMap::new();
        for (index, SignedRecord { record, .. }) in (0_u32..).zip(records) {
            *counts.entry(self.day_kind(record)).or_default() += 1;
            note.units.push(record.unit.get());
            if record.reverses.is_some() {
                note.reds.push(index);
            }
        }
        for (day_kind, count) in counts {
            note.push_count(day_kind, count);
        }
        Ok(note.encode_to_vec())
    }

    fn name(&self, key: RecordKey) -> String {
        receipt_of(key).map_or_else(|_| format!("{key:?}"), |receipt| receipt.to_string())
    }

    fn begin(&self) -> Box<dyn OwnerStep + '_> {
        Box::new(Step { owner: self, tallies: Tallies::default() })
    }

    fn committed(&self, committed: &Committed) -> Result<(), JournalError> {
        if committed.registry_changed {
            self.registry.reload(&self.journal)?;
        }
        self.metrics.receipts_sealed.inc_by(committed.sealed);
        for (key, reason) in &committed.refused {
            // The ledger refused a receipt that was acknowledged. A person must look into it.
            self.metrics.refused(*reason);
            let receipt = receipt_of(*key)?;
            tracing::error!(%receipt, %reason, "ALARM: the ledger refused an acknowledged receipt");
        }
        Ok(())
    }

    fn adopt(&self, write: &mut JournalWrite<'_>, batch: &OwnBatch) -> Result<Adopted, JournalError> {
        adopt(&self.journal, write, batch, self.utc_offset_minutes)
    }
}

impl ReceiptOwner {
    fn day_kind(&self, record: &ReceiptRecord) -> DayKind {
        let day = day_number(record.issue_time, self.utc_offset_minutes);
        DayKind { unit: record.unit, day, kind: kind_of(record.key.code) }
    }

    fn record_of(&self, key: ReceiptKey) -> Result<ReceiptRecord, JournalError> {
        let row = self.journal.receipt(key)?.ok_or(JournalError::Corrupt("a receipt is missing"))?;
        let signed = SignedRecord::decode(&row.signed_record).map_err(|_| JournalError::Corrupt("a signed record"))?;
        Ok(signed.record)
    }

    /// The same; `None`, and told, if it cannot be read: what the ledger decided stands all the same.
    fn readable_record_of(&self, key: ReceiptKey) -> Result<Option<ReceiptRecord>, JournalError> {
        match self.record_of(key) {
            Err(error) if error.is_damage() => {
                tracing::error!(
                    receipt = %key, %error,
                    "ALARM: a receipt that the ledger decided cannot be read; the figures of its day lack it. `check-journal` says how it is \
                     mended (docs/ops/repair.md)"
                );
                Ok(None)
            }
            read => read.map(Some),
        }
    }

    /// Frees the payment keys of `record` that `holder` holds here.
    fn free_keys(
        &self,
        write: &mut JournalWrite<'_>,
        record: &ReceiptRecord,
        holder: Option<ReceiptKey>,
    ) -> Result<(), JournalError> {
        for unique in &record.uniqueness_keys {
            if self.journal.uniqueness(record.unit, *unique)? == holder && holder.is_some() {
                write.delete_uniqueness(record.unit, *unique);
            }
        }
        Ok(())
    }
}

impl OwnerStep for Step<'_> {
    fn sealed(&mut self, write: &mut JournalWrite<'_>, batch: &BatchRow) -> Result<Vec<u8>, JournalError> {
        let note = BatchNote::read(&batch.note)?;
        for (day_kind, count) in note.counts()? {
            let tally = self.tally(day_kind)?;
            tally.sealed_count = tally.sealed_count.saturating_add(u64::from(count));
        }
        for index in &note.reds {
            // If the record cannot be read its keys are not freed here. That does no harm: `conflict` sees that their holder is reversed.
            if let Some(red) = self.owner.readable_record_of(receipt_of(batch.key_at(*index)?)?)? {
                self.owner.free_keys(write, &red, red.reverses)?;
            }
        }
        Ok(event_note(note.units.into_iter()))
    }

    fn refused(
        &mut self,
        write: &mut JournalWrite<'_>,
        batch: &BatchRow,
        records: &[RefusedRecord],
    ) -> Result<Vec<u8>, JournalError> {
        for refused in records {
            let key = receipt_of(refused.key)?;
            let Some(record) = self.owner.readable_record_of(key)? else { continue };
            self.tally(self.owner.day_kind(&record))?.refused.add(record.total);
            if record.reverses.is_none() {
                self.owner.free_keys(write, &record, Some(key))?;
            }
        }
        let note = BatchNote::read(&batch.note)?;
        let unit = |refused: &RefusedRecord| note.units.get(usize::from(refused.index)).copied();
        Ok(event_note(records.iter().filter_map(unit)))
    }

    /// Keeps the names of units that get another one: receipts that were issued under them may still come back.
    fn governed(&mut self, write: &mut JournalWrite<'_>, change: &RegistryChange<'_>) -> Result<(), JournalError> {
        let corrupt = || JournalError::Corrupt("a unit");
        for ((table, key), value) in change.writes {
            let (Table::Units, Some(after)) = (table, value) else { continue };
            let before = change.before.read(Table::Units, key)?;
            let Some(before) = before else { continue };
            let before = UnitState::decode(before.as_slice()).map_err(|_| corrupt())?.unit;
            let after = UnitState::decode(after.as_slice()).map_err(|_| corrupt())?.unit;
            if before.name != after.name {
                write.put_past_name(UnitId::new(before.unit_id), &before.name);
            }
        }
        Ok(())
    }

    /// Burns the rest of every segment that was leased to this issuer before its epoch rose: the lost journal may have given out
    /// any of those numbers. What the same message leases after the fence is new.
    fn fenced(&mut self, write: &mut JournalWrite<'_>, change: &RegistryChange<'_>) -> Result<(), JournalError> {
        let journal = &self.owner.journal;
        let issuer = journal.identity().issuer;
        let changed = change.before.changes.iter().filter(|((table, _), _)| *table == Table::Segments);
        let changed: Vec<Vec<u8>> = changed.filter_map(|(_, value)| value.clone()).collect();
        for bytes in journal.registry_table(Table::Segments)?.into_iter().chain(changed) {
            let state = SegmentState::decode(bytes.as_slice()).map_err(|_| JournalError::Corrupt("a segment"))?;
            if state.segment.issuer_id == issuer.get() {
                write.put_next_number(SegmentId::new(state.segment.segment_id), end_of(&state.segment));
            }
        }
        for action in &change.governance.governance.actions {
            match action {
                Action::FenceIssuer(fence) if fence.issuer_id == issuer.get() => break,
                Action::AllocateSegment(segment) if segment.issuer_id == issuer.get() => {
                    write.put_next_number(SegmentId::new(segment.segment_id), end_of(segment));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn end(self: Box<Self>, write: &mut JournalWrite<'_>) -> Result<(), JournalError> {
        for (day_kind, tally) in self.tallies.iter() {
            write.put_decided(day_kind, tally);
        }
        Ok(())
    }
}

impl Step<'_> {
    fn tally(&mut self, day_kind: DayKind) -> Result<&mut DecidedTally, JournalError> {
        self.tallies.of(day_kind, |day_kind| self.owner.journal.decided(day_kind))
    }
}

const fn end_of(segment: &AllocateSegment) -> u64 {
    segment.last_number.saturating_add(1)
}

fn event_note(units: impl Iterator<Item = u32>) -> Vec<u8> {
    EventNote { units: units.collect::<BTreeSet<_>>().into_iter().collect() }.encode_to_vec()
}
