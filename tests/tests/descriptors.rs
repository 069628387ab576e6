//! A validator whose process may open no more files: it says what is short and what to do, goes on with what it has open, and
//! comes back by itself when it may open files again.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, prlimit};
use tallystick_devnet::issuing::issue_one;
use tallystick_devnet::logs::AllowList;
use tallystick_devnet::{Caller, NetworkOptions};
use tallystick_proto::issuer::v1::Wait;
use tallystick_proto::ledger::v1::GetCheckpointRequest;
use tallystick_tests::{TestNetwork, after_kills};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const SHORT: u32 = 1;
const OTHER: u32 = 2;
/// What a process may open that is started with few files: enough to run.
const FEW_FILES: u64 = 128;
const PATIENCE: Duration = Duration::from_secs(60);
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Sets how many files the process may have open: what it has stays open.
fn bound_files(network: &TestNetwork, files: u64) {
    let (_, pid) = network.process_ids().into_iter().find(|(name, _)| name == "node-1").unwrap();
    let pid = Pid::from_raw(i32::try_from(pid).unwrap());
    prlimit(pid, Resource::Nofile, Rlimit { current: Some(files), maximum: Some(FEW_FILES) }).unwrap();
}

/// A connection to the operations door that stays open: a new one needs a file there.
struct Door(TcpStream);

impl Door {
    async fn get(&mut self, path: &str) -> String {
        self.0.write_all(format!("GET {path} HTTP/1.1\r\nHost: node\r\n\r\n").as_bytes()).await.unwrap();
        let (mut answer, mut piece) = (String::new(), [0; 16 * 1024]);
        loop {
            let read = self.0.read(&mut piece).await.unwrap();
            assert!(read > 0, "closed: {answer}");
            answer.push_str(&String::from_utf8_lossy(&piece[..read]));
            let Some((head, body)) = answer.split_once("\r\n\r\n") else { continue };
            let length =
                head.to_ascii_lowercase().lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(usize::MAX) {
                return answer;
            }
        }
    }

    /// Until readiness says this.
    async fn until(&mut self, what: &str) {
        let looks = async {
            while !self.get("/readyz").await.contains(what) {
                tokio::time::sleep(POLL_INTERVAL).await;
            }
        };
        tokio::time::timeout(PATIENCE, looks).await.unwrap_or_else(|_| panic!("not said: {what}"));
    }
}

/// A hospital issues, and it is sealed.
async fn issue(network: &TestNetwork, number: u64) {
    let receipt = network.sample("S01", number).unwrap();
    let client = network.issuer_client(1, Caller::System(receipt.system_id)).await.unwrap();
    issue_one(client, &receipt, Wait::Sealed).await.unwrap();
}

fn log_lines(network: &TestNetwork, fragment: &str) -> usize {
    let log = std::fs::read_to_string(network.layout().logs().join("node-1.log")).unwrap();
    log.lines().filter(|line| line.contains(fragment)).count()
}

/// Before, the accept loops wrote ten lines a second each, nothing but these said what was short, and the first table that had to be opened
/// ended the node.
#[tokio::test(flavor = "multi_thread")]
async fn a_validator_that_may_open_no_file_says_so_and_comes_back_by_itself() {
    let mut network = TestNetwork::start(&NetworkOptions::default()).await.unwrap();
    for number in 1..=3 {
        issue(&network, number).await;
    }
    // Started again, it has tables, and may have few of them open.
    network.node(SHORT).unwrap().terminate().await.unwrap();
    let spec = network.node(SHORT).unwrap().spec_mut();
    let node = std::mem::replace(&mut spec.program, "/bin/sh".into());
    let script = format!("ulimit -n {FEW_FILES}; exec \"$0\" \"$@\"");
    spec.arguments.splice(0..0, ["-c".to_owned(), script, node.display().to_string()]);
    network.node(SHORT).unwrap().start().unwrap();
    network.node(SHORT).unwrap().wait_ready().await.unwrap();
    network.wait_equal_tips().await.unwrap();

    let metrics = network.node_addresses(SHORT).unwrap().metrics;
    let mut door = Door(TcpStream::connect(metrics).await.unwrap());
    let mut client = network.ledger_client(SHORT, Caller::Auditor).await.unwrap();
    assert!(door.get("/readyz").await.contains("200 OK"));
    client.get_checkpoint(GetCheckpointRequest {}).await.unwrap();
    bound_files(&network, 0);
    // A peer that goes and comes has to be dialled, and dials: both wait.
    network.node(OTHER).unwrap().kill().await.unwrap();
    door.until("cannot open any more files").await;
    network.node(OTHER).unwrap().start().unwrap();
    let _waits = TcpStream::connect(metrics).await.unwrap();
    for number in 4..=8 {
        issue(&network, number).await;
    }
    network.node(OTHER).unwrap().wait_ready().await.unwrap();
    assert!(network.node(SHORT).unwrap().is_running());
    assert!(log_lines(&network, "cannot accept connections") <= 2, "one a minute");

    bound_files(&network, FEW_FILES);
    network.node(SHORT).unwrap().wait_ready().await.unwrap();
    issue(&network, 9).await;
    network.wait_equal_tips().await.unwrap();
    network.audit(SHORT).await.unwrap();
    assert_eq!(log_lines(&network, "this process cannot open any more files"), 1);
    assert_eq!(log_lines(&network, "this process can open files again"), 1);
    let allowed = after_kills(AllowList::lifecycle())
        .and("node-1", &["this process may open few files"])
        .and("node-1", &["cannot open any more files"])
        .and("node-1", &["cannot accept connections", "raise LimitNOFILE"])
        .and("node-1", &["the store cannot be read", "This node waits"])
        .and("node-1", &["TLS files not reloaded", "Too many open files"]);
    network.finish(&allowed).await.unwrap();
}
