//! A governance message: its place in the row of messages, its signatures, its actions. What an action does is in `governance`.

use super::action::{ActionError, ActionPlace, Records};
use super::chain::ChainParameters;
use super::checked::CheckedBlock;
use super::governance::apply_action;
use super::overlay::{Overlay, StateRead, Writes};
use super::reading::ReadError;
use super::refusal::{ApplyError, BlockRefusal};
use super::scope::{Scope, read_scope, write_last};
use super::settlement::LookUps;
use super::tables::GovernanceState;
use crate::area::Area;
use crate::entry::Entry;
use crate::governance::{Governance, SignedGovernance};
use crate::ids::{Height, UnixMillis};
use crate::limits;

/// Takes a message into a block; returns its log entry.
pub(super) fn apply_governance(
    overlay: &mut Overlay<'_>,
    chain: &ChainParameters,
    block: &CheckedBlock,
    signed: &SignedGovernance,
    look_ups: &mut LookUps,
) -> Result<Vec<u8>, ApplyError> {
    let place = ActionPlace::of(chain, block.content.height, block.content.time, Records::AtHand);
    apply_unexpired(overlay, chain, place, signed, look_ups)?;
    Ok(Entry::Governance(signed.clone()).encode())
}

/// Expiry, sequence, signatures, actions: all that a block asks of a message.
pub(super) fn apply_unexpired(
    overlay: &mut Overlay<'_>,
    chain: &ChainParameters,
    place: ActionPlace<'_>,
    signed: &SignedGovernance,
    look_ups: &mut LookUps,
) -> Result<(), ApplyError> {
    let governance = &signed.governance;
    if let Some(problem) = expiry_problem(governance, place.height) {
        let (area, sequence) = (governance.area, governance.sequence);
        return Err(BlockRefusal::Governance { area, sequence, problem }.into());
    }
    apply_signed(overlay, chain, place, signed, look_ups)
}

/// Why no block of this height may carry the message, if it is for its expiry.
pub(super) fn expiry_problem(governance: &Governance, height: Height) -> Option<&'static str> {
    if governance.expiry < height {
        return Some("it has expired");
    }
    let farthest = height.get().saturating_add(limits::GOVERNANCE_VALID_HEIGHTS_MAX);
    (governance.expiry.get() > farthest).then_some("its expiry lies too far ahead")
}

/// Why the message does not come next, if it does not.
pub(super) fn order_problem(state: &dyn StateRead, governance: &Governance) -> Result<Option<&'static str>, ReadError> {
    Ok(scope_of(state, governance)?.err())
}

/// Whose the message is, if it comes next; else why it does not.
fn scope_of(state: &dyn StateRead, governance: &Governance) -> Result<Result<Scope, &'static str>, ReadError> {
    let Some(scope) = read_scope(state, governance.area)? else {
        return Ok(Err("its area has no authorities of its own"));
    };
    if Some(governance.sequence) != scope.last.sequence.checked_add(1) {
        return Ok(Err("its sequence is not the next one"));
    }
    let follows = governance.previous == scope.last.id;
    Ok(if follows { Ok(scope) } else { Err("it was signed to follow another message than the last one") })
}

/// Sequence, signatures, actions.
fn apply_signed(
    overlay: &mut Overlay<'_>,
    chain: &ChainParameters,
    place: ActionPlace<'_>,
    signed: &SignedGovernance,
    look_ups: &mut LookUps,
) -> Result<(), ApplyError> {
    let governance = &signed.governance;
    let (area, sequence) = (governance.area, governance.sequence);
    let refuse = |problem| BlockRefusal::Governance { area, sequence, problem };
    let scope = scope_of(overlay, governance)?.map_err(refuse)?;
    if governance.suite != chain.suite {
        return Err(refuse("it is of another suite than the chain").into());
    }
    if let Some(problem) = signed.signature_problem(chain.id, &scope.authorities) {
        return Err(refuse(problem).into());
    }
    let place = place.within(area);
    for action in &governance.actions {
        apply_action(overlay, action, place, look_ups).map_err(|error| governance_error(area, sequence, error))?;
    }
    write_last(overlay, area, GovernanceState { sequence, id: signed.hash() })?;
    Ok(())
}

/// What one governance entry of the public log writes to the registry, for followers that see entries but no records. Signatures
/// and sequence are checked as in [`apply`](super::apply()), expiry is not; what was used of a segment is left to the block that carries the
/// entry, and not counted here.
pub fn followed_writes(
    registry: &dyn StateRead,
    chain: &ChainParameters,
    signed: &SignedGovernance,
    height: Height,
    block_time: UnixMillis,
) -> Result<Writes, ApplyError> {
    let mut overlay = Overlay::new(registry);
    let place = ActionPlace::of(chain, height, block_time, Records::Elsewhere);
    apply_signed(&mut overlay, chain, place, signed, &mut LookUps::default())?;
    Ok(overlay.into_writes())
}

/// An action that does not apply, as the refusal of the message with this sequence.
pub(super) fn governance_error(area: Option<Area>, sequence: u64, error: ActionError) -> ApplyError {
    match error {
        ActionError::Refused(problem) => BlockRefusal::Governance { area, sequence, problem }.into(),
        ActionError::Read(error) => error.into(),
    }
}
