//! What sealed blocks mean for this issuer, as one journal write per step.
//!
//! - a header of ours: its records are SEALED; red ones free their original's payment keys;
//! - a refusal of ours: the bad records are REFUSED, for good and with an alarm; the good ones wait to be cut again;
//! - governance: the registry changes; a higher epoch of ours means that this journal was superseded: it halts;
//! - a sequence of ours that this journal never cut, or cut differently: the journal is not the newest. It halts.
//!
//! A step that halts leaves nothing behind but the reason: the blocks it saw are `recover`'s to read, from the last
//! progress on. While recovering, a higher epoch is taken instead, and every number leased before it is burnt.

use std::collections::BTreeMap;
use std::sync::Arc;

use prost::Message as _;
use receipt_core::batch::SignedBatchHeader;
use receipt_core::entry::{BatchRefused, Entry};
use receipt_core::governance::{Action, AllocateSegment, SignedGovernance};
use receipt_core::hash::Hash;
use receipt_core::ids::{BatchSequence, IssuerId, LeafIndex, ReceiptKey, SegmentId, UnitId};
use receipt_core::record::{ReceiptRecord, SignedRecord};
use receipt_core::state::tables::{IssuerState, SegmentState, Table, UnitState};
use receipt_core::state::{ChainParameters, ReadError, StateRead, Writes, followed_writes};

use super::SealedBlock;
use crate::backlog::Backlog;
use crate::flight::Flight;
use crate::gate::Gate;
use crate::journal::{
    BatchOutcome, BatchRow, DayKind, DecidedTally, Durability, EventRow, Journal, JournalError, JournalWrite,
    Placement, Progress, day_number,
};
use crate::metrics::IssuerMetrics;
use crate::registry::{Registry, kind_of};
use crate::waiters::Waiters;

/// Why sealed blocks could not be acted on.
#[derive(Debug, thiserror::Error)]
pub enum OutcomeError {
    /// The journal failed: fatal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The blocks contradict the rules, though under a quorum: the log and this program disagree.
    #[error("{0}")]
    Block(String),
    /// This journal is not the newest, and says so from now on. Nothing of the step was written.
    #[error("{0}")]
    Halted(String),
}

/// What an operator does about a halted journal: the end of every such message.
pub const HOW_TO_RECOVER: &str = "stop it and run `tallystick-issuer recover --config FILE`";

/// What acting on outcomes takes.
#[derive(Debug, Clone)]
pub struct OutcomesParts {
    /// Where outcomes are kept.
    pub journal: Arc<Journal>,
    /// Reloaded after governance.
    pub registry: Arc<Registry>,
    /// Closed for good when the journal is not the newest.
    pub gate: Arc<Gate>,
    /// Told of records to be cut again.
    pub backlog: Arc<Backlog>,
    /// Told of decided batches.
    pub flight: Arc<Flight>,
    /// Woken.
    pub waiters: Arc<Waiters>,
    /// Counters.
    pub metrics: Arc<IssuerMetrics>,
    /// The chain's authorities, for governance.
    pub chain: ChainParameters,
    /// The chain's UTC offset.
    pub utc_offset_minutes: i32,
    /// Whether a halted journal is being brought up to the ledger, and takes a higher epoch of its issuer.
    pub recovering: bool,
}

/// What acting on blocks came to. On disk, and not told to those who wait yet.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "whoever waits for these receipts has to be woken"]
pub struct Acted {
    /// Number of the last event.
    pub event: u64,
    /// Receipts that were decided.
    pub decided: Vec<ReceiptKey>,
}

/// Acts on sealed blocks.
#[derive(Debug)]
pub struct Outcomes {
    parts: OutcomesParts,
}

/// What one step has gathered: written at once, told afterwards.
struct Step<'a> {
    write: JournalWrite<'a>,
    registry: Writes,
    tallies: BTreeMap<DayKind, DecidedTally>,
    event: u64,
    decided: Vec<BatchSequence>,
    keys: Vec<ReceiptKey>,
    requeued: u64,
    sealed: u64,
    epoch: Option<u32>,
    refused: Vec<(ReceiptKey, receipt_core::reason::Reason)>,
    halted: Option<String>,
}

/// The journal's registry under the step's own changes.
struct Layered<'a>(&'a Journal, &'a Writes);

impl StateRead for Layered<'_> {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        match self.1.get(&(table, key.to_vec())) {
            Some(value) => Ok(value.clone()),
            None => StateRead::get(self.0, table, key),
        }
    }
}

impl Outcomes {
    /// With these parts.
    pub fn new(parts: OutcomesParts) -> Self {
        Self { parts }
    }

