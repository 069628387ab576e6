//! The plain types that cross the seam between the node and the engine.
//!
//! They carry no behaviour of the engine. Heights count from 1 (genesis, height 0, is never decided here), rounds from 0.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;

/// Members a validator set may have; bounds every certificate. The ledger has the same limit; the node that joins the two holds them
/// to it.
pub const MEMBERS_MAX: usize = 64;
/// Voting power of one member is at most this, so that no sum or threshold overflows.
pub const VOTING_POWER_MAX: u64 = 1 << 32;

/// What consensus decides: the 32-byte hash that stands for a block. The block's bytes travel beside it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockId(pub [u8; 32]);

impl fmt::Display for BlockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for BlockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().take(6).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A validator's number in the ledger's registry. The engine's "address".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberId(u32);

impl MemberId {
    /// Wraps a registry number.
    pub const fn new(value: u32) -> Self {
        Self(value)
    }

    /// The registry number.
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One validator of one height.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its registry number.
    pub id: MemberId,
    /// Its Ed25519 consensus key. Verified by the rule of ZIP 215.
    pub public_key: [u8; 32],
    /// Its weight; decisions need more than 2/3 of the sum.
    pub voting_power: u64,
}

/// How long one height's rounds wait. Round r waits `x + r * delta`, at most `max`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For a proposal.
    pub propose: Duration,
    /// For prevotes, once more than 2/3 have voted without agreeing.
    pub prevote: Duration,
    /// For precommits, likewise.
    pub precommit: Duration,
    /// Until votes are sent again.
    pub rebroadcast: Duration,
    /// Added per round to each of the first three.
    pub delta: Duration,
    /// The upper bound of all.
    pub max: Duration,
}

impl Default for Timeouts {
    /// 1 s to propose, 500 ms per vote, 3 s to rebroadcast, 500 ms more per round, 30 s at most.
    fn default() -> Self {
        let half = Duration::from_millis(500);
        Self {
            propose: Duration::from_secs(1),
            prevote: half,
            precommit: half,
            rebroadcast: Duration::from_secs(3),
            delta: half,
            max: Duration::from_secs(30),
        }
    }
}

/// What consensus needs to know of one height. Everything in it comes from the chain alone, so all nodes agree on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeightSet {
    /// The validators, in any order.
    pub members: Vec<Member>,
    /// Who proposes: `proposer_order[round % proposer_order.len()]`.
    pub proposer_order: Vec<MemberId>,
    /// How long its rounds wait.
    pub timeouts: Timeouts,
}

/// Why a [`HeightSet`] is not usable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetError {
    /// No members, or more than [`MEMBERS_MAX`].
    #[error("a validator set has 1 to {MEMBERS_MAX} members, not {0}")]
    MemberCount(usize),
    /// Two members with one id.
    #[error("member {0} stands twice in the set")]
    DuplicateMember(MemberId),
    /// Two members with one key.
    #[error("member {0} has the key of another member")]
    DuplicateKey(MemberId),
    /// The key is not a point of the curve.
    #[error("member {0} has an invalid public key")]
    InvalidKey(MemberId),
    /// Zero, or above [`VOTING_POWER_MAX`].
    #[error("member {0} has voting power 0 or above {VOTING_POWER_MAX}")]
    VotingPower(MemberId),
    /// Nobody would propose.
    #[error("the proposer order is empty")]
    NoProposer,
    /// The order names somebody outside the set.
    #[error("proposer {0} is not a member")]
    UnknownProposer(MemberId),
}

impl HeightSet {
    /// Checks counts, uniqueness, powers, keys and the proposer order.
    pub fn check(&self) -> Result<(), SetError> {
        if self.members.is_empty() || self.members.len() > MEMBERS_MAX {
            return Err(SetError::MemberCount(self.members.len()));
        }
        let (mut ids, mut keys) = (BTreeSet::new(), BTreeSet::new());
        for member in &self.members {
            if !ids.insert(member.id) {
                return Err(SetError::DuplicateMember(member.id));
            }
            if !keys.insert(member.public_key) {
                return Err(SetError::DuplicateKey(member.id));
            }
            if member.voting_power == 0 || member.voting_power > VOTING_POWER_MAX {
                return Err(SetError::VotingPower(member.id));
            }
            if crate::scheme::PublicKey::decode(&member.public_key).is_err() {
                return Err(SetError::InvalidKey(member.id));
            }
        }
        if self.proposer_order.is_empty() {
            return Err(SetError::NoProposer);
        }
        match self.proposer_order.iter().find(|id| !ids.contains(id)) {
            Some(stranger) => Err(SetError::UnknownProposer(*stranger)),
            None => Ok(()),
        }
    }
}

