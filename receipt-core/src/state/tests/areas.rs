//! Authorities of areas: what their messages may touch, what they may not, and that nobody's order of messages depends on theirs.
//!
//! ```text
//! chain   authority-0 1 2 (2 sign)      990000 province (1)      990100 city-1 2 3 (2 sign)      990106 district (1)     990108 other (1)
//! unit    1 2 of 990100     3 of 990106, key 103, system 3, segment 31 closed     4 of 990108, key 104, system 4, segment 41 closed
//! ```

use super::ledger::{HOUR_MS, Ledger, register_key, register_unit, segment, validator_set};
use crate::area::Area;
use crate::authorities::AuthoritySet;
use crate::block::Item;
use crate::governance::{
    Action, AttachItems, CloseSegment, FenceIssuer, Governance, Grant, KeyOwner, NumberRange, RegisterBlinding,
    RegisterCollector, RegisterIssuer, RegisterKind, RegisterSystem, RegisterUnit, RevokeKey, SetAreaAuthorities,
    SetValidators, SettleSegment, SignedGovernance, WithdrawBlinding,
};
use crate::hash::Hash;
use crate::ids::{Height, UnixMillis};
use crate::limits::REVOCATION_GRACE_MS;
use crate::state::tables::{AreaState, GovernanceState, Table, UnitState, is_of_registry};
use crate::state::{BlockRefusal, Scope, read_scope, try_governance};
use crate::suite::{PublicKey, Signer, SoftwareKey};
use crate::testkit::{software_key, unit_key};

const CITY: u32 = 990_100;
const DISTRICT: u32 = 990_106;
const OTHER: u32 = 990_108;
const BEYOND: &str = "it reaches beyond the area whose authorities sign";
const FEW: &str = "it is not signed by enough authorities";
const STRANGER: &str = "it is signed by a key that is no authority's";
const NOT_ALL: &str = "it is not signed by every new authority";
const HELD: &str = "a new authority's key is of another role, or was an authority's before";
const NONE: &str = "its area has no authorities of its own";

fn area(code: u32) -> Area {
    Area::new(code).unwrap()
}

fn public(name: &str) -> PublicKey {
    software_key(name).public_key()
}

fn set(names: &[&str], threshold: u32) -> AuthoritySet {
    AuthoritySet { keys: names.iter().map(|name| public(name)).collect(), threshold }
}

fn name(code: u32, names: &[&str], threshold: u32) -> Action {
    Action::SetAreaAuthorities(SetAreaAuthorities { area: area(code), set: set(names, threshold) })
}

/// The next message of an area (0: of the chain), signed by these.
fn message(ledger: &Ledger, code: u32, actions: Vec<Action>, signers: &[&str]) -> SignedGovernance {
    let scope = read_scope(&ledger.state, Area::new(code)).unwrap();
    let last = scope.map_or(GovernanceState { sequence: 0, id: Hash([0; 32]) }, |scope| scope.last);
    let governance = Governance {
        area: Area::new(code),
        sequence: last.sequence + 1,
        previous: last.id,
        ..ledger.unsigned(actions)
    };
    sign(ledger, governance, signers)
}

fn sign(ledger: &Ledger, governance: Governance, signers: &[&str]) -> SignedGovernance {
    let keys: Vec<SoftwareKey> = signers.iter().map(|name| software_key(name)).collect();
    let keys: Vec<&dyn Signer> = keys.iter().map(|key| key as &dyn Signer).collect();
    SignedGovernance::sign(governance, ledger.chain.id, &keys)
}

fn judged(ledger: &Ledger, message: SignedGovernance) -> Result<(), &'static str> {
    match ledger.execute(ledger.content(vec![Item::Governance(message)])) {
        Ok(_) => Ok(()),
        Err(BlockRefusal::Governance { problem, .. }) => Err(problem),
        Err(other) => panic!("{other}"),
    }
}

fn take(ledger: &mut Ledger, message: SignedGovernance) {
    ledger.add(vec![Item::Governance(message)]).unwrap();
}

const CHAIN: [&str; 2] = ["authority-0", "authority-1"];

fn of_area(unit_id: u32, code: u32) -> RegisterUnit {
    RegisterUnit { supervisor_area_code: format!("{code:06}"), ..register_unit(unit_id, &[990_601]) }
}

