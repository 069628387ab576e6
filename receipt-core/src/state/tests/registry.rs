//! Governance actions, one row per refusal.

use super::draft::blue;
use super::ledger::{CODE, Ledger, T, issuer_signer, register_key, register_unit, segment, validator_set};
use crate::block::Item;
use crate::entry::RecordRefusal;
use crate::governance::{
    Action, AllocateSegment, AttachItems, CloseSegment, CodeName, FenceIssuer, Grant, KeyOwner, Opens,
    RegisterCollector, RegisterIssuer, RegisterKey, RegisterKind, RegisterSystem, RegisterUnit, RevokeKey,
    SetValidators,
};
use crate::ids::{Height, UnixMillis, ValidatorId};
use crate::limits::{LEDGER_UNHEARD_MS_MAX, REVOCATION_GRACE_MS};
use crate::reason::Reason;
use crate::record::status_key;
use crate::state::tables::{CollectorState, IssuerState, KeyState, RefusedState, SegmentState, Table, UnitState};
use crate::state::{BlockRefusal, read_pending_validators, read_validators};
use crate::suite::Signer;
use crate::testkit::{TestValidator, software_key};
use crate::validators::{Validator, ValidatorSet};

pub(super) fn check_on(ledger: &Ledger, action: Action, expected: Result<(), &'static str>) {
    let governance = ledger.governance(vec![action.clone()]);
    let sequence = governance.governance.sequence;
    let result = ledger.execute(ledger.content(vec![Item::Governance(governance)])).map(drop);
    let expected = expected.map_err(|problem| BlockRefusal::Governance { area: None, sequence, problem });
    assert_eq!(result, expected, "{action:?}");
}

fn check(action: Action, expected: Result<(), &'static str>) {
    check_on(&Ledger::new(), action, expected);
}

#[test]
fn register_units() {
    let unit = |edit: fn(&mut RegisterUnit), expected| {
        let mut unit = register_unit(3, &[990_601, 990_603]);
        edit(&mut unit);
        check(Action::RegisterUnit(unit), expected);
    };
    const LENGTH: Result<(), &str> = Err("a unit code has 18 characters");
    const ORDER: Result<(), &str> = Err("kinds must be strictly ascending");
    unit(|_| {}, Ok(()));
    unit(|unit| unit.kinds.clear(), Ok(()));
    unit(|unit| unit.unit_code.truncate(17), LENGTH);
    unit(|unit| unit.unit_code.push('0'), LENGTH);
    unit(|unit| unit.unit_code.replace_range(17.., "-"), LENGTH);
    unit(|unit| unit.unit_code = "字".repeat(6), LENGTH);
    unit(|unit| unit.kinds.reverse(), ORDER);
    unit(|unit| unit.kinds[1] = 990_601, ORDER);
    unit(|unit| unit.kinds.push(990_604), Err("the unit's kind is not registered"));
    unit(|unit| unit.unit_code = register_unit(2, &[]).unit_code, Err("the unit code belongs to another unit"));
    // Unit 1 again: renamed, and under another code.
    let renamed = RegisterUnit { name: "新名".to_owned(), ..register_unit(1, &[990_601]) };
    check(Action::RegisterUnit(renamed), Ok(()));
    let recoded = RegisterUnit { unit_code: register_unit(7, &[]).unit_code, ..register_unit(1, &[990_601]) };
    check(Action::RegisterUnit(recoded), Err("a registered unit keeps its unit code"));
}

