//! What sealed blocks mean for this journal, as one write per step. What they mean for the records, their owner says in that write.
//!
//! - a header of ours: its records are SEALED;
//! - a refusal of ours: the bad records are REFUSED, for good; the good ones wait to be cut again;
//! - governance: the registry changes; a higher epoch of ours means that this journal was superseded: it halts;
//! - a seal that hands over to another validator set: from the next block on its checkpoints count;
//! - authorities that take the place of others: said in the log; what is anchored after that is theirs to vouch for;
//! - a takeover that the trust file has and the ledger has not, or the other way round, and whatever else of a quorum does not go with what
//!   this process has: nothing of the step is acted on, and no node is blamed (see [`OwnFault`]);
//! - a sequence of ours that this journal never cut, or cut differently: the journal is not the newest. It halts.
//!
//! A step that halts leaves nothing behind but the reason: the blocks it saw are `recover`'s to read, from the tip on that was
//! followed last. While recovering, a higher epoch is taken instead, and the owner burns what was leased to it before.

use std::collections::BTreeMap;

use prost::Message as _;
use receipt_core::batch::SignedBatchHeader;
use receipt_core::entry::{BatchRefused, Entry};
use receipt_core::governance::{Action, SignedGovernance};
use receipt_core::hash::Hash;
use receipt_core::ids::{BatchSequence, Height, IssuerId, LeafIndex, RecordKey, TreeSize};
use receipt_core::state::tables::{IssuerState, Table};
use receipt_core::state::{ApplyError, ChainParameters, Writes, followed_writes};
use receipt_core::succession::AuthorityChange;
use receipt_core::trust::{Takeover, TrustFile};

use super::SealedBlock;
use crate::desk::Desk;
use crate::journal::{
    BatchOutcome, BatchRow, Durability, EventRow, FollowedTip, Journal, JournalError, JournalWrite, Placement,
};
use crate::own_fault::OwnFault;
use crate::owner::{Committed, Layered, OwnerStep, RefusedRecord, RegistryChange};
use crate::trust::{self, HandoverError};

/// Why sealed blocks could not be acted on.
#[derive(Debug, thiserror::Error)]
pub enum OutcomeError {
    /// The journal failed: fatal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The blocks are under a quorum, and do not go with what this process has: no node is to blame.
    #[error(transparent)]
    Own(#[from] OwnFault),
    /// This journal is not the newest, and says so from now on. Nothing of the step was written.
    #[error("{0}")]
    Halted(String),
}

/// Whether the journal is followed as its process runs, or brought up to the ledger by `recover`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// A higher epoch of this submitter halts the journal.
    Running,
    /// The journal is halted, and takes a higher epoch.
    Recovering,
}

/// What acting on blocks came to. On disk, and not told to those who wait yet.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "whoever waits for these records has to be woken"]
pub struct Acted {
    /// Number of the last event.
    pub event: u64,
    /// Records that were decided.
    pub decided: Vec<RecordKey>,
}

/// Acts on sealed blocks.
#[derive(Debug)]
pub struct Outcomes {
    desk: Desk,
    /// What governance is judged by beside the registry.
    chain: ChainParameters,
    mode: Mode,
}

/// What one step has gathered: written at once, told afterwards.
struct Step<'a> {
    write: JournalWrite<'a>,
    owner: Box<dyn OwnerStep + 'a>,
    registry: Writes,
    event: u64,
    decided: Vec<BatchSequence>,
    keys: Vec<RecordKey>,
    requeued: u64,
    epoch: Option<u32>,
    committed: Committed,
    trust: Option<TrustFile>,
    /// Who took over from whom, and the height of the block.
    takeovers: Vec<Takeover>,
    authorities: Vec<(Height, AuthorityChange)>,
    halted: Option<String>,
}

impl Outcomes {
    /// For the journal of this desk.
    pub fn new(desk: Desk, chain: ChainParameters, mode: Mode) -> Self {
        Self { desk, chain, mode }
    }

