//! `apply`: one block over one state.

use super::batches::{BatchContext, take_batch};
use super::checked::{CheckedBlock, CheckedItem};
use super::governance::{ActionError, ActionPlace, Records, apply_action};
use super::overlay::{Overlay, ReadError, StateRead, Writes, effects_hash};
use super::records::RegistryCache;
use super::schedule::{Schedule, proposer_order};
use super::settlement::LookUps;
use super::statuses::{StatusOutcome, write_statuses};
use super::tables::{
    GovernanceState, META_GOVERNANCE, META_SCHEDULE, META_TIP, META_TOTALS, META_VALIDATORS, META_VALIDATORS_NEXT,
    Table, Tip, Totals,
};
use crate::entry::{Entry, RecordRefusal};
use crate::genesis::Genesis;
use crate::governance::SignedGovernance;
use crate::hash::Hash;
use crate::ids::{Height, LeafIndex, TreeSize, UnixMillis};
use crate::limits;
use crate::reason::Reason;
use crate::seal::Seal;
use crate::suite::{ChainId, PublicKey, Suite};
use crate::validators::ValidatorSet;

/// Why a block may not be decided. Whoever proposed it is at fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BlockRefusal {
    /// Not the next height.
    #[error("the block has height {given}, expected {expected}")]
    Height {
        /// The block's.
        given: Height,
        /// One more than the tip's.
        expected: Height,
    },
    /// Another parent.
    #[error("the block's parent seal hash is not the tip's")]
    Parent,
    /// Not later than the parent.
    #[error("the block's time {given} is not later than its parent's {parent}")]
    Time {
        /// The block's.
        given: UnixMillis,
        /// The parent's.
        parent: UnixMillis,
    },
    /// The named proposer had no turn in the named round.
    #[error("the block names a proposer whose turn it was not")]
    Proposer,
    /// More than [`limits::BLOCK_RECORDS_MAX`] records.
    #[error("the block has more than {} records", limits::BLOCK_RECORDS_MAX)]
    Records,
    /// A log entry above [`limits::ENTRY_BYTES_MAX`].
    #[error(
        "a log entry of the block is larger than {} bytes; what it carries has to be split",
        limits::ENTRY_BYTES_MAX
    )]
    Entry,
    /// A batch that may not stand in a block.
    #[error("batch {header_hash} may not stand in this block: {}", reason.as_str())]
    Batch {
        /// Its header's hash.
        header_hash: Hash,
        /// Why.
        reason: Reason,
    },
    /// A governance message that may not stand in a block.
    #[error("governance message {sequence} is refused: {problem}")]
    Governance {
        /// Its sequence.
        sequence: u64,
        /// What is wrong.
        problem: &'static str,
    },
    /// Executing gave another seal than the block carries.
    #[error("executing the block gives another seal than it carries")]
    Seal,
}

/// Why `apply` gave no effects.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// The block is at fault: no vote for it.
    #[error(transparent)]
    Refused(#[from] BlockRefusal),
    /// The store is at fault: fatal.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// What became of one batch of the block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The batch's header.
    pub header_hash: Hash,
    /// Its log entry.
    pub leaf_index: LeafIndex,
    /// Empty: taken. Otherwise refused, with the reason of each bad record.
    pub refusals: Vec<RecordRefusal>,
}

/// What a block leaves behind: to be committed whole or not at all.
#[derive(Debug, Clone)]
pub struct Effects {
    /// The block's seal, as executing it gave.
    pub seal: Seal,
    /// Leaves it appends to the outer log, the seal last.
    pub entries: Vec<Vec<u8>>,
    /// Index of the first of them.
    pub first_leaf: LeafIndex,
    /// Writes to the state.
    pub writes: Writes,
    /// Where the chain stands afterwards.
    pub tip: Tip,
    /// What became of each batch, in order.
    pub outcomes: Vec<Outcome>,
    /// Keys of status-map records that this and later heights do not use: a store may prune them later.
    pub stale_nodes: Vec<Vec<u8>>,
}

/// What `apply` takes from genesis.
#[derive(Debug, Clone)]
pub struct ChainParameters {
    /// The chain id.
    pub id: ChainId,
    /// The chain's suite.
    pub suite: Suite,
    /// The log's origin, by which log keys are named.
    pub origin: String,
    /// Keys of the authorities.
    pub authorities: Vec<PublicKey>,
    /// How many must sign governance.
    pub authority_threshold: u32,
}

impl ChainParameters {
    /// Of a genesis file.
    pub fn of(genesis: &Genesis) -> Self {
        Self {
            id: genesis.chain_id(),
            suite: genesis.suite,
            origin: genesis.origin.clone(),
            authorities: genesis.authorities.clone(),
            authority_threshold: genesis.authority_threshold,
        }
    }
}

