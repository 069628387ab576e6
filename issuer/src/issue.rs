//! Issuing: from a draft to a signed record on disk, exactly once.
//!
//! ```text
//! caller tasks (many):  draft ─ prepare: rules, keyed hashes ─▶ bounded queue ─┐
//! sequencer (one):      drain a group ─ decide each: replay, conflict, number ─┤
//!                       ─ assemble in parallel: body, record, signature ─ ONE synced write ─ answer all
//! ```
//! The sequencer alone owns numbers, biz codes, payment keys and the outbox's end, so that two calls never race. Calls that
//! arrive during a write share the next one. After a failed write the sequencer ends, and the process with it.
//!
//! Not here: batches (`batcher`), waiting for the seal (`waiters`), who may call (`authority`).

use std::sync::Arc;

use receipt_core::ids::{ReceiptKey, UnixMillis};
use receipt_core::reason::Reason;
use receipt_core::receipt::disclosure::Seed;
use receipt_core::receipt::model::CheckCode;
use tallystick_proto::errors::{CallReason, Refusal};
use tallystick_service::shutdown::CancellationToken;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

mod assemble;
mod prepare;
mod sameness;
mod sequencer;

#[cfg(test)]
mod tests;

pub(crate) use prepare::uniqueness_keys;
pub use prepare::{Prepared, RuleBasis, content_hash, prepare};
pub(crate) use sameness::{SameCall, same_call};
pub(crate) use sequencer::erased;
pub use sequencer::{Returned, Sequencer, SequencerParts, Work, WorkDone};

use crate::journal::JournalError;
use crate::memory::PLACE_BYTES;

/// What the sequencer made of a draft.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Issued {
    /// A new receipt, durable.
    New(Box<Acknowledgement>),
    /// The receipt that the same call made before.
    Existing(ReceiptKey),
}

/// What a caller gets for a new receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledgement {
    /// Its key.
    pub key: ReceiptKey,
    /// The signed record, verbatim.
    pub signed_record: Vec<u8>,
    /// 校验码.
    pub check_code: CheckCode,
    /// Seed of the body's salts.
    pub seed: Seed,
    /// 开票时间.
    pub issue_time: UnixMillis,
    /// The time by which the seal is promised.
    pub seal_by: UnixMillis,
}

/// The answer to one draft.
pub type IssueResult = Result<Issued, Refusal>;

/// One call's work, and where its results go.
enum Job {
    /// Drafts to be issued.
    Drafts { drafts: Vec<Prepared>, reply: oneshot::Sender<Vec<IssueResult>>, places: OwnedSemaphorePermit },
    /// A receipt to be taken back: see [`Returned`].
    Returned { returned: Box<Returned>, reply: oneshot::Sender<IssueResult>, places: OwnedSemaphorePermit },
    /// A task to be done between two groups; it sends its own answer.
    Errand(Errand),
}

type Errand = Box<dyn FnOnce(&mut Sequencer) -> Result<(), JournalError> + Send>;

impl Job {
    fn drafts(&self) -> usize {
        match self {
            Self::Drafts { drafts, .. } => drafts.len(),
            Self::Returned { .. } | Self::Errand(_) => 1,
        }
    }
}

/// The callers' end of the queue.
#[derive(Clone)]
pub struct IssueQueue {
    jobs: mpsc::Sender<Job>,
    places: Arc<Semaphore>,
    places_max: usize,
}

impl std::fmt::Debug for IssueQueue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "IssueQueue({} places free)", self.places.available_permits())
    }
}

/// The sequencer's end of the queue.
pub struct IssueJobs(mpsc::Receiver<Job>);

/// A queue with room for `drafts_max` ordinary drafts.
pub fn issue_queue(drafts_max: usize) -> (IssueQueue, IssueJobs) {
    // Every job takes at least one place, so the channel is never full.
    let (sender, receiver) = mpsc::channel(drafts_max);
    (
        IssueQueue { jobs: sender, places: Arc::new(Semaphore::new(drafts_max)), places_max: drafts_max },
        IssueJobs(receiver),
    )
}

impl IssueQueue {
    /// What waits and what is being issued, about, in bytes.
    pub fn held_bytes(&self) -> usize {
        self.places_max.saturating_sub(self.places.available_permits()).saturating_mul(PLACE_BYTES)
    }

