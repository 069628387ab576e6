//! Credentials filled from what is known, and what is missing named.

use receipt_core::suite::Signer as _;
use receipt_core::testkit::{TWIN_LOG_KEYS, TestChain, TestValidator, UNIT_KEY_BASE};

use super::*;

const KEY: &str = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";

fn chain() -> Chain {
    Chain::new(TestChain::new().genesis().clone())
}

fn draft(text: &str) -> Result<Draft, String> {
    let directory = scratch::Directory::new();
    let path = directory.path().join("proposal.toml");
    std::fs::write(&path, text).unwrap();
    Draft::read(&path, &chain()).map_err(|error| error.to_string())
}

fn genesis_unit(chain: &Chain) -> RegisterUnit {
    let mut units = chain.genesis.actions.iter().filter_map(|action| match action {
        Action::RegisterUnit(unit) => Some(unit.clone()),
        _ => None,
    });
    units.next().unwrap()
}

fn new_key(unit_id: u32) -> String {
    format!(
        "[[actions]]\n[actions.register_key]\nkey_id = 5000\nowner = \"unit\"\nowner_id = {unit_id}\n\
         public_key = \"{KEY}\"\nvalid_from = \"2026-11-23T00:00:00+08:00\"\n"
    )
}

#[test]
fn a_credential_repeats_what_the_actions_and_genesis_say() {
    let chain = chain();
    let unit = genesis_unit(&chain);
    // Of a key in genesis: nothing goes onto the ledger, so that no position is needed.
    let known = draft(&format!("[[credentials]]\nkey_id = {}\n", UNIT_KEY_BASE + unit.unit_id)).unwrap();
    assert!(!known.has_actions());
    let proposal = known.propose(&chain, None).unwrap();
    let credential = proposal.credentials().next().unwrap();
    assert_eq!((credential.unit.get(), &credential.unit_code), (unit.unit_id, &unit.unit_code));
    assert_eq!(credential.unit_name, unit.name);
    // Of a key that is registered by the same proposal, for a unit in genesis.
    let text = format!("{}[[credentials]]\nkey_id = 5000\n", new_key(unit.unit_id));
    let position = Position { sequence: 1, previous: chain.id.0, expiry: Height::new(9), look_from_height: 2 };
    let proposal = draft(&text).unwrap().propose(&chain, Some(position)).unwrap();
    let credential = proposal.credentials().next().unwrap();
    assert_eq!(hex::encode(credential.public_key.0), KEY);
    assert_eq!(credential.unit_code, unit.unit_code);
    assert_eq!(proposal.governance().map(|message| (message.sequence, message.expiry.get())), Some((1, 9)));
    assert_eq!(proposal.look_from_height(), 2);
    let error = draft(&text).unwrap().propose(&chain, None).unwrap_err().to_string();
    assert!(error.contains("--node"), "{error}");
}

/// Before anybody signs: the ledger would refuse it.
#[test]
fn validators_whose_log_keys_share_a_note_key_id_are_named() {
    let set = |ids: &[u32]| {
        let mut text = "[[actions]]\n[actions.set_validators]\neffective_height = 500\n".to_owned();
        for member in ids.iter().map(|id| TestValidator::new(*id).public()) {
            let [consensus, log, cosigner] =
                [member.consensus_key, member.log_key, member.cosigner_key].map(|key| hex::encode(key.0));
            text += &format!(
                "[[actions.set_validators.validators]]\nid = {}\nname = \"{}\"\nconsensus_key = \"{consensus}\"\n\
                 log_key = \"{log}\"\ncosigner_key = \"{cosigner}\"\n",
                member.id, member.name
            );
        }
        text
    };
    let [one, other] = TWIN_LOG_KEYS;
    draft(&set(&[1, one])).unwrap();
    let error = draft(&set(&[1, one, other])).unwrap_err();
    assert!(error.contains("`actions[0].set_validators`"), "{error}");
    assert!(error.contains(&format!("{one} and {other} have the same note key id")), "{error}");
}

#[test]
fn what_is_missing_or_half_given_is_named() {
    let unit = genesis_unit(&chain()).unit_id;
    for (text, expected) in [
        (String::new(), "nothing to propose"),
        ("[[credentials]]\nkey_id = 5000\n".to_owned(), "add unit_id, public_key, valid_from"),
        (format!("[[credentials]]\nkey_id = 5000\npublic_key = \"{KEY}\"\n"), "give all of unit_id"),
        (format!("{}[[credentials]]\nkey_id = 5000\n", new_key(9999)), "add unit_code, unit_name"),
        (format!("{}[[credentials]]\nkey_id = 5000\nunit_name = \"x\"\n", new_key(unit)), "give all of unit_code"),
        (
            format!("{}[[credentials]]\nkey_id = 5000\n", new_key(unit)).replace("\"unit\"", "\"issuer\""),
            "is an issuer's",
        ),
        (format!("{}{}", new_key(unit), "[[credentials]]\nkey_id = 5000\n".repeat(2)), "twice"),
        (new_key(unit).replace("owner_id", "owner_ids"), "unknown key `actions.0.owner_ids`"),
        (format!("{}[[credential]]\nkey_id = 5000\n", new_key(unit)), "unknown key `credential`"),
    ] {
        let error = draft(&text).unwrap_err();
        assert!(error.contains(expected), "{expected}: {error}");
    }
}

