//! Taking in batches that stand on the ledger and not in the journal: what the lost journal knew, as far as records tell.
//!
//! A record names no biz code, place or body, nor what it re-issues: rows of adopted receipts have them empty until the caller hands them back
//! (`Resubmit`), and until then no re-issue is issued whose place one of them may have. The ledger is right: a receipt here under a number that the ledger gave to another one was acknowledged by a
//! journal that should not have run; it is dropped, with an alarm.

use std::collections::BTreeMap;

use prost::Message as _;
use receipt_core::entry::BatchRefused;
use receipt_core::ids::{ReceiptKey, RecordKey};
use receipt_core::record::{ReceiptRecord, SignedRecord};
use tallystick_anchoring::owner::{Adopted, OwnBatch};

use crate::fate::{Fate, fate};
use crate::journal::{
    Bare, BatchNote, DayKind, IssuedTally, Journal, JournalError, JournalWrite, ReceiptReads as _, ReceiptRow,
    ReceiptWrites as _, Tallies, day_number,
};
use crate::registry::kind_of;

/// One batch on its way into the journal.
struct Adoption<'a, 'w> {
    journal: &'a Journal,
    write: &'a mut JournalWrite<'w>,
    utc_offset_minutes: i32,
    tallies: Tallies<IssuedTally>,
    new: u64,
}

/// What the journal has under a number.
enum Known {
    No,
    /// A row of this number that cannot be read.
    Unreadable,
    Row(ReceiptRow),
}

/// Puts a batch's receipts into the journal as if they had been issued here. Repeating it changes nothing.
pub(crate) fn adopt(
    journal: &Journal,
    write: &mut JournalWrite<'_>,
    batch: &OwnBatch,
    utc_offset_minutes: i32,
) -> Result<Adopted, JournalError> {
    let mut adoption = Adoption { journal, write, utc_offset_minutes, tallies: Tallies::default(), new: 0 };
    let (keys, note) = match &batch.refusal {
        None => adoption.sealed(batch)?,
        Some(refusal) => (adoption.refused(batch, refusal)?, BatchNote::default()),
    };
    for (day_kind, tally) in adoption.tallies.iter() {
        adoption.write.put_issued(day_kind, tally);
    }
    Ok(Adopted { keys, note: note.encode_to_vec(), new: adoption.new })
}

impl Adoption<'_, '_> {
    /// All of its records count: they take their numbers, biz codes and payments.
    fn sealed(&mut self, batch: &OwnBatch) -> Result<(Vec<RecordKey>, BatchNote), JournalError> {
        let (mut keys, mut note) = (Vec::with_capacity(batch.records.len()), BatchNote::default());
        let mut counts: BTreeMap<DayKind, u32> = BTreeMap::new();
        for (index, bytes) in (0_u32..).zip(&batch.records) {
            let signed = decode(bytes)?;
            let key = signed.record.key;
            self.adopt_receipt(bytes, &signed, true)?;
            for unique in signed.record.uniqueness_keys.iter().filter(|_| signed.record.reverses.is_none()) {
                self.write.put_uniqueness(signed.record.unit, *unique, key);
            }
            if let Some(original) = signed.record.reverses {
                self.write.put_reversal(original, key);
                note.reds.push(index);
            }
            keys.push(key.into());
            *counts.entry(self.day_kind(&signed)).or_default() += 1;
        }
        for (day_kind, count) in counts {
            note.push_count(day_kind, count);
        }
        Ok((keys, note))
    }

    /// The bad ones keep their numbers; the good ones will be cut again, as the lost journal would have done. If one of its
    /// numbers is another receipt's here, only the sequence is taken note of: all its callers can do is `Resubmit`.
    fn refused(&mut self, batch: &OwnBatch, refusal: &BatchRefused) -> Result<Vec<RecordKey>, JournalError> {
        let mut keys = Vec::new();
        let mut records = Vec::with_capacity(batch.records.len());
        for bytes in &batch.records {
            // A record that does not decode is no receipt.
            let Ok(signed) = SignedRecord::decode(bytes) else { return Ok(keys) };
            let known = self.known(signed.record.key)?;
            let other = matches!(known, Known::Row(known) if known.signed_record != *bytes);
            if other || matches!(fate(self.journal, signed.record.key)?, Fate::Sealed { .. }) {
                return Ok(keys);
            }
            records.push((bytes, signed));
        }
        let bad = |index: u32| refusal.refusals.iter().any(|refusal| refusal.index == index);
        for (index, (bytes, signed)) in (0_u32..).zip(&records) {
            let key = signed.record.key;
            self.adopt_receipt(bytes, signed, false)?;
            if !bad(index) {
                self.hold(key, signed)?;
            }
            keys.push(key.into());
        }
        Ok(keys)
    }

