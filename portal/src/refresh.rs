//! What the ledger says of a receipt, for whoever has its code, number and status key: asked of nodes, kept for some seconds.
//!
//! The status key is a hash of the signed record: whoever has the receipt has it, and nobody can guess it. An answer is public to whoever
//! can ask for it, so one cache serves all. Not here: whether an answer holds; the browser judges.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use receipt_core::answer::Answer;
use receipt_core::hash::Hash;
use receipt_core::ids::{ReceiptCode, ReceiptKey, ReceiptNumber};
use tallystick_service::callers::Network;

use crate::config::{LimitsConfig, RefreshConfig};
use crate::input::Fields;
use crate::metrics::PortalMetrics;
use crate::nodes::{NoAnswer, Nodes, Question};
use crate::rates::Rates;
use crate::reply::{Problem, ProblemKind};

/// Tries after the first, each asking another node first.
const TRIES_MAX: usize = 63;
/// A row of the cache beside its bytes.
const ROW_BYTES: usize = 256;
const NOT_YET_WAIT: Duration = Duration::from_secs(2);
const NO_NODE_WAIT: Duration = Duration::from_secs(10);

/// Answers questions about receipts.
#[derive(Debug)]
pub(crate) struct Refresher {
    nodes: Nodes,
    cache: Cache,
    rates: Rates<Network>,
    metrics: PortalMetrics,
}

impl Refresher {
    /// Asks these nodes.
    pub(crate) fn new(nodes: Nodes, config: &RefreshConfig, limits: &LimitsConfig, metrics: PortalMetrics) -> Self {
        let cache = Cache::new(Duration::from_secs(config.cache_seconds), config.cache_bytes_max);
        let of_one = (limits.source_refreshes_per_minute_max, Duration::from_secs(60));
        Self { nodes, cache, rates: Rates::new(of_one, limits.refreshes_per_second_max), metrics }
    }

    /// The ledger's answer to `code`, `number`, `status_key` (64 hex digits) and `try` (0 unless an answer did not hold), as bytes.
    pub(crate) async fn answer(&self, mut fields: Fields, source: Network) -> Result<Bytes, Problem> {
        let code = fields.need("code", |text| ReceiptCode::parse(text).ok())?;
        let number = fields.need("number", |text| ReceiptNumber::parse(text).ok())?;
        let status_key = fields.need("status_key", hash_of)?;
        let attempt = fields.take("try").map_or(Some(0), |text| text.parse().ok().filter(|tries| *tries <= TRIES_MAX));
        let attempt = attempt.ok_or(Problem::new(ProblemKind::Form))?;
        fields.end()?;
        self.rates.take(source).map_err(|wait| {
            self.metrics.turn_away("refreshes");
            Problem::after(ProblemKind::TooOften, wait)
        })?;
        let question = Question { key: ReceiptKey { code, number }, status_key };
        self.ask(&question, attempt).await
    }

    /// What the ledger says of a receipt, to be told to whoever has shown that it is theirs: that was counted as a try.
    pub(crate) async fn about(&self, question: &Question) -> Option<Answer> {
        Answer::decode(&self.ask(question, 0).await.ok()?).ok()
    }

    async fn ask(&self, question: &Question, attempt: usize) -> Result<Bytes, Problem> {
        let now = Instant::now();
        // Whoever asks again was given something that did not hold.
        if let Some(bytes) = self.cache.get(question, now).filter(|_| attempt == 0) {
            self.metrics.cache_hits.inc();
            return Ok(bytes);
        }
        let answer = self.nodes.ask(question, attempt).await.map_err(|missing| match missing {
            NoAnswer::NotYet => Problem::after(ProblemKind::NotYet, NOT_YET_WAIT),
            NoAnswer::Unavailable => Problem::after(ProblemKind::NoNode, NO_NODE_WAIT),
        })?;
        let bytes = Bytes::from(answer.encode());
        let held = self.cache.put(*question, bytes.clone(), now);
        self.metrics.cache_bytes.set(i64::try_from(held).unwrap_or(i64::MAX));
        Ok(bytes)
    }
}

