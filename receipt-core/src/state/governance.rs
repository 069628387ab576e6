//! Applying governance: every action of a message, or none of it.

use std::collections::BTreeMap;

use prost::Message;

use super::action::{ActionError, ActionPlace, ActionResult, require};
use super::authorities::set_authorities;
use super::blinding;
use super::ending::Ending;
use super::members::is_announced;
use super::overlay::Overlay;
use super::owned;
use super::reading::ReadError;
use super::scope::{check_reach, set_area_authorities};
use super::settlement::{LookUps, settle_segment};
use super::tables::{
    CollectorState, DetachedKind, IssuerState, KeyState, META_VALIDATORS_NEXT, SegmentRange, SegmentState, Table,
    UnitState, pair_bytes,
};
use crate::area::Area;
use crate::governance::{
    Action, AllocateSegment, AttachItems, CodeName, FenceIssuer, KeyOwner, RegisterCollector, RegisterIssuer,
    RegisterKey, RegisterKind, RegisterSystem, RegisterUnit, RevokeKey, SetValidators,
};
use crate::ids::{ReceiptCode, ReceiptNumber, UnixMillis};
use crate::limits;
use crate::record::RecordType;
use crate::suite::Suite;

/// Applies one action; `look_ups` is what is left to the block that carries it.
pub(crate) fn apply_action(
    overlay: &mut Overlay<'_>,
    action: &Action,
    place: ActionPlace<'_>,
    look_ups: &mut LookUps,
) -> ActionResult {
    let ActionPlace { suite, block_time, .. } = place;
    if let Some(area) = place.area {
        check_reach(overlay, action, area)?;
    }
    match action {
        Action::RegisterUnit(unit) => register_unit(overlay, unit, block_time),
        Action::RegisterKey(key) => register_key(overlay, key, suite),
        Action::RevokeKey(revocation) => revoke_key(overlay, revocation, block_time),
        Action::RegisterSystem(system) => register_system(overlay, system),
        Action::AllocateSegment(segment) => allocate_segment(overlay, segment),
        Action::CloseSegment(close) => close_segment(overlay, close.segment_id, block_time),
        Action::RegisterIssuer(issuer) => register_issuer(overlay, issuer),
        Action::FenceIssuer(fence) => fence_issuer(overlay, fence),
        Action::RegisterKind(kind) => register_kind(overlay, kind, block_time),
        Action::AttachItems(items) => attach_items(overlay, items),
        Action::SetValidators(change) => set_validators(overlay, change, place),
        Action::SettleSegment(settlement) => settle_segment(overlay, settlement, place, look_ups),
        Action::SetAuthorities(set) => set_authorities(overlay, set, place),
        Action::RegisterBlinding(secret) => blinding::register(overlay, secret),
        Action::WithdrawBlinding(withdrawal) => blinding::withdraw(overlay, withdrawal),
        Action::SetAreaAuthorities(change) => set_area_authorities(overlay, change, place),
        Action::RegisterCollector(collector) => register_collector(overlay, collector, block_time),
    }
}

fn register_unit(overlay: &mut Overlay<'_>, unit: &RegisterUnit, block_time: UnixMillis) -> ActionResult {
    let code = unit.unit_code.as_bytes();
    require(code.len() == 18 && code.iter().all(u8::is_ascii_alphanumeric), "a unit code has 18 characters")?;
    require(Area::parse(&unit.supervisor_area_code).is_some(), "a unit's supervisor area code has six digits")?;
    require(unit.kinds.windows(2).all(|pair| pair[0] < pair[1]), "kinds must be strictly ascending")?;
    for kind in &unit.kinds {
        require(overlay.contains(Table::Kinds, &kind.to_be_bytes())?, "the unit's kind is not registered")?;
    }
    let id = unit.unit_id.to_be_bytes();
    let before: Option<UnitState> = overlay.read_message(Table::Units, &id)?;
    let holder = overlay.read(Table::UnitCodes, code)?;
    require(holder.is_none_or(|holder| holder == id), "the unit code belongs to another unit")?;
    let same_code = before.as_ref().is_none_or(|before| before.unit.unit_code == unit.unit_code);
    require(same_code, "a registered unit keeps its unit code")?;
    let suspension = before.as_ref().map_or(Ending::planned(0), UnitState::suspension);
    let suspended_at_ms = suspension.moved_to(unit.suspended_from_ms, block_time).recorded_ms();
    let detached = before.as_ref().map(|before| detached_kinds(before, unit, block_time)).unwrap_or_default();
    let state = UnitState { unit: unit.clone(), suspended_at_ms, detached };
    overlay.write(Table::Units, id, state.encode_to_vec());
    overlay.write(Table::UnitCodes, code, id.to_vec());
    Ok(())
}

