//! Erasing a body with real processes: no file of the issuer has the key to it afterwards, whatever is restarted or restored; its
//! record, number and state stay, and the ledger's audit is as before.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use tallystick_devnet::generate_receipts::GeneratedReceipt;
use tallystick_devnet::issuing::issue_one;
use tallystick_devnet::{Caller, NetworkOptions};
use tallystick_proto::errors::Refusal;
use tallystick_proto::issuer::v1::{
    GetBundleRequest, GetReceiptRequest, GetReceiptResponse, IssueResponse, ReceiptKey, ReceiptState, Wait,
    get_bundle_request, get_receipt_request,
};
use tallystick_tests::TestNetwork;
use tallystick_tests::pages::Operator;

const ISSUER: u32 = 1;
const PAGE: &str = "docs/ops/erasing.md";
const REPAIR: &str = "docs/ops/repair.md";
/// As the page on erasing has it.
const EXAMPLE: &str = "99060126-0000000123";
const NAME: &str = "欧阳测试甲";

struct Issued {
    receipt: GeneratedReceipt,
    response: IssueResponse,
}

impl Issued {
    fn key(&self) -> ReceiptKey {
        let IssueResponse { receipt_code, receipt_number, .. } = self.response.clone();
        ReceiptKey { receipt_code, receipt_number }
    }

    fn name(&self) -> String {
        format!("{}-{}", self.response.receipt_code, self.response.receipt_number)
    }
}

async fn issue(network: &TestNetwork, serial: u64) -> Issued {
    issue_sample(network, "S01", serial).await
}

async fn issue_sample(network: &TestNetwork, sample: &str, serial: u64) -> Issued {
    let mut receipt = network.sample(sample, serial).unwrap();
    receipt.draft.payer_name = NAME.to_owned();
    let client = network.issuer_client(ISSUER, Caller::System(receipt.system_id)).await.unwrap();
    let response = issue_one(client, &receipt, Wait::Sealed).await.unwrap().response;
    Issued { receipt, response }
}

async fn state(network: &TestNetwork, issued: &Issued) -> GetReceiptResponse {
    let mut client = network.issuer_client(ISSUER, Caller::System(issued.receipt.system_id)).await.unwrap();
    let selector = Some(get_receipt_request::Selector::Key(issued.key()));
    client.get_receipt(GetReceiptRequest { selector }).await.unwrap().into_inner()
}

/// The bundle, or the reason why there is none.
async fn bundle(network: &TestNetwork, issued: &Issued) -> Result<Vec<u8>, String> {
    let mut client = network.issuer_client(ISSUER, Caller::System(issued.receipt.system_id)).await.unwrap();
    let selector = Some(get_bundle_request::Selector::Key(issued.key()));
    match client.get_bundle(GetBundleRequest { selector }).await {
        Ok(answer) => Ok(answer.into_inner().bundle.to_vec()),
        Err(status) => Err(Refusal::from_status(&status).unwrap().reason.as_str().to_owned()),
    }
}

async fn command(network: &TestNetwork, code: i32, name: &str, arguments: &[&str]) -> String {
    let (ended, output) = network.run_issuer_command(ISSUER, name, arguments).await.unwrap();
    assert_eq!(ended, code, "{name}: {output}");
    output
}

/// The wrapped key of a receipt's body, read from the journal of a stopped issuer.
fn wrapped_key(journal: &Path, issued: &Issued) -> Option<Vec<u8>> {
    let options = rocksdb::Options::default();
    let families = rocksdb::DB::list_cf(&options, journal).unwrap();
    let db = rocksdb::DB::open_cf_for_read_only(&options, journal, families, false).unwrap();
    let code: u32 = issued.response.receipt_code.parse().unwrap();
    let number: u64 = issued.response.receipt_number.parse().unwrap();
    let key = [&code.to_be_bytes()[..], &number.to_be_bytes()].concat();
    db.get_cf(db.cf_handle("body-keys").unwrap(), key).unwrap().filter(|value| value.len() > 8)
}

