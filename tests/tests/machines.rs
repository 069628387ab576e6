//! Machines set up as docs/ops/init.md and docs/ops/services.md have it: a node and an issuer come up on files that root has brought and the
//! service's user reads; and what the unit and the owners forbid does fail here, so that a page that forgets them fails its test.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

use tallystick_devnet::issuing::issue_one;
use tallystick_devnet::logs::AllowList;
use tallystick_devnet::{Caller, NetworkOptions};
use tallystick_proto::issuer::v1::Wait;
use tallystick_tests::pages::Operator;
use tallystick_tests::services::{BACKUPS, STATE, Unit};
use tallystick_tests::{TestNetwork, after_kills};

const SETTING_UP: &str = "docs/ops/init.md";
const BACKUP: &str = "docs/ops/backup-restore.md";
const ISSUER: u32 = 1;
/// Set up by the page; the others are there.
const NEW: u32 = 4;

/// As `init.md` has it: all files of a process lie beside its config. Those of the network are taken away, and what the page has root bring
/// lies where root stands.
fn files_beside(config: &Path, desk: &Path, name: &str) {
    let text = fs::read_to_string(config).unwrap();
    let beside = text
        .replace("\"../genesis.bin\"", "\"genesis.bin\"")
        .replace("\"../trust.txt\"", "\"trust.txt\"")
        .replace("\"../ca.pem\"", "\"tls/ca.pem\"");
    assert_ne!(text, beside);
    fs::write(config, beside).unwrap();
    let tls = config.with_file_name("tls");
    for file in [format!("{name}.pem"), format!("{name}.key")] {
        fs::copy(tls.join(&file), desk.join(&file)).unwrap();
        fs::remove_file(tls.join(&file)).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_and_an_issuer_come_up_as_the_page_has_it() {
    let mut network = TestNetwork::generate_as_services(&NetworkOptions::default()).await.unwrap();
    for id in (1..=4).filter(|id| *id != NEW) {
        network.init_node(id).await.unwrap();
        network.node(id).unwrap().start().unwrap();
    }
    let layout = network.layout().clone();
    let desk = Operator::new(&mut network, NEW).desk();
    for file in [layout.genesis(), layout.trust(), layout.ca().cert] {
        fs::copy(&file, desk.join(file.file_name().unwrap())).unwrap();
    }
    files_beside(&layout.node_config(NEW), &desk, "node");
    let said = Operator::new(&mut network, NEW).follow(SETTING_UP, "A node").await.unwrap();
    assert!(said.contains(&network.description().chain_id), "the chain id is printed: {said}");
    for id in 1..=4 {
        network.node(id).unwrap().wait_ready().await.unwrap();
    }
    files_beside(&layout.issuer_config(ISSUER), &desk, "issuer");
    let credentials = layout.issuer(ISSUER).join("credentials");
    fs::rename(&credentials, desk.join("credentials")).unwrap();
    fs::create_dir(&credentials).unwrap();
    network.hand_over(&credentials).unwrap();
    Operator::of_issuer(&mut network, ISSUER).follow(SETTING_UP, "An issuer").await.unwrap();
    let receipt = network.receipts(1).unwrap().outpatient().unwrap();
    let client = network.issuer_client(ISSUER, Caller::System(receipt.system_id)).await.unwrap();
    let issued = issue_one(client, &receipt, Wait::Sealed).await.unwrap();
    assert!(!issued.response.bundle.is_empty(), "with its credential");
    network.finish(&after_kills(AllowList::lifecycle())).await.unwrap();
}

/// Were these allowed, no test of a page would show that the page forgets an owner or a path.
#[tokio::test(flavor = "multi_thread")]
async fn what_unit_and_owners_forbid_fails() {
    let unit = Unit::read().unwrap();
    assert_eq!((unit.user.as_str(), unit.umask.as_str()), ("tallystick", "0077"));
    assert_eq!(unit.read_write_paths, [STATE, BACKUPS]);
    assert_eq!(unit.start, format!("/usr/local/bin/tallystick-node run --config {STATE}/node.toml"));
    let mut network = TestNetwork::start_as_services(&NetworkOptions::default()).await.unwrap();
    if !network.has_two_users() {
        println!("NOT TESTED: one user does all here, and nothing is forbidden to it");
        network.finish(&AllowList::lifecycle()).await.unwrap();
        return;
    }
    // The user may write there, and the running issuer, which writes the copy, may not.
    let elsewhere = network.layout().root().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    network.hand_over(&elsewhere).unwrap();
    let to = elsewhere.join("copy");
    let arguments = ["--to", to.to_str().unwrap()];
    let (code, said) = network.run_issuer_command(ISSUER, "backup", &arguments).await.unwrap();
    assert!(code == 1 && said.contains("Read-only file system") && said.contains("ReadWritePaths"), "{said}");
    // `mkdir -p /backups`, as the page had it.
    fs::remove_dir(network.backups()).unwrap();
    fs::create_dir(network.backups()).unwrap();
    let refused = Operator::of_issuer(&mut network, ISSUER).follow(BACKUP, "Backup").await.unwrap_err();
    assert!(format!("{refused:#}").contains("exit status"), "{refused:#}");
    // What root writes to the user's directory, and what the user writes to root's.
    assert!(network.issuer(ISSUER).unwrap().terminate().await.unwrap().success());
    let list = network.layout().issuer(ISSUER).join("journal.erased");
    let aside = list.with_extension("aside");
    fs::rename(&list, &aside).unwrap();
    fs::write(&list, fs::read(&aside).unwrap()).unwrap();
    fs::set_permissions(&list, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let (code, said) = network.run_issuer_command(ISSUER, "run", &[]).await.unwrap();
    assert!(code != 0 && said.contains("Permission denied"), "{said}");
    fs::rename(&aside, &list).unwrap();
    let out = Operator::of_issuer(&mut network, ISSUER).desk().join("bodies").display().to_string();
    let (code, said) = network.run_issuer_command(ISSUER, "export-bodies", &["--out", &out]).await.unwrap();
    assert!(code != 0 && said.contains("Permission denied"), "{said}");
    network.issuer(ISSUER).unwrap().start().unwrap();
    network.issuer(ISSUER).unwrap().wait_ready().await.unwrap();
    network.finish(&AllowList::lifecycle().and("issuer-1", &["a backup failed"])).await.unwrap();
}
