//! How large a block and what carries it may be.

/// Room for everything around a block in a message: certificate, lengths.
const MESSAGE_OVERHEAD_BYTES: usize = 1024 * 1024;
/// Blocks above this would not fit the engine's messages twice.
pub(crate) const BLOCK_BYTES_LIMIT: usize = 64 * 1024 * 1024;

/// Above anything that `decided_values` returns for one request, certificates included.
pub(crate) fn response_bytes_max(block_bytes_max: usize) -> usize {
    block_bytes_max.saturating_mul(3).saturating_add(2 * MESSAGE_OVERHEAD_BYTES)
}