fn system(system_id: u32, units: &[u32]) -> Action {
    let grants = units.iter().map(|unit_id| Grant { unit_id: *unit_id, places: Vec::new() }).collect();
    Action::RegisterSystem(RegisterSystem { system_id, name: "HIS".to_owned(), grants })
}

fn collector(collector_id: u32, units: &[u32], area: u32) -> Action {
    Action::RegisterCollector(RegisterCollector {
        collector_id,
        name: "银行".to_owned(),
        unit_ids: units.to_vec(),
        area,
        daily_cap_fen: 100_000_000,
        suspended_from_ms: 0,
    })
}

fn close(segment_id: u32) -> Action {
    Action::CloseSegment(CloseSegment { segment_id })
}

/// See above.
fn governed() -> Ledger {
    let mut ledger = Ledger::new();
    let key = |id, unit, name: &str| Action::RegisterKey(register_key(id, KeyOwner::Unit, unit, public(name)));
    let actions = vec![
        name(990_000, &["province"], 1),
        name(CITY, &["city-1", "city-2", "city-3"], 2),
        name(DISTRICT, &["district"], 1),
        name(OTHER, &["other"], 1),
        Action::RegisterUnit(of_area(3, DISTRICT)),
        Action::RegisterUnit(of_area(4, OTHER)),
        key(103, 3, "unit-of-district"),
        key(104, 4, "unit-of-other"),
        system(3, &[3]),
        system(4, &[4]),
        system(5, &[3, 4]),
        system(6, &[]),
        collector(2, &[], CITY),
        collector(3, &[3], 0),
        collector(4, &[4], 0),
        Action::AllocateSegment(segment(31, 3, 1, 50_001, 50_100)),
        Action::AllocateSegment(segment(41, 4, 1, 50_101, 50_200)),
        Action::AllocateSegment(segment(32, 3, 1, 50_201, 50_300)),
        Action::AllocateSegment(segment(42, 4, 1, 50_301, 50_400)),
        close(31),
        close(41),
    ];
    let named = ["province", "city-1", "city-2", "city-3", "district", "other"];
    let signed = message(&ledger, 0, actions, &[&CHAIN[..], &named].concat());
    take(&mut ledger, signed);
    ledger.time += REVOCATION_GRACE_MS + HOUR_MS;
    ledger
}

/// Whether the ledger takes the action from the district.
fn check_of_district(ledger: &Ledger, what: &str, action: Action, expected: Result<(), &'static str>) {
    let signed = message(ledger, DISTRICT, vec![action.clone()], &["district"]);
    assert_eq!(judged(ledger, signed), expected, "{what}");
    // Tried before it is signed it is judged alike, and whoever follows governance alone comes to the same.
    let unsigned = message(ledger, DISTRICT, vec![action], &[]).governance;
    let trial = try_governance(&ledger.state, &ledger.chain, &unsigned, Height::new(2), UnixMillis::new(ledger.time));
    assert_eq!(trial.unwrap().actions.map(drop).map_err(|refused| refused.problem), expected, "{what}");
}

