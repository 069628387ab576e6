//! The trust file: all that a verifier must know beforehand, in one public text.
//!
//! ```text
//! tallystick/trust/v1
//! chain <genesis hash, hex>
//! name <chain name>
//! test                                                    only of a chain whose genesis says so: its receipts are specimens
//! origin <origin of the log>
//! utc-offset-minutes <decimal, may be negative>
//! suite <number>                                          of everything that is signed on the chain, notes excepted
//! authorities <first leaf>                                from here to the threshold for each set of authorities
//! authority <base64 of the public key>                    one line each, in the order of the set
//! authority-threshold <k>
//!                                                         an empty line before each validator set
//! validators <first tree size> <last tree size> <until> <validator-set hash, hex>      the last set: "open" in place of both ends
//! log <vkey>                                              c2sp.org/tlog-policy from here to the quorum line
//! witness <name> <vkey>
//! group quorum <k> <names…>
//! quorum quorum
//! ```
//! Authorities vouch for what was anchored while they were in force: a set counts for the leaves of the log from its first one to before the
//! next set's first one. The first starts at leaf 0, each further one right after the governance entry that brought it. Whoever gets
//! hold of a retired set's keys can vouch with them for nothing that is anchored later.
//!
//! Validator sets are in the order of the tree sizes for which their keys count: the first starts at 1, each starts right
//! after the one before, only the last may be open. A checkpoint is judged by the one set whose range holds its size, so a
//! retired set can sign nothing new; and what it signs is never worth more than its word of `until`, the second (Unix time) in which its last
//! block was decided: whoever gets hold of its keys later can not say with them that something was so lately. The text is canonical: what is
//! read is what would be written.
//!
//! Not here: who is allowed to hand out a trust file. It is public, and must come from somewhere that the verifier's owner
//! trusts.

use std::fmt;

use crate::authorities::AuthoritySet;
use crate::genesis::Genesis;
use crate::hash::Hash;
use crate::ids::{LeafIndex, TreeSize};
use crate::note::{
    Checkpoint, CheckpointError, Evaluation, NoteError, Policy, PolicyError, PosixSeconds, SignatureLine, SignedNote,
};
use crate::suite::{ChainId, PublicKey, Suite};
use crate::validators::ValidatorSet;

mod policy;
mod takeover;
mod text;

#[cfg(test)]
mod tests;

pub use policy::policy_of;
pub use takeover::Takeover;
pub use text::TrustTextError;

/// Where a validator set ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SetEnd {
    /// Largest tree size that it may sign.
    pub last_size: TreeSize,
    /// Time of its last block. No "as of" under its signatures is later.
    pub until: PosixSeconds,
}

/// A validator set as far as checkpoints need it, and the tree sizes for which it counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedSet {
    /// Smallest tree size that it may sign.
    pub first_size: TreeSize,
    /// Where it ended; `None`: open.
    pub end: Option<SetEnd>,
    /// The set's hash, as seals carry it.
    pub set_hash: Hash,
    /// Its log and cosigner keys, and how many cosigners are enough.
    pub policy: Policy,
}

/// Authorities of whom nobody can be one.
static NOBODY: AuthoritySet = AuthoritySet { keys: Vec::new(), threshold: 1 };

impl TrustedSet {
    /// Whether a tree of this size is this set's to sign.
    pub fn covers(&self, size: TreeSize) -> bool {
        self.first_size <= size && self.end.is_none_or(|end| size <= end.last_size)
    }
}

/// A set of authorities, and the leaves for which it counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedAuthorities {
    /// The first leaf of the log that was written while it was in force; it ends before the next set's first leaf.
    pub first_leaf: LeafIndex,
    /// The set.
    pub set: AuthoritySet,
}

/// A parsed trust file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustFile {
    pub(crate) chain: ChainId,
    pub(crate) chain_name: String,
    pub(crate) is_test: bool,
    pub(crate) origin: String,
    pub(crate) utc_offset_minutes: i32,
    pub(crate) suite: Suite,
    pub(crate) authorities: Vec<TrustedAuthorities>,
    pub(crate) sets: Vec<TrustedSet>,
}

