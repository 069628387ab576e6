//! Validator sets by the first height that they decide.
//!
//! State has the set of the next height only. Checkpoints, signature lines and evidence are of heights before it, and are judged
//! under the set of their own height; so each set is kept here as well, written with the block that puts it into force.

use receipt_core::ids::Height;
use receipt_core::state::Effects;
use receipt_core::state::tables::{META_VALIDATORS, Table};
use receipt_core::validators::ValidatorSet;
use rocksdb::{Direction, IteratorMode, WriteBatch};

use super::{Store, StoreError, VALIDATOR_SETS, read_u64};

/// A validator set and the first height that it decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValidatorsFrom {
    /// Its first height; 0 for the set of genesis.
    pub first: Height,
    /// The set that decides and cosigns from this height on.
    pub set: ValidatorSet,
}

impl Store {
    /// Adds the set that this block puts into force, if it does. Genesis puts its own into force from height 0 on.
    pub(super) fn keep_validators(&self, batch: &mut WriteBatch, effects: &Effects) -> Result<(), StoreError> {
        let Some(Some(set)) = effects.writes.get(&(Table::Meta, META_VALIDATORS.to_vec())) else { return Ok(()) };
        let tip = effects.tip.height;
        let first = if tip == Height::ZERO { 0 } else { tip.get().saturating_add(1) };
        batch.put_cf(self.family(VALIDATOR_SETS)?, first.to_be_bytes(), set);
        Ok(())
    }

    /// The first handover above a height: the last height of a validator set, another one decides the next. Genesis hands over to nobody.
    pub fn handover_after(&self, height: Height) -> Result<Option<Height>, StoreError> {
        let start = height.get().saturating_add(2).to_be_bytes();
        let mode = IteratorMode::From(&start, Direction::Forward);
        let family = self.family(VALIDATOR_SETS)?;
        let row = self.reading(|| Ok(self.db.iterator_cf(family, mode).next().transpose()?))?;
        row.map(|(first, _)| Ok(Height::new(read_u64(&first)?.saturating_sub(1)))).transpose()
    }

    /// The set that decides a height and cosigns the checkpoint after it. `None`: the height lies beyond the one that is decided
    /// next, and its set is not known yet.
    pub fn validators_at(&self, height: Height) -> Result<Option<ValidatorsFrom>, StoreError> {
        if height.get() > self.tip()?.height.get().saturating_add(1) {
            return Ok(None);
        }
        let start = height.get().to_be_bytes();
        let mode = IteratorMode::From(&start, Direction::Reverse);
        let family = self.family(VALIDATOR_SETS)?;
        let row = self.reading(|| Ok(self.db.iterator_cf(family, mode).next().transpose()?))?;
        let (first, set) = row.ok_or_else(|| StoreError::corrupt(format!("no validators of height {height}")))?;
        let set = ValidatorSet::decode_stored(&set).map_err(|_| StoreError::corrupt("a validator set"))?;
        Ok(Some(ValidatorsFrom { first: Height::new(read_u64(&first)?), set }))
    }
}
