//! The erasure by age that is under way, step by step beside issuing.
//!
//! After each step it rests for twice as long as the step took: most of the time the disk is issuing's alone. What a
//! crash or a stop left goes on at the next start.

use std::sync::Arc;
use std::time::{Duration, Instant};

use receipt_core::ids::ReceiptKey;
use tallystick_service::clock::Clock;
use tallystick_service::shutdown::{CancellationToken, TaskError};
use tokio::sync::Notify;

use super::rewrite;
use super::run::Eraser;
use crate::journal::{ErasureReads as _, ErasureRun, Journal};
use crate::metrics::IssuerMetrics;

/// After a step that met damage, or that the machine had no room for.
const DAMAGE_REST: Duration = Duration::from_secs(600);

/// The pause after a step that took so long.
#[must_use]
pub fn rest_after(step: Duration) -> Duration {
    step.saturating_mul(2)
}

/// The task.
pub struct ErasureTask {
    /// The journal whose bodies are erased.
    pub journal: Arc<Journal>,
    /// Metrics to update.
    pub metrics: Arc<IssuerMetrics>,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// The chain's UTC offset.
    pub utc_offset_minutes: i32,
    /// Told when a run has begun.
    pub begun: Arc<Notify>,
    /// Bodies that this start erased again, and whose tables are still to be written anew.
    pub unwritten: Vec<ReceiptKey>,
}

impl ErasureTask {
    /// Runs until the token is cancelled. An error is fatal to the process.
    pub async fn run(self, token: CancellationToken) -> Result<(), TaskError> {
        if !self.write_anew(&token).await? {
            return Ok(());
        }
        // What a run had erased before this start is counted already.
        let before = self.journal.erasure_run()?.filter(|run| !run.is_done());
        let mut erased = before.map_or(0, |run| run.erased);
        loop {
            let began = Instant::now();
            let (journal, now, offset) = (Arc::clone(&self.journal), self.clock.now(), self.utc_offset_minutes);
            let rest = match tokio::task::spawn_blocking(move || Eraser::new(&journal, offset).step(now)).await? {
                Ok(Some(run)) => {
                    erased = self.show(&run, erased);
                    Some(rest_after(began.elapsed()))
                }
                Ok(None) => None,
                // A damaged table stops the erasure and nothing else.
                Err(error) if error.is_damage() => {
                    tracing::error!(%error, "ALARM: the erasure by age stands still: a body's key cannot be read");
                    Some(DAMAGE_REST)
                }
                Err(error) if error.may_pass() => {
                    tracing::error!(%error, "ALARM: the erasure by age stands still; it goes on by itself when there is room");
                    Some(DAMAGE_REST)
                }
                Err(error) => return Err(error.into()),
            };
            let resting = async {
                match rest {
                    Some(rest) => tokio::time::sleep(rest).await,
                    None => self.begun.notified().await,
                }
            };
            tokio::select! {
                () = resting => {}
                () = token.cancelled() => return Ok(()),
            }
        }
    }

    /// Has the tables written anew that the start could not. Returns whether it did before the token was cancelled.
    pub(super) async fn write_anew(&self, token: &CancellationToken) -> Result<bool, TaskError> {
        while !self.try_to_write_anew().await? {
            if token.run_until_cancelled(tokio::time::sleep(DAMAGE_REST)).await.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Returns whether nothing is left to be written anew.
    pub(super) async fn try_to_write_anew(&self) -> Result<bool, TaskError> {
        if self.unwritten.is_empty() {
            return Ok(true);
        }
        let (journal, keys) = (Arc::clone(&self.journal), self.unwritten.clone());
        match tokio::task::spawn_blocking(move || rewrite(&journal, keys.into_iter())).await? {
            Ok(()) => {
                tracing::info!("the tables of bodies that this start erased again are written anew");
                Ok(true)
            }
            Err(error) if error.may_pass() => {
                tracing::error!(%error, "ALARM: old tables hold bodies that this start erased again; they are written anew by themselves when there is room");
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Returns how many bodies of this run are counted.
    fn show(&self, run: &ErasureRun, counted: u64) -> u64 {
        // Fewer than were counted: another run has begun, so all of its bodies are new.
        let counted = if run.erased < counted { 0 } else { counted };
        self.metrics.bodies_erased.inc_by(run.erased - counted);
        self.metrics.erasure_looked_at.set(run.looked_at);
        self.metrics.erasure_under_way.set(u64::from(!run.is_done()));
        if run.is_done() { 0 } else { run.erased }
    }
}
