use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use receipt_core::ids::ReceiptNumber;
use receipt_core::receipt::model::ReceiptDraft;
use receipt_core::testkit::{TestChain, UTC_OFFSET_MINUTES};
use tallystick_anchoring::testkit::small_disk::SmallDisk;
use tallystick_proto::errors::CallReason;
use tallystick_service::clock::Clock as _;

use super::run::Due;
use super::*;
use crate::body::SealedBody;
use crate::issue::Issued;
use crate::testing::{TestIssuer, draft, identity, init, offered};

mod again;
mod older;
mod tasks;

const TODAY: u32 = 20_261_102;

struct Fixture {
    chain: TestChain,
    issuer: TestIssuer,
    drafts: Vec<ReceiptDraft>,
    keys: Vec<ReceiptKey>,
    dir: scratch::Directory,
}

/// Two sealed receipts, and one that waits.
fn fixture() -> Fixture {
    fixture_of(&["S01", "S01"])
}

/// These samples sealed, and one receipt that waits.
fn fixture_of(samples: &[&str]) -> Fixture {
    let dir = scratch::Directory::new();
    let mut chain = TestChain::new();
    let mut issuer = TestIssuer::start(init(&dir.path().join("journal"), &chain), &chain, 1);
    let biz_code = |index: usize| char::from(b'A' + u8::try_from(index).unwrap()).to_string();
    let drafts = samples.iter().chain(&["S01"]).enumerate();
    let drafts: Vec<_> = drafts.map(|(index, sample)| draft(&mut chain, sample, &biz_code(index))).collect();
    let (waiting, sealed) = drafts.split_last().unwrap();
    let mut keys: Vec<_> = sealed.iter().map(|draft| issuer.issue_new(draft.clone()).key).collect();
    let (_, request) = issuer.cut();
    chain.add_items(vec![offered(&request)]).unwrap();
    issuer.follow(&chain);
    keys.push(issuer.issue_new(waiting.clone()).key);
    let fixture = Fixture { dir, chain, issuer, drafts, keys };
    fixture.list().create(UnixMillis::new(1)).unwrap();
    fixture
}

/// Of some categories nothing is kept, of all others five years.
fn retention(of_none: &[u32]) -> Retention {
    Retention { years: 5, by_category: of_none.iter().map(|category| (*category, 0)).collect() }
}

impl Fixture {
    fn list(&self) -> ErasedList {
        ErasedList::new(&self.dir.path().join("journal.erased"), identity(&self.chain))
    }

    fn now(&self) -> UnixMillis {
        self.issuer.clock.now()
    }

    fn wish(&self, keys: &[ReceiptKey]) -> Wish {
        Wish {
            keys: keys.to_vec(),
            now: self.now(),
            today: TODAY,
            utc_offset_minutes: UTC_OFFSET_MINUTES,
            retention: Retention { years: 0, by_category: BTreeMap::new() },
            despite_retention: false,
        }
    }

    fn erase(&mut self, keys: &[ReceiptKey]) -> Result<Vec<Erasure>, EraseError> {
        let (list, wish) = (self.list(), self.wish(keys));
        let erased = self.issuer.sequencer.erase(&list, &wish).unwrap()?;
        rewrite(&self.issuer.journal, keys.iter().copied())?;
        Ok(erased)
    }

    fn begin(&mut self, rule: &Rule) -> Result<(), EraseError> {
        let list = self.list();
        self.issuer.sequencer.begin_erasure(&list, rule).unwrap()
    }

    fn reapply(&self, journal: &Journal) -> Result<Reapplied, EraseError> {
        reapply(journal, &self.list(), UTC_OFFSET_MINUTES)
    }

    fn body(&self, index: usize) -> Option<SealedBody> {
        self.issuer.journal.body(self.keys[index]).unwrap()
    }

    fn code(&self, index: usize) -> ReceiptCode {
        self.keys[index].code
    }
}

