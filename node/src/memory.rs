//! What a node may hold in memory: the bound of each part. What it holds now: `metrics`.
//!
//! The store gets what the others leave of `memory_bytes_max`, so that a node keeps within it however many records there are.

use receipt_core::limits;
use tallystick_engine::EARLY_BYTES_MAX;
use tallystick_storage::budget::{MEMORY_BYTES_DEFAULT, TooSmall};
use tallystick_storage::{MemoryBudget, Part};

/// The program itself: code, threads' stacks, connections (what they hold unread apart: `links`), the registry.
const PROGRAM_BYTES: u64 = 64 * 1024 * 1024;
/// A pooled batch is kept as it came and decoded: a record of 200 bytes takes some 600.
const POOLED_FACTOR: u64 = 3;
/// Blocks that were executed and not decided: bytes, decoded batches, effects; and those of honest proposers on their way in.
const BLOCKS_BYTES: u64 = 16 * BLOCK_BYTES_MAX;
/// What one faulty validator may have kept of blocks that nobody proposed: the engine keeps three of each publisher.
const FAULTY_BLOCKS_BYTES: u64 = 3 * BLOCK_BYTES_MAX;
const BLOCK_BYTES_MAX: u64 = limits::BLOCK_BYTES_MAX as u64;

/// A request's message: a batch at its limits, and one somewhat above them, so that its sender gets a reason. Nothing else that
/// a node is sent comes near.
pub(crate) const BATCH_MESSAGE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Bytes of messages on their way in, of all but validators. Batches for half a minute of full load.
pub(crate) const SENT_BYTES_MAX: usize = 12 * BATCH_MESSAGE_BYTES_MAX;
/// Of one validator: four of the largest batches.
pub(crate) const VALIDATOR_SENT_BYTES_MAX: usize = 2 * BATCH_MESSAGE_BYTES_MAX;

/// What a peer may send before it is read: the largest block, and what is sent around it.
pub(crate) const PEER_WINDOW_BYTES: usize = limits::BLOCK_BYTES_MAX + tallystick_engine::PART_OVERHEAD_BYTES;
/// What may wait to be sent to a peer that does not read: what the transport takes before it looks, and a frame on either side of it.
const UNREAD_BYTES: usize = 1024 * 1024 + 2 * tallystick_engine::FRAME_BYTES_MAX;
/// What one faulty validator may have kept by its link: frames that the engine is not through with; what comes behind them, and is not read; what it does
/// not read itself.
const FAULTY_LINK_BYTES: usize =
    tallystick_engine::heard_bytes_max(limits::BLOCK_BYTES_MAX) + PEER_WINDOW_BYTES + UNREAD_BYTES;
/// What this node says to its peers, once for all of them.
const SAID_BYTES_MAX: usize = tallystick_engine::said_bytes_max(limits::BLOCK_BYTES_MAX);

/// The largest block as it is sent: its bytes, and its entries beside them.
pub(crate) const BLOCK_MESSAGE_BYTES_MAX: usize = 2 * limits::BLOCK_BYTES_MAX;
/// Bytes of blocks that readers hold: read, and not on the wire.
pub(crate) const READ_BYTES_MAX: usize = 6 * BLOCK_MESSAGE_BYTES_MAX;

/// The largest answer to a node that is behind: decided blocks of as many bytes as one may have, and their certificates.
pub(crate) const ANSWER_BYTES_MAX: usize = tallystick_engine::answer_bytes_max(limits::BLOCK_BYTES_MAX);
/// Answers beside those that faulty validators do not read: one is made while another is sent.
const ANSWERS_OF_OTHERS: usize = 2;
/// Copies of answers while they are encoded, once by the engine and once for the wire.
const ANSWERS_ENCODED: usize = 2;

/// Blocks that this node fetches when it is behind: on their way, and not executed.
const FETCHED_BYTES_MAX: usize = tallystick_engine::fetched_bytes_max(limits::BLOCK_BYTES_MAX);

/// Name of the pool's part.
pub(crate) const POOL: &str = "pool";
/// Name of the part of blocks that readers have asked for and not taken.
pub(crate) const READ: &str = "read";

/// Name of the part of blocks that are handed to nodes behind.
pub(crate) const ANSWERS: &str = "answers";

/// Name of the part of blocks that this node fetches when it is behind.
pub(crate) const FETCHED: &str = "fetched";

/// Name of the part of what validators say to each other.
pub(crate) const LINKS: &str = "links";

/// Of four validators.
const PEERS_USUAL: usize = 3;

/// What the config says of memory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Configured {
    /// For the whole process, if it says so.
    pub bytes_max: Option<u64>,
    /// For batches in the pool, as they came.
    pub pool_bytes_max: usize,
    /// The other validators.
    pub peers: usize,
}

