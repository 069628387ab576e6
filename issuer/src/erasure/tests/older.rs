//! Older copies of a journal that lack an erasure and nothing else: their guard knows of it.

use tallystick_anchoring::guard::{Guard, stand_before};

use super::*;

/// A way to erase.
type Erase<'a> = &'a dyn Fn(&mut Fixture);

impl Fixture {
    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn guard(&self) -> Guard {
        Guard::create(&self.at("journal.guard"), identity(&self.chain)).unwrap()
    }

    fn step(&self) -> u64 {
        self.issuer.journal.step().unwrap().unwrap()
    }

    /// Copies the journal as a kill would leave it now.
    fn copied(&self, name: &str) -> PathBuf {
        copy(&self.at("journal"), &self.at(name));
        self.at(name)
    }

    fn opened(&self, path: &Path) -> Journal {
        Journal::open(path, identity(&self.chain)).unwrap()
    }
}

fn is_behind(journal: &Journal, guard: &Path) -> bool {
    stand_before(journal, guard).unwrap();
    journal.halted().unwrap().is_some_and(|why| why.contains("is behind its guard file"))
}

/// Before, nothing halted it, and where the end of the list was torn as well, what had been acted upon was cut off.
#[test]
fn a_copy_from_before_an_erasure_is_behind_its_guard_though_nothing_was_issued_since() {
    let mut fixture = fixture_of(&["S01", "S05", "S04"]);
    let guard = fixture.guard();
    guard.follow(&fixture.issuer.journal).unwrap();
    let medical = fixture.code(0).category();
    let by_name = |fixture: &mut Fixture| drop(fixture.erase(&[fixture.keys[1]]).unwrap());
    let by_age = |fixture: &mut Fixture| fixture.begin(&retention(&[medical]).due(TODAY, &BTreeSet::new())).unwrap();
    // The power went before the journal had it; the next start does it.
    let at_start = |fixture: &mut Fixture| {
        fixture.list().append(&[Line::Named { key: fixture.keys[2], at: UnixMillis::new(9) }]).unwrap();
        assert_eq!(fixture.reapply(&fixture.issuer.journal).unwrap().named, 1);
    };
    let erasures: [(&str, Erase<'_>); 3] = [("by-name", &by_name), ("by-age", &by_age), ("at-start", &at_start)];
    for (name, erase) in erasures {
        let older = fixture.copied(name);
        erase(&mut fixture);
        guard.follow(&fixture.issuer.journal).unwrap();
        let older = fixture.opened(&older);
        assert!(is_behind(&older, &fixture.at("journal.guard")), "{name}");
        // And takes nothing that was acted upon for a torn end.
        let path = fixture.list().path().to_owned();
        let whole = fs::read(&path).unwrap();
        let mut torn = whole.clone();
        let last = torn.len() - 3;
        torn[last] = b'?';
        fs::write(&path, &torn).unwrap();
        let refused = fixture.reapply(&older).unwrap_err().to_string();
        assert!(refused.contains("is no erasure") && refused.contains("put back a whole copy"), "{name}: {refused}");
        assert_eq!(fs::read(&path).unwrap(), torn, "{name}");
        fs::write(&path, whole).unwrap();
        stand_before(&fixture.issuer.journal, &fixture.at("journal.guard")).unwrap();
        assert_eq!(fixture.issuer.journal.halted().unwrap(), None, "{name}: the newest one starts");
    }
}

/// The list, the journal, the guard: whichever the power cut has let it come to, the next start ends at the same place.
#[test]
fn killed_after_each_step_of_an_erasure_its_older_copies_are_noticed() {
    for (step, name) in ["the list", "the journal", "the guard"].into_iter().enumerate() {
        let mut fixture = fixture();
        let guard = fixture.guard();
        guard.follow(&fixture.issuer.journal).unwrap();
        let (older, key) = (fixture.copied("older"), fixture.keys[0]);
        if step == 0 {
            fixture.list().append(&[Line::Named { key, at: fixture.now() }]).unwrap();
        } else {
            fixture.erase(&[key]).unwrap();
        }
        if step == 2 {
            guard.follow(&fixture.issuer.journal).unwrap();
        }
        drop(guard);
        let newest = fixture.opened(&fixture.copied("newest"));
        let guard = stand_before(&newest, &fixture.at("journal.guard")).unwrap().unwrap();
        assert_eq!(newest.halted().unwrap(), None, "a crash leaves the guard behind, after {name}");
        reapply_at_start(&newest, &fixture.list(), UTC_OFFSET_MINUTES).unwrap();
        guard.follow(&newest).unwrap();
        assert_eq!(newest.body(key).unwrap(), None, "after {name}");
        assert!(is_behind(&fixture.opened(&older), &fixture.at("journal.guard")), "after {name}");
    }
}

#[test]
fn the_sequencer_counts_on_from_an_erasure() {
    let mut fixture = fixture();
    let before = fixture.step();
    fixture.erase(&[fixture.keys[0]]).unwrap();
    assert_eq!(fixture.step(), before + 1);
    let new = draft(&mut fixture.chain, "S01", "new");
    let waiting = fixture.issuer.issue_new(new).key;
    assert_eq!(fixture.step(), before + 2);
    fixture.erase(&[fixture.keys[0]]).unwrap();
    assert_eq!(fixture.step(), before + 2, "a repetition writes nothing");
    // One that is refused has done what the list said before.
    fixture.list().append(&[Line::Named { key: fixture.keys[1], at: UnixMillis::new(7) }]).unwrap();
    fixture.erase(&[waiting]).unwrap_err();
    let counted = fixture.step();
    assert!(counted > before + 2, "{counted}");
    let new = draft(&mut fixture.chain, "S01", "newer");
    fixture.issuer.issue_new(new);
    assert_eq!(fixture.step(), counted + 1);
}

/// Counted there, erasures would put the guard ahead of the newest journal, which could not be put back any more.
#[test]
fn a_halted_journal_counts_no_erasure() {
    let mut fixture = fixture();
    let mut write = fixture.issuer.journal.write();
    write.put_halted("an older copy");
    write.commit(Durability::Synced).unwrap();
    let before = fixture.step();
    fixture.erase(&[fixture.keys[0]]).unwrap();
    fixture.list().append(&[Line::Named { key: fixture.keys[1], at: UnixMillis::new(7) }]).unwrap();
    fixture.reapply(&fixture.issuer.journal).unwrap();
    assert_eq!((fixture.body(0), fixture.body(1)), (None, None));
    assert_eq!(fixture.step(), before);
}
