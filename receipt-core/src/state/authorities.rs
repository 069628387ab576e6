//! Who signs governance: the set in force, and its replacement.
//!
//! A set takes effect with the next message in the order of the log, of the same block or a later one. That every member of it has
//! signed the message that brings it is asked where signatures are (`messages`).

use super::action::{ActionError, ActionPlace, ActionResult, require};
use super::members::is_announced;
use super::overlay::{Overlay, StateRead};
use super::owned;
use super::reading::ReadError;
use super::tables::{META_AUTHORITIES, Table};
use crate::authorities::AuthoritySet;
use crate::ids::Height;

/// The authorities that sign the next governance message.
pub fn read_authorities(state: &dyn StateRead) -> Result<AuthoritySet, ReadError> {
    let bytes = state.get(Table::Meta, META_AUTHORITIES)?.ok_or_else(|| ReadError::corrupt("no authorities"))?;
    AuthoritySet::decode(&bytes).map_err(|_| ReadError::corrupt("authorities"))
}

/// Puts a set into force.
pub(super) fn put_authorities(overlay: &mut Overlay<'_>, set: &AuthoritySet) {
    overlay.write(Table::Meta, META_AUTHORITIES, set.encode());
    owned::claim_authorities(overlay, set);
}

/// Replaces the set. A key that was replaced does not come back, whatever the reason was, and no key has two roles.
pub(super) fn set_authorities(overlay: &mut Overlay<'_>, set: &AuthoritySet, place: ActionPlace<'_>) -> ActionResult {
    require(place.height > Height::ZERO, "genesis names its authorities apart from its actions")?;
    set.check(place.suite).map_err(ActionError::Refused)?;
    let before = read_authorities(&*overlay)?;
    require(*set != before, "these are the authorities already")?;
    for key in set.keys.iter().filter(|key| !before.has(key)) {
        let is_free = !owned::is_held(overlay, key)? && !is_announced(&*overlay, key)?;
        require(is_free, "a new authority's key is of another role, or was an authority's before")?;
    }
    put_authorities(overlay, set);
    Ok(())
}
