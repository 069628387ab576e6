//! The task beside issuing: what a start has left to it, and what keeps it waiting.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tallystick_service::shutdown::CancellationToken;
use tallystick_storage::StoreShare;
use tokio::sync::Notify;

use super::*;
use crate::erasure::task::ErasureTask;
use scratch::alone::{NoFiles, is_alone};

const POLL_INTERVAL: Duration = Duration::from_millis(5);
/// What is waited for comes in a second or two, of a full disk in some ten.
const PATIENCE: Duration = Duration::from_secs(120);

/// A journal in which a body is erased, and a table still has its key; and that key.
fn unwritten(fixture: &Fixture, path: &Path) -> (Arc<Journal>, Vec<u8>) {
    let (key, wrapped) = (fixture.keys[0], fixture.body(0).unwrap().wrapped_key);
    copy(fixture.issuer.journal.path(), path);
    let journal = Journal::open(path, identity(&fixture.chain)).unwrap();
    let mut write = journal.write();
    write.erase_body(key, UnixMillis::new(5));
    write.commit(Durability::Synced).unwrap();
    journal.flush_logs().unwrap();
    assert_ne!(holders(path, &wrapped), Vec::<PathBuf>::new(), "the search finds what is there");
    (Arc::new(journal), wrapped)
}

fn task(fixture: &Fixture, journal: &Arc<Journal>) -> ErasureTask {
    ErasureTask {
        journal: Arc::clone(journal),
        metrics: Arc::clone(&fixture.issuer.metrics),
        clock: Arc::clone(&fixture.issuer.clock) as _,
        utc_offset_minutes: UTC_OFFSET_MINUTES,
        begun: Arc::new(Notify::new()),
        unwritten: vec![fixture.keys[0]],
    }
}

#[tokio::test]
async fn what_a_start_has_left_comes_first_and_then_each_run_that_is_begun() {
    let mut fixture = fixture();
    let rule = retention(&[fixture.code(0).category()]).due(TODAY, &BTreeSet::new());
    fixture.begin(&rule).unwrap();
    let path = fixture.dir.path().join("copy");
    let (journal, wrapped) = unwritten(&fixture, &path);
    let (task, token) = (task(&fixture, &journal), CancellationToken::new());
    let (begun, now) = (Arc::clone(&task.begun), fixture.now());
    let done = async || {
        let deadline = Instant::now() + PATIENCE;
        while !journal.erasure_run().unwrap().is_some_and(|run| run.is_done()) {
            assert!(Instant::now() < deadline, "the run is not done: {:?}", journal.erasure_run());
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    };
    let told = async {
        done().await;
        assert_eq!(holders(&path, &wrapped), Vec::<PathBuf>::new(), "before any run");
        let mut write = journal.write();
        write.put_erasure_run(&ErasureRun::begin(rule.to_string(), now.plus_millis(1)));
        write.commit(Durability::Synced).unwrap();
        begun.notify_one();
        done().await;
        token.cancel();
    };
    let (ran, ()) = tokio::join!(task.run(token.clone()), told);
    ran.unwrap();
    assert_eq!(journal.body(fixture.keys[1]).unwrap(), None);
    assert_eq!(fixture.issuer.metrics.bodies_erased.get(), 1, "one was erased before the run looked at it");
}

#[tokio::test]
async fn tables_that_a_start_has_left_are_written_anew_when_there_is_room() {
    let fixture = fixture();
    let Some(disk) = SmallDisk::mount(&fixture.dir.path().join("disk")) else { return };
    let path = disk.path().join("journal");
    let (journal, wrapped) = unwritten(&fixture, &path);
    disk.fill();
    let task = task(&fixture, &journal);
    for _ in 0..2 {
        assert!(!task.try_to_write_anew().await.unwrap());
        assert_ne!(holders(&path, &wrapped), Vec::<PathBuf>::new());
    }
    disk.free();
    // The database notices within some seconds that there is room.
    let deadline = Instant::now() + PATIENCE;
    while !task.try_to_write_anew().await.unwrap() {
        assert!(Instant::now() < deadline, "there is room, and nothing is written anew");
        tokio::time::sleep(POLL_INTERVAL).await;
    }
    assert_eq!(holders(&path, &wrapped), Vec::<PathBuf>::new());
    assert!(task.write_anew(&CancellationToken::new()).await.unwrap(), "and once more it does no harm");
    drop((task, journal));
}

#[tokio::test]
async fn waiting_for_room_ends_with_the_process() {
    let fixture = fixture();
    let path = fixture.dir.path().join("copy");
    let (journal, wrapped) = unwritten(&fixture, &path);
    let taken = take_names(&path, 0);
    let (task, token) = (task(&fixture, &journal), CancellationToken::new());
    token.cancel();
    assert!(!task.write_anew(&token).await.unwrap());
    assert_ne!(holders(&path, &wrapped), Vec::<PathBuf>::new());
    drop((task, journal));
    taken.iter().for_each(|taken| fs::remove_dir(taken).unwrap());
}

/// Before, it ended the issuer.
#[test]
fn a_step_that_may_open_no_more_files_waits() {
    if !is_alone("erasure::tests::tasks::a_step_that_may_open_no_more_files_waits") {
        return;
    }
    let mut fixture = fixture();
    let rule = retention(&[fixture.code(0).category()]).due(TODAY, &BTreeSet::new());
    fixture.begin(&rule).unwrap();
    fixture.issuer.journal.flush_logs().unwrap();
    let path = fixture.dir.path().join("copy");
    copy(fixture.issuer.journal.path(), &path);
    // So few that most tables are not open yet.
    let share = StoreShare { files: 20, ..StoreShare::SMALL };
    let journal = Journal::open_within(&path, identity(&fixture.chain), share).unwrap();
    let no_files = NoFiles::begin();
    let refused = eraser(&journal).step(fixture.now()).unwrap_err();
    assert!(refused.may_pass(), "{refused}");
    drop(no_files);
    let run = eraser(&journal).finish(fixture.now()).unwrap().unwrap();
    assert_eq!((run.erased, run.undecided), (2, 1));
}
