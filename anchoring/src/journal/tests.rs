use receipt_core::ids::RecordKey;
use receipt_core::testkit::TestChain;

use super::*;
use crate::fate::{Fate, fate};
use crate::testkit::process::{Bare, TestProcess, genesis_tip, identity, init, open};
use crate::testkit::small_disk::SmallDisk;
use crate::testkit::{copy_as_after_a_crash, offered};

#[test]
fn only_init_creates_and_only_its_own_directory_opens() {
    let dir = scratch::Directory::new();
    let path = dir.path().join("journal");
    let chain = TestChain::new();
    let absent = Journal::open(&path, identity(&chain)).unwrap_err();
    assert!(absent.to_string().contains("make one with `tallystick-test init`"), "{absent}");
    assert!(!path.exists(), "open made something");
    drop(init(&path, &chain));
    let (writes, tip) = genesis_tip(&chain);
    let again = Journal::init(&path, identity(&chain), &writes, &tip, &[]);
    assert!(matches!(again, Err(JournalError::Exists(_))), "{again:?}");
    let other_chain = Journal::open(&path, identity(&TestChain::named("other")));
    assert!(matches!(other_chain, Err(JournalError::Foreign(_))), "{other_chain:?}");
    let other_submitter = JournalIdentity { issuer: IssuerId::new(2), ..identity(&chain) };
    assert!(matches!(Journal::open(&path, other_submitter), Err(JournalError::Foreign(_))));
    open(&path, &chain);
}

#[test]
fn another_format_is_refused_of_the_journal_and_of_its_owner() {
    static NEXT: Layout = Layout { format: 8, ..crate::testkit::process::LAYOUT };
    let dir = scratch::Directory::new();
    let chain = TestChain::new();
    drop(init(dir.path(), &chain));
    let error = Journal::open(dir.path(), JournalIdentity { layout: &NEXT, ..identity(&chain) }).unwrap_err();
    assert!(
        error.to_string().contains("it has format 0000000300000007; this program knows 0000000300000008"),
        "{error}"
    );
    let journal = open(dir.path(), &chain);
    let mut write = journal.write();
    write.put_meta(META_FORMAT, &[4_u32.to_be_bytes(), 7_u32.to_be_bytes()].concat());
    write.commit(Durability::Synced).unwrap();
    drop(journal);
    let error = Journal::open(dir.path(), identity(&chain)).unwrap_err();
    assert!(matches!(error, JournalError::Foreign(_)), "{error}");
}

#[test]
fn a_write_that_was_not_committed_never_was() {
    let dir = scratch::Directory::new();
    let chain = TestChain::new();
    let journal = init(dir.path(), &chain);
    let mut write = journal.write();
    write.put_halted("never");
    drop(write);
    assert_eq!(journal.halted().unwrap(), None);
}

#[test]
fn a_crash_after_any_write_loses_nothing_that_was_acknowledged() {
    let dir = scratch::Directory::new();
    let at = |name: &str| dir.path().join(name);
    let mut chain = TestChain::new();
    let mut process = TestProcess::start(init(&at("live"), &chain), &chain);

    // Acknowledged, then a crash before the batch was cut.
    let acknowledged = process.acknowledge(&mut chain);
    copy_as_after_a_crash(&at("live"), &at("acknowledged"));
    let (sequence, request) = process.cut();
    // Cut, then a crash before any node had it.
    copy_as_after_a_crash(&at("live"), &at("cut"));
    copy_as_after_a_crash(&at("live"), &at("cut-again"));

    let restart = |name: &str, chain: &TestChain| TestProcess::start(open(&at(name), chain), chain);
    let mut first = restart("acknowledged", &chain);
    assert_eq!(
        (first.desk.backlog.records(), first.told(acknowledged)),
        (1, Some(1)),
        "record, outbox, owner's row: one write"
    );
    let row = first.journal().record(acknowledged).unwrap().unwrap();
    assert_eq!((&row.signed_record[..], &row.note[..]), (&request.records[0][..], &b"of the owner"[..]));
    assert_eq!(first.cut().0, sequence, "the sequence was not spent");

    let mut second = restart("cut", &chain);
    assert_eq!(second.desk.backlog.records(), 0);
    let departed = second.departures.try_recv().unwrap();
    assert_eq!(departed.request, request, "the same header sets out again");
    chain.add_items(vec![offered(&request)]).unwrap();
    second.follow(&chain);
    assert!(matches!(fate(second.journal(), acknowledged).unwrap(), Fate::Sealed { .. }));
    // Its progress is lost, the ledger is not: following again gives the same.
    let mut third = restart("cut-again", &chain);
    third.follow(&chain);
    assert_eq!(fate(third.journal(), acknowledged).unwrap(), fate(second.journal(), acknowledged).unwrap());
    assert_eq!(third.journal().followed_tip().unwrap(), second.journal().followed_tip().unwrap());
    assert_eq!(third.told(acknowledged), Some(2), "the owner is told again");
}

