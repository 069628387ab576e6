//! Every signature right, a hash of the other suite: refused wherever it stands.

use std::collections::HashMap;

use super::{other, replay_until};
use crate::batch::SignedBatchHeader;
use crate::block::{Batch, Block, Item};
use crate::bundle::Bundle;
use crate::hash::Hash;
use crate::ids::{Height, LeafIndex, TreeSize};
use crate::merkle::{InnerTree, root_of_leaf_hashes};
use crate::note::{SignedNote, TlogProof};
use crate::receipt::disclosure::{Body, Seed};
use crate::record::{SignedRecord, status_key};
use crate::state::tables::Table;
use crate::state::{
    ApplyError, BatchFault, BlockRefusal, ChainParameters, CheckedBatch, CheckedBlock, NoCache, StateRead, StatusValue,
    apply, status_value_hash,
};
use crate::status::{StatusError, StatusMap, StatusProofError};
use crate::suite::dummy::DummyKey;
use crate::suite::{Signer, SoftwareKey, Suite};
use crate::testkit::{TestChain, TestReceipt};
use crate::trust::TrustFile;
use crate::verdict::verify_bundle;

const BOTH: [Suite; 2] = [Suite::Ed25519Sha256, Suite::Dummy];

/// The chain's own key of this name.
fn chain_key(suite: Suite, name: &str) -> Box<dyn Signer> {
    let seed = crate::hash::tagged("tallystick/testkit/v1", &[name.as_bytes()]).0;
    match suite {
        Suite::Ed25519Sha256 => Box::new(SoftwareKey::from_seed(&seed)),
        Suite::Dummy => Box::new(DummyKey::from_seed(&seed)),
    }
}

/// A chain whose first receipt is reversed, and the bundle of its second.
fn scene(suite: Suite) -> (TestChain, Vec<TestReceipt>, Bundle) {
    let (chain, receipts) = super::life(suite);
    let bundle = chain.bundle(&receipts[1]);
    assert_eq!(failure(&chain, &bundle), "", "{suite:?}");
    (chain, receipts, bundle)
}

fn failure(chain: &TestChain, bundle: &Bundle) -> &'static str {
    let verdict = verify_bundle(&bundle.encode(), chain.trust(), chain.now());
    verdict.code()
}

#[test]
fn a_body_under_the_other_hash_is_not_what_the_record_commits_to() {
    for suite in BOTH {
        let (chain, receipts, good) = scene(suite);
        let receipt = &receipts[1];
        let body = |suite: Suite, seed: &Seed| Body::of_values(suite, good.values.clone(), seed).unwrap();
        let (own, foreign) = (body(suite, &receipt.seed), body(other(suite), &receipt.seed));
        // Wholly the other suite's; its tree over our salts; our tree over its salts.
        let mixed = [
            foreign.root(),
            root_of_leaf_hashes(other(suite), own.disclosures().iter().map(|value| value.leaf_hash(other(suite)))),
            root_of_leaf_hashes(suite, foreign.disclosures().iter().map(|value| value.leaf_hash(suite))),
        ];
        for (body_root, expected) in mixed.map(|root| (root, "BODY_ROOT")).into_iter().chain([(own.root(), "")]) {
            let mut record = receipt.signed.record.clone();
            record.body_root = body_root;
            let key = chain_key(suite, &format!("unit-{}", record.unit));
            let record = SignedRecord::sign(record, good.chain, key.as_ref()).encode();
            assert_eq!(failure(&chain, &Bundle { record, ..good.clone() }), expected, "{suite:?}");
        }
    }
}

/// The batch with its header over another root, signed by the issuer.
fn with_root(chain: &TestChain, batch: &Batch, root: Hash) -> Batch {
    let mut header = batch.header.header.clone();
    header.root = root;
    let key = chain_key(header.suite, "issuer");
    Batch { header: SignedBatchHeader::sign(header, chain.genesis().chain_id(), key.as_ref()), ..batch.clone() }
}

