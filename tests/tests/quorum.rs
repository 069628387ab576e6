//! One of four validators is away, each in turn: the log goes on, and is readable by the log key of any other. Two are away: there
//! is no quorum, so nothing is sealed, nothing is lost, and work goes on by itself when they are back.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use receipt_core::note::{SignedNote, VerifierKey};
use receipt_core::reason::Reason;
use receipt_core::trust::TrustFile;
use tallystick_devnet::logs::AllowList;
use tallystick_devnet::process::http_get;
use tallystick_devnet::{Network, NetworkOptions};
use tallystick_proto::errors::{ErrorReason, Refusal};
use tallystick_proto::issuer::v1::ReceiptState;
use tallystick_tests::checkpoints::CheckpointWatch;
use tallystick_tests::judgement::{all_sealed_once, bundle_of, client_of, state_of};
use tallystick_tests::load::{Acked, Load, clients, issue};
use tallystick_tests::{TestNetwork, after_kills};

/// Cosigned anew this often, so that a standing checkpoint is a sign.
const COSIGN_INTERVAL_MS: u64 = 500;
/// How long nothing may happen: many rounds, and many intervals.
const WATCHED: Duration = Duration::from_secs(4);
/// One that is away costs a few timeouts.
const SIGNED_WITHIN: Duration = Duration::from_secs(60);
/// Away in turn: one pair stands still, another dies.
const STANDING: [u32; 2] = [3, 4];
const DEAD: [u32; 2] = [1, 3];
const RECEIPTS_BEFORE: usize = 30;
const RECEIPTS_WITHOUT: usize = 40;

/// What a validator has decided, sealed and published as its newest tip, with its time.
async fn standing(network: &Network, trust: &TrustFile, validator_id: u32) -> (u64, u64, u64) {
    let status = network.node_status(validator_id).await.unwrap();
    let (_, note) = http_get(network.node_addresses(validator_id).unwrap().http, "/checkpoint").await.unwrap();
    let checkpoint = trust.verify_checkpoint(std::str::from_utf8(&note).unwrap()).unwrap();
    (status.decided_height, status.sealed_height, checkpoint.as_of.get())
}

/// Issues while two are away; nothing of it may be decided.
async fn issue_without_quorum(network: &TestNetwork, away: [u32; 2], seed: u64) -> Vec<Acked> {
    let trust = network.trust().unwrap();
    let present: Vec<u32> = (1..=4).filter(|id| !away.contains(id)).collect();
    let clients = clients(network, 1).await.unwrap();
    // What was on its way when they left has an end: their last votes and cosignatures arrive or never will.
    tokio::time::sleep(Duration::from_millis(2 * COSIGN_INTERVAL_MS)).await;
    let mut before = Vec::new();
    for id in &present {
        before.push(standing(network, &trust, *id).await);
    }
    let mut generator = network.receipts(seed).unwrap();
    let mut acked = Vec::new();
    for _ in 0..RECEIPTS_WITHOUT {
        acked.push(issue(&clients, generator.mixed().unwrap()).await.unwrap());
    }
    tokio::time::sleep(WATCHED).await;
    for (id, before) in present.iter().zip(before) {
        assert_eq!(standing(network, &trust, *id).await, before, "node-{id} went on without a quorum");
    }
    for acked in &acked {
        assert_eq!(state_of(&clients, acked).await.unwrap().state(), ReceiptState::Pending);
    }
    let early = bundle_of(client_of(&clients, &acked[0]).unwrap(), &acked[0]).await.unwrap_err();
    let refusal = Refusal::from_status(early.downcast_ref().unwrap()).unwrap();
    assert_eq!(refusal.reason, ErrorReason::Core(Reason::InProgress));
    acked
}

