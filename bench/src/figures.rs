//! Writing figures down: percentiles, units, rows of the table.

use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;
use tallystick_devnet::figures::Samples;

/// Percentiles of durations, in microseconds; all zero of no samples.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Latency {
    /// Number of samples.
    pub count: usize,
    /// The middle one.
    pub p50_micros: u64,
    /// The one that 99 of 100 do not exceed.
    pub p99_micros: u64,
    /// The largest.
    pub max_micros: u64,
}

impl Latency {
    /// Summarises durations.
    pub fn of(durations: Vec<Duration>) -> Self {
        let samples = Samples::new(durations);
        let micros = |duration: Option<Duration>| {
            duration.map_or(0, |duration| u64::try_from(duration.as_micros()).unwrap_or(u64::MAX))
        };
        Self {
            count: samples.count(),
            p50_micros: micros(samples.p50()),
            p99_micros: micros(samples.p99()),
            max_micros: micros(samples.max()),
        }
    }

    /// The figures as a line of a table.
    pub fn line(&self) -> String {
        let Self { count, p50_micros, p99_micros, max_micros } = *self;
        format!("p50 {}, p99 {}, max {} of {count}", ms(p50_micros), ms(p99_micros), ms(max_micros))
    }
}

/// A duration in microseconds.
pub(crate) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// Starts a section of the table.
pub(crate) fn section(table: &mut String, name: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(table, "\n{name}");
}

/// Adds a row to the table.
pub(crate) fn row(table: &mut String, name: &str, value: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(table, "  {name:<24} {value}");
}

/// Microseconds as milliseconds with one decimal.
pub(crate) fn ms(micros: u64) -> String {
    tallystick_devnet::figures::millis(Some(Duration::from_micros(micros)))
}

/// 123 as `1.23`.
pub(crate) fn format_hundredths(value: u64) -> String {
    format!("{}.{:02}", value / 100, value % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_are_nearest_rank_and_nothing_is_zero() {
        let latency = Latency::of((1..=200).map(Duration::from_millis).collect());
        assert_eq!((latency.count, latency.p50_micros, latency.p99_micros), (200, 100_000, 198_000));
        assert_eq!(latency.line(), "p50 100.0 ms, p99 198.0 ms, max 200.0 ms of 200");
        assert_eq!(Latency::of(Vec::new()).max_micros, 0);
    }

    #[test]
    fn hundredths_keep_their_zeros() {
        assert_eq!(format_hundredths(5), "0.05");
        assert_eq!(format_hundredths(190), "1.90");
    }
}
