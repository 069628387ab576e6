//! Taking back a receipt that a lost journal acknowledged (`Resubmit`).
//!
//! Its number was given out by the lost journal: it lies in a burnt segment, below the next number to be allotted, or in a
//! closed one. The ledger takes it as long as the number, the biz code and its payments are free, its key was valid at the
//! issue time, and, once the segment was closed, within the grace. What is taken back is one synced write, as issuing is.

use receipt_core::hash::Hash;
use receipt_core::ids::{ReceiptKey, SystemId};
use receipt_core::reason::Reason;
use receipt_core::receipt::disclosure::{Body, Seed};
use receipt_core::record::SignedRecord;
use tallystick_proto::errors::{CallReason, Refusal};
use tallystick_service::keyfile::Secret;
use tallystick_service::rng::random_array;

use super::{Group, IssueResult, Issued, Sequencer, already_reversed, reissue_conflict};
use crate::body::{BodySecrets, SealedBody};
use crate::erasure::went_by_age;
use crate::fate::{Fate, fate};
use crate::holder::Asker;
use crate::issue::Acknowledgement;
use crate::journal::{
    BizRow, DayKind, Durability, JournalError, JournalWrite, ReceiptReads as _, ReceiptRow, ReceiptWrites as _,
    day_number,
};
use crate::registry::kind_of;

/// An acknowledgement, handed back: the record is signed by a key of the unit, and its body leads to the record's root.
#[derive(Debug, Clone)]
pub struct Returned {
    /// The record.
    pub signed: SignedRecord,
    /// Its bytes, verbatim.
    pub bytes: Vec<u8>,
    /// Its body.
    pub body: Body,
    /// Seed of the body's salts.
    pub seed: Seed,
    /// What the caller knows besides: check code and times.
    pub acknowledgement: Acknowledgement,
    /// Hash of the Issue call that made it, so that its repetition is answered.
    pub content: Hash,
    /// 业务流水号.
    pub biz_code: String,
    /// 开票点.
    pub place_code: String,
    /// The reversed receipt whose rest it re-issues.
    pub reissues: Option<ReceiptKey>,
    /// About how much memory it takes.
    pub byte_size: usize,
    /// Who hands it back.
    pub caller: SystemId,
}

impl Returned {
    fn key(&self) -> ReceiptKey {
        self.signed.record.key
    }

    fn row(&self) -> ReceiptRow {
        ReceiptRow {
            signed_record: self.bytes.clone(),
            biz_code: self.biz_code.clone(),
            place_code: self.place_code.clone(),
        }
    }
}

/// What only this issuer knows of it: content, biz code, place, what it re-issues.
fn put_own_rows(write: &mut JournalWrite<'_>, returned: &Returned, day: u32, (body, tag): &(SealedBody, Hash)) {
    let (key, record) = (returned.key(), &returned.signed.record);
    write.put_receipt(key, &returned.row(), body);
    write.put_biz(record.unit, &returned.biz_code, BizRow { content: *tag, key });
    write.put_day(record.unit, day, key, &returned.place_code);
    if let Some(original) = returned.reissues {
        write.put_reissue(original, key);
    }
}

impl Sequencer {
    /// Takes a receipt back, or says what stands against it. An error is fatal.
    pub fn take_back(&mut self, returned: Returned) -> Result<IssueResult, JournalError> {
        let journal = &self.parts.journal;
        let key = returned.key();
        if journal.erased_at(key)?.is_some() {
            return Ok(Err(Refusal::new(CallReason::BodyErased)));
        }
        let day = day_number(returned.signed.record.issue_time, self.parts.utc_offset_minutes);
        if journal.body(key)?.is_none() && went_by_age(journal, key.code, day)? {
            let message = "the body of this receipt was due to be erased, and does not come back";
            return Ok(Err(Refusal::new(CallReason::BodyErased).with_message(message)));
        }
        if let Some(known) = journal.receipt(key)? {
            if known.signed_record != returned.bytes {
                return Ok(Err(Refusal::new(Reason::NumberUsed).with_message("another receipt has this number")));
            }
            // Learnt from the ledger, without its body: a row of our own has its biz code.
            if known.biz_code.is_empty() {
                if let Err(closed) = self.parts.gate.check() {
                    return Ok(Err(closed.refusal()));
                }
                return self.complete(&returned);
            }
            return Ok(Ok(Issued::Existing(key)));
        }
        if let Err(closed) = self.parts.gate.check() {
            return Ok(Err(closed.refusal()));
        }
        if self.parts.backlog.records() >= self.parts.outbox_records_max {
            return Ok(Err(Refusal::new(Reason::Overloaded)));
        }
        if let Some(refusal) = self.against(&returned)? {
            return Ok(Err(refusal));
        }
        self.take_in(returned)
    }