/// What the district may not do, and what it may do right beside it. One row for every kind of action.
#[test]
fn a_district_changes_units_keys_and_systems_that_lie_in_it_and_no_others() {
    let ledger = governed();
    let unit = |unit: RegisterUnit| Action::RegisterUnit(unit);
    let key = |id, owner, owner_id| Action::RegisterKey(register_key(id, owner, owner_id, public("a new key")));
    let revoke = |key_id| Action::RevokeKey(RevokeKey { key_id, revoked_from_ms: ledger.time });
    for (what, action, expected) in [
        ("a new unit of its own", unit(of_area(9, DISTRICT)), Ok(())),
        ("a new unit of its neighbour", unit(of_area(9, OTHER)), Err(BEYOND)),
        ("a new unit of the city", unit(of_area(9, CITY)), Err(BEYOND)),
        ("its own unit, suspended", unit(RegisterUnit { suspended_from_ms: 7, ..of_area(3, DISTRICT) }), Ok(())),
        ("its own unit, given away", unit(of_area(3, OTHER)), Err(BEYOND)),
        ("its own unit, given to the city", unit(of_area(3, CITY)), Err(BEYOND)),
        ("its neighbour's unit, taken", unit(of_area(4, DISTRICT)), Err(BEYOND)),
        (
            "its neighbour's unit, suspended",
            unit(RegisterUnit { suspended_from_ms: 7, ..of_area(4, OTHER) }),
            Err(BEYOND),
        ),
        (
            "a unit of the city, taken",
            unit(RegisterUnit { supervisor_area_code: "990106".to_owned(), ..register_unit(2, &[]) }),
            Err(BEYOND),
        ),
        (
            "an area in other digits",
            unit(RegisterUnit { supervisor_area_code: "９９０１０６".to_owned(), ..of_area(9, DISTRICT) }),
            Err(BEYOND),
        ),
        ("a key of its own unit", key(903, KeyOwner::Unit, 3), Ok(())),
        ("a key of its neighbour's unit", key(903, KeyOwner::Unit, 4), Err(BEYOND)),
        ("a key of an issuer", key(903, KeyOwner::Issuer, 1), Err(BEYOND)),
        ("a key of an unknown unit", key(903, KeyOwner::Unit, 77), Err("the key's owner is not registered")),
        ("its own unit's key is revoked", revoke(103), Ok(())),
        ("its neighbour's", revoke(104), Err(BEYOND)),
        ("a unit of the city's", revoke(101), Err(BEYOND)),
        ("an issuer's", revoke(1), Err(BEYOND)),
        ("a key that there is not", revoke(999), Err("the key is not registered")),
        ("a system for its own unit", system(9, &[3]), Ok(())),
        ("a system for its neighbour's, too", system(9, &[3, 4]), Err(BEYOND)),
        ("a system for nobody", system(9, &[]), Err(BEYOND)),
        ("its own system", system(3, &[3]), Ok(())),
        ("its own system, for nobody", system(3, &[]), Err(BEYOND)),
        ("its neighbour's system, taken", system(4, &[3]), Err(BEYOND)),
        ("a system of both, less the neighbour's unit", system(5, &[3]), Err(BEYOND)),
        ("a system that may act for nobody, taken", system(6, &[3]), Err(BEYOND)),
    ] {
        check_of_district(&ledger, what, action, expected);
    }
}

/// The same of all other kinds.
#[test]
fn a_district_changes_segments_items_and_collectors_that_lie_in_it_and_nothing_that_is_everybodys() {
    let ledger = governed();
    let settle = |segment_id, first, last| {
        Action::SettleSegment(SettleSegment { segment_id, void: vec![NumberRange { first, last }], lost: Vec::new() })
    };
    let items = |unit_id| Action::AttachItems(AttachItems { unit_id, kind: 990_601, items: Vec::new(), adds: false });
    let lease = |id, unit| Action::AllocateSegment(segment(id, unit, 1, 60_001, 60_010));
    let validators = SetValidators { effective_height: 1_000, validators: validator_set(1..=5) };
    for (what, action, expected) in [
        ("its own segment is closed", close(32), Ok(())),
        ("its neighbour's", close(42), Err(BEYOND)),
        ("the city's", close(11), Err(BEYOND)),
        ("its own segment is settled", settle(31, 50_001, 50_100), Ok(())),
        ("its neighbour's segment is settled", settle(41, 50_101, 50_200), Err(BEYOND)),
        ("items of its own unit", items(3), Ok(())),
        ("items of its neighbour's", items(4), Err(BEYOND)),
        ("a collector for its own unit", collector(9, &[3], 0), Ok(())),
        ("a collector for the district", collector(9, &[], DISTRICT), Ok(())),
        ("a collector for its neighbour's unit, too", collector(9, &[3, 4], 0), Err(BEYOND)),
        ("a collector for the city", collector(9, &[], CITY), Err(BEYOND)),
        ("its own collector", collector(3, &[3], 0), Ok(())),
        ("the city's collector, taken", collector(2, &[3], 0), Err(BEYOND)),
        ("its neighbour's collector, taken", collector(4, &[3], 0), Err(BEYOND)),
        ("a collector of an unknown unit", collector(9, &[77], 0), Err("a unit of the collector is not registered")),
        // Numbers of a code are everybody's: whoever takes the last has them all.
        ("numbers for its own unit", lease(91, 3), Err(BEYOND)),
        ("an issuer", Action::RegisterIssuer(RegisterIssuer::of_receipts(9, "nine")), Err(BEYOND)),
        (
            "an issuer's epoch",
            Action::FenceIssuer(FenceIssuer { issuer_id: 1, epoch: 2, journal: Vec::new() }),
            Err(BEYOND),
        ),
        ("a kind", Action::RegisterKind(RegisterKind::named(990_601, "门诊")), Err(BEYOND)),
        ("validators", Action::SetValidators(validators), Err(BEYOND)),
        (
            "a blinding secret",
            Action::RegisterBlinding(RegisterBlinding { epoch: 1, fingerprint: vec![1; 16] }),
            Err(BEYOND),
        ),
        ("a blinding secret, withdrawn", Action::WithdrawBlinding(WithdrawBlinding { epoch: 1 }), Err(BEYOND)),
    ] {
        check_of_district(&ledger, what, action, expected);
    }
}

