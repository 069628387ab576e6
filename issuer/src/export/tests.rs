use std::os::unix::fs::PermissionsExt;

use receipt_core::receipt::disclosure::Body;
use receipt_core::record::SignedRecord;
use receipt_core::testkit::TestChain;

use super::*;
use crate::journal::{Durability, ReceiptWrites as _};
use crate::testing::{TestIssuer, draft, identity, init, offered};

struct Fixture {
    chain: TestChain,
    issuer: TestIssuer,
    keys: Vec<ReceiptKey>,
    dir: scratch::Directory,
}

/// Two receipts sealed at height 1, one at height 2 whose body is erased, one that no ledger knows yet.
fn fixture() -> Fixture {
    let dir = scratch::Directory::new();
    let mut chain = TestChain::new();
    let mut issuer = TestIssuer::start(init(&dir.path().join("journal"), &chain), &chain, 1);
    let mut keys = Vec::new();
    for batch in [&["A", "B"][..], &["C"]] {
        for biz in batch {
            keys.push(issuer.issue_new(draft(&mut chain, "S01", biz)).key);
        }
        let (_, request) = issuer.cut();
        chain.add_items(vec![offered(&request)]).unwrap();
        issuer.follow(&chain);
    }
    keys.push(issuer.issue_new(draft(&mut chain, "S01", "D")).key);
    let mut write = issuer.journal.write();
    write.erase_body(keys[2], receipt_core::ids::UnixMillis::new(5));
    write.commit(Durability::Synced).unwrap();
    Fixture { dir, chain, issuer, keys }
}

fn lines(path: &Path) -> Vec<BodyLine> {
    let bytes = std::fs::read(path).unwrap();
    assert!(bytes.ends_with(b"\n"));
    bytes
        .split_inclusive(|byte| *byte == b'\n')
        .map(|line| BodyLine::decode(&line[..line.len() - 1]).unwrap())
        .collect()
}

#[test]
fn every_sealed_receipt_has_its_line() {
    let Fixture { dir, issuer, keys, .. } = fixture();
    let out = dir.path().join("bodies");
    let written = export(&issuer.journal, &issuer.cipher, &out, None).unwrap();
    assert_eq!((written.bodies, written.erased), (2, 1));
    assert!(written.to_string().contains("personal data"), "{written}");
    let lines = lines(&out);
    let records = lines.iter().map(|line| SignedRecord::decode(&line.record).unwrap().record);
    let records: Vec<_> = records.collect();
    assert_eq!(records.iter().map(|record| record.key).collect::<Vec<_>>(), keys[..3], "the pending one is not there");
    for (line, record) in lines.iter().zip(&records).take(2) {
        let content = line.content.clone().unwrap();
        assert_eq!(Body::of_values(record.suite, content.values, &content.seed).unwrap().root(), record.body_root);
    }
    assert_eq!(lines[2].content, Err(Absence::Erased));
}

#[test]
fn what_was_sealed_above_the_height_is_left_out() {
    let Fixture { dir, issuer, .. } = fixture();
    let out = dir.path().join("bodies");
    let written = export(&issuer.journal, &issuer.cipher, &out, Some(Height::new(1))).unwrap();
    assert_eq!((written.bodies, written.erased), (2, 0));
}

#[test]
fn the_file_is_its_owners_and_never_over_another() {
    let Fixture { dir, issuer, .. } = fixture();
    let out = dir.path().join("bodies");
    export(&issuer.journal, &issuer.cipher, &out, None).unwrap();
    assert_eq!(std::fs::metadata(&out).unwrap().permissions().mode() & 0o777, 0o600);
    let before = std::fs::read(&out).unwrap();
    let error = export(&issuer.journal, &issuer.cipher, &out, None).unwrap_err();
    assert!(error.to_string().contains("not overwritten"), "{error:#}");
    assert_eq!(std::fs::read(&out).unwrap(), before);
    let nowhere = dir.path().join("absent").join("bodies");
    assert!(export(&issuer.journal, &issuer.cipher, &nowhere, None).is_err());
}

