//! What a node holds in memory: the bound of each part, and what it holds now.
//!
//! The store gets what the others leave of `memory_bytes_max`, so that a node keeps within it however many records there are.

use prometheus_client::registry::Registry;
use receipt_core::limits;
use tallystick_storage::budget::TooSmall;
use tallystick_storage::{MemoryBudget, Part, figures};

use crate::api::{READ_BYTES_MAX, Services};
use crate::config::NodeConfig;
use crate::servers::MESSAGES_BYTES_MAX;

/// The program itself: code, threads' stacks, connections, the registry.
const PROGRAM_BYTES: u64 = 64 * 1024 * 1024;
/// A pooled batch is kept as it came and decoded: a record of 200 bytes takes some 600.
const POOLED_FACTOR: u64 = 3;
/// Blocks that were executed and not decided: bytes, decoded batches, effects; and those of honest proposers on their way in.
const BLOCKS_BYTES: u64 = 16 * BLOCK_BYTES_MAX;
/// What one faulty validator may have kept of blocks that nobody proposed: the engine keeps three of each publisher.
const FAULTY_BLOCKS: u64 = 3;
const BLOCK_BYTES_MAX: u64 = limits::BLOCK_BYTES_MAX as u64;

const POOL: &str = "pool";
/// Blocks that readers have asked for and not taken.
const READ: &str = "read";

/// Shares the configured memory out.
pub(crate) fn budget(config: &NodeConfig) -> Result<MemoryBudget, TooSmall> {
    let count = |bytes: usize| u64::try_from(bytes).unwrap_or(u64::MAX);
    // Of n validators fewer than a third are faulty; this one is not among its peers.
    let faulty = count(config.peers.len() / 3).saturating_mul(FAULTY_BLOCKS).saturating_mul(BLOCK_BYTES_MAX);
    MemoryBudget::share(
        config.memory_bytes_max,
        &[
            Part::new("program", PROGRAM_BYTES),
            Part::new(POOL, count(config.pool.bytes_max).saturating_mul(POOLED_FACTOR)),
            Part::new("messages", count(MESSAGES_BYTES_MAX)),
            Part::new(READ, count(READ_BYTES_MAX)),
            Part::new("blocks", BLOCKS_BYTES.saturating_add(faulty)),
        ],
    )
}

/// Shows the budget, and what is held of it.
pub(crate) fn register(registry: &mut Registry, budget: &MemoryBudget, services: &Services) {
    let store = services.ledger.store.clone();
    let (pool, read) = (std::sync::Arc::clone(&services.pool), services.read_bytes.clone());
    let parts = move || {
        let count = |bytes: usize| u64::try_from(bytes).unwrap_or(u64::MAX);
        vec![(POOL, count(pool.size().bytes).saturating_mul(POOLED_FACTOR)), (READ, count(read.taken()))]
    };
    figures::register(registry, budget, Box::new(move || store.figures()), Box::new(parts));
}
