//! What single runs add to a report: the loss of a validator, a replay, a distance between validators.

use serde::Serialize;

use super::LoadReport;
use crate::figures::{Latency, format_hundredths, ms, row, section};

/// Heights before and after the loss of a validator that are compared.
pub(crate) const COMPARED_HEIGHTS: usize = 100;

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
        row(table, "a height", &format!("{before} before, {after} over the next {COMPARED_HEIGHTS}"));
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

/// A replay.
#[derive(Debug, Clone, Serialize)]
pub struct ReplayReport {
    /// Receipts of the ledger.
    pub receipts: u64,
    /// Bytes of the export.
    pub export_bytes: u64,
    /// The whole `tallystick-verifier audit --export`, start of the program included, in microseconds.
    pub elapsed_micros: u64,
    /// Receipts per second of that.
    pub receipts_per_second: u64,
    /// CPU time of the auditor's program, in microseconds.
    pub cpu_micros: u64,
    /// The audit's report, as text.
    pub report: String,
}

impl ReplayReport {
    /// Adds its section to the table.
    pub(crate) fn write(&self, table: &mut String) {
        section(table, "replay of an export");
        let Self { receipts, export_bytes, elapsed_micros, receipts_per_second, cpu_micros, .. } = self;
        row(table, "receipts", &format!("{receipts}, {export_bytes} bytes of export"));
        row(table, "replayed", &format!("{receipts_per_second} receipts/s, all in {}", ms(*elapsed_micros)));
        let each = cpu_micros.checked_div(*receipts).unwrap_or(0);
        row(table, "CPU", &format!("{each} µs per receipt, {} in all", ms(*cpu_micros)));
    }
}

/// Figures of one delay.
#[derive(Debug, Clone, Serialize)]
pub struct WanReport {
    /// One way, between each two validators.
    pub delay_ms: u64,
    /// Receipts per second of the light load.
    pub light_per_second: u32,
    /// Light load: from the call to the answer that it is sealed.
    pub light_sealed: Latency,
    /// Consensus rounds above 0 under the light load, as the first validator saw them.
    pub light_further_rounds: u64,
    /// What the median is above that of the smallest delay, in hundredths of a delay; none for the smallest.
    pub light_delays_hundredths: Option<u64>,
    /// The full load.
    pub full: Option<LoadReport>,
}

impl WanReport {
    /// Adds its section to the table.
    pub(crate) fn write(&self, table: &mut String) {
        section(table, &format!("{} ms one way between validators", self.delay_ms));
        row(table, "light, sealed", &format!("{}; {} receipts/s", self.light_sealed.line(), self.light_per_second));
        if let Some(hundredths) = self.light_delays_hundredths {
            row(table, "one-way delays", &format!("{} above the smallest delay's p50", format_hundredths(hundredths)));
        }
        row(table, "light, further rounds", &self.light_further_rounds.to_string());
        let Some(full) = &self.full else { return };
        row(table, "full, sealed", &format!("{} receipts/s; {}", full.sealed_per_second, full.sealed.line()));
        let mean = full.receipts_sealed.checked_div(full.blocks).unwrap_or(0);
        let gap = ms(full.block_gap_max_micros);
        row(table, "full, blocks", &format!("{} of {mean} receipts each; longest gap {gap}", full.blocks));
        row(table, "full, further rounds", &full.further_rounds.to_string());
        for problem in full.problems.iter().take(5) {
            row(table, "PROBLEM", problem);
        }
    }
}