    /// Payments and originals of a receipt that will be cut again, unless others have them.
    fn hold(&mut self, key: ReceiptKey, signed: &SignedRecord) -> Result<(), JournalError> {
        match signed.record.reverses {
            Some(original) if self.journal.reversal(original)?.is_none() => self.write.put_reversal(original, key),
            Some(_) => {}
            None => {
                for unique in &signed.record.uniqueness_keys {
                    if self.journal.receipted(signed.record.unit, *unique)?.is_none() {
                        self.write.put_uniqueness(signed.record.unit, *unique, key);
                    }
                }
            }
        }
        Ok(())
    }

    fn known(&self, key: ReceiptKey) -> Result<Known, JournalError> {
        match self.journal.receipt(key) {
            Err(error) if error.is_damage() => Ok(Known::Unreadable),
            read => Ok(match read? {
                None => Known::No,
                Some(row) if SignedRecord::decode(&row.signed_record).is_err() => Known::Unreadable,
                Some(row) => Known::Row(row),
            }),
        }
    }

    /// The receipt itself. One that is here already stays as it is, with its body; one whose row cannot be read gets that of the ledger, and what
    /// only its caller has when it is handed back.
    fn adopt_receipt(&mut self, bytes: &[u8], signed: &SignedRecord, sealed: bool) -> Result<(), JournalError> {
        let key = signed.record.key;
        let is_counted = match self.known(key)? {
            Known::Row(known) if known.signed_record == bytes => return Ok(()),
            Known::Row(known) => {
                self.drop_superseded(key, &known)?;
                false
            }
            Known::Unreadable => true,
            Known::No => false,
        };
        let ReceiptRecord { unit, issue_time, total, reverses, .. } = &signed.record;
        if reverses.is_none() {
            self.write.put_bare(*unit, Bare { key, issue_time: *issue_time, total: *total });
        }
        let row = ReceiptRow { signed_record: bytes.to_vec(), ..ReceiptRow::default() };
        self.write.put_row(key, &row);
        // A refused receipt must not take the biz code from the receipt that it was refused for.
        if sealed || self.journal.adopted(signed.record.unit, &signed.record.biz_key)?.is_none() {
            self.write.put_adopted(signed.record.unit, &signed.record.biz_key, key);
        }
        self.new += 1;
        if is_counted {
            return Ok(());
        }
        let day_kind = self.day_kind(signed);
        self.write.put_day(day_kind.unit, day_kind.day, key, "");
        self.tally(day_kind)?.add(signed.record.total);
        Ok(())
    }

    fn drop_superseded(&mut self, key: ReceiptKey, known: &ReceiptRow) -> Result<(), JournalError> {
        tracing::error!(receipt = %key, "ALARM: an acknowledged receipt has the number of another one on the ledger; dropped");
        let old = decode(&known.signed_record)?;
        let day_kind = self.day_kind(&old);
        self.write.delete_day(day_kind.unit, day_kind.day, key);
        self.tally(day_kind)?.remove(old.record.total);
        if !known.biz_code.is_empty() {
            self.write.delete_biz(old.record.unit, &known.biz_code);
        }
        self.write.delete_body(key);
        self.write.delete_bare(old.record.unit, old.record.issue_time, key);
        for unique in &old.record.uniqueness_keys {
            if self.journal.uniqueness(old.record.unit, *unique)? == Some(key) {
                self.write.delete_uniqueness(old.record.unit, *unique);
            }
        }
        if let Some(original) = old.record.reverses
            && self.journal.reversal(original)? == Some(key)
        {
            self.write.delete_reversal(original);
        }
        Ok(())
    }

    fn day_kind(&self, signed: &SignedRecord) -> DayKind {
        let record = &signed.record;
        let day = day_number(record.issue_time, self.utc_offset_minutes);
        DayKind { unit: record.unit, day, kind: kind_of(record.key.code) }
    }

    fn tally(&mut self, day_kind: DayKind) -> Result<&mut IssuedTally, JournalError> {
        self.tallies.of(day_kind, |day_kind| self.journal.issued(day_kind))
    }
}

fn decode(bytes: &[u8]) -> Result<SignedRecord, JournalError> {
    SignedRecord::decode(bytes).map_err(|_| JournalError::Corrupt("a signed record"))
}
