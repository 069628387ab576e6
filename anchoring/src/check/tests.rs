use receipt_core::testkit::TestChain;

use super::*;
use crate::journal::{Durability, EventRow, RecordRow};
use crate::testkit::process::{LAYOUT, TestProcess, init};

/// An owner that keeps nothing beside its records.
struct Bare;

impl Inspector for Bare {
    fn naming(&self) -> &'static [Family] {
        &[]
    }

    fn by_record(&self) -> &'static [Family] {
        &[]
    }

    fn record(&self, _: &Journal, _: RecordKey, _: &RecordRow) -> Result<Option<String>, JournalError> {
        Ok(None)
    }

    fn name(&self, key: RecordKey) -> String {
        format!("record {}", key.0[11])
    }
}

fn check(journal: &Journal) -> Findings {
    Pass::new(journal, &Bare).run().unwrap()
}

#[test]
fn every_row_is_looked_at_and_what_is_not_what_was_written_is_named() {
    let dir = tempfile::tempdir().unwrap();
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
