//! The wall clock, for what must carry a date: drafts and file names. Durations come from `Instant`.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use receipt_core::ids::UnixMillis;

/// Now, by this machine's clock.
pub fn now() -> Result<UnixMillis> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is before 1970")?;
    Ok(UnixMillis::new(u64::try_from(since.as_millis())?))
}

/// The name of a run's directory: another for each program that runs.
pub fn run_name() -> Result<String> {
    Ok(format!("tallystick-bench-{}-{}", now()?.get(), std::process::id()))
}
