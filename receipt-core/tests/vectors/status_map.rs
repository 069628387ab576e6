//! The status map: roots as it grows, proofs of presence and absence, and a status with its salt.

use std::collections::HashMap;

use receipt_core::hash::{Hash, sha256, tagged};
use receipt_core::ids::{Height, ReceiptCode, ReceiptKey, ReceiptNumber};
use receipt_core::state::{Status, StatusValue, status_value_hash};
use receipt_core::status::{StatusMap, empty_root};
use serde_json::{Value, json};

use super::SUITE;

type Store = HashMap<Vec<u8>, Vec<u8>>;

fn prove(store: &Store, version: Option<Height>, key: &Hash) -> Value {
    let reader = |key: &[u8]| Ok::<_, std::convert::Infallible>(store.get(key).cloned());
    let lookup = StatusMap::at(SUITE, &reader, version).prove(key).unwrap();
    let root = StatusMap::at(SUITE, &reader, version).root().unwrap();
    lookup.proof.verify(SUITE, &root, key, lookup.value.as_deref()).unwrap();
    json!({
        "key": key.to_string(),
        "value": lookup.value.as_deref().map(hex::encode),
        "proof": hex::encode(lookup.proof.encode()),
    })
}

/// A key under which a name comes to stand.
fn key(name: &str) -> Hash {
    sha256(&[name.as_bytes()])
}

fn status() -> Value {
    let block_salt = [0xb5; 32];
    let key = key("a signed record");
    let digest = tagged("tallystick/status-salt/v1", &[&block_salt, key.as_bytes()]);
    let by = ReceiptKey { code: ReceiptCode::new(99_060_126).unwrap(), number: ReceiptNumber::new(1024).unwrap() };
    let value = StatusValue { salt: digest.0[..16].try_into().unwrap(), status: Status::Reversed { by } };
    json!({
        "block_salt": hex::encode(block_salt),
        "status_key": key.to_string(),
        "reversed_by": by.to_string(),
        "value": hex::encode(value.encode()),
        "map_value": status_value_hash(SUITE, &value).to_string(),
    })
}

#[test]
fn status_map_json() {
    let mut store = Store::new();
    let mut version = None;
    let absent = [key("absent 1"), key("absent 2"), key("absent 3")];
    let mut steps =
        vec![json!({ "set": null, "root": empty_root().to_string(), "proofs": [prove(&store, None, &absent[0])] })];
    let mut present = Vec::new();
    for number in 1..=6_u64 {
        let new = key(&format!("present {number}"));
        let value = sha256(&[&number.to_be_bytes()]).0.to_vec();
        let reader = |key: &[u8]| Ok::<_, std::convert::Infallible>(store.get(key).cloned());
        let update =
            StatusMap::at(SUITE, &reader, version).update(Height::new(number), &[(new, Some(value.clone()))]).unwrap();
        store.extend(update.nodes);
        version = update.version;
        present.push(new);
        let proofs: Vec<Value> = present.iter().chain(&absent).map(|key| prove(&store, version, key)).collect();
        steps.push(json!({
            "set": { "key": new.to_string(), "value": hex::encode(value) },
            "root": update.root.to_string(),
            "proofs": proofs,
        }));
    }
    super::check("status-map.json", &json!({ "steps": steps, "status": status() }));
}
