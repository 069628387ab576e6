//! Who may act for whom: a certificate names a system, the registry the units and places for which it may act.
//!
//! Roles (which methods a system, an operator, a node may call at all) are the service kit's table; this is the second
//! question, asked per unit.

use std::collections::HashSet;
use std::sync::Arc;

use receipt_core::ids::{SystemId, UnitId};
use receipt_core::reason::Reason;
use tallystick_proto::errors::{CallReason, Refusal};

use crate::registry::{RegistryView, System, Unit};

/// The unit of this code, if the system may act for it at this place. `place_code`: `None` where no
/// single place is concerned; what is shown then is judged receipt by receipt ([`may_see`]).
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

/// Whether the system may see and act on receipts that this unit issued at this place.
pub fn may_see(view: &RegistryView, system: SystemId, unit: UnitId, place_code: &str) -> bool {
    let granted = view.system(system).and_then(|system| system.grants.get(&unit));
    granted.is_some_and(|places| place_is_granted(places.as_ref(), Some(place_code)))
}

/// Whether the system may act for every place of this unit.
pub fn is_whole_unit(view: &RegistryView, system: SystemId, unit: UnitId) -> bool {
    view.system(system).and_then(|system| system.grants.get(&unit)).is_some_and(Option::is_none)
}

/// Who listens to outcomes: what a system may see, narrowed by what it asked for.
#[derive(Debug, Clone, Copy)]
pub struct Audience<'a> {
    /// The system as registered, with what it may do.
    pub system: &'a System,
    /// The units asked for; `None`: all that are granted.
    pub units: Option<&'a HashSet<UnitId>>,
}

impl Audience<'_> {
    /// Whether anything of this unit may be told.
    pub fn hears_unit(&self, unit: UnitId) -> bool {
        self.system.grants.contains_key(&unit) && self.units.is_none_or(|units| units.contains(&unit))
    }

    /// Whether a receipt that this unit issued at this place may be told.
    pub fn hears(&self, unit: UnitId, place_code: &str) -> bool {
        let places = self.system.grants.get(&unit);
        let granted = places.is_some_and(|places| place_is_granted(places.as_ref(), Some(place_code)));
        granted && self.hears_unit(unit)
    }
}

fn place_is_granted(places: Option<&HashSet<String>>, place_code: Option<&str>) -> bool {
    match (places, place_code) {
        (None, _) | (_, None) => true,
        (Some(places), Some(place_code)) => places.contains(place_code),
    }
}
