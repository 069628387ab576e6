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
        8693c03e7e2e3d7aceb0bbceff6d03d176b36d0dd18703eec3896fec6bec3ea8
    "#]],
    );
    check(
        ledger.tip().seal_hash.as_bytes(),
        &expect![[r#"
            6fa6580d7167b425a133f12d98ded5bef923e97dbbd9d18d0b4904527a91e351
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
        f164ded8f4b44639325cb0e3356345f2afeace374ddfd35c0b5b1b27331ef2bd
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
        0801100118022001280130023a203e12715a7039246035eb4c3286cbde081ec7130ca72a841c0a670c44b6b1c00440e8
        8fb9cc993448e88fb9cc99345002
    "#]],
    );
    check(
        ledger.governance(Vec::new()).encode(),
        &expect![[r#"
            0a2c08011001180120a08d0632208693c03e7e2e3d7aceb0bbceff6d03d176b36d0dd18703eec3896fec6bec3ea81202
            00011a4070d567142ebc67d87f761683cf96139bc56bce36f89d9b7b37dbbf4ba4f9f6b966ffede26a9b1a87d10e2198
            5a6b621561161fe66cfb3616647aef5fa86c830b1a40dd28df8ad0e79b10b95cf0ff99f1ad9ca2311ed2d323f03709bd
            1f93edbd06fb564becc214ece203a39945aacf8814b9059d87728849826fd0c4d68da8921309
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
            08011001180320e0e5b9cc99342a20724e8c202bb40d61ec7a4be7842185687ff5edd17e3d976469d02ea2fcf962e132
            20ed305adf9fc5bb5ec17ecce38d831776e290ab37552b871e169ddd768e97aa713a2072e1e7350de056806e03e4b2f1
            4727f7a82ae4aadcf0106e04345ea9009eafee422072e1e7350de056806e03e4b2f14727f7a82ae4aadcf0106e04345e
            a9009eafee4a2093e373b67134a32998991b98c141fe6533a2d524aedf75d92b635d08426a025b5220fbeb7dd5d47e56
            3e170170584f52ef8a7809687c25d37702ac690f74b1d2833f
        "#]],
    );
    check(
        effects.tip.effects_hash.as_bytes(),
        &expect![[r#"
            93e373b67134a32998991b98c141fe6533a2d524aedf75d92b635d08426a025b
        "#]],
    );
    check(
        effects.tip.encode(),
        &expect![[r#"
            0000000000000003000001a1998e72e0ef8064e5814b3c6a3333ac1aad0261f83a56902cff8b4d7fd174d84835028a64
            93e373b67134a32998991b98c141fe6533a2d524aedf75d92b635d08426a025b0000000000000008ed305adf9fc5bb5e
            c17ecce38d831776e290ab37552b871e169ddd768e97aa710000000000000002
        "#]],
    );
    check(
        &effects.entries[0],
        &expect![[r#"
        02080110031a20679ebdf5244d49e909878b424d062d20a4fd226a6def05987e60ade7b0d5c0142201002a0106
    "#]],
    );
    let block = Block { content, seal: effects.seal };
    check(
        block_id(SUITE, &block.encode()).as_bytes(),
        &expect![[r#"
            1c2f4d94a1cd3b65a9c2f6643fc497ba0299e697c5d82ff6cbadf723c5b71546
        "#]],
    );
}