#[test]
fn a_message_of_another_program_is_taken_as_it_is() {
    let chain = chain();
    let directory = scratch::Directory::new();
    let path = directory.path().join("fence.gov");
    let fence = receipt_core::governance::FenceIssuer { issuer_id: 1, epoch: 2, journal: Vec::new() };
    let actions = vec![Action::FenceIssuer(fence)];
    let (suite, previous) = (chain.genesis.suite, chain.id.0);
    let message = Governance { suite, area: None, sequence: 4, expiry: Height::new(50), previous, actions };
    std::fs::write(&path, message.encode()).unwrap();
    assert_eq!(propose_message(&path, &chain).unwrap().governance(), Some(&message));
    let mut bytes = message.encode();
    bytes.extend_from_slice(&[0x30, 0]);
    std::fs::write(&path, bytes).unwrap();
    assert!(propose_message(&path, &chain).unwrap_err().to_string().contains("no governance message"));
    assert!(propose_message(&directory.path().join("none"), &chain).is_err());
}

/// Beside a change of authorities: each file has its part of the credentials, and all have one message.
#[test]
fn a_further_proposal_has_the_message_of_the_first() {
    let chain = chain();
    let unit = genesis_unit(&chain).unit_id;
    let directory = scratch::Directory::new();
    let path = directory.path().join("more.toml");
    let beside = |first: &Proposal, text: &str| {
        std::fs::write(&path, text).unwrap();
        propose_beside(&path, &chain, first).map_err(|error| format!("{error:#}"))
    };
    let position = Position { sequence: 1, previous: chain.id.0, expiry: Height::new(9), look_from_height: 2 };
    let own = format!("[[credentials]]\nkey_id = {}\n", UNIT_KEY_BASE + unit);
    let first = draft(&format!("{}{own}", new_key(unit))).unwrap().propose(&chain, Some(position)).unwrap();
    // Of the key that the repeated message registers.
    let new = "[[credentials]]\nkey_id = 5000\n";
    let further = beside(&first, new).unwrap();
    assert_eq!(further.governance(), first.governance());
    assert_eq!(further.look_from_height(), 2);
    let keys: Vec<u32> = further.credentials().map(|credential| credential.signing_key.get()).collect();
    assert_eq!(keys, [5000]);
    for (text, expected) in [
        (String::new(), "nothing to propose"),
        (own.clone(), "stands in the first proposal"),
        (format!("{}{new}", new_key(unit)), "are those of the first proposal"),
        ("[[credentials]]\nkey_id = 5001\n".to_owned(), "add unit_id, public_key, valid_from"),
    ] {
        let error = beside(&first, &text).unwrap_err();
        assert!(error.contains(expected), "{expected}: {error}");
    }
    let alone = draft(&own).unwrap().propose(&chain, None).unwrap();
    assert!(beside(&alone, new).unwrap_err().contains("propose the credentials alone"));
}

/// The documents' examples are read by the program that they describe.
#[test]
fn the_examples_of_the_documents_are_descriptions() {
    let page = include_str!("../../../docs/ops/governance.md");
    let blocks: Vec<&str> = page.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    let [first, others] = blocks[..] else { panic!("{} examples", blocks.len()) };
    let first = draft(first).unwrap();
    assert_eq!((first.actions.len(), first.credentials.len()), (7, 1));
    // Keys are left out of the last ones.
    let (others, sets) = others.split_at(others.find("[[actions]]\n[actions.set_validators]").unwrap());
    assert_eq!(draft(others).unwrap().actions.len(), 6);
    let key = |name: &str| hex::encode(receipt_core::testkit::software_key(name).public_key().0);
    let mut sets = sets.to_owned();
    for name in ["consensus", "log", "cosigner", "one", "two", "three", "four", "five", "six"] {
        sets = sets.replacen('…', &key(name), 1);
    }
    assert_eq!(draft(&sets).unwrap().actions.len(), 4);
    // Refused by the name of the key, before anybody is asked.
    for (from, to, problem) in [
        (key("two"), key("one"), "an authority stands twice"),
        ("threshold = 2".to_owned(), "threshold = 4".to_owned(), "no such number of authorities"),
    ] {
        let refused = draft(&sets.replace(&from, &to)).unwrap_err();
        assert!(refused.contains("actions[1].set_authorities") && refused.contains(problem), "{refused}");
    }
    let place = |action: &str| sets.find(&format!("[[actions]]\n[actions.{action}]")).unwrap();
    let authorities = &sets[place("set_authorities")..place("register_collector")];
    assert!(draft(&format!("{authorities}{authorities}")).unwrap_err().contains("replaces the authorities twice"));
}
