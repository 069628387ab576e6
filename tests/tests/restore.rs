//! An issuer loses its disk and is restored from an older backup: it issues nothing before `recover`, no number and no biz code
//! is used twice, what the ledger has is known again, and what only callers have comes back by `Resubmit`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use tallystick_devnet::generate_receipts::GeneratedReceipt;
use tallystick_devnet::logs::AllowList;
use tallystick_devnet::process::http_get;
use tallystick_devnet::{NetworkOptions, governance};
use tallystick_proto::convert::draft_to_wire;
use tallystick_proto::errors::Refusal;
use tallystick_proto::issuer::v1::{IssueRequest, IssueResponse, ReceiptState, Wait};
use tallystick_tests::judgement::{all_sealed_once, state_of, wait_epoch};
use tallystick_tests::load::{Acked, Clients, clients, issue};
use tallystick_tests::{TestNetwork, after_kills};

const ISSUER: u32 = 1;
const VALIDATORS: u32 = 4;
/// Receipts of each stage.
const RECEIPTS: u64 = 12;
/// `recover` ends with it while governance is awaited.
const AWAITS_FENCE: i32 = 3;
const WAIT_MAX: Duration = Duration::from_secs(60);
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Receipts of one stage; each stage has content and biz codes of its own.
fn receipts(network: &TestNetwork, stage: u64) -> Vec<GeneratedReceipt> {
    let mut generator = network.receipts(stage).unwrap();
    (0..RECEIPTS).map(|_| generator.mixed().unwrap()).collect()
}

async fn issue_all(clients: &Clients, receipts: Vec<GeneratedReceipt>) -> Vec<Acked> {
    let mut acked = Vec::new();
    for receipt in receipts {
        acked.push(issue(clients, receipt).await.unwrap());
    }
    acked
}

