//! Whether this node is level with its peers, and reaches a quorum of them: part of readiness, so that nobody is sent to a node that
//! is catching up, or cut off.
//!
//! How far the peers are is what each says itself, so the f highest of them may be lies: what counts is the height that f + 1
//! peers have reached. A peer that does not answer says nothing, and keeps nobody waiting for longer than one call: a
//! network that starts has nobody to be level with. Consensus does not ask here.
//!
//! Here it is also said what this node is to the validator set, and before a set takes over whether enough of it is reached: with fewer
//! than a quorum of the new set connected nothing would be decided from its first height on.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::metrics::gauge::Gauge;
use receipt_core::ids::{Height, ValidatorId};
use receipt_core::validators::ValidatorSet;
use tallystick_service::metrics::ReadyPart;
use tallystick_service::shutdown::CancellationToken;

use crate::heights::ChainHeights;
use crate::ledger::Ledger;
use crate::membership::{Membership, Part};
use crate::peers::{Answers, Forwarder};
use crate::store::StoreError;

/// Not ready becomes ready: this far behind, or less. What the peers sign while this node looks.
const LEVEL_HEIGHTS_MAX: u64 = 8;
/// Ready becomes not ready: farther behind than this.
const BEHIND_HEIGHTS_MAX: u64 = 64;
const LOOK_INTERVAL: Duration = Duration::from_millis(200);
/// Of a node that is in no validator set.
const FOLLOWS: &str = "is in no validator set: this node follows without a vote";

/// Compares this node's height with its peers', and counts who is reached.
pub(crate) struct PeerReadiness {
    /// Knows the validator set, and how many faults it bears.
    pub ledger: Ledger,
    /// How far this node is.
    pub heights: Arc<ChainHeights>,
    /// How far the peers are.
    pub forwarder: Forwarder,
    /// The peers that are asked how far they are.
    pub peers: Vec<ValidatorId>,
    /// Whether this node is one of the set.
    pub membership: Arc<Membership>,
    /// 1 while it is.
    pub is_validator: Gauge,
}

/// What was known when this node was level with its peers.
#[derive(Debug, Clone)]
pub(crate) struct LevelLook {
    decided: Height,
    answers: Answers,
}

/// What readiness says now, if it was `ready` before.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Level {
    Ready,
    NotReady(String),
}

/// How many validators answer, this one among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Reach {
    answering: usize,
    quorum: usize,
    members: usize,
}

fn judge(behind: Option<u64>, reach: Reach, ready: bool) -> Level {
    let Reach { answering, quorum, members } = reach;
    match behind {
        None => Level::NotReady("asks its peers how far they are".to_owned()),
        // With fewer than a quorum the node may be far behind without knowing it, and no batch that it accepts can be decided.
        Some(_) if answering < quorum => Level::NotReady(format!(
            "reaches {answering} of {members} validators, itself among them; a quorum is {quorum}"
        )),
        Some(behind) if behind <= if ready { BEHIND_HEIGHTS_MAX } else { LEVEL_HEIGHTS_MAX } => Level::Ready,
        Some(behind) => Level::NotReady(format!("is {behind} heights behind its peers")),
    }
}

impl PeerReadiness {
    /// How far behind the peers this node is; `None` until enough of them were asked.
    pub(crate) fn heights_behind(&self) -> Result<Option<u64>, StoreError> {
        let set = self.ledger.validators_at(self.ledger.next_height()?)?;
        Ok(self.forwarder.heights_behind(self.heights.decided_height(), &set, self.peers_of(&set)))
    }

    /// Whether f + 1 validators of the set have said how far they are, and this node is as far. What is judged by the newest set waits
    /// for this: a store that lacks heights knows an older one.
    pub(crate) fn is_level(&self) -> Result<bool, StoreError> {
        let set = self.ledger.validators_at(self.ledger.next_height()?)?;
        let (peers, own) = (self.peers_of(&set), self.membership.id());
        Ok(self.forwarder.is_level(self.heights.decided_height(), &set, peers, own))
    }

    /// Whether this node is level at two looks, at the same height, with an answer of f + 1 validators of the set between them. At one look it
    /// may only seem so: what a peer has said can be as old as its last exchange, which on a chain at rest is seconds ago.
    pub(crate) fn stays_level(&self, first: &mut Option<LevelLook>) -> Result<bool, StoreError> {
        let set = self.ledger.validators_at(self.ledger.next_height()?)?;
        // Before the look: every answer that is counted has its height in the look.
        let now = LevelLook { decided: self.heights.decided_height(), answers: self.forwarder.answers(&set) };
        if !self.is_level()? {
            *first = None;
            return Ok(false);
        }
        let others = set.members().iter().filter(|member| member.id != self.membership.id()).count();
        match first {
            Some(first) if first.decided == now.decided => {
                Ok(now.answers.since(&first.answers) > set.faults_max() || others == 0)
            }
            _ => {
                *first = Some(now);
                Ok(others == 0)
            }
        }
    }

