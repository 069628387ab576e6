//! Governance: every kind of action, a signed message; a signed credential; a small genesis.

use receipt_core::authorities::AuthoritySet;
use receipt_core::genesis::Genesis;
use receipt_core::governance::{
    Action, AllocateSegment, AttachItems, CloseSegment, CodeName, FenceIssuer, Governance, Grant, NumberRange,
    RegisterBlinding, RegisterIssuer, RegisterKey, RegisterKind, RegisterSystem, RegisterUnit, RevokeKey,
    SetValidators, SettleSegment, SignedGovernance,
};
use receipt_core::hash::{Hash, sha256};
use receipt_core::ids::{Height, UnixMillis};
use receipt_core::suite::{Signer, Suite};
use receipt_core::testkit::{authorities, software_key, unit_key};
use receipt_core::validators::ValidatorSet;
use serde_json::{Value, json};

use super::hexes;
use super::scene::Scene;

/// One action of each kind, in the order of their numbers.
fn actions(validators: ValidatorSet) -> Vec<Action> {
    vec![
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
        Action::RegisterIssuer(RegisterIssuer { issuer_id: 1, name: "issuer".to_owned() }),
        Action::FenceIssuer(FenceIssuer { issuer_id: 1, epoch: 2, journal: vec![0x5a; 16] }),
        Action::RegisterKind(RegisterKind { kind: 990_601, name: "医疗门诊收费票据".to_owned() }),
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
    ]
}

/// The bytes of one action alone: those of a message with it, less those of one without.
fn action_bytes(action: &Action) -> String {
    let (suite, previous) = (Suite::Ed25519Sha256, Hash([0; 32]));
    let message = |actions| Governance { suite, sequence: 0, expiry: Height::ZERO, previous, actions }.encode();
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

#[test]
fn governance_json() {
    let scene = Scene::new();
    let actions = actions(scene.chain.genesis().validators.clone());
    let rows = (1_u32..=14)
        .zip(&actions)
        .map(|(kind, action)| json!({ "kind": kind, "field_5_of_governance": action_bytes(action) }));
    let value = json!({
        "chain": scene.chain.genesis().chain_id().0.to_string(),
        "authorities": hexes(authorities().iter().map(|key| key.public_key().0)),
        "actions": rows.collect::<Vec<_>>(),
        "message": signed(&scene, &actions),
        "credential": credential(&scene),
        "genesis": small_genesis(&scene, actions[6].clone()),
    });
    super::check("governance.json", &value);
}
