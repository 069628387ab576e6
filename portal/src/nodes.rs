//! What nodes say of a receipt, as a browser will judge it.
//!
//! A node is not believed here either: an answer whose checkpoint no quorum of the trust file stands behind is not handed on, unless its
//! signers came later than the file, as they say, and nobody knows better; nor is one that is far behind others. What a portal cannot see, the record not being here, the browser finds, and asks again with the
//! next number of a try: then another node is asked first. "No such record" is said only when no node that answers has it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use receipt_core::answer::Answer;
use receipt_core::hash::Hash;
use receipt_core::ids::ReceiptKey;
use receipt_core::note::SignedNote;
use receipt_core::trust::TrustFile;
use tallystick_proto::answers::{self, answer_of, ask_about};
use tallystick_proto::errors::{CallReason, ErrorReason, Refusal};
use tallystick_proto::ledger::v1::ledger_service_client::LedgerServiceClient;
use tallystick_service::clock::Clock;
use tallystick_service::identity::Role;
use tallystick_service::tls::{ChannelConfig, ChannelError, ExpectedPeer, Tls, connect_lazy};
use tokio::sync::Semaphore;
use tonic::Status;
use tonic::transport::Channel;

use crate::config::NodeConfig;
use crate::metrics::PortalMetrics;

/// Calls to one node at once; it takes 32 of one caller.
const CALLS_MAX: usize = 24;
/// An answer with notes at their limit.
const MESSAGE_BYTES_MAX: usize = 1024 * 1024;
/// A node that states an older time than another did, by more than this, is behind.
const BEHIND_SECONDS: u64 = 60;

/// Validators, and what is known of them.
#[derive(Debug)]
pub(crate) struct Nodes {
    nodes: Vec<Node>,
    trust: TrustFile,
    clock: Arc<dyn Clock>,
    timeout: Duration,
    /// The one that is asked first.
    preferred: AtomicUsize,
    /// The newest time under a quorum that a node has shown, seconds.
    newest_seconds: AtomicU64,
    metrics: PortalMetrics,
}

#[derive(Debug)]
struct Node {
    name: String,
    client: LedgerServiceClient<Channel>,
    calls: Semaphore,
}

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Question {
    pub(crate) key: ReceiptKey,
    pub(crate) status_key: Hash,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoAnswer {
    /// No node gave one.
    Unavailable,
    /// The record is decided, and no checkpoint covers it yet.
    NotYet,
}

/// How new a node's checkpoint is, as far as this portal can tell; the later the better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Newness {
    /// By validators that came after the trust file, or by whoever says so.
    Unjudged,
    /// Older than another node's.
    Behind,
    New,
}

/// What one node said.
enum Said {
    Answer(Answer, String),
    NotYet,
    Nothing(&'static str),
}

impl Nodes {
    /// Connects at the first question.
    pub(crate) fn new(
        tls: &Arc<Tls>,
        configs: &[NodeConfig],
        (trust, clock): (TrustFile, Arc<dyn Clock>),
        timeout: Duration,
        metrics: PortalMetrics,
    ) -> Result<Self, ChannelError> {
        let node = |config: &NodeConfig| {
            let expected = ExpectedPeer { role: Role::Validator, id: config.validator_id };
            let channel = connect_lazy(tls, &ChannelConfig::new(&config.authority, expected))?;
            Ok(Node::new(config.authority.clone(), channel))
        };
        let nodes = configs.iter().map(node).collect::<Result<_, _>>()?;
        Ok(Self::over(nodes, (trust, clock), timeout, metrics))
    }

    fn over(
        nodes: Vec<Node>,
        (trust, clock): (TrustFile, Arc<dyn Clock>),
        timeout: Duration,
        metrics: PortalMetrics,
    ) -> Self {
        let (preferred, newest_seconds) = (AtomicUsize::new(0), AtomicU64::new(0));
        Self { nodes, trust, clock, timeout, preferred, newest_seconds, metrics }
    }

