//! Governance in the pool: only the next in sequence, and only while the next block would execute it.

use receipt_core::governance::SignedGovernance;
use receipt_core::ids::Height;
use receipt_core::limits;
use receipt_core::reason::Reason;
use receipt_core::state::tables::{GovernanceState, META_GOVERNANCE, Table};
use receipt_core::state::{ApplyError, StateRead as _, read_authorities, would_execute};

use super::waiting::Waiting;
use super::{Pool, PoolError, refused};
use crate::store::StoreError;

impl Pool {
    /// Checks a governance message and takes it in: the next in sequence, and one that applies. Returns whether it was known.
    pub fn offer_governance(&self, message: SignedGovernance) -> Result<bool, PoolError> {
        loop {
            self.check_place(&message)?;
            let sequence = message.governance.sequence;
            if let Some(other) = self.waiting().governance.get(&sequence) {
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
        let sequence = message.governance.sequence;
        let mut waiting = self.waiting();
        if self.ledger.tip()?.height != checked_at || waiting.governance.contains_key(&sequence) {
            return Ok(None);
        }
        waiting.governance.insert(sequence, message.clone());
        drop(waiting);
        self.changed.send_modify(|count| *count += 1);
        Ok(Some(false))
    }

    /// Whether it comes next.
    fn check_place(&self, message: &SignedGovernance) -> Result<(), PoolError> {
        let sequence = message.governance.sequence;
        let last = self.last_governance()?;
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
        Ok(())
    }

    /// Place, size, expiry, signatures, and whether every action applies to the state as it is, in a block of now. Returns the height
    /// of that state.
    pub(super) fn check_governance(&self, message: &SignedGovernance) -> Result<Height, PoolError> {
        let invalid = |problem: String| refused(Reason::FieldInvalid, problem);
        if message.encode().len() >= limits::ENTRY_BYTES_MAX {
            return Err(invalid(format!("the message is larger than {} bytes; split it", limits::ENTRY_BYTES_MAX)));
        }
        let tip = self.ledger.tip()?;
        self.check_place(message)?;
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
        let authorities = read_authorities(&self.ledger.store).map_err(StoreError::from)?;
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
        for (sequence, message) in &waiting.governance {
            match self.check_governance(message) {
                Ok(_) => {}
                Err(PoolError::Store(error)) => return Err(error),
                Err(refusal) => gone.push((*sequence, refusal)),
            }
        }
        for (sequence, refusal) in gone {
            waiting.governance.remove(&sequence);
            // Most messages leave because they were executed. Only the others are logged.
            if sequence > self.last_governance()?.sequence {
                tracing::warn!(sequence, %refusal, "a waiting governance message can be executed no more; dropped");
            }
        }
        Ok(())
    }

    /// The last message that the ledger took.
    pub(crate) fn last_governance(&self) -> Result<GovernanceState, StoreError> {
        let bytes = self.ledger.store.get(Table::Meta, META_GOVERNANCE)?;
        let bytes = bytes.ok_or_else(|| StoreError::Corrupt("no governance sequence".into()))?;
        Ok(GovernanceState::decode(&bytes)?)
    }

    /// Drops a governance message: a proposer found that no block may carry it.
    pub fn drop_governance(&self, sequence: u64) {
        self.waiting().governance.remove(&sequence);
    }

    /// Waiting governance messages.
    pub fn governance(&self) -> Vec<SignedGovernance> {
        self.waiting().governance.values().cloned().collect()
    }
}