fn eraser(journal: &Journal) -> Eraser<'_> {
    Eraser::new(journal, UTC_OFFSET_MINUTES).in_steps_of(2)
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

/// Takes the names of the tables behind the next ones, of which so many are free.
fn take_names(path: &Path, free: u32) -> Vec<PathBuf> {
    let number = |path: PathBuf| path.file_stem()?.to_str()?.parse::<u32>().ok();
    let files = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
    let first = files.filter_map(number).max().unwrap() + 1 + free;
    let taken: Vec<_> = (first..first + 80).map(|number| path.join(format!("{number:06}.sst"))).collect();
    taken.iter().for_each(|taken| fs::create_dir(taken).unwrap());
    taken
}

/// What a killed process leaves.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_name() != "LOCK" {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

#[test]
fn no_file_holds_the_key_of_an_erased_body_nor_ever_what_the_caller_sent() {
    let mut fixture = fixture();
    let key = fixture.keys[0];
    let wrapped_key = fixture.body(0).unwrap().wrapped_key;
    let content = fixture.issuer.prepare(fixture.drafts[0].clone(), None).unwrap().content;
    let all = fixture.dir.path().to_owned();
    assert_ne!(holders(&all, &wrapped_key), Vec::<PathBuf>::new(), "the search finds what is there");
    assert_eq!(holders(&all, &content.0), Vec::<PathBuf>::new(), "a hash of what was sent could be guessed");
    let erased = fixture.erase(&[key]).unwrap();
    assert_eq!(erased, [Erasure { key, repeated: false }]);
    assert_eq!(holders(&all, &wrapped_key), Vec::<PathBuf>::new());
    assert_eq!(fixture.body(0), None);
    assert_eq!(fixture.issuer.journal.erased_at(key).unwrap(), Some(fixture.now()));
    assert!(fixture.issuer.journal.receipt(key).unwrap().is_some(), "the record stays");
    assert!(fixture.body(1).is_some(), "the other one is untouched");
    assert_eq!(fixture.issuer.journal.erased_at(fixture.keys[1]).unwrap(), None);
}

#[test]
fn erasing_is_idempotent_and_outlasts_a_restart() {
    let mut fixture = fixture();
    let key = fixture.keys[0];
    fixture.erase(&[key]).unwrap();
    let at = fixture.issuer.journal.erased_at(key).unwrap();
    let list = fs::read_to_string(fixture.list().path()).unwrap();
    assert!(fixture.erase(&[key]).unwrap()[0].repeated);
    assert_eq!(fs::read_to_string(fixture.list().path()).unwrap(), list);
    assert_eq!(fixture.issuer.journal.erased_at(key).unwrap(), at);
    let Fixture { dir, chain, issuer, drafts, .. } = fixture;
    drop(issuer);
    let journal = Journal::open(&dir.path().join("journal"), identity(&chain)).unwrap();
    let mut issuer = TestIssuer::start(journal, &chain, 2);
    assert_eq!((issuer.journal.body(key).unwrap(), issuer.journal.erased_at(key).unwrap()), (None, at));

    // A repeated call is not a new receipt, and nothing can be compared.
    let results = issuer.issue(drafts);
    let refusal = results[0].as_ref().unwrap_err();
    assert_eq!(refusal.reason, CallReason::BodyErased.into(), "{refusal}");
    assert!(matches!(results[1], Ok(Issued::Existing(_))), "{:?}", results[1]);
}

