//! A validator is away for a thousand blocks: its turns as proposer do not cost the others a time-out each, and when it comes
//! back it fetches what it lacks while the ledger goes on, and votes again.
//!
//! Blocks are made only with work, and every batch that waits goes into the next one. So the test plays the issuer: one
//! record, one batch, one block at a time.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};

use tallystick_devnet::clients::LedgerClient;
use tallystick_devnet::logs::AllowList;
use tallystick_devnet::process::http_get;
use tallystick_devnet::{Caller, NetworkOptions};
use tallystick_proto::ledger::v1::SubmitOutcome;
use tallystick_tests::checkpoints::CheckpointWatch;
use tallystick_tests::forge::Forge;
use tallystick_tests::{TestNetwork, after_kills};

const AWAY: u32 = 2;
/// Dies afterwards: from then on the quorum needs the validator that was away.
const DEAD: u32 = 4;
const BLOCKS: u64 = 1_000;
/// Under which it catches up.
const BLOCKS_MEANWHILE: u64 = 60;
const BLOCKS_WITH_ITS_VOTE: u64 = 10;
/// How far behind its peers a validator may become ready.
const READY_BEHIND_MAX: u64 = 8;
const BLOCK_TIMEOUT: Duration = Duration::from_secs(30);
const POLL_INTERVAL: Duration = Duration::from_millis(5);
/// Of a thousand blocks one proposer in four is away. It is skipped for 32, then for 64 of its turns after each that it missed,
/// so it is waited for five times; the rest is for turns that a busy machine misses. Not skipped, it would be 250.
const FURTHER_ROUNDS_MAX: u64 = 25;

/// The issuer's side of the ledger, one batch at a time.
struct Feeder {
    forge: Forge,
    ledger: LedgerClient,
    sequence: u64,
}

impl Feeder {
    /// So many blocks with one record each; the height of the last.
    async fn blocks(&mut self, count: u64) -> u64 {
        let mut height = 0;
        for _ in 0..count {
            let leaves = self.forge.leaves(1).unwrap();
            let batch = self.forge.batch(self.sequence, &leaves).unwrap();
            let deadline = Instant::now() + BLOCK_TIMEOUT;
            height = loop {
                let answer = self.ledger.submit_batch(batch.clone()).await.unwrap().into_inner();
                match answer.outcome() {
                    SubmitOutcome::Included => break answer.block_height,
                    SubmitOutcome::Pooled => {
                        assert!(Instant::now() < deadline, "batch {} is not decided", self.sequence);
                        tokio::time::sleep(POLL_INTERVAL).await;
                    }
                    other => panic!("batch {} is {other:?}", self.sequence),
                }
            };
            self.sequence += 1;
        }
        height
    }
}

/// Rounds above 0 that a validator has seen.
async fn further_rounds(network: &TestNetwork, validator_id: u32) -> u64 {
    let address = network.node_addresses(validator_id).unwrap().metrics;
    let (_, body) = http_get(address, "/metrics").await.unwrap();
    let text = String::from_utf8(body).unwrap();
    let line = text.lines().find(|line| line.starts_with("tallystick_node_further_rounds_total ")).unwrap();
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

async fn decided_height(network: &TestNetwork, validator_id: u32) -> u64 {
    network.node_status(validator_id).await.unwrap().decided_height
}

#[tokio::test(flavor = "multi_thread")]
async fn a_validator_comes_back_after_a_thousand_blocks() {
    let mut network = TestNetwork::generate(&NetworkOptions::default()).await.unwrap();
    network.start_nodes().await.unwrap();
    let checkpoints = CheckpointWatch::start(&network).unwrap();
    let forge = Forge::open(&network, 1, 0).unwrap();
    let ledger = network.ledger_client(1, Caller::Issuer(1)).await.unwrap();
    let mut feeder = Feeder { forge, ledger, sequence: 1 };
    let before = feeder.blocks(5).await;

    network.node(AWAY).unwrap().kill().await.unwrap();
    let rounds_before = further_rounds(&network, 1).await;
    let started = Instant::now();
    let height = feeder.blocks(BLOCKS).await;
    assert!(height >= before + BLOCKS, "{BLOCKS} batches made {} blocks", height - before);
    let rounds = further_rounds(&network, 1).await - rounds_before;
    println!("{BLOCKS} blocks without one of four proposers: {rounds} further rounds, {:?}", started.elapsed());
    assert!(rounds >= 1, "its turn never came");
    assert!(rounds <= FURTHER_ROUNDS_MAX, "{rounds} further rounds for {BLOCKS} blocks: its turns were not skipped");

    // It comes back while the ledger goes on, and reaches it. It is not ready before it is near the others.
    network.node(AWAY).unwrap().start().unwrap();
    let mut goal = feeder.blocks(BLOCKS_MEANWHILE).await;
    network.node(AWAY).unwrap().wait_ready().await.unwrap();
    let at_start = decided_height(&network, AWAY).await;
    assert!(at_start + READY_BEHIND_MAX >= goal, "ready at height {at_start} of {goal}");
    let deadline = Instant::now() + BLOCK_TIMEOUT;
    while decided_height(&network, AWAY).await < goal {
        assert!(Instant::now() < deadline, "it stands at {}", decided_height(&network, AWAY).await);
        goal = feeder.blocks(1).await;
    }
    println!("from height {at_start}, when it was ready, to {goal}: {:?} after the others' first", started.elapsed());

    // Its vote counts: with another one dead there is no quorum without it.
    network.node(DEAD).unwrap().kill().await.unwrap();
    feeder.blocks(BLOCKS_WITH_ITS_VOTE).await;
    network.node(DEAD).unwrap().start().unwrap();
    network.node(DEAD).unwrap().wait_ready().await.unwrap();
    let tip = network.wait_equal_tips().await.unwrap();
    assert!(tip.sealed_height >= goal + BLOCKS_WITH_ITS_VOTE);
    let seen = checkpoints.check(&network).await.unwrap();
    println!("{seen} checkpoints, height {}", tip.sealed_height);
    network.audit(AWAY).await.unwrap();
    network.finish(&after_kills(AllowList::lifecycle())).await.unwrap();
}