/// Whoever stands above may all of it; beside each other and below they may not.
#[test]
fn those_above_an_area_act_in_it() {
    let ledger = governed();
    let suspend =
        |unit_id, code| vec![Action::RegisterUnit(RegisterUnit { suspended_from_ms: 7, ..of_area(unit_id, code) })];
    let moves = vec![Action::RegisterUnit(of_area(3, OTHER))];
    let both = [suspend(3, DISTRICT), suspend(4, OTHER)].concat();
    let city = ["city-1", "city-3"];
    for (what, code, actions, signers, expected) in [
        ("the chain", 0, suspend(3, DISTRICT), &CHAIN[..], Ok(())),
        ("the province", 990_000, suspend(3, DISTRICT), &["province"], Ok(())),
        ("the city", CITY, suspend(3, DISTRICT), &city, Ok(())),
        ("the city, in two districts at once", CITY, both.clone(), &city, Ok(())),
        ("the district, in two", DISTRICT, both, &["district"], Err(BEYOND)),
        ("the city moves a unit from one district to the other", CITY, moves.clone(), &city, Ok(())),
        ("the chain does", 0, moves, &CHAIN, Ok(())),
        ("the city gives a system two districts", CITY, vec![system(4, &[3, 4])], &city, Ok(())),
        ("the neighbour", OTHER, suspend(3, DISTRICT), &["other"], Err(BEYOND)),
        ("the city, signed by too few", CITY, suspend(3, DISTRICT), &["city-1"], Err(FEW)),
        ("the city, signed by the district", CITY, suspend(3, DISTRICT), &["district"], Err(STRANGER)),
        (
            "the city, with the district's signature beside",
            CITY,
            suspend(3, DISTRICT),
            &["city-1", "city-2", "district"],
            Err(STRANGER),
        ),
        ("the district, signed by the city", DISTRICT, suspend(3, DISTRICT), &["city-1", "city-2"], Err(STRANGER)),
        ("the district, signed by the chain's", DISTRICT, suspend(3, DISTRICT), &CHAIN, Err(STRANGER)),
        ("the chain, signed by the city", 0, suspend(3, DISTRICT), &["city-1", "city-2"], Err(STRANGER)),
        ("an area without authorities", 990_107, suspend(3, DISTRICT), &["district"], Err(NONE)),
    ] {
        let signed = message(&ledger, code, actions, signers);
        assert_eq!(judged(&ledger, signed), expected, "{what}");
    }
    // By its own signatures a message is another area's by no change of its bytes.
    let mut forged = message(&ledger, DISTRICT, suspend(3, DISTRICT), &["district"]);
    let wide = Governance { area: Some(area(CITY)), ..forged.governance.clone() };
    (forged.governance_bytes, forged.governance) = (wide.encode(), wide);
    assert_eq!(judged(&ledger, forged), Err(STRANGER));
}

fn with<'a>(signers: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [signers, more].concat()
}

