//! Validator sets and who proposes.

use ed25519_zebra::{SigningKey, VerificationKeyBytes};

use super::*;
use crate::types::Member;

fn key(seed: u8) -> [u8; 32] {
    VerificationKeyBytes::from(&SigningKey::from([seed; 32])).into()
}

fn member(id: u32, power: u64) -> Member {
    Member { id: MemberId::new(id), public_key: key(id as u8), voting_power: power }
}

fn set(ids: &[u32], order: &[u32]) -> HeightSet {
    HeightSet {
        members: ids.iter().map(|id| member(*id, 1)).collect(),
        proposer_order: order.iter().map(|id| MemberId::new(*id)).collect(),
        timeouts: Timeouts::default(),
    }
}

#[test]
fn the_application_decides_who_proposes() {
    let members = MemberSet::new(&set(&[9, 3, 5], &[5, 9, 5, 3])).unwrap();
    let proposers: Vec<u32> = (0..6).map(|round| members.proposer(round).id().get()).collect();
    assert_eq!(proposers, [5, 9, 5, 3, 5, 9]);
    assert_eq!(ChainContext.select_proposer(&members, ChainHeight(7), Round::new(3)).id().get(), 3);
    assert_eq!(members.count(), 3);
    assert_eq!(members.total_voting_power(), 3);
    assert!(members.get(MemberId::new(4)).is_none());
}

#[test]
fn unusable_sets_are_refused() {
    let id = MemberId::new;
    let changed = |change: fn(&mut HeightSet)| {
        let mut set = set(&[1, 2, 3], &[1]);
        change(&mut set);
        MemberSet::new(&set).unwrap_err()
    };
    assert_eq!(changed(|set| set.members.clear()), SetError::MemberCount(0));
    assert_eq!(changed(|set| set.members.push(member(2, 1))), SetError::DuplicateMember(id(2)));
    assert_eq!(changed(|set| set.members[2].public_key = key(1)), SetError::DuplicateKey(id(3)));
    assert_eq!(changed(|set| set.members[1].voting_power = 0), SetError::VotingPower(id(2)));
    assert_eq!(changed(|set| set.members[1].voting_power = u64::MAX), SetError::VotingPower(id(2)));
    assert_eq!(changed(|set| set.members[0].public_key = [2; 32]), SetError::InvalidKey(id(1)));
    assert_eq!(changed(|set| set.proposer_order.clear()), SetError::NoProposer);
    assert_eq!(changed(|set| set.proposer_order.push(MemberId::new(8))), SetError::UnknownProposer(id(8)));
    let many: Vec<u32> = (0..=crate::types::MEMBERS_MAX as u32).collect();
    assert_eq!(set(&many, &[0]).check(), Err(SetError::MemberCount(many.len())));
}