#[test]
fn a_batch_under_the_other_hash_is_refused() {
    for suite in BOTH {
        let (mut chain, receipts, good) = scene(suite);
        let records: Vec<Vec<u8>> = receipts[..2].iter().map(|receipt| receipt.record.clone()).collect();
        let batch = chain.batch(records.clone());
        let foreign = InnerTree::from_leaves(other(suite), &records).unwrap();
        let check = |batch: Batch| {
            let key = |id| chain.registered_key(id);
            CheckedBatch::check(batch, chain.genesis().chain_id(), &key, [0; 32]).map(drop)
        };
        assert_eq!(check(batch.clone()), Ok(()));
        assert_eq!(check(with_root(&chain, &batch, foreign.root())), Err(BatchFault::Root), "{suite:?}");
        // The root is ours, the header says that it is the other's.
        let mut relabelled = batch.clone();
        relabelled.header.header.suite = other(suite);
        assert_eq!(check(relabelled), Err(BatchFault::Root));

        // The same batch, in a bundle: the path, then the header too.
        let mut bundle = good.clone();
        bundle.batch.path = foreign.path(LeafIndex::new(1)).unwrap();
        assert_eq!(failure(&chain, &bundle), "BATCH_INCLUSION", "{suite:?}");
        bundle.batch.header = with_root(&chain, &batch, foreign.root()).header.encode();
        assert_eq!(failure(&chain, &bundle), "BATCH_INCLUSION", "{suite:?}");
    }
}

#[test]
fn a_log_under_the_other_hash_is_refused_even_if_the_quorum_cosigns_it() {
    for suite in BOTH {
        let (chain, _, good) = scene(suite);
        let proof = TlogProof::parse(good.anchor.as_bytes()).unwrap();
        let size = chain.blocks()[1].log_size;
        let entries: Vec<Vec<u8>> = chain.blocks()[..2].iter().flat_map(|block| block.entries.clone()).collect();
        let foreign = InnerTree::from_leaves(other(suite), &entries).unwrap();
        assert_eq!(foreign.size(), TreeSize::new(size));
        let path = foreign.path(proof.index).unwrap();
        let validators = &chain.validators_at(Height::new(1))[..3];
        let note = chain.checkpoint_over(size, foreign.root(), validators, chain.blocks()[1].seal.time.seconds() + 1);
        let cosigned = SignedNote::parse(note.as_bytes()).unwrap();
        for checkpoint in [proof.checkpoint.clone(), cosigned] {
            let anchor = TlogProof { checkpoint, path: path.clone(), ..proof.clone() }.to_string();
            assert_eq!(failure(&chain, &Bundle { anchor, ..good.clone() }), "ANCHOR_INCLUSION", "{suite:?}");
        }
    }
}

#[test]
fn a_status_under_the_other_hash_is_refused() {
    for suite in BOTH {
        let (chain, receipts, good) = scene(suite);
        let reversed = status_key(suite, &receipts[0].record);
        let stored = StateRead::get(chain.state(), Table::Statuses, &reversed.0).unwrap().unwrap();
        let value = StatusValue::decode(&stored).unwrap();
        let foreign = map_of(other(suite), &[(reversed, status_value_hash(other(suite), &value))]);
        let key = status_key(suite, &receipts[1].record);
        let lookup = StatusMap::at(other(suite), &|key: &[u8]| get(&foreign, key), Some(Height::new(1))).prove(&key);
        let mut bundle = good.clone();
        bundle.status.map = lookup.unwrap().proof.encode();
        assert_eq!(failure(&chain, &bundle), "STATUS_PROOF", "{suite:?}");
        // The status of the record under the other suite's key is not there: that says nothing of the record.
        let elsewhere = chain.state().prove_status(suite, &status_key(other(suite), &receipts[0].record)).unwrap();
        let mut bundle = chain.bundle(&receipts[0]);
        (bundle.status.map, bundle.status.value) = (elsewhere.proof.encode(), None);
        assert_eq!(failure(&chain, &bundle), "STATUS_PROOF", "{suite:?}");
    }
}

type Records = HashMap<Vec<u8>, Vec<u8>>;

fn get(records: &Records, key: &[u8]) -> Result<Option<Vec<u8>>, ()> {
    Ok(records.get(key).cloned())
}

/// The records of a map with these entries, as of height 1.
fn map_of(suite: Suite, entries: &[(Hash, Hash)]) -> Records {
    let changes: Vec<_> = entries.iter().map(|(key, value)| (*key, Some(value.0.to_vec()))).collect();
    let nothing = |_: &[u8]| Ok::<_, ()>(None);
    StatusMap::at(suite, &nothing, None).update(Height::new(1), &changes).unwrap().nodes.into_iter().collect()
}