/// Why a checkpoint may not be relied on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// The note is malformed.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The note's text is not a checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The checkpoint is of another log.
    #[error("the checkpoint is of the log {given:?}, not of {expected:?}")]
    Origin {
        /// Origin that the checkpoint states.
        given: String,
        /// What the trust file says.
        expected: String,
    },
    /// No validator set of the trust file signs trees of this size.
    #[error("the trust file knows no validator set for a tree of size {size}")]
    NoSet {
        /// The tree's size.
        size: TreeSize,
    },
    /// It is not under the newest set's quorum, and a key that stands nowhere in the file has signed it: there may be a newer set.
    #[error("a key that is not in the trust file signed it, and of its newest validators too few: {0}")]
    UnknownSigners(#[source] PolicyError),
    /// The set that counts for this size has not signed it, or not enough of it.
    #[error(transparent)]
    Policy(#[from] PolicyError),
}

impl TrustError {
    /// Whether a trust file brought up to date, or that of another chain, may accept the checkpoint. Otherwise it is refused for good.
    pub fn is_beyond_the_file(&self) -> bool {
        match self {
            Self::NoSet { size } => *size > TreeSize::ZERO,
            Self::UnknownSigners(_) => true,
            Self::Note(_) | Self::Checkpoint(_) | Self::Origin { .. } | Self::Policy(_) => false,
        }
    }
}

/// A checkpoint under the quorum of validators that do not count for its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutOfTurn {
    /// The tree's size.
    pub size: TreeSize,
    /// The first size that is theirs.
    pub first_size: TreeSize,
    /// The last size that is theirs; `None`: all that follow.
    pub last_size: Option<TreeSize>,
}

impl fmt::Display for OutOfTurn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { size, first_size, last_size } = self;
        write!(f, "a tree of size {size} is signed by a quorum of the validators of sizes from {first_size} ")?;
        match last_size {
            Some(last_size) => write!(f, "to {last_size}"),
            None => f.write_str("on"),
        }
    }
}

/// A checkpoint under the quorum of the set that counts for its size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedCheckpoint {
    /// The log's origin.
    pub origin: String,
    /// Number of leaves in the log.
    pub size: TreeSize,
    /// The root of the tree with that many leaves.
    pub root: Hash,
    /// The oldest cosignature time of the freshest sufficient quorum, and not later than the set's end: as of then, this tree was the latest.
    pub as_of: PosixSeconds,
    /// Names of that quorum's members, in the policy's order.
    pub signers: Vec<String>,
    /// Position of the set in the trust file.
    pub set_index: usize,
    /// Hash of the set, which the tree's seal must carry.
    pub set_hash: Hash,
}

impl TrustFile {
    /// The trust file that a genesis file implies: its validators, from the first tree on.
    pub fn from_genesis(genesis: &Genesis) -> Result<Self, TrustTextError> {
        let set = TrustedSet {
            first_size: TreeSize::new(1),
            end: None,
            set_hash: genesis.validators.hash(genesis.suite),
            policy: policy_of(&genesis.origin, &genesis.validators)?,
        };
        let trust = Self {
            chain: genesis.chain_id(),
            chain_name: genesis.chain_name.clone(),
            is_test: genesis.is_test,
            origin: genesis.origin.clone(),
            utc_offset_minutes: genesis.utc_offset_minutes,
            suite: genesis.suite,
            authorities: vec![TrustedAuthorities { first_leaf: LeafIndex::ZERO, set: genesis.authority_set() }],
            sets: vec![set],
        };
        // Read back what would be written: a trust file that cannot be read must not be handed out.
        Self::parse(&trust.to_text())
    }

