//! A trust file in use, held against the one that the replayed ledger implies.
//!
//! An older file that only lacks later sets does not contradict the ledger. Nor does one that knows sets which begin beyond what was
//! replayed: these are not judged, and the report says so.

use receipt_core::ids::TreeSize;
use receipt_core::trust::TrustFile;

/// What the file has beyond the replayed leaves, as a sentence for the report; `None` if it has nothing there.
pub(super) fn beyond(in_use: &TrustFile, replayed: TreeSize) -> Option<String> {
    let known: Vec<String> =
        in_use.takeovers(replayed, TreeSize::new(u64::MAX)).iter().map(ToString::to_string).collect();
    (!known.is_empty()).then(|| {
        format!(
            "The trust file in use has {}, beyond the {replayed} leaves that were replayed: this was not judged. Audit a newer export, \
             or another node.",
            known.join(" and ")
        )
    })
}

/// Why the file contradicts the ledger's own, as far as that was replayed.
pub(super) fn problem(in_use: &TrustFile, own: &TrustFile, replayed: TreeSize) -> Option<String> {
    if in_use.chain_id() != own.chain_id() {
        return Some("the trust file is of another chain".to_owned());
    }
    let head = |trust: &TrustFile| (trust.origin().to_owned(), trust.utc_offset_minutes(), trust.is_test());
    let same_head = head(in_use) == head(own);
    if !same_head {
        return Some(
            "the trust file's origin, offset or word that it is a test chain is not that of genesis".to_owned(),
        );
    }
    authority_problem(in_use, own, replayed).or_else(|| validator_problem(in_use, own, replayed))
}

fn authority_problem(in_use: &TrustFile, own: &TrustFile, replayed: TreeSize) -> Option<String> {
    let (known, own) = (in_use.authority_sets(), own.authority_sets());
    let within = known.iter().take_while(|set| set.first_leaf.get() <= replayed.get()).count();
    for (position, set) in known[..within].iter().enumerate() {
        if own.get(position) != Some(set) {
            return Some(format!("the trust file's authorities from leaf {} on are not the ledger's", set.first_leaf));
        }
    }
    // A file that lacks later sets is old; one that has later ones as well is wrong.
    let lacks = own.get(within).filter(|_| within < known.len());
    lacks.map(|set| format!("the trust file lacks the authorities from leaf {} on, and has later ones", set.first_leaf))
}

fn validator_problem(in_use: &TrustFile, own: &TrustFile, replayed: TreeSize) -> Option<String> {
    let last = in_use.sets().len().saturating_sub(1);
    for (position, set) in in_use.sets().iter().enumerate() {
        let Some(ours) = own.sets().get(position) else {
            // The ledger has not come so far, or hands over to nobody there.
            let replayed_to = set.first_size.get() <= replayed.get().saturating_add(1);
            return replayed_to
                .then(|| format!("the ledger has no other validators from tree size {} on", set.first_size));
        };
        let ends_later = ours.end.is_none() && set.end.is_some_and(|end| end.last_size > replayed);
        let same_end = set.end == ours.end || ends_later || (position == last && set.end.is_none());
        let same =
            set.first_size == ours.first_size && set.set_hash == ours.set_hash && set.policy.judges_like(&ours.policy);
        if !(same && same_end) {
            return Some(format!(
                "the trust file's validators from tree size {} on, or their end, are not the ledger's",
                set.first_size
            ));
        }
    }
    None
}
