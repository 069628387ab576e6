//! The only file that reads the wall clock.
//!
//! Everything that needs the time of day takes an `Arc<dyn Clock>`, so that tests decide what time it is. Durations and
//! timers use the runtime's monotonic clock and are not here.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use receipt_core::ids::UnixMillis;

/// Tells the time of day. It may jump, also backwards: callers that need order keep their own last value.
pub trait Clock: std::fmt::Debug + Send + Sync + 'static {
    /// Now, in milliseconds since the Unix epoch, UTC.
    fn now(&self) -> UnixMillis;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> UnixMillis {
        // Before 1970 reads as 0, far after as the end of the range: both are refused by every window check.
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        UnixMillis::new(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
    }
}

/// A clock that stands until it is set. For tests.
#[derive(Debug, Default)]
pub struct FixedClock(AtomicU64);

impl FixedClock {
    /// A clock that stands at `now` until it is moved.
    pub fn new(now: UnixMillis) -> Self {
        Self(AtomicU64::new(now.get()))
    }

    /// Jumps to `now`, in either direction.
    pub fn set(&self, now: UnixMillis) {
        self.0.store(now.get(), Ordering::SeqCst);
    }

    /// Moves the clock on by `millis`.
    pub fn advance_ms(&self, millis: u64) {
        self.0.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for FixedClock {
    fn now(&self) -> UnixMillis {
        UnixMillis::new(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixed_clock_moves_only_when_told() {
        let clock = FixedClock::new(UnixMillis::new(1_000));
        assert_eq!(clock.now().get(), 1_000);
        clock.advance_ms(5);
        assert_eq!(clock.now().get(), 1_005);
        clock.set(UnixMillis::new(3));
        assert_eq!(clock.now().get(), 3);
    }

    #[test]
    fn system_clock_is_after_2025() {
        assert!(SystemClock.now().get() > 1_735_689_600_000);
    }
}
