//! A governance message tried without a block: what the next one would make of it.
//!
//! By the same actions as a block's. Whoever holds a signed message asks whether a block would take it whole ([`would_execute`]). Before
//! anybody signs it ([`try_governance`]) signatures are not asked, because there are none yet. Place (sequence, message before, expiry) and
//! actions are judged apart: a message that is signed in advance is not the next one, and its authors want to know all the same
//! whether its actions would do. What the messages before it will change is not known to a trial.

use super::action::{ActionError, ActionPlace, Records};
use super::chain::ChainParameters;
use super::governance::apply_action;
use super::messages::{apply_unexpired, expiry_problem, order_problem};
use super::overlay::{Overlay, StateRead, Writes};
use super::reading::ReadError;
use super::refusal::ApplyError;
use super::settlement::LookUps;
use crate::governance::{Governance, SignedGovernance};
use crate::ids::{Height, UnixMillis};

/// What a block would make of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    /// Why the next block cannot carry it, whatever it says: expiry, sequence, the message before.
    pub place_problem: Option<&'static str>,
    /// What its actions would write, or which of them is refused.
    pub actions: Result<Writes, ActionRefusal>,
}

/// An action that the registry does not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActionRefusal {
    /// Its index in the message, from 0.
    pub index: usize,
    /// What is wrong.
    pub problem: &'static str,
}

/// Whether a block of this height and time over this state, the whole of it, would execute the signed message; why not, as the block's
/// refusal.
pub fn would_execute(
    state: &dyn StateRead,
    chain: &ChainParameters,
    signed: &SignedGovernance,
    height: Height,
    block_time: UnixMillis,
) -> Result<(), ApplyError> {
    let place = ActionPlace::of(chain, height, block_time, Records::AtHand);
    apply_unexpired(&mut Overlay::new(state), chain, place, signed, &mut LookUps::default())
}

/// Tries a message in a block of this height and time over this state. Only the state's own fault is an error.
pub fn try_governance(
    state: &dyn StateRead,
    chain: &ChainParameters,
    governance: &Governance,
    height: Height,
    block_time: UnixMillis,
) -> Result<Trial, ReadError> {
    let mut overlay = Overlay::new(state);
    let of_suite = (governance.suite != chain.suite).then_some("it is of another suite than the chain");
    let place_problem = match of_suite.or_else(|| expiry_problem(governance, height)) {
        Some(problem) => Some(problem),
        None => order_problem(&overlay, governance)?,
    };
    let place = ActionPlace::of(chain, height, block_time, Records::AtHand).within(governance.area);
    let mut look_ups = LookUps::default();
    for (index, action) in governance.actions.iter().enumerate() {
        match apply_action(&mut overlay, action, place, &mut look_ups) {
            Ok(()) => {}
            Err(ActionError::Refused(problem)) => {
                return Ok(Trial { place_problem, actions: Err(ActionRefusal { index, problem }) });
            }
            Err(ActionError::Read(error)) => return Err(error),
        }
    }
    Ok(Trial { place_problem, actions: Ok(overlay.into_writes()) })
}
