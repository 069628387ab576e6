//! Governance messages: sequence, expiry, signatures; taken whole or not at all.

use super::ledger::{Ledger, T, genesis, register_unit, validator_set};
use crate::block::Item;
use crate::entry::Entry;
use crate::genesis::{Genesis, GenesisError};
use crate::governance::{Action, AttachItems, CodeName, Governance, RegisterKind, SignedGovernance};
use crate::ids::{Height, UnixMillis};
use crate::limits::{ENTRY_BYTES_MAX, GOVERNANCE_VALID_HEIGHTS_MAX};
use crate::state::tables::{GovernanceState, META_GOVERNANCE, Table};
use crate::state::{
    ActionRefusal, ApplyError, BlockRefusal, Trial, followed_writes, genesis_effects, try_governance, would_execute,
};
use crate::suite::{ChainId, Signature, Signer};
use crate::testkit::{authorities, software_key};

const SEQUENCE: &str = "its sequence is not the next one";
const SIGNATURES: &str = "it is not signed by enough authorities";
const INVALID: &str = "an authority's signature is not valid";
const STRANGER: &str = "it is signed by a key that is no authority's";

fn kind(kind: u32) -> Action {
    Action::RegisterKind(RegisterKind::named(kind, "新"))
}

/// The third block of a ledger on which sequence 1 was taken.
fn check(what: &str, message: impl FnOnce(&Ledger) -> SignedGovernance, expected: Option<&'static str>) {
    let mut ledger = Ledger::new();
    ledger.govern(vec![kind(1)]);
    ledger.add(Vec::new()).unwrap();
    let signed = message(&ledger);
    let sequence = signed.governance.sequence;
    let result = ledger.execute(ledger.content(vec![Item::Governance(signed)]));
    let expected = expected.map(|problem| BlockRefusal::Governance { area: None, sequence, problem });
    assert_eq!(result.err(), expected, "{what}");
}

fn edited(edit: impl FnOnce(&mut Governance)) -> impl FnOnce(&Ledger) -> SignedGovernance {
    move |ledger| {
        let mut governance = ledger.unsigned(vec![kind(2)]);
        edit(&mut governance);
        ledger.signed(governance, &[0, 1])
    }
}

fn signers(signers: &'static [u32]) -> impl FnOnce(&Ledger) -> SignedGovernance {
    move |ledger| ledger.signed(ledger.unsigned(vec![kind(2)]), signers)
}

#[test]
fn sequence_and_expiry() {
    check("the next one", edited(|_| {}), None);
    for sequence in [0, 1, 3, u64::MAX] {
        check("sequence", edited(|governance| governance.sequence = sequence), Some(SEQUENCE));
    }
    check("expires now", edited(|governance| governance.expiry = Height::new(3)), None);
    check("expired", edited(|governance| governance.expiry = Height::new(2)), Some("it has expired"));
    let farthest = 3 + GOVERNANCE_VALID_HEIGHTS_MAX;
    check("kept for later", edited(|governance| governance.expiry = Height::new(farthest)), None);
    for expiry in [farthest + 1, u64::MAX] {
        let far = Some("its expiry lies too far ahead");
        check("kept for ever", edited(|governance| governance.expiry = Height::new(expiry)), far);
    }
    check("expired at once", edited(|governance| governance.expiry = Height::ZERO), Some("it has expired"));
}

