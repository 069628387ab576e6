use receipt_core::ids::{IssuerId, ReceiptNumber};
use receipt_core::testkit::TestChain;

use super::*;
use crate::fate::{Fate, fate};
use crate::issue::Issued;
use crate::testing::{TestIssuer, draft, identity, init, key_of, offered};

#[test]
fn only_init_creates_and_only_its_own_directory_opens() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal");
    let chain = TestChain::new();
    assert!(matches!(Journal::open(&path, identity(&chain)), Err(JournalError::Absent(_))));
    assert!(!path.exists(), "open made something");
    drop(init(&path, &chain));
    let again = Journal::init(&path, identity(&chain), &receipt_core::state::Writes::new(), &progress(&path, &chain));
    assert!(matches!(again, Err(JournalError::Exists(_))), "{again:?}");
    let other_chain = Journal::open(&path, identity(&TestChain::named("other")));
    assert!(matches!(other_chain, Err(JournalError::Foreign(_))), "{other_chain:?}");
    let other_issuer = JournalIdentity { issuer: IssuerId::new(2), ..identity(&chain) };
    assert!(matches!(Journal::open(&path, other_issuer), Err(JournalError::Foreign(_))));
    Journal::open(&path, identity(&chain)).unwrap();
}

fn progress(path: &std::path::Path, chain: &TestChain) -> Progress {
    Journal::open(path, identity(chain)).unwrap().progress().unwrap()
}

#[test]
fn a_newer_format_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let chain = TestChain::new();
    let journal = init(dir.path(), &chain);
    let mut write = journal.write();
    write.put_meta(META_FORMAT, &(JOURNAL_FORMAT + 1).to_be_bytes());
    write.commit(Durability::Synced).unwrap();
    drop(journal);
    let error = Journal::open(dir.path(), identity(&chain)).unwrap_err();
    assert!(error.to_string().contains("format 3"), "{error}");
}

#[test]
fn a_write_that_was_not_committed_never_was() {
    let dir = tempfile::tempdir().unwrap();
    let chain = TestChain::new();
    let journal = init(dir.path(), &chain);
    let mut write = journal.write();
    write.put_halted("never");
    drop(write);
    assert_eq!(journal.halted().unwrap(), None);
}

/// A process that dies after its write and before its answer: the copy of the directory is what the disk holds then.
fn copy(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_name() != "LOCK" {
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

#[test]
fn a_crash_after_any_write_loses_nothing_that_was_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let mut chain = TestChain::new();
    let mut issuer = TestIssuer::start(init(&at("live"), &chain), &chain, 1);

    // Acknowledged, then a crash before the batch was cut.
    let acknowledged = issuer.issue_new(draft(&mut chain, "S01", "A"));
    copy(&at("live"), &at("acknowledged"));
    let (sequence, request) = issuer.cut();
    // Cut, then a crash before any node had it.
    copy(&at("live"), &at("cut"));
    copy(&at("live"), &at("cut-again"));

    let restart = |name: &str, chain: &TestChain, seed| {
        TestIssuer::start(Journal::open(&at(name), identity(chain)).unwrap(), chain, seed)
    };
    let mut first = restart("acknowledged", &chain, 2);
    assert_eq!(first.backlog.records(), 1);
    let row = first.journal.receipt(acknowledged.key).unwrap().unwrap();
    assert_eq!(row.signed_record, acknowledged.signed_record);
    let again = first.issue(vec![draft(&mut chain, "S01", "A")]);
    assert_eq!(again, vec![Ok(Issued::Existing(acknowledged.key))]);
    assert_eq!(first.cut().0, sequence, "the sequence was not spent");
    let next = key_of(&first.issue(vec![draft(&mut chain, "S01", "B")])[0]);
    assert_eq!(next.number, ReceiptNumber::new(acknowledged.key.number.get() + 1).unwrap());

    let mut second = restart("cut", &chain, 3);
    assert_eq!(second.backlog.records(), 0);
    let departed = second.departures.try_recv().unwrap();
    assert_eq!(departed.request, request, "the same header sets out again");
    chain.add_items(vec![offered(&request)]).unwrap();
    second.follow(&chain);
    assert!(matches!(fate(&second.journal, acknowledged.key).unwrap(), Fate::Sealed { .. }));
    // Its progress is lost, the ledger is not: following again gives the same.
    let mut third = restart("cut-again", &chain, 4);
    third.follow(&chain);
    assert_eq!(fate(&third.journal, acknowledged.key).unwrap(), fate(&second.journal, acknowledged.key).unwrap());
    assert_eq!(third.journal.progress().unwrap(), second.journal.progress().unwrap());
}

#[test]
fn a_torn_tail_costs_only_what_was_never_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let (live, torn) = (dir.path().join("live"), dir.path().join("torn"));
    let mut chain = TestChain::new();
    let mut issuer = TestIssuer::start(init(&live, &chain), &chain, 1);
    let kept = issuer.issue_new(draft(&mut chain, "S01", "A"));
    copy(&live, &torn);
    // A crash in the middle of the next write leaves part of a record at the end of the write-ahead log.
    let log = std::fs::read_dir(&torn).unwrap().map(|entry| entry.unwrap().path());
    let mut logs: Vec<_> = log.filter(|path| path.extension() == Some("log".as_ref())).collect();
    logs.sort();
    let mut bytes = std::fs::read(logs.last().unwrap()).unwrap();
    let head = bytes[..7].to_vec();
    bytes.extend_from_slice(&head);
    bytes.extend_from_slice(&[0xaa; 40]);
    std::fs::write(logs.last().unwrap(), bytes).unwrap();
    let issuer = TestIssuer::start(Journal::open(&torn, identity(&chain)).unwrap(), &chain, 2);
    assert!(issuer.journal.receipt(kept.key).unwrap().is_some());
}

#[test]
fn an_erased_body_is_gone_and_its_receipt_stays() {
    let dir = tempfile::tempdir().unwrap();
    let mut chain = TestChain::new();
    let mut issuer = TestIssuer::start(init(dir.path(), &chain), &chain, 1);
    let key = issuer.issue_new(draft(&mut chain, "S01", "A")).key;
    assert!(issuer.journal.body(key).unwrap().is_some());
    let mut write = issuer.journal.write();
    write.erase_body(key, UnixMillis::new(5));
    write.commit(Durability::Synced).unwrap();
    assert_eq!(issuer.journal.body(key).unwrap(), None);
    assert!(issuer.journal.receipt(key).unwrap().is_some());
}
