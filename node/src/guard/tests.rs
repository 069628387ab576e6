use tallystick_engine::{ConsensusSigner, SignRequest, VoteSlot};

use super::*;

mod rules;
mod walk;

const CHAIN: ChainId = ChainId(Hash([7; 32]));
const A: BlockId = BlockId([0xA; 32]);
const B: BlockId = BlockId([0xB; 32]);

fn path(directory: &scratch::Directory) -> PathBuf {
    directory.path().join("guard.bin")
}

/// As after a restart, while the guard before it may still be there: without the lock.
fn read(directory: &scratch::Directory) -> Guard {
    let file = OpenOptions::new().read(true).write(true).open(path(directory)).unwrap();
    Guard::read(&path(directory), CHAIN, file).unwrap()
}

fn open(directory: &scratch::Directory) -> GuardedSigner {
    GuardedSigner::new(std::sync::Arc::new(read(directory)), &[1; 32])
}

fn slot(height: u64, round: u32) -> VoteSlot {
    VoteSlot { height, round }
}

fn prevote(height: u64, round: u32, block_id: Option<BlockId>) -> SignRequest {
    SignRequest::Prevote { slot: slot(height, round), block_id, polka_round: None, untimely: false }
}

fn precommit(height: u64, round: u32, block_id: Option<BlockId>) -> SignRequest {
    SignRequest::Precommit { slot: slot(height, round), block_id }
}

fn proposal(height: u64, round: u32, pol_round: Option<u32>, block_id: BlockId) -> SignRequest {
    SignRequest::Proposal { slot: slot(height, round), pol_round, block_id }
}

fn preimage(request: &SignRequest) -> Vec<u8> {
    match request {
        SignRequest::Prevote { slot, block_id, .. } => tallystick_engine::prevote(&CHAIN.0.0, *slot, block_id.as_ref()),
        SignRequest::Precommit { slot, block_id } => tallystick_engine::precommit(&CHAIN.0.0, *slot, block_id.as_ref()),
        SignRequest::Proposal { slot, pol_round, block_id } => {
            tallystick_engine::proposal(&CHAIN.0.0, *slot, *pol_round, block_id)
        }
        _ => Vec::new(),
    }
}

/// Asks, checks that the signature is of what the answer states, and returns the statement. `None`: refused.
fn ask(signer: &GuardedSigner, request: &SignRequest) -> Option<SignRequest> {
    let signed = signer.sign(request, &preimage(request)).ok()?;
    let key = ed25519_dalek::VerifyingKey::from_bytes(&signer.public_key()).unwrap();
    let signature = ed25519_dalek::Signature::from_bytes(&signed.signature);
    key.verify_strict(&preimage(&signed.statement), &signature).unwrap();
    Some(signed.statement)
}

#[test]
fn a_second_vote_gets_the_first_across_restarts() {
    let directory = scratch::Directory::new();
    Guard::create(&path(&directory), CHAIN).unwrap();
    let first = open(&directory).sign(&prevote(5, 1, Some(A)), &preimage(&prevote(5, 1, Some(A)))).unwrap();
    let signer = open(&directory);
    assert_eq!(signer.sign(&prevote(5, 1, Some(A)), &preimage(&prevote(5, 1, Some(A)))).unwrap(), first);
    assert_eq!(signer.sign(&prevote(5, 1, Some(B)), &preimage(&prevote(5, 1, Some(B)))).unwrap(), first);
    assert_eq!(signer.sign(&prevote(5, 1, None), &preimage(&prevote(5, 1, None))).unwrap(), first);
    assert_eq!(ask(&signer, &prevote(4, 9, Some(A))), None, "an older height");
    assert_eq!(ask(&signer, &prevote(6, 0, Some(B))), Some(prevote(6, 0, Some(B))));
    assert_eq!(ask(&open(&directory), &prevote(5, 2, Some(B))), None, "heights never fall");
}

