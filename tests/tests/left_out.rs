//! A receipt that a ledger of real processes leaves out: reported with a node's own word, found missing by the auditor's replay, and late
//! when its issuer comes back. The issuer's process does not run; the test signs with its keys, under a promise that is over.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};

use receipt_core::bundle::LeftOut;
use receipt_core::code;
use receipt_core::ids::UnixMillis;
use tallystick_devnet::clients::LedgerClient;
use tallystick_devnet::logs::AllowList;
use tallystick_devnet::{Caller, NetworkOptions};
use tallystick_proto::ledger::v1::{SubmitBatchRequest, SubmitOutcome};
use tallystick_tests::TestNetwork;
use tallystick_tests::forge::Forge;
use tallystick_tests::pages::commands;

use crate::offices::Desk;

const AUDIT: &str = "docs/ops/audit.md";
const DECIDE_TIMEOUT: Duration = Duration::from_secs(30);
const POLL_INTERVAL: Duration = Duration::from_millis(20);

async fn decide(ledger: &mut LedgerClient, batch: SubmitBatchRequest) {
    let deadline = Instant::now() + DECIDE_TIMEOUT;
    while ledger.submit_batch(batch.clone()).await.unwrap().into_inner().outcome() != SubmitOutcome::Included {
        assert!(Instant::now() < deadline, "a batch was not taken in {DECIDE_TIMEOUT:?}");
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// Types the page's commands, both of which end with the code of what they found; what they said.
async fn typed(desk: &Desk<'_>) -> [String; 2] {
    let commands = <[String; 2]>::try_from(commands(AUDIT, "Reports of receipts left out").unwrap()).unwrap();
    let mut said = Vec::new();
    for command in commands {
        said.push(desk.tries(&command, "").await.unwrap_or_else(|error| format!("{error:#}")));
    }
    said.try_into().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_issuer_left_out_is_reported_found_missing_and_late_when_it_comes() {
    let mut network = TestNetwork::generate(&NetworkOptions::default()).await.unwrap();
    network.start_nodes().await.unwrap();
    let mut forge = Forge::open(&network, 1, 0).unwrap();
    let mut ledger = network.ledger_client(1, Caller::Issuer(1)).await.unwrap();
    // Signed a while ago; what was signed since is sealed, so that validators were there after the promised time.
    let mut promised = forge.record().unwrap();
    let ago = |time: UnixMillis, ms: u64| UnixMillis::new(time.get() - ms);
    (promised.issue_time, promised.seal_by) = (ago(promised.issue_time, 5_000), ago(promised.issue_time, 3_000));
    let missing = forge.sign(promised);
    let other = forge.leaves(1).unwrap();
    decide(&mut ledger, forge.batch(1, &other).unwrap()).await;
    network.wait_equal_tips().await.unwrap();

    let desk = Desk::new(&network, "office");
    desk.certificate("auditor");
    desk.obtain(&network.layout().directory(), "units.bin");
    let report = |leaf: &[u8]| {
        format!(
            "tallystick-verifier report-left-out --code {} --node https://node-1.example.org:7101 --tls-cert auditor.pem \
             --tls-key auditor.key --tls-ca ca.pem --directory units.bin --trust trust.txt --out left-out.tally",
            code::digits(leaf)
        )
    };
    let said = desk.tries(&report(&other[0]), "").await.unwrap_err();
    assert!(format!("{said:#}").contains("IN FORCE") && !desk.path("left-out.tally").exists(), "{said:#}");
    let said = desk.types(&report(&missing), "").await;
    assert!(said.starts_with("left-out.tally: ") && said.contains("REPORTED AS LEFT OUT  "), "{said}");
    let made = LeftOut::decode(&std::fs::read(desk.path("left-out.tally")).unwrap()).unwrap();
    assert_eq!(made.record, missing);

    let [judged, audited] = typed(&desk).await;
    assert!(judged.contains("exit status: 4") && judged.contains("REPORTED AS LEFT OUT  "), "{judged}");
    assert!(audited.contains("exit status: 2") && audited.contains("LEFT OUT       left-out.tally: "), "{audited}");
    assert!(!audited.contains("the report's checkpoint is"), "it is the ledger's own: {audited}");

    decide(&mut ledger, forge.batch(2, std::slice::from_ref(&missing)).unwrap()).await;
    network.wait_equal_tips().await.unwrap();
    let [judged, audited] = typed(&desk).await;
    assert!(judged.contains("REPORTED AS LEFT OUT  "), "the report says of then what it said: {judged}");
    assert!(audited.starts_with("CLEAN") && audited.contains("LATE           left-out.tally: "), "{audited}");
    network.finish(&AllowList::lifecycle()).await.unwrap();
}
