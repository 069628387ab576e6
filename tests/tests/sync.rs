//! A validator loses its store, and keeps its guard: it makes a new store, fetches every block from its peers under load, and
//! votes again.

use tallystick_devnet::NetworkOptions;
use tallystick_tests::TestNetwork;
use tallystick_tests::checkpoints::CheckpointWatch;
use tallystick_tests::comeback::its_vote_counts_again;
use tallystick_tests::load::Load;

const WIPED: u32 = 3;
/// Dies afterwards: from then on the quorum needs the validator that was wiped.
const DEAD: u32 = 1;
const RECEIPTS: usize = 150;

#[tokio::test(flavor = "multi_thread")]
async fn a_wiped_validator_fetches_the_chain_and_votes_again() {
    let mut network = TestNetwork::start(&NetworkOptions::default()).await.unwrap();
    let checkpoints = CheckpointWatch::start(&network).unwrap();
    let mut load = Load::start(&network, 1, 1).await.unwrap();
    load.wait_more(RECEIPTS).await.unwrap();

    network.node(WIPED).unwrap().kill().await.unwrap();
    let directory = network.layout().node(WIPED);
    for part in ["data", "wal"] {
        std::fs::remove_dir_all(directory.join(part)).unwrap();
    }
    assert!(directory.join("guard/guard.bin").exists());
    checkpoints.forget(WIPED);
    load.wait_more(RECEIPTS).await.unwrap();
    network.init_node(WIPED).await.unwrap();
    network.node(WIPED).unwrap().start().unwrap();
    network.node(WIPED).unwrap().wait_ready().await.unwrap();
    load.wait_more(RECEIPTS).await.unwrap();

    its_vote_counts_again(network, WIPED, DEAD, load, checkpoints).await.unwrap();
}