/// An area is never named by itself, and not by whoever stands beside or below it.
#[test]
fn authorities_of_an_area_are_named_by_those_above_it() {
    let ledger = governed();
    let city = ["city-1", "city-2"];
    for (what, code, action, signers, expected) in [
        ("the city names a district's", CITY, name(DISTRICT, &["new"], 1), with(&city, &["new"]), Ok(())),
        ("the city names those of a new area", CITY, name(990_107, &["new"], 1), with(&city, &["new"]), Ok(())),
        ("the chain does", 0, name(DISTRICT, &["new"], 1), with(&CHAIN, &["new"]), Ok(())),
        ("one that is named has not signed", CITY, name(DISTRICT, &["new"], 1), with(&city, &[]), Err(NOT_ALL)),
        ("one that stays has not", CITY, name(DISTRICT, &["district", "new"], 2), with(&city, &["new"]), Err(NOT_ALL)),
        ("and all have", CITY, name(DISTRICT, &["district", "new"], 2), with(&city, &["new", "district"]), Ok(())),
        ("the city takes them away", CITY, name(DISTRICT, &[], 0), with(&city, &[]), Ok(())),
        (
            "of an area that has none",
            CITY,
            name(990_107, &[], 0),
            with(&city, &[]),
            Err("these are the area's authorities already"),
        ),
        (
            "the district names itself",
            DISTRICT,
            name(DISTRICT, &["new"], 1),
            with(&["district"], &["new"]),
            Err(BEYOND),
        ),
        (
            "the district asks for fewer signatures",
            DISTRICT,
            name(DISTRICT, &["district"], 1),
            with(&["district"], &[]),
            Err(BEYOND),
        ),
        (
            "the district names its neighbour's",
            DISTRICT,
            name(OTHER, &["new"], 1),
            with(&["district"], &["new"]),
            Err(BEYOND),
        ),
        (
            "the district names the city's",
            DISTRICT,
            name(CITY, &["district"], 1),
            with(&["district"], &[]),
            Err(BEYOND),
        ),
        ("the city names itself", CITY, name(CITY, &city, 1), with(&city, &[]), Err(BEYOND)),
        ("the city names another city's", CITY, name(990_200, &["new"], 1), with(&city, &["new"]), Err(BEYOND)),
    ] {
        let signed = message(&ledger, code, vec![action], &signers);
        assert_eq!(judged(&ledger, signed), expected, "{what}");
    }
}

