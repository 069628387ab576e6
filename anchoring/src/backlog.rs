//! How many records wait for a batch, and the signal that wakes the batcher.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::sync::Notify;

/// Shared by sequencer (grows the outbox), follower (puts good records of refused batches back) and batcher (takes).
#[derive(Debug, Default)]
pub struct Backlog {
    outbox_end: AtomicU64,
    outbox_start: AtomicU64,
    requeued: AtomicU64,
    early: AtomicU64,
    unreadable: AtomicU64,
    mended: AtomicBool,
    bell: Notify,
}

impl Backlog {
    /// From the journal: the outbox's first and end position, and whether anything waits to be cut again.
    pub fn new(outbox_start: u64, outbox_end: u64, requeued: u64) -> Self {
        Self {
            outbox_end: AtomicU64::new(outbox_end),
            outbox_start: AtomicU64::new(outbox_start),
            requeued: AtomicU64::new(requeued),
            early: AtomicU64::new(0),
            unreadable: AtomicU64::new(0),
            mended: AtomicBool::new(false),
            bell: Notify::new(),
        }
    }

    /// So many records were set aside: until their issue time, and until their rows can be read again.
    pub fn set_aside(&self, early: u64, unreadable: u64) {
        self.early.store(early, Ordering::Release);
        self.unreadable.store(unreadable, Ordering::Release);
    }

    /// Records whose rows cannot be read; not among those that wait for a batch.
    pub fn unreadable(&self) -> u64 {
        self.unreadable.load(Ordering::Acquire)
    }

    /// Records that were here already have been written anew. Called after the write.
    pub fn mended(&self) {
        self.mended.store(true, Ordering::Release);
        self.bell.notify_one();
    }

    /// Whether any were since this was last asked.
    pub fn take_mended(&self) -> bool {
        self.mended.swap(false, Ordering::AcqRel)
    }

    /// Records that wait for their issue time; not among those that wait for a batch.
    pub fn early(&self) -> u64 {
        self.early.load(Ordering::Acquire)
    }

    /// Records waiting for a batch.
    pub fn records(&self) -> u64 {
        let outbox = self.outbox_end.load(Ordering::Acquire).saturating_sub(self.outbox_start.load(Ordering::Acquire));
        outbox.saturating_add(self.requeued.load(Ordering::Acquire))
    }

    /// The outbox now ends here. Called after the write.
    pub fn grown_to(&self, outbox_end: u64) {
        self.outbox_end.store(outbox_end, Ordering::Release);
        self.bell.notify_one();
    }

    /// So many records are put back. Called before the write, so that they are never taken before they are counted.
    pub fn put_back(&self, records: u64) {
        self.requeued.fetch_add(records, Ordering::AcqRel);
        self.bell.notify_one();
    }

    /// The batcher took the outbox up to `outbox_start` and so many of those put back. Called after the write.
    pub fn taken(&self, outbox_start: u64, requeued: u64) {
        self.outbox_start.store(outbox_start, Ordering::Release);
        let less = |count: u64| Some(count.saturating_sub(requeued));
        // Always `Ok`: the closure never declines.
        let _ = self.requeued.fetch_update(Ordering::AcqRel, Ordering::Acquire, less);
    }

    /// The first position of the outbox.
    pub fn outbox_start(&self) -> u64 {
        self.outbox_start.load(Ordering::Acquire)
    }

    /// Wakes the batcher for another cause: a place in flight is free.
    pub fn ring(&self) {
        self.bell.notify_one();
    }

    /// Waits until records are added, or [`Self::ring`] is called.
    pub async fn changed(&self) {
        self.bell.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taking_more_than_was_put_back_never_wraps() {
        let backlog = Backlog::new(3, 5, 0);
        backlog.taken(5, 2);
        assert_eq!(backlog.records(), 0);
        backlog.put_back(2);
        assert_eq!(backlog.records(), 2);
        backlog.taken(5, 2);
        assert_eq!((backlog.records(), backlog.outbox_start()), (0, 5));
    }
}
