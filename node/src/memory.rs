//! What a node may hold in memory: the bound of each part. What it holds now: `metrics`.
//!
//! The store gets what the others leave of `memory_bytes_max`, so that a node keeps within it however many records there are.

use receipt_core::limits;
use tallystick_storage::budget::TooSmall;
use tallystick_storage::{MemoryBudget, Part};

/// The program itself: code, threads' stacks, connections, the registry.
const PROGRAM_BYTES: u64 = 64 * 1024 * 1024;
/// A pooled batch is kept as it came and decoded: a record of 200 bytes takes some 600.
const POOLED_FACTOR: u64 = 3;
/// Blocks that were executed and not decided: bytes, decoded batches, effects; and those of honest proposers on their way in.
const BLOCKS_BYTES: u64 = 16 * BLOCK_BYTES_MAX;
/// What one faulty validator may have kept of blocks that nobody proposed: the engine keeps three of each publisher.
const FAULTY_BLOCKS: u64 = 3;
const BLOCK_BYTES_MAX: u64 = limits::BLOCK_BYTES_MAX as u64;

/// A request's message: a batch at its limits, and one somewhat above them, so that its sender gets a reason. Nothing else that
/// a node is sent comes near.
pub(crate) const BATCH_MESSAGE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Bytes of messages on their way in: of validators, and as many of all others. Batches for half a minute of full load.
pub(crate) const SENT_BYTES_MAX: usize = 12 * BATCH_MESSAGE_BYTES_MAX;
const MESSAGES_BYTES_MAX: usize = 2 * SENT_BYTES_MAX;

/// The largest block as it is sent: its bytes, and its entries beside them.
pub(crate) const BLOCK_MESSAGE_BYTES_MAX: usize = 2 * limits::BLOCK_BYTES_MAX;
/// Bytes of blocks that readers hold: read, and not on the wire.
pub(crate) const READ_BYTES_MAX: usize = 6 * BLOCK_MESSAGE_BYTES_MAX;

/// Name of the pool's part.
pub(crate) const POOL: &str = "pool";
/// Name of the part of blocks that readers have asked for and not taken.
pub(crate) const READ: &str = "read";

/// What the config says of memory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Configured {
    /// For the whole process.
    pub bytes_max: u64,
    /// For batches in the pool, as they came.
    pub pool_bytes_max: usize,
    /// The other validators.
    pub peers: usize,
}

/// Shares the configured memory out.
pub(crate) fn budget(configured: Configured) -> Result<MemoryBudget, TooSmall> {
    let count = |bytes: usize| u64::try_from(bytes).unwrap_or(u64::MAX);
    // Of n validators fewer than a third are faulty; this one is not among its peers.
    let faulty = count(configured.peers / 3).saturating_mul(FAULTY_BLOCKS).saturating_mul(BLOCK_BYTES_MAX);
    MemoryBudget::share(
        configured.bytes_max,
        &[
            Part::new("program", PROGRAM_BYTES),
            Part::new(POOL, pooled_bytes(configured.pool_bytes_max)),
            Part::new("messages", count(MESSAGES_BYTES_MAX)),
            Part::new(READ, count(READ_BYTES_MAX)),
            Part::new("blocks", BLOCKS_BYTES.saturating_add(faulty)),
        ],
    )
}

/// What pooled batches of so many bytes hold in memory.
pub(crate) fn pooled_bytes(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX).saturating_mul(POOLED_FACTOR)
}