/// Sets that can govern, of keys that are nobody else's.
#[test]
fn authorities_of_an_area_are_a_set_of_their_own() {
    let ledger = governed();
    let many: Vec<String> = (0..65).map(|number| format!("many-{number}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    for (what, code, action, signers, expected) in [
        (
            "as they are",
            0,
            name(DISTRICT, &["district"], 1),
            with(&CHAIN, &["district"]),
            Err("these are the area's authorities already"),
        ),
        (
            "nobody needs to sign",
            0,
            name(DISTRICT, &["new"], 0),
            with(&CHAIN, &["new"]),
            Err("no such number of authorities"),
        ),
        (
            "nobody, and one must sign",
            0,
            name(DISTRICT, &[], 1),
            with(&CHAIN, &[]),
            Err("no such number of authorities"),
        ),
        ("one twice", 0, name(DISTRICT, &["new", "new"], 1), with(&CHAIN, &["new"]), Err("an authority stands twice")),
        ("too many", 0, name(DISTRICT, &many, 1), with(&CHAIN, &many), Err("there are too many authorities")),
        (
            "a key of the chain's authorities",
            0,
            name(DISTRICT, &["authority-2"], 1),
            with(&CHAIN, &["authority-2"]),
            Err(HELD),
        ),
        ("a key of the city's", 0, name(DISTRICT, &["city-3"], 1), with(&CHAIN, &["city-3"]), Err(HELD)),
        ("a unit's key", 0, name(DISTRICT, &["unit-of-other"], 1), with(&CHAIN, &["unit-of-other"]), Err(HELD)),
    ] {
        let signed = message(&ledger, code, vec![action], &signers);
        assert_eq!(judged(&ledger, signed), expected, "{what}");
    }
    // The chain takes no key of an area's, and nobody registers one.
    let chains = AuthoritySet { keys: vec![public("authority-0"), public("district")], threshold: 1 };
    let signed = message(&ledger, 0, vec![Action::SetAuthorities(chains)], &with(&CHAIN, &["district"]));
    assert_eq!(judged(&ledger, signed), Err(HELD));
    let key = Action::RegisterKey(register_key(905, KeyOwner::Unit, 3, public("district")));
    let signed = message(&ledger, DISTRICT, vec![key], &["district"]);
    assert_eq!(judged(&ledger, signed), Err("the key is somebody else's, or of another role"));
    // Nobody reads a message of an area that replaces the chain's authorities: who follows them asks for no area.
    let set = Action::SetAuthorities(set(&["new"], 1));
    let bad = message(&ledger, DISTRICT, vec![set], &["district"]).governance;
    assert!(Governance::decode(&bad.encode()).is_err());
}

/// An area that makes one message after the other keeps nobody from theirs.
#[test]
fn each_area_has_an_order_of_messages_of_its_own() {
    let mut ledger = governed();
    let own = |ledger: &Ledger| read_scope(&ledger.state, None).unwrap().unwrap().last;
    let before = own(&ledger);
    let items =
        |unit_id| vec![Action::AttachItems(AttachItems { unit_id, kind: 990_601, items: Vec::new(), adds: false })];
    // Signed before the others, and taken after them, in one block with one of another area.
    let of_the_chain = message(&ledger, 0, items(1), &CHAIN);
    let of_the_neighbour = message(&ledger, OTHER, items(4), &["other"]);
    for sequence in 1..=3 {
        let next = message(&ledger, DISTRICT, items(3), &["district"]);
        assert_eq!(next.governance.sequence, sequence);
        take(&mut ledger, next);
    }
    assert_eq!(own(&ledger), before);
    ledger.add(vec![Item::Governance(of_the_chain.clone()), Item::Governance(of_the_neighbour)]).unwrap();
    assert_eq!(own(&ledger), GovernanceState { sequence: 2, id: of_the_chain.hash() });
    let Scope { last, authorities } = read_scope(&ledger.state, Area::new(DISTRICT)).unwrap().unwrap();
    assert_eq!((last.sequence, authorities), (3, set(&["district"], 1)));
    // No message twice, none of a place that is not the next one.
    let good = message(&ledger, DISTRICT, items(3), &["district"]).governance;
    for (what, bad, problem) in [
        ("its sequence again", Governance { sequence: 3, ..good.clone() }, "its sequence is not the next one"),
        ("a gap", Governance { sequence: 5, ..good.clone() }, "its sequence is not the next one"),
        (
            "the chain's last message",
            Governance { previous: of_the_chain.hash(), ..good.clone() },
            "it was signed to follow another message than the last one",
        ),
    ] {
        assert_eq!(judged(&ledger, sign(&ledger, bad, &["district"])), Err(problem), "{what}");
    }
    // Those who come next go on in the same order; what their predecessors signed in advance is worth nothing.
    let in_advance = sign(&ledger, good, &["district"]);
    let replaced = message(&ledger, CITY, vec![name(DISTRICT, &["new"], 1)], &["city-1", "city-2", "new"]);
    take(&mut ledger, replaced);
    assert_eq!(judged(&ledger, in_advance), Err(STRANGER));
    let next = message(&ledger, DISTRICT, items(3), &["new"]);
    assert_eq!(next.governance.sequence, 4);
    take(&mut ledger, next);
    // Taken away, an area has nobody, its order stays, and a key that left does not come back.
    let away = message(&ledger, 0, vec![name(DISTRICT, &[], 0)], &CHAIN);
    take(&mut ledger, away);
    assert_eq!(read_scope(&ledger.state, Area::new(DISTRICT)).unwrap(), None);
    assert_eq!(judged(&ledger, message(&ledger, DISTRICT, items(3), &["new"])), Err(NONE));
    let state: AreaState = ledger.message(Table::Areas, DISTRICT);
    assert_eq!((state.sequence, state.keys.len(), state.threshold), (4, 0, 0));
    let back = message(&ledger, 0, vec![name(DISTRICT, &["district"], 1)], &[&CHAIN[..], &["district"]].concat());
    assert_eq!(judged(&ledger, back), Err(HELD));
    assert!(is_of_registry(Table::Areas, &DISTRICT.to_be_bytes()));
}

/// In one block, and in one message: each action sees what those before it left.
#[test]
fn a_change_of_authorities_counts_from_the_next_message_on() {
    let mut ledger = governed();
    let suspend = || vec![Action::RegisterUnit(RegisterUnit { suspended_from_ms: 7, ..of_area(3, DISTRICT) })];
    let change = message(&ledger, CITY, vec![name(DISTRICT, &["new"], 1)], &["city-1", "city-2", "new"]);
    for (signer, taken) in [("new", true), ("district", false)] {
        let next = message(&ledger, DISTRICT, suspend(), &[signer]);
        let block = ledger.content(vec![Item::Governance(change.clone()), Item::Governance(next)]);
        assert_eq!(ledger.execute(block).is_ok(), taken, "{signer}");
    }
    // The unit that a message registers is the area's for what follows in it.
    let key = register_key(909, KeyOwner::Unit, 9, unit_key(9).public_key());
    let whole = vec![Action::RegisterUnit(of_area(9, DISTRICT)), Action::RegisterKey(key), system(9, &[9])];
    let signed = message(&ledger, DISTRICT, whole, &["district"]);
    take(&mut ledger, signed);
    let state: UnitState = ledger.message(Table::Units, 9);
    assert_eq!(state.unit.supervisor_area_code, "990106");
}
