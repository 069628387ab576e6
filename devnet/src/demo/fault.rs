//! A validator dies by SIGKILL while issuing goes on, comes back, and catches up to the same root.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use tallystick_devnet::generate_receipts::{GeneratedReceipt, GeneratorParams, ReceiptGenerator};
use tallystick_devnet::issuing::{IssuePace, IssuedReceipt, issue_all};
use tallystick_proto::admin::v1::GetNodeStatusResponse;

use super::summary::Summary;
use super::{Demo, SEAL_TIMEOUT};

/// The validator that dies: the one that the issuer submits to first, so that fail-over is part of it.
const VICTIM: u32 = 1;
/// Receipts per round of the background load, and rounds prepared at most.
const ROUND_RECEIPTS: usize = 20;
const ROUNDS_MAX: usize = 400;
const ROUND_INTERVAL: Duration = Duration::from_millis(100);
/// Seals seen before the kill, and after it before the restart.
const SEALS_BEFORE: usize = 100;
const SEALS_WITHOUT: usize = 400;
const EQUAL_ROOTS_TIMEOUT: Duration = Duration::from_secs(30);
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Runs the fault; returns the receipts that were issued meanwhile, all of them sealed.
pub(super) async fn run(demo: &mut Demo, summary: &mut Summary) -> Result<Vec<IssuedReceipt>> {
    let step = demo.screen.step(&format!("kill node-{VICTIM} with SIGKILL while issuing goes on"), None);
    let rounds = prepare_rounds(demo)?;
    let stop = Arc::new(AtomicBool::new(false));
    let load = tokio::spawn(load(demo.clients.clone(), rounds, Arc::clone(&stop)));
    let before = sealed_count(demo);
    wait_sealed_count(demo, before + SEALS_BEFORE).await?;
    let killed_at = Instant::now();
    demo.network.node(VICTIM)?.kill().await?;
    let at_kill = sealed_count(demo);
    wait_sealed_count(demo, at_kill + SEALS_WITHOUT).await?;
    let pause = longest_pause(demo, killed_at);
    summary.pause_after_kill = Some(pause);
    step.done(&format!("three of four went on sealing; the longest pause was {} ms", pause.as_millis()));

    let step = demo.screen.step(&format!("restart node-{VICTIM}, and let it catch up"), None);
    demo.network.node(VICTIM)?.start()?;
    demo.network.node(VICTIM)?.wait_ready().await?;
    stop.store(true, Ordering::Relaxed);
    let issued = load.await.context("issue in the background")??;
    demo.wait_sealed(&issued).await.context("a receipt acknowledged during the fault was lost")?;
    let status = wait_equal_roots(demo).await?;
    step.done(&format!(
        "all four have root {} at height {}; {} receipts issued meanwhile, all sealed",
        hex_prefix(&status.sealed_root),
        status.sealed_height,
        issued.len()
    ));
    Ok(issued)
}

/// Drafts are made beforehand: the load task then only sends.
fn prepare_rounds(demo: &Demo) -> Result<Vec<Vec<GeneratedReceipt>>> {
    let params = GeneratorParams {
        seed: demo.params.seed + 1,
        biz_prefix: format!("F{}", demo.params.biz_prefix),
        ..demo.params.clone()
    };
    let mut generator = ReceiptGenerator::new(demo.network.registry(), params)?;
    (0..ROUNDS_MAX).map(|_| (0..ROUND_RECEIPTS).map(|_| generator.mixed()).collect()).collect()
}

async fn load(
    clients: std::collections::BTreeMap<u32, tallystick_devnet::clients::IssuerClient>,
    rounds: Vec<Vec<GeneratedReceipt>>,
    stop: Arc<AtomicBool>,
) -> Result<Vec<IssuedReceipt>> {
    let mut issued = Vec::new();
    let mut ticks = tokio::time::interval(ROUND_INTERVAL);
    let progress = Arc::default();
    for round in rounds {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        ticks.tick().await;
        let pace = IssuePace { per_call: ROUND_RECEIPTS, concurrency: 2 };
        issued.extend(issue_all(&clients, round, pace, &progress).await?);
    }
    Ok(issued)
}

fn sealed_count(demo: &Demo) -> usize {
    demo.watches.values().map(tallystick_devnet::outcomes::OutcomeWatch::sealed_count).sum()
}

async fn wait_sealed_count(demo: &Demo, count: usize) -> Result<()> {
    let deadline = Instant::now() + SEAL_TIMEOUT;
    while sealed_count(demo) < count {
        ensure!(
            Instant::now() < deadline,
            "after {SEAL_TIMEOUT:?} {} receipts are sealed, not {count}",
            sealed_count(demo)
        );
        tokio::time::sleep(POLL_INTERVAL).await;
    }
    Ok(())
}

/// The longest time without a seal, from shortly before the kill on.
fn longest_pause(demo: &Demo, killed_at: Instant) -> Duration {
    let mut seals: Vec<Instant> = demo.watches.values().flat_map(|watch| watch.sealed_at()).collect();
    seals.sort_unstable();
    let mut last = killed_at;
    let mut longest = Duration::ZERO;
    for seal in seals.into_iter().filter(|seal| *seal > killed_at) {
        longest = longest.max(seal.duration_since(last));
        last = seal;
    }
    longest
}

/// Waits until all validators report one sealed height, tree size and root.
async fn wait_equal_roots(demo: &Demo) -> Result<GetNodeStatusResponse> {
    let deadline = Instant::now() + EQUAL_ROOTS_TIMEOUT;
    let ids: Vec<u32> = demo.network.description().nodes.iter().map(|node| node.validator_id).collect();
    loop {
        let mut statuses = Vec::new();
        for id in &ids {
            statuses.push(demo.network.node_status(*id).await?);
        }
        let tips: Vec<_> = statuses.iter().map(|s| (s.sealed_height, s.sealed_tree_size, &s.sealed_root)).collect();
        if tips.windows(2).all(|pair| pair[0] == pair[1]) {
            return statuses.pop().context("there are no validators");
        }
        ensure!(Instant::now() < deadline, "after {EQUAL_ROOTS_TIMEOUT:?} the validators differ: {tips:?}");
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

fn hex_prefix(bytes: &[u8]) -> String {
    hex::encode(bytes.get(..8).unwrap_or(bytes))
}