    /// The same file with another set after `end`, which must lie inside the range of the last, open set. The
    /// caller has verified the handover: a seal of that time under the previous set's quorum is the last leaf, and names the new set's hash.
    pub fn with_next_set(&self, end: SetEnd, set: &ValidatorSet) -> Result<Self, TrustTextError> {
        let mut next = self.clone();
        let last = next.sets.last_mut().ok_or(TrustTextError::Whole("there is no validator set"))?;
        if last.end.is_some() || end.last_size < last.first_size {
            return Err(TrustTextError::Whole("a new set starts inside the range of the last, open one"));
        }
        last.end = Some(end);
        let first_size = end.last_size.next().ok_or(TrustTextError::Whole("there is no tree size left"))?;
        let policy = policy_of(&self.origin, set)?;
        next.sets.push(TrustedSet { first_size, end: None, set_hash: set.hash(self.suite), policy });
        Self::parse(&next.to_text())
    }

    /// The same file after a handover that a log makes; `None` if the file has it already. Refused if the file lets others follow there,
    /// or nobody and has later ones. The caller has verified the handover.
    pub fn after_handover(&self, end: SetEnd, set: &ValidatorSet) -> Result<Option<Self>, TrustTextError> {
        let ends_there = |known: &TrustedSet| known.end.is_some_and(|known| known.last_size == end.last_size);
        let Some(ended) = self.sets.iter().position(ends_there) else {
            let is_open = self.sets.last().is_some_and(|last| last.end.is_none() && last.first_size <= end.last_size);
            let lacks = TrustTextError::Whole("it lacks validators that the log hands over to, and has later ones");
            return if is_open { self.with_next_set(end, set).map(Some) } else { Err(lacks) };
        };
        let (hash, policy) = (set.hash(self.suite), policy_of(&self.origin, set)?);
        let is_next = |next: &TrustedSet| next.set_hash == hash && next.policy.judges_like(&policy);
        let differs = TrustTextError::Whole("it has other validators, or another end, than the log");
        match (self.sets[ended].end == Some(end), self.sets.get(ended + 1)) {
            (true, Some(next)) if is_next(next) => Ok(None),
            (true, None) => {
                let mut open = self.clone();
                open.sets[ended].end = None;
                open.with_next_set(end, set).map(Some)
            }
            _ => Err(differs),
        }
    }

    /// The same file with another set of authorities, brought by the governance entry that is leaf `by` of the log. `None` if the file
    /// has it already. The caller has verified that the entry stands there.
    pub fn with_next_authorities(&self, by: LeafIndex, set: &AuthoritySet) -> Result<Option<Self>, TrustTextError> {
        let first_leaf = LeafIndex::new(by.get().saturating_add(1));
        if let Some(known) = self.authorities.iter().find(|known| known.first_leaf == first_leaf) {
            let same = known.set == *set;
            return if same { Ok(None) } else { Err(TrustTextError::Whole("it has other authorities than the log")) };
        }
        if self.authorities.last().is_some_and(|last| last.first_leaf > first_leaf) {
            return Err(TrustTextError::Whole("it lacks authorities that the log has, and has later ones"));
        }
        let mut next = self.clone();
        next.authorities.push(TrustedAuthorities { first_leaf, set: set.clone() });
        Self::parse(&next.to_text()).map(Some)
    }

    /// Whether the file begins with what this genesis says: refused otherwise. A file that names a chain and has others as its first
    /// authorities or validators was changed by somebody.
    pub fn check_founding(&self, genesis: &Genesis) -> Result<(), TrustTextError> {
        let founding = Self::from_genesis(genesis)?;
        let require = |holds: bool, problem| if holds { Ok(()) } else { Err(TrustTextError::Whole(problem)) };
        require(self.chain == founding.chain, "it is of another chain than the genesis file")?;
        let named = self.chain_name == founding.chain_name && self.origin == founding.origin;
        let alike = self.suite == founding.suite && self.utc_offset_minutes == founding.utc_offset_minutes;
        require(named && alike, "its name, origin, offset or suite is not that of the genesis file")?;
        require(
            self.is_test == founding.is_test,
            "it and the genesis file do not say alike whether the chain is for tests",
        )?;
        let begins = self.authorities.starts_with(&founding.authorities);
        require(
            begins,
            "its first authorities are not those of the genesis file: take a trust file from whom you trust",
        )?;
        let first = |trust: &Self| trust.sets.first().map(|set| (set.first_size, set.set_hash));
        let alike = self.sets.iter().zip(&founding.sets).all(|(own, other)| own.policy.judges_like(&other.policy));
        let begins = first(self) == first(&founding) && alike;
        require(begins, "its first validators are not those of the genesis file: take a trust file from whom you trust")
    }

