//! Threads of RocksDB that merge tables, below all others in the scheduler's eyes.
//!
//! A merge takes seconds of a processor, and nobody waits for it; a vote takes microseconds, and a chain does. With equal rights on a
//! machine that is busy, five merges at once left the votes of four validators so little that no block came for three seconds.

use std::sync::Once;

use rocksdb::Env;

/// By how much they are nicer than the process. 10 gives a thread a ninth of the share of one with 0: little, but enough to keep up. 19, which
/// RocksDB can set by itself, is a seventieth, and a store whose merges fall behind stops its writes in the end.
pub(crate) const NICER: i32 = 10;

static STARTED: Once = Once::new();

/// Starts the process's merging threads, once, before the first store is opened: later they would be as nice as whoever comes first. Does
/// nothing where the system does not let a thread be nicer; then they have equal rights.
pub(crate) fn start_merging(count: i32) {
    STARTED.call_once(|| {
        // On Linux this holds for a thread, and for those that it starts.
        let starter = std::thread::Builder::new().name("merging".into()).spawn(move || {
            if rustix::process::nice(NICER).is_ok()
                && let Ok(mut env) = Env::new()
            {
                env.set_low_priority_background_threads(count);
            }
        });
        if let Ok(starter) = starter {
            let _ended = starter.join();
        }
    });
}
