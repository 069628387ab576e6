//! One of four validators double-signs every vote and every proposal and forges the others' blocks, and an honest one dies and
//! comes back: nothing forks, nothing acknowledged is lost, and the others have the proof. `make test-byzantine` builds that
//! validator, as a program of its own.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod clocks;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tallystick_devnet::NetworkOptions;
use tallystick_devnet::logs::AllowList;
use tallystick_tests::checkpoints::CheckpointWatch;
use tallystick_tests::judgement::all_sealed_once;
use tallystick_tests::load::Load;
use tallystick_tests::{TestNetwork, after_kills};

const BYZANTINE: u32 = 4;
const HONEST: [u32; 3] = [1, 2, 3];
const KILLED: u32 = 2;
const DOWN: Duration = Duration::from_secs(1);
const HEIGHTS: u64 = 12;
const RECEIPTS: usize = 60;
const EVIDENCE: &str = "a validator signed two conflicting statements";

/// A node's files of evidence: each proves, to whoever has genesis, that the misbehaving validator signed twice.
fn convicted(network: &TestNetwork, id: u32) {
    let folder = network.layout().node(id).join("evidence");
    let files: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    let kinds: BTreeSet<_> =
        files.iter().filter_map(|file| file.to_str()?.rsplit('-').next().map(str::to_owned)).collect();
    assert!(kinds.contains("prevote.txt"), "node-{id} has {files:?}");
    // Four of each kind: whoever contradicts itself at every height does not fill the disk.
    assert!(files.len() <= 12, "node-{id} has {files:?}");
    for file in &files {
        let inspect = |file: &Path| {
            let config = network.layout().node_config(id);
            let mut command = Command::new(&network.binaries().node);
            command.arg("inspect").arg("--config").arg(config).arg("--evidence").arg(file).output().unwrap()
        };
        let output = inspect(file);
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("PROVED"), "{}: {output:?}", file.display());
        assert!(said.contains(&format!("validator {BYZANTINE} ")), "{said}");
        // Another's signature in its place proves nothing.
        let forged = folder.join("forged");
        let text = fs::read_to_string(file).unwrap();
        let signature = text.trim_end().rsplit(' ').next().unwrap();
        fs::write(&forged, text.replace(signature, &"0".repeat(128))).unwrap();
        let output = inspect(&forged);
        assert!(!output.status.success() && !String::from_utf8_lossy(&output.stdout).contains("PROVED"), "{output:?}");
        fs::remove_file(&forged).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_equivocating_validator_forks_nothing() {
    let mut network = TestNetwork::generate(&NetworkOptions::default()).await.unwrap();
    network.init().await.unwrap();
    let program = network.binaries().node.with_file_name("tallystick-node-byzantine");
    network.node(BYZANTINE).unwrap().spec_mut().program = program;
    network.start().await.unwrap();
    let checkpoints = CheckpointWatch::start(&network).unwrap();
    let mut load = Load::start(&network, 1, 1).await.unwrap();
    load.wait_more(RECEIPTS).await.unwrap();
    network.wait_more_heights(&HONEST, HEIGHTS).await.unwrap();

    // Two honest ones are no quorum: while the third is away, blocks may or may not come, and none may be a fork.
    network.node(KILLED).unwrap().kill().await.unwrap();
    tokio::time::sleep(DOWN).await;
    network.node(KILLED).unwrap().start().unwrap();
    network.node(KILLED).unwrap().wait_ready().await.unwrap();
    load.wait_more(RECEIPTS).await.unwrap();
    network.wait_more_heights(&HONEST, HEIGHTS).await.unwrap();

    let acked = load.stop().await.unwrap();
    all_sealed_once(&network, 1, &acked).await.unwrap();
    let tip = network.wait_equal_tips().await.unwrap();
    let seen = checkpoints.check(&network).await.unwrap();
    println!("{} receipts sealed once, {seen} checkpoints, height {}", acked.len(), tip.sealed_height);
    for id in HONEST {
        network.audit(id).await.unwrap();
        let log = fs::read_to_string(network.layout().log(&format!("node-{id}"))).unwrap();
        assert!(log.contains(EVIDENCE), "node-{id} has no proof");
        assert!(!log.contains("panicked"), "node-{id} panicked");
        convicted(&network, id);
    }
    let allowed = after_kills(AllowList::lifecycle())
        .and("node-", &["ERROR", EVIDENCE])
        .and("node-", &["arc_malachitebft_core_votekeeper::keeper: Received equivocating vote"])
        .and("node-", &["arc_malachitebft_core_driver::proposal_keeper: Received equivocating proposal"])
        .and("node-", &["arc_malachitebft_engine::consensus: Equivocation evidence observed"])
        .and("node-", &["arc_malachitebft_core_consensus::handle::liveness: "])
        .and("node-", &["a stream of block parts is refused", "a chunk is not what the header names"])
        .and("node-4", &["arc_malachitebft_engine_byzantine::proxy: BYZANTINE: "]);
    network.finish(&allowed).await.unwrap();
}
