use std::path::{Path, PathBuf};

use receipt_core::testkit::TestChain;
use tallystick_anchoring::check::Fault;
use tallystick_anchoring::journal::{Row, StretchEnd};
use tallystick_service::clock::FixedClock;
use tallystick_service::keyfile::Secret;

use super::*;
use crate::testing::{TestIssuer, draft, identity, init, offered};
use scratch::alone::{NoFiles, is_alone};

const RECEIPTS: usize = 12;

/// A journal on disk, all of it in tables and blob files, as a backup is.
pub(crate) struct Written {
    pub(crate) chain: TestChain,
    rows: Vec<(&'static str, Row)>,
    pub(crate) dir: scratch::Directory,
}

fn inspector() -> ReceiptInspector {
    ReceiptInspector::new(Arc::new(BodyCipher::new(&Secret::new([5; 32]))))
}

fn all_rows(journal: &Journal) -> Option<Vec<(&'static str, Row)>> {
    let mut rows = Vec::new();
    for family in journal.families() {
        let stretch = journal.stretch(family, None, usize::MAX).unwrap();
        rows.extend(stretch.rows.into_iter().map(|row| (family.name, row)));
        if !matches!(stretch.end, StretchEnd::Last) {
            return None;
        }
    }
    Some(rows)
}

impl Written {
    fn new() -> Self {
        let dir = scratch::Directory::new();
        let mut chain = TestChain::new();
        let mut issuer = TestIssuer::start(init(&dir.path().join("live"), &chain), &chain, 1);
        for number in 0..RECEIPTS {
            issuer.issue_new(draft(&mut chain, "S01", &format!("B{number}")));
        }
        let (_, request) = issuer.cut();
        chain.add_items(vec![offered(&request)]).unwrap();
        issuer.follow(&chain);
        issuer.journal.copy_to(&dir.path().join("base")).unwrap();
        let journal = Journal::open(&dir.path().join("base"), identity(&chain)).unwrap();
        let rows = all_rows(&journal).unwrap();
        Self { dir, chain, rows }
    }

    fn files(&self, extension: &str) -> Vec<PathBuf> {
        let files = std::fs::read_dir(self.dir.path().join("base")).unwrap().map(|entry| entry.unwrap().path());
        let mut files: Vec<PathBuf> = files
            .filter(|path| {
                let name = path.file_name().unwrap().to_str().unwrap();
                name.ends_with(extension) || name.starts_with(extension)
            })
            .collect();
        files.sort();
        files
    }

    /// A copy in which one byte of one file is another.
    fn rotten(&self, file: &Path, at: usize) -> PathBuf {
        let to = self.dir.path().join("rotten");
        let _ = std::fs::remove_dir_all(&to);
        std::fs::create_dir(&to).unwrap();
        for entry in std::fs::read_dir(self.dir.path().join("base")).unwrap() {
            let entry = entry.unwrap();
            let mut bytes = std::fs::read(entry.path()).unwrap();
            if entry.path() == file {
                bytes[at] ^= 0x20;
            }
            std::fs::write(to.join(entry.file_name()), bytes).unwrap();
        }
        to
    }

