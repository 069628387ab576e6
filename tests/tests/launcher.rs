//! `tallystick-devnet up`: it says what has ended of its network, and shares its directory with no second one.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tallystick_devnet::NetworkOptions;
use tallystick_devnet::logs::AllowList;
use tallystick_tests::TestNetwork;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{ChildStdout, Command};
use tokio::time::timeout;

const WAIT_MAX: Duration = Duration::from_secs(120);

async fn wait_for(lines: &mut Lines<BufReader<ChildStdout>>, words: &str) -> String {
    let found = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            if line.contains(words) {
                return line;
            }
        }
        panic!("the output ended without {words:?}");
    };
    timeout(WAIT_MAX, found).await.unwrap_or_else(|_| panic!("{words:?} was not said"))
}

/// The process with this text among its arguments.
fn process_with(argument: &str) -> u32 {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let mut ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let has = |id: &u32| {
        let arguments = std::fs::read(Path::new("/proc").join(id.to_string()).join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&arguments).contains(argument)
    };
    ids.find(has).unwrap()
}

async fn signal(name: &str, id: u32) {
    let sent = Command::new("kill").args([name, &id.to_string()]).status().await.unwrap();
    assert!(sent.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn up_says_what_has_ended_and_shares_its_directory_with_nobody() {
    // Its own processes never start: it holds the turn, and the directory.
    let network = TestNetwork::generate(&NetworkOptions::default()).await.unwrap();
    let directory = network.layout().root().join("up");
    let program = network.binaries().node.with_file_name("tallystick-devnet");
    let up = || {
        let mut command = Command::new(&program);
        command.arg("up").arg("--dir").arg(&directory).stdin(Stdio::null()).kill_on_drop(true);
        command
    };
    let mut first = up().stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(first.stdout.take().unwrap()).lines();
    wait_for(&mut lines, " is up ").await;

    let second = up().output().await.unwrap();
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert_eq!(second.status.code(), Some(1), "{said}");
    assert!(said.contains("runs in") && said.contains("already"), "{said}");
    assert!(!String::from_utf8_lossy(&second.stdout).contains("is up"));

    signal("-KILL", process_with(&directory.join("node-3").display().to_string())).await;
    let told = wait_for(&mut lines, "node-3 ended with").await;
    assert!(told.contains("signal: 9"), "{told}");
    signal("-TERM", first.id().unwrap()).await;
    let output = timeout(WAIT_MAX, first.wait_with_output()).await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("node-3"), "{said}");
    network.finish(&AllowList::none()).await.unwrap();
}