    /// Acts on sealed blocks, oldest first, after which the ledger is followed up to `progress` (whose event number is
    /// still that before them). The caller tells how far the ledger is followed
    /// now, and wakes those who wait.
    pub fn act(&self, blocks: &[SealedBlock], progress: &Progress) -> Result<Acted, OutcomeError> {
        let parts = &self.parts;
        let mut step = Step {
            write: parts.journal.write(),
            registry: Writes::new(),
            tallies: BTreeMap::new(),
            event: progress.event,
            decided: Vec::new(),
            keys: Vec::new(),
            requeued: 0,
            sealed: 0,
            epoch: None,
            refused: Vec::new(),
            halted: None,
        };
        for block in blocks {
            for (leaf_index, entry) in &block.entries {
                match entry {
                    Entry::BatchHeader(header) => self.sealed(&mut step, block, *leaf_index, header)?,
                    Entry::BatchRefused(refused) => self.refused(&mut step, block, *leaf_index, refused)?,
                    Entry::Governance(governance) => self.governed(&mut step, block, governance)?,
                    Entry::Seal(_) => {}
                }
            }
        }
        if let Some(why) = step.halted {
            return Err(self.halt(why)?);
        }
        let event = step.event;
        step.write.put_registry(&step.registry);
        for (day_kind, tally) in &step.tallies {
            step.write.put_decided(*day_kind, *tally);
        }
        step.write.put_progress(&Progress { event, ..progress.clone() });
        // Counted before they can be seen, so that the batcher never takes more than was counted.
        if step.requeued > 0 {
            parts.backlog.requeued(step.requeued);
        }
        step.write.commit(Durability::Ordered)?;
        self.tell(step.registry, step.decided)?;
        parts.metrics.receipts_sealed.inc_by(step.sealed);
        for (key, reason) in step.refused {
            // An acknowledged receipt that the ledger did not take: a person must look at it.
            parts.metrics.refused(reason);
            tracing::error!(receipt = %key, %reason, "ALARM: the ledger refused an acknowledged receipt");
        }
        Ok(Acted { event, decided: step.keys })
    }

    /// Wakes those who wait for what was decided.
    pub fn wake(&self, acted: &Acted) {
        self.parts.waiters.decided(&acted.decided);
    }

    /// Tells the others what is on disk now.
    fn tell(&self, registry: Writes, decided: Vec<BatchSequence>) -> Result<(), OutcomeError> {
        let parts = &self.parts;
        if !registry.is_empty() {
            parts.registry.reload(&parts.journal)?;
        }
        for sequence in decided {
            if let Some(flying) = parts.flight.decided(sequence) {
                parts.metrics.batch_sealed_seconds.observe(flying.since.elapsed().as_secs_f64());
            }
        }
        parts.metrics.batches_in_flight.set(parts.flight.count() as u64);
        parts.backlog.ring();
        Ok(())
    }

    /// Writes down why this journal may not issue, and stops everything that signs or sends.
    fn halt(&self, why: String) -> Result<OutcomeError, JournalError> {
        let parts = &self.parts;
        let why = format!("{why}; {HOW_TO_RECOVER}");
        let mut write = parts.journal.write();
        write.put_halted(&why);
        write.commit(Durability::Synced)?;
        tracing::error!(why, "ALARM: this journal is not the newest; nothing is issued, signed or followed");
        parts.gate.halt(&why);
        parts.flight.recall();
        Ok(OutcomeError::Halted(why))
    }

    /// Halts if the registry has a newer epoch of this issuer than the journal signs in.
    pub fn check_epoch(&self) -> Result<(), JournalError> {
        let parts = &self.parts;
        let (ledger, own) = (parts.registry.view().issuer_epoch, parts.journal.epoch()?);
        if ledger > own && !parts.gate.is_halted() {
            self.halt(superseded(ledger, own))?;
        }
        Ok(())
    }

    /// The batch that the ledger speaks of, if it is this journal's; otherwise the step halts.
    fn own_batch(
        &self,
        step: &mut Step<'_>,
        sequence: BatchSequence,
        header_hash: Hash,
    ) -> Result<Option<BatchRow>, OutcomeError> {
        let row = self.parts.journal.batch(sequence)?;
        let own_hash = match &row {
            None => None,
            Some(row) => {
                let header = SignedBatchHeader::decode(&row.signed_header);
                Some(header.map_err(|_| JournalError::Corrupt("a batch header"))?.header_hash())
            }
        };
        let why = match own_hash {
            Some(own) if own == header_hash => return Ok(row),
            Some(_) => format!("the ledger has another batch {sequence} of this issuer than this journal"),
            None => format!("the ledger has batch {sequence} of this issuer, which this journal never cut"),
        };
        step.halted.get_or_insert(why);
        Ok(None)
    }