    /// What a check says; `None` if the journal cannot be opened at all.
    fn check(&self, path: &Path) -> Option<Findings> {
        match Journal::open(path, identity(&self.chain)) {
            Err(error) => {
                assert!(
                    matches!(
                        error,
                        JournalError::Store(_)
                            | JournalError::Corrupt(_)
                            | JournalError::Unreadable(_)
                            | JournalError::Absent { .. }
                            | JournalError::Foreign(_)
                    ),
                    "{error:?}"
                );
                None
            }
            Ok(journal) => {
                let inspector = inspector();
                let findings = Pass::new(&journal, &inspector).run().unwrap();
                let sound = all_rows(&journal).is_some_and(|rows| rows == self.rows);
                assert!(sound || !findings.is_sound(), "rows are missing or other ones, and nothing was found");
                Some(findings)
            }
        }
    }
}

/// One rotten byte, anywhere: it is found, or it changes nothing of what is read.
#[test]
fn one_rotten_byte_in_any_file_is_found() {
    let written = Written::new();
    let (mut found, mut unopened, mut harmless) = (0, 0, 0);
    for (extension, places) in [(".sst", 7), (".blob", 24), ("MANIFEST", 16), ("CURRENT", 4)] {
        let files = written.files(extension);
        assert!(!files.is_empty(), "{extension}");
        for file in files {
            let bytes = usize::try_from(std::fs::metadata(&file).unwrap().len()).unwrap();
            for place in 0..places.min(bytes) {
                match written.check(&written.rotten(&file, place * bytes / places)) {
                    None => unopened += 1,
                    Some(findings) if findings.is_sound() => harmless += 1,
                    Some(_) => found += 1,
                }
            }
        }
    }
    println!("{found} found, {unopened} kept the journal shut, {harmless} changed nothing");
    assert!(found > 40 && unopened > 5, "{found} {unopened} {harmless}");
}

/// A blob holds one body: its receipt is named, and the way to mend it.
#[test]
fn a_rotten_body_is_named_with_the_way_to_mend_it() {
    let written = Written::new();
    let blob = written.files(".blob").pop().unwrap();
    let middle = std::fs::read(&blob).unwrap().len() / 2;
    let findings = written.check(&written.rotten(&blob, middle)).unwrap();
    let [Fault { place: Place::Record(_), name, .. }] = &findings.named[..] else { panic!("{:?}", findings.named) };
    let said = said(&findings);
    assert!(said.contains(name) && name.starts_with("receipt 99060126-"), "{said}");
    assert!(said.contains("`Resubmit`") && !said.contains("`restore`"), "{said}");
}

/// A table holds rows of many receipts: each that cannot be read is named, although the table that names them is the rotten one.
#[test]
fn a_rotten_table_names_every_receipt_whose_record_cannot_be_read() {
    let written = Written::new();
    let mut most = 0;
    for table in written.files(".sst") {
        let findings = written.check(&written.rotten(&table, 40));
        let records = |fault: &&Fault| matches!(fault.place, Place::Record(_));
        let named = findings.map_or(0, |findings| findings.named.iter().filter(records).count());
        assert!(named == 0 || named == RECEIPTS, "{named} of {RECEIPTS}");
        most = most.max(named);
    }
    assert_eq!(most, RECEIPTS);
}

#[test]
fn what_a_sound_journal_says_is_no_damage() {
    let written = Written::new();
    let findings = written.check(&written.dir.path().join("base")).unwrap();
    assert_eq!((findings.faults, findings.records), (0, RECEIPTS as u64));
    assert!(said(&findings).starts_with("the journal is sound: 12 receipts"), "{}", said(&findings));
}

/// Before, what kept the cache from being given up ended the issuer.
#[test]
fn a_check_goes_on_where_the_cache_cannot_be_given_up() {
    let written = Written::new();
    let base = written.dir.path().join("base");
    std::os::unix::fs::symlink("loop.sst", base.join("loop.sst")).unwrap();
    let journal = Journal::open(&base, identity(&written.chain)).unwrap();
    journal.forget_cached().unwrap_err();
    let inspector = inspector();
    let findings = Pass::new(&journal, &inspector).run().unwrap();
    assert_eq!((findings.faults, findings.records), (0, RECEIPTS as u64));
}

/// Before, it ended the issuer.
#[test]
fn a_check_that_may_open_no_more_files_ends_alone_and_is_made_again() {
    if !is_alone("check::tests::a_check_that_may_open_no_more_files_ends_alone_and_is_made_again") {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let written = Written::new();
    let journal = Journal::open(&written.dir.path().join("base"), identity(&written.chain)).unwrap();
    let checker = Checker {
        journal: Arc::new(journal),
        cipher: Arc::new(BodyCipher::new(&Secret::new([5; 32]))),
        metrics: Arc::new(IssuerMetrics::register(&mut prometheus_client::registry::Registry::default())),
        clock: Arc::new(FixedClock::new(receipt_core::ids::UnixMillis::new(7_000))),
    };
    let (token, metrics) = (CancellationToken::new(), &checker.metrics);
    let no_files = NoFiles::begin();
    assert_eq!(runtime.block_on(checker.pass(&token)), AGAIN_AFTER);
    let refused = checker.at_once(&token).unwrap_err();
    assert!(refused.may_pass() && refused.to_string().contains("raise LimitNOFILE"), "{refused}");
    assert_eq!((metrics.journal_checks_interrupted.get(), metrics.journal_check_completed.get()), (1, 0.0));
    drop(no_files);
    assert_eq!(runtime.block_on(checker.pass(&token)), INTERVAL);
    assert_eq!((metrics.journal_faults.get(), metrics.journal_check_completed.get()), (0, 7.0));
}
