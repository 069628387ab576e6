//! The bytes of the formats, pinned: an accidental change of an encoding, a preimage or a table fails here. A deliberate one
//! needs a new format version, and then new values here.

use expect_test::{Expect, expect};

use super::draft::{blue, blue_of_2, red, uniqueness};
use super::ledger::Ledger;
use crate::blind::UniquenessType::{Decision, MedicalSettlement, Payment};
use crate::block::{Block, block_id};
use crate::record::status_key;
use crate::suite::Suite;

const SUITE: Suite = Suite::Ed25519Sha256;

/// Hex, 48 bytes a line.
fn check(bytes: impl AsRef<[u8]>, expected: &Expect) {
    let lines: Vec<String> = bytes.as_ref().chunks(48).map(hex::encode).collect();
    expected.assert_eq(&format!("{}\n", lines.join("\n")));
}

fn keyed(ledger: &Ledger) -> super::draft::Draft {
    let keys = [uniqueness(Payment, 1), uniqueness(MedicalSettlement, 2), uniqueness(Decision, 3)];
    blue(ledger, 1).with_keys(&keys)
}

#[test]
fn genesis() {
    let ledger = Ledger::new();
    check(
        ledger.chain.id.0.as_bytes(),
        &expect![[r#"
            422a2a82ca05410e721069109f48673a18dd072e735b3241782555553dbf0bfe
        "#]],
    );
    check(
        ledger.tip().seal_hash.as_bytes(),
        &expect![[r#"
            8187754b5c686fe389271ee54ba203ff38041164c1ab87400f92c33b55d1febf
        "#]],
    );
}

#[test]
fn records() {
    let ledger = Ledger::new();
    let (blue, red) = (keyed(&ledger), red(&ledger, 9, &keyed(&ledger)));
    check(
        blue.record.encode(),
        &expect![[r#"
            080110011801209e939e2f280130013892da0440e88fb9cc9934486552200b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b
            0b0b0b0b0b0b0b0b0b0b0b0b0b0b581e6210b0b0b0b0b0b0b0b000000000000000016801721701010101010101010101
            010101010101010000000000017217020202020202020202020202020202020200000000000172170303030303030303
            030303030303030303000000000001880180c0d2f59934
        "#]],
    );
    check(
        red.record.encode(),
        &expect![[r#"
            080110011801209e939e2f280930013891da0440e88fb9cc9934486552200b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b
            0b0b0b0b0b0b0b0b0b0b0b0b0b0b581e6210b0b0b0b0b0b0b0b000000000000000096801721701010101010101010101
            010101010101010000000000017217020202020202020202020202020202020200000000000172170303030303030303
            030303030303030303000000000001789e939e2f800101880180c0d2f59934
        "#]],
    );
    check(
        status_key(SUITE, &blue.leaf()).as_bytes(),
        &expect![[r#"
            176f20de181a06e17348a6205f6ca931d744d605420884a22862138d36ec77ed
        "#]],
    );
}

#[test]
fn headers_and_governance() {
    let ledger = Ledger::new();
    let header = ledger.header(2, &[keyed(&ledger).leaf(), blue_of_2(&ledger, 30_001).leaf()]);
    check(
        header.encode(),
        &expect![[r#"
            0801100118022001280130023a203f2fa02a9ad6d1da04737027853c1d0fd32720e197d330c0bab353f542753b4640e8
            8fb9cc993448e88fb9cc99345002
        "#]],
    );
    check(
        ledger.governance(Vec::new()).encode(),
        &expect![[r#"
            0a2c08011001180120a08d063220422a2a82ca05410e721069109f48673a18dd072e735b3241782555553dbf0bfe1220
            9a6a559dd44db6db871dc7a93f23b04bfe4149cee9779e8d2cc9fccbe762ad8c1220b1f3887812b6e7ac0d0ae4632efb
            55bd1c31945d9febccee71c18cdd12668f3b1a40ec48ca1b40c58b3571c92c9d8811da6b72fd24e919e34e79dd12a505
            52f0b334cb240ec943a73fc5d366899fc8da924e56edfe0302d0972e3d0f65de4476c30e1a40b6f035ba7e0bdeed4b32
            0df299e2f89916025c8d3037ba2b50f6164d13739dfa056d5ae73ba0c22817ed8d4771de1a02de87e7c10c64ce18d726
            99a5918bb802
        "#]],
    );
}

#[test]
fn three_blocks() {
    let mut ledger = Ledger::new();
    assert_eq!(ledger.submit(vec![keyed(&ledger).leaf(), blue_of_2(&ledger, 30_001).leaf()]), []);
    assert_eq!(ledger.submit(vec![red(&ledger, 9, &keyed(&ledger)).leaf()]), []);
    // The third is refused.
    let batch = ledger.batch(1, vec![keyed(&ledger).leaf()]);
    let content = ledger.content(vec![batch]);
    let effects = ledger.execute(content.clone()).unwrap();
    check(
        effects.seal.encode(),
        &expect![[r#"
            08011001180320e0e5b9cc99342a2004b29211fbfd2a7b0c4b17e8870c84d22886f46f01123d97f58ff13378cdc3df32
            202d8d6b2df2f63658c6a1b09f9b6fd0b966fb367857f7f711acce052425ff3b853a2072e1e7350de056806e03e4b2f1
            4727f7a82ae4aadcf0106e04345ea9009eafee422072e1e7350de056806e03e4b2f14727f7a82ae4aadcf0106e04345e
            a9009eafee4a206e932ef9f7c216f32e2bbcc21b568f806b6eee3b8c77b7f0bb47f954320c57c35220fbeb7dd5d47e56
            3e170170584f52ef8a7809687c25d37702ac690f74b1d2833f5a20d5d132991c450a1f7f01bf9c8bf44f60d9dcb5311d
            8f2b4376ab8240597b09fa62204be7b9668558b279c9bdf490d12d9122fe644c956a527e3a1fb9e0f475d3b76d
        "#]],
    );
    check(
        effects.tip.effects_hash.as_bytes(),
        &expect![[r#"
            6e932ef9f7c216f32e2bbcc21b568f806b6eee3b8c77b7f0bb47f954320c57c3
        "#]],
    );
    check(
        effects.tip.encode(),
        &expect![[r#"
            0000000000000003000001a1998e72e0aceb94a1177f32c551d223852e2660d547bfdc7f0e4986fc54f59cbef45e5450
            6e932ef9f7c216f32e2bbcc21b568f806b6eee3b8c77b7f0bb47f954320c57c300000000000000082d8d6b2df2f63658
            c6a1b09f9b6fd0b966fb367857f7f711acce052425ff3b85d5d132991c450a1f7f01bf9c8bf44f60d9dcb5311d8f2b43
            76ab8240597b09fa4be7b9668558b279c9bdf490d12d9122fe644c956a527e3a1fb9e0f475d3b76d0000000000000002
            0000000000000000
        "#]],
    );
    check(
        &effects.entries[0],
        &expect![[r#"
            02080110031a200654d1b8fa15fe2c1e52d065c296e29f37ed36e75b4aa933eaed83a5e9e800fe2201002a0106
        "#]],
    );
    let block = Block { content, seal: effects.seal };
    check(
        block_id(SUITE, &block.encode()).as_bytes(),
        &expect![[r#"
            44d15c91ebf75b1bfd82c28e52c9c35defee91ec000d3efef952b11dac9a95fc
        "#]],
    );
}
