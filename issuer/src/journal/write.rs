//! Atomic writes of receipts, typed.

use receipt_core::blind::UniquenessKey;
use receipt_core::ids::{ReceiptKey, SegmentId, UnitId, UnixMillis};
use receipt_core::state::tables::uniqueness_key_bytes;
use tallystick_anchoring::journal::JournalWrite;

use super::rows::{
    adopted_key, bare_key, biz_key, day_prefix, past_name_prefix, receipt_key_bytes, reissue_key, stopped_key,
};
use super::{
    BIZ, BODIES, BODY_KEYS, Bare, BizRow, DAYS, DECIDED, DayKind, DecidedTally, ISSUED, IssuedTally, REVERSALS,
    ReceiptRow, SEGMENTS, UNIQUENESS,
};
use crate::body::SealedBody;

/// What the issuer writes besides what anchoring writes.
pub trait ReceiptWrites {
    /// A new receipt: row, sealed body and its wrapped key.
    fn put_receipt(&mut self, key: ReceiptKey, row: &ReceiptRow, body: &SealedBody);

    /// Erases a body: its key gives way to the time of its erasure. Files hold the key until logs are flushed and tables rewritten
    /// (`Journal::flush_logs`, `Journal::rewrite_tables`).
    fn erase_body(&mut self, key: ReceiptKey, at: UnixMillis);

    /// A body's key under another master key.
    fn put_wrapped_key(&mut self, key: ReceiptKey, wrapped_key: &[u8]);

    /// Forgets a body with its receipt, which gave its number up to another.
    fn delete_body(&mut self, key: ReceiptKey);

    /// Who holds a biz code.
    fn put_biz(&mut self, unit: UnitId, biz_code: &str, row: BizRow);

    /// Which receipt of a unit holds a uniqueness key.
    fn put_uniqueness(&mut self, unit: UnitId, key: UniquenessKey, holder: ReceiptKey);

    /// Frees a uniqueness key of a unit's receipt.
    fn delete_uniqueness(&mut self, unit: UnitId, key: UniquenessKey);

    /// Which red receipt reverses an original.
    fn put_reversal(&mut self, original: ReceiptKey, red: ReceiptKey);

    /// Which receipt re-issues what remains of a reversed original.
    fn put_reissue(&mut self, original: ReceiptKey, reissue: ReceiptKey);

    /// The day index.
    fn put_day(&mut self, unit: UnitId, day: u32, key: ReceiptKey, place_code: &str);

    /// Receipts issued.
    fn put_issued(&mut self, key: DayKind, tally: IssuedTally);

    /// Receipts decided.
    fn put_decided(&mut self, key: DayKind, tally: DecidedTally);

    /// The next number of a segment.
    fn put_next_number(&mut self, segment: SegmentId, next: u64);

    /// Ends a segment here: none of its numbers from `first_unused` on is ever given out.
    fn put_stopped(&mut self, segment: SegmentId, first_unused: u64, last: u64);

    /// A name that a unit had until now.
    fn put_past_name(&mut self, unit: UnitId, name: &str);

    /// A receipt that this journal learnt from the ledger, by the keyed hash of its biz code.
    fn put_adopted(&mut self, unit: UnitId, biz_hash: &[u8; 16], key: ReceiptKey);

    /// Notes that of a blue receipt the record alone is here.
    fn put_bare(&mut self, unit: UnitId, bare: Bare);

    /// A receipt issued at that time was handed back by its caller, or is another one's.
    fn delete_bare(&mut self, unit: UnitId, issue_time: UnixMillis, key: ReceiptKey);

    /// A receipt's row alone.
    fn put_row(&mut self, key: ReceiptKey, row: &ReceiptRow);

    /// Frees a biz code: the receipt that held it was never on the ledger and gave its number up to another.
    fn delete_biz(&mut self, unit: UnitId, biz_code: &str);

    /// Takes a reversal back.
    fn delete_reversal(&mut self, original: ReceiptKey);

    /// Takes a receipt out of the day index.
    fn delete_day(&mut self, unit: UnitId, day: u32, key: ReceiptKey);
}

