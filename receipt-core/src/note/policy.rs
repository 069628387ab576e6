//! A trust policy (c2sp.org/tlog-policy): which log, which cosigners, and how many of them are enough.
//!
//! A policy is a tree: witnesses are leaves, a group wants k of its members, the quorum is one of them (or nobody). Every
//! name is a member of at most one group and every key stands once, so no cosigner counts twice.
//!
//! "As of": each cosigner says *when* it saw this tree as the latest. A group is as fresh as the k-th freshest of its
//! members, and those k are its quorum: of all sufficient sets, the one whose *smallest* time is the greatest. With more
//! than two thirds required, at least one honest cosigner stands at or after that time, so nobody can post-date it alone.
//!
//! The text form is in `policy_text`.

use super::checkpoint::{Checkpoint, CheckpointError};
use super::cosignature::PosixSeconds;
use super::key::VerifierKey;
use super::signature_line::SignatureLine;
use super::signed_note::{NoteError, Sifted, SignedNote, Verified};

/// Why a checkpoint note does not satisfy a policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Malformed, a known key's signature is wrong, or nobody known has signed.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The note's text is not a checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// No log key named by the checkpoint's origin has signed.
    #[error("the log has not signed the checkpoint")]
    LogSignatureMissing,
    /// The valid cosignatures do not make a quorum.
    #[error("{cosigners} valid cosignatures are not a quorum")]
    QuorumNotReached {
        /// How many known cosigners have signed.
        cosigners: usize,
    },
}

/// A log that is trusted to number entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Log {
    pub(super) key: VerifierKey,
    pub(super) url: Option<String>,
}

/// A witness or a group, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) name: String,
    pub(super) rule: Rule,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Rule {
    Witness {
        key: Box<VerifierKey>,
        url: Option<String>,
    },
    /// Wants `threshold` of the earlier members `of`.
    Group {
        threshold: usize,
        of: Vec<usize>,
    },
}

/// A checked policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    pub(super) logs: Vec<Log>,
    pub(super) members: Vec<Member>,
    /// Position of the quorum among the members; `None`: no cosignature is needed.
    pub(super) quorum: Option<usize>,
}

/// A known cosigner's valid cosignature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosigner {
    /// Its name in the policy.
    pub name: String,
    /// When it says that it signed.
    pub time: PosixSeconds,
    /// Whether it belongs to the quorum that was chosen.
    pub in_quorum: bool,
}

/// What a note's signatures amount to under a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evaluation {
    /// The signed tree.
    pub checkpoint: Checkpoint,
    /// Whether a log key named by the origin has signed.
    pub log_signed: bool,
    /// Whether the quorum is reached.
    pub quorum_reached: bool,
    /// All valid cosigners, in the policy's order.
    pub cosigners: Vec<Cosigner>,
    /// The smallest time among the quorum's members; `None` without a quorum, or if none is needed.
    pub as_of: Option<PosixSeconds>,
}

/// A checkpoint that satisfies a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endorsement {
    /// The tree that may be relied on.
    pub checkpoint: Checkpoint,
    /// All valid cosigners, in the policy's order.
    pub cosigners: Vec<Cosigner>,
    /// The smallest time among the quorum's members; `None` if the policy needs no cosignature.
    pub as_of: Option<PosixSeconds>,
}

/// The two notes that a checkpoint's collected lines make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assembly {
    /// Exactly the lines that are needed: one of the log, then those of the freshest quorum, in the policy's order. For proofs,
    /// which are kept for ever.
    pub smallest: SignedNote,
    /// A line of every key that has signed, in the policy's order, log keys first. For publication: whoever knows any one of
    /// the log keys can read it.
    pub fullest: SignedNote,
    /// The smallest time among the quorum's members; `None` if the policy needs no cosignature.
    pub as_of: Option<PosixSeconds>,
}

/// What putting notes together has come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assembled {
    /// The notes, or what is missing.
    pub notes: Result<Assembly, PolicyError>,
    /// Positions of lines that were left out: by a known key, and wrong.
    pub wrong: Vec<usize>,
}

/// The freshest sufficient set below a member: its smallest time and its witnesses' positions.
#[derive(Clone)]
struct Support {
    as_of: PosixSeconds,
    witnesses: Vec<usize>,
}

/// What the signature lines of a note mean to a policy.
struct Judged {
    checkpoint: Checkpoint,
    /// Position in the note of the line that signs for the log.
    log_line: Option<usize>,
    /// Per member of the policy: its valid line.
    lines: Vec<Option<Verified>>,
    /// `Some` if the quorum is reached; the inner `None` means that no cosignature is needed.
    support: Option<Option<Support>>,
}

impl Policy {
    /// The log keys, in the policy's order.
    pub fn log_keys(&self) -> impl Iterator<Item = &VerifierKey> {
        self.logs.iter().map(|log| &log.key)
    }

    /// The cosigner keys, in the policy's order.
    pub fn cosigner_keys(&self) -> impl Iterator<Item = &VerifierKey> {
        self.members.iter().filter_map(|member| match &member.rule {
            Rule::Witness { key, .. } => Some(key.as_ref()),
            Rule::Group { .. } => None,
        })
    }

    /// Whether the other one takes exactly the same checkpoints. URLs say where to ask, and nothing about whom to believe.
    pub fn judges_like(&self, other: &Self) -> bool {
        self.without_urls() == other.without_urls()
    }

    fn without_urls(&self) -> Self {
        let mut bare = self.clone();
        bare.logs.iter_mut().for_each(|log| log.url = None);
        for member in &mut bare.members {
            if let Rule::Witness { url, .. } = &mut member.rule {
                *url = None;
            }
        }
        bare
    }

