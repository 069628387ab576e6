//! Reading the processes' logs: which lines warn, and which of them a test expects.
//!
//! A log line that says WARN or ERROR and is on no allow list fails an end-to-end test: either the line is wrong, or the
//! system is.

use std::path::Path;

use anyhow::{Context as _, Result};

use crate::layout::Layout;

/// What a node logs when it starts its engine, and when it stops it as asked. In between all is watched; from a stop to the next
/// start, the engine's parts warn of one another's end. One that ends without being told says neither.
const ENGINE_STARTS: &str = "the engine starts";
const ENGINE_STOPS: &str = "the engine stops as asked";
const ENGINE_CRATES: &str = "arc_malachitebft_";
/// Never part of an orderly end.
const SAFETY_WORDS: [&str; 2] = ["afety-critical", "afety-hang"];

/// A line that warns, or that nobody could classify.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFinding {
    /// The process, as in `logs/NAME.log`.
    pub process: String,
    /// Line number, from 1.
    pub line: usize,
    /// The line.
    pub text: String,
}

/// Lines that are expected in a test: a line passes if it contains all fragments of one entry.
#[derive(Debug, Clone, Default)]
pub struct AllowList {
    entries: Vec<(&'static str, Vec<&'static str>)>,
}

impl AllowList {
    /// An empty list: no WARN or ERROR line is expected.
    pub fn none() -> Self {
        Self::default()
    }

    /// What validators that start, stop or die always bring: nothing that warns. A validator that ends without being told is
    /// found by [`Network::dead_processes`](crate::Network::dead_processes).
    pub fn lifecycle() -> Self {
        Self::none()
    }

    /// Also lines of processes whose name starts with `process` that contain all of `fragments`.
    #[must_use]
    pub fn and(mut self, process: &'static str, fragments: &[&'static str]) -> Self {
        self.entries.push((process, fragments.to_vec()));
        self
    }

    fn allows(&self, process: &str, line: &str) -> bool {
        let fits = |(name, fragments): &(&str, Vec<&str>)| {
            process.starts_with(name) && fragments.iter().all(|fragment| line.contains(fragment))
        };
        self.entries.iter().any(fits)
    }
}

/// Every line of every log that warns, or tells of a panic, and is not allowed.
pub fn findings(layout: &Layout, allowed: &AllowList) -> Result<Vec<LogFinding>> {
    let mut findings = Vec::new();
    let directory = layout.logs();
    let mut paths: Vec<_> = std::fs::read_dir(&directory)
        .with_context(|| format!("list {}", directory.display()))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()
        .context("list the logs")?;
    paths.sort();
    for path in paths {
        findings.extend(findings_of(&path, allowed)?);
    }
    Ok(findings)
}

fn findings_of(path: &Path, allowed: &AllowList) -> Result<Vec<LogFinding>> {
    let process = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let bytes = std::fs::read(path).with_context(|| format!("read {}", path.display()))?;
    let text = String::from_utf8_lossy(&bytes);
    let mut stopping = false;
    let mut findings = Vec::new();
    for (index, line) in text.lines().enumerate() {
        stopping = (stopping || line.contains(ENGINE_STOPS)) && !line.contains(ENGINE_STARTS);
        let is_about_safety = SAFETY_WORDS.iter().any(|word| line.contains(word));
        let of_its_end = stopping && line.contains(ENGINE_CRATES) && !is_about_safety && !line.contains("panicked at");
        if warns(line) && !of_its_end && !allowed.allows(&process, line) {
            findings.push(LogFinding { process: process.clone(), line: index + 1, text: line.to_owned() });
        }
    }
    Ok(findings)
}

/// Whether a line, text or JSON, is of level WARN or ERROR or tells of a panic.
fn warns(line: &str) -> bool {
    let has_level = |level: &str| match line.starts_with('{') {
        true => line.contains(&format!("\"level\":\"{level}\"")),
        false => line.split_whitespace().take(3).any(|word| word.trim_matches(':') == level),
    };
    ["WARN", "ERROR"].into_iter().any(has_level) || line.contains("panicked at")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_seen_in_text_and_in_json() {
        for (line, expected) in [
            ("2026-11-02T08:00:00Z  INFO node: sealed height=3", false),
            ("2026-11-02T08:00:00Z  WARN node: peer is gone peer=2", true),
            ("2026-11-02T08:00:00Z ERROR node: store failed", true),
            (r#"{"timestamp":"…","level":"INFO","fields":{"message":"no WARN here"}}"#, false),
            (r#"{"timestamp":"…","level":"ERROR","fields":{"message":"store failed"}}"#, true),
            ("thread 'main' panicked at src/main.rs:3:5:", true),
            ("2026-11-02T08:00:00Z  INFO node: the word ERROR far behind means nothing", false),
        ] {
            assert_eq!(warns(line), expected, "{line}");
        }
    }

    #[test]
    fn an_engine_that_was_told_to_stop_may_warn_until_it_starts_again() {
        let directory = scratch::Directory::new();
        let path = directory.path().join("node-1.log");
        let warning = "2026-11-02T08:00:00Z  WARN arc_malachitebft_engine::node: Actor terminated";
        let own = "2026-11-02T08:00:00Z ERROR tallystick_node: store failed";
        let safety = "2026-11-02T08:00:00Z ERROR arc_malachitebft_engine::node: Safety-critical failure detected";
        let lines = [warning, ENGINE_STOPS, warning, own, safety, ENGINE_STARTS, warning].join("\n");
        std::fs::write(&path, lines).unwrap();
        let found: Vec<_> = findings_of(&path, &AllowList::none()).unwrap().iter().map(|found| found.line).collect();
        assert_eq!(found, [1, 4, 5, 7]);
    }

    #[test]
    fn an_entry_allows_only_its_process_and_all_its_fragments() {
        let allowed = AllowList::none().and("node-", &["peer is gone", "peer=2"]);
        assert!(allowed.allows("node-1", "WARN peer is gone peer=2"));
        assert!(!allowed.allows("node-1", "WARN peer is gone peer=3"));
        assert!(!allowed.allows("issuer-1", "WARN peer is gone peer=2"));
    }
}
