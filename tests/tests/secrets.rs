//! An issuer's secrets and what it leaves on a machine: another secret than the journal's is refused by every command, none is made anew,
//! and what the programs make is their owner's alone, whatever the umask of who starts them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use tallystick_devnet::issuing::issue_one;
use tallystick_devnet::logs::AllowList;
use tallystick_devnet::process::http_get;
use tallystick_devnet::{Caller, NetworkOptions};
use tallystick_proto::issuer::v1::Wait;
use tallystick_tests::{TestNetwork, after_kills};

const ISSUER: u32 = 1;
const POLL_INTERVAL: Duration = Duration::from_millis(20);
const WAIT_MAX: Duration = Duration::from_secs(60);
/// Wrong config, or a file that it names.
const USAGE: i32 = 64;

async fn seal_one(network: &TestNetwork, seed: u64) {
    let receipt = network.receipts(seed).unwrap().outpatient().unwrap();
    let client = network.issuer_client(ISSUER, Caller::System(receipt.system_id)).await.unwrap();
    issue_one(client, &receipt, Wait::Sealed).await.unwrap();
}

/// The command ends with 64, and says all of it.
async fn refused(network: &TestNetwork, command: &str, more: &[&str], says: &[&str]) {
    let (code, said) = network.run_issuer_command(ISSUER, command, more).await.unwrap();
    assert_eq!(code, USAGE, "{command}: {said}");
    for part in says {
        assert!(said.contains(part), "{command}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_secret_than_the_journals_is_refused_and_none_is_made_anew() {
    let mut network = TestNetwork::start(&NetworkOptions::default()).await.unwrap();
    seal_one(&network, 1).await;
    let root = network.layout().root().to_owned();
    let (backup, bodies) = (root.join("backup"), root.join("bodies"));
    let (backup, bodies) = (backup.to_str().unwrap(), bodies.to_str().unwrap());
    assert!(network.issuer(ISSUER).unwrap().terminate().await.unwrap().success());
    let (code, said) = network.run_issuer_command(ISSUER, "backup", &["--to", backup]).await.unwrap();
    assert_eq!(code, 0, "{said}");
    let keys = network.layout().issuer(ISSUER).join("keys");
    let journal = network.layout().issuer(ISSUER).join("journal");
    let aside = root.join("journal.aside");
    let (master, blinding) = (keys.join("master.key"), keys.join("blinding.key"));
    let kept = [fs::read(&master).unwrap(), fs::read(&blinding).unwrap()];
    for (file, other, key, says) in [
        (&master, &kept[1], "keys.master_key_file", "not the master key of this journal"),
        (&blinding, &kept[0], "keys.blinding_secret_file", "a payment gets a second receipt"),
    ] {
        let own = fs::read(file).unwrap();
        fs::write(file, other).unwrap();
        refused(&network, "run", &[], &[key, says, "fingerprint"]).await;
        refused(&network, "recover", &[], &[key, says]).await;
        if file == &master {
            refused(&network, "export-bodies", &["--out", bodies], &[key, says]).await;
        }
        fs::rename(&journal, &aside).unwrap();
        refused(&network, "restore", &["--from", backup], &[key, says]).await;
        if file == &blinding {
            // On an empty journal, too: genesis names the secret.
            refused(&network, "init", &[], &[key, says]).await;
        }
        assert!(!journal.exists());
        fs::rename(&aside, &journal).unwrap();
        fs::remove_file(file).unwrap();
        for command in ["run", "keygen"] {
            let more: &[&str] = if command == "keygen" { &["--blinding-secret"] } else { &[] };
            refused(&network, command, more, &[key, "is missing", "put its copy back"]).await;
        }
        assert!(!file.exists());
        fs::write(file, own).unwrap();
        fs::set_permissions(file, Permissions::from_mode(0o600)).unwrap();
    }
    let issuer_key = fs::read_dir(&keys).unwrap().map(|entry| entry.unwrap().path());
    let issuer_key = issuer_key.into_iter().find(|path| path.ends_with("issuer.key")).unwrap();
    fs::rename(&issuer_key, root.join("issuer.key")).unwrap();
    refused(&network, "keygen", &[], &["keys.issuer_key_file", "is registered", "put its copy back"]).await;
    fs::rename(root.join("issuer.key"), &issuer_key).unwrap();

    network.issuer(ISSUER).unwrap().start().unwrap();
    network.issuer(ISSUER).unwrap().wait_ready().await.unwrap();
    seal_one(&network, 2).await;
    network.finish(&after_kills(AllowList::lifecycle())).await.unwrap();
}

/// Everything below `path` that its owner's group or others may touch.
fn open_to_others(path: &Path, found: &mut Vec<String>) {
    let mode = fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        found.push(format!("{mode:04o} {}", path.display()));
    }
    if path.is_dir() {
        fs::read_dir(path).unwrap().for_each(|entry| open_to_others(&entry.unwrap().path(), found));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_programs_make_is_their_owners_alone_under_any_umask() {
    let mut network = TestNetwork::start(&NetworkOptions::default()).await.unwrap();
    seal_one(&network, 1).await;
    for pid in [network.issuer(ISSUER).unwrap().pid().unwrap(), network.node(1).unwrap().pid().unwrap()] {
        let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
        let core: Vec<&str> =
            limits.lines().find(|line| line.starts_with("Max core file size")).unwrap().split_whitespace().collect();
        assert_eq!(core[4..6], ["0", "0"], "{limits}");
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        assert!(status.contains("Umask:\t0077"), "{status}");
    }
    assert!(network.issuer(ISSUER).unwrap().terminate().await.unwrap().success());
    assert!(network.node(1).unwrap().terminate().await.unwrap().success());
    let root = network.layout().root().to_owned();
    let (issuer, node) = (network.binaries().issuer.clone(), network.binaries().node.clone());
    let run = |program: &Path, command: &str, config: &Path, more: &[&str]| {
        let script = "umask 000; program=$1; command=$2; config=$3; shift 3; exec \"$program\" \"$command\" --config \"$config\" \"$@\"";
        let mut shell = std::process::Command::new("sh");
        let output =
            shell.args(["-c", script, "sh"]).args([program, Path::new(command), config]).args(more).output().unwrap();
        assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    };
    let (issuer_toml, node_toml) = (network.layout().issuer_config(ISSUER), network.layout().node_config(1));
    let (bodies, backup, export) = (root.join("bodies"), root.join("backup"), root.join("export"));
    run(&issuer, "export-bodies", &issuer_toml, &["--out", bodies.to_str().unwrap()]);
    run(&issuer, "backup", &issuer_toml, &["--to", backup.to_str().unwrap()]);
    run(&node, "export", &node_toml, &["--out", export.to_str().unwrap()]);
    let (journal, data) = (network.layout().issuer(ISSUER).join("journal"), network.layout().node(1).join("data"));
    fs::rename(&journal, root.join("journal.before")).unwrap();
    fs::rename(&data, root.join("data.before")).unwrap();
    // One that was made beforehand, as an administrator makes it.
    fs::create_dir(&journal).unwrap();
    fs::set_permissions(&journal, Permissions::from_mode(0o755)).unwrap();
    run(&issuer, "init", &issuer_toml, &[]);
    run(&node, "init", &node_toml, &[]);
    let mut found = Vec::new();
    for path in [&bodies, &backup, &export, &journal, &data, &root.join("journal.before"), &root.join("data.before")] {
        open_to_others(path, &mut found);
    }
    assert!(found.is_empty(), "{found:#?}");
    for (new, before) in [(&journal, "journal.before"), (&data, "data.before")] {
        fs::remove_dir_all(new).unwrap();
        fs::rename(root.join(before), new).unwrap();
    }
    network.node(1).unwrap().start().unwrap();
    network.node(1).unwrap().wait_ready().await.unwrap();
    // A journal that others may look into is told, by its key, with what to do.
    fs::set_permissions(&journal, Permissions::from_mode(0o755)).unwrap();
    network.issuer(ISSUER).unwrap().start().unwrap();
    network.issuer(ISSUER).unwrap().wait_ready().await.unwrap();
    let log = fs::read_to_string(network.layout().log("issuer-1")).unwrap();
    assert!(log.contains("config key `journal_dir`") && log.contains("chmod 700"), "{log}");
    let allowed =
        after_kills(AllowList::lifecycle()).and("issuer-1", &["other users of this machine may look into it"]);
    network.finish(&allowed).await.unwrap();
}

/// Another user than root, who reads everything; files stay root's, and this user reaches them all the same. Nothing if the test is not
/// root's: then its own user is meant.
fn as_somebody() -> Vec<String> {
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        return Vec::new();
    }
    let caps = "-all,+dac_override,+fowner";
    // Else access(2), by which RocksDB asks, would leave the capability out.
    let other = ["setpriv", "--securebits=+no_setuid_fixup", "--reuid=65534", "--regid=65534", "--clear-groups"]
        .map(str::to_owned);
    let caps = ["inh", "ambient", "bounding"].map(|set| match set {
        "bounding" => format!("--bounding-set={caps}"),
        set => format!("--{set}-caps={caps}"),
    });
    other.into_iter().chain(caps).collect()
}

fn somebodys(program: &str) -> tokio::process::Command {
    let mut words = as_somebody();
    words.push(program.to_owned());
    let mut command = tokio::process::Command::new(&words[0]);
    command.args(&words[1..]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    command
}

/// Whose the files are by which a process's memory is read, and whether another process of its user reads one.
async fn looked_into(pid: u32) -> (u32, bool) {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let user: u32 = status
        .lines()
        .find_map(|line| line.strip_prefix("Uid:"))
        .unwrap()
        .split_whitespace()
        .next()
        .unwrap()
        .parse()
        .unwrap();
    assert_ne!(user, 0, "root reads everything: nothing is shown");
    let owner = fs::metadata(format!("/proc/{pid}/mem")).unwrap().uid();
    let read = somebodys("cat").arg(format!("/proc/{pid}/environ")).status().await.unwrap();
    (owner, read.success())
}

/// The keys are in memory: whoever runs anything else under the service's user must not read them there (ptrace asks the same).
#[tokio::test(flavor = "multi_thread")]
async fn another_process_of_the_same_user_does_not_read_a_programs_memory() {
    let mut network = TestNetwork::start(&NetworkOptions::default()).await.unwrap();
    let mut sleep = somebodys("sleep").arg("1000").spawn().unwrap();
    let pid = sleep.id().unwrap();
    let deadline = Instant::now() + WAIT_MAX;
    let runs = async |pid: u32| {
        while !fs::read_to_string(format!("/proc/{pid}/comm")).unwrap().starts_with("sleep") {
            assert!(Instant::now() < deadline, "it does not run");
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    };
    runs(pid).await;
    let (owner, is_read) = looked_into(pid).await;
    assert!(owner != 0 && is_read, "a process that takes no care is read: the check finds what is there");
    sleep.kill().await.unwrap();

    assert!(network.issuer(ISSUER).unwrap().terminate().await.unwrap().success());
    assert!(network.node(1).unwrap().terminate().await.unwrap().success());
    let (layout, binaries) = (network.layout(), network.binaries());
    for (program, config, metrics) in [
        (&binaries.issuer, layout.issuer_config(ISSUER), network.issuer_addresses(ISSUER).unwrap().metrics),
        (&binaries.node, layout.node_config(1), network.node_addresses(1).unwrap().metrics),
    ] {
        let mut running = somebodys(program.to_str().unwrap()).arg("run").arg("--config").arg(config).spawn().unwrap();
        let deadline = Instant::now() + WAIT_MAX;
        while http_get(metrics, "/livez").await.is_err() {
            assert!(Instant::now() < deadline, "{} does not answer", program.display());
            assert_eq!(running.try_wait().unwrap(), None, "{}", program.display());
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        assert_eq!(looked_into(running.id().unwrap()).await, (0, false), "{}", program.display());
        let kill = format!("kill {}", running.id().unwrap());
        assert!(std::process::Command::new("sh").args(["-c", &kill]).status().unwrap().success());
        assert!(running.wait().await.unwrap().success());
    }
    network.node(1).unwrap().start().unwrap();
    network.issuer(ISSUER).unwrap().start().unwrap();
    network.node(1).unwrap().wait_ready().await.unwrap();
    network.issuer(ISSUER).unwrap().wait_ready().await.unwrap();
    network.finish(&after_kills(AllowList::lifecycle())).await.unwrap();
}
