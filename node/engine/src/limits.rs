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

/// Frames of one peer that the engine is not through with, in bytes: a whole block, and votes beside it.
pub const fn heard_bytes_max(block_bytes_max: usize) -> usize {
    block_bytes_max.saturating_add(1024 * 1024)
}

/// What a node says to its peers, in bytes: parts of two blocks, and votes.
pub const fn said_bytes_max(block_bytes_max: usize) -> usize {
    said_parts_bytes_max(block_bytes_max).saturating_add(SAID_VOTES_BYTES)
}

/// Of these, parts: of the block of the height before, for a peer that is a moment behind, and of the newest one.
pub(crate) const fn said_parts_bytes_max(block_bytes_max: usize) -> usize {
    block_bytes_max.saturating_mul(2).saturating_add(PART_OVERHEAD_BYTES)
}

/// What a block takes as it is sent beside its bytes: what stands around each part, its header, votes.
pub const PART_OVERHEAD_BYTES: usize = 256 * 1024;
/// Votes and certificates of two heights: in usual rounds a dozen of 200 bytes; a certificate of 64 validators has about 10 kB.
pub(crate) const SAID_VOTES_BYTES: usize = 256 * 1024;
