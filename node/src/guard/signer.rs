//! The consensus key behind the guard.

use std::sync::Arc;

use ed25519_dalek::{Signer as _, SigningKey};
use receipt_core::ids::Height;
use tallystick_engine::{ConsensusSigner, SignRefused, SignRequest, SignResponse, VoteSlot};

use super::answer::Grounds;
use super::slot::{Ballot, Kind};
use super::{Guard, GuardError};
use crate::membership::VotingKeys;

/// Signs whatever the guard permits.
pub struct GuardedSigner {
    guard: Arc<Guard>,
    keys: Keys,
}

/// The keys that votes are signed with.
enum Keys {
    /// Always the same.
    One(SigningKey),
    /// That of the height's validator set.
    ByHeight(VotingKeys),
}

impl GuardedSigner {
    /// Signs with the key of this seed.
    pub fn new(guard: Arc<Guard>, seed: &[u8; 32]) -> Self {
        Self { guard, keys: Keys::One(SigningKey::from_bytes(seed)) }
    }

    /// Signs each height with the key that the height's validator set has.
    pub(crate) fn by_height(guard: Arc<Guard>, keys: VotingKeys) -> Self {
        Self { guard, keys: Keys::ByHeight(keys) }
    }

    /// The key of a vote or a proposal.
    fn key_at(&self, height: u64) -> Result<SigningKey, SignRefused> {
        match &self.keys {
            Keys::One(key) => Ok(key.clone()),
            Keys::ByHeight(keys) => keys.at(Height::new(height)),
        }
    }

    /// The key of what is no vote, where no height's key is asked for or none fits.
    fn own_key(&self) -> Option<SigningKey> {
        match &self.keys {
            Keys::One(key) => Some(key.clone()),
            Keys::ByHeight(keys) => keys.own(),
        }
    }

    fn preimage(&self, height: u64, ballot: &Ballot) -> Option<Vec<u8>> {
        let chain = &self.guard.chain().0.0;
        let slot = VoteSlot { height, round: ballot.round };
        Some(match ballot.kind {
            Kind::Prevote => tallystick_engine::prevote(chain, slot, ballot.block_id.as_ref()),
            Kind::Precommit => tallystick_engine::precommit(chain, slot, ballot.block_id.as_ref()),
            Kind::Proposal => tallystick_engine::proposal(chain, slot, ballot.pol_round, ballot.block_id.as_ref()?),
        })
    }
}

/// Height, statement, and what is known of its block. `None` for what is no vote and no proposal.
fn ballot(request: &SignRequest) -> Option<(u64, Ballot, Grounds)> {
    let mut grounds = Grounds::default();
    let (slot, kind, pol_round, block_id) = match *request {
        SignRequest::Proposal { slot, pol_round, block_id } => (slot, Kind::Proposal, pol_round, Some(block_id)),
        SignRequest::Prevote { slot, block_id, polka_round, untimely } => {
            grounds = Grounds { polka_round, untimely };
            (slot, Kind::Prevote, None, block_id)
        }
        SignRequest::Precommit { slot, block_id } => (slot, Kind::Precommit, None, block_id),
        SignRequest::Stream { .. } => return None,
    };
    Some((slot.height, Ballot { kind, round: slot.round, pol_round, block_id }, grounds))
}

fn statement(height: u64, ballot: &Ballot) -> Option<SignRequest> {
    let slot = VoteSlot { height, round: ballot.round };
    Some(match ballot.kind {
        Kind::Prevote => SignRequest::Prevote { slot, block_id: ballot.block_id, polka_round: None, untimely: false },
        Kind::Precommit => SignRequest::Precommit { slot, block_id: ballot.block_id },
        Kind::Proposal => SignRequest::Proposal { slot, pol_round: ballot.pol_round, block_id: ballot.block_id? },
    })
}

fn refused(error: &GuardError) -> SignRefused {
    SignRefused { reason: error.to_string(), conflict: matches!(error, GuardError::Conflict(_)) }
}

/// A request that does not say what its preimage says, or a proposal without a block. Neither exists.
fn misfit() -> SignRefused {
    SignRefused { reason: "the request does not fit its preimage".to_owned(), conflict: false }
}

impl ConsensusSigner for GuardedSigner {
    fn sign(&self, request: &SignRequest, preimage: &[u8]) -> Result<SignResponse, SignRefused> {
        let Some((height, asked, grounds)) = ballot(request) else {
            // The requests that have no ballot say nothing about what this validator votes for.
            let key = match *request {
                SignRequest::Stream { slot, .. } => self.key_at(slot.height).ok().or_else(|| self.own_key()),
                _ => self.own_key(),
            };
            let key = key.ok_or_else(misfit)?;
            return Ok(SignResponse { statement: request.clone(), signature: key.sign(preimage).to_bytes() });
        };
        if self.preimage(height, &asked).as_deref() != Some(preimage) {
            return Err(misfit());
        }
        let key = self.key_at(height)?;
        let sign = |ballot: &Ballot| {
            let preimage = self.preimage(height, ballot)?;
            Some(key.sign(&preimage).to_bytes())
        };
        let vote = self.guard.vote(height, &asked, grounds, sign).map_err(|error| refused(&error))?;
        let statement = statement(height, &vote.ballot).ok_or_else(misfit)?;
        Ok(SignResponse { statement, signature: vote.signature })
    }

    fn public_key(&self) -> [u8; 32] {
        self.own_key().map_or([0; 32], |key| key.verifying_key().to_bytes())
    }
}