#[test]
fn another_master_key_leaves_no_torn_file() {
    let Fixture { dir, issuer, .. } = fixture();
    let out = dir.path().join("bodies");
    let other = BodyCipher::new(&tallystick_service::keyfile::Secret::new([9; 32]));
    let error = export(&issuer.journal, &other, &out, None).unwrap_err().to_string();
    assert!(error.contains("not one body opens under keys.master_key_file"), "{error}");
    assert_eq!(names(dir.path()), ["journal"]);
}

fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A Ctrl-C, a SIGKILL or a power cut may come at any moment before the name is given.
#[test]
fn until_it_is_whole_the_file_has_no_name_that_could_stay_behind() {
    let dir = scratch::Directory::new();
    let out = dir.path().join("bodies");
    let mut file = UnnamedFile::create(&out).unwrap();
    file.write_all(b"a person\n").unwrap();
    assert_eq!(names(dir.path()), Vec::<String>::new());
    drop(file);
    assert_eq!(names(dir.path()), Vec::<String>::new());
    let mut file = UnnamedFile::create(&out).unwrap();
    file.write_all(b"a person\n").unwrap();
    file.give_name().unwrap();
    assert_eq!((names(dir.path()), std::fs::read(&out).unwrap()), (vec!["bodies".to_owned()], b"a person\n".to_vec()));
    let taken = UnnamedFile::create(&out).unwrap().give_name().unwrap_err();
    assert!(format!("{taken:#}").contains("exists"), "{taken:#}");
}

#[test]
fn erased_lost_and_never_held_are_told_apart() {
    let Fixture { dir, issuer, keys, .. } = fixture();
    let foreign = issuer.journal.body(keys[1]).unwrap().unwrap();
    let mut write = issuer.journal.write();
    // Another receipt's key: as after damage, it opens nothing.
    write.put_receipt(keys[0], &issuer.journal.receipt(keys[0]).unwrap().unwrap(), &foreign);
    write.commit(Durability::Synced).unwrap();
    let out = dir.path().join("bodies");
    let written = export(&issuer.journal, &issuer.cipher, &out, None).unwrap();
    assert_eq!((written.bodies, written.erased, written.lost, written.never_held), (1, 1, 1, 0));
    assert!(!written.is_complete(), "the exit code says so");
    let said = |path: &Path| lines(path).into_iter().map(|line| line.content.err()).collect::<Vec<_>>();
    assert_eq!(said(&out), [Some(Absence::Lost), None, Some(Absence::Erased)]);

    // A receipt that was learnt from the ledger, and one of this journal's own without a body.
    let mut write = issuer.journal.write();
    write.delete_body(keys[0]);
    write.delete_body(keys[2]);
    let learnt = issuer.journal.receipt(keys[2]).unwrap().unwrap();
    write.put_row(keys[2], &ReceiptRow { biz_code: String::new(), place_code: String::new(), ..learnt });
    write.commit(Durability::Synced).unwrap();
    let again = dir.path().join("again");
    export(&issuer.journal, &issuer.cipher, &again, None).unwrap();
    assert_eq!(said(&again), [Some(Absence::Lost), None, Some(Absence::NeverHeld)]);
}

#[test]
fn it_reads_beside_the_running_issuer_and_only_its_own_journal() {
    let Fixture { dir, chain, issuer, .. } = fixture();
    let path = dir.path().join("journal");
    let journal = Journal::open_read_only(&path, identity(&chain)).unwrap();
    let written = export(&journal, &issuer.cipher, &dir.path().join("bodies"), None).unwrap();
    assert_eq!((written.bodies, written.erased), (2, 1));
    assert!(Journal::open_read_only(&path, identity(&TestChain::named("other"))).is_err());
    assert!(Journal::open_read_only(&dir.path().join("absent"), identity(&chain)).is_err());
}
