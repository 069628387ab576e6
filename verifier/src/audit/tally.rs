//! Counting what the replay saw, apart from what the ledger counts itself.

use std::collections::{BTreeMap, BTreeSet};

use prost::Message;
use receipt_core::governance::RegisterUnit;
use receipt_core::ids::UnixMillis;
use receipt_core::reason::Reason;
use receipt_core::state::tables::{KeyState, ReceiptState, Table, Totals, UnitState};
use receipt_core::state::{CheckedBatch, Effects, ReadError, StateRead, Writes};

use super::prepare::{KeyRegistry, PreparedBlock};

/// Receipts of one unit.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct UnitTally {
    pub(super) blue_count: u64,
    pub(super) blue_fen: i128,
    pub(super) red_count: u64,
    pub(super) red_fen: i128,
}

/// Records of one issuer that came later than promised.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct LateTally {
    pub(super) records: u64,
    pub(super) worst_ms: u64,
}

/// A name and a supervisor area of a unit, as registered together.
pub(super) type UnitNames = BTreeSet<(String, String)>;

/// All counts.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) blocks: u64,
    pub(super) block_bytes: u64,
    pub(super) records: u64,
    pub(super) record_bytes: u64,
    pub(super) batches_taken: u64,
    pub(super) batches_refused: u64,
    pub(super) refusals: BTreeMap<&'static str, u64>,
    pub(super) checkpoints: u64,
    pub(super) reversed: u64,
    pub(super) units: BTreeMap<u32, UnitTally>,
    /// Late records by issuer.
    pub(super) late: BTreeMap<u32, LateTally>,
    /// Every name and area that a unit ever had.
    pub(super) names: BTreeMap<u32, UnitNames>,
}

impl Tally {
    pub(super) fn count_block(&mut self, block: &PreparedBlock, effects: &Effects) {
        self.blocks += 1;
        self.block_bytes += block.block_bytes;
        self.records += block.record_count;
        self.record_bytes += block.record_bytes;
        for (outcome, batch) in effects.outcomes.iter().zip(block.checked.batches()) {
            if outcome.refusals.is_empty() {
                self.batches_taken += 1;
                self.count_late(batch, effects.seal.time);
            } else {
                self.batches_refused += 1;
            }
            for refusal in &outcome.refusals {
                *self.refusals.entry(Reason::as_str(refusal.reason)).or_default() += 1;
            }
        }
    }

    /// `seal_by` is the issuer's signed word. The block's time is as near to the seal as the ledger tells.
    fn count_late(&mut self, batch: &CheckedBatch, block_time: UnixMillis) {
        let late = batch.decoded().filter(|record| record.seal_by < block_time);
        for record in late {
            let tally = self.late.entry(batch.header().header.issuer.get()).or_default();
            tally.records += 1;
            tally.worst_ms = tally.worst_ms.max(block_time.since(record.seal_by));
        }
    }

    /// Counts new receipts by unit from the block's writes, before they are committed, and remembers new keys
    /// and names.
    pub(super) fn count_writes(
        &mut self,
        before: &dyn StateRead,
        writes: &Writes,
        keys: &KeyRegistry,
    ) -> Result<(), ReadError> {
        for ((table, key), value) in writes {
            let Some(value) = value else { continue };
            match table {
                Table::Receipts => {
                    self.count_receipt(&ReceiptState::decode(value)?, before.get(*table, key)?.is_none())
                }
                Table::Keys => {
                    let state = KeyState::decode(value.as_slice()).map_err(|_| ReadError::corrupt("key"))?;
                    let public = state.key.key().map_err(|_| ReadError::corrupt("public key"))?;
                    keys.insert(state.key.key_id, public);
                }
                Table::Units => {
                    let state = UnitState::decode(value.as_slice()).map_err(|_| ReadError::corrupt("unit"))?;
                    let RegisterUnit { unit_id, name, supervisor_area_code, .. } = state.unit;
                    self.names.entry(unit_id).or_default().insert((name, supervisor_area_code));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn count_receipt(&mut self, receipt: &ReceiptState, new: bool) {
        if receipt.reversed_by.is_some() {
            self.reversed += 1;
        }
        if !new {
            return;
        }
        let unit = self.units.entry(receipt.unit.get()).or_default();
        let fen = i128::from(receipt.total.get());
        if receipt.is_red() {
            unit.red_count += 1;
            unit.red_fen += fen;
        } else {
            unit.blue_count += 1;
            unit.blue_fen += fen;
        }
    }

    /// Receipts taken, red ones included.
    pub(super) fn receipts(&self) -> u64 {
        self.units.values().map(|unit| unit.blue_count + unit.red_count).sum()
    }

    /// The sums over all units.
    pub(super) fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        for unit in self.units.values() {
            totals.blue_count += unit.blue_count;
            totals.blue_fen += unit.blue_fen;
            totals.red_count += unit.red_count;
            totals.red_fen += unit.red_fen;
        }
        totals
    }
}
