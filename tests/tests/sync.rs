//! A validator loses its store, and keeps its guard: it makes a new store, fetches every block from its peers under load, and
//! votes again.

use tallystick_devnet::NetworkOptions;
use tallystick_devnet::logs::AllowList;
use tallystick_tests::checkpoints::CheckpointWatch;
use tallystick_tests::judgement::all_sealed_once;
use tallystick_tests::load::Load;
use tallystick_tests::{TestNetwork, after_catching_up, after_kills};

const WIPED: u32 = 3;
/// Dies afterwards: from then on the quorum needs the validator that was wiped.
const DEAD: u32 = 1;
const RECEIPTS: usize = 150;
/// Far more than were on their way when the other one died.
const HEIGHTS_WITH_ITS_VOTE: u64 = 10;

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

    network.node(DEAD).unwrap().kill().await.unwrap();
    network.wait_more_heights(&[2, WIPED, 4], HEIGHTS_WITH_ITS_VOTE).await.unwrap();
    network.node(DEAD).unwrap().start().unwrap();
    network.node(DEAD).unwrap().wait_ready().await.unwrap();

    let acked = load.stop().await.unwrap();
    all_sealed_once(&network, 1, &acked).await.unwrap();
    let tip = network.wait_equal_tips().await.unwrap();
    let seen = checkpoints.check(&network).await.unwrap();
    println!("{} receipts sealed once, {seen} checkpoints, height {}", acked.len(), tip.sealed_height);
    network.audit(WIPED).await.unwrap();
    network.finish(&after_catching_up(after_kills(AllowList::lifecycle()))).await.unwrap();
}
