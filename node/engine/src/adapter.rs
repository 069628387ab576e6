//! Signing and verifying in the engine's traits: builds each preimage and calls [`ConsensusSigner`] or the key.
//!
//! A refusal goes to the loop (`refused`) before the engine sees the error, so the reason is known when the engine ends.

use std::sync::Arc;

use async_trait::async_trait;
use malachitebft_app_channel::app::types::core::{
    NilOrVal, Round, SignedExtension, SignedMessage, ValidatorProof, VoteExtensionScope, VoteType,
};
use malachitebft_app_channel::{Signer, Verifier};
use tokio::sync::mpsc;

use crate::context::{ChainProposal, ChainVote, Ledger};
use crate::preimage::{self, VoteSlot};
use crate::scheme::{PublicKey, Signature};
use crate::signing::{ConsensusSigner, SignRefused, SignRequest};

// app-channel re-exports the traits but not these two names.
type EngineError = malachitebft_signing::Error;
type EngineVerdict = malachitebft_signing::VerificationResult;

/// Checks signatures of one chain.
#[derive(Clone, Copy)]
pub(crate) struct ChainVerifier {
    pub(crate) chain_id: [u8; 32],
}

/// Signs for one chain through the application's signer.
#[derive(Clone)]
pub(crate) struct ChainSigner {
    pub(crate) chain_id: [u8; 32],
    pub(crate) signer: Arc<dyn ConsensusSigner>,
    /// The first refusal ends the loop.
    pub(crate) refused: mpsc::UnboundedSender<SignRefused>,
}

/// The preimage of a vote and what it asks of the guard; `None` for a vote without a round, which nobody casts.
pub(crate) fn vote_preimage(chain_id: &[u8; 32], vote: &ChainVote) -> Option<(SignRequest, Vec<u8>)> {
    let slot = VoteSlot { height: vote.height.0, round: vote.round.as_u32()? };
    let block_id = match &vote.value {
        NilOrVal::Nil => None,
        NilOrVal::Val(id) => Some(*id),
    };
    Some(match vote.vote_type {
        VoteType::Prevote => {
            (SignRequest::Prevote { slot, block_id }, preimage::prevote(chain_id, slot, block_id.as_ref()))
        }
        VoteType::Precommit => {
            (SignRequest::Precommit { slot, block_id }, preimage::precommit(chain_id, slot, block_id.as_ref()))
        }
    })
}

/// The preimage of a proposal and what it asks of the guard.
pub(crate) fn proposal_preimage(chain_id: &[u8; 32], proposal: &ChainProposal) -> Option<(SignRequest, Vec<u8>)> {
    let slot = VoteSlot { height: proposal.height.0, round: proposal.round.as_u32()? };
    let (pol_round, block_id) = (proposal.pol_round.as_u32(), proposal.value);
    let preimage = preimage::proposal(chain_id, slot, pol_round, &block_id);
    Some((SignRequest::Proposal { slot, pol_round, block_id }, preimage))
}

impl ChainSigner {
    /// Signs, or reports the refusal and returns it.
    pub(crate) fn sign(&self, request: &SignRequest, preimage: &[u8]) -> Result<Signature, SignRefused> {
        self.signer.sign(request, preimage).map(Signature).inspect_err(|refusal| {
            let _ = self.refused.send(refusal.clone());
        })
    }

    fn sign_engine(&self, asked: Option<(SignRequest, Vec<u8>)>) -> Result<Signature, EngineError> {
        let (request, preimage) =
            asked.ok_or_else(|| EngineError::from_source(SignRefused { reason: "no round".to_owned() }))?;
        self.sign(&request, &preimage).map_err(EngineError::from_source)
    }
}

#[async_trait]
impl Signer<Ledger> for ChainSigner {
    async fn sign_vote(&self, vote: ChainVote) -> Result<SignedMessage<Ledger, ChainVote>, EngineError> {
        let signature = self.sign_engine(vote_preimage(&self.chain_id, &vote))?;
        Ok(SignedMessage::new(vote, signature))
    }

    async fn sign_proposal(
        &self,
        proposal: ChainProposal,
    ) -> Result<SignedMessage<Ledger, ChainProposal>, EngineError> {
        let signature = self.sign_engine(proposal_preimage(&self.chain_id, &proposal))?;
        Ok(SignedMessage::new(proposal, signature))
    }

    /// Never asked: votes carry no extension.
    async fn sign_vote_extension(
        &self,
        _: VoteExtensionScope<Ledger>,
        (): (),
    ) -> Result<SignedExtension<Ledger>, EngineError> {
        Err(EngineError::from_source(SignRefused { reason: "votes carry no extension".to_owned() }))
    }

    async fn sign_validator_proof(
        &self,
        public_key: Vec<u8>,
        peer_id: Vec<u8>,
    ) -> Result<ValidatorProof<Ledger>, EngineError> {
        let key: [u8; 32] = public_key
            .as_slice()
            .try_into()
            .map_err(|_| EngineError::from_source(SignRefused { reason: "not a public key".to_owned() }))?;
        let preimage = preimage::validator_proof(&self.chain_id, &key, &peer_id);
        let signature = self.sign_engine(Some((SignRequest::ValidatorProof, preimage)))?;
        Ok(ValidatorProof::new(public_key, peer_id, signature))
    }
}

fn verdict(asked: Option<(SignRequest, Vec<u8>)>, signature: &Signature, public_key: &PublicKey) -> EngineVerdict {
    EngineVerdict::from_bool(asked.is_some_and(|(_, preimage)| public_key.verifies(&preimage, signature)))
}

#[async_trait]
impl Verifier<Ledger> for ChainVerifier {
    async fn verify_signed_vote(
        &self,
        vote: &ChainVote,
        signature: &Signature,
        public_key: &PublicKey,
    ) -> Result<EngineVerdict, EngineError> {
        Ok(verdict(vote_preimage(&self.chain_id, vote), signature, public_key))
    }

    async fn verify_signed_proposal(
        &self,
        proposal: &ChainProposal,
        signature: &Signature,
        public_key: &PublicKey,
    ) -> Result<EngineVerdict, EngineError> {
        Ok(verdict(proposal_preimage(&self.chain_id, proposal), signature, public_key))
    }

    async fn verify_signed_vote_extension(
        &self,
        _: &VoteExtensionScope<Ledger>,
        (): &(),
        _: &Signature,
        _: &PublicKey,
    ) -> Result<EngineVerdict, EngineError> {
        Ok(EngineVerdict::Invalid)
    }

    async fn verify_validator_proof(&self, proof: &ValidatorProof<Ledger>) -> Result<EngineVerdict, EngineError> {
        let (Ok(bytes), Ok(key)) =
            (<[u8; 32]>::try_from(proof.public_key.as_slice()), PublicKey::decode(&proof.public_key))
        else {
            return Ok(EngineVerdict::Invalid);
        };
        let preimage = preimage::validator_proof(&self.chain_id, &bytes, &proof.peer_id);
        Ok(EngineVerdict::from_bool(key.verifies(&preimage, &proof.signature)))
    }
}

/// A round as the engine writes it.
pub(crate) fn engine_round(round: Option<u32>) -> Round {
    Round::from(round)
}
