//! `bench wan`: what distance between the validators costs. Every connection between two of them, consensus and peers' gRPC, goes
//! through a proxy that delays it each way; issuer and load are beside their validator, as they are in practice.
//!
//! Two loads for each delay, on one network: *light*, few receipts a second, each call waiting for its seal; and *full*, a closed
//! loop that keeps blocks large. The time at the smallest delay is what the machine takes; what a larger one adds, divided by that delay, is
//! how many one-way delays a seal needs.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use tallystick_devnet::registry::SYSTEM_HOSPITALS;
use tallystick_devnet::{Caller, Network, NetworkOptions};
use tallystick_proto::issuer::v1::{IssueRequest, ReceiptState, Wait};
use tallystick_service::errln;
use tokio::task::JoinSet;

use crate::delay::DelayProxy;
use crate::figures::Latency;
use crate::load::{LoadOptions, Pace};
use crate::measure::{self, OBSERVED_VALIDATOR, Span};
use crate::processes;
use crate::report::{Report, WanReport};
use crate::supply::Supply;

/// The issuer under load.
const ISSUER: u32 = 1;
/// Longest wait for a seal.
const SEAL_TIMEOUT_MS: u32 = 60_000;

/// Delays, load and duration.
#[derive(Debug, Clone)]
pub struct WanOptions {
    /// One-way delays, in milliseconds, each on a network of its own.
    pub delays_ms: Vec<u64>,
    /// Receipts of the light load, at least 1. Where a block takes longer than their distance in time, each also waits for the block
    /// that is under way.
    pub per_second: u32,
    /// How long each load is measured.
    pub span: Span,
    /// Whether the full load is made, too.
    pub full: bool,
}

/// Runs all delays, each on a new network.
pub async fn run(directory: Option<&Path>, options: &WanOptions) -> Result<Report> {
    let mut report: Option<Report> = None;
    for delay_ms in &options.delays_ms {
        let directory = directory.map(|directory| directory.join(format!("delay-{delay_ms}")));
        let network_options = NetworkOptions::default();
        let (mut network, directory) = measure::new_network(directory.as_deref(), &network_options)?;
        let proxies = set_apart(&network, Duration::from_millis(*delay_ms)).await?;
        network.start().await?;
        let one = measure_one(&network, *delay_ms, options).await?;
        network.stop().await?;
        let report = match &mut report {
            Some(report) => report,
            None => report.insert(Report::new(measure::conditions(&network, &network_options)?)),
        };
        report.wan.push(one);
        drop((network, proxies));
        std::fs::remove_dir_all(&directory).with_context(|| format!("remove {}", directory.display()))?;
    }
    let mut report = report.context("there is no delay to measure")?;
    count_delays(&mut report.wan);
    Ok(report)
}

/// Has each validator reach each other one through a proxy of their own. Before the first start.
async fn set_apart(network: &Network, delay: Duration) -> Result<Vec<DelayProxy>> {
    let nodes = &network.description().nodes;
    let mut proxies = Vec::new();
    for node in nodes {
        let path = network.layout().node_config(node.validator_id);
        let mut text = std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        for peer in nodes.iter().filter(|peer| peer.validator_id != node.validator_id) {
            let address = peer.grpc;
            let proxy = DelayProxy::start(address, delay).await?;
            let direct = format!("\"{address}\"");
            ensure!(text.contains(&direct), "{} does not name {address}", path.display());
            text = text.replace(&direct, &format!("\"{}\"", proxy.address()));
            proxies.push(proxy);
        }
        std::fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
    }
    Ok(proxies)
}

async fn measure_one(network: &Network, delay_ms: u64, options: &WanOptions) -> Result<WanReport> {
    let WanOptions { per_second, span: Span { warm_up, window }, .. } = *options;
    measure::day_lasts(network, 2 * (warm_up + window)).await?;
    errln!("{delay_ms} ms one way, {per_second} receipts/s, each waiting for its seal …");
    let supply = Supply::new(network)?;
    light(network, &supply, warm_up, per_second).await?;
    let rounds_before = processes::further_rounds(network, OBSERVED_VALIDATOR).await?;
    let light_sealed = Latency::of(light(network, &supply, window, per_second).await?);
    let rounds_after = processes::further_rounds(network, OBSERVED_VALIDATOR).await?;
    errln!("    sealed: {}", light_sealed.line());
    let full = if options.full {
        let pace = Pace::Closed { callers: 16, unsealed_max: 24_000 };
        let load = LoadOptions { pace, many: Some(50), connections: 4 };
        Some(measure::load(network, load, options.span).await?.0)
    } else {
        None
    };
    Ok(WanReport {
        delay_ms,
        light_per_second: per_second,
        light_sealed,
        light_further_rounds: rounds_after.saturating_sub(rounds_before),
        light_delays_hundredths: None,
        full,
    })
}

/// Issues at the light load's rate for so long; how long each call took.
async fn light(network: &Network, supply: &Supply, lasts: Duration, per_second: u32) -> Result<Vec<Duration>> {
    ensure!(per_second >= 1, "a rate of nothing is no load");
    let client = network.issuer_client(ISSUER, Caller::System(SYSTEM_HOSPITALS)).await?;
    let mut calls = JoinSet::new();
    let mut due = Instant::now();
    let end = due + lasts;
    while due < end {
        tokio::time::sleep_until(due.into()).await;
        let request = IssueRequest {
            draft: Some(supply.next()),
            wait: Wait::Sealed.into(),
            wait_timeout_ms: SEAL_TIMEOUT_MS,
            with_bundle: false,
        };
        let mut client = client.clone();
        calls.spawn(async move {
            let response = client.issue(request).await.context("issue and wait for the seal")?.into_inner();
            let state = response.state();
            ensure!(state == ReceiptState::Sealed, "a receipt is {} {}", state.as_str_name(), response.refused_reason);
            Ok(due.elapsed())
        });
        due += Duration::from_secs(1) / per_second;
    }
    calls.join_all().await.into_iter().collect()
}

/// Counts what each delay adds to the smallest one, in delays.
fn count_delays(runs: &mut [WanReport]) {
    let Some((base_ms, base)) =
        runs.iter().map(|run| (run.delay_ms, run.light_sealed.p50_micros)).min_by_key(|(delay_ms, _)| *delay_ms)
    else {
        return;
    };
    for run in runs {
        let more_micros = run.delay_ms.saturating_sub(base_ms) * 1_000;
        let added = run.light_sealed.p50_micros.saturating_sub(base).saturating_mul(100);
        run.light_delays_hundredths = added.checked_div(more_micros);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_are_counted_against_the_smallest() {
        let run = |delay_ms: u64, millis: u64| WanReport {
            delay_ms,
            light_per_second: 5,
            light_sealed: Latency::of(vec![Duration::from_millis(millis)]),
            light_further_rounds: 0,
            light_delays_hundredths: None,
            full: None,
        };
        let mut runs = [run(30, 310), run(0, 130), run(100, 765)];
        count_delays(&mut runs);
        assert_eq!(runs.map(|run| run.light_delays_hundredths), [Some(600), None, Some(635)]);
        count_delays(&mut []);
    }
}
