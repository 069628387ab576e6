use receipt_core::testkit::TestChain;

use super::*;
use crate::journal::{Durability, EventRow, RecordRow};
use crate::testkit::process::{Bare, LAYOUT, TestProcess, init};

fn check(journal: &Journal) -> Findings {
    Pass::new(journal, &Bare).run().unwrap()
}

#[test]
fn every_row_is_looked_at_and_what_is_not_what_was_written_is_named() {
    let dir = scratch::Directory::new();
    let mut chain = TestChain::new();
    let mut process = TestProcess::start(init(dir.path(), &chain), &chain);
    // More than one step has, so that a pass goes on where the last step ended.
    let keys: Vec<RecordKey> = (0..300).map(|_| process.acknowledge(&mut chain)).collect();
    let (sequence, _) = process.cut();
    let last = process.acknowledge(&mut chain);
    let journal = process.journal();
    let sound = check(journal);
    assert!(sound.is_sound(), "{:?}", sound.named);
    assert_eq!(sound.records, 301);
    assert!(sound.rows > 900, "{}", sound.rows);

    let spoiled = |spoil: &dyn Fn(&mut crate::journal::JournalWrite<'_>)| {
        let mut write = journal.write();
        spoil(&mut write);
        write.commit(Durability::Synced).unwrap();
        let findings = check(journal);
        assert_eq!(findings.faults, findings.named.len() as u64);
        findings.named.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let row = journal.record(keys[7]).unwrap().unwrap();
    let other = journal.record(keys[8]).unwrap().unwrap();
    let named = spoiled(&|write| write.put_record(keys[7], &other));
    assert_eq!(named, [format!("batch {sequence}: its records do not lead to the root of its header")]);
    let bad = RecordRow { signed_record: vec![1, 2, 3], note: Vec::new() };
    let named = spoiled(&|write| {
        write.put_record(keys[7], &row);
        write.put_record(last, &bad);
    });
    assert!(named[0].starts_with("record ") && named[0].contains("a signed record"), "{named:?}");
    assert_eq!(named.len(), 1);
    let records = journal.families().into_iter().find(|family| family.name == "records").unwrap();
    let named = spoiled(&|write| write.delete(records, &keys[200].0));
    assert!(named.iter().any(|fault| fault.contains("its record is gone")), "{named:?}");
    let events = journal.families().into_iter().find(|family| family.name == "events").unwrap();
    let named = spoiled(&|write| {
        write.put_event(1, &EventRow::default());
        write.put(events, &2_u64.to_be_bytes(), &[0xff; 9]);
    });
    assert!(named.iter().any(|fault| fault.starts_with("the journal's events: ")), "{named:?}");
    assert!(LAYOUT.families.iter().all(|family| journal.families().contains(family)));
}

/// The check of a running process: its cache still has the table as it was written.
#[test]
fn what_rots_under_an_open_store_is_found_though_it_is_cached() {
    let dir = scratch::Directory::new();
    let path = dir.path().join("journal");
    let mut chain = TestChain::new();
    let mut process = TestProcess::start(init(&path, &chain), &chain);
    let key = process.acknowledge(&mut chain);
    process.cut();
    let journal = process.journal();
    journal.flush_logs().unwrap();
    assert!(check(journal).is_sound());
    let row = journal.record(key).unwrap().unwrap();
    rot(&path, &row.note);
    assert_eq!(journal.record(key).unwrap(), Some(row), "it is cached");
    let found = check(journal);
    assert!(found.named.iter().any(|fault| fault.place == Place::Record(key)), "{:?}", found.named);
}

/// Spoils the one table that has these bytes, beside them, in the file itself.
fn rot(journal: &std::path::Path, bytes: &[u8]) {
    let files = std::fs::read_dir(journal).unwrap().map(|entry| entry.unwrap().path());
    let mut rotten = 0;
    for file in files.filter(|path| path.extension() == Some("sst".as_ref())) {
        let table = std::fs::read(&file).unwrap();
        let Some(at) = table.windows(bytes.len()).position(|window| window == bytes) else { continue };
        use std::os::unix::fs::FileExt as _;
        let file = std::fs::File::options().write(true).open(&file).unwrap();
        file.write_all_at(&[table[at] ^ 1], at as u64).unwrap();
        rotten += 1;
    }
    assert_eq!(rotten, 1);
}
