//! Whose a governance message is, and what it may reach: the whole chain, or an area.
//!
//! ```text
//! Areas   area u32    AreaState: its authorities, and the last message that they made
//! ```
//! The chain's own authorities stand in Meta, those of an area here, and each has an order of messages of its own: an area that makes one message
//! after the other keeps nobody else from theirs. An action of an area's message may touch only what lies in the area, before it and after it.
//! What has no area (kinds, issuers, numbers of codes, blinding secrets, validators, the chain's authorities) is the chain's alone: numbers
//! of a code are everybody's, and who allocated the last of them would have them all. The authorities of an area are named by those above
//! it, never by themselves. Why so: docs/adr/0045-areas.md.

use prost::Message as _;

use super::action::{ActionPlace, ActionResult, require};
use super::authorities::{read_authorities, take_keys};
use super::overlay::{Overlay, StateRead};
use super::reading::ReadError;
use super::tables::{
    AreaState, CollectorState, GovernanceState, KeyState, META_GOVERNANCE, SegmentState, Table, UnitState,
};
use crate::area::Area;
use crate::authorities::AuthoritySet;
use crate::governance::{Action, KeyOwner, RegisterCollector, RegisterSystem, SetAreaAuthorities};

const BEYOND: &str = "it reaches beyond the area whose authorities sign";

/// Who signs the next message of an area or of the chain, and what it follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// The authorities in force.
    pub authorities: AuthoritySet,
    /// Their last message.
    pub last: GovernanceState,
}

/// The scope of an area; of the chain itself without one. `None`: the area has no authorities of its own.
pub fn read_scope(state: &dyn StateRead, area: Option<Area>) -> Result<Option<Scope>, ReadError> {
    let Some(area) = area else {
        let last = state.get(Table::Meta, META_GOVERNANCE)?.ok_or_else(|| ReadError::corrupt("governance"))?;
        let (authorities, last) = (read_authorities(state)?, GovernanceState::decode(&last)?);
        return Ok(Some(Scope { authorities, last }));
    };
    let Some(known) = read_area(state, area)? else { return Ok(None) };
    let (authorities, last) = (known.authorities()?, known.last()?);
    Ok(Some(Scope { authorities, last }).filter(|scope| !scope.authorities.keys.is_empty()))
}

fn read_area(state: &dyn StateRead, area: Area) -> Result<Option<AreaState>, ReadError> {
    let bytes = state.get(Table::Areas, &area.get().to_be_bytes())?;
    let decoded = bytes.map(|bytes| AreaState::decode(bytes.as_slice()));
    decoded.transpose().map_err(|_| ReadError::corrupt("areas"))
}

/// Notes the message that was taken.
pub(super) fn write_last(
    overlay: &mut Overlay<'_>,
    area: Option<Area>,
    taken: GovernanceState,
) -> Result<(), ReadError> {
    let Some(area) = area else {
        overlay.write(Table::Meta, META_GOVERNANCE, taken.encode());
        return Ok(());
    };
    let known = read_area(&*overlay, area)?.ok_or_else(|| ReadError::corrupt("areas"))?;
    let state = AreaState { sequence: taken.sequence, last_id: taken.id.0.to_vec(), ..known };
    overlay.write(Table::Areas, area.get().to_be_bytes(), state.encode_to_vec());
    Ok(())
}

/// Names an area's authorities, or takes them away. What they have signed stays, and their order of messages goes on under the next ones.
pub(super) fn set_area_authorities(
    overlay: &mut Overlay<'_>,
    change: &SetAreaAuthorities,
    place: ActionPlace<'_>,
) -> ActionResult {
    let known = read_area(&*overlay, change.area)?.unwrap_or_else(|| AreaState::of(change.area));
    let in_force = known.authorities()?;
    require(change.set != in_force, "these are the area's authorities already")?;
    if !change.takes_away() {
        take_keys(overlay, &change.set, &in_force, change.area.get(), place)?;
    }
    let keys = change.set.keys.iter().map(|key| key.0.to_vec()).collect();
    let state = AreaState { keys, threshold: change.set.threshold, ..known };
    overlay.write(Table::Areas, change.area.get().to_be_bytes(), state.encode_to_vec());
    Ok(())
}