    /// Asks one node after the other; of a later try another one first.
    pub(crate) async fn ask(&self, question: &Question, attempt: usize) -> Result<Answer, NoAnswer> {
        let first = self.preferred.load(Ordering::Relaxed).wrapping_add(attempt);
        // The best so far: of a known quorum, then with the record, then the newest.
        let (mut best, mut not_yet) = (None, false);
        for index in (0..self.nodes.len()).map(|offset| first.wrapping_add(offset) % self.nodes.len()) {
            let node = &self.nodes[index];
            let said = match tokio::time::timeout(self.timeout, node.say(question)).await {
                Ok(said) => said,
                Err(_) => Said::Nothing("timeout"),
            };
            match said {
                Said::Answer(answer, checkpoint) => match self.judge(&checkpoint) {
                    Ok(newness) => {
                        let has_record = !matches!(answer, Answer::Absent { .. });
                        if has_record && newness == Newness::New {
                            self.metrics.node_answered(outcome_of(&answer));
                            return Ok(answer);
                        }
                        match newness {
                            Newness::New => {}
                            Newness::Behind => self.metrics.node_answered("behind"),
                            Newness::Unjudged => self.metrics.node_answered("unknown_validators"),
                        }
                        let rank = (newness != Newness::Unjudged, has_record, newness);
                        if best.as_ref().is_none_or(|(held, _)| *held < rank) {
                            best = Some((rank, answer));
                        }
                    }
                    Err(problem) => {
                        self.metrics.node_answered("distrusted");
                        tracing::warn!(
                            node = node.name,
                            problem,
                            "a node's checkpoint does not hold; another is asked"
                        );
                    }
                },
                Said::NotYet => not_yet = true,
                Said::Nothing(why) => {
                    self.metrics.node_answered(why);
                    tracing::debug!(node = node.name, why, "a node did not answer; trying the next");
                    let next = index.wrapping_add(1) % self.nodes.len();
                    let _ = self.preferred.compare_exchange(index, next, Ordering::Relaxed, Ordering::Relaxed);
                }
            }
        }
        match best {
            Some(((_, has_record, _), answer)) if has_record || !not_yet => {
                self.metrics.node_answered(outcome_of(&answer));
                Ok(answer)
            }
            _ if not_yet => Err(NoAnswer::NotYet),
            _ => Err(NoAnswer::Unavailable),
        }
    }

    /// How new a checkpoint is beside others. An error: no quorum stands behind it. Whether validators came after the trust file is not known
    /// here: anybody may say so, and whoever's trust file this is has better answers, if there are any.
    fn judge(&self, note: &str) -> Result<Newness, String> {
        let note = SignedNote::parse(note.as_bytes()).map_err(|error| error.to_string())?;
        let as_of = match self.trust.verify_note(&note) {
            Ok(checkpoint) => checkpoint.as_of.get(),
            Err(error) if error.is_beyond_the_file() => return Ok(Newness::Unjudged),
            Err(error) => return Err(error.to_string()),
        };
        let newest = self.newest_seconds.fetch_max(as_of, Ordering::Relaxed).max(as_of);
        let age = self.clock.now().seconds().saturating_sub(newest);
        self.metrics.checkpoint_age_seconds.set(age as f64);
        Ok(if as_of.saturating_add(BEHIND_SECONDS) >= newest { Newness::New } else { Newness::Behind })
    }
}

fn outcome_of(answer: &Answer) -> &'static str {
    match answer {
        Answer::Taken { .. } => "taken",
        Answer::Refused { .. } => "refused",
        Answer::Absent { .. } => "absent",
    }
}

impl Node {
    fn new(name: String, channel: Channel) -> Self {
        let client = LedgerServiceClient::new(channel).max_decoding_message_size(MESSAGE_BYTES_MAX);
        Self { name, client, calls: Semaphore::new(CALLS_MAX) }
    }

    async fn say(&self, question: &Question) -> Said {
        // Closed never; waiting for a place is part of the call's time.
        let Ok(_place) = self.calls.acquire().await else { return Said::Nothing("unavailable") };
        let mut client = self.client.clone();
        match ask_about(&mut client, question.key, question.status_key).await {
            Ok(answers::Said::State(state)) => {
                let checkpoint = state.checkpoint.clone();
                answer_of(*state).map_or(Said::Nothing("malformed"), |answer| Said::Answer(answer, checkpoint))
            }
            Ok(answers::Said::Absent { checkpoint }) => {
                Said::Answer(Answer::Absent { checkpoint: checkpoint.clone() }, checkpoint)
            }
            Err(status) => match reason_of(&status) {
                Some(ErrorReason::Call(CallReason::NotReady)) => Said::NotYet,
                _ => Said::Nothing("unavailable"),
            },
        }
    }
}

fn reason_of(status: &Status) -> Option<ErrorReason> {
    Some(Refusal::from_status(status)?.reason)
}

#[cfg(test)]
mod tests;