/// Shares the configured memory out.
pub(crate) fn budget(configured: Configured) -> Result<MemoryBudget, TooSmall> {
    let Configured { bytes_max, pool_bytes_max, peers } = configured;
    MemoryBudget::share(bytes_max.unwrap_or_else(|| bytes_default(peers)), &parts(pool_bytes_max, peers))
}

fn parts(pool_bytes_max: usize, peers: usize) -> [Part; 9] {
    let count = |bytes: usize| u64::try_from(bytes).unwrap_or(u64::MAX);
    let faulty = faulty(peers);
    let answers = ANSWERS_ENCODED.saturating_mul(ANSWER_BYTES_MAX).saturating_add(answer_bytes_max(peers));
    [
        Part::new("program", PROGRAM_BYTES),
        Part::new(POOL, pooled_bytes(pool_bytes_max)),
        Part::new("messages", count(SENT_BYTES_MAX.saturating_add(validators_sent_bytes_max(peers)))),
        Part::new(READ, count(READ_BYTES_MAX)),
        Part::new(ANSWERS, count(answers)),
        Part::new(FETCHED, count(FETCHED_BYTES_MAX)),
        Part::new(LINKS, count(faulty.saturating_mul(FAULTY_LINK_BYTES).saturating_add(SAID_BYTES_MAX))),
        Part::new("early", count(faulty.saturating_mul(EARLY_BYTES_MAX))),
        Part::new("blocks", BLOCKS_BYTES.saturating_add(count(faulty).saturating_mul(FAULTY_BLOCKS_BYTES))),
    ]
}

/// Bytes of messages of validators on their way in: faulty ones may fill their shares, and leave as much as two have to the others.
pub(crate) fn validators_sent_bytes_max(peers: usize) -> usize {
    faulty(peers).saturating_add(2).saturating_mul(VALIDATOR_SENT_BYTES_MAX).min(SENT_BYTES_MAX)
}

/// Of n validators fewer than a third are faulty; this one is not among its peers.
const fn faulty(peers: usize) -> usize {
    peers / 3
}

/// Bytes of answers that are made or not on the wire. One of each faulty validator may stay for as long as it likes.
pub(crate) const fn answer_bytes_max(peers: usize) -> usize {
    faulty(peers).saturating_add(ANSWERS_OF_OTHERS).saturating_mul(ANSWER_BYTES_MAX)
}

/// What a node may hold whose config does not say: as much as any process, and what each faulty validator beyond the first can have it
/// hold. So its store gets as much however many validators there are.
fn bytes_default(peers: usize) -> u64 {
    let sum = |peers| parts(0, peers).iter().map(|part| part.bytes_max).sum::<u64>();
    MEMORY_BYTES_DEFAULT.saturating_add(sum(peers).saturating_sub(sum(PEERS_USUAL)))
}

/// What pooled batches of so many bytes hold in memory.
pub(crate) fn pooled_bytes(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX).saturating_mul(POOLED_FACTOR)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(validators: usize, bytes_max: Option<u64>) -> Result<MemoryBudget, TooSmall> {
        budget(Configured { bytes_max, pool_bytes_max: 32 << 20, peers: validators - 1 })
    }

    fn total(budget: &MemoryBudget) -> u64 {
        budget.parts().iter().map(|part| part.bytes_max).sum()
    }

    /// The figures of docs/ops/metrics-store.md.
    #[test]
    fn a_config_that_names_no_memory_does_for_any_number_of_validators() {
        let four = of(4, None).unwrap();
        assert_eq!(total(&four), MEMORY_BYTES_DEFAULT);
        assert_eq!(four.store_bytes() >> 20, 96);
        for validators in 1..=limits::VALIDATORS_MAX {
            let budget = of(validators, None).unwrap();
            assert!(budget.store_bytes() >= four.store_bytes(), "{validators} validators");
            assert_eq!(total(&budget), bytes_default(validators - 1), "{validators} validators");
        }
        let page = include_str!("../../docs/ops/metrics-store.md");
        for part in four.parts() {
            assert!(page.contains(&format!("| `{}` |", part.name)), "{} stands in no table", part.name);
        }
        assert_eq!(total(&of(6, None).unwrap()), MEMORY_BYTES_DEFAULT);
        assert_eq!(total(&of(51, None).unwrap()) >> 20, 971);
        assert!(of(6, Some(MEMORY_BYTES_DEFAULT)).is_ok());
        let refused = of(7, Some(MEMORY_BYTES_DEFAULT)).unwrap_err().to_string();
        assert!(refused.starts_with("must be at least 517 MiB, is 512 MiB: "), "{refused}");
        assert!(refused.contains("links takes up to 30 MiB"), "{refused}");
    }
}
