//! How large a block and what carries it may be.

/// Room for what stands around blocks in an answer: certificates, lengths.
const ANSWER_OVERHEAD_BYTES: usize = 256 * 1024;
/// Blocks above this would not fit the engine's messages twice.
pub(crate) const BLOCK_BYTES_LIMIT: usize = 64 * 1024 * 1024;
/// Heights in one request of a node that is behind.
pub(crate) const REQUEST_HEIGHTS_MAX: usize = 8;

/// The largest answer to a node that is behind: decided blocks of `block_bytes_max` bytes in sum, or one of that size, and their certificates.
pub const fn answer_bytes_max(block_bytes_max: usize) -> usize {
    block_bytes_max.saturating_add(ANSWER_OVERHEAD_BYTES)
}
