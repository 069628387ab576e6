//! Taking back a receipt that a lost journal acknowledged (`Resubmit`).
//!
//! Its number was given out by the lost journal: it lies in a burnt segment, below the next number to be allotted, or in a
//! closed one. The ledger takes it as long as the number, the biz code and its payments are free, its key was valid at the
//! issue time, and, once the segment was closed, within the grace. What is taken back goes into the synced write of its group, as
//! what is issued does. A receipt that is here and whose row or body cannot be read any more is written anew by the same call.

use receipt_core::hash::Hash;
use receipt_core::ids::{ReceiptKey, SystemId};
use receipt_core::reason::Reason;
use receipt_core::receipt::disclosure::{Body, Seed};
use receipt_core::record::{ReceiptRecord, SignedRecord};
use tallystick_proto::errors::{CallReason, Refusal};
use tallystick_service::keyfile;
use tallystick_service::rng::random_array;

use super::conflict::{already_reversed, named, payment_conflict, reissue_conflict, reversed};
use super::{Decision, Group, GroupReceipt, Sequencer};
use crate::body::{BodySecrets, SealedBody};
use crate::erasure::went_by_age;
use crate::holder::Asker;
use crate::issue::Acknowledgement;
use crate::journal::{
    BizRow, DayKind, ErasureReads as _, JournalError, JournalWrite, ReceiptReads as _, ReceiptRow, ReceiptWrites as _,
    StoredBody, day_number,
};
use crate::registry::{RegistryView, kind_of};

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
    /// The business system that hands it back.
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

/// What a returned receipt adds to the group's write.
pub(super) struct Taken {
    returned: Returned,
    body: SealedBody,
    /// What is remembered of the call that made it.
    tag: Hash,
    /// Whether this journal did not know it: then it is queued, counted, and holds its payments.
    is_new: bool,
}

impl Taken {
    pub(super) fn key(&self) -> ReceiptKey {
        self.returned.key()
    }

    pub(super) fn receipt(&self) -> GroupReceipt<'_> {
        let Returned { signed, biz_code, place_code, .. } = &self.returned;
        GroupReceipt { unit: signed.record.unit, biz_code, place_code }
    }

    /// What only this issuer knows of it: record, body, content, biz code, place.
    fn put(&self, write: &mut JournalWrite<'_>, day: u32) {
        let (key, returned) = (self.key(), &self.returned);
        let unit = returned.signed.record.unit;
        write.put_receipt(key, &returned.row(), &self.body);
        write.put_biz(unit, &returned.biz_code, BizRow { content: self.tag, key });
        write.put_day(unit, day, key, &returned.place_code);
        write.delete_bare(unit, returned.signed.record.issue_time, key);
    }
}

/// What the journal has of a returned receipt.
enum Known {
    /// No receipt of this number.
    No,
    /// Another receipt under its number.
    Other,
    /// This one, whole.
    Whole,
    /// This one, without what only its caller has: learnt from the ledger, or not to be read any more.
    InPart,
}

impl Sequencer {
    /// Judges a receipt that is handed back, and adds it to the group. An error is fatal.
    pub(super) fn decide_returned(&mut self, group: &mut Group, returned: Returned) -> Result<Decision, JournalError> {
        let key = returned.key();
        let refuse = |refusal| Ok(Decision::Refuse(Box::new(refusal)));
        let taken = || Refusal::new(Reason::NumberUsed).with_message("another receipt has this number");
        if let Some(before) = group.returned.iter().find(|taken| taken.key() == key) {
            let same = before.returned.bytes == returned.bytes;
            return if same { Ok(Decision::Repeated(key)) } else { refuse(taken()) };
        }
        if let Some(refusal) = self.erased(&returned)? {
            return refuse(refusal);
        }
        let is_new = match self.known(&returned)? {
            Known::Whole => return Ok(Decision::Existing(key)),
            Known::Other => return refuse(taken()),
            Known::InPart => false,
            Known::No => true,
        };
        if let Err(closed) = self.parts.gate.check() {
            return refuse(closed.refusal());
        }
        if is_new {
            let waiting = self.parts.backlog.records().saturating_add(group.records());
            if waiting >= self.parts.outbox_records_max {
                return refuse(Refusal::new(Reason::Overloaded));
            }
            if let Some(refusal) = self.against(group, &returned)? {
                return refuse(refusal);
            }
        }
        let (body, tag) = match self.sealed_body(&returned) {
            Ok(sealed) => sealed,
            Err(refusal) => return refuse(refusal),
        };
        let record = &returned.signed.record;
        group.biz.insert((record.unit, returned.biz_code.clone()), (returned.content, key));
        group.reissues.extend(returned.reissues.map(|original| (original, key)));
        if is_new {
            match record.reverses {
                Some(original) => {
                    group.reversals.insert(original, key);
                }
                None => group.hold(record.unit, &record.uniqueness_keys, key),
            }
        }
        let acknowledgement = returned.acknowledgement.clone();
        group.returned.push(Taken { returned, body, tag, is_new });
        Ok(if is_new { Decision::TakenBack(Box::new(acknowledgement)) } else { Decision::Repeated(key) })
    }

