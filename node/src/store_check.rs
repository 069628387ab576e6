//! Noticing what rots in the store before it is asked for: all rows are read in the background, once a day, at a gentle pace.
//!
//! A node's blocks are at every other validator, so nothing is lost by a damaged store; but a vote that this node cannot give, or a
//! proof that it cannot make, comes at a bad moment. Not here: the mending, which is a new store (`docs/ops/repair.md`).

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tallystick_service::clock::Clock;
use tallystick_service::shutdown::CancellationToken;

use crate::store::{Store, StoreError};

/// From a start to the first pass.
const FIRST_AFTER: Duration = Duration::from_secs(60);
/// Pause between the end of one pass and the next.
const INTERVAL: Duration = Duration::from_secs(24 * 3600);
/// Rows of a step.
const STEP_ROWS: usize = 256;
/// Rest after each step, as a multiple of what the step took: a tenth of one core at most.
const REST: u32 = 9;
const REST_MIN: Duration = Duration::from_millis(10);

/// How the store's bytes are.
#[derive(Debug, Clone, Default)]
pub(crate) struct CheckMetrics {
    completed: Gauge<f64, AtomicU64>,
    faults: Gauge<u64, AtomicU64>,
    rows: Counter,
}

impl CheckMetrics {
    pub(crate) fn register(&self, registry: &mut Registry) {
        let completed = "When the store was last read from end to end, seconds since 1970; 0: not since the start";
        registry.register("store_check_completed_seconds", completed, self.completed.clone());
        registry.register("store_faults", "Families with rows that cannot be read", self.faults.clone());
        registry.register("store_rows_checked", "Rows of the store checked", self.rows.clone());
    }
}

/// The task.
pub(crate) struct StoreCheck {
    pub(crate) store: Store,
    pub(crate) metrics: CheckMetrics,
    pub(crate) clock: Arc<dyn Clock>,
}

impl StoreCheck {
    /// Passes until the token is cancelled.
    pub(crate) async fn watch(self, stop: CancellationToken) -> Result<(), StoreError> {
        let mut pause = FIRST_AFTER;
        while stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_some() {
            stop.run_until_cancelled(self.pass(REST_MIN)).await;
            pause = INTERVAL;
        }
        Ok(())
    }

    /// Reads everything once, from the disk; returns how many families have rows that cannot be read.
    async fn pass(&self, rest_min: Duration) -> u64 {
        let mut faults = 0;
        if let Err(error) = tokio::task::block_in_place(|| self.store.forget_cached()) {
            tracing::warn!(%error, "what is cached of the store is checked as it is cached");
        }
        for family in Store::families() {
            if let Err(error) = self.family(family, rest_min).await {
                faults += 1;
                tracing::error!(family, %error, "ALARM: the store is damaged; this validator votes on until it needs what cannot be read");
            }
        }
        self.metrics.faults.set(faults);
        self.metrics.completed.set(self.clock.now().get() as f64 / 1000.0);
        faults
    }

    async fn family(&self, family: &'static str, rest_min: Duration) -> Result<(), StoreError> {
        let mut after: Option<Vec<u8>> = None;
        loop {
            let begun = Instant::now();
            let stretch = tokio::task::block_in_place(|| self.store.read_through(family, after.as_deref(), STEP_ROWS))?;
            self.metrics.rows.inc_by(stretch.rows);
            let Some(last) = stretch.last else { return Ok(()) };
            after = Some(last);
            tokio::time::sleep(begun.elapsed().saturating_mul(REST).max(rest_min)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use receipt_core::ids::UnixMillis;
    use receipt_core::testkit::TestChain;
    use tallystick_service::clock::FixedClock;

    use super::*;

    /// A store with all of a chain in tables.
    fn written(path: &std::path::Path, chain: &TestChain) {
        drop(Store::init(path, chain.genesis()).unwrap());
        // Opening the store writes what its log has into tables.
        drop(Store::open(path, chain.genesis()).unwrap());
    }

    fn check(store: Store) -> StoreCheck {
        let clock = Arc::new(FixedClock::new(UnixMillis::new(1_800_000_000_000)));
        StoreCheck { store, metrics: CheckMetrics::default(), clock }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_rotten_byte_is_noticed() {
        let directory = scratch::Directory::new();
        let (path, chain) = (directory.path().join("data"), TestChain::new());
        written(&path, &chain);
        let sound = check(Store::open(&path, chain.genesis()).unwrap());
        assert_eq!(sound.pass(Duration::ZERO).await, 0);
        assert!(sound.metrics.rows.get() > 20 && sound.metrics.completed.get() == 1_800_000_000.0);
        drop(sound);
        let tables = std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path());
        let tables = tables.filter(|path| path.extension() == Some("sst".as_ref()));
        let (mut noticed, mut shut) = (0, 0);
        for table in tables.collect::<Vec<_>>() {
            let whole = std::fs::read(&table).unwrap();
            let mut rotten = whole.clone();
            // This byte is in the table's first block, which holds rows.
            rotten[20] ^= 1;
            std::fs::write(&table, rotten).unwrap();
            match Store::open(&path, chain.genesis()) {
                Err(_) => shut += 1,
                Ok(store) => {
                    let check = check(store);
                    assert_eq!(check.pass(Duration::ZERO).await, 1, "{}", table.display());
                    assert_eq!(check.metrics.faults.get(), 1);
                    noticed += 1;
                }
            }
            std::fs::write(&table, whole).unwrap();
        }
        println!("{noticed} noticed, {shut} kept the store shut");
        assert!(noticed > 3, "{noticed} {shut}");
    }
}