/// Where consensus starts or goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartHeight {
    /// The height to decide next: the tip plus one.
    pub height: u64,
    /// Its validators, proposers and timeouts.
    pub set: HeightSet,
    /// Whether the block before it carried anything: whoever rouses an idle chain for empty blocks is waited for ever longer.
    pub carried: bool,
}

/// A block that this node proposes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnProposal {
    /// Its hash.
    pub block_id: BlockId,
    /// Its bytes: not empty, at most `EngineConfig::block_bytes_max`, already fsynced by the application.
    pub bytes: Bytes,
}

/// A block that another node proposed, all parts received, its sender's signature checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedProposal {
    /// The height that is being decided.
    pub height: u64,
    /// The round it was proposed in.
    pub round: u32,
    /// The earlier round in which the proposer says that it saw more than 2/3 prevote for it. Proves nothing.
    pub pol_round: Option<u32>,
    /// Who proposes in this round. The block may have been built by another validator in an earlier round: what the
    /// block says of its author comes from the block.
    pub proposer: MemberId,
    /// What the sender says its hash is. The application checks it.
    pub block_id: BlockId,
    /// The block.
    pub bytes: Bytes,
}

/// The application's judgement of a proposal. Whether a block is invalid is a pure function of block and state: all honest
/// nodes say the same of it at any time, or those that are locked on it and those that refuse it would stop the chain.
/// Whether it came in time is each node's own view: it keeps a node from being the first to vote for a block, and from
/// nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It keeps all rules and came in time: vote for it.
    Valid,
    /// It keeps all rules, but its time lies too far from this node's clock, or it is not this round's proposer's own. To be
    /// prevoted once others of more than 1/3 of the voting power have, to be precommitted and decided as any other.
    Untimely,
    /// The bytes are the block of this id, and it breaks a rule: vote nil.
    Invalid,
    /// The bytes are not the block of this id: as if they had not come. Says nothing about the id.
    Ignore,
}

/// An undecided proposal that the application stored earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownProposal {
    /// The round it was proposed in.
    pub round: u32,
    /// The earlier round of its more than 2/3 prevotes, if it was proposed again.
    pub pol_round: Option<u32>,
    /// Who proposed in that round.
    pub proposer: MemberId,
    /// Its hash.
    pub block_id: BlockId,
    /// Whether it keeps all rules.
    pub valid: bool,
    /// Whether it came in time, in any round.
    pub timely: bool,
}

/// A decided block that another node sent because this one is behind. More than 2/3 of the height's validators signed it:
/// the certificate was checked, and `decided` will bring it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncedBlock {
    /// The height it was decided at; it is the height being decided here.
    pub height: u64,
    /// The round it was decided in. The block may be of an earlier round.
    pub round: u32,
    /// The block, as the sender has stored it.
    pub bytes: Bytes,
}

/// The application's judgement of a [`SyncedBlock`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncVerdict {
    /// A valid block with this hash, fsynced.
    Valid(BlockId),
    /// A block with this hash that breaks a rule. As more than 2/3 signed it, this node then stands still: wrong version.
    Invalid(BlockId),
    /// Not a block: ask another peer.
    PeerFault,
}

/// Something a validator signed, as its preimage and signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedStatement {
    /// One of the layouts of the `preimage` module.
    pub preimage: Vec<u8>,
    /// The validator's Ed25519 signature of it.
    pub signature: [u8; 64],
}

/// Proof that a validator signed two conflicting statements. Anybody with its key can check it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Equivocation {
    /// The validator that signed both.
    pub member: MemberId,
    /// Its consensus key at that height.
    pub public_key: [u8; 32],
    /// The two statements.
    pub statements: [SignedStatement; 2],
}

/// An error after which the node must not go on. Any error converts into it with `?`; it is deliberately not an error itself.
#[derive(Debug)]
pub struct Fatal(pub(crate) String);

impl<E: Into<Box<dyn std::error::Error + Send + Sync>>> From<E> for Fatal {
    fn from(error: E) -> Self {
        let error = error.into();
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            text = format!("{text}: {cause}");
            source = cause.source();
        }
        Self(text)
    }
}

impl fmt::Display for Fatal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