    /// Acts on sealed blocks, all or nothing, oldest first, after which the ledger is followed up to `tip` (whose event number is
    /// still that before them). The caller tells how far the ledger is followed
    /// now, and wakes those who wait.
    pub fn act(&self, blocks: &[SealedBlock], tip: &FollowedTip) -> Result<Acted, OutcomeError> {
        let desk = &self.desk;
        let mut step = Step {
            write: desk.journal.write(),
            owner: desk.owner.begin(),
            registry: Writes::new(),
            event: tip.event,
            decided: Vec::new(),
            keys: Vec::new(),
            requeued: 0,
            epoch: None,
            committed: Committed::default(),
            trust: None,
            takeovers: Vec::new(),
            authorities: Vec::new(),
            halted: None,
        };
        for block in blocks {
            for (leaf_index, entry) in &block.entries {
                match entry {
                    Entry::BatchHeader(header) => self.sealed(&mut step, block, *leaf_index, header)?,
                    Entry::BatchRefused(refused) => self.refused(&mut step, block, *leaf_index, refused)?,
                    Entry::Governance(governance) => {
                        self.governed(&mut step, block, governance)?;
                        self.succeeded(&mut step, block.height, *leaf_index, governance)?;
                    }
                    Entry::Seal(_) => {}
                }
            }
            self.handed_over(&mut step, block)?;
        }
        if let Some(why) = step.halted {
            return Err(self.halt(why)?);
        }
        self.compare_takeovers(&step, tip.frontier.size())?;
        tell_authorities(&step.authorities);
        let Step {
            mut write, owner, registry, event, decided, keys, requeued, mut committed, trust, takeovers, ..
        } = step;
        write.put_registry(&registry);
        // Also if a given file knew all of it before: what was followed is what a file that is given later is held against.
        if !takeovers.is_empty() || desk.journal.trust()?.is_none() {
            let current = desk.trust.current();
            let known = trust.as_ref().unwrap_or(&current).up_to(tip.frontier.size());
            write.put_trust(&known.to_text());
        }
        owner.end(&mut write)?;
        write.put_followed_tip(&FollowedTip { event, ..tip.clone() });
        // Count the records before the commit makes them visible, so that the batcher never takes more than the count.
        if requeued > 0 {
            desk.backlog.put_back(requeued);
        }
        // Put the new signers in place before the commit, so that nobody reads that a record is sealed while its signers are still unknown.
        if let Some(trust) = trust {
            let (validator_sets, authority_sets) = (trust.sets().len(), trust.authority_sets().len());
            tracing::info!(validator_sets, authority_sets, "other validators or authorities have taken over");
            desk.trust.replace(trust);
        }
        write.commit(Durability::Ordered)?;
        committed.registry_changed = !registry.is_empty();
        self.take_note(&committed).map_err(for_good)?;
        self.tell(decided);
        Ok(Acted { event, decided: keys })
    }

    /// Brings what is held in memory up to what is on disk now.
    fn take_note(&self, committed: &Committed) -> Result<(), JournalError> {
        if committed.registry_changed {
            self.desk.registered.reload(&self.desk.journal)?;
        }
        self.desk.owner.committed(committed)
    }

    /// Wakes those who wait for what was decided.
    pub fn wake(&self, acted: &Acted) {
        self.desk.waiters.decided(&acted.decided);
    }

    /// Tells the others what is on disk now.
    fn tell(&self, decided: Vec<BatchSequence>) {
        let desk = &self.desk;
        for sequence in decided {
            if let Some(flying) = desk.flight.decided(sequence) {
                desk.metrics.batch_sealed_seconds.observe(flying.since.elapsed().as_secs_f64());
            }
        }
        desk.metrics.batches_in_flight.set(desk.flight.count() as u64);
        desk.backlog.ring();
    }

    /// Writes down why this journal may not anchor, and stops everything that signs or sends.
    fn halt(&self, why: String) -> Result<OutcomeError, JournalError> {
        let desk = &self.desk;
        let why = format!("{why}; {}", desk.journal.identity().layout.how_to_recover());
        let mut write = desk.journal.write();
        write.put_halted(&why);
        write.commit(Durability::Synced)?;
        tracing::error!(why, "ALARM: this journal is not the newest; nothing is issued, signed or followed");
        desk.gate.halt(&why);
        desk.flight.recall();
        Ok(OutcomeError::Halted(why))
    }