    /// `BODY_ERASED`, if it was, or was due to be: also where the row that says so cannot be read.
    fn erased(&self, returned: &Returned) -> Result<Option<Refusal>, JournalError> {
        let (journal, key) = (&self.parts.journal, returned.key());
        match journal.stored_body(key) {
            Ok(StoredBody::Whole(_)) => return Ok(None),
            Ok(StoredBody::Erased(_)) => return Ok(Some(Refusal::new(CallReason::BodyErased))),
            Ok(StoredBody::Torn | StoredBody::Nothing) => {}
            Err(error) if error.is_damage() => {}
            Err(error) => return Err(error),
        }
        let day = day_number(returned.signed.record.issue_time, self.parts.utc_offset_minutes);
        let erased = journal.was_erased_by_name(key)? || went_by_age(journal, key.code, day)?;
        let message = "the body of this receipt was due to be erased, and does not come back";
        Ok(erased.then(|| Refusal::new(CallReason::BodyErased).with_message(message)))
    }

    /// A row that cannot be read, or is gone, is this receipt's if its biz code says so: then it is written anew.
    fn known(&self, returned: &Returned) -> Result<Known, JournalError> {
        let (journal, key) = (&self.parts.journal, returned.key());
        let row = match journal.receipt(key) {
            Err(error) if error.is_damage() => {
                return if self.is_its_biz_code(returned)? { Ok(Known::InPart) } else { Err(error) };
            }
            read => read?,
        };
        let Some(row) = row else {
            return Ok(if self.is_its_biz_code(returned)? { Known::InPart } else { Known::No });
        };
        if row.signed_record != returned.bytes {
            let is_its_own = SignedRecord::decode(&row.signed_record).is_err() && self.is_its_biz_code(returned)?;
            return Ok(if is_its_own { Known::InPart } else { Known::Other });
        }
        // A row that issuing made has its biz code. A row that was learnt from the ledger has none.
        let in_part = row.biz_code.is_empty() || !self.has_body(returned)?;
        Ok(if in_part { Known::InPart } else { Known::Whole })
    }

    fn is_its_biz_code(&self, returned: &Returned) -> Result<bool, JournalError> {
        let biz = self.parts.journal.biz(returned.signed.record.unit, &returned.biz_code)?;
        Ok(biz.is_some_and(|biz| biz.key == returned.key()))
    }

    /// Whether its body is here and is what the record commits to.
    fn has_body(&self, returned: &Returned) -> Result<bool, JournalError> {
        match self.parts.journal.body(returned.key()) {
            Err(error) if error.is_damage() => Ok(false),
            read => Ok(read?.is_some_and(|body| self.parts.cipher.holds(&returned.signed.record, &body))),
        }
    }