impl ReceiptWrites for JournalWrite<'_> {
    fn put_receipt(&mut self, key: ReceiptKey, row: &ReceiptRow, body: &SealedBody) {
        self.put_record(key, &row.to_record());
        let key = receipt_key_bytes(key);
        self.put(BODIES, &key, &body.ciphertext);
        self.put(BODY_KEYS, &key, &body.wrapped_key);
    }

    fn erase_body(&mut self, key: ReceiptKey, at: UnixMillis) {
        let key = receipt_key_bytes(key);
        self.put(BODY_KEYS, &key, &at.get().to_be_bytes());
        self.delete(BODIES, &key);
    }

    fn put_wrapped_key(&mut self, key: ReceiptKey, wrapped_key: &[u8]) {
        self.put(BODY_KEYS, &receipt_key_bytes(key), wrapped_key);
    }

    fn delete_body(&mut self, key: ReceiptKey) {
        let key = receipt_key_bytes(key);
        self.delete(BODY_KEYS, &key);
        self.delete(BODIES, &key);
    }

    fn put_biz(&mut self, unit: UnitId, biz_code: &str, row: BizRow) {
        self.put(BIZ, &biz_key(unit, biz_code), &row.encode());
    }

    fn put_uniqueness(&mut self, unit: UnitId, key: UniquenessKey, holder: ReceiptKey) {
        self.put(UNIQUENESS, &uniqueness_key_bytes(unit, &key), &receipt_key_bytes(holder));
    }

    fn delete_uniqueness(&mut self, unit: UnitId, key: UniquenessKey) {
        self.delete(UNIQUENESS, &uniqueness_key_bytes(unit, &key));
    }

    fn put_reversal(&mut self, original: ReceiptKey, red: ReceiptKey) {
        self.put(REVERSALS, &receipt_key_bytes(original), &receipt_key_bytes(red));
    }

    fn put_reissue(&mut self, original: ReceiptKey, reissue: ReceiptKey) {
        self.put(REVERSALS, &reissue_key(original), &receipt_key_bytes(reissue));
    }

    fn put_day(&mut self, unit: UnitId, day: u32, key: ReceiptKey, place_code: &str) {
        let key = [&day_prefix(unit, day)[..], &receipt_key_bytes(key)].concat();
        self.put(DAYS, &key, place_code.as_bytes());
    }

    fn put_issued(&mut self, key: DayKind, tally: IssuedTally) {
        self.put(ISSUED, &key.encode(), &tally.encode());
    }

    fn put_decided(&mut self, key: DayKind, tally: DecidedTally) {
        self.put(DECIDED, &key.encode(), &tally.encode());
    }

    fn put_next_number(&mut self, segment: SegmentId, next: u64) {
        self.put(SEGMENTS, &segment.get().to_be_bytes(), &next.to_be_bytes());
    }

    fn put_stopped(&mut self, segment: SegmentId, first_unused: u64, last: u64) {
        self.put(SEGMENTS, &stopped_key(segment), &first_unused.to_be_bytes());
        self.put_next_number(segment, last.saturating_add(1));
    }

    fn put_past_name(&mut self, unit: UnitId, name: &str) {
        self.put(BIZ, &[&past_name_prefix(unit)[..], name.as_bytes()].concat(), &[]);
    }

    fn put_adopted(&mut self, unit: UnitId, biz_hash: &[u8; 16], key: ReceiptKey) {
        self.put(BIZ, &adopted_key(unit, biz_hash), &receipt_key_bytes(key));
    }

    fn put_bare(&mut self, unit: UnitId, bare: Bare) {
        self.put(BIZ, &bare_key(unit, bare.issue_time, bare.key), &bare.total.get().to_be_bytes());
    }

    fn delete_bare(&mut self, unit: UnitId, issue_time: UnixMillis, key: ReceiptKey) {
        self.delete(BIZ, &bare_key(unit, issue_time, key));
    }

    fn put_row(&mut self, key: ReceiptKey, row: &ReceiptRow) {
        self.put_record(key, &row.to_record());
    }

    fn delete_biz(&mut self, unit: UnitId, biz_code: &str) {
        self.delete(BIZ, &biz_key(unit, biz_code));
    }

    fn delete_reversal(&mut self, original: ReceiptKey) {
        self.delete(REVERSALS, &receipt_key_bytes(original));
    }

    fn delete_day(&mut self, unit: UnitId, day: u32, key: ReceiptKey) {
        self.delete(DAYS, &[&day_prefix(unit, day)[..], &receipt_key_bytes(key)].concat());
    }
}
