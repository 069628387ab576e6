//! Who proposes: a schedule that depends on the chain alone.
//!
//! Validators take turns by height. A block names the round it was built in; whoever stood before its proposer in that
//! height's order missed a turn. At its k-th miss in a row a validator is skipped for min(2^k, 64) turns of its own, at most
//! f validators at once; skipped ones stand at the end of the order, so that they can still save a height that no one else
//! can propose. Commit certificates differ between nodes: nothing is derived from them.
//!
//! Value: per member, ascending by id: `id u32 ‖ misses u32 ‖ skipped until height u64` (exclusive).

use super::overlay::ReadError;
use super::tables::Fields;
use crate::ids::{Height, ValidatorId};
use crate::validators::ValidatorSet;

const SKIPPED_TURNS_MAX: u64 = 64;

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
    pub(crate) fn encode(&self) -> Vec<u8> {
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

    fn is_skipped(&self, id: ValidatorId, height: Height) -> bool {
        self.record(id).is_some_and(|record| height < record.skipped_until)
    }

    /// Counts the turns missed before the proposer of `height`; clears the proposer's own, and those of members that left.
    pub(crate) fn after_block(&mut self, set: &ValidatorSet, height: Height, proposer: ValidatorId, round: u32) {
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
        let skipped_now = self.records.iter().filter(|record| record.id != id && height < record.skipped_until).count();
        let misses = self.record(id).map_or(0, |record| record.misses).saturating_add(1);
        let turns = 1_u64.checked_shl(misses).map_or(SKIPPED_TURNS_MAX, |turns| turns.min(SKIPPED_TURNS_MAX));
        let span = turns.saturating_mul(set.members().len() as u64).saturating_add(1);
        let skipped_until =
            if skipped_now < set.faults_max() { Height::new(height.get().saturating_add(span)) } else { Height::ZERO };
        self.records.retain(|record| record.id != id);
        self.records.push(TurnRecord { id, misses, skipped_until });
    }
}

/// Who proposes at `height`: entry r (modulo the length) proposes in round r.
pub fn proposer_order(set: &ValidatorSet, schedule: &Schedule, height: Height) -> Vec<ValidatorId> {
    let members = set.members();
    let start = usize::try_from(height.get() % members.len() as u64).unwrap_or(0);
    let turns = members.iter().cycle().skip(start).take(members.len()).map(|member| member.id);
    let (skipped, active): (Vec<_>, Vec<_>) = turns.partition(|id| schedule.is_skipped(*id, height));
    active.into_iter().chain(skipped).collect()
}
