//! What this node says, once for all peers, and how each link reads it.
//!
//! Each link reads it from a place of its own, so a slow one delays nobody and costs no copy. Thrown away, so that it stays bounded:
//! votes (here that is proposals and certificates, too) of heights that are over, all but the newest of equal votes, the oldest votes
//! above [`VOTES_MAX`] or their bytes, and whole streams of parts, oldest first, above theirs. A link that has not read those skips them.

use std::collections::BTreeMap;

use bytes::Bytes;
use tokio::sync::watch;

use super::Network;
use crate::limits::{SAID_VOTES_BYTES, said_parts_bytes_max};

/// Votes, proposals and certificates of two heights: in usual rounds a dozen.
const VOTES_MAX: usize = 1024;

struct Vote {
    height: u64,
    frame: Bytes,
}

struct Part {
    height: u64,
    stream: Bytes,
    frame: Bytes,
}

/// All that this node says. Numbers ascend over all kinds.
pub(super) struct Outbox {
    next: u64,
    votes: BTreeMap<u64, Vote>,
    vote_bytes: usize,
    parts: BTreeMap<u64, Part>,
    part_bytes: usize,
    part_bytes_max: usize,
    status: Option<(u64, Bytes)>,
    height: u64,
}

impl Outbox {
    /// Two of the largest blocks at a time.
    pub(super) fn for_blocks(block_bytes_max: usize) -> Self {
        Self {
            next: 1,
            votes: BTreeMap::new(),
            vote_bytes: 0,
            parts: BTreeMap::new(),
            part_bytes: 0,
            part_bytes_max: said_parts_bytes_max(block_bytes_max),
            status: None,
            height: 0,
        }
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next - 1
    }

    /// A vote, a proposal or a certificate. Kept also if it is larger than all may be together: what was said last is said.
    pub(super) fn vote(&mut self, height: u64, frame: Bytes) {
        self.drop_votes(|vote| vote.frame == frame);
        let number = self.number();
        self.vote_bytes += frame.len();
        self.votes.insert(number, Vote { height, frame });
        while self.votes.len() > VOTES_MAX || (self.vote_bytes > SAID_VOTES_BYTES && self.votes.len() > 1) {
            let Some((_, oldest)) = self.votes.pop_first() else { break };
            self.vote_bytes -= oldest.frame.len();
        }
    }

    /// A part of a block.
    pub(super) fn part(&mut self, height: u64, stream: Bytes, frame: Bytes) {
        let number = self.number();
        self.part_bytes += frame.len();
        self.parts.insert(number, Part { height, stream: stream.clone(), frame });
        while self.part_bytes > self.part_bytes_max {
            let oldest = self.parts.values().next().map(|part| part.stream.clone());
            let Some(oldest) = oldest.filter(|oldest| *oldest != stream) else { break };
            self.drop_parts(|part| part.stream == oldest);
        }
    }

    /// How far this node is; only the newest counts.
    pub(super) fn status(&mut self, frame: Bytes) {
        let number = self.number();
        self.status = Some((number, frame));
    }

    /// Keeps the height before: whoever is a moment behind needs its precommits, else it must fetch the block.
    pub(super) fn at_height(&mut self, height: u64) {
        self.height = height;
        let keeps = move |said: u64| said.saturating_add(1) >= height;
        self.drop_votes(move |vote| !keeps(vote.height));
        self.drop_parts(move |part| !keeps(part.height));
    }

    fn first_part_of_now(&self) -> u64 {
        let first = self.parts.iter().find(|(_, part)| part.height >= self.height);
        first.map_or(self.next, |(number, _)| *number)
    }

    pub(super) fn clear(&mut self) {
        self.drop_votes(|_| true);
        self.drop_parts(|_| true);
        self.status = None;
    }

    fn drop_parts(&mut self, mut is_void: impl FnMut(&Part) -> bool) {
        self.parts.retain(|_, part| !is_void(part));
        self.part_bytes = self.parts.values().map(|part| part.frame.len()).sum();
    }

    fn drop_votes(&mut self, mut is_void: impl FnMut(&Vote) -> bool) {
        self.votes.retain(|_, vote| !is_void(vote));
        self.vote_bytes = self.votes.values().map(|vote| vote.frame.len()).sum();
    }

    pub(super) fn bytes(&self) -> usize {
        self.part_bytes + self.vote_bytes
    }

    #[cfg(test)]
    pub(super) fn stored(&self) -> (usize, usize) {
        (self.votes.len(), self.part_bytes)
    }
}

/// One link's reading of all that this node says.
pub struct Outgoing {
    network: Network,
    said: watch::Receiver<()>,
    votes: u64,
    parts: u64,
    status: u64,
}

impl Outgoing {
    pub(super) fn new(network: Network) -> Self {
        let said = network.0.said.subscribe();
        // A new link starts with the blocks of this height. A peer that lacks an earlier one fetches it.
        let parts = network.outbox().first_part_of_now();
        Self { network, said, votes: 0, parts, status: 0 }
    }

    /// The next frame; waits until there is one. Votes go before parts. A frame that was taken and not delivered is lost to this link
    /// and comes again with the next one.
    pub async fn next(&mut self) -> Bytes {
        loop {
            self.said.mark_unchanged();
            if let Some(frame) = self.try_next() {
                return frame;
            }
            // Never an error: `self.network` keeps the sender alive.
            let _ = self.said.changed().await;
        }
    }

    pub(super) fn try_next(&mut self) -> Option<Bytes> {
        let outbox = self.network.outbox();
        if let Some((number, vote)) = outbox.votes.range(self.votes..).next() {
            self.votes = number + 1;
            return Some(vote.frame.clone());
        }
        if let Some((number, frame)) = outbox.status.as_ref().filter(|(number, _)| *number >= self.status) {
            self.status = number + 1;
            return Some(frame.clone());
        }
        let (number, part) = outbox.parts.range(self.parts..).next()?;
        self.parts = number + 1;
        Some(part.frame.clone())
    }
}
