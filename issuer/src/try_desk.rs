//! Where tries are counted: one task, which alone writes the rows of tries.
//!
//! Calls that arrive during a write share the next one. A try is on disk before its caller knows its place, so that no crash and no power cut
//! gives a guess away. Beside that, rows that have cooled down are deleted, a page at a time.
//!
//! An error of the journal is fatal to the process, as everywhere.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use receipt_core::ids::UnixMillis;
use receipt_core::reason::Reason;
use tallystick_anchoring::gate::{Closed, Gate};
use tallystick_proto::errors::{CallReason, Refusal};
use tallystick_service::clock::Clock;
use tallystick_service::shutdown::CancellationToken;
use tokio::sync::{mpsc, oneshot};

use crate::journal::{Durability, Journal, JournalError, SOURCES_MAX, TryCount, TryReads as _, TryRow, TryWrites as _};
use crate::metrics::IssuerMetrics;
use crate::tries::{Counts, Heat, Lane, Place, Source, all_left, place, taken_back};

/// Tries that wait to be counted.
const QUEUE_MAX: usize = 1_024;
/// Tries of one write.
const GROUP_MAX: usize = 256;
/// Between two pages of rows that are looked at: all of them in half an hour at most.
const SWEEP_INTERVAL: Duration = Duration::from_secs(5);
const SWEEP_ROWS: usize = 2_048;

/// One try: what for, how, and from where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    /// How.
    pub lane: Lane,
    /// What for: a keyed hash.
    pub bucket: u16,
    /// From where: a keyed hash that the portal made.
    pub source: [u8; 16],
}

enum Job {
    Count(Attempt, oneshot::Sender<Result<Place, Refusal>>),
    TakeBack(Attempt),
}

/// What happens to the counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// A try is counted as wrong.
    Count,
    /// It was right.
    TakeBack,
}

/// The callers' end.
#[derive(Debug, Clone)]
pub struct TryQueue {
    jobs: mpsc::Sender<Job>,
    gate: Arc<Gate>,
}

/// The desk's end.
pub struct TryJobs(mpsc::Receiver<Job>);

/// A queue of tries. While the gate says that the disk is nearly full, nothing is counted, and so nothing is judged.
pub fn try_queue(gate: Arc<Gate>) -> (TryQueue, TryJobs) {
    let (jobs, taken) = mpsc::channel(QUEUE_MAX);
    (TryQueue { jobs, gate }, TryJobs(taken))
}

impl TryQueue {
    /// Counts a try as wrong, durably, and gives it its place.
    pub async fn count(&self, attempt: Attempt) -> Result<Place, Refusal> {
        if let Err(closed @ (Closed::DiskLow | Closed::ShuttingDown)) = self.gate.check() {
            return Err(closed.refusal());
        }
        let (reply, placed) = oneshot::channel();
        self.jobs.try_send(Job::Count(attempt, reply)).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Refusal::new(Reason::Overloaded),
            mpsc::error::TrySendError::Closed(_) => Refusal::new(CallReason::ShuttingDown),
        })?;
        placed.await.map_err(|_| Refusal::new(CallReason::ShuttingDown))?
    }

    /// A try was right. If that is not noted, it stays counted, and cools down.
    pub fn take_back(&self, attempt: Attempt) {
        let _ = self.jobs.try_send(Job::TakeBack(attempt));
    }
}

/// The desk.
pub struct TryDesk {
    journal: Arc<Journal>,
    clock: Arc<dyn Clock>,
    metrics: Arc<IssuerMetrics>,
    /// Sources with rows of their own.
    sources: usize,
    sources_max: usize,
    /// Behind which row the sweep goes on.
    swept: Vec<u8>,
}