fn hash_of(text: &str) -> Option<Hash> {
    Hash::from_slice(&hex::decode(text).ok()?)
}

/// Answers of the last seconds, the oldest first to go.
#[derive(Debug)]
struct Cache {
    life: Duration,
    bytes_max: usize,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    answers: HashMap<Question, (Instant, Bytes)>,
    /// In the order of their times; one that was put anew is there twice.
    order: VecDeque<(Instant, Question)>,
    bytes: usize,
}

impl Cache {
    fn new(life: Duration, bytes_max: usize) -> Self {
        Self { life, bytes_max, held: Mutex::default() }
    }

    fn get(&self, question: &Question, now: Instant) -> Option<Bytes> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let (put, bytes) = held.answers.get(question)?;
        (now.saturating_duration_since(*put) < self.life).then(|| bytes.clone())
    }

    /// Puts an answer in; how many bytes are held now.
    fn put(&self, question: Question, bytes: Bytes, now: Instant) -> usize {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.bytes += bytes.len() + ROW_BYTES;
        if let Some((_, before)) = held.answers.insert(question, (now, bytes)) {
            held.bytes -= before.len() + ROW_BYTES;
        }
        held.order.push_back((now, question));
        while let Some((put, oldest)) = held.order.front().copied() {
            let is_over = now.saturating_duration_since(put) >= self.life;
            // A few more rows than answers: those that were put anew.
            if !is_over && held.bytes <= self.bytes_max && held.order.len() <= 2 * held.answers.len() {
                break;
            }
            held.order.pop_front();
            if held.answers.get(&oldest).is_some_and(|(of, _)| *of == put)
                && let Some((_, bytes)) = held.answers.remove(&oldest)
            {
                held.bytes -= bytes.len() + ROW_BYTES;
            }
        }
        held.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(number: u64) -> Question {
        let (code, number) = (ReceiptCode::parse("99060126").unwrap(), ReceiptNumber::new(number).unwrap());
        Question { key: ReceiptKey { code, number }, status_key: Hash([7; 32]) }
    }

    #[test]
    fn an_answer_is_kept_for_its_life_and_the_oldest_goes_first() {
        let cache = Cache::new(Duration::from_secs(10), 3 * (100 + ROW_BYTES));
        let begin = Instant::now();
        let at = |second: u64| begin + Duration::from_secs(second);
        let bytes = Bytes::from(vec![1; 100]);
        for number in 1..=3 {
            assert_eq!(cache.put(question(number), bytes.clone(), at(number)), number as usize * (100 + ROW_BYTES));
        }
        assert_eq!(cache.get(&question(1), at(10)), Some(bytes.clone()));
        assert_eq!(cache.get(&question(1), at(11)), None, "over");
        let other = Question { status_key: Hash([8; 32]), ..question(1) };
        assert_eq!(cache.get(&other, at(3)), None, "whose status key is another asks something else");
        cache.put(question(4), bytes.clone(), at(4));
        assert_eq!(cache.get(&question(1), at(4)), None, "no room");
        assert!((2..=4).all(|number| cache.get(&question(number), at(4)).is_some()));
        // Put anew many times, it takes its room once.
        for _ in 0..1000 {
            cache.put(question(4), bytes.clone(), at(5));
        }
        let held = cache.held.lock().unwrap();
        assert!(held.bytes <= 3 * (100 + ROW_BYTES) && held.order.len() <= 8, "{} {}", held.bytes, held.order.len());
        drop(held);
        assert_eq!(cache.put(question(5), bytes, at(100)), 100 + ROW_BYTES, "what is over goes");
    }

    #[test]
    fn an_answer_that_is_larger_than_the_cache_is_not_kept() {
        let cache = Cache::new(Duration::from_secs(10), 10);
        assert_eq!(cache.put(question(1), Bytes::from_static(b"answer"), Instant::now()), 0);
    }

    #[test]
    fn a_status_key_is_64_hex_digits() {
        assert_eq!(hash_of(&"0".repeat(64)), Some(Hash([0; 32])));
        assert!(["", "00", &"g".repeat(64), &"0".repeat(66)].iter().all(|text| hash_of(text).is_none()));
    }
}