#[test]
fn a_status_map_reads_and_proves_under_its_own_suite_only() {
    for suite in BOTH {
        let numbered = |number: u8| (suite.digest(&[&[number]]), Hash([number; 32]));
        let entries: Vec<(Hash, Hash)> = (0..20).map(numbered).collect();
        let records = map_of(suite, &entries);
        let reader = |key: &[u8]| get(&records, key);
        let (map, wrong) = (StatusMap::at(suite, &reader, Some(Height::new(1))), other(suite));
        let root = map.root().unwrap();
        assert_ne!(StatusMap::at(wrong, &reader, Some(Height::new(1))).root().unwrap(), root);
        for (key, value) in &entries {
            let proof = map.prove(key).unwrap().proof;
            assert_eq!(proof.verify(suite, &root, key, Some(&value.0)), Ok(()));
            let refused = proof.verify(wrong, &root, key, Some(&value.0));
            assert_eq!(refused, Err(StatusProofError::RootMismatch), "{suite:?}");
            let unread = StatusMap::at(wrong, &reader, Some(Height::new(1))).prove(key);
            assert!(matches!(unread, Err(StatusError::Corrupt { .. })), "{unread:?}");
        }
        let update =
            StatusMap::at(wrong, &reader, Some(Height::new(1))).update(Height::new(2), &[(entries[3].0, None)]);
        assert!(matches!(update, Err(StatusError::Corrupt { .. })), "{update:?}");
    }
}

#[test]
fn a_validator_set_hash_or_parent_under_the_other_hash_is_another() {
    for suite in BOTH {
        let (chain, _, good) = scene(suite);
        let hash = |suite| chain.genesis().validators.hash(suite).to_string();
        let text = chain.trust().to_text().replace(&hash(suite), &hash(other(suite)));
        let trust = TrustFile::parse(&text).unwrap();
        let verdict = verify_bundle(&good.encode(), &trust, chain.now());
        assert_eq!(verdict.failure().map(|failure| failure.code()), Some("SEAL_SET"), "{suite:?}");

        let (state, params) = replay_until(&chain, 1);
        let mut content = Block::decode(&chain.blocks()[2].bytes).unwrap().content;
        let parent = chain.blocks()[1].seal.encode();
        content.parent_seal_hash = other(suite).tagged("tallystick/seal/v1", &[&parent]);
        let key = |id| chain.registered_key(id);
        let checked = CheckedBlock::check(content, params.id, &NoCache, &key, [0; 32]).unwrap();
        let refused = apply(&state, &params, &checked).unwrap_err();
        assert_eq!(refused, ApplyError::Refused(BlockRefusal::Parent), "{suite:?}");
    }
}

/// A node or auditor that takes the chain for one of the other suite agrees with none of its blocks.
#[test]
fn executing_under_the_other_suite_gives_another_seal_or_none() {
    for suite in BOTH {
        let (mut chain, _, _) = scene(suite);
        chain.add_block(&[]);
        for height in 1..chain.blocks().len() {
            let (state, params) = replay_until(&chain, height - 1);
            let block = Block::decode(&chain.blocks()[height].bytes).unwrap();
            let is_empty = block.content.items.is_empty();
            let key = |id| chain.registered_key(id);
            let checked = CheckedBlock::check(block.content, params.id, &NoCache, &key, [0; 32]).unwrap();
            assert_eq!(apply(&state, &params, &checked).unwrap().seal, block.seal);
            let foreign = ChainParameters { suite: other(suite), ..params };
            match apply(&state, &foreign, &checked) {
                Ok(effects) => {
                    assert!(is_empty);
                    let stated = crate::seal::Seal { suite, ..effects.seal };
                    assert_ne!(stated.effects_hash, block.seal.effects_hash);
                    assert_ne!(stated.totals_commitment, block.seal.totals_commitment);
                    assert_ne!(stated.validator_set_hash, block.seal.validator_set_hash);
                }
                Err(refused) => assert!(!is_empty, "{refused}"),
            }
        }
    }
}

/// A batch that is wholly of the other suite, on a chain that is not.
#[test]
fn a_genesis_of_one_suite_takes_no_batch_of_another() {
    for suite in BOTH {
        let (mut chain, _, _) = scene(suite);
        let (mut twin, _, _) = scene(other(suite));
        let receipt = twin.issue("S03");
        let foreign = twin.batch(vec![receipt.record]);
        let header_hash = foreign.header.header_hash();
        let refused = chain.add_items(vec![Item::Batch(foreign)]).unwrap_err();
        let reason = crate::reason::Reason::SignatureInvalid;
        assert_eq!(refused, ApplyError::Refused(BlockRefusal::Batch { header_hash, reason }), "{suite:?}");
    }
}