async fn wait_sealed(clients: &Clients, acked: &[Acked]) {
    for acked in acked {
        let deadline = Instant::now() + WAIT_MAX;
        while state_of(clients, acked).await.unwrap().state() != ReceiptState::Sealed {
            assert!(Instant::now() < deadline, "{} is not sealed", acked.receipt.draft.biz_code);
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }
}

/// Runs a command of the issuer's program that must end with this code.
async fn command(network: &TestNetwork, code: i32, name: &str, arguments: &[&str]) -> String {
    let (ended, output) = network.run_issuer_command(ISSUER, name, arguments).await.unwrap();
    assert_eq!(ended, code, "{name}: {output}");
    output
}

/// Connected as soon as the issuer listens, ready or not.
async fn clients_of_unready(network: &TestNetwork) -> Clients {
    let deadline = Instant::now() + WAIT_MAX;
    loop {
        match clients(network, ISSUER).await {
            Ok(clients) => return clients,
            Err(error) => assert!(Instant::now() < deadline, "{error:#}"),
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

async fn call(clients: &Clients, receipt: &GeneratedReceipt) -> Result<IssueResponse, tonic::Status> {
    let draft = Some(draft_to_wire(&receipt.draft));
    let request = IssueRequest { draft, wait: Wait::Pending.into(), ..IssueRequest::default() };
    Ok(clients[&receipt.system_id].clone().issue(request).await?.into_inner())
}

/// Restored and started, the issuer tells callers to go elsewhere, and its operator why it does not issue and what to do.
async fn refuses_until_recovered(network: &mut TestNetwork, receipt: &GeneratedReceipt) {
    network.issuer(ISSUER).unwrap().start().unwrap();
    let clients = clients_of_unready(network).await;
    let status = call(&clients, receipt).await.unwrap_err();
    assert_eq!(Refusal::from_status(&status).unwrap().reason.as_str(), "NOT_READY");
    assert!(!status.message().contains("recover"), "{status}");
    let metrics = network.issuer_addresses(ISSUER).unwrap().metrics;
    let (code, body) = http_get(metrics, "/readyz").await.unwrap();
    assert_ne!(code, 200, "{}", String::from_utf8_lossy(&body));
    assert!(String::from_utf8_lossy(&body).contains("tallystick-issuer recover --config"));
    assert!(network.issuer(ISSUER).unwrap().terminate().await.unwrap().success());
}

/// Has the authorities sign what `recover` asked for, and waits until the ledger has it.
async fn fence(network: &TestNetwork, plan: &Path) {
    let message = governance::sign(network.layout(), &std::fs::read(plan).unwrap()).unwrap();
    governance::submit(network.layout(), &message).await.unwrap();
    wait_epoch(network, ISSUER, 2).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_restored_from_an_older_backup_loses_and_doubles_nothing() {
    let mut network = TestNetwork::start(&NetworkOptions::default()).await.unwrap();
    let issuer = clients(&network, ISSUER).await.unwrap();
    let before = issue_all(&issuer, receipts(&network, 1)).await;
    wait_sealed(&issuer, &before).await;
    let backup = network.layout().root().join("backup");
    command(&network, 0, "backup", &["--to", backup.to_str().unwrap()]).await;

    // After the backup: some are sealed, some only acknowledged. Dead validators forget what they pooled.
    let sealed = issue_all(&issuer, receipts(&network, 2)).await;
    wait_sealed(&issuer, &sealed).await;
    for validator_id in 1..=VALIDATORS {
        network.node(validator_id).unwrap().kill().await.unwrap();
    }
    let unsealed = issue_all(&issuer, receipts(&network, 3)).await;
    network.issuer(ISSUER).unwrap().kill().await.unwrap();
    std::fs::remove_dir_all(network.layout().issuer(ISSUER).join("journal")).unwrap();
    network.start_nodes().await.unwrap();

    command(&network, 0, "restore", &["--from", backup.to_str().unwrap()]).await;
    let next = receipts(&network, 4);
    refuses_until_recovered(&mut network, &next[0]).await;
    // A stopped issuer is backed up as well, and what is there is never overwritten.
    let stopped = network.layout().root().join("backup-of-the-stopped");
    command(&network, 0, "backup", &["--to", stopped.to_str().unwrap()]).await;
    let refused = command(&network, 1, "restore", &["--from", stopped.to_str().unwrap()]).await;
    assert!(refused.contains("exists and is not empty"), "{refused}");
    let plan = network.layout().root().join("fence.gov");
    let said = command(&network, AWAITS_FENCE, "recover", &["--plan", plan.to_str().unwrap()]).await;
    assert!(said.contains(&format!("{RECEIPTS} receipts")), "{said}");
    command(&network, AWAITS_FENCE, "recover", &[]).await;
    fence(&network, &plan).await;
    command(&network, 0, "recover", &[]).await;
    network.issuer(ISSUER).unwrap().start().unwrap();
    network.issuer(ISSUER).unwrap().wait_ready().await.unwrap();

    let issuer = clients(&network, ISSUER).await.unwrap();
    for acked in &sealed {
        let again = call(&issuer, &acked.receipt).await.unwrap();
        assert!(again.replayed && again.state() == ReceiptState::Sealed, "{again:?}");
        assert_eq!((again.receipt_code, again.receipt_number), acked.key);
    }
    let mut all = issue_all(&issuer, next).await;
    for acked in unsealed.iter().chain(&sealed) {
        let answer = acked.resubmit(&issuer).await.unwrap();
        assert_eq!(answer.state(), ReceiptState::Sealed, "{}", answer.refused_reason);
        assert_eq!(answer.signed_record, acked.response.signed_record);
    }
    all.extend(before.into_iter().chain(sealed).chain(unsealed));
    let biz_codes: BTreeSet<_> = all.iter().map(|acked| &acked.receipt.draft.biz_code).collect();
    assert_eq!(biz_codes.len(), all.len());
    all_sealed_once(&network, ISSUER, &all).await.unwrap();
    network.wait_equal_tips().await.unwrap();
    network.audit(1).await.unwrap();
    let allowed = after_kills(AllowList::lifecycle()).and("issuer-", &["took back a receipt"]);
    network.finish(&allowed).await.unwrap();
}