#[test]
fn register_keys() {
    let key = |edit: fn(&mut RegisterKey), expected| {
        let mut key = register_key(5, KeyOwner::Unit, 1, software_key("new").public_key());
        edit(&mut key);
        check(Action::RegisterKey(key), expected);
    };
    const OWNER: Result<(), &str> = Err("the key's owner is not registered");
    const POINT: Result<(), &str> = Err("the public key is not canonical and torsion-free");
    const NEVER: Result<(), &str> = Err("the key is never valid");
    key(|_| {}, Ok(()));
    key(|key| key.key_id = 101, Err("the key id is used; key ids are never reused"));
    key(|key| key.suite = 0, Err("the key is of another suite than the chain"));
    key(|key| key.suite = 2, Err("the key is of another suite than the chain"));
    key(|key| key.owner_id = 3, OWNER);
    key(|key| (key.owner_kind, key.owner_id) = (2, 3), OWNER);
    key(|key| (key.owner_kind, key.owner_id) = (2, 2), Ok(()));
    key(|key| key.owner_kind = 0, OWNER);
    key(|key| key.owner_kind = 3, OWNER);
    key(|key| key.public_key.truncate(31), POINT);
    key(|key| key.public_key.push(0), POINT);
    key(|key| key.public_key = vec![0xFF; 32], POINT);
    key(|key| key.public_key = vec![0; 32], POINT);
    key(|key| key.valid_until_ms = T, NEVER);
    key(|key| key.valid_until_ms = T - 1, NEVER);
    key(|key| key.valid_until_ms = T + 1, Ok(()));
}

#[test]
fn revoke_keys() {
    const EARLIER: Result<(), &str> = Err("the key is revoked from that time or earlier already");
    let revoke = |key_id, revoked_from_ms| Action::RevokeKey(RevokeKey { key_id, revoked_from_ms });
    check(revoke(999, T), Err("the key is not registered"));
    check(revoke(101, 0), Err("a revocation names the first issue time it covers"));
    let mut ledger = Ledger::new();
    ledger.govern(vec![revoke(101, T + 5)]);
    check_on(&ledger, revoke(101, T + 5), EARLIER);
    check_on(&ledger, revoke(101, T + 6), EARLIER);
    let recorded = ledger.govern(vec![revoke(101, T + 4)]);
    let state: KeyState = ledger.message(Table::Keys, 101);
    assert_eq!((state.revoked_from_ms, state.revoked_at_ms), (T + 4, recorded));
    // A revoked key's id stays used.
    let again = register_key(101, KeyOwner::Unit, 1, software_key("new").public_key());
    check_on(&ledger, Action::RegisterKey(again), Err("the key id is used; key ids are never reused"));
}

#[test]
fn register_systems_and_attach_items() {
    let system = |units: &[u32]| {
        let grants = units.iter().map(|unit_id| Grant { unit_id: *unit_id, places: vec!["01".to_owned()] }).collect();
        Action::RegisterSystem(RegisterSystem { system_id: 1, name: "HIS".to_owned(), grants })
    };
    check(system(&[]), Ok(()));
    check(system(&[1, 2]), Ok(()));
    check(system(&[1, 3]), Err("a granted unit is not registered"));

    let items = |unit_id, kind, codes: &[&str]| {
        let items = codes.iter().map(|code| CodeName { code: (*code).to_owned(), name: "项目".to_owned() }).collect();
        Action::AttachItems(AttachItems { unit_id, kind, items, adds: false })
    };
    check(items(1, 990_601, &["A", "B"]), Ok(()));
    check(items(1, 990_601, &[]), Ok(()));
    check(items(3, 990_601, &[]), Err("the items' unit is not registered"));
    check(items(1, 990_604, &[]), Err("the items' kind is not registered"));
    check(items(1, 990_601, &["B", "A"]), Err("items must be strictly ascending by code"));
    check(items(1, 990_601, &["A", "A"]), Err("items must be strictly ascending by code"));
}

#[test]
fn items_are_replaced_or_added() {
    let attach = |adds, items: &[(&str, &str)]| {
        let items = items.iter().map(|(code, name)| CodeName { code: (*code).to_owned(), name: (*name).to_owned() });
        Action::AttachItems(AttachItems { unit_id: 1, kind: 990_601, items: items.collect(), adds })
    };
    let mut ledger = Ledger::new();
    type Items = &'static [(&'static str, &'static str)];
    let rows: [(bool, Items, Items); 5] = [
        (true, &[("B", "2"), ("D", "4")], &[("B", "2"), ("D", "4")]),
        (true, &[("A", "1"), ("C", "3"), ("D", "four")], &[("A", "1"), ("B", "2"), ("C", "3"), ("D", "four")]),
        (true, &[], &[("A", "1"), ("B", "2"), ("C", "3"), ("D", "four")]),
        (false, &[("E", "5")], &[("E", "5")]),
        (false, &[], &[]),
    ];
    for (adds, given, expected) in rows {
        ledger.govern(vec![attach(adds, given)]);
        let row = ledger.get(Table::Items, &crate::state::tables::pair_bytes(1, 990_601)).unwrap();
        let row: AttachItems = prost::Message::decode(row.as_slice()).unwrap();
        let items: Vec<_> = row.items.iter().map(|item| (item.code.as_str(), item.name.as_str())).collect();
        assert_eq!((items.as_slice(), row.adds), (expected, false));
    }
    check(attach(true, &[("B", "2"), ("A", "1")]), Err("items must be strictly ascending by code"));
}

