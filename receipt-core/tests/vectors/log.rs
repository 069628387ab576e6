//! The outer log: entries, roots, proofs, tiles, checkpoints with cosignatures; and the trust file that judges them.

use receipt_core::entry::Entry;
use receipt_core::hash::Hash;
use receipt_core::ids::TreeSize;
use receipt_core::merkle::{
    NodeId, NodeReader, TileId, TilePath, encode_entry_bundle, leaf_hash, root_of_leaves, tile_hashes, tiles_of,
};
use receipt_core::note::{KeyKind, PosixSeconds, SignedNote, VerifierKey, cosignature_message};
use receipt_core::testkit::{TWIN_LOG_KEYS, TestBlock, TestChain, TestLog, TestValidator};
use receipt_core::trust::TrustFile;
use serde_json::{Value, json};

use super::scene::Scene;
use super::{SUITE, hexes};

fn seal(block: &TestBlock) -> Value {
    let seal = &block.seal;
    json!({
        "height": seal.height.get(),
        "time_ms": seal.time.get(),
        "parent_seal_hash": seal.parent_seal_hash.to_string(),
        "status_root": seal.status_root.to_string(),
        "validator_set_hash": seal.validator_set_hash.to_string(),
        "next_validator_set_hash": seal.next_validator_set_hash.to_string(),
        "effects_hash": seal.effects_hash.to_string(),
        "totals_commitment": seal.totals_commitment.to_string(),
        "directory_root": seal.directory_root.to_string(),
        "registry_root": seal.registry_root.to_string(),
        "seal": hex::encode(seal.encode()),
        "seal_hash": seal.hash().to_string(),
        "log_size": block.log_size,
        "log_root": "",
        "checkpoint": block.checkpoint,
    })
}

/// RFC 6962 over the one-byte leaves 0, 1, 2, …
fn trees() -> Vec<Value> {
    (0..=9_u8)
        .map(|size| json!({ "size": size, "root": root_of_leaves(SUITE, (0..size).map(|leaf| [leaf])).to_string() }))
        .collect()
}

fn proofs(log: &TestLog) -> Value {
    let size = log.size();
    let inclusion = (0..size).map(|index| hexes(log.inclusion(index, size).iter().map(|hash| hash.0)));
    let consistency = (1..=size).map(|first| hexes(log.consistency(first, size).iter().map(|hash| hash.0)));
    json!({
        "inclusion_at_full_size": inclusion.collect::<Vec<_>>(),
        "consistency_from_size_1_on": consistency.collect::<Vec<_>>(),
    })
}

/// The log as [`NodeReader`]: the same trait as a store's.
fn tiles(log: &TestLog, entries: &[Vec<u8>]) -> Value {
    let size = TreeSize::new(log.size());
    let tiles: Vec<Value> = tiles_of(size)
        .map(|tile| {
            let hashes = tile_hashes(log, tile).unwrap().unwrap();
            json!({ "path": TilePath::Hashes(tile).to_string(), "bytes": hex::encode(hashes.iter().flat_map(|hash| hash.0).collect::<Vec<u8>>()) })
        })
        .collect();
    let bundle = encode_entry_bundle(entries).unwrap();
    let width = u16::try_from(entries.len()).unwrap();
    let name = TilePath::Entries(TileId::new(0, 0, width).unwrap()).to_string();
    let path = |level, index, width| TilePath::Hashes(TileId::new(level, index, width).unwrap()).to_string();
    assert_eq!(log.node(NodeId { level: 0, index: 0 }), Ok(leaf_hash(SUITE, &entries[0])));
    json!({
        "tiles": tiles,
        "entries": { "path": name, "bytes": hex::encode(bundle) },
        "paths": [
            { "level": 0, "index": 999, "width": 256, "path": path(0, 999, 256) },
            { "level": 1, "index": 1000, "width": 7, "path": path(1, 1000, 7) },
            { "level": 2, "index": 1_234_067, "width": 256, "path": path(2, 1_234_067, 256) },
        ],
    })
}

#[test]
fn log_json() {
    let scene = Scene::new();
    let chain = &scene.chain;
    let entries: Vec<Vec<u8>> = chain.blocks().iter().flat_map(|block| block.entries.clone()).collect();
    let rows = entries.iter().map(|entry| {
        Entry::decode(entry).unwrap();
        json!({ "entry": hex::encode(entry), "leaf_hash": leaf_hash(SUITE, entry).to_string() })
    });
    let blocks = chain.blocks().iter().map(|block| {
        let mut row = seal(block);
        row["log_root"] = json!(chain.log().root(block.log_size).to_string());
        row
    });
    let value = json!({
        "trees": trees(),
        "entries": rows.collect::<Vec<_>>(),
        "blocks": blocks.collect::<Vec<_>>(),
        "proofs": proofs(chain.log()),
        "tiles": tiles(chain.log(), &entries),
    });
    super::check("log.json", &value);
}

/// One cosignature line taken apart.
fn cosignature(note: &SignedNote, key: &VerifierKey) -> Value {
    let line = note.signatures().iter().find(|line| key.made(line)).unwrap();
    let (time, signature) = line.payload().split_first_chunk::<8>().unwrap();
    let time = u64::from_be_bytes(*time);
    json!({
        "vkey": key.to_string(),
        "key_id": key.id().to_string(),
        "public_key": hex::encode(key.public_key()),
        "line": line.to_string(),
        "time": time,
        "message": hex::encode(cosignature_message(PosixSeconds::new(time), note.text())),
        "signature": hex::encode(signature),
    })
}

