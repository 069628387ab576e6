//! What a change of validators means for those who decide: shown beside the proposal, before anybody signs it.
//!
//! Compared with the newest validator set of a trust file; without one with that of genesis, and the text says so. Consensus keys stand
//! in no trust file: a member whose log or cosigner key is another one is said to change its keys.

use std::fmt::Write as _;

use receipt_core::governance::{Action, SetValidators};
use receipt_core::trust::TrustFile;
use receipt_core::validators::Validator;

use crate::proposal::Proposal;
use crate::text::quoted;

/// How many of n may be faulty, and how many must agree.
fn bounds(members: usize) -> (usize, usize) {
    (members.saturating_sub(1) / 3, members.saturating_mul(2) / 3 + 1)
}

/// The newest set of a trust file.
struct Before<'a> {
    /// Agencies with their cosigner keys.
    members: Vec<(&'a str, [u8; 32])>,
    log_keys: Vec<[u8; 32]>,
}

impl<'a> Before<'a> {
    fn of(trust: &'a TrustFile) -> Self {
        let policy = trust.sets().last().map(|set| &set.policy);
        let members = policy.iter().flat_map(|policy| policy.cosigner_keys());
        let log_keys = policy.iter().flat_map(|policy| policy.log_keys()).map(|key| key.public_key());
        Self {
            members: members.map(|key| (trust.agency(key.name()), key.public_key())).collect(),
            log_keys: log_keys.collect(),
        }
    }

    fn has(&self, member: &Validator) -> bool {
        self.members.iter().any(|(name, _)| *name == member.name)
    }

    fn has_with_keys(&self, member: &Validator) -> bool {
        let cosigns = self.members.contains(&(member.name.as_str(), member.cosigner_key.0));
        cosigns && self.log_keys.contains(&member.log_key.0)
    }
}

fn names<'a>(list: impl Iterator<Item = &'a str>) -> String {
    let list: Vec<String> = list.map(quoted).collect();
    if list.is_empty() { "nobody".to_owned() } else { list.join(", ") }
}

fn of_change(change: &SetValidators, before: &Before<'_>) -> String {
    let after = change.validators.members();
    let joins = || after.iter().filter(|member| !before.has(member));
    let changed = || after.iter().filter(|member| before.has(member) && !before.has_with_keys(member));
    let stay = after.iter().filter(|member| before.has_with_keys(member)).count();
    let leave = before.members.iter().map(|(name, _)| *name);
    let leave = leave.filter(|name| !after.iter().any(|member| member.name == *name));
    let ((faults_before, quorum_before), (faults, quorum)) = (bounds(before.members.len()), bounds(after.len()));
    let mut text = String::new();
    let rows = [
        ("members", format!("{} before, {} after", before.members.len(), after.len())),
        ("may be faulty", format!("{faults_before} before, {faults} after")),
        ("must agree", format!("{quorum_before} before, {quorum} after")),
        ("join", names(joins().map(|member| member.name.as_str()))),
        ("leave", names(leave)),
        ("change keys", names(changed().map(|member| member.name.as_str()))),
        ("to hand over", format!("{quorum_before} of the {} old ones must be there", before.members.len())),
        (
            "to go on",
            format!(
                "{quorum} of the {} new ones must be there: at least {} of the {stay} that stay as they are, even if every other one is",
                after.len(),
                quorum.saturating_sub(after.len() - stay)
            ),
        ),
    ];
    for (name, value) in rows {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "     {name:13}  {value}");
    }
    if stay < quorum {
        let _ = writeln!(
            text,
            "\nWARNING: those who stay as they are do not suffice: from height {} on nothing is decided, governance neither, before {} \
             of the others are connected with the keys above.",
            change.effective_height,
            quorum - stay
        );
    }
    if faults < faults_before {
        let _ = writeln!(
            text,
            "\nWARNING: fewer validators may be faulty afterwards: {faults} instead of {faults_before}."
        );
    }
    text
}

/// What each change of validators in a proposal means; empty if there is none. `is_given`: the trust file was given, not made from genesis.
pub fn meaning(proposal: &Proposal, trust: &TrustFile, is_given: bool) -> String {
    let actions = proposal.governance().map(|message| message.actions.as_slice()).unwrap_or_default();
    let changes = actions.iter().filter_map(|action| match action {
        Action::SetValidators(change) => Some(change),
        _ => None,
    });
    let compared = match is_given {
        true => "compared with the newest set of the trust file",
        false => {
            "compared with the set of genesis; if that was replaced since, give --trust with an updated trust file"
        }
    };
    let mut text = String::new();
    for change in changes {
        let _ = writeln!(text, "\nWHAT THE CHANGE OF VALIDATORS MEANS, {compared}:");
        text += &of_change(change, &Before::of(trust));
    }
    text
}

#[cfg(test)]
mod tests {
    use receipt_core::testkit::{TestChain, TestValidator};
    use receipt_core::validators::ValidatorSet;

    use super::*;

    fn said(chain: &TestChain, members: &[TestValidator]) -> String {
        let validators = ValidatorSet::new(members.iter().map(TestValidator::public).collect()).unwrap();
        of_change(&SetValidators { effective_height: 50, validators }, &Before::of(chain.trust()))
    }

    fn row<'a>(said: &'a str, name: &str) -> &'a str {
        said.lines()
            .find_map(|line| line.trim().strip_prefix(name))
            .unwrap_or_else(|| panic!("{name} in {said}"))
            .trim()
    }

    /// One row per change of the set 1 to 4: its members, what must agree, who must stay there, and whether it is warned of.
    #[test]
    fn a_change_is_put_into_figures() {
        let chain = TestChain::new();
        let at = |ids: &[u32]| ids.iter().copied().map(TestValidator::new).collect::<Vec<_>>();
        let with_new = |id: u32, mut others: Vec<TestValidator>| {
            others.push(TestValidator::with_new_keys(id));
            others.sort_by_key(|member| member.id);
            others
        };
        for (members, agree, at_least, warned) in [
            (at(&[1, 2, 3, 4]), "3 before, 3 after", "at least 3 of the 4", 0),
            (at(&[1, 2, 3, 4, 5]), "3 before, 4 after", "at least 3 of the 4", 0),
            (at(&[2, 3, 4]), "3 before, 3 after", "at least 3 of the 3", 1),
            (with_new(4, at(&[1, 2, 3])), "3 before, 3 after", "at least 2 of the 3", 0),
            (with_new(4, at(&[2, 3, 5])), "3 before, 3 after", "at least 1 of the 2", 1),
            (at(&[5, 6, 7, 8]), "3 before, 3 after", "at least 0 of the 0", 1),
        ] {
            let said = said(&chain, &members);
            assert_eq!(row(&said, "must agree"), agree, "{said}");
            assert!(row(&said, "to go on").contains(at_least), "{said}");
            assert_eq!(said.matches("WARNING").count(), warned, "{said}");
        }
        let said = said(&chain, &with_new(4, at(&[2, 3, 5])));
        let rows = ["join", "leave", "change keys", "may be faulty"].map(|name| row(&said, name));
        assert_eq!(rows, ["\"v5\"", "\"v1\"", "\"v4\"", "1 before, 1 after"]);
    }

    #[test]
    fn the_newest_set_counts() {
        let mut chain = TestChain::new();
        chain.rotate_validators((2..=8).map(TestValidator::new).collect());
        let said = said(&chain, &(2..=7).map(TestValidator::new).collect::<Vec<_>>());
        assert_eq!(row(&said, "members"), "7 before, 6 after");
        assert!(said.contains("fewer validators may be faulty afterwards: 1 instead of 2"), "{said}");
    }
}
