//! Where the chain stands, and who decides which height: the set in force, and the one that governance has put in line.

use super::overlay::{Overlay, StateRead};
use super::owned;
use super::reading::ReadError;
use super::tables::{META_TIP, META_VALIDATORS, META_VALIDATORS_NEXT, Table, Tip};
use crate::ids::Height;
use crate::suite::PublicKey;
use crate::validators::ValidatorSet;

/// The newest decided block: height, time, seal hash, effects hash.
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

/// Whether the set that waits for its height has this key.
pub(super) fn is_announced(state: &dyn StateRead, key: &PublicKey) -> Result<bool, ReadError> {
    let pending = read_pending_validators(state)?;
    let mut members = pending.iter().flat_map(|(_, set)| set.members());
    Ok(members.any(|member| [member.consensus_key, member.log_key, member.cosigner_key].contains(key)))
}

/// The set of the height that follows the state's tip.
pub(super) fn stored_validators(state: &dyn StateRead) -> Result<ValidatorSet, ReadError> {
    let bytes = state.get(Table::Meta, META_VALIDATORS)?.ok_or_else(|| ReadError::corrupt("no validators"))?;
    ValidatorSet::decode_stored(&bytes).map_err(|_| ReadError::corrupt("validators"))
}

/// Puts a pending validator set into force when its height comes; returns the set of the next height.
pub(super) fn rotate_validators(
    overlay: &mut Overlay<'_>,
    set: &ValidatorSet,
    height: Height,
) -> Result<ValidatorSet, ReadError> {
    let pending = read_pending_validators(&*overlay)?;
    let Some((_, next)) = pending.filter(|(first, _)| first.get() <= height.get() + 1) else {
        return Ok(set.clone());
    };
    overlay.write(Table::Meta, META_VALIDATORS, next.encode());
    owned::claim(overlay, &next);
    overlay.delete(Table::Meta, META_VALIDATORS_NEXT);
    Ok(next)
}
