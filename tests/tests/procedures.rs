//! The procedures of docs/ops for a node, typed as the pages have them: the store made anew, a copy of it taken and put back, on a
//! chain that rests and on one that works. Whoever follows the page gets a validator that votes. And the certificates that
//! docs/ops/keys.md makes with openssl.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};

use tallystick_devnet::issuing::issue_one;
use tallystick_devnet::logs::AllowList;
use tallystick_devnet::process::http_get;
use tallystick_devnet::{Caller, NetworkOptions};
use tallystick_proto::issuer::v1::Wait;
use tallystick_tests::checkpoints::CheckpointWatch;
use tallystick_tests::judgement::all_sealed_once;
use tallystick_tests::load::Load;
use tallystick_tests::pages::Operator;
use tallystick_tests::{TestNetwork, after_kills};

const REPAIR: &str = "docs/ops/repair.md";
const BACKUP: &str = "docs/ops/backup-restore.md";
const KEYS: &str = "docs/ops/keys.md";
/// The validator whose operator reads the page.
const OPERATED: u32 = 2;
/// Away afterwards, so that nothing is sealed without the operated one.
const AWAY: u32 = 4;
const RECEIPTS: usize = 40;
const WAIT_MAX: Duration = Duration::from_secs(60);
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Also what a node says of a log that is newer than its store.
fn allowed() -> AllowList {
    let aside = ["the engine's log is set aside", "which the store does not have"];
    after_kills(AllowList::lifecycle()).and("node-", &aside)
}

/// Issues a receipt and waits for its seal; the chain rests before and after.
async fn seal_one(network: &TestNetwork, seed: u64) {
    let receipt = network.receipts(seed).unwrap().outpatient().unwrap();
    let client = network.issuer_client(1, Caller::System(receipt.system_id)).await.unwrap();
    issue_one(client, &receipt, Wait::Sealed).await.unwrap();
}

/// The operated node stands where all stand, and its vote counts.
async fn assert_votes(network: &mut TestNetwork, seed: u64) {
    network.wait_equal_tips().await.unwrap();
    network.node(AWAY).unwrap().kill().await.unwrap();
    seal_one(network, seed).await;
    network.node(AWAY).unwrap().start().unwrap();
    network.node(AWAY).unwrap().wait_ready().await.unwrap();
    network.wait_equal_tips().await.unwrap();
}

