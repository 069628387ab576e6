//! What one peer was told of and sent: the memory behind announcements.
//!
//! A peer that says "missing" of what it was sent has lost it (it restarted), or says so for ever. So what was sent rests before
//! it is offered to that peer again: [`FIRST_REST_ROUNDS`] rounds, then twice as many each time. Bounded by what waits.

use std::collections::{HashMap, HashSet};

use receipt_core::governance::SignedGovernance;
use receipt_core::hash::Hash;

/// Rounds (of 200 ms) until what was sent once is offered again: 5 s.
const FIRST_REST_ROUNDS: u64 = 25;
/// The longest rest is this often doubled: 21 minutes.
const DOUBLINGS_MAX: u32 = 8;

/// How often something was sent, and from which round on it may be offered again.
#[derive(Debug, Clone, Copy, Default)]
struct Sent {
    times: u32,
    again_from: u64,
}

/// One peer's: batches and governance that waited at the last announcement, what it was sent, and batches it refused for good.
#[derive(Debug, Default)]
pub(super) struct Announced {
    round: u64,
    waited: HashSet<Hash>,
    refused: HashSet<Hash>,
    sent: HashMap<Hash, Sent>,
    sent_governance: HashMap<Hash, Sent>,
    governance: Option<Hash>,
}

impl Announced {
    /// A round of announcements begins.
    pub(super) fn next_round(&mut self) {
        self.round += 1;
    }

    /// Of the batches that wait, those to announce.
    pub(super) fn batches(&mut self, waiting: Vec<Hash>) -> Vec<Hash> {
        let now: HashSet<Hash> = waiting.iter().copied().collect();
        self.refused.retain(|hash| now.contains(hash));
        self.sent.retain(|hash, _| now.contains(hash));
        let before = std::mem::replace(&mut self.waited, now);
        let rests = |hash: &Hash| self.sent.get(hash).is_some_and(|sent| self.round < sent.again_from);
        let is_due = |hash: &Hash| before.contains(hash) && !self.refused.contains(hash) && !rests(hash);
        waiting.into_iter().filter(is_due).collect()
    }

    /// The governance message that waits, if it waited before.
    pub(super) fn governance(&mut self, waiting: Vec<SignedGovernance>) -> Option<SignedGovernance> {
        let next = waiting.into_iter().next();
        let hash = next.as_ref().map(SignedGovernance::hash);
        self.sent_governance.retain(|sent, _| Some(*sent) == hash);
        let before = std::mem::replace(&mut self.governance, hash);
        let rests = self.sent_governance.values().any(|sent| self.round < sent.again_from);
        next.filter(|_| before == hash && !rests)
    }

    /// The peer was sent this batch or governance message.
    pub(super) fn sent(&mut self, hash: Hash) {
        let is_governance = self.governance == Some(hash);
        let sent = if is_governance { &mut self.sent_governance } else { &mut self.sent };
        let sent = sent.entry(hash).or_default();
        let rest = FIRST_REST_ROUNDS << sent.times.min(DOUBLINGS_MAX);
        *sent = Sent { times: sent.times.saturating_add(1), again_from: self.round + rest };
    }

    /// The peer finds this batch at fault.
    pub(super) fn refused(&mut self, hash: Hash) {
        self.refused.insert(hash);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rounds at which a peer that says "missing" for ever is sent what waits.
    fn rounds_of_sending(rounds: u64) -> Vec<u64> {
        let (mut announced, batch) = (Announced::default(), Hash([7; 32]));
        let mut sent = Vec::new();
        for round in 1..=rounds {
            announced.next_round();
            if !announced.batches(vec![batch]).is_empty() {
                announced.sent(batch);
                sent.push(round);
            }
        }
        sent
    }

    #[test]
    fn what_was_sent_rests_longer_each_time() {
        assert_eq!(rounds_of_sending(400), [2, 27, 77, 177, 377]);
        let day = 24 * 3600 * 5;
        let sent = rounds_of_sending(day);
        assert!(sent.len() < 100, "{} times a day", sent.len());
        let rests: Vec<u64> = sent.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert_eq!(rests.iter().max(), Some(&(FIRST_REST_ROUNDS << DOUBLINGS_MAX)));
    }

    #[test]
    fn what_no_longer_waits_is_forgotten() {
        let (mut announced, batch) = (Announced::default(), Hash([7; 32]));
        for waits in [true, true, false, true, true] {
            announced.next_round();
            for hash in announced.batches(if waits { vec![batch] } else { Vec::new() }) {
                announced.sent(hash);
            }
        }
        assert_eq!(announced.sent.get(&batch).map(|sent| sent.times), Some(1), "sent anew, as if for the first time");
        announced.next_round();
        announced.batches(Vec::new());
        assert!(announced.sent.is_empty() && announced.waited.is_empty());
    }
}
