//! Who may act for whom: a certificate names a system, the registry the units and places for which it may act.
//!
//! Roles (which methods a system, an operator, a node may call at all) are the service kit's table; this is the second
//! question, asked per unit.

use std::sync::Arc;

use receipt_core::ids::{SystemId, UnitId};
use receipt_core::reason::Reason;
use tallystick_proto::errors::{CallReason, Refusal};

use crate::registry::{RegistryView, Unit};

/// The unit of this code, if the system may act for it at this place. `place_code`: `None` where no place is concerned.
pub fn authorised_unit(
    view: &RegistryView,
    system: SystemId,
    unit_code: &str,
    place_code: Option<&str>,
) -> Result<Arc<Unit>, Refusal> {
    let unit = view.unit_by_code(unit_code);
    let granted = unit.and_then(|unit| view.system(system)?.grants.get(&unit.id));
    match (unit, granted) {
        (None, _) if view.system(system).is_some() => Err(Refusal::new(Reason::UnitUnknown)),
        (Some(unit), Some(places)) if place_is_granted(places.as_ref(), place_code) => Ok(Arc::clone(unit)),
        _ => Err(Refusal::new(CallReason::NotDelegated)),
    }
}

/// Whether the system may see receipts of this unit.
pub fn may_see(view: &RegistryView, system: SystemId, unit: UnitId) -> bool {
    view.system(system).is_some_and(|system| system.grants.contains_key(&unit))
}

fn place_is_granted(places: Option<&std::collections::HashSet<String>>, place_code: Option<&str>) -> bool {
    match (places, place_code) {
        (None, _) | (_, None) => true,
        (Some(places), Some(place_code)) => places.contains(place_code),
    }
}