    /// What of this issuer stands against a receipt that it does not know.
    fn against(&self, group: &Group, returned: &Returned) -> Result<Option<Refusal>, JournalError> {
        let (journal, record) = (&self.parts.journal, &returned.signed.record);
        let view = self.parts.registry.view();
        let asker = Asker { view: &view, system: returned.caller };
        let holder = match group.biz.get(&(record.unit, returned.biz_code.clone())) {
            Some((_, key)) => Some(*key),
            None => journal.biz(record.unit, &returned.biz_code)?.map(|row| row.key),
        };
        if let Some(holder) = holder {
            let conflict = Refusal::new(Reason::BizCodeConflict).with_message("another receipt has this biz_code");
            return named(journal, asker, group, conflict, holder).map(Some);
        }
        if let Some(key) = journal.adopted(record.unit, &record.biz_key)? {
            return asker.named_of(Refusal::new(Reason::BizCodeUsed), journal, key).map(Some);
        }
        if let Some(problem) = self.number_not_ours(&view, record)? {
            return Ok(Some(Refusal::new(Reason::NumberNotOwned).with_message(problem)));
        }
        if let Some(original) = record.reverses {
            return Ok(reversed(journal, group, original)?.map(already_reversed));
        }
        if let Some(original) = returned.reissues
            && let Some(refusal) = reissue_conflict(journal, asker, group, original)?
        {
            return Ok(Some(refusal));
        }
        payment_conflict(journal, asker, group, (record.unit, &record.uniqueness_keys))
    }

    /// Why a number may not be taken back: it is called void, or may still be given out.
    fn number_not_ours(
        &self,
        view: &RegistryView,
        record: &ReceiptRecord,
    ) -> Result<Option<&'static str>, JournalError> {
        let (journal, number) = (&self.parts.journal, record.key.number.get());
        for segment in view.leased(record.unit, record.key.code) {
            if (segment.first..=segment.last).contains(&number)
                && journal.first_unused(segment.id)?.is_some_and(|first| first <= number)
            {
                return Ok(Some("this number was declared void: the journal that gave it out was not recovered"));
            }
        }
        for segment in view.segments(record.unit, record.key.code) {
            let next = journal.next_number(segment.id)?.unwrap_or(segment.first);
            if (next..=segment.last).contains(&number) {
                return Ok(Some("this number may still be given out: the journal that gave it out was not recovered"));
            }
        }
        Ok(None)
    }

    /// As issuing writes it, number and time apart: those are spent. Of one that was known, its own rows alone. Returns the tallies
    /// that changed.
    pub(super) fn write_returned(
        &mut self,
        write: &mut JournalWrite<'_>,
        group: &Group,
    ) -> Result<Vec<DayKind>, JournalError> {
        let mut changed = Vec::new();
        for taken in &group.returned {
            let record = &taken.returned.signed.record;
            let day = day_number(record.issue_time, self.parts.utc_offset_minutes);
            taken.put(write, day);
            if taken.is_new {
                let day_kind = DayKind { unit: record.unit, day, kind: kind_of(record.key.code) };
                self.queue(write, taken.key());
                self.count(day_kind, record.total)?;
                changed.push(day_kind);
            }
        }
        Ok(changed)
    }

    /// The body under a new key, and the tag of its call.
    fn sealed_body(&self, returned: &Returned) -> Result<(SealedBody, Hash), Refusal> {
        let internal = |error: &dyn std::fmt::Display| {
            tracing::error!(%error, "a receipt was not taken back");
            Refusal::new(CallReason::Internal)
        };
        let entropy = self.parts.entropy.as_ref();
        let key = keyfile::draw(entropy).map_err(|error| internal(&error))?;
        let secrets = BodySecrets { key, nonce: random_array(entropy).map_err(|error| internal(&error))? };
        let values = returned.body.disclosures().iter().map(|disclosure| &disclosure.value);
        let body = self.parts.cipher.seal(returned.key(), &returned.seed, values, &secrets);
        Ok((body.map_err(|error| internal(&error))?, secrets.tag(&returned.content)))
    }
}

/// Tells what the write took back or mended, once it is on disk.
pub(super) fn tell(group: &Group) {
    for taken in &group.returned {
        let receipt = taken.key();
        if taken.is_new {
            tracing::warn!(%receipt, "took back a receipt that a lost journal had acknowledged");
        } else {
            tracing::info!(%receipt, "completed a receipt of which this journal had a part");
        }
    }
}

/// How many of the group's returned receipts this journal did not know.
pub(super) fn new_ones(group: &Group) -> usize {
    group.returned.iter().filter(|taken| taken.is_new).count()
}
