//! Consensus logs that are damaged or gone, under load: the guard's votes carry on alone. One validator, two of four at one
//! height, all four. What is damaged goes aside, at the start or by `repair`, and is named; the chain goes on, with one history.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tallystick_devnet::NetworkOptions;
use tallystick_devnet::logs::AllowList;
use tallystick_tests::checkpoints::CheckpointWatch;
use tallystick_tests::judgement::all_sealed_once;
use tallystick_tests::load::Load;
use tallystick_tests::{TestNetwork, after_kills};

const RECEIPTS: usize = 60;
const HEIGHTS_WITH_THEIR_VOTES: u64 = 5;
const ALL: [u32; 4] = [1, 2, 3, 4];
/// What a file system may leave at the end of a file after a power cut.
const ZEROS: [u8; 300] = [0; 300];
/// Longer than the first rounds without a quorum take: whoever runs has voted in them.
const ROUNDS: Duration = Duration::from_secs(4);

fn log(network: &TestNetwork, validator_id: u32) -> PathBuf {
    network.layout().node(validator_id).join("wal").join("consensus.wal")
}

fn aside(network: &TestNetwork, validator_id: u32) -> PathBuf {
    log(network, validator_id).with_file_name("consensus.wal.damaged-1")
}

/// Runs a command of the node's program: whether it succeeded, and what it said.
async fn run(network: &TestNetwork, validator_id: u32, command: &str) -> (bool, String) {
    let config = network.layout().node_config(validator_id);
    let mut program = tokio::process::Command::new(&network.binaries().node);
    let output = program.arg(command).arg("--config").arg(config).stdin(Stdio::null()).output().await.unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

/// What follows `name` in the answer of `repair`.
fn line<'a>(answer: &'a str, name: &str) -> &'a str {
    let line = answer.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap_or_else(|| panic!("no {name} in:\n{answer}")).trim()
}

async fn kill(network: &mut TestNetwork, validator_ids: &[u32]) {
    for id in validator_ids {
        network.node(*id).unwrap().kill().await.unwrap();
    }
}

async fn start(network: &mut TestNetwork, validator_ids: &[u32]) {
    for id in validator_ids {
        network.node(*id).unwrap().start().unwrap();
    }
    for id in validator_ids {
        network.node(*id).unwrap().wait_ready().await.unwrap();
    }
}

/// Damages the log of a stopped validator; its bytes.
fn damage(network: &TestNetwork, validator_id: u32) -> Vec<u8> {
    let path = log(network, validator_id);
    OpenOptions::new().append(true).open(&path).unwrap().write_all(&ZEROS).unwrap();
    fs::read(&path).unwrap()
}

/// The validator has started by itself: the damaged log is aside, whole, and the line that says so.
fn assert_aside(network: &TestNetwork, validator_id: u32, damaged: &[u8]) {
    assert_eq!(fs::read(aside(network, validator_id)).unwrap(), damaged, "nothing is deleted");
    let said = fs::read_to_string(network.layout().log(&format!("node-{validator_id}"))).unwrap();
    assert!(said.contains("the engine's log is set aside") && said.contains("it is damaged: "), "{said}");
}

/// All that was acknowledged is sealed once, all validators agree, and every checkpoint is of one history.
async fn judge(network: TestNetwork, load: Load, checkpoints: CheckpointWatch, allowed: AllowList) {
    let acked = load.stop().await.unwrap();
    all_sealed_once(&network, 1, &acked).await.unwrap();
    let tip = network.wait_equal_tips().await.unwrap();
    let seen = checkpoints.check(&network).await.unwrap();
    println!("{} receipts sealed once, {seen} checkpoints, height {}", acked.len(), tip.sealed_height);
    for id in ALL {
        network.audit(id).await.unwrap();
    }
    network.finish(&after_kills(allowed)).await.unwrap();
}

/// Also what a node says of a damaged log.
fn after_damage() -> AllowList {
    AllowList::lifecycle().and("node-", &["the engine's log is set aside", "it is damaged"])
}

