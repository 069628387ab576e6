//! Cuts batches: from the outbox (and the good records of refused batches) to a signed header, stored before it is sent.
//!
//! A batch is closed at its limit in records or bytes, or when its first record has waited long enough; while as many are on their
//! way as allowed, the outbox grows and the next batch is larger. Invariants: sequences ascend by one; a header is on disk before
//! any node sees it, so that one sequence never has two; records leave the outbox in the write that stores their batch. A header is
//! signed only while the submitter's key permits it: under an ended one no block would carry it, and its sequence would stand
//! before all later ones. A record issued more than five minutes ahead of the validators' time is set aside until then, and those
//! after it are cut: the ledger would have its batch wait, and all later ones behind it. So is one whose row cannot be read, until
//! it can be, or is written anew; an undecided batch with such a record is not offered until then, nor one whose records are not those of
//! its header. Nothing is signed or sent before the
//! journal has caught up with the ledger, nor once it is halted: an older copy would sign a second header under a used sequence.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use receipt_core::batch::{BatchHeader, SignedBatchHeader};
use receipt_core::ids::{BatchSequence, KeyId, RecordKey, UnixMillis};
use receipt_core::merkle::InnerTree;
use receipt_core::record::SignedRecord;
use receipt_core::suite::{Signer, Suite};
use tallystick_proto::ledger::v1::SubmitBatchRequest;
use tallystick_service::shutdown::CancellationToken;

use crate::desk::Desk;
use crate::journal::{BatchRow, Durability, JournalError, Placement};
use crate::quorum_time::QuorumTime;
use crate::registered::KeyFault;

use aside::{Aside, Source};

mod aside;

#[cfg(test)]
mod tests;

/// While the key permits no batch, or records wait for their time, before it is looked at again.
const HELD_BACK_PAUSE: Duration = Duration::from_secs(1);
/// While rows cannot be read, before they are read again: a disk may recover, and nobody tells.
const LOOK_AGAIN_PAUSE: Duration = Duration::from_secs(60);
/// Records that a message names.
const NAMED_MAX: usize = 20;

/// What the batcher works with.
#[derive(Clone)]
pub struct BatcherParts {
    /// What it shares with the others.
    pub desk: Desk,
    /// Signs headers.
    pub signer: Arc<dyn Signer>,
    /// That key's number in the registry.
    pub signing_key: KeyId,
    /// How far ahead of the validators a record is.
    pub quorum_time: Arc<QuorumTime>,
    /// The chain's suite.
    pub suite: Suite,
    /// Records of a batch.
    pub records_max: usize,
    /// Bytes of all its records.
    pub bytes_max: usize,
    /// Age at which it is closed.
    pub age: Duration,
    /// Batches on their way at once.
    pub in_flight_max: usize,
}

/// The one cutter of batches.
pub struct Batcher {
    parts: BatcherParts,
    epoch: u32,
    next: BatchSequence,
    outbox_start: u64,
    held_back: Option<KeyFault>,
    aside: Aside,
    looked: Instant,
    look_again_pause: Duration,
}

/// A record about to be cut.
struct Waiting {
    source: Source,
    key: RecordKey,
    signed: Vec<u8>,
}

/// What the next batch holds.
struct Collected {
    waiting: Vec<Waiting>,
    /// The decoded form of the bytes above.
    records: Vec<SignedRecord>,
    /// Where the outbox begins after them.
    outbox_start: u64,
}

impl Batcher {
    /// Takes up where the journal ends.
    pub fn open(parts: BatcherParts) -> Result<Self, JournalError> {
        let journal = &parts.desk.journal;
        let outbox_start = journal.outbox(0, 1)?.first().map_or(journal.outbox_end()?, |(position, _)| *position);
        Ok(Self {
            epoch: journal.epoch()?,
            next: journal.next_sequence()?,
            outbox_start,
            held_back: None,
            aside: Aside::default(),
            looked: Instant::now(),
            look_again_pause: LOOK_AGAIN_PAUSE,
            parts,
        })
    }

    /// Undecided batches set out again, with the same headers; under this issuer's present key, if the former one has ended. One with a
    /// record that cannot be read stays behind.
    pub fn set_out(&self) -> Result<(), JournalError> {
        for sequence in self.parts.desk.journal.undecided()? {
            self.set_out_one(sequence, true)?;
        }
        Ok(())
    }

