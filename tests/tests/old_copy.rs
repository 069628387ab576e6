//! An older copy of a journal, put back by hand while the ledger knows nothing of what it lacks: the guard file notices. It lacks unsealed receipts,
//! or an erasure alone.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::time::{Duration, Instant};

use tallystick_devnet::issuing::issue_one;
use tallystick_devnet::logs::AllowList;
use tallystick_devnet::process::http_get;
use tallystick_devnet::{Caller, NetworkOptions};
use tallystick_proto::issuer::v1::Wait;
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

/// Starts the issuer: its journal is behind its guard.
async fn starts_halted(network: &mut TestNetwork) {
    network.issuer(ISSUER).unwrap().start().unwrap();
    let metrics = network.issuer_addresses(ISSUER).unwrap().metrics;
    let deadline = Instant::now() + WAIT_MAX;
    loop {
        let said = http_get(metrics, "/readyz").await.map(|(_, body)| String::from_utf8(body).unwrap());
        let said = said.unwrap_or_default();
        if said.contains("is halted") {
            assert!(said.contains("is behind its guard file") && said.contains("tallystick-issuer recover"), "{said}");
            return;
        }
        assert!(Instant::now() < deadline && said.trim() != "ready", "{said}");
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

async fn seal_one(network: &TestNetwork, serial: u64) -> String {
    let receipt = network.sample("S01", serial).unwrap();
    let client = network.issuer_client(ISSUER, Caller::System(receipt.system_id)).await.unwrap();
    let sealed = issue_one(client, &receipt, Wait::Sealed).await.unwrap().response;
    format!("{}-{}", sealed.receipt_code, sealed.receipt_number)
}

async fn erase(network: &TestNetwork, receipt: &str) {
    let arguments = ["--receipt", receipt, "--despite-retention"];
    let (code, said) = network.run_issuer_command(ISSUER, "erase-bodies", &arguments).await.unwrap();
    assert_eq!(code, 0, "{said}");
}

/// Nothing is issued after the copy was made. Before, it was started without a word.
#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_lacks_only_an_erasure_is_halted_at_its_start() {
    let mut network = TestNetwork::start(&NetworkOptions::default()).await.unwrap();
    let (first, second) = (seal_one(&network, 1).await, seal_one(&network, 2).await);
    let directory = network.layout().issuer(ISSUER);
    let [journal, older, newest] = ["journal", "older", "newest"].map(|name| directory.join(name));
    assert!(network.issuer(ISSUER).unwrap().terminate().await.unwrap().success());
    copy(&journal, &older);
    network.issuer(ISSUER).unwrap().start().unwrap();
    network.issuer(ISSUER).unwrap().wait_ready().await.unwrap();
    // Killed as soon as it has said that the body is erased.
    erase(&network, &first).await;
    network.issuer(ISSUER).unwrap().kill().await.unwrap();
    std::fs::rename(&journal, &newest).unwrap();
    copy(&older, &journal);
    starts_halted(&mut network).await;
    assert!(network.issuer(ISSUER).unwrap().terminate().await.unwrap().success());
    // The halt is written in the copy alone.
    std::fs::remove_dir_all(&journal).unwrap();
    std::fs::rename(&newest, &journal).unwrap();
    network.issuer(ISSUER).unwrap().start().unwrap();
    network.issuer(ISSUER).unwrap().wait_ready().await.unwrap();
    assert!(network.issuer(ISSUER).unwrap().terminate().await.unwrap().success());
    // Erased in a stopped one; and the same command in the copy does not bring it level with the guard.
    std::fs::remove_dir_all(&older).unwrap();
    copy(&journal, &older);
    erase(&network, &second).await;
    std::fs::remove_dir_all(&journal).unwrap();
    std::fs::rename(&older, &journal).unwrap();
    erase(&network, &second).await;
    starts_halted(&mut network).await;
    let allowed = after_kills(AllowList::lifecycle()).and("issuer-", &["ALARM: this journal is not the newest"]);
    network.finish(&allowed).await.unwrap();
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

    starts_halted(&mut network).await;
    let allowed = after_kills(AllowList::lifecycle()).and("issuer-", &["ALARM: this journal is not the newest"]);
    network.finish(&allowed).await.unwrap();
}
