//! Keys of an issuer change while receipts go on, as docs/ops/keys.md has it: a unit key, the master key, the blinding secret of all issuers;
//! and the passphrases of key files.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use receipt_core::reason::Reason;
use receipt_core::record::SignedRecord;
use tallystick_devnet::NetworkOptions;
use tallystick_devnet::generate_receipts::GeneratedReceipt;
use tallystick_devnet::logs::AllowList;
use tallystick_devnet::process::http_get;
use tallystick_devnet::registry::key_id;
use tallystick_proto::convert::draft_to_wire;
use tallystick_proto::errors::Refusal;
use tallystick_proto::issuer::v1::{IssueRequest, IssueResponse, ReceiptState, Wait};
use tallystick_service::keyfile::{self, KdfCost, KeyKind, NewKey, Passphrase};
use tallystick_service::rng::OsEntropy;
use tallystick_tests::judgement::all_sealed_once;
use tallystick_tests::load::{Acked, Clients, clients};
use tallystick_tests::pages::{Operator, commands, typed};
use tallystick_tests::{TestNetwork, after_kills};

use crate::offices::{Desk, governed};

const KEYS: &str = "docs/ops/keys.md";
const ISSUER: u32 = 1;
const OTHER: u32 = 2;
const USAGE: i32 = 64;
const TIMEOUT: Duration = Duration::from_secs(60);
const POLL_INTERVAL: Duration = Duration::from_millis(50);

async fn call(clients: &Clients, receipt: &GeneratedReceipt) -> Result<IssueResponse, Refusal> {
    let request = IssueRequest {
        draft: Some(draft_to_wire(&receipt.draft)),
        wait: Wait::Sealed.into(),
        wait_timeout_ms: 60_000,
        with_bundle: false,
    };
    let answer = clients[&receipt.system_id].clone().issue(request).await;
    answer.map(tonic::Response::into_inner).map_err(|status| Refusal::from_status(&status).unwrap())
}

async fn sealed(clients: &Clients, receipt: &GeneratedReceipt) -> Acked {
    let response = call(clients, receipt).await.unwrap();
    assert_eq!(response.state(), ReceiptState::Sealed, "{}", response.refused_reason);
    let key = (response.receipt_code.clone(), response.receipt_number.clone());
    Acked { receipt: receipt.clone(), key, response }
}

fn record(acked: &Acked) -> receipt_core::record::ReceiptRecord {
    SignedRecord::decode(&acked.response.signed_record).unwrap().record
}

/// The same payment under another business code.
fn again(receipt: &GeneratedReceipt, suffix: &str) -> GeneratedReceipt {
    let mut other = receipt.clone();
    other.draft.biz_code = format!("{}-{suffix}", receipt.draft.biz_code);
    other
}