/// Executes a block over the state of its parent.
pub fn apply(state: &dyn StateRead, chain: &ChainParameters, block: &CheckedBlock) -> Result<Effects, ApplyError> {
    let mut overlay = Overlay::new(state);
    let parent = read_tip(&overlay)?;
    let set = stored_validators(&overlay)?;
    let schedule = read_schedule(&overlay)?;
    check_frame(block, &parent, &set, &schedule)?;
    let totals = overlay.read(Table::Meta, META_TOTALS)?.ok_or_else(|| ReadError::corrupt("totals"))?;
    let mut context = BatchContext {
        chain,
        block_time: block.content.time,
        cache: RegistryCache::default(),
        totals: Totals::decode(&totals)?,
        status_changes: Vec::new(),
    };
    let first_leaf = LeafIndex::new(parent.log_size.get());
    let mut entries = Vec::with_capacity(block.items.len() + 1);
    let mut outcomes = Vec::with_capacity(block.items.len());
    let mut look_ups = LookUps::default();
    for item in &block.items {
        match item {
            CheckedItem::Governance(governance) => {
                entries.push(take_governance(&mut overlay, chain, block, governance, &mut look_ups)?);
                context.cache = RegistryCache::default();
            }
            CheckedItem::Batch(batch) => {
                let leaf = LeafIndex::new(first_leaf.get() + entries.len() as u64);
                let (entry, outcome) = take_batch(&mut context, &mut overlay, batch, leaf)?;
                entries.push(entry);
                outcomes.push(outcome);
            }
        }
    }
    if entries.iter().any(|entry| entry.len() > limits::ENTRY_BYTES_MAX) {
        return Err(BlockRefusal::Entry.into());
    }
    let mut schedule_after = schedule;
    schedule_after.after_block(&set, block.content.height, block.content.proposer, block.content.proposer_round);
    overlay.write(Table::Meta, META_SCHEDULE, schedule_after.encode());
    overlay.write(Table::Meta, META_TOTALS, context.totals.encode());
    let changes = &context.status_changes;
    let status =
        write_statuses(&mut overlay, chain.suite, &parent, block.content.height, &block.content.salt, changes)?;
    let next_set = rotate_validators(&mut overlay, &set, block.content.height)?;
    let frame = SealFrame {
        suite: chain.suite,
        height: block.content.height,
        time: block.content.time,
        parent: Some(&parent),
        status,
        sets: [&set, &next_set],
        totals: context.totals,
        salt: block.content.salt,
    };
    Ok(finish(overlay, frame, entries, first_leaf, outcomes))
}

/// Block 0: what a genesis file leaves behind. Errors name the first action that does not apply.
pub fn genesis_effects(genesis: &Genesis) -> Result<Effects, ApplyError> {
    let mut overlay = Overlay::new(&Nothing);
    let mut entries = Vec::new();
    let (height, block_time) = (Height::ZERO, genesis.time);
    let place =
        ActionPlace { suite: genesis.suite, origin: &genesis.origin, height, block_time, records: Records::AtHand };
    let mut look_ups = LookUps::default();
    for action in &genesis.actions {
        apply_action(&mut overlay, action, place, &mut look_ups).map_err(|error| governance_error(0, error))?;
    }
    entries.extend(genesis.messages().map(|message| Entry::Governance(message).encode()));
    if entries.iter().any(|entry| entry.len() > limits::ENTRY_BYTES_MAX) {
        return Err(BlockRefusal::Entry.into());
    }
    let set = &genesis.validators;
    overlay.write(Table::Meta, META_VALIDATORS, set.encode());
    overlay.write(Table::Meta, META_SCHEDULE, Schedule::default().encode());
    let founded = GovernanceState { sequence: 0, id: genesis.chain_id().0 };
    overlay.write(Table::Meta, META_GOVERNANCE, founded.encode());
    overlay.write(Table::Meta, META_TOTALS, Totals::default().encode());
    let status = StatusOutcome { root: crate::status::empty_root(), version: None, stale_nodes: Vec::new() };
    let frame = SealFrame {
        suite: genesis.suite,
        height: Height::ZERO,
        time: genesis.time,
        parent: None,
        status,
        sets: [set, set],
        totals: Totals::default(),
        salt: [0; 32],
    };
    Ok(finish(overlay, frame, entries, LeafIndex::ZERO, Vec::new()))
}

struct Nothing;

impl StateRead for Nothing {
    fn get(&self, _: Table, _: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        Ok(None)
    }
}

