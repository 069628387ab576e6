//! An erasure by age that is done again, in a copy of the journal that had another one under way.

use super::*;

/// A journal whose medical bodies lie in one table and the other ones in another; its keys, and the wrapped keys of its bodies.
fn in_two_tables() -> (Fixture, Vec<Vec<u8>>) {
    let mut fixture = fixture();
    fixture.issuer.journal.flush_logs().unwrap();
    let other = draft(&mut fixture.chain, "S05", "other");
    let other = fixture.issuer.issue_new(other).key;
    fixture.keys.push(other);
    let (_, request) = fixture.issuer.cut();
    fixture.chain.add_items(vec![offered(&request)]).unwrap();
    fixture.issuer.follow(&fixture.chain);
    fixture.issuer.journal.flush_logs().unwrap();
    let wrapped = (0..4).map(|index| fixture.body(index).unwrap().wrapped_key).collect();
    (fixture, wrapped)
}

fn rule_of_all(fixture: &Fixture) -> [Rule; 2] {
    [0, 3].map(|index| {
        let category = fixture.code(index).category();
        retention(&[category]).due(TODAY, &BTreeSet::from([category]))
    })
}

#[test]
fn it_takes_up_what_was_under_way_and_leaves_no_key_of_either() {
    let (mut fixture, wrapped) = in_two_tables();
    let [medical, other] = rule_of_all(&fixture);
    fixture.begin(&medical).unwrap();
    // All of them are erased, and no table is written anew yet.
    Eraser::new(&fixture.issuer.journal, UTC_OFFSET_MINUTES).step(fixture.now()).unwrap();
    let path = fixture.dir.path().join("copy");
    fixture.issuer.journal.copy_to(&path).unwrap();
    eraser(&fixture.issuer.journal).finish(fixture.now()).unwrap();
    fixture.begin(&other).unwrap();
    eraser(&fixture.issuer.journal).finish(fixture.now()).unwrap();

    for wrapped in &wrapped {
        assert_ne!(holders(&path, wrapped), Vec::<PathBuf>::new(), "the search finds what is there");
    }
    let copy = Journal::open(&path, identity(&fixture.chain)).unwrap();
    assert_eq!(fixture.reapply(&copy).unwrap(), Reapplied { named: 0, by_age: 1 });
    let run = copy.erasure_run().unwrap().unwrap();
    assert!(run.is_done() && run.rule == other.and(&medical).to_string(), "{run:?}");
    assert_eq!(run::erased_by_age(&copy).unwrap(), other.and(&medical));
    assert!(fixture.keys.iter().all(|key| copy.body(*key).unwrap().is_none()));
    drop(copy);
    for wrapped in &wrapped {
        assert_eq!(holders(&path, wrapped), Vec::<PathBuf>::new());
    }
}

/// Whatever ends a start before its end has the next one do all of it again.
#[test]
fn one_that_a_start_could_not_end_is_ended_by_the_next() {
    let (fixture, wrapped) = in_two_tables();
    let [medical, other] = rule_of_all(&fixture);
    fixture.list().append(&[Line::Expired { rule: medical.and(&other), at: UnixMillis::new(8) }]).unwrap();
    // The more names of tables are free, the later it fails.
    assert!((0..40).any(|free| is_ended_by_the_next(&fixture, free, &wrapped)));
}

/// Whether a start erased the bodies in a copy of the journal and could not write its tables anew: then the next one does.
fn is_ended_by_the_next(fixture: &Fixture, free: u32, wrapped: &[Vec<u8>]) -> bool {
    let path = fixture.dir.path().join(format!("copy-{free}"));
    copy(fixture.issuer.journal.path(), &path);
    let journal = Journal::open(&path, identity(&fixture.chain)).unwrap();
    let taken = take_names(&path, free);
    let started = fixture.reapply(&journal);
    drop(journal);
    taken.iter().for_each(|taken| fs::remove_dir(taken).unwrap());
    if !matches!(started, Err(EraseError::Journal(JournalError::NotRewritten(_)))) {
        return false;
    }
    assert!(wrapped.iter().any(|wrapped| !holders(&path, wrapped).is_empty()));
    let journal = Journal::open(&path, identity(&fixture.chain)).unwrap();
    assert!(journal.erasure_run().unwrap().is_some_and(|run| !run.is_done()));
    assert_eq!(fixture.reapply(&journal).unwrap(), Reapplied::default(), "they are erased, and their tables are not");
    assert!(journal.erasure_run().unwrap().is_some_and(|run| run.is_done()));
    assert_eq!(journal.erased_at(fixture.keys[0]).unwrap(), Some(UnixMillis::new(8)));
    drop(journal);
    for wrapped in wrapped {
        assert_eq!(holders(&path, wrapped), Vec::<PathBuf>::new());
    }
    assert_eq!(
        fixture.reapply(&Journal::open(&path, identity(&fixture.chain)).unwrap()).unwrap(),
        Reapplied::default()
    );
    true
}
