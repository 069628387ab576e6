use receipt_core::receipt::model::ReceiptDraft;
use receipt_core::testkit::TestChain;
use tallystick_proto::errors::CallReason;
use tallystick_service::clock::Clock as _;

use super::*;
use crate::body::SealedBody;
use crate::issue::Issued;
use crate::testing::{TestIssuer, draft, identity, init, offered};

struct Fixture {
    dir: tempfile::TempDir,
    chain: TestChain,
    issuer: TestIssuer,
    drafts: Vec<ReceiptDraft>,
    keys: Vec<ReceiptKey>,
}

/// Two sealed receipts, and one that waits.
fn fixture() -> Fixture {
    let dir = tempfile::tempdir().unwrap();
    let mut chain = TestChain::new();
    let mut issuer = TestIssuer::start(init(&dir.path().join("journal"), &chain), &chain, 1);
    let drafts = ["A", "B", "C"].map(|biz_code| draft(&mut chain, "S01", biz_code)).to_vec();
    let mut keys = vec![issuer.issue_new(drafts[0].clone()).key, issuer.issue_new(drafts[1].clone()).key];
    let (_, request) = issuer.cut();
    chain.add_items(vec![offered(&request)]).unwrap();
    issuer.follow(&chain);
    keys.push(issuer.issue_new(drafts[2].clone()).key);
    Fixture { dir, chain, issuer, drafts, keys }
}

impl Fixture {
    fn list(&self) -> ErasedList {
        ErasedList::new(&self.dir.path().join("journal.erased"), identity(&self.chain))
    }

    fn wish(&self, keys: &[ReceiptKey]) -> Wish {
        let now = self.issuer.clock.now();
        Wish { keys: keys.to_vec(), now, retention_days: 0, despite_retention: false }
    }

    fn erase(&mut self, keys: &[ReceiptKey]) -> Result<Vec<Erasure>, EraseError> {
        let (list, wish) = (self.list(), self.wish(keys));
        let erased = self.issuer.sequencer.erase(&list, &wish).unwrap()?;
        scrub(&self.issuer.journal, &erased)?;
        Ok(erased)
    }

    fn body(&self, index: usize) -> Option<SealedBody> {
        self.issuer.journal.body(self.keys[index]).unwrap()
    }
}

/// Files below a directory that contain these bytes.
fn holders(directory: &Path, bytes: &[u8]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(holders(&path, bytes));
        } else if fs::read(&path).unwrap().windows(bytes.len()).any(|window| window == bytes) {
            found.push(path);
        }
    }
    found
}

#[test]
fn no_file_holds_the_key_or_the_content_hash_of_an_erased_body() {
    let mut fixture = fixture();
    let key = fixture.keys[0];
    let wrapped_key = fixture.body(0).unwrap().wrapped_key;
    let unit = fixture.issuer.registry.view().unit_by_code(&fixture.drafts[0].unit_code).unwrap().id;
    let content = fixture.issuer.journal.biz(unit, "A").unwrap().unwrap().content;
    let all = fixture.dir.path().to_owned();
    for secret in [&wrapped_key[..], &content.0] {
        assert_ne!(holders(&all, secret), Vec::<PathBuf>::new(), "the search finds what is there");
    }
    let erased = fixture.erase(&[key]).unwrap();
    assert_eq!(erased, [Erasure { key, unit, biz_code: "A".to_owned(), repeated: false }]);
    for secret in [&wrapped_key[..], &content.0] {
        assert_eq!(holders(&all, secret), Vec::<PathBuf>::new());
    }
    assert_eq!(fixture.body(0), None);
    assert_eq!(fixture.issuer.journal.erased_at(key).unwrap(), Some(fixture.issuer.clock.now()));
    assert!(fixture.issuer.journal.receipt(key).unwrap().is_some(), "the record stays");
    assert!(fixture.body(1).is_some(), "the other one is untouched");
    assert_eq!(fixture.issuer.journal.erased_at(fixture.keys[1]).unwrap(), None);
    assert_eq!(fixture.issuer.journal.some_body().unwrap().unwrap().0, fixture.keys[1], "an erased one is passed over");
}