/// Waits until a validator publishes a tree larger than `size` that each of these log keys by itself has signed.
async fn wait_signed_by_each(network: &Network, validator_id: u32, size: u64, keys: &[&VerifierKey]) {
    let trust = network.trust().unwrap();
    let address = network.node_addresses(validator_id).unwrap().http;
    let wait = async {
        loop {
            let (status, note) = http_get(address, "/checkpoint").await.unwrap();
            assert_eq!(status, 200);
            let note = SignedNote::parse(&note).unwrap();
            let checkpoint = trust.verify_note(&note).unwrap();
            if checkpoint.size.get() > size && keys.iter().all(|key| note.verify(&[*key]).is_ok()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let waited = tokio::time::timeout(SIGNED_WITHIN, wait).await;
    waited.unwrap_or_else(|_| panic!("node-{validator_id} publishes no note by every validator that is there"));
}

/// A witness or another tool may know one log key only, whichever it is.
async fn any_log_key_of_those_present_will_do(network: &mut TestNetwork) -> Vec<Acked> {
    let trust = network.trust().unwrap();
    let keys: Vec<VerifierKey> = trust.sets()[0].policy.log_keys().cloned().collect();
    let mut acked = Vec::new();
    for away in 1..=4_u32 {
        let size = network.wait_equal_tips().await.unwrap().sealed_tree_size;
        network.node(away).unwrap().pause().unwrap();
        let clients = clients(network, 1).await.unwrap();
        let mut generator = network.receipts(u64::from(10 + away)).unwrap();
        acked.push(issue(&clients, generator.mixed().unwrap()).await.unwrap());
        let present: Vec<u32> = (1..=4).filter(|id| *id != away).collect();
        let present_keys: Vec<&VerifierKey> = present.iter().map(|id| &keys[*id as usize - 1]).collect();
        for id in &present {
            wait_signed_by_each(network, *id, size, &present_keys).await;
        }
        network.node(away).unwrap().resume().unwrap();
    }
    acked
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_quorum_nothing_is_sealed_and_nothing_is_lost() {
    let options = NetworkOptions { cosign_interval_ms: COSIGN_INTERVAL_MS, ..NetworkOptions::default() };
    let mut network = TestNetwork::start(&options).await.unwrap();
    let checkpoints = CheckpointWatch::start(&network).unwrap();
    let mut load = Load::start(&network, 1, 1).await.unwrap();
    load.wait_more(RECEIPTS_BEFORE).await.unwrap();
    let mut acked = load.stop().await.unwrap();
    all_sealed_once(&network, 1, &acked).await.unwrap();
    acked.extend(any_log_key_of_those_present_will_do(&mut network).await);
    all_sealed_once(&network, 1, &acked).await.unwrap();
    network.wait_equal_tips().await.unwrap();

    for id in STANDING {
        network.node(id).unwrap().pause().unwrap();
    }
    acked.extend(issue_without_quorum(&network, STANDING, 2).await);
    for id in STANDING {
        network.node(id).unwrap().resume().unwrap();
    }
    all_sealed_once(&network, 1, &acked).await.unwrap();
    network.wait_equal_tips().await.unwrap();

    // Under load this time: what was on its way when they died is pending too, until they are back.
    let mut load = Load::start(&network, 1, 3).await.unwrap();
    load.wait_more(RECEIPTS_BEFORE).await.unwrap();
    for id in DEAD {
        network.node(id).unwrap().kill().await.unwrap();
    }
    acked.extend(load.stop().await.unwrap());
    acked.extend(issue_without_quorum(&network, DEAD, 4).await);
    for id in DEAD {
        network.node(id).unwrap().start().unwrap();
    }
    for id in DEAD {
        network.node(id).unwrap().wait_ready().await.unwrap();
    }
    all_sealed_once(&network, 1, &acked).await.unwrap();
    let tip = network.wait_equal_tips().await.unwrap();
    let seen = checkpoints.check(&network).await.unwrap();
    println!("{} receipts sealed once, {seen} checkpoints, height {}", acked.len(), tip.sealed_height);
    network.audit(2).await.unwrap();
    network.finish(&after_kills(AllowList::lifecycle())).await.unwrap();
}