/// Refuses an action of an area's message that touches what does not lie in the area. What is not registered is left to the action's own rule.
pub(super) fn check_reach(overlay: &Overlay<'_>, action: &Action, area: Area) -> ActionResult {
    let within = match action {
        Action::RegisterUnit(unit) => {
            covers(area, &unit.supervisor_area_code) && has_unit(overlay, area, unit.unit_id)?
        }
        Action::RegisterKey(key) => key.owner_kind == KeyOwner::Unit.number() && has_unit(overlay, area, key.owner_id)?,
        Action::RevokeKey(revocation) => has_key(overlay, area, revocation.key_id)?,
        Action::RegisterSystem(system) => has_system(overlay, area, system)?,
        Action::CloseSegment(close) => has_segment(overlay, area, close.segment_id)?,
        Action::SettleSegment(settlement) => has_segment(overlay, area, settlement.segment_id)?,
        Action::AttachItems(items) => has_unit(overlay, area, items.unit_id)?,
        Action::RegisterCollector(collector) => has_collector(overlay, area, collector)?,
        Action::SetAreaAuthorities(change) => area.is_above(change.area),
        Action::AllocateSegment(_)
        | Action::RegisterIssuer(_)
        | Action::FenceIssuer(_)
        | Action::RegisterKind(_)
        | Action::SetValidators(_)
        | Action::SetAuthorities(_)
        | Action::RegisterBlinding(_)
        | Action::WithdrawBlinding(_) => false,
    };
    require(within, BEYOND)
}

fn covers(area: Area, code: &str) -> bool {
    Area::parse(code).is_some_and(|of| area.covers(of))
}

/// Whether the unit lies in the area, or is not registered.
fn has_unit(overlay: &Overlay<'_>, area: Area, unit_id: u32) -> Result<bool, ReadError> {
    let known: Option<UnitState> = overlay.read_message(Table::Units, &unit_id.to_be_bytes())?;
    Ok(known.is_none_or(|known| covers(area, &known.unit.supervisor_area_code)))
}

fn has_key(overlay: &Overlay<'_>, area: Area, key_id: u32) -> Result<bool, ReadError> {
    let known: Option<KeyState> = overlay.read_message(Table::Keys, &key_id.to_be_bytes())?;
    let Some(KeyState { key, .. }) = known else { return Ok(true) };
    Ok(key.owner_kind == KeyOwner::Unit.number() && has_unit(overlay, area, key.owner_id)?)
}

fn has_segment(overlay: &Overlay<'_>, area: Area, segment_id: u32) -> Result<bool, ReadError> {
    let known: Option<SegmentState> = overlay.read_message(Table::Segments, &segment_id.to_be_bytes())?;
    known.map_or(Ok(true), |known| has_unit(overlay, area, known.segment.unit_id))
}

/// A system is the area's if all for whom it may act, before and after, are. One that may act for nobody is the chain's.
fn has_system(overlay: &Overlay<'_>, area: Area, system: &RegisterSystem) -> Result<bool, ReadError> {
    let before: Option<RegisterSystem> = overlay.read_message(Table::Systems, &system.system_id.to_be_bytes())?;
    for entry in before.iter().chain([system]) {
        if entry.grants.is_empty() {
            return Ok(false);
        }
        for grant in &entry.grants {
            if !has_unit(overlay, area, grant.unit_id)? {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// A collector is the area's if all for whom it collects, before and after, are.
fn has_collector(overlay: &Overlay<'_>, area: Area, collector: &RegisterCollector) -> Result<bool, ReadError> {
    let id = collector.collector_id.to_be_bytes();
    let before: Option<CollectorState> = overlay.read_message(Table::Collectors, &id)?;
    for entry in before.iter().map(|before| &before.collector).chain([collector]) {
        if entry.area().is_some_and(|of| !area.covers(of)) {
            return Ok(false);
        }
        for unit in &entry.unit_ids {
            if !has_unit(overlay, area, *unit)? {
                return Ok(false);
            }
        }
    }
    Ok(true)
}
