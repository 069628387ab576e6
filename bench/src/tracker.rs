//! What becomes of every receipt of a run: called, acknowledged, sealed.
//!
//! One `Watch` stream per run brings the outcomes; they are matched with the calls by code and number. An outcome may come
//! before the acknowledgement was noted; either order gives the same samples.
//!
//! Invariant: a receipt is counted sealed once; the same receipt acknowledged twice, or refused, is on the list of problems.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use tallystick_devnet::clients::IssuerClient;
use tallystick_proto::issuer::v1::{ReceiptState, WatchRequest, WatchResponse};
use tallystick_service::said::said;
use tokio::task::JoinHandle;

/// A receipt's code and number as one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key(u64);

impl Key {
    /// From the eight and the ten digits.
    pub fn parse(receipt_code: &str, receipt_number: &str) -> Result<Self> {
        let digits = |text: &str| text.parse::<u64>().with_context(|| format!("{text:?} is not a number"));
        let (code, number) = (digits(receipt_code)?, digits(receipt_number)?);
        if code >= 100_000_000 || number >= 10_000_000_000 {
            bail!("{receipt_code:?} and {receipt_number:?} are too long");
        }
        Ok(Self(code * 10_000_000_000 + number))
    }
}

/// A sealed receipt.
#[derive(Debug, Clone, Copy)]
pub struct SealedSample {
    /// When its call was due.
    pub called_at: Instant,
    /// When this program learned that it is sealed.
    pub sealed_at: Instant,
}

#[derive(Debug, Default)]
struct State {
    waiting: HashMap<Key, Instant>,
    early: HashMap<Key, Instant>,
    decided: HashSet<Key>,
    sealed: Vec<SealedSample>,
    heights: BTreeMap<u64, Instant>,
    problems: Vec<String>,
    failure: Option<String>,
}

/// Who is told of calls and outcomes.
#[derive(Debug)]
pub struct Tracker {
    state: Arc<Mutex<State>>,
    task: JoinHandle<()>,
}

impl Drop for Tracker {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Everything that was seen.
#[derive(Debug)]
pub struct Tracked {
    /// Sealed receipts, in the order in which they were learned.
    pub sealed: Vec<SealedSample>,
    /// When the first outcome of each height was learned.
    pub heights: BTreeMap<u64, Instant>,
    /// Acknowledged receipts without an outcome.
    pub unsealed: usize,
    /// Refusals and contradictions, at most the first hundred.
    pub problems: Vec<String>,
}

const PROBLEMS_MAX: usize = 100;
const LOOK_INTERVAL: Duration = Duration::from_millis(2);

impl Tracker {
    /// Starts with the outcomes from now on: the network must be at rest, or freshly made.
    pub async fn start(mut client: IssuerClient, after_position: u64) -> Result<Self> {
        let request = WatchRequest { after_position, unit_codes: Vec::new() };
        let mut stream = client.watch(request).await.context("watch the outcomes")?.into_inner();
        let state = Arc::new(Mutex::new(State::default()));
        let task_state = Arc::clone(&state);
        let task = tokio::spawn(async move {
            loop {
                let next = stream.message().await;
                let failure = match next {
                    Ok(Some(response)) => lock(&task_state).outcome(&response).err().map(|error| format!("{error:#}")),
                    Ok(None) => Some("the issuer ended the watch".to_owned()),
                    Err(status) => Some(format!("the watch broke: {}", said(&status))),
                };
                if failure.is_some() {
                    lock(&task_state).failure = failure;
                    return;
                }
            }
        });
        Ok(Self { state, task })
    }

    /// A receipt was acknowledged.
    pub fn acknowledged(&self, key: Key, called_at: Instant) {
        lock(&self.state).acknowledged(key, called_at);
    }

    /// Acknowledged receipts that are not decided yet.
    pub fn waiting_count(&self) -> usize {
        lock(&self.state).waiting.len()
    }

    /// Receipts sealed so far.
    pub fn sealed_count(&self) -> usize {
        lock(&self.state).sealed.len()
    }

    /// Newest height of which an outcome was learned.
    pub fn newest_height(&self) -> u64 {
        lock(&self.state).heights.last_key_value().map_or(0, |(height, _)| *height)
    }

