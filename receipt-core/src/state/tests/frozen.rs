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
            4e73f4cbab21fbd51e303186fa343e09892519ae6e371258ceaf4794f4ae998f
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
            cc05eb78f7bafcb507d699238b072d5c3ccfe2a9fe840610f07536d64faffbcf
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
            0801100118022001280130023a207dbc01b08ee9ce1eecedfb7b3d9fa06f3e6ce4a4d001a6887fcb42e5b5d3291a40e8
            8fb9cc993448e88fb9cc99345002
        "#]],
    );
    check(
        ledger.governance(Vec::new()).encode(),
        &expect![[r#"
            0a2c08011001180120a08d063220d6fff952c65cbf594be02fa1ff2912e298dbfff6bcc06ee5d1152928dec6aa761220
            9a6a559dd44db6db871dc7a93f23b04bfe4149cee9779e8d2cc9fccbe762ad8c1220b1f3887812b6e7ac0d0ae4632efb
            55bd1c31945d9febccee71c18cdd12668f3b1a40cddb4f9b6673d9c33dca4204ea00c6a3d8366804e97587966e2e51a4
            980f26a73243087c67e9b2af34dda5a46223a45e54b115b14b820070cec6953d8ef34c081a4093db201459bf8a989110
            83efe8b8663bbb7e1b4947caa14781bb9ac631ead4f3fbeeb0b8561bd37ba81836c543706c4bf179b671396dda19e529
            442d46600f0c
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
            08011001180320e0e5b9cc99342a20a1af02a29b6dad4092067145dfb3c2a83b44744fbd3b1f75ab770debf698568b32
            2007d0d6bddc111e197025131ddf95297a78aaf4bf0d02cddf83ae5296103653ed3a2072e1e7350de056806e03e4b2f1
            4727f7a82ae4aadcf0106e04345ea9009eafee422072e1e7350de056806e03e4b2f14727f7a82ae4aadcf0106e04345e
            a9009eafee4a20fd2d0bafe2707d07bcc9c30b7d7e66c30bfeeb0d66fa639e56b23ba2d4c5857a5220fbeb7dd5d47e56
            3e170170584f52ef8a7809687c25d37702ac690f74b1d2833f5a20d5d132991c450a1f7f01bf9c8bf44f60d9dcb5311d
            8f2b4376ab8240597b09fa
        "#]],
    );
    check(
        effects.tip.effects_hash.as_bytes(),
        &expect![[r#"
            fd2d0bafe2707d07bcc9c30b7d7e66c30bfeeb0d66fa639e56b23ba2d4c5857a
        "#]],
    );
    check(
        effects.tip.encode(),
        &expect![[r#"
            0000000000000003000001a1998e72e08bba58ebb126b77daacbbcb29b04b7234f315b87fa38d1315c7a54671d70d478
            fd2d0bafe2707d07bcc9c30b7d7e66c30bfeeb0d66fa639e56b23ba2d4c5857a000000000000000807d0d6bddc111e19
            7025131ddf95297a78aaf4bf0d02cddf83ae5296103653edd5d132991c450a1f7f01bf9c8bf44f60d9dcb5311d8f2b43
            76ab8240597b09fa0000000000000002
        "#]],
    );
    check(
        &effects.entries[0],
        &expect![[r#"
            02080110031a20fcb2c3fc8f07c5797baaeb3cde10595aac55395d7f91ffe0cd4a2b3a4128d82b2201002a0106
        "#]],
    );
    let block = Block { content, seal: effects.seal };
    check(
        block_id(SUITE, &block.encode()).as_bytes(),
        &expect![[r#"
            12234e0affb5d721d8232c411eb5298715434212dc03d065088e6d2d89d10597
        "#]],
    );
}