#[test]
fn allocate_segments() {
    const KIND: Result<(), &str> = Err("the segment's receipt code is not of a registered kind");
    const RANGE: Result<(), &str> = Err("the segment's range is not valid");
    const OVERLAP: Result<(), &str> = Err("segments of a code are allocated in ascending order and never overlap");
    // Of CODE, 50,000 is the highest number allocated.
    let allocate = |edit: fn(&mut AllocateSegment), expected| {
        let mut segment = segment(15, 1, 1, 50_001, 60_000);
        edit(&mut segment);
        check(Action::AllocateSegment(segment), expected);
    };
    allocate(|_| {}, Ok(()));
    allocate(|segment| segment.segment_id = 11, Err("the segment id is used"));
    allocate(|segment| segment.unit_id = 3, Err("the segment's unit is not registered"));
    allocate(|segment| segment.issuer_id = 3, Err("the segment's issuer is not registered"));
    allocate(|segment| segment.receipt_code = 99_060_426, KIND);
    allocate(|segment| segment.receipt_code = CODE + 100_000_000, KIND);
    allocate(|segment| segment.first_number = 0, RANGE);
    allocate(|segment| segment.last_number = 50_000, RANGE);
    allocate(|segment| segment.last_number = 10_000_000_000, RANGE);
    allocate(|segment| segment.last_number = 9_999_999_999, Ok(()));
    allocate(|segment| segment.last_number = 50_001, Ok(()));
    allocate(|segment| segment.first_number = 50_000, OVERLAP);
    allocate(|segment| (segment.first_number, segment.last_number) = (1, 9_999_999_999), OVERLAP);
    // A gap that was left is lost: 10,000 lies between two segments.
    allocate(|segment| (segment.first_number, segment.last_number) = (10_000, 10_000), OVERLAP);
    // Another code has numbers of its own, another year too.
    allocate(|segment| (segment.receipt_code, segment.first_number) = (99_060_226, 1), Ok(()));
    allocate(|segment| (segment.receipt_code, segment.first_number) = (99_060_127, 1), Ok(()));
}

#[test]
fn close_segments() {
    let close = |segment_id| Action::CloseSegment(CloseSegment { segment_id });
    check(close(99), Err("the segment is not allocated"));
    let mut ledger = Ledger::new();
    let recorded = ledger.govern(vec![close(13)]);
    check_on(&ledger, close(13), Err("the segment is closed already"));
    assert_eq!(ledger.message::<SegmentState>(Table::Segments, 13).closed_at_ms, recorded);
}

#[test]
fn issuers_and_epochs() {
    let issuer = |issuer_id| Action::RegisterIssuer(RegisterIssuer::of_receipts(issuer_id, String::new()));
    let fence = |issuer_id, epoch| Action::FenceIssuer(FenceIssuer { issuer_id, epoch, journal: Vec::new() });
    let naming = |bytes| Action::FenceIssuer(FenceIssuer { issuer_id: 1, epoch: 2, journal: vec![7; bytes] });
    check(naming(16), Ok(()));
    for bytes in [1, 15, 17] {
        check(naming(bytes), Err("a journal's id has 16 bytes"));
    }
    check(issuer(3), Ok(()));
    check(issuer(2), Ok(()));
    check(fence(3, 2), Err("the issuer is not registered"));
    for epoch in [0, 1] {
        check(fence(1, epoch), Err("an epoch only rises"));
    }
    let mut ledger = Ledger::new();
    ledger.govern(vec![fence(1, 7)]);
    check_on(&ledger, fence(1, 7), Err("an epoch only rises"));
    let state: IssuerState = ledger.message(Table::Issuers, 1);
    assert_eq!((state.epoch, state.next_sequence), (7, 1));
}