    /// Returns when fewer than `count` receipts wait; an error if the watch is over.
    pub async fn wait_below(&self, count: usize) -> Result<()> {
        // Thousands of outcomes a second, dozens of waiting calls: looking from time to time is cheaper than being told.
        loop {
            {
                let state = lock(&self.state);
                if state.waiting.len() < count {
                    return Ok(());
                }
                if let Some(failure) = &state.failure {
                    bail!("{failure}");
                }
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    }

    /// Everything that was seen; ends the watch.
    pub fn finish(self) -> Tracked {
        let mut state = lock(&self.state);
        let mut problems = std::mem::take(&mut state.problems);
        problems.extend(state.failure.take());
        Tracked {
            sealed: std::mem::take(&mut state.sealed),
            heights: std::mem::take(&mut state.heights),
            unsealed: state.waiting.len(),
            problems,
        }
    }
}

impl State {
    fn acknowledged(&mut self, key: Key, called_at: Instant) {
        match self.early.remove(&key) {
            Some(sealed_at) => self.sealed.push(SealedSample { called_at, sealed_at }),
            None if self.decided.contains(&key) => {
                self.problem(format!("{key:?} was acknowledged again after its outcome"))
            }
            None if self.waiting.insert(key, called_at).is_some() => {
                self.problem(format!("{key:?} was acknowledged twice"));
            }
            None => {}
        }
    }

    fn outcome(&mut self, response: &WatchResponse) -> Result<()> {
        let now = Instant::now();
        let key = response.key.as_ref().context("an outcome names no receipt")?;
        let key = Key::parse(&key.receipt_code, &key.receipt_number)?;
        self.heights.entry(response.block_height).or_insert(now);
        if !self.decided.insert(key) {
            self.problem(format!("{key:?} has two outcomes"));
            return Ok(());
        }
        if response.state() != ReceiptState::Sealed {
            self.waiting.remove(&key);
            self.problem(format!("{key:?} is {} ({})", response.state().as_str_name(), response.refused_reason));
            return Ok(());
        }
        match self.waiting.remove(&key) {
            Some(called_at) => self.sealed.push(SealedSample { called_at, sealed_at: now }),
            None => {
                self.early.insert(key, now);
            }
        }
        Ok(())
    }

    fn problem(&mut self, text: String) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(text);
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    // A panic inside the lock would have left nothing half-done that matters here.
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use tallystick_proto::issuer::v1::ReceiptKey;

    use super::*;

    fn outcome(number: &str, state: ReceiptState) -> WatchResponse {
        let key = ReceiptKey { receipt_code: "99060126".to_owned(), receipt_number: number.to_owned() };
        WatchResponse { key: Some(key), state: state.into(), block_height: 3, ..WatchResponse::default() }
    }

    #[test]
    fn outcomes_match_acknowledgements_in_either_order() {
        let mut state = State::default();
        let (first, second) =
            (Key::parse("99060126", "0000000001").unwrap(), Key::parse("99060126", "0000000002").unwrap());
        state.acknowledged(first, Instant::now());
        state.outcome(&outcome("0000000001", ReceiptState::Sealed)).unwrap();
        state.outcome(&outcome("0000000002", ReceiptState::Sealed)).unwrap();
        assert_eq!((state.sealed.len(), state.waiting.len(), state.early.len()), (1, 0, 1));
        state.acknowledged(second, Instant::now());
        assert_eq!((state.sealed.len(), state.early.len(), state.problems.len()), (2, 0, 0));
    }

    #[test]
    fn doubles_and_refusals_are_problems() {
        let mut state = State::default();
        let key = Key::parse("99060126", "0000000001").unwrap();
        state.acknowledged(key, Instant::now());
        state.acknowledged(key, Instant::now());
        assert_eq!(state.problems.len(), 1);
        state.outcome(&outcome("0000000001", ReceiptState::Refused)).unwrap();
        assert_eq!((state.problems.len(), state.waiting.len(), state.sealed.len()), (2, 0, 0));
        state.outcome(&outcome("0000000001", ReceiptState::Sealed)).unwrap();
        assert_eq!((state.problems.len(), state.sealed.len()), (3, 0));
    }

    #[test]
    fn keys_are_digits_of_the_right_length() {
        assert_ne!(Key::parse("99060126", "1").unwrap(), Key::parse("99060127", "1").unwrap());
        assert!(Key::parse("990601266", "1").is_err());
        assert!(Key::parse("99060126", "x").is_err());
    }
}
