//! Governance: every kind of action, a signed message; a signed credential; a small genesis.

use receipt_core::area::Area;
use receipt_core::authorities::AuthoritySet;
use receipt_core::genesis::{Genesis, Timeliness};
use receipt_core::governance::{
    Action, AllocateSegment, AttachItems, CloseSegment, CodeName, FenceIssuer, Governance, Grant, NumberRange, Opens,
    RegisterBlinding, RegisterCollector, RegisterIssuer, RegisterKey, RegisterKind, RegisterSystem, RegisterUnit,
    RevokeKey, SetAreaAuthorities, SetValidators, SettleSegment, SignedGovernance, WithdrawBlinding,
};
use receipt_core::hash::{Hash, sha256};
use receipt_core::ids::{Height, UnixMillis};
use receipt_core::state::genesis_effects;
use receipt_core::suite::{PublicKey, Signer, Suite};
use receipt_core::testkit::{TWIN_LOG_KEYS, TestValidator, authorities, software_key, unit_key};
use receipt_core::validators::{Validator, ValidatorSet};
use serde_json::{Value, json};

use super::hexes;
use super::scene::Scene;

/// One action of each kind, in the order of their numbers.
fn actions(validators: ValidatorSet) -> Vec<Action> {
    let mut actions = vec![
        Action::RegisterUnit(RegisterUnit {
            unit_id: 7,
            unit_code: "129903004000000181".to_owned(),
            name: "试验医院".to_owned(),
            supervisor_area_code: "990300".to_owned(),
            kinds: vec![990_601, 990_602],
            suspended_from_ms: 0,
        }),
        Action::RegisterKey(RegisterKey {
            key_id: 107,
            owner_kind: 1,
            owner_id: 7,
            suite: 1,
            public_key: unit_key(7).public_key().0.to_vec(),
            valid_from_ms: 1_793_577_600_000,
            valid_until_ms: 1_825_113_600_000,
        }),
        Action::RevokeKey(RevokeKey { key_id: 107, revoked_from_ms: 1_793_577_700_000 }),
        Action::RegisterSystem(RegisterSystem {
            system_id: 1,
            name: "HIS".to_owned(),
            grants: vec![Grant { unit_id: 7, places: vec!["01".to_owned(), "02".to_owned()] }],
        }),
        Action::AllocateSegment(AllocateSegment {
            segment_id: 1,
            unit_id: 7,
            issuer_id: 1,
            receipt_code: 99_060_126,
            first_number: 1,
            last_number: 1_000_000,
        }),
        Action::CloseSegment(CloseSegment { segment_id: 1 }),
        Action::RegisterIssuer(RegisterIssuer::of_receipts(1, "issuer")),
        Action::FenceIssuer(FenceIssuer { issuer_id: 1, epoch: 2, journal: vec![0x5a; 16] }),
        Action::RegisterKind(RegisterKind {
            payment_required_from_ms: 1_798_732_800_000,
            opens: Opens::Rows.number(),
            ..RegisterKind::named(990_601, "医疗门诊收费票据")
        }),
        Action::AttachItems(AttachItems {
            unit_id: 7,
            kind: 990_601,
            items: vec![CodeName { code: "0101".to_owned(), name: "诊察费".to_owned() }],
            adds: true,
        }),
        Action::SetValidators(SetValidators { effective_height: 100, validators }),
        Action::SettleSegment(SettleSegment {
            segment_id: 1,
            void: vec![NumberRange { first: 3, last: 4 }, NumberRange { first: 9, last: 1_000_000 }],
            lost: vec![NumberRange { first: 7, last: 7 }],
        }),
        Action::SetAuthorities(AuthoritySet {
            keys: ["authority-0", "authority-1", "authority-7"].map(|name| software_key(name).public_key()).to_vec(),
            threshold: 2,
        }),
        Action::RegisterBlinding(RegisterBlinding { epoch: 2, fingerprint: vec![0x6b; 16] }),
        Action::WithdrawBlinding(WithdrawBlinding { epoch: 2 }),
    ];
    actions.extend(of_areas_and_collectors());
    actions
}