#[test]
fn kinds_have_six_digits() {
    let kind = |kind| Action::RegisterKind(RegisterKind::named(kind, "医疗收费票据"));
    check(kind(999_999), Ok(()));
    check(kind(990_601), Ok(()));
    check(kind(1_000_000), Err("a kind has six digits"));
}

#[test]
fn kinds_open_the_header_or_the_rows() {
    for (opens, expected) in [
        (0, Ok(())),
        (1, Ok(())),
        (2, Err("a kind opens the header or the rows")),
        (u32::MAX, Err("a kind opens the header or the rows")),
    ] {
        check(Action::RegisterKind(RegisterKind { opens, ..RegisterKind::named(990_601, "门诊") }), expected);
    }
    let kind = |opens: Opens| RegisterKind { opens: opens.number(), ..RegisterKind::named(990_601, "门诊") };
    assert_eq!(Opens::ALL.map(|opens| kind(opens).opened()), Opens::ALL.map(Some));
    assert_eq!(RegisterKind::named(990_601, "门诊").opened(), Some(Opens::Header), "who says nothing opens the less");
}

/// The opposite of an ending: a demand that begins, and for nobody who could not know of it.
#[test]
fn payments_are_required_once_every_issuer_knows_of_it() {
    const TOO_SOON: Result<(), &str> =
        Err("payments of a registered kind are required ten days from now at the earliest");
    let kind = |from| RegisterKind { payment_required_from_ms: from, ..RegisterKind::named(990_601, "门诊") };
    let register = |from| Action::RegisterKind(kind(from));
    let mut ledger = Ledger::new();
    let from = ledger.time + REVOCATION_GRACE_MS;
    for (at, expected) in
        [(0, Ok(())), (1, TOO_SOON), (ledger.time, TOO_SOON), (from - 1, TOO_SOON), (from, Ok(())), (u64::MAX, Ok(()))]
    {
        check_on(&ledger, register(at), expected);
    }
    // Nobody has a number of a kind that is new.
    for at in [0, 1, ledger.time, u64::MAX] {
        check_on(&ledger, Action::RegisterKind(RegisterKind { kind: 990_777, ..kind(at) }), Ok(()));
    }
    ledger.govern(vec![register(from)]);
    assert_eq!(ledger.message::<RegisterKind>(Table::Kinds, 990_601), kind(from));
    ledger.time = from + 1;
    let renamed = Action::RegisterKind(RegisterKind { name: "新名".to_owned(), ..kind(from) });
    check_on(&ledger, renamed, Ok(()));
    // Dated back; it has begun, and asks for a little less; moved ahead; lifted.
    for (at, expected) in [(from - 1, TOO_SOON), (from + 1, Ok(())), (from + 24 * 3600 * 1000, Ok(())), (0, Ok(()))] {
        check_on(&ledger, register(at), expected);
    }
    // Lifted, it begins anew.
    ledger.govern(vec![register(0)]);
    check_on(&ledger, register(from), TOO_SOON);
    check_on(&ledger, register(ledger.time + REVOCATION_GRACE_MS), Ok(()));
    // By issue time alone.
    let required = |from, issued| kind(from).requires_payment(UnixMillis::new(issued));
    assert_eq!([required(0, 0), required(0, u64::MAX)], [false; 2], "never");
    assert_eq!([required(T, T - 1), required(T, T), required(T, T + 1)], [false, true, true]);
}

/// An issuer that hears nothing stops before the earliest demand of which it may not know.
#[test]
fn whoever_is_cut_off_acknowledges_nothing_that_needs_a_payment_without_knowing_it() {
    let mut ledger = Ledger::new();
    let (last_heard, from) = (ledger.time, ledger.time + REVOCATION_GRACE_MS);
    let kind = RegisterKind { payment_required_from_ms: from, ..RegisterKind::named(990_601, "门诊") };
    ledger.govern(vec![Action::RegisterKind(kind.clone())]);
    let acknowledges_until = UnixMillis::new(last_heard + LEDGER_UNHEARD_MS_MAX);
    assert!(!kind.requires_payment(acknowledges_until));
}