/// One of the actions that a program printed.
fn printed_action(printed: &str, begins: &str) -> String {
    let from = printed.find(begins).unwrap_or_else(|| panic!("no {begins} in {printed}"));
    let text = &printed[from..];
    let end = text[begins.len()..].find("[[actions]]").map_or(text.len(), |end| begins.len() + end);
    let lines = text[..end].lines().filter(|line| !line.starts_with("made ") && !line.starts_with("kept "));
    let action: String = lines.map(|line| format!("{line}\n")).collect();
    action.replace("YYYY-MM-DD", "2026-01-01")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unit_gets_a_new_key_as_the_page_has_it() {
    const NEW: u32 = 5_021;
    let mut network = TestNetwork::start_as_services(&NetworkOptions::default()).await.unwrap();
    let issuer = clients(&network, ISSUER).await.unwrap();
    let mut acked = vec![sealed(&issuer, &network.sample("S01", 1).unwrap()).await];
    let unit = record(&acked[0]).unit.get();
    let old = key_id(ISSUER, unit);
    assert_eq!(record(&acked[0]).signing_key.get(), old);
    let mut operator = Operator::of_issuer(&mut network, ISSUER).with("2021:21", format!("{NEW}:{unit}"));
    let printed = operator.follow(KEYS, "A new unit key").await.unwrap();
    let action = printed_action(&printed, &format!("[[actions]]\n[actions.register_key]\nkey_id = {NEW}"));
    let desk = Desk::new(&network, "office");
    governed(&desk, &format!("{action}\n[[credentials]]\nkey_id = {NEW}\n")).await;
    let handed_over = network.backups().join("credentials");
    fs::create_dir_all(&handed_over).unwrap();
    for credential in fs::read_dir(desk.path("credentials")).unwrap().map(|entry| entry.unwrap().path()) {
        fs::copy(&credential, handed_over.join(credential.file_name().unwrap())).unwrap();
    }
    Operator::of_issuer(&mut network, ISSUER).follow(KEYS, "Using the new unit key").await.unwrap();
    let issuer = clients(&network, ISSUER).await.unwrap();
    acked.push(sealed(&issuer, &network.sample("S01", 2).unwrap()).await);
    assert_eq!(record(&acked[1]).signing_key.get(), NEW);
    // From today's midnight on: what the old key signed today is sealed, and stays.
    let today = acked[0].receipt.draft.issue_date;
    let revoke =
        format!("[[actions]]\n[actions.revoke_key]\nkey_id = {old}\nrevoked_from = \"{today}T00:00:00+08:00\"\n");
    governed(&Desk::new(&network, "office"), &revoke).await;
    acked.push(sealed(&issuer, &network.sample("S01", 3).unwrap()).await);
    // Each is proved by the credential of its own key.
    all_sealed_once(&network, ISSUER, &acked).await.unwrap();
    network.audit(1).await.unwrap();
    network.finish(&after_kills(AllowList::lifecycle())).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_gets_a_new_master_key_as_the_page_has_it() {
    let mut network = TestNetwork::start_as_services(&NetworkOptions::default()).await.unwrap();
    let issuer = clients(&network, ISSUER).await.unwrap();
    let first = sealed(&issuer, &network.sample("S01", 1).unwrap()).await;
    let root = network.layout().root().to_owned();
    let (keys, backup) = (network.layout().issuer(ISSUER).join("keys"), network.backups().join("before"));
    let backup = backup.to_str().unwrap();
    let (code, said) = network.run_issuer_command(ISSUER, "backup", &["--to", backup]).await.unwrap();
    assert_eq!(code, 0, "{said}");
    let (master, before) = (keys.join("master.key"), keys.join("master.key.before"));
    let old = fs::read(&master).unwrap();
    let said = Operator::of_issuer(&mut network, ISSUER).follow(KEYS, "Changing the master key").await.unwrap();
    assert!(said.contains("1 keys of bodies rewrapped by this run"), "{said}");
    let new = fs::read(&master).unwrap();
    // Typed again after it has ended: before, it made a third key, and the one of the backup was overwritten.
    let said = Operator::of_issuer(&mut network, ISSUER).paste(KEYS, "Changing the master key").await.unwrap();
    assert!(said.contains("master.key.before is there and has another key"), "{said}");
    let now = [&master, &before].map(|path| fs::read(path).unwrap());
    assert!(now == [new.clone(), old] && new != now[1] && !keys.join("master.key.new").exists());
    let issuer = clients(&network, ISSUER).await.unwrap();
    let second = sealed(&issuer, &network.sample("S01", 2).unwrap()).await;
    all_sealed_once(&network, ISSUER, &[first, second]).await.unwrap();

    // The old key is none of this journal's any more, and the only one of the backup of before.
    assert!(network.issuer(ISSUER).unwrap().terminate().await.unwrap().success());
    let journal = network.layout().issuer(ISSUER).join("journal");
    fs::copy(&before, &master).unwrap();
    let (code, said) = network.run_issuer_command(ISSUER, "run", &[]).await.unwrap();
    assert!(code == USAGE && said.contains("not the master key of this journal"), "{said}");
    fs::rename(&journal, root.join("aside")).unwrap();
    let (code, said) = network.run_issuer_command(ISSUER, "restore", &["--from", backup]).await.unwrap();
    assert_eq!(code, 0, "{said}");
    let new_file = keys.join("master.key.new");
    fs::write(&new_file, &new).unwrap();
    fs::set_permissions(&new_file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    network.hand_over(&new_file).unwrap();
    let new_key = new_file.to_str().unwrap();
    let rewrap = async |network: &TestNetwork| {
        network.run_issuer_command(ISSUER, "rewrap-body-keys", &["--new-key", new_key]).await.unwrap()
    };
    let (code, said) = rewrap(&network).await;
    assert!(code == 0 && said.contains("1 keys of bodies rewrapped"), "{said}");
    assert_eq!(fs::read(&master).unwrap(), new, "in its place");
    let (code, said) = rewrap(&network).await;
    assert!(code != 0 && said.contains("Nothing was changed"), "{said}");
    assert!(fs::read(&master).unwrap() == new && !new_file.exists());
    let (code, said) = network.run_issuer_command(ISSUER, "check-journal", &[]).await.unwrap();
    assert!(code == 0 && said.contains("the journal is sound"), "{said}");
    fs::remove_dir_all(&journal).unwrap();
    fs::rename(root.join("aside"), &journal).unwrap();

    network.issuer(ISSUER).unwrap().start().unwrap();
    network.issuer(ISSUER).unwrap().wait_ready().await.unwrap();
    // The backup that was typed again.
    let allowed = after_kills(AllowList::lifecycle()).and("issuer-1", &["a backup failed", "exists and is not empty"]);
    network.finish(&allowed).await.unwrap();
}

/// The TOML blocks under a heading of the page.
fn blocks(heading: &str) -> Vec<String> {
    let page = fs::read_to_string(tallystick_tests::pages::page(KEYS)).unwrap();
    let (_, section) = page.split_once(&format!("# {heading}\n")).unwrap();
    let section = section.split("\n#").next().unwrap();
    section.split("```toml\n").skip(1).map(|block| block.split("```").next().unwrap().replace("\n   ", "\n")).collect()
}

/// The config of an issuer with one of the page's blocks in the place of its blinding secrets, beside it.
fn next_config(network: &TestNetwork, issuer_id: u32, block: &str) -> PathBuf {
    let config = network.layout().issuer_config(issuer_id);
    let text = fs::read_to_string(&config).unwrap();
    let (before, rest) = text.split_once("blinding_secret_file").unwrap();
    let (_, after) = rest.split_once("blinding_epoch       = 1\n").unwrap();
    let next = config.with_file_name("issuer.next.toml");
    fs::write(&next, format!("{before}{}{after}", block.trim_start())).unwrap();
    // As `cp -p` and an editor leave it.
    network.hand_over(&next).unwrap();
    next
}

/// With the secret of epoch 2.
fn config_of_the_second_epoch(network: &TestNetwork, issuer_id: u32) -> PathBuf {
    next_config(network, issuer_id, &blocks("The next blinding secret")[0])
}

fn passphrase(directory: &Path) -> Passphrase {
    Passphrase::from_file(&directory.join("passphrase")).unwrap()
}

/// Carries the next secret from one issuer to the other, whose key files have another passphrase.
async fn carry(network: &mut TestNetwork) {
    let [from, to] = [ISSUER, OTHER].map(|issuer_id| network.layout().issuer(issuer_id).join("carried"));
    let mut operator = Operator::of_issuer(network, ISSUER);
    operator.follow(KEYS, "Handing out a blinding secret").await.unwrap();
    let desk = operator.desk();
    for name in ["blinding-2.key", "passphrase"] {
        fs::copy(from.join(name), desk.join(name)).unwrap();
    }
    let said = Operator::of_issuer(network, OTHER).follow(KEYS, "Taking a blinding secret").await.unwrap();
    assert!(said.contains("changed ") && !to.exists() && !desk.join("passphrase").exists(), "{said}");
}

fn write_secret(network: &TestNetwork, directory: &Path, name: &str, secret: &[u8; 32]) {
    let new = NewKey { secret, kind: KeyKind::Symmetric, cost: KdfCost::STANDARD };
    keyfile::create(&directory.join(name), &passphrase(directory), &new, &OsEntropy).unwrap();
    network.hand_over(&directory.join(name)).unwrap();
}

async fn says_not_ready(network: &TestNetwork, part: &str) {
    let metrics = network.issuer_addresses(ISSUER).unwrap().metrics;
    let deadline = Instant::now() + TIMEOUT;
    loop {
        let said = http_get(metrics, "/readyz").await.map(|(_, body)| String::from_utf8_lossy(&body).into_owned());
        if said.as_ref().is_ok_and(|said| said.contains(part)) {
            return;
        }
        assert!(Instant::now() < deadline, "{said:?}");
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// The ledger has a receipt of this payment.
async fn refused_by_the_ledger(clients: &Clients, receipt: &GeneratedReceipt) {
    let response = call(clients, receipt).await.unwrap();
    let reason = Reason::PaymentReceipted.as_str();
    assert_eq!((response.state(), response.refused_reason.as_str()), (ReceiptState::Refused, reason));
}

/// A file that is not the one which was registered. Makes the issuer's next config.
async fn another_secret_is_refused(network: &mut TestNetwork, keys: &Path) {
    write_secret(network, keys, "blinding-2.key", &[9; 32]);
    let next = config_of_the_second_epoch(network, OTHER);
    let config = network.layout().issuer_config(OTHER);
    let kept = fs::read(&config).unwrap();
    fs::copy(&next, &config).unwrap();
    assert!(network.issuer(OTHER).unwrap().terminate().await.unwrap().success());
    let (code, said) = network.run_issuer_command(OTHER, "run", &[]).await.unwrap();
    assert_eq!(code, USAGE, "{said}");
    for part in ["keys.blinding_secret_file", "it is not the blinding secret of epoch 2", "fingerprint"] {
        assert!(said.contains(part), "{said}");
    }
    fs::remove_file(keys.join("blinding-2.key")).unwrap();
    fs::write(&config, kept).unwrap();
}

async fn a_former_secret_left_out_is_refused(network: &mut TestNetwork) {
    assert!(network.issuer(OTHER).unwrap().terminate().await.unwrap().success());
    let config = network.layout().issuer_config(OTHER);
    let text = fs::read_to_string(&config).unwrap();
    let (without, former) = text.split_once("former_blinding_secrets").unwrap();
    let (_, rest) = former.split_once("}]\n").unwrap();
    fs::write(&config, format!("{without}{rest}")).unwrap();
    let (code, said) = network.run_issuer_command(OTHER, "run", &[]).await.unwrap();
    assert!(code == USAGE && said.contains("the blinding secret of epoch 1 (fingerprint"), "{said}");
    assert!(said.contains("keys.former_blinding_secrets"), "{said}");
    fs::write(&config, text).unwrap();
    network.issuer(OTHER).unwrap().start().unwrap();
    network.issuer(OTHER).unwrap().wait_ready().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn all_issuers_get_a_new_blinding_secret_and_no_payment_a_second_receipt() {
    let options = NetworkOptions { issuers: 2, ..NetworkOptions::default() };
    let mut network = TestNetwork::start_as_services(&options).await.unwrap();
    let payments: Vec<GeneratedReceipt> = (1..=4).map(|serial| network.sample("S01", serial).unwrap()).collect();
    let (first, second) = (clients(&network, ISSUER).await.unwrap(), clients(&network, OTHER).await.unwrap());
    sealed(&first, &payments[0]).await;
    sealed(&second, &payments[1]).await;

    let other = network.layout().issuer(OTHER).join("keys");
    let next = config_of_the_second_epoch(&network, ISSUER);
    let mut operator = Operator::of_issuer(&mut network, ISSUER);
    let printed = operator.follow(KEYS, "The next blinding secret").await.unwrap();
    let action = printed_action(&printed, "[[actions]]\n[actions.register_blinding]");

    // Restarted too early, it waits for the ledger.
    let config = network.layout().issuer_config(ISSUER);
    let kept = fs::read(&config).unwrap();
    fs::copy(&next, &config).unwrap();
    assert!(network.issuer(ISSUER).unwrap().terminate().await.unwrap().success());
    network.issuer(ISSUER).unwrap().start().unwrap();
    says_not_ready(&network, "the blinding secret of epoch 2").await;
    let early = clients(&network, ISSUER).await.unwrap();
    let refusal = call(&early, &payments[2]).await.unwrap_err();
    assert_eq!(refusal.reason.as_str(), "NOT_READY", "{refusal}");
    governed(&Desk::new(&network, "office"), &action).await;
    network.issuer(ISSUER).unwrap().wait_ready().await.unwrap();
    fs::write(&config, kept).unwrap();
    Operator::of_issuer(&mut network, ISSUER).follow(KEYS, "Using the next blinding secret").await.unwrap();

    // One issuer ahead, one behind: what either has receipted, the other cannot.
    let (first, second) = (clients(&network, ISSUER).await.unwrap(), clients(&network, OTHER).await.unwrap());
    let ahead = sealed(&first, &payments[2]).await;
    let keys = record(&ahead).uniqueness_keys;
    assert!(!keys.is_empty() && [1, 2].iter().all(|epoch| keys.iter().any(|key| key.epoch == *epoch)), "{keys:?}");
    refused_by_the_ledger(&second, &again(&payments[2], "behind")).await;
    refused_by_the_ledger(&first, &again(&payments[1], "ahead")).await;
    let refusal = call(&first, &again(&payments[0], "here")).await.unwrap_err();
    assert_eq!(refusal.reason.as_str(), Reason::PaymentReceipted.as_str(), "{refusal}");

    another_secret_is_refused(&mut network, &other).await;
    carry(&mut network).await;
    Operator::of_issuer(&mut network, OTHER).follow(KEYS, "Using the next blinding secret").await.unwrap();
    let second = clients(&network, OTHER).await.unwrap();
    refused_by_the_ledger(&second, &again(&payments[0], "later")).await;
    let last = sealed(&second, &payments[3]).await;
    assert_eq!(record(&last).key_epoch, 2);
    a_former_secret_left_out_is_refused(&mut network).await;
    network.wait_equal_tips().await.unwrap();
    network.audit(1).await.unwrap();
    let allowed = after_kills(AllowList::lifecycle())
        .and("issuer-", &["ALARM: the ledger refused an acknowledged receipt", "PAYMENT_RECEIPTED"])
        .and("issuer-1", &["ALARM: nothing is issued until this issuer holds the ledger's blinding secrets"]);
    network.finish(&allowed).await.unwrap();
}

/// An issuer at the registered epoch finds another fingerprint on the ledger than its secret's.
async fn the_mistake_shows(network: &mut TestNetwork, next: &Path) {
    let config = network.layout().issuer_config(ISSUER);
    let kept = fs::read(&config).unwrap();
    fs::copy(next, &config).unwrap();
    assert!(network.issuer(ISSUER).unwrap().terminate().await.unwrap().success());
    let (code, said) = network.run_issuer_command(ISSUER, "run", &[]).await.unwrap();
    assert_eq!(code, USAGE, "{said}");
    for part in ["it is not the blinding secret of epoch 2", "have the epoch withdrawn"] {
        assert!(said.contains(part), "{said}");
    }
    fs::write(&config, kept).unwrap();
    network.issuer(ISSUER).unwrap().start().unwrap();
    network.issuer(ISSUER).unwrap().wait_ready().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_epoch_registered_by_mistake_is_withdrawn_as_the_page_has_it() {
    let mut network = TestNetwork::start_as_services(&NetworkOptions::default()).await.unwrap();
    let payments: Vec<GeneratedReceipt> = (1..=2).map(|serial| network.sample("S01", serial).unwrap()).collect();
    let mut acked = vec![sealed(&clients(&network, ISSUER).await.unwrap(), &payments[0]).await];
    let next = config_of_the_second_epoch(&network, ISSUER);
    let printed = Operator::of_issuer(&mut network, ISSUER).follow(KEYS, "The next blinding secret").await.unwrap();
    let action = printed_action(&printed, "[[actions]]\n[actions.register_blinding]");
    let (before, fingerprint) = action.split_once("fingerprint = \"").unwrap();
    let mistyped = if fingerprint.starts_with('a') { "b" } else { "a" };
    let mistyped = format!("{before}fingerprint = \"{mistyped}{}", &fingerprint[1..]);
    governed(&Desk::new(&network, "office"), &mistyped).await;
    the_mistake_shows(&mut network, &next).await;

    let [withdrawal, third] = &blocks("Withdrawing a blinding epoch")[..] else { panic!("two blocks") };
    let said = governed(&Desk::new(&network, "office"), withdrawal).await;
    assert!(said.contains("WHAT THE WITHDRAWAL OF BLINDING EPOCH 2 MEANS"), "{said}");
    next_config(&network, ISSUER, third);
    let printed = Operator::of_issuer(&mut network, ISSUER).follow(KEYS, "Withdrawing a blinding epoch").await.unwrap();
    assert!(printed.contains("kept ") && printed.contains("blinding-2.key"), "{printed}");
    let action = printed_action(&printed, "[[actions]]\n[actions.register_blinding]");
    assert!(action.contains("epoch = 3"), "{action}");
    let said = governed(&Desk::new(&network, "office"), &action).await;
    assert!(!said.contains("WARNING"), "{said}");
    Operator::of_issuer(&mut network, ISSUER).follow(KEYS, "Using the next blinding secret").await.unwrap();

    let issuer = clients(&network, ISSUER).await.unwrap();
    let last = sealed(&issuer, &payments[1]).await;
    let (own, keys) = (record(&last).key_epoch, record(&last).uniqueness_keys);
    assert!(own == 3 && !keys.is_empty() && keys.iter().all(|key| [1, 3].contains(&key.epoch)), "{own} {keys:?}");
    let refusal = call(&issuer, &again(&payments[0], "again")).await.unwrap_err();
    assert_eq!(refusal.reason.as_str(), Reason::PaymentReceipted.as_str(), "{refusal}");
    acked.push(last);
    all_sealed_once(&network, ISSUER, &acked).await.unwrap();
    network.wait_equal_tips().await.unwrap();
    network.audit(1).await.unwrap();
    network.finish(&after_kills(AllowList::lifecycle())).await.unwrap();
}

/// The page's command for other files: of a validator, changed by the programs that are on its machine.
async fn a_validators_passphrase_is_changed(network: &mut TestNetwork) {
    let page = commands(KEYS, "Changing a passphrase").unwrap();
    let (make, change) = (&page[0], &page[1]);
    assert!(change.contains("tallystick-issuer change-passphrase"), "{change}");
    let directory = network.layout().node(1);
    let with = |program: &str, files: &str| {
        vec![
            ("tallystick-issuer", program.to_owned()),
            ("/var/lib/tallystick/keys/*.key /var/lib/tallystick/keys/units/*.key", files.to_owned()),
            ("/var/lib/tallystick", directory.display().to_string()),
        ]
    };
    let desk = network.layout().root().join("desk");
    typed(network, &desk, make, &with("", ""), "").await.unwrap();
    // As if the first had been interrupted: a process that is started now would not open all of its keys.
    let first = with("tallystick-authority", "/var/lib/tallystick/keys/consensus.key");
    let said = typed(network, &desk, change, &first, "").await.unwrap();
    assert_eq!((said.matches("changed ").count(), said.matches("kept, ").count()), (1, 0), "{said}");
    let said =
        typed(network, &desk, change, &with("tallystick-node", "/var/lib/tallystick/keys/*.key"), "").await.unwrap();
    assert_eq!((said.matches("changed ").count(), said.matches("kept, ").count()), (2, 1), "{said}");
    let keys = directory.join("keys");
    fs::rename(keys.join("passphrase.new"), keys.join("passphrase")).unwrap();
    let node = network.node(1).unwrap();
    assert!(node.terminate().await.unwrap().success());
    node.start().unwrap();
    node.wait_ready().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn passphrases_are_changed_as_the_page_has_it() {
    let mut network = TestNetwork::start_as_services(&NetworkOptions::default()).await.unwrap();
    let issuer = clients(&network, ISSUER).await.unwrap();
    let first = sealed(&issuer, &network.sample("S01", 1).unwrap()).await;
    let keys = network.layout().issuer(ISSUER).join("keys");
    let files = [&keys, &keys.join("units")].map(|directory| fs::read_dir(directory).unwrap());
    let files = files.into_iter().flatten().map(|entry| entry.unwrap().path());
    let count = files.filter(|path| path.extension() == Some("key".as_ref())).count();
    let said = Operator::of_issuer(&mut network, ISSUER).follow(KEYS, "Changing a passphrase").await.unwrap();
    assert!(count > 3 && said.matches("changed ").count() == count, "{count} key files: {said}");
    let files = || ["passphrase", "passphrase.before"].map(|name| fs::read(keys.join(name)).unwrap());
    let made = files();
    // Typed again after it has ended: before, it made a third passphrase, and the one under which older copies open was overwritten.
    let said = Operator::of_issuer(&mut network, ISSUER).paste(KEYS, "Changing a passphrase").await.unwrap();
    assert!(files() == made && !keys.join("passphrase.new").exists(), "{said}");
    let issuer = clients(&network, ISSUER).await.unwrap();
    let second = sealed(&issuer, &network.sample("S01", 2).unwrap()).await;
    all_sealed_once(&network, ISSUER, &[first, second]).await.unwrap();
    a_validators_passphrase_is_changed(&mut network).await;

    assert!(network.issuer(ISSUER).unwrap().terminate().await.unwrap().success());
    let (now, before) = (keys.join("passphrase"), keys.join("passphrase.before"));
    let new = fs::read(&now).unwrap();
    fs::copy(&before, &now).unwrap();
    let (code, said) = network.run_issuer_command(ISSUER, "run", &[]).await.unwrap();
    assert!(code == USAGE && said.contains("wrong passphrase"), "{said}");
    fs::write(&now, new).unwrap();
    network.issuer(ISSUER).unwrap().start().unwrap();
    network.issuer(ISSUER).unwrap().wait_ready().await.unwrap();
    network.finish(&after_kills(AllowList::lifecycle())).await.unwrap();
}
