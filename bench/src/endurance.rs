//! `bench endurance`: a load long enough to show what a minute hides, and whether it holds: the rate does not fall, the chain does not
//! stand still, memory stays within the budget.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde::Serialize;
use tallystick_devnet::Network;
use tallystick_devnet::process::http_get;
use tallystick_storage::budget::MEMORY_BYTES_DEFAULT;

use crate::load::LoadOptions;
use crate::measure::{self, Span};
use crate::processes::SELF_NAME;
use crate::report::{LoadReport, Report, format_hundredths, ms, row, section};
use crate::slope::{Minute, last_by_first_permille};

/// The last five minutes' rate as a share of the first five's, in thousandths, at least.
const LAST_BY_FIRST_PERMILLE_MIN: u64 = 900;
/// Without a block.
const GAP_MICROS_MAX: u64 = 1_000_000;
/// What the configs of a development network allow: they name no budget.
const MEMORY_MIB_MAX: u64 = MEMORY_BYTES_DEFAULT / 1024 / 1024;

/// Whether a long load held.
#[derive(Debug, Clone, Serialize)]
pub struct Verdict {
    /// The last five minutes' rate as a share of the first five's, in thousandths; `None` of fewer than ten minutes.
    pub last_by_first_permille: Option<u64>,
    /// The longest time without a block, in microseconds.
    pub block_gap_max_micros: u64,
    /// Largest resident memory of each process, in MiB.
    pub peak_memory_mib: BTreeMap<String, u64>,
    /// For how long each store slowed its writes down or stopped them, in milliseconds.
    pub write_stall_millis: BTreeMap<String, u64>,
    /// How often each store wrote a byte that it was given, in hundredths.
    pub write_amplification_hundredths: BTreeMap<String, u64>,
    /// What did not hold; empty: all did.
    pub broken: Vec<String>,
}

impl Verdict {
    fn of(load: &LoadReport) -> Self {
        let gaps = load.minutes.iter().map(|minute: &Minute| minute.block_gap_max_micros);
        let block_gap_max_micros = gaps.max().unwrap_or(0).max(load.block_gap_max_micros);
        let last_by_first_permille = last_by_first_permille(&load.minutes);
        let peak_memory_mib: BTreeMap<String, u64> =
            load.peak_memory_mib.clone().into_iter().filter(|(name, _)| name != SELF_NAME).collect();
        let mut broken = Vec::new();
        match last_by_first_permille {
            None => broken.push("fewer than ten minutes: nothing is known of the slope".to_owned()),
            Some(permille) if permille < LAST_BY_FIRST_PERMILLE_MIN => {
                broken.push(format!(
                    "the last five minutes had {} of the first five's rate",
                    format_hundredths(permille / 10)
                ));
            }
            Some(_) => {}
        }
        if block_gap_max_micros > GAP_MICROS_MAX {
            broken.push(format!("no block for {}", ms(block_gap_max_micros)));
        }
        for (name, mib) in peak_memory_mib.iter().filter(|(_, mib)| **mib > MEMORY_MIB_MAX) {
            broken.push(format!("{name} took {mib} MiB, its budget is {MEMORY_MIB_MAX}"));
        }
        Self {
            last_by_first_permille,
            block_gap_max_micros,
            peak_memory_mib,
            write_stall_millis: BTreeMap::new(),
            write_amplification_hundredths: BTreeMap::new(),
            broken,
        }
    }

    /// Whether everything held.
    pub fn holds(&self) -> bool {
        self.broken.is_empty()
    }

    pub(crate) fn write(&self, table: &mut String) {
        section(table, "endurance");
        let share =
            self.last_by_first_permille.map_or("unknown".to_owned(), |permille| format_hundredths(permille / 10));
        row(table, "last five by first five", &format!("{share}; at least 0.90"));
        row(table, "longest without a block", &format!("{}; at most 1 s", ms(self.block_gap_max_micros)));
        let listed = |figures: &BTreeMap<String, u64>, shown: fn(u64) -> String| {
            figures.iter().map(|(name, figure)| format!("{name} {}", shown(*figure))).collect::<Vec<_>>().join(", ")
        };
        let memory = listed(&self.peak_memory_mib, |mib| mib.to_string());
        row(table, "peak memory MiB", &format!("{memory}; at most {MEMORY_MIB_MAX} each"));
        row(table, "writes stalled ms", &listed(&self.write_stall_millis, |millis| millis.to_string()));
        row(table, "written per byte", &listed(&self.write_amplification_hundredths, format_hundredths));
        match self.broken.is_empty() {
            true => row(table, "verdict", "HOLDS"),
            false => row(table, "verdict", &format!("DOES NOT HOLD: {}", self.broken.join("; "))),
        }
    }
}

