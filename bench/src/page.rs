//! `bench page`: what the page costs a phone: bytes until the first verdict, and time, in a real Chromium.
//!
//! ```text
//! bytes     as gzip -9: document and verifier of the hosted shape; these, what judges codes and what scans them; all that it may fetch; the one file
//! cold      from the beginning of a navigation to the one file until the verdict on a dropped receipt stands in the document
//! warm      from a drop until then, once the page has judged before
//! frame     a frame of the camera, in the page's own scanner (`frames`)
//! scan      from the text of the receipt's code to the verdict's JSON, in the page's own module, the directory of units opened anew each time
//! ```
//! Each cold run has a page of its own, with no cache of another. Painting is not in it.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use receipt_core::bundle::Bundle;
use receipt_core::code::{self, Host};
use receipt_core::limits::DIRECTORY_BYTES_MAX;
use serde::Serialize;
use serde_json::{Value, json};
use tallystick_service::durable;
use tokio::process::Command;

use crate::browser::{Browser, durations};
use crate::figures::{Latency, row, section};
use crate::frames::{self, FrameReport, Frames};
use crate::machine::Machine;
use crate::written;

/// Far above any of the page's files.
const FILE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Where the receipt's code is taken to lead: its length is a real one's.
const HOST: &str = "tally.example";
/// How much slower than this machine a five-year-old phone is taken to be.
const SLOWDOWN: u32 = 6;

/// What to measure.
#[derive(Debug, Clone)]
pub struct PageOptions {
    /// The folder that `tallystick-page` wrote.
    pub page: PathBuf,
    /// A receipt that the page's trust file vouches for.
    pub receipt: PathBuf,
    /// The directory of units by which the receipt's code is judged; `None`: no scan is measured.
    pub directory: Option<PathBuf>,
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
    scanner_gzip_bytes: u64,
    hosted_gzip_bytes: u64,
    one_file_gzip_bytes: u64,
    cold: Latency,
    warm: Latency,
    cold_slowed_down: Latency,
    warm_slowed_down: Latency,
    frames: Vec<FrameReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scan: Option<ScanReport>,
}

/// What judging the code on the paper takes.
#[derive(Debug, Clone, Serialize)]
struct ScanReport {
    /// The conclusion that all scans came to.
    verdict: String,
    directory_bytes: usize,
    time: Latency,
    time_slowed_down: Latency,
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
    let read = |path: &PathBuf| -> Result<Scan> { Scan::of(&receipt, durable::read(path, DIRECTORY_BYTES_MAX)?) };
    let scan = options.directory.as_ref().map(read).transpose()?;
    let script = script(&receipt, scan.as_ref(), options.runs);
    let mut browser = Browser::start(&directory.join("profile")).await?;
    let version = browser.version().await?;
    let record = Bundle::decode(&receipt).context("read the receipt")?.record;
    let mut frames = Frames::of(&Host::new(HOST).context("name a host")?, &record, options.runs)?;
    let mut frames_slowed = frames.anew();
    let plain = times(&mut browser, &address, &script, 1, options.runs, &mut frames).await?;
    let slowed = times(&mut browser, &address, &script, SLOWDOWN, options.runs, &mut frames_slowed).await?;
    browser.stop().await?;
    ensure!(plain.verdict == slowed.verdict, "one receipt is {} and {}", plain.verdict, slowed.verdict);
    ensure!(
        plain.scan_verdict == slowed.scan_verdict,
        "one code is {:?} and {:?}",
        plain.scan_verdict,
        slowed.scan_verdict
    );
    let scan = scan.zip(plain.scan_verdict).map(|(scan, verdict)| ScanReport {
        verdict,
        directory_bytes: scan.directory.len(),
        time: Latency::of(plain.scan),
        time_slowed_down: Latency::of(slowed.scan),
    });
    Ok(PageReport {
        machine,
        browser: version,
        verdict: plain.verdict,
        first_verdict_gzip_bytes: bytes.first,
        scanner_gzip_bytes: bytes.scanner,
        hosted_gzip_bytes: bytes.hosted,
        one_file_gzip_bytes: bytes.one_file,
        cold: Latency::of(plain.cold),
        warm: Latency::of(plain.warm),
        cold_slowed_down: Latency::of(slowed.cold),
        warm_slowed_down: Latency::of(slowed.warm),
        frames: frames.report(frames_slowed),
        scan,
    })
}