/// The kinds taken from a unit, before and now, of which receipts may still come.
fn detached_kinds(before: &UnitState, unit: &RegisterUnit, block_time: UnixMillis) -> Vec<DetachedKind> {
    let now = before.unit.kinds.iter().map(|kind| DetachedKind { kind: *kind, detached_at_ms: block_time.get() });
    let earlier = before.detached.iter().filter(|detached| !detached.ending().is_over(block_time));
    let all = earlier.cloned().chain(now);
    let mut detached: Vec<DetachedKind> = all.filter(|entry| unit.kinds.binary_search(&entry.kind).is_err()).collect();
    detached.sort_by_key(|entry| entry.kind);
    detached
}

fn register_key(overlay: &mut Overlay<'_>, key: &RegisterKey, suite: Suite) -> ActionResult {
    let id = key.key_id.to_be_bytes();
    require(!overlay.contains(Table::Keys, &id)?, "the key id is used; key ids are never reused")?;
    require(key.suite == suite.number(), "the key is of another suite than the chain")?;
    let owner = key.owner_id.to_be_bytes();
    let owner_known = if key.owner_kind == KeyOwner::Unit.number() {
        overlay.contains(Table::Units, &owner)?
    } else if key.owner_kind == KeyOwner::Issuer.number() {
        overlay.contains(Table::Issuers, &owner)?
    } else {
        false
    };
    require(owner_known, "the key's owner is not registered")?;
    const NOT_REGISTRABLE: &str = "the public key is not canonical and torsion-free";
    let public = key.key().map_err(|_| ActionError::Refused(NOT_REGISTRABLE))?;
    require(suite.registers(&public), NOT_REGISTRABLE)?;
    require(key.valid_until_ms == 0 || key.valid_from_ms < key.valid_until_ms, "the key is never valid")?;
    require(!is_announced(&*overlay, &public)?, owned::REGISTERED)?;
    owned::claim_registered(overlay, key)?;
    let state = KeyState { key: key.clone(), revoked_from_ms: 0, revoked_at_ms: 0 };
    overlay.write(Table::Keys, id, state.encode_to_vec());
    Ok(())
}

fn revoke_key(overlay: &mut Overlay<'_>, revocation: &RevokeKey, block_time: UnixMillis) -> ActionResult {
    let id = revocation.key_id.to_be_bytes();
    let state: Option<KeyState> = overlay.read_message(Table::Keys, &id)?;
    let mut state = state.ok_or(ActionError::Refused("the key is not registered"))?;
    require(revocation.revoked_from_ms != 0, "a revocation names the first issue time it covers")?;
    let earlier = state.revoked_from_ms == 0 || revocation.revoked_from_ms < state.revoked_from_ms;
    require(earlier, "the key is revoked from that time or earlier already")?;
    let moved = state.revocation().moved_to(revocation.revoked_from_ms, block_time);
    (state.revoked_from_ms, state.revoked_at_ms) = (moved.from_ms(), moved.recorded_ms());
    overlay.write(Table::Keys, id, state.encode_to_vec());
    Ok(())
}

fn register_system(overlay: &mut Overlay<'_>, system: &RegisterSystem) -> ActionResult {
    for grant in &system.grants {
        require(overlay.contains(Table::Units, &grant.unit_id.to_be_bytes())?, "a granted unit is not registered")?;
    }
    overlay.write(Table::Systems, system.system_id.to_be_bytes(), system.encode_to_vec());
    Ok(())
}

