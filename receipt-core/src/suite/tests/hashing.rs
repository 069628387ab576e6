//! Every hash that a ledger states, against its formula written out for both suites: none of them is SHA-256 by habit.

use hmac::block_api::HmacCore;
use hmac::digest::block_api::{Buffer, CoreProxy};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use zeroize::ZeroizeOnDrop;

use super::life;
use crate::blind::{BlindingSecret, PaymentReference};
use crate::block::{Block, Item, block_id};
use crate::hash::Hash;
use crate::ids::{LeafIndex, TreeSize, UnitId};
use crate::merkle::{
    Frontier, InnerTree, NodeReader, TileId, TileNodes, TileReader, consistency_path, empty_root, inclusion_path,
    leaf_hash, root_at, root_of_leaves, tile_hashes, verify_consistency, verify_inclusion,
};
use crate::receipt::disclosure::{Body, Seed};
use crate::record::status_key;
use crate::state::tables::{META_TOTALS, Table, Totals};
use crate::state::{StateRead, StatusValue, status_value_hash, totals_commitment};
use crate::suite::Suite;
use crate::testkit::{TestChain, TestLog, TestReceipt};

const BOTH: [Suite; 2] = [Suite::Ed25519Sha256, Suite::Dummy];

/// The suite's hash, from its definition.
fn digest(suite: Suite, message: &[u8]) -> Hash {
    let prefix: &[u8] = match suite {
        Suite::Ed25519Sha256 => b"",
        Suite::Dummy => b"tallystick/dummy-hash/v1\n",
    };
    Hash(Sha256::digest([prefix, message].concat()).into())
}

fn tagged(suite: Suite, domain: &str, message: &[u8]) -> Hash {
    digest(suite, &[domain.as_bytes(), b"\n", message].concat())
}

/// The first half of the suite's keyed hash, from its definition.
fn keyed(suite: Suite, key: &[u8; 32], message: &[u8]) -> [u8; 16] {
    let prefix: &[u8] = match suite {
        Suite::Ed25519Sha256 => b"",
        Suite::Dummy => b"tallystick/dummy-mac/v1\n",
    };
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(&[prefix, message].concat());
    mac.finalize().into_bytes()[..16].try_into().unwrap()
}

/// RFC 6962 §2.1, word for word.
fn tree_root(suite: Suite, leaves: &[Vec<u8>]) -> Hash {
    match leaves {
        [] => digest(suite, b""),
        [leaf] => digest(suite, &[&[0x00], leaf.as_slice()].concat()),
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            let (left, right) = (tree_root(suite, left), tree_root(suite, right));
            digest(suite, &[&[0x01], left.0.as_slice(), &right.0].concat())
        }
    }
}

#[test]
fn a_suites_hash_is_its_own() {
    let (one, two) = (Suite::Ed25519Sha256, Suite::Dummy);
    let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(one.digest(&[b"a", b"bc"]).to_string(), abc, "FIPS 180-2");
    for suite in BOTH {
        assert_eq!(suite.digest(&[b"a", b"", b"bc"]), digest(suite, b"abc"));
        assert_eq!(suite.tagged("tallystick/x", &[b"a", b"bc"]), tagged(suite, "tallystick/x", b"abc"));
        assert_eq!(suite.keyed(&[7; 32]).short_of([&b"a"[..], b"bc"]), keyed(suite, &[7; 32], b"abc"));
    }
    assert_ne!(one.digest(&[b"abc"]), two.digest(&[b"abc"]));
    assert_ne!(one.keyed(&[7; 32]).short_of([&b"abc"[..]]), two.keyed(&[7; 32]).short_of([&b"abc"[..]]));
}

/// Compiles only with the features `zeroize` of sha2 and hmac. `Hmac` has no bound of its own: it is two states and a buffer.
#[test]
fn states_of_keyed_hashes_are_wiped() {
    fn wiped<T: ZeroizeOnDrop>() {}
    wiped::<<Sha256 as CoreProxy>::Core>();
    wiped::<Buffer<HmacCore<Sha256>>>();
    wiped::<Sha256>();
    wiped::<Seed>();
    wiped::<ed25519_dalek::SigningKey>();
}