    /// What of this issuer stands against a receipt that it does not know.
    fn against(&self, returned: &Returned) -> Result<Option<Refusal>, JournalError> {
        let (journal, record) = (&self.parts.journal, &returned.signed.record);
        let view = self.parts.registry.view();
        let asker = Asker { view: &view, system: returned.caller };
        if let Some(row) = journal.biz(record.unit, &returned.biz_code)? {
            let conflict = Refusal::new(Reason::BizCodeConflict).with_message("another receipt has this biz_code");
            return asker.named_of(conflict, journal, row.key).map(Some);
        }
        if let Some(key) = journal.adopted(record.unit, &record.biz_key)? {
            return asker.named_of(Refusal::new(Reason::BizCodeUsed), journal, key).map(Some);
        }
        for segment in view.leased(record.unit, record.key.code) {
            if (segment.first..=segment.last).contains(&record.key.number.get())
                && journal.first_unused(segment.id)?.is_some_and(|first| first <= record.key.number.get())
            {
                return Ok(Some(
                    Refusal::new(Reason::NumberNotOwned)
                        .with_message("this number was declared void: the journal that gave it out was not recovered"),
                ));
            }
        }
        for segment in view.segments(record.unit, record.key.code) {
            let number = record.key.number.get();
            let next = journal.next_number(segment.id)?.unwrap_or(segment.first);
            if (next..=segment.last).contains(&number) {
                return Ok(Some(Refusal::new(Reason::NumberNotOwned).with_message(
                    "this number may still be given out: the journal that gave it out was not recovered",
                )));
            }
        }
        if let Some(original) = record.reverses {
            let red = journal.reversal(original)?;
            let dead =
                red.map(|red| fate(journal, red)).transpose()?.is_some_and(|fate| matches!(fate, Fate::Refused { .. }));
            return Ok(red.filter(|_| !dead).map(already_reversed));
        }
        if let Some(original) = returned.reissues
            && let Some(refusal) = reissue_conflict(journal, asker, &Group::default(), original)?
        {
            return Ok(Some(refusal));
        }
        for unique in &record.uniqueness_keys {
            if let Some(holder) = journal.receipted(record.unit, *unique)? {
                return asker.named_of(Refusal::new(unique.kind.reason_if_held()), journal, holder).map(Some);
            }
        }
        Ok(None)
    }

    /// As issuing writes it, number and time apart: those are spent.
    fn take_in(&mut self, returned: Returned) -> Result<IssueResult, JournalError> {
        let parts = self.parts.clone();
        let body = match self.sealed_body(&returned) {
            Ok(body) => body,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let (key, record) = (returned.key(), &returned.signed.record);
        let day = day_number(record.issue_time, parts.utc_offset_minutes);
        let mut write = parts.journal.write();
        put_own_rows(&mut write, &returned, day, &body);
        write.put_outbox(self.outbox_end, key);
        let day_kind = DayKind { unit: record.unit, day, kind: kind_of(key.code) };
        let tally = match self.tallies.entry(day_kind) {
            std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::hash_map::Entry::Vacant(entry) => entry.insert(parts.journal.issued(day_kind)?),
        };
        tally.add(record.total);
        write.put_issued(day_kind, *tally);
        match record.reverses {
            Some(original) => write.put_reversal(original, key),
            None => record.uniqueness_keys.iter().for_each(|unique| write.put_uniqueness(record.unit, *unique, key)),
        }
        let step = self.step.saturating_add(1);
        write.put_step(step);
        write.commit(Durability::Synced)?;
        self.step = step;
        self.outbox_end = self.outbox_end.saturating_add(1);
        parts.backlog.grown_to(self.outbox_end);
        parts.metrics.issued(1);
        tracing::warn!(receipt = %key, "took back a receipt that a lost journal had acknowledged");
        Ok(Ok(Issued::New(Box::new(returned.acknowledgement))))
    }

    /// Gives a receipt that was learnt from the ledger what the ledger does not know.
    fn complete(&self, returned: &Returned) -> Result<IssueResult, JournalError> {
        let parts = &self.parts;
        let body = match self.sealed_body(returned) {
            Ok(body) => body,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let day = day_number(returned.signed.record.issue_time, parts.utc_offset_minutes);
        let mut write = parts.journal.write();
        put_own_rows(&mut write, returned, day, &body);
        write.commit(Durability::Synced)?;
        Ok(Ok(Issued::Existing(returned.key())))
    }

    /// The body under a new key, and the tag of its call.
    fn sealed_body(&self, returned: &Returned) -> Result<(SealedBody, Hash), Refusal> {
        let internal = |error: &dyn std::fmt::Display| {
            tracing::error!(%error, "a receipt was not taken back");
            Refusal::new(CallReason::Internal)
        };
        let entropy = self.parts.entropy.as_ref();
        let key = Secret::new(random_array(entropy).map_err(|error| internal(&error))?);
        let secrets = BodySecrets { key, nonce: random_array(entropy).map_err(|error| internal(&error))? };
        let values = returned.body.disclosures().iter().map(|disclosure| &disclosure.value);
        let body = self.parts.cipher.seal(returned.key(), &returned.seed, values, &secrets);
        Ok((body.map_err(|error| internal(&error))?, secrets.tag(&returned.content)))
    }
}