    fn sealed(
        &self,
        step: &mut Step<'_>,
        block: &SealedBlock,
        leaf_index: LeafIndex,
        signed: &SignedBatchHeader,
    ) -> Result<(), OutcomeError> {
        let parts = &self.parts;
        if signed.header.issuer != parts.journal.identity().issuer {
            return Ok(());
        }
        let sequence = signed.header.sequence;
        let Some(row) = self.own_batch(step, sequence, signed.header_hash())? else { return Ok(()) };
        step.write.put_outcome(sequence, BatchOutcome { refused: false, leaf_index, height: block.height });
        let units = ascending(row.units.iter().copied());
        step.push_event(EventRow {
            sequence: sequence.get(),
            height: block.height.get(),
            units,
            ..EventRow::default()
        });
        for (day_kind, count) in row.counts()? {
            let tally = step.tally(&parts.journal, day_kind)?;
            tally.sealed_count = tally.sealed_count.saturating_add(u64::from(count));
        }
        for index in &row.reds {
            let red = record_of(&parts.journal, row.key_at(*index)?)?;
            self.free_keys(step, &red, red.reverses)?;
        }
        let keys = row.keys()?;
        step.sealed = step.sealed.saturating_add(keys.len() as u64);
        step.keys.extend(keys);
        step.decided.push(sequence);
        Ok(())
    }

    fn refused(
        &self,
        step: &mut Step<'_>,
        block: &SealedBlock,
        leaf_index: LeafIndex,
        refused: &BatchRefused,
    ) -> Result<(), OutcomeError> {
        let parts = &self.parts;
        if refused.issuer != parts.journal.identity().issuer {
            return Ok(());
        }
        let sequence = refused.sequence;
        let Some(row) = self.own_batch(step, sequence, refused.header_hash)? else { return Ok(()) };
        step.write.put_outcome(sequence, BatchOutcome { refused: true, leaf_index, height: block.height });
        let bad: BTreeMap<u32, _> = refused.refusals.iter().map(|refusal| (refusal.index, refusal.reason)).collect();
        for (index, key) in (0_u16..).zip(row.keys()?) {
            let Some(reason) = bad.get(&u32::from(index)).copied() else {
                step.write.delete_placement(key);
                step.write.put_requeue(sequence, index, key);
                step.requeued += 1;
                continue;
            };
            step.write.put_placement(key, Placement::Refused { reason, height: block.height });
            let record = record_of(&parts.journal, key)?;
            let day = day_number(record.issue_time, parts.utc_offset_minutes);
            let day_kind = DayKind { unit: record.unit, day, kind: kind_of(key.code) };
            step.tally(&parts.journal, day_kind)?.refused.add(record.total);
            if record.reverses.is_none() {
                self.free_keys(step, &record, Some(key))?;
            }
            step.keys.push(key);
            step.refused.push((key, reason));
        }
        // Of a batch whose receipts are not here (see `recover`) there is nothing to tell; its event keeps the numbering.
        let told = if row.receipt_keys.is_empty() { BTreeMap::new() } else { bad };
        step.push_event(EventRow {
            sequence: sequence.get(),
            height: block.height.get(),
            refused_indexes: told.keys().copied().collect(),
            refused_reasons: told.values().map(|reason| reason.code()).collect(),
            units: ascending(
                (0..).zip(&row.units).filter(|(index, _)| told.contains_key(index)).map(|(_, unit)| *unit),
            ),
        });
        step.decided.push(sequence);
        Ok(())
    }

    /// Frees the payment keys of `record` that `holder` holds here.
    fn free_keys(
        &self,
        step: &mut Step<'_>,
        record: &ReceiptRecord,
        holder: Option<ReceiptKey>,
    ) -> Result<(), OutcomeError> {
        for unique in &record.uniqueness_keys {
            if self.parts.journal.uniqueness(*unique)? == holder && holder.is_some() {
                step.write.delete_uniqueness(*unique);
            }
        }
        Ok(())
    }

