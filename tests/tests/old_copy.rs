//! An older copy of a journal, put back by hand while the ledger knows nothing of what it lacks: the guard file notices.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::time::{Duration, Instant};

use tallystick_devnet::NetworkOptions;
use tallystick_devnet::logs::AllowList;
use tallystick_devnet::process::http_get;
use tallystick_service::durable;
use tallystick_tests::load::{clients, issue};
use tallystick_tests::{TestNetwork, after_kills};

const ISSUER: u32 = 1;
const VALIDATORS: u32 = 4;
const WAIT_MAX: Duration = Duration::from_secs(60);
const POLL_INTERVAL: Duration = Duration::from_millis(50);

fn copy(from: &Path, to: &Path) {
    durable::private_directory(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_lacks_only_unsealed_receipts_is_halted_at_its_start() {
    let mut network = TestNetwork::start(&NetworkOptions::default()).await.unwrap();
    let journal = network.layout().issuer(ISSUER).join("journal");
    let aside = network.layout().issuer(ISSUER).join("copy");
    let issuer = clients(&network, ISSUER).await.unwrap();
    let mut receipts = network.receipts(1).unwrap();
    let (first, second) = (receipts.mixed().unwrap(), receipts.mixed().unwrap());
    drop(receipts);
    issue(&issuer, first).await.unwrap();
    assert!(network.issuer(ISSUER).unwrap().terminate().await.unwrap().success());
    copy(&journal, &aside);
    network.issuer(ISSUER).unwrap().start().unwrap();
    network.issuer(ISSUER).unwrap().wait_ready().await.unwrap();

    // No validator ever sees what is acknowledged now.
    for validator_id in 1..=VALIDATORS {
        network.node(validator_id).unwrap().kill().await.unwrap();
    }
    let issuer = clients(&network, ISSUER).await.unwrap();
    issue(&issuer, second).await.unwrap();
    assert!(network.issuer(ISSUER).unwrap().terminate().await.unwrap().success());
    std::fs::remove_dir_all(&journal).unwrap();
    std::fs::rename(&aside, &journal).unwrap();
    network.start_nodes().await.unwrap();

    network.issuer(ISSUER).unwrap().start().unwrap();
    let metrics = network.issuer_addresses(ISSUER).unwrap().metrics;
    let deadline = Instant::now() + WAIT_MAX;
    loop {
        let said = http_get(metrics, "/readyz").await.map(|(_, body)| String::from_utf8(body).unwrap());
        let said = said.unwrap_or_default();
        if said.contains("is halted") {
            assert!(said.contains("is behind its guard file") && said.contains("tallystick-issuer recover"), "{said}");
            break;
        }
        assert!(Instant::now() < deadline, "{said}");
        tokio::time::sleep(POLL_INTERVAL).await;
    }
    let allowed = after_kills(AllowList::lifecycle()).and("issuer-", &["ALARM: this journal is not the newest"]);
    network.finish(&allowed).await.unwrap();
}
