//! What ends an engine: each cause is reported, and nothing hangs.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod support;

use std::io::{Seek, SeekFrom, Write};
use std::sync::atomic::Ordering;

use support::{id, network, set_busy, start_all};
use tallystick_engine::{EngineError, LogFault, LogState, StatementKind, examine_log};

/// Closing a port is a race with the engine's own end, if it is one.
const REFUSALS: usize = 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_signature_ends_the_engine() {
    let directory = scratch::Directory::new();
    let mut nodes = network(1, directory.path());
    set_busy(&nodes, true);
    start_all(&mut nodes).await;
    for _ in 0..REFUSALS {
        nodes[0].disk.wait_for_tip(nodes[0].disk.tip() + 3).await;
        nodes[0].disk.refuse.store(true, Ordering::SeqCst);
        let end = nodes[0].end().await;
        assert!(matches!(&end, Err(EngineError::SignRefused(refusal)) if refusal.reason == "told to"), "{end:?}");
        // Nothing is left half done: the log is free, and the chain goes on.
        nodes[0].disk.refuse.store(false, Ordering::SeqCst);
        nodes[0].start().await;
    }
    nodes[0].disk.wait_for_tip(nodes[0].disk.tip() + 3).await;
    nodes[0].stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_application_error_ends_the_engine() {
    let directory = scratch::Directory::new();
    let mut nodes = network(1, directory.path());
    set_busy(&nodes, true);
    start_all(&mut nodes).await;
    nodes[0].disk.wait_for_tip(3).await;
    nodes[0].disk.fail_build.store(true, Ordering::SeqCst);
    let end = nodes[0].end().await;
    let expected = |call: &str, reason: &str| call == "build" && reason == "told to fail";
    assert!(matches!(&end, Err(EngineError::Application { call, reason }) if expected(call, reason)), "{end:?}");
}

/// One of four alone votes, stops, and votes the same again from its log; then the log is damaged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_log_ends_the_engine() {
    let directory = scratch::Directory::new();
    let mut nodes = network(4, directory.path());
    // The proposer of height 1 is the member with index 1.
    let node = &mut nodes[1];
    for _ in 0..2 {
        node.start().await;
        let written = async {
            while std::fs::metadata(node.log_path()).map_or(0, |metadata| metadata.len()) < 300 {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(30), written).await.expect("votes are logged");
        assert!(matches!(examine_log(node.log_path()), Err(LogFault::InUse)));
        node.stop().await;
        let state = examine_log(node.log_path()).unwrap();
        let LogState::Sound(contents) = state else { panic!("{state:?}") };
        assert_eq!((contents.height, contents.entries > 0), (1, true), "{contents:?}");
        // Its own block and its own vote stand in it.
        assert_eq!(contents.blocks.len(), 1, "{contents:?}");
        let own = |kind| contents.statements.iter().any(|said| said.member == id(1) && said.kind == kind);
        assert!(own(StatementKind::Proposal) && own(StatementKind::Prevote), "{contents:?}");
    }
    let mut log = std::fs::OpenOptions::new().read(true).write(true).open(node.log_path()).unwrap();
    log.seek(SeekFrom::End(-3)).unwrap();
    log.write_all(&[0xAA, 0x55]).unwrap();
    drop(log);
    let before = std::fs::read(node.log_path()).unwrap();
    assert!(matches!(examine_log(node.log_path()), Err(LogFault::Damaged { .. })));
    let started = node.try_start().await;
    assert!(matches!(started, Err(EngineError::DamagedLog(_))), "{started:?}");
    assert_eq!(std::fs::read(node.log_path()).unwrap(), before, "looking at it leaves it as it was");
    std::fs::remove_file(node.log_path()).unwrap();
    assert_eq!(examine_log(node.log_path()).unwrap(), LogState::Missing);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_is_no_log_is_refused_at_the_start() {
    let directory = scratch::Directory::new();
    let nodes = network(1, directory.path());
    std::fs::write(nodes[0].log_path(), b"short").unwrap();
    let mut nodes = nodes;
    let started = nodes[0].try_start().await;
    assert!(matches!(started, Err(EngineError::DamagedLog(_))), "{started:?}");
    assert_eq!(std::fs::read(nodes[0].log_path()).unwrap(), b"short");
}