    /// Whether this file is an earlier one with further sets of validators or authorities, or none: of one chain, and with the same sets over
    /// the same sizes and leaves, but for the end of the earlier one's last.
    pub fn goes_on_from(&self, earlier: &Self) -> bool {
        let begins = |set: &TrustedSet| (set.first_size, set.set_hash);
        let Some((last, closed)) = earlier.sets.split_last() else { return false };
        let Some(open) = self.sets.get(closed.len()) else { return false };
        (self.chain, self.is_test) == (earlier.chain, earlier.is_test)
            && self.authorities.starts_with(&earlier.authorities)
            && self.sets.iter().zip(closed).all(|(own, other)| (begins(own), own.end) == (begins(other), other.end))
            && begins(open) == begins(last)
            && (last.end.is_none() || last.end == open.end)
    }

    /// The chain id: the genesis hash.
    pub fn chain_id(&self) -> ChainId {
        self.chain
    }

    /// The chain's name, for people.
    pub fn chain_name(&self) -> &str {
        &self.chain_name
    }

    /// Whether the chain's receipts are specimens (测试样票).
    pub fn is_test(&self) -> bool {
        self.is_test
    }

    /// The log's origin.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The chain's UTC offset in minutes.
    pub fn utc_offset_minutes(&self) -> i32 {
        self.utc_offset_minutes
    }

    /// The chain's suite.
    pub fn suite(&self) -> Suite {
        self.suite
    }

    /// The sets of authorities, in the order of their leaves.
    pub fn authority_sets(&self) -> &[TrustedAuthorities] {
        &self.authorities
    }

    /// The newest authorities that the file knows.
    pub fn authorities(&self) -> &AuthoritySet {
        // Every trust file has at least one.
        self.authorities.last().map_or(&NOBODY, |known| &known.set)
    }

    /// The authorities that were in force when this leaf was written, as far as the file knows.
    pub fn authorities_at(&self, leaf: LeafIndex) -> &AuthoritySet {
        let known = self.authorities.iter().rev().find(|known| known.first_leaf <= leaf);
        known.map_or(&NOBODY, |known| &known.set)
    }

    /// Whether some set of the file has this key.
    pub fn knows_authority(&self, key: &PublicKey) -> bool {
        self.authorities.iter().any(|known| known.set.has(key))
    }

    /// The validator sets, in the order of their tree sizes.
    pub fn sets(&self) -> &[TrustedSet] {
        &self.sets
    }

    /// The set whose keys count for a tree of this size, with its position.
    pub fn set_for(&self, size: TreeSize) -> Option<(usize, &TrustedSet)> {
        self.sets.iter().enumerate().find(|(_, set)| set.covers(size))
    }