/// A liar says that the next sequence is another one, gets it signed, and plays it when its turn comes.
#[test]
fn a_message_follows_the_one_that_its_signers_knew_of() {
    let mut ledger = Ledger::new();
    let first = ledger.governance(vec![kind(1)]);
    assert_eq!(first.governance.previous, ledger.chain.id.0, "the first follows genesis");
    let mut early = ledger.unsigned(vec![kind(9)]);
    early.sequence = 2;
    let early = ledger.signed(early, &[0, 1]);
    let follows = |ledger: &Ledger, signed: &SignedGovernance| {
        ledger.execute(ledger.content(vec![Item::Governance(signed.clone())])).map(|_| ())
    };
    ledger.add(vec![Item::Governance(first.clone())]).unwrap();
    let problem = "it was signed to follow another message than the last one";
    assert_eq!(follows(&ledger, &early).unwrap_err(), BlockRefusal::Governance { area: None, sequence: 2, problem });
    // Two that are signed in advance, the second naming the first.
    let second = ledger.governance(vec![kind(2)]);
    assert_eq!(second.governance.previous, first.hash());
    let mut third = ledger.unsigned(vec![kind(3)]);
    (third.sequence, third.previous) = (3, second.hash());
    let third = ledger.signed(third, &[1, 2]);
    ledger.add(vec![Item::Governance(second), Item::Governance(third)]).unwrap();
}

#[test]
fn enough_distinct_authorities_and_no_bad_signature() {
    for good in [&[0, 1][..], &[0, 2], &[1, 2], &[0, 1, 2]] {
        check("threshold", signers(good), None);
    }
    for few in [&[][..], &[0], &[2]] {
        check("too few", signers(few), Some(SIGNATURES));
    }
    check("one twice", signers(&[0, 0]), Some(SIGNATURES));
    check("one twice, and another", signers(&[0, 1, 1]), Some(INVALID));
    let with = |edit: fn(&mut SignedGovernance)| {
        move |ledger: &Ledger| {
            let mut signed = ledger.signed(ledger.unsigned(vec![kind(2)]), &[0, 1]);
            edit(&mut signed);
            signed
        }
    };
    check("not ascending", with(|signed| signed.signatures.reverse()), Some(INVALID));
    check(
        "exchanged",
        with(|signed| {
            let [first, second] = [signed.signatures[0].1, signed.signatures[1].1];
            (signed.signatures[0].1, signed.signatures[1].1) = (second, first);
        }),
        Some(INVALID),
    );
    let third = |signed: &mut SignedGovernance| {
        signed.signatures.push((authorities()[2].public_key(), Signature([1; 64])));
        signed.signatures.sort_by_key(|(key, _)| *key);
    };
    check("one bad beside two good", with(third), Some(INVALID));
    let stranger = |signed: &mut SignedGovernance| signed.signatures[1].0 = software_key("a thief").public_key();
    check("no such authority", with(stranger), Some(STRANGER));
    let foreign = |ledger: &Ledger| {
        let keys = [software_key("a thief"), software_key("another")];
        let [first, second] = keys.each_ref().map(|key| key as &dyn Signer);
        SignedGovernance::sign(ledger.unsigned(vec![kind(2)]), ledger.chain.id, &[first, second])
    };
    check("foreign keys", foreign, Some(STRANGER));
    let other_chain = |ledger: &Ledger| {
        let keys = authorities();
        let [first, second, _] = keys.each_ref().map(|key| key as &dyn Signer);
        let chain = ChainId(crate::hash::sha256(&[b"another chain"]));
        SignedGovernance::sign(ledger.unsigned(vec![kind(2)]), chain, &[first, second])
    };
    check("another chain", other_chain, Some(INVALID));
}

#[test]
fn a_message_applies_whole_or_not_at_all() {
    let mut ledger = Ledger::new();
    let root = (ledger.tip(), Table::ALL.map(|table| ledger.state.row_count(table)));
    let bad = ledger.governance(vec![kind(1), Action::RegisterUnit(register_unit(9, &[1, 3])), kind(3)]);
    let problem = "the unit's kind is not registered";
    let refusal = BlockRefusal::Governance { area: None, sequence: 1, problem };
    assert_eq!(ledger.add(vec![Item::Governance(bad.clone())]).unwrap_err(), refusal);
    let (height, time) = (Height::new(1), UnixMillis::new(T + 1));
    assert_eq!(would_execute(&ledger.state, &ledger.chain, &bad, height, time), Err(refusal.into()));
    assert_eq!((ledger.tip(), Table::ALL.map(|table| ledger.state.row_count(table))), root);
    // Its sequence is not spent.
    ledger.govern(vec![kind(1), kind(3), Action::RegisterUnit(register_unit(9, &[1, 3]))]);
    let last = GovernanceState::decode(&ledger.get(Table::Meta, META_GOVERNANCE).unwrap()).unwrap();
    assert_eq!(last.sequence, 1);
}

