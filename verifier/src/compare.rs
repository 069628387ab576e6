//! Comparing two checkpoints: one history, or two.
//!
//! Two notes of one size with different roots, both under a quorum, are evidence that anybody can check with the public
//! trust file: some validator signed twice. Two notes of different sizes need a consistency path; a path that does not fit
//! is not evidence, for whoever gave it may have lied, so the older size is then asked for again. The file of evidence is
//! [`ForkEvidence`].

use receipt_core::ids::UnixMillis;
use receipt_core::merkle::verify_consistency;
use receipt_core::note::{Evaluation, ForkEvidence, NotEvidence};
use receipt_core::trust::{TrustError, TrustFile, TrustedCheckpoint};
use receipt_core::verdict::utc_text;
use serde::Serialize;

use crate::node::{self, NodeAddress, NodeError};

/// What two checkpoints are to each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "relation", rename_all = "snake_case")]
pub enum Relation {
    /// The sizes and the roots are equal.
    Same,
    /// The larger extends the smaller: proved.
    Consistent,
    /// Different sizes, and no proof at hand.
    Unproven {
        /// Why there is no proof.
        reason: String,
    },
    /// The sizes are equal and the roots are not.
    Fork {
        /// Agencies whose cosignatures stand under both.
        signed_both: Vec<String>,
        /// The evidence file.
        evidence: String,
    },
    /// Same size, different roots, of which at least one has no quorum: nobody need believe that one, and who signed both is at fault.
    DoubleSigned {
        /// Agencies whose cosignatures stand under both.
        signed_both: Vec<String>,
        /// The evidence file.
        evidence: String,
    },
}

/// A comparison.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// Size and root of the smaller (or first) checkpoint.
    pub first: CheckpointSummary,
    /// Size and root of the larger (or second) one.
    pub second: CheckpointSummary,
    /// What they are to each other.
    #[serde(flatten)]
    pub relation: Relation,
}

/// One side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckpointSummary {
    /// Leaves.
    pub tree_size: u64,
    /// Root, hex.
    pub root: String,
    /// The quorum's time of the checkpoint, seconds since 1970.
    pub as_of: u64,
}

/// Why two notes cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// A note is not under the trust file's quorum: it says nothing about anybody.
    #[error("the {which} note cannot be relied on: {source}")]
    Note {
        /// `first` or `second`.
        which: &'static str,
        /// The underlying error.
        source: TrustError,
    },
    /// The file is no evidence of a fork.
    #[error(transparent)]
    Evidence(#[from] NotEvidence),
}

impl CompareError {
    /// Whether the notes may be good, and the trust file does not know enough: another log, or later validators.
    pub fn cannot_be_judged_here(&self) -> bool {
        match self {
            Self::Note { source: TrustError::Origin { .. }, .. } => true,
            Self::Note { source, .. } => source.is_beyond_the_file(),
            Self::Evidence(_) => false,
        }
    }
}

/// Compares two notes under one trust file; a node may be asked for proofs, and is not believed.
pub fn compare(
    first: &str,
    second: &str,
    trust: &TrustFile,
    node: Option<&NodeAddress>,
) -> Result<Comparison, CompareError> {
    let judge = |which, note| trust.verify_checkpoint(note).map_err(|source| CompareError::Note { which, source });
    let (one, two) = match (judge("first", first), judge("second", second)) {
        (Ok(one), Ok(two)) => (one, two),
        (Err(error), _) | (_, Err(error)) => return signed_twice(first, second, trust).ok_or(error),
    };
    let ordered = if one.size <= two.size { [(one, first), (two, second)] } else { [(two, second), (one, first)] };
    let [(old, old_note), (new, new_note)] = ordered;
    let relation = if old.size == new.size {
        same_size(&old, old_note, &new, new_note, trust)
    } else {
        match node {
            None => Relation::Unproven { reason: "no node was asked for a consistency proof".to_owned() },
            Some(node) => ask(node, &old, old_note, &new, trust),
        }
    };
    Ok(Comparison { first: summary(&old), second: summary(&new), relation })
}

