//! The procedures of docs/ops for an issuer's journal, typed as the pages have them: a torn end, a rotten body and a rotten table mended, a
//! backup put back. Whoever follows the page gets an issuer that issues, and every receipt is sealed once.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use tallystick_devnet::NetworkOptions;
use tallystick_devnet::logs::AllowList;
use tallystick_proto::issuer::v1::{IssueResponse, ReceiptState};
use tallystick_tests::judgement::{all_sealed_once, wait_epoch};
use tallystick_tests::load::{Acked, Clients, clients, issue};
use tallystick_tests::pages::Operator;
use tallystick_tests::{TestNetwork, after_kills};

const REPAIR: &str = "docs/ops/repair.md";
const BACKUP: &str = "docs/ops/backup-restore.md";
const ISSUER: u32 = 1;
/// Receipts of each stage.
const RECEIPTS: usize = 6;

async fn issue_some(network: &TestNetwork, clients: &Clients, seed: u64) -> Vec<Acked> {
    let mut generator = network.receipts(seed).unwrap();
    let receipts: Vec<_> = (0..RECEIPTS).map(|_| generator.outpatient().unwrap()).collect();
    let mut acked = Vec::new();
    for receipt in receipts {
        acked.push(issue(clients, receipt).await.unwrap());
    }
    acked
}

async fn resubmit(clients: &Clients, acked: &Acked) -> IssueResponse {
    let answer = acked.resubmit(clients).await.unwrap();
    assert_eq!(answer.state(), ReceiptState::Sealed, "{}", answer.refused_reason);
    answer
}

fn newest(journal: &Path, extension: &str) -> PathBuf {
    let files = std::fs::read_dir(journal).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension() == Some(extension.as_ref())).max().unwrap()
}

/// What a disk does.
fn flip(file: &Path, at: usize) {
    let mut bytes = std::fs::read(file).unwrap();
    bytes[at] ^= 1;
    std::fs::write(file, bytes).unwrap();
}

