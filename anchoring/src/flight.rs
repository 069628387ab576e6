//! Batches on their way: cut, and not decided on the ledger. One with a record that cannot be read is grounded: it is not offered.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use receipt_core::ids::BatchSequence;
use tallystick_proto::ledger::v1::SubmitBatchRequest;
use tallystick_service::shutdown::CancellationToken;
use tokio::sync::mpsc;

/// One batch on its way.
#[derive(Debug)]
pub struct Flying {
    /// Its sequence.
    pub sequence: BatchSequence,
    /// What nodes are offered; its bytes are shared, not copied.
    pub request: SubmitBatchRequest,
    /// When it was cut, or loaded after a start.
    pub since: Instant,
    /// Cancelled when it is decided.
    pub decided: CancellationToken,
}

/// All of them. At most as many as the batcher allows.
#[derive(Debug)]
pub struct Flight {
    batches: Mutex<Batches>,
    new: mpsc::UnboundedSender<Arc<Flying>>,
}

#[derive(Debug, Default)]
struct Batches {
    flying: BTreeMap<BatchSequence, Arc<Flying>>,
    /// With how many records each has.
    grounded: BTreeMap<BatchSequence, u64>,
}

/// Where the submitter takes them from. Bounded by the flight itself.
pub type Departures = mpsc::UnboundedReceiver<Arc<Flying>>;

impl Flight {
    /// Nothing on its way yet.
    pub fn new() -> (Self, Departures) {
        let (new, departures) = mpsc::unbounded_channel();
        (Self { batches: Mutex::default(), new }, departures)
    }

    /// A batch sets out.
    pub fn depart(&self, sequence: BatchSequence, request: SubmitBatchRequest) {
        let flying = Arc::new(Flying { sequence, request, since: Instant::now(), decided: CancellationToken::new() });
        let mut batches = self.lock();
        batches.grounded.remove(&sequence);
        batches.flying.insert(sequence, Arc::clone(&flying));
        drop(batches);
        // Sending fails only when the submitter has gone, which means that the process is ending. The journal keeps the batch.
        let _ = self.new.send(flying);
    }

    /// A batch of so many records cannot set out.
    pub fn ground(&self, sequence: BatchSequence, records: u64) {
        self.lock().grounded.insert(sequence, records);
    }

    /// Those that cannot.
    pub fn grounded(&self) -> Vec<BatchSequence> {
        self.lock().grounded.keys().copied().collect()
    }

    /// A batch is decided. Returns it, if it was on its way.
    pub fn decided(&self, sequence: BatchSequence) -> Option<Arc<Flying>> {
        let mut batches = self.lock();
        batches.grounded.remove(&sequence);
        let flying = batches.flying.remove(&sequence);
        drop(batches);
        if let Some(flying) = &flying {
            flying.decided.cancel();
        }
        flying
    }

    /// Takes all of them back: this journal is not the newest, and what it offers can not be decided any more.
    pub fn recall(&self) {
        for flying in std::mem::take(&mut *self.lock()).flying.into_values() {
            flying.decided.cancel();
        }
    }

    /// The one that was cut first.
    pub fn oldest(&self) -> Option<Arc<Flying>> {
        self.lock().flying.values().next().map(Arc::clone)
    }

    /// Records of all of them, of the grounded ones, too.
    pub fn records(&self) -> u64 {
        let batches = self.lock();
        let flying = batches.flying.values().map(|flying| flying.request.records.len() as u64);
        flying.chain(batches.grounded.values().copied()).sum()
    }

    /// How many are on their way.
    pub fn count(&self) -> usize {
        self.lock().flying.len()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Batches> {
        self.batches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
