//! Governance in the pool: of the chain's own authorities and of each area only the next in sequence, and only while the next block would
//! execute it.

use receipt_core::area::Area;
use receipt_core::governance::SignedGovernance;
use receipt_core::ids::Height;
use receipt_core::limits;
use receipt_core::reason::Reason;
use receipt_core::state::tables::GovernanceState;
use receipt_core::state::{ApplyError, Scope, read_scope, would_execute};

use super::waiting::{GovernancePlace, Waiting};
use super::{Pool, PoolError, refused};
use crate::store::StoreError;

/// What stands around a message in a block, at most.
const ITEM_FRAME_BYTES: usize = 16;

impl Pool {
    /// Checks a governance message and takes it in: the next in sequence, and one that applies. Returns whether it was known.
    pub fn offer_governance(&self, message: SignedGovernance) -> Result<bool, PoolError> {
        loop {
            self.check_place(&message)?;
            let sequence = message.governance.sequence;
            if let Some(other) = self.waiting().governance.get(&place_of(&message)) {
                let same = other.governance_bytes == message.governance_bytes;
                let detail = format!("another message with sequence {sequence} is waiting");
                return if same { Ok(true) } else { Err(refused(Reason::SequenceConflict, detail)) };
            }
            let checked_at = self.check_governance(&message)?;
            if let Some(known) = self.keep_governance(&message, checked_at)? {
                return Ok(known);
            }
        }
    }

    /// Takes a message in that was checked when this was the newest height; `None` if another is by now, or another message has its
    /// place: check again. `forget_decided` takes the lock after its block is committed, so it sees whatever was kept before.
    pub(super) fn keep_governance(
        &self,
        message: &SignedGovernance,
        checked_at: Height,
    ) -> Result<Option<bool>, PoolError> {
        let place = place_of(message);
        let mut waiting = self.waiting();
        if self.ledger.tip()?.height != checked_at || waiting.governance.contains_key(&place) {
            return Ok(None);
        }
        waiting.governance.insert(place, message.clone());
        drop(waiting);
        self.changed.send_modify(|count| *count += 1);
        Ok(Some(false))
    }

    /// Whether it comes next; then whose it is.
    fn check_place(&self, message: &SignedGovernance) -> Result<Scope, PoolError> {
        let sequence = message.governance.sequence;
        let area = message.governance.area;
        let scope = read_scope(&self.ledger.store, area).map_err(StoreError::from)?;
        let Some(scope) = scope else {
            let code = area.map(|area| area.to_string()).unwrap_or_default();
            return Err(refused(Reason::SignatureInvalid, format!("area {code} has no authorities of its own")));
        };
        let last = scope.last;
        let next = last.sequence + 1;
        if sequence != next {
            let reason = if sequence < next { Reason::SequenceConflict } else { Reason::SequenceGap };
            return Err(refused(
                reason,
                format!("the next governance sequence is {next}, this message has {sequence}"),
            ));
        }
        if message.governance.previous != last.id {
            let detail = "it was signed to follow another message than the last one; propose it anew";
            return Err(refused(Reason::SequenceConflict, detail));
        }
        Ok(scope)
    }