async fn command(network: &TestNetwork, code: i32, name: &str, arguments: &[&str]) -> String {
    let (ended, output) = network.run_issuer_command(ISSUER, name, arguments).await.unwrap();
    assert_eq!(ended, code, "{name}: {output}");
    output
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_to_mend_or_restore_a_journal_ends_in_an_issuer_that_issues() {
    let mut network = TestNetwork::start_as_services(&NetworkOptions::default()).await.unwrap();
    let journal = network.layout().issuer(ISSUER).join("journal");
    let mut issuer = clients(&network, ISSUER).await.unwrap();
    let first = issue_some(&network, &issuer, 1).await;
    let said = Operator::of_issuer(&mut network, ISSUER).follow(REPAIR, "A damaged journal").await.unwrap();
    assert!(said.contains("the journal is sound: "), "{said}");

    // A power cut in the midst of a write that was never synced.
    network.issuer(ISSUER).unwrap().kill().await.unwrap();
    let log = newest(&journal, "log");
    let whole = std::fs::read(&log).unwrap();
    let torn = [&whole[..], &whole[..7], &[0; 4096], &[0xA5; 600]].concat();
    std::fs::write(&log, torn).unwrap();
    let said = Operator::of_issuer(&mut network, ISSUER).follow(REPAIR, "A torn end").await.unwrap();
    assert!(said.contains("none of them was acknowledged: they were cut off"), "{said}");
    issuer = clients(&network, ISSUER).await.unwrap();
    let second = issue_some(&network, &issuer, 2).await;

    // Into tables and blob files, one byte of which rots.
    let said = Operator::of_issuer(&mut network, ISSUER).follow(REPAIR, "Writing it anew").await.unwrap();
    assert!(said.contains("written anew: "), "{said}");
    assert!(network.issuer(ISSUER).unwrap().terminate().await.unwrap().success());
    let blob = newest(&journal, "blob");
    flip(&blob, std::fs::metadata(&blob).unwrap().len() as usize / 2);
    let said = command(&network, 1, "check-journal", &[]).await;
    let named: Vec<&Acked> = first
        .iter()
        .chain(&second)
        .filter(|acked| said.contains(&format!("receipt {}-{}", acked.key.0, acked.key.1)))
        .collect();
    let [damaged] = named[..] else { panic!("{said}") };
    let rotten = network.backups().join("rotten");
    let said = command(&network, 1, "backup", &["--to", rotten.to_str().unwrap()]).await;
    assert!(said.contains("the backup was made") && said.contains("`Resubmit`"), "{said}");
    network.issuer(ISSUER).unwrap().start().unwrap();
    network.issuer(ISSUER).unwrap().wait_ready().await.unwrap();
    let said = command(&network, 1, "check-journal", &[]).await;
    assert!(said.contains("the running issuer says: the journal is damaged in 1 places"), "{said}");
    issuer = clients(&network, ISSUER).await.unwrap();
    assert!(resubmit(&issuer, damaged).await.replayed);
    Operator::of_issuer(&mut network, ISSUER).follow(REPAIR, "A damaged journal").await.unwrap();

    // A backup, and what is acknowledged after it.
    Operator::of_issuer(&mut network, ISSUER).follow(BACKUP, "Backup").await.unwrap();
    let third = issue_some(&network, &issuer, 3).await;
    let said = Operator::of_issuer(&mut network, ISSUER).follow(BACKUP, "Putting a backup back").await.unwrap();
    // Typed again by somebody who is not sure: what was put back goes beside what was lost, and not into it.
    Operator::of_issuer(&mut network, ISSUER).follow(BACKUP, "Putting a backup back").await.unwrap();
    for aside in ["journal.lost", "journal.lost.~1~"] {
        let aside = journal.with_file_name(aside);
        assert!(aside.join("CURRENT").is_file() && !aside.join("journal").exists(), "{}", aside.display());
    }
    assert!(said.contains("restored issuer 1 "), "{said}");
    let said = Operator::of_issuer(&mut network, ISSUER).follow(BACKUP, "Catching up").await.unwrap();
    assert!(said.contains("fence.gov: governance sequence"), "{said}");
    Operator::of_issuer(&mut network, ISSUER).follow(BACKUP, "The fence of a development network").await.unwrap();
    wait_epoch(&network, ISSUER, 2).await.unwrap();
    let said = Operator::of_issuer(&mut network, ISSUER).follow(BACKUP, "Going on").await.unwrap();
    assert!(said.contains("recovered: this journal signs in epoch 2"), "{said}");
    issuer = clients(&network, ISSUER).await.unwrap();
    for acked in &third {
        resubmit(&issuer, acked).await;
    }
    let fourth = issue_some(&network, &issuer, 4).await;
    let all: Vec<Acked> = [first, second, third, fourth].into_iter().flatten().collect();
    all_sealed_once(&network, ISSUER, &all).await.unwrap();
    network.wait_equal_tips().await.unwrap();
    network.audit(1).await.unwrap();
    let allowed = after_kills(AllowList::lifecycle())
        .and("issuer-", &["took back a receipt"])
        .and("issuer-", &["ALARM: the journal is damaged in 1 places"]);
    network.finish(&allowed).await.unwrap();
}

/// The one table of a family, in the journal of a stopped issuer.
fn table_of(journal: &Path, family: &str) -> PathBuf {
    let options = rocksdb::Options::default();
    let families = rocksdb::DB::list_cf(&options, journal).unwrap();
    let db = rocksdb::DB::open_cf_for_read_only(&options, journal, families, false).unwrap();
    let files = db.live_files().unwrap().into_iter().filter(|file| file.column_family_name == family);
    let names: Vec<String> = files.map(|file| file.name).collect();
    let [name] = &names[..] else { panic!("{names:?}") };
    journal.join(name.trim_start_matches('/'))
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_that_cannot_be_read_any_more_come_back_from_the_ledger() {
    let mut network = TestNetwork::start_as_services(&NetworkOptions::default()).await.unwrap();
    let journal = network.layout().issuer(ISSUER).join("journal");
    let mut issuer = clients(&network, ISSUER).await.unwrap();
    let mut all = issue_some(&network, &issuer, 1).await;
    all_sealed_once(&network, ISSUER, &all).await.unwrap();
    // All of it goes into tables.
    Operator::of_issuer(&mut network, ISSUER).follow(REPAIR, "Writing it anew").await.unwrap();
    assert!(network.issuer(ISSUER).unwrap().terminate().await.unwrap().success());
    flip(&table_of(&journal, "batches"), 10);
    let said = command(&network, 1, "check-journal", &[]).await;
    assert!(said.contains("the journal's batches") && said.contains("`repair --from-ledger`"), "{said}");
    assert!(!said.contains("`restore`"), "{said}");
    let said = command(&network, 1, "repair", &["--rewrite"]).await;
    assert!(said.contains("batch 1 cannot be read") && said.contains("the journal stays as it is"), "{said}");
    let said = Operator::of_issuer(&mut network, ISSUER).follow(REPAIR, "Batches from the ledger").await.unwrap();
    assert!(said.contains("learnt from the ledger again: batches 1"), "{said}");
    let said = command(&network, 0, "repair", &["--from-ledger"]).await;
    assert!(said.contains("every batch can be read"), "{said}");
    Operator::of_issuer(&mut network, ISSUER).follow(REPAIR, "Writing it anew").await.unwrap();
    let said = command(&network, 0, "check-journal", &[]).await;
    assert!(said.contains("the journal is sound"), "{said}");
    // With their bundles, which need header and order of the records.
    all_sealed_once(&network, ISSUER, &all).await.unwrap();
    issuer = clients(&network, ISSUER).await.unwrap();
    all.extend(issue_some(&network, &issuer, 2).await);
    all_sealed_once(&network, ISSUER, &all).await.unwrap();
    network.wait_equal_tips().await.unwrap();
    network.audit(1).await.unwrap();
    network.finish(&after_kills(AllowList::lifecycle())).await.unwrap();
}