/// As RocksDB itself wrote down what it was opened with. Before, each family had a cache and two large write buffers of its own, and kept
/// its indexes and filters beside them.
#[test]
fn every_family_keeps_its_indexes_in_the_one_cache() {
    let dir = scratch::Directory::new();
    let path = dir.path().join("journal");
    let journal = init(&path, &TestChain::new());
    let families = journal.identity().layout.all().count() + 1;
    let names = std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path());
    let newest = names.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("OPTIONS-")).max();
    let options = std::fs::read_to_string(newest.unwrap()).unwrap();
    let count = |line: &str| options.lines().filter(|given| given.trim() == line).count();
    for line in ["cache_index_and_filter_blocks=true", "index_type=kTwoLevelIndexSearch"] {
        assert_eq!(count(line), families, "{line}");
    }
    let figures = journal.figures();
    assert!(figures.memtable_bytes > 0 && figures.cache_bytes >= figures.memtable_bytes, "{figures:?}");
    assert!(
        figures.memtable_bytes < 16 << 20,
        "what waits to be written takes little while there is little: {figures:?}"
    );
}

/// A bad sector under one row must not take the process with it, nor its backups: it is the same rot to whoever reads.
#[test]
fn a_row_that_the_disk_cannot_read_is_damage_and_a_full_disk_is_not() {
    for damage in
        ["IO error: While pread offset 0 len 4: x.blob: Input/output error", "Corruption: block checksum mismatch"]
    {
        assert!(is_unreadable(damage), "{damage}");
    }
    for other in ["IO error: No space left on device: While appending to file: x.log", "IO error: Permission denied"] {
        assert!(!is_unreadable(other), "{other}");
    }
}

/// Files of a directory that contain these bytes.
fn holders(directory: &Path, bytes: &[u8]) -> Vec<std::path::PathBuf> {
    let files = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let holds = |path: &std::path::PathBuf| {
        path.is_file() && std::fs::read(path).unwrap().windows(bytes.len()).any(|window| window == bytes)
    };
    files.filter(holds).collect()
}

/// A journal in a table of which stands what was overwritten since.
fn overwritten(path: &Path, chain: &TestChain) -> (Journal, Family) {
    let told = crate::testkit::process::LAYOUT.families[0];
    let journal = init(path, chain);
    for value in [SECRET, b"erased"] {
        let mut write = journal.write();
        write.put(told, b"key", value);
        write.commit(Durability::Synced).unwrap();
        journal.flush_logs().unwrap();
    }
    assert_ne!(holders(path, SECRET), Vec::<std::path::PathBuf>::new(), "the search finds what is there");
    (journal, told)
}

/// Takes the names of the next tables, so that none can be written.
fn take_names(path: &Path) -> Vec<std::path::PathBuf> {
    let number = |path: std::path::PathBuf| path.file_stem()?.to_str()?.parse::<u32>().ok();
    let files = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
    let last = files.filter_map(number).max().unwrap();
    let taken: Vec<_> = (last + 1..last + 50).map(|number| path.join(format!("{number:06}.sst"))).collect();
    taken.iter().for_each(|taken| std::fs::create_dir(taken).unwrap());
    taken
}

const SECRET: &[u8] = b"7f\x00\xc2secret that was erased";

/// RocksDB drops the status of such a compaction: before, an erasure was called complete, and the key was still in an old table.
#[test]
fn tables_that_a_full_disk_keeps_from_being_rewritten_are_not_called_rewritten() {
    let dir = scratch::Directory::new();
    let Some(disk) = SmallDisk::mount(&dir.path().join("disk")) else { return };
    let path = disk.path().join("journal");
    let chain = TestChain::new();
    let (journal, told) = overwritten(&path, &chain);
    disk.fill();
    let failed = journal.rewrite_tables(told, b"key", b"key").unwrap_err();
    assert!(matches!(failed, JournalError::NotRewritten(_)), "{failed}");
    assert!(failed.to_string().contains(".sst still hold what was erased") && !failed.is_damage(), "{failed}");
    assert_ne!(holders(&path, SECRET), Vec::<std::path::PathBuf>::new());
    disk.free();
    drop(journal);
    let journal = open(&path, &chain);
    journal.rewrite_tables(told, b"key", b"key").unwrap();
    assert_eq!(holders(&path, SECRET), Vec::<std::path::PathBuf>::new());
    assert_eq!(journal.get(told, b"key").unwrap().as_deref(), Some(&b"erased"[..]));
    drop(journal);
}

