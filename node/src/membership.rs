//! Whether this node is a validator of a set, and with which of its keys.
//!
//! A node takes part by what the set of a height says of it, never by its configuration alone: a node that is in no set follows the
//! others without a vote until one has it, and one that left goes on so. While a validator changes its keys it holds two: those of the
//! set of now (`keys`) and those of the next one (`next_keys`); of each height it signs with those that the height's set has. With neither
//! it signs nothing.
//!
//! Not here: which sets there are (`ledger`), and what is signed (`guard`, `seal`).

use std::sync::{Mutex, PoisonError};

use ed25519_dalek::{Signer as _, SigningKey};
use receipt_core::ids::{Height, ValidatorId};
use receipt_core::suite::PublicKey;
use receipt_core::validators::{Validator, ValidatorSet};
use tallystick_engine::{MemberId, SignRefused};

use crate::ledger::{Ledger, Sets};
use crate::store::StoreError;

/// The secret keys that a validator set knows.
#[derive(Clone)]
pub(crate) struct ValidatorKeys {
    /// Signs consensus votes.
    pub(crate) consensus: SigningKey,
    /// Signs checkpoints as the log, type 0x01.
    pub(crate) log: SigningKey,
    /// Cosigns checkpoints, type 0x04.
    pub(crate) cosigner: SigningKey,
}

impl ValidatorKeys {
    /// Public halves: consensus, log, cosigner.
    pub(crate) fn public(&self) -> [PublicKey; 3] {
        [&self.consensus, &self.log, &self.cosigner].map(|key| PublicKey(key.verifying_key().to_bytes()))
    }

    fn are_of(&self, member: &Validator) -> bool {
        self.public() == [member.consensus_key, member.log_key, member.cosigner_key]
    }
}

/// What a node is to a validator set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// One of its validators.
    Member,
    /// The set has this node's number with keys that this node does not hold: it can sign nothing.
    OtherKeys,
    /// None of them: it follows without a vote.
    Outsider,
}

/// A node's number and keys.
pub(crate) struct Membership {
    id: ValidatorId,
    /// Those of now, and, while they are changed, the next ones.
    keys: Vec<ValidatorKeys>,
}

impl Membership {
    /// The membership of the validator with this number; `keys` must not be empty.
    pub(crate) fn new(id: ValidatorId, keys: Vec<ValidatorKeys>) -> Self {
        Self { id, keys }
    }

    /// This validator's registry number.
    pub(crate) fn id(&self) -> ValidatorId {
        self.id
    }

    /// All keys that it holds.
    pub(crate) fn keys(&self) -> &[ValidatorKeys] {
        &self.keys
    }

    /// The keys that a set has for this node, if it holds them.
    pub(crate) fn keys_in(&self, set: &ValidatorSet) -> Option<&ValidatorKeys> {
        let own = set.member(self.id)?;
        self.keys.iter().find(|keys| keys.are_of(own))
    }

    /// What this node is to a set.
    pub(crate) fn part_in(&self, set: &ValidatorSet) -> Part {
        match (set.member(self.id), self.keys_in(set)) {
            (None, _) => Part::Outsider,
            (Some(_), None) => Part::OtherKeys,
            (Some(_), Some(_)) => Part::Member,
        }
    }

    /// What this node is at the next height.
    pub(crate) fn part(&self, ledger: &Ledger) -> Result<Part, StoreError> {
        Ok(self.part_in(&ledger.validators_at(ledger.next_height()?)?))
    }
}

/// The consensus key of each height.
pub(crate) struct VotingKeys {
    membership: std::sync::Arc<Membership>,
    ledger: Ledger,
    /// Asked for several times a height.
    last: Mutex<Option<(Height, SigningKey)>>,
}

impl VotingKeys {
    /// The consensus keys by the validator sets of this ledger.
    pub(crate) fn new(membership: std::sync::Arc<Membership>, ledger: Ledger) -> Self {
        Self { membership, ledger, last: Mutex::default() }
    }

    /// The key that votes at a height. Refused, as a conflict that the process survives, if the height's set does not have it.
    pub(crate) fn at(&self, height: Height) -> Result<SigningKey, SignRefused> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, key)) = last.as_ref().filter(|(known, _)| *known == height) {
            return Ok(key.clone());
        }
        let failed = |error: StoreError| SignRefused { reason: error.to_string(), conflict: false };
        let set = self.ledger.validators_at(height).map_err(failed)?;
        let keys = self.membership.keys_in(&set).ok_or_else(|| SignRefused {
            reason: format!("the validator set of height {height} does not have this node with the keys that it holds"),
            conflict: true,
        })?;
        *last = Some((height, keys.consensus.clone()));
        Ok(keys.consensus.clone())
    }

    /// The key by which the other nodes may know this one now. It says nothing.
    pub(crate) fn own(&self) -> Option<SigningKey> {
        let set = self.ledger.next_height().and_then(|height| self.ledger.validators_at(height));
        let keys = set.ok().and_then(|set| self.membership.keys_in(&set).cloned());
        keys.or_else(|| self.membership.keys.first().cloned()).map(|keys| keys.consensus)
    }
}

/// The keys by which this node and its peers know each other's links.
pub(crate) struct LinkKeys {
    membership: std::sync::Arc<Membership>,
    ledger: Ledger,
}

impl LinkKeys {
    /// By the sets of this ledger.
    pub(crate) fn new(membership: std::sync::Arc<Membership>, ledger: Ledger) -> Self {
        Self { membership, ledger }
    }

    /// The ledger's chain.
    pub(crate) fn chain_id(&self) -> [u8; 32] {
        self.ledger.chain.id.0.0
    }
}

impl tallystick_engine::LinkKeys for LinkKeys {
    fn sign(&self, preimage: &[u8]) -> Vec<[u8; 64]> {
        self.membership.keys.iter().map(|keys| keys.consensus.sign(preimage).to_bytes()).collect()
    }

    fn keys_of(&self, member: MemberId) -> Result<Vec<[u8; 32]>, String> {
        let id = ValidatorId::new(member.get());
        let Sets { next, announced } = Sets::of(&self.ledger).map_err(|error| error.to_string())?;
        let mut keys = Vec::new();
        for set in [Some(next), announced].into_iter().flatten() {
            keys.extend(set.member(id).map(|member| member.consensus_key.0));
        }
        keys.dedup();
        Ok(keys)
    }
}

#[cfg(test)]
mod tests;
