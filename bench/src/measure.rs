//! One measured load: warm-up, window, drain; samples become figures.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use tallystick_devnet::midnight::clear_of_midnight;
use tallystick_devnet::{Network, NetworkOptions};
use tallystick_service::errln;

use crate::clock;
use crate::figures::{Latency, micros};
use crate::load::{Load, LoadOptions, LoadOutcome, Pace};
use crate::machine::Machine;
use crate::probe::Probe;
use crate::processes::{self, CpuUse};
use crate::report::{Conditions, LoadReport};
use crate::slope::{self, MINUTE, Mark};

/// The validator that is asked for rounds and inspected.
pub const OBSERVED_VALIDATOR: u32 = 1;
/// Longer than what is on its way takes to be sealed.
const DRAIN_MAX: Duration = Duration::from_secs(60);
const CHECK_INTERVAL: Duration = Duration::from_millis(500);

/// How long a load runs before and while it is measured.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    /// Load before the measured window.
    pub warm_up: Duration,
    /// The window.
    pub window: Duration,
}

impl LoadOptions {
    /// The load in words.
    pub fn name(&self) -> String {
        let call = self.many.map_or_else(|| "Issue".to_owned(), |size| format!("IssueMany({size})"));
        let connections = self.connections;
        match self.pace {
            Pace::Open { rate } => format!("open loop, {call} at {rate} receipts/s, {connections} connections"),
            Pace::Closed { callers, unsealed_max } => format!(
                "closed loop, {call}, {callers} callers on {connections} connections, at most {unsealed_max} unsealed"
            ),
        }
    }
}

/// The conditions of a run on a network.
pub fn conditions(network: &Network, options: &NetworkOptions) -> Result<Conditions> {
    Ok(Conditions {
        machine: Machine::read()?,
        command: std::env::args().skip(1).fold("tallystick-bench".to_owned(), |line, word| line + " " + &word),
        validators: network.description().nodes.len(),
        issuers: network.description().issuers.len(),
        batch_age_ms: options.batch_age_ms,
        fsync: true,
        payload: format!(
            "medical receipts of 1 to 4 items, 6 out-patient : 1 in-patient, {} units",
            network.description().load_hospital_count
        ),
    })
}

/// A new network in a directory of its own.
pub fn new_network(directory: Option<&Path>, options: &NetworkOptions) -> Result<(Network, PathBuf)> {
    let directory = match directory {
        Some(directory) => directory.to_owned(),
        None => std::env::temp_dir().join(clock::run_name()?),
    };
    errln!("network in {}", directory.display());
    Ok((Network::generate(&directory, options)?, directory))
}

/// Waits for the chain's midnight, if it would come within a load of this length: the drafts carry one date.
pub async fn day_lasts(network: &Network, load_lasts_max: Duration) -> Result<()> {
    let (offset, lasts) = (network.description().utc_offset_minutes, load_lasts_max + DRAIN_MAX);
    clear_of_midnight(clock::now()?, offset, lasts, |message| errln!("{message}")).await;
    Ok(())
}

/// Makes the load on a running network and measures it; also answers how many receipts were sealed in all.
pub async fn load(network: &Network, options: LoadOptions, span: Span) -> Result<(LoadReport, u64)> {
    day_lasts(network, span.warm_up + span.window).await?;
    errln!("{} …", options.name());
    let mut load = Load::start(network, options).await?;
    run_for(&mut load, span.warm_up).await?;
    // The first proposal of a new network may go out before its validators are connected. That round has nothing to do with the load.
    let rounds_before = processes::further_rounds(network, OBSERVED_VALIDATOR).await?;
    let probe = Probe::start();
    let marks = run_marked(&mut load, network, span.window).await?;
    let work = probe.finish()?;
    let rounds_after = processes::further_rounds(network, OBSERVED_VALIDATOR).await?;
    let outcome = load.finish().await.context("end the load")?;
    let sealed_total = outcome.tracked.sealed.len() as u64;
    let window = Window::of(&marks)?;
    let minutes = slope::minutes(&marks, &outcome.tracked.sealed, &outcome.tracked.heights, &work);
    let mut report = window.report(options.name(), outcome);
    report.minutes = minutes;
    report.further_rounds = rounds_after.saturating_sub(rounds_before);
    report.peak_memory_mib = processes::peak_memory_mib(network);
    errln!("    {} receipts/s sealed", report.sealed_per_second);
    Ok((report, sealed_total))
}