#[test]
fn all_or_nothing_and_only_what_is_decided_known_and_old() {
    let mut fixture = fixture();
    let [sealed, other, waiting] = fixture.keys[..] else { panic!("three") };
    let unknown = ReceiptKey { number: ReceiptNumber::new(9_999_999_999).unwrap(), ..sealed };
    for (bad, problem) in [(waiting, "not decided"), (unknown, "no such receipt")] {
        let error = fixture.erase(&[sealed, bad]).unwrap_err().to_string();
        assert!(error.contains(problem) && error.contains(&bad.to_string()), "{error}");
        assert!(fixture.body(0).is_some(), "nothing was erased");
    }
    assert_eq!(fixture.list().lines_after(None).unwrap(), []);
    let list = fixture.list();
    let journal = &fixture.issuer.journal;
    let young = Wish { retention: Retention { years: 1, by_category: BTreeMap::new() }, ..fixture.wish(&[sealed]) };
    let error = erase(journal, &list, &young).unwrap_err().to_string();
    assert!(error.contains("is kept for 1 years (bodies.retention_years)") && error.contains("--despite-retention"));
    let old = Wish { today: TODAY + 10_000, ..young.clone() };
    assert!(erase(journal, &list, &old).is_ok());
    let by_law = Wish { keys: vec![other], despite_retention: true, ..young };
    assert!(erase(journal, &list, &by_law).is_ok());
}

#[test]
fn what_is_due_goes_by_category_and_what_is_not_decided_stays() {
    let mut fixture = fixture_of(&["S01", "S05", "S01", "S01"]);
    let [medical, other] = [fixture.code(0), fixture.code(1)];
    assert_ne!(medical.category(), other.category());
    let keys = [0, 2, 3].map(|index| fixture.body(index).unwrap().wrapped_key);
    let rule = retention(&[medical.category()]).due(TODAY, &BTreeSet::new());
    let due =
        Due { by_category: BTreeMap::from([(medical.category(), (3, TODAY, TODAY))]), undecided: 1, ..Due::default() };
    assert_eq!(eraser(&fixture.issuer.journal).count(&rule).unwrap(), due, "a dry run says what will go");
    fixture.begin(&rule).unwrap();
    assert!(fixture.begin(&rule).unwrap_err().to_string().contains("is under way"));
    let run = eraser(&fixture.issuer.journal).finish(fixture.now()).unwrap().unwrap();
    assert_eq!((run.erased, run.undecided, run.unreadable, run.ranges.len()), (3, 1, 0, 1));
    for index in [0, 2, 3] {
        assert_eq!(fixture.body(index), None);
        assert_eq!(fixture.issuer.journal.erased_at(fixture.keys[index]).unwrap(), Some(fixture.now()));
    }
    assert!(fixture.body(1).is_some() && fixture.body(4).is_some());
    for key in keys {
        assert_eq!(holders(fixture.dir.path(), &key), Vec::<PathBuf>::new());
    }
    assert_eq!(eraser(&fixture.issuer.journal).count(&rule).unwrap(), Due { undecided: 1, ..Due::default() });
    assert_eq!(fixture.list().lines_after(None).unwrap(), [Line::Expired { rule: rule.clone(), at: fixture.now() }]);

    // Of one category alone; what is complete adds up.
    let only = retention(&[medical.category(), other.category()]).due(TODAY, &BTreeSet::from([other.category()]));
    fixture.begin(&only).unwrap();
    eraser(&fixture.issuer.journal).finish(fixture.now()).unwrap();
    assert_eq!(fixture.body(1), None);
    assert_eq!(run::erased_by_age(&fixture.issuer.journal).unwrap(), rule.and(&only));
    assert!(went_by_age(&fixture.issuer.journal, medical, TODAY).unwrap());
    assert!(!went_by_age(&fixture.issuer.journal, medical, TODAY + 1).unwrap());
}

#[test]
fn a_blob_file_whose_bodies_are_all_erased_leaves_the_disk() {
    let mut fixture = fixture();
    let journal = fixture.dir.path().join("journal");
    let ciphertext = fixture.body(0).unwrap().ciphertext;
    fixture.issuer.journal.flush_logs().unwrap();
    let (_, request) = fixture.issuer.cut();
    fixture.chain.add_items(vec![offered(&request)]).unwrap();
    fixture.issuer.follow(&fixture.chain);
    assert_ne!(holders(&journal, &ciphertext), Vec::<PathBuf>::new(), "the search finds what is there");
    fixture.begin(&retention(&[fixture.code(0).category()]).due(TODAY, &BTreeSet::new())).unwrap();
    let run = eraser(&fixture.issuer.journal).finish(fixture.now()).unwrap().unwrap();
    assert_eq!(run.erased, 3);
    assert_eq!(holders(&journal, &ciphertext), Vec::<PathBuf>::new());
}

