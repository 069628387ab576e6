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
/// Blinding epochs in force: a record lists a payment's key under each of them, so that with more of them no payment would fit.
pub const BLINDING_EPOCHS_MAX: usize = UNIQUENESS_KEYS_MAX;
/// A signed note (checkpoint) above this is refused unread. c2sp.org/signed-note asks every reader to take 16 signature lines,
/// and says that post-quantum signatures have nearly 5 kB each: that makes some 110 kB in base64.
pub const NOTE_BYTES_MAX: usize = 256 * 1024;
/// A trust policy above this is refused unread: 64 log keys, 64 witnesses and a group of them fit.
pub const POLICY_BYTES_MAX: usize = 64 * 1024;
/// Signature lines a note may have.
pub const NOTE_SIGNATURES_MAX: usize = 256;
/// Void and lost numbers below the highest used one that all settlements of a block together may name: each is looked up while
/// the block executes, which must stay far below the propose timeout.
pub const SETTLED_HOLES_MAX: u64 = 10_000;
/// Bytes of refused batches that an issuer may have on the ledger beyond what refills: every node keeps them for ever, so that one
/// issuer's key could else fill every disk with junk, a batch for each sequence.
pub const REFUSED_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Bytes that refill in an hour: 17 GiB in a year at most, on each node and from each issuer.
pub const REFUSED_BYTES_PER_HOUR: u64 = 2 * 1024 * 1024;
/// Heights for which a governance message may be taken, up to its expiry: one that somebody keeps back does not stay good for ever.
pub const GOVERNANCE_VALID_HEIGHTS_MAX: u64 = 100_000;
/// Validators a set may have.
pub const VALIDATORS_MAX: usize = 64;
/// Beyond this many unsealed heights, proposers make empty blocks only.
pub const UNSEALED_HEIGHTS_MAX: u64 = 64;
/// A bundle file above this is refused unread: a body at its limit, twice over for JSON.
pub const BUNDLE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// A ledger's answer above this is refused unread: two notes at their limit, their proofs, and a log entry.
pub const ANSWER_BYTES_MAX: usize = 1024 * 1024;
/// A report of a receipt left out above this is refused unread: a record and a note at its limit, and room for JSON.
pub const LEFT_OUT_BYTES_MAX: usize = 512 * 1024;
/// A trust file above this is refused unread: far above a century of yearly sets of 64 validators.
pub const TRUST_BYTES_MAX: usize = 4 * 1024 * 1024;
/// How far a batch's last issue time may lie ahead of the time of the block that carries it. Farther ahead it waits: block times
/// are chosen by proposers, and a slow clock of one of them must not refuse a good receipt for good.
pub const ISSUE_TIME_AHEAD_MS_MAX: u64 = 10 * 60 * 1000;
/// An issue time farther ahead of the block's time than this is refused for good: no honest clock is that far off, and a record
/// of the year 2099 must not keep its issuer's later batches waiting.
pub const ISSUE_TIME_WAITS_MS_MAX: u64 = 24 * 3600 * 1000;
/// An issuer cuts no record that lies farther ahead of the quorum's time: half of what a block takes, so that clocks that differ
/// a little do not make a batch wait at the nodes.
pub const ISSUE_TIME_CUT_AHEAD_MS_MAX: u64 = 5 * 60 * 1000;
/// How long earlier issue times are still taken after a permission has ended, and after its end was recorded: an issuer cut off
/// from the ledger over a long holiday can deliver, a thief of an old key can not backdate for ever.
pub const REVOCATION_GRACE_MS: u64 = 10 * 24 * 3600 * 1000;
/// An issuer that has heard nothing of the ledger for longer acknowledges nothing: an end that it does not know of lets its records in
/// for ten days, and one of them is left to deliver what waits. The longest holidays have nine.
pub const LEDGER_UNHEARD_MS_MAX: u64 = 9 * 24 * 3600 * 1000;
const _: () = assert!(LEDGER_UNHEARD_MS_MAX < REVOCATION_GRACE_MS);
/// A scanned text above this is refused unread: the largest QR code, all of it digits, holds no more.
pub const CODE_BYTES_MAX: usize = 7089;
/// Characters of the host in a receipt's code, port included: a longer one leaves no room for the receipt.
pub const HOST_CHARS_MAX: usize = 64;
/// A directory of units, or what changed in one, above this is refused unread: 100,000 units with a key each and long names fit.
pub const DIRECTORY_BYTES_MAX: usize = 32 * 1024 * 1024;
