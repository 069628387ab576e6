//! Receipts counted by unit, day and kind: how many were issued, and what was decided of them.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use receipt_core::ids::{Fen, UnitId};
use tallystick_anchoring::journal::Fields;

use super::JournalError;

/// The key of a tally: unit, day and kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DayKind {
    /// The unit.
    pub unit: UnitId,
    /// The local day of issue, `yyyymmdd`.
    pub day: u32,
    /// First six digits of the receipt code.
    pub kind: u32,
}

impl DayKind {
    pub(super) fn encode(self) -> [u8; 12] {
        let mut bytes = [0; 12];
        bytes[..4].copy_from_slice(&self.unit.get().to_be_bytes());
        bytes[4..8].copy_from_slice(&self.day.to_be_bytes());
        bytes[8..].copy_from_slice(&self.kind.to_be_bytes());
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, JournalError> {
        let mut fields = Fields(bytes);
        let key = Self { unit: UnitId::new(fields.u32()?), day: fields.u32()?, kind: fields.u32()? };
        fields.end()?;
        Ok(key)
    }
}

/// Receipts issued of one unit, day and kind, whatever becomes of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct IssuedTally {
    /// Blue ones.
    pub blue_count: u64,
    /// Their sum in 分.
    pub blue_fen: i64,
    /// Red ones.
    pub red_count: u64,
    /// Their (negative) sum in 分.
    pub red_fen: i64,
}

impl IssuedTally {
    /// Counts one receipt. Saturates: 10^12 yuan and 2^63 fen are far apart.
    pub fn add(&mut self, total: Fen) {
        let fen = total.get();
        if fen < 0 {
            self.red_count = self.red_count.saturating_add(1);
            self.red_fen = self.red_fen.saturating_add(fen);
        } else {
            self.blue_count = self.blue_count.saturating_add(1);
            self.blue_fen = self.blue_fen.saturating_add(fen);
        }
    }

    /// Counts one receipt no more.
    pub fn remove(&mut self, total: Fen) {
        let fen = total.get();
        if fen < 0 {
            self.red_count = self.red_count.saturating_sub(1);
            self.red_fen = self.red_fen.saturating_sub(fen);
        } else {
            self.blue_count = self.blue_count.saturating_sub(1);
            self.blue_fen = self.blue_fen.saturating_sub(fen);
        }
    }

    pub(super) fn encode(self) -> Vec<u8> {
        let counts = [self.blue_count.to_be_bytes(), self.blue_fen.to_be_bytes()].concat();
        [counts, [self.red_count.to_be_bytes(), self.red_fen.to_be_bytes()].concat()].concat()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, JournalError> {
        let mut fields = Fields(bytes);
        let tally = Self {
            blue_count: fields.u64()?,
            blue_fen: fields.i64()?,
            red_count: fields.u64()?,
            red_fen: fields.i64()?,
        };
        fields.end()?;
        Ok(tally)
    }
}

/// What was decided of one unit, day and kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DecidedTally {
    /// Sealed receipts.
    pub sealed_count: u64,
    /// Refused receipts, with their amounts.
    pub refused: IssuedTally,
}

impl DecidedTally {
    pub(super) fn encode(self) -> Vec<u8> {
        [self.sealed_count.to_be_bytes().to_vec(), self.refused.encode()].concat()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, JournalError> {
        let mut fields = Fields(bytes);
        Ok(Self { sealed_count: fields.u64()?, refused: IssuedTally::decode(fields.0)? })
    }
}

/// Tallies that are being changed. Each is read from the journal before its first change.
#[derive(Debug, Default)]
pub(crate) struct Tallies<T>(BTreeMap<DayKind, T>);

impl<T: Copy + Default> Tallies<T> {
    /// The tally to change; `read` reads it where it is not held yet.
    pub(crate) fn of(
        &mut self,
        day_kind: DayKind,
        read: impl FnOnce(DayKind) -> Result<T, JournalError>,
    ) -> Result<&mut T, JournalError> {
        Ok(match self.0.entry(day_kind) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(read(day_kind)?),
        })
    }

    /// What is held of a tally; none counted if it is not held.
    pub(crate) fn get(&self, day_kind: DayKind) -> T {
        self.0.get(&day_kind).copied().unwrap_or_default()
    }

    /// All that are held.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (DayKind, T)> {
        self.0.iter().map(|(day_kind, tally)| (*day_kind, *tally))
    }

    /// Holds none any more, if there are more than so many.
    pub(crate) fn clear_above(&mut self, count_max: usize) {
        if self.0.len() > count_max {
            self.0.clear();
        }
    }
}
