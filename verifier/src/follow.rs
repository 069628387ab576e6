//! Bringing a trust file up to date without executing anything: the log's entries alone, each under a trusted checkpoint.
//!
//! Every entry since genesis is hashed into the log; a validator set counts from where a seal says so, and its keys are
//! those of a governance entry with exactly the hash that the seal names. Nothing is taken over before a checkpoint under
//! the quorum of the *previous* set covers the seal that announces it. Authorities count from right after the entry that brings them, once
//! such a checkpoint covers it, and only if those before them and they themselves have signed it: validators alone put nobody in.

use receipt_core::authorities::AuthoritySet;
use receipt_core::entry::Entry;
use receipt_core::governance::Action;
use receipt_core::hash::Hash;
use receipt_core::ids::{LeafIndex, TreeSize};
use receipt_core::merkle::Frontier;
use receipt_core::note::PosixSeconds;
use receipt_core::trust::{SetEnd, TrustFile, TrustTextError};
use receipt_core::validators::ValidatorSet;
use tallystick_proto::ledger::v1::LedgerBlock;

use crate::sink::{Announcement, Detail, Flow, Sink};
use crate::source::{Source, SourceError};

/// Why a trust file could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// The source stopped.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// What it served does not hold.
    #[error("height {height}: {problem}")]
    Served {
        /// The block.
        height: u64,
        /// What is wrong.
        problem: String,
    },
    /// A new set cannot stand in a trust file.
    #[error(transparent)]
    Trust(#[from] TrustTextError),
}

/// The trust file after following, and what was read for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Followed {
    /// The trust file, with every set that a trusted checkpoint covers.
    pub trust: TrustFile,
    /// How many validator sets are new.
    pub new_sets: usize,
    /// How many sets of authorities are new.
    pub new_authorities: usize,
    /// Size of the newest trusted checkpoint.
    pub tree_size: TreeSize,
}

/// Reads all entries of the source and returns the trust file that they imply.
pub fn follow(trust: &TrustFile, source: &Source) -> Result<Followed, FollowError> {
    let mut follower = Follower {
        trust: trust.clone(),
        frontier: Frontier::new(trust.suite()),
        candidates: Vec::new(),
        waiting: Vec::new(),
        authorities: Vec::new(),
        tree_size: TreeSize::ZERO,
        next_height: 0,
        problem: None,
    };
    source.read(Detail::Entries, &mut follower)?;
    if let Some(problem) = follower.problem {
        return Err(problem);
    }
    let new_sets = follower.trust.sets().len() - trust.sets().len();
    let new_authorities = follower.trust.authority_sets().len() - trust.authority_sets().len();
    Ok(Followed { trust: follower.trust, new_sets, new_authorities, tree_size: follower.tree_size })
}

struct Follower {
    trust: TrustFile,
    frontier: Frontier,
    /// Every set that governance announced.
    candidates: Vec<ValidatorSet>,
    /// Handovers announced by seals since the last trusted checkpoint: where the set before ends, and the next one.
    waiting: Vec<(SetEnd, ValidatorSet)>,
    /// Authorities since then, and the leaf that brings them.
    authorities: Vec<(LeafIndex, AuthoritySet)>,
    tree_size: TreeSize,
    next_height: u64,
    problem: Option<FollowError>,
}

impl Sink for Follower {
    fn announce(&mut self, announcement: Announcement) -> Flow {
        let expected = self.trust.chain_id();
        match announcement.chain {
            Some(given) if given != expected => {
                self.problem = Some(SourceError::OtherChain { given, expected }.into());
                Flow::Stop
            }
            _ => Flow::Continue,
        }
    }

    fn block(&mut self, block: LedgerBlock) -> Flow {
        let height = block.height;
        let taken = self.take(&block).map_err(|problem| FollowError::Served { height, problem });
        match taken {
            Ok(()) => Flow::Continue,
            Err(problem) => {
                self.problem = Some(problem);
                Flow::Stop
            }
        }
    }
}

impl Follower {
    fn take(&mut self, block: &LedgerBlock) -> Result<(), String> {
        if block.height != self.next_height {
            return Err(format!("expected height {}", self.next_height));
        }
        self.next_height += 1;
        let mut handover: Option<(Hash, PosixSeconds)> = None;
        for bytes in &block.entries {
            let leaf = LeafIndex::new(self.frontier.size().get());
            self.frontier.append(bytes, |_, _| ()).map_err(|error| error.to_string())?;
            match Entry::decode(bytes).map_err(|error| error.to_string())? {
                Entry::Governance(signed) => {
                    if let Some(next) = signed.governance.next_authorities() {
                        let before = self.authorities.last().map(|(_, set)| set);
                        let before = before.unwrap_or_else(|| self.trust.authorities_at(leaf));
                        if let Some(problem) = signed.signature_problem(self.trust.chain_id(), before) {
                            return Err(format!("authorities are replaced at leaf {leaf}, and {problem}"));
                        }
                        self.authorities.push((leaf, next.clone()));
                    }
                    let sets = signed.governance.actions.into_iter().filter_map(|action| match action {
                        Action::SetValidators(change) => Some(change.validators),
                        _ => None,
                    });
                    self.candidates.extend(sets);
                }
                Entry::Seal(seal) if seal.next_validator_set_hash != seal.validator_set_hash => {
                    handover = Some((seal.next_validator_set_hash, PosixSeconds::new(seal.time.seconds())));
                }
                _ => {}
            }
        }
        if let Some((hash, until)) = handover {
            let set = self.candidates.iter().find(|set| set.hash(self.trust.suite()) == hash).cloned();
            let set = set.ok_or("no governance entry announced the set that the seal names")?;
            self.waiting.push((SetEnd { last_size: self.frontier.size(), until }, set));
        }
        self.take_checkpoint(&block.checkpoint)
    }

    /// A checkpoint of exactly this size, under the quorum of the set that counts for it, makes what waits trusted.
    fn take_checkpoint(&mut self, note: &str) -> Result<(), String> {
        let size = self.frontier.size();
        let claimed = note.lines().nth(1).and_then(|line| line.parse::<u64>().ok());
        if claimed != Some(size.get()) {
            return Ok(());
        }
        let trusted = self.trust.verify_checkpoint(note).map_err(|error| error.to_string())?;
        if trusted.root != self.frontier.root() {
            return Err(format!("the checkpoint has the root {}, the entries give another", trusted.root));
        }
        self.tree_size = size;
        for (leaf, set) in std::mem::take(&mut self.authorities) {
            let next = self.trust.with_next_authorities(leaf, &set).map_err(|error| error.to_string())?;
            self.trust = next.unwrap_or_else(|| self.trust.clone());
        }
        for (end, set) in std::mem::take(&mut self.waiting) {
            if self.trust.sets().iter().any(|known| known.end.is_some_and(|known| known.last_size == end.last_size)) {
                continue;
            }
            self.trust = self.trust.with_next_set(end, &set).map_err(|error| error.to_string())?;
        }
        Ok(())
    }
}
