use receipt_core::testkit::TestChain;

use super::*;
use crate::recover::RecoveryState;
use crate::testkit::process::{self, TestProcess, identity};

struct Fixture {
    dir: scratch::Directory,
    chain: TestChain,
}

fn fixture() -> Fixture {
    Fixture { dir: scratch::Directory::new(), chain: TestChain::new() }
}

impl Fixture {
    fn path(&self) -> PathBuf {
        self.dir.path().join("journal.guard")
    }

    fn init(&self) -> Journal {
        let journal = process::init(&self.dir.path().join("journal"), &self.chain);
        Guard::create(&self.path(), journal.identity()).unwrap();
        journal
    }

    fn open(&self, name: &str) -> Journal {
        process::open(&self.dir.path().join(name), &self.chain)
    }

    /// One run of the process: so many records acknowledged, none of them seen by a ledger, and an orderly end.
    fn run(&mut self, journal: Journal, records: u64) {
        let guard = stand_before(&journal, &self.path()).unwrap().unwrap();
        assert_eq!(journal.halted().unwrap(), None);
        let mut process = TestProcess::start(journal, &self.chain);
        for _ in 0..records {
            process.acknowledge(&mut self.chain);
        }
        guard.follow(process.journal()).unwrap();
    }

    /// Copies the journal's directory of a stopped process, file by file.
    fn copy(&self, to: &str) {
        let to = self.dir.path().join(to);
        std::fs::create_dir(&to).unwrap();
        for entry in std::fs::read_dir(self.dir.path().join("journal")).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

#[test]
fn an_older_copy_put_back_by_hand_is_halted_though_the_ledger_knows_nothing() {
    let mut fixture = fixture();
    let journal = fixture.init();
    fixture.run(journal, 2);
    fixture.copy("copy");
    let journal = fixture.open("journal");
    fixture.run(journal, 1);
    // The same journal again: all is well.
    let journal = fixture.open("journal");
    fixture.run(journal, 0);
    let copy = fixture.open("copy");
    let guard = stand_before(&copy, &fixture.path()).unwrap().unwrap();
    let why = copy.halted().unwrap().unwrap();
    assert!(why.contains("is behind its guard file") && why.contains("tallystick-test recover"), "{why}");
    drop((guard, copy));
    // It stays halted, and recovery makes it the newest: the one that was better before is behind now.
    let copy = Arc::new(fixture.open("copy"));
    let state = process::recover(&copy, &mut fixture.chain, &fixture.dir.path().join("journal.guard"));
    assert_eq!(state, RecoveryState::Recovered { epoch: 2, waiting: 2 });
    assert!(stand_before(&copy, &fixture.path()).unwrap().is_some());
    assert_eq!(copy.halted().unwrap(), None);
    let journal = fixture.open("journal");
    stand_before(&journal, &fixture.path()).unwrap();
    assert!(journal.halted().unwrap().is_some());
}

#[test]
fn a_batch_that_the_copy_never_cut_is_noticed_too() {
    let mut fixture = fixture();
    let journal = fixture.init();
    fixture.run(journal, 1);
    fixture.copy("copy");
    let journal = fixture.open("journal");
    let guard = stand_before(&journal, &fixture.path()).unwrap().unwrap();
    let mut process = TestProcess::start(journal, &fixture.chain);
    process.cut();
    guard.follow(process.journal()).unwrap();
    let copy = fixture.open("copy");
    assert_eq!(copy.step().unwrap(), process.journal().step().unwrap(), "no record is missing");
    stand_before(&copy, &fixture.path()).unwrap();
    assert!(copy.halted().unwrap().is_some());
}

#[test]
fn a_crash_leaves_the_guard_behind_and_that_is_no_fault() {
    let mut fixture = fixture();
    let journal = fixture.init();
    fixture.run(journal, 1);
    let journal = fixture.open("journal");
    let mut process = TestProcess::start(journal, &fixture.chain);
    process.acknowledge(&mut fixture.chain);
    drop(process);
    let journal = fixture.open("journal");
    let guard = stand_before(&journal, &fixture.path()).unwrap().unwrap();
    assert_eq!(journal.halted().unwrap(), None);
    assert!(guard.mark().step < journal.step().unwrap().unwrap());
}

/// Whoever gives out a promise follows at once, beside the task that does so all the time. Before, the one could put back what the other had written.
#[test]
fn followed_from_two_places_the_guard_never_goes_back() {
    const WRITES: u64 = 60;
    let fixture = fixture();
    let journal = fixture.init();
    let guard = Guard::open(&fixture.path(), journal.identity()).unwrap().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let (mut seen, mut known) = (0, 0);
                while seen < WRITES {
                    seen = journal.step().unwrap().unwrap();
                    guard.follow(&journal).unwrap();
                    let mark = guard.mark().step;
                    assert!(mark >= seen.max(known), "{mark} after {known}, and {seen} was followed");
                    known = mark;
                }
            });
        }
        for step in 1..=WRITES {
            let mut write = journal.write();
            write.put_step(step);
            write.commit(Durability::Synced).unwrap();
        }
    });
    assert_eq!(guard.mark().step, WRITES);
}

