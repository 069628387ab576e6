//! What does not start, says why: configs that are refused before a file is opened or a port bound, and stores that are not
//! this node's, not this program's, or not whole. Through the real programs: exit code, and a sentence that says what to do.
//!
//! Nothing of the network runs but what the test starts.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
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
        ("validator_id = 2\n", "validator_id = 1\n", "peers[0].validator_id"),
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

    let portal = network.binaries().beside("tallystick-portal").unwrap();
    let rows = [
        ("portal_id ", "portal ", "portal"),
        ("trust_file = \"../trust.txt\"\n", "", "trust_file"),
        ("portal_id  = 1", "portal_id  = \"one\"", "portal_id"),
        ("[listen]", "[limits]\nrequests_max = 0\n[listen]", "limits.requests_max"),
        ("[listen]", "[refresh]\ncache_minutes = 1\n[listen]", "refresh.cache_minutes"),
        ("authority = \"127", "authority = \"https://127", "nodes[0].authority"),
    ];
    let port = network.description().portal.as_ref().unwrap().https.port();
    assert_config_refused(&portal, &network.layout().portal_config(), &rows, port).await;
}

/// `run` of the first validator on a store that will not do; what it says must contain all of these.
async fn assert_not_started(network: &Network, code: i32, expected: &[&str]) {
    for command in ["run", "inspect"] {
        let output = run(&network.binaries().node, command, &network.layout().node_config(1)).await;
        let said = said(&output);
        assert_eq!(output.status.code(), Some(code), "{command}: {said}");
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
    assert_not_started(&network, EXIT_CONFIG, &["`data_dir`", "holds no node store", "tallystick-node init"]).await;
    network.init_node(1).await.unwrap();
    let output = run(&network.binaries().node, "init", &network.layout().node_config(1)).await;
    assert_eq!(output.status.code(), Some(EXIT_CONFIG));
    assert!(said(&output).contains("exists already"), "{}", said(&output));

    // Another chain's genesis beside this chain's store; the name is the same.
    let own = std::fs::read(&genesis).unwrap();
    let elsewhere = scratch::Directory::new();
    let other = Network::generate(elsewhere.path(), &NetworkOptions::default()).unwrap();
    std::fs::copy(other.layout().genesis(), &genesis).unwrap();
    let expected = ["belongs to chain", &network.description().chain_id, &other.description().chain_id, "genesis_file"];
    assert_not_started(&network, EXIT_CONFIG, &expected).await;
    // A torn genesis.
    std::fs::write(&genesis, &own[..own.len() / 2]).unwrap();
    assert_not_started(&network, EXIT_CONFIG, &["`genesis_file`", "genesis.bin", "is not a genesis file"]).await;
    std::fs::write(&genesis, &own).unwrap();

    // Written by a program that is not there yet.
    set_format(&data, 77);
    assert_not_started(&network, EXIT_CONFIG, &["has format 77", "run the newer program"]).await;
    set_format(&data, 1);

    // Torn: a manifest cut in half, and a table file cut to nothing.
    for name in ["MANIFEST-", ".sst"] {
        let victim = files_of(&data, name).pop().unwrap_or_else(|| panic!("the store has no {name}"));
        let bytes = std::fs::read(&victim).unwrap();
        std::fs::write(&victim, &bytes[..bytes.len() / 2]).unwrap();
        assert_not_started(
            &network,
            EXIT_FAILURE,
            &["is damaged", "move `data_dir` aside, run `tallystick-node init`"],
        )
        .await;
        std::fs::write(&victim, &bytes).unwrap();
    }
    // All mended: now it opens.
    let output = run(&network.binaries().node, "inspect", &network.layout().node_config(1)).await;
    assert!(output.status.success(), "{}", said(&output));

    // The guard file: missing, torn, another validator's chain. Without it a validator could sign twice.
    let guard = directory.join("guard/guard.bin");
    let kept = std::fs::read(&guard).unwrap();
    std::fs::write(&guard, &kept[..20]).unwrap();
    assert_not_started(&network, EXIT_CONFIG, &["`guard_file`", "guard.bin", "make no other one"]).await;
    std::fs::remove_file(&guard).unwrap();
    assert_not_started(&network, EXIT_CONFIG, &["`guard_file`", "guard.bin"]).await;
    std::fs::write(&guard, &kept).unwrap();
}

/// What is done to a file that a config names.
enum Wrong {
    Missing,
    ForAll,
    Other(Vec<u8>),
}

/// `run` says the key and ends with the code that no service manager answers with a restart; then the file is put back.
async fn assert_key_named(program: &Path, config: &Path, key: &str, wrong: Wrong) {
    let text = std::fs::read_to_string(config).unwrap().parse::<toml::Table>().unwrap();
    let value = key.split('.').fold(toml::Value::Table(text), |table, name| table[name].clone());
    let path = config.parent().unwrap().join(value.as_str().unwrap());
    let (kept, mode) = (std::fs::read(&path).unwrap(), std::fs::metadata(&path).unwrap().permissions());
    match &wrong {
        Wrong::Missing => std::fs::remove_file(&path).unwrap(),
        Wrong::ForAll => std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap(),
        Wrong::Other(bytes) => std::fs::write(&path, bytes).unwrap(),
    }
    let output = run(program, "run", config).await;
    let said = said(&output);
    assert_eq!(output.status.code(), Some(EXIT_CONFIG), "{key}: {said}");
    assert!(said.contains(&format!("config key `{key}`")), "{key}: {said}");
    std::fs::write(&path, kept).unwrap();
    std::fs::set_permissions(&path, mode).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_will_not_do_is_named_by_its_key() {
    let network = generated().await;
    network.init().await.unwrap();
    let elsewhere = scratch::Directory::new();
    let other = Network::generate(elsewhere.path(), &NetworkOptions::default()).unwrap();
    let read = |path: PathBuf| Wrong::Other(std::fs::read(path).unwrap());
    let node = network.layout().node_config(1);
    for (key, wrong) in [
        ("genesis_file", Wrong::Missing),
        ("keys.passphrase_file", Wrong::Missing),
        ("keys.passphrase_file", Wrong::ForAll),
        ("keys.consensus", Wrong::Missing),
        ("keys.log", Wrong::ForAll),
        ("keys.cosigner", Wrong::Other(b"no key".to_vec())),
        ("tls.private_key", Wrong::ForAll),
        ("tls.private_key", read(other.layout().node(1).join("tls/node.key"))),
        ("tls.certificate_chain", Wrong::Missing),
        ("tls.certificate_chain", Wrong::Other(Vec::new())),
        ("tls.authorities", Wrong::Other(b"no PEM".to_vec())),
    ] {
        assert_key_named(&network.binaries().node, &node, key, wrong).await;
    }
    let issuer = network.layout().issuer_config(1);
    // Of the right chain, and changed on its way: one authority would be enough.
    let weaker = std::fs::read_to_string(network.layout().trust()).unwrap();
    let weaker = weaker.replace("authority-threshold 2", "authority-threshold 1");
    for (key, wrong) in [
        ("genesis_file", Wrong::Missing),
        ("trust_file", Wrong::Missing),
        ("trust_file", read(other.layout().trust())),
        ("trust_file", Wrong::Other(weaker.into_bytes())),
        ("keys.passphrase_file", Wrong::Missing),
        ("keys.master_key_file", Wrong::Missing),
        ("keys.blinding_secret_file", Wrong::ForAll),
        ("keys.issuer_key_file", Wrong::Other(b"no key".to_vec())),
        ("tls.private_key", Wrong::ForAll),
        ("tls.private_key", read(other.layout().issuer(1).join("tls/issuer.key"))),
        ("tls.certificate_chain", Wrong::Missing),
    ] {
        assert_key_named(&network.binaries().issuer, &issuer, key, wrong).await;
    }
    // A wrong passphrase is told of the first key that it does not open.
    for (program, config, passphrase, key) in [
        (&network.binaries().node, &node, network.layout().node(1).join("keys/passphrase"), "keys.consensus"),
        (
            &network.binaries().issuer,
            &issuer,
            network.layout().issuer(1).join("keys/passphrase"),
            "keys.issuer_key_file",
        ),
    ] {
        let kept = std::fs::read(&passphrase).unwrap();
        std::fs::write(&passphrase, "another\n").unwrap();
        let output = run(program, "run", config).await;
        let said = said(&output);
        assert_eq!(output.status.code(), Some(EXIT_CONFIG), "{said}");
        assert!(said.contains(&format!("config key `{key}`")) && said.contains("wrong passphrase"), "{said}");
        std::fs::write(&passphrase, kept).unwrap();
    }
}

/// The config of a portal that has all it needs: a page, and of each certificate a copy of its own, so that its key is known by it.
fn portal_config(network: &TestNetwork) -> PathBuf {
    let (config, folder) = (network.layout().portal_config(), network.layout().portal());
    let own = network.layout().client("portal");
    for (from, name) in
        [(&own.cert, "public.pem"), (&own.key, "public.key"), (&own.cert, "own.pem"), (&own.key, "own.key")]
    {
        std::fs::copy(from, folder.join(name)).unwrap();
    }
    let html = b"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'\">";
    std::fs::create_dir_all(folder.join("page/hosted")).unwrap();
    std::fs::write(folder.join("page/hosted/index.html"), html).unwrap();
    let sums = format!("{}  hosted/index.html\n", receipt_core::hash::sha256(&[html]));
    std::fs::write(folder.join("page/SHA256SUMS"), sums).unwrap();
    std::fs::write(folder.join("source.secret"), [7; 32]).unwrap();
    std::fs::set_permissions(folder.join("source.secret"), std::fs::Permissions::from_mode(0o600)).unwrap();
    let text = std::fs::read_to_string(&config)
        .unwrap()
        .replace("page_dir ", "source_secret_file = \"source.secret\"\npage_dir ");
    let (before, towards_nodes) = text.split_once("[tls]").unwrap();
    let [before, towards_nodes] = [(before, "public"), (towards_nodes, "own")].map(|(text, name)| {
        text.replace("../clients/portal.pem", &format!("{name}.pem"))
            .replace("../clients/portal.key", &format!("{name}.key"))
    });
    std::fs::write(&config, format!("{before}[tls]{towards_nodes}")).unwrap();
    config
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_a_portal_that_will_not_do_is_named_by_its_key() {
    let network = generated().await;
    let portal = network.binaries().beside("tallystick-portal").unwrap();
    let config = portal_config(&network);
    for (key, wrong) in [
        ("trust_file", Wrong::Missing),
        ("trust_file", Wrong::Other(b"no trust file".to_vec())),
        ("source_secret_file", Wrong::Missing),
        ("source_secret_file", Wrong::ForAll),
        ("source_secret_file", Wrong::Other(b"short".to_vec())),
        ("public_tls.certificate_chain", Wrong::Missing),
        ("public_tls.certificate_chain", Wrong::Other(b"no PEM".to_vec())),
        ("public_tls.private_key", Wrong::ForAll),
        ("tls.certificate_chain", Wrong::Missing),
        ("tls.private_key", Wrong::ForAll),
        ("tls.authorities", Wrong::Other(b"no PEM".to_vec())),
    ] {
        assert_key_named(&portal, &config, key, wrong).await;
    }
    // The page is a folder: not there; not what its list says.
    let folder = network.layout().page();
    let index = folder.join("hosted/index.html");
    let html = std::fs::read(&index).unwrap();
    for wrong in [Wrong::Missing, Wrong::Other(b"changed".to_vec())] {
        match wrong {
            Wrong::Other(bytes) => std::fs::write(&index, bytes).unwrap(),
            _ => std::fs::rename(&folder, folder.with_extension("away")).unwrap(),
        }
        let output = run(&portal, "run", &config).await;
        assert_eq!(output.status.code(), Some(EXIT_CONFIG), "{}", said(&output));
        assert!(said(&output).contains("config key `page_dir`"), "{}", said(&output));
        let _ = std::fs::rename(folder.with_extension("away"), &folder);
        std::fs::write(&index, &html).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_program_has_the_one_table_of_exit_codes() {
    let network = generated().await;
    let manifest = std::fs::read_to_string(tallystick_tests::pages::page("Cargo.toml")).unwrap();
    let members = manifest.split("members = [").nth(1).unwrap().split(']').next().unwrap();
    // Whatever has a `main` is a program, and is called as its crate is.
    let crates = members
        .split('"')
        .skip(1)
        .step_by(2)
        .filter(|folder| tallystick_tests::pages::page(folder).join("src/main.rs").is_file());
    let crates: Vec<&str> = crates.collect();
    assert_eq!(crates, ["node", "issuer", "verifier", "page", "portal", "authority", "devnet", "bench"]);
    for name in crates {
        let program = &network.binaries().beside(&format!("tallystick-{name}")).unwrap();
        let help = Command::new(program).arg("--help").output().await.unwrap();
        let help = String::from_utf8(help.stdout).unwrap();
        assert!(help.contains(tallystick_service::exit::EXIT_CODES), "{}: {help}", program.display());
        let wrong = Command::new(program).args(["no-such-command", "\u{1b}[2J"]).output().await.unwrap();
        assert_eq!(wrong.status.code(), Some(EXIT_CONFIG), "{}", program.display());
        assert!(!wrong.stderr.contains(&0x1b), "{}: {}", program.display(), said(&wrong));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_open_elsewhere_is_not_called_damaged() {
    let mut network = generated().await;
    network.init_node(1).await.unwrap();
    network.node(1).unwrap().start().unwrap();
    wait_listening(&network).await;
    let config = network.layout().node_config(1);
    for (command, expected) in [("run", "another process has it open"), ("inspect", "the node runs; stop it first")] {
        let output = run(&network.binaries().node, command, &config).await;
        assert_eq!(output.status.code(), Some(EXIT_FAILURE), "{command}: {}", said(&output));
        assert!(said(&output).contains(expected) && !said(&output).contains("damaged"), "{command}: {}", said(&output));
    }
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
