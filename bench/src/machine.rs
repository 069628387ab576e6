//! What the figures were taken on: cores, processor, kernel, memory, and how busy the machine was before.

use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Serialize;

/// Facts about the machine.
#[derive(Debug, Clone, Serialize)]
pub struct Machine {
    /// Cores that this program may use.
    pub cores: usize,
    /// As `/proc/cpuinfo` names the first of them.
    pub cpu_model: String,
    /// As `/proc/cpuinfo` says it, in MHz; empty if it does not.
    pub cpu_mhz: String,
    /// Kernel release.
    pub kernel: String,
    /// All memory, in MiB.
    pub memory_mib: u64,
    /// Load averages over 1, 5 and 15 minutes before the run: above 0 on a machine that does something else.
    pub load_average_before: String,
}

impl Machine {
    /// Reads them from `/proc`.
    pub fn read() -> Result<Self> {
        let cpuinfo = read("/proc/cpuinfo")?;
        let meminfo = read("/proc/meminfo")?;
        let memory_kib: u64 = field(&meminfo, "MemTotal").trim_end_matches(" kB").parse().unwrap_or(0);
        let load = read("/proc/loadavg")?;
        Ok(Self {
            cores: std::thread::available_parallelism().context("count the cores")?.get(),
            cpu_model: field(&cpuinfo, "model name"),
            cpu_mhz: field(&cpuinfo, "cpu MHz"),
            kernel: read("/proc/sys/kernel/osrelease")?.trim().to_owned(),
            memory_mib: memory_kib / 1024,
            load_average_before: load.split_whitespace().take(3).collect::<Vec<_>>().join(" "),
        })
    }

    /// One line for people.
    pub fn line(&self) -> String {
        let Self { cores, cpu_model, cpu_mhz, kernel, memory_mib, load_average_before } = self;
        format!(
            "{cores} cores, {cpu_model} at {cpu_mhz} MHz, {memory_mib} MiB, Linux {kernel}; load average before: {load_average_before}"
        )
    }
}

fn read(path: &str) -> Result<String> {
    std::fs::read_to_string(Path::new(path)).with_context(|| format!("read {path}"))
}

/// The value of the first `name : value` line; empty without one.
fn field(text: &str, name: &str) -> String {
    let value = text.lines().filter_map(|line| line.split_once(':')).find(|(key, _)| key.trim() == name);
    value.map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_field_of_a_name_counts_and_a_missing_one_is_empty() {
        let text = "processor\t: 0\nmodel name\t: First @ 2:1\nmodel name\t: Second\n";
        assert_eq!(field(text, "model name"), "First @ 2:1");
        assert_eq!(field(text, "cpu MHz"), "");
    }
}