#[test]
fn collectors_have_a_scope_and_a_cap() {
    let collector = |edit: fn(&mut RegisterCollector), expected| {
        let mut collector = bank(1);
        edit(&mut collector);
        check(Action::RegisterCollector(collector), expected);
    };
    const SCOPE: Result<(), &str> = Err("a collector collects for units or for an area, and not for both");
    const CAP: Result<(), &str> = Err("a collector's daily cap is above zero and below 10^14 fen");
    const ORDER: Result<(), &str> = Err("a collector's units must be strictly ascending");
    collector(|_| {}, Ok(()));
    collector(|bank| (bank.unit_ids, bank.area) = (Vec::new(), 990_100), Ok(()));
    collector(|bank| bank.area = 990_100, SCOPE);
    collector(|bank| bank.unit_ids.clear(), SCOPE);
    collector(|bank| (bank.unit_ids, bank.area) = (Vec::new(), 9_999), Err("the collector's area has no six digits"));
    collector(|bank| bank.unit_ids.reverse(), ORDER);
    collector(|bank| bank.unit_ids[1] = 1, ORDER);
    collector(|bank| bank.unit_ids.push(3), Err("a unit of the collector is not registered"));
    collector(|bank| bank.daily_cap_fen = 0, CAP);
    collector(|bank| bank.daily_cap_fen = 100_000_000_000_000, CAP);
    collector(|bank| bank.daily_cap_fen = u64::MAX, CAP);
    collector(|bank| bank.daily_cap_fen = 99_999_999_999_999, Ok(()));
    // Its suspension is an ending as a unit's is.
    let mut ledger = Ledger::new();
    let suspend = |suspended_from_ms| Action::RegisterCollector(RegisterCollector { suspended_from_ms, ..bank(1) });
    let recorded = ledger.govern(vec![suspend(T + 5)]);
    ledger.govern(vec![suspend(T + 5)]);
    let state: CollectorState = ledger.message(Table::Collectors, 1);
    assert_eq!((state.collector.suspended_from_ms, state.suspended_at_ms), (T + 5, recorded));
    assert_eq!(state.suspension(), crate::state::Ending::new(T + 5, recorded));
    ledger.govern(vec![suspend(0)]);
    assert_eq!(
        ledger.message::<CollectorState>(Table::Collectors, 1),
        CollectorState { collector: bank(1), suspended_at_ms: 0 }
    );
}

fn bank(collector_id: u32) -> RegisterCollector {
    RegisterCollector {
        collector_id,
        name: "银行".to_owned(),
        unit_ids: vec![1, 2],
        area: 0,
        daily_cap_fen: 500_000_000,
        suspended_from_ms: 0,
    }
}

/// What an issuer was given to carry it keeps; a name and further types may come.
#[test]
fn issuers_keep_their_record_types() {
    let issuer = |issuer_id, name: &str, record_types: &[u32]| {
        let record_types = record_types.to_vec();
        Action::RegisterIssuer(RegisterIssuer { issuer_id, name: name.to_owned(), record_types })
    };
    const UNKNOWN: Result<(), &str> = Err("there is no such record type");
    const ORDER: Result<(), &str> = Err("record types must be strictly ascending");
    for (issuer_id, name, types, expected) in [
        (3, "three", &[][..], Ok(())),
        (3, "three", &[1], Ok(())),
        (3, "three", &[0], UNKNOWN),
        (3, "three", &[2], UNKNOWN),
        (3, "three", &[1, 2], UNKNOWN),
        (3, "three", &[1, 1], ORDER),
        (3, "three", &[1, 0], ORDER),
        (1, "issuer 1", &[1], Err("the issuer is registered so already")),
        (1, "renamed", &[1], Ok(())),
        (1, "renamed", &[], Err("an issuer keeps its record types")),
    ] {
        check(issuer(issuer_id, name, types), expected);
    }
    let mut ledger = Ledger::new();
    ledger.govern(vec![Action::FenceIssuer(FenceIssuer { issuer_id: 1, epoch: 4, journal: Vec::new() })]);
    ledger.govern(vec![issuer(1, "renamed", &[1])]);
    let state: IssuerState = ledger.message(Table::Issuers, 1);
    assert_eq!((state.issuer.name.as_str(), state.epoch, state.next_sequence), ("renamed", 4, 1), "the rest stays");
}

