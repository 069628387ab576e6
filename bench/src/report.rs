//! What is written down: figures with their conditions, as JSON for programs and as a table for people.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use serde::Serialize;

use crate::figures::{Latency, format_hundredths, ms, row, section};
use crate::floor::Floor;
use crate::machine::Machine;
use crate::offline::LiveBytes;
use crate::processes::CpuUse;
use crate::slope::{Minute, last_by_first_at_one_speed_permille, last_by_first_permille};
use crate::written;

mod runs;
mod verdict;

pub(crate) use runs::COMPARED_HEIGHTS;
pub use runs::{FailoverReport, ReplayReport, WanReport};
pub use verdict::Verdict;

/// The conditions of a run.
#[derive(Debug, Clone, Serialize)]
pub struct Conditions {
    /// The machine.
    pub machine: Machine,
    /// The program's arguments.
    pub command: String,
    /// Number of validators.
    pub validators: usize,
    /// Number of issuers.
    pub issuers: usize,
    /// Age at which the issuer closes a batch, in milliseconds.
    pub batch_age_ms: u64,
    /// Always true: no part has a switch to turn it off.
    pub fsync: bool,
    /// The kind of receipts that are issued.
    pub payload: String,
}

/// Figures of one load.
#[derive(Debug, Clone, Default, Serialize)]
pub struct LoadReport {
    /// The load in words.
    pub name: String,
    /// Length of the window over which rate and CPU are measured, after the warm-up.
    pub window_micros: u64,
    /// Receipts acknowledged in the window.
    pub receipts_acknowledged: u64,
    /// Receipts sealed in the window.
    pub receipts_sealed: u64,
    /// Receipts sealed in the window, per second.
    pub sealed_per_second: u64,
    /// From when a call was due to its answer; one sample per call that was due in the window.
    pub acknowledgement: Latency,
    /// From when a call was due until this program learned of the seal; one sample per receipt called in the window.
    pub sealed: Latency,
    /// Blocks with receipts in the window.
    pub blocks: u64,
    /// Longest time between two blocks' first outcomes in the window, in microseconds.
    pub block_gap_max_micros: u64,
    /// CPU time used in the measured window.
    pub cpu: CpuUse,
    /// CPU of each process per receipt sealed in the window, in microseconds.
    pub cpu_micros_per_receipt: BTreeMap<String, u64>,
    /// CPU of validators and issuer together per receipt sealed in the window, in microseconds.
    pub network_cpu_micros_per_receipt: u64,
    /// Consensus rounds above 0 over the whole load, as the first validator saw them.
    pub further_rounds: u64,
    /// Receipts refused for overload, with a hint to try again.
    pub receipts_overloaded: u64,
    /// Calls of an open loop that were not made, because too many were on their way.
    pub calls_skipped: u64,
    /// From the end of the load to the last seal, in microseconds.
    pub drain_micros: u64,
    /// Acknowledged receipts that were still not sealed then.
    pub receipts_unsealed: usize,
    /// Largest resident memory of each process since it started, in MiB.
    pub peak_memory_mib: BTreeMap<String, u64>,
    /// The window minute by minute.
    pub minutes: Vec<Minute>,
    /// Other refusals and contradictions, at most the first hundred.
    pub problems: Vec<String>,
}

/// Everything of one run of this program.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The conditions of the measurement.
    pub conditions: Conditions,
    /// The loads, in order.
    pub loads: Vec<LoadReport>,
    /// What a receipt costs at least, measured in the same run.
    pub floor: Option<Floor>,
    /// The validator's store after the run.
    pub live_bytes: Option<LiveBytes>,
    /// The replay of the ledger.
    pub replay: Option<ReplayReport>,
    /// The loss of a validator.
    pub failover: Option<FailoverReport>,
    /// Distances between the validators, in order.
    pub wan: Vec<WanReport>,
    /// Whether a long load held.
    pub endurance: Option<Verdict>,
}

impl Report {
    /// An empty report under these conditions.
    pub fn new(conditions: Conditions) -> Self {
        Self {
            conditions,
            loads: Vec::new(),
            floor: None,
            live_bytes: None,
            replay: None,
            failover: None,
            wan: Vec::new(),
            endurance: None,
        }
    }

    /// Writes it as JSON.
    pub fn save(&self, path: &Path) -> Result<()> {
        written::save(self, path)
    }