/// The last of them.
fn of_areas_and_collectors() -> [Action; 2] {
    [
        Action::SetAreaAuthorities(SetAreaAuthorities {
            area: Area::new(990_106).unwrap(),
            set: AuthoritySet { keys: vec![software_key("district").public_key()], threshold: 1 },
        }),
        Action::RegisterCollector(RegisterCollector {
            collector_id: 1,
            name: "银行".to_owned(),
            unit_ids: vec![7, 9],
            area: 0,
            daily_cap_fen: 500_000_000,
            suspended_from_ms: 1_793_577_800_000,
        }),
    ]
}

/// The bytes of one action alone: those of a message with it, less those of one without.
fn action_bytes(action: &Action) -> String {
    let (suite, previous) = (Suite::Ed25519Sha256, Hash([0; 32]));
    let message =
        |actions| Governance { suite, area: None, sequence: 0, expiry: Height::ZERO, previous, actions }.encode();
    // Field 6 follows: tag, length, 32 bytes.
    const PREVIOUS_BYTES: usize = 34;
    let (empty, with) = (message(Vec::new()).len() - PREVIOUS_BYTES, message(vec![action.clone()]));
    hex::encode(&with[empty..with.len() - PREVIOUS_BYTES])
}

fn signed(scene: &Scene, actions: &[Action]) -> Value {
    let chain = scene.chain.genesis().chain_id();
    let keys = authorities();
    let governance = Governance {
        suite: Suite::Ed25519Sha256,
        area: None,
        sequence: 5,
        expiry: Height::new(1000),
        previous: sha256(&[b"the message before"]),
        actions: actions[5..9].to_vec(),
    };
    let signed = SignedGovernance::sign(governance, chain, &[&keys[0] as &dyn Signer, &keys[2]]);
    let of = |threshold| AuthoritySet { keys: keys.iter().map(Signer::public_key).collect(), threshold };
    assert!(signed.verify(chain, &of(2)) && !signed.verify(chain, &of(3)));
    json!({
        "sequence": 5, "expiry_height": 1000, "previous": signed.governance.previous.to_string(),
        "governance": hex::encode(&signed.governance_bytes),
        "signers": hexes(signed.signatures.iter().map(|(key, _)| key.0)),
        "signatures": hexes(signed.signatures.iter().map(|(_, signature)| signature.0)),
        "signed_governance": hex::encode(signed.encode()),
        "id": signed.hash().to_string(),
    })
}

fn credential(scene: &Scene) -> Value {
    let signed = scene.chain.credential(&scene.blues[0]);
    let credential = &signed.credential;
    json!({
        "unit_id": credential.unit.get(),
        "unit_code": credential.unit_code,
        "unit_name": credential.unit_name,
        "supervisor_area_code": credential.supervisor_area_code,
        "key_id": credential.signing_key.get(),
        "public_key": hex::encode(credential.public_key.0),
        "valid_from_ms": credential.valid_from.get(),
        "valid_until_ms": credential.valid_until.map_or(0, UnixMillis::get),
        "credential": hex::encode(&signed.credential_bytes),
        "signers": hexes(signed.signatures.iter().map(|(key, _)| key.0)),
        "signatures": hexes(signed.signatures.iter().map(|(_, signature)| signature.0)),
        "signed_credential": hex::encode(signed.encode()),
    })
}

fn small_genesis(scene: &Scene, action: Action) -> Value {
    let (actions, genesis) = (vec![action], scene.chain.genesis().clone());
    let genesis = Genesis { utc_offset_minutes: -210, actions, is_test: true, ..genesis };
    assert_eq!(Genesis::decode(&genesis.encode()).as_ref(), Ok(&genesis));
    json!({
        "chain_name": genesis.chain_name,
        "origin": genesis.origin,
        "time_ms": genesis.time.get(),
        "utc_offset_minutes": genesis.utc_offset_minutes,
        "authority_threshold": genesis.authority_threshold,
        "is_test": u32::from(genesis.is_test),
        "genesis": hex::encode(genesis.encode()),
        "chain_id": genesis.chain_id().0.to_string(),
    })
}

