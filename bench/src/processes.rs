//! What the processes used: CPU time and memory from `/proc/<pid>`, consensus rounds from `/metrics`.
//!
//! CPU time is user and system time of all threads, in clock ticks of 10 ms: exact enough over seconds. What other
//! programs used meanwhile is told apart, because a figure taken on a busy machine must say so.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use serde::Serialize;
use tallystick_devnet::Network;
use tallystick_devnet::process::http_get;

/// Length of a clock tick in microseconds: `USER_HZ` is 100 on every Linux that runs this.
const TICK_MICROS: u64 = 10_000;
/// The generator's own name among the processes.
pub const SELF_NAME: &str = "bench";

/// CPU times at one instant.
#[derive(Debug, Clone)]
pub struct CpuSnapshot {
    at: Instant,
    by_process: BTreeMap<String, u64>,
    machine_micros: u64,
}

impl CpuSnapshot {
    /// Reads the CPU times of all running processes of the network, of this program, and of the machine.
    pub fn take(network: &Network) -> Result<Self> {
        let mut by_process = BTreeMap::new();
        let own = (SELF_NAME.to_owned(), std::process::id());
        for (name, pid) in network.process_ids().into_iter().chain([own]) {
            by_process.insert(name, process_cpu_micros(pid)?);
        }
        Ok(Self { at: Instant::now(), by_process, machine_micros: machine_cpu_micros()? })
    }

    /// What was used since an earlier snapshot.
    pub fn since(&self, earlier: &Self) -> CpuUse {
        let used = |(name, micros): (&String, &u64)| {
            let before = earlier.by_process.get(name).copied().unwrap_or(0);
            (name.clone(), micros.saturating_sub(before))
        };
        let by_process: BTreeMap<String, u64> = self.by_process.iter().map(used).collect();
        let ours: u64 = by_process.values().sum();
        let machine = self.machine_micros.saturating_sub(earlier.machine_micros);
        let wall_micros = u64::try_from(self.at.duration_since(earlier.at).as_micros()).unwrap_or(u64::MAX);
        CpuUse { wall_micros, others_micros: machine.saturating_sub(ours), by_process }
    }
}

/// CPU time over a span.
#[derive(Debug, Clone, Default, Serialize)]
pub struct CpuUse {
    /// Length of the span in microseconds.
    pub wall_micros: u64,
    /// CPU time by process name, in microseconds.
    pub by_process: BTreeMap<String, u64>,
    /// Of all programs that do not belong to the measurement, the kernel's own work included, in microseconds.
    pub others_micros: u64,
}

impl CpuUse {
    /// Of the network's processes together, without the load generator.
    pub fn network_micros(&self) -> u64 {
        self.by_process.iter().filter(|(name, _)| *name != SELF_NAME).map(|(_, micros)| micros).sum()
    }
}

/// Largest resident memory of each process so far, in MiB.
pub fn peak_memory_mib(network: &Network) -> BTreeMap<String, u64> {
    memory_mib(network, "VmHWM:")
}

/// Resident memory of each process now, in MiB.
pub fn resident_memory_mib(network: &Network) -> BTreeMap<String, u64> {
    memory_mib(network, "VmRSS:")
}

fn memory_mib(network: &Network, field: &str) -> BTreeMap<String, u64> {
    let read = |(name, pid): (String, u32)| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix(field))?;
        let kib: u64 = line.trim().trim_end_matches(" kB").trim().parse().ok()?;
        Some((name, kib / 1024))
    };
    network.process_ids().into_iter().filter_map(read).collect()
}

/// Consensus rounds above 0 that a validator has seen start.
pub async fn further_rounds(network: &Network, validator_id: u32) -> Result<u64> {
    let address = network.node_addresses(validator_id)?.metrics;
    let (status, body) = http_get(address, "/metrics").await?;
    ensure!(status == 200, "node-{validator_id} answers /metrics with {status}");
    let text = String::from_utf8(body).context("the metrics are not text")?;
    metric(&text, "tallystick_node_further_rounds_total").context("the node does not count further rounds")
}

/// CPU time of this program, in microseconds.
pub fn own_cpu_micros() -> Result<u64> {
    process_cpu_micros(std::process::id())
}

/// Resident memory of this program, in bytes.
pub fn own_resident_bytes() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status").context("read /proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").trim().parse::<u64>().ok());
    Ok(kib.context("/proc/self/status has no VmRSS")?.saturating_mul(1024))
}

/// CPU time of all children of this program that have ended and were waited for, in microseconds.
pub fn ended_children_cpu_micros() -> Result<u64> {
    let text = std::fs::read_to_string("/proc/self/stat").context("read /proc/self/stat")?;
    let ticks = stat_ticks(&text, ENDED_CHILDREN).with_context(|| format!("/proc/self/stat reads {text:?}"))?;
    Ok(ticks * TICK_MICROS)
}

fn metric(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
}

fn process_cpu_micros(pid: u32) -> Result<u64> {
    let path = format!("/proc/{pid}/stat");
    let text = std::fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
    stat_ticks(&text, OWN).map(|ticks| ticks * TICK_MICROS).with_context(|| format!("{path} reads {text:?}"))
}

/// Where `utime` and `stime` (fields 14 and 15) stand behind the name.
const OWN: [usize; 2] = [11, 12];
/// Where `cutime` and `cstime` (fields 16 and 17) stand behind the name.
const ENDED_CHILDREN: [usize; 2] = [13, 14];

/// The sum of two fields. The second field, the name, may hold anything, also spaces and brackets.
fn stat_ticks(text: &str, indexes: [usize; 2]) -> Option<u64> {
    let (_, after_name) = text.rsplit_once(')')?;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<u64>().ok());
    Some(ticks(indexes[0])? + ticks(indexes[1])?)
}

fn machine_cpu_micros() -> Result<u64> {
    let text = std::fs::read_to_string("/proc/stat").context("read /proc/stat")?;
    machine_ticks(&text).map(|ticks| ticks * TICK_MICROS).context("/proc/stat has no line for all cores")
}

/// Busy ticks of all cores: user, nice, system, irq and softirq; neither idle nor stolen ones.
fn machine_ticks(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let fields: Vec<u64> = line.split_whitespace().filter_map(|field| field.parse().ok()).collect();
    [0, 1, 2, 5, 6].into_iter().map(|index: usize| fields.get(index).copied()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_name_may_hold_brackets() {
        let text = "77 (a) b (c)) S 1 77 77 0 -1 4194560 500 0 0 0 120 30 7 2 20 0 9 0 100 1 2";
        assert_eq!(stat_ticks(text, OWN), Some(150));
        assert_eq!(stat_ticks(text, ENDED_CHILDREN), Some(9));
        assert_eq!(stat_ticks("77 (short) S 1", OWN), None);
    }

    #[test]
    fn the_machines_busy_time_is_neither_idle_nor_stolen() {
        assert_eq!(machine_ticks("cpu  10 2 5 1000 300 4 1 77 0 0\ncpu0 5 1 2 500 150 2 1 40 0 0\n"), Some(22));
    }

    #[test]
    fn a_counter_is_found_by_its_whole_name() {
        let text = "# HELP x\ntallystick_node_further_rounds_total 3\n";
        assert_eq!(metric(text, "tallystick_node_further_rounds_total"), Some(3));
        assert_eq!(metric(text, "tallystick_node_other"), None);
    }
}
