//! Validators under clocks of their own, as real processes: one that is slow, and a quorum that was ahead and is set right.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use tallystick_devnet::NetworkOptions;
use tallystick_devnet::logs::AllowList;
use tallystick_devnet::process::http_get;
use tallystick_tests::judgement::all_sealed_once;
use tallystick_tests::load::Load;
use tallystick_tests::{TestNetwork, after_kills};

/// Longer than a record may lie ahead of its block.
const IDLE_MS: i64 = 12 * 60 * 1000;
/// Farther ahead than a block may be.
const AHEAD_MS: i64 = 25 * 1000;
/// It has the turn at height 2: the first block with receipts.
const SLOW: u32 = 3;
const QUORUM: [u32; 3] = [1, 2, 4];
const ALL: [u32; 4] = [1, 2, 3, 4];
const RECEIPTS: usize = 60;
const HEIGHTS: u64 = 6;
const PATIENCE: Duration = Duration::from_secs(60);
const POLL_INTERVAL: Duration = Duration::from_millis(100);

fn shift_file(network: &TestNetwork, id: u32) -> PathBuf {
    network.layout().node(id).join("clock-shift-ms")
}

fn shift(network: &TestNetwork, ids: &[u32], offset_ms: i64) {
    for id in ids {
        // In one step: a clock that reads half a number would jump.
        let (file, new) = (shift_file(network, *id), shift_file(network, *id).with_extension("new"));
        fs::write(&new, offset_ms.to_string()).unwrap();
        fs::rename(&new, &file).unwrap();
    }
}

/// Waits until a validator's readiness says this; an empty text: until it is ready.
async fn wait_said(network: &TestNetwork, id: u32, text: &str) -> Result<()> {
    let address = network.node_addresses(id)?.metrics;
    let wait = async {
        loop {
            let (status, body) = http_get(address, "/readyz").await?;
            let body = String::from_utf8_lossy(&body).into_owned();
            let said = if text.is_empty() { status == 200 } else { body.contains(text) };
            if said {
                return Ok(());
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.with_context(|| format!("node-{id} never said {text:?}"))?
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_clock_costs_no_receipt_and_a_quorum_that_was_ahead_comes_back() {
    let options =
        NetworkOptions { cosign_interval_ms: 1_000, genesis_age_ms: 20 * 60 * 1000, ..NetworkOptions::default() };
    let mut network = TestNetwork::generate(&options).await.unwrap();
    network.init().await.unwrap();
    for id in ALL {
        let (file, program) = (shift_file(&network, id), network.binaries().node.clone());
        let spec = network.node(id).unwrap().spec_mut();
        spec.program = program.with_file_name("tallystick-node-byzantine");
        spec.environment.push(("TALLYSTICK_CLOCK_SHIFT".to_owned(), file.display().to_string()));
    }
    // The chain has stood still for twelve minutes, and one clock with it.
    shift(&network, &ALL, -IDLE_MS);
    network.start_nodes().await.unwrap();
    // Consensus begins with one empty block.
    let deadline = Instant::now() + PATIENCE;
    while network.wait_equal_tips().await.unwrap().sealed_height == 0 {
        assert!(Instant::now() < deadline, "the empty block is not sealed");
        tokio::time::sleep(POLL_INTERVAL).await;
    }
    shift(&network, &QUORUM, 0);
    network.start_issuers().await.unwrap();
    let mut load = Load::start(&network, 1, 1).await.unwrap();
    load.wait_more(RECEIPTS).await.unwrap();
    network.wait_more_heights(&QUORUM, HEIGHTS).await.unwrap();
    wait_said(&network, SLOW, "behind the other validators' clocks").await.unwrap();
    for id in QUORUM {
        wait_said(&network, id, "").await.unwrap();
    }
    shift(&network, &[SLOW], 0);
    wait_said(&network, SLOW, "").await.unwrap();

    // A quorum is ahead for a moment, and is set right: the chain's newest block lies ahead of all clocks.
    shift(&network, &QUORUM, AHEAD_MS);
    network.wait_more_heights(&QUORUM, HEIGHTS).await.unwrap();
    shift(&network, &QUORUM, 0);
    for id in ALL {
        wait_said(&network, id, "this node waits").await.unwrap();
    }
    for id in ALL {
        wait_said(&network, id, "").await.unwrap();
    }
    network.wait_more_heights(&ALL, HEIGHTS).await.unwrap();
    load.wait_more(RECEIPTS).await.unwrap();

    let acked = load.stop().await.unwrap();
    all_sealed_once(&network, 1, &acked).await.unwrap();
    network.wait_equal_tips().await.unwrap();
    network.audit(1).await.unwrap();
    let allowed = after_kills(AllowList::lifecycle())
        .and("node-", &["WARN", "this node's clock is"])
        .and("node-", &["WARN", "a batch waits: its last issue time lies too far ahead"])
        .and("node-", &["arc_malachitebft_core_consensus::handle::liveness: "]);
    network.finish(&allowed).await.unwrap();
}