    /// An agency's name in the validator set, from the name of its cosigner key (`<origin>/<name>`).
    pub fn agency<'a>(&self, cosigner: &'a str) -> &'a str {
        cosigner.strip_prefix(&self.origin).and_then(|rest| rest.strip_prefix('/')).unwrap_or(cosigner)
    }

    /// Too few known signatures under the newest set, and one by a stranger: the file may be older than the checkpoint.
    fn refusal(&self, error: PolicyError, set: &TrustedSet, note: &SignedNote) -> TrustError {
        let too_few = matches!(
            error,
            PolicyError::QuorumNotReached { .. }
                | PolicyError::LogSignatureMissing
                | PolicyError::Note(NoteError::NoKnownKey)
        );
        let keys = || self.sets.iter().flat_map(|set| set.policy.log_keys().chain(set.policy.cosigner_keys()));
        let by_a_stranger =
            |line: &SignatureLine| !keys().any(|key| key.name() == line.name() && key.id() == line.key_id());
        if too_few && set.end.is_none() && note.signatures().iter().any(by_a_stranger) {
            return TrustError::UnknownSigners(error);
        }
        error.into()
    }

    /// Judges the text of a signed note: origin, the set by tree size, the log's signature, the quorum of cosignatures.
    pub fn verify_checkpoint(&self, note_text: &str) -> Result<TrustedCheckpoint, TrustError> {
        self.verify_note(&SignedNote::parse(note_text.as_bytes())?)
    }

    /// Which of the validators of its tree size have signed a note, whether or not they suffice: for whoever asks who signed twice.
    pub fn evaluate_checkpoint(&self, note_text: &str) -> Result<Evaluation, TrustError> {
        let note = SignedNote::parse(note_text.as_bytes())?;
        let claimed = Checkpoint::parse(note.text())?;
        // A cosigner's key may sign checkpoints of other logs, too.
        if claimed.origin() != self.origin {
            return Err(TrustError::Origin { given: claimed.origin().to_owned(), expected: self.origin.clone() });
        }
        let (_, set) = self.set_for(claimed.size()).ok_or(TrustError::NoSet { size: claimed.size() })?;
        set.policy.evaluate(&note).map_err(|error| self.refusal(error, set, &note))
    }

    /// Of a checkpoint that is not under the quorum of the set whose turn it is: the set of the file that has signed it all the same, if
    /// one has. Nothing signed so is worth anything; but it was not made up by whoever hands it over. Either the file is of another
    /// history than the log, or the keys of a whole quorum are in wrong hands.
    pub fn signed_out_of_turn(&self, note_text: &str) -> Option<OutOfTurn> {
        let note = SignedNote::parse(note_text.as_bytes()).ok()?;
        let claimed = Checkpoint::parse(note.text()).ok().filter(|claimed| claimed.origin() == self.origin)?;
        let size = claimed.size();
        let has_signed = |set: &&TrustedSet| !set.covers(size) && set.policy.verify(&note).is_ok();
        let set = self.sets.iter().find(has_signed)?;
        Some(OutOfTurn { size, first_size: set.first_size, last_size: set.end.map(|end| end.last_size) })
    }

    /// Judges a parsed note, as [`Self::verify_checkpoint`].
    pub fn verify_note(&self, note: &SignedNote) -> Result<TrustedCheckpoint, TrustError> {
        let claimed = Checkpoint::parse(note.text())?;
        if claimed.origin() != self.origin {
            return Err(TrustError::Origin { given: claimed.origin().to_owned(), expected: self.origin.clone() });
        }
        let (set_index, set) = self.set_for(claimed.size()).ok_or(TrustError::NoSet { size: claimed.size() })?;
        let endorsement = set.policy.verify(note).map_err(|error| self.refusal(error, set, note))?;
        // A trust file has no policy without a quorum, so the time is always there.
        let as_of = endorsement.as_of.ok_or(PolicyError::QuorumNotReached { cosigners: 0 })?;
        let as_of = set.end.map_or(as_of, |end| as_of.min(end.until));
        let in_quorum = endorsement.cosigners.into_iter().filter(|cosigner| cosigner.in_quorum);
        Ok(TrustedCheckpoint {
            origin: self.origin.clone(),
            size: endorsement.checkpoint.size(),
            root: endorsement.checkpoint.root(),
            as_of,
            signers: in_quorum.map(|cosigner| cosigner.name).collect(),
            set_index,
            set_hash: set.set_hash,
        })
    }
}