/// Types the commands of a section, and types them again, as somebody does who is not sure that they were typed. What the first time printed.
async fn twice(network: &mut TestNetwork, page: &str, section: &str) -> String {
    let printed = Operator::new(network, OPERATED).follow(page, section).await.unwrap();
    Operator::new(network, OPERATED).follow(page, section).await.unwrap();
    printed
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_resting_chain_every_way_to_restore_a_node_ends_in_a_validator_that_votes() {
    let mut network = TestNetwork::start_as_services(&NetworkOptions::default()).await.unwrap();
    let checkpoints = CheckpointWatch::start(&network).unwrap();
    let mut seed = 0;
    let mut next = || {
        seed += 1;
        seed
    };
    seal_one(&network, next()).await;
    network.wait_equal_tips().await.unwrap();

    let printed = twice(&mut network, REPAIR, "Damaged store").await;
    assert!(printed.contains("kept the guard file: this validator has voted at height "), "{printed}");
    assert!(printed.contains("guard          voted at height "), "inspect: {printed}");
    assert_votes(&mut network, next()).await;

    twice(&mut network, BACKUP, "A copy of a node's store").await;
    for _ in 0..3 {
        seal_one(&network, next()).await;
    }
    network.wait_equal_tips().await.unwrap();
    checkpoints.forget(OPERATED);
    twice(&mut network, BACKUP, "Restoring a node from a copy").await;
    assert_votes(&mut network, next()).await;
    let (node, backups) = (network.layout().node(OPERATED), network.backups());
    for made in [backups.join("node-data"), node.join("data"), node.join("data.lost"), node.join("data.damaged")] {
        let before = made.with_file_name(format!("{}.~1~", made.file_name().unwrap().to_str().unwrap()));
        let before = if made.starts_with(&backups) { backups.join("node-data.before") } else { before };
        let is_live = made == node.join("data");
        for store in [&made, &before].into_iter().take(if is_live { 1 } else { 2 }) {
            assert!(store.join("CURRENT").is_file(), "{} is no store", store.display());
            let nested = ["data", "node-data"].iter().any(|name| store.join(name).exists());
            assert!(!nested, "{} has another in it", store.display());
        }
    }

    let printed = Operator::new(&mut network, OPERATED).follow(REPAIR, "Consensus log").await.unwrap();
    assert!(printed.contains("consensus log  sound: ") && printed.contains("Nothing was changed"), "{printed}");
    assert_votes(&mut network, next()).await;

    network.audit(OPERATED).await.unwrap();
    checkpoints.check(&network).await.unwrap();
    network.finish(&allowed()).await.unwrap();
}

/// Before the start, `repair` must not call a log sound at which the node would end.
#[tokio::test(flavor = "multi_thread")]
async fn repair_says_that_the_store_lacks_a_block_of_the_log() {
    let mut network = TestNetwork::start(&NetworkOptions::default()).await.unwrap();
    seal_one(&network, 1).await;
    network.wait_equal_tips().await.unwrap();
    assert!(network.node(OPERATED).unwrap().terminate().await.unwrap().success());
    let directory = network.layout().node(OPERATED);
    std::fs::rename(directory.join("data"), directory.join("data.damaged")).unwrap();
    network.init_node(OPERATED).await.unwrap();
    let config = network.layout().node_config(OPERATED);
    let mut program = tokio::process::Command::new(&network.binaries().node);
    let output = program.arg("repair").arg("--config").arg(config).output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && said.contains("which the store does not have"), "{said}");
    assert!(said.contains("consensus.wal.without-block-1") && !said.contains("sound"), "{said}");
    network.node(OPERATED).unwrap().start().unwrap();
    network.node(OPERATED).unwrap().wait_ready().await.unwrap();
    assert_votes(&mut network, 2).await;
    network.finish(&allowed()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn under_load_every_way_to_restore_a_node_ends_in_a_validator_that_votes() {
    let mut network = TestNetwork::start_as_services(&NetworkOptions::default()).await.unwrap();
    let checkpoints = CheckpointWatch::start(&network).unwrap();
    let mut load = Load::start(&network, 1, 1).await.unwrap();
    load.wait_more(RECEIPTS).await.unwrap();
    Operator::new(&mut network, OPERATED).follow(BACKUP, "A copy of a node's store").await.unwrap();
    load.wait_more(RECEIPTS).await.unwrap();
    checkpoints.forget(OPERATED);
    Operator::new(&mut network, OPERATED).follow(BACKUP, "Restoring a node from a copy").await.unwrap();
    load.wait_more(RECEIPTS).await.unwrap();
    checkpoints.forget(OPERATED);
    Operator::new(&mut network, OPERATED).follow(REPAIR, "Damaged store").await.unwrap();
    load.wait_more(RECEIPTS).await.unwrap();
    network.node(AWAY).unwrap().kill().await.unwrap();
    load.wait_more(RECEIPTS).await.unwrap();
    network.node(AWAY).unwrap().start().unwrap();
    network.node(AWAY).unwrap().wait_ready().await.unwrap();
    let acked = load.stop().await.unwrap();
    all_sealed_once(&network, 1, &acked).await.unwrap();
    network.wait_equal_tips().await.unwrap();
    checkpoints.check(&network).await.unwrap();
    network.audit(OPERATED).await.unwrap();
    network.finish(&allowed()).await.unwrap();
}

/// An authority and a certificate as the page makes them: the process takes them while it runs, and its peers talk to it.
#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_made_with_openssl_replaces_the_old_one_while_the_node_runs() {
    let mut network = TestNetwork::start_as_services(&NetworkOptions::default()).await.unwrap();
    let mut operator = Operator::new(&mut network, OPERATED);
    operator.follow(KEYS, "The authority").await.unwrap();
    let made = |operator: &Operator<'_>| {
        ["key", "pem"].map(|end| std::fs::read(operator.desk().join(format!("authority.{end}"))).unwrap())
    };
    let first = made(&operator);
    operator.follow(KEYS, "The authority").await.unwrap();
    assert!(made(&operator) == first, "typed again, it makes no other authority");
    let [_, new] = first;
    // Rotation of the authority, step 1: everybody trusts both.
    let authorities = network.layout().ca().cert;
    let both = [std::fs::read(&authorities).unwrap(), new].concat();
    std::fs::write(&authorities, both).unwrap();
    for id in 1..=4 {
        network.node(id).unwrap().hang_up().unwrap();
    }
    network.issuer(1).unwrap().hang_up().unwrap();
    wait_reloads(&network, 1).await;
    Operator::new(&mut network, OPERATED).follow(KEYS, "A certificate").await.unwrap();
    wait_reloads(&network, 2).await;
    network.node_status(OPERATED).await.unwrap();
    // As a client, too, and at a start.
    assert!(network.node(OPERATED).unwrap().terminate().await.unwrap().success());
    network.node(OPERATED).unwrap().start().unwrap();
    network.node(OPERATED).unwrap().wait_ready().await.unwrap();
    let metrics = http_get(network.node_addresses(OPERATED).unwrap().metrics, "/metrics").await.unwrap().1;
    let metrics = String::from_utf8(metrics).unwrap();
    let days = metrics.lines().find_map(|line| line.strip_prefix("tallystick_node_tls_certificate_days_left "));
    let days: f64 = days.unwrap().parse().unwrap();
    assert!(days > 364.9 && days < 365.1, "{days}");
    assert_votes(&mut network, 1).await;
    // A look at the files between the two moves finds a key of another certificate.
    let allowed = after_kills(AllowList::lifecycle()).and("node-2", &["TLS files not reloaded"]);
    network.finish(&allowed).await.unwrap();
}

/// Waits until the operated node has taken new TLS files so often.
async fn wait_reloads(network: &TestNetwork, count: usize) {
    let deadline = Instant::now() + WAIT_MAX;
    loop {
        let log = std::fs::read_to_string(network.layout().log(&format!("node-{OPERATED}"))).unwrap();
        if log.lines().filter(|line| line.contains("TLS files reloaded")).count() >= count {
            return;
        }
        assert!(Instant::now() < deadline, "the node takes no new TLS files:\n{log}");
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}