    /// Halts if the registry has a newer epoch of this issuer than the journal signs in.
    pub fn check_epoch(&self) -> Result<(), JournalError> {
        let desk = &self.desk;
        let (ledger, own) = (desk.registered.view().epoch, desk.journal.epoch()?);
        if ledger > own && !desk.gate.is_halted() {
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
        let row = self.desk.journal.batch(sequence)?;
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
        if signed.header.issuer != self.desk.journal.identity().issuer {
            return Ok(());
        }
        let sequence = signed.header.sequence;
        let Some(row) = self.own_batch(step, sequence, signed.header_hash())? else { return Ok(()) };
        step.write.put_outcome(sequence, BatchOutcome { refused: false, leaf_index, height: block.height });
        let note = step.owner.sealed(&mut step.write, &row)?;
        let (sequence_number, height) = (sequence.get(), block.height.get());
        step.push_event(EventRow { sequence: sequence_number, height, note, ..EventRow::default() });
        let keys = row.keys()?;
        step.committed.sealed = step.committed.sealed.saturating_add(keys.len() as u64);
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
        if refused.issuer != self.desk.journal.identity().issuer {
            return Ok(());
        }
        let sequence = refused.sequence;
        let Some(row) = self.own_batch(step, sequence, refused.header_hash)? else { return Ok(()) };
        step.write.put_outcome(sequence, BatchOutcome { refused: true, leaf_index, height: block.height });
        let bad: BTreeMap<u32, _> = refused.refusals.iter().map(|refusal| (refusal.index, refusal.reason)).collect();
        let mut records = Vec::with_capacity(bad.len());
        for (index, key) in (0_u16..).zip(row.keys()?) {
            let Some(reason) = bad.get(&u32::from(index)).copied() else {
                step.write.delete_placement(key);
                step.write.put_requeue(sequence, index, key);
                step.requeued += 1;
                continue;
            };
            step.write.put_placement(key, Placement::Refused { reason, height: block.height });
            records.push(RefusedRecord { index, key, reason, height: block.height });
            step.keys.push(key);
            step.committed.refused.push((key, reason));
        }
        let note = step.owner.refused(&mut step.write, &row, &records)?;
        // After `recover` the records of a batch may be missing here. Its event is then empty, and only keeps the numbering.
        let told = if row.record_keys.is_empty() { BTreeMap::new() } else { bad };
        step.push_event(EventRow {
            sequence: sequence.get(),
            height: block.height.get(),
            refused_indexes: told.keys().copied().collect(),
            refused_reasons: told.values().map(|reason| reason.code()).collect(),
            note,
        });
        step.decided.push(sequence);
        Ok(())
    }

    fn governed(
        &self,
        step: &mut Step<'_>,
        block: &SealedBlock,
        governance: &SignedGovernance,
    ) -> Result<(), OutcomeError> {
        let journal = &self.desk.journal;
        let before = Layered::new(journal, &step.registry);
        let writes = followed_writes(&before, &self.chain, governance, block.height, block.time);
        let writes = writes.map_err(|error| match error {
            ApplyError::Read(error) => OutcomeError::Journal(before.journal_error(&error)),
            ApplyError::Refused(problem) => OwnFault::Ledger(format!("block {}: {problem}", block.height)).into(),
        })?;
        let own = step.epoch.map_or_else(|| journal.epoch(), Ok)?;
        let change = RegistryChange { before, governance, writes: &writes };
        if let Some(epoch) = fencing_epoch(&writes, journal.identity().issuer)?.filter(|epoch| *epoch > own) {
            match self.mode {
                Mode::Recovering => {
                    step.owner.fenced(&mut step.write, &change)?;
                    step.epoch = Some(epoch);
                    step.write.put_epoch(epoch);
                    // This fence does not name this journal, so the epoch that it opens is not this journal's. A further fence must name it.
                    if journal.fence_above()?.is_some() && !names(governance, journal)? {
                        step.write.put_fence_above(epoch);
                    }
                }
                Mode::Running => {
                    step.halted.get_or_insert(superseded(epoch, own));
                }
            }
        }
        step.owner.governed(&mut step.write, &change)?;
        step.registry.extend(writes);
        Ok(())
    }
}

impl Outcomes {
    /// The next block's checkpoints are another set's, if this one's seal says so.
    fn handed_over(&self, step: &mut Step<'_>, block: &SealedBlock) -> Result<(), OutcomeError> {
        let Some(handover) = &block.handover else { return Ok(()) };
        let registry = Layered::new(&self.desk.journal, &step.registry);
        let current = self.desk.trust.current();
        let trust = trust::after(step.trust.as_ref().unwrap_or(&current), handover, &registry);
        let trust = trust.map_err(|error| match error {
            HandoverError::Read(error) => OutcomeError::Journal(registry.journal_error(&error)),
            HandoverError::Unannounced(problem) => {
                OwnFault::Ledger(format!("block {}: {problem}", block.height)).into()
            }
            HandoverError::Trust(problem) => OwnFault::TrustFile(format!("block {}: {problem}", block.height)).into(),
        })?;
        step.takeovers.push(Takeover::Validators { last_size: handover.end.last_size });
        step.trust = trust.or(step.trust.take());
        Ok(())
    }

