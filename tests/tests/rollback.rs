//! A validator's machine is restored from an older copy: store and engine log go back in time, the guard does not. It never
//! signs a second history, fetches what it lacks, and votes again.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use tallystick_devnet::NetworkOptions;
use tallystick_devnet::logs::AllowList;
use tallystick_tests::checkpoints::CheckpointWatch;
use tallystick_tests::judgement::all_sealed_once;
use tallystick_tests::load::Load;
use tallystick_tests::{TestNetwork, after_catching_up, after_kills};

const RESTORED: u32 = 2;
/// Dies afterwards: from then on the quorum needs the validator that was restored.
const DEAD: u32 = 4;
const RECEIPTS: usize = 150;
/// Far more than were on their way when the other one died.
const HEIGHTS_WITH_ITS_VOTE: u64 = 10;

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        assert!(entry.file_type().unwrap().is_file(), "{} is no file", entry.path().display());
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_validator_restored_from_an_older_copy_signs_no_second_history() {
    let mut network = TestNetwork::start(&NetworkOptions::default()).await.unwrap();
    let checkpoints = CheckpointWatch::start(&network).unwrap();
    let mut load = Load::start(&network, 1, 1).await.unwrap();
    load.wait_more(RECEIPTS).await.unwrap();

    let directory = network.layout().node(RESTORED);
    let backup = network.layout().root().join("backup");
    network.node(RESTORED).unwrap().kill().await.unwrap();
    for part in ["data", "wal"] {
        copy(&directory.join(part), &backup.join(part));
    }
    network.node(RESTORED).unwrap().start().unwrap();
    network.node(RESTORED).unwrap().wait_ready().await.unwrap();
    // It signs far beyond the copy.
    network.wait_more_heights(&[RESTORED], HEIGHTS_WITH_ITS_VOTE).await.unwrap();
    load.wait_more(RECEIPTS).await.unwrap();

    network.node(RESTORED).unwrap().kill().await.unwrap();
    checkpoints.forget(RESTORED);
    for part in ["data", "wal"] {
        std::fs::remove_dir_all(directory.join(part)).unwrap();
        copy(&backup.join(part), &directory.join(part));
    }
    network.node(RESTORED).unwrap().start().unwrap();
    network.node(RESTORED).unwrap().wait_ready().await.unwrap();
    load.wait_more(RECEIPTS).await.unwrap();

    network.node(DEAD).unwrap().kill().await.unwrap();
    network.wait_more_heights(&[1, RESTORED, 3], HEIGHTS_WITH_ITS_VOTE).await.unwrap();
    network.node(DEAD).unwrap().start().unwrap();
    network.node(DEAD).unwrap().wait_ready().await.unwrap();

    let acked = load.stop().await.unwrap();
    all_sealed_once(&network, 1, &acked).await.unwrap();
    let tip = network.wait_equal_tips().await.unwrap();
    let seen = checkpoints.check(&network).await.unwrap();
    println!("{} receipts sealed once, {seen} checkpoints, height {}", acked.len(), tip.sealed_height);
    network.audit(RESTORED).await.unwrap();
    network.finish(&after_catching_up(after_kills(AllowList::lifecycle()))).await.unwrap();
}
