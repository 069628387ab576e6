//! Every limit of the system, each with its reason. Bytes, counts and milliseconds are in the names.

/// A signed record above this is refused: a plain one takes about 200 bytes, sixteen uniqueness keys fit.
pub const RECORD_BYTES_MAX: usize = 1024;
/// A receipt's body (all disclosures): 2,000 auxiliary lines of 500 bytes fit.
pub const RECEIPT_BYTES_MAX: usize = 1024 * 1024;
/// One gRPC request: `IssueMany` of 500 ordinary receipts fits.
pub const REQUEST_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Records per batch: an inner path of at most 12 hashes keeps a bundle small.
pub const BATCH_RECORDS_MAX: usize = 4096;
/// Bytes of all records of a batch.
pub const BATCH_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Bytes of a block: execute-before-vote stays far below the propose timeout, and far below the engine's message sizes.
pub const BLOCK_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Records per block, for the same reason.
pub const BLOCK_RECORDS_MAX: usize = 8192;
/// One entry of the outer log: a tile's entry bundle carries lengths as u16.
pub const ENTRY_BYTES_MAX: usize = 60 * 1024;
/// `IssueMany` takes this many receipts at most (the batch size integrators know).
pub const ISSUE_MANY_MAX: usize = 500;
/// 项目明细 rows of a receipt.
pub const ITEMS_MAX: usize = 200;
/// 清单 rows of a receipt.
pub const AUX_ITEMS_MAX: usize = 2000;
/// Characters of `remark` and `supervisor_remark`.
pub const REMARK_CHARS_MAX: usize = 200;
/// Characters of `biz_code`.
pub const BIZ_CODE_CHARS_MAX: usize = 50;
/// |total| is below this: 10^12 yuan in 分.
pub const TOTAL_FEN_BOUND: i64 = 100_000_000_000_000;
/// Uniqueness keys a record may carry.
pub const UNIQUENESS_KEYS_MAX: usize = 16;
/// A signed note (checkpoint) above this is refused unread.
pub const NOTE_BYTES_MAX: usize = 64 * 1024;
/// Signature lines a note may have.
pub const NOTE_SIGNATURES_MAX: usize = 256;
/// Void and lost numbers below the highest used one that a settlement may name: each is looked up while a block executes.
pub const SETTLED_HOLES_MAX: u64 = 10_000;
/// Validators a set may have.
pub const VALIDATORS_MAX: usize = 64;
/// Beyond this many unsealed heights, proposers make empty blocks only.
pub const UNSEALED_HEIGHTS_MAX: u64 = 64;
/// A bundle file above this is refused unread: a body at its limit, twice over for JSON.
pub const BUNDLE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// A trust file above this is refused unread: far above a century of yearly sets of 64 validators.
pub const TRUST_BYTES_MAX: usize = 4 * 1024 * 1024;
/// How far a record's issue time may lie ahead of the block's time: clocks drift, dates in the future are refused.
pub const ISSUE_TIME_AHEAD_MS_MAX: u64 = 10 * 60 * 1000;
/// How long after a revocation, suspension or closing was recorded earlier issue times are still taken: an issuer cut off
/// from the ledger over a long holiday can deliver, a thief of an old key can not backdate for ever.
pub const REVOCATION_GRACE_MS: u64 = 10 * 24 * 3600 * 1000;
