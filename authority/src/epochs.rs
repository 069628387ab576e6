//! Blinding epochs in a proposal: what they mean for the issuers, and what of them a person hardly meant.
//!
//! What they mean is shown before anybody signs, and needs no network. What is unusual is found by comparing with the registry, as a trial
//! has it. What the ledger refuses (a number that is not the next one, a secret that is registered, an epoch that records name) the trial
//! says itself.

use std::fmt::Write as _;

use receipt_core::governance::{Action, Governance};
use receipt_core::limits::UNIQUENESS_KEYS_MAX;

use crate::proposal::Proposal;
use crate::registry::{Class, Registry, Value};

/// Below so many payments, settlements and decisions that a receipt may cover, it is said.
const PAYMENTS_MIN: usize = 4;

/// What the blinding epochs of a proposal mean; empty if it has none.
pub fn meaning(proposal: &Proposal) -> String {
    let actions = proposal.governance().map(|message| message.actions.as_slice()).unwrap_or_default();
    let mut text = String::new();
    for action in actions {
        let (title, rows) = match action {
            Action::RegisterBlinding(secret) => (format!("BLINDING EPOCH {} MEANS", secret.epoch), of_registration()),
            Action::WithdrawBlinding(withdrawal) => {
                let epoch = withdrawal.epoch;
                (format!("THE WITHDRAWAL OF BLINDING EPOCH {epoch} MEANS"), of_withdrawal(epoch))
            }
            _ => continue,
        };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "\nWHAT {title}:");
        for (name, value) in rows {
            let _ = writeln!(text, "     {name:14}  {value}");
        }
    }
    text
}

fn of_registration() -> Vec<(&'static str, String)> {
    vec![
        (
            "its secret",
            "every issuer needs it to go on to this epoch or a later one: compare the fingerprint with what `keygen` printed".to_owned(),
        ),
        ("if it is wrong", "`withdraw_blinding` takes the epoch back as long as no record names it, and never after".to_owned()),
    ]
}

fn of_withdrawal(epoch: u32) -> Vec<(&'static str, String)> {
    vec![
        (
            "issuers",
            format!(
                "those whose `keys.blinding_epoch` is {epoch} issue nothing from then on: have their configs changed first"
            ),
        ),
        ("on its way", "what they have acknowledged before is taken all the same".to_owned()),
        ("for ever", "neither its number nor its secret is registered again".to_owned()),
    ]
}

/// An epoch that is registered and not withdrawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct InForce {
    epoch: u64,
    is_named: bool,
}

