use receipt_core::hash::Hash;
use receipt_core::suite::ChainId;
use tallystick_engine::{BlockId, SignRequest, VoteSlot};

use super::*;
use crate::guard::GuardedSigner;

const CHAIN: ChainId = ChainId(Hash([7; 32]));

#[test]
fn votes_begin_at_the_guards_height_whatever_became_of_the_log() {
    // Decided, voted at, to be reached first.
    for (decided, voted, reach) in
        [(0, 0, None), (0, 1, None), (4, 5, None), (5, 5, None), (9, 5, None), (3, 5, Some(4))]
    {
        assert_eq!(height_to_reach(Height::new(decided), voted), reach.map(Height::new), "{decided} {voted}");
    }
}

/// Else the engine would stop at each start: it derives other votes than it finds.
#[test]
fn a_log_with_other_words_than_the_engine_asked_for_is_set_aside_once() {
    let directory = tempfile::tempdir().unwrap();
    let (log, path) = (directory.path().join(VOTING_LOG), directory.path().join("guard.bin"));
    Guard::create(&path, CHAIN).unwrap();
    let guard = Arc::new(Guard::open(&path, CHAIN).unwrap());
    let signer = GuardedSigner::new(Arc::clone(&guard), &[1; 32]);
    let prevote = |block_id: Option<BlockId>| {
        let slot = VoteSlot { height: 5, round: 0 };
        let preimage = tallystick_engine::prevote(&CHAIN.0.0, slot, block_id.as_ref());
        signer.sign(&SignRequest::Prevote { slot, block_id, polka_round: None, untimely: false }, &preimage).unwrap();
    };
    std::fs::write(&log, b"log").unwrap();
    prevote(None);
    set_amended_log_aside(&guard, &log, 5).unwrap();
    assert!(log.exists(), "as it was asked for");
    prevote(Some(BlockId([1; 32])));
    set_amended_log_aside(&guard, &log, 6).unwrap();
    assert!(log.exists(), "the log of another height is the engine's to reset");
    set_amended_log_aside(&guard, &log, 5).unwrap();
    assert!(!log.exists());
    assert_eq!(std::fs::read(directory.path().join(AMENDED_LOG)).unwrap(), b"log");
    set_amended_log_aside(&guard, &log, 5).unwrap();
}

#[test]
fn damaged_logs_are_moved_under_names_of_their_own() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join(VOTING_LOG);
    for number in 1..=3 {
        std::fs::write(&log, [number]).unwrap();
        let to = move_aside(&log).unwrap();
        assert_eq!(to.file_name().unwrap().to_str().unwrap(), format!("consensus.wal.damaged-{number}"));
    }
    assert!(!log.exists());
    assert_eq!(std::fs::read(directory.path().join("consensus.wal.damaged-1")).unwrap(), [1]);
}
