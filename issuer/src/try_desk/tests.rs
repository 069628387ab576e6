use receipt_core::ids::ReceiptKey;
use tallystick_service::clock::FixedClock;

use super::*;
use crate::testing::{Fixture, TestIssuer, draft, fixture, identity};

const SOURCE: [u8; 16] = [7; 16];
const TRY: Attempt = Attempt { lane: Lane::Code, bucket: 11, source: SOURCE };
const HOUR: u64 = 3_600_000;

fn desk_over(issuer: &TestIssuer) -> TryDesk {
    TryDesk::open(Arc::clone(&issuer.journal), issuer.clock.clone(), Arc::clone(&issuer.metrics)).unwrap()
}

fn count(desk: &mut TryDesk, attempt: Attempt) -> Place {
    desk.apply(&[(attempt, Change::Count)]).unwrap()[0]
}

fn seconds_to_wait(place: Place, now: UnixMillis) -> u64 {
    match place {
        Place::Now => 0,
        Place::At(from) => from.since(now) / 1_000,
        other => panic!("{other:?}"),
    }
}

/// The journal's directory as a crash at this moment leaves it.
fn crashed(fixture: &Fixture) -> scratch::Directory {
    let to = scratch::Directory::new();
    std::fs::create_dir(to.path().join("journal")).unwrap();
    for entry in std::fs::read_dir(fixture.dir.path()).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() && entry.file_name() != "LOCK" {
            std::fs::copy(entry.path(), to.path().join("journal").join(entry.file_name())).unwrap();
        }
    }
    to
}

#[test]
fn waits_grow_and_no_crash_forgives() {
    let fixture = fixture();
    let now = fixture.issuer.clock.now();
    let mut desk = desk_over(&fixture.issuer);
    let waits: Vec<u64> = (0..6).map(|_| seconds_to_wait(count(&mut desk, TRY), now)).collect();
    assert_eq!(waits, [0, 0, 0, 1, 2, 4]);
    // As soon as a place is known its count is on disk.
    let directory = crashed(&fixture);
    let copy = Arc::new(Journal::open(&directory.path().join("journal"), identity(&fixture.chain)).unwrap());
    let clock = Arc::new(FixedClock::new(now));
    let mut again = TryDesk::open(copy, clock, Arc::clone(&fixture.issuer.metrics)).unwrap();
    assert_eq!((seconds_to_wait(count(&mut again, TRY), now), again.sources), (8, 1));
}

#[test]
fn many_tries_of_one_write_are_counted_one_after_the_other() {
    let fixture = fixture();
    let now = fixture.issuer.clock.now();
    let mut desk = desk_over(&fixture.issuer);
    let other = |byte| Attempt { source: [byte; 16], ..TRY };
    // From ever new sources at once: the wait is for the receipt, whoever asks.
    let group: Vec<_> = (0..6).map(|byte| (other(byte), Change::Count)).collect();
    let waits: Vec<u64> = desk.apply(&group).unwrap().into_iter().map(|place| seconds_to_wait(place, now)).collect();
    assert_eq!((waits, desk.sources), (vec![0, 0, 0, 1, 2, 4], 6));
    let elsewhere = Attempt { bucket: 12, ..TRY };
    assert_eq!(count(&mut desk, elsewhere), Place::Now);
    assert_eq!(
        count(&mut desk, Attempt { lane: Lane::CodeAndFace, ..TRY }),
        Place::Now,
        "each way has counts of its own"
    );
}

#[test]
fn who_is_right_can_go_on_for_ever() {
    let fixture = fixture();
    let mut desk = desk_over(&fixture.issuer);
    for _ in 0..50 {
        assert_eq!(count(&mut desk, TRY), Place::Now);
        desk.apply(&[(TRY, Change::TakeBack)]).unwrap();
    }
    let never_seen = Attempt { source: [9; 16], ..TRY };
    desk.apply(&[(never_seen, Change::TakeBack)]).unwrap();
    assert_eq!(desk.sources, 1, "nobody becomes known by being right");
}

#[test]
fn unknown_numbers_and_sources_fill_no_more_than_their_room() {
    let fixture = fixture();
    let now = fixture.issuer.clock.now();
    let mut desk = desk_over(&fixture.issuer).with_sources_max(3);
    let from = |byte: u8, last: u8| {
        let mut source = [0; 16];
        (source[0], source[15]) = (byte, last);
        Attempt { source, bucket: u16::from(last), ..TRY }
    };
    for last in 0..100 {
        let place = count(&mut desk, from(u8::from(last % 2 == 0), last));
        // Three have rows of their own; the others are two kinds, by their first byte, whose tries come to stand in a line.
        assert!(matches!(place, Place::Now | Place::At(_)), "{last}");
    }
    let journal = &fixture.issuer.journal;
    let (rows, _) = journal.tries_after(&[], 1_000).unwrap();
    let own = rows.iter().filter(|(row, _)| matches!(row, TryRow::Source(_))).count();
    let shared = rows.iter().filter(|(row, _)| matches!(row, TryRow::CrowdedSource(_))).count();
    assert_eq!((own, shared, desk.sources), (3, 2, 3));
    // Both lines are used up to the same length: a hundred tries of two sources, as far as anybody can tell.
    for last in 100..150 {
        count(&mut desk, from(1, last));
    }
    assert!(seconds_to_wait(count(&mut desk, from(1, 200)), now) > 0);
    assert_eq!(desk.sources, 3);
}