/// A batch of an issuer that may not carry its records is refused, each record by name, and whoever holds one of them learns it.
#[test]
fn a_record_of_a_type_that_is_not_its_issuers_is_refused() {
    let mut ledger = Ledger::new();
    let issuer = |record_types: &[u32]| {
        let record_types = record_types.to_vec();
        Action::RegisterIssuer(RegisterIssuer { issuer_id: 3, name: "three".to_owned(), record_types })
    };
    let key = register_key(3, KeyOwner::Issuer, 3, issuer_signer(3).public_key());
    let lease = Action::AllocateSegment(segment(15, 1, 3, 50_001, 60_000));
    ledger.govern(vec![issuer(&[]), Action::RegisterKey(key), lease]);
    let leaves = [50_001, 50_002].map(|number| blue(&ledger, number).leaf());
    let submit = |ledger: &mut Ledger, leaves: &[Vec<u8>]| {
        let batch = ledger.batch(3, leaves.to_vec());
        ledger.add(vec![batch]).unwrap().outcomes[0].refusals.clone()
    };
    let refused = [0, 1].map(|index| RecordRefusal { index, reason: Reason::RecordTypeNotAllowed });
    assert_eq!(submit(&mut ledger, &leaves), refused);
    assert_eq!(ledger.next_sequence(3), 2, "the sequence is spent");
    for (index, leaf) in (0_u16..).zip(&leaves) {
        let status_key = status_key(ledger.chain.suite, leaf);
        let remembered = RefusedState::decode(&ledger.get(Table::Refused, status_key.as_bytes()).unwrap()).unwrap();
        assert_eq!((remembered.batch_index, remembered.reason), (index, Reason::RecordTypeNotAllowed));
    }
    // What is no record at all is that first.
    let junk = RecordRefusal { index: 0, reason: Reason::NotCanonical };
    assert_eq!(submit(&mut ledger, &[b"junk".to_vec()]), [junk]);
    ledger.govern(vec![issuer(&[1])]);
    assert_eq!(submit(&mut ledger, &leaves), [], "once it may carry them, they are taken");
}

#[test]
fn validator_sets_come_two_heights_on() {
    let set = |height| {
        let validators = validator_set(2..=5);
        Action::SetValidators(SetValidators { effective_height: height, validators })
    };
    const EARLY: Result<(), &str> = Err("a validator set takes effect two heights on at the earliest");
    check(set(0), EARLY);
    check(set(2), EARLY);
    check(set(3), Ok(()));
    // Two log keys with one note key id under this chain's origin: found by trying.
    let twins =
        Action::SetValidators(SetValidators { effective_height: 3, validators: validator_set([1, 2, 51_656, 96_965]) });
    check(twins, Err("two log keys of the set have the same note key id; one of them must be replaced"));
    let mut ledger = Ledger::new();
    let suite = crate::suite::Suite::Ed25519Sha256;
    let (old, new) = (validator_set(1..=4).hash(suite), validator_set(2..=5).hash(suite));
    let governance = ledger.governance(vec![set(4)]);
    let mut seals = vec![ledger.add(vec![Item::Governance(governance)]).unwrap().seal];
    for height in 2..=5 {
        let pending = read_pending_validators(&ledger.state).unwrap();
        assert_eq!(pending, (height < 4).then(|| (Height::new(4), validator_set(2..=5))));
        seals.push(ledger.add(Vec::new()).unwrap().seal);
        // State answers for the next height and for no other.
        let known = |height: u64| read_validators(&ledger.state, Height::new(height)).ok();
        let next = seals[height - 1].next_validator_set_hash;
        assert_eq!(known(height as u64 + 1).map(|set| set.hash(suite)), Some(next));
        assert_eq!([known(0), known(height as u64), known(height as u64 + 2)], [None, None, None]);
    }
    let sets: Vec<_> = seals.iter().map(|seal| (seal.validator_set_hash, seal.next_validator_set_hash)).collect();
    assert_eq!(sets, [(old, old), (old, old), (old, new), (new, new), (new, new)]);
    assert_eq!(ledger.tip().height, Height::new(5));
}

