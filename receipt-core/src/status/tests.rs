//! The map against a naive model and against `jmt`'s own prover and verifier, spoiled proofs, broken stores.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::hashing::{common_bits, inner_hash, leaf_hash, nibble};
use super::record::HEAD_KEY;
use super::update::prove_by_jmt;
use super::*;
use crate::hash::{Hash, sha256};
use crate::ids::Height;
use crate::suite::Suite;

const SUITE: Suite = Suite::Ed25519Sha256;

type Changes = Vec<(Hash, Option<Vec<u8>>)>;

/// A store in memory that can fail.
#[derive(Default, Clone)]
struct Store {
    records: BTreeMap<Vec<u8>, Vec<u8>>,
    broken: bool,
}

impl StatusReader for Store {
    type Error = &'static str;

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, &'static str> {
        if self.broken { Err("disk") } else { Ok(self.records.get(key).cloned()) }
    }
}

/// A map with its store and a naive model beside it; stale records go at once.
#[derive(Clone)]
struct World {
    suite: Suite,
    store: Store,
    version: Option<Height>,
    model: BTreeMap<Hash, Vec<u8>>,
}

impl World {
    fn new(suite: Suite) -> Self {
        Self { suite, store: Store::default(), version: None, model: BTreeMap::new() }
    }

    fn of(entries: impl IntoIterator<Item = (Hash, Vec<u8>)>) -> Self {
        Self::filled(SUITE, entries)
    }

    fn filled(suite: Suite, entries: impl IntoIterator<Item = (Hash, Vec<u8>)>) -> Self {
        let mut world = Self::new(suite);
        let changes: Changes = entries.into_iter().map(|(key, value)| (key, Some(value))).collect();
        world.apply(0, &changes);
        world
    }

    fn map(&self) -> StatusMap<'_, Store> {
        StatusMap::at(self.suite, &self.store, self.version)
    }

    fn apply(&mut self, height: u64, changes: &Changes) -> StatusUpdate {
        let update = self.map().update(Height::new(height), changes).unwrap();
        for (key, value) in &update.nodes {
            let before = self.store.records.insert(key.clone(), value.clone());
            assert!(before.is_none() || key == HEAD_KEY, "nodes are immutable");
        }
        for key in &update.stale {
            assert!(self.store.records.remove(key).is_some(), "only live records become stale");
        }
        for (key, value) in changes {
            match value {
                Some(value) => self.model.insert(*key, value.clone()),
                None => self.model.remove(key),
            };
        }
        self.version = update.version;
        assert_eq!(StatusMap::latest(self.suite, &self.store).unwrap().version(), update.version);
        update
    }

    fn model_root(&self) -> Hash {
        let entries: Vec<(&Hash, &Vec<u8>)> = self.model.iter().collect();
        naive_root(self.suite, &entries, 0)
    }

    /// Value and proof, verified, for one key.
    fn prove(&self, key: &Hash) -> (Option<Vec<u8>>, StatusProof) {
        let StatusLookup { value, proof } = self.map().prove(key).unwrap();
        assert_eq!(value.as_ref(), self.model.get(key));
        assert_eq!(proof.is_of_presence(), value.is_some());
        proof.verify(self.suite, &self.model_root(), key, value.as_deref()).unwrap();
        (value, proof)
    }
}

/// The definition in the module's head, written down directly.
fn naive_root(suite: Suite, entries: &[(&Hash, &Vec<u8>)], depth: usize) -> Hash {
    match entries {
        [] => empty_root(),
        [(key, value)] => leaf_hash(suite, key, &suite.digest(&[value])),
        _ => {
            let middle = entries.partition_point(|(key, _)| key.0[depth / 8] & (0x80 >> (depth % 8)) == 0);
            let (left, right) = entries.split_at(middle);
            inner_hash(suite, &naive_root(suite, left, depth + 1), &naive_root(suite, right, depth + 1))
        }
    }
}

