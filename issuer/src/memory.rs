//! What an issuer may hold in memory: the bound of each part. What it holds now: `figures`.
//!
//! The journal gets what the others leave of `memory_bytes_max`, so that an issuer keeps within it however many receipts there are.

use receipt_core::limits;
use tallystick_storage::budget::TooSmall;
use tallystick_storage::{MemoryBudget, Part};

/// The program itself: code, threads' stacks, connections, keys, the registry.
const PROGRAM_BYTES: u64 = 64 * MIB;
/// Entries of blocks that are being followed, as they came and decoded.
const FOLLOWED_BYTES: u64 = 32 * MIB;
/// Next numbers and tallies, 100,000 of each, and the trees of 32 batches, for bundles.
const TABLES_BYTES: u64 = 16 * MIB;
/// A batch on its way: its records, and the message that holds them.
const BATCH_COPIES: u64 = 2;

/// Bytes of requests until they are answered: 12 at their limit.
pub(crate) const REQUESTS_BYTES_MAX: usize = 12 * limits::REQUEST_BYTES_MAX;
/// Watch streams at once.
pub(crate) const STREAMS_MAX: usize = 192;
/// What such a stream holds if its reader does not read.
const STREAM_BYTES: usize = 400 * 1024;
/// Bytes of a draft that count as one place in the queue.
pub(crate) const PLACE_BYTES: usize = 4096;

/// The largest document: a message that a gRPC library takes unasked (4 MiB), less 64 KiB.
pub(crate) const DOCUMENT_BYTES_MAX: usize = 4 * 1024 * 1024 - 64 * 1024;
/// What drawing a document holds at most: the bundle, what the renderers make of it, and the document.
pub(crate) const DRAWING_BYTES: usize = 32 * 1024 * 1024;
/// Two drawings at once, and documents that their callers have not taken yet.
pub(crate) const DRAWINGS_BYTES_MAX: usize = 2 * DRAWING_BYTES + 2 * DOCUMENT_BYTES_MAX;

/// Name of the part of drafts that wait or are being issued.
pub(crate) const DRAFTS: &str = "drafts";
/// Name of the part of documents that are drawn, or not taken yet.
pub(crate) const DOCUMENTS: &str = "documents";
const MIB: u64 = 1024 * 1024;

/// What the config says of memory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Configured {
    /// For the whole process.
    pub bytes_max: u64,
    /// Batches on their way at once, and bytes of one.
    pub batches_max: usize,
    pub batch_bytes_max: usize,
    /// Places in the queue of drafts.
    pub places_max: usize,
    /// Bytes of the fonts of documents; `None` without documents.
    pub fonts_bytes: Option<u64>,
}

/// Shares the configured memory out.
pub(crate) fn budget(configured: Configured) -> Result<MemoryBudget, TooSmall> {
    let count = |bytes: usize| u64::try_from(bytes).unwrap_or(u64::MAX);
    let batches = count(configured.batches_max).saturating_mul(count(configured.batch_bytes_max));
    let mut parts = vec![
        Part::new("program", PROGRAM_BYTES),
        Part::new("requests", count(REQUESTS_BYTES_MAX)),
        Part::new("streams", count(STREAMS_MAX * STREAM_BYTES)),
        Part::new(DRAFTS, count(configured.places_max).saturating_mul(count(PLACE_BYTES))),
        Part::new("batches", batches.saturating_mul(BATCH_COPIES)),
        Part::new("followed", FOLLOWED_BYTES),
        Part::new("tables", TABLES_BYTES),
    ];
    if let Some(bytes) = configured.fonts_bytes {
        parts.push(Part::new("fonts", bytes));
        parts.push(Part::new(DOCUMENTS, count(DRAWINGS_BYTES_MAX)));
    }
    MemoryBudget::share(configured.bytes_max, &parts)
}