#[test]
fn followers_of_the_log_write_what_the_block_wrote() {
    let ledger = Ledger::new();
    let governance = ledger.governance(vec![kind(1), Action::RegisterUnit(register_unit(9, &[1]))]);
    let effects = ledger.execute(ledger.content(vec![Item::Governance(governance)])).unwrap();
    let Ok(Entry::Governance(entry)) = Entry::decode(&effects.entries[0]) else { panic!("a governance entry") };
    let (height, time) = (effects.tip.height, effects.tip.time);
    let writes = followed_writes(&ledger.state, &ledger.chain, &entry, height, time).unwrap();
    assert_eq!(writes.len(), 4, "kind, unit, unit code, sequence");
    for (key, value) in writes {
        assert_eq!(effects.writes.get(&key), Some(&value));
    }
}

#[test]
fn signers_are_strictly_ascending_on_the_wire() {
    let ledger = Ledger::new();
    for (signers, good) in [(&[0, 1][..], true), (&[0, 0], false), (&[], true)] {
        let signed = ledger.signed(ledger.unsigned(vec![kind(2)]), signers);
        assert_eq!(SignedGovernance::decode(&signed.encode()).is_ok(), good, "{signers:?}");
    }
    let mut reversed = ledger.governance(vec![kind(2)]);
    reversed.signatures.reverse();
    assert!(SignedGovernance::decode(&reversed.encode()).is_err());
    let mut lacking = ledger.governance(vec![kind(2)]).encode();
    lacking.truncate(lacking.len() - 66);
    assert!(SignedGovernance::decode(&lacking).is_err(), "two signers, one signature");
}

#[test]
fn genesis_files_are_sound() {
    let refused = |edit: fn(&mut Genesis)| {
        let mut genesis = genesis();
        edit(&mut genesis);
        assert!(Genesis::decode(&genesis.encode()).is_err(), "{genesis:?}");
    };
    let good = genesis();
    assert_eq!(Genesis::decode(&good.encode()).as_ref(), Ok(&good));
    refused(|genesis| genesis.authority_threshold = 0);
    refused(|genesis| genesis.authority_threshold = 4);
    refused(|genesis| genesis.authorities.clear());
    refused(|genesis| genesis.authorities[1] = genesis.authorities[0]);
    refused(|genesis| genesis.authorities[1].0 = [0; 32]);
    refused(|genesis| genesis.chain_name.clear());
    refused(|genesis| genesis.origin.push(' '));
    refused(|genesis| genesis.origin.push('+'));
    refused(|genesis| genesis.utc_offset_minutes = 841);
    assert_ne!(Genesis { chain_name: "other".to_owned(), ..good.clone() }.chain_id(), good.chain_id());
    let mut bad = good;
    bad.actions.push(Action::RegisterUnit(register_unit(9, &[1])));
    assert!(genesis_effects(&bad).is_err());
}

#[test]
fn log_keys_of_genesis_are_told_apart_by_their_ids() {
    let twins = Genesis { validators: validator_set([1, 51_656, 96_965]), ..genesis() };
    let refused = Genesis::decode(&twins.encode()).unwrap_err().to_string();
    assert!(refused.contains("51656 and 96965"), "{refused}");
    let elsewhere = Genesis { origin: "ledger.example/other".to_owned(), ..twins };
    Genesis::decode(&elsewhere.encode()).unwrap();
}