    fn governed(
        &self,
        step: &mut Step<'_>,
        block: &SealedBlock,
        governance: &SignedGovernance,
    ) -> Result<(), OutcomeError> {
        let state = Layered(&self.parts.journal, &step.registry);
        let writes = followed_writes(&state, &self.parts.chain, governance, block.height, block.time)
            .map_err(|error| OutcomeError::Block(format!("governance in block {}: {error}", block.height)))?;
        let journal = &self.parts.journal;
        let own = step.epoch.map_or_else(|| journal.epoch(), Ok)?;
        if let Some(epoch) = fencing_epoch(&writes, journal.identity().issuer)?.filter(|epoch| *epoch > own) {
            if self.parts.recovering {
                burn(step, journal, governance)?;
                step.epoch = Some(epoch);
                step.write.put_epoch(epoch);
            } else {
                step.halted.get_or_insert(superseded(epoch, own));
            }
        }
        keep_names(step, journal, &writes)?;
        step.registry.extend(writes);
        Ok(())
    }
}

/// Keeps the names of units that get another one: receipts that were issued under them may still come back.
fn keep_names(step: &mut Step<'_>, journal: &Journal, writes: &Writes) -> Result<(), OutcomeError> {
    let corrupt = || JournalError::Corrupt("a unit");
    for ((table, key), value) in writes {
        let (Table::Units, Some(after)) = (table, value) else { continue };
        let before = Layered(journal, &step.registry).get(Table::Units, key).map_err(|_| corrupt())?;
        let Some(before) = before else { continue };
        let before = UnitState::decode(before.as_slice()).map_err(|_| corrupt())?.unit;
        let after = UnitState::decode(after.as_slice()).map_err(|_| corrupt())?.unit;
        if before.name != after.name {
            step.write.put_past_name(UnitId::new(before.unit_id), &before.name);
        }
    }
    Ok(())
}

fn superseded(ledger: u32, own: u32) -> String {
    format!("the ledger has epoch {ledger} of this issuer, this journal signs in epoch {own}")
}

/// The epoch that governance gave this issuer, if it wrote the issuer's entry.
fn fencing_epoch(writes: &Writes, issuer: IssuerId) -> Result<Option<u32>, JournalError> {
    let written = writes.get(&(Table::Issuers, issuer.get().to_be_bytes().to_vec()));
    let Some(bytes) = written.and_then(Option::as_ref) else { return Ok(None) };
    let state = IssuerState::decode(bytes.as_slice()).map_err(|_| JournalError::Corrupt("an issuer's entry"))?;
    Ok(Some(state.epoch))
}

/// Burns the rest of every segment that was leased to this issuer before its epoch rose: the lost journal may have given out
/// any of those numbers. What the same message leases after the fence is new.
fn burn(step: &mut Step<'_>, journal: &Journal, governance: &SignedGovernance) -> Result<(), JournalError> {
    let issuer = journal.identity().issuer;
    let changed = step.registry.iter().filter(|((table, _), _)| *table == Table::Segments);
    let changed: Vec<Vec<u8>> = changed.filter_map(|(_, value)| value.clone()).collect();
    for bytes in journal.registry_table(Table::Segments)?.into_iter().chain(changed) {
        let state = SegmentState::decode(bytes.as_slice()).map_err(|_| JournalError::Corrupt("a segment"))?;
        if state.segment.issuer_id == issuer.get() {
            step.write.put_next_number(SegmentId::new(state.segment.segment_id), end_of(&state.segment));
        }
    }
    for action in &governance.governance.actions {
        match action {
            Action::FenceIssuer(fence) if fence.issuer_id == issuer.get() => break,
            Action::AllocateSegment(segment) if segment.issuer_id == issuer.get() => {
                step.write.put_next_number(SegmentId::new(segment.segment_id), end_of(segment));
            }
            _ => {}
        }
    }
    Ok(())
}

const fn end_of(segment: &AllocateSegment) -> u64 {
    segment.last_number.saturating_add(1)
}

impl Step<'_> {
    fn push_event(&mut self, row: EventRow) {
        self.event = self.event.saturating_add(1);
        self.write.put_event(self.event, &row);
    }

    fn tally(&mut self, journal: &Journal, day_kind: DayKind) -> Result<&mut DecidedTally, JournalError> {
        Ok(match self.tallies.entry(day_kind) {
            std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::btree_map::Entry::Vacant(entry) => entry.insert(journal.decided(day_kind)?),
        })
    }
}

fn ascending(units: impl Iterator<Item = u32>) -> Vec<u32> {
    units.collect::<std::collections::BTreeSet<_>>().into_iter().collect()
}

fn record_of(journal: &Journal, key: ReceiptKey) -> Result<ReceiptRecord, JournalError> {
    let row = journal.receipt(key)?.ok_or(JournalError::Corrupt("a receipt is missing"))?;
    let signed = SignedRecord::decode(&row.signed_record).map_err(|_| JournalError::Corrupt("a signed record"))?;
    Ok(signed.record)
}
