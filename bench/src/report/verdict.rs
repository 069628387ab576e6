//! Whether a long load held: each bound, and what broke it.

use std::collections::BTreeMap;

use serde::Serialize;
use tallystick_storage::budget::MEMORY_BYTES_DEFAULT;

use super::LoadReport;
use crate::figures::{format_hundredths, ms, row, section};
use crate::processes::SELF_NAME;
use crate::slope::{Minute, last_by_first_at_one_speed_permille, last_by_first_permille};

/// The last five minutes' rate as a share of the first five's, in thousandths, at least.
const LAST_BY_FIRST_PERMILLE_MIN: u64 = 900;
/// The longest time without a block that passes, in microseconds.
const GAP_MICROS_MAX: u64 = 1_000_000;
/// What the configs of a development network allow: they name no budget.
const MEMORY_MIB_MAX: u64 = MEMORY_BYTES_DEFAULT / 1024 / 1024;

/// Whether a long load held.
#[derive(Debug, Clone, Serialize)]
pub struct Verdict {
    /// The last five minutes' rate as a share of the first five's, in thousandths; `None` of fewer than ten minutes.
    pub last_by_first_permille: Option<u64>,
    /// The same as if the processor had been as fast all the time: what is judged.
    pub at_one_speed_permille: Option<u64>,
    /// The longest time without a block, in microseconds.
    pub block_gap_max_micros: u64,
    /// Largest resident memory of each process, in MiB.
    pub peak_memory_mib: BTreeMap<String, u64>,
    /// For how long each store slowed its writes down or stopped them, in milliseconds.
    pub write_stall_millis: BTreeMap<String, u64>,
    /// How often each store wrote a byte that it was given, in hundredths.
    pub write_amplification_hundredths: BTreeMap<String, u64>,
    /// What did not hold; empty: all did.
    pub broken: Vec<String>,
}

impl Verdict {
    pub(crate) fn of(load: &LoadReport) -> Self {
        let gaps = load.minutes.iter().map(|minute: &Minute| minute.block_gap_max_micros);
        let block_gap_max_micros = gaps.max().unwrap_or(0).max(load.block_gap_max_micros);
        let last_by_first_permille = last_by_first_permille(&load.minutes);
        let at_one_speed_permille = last_by_first_at_one_speed_permille(&load.minutes);
        let peak_memory_mib: BTreeMap<String, u64> =
            load.peak_memory_mib.clone().into_iter().filter(|(name, _)| name != SELF_NAME).collect();
        let mut broken = Vec::new();
        match at_one_speed_permille {
            None => broken.push("fewer than ten minutes: nothing is known of the slope".to_owned()),
            Some(permille) if permille < LAST_BY_FIRST_PERMILLE_MIN => {
                broken.push(format!(
                    "the last five minutes had {} of the first five's rate, at one speed of the processor",
                    format_hundredths(permille / 10)
                ));
            }
            Some(_) => {}
        }
        if block_gap_max_micros > GAP_MICROS_MAX {
            broken.push(format!("no block for {}", ms(block_gap_max_micros)));
        }
        for (name, mib) in peak_memory_mib.iter().filter(|(_, mib)| **mib > MEMORY_MIB_MAX) {
            broken.push(format!("{name} took {mib} MiB, its budget is {MEMORY_MIB_MAX}"));
        }
        Self {
            last_by_first_permille,
            at_one_speed_permille,
            block_gap_max_micros,
            peak_memory_mib,
            write_stall_millis: BTreeMap::new(),
            write_amplification_hundredths: BTreeMap::new(),
            broken,
        }
    }

    /// Whether everything held.
    pub fn holds(&self) -> bool {
        self.broken.is_empty()
    }

    pub(crate) fn write(&self, table: &mut String) {
        section(table, "endurance");
        let share =
            |permille: Option<u64>| permille.map_or("unknown".to_owned(), |permille| format_hundredths(permille / 10));
        row(table, "last five by first five", &share(self.last_by_first_permille));
        row(table, "at one speed", &format!("{}; at least 0.90", share(self.at_one_speed_permille)));
        row(table, "longest without a block", &format!("{}; at most 1 s", ms(self.block_gap_max_micros)));
        let listed = |figures: &BTreeMap<String, u64>, shown: fn(u64) -> String| {
            figures.iter().map(|(name, figure)| format!("{name} {}", shown(*figure))).collect::<Vec<_>>().join(", ")
        };
        let memory = listed(&self.peak_memory_mib, |mib| mib.to_string());
        row(table, "peak memory MiB", &format!("{memory}; at most {MEMORY_MIB_MAX} each"));
        row(table, "writes stalled ms", &listed(&self.write_stall_millis, |millis| millis.to_string()));
        row(table, "written per byte", &listed(&self.write_amplification_hundredths, format_hundredths));
        match self.broken.is_empty() {
            true => row(table, "verdict", "HOLDS"),
            false => row(table, "verdict", &format!("DOES NOT HOLD: {}", self.broken.join("; "))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bound_breaks_by_itself() {
        let minute = |sealed_per_second, block_gap_max_micros| Minute {
            sealed_per_second,
            block_gap_max_micros,
            cpu_micros_per_receipt: BTreeMap::new(),
            memory_mib: BTreeMap::new(),
            work_nanos: 1_000_000,
        };
        let broken = |first, last, gap, mib| {
            let minutes = [vec![minute(first, 0); 5], vec![minute(last, gap); 5]].concat();
            let peak_memory_mib = [("issuer-1".to_owned(), mib), (SELF_NAME.to_owned(), 9_999)].into();
            Verdict::of(&LoadReport { minutes, peak_memory_mib, ..LoadReport::default() }).broken
        };
        assert!(broken(1000, 900, 1_000_000, 512).is_empty());
        assert!(broken(1000, 899, 0, 0)[0].contains("0.89 of the first five's rate"));
        assert!(broken(1000, 1000, 1_000_001, 0)[0].contains("no block"));
        assert!(broken(1000, 1000, 0, 513)[0].contains("issuer-1 took 513 MiB"));
        assert!(Verdict::of(&LoadReport::default()).broken[0].contains("fewer than ten minutes"));
    }
}
