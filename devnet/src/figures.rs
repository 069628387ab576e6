//! Percentiles of durations and sizes. Nearest rank, on sorted samples; no interpolation.

use std::time::Duration;

/// Measured values, sorted: median and percentiles.
#[derive(Debug, Clone, Default)]
pub struct Samples<T> {
    sorted: Vec<T>,
}

impl<T: Ord + Copy> Samples<T> {
    /// Sorts the values.
    pub fn new(mut values: Vec<T>) -> Self {
        values.sort_unstable();
        Self { sorted: values }
    }

    /// Number of values.
    pub fn count(&self) -> usize {
        self.sorted.len()
    }

    /// The smallest value that at least `per_mille` of a thousand values do not exceed; `None` of nothing.
    pub fn quantile(&self, per_mille: usize) -> Option<T> {
        let rank = (self.sorted.len() * per_mille).div_ceil(1000).max(1);
        self.sorted.get(rank - 1).copied()
    }

    /// The middle one.
    pub fn p50(&self) -> Option<T> {
        self.quantile(500)
    }

    /// The one that 99 of 100 do not exceed.
    pub fn p99(&self) -> Option<T> {
        self.quantile(990)
    }

    /// The largest.
    pub fn max(&self) -> Option<T> {
        self.sorted.last().copied()
    }
}

/// A duration in milliseconds with one decimal, for tables.
pub fn millis(duration: Option<Duration>) -> String {
    let Some(duration) = duration else { return "–".to_owned() };
    let tenths = duration.as_micros().saturating_add(50) / 100;
    format!("{}.{} ms", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_rank() {
        let hundred = Samples::new((1..=100).rev().collect::<Vec<u32>>());
        assert_eq!((hundred.p50(), hundred.p99(), hundred.max()), (Some(50), Some(99), Some(100)));
        let one = Samples::new(vec![7]);
        assert_eq!((one.p50(), one.p99(), one.quantile(0)), (Some(7), Some(7), Some(7)));
        assert_eq!(Samples::<u32>::new(Vec::new()).p99(), None);
    }

    #[test]
    fn milliseconds_are_rounded_to_tenths() {
        for (micros, text) in [(0, "0.0 ms"), (49, "0.0 ms"), (50, "0.1 ms"), (1_949, "1.9 ms"), (12_960, "13.0 ms")] {
            assert_eq!(millis(Some(Duration::from_micros(micros))), text);
        }
        assert_eq!(millis(None), "–");
    }
}