/// `jmt`'s encoding of a proof, translated into ours.
fn proof_from_jmt(suite: Suite, bytes: &[u8], key: &Hash) -> Vec<u8> {
    let hash = |bytes: &[u8]| Hash::from_slice(bytes).unwrap();
    let (mut ours, mut rest) = match bytes[0] {
        0 => (vec![0], &bytes[1..]),
        _ if bytes[1..33] == key.0 => (vec![1], &bytes[65..]),
        _ => ([&[2], &bytes[1..65]].concat(), &bytes[65..]),
    };
    let count = u32::from_le_bytes(rest[..4].try_into().unwrap());
    rest = &rest[4..];
    ours.extend_from_slice(&(count as u16).to_be_bytes());
    for _ in 0..count {
        let (sibling, size) = match rest[0] {
            0 => (empty_root(), 1),
            1 => (inner_hash(suite, &hash(&rest[1..33]), &hash(&rest[33..65])), 65),
            _ => (leaf_hash(suite, &hash(&rest[1..33]), &hash(&rest[33..65])), 65),
        };
        ours.extend_from_slice(sibling.as_bytes());
        rest = &rest[size..];
    }
    assert!(rest.is_empty());
    ours
}

fn key(number: u64) -> Hash {
    sha256(&[&number.to_be_bytes()])
}

fn numbered(count: u64) -> World {
    World::of((0..count).map(|number| (key(number), number.to_be_bytes().to_vec())))
}

/// Keys that share long prefixes, so that deep paths and collapses happen.
fn close_key() -> impl Strategy<Value = Hash> {
    (0..6usize, prop::collection::vec(any::<bool>(), 3)).prop_map(|(spread, flips)| {
        let mut key = [0x5a; 32];
        for (flip, depth) in flips.iter().zip([spread, spread * 7 + 1, 255 - spread]) {
            key[depth / 8] ^= u8::from(*flip) << (7 - depth % 8);
        }
        Hash(key)
    })
}

fn any_key() -> impl Strategy<Value = Hash> {
    prop_oneof![close_key(), (0..40u64).prop_map(key)]
}

fn changes() -> impl Strategy<Value = Vec<BTreeMap<Hash, Option<Vec<u8>>>>> {
    let value = prop::option::weighted(0.6, prop::collection::vec(any::<u8>(), 0..4));
    prop::collection::vec(prop::collection::btree_map(any_key(), value, 0..8), 1..8)
}

#[test]
fn the_empty_map() {
    let world = World::new(SUITE);
    assert_eq!(world.map().root().unwrap(), empty_root());
    assert_eq!(hex::encode(empty_root().0), "5350415253455f4d45524b4c455f504c414345484f4c4445525f484153485f5f");
    let (value, proof) = world.prove(&key(1));
    assert_eq!((value, proof.encode()), (None, vec![0, 0, 0]));
    assert_eq!(proof.verify(SUITE, &key(2), &key(1), None), Err(StatusProofError::RootMismatch));
    let nothing = world.map().update(Height::new(5), &[(key(1), None)]).unwrap();
    assert_eq!(nothing, StatusUpdate { root: empty_root(), version: None, nodes: vec![], stale: vec![] });
}

#[test]
fn frozen_roots_and_hashing() {
    // One entry: SHA-256("JMT::LeafNode" ‖ key ‖ SHA-256(value)), computed here from plain hashing.
    let one = World::of([(Hash([0x11; 32]), b"status".to_vec())]);
    let leaf = sha256(&[b"JMT::LeafNode", &[0x11; 32], &sha256(&[b"status"]).0]);
    assert_eq!(one.map().root().unwrap(), leaf);
    // Two entries that part at the first bit.
    let two = World::of([(Hash([0x11; 32]), b"status".to_vec()), (Hash([0x91; 32]), vec![])]);
    let right = sha256(&[b"JMT::LeafNode", &[0x91; 32], &sha256(&[]).0]);
    assert_eq!(two.map().root().unwrap(), sha256(&[b"JMT::IntrnalNode", &leaf.0, &right.0]));
    // Computed by a second implementation of the module's head, in another language.
    let frozen = [
        (1, "7cf8a4a9ea6faea3406efec92e9b2b6f87a398ee4aa7b3c89089a9503e4b866e"),
        (10, "56b994cb26100c702b59c69240381ca201f48a1d655e83047c7f546e36b46d4d"),
        (1000, "4e2baccc4396a38b9a42f44b8384a8425fbf043594893fc91372fe91b73c0da1"),
    ];
    for (count, root) in frozen {
        assert_eq!(numbered(count).map().root().unwrap().to_string(), root, "{count} entries");
    }
}

