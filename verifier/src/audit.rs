//! The audit: the whole ledger again, from genesis, with nothing believed but the genesis file.
//!
//! ```text
//! source ──▶ [prepare: decode, re-hash, every signature]×threads ──▶ [replay: apply, compare, in order] ──▶ report
//! ```
//! Of each block: canonical bytes, block hash, batch roots and counts, every record's and header's signature, every ledger
//! rule by executing it, seal (status root, effects hash, totals, handover), the log entries that were served, the commit
//! certificate. Of each checkpoint: root and quorum under the set that counts for its size. At the end: totals, and, if an
//! issuer's bodies are at hand, that every content is what its record commits to and keeps the body rules. Of each report of a receipt
//! left out that was handed in: whether the ledger has it, and since when.
//!
//! A replay stops at the first finding about a block: nothing after it has a defined meaning.

mod bodies;
mod finding;
mod handover;
mod in_use;
mod left_out;
mod page;
mod prepare;
mod replay;
mod report;
mod tally;
mod watch;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Instant;

use receipt_core::genesis::Genesis;
use receipt_core::ids::Height;
use receipt_core::suite::ChainId;
use receipt_core::trust::{TrustFile, TrustTextError};
use tallystick_proto::ledger::v1::LedgerBlock;
use tallystick_service::rng::{Entropy, EntropyError};

use crate::progress::Progress;
use crate::sink::{Announcement, Detail, Flow, Sink};
use crate::source::{Source, SourceError};
use prepare::{KeyRegistry, Prepared, Preparer};
use replay::Replay;
use watch::Watch;

pub use bodies::{BodiesError, BodiesReport};
pub use finding::{Finding, FindingCode};
pub use handover::{AuthorityChangeReport, HandoverReport};
pub use left_out::{LeftOutOutcome, LeftOutReport};
pub use report::{AuditReport, AuditResult, CheckpointReport, LateReport, TotalsReport, UnitReport};
pub use watch::{Agreement, GivenReport};

/// Blocks that may wait between two stages.
const QUEUE_BLOCKS: usize = 8;

/// What an audit is asked to do.
pub struct AuditOptions<'a> {
    /// Threads that prepare blocks, at least 1.
    pub threads: usize,
    /// The issuers' files of body lines (`receipt_core::bundle::BodyLine`); none: content is not checked.
    pub bodies: Vec<PathBuf>,
    /// Reports of receipts left out, all of this chain.
    pub left_out: Vec<GivenReport>,
    /// A trust file in use, to be compared with what the ledger says.
    pub trust: Option<TrustFile>,
    /// The height as of which the registry is to be kept ([`AuditReport::registered`]).
    pub registry_at: Option<Height>,
    /// Unpredictable numbers for batch verification: whoever made the ledger must not foresee them.
    pub entropy: &'a dyn Entropy,
}

/// Why there is no report at all.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The genesis file implies no trust file.
    #[error("the genesis file cannot be used: {0}")]
    Genesis(#[from] TrustTextError),
    /// The ledger is another chain's than the genesis file: it can be neither confirmed nor refuted.
    #[error("the source cannot be judged with this genesis file: {0}")]
    OtherChain(#[source] SourceError),
    /// No randomness for batch verification.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// The body file cannot be read.
    #[error(transparent)]
    Bodies(#[from] BodiesError),
}

/// Replays everything that the source has, from genesis, and reports what holds and what does not. What is wrong with the ledger is a
/// finding of the report; an error means that the audit could not be made (another chain, no randomness, an unreadable file).
pub fn audit(
    genesis: &Genesis,
    source: &Source,
    options: &AuditOptions<'_>,
    progress: &mut dyn Progress,
) -> Result<AuditReport, AuditError> {
    let started = Instant::now();
    let keys = KeyRegistry::default();
    let mut replay = Replay::new(genesis, &keys, Watch::over(&options.left_out))?;
    replay.registry_at = options.registry_at;
    let preparer = Preparer { chain: genesis.chain_id(), keys: &keys, entropy: options.entropy };
    let (finding, source_error) = run(source, options.threads.max(1), &preparer, &mut replay, progress);
    progress.finish();
    if let Some(error @ SourceError::OtherChain { .. }) = source_error {
        return Err(AuditError::OtherChain(error));
    }
    let mut findings: Vec<Finding> = finding.into_iter().collect();
    if findings.is_empty() {
        findings.extend(replay.closing_findings(options.trust.as_ref()));
    }
    // Two histories under a quorum are two, whatever else does not hold.
    findings.extend(replay.left_out.contradictions.iter().cloned());
    // After a finding about a block nothing was compared, and nothing need be said of what was not.
    let compared = options.trust.as_ref().filter(|_| findings.is_empty());
    let trust_beyond = compared.and_then(|trust| in_use::beyond(trust, replay.frontier.size()));
    let bodies = match options.bodies.as_slice() {
        [_, ..] if findings.is_empty() => Some(bodies::check(&options.bodies, &replay, genesis.utc_offset_minutes)?),
        _ => None,
    };
    // Of a ledger that does not hold nothing is said of what it has. A trust file that is not its own says nothing against it.
    let holds =
        |finding: &Finding| finding.code == FindingCode::Trust || replay.left_out.contradictions.contains(finding);
    let told = findings.iter().all(holds);
    let left_out = if told { left_out::close(&replay) } else { Vec::new() };
    let reports_not_judged = (!told && !options.left_out.is_empty())
        .then(|| format!("{} reports of receipts left out: the ledger does not hold.", options.left_out.len()));
    Ok(report::assemble(report::Parts {
        genesis,
        source,
        replay,
        findings,
        source_error: source_error.map(|error| error.to_string()),
        trust_beyond,
        bodies,
        left_out,
        reports_not_judged,
        bodies_wanted: !options.bodies.is_empty(),
        seconds: started.elapsed().as_secs_f64(),
    }))
}

/// Runs the stages to their end. Returns the finding at which the replay stopped, and why the source stopped early.
fn run(
    source: &Source,
    threads: usize,
    preparer: &Preparer<'_>,
    replay: &mut Replay<'_>,
    progress: &mut dyn Progress,
) -> (Option<Finding>, Option<SourceError>) {
    let (announced, other_chain) = (OnceLock::new(), OnceLock::new());
    let expected = preparer.chain;
    let stopped = AtomicBool::new(false);
    let (raw_sender, raw_receiver) = sync_channel::<(u64, LedgerBlock)>(QUEUE_BLOCKS);
    let raw_receiver = Mutex::new(raw_receiver);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let (announced, other_chain, stopped) = (&announced, &other_chain, &stopped);
            let mut sink = Queue { sender: raw_sender, next: 0, announced, expected, other_chain, stopped };
            source.read(Detail::Records, &mut sink)
        });
        let (ready_sender, ready_receiver) = sync_channel(QUEUE_BLOCKS);
        for _ in 0..threads {
            let sender = ready_sender.clone();
            let receiver = &raw_receiver;
            scope.spawn(move || prepare_all(preparer, receiver, &sender));
        }
        drop(ready_sender);
        let finding = replay_all(&ready_receiver, replay, &announced, progress).err();
        // Close the channel, so that a sender sees that nobody receives.
        stopped.store(true, Ordering::Relaxed);
        drop(ready_receiver);
        drain(&raw_receiver);
        let read = reader.join().unwrap_or(Err(SourceError::Reader));
        let reached = replay.tip.as_ref().map(|(height, _)| height.get());
        if let Some(given) = other_chain.get() {
            return (None, Some(SourceError::OtherChain { given: *given, expected }));
        }
        let error = match (read, announced.get()) {
            (Err(error), _) => Some(error),
            (Ok(()), Some(announced)) if finding.is_none() && reached < Some(*announced) => {
                Some(SourceError::EndedEarly { announced: *announced })
            }
            (Ok(()), _) => None,
        };
        (finding, error)
    })
}

