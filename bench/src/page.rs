//! `bench page`: what the page costs a phone: bytes until the first verdict, and time, in a real Chromium.
//!
//! ```text
//! bytes     as gzip -9: document and verifier of the hosted shape; all that it may fetch; the one file
//! cold      from the beginning of a navigation to the one file until the verdict on a dropped receipt stands in the document
//! warm      from a drop until then, once the page has judged before
//! ```
//! Each cold run has a page of its own, with no cache of another. Painting is not in it.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde::Serialize;
use serde_json::{Value, json};
use tallystick_service::durable;
use tokio::process::Command;

use crate::browser::Browser;
use crate::figures::{Latency, row, section};
use crate::machine::Machine;

/// Far above any of the page's files.
const FILE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// How much slower than this machine a five-year-old phone is taken to be.
const SLOWDOWN: u32 = 6;

/// What to measure.
#[derive(Debug, Clone)]
pub struct PageOptions {
    /// The folder that `tallystick-page` wrote.
    pub page: PathBuf,
    /// A receipt that the page's trust file vouches for.
    pub receipt: PathBuf,
    /// Cold runs, and verdicts after each.
    pub runs: usize,
}

/// The figures, with their conditions.
#[derive(Debug, Clone, Serialize)]
pub struct PageReport {
    machine: Machine,
    browser: String,
    /// The conclusion that all runs came to.
    verdict: String,
    first_verdict_gzip_bytes: u64,
    hosted_gzip_bytes: u64,
    one_file_gzip_bytes: u64,
    cold: Latency,
    warm: Latency,
    cold_slowed_down: Latency,
    warm_slowed_down: Latency,
}

/// Measures a page that has been made.
///
/// # Errors
/// The page or the receipt is missing, or no Chromium runs.
pub async fn run(directory: &Path, options: &PageOptions) -> Result<PageReport> {
    let machine = Machine::read()?;
    let bytes = Bytes::of(&options.page).await?;
    let receipt = durable::read(&options.receipt, FILE_BYTES_MAX)?;
    let one_file = std::path::absolute(options.page.join("tallystick-verify.html")).context("name the page")?;
    let address = format!("file://{}", one_file.to_str().context("the page's path is not text")?);
    let script = script(&receipt, options.runs);
    let mut browser = Browser::start(&directory.join("profile")).await?;
    let version = browser.version().await?;
    let plain = times(&mut browser, &address, &script, 1, options.runs).await?;
    let slowed = times(&mut browser, &address, &script, SLOWDOWN, options.runs).await?;
    browser.stop().await?;
    ensure!(plain.verdict == slowed.verdict, "one receipt is {} and {}", plain.verdict, slowed.verdict);
    Ok(PageReport {
        machine,
        browser: version,
        verdict: plain.verdict,
        first_verdict_gzip_bytes: bytes.first,
        hosted_gzip_bytes: bytes.hosted,
        one_file_gzip_bytes: bytes.one_file,
        cold: Latency::of(plain.cold),
        warm: Latency::of(plain.warm),
        cold_slowed_down: Latency::of(slowed.cold),
        warm_slowed_down: Latency::of(slowed.warm),
    })
}

impl PageReport {
    /// The figures for people.
    pub fn table(&self) -> String {
        let mut table = format!("{}; {}\nall runs say {}\n", self.machine.line(), self.browser, self.verdict);
        section(&mut table, "bytes as gzip -9");
        row(&mut table, "to the first verdict", &self.first_verdict_gzip_bytes.to_string());
        row(&mut table, "all hosted files", &self.hosted_gzip_bytes.to_string());
        row(&mut table, "the one file", &self.one_file_gzip_bytes.to_string());
        section(&mut table, "time, the one file from disk");
        row(&mut table, "cold", &self.cold.line());
        row(&mut table, "warm", &self.warm.line());
        row(&mut table, &format!("cold, {SLOWDOWN}x slower"), &self.cold_slowed_down.line());
        row(&mut table, &format!("warm, {SLOWDOWN}x slower"), &self.warm_slowed_down.line());
        table
    }

    /// Writes them as JSON.
    pub fn save(&self, path: &Path) -> Result<()> {
        let json = serde_json::to_vec_pretty(self).context("write the figures as JSON")?;
        std::fs::write(path, json).with_context(|| format!("write {}", path.display()))
    }
}

struct Bytes {
    first: u64,
    hosted: u64,
    one_file: u64,
}

