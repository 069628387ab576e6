//! A whole chain under the dummy suite, and what becomes of things of another suite on either chain.
//!
//! `docs/spec/vectors/foreign-suite.json` is that chain's evidence: the vectors test, which has no dummy suite, refuses it.

use serde_json::json;

use super::*;
use crate::batch::SignedBatchHeader;
use crate::block::{Block, Item};
use crate::credential::SignedCredential;
use crate::entry::Entry;
use crate::genesis::{Genesis, GenesisError};
use crate::governance::{Action, KeyOwner, RegisterKey, SignedGovernance};
use crate::ids::{BatchSequence, Height};
use crate::memory::MemoryState;
use crate::merkle::root_of_leaves;
use crate::reason::Reason;
use crate::record::SignedRecord;
use crate::seal::Seal;
use crate::state::{ApplyError, BlockRefusal, ChainParameters, CheckedBlock, NoCache, apply, genesis_effects};
use crate::testkit::{TestChain, TestReceipt};
use crate::trust::{TrustFile, TrustTextError};
use crate::verdict::{Conclusion, verify_bundle};
use dummy::DummyKey;

mod hashing;
mod mixed_hashes;

/// Receipts, a reversal, a key registered by governance.
fn life(suite: Suite) -> (TestChain, Vec<TestReceipt>) {
    let mut chain = TestChain::with_suite("foreign", suite);
    let mut receipts: Vec<TestReceipt> = ["S01", "S02"].iter().map(|id| chain.issue(id)).collect();
    chain.add_block(&receipts);
    let red = chain.reverse(&receipts[0]);
    chain.add_block(std::slice::from_ref(&red));
    receipts.push(red);
    let governance = chain.governance(vec![new_key(suite, 900)]);
    chain.add_items(vec![Item::Governance(governance)]).unwrap();
    (chain, receipts)
}

fn key_of(suite: Suite) -> PublicKey {
    match suite {
        Suite::Ed25519Sha256 => SoftwareKey::from_seed(&[8; 32]).public_key(),
        Suite::Dummy => DummyKey::from_seed(&[8; 32]).public_key(),
    }
}

fn new_key(suite: Suite, key_id: u32) -> Action {
    Action::RegisterKey(RegisterKey {
        key_id,
        owner_kind: KeyOwner::Unit.number(),
        owner_id: 1,
        suite: suite.number(),
        public_key: key_of(suite).0.to_vec(),
        valid_from_ms: 1,
        valid_until_ms: 0,
    })
}

#[test]
fn a_whole_life_runs_on_either_suite() {
    for suite in [Suite::Ed25519Sha256, Suite::Dummy] {
        let (chain, receipts) = life(suite);
        let genesis = Genesis::decode(&chain.genesis().encode()).unwrap();
        assert_eq!(genesis.suite, suite);
        let trust = TrustFile::parse(&chain.trust().to_text()).unwrap();
        let expected = |conclusion: &Conclusion, reversed: bool| match conclusion {
            Conclusion::Reversed { .. } => reversed,
            Conclusion::InForce { .. } => !reversed,
            _ => false,
        };
        for (receipt, reversed) in receipts.iter().zip([true, false, false]) {
            assert_eq!(receipt.signed.record.suite, suite);
            let verdict = verify_bundle(&chain.bundle(receipt).encode(), &trust, chain.now());
            assert!(expected(&verdict.conclusion, reversed), "{suite:?}: {:?}", verdict.conclusion);
        }
        for block in chain.blocks() {
            assert_eq!((block.seal.suite, trust.verify_checkpoint(&block.checkpoint).is_ok()), (suite, true));
        }
        replay(&chain, &genesis);
    }
}

/// Every block again, from its bytes.
fn replay(chain: &TestChain, genesis: &Genesis) {
    let (state, params) = replay_until(chain, chain.blocks().len() - 1);
    assert_eq!((state.tip().unwrap(), params.id), (chain.state().tip().unwrap(), genesis.chain_id()));
}

/// The state after a height, from the bytes of genesis and blocks.
fn replay_until(chain: &TestChain, height: usize) -> (MemoryState, ChainParameters) {
    let genesis = Genesis::decode(&chain.genesis().encode()).unwrap();
    let params = ChainParameters::of(&genesis);
    let mut state = MemoryState::new();
    let first = genesis_effects(&genesis).unwrap();
    state.commit(first.writes, &first.stale_nodes);
    for decided in &chain.blocks()[1..=height] {
        let block = Block::decode(&decided.bytes).unwrap();
        let key = |id| chain.registered_key(id);
        let checked = CheckedBlock::check(block.content, params.id, &NoCache, &key, [1; 32]).unwrap();
        let effects = apply(&state, &params, &checked).unwrap();
        assert_eq!(effects.seal, block.seal);
        state.commit(effects.writes, &effects.stale_nodes);
    }
    (state, params)
}