/// Height, parent, time, proposer and size.
fn check_frame(block: &CheckedBlock, parent: &Tip, set: &ValidatorSet, schedule: &Schedule) -> Result<(), ApplyError> {
    let content = &block.content;
    let expected = parent.height.next().ok_or_else(|| ReadError::corrupt("height"))?;
    if content.height != expected {
        return Err(BlockRefusal::Height { given: content.height, expected }.into());
    }
    if content.parent_seal_hash != parent.seal_hash {
        return Err(BlockRefusal::Parent.into());
    }
    if content.time <= parent.time {
        return Err(BlockRefusal::Time { given: content.time, parent: parent.time }.into());
    }
    let order = proposer_order(set, schedule, content.height);
    let turn = content.proposer_round as usize % order.len();
    if order.get(turn) != Some(&content.proposer) {
        return Err(BlockRefusal::Proposer.into());
    }
    let count_of = |item: &CheckedItem| match item {
        CheckedItem::Batch(batch) => batch.records().len(),
        CheckedItem::Governance(_) => 0,
    };
    if block.items.iter().map(count_of).sum::<usize>() > limits::BLOCK_RECORDS_MAX {
        return Err(BlockRefusal::Records.into());
    }
    Ok(())
}

fn take_governance(
    overlay: &mut Overlay<'_>,
    chain: &ChainParameters,
    block: &CheckedBlock,
    signed: &SignedGovernance,
    look_ups: &mut LookUps,
) -> Result<Vec<u8>, ApplyError> {
    let governance = &signed.governance;
    if governance.expiry < block.content.height {
        return Err(BlockRefusal::Governance { sequence: governance.sequence, problem: "it has expired" }.into());
    }
    if governance.expiry.get() > block.content.height.get().saturating_add(limits::GOVERNANCE_VALID_HEIGHTS_MAX) {
        let problem = "its expiry lies too far ahead";
        return Err(BlockRefusal::Governance { sequence: governance.sequence, problem }.into());
    }
    let place = ActionPlace::of(chain, block.content.height, block.content.time, Records::AtHand);
    take_signed(overlay, chain, place, signed, look_ups)?;
    Ok(Entry::Governance(signed.clone()).encode())
}

/// Sequence, signatures, actions.
fn take_signed(
    overlay: &mut Overlay<'_>,
    chain: &ChainParameters,
    place: ActionPlace<'_>,
    signed: &SignedGovernance,
    look_ups: &mut LookUps,
) -> Result<(), ApplyError> {
    let governance = &signed.governance;
    let refuse = |problem| BlockRefusal::Governance { sequence: governance.sequence, problem };
    let last = overlay.read(Table::Meta, META_GOVERNANCE)?.ok_or_else(|| ReadError::corrupt("governance"))?;
    let last = GovernanceState::decode(&last)?;
    if Some(governance.sequence) != last.sequence.checked_add(1) {
        return Err(refuse("its sequence is not the next one").into());
    }
    if governance.previous != last.id {
        return Err(refuse("it was signed to follow another message than the last one").into());
    }
    if governance.suite != chain.suite || !signed.verify(chain.id, &chain.authorities, chain.authority_threshold) {
        return Err(refuse("it is not signed by enough authorities").into());
    }
    for action in &governance.actions {
        apply_action(overlay, action, place, look_ups).map_err(|error| governance_error(governance.sequence, error))?;
    }
    let taken = GovernanceState { sequence: governance.sequence, id: signed.hash() };
    overlay.write(Table::Meta, META_GOVERNANCE, taken.encode());
    Ok(())
}

/// What a governance message would write at this height and time, given the whole state. Signatures and sequence are checked
/// as in [`apply`]; expiry is not.
pub fn registry_writes(
    state: &dyn StateRead,
    chain: &ChainParameters,
    signed: &SignedGovernance,
    height: Height,
    block_time: UnixMillis,
) -> Result<Writes, ApplyError> {
    let mut overlay = Overlay::new(state);
    let place = ActionPlace::of(chain, height, block_time, Records::AtHand);
    take_signed(&mut overlay, chain, place, signed, &mut LookUps::default())?;
    Ok(overlay.into_writes())
}

/// What one governance entry of the public log writes to the registry, for followers that see entries but no records. As
/// [`registry_writes`]; what was used of a segment is left to the block that carries the entry, and not counted here.
pub fn followed_writes(
    registry: &dyn StateRead,
    chain: &ChainParameters,
    signed: &SignedGovernance,
    height: Height,
    block_time: UnixMillis,
) -> Result<Writes, ApplyError> {
    let mut overlay = Overlay::new(registry);
    let place = ActionPlace::of(chain, height, block_time, Records::Elsewhere);
    take_signed(&mut overlay, chain, place, signed, &mut LookUps::default())?;
    Ok(overlay.into_writes())
}

fn governance_error(sequence: u64, error: ActionError) -> ApplyError {
    match error {
        ActionError::Refused(problem) => BlockRefusal::Governance { sequence, problem }.into(),
        ActionError::Read(error) => error.into(),
    }
}

