//! A load minute by minute: what a mean over the whole window hides. A rate that falls, memory that rises and a chain that stands
//! still for seconds are seen here and nowhere else.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Serialize;
use tallystick_devnet::Network;
use tallystick_devnet::figures::Samples;

use crate::figures::micros;
use crate::probe::Sample;
use crate::processes::{self, CpuSnapshot};
use crate::tracker::SealedSample;

/// Length of one row.
pub const MINUTE: Duration = Duration::from_secs(60);
/// Rows at either end that are compared with each other.
const COMPARED: usize = 5;

/// What the processes were at one instant.
#[derive(Debug, Clone)]
pub struct Mark {
    at: Instant,
    cpu: CpuSnapshot,
    memory_mib: BTreeMap<String, u64>,
}

impl Mark {
    /// Takes the figures as they are now.
    pub fn take(network: &Network) -> Result<Self> {
        let memory_mib = processes::resident_memory_mib(network);
        Ok(Self { at: Instant::now(), cpu: CpuSnapshot::take(network)?, memory_mib })
    }

    /// When it was taken.
    pub fn at(&self) -> Instant {
        self.at
    }

    /// CPU times then.
    pub fn cpu(&self) -> &CpuSnapshot {
        &self.cpu
    }
}

/// One minute of a load; the last one may be shorter.
#[derive(Debug, Clone, Serialize)]
pub struct Minute {
    /// Receipts sealed in it, per second.
    pub sealed_per_second: u64,
    /// Longest time without a block's outcome that ended in it, in microseconds.
    pub block_gap_max_micros: u64,
    /// CPU of each process per receipt sealed in it, in microseconds.
    pub cpu_micros_per_receipt: BTreeMap<String, u64>,
    /// Resident memory of each process at its end, in MiB.
    pub memory_mib: BTreeMap<String, u64>,
    /// CPU time of a fixed piece of work in it, in nanoseconds: the median; 0 if none was done. More where the processor is slower.
    pub work_nanos: u64,
}

/// One row for each pair of neighbouring marks.
pub fn minutes(
    marks: &[Mark],
    sealed: &[SealedSample],
    heights: &BTreeMap<u64, Instant>,
    work: &[Sample],
) -> Vec<Minute> {
    let rows = marks.windows(2).filter_map(|pair| match pair {
        [start, end] => Some((start, end)),
        _ => None,
    });
    rows.map(|(start, end)| {
        let holds = |at: Instant| start.at <= at && at < end.at;
        let count = sealed.iter().filter(|sample| holds(sample.sealed_at)).count() as u64;
        let cpu = end.cpu.since(&start.cpu);
        let per_receipt = |used: &u64| used.checked_div(count).unwrap_or(0);
        Minute {
            sealed_per_second: count.saturating_mul(1_000_000).checked_div(micros(end.at - start.at)).unwrap_or(0),
            block_gap_max_micros: micros(longest_gap(heights, start.at, end.at)),
            cpu_micros_per_receipt: cpu
                .by_process
                .iter()
                .map(|(name, used)| (name.clone(), per_receipt(used)))
                .collect(),
            memory_mib: end.memory_mib.clone(),
            work_nanos: Samples::new(
                work.iter().filter(|sample| holds(sample.at)).map(|sample| sample.nanos).collect(),
            )
            .p50()
            .unwrap_or(0),
        }
    })
    .collect()
}

/// The longest time between two outcomes of which the second came in the span, or which was still open at the span's end.
fn longest_gap(heights: &BTreeMap<u64, Instant>, start: Instant, end: Instant) -> Duration {
    let mut seen: Vec<Instant> = heights.values().copied().filter(|at| *at < end).collect();
    seen.sort_unstable();
    seen.push(end);
    let gaps = seen.windows(2).filter(|pair| pair[1] > start).map(|pair| pair[1].saturating_duration_since(pair[0]));
    gaps.max().unwrap_or_default()
}

/// The last five minutes' rate as a share of the first five's, in thousandths; `None` of fewer than ten minutes.
pub fn last_by_first_permille(minutes: &[Minute]) -> Option<u64> {
    last_by_first(minutes, |minute| minute.sealed_per_second)
}

/// The same of the receipts sealed in the time that the fixed piece of work takes: as if the processor had been as fast all the time.
pub fn last_by_first_at_one_speed_permille(minutes: &[Minute]) -> Option<u64> {
    let is_known = minutes.iter().all(|minute| minute.work_nanos > 0);
    is_known.then(|| last_by_first(minutes, |minute| minute.sealed_per_second.saturating_mul(minute.work_nanos)))?
}

fn last_by_first(minutes: &[Minute], of: impl Fn(&Minute) -> u64) -> Option<u64> {
    if minutes.len() < 2 * COMPARED {
        return None;
    }
    let sum = |rows: &[Minute]| rows.iter().map(&of).sum::<u64>();
    let (first, last) = (sum(minutes.get(..COMPARED)?), sum(minutes.get(minutes.len() - COMPARED..)?));
    last.saturating_mul(1000).checked_div(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(start: Instant, millis: &[u64]) -> BTreeMap<u64, Instant> {
        (1..).zip(millis.iter().map(|millis| start + Duration::from_millis(*millis))).collect()
    }

    #[test]
    fn a_gap_over_the_edge_of_two_minutes_is_in_the_one_where_it_ended_and_an_open_one_counts() {
        let start = Instant::now();
        let heights = at(start, &[10, 50, 900, 1_400, 1_450]);
        let span = |from: u64, to: u64| {
            longest_gap(&heights, start + Duration::from_millis(from), start + Duration::from_millis(to))
        };
        assert_eq!(span(0, 1_000), Duration::from_millis(850));
        assert_eq!(span(1_000, 1_460), Duration::from_millis(500), "it began before the span");
        assert_eq!(span(1_000, 3_000), Duration::from_millis(1_550), "nothing came after 1,450");
        assert_eq!(longest_gap(&BTreeMap::new(), start, start), Duration::ZERO);
    }

    #[test]
    fn the_slope_compares_five_minutes_with_five() {
        let row = |sealed_per_second| Minute {
            sealed_per_second,
            block_gap_max_micros: 0,
            cpu_micros_per_receipt: BTreeMap::new(),
            memory_mib: BTreeMap::new(),
            work_nanos: 1_000_000,
        };
        let mut rows: Vec<Minute> = [6000; 5].into_iter().chain([10; 3]).chain([5400; 5]).map(row).collect();
        assert_eq!(last_by_first_permille(&rows), Some(900));
        assert_eq!(last_by_first_permille(&rows[..9]), None);
        assert_eq!(last_by_first_at_one_speed_permille(&rows), Some(900));
        for row in &mut rows[8..] {
            row.work_nanos = 1_100_000;
        }
        assert_eq!(last_by_first_permille(&rows), Some(900));
        assert_eq!(last_by_first_at_one_speed_permille(&rows), Some(990), "the processor was slower");
        rows[7].work_nanos = 0;
        assert_eq!(last_by_first_at_one_speed_permille(&rows), None, "nobody knows how fast it was");
    }
}
