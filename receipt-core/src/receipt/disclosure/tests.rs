//! Salts, leaves, root and paths.

use expect_test::expect;

use super::*;
use crate::receipt::fixture;

const SUITE: Suite = Suite::Ed25519Sha256;

/// Frozen: salts, leaf data and root of one receipt. A change here breaks every receipt ever issued.
#[test]
fn the_body_of_format_version_1_is_frozen() {
    let body = Body::of_receipt(SUITE, &fixture::receipt(), &fixture::seed()).unwrap();
    expect!["75649ff7117c397f2adc6f918ef32a75000000003939303630313236"]
        .assert_eq(&hex::encode(body.disclosures()[0].leaf_data()));
    expect!["96dd52cb7c703e6c52e877296f0eb00690665f9dba8c356bd89d17e03dd14061"].assert_eq(&body.root().to_string());
    assert_eq!(crate::merkle::root_of_leaves(SUITE, body.leaves()), body.root());
    assert_eq!(body.receipt().unwrap(), fixture::receipt());
}

#[test]
fn every_value_salt_and_position_counts() {
    let body = Body::of_receipt(SUITE, &fixture::receipt(), &fixture::seed()).unwrap();
    let root = body.root();
    for index in 0..body.disclosures().len() {
        let mut changed = body.clone();
        changed.disclosures[index].value.push('x');
        assert_ne!(changed.root(), root);
        let mut changed = body.clone();
        changed.disclosures[index].salt.0[15] ^= 1;
        assert_ne!(changed.root(), root);
        let mut changed = body.clone();
        changed.disclosures[index].position += 1;
        assert_ne!(changed.root(), root);
    }
    assert_ne!(Body::of_receipt(SUITE, &fixture::receipt(), &Seed::new([8; 32])).unwrap().root(), root);
}

#[test]
fn every_position_has_its_path() {
    let body = Body::of_receipt(SUITE, &fixture::receipt(), &fixture::seed()).unwrap();
    let count = u32::try_from(body.disclosures().len()).unwrap();
    let size = crate::ids::TreeSize::new(u64::from(count));
    for (position, disclosure) in (0_u32..).zip(body.disclosures()) {
        let path = body.inclusion_path(position).unwrap();
        let index = LeafIndex::new(u64::from(position));
        assert_eq!(
            crate::merkle::verify_inclusion(SUITE, &disclosure.leaf_hash(SUITE), index, size, &path, &body.root()),
            Ok(())
        );
        assert_eq!(disclosure.leaf_hash(SUITE), crate::merkle::leaf_hash(SUITE, &disclosure.leaf_data()));
    }
    assert_eq!(body.inclusion_path(count), None);
}

#[test]
fn salts_differ_and_secrets_do_not_print() {
    let seed = fixture::seed();
    assert_ne!(seed.salt(SUITE, 0), seed.salt(SUITE, 1));
    assert_eq!(format!("{seed:?}"), "Seed(…)");
    assert_eq!(format!("{:?}", fixture::receipt().issued.check_code), "CheckCode(******)");
}
