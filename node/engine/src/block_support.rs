//! What this node knows in favour of a block: that it came in time, and prevotes, from signatures it verified itself.
//!
//! A validator that precommitted a block may prevote another one only after more than 2/3 prevoted for that other block in the
//! same or a later round. The engine keeps that rule by what it remembers; when its log is lost, it remembers nothing, and
//! the guard keeps the rule instead. This is its source: every prevote for a block that passed the verifier, on its own
//! or in a certificate, counted by voting power.
//!
//! And a block that did not come in time at this node is prevoted only after validators of more than 1/3 have prevoted for
//! it, in whatever rounds: one of them is honest, and the first honest one found it timely. That is less than the proof
//! of a lock, on purpose. Whoever is locked on a block saw more than 2/3 prevote for it, so more than 1/3 are honest and will do
//! so whenever it is proposed again, even if all proofs are lost; those that missed it must be able to follow them.
//!
//! Bounded: of each member the newest [`PREVOTES_MAX`]. A member that fills its share with far rounds displaces only itself.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use malachitebft_app_channel::app::types::core::{NilOrVal, VoteType};

use crate::context::ChainVote;
use crate::preimage::VoteSlot;
use crate::types::{BlockId, HeightSet, MemberId};

/// Prevotes of one member that are remembered: one a round, but for members that sign several.
const PREVOTES_MAX: usize = 1024;

/// Shared by the verifier, which fills it, and the signer, which asks.
#[derive(Clone, Debug, Default)]
pub(crate) struct BlockSupport(Arc<Mutex<Seen>>);

#[derive(Debug, Default)]
struct Seen {
    height: u64,
    total_power: u64,
    timely: BTreeSet<BlockId>,
    members: BTreeMap<MemberId, Prevotes>,
}

#[derive(Debug, Default)]
struct Prevotes {
    voting_power: u64,
    blocks: BTreeSet<(u32, BlockId)>,
}

impl BlockSupport {
    /// From now on counts prevotes of this height, by these powers. Forgets nothing if it does already.
    pub(crate) fn start_height(&self, height: u64, set: &HeightSet) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.height == height {
            return;
        }
        let members = set.members.iter();
        seen.members = members
            .map(|member| (member.id, Prevotes { voting_power: member.voting_power, blocks: BTreeSet::new() }))
            .collect();
        seen.height = height;
        seen.timely.clear();
        seen.total_power = set.members.iter().map(|member| member.voting_power).sum();
    }

    /// The member's signature of this vote is genuine.
    pub(crate) fn verified(&self, vote: &ChainVote) {
        let (VoteType::Prevote, NilOrVal::Val(block_id), Some(round)) =
            (vote.vote_type, &vote.value, vote.round.as_u32())
        else {
            return;
        };
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if vote.height.0 != seen.height {
            return;
        }
        let Some(prevotes) = seen.members.get_mut(&vote.member) else { return };
        prevotes.blocks.insert((round, *block_id));
        if prevotes.blocks.len() > PREVOTES_MAX {
            prevotes.blocks.pop_first();
        }
    }

    /// The application found this block of the height being decided timely.
    pub(crate) fn found_timely(&self, block_id: BlockId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).timely.insert(block_id);
    }

    /// Whether this node may prevote for this block without being locked on it: it came in time, or validators of more
    /// than 1/3 of the voting power have prevoted for it.
    pub(crate) fn is_acceptable(&self, height: u64, block_id: &BlockId) -> bool {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if height != seen.height {
            return false;
        }
        let voted = |member: &&Prevotes| member.blocks.iter().any(|(_, block)| block == block_id);
        let powers = seen.members.values().filter(voted).map(|member| u128::from(member.voting_power));
        seen.timely.contains(block_id) || powers.sum::<u128>() * 3 > u128::from(seen.total_power)
    }

    /// The newest round before `slot` in which more than 2/3 of the voting power prevoted for this block.
    pub(crate) fn newest_before(&self, slot: VoteSlot, block_id: &BlockId) -> Option<u32> {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if slot.height != seen.height || slot.round == 0 {
            return None;
        }
        let mut powers: BTreeMap<u32, u64> = BTreeMap::new();
        for member in seen.members.values() {
            let rounds = member.blocks.iter().filter(|(round, block)| *round < slot.round && block == block_id);
            for (round, _) in rounds {
                let power = powers.entry(*round).or_default();
                *power = power.saturating_add(member.voting_power);
            }
        }
        let total = u128::from(seen.total_power);
        powers.into_iter().rev().find(|(_, power)| u128::from(*power) * 3 > total * 2).map(|(round, _)| round)
    }
}

#[cfg(test)]
mod tests;