/// Puts a pending validator set into force when its height comes; returns the set of the next height.
fn rotate_validators(
    overlay: &mut Overlay<'_>,
    set: &ValidatorSet,
    height: Height,
) -> Result<ValidatorSet, ApplyError> {
    let pending = read_pending_validators(&*overlay)?;
    let Some((_, next)) = pending.filter(|(first, _)| first.get() <= height.get() + 1) else {
        return Ok(set.clone());
    };
    overlay.write(Table::Meta, META_VALIDATORS, next.encode());
    overlay.delete(Table::Meta, META_VALIDATORS_NEXT);
    Ok(next)
}

struct SealFrame<'a> {
    suite: Suite,
    height: Height,
    time: UnixMillis,
    parent: Option<&'a Tip>,
    status: StatusOutcome,
    sets: [&'a ValidatorSet; 2],
    totals: Totals,
    salt: [u8; 32],
}

/// Seals: effects hash, seal, last leaf, tip.
fn finish(
    mut overlay: Overlay<'_>,
    frame: SealFrame<'_>,
    mut entries: Vec<Vec<u8>>,
    first_leaf: LeafIndex,
    outcomes: Vec<Outcome>,
) -> Effects {
    let previous = frame.parent.map_or(Hash::ZERO, |parent| parent.effects_hash);
    let effects = effects_hash(frame.suite, previous, overlay.writes());
    let [set, next_set] = frame.sets;
    let seal = Seal {
        suite: frame.suite,
        height: frame.height,
        time: frame.time,
        parent_seal_hash: frame.parent.map_or(Hash::ZERO, |parent| parent.seal_hash),
        status_root: frame.status.root,
        validator_set_hash: set.hash(frame.suite),
        next_validator_set_hash: next_set.hash(frame.suite),
        effects_hash: effects,
        totals_commitment: totals_commitment(frame.suite, &frame.salt, &frame.totals),
    };
    entries.push(Entry::Seal(seal.clone()).encode());
    let tip = Tip {
        height: frame.height,
        time: frame.time,
        seal_hash: seal.hash(),
        effects_hash: effects,
        log_size: TreeSize::new(first_leaf.get() + entries.len() as u64),
        status_root: frame.status.root,
        status_version: frame.status.version,
    };
    overlay.write(Table::Meta, META_TIP, tip.encode());
    Effects {
        seal,
        entries,
        first_leaf,
        writes: overlay.into_writes(),
        tip,
        outcomes,
        stale_nodes: frame.status.stale_nodes,
    }
}

/// H(salt ‖ totals): hides single amounts from whoever watches consecutive seals.
pub fn totals_commitment(suite: Suite, salt: &[u8; 32], totals: &Totals) -> Hash {
    suite.tagged("tallystick/totals/v1", &[salt, &totals.encode()])
}

pub(crate) fn read_tip(state: &dyn StateRead) -> Result<Tip, ReadError> {
    let bytes = state.get(Table::Meta, META_TIP)?.ok_or_else(|| ReadError::corrupt("no tip"))?;
    Tip::decode(&bytes)
}

/// The validator set that decides `height` and cosigns the checkpoint after it. State holds that of the height after its tip and no
/// other, so any other height is an error.
pub fn read_validators(state: &dyn StateRead, height: Height) -> Result<ValidatorSet, ReadError> {
    let tip = read_tip(state)?.height;
    if tip.next() != Some(height) {
        return Err(ReadError(format!("state after height {tip} does not have the validators of height {height}")));
    }
    stored_validators(state)
}

/// The set that governance has decided on and that is not in force yet, and the first height that it decides. Later governance
/// may put another in its place.
pub fn read_pending_validators(state: &dyn StateRead) -> Result<Option<(Height, ValidatorSet)>, ReadError> {
    let Some(pending) = state.get(Table::Meta, META_VALIDATORS_NEXT)? else { return Ok(None) };
    let corrupt = || ReadError::corrupt("pending validators");
    let (first, bytes) = pending.split_first_chunk::<8>().ok_or_else(corrupt)?;
    let set = ValidatorSet::decode_stored(bytes).map_err(|_| corrupt())?;
    Ok(Some((Height::new(u64::from_be_bytes(*first)), set)))
}

/// The set of the height that follows the state's tip.
fn stored_validators(state: &dyn StateRead) -> Result<ValidatorSet, ReadError> {
    let bytes = state.get(Table::Meta, META_VALIDATORS)?.ok_or_else(|| ReadError::corrupt("no validators"))?;
    ValidatorSet::decode_stored(&bytes).map_err(|_| ReadError::corrupt("validators"))
}

/// The proposer schedule of the next height.
pub fn read_schedule(state: &dyn StateRead) -> Result<Schedule, ReadError> {
    let bytes = state.get(Table::Meta, META_SCHEDULE)?.ok_or_else(|| ReadError::corrupt("no schedule"))?;
    Schedule::decode(&bytes)
}
