//! `bench endurance`: a load long enough to show what a minute hides, and whether it holds: the rate does not fall, the chain does not
//! stand still, memory stays within the budget.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use tallystick_devnet::Network;
use tallystick_devnet::process::http_get;

use crate::load::LoadOptions;
use crate::measure::{self, Span};
use crate::report::{Report, Verdict};

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

/// Store metrics of every issuer and validator.
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
}
