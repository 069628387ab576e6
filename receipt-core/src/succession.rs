//! What a change of authorities comes to, as those are told who rely on them: in auditors' reports, and in the logs of nodes and issuers.
//!
//! Not here: whether one set may take another's place (`state`), and which counts where (`trust`).

use std::fmt;

use crate::authorities::AuthoritySet;
use crate::hash::Hash;
use crate::ids::LeafIndex;
use crate::suite::PublicKey;

/// One set of authorities in the place of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorityChange {
    /// The first leaf of the log that is the new set's.
    pub first_leaf: LeafIndex,
    /// Number of its members.
    pub members: usize,
    /// How many of them must sign.
    pub threshold: u32,
    /// Keys of those who were not in the set before.
    pub joined: Vec<PublicKey>,
    /// Keys of those who are not in it any more.
    pub left: Vec<PublicKey>,
}

impl AuthorityChange {
    /// The entry that is leaf `by` of the log puts `next` in the place of `before`.
    pub fn new(by: LeafIndex, before: &AuthoritySet, next: &AuthoritySet) -> Self {
        let lacking =
            |keys: &[PublicKey], other: &AuthoritySet| keys.iter().filter(|key| !other.has(key)).copied().collect();
        Self {
            first_leaf: LeafIndex::new(by.get().saturating_add(1)),
            members: next.keys.len(),
            threshold: next.threshold,
            joined: lacking(&next.keys, before),
            left: lacking(&before.keys, next),
        }
    }
}

impl fmt::Display for AuthorityChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |keys: &[PublicKey]| match keys {
            [] => "nobody".to_owned(),
            keys => keys.iter().map(|key| Hash(key.0).to_string()).collect::<Vec<_>>().join(", "),
        };
        let Self { first_leaf, members, threshold, joined, left } = self;
        write!(f, "from leaf {first_leaf} on {threshold} of {members} must sign; ")?;
        write!(f, "joined: {}; left: {}", names(joined), names(left))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::Signer as _;
    use crate::testkit::software_key;

    #[test]
    fn a_change_says_who_comes_who_goes_and_how_many_must_sign() {
        let key = |name: &str| software_key(name).public_key();
        let set =
            |names: &[&str], threshold| AuthoritySet { keys: names.iter().map(|name| key(name)).collect(), threshold };
        let hex = |name: &str| Hash(key(name).0).to_string();
        for (before, next, joined, left) in [
            (set(&["a", "b", "c"], 2), set(&["a", "d"], 2), hex("d"), format!("{}, {}", hex("b"), hex("c"))),
            (set(&["a", "b"], 2), set(&["a", "b"], 1), "nobody".to_owned(), "nobody".to_owned()),
        ] {
            let change = AuthorityChange::new(LeafIndex::new(50), &before, &next);
            let expected = format!("from leaf 51 on {} of 2 must sign; joined: {joined}; left: {left}", next.threshold);
            assert_eq!(change.to_string(), expected);
        }
    }
}