#[test]
fn a_refusal_for_a_conflict_says_so_and_one_for_a_broken_file_does_not() {
    let directory = scratch::Directory::new();
    Guard::create(&path(&directory), CHAIN).unwrap();
    let signer = open(&directory);
    ask(&signer, &prevote(5, 0, None)).unwrap();
    assert!(signer.sign(&prevote(4, 0, None), &preimage(&prevote(4, 0, None))).unwrap_err().conflict);
    let wrong = signer.sign(&prevote(5, 1, None), &preimage(&prevote(5, 1, Some(A)))).unwrap_err();
    assert!(!wrong.conflict, "a preimage that says something else");
}

#[test]
fn a_write_that_failed_is_not_remembered_and_nothing_is_given_out() {
    let directory = scratch::Directory::new();
    Guard::create(&path(&directory), CHAIN).unwrap();
    let guard = std::sync::Arc::new(read(&directory));
    guard.state.lock().unwrap().file = File::open(path(&directory)).unwrap(); // not writable
    let signer = GuardedSigner::new(std::sync::Arc::clone(&guard), &[1; 32]);
    for block in [A, B] {
        let request = precommit(1, 0, Some(block));
        assert!(!signer.sign(&request, &preimage(&request)).unwrap_err().conflict);
        assert!(guard.permit_checkpoint(TreeSize::new(10), Hash([1; 32])).is_err(), "again and again");
    }
    assert_eq!(guard.summary(), read(&directory).summary());
    assert_eq!(guard.summary().lock, None);
}

#[test]
fn checkpoints_never_shrink_and_never_change() {
    let directory = scratch::Directory::new();
    Guard::create(&path(&directory), CHAIN).unwrap();
    let guard = read(&directory);
    guard.permit_checkpoint(TreeSize::new(10), Hash([1; 32])).unwrap();
    guard.permit_checkpoint(TreeSize::new(10), Hash([1; 32])).unwrap();
    drop(guard);
    let guard = read(&directory);
    assert!(guard.permit_checkpoint(TreeSize::new(10), Hash([2; 32])).is_err());
    assert!(guard.permit_checkpoint(TreeSize::new(9), Hash([1; 32])).is_err());
    guard.permit_checkpoint(TreeSize::new(11), Hash([2; 32])).unwrap();
}

#[test]
fn a_torn_slot_leaves_the_one_before_it() {
    let directory = scratch::Directory::new();
    Guard::create(&path(&directory), CHAIN).unwrap();
    ask(&open(&directory), &prevote(1, 0, Some(A))); // counter 2: second slot
    let before = std::fs::read(path(&directory)).unwrap();
    ask(&open(&directory), &prevote(2, 0, Some(B))); // counter 3: first slot
    let after = std::fs::read(path(&directory)).unwrap();
    for cut in [0, 1, 40, 80, 150, 200] {
        let mut torn = after.clone();
        torn[cut..SLOT_BYTES].copy_from_slice(&before[cut..SLOT_BYTES]);
        std::fs::write(path(&directory), &torn).unwrap();
        let guard = read(&directory);
        assert_eq!(guard.position().0, 1, "cut at {cut}");
    }
}

#[test]
fn a_damaged_foreign_or_older_file_is_not_opened() {
    let directory = scratch::Directory::new();
    Guard::create(&path(&directory), CHAIN).unwrap();
    let problem = |chain| match Guard::open(&path(&directory), chain) {
        Err(GuardError::Unreadable { problem, .. }) => problem,
        _ => panic!("it opens"),
    };
    assert!(problem(ChainId(Hash([8; 32]))).contains("another chain"));
    assert!(Guard::create(&path(&directory), CHAIN).is_err(), "create never overwrites");
    // The first format, which had digests of votes only.
    let mut slot = Contents::default().encode_slot(CHAIN, 1);
    let end = slot.len() - 32;
    slot[11] = 1;
    let checksum = receipt_core::hash::sha256(&[&slot[..end]]);
    slot[end..].copy_from_slice(&checksum.0);
    slot.resize(2 * SLOT_BYTES, 0);
    std::fs::write(path(&directory), &slot).unwrap();
    assert!(problem(CHAIN).contains("another format"));
    std::fs::write(path(&directory), vec![0; 2 * SLOT_BYTES]).unwrap();
    assert!(problem(CHAIN).contains("checksum"));
}

