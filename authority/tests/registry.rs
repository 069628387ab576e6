//! The registry of a chain as `registry` shows it: every row, for people and against its schema.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has to fail")]

#[path = "../../verifier/tests/common/schema.rs"]
mod schema;

use receipt_core::area::Area;
use receipt_core::authorities::AuthoritySet;
use receipt_core::fingerprint::Fingerprint;
use receipt_core::governance::{
    Action, AttachItems, CloseSegment, CodeName, Opens, RegisterBlinding, RegisterCollector, RegisterKind,
    RegisterSystem, RegisterUnit, RevokeKey, SetAreaAuthorities, SetValidators, WithdrawBlinding,
};
use receipt_core::ids::{Height, UnixMillis};
use receipt_core::memory::MemoryState;
use receipt_core::registered_at::RegisteredAt;
use receipt_core::state::tables::{Table, is_of_registry};
use receipt_core::state::{ChainParameters, genesis_effects, try_governance};
use receipt_core::suite::Signer as _;
use receipt_core::testkit::{TestChain, blinding_secret, software_key};
use receipt_core::validators::ValidatorSet;
use schema::breaks;
use tallystick_authority::Chain;
use tallystick_authority::registry::{Class, Reading, Registry, Thing, document, shown};
use tallystick_proto::admin::v1::RegistryRow;
use tallystick_service::report::Stamped;

const DAY_MS: u64 = 24 * 3600 * 1000;

/// Rows as a node gives them, of a genesis and of more actions at a later time.
fn registry(chain: &mut TestChain, more: Vec<Action>, now: UnixMillis) -> (Chain, Registry) {
    let message = chain.governance(more).governance;
    let genesis = chain.genesis();
    let mut rows = genesis_effects(genesis).unwrap().writes;
    let mut state = MemoryState::new();
    state.commit(rows.clone(), &[]);
    let trial = try_governance(&state, &ChainParameters::of(genesis), &message, Height::new(1), now).unwrap();
    assert_eq!(trial.place_problem, None);
    rows.extend(trial.actions.unwrap());
    let known = Chain::new(genesis.clone());
    let reading = Reading::new(&known, now);
    let is_shown = |table: Table, key: &[u8]| is_of_registry(table, key) && table != Table::Directory;
    let rows = rows.into_iter().filter(|((table, key), _)| is_shown(*table, key));
    let things = rows.map(|((table, key), value)| {
        let row = RegistryRow { table: table as u32, key: key.into(), value: value.unwrap().into() };
        reading.thing(&row).unwrap()
    });
    let things: Vec<Thing> = things.collect();
    let said_by = vec!["node-1:7101".to_owned(), "node-2:7101".to_owned()];
    let id = known.id.0;
    (known, Registry { height: 7, sequence: 0, id, version: id, things, said_by, replayed: None })
}

fn changes(now: UnixMillis, kind: u32) -> Vec<Action> {
    let unit = RegisterUnit {
        unit_id: 1,
        unit_code: String::new(),
        name: "改名\u{202e}医院".to_owned(),
        supervisor_area_code: "990300".to_owned(),
        kinds: Vec::new(),
        suspended_from_ms: now.get() + DAY_MS,
    };
    let item = CodeName { code: "001".to_owned(), name: "诊查费".to_owned() };
    let validators = (2..6).map(|id| receipt_core::testkit::TestValidator::new(id).public()).collect();
    vec![
        Action::RegisterUnit(unit),
        Action::RevokeKey(RevokeKey { key_id: 101, revoked_from_ms: now.get() - DAY_MS }),
        Action::RevokeKey(RevokeKey { key_id: 102, revoked_from_ms: now.get() + DAY_MS }),
        Action::RegisterSystem(RegisterSystem { system_id: 77, name: "系统".to_owned(), grants: Vec::new() }),
        Action::CloseSegment(CloseSegment { segment_id: closed_segment(kind) }),
        Action::AttachItems(AttachItems { unit_id: 1, kind, items: vec![item], adds: true }),
        Action::RegisterKind(RegisterKind {
            payment_required_from_ms: now.get() + DAY_MS,
            opens: Opens::Rows.number(),
            ..RegisterKind::named(990_999, "新")
        }),
        Action::RegisterKind(RegisterKind {
            payment_required_from_ms: now.get(),
            ..RegisterKind::named(990_998, "新")
        }),
        Action::RegisterCollector(RegisterCollector {
            collector_id: 6,
            name: "银行".to_owned(),
            unit_ids: Vec::new(),
            area: 990_300,
            daily_cap_fen: 5_000,
            suspended_from_ms: now.get() + DAY_MS,
        }),
        Action::SetAreaAuthorities(SetAreaAuthorities {
            area: Area::new(990_106).unwrap(),
            set: AuthoritySet { keys: vec![software_key("district").public_key()], threshold: 1 },
        }),
        Action::WithdrawBlinding(WithdrawBlinding { epoch: 1 }),
        Action::RegisterBlinding(RegisterBlinding { epoch: 2, fingerprint: vec![0x6b; 16] }),
        Action::SetValidators(SetValidators {
            effective_height: 50,
            validators: ValidatorSet::new(validators).unwrap(),
        }),
    ]
}