    /// The table.
    pub fn table(&self) -> String {
        let mut table = String::new();
        let conditions = &self.conditions;
        row(&mut table, "machine", &conditions.machine.line());
        row(&mut table, "command", &conditions.command);
        let network = format!(
            "{} validators, {} issuers, batches of {} ms, fsync on; load on the same machine",
            conditions.validators, conditions.issuers, conditions.batch_age_ms
        );
        row(&mut table, "network", &network);
        row(&mut table, "payload", &conditions.payload);
        for load in &self.loads {
            load.write(&mut table, self.floor.as_ref());
        }
        if let Some(floor) = &self.floor {
            floor.write(&mut table);
        }
        if let Some(live) = &self.live_bytes {
            live.write(&mut table);
        }
        if let Some(replay) = &self.replay {
            replay.write(&mut table);
        }
        if let Some(failover) = &self.failover {
            failover.write(&mut table);
        }
        for wan in &self.wan {
            wan.write(&mut table);
        }
        if let Some(endurance) = &self.endurance {
            endurance.write(&mut table);
        }
        table
    }
}

impl LoadReport {
    fn write(&self, table: &mut String, floor: Option<&Floor>) {
        let seconds = self.window_micros / 1_000_000;
        section(table, &format!("{}, {seconds} s", self.name));
        row(
            table,
            "sealed",
            &format!("{} receipts/s ({} in the window)", self.sealed_per_second, self.receipts_sealed),
        );
        row(table, "acknowledged", &format!("{} receipts in the window", self.receipts_acknowledged));
        row(table, "acknowledgement", &self.acknowledgement.line());
        row(table, "sealed after the call", &self.sealed.line());
        let mean = self.receipts_sealed.checked_div(self.blocks).unwrap_or(0);
        let gap = ms(self.block_gap_max_micros);
        row(table, "blocks", &format!("{} of {mean} receipts each; longest gap {gap}", self.blocks));
        let by_process = self.cpu_micros_per_receipt.iter().map(|(name, micros)| format!("{name} {micros}"));
        row(table, "CPU µs per receipt", &by_process.collect::<Vec<_>>().join(", "));
        row(table, "validators and issuer", &format!("{} µs per receipt", self.network_cpu_micros_per_receipt));
        if let Some(floor) = floor {
            row(table, "share of the floor", &floor.share(self.network_cpu_micros_per_receipt));
        }
        let cores = |micros: u64| format_hundredths(micros.saturating_mul(100) / self.cpu.wall_micros.max(1));
        let ours: u64 = self.cpu.by_process.values().sum();
        row(
            table,
            "cores in use",
            &format!("{} by this run, {} by others", cores(ours), cores(self.cpu.others_micros)),
        );
        row(table, "further rounds", &self.further_rounds.to_string());
        let Self { receipts_overloaded, calls_skipped, receipts_unsealed, .. } = self;
        let refused = format!("{receipts_overloaded} receipts refused for overload, {calls_skipped} calls not made");
        row(table, "overload", &refused);
        row(table, "drained", &format!("in {}, {receipts_unsealed} left unsealed", ms(self.drain_micros)));
        let memory = self.peak_memory_mib.iter().map(|(name, mib)| format!("{name} {mib}"));
        row(table, "peak memory MiB", &memory.collect::<Vec<_>>().join(", "));
        self.write_minutes(table);
        for problem in self.problems.iter().take(5) {
            row(table, "PROBLEM", problem);
        }
        if self.problems.len() > 5 {
            row(table, "PROBLEM", &format!("and {} more", self.problems.len() - 5));
        }
    }
}

impl LoadReport {
    /// A row a minute; nothing for a window of one.
    fn write_minutes(&self, table: &mut String) {
        if self.minutes.len() < 2 {
            return;
        }
        for (number, minute) in (1..).zip(&self.minutes) {
            let parts = |figures: &BTreeMap<String, u64>| {
                figures.iter().map(|(name, figure)| format!("{name} {figure}")).collect::<Vec<_>>().join(" ")
            };
            let value = format!(
                "{} receipts/s, fixed work {} µs, longest gap {}; MiB: {}; CPU µs per receipt: {}",
                minute.sealed_per_second,
                minute.work_nanos / 1000,
                ms(minute.block_gap_max_micros),
                parts(&minute.memory_mib),
                parts(&minute.cpu_micros_per_receipt)
            );
            row(table, &format!("minute {number}"), &value);
        }
        if let Some(permille) = last_by_first_permille(&self.minutes) {
            row(table, "last five by first five", &format_hundredths(permille / 10));
        }
        if let Some(permille) = last_by_first_at_one_speed_permille(&self.minutes) {
            row(table, "at one speed", &format_hundredths(permille / 10));
        }
    }
}
