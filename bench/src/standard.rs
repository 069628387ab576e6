//! `bench standard`: the runs behind `RESULTS.md`, each on a new network of its own, so that none rides on another's caches.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tallystick_devnet::NetworkOptions;

use crate::floor::Floor;
use crate::load::{LoadOptions, Pace};
use crate::measure::{self, OBSERVED_VALIDATOR, Span};
use crate::offline::LiveBytes;
use crate::replay;
use crate::report::Report;

/// Closed and open loops of the figures to reach.
pub fn loads() -> [LoadOptions; 4] {
    let load = |pace, many| LoadOptions { pace, many, connections: 4 };
    [
        load(Pace::Closed { callers: 16, unsealed_max: 8_000 }, Some(50)),
        load(Pace::Closed { callers: 128, unsealed_max: 8_000 }, None),
        load(Pace::Open { rate: 2_500 }, Some(50)),
        load(Pace::Open { rate: 1_000 }, None),
    ]
}

/// What to do besides the load.
#[derive(Debug, Clone, Copy)]
pub struct After {
    /// Stop the network and measure the store.
    pub live_bytes: bool,
    /// Whether the ledger is replayed, too.
    pub replay: bool,
}

/// Runs one load on a new network, with the floor measured first.
pub async fn run_one(directory: Option<&Path>, load: LoadOptions, span: Span, after: After) -> Result<Report> {
    let options = NetworkOptions::default();
    let (mut network, directory) = measure::new_network(directory, &options)?;
    let mut report = Report::new(measure::conditions(&network, &options)?);
    report.floor = Some(Floor::measure(&directory, report.conditions.validators)?);
    network.start().await?;
    let (figures, receipts) = measure::load(&network, load, span).await?;
    report.loads.push(figures);
    network.stop().await?;
    if after.live_bytes {
        report.live_bytes = Some(LiveBytes::inspect(&network, OBSERVED_VALIDATOR, receipts).await?);
    }
    if after.replay {
        report.replay = Some(replay::measure(&network, receipts).await?);
    }
    drop(network);
    std::fs::remove_dir_all(&directory).with_context(|| format!("remove {}", directory.display()))?;
    Ok(report)
}

/// All of them; store and replay after the first, which leaves the largest ledger.
pub async fn run(directory: Option<&Path>, span: Span) -> Result<Report> {
    let mut all: Option<Report> = None;
    for (index, load) in loads().into_iter().enumerate() {
        let is_first = all.is_none();
        let directory = directory.map(|directory| directory.join(format!("run-{index}")));
        let one = run_one(directory.as_deref(), load, span, After { live_bytes: is_first, replay: is_first }).await?;
        match &mut all {
            None => all = Some(one),
            Some(all) => all.loads.extend(one.loads),
        }
        tokio::time::sleep(SETTLE).await;
    }
    all.context("there are no loads")
}

/// Pause between two networks, for the disk to come to rest.
const SETTLE: Duration = Duration::from_secs(2);