/// Of the first unit.
fn closed_segment(kind: u32) -> u32 {
    1000 + kind % 1000
}

fn changed() -> (Chain, Registry, UnixMillis) {
    let mut chain = TestChain::new();
    let now = chain.now();
    let registered = chain.genesis().actions.iter().find_map(|action| match action {
        Action::RegisterUnit(unit) if unit.unit_id == 1 => Some(unit.clone()),
        _ => None,
    });
    let registered = registered.unwrap();
    let mut actions = changes(now, registered.kinds[0]);
    if let Action::RegisterUnit(unit) = &mut actions[0] {
        // One kind less, and the same code.
        (unit.unit_code, unit.kinds) = (registered.unit_code, registered.kinds[1..].to_vec());
    }
    let (known, registry) = registry(&mut chain, actions, now);
    (known, registry, now)
}

fn field(registry: &Registry, class: Class, name: &str, field: &str) -> String {
    let thing = registry.find(class, name).unwrap_or_else(|| panic!("no {class:?} {name}"));
    let mut fields = thing.fields.iter().chain(&thing.moving);
    fields.find(|(name, _)| *name == field).unwrap_or_else(|| panic!("no {field}")).1.words()
}

#[test]
fn every_row_is_shown_with_its_state_and_its_ending() {
    let (chain, registry, _) = changed();
    let kind = chain.genesis.actions.iter().find_map(|action| match action {
        Action::RegisterUnit(unit) if unit.unit_id == 1 => Some(unit.kinds[0]),
        _ => None,
    });
    let segment = closed_segment(kind.unwrap()).to_string();
    let open = registry.of(Class::Segment).map(|thing| thing.name.clone()).find(|name| *name != segment).unwrap();
    let first = Fingerprint::of_blinding(&blinding_secret(chain.genesis.suite));
    let epochs = format!(
        "(epoch 1, fingerprint {first}, state withdrawn), (epoch 2, fingerprint {}, state in force)",
        "6b".repeat(16)
    );
    for class in Class::ALL {
        assert!(registry.of(class).next().is_some(), "{class:?}");
    }
    for (class, name, of, expected) in [
        (Class::Key, "101", "state", "revoked"),
        (Class::Key, "102", "state", "valid, revocation to come"),
        (Class::Key, "103", "state", "valid"),
        (Class::Key, "103", "nothing_taken_from", "none"),
        (Class::Unit, "1", "state", "active, to be suspended"),
        (Class::Unit, "2", "state", "active"),
        (Class::Segment, &segment, "state", "closed"),
        (Class::Segment, &open, "state", "open"),
        (Class::System, "77", "grants", "none"),
        (Class::Collector, "6", "area", "990300"),
        (Class::Collector, "6", "state", "active, to be suspended"),
        (Class::Area, "990106", "threshold", "1"),
        (Class::Area, "990106", "last_sequence", "0"),
        (Class::Issuer, "1", "record_types", "receipt"),
        (Class::Kind, "990999", "payment", "not required, to be required"),
        (Class::Kind, "990999", "opens", "rows"),
        (Class::Kind, "990998", "payment", "required"),
        (Class::Kind, "990998", "opens", "header"),
        (Class::Validators, "decided on", "effective_height", "50"),
        (Class::Authorities, "in force", "threshold", "2"),
        (Class::BlindingSecrets, "of the chain", "epochs", &epochs),
        (Class::BlindingSecrets, "of the chain", "named_by_records", "none"),
    ] {
        assert_eq!(field(&registry, class, name, of), expected, "{class:?} {name} {of}");
    }
    for (class, name, of) in [
        (Class::Key, "101", "revoked_from"),
        (Class::Key, "101", "revocation_recorded_at"),
        (Class::Key, "101", "nothing_taken_from"),
        (Class::Unit, "1", "suspended_from"),
        (Class::Segment, &segment, "closed_at"),
        (Class::Segment, &segment, "nothing_taken_from"),
    ] {
        assert!(field(&registry, class, name, of).contains("+08:00"), "{class:?} {name} {of}");
    }
    let text = shown(&registry, &chain);
    let expected = [
        "AUTHORITY SETS: 1",
        "authorities in force",
        "UNITS: ",
        "SYSTEMS: 2; next free number 78",
        "kinds taken away",
        "as of height  7, as node-1:7101, node-2:7101 say alike",
        "诊查费",
    ];
    for line in expected {
        assert!(text.contains(line), "{line:?} is missing in {text}");
    }
    assert!(!text.contains('\u{202e}'), "foreign text acts on the terminal");
}