    /// Judges a checkpoint note without asking that it suffice: for one who still collects cosignatures. Fails if the note
    /// is malformed or a known key's signature is wrong.
    pub fn evaluate(&self, note: &SignedNote) -> Result<Evaluation, PolicyError> {
        let judged = self.judge(note)?;
        let support = judged.support.clone().flatten();
        let chosen = support.as_ref().map(|support| support.witnesses.as_slice()).unwrap_or_default();
        let cosigners = (0..)
            .zip(self.members.iter().zip(&judged.lines))
            .filter_map(|(position, (member, line))| {
                let time = line.as_ref()?.time?;
                Some(Cosigner { name: member.name.clone(), time, in_quorum: chosen.contains(&position) })
            })
            .collect();
        Ok(Evaluation {
            checkpoint: judged.checkpoint,
            log_signed: judged.log_line.is_some(),
            quorum_reached: judged.support.is_some(),
            cosigners,
            as_of: support.map(|support| support.as_of),
        })
    }

    /// Requires the log's signature and the quorum.
    pub fn verify(&self, note: &SignedNote) -> Result<Endorsement, PolicyError> {
        let evaluation = self.evaluate(note)?;
        if !evaluation.log_signed {
            return Err(PolicyError::LogSignatureMissing);
        }
        if !evaluation.quorum_reached {
            return Err(PolicyError::QuorumNotReached { cosigners: evaluation.cosigners.len() });
        }
        let Evaluation { checkpoint, cosigners, as_of, .. } = evaluation;
        Ok(Endorsement { checkpoint, cosigners, as_of })
    }

    /// Puts notes of one checkpoint together from the lines at hand. A wrong line is left out and reported: one signer's fault
    /// must not undo the others' signatures, whereas a note that is read with a wrong line in it is rejected.
    pub fn assemble(&self, note: &SignedNote) -> Assembled {
        let keys: Vec<&VerifierKey> = self.log_keys().chain(self.cosigner_keys()).collect();
        let Sifted { valid, wrong } = note.sift(&keys);
        Assembled { notes: self.assemble_valid(note, valid), wrong }
    }

    fn assemble_valid(&self, note: &SignedNote, valid: Vec<Verified>) -> Result<Assembly, PolicyError> {
        let all: Vec<usize> = valid.iter().map(|verified| verified.line).collect();
        let judged = self.judge_verified(Checkpoint::parse(note.text())?, valid);
        let log_line = judged.log_line.ok_or(PolicyError::LogSignatureMissing)?;
        let cosigners = judged.lines.iter().flatten().count();
        let support = judged.support.ok_or(PolicyError::QuorumNotReached { cosigners })?;
        let as_of = support.as_ref().map(|support| support.as_of);
        let mut witnesses = support.map(|support| support.witnesses).unwrap_or_default();
        witnesses.sort_unstable();
        let lines = witnesses.iter().filter_map(|witness| judged.lines.get(*witness)?.map(|verified| verified.line));
        let needed: Vec<usize> = std::iter::once(log_line).chain(lines).collect();
        let with = |lines: Vec<usize>| {
            let signatures: Vec<SignatureLine> =
                lines.into_iter().filter_map(|line| note.signatures().get(line).cloned()).collect();
            SignedNote::new(note.text(), signatures)
        };
        Ok(Assembly { smallest: with(needed)?, fullest: with(all)?, as_of })
    }

    fn judge(&self, note: &SignedNote) -> Result<Judged, PolicyError> {
        let checkpoint = Checkpoint::parse(note.text())?;
        let keys: Vec<&VerifierKey> = self.log_keys().chain(self.cosigner_keys()).collect();
        let verified = note.verify(&keys)?;
        Ok(self.judge_verified(checkpoint, verified))
    }

    /// `verified` has positions of log keys first, then of cosigner keys.
    fn judge_verified(&self, checkpoint: Checkpoint, verified: Vec<Verified>) -> Judged {
        let origin = checkpoint.origin();
        let of_origin = |found: &Verified| self.logs.get(found.key).is_some_and(|log| log.key.name() == origin);
        let log_line = verified.iter().find(|found| of_origin(found)).map(|found| found.line);
        let mut next_key = self.logs.len();
        let mut lines = Vec::with_capacity(self.members.len());
        for member in &self.members {
            let is_witness = matches!(member.rule, Rule::Witness { .. });
            lines.push(verified.iter().find(|found| is_witness && found.key == next_key).copied());
            next_key += usize::from(is_witness);
        }
        let support = match self.quorum {
            None => Some(None),
            Some(quorum) => self.supports(&lines).get(quorum).cloned().flatten().map(Some),
        };
        Judged { checkpoint, log_line, lines, support }
    }

    /// Per member, its freshest sufficient set. Groups refer backwards only, so one pass is enough.
    fn supports(&self, lines: &[Option<Verified>]) -> Vec<Option<Support>> {
        let mut supports: Vec<Option<Support>> = Vec::with_capacity(self.members.len());
        for (position, member) in self.members.iter().enumerate() {
            let support = match &member.rule {
                Rule::Witness { .. } => {
                    lines[position].and_then(|line| line.time).map(|as_of| Support { as_of, witnesses: vec![position] })
                }
                Rule::Group { threshold, of } => {
                    let mut ready: Vec<Support> = of.iter().filter_map(|member| supports[*member].clone()).collect();
                    // Stable: among equal times the earlier member of the policy is used.
                    ready.sort_by_key(|support| std::cmp::Reverse(support.as_of));
                    ready.truncate(*threshold);
                    let as_of = ready.last().filter(|_| ready.len() == *threshold).map(|last| last.as_of);
                    let witnesses = ready.into_iter().flat_map(|support| support.witnesses).collect();
                    as_of.map(|as_of| Support { as_of, witnesses })
                }
            };
            supports.push(support);
        }
        supports
    }
}