#[test]
fn salts_bodies_and_blinded_keys_are_the_suites() {
    for suite in BOTH {
        let seed = Seed::new([9; 32]);
        let values = ["1", "", "二"].map(str::to_owned).to_vec();
        let body = Body::of_values(suite, values.clone(), &seed).unwrap();
        let leaf_data = |(position, value): (u32, &String)| {
            let position = position.to_be_bytes();
            let salt = keyed(suite, &[9; 32], &[&b"tallystick/salt/v1\n"[..], &position].concat());
            [&salt[..], &position, value.as_bytes()].concat()
        };
        let leaves: Vec<Vec<u8>> = (0..).zip(&values).map(leaf_data).collect();
        assert_eq!((body.leaves(), body.root()), (leaves.clone(), tree_root(suite, &leaves)));
        assert_eq!(body.inclusion_path(2).unwrap(), [tree_root(suite, &leaves[..2])]);
        let third = &body.disclosures()[2];
        assert_eq!((third.leaf_hash(suite), third.salt), (leaf_hash(suite, &leaves[2]), seed.salt(suite, 2)));

        let secret = BlindingSecret::new(suite, 3, &[5; 32]);
        let message = [&b"tallystick/biz-key/v1\n"[..], &7_u32.to_be_bytes(), b"HIS-1"].concat();
        assert_eq!(secret.biz_key(UnitId::new(7), "HIS-1"), keyed(suite, &[5; 32], &message));
        let pay_codes = suite.keyed(&[5; 32]).digest_of([&b"tallystick/pay-code-secret/v1\n"[..]]);
        assert_eq!(pay_codes[..16], keyed(suite, &[5; 32], b"tallystick/pay-code-secret/v1\n"));
        for (reference, key, domain) in [
            (PaymentReference::PayCode("4401"), pay_codes, "payment"),
            (PaymentReference::Settlement("4401"), [5; 32], "medical-settlement"),
            (PaymentReference::Decision("4401", None), [5; 32], "decision"),
        ] {
            let message = format!("tallystick/{domain}-key/v1\n4401");
            assert_eq!(secret.uniqueness_key(reference).hash, keyed(suite, &key, message.as_bytes()));
        }
    }
}

/// Serves the log's tiles.
struct Tiles<'a>(&'a TestLog);

impl TileReader for Tiles<'_> {
    type Error = std::convert::Infallible;

    fn suite(&self) -> Suite {
        self.0.suite()
    }

    fn tile(&self, tile: TileId) -> Result<Vec<Hash>, Self::Error> {
        Ok(tile_hashes(self.0, tile).unwrap().unwrap())
    }
}

#[test]
fn trees_are_the_suites_and_their_proofs_hold_under_no_other() {
    for (suite, other) in [(BOTH[0], BOTH[1]), (BOTH[1], BOTH[0])] {
        let (chain, _) = life(suite);
        let entries: Vec<Vec<u8>> = chain.blocks().iter().flat_map(|block| block.entries.clone()).collect();
        let size = TreeSize::new(entries.len() as u64);
        let root = tree_root(suite, &entries);
        assert_eq!(chain.log().root(size.get()), root);
        assert_eq!(root_of_leaves(suite, &entries), root);
        assert_eq!(InnerTree::from_leaves(suite, &entries).unwrap().root(), root);
        assert_eq!(InnerTree::from_leaves::<Vec<u8>>(suite, []).unwrap().root(), digest(suite, b""));
        assert_eq!((Frontier::new(suite).root(), empty_root(suite)), (digest(suite, b""), digest(suite, b"")));
        let tiles = Tiles(chain.log());
        let nodes = TileNodes::new(&tiles, size);
        assert_eq!(root_at(&nodes, size), Ok(root));

        for (position, entry) in (0_u64..).zip(&entries) {
            let index = LeafIndex::new(position);
            let path = inclusion_path(&nodes, index, size).unwrap();
            let verify =
                |leaf, inner| verify_inclusion(inner, &leaf_hash(leaf, entry), index, size, &path, &root).is_ok();
            let verdicts = [verify(suite, suite), verify(other, suite), verify(suite, other), verify(other, other)];
            assert_eq!(verdicts, [true, false, false, false], "leaf {position}");

            let older = TreeSize::new(position + 1);
            let path = consistency_path(chain.log(), older, size).unwrap();
            let old_root = tree_root(suite, &entries[..=position as usize]);
            let verify = |suite| verify_consistency(suite, older, &old_root, size, &root, &path).is_ok();
            // From a tree to itself there is nothing to hash.
            assert_eq!((verify(suite), verify(other)), (true, older == size), "from {older}");
        }
        let mut regrown = Frontier::decode(other, &Frontier::new(suite).encode()).unwrap();
        for entry in &entries {
            regrown.append(entry, |_, _| ()).unwrap();
        }
        assert_eq!((regrown.root(), regrown.root() == root), (tree_root(other, &entries), false));
    }
}

