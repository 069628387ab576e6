//! Frozen preimages. A change of these bytes is a change of the chain's format.

use super::*;

const CHAIN: [u8; 32] = [0xC1; 32];
const BLOCK: BlockId = BlockId([0xB0; 32]);
const SLOT: VoteSlot = VoteSlot { height: 0x0102_0304_0506_0708, round: 0x090A_0B0C };

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// namespace in hex, 0a, the chain id, then what the row says.
fn check(actual: &[u8], namespace_hex: &str, rest: &str) {
    assert_eq!(hex(actual), format!("{namespace_hex}0a{}{}", "c1".repeat(32), rest.replace(' ', "")));
}

#[test]
fn layouts_are_frozen() {
    let slot = "0102030405060708 090a0b0c";
    let (block, zeros) = ("b0".repeat(32), "00".repeat(32));
    let prevote_ns = "74616c6c79737469636b2f707265766f74652f7631";
    let precommit_ns = "74616c6c79737469636b2f707265636f6d6d69742f7631";
    let proposal_ns = "74616c6c79737469636b2f70726f706f73616c2f7631";
    let stream_ns = "74616c6c79737469636b2f73747265616d2f7631";
    check(&prevote(&CHAIN, SLOT, Some(&BLOCK)), prevote_ns, &format!("{slot} 01 {block}"));
    check(&prevote(&CHAIN, SLOT, None), prevote_ns, &format!("{slot} 00 {zeros}"));
    check(&precommit(&CHAIN, SLOT, Some(&BLOCK)), precommit_ns, &format!("{slot} 01 {block}"));
    check(&precommit(&CHAIN, SLOT, None), precommit_ns, &format!("{slot} 00 {zeros}"));
    check(&proposal(&CHAIN, SLOT, None, &BLOCK), proposal_ns, &format!("{slot} 00 00000000 {block}"));
    check(&proposal(&CHAIN, SLOT, Some(5), &BLOCK), proposal_ns, &format!("{slot} 01 00000005 {block}"));
    let fields = StreamFields {
        pol_round: Some(5),
        block_id: BLOCK,
        proposer: MemberId::new(6),
        sender: MemberId::new(7),
        bytes_total: 8,
        chunk_hashes: vec![[0xD0; 32], [0xD1; 32]],
    };
    let hashes = ["d0".repeat(32), "d1".repeat(32)].concat();
    let expected = format!("{slot} 01 00000005 {block} 00000006 00000007 00000008 {hashes}");
    check(&stream(&CHAIN, SLOT, &fields), stream_ns, &expected);
    let session = "5e".repeat(32);
    let link = link(&CHAIN, MemberId::new(6), MemberId::new(7), &[0x5E; 32]);
    check(&link, "74616c6c79737469636b2f6c696e6b2f7631", &format!("00000006 00000007 {session}"));
}

/// A nil vote and a vote for the block of zeros are different statements.
#[test]
fn nil_is_not_the_zero_block() {
    assert_ne!(prevote(&CHAIN, SLOT, None), prevote(&CHAIN, SLOT, Some(&BlockId([0; 32]))));
}

/// No two kinds share a preimage, whatever their fields.
#[test]
fn kinds_and_chains_are_apart() {
    let all = [
        prevote(&CHAIN, SLOT, Some(&BLOCK)),
        precommit(&CHAIN, SLOT, Some(&BLOCK)),
        proposal(&CHAIN, SLOT, None, &BLOCK),
        prevote(&[0xC2; 32], SLOT, Some(&BLOCK)),
        prevote(&CHAIN, VoteSlot { round: 0, ..SLOT }, Some(&BLOCK)),
    ];
    for (index, one) in all.iter().enumerate() {
        assert!(all.iter().skip(index + 1).all(|other| other != one), "{index}");
    }
}