    /// Place, size, expiry, signatures, and whether every action applies to the state as it is, in a block of now. Returns the height
    /// of that state.
    pub(super) fn check_governance(&self, message: &SignedGovernance) -> Result<Height, PoolError> {
        let invalid = |problem: String| refused(Reason::FieldInvalid, problem);
        if message.encode().len() >= limits::ENTRY_BYTES_MAX {
            return Err(invalid(format!("the message is larger than {} bytes; split it", limits::ENTRY_BYTES_MAX)));
        }
        let tip = self.ledger.tip()?;
        let Scope { authorities, .. } = self.check_place(message)?;
        let height = tip.height.next().ok_or_else(|| StoreError::Corrupt("no height is left".into()))?;
        if message.governance.expiry < height {
            return Err(invalid(format!("it expires at height {}, the next is {height}", message.governance.expiry)));
        }
        let farthest = height.get().saturating_add(limits::GOVERNANCE_VALID_HEIGHTS_MAX);
        if message.governance.expiry.get() > farthest {
            let expiry = message.governance.expiry;
            return Err(invalid(format!(
                "it expires at height {expiry}, which may be {farthest} at most; propose it anew"
            )));
        }
        let chain = &self.ledger.chain;
        if let Some(problem) = message.signature_problem(chain.id, &authorities) {
            let needed = authorities.threshold;
            let detail = format!(
                "{problem}: {needed} of those in force must sign, and whoever takes an authority's place; if they were replaced \
                 meanwhile, propose it anew"
            );
            return Err(refused(Reason::SignatureInvalid, detail));
        }
        match would_execute(&self.ledger.store, chain, message, height, self.block_time()?) {
            Ok(()) => Ok(tip.height),
            Err(ApplyError::Refused(refusal)) => Err(invalid(refusal.to_string())),
            Err(ApplyError::Read(error)) => Err(PoolError::Store(error.into())),
        }
    }

    /// Drops the messages that the next block cannot carry: what was once in order and is so no more never will be again. Whoever offers
    /// one hears the reason.
    pub(super) fn drop_unexecutable(&self, waiting: &mut Waiting) -> Result<(), StoreError> {
        let mut gone = Vec::new();
        for (place, message) in &waiting.governance {
            match self.check_governance(message) {
                Ok(_) => {}
                Err(PoolError::Store(error)) => return Err(error),
                Err(refusal) => gone.push((*place, refusal)),
            }
        }
        for (place, refusal) in gone {
            waiting.governance.remove(&place);
            let (area, sequence) = place;
            // Most messages leave because they were executed. Only the others are logged.
            if sequence > self.last_governance(area)?.map_or(0, |last| last.sequence) {
                let area = area.map(tracing::field::display);
                tracing::warn!(area, sequence, %refusal, "a waiting governance message can be executed no more; dropped");
            }
        }
        Ok(())
    }

    /// The last message that the ledger took of this area, or of the chain's own authorities; `None`: the area has no authorities.
    pub(crate) fn last_governance(&self, area: Option<Area>) -> Result<Option<GovernanceState>, StoreError> {
        Ok(read_scope(&self.ledger.store, area)?.map(|scope| scope.last))
    }

    /// The messages that the next block may carry, as they stand in the order of each whose they are; `start` turns the areas, so that none is
    /// always last. Adds their bytes to `bytes`.
    pub(super) fn next_governance(
        &self,
        waiting: &Waiting,
        start: u64,
        bytes: &mut usize,
    ) -> Result<Vec<SignedGovernance>, StoreError> {
        let mut areas: Vec<Option<Area>> = waiting.governance.keys().map(|(area, _)| *area).collect();
        areas.dedup();
        let own = usize::from(areas.first() == Some(&None));
        let turn = usize::try_from(start % (areas.len() - own).max(1) as u64).unwrap_or(0);
        areas[own..].rotate_left(turn);
        let mut messages = Vec::new();
        for area in areas {
            let Some(last) = self.last_governance(area)? else { continue };
            let mut sequence = last.sequence.saturating_add(1);
            while let Some(message) = waiting.governance.get(&(area, sequence)) {
                // With its signatures: hundreds may have to sign, each with as many bytes as a short action.
                let size = message.encode().len() + ITEM_FRAME_BYTES;
                if *bytes + size > limits::BLOCK_BYTES_MAX / 2 {
                    return Ok(messages);
                }
                *bytes += size;
                messages.push(message.clone());
                sequence += 1;
            }
        }
        Ok(messages)
    }

    /// Drops a governance message: a proposer found that no block may carry it.
    pub fn drop_governance(&self, area: Option<Area>, sequence: u64) {
        self.waiting().governance.remove(&(area, sequence));
    }

    /// Waiting governance messages, those of the chain's own authorities first.
    pub fn governance(&self) -> Vec<SignedGovernance> {
        self.waiting().governance.values().cloned().collect()
    }
}

fn place_of(message: &SignedGovernance) -> GovernancePlace {
    (message.governance.area, message.governance.sequence)
}