#[test]
fn killed_after_any_step_an_erasure_goes_on_to_the_same_end() {
    let mut fixture = fixture_of(&["S01"; 7]);
    let keys = [0, 6].map(|index| fixture.body(index).unwrap().wrapped_key);
    let rule = retention(&[fixture.code(0).category()]).due(TODAY, &BTreeSet::new());
    fixture.begin(&rule).unwrap();
    let (live, mut steps) = (fixture.dir.path().join("journal"), 0);
    loop {
        steps += 1;
        // The process dies here; what it left is opened by the next one.
        let dead = fixture.dir.path().join(format!("dead-{steps}"));
        copy(&live, &dead);
        let next = Journal::open(&dead, identity(&fixture.chain)).unwrap();
        assert_eq!(fixture.reapply(&next).unwrap(), Reapplied::default(), "its list is done or under way");
        eraser(&next).finish(fixture.now()).unwrap();
        let run = next.erasure_run().unwrap().unwrap();
        assert!(run.is_done() && run.erased == 7 && run.undecided == 1, "after {steps}: {run:?}");
        assert!(fixture.keys[..7].iter().all(|key| next.erased_at(*key).unwrap() == Some(fixture.now())));
        drop(next);
        for key in &keys {
            assert_eq!(holders(&dead, key), Vec::<PathBuf>::new(), "after {steps}");
        }
        if eraser(&fixture.issuer.journal).step(fixture.now()).unwrap().is_none() {
            break;
        }
    }
    assert!(steps > 6, "{steps}");
}

#[test]
fn an_older_copy_of_the_journal_brings_no_body_back() {
    let mut fixture = fixture_of(&["S01", "S05", "S04"]);
    let copy = fixture.dir.path().join("copy");
    fixture.issuer.journal.copy_to(&copy).unwrap();
    fixture.erase(&[fixture.keys[1]]).unwrap();
    fixture.begin(&retention(&[fixture.code(0).category()]).due(TODAY, &BTreeSet::new())).unwrap();
    eraser(&fixture.issuer.journal).finish(fixture.now()).unwrap();
    let copy = Journal::open(&copy, identity(&fixture.chain)).unwrap();
    let there = |index: usize| copy.body(fixture.keys[index]).unwrap().is_some();
    assert!(there(0) && there(1), "a backup holds them");
    assert_eq!(fixture.reapply(&copy).unwrap(), Reapplied { named: 1, by_age: 1 });
    assert!(!there(0) && !there(1) && there(2));
    for key in &fixture.keys[..2] {
        assert_eq!(copy.erased_at(*key).unwrap(), fixture.issuer.journal.erased_at(*key).unwrap());
    }
    assert_eq!(fixture.reapply(&copy).unwrap(), Reapplied::default(), "once");
}

#[test]
fn a_backup_made_while_an_erasure_was_under_way_brings_nothing_back_either() {
    let mut fixture = fixture_of(&["S01"; 5]);
    fixture.begin(&retention(&[fixture.code(0).category()]).due(TODAY, &BTreeSet::new())).unwrap();
    eraser(&fixture.issuer.journal).step(fixture.now()).unwrap();
    let copy = fixture.dir.path().join("copy");
    fixture.issuer.journal.copy_to(&copy).unwrap();
    let copy = Journal::open(&copy, identity(&fixture.chain)).unwrap();
    assert!(copy.body(fixture.keys[4]).unwrap().is_some());
    let again = reapply_whole(&copy, &fixture.list(), fixture.now(), UTC_OFFSET_MINUTES).unwrap();
    assert_eq!(again, Reapplied { named: 0, by_age: 5 });
    assert!(fixture.keys[..5].iter().all(|key| copy.body(*key).unwrap().is_none()));
}