    /// `tells` why it does not, if so.
    fn set_out_one(&self, sequence: BatchSequence, tells: bool) -> Result<(), JournalError> {
        let Desk { journal, flight, .. } = &self.parts.desk;
        let mut row = journal.batch(sequence)?.ok_or(JournalError::Corrupt("an undecided batch is missing"))?;
        if let Some(signed_header) = self.signed_anew(&row)? {
            tracing::warn!(%sequence, key = %self.parts.signing_key, "an undecided batch is signed anew: its key has ended");
            row.signed_header = signed_header;
            let mut write = journal.write();
            write.put_batch(sequence, self.next, &row);
            write.commit(Durability::Synced)?;
        }
        let (mut records, mut unreadable) = (Vec::new(), Vec::new());
        for (key, read) in journal.each_signed_record(&row.keys()?)? {
            match read {
                Ok((bytes, _)) => records.push(Bytes::from(bytes)),
                Err(error) => unreadable.push((key, error)),
            }
        }
        if unreadable.is_empty() && self.are_of_header(&records, &row)? {
            flight.depart(sequence, SubmitBatchRequest { signed_header: Bytes::from(row.signed_header), records });
            return Ok(());
        }
        if tells && unreadable.is_empty() {
            tracing::error!(
                %sequence,
                "ALARM: the records of an undecided batch are not those that its header commits to, so every node would refuse it; it is not \
                 offered, and later ones wait behind it. Under a number of it the acknowledgement of another journal was handed back, of a \
                 copy that ran beside this one. Have the issuer fenced and run `recover`, which takes undecided batches apart \
                 (docs/ops/repair.md)"
            );
        } else if tells {
            let (records, error) = self.named(&unreadable);
            tracing::error!(
                %sequence, records, error,
                "ALARM: acknowledged records of an undecided batch cannot be read, so it is not offered, and later ones wait behind it. \
                 They are read again every minute. Nothing is lost if they are written anew; `check-journal` says by whom (docs/ops/repair.md)"
            );
        }
        flight.ground(sequence, row.record_count() as u64);
        Ok(())
    }

    /// One that was mended is what its caller handed back: of two journals side by side it may be the other one's.
    fn are_of_header(&self, records: &[Bytes], row: &BatchRow) -> Result<bool, JournalError> {
        let signed =
            SignedBatchHeader::decode(&row.signed_header).map_err(|_| JournalError::Corrupt("a batch header"))?;
        let tree = InnerTree::from_leaves(self.parts.suite, records).map_err(|_| JournalError::Corrupt("a batch"))?;
        Ok(tree.root() == signed.header.root)
    }

    /// Names of records, and what is wrong with the first.
    fn named(&self, unreadable: &[(RecordKey, JournalError)]) -> (String, String) {
        let names = unreadable.iter().take(NAMED_MAX).map(|(key, _)| self.parts.desk.owner.name(*key));
        let mut names = names.collect::<Vec<_>>().join(", ");
        if let Some(more) = unreadable.len().checked_sub(NAMED_MAX).filter(|more| *more > 0) {
            names = format!("{names} and {more} more");
        }
        (names, unreadable.first().map(|(_, error)| error.to_string()).unwrap_or_default())
    }

    /// Whether rows could not be read, when they were looked at last.
    fn has_unreadable(&self) -> bool {
        self.aside.unreadable_count() > 0 || !self.parts.desk.flight.grounded().is_empty()
    }

    /// Once somebody has written records anew, and each minute: those that can be read now are cut next, and batches of them set out.
    fn look_again(&mut self) -> Result<(), JournalError> {
        let Desk { journal, flight, backlog, gate, .. } = self.parts.desk.clone();
        if !gate.seals() {
            return Ok(());
        }
        let is_mended = backlog.take_mended();
        if !is_mended && (!self.has_unreadable() || self.looked.elapsed() < self.look_again_pause) {
            return Ok(());
        }
        self.looked = Instant::now();
        let waiting: Vec<(Source, RecordKey)> = self.aside.unreadable().collect();
        let keys: Vec<RecordKey> = waiting.iter().map(|(_, key)| *key).collect();
        for ((source, key), (_, read)) in waiting.into_iter().zip(journal.each_signed_record(&keys)?) {
            if let Ok((_, signed)) = read {
                tracing::info!(
                    record = self.parts.desk.owner.name(key),
                    "a record that could not be read can be read again"
                );
                self.aside.put_early(source, signed.record.issue_time, key);
            }
        }
        self.show_aside();
        for sequence in flight.grounded() {
            if journal.outcome(sequence)?.is_none() {
                self.set_out_one(sequence, is_mended)?;
            }
            // The ledger may have decided this batch before it stood in `flight`; then the follower found no entry to end there.
            if journal.outcome(sequence)?.is_some() {
                flight.decided(sequence);
            }
        }
        Ok(())
    }

