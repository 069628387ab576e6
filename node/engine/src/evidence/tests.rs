use ed25519_dalek::{Signer as _, SigningKey};

use super::*;
use crate::preimage::{StreamFields, precommit, prevote, proposal, stream};

const CHAIN: [u8; 32] = [7; 32];
const SLOT: VoteSlot = VoteSlot { height: 5, round: 2 };
const A: BlockId = BlockId([0xAA; 32]);
const B: BlockId = BlockId([0xBB; 32]);

fn signed(preimage: Vec<u8>, seed: u8) -> SignedStatement {
    let signature = SigningKey::from_bytes(&[seed; 32]).sign(&preimage).to_bytes();
    SignedStatement { preimage, signature }
}

fn found(first: Vec<u8>, second: Vec<u8>) -> Equivocation {
    let public_key = SigningKey::from_bytes(&[1; 32]).verifying_key().to_bytes();
    Equivocation { member: MemberId::new(4), public_key, statements: [signed(first, 1), signed(second, 1)] }
}

/// One row per pair of statements, and what it proves.
#[test]
fn two_statements_of_one_slot_convict_their_signer_and_nothing_else_does() {
    let later = VoteSlot { round: 3, ..SLOT };
    let higher = VoteSlot { height: 6, ..SLOT };
    let fields = StreamFields {
        pol_round: None,
        block_id: A,
        proposer: MemberId::new(1),
        sender: MemberId::new(1),
        bytes_total: 9,
        chunk_hashes: vec![[7; 32]],
    };
    let no_conflict = Err(DoubleSignError::NoConflict);
    let kind = |kind: &'static str, block_ids| Ok(DoubleSign { kind, chain_id: CHAIN, slot: SLOT, block_ids });
    let rows = [
        (prevote(&CHAIN, SLOT, Some(&A)), prevote(&CHAIN, SLOT, Some(&B)), kind("prevote", [Some(A), Some(B)])),
        (prevote(&CHAIN, SLOT, None), prevote(&CHAIN, SLOT, Some(&B)), kind("prevote", [None, Some(B)])),
        (precommit(&CHAIN, SLOT, Some(&A)), precommit(&CHAIN, SLOT, None), kind("precommit", [Some(A), None])),
        (proposal(&CHAIN, SLOT, None, &A), proposal(&CHAIN, SLOT, None, &B), kind("proposal", [Some(A), Some(B)])),
        (proposal(&CHAIN, SLOT, None, &A), proposal(&CHAIN, SLOT, Some(1), &A), kind("proposal", [Some(A), Some(A)])),
        (prevote(&CHAIN, SLOT, Some(&A)), prevote(&CHAIN, SLOT, Some(&A)), no_conflict.clone()),
        (prevote(&CHAIN, SLOT, Some(&A)), precommit(&CHAIN, SLOT, Some(&B)), no_conflict.clone()),
        (prevote(&CHAIN, SLOT, Some(&A)), prevote(&CHAIN, later, Some(&B)), no_conflict.clone()),
        (prevote(&CHAIN, SLOT, Some(&A)), prevote(&CHAIN, higher, Some(&B)), no_conflict.clone()),
        (prevote(&CHAIN, SLOT, Some(&A)), prevote(&[8; 32], SLOT, Some(&B)), no_conflict),
        (stream(&CHAIN, SLOT, &fields), prevote(&CHAIN, SLOT, None), Err(DoubleSignError::Statement(1))),
        (prevote(&CHAIN, SLOT, None), b"tallystick/prevote/v1\n".to_vec(), Err(DoubleSignError::Statement(2))),
    ];
    for (row, (first, second, expected)) in rows.into_iter().enumerate() {
        assert_eq!(found(first, second).check(), expected, "row {row}");
    }
}

#[test]
fn a_signature_of_another_key_convicts_nobody() {
    let mut evidence = found(prevote(&CHAIN, SLOT, Some(&A)), prevote(&CHAIN, SLOT, Some(&B)));
    evidence.statements[1] = signed(evidence.statements[1].preimage.clone(), 2);
    assert_eq!(evidence.check(), Err(DoubleSignError::Signature(2)));
}

/// Every byte of a file changed in turn: it is refused, or says who signed what under another name, or proves nothing.
#[test]
fn the_file_is_read_back_and_a_changed_one_proves_nothing_else() {
    let evidence = found(prevote(&CHAIN, SLOT, Some(&A)), prevote(&CHAIN, SLOT, None));
    let text = evidence.encode();
    assert!(text.len() <= DOUBLE_SIGN_BYTES_MAX, "{}", text.len());
    assert_eq!(Equivocation::decode(&text), Ok(evidence.clone()));
    let longest = found(proposal(&CHAIN, SLOT, Some(1), &A), proposal(&CHAIN, SLOT, Some(2), &B));
    assert!(longest.encode().len() <= DOUBLE_SIGN_BYTES_MAX);
    // The number behind "validator " is a label; the key is what counts.
    let label = text.find("validator ").unwrap() + "validator ".len();
    for at in (0..text.len()).filter(|at| *at != label) {
        let mut changed = text.clone().into_bytes();
        changed[at] = if changed[at] == b'0' { b'1' } else { b'0' };
        let Ok(changed) = Equivocation::decode(std::str::from_utf8(&changed).unwrap()) else { continue };
        assert!(changed.check().is_err(), "byte {at}");
    }
    for text in ["", "tallystick/double-sign/v1", &text[..text.len() - 1], &format!("{text}\n"), &text.to_uppercase()] {
        assert_eq!(Equivocation::decode(text), Err(DoubleSignError::Malformed), "{text:?}");
    }
}
