use std::fs;
use std::path::PathBuf;

use receipt_core::testkit::TestChain;
use tallystick_service::keyfile::Secret;
use tallystick_service::rng::SeededEntropy;

use super::*;
use crate::secrets::check_master;
use crate::testing::{MASTER, TestIssuer, draft, identity, init};

const NEW: [u8; 32] = [6; 32];

/// What both keys are.
struct Keys {
    marks: [Fingerprint; 2],
    ciphers: [BodyCipher; 2],
}

impl Keys {
    fn new(chain: &TestChain) -> Self {
        let suite = chain.genesis().suite;
        let keys = [MASTER, NEW];
        let marks = keys.map(|key| Fingerprint::of_master(suite, &key));
        Self { marks, ciphers: keys.map(|key| BodyCipher::new(&Secret::new(key))) }
    }

    fn rewrapper<'a>(&'a self, journal: &'a Journal) -> Rewrapper<'a> {
        let [from, to] = &self.ciphers;
        Rewrapper { journal, from: (self.marks[0], from), to: (self.marks[1], to), step_keys: 2 }
    }

    /// Of each receipt: which of the keys open its body.
    fn opening(&self, journal: &Journal, keys: &[ReceiptKey]) -> Vec<[bool; 2]> {
        let opens = |key: &ReceiptKey| {
            let body = journal.body(*key).unwrap().unwrap();
            [0, 1].map(|index| self.ciphers[index].open(*key, &body).is_ok())
        };
        keys.iter().map(opens).collect()
    }
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

/// Files of a directory that contain these bytes.
fn holders(directory: &Path, bytes: &[u8]) -> Vec<PathBuf> {
    let files = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| fs::read(path).unwrap().windows(bytes.len()).any(|window| window == bytes)).collect()
}

#[test]
fn killed_after_any_step_a_change_of_the_master_key_goes_on_to_the_same_end() {
    let dir = scratch::Directory::new();
    let mut chain = TestChain::new();
    let path = dir.path().join("journal");
    let mut issuer = TestIssuer::start(init(&path, &chain), &chain, 1);
    let all: Vec<ReceiptKey> =
        (0..7).map(|serial| issuer.issue_new(draft(&mut chain, "S01", &format!("B{serial}"))).key).collect();
    let (erased, kept) = all.split_first().unwrap();
    let journal = issuer.journal.as_ref();
    let mut write = journal.write();
    write.erase_body(*erased, receipt_core::ids::UnixMillis::new(5));
    write.commit(Durability::Synced).unwrap();
    let old: Vec<Vec<u8>> = kept.iter().map(|key| journal.wrapped_key(*key).unwrap().unwrap()).collect();
    let keys = Keys::new(&chain);
    check_master(journal, keys.marks[0]).unwrap();

    let mut steps = 0;
    let entropy = SeededEntropy::new(7);
    loop {
        let killed = dir.path().join(format!("killed-{steps}"));
        copy(&path, &killed);
        let reopened = Journal::open(&killed, identity(&chain)).unwrap();
        if steps > 0 && master_change(&reopened).unwrap().is_some() {
            for mark in keys.marks {
                let refused = check_master(&reopened, mark).unwrap_err();
                assert!(matches!(refused, SecretsError::Changing { .. }), "{refused}");
                assert!(refused.to_string().contains("rewrap-body-keys"), "{refused}");
            }
            let opening = keys.opening(&reopened, kept);
            assert!(opening.iter().all(|[old, new]| old != new), "each body opens under one of the two: {opening:?}");
        }
        while keys.rewrapper(&reopened).step(&SeededEntropy::new(9)).unwrap().is_some() {}
        assert_eq!(keys.opening(&reopened, kept), vec![[false, true]; kept.len()], "killed after step {steps}");
        assert_eq!(reopened.erased_at(*erased).unwrap().map(receipt_core::ids::UnixMillis::get), Some(5));
        check_master(&reopened, keys.marks[1]).unwrap();
        assert!(matches!(check_master(&reopened, keys.marks[0]), Err(SecretsError::Master { .. })));
        drop(reopened);
        for wrapped in &old {
            assert_eq!(holders(&path, wrapped).is_empty(), steps > 5, "the search finds what is there, step {steps}");
            assert_eq!(holders(&killed, wrapped), Vec::<PathBuf>::new(), "killed after step {steps}");
        }
        if keys.rewrapper(journal).step(&entropy).unwrap().is_none() {
            break;
        }
        steps += 1;
    }
    // Begin, four pages of two, end.
    assert_eq!(steps, 6);
}

#[test]
fn only_the_two_keys_of_a_change_go_on_with_it() {
    let dir = scratch::Directory::new();
    let mut chain = TestChain::new();
    let mut issuer = TestIssuer::start(init(&dir.path().join("journal"), &chain), &chain, 1);
    issuer.issue_new(draft(&mut chain, "S01", "A"));
    let keys = Keys::new(&chain);
    let entropy = SeededEntropy::new(1);
    let journal = issuer.journal.as_ref();
    let other = (Fingerprint([9; 16]), &keys.ciphers[1]);
    let refused = Rewrapper { from: other, ..keys.rewrapper(journal) }.step(&entropy).unwrap_err();
    assert!(refused.to_string().contains("not the master key of this journal"), "{refused}");
    keys.rewrapper(journal).step(&entropy).unwrap().unwrap();
    for wrong in
        [Rewrapper { from: other, ..keys.rewrapper(journal) }, Rewrapper { to: other, ..keys.rewrapper(journal) }]
    {
        let refused = wrong.step(&entropy).unwrap_err().to_string();
        assert!(refused.contains("is being changed") && refused.contains(&keys.marks[1].to_string()), "{refused}");
    }
}

/// Before, a change that was killed and run again named those alone that it met in its own steps.
#[test]
fn bodies_that_open_under_neither_key_are_named_whichever_run_has_met_them() {
    let dir = scratch::Directory::new();
    let mut chain = TestChain::new();
    let path = dir.path().join("journal");
    let mut issuer = TestIssuer::start(init(&path, &chain), &chain, 1);
    let all: Vec<ReceiptKey> =
        (0..5).map(|serial| issuer.issue_new(draft(&mut chain, "S01", &format!("B{serial}"))).key).collect();
    let damaged = [all[0], all[4]];
    let journal = issuer.journal.as_ref();
    let mut write = journal.write();
    damaged.iter().for_each(|key| write.put_wrapped_key(*key, &[1; 72]));
    write.commit(Durability::Synced).unwrap();
    let keys = Keys::new(&chain);
    let entropy = SeededEntropy::new(1);
    // Begin, and the page that has the first of them.
    assert_eq!(keys.rewrapper(journal).step(&entropy).unwrap(), Some(0));
    assert_eq!(keys.rewrapper(journal).step(&entropy).unwrap(), Some(1), "a damaged key stays as it is");
    let killed = dir.path().join("killed");
    copy(&path, &killed);
    let reopened = Journal::open(&killed, identity(&chain)).unwrap();
    let rewrapper = keys.rewrapper(&reopened);
    while rewrapper.step(&entropy).unwrap().is_some() {}
    assert_eq!(rewrapper.unopened().unwrap(), damaged);
    assert_eq!(rewrapper.unopened().unwrap(), damaged, "and again, if it was killed before it said so");
}