impl PageReport {
    /// The figures for people.
    pub fn table(&self) -> String {
        let mut table = format!("{}; {}\nall runs say {}\n", self.machine.line(), self.browser, self.verdict);
        section(&mut table, "bytes as gzip -9");
        row(&mut table, "to the first verdict", &self.first_verdict_gzip_bytes.to_string());
        row(&mut table, "with the scanner", &self.scanner_gzip_bytes.to_string());
        row(&mut table, "all hosted files", &self.hosted_gzip_bytes.to_string());
        row(&mut table, "the one file", &self.one_file_gzip_bytes.to_string());
        section(&mut table, "time, the one file from disk");
        row(&mut table, "cold", &self.cold.line());
        row(&mut table, "warm", &self.warm.line());
        row(&mut table, &format!("cold, {SLOWDOWN}x slower"), &self.cold_slowed_down.line());
        row(&mut table, &format!("warm, {SLOWDOWN}x slower"), &self.warm_slowed_down.line());
        frames::table(&mut table, &self.frames, SLOWDOWN);
        if let Some(scan) = &self.scan {
            section(&mut table, "time, the code on the paper");
            row(&mut table, "all scans say", &scan.verdict);
            row(&mut table, "bytes of the directory", &scan.directory_bytes.to_string());
            row(&mut table, "scan", &scan.time.line());
            row(&mut table, &format!("scan, {SLOWDOWN}x slower"), &scan.time_slowed_down.line());
        }
        table
    }

    /// Writes them as JSON.
    pub fn save(&self, path: &Path) -> Result<()> {
        written::save(self, path)
    }
}

struct Bytes {
    first: u64,
    scanner: u64,
    hosted: u64,
    one_file: u64,
}

impl Bytes {
    async fn of(page: &Path) -> Result<Self> {
        let (mut first, mut scanner, mut hosted) = (0, 0, 0);
        let folder = page.join("hosted");
        let entries = std::fs::read_dir(&folder);
        for entry in entries.with_context(|| format!("list {}: `make page` writes it", folder.display()))? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if name.ends_with(".br") {
                continue;
            }
            let bytes = gzip_bytes(&path).await?;
            hosted += bytes;
            if name == "index.html" || name.starts_with("verify-") {
                first += bytes;
            } else if name.starts_with("codes-") || name.starts_with("carrier-") {
                scanner += bytes;
            }
        }
        let one_file = gzip_bytes(&page.join("tallystick-verify.html")).await?;
        Ok(Self { first, scanner: first + scanner, hosted, one_file })
    }
}

async fn gzip_bytes(path: &Path) -> Result<u64> {
    let output = Command::new("gzip").args(["-9", "-c"]).arg(path).stdin(Stdio::null()).output().await;
    let output = output.context("run gzip")?;
    ensure!(output.status.success(), "gzip {}: {}", path.display(), String::from_utf8_lossy(&output.stderr));
    Ok(output.stdout.len() as u64)
}

/// The text of a receipt's code, and the directory file by which it is judged.
#[derive(Debug, Serialize)]
struct Scan {
    host: &'static str,
    text: String,
    directory: Vec<u8>,
}

impl Scan {
    fn of(receipt: &[u8], directory: Vec<u8>) -> Result<Self> {
        let bundle = Bundle::decode(receipt).context("read the receipt")?;
        let text = code::text(&Host::new(HOST).context("name a host")?, &bundle.record);
        Ok(Self { host: HOST, text, directory })
    }
}

#[derive(Default)]
struct Times {
    verdict: String,
    cold: Vec<Duration>,
    warm: Vec<Duration>,
    scan_verdict: Option<String>,
    scan: Vec<Duration>,
}

async fn times(
    browser: &mut Browser,
    address: &str,
    script: &str,
    slowdown: u32,
    runs: usize,
    frames: &mut Frames,
) -> Result<Times> {
    let mut times = Times::default();
    // One more, which is thrown away: the first one reads programs and fonts from the disk.
    for run in 0..=runs {
        let tab = browser.open(slowdown).await?;
        browser.visit(&tab, address, script).await?;
        let measured = browser.value(&tab, "window.measured").await?;
        frames.measure(browser, &tab, run > 0).await?;
        browser.close(tab).await?;
        let verdict = measured.get("verdict").and_then(Value::as_str).context("the page has shown no verdict")?;
        ensure!(run == 0 || verdict == times.verdict, "one receipt is {} and {verdict}", times.verdict);
        verdict.clone_into(&mut times.verdict);
        let scanned = measured.get("scanVerdict").and_then(Value::as_str).map(str::to_owned);
        ensure!(run == 0 || scanned == times.scan_verdict, "one code is {:?} and {scanned:?}", times.scan_verdict);
        times.scan_verdict = scanned;
        if run > 0 {
            times.cold.extend(durations(&measured, "cold")?);
            times.warm.extend(durations(&measured, "warm")?);
            times.scan.extend(durations(&measured, "scans")?);
        }
    }
    Ok(times)
}

