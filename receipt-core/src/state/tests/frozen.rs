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
            d6fff952c65cbf594be02fa1ff2912e298dbfff6bcc06ee5d1152928dec6aa76
        "#]],
    );
    check(
        ledger.tip().seal_hash.as_bytes(),
        &expect![[r#"
        c2dd0fe4e65a0f4e889f80a3f21e3c7f20f4c91d6d6cf6ff657db871a125eb60
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
        0b0b0b0b0b0b0b0b0b0b0b0b0b0b581e6210b0b0b0b0b0b0b0b000000000000000016801721101010101010101010101
        010101010101017211020202020202020202020202020202020272110303030303030303030303030303030303880180
        c0d2f59934
    "#]],
    );
    check(
        red.record.encode(),
        &expect![[r#"
        080110011801209e939e2f280930013891da0440e88fb9cc9934486552200b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b
        0b0b0b0b0b0b0b0b0b0b0b0b0b0b581e6210b0b0b0b0b0b0b0b000000000000000096801721101010101010101010101
        010101010101017211020202020202020202020202020202020272110303030303030303030303030303030303789e93
        9e2f800101880180c0d2f59934
    "#]],
    );
    check(
        status_key(SUITE, &blue.leaf()).as_bytes(),
        &expect![[r#"
            0e1d88d84db9ba279599e2b671d33d6e36cbb7cdb18e8ade697553ea3f7afaf0
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
            0801100118022001280130023a20db3526698062df18f086f04aafb0468d747e012444beb495a16523c451e2be1f40e8
            8fb9cc993448e88fb9cc99345002
        "#]],
    );
    check(
        ledger.governance(Vec::new()).encode(),
        &expect![[r#"
            0a0a08011001180120c0843d120200011a40048d9d2203e5f34345bd672bd2f2f33f4fa7aa1bba735833bff1de76a1a5
            182df3abf7b7d5ed06ab2cb9bc7a1375c5d5f3b1b71a8532af266172f2a0cf712f0d1a4093bfd8f7dafb9b2de11ef3d0
            b9640bbda7aa00728fbbc0da2e765f867db98a52f94ad0c9b4927d8becf799ce8b38211c12497c224bfda057b4ff1b14
            62fe2107
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
            08011001180320e0e5b9cc99342a20a4d1dad130eed78c5f6499d9c0d917f06c612181f406ea67708efc128dac2ae232
            2071f0ad4e5b1a38ca8a0e036255e1dd6ea9c1667f8e14f5a8d379384571822eec3a2072e1e7350de056806e03e4b2f1
            4727f7a82ae4aadcf0106e04345ea9009eafee422072e1e7350de056806e03e4b2f14727f7a82ae4aadcf0106e04345e
            a9009eafee4a2021097cb410b1f614291b458c94a952e5e65fdd0c3a34609a4efa6e1d9f9a6a0b5220fbeb7dd5d47e56
            3e170170584f52ef8a7809687c25d37702ac690f74b1d2833f
        "#]],
    );
    check(
        effects.tip.effects_hash.as_bytes(),
        &expect![[r#"
            21097cb410b1f614291b458c94a952e5e65fdd0c3a34609a4efa6e1d9f9a6a0b
        "#]],
    );
    check(
        effects.tip.encode(),
        &expect![[r#"
            0000000000000003000001a1998e72e0cb2d2236f5a4f719d82eaabf3de5a7d85b6e686e06f5fe677627122d57df33a8
            21097cb410b1f614291b458c94a952e5e65fdd0c3a34609a4efa6e1d9f9a6a0b000000000000000871f0ad4e5b1a38ca
            8a0e036255e1dd6ea9c1667f8e14f5a8d379384571822eec0000000000000002
        "#]],
    );
    check(
        &effects.entries[0],
        &expect![[r#"
            02080110031a2019be03bd1dee5f1fe0adeca5c10fa4706efda294264f6c2efe934d38e39ef1012201002a0106
        "#]],
    );
    let block = Block { content, seal: effects.seal };
    check(
        block_id(SUITE, &block.encode()).as_bytes(),
        &expect![[r#"
            221711a2fcd2b1dc716c1a8b21e80ac4864d3cf5742a6283cc519a91d3f8fcc0
        "#]],
    );
}