impl TryDesk {
    /// Counts the sources that the journal knows.
    pub fn open(
        journal: Arc<Journal>,
        clock: Arc<dyn Clock>,
        metrics: Arc<IssuerMetrics>,
    ) -> Result<Self, JournalError> {
        let sources = journal.try_sources()?;
        let desk = Self { journal, clock, metrics, sources, sources_max: SOURCES_MAX, swept: Vec::new() };
        desk.show(&Sheet::default())?;
        Ok(desk)
    }

    /// The same with room for so many sources.
    #[cfg(test)]
    pub(crate) fn with_sources_max(self, sources_max: usize) -> Self {
        Self { sources_max, ..self }
    }

    /// Runs until the token is cancelled and the queue is empty. An error is fatal to the process.
    pub async fn run(mut self, jobs: TryJobs, token: CancellationToken) -> Result<(), JournalError> {
        let mut jobs = jobs.0;
        let mut sweeps = tokio::time::interval(SWEEP_INTERVAL);
        sweeps.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let job = tokio::select! {
                job = jobs.recv() => job,
                _ = sweeps.tick() => {
                    match tokio::task::block_in_place(|| self.sweep()) {
                        // The next one finds the same rows.
                        Err(error) if error.may_pass() => {}
                        swept => swept?,
                    }
                    continue;
                }
                () = token.cancelled(), if !jobs.is_closed() => {
                    jobs.close();
                    continue;
                }
            };
            let Some(job) = job else { return Ok(()) };
            let mut group = vec![job];
            while group.len() < GROUP_MAX
                && let Ok(job) = jobs.try_recv()
            {
                group.push(job);
            }
            tokio::task::block_in_place(|| self.work(group))?;
        }
    }

    /// Counts these tries in one synced write and answers them.
    fn work(&mut self, group: Vec<Job>) -> Result<(), JournalError> {
        let (mut attempts, mut replies) = (Vec::with_capacity(group.len()), Vec::with_capacity(group.len()));
        for job in group {
            match job {
                Job::Count(attempt, reply) => {
                    attempts.push((attempt, Change::Count));
                    replies.push(reply);
                }
                Job::TakeBack(attempt) => attempts.push((attempt, Change::TakeBack)),
            }
        }
        let placed = match self.apply(&attempts) {
            // Nothing was counted, so nothing may be judged.
            Err(error) if error.may_pass() => {
                tracing::error!(%error, "tries to fetch receipts could not be counted, and are not judged");
                replies.iter().map(|_| Err(Refusal::new(Reason::Overloaded))).collect()
            }
            placed => placed?.into_iter().map(Ok).collect::<Vec<_>>(),
        };
        for (reply, place) in replies.into_iter().zip(placed) {
            // The caller may have gone. Its try stays counted.
            let _ = reply.send(place);
        }
        Ok(())
    }

    /// Makes these changes; durable when it returns. The places of those that were counted, in order.
    pub(crate) fn apply(&mut self, attempts: &[(Attempt, Change)]) -> Result<Vec<Place>, JournalError> {
        let now = self.clock.now();
        let mut sheet = Sheet { sources: self.sources, sources_max: self.sources_max, ..Sheet::default() };
        let mut placed = Vec::new();
        for (attempt, change) in attempts {
            match change {
                Change::Count => placed.push(sheet.count(&self.journal, *attempt, now)?),
                Change::TakeBack => sheet.take_back(&self.journal, *attempt, now)?,
            }
        }
        if !sheet.rows.is_empty() {
            let mut write = self.journal.write();
            for (row, count) in &sheet.rows {
                write.put_tries(*row, count);
            }
            write.commit(Durability::Synced)?;
        }
        self.sources = sheet.sources;
        self.show(&sheet)?;
        Ok(placed)
    }

    /// Looks at the next page of rows, and forgets those that have cooled down.
    pub(crate) fn sweep(&mut self) -> Result<(), JournalError> {
        let now = self.clock.now();
        let (rows, next) = self.journal.tries_after(&self.swept, SWEEP_ROWS)?;
        let mut write = self.journal.write();
        let (mut forgotten, mut is_changed) = (0, false);
        for (row, count) in rows {
            if count.is_cold(row, now) {
                write.delete_tries(row);
                forgotten += usize::from(matches!(row, TryRow::Source(_)));
                is_changed = true;
            } else if count.by(now) != count {
                write.put_tries(row, &count.by(now));
                is_changed = true;
            }
        }
        // Not synced: what a crash takes back is found again.
        if is_changed {
            write.commit(Durability::Ordered)?;
        }
        self.sources = self.sources.saturating_sub(forgotten);
        self.swept = next.unwrap_or_default();
        self.show(&Sheet::default())
    }

    fn show(&self, sheet: &Sheet) -> Result<(), JournalError> {
        let now = self.clock.now();
        self.metrics.fetching.sources.set(self.sources as u64);
        for lane in Lane::ALL {
            let all = match sheet.rows.get(&TryRow::All(lane)) {
                Some(count) => Some(*count),
                None => self.journal.tries(TryRow::All(lane))?,
            };
            self.metrics.fetching.wrong_lately(lane, all_left(heat_of(all), now));
        }
        Ok(())
    }
}