/// An entry above the limit could not be read by anybody who follows the log: leaf 0 of the chain.
#[test]
fn an_action_of_genesis_fits_into_an_entry_or_is_split() {
    let items = |codes: std::ops::Range<usize>, adds| {
        let items = codes.map(|code| CodeName { code: format!("{code:06}"), name: "字".repeat(30) }).collect();
        Action::AttachItems(AttachItems { unit_id: 1, kind: 990_601, items, adds })
    };
    let with = |actions: Vec<Action>| {
        let mut genesis = genesis();
        genesis.actions.extend(actions);
        genesis
    };
    let first = genesis().actions.len();
    let large = with(vec![items(0..500, false), items(0..700, false)]);
    assert_eq!(Genesis::decode(&large.encode()), Err(GenesisError::Entry(first + 1)));
    assert!(GenesisError::Entry(first + 1).to_string().contains("split it"));
    assert!(matches!(genesis_effects(&large), Err(ApplyError::Refused(BlockRefusal::Entry))));

    let split = with(vec![items(0..500, false), items(500..700, true)]);
    assert_eq!(Genesis::decode(&split.encode()).as_ref(), Ok(&split));
    let effects = genesis_effects(&split).unwrap();
    for entry in &effects.entries {
        assert!(entry.len() <= ENTRY_BYTES_MAX);
        Entry::decode(entry).unwrap();
    }
    let row = effects.writes.iter().find(|((table, _), _)| *table == Table::Items).unwrap().1.clone().unwrap();
    let row: AttachItems = prost::Message::decode(row.as_slice()).unwrap();
    assert_eq!((row.items.len(), row.adds), (700, false));
}

/// A trial says of each message what the block says that carries it, of the place and of the actions apart.
#[test]
fn a_trial_foretells_the_block() {
    let mut ledger = Ledger::new();
    ledger.govern(vec![kind(1)]);
    ledger.add(Vec::new()).unwrap();
    let (height, time) = (Height::new(3), UnixMillis::new(ledger.tip().time.get() + 1));
    let bad = || vec![kind(2), Action::RegisterUnit(register_unit(9, &[1, 77])), kind(3)];
    let refused = ActionRefusal { index: 1, problem: "the unit's kind is not registered" };
    let at = |edit: fn(&mut Governance), actions| {
        let mut message = ledger.unsigned(actions);
        edit(&mut message);
        message
    };
    for (name, message, place_problem, refusal) in [
        ("good", at(|_| {}, vec![kind(2)]), None, None),
        ("a bad action", at(|_| {}, bad()), None, Some(refused)),
        ("the one after the next", at(|message| message.sequence = 3, vec![kind(2)]), Some(SEQUENCE), None),
        ("and a bad action", at(|message| message.sequence = 3, bad()), Some(SEQUENCE), Some(refused)),
        ("expired", at(|message| message.expiry = Height::new(2), vec![kind(2)]), Some("it has expired"), None),
    ] {
        let Trial { place_problem: place, actions } =
            try_governance(&ledger.state, &ledger.chain, &message, height, time).unwrap();
        assert_eq!((place, actions.as_ref().err()), (place_problem, refusal.as_ref()), "{name}");
        let sequence = message.sequence;
        let signed = ledger.signed(message, &[0, 1]);
        match (ledger.execute(ledger.content(vec![Item::Governance(signed)])), place.or(refusal.map(|r| r.problem))) {
            (Ok(effects), None) => {
                for (row, value) in actions.unwrap() {
                    assert_eq!(effects.writes.get(&row), Some(&value), "{name}");
                }
            }
            (Err(given), Some(problem)) => {
                assert_eq!(given, BlockRefusal::Governance { area: None, sequence, problem }, "{name}");
            }
            (given, foretold) => panic!("{name}: {foretold:?} was foretold, and the block says {given:?}"),
        }
    }
}
