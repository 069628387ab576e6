//! `apply`: executes one block over one state. Batches: `batches`; governance: `messages`; the seal: `effects`.

use super::batches::{BatchContext, apply_batch};
use super::chain::ChainParameters;
use super::checked::{CheckedBlock, CheckedItem};
use super::directory::write_directory;
use super::effects::{Effects, SealFrame, finish};
use super::members::{read_tip, rotate_validators, stored_validators};
use super::messages::apply_governance;
use super::overlay::{Overlay, StateRead};
use super::reading::ReadError;
use super::records::RegistryCache;
use super::refusal::{ApplyError, BlockRefusal};
use super::registry_map::{RegistryOutcome, write_registry_map};
use super::schedule::{Schedule, proposer_order, read_schedule};
use super::settlement::LookUps;
use super::statuses::write_statuses;
use super::tables::{META_SCHEDULE, META_TOTALS, Table, Tip, Totals};
use crate::ids::LeafIndex;
use crate::limits;
use crate::validators::ValidatorSet;

/// Executes a block over the state of its parent and returns what it leaves behind: writes, log entries, outcomes, seal. Nothing is
/// written to `state`. The result depends on state, parameters and block alone, so all who execute it get the same.
///
/// A bad batch is no error: it is refused by an entry of its own (see [`Effects::outcomes`]). Errors: [`ApplyError::Refused`] if no
/// validator may vote for the block, [`ApplyError::Read`] if the state cannot be read, which says nothing of the block. Rules:
/// docs/spec/execution.md.
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
                entries.push(apply_governance(&mut overlay, chain, block, governance, &mut look_ups)?);
                context.cache = RegistryCache::default();
            }
            CheckedItem::Batch(batch) => {
                let leaf = LeafIndex::new(first_leaf.get() + entries.len() as u64);
                let (entry, outcome) = apply_batch(&mut context, &mut overlay, batch, leaf)?;
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
    let directory_root = write_directory(&mut overlay, chain.suite, block.content.time, parent.directory_root)?;
    let registry = RegistryOutcome::of(&parent);
    let is_governed = block.items.iter().any(|item| matches!(item, CheckedItem::Governance(_)));
    let registry = match is_governed {
        true => write_registry_map(&mut overlay, chain.suite, block.content.height, Some(registry))?,
        false => registry,
    };
    let frame = SealFrame {
        suite: chain.suite,
        height: block.content.height,
        time: block.content.time,
        parent: Some(&parent),
        status,
        directory_root,
        registry,
        sets: [&set, &next_set],
        totals: context.totals,
        salt: block.content.salt,
    };
    Ok(finish(overlay, frame, entries, first_leaf, outcomes))
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
