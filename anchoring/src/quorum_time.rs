//! What time the validators have, and whether this issuer's clock may be relied on.
//!
//! A checkpoint says as of when a quorum stood behind it; between checkpoints, and while the ledger is away, that time goes on
//! by the monotonic clock. A record whose issue time lies too far ahead of its block is refused for good, so an issuer whose
//! clock is further from the quorum's time than a bound issues nothing until it is set right.
//!
//! Invariants: a minority of validators cannot move the time ahead; an old checkpoint never moves it back. Not here: the
//! clock itself (the service kit), the order of issue times (`issue`).

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use receipt_core::hash::Hash;
use receipt_core::ids::{TreeSize, UnixMillis};
use receipt_core::note::PosixSeconds;
use receipt_core::trust::TrustFile;
use tallystick_proto::errors::{CallReason, Refusal};
use tallystick_proto::ledger::v1::GetCheckpointRequest;
use tallystick_service::shutdown::CancellationToken;
use tokio::task::JoinSet;

use crate::judge::CheckpointJudge;
use crate::nodes::Nodes;

/// Between questions to all nodes: a tip on which nothing follows is cosigned anew about as often.
const ASK_INTERVAL: Duration = Duration::from_secs(15);
/// Of what was seen within one to two of these the best counts, so that a drifting monotonic clock is corrected.
const WINDOW_MS: i64 = 30 * 60 * 1000;

/// Counts on whatever happens to the wall clock.
pub trait Monotonic: std::fmt::Debug + Send + Sync + 'static {
    /// Since some moment before.
    fn elapsed(&self) -> Duration;
}

impl Monotonic for Instant {
    fn elapsed(&self) -> Duration {
        Self::elapsed(self)
    }
}

/// Why the clock may not be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ClockFault {
    /// Ahead of the quorum's time by so many milliseconds.
    #[error("this issuer's clock is {} s ahead of the validators' time", .0 / 1000)]
    Ahead(u64),
    /// Behind it by so many milliseconds.
    #[error("this issuer's clock is {} s behind the validators' time", .0 / 1000)]
    Behind(u64),
    /// Behind an issue time that was given out already, by so many milliseconds.
    #[error("this issuer's clock is {} s behind the last receipt that it issued", .0 / 1000)]
    WentBack(u64),
}

impl ClockFault {
    /// What a caller is told.
    pub fn refusal(self) -> Refusal {
        Refusal::new(CallReason::ClockWrong).with_message(format!(
            "{self}; nothing is issued until the clock is set right. Try another issuer, or later"
        ))
    }
}

/// The quorum's time.
#[derive(Debug)]
pub struct QuorumTime {
    monotonic: Arc<dyn Monotonic>,
    distance_ms_max: u64,
    seen: Mutex<Option<Seen>>,
}

/// Offsets of the quorum's time from the monotonic clock, milliseconds. A checkpoint is seen some time after it was signed,
/// so each is a lower bound, and the largest is the best.
#[derive(Debug, Clone, Copy)]
struct Seen {
    newest_as_of: PosixSeconds,
    since_ms: i64,
    best: i64,
    before: Option<i64>,
}

impl QuorumTime {
    /// Nothing seen yet. A clock may be `distance_ms_max` off.
    pub fn new(monotonic: Arc<dyn Monotonic>, distance_ms_max: u64) -> Self {
        Self { monotonic, distance_ms_max, seen: Mutex::new(None) }
    }

    /// A checkpoint under a quorum was seen.
    pub fn observe(&self, as_of: PosixSeconds) {
        let elapsed_ms = self.elapsed_ms();
        let offset = signed(as_of.get().saturating_mul(1000)).saturating_sub(elapsed_ms);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        *seen = Some(match *seen {
            // Seen before, or older: it says nothing about now.
            Some(known) if as_of <= known.newest_as_of => known,
            Some(known) if elapsed_ms.saturating_sub(known.since_ms) < WINDOW_MS => {
                Seen { newest_as_of: as_of, best: known.best.max(offset), ..known }
            }
            Some(known) => Seen { newest_as_of: as_of, since_ms: elapsed_ms, best: offset, before: Some(known.best) },
            None => Seen { newest_as_of: as_of, since_ms: elapsed_ms, best: offset, before: None },
        });
    }