    fn peers_of(&self, set: &ValidatorSet) -> usize {
        self.peers.iter().filter(|id| set.member(**id).is_some()).count()
    }

    fn reach(&self, set: &ValidatorSet) -> Reach {
        let answering = self.forwarder.connected().into_iter().map(ValidatorId::new);
        let own = usize::from(set.member(self.membership.id()).is_some());
        let answering = own + answering.filter(|id| set.member(*id).is_some()).count();
        Reach { answering, quorum: set.quorum(), members: set.members().len() }
    }

    /// Says what this node is to the set of the next height, when that changes.
    fn tell_part(&self, before: &mut Option<Part>, part: Part, height: Height) {
        self.is_validator.set(i64::from(part == Part::Member));
        if before.replace(part) == Some(part) {
            return;
        }
        match part {
            Part::Member => tracing::info!(from_height = %height, "this node is a validator"),
            Part::Outsider => tracing::info!(from_height = %height, "{FOLLOWS}"),
            // `participation` logs this, and follows without voting.
            Part::OtherKeys => {}
        }
    }

    /// Says once of each set that comes what stands against it here.
    fn tell_announced(&self, told: &mut Option<(Height, String)>) -> Result<(), StoreError> {
        let Some((first, set)) = self.ledger.announced_validators()? else { return Ok(()) };
        let Some(problem) = self.problem_of(&set) else {
            if told.take_if(|(height, _)| *height == first).is_some() {
                tracing::info!(from_height = %first, "nothing stands against the coming validator set here any more");
            }
            return Ok(());
        };
        let now = (first, problem);
        if told.as_ref() != Some(&now) {
            tracing::warn!(from_height = %first, problem = now.1, "other validators will decide, and this node is not ready for it");
            *told = Some(now);
        }
        Ok(())
    }

    /// What stands against a coming validator set as seen from here.
    fn problem_of(&self, set: &ValidatorSet) -> Option<String> {
        let id = self.membership.id();
        if self.membership.part_in(set) == Part::OtherKeys {
            return Some("it has this node with keys that it does not hold: add them as next_keys".to_owned());
        }
        let others = set.members().iter().filter(|member| member.id != id && !self.peers.contains(&member.id));
        let missing: Vec<String> = others.map(|member| format!("{} ({})", member.id, member.name)).collect();
        if !missing.is_empty() {
            return Some(format!("validator {} has no [[peers]] here", missing.join(", ")));
        }
        let Reach { answering, quorum, members } = self.reach(set);
        (answering < quorum).then(|| {
            format!("this node reaches {answering} of its {members}, itself counted; with fewer than {quorum} nothing is decided")
        })
    }

