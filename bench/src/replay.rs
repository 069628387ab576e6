//! `bench replay`: how fast the audit office replays a ledger from an export, with every signature, proof and rule checked.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use tallystick_devnet::{Network, NetworkOptions};
use tallystick_service::errln;

use crate::figures::micros;
use crate::load::{LoadOptions, Pace};
use crate::measure::{self, OBSERVED_VALIDATOR};
use crate::offline::{self, LiveBytes};
use crate::processes;
use crate::report::{ReplayReport, Report};

/// A ledger that fills more slowly is given up.
const FILL_RECEIPTS_PER_SECOND_MIN: u64 = 200;
/// Until the first receipts are sealed.
const FILL_START_MAX: Duration = Duration::from_secs(60);

/// Exports the ledger of a stopped validator and replays it.
pub async fn measure(network: &Network, receipts: u64) -> Result<ReplayReport> {
    let file = network.layout().root().join("export.tallyledger");
    offline::export(network, OBSERVED_VALIDATOR, &file).await.context("export the ledger")?;
    let path = file.to_str().context("the export's path is not text")?;
    let genesis = network.layout().genesis();
    let genesis = genesis.to_str().context("the path of genesis is not text")?;
    let (start, cpu_before) = (Instant::now(), processes::ended_children_cpu_micros()?);
    let arguments = ["audit", "--export", path, "--genesis", genesis];
    let (code, report) = network.run_verifier(&arguments).await?;
    let elapsed_micros = micros(start.elapsed());
    let cpu_micros = processes::ended_children_cpu_micros()? - cpu_before;
    ensure!(code == 0, "the audit ended with exit code {code}:\n{report}");
    let export_bytes = std::fs::metadata(&file).context("measure the export")?.len();
    std::fs::remove_file(&file).context("remove the export")?;
    let receipts_per_second = receipts.saturating_mul(1_000_000).checked_div(elapsed_micros).unwrap_or(0);
    Ok(ReplayReport { receipts, export_bytes, elapsed_micros, receipts_per_second, cpu_micros, report })
}

/// Fills a new network's ledger with about so many receipts, stops it, measures store and replay.
pub async fn run(directory: Option<&Path>, receipts: u64) -> Result<Report> {
    let options = NetworkOptions::default();
    let (mut network, directory) = measure::new_network(directory, &options)?;
    let mut report = Report::new(measure::conditions(&network, &options)?);
    network.start().await?;
    let pace = Pace::Closed { callers: 8, unsealed_max: 20_000 };
    let load_options = LoadOptions { pace, many: Some(100), connections: 4 };
    let filled = fill(&network, load_options, receipts).await?;
    network.stop().await?;
    report.live_bytes = Some(LiveBytes::inspect(&network, OBSERVED_VALIDATOR, filled).await?);
    report.replay = Some(measure(&network, filled).await?);
    drop(network);
    std::fs::remove_dir_all(&directory).with_context(|| format!("remove {}", directory.display()))?;
    Ok(report)
}

/// Issues until at least so many receipts are sealed; the exact number.
async fn fill(network: &Network, options: LoadOptions, receipts: u64) -> Result<u64> {
    let lasts_max = FILL_START_MAX + Duration::from_secs(receipts / FILL_RECEIPTS_PER_SECOND_MIN);
    measure::day_lasts(network, lasts_max).await?;
    let mut load = crate::load::Load::start(network, options).await?;
    let (deadline, mut shown) = (Instant::now() + lasts_max, 0);
    loop {
        let sealed = load.tracker().sealed_count() as u64;
        if sealed >= receipts {
            break;
        }
        ensure!(Instant::now() < deadline, "after {lasts_max:?} only {sealed} of {receipts} receipts are sealed");
        measure::run_for(&mut load, Duration::from_secs(1)).await?;
        if sealed >= shown + 50_000 {
            shown = sealed;
            errln!("    {sealed} of {receipts} receipts sealed");
        }
    }
    let outcome = load.finish().await?;
    ensure!(outcome.tracked.unsealed == 0, "{} receipts are not sealed", outcome.tracked.unsealed);
    ensure!(outcome.tracked.problems.is_empty(), "{:?}", outcome.tracked.problems);
    Ok(outcome.tracked.sealed.len() as u64)
}