    /// What comes after this entry is vouched for by other authorities, if it says so.
    fn succeeded(
        &self,
        step: &mut Step<'_>,
        height: Height,
        leaf: LeafIndex,
        governance: &SignedGovernance,
    ) -> Result<(), OutcomeError> {
        let Some(set) = governance.governance.next_authorities() else { return Ok(()) };
        let current = self.desk.trust.current();
        let known = step.trust.as_ref().unwrap_or(&current);
        let change = AuthorityChange::new(leaf, known.authorities_at(leaf), set);
        let trust = known.with_next_authorities(leaf, set);
        let trust = trust.map_err(|problem| OwnFault::TrustFile(format!("leaf {leaf} of the log: {problem}")))?;
        step.takeovers.push(Takeover::Authorities { first_leaf: change.first_leaf });
        step.authorities.push((height, change));
        step.trust = trust.or(step.trust.take());
        Ok(())
    }

    /// A trust file that was given may know more than was followed. What it lets others take over by now, the ledger must have brought.
    fn compare_takeovers(&self, step: &Step<'_>, followed: TreeSize) -> Result<(), OutcomeError> {
        let before = self.desk.journal.followed_tip()?.frontier.size();
        let known = self.desk.trust.current().takeovers(before, followed);
        match known.into_iter().find(|known| !step.takeovers.contains(known)) {
            None => Ok(()),
            Some(missing) => {
                let problem = format!("it has {missing}, and the ledger brings none there");
                Err(OwnFault::TrustFile(problem).into())
            }
        }
    }
}

/// Who relies on authorities has to hear of it when others take their place, whoever signed that.
fn tell_authorities(changes: &[(Height, AuthorityChange)]) {
    for (height, change) in changes {
        tracing::warn!(
            %height,
            %change,
            "the authorities were replaced: compare the keys with what the authorities say, and put credentials that the new ones have \
             signed in place (docs/ops/authorities.md)"
        );
    }
}

/// What is on disk is not acted on again: whatever fails behind it ends the process, which starts again from disk.
fn for_good(error: JournalError) -> JournalError {
    if error.may_pass() { JournalError::Store(error.to_string()) } else { error }
}

fn superseded(ledger: u32, own: u32) -> String {
    format!("the ledger has epoch {ledger} of this issuer, this journal signs in epoch {own}")
}

/// Whether the last fence of this issuer in this message lets this very journal go on.
fn names(governance: &SignedGovernance, journal: &Journal) -> Result<bool, JournalError> {
    let (issuer, id) = (journal.identity().issuer.get(), journal.fence_id()?);
    let fence = governance.governance.actions.iter().rev().find_map(|action| match action {
        Action::FenceIssuer(fence) if fence.issuer_id == issuer => Some(fence.journal.as_slice()),
        _ => None,
    });
    Ok(fence.zip(id).is_some_and(|(named, id)| named == id))
}

/// The epoch that governance gave this issuer, if it wrote the issuer's entry.
fn fencing_epoch(writes: &Writes, issuer: IssuerId) -> Result<Option<u32>, JournalError> {
    let written = writes.get(&(Table::Issuers, issuer.get().to_be_bytes().to_vec()));
    let Some(bytes) = written.and_then(Option::as_ref) else { return Ok(None) };
    let state = IssuerState::decode(bytes.as_slice()).map_err(|_| JournalError::Corrupt("an issuer's entry"))?;
    Ok(Some(state.epoch))
}

impl Step<'_> {
    fn push_event(&mut self, row: EventRow) {
        self.event = self.event.saturating_add(1);
        self.write.put_event(self.event, &row);
    }
}
