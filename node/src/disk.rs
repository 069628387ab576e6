//! Free space on the data disk: below the low-water mark the node takes no more batches and keeps serving reads.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tallystick_service::shutdown::CancellationToken;

use crate::pool::Pool;

const INTERVAL: Duration = Duration::from_secs(5);

/// The last measurement.
pub(crate) struct DiskWatch {
    path: PathBuf,
    low_water_bytes: u64,
    free_bytes: AtomicU64,
}

impl DiskWatch {
    /// Measures once; errors if the directory's file system cannot be asked.
    pub(crate) fn new(path: PathBuf, low_water_bytes: u64) -> std::io::Result<Self> {
        let watch = Self { path, low_water_bytes, free_bytes: AtomicU64::new(0) };
        watch.measure()?;
        Ok(watch)
    }

    /// Measures again.
    pub(crate) fn measure(&self) -> std::io::Result<()> {
        let stat = rustix::fs::statvfs(&self.path)?;
        self.free_bytes.store(stat.f_bavail.saturating_mul(stat.f_frsize), Ordering::Relaxed);
        Ok(())
    }

    /// Bytes free at the last measurement.
    pub(crate) fn free_bytes(&self) -> u64 {
        self.free_bytes.load(Ordering::Relaxed)
    }

    /// The mark.
    pub(crate) fn low_water_bytes(&self) -> u64 {
        self.low_water_bytes
    }

    /// Whether they are below the mark.
    pub(crate) fn is_low(&self) -> bool {
        self.free_bytes() < self.low_water_bytes
    }

    /// Measures again and again; below the mark this node takes in and proposes no batches. It goes on committing what the others decide, so the
    /// mark must leave room for that.
    pub(crate) async fn watch(self: Arc<Self>, pool: Arc<Pool>, stop: CancellationToken) -> std::io::Result<()> {
        let mut was_low = false;
        loop {
            self.measure()?;
            if self.is_low() != was_low {
                was_low = self.is_low();
                let free_bytes = self.free_bytes();
                tracing::warn!(free_bytes, low = was_low, "free disk space crossed the low-water mark");
                pool.pause(was_low);
            }
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = tokio::time::sleep(INTERVAL) => {}
            }
        }
    }
}
