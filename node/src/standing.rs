//! Whether this node is level with its peers, and reaches a quorum of them: part of readiness, so that nobody is sent to a node that
//! is catching up, or cut off.
//!
//! How far the peers are is what each says itself, so the f highest of them may be lies: what counts is the height that f + 1
//! peers have reached. A peer that does not answer says nothing, and keeps nobody waiting for longer than one call: a
//! network that starts has nobody to be level with. Consensus does not ask here.

use std::time::Duration;

use receipt_core::ids::ValidatorId;
use tallystick_service::metrics::ReadyPart;
use tallystick_service::shutdown::CancellationToken;

use crate::ledger::Ledger;
use crate::peers::Forwarder;
use crate::progress::Progress;
use crate::store::StoreError;

/// Not ready becomes ready: this far behind, or less. What the peers sign while this node looks.
const LEVEL_HEIGHTS_MAX: u64 = 8;
/// Ready becomes not ready: farther behind than this.
const BEHIND_HEIGHTS_MAX: u64 = 64;
const LOOK_INTERVAL: Duration = Duration::from_millis(200);

/// What is compared.
pub(crate) struct Standing {
    /// For the number of faults that the set bears.
    pub ledger: Ledger,
    /// How far this node is.
    pub progress: std::sync::Arc<Progress>,
    /// How far the peers are.
    pub forwarder: Forwarder,
    /// How many peers are asked.
    pub peers: usize,
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
        // It may be far behind without knowing, and nothing that it takes in is decided.
        Some(_) if answering < quorum => Level::NotReady(format!(
            "reaches {answering} of {members} validators, itself among them; a quorum is {quorum}"
        )),
        Some(behind) if behind <= if ready { BEHIND_HEIGHTS_MAX } else { LEVEL_HEIGHTS_MAX } => Level::Ready,
        Some(behind) => Level::NotReady(format!("is {behind} heights behind its peers")),
    }
}

impl Standing {
    /// How far behind the peers this node is; `None` until enough of them were asked.
    pub(crate) fn heights_behind(&self) -> Result<Option<u64>, StoreError> {
        let faults_max = self.ledger.validators_at(self.ledger.next_height()?)?.faults_max();
        Ok(self.forwarder.heights_behind(self.progress.decided_height(), faults_max, self.peers))
    }

    fn reach(&self) -> Result<Reach, StoreError> {
        let set = self.ledger.validators_at(self.ledger.next_height()?)?;
        let answering = self.forwarder.connected().into_iter().map(ValidatorId::new);
        let answering = 1 + answering.filter(|id| set.member(*id).is_some()).count();
        Ok(Reach { answering, quorum: set.quorum(), members: set.members().len() })
    }

    /// Looks until `stop`, and tells readiness.
    pub(crate) async fn watch(self, part: ReadyPart, stop: CancellationToken) -> Result<(), StoreError> {
        let mut ready = false;
        loop {
            let (behind, reach) = (self.heights_behind()?, self.reach()?);
            let level = judge(behind, reach, ready);
            match &level {
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
    use receipt_core::ids::Height;

    use super::*;

    fn asked(heights: &[(u32, Option<u64>)]) -> Forwarder {
        let forwarder = Forwarder::default();
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
            assert_eq!(asked(heights).heights_behind(Height::new(100), 1, 3), expected, "{name}");
        }
        assert_eq!(asked(&[]).heights_behind(Height::new(0), 0, 0), Some(0), "a chain of one");
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
