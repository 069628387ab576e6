//! Salts, leaves, root and paths.

use expect_test::expect;

use super::*;
use crate::receipt::fixture;

/// The published RFC 6962 vectors.
#[test]
fn roots_are_those_of_rfc_6962() {
    let leaves: Vec<Vec<u8>> =
        ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
            .iter()
            .map(|leaf| hex::decode(leaf).unwrap())
            .collect();
    for (count, root) in [
        (0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        (1, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"),
        (2, "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"),
        (3, "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"),
        (5, "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4"),
        (8, "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"),
    ] {
        assert_eq!(body_root(&leaves[..count]).to_string(), root, "{count}");
    }
    let path: Vec<String> = inclusion_path(&leaves, 5).unwrap().iter().map(ToString::to_string).collect();
    expect![[r#"
        bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b
        ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0
        d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"#]]
    .assert_eq(&path.join("\n"));
    assert_eq!(inclusion_path(&leaves, 8), None);
}

/// Frozen: salts, leaf data and root of one receipt. A change here breaks every receipt ever issued.
#[test]
fn the_body_of_format_version_1_is_frozen() {
    let body = Body::of_receipt(&fixture::receipt(), &fixture::seed()).unwrap();
    expect!["75649ff7117c397f2adc6f918ef32a75000000003939303630313236"]
        .assert_eq(&hex::encode(body.disclosures()[0].leaf_data()));
    expect!["96dd52cb7c703e6c52e877296f0eb00690665f9dba8c356bd89d17e03dd14061"].assert_eq(&body.root().to_string());
    assert_eq!(body_root(&body.leaves()), body.root());
    assert_eq!(body.receipt().unwrap(), fixture::receipt());
}

#[test]
fn every_value_salt_and_position_counts() {
    let body = Body::of_receipt(&fixture::receipt(), &fixture::seed()).unwrap();
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
    assert_ne!(Body::of_receipt(&fixture::receipt(), &Seed::new([8; 32])).unwrap().root(), root);
}

#[test]
fn salts_differ_and_secrets_do_not_print() {
    let seed = fixture::seed();
    assert_ne!(seed.salt(0), seed.salt(1));
    assert_eq!(format!("{seed:?}"), "Seed(…)");
    assert_eq!(format!("{:?}", fixture::receipt().issued.check_code), "CheckCode(******)");
}
