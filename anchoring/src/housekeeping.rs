//! What is looked after every second: readiness, free disk space, waiting calls that went away.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use receipt_core::ids::{KeyId, UnixMillis};
use receipt_core::state::latest_block;
use receipt_core::suite::PublicKey;
use tallystick_service::clock::Clock;
use tallystick_service::metrics::ReadyPart;
use tallystick_service::shutdown::CancellationToken;

use crate::cut_off;
use crate::desk::Desk;
use crate::figures::{Figures, Pending};
use crate::gate::Closed;
use crate::journal::JournalError;
use crate::quorum_time::{ClockFault, QuorumTime};
use crate::registered::KeyFault;

/// Measures what the owner shows; told of what is pending. Returns why the owner submits nothing, if so. An error is fatal to the process.
pub type OwnerFigures = Box<dyn FnMut(Pending) -> Result<Option<String>, JournalError> + Send>;

const INTERVAL: Duration = Duration::from_secs(1);

/// The task and what it looks after.
pub struct Housekeeping {
    /// Gate, waiting calls, registered keys.
    pub desk: Desk,
    /// The submitter's key: its number, and its public half in custody.
    pub own_key: (KeyId, PublicKey),
    /// What is measured once a second.
    pub figures: Figures,
    /// What the owner measures besides.
    pub owner_figures: OwnerFigures,
    /// What the clock is compared with.
    pub quorum_time: Arc<QuorumTime>,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// Ready when records may be acknowledged.
    pub ready: ReadyPart,
    /// The directory whose disk is measured.
    pub journal_dir: PathBuf,
    /// Below this nothing is issued.
    pub disk_free_bytes_min: u64,
}

impl Housekeeping {
    /// Runs until the token is cancelled. An error is fatal to the process.
    pub async fn run(mut self, token: CancellationToken) -> Result<(), JournalError> {
        let (mut clock, mut key) = (Ok(()), Ok(()));
        let mut is_short = false;
        loop {
            let time = self.clock.now();
            let now = self.check_clock(time);
            tell_clock(clock, now);
            clock = now;
            let now = self.check_key(time);
            tell_key(key, now);
            key = now;
            is_short = match tokio::task::block_in_place(|| self.look(clock, key)) {
                // The measurement is repeated in a second. Until then /readyz says why it failed.
                Err(error) if error.may_pass() => {
                    self.ready.not_ready(error.to_string());
                    if !is_short {
                        tracing::error!(%error, "ALARM: the machine is short of files or memory");
                    }
                    true
                }
                looked => {
                    looked?;
                    if is_short {
                        tracing::info!("the journal can be read again");
                    }
                    false
                }
            };
            tokio::select! {
                () = tokio::time::sleep(INTERVAL) => {}
                () = token.cancelled() => break,
            }
        }
        self.desk.gate.shut_down();
        self.ready.not_ready("is shutting down");
        Ok(())
    }

    /// Whether the clock may be relied on. Until the ledger is caught up with, all that was seen of it may be old, as after an
    /// outage: then a clock that seems ahead is most often right. Behind is behind, however old what it is compared with.
    fn check_clock(&self, time: UnixMillis) -> Result<(), ClockFault> {
        match self.quorum_time.check(time) {
            Err(ClockFault::Ahead(_)) if !self.desk.gate.is_caught_up() => Ok(()),
            judged => judged,
        }
    }

    /// Whether records of this time could be sealed: by what the submitter may carry, and under its key. Before it has caught up the journal does not know.
    fn check_key(&self, time: UnixMillis) -> Result<(), KeyFault> {
        if !self.desk.gate.is_caught_up() {
            return Ok(());
        }
        let (id, held) = &self.own_key;
        let view = self.desk.registered.view();
        view.carries(self.desk.owner.record_types())?;
        view.check(*id, held, time, latest_block(time))
    }

    fn look(&mut self, clock: Result<(), ClockFault>, key: Result<(), KeyFault>) -> Result<(), JournalError> {
        self.desk.waiters.prune();
        cut_off::look(&self.desk, &self.quorum_time)?;
        let pending = self.figures.measure()?;
        let problem = (self.owner_figures)(pending)?;
        if let Some(free) = free_bytes(&self.journal_dir) {
            self.desk.gate.set_disk_low(free < self.disk_free_bytes_min);
        }
        match (self.desk.gate.check(), clock) {
            (Ok(()) | Err(Closed::CatchingUp), Err(fault)) => self.ready.not_ready(fault.to_string()),
            (Ok(()), Ok(())) => match key {
                Ok(()) if self.desk.metrics.batches_without_key.get() > 0 => {
                    self.ready.not_ready("has batches whose key has ended; restart it with its new key");
                }
                Ok(()) if self.desk.metrics.batches_unreadable.get() > 0 => {
                    self.ready.not_ready(
                        "has a batch with a record that cannot be read, or is not the batch's, before which no later one is sealed; it is read again every \
                         minute, the log says more, and `check-journal` what to do",
                    );
                }
                Ok(()) => match problem {
                    None => self.ready.ready(),
                    Some(problem) => self.ready.not_ready(problem),
                },
                Err(fault) => self.ready.not_ready(fault.to_string()),
            },
            (Err(Closed::CatchingUp), Ok(())) => self.ready.not_ready("is catching up with the ledger"),
            (Err(Closed::Halted(why)), _) => self.ready.not_ready(format!("is halted: {why}")),
            (Err(Closed::CutOff), _) => self.ready.not_ready(
                "has heard nothing of the ledger for nine days, and issues nothing until it has followed it again",
            ),
            (Err(Closed::DiskLow), _) => self.ready.not_ready("has too little disk space"),
            (Err(Closed::ShuttingDown), _) => self.ready.not_ready("is shutting down"),
        }
        Ok(())
    }
}

/// Once when it goes wrong, once when it is right again.
fn tell_clock(before: Result<(), ClockFault>, now: Result<(), ClockFault>) {
    match (before, now) {
        (Ok(()), Err(fault)) => {
            tracing::error!(%fault, "ALARM: nothing is issued until the clock is set right, or the ledger goes on");
        }
        (Err(_), Ok(())) => tracing::info!("the clock agrees with the validators' time again"),
        _ => {}
    }
}

/// Once when it ends, once when it is valid again.
fn tell_key(before: Result<(), KeyFault>, now: Result<(), KeyFault>) {
    match (before, now) {
        (Ok(()), Err(fault)) => {
            tracing::error!(%fault, "ALARM: nothing is issued until this issuer has a valid key; restart it with the new one");
        }
        (Err(_), Ok(())) => tracing::info!("the issuer's key is valid again"),
        _ => {}
    }
}

/// Bytes that this process may still write on the disk of `path`; `None` if nobody knows.
fn free_bytes(path: &std::path::Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(path).ok()?;
    Some(stat.f_bavail.saturating_mul(stat.f_frsize))
}