#[test]
fn blocks_that_change_nothing_make_no_version() {
    let mut world = numbered(20);
    let before = world.clone();
    let root = world.map().root().unwrap();
    let same = vec![(key(3), Some(3u64.to_be_bytes().to_vec())), (key(99), None)];
    for (height, changes) in [(7, vec![]), (8, same)] {
        let update = world.apply(height, &changes);
        assert_eq!((update.root, update.version), (root, before.version));
        assert!(update.nodes.is_empty() && update.stale.is_empty());
    }
    // Heights may be skipped.
    assert_eq!(world.apply(1_000_000, &vec![(key(3), None)]).version, Some(Height::new(1_000_000)));
    assert_eq!(world.map().root().unwrap(), world.model_root());
    world.prove(&key(3));
}

#[test]
fn an_emptied_map_leaves_no_record() {
    let mut world = numbered(50);
    let removals = (0..50).map(|number| (key(number), None)).collect();
    let update = world.apply(1, &removals);
    assert_eq!((update.root, update.version), (empty_root(), None));
    assert_eq!(world.store.records, BTreeMap::from([(HEAD_KEY.to_vec(), vec![])]));
    world.apply(2, &vec![(key(1), Some(vec![1]))]);
    assert_eq!(world.map().root().unwrap(), world.model_root());
}

#[test]
fn the_old_version_stays_readable_until_pruned() {
    let world = numbered(100);
    let (value, proof) = world.prove(&key(7));
    let update = world.map().update(Height::new(1), &[(key(7), None), (key(200), Some(vec![9]))]).unwrap();
    let mut store = world.store.clone();
    store.records.extend(update.nodes.iter().cloned());
    assert_eq!(StatusMap::at(SUITE, &store, world.version).prove(&key(7)).unwrap(), StatusLookup { value, proof });
    let now = StatusMap::at(SUITE, &store, update.version).prove(&key(7)).unwrap();
    assert_eq!(now.value, None);
    assert_eq!(now.proof.verify(SUITE, &update.root, &key(7), None), Ok(()));
    for stale in &update.stale {
        store.records.remove(stale);
    }
    assert!(matches!(StatusMap::at(SUITE, &store, world.version).prove(&key(7)), Err(StatusError::Missing { .. })));
}

#[test]
fn refused_updates() {
    let world = numbered(3);
    let twice = world.map().update(Height::new(1), &[(key(1), None), (key(1), Some(vec![]))]);
    assert_eq!(twice, Err(StatusError::ChangedTwice(key(1))));
    let again = world.map().update(Height::new(0), &[(key(1), None)]);
    assert_eq!(again, Err(StatusError::VersionNotAfter { next: Height::new(0), base: Height::new(0) }));
    let broken = Store { broken: true, ..world.store.clone() };
    let map = StatusMap::at(SUITE, &broken, world.version);
    assert_eq!(map.update(Height::new(1), &[(key(1), None)]), Err(StatusError::Reader("disk")));
    assert_eq!(map.prove(&key(1)), Err(StatusError::Reader("disk")));
    assert_eq!(map.root(), Err(StatusError::Reader("disk")));
    let empty = Store::default();
    let map = StatusMap::at(SUITE, &empty, world.version);
    assert!(matches!(map.update(Height::new(1), &[(key(1), None)]), Err(StatusError::Missing { .. })));
}

#[test]
fn the_head_names_the_last_version() {
    let world = numbered(3);
    let closure = |key: &[u8]| Ok::<_, String>(world.store.records.get(key).cloned());
    let latest = StatusMap::latest(SUITE, &closure).unwrap();
    assert_eq!((latest.version(), latest.root().unwrap()), (world.version, world.model_root()));
    for head in [vec![0], vec![0; 7], vec![0; 9]] {
        let mut store = world.store.clone();
        store.records.insert(HEAD_KEY.to_vec(), head);
        assert!(matches!(StatusMap::latest(SUITE, &store), Err(StatusError::Corrupt { .. })));
    }
}