    /// Issues drafts; answers when all of them are durable or refused. Refuses with `OVERLOADED` if there is no room, with
    /// `REQUEST_TOO_LARGE` if there never will be for so many in one call, with `SHUTTING_DOWN` if the sequencer takes nothing any
    /// more, and with `OUTCOME_UNKNOWN` if it ended while it had them: their write may be on disk.
    pub async fn issue(&self, drafts: Vec<Prepared>) -> Result<Vec<IssueResult>, Refusal> {
        let count = drafts.iter().map(|draft| 1 + draft.byte_size / PLACE_BYTES).sum();
        if count > self.places_max && drafts.len() > 1 {
            let message = format!(
                "the drafts of this call take {count} places of the queue, which has {}; split the call",
                self.places_max
            );
            return Err(Refusal::new(CallReason::RequestTooLarge).with_message(message));
        }
        let places = self.places(count)?;
        let (reply, answer) = oneshot::channel();
        self.jobs.try_send(Job::Drafts { drafts, reply, places }).map_err(|_| not_taken())?;
        answer.await.map_err(|_| unknown_outcome())
    }

    /// Takes a receipt back that a lost journal acknowledged; answers when it is durable, known or refused.
    pub async fn take_back(&self, returned: Returned) -> IssueResult {
        let places = self.places(1 + returned.byte_size / PLACE_BYTES)?;
        let (reply, answer) = oneshot::channel();
        self.jobs.try_send(Job::Returned { returned: Box::new(returned), reply, places }).map_err(|_| not_taken())?;
        answer.await.map_err(|_| unknown_outcome())?
    }

    /// Has the sequencer do something between two groups, for an operator. A failure of the journal ends the process.
    pub async fn errand<T: Send + 'static>(
        &self,
        errand: impl FnOnce(&mut Sequencer) -> Result<T, JournalError> + Send + 'static,
    ) -> Result<T, Refusal> {
        let (reply, answer) = oneshot::channel();
        let errand: Errand = Box::new(move |sequencer| {
            // The caller may have gone. The errand is done in any case.
            let _ = reply.send(errand(sequencer)?);
            Ok(())
        });
        self.jobs.send(Job::Errand(errand)).await.map_err(|_| not_taken())?;
        answer.await.map_err(|_| Refusal::new(CallReason::OutcomeUnknown))
    }

    /// A single receipt that takes more places than there are takes all of them.
    fn places(&self, count: usize) -> Result<OwnedSemaphorePermit, Refusal> {
        let overloaded = || Refusal::new(Reason::Overloaded);
        let count = u32::try_from(count.clamp(1, self.places_max.max(1))).map_err(|_| overloaded())?;
        Arc::clone(&self.places).try_acquire_many_owned(count).map_err(|_| overloaded())
    }
}

/// The sequencer never had it: nothing was done.
fn not_taken() -> Refusal {
    Refusal::new(CallReason::ShuttingDown)
}

/// The sequencer had it and ended without an answer. A write that failed may be on disk all the same: only the next start
/// shows whether the receipt exists.
pub(crate) fn unknown_outcome() -> Refusal {
    Refusal::new(CallReason::OutcomeUnknown).with_message(
        "the issuer ended before it could say whether the receipt was issued; make the same call again, at this issuer",
    )
}

/// Runs the sequencer until the token is cancelled and the queue is empty. An error is fatal to the process.
pub async fn run(
    mut sequencer: Sequencer,
    jobs: IssueJobs,
    group_drafts_max: usize,
    token: CancellationToken,
) -> Result<(), JournalError> {
    let mut jobs = jobs.0;
    loop {
        let job = tokio::select! {
            job = jobs.recv() => job,
            () = token.cancelled(), if !jobs.is_closed() => {
                jobs.close();
                continue;
            }
        };
        let Some(job) = job else { return Ok(()) };
        let mut group = vec![job];
        let mut drafts = group[0].drafts();
        while drafts < group_drafts_max
            && let Ok(job) = jobs.try_recv()
        {
            drafts += job.drafts();
            group.push(job);
        }
        tokio::task::block_in_place(|| issue_group(&mut sequencer, group))?;
    }
}

fn issue_group(sequencer: &mut Sequencer, group: Vec<Job>) -> Result<(), JournalError> {
    let (mut drafts, mut returned) = (Vec::new(), Vec::new());
    let mut work = Work::default();
    for job in group {
        match job {
            Job::Drafts { drafts: prepared, reply, places } => {
                drafts.push((reply, prepared.len(), places));
                work.drafts.extend(prepared);
            }
            Job::Returned { returned: one, reply, places } => {
                returned.push((reply, places));
                work.returned.push(*one);
            }
            Job::Errand(errand) => errand(sequencer)?,
        }
    }
    let done = sequencer.work(work)?;
    // Sending fails if the caller has gone. Its receipt is issued; it gets it by asking again with the biz code.
    for ((reply, places), result) in returned.into_iter().zip(done.returned) {
        drop(places);
        let _ = reply.send(result);
    }
    let mut results = done.drafts.into_iter();
    for (reply, count, places) in drafts {
        drop(places);
        let _ = reply.send(results.by_ref().take(count).collect());
    }
    Ok(())
}