#[test]
fn dummy_keys_are_no_ed25519_keys_and_the_reverse() {
    for (suite, other) in [(Suite::Ed25519Sha256, Suite::Dummy), (Suite::Dummy, Suite::Ed25519Sha256)] {
        assert!(suite.registers(&key_of(suite)) && !suite.registers(&key_of(other)), "{suite:?}");
    }
}

/// A chain of `suite`, and a receipt of it as it would be on a chain of the other suite with the same id.
fn mixed(suite: Suite) -> (TestChain, SignedRecord) {
    let mut chain = TestChain::with_suite("foreign", suite);
    let receipt = chain.issue("S01");
    let mut record = receipt.signed.record;
    record.suite = other(suite);
    let id = chain.genesis().chain_id();
    (chain, SignedRecord::sign(record, id, signer(other(suite)).as_ref()))
}

fn other(suite: Suite) -> Suite {
    match suite {
        Suite::Ed25519Sha256 => Suite::Dummy,
        Suite::Dummy => Suite::Ed25519Sha256,
    }
}

fn signer(suite: Suite) -> Box<dyn Signer> {
    match suite {
        Suite::Ed25519Sha256 => Box::new(SoftwareKey::from_seed(&[8; 32])),
        Suite::Dummy => Box::new(DummyKey::from_seed(&[8; 32])),
    }
}

#[test]
fn a_record_of_another_suite_is_refused_and_its_neighbours_named_good() {
    for suite in [Suite::Ed25519Sha256, Suite::Dummy] {
        let (mut chain, foreign) = mixed(suite);
        let good = chain.issue("S02");
        let batch = chain.batch(vec![good.record.clone(), foreign.encode()]);
        chain.add_items(vec![Item::Batch(batch)]).unwrap();
        let entry = Entry::decode(&chain.blocks().last().unwrap().entries[0]).unwrap();
        let Entry::BatchRefused(refused) = entry else { panic!("{entry:?}") };
        let reasons: Vec<_> = refused.refusals.iter().map(|refusal| (refusal.index, refusal.reason)).collect();
        assert_eq!(reasons, [(1, Reason::SuiteUnknown)], "{suite:?}");
    }
}

#[test]
fn headers_governance_and_keys_of_another_suite_are_refused() {
    for suite in [Suite::Ed25519Sha256, Suite::Dummy] {
        let mut chain = TestChain::with_suite("foreign", suite);
        let id = chain.genesis().chain_id();
        let receipt = chain.issue("S01");
        let mut batch = chain.batch(vec![receipt.record]);
        let mut header = batch.header.header.clone();
        header.suite = other(suite);
        header.root = root_of_leaves(header.suite, &batch.records);
        batch.header = SignedBatchHeader::sign(header, id, signer(other(suite)).as_ref());
        let refused = chain.add_items(vec![Item::Batch(batch)]).unwrap_err();
        let batch_refusal = |error: &ApplyError| {
            matches!(error, ApplyError::Refused(BlockRefusal::Batch { reason: Reason::SignatureInvalid, .. }))
        };
        assert!(batch_refusal(&refused), "{refused:?}");

        let mut governance = chain.governance(vec![]).governance;
        governance.suite = other(suite);
        let key = signer(other(suite));
        let foreign = SignedGovernance::sign(governance, id, &[key.as_ref()]);
        let refused = chain.add_items(vec![Item::Governance(foreign)]).unwrap_err();
        assert!(refused.to_string().contains("another suite than the chain"), "{refused}");
    }
    for suite in [Suite::Ed25519Sha256, Suite::Dummy] {
        let mut chain = TestChain::with_suite("foreign", suite);
        let governance = chain.governance(vec![new_key(other(suite), 901)]);
        let refused = chain.add_items(vec![Item::Governance(governance)]).unwrap_err();
        assert!(refused.to_string().contains("another suite than the chain"), "{refused}");
    }
}

