//! Reports as JSON for programs: with the head that every report of these programs has. The formats: `docs/spec/schemas`.

use std::path::Path;

use anyhow::{Context as _, Result};
use receipt_core::ids::UnixMillis;
use serde::Serialize;
use tallystick_service::report::Stamped;

use crate::clock;

const PROGRAM: (&str, &str) = ("tallystick-bench", env!("CARGO_PKG_VERSION"));
/// Of `bench.schema.json` and `bench-page.schema.json`.
const FORMAT_VERSION: u32 = 1;

/// Writes a report, made now.
pub(crate) fn save(report: &impl Serialize, path: &Path) -> Result<()> {
    std::fs::write(path, to_json(report, clock::now()?)?).with_context(|| format!("write {}", path.display()))
}

fn to_json(report: &impl Serialize, now: UnixMillis) -> Result<String> {
    let stamped = Stamped::new(PROGRAM, Some(FORMAT_VERSION), now, report);
    Ok(serde_json::to_string_pretty(&stamped).context("write the report as JSON")? + "\n")
}

#[cfg(test)]
pub(crate) mod tests;