impl Bytes {
    async fn of(page: &Path) -> Result<Self> {
        let (mut first, mut hosted) = (0, 0);
        let folder = page.join("hosted");
        let entries = std::fs::read_dir(&folder);
        for entry in entries.with_context(|| format!("list {}: `make page` writes it", folder.display()))? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let bytes = gzip_bytes(&path).await?;
            hosted += bytes;
            if name == "index.html" || name.starts_with("verify-") {
                first += bytes;
            }
        }
        Ok(Self { first, hosted, one_file: gzip_bytes(&page.join("tallystick-verify.html")).await? })
    }
}

async fn gzip_bytes(path: &Path) -> Result<u64> {
    let output = Command::new("gzip").args(["-9", "-c"]).arg(path).stdin(Stdio::null()).output().await;
    let output = output.context("run gzip")?;
    ensure!(output.status.success(), "gzip {}: {}", path.display(), String::from_utf8_lossy(&output.stderr));
    Ok(output.stdout.len() as u64)
}

struct Times {
    verdict: String,
    cold: Vec<Duration>,
    warm: Vec<Duration>,
}

async fn times(browser: &mut Browser, address: &str, script: &str, slowdown: u32, runs: usize) -> Result<Times> {
    let mut times = Times { verdict: String::new(), cold: Vec::new(), warm: Vec::new() };
    // One more, which is thrown away: the first one reads programs and fonts from the disk.
    for run in 0..=runs {
        let tab = browser.open(slowdown).await?;
        browser.visit(&tab, address, script).await?;
        let measured = browser.value(&tab, "window.measured").await?;
        browser.close(tab).await?;
        let verdict = measured.get("verdict").and_then(Value::as_str).context("the page has shown no verdict")?;
        ensure!(run == 0 || verdict == times.verdict, "one receipt is {} and {verdict}", times.verdict);
        verdict.clone_into(&mut times.verdict);
        if run > 0 {
            times.cold.extend(durations(&measured, "cold")?);
            times.warm.extend(durations(&measured, "warm")?);
        }
    }
    Ok(times)
}

/// Microseconds, as the script gives them.
fn durations(measured: &Value, name: &str) -> Result<Vec<Duration>> {
    let list = measured.get(name).and_then(Value::as_array).with_context(|| format!("no {name} was measured"))?;
    let duration = |value: &Value| value.as_u64().map(Duration::from_micros).context("a time is no number");
    list.iter().map(duration).collect()
}

/// Runs before the page's own script: drops the receipt on the page as soon as that has run, and again after each verdict.
fn script(receipt: &[u8], warm_runs: usize) -> String {
    const SCRIPT: &str = r"
window.measured = (async ({ receipt, warmRuns }) => {
  const file = new File([Uint8Array.from(receipt)], 'receipt.tally');
  await new Promise((resolve) => document.addEventListener('DOMContentLoaded', resolve));
  const first = document.getElementById('first');
  const judged = async () => {
    const transfer = new DataTransfer();
    transfer.items.add(file);
    document.body.dispatchEvent(new DragEvent('drop', { dataTransfer: transfer, bubbles: true, cancelable: true }));
    await new Promise((resolve) => {
      const observer = new MutationObserver(() => {
        if (!first.querySelector('[data-code]')) return;
        observer.disconnect();
        resolve();
      });
      observer.observe(first, { childList: true, subtree: true });
    });
    return performance.now();
  };
  const micros = (from, to) => Math.round((to - from) * 1000);
  const cold = [micros(0, await judged())];
  const warm = [];
  for (let run = 0; run < warmRuns; run++) warm.push(micros(performance.now(), await judged()));
  return { verdict: first.querySelector('[data-code]').getAttribute('data-code'), cold, warm };
})";
    format!("{SCRIPT}({});", json!({ "receipt": receipt, "warmRuns": warm_runs }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_carries_the_receipt() {
        assert!(script(b"{}", 3).ends_with("({\"receipt\":[123,125],\"warmRuns\":3});"));
    }

    #[test]
    fn times_are_what_the_page_measured() {
        let measured = json!({ "cold": [1500], "warm": [2, 3] });
        assert_eq!(durations(&measured, "cold").unwrap(), [Duration::from_micros(1500)]);
        assert_eq!(durations(&measured, "warm").unwrap().len(), 2);
        assert!(durations(&measured, "none").is_err() && durations(&json!({ "cold": [1.5] }), "cold").is_err());
    }
}