/// One load on a new network, and the verdict.
pub async fn run(directory: Option<&Path>, load: LoadOptions, span: Span) -> Result<Report> {
    let options = tallystick_devnet::NetworkOptions::default();
    let (mut network, directory) = measure::new_network(directory, &options)?;
    let mut report = Report::new(measure::conditions(&network, &options)?);
    network.start().await?;
    let (figures, _) = measure::load(&network, load, span).await?;
    let mut verdict = Verdict::of(&figures);
    for (name, metrics) in store_metrics(&network).await? {
        verdict.write_stall_millis.insert(name.clone(), metrics.stall_millis);
        verdict.write_amplification_hundredths.insert(name, metrics.amplification_hundredths);
    }
    report.loads.push(figures);
    report.endurance = Some(verdict);
    network.stop().await?;
    drop(network);
    std::fs::remove_dir_all(&directory).with_context(|| format!("remove {}", directory.display()))?;
    Ok(report)
}

struct StoreMetrics {
    stall_millis: u64,
    amplification_hundredths: u64,
}

impl StoreMetrics {
    fn read(text: &str) -> Option<Self> {
        let value = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<f64>().ok());
        let written = |by: &str| value(&format!("tallystick_store_written_bytes_total{{by=\"{by}\"}} "));
        let log = written("log")?;
        let sum = log + written("flush")? + written("compaction")?;
        let whole = |value: f64| if value.is_finite() && value >= 0.0 { value as u64 } else { 0 };
        Some(Self {
            stall_millis: whole(value("tallystick_store_write_stall_seconds_total ")? * 1000.0),
            amplification_hundredths: whole(sum / log * 100.0),
        })
    }
}

/// Of the issuers and the validators.
async fn store_metrics(network: &Network) -> Result<Vec<(String, StoreMetrics)>> {
    let description = network.description();
    let nodes = description.nodes.iter().map(|node| (format!("node-{}", node.validator_id), node.metrics));
    let issuers = description.issuers.iter().map(|issuer| (format!("issuer-{}", issuer.issuer_id), issuer.metrics));
    let mut all = Vec::new();
    for (name, address) in issuers.chain(nodes) {
        let (status, body) = http_get(address, "/metrics").await?;
        ensure!(status == 200, "{name} answers /metrics with {status}");
        let text = String::from_utf8(body).context("the metrics are not text")?;
        all.push((name.clone(), StoreMetrics::read(&text).with_context(|| format!("{name} shows no store"))?));
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_store_shows_is_read() {
        let text = "tallystick_store_write_stall_seconds_total 1.25\n\
                    tallystick_store_written_bytes_total{by=\"log\"} 1000\n\
                    tallystick_store_written_bytes_total{by=\"flush\"} 1000\n\
                    tallystick_store_written_bytes_total{by=\"compaction\"} 2500\n\
                    tallystick_store_written_bytes_total{by=\"blob\"} 700\n";
        let metrics = StoreMetrics::read(text).unwrap();
        assert_eq!((metrics.stall_millis, metrics.amplification_hundredths), (1250, 450));
        assert!(StoreMetrics::read("").is_none());
    }

    #[test]
    fn each_bound_breaks_by_itself() {
        let minute = |sealed_per_second, block_gap_max_micros| Minute {
            sealed_per_second,
            block_gap_max_micros,
            cpu_micros_per_receipt: BTreeMap::new(),
            memory_mib: BTreeMap::new(),
        };
        let broken = |first, last, gap, mib| {
            let minutes = [vec![minute(first, 0); 5], vec![minute(last, gap); 5]].concat();
            let peak_memory_mib = [("issuer-1".to_owned(), mib), (SELF_NAME.to_owned(), 9_999)].into();
            Verdict::of(&LoadReport { minutes, peak_memory_mib, ..LoadReport::default() }).broken
        };
        assert!(broken(1000, 900, 1_000_000, 512).is_empty());
        assert!(broken(1000, 899, 0, 0)[0].contains("0.89 of the first five's rate"));
        assert!(broken(1000, 1000, 1_000_001, 0)[0].contains("no block"));
        assert!(broken(1000, 1000, 0, 513)[0].contains("issuer-1 took 513 MiB"));
        assert!(Verdict::of(&LoadReport::default()).broken[0].contains("fewer than ten minutes"));
    }
}
