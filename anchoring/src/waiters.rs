//! Calls that wait until a record is decided.
//!
//! Register first, look at the journal second, wait third: a decision in between is then never missed.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use receipt_core::ids::RecordKey;
use tokio::sync::oneshot;

/// Who waits for which record. Bounded by the server's limit on concurrent requests.
#[derive(Debug, Default)]
pub struct Waiters {
    waiting: Mutex<HashMap<RecordKey, Vec<oneshot::Sender<()>>>>,
}

impl Waiters {
    /// Resolves when the record is decided from now on.
    pub fn register(&self, key: impl Into<RecordKey>) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let senders = waiting.entry(key.into()).or_default();
        senders.retain(|sender| !sender.is_closed());
        senders.push(sender);
        receiver
    }

    /// Wakes everybody who waits for one of these. Called after the decision is in the journal.
    pub fn decided(&self, keys: &[RecordKey]) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.is_empty() {
            return;
        }
        for key in keys {
            for sender in waiting.remove(key).unwrap_or_default() {
                // Sending fails if the waiter has gone. Then nobody needs to know.
                let _ = sender.send(());
            }
        }
    }

    /// Forgets those who stopped waiting: a record that stays pending for a day must not collect them.
    pub fn prune(&self) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|_, senders| {
            senders.retain(|sender| !sender.is_closed());
            !senders.is_empty()
        });
    }
}
