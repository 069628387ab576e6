//! The sequencer: decides drafts one after the other, writes a group at once.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use receipt_core::blind::UniquenessKey;
use receipt_core::ids::{Fen, KeyId, ReceiptKey, UnitId, UnixMillis};
use receipt_core::reason::Reason;
use receipt_core::receipt::civil::CivilDate;
use receipt_core::record::RecordType;
use receipt_core::state::latest_block;
use receipt_core::state::tables::uniqueness_key_bytes;
use receipt_core::suite::{Signer, Suite};
use tallystick_anchoring::backlog::Backlog;
use tallystick_anchoring::gate::Gate;
use tallystick_anchoring::quorum_time::{ClockFault, QuorumTime};
use tallystick_proto::errors::{Action, CallReason, Place, Refusal, Stands};
use tallystick_service::clock::Clock;
use tallystick_service::rng::Entropy;
use zeroize::Zeroizing;

use super::assemble::{Allotted, Assembled, SECRET_BYTES, Workshop, assemble_all};
use super::prepare::{check_kind, check_suspension};
use super::{Acknowledgement, IssueResult, Issued, Prepared, SameCall, same_call};
use crate::blinding::judge;
use crate::body::BodyCipher;
use crate::failure::internal;
use crate::holder::Asker;
use crate::journal::{
    BizRow, DayKind, Durability, IssuedTally, Journal, JournalError, JournalWrite, ReceiptReads as _,
    ReceiptWrites as _, Tallies, day_number, rows_against,
};
use crate::keys::KeyRing;
use crate::metrics::IssuerMetrics;
use crate::numbering::Numbering;
use crate::registry::{Registry, RegistryView, Unit, kind_of};

mod absent;
mod conflict;
mod errands;
mod take_back;

use absent::Absent;
use conflict::{biz_code_conflict, conflict};
pub use take_back::Returned;
use take_back::Taken;

/// Tallies remembered; beyond, the memory is dropped and read again from the journal.
const TALLIES_MAX: usize = 100_000;
/// When to repeat a call that a shortage kept from being decided.
const SHORTAGE_RETRY_MS: u64 = 10_000;
/// Between two words on re-issues that wait.
const REISSUES_TOLD_EVERY: Duration = Duration::from_secs(60);

/// What the sequencer works with.
#[derive(Debug, Clone)]
pub struct SequencerParts {
    /// The journal; the sequencer alone writes records to it.
    pub journal: Arc<Journal>,
    /// Units, keys, segments.
    pub registry: Arc<Registry>,
    /// Unit keys and secrets.
    pub keys: Arc<KeyRing>,
    /// Number of the issuer's own key in the registry.
    pub issuer_key: KeyId,
    /// Encrypts bodies.
    pub cipher: Arc<BodyCipher>,
    /// Whether anything may be issued.
    pub gate: Arc<Gate>,
    /// Counts records not yet in a batch, and wakes the batcher.
    pub backlog: Arc<Backlog>,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// Whether it may be relied on.
    pub quorum_time: Arc<QuorumTime>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Metrics to update.
    pub metrics: Arc<IssuerMetrics>,
    /// The chain's suite.
    pub suite: Suite,
    /// The chain's UTC offset.
    pub utc_offset_minutes: i32,
    /// How long after the issue time the seal is promised.
    pub seal_promise_ms: u64,
    /// Records that may wait for a batch.
    pub outbox_records_max: u64,
}

/// The one writer of receipts, numbers, biz codes and the outbox.
pub struct Sequencer {
    parts: SequencerParts,
    numbering: Numbering,
    tallies: Tallies<IssuedTally>,
    last_issue_time: UnixMillis,
    outbox_end: u64,
    /// Writes made so far: what the guard follows.
    step: u64,
    /// When it was last told that re-issues wait.
    told_of_reissues: Option<Instant>,
}

/// When a group is decided.
#[derive(Debug, Clone, Copy)]
struct Moment {
    /// The issue time of what is new.
    time: UnixMillis,
    /// Whether it may be given out.
    clock: Result<(), ClockFault>,
}

/// What becomes of one draft.
enum Decision {
    Refuse(Box<Refusal>),
    /// One that is on disk.
    Existing(ReceiptKey),
    /// The same call as an earlier one of the group, which will be written with it.
    Repeated(ReceiptKey),
    /// A new one, by its place in the group.
    New(usize),
    /// One that a lost journal acknowledged, which will be written with the group.
    TakenBack(Box<Acknowledgement>),
}