/// The same where nothing can be mounted: the names of the next tables are taken.
#[test]
fn tables_that_cannot_be_written_are_not_called_rewritten() {
    let dir = scratch::Directory::new();
    let path = dir.path().join("journal");
    let chain = TestChain::new();
    let (journal, told) = overwritten(&path, &chain);
    let taken = take_names(&path);
    let failed = journal.rewrite_tables(told, b"key", b"key").unwrap_err();
    assert!(matches!(failed, JournalError::NotRewritten(_)), "{failed}");
    drop(journal);
    for taken in taken {
        std::fs::remove_dir(taken).unwrap();
    }
    let journal = open(&path, &chain);
    journal.rewrite_tables(told, b"key", b"key").unwrap();
    assert_eq!(holders(&path, SECRET), Vec::<std::path::PathBuf>::new());
}

/// A merge of the database's own accord keeps what nothing in its tables overwrites, and makes new tables of it. Before, the rewriting that failed
/// passed for done, because none of the old ones was there any more.
#[test]
fn a_rewriting_that_failed_while_a_merge_replaced_its_tables_is_not_called_done() {
    let dir = scratch::Directory::new();
    let path = dir.path().join("journal");
    let chain = TestChain::new();
    let told = crate::testkit::process::LAYOUT.families[0];
    let journal = init(&path, &chain);
    let put = |value: &[u8]| {
        let mut write = journal.write();
        write.put(told, b"key", value);
        write.commit(Durability::Synced).unwrap();
        journal.flush_logs().unwrap();
    };
    put(SECRET);
    let reader = journal.db.snapshot();
    put(b"erased");
    let round = journal.begin_round(told, b"key", b"key").unwrap();
    // Somebody still reads the old version: the merge keeps it.
    journal.compact(told, b"key", b"key").unwrap();
    let merged = journal.tables_with(told, b"key", b"key").unwrap();
    assert!(merged.is_disjoint(&round.tables), "{merged:?}");
    assert_ne!(holders(&path, SECRET), Vec::<std::path::PathBuf>::new());
    let taken = take_names(&path);
    journal.compact(told, b"key", b"key").unwrap();
    assert_eq!(journal.left_by(&round).unwrap(), merged, "it may hold what was erased, and does");
    drop(reader);
    drop(journal);
    taken.iter().for_each(|taken| std::fs::remove_dir(taken).unwrap());
    let journal = open(&path, &chain);
    journal.rewrite_tables(told, b"key", b"key").unwrap();
    assert_eq!(holders(&path, SECRET), Vec::<std::path::PathBuf>::new());
}

/// Before, such a journal ended each start, and was not written anew.
#[test]
fn a_queue_that_cannot_be_read_is_made_anew_from_the_records() {
    let dir = scratch::Directory::new();
    let (path, copy) = (dir.path().join("journal"), dir.path().join("copy"));
    let mut chain = TestChain::new();
    let mut process = TestProcess::start(init(&path, &chain), &chain);
    process.acknowledge(&mut chain);
    process.cut();
    let waiting: Vec<RecordKey> = (0..3).map(|_| process.acknowledge(&mut chain)).collect();
    drop(process);
    let journal = open(&path, &chain);
    journal.flush_logs().unwrap();
    let tables = journal.db.live_files().unwrap().into_iter().filter(|file| file.column_family_name == "outbox");
    let tables: Vec<_> = tables.map(|file| path.join(file.name.trim_start_matches('/'))).collect();
    drop(journal);
    assert!(!tables.is_empty());
    for table in tables {
        let mut bytes = std::fs::read(&table).unwrap();
        bytes[10] ^= 1;
        std::fs::write(&table, bytes).unwrap();
    }
    let journal = open(&path, &chain);
    let failed = journal.outbox(0, 1).unwrap_err();
    assert!(failed.is_damage(), "{failed}");

    // While `recover` is under way a record may be without a place and wait for none.
    let halted = |change: &dyn Fn(&mut JournalWrite<'_>)| {
        let mut write = journal.write();
        change(&mut write);
        write.commit(Durability::Synced).unwrap();
    };
    halted(&|write| write.put_halted("for a test"));
    let refused = journal.write_anew(&copy, &Bare).unwrap_err();
    assert!(refused.to_string().contains("the journal's outbox cannot be read"), "{refused}");
    std::fs::remove_dir_all(&copy).unwrap();
    halted(&|write| write.delete_halted());

    let written = journal.write_anew(&copy, &Bare).unwrap();
    let queued: Vec<RecordKey> = written.outbox(0, 10).unwrap().into_iter().map(|(_, key)| key).collect();
    assert_eq!(queued, waiting, "those that wait, in their order, and not the one that was cut");
    let found = crate::check::Pass::new(&written, &Bare).run().unwrap();
    assert!(found.is_sound(), "{:?}", found.named);
    let mut process = TestProcess::start(written, &chain);
    let sequence = process.batcher.cut().unwrap().unwrap();
    let batch = process.journal().batch(sequence).unwrap().unwrap();
    assert_eq!((sequence.get(), batch.keys().unwrap()), (2, waiting));
}
