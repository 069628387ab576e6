//! How large a block and what carries it may be.

/// Room for what stands around blocks in an answer: certificates, lengths.
const ANSWER_OVERHEAD_BYTES: usize = 256 * 1024;
/// Blocks above this would not fit the engine's messages twice.
pub(crate) const BLOCK_BYTES_LIMIT: usize = 64 * 1024 * 1024;
/// Heights in one request of a node that is behind.
pub(crate) const REQUEST_HEIGHTS_MAX: usize = 8;
/// Answers of the largest size that a node holds which is behind: one is executed, the next is there, and one is on its way. And one more for the
/// height that is decided next, which waits for no room.
pub(crate) const FETCHED_ANSWERS_MAX: usize = 3;

/// What a node holds that is behind, in bytes: answers on their way, and those that came and are not decided.
pub const fn fetched_bytes_max(block_bytes_max: usize) -> usize {
    answer_bytes_max(block_bytes_max).saturating_mul(FETCHED_ANSWERS_MAX + 1)
}

/// The largest answer to a node that is behind: decided blocks of `block_bytes_max` bytes in sum, or one of that size, and their certificates.
pub const fn answer_bytes_max(block_bytes_max: usize) -> usize {
    block_bytes_max.saturating_add(ANSWER_OVERHEAD_BYTES)
}
