//! What counts as more than 2/3, and what does not.

use ed25519_zebra::{SigningKey, VerificationKeyBytes};
use malachitebft_app_channel::app::types::core::Round;

use super::*;
use crate::context::ChainHeight;
use crate::types::{Member, Timeouts};

const BLOCK: BlockId = BlockId([1; 32]);
const OTHER: BlockId = BlockId([2; 32]);

fn set(powers: &[u64]) -> HeightSet {
    let members = (1u32..).zip(powers).map(|(id, voting_power)| Member {
        id: MemberId::new(id),
        public_key: VerificationKeyBytes::from(&SigningKey::from([id as u8; 32])).into(),
        voting_power: *voting_power,
    });
    HeightSet { members: members.collect(), proposer_order: vec![MemberId::new(1)], timeouts: Timeouts::default() }
}

fn vote(vote_type: VoteType, height: u64, round: u32, value: Option<BlockId>, member: u32) -> ChainVote {
    let value = value.map_or(NilOrVal::Nil, NilOrVal::Val);
    ChainVote { vote_type, height: ChainHeight(height), round: Round::new(round), value, member: MemberId::new(member) }
}

fn prevotes(support: &BlockSupport, round: u32, block: BlockId, members: &[u32]) {
    for member in members {
        support.verified(&vote(VoteType::Prevote, 7, round, Some(block), *member));
    }
}

fn newest(support: &BlockSupport, height: u64, round: u32, block: BlockId) -> Option<u32> {
    support.newest_before(VoteSlot { height, round }, &block)
}

#[test]
fn more_than_two_thirds_of_one_round_and_one_block() {
    let support = BlockSupport::default();
    support.start_height(7, &set(&[1, 1, 1, 1]));
    prevotes(&support, 0, BLOCK, &[1, 2, 2]);
    assert_eq!(newest(&support, 7, 5, BLOCK), None, "two members, one of them twice");
    prevotes(&support, 1, BLOCK, &[3]);
    prevotes(&support, 0, OTHER, &[3, 4]);
    assert_eq!(newest(&support, 7, 5, BLOCK), None, "rounds and blocks are not added up");
    prevotes(&support, 0, BLOCK, &[4]);
    assert_eq!(newest(&support, 7, 5, BLOCK), Some(0));
    assert_eq!(newest(&support, 7, 0, BLOCK), None, "only earlier rounds");
    assert_eq!(newest(&support, 8, 5, BLOCK), None, "only this height");
    prevotes(&support, 3, BLOCK, &[1, 2, 3]);
    assert_eq!(newest(&support, 7, 5, BLOCK), Some(3));
    assert_eq!(newest(&support, 7, 3, BLOCK), Some(0));
}

#[test]
fn powers_count_not_heads() {
    let support = BlockSupport::default();
    support.start_height(7, &set(&[1, 1, 1, 6]));
    prevotes(&support, 0, BLOCK, &[1, 2, 3]);
    assert_eq!(newest(&support, 7, 1, BLOCK), None);
    prevotes(&support, 1, BLOCK, &[4]);
    assert_eq!(newest(&support, 7, 2, BLOCK), None, "6 of 9 are not more than 2/3");
    prevotes(&support, 1, BLOCK, &[1]);
    assert_eq!(newest(&support, 7, 2, BLOCK), Some(1));
}

#[test]
fn other_statements_do_not_count() {
    let support = BlockSupport::default();
    support.start_height(7, &set(&[1]));
    support.verified(&vote(VoteType::Precommit, 7, 0, Some(BLOCK), 1));
    support.verified(&vote(VoteType::Prevote, 7, 0, None, 1));
    support.verified(&vote(VoteType::Prevote, 6, 0, Some(BLOCK), 1));
    support.verified(&vote(VoteType::Prevote, 7, 0, Some(BLOCK), 9));
    assert_eq!(newest(&support, 7, 1, BLOCK), None);
    support.verified(&vote(VoteType::Prevote, 7, 0, Some(BLOCK), 1));
    assert_eq!(newest(&support, 7, 1, BLOCK), Some(0));
    support.start_height(7, &set(&[1]));
    assert_eq!(newest(&support, 7, 1, BLOCK), Some(0), "the same height again forgets nothing");
    support.start_height(8, &set(&[1]));
    assert_eq!(newest(&support, 7, 1, BLOCK), None);
}

#[test]
fn a_member_displaces_only_itself() {
    let support = BlockSupport::default();
    support.start_height(7, &set(&[1, 1, 1, 1]));
    prevotes(&support, 5, BLOCK, &[1, 2, 3]);
    for round in 0..3 * PREVOTES_MAX as u32 {
        prevotes(&support, 1_000_000 + round, OTHER, &[4]);
    }
    assert_eq!(newest(&support, 7, 6, BLOCK), Some(5));
    let stored = support.0.lock().unwrap().members.values().map(|member| member.blocks.len()).sum::<usize>();
    assert_eq!(stored, 3 + PREVOTES_MAX);
}

#[test]
fn an_untimely_block_is_acceptable_once_more_than_a_third_prevoted_for_it_in_whatever_rounds() {
    let support = BlockSupport::default();
    support.start_height(7, &set(&[1, 1, 1, 1]));
    assert!(!support.is_acceptable(7, &BLOCK));
    prevotes(&support, 0, BLOCK, &[1]);
    prevotes(&support, 3, BLOCK, &[1]);
    prevotes(&support, 3, OTHER, &[2]);
    assert!(!support.is_acceptable(7, &BLOCK), "one member, though twice: it may be the one that lies");
    prevotes(&support, 9, BLOCK, &[2]);
    assert!(support.is_acceptable(7, &BLOCK));
    assert!(!support.is_acceptable(7, &OTHER) && !support.is_acceptable(8, &BLOCK));
    support.start_height(8, &set(&[1, 1, 1]));
    prevotes(&support, 0, BLOCK, &[1]);
    assert!(!support.is_acceptable(8, &BLOCK), "prevotes of another height");
    support.verified(&vote(VoteType::Prevote, 8, 0, Some(BLOCK), 1));
    assert!(!support.is_acceptable(8, &BLOCK), "one of three is not more than a third");
    support.verified(&vote(VoteType::Prevote, 8, 1, Some(BLOCK), 3));
    assert!(support.is_acceptable(8, &BLOCK));
}

#[test]
fn a_block_that_came_in_time_is_acceptable_at_its_height() {
    let support = BlockSupport::default();
    support.start_height(7, &set(&[1, 1, 1, 1]));
    support.found_timely(BLOCK);
    assert!(support.is_acceptable(7, &BLOCK) && !support.is_acceptable(7, &OTHER) && !support.is_acceptable(8, &BLOCK));
    support.start_height(8, &set(&[1, 1, 1, 1]));
    assert!(!support.is_acceptable(8, &BLOCK));
}