#[tokio::test(flavor = "multi_thread")]
async fn repair_moves_a_damaged_log_aside_and_the_validator_votes_on() {
    const REPAIRED: u32 = 2;
    const DEAD: u32 = 4;
    let mut network = TestNetwork::start(&NetworkOptions::default()).await.unwrap();
    let checkpoints = CheckpointWatch::start(&network).unwrap();
    let mut load = Load::start(&network, 1, 1).await.unwrap();
    load.wait_more(RECEIPTS).await.unwrap();

    let (repaired, answer) = run(&network, REPAIRED, "repair").await;
    assert!(!repaired && answer.contains("another process has it open"), "a running node is not repaired: {answer}");
    kill(&mut network, &[REPAIRED]).await;
    let (repaired, answer) = run(&network, REPAIRED, "repair").await;
    assert!(repaired && line(&answer, "consensus log").starts_with("sound: "), "{answer}");
    assert!(log(&network, REPAIRED).exists(), "what is sound stays");
    let damaged = damage(&network, REPAIRED);
    let (repaired, answer) = run(&network, REPAIRED, "repair").await;
    assert!(repaired && line(&answer, "consensus log").starts_with("cannot be used: it is damaged"), "{answer}");
    assert!(line(&answer, "moved").ends_with("consensus.wal.damaged-1"), "{answer}");
    assert!(line(&answer, "guard").starts_with("voted at height "), "{answer}");
    assert_eq!(fs::read(aside(&network, REPAIRED)).unwrap(), damaged, "nothing is deleted");
    let (repaired, answer) = run(&network, REPAIRED, "repair").await;
    assert!(repaired && line(&answer, "consensus log").starts_with("there is none"), "{answer}");
    start(&mut network, &[REPAIRED]).await;

    // From now on the quorum needs the validator that was repaired.
    kill(&mut network, &[DEAD]).await;
    network.wait_more_heights(&[1, REPAIRED, 3], HEIGHTS_WITH_THEIR_VOTES).await.unwrap();
    start(&mut network, &[DEAD]).await;
    judge(network, load, checkpoints, after_damage()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_damaged_logs_at_one_height_go_aside_by_themselves() {
    const STANDING: [u32; 2] = [2, 4];
    const REPAIRED: [u32; 2] = [1, 3];
    let mut network = TestNetwork::start(&NetworkOptions::default()).await.unwrap();
    let checkpoints = CheckpointWatch::start(&network).unwrap();
    let mut load = Load::start(&network, 1, 2).await.unwrap();
    load.wait_more(RECEIPTS).await.unwrap();

    // The two that run on cannot decide alone: they come to vote at one height.
    for id in STANDING {
        network.node(id).unwrap().pause().unwrap();
    }
    tokio::time::sleep(ROUNDS).await;
    kill(&mut network, &REPAIRED).await;
    let (mut guards, mut logs) = (Vec::new(), Vec::new());
    for id in REPAIRED {
        let (looked, answer) = run(&network, id, "repair").await;
        assert!(looked, "{answer}");
        let decided: u64 = line(&answer, "decided        height").parse().unwrap();
        let guard = line(&answer, "guard          voted at height").to_owned();
        let voted: u64 = guard.split([' ', ',']).next().unwrap().parse().unwrap();
        assert_eq!(voted, decided + 1, "undecided: {answer}");
        assert!(line(&answer, "next").contains("repeats what the guard remembers"), "{answer}");
        println!("node-{id}: {guard}");
        guards.push(voted);
        logs.push(damage(&network, id));
    }
    assert_eq!(guards[0], guards[1], "both voted at one height");
    for id in STANDING {
        network.node(id).unwrap().resume().unwrap();
    }
    start(&mut network, &REPAIRED).await;
    network.wait_more_heights(&ALL, HEIGHTS_WITH_THEIR_VOTES).await.unwrap();
    for (id, damaged) in REPAIRED.into_iter().zip(&logs) {
        assert_aside(&network, id, damaged);
    }
    judge(network, load, checkpoints, after_damage()).await;
}

/// Killed in the midst of deciding, at once, and their logs are gone: nothing needs repair.
#[tokio::test(flavor = "multi_thread")]
async fn lost_logs_of_two_and_of_all_do_not_stop_the_chain() {
    const LOST: [&[u32]; 5] = [&[1, 2], &[3, 4], &ALL, &[1, 4], &ALL];
    let mut network = TestNetwork::start(&NetworkOptions::default()).await.unwrap();
    let checkpoints = CheckpointWatch::start(&network).unwrap();
    let mut load = Load::start(&network, 1, 3).await.unwrap();
    for lost in LOST {
        load.wait_more(RECEIPTS).await.unwrap();
        kill(&mut network, lost).await;
        for id in lost {
            fs::remove_file(log(&network, *id)).unwrap();
            let (looked, answer) = run(&network, *id, "repair").await;
            assert!(looked, "{answer}");
            println!("node-{id}: {}", line(&answer, "guard"));
        }
        start(&mut network, lost).await;
        network.wait_more_heights(&ALL, HEIGHTS_WITH_THEIR_VOTES).await.unwrap();
    }
    judge(network, load, checkpoints, AllowList::lifecycle()).await;
}

/// The logs of two go back in time while the guards do not: they are older than what was signed at the same height.
#[tokio::test(flavor = "multi_thread")]
async fn logs_older_than_the_guard_end_in_no_loop() {
    const STANDING: [u32; 2] = [1, 3];
    const RESTORED: [u32; 2] = [2, 4];
    let mut network = TestNetwork::start(&NetworkOptions::default()).await.unwrap();
    let checkpoints = CheckpointWatch::start(&network).unwrap();
    let mut load = Load::start(&network, 1, 4).await.unwrap();
    load.wait_more(RECEIPTS).await.unwrap();
    for id in STANDING {
        network.node(id).unwrap().pause().unwrap();
    }
    // A copy of a height's beginning, put back later in the same height, twice.
    tokio::time::sleep(ROUNDS).await;
    for id in RESTORED {
        let copy = fs::read(log(&network, id)).unwrap();
        fs::write(log(&network, id).with_file_name("copy"), &copy[..copy.len().min(12)]).unwrap();
    }
    for _ in 0..2 {
        kill(&mut network, &RESTORED).await;
        for id in RESTORED {
            fs::copy(log(&network, id).with_file_name("copy"), log(&network, id)).unwrap();
            // Not ready: it does not reach a quorum.
            network.node(id).unwrap().start().unwrap();
        }
        tokio::time::sleep(ROUNDS).await;
    }
    for id in STANDING {
        network.node(id).unwrap().resume().unwrap();
    }
    for id in RESTORED {
        network.node(id).unwrap().wait_ready().await.unwrap();
    }
    network.wait_more_heights(&ALL, HEIGHTS_WITH_THEIR_VOTES).await.unwrap();
    judge(network, load, checkpoints, AllowList::lifecycle()).await;
}