#[test]
fn what_is_remembered_survives_the_file() {
    let directory = scratch::Directory::new();
    Guard::create(&path(&directory), CHAIN).unwrap();
    let signer = open(&directory);
    for request in [proposal(3, 0, None, A), prevote(3, 0, Some(A)), precommit(3, 0, Some(A)), prevote(3, 1, None)] {
        assert_eq!(ask(&signer, &request).as_ref(), Some(&request));
    }
    assert_eq!(ask(&signer, &proposal(3, 4, Some(0), A)), Some(proposal(3, 4, Some(0), A)));
    let guard = read(&directory);
    let summary = GuardSummary { height: 3, round: Some(1), lock: Some((0, A)), cosigned_size: TreeSize::new(0) };
    assert_eq!(guard.summary(), summary);
    assert!(!guard.is_amended_at(3));
    assert_eq!(guard.proposed_at(3, 0), Proposed::Block(A));
    assert_eq!(guard.proposed_at(3, 4), Proposed::Again);
    assert_eq!(guard.proposed_at(3, 1), Proposed::Nothing);
    assert_eq!(guard.proposed_at(4, 0), Proposed::Nothing);
    ask(&open(&directory), &prevote(3, 0, None)).unwrap();
    let guard = read(&directory);
    assert!(guard.is_amended_at(3) && !guard.is_amended_at(4), "another word than asked for, on disk");
    ask(&open(&directory), &prevote(4, 0, None)).unwrap();
    assert!(!read(&directory).is_amended_at(4));
}

#[test]
fn one_process_at_a_time() {
    let directory = scratch::Directory::new();
    Guard::create(&path(&directory), CHAIN).unwrap();
    let guard = Guard::open(&path(&directory), CHAIN).unwrap();
    assert!(matches!(Guard::open(&path(&directory), CHAIN), Err(GuardError::InUse { .. })));
    drop(guard);
    Guard::open(&path(&directory), CHAIN).unwrap();
}

/// Else the node could neither start with it nor be made anew: nobody may replace a damaged guard.
#[test]
fn a_crash_while_it_is_made_leaves_none() {
    let directory = scratch::Directory::new();
    let unfinished = directory.path().join(".guard.bin.tmp");
    std::fs::write(&unfinished, [0; 100]).unwrap();
    Guard::create(&path(&directory), CHAIN).unwrap();
    ask(&open(&directory), &prevote(1, 0, Some(A))).unwrap();
    // The crash came after the name was given: both names are the guard's.
    std::fs::hard_link(path(&directory), &unfinished).unwrap();
    assert!(Guard::create(&path(&directory), CHAIN).is_err());
    assert_eq!(read(&directory).position().0, 1, "the guard is as it was");
}

#[test]
fn a_damaged_slot_is_told_from_one_that_was_never_written() {
    let slot = Contents::default().encode_slot(CHAIN, 1);
    let damaged = |bytes: &[u8]| is_damaged(bytes, &Contents::decode_slot(bytes));
    let flipped = |at: usize| slot.iter().enumerate().map(|(i, byte)| byte ^ u8::from(i == at)).collect::<Vec<u8>>();
    assert!(!damaged(&slot) && !damaged(&vec![0; SLOT_BYTES]));
    assert!(damaged(&flipped(70)) && damaged(&flipped(0)) && damaged(&slot[..slot.len() - 1]));
}

/// A guard whose last height was amended is amended anew at the next, or its log would be replayed.
#[test]
fn each_height_is_amended_on_its_own() {
    let directory = scratch::Directory::new();
    Guard::create(&path(&directory), CHAIN).unwrap();
    for height in 1..4 {
        let asked =
            SignRequest::Prevote { slot: slot(height, 0), block_id: Some(A), polka_round: None, untimely: true };
        assert_eq!(ask(&open(&directory), &asked), Some(prevote(height, 0, None)));
        assert!(read(&directory).is_amended_at(height), "height {height}");
    }
}