fn allocate_segment(overlay: &mut Overlay<'_>, segment: &AllocateSegment) -> ActionResult {
    let id = segment.segment_id.to_be_bytes();
    require(!overlay.contains(Table::Segments, &id)?, "the segment id is used")?;
    require(overlay.contains(Table::Units, &segment.unit_id.to_be_bytes())?, "the segment's unit is not registered")?;
    require(
        overlay.contains(Table::Issuers, &segment.issuer_id.to_be_bytes())?,
        "the segment's issuer is not registered",
    )?;
    let valid_code = ReceiptCode::new(segment.receipt_code).is_ok();
    let kind_known = overlay.contains(Table::Kinds, &(segment.receipt_code / 100).to_be_bytes())?;
    require(valid_code && kind_known, "the segment's receipt code is not of a registered kind")?;
    let (first, last) = (segment.first_number, segment.last_number);
    require(first >= 1 && first <= last && ReceiptNumber::new(last).is_ok(), "the segment's range is not valid")?;
    let code = segment.receipt_code.to_be_bytes();
    let high_water = match overlay.read(Table::CodeHighWater, &code)? {
        None => 0,
        Some(bytes) => u64::from_be_bytes(bytes.try_into().map_err(|_| ReadError::corrupt("code high water"))?),
    };
    require(first > high_water, "segments of a code are allocated in ascending order and never overlap")?;
    overlay.write(Table::CodeHighWater, code, last.to_be_bytes().to_vec());
    let index_key = pair_bytes(segment.unit_id, segment.receipt_code);
    let mut index = overlay.read(Table::SegmentIndex, &index_key)?.unwrap_or_default();
    SegmentRange { segment: segment.segment_id, first, last }.append_to(&mut index);
    overlay.write(Table::SegmentIndex, index_key, index);
    let state = SegmentState { segment: segment.clone(), ..SegmentState::default() };
    overlay.write(Table::Segments, id, state.encode_to_vec());
    Ok(())
}

fn close_segment(overlay: &mut Overlay<'_>, segment_id: u32, block_time: UnixMillis) -> ActionResult {
    let id = segment_id.to_be_bytes();
    let state: Option<SegmentState> = overlay.read_message(Table::Segments, &id)?;
    let mut state = state.ok_or(ActionError::Refused("the segment is not allocated"))?;
    require(state.closed_at_ms == 0, "the segment is closed already")?;
    state.closed_at_ms = block_time.get();
    overlay.write(Table::Segments, id, state.encode_to_vec());
    Ok(())
}

/// A demand for payments begins for nobody who could not know of it: what was acknowledged without one would else be refused. An issuer that is cut
/// off acknowledges for less than the days of grace. Of a kind that is new nobody has numbers; a demand that only moves later asks for less.
fn register_kind(overlay: &mut Overlay<'_>, kind: &RegisterKind, block_time: UnixMillis) -> ActionResult {
    require(kind.kind <= 999_999, "a kind has six digits")?;
    require(kind.opened().is_some(), "a kind opens the header or the rows")?;
    let id = kind.kind.to_be_bytes();
    let before: Option<RegisterKind> = overlay.read_message(Table::Kinds, &id)?;
    let from_ms = kind.payment_required_from_ms;
    let asks_no_more = |before: RegisterKind| (1..=from_ms).contains(&before.payment_required_from_ms);
    let in_time = block_time.plus_millis(limits::REVOCATION_GRACE_MS);
    let is_known = before.is_none_or(asks_no_more) || from_ms == 0 || UnixMillis::new(from_ms) >= in_time;
    require(is_known, "payments of a registered kind are required ten days from now at the earliest")?;
    overlay.write(Table::Kinds, id, kind.encode_to_vec());
    Ok(())
}

fn register_collector(
    overlay: &mut Overlay<'_>,
    collector: &RegisterCollector,
    block_time: UnixMillis,
) -> ActionResult {
    let units = &collector.unit_ids;
    require(
        units.is_empty() != (collector.area == 0),
        "a collector collects for units or for an area, and not for both",
    )?;
    require(collector.area == 0 || collector.area().is_some(), "the collector's area has no six digits")?;
    require(units.windows(2).all(|pair| pair[0] < pair[1]), "a collector's units must be strictly ascending")?;
    for unit in units {
        require(overlay.contains(Table::Units, &unit.to_be_bytes())?, "a unit of the collector is not registered")?;
    }
    let capped = (1..limits::TOTAL_FEN_BOUND.unsigned_abs()).contains(&collector.daily_cap_fen);
    require(capped, "a collector's daily cap is above zero and below 10^14 fen")?;
    let id = collector.collector_id.to_be_bytes();
    let before: Option<CollectorState> = overlay.read_message(Table::Collectors, &id)?;
    let suspension = before.as_ref().map_or(Ending::planned(0), CollectorState::suspension);
    let suspended_at_ms = suspension.moved_to(collector.suspended_from_ms, block_time).recorded_ms();
    let state = CollectorState { collector: collector.clone(), suspended_at_ms };
    overlay.write(Table::Collectors, id, state.encode_to_vec());
    Ok(())
}