    /// Looks until `stop`, and tells readiness.
    pub(crate) async fn watch(self, part: ReadyPart, stop: CancellationToken) -> Result<(), StoreError> {
        let (mut ready, mut part_told, mut announced_told) = (false, None, None);
        loop {
            let height = self.ledger.next_height()?;
            let set = self.ledger.validators_at(height)?;
            let (behind, reach, part_now) = (self.heights_behind()?, self.reach(&set), self.membership.part_in(&set));
            self.tell_part(&mut part_told, part_now, height);
            self.tell_announced(&mut announced_told)?;
            let level = judge(behind, reach, ready);
            match &level {
                Level::Ready if part_now == Part::Outsider => part.ready_but(FOLLOWS),
                Level::Ready => part.ready(),
                Level::NotReady(problem) => part.not_ready(problem.clone()),
            }
            let now = level == Level::Ready;
            if ready && !now && reach.answering < reach.quorum {
                tracing::info!(?reach, "this node does not reach a quorum of the validators");
            } else if ready && !now {
                tracing::warn!(behind, "this node has fallen behind its peers");
            }
            ready = now;
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = tokio::time::sleep(LOOK_INTERVAL) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use receipt_core::testkit::TestValidator;

    use super::*;

    fn set(ids: impl IntoIterator<Item = u32>) -> ValidatorSet {
        ValidatorSet::new(ids.into_iter().map(|id| TestValidator::new(id).public()).collect()).unwrap()
    }

    fn asked(heights: &[(u32, Option<u64>)]) -> Forwarder {
        let forwarder = Forwarder::default();
        // What nodes outside of the set say does not count.
        for id in [50, 51] {
            forwarder.note_signed(ValidatorId::new(id), Height::new(9_999));
            forwarder.note_asked(ValidatorId::new(id));
        }
        for (id, height) in heights {
            if let Some(height) = height {
                forwarder.note_signed(ValidatorId::new(*id), Height::new(*height));
            }
            forwarder.note_asked(ValidatorId::new(*id));
        }
        forwarder
    }

    /// One row per state of three peers (f = 1), seen from a node at height 100.
    #[test]
    fn what_f_plus_1_peers_have_reached_counts() {
        type Row<'a> = (&'a str, &'a [(u32, Option<u64>)], Option<u64>);
        let rows: [Row<'_>; 8] = [
            ("nobody was asked yet", &[], None),
            ("one answered, and is level", &[(2, Some(100))], None),
            ("two answered: enough to be behind", &[(2, Some(150)), (3, Some(140))], Some(40)),
            ("two answered and are level, the third may be ahead", &[(2, Some(100)), (3, Some(100))], None),
            ("all answered", &[(2, Some(150)), (3, Some(120)), (4, Some(100))], Some(20)),
            ("one lies", &[(2, Some(u64::MAX)), (3, Some(100)), (4, Some(99))], Some(0)),
            ("two do not answer", &[(2, Some(150)), (3, None), (4, None)], Some(0)),
            ("none answers", &[(2, None), (3, None), (4, None)], Some(0)),
        ];
        for (name, heights, expected) in rows {
            assert_eq!(asked(heights).heights_behind(Height::new(100), &set(1..=4), 3), expected, "{name}");
        }
        assert_eq!(asked(&[]).heights_behind(Height::new(0), &set([1]), 0), Some(0), "a chain of one");
    }

    /// One row per state of three peers (f = 1), seen from a node at height 100.
    #[test]
    fn level_is_who_is_as_far_as_f_plus_1_of_the_set_said() {
        type Row<'a> = (&'a str, &'a [(u32, Option<u64>)], bool);
        let rows: [Row<'_>; 8] = [
            ("nobody was asked yet", &[], false),
            ("one does not know", &[(2, Some(100)), (3, None), (4, None)], false),
            ("none answers", &[(2, None), (3, None), (4, None)], false),
            ("two say so, the third does not answer", &[(2, Some(100)), (3, Some(99)), (4, None)], true),
            ("two say so, the third was not asked", &[(2, Some(100)), (3, Some(99))], false),
            ("a chain that begins", &[(2, Some(0)), (3, Some(0)), (4, None)], true),
            ("one lies", &[(2, Some(u64::MAX)), (3, Some(100)), (4, Some(99))], true),
            ("two are ahead", &[(2, Some(101)), (3, Some(101)), (4, Some(99))], false),
        ];
        let own = ValidatorId::new(1);
        for (name, heights, expected) in rows {
            let forwarder = asked(heights);
            assert_eq!(forwarder.is_level(Height::new(100), &set(1..=4), 3, own), expected, "{name}");
        }
        assert!(!asked(&[(2, Some(100))]).is_level(Height::new(100), &set(1..=4), 1, own), "f are its only peers");
        assert!(asked(&[]).is_level(Height::new(0), &set([1]), 0, own), "a chain of one");
        assert!(!asked(&[]).is_level(Height::new(0), &set([2]), 0, own), "another's chain of one");
    }

    const ALL: Reach = Reach { answering: 4, quorum: 3, members: 4 };

    #[test]
    fn a_node_that_does_not_reach_a_quorum_is_not_ready() {
        for (answering, ready) in [(4, true), (3, true), (2, false), (1, false)] {
            for before in [true, false] {
                let level = judge(Some(0), Reach { answering, ..ALL }, before);
                assert_eq!(level == Level::Ready, ready, "{answering} {before} {level:?}");
            }
        }
        let alone = judge(Some(0), Reach { answering: 1, ..ALL }, true);
        let expected = "reaches 1 of 4 validators, itself among them; a quorum is 3";
        assert_eq!(alone, Level::NotReady(expected.to_owned()));
        assert_eq!(
            judge(Some(0), Reach { answering: 1, quorum: 1, members: 1 }, false),
            Level::Ready,
            "a chain of one"
        );
    }

    #[test]
    fn a_node_becomes_ready_near_its_peers_and_stays_so_for_longer() {
        let not_ready = |behind: u64| Level::NotReady(format!("is {behind} heights behind its peers"));
        for (behind, ready, expected) in [
            (Some(0), false, Level::Ready),
            (Some(LEVEL_HEIGHTS_MAX), false, Level::Ready),
            (Some(LEVEL_HEIGHTS_MAX + 1), false, not_ready(LEVEL_HEIGHTS_MAX + 1)),
            (Some(LEVEL_HEIGHTS_MAX + 1), true, Level::Ready),
            (Some(BEHIND_HEIGHTS_MAX), true, Level::Ready),
            (Some(BEHIND_HEIGHTS_MAX + 1), true, not_ready(BEHIND_HEIGHTS_MAX + 1)),
            (None, false, Level::NotReady("asks its peers how far they are".to_owned())),
        ] {
            assert_eq!(judge(behind, ALL, ready), expected, "{behind:?} {ready}");
        }
    }
}