/// What the group has decided and not yet written.
#[derive(Default)]
struct Group {
    absent: Absent,
    allotted: Vec<Allotted>,
    returned: Vec<Taken>,
    biz: HashMap<(UnitId, String), (receipt_core::hash::Hash, ReceiptKey)>,
    /// Uniqueness keys by the rows that they will be in the journal.
    uniqueness: BTreeMap<[u8; 23], (UnitId, UniquenessKey, ReceiptKey)>,
    reversals: HashMap<ReceiptKey, ReceiptKey>,
    reissues: HashMap<ReceiptKey, ReceiptKey>,
    /// How many receipts without a body were looked at.
    bare_looked_at: usize,
    /// An original whose re-issue was refused, because a receipt without a body may be one.
    waiting_reissue: Option<ReceiptKey>,
}

/// What a refusal may say of a receipt of the group.
struct GroupReceipt<'a> {
    unit: UnitId,
    biz_code: &'a str,
    place_code: &'a str,
}

impl Group {
    fn receipt(&self, key: ReceiptKey) -> Option<GroupReceipt<'_>> {
        if let Some(taken) = self.returned.iter().find(|taken| taken.key() == key) {
            return Some(taken.receipt());
        }
        let allotted = self.allotted.iter().find(|allotted| allotted.key() == key)?;
        let Prepared { unit, draft, .. } = &allotted.prepared;
        Some(GroupReceipt { unit: unit.id, biz_code: &draft.biz_code, place_code: &draft.place_code })
    }

    /// Notes what a new receipt of a unit holds.
    fn hold(&mut self, unit: UnitId, keys: &[UniquenessKey], holder: ReceiptKey) {
        let row = |key: &UniquenessKey| (uniqueness_key_bytes(unit, key), (unit, *key, holder));
        self.uniqueness.extend(keys.iter().map(row));
    }

    /// The receipt of this group that holds a uniqueness key, as `receipted` of the journal tells it.
    fn receipted(&self, unit: UnitId, key: UniquenessKey) -> Option<ReceiptKey> {
        let mut found = rows_against(unit, key).into_iter().flat_map(|rows| self.uniqueness.range(rows));
        found.next().map(|(_, (_, _, holder))| *holder)
    }

    /// Records that its write will queue.
    fn records(&self) -> u64 {
        (self.allotted.len() + take_back::new_ones(self)) as u64
    }
}

/// What arrived together and is written together.
#[derive(Default)]
pub struct Work {
    /// Receipts handed back. They are decided first: their numbers and payments are spent already.
    pub returned: Vec<Returned>,
    /// Drafts.
    pub drafts: Vec<Prepared>,
}

/// What became of it: one result per piece, in order.
#[derive(Debug)]
pub struct WorkDone {
    /// Results of the receipts handed back.
    pub returned: Vec<IssueResult>,
    /// Results of the drafts, in the order of the calls.
    pub drafts: Vec<IssueResult>,
}

impl Sequencer {
    /// Takes up where the journal ends.
    pub fn open(parts: SequencerParts) -> Result<Self, JournalError> {
        let last_issue_time = parts.journal.last_issue_time()?;
        let outbox_end = parts.journal.outbox_end()?;
        let step = parts.journal.step()?.unwrap_or(0);
        let (numbering, tallies) = (Numbering::default(), Tallies::default());
        Ok(Self { parts, numbering, tallies, last_issue_time, outbox_end, step, told_of_reissues: None })
    }

    /// Issues drafts: one result per draft, in order. Everything new is durable when this returns. An error is fatal.
    pub fn issue(&mut self, drafts: Vec<Prepared>) -> Result<Vec<IssueResult>, JournalError> {
        Ok(self.work(Work { returned: Vec::new(), drafts })?.drafts)
    }

