//! `bench failover`: one of four validators dies by SIGKILL under load, and stays dead. How long does sealing pause, and what
//! does each of the next hundred heights cost more than before?
//!
//! A height counts as sealed when its first outcome reaches this program. The extra cost includes the pause: it is the time
//! of the next hundred heights after the kill less that of a hundred heights before, divided by a hundred.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde::Serialize;
use tallystick_devnet::{Network, NetworkOptions};
use tallystick_service::errln;

use crate::load::{Load, LoadOptions};
use crate::measure::{self, micros};
use crate::processes;
use crate::report::{Latency, Report, ms, row, section};

/// Heights compared.
const HEIGHTS: usize = 100;
/// How long they may take.
const HEIGHTS_TIMEOUT: Duration = Duration::from_secs(300);
const STEP: Duration = Duration::from_millis(200);
/// The whole load: before, between, after; each run of heights fails when it takes longer.
const LOAD_LASTS_MAX: Duration = HEIGHTS_TIMEOUT.saturating_mul(3);

/// The loss of a validator.
#[derive(Debug, Clone, Serialize)]
pub struct FailoverReport {
    /// The load meanwhile.
    pub load: String,
    /// The validator that died.
    pub killed_validator: u32,
    /// Longest time without a newly sealed height from the kill on, over the next hundred heights.
    pub pause_micros: u64,
    /// Gaps above a second over the next hundred heights.
    pub gaps_above_one_second: usize,
    /// Mean time of a height over the hundred before the kill.
    pub height_before_micros: u64,
    /// Mean time of a height over the hundred after it, the pause included.
    pub height_after_micros: u64,
    /// The difference.
    pub extra_per_height_micros: u64,
    /// Consensus rounds above 0 before the kill, as a survivor saw them.
    pub further_rounds_before: u64,
    /// Consensus rounds above 0 since the kill.
    pub further_rounds_after: u64,
    /// Receipts acknowledged over the whole load.
    pub receipts_acknowledged: u64,
    /// Receipts sealed of these.
    pub receipts_sealed: u64,
    /// Acknowledged receipts without a seal at the end: lost ones.
    pub receipts_unsealed: usize,
    /// Acknowledgements of calls due in the ten seconds after the kill.
    pub acknowledgement_after: Latency,
    /// Receipts refused for overload, with a hint to try again.
    pub receipts_overloaded: u64,
    /// Doubled, refused or contradicted receipts, and broken calls.
    pub problems: Vec<String>,
}

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
    let first = run_heights(&mut load, HEIGHTS / 2).await?;
    run_heights(&mut load, HEIGHTS + 1).await?;
    let rounds_at_kill = processes::further_rounds(network, survivor).await?;
    let killed_at = Instant::now();
    network.node(victim)?.kill().await?;
    run_heights(&mut load, HEIGHTS + 1).await?;
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
    /// Of the hundred heights before and after an instant.
    fn around(heights: &BTreeMap<u64, Instant>, killed_at: Instant) -> Result<Self> {
        let (before, after): (Vec<Instant>, Vec<Instant>) = heights.values().partition(|at| **at <= killed_at);
        ensure!(before.len() > 1 && !after.is_empty(), "there are no heights on both sides of the kill");
        let before = &before[before.len().saturating_sub(HEIGHTS + 1)..];
        let after = &after[..after.len().min(HEIGHTS)];
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

impl FailoverReport {
    /// Adds its section to the table.
    pub(crate) fn write(&self, table: &mut String) {
        section(table, &format!("node-{} killed, {}", self.killed_validator, self.load));
        row(
            table,
            "sealing paused",
            &format!("{}, {} gaps above 1 s", ms(self.pause_micros), self.gaps_above_one_second),
        );
        let (before, after) = (ms(self.height_before_micros), ms(self.height_after_micros));
        row(table, "a height", &format!("{before} before, {after} over the next {HEIGHTS}"));
        row(table, "extra per height", &ms(self.extra_per_height_micros));
        let (before, after) = (self.further_rounds_before, self.further_rounds_after);
        row(table, "further rounds", &format!("{before} before, {after} after"));
        let Self { receipts_acknowledged, receipts_sealed, receipts_unsealed, receipts_overloaded, .. } = self;
        let receipts =
            format!("{receipts_acknowledged} acknowledged, {receipts_sealed} sealed, {receipts_unsealed} lost");
        row(table, "receipts", &receipts);
        row(table, "overload", &format!("{receipts_overloaded} receipts refused"));
        let after = &self.acknowledgement_after;
        row(table, "acknowledgement after", &format!("p99 {}, max {}", ms(after.p99_micros), ms(after.max_micros)));
        for problem in self.problems.iter().take(5) {
            row(table, "PROBLEM", problem);
        }
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
