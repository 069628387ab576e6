//! What every process shows of itself: program and version, memory, file descriptors, CPU, threads, start.
//!
//! Read from `/proc/self` at each scrape. Names are those that Prometheus' own clients use, so that common dashboards read them.
//! What cannot be read is left out.

use std::fs;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

/// Ticks a second of the times in `/proc/self/stat`: USER_HZ, part of Linux' interface on every architecture that is built for.
const TICKS_PER_SECOND: f64 = 100.0;

/// Registers `tallystick_build_info` and `process_…` in a registry without prefix.
pub fn register(registry: &mut Registry, program: &'static str, version: &'static str) {
    let build = Info::new(vec![("program", program), ("version", version)]);
    registry.register("tallystick_build", "Which program this is", build);
    registry.register_collector(Box::new(Process));
}

#[derive(Debug)]
struct Process;

/// What was read at one moment.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
struct Sample {
    cpu_seconds: Option<f64>,
    start_time_seconds: Option<f64>,
    resident_bytes: Option<f64>,
    virtual_bytes: Option<f64>,
    threads: Option<f64>,
    open_fds: Option<f64>,
    max_fds: Option<f64>,
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let sample = Sample::read();
        if let Some(seconds) = sample.cpu_seconds {
            let help = "User and system CPU time";
            let metric = encoder.encode_descriptor("process_cpu_seconds", help, None, MetricType::Counter)?;
            ConstCounter::new(seconds).encode(metric)?;
        }
        for (name, help, value) in [
            ("process_start_time_seconds", "Start of the process since the Unix epoch", sample.start_time_seconds),
            ("process_resident_memory_bytes", "Resident memory", sample.resident_bytes),
            ("process_virtual_memory_bytes", "Virtual memory", sample.virtual_bytes),
            ("process_threads", "Threads", sample.threads),
            ("process_open_fds", "Open file descriptors", sample.open_fds),
            ("process_max_fds", "File descriptors that the process may open", sample.max_fds),
        ] {
            if let Some(value) = value {
                let metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
                ConstGauge::new(value).encode(metric)?;
            }
        }
        Ok(())
    }
}

impl Sample {
    fn read() -> Self {
        let text = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let mut sample = Self::of(&text("/proc/self/stat"), &text("/proc/self/status"), &text("/proc/stat"));
        // The directory's own descriptor is open while it is read.
        sample.open_fds = fs::read_dir("/proc/self/fd").ok().map(|entries| count(entries.count().saturating_sub(1)));
        sample.max_fds = text("/proc/self/limits")
            .lines()
            .find_map(|line| line.strip_prefix("Max open files")?.split_whitespace().next()?.parse().ok());
        sample
    }

    fn of(stat: &str, status: &str, machine: &str) -> Self {
        // The second field, the program's name in brackets, may hold spaces and brackets.
        let fields: Vec<&str> =
            stat.rsplit_once(')').map(|(_, rest)| rest.split_whitespace().collect()).unwrap_or_default();
        // Counted from field 3, as proc(5) numbers them.
        let field = |number: usize| fields.get(number.checked_sub(3)?)?.parse::<f64>().ok();
        let kib = |name: &str| {
            let value = status.lines().find_map(|line| line.strip_prefix(name)?.trim().strip_suffix(" kB"));
            value?.trim().parse::<f64>().ok().map(|kib| kib * 1024.0)
        };
        let boot = machine.lines().find_map(|line| line.strip_prefix("btime ")?.trim().parse::<f64>().ok());
        let ticks = |number: usize| field(number).map(|ticks| ticks / TICKS_PER_SECOND);
        Self {
            cpu_seconds: ticks(14).zip(ticks(15)).map(|(user, system)| user + system),
            start_time_seconds: boot.zip(ticks(22)).map(|(boot, after)| boot + after),
            resident_bytes: kib("VmRSS:"),
            virtual_bytes: field(23),
            threads: field(20),
            open_fds: None,
            max_fds: None,
        }
    }
}

/// A count as a gauge's value; exact below 2^52.
fn count(entries: usize) -> f64 {
    u32::try_from(entries).map_or(f64::MAX, f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_are_those_of_proc_5() {
        let stat =
            "17 (a ) b) S 1 17 17 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 9 0 12345 1048576 256 18446744073709551615";
        let sample = Sample::of(stat, "Name:\tx\nVmRSS:\t    1024 kB\nThreads:\t9\n", "cpu 1 2\nbtime 1700000000\n");
        assert_eq!(sample.cpu_seconds, Some(3.0));
        assert_eq!(sample.start_time_seconds, Some(1_700_000_123.45));
        assert_eq!(sample.resident_bytes, Some(1_048_576.0));
        assert_eq!((sample.virtual_bytes, sample.threads), (Some(1_048_576.0), Some(9.0)));
        assert_eq!(Sample::of("", "", ""), Sample::default());
    }

    #[test]
    fn a_process_shows_all_of_them_and_the_operators_table_has_them() {
        let mut registry = Registry::default();
        register(&mut registry, "tallystick-test", "1.2.3");
        let calls = crate::answers::CallMetrics::register(&mut registry, &["tallystick.issuer.v1.IssuerService"]);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        assert!(text.contains("tallystick_build_info{program=\"tallystick-test\",version=\"1.2.3\"} 1\n"), "{text}");
        assert!(text.contains("method=\"tallystick.issuer.v1.IssuerService/Issue\""), "{text}");
        assert!(!text.contains("LedgerService"), "{text}");
        assert!(text.contains("tallystick_grpc_calls_refused_total{reason=\"OUTCOME_UNKNOWN\"} 0\n"), "{text}");
        drop(calls);
        let kinds = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
        let shown: std::collections::BTreeSet<String> = kinds
            .map(|(name, kind)| match kind {
                "counter" => format!("{name}_total"),
                "info" => format!("{name}_info"),
                _ => name.to_owned(),
            })
            .collect();
        let table = include_str!("../../docs/ops/metrics-process.md");
        let rows = table.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
        assert_eq!(rows.map(|(name, _)| name.to_owned()).collect::<std::collections::BTreeSet<_>>(), shown);
    }
}