#[test]
fn broken_records_are_errors_and_never_panics() {
    let world = numbered(40);
    let keys: Vec<Vec<u8>> = world.store.records.keys().cloned().collect();
    for record in &keys {
        let original = world.store.records[record].clone();
        let mut variants: Vec<Vec<u8>> = (0..original.len().min(45)).map(|cut| original[..cut].to_vec()).collect();
        for position in 0..original.len() {
            let mut flipped = original.clone();
            flipped[position] ^= 0x40;
            variants.push(flipped);
        }
        variants.extend(keys.iter().map(|other| world.store.records[other].clone()));
        for variant in variants {
            let mut store = world.store.clone();
            store.records.insert(record.clone(), variant);
            let map = StatusMap::at(SUITE, &store, world.version);
            for number in [0, 1, 100] {
                let looked_up = map.prove(&key(number));
                let updated = map.update(Height::new(1), &[(key(number), Some(vec![1])), (key(2), None)]);
                // A root with another hash shows when it is compared with a seal; no other damage changes what is said.
                if map.root().is_ok_and(|root| root == world.model_root()) {
                    let sound = |error| matches!(error, StatusError::Corrupt { .. } | StatusError::Missing { .. });
                    assert!(looked_up.map_or_else(sound, |found| Ok(found) == world.map().prove(&key(number))));
                    let changes = [(key(number), Some(vec![1])), (key(2), None)];
                    let root = world.map().update(Height::new(1), &changes).unwrap().root;
                    assert!(updated.map_or_else(sound, |update| update.root == root));
                }
            }
        }
    }
}

#[test]
fn every_mutation_of_an_encoded_proof_is_refused() {
    let world = numbered(60);
    let root = world.model_root();
    let present: Vec<Hash> = (0..4).map(key).collect();
    let absent: Vec<Hash> = (1_000..1_012).map(key).collect();
    let mut kinds = [0usize; 3];
    for asked in present.iter().chain(&absent) {
        let (value, proof) = world.prove(asked);
        let bytes = proof.encode();
        kinds[usize::from(bytes[0])] += 1;
        assert_eq!(StatusProof::decode(&bytes), Ok(proof));
        let accepted = |bytes: &[u8], value: Option<&[u8]>| {
            StatusProof::decode(bytes).is_ok_and(|proof| proof.verify(SUITE, &root, asked, value).is_ok())
        };
        assert!(accepted(&bytes, value.as_deref()));
        assert!(!accepted(&bytes, Some(b"another value")));
        assert!(!accepted(&bytes, if value.is_some() { None } else { Some(&[]) }));
        for position in 0..bytes.len() {
            for change in 1..=255u8 {
                let mut mutated = bytes.clone();
                mutated[position] ^= change;
                assert!(!accepted(&mutated, value.as_deref()), "byte {position} xor {change}");
                assert!(!accepted(&mutated, if value.is_some() { None } else { Some(b"x") }));
            }
        }
        for cut in 0..bytes.len() {
            assert!(!accepted(&bytes[..cut], value.as_deref()));
        }
        assert!(!accepted(&[bytes.as_slice(), &[0]].concat(), value.as_deref()));
        assert!(!accepted(&[bytes.as_slice(), &[0; 32]].concat(), value.as_deref()));
    }
    assert!(kinds.iter().all(|count| *count > 0), "all three ends occur: {kinds:?}");
}

#[test]
fn crafted_absences_are_refused() {
    let world = numbered(60);
    let root = world.model_root();
    // The path of key 5, which is present, offered as an absence of it by its own leaf as "another".
    let (value, proof) = world.prove(&key(5));
    let bytes = proof.encode();
    let own_leaf = [key(5).0, sha256(&[&value.unwrap()]).0].concat();
    let crafted = StatusProof::decode(&[&[2], own_leaf.as_slice(), &bytes[1..]].concat()).unwrap();
    assert_eq!(crafted.verify(SUITE, &root, &key(5), None), Err(StatusProofError::OtherLeafElsewhere));
    // The same path as an absence of a key elsewhere in the map.
    let elsewhere = (0..60).map(key).find(|other| common_bits(other, &key(5)) == 0).unwrap();
    assert_eq!(crafted.verify(SUITE, &root, &elsewhere, None), Err(StatusProofError::OtherLeafElsewhere));
    // A key that really would stand there: a true absence.
    let mut beside = key(5);
    beside.0[31] ^= 1;
    assert_eq!(crafted.verify(SUITE, &root, &beside, None), Ok(()));
    assert_eq!(world.prove(&beside).1, crafted);
    // An inner node offered as an empty one below a made-up split.
    let padded = [&[0, 0, 1], empty_root().0.as_slice()].concat();
    let padded = StatusProof::decode(&padded).unwrap();
    let split = inner_hash(SUITE, &empty_root(), &empty_root());
    assert_eq!(padded.verify(SUITE, &split, &key(5), None), Err(StatusProofError::NotCanonical));
}

