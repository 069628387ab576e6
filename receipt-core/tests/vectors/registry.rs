//! The registry's map: rows of now and of then, and the proofs of them.

use receipt_core::ids::Height;
use receipt_core::state::tables::{META_AUTHORITIES, Table};
use receipt_core::state::{StateRead as _, as_registered, registry_map_key};
use receipt_core::testkit::ISSUER;
use serde_json::{Value, json};

use super::SUITE;
use super::scene::Scene;

/// A row as of a height at which the registry changed.
fn proved(scene: &Scene, height: u64, table: Table, key: &[u8]) -> Value {
    let state = scene.chain.state();
    let lookup = state.prove_registered(SUITE, Height::new(height), (table, key)).unwrap();
    let root = scene.chain.blocks()[usize::try_from(height).unwrap()].seal.registry_root;
    let place = registry_map_key(SUITE, table, key);
    lookup.proof.verify(SUITE, &root, &place, lookup.value.as_deref()).unwrap();
    json!({
        "height": height,
        "registry_root": root.to_string(),
        "table": table as u8,
        "key": hex::encode(key),
        "map_key": place.to_string(),
        "map_value": lookup.value.as_deref().map(hex::encode),
        "proof": hex::encode(lookup.proof.encode()),
    })
}

#[test]
fn registry_json() {
    let scene = Scene::new();
    let kind = 990_188_u32.to_be_bytes();
    let segments = scene.chain.state().rows(Table::Segments);
    let is_used = |value: &[u8]| as_registered(Table::Segments, value).unwrap() != value;
    let (segment, _) = *segments.iter().find(|(_, value)| is_used(value)).unwrap();
    let rows = [
        (0, Table::Kinds, &kind[..]),
        (3, Table::Kinds, &kind),
        (0, Table::Issuers, &ISSUER.to_be_bytes()),
        (3, Table::Segments, segment),
        (3, Table::Units, &[0xff; 4]),
        (0, Table::Meta, META_AUTHORITIES),
    ];
    let rows: Vec<Value> = rows.iter().map(|(height, table, key)| proved(&scene, *height, *table, key)).collect();
    let stored = [(Table::Issuers, &ISSUER.to_be_bytes()[..]), (Table::Segments, segment)];
    let stored = stored.map(|(table, key)| {
        let value = scene.chain.state().get(table, key).unwrap().unwrap();
        let registered = as_registered(table, &value).unwrap();
        json!({ "table": table as u8, "value": hex::encode(&value), "map_value": hex::encode(registered) })
    });
    super::check("registry.json", &json!({ "rows": rows, "stored": stored }));
}
