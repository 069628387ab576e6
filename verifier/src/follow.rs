//! Bringing a trust file up to date without executing anything: the log's entries alone, each under a trusted checkpoint.
//!
//! Every entry since genesis is hashed into the log; a validator set counts from where a seal says so, and its keys are
//! those of a governance entry with exactly the hash that the seal names. Nothing is taken over before a checkpoint under
//! the quorum of the *previous* set covers the seal that announces it. Authorities count from right after the entry that brings them, once
//! such a checkpoint covers it, and only if those before them and they themselves have signed it: validators alone put nobody in.
//!
//! What the file knows already is held against the log: a set that the one has and the other has not means that one of them is wrong.

use receipt_core::authorities::AuthoritySet;
use receipt_core::entry::Entry;
use receipt_core::governance::{Action, SignedGovernance};
use receipt_core::hash::Hash;
use receipt_core::ids::{LeafIndex, TreeSize};
use receipt_core::merkle::Frontier;
use receipt_core::note::PosixSeconds;
use receipt_core::trust::{SetEnd, Takeover, TrustFile, TrustTextError};
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
    /// The trust file and the log contradict each other.
    #[error(
        "height {height}: {problem}. Either the trust file or this log is wrong: compare the file with another party's \
         (`trust show`), and ask another node; rely on neither before you know"
    )]
    Disputed {
        /// The block.
        height: u64,
        /// What the one has and the other has not.
        problem: String,
    },
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
    /// What the given file knows beyond that: the source lags, and this was compared with nothing.
    pub beyond: Vec<Takeover>,
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
    let tree_size = follower.tree_size;
    let beyond = trust.takeovers(tree_size, TreeSize::new(u64::MAX));
    Ok(Followed { trust: follower.trust, new_sets, new_authorities, tree_size, beyond })
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
        match self.take(&block) {
            Ok(()) => Flow::Continue,
            Err(problem) => {
                self.problem = Some(problem);
                Flow::Stop
            }
        }
    }
}

/// What was served does not hold.
fn served(height: u64, problem: impl ToString) -> FollowError {
    FollowError::Served { height, problem: problem.to_string() }
}

impl Follower {
    fn take(&mut self, block: &LedgerBlock) -> Result<(), FollowError> {
        let served = |problem: &dyn std::fmt::Display| served(block.height, problem);
        if block.height != self.next_height {
            return Err(served(&format!("expected height {}", self.next_height)));
        }
        self.next_height += 1;
        let before = self.frontier.size();
        let mut brought = Vec::new();
        let mut handover: Option<(Hash, PosixSeconds)> = None;
        for bytes in &block.entries {
            let leaf = LeafIndex::new(self.frontier.size().get());
            self.frontier.append(bytes, |_, _| ()).map_err(|error| served(&error))?;
            match Entry::decode(bytes).map_err(|error| served(&error))? {
                Entry::Governance(signed) => {
                    brought.extend(self.succeed(leaf, &signed).map_err(|problem| served(&problem))?);
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
        let size = self.frontier.size();
        if let Some((hash, until)) = handover {
            let set = self.candidates.iter().find(|set| set.hash(self.trust.suite()) == hash).cloned();
            let set = set.ok_or_else(|| served(&"no governance entry announced the set that the seal names"))?;
            self.waiting.push((SetEnd { last_size: size, until }, set));
            brought.push(Takeover::Validators { last_size: size });
        }
        if let Some(missing) = self.trust.takeovers(before, size).iter().find(|known| !brought.contains(known)) {
            let problem = format!("the trust file has {missing}, and this log brings none there");
            return Err(FollowError::Disputed { height: block.height, problem });
        }
        self.take_checkpoint(block)
    }

    /// Keeps the authorities that this entry brings, if it does and those have signed who must.
    fn succeed(&mut self, leaf: LeafIndex, signed: &SignedGovernance) -> Result<Option<Takeover>, String> {
        let Some(next) = signed.governance.next_authorities() else { return Ok(None) };
        let before = self.authorities.last().map(|(_, set)| set);
        let before = before.unwrap_or_else(|| self.trust.authorities_at(leaf));
        if let Some(problem) = signed.signature_problem(self.trust.chain_id(), before) {
            return Err(format!("authorities are replaced at leaf {leaf}, and {problem}"));
        }
        self.authorities.push((leaf, next.clone()));
        Ok(Some(Takeover::Authorities { first_leaf: LeafIndex::new(leaf.get().saturating_add(1)) }))
    }

    /// A checkpoint of exactly this size, under the quorum of the set that counts for it, makes what waits trusted.
    fn take_checkpoint(&mut self, block: &LedgerBlock) -> Result<(), FollowError> {
        let (height, note) = (block.height, &block.checkpoint);
        let size = self.frontier.size();
        let claimed = note.lines().nth(1).and_then(|line| line.parse::<u64>().ok());
        if claimed != Some(size.get()) {
            return Ok(());
        }
        let trusted = self.trust.verify_checkpoint(note).map_err(|error| served(height, error))?;
        if trusted.root != self.frontier.root() {
            let problem = format!("the checkpoint has the root {}, the entries give another", trusted.root);
            return Err(served(height, problem));
        }
        self.tree_size = size;
        let disputed = |what: Takeover, error: TrustTextError| {
            let problem = format!("this log has {what}; {error}");
            FollowError::Disputed { height, problem }
        };
        for (leaf, set) in std::mem::take(&mut self.authorities) {
            let what = Takeover::Authorities { first_leaf: LeafIndex::new(leaf.get().saturating_add(1)) };
            let next = self.trust.with_next_authorities(leaf, &set).map_err(|error| disputed(what, error))?;
            self.trust = next.unwrap_or_else(|| self.trust.clone());
        }
        for (end, set) in std::mem::take(&mut self.waiting) {
            let what = Takeover::Validators { last_size: end.last_size };
            let next = self.trust.after_handover(end, &set).map_err(|error| disputed(what, error))?;
            self.trust = next.unwrap_or_else(|| self.trust.clone());
        }
        Ok(())
    }
}
