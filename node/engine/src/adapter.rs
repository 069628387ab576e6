//! Signing and verifying in the engine's traits: builds each preimage and calls [`ConsensusSigner`] or the key.
//!
//! Every prevote that verifies is noted (`block_support`): the signer is told what lets its lock go, and what speaks for a block that did
//! not come in time. If it answers with another statement than asked for, the engine gets that one. A refusal goes to the
//! loop (`refused`), and the engine sees the error only when its parts are about to be stopped: seen earlier, it would end
//! consensus, and with it the supervisor, which kills the other parts before they have closed their files.

use std::sync::Arc;

use async_trait::async_trait;
use malachitebft_app_channel::app::consensus::MisbehaviorEvidence;
use malachitebft_app_channel::app::types::SignedConsensusMsg;
use malachitebft_app_channel::app::types::core::{
    NilOrVal, Round, SignedExtension, SignedMessage, ValidatorProof, VoteExtensionScope, VoteType,
};
use malachitebft_app_channel::{Signer, Verifier};
use tokio::sync::{mpsc, watch};

use crate::block_support::BlockSupport;
use crate::context::{ChainContext, ChainHeight, ChainProposal, ChainVote, MemberSet, engine_round};
use crate::preimage::{self, VoteSlot};
use crate::scheme::{PublicKey, Signature};
use crate::signing::{ConsensusSigner, SignRefused, SignRequest, SignResponse};
use crate::types::{Equivocation, MemberId, SignedStatement};

// app-channel re-exports the traits but not these two names.
type EngineError = malachitebft_signing::Error;
type EngineVerdict = malachitebft_signing::VerificationResult;

/// Checks signatures of one chain.
#[derive(Clone)]
pub(crate) struct ChainVerifier {
    pub(crate) chain_id: [u8; 32],
    pub(crate) support: BlockSupport,
}

/// Signs for one chain through the application's signer.
#[derive(Clone)]
pub(crate) struct ChainSigner {
    pub(crate) chain_id: [u8; 32],
    pub(crate) signer: Arc<dyn ConsensusSigner>,
    /// The verifier's.
    pub(crate) support: BlockSupport,
    /// The first refusal ends the loop.
    pub(crate) refused: mpsc::UnboundedSender<SignRefused>,
    /// Whether the engine's parts are being stopped, each for itself.
    pub(crate) stopping: watch::Receiver<bool>,
}

