//! A validator's machine is restored from an older copy: store and engine log go back in time, the guard does not. It never
//! signs a second history, fetches what it lacks, and votes again.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use tallystick_devnet::NetworkOptions;
use tallystick_service::durable;
use tallystick_tests::TestNetwork;
use tallystick_tests::checkpoints::CheckpointWatch;
use tallystick_tests::comeback::{HEIGHTS_WITH_ITS_VOTE, its_vote_counts_again};
use tallystick_tests::load::Load;

const RESTORED: u32 = 2;
/// Dies afterwards: from then on the quorum needs the validator that was restored.
const DEAD: u32 = 4;
const RECEIPTS: usize = 150;

fn copy(from: &Path, to: &Path) {
    durable::private_directory(to).unwrap();
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
    // Between the copy's tip and the guard's height it asked for no vote.
    let log = std::fs::read_to_string(network.layout().log(&format!("node-{RESTORED}"))).unwrap();
    assert_eq!(log.matches("the store is behind what this validator has signed; following its peers").count(), 1);

    its_vote_counts_again(network, RESTORED, DEAD, load, checkpoints).await.unwrap();
}
