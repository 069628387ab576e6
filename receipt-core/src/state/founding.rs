//! Block 0: a genesis file as a state.

use super::action::{ActionPlace, Records, require};
use super::authorities::put_authorities;
use super::directory::write_directory;
use super::effects::{Effects, SealFrame, finish};
use super::governance::apply_action;
use super::messages::governance_error;
use super::overlay::{Overlay, StateRead};
use super::owned;
use super::reading::ReadError;
use super::refusal::{ApplyError, BlockRefusal};
use super::registry_map::write_registry_map;
use super::schedule::Schedule;
use super::settlement::LookUps;
use super::statuses::StatusOutcome;
use super::tables::{GovernanceState, META_GOVERNANCE, META_SCHEDULE, META_TOTALS, META_VALIDATORS, Table, Totals};
use crate::entry::Entry;
use crate::genesis::Genesis;
use crate::ids::{Height, LeafIndex};
use crate::limits;
use crate::merkle::empty_root;

/// Block 0: what a genesis file leaves behind. Errors name the first action that does not apply.
pub fn genesis_effects(genesis: &Genesis) -> Result<Effects, ApplyError> {
    let mut overlay = Overlay::new(&Nothing);
    let mut entries = Vec::new();
    let (height, block_time) = (Height::ZERO, genesis.time);
    let (suite, origin) = (genesis.suite, genesis.origin.as_str());
    let place = ActionPlace { suite, origin, height, block_time, area: None, records: Records::AtHand };
    let set = &genesis.validators;
    owned::claim(&mut overlay, set);
    let problem = "an authority's key is a validator's";
    for key in &genesis.authorities {
        require(!owned::is_held(&overlay, key)?, problem).map_err(|error| governance_error(None, 0, error))?;
    }
    put_authorities(&mut overlay, &genesis.authority_set());
    let mut look_ups = LookUps::default();
    for action in &genesis.actions {
        apply_action(&mut overlay, action, place, &mut look_ups).map_err(|error| governance_error(None, 0, error))?;
    }
    entries.extend(genesis.messages().map(|message| Entry::Governance(message).encode()));
    if entries.iter().any(|entry| entry.len() > limits::ENTRY_BYTES_MAX) {
        return Err(BlockRefusal::Entry.into());
    }
    overlay.write(Table::Meta, META_VALIDATORS, set.encode());
    overlay.write(Table::Meta, META_SCHEDULE, Schedule::default().encode());
    let founded = GovernanceState { sequence: 0, id: genesis.chain_id().0 };
    overlay.write(Table::Meta, META_GOVERNANCE, founded.encode());
    overlay.write(Table::Meta, META_TOTALS, Totals::default().encode());
    let status = StatusOutcome { root: crate::status::empty_root(), version: None, stale_nodes: Vec::new() };
    let nobody = empty_root(genesis.suite);
    let directory_root = write_directory(&mut overlay, genesis.suite, block_time, nobody)?;
    let registry = write_registry_map(&mut overlay, genesis.suite, height, None)?;
    let frame = SealFrame {
        suite: genesis.suite,
        height: Height::ZERO,
        time: genesis.time,
        parent: None,
        status,
        directory_root,
        registry,
        sets: [set, set],
        totals: Totals::default(),
        salt: [0; 32],
    };
    Ok(finish(overlay, frame, entries, LeafIndex::ZERO, Vec::new()))
}

/// The empty state over which genesis is applied.
struct Nothing;

impl StateRead for Nothing {
    fn get(&self, _: Table, _: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        Ok(None)
    }
}