/// Trust files that differ from the good one in one thing: name and text.
fn refused_trust(trust: &TrustFile) -> Value {
    let twins = ("two log keys of one name and key id", with_twins(&trust.to_text(), trust.origin()));
    let mut rows = vec![json!({ "name": twins.0, "trust": twins.1 })];
    let (end, begins) = (trust.sets()[0].end.unwrap(), trust.sets()[1].first_size.get());
    let leaf = trust.authority_sets()[1].first_leaf.get();
    for (name, line, instead) in [
        ("a gap between validator sets", format!("validators {begins} "), format!("validators {} ", begins + 1)),
        ("validator sets that overlap", format!("validators {begins} "), format!("validators {} ", begins - 1)),
        (
            "a validator set after an open one",
            format!("validators 1 {} {} ", end.last_size, end.until),
            "validators 1 open ".to_owned(),
        ),
        ("two sets of authorities from one leaf", format!("authorities {leaf}\n"), "authorities 0\n".to_owned()),
    ] {
        let text = trust.to_text();
        assert_eq!(text.matches(&line).count(), 1, "{name}");
        let text = text.replace(&line, &instead);
        let refused = TrustFile::parse(&text).unwrap_err().to_string();
        assert!(refused.contains("do not follow each other"), "{name}: {refused}");
        rows.push(json!({ "name": name, "trust": text }));
    }
    let text = trust.to_text();
    for (name, line, instead) in [
        ("twice a test chain", "origin ", "test\ntest\norigin "),
        ("a test chain, with more to say", "origin ", "test yes\norigin "),
        ("a test chain, too late", "\nsuite ", "\ntest\nsuite "),
    ] {
        let text = text.replacen(line, instead, 1);
        assert!(TrustFile::parse(&text).is_err(), "{name}");
        rows.push(json!({ "name": name, "trust": text }));
    }
    json!(rows)
}

/// The trust file of a chain whose genesis says that it is for tests.
fn trust_of_specimens() -> String {
    let text = TestChain::of_specimens("specimens").trust().to_text();
    assert!(TrustFile::parse(&text).unwrap().is_test());
    text
}

/// A trust file whose first set has two log keys that a reader takes for one.
fn with_twins(good: &str, origin: &str) -> String {
    // Two log keys that have their name and the four bytes of their id in common.
    let twins = TWIN_LOG_KEYS
        .map(|id| VerifierKey::new(origin, KeyKind::Log, TestValidator::new(id).public().log_key.0).unwrap());
    let mut twin = twins.iter();
    let lines: Vec<String> = good
        .lines()
        .map(|line| match line.starts_with("log ").then(|| twin.next()).flatten() {
            Some(key) => format!("log {key}"),
            None => line.to_owned(),
        })
        .collect();
    let text = format!("{}\n", lines.join("\n"));
    let refused = TrustFile::parse(&text).unwrap_err().to_string();
    assert!(refused.contains("same name and key id"), "{refused}");
    text
}

#[test]
fn trust_json() {
    let scene = Scene::new();
    let trust = scene.chain.trust();
    let set = &scene.chain.genesis().validators;
    let member = &set.members()[0];
    let name = member.cosigner_name(trust.origin());
    let cosigner = VerifierKey::new(&name, KeyKind::Cosigner, member.cosigner_key.0).unwrap();
    let log = VerifierKey::new(trust.origin(), KeyKind::Log, member.log_key.0).unwrap();
    let block = &scene.chain.blocks()[2];
    let note = SignedNote::parse(block.checkpoint.as_bytes()).unwrap();
    let judged = trust.verify_checkpoint(&block.checkpoint).unwrap();
    // Four cosigners at four times: the quorum is the three freshest, as of the oldest of these three.
    let validators = scene.chain.validators_at(receipt_core::ids::Height::new(2)).to_vec();
    let text = note.text();
    let signed_at = |times: [u64; 4]| {
        let mut lines = vec![validators[1].sign_as_log(trust.origin(), text)];
        lines
            .extend(validators.iter().zip(times).map(|(validator, time)| validator.cosign(trust.origin(), text, time)));
        SignedNote::new(text, lines).unwrap().to_string()
    };
    let until = trust.sets()[0].end.unwrap().until.get();
    let spread = signed_at([until - 30, until - 10, until - 20, until - 40]);
    let spread_judged = trust.verify_checkpoint(&spread).unwrap();
    assert_eq!(spread_judged.as_of.get(), until - 30);
    // This set has ended: it can say nothing later.
    let late = signed_at([until + 1_000, until + 2_000, until + 3_000, until + 4_000]);
    let late_judged = trust.verify_checkpoint(&late).unwrap();
    assert_eq!(late_judged.as_of.get(), until);
    let verdict = |note: &str, judged: &receipt_core::trust::TrustedCheckpoint| {
        json!({
            "note": note, "size": judged.size.get(), "root": judged.root.to_string(),
            "as_of": judged.as_of.get(), "signers": judged.signers, "set_index": judged.set_index,
        })
    };
    let value = json!({
        "trust": trust.to_text(),
        "validator_set": hex::encode(set.encode()),
        "validator_set_hash": set.hash(SUITE).to_string(),
        "quorum": set.quorum(),
        "log_vkey": log.to_string(),
        "cosignature": cosignature(&note, &cosigner),
        "checkpoints": [verdict(&block.checkpoint, &judged), verdict(&spread, &spread_judged), verdict(&late, &late_judged)],
        "trust_of_a_test_chain": trust_of_specimens(),
        "refused_trust": refused_trust(trust),
    });
    assert_ne!(set.hash(SUITE), Hash::ZERO);
    super::check("trust.json", &value);
}