#[test]
fn the_document_fits_its_schema() {
    let (chain, registry, now) = changed();
    let document = document(&registry, &chain);
    let stamped = Stamped::new(("tallystick-authority", "0.0.0"), Some(1), now, &document);
    let document = serde_json::to_value(&stamped).unwrap();
    let schema = include_str!("../../docs/spec/schemas/registry.schema.json");
    let mut schema: serde_json::Value = serde_json::from_str(schema).unwrap();
    let mut found = Vec::new();
    breaks(&schema, &document, "$", &mut found);
    assert_eq!(found, Vec::<String>::new());
    // All fields are the schema's, so that none is promised nowhere.
    let promised = schema["properties"].as_object_mut().unwrap();
    for name in document.as_object().unwrap().keys() {
        assert!(promised.contains_key(name), "{name} is not in the schema");
    }
    let lists = [
        "authority_sets",
        "areas",
        "validator_sets",
        "issuers",
        "units",
        "systems",
        "keys",
        "segments",
        "receipt_codes",
        "kinds",
        "items",
        "collectors",
        "blinding_secrets",
    ];
    for list in lists {
        let fields = promised[list]["items"]["properties"].as_object().unwrap();
        for name in document[list][0].as_object().unwrap().keys() {
            assert!(fields.contains_key(name), "{list}.{name} is not in the schema");
        }
    }
}

/// As of a past height, from what an audit has replayed: states are those of then.
#[test]
fn a_registry_of_the_past_is_shown_as_of_its_block() {
    let chain = TestChain::new();
    let known = Chain::new(chain.genesis().clone());
    let mut file = RegisteredAt::of(chain.state(), known.id).unwrap();
    let found = Registry::replayed(&file, &known).unwrap();
    assert_eq!((found.height, found.sequence, found.id), (0, 0, known.id.0));
    assert_eq!(field(&found, Class::Key, "101", "state"), "valid");
    let text = shown(&found, &known);
    assert!(
        text.contains(&format!("as of height  0, after the seal {}, as an audit replayed it", file.seal_hash)),
        "{text}"
    );
    assert_eq!(document(&found, &known)["replayed_seal"], file.seal_hash.to_string());
    // Before its keys began, none of them was valid.
    file.time = UnixMillis::new(1);
    assert_eq!(field(&Registry::replayed(&file, &known).unwrap(), Class::Key, "101", "state"), "not valid yet");
    let other = Chain::new(TestChain::named("elsewhere").genesis().clone());
    assert!(Registry::replayed(&file, &other).unwrap_err().to_string().contains("it is of chain"));
    file.rows[1].value = b"\xff\xff".to_vec();
    assert!(Registry::replayed(&file, &known).is_err());
}

#[test]
fn a_row_that_is_none_of_the_registry_is_refused() {
    let reading = Reading { utc_offset_minutes: 480, now: UnixMillis::new(1) };
    let row = |table: u32, key: &[u8], value: &[u8]| {
        reading.thing(&RegistryRow { table, key: key.to_vec().into(), value: value.to_vec().into() })
    };
    assert!(row(99, b"x", b"").is_err(), "no such table");
    assert!(row(Table::Receipts as u32, &[0; 12], b"").is_err(), "not the registry's");
    assert!(row(Table::Meta as u32, b"totals", &[0; 48]).is_err());
    assert!(row(Table::Kinds as u32, &[0, 0, 0, 9], b"").is_err(), "under the key of another");
    assert!(row(Table::Kinds as u32, &[0; 3], b"").is_err(), "a cut key");
    assert!(row(Table::Units as u32, &[0, 0, 0, 1], b"\xff\xff").is_err(), "no unit");
}
