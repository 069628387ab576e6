//! What a stopped validator's own program tells: how many bytes live in each table, and an export of its ledger.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde::Serialize;
use tallystick_devnet::Network;
use tokio::process::Command;

use crate::figures::{row, section};

/// Live bytes of one validator's store after compaction, blocks included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LiveBytes {
    /// Receipts on the ledger.
    pub receipts: u64,
    /// Bytes of all tables.
    pub total: u64,
    /// Bytes by table.
    pub tables: BTreeMap<String, u64>,
}

impl LiveBytes {
    /// Inspects a stopped validator of a network whose ledger holds so many receipts.
    pub async fn inspect(network: &Network, validator_id: u32, receipts: u64) -> Result<Self> {
        let output = node_program(network, validator_id, &["inspect", "--compacted"]).await?;
        let (total, tables) = parse(&output).with_context(|| format!("read what inspect says:\n{output}"))?;
        Ok(Self { receipts, total, tables })
    }

    /// Adds its section to the table.
    pub(crate) fn write(&self, table: &mut String) {
        let per_receipt = |bytes: u64| bytes.checked_div(self.receipts).unwrap_or(0);
        section(table, "one validator's store, after compaction");
        row(table, "receipts on the ledger", &self.receipts.to_string());
        row(table, "bytes per receipt", &format!("{} ({} in all)", per_receipt(self.total), self.total));
        for (name, bytes) in &self.tables {
            row(table, &format!("  {name}"), &format!("{} ({bytes})", per_receipt(*bytes)));
        }
    }
}

/// Exports the ledger of a stopped validator into a new file.
pub async fn export(network: &Network, validator_id: u32, out: &Path) -> Result<()> {
    let out = out.to_str().context("the export's path is not text")?;
    node_program(network, validator_id, &["export", "--out", out]).await?;
    Ok(())
}

async fn node_program(network: &Network, validator_id: u32, arguments: &[&str]) -> Result<String> {
    let output = Command::new(&network.binaries().node)
        .args(arguments)
        .arg("--config")
        .arg(network.layout().node_config(validator_id))
        .kill_on_drop(true)
        .output()
        .await
        .context("run the node's program")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "tallystick-node {arguments:?} ended with {}:\n{text}{errors}", output.status);
    Ok(text)
}

/// The line `live bytes TOTAL …` and the lines `  TABLE BYTES` after it.
fn parse(output: &str) -> Option<(u64, BTreeMap<String, u64>)> {
    let mut lines = output.lines().skip_while(|line| !line.starts_with("live bytes"));
    let total = lines.next()?.split_whitespace().nth(2)?.parse().ok()?;
    let table = |line: &str| {
        let (name, bytes) = line.trim().split_once(' ')?;
        Some((name.to_owned(), bytes.trim().parse().ok()?))
    };
    Some((total, lines.map_while(table).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_follow_the_total() {
        let output =
            "height         9\nlive bytes     300 after compaction\n  blocks            200\n  receipts          100\n";
        let (total, tables) = parse(output).unwrap();
        assert_eq!((total, tables.len(), tables["blocks"]), (300, 2, 200));
        assert!(parse("height 9\n").is_none());
    }
}