/// Even where every signature holds: a suite is not the bundle's to choose.
#[test]
fn a_bundle_of_another_suite_than_its_chain_proves_nothing() {
    for suite in [Suite::Ed25519Sha256, Suite::Dummy] {
        let (chain, receipts) = life(suite);
        let good = chain.bundle(&receipts[1]);
        let id = chain.genesis().chain_id();
        let failure = |bundle: &crate::bundle::Bundle| {
            let verdict = verify_bundle(&bundle.encode(), chain.trust(), chain.now());
            verdict.code()
        };
        assert_eq!(failure(&good), "");
        let mut record = receipts[1].signed.record.clone();
        record.suite = other(suite);
        let mut foreign = good.clone();
        foreign.record = SignedRecord::sign(record, id, signer(other(suite)).as_ref()).encode();
        assert_eq!(failure(&foreign), "CREDENTIAL_SCOPE", "{suite:?}");

        let mut foreign = good.clone();
        let mut credential = SignedCredential::decode(&good.credential).unwrap().credential;
        credential.suite = other(suite);
        credential.public_key = key_of(other(suite));
        let key = signer(other(suite));
        foreign.credential = SignedCredential::sign(credential, id, &[key.as_ref()]).encode();
        assert_eq!(failure(&foreign), "CREDENTIAL_SCOPE", "{suite:?}");

        let mut foreign = good.clone();
        let mut header = SignedBatchHeader::decode(&good.batch.header).unwrap().header;
        header.suite = other(suite);
        foreign.batch.header = SignedBatchHeader::sign(header, id, signer(other(suite)).as_ref()).encode();
        assert_eq!(failure(&foreign), "HEADER_FORM", "{suite:?}");

        let mut foreign = good.clone();
        let seal = Seal { suite: other(suite), ..Seal::decode(&good.status.seal).unwrap() };
        foreign.status.seal = seal.encode();
        assert_eq!(failure(&foreign), "SEAL_FORM", "{suite:?}");
    }
}

#[test]
fn a_trust_file_or_genesis_cannot_change_its_suite() {
    let (chain, receipts) = life(Suite::Dummy);
    let text = chain.trust().to_text();
    let line = format!("suite {}\n", Suite::Dummy.number());
    assert!(text.contains(&line));
    let error = TrustFile::parse(&text.replace(&line, "suite 1\n")).unwrap_err();
    assert_eq!(error, TrustTextError::Whole("an authority's key is not registrable"));
    assert_eq!(TrustFile::parse(&text.replace(&line, "suite 2\n")), Err(TrustTextError::Suite(2)));
    let genesis = Genesis { suite: Suite::Ed25519Sha256, ..chain.genesis().clone() };
    assert!(matches!(Genesis::decode(&genesis.encode()), Err(GenesisError::Unsound(_))));
    // The same names and validators on suite 1 are another chain.
    let (ours, _) = life(Suite::Ed25519Sha256);
    let verdict = verify_bundle(&chain.bundle(&receipts[1]).encode(), ours.trust(), chain.now());
    assert_eq!(verdict.code(), "OTHER_CHAIN");
}

#[test]
fn the_committed_evidence_of_a_foreign_chain_is_this() {
    let (mut chain, receipts) = life(Suite::Dummy);
    let bundle = chain.bundle(&receipts[1]);
    let governance = chain.governance(vec![new_key(Suite::Dummy, 902)]);
    let computed = json!({
        "about": "A chain of a suite that no program has: every part of it is refused.",
        "suite": Suite::Dummy.number(),
        "genesis": hex::encode(chain.genesis().encode()),
        "trust": chain.trust().to_text(),
        "signed_record": hex::encode(&bundle.record),
        "signed_header": hex::encode(&bundle.batch.header),
        "signed_governance": hex::encode(governance.encode()),
        "signed_credential": hex::encode(&bundle.credential),
        "seal": hex::encode(&bundle.status.seal),
        "block": hex::encode(&chain.blocks()[1].bytes),
        "bundle": String::from_utf8(bundle.encode()).unwrap(),
        "verify_at_ms": chain.now().get(),
    });
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/spec/vectors/foreign-suite.json");
    if std::env::var_os("UPDATE_VECTORS").is_some() {
        std::fs::write(path, format!("{}\n", serde_json::to_string_pretty(&computed).unwrap())).unwrap();
    }
    let committed: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert!(committed == computed, "{path} differs from what the code computes; see UPDATE_VECTORS in tests/vectors");
    // Height and sequence are named here so that the vector stays about the suite alone.
    assert_eq!(chain.height(), Height::new(3));
    let header = SignedBatchHeader::decode(&bundle.batch.header).unwrap();
    assert_eq!(header.header.sequence, BatchSequence::new(1));
}
