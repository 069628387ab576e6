//! Preimages under every namespace, and where the two verification rules differ.

use receipt_core::hash::{Hash, sha256};
use receipt_core::suite::{
    ChainId, Namespace, PublicKey, Signature, Signer, SoftwareKey, preimage, verify_strict, verify_zip215,
};
use serde_json::{Value, json};

const CHAIN: ChainId = ChainId(Hash([0xc1; 32]));
const NAMESPACES: [Namespace; 6] = [
    Namespace::Receipt,
    Namespace::Batch,
    Namespace::Governance,
    Namespace::Credential,
    Namespace::Directory,
    Namespace::Precommit,
];

fn signed(namespace: Namespace) -> Value {
    let seed = sha256(&[namespace.as_str().as_bytes()]).0;
    let key = SoftwareKey::from_seed(&seed);
    let message = format!("a message under {}", namespace.as_str());
    let signature = key.sign(namespace, CHAIN, message.as_bytes());
    json!({
        "namespace": namespace.as_str(),
        "message": hex::encode(&message),
        "preimage": hex::encode(preimage(namespace, CHAIN, message.as_bytes())),
        "secret_seed": hex::encode(seed),
        "public_key": hex::encode(key.public_key().0),
        "signature": hex::encode(signature.0),
    })
}

/// The order of the base point, little-endian.
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

fn plus_order(scalar: &[u8]) -> [u8; 32] {
    let mut sum = [0; 32];
    let mut carry = 0_u16;
    for (index, byte) in sum.iter_mut().enumerate() {
        let digit = u16::from(scalar[index]) + u16::from(ORDER[index]) + carry;
        *byte = digit as u8;
        carry = digit >> 8;
    }
    sum
}

/// The same message under ordinary, small-order and non-canonical keys and signatures.
fn rules() -> Vec<Value> {
    let message = b"one message";
    let key = SoftwareKey::from_seed(&[9; 32]);
    let good = key.sign(Namespace::Receipt, CHAIN, message).0;
    let mut identity = [0; 32];
    identity[0] = 1;
    // p + 1: the identity's y, not reduced.
    let mut unreduced = [0xff; 32];
    (unreduced[0], unreduced[31]) = (0xee, 0x7f);
    let with = |r: &[u8], s: &[u8]| -> [u8; 64] { [r, s].concat().try_into().unwrap() };
    let mut flipped = good;
    flipped[0] ^= 1;
    let rows = [
        ("ordinary", key.public_key().0, good),
        ("another R", key.public_key().0, flipped),
        ("S plus the group order", key.public_key().0, with(&good[..32], &plus_order(&good[32..]))),
        ("key and R of small order", identity, with(&identity, &[0; 32])),
        ("key and R of small order, not reduced", unreduced, with(&unreduced, &[0; 32])),
    ];
    let row = |(name, key, signature): (&str, [u8; 32], [u8; 64])| {
        let (key, signature) = (PublicKey(key), Signature(signature));
        json!({
            "name": name,
            "namespace": Namespace::Receipt.as_str(),
            "message": hex::encode(message),
            "public_key": hex::encode(key.0),
            "signature": hex::encode(signature.0),
            "registrable": key.is_registrable(),
            "zip215": verify_zip215(&key, Namespace::Receipt, CHAIN, message, &signature),
            "strict": verify_strict(&key, Namespace::Receipt, CHAIN, message, &signature),
        })
    };
    rows.into_iter().map(row).collect()
}

#[test]
fn signatures() {
    let rules = rules();
    let verdicts: Vec<_> = rules.iter().map(|row| (row["zip215"].clone(), row["strict"].clone())).collect();
    assert_eq!(verdicts[3], (json!(true), json!(false)), "where the rules differ");
    let signed: Vec<Value> = NAMESPACES.into_iter().map(signed).collect();
    super::check("signatures.json", &json!({ "chain": CHAIN.0.to_string(), "signed": signed, "rules": rules }));
}
