//! Our types in the engine's generic slots: heights, validators, votes, proposals.
//!
//! Votes carry no extension. The value that consensus decides is the block id alone.

use std::fmt;
use std::sync::Arc;

use malachitebft_app_channel::app::types::core::{
    Address, Context, Height, HeightParams, LinearTimeouts, NilOrVal, Proposal, ProposalPart as PartTrait, Round,
    SignedExtension, Validator, ValidatorSet, Value, Vote, VoteType, VotingPower,
};

use crate::error::EngineError;
use crate::proposal_part::ProposalPart;
use crate::scheme::{Ed25519, PublicKey};
use crate::types::{BlockId, HeightSet, MemberId, SetError, Timeouts};

/// The engine's context. Stateless.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ChainContext;

/// A height as the engine sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ChainHeight(pub(crate) u64);

impl fmt::Display for ChainHeight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Height for ChainHeight {
    const ZERO: Self = Self(0);
    const INITIAL: Self = Self(1);

    fn increment_by(&self, n: u64) -> Self {
        Self(self.0.saturating_add(n))
    }

    fn decrement_by(&self, n: u64) -> Option<Self> {
        self.0.checked_sub(n).map(Self)
    }

    fn as_u64(&self) -> u64 {
        self.0
    }
}

impl Address for MemberId {}

impl Value for BlockId {
    type Id = BlockId;

    fn id(&self) -> BlockId {
        *self
    }
}

/// A member with its key decompressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SetMember {
    id: MemberId,
    public_key: PublicKey,
    voting_power: u64,
}

impl SetMember {
    pub(crate) fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    pub(crate) fn id(&self) -> MemberId {
        self.id
    }
}

impl Validator<ChainContext> for SetMember {
    fn address(&self) -> &MemberId {
        &self.id
    }

    fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    fn voting_power(&self) -> VotingPower {
        self.voting_power
    }
}

#[derive(Debug, PartialEq, Eq)]
struct SetInner {
    members: Vec<SetMember>,
    order: Vec<usize>,
    total_power: u64,
}

/// A checked [`HeightSet`]: members ascending by id, the proposer order as indexes. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MemberSet(Arc<SetInner>);

impl MemberSet {
    pub(crate) fn new(set: &HeightSet) -> Result<Self, SetError> {
        set.check()?;
        let mut members = Vec::with_capacity(set.members.len());
        for member in &set.members {
            let public_key = PublicKey::decode(&member.public_key).map_err(|_| SetError::InvalidKey(member.id))?;
            members.push(SetMember { id: member.id, public_key, voting_power: member.voting_power });
        }
        members.sort_by_key(|member| member.id);
        let position = |id: &MemberId| {
            members.binary_search_by_key(id, |member| member.id).map_err(|_| SetError::UnknownProposer(*id))
        };
        let order = set.proposer_order.iter().map(position).collect::<Result<Vec<_>, _>>()?;
        let total_power = members.iter().map(|member| member.voting_power).sum();
        Ok(Self(Arc::new(SetInner { members, order, total_power })))
    }

    pub(crate) fn get(&self, id: MemberId) -> Option<&SetMember> {
        let index = self.0.members.binary_search_by_key(&id, |member| member.id).ok()?;
        self.0.members.get(index)
    }

    /// Who proposes in this round. The set and its order are not empty, and the order holds valid indexes.
    pub(crate) fn proposer(&self, round: u32) -> &SetMember {
        let turn = round as usize % self.0.order.len();
        &self.0.members[self.0.order[turn]]
    }
}

impl ValidatorSet<ChainContext> for MemberSet {
    fn count(&self) -> usize {
        self.0.members.len()
    }

    fn total_voting_power(&self) -> VotingPower {
        self.0.total_power
    }

    fn get_by_address(&self, address: &MemberId) -> Option<&SetMember> {
        self.get(*address)
    }

    fn get_by_index(&self, index: usize) -> Option<&SetMember> {
        self.0.members.get(index)
    }
}

/// A vote as it travels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ChainVote {
    pub(crate) vote_type: VoteType,
    pub(crate) height: ChainHeight,
    pub(crate) round: Round,
    pub(crate) value: NilOrVal<BlockId>,
    pub(crate) member: MemberId,
}