#[test]
fn erasing_is_idempotent_and_outlasts_a_restart() {
    let mut fixture = fixture();
    let key = fixture.keys[0];
    fixture.erase(&[key]).unwrap();
    let at = fixture.issuer.journal.erased_at(key).unwrap();
    let list = fs::read_to_string(fixture.dir.path().join("journal.erased")).unwrap();
    assert!(fixture.erase(&[key]).unwrap()[0].repeated);
    assert_eq!(fs::read_to_string(fixture.dir.path().join("journal.erased")).unwrap(), list);
    let Fixture { dir, chain, issuer, mut drafts, .. } = fixture;
    drop(issuer);
    let journal = Journal::open(&dir.path().join("journal"), identity(&chain)).unwrap();
    let mut issuer = TestIssuer::start(journal, &chain, 2);
    assert_eq!(issuer.journal.erased_at(key).unwrap(), at);
    assert_eq!(issuer.journal.body(key).unwrap(), None);
    // Its biz code is taken for good, and what was sent under it cannot be compared any more.
    let refusal = issuer.issue(vec![drafts.remove(0)]).remove(0).unwrap_err();
    assert_eq!(refusal.reason, CallReason::BodyErased.into());
    assert!(matches!(issuer.issue(vec![drafts.remove(0)])[0], Ok(Issued::Existing(_))), "the other one is replayed");
}

#[test]
fn all_or_none_and_never_too_early() {
    let mut fixture = fixture();
    let [sealed, _, waiting] = fixture.keys[..] else { panic!("three") };
    let unknown = ReceiptKey { number: ReceiptNumber::new(9_999_999_999).unwrap(), ..sealed };
    for (bad, problem) in [(waiting, "not decided"), (unknown, "no such receipt")] {
        let error = fixture.erase(&[sealed, bad]).unwrap_err().to_string();
        assert!(error.contains(problem) && error.contains(&bad.to_string()), "{error}");
        assert!(fixture.body(0).is_some(), "nothing was erased");
    }
    assert!(!fixture.dir.path().join("journal.erased").exists());
    let list = fixture.list();
    let young = Wish { retention_days: 1, ..fixture.wish(&[sealed]) };
    let error = list.erase(&fixture.issuer.journal, &young).unwrap_err().to_string();
    assert!(error.contains("bodies.retention_days (1)") && error.contains("--despite-retention"), "{error}");
    let old = Wish { now: young.now.plus_millis(DAY_MS + 1), ..young.clone() };
    assert!(list.erase(&fixture.issuer.journal, &old).is_ok());
    let by_law = Wish { keys: vec![fixture.keys[1]], despite_retention: true, ..young };
    assert!(list.erase(&fixture.issuer.journal, &by_law).is_ok());
}

#[test]
fn an_older_copy_of_the_journal_brings_no_body_back() {
    let mut fixture = fixture();
    let copy = fixture.dir.path().join("copy");
    fixture.issuer.journal.copy_to(&copy).unwrap();
    fixture.erase(&[fixture.keys[0]]).unwrap();
    let copy = Journal::open(&copy, identity(&fixture.chain)).unwrap();
    assert!(copy.body(fixture.keys[0]).unwrap().is_some(), "a backup holds it");
    assert_eq!(fixture.list().reapply(&copy).unwrap(), 1);
    assert_eq!(copy.body(fixture.keys[0]).unwrap(), None);
    assert_eq!(copy.erased_at(fixture.keys[0]).unwrap(), fixture.issuer.journal.erased_at(fixture.keys[0]).unwrap());
    assert!(copy.body(fixture.keys[1]).unwrap().is_some());
    assert_eq!(fixture.list().reapply(&copy).unwrap(), 0, "once");
}

#[test]
fn an_erasure_that_only_reached_the_list_is_finished_at_the_next_start() {
    let fixture = fixture();
    let unit = fixture.issuer.registry.view().unit_by_code(&fixture.drafts[0].unit_code).unwrap().id;
    let erasure = Erasure { key: fixture.keys[0], unit, biz_code: "A".to_owned(), repeated: false };
    fixture.list().append(&[&erasure], UnixMillis::new(7)).unwrap();
    assert!(fixture.body(0).is_some(), "then the power went");
    assert_eq!(fixture.list().reapply(&fixture.issuer.journal).unwrap(), 1);
    assert_eq!(fixture.body(0), None);
    assert!(fixture.issuer.journal.biz(unit, "A").unwrap().unwrap().is_erased());
}

#[test]
fn a_torn_line_is_dropped_and_a_foreign_list_refused() {
    let mut fixture = fixture();
    let path = fixture.dir.path().join("journal.erased");
    let [first, second, _] = fixture.keys[..] else { panic!("three") };
    fixture.erase(&[first]).unwrap();
    let whole = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{whole}{second} 12")).unwrap();
    assert_eq!(fixture.list().reapply(&fixture.issuer.journal).unwrap(), 0);
    fixture.erase(&[second]).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.starts_with(&whole) && text.lines().count() == 3, "{text}");
    fs::write(&path, whole.replace(" 1\n", " 2\n")).unwrap();
    assert!(
        fixture.list().reapply(&fixture.issuer.journal).unwrap_err().to_string().contains("another chain or issuer")
    );
    fs::write(&path, format!("{whole}nonsense\n")).unwrap();
    assert!(fixture.list().reapply(&fixture.issuer.journal).unwrap_err().to_string().contains("line 3"));
}
