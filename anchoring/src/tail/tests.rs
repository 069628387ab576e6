use std::sync::Arc;

use receipt_core::ids::RecordKey;
use receipt_core::testkit::TestChain;

use super::*;
use crate::journal::{Durability, Family};
use crate::testkit::process::{LAYOUT, TestProcess, identity, init, told};

const PAGE_BYTES: usize = 4096;
/// Bytes of a write that takes several pages.
const LONG: usize = 6 * PAGE_BYTES;

struct Fixture {
    chain: TestChain,
    process: TestProcess,
    guard: Arc<Guard>,
    /// Acknowledged, and known to the guard.
    kept: RecordKey,
    dir: scratch::Directory,
}

impl Fixture {
    fn new() -> Self {
        let dir = scratch::Directory::new();
        let mut chain = TestChain::new();
        let journal = init(&dir.path().join("journal"), &chain);
        let guard = Arc::new(Guard::create(&dir.path().join("guard"), journal.identity()).unwrap());
        let mut process = TestProcess::start(journal, &chain);
        let kept = process.acknowledge(&mut chain);
        guard.follow(process.journal()).unwrap();
        Self { dir, chain, process, guard, kept }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The log that is being written, and its bytes.
    fn log(&self) -> (PathBuf, Vec<u8>) {
        let log = log_files(&self.at("journal")).unwrap().pop().unwrap();
        let bytes = fs::read(&log).unwrap();
        (log, bytes)
    }

    /// One synced write of the owner, of several pages: what a power cut may tear.
    fn write_long(&self, step: u64) {
        let told: Family = LAYOUT.families[0];
        let mut write = self.process.journal().write();
        let value: Vec<u8> = (0..LONG).map(|at| (at * 31 + at / 251) as u8).collect();
        write.put(told, b"long", &value);
        write.put_step(step);
        write.commit(Durability::Synced).unwrap();
    }

    /// The journal as the disk has it, with this log.
    fn copy(&self, name: &str, log: &[u8]) -> PathBuf {
        let (path, to) = (self.log().0, self.at(name));
        fs::create_dir(&to).unwrap();
        for entry in fs::read_dir(self.at("journal")).unwrap() {
            let entry = entry.unwrap();
            if entry.file_name() != "LOCK" {
                fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
            }
        }
        fs::write(to.join(path.file_name().unwrap()), log).unwrap();
        to
    }

    fn open(&self, path: &Path) -> Result<(Journal, Option<Cut>), TailError> {
        open(path, identity(&self.chain), &self.at("guard"), StoreShare::SMALL)
    }
}

/// Every set of the pages from `synced` on, lost in one of two ways, and cuts in between.
fn torn(bytes: &[u8], synced: usize) -> Vec<Vec<u8>> {
    let first = synced / PAGE_BYTES;
    let pages = bytes.len().div_ceil(PAGE_BYTES) - first;
    let mut torn = Vec::new();
    for set in 1..(1_usize << pages.min(6)) {
        let mut bytes = bytes.to_vec();
        for page in (0..pages).filter(|page| set >> page & 1 == 1) {
            let end = bytes.len().min((first + page + 1) * PAGE_BYTES);
            bytes[synced.max((first + page) * PAGE_BYTES)..end].fill(if set % 3 == 0 { 0xA5 } else { 0 });
        }
        torn.push(bytes);
    }
    torn.extend((synced + 1..bytes.len()).step_by(1021).map(|cut| bytes[..cut].to_vec()));
    torn
}

/// A power cut leaves any of the pages that were not synced: the journal is as it was before the torn write, and goes on.
#[test]
fn a_last_write_that_is_torn_in_any_pages_is_cut_off() {
    let fixture = Fixture::new();
    let synced = fixture.log().1.len();
    fixture.write_long(2);
    let bytes = fixture.log().1;
    let mut named = 0;
    for (row, log) in torn(&bytes, synced).iter().enumerate() {
        let copy = fixture.copy("copy", log);
        let (journal, cut) = fixture.open(&copy).unwrap_or_else(|error| panic!("row {row}: {error}"));
        named += usize::from(cut.is_some());
        assert_eq!(Mark::of(&journal).unwrap(), Mark { step: 1, next_sequence: 1 }, "row {row}");
        assert_eq!(told(&journal, fixture.kept), Some(1), "row {row}");
        let mut write = journal.write();
        write.put_step(2);
        write.commit(Durability::Synced).unwrap();
        drop(journal);
        let (journal, again) = fixture.open(&copy).unwrap();
        assert_eq!((Mark::of(&journal).unwrap().step, again), (2, None), "row {row}: once cut, it is whole");
        drop(journal);
        if let Some(Cut { kept_at, .. }) = cut {
            let kept = fs::read(kept_at.join(fixture.log().0.file_name().unwrap())).unwrap();
            assert!(!kept.is_empty() && log.ends_with(&kept), "row {row}: what was cut is kept");
            assert!(kept.len() <= log.len() - synced, "row {row}: and nothing of what was acknowledged");
            fs::remove_dir_all(kept_at).unwrap();
        }
        assert!(!beside(&copy, "looking").exists());
        fs::remove_dir_all(&copy).unwrap();
    }
    assert!(named > 60, "{named}");
}

/// The last write was acknowledged, and the guard knows of it: it did not tear, it rotted.
#[test]
fn a_write_that_the_guard_knows_of_is_never_cut_off() {
    let fixture = Fixture::new();
    let synced = fixture.log().1.len();
    fixture.write_long(2);
    fixture.guard.follow(fixture.process.journal()).unwrap();
    let bytes = fixture.log().1;
    for (row, log) in torn(&bytes, synced).iter().enumerate() {
        let copy = fixture.copy("copy", log);
        match fixture.open(&copy) {
            Err(error @ TailError::Acknowledged { .. }) => {
                let said = error.to_string();
                assert!(
                    said.contains("the guard file says write 2") && said.contains("tallystick-test recover"),
                    "{said}"
                );
                let after = fs::read(copy.join(fixture.log().0.file_name().unwrap())).unwrap();
                assert_eq!(&after, log, "row {row}: nothing was changed");
            }
            // Nothing but zeros, or nothing at all, behind the last whole write: an older copy looks like that, and the guard halts it.
            Ok((journal, _)) => {
                assert_eq!(Mark::of(&journal).unwrap().step, 1, "row {row}");
                crate::guard::stand_before(&journal, &fixture.at("guard")).unwrap();
                assert!(journal.halted().unwrap().unwrap().contains("is behind its guard file"), "row {row}");
            }
            Err(error) => panic!("row {row}: {error}"),
        }
        fs::remove_dir_all(&copy).unwrap();
    }
}

/// The guard has not seen either of two writes; a whole one stands behind a torn one, which was on disk before it began.
#[test]
fn a_write_behind_which_another_one_stands_whole_is_never_cut_off() {
    let mut fixture = Fixture::new();
    let synced = fixture.log().1.len();
    fixture.write_long(2);
    let second = fixture.log().1.len();
    fixture.write_long(3);
    let bytes = fixture.log().1;
    for (row, at) in (synced..second).step_by(997).enumerate() {
        let mut log = bytes.clone();
        log[at] ^= 0x10;
        let copy = fixture.copy("copy", &log);
        match fixture.open(&copy) {
            Err(error @ TailError::Acknowledged { .. }) => {
                assert!(error.to_string().contains("behind it stand writes up to 3"), "row {row}: {error}");
            }
            other => panic!("row {row}, byte {at}: {other:?}"),
        }
        fs::remove_dir_all(&copy).unwrap();
    }
    // `recover` goes on from what can be read, and nothing is issued before the fence.
    let mut log = bytes;
    log[synced + 9] ^= 1;
    let copy = fixture.copy("copy", &log);
    let journal = open_to_recover(&copy, identity(&fixture.chain), &fixture.at("guard")).unwrap();
    assert_eq!((Mark::of(&journal).unwrap().step, told(&journal, fixture.kept)), (1, Some(1)));
    assert!(journal.halted().unwrap().unwrap().contains("behind it stand writes up to 3"));
    // Had the power failed between the cut and the halt, the guard alone would have halted the next start.
    let guard = Guard::open(&fixture.at("guard"), identity(&fixture.chain)).unwrap().unwrap();
    assert!(guard.mark().step > 3, "{:?}", guard.mark());
    drop((journal, guard));
    let journal = Arc::new(fixture.open(&copy).unwrap().0);
    let guard = fixture.at("guard");
    let state = crate::testkit::process::recover(&journal, &mut fixture.chain, &guard);
    assert!(matches!(state, crate::recover::RecoveryState::Recovered { .. }), "{state:?}");
}

/// Whatever byte of the log rots: what is opened has every record that the guard knows of, or is refused or halted.
#[test]
fn no_rotten_byte_of_the_log_makes_a_journal_with_a_hole() {
    let mut fixture = Fixture::new();
    let keys: Vec<RecordKey> = (0..12).map(|_| fixture.process.acknowledge(&mut fixture.chain)).collect();
    fixture.guard.follow(fixture.process.journal()).unwrap();
    let bytes = fixture.log().1;
    let (mut refused, mut halted) = (0, 0);
    let places = (0..bytes.len()).step_by(211);
    let flips = places.clone().map(|at| (at, at + 1)).chain(places.map(|at| (at, at + PAGE_BYTES)));
    for (row, (from, to)) in flips.enumerate() {
        let mut log = bytes.clone();
        let to = to.min(log.len());
        if to == from + 1 {
            log[from] ^= 0x41
        } else {
            log[from..to].fill(0)
        }
        let copy = fixture.copy("copy", &log);
        match fixture.open(&copy) {
            Err(_) => refused += 1,
            Ok((journal, _)) => {
                crate::guard::stand_before(&journal, &fixture.at("guard")).unwrap();
                if journal.halted().unwrap().is_some() {
                    halted += 1;
                } else {
                    assert!(keys.iter().all(|key| told(&journal, *key) == Some(1)), "row {row}: {from}..{to}");
                }
            }
        }
        fs::remove_dir_all(&copy).unwrap();
    }
    println!("{refused} refused, {halted} halted");
    assert!(refused > 20, "{refused}");
}

#[test]
fn a_journal_without_a_guard_is_not_cut() {
    let fixture = Fixture::new();
    let synced = fixture.log().1.len();
    fixture.write_long(2);
    let (_, bytes) = fixture.log();
    let copy = fixture.copy("copy", &bytes[..synced + 100]);
    fs::remove_file(fixture.at("guard")).unwrap();
    let refused = fixture.open(&copy).unwrap_err();
    assert!(refused.to_string().contains("there is no guard file"), "{refused}");
}

/// Space that was set aside and never written to is no write; but of one to six bytes of it in a block of its own the database makes a header that
/// was begun, and does not open.
#[test]
fn zeros_at_the_end_keep_no_journal_shut_however_many_they_are() {
    const BLOCK_BYTES: usize = 32_768;
    let fixture = Fixture::new();
    let (_, whole) = fixture.log();
    let first = whole.len().div_ceil(BLOCK_BYTES) * BLOCK_BYTES;
    let lengths = (1..10).map(|more| whole.len() + more).chain((0..10).map(|more| first + more));
    for length in lengths.chain((0..10).map(|more| first + 3 * BLOCK_BYTES + more)) {
        let mut log = whole.clone();
        log.resize(length, 0);
        let copy = fixture.copy("copy", &log);
        let (journal, cut) = fixture.open(&copy).unwrap_or_else(|error| panic!("{length} bytes: {error}"));
        assert_eq!(Mark::of(&journal).unwrap(), Mark { step: 1, next_sequence: 1 }, "{length} bytes");
        assert_eq!(told(&journal, fixture.kept), Some(1), "{length} bytes");
        drop(journal);
        assert!(fixture.open(&copy).unwrap().1.is_none(), "{length} bytes: once cut, it is whole");
        if let Some(cut) = cut {
            fs::remove_dir_all(cut.kept_at).unwrap();
        }
        fs::remove_dir_all(&copy).unwrap();
    }
}