/// The preimage of a vote and what it asks of the guard; `None` for a vote without a round, which nobody casts.
pub(crate) fn vote_preimage(chain_id: &[u8; 32], vote: &ChainVote) -> Option<(SignRequest, Vec<u8>)> {
    let slot = VoteSlot { height: vote.height.0, round: vote.round.as_u32()? };
    let block_id = match &vote.value {
        NilOrVal::Nil => None,
        NilOrVal::Val(id) => Some(*id),
    };
    Some(match vote.vote_type {
        VoteType::Prevote => (
            SignRequest::Prevote { slot, block_id, polka_round: None, untimely: false },
            preimage::prevote(chain_id, slot, block_id.as_ref()),
        ),
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

/// The engine has no use for an answer of another kind or height.
fn misfit() -> SignRefused {
    SignRefused { reason: "the signer's answer is of another kind or height".to_owned(), conflict: false }
}

/// The vote that the signer's answer to `vote` states.
fn stated_vote(vote: ChainVote, statement: &SignRequest) -> Result<ChainVote, SignRefused> {
    let (vote_type, slot, block_id) = match statement {
        SignRequest::Prevote { slot, block_id, .. } => (VoteType::Prevote, slot, block_id),
        SignRequest::Precommit { slot, block_id } => (VoteType::Precommit, slot, block_id),
        _ => return Err(misfit()),
    };
    if vote_type != vote.vote_type || slot.height != vote.height.0 {
        return Err(misfit());
    }
    let value = block_id.map_or(NilOrVal::Nil, NilOrVal::Val);
    Ok(ChainVote { round: Round::new(slot.round), value, ..vote })
}

impl ChainSigner {
    /// Signs for the loop or the start, neither of which is one of the engine's parts.
    pub(crate) fn sign(&self, request: &SignRequest, preimage: &[u8]) -> Result<SignResponse, SignRefused> {
        self.signer.sign(request, preimage)
    }

    fn sign_asked(&self, asked: Option<(SignRequest, Vec<u8>)>) -> Result<SignResponse, SignRefused> {
        let (request, preimage) =
            asked.ok_or_else(|| SignRefused { reason: "no round".to_owned(), conflict: false })?;
        self.sign(&request, &preimage)
    }

    fn vote(&self, vote: ChainVote) -> Result<SignedMessage<ChainContext, ChainVote>, SignRefused> {
        let asked = vote_preimage(&self.chain_id, &vote);
        let signed = self.sign_asked(asked.map(|(request, preimage)| (self.with_grounds(request), preimage)))?;
        Ok(SignedMessage::new(stated_vote(vote, &signed.statement)?, Signature(signed.signature)))
    }

    fn proposal(&self, proposal: ChainProposal) -> Result<SignedMessage<ChainContext, ChainProposal>, SignRefused> {
        let signed = self.sign_asked(proposal_preimage(&self.chain_id, &proposal))?;
        let SignRequest::Proposal { slot, pol_round, block_id } = signed.statement else {
            return Err(misfit());
        };
        let (height, round) = (ChainHeight(slot.height), Round::new(slot.round));
        if (height, round) != (proposal.height, proposal.round) {
            return Err(misfit());
        }
        let stated = ChainProposal { value: block_id, pol_round: engine_round(pol_round), ..proposal };
        Ok(SignedMessage::new(stated, Signature(signed.signature)))
    }

    /// Reports a refusal to the loop, which stops the engine's parts; returns when they are being stopped.
    async fn give_up(&self, refusal: SignRefused) -> EngineError {
        let _ = self.refused.send(refusal.clone());
        let _ = self.stopping.clone().wait_for(|stopping| *stopping).await;
        EngineError::from_source(refusal)
    }

    /// What a prevote asks of the signer, with what is known of the block.
    fn with_grounds(&self, request: SignRequest) -> SignRequest {
        match request {
            SignRequest::Prevote { slot, block_id: Some(block_id), .. } => {
                let polka_round = self.support.newest_before(slot, &block_id);
                let untimely = !self.support.is_acceptable(slot.height, &block_id);
                SignRequest::Prevote { slot, block_id: Some(block_id), polka_round, untimely }
            }
            request => request,
        }
    }
}

#[async_trait]
impl Signer<ChainContext> for ChainSigner {
    async fn sign_vote(&self, vote: ChainVote) -> Result<SignedMessage<ChainContext, ChainVote>, EngineError> {
        match self.vote(vote) {
            Ok(signed) => Ok(signed),
            Err(refusal) => Err(self.give_up(refusal).await),
        }
    }

    async fn sign_proposal(
        &self,
        proposal: ChainProposal,
    ) -> Result<SignedMessage<ChainContext, ChainProposal>, EngineError> {
        match self.proposal(proposal) {
            Ok(signed) => Ok(signed),
            Err(refusal) => Err(self.give_up(refusal).await),
        }
    }

    /// Never asked: votes carry no extension.
    async fn sign_vote_extension(
        &self,
        _: VoteExtensionScope<ChainContext>,
        (): (),
    ) -> Result<SignedExtension<ChainContext>, EngineError> {
        Err(EngineError::from_source(SignRefused { reason: "votes carry no extension".to_owned(), conflict: false }))
    }

    /// Never asked: who a peer is follows from its certificate.
    async fn sign_validator_proof(&self, _: Vec<u8>, _: Vec<u8>) -> Result<ValidatorProof<ChainContext>, EngineError> {
        Err(EngineError::from_source(SignRefused { reason: "links need no proof".to_owned(), conflict: false }))
    }
}

#[async_trait]
impl Verifier<ChainContext> for ChainVerifier {
    async fn verify_signed_vote(
        &self,
        vote: &ChainVote,
        signature: &Signature,
        public_key: &PublicKey,
    ) -> Result<EngineVerdict, EngineError> {
        let asked = vote_preimage(&self.chain_id, vote);
        let verifies = asked.is_some_and(|(_, preimage)| public_key.verifies(&preimage, signature));
        if verifies {
            self.support.verified(vote);
        }
        Ok(EngineVerdict::from_bool(verifies))
    }

    async fn verify_signed_proposal(
        &self,
        proposal: &ChainProposal,
        signature: &Signature,
        public_key: &PublicKey,
    ) -> Result<EngineVerdict, EngineError> {
        let asked = proposal_preimage(&self.chain_id, proposal);
        Ok(EngineVerdict::from_bool(asked.is_some_and(|(_, preimage)| public_key.verifies(&preimage, signature))))
    }

    async fn verify_signed_vote_extension(
        &self,
        _: &VoteExtensionScope<ChainContext>,
        (): &(),
        _: &Signature,
        _: &PublicKey,
    ) -> Result<EngineVerdict, EngineError> {
        Ok(EngineVerdict::Invalid)
    }

    async fn verify_validator_proof(&self, _: &ValidatorProof<ChainContext>) -> Result<EngineVerdict, EngineError> {
        Ok(EngineVerdict::Invalid)
    }
}

/// Who acts on which height by this message: it proposes or votes for a block, its signature holds, and the caller takes it for news;
/// only then is the signature checked.
pub(crate) fn act_of(
    chain_id: &[u8; 32],
    set: &MemberSet,
    message: &SignedConsensusMsg<ChainContext>,
    is_news: impl FnOnce(MemberId, u64) -> bool,
) -> Option<(MemberId, u64)> {
    let (member, height, asked, signature) = match message {
        SignedConsensusMsg::Vote(vote) if vote.message.value.is_val() => {
            (vote.message.member, vote.message.height.0, vote_preimage(chain_id, &vote.message), &vote.signature)
        }
        SignedConsensusMsg::Vote(_) => return None,
        SignedConsensusMsg::Proposal(signed) => {
            let asked = proposal_preimage(chain_id, &signed.message);
            (signed.message.member, signed.message.height.0, asked, &signed.signature)
        }
    };
    let key = set.get(member).filter(|_| is_news(member, height))?.public_key();
    let (_, preimage) = asked?;
    key.verifies(&preimage, signature).then_some((member, height))
}

/// The engine's evidence as statements that anybody can check.
pub(crate) fn equivocations(
    chain_id: &[u8; 32],
    set: &MemberSet,
    evidence: &MisbehaviorEvidence<ChainContext>,
) -> Vec<Equivocation> {
    let key_of = |member: MemberId| set.get(member).map(|member| member.public_key().to_bytes());
    let statement = |preimage: Option<(SignRequest, Vec<u8>)>, signature: [u8; 64]| {
        preimage.map(|(_, preimage)| SignedStatement { preimage, signature })
    };
    let votes = evidence.votes.iter().flat_map(|(member, pairs)| {
        pairs.iter().filter_map(move |(first, second)| {
            let signed = |vote: &SignedMessage<ChainContext, _>| {
                statement(vote_preimage(chain_id, &vote.message), vote.signature.0)
            };
            let public_key = key_of(*member)?;
            Some(Equivocation { member: *member, public_key, statements: [signed(first)?, signed(second)?] })
        })
    });
    let proposals = evidence.proposals.iter().flat_map(|(member, pairs)| {
        pairs.iter().filter_map(move |(first, second)| {
            let signed = |proposal: &SignedMessage<ChainContext, _>| {
                statement(proposal_preimage(chain_id, &proposal.message), proposal.signature.0)
            };
            let public_key = key_of(*member)?;
            Some(Equivocation { member: *member, public_key, statements: [signed(first)?, signed(second)?] })
        })
    });
    votes.chain(proposals).collect()
}