#[test]
fn what_has_cooled_down_is_forgotten_and_what_a_wrong_clock_wrote_cools_down() {
    let fixture = fixture();
    let clock = &fixture.issuer.clock;
    let began = clock.now();
    let mut desk = desk_over(&fixture.issuer);
    for _ in 0..4 {
        count(&mut desk, TRY);
    }
    let rows = |journal: &Journal| journal.tries_after(&[], 100).unwrap().0;
    clock.set(began.plus_millis(HOUR));
    desk.sweep().unwrap();
    assert_eq!((rows(&fixture.issuer.journal).len(), desk.sources), (3, 1));
    // Four tries of a receipt are worth less than half a one after four days; the source's after four hours.
    clock.set(began.plus_millis(5 * HOUR));
    desk.sweep().unwrap();
    assert_eq!((rows(&fixture.issuer.journal).len(), desk.sources), (2, 0));
    clock.set(began.plus_millis(5 * 24 * HOUR));
    desk.sweep().unwrap();
    assert!(matches!(rows(&fixture.issuer.journal)[..], [(TryRow::All(Lane::Code), _)]));

    clock.set(began.plus_millis(1_000 * 24 * HOUR));
    count(&mut desk, TRY);
    clock.set(began);
    desk.sweep().unwrap();
    let written_later = |(_, count): &(TryRow, TryCount)| count.by(began) != *count;
    assert!(!rows(&fixture.issuer.journal).iter().any(written_later));
}

/// A try and a receipt share the log. Whatever a power cut leaves of the try's write, the receipt stays, and so do the tries before.
#[test]
fn a_torn_count_takes_nothing_with_it() {
    let mut fixture = fixture();
    let now = fixture.issuer.clock.now();
    let beside = scratch::Directory::new();
    let guard_file = beside.path().join("guard");
    let guard = tallystick_anchoring::guard::Guard::create(&guard_file, identity(&fixture.chain)).unwrap();
    let key: ReceiptKey = fixture.issuer.issue_new(draft(&mut fixture.chain, "S01", "A")).key;
    guard.follow(&fixture.issuer.journal).unwrap();
    drop(guard);
    let mut desk = desk_over(&fixture.issuer);
    for _ in 0..4 {
        count(&mut desk, TRY);
    }
    let log = |directory: &std::path::Path| {
        let logs = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
        logs.filter(|path| path.extension().is_some_and(|extension| extension == "log")).max().unwrap()
    };
    let before = std::fs::metadata(log(fixture.dir.path())).unwrap().len();
    count(&mut desk, TRY);
    let after = std::fs::metadata(log(fixture.dir.path())).unwrap().len();
    assert!(after > before);
    let mut seen = std::collections::BTreeSet::new();
    for length in (before..=after).step_by(9).chain([after]) {
        let directory = crashed(&fixture);
        let copy = directory.path().join("journal");
        std::fs::OpenOptions::new().write(true).open(log(&copy)).unwrap().set_len(length).unwrap();
        let share = tallystick_storage::StoreShare::SMALL;
        let (journal, _) =
            tallystick_anchoring::tail::open(&copy, identity(&fixture.chain), &guard_file, share).unwrap();
        assert!(crate::journal::ReceiptReads::receipt(&journal, key).unwrap().is_some(), "{length}");
        let clock = Arc::new(FixedClock::new(now));
        let mut again = TryDesk::open(Arc::new(journal), clock, Arc::clone(&fixture.issuer.metrics)).unwrap();
        seen.insert(seconds_to_wait(count(&mut again, TRY), now));
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), [2, 4], "as before the last try, or as after it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_judges_nobody_and_an_end_answers_everybody() {
    let fixture = fixture();
    let gate = Arc::clone(&fixture.issuer.gate);
    let (queue, jobs) = try_queue(Arc::clone(&gate));
    let token = CancellationToken::new();
    let running = tokio::spawn(desk_over(&fixture.issuer).run(jobs, token.clone()));
    assert_eq!(queue.count(TRY).await.unwrap(), Place::Now);
    gate.set_disk_low(true);
    assert_eq!(queue.count(TRY).await.unwrap_err().reason, CallReason::DiskLow.into());
    gate.set_disk_low(false);
    token.cancel();
    running.await.unwrap().unwrap();
    assert_eq!(queue.count(TRY).await.unwrap_err().reason, CallReason::ShuttingDown.into());
}
