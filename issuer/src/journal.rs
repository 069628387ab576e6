//! What an issuer keeps in its journal beside the records that are anchored: bodies, biz codes, payments, tallies, numbers.
//!
//! ```text
//! column family  key                                      value
//! records        code u32 ‖ number u64                    (anchoring's) note: biz code, place
//! bodies         code u32 ‖ number u64                    ciphertext of seed and values (see `body`)
//! body-keys      code u32 ‖ number u64                    wrapped key of the body; once erased: when, u64 milliseconds
//! biz            unit u32 ‖ biz code                      content tag [32] (see `body`) ‖ code u32 ‖ number u64
//!                unit u32 ‖ 0x00 ‖ biz key [16]           code u32 ‖ number u64: learnt from the ledger
//!                unit u32 ‖ 0x01 ‖ name                   empty: the unit had this name before
//!                unit u32 ‖ 0x02 ‖ issue time u64 ‖ code u32 ‖ number u64
//!                                                         total i64: a blue one learnt from the ledger, not handed back yet
//! uniqueness     as the ledger's UniquenessKeys           code u32 ‖ number u64 of the live receipt that holds it
//! reversals      code u32 ‖ number u64 of the original    code u32 ‖ number u64 of the red receipt
//!                the same ‖ 0x01                          code u32 ‖ number u64 of the receipt that re-issues the rest of it
//! days           unit u32 ‖ day u32 ‖ code u32 ‖ number u64   place code
//! issued         unit u32 ‖ day u32 ‖ kind u32            IssuedTally (written by the sequencer)
//! decided        unit u32 ‖ day u32 ‖ kind u32            DecidedTally (written as the ledger is followed)
//! segments       segment u32                              next number u64
//!                segment u32 ‖ 0x01                       first number u64 that was never given out, of a stopped segment
//! erasures       what was erased, by name and by age       (see `erasures`)
//! tries          how often receipts were tried for         (see `tries`)
//! ```
//! All integers big-endian; a day is `yyyymmdd`, a kind the first six digits of a code. Small values are drawn in `secrets`. Everything
//! else of the journal, and its contract, is [`tallystick_anchoring::journal`]'s; one write holds rows of both.

use tallystick_anchoring::journal::{Access, Family, Layout};

use erasures::ERASURES;

mod erasures;
mod read;
mod rows;
mod tallies;
mod tries;
mod write;

#[cfg(test)]
mod tests;

pub use erasures::{ErasedRange, ErasurePhase, ErasureReads, ErasureRun, ErasureWrites, ListPosition};
pub use read::{BareFrom, ReceiptReads, StoredBody};
pub use rows::{Bare, BatchNote, BizRow, EventNote, ReceiptRow, day_number, receipt_of};
pub(crate) use rows::{receipt_key_bytes, rows_against};
pub(crate) use tallies::Tallies;
pub use tallies::{DayKind, DecidedTally, IssuedTally};
pub use tallystick_anchoring::journal::{
    BatchRow, Durability, EventRow, FollowedTip, Journal, JournalError, JournalIdentity, JournalWrite, Placement,
};
pub(crate) use tries::TRIES;
pub use tries::{SOURCES_MAX, TryCount, TryReads, TryRow, TryWrites};
pub use write::ReceiptWrites;

/// Ciphertexts of bodies.
pub(crate) const BODIES: Family = Family { name: "bodies", access: Access::Blobs };
/// Wrapped keys of bodies.
pub(crate) const BODY_KEYS: Family = Family { name: "body-keys", access: Access::LookUps };
const BIZ: Family = Family { name: "biz", access: Access::LookUps };
const UNIQUENESS: Family = Family { name: "uniqueness", access: Access::LookUps };
const REVERSALS: Family = Family { name: "reversals", access: Access::Few };
const DAYS: Family = Family { name: "days", access: Access::Scans };
const ISSUED: Family = Family { name: "issued", access: Access::Few };
const DECIDED: Family = Family { name: "decided", access: Access::Few };
const SEGMENTS: Family = Family { name: "segments", access: Access::Few };

/// An issuer's journal.
pub const LAYOUT: Layout = Layout {
    program: "tallystick-issuer",
    format: 4,
    families: &[BODIES, BODY_KEYS, BIZ, UNIQUENESS, REVERSALS, DAYS, ISSUED, DECIDED, SEGMENTS, ERASURES, TRIES],
};