/// A number, a name and a key are one validator's for ever, from the day on which a set with it came into force.
#[test]
fn a_set_gives_nothing_of_one_validator_to_another() {
    const NUMBER: Result<(), &str> = Err("a validator keeps its name, and a number belongs to one validator for ever");
    const NAME: Result<(), &str> = Err("a validator's name belongs to it for ever");
    const KEY: Result<(), &str> = Err("a key was another validator's, or of another role");
    let mut ledger = Ledger::new();
    let set = |members: Vec<Validator>| {
        let validators = ValidatorSet::new(members).unwrap();
        Action::SetValidators(SetValidators { effective_height: 1_000, validators })
    };
    let at = |id| TestValidator::new(id).public();
    let new = |id| TestValidator::with_new_keys(id).public();
    // 1 leaves, 4 changes its keys, 5 joins.
    let next = ValidatorSet::new(vec![at(2), at(3), new(4), at(5)]).unwrap();
    let effective_height = ledger.tip().height.get() + 3;
    ledger.govern(vec![Action::SetValidators(SetValidators { effective_height, validators: next.clone() })]);
    let others = || vec![at(2), at(3), at(5)];
    let with = |member: Validator| set(others().into_iter().chain([member]).collect());
    // Announced is not in force: nothing is claimed yet.
    check_on(&ledger, with(Validator { id: ValidatorId::new(6), ..new(4) }), NAME);
    check_on(&ledger, with(Validator { id: ValidatorId::new(6), name: "v6".to_owned(), ..new(4) }), Ok(()));
    while read_pending_validators(&ledger.state).unwrap().is_some() {
        ledger.add(Vec::new()).unwrap();
    }
    let rows: [(&str, Validator, Result<(), &str>); 12] = [
        ("the one that left comes back", at(1), Ok(())),
        ("a newcomer", at(7), Ok(())),
        ("its old keys again", at(4), Ok(())),
        ("the number of one that left", Validator { id: ValidatorId::new(1), ..at(8) }, NUMBER),
        ("another name for the same", Validator { name: "other".to_owned(), ..new(4) }, NUMBER),
        ("the name of one that left", Validator { name: "v1".to_owned(), ..at(8) }, NAME),
        ("a consensus key of one that left", Validator { consensus_key: at(1).consensus_key, ..at(8) }, KEY),
        ("a log key that was replaced", Validator { log_key: at(4).log_key, ..at(8) }, KEY),
        ("a log key as cosigner key", Validator { cosigner_key: at(1).log_key, ..at(8) }, KEY),
        (
            "its own log key as cosigner key",
            Validator { cosigner_key: at(4).log_key, log_key: at(8).log_key, ..new(4) },
            KEY,
        ),
        ("one new key of its own", Validator { log_key: at(8).log_key, ..new(4) }, Ok(())),
        ("a member's key", Validator { consensus_key: new(4).consensus_key, ..at(8) }, KEY),
    ];
    for (name, member, expected) in rows {
        let mut members: Vec<Validator> = others().into_iter().filter(|other| other.id != member.id).collect();
        members.push(member);
        members.sort_by_key(|member| member.id);
        println!("{name}");
        check_on(&ledger, set(members), expected);
    }
}

#[test]
fn a_suspension_is_recorded_once() {
    let mut ledger = Ledger::new();
    let register =
        |suspended_from_ms| Action::RegisterUnit(RegisterUnit { suspended_from_ms, ..register_unit(2, &[990_601]) });
    let recorded = |ledger: &Ledger| ledger.message::<UnitState>(Table::Units, 2).suspended_at_ms;
    let first = ledger.govern(vec![register(T + 5)]);
    ledger.govern(vec![register(T + 5)]);
    assert_eq!(recorded(&ledger), first);
    let moved = ledger.govern(vec![register(T + 6)]);
    assert_eq!(recorded(&ledger), moved);
    ledger.govern(vec![register(0)]);
    assert_eq!(recorded(&ledger), 0);
}