#[test]
fn keys_that_differ_in_the_last_bit() {
    let (even, mut odd) = (Hash([0xaa; 32]), Hash([0xaa; 32]));
    odd.0[31] ^= 1;
    let world = World::of([(even, vec![0]), (odd, vec![1])]);
    assert_eq!(world.map().root().unwrap(), world.model_root());
    for asked in [even, odd] {
        let (_, proof) = world.prove(&asked);
        assert_eq!(proof.encode().len(), 3 + 32 * STATUS_SIBLINGS_MAX);
        assert_eq!(StatusProof::decode(&proof.encode()), Ok(proof));
    }
    let mut third = even;
    third.0[31] ^= 2;
    world.prove(&third);
    let too_many = [&[0, 1, 1], [7u8; 32 * 257].as_slice()].concat();
    assert!(StatusProof::decode(&too_many).is_err());
    assert_eq!((nibble(&even, 0), nibble(&odd, 63)), (0xa, 0xb));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn roots_and_proofs_equal_the_model_and_jmt(
        suite in prop_oneof![Just(Suite::Ed25519Sha256), Just(Suite::Dummy)],
        blocks in changes(),
        asked in prop::collection::vec(any_key(), 12),
    ) {
        let mut world = World::new(suite);
        for (height, block) in (0..).step_by(3).zip(&blocks) {
            let update = world.apply(height, &block.clone().into_iter().collect());
            prop_assert_eq!(update.root, world.model_root());
            prop_assert_eq!(world.map().root().unwrap(), update.root);
            for key in asked.iter().chain(block.keys()) {
                let (value, proof) = world.prove(key);
                prop_assert_eq!(StatusProof::decode(&proof.encode()), Ok(proof.clone()));
                if let Some(version) = world.version {
                    let (jmt_value, jmt_proof) = prove_by_jmt(suite, &world.store, version, key);
                    prop_assert_eq!(&jmt_value, &value);
                    prop_assert_eq!(proof_from_jmt(suite, &jmt_proof, key), proof.encode());
                }
            }
        }
        // All live records belong to the last version: a map built in one block has as many. The head apart, which stays
        // when a map is emptied.
        let fresh = World::filled(suite, world.model.clone());
        let live = |world: &World| world.store.records.keys().filter(|key| *key != HEAD_KEY).count();
        prop_assert_eq!(live(&fresh), live(&world));
        prop_assert_eq!(fresh.map().root().unwrap(), world.model_root());
    }

    #[test]
    fn the_order_of_changes_leaves_no_trace(block in prop::collection::btree_map(any_key(), prop::option::of(any::<[u8; 3]>()), 0..12)) {
        let world = numbered(30);
        let forward: Changes = block.iter().map(|(key, value)| (*key, value.map(|v| v.to_vec()))).collect();
        let backward: Changes = forward.iter().rev().cloned().collect();
        let update = |changes: &Changes| world.map().update(Height::new(1), changes).unwrap();
        prop_assert_eq!(update(&forward), update(&backward));
    }

    #[test]
    fn junk_proofs_never_panic_and_never_hold(
        bytes in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..200),
            (0..3u8, 0..9u16, prop::collection::vec(any::<u8>(), 352)).prop_map(|(end, count, junk)| {
                let size = usize::from(count) * 32 + if end == 2 { 64 } else { 0 };
                let mut bytes = [&[end], &junk[..size]].concat();
                let at = if end == 2 { 65 } else { 1 };
                bytes.splice(at..at, count.to_be_bytes());
                bytes
            }),
        ],
    ) {
        let world = numbered(5);
        if let Ok(proof) = StatusProof::decode(&bytes) {
            prop_assert_eq!(proof.encode(), bytes);
            for value in [None, Some(&b"x"[..])] {
                prop_assert!(proof.verify(SUITE, &world.model_root(), &key(77), value).is_err());
            }
        }
    }
}