fn list<'a>(fields: &'a [(&'static str, Value)], name: &str) -> &'a [Value] {
    match fields.iter().find(|(other, _)| *other == name) {
        Some((_, Value::List(values))) => values,
        _ => &[],
    }
}

fn in_force(registry: &Registry) -> Vec<InForce> {
    let Some(secrets) = registry.of(Class::BlindingSecrets).next() else { return Vec::new() };
    let named = list(&secrets.moving, "named_by_records");
    let epoch = |value: &Value| {
        let Value::Part(fields) = value else { return None };
        let field = |name: &str| fields.iter().find(|(other, _)| *other == name).map(|(_, value)| value);
        let (number, state) = (field("epoch")?, field("state")?.words());
        let Value::Number(epoch) = *number else { return None };
        (state == "in force").then(|| InForce { epoch, is_named: named.contains(number) })
    };
    list(&secrets.fields, "epochs").iter().filter_map(epoch).collect()
}

/// One line for each unusual thing about the blinding epochs of a message, compared with what is registered; empty if there is none.
pub fn warnings(message: &Governance, registry: &Registry) -> String {
    let mut in_force = in_force(registry);
    let mut text = String::new();
    let mut withdraws = false;
    for action in &message.actions {
        match action {
            Action::RegisterBlinding(secret) => {
                for unused in in_force.iter().filter(|known| !known.is_named) {
                    let _ = writeln!(
                        text,
                        "\nWARNING: no record names blinding epoch {} yet. Every issuer needs its secret to go on to epoch {}: if it was \
                         registered by mistake, withdraw it first.",
                        unused.epoch, secret.epoch
                    );
                }
                in_force.push(InForce { epoch: secret.epoch.into(), is_named: false });
                let payments = UNIQUENESS_KEYS_MAX / in_force.len();
                if payments < PAYMENTS_MIN {
                    let _ = writeln!(
                        text,
                        "\nWARNING: with {} blinding epochs in force a receipt covers at most {payments} payments, settlements and \
                         decisions together.",
                        in_force.len()
                    );
                }
            }
            Action::WithdrawBlinding(withdrawal) => {
                withdraws = true;
                in_force.retain(|known| known.epoch != u64::from(withdrawal.epoch));
            }
            _ => {}
        }
    }
    if withdraws && in_force.is_empty() {
        text.push_str(
            "\nWARNING: no blinding epoch is in force then, and no issuer issues: register the next one in the same proposal.\n",
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use receipt_core::governance::{RegisterBlinding, WithdrawBlinding};
    use receipt_core::hash::Hash;
    use receipt_core::ids::Height;
    use receipt_core::testkit::TestChain;

    use super::*;
    use crate::chain::Chain;
    use crate::registry::Thing;

    fn register(epoch: u32) -> Action {
        Action::RegisterBlinding(RegisterBlinding { epoch, fingerprint: vec![1; 16] })
    }

    fn withdraw(epoch: u32) -> Action {
        Action::WithdrawBlinding(WithdrawBlinding { epoch })
    }

    fn message(actions: Vec<Action>) -> Governance {
        let suite = TestChain::new().genesis().suite;
        Governance { suite, area: None, sequence: 1, expiry: Height::new(9), previous: Hash([0; 32]), actions }
    }

    /// Epochs from 1 on, each with its state in the registry, and whether a record names it.
    fn registry(epochs: &[(&str, bool)]) -> Registry {
        let part = |(epoch, (state, _)): (u64, &(&str, bool))| {
            Value::Part(vec![("epoch", Value::Number(epoch)), ("state", Value::Plain((*state).to_owned()))])
        };
        let named = (1..).zip(epochs).filter(|(_, (_, named))| *named).map(|(epoch, _)| Value::Number(epoch));
        let secrets = Thing {
            class: Class::BlindingSecrets,
            name: "of the chain".to_owned(),
            fields: vec![("epochs", Value::List((1..).zip(epochs).map(part).collect()))],
            moving: vec![("named_by_records", Value::List(named.collect()))],
        };
        Registry {
            height: 1,
            sequence: 0,
            id: Hash([0; 32]),
            version: Hash([0; 32]),
            things: vec![secrets],
            said_by: Vec::new(),
            replayed: None,
        }
    }

    /// One row per message: what is registered, and what is warned of.
    #[test]
    fn what_a_person_hardly_meant_is_warned_of() {
        let (used, unused, withdrawn) = (("in force", true), ("in force", false), ("withdrawn", false));
        let four = [used; 4];
        type Row<'a> = (&'a [(&'a str, bool)], Vec<Action>, &'a [&'a str]);
        let rows: [Row<'_>; 9] = [
            (&[used], vec![register(2)], &[]),
            (&[used, unused], vec![register(3)], &["no record names blinding epoch 2 yet"]),
            (&[used, unused], vec![withdraw(2), register(3)], &[]),
            (&[used, withdrawn], vec![register(3)], &[]),
            (&[used], vec![register(2), register(3)], &["no record names blinding epoch 2 yet"]),
            (&[unused], vec![withdraw(1)], &["no blinding epoch is in force then"]),
            (&[unused], vec![withdraw(1), register(2)], &[]),
            (&[withdrawn], vec![register(2)], &[]),
            (&four, vec![register(5)], &["with 5 blinding epochs in force a receipt covers at most 3 payments"]),
        ];
        for (registered, actions, expected) in rows {
            let said = warnings(&message(actions.clone()), &registry(registered));
            assert_eq!(said.matches("WARNING").count(), expected.len(), "{registered:?} {actions:?}: {said}");
            assert!(expected.iter().all(|warning| said.contains(warning)), "{registered:?} {actions:?}: {said}");
        }
        let nothing = Registry { things: Vec::new(), ..registry(&[]) };
        assert_eq!(warnings(&message(vec![register(1)]), &nothing), "");
    }

    #[test]
    fn what_is_signed_is_explained_without_a_network() {
        let chain = Chain::new(TestChain::new().genesis().clone());
        let said = |actions| meaning(&Proposal::new(&chain, Some(message(actions)), Vec::new(), 0).unwrap());
        let both = said(vec![withdraw(2), register(3)]);
        for part in
            ["THE WITHDRAWAL OF BLINDING EPOCH 2 MEANS", "is 2 issue nothing", "BLINDING EPOCH 3 MEANS", "`keygen`"]
        {
            assert!(both.contains(part), "{part:?} is missing in {both}");
        }
        let other = receipt_core::governance::RegisterKind::named(7, "x");
        assert_eq!(said(vec![Action::RegisterKind(other)]), "");
    }
}
