//! What time the validators have, and whether this issuer's clock may be relied on.
//!
//! A checkpoint says as of when a quorum stood behind it; between checkpoints, and while the ledger is away, that time goes on
//! by the monotonic clock. A record whose issue time lies too far ahead of its block is refused for good, so an issuer whose
//! clock is further from the quorum's time than a bound issues nothing until it is set right.
//!
//! The validators' clocks may have been wrong themselves, and be set back. So the time is a range, from what the newest checkpoint
//! says to the latest that was seen lately: a clock within it is right, and becomes right at once when the newest one agrees with it.
//!
//! Invariants: a minority of validators cannot move the time ahead; an old checkpoint never moves it back. Not here: the
//! clock itself (`service`), the order of issue times (`issue`).

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use receipt_core::hash::Hash;
use receipt_core::ids::{TreeSize, UnixMillis};
use receipt_core::limits;
use receipt_core::note::PosixSeconds;
use tallystick_proto::errors::{CallReason, Refusal};
use tallystick_proto::ledger::v1::GetCheckpointRequest;
use tallystick_service::shutdown::CancellationToken;
use tokio::task::JoinSet;

use crate::judge::{CheckpointError, CheckpointJudge, judged};
use crate::nodes::Nodes;
use crate::trust::FollowedTrust;

/// Between questions to all nodes: a tip on which nothing follows is cosigned anew about as often.
const ASK_INTERVAL: Duration = Duration::from_secs(15);
/// Of what was seen within one to two of these the latest counts, so that a checkpoint that comes late does not make a clock look
/// fast, and a drifting monotonic clock is corrected.
const WINDOW_MS: i64 = 5 * 60 * 1000;

/// Counts on whatever happens to the wall clock.
pub trait Monotonic: std::fmt::Debug + Send + Sync + 'static {
    /// Time since a fixed moment before; never goes back.
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
    /// The clock is so many milliseconds behind it.
    #[error("this issuer's clock is {} s behind the validators' time", .0 / 1000)]
    Behind(u64),
    /// The clock is so many milliseconds behind an issue time that was given out already.
    #[error("this issuer's clock is {} s behind the last receipt that it issued", .0 / 1000)]
    WentBack(u64),
}

impl ClockFault {
    /// What a caller is told.
    pub fn refusal(self) -> Refusal {
        Refusal::new(CallReason::ClockWrong).with_message(format!(
            "{self}; nothing is issued until the two agree: this clock is set right, or the validators cosign a time that it has. \
             Try another issuer, or later"
        ))
    }
}

/// The quorum's time.
#[derive(Debug)]
pub struct QuorumTime {
    monotonic: Arc<dyn Monotonic>,
    distance_ms_max: u64,
    seen: Mutex<Option<Seen>>,
    /// The time up to which the ledger is known, as far as anybody has asked.
    heard_ms: AtomicU64,
}

/// Offsets of the quorum's time from the monotonic clock, milliseconds. A checkpoint is seen some time after it was signed,
/// so each is a lower bound, and the largest is the best, as long as no validator's clock is set back.
#[derive(Debug, Clone, Copy)]
struct Seen {
    newest_size: TreeSize,
    newest_as_of: PosixSeconds,
    newest: i64,
    since_ms: i64,
    best: i64,
    before: Option<i64>,
}

impl Seen {
    /// The largest offset of this window and the one before.
    fn latest(&self) -> i64 {
        self.before.map_or(self.best, |before| before.max(self.best))
    }
}

impl QuorumTime {
    /// Nothing seen yet. A clock may be `distance_ms_max` off.
    pub fn new(monotonic: Arc<dyn Monotonic>, distance_ms_max: u64) -> Self {
        Self { monotonic, distance_ms_max, seen: Mutex::new(None), heard_ms: AtomicU64::new(0) }
    }

    /// A checkpoint under a quorum was seen, of a tree of this size. A larger tree was signed later, whatever its time says.
    pub fn observe(&self, size: TreeSize, as_of: PosixSeconds) {
        let elapsed_ms = self.elapsed_ms();
        let offset = signed(as_of.get().saturating_mul(1000)).saturating_sub(elapsed_ms);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        *seen = Some(match *seen {
            // A checkpoint that is not newer than the known one says nothing about the present time.
            Some(known) if (size, as_of) <= (known.newest_size, known.newest_as_of) => known,
            known => {
                let window = known.filter(|known| elapsed_ms.saturating_sub(known.since_ms) < WINDOW_MS);
                let best = window.map_or(offset, |known| known.best.max(offset));
                let since_ms = window.map_or(elapsed_ms, |known| known.since_ms);
                let before = window.map_or(known.map(|known| known.best), |known| known.before);
                Seen { newest_size: size, newest_as_of: as_of, newest: offset, since_ms, best, before }
            }
        });
    }

