//! What an issuer holds in memory: the bound of each part.
//!
//! The journal gets what the others leave of `memory_bytes_max`, so that an issuer keeps within it however many receipts there are.

use std::sync::Arc;

use prometheus_client::registry::Registry;
use tallystick_storage::budget::TooSmall;
use tallystick_storage::{MemoryBudget, Part, figures};

use crate::config::Config;
use crate::issue::{IssueQueue, PLACE_BYTES};
use crate::journal::Journal;
use crate::server::{REQUESTS_BYTES_MAX, STREAMS_BYTES_MAX};

/// The program itself: code, threads' stacks, connections, keys, the registry.
const PROGRAM_BYTES: u64 = 64 * MIB;
/// Entries of blocks that are being followed, as they came and decoded.
const FOLLOWED_BYTES: u64 = 32 * MIB;
/// Next numbers and tallies, 100,000 of each, and the trees of 32 batches, for bundles.
const TABLES_BYTES: u64 = 16 * MIB;
/// A batch on its way: its records, and the message that holds them.
const BATCH_COPIES: u64 = 2;

const DRAFTS: &str = "drafts";
const MIB: u64 = 1024 * 1024;

/// Shares the configured memory out.
pub(crate) fn budget(config: &Config) -> Result<MemoryBudget, TooSmall> {
    let count = |bytes: usize| u64::try_from(bytes).unwrap_or(u64::MAX);
    let batches = count(config.batch.in_flight_max).saturating_mul(count(config.batch.bytes_max));
    MemoryBudget::share(
        config.memory_bytes_max,
        &[
            Part::new("program", PROGRAM_BYTES),
            Part::new("requests", count(REQUESTS_BYTES_MAX)),
            Part::new("streams", count(STREAMS_BYTES_MAX)),
            Part::new(DRAFTS, count(config.issue.queue_drafts_max).saturating_mul(count(PLACE_BYTES))),
            Part::new("batches", batches.saturating_mul(BATCH_COPIES)),
            Part::new("followed", FOLLOWED_BYTES),
            Part::new("tables", TABLES_BYTES),
        ],
    )
}

/// Shows the budget, and what is held of it.
pub(crate) fn register(registry: &mut Registry, budget: &MemoryBudget, journal: &Arc<Journal>, queue: IssueQueue) {
    let journal = Arc::clone(journal);
    let parts = move || vec![(DRAFTS, u64::try_from(queue.held_bytes()).unwrap_or(u64::MAX))];
    figures::register(registry, budget, Box::new(move || journal.figures()), Box::new(parts));
}
