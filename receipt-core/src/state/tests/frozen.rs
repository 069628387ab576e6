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
            2c0d949ad400f44ec9bfd37440e5e8037a7f08f852650c3330a6ac5836c18f2c
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
            0a2c08011001180120a08d063220d6fff952c65cbf594be02fa1ff2912e298dbfff6bcc06ee5d1152928dec6aa761202
            00011a4093db201459bf8a98911083efe8b8663bbb7e1b4947caa14781bb9ac631ead4f3fbeeb0b8561bd37ba81836c5
            43706c4bf179b671396dda19e529442d46600f0c1a40cddb4f9b6673d9c33dca4204ea00c6a3d8366804e97587966e2e
            51a4980f26a73243087c67e9b2af34dda5a46223a45e54b115b14b820070cec6953d8ef34c08
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
            08011001180320e0e5b9cc99342a20eb8d67ecfee5969804b3492683c5bdb036f27f5827dcb53cebf2cc80734d05dd32
            2071f0ad4e5b1a38ca8a0e036255e1dd6ea9c1667f8e14f5a8d379384571822eec3a2072e1e7350de056806e03e4b2f1
            4727f7a82ae4aadcf0106e04345ea9009eafee422072e1e7350de056806e03e4b2f14727f7a82ae4aadcf0106e04345e
            a9009eafee4a200690ae6b59ed6417d829bb2d4e0d3b8461b476030826b60de9cf73eef0bcaeaa5220fbeb7dd5d47e56
            3e170170584f52ef8a7809687c25d37702ac690f74b1d2833f
        "#]],
    );
    check(
        effects.tip.effects_hash.as_bytes(),
        &expect![[r#"
            0690ae6b59ed6417d829bb2d4e0d3b8461b476030826b60de9cf73eef0bcaeaa
        "#]],
    );
    check(
        effects.tip.encode(),
        &expect![[r#"
            0000000000000003000001a1998e72e0c6ce8faa6953e5e13775f41625248b8b1185d03e75524f617d06d0ff21b12bc8
            0690ae6b59ed6417d829bb2d4e0d3b8461b476030826b60de9cf73eef0bcaeaa000000000000000871f0ad4e5b1a38ca
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
            79793632e4728f6fb6af8accdee444c1a904a924ed2ceec23a9cee8b44cfb76a
        "#]],
    );
}
