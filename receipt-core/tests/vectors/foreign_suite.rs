//! A shipped build meets a chain of another suite: every part is refused with the suite named where a person would ask, and
//! nothing of it verifies. The file is written by the tests of `suite`, the only build that has that suite.

use receipt_core::batch::SignedBatchHeader;
use receipt_core::block::Block;
use receipt_core::credential::SignedCredential;
use receipt_core::genesis::{Genesis, GenesisError};
use receipt_core::governance::SignedGovernance;
use receipt_core::ids::UnixMillis;
use receipt_core::reason::Reason;
use receipt_core::record::SignedRecord;
use receipt_core::seal::Seal;
use receipt_core::suite::Suite;
use receipt_core::trust::{TrustFile, TrustTextError};
use receipt_core::verdict::{Language, verify_bundle};
use serde_json::Value;

#[test]
fn no_build_but_the_tests_own_has_a_second_suite() {
    let known: Vec<u32> =
        (0..=0xffff).chain([0xD000_0001, u32::MAX]).filter(|n| Suite::from_number(*n).is_some()).collect();
    assert_eq!(known, [1]);
}

#[test]
fn every_part_of_a_foreign_chain_is_refused() {
    let text = std::fs::read_to_string(super::folder().join("foreign-suite.json")).unwrap();
    let file: Value = serde_json::from_str(&text).unwrap();
    let bytes = |name: &str| hex::decode(file[name].as_str().unwrap()).unwrap();
    let suite = u32::try_from(file["suite"].as_u64().unwrap()).unwrap();

    let genesis = Genesis::decode(&bytes("genesis")).unwrap_err();
    assert_eq!(genesis, GenesisError::Suite(suite));
    assert!(genesis.to_string().contains(&suite.to_string()), "{genesis}");
    assert_eq!(TrustFile::parse(file["trust"].as_str().unwrap()), Err(TrustTextError::Suite(suite)));
    assert_eq!(SignedRecord::decode(&bytes("signed_record")), Err(Reason::SuiteUnknown));
    assert_eq!(SignedBatchHeader::decode(&bytes("signed_header")), Err(Reason::SuiteUnknown));
    assert!(SignedGovernance::decode(&bytes("signed_governance")).is_err());
    assert!(SignedCredential::decode(&bytes("signed_credential")).is_err());
    assert!(Seal::decode(&bytes("seal")).is_err());
    assert!(Block::decode(&bytes("block")).is_err());

    // Under a trust file of ours it is another chain's bundle; relabelled as ours, a record of an unknown suite.
    let scene = super::scene::Scene::new();
    let bundle = file["bundle"].as_str().unwrap();
    let at = UnixMillis::new(file["verify_at_ms"].as_u64().unwrap());
    let code = |bundle: &str| {
        let verdict = verify_bundle(bundle.as_bytes(), scene.chain.trust(), at);
        (verdict.code(), verdict.to_line(Language::En))
    };
    assert_eq!(code(bundle).0, "OTHER_CHAIN");
    let parsed: Value = serde_json::from_str(bundle).unwrap();
    let ours = scene.chain.genesis().chain_id().0.to_string();
    let relabelled = code(&bundle.replace(parsed["chain"].as_str().unwrap(), &ours));
    assert_eq!(relabelled.0, "RECORD_FORM");
    assert!(relabelled.1.contains("suite") || relabelled.1.contains("SUITE"), "{relabelled:?}");
}
