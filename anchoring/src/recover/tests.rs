use std::sync::Arc;

use receipt_core::ids::RecordKey;
use receipt_core::reason::Reason;
use receipt_core::state::{ApplyError, BlockRefusal};
use receipt_core::testkit::TestChain;

use super::*;
use crate::fate::{Fate, fate};
use crate::journal::Journal;
use crate::testkit::process::{TestProcess, begin, fence, fence_for, init, lose_and_restore, open, recover, run, told};
use crate::testkit::{ledger_block, offered};

struct Fixture {
    chain: TestChain,
    lost: TestProcess,
    dir: scratch::Directory,
}

fn fixture() -> Fixture {
    let dir = scratch::Directory::new();
    let chain = TestChain::new();
    let lost = TestProcess::start(init(&dir.path().join("lost"), &chain), &chain);
    Fixture { dir, chain, lost }
}

impl Fixture {
    fn guard(&self) -> std::path::PathBuf {
        self.dir.path().join("guard")
    }

    fn acknowledge(&mut self) -> RecordKey {
        self.lost.acknowledge(&mut self.chain)
    }

    /// Cuts what waits at the lost journal, and seals it.
    fn seal(&mut self) {
        let (_, request) = self.lost.cut();
        self.chain.add_items(vec![offered(&request)]).unwrap();
        self.lost.follow(&self.chain);
    }

    fn restore(&self) -> Arc<Journal> {
        Arc::new(lose_and_restore(self.lost.journal(), &self.dir.path().join("restored")))
    }

    fn run(&self, journal: &Arc<Journal>) -> RecoveryState {
        run(journal, &self.chain, &self.guard()).1
    }
}

fn is_sealed(journal: &Journal, key: RecordKey) -> bool {
    matches!(fate(journal, key).unwrap(), Fate::Sealed { .. })
}

#[test]
fn what_the_ledger_has_is_learnt_and_the_lost_journal_is_fenced() {
    let mut fixture = fixture();
    let before = fixture.acknowledge();
    fixture.seal();
    let journal = fixture.restore();
    let sealed = fixture.acknowledge();
    fixture.seal();
    let unsealed = fixture.acknowledge();
    assert_eq!(fixture.run(&journal), RecoveryState::AwaitsFence { epoch: 1 });
    fence(&journal, &mut fixture.chain, 1);
    let (owner, state) = run(&journal, &fixture.chain, &fixture.guard());
    assert_eq!(state, RecoveryState::Recovered { epoch: 2, waiting: 0 });
    assert_eq!(*owner.fenced.lock().unwrap(), 1, "the owner burns what was leased");
    assert!(is_sealed(&journal, before) && is_sealed(&journal, sealed));
    assert_eq!(told(&journal, sealed), Some(2), "learnt, then sealed");
    assert!(journal.record(unsealed).unwrap().is_none(), "nobody can know it");
    drop((owner, journal));
    let path = fixture.dir.path().join("restored");
    let mut process = TestProcess::start(open(&path, &fixture.chain), &fixture.chain);
    let next = process.acknowledge(&mut fixture.chain);
    let (sequence, request) = process.cut();
    assert_eq!(sequence.get(), 3, "after the batches of the lost journal");
    fixture.chain.add_items(vec![offered(&request)]).unwrap();
    process.follow(&fixture.chain);
    assert!(is_sealed(process.journal(), next));
    // The lost journal turns up again: the ledger takes no header of its epoch, and it halts when it looks.
    let (_, request) = fixture.lost.cut();
    let refused = fixture.chain.add_items(vec![offered(&request)]).unwrap_err();
    let ApplyError::Refused(BlockRefusal::Batch { reason, .. }) = refused else { panic!("{refused}") };
    assert!(matches!(reason, Reason::SequenceConflict | Reason::EpochFenced), "{reason}");
    fixture.lost.follow(&fixture.chain);
    assert!(fixture.lost.journal().halted().unwrap().unwrap().contains("epoch 2"));
}

/// Whose sequence comes next is refused for its epoch alone.
#[test]
fn a_header_of_the_old_epoch_is_refused_as_such() {
    let mut fixture = fixture();
    fixture.acknowledge();
    let (_, request) = fixture.lost.cut();
    fence_for(Vec::new(), &mut fixture.chain, 1);
    let refused = fixture.chain.add_items(vec![offered(&request)]).unwrap_err();
    let ApplyError::Refused(BlockRefusal::Batch { reason, .. }) = refused else { panic!("{refused}") };
    assert_eq!(reason, Reason::EpochFenced);
}

#[test]
fn what_waited_in_the_backup_waits_again_once() {
    let mut fixture = fixture();
    let sealed = fixture.acknowledge();
    let (_, first) = fixture.lost.cut();
    let cut_only = fixture.acknowledge();
    fixture.lost.cut();
    let waiting = fixture.acknowledge();
    let journal = fixture.restore();
    // After the backup the first batch got through; the second never did.
    fixture.chain.add_items(vec![offered(&first)]).unwrap();
    let guard = fixture.guard();
    assert_eq!(recover(&journal, &mut fixture.chain, &guard), RecoveryState::Recovered { epoch: 2, waiting: 2 });
    assert!(is_sealed(&journal, sealed));
    for key in [cut_only, waiting] {
        assert_eq!(fate(&journal, key).unwrap(), Fate::Pending);
    }
}