#[test]
fn later_actions_see_earlier_ones_and_batches_see_both() {
    let mut ledger = Ledger::new();
    let actions = vec![
        Action::RegisterIssuer(RegisterIssuer::of_receipts(3, String::new())),
        Action::RegisterKey(register_key(3, KeyOwner::Issuer, 3, issuer_signer(3).public_key())),
        Action::AllocateSegment(segment(31, 1, 3, 50_001, 50_010)),
    ];
    let mut reversed = actions.clone();
    reversed.reverse();
    let governance = ledger.governance(reversed);
    let refusal = ledger.execute(ledger.content(vec![Item::Governance(governance)])).unwrap_err();
    let problem = "the segment's issuer is not registered";
    assert_eq!(refusal, BlockRefusal::Governance { area: None, sequence: 1, problem });

    let leaves = vec![blue(&ledger, 50_001).leaf()];
    let mut header = ledger.header(1, &leaves);
    (header.issuer, header.signing_key) = (crate::ids::IssuerId::new(3), crate::ids::KeyId::new(3));
    let batch = ledger.sign_header(header, leaves);
    let governance = Item::Governance(ledger.governance(actions));
    assert!(ledger.execute(ledger.content(vec![batch.clone(), governance.clone()])).is_err());
    assert_eq!(ledger.add(vec![governance, batch]).unwrap().outcomes[0].refusals, []);
}

#[test]
fn governance_between_two_batches_is_seen_by_the_second() {
    // The first batch has unit 1, its key and its segments looked up already.
    let unit = |edit: fn(&mut RegisterUnit)| {
        let mut unit = register_unit(1, &[990_601, 990_602]);
        edit(&mut unit);
        Action::RegisterUnit(unit)
    };
    let rows = [
        (Action::RevokeKey(RevokeKey { key_id: 101, revoked_from_ms: T + 1 }), 10_001, Some(Reason::KeyRevoked)),
        (unit(|unit| unit.suspended_from_ms = T + 1), 10_001, Some(Reason::UnitSuspended)),
        // These two refuse nothing on the spot: whoever issued it may not have known.
        (unit(|unit| unit.kinds = vec![990_602]), 10_001, None),
        (Action::CloseSegment(CloseSegment { segment_id: 12 }), 10_001, None),
        (Action::AllocateSegment(segment(15, 1, 2, 50_001, 50_010)), 50_001, None),
    ];
    for (action, number, reason) in rows {
        let ledger = Ledger::new();
        let first = vec![blue(&ledger, 1).leaf()];
        let now = |draft: &mut super::draft::Draft| draft.record.issue_time = UnixMillis::new(ledger.time);
        let second = vec![blue(&ledger, number).with(now).leaf()];
        let governance = Item::Governance(ledger.governance(vec![action.clone()]));
        let items = vec![ledger.batch(1, first), governance, ledger.batch(2, second)];
        let effects = ledger.execute(ledger.content(items)).unwrap();
        let refusals: Vec<_> = effects.outcomes.iter().map(|outcome| outcome.refusals.first().copied()).collect();
        let expected = reason.map(|reason| RecordRefusal { index: 0, reason });
        assert_eq!(refusals, [None, expected], "{action:?}");
    }
}

#[test]
fn a_segment_closed_between_two_batches_keeps_count() {
    let mut ledger = Ledger::new();
    let close = Item::Governance(ledger.governance(vec![Action::CloseSegment(CloseSegment { segment_id: 11 })]));
    let leaves = vec![blue(&ledger, 9).leaf()];
    let mut header = ledger.header(1, &leaves);
    header.sequence = header.sequence.next().unwrap();
    let second = ledger.sign_header(header, leaves);
    let first = ledger.batch(1, vec![blue(&ledger, 3).leaf(), blue(&ledger, 5).leaf()]);
    let time = ledger.time;
    ledger.add(vec![first, close, second]).unwrap();
    let state: SegmentState = ledger.message(Table::Segments, 11);
    assert_eq!((state.used_count, state.highest_used, state.closed_at_ms), (3, 9, time));
}
