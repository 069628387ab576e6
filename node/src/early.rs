//! Signature lines that come before this node has decided their height.
//!
//! Validators decide at slightly different moments, and each sends its lines once. A node that decides last keeps the lines of
//! the heights right ahead of it, unverified, and judges them when it gets there. Bounded per validator, and kept only from
//! the validator itself, so that nobody can push out another's.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use receipt_core::ids::{Height, ValidatorId};
use receipt_core::note::{Checkpoint, SignatureLine};

/// Heights ahead of the newest decided one whose lines are kept.
pub(crate) const HEIGHTS_AHEAD_MAX: u64 = 8;

/// What a validator says that it has signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EarlyLine {
    /// The validator that brought the lines.
    pub validator: ValidatorId,
    /// The checkpoint it claims for the height.
    pub checkpoint: Checkpoint,
    /// The signature lines, unverified.
    pub lines: Vec<SignatureLine>,
}

/// Early lines by height and validator.
#[derive(Debug, Default)]
pub(crate) struct EarlyLines(Mutex<BTreeMap<Height, BTreeMap<ValidatorId, EarlyLine>>>);

impl EarlyLines {
    /// Keeps a line of `height`, if that is right ahead of the newest decided height; a validator's newest line counts.
    pub(crate) fn keep(&self, decided: Height, height: Height, line: EarlyLine) {
        let ahead = height.get().saturating_sub(decided.get());
        if (1..=HEIGHTS_AHEAD_MAX).contains(&ahead) {
            self.lines().entry(height).or_default().insert(line.validator, line);
        }
    }

    /// Takes out the lines of a height that is now decided; forgets those of lower heights.
    pub(crate) fn remove(&self, height: Height) -> Vec<EarlyLine> {
        let mut lines = self.lines();
        let of_height = lines.remove(&height).unwrap_or_default();
        *lines = lines.split_off(&height);
        of_height.into_values().collect()
    }

    fn lines(&self) -> MutexGuard<'_, BTreeMap<Height, BTreeMap<ValidatorId, EarlyLine>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use receipt_core::hash::sha256;
    use receipt_core::ids::TreeSize;

    use super::*;

    fn line(validator: u32, size: u64) -> EarlyLine {
        let checkpoint = Checkpoint::new("ledger.example/t", TreeSize::new(size), sha256(&[b"root"])).unwrap();
        EarlyLine { validator: ValidatorId::new(validator), checkpoint, lines: Vec::new() }
    }

    #[test]
    fn only_the_heights_right_ahead_are_kept() {
        let early = EarlyLines::default();
        for height in 0..=30 {
            early.keep(Height::new(10), Height::new(height), line(1, height + 1));
        }
        let kept: Vec<u64> = (0..=30).filter(|height| !early.remove(Height::new(*height)).is_empty()).collect();
        assert_eq!(kept, (11..=18).collect::<Vec<_>>());
    }

    #[test]
    fn taking_a_height_forgets_the_lower_ones() {
        let early = EarlyLines::default();
        for validator in 1..=2 {
            for height in 1..=3 {
                early.keep(Height::ZERO, Height::new(height), line(validator, height));
            }
        }
        early.keep(Height::ZERO, Height::new(2), line(2, 99));
        assert_eq!(early.remove(Height::new(2)), vec![line(1, 2), line(2, 99)]);
        assert_eq!(early.remove(Height::new(1)), vec![]);
        assert_eq!(early.remove(Height::new(3)), vec![line(1, 3), line(2, 3)]);
    }
}