/// Lets a load run over a window, and marks its start, each full minute, and its end.
async fn run_marked(load: &mut Load, network: &Network, window: Duration) -> Result<Vec<Mark>> {
    let mut marks = vec![Mark::take(network)?];
    let mut left = window;
    while !left.is_zero() {
        let step = left.min(MINUTE);
        run_for(load, step).await?;
        marks.push(Mark::take(network)?);
        left -= step;
    }
    Ok(marks)
}

/// Lets a load run, and fails early if it broke.
pub async fn run_for(load: &mut Load, duration: Duration) -> Result<()> {
    let end = Instant::now() + duration;
    loop {
        load.check()?;
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        tokio::time::sleep(left.min(CHECK_INTERVAL)).await;
    }
}

struct Window {
    start: Instant,
    end: Instant,
    cpu: CpuUse,
}

impl Window {
    /// From the first mark to the last.
    fn of(marks: &[Mark]) -> Result<Self> {
        let (first, last) = marks.first().zip(marks.last()).context("a window without marks")?;
        Ok(Self { start: first.at(), end: last.at(), cpu: last.cpu().since(first.cpu()) })
    }

    fn holds(&self, at: Instant) -> bool {
        self.start <= at && at < self.end
    }

    fn report(self, name: String, outcome: LoadOutcome) -> LoadReport {
        let LoadOutcome { acknowledged, tracked, receipts_overloaded, calls_skipped, mut problems, drain } = outcome;
        let acks = acknowledged.iter().filter(|ack| self.holds(ack.called_at));
        let acknowledgement = acks.map(|ack| ack.answered_at.duration_since(ack.called_at)).collect();
        let answered = acknowledged.iter().filter(|ack| self.holds(ack.answered_at));
        let receipts_acknowledged = answered.map(|ack| u64::from(ack.receipts)).sum();
        let called = tracked.sealed.iter().filter(|sample| self.holds(sample.called_at));
        let sealed = called.map(|sample| sample.sealed_at.saturating_duration_since(sample.called_at)).collect();
        let receipts_sealed = tracked.sealed.iter().filter(|sample| self.holds(sample.sealed_at)).count() as u64;
        let blocks: Vec<Instant> = tracked.heights.values().copied().filter(|at| self.holds(*at)).collect();
        let gaps = blocks.windows(2).map(|pair| pair[1].saturating_duration_since(pair[0]));
        let window_micros = micros(self.end.duration_since(self.start));
        let per_receipt = |micros: u64| micros.checked_div(receipts_sealed).unwrap_or(0);
        let cpu_micros_per_receipt =
            self.cpu.by_process.iter().map(|(name, micros)| (name.clone(), per_receipt(*micros))).collect();
        problems.extend(tracked.problems);
        LoadReport {
            name,
            window_micros,
            receipts_acknowledged,
            receipts_sealed,
            sealed_per_second: receipts_sealed.saturating_mul(1_000_000).checked_div(window_micros).unwrap_or(0),
            acknowledgement: Latency::of(acknowledgement),
            sealed: Latency::of(sealed),
            blocks: blocks.len() as u64,
            block_gap_max_micros: gaps.max().map_or(0, micros),
            cpu_micros_per_receipt,
            network_cpu_micros_per_receipt: per_receipt(self.cpu.network_micros()),
            cpu: self.cpu,
            further_rounds: 0,
            receipts_overloaded,
            calls_skipped,
            drain_micros: micros(drain),
            receipts_unsealed: tracked.unsealed,
            peak_memory_mib: std::collections::BTreeMap::new(),
            minutes: Vec::new(),
            problems,
        }
    }
}
