//! Disks fill up. An issuer below its mark issues nothing and answers all else. A validator: below the low-water mark it takes no
//! more batches from issuers and goes on to serve and to follow; at zero it ends, and says why; with space again it starts and
//! catches up.
//!
//! The disk is a small tmpfs of its own. Where nothing may be mounted (no root, no mount namespace), the test says so and
//! sets the mark above what the disk has: then the first part is tested, and the second is not.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tallystick_devnet::clients::LedgerClient;
use tallystick_devnet::issuing::issue_one;
use tallystick_devnet::logs::AllowList;
use tallystick_devnet::process::http_get;
use tallystick_devnet::{Caller, NetworkOptions};
use tallystick_proto::convert::draft_to_wire;
use tallystick_proto::errors::{CallReason, ErrorReason, Refusal};
use tallystick_proto::issuer::v1::{GetBundleRequest, IssueRequest, ReceiptKey, Wait, get_bundle_request};
use tallystick_proto::ledger::v1::{GetBlockRequest, GetCheckpointRequest, SubmitBatchRequest, SubmitOutcome};
use tallystick_tests::forge::Forge;
use tallystick_tests::{TestNetwork, after_kills};
use tokio::process::Command;

const FULL: u32 = 4;
/// Less than RocksDB reserves for its log, so that it reserves nothing and the disk can be filled to the last byte.
const DISK_BYTES: u64 = 64 << 20;
const LOW_WATER_BYTES: u64 = 24 << 20;
/// Left free when it is to be below the mark, and above zero.
const LITTLE_BYTES: u64 = 12 << 20;
const TIMEOUT: Duration = Duration::from_secs(60);
const POLL_INTERVAL: Duration = Duration::from_millis(20);
const RECORDS: usize = 1_000;