#[test]
fn a_clock_that_runs_years_ahead_makes_nothing_due() {
    let fixture = fixture();
    let journal = &fixture.issuer.journal;
    let years_ahead = fixture.now().plus_millis(10 * 366 * 24 * 60 * 60 * 1000);
    assert_eq!(today(journal, years_ahead, UTC_OFFSET_MINUTES).unwrap(), TODAY, "the ledger's day");
    let behind = UnixMillis::new(0);
    assert_eq!(today(journal, behind, UTC_OFFSET_MINUTES).unwrap(), 19_700_101);
}

#[test]
fn an_erasure_that_only_reached_the_list_is_finished_at_the_next_start() {
    let fixture = fixture();
    let rule = retention(&[fixture.code(0).category()]).due(TODAY, &BTreeSet::new());
    let line = Line::Named { key: fixture.keys[0], at: UnixMillis::new(7) };
    fixture.list().append(&[line, Line::Expired { rule, at: UnixMillis::new(8) }]).unwrap();
    assert!(fixture.body(0).is_some(), "then the power went");
    assert_eq!(fixture.reapply(&fixture.issuer.journal).unwrap(), Reapplied { named: 1, by_age: 1 });
    assert_eq!((fixture.body(0), fixture.body(1)), (None, None));
    assert_eq!(fixture.issuer.journal.erased_at(fixture.keys[1]).unwrap(), Some(UnixMillis::new(8)));
}

/// Where a table cannot be written, be it for want of room: before, the start was refused, and told to ask for the erasure again.
#[test]
fn a_start_that_cannot_write_tables_anew_erases_and_leaves_them_for_later() {
    let fixture = fixture();
    let key = fixture.keys[0];
    let secret = fixture.body(0).unwrap().wrapped_key;
    fixture.issuer.journal.flush_logs().unwrap();
    fixture.list().append(&[Line::Named { key, at: UnixMillis::new(7) }]).unwrap();
    // The more names of tables are free, the later it fails.
    assert!((0..40).any(|free| is_left_by_a_start(&fixture, free, key, &secret)));
}

/// Whether a start erased this body in a copy of the journal and could not write its tables anew: then a later start does.
fn is_left_by_a_start(fixture: &Fixture, free: u32, key: ReceiptKey, secret: &[u8]) -> bool {
    let path = fixture.dir.path().join(format!("copy-{free}"));
    copy(fixture.issuer.journal.path(), &path);
    let journal = Journal::open(&path, identity(&fixture.chain)).unwrap();
    let taken = take_names(&path, free);
    let started = reapply_at_start(&journal, &fixture.list(), UTC_OFFSET_MINUTES);
    drop(journal);
    taken.iter().for_each(|taken| fs::remove_dir(taken).unwrap());
    let Ok((_, left)) = started else { return false };
    let journal = Journal::open(&path, identity(&fixture.chain)).unwrap();
    if left.is_empty() {
        return false;
    }
    assert_eq!(journal.body(key).unwrap(), None);
    assert_ne!(holders(&path, secret), Vec::<PathBuf>::new());
    let (_, left) = reapply_at_start(&journal, &fixture.list(), UTC_OFFSET_MINUTES).unwrap();
    assert_eq!(left, []);
    assert_eq!(holders(&path, secret), Vec::<PathBuf>::new());
    true
}

