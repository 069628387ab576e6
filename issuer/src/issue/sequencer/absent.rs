//! What the journal is known not to have, asked for a whole group at once.
//!
//! Nearly every draft is new, so nearly every look-up finds nothing, and costs a filter of each table in which the key could be. Asked together, a
//! group's keys go through each table once. Only absence is remembered: a row that is there, or that could not be read, is read again by whoever
//! decides the draft, and judged there.

use std::collections::HashSet;

use receipt_core::ids::UnitId;

use crate::issue::Prepared;
use crate::journal::{Journal, JournalError, ReceiptReads as _, rows_against};

/// Keys without a row at the beginning of a group.
#[derive(Debug, Default)]
pub(super) struct Absent {
    biz: HashSet<(UnitId, String)>,
    uniqueness: HashSet<[u8; 23]>,
}

impl Absent {
    /// Of the biz codes and payments of these drafts.
    pub(super) fn of(journal: &Journal, drafts: &[Prepared]) -> Result<Self, JournalError> {
        let biz = drafts.iter().map(|draft| (draft.unit.id, draft.draft.biz_code.clone()));
        let against = drafts.iter().flat_map(|draft| draft.uniqueness.iter().map(|key| (draft.unit.id, *key)));
        // Not those of a whole decision, which any of its instalments may hold: that is a range.
        let rows = against.flat_map(|(unit, key)| rows_against(unit, key)).filter(|rows| rows.start() == rows.end());
        Ok(Self {
            biz: journal.without_biz(biz.collect())?.into_iter().collect(),
            uniqueness: journal.without_uniqueness(rows.map(|rows| *rows.start()).collect())?.into_iter().collect(),
        })
    }

    /// Whether no receipt of the journal has this biz code.
    pub(super) fn has_biz(&self, biz: &(UnitId, String)) -> bool {
        self.biz.contains(biz)
    }

    /// Whether nothing in the journal stands against any of these rows.
    pub(super) fn has_all(&self, rows: &[std::ops::RangeInclusive<[u8; 23]>]) -> bool {
        rows.iter().all(|rows| rows.start() == rows.end() && self.uniqueness.contains(rows.start()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{TestIssuer, draft, init};
    use receipt_core::testkit::TestChain;

    #[test]
    fn what_was_issued_is_not_absent_and_all_else_is() {
        let dir = scratch::Directory::new();
        let mut chain = TestChain::new();
        let mut issuer = TestIssuer::start(init(dir.path(), &chain), &chain, 1);
        let known = draft(&mut chain, "S01", "A");
        issuer.issue_new(known.clone());
        let other = draft(&mut chain, "S02", "B");
        let drafts = [known, other].map(|draft| issuer.prepare(draft, None).unwrap());
        let absent = Absent::of(&issuer.journal, &drafts).unwrap();
        let found = drafts.map(|draft| {
            let rows = draft.uniqueness.iter().flat_map(|key| rows_against(draft.unit.id, *key)).collect::<Vec<_>>();
            assert!(!rows.is_empty());
            (absent.has_biz(&(draft.unit.id, draft.draft.biz_code)), absent.has_all(&rows))
        });
        assert_eq!(found, [(false, false), (true, true)]);
        assert!(!absent.has_all(&[[0; 23]..=[1; 23]]), "of a range nothing is known");
    }
}