/// A mounted tmpfs; unmounted when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// `None` where nothing may be mounted.
    async fn mount(path: &Path) -> Option<Self> {
        std::fs::create_dir_all(path).unwrap();
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", &format!("size={DISK_BYTES}"), "tallystick-test"]).arg(path);
        let output = command.output().await;
        let mounted = output.as_ref().is_ok_and(|output| output.status.success());
        mounted.then(|| Self(path.to_owned()))
    }

    fn ballast(&self) -> PathBuf {
        self.0.join("ballast")
    }

    /// Writes until so much is left, or nothing.
    fn fill(&self, free_bytes: u64, mut free: impl FnMut() -> u64) {
        static CHUNK: [u8; 1 << 16] = [0xaa; 1 << 16];
        let mut ballast = File::options().create(true).append(true).open(self.ballast()).unwrap();
        while free() > free_bytes && ballast.write_all(&CHUNK).is_ok() {}
        if free_bytes == 0 {
            while ballast.write_all(&[0]).is_ok() {}
        }
    }

    fn free(&self) {
        std::fs::remove_file(self.ballast()).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // A process that is still dying may use it: the lazy way always works.
        let _ = std::process::Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Free bytes by `df`: what the node sees, too.
fn free_bytes(path: &Path) -> u64 {
    let output = std::process::Command::new("df").args(["--output=avail", "-B1"]).arg(path).output().unwrap();
    String::from_utf8(output.stdout).unwrap().lines().nth(1).unwrap().trim().parse().unwrap()
}

/// Puts store and engine log of a validator onto the disk. The guard stays elsewhere, as it should.
fn configure(config: &Path, on_disk: bool, low_water_bytes: u64) {
    let mut text = std::fs::read_to_string(config).unwrap();
    let line = text.lines().find(|line| line.starts_with("disk_low_water_bytes")).unwrap().to_owned();
    text = text.replace(&line, &format!("disk_low_water_bytes = {low_water_bytes}"));
    if on_disk {
        text = text.replace("\"data\"", "\"disk/data\"").replace("\"wal\"", "\"disk/wal\"");
    }
    std::fs::write(config, text).unwrap();
}

/// The test's issuer, and its connections.
struct Issuer {
    forge: Forge,
    sequence: u64,
}

impl Issuer {
    fn next(&mut self) -> SubmitBatchRequest {
        let leaves = self.forge.leaves(RECORDS).unwrap();
        self.sequence += 1;
        self.forge.batch(self.sequence - 1, &leaves).unwrap()
    }
}

async fn include(ledger: &mut LedgerClient, batch: SubmitBatchRequest) -> u64 {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        let answer = ledger.submit_batch(batch.clone()).await.unwrap().into_inner();
        if answer.outcome() == SubmitOutcome::Included {
            return answer.block_height;
        }
        assert!(Instant::now() < deadline, "a batch was not included in {TIMEOUT:?}");
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// Offers a batch until the answer is (or is no longer) that the disk is low.
async fn wait_low(ledger: &mut LedgerClient, batch: &SubmitBatchRequest, low: bool) -> Option<Refusal> {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        let refusal = match ledger.submit_batch(batch.clone()).await {
            Ok(_) => None,
            Err(status) => Some(Refusal::from_status(&status).unwrap_or_else(|| panic!("{status:?}"))),
        };
        if refusal.is_some() == low {
            return refusal;
        }
        assert!(Instant::now() < deadline, "low is not {low} after {TIMEOUT:?}");
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

async fn wait_height(network: &TestNetwork, validator_id: u32, height: u64) {
    let deadline = Instant::now() + TIMEOUT;
    while network.node_status(validator_id).await.unwrap().sealed_height < height {
        assert!(Instant::now() < deadline, "node-{validator_id} does not reach {height}");
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// Everything that only reads is answered, by this node itself, up to this height.
async fn assert_serves_reads(network: &TestNetwork, height: u64) {
    wait_height(network, FULL, height).await;
    let mut ledger = network.ledger_client(FULL, Caller::Auditor).await.unwrap();
    ledger.get_block(GetBlockRequest { height, with_records: true }).await.unwrap();
    ledger.get_checkpoint(GetCheckpointRequest {}).await.unwrap();
    let (status, _) = http_get(network.node_addresses(FULL).unwrap().http, "/checkpoint").await.unwrap();
    assert_eq!(status, 200);
    network.audit(FULL).await.unwrap();
}

/// The issuer's mark, set above what any disk has: nothing new, everything that was.
#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_low_on_disk_issues_nothing_and_answers_all_else() {
    let mut network = TestNetwork::start(&NetworkOptions::default()).await.unwrap();
    let receipt = network.receipts(1).unwrap().outpatient().unwrap();
    let caller = Caller::System(receipt.system_id);
    let client = network.issuer_client(1, caller).await.unwrap();
    let issued = issue_one(client, &receipt, Wait::Sealed).await.unwrap();

    let config = network.layout().issuer_config(1);
    let generous = std::fs::read_to_string(&config).unwrap();
    let line = generous.lines().find(|line| line.starts_with("disk_free_bytes_min")).unwrap();
    let greedy = generous.replace(line, &format!("disk_free_bytes_min = {}", u64::MAX >> 1));
    let issuer = network.issuer(1).unwrap();
    assert!(issuer.terminate().await.unwrap().success());
    std::fs::write(&config, greedy).unwrap();
    issuer.start().unwrap();
    let door = network.issuer_addresses(1).unwrap().metrics;
    let deadline = Instant::now() + TIMEOUT;
    loop {
        let answer = http_get(door, "/readyz").await.map(|(_, body)| String::from_utf8_lossy(&body).into_owned());
        if answer.as_ref().is_ok_and(|body| body.contains("has too little disk space")) {
            break;
        }
        assert!(Instant::now() < deadline, "/readyz says {answer:?}");
        tokio::time::sleep(POLL_INTERVAL).await;
    }

    let mut client = network.issuer_client(1, caller).await.unwrap();
    let more = network.receipts(2).unwrap().outpatient().unwrap();
    let request = IssueRequest { draft: Some(draft_to_wire(&more.draft)), ..IssueRequest::default() };
    let refusal = Refusal::from_status(&client.issue(request).await.unwrap_err()).unwrap();
    assert_eq!(refusal.reason, ErrorReason::Call(CallReason::DiskLow));
    assert!(refusal.retry_after_ms.is_some());
    let (receipt_code, receipt_number) = issued.key.clone();
    let selector = Some(get_bundle_request::Selector::Key(ReceiptKey { receipt_code, receipt_number }));
    assert!(!client.get_bundle(GetBundleRequest { selector }).await.unwrap().into_inner().bundle.is_empty());

    let issuer = network.issuer(1).unwrap();
    assert!(issuer.terminate().await.unwrap().success());
    std::fs::write(&config, generous).unwrap();
    issuer.start().unwrap();
    issuer.wait_ready().await.unwrap();
    let client = network.issuer_client(1, caller).await.unwrap();
    issue_one(client, &more, Wait::Sealed).await.unwrap();
    network.wait_equal_tips().await.unwrap();
    network.finish(&AllowList::lifecycle()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_stops_new_work_and_not_the_chain() {
    let mut network = TestNetwork::generate(&NetworkOptions::default()).await.unwrap();
    let directory = network.layout().node(FULL);
    let disk = SmallDisk::mount(&directory.join("disk")).await;
    let config = network.layout().node_config(FULL);
    match &disk {
        Some(_) => configure(&config, true, LOW_WATER_BYTES),
        None => {
            // Past the test runner, which keeps what a passing test prints to itself.
            let said = "NOTHING COULD BE MOUNTED HERE: only the low-water mark is tested, the end at zero is not";
            writeln!(std::io::stderr(), "{said}").unwrap();
            configure(&config, false, u64::MAX >> 1);
        }
    }
    network.start_nodes().await.unwrap();
    let mut issuer = Issuer { forge: Forge::open(&network, 1, 0).unwrap(), sequence: 1 };
    let mut full = network.ledger_client(FULL, Caller::Issuer(1)).await.unwrap();
    let mut other = network.ledger_client(1, Caller::Issuer(1)).await.unwrap();
    if disk.is_some() {
        include(&mut full, issuer.next()).await;
    }

    // Below the mark: refused, with a reason and a time to come again; everything else goes on.
    if let Some(disk) = &disk {
        disk.fill(LITTLE_BYTES, || free_bytes(&disk.0));
    }
    let batch = issuer.next();
    let refusal = wait_low(&mut full, &batch, true).await.unwrap();
    assert_eq!(refusal.reason, ErrorReason::Call(CallReason::DiskLow));
    assert!(refusal.retry_after_ms.is_some());
    let height = include(&mut other, batch).await;
    assert_serves_reads(&network, height).await;

    let Some(disk) = disk else {
        let allowed = AllowList::lifecycle().and("node-4", &["free disk space crossed the low-water mark"]);
        return network.finish(&allowed).await.unwrap();
    };
    // Space again: taken again.
    disk.free();
    let batch = issuer.next();
    wait_low(&mut full, &batch, false).await;
    include(&mut full, batch).await;

    ends_at_zero_and_starts_again(&mut network, &disk, &mut issuer, &mut other).await;
    network.wait_equal_tips().await.unwrap();
    network.audit(FULL).await.unwrap();
    let allowed = after_kills(AllowList::lifecycle())
        .and("node-4", &["free disk space crossed the low-water mark"])
        .and("node-4", &["No space left on device"])
        .and("node-4", &["the engine"])
        .and("node-4", &["arc_malachitebft_"]);
    // A directory in which something is mounted cannot be removed.
    network.stop().await.unwrap();
    drop(disk);
    network.finish(&allowed).await.unwrap();
}

async fn ends_at_zero_and_starts_again(
    network: &mut TestNetwork,
    disk: &SmallDisk,
    issuer: &mut Issuer,
    other: &mut LedgerClient,
) {
    disk.fill(0, || free_bytes(&disk.0));
    // The others go on; this one can not, and ends by itself within a few blocks.
    let mut height = 0;
    let deadline = Instant::now() + TIMEOUT;
    let status = loop {
        if let Some(status) = network.node(FULL).unwrap().exited().unwrap() {
            break status;
        }
        height = include(other, issuer.next()).await;
        disk.fill(0, || free_bytes(&disk.0));
        assert!(Instant::now() < deadline, "node-{FULL} runs on a full disk");
    };
    assert_eq!(status.code(), Some(1), "{}", network.node(FULL).unwrap().log_tail());
    let tail = network.node(FULL).unwrap().log_tail();
    assert!(tail.contains("No space left on device"), "its log does not say why it ended:\n{tail}");
    for misleading in ["remains alive", "is damaged", "hanging to prevent"] {
        assert!(!tail.contains(misleading), "{misleading}:\n{tail}");
    }

    // Started again while nothing is free: it says so, and calls nothing damaged.
    network.node(FULL).unwrap().start().unwrap();
    let status = network.node(FULL).unwrap().wait_exit(TIMEOUT).await.unwrap();
    let tail = network.node(FULL).unwrap().log_tail();
    assert_eq!(status.code(), Some(1), "{tail}");
    let last = tail.lines().last().unwrap();
    assert!(last.contains("No space left on device") && !last.contains("is damaged"), "{last}");
    assert!(last.contains("Make room"), "{last}");

    disk.free();
    network.node(FULL).unwrap().start().unwrap();
    network.node(FULL).unwrap().wait_ready().await.unwrap();
    height = height.max(include(other, issuer.next()).await);
    wait_height(network, FULL, height).await;
}