    /// Decides a group and makes it durable in one synced write. An error is fatal.
    pub fn work(&mut self, work: Work) -> Result<WorkDone, JournalError> {
        let view = self.parts.registry.view();
        let now = self.parts.clock.now();
        let clock = self.parts.quorum_time.check_issuing(now, self.last_issue_time);
        // If the clock went back a little, the last issue time is used again; beyond the bound nothing is issued.
        let moment = Moment { time: self.parts.quorum_time.issue_time(now, self.last_issue_time), clock };
        let mut group = Group { absent: Absent::of(&self.parts.journal, &work.drafts)?, ..Group::default() };
        let returned = work.returned.into_iter().map(|returned| readable(self.decide_returned(&mut group, returned)));
        let returned = returned.collect::<Result<Vec<_>, _>>()?;
        let drafts = work.drafts.into_iter().map(|draft| readable(self.decide(&view, moment, &mut group, draft)));
        let drafts = drafts.collect::<Result<Vec<_>, _>>()?;
        self.tell_of_reissues(&group);
        let new = match self.assemble(std::mem::take(&mut group.allotted)) {
            Ok(assembled) => self.put(&group, assembled, moment.time)?,
            Err(refusal) => {
                // Nothing was written, so the numbers of this group are free again.
                self.numbering.reset();
                Err(refusal)
            }
        };
        let settled =
            |decisions: Vec<Decision>| decisions.into_iter().map(|decision| settle(decision, new.as_deref())).collect();
        Ok(WorkDone { returned: settled(returned), drafts: settled(drafts) })
    }

    /// Seldom: a caller may repeat its call as often as it likes.
    fn tell_of_reissues(&mut self, group: &Group) {
        let is_due = self.told_of_reissues.is_none_or(|told| told.elapsed() >= REISSUES_TOLD_EVERY);
        if let Some(original) = group.waiting_reissue.filter(|_| is_due) {
            self.told_of_reissues = Some(Instant::now());
            tracing::warn!(
                %original,
                "re-issues wait: receipts that were learnt from the ledger, and were not handed back yet, may be of the same originals"
            );
        }
    }

    fn decide(
        &mut self,
        view: &RegistryView,
        moment: Moment,
        group: &mut Group,
        mut draft: Prepared,
    ) -> Result<Decision, JournalError> {
        let journal = &self.parts.journal;
        let biz = (draft.unit.id, draft.draft.biz_code.clone());
        let asker = Asker { view, system: draft.caller };
        if let Some((content, key)) = group.biz.get(&biz).copied() {
            return Ok(if content == draft.content {
                Decision::Repeated(key)
            } else {
                Decision::Refuse(Box::new(biz_code_conflict(journal, asker, group, key)?))
            });
        }
        let row = if group.absent.has_biz(&biz) { None } else { journal.biz(biz.0, &biz.1)? };
        if let Some(row) = row {
            let refusal = match same_call(journal, &self.parts.cipher, &row, &draft.content)? {
                SameCall::Same => return Ok(Decision::Existing(row.key)),
                SameCall::Erased => asker.named_of(erased(), journal, row.key)?,
                SameCall::Other => biz_code_conflict(journal, asker, group, row.key)?,
            };
            return Ok(Decision::Refuse(Box::new(refusal)));
        }
        if let Err(closed) = self.parts.gate.check() {
            return Ok(Decision::Refuse(Box::new(closed.refusal())));
        }
        if let Err(fault) = moment.clock {
            return Ok(Decision::Refuse(Box::new(fault.refusal())));
        }
        let time = moment.time;
        if let Err(refusal) = self.check_permissions(view, &draft, time) {
            return Ok(Decision::Refuse(Box::new(refusal)));
        }
        let waiting = self.parts.backlog.records().saturating_add(group.records());
        if waiting >= self.parts.outbox_records_max {
            return Ok(refuse(Reason::Overloaded));
        }
        match CivilDate::at(time, self.parts.utc_offset_minutes) {
            Ok(today) if !draft.dated => draft.draft.issue_date = today,
            Ok(today) if today == draft.draft.issue_date => {}
            _ => return Ok(refuse(Reason::DateOutOfRange)),
        }
        if let Some(refusal) = conflict(journal, asker, group, &draft)? {
            return Ok(Decision::Refuse(Box::new(refusal)));
        }
        let Some((signing_key, signer)) = signing_key(&self.parts.keys, view, &draft.unit, time) else {
            return Ok(Decision::Refuse(Box::new(no_unit_key())));
        };
        let code = draft.draft.receipt_code;
        let Some(number) = self.numbering.allot(journal, view, draft.unit.id, code)? else {
            return Ok(refuse(Reason::NumberExhausted));
        };
        let key = ReceiptKey { code, number };
        group.biz.insert(biz, (draft.content, key));
        match draft.reverses {
            Some(original) => {
                group.reversals.insert(original, key);
            }
            None => group.hold(draft.unit.id, &draft.uniqueness, key),
        }
        group.reissues.extend(draft.reissues.map(|original| (original, key)));
        group.allotted.push(Allotted { prepared: draft, number, issue_time: time, signing_key, signer });
        Ok(Decision::New(group.allotted.len() - 1))
    }