fn register_issuer(overlay: &mut Overlay<'_>, issuer: &RegisterIssuer) -> ActionResult {
    let types = &issuer.record_types;
    require(types.windows(2).all(|pair| pair[0] < pair[1]), "record types must be strictly ascending")?;
    require(types.iter().all(|number| RecordType::from_number(*number).is_some()), "there is no such record type")?;
    let id = issuer.issuer_id.to_be_bytes();
    let before: Option<IssuerState> = overlay.read_message(Table::Issuers, &id)?;
    let state = match before {
        None => IssuerState { issuer: issuer.clone(), epoch: 1, next_sequence: 1, refused_bytes: 0, refused_at_ms: 0 },
        Some(before) => {
            require(*issuer != before.issuer, "the issuer is registered so already")?;
            let keeps = before.issuer.record_types.iter().all(|number| types.contains(number));
            require(keeps, "an issuer keeps its record types")?;
            IssuerState { issuer: issuer.clone(), ..before }
        }
    };
    overlay.write(Table::Issuers, id, state.encode_to_vec());
    Ok(())
}

fn fence_issuer(overlay: &mut Overlay<'_>, fence: &FenceIssuer) -> ActionResult {
    let id = fence.issuer_id.to_be_bytes();
    let state: Option<IssuerState> = overlay.read_message(Table::Issuers, &id)?;
    let mut state = state.ok_or(ActionError::Refused("the issuer is not registered"))?;
    require(fence.epoch > state.epoch, "an epoch only rises")?;
    require([0, 16].contains(&fence.journal.len()), "a journal's id has 16 bytes")?;
    state.epoch = fence.epoch;
    overlay.write(Table::Issuers, id, state.encode_to_vec());
    Ok(())
}

fn attach_items(overlay: &mut Overlay<'_>, items: &AttachItems) -> ActionResult {
    require(overlay.contains(Table::Units, &items.unit_id.to_be_bytes())?, "the items' unit is not registered")?;
    require(overlay.contains(Table::Kinds, &items.kind.to_be_bytes())?, "the items' kind is not registered")?;
    let ascending = items.items.windows(2).all(|pair| pair[0].code < pair[1].code);
    require(ascending, "items must be strictly ascending by code")?;
    let key = pair_bytes(items.unit_id, items.kind);
    let before: Option<AttachItems> = if items.adds { overlay.read_message(Table::Items, &key)? } else { None };
    let before = before.unwrap_or_default().items;
    let names = before.into_iter().chain(items.items.iter().cloned()).map(|item| (item.code, item.name));
    // Where a code is named twice the later name stays.
    let names: BTreeMap<String, String> = names.collect();
    let merged = names.into_iter().map(|(code, name)| CodeName { code, name }).collect();
    let state = AttachItems { unit_id: items.unit_id, kind: items.kind, items: merged, adds: false };
    overlay.write(Table::Items, key, state.encode_to_vec());
    Ok(())
}

fn set_validators(overlay: &mut Overlay<'_>, change: &SetValidators, place: ActionPlace<'_>) -> ActionResult {
    let first_possible = place.height.get().saturating_add(2);
    require(change.effective_height >= first_possible, "a validator set takes effect two heights on at the earliest")?;
    let distinct = change.validators.check_note_keys(place.origin).is_ok();
    require(distinct, "two log keys of the set have the same note key id; one of them must be replaced")?;
    owned::check(overlay, &change.validators)?;
    let mut value = change.effective_height.to_be_bytes().to_vec();
    value.extend_from_slice(&change.validators.encode());
    overlay.write(Table::Meta, META_VALIDATORS_NEXT, value);
    Ok(())
}