#[test]
fn a_torn_line_is_dropped_and_a_foreign_list_refused() {
    let mut fixture = fixture();
    let path = fixture.list().path().to_owned();
    let [first, second, _] = fixture.keys[..] else { panic!("three") };
    fixture.erase(&[first]).unwrap();
    let whole = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{whole}{second} 12")).unwrap();
    assert_eq!(fixture.reapply(&fixture.issuer.journal).unwrap(), Reapplied::default());
    fixture.erase(&[second]).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.starts_with(&whole) && text.lines().count() == 3, "{text}");
    let problem = |text: String| {
        fs::write(&path, text).unwrap();
        fixture.reapply(&fixture.issuer.journal).unwrap_err().to_string()
    };
    assert!(problem(whole.replacen(" 1 ", " 2 ", 1)).contains("another chain or issuer"));
    assert!(problem(String::new()).contains("another chain or issuer"));
    // More than one append could have left.
    let later = format!("{text}nonsense\n{first} 12\n{second} 13\n");
    assert!(problem(later).contains("\"nonsense\""));
    assert!(problem(whole).contains("it is an older copy"), "one that lacks what this journal has erased");
    fs::remove_file(&path).unwrap();
    let missing = fixture.reapply(&fixture.issuer.journal).unwrap_err().to_string();
    assert!(missing.contains("is missing") && missing.contains("--rewrite-list"), "{missing}");
}

#[test]
fn a_lost_list_is_made_anew_from_the_journal_and_holds_for_its_older_copies() {
    let mut fixture = fixture_of(&["S01", "S05", "S04"]);
    let old = fixture.dir.path().join("old");
    fixture.issuer.journal.copy_to(&old).unwrap();
    fixture.erase(&[fixture.keys[1]]).unwrap();
    fixture.begin(&retention(&[fixture.code(0).category()]).due(TODAY, &BTreeSet::new())).unwrap();
    eraser(&fixture.issuer.journal).finish(fixture.now()).unwrap();
    let lines = fixture.list().lines_after(None).unwrap();
    let former = fs::read(fixture.list().path()).unwrap();
    fs::remove_file(fixture.list().path()).unwrap();
    let journal = &fixture.issuer.journal;
    assert_eq!(rewrite_list(journal, &fixture.list(), UnixMillis::new(2)).unwrap(), 2);
    assert_eq!(fixture.list().lines_after(None).unwrap(), lines);
    assert_eq!(fixture.reapply(journal).unwrap(), Reapplied::default());
    let old = Journal::open(&old, identity(&fixture.chain)).unwrap();
    assert_eq!(fixture.reapply(&old).unwrap(), Reapplied { named: 1, by_age: 1 });
    // The list from before it was made anew is an older copy, too, however long it is.
    fs::write(fixture.list().path(), former).unwrap();
    assert!(fixture.reapply(journal).unwrap_err().to_string().contains("it is an older copy"));
}

/// A power cut leaves any pages of the append. Before, all but a plain cut-off refused each start until somebody made the list anew.
#[test]
fn an_append_that_was_torn_in_any_pages_is_cut_and_what_stands_before_it_is_done() {
    const PAGE_BYTES: usize = 4096;
    let mut fixture = fixture_of(&["S01"; 3]);
    fixture.erase(&[fixture.keys[0]]).unwrap();
    let path = fixture.list().path().to_owned();
    let known = fs::read(&path).unwrap();
    // As many as one request may name; the first is a receipt that is here.
    let named = |index: u64| ReceiptKey { number: ReceiptNumber::new(7_000 + index).unwrap(), ..fixture.keys[1] };
    let keys = std::iter::once(fixture.keys[1]).chain((1..RECEIPTS_MAX as u64).map(named));
    let lines: Vec<Line> = keys.map(|key| Line::Named { key, at: UnixMillis::new(7) }).collect();
    fixture.list().append(&lines).unwrap();
    let whole = fs::read(&path).unwrap();
    let pages = whole.len().div_ceil(PAGE_BYTES);
    assert!(pages > 1, "{} bytes", whole.len());
    let mut torn: Vec<Vec<u8>> = (known.len() + 1..whole.len()).step_by(509).map(|end| whole[..end].to_vec()).collect();
    for set in 1..1_usize << pages {
        for fill in [0, 0xa5] {
            let mut bytes = whole.clone();
            for page in (0..pages).filter(|page| set >> page & 1 == 1) {
                let (from, to) = (page * PAGE_BYTES, whole.len().min((page + 1) * PAGE_BYTES));
                bytes[from.max(known.len())..to].fill(fill);
            }
            torn.push(bytes);
        }
    }
    for (row, bytes) in torn.iter().enumerate() {
        let journal = fixture.dir.path().join(format!("journal-{row}"));
        copy(&fixture.dir.path().join("journal"), &journal);
        let journal = Journal::open(&journal, identity(&fixture.chain)).unwrap();
        fs::write(&path, bytes).unwrap();
        let again = fixture.reapply(&journal).unwrap_or_else(|error| panic!("row {row}: {error}"));
        let left = fs::read(&path).unwrap();
        assert!(left.len() >= known.len() && whole.starts_with(&left), "row {row}: only its end is cut");
        assert_eq!(fixture.list().lines_after(None).unwrap().len(), 1 + again.named, "row {row}");
        assert_eq!(journal.erased_at(fixture.keys[1]).unwrap().is_some(), again.named > 0, "row {row}");
        assert_eq!(fixture.reapply(&journal).unwrap(), Reapplied::default(), "row {row}: once");
        let end = fixture.list().append(&lines[..1]).unwrap();
        assert_eq!(end.bytes, fs::metadata(&path).unwrap().len(), "row {row}");
    }
}

