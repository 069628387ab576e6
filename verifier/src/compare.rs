//! Comparing two checkpoints: one history, or two.
//!
//! Two notes of one size with different roots, both under a quorum, are evidence that anybody can check with the public
//! trust file: some validator signed twice. Two notes of different sizes need a consistency path; a path that does not fit
//! is not evidence, for whoever gave it may have lied, so the older size is then asked for again.
//!
//! ```text
//! tallystick/fork/v1\n
//! note <bytes>\n <note, verbatim>
//! note <bytes>\n <note, verbatim>
//! ```

use receipt_core::ids::UnixMillis;
use receipt_core::merkle::verify_consistency;
use receipt_core::note::SignedNote;
use receipt_core::trust::{TrustError, TrustFile, TrustedCheckpoint};
use receipt_core::verdict::utc_text;
use serde::Serialize;

use crate::node::{self, NodeAddress, NodeError};

const FORK_MAGIC: &str = "tallystick/fork/v1\n";

/// What two checkpoints are to each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "relation", rename_all = "snake_case")]
pub enum Relation {
    /// Same size, same root.
    Same,
    /// The larger extends the smaller: proved.
    Consistent,
    /// Different sizes, and no proof at hand.
    Unproven {
        /// Why there is none.
        reason: String,
    },
    /// Same size, different roots.
    Fork {
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
    /// As of when, Unix seconds.
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
        /// Why.
        source: TrustError,
    },
    /// Not an evidence file.
    #[error("not an evidence file of two notes")]
    Evidence,
}

impl CompareError {
    /// Whether the notes may be good, and the trust file does not know enough: another log, or later validators.
    pub fn cannot_be_judged_here(&self) -> bool {
        match self {
            Self::Note { source: TrustError::Origin { .. }, .. } => true,
            Self::Note { source, .. } => source.is_beyond_the_file(),
            Self::Evidence => false,
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
    let (one, two) = (judge("first", first)?, judge("second", second)?);
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
    Relation::Fork { signed_both, evidence: encode_evidence(one_note, two_note) }
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

/// The evidence file of two notes.
pub fn encode_evidence(first: &str, second: &str) -> String {
    let part = |note: &str| format!("note {}\n{note}", note.len());
    format!("{FORK_MAGIC}{}{}", part(first), part(second))
}

/// Reads an evidence file; nothing is verified.
pub fn decode_evidence(text: &str) -> Result<[String; 2], CompareError> {
    let mut rest = text.strip_prefix(FORK_MAGIC).ok_or(CompareError::Evidence)?;
    let mut notes = Vec::with_capacity(2);
    for _ in 0..2 {
        let (length, tail) =
            rest.strip_prefix("note ").and_then(|rest| rest.split_once('\n')).ok_or(CompareError::Evidence)?;
        let length: usize = length.parse().map_err(|_| CompareError::Evidence)?;
        let note = tail.get(..length).ok_or(CompareError::Evidence)?;
        SignedNote::parse(note.as_bytes()).map_err(|_| CompareError::Evidence)?;
        notes.push(note.to_owned());
        rest = tail.get(length..).unwrap_or_default();
    }
    let pair = <[String; 2]>::try_from(notes).map_err(|_| CompareError::Evidence)?;
    if encode_evidence(&pair[0], &pair[1]) == text { Ok(pair) } else { Err(CompareError::Evidence) }
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
        };
        format!("{word}\n  {}\n  {}\n", side(&self.first), side(&self.second))
    }
}
