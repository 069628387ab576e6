//! What is looked after every second: readiness, free disk space, waiting calls that went away.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tallystick_service::metrics::ReadyPart;
use tallystick_service::shutdown::CancellationToken;

use crate::backlog::Backlog;
use crate::gate::{Closed, Gate};
use crate::metrics::IssuerMetrics;
use crate::waiters::Waiters;

const INTERVAL: Duration = Duration::from_secs(1);

/// The task and what it looks after.
pub struct Housekeeping {
    /// Opened and closed by free space.
    pub gate: Arc<Gate>,
    /// Pruned.
    pub waiters: Arc<Waiters>,
    /// Measured.
    pub backlog: Arc<Backlog>,
    /// Gauges.
    pub metrics: Arc<IssuerMetrics>,
    /// Ready when receipts may be issued.
    pub ready: ReadyPart,
    /// Whose disk is measured.
    pub journal_dir: PathBuf,
    /// Below this nothing is issued.
    pub disk_free_bytes_min: u64,
}

impl Housekeeping {
    /// Runs until the token is cancelled.
    pub async fn run(self, token: CancellationToken) -> Result<(), std::convert::Infallible> {
        loop {
            self.look();
            tokio::select! {
                () = tokio::time::sleep(INTERVAL) => {}
                () = token.cancelled() => break,
            }
        }
        self.gate.shut_down();
        self.ready.not_ready("is shutting down");
        Ok(())
    }

    fn look(&self) {
        self.waiters.prune();
        self.metrics.outbox_records.set(self.backlog.records());
        if let Some(free) = free_bytes(&self.journal_dir) {
            self.gate.set_disk_low(free < self.disk_free_bytes_min);
        }
        match self.gate.check() {
            Ok(()) => self.ready.ready(),
            Err(Closed::CatchingUp) => self.ready.not_ready("is catching up with the ledger"),
            Err(Closed::Halted(why)) => self.ready.not_ready(format!("is halted: {why}")),
            Err(Closed::DiskLow) => self.ready.not_ready("has too little disk space"),
            Err(Closed::ShuttingDown) => self.ready.not_ready("is shutting down"),
        }
    }
}

/// Bytes that this process may still write on the disk of `path`; `None` if nobody knows.
fn free_bytes(path: &std::path::Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(path).ok()?;
    Some(stat.f_bavail.saturating_mul(stat.f_frsize))
}
