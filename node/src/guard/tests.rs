use tallystick_engine::{BlockId, VoteSlot};

use super::*;

const CHAIN: ChainId = ChainId(Hash([7; 32]));

fn path(directory: &tempfile::TempDir) -> PathBuf {
    directory.path().join("guard.bin")
}

fn open(directory: &tempfile::TempDir) -> GuardedSigner {
    let guard = Guard::open(&path(directory), CHAIN).unwrap();
    GuardedSigner::new(std::sync::Arc::new(guard), &[1; 32])
}

fn prevote(height: u64, round: u32) -> SignRequest {
    SignRequest::Prevote { slot: VoteSlot { height, round }, block_id: Some(BlockId([0; 32])) }
}

#[test]
fn same_vote_gets_the_stored_signature_and_another_is_refused_across_restarts() {
    let directory = tempfile::tempdir().unwrap();
    Guard::create(&path(&directory), CHAIN).unwrap();
    let first = open(&directory).sign(&prevote(5, 1), b"block a").unwrap();
    let signer = open(&directory);
    assert_eq!(signer.sign(&prevote(5, 1), b"block a").unwrap(), first);
    assert!(signer.sign(&prevote(5, 1), b"block b").is_err());
    assert!(signer.sign(&prevote(4, 9), b"older height").is_err());
    assert!(signer.sign(&prevote(5, 2), b"block b").is_ok());
    assert!(signer.sign(&prevote(6, 0), b"next height").is_ok());
    assert!(open(&directory).sign(&prevote(5, 2), b"block b").is_err(), "heights never fall");
}

#[test]
fn checkpoints_never_shrink_and_never_change() {
    let directory = tempfile::tempdir().unwrap();
    Guard::create(&path(&directory), CHAIN).unwrap();
    let guard = Guard::open(&path(&directory), CHAIN).unwrap();
    guard.permit_checkpoint(TreeSize::new(10), Hash([1; 32])).unwrap();
    guard.permit_checkpoint(TreeSize::new(10), Hash([1; 32])).unwrap();
    drop(guard);
    let guard = Guard::open(&path(&directory), CHAIN).unwrap();
    assert!(guard.permit_checkpoint(TreeSize::new(10), Hash([2; 32])).is_err());
    assert!(guard.permit_checkpoint(TreeSize::new(9), Hash([1; 32])).is_err());
    guard.permit_checkpoint(TreeSize::new(11), Hash([2; 32])).unwrap();
}

#[test]
fn a_torn_slot_leaves_the_one_before_it() {
    let directory = tempfile::tempdir().unwrap();
    Guard::create(&path(&directory), CHAIN).unwrap();
    open(&directory).sign(&prevote(1, 0), b"one").unwrap(); // counter 2: second slot
    let before = std::fs::read(path(&directory)).unwrap();
    open(&directory).sign(&prevote(2, 0), b"two").unwrap(); // counter 3: first slot
    let after = std::fs::read(path(&directory)).unwrap();
    for cut in [0, 1, 40, 80, 150] {
        let mut torn = after.clone();
        torn[cut..SLOT_BYTES].copy_from_slice(&before[cut..SLOT_BYTES]);
        std::fs::write(path(&directory), &torn).unwrap();
        let guard = Guard::open(&path(&directory), CHAIN).unwrap();
        assert_eq!(guard.position().0, 1, "cut at {cut}");
    }
}

#[test]
fn a_damaged_or_foreign_file_is_not_opened() {
    let directory = tempfile::tempdir().unwrap();
    Guard::create(&path(&directory), CHAIN).unwrap();
    assert!(matches!(Guard::open(&path(&directory), ChainId(Hash([8; 32]))), Err(GuardError::Unreadable { .. })));
    std::fs::write(path(&directory), vec![0; 2 * SLOT_BYTES]).unwrap();
    assert!(matches!(Guard::open(&path(&directory), CHAIN), Err(GuardError::Unreadable { .. })));
    assert!(Guard::create(&path(&directory), CHAIN).is_err(), "create never overwrites");
}

#[test]
fn many_rounds_keep_the_newest_and_refuse_below_the_floor() {
    let directory = tempfile::tempdir().unwrap();
    Guard::create(&path(&directory), CHAIN).unwrap();
    let signer = open(&directory);
    for round in 0..600 {
        signer.sign(&prevote(1, round), &round.to_be_bytes()).unwrap();
    }
    assert!(signer.sign(&prevote(1, 0), &0_u32.to_be_bytes()).is_err());
    assert!(open(&directory).sign(&prevote(1, 599), &599_u32.to_be_bytes()).is_ok());
}