/// Notes of one size and different roots, not both under a quorum, and whose valid cosignatures stand under both; `None` if nobody's do.
fn signed_twice(first: &str, second: &str, trust: &TrustFile) -> Option<Comparison> {
    let evaluations = [first, second].map(|note| trust.evaluate_checkpoint(note).ok());
    let [Some(one), Some(two)] = evaluations else { return None };
    let side = |evaluation: &Evaluation| CheckpointSummary {
        tree_size: evaluation.checkpoint.size().get(),
        root: evaluation.checkpoint.root().to_string(),
        as_of: evaluation.cosigners.iter().map(|cosigner| cosigner.time.get()).min().unwrap_or(0),
    };
    if one.checkpoint.size() != two.checkpoint.size() || one.checkpoint.root() == two.checkpoint.root() {
        return None;
    }
    let both = one.cosigners.iter().filter(|one| two.cosigners.iter().any(|two| two.name == one.name));
    let signed_both: Vec<String> = both.map(|cosigner| trust.agency(&cosigner.name).to_owned()).collect();
    let evidence = ForkEvidence::new(first, second).encode();
    let relation = (!signed_both.is_empty()).then_some(Relation::DoubleSigned { signed_both, evidence })?;
    Some(Comparison { first: side(&one), second: side(&two), relation })
}

fn summary(checkpoint: &TrustedCheckpoint) -> CheckpointSummary {
    CheckpointSummary {
        tree_size: checkpoint.size.get(),
        root: checkpoint.root.to_string(),
        as_of: checkpoint.as_of.get(),
    }
}

fn same_size(
    one: &TrustedCheckpoint,
    one_note: &str,
    two: &TrustedCheckpoint,
    two_note: &str,
    trust: &TrustFile,
) -> Relation {
    if one.root == two.root {
        return Relation::Same;
    }
    let both = one.signers.iter().filter(|name| two.signers.contains(name));
    let signed_both = both.map(|name| trust.agency(name).to_owned()).collect();
    Relation::Fork { signed_both, evidence: ForkEvidence::new(one_note, two_note).encode() }
}

/// Asks for a proof; if there is none that fits, for the node's own checkpoint of the older size.
fn ask(
    node: &NodeAddress,
    old: &TrustedCheckpoint,
    old_note: &str,
    new: &TrustedCheckpoint,
    trust: &TrustFile,
) -> Relation {
    let unproven = |error: NodeError| Relation::Unproven { reason: error.to_string() };
    let path = match node::consistency_path(node, old.size, new.size) {
        Ok(path) => path,
        Err(error) => return unproven(error),
    };
    let Err(problem) = verify_consistency(trust.suite(), old.size, &old.root, new.size, &new.root, &path) else {
        return Relation::Consistent;
    };
    let own = match node::checkpoint_of(node, old.size) {
        Ok(own) => own,
        Err(error) => return unproven(error),
    };
    match trust.verify_checkpoint(&own) {
        Ok(theirs) if theirs.size == old.size && theirs.root != old.root => {
            same_size(old, old_note, &theirs, &own, trust)
        }
        _ => Relation::Unproven { reason: format!("the node's proof does not fit: {problem}") },
    }
}

impl Comparison {
    /// The comparison for people.
    pub fn to_text(&self) -> String {
        let side = |side: &CheckpointSummary| {
            let as_of = utc_text(UnixMillis::new(side.as_of.saturating_mul(1000)));
            format!("{} leaves, root {}, as of {as_of}", side.tree_size, side.root)
        };
        let word = match &self.relation {
            Relation::Same => "SAME: both say the same tree".to_owned(),
            Relation::Consistent => "CONSISTENT: the larger extends the smaller".to_owned(),
            Relation::Unproven { reason } => format!("UNPROVEN: the sizes differ and {reason}"),
            Relation::Fork { signed_both, .. } => {
                format!("FORK: two trees of one size. Signed both: {}", signed_both.join(", "))
            }
            Relation::DoubleSigned { signed_both, .. } => format!(
                "DOUBLE-SIGNED: two trees of one size, not both under a quorum. Signed both: {}",
                signed_both.join(", ")
            ),
        };
        format!("{word}\n  {}\n  {}\n", side(&self.first), side(&self.second))
    }
}