/// The rows of one write, as they stand so far.
#[derive(Default)]
struct Sheet {
    rows: BTreeMap<TryRow, TryCount>,
    sources: usize,
    sources_max: usize,
}

impl Sheet {
    fn count(&mut self, journal: &Journal, attempt: Attempt, now: UnixMillis) -> Result<Place, JournalError> {
        let (counts, source) = self.counts(journal, attempt)?;
        let (place, counted) = place(&counts, attempt.lane, now);
        if place.is_counted() {
            let is_new = matches!(source, TryRow::Source(_)) && counts.source == Source::NEW;
            self.sources += usize::from(is_new);
            self.put(attempt, source, counted);
        }
        Ok(place)
    }

    fn take_back(&mut self, journal: &Journal, attempt: Attempt, now: UnixMillis) -> Result<(), JournalError> {
        let (counts, source) = self.counts(journal, attempt)?;
        // A source that is forgotten meanwhile is not made known for having been right.
        if counts.source != Source::NEW {
            self.put(attempt, source, taken_back(&counts, attempt.lane, now));
        }
        Ok(())
    }

    fn counts(&self, journal: &Journal, attempt: Attempt) -> Result<(Counts, TryRow), JournalError> {
        let Attempt { lane, bucket, source } = attempt;
        let own = TryRow::Source(source);
        let (row, known) = match self.read(journal, own)? {
            None if self.sources >= self.sources_max => {
                let shared = TryRow::CrowdedSource(source[0]);
                (shared, self.read(journal, shared)?)
            }
            known => (own, known),
        };
        let source = match known {
            Some(TryCount::Source(source)) => source,
            _ => Source::NEW,
        };
        let all = heat_of(self.read(journal, TryRow::All(lane))?);
        let target = heat_of(self.read(journal, TryRow::Target(lane, bucket))?);
        Ok((Counts { all, target, source }, row))
    }

    fn read(&self, journal: &Journal, row: TryRow) -> Result<Option<TryCount>, JournalError> {
        match self.rows.get(&row) {
            Some(count) => Ok(Some(*count)),
            None => journal.tries(row),
        }
    }

    fn put(&mut self, attempt: Attempt, source: TryRow, counts: Counts) {
        let Attempt { lane, bucket, .. } = attempt;
        self.rows.insert(TryRow::All(lane), TryCount::Heat(counts.all));
        self.rows.insert(TryRow::Target(lane, bucket), TryCount::Heat(counts.target));
        self.rows.insert(source, TryCount::Source(counts.source));
    }
}

fn heat_of(count: Option<TryCount>) -> Heat {
    match count {
        Some(TryCount::Heat(heat)) => heat,
        _ => Heat::COLD,
    }
}

#[cfg(test)]
mod tests;
