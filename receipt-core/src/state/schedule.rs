//! Who proposes: a schedule that depends on the chain alone.
//!
//! Validators take turns by height. A block names the round it was built in; whoever stood before its proposer in that
//! height's order missed a turn. It may be skipped for 32 turns of its own, and from the second miss in a row on for 64.
//! Skipped at once are at most f validators, those whose turns come back last: a newer miss takes an older one's place, so
//! that a moment's delay of one validator is not in the way when another one dies. The skipped stand at the end of the
//! order: they can still save a height that no one else can propose, and a block of its own clears a validator's record.
//! Commit certificates differ between nodes: nothing is derived from them. Why so: docs/adr/0010-skipping-proposers.md.
//!
//! Value: per member, ascending by id: `id u32 ‖ misses u32 ‖ skipped until height u64` (exclusive).

use std::cmp::Reverse;

use super::overlay::StateRead;
use super::reading::{Fields, ReadError};
use super::tables::{META_SCHEDULE, Table};
use crate::ids::{Height, ValidatorId};
use crate::validators::ValidatorSet;

/// Own turns for which a validator may be skipped after its first miss: of four validators, the 128 heights after it.
const SKIPPED_TURNS_FIRST: u64 = 32;
/// Own turns after each further miss in a row.
const SKIPPED_TURNS_AGAIN: u64 = 64;

/// Missed turns, by validator.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Schedule {
    records: Vec<TurnRecord>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct TurnRecord {
    id: ValidatorId,
    misses: u32,
    skipped_until: Height,
}

impl Schedule {
    /// The state's encoding.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.records.len() * 16);
        for record in &self.records {
            bytes.extend_from_slice(&record.id.get().to_be_bytes());
            bytes.extend_from_slice(&record.misses.to_be_bytes());
            bytes.extend_from_slice(&record.skipped_until.get().to_be_bytes());
        }
        bytes
    }

    /// Reads the state's encoding; an empty value is the empty schedule.
    pub fn decode(bytes: &[u8]) -> Result<Self, ReadError> {
        let mut fields = Fields(bytes);
        let mut records = Vec::new();
        while !fields.0.is_empty() {
            records.push(TurnRecord {
                id: ValidatorId::new(fields.u32()?),
                misses: fields.u32()?,
                skipped_until: Height::new(fields.u64()?),
            });
        }
        Ok(Self { records })
    }

    fn record(&self, id: ValidatorId) -> Option<&TurnRecord> {
        self.records.iter().find(|record| record.id == id)
    }

    /// Who is skipped at a height: of the members that may be, the f whose turns come back last, of equals the lower ids.
    fn skipped(&self, set: &ValidatorSet, height: Height) -> Vec<ValidatorId> {
        let may_be = |record: &&TurnRecord| height < record.skipped_until && set.member(record.id).is_some();
        let mut records: Vec<&TurnRecord> = self.records.iter().filter(may_be).collect();
        records.sort_by_key(|record| (Reverse(record.skipped_until), record.id));
        records.iter().take(set.faults_max()).map(|record| record.id).collect()
    }

    /// Counts the turns missed before the proposer of `height`; clears the proposer's own, and those of members that left.
    pub fn after_block(&mut self, set: &ValidatorSet, height: Height, proposer: ValidatorId, round: u32) {
        let order = proposer_order(set, self, height);
        self.records.retain(|record| record.id != proposer && set.member(record.id).is_some());
        let missed = order.iter().take(round as usize).filter(|id| **id != proposer);
        let missed: Vec<ValidatorId> = missed.copied().collect();
        for id in missed {
            self.miss(set, height, id);
        }
        self.records.sort_by_key(|record| record.id);
    }

    fn miss(&mut self, set: &ValidatorSet, height: Height, id: ValidatorId) {
        let misses = self.record(id).map_or(0, |record| record.misses).saturating_add(1);
        let turns = if misses == 1 { SKIPPED_TURNS_FIRST } else { SKIPPED_TURNS_AGAIN };
        let span = turns.saturating_mul(set.members().len() as u64).saturating_add(1);
        let skipped_until = Height::new(height.get().saturating_add(span));
        self.records.retain(|record| record.id != id);
        self.records.push(TurnRecord { id, misses, skipped_until });
    }
}

/// Who proposes at `height`: entry r (modulo the length) proposes in round r.
pub fn proposer_order(set: &ValidatorSet, schedule: &Schedule, height: Height) -> Vec<ValidatorId> {
    let members = set.members();
    let start = usize::try_from(height.get() % members.len() as u64).unwrap_or(0);
    let turns = members.iter().cycle().skip(start).take(members.len()).map(|member| member.id);
    let skipped = schedule.skipped(set, height);
    let (last, first): (Vec<_>, Vec<_>) = turns.partition(|id| skipped.contains(id));
    first.into_iter().chain(last).collect()
}

/// The proposer schedule of the next height.
pub fn read_schedule(state: &dyn StateRead) -> Result<Schedule, ReadError> {
    let bytes = state.get(Table::Meta, META_SCHEDULE)?.ok_or_else(|| ReadError::corrupt("no schedule"))?;
    Schedule::decode(&bytes)
}