/// The chain's own hashes, each from bytes that stand in a block, the log or the state. `effects_hash`: the tests of `state`.
#[test]
fn every_hash_of_a_chain_is_its_suites() {
    for suite in BOTH {
        let (chain, receipts) = life(suite);
        let genesis = chain.genesis();
        assert_eq!(genesis.chain_id().0, tagged(suite, "tallystick/genesis/v1", &genesis.encode()));
        let set = tagged(suite, "tallystick/validator-set/v1", &genesis.validators.encode());
        assert_eq!((genesis.validators.hash(suite), chain.trust().sets()[0].set_hash), (set, set));
        for receipt in &receipts {
            let key = tagged(suite, "tallystick/status-key/v1", &receipt.record);
            assert_eq!(status_key(suite, &receipt.record), key);
            let body = Body::of_values(suite, chain.bundle(receipt).values, &receipt.seed).unwrap();
            assert_eq!(receipt.signed.record.body_root, tree_root(suite, &body.leaves()));
        }
        for pair in chain.blocks().windows(2) {
            let (parent, decided) = (&pair[0], &pair[1]);
            let id = tagged(suite, "tallystick/block/v1", &decided.bytes);
            assert_eq!((block_id(suite, &decided.bytes), &decided.certificate[12..44]), (id, &id.0[..]));
            assert_eq!(decided.seal.parent_seal_hash, tagged(suite, "tallystick/seal/v1", &parent.seal.encode()));
            assert_eq!([decided.seal.validator_set_hash, decided.seal.next_validator_set_hash], [set, set]);
            for item in Block::decode(&decided.bytes).unwrap().content.items {
                item_hashes(suite, &item);
            }
        }
        state_hashes(suite, &chain, &receipts);
    }
}

fn item_hashes(suite: Suite, item: &Item) {
    match item {
        Item::Batch(batch) => {
            assert_eq!(batch.header.header.root, tree_root(suite, &batch.records));
            let header = tagged(suite, "tallystick/batch-header/v1", &batch.header.header_bytes);
            assert_eq!(batch.header.header_hash(), header);
        }
        Item::Governance(signed) => {
            assert_eq!(signed.hash(), tagged(suite, "tallystick/governance-id/v1", &signed.governance_bytes));
        }
    }
}

/// Status map and totals of block 2, which reversed the first receipt.
fn state_hashes(suite: Suite, chain: &TestChain, receipts: &[TestReceipt]) {
    let decided = &chain.blocks()[2];
    let salt = Block::decode(&decided.bytes).unwrap().content.salt;
    let key = tagged(suite, "tallystick/status-key/v1", &receipts[0].record);
    let stored = StateRead::get(chain.state(), Table::Statuses, &key.0).unwrap().unwrap();
    let value = StatusValue::decode(&stored).unwrap();
    assert_eq!(value.salt, tagged(suite, "tallystick/status-salt/v1", &[salt, key.0].concat()).0[..16]);
    let value_hash = tagged(suite, "tallystick/status-value/v1", &stored);
    assert_eq!(status_value_hash(suite, &value), value_hash);
    // One entry: the map's root is its leaf.
    let leaf = [&b"JMT::LeafNode"[..], &key.0, &digest(suite, &value_hash.0).0].concat();
    assert_eq!(decided.seal.status_root, digest(suite, &leaf));

    let totals = StateRead::get(chain.state(), Table::Meta, META_TOTALS).unwrap().unwrap();
    let commitment = tagged(suite, "tallystick/totals/v1", &[&salt[..], &totals].concat());
    assert_eq!(totals_commitment(suite, &salt, &Totals::decode(&totals).unwrap()), commitment);
    // No later block issued anything.
    assert_eq!(decided.seal.totals_commitment, commitment);
}
