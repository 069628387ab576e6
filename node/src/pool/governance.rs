//! Governance in the pool: only the next in sequence, and only what would apply.

use receipt_core::governance::SignedGovernance;
use receipt_core::limits;
use receipt_core::reason::Reason;
use receipt_core::state::tables::{GovernanceState, META_GOVERNANCE, Table};
use receipt_core::state::{ApplyError, StateRead as _, registry_writes};

use super::{Pool, PoolError, refused};
use crate::store::StoreError;

impl Pool {
    /// Checks a governance message and takes it in: the next in sequence, and one that applies. Returns whether it was known.
    pub fn offer_governance(&self, message: SignedGovernance) -> Result<bool, PoolError> {
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
        if let Some(other) = self.waiting().governance.get(&sequence) {
            let same = other.governance_bytes == message.governance_bytes;
            let detail = format!("another message with sequence {sequence} is waiting");
            return if same { Ok(true) } else { Err(refused(Reason::SequenceConflict, detail)) };
        }
        self.check_governance(&message)?;
        self.waiting().governance.insert(sequence, message);
        self.changed.send_modify(|count| *count += 1);
        Ok(false)
    }

    /// Size, expiry, signatures, and whether every action applies to the state as it is.
    fn check_governance(&self, message: &SignedGovernance) -> Result<(), PoolError> {
        let invalid = |problem: String| refused(Reason::FieldInvalid, problem);
        if message.encode().len() >= limits::ENTRY_BYTES_MAX {
            return Err(invalid(format!("the message is larger than {} bytes; split it", limits::ENTRY_BYTES_MAX)));
        }
        let tip = self.ledger.tip()?;
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
        if !message.verify(chain.id, &chain.authorities, chain.authority_threshold) {
            let detail = format!("{} valid authority signatures are needed", chain.authority_threshold);
            return Err(refused(Reason::SignatureInvalid, detail));
        }
        match registry_writes(&self.ledger.store, chain, message, height, tip.time) {
            Ok(_) => Ok(()),
            Err(ApplyError::Refused(refusal)) => Err(invalid(refusal.to_string())),
            Err(ApplyError::Read(error)) => Err(PoolError::Store(error.into())),
        }
    }

    /// The last message that the ledger took.
    pub(crate) fn last_governance(&self) -> Result<GovernanceState, StoreError> {
        let bytes = self.ledger.store.get(Table::Meta, META_GOVERNANCE)?;
        let bytes = bytes.ok_or_else(|| StoreError::Corrupt("no governance sequence".into()))?;
        Ok(GovernanceState::decode(&bytes)?)
    }

    /// Drops a governance message for the same reason.
    pub fn drop_governance(&self, sequence: u64) {
        self.waiting().governance.remove(&sequence);
    }

    /// Waiting governance messages.
    pub fn governance(&self) -> Vec<SignedGovernance> {
        self.waiting().governance.values().cloned().collect()
    }
}