/// What an older copy of the journal does not know may have been acted upon: nothing of it is cut.
#[test]
fn the_list_is_never_cut_for_a_journal_that_is_not_the_newest() {
    let mut fixture = fixture_of(&["S01"; 3]);
    let restored = fixture.dir.path().join("restored");
    fixture.issuer.journal.copy_to(&restored).unwrap();
    let made = fixture.list().position().unwrap();
    fixture.erase(&[fixture.keys[0]]).unwrap();
    let path = fixture.list().path().to_owned();
    let mut rotten = fs::read(&path).unwrap();
    let last = rotten.len() - 3;
    rotten[last] = b'?';
    fs::write(&path, &rotten).unwrap();
    let restored = Journal::open(&restored, identity(&fixture.chain)).unwrap();
    let mut write = restored.write();
    write.put_halted("restored");
    write.put_list_position(made);
    write.commit(Durability::Synced).unwrap();
    let refused = reapply_whole(&restored, &fixture.list(), fixture.now(), UTC_OFFSET_MINUTES).unwrap_err().to_string();
    assert!(refused.contains("is no erasure") && refused.contains("put back a whole copy"), "{refused}");
    assert_eq!(fs::read(&path).unwrap(), rotten);
    // The newest one has acted upon all of it, and has no need of the line.
    assert_eq!(fixture.reapply(&fixture.issuer.journal).unwrap(), Reapplied::default());
    assert_eq!(fs::read(&path).unwrap(), rotten);
}

/// A full disk: what of an append had reached it stood in the way of each later erasure and start.
#[test]
fn an_append_that_failed_leaves_nothing_behind() {
    let mut fixture = fixture_of(&["S01"; 3]);
    let Some(disk) = SmallDisk::mount(&fixture.dir.path().join("disk")) else { return };
    let list = ErasedList::new(&disk.path().join("journal.erased"), identity(&fixture.chain));
    list.create(UnixMillis::new(2)).unwrap();
    let before = fs::read(list.path()).unwrap();
    disk.fill();
    // Longer than the page that the header has.
    let line = Line::Named { key: fixture.keys[0], at: UnixMillis::new(7) };
    let failed = list.append(&vec![line; RECEIPTS_MAX]).unwrap_err().to_string();
    assert!(failed.contains("No space left on device") && failed.contains("What to do: "), "{failed}");
    assert_eq!(fs::read(list.path()).unwrap(), before);
    disk.free();
    let wish = fixture.wish(&[fixture.keys[0]]);
    fixture.issuer.sequencer.erase(&list, &wish).unwrap().unwrap();
    assert_eq!(list.lines_after(None).unwrap().len(), 1);
    drop(disk);
}
