//! What a read does while the machine is short of files or memory: it waits.
//!
//! A table that is not open is opened when it is read. With every file descriptor in use that fails, though nothing is wrong with the store, and
//! it passes. An error would end the process, whose start needs more files than the read that failed. So whoever reads waits, consensus
//! first: a node whose consensus waits is like one on a slow disk; the others decide, and it follows when it can. As long as
//! anybody waits, calls are told to come again ([`super::Store::is_short`]), so that those who wait do not become more and more.
//!
//! A write does not wait: after one that failed nobody knows what is on disk, so the process starts again from there.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tallystick_service::disk_fault::DiskFault;

use super::StoreError;

/// Between two tries.
const PAUSE: Duration = Duration::from_millis(200);

/// Who waits for a store.
#[derive(Default)]
pub(super) struct Shortage {
    waiting: AtomicUsize,
    is_ending: AtomicBool,
}

impl Shortage {
    /// Reads, and waits while the machine is short of what that takes.
    pub(super) fn read<T>(&self, mut read: impl FnMut() -> Result<T, StoreError>) -> Result<T, StoreError> {
        let mut waits = None;
        loop {
            let done = read();
            let problem = done.as_ref().err().and_then(shortage);
            let Some(problem) = problem.filter(|_| !self.is_ending.load(Ordering::Relaxed)) else { return done };
            waits.get_or_insert_with(|| Waits::begin(self, problem));
            // On a thread of the runtime others go on meanwhile.
            tokio::task::block_in_place(|| std::thread::sleep(PAUSE));
        }
    }

    pub(super) fn is_waited_for(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }

    /// The process ends: who waits gets the error.
    pub(super) fn end(&self) {
        self.is_ending.store(true, Ordering::Relaxed);
    }
}

/// What RocksDB says, if that is a shortage.
fn shortage(error: &StoreError) -> Option<&str> {
    let StoreError::Rocks(error) = error else { return None };
    DiskFault::of_text(error.as_ref(), Path::new("")).is_shortage().then_some(error.as_ref())
}

/// One read that waits. The first and the last of those at one time say so.
struct Waits<'a>(&'a Shortage);

impl<'a> Waits<'a> {
    fn begin(shortage: &'a Shortage, problem: &str) -> Self {
        if shortage.waiting.fetch_add(1, Ordering::Relaxed) == 0 {
            tracing::warn!(
                problem,
                "the store cannot be read: the machine is short of open files or of memory. This node waits, its votes with it, and goes \
                 on by itself. Nothing is damaged. Allow more files (LimitNOFILE of the service, `sysctl fs.file-max` of the machine), or \
                 free memory"
            );
        }
        Self(shortage)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        if self.0.waiting.fetch_sub(1, Ordering::Relaxed) == 1 {
            tracing::info!("the store is read again");
        }
    }
}