    fn show_aside(&self) {
        let backlog = &self.parts.desk.backlog;
        backlog.set_aside(self.aside.early_count() as u64, self.aside.unreadable_count() as u64);
    }

    /// The header of an undecided batch under the present key, if its own key has ended. One sequence never has two headers that a
    /// block could carry: the journal has followed the ledger up to the end of the key, no block up to there has carried the old
    /// one, and none after it can.
    fn signed_anew(&self, row: &BatchRow) -> Result<Option<Vec<u8>>, JournalError> {
        let parts = &self.parts;
        let (view, tip_time) = (parts.desk.registered.view(), parts.desk.journal.followed_tip()?.time);
        let old = SignedBatchHeader::decode(&row.signed_header).map_err(|_| JournalError::Corrupt("a batch header"))?;
        let last = old.header.last_issue_time;
        let held = parts.signer.public_key();
        if old.header.signing_key == parts.signing_key || !view.has_ended(old.header.signing_key, last, tip_time) {
            return Ok(None);
        }
        if let Err(fault) = view.check(parts.signing_key, &held, last, tip_time) {
            tracing::error!(
                sequence = %old.header.sequence, %fault,
                "ALARM: the key of an undecided batch has ended, and the present key does not cover its issue times; \
                 register one that does, or have the issuer fenced and run `recover`"
            );
            return Ok(None);
        }
        let header = BatchHeader { signing_key: parts.signing_key, ..old.header };
        let chain = parts.desk.journal.identity().chain;
        Ok(Some(SignedBatchHeader::sign(header, chain, parts.signer.as_ref()).encode()))
    }

    /// Once the journal has caught up: sends what is undecided, then cuts until the token is cancelled. An error is fatal
    /// to the process.
    pub async fn run(mut self, token: CancellationToken) -> Result<(), JournalError> {
        let gate = Arc::clone(&self.parts.desk.gate);
        tokio::select! {
            () = gate.until_it_seals() => {}
            () = token.cancelled() => return Ok(()),
        }
        tokio::task::block_in_place(|| self.set_out())?;
        loop {
            let ripe = tokio::select! {
                ripe = self.ripe() => ripe,
                () = token.cancelled() => return Ok(()),
            };
            let cut =
                ripe.and_then(|()| if gate.seals() { tokio::task::block_in_place(|| self.cut()) } else { Ok(None) });
            let cut = match cut {
                // Nothing was cut. The next round reads from the journal again what waits.
                Err(error) if error.may_pass() => {
                    tracing::warn!(%error, "no batch is cut for the moment");
                    None
                }
                cut => cut?,
            };
            if cut.is_none() {
                tokio::select! {
                    () = tokio::time::sleep(HELD_BACK_PAUSE) => {}
                    () = token.cancelled() => return Ok(()),
                }
            }
        }
    }

    /// Waits until a batch should be cut.
    async fn ripe(&mut self) -> Result<(), JournalError> {
        let full = u64::try_from(self.parts.records_max).unwrap_or(u64::MAX);
        let Desk { backlog, flight, gate, .. } = self.parts.desk.clone();
        gate.until_it_seals().await;
        loop {
            // This also runs while no further batch may be cut: the batches on their way may wait for a damaged one that can be read again now.
            tokio::task::block_in_place(|| self.look_again())?;
            let may_cut = flight.count() < self.parts.in_flight_max;
            if may_cut && (backlog.records() > 0 || self.is_one_ripe()) {
                break;
            }
            tokio::select! {
                () = backlog.changed() => {}
                () = tokio::time::sleep(HELD_BACK_PAUSE), if self.aside.early_count() > 0 => {}
                () = tokio::time::sleep(self.look_again_pause), if self.has_unreadable() => {}
            }
        }
        let aged = tokio::time::sleep(self.parts.age);
        tokio::pin!(aged);
        while backlog.records() < full {
            tokio::select! {
                () = &mut aged => break,
                () = backlog.changed() => {}
            }
        }
        Ok(())
    }

