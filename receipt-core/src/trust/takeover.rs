//! Where others take over: what a trust file says of a log, so that whoever reads the log can hold the one against the other.

use std::fmt;

use super::TrustFile;
use crate::ids::{LeafIndex, TreeSize};

/// A set of authorities or validators takes the place of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takeover {
    /// Authorities, by the entry before this leaf.
    Authorities {
        /// The first leaf that is theirs.
        first_leaf: LeafIndex,
    },
    /// Validators, by the seal that is the last leaf of a tree of this size.
    Validators {
        /// The last size of the set before.
        last_size: TreeSize,
    },
}

impl fmt::Display for Takeover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Authorities { first_leaf } => write!(f, "authorities from leaf {first_leaf} on"),
            Self::Validators { last_size } => {
                write!(f, "validators from tree size {} on", last_size.get().saturating_add(1))
            }
        }
    }
}

impl TrustFile {
    /// The file without what takes over behind a tree of this size: what a reader of so many leaves can have seen.
    #[must_use]
    pub fn up_to(&self, size: TreeSize) -> Self {
        let mut known = self.clone();
        known.authorities.retain(|authorities| authorities.first_leaf.get() <= size.get());
        let ended = known.sets.iter().take_while(|set| set.end.is_some_and(|end| end.last_size <= size)).count();
        known.sets.truncate(ended + 1);
        if let Some(open) = known.sets.get_mut(ended) {
            open.end = None;
        }
        known
    }

    /// The takeovers of this file that a log has to bring with its leaves while it grows from `before` to `after` leaves: authorities
    /// first, each kind in its order.
    pub fn takeovers(&self, before: TreeSize, after: TreeSize) -> Vec<Takeover> {
        let within = |leaves: u64| before.get() < leaves && leaves <= after.get();
        let authorities = self.authorities.iter().skip(1).map(|known| known.first_leaf);
        let authorities = authorities.filter(|first_leaf| within(first_leaf.get()));
        let ends = self.sets.iter().filter_map(|set| set.end).map(|end| end.last_size);
        let validators = ends.filter(|last_size| within(last_size.get()));
        let authorities = authorities.map(|first_leaf| Takeover::Authorities { first_leaf });
        authorities.chain(validators.map(|last_size| Takeover::Validators { last_size })).collect()
    }
}
