//! Says in the log that a decided block replaces the authorities: governance and the credentials of every unit hang on who they are,
//! and whoever did it without their knowledge must not go unnoticed. Not here: whether they may (`receipt_core::state`).

use receipt_core::authorities::AuthoritySet;
use receipt_core::entry::Entry;
use receipt_core::ids::LeafIndex;
use receipt_core::state::{Effects, read_authorities};
use receipt_core::succession::AuthorityChange;

use crate::store::{Store, StoreError};

/// One warning for each change of authorities in a block that is decided, and not yet committed.
pub(crate) fn tell(store: &Store, effects: &Effects) -> Result<(), StoreError> {
    let height = effects.tip.height;
    for change in changes(store, effects)? {
        tracing::warn!(
            %height,
            %change,
            "the authorities were replaced: compare the keys with what the authorities say, and have trust files brought up to date \
             (docs/ops/authorities.md)"
        );
    }
    Ok(())
}

/// The changes of authorities that a block over this store brings, in their order.
fn changes(store: &Store, effects: &Effects) -> Result<Vec<AuthorityChange>, StoreError> {
    let mut before: Option<AuthoritySet> = None;
    let mut changes = Vec::new();
    for (leaf, entry) in (effects.first_leaf.get()..).zip(&effects.entries) {
        let Ok(Entry::Governance(signed)) = Entry::decode(entry) else { continue };
        let Some(next) = signed.governance.next_authorities() else { continue };
        let replaced = before.take().map_or_else(|| read_authorities(store), Ok)?;
        changes.push(AuthorityChange::new(LeafIndex::new(leaf), &replaced, next));
        before = Some(next.clone());
    }
    Ok(changes)
}

#[cfg(test)]
mod tests {
    use receipt_core::ids::Height;
    use receipt_core::state::NoCache;
    use receipt_core::suite::Signer as _;
    use receipt_core::testkit::{TestChain, TestValidator, software_key};

    use super::*;
    use crate::testing::TestNode;

    /// Two in one block, with a change of validators.
    #[test]
    fn each_change_of_authorities_is_told_against_the_set_before_it() {
        let mut chain = TestChain::new();
        let first_leaf = chain.log().size() + 1;
        let successions: [&[&str]; 2] =
            [&["authority-0", "authority-7", "authority-8"], &["authority-7", "authority-8", "authority-9"]];
        chain.replace_all(&successions, (2..=5).map(TestValidator::new).collect());
        let node = TestNode::new(&chain, 1);
        let ledger = &node.services.ledger;
        let effects = |height: usize| ledger.execute(&chain.blocks()[height].bytes, &NoCache, [0; 32]).unwrap().effects;
        let found = changes(&ledger.store, &effects(1)).unwrap();
        let keys = |names: &[&str]| names.iter().map(|name| software_key(name).public_key()).collect::<Vec<_>>();
        let expected = |leaf, joined: &[&str], left: &[&str]| AuthorityChange {
            first_leaf: LeafIndex::new(leaf),
            members: 3,
            threshold: 2,
            joined: keys(joined),
            left: keys(left),
        };
        let of_the_first = expected(first_leaf, &["authority-7", "authority-8"], &["authority-1", "authority-2"]);
        assert_eq!(found, [of_the_first, expected(first_leaf + 1, &["authority-9"], &["authority-0"])]);
        node.decide(&chain, Height::new(1));
        assert!(changes(&ledger.store, &effects(2)).unwrap().is_empty(), "an empty block");
    }
}