#[test]
fn a_fence_before_the_first_run_does_not_end_the_halt() {
    let mut fixture = fixture();
    let journal = fixture.restore();
    fixture.acknowledge();
    fence_for(Vec::new(), &mut fixture.chain, 1);
    assert_eq!(fixture.run(&journal), RecoveryState::AwaitsFence { epoch: 2 });
    assert_eq!(fixture.run(&journal), RecoveryState::AwaitsFence { epoch: 2 }, "nor by running again");
    fence(&journal, &mut fixture.chain, 2);
    assert_eq!(fixture.run(&journal), RecoveryState::Recovered { epoch: 3, waiting: 0 });
}

#[test]
fn a_backup_from_the_midst_of_a_recovery_waits_for_a_fence_of_its_own() {
    let mut fixture = fixture();
    let journal = fixture.restore();
    assert_eq!(fixture.run(&journal), RecoveryState::AwaitsFence { epoch: 1 });
    let again = Arc::new(lose_and_restore(&journal, &fixture.dir.path().join("again")));
    fence(&journal, &mut fixture.chain, 1);
    assert_eq!(fixture.run(&journal), RecoveryState::Recovered { epoch: 2, waiting: 0 });
    // The recovered one issues under that epoch, and is lost as well.
    assert_eq!(fixture.run(&again), RecoveryState::AwaitsFence { epoch: 2 });
}

#[test]
fn a_journal_that_is_not_halted_is_left_alone() {
    let Fixture { dir: _dir, chain, lost } = fixture();
    let refused = begin(&lost.desk.journal, &chain).err().unwrap();
    assert!(matches!(refused, RecoverError::NotHalted), "{refused}");
}

#[test]
fn an_interrupted_recovery_is_run_again() {
    let mut fixture = fixture();
    let journal = fixture.restore();
    let keys: Vec<RecordKey> = (0..3)
        .map(|_| {
            let key = fixture.acknowledge();
            fixture.seal();
            key
        })
        .collect();
    // Each run ends after one block more.
    for last in 1..=3 {
        let (mut recovery, _) = begin(&journal, &fixture.chain).unwrap();
        for height in recovery.next_height()..=last {
            recovery.offer(&ledger_block(&fixture.chain, height), fixture.chain.trust()).unwrap();
        }
    }
    assert_eq!(fixture.run(&journal), RecoveryState::AwaitsFence { epoch: 1 });
    assert!(keys.into_iter().all(|key| is_sealed(&journal, key)));
    assert_eq!(journal.event(4).unwrap(), None, "each batch was decided once");
}

#[test]
fn a_node_that_sends_other_records_is_not_believed() {
    let mut fixture = fixture();
    let journal = fixture.restore();
    fixture.acknowledge();
    fixture.seal();
    let good = ledger_block(&fixture.chain, 1);
    let (mut recovery, _) = begin(&journal, &fixture.chain).unwrap();
    let mut bare = good.clone();
    bare.block = bytes::Bytes::new();
    assert!(matches!(recovery.offer(&bare, fixture.chain.trust()), Err(RecoverError::Node(_))), "no records");
    recovery.rewind().unwrap();
    let mut block = Block::decode(&good.block).unwrap();
    let Item::Batch(batch) = &mut block.content.items[0] else { panic!("no batch") };
    let last = batch.records[0].len() - 1;
    batch.records[0][last] ^= 1;
    let mut forged = good.clone();
    forged.block = block.encode().into();
    let refused = recovery.offer(&forged, fixture.chain.trust()).unwrap_err();
    assert!(refused.to_string().contains("root"), "{refused}");
    recovery.rewind().unwrap();
    recovery.offer(&good, fixture.chain.trust()).unwrap();
    assert_eq!(recovery.adopted(), (1, 1));
}

/// Two machines restored one backup, and both asked for a fence: each is in an epoch alone, or not at all.
#[test]
fn of_two_copies_of_one_backup_one_goes_on() {
    let mut fixture = fixture();
    fixture.acknowledge();
    fixture.seal();
    let one = fixture.restore();
    let path = fixture.dir.path().join("copy");
    one.copy_to(&path).unwrap();
    let two = Arc::new(open(&path, &fixture.chain));
    let guard = |name: &str| fixture.dir.path().join(name);
    let guards = [guard("one.guard"), guard("two.guard")];
    for (journal, guard) in [(&one, &guards[0]), (&two, &guards[1])] {
        assert_eq!(run(journal, &fixture.chain, guard).1, RecoveryState::AwaitsFence { epoch: 1 });
    }
    assert_ne!(one.fence_id().unwrap(), two.fence_id().unwrap());
    fence(&one, &mut fixture.chain, 1);
    // A crash between learning of the fence and the end of the halt forgets nothing.
    for _ in 0..2 {
        assert_eq!(run(&two, &fixture.chain, &guards[1]).1, RecoveryState::AwaitsFence { epoch: 2 });
    }
    assert!(matches!(run(&one, &fixture.chain, &guards[0]).1, RecoveryState::Recovered { epoch: 2, .. }));
    // A fence for nobody ends no halt, either.
    fence_for(Vec::new(), &mut fixture.chain, 2);
    assert_eq!(run(&two, &fixture.chain, &guards[1]).1, RecoveryState::AwaitsFence { epoch: 3 });
    fence(&two, &mut fixture.chain, 3);
    assert!(matches!(run(&two, &fixture.chain, &guards[1]).1, RecoveryState::Recovered { epoch: 4, .. }));
    drop(one);
    let mut first = TestProcess::start(open(&fixture.dir.path().join("restored"), &fixture.chain), &fixture.chain);
    first.follow(&fixture.chain);
    assert!(first.journal().halted().unwrap().unwrap().contains("epoch 3"));
}