/// A validator and a set as bytes may have them: [`ValidatorSet::new`] takes no bad ones.
#[derive(Clone, PartialEq, prost::Message)]
struct MemberWire {
    #[prost(uint32, tag = "1")]
    id: u32,
    #[prost(string, tag = "2")]
    name: String,
    #[prost(bytes = "vec", tag = "3")]
    consensus_key: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    log_key: Vec<u8>,
    #[prost(bytes = "vec", tag = "5")]
    cosigner_key: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct SetWire {
    #[prost(message, repeated, tag = "1")]
    members: Vec<MemberWire>,
}

fn unchecked(members: &[Validator]) -> ValidatorSet {
    let members = members.iter().map(|member| MemberWire {
        id: member.id.get(),
        name: member.name.clone(),
        consensus_key: member.consensus_key.0.to_vec(),
        log_key: member.log_key.0.to_vec(),
        cosigner_key: member.cosigner_key.0.to_vec(),
    });
    let wire = SetWire { members: members.collect() };
    ValidatorSet::decode_stored(&prost::Message::encode_to_vec(&wire)).unwrap()
}

/// Genesis files that differ from a good one in one thing.
fn refused_genesis(scene: &Scene) -> Value {
    let good = || Genesis { actions: Vec::new(), ..scene.chain.genesis().clone() };
    let keys = good().authorities;
    let members = good().validators.members().to_vec();
    let with_keys =
        |authorities: Vec<PublicKey>, authority_threshold| Genesis { authorities, authority_threshold, ..good() };
    let with_bounds = |edit: fn(&mut Timeliness)| {
        let mut genesis = good();
        edit(&mut genesis.timeliness);
        genesis
    };
    let mut one = [0; 32];
    one[0] = 1;
    let large = CodeName { code: "0101".to_owned(), name: "字".repeat(21_000) };
    let large = vec![
        Action::RegisterKind(RegisterKind::named(990_601, "试验")),
        Action::RegisterUnit(RegisterUnit {
            unit_code: "129903004000000181".to_owned(),
            unit_id: 7,
            ..RegisterUnit::default()
        }),
        Action::AttachItems(AttachItems { unit_id: 7, kind: 990_601, items: vec![large], adds: false }),
    ];
    let named = |chain_name: &str, origin: &str| Genesis {
        chain_name: chain_name.to_owned(),
        origin: origin.to_owned(),
        ..good()
    };
    let rows = [
        ("an authority twice", with_keys(vec![keys[0], keys[0], keys[1]], 2)),
        ("an authority's key that is no point of the curve", with_keys(vec![keys[0], PublicKey([2; 32])], 1)),
        ("an authority's key of small order", with_keys(vec![keys[0], PublicKey(one)], 1)),
        ("no authority", with_keys(Vec::new(), 0)),
        ("nobody needs to sign", with_keys(keys.clone(), 0)),
        ("more must sign than there are", with_keys(keys.clone(), 4)),
        ("65 authorities", with_keys((0..65).map(|n| software_key(&format!("many-{n}")).public_key()).collect(), 1)),
        ("an authority's key that is a validator's", with_keys(vec![keys[0], members[2].log_key], 1)),
        ("no chain name", named("", "ledger.example/testchain")),
        ("a chain name with a space", named("test chain", "ledger.example/testchain")),
        ("a chain name with a control character", named("test\u{9f}chain", "ledger.example/testchain")),
        ("an origin with a no-break space", named("testchain", "ledger.example/\u{a0}")),
        ("an origin with a plus sign", named("testchain", "ledger.example/a+b")),
        ("a UTC offset of more than 14 hours", Genesis { utc_offset_minutes: -841, ..good() }),
        ("a block may lie 99 ms ahead", with_bounds(|bounds| bounds.ahead_ms_max = 99)),
        ("a block may lie 600001 ms ahead", with_bounds(|bounds| bounds.ahead_ms_max = 600_001)),
        ("a block may lie 99 ms behind", with_bounds(|bounds| bounds.behind_ms_max = 99)),
        ("a block may lie 600001 ms behind", with_bounds(|bounds| bounds.behind_ms_max = 600_001)),
        ("0 ms more a round", with_bounds(|bounds| bounds.behind_round_ms = 0)),
        ("60001 ms more a round", with_bounds(|bounds| bounds.behind_round_ms = 60_001)),
        ("an action larger than an entry", Genesis { actions: large, ..good() }),
    ];
    rows.into_iter().chain(refused_validators(scene)).map(|(name, genesis)| refused_row(name, &genesis)).collect()
}

fn refused_row(name: &str, genesis: &Genesis) -> Value {
    let bytes = genesis.encode();
    assert!(Genesis::decode(&bytes).is_err() || genesis_effects(genesis).is_err(), "{name}");
    json!({ "name": name, "genesis": hex::encode(bytes) })
}

/// The same of the validators.
fn refused_validators(scene: &Scene) -> Vec<(&'static str, Genesis)> {
    let good = || Genesis { actions: Vec::new(), ..scene.chain.genesis().clone() };
    let members = good().validators.members().to_vec();
    let with_members = |members: &[Validator]| Genesis { validators: unchecked(members), ..good() };
    let edited = |edit: fn(&mut Validator)| {
        let mut members = members.clone();
        edit(&mut members[1]);
        with_members(&members)
    };
    let many = |count: u32| (1..=count).map(|id| TestValidator::new(id).public()).collect::<Vec<_>>();
    vec![
        ("no validator", with_members(&[])),
        ("65 validators", with_members(&many(65))),
        ("validators out of order", with_members(&[members[1].clone(), members[0].clone()])),
        ("a validator twice", with_members(&[members[0].clone(), members[0].clone()])),
        ("a validator's name with a capital", edited(|member| member.name = "V2".to_owned())),
        ("a validator's name of 33 characters", edited(|member| member.name = "v".repeat(33))),
        ("two validators of one name", edited(|member| member.name = "v1".to_owned())),
        ("two validators of one key", edited(|member| member.log_key = TestValidator::new(1).public().consensus_key)),
        ("a validator with one key twice", edited(|member| member.log_key = member.cosigner_key)),
        ("a validator's key that is not registrable", edited(|member| member.cosigner_key = PublicKey([2; 32]))),
        ("two log keys of one note key id", with_members(&TWIN_LOG_KEYS.map(|id| TestValidator::new(id).public()))),
    ]
}

/// Files at the bounds.
fn sound_genesis(scene: &Scene) -> Value {
    let good = || Genesis { actions: Vec::new(), ..scene.chain.genesis().clone() };
    let many = |count: u32| (1..=count).map(|id| TestValidator::new(id).public()).collect::<Vec<_>>();
    let bounds = |ahead_ms_max, behind_ms_max, behind_round_ms| Genesis {
        timeliness: Timeliness { ahead_ms_max, behind_ms_max, behind_round_ms },
        ..good()
    };
    let authorities: Vec<PublicKey> = (0..64).map(|n| software_key(&format!("many-{n}")).public_key()).collect();
    let rows = [
        ("64 authorities who must all sign", Genesis { authorities, authority_threshold: 64, ..good() }),
        ("64 validators", Genesis { validators: ValidatorSet::new(many(64)).unwrap(), ..good() }),
        ("one validator", Genesis { validators: ValidatorSet::new(many(1)).unwrap(), ..good() }),
        ("the lowest bounds of time", bounds(100, 100, 1)),
        ("the highest bounds of time", bounds(600_000, 600_000, 60_000)),
        (
            "14 hours, and names of any script",
            Genesis { utc_offset_minutes: 840, chain_name: "试验-1".to_owned(), ..good() },
        ),
    ];
    let rows = rows.into_iter().map(|(name, genesis)| {
        assert_eq!(Genesis::decode(&genesis.encode()).as_ref(), Ok(&genesis), "{name}");
        let effects = genesis_effects(&genesis).unwrap();
        json!({
            "name": name,
            "genesis": hex::encode(genesis.encode()),
            "effects_hash": effects.seal.effects_hash.to_string(),
        })
    });
    rows.collect()
}

#[test]
fn governance_json() {
    let scene = Scene::new();
    let actions = actions(scene.chain.genesis().validators.clone());
    let rows = (1_u32..=17)
        .zip(&actions)
        .map(|(kind, action)| json!({ "kind": kind, "field_5_of_governance": action_bytes(action) }));
    let value = json!({
        "chain": scene.chain.genesis().chain_id().0.to_string(),
        "authorities": hexes(authorities().iter().map(|key| key.public_key().0)),
        "actions": rows.collect::<Vec<_>>(),
        "message": signed(&scene, &actions),
        "credential": credential(&scene),
        "genesis": small_genesis(&scene, actions[6].clone()),
        "refused_genesis": refused_genesis(&scene),
        "sound_genesis": sound_genesis(&scene),
    });
    super::check("governance.json", &value);
}