    /// What the ledger will ask of a receipt of this issue time, asked of the registry as it is known now: the draft has waited since it was
    /// prepared, and its unit may have been suspended, or a date may have come.
    fn check_permissions(&self, view: &RegistryView, draft: &Prepared, time: UnixMillis) -> Result<(), Refusal> {
        // The receipt would go into a batch that the issuer's key signs. If that key has ended, no block would ever carry it.
        let held = self.parts.keys.issuer.public_key();
        let carries = view.own.carries(&[RecordType::Receipt]);
        let own = carries.and_then(|()| view.own.check(self.parts.issuer_key, &held, time, latest_block(time)));
        own.map_err(|fault| fault.refusal())?;
        judge(self.parts.keys.blinding.epochs(), &view.blinding).map_err(|fault| fault.refusal())?;
        let unit = view.unit(draft.unit.id).unwrap_or(&draft.unit);
        check_suspension(unit, time)?;
        check_kind(unit, draft.draft.receipt_code, time)
    }

    fn assemble(&self, allotted: Vec<Allotted>) -> Result<Vec<Assembled>, Refusal> {
        let internal = |error: &dyn std::fmt::Display| {
            tracing::error!(%error, "a group of receipts was not issued");
            // Whatever failed here, it is known that nothing was written.
            Refusal::new(CallReason::Internal).with_advice(Stands::No, Place::Nowhere, Action::Repeat)
        };
        let mut secrets = Zeroizing::new(vec![0; allotted.len() * SECRET_BYTES]);
        self.parts.entropy.fill(&mut secrets).map_err(|error| internal(&error))?;
        let workshop = Workshop {
            chain: self.parts.journal.identity().chain,
            suite: self.parts.suite,
            blinding_epoch: self.parts.keys.blinding.epoch(),
            seal_promise_ms: self.parts.seal_promise_ms,
            cipher: &self.parts.cipher,
        };
        assemble_all(&workshop, allotted, &secrets).map_err(|error| internal(&error))
    }

    /// Writes a group, if there is anything to write.
    fn put(
        &mut self,
        group: &Group,
        assembled: Vec<Assembled>,
        time: UnixMillis,
    ) -> Result<Result<Vec<Acknowledgement>, Refusal>, JournalError> {
        if !assembled.is_empty() || !group.returned.is_empty() {
            let outbox_end = self.outbox_end;
            match self.write(group, &assembled, time) {
                // A read has met the shortage before anything was written. Forget what this group would have spent.
                Err(error) if error.may_pass() => {
                    tracing::error!(%error, "a group of receipts was not issued");
                    self.outbox_end = outbox_end;
                    self.tallies = Tallies::default();
                    self.numbering.reset();
                    return Ok(Err(short_of_files()));
                }
                written => written?,
            }
        }
        Ok(Ok(assembled.into_iter().map(|receipt| receipt.acknowledgement).collect()))
    }

    /// Receipts, biz codes, payment keys, numbers, tallies and outbox in one synced write.
    fn write(&mut self, group: &Group, assembled: &[Assembled], time: UnixMillis) -> Result<(), JournalError> {
        let parts = self.parts.clone();
        let day = day_number(time, parts.utc_offset_minutes);
        let mut write = parts.journal.write();
        let mut changed = self.write_returned(&mut write, group)?;
        for receipt in assembled {
            let (key, unit) = (receipt.acknowledgement.key, receipt.unit);
            write.put_receipt(key, &receipt.row, &receipt.body);
            write.put_biz(unit, &receipt.row.biz_code, BizRow { content: receipt.content, key });
            write.put_day(unit, day, key, &receipt.row.place_code);
            self.queue(&mut write, key);
            let day_kind = DayKind { unit, day, kind: kind_of(key.code) };
            self.count(day_kind, receipt.total)?;
            changed.push(day_kind);
        }
        changed.sort_unstable();
        changed.dedup();
        for day_kind in changed {
            write.put_issued(day_kind, self.tallies.get(day_kind));
        }
        for (unit, unique, holder) in group.uniqueness.values() {
            write.put_uniqueness(*unit, *unique, *holder);
        }
        for (original, red) in &group.reversals {
            write.put_reversal(*original, *red);
        }
        for (original, reissue) in &group.reissues {
            write.put_reissue(*original, *reissue);
        }
        self.numbering.write(&mut write);
        // Receipts that were handed back have issue times already, so only new ones advance the last issue time.
        let last_issue_time = if assembled.is_empty() { self.last_issue_time } else { time };
        write.put_last_issue_time(last_issue_time);
        let step = self.step.saturating_add(1);
        write.put_step(step);
        write.commit(Durability::Synced)?;
        self.step = step;
        self.last_issue_time = last_issue_time;
        self.tallies.clear_above(TALLIES_MAX);
        parts.backlog.grown_to(self.outbox_end);
        if take_back::new_ones(group) < group.returned.len() {
            parts.backlog.mended();
        }
        parts.metrics.issued(assembled.len() + take_back::new_ones(group));
        take_back::tell(group);
        Ok(())
    }