/// Files below a directory that contain any of these.
fn holders(directory: &Path, parts: &[&[u8]]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            found.extend(holders(&entry.path(), parts));
        } else if kind.is_file() {
            let text = std::fs::read(entry.path()).unwrap();
            let holds = |part: &&[u8]| text.windows(part.len()).any(|window| window == *part);
            found.extend(parts.iter().any(holds).then(|| entry.path()));
        }
    }
    found
}

async fn restart(network: &mut TestNetwork, meanwhile: impl FnOnce(&Path)) {
    assert!(network.issuer(ISSUER).unwrap().terminate().await.unwrap().success());
    meanwhile(&network.layout().issuer(ISSUER).join("journal"));
    network.issuer(ISSUER).unwrap().start().unwrap();
    network.issuer(ISSUER).unwrap().wait_ready().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erased_body_is_nowhere_and_stays_away() {
    let mut network = TestNetwork::start(&NetworkOptions::default()).await.unwrap();
    let (erased, kept) = (issue(&network, 1).await, issue(&network, 2).await);
    let mut secret = None;
    restart(&mut network, |journal| secret = wrapped_key(journal, &erased)).await;
    let secrets: [&[u8]; 2] = [&secret.unwrap(), NAME.as_bytes()];
    let files = network.layout().issuer(ISSUER);
    assert_ne!(holders(&files, &secrets), Vec::<PathBuf>::new(), "the search finds what is there");
    let backup = network.layout().root().join("backup");
    command(&network, 0, "backup", &["--to", backup.to_str().unwrap()]).await;

    let receipt = erased.name();
    let said = command(&network, 1, "erase-bodies", &["--receipt", &receipt]).await;
    assert!(
        said.contains("is kept for 5 years (bodies.retention_years)") && said.contains("--despite-retention"),
        "{said}"
    );
    assert!(bundle(&network, &erased).await.is_ok());
    let by_law = ["--receipt", &receipt, "--despite-retention"];
    let said = command(&network, 0, "erase-bodies", &by_law).await;
    assert!(said.contains("1 bodies erased"), "{said}");
    assert_eq!(holders(&files, &secrets), Vec::<PathBuf>::new());
    let said = command(&network, 0, "erase-bodies", &by_law).await;
    assert!(said.contains("1 had been erased before"), "{said}");

    let left = state(&network, &erased).await;
    assert_eq!((left.state(), left.check_code.as_str()), (ReceiptState::Sealed, ""));
    assert!(left.body_erased_at_ms > 0 && left.signed_record == erased.response.signed_record);
    assert_eq!(bundle(&network, &erased).await, Err("BODY_ERASED".to_owned()));
    assert!(bundle(&network, &kept).await.is_ok());
    assert_eq!(state(&network, &kept).await.body_erased_at_ms, 0);

    // A restart, a crash, and an older copy of the journal put back with its guard: it stays erased.
    restart(&mut network, |_| ()).await;
    network.issuer(ISSUER).unwrap().kill().await.unwrap();
    std::fs::remove_dir_all(files.join("journal")).unwrap();
    // Not without the list of what was erased.
    let (list, aside) = (files.join("journal.erased"), files.join("aside"));
    std::fs::rename(&list, &aside).unwrap();
    let said = command(&network, 1, "restore", &["--from", backup.to_str().unwrap()]).await;
    assert!(said.contains("--without-erased-list") && !files.join("journal").exists(), "{said}");
    // Only where somebody says that it is lost; then what was erased since the backup is back.
    let lost = ["--from", backup.to_str().unwrap(), "--without-erased-list"];
    command(&network, 0, "restore", &lost).await;
    assert_ne!(holders(&files.join("journal"), &secrets), Vec::<PathBuf>::new());
    std::fs::remove_dir_all(files.join("journal")).unwrap();
    std::fs::rename(&aside, &list).unwrap();
    command(&network, 0, "restore", &["--from", backup.to_str().unwrap()]).await;
    assert_eq!(holders(&files, &secrets), Vec::<PathBuf>::new(), "restoring brings nothing back");
    let bodies = network.layout().root().join("bodies");
    let said = command(&network, 0, "export-bodies", &["--out", bodies.to_str().unwrap()]).await;
    assert!(said.contains("1 erased, 0 lost"), "{said}");
    network.wait_equal_tips().await.unwrap();
    network.audit(1).await.unwrap();
}

/// All that docs/ops/erasing.md has an operator type, on an issuer that keeps no medical body.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_follows_the_page_erases_what_is_due_and_what_is_named() {
    let mut network = TestNetwork::start_as_services(&NetworkOptions::default()).await.unwrap();
    let medical = [issue(&network, 1).await, issue(&network, 2).await];
    let others = [issue_sample(&network, "S05", 3).await, issue_sample(&network, "S05", 4).await];
    let config = network.layout().issuer_config(ISSUER);
    restart(&mut network, |_| {
        let text = std::fs::read_to_string(&config).unwrap();
        std::fs::write(&config, format!("{text}\n[bodies]\nretention_years_by_category = {{ 06 = 0 }}\n")).unwrap();
    })
    .await;

    let printed = Operator::of_issuer(&mut network, ISSUER).follow(PAGE, "By age").await.unwrap();
    assert!(printed.contains("category 06: 2 bodies") && printed.contains("2 bodies are due; 0 more"), "{printed}");
    assert_eq!(printed.matches("complete: 2 bodies erased of ").count(), 2, "the erasure, its progress: {printed}");
    for receipt in &medical {
        assert_eq!(bundle(&network, receipt).await, Err("BODY_ERASED".to_owned()));
        assert!(state(&network, receipt).await.body_erased_at_ms > 0);
    }
    // A journal that was moved aside keeps the key: it is named, until it is removed.
    Operator::of_issuer(&mut network, ISSUER).follow(REPAIR, "Writing it anew").await.unwrap();
    let aside = network.layout().issuer(ISSUER).join("journal.damaged-1");
    let named = format!("were moved aside: {}", aside.display());
    let mut operator = Operator::of_issuer(&mut network, ISSUER).with(EXAMPLE, others[0].name());
    let printed = operator.follow(PAGE, "By name").await.unwrap();
    assert!(printed.contains("1 bodies erased") && printed.contains(&named), "{printed}");
    operator.follow(PAGE, "Copies").await.unwrap();
    operator.follow(PAGE, "Journals that were moved aside").await.unwrap();
    let printed = operator.follow(PAGE, "By name").await.unwrap();
    assert!(printed.contains("1 had been erased before") && !printed.contains("moved aside"), "{printed}");
    let list = network.layout().issuer(ISSUER).join("journal.erased");
    let lines =
        |path: &Path| std::fs::read_to_string(path).unwrap().lines().skip(1).map(str::to_owned).collect::<Vec<_>>();
    let before = lines(&list);
    assert_eq!(lines(&network.backups().join("journal.erased")), before);
    assert!(before[0].starts_with("expired ") && before[1].starts_with(&others[0].name()), "{before:?}");

    std::fs::remove_file(&list).unwrap();
    Operator::of_issuer(&mut network, ISSUER).follow(PAGE, "The list is lost").await.unwrap();
    let mut after = lines(&list);
    after.sort_by_key(|line| before.iter().position(|before| before == line));
    assert_eq!(after, before);
    assert_eq!(bundle(&network, &others[0]).await, Err("BODY_ERASED".to_owned()));
    assert!(bundle(&network, &others[1]).await.is_ok());
    network.wait_equal_tips().await.unwrap();
    network.audit(1).await.unwrap();
}
