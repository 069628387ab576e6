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
    owned::claim_authorities(overlay, set, owned::OF_THE_CHAIN);
}

/// Replaces the set. A key that was replaced does not come back, whatever the reason was, and no key has two roles.
pub(super) fn set_authorities(overlay: &mut Overlay<'_>, set: &AuthoritySet, place: ActionPlace<'_>) -> ActionResult {
    require(place.height > Height::ZERO, "genesis names its authorities apart from its actions")?;
    let before = read_authorities(&*overlay)?;
    require(*set != before, "these are the authorities already")?;
    take_keys(overlay, set, &before, owned::OF_THE_CHAIN, place)?;
    put_authorities(overlay, set);
    Ok(())
}

/// Whether the set can govern, and each key of it that is not in force already is free; then it is the holder's, the chain's or an area's.
pub(super) fn take_keys(
    overlay: &mut Overlay<'_>,
    set: &AuthoritySet,
    in_force: &AuthoritySet,
    holder: u32,
    place: ActionPlace<'_>,
) -> ActionResult {
    set.check(place.suite).map_err(ActionError::Refused)?;
    for key in set.keys.iter().filter(|key| !in_force.has(key)) {
        let is_free = !owned::is_held(overlay, key)? && !is_announced(&*overlay, key)?;
        require(is_free, "a new authority's key is of another role, or was an authority's before")?;
    }
    owned::claim_authorities(overlay, set, holder);
    Ok(())
}