    /// Puts a record at the end of the outbox.
    fn queue(&mut self, write: &mut JournalWrite<'_>, key: ReceiptKey) {
        write.put_outbox(self.outbox_end, key);
        self.outbox_end = self.outbox_end.saturating_add(1);
    }

    /// Counts a receipt as issued on its day.
    fn count(&mut self, day_kind: DayKind, total: Fen) -> Result<(), JournalError> {
        self.tallies.of(day_kind, |day_kind| self.parts.journal.issued(day_kind))?.add(total);
        Ok(())
    }
}

/// A row that cannot be read ends one call, not the process: nothing was written, and whoever asks again would end it again. Nor does a machine
/// that is short of files or memory for the moment.
fn readable(decided: Result<Decision, JournalError>) -> Result<Decision, JournalError> {
    match decided {
        Err(error) if error.may_pass() => {
            tracing::error!(%error, "a call was not decided");
            Ok(Decision::Refuse(Box::new(short_of_files())))
        }
        Err(error) if error.is_damage() => Ok(Decision::Refuse(Box::new(internal(error)))),
        decided => decided,
    }
}

fn refuse(reason: Reason) -> Decision {
    Decision::Refuse(Box::new(Refusal::new(reason)))
}

fn settle(decision: Decision, new: Result<&[Acknowledgement], &Refusal>) -> IssueResult {
    match (decision, new) {
        // The refusal names a receipt that exists. That may be one of this group, which was not written after all.
        (Decision::Refuse(refusal), Err(failed)) if refusal.advice.receipt != Stands::No => Err(failed.clone()),
        (Decision::Refuse(refusal), _) => Err(*refusal),
        (Decision::Existing(key), _) | (Decision::Repeated(key), Ok(_)) => Ok(Issued::Existing(key)),
        (Decision::New(index), Ok(new)) => match new.get(index) {
            Some(acknowledgement) => Ok(Issued::New(Box::new(acknowledgement.clone()))),
            None => Err(Refusal::new(CallReason::OutcomeUnknown)),
        },
        (Decision::TakenBack(acknowledgement), Ok(_)) => Ok(Issued::New(acknowledgement)),
        (Decision::New(_) | Decision::Repeated(_) | Decision::TakenBack(_), Err(refusal)) => Err(refusal.clone()),
    }
}

/// `BODY_ERASED`: what was sent under this biz code is not known any more, so nothing can be compared with it.
pub(crate) fn erased() -> Refusal {
    Refusal::new(CallReason::BodyErased)
        .with_message("a receipt has this biz_code, and its body was erased; GetReceipt tells what is left of it")
}

/// A condition of this issuer that passes. Nothing was written.
fn short_of_files() -> Refusal {
    Refusal::new(CallReason::NotReady)
        .with_message("this issuer cannot read its journal for the moment; repeat the call")
        .with_retry_after_ms(SHORTAGE_RETRY_MS)
}

/// A condition of this issuer: it passes, and another issuer of the unit may hold a key.
fn no_unit_key() -> Refusal {
    Refusal::new(CallReason::NotReady)
        .with_message("this issuer holds no valid key of the unit; try another issuer of the unit, or later")
        .with_retry_after_ms(60_000)
}

/// The newest key of the unit that is valid now and in this issuer's custody (V17).
fn signing_key(keys: &KeyRing, view: &RegistryView, unit: &Unit, time: UnixMillis) -> Option<(KeyId, Arc<dyn Signer>)> {
    // Use the unit as it is registered now, not as it was when the draft was prepared.
    let unit = view.unit(unit.id)?;
    let valid = unit.keys.iter().filter(|key| key.covers(time));
    let held =
        valid.filter_map(|key| Some((key.id, keys.unit(key.id).filter(|held| held.public_key() == key.public)?)));
    held.max_by_key(|(id, _)| *id).map(|(id, signer)| (id, Arc::clone(signer)))
}