#[test]
fn a_journal_in_use_does_not_start_without_its_guard() {
    let mut fixture = fixture();
    let journal = fixture.init();
    std::fs::remove_file(fixture.path()).unwrap();
    // Nothing was given out yet: a new one is as good.
    fixture.run(journal, 1);
    std::fs::remove_file(fixture.path()).unwrap();
    let journal = fixture.open("journal");
    let error = stand_before(&journal, &fixture.path()).unwrap_err().to_string();
    assert!(error.contains("is missing") && error.contains("tallystick-test recover"), "{error}");
    assert_eq!(journal.halted().unwrap(), None, "the guard file may still be moved here");
    // `recover` takes it as lost.
    assert!(stand_aside(&journal, &fixture.path()).unwrap().is_none());
    assert!(journal.halted().unwrap().unwrap().contains("guard file"));
    assert!(stand_before(&journal, &fixture.path()).unwrap().is_none(), "halted, it runs and answers reads");
}

#[test]
fn a_torn_slot_leaves_the_other_and_a_foreign_guard_is_refused() {
    let mut fixture = fixture();
    let journal = fixture.init();
    fixture.run(journal, 3);
    let identity = identity(&fixture.chain);
    let mark = Guard::open(&fixture.path(), identity).unwrap().unwrap().mark();
    assert_eq!(mark, Mark { step: 3, next_sequence: 1 });
    let whole = std::fs::read(fixture.path()).unwrap();
    let torn = |at: &[usize]| {
        let mut bytes = whole.clone();
        at.iter().for_each(|at| bytes[*at] ^= 1);
        std::fs::write(fixture.path(), bytes).unwrap();
        Guard::open(&fixture.path(), identity)
    };
    let marks = [10, SLOT_LENGTH + 10].map(|at| torn(&[at]).unwrap().unwrap().mark());
    assert!(marks.contains(&mark) && marks.contains(&Mark { step: 0, next_sequence: 0 }), "{marks:?}");
    // Damage is told from a slot that was never written: only the first is warned of.
    let slot_of = |at: usize, number| {
        torn(&[at]).unwrap();
        read_slot(&File::open(fixture.path()).unwrap(), number).unwrap()
    };
    assert!(matches!(slot_of(10, 0), Slot::Damaged) && matches!(slot_of(10, 1), Slot::Good(_)));
    assert!(matches!(slot_of(SLOT_LENGTH + 10, 1), Slot::Damaged));
    let new = fixture.dir.path().join("new.guard");
    Guard::create(&new, identity).unwrap();
    let new = File::open(new).unwrap();
    assert!(matches!(read_slot(&new, 0).unwrap(), Slot::Empty) && matches!(read_slot(&new, 1).unwrap(), Slot::Good(_)));
    assert!(matches!(torn(&[10, SLOT_LENGTH + 10]), Err(GuardError::Damaged { .. })));
    std::fs::write(fixture.path(), &whole).unwrap();
    let other = JournalIdentity { issuer: receipt_core::ids::IssuerId::new(9), ..identity };
    assert!(matches!(Guard::open(&fixture.path(), other), Err(GuardError::Foreign(_))));
}

/// A power cut while it was made, of a journal in which nothing was ever written. Before, it was refused as damaged, and its message led to a
/// fence.
#[test]
fn a_guard_that_was_torn_as_it_was_made_is_made_anew_and_a_used_one_is_not() {
    let mut fixture = fixture();
    let journal = fixture.init();
    let whole = std::fs::read(fixture.path()).unwrap();
    let zeros = vec![0; whole.len()];
    let half = [&whole[..SLOT_LENGTH + 40], &zeros[SLOT_LENGTH + 40..]].concat();
    for torn in [&[][..], &zeros[..100], &zeros, &half, &whole[..SLOT_LENGTH + 40]] {
        std::fs::write(fixture.path(), torn).unwrap();
        let guard = stand_before(&journal, &fixture.path()).unwrap().unwrap();
        assert_eq!(guard.mark(), Mark::of(&journal).unwrap());
        drop(guard);
        assert_eq!(std::fs::read(fixture.path()).unwrap().len(), 2 * SLOT_LENGTH);
        assert!(Guard::open(&fixture.path(), journal.identity()).unwrap().is_some(), "and can be read from then on");
    }
    fixture.run(journal, 1);
    std::fs::write(fixture.path(), zeros).unwrap();
    let journal = fixture.open("journal");
    let refused = stand_before(&journal, &fixture.path()).unwrap_err();
    assert!(matches!(refused, GuardError::Damaged { .. }), "{refused}");
}