impl Vote<ChainContext> for ChainVote {
    fn height(&self) -> ChainHeight {
        self.height
    }

    fn round(&self) -> Round {
        self.round
    }

    fn value(&self) -> &NilOrVal<BlockId> {
        &self.value
    }

    fn take_value(self) -> NilOrVal<BlockId> {
        self.value
    }

    fn vote_type(&self) -> VoteType {
        self.vote_type
    }

    fn validator_address(&self) -> &MemberId {
        &self.member
    }

    fn extension(&self) -> Option<&SignedExtension<ChainContext>> {
        None
    }

    fn take_extension(&mut self) -> Option<SignedExtension<ChainContext>> {
        None
    }

    fn extend(self, _: SignedExtension<ChainContext>) -> Self {
        self
    }
}

/// A proposal as it travels; the block itself goes in parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ChainProposal {
    pub(crate) height: ChainHeight,
    pub(crate) round: Round,
    pub(crate) value: BlockId,
    pub(crate) pol_round: Round,
    pub(crate) member: MemberId,
}

impl Proposal<ChainContext> for ChainProposal {
    fn height(&self) -> ChainHeight {
        self.height
    }

    fn round(&self) -> Round {
        self.round
    }

    fn value(&self) -> &BlockId {
        &self.value
    }

    fn take_value(self) -> BlockId {
        self.value
    }

    fn pol_round(&self) -> Round {
        self.pol_round
    }

    fn validator_address(&self) -> &MemberId {
        &self.member
    }
}

impl PartTrait<ChainContext> for ProposalPart {
    fn is_first(&self) -> bool {
        matches!(self, Self::Header(_))
    }

    /// A stream ends by its announced length, not by a mark; the engine does not ask.
    fn is_last(&self) -> bool {
        false
    }
}

impl Context for ChainContext {
    type Address = MemberId;
    type Height = ChainHeight;
    type ProposalPart = ProposalPart;
    type Proposal = ChainProposal;
    type Validator = SetMember;
    type ValidatorSet = MemberSet;
    type Timeouts = LinearTimeouts;
    type Value = BlockId;
    type Vote = ChainVote;
    type Extension = ();
    type SigningScheme = Ed25519;

    fn select_proposer<'a>(&self, set: &'a MemberSet, _: ChainHeight, round: Round) -> &'a SetMember {
        set.proposer(round.as_u32().unwrap_or(0))
    }

    fn new_proposal(
        &self,
        height: ChainHeight,
        round: Round,
        value: BlockId,
        pol_round: Round,
        member: MemberId,
    ) -> ChainProposal {
        ChainProposal { height, round, value, pol_round, member }
    }

    fn new_prevote(&self, height: ChainHeight, round: Round, value: NilOrVal<BlockId>, member: MemberId) -> ChainVote {
        ChainVote { vote_type: VoteType::Prevote, height, round, value, member }
    }

    fn new_precommit(
        &self,
        height: ChainHeight,
        round: Round,
        value: NilOrVal<BlockId>,
        member: MemberId,
    ) -> ChainVote {
        ChainVote { vote_type: VoteType::Precommit, height, round, value, member }
    }
}

/// The engine's form of one height's parameters.
pub(crate) fn height_params(set: MemberSet, timeouts: &Timeouts) -> HeightParams<ChainContext> {
    let linear = LinearTimeouts {
        propose: timeouts.propose,
        propose_delta: timeouts.delta,
        prevote: timeouts.prevote,
        prevote_delta: timeouts.delta,
        precommit: timeouts.precommit,
        precommit_delta: timeouts.delta,
        rebroadcast: timeouts.rebroadcast,
        max_timeout: timeouts.max,
    };
    HeightParams::new(set, linear, None)
}

/// A round as the engine writes it.
pub(crate) fn engine_round(round: Option<u32>) -> Round {
    Round::from(round)
}

/// The number of a round that has one.
pub(crate) fn round_number(round: Round) -> Result<u32, EngineError> {
    round.as_u32().ok_or(EngineError::Unexpected("a round without a number"))
}

#[cfg(test)]
mod tests;
