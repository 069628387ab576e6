//! What does not start, says why: configs that are refused before a file is opened or a port bound, and stores that are not
//! this node's, not this program's, or not whole. Through the real programs: exit code, and a sentence that says what to do.
//!
//! Nothing of the network runs but what the test starts.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use tallystick_devnet::{Network, NetworkOptions};
use tallystick_tests::TestNetwork;
use tokio::process::Command;

const EXIT_CONFIG: i32 = 64;
const EXIT_FAILURE: i32 = 1;

async fn run(program: &Path, command: &str, config: &Path) -> Output {
    let mut process = Command::new(program);
    process.arg(command).arg("--config").arg(config).stdin(Stdio::null()).kill_on_drop(true);
    process.output().await.unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Writes a changed copy beside a config, where its relative paths mean the same.
fn changed(config: &Path, from: &str, to: &str) -> PathBuf {
    let text = std::fs::read_to_string(config).unwrap();
    assert!(text.contains(from), "{} does not contain {from}", config.display());
    let path = config.with_extension("changed.toml");
    std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
    path
}

async fn generated() -> TestNetwork {
    TestNetwork::generate(&NetworkOptions::default()).await.unwrap()
}

/// The ports stay held by the launcher until the process is started by it, so a program that binds before it has checked its
/// config says "cannot listen" and not what is asked for here.
async fn assert_config_refused(program: &Path, config: &Path, rows: &[(&str, &str, &str)], port: u16) {
    assert!(TcpListener::bind(("127.0.0.1", port)).is_err(), "the port is not held");
    for (from, to, key) in rows {
        let output = run(program, "run", &changed(config, from, to)).await;
        assert_eq!(output.status.code(), Some(EXIT_CONFIG), "{to}: {}", said(&output));
        assert!(said(&output).contains(&format!("`{key}`")), "{to}: {}", said(&output));
        assert_eq!(said(&output).trim_end().lines().count(), 1, "{to}: one sentence: {}", said(&output));
    }
    let output = run(program, "run", &config.with_file_name("nowhere.toml")).await;
    assert_eq!(output.status.code(), Some(EXIT_CONFIG), "{}", said(&output));
    assert!(said(&output).contains("nowhere.toml"), "{}", said(&output));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_config_is_refused_before_a_port_is_bound() {
    let network = generated().await;
    let node = network.node_addresses(1).unwrap();
    let rows = [
        ("validator_id = 1", "validator_id = 1\nvalidator_name = \"one\"", "validator_name"),
        ("data_dir ", "data_directory ", "data_directory"),
        ("wal_dir      = \"wal\"\n", "", "wal_dir"),
        ("validator_id = 1", "validator_id = \"one\"", "validator_id"),
        ("propose_timeout_ms = 1000", "propose_timeout_ms = 0", "consensus.propose_timeout_ms"),
        ("\"guard/guard.bin\"", "\"data/guard.bin\"", "guard_file"),
        ("p2p_public_key = \"", "p2p_public_key = \"xy", "peers[0].p2p_public_key"),
        ("[consensus]", "[log]\nfilter = \"a=b=c\"\n[consensus]", "log.filter"),
        ("[consensus]", "[consensus]\nspeed = 9", "consensus.speed"),
    ];
    let config = network.layout().node_config(1);
    assert_config_refused(&network.binaries().node, &config, &rows, node.grpc.port()).await;
    let port = format!("\"{}\"", node.http);
    let twice = [(port.as_str(), format!("\"{}\"", node.grpc))].map(|(from, to)| changed(&config, from, &to));
    let output = run(&network.binaries().node, "run", &twice[0]).await;
    assert_eq!(output.status.code(), Some(EXIT_CONFIG), "{}", said(&output));
    assert!(said(&output).contains("`listen.http`"), "{}", said(&output));

    let issuer = network.issuer_addresses(1).unwrap();
    let rows = [
        ("issuer_id ", "issuer ", "issuer"),
        ("journal_dir     = \"journal\"\n", "", "journal_dir"),
        ("age_ms = 100", "age_ms = 0", "batch.age_ms"),
        ("age_ms = 100", "age_ms = \"short\"", "batch.age_ms"),
        ("age_ms = 100", "age_ms = 100\nage_s = 1", "batch.age_s"),
    ];
    let config = network.layout().issuer_config(1);
    assert_config_refused(&network.binaries().issuer, &config, &rows, issuer.grpc.port()).await;
}

/// `run` of the first validator on a store that will not do; what it says must contain all of these.
async fn assert_not_started(network: &Network, expected: &[&str]) {
    for command in ["run", "inspect"] {
        let output = run(&network.binaries().node, command, &network.layout().node_config(1)).await;
        let said = said(&output);
        assert_eq!(output.status.code(), Some(EXIT_FAILURE), "{command}: {said}");
        for text in expected {
            assert!(said.contains(text), "{command} does not say {text:?}: {said}");
        }
        assert!(!said.contains("panicked"), "{said}");
    }
}

fn files_of(directory: &Path, name: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.file_name().unwrap().to_string_lossy().contains(name)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_starts_on_no_store_but_its_own_and_whole() {
    let network = generated().await;
    let directory = network.layout().node(1);
    let (data, genesis) = (directory.join("data"), network.layout().genesis());
    assert_not_started(&network, &["data", "holds no node store", "tallystick-node init"]).await;
    network.init_node(1).await.unwrap();
    let output = run(&network.binaries().node, "init", &network.layout().node_config(1)).await;
    assert_eq!(output.status.code(), Some(EXIT_FAILURE));
    assert!(said(&output).contains("exists already"), "{}", said(&output));

    // Another chain's genesis beside this chain's store; the name is the same.
    let own = std::fs::read(&genesis).unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let other = Network::generate(elsewhere.path(), &NetworkOptions::default()).unwrap();
    std::fs::copy(other.layout().genesis(), &genesis).unwrap();
    let expected = ["belongs to chain", &network.description().chain_id, &other.description().chain_id, "genesis_file"];
    assert_not_started(&network, &expected).await;
    // A torn genesis.
    std::fs::write(&genesis, &own[..own.len() / 2]).unwrap();
    assert_not_started(&network, &["genesis.bin", "is not a genesis file"]).await;
    std::fs::write(&genesis, &own).unwrap();

    // Written by a program that is not there yet.
    set_format(&data, 77);
    assert_not_started(&network, &["has format 77", "run the newer program"]).await;
    set_format(&data, 1);

    // Torn: a manifest cut in half, and a table file cut to nothing.
    for name in ["MANIFEST-", ".sst"] {
        let victim = files_of(&data, name).pop().unwrap_or_else(|| panic!("the store has no {name}"));
        let bytes = std::fs::read(&victim).unwrap();
        std::fs::write(&victim, &bytes[..bytes.len() / 2]).unwrap();
        assert_not_started(&network, &["is damaged", "move `data_dir` aside, run `tallystick-node init`"]).await;
        std::fs::write(&victim, &bytes).unwrap();
    }
    // All mended: now it opens.
    let output = run(&network.binaries().node, "inspect", &network.layout().node_config(1)).await;
    assert!(output.status.success(), "{}", said(&output));

    // The guard file: missing, torn, another validator's chain. Without it a validator could sign twice.
    let guard = directory.join("guard/guard.bin");
    let kept = std::fs::read(&guard).unwrap();
    std::fs::write(&guard, &kept[..20]).unwrap();
    assert_not_started(&network, &["guard.bin", "make no other one"]).await;
    std::fs::remove_file(&guard).unwrap();
    assert_not_started(&network, &["guard.bin"]).await;
    std::fs::write(&guard, &kept).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_open_elsewhere_is_not_called_damaged() {
    let mut network = generated().await;
    network.init_node(1).await.unwrap();
    network.node(1).unwrap().start().unwrap();
    wait_listening(&network).await;
    assert_not_started(&network, &["can not be opened", "another process has it open"]).await;
    assert!(network.node(1).unwrap().terminate().await.unwrap().success());
}

/// A validator alone is never ready; its door answers all the same.
async fn wait_listening(network: &Network) {
    let address = network.node_addresses(1).unwrap().metrics;
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while tallystick_devnet::process::http_get(address, "/livez").await.is_err() {
        assert!(std::time::Instant::now() < deadline, "node-1 does not answer");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

/// Overwrites the store's format mark, and writes all of it into table files.
fn set_format(data: &Path, format: u32) {
    let names = rocksdb::DB::list_cf(&rocksdb::Options::default(), data).unwrap();
    let database = rocksdb::DB::open_cf(&rocksdb::Options::default(), data, names).unwrap();
    let family = database.cf_handle("node").unwrap();
    database.put_cf(family, b"format", format.to_be_bytes()).unwrap();
    database.flush_cf(family).unwrap();
}