    /// How far a clock that shows `now` is ahead of the quorum's time, milliseconds; negative: behind; 0 anywhere in its range. `None`
    /// before the first checkpoint: then nothing is issued anyway, because the journal has not caught up.
    pub fn distance_ms(&self, now: UnixMillis) -> Option<i64> {
        let seen = (*self.seen.lock().unwrap_or_else(PoisonError::into_inner))?;
        let distance = |offset: i64| signed(now.get()).saturating_sub(offset.saturating_add(self.elapsed_ms()));
        let (latest, newest) = (distance(seen.latest()), distance(seen.newest));
        Some(if latest > 0 { latest } else { newest.min(0) })
    }

    /// The quorum's time at the latest; `None` before the first checkpoint.
    pub fn latest(&self) -> Option<UnixMillis> {
        let seen = (*self.seen.lock().unwrap_or_else(PoisonError::into_inner))?;
        let millis = seen.latest().saturating_add(self.elapsed_ms());
        Some(UnixMillis::new(u64::try_from(millis).unwrap_or(0)))
    }

    /// How old, in milliseconds, is what a process knows of the ledger that has followed it up to a block of `time`, after which the log has
    /// `size` leaves. Nothing that it does not know was decided before that block, nor before a checkpoint of no larger tree was
    /// cosigned. `None` before the first checkpoint. To be asked every second: only the newest checkpoint is looked at.
    pub fn unheard_ms(&self, time: UnixMillis, size: TreeSize) -> Option<u64> {
        let seen = (*self.seen.lock().unwrap_or_else(PoisonError::into_inner))?;
        let cosigned_ms = seen.newest_as_of.get().saturating_mul(1000);
        let known_ms = if seen.newest_size <= size { time.get().max(cosigned_ms) } else { time.get() };
        let heard_ms = self.heard_ms.fetch_max(known_ms, Ordering::Relaxed).max(known_ms);
        self.latest().map(|latest| latest.since(UnixMillis::new(heard_ms)))
    }

    /// The ledger has been followed up to a checkpoint of this time.
    pub fn heard(&self, as_of: PosixSeconds) {
        self.heard_ms.fetch_max(as_of.get().saturating_mul(1000), Ordering::Relaxed);
    }

    /// Whether a record of this issue time lies too far ahead to be cut into a batch.
    pub fn is_early(&self, issue_time: UnixMillis) -> bool {
        self.latest().is_some_and(|latest| issue_time.since(latest) > limits::ISSUE_TIME_CUT_AHEAD_MS_MAX)
    }

    /// The issue time of what is new at `now`. Issue times do not go back behind the last one, unless that one lies so far ahead that
    /// its own record waits: the clocks were wrong then, and what follows must not wait for them.
    pub fn issue_time(&self, now: UnixMillis, last_issue_time: UnixMillis) -> UnixMillis {
        if self.is_early(last_issue_time) { now } else { now.max(last_issue_time) }
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
        let back = self.issue_time(now, last_issue_time).since(now);
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
    pub(crate) trust: &'a FollowedTrust,
    pub(crate) time: &'a QuorumTime,
}

impl CheckpointJudge for ObservingJudge<'_> {
    fn judge(&self, note: &str) -> Result<(TreeSize, Hash), CheckpointError> {
        let trusted = judged(&self.trust.current(), note)?;
        self.time.observe(trusted.size, trusted.as_of);
        Ok((trusted.size, trusted.root))
    }
}

/// Keeps the time fresh while no block comes: asks all nodes for their newest checkpoints.
pub struct TimeKeeper {
    /// Whom it asks: all of them, because one may hold its newest back.
    pub nodes: Arc<Nodes>,
    /// Which validators' checkpoints are believed.
    pub trust: Arc<FollowedTrust>,
    /// What is told each checkpoint that counts.
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
                self.time.observe(trusted.size, trusted.as_of);
            }
        }
    }
}

#[cfg(test)]
mod tests;