/// Passes blocks from the reading thread to the replay.
struct Queue<'a> {
    sender: SyncSender<(u64, LedgerBlock)>,
    next: u64,
    announced: &'a OnceLock<u64>,
    /// The chain that is replayed.
    expected: ChainId,
    /// The source's, if it is another.
    other_chain: &'a OnceLock<ChainId>,
    stopped: &'a AtomicBool,
}

impl Sink for Queue<'_> {
    fn announce(&mut self, announcement: Announcement) -> Flow {
        if let Some(given) = announcement.chain.filter(|given| *given != self.expected) {
            // A source announces itself once, so the cell is empty.
            let _ = self.other_chain.set(given);
            return Flow::Stop;
        }
        if let Some(height) = announcement.last_height {
            // Announced once; a second time would change nothing.
            let _ = self.announced.set(height);
        }
        Flow::Continue
    }

    fn block(&mut self, block: LedgerBlock) -> Flow {
        let position = self.next;
        self.next += 1;
        let sent = self.sender.send((position, block)).is_ok();
        if sent && !self.stopped.load(Ordering::Relaxed) { Flow::Continue } else { Flow::Stop }
    }
}

type Judged = Result<Prepared, Finding>;

/// A worker: takes blocks as they come, until there are no more or nobody listens.
fn prepare_all(
    preparer: &Preparer<'_>,
    receiver: &Mutex<Receiver<(u64, LedgerBlock)>>,
    sender: &SyncSender<(u64, Judged)>,
) {
    loop {
        let next = receiver.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((position, block)) = next else { return };
        if sender.send((position, preparer.prepare(position, block))).is_err() {
            return;
        }
    }
}

/// Takes what is left, so that the reader comes to its end.
fn drain(receiver: &Mutex<Receiver<(u64, LedgerBlock)>>) {
    let receiver = receiver.lock().unwrap_or_else(PoisonError::into_inner);
    // The reader may be blocked in a send. Keep receiving until it has noticed the end.
    while receiver.recv().is_ok() {}
}

/// Puts prepared blocks into order and replays them.
fn replay_all(
    receiver: &Receiver<(u64, Judged)>,
    replay: &mut Replay<'_>,
    announced: &OnceLock<u64>,
    progress: &mut dyn Progress,
) -> Result<(), Finding> {
    let mut waiting: BTreeMap<u64, Judged> = BTreeMap::new();
    let mut next = 0;
    let mut expected = false;
    while let Ok((position, judged)) = receiver.recv() {
        waiting.insert(position, judged);
        while let Some(judged) = waiting.remove(&next) {
            replay.take(judged?)?;
            if let (false, Some(height)) = (expected, announced.get()) {
                progress.expect(*height);
                expected = true;
            }
            progress.reach(next, &replay.progress_words());
            next += 1;
        }
    }
    Ok(())
}