    fn is_one_ripe(&self) -> bool {
        self.aside.ripe(&self.parts.quorum_time).next().is_some()
    }

    /// Cuts one batch, if anything waits and the key permits it. Returns its sequence.
    pub fn cut(&mut self) -> Result<Option<BatchSequence>, JournalError> {
        self.look_again()?;
        let Collected { waiting, records, outbox_start } = self.collect()?;
        if waiting.is_empty() {
            self.outbox_start = outbox_start;
            self.parts.desk.backlog.taken(outbox_start, 0);
            return Ok(None);
        }
        let sequence = self.next;
        let next = sequence.next().ok_or(JournalError::Corrupt("batch sequence"))?;
        let Some((header, row)) = self.build(sequence, &waiting, &records)? else { return Ok(None) };
        let desk = &self.parts.desk;
        let mut write = desk.journal.write();
        let mut requeued = 0;
        for (index, record) in (0_u16..).zip(&waiting) {
            write.put_placement(record.key, Placement::Batched { sequence, index });
            match record.source {
                Source::Outbox(position) => write.delete_outbox(position),
                Source::Requeue(refused, index) => {
                    write.delete_requeue(refused, index);
                    // A record that was set aside is not in the backlog's count.
                    requeued += u64::from(!self.aside.has(record.source));
                }
            }
        }
        write.put_batch(sequence, next, &row);
        write.commit(Durability::Synced)?;
        for record in &waiting {
            self.aside.remove(record.source);
        }
        self.next = next;
        self.outbox_start = outbox_start;
        self.show_aside();
        let desk = &self.parts.desk;
        desk.backlog.taken(outbox_start, requeued);
        desk.metrics.batches_cut.inc();
        let records = waiting.into_iter().map(|record| Bytes::from(record.signed)).collect();
        desk.flight.depart(sequence, SubmitBatchRequest { signed_header: header.into(), records });
        desk.metrics.batches_in_flight.set(desk.flight.count() as u64);
        desk.metrics.outbox_records.set(desk.backlog.records());
        Ok(Some(sequence))
    }

    /// As many waiting records as a batch takes. Those that were set aside and are ripe come first, then those of refused batches. What
    /// is early, or cannot be read, is set aside.
    fn collect(&mut self) -> Result<Collected, JournalError> {
        let sources = self.sources()?;
        let keys: Vec<RecordKey> = sources.iter().map(|(_, key)| *key).collect();
        let mut bytes = 0;
        let mut collected = Collected {
            waiting: Vec::with_capacity(sources.len()),
            records: Vec::with_capacity(sources.len()),
            outbox_start: self.outbox_start,
        };
        let (mut unreadable, mut requeued) = (Vec::new(), 0);
        let read = self.parts.desk.journal.each_signed_record(&keys)?;
        for ((source, key), (_, read)) in sources.into_iter().zip(read) {
            let was_aside = self.aside.has(source);
            let is_aside = match read {
                Ok((_, record)) if self.parts.quorum_time.is_early(record.record.issue_time) => {
                    self.set_aside(source, record.record.issue_time, key);
                    true
                }
                Ok((signed, record)) => {
                    bytes += signed.len();
                    if bytes > self.parts.bytes_max && !collected.waiting.is_empty() {
                        break;
                    }
                    collected.waiting.push(Waiting { source, key, signed });
                    collected.records.push(record);
                    false
                }
                Err(error) => {
                    self.aside.put_unreadable(source, key);
                    unreadable.push((key, error));
                    true
                }
            };
            match source {
                Source::Outbox(position) => {
                    collected.outbox_start = collected.outbox_start.max(position.saturating_add(1));
                }
                Source::Requeue(..) => requeued += u64::from(is_aside && !was_aside),
            }
        }
        if !unreadable.is_empty() {
            let (records, error) = self.named(&unreadable);
            tracing::error!(
                records,
                error,
                "ALARM: acknowledged records that wait for a batch cannot be read; they keep their numbers and wait until they are \
                 written anew, and others are cut meanwhile. `check-journal` says by whom (docs/ops/repair.md)"
            );
        }
        self.show_aside();
        self.parts.desk.backlog.taken(self.outbox_start, requeued);
        Ok(collected)
    }

