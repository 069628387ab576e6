//! A ledger without work: genesis is sealed, no block is added, and the unchanged tip is cosigned anew.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use receipt_core::note::PosixSeconds;
use receipt_core::trust::{TrustFile, TrustedCheckpoint};
use tallystick_devnet::logs::AllowList;
use tallystick_devnet::process::http_get;
use tallystick_devnet::{Network, NetworkOptions};
use tallystick_tests::TestNetwork;

const COSIGN_INTERVAL_MS: u64 = 1_000;
/// Cosignatures during which the logs are watched.
const COSIGNED_WATCHED: usize = 4;
const PUBLISH_TIMEOUT: Duration = Duration::from_secs(30);
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// The checkpoint that a validator publishes, judged by the trust file; `None` while there is none.
async fn published(network: &Network, trust: &TrustFile, validator_id: u32) -> Result<Option<TrustedCheckpoint>> {
    let address = network.node_addresses(validator_id)?.http;
    let (status, body) = http_get(address, "/checkpoint").await?;
    match status {
        200 => Ok(Some(trust.verify_checkpoint(std::str::from_utf8(&body)?)?)),
        404 => Ok(None),
        _ => bail!("/checkpoint answers {status}"),
    }
}

/// Waits for one that is cosigned later than `after`.
async fn published_after(
    network: &Network,
    trust: &TrustFile,
    validator_id: u32,
    after: PosixSeconds,
) -> Result<TrustedCheckpoint> {
    let wait = async {
        loop {
            match published(network, trust, validator_id).await? {
                Some(checkpoint) if checkpoint.as_of > after => return Ok(checkpoint),
                _ => tokio::time::sleep(POLL_INTERVAL).await,
            }
        }
    };
    tokio::time::timeout(PUBLISH_TIMEOUT, wait).await.context("no newer checkpoint was published")?
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_ledger_stands_still_and_its_tip_stays_fresh() {
    let options = NetworkOptions { cosign_interval_ms: COSIGN_INTERVAL_MS, ..NetworkOptions::default() };
    let mut network = TestNetwork::generate(&options).await.unwrap();
    network.start_nodes().await.unwrap();
    let trust = network.trust().unwrap();

    // Consensus begins with one empty block, for which nobody waits.
    let mut first = published_after(&network, &trust, 1, PosixSeconds::new(0)).await.unwrap();
    let mut before = network.wait_equal_tips().await.unwrap();
    while first.size.get() != before.sealed_tree_size || before.sealed_height == 0 {
        first = published_after(&network, &trust, 1, first.as_of).await.unwrap();
        before = network.wait_equal_tips().await.unwrap();
    }
    for validator_id in 1..=4 {
        let later = published_after(&network, &trust, validator_id, first.as_of).await.unwrap();
        assert_eq!((later.size, later.root), (first.size, first.root));
        assert!(later.signers.len() >= 3, "{:?}", later.signers);
    }
    let log = std::fs::read_to_string(network.layout().log("node-1")).unwrap();
    let starts: Vec<&str> = log.lines().filter(|line| line.contains("the node starts")).collect();
    let addresses = network.node_addresses(1).unwrap();
    assert_eq!(starts.len(), 1, "{log}");
    for part in [env!("CARGO_PKG_VERSION"), &network.description().chain_id, &addresses.http.to_string()] {
        assert!(starts[0].contains(part), "{part} is not in {}", starts[0]);
    }
    // Nothing happens that an operator could use: the logs stand still, too.
    let log_bytes = || {
        let length = |id: u32| std::fs::metadata(network.layout().log(&format!("node-{id}"))).unwrap().len();
        (1..=4).map(length).collect::<Vec<u64>>()
    };
    let logged = log_bytes();
    let mut last = first.as_of;
    for _ in 0..COSIGNED_WATCHED {
        last = published_after(&network, &trust, 1, last).await.unwrap().as_of;
    }
    assert_eq!(log_bytes(), logged, "a node logs while nothing happens");
    let after = network.wait_equal_tips().await.unwrap();
    assert_eq!((after.decided_height, after.sealed_root), (before.decided_height, before.sealed_root));
    network.audit(1).await.unwrap();
    network.finish(&AllowList::lifecycle()).await.unwrap();
}