/// Runs before the page's own script: drops the receipt on the page as soon as that has run, and again after each verdict. Then its code is judged as often, by an
/// instance of its own of the page's module.
fn script(receipt: &[u8], scan: Option<&Scan>, warm_runs: usize) -> String {
    const SCRIPT: &str = r"
window.measured = (async ({ receipt, scan, warmRuns }) => {
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
  const verdict = first.querySelector('[data-code]').getAttribute('data-code');
  const scans = [];
  if (!scan) return { verdict, cold, warm, scans };
  const encoded = (text) => new TextEncoder().encode(text);
  const block = (id) => document.getElementById(id).textContent;
  // The one file has one verifier for all questions.
  const module = Uint8Array.from(atob(block('verify')), (letter) => letter.charCodeAt(0));
  const { exports } = (await WebAssembly.instantiate(module, {})).instance;
  const options = encoded(JSON.stringify({ at_ms: Date.now(), clock: true, hosts: [scan.host] }));
  const [trust, directory, text] = [encoded(block('trust')), Uint8Array.from(scan.directory), encoded(scan.text)];
  const parts = [options, trust, directory, text];
  let judgement;
  for (let run = 0; run < warmRuns; run++) {
    const from = performance.now();
    let at = exports.tallystick_input(parts.reduce((sum, part) => sum + part.length, 0));
    const memory = new Uint8Array(exports.memory.buffer);
    for (const part of parts) {
      memory.set(part, at);
      at += part.length;
    }
    const length = exports.tallystick_scan(options.length, trust.length, directory.length);
    const answer = new Uint8Array(exports.memory.buffer, exports.tallystick_output(), length);
    judgement = JSON.parse(new TextDecoder().decode(answer));
    scans.push(micros(from, performance.now()));
  }
  if (judgement.problem) throw new Error(`the code is not judged: ${judgement.problem}: ${judgement.detail}`);
  return { verdict, cold, warm, scanVerdict: judgement.conclusion.code, scans };
})";
    format!("{SCRIPT}({});", json!({ "receipt": receipt, "scan": scan, "warmRuns": warm_runs }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::written::tests::{assert_fits, machine};

    #[test]
    fn the_script_carries_the_receipt() {
        assert!(script(b"{}", None, 3).ends_with("({\"receipt\":[123,125],\"scan\":null,\"warmRuns\":3});"));
    }

    #[test]
    fn the_code_is_that_of_the_receipt() {
        let vectors: Value = serde_json::from_str(include_str!("../../docs/spec/vectors/bundle.json")).unwrap();
        let receipt = vectors["bundles"][0]["bundle"].as_str().unwrap().as_bytes();
        let scan = Scan::of(receipt, b"units".to_vec()).unwrap();
        let record = Bundle::decode(receipt).unwrap().record;
        assert_eq!(code::read(&scan.text, &[Host::new(HOST).unwrap()]).unwrap(), record);
        let text = script(b"{}", Some(&scan), 3);
        assert!(text.contains("\"directory\":[117,110,105,116,115]") && text.contains(&scan.text), "{text}");
        assert!(Scan::of(b"{}", Vec::new()).is_err());
    }

    #[test]
    fn the_figures_have_the_head_of_every_report_and_fit_their_schema() {
        let schema = include_str!("../../docs/spec/schemas/bench-page.schema.json");
        let mut report = PageReport {
            machine: machine(),
            browser: "Chromium".to_owned(),
            verdict: "IN_FORCE".to_owned(),
            first_verdict_gzip_bytes: 1,
            scanner_gzip_bytes: 2,
            hosted_gzip_bytes: 3,
            one_file_gzip_bytes: 4,
            cold: Latency::default(),
            warm: Latency::default(),
            cold_slowed_down: Latency::default(),
            warm_slowed_down: Latency::default(),
            frames: Vec::new(),
            scan: None,
        };
        assert_fits(schema, &report);
        let (time, time_slowed_down) = (Latency::default(), Latency::default());
        report.frames.push(FrameReport { picture: "print", time, time_slowed_down });
        report.scan = Some(ScanReport { verdict: "SIGNED".to_owned(), directory_bytes: 5, time, time_slowed_down });
        assert_fits(schema, &report);
    }
}