    /// How far a clock that shows `now` is ahead of the quorum's time, milliseconds; negative: behind. `None` before the
    /// first checkpoint: then nothing is issued anyway, because the journal has not caught up.
    pub fn distance_ms(&self, now: UnixMillis) -> Option<i64> {
        let seen = (*self.seen.lock().unwrap_or_else(PoisonError::into_inner))?;
        let best = seen.before.map_or(seen.best, |before| before.max(seen.best));
        let quorum_now = best.saturating_add(self.elapsed_ms());
        Some(signed(now.get()).saturating_sub(quorum_now))
    }

    /// Whether a clock that shows `now` may be relied on.
    pub fn check(&self, now: UnixMillis) -> Result<(), ClockFault> {
        let Some(distance) = self.distance_ms(now) else { return Ok(()) };
        let off = distance.unsigned_abs();
        match distance {
            _ if off <= self.distance_ms_max => Ok(()),
            0.. => Err(ClockFault::Ahead(off)),
            _ => Err(ClockFault::Behind(off)),
        }
    }

    /// Whether the next issue time may be given out at `now`: `check`, and the clock has not gone back behind `last_issue_time`
    /// by more than the bound. Within it, issue times stand still.
    pub fn check_issuing(&self, now: UnixMillis, last_issue_time: UnixMillis) -> Result<(), ClockFault> {
        self.check(now)?;
        let back = last_issue_time.get().saturating_sub(now.get());
        if back > self.distance_ms_max { Err(ClockFault::WentBack(back)) } else { Ok(()) }
    }

    fn elapsed_ms(&self) -> i64 {
        i64::try_from(self.monotonic.elapsed().as_millis()).unwrap_or(i64::MAX)
    }
}

fn signed(millis: u64) -> i64 {
    i64::try_from(millis).unwrap_or(i64::MAX)
}

/// The trust file's judgement, from which the time is learnt on the way.
pub(crate) struct ObservingJudge<'a> {
    pub(crate) trust: &'a TrustFile,
    pub(crate) time: &'a QuorumTime,
}

impl CheckpointJudge for ObservingJudge<'_> {
    fn judge(&self, note: &str) -> Result<(TreeSize, Hash), String> {
        let trusted = self.trust.verify_checkpoint(note).map_err(|error| error.to_string())?;
        self.time.observe(trusted.as_of);
        Ok((trusted.size, trusted.root))
    }
}

/// Keeps the time fresh while no block comes: asks all nodes for their newest checkpoints.
pub struct TimeKeeper {
    /// Whom it asks: all of them, because one may hold its newest back.
    pub nodes: Arc<Nodes>,
    /// Whose checkpoints count.
    pub trust: Arc<TrustFile>,
    /// Told.
    pub time: Arc<QuorumTime>,
}

impl TimeKeeper {
    /// Runs until the token is cancelled.
    pub async fn run(self, token: CancellationToken) -> Result<(), std::convert::Infallible> {
        loop {
            tokio::select! {
                () = self.ask_all() => {}
                () = token.cancelled() => return Ok(()),
            }
            tokio::select! {
                () = tokio::time::sleep(ASK_INTERVAL) => {}
                () = token.cancelled() => return Ok(()),
            }
        }
    }

    /// One question to each node. Whoever does not answer, or not under a quorum, says nothing.
    async fn ask_all(&self) {
        let mut questions = JoinSet::new();
        for index in 0..self.nodes.count() {
            let (mut client, timeout) = (self.nodes.node(index).client.clone(), self.nodes.call_timeout());
            questions.spawn(async move {
                tokio::time::timeout(timeout, client.get_checkpoint(GetCheckpointRequest {})).await
            });
        }
        while let Some(answer) = questions.join_next().await {
            if let Ok(Ok(Ok(answer))) = answer
                && let Ok(trusted) = self.trust.verify_checkpoint(&answer.into_inner().checkpoint)
            {
                self.time.observe(trusted.as_of);
            }
        }
    }
}

#[cfg(test)]
mod tests;
