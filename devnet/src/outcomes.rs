//! Following what becomes of receipts: one `Watch` stream per system, and who waits for what.
//!
//! Not here: issuing. Invariant: an outcome that contradicts an earlier one (refused after sealed, sealed twice under
//! other heights) ends the watch with an error.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use tallystick_proto::issuer::v1::{ReceiptKey, ReceiptState, WatchRequest, WatchResponse};
use tallystick_service::said::said;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::clients::IssuerClient;

/// Code and number.
pub type Key = (String, String);

/// What was decided of a receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// `None` if sealed, else the stable reason of the refusal.
    pub refused_reason: Option<String>,
    /// Height of the deciding block.
    pub block_height: u64,
    /// When this program learned it.
    pub at: Instant,
}

#[derive(Debug, Default)]
struct Seen {
    outcomes: HashMap<Key, Outcome>,
    sealed_count: usize,
    position: u64,
    failure: Option<String>,
}

/// A running watch. Ends when dropped.
#[derive(Debug)]
pub struct OutcomeWatch {
    seen: Arc<Mutex<Seen>>,
    changed: watch::Receiver<u64>,
    task: JoinHandle<()>,
}

impl Drop for OutcomeWatch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl OutcomeWatch {
    /// Starts with outcomes above `after_position`; 0 for all that the issuer still holds.
    pub async fn start(mut client: IssuerClient, after_position: u64) -> Result<Self> {
        let request = WatchRequest { after_position, unit_codes: Vec::new() };
        let mut stream = client.watch(request).await.context("watch outcomes")?.into_inner();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (notify, changed) = watch::channel(0);
        let task_seen = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            loop {
                let next = stream.message().await;
                let mut seen = lock(&task_seen);
                let ended = match next {
                    Ok(Some(response)) => seen.take(response).err().map(|error| error.to_string()),
                    Ok(None) => Some("the issuer ended the watch".to_owned()),
                    Err(status) => Some(format!("the watch broke: {}", said(&status))),
                };
                let is_over = ended.is_some();
                seen.failure = ended;
                drop(seen);
                notify.send_modify(|version| *version += 1);
                if is_over {
                    return;
                }
            }
        });
        Ok(Self { seen, changed, task })
    }

    /// Waits until each of these receipts has an outcome; the outcomes are in the order of the keys.
    pub async fn wait_for(&self, keys: &[Key], timeout: Duration) -> Result<Vec<Outcome>> {
        let found = |seen: &Seen| keys.iter().map(|key| seen.outcomes.get(key).cloned()).collect::<Option<Vec<_>>>();
        let waiting_for = || {
            let seen = self.lock();
            let missing: Vec<&Key> = keys.iter().filter(|key| !seen.outcomes.contains_key(*key)).collect();
            format!("{} of {} receipts, the first of them {:?}", missing.len(), keys.len(), missing.first())
        };
        match self.wait_until(found, timeout).await {
            Ok(Some(outcomes)) => Ok(outcomes),
            Ok(None) => bail!("after {timeout:?} there is no outcome of {}", waiting_for()),
            Err(error) => Err(error.context(format!("there is no outcome of {}", waiting_for()))),
        }
    }

    /// Waits until this many receipts are sealed.
    pub async fn wait_sealed_count(&self, count: usize, timeout: Duration) -> Result<()> {
        let reached = |seen: &Seen| (seen.sealed_count >= count).then_some(());
        match self.wait_until(reached, timeout).await? {
            Some(()) => Ok(()),
            None => bail!("after {timeout:?} {} receipts are sealed, not {count}", self.sealed_count()),
        }
    }

    /// Receipts seen sealed so far.
    pub fn sealed_count(&self) -> usize {
        self.lock().sealed_count
    }

    /// The instants of all seals so far, in order.
    pub fn sealed_at(&self) -> Vec<Instant> {
        let seen = self.lock();
        let sealed = seen.outcomes.values().filter(|outcome| outcome.refused_reason.is_none());
        let mut instants: Vec<Instant> = sealed.map(|outcome| outcome.at).collect();
        instants.sort_unstable();
        instants
    }

    /// Position to go on from.
    pub fn position(&self) -> u64 {
        self.lock().position
    }

    async fn wait_until<T>(&self, check: impl Fn(&Seen) -> Option<T>, timeout: Duration) -> Result<Option<T>> {
        let mut changed = self.changed.clone();
        let deadline = tokio::time::Instant::now() + timeout;
        loop {
            changed.borrow_and_update();
            {
                let seen = self.lock();
                if let Some(value) = check(&seen) {
                    return Ok(Some(value));
                }
                if let Some(failure) = &seen.failure {
                    return Err(anyhow!("{failure}"));
                }
            }
            match tokio::time::timeout_at(deadline, changed.changed()).await {
                Ok(Ok(())) => {}
                // The task has ended. The last thing it saw is in `seen`, which the next round of this loop reads.
                Ok(Err(_)) if self.lock().failure.is_none() => bail!("the watch stopped"),
                Ok(Err(_)) => {}
                Err(_) => return Ok(None),
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Seen> {
        lock(&self.seen)
    }
}

impl Seen {
    fn take(&mut self, response: WatchResponse) -> Result<()> {
        if response.position <= self.position {
            bail!("the watch went from position {} to {}", self.position, response.position);
        }
        self.position = response.position;
        let key = key_of(response.key.as_ref())?;
        let refused_reason = match response.state() {
            ReceiptState::Sealed => None,
            ReceiptState::Refused => Some(response.refused_reason),
            state => bail!("the watch names state {} as an outcome", state.as_str_name()),
        };
        if let Some(before) = self.outcomes.get(&key) {
            // A sealed receipt comes again when its standing changes.
            if before.refused_reason != refused_reason {
                bail!("the outcome of {key:?} changed from {before:?} to {refused_reason:?}");
            }
            return Ok(());
        }
        self.sealed_count += usize::from(refused_reason.is_none());
        let outcome = Outcome { refused_reason, block_height: response.block_height, at: Instant::now() };
        self.outcomes.insert(key, outcome);
        Ok(())
    }
}

/// Code and number of a receipt in an answer.
pub fn key_of(key: Option<&ReceiptKey>) -> Result<Key> {
    let key = key.context("the answer names no receipt")?;
    Ok((key.receipt_code.clone(), key.receipt_number.clone()))
}

fn lock(seen: &Mutex<Seen>) -> std::sync::MutexGuard<'_, Seen> {
    // A panic inside the lock would have left nothing half-done that matters here.
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(position: u64, number: &str, state: ReceiptState, reason: &str) -> WatchResponse {
        WatchResponse {
            position,
            key: Some(ReceiptKey { receipt_code: "99060126".to_owned(), receipt_number: number.to_owned() }),
            state: state.into(),
            refused_reason: reason.to_owned(),
            block_height: 3,
            ..WatchResponse::default()
        }
    }

    #[test]
    fn outcomes_are_counted_once_and_may_not_change() {
        let mut seen = Seen::default();
        seen.take(response(1, "0000000001", ReceiptState::Sealed, "")).unwrap();
        seen.take(response(2, "0000000002", ReceiptState::Refused, "NUMBER_USED")).unwrap();
        seen.take(response(4, "0000000001", ReceiptState::Sealed, "")).unwrap();
        assert_eq!((seen.sealed_count, seen.outcomes.len(), seen.position), (1, 2, 4));
        let backwards = response(4, "0000000003", ReceiptState::Sealed, "");
        assert!(seen.take(backwards).is_err());
        let changed = response(5, "0000000001", ReceiptState::Refused, "NUMBER_USED");
        assert!(seen.take(changed).is_err());
        let pending = response(6, "0000000004", ReceiptState::Pending, "");
        assert!(seen.take(pending).is_err());
    }
}
