//! How often something may be done: by one source, and by all together.
//!
//! Each source has a debt in time: every deed adds an interval to it, and time takes it away. A source in whose debt there is no room for
//! one more waits. (This is GCRA, the leaky bucket without a timer.) Who owes nothing has no row, so that rows go by themselves; and
//! because all together are bounded first, there are never more rows than deeds that fit into one source's burst.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Rows at which those that owe nothing any more are looked for.
const ROWS_BEFORE_SWEEP: usize = 1024;

/// So many, each taking `interval`; as many at once as fit into `burst`.
#[derive(Debug, Clone, Copy)]
struct Allowance {
    interval: Duration,
    burst: Duration,
}

impl Allowance {
    /// When the debt ends after one more deed, or how long to wait for it.
    fn take(self, owed_until: Option<Instant>, now: Instant) -> Result<Instant, Duration> {
        let after = owed_until.map_or(now, |until| until.max(now)) + self.interval;
        match (after - now).checked_sub(self.burst) {
            Some(over) if !over.is_zero() => Err(over),
            _ => Ok(after),
        }
    }
}

/// The rate of one kind of deed. `K` names a source.
#[derive(Debug)]
pub(crate) struct Rates<K> {
    of_one: Allowance,
    in_all: Allowance,
    owed: Mutex<Owed<K>>,
}

#[derive(Debug)]
struct Owed<K> {
    in_all: Option<Instant>,
    by_source: HashMap<K, Instant>,
    sweep_at: usize,
}

impl<K: Eq + Hash> Rates<K> {
    /// One source may do `count` in `span`, all of it at once; all together `in_all_per_second`, as many as in four seconds at once.
    pub(crate) fn new((count, span): (u32, Duration), in_all_per_second: u32) -> Self {
        let second = Duration::from_secs(1);
        Self {
            of_one: Allowance { interval: span / count.max(1), burst: span },
            in_all: Allowance { interval: second / in_all_per_second.max(1), burst: 4 * second },
            owed: Mutex::new(Owed { in_all: None, by_source: HashMap::new(), sweep_at: ROWS_BEFORE_SWEEP }),
        }
    }

    /// Counts a deed of this source, or says after how long it may try again; then nothing is counted.
    pub(crate) fn take(&self, source: K) -> Result<(), Duration> {
        self.take_at(source, Instant::now())
    }

    fn take_at(&self, source: K, now: Instant) -> Result<(), Duration> {
        let mut owed = self.owed.lock().unwrap_or_else(PoisonError::into_inner);
        let own = self.of_one.take(owed.by_source.get(&source).copied(), now)?;
        let all = self.in_all.take(owed.in_all, now)?;
        owed.in_all = Some(all);
        owed.by_source.insert(source, own);
        if owed.by_source.len() >= owed.sweep_at {
            owed.by_source.retain(|_, until| *until > now);
            owed.sweep_at = (2 * owed.by_source.len()).max(ROWS_BEFORE_SWEEP);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn a_source_has_its_burst_and_then_its_rate() {
        let rates = Rates::new((6, MINUTE), 1000);
        let begin = Instant::now();
        let take = |source: u32, second: u64| rates.take_at(source, begin + Duration::from_secs(second));
        for _ in 0..6 {
            take(1, 0).unwrap();
        }
        assert_eq!(take(1, 0), Err(Duration::from_secs(10)));
        take(2, 0).unwrap();
        assert_eq!(take(1, 9), Err(Duration::from_secs(1)), "being refused costs nothing");
        take(1, 10).unwrap();
        assert!(take(1, 10).is_err());
    }

    #[test]
    fn all_together_are_bounded_and_nobody_is_remembered_who_owes_nothing() {
        let rates = Rates::new((1, MINUTE), 10);
        let begin = Instant::now();
        for source in 0..40 {
            rates.take_at(source, begin).unwrap();
        }
        assert_eq!(rates.take_at(40, begin), Err(Duration::from_millis(100)));
        assert_eq!(rates.owed.lock().unwrap().by_source.len(), 40, "whoever is refused has no row");
        for source in 0..10_000_u32 {
            rates.take_at(100 + source, begin + Duration::from_millis(100) * (source + 1)).unwrap();
        }
        let rows = rates.owed.lock().unwrap().by_source.len();
        assert!(rows <= 2 * ROWS_BEFORE_SWEEP, "{rows} rows");
    }
}
