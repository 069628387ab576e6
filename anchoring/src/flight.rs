//! Batches on their way: cut, and not decided on the ledger.

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
    batches: Mutex<BTreeMap<BatchSequence, Arc<Flying>>>,
    new: mpsc::UnboundedSender<Arc<Flying>>,
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
        self.lock().insert(sequence, Arc::clone(&flying));
        // Without a submitter the process is ending; the journal has the batch.
        let _ = self.new.send(flying);
    }

    /// A batch is decided. Returns it, if it was on its way.
    pub fn decided(&self, sequence: BatchSequence) -> Option<Arc<Flying>> {
        let flying = self.lock().remove(&sequence);
        if let Some(flying) = &flying {
            flying.decided.cancel();
        }
        flying
    }

    /// Takes all of them back: this journal is not the newest, and what it offers can not be decided any more.
    pub fn recall(&self) {
        for flying in std::mem::take(&mut *self.lock()).into_values() {
            flying.decided.cancel();
        }
    }

    /// The one that was cut first.
    pub fn oldest(&self) -> Option<Arc<Flying>> {
        self.lock().values().next().map(Arc::clone)
    }

    /// Records of all of them.
    pub fn records(&self) -> u64 {
        self.lock().values().map(|flying| flying.request.records.len() as u64).sum()
    }

    /// How many are on their way.
    pub fn count(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<BatchSequence, Arc<Flying>>> {
        self.batches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
