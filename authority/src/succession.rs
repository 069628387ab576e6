//! What a change of authorities means: shown beside the proposal, before anybody signs it.

use std::fmt::Write as _;

use receipt_core::suite::PublicKey;

use crate::chain::Chain;
use crate::proposal::Proposal;

fn keys<'a>(keys: impl Iterator<Item = &'a PublicKey>) -> String {
    let keys: Vec<String> = keys.map(|key| hex::encode(key.0)).collect();
    if keys.is_empty() { "nobody".to_owned() } else { keys.join(", ") }
}

/// What the change of authorities in a proposal means, and what of it is unusual; empty if there is none.
pub fn meaning(proposal: &Proposal, chain: &Chain) -> String {
    let Some(next) = proposal.next_authorities() else { return String::new() };
    let before = proposal.authorities(chain);
    let stay = before.keys.iter().filter(|key| next.has(key)).count();
    let (count, needed) = (next.keys.len(), next.threshold as usize);
    let mut text = "\nWHAT THE CHANGE OF AUTHORITIES MEANS:\n".to_owned();
    let rows = [
        ("members", format!("{} before, {count} after", before.keys.len())),
        ("must sign", format!("{} before, {needed} after", before.threshold)),
        ("join", keys(next.keys.iter().filter(|key| !before.has(key)))),
        ("leave", keys(before.keys.iter().filter(|key| !next.has(key)))),
        ("to change", format!("{} of those in force and all {count} of the next must sign this", before.threshold)),
        ("for ever", "a key that leaves never becomes an authority's again".to_owned()),
    ];
    for (name, value) in rows {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "     {name:9}  {value}");
    }
    let held = match stay {
        stay if stay < needed => "no credential of before holds".to_owned(),
        stay => format!("a credential of before holds only if {needed} of the {stay} that stay have signed it"),
    };
    let _ = writeln!(
        text,
        "\nFor what is anchored after it {held}: put the credentials of all units' keys into this proposal, which makes them hold for \
         before and after, and what it has no room for into further ones of the same message. It has {}.",
        proposal.credentials().count()
    );
    if needed == count {
        text.push_str("\nWARNING: all of them must sign: one lost key, and nothing can be changed any more.\n");
    }
    if needed.saturating_mul(2) <= count {
        text.push_str(
            "\nWARNING: fewer than a majority sign: two groups of them can change things against each other.\n",
        );
    }
    text
}
