//! `bench failover`: one of four validators dies by SIGKILL under load, and stays dead. How long does sealing pause, and what
//! does each of the next hundred heights cost more than before?
//!
//! A height counts as sealed when its first outcome reaches this program. The extra cost includes the pause: it is the time
//! of the next hundred heights after the kill less that of a hundred heights before, divided by a hundred.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use tallystick_devnet::{Network, NetworkOptions};
use tallystick_service::errln;

use crate::figures::{Latency, micros};
use crate::load::{Load, LoadOptions};
use crate::measure;
use crate::processes;
use crate::report::{COMPARED_HEIGHTS, FailoverReport, Report};

/// How long they may take.
const HEIGHTS_TIMEOUT: Duration = Duration::from_secs(300);
const STEP: Duration = Duration::from_millis(200);
/// The whole load: before, between, after; each run of heights fails when it takes longer.
const LOAD_LASTS_MAX: Duration = HEIGHTS_TIMEOUT.saturating_mul(3);

/// Runs it on a new network.
pub async fn run(directory: Option<&Path>, load_options: LoadOptions, victim: u32) -> Result<Report> {
    let options = NetworkOptions::default();
    let (mut network, directory) = measure::new_network(directory, &options)?;
    let mut report = Report::new(measure::conditions(&network, &options)?);
    network.start().await?;
    report.failover = Some(measure_loss(&mut network, load_options, victim).await?);
    network.stop().await?;
    drop(network);
    std::fs::remove_dir_all(&directory).with_context(|| format!("remove {}", directory.display()))?;
    Ok(report)
}

async fn measure_loss(network: &mut Network, options: LoadOptions, victim: u32) -> Result<FailoverReport> {
    let survivor = network.description().nodes.iter().map(|node| node.validator_id).find(|id| *id != victim);
    let survivor = survivor.context("there is no other validator")?;
    measure::day_lasts(network, LOAD_LASTS_MAX).await?;
    errln!("{}; node-{victim} will be killed …", options.name());
    let mut load = Load::start(network, options).await?;
    // The first heights warm up, the next hundred count.
    let first = run_heights(&mut load, COMPARED_HEIGHTS / 2).await?;
    run_heights(&mut load, COMPARED_HEIGHTS + 1).await?;
    let rounds_at_kill = processes::further_rounds(network, survivor).await?;
    let killed_at = Instant::now();
    network.node(victim)?.kill().await?;
    run_heights(&mut load, COMPARED_HEIGHTS + 1).await?;
    let outcome = load.finish().await?;
    let rounds = processes::further_rounds(network, survivor).await?;
    let heights: BTreeMap<u64, Instant> = outcome.tracked.heights.range(first..).map(|(h, at)| (*h, *at)).collect();
    let times = HeightTimes::around(&heights, killed_at)?;
    let after = outcome
        .acknowledged
        .iter()
        .filter(|ack| ack.called_at >= killed_at && ack.called_at < killed_at + Duration::from_secs(10));
    let mut problems = outcome.problems;
    problems.extend(outcome.tracked.problems);
    Ok(FailoverReport {
        load: options.name(),
        killed_validator: victim,
        pause_micros: micros(times.pause),
        gaps_above_one_second: times.gaps_above_one_second,
        height_before_micros: micros(times.before),
        height_after_micros: micros(times.after),
        extra_per_height_micros: micros(times.after.saturating_sub(times.before)),
        further_rounds_before: rounds_at_kill,
        further_rounds_after: rounds.saturating_sub(rounds_at_kill),
        receipts_acknowledged: outcome.acknowledged.iter().map(|ack| u64::from(ack.receipts)).sum(),
        receipts_sealed: outcome.tracked.sealed.len() as u64,
        receipts_unsealed: outcome.tracked.unsealed,
        acknowledgement_after: Latency::of(after.map(|ack| ack.answered_at - ack.called_at).collect()),
        receipts_overloaded: outcome.receipts_overloaded,
        problems,
    })
}

/// Waits until so many further heights brought outcomes; the newest height.
async fn run_heights(load: &mut Load, count: usize) -> Result<u64> {
    let until = load.tracker().newest_height() + count as u64;
    let deadline = Instant::now() + HEIGHTS_TIMEOUT;
    while load.tracker().newest_height() < until {
        ensure!(Instant::now() < deadline, "after {HEIGHTS_TIMEOUT:?} height {until} is not sealed");
        measure::run_for(load, STEP).await?;
    }
    Ok(load.tracker().newest_height())
}

#[derive(Debug, PartialEq, Eq)]
struct HeightTimes {
    before: Duration,
    after: Duration,
    pause: Duration,
    gaps_above_one_second: usize,
}

impl HeightTimes {
    /// The times of the hundred heights before and after an instant.
    fn around(heights: &BTreeMap<u64, Instant>, killed_at: Instant) -> Result<Self> {
        let (before, after): (Vec<Instant>, Vec<Instant>) = heights.values().partition(|at| **at <= killed_at);
        ensure!(before.len() > 1 && !after.is_empty(), "there are no heights on both sides of the kill");
        let before = &before[before.len().saturating_sub(COMPARED_HEIGHTS + 1)..];
        let after = &after[..after.len().min(COMPARED_HEIGHTS)];
        let span =
            |from: Instant, to: Instant, count: usize| to.duration_since(from) / u32::try_from(count).unwrap_or(1);
        let gaps = std::iter::once(killed_at).chain(after.iter().copied()).zip(after.iter().copied());
        let gaps: Vec<Duration> = gaps.map(|(from, to)| to.duration_since(from)).collect();
        Ok(Self {
            before: span(before[0], before[before.len() - 1], before.len() - 1),
            after: span(killed_at, after[after.len() - 1], after.len()),
            pause: gaps.iter().copied().max().unwrap_or_default(),
            gaps_above_one_second: gaps.iter().filter(|gap| **gap > Duration::from_secs(1)).count(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_counts_from_the_kill_and_into_the_mean() {
        let start = Instant::now();
        let at = |millis: u64| start + Duration::from_millis(millis);
        let heights: BTreeMap<u64, Instant> =
            [0, 100, 200, 1700, 1800].iter().map(|millis| (millis + 1, at(*millis))).collect();
        let times = HeightTimes::around(&heights, at(200)).unwrap();
        let millis = Duration::from_millis;
        let expected =
            HeightTimes { before: millis(100), after: millis(800), pause: millis(1500), gaps_above_one_second: 1 };
        assert_eq!(times, expected);
        assert!(HeightTimes::around(&heights, at(2000)).is_err());
    }
}