    fn sources(&self) -> Result<Vec<(Source, RecordKey)>, JournalError> {
        let (journal, most) = (&self.parts.desk.journal, self.parts.records_max);
        let mut sources: Vec<(Source, RecordKey)> = self.aside.ripe(&self.parts.quorum_time).take(most).collect();
        // The journal still lists the records that were set aside: read that many more, and leave them out below.
        let requeued = journal.requeued(most.saturating_add(self.aside.count()))?.into_iter();
        let requeued = requeued.map(|(batch, index, key)| (Source::Requeue(batch, index), key));
        let outbox = journal.outbox(self.outbox_start, most)?.into_iter();
        let outbox = outbox.map(|(position, key)| (Source::Outbox(position), key));
        let fresh = requeued.chain(outbox).filter(|(source, _)| !self.aside.has(*source));
        let room = most - sources.len();
        sources.extend(fresh.take(room));
        Ok(sources)
    }

    fn set_aside(&mut self, source: Source, issue_time: UnixMillis, key: RecordKey) {
        if self.aside.early_count() == 0 {
            let ahead_ms = self.parts.quorum_time.latest().map(|latest| issue_time.since(latest));
            tracing::warn!(
                record = self.parts.desk.owner.name(key),
                ahead_ms,
                "a record was issued too far ahead of the validators' time; it waits until then, and others are cut meanwhile"
            );
        }
        self.aside.put_early(source, issue_time, key);
    }

    /// Tells once when the key holds batches back, and once when it does so no more.
    fn permitted(&mut self, last_issue_time: UnixMillis) -> Result<bool, JournalError> {
        let parts = &self.parts;
        let (held, tip_time) = (parts.signer.public_key(), parts.desk.journal.followed_tip()?.time);
        let view = parts.desk.registered.view();
        let carries = view.carries(parts.desk.owner.record_types());
        let fault = carries.and_then(|()| view.check(parts.signing_key, &held, last_issue_time, tip_time)).err();
        match (self.held_back, fault) {
            (None, Some(fault)) => {
                tracing::error!(%fault, "ALARM: no batch is cut under this key; what waits stays waiting")
            }
            (Some(_), None) => tracing::info!("the issuer's key permits batches again"),
            _ => {}
        }
        self.held_back = fault;
        Ok(fault.is_none())
    }

    /// The header, signed, and the row; `None` if the key does not permit it.
    fn build(
        &mut self,
        sequence: BatchSequence,
        waiting: &[Waiting],
        records: &[SignedRecord],
    ) -> Result<Option<(Vec<u8>, BatchRow)>, JournalError> {
        let corrupt = || JournalError::Corrupt("a signed record");
        let mut row = BatchRow::default();
        let mut times = Vec::with_capacity(waiting.len());
        for (waiting, signed) in waiting.iter().zip(records) {
            times.push(signed.record.issue_time);
            row.push_key(waiting.key);
        }
        row.note = self.parts.desk.owner.note(records)?;
        let last_issue_time = times.iter().max().copied().ok_or_else(corrupt)?;
        if !self.permitted(last_issue_time)? {
            return Ok(None);
        }
        let signed = waiting.iter().map(|record| &record.signed);
        let tree = InnerTree::from_leaves(self.parts.suite, signed).map_err(|_| corrupt())?;
        let header = BatchHeader {
            suite: self.parts.suite,
            issuer: self.parts.desk.journal.identity().issuer,
            epoch: self.epoch,
            sequence,
            count: u32::try_from(waiting.len()).map_err(|_| corrupt())?,
            root: tree.root(),
            first_issue_time: times.iter().min().copied().ok_or_else(corrupt)?,
            last_issue_time,
            signing_key: self.parts.signing_key,
        };
        let chain = self.parts.desk.journal.identity().chain;
        let header = SignedBatchHeader::sign(header, chain, self.parts.signer.as_ref()).encode();
        row.signed_header.clone_from(&header);
        Ok(Some((header, row)))
    }
}
