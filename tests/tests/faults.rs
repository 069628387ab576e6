//! Processes die at random moments under load, by SIGKILL: nothing acknowledged is lost, nothing happens twice.
//!
//! Every process dies before one dies again. In which order, when, and for how long follows from the seed, which is printed;
//! `TALLYSTICK_FAULT_SEED` repeats it. `TALLYSTICK_FAULT_CYCLES` sets the number of kills.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use tallystick_devnet::logs::AllowList;
use tallystick_devnet::random::ContentRandom;
use tallystick_devnet::{Network, NetworkOptions};
use tallystick_service::rng::{OsEntropy, random_array};
use tallystick_tests::checkpoints::CheckpointWatch;
use tallystick_tests::judgement::all_sealed_once;
use tallystick_tests::load::Load;
use tallystick_tests::{TEST_LASTS_MAX, TestNetwork, after_kills};

const CYCLES: u64 = 10;
const RUNNING_MS_MAX: u64 = 1_200;
const DOWN_MS_MAX: u64 = 1_200;
/// A kill, the time down, the return and the receipts after it, on a busy machine.
const CYCLE_LASTS_MAX: Duration = Duration::from_secs(10);
const VALIDATORS: u32 = 4;
/// Receipts acknowledged after each restart before the next kill: the network must work in between.
const ACKED_PER_CYCLE: usize = 20;

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is not a number")))
}

async fn pause(random: &mut ContentRandom, millis_max: u64) -> u64 {
    let millis = random.below(millis_max);
    // The random moment is the point, not synchronisation.
    tokio::time::sleep(Duration::from_millis(millis)).await;
    millis
}

/// The issuer (0) and every validator, in an order of their own.
fn shuffled_victims(random: &mut ContentRandom) -> Vec<u32> {
    let mut ordered: Vec<u32> = (0..=VALIDATORS).collect();
    let mut shuffled = Vec::new();
    while let Some(victim) = random.pick(&ordered).copied() {
        ordered.retain(|other| *other != victim);
        shuffled.push(victim);
    }
    shuffled
}

async fn kill_and_restart(network: &mut Network, cycle: u64, victim: u32, random: &mut ContentRandom) {
    let running_ms = pause(random, RUNNING_MS_MAX).await;
    let process = match victim {
        0 => network.issuer(1).unwrap(),
        validator_id => network.node(validator_id).unwrap(),
    };
    process.kill().await.unwrap();
    let down_ms = pause(random, DOWN_MS_MAX).await;
    println!("cycle {cycle}: {} killed after {running_ms} ms, down for {down_ms} ms", process.spec().name);
    process.start().unwrap();
    process.wait_ready().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_at_random_moments_lose_and_double_nothing() {
    let cycles = from_environment("TALLYSTICK_FAULT_CYCLES").unwrap_or(CYCLES);
    let seed = from_environment("TALLYSTICK_FAULT_SEED")
        .unwrap_or_else(|| u64::from(u32::from_be_bytes(random_array(&OsEntropy).unwrap())));
    println!("TALLYSTICK_FAULT_SEED={seed} TALLYSTICK_FAULT_CYCLES={cycles}");
    let mut random = ContentRandom::new(seed);
    let lasts_max = CYCLE_LASTS_MAX.saturating_mul(u32::try_from(cycles).unwrap()).max(TEST_LASTS_MAX);
    let mut network = TestNetwork::start_lasting(&NetworkOptions::default(), lasts_max).await.unwrap();
    let checkpoints = CheckpointWatch::start(&network).unwrap();
    let mut load = Load::start(&network, 1, seed).await.unwrap();
    let mut victims = Vec::new();
    for cycle in 1..=cycles {
        load.wait_more(ACKED_PER_CYCLE).await.unwrap();
        if victims.is_empty() {
            victims = shuffled_victims(&mut random);
        }
        let victim = victims.pop().unwrap();
        kill_and_restart(&mut network, cycle, victim, &mut random).await;
    }
    let acked = load.stop().await.unwrap();
    all_sealed_once(&network, 1, &acked).await.unwrap();
    let tip = network.wait_equal_tips().await.unwrap();
    let seen = checkpoints.check(&network).await.unwrap();
    println!("{} receipts sealed once, {seen} checkpoints, height {}", acked.len(), tip.sealed_height);
    network.audit(1).await.unwrap();
    network.finish(&after_kills(AllowList::lifecycle())).await.unwrap();
}
