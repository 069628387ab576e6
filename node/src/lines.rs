//! The signature lines that this node holds: of each recent height and validator the newest ones.
//!
//! A validator signs an unchanged tree anew from time to time. Its lines replace the earlier ones only if they say a later time,
//! and not more often than every [`RENEWAL_INTERVAL`]: each replacement may cost a synced write. Lines are verified before they
//! come here. Not here: putting notes together (`seal`).

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use receipt_core::ids::{Height, ValidatorId};
use receipt_core::note::{PosixSeconds, SignatureLine};
use tokio::time::Instant;

/// Heights whose lines are kept while they wait for their quorum.
pub(crate) const KEPT_HEIGHTS: u64 = 256;
/// Between two sets of lines of one validator under one checkpoint. Their times are whole seconds.
const RENEWAL_INTERVAL: Duration = Duration::from_millis(500);
/// A cosignature line's payload: its time and the signature.
const COSIGNATURE_BYTES: usize = 8 + 64;

/// A validator's lines under one checkpoint.
#[derive(Debug, Clone)]
struct Held {
    lines: Vec<SignatureLine>,
    time: PosixSeconds,
    since: Instant,
}

/// What an offered set of lines is to this node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum News {
    /// The validator's first lines of the height, or newer ones.
    New,
    /// Nothing that is not held already.
    Old,
    /// Newer, but sooner after the last ones than lines are taken.
    TooSoon,
}

type ByHeight = BTreeMap<Height, BTreeMap<ValidatorId, Held>>;

/// Lines by height and validator.
#[derive(Debug)]
pub(crate) struct HeldLines {
    lines: Mutex<ByHeight>,
    renewal_interval: Duration,
}

impl Default for HeldLines {
    fn default() -> Self {
        Self::with_interval(RENEWAL_INTERVAL)
    }
}

impl HeldLines {
    /// With another interval than [`RENEWAL_INTERVAL`].
    pub(crate) fn with_interval(renewal_interval: Duration) -> Self {
        Self { lines: Mutex::default(), renewal_interval }
    }

    /// Whether lines that claim this time would say anything new.
    pub(crate) fn news(&self, height: Height, id: ValidatorId, time: PosixSeconds) -> News {
        match self.lock().get(&height).and_then(|of_height| of_height.get(&id)) {
            Some(held) if time <= held.time => News::Old,
            Some(held) if held.since.elapsed() < self.renewal_interval => News::TooSoon,
            _ => News::New,
        }
    }

    /// Keeps verified lines, unless newer ones are held by now; forgets heights far below the newest decided one, but not `needed`: a
    /// handover without its note, however far the chain has gone on since.
    pub(crate) fn keep(
        &self,
        (height, id): (Height, ValidatorId),
        time: PosixSeconds,
        lines: Vec<SignatureLine>,
        decided: Height,
        needed: Option<Height>,
    ) {
        let mut all = self.lock();
        let of_height = all.entry(height).or_default();
        if of_height.get(&id).is_none_or(|held| held.time < time) {
            of_height.insert(id, Held { lines, time, since: Instant::now() });
        }
        let floor = Height::new(decided.get().saturating_sub(KEPT_HEIGHTS));
        let mut kept = all.split_off(&floor);
        if let Some((height, lines)) = needed.and_then(|height| all.remove_entry(&height)) {
            kept.insert(height, lines);
        }
        *all = kept;
    }

    /// Forgets a validator's lines of a height.
    pub(crate) fn forget(&self, height: Height, id: ValidatorId) {
        if let Some(of_height) = self.lock().get_mut(&height) {
            of_height.remove(&id);
        }
    }

    /// Whether lines of a validator are held for a height.
    pub(crate) fn has(&self, height: Height, id: ValidatorId) -> bool {
        self.lock().get(&height).is_some_and(|of_height| of_height.contains_key(&id))
    }

    /// Heights above this one of which lines are held, the newest first.
    pub(crate) fn heights_after(&self, height: Height) -> Vec<Height> {
        self.lock().keys().rev().copied().take_while(|known| *known > height).collect()
    }

    /// All lines of a height, by validator.
    pub(crate) fn of(&self, height: Height) -> Vec<(ValidatorId, Vec<SignatureLine>)> {
        let all = self.lock();
        let of_height = all.get(&height).into_iter().flatten();
        of_height.map(|(id, held)| (*id, held.lines.clone())).collect()
    }

    fn lock(&self) -> MutexGuard<'_, ByHeight> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The time that a validator's lines claim; `None` if none of them is a cosignature.
pub(crate) fn claimed_time(lines: &[SignatureLine]) -> Option<PosixSeconds> {
    let payloads = lines.iter().map(SignatureLine::payload).filter(|payload| payload.len() == COSIGNATURE_BYTES);
    let times = payloads.filter_map(|payload| payload.first_chunk::<8>());
    times.map(|time| PosixSeconds::new(u64::from_be_bytes(*time))).max()
}

#[cfg(test)]
mod tests {
    use receipt_core::testkit::TestValidator;

    use super::*;

    const ORIGIN: &str = "ledger.example/testchain";

    fn lines(seconds: u64) -> Vec<SignatureLine> {
        let validator = TestValidator::new(2);
        vec![validator.sign_as_log(ORIGIN, "text\n"), validator.cosign(ORIGIN, "text\n", seconds)]
    }

    fn keep(held: &HeldLines, height: u64, seconds: u64) {
        let (slot, lines) = ((Height::new(height), ValidatorId::new(2)), lines(seconds));
        held.keep(slot, claimed_time(&lines).unwrap(), lines, Height::new(height), None);
    }

    fn news(held: &HeldLines, height: u64, seconds: u64) -> News {
        held.news(Height::new(height), ValidatorId::new(2), PosixSeconds::new(seconds))
    }

    #[test]
    fn only_later_times_are_news_and_only_after_the_interval() {
        for (interval, later) in [(Duration::ZERO, News::New), (Duration::from_secs(3600), News::TooSoon)] {
            let held = HeldLines::with_interval(interval);
            assert_eq!(news(&held, 1, 0), News::New);
            keep(&held, 1, 100);
            assert_eq!([99, 100, 101].map(|time| news(&held, 1, time)), [News::Old, News::Old, later]);
            assert_eq!(news(&held, 2, 1), News::New, "another tree is another statement");
        }
    }

    #[test]
    fn what_is_held_gets_newer_and_old_heights_go() {
        let held = HeldLines::default();
        for seconds in [100, 90, 110, 105] {
            keep(&held, 1, seconds);
        }
        let [(_, kept)] = held.of(Height::new(1)).try_into().unwrap();
        assert_eq!(kept, lines(110));
        keep(&held, KEPT_HEIGHTS + 2, 1);
        assert!(!held.has(Height::new(1), ValidatorId::new(2)));
        assert!(held.has(Height::new(KEPT_HEIGHTS + 2), ValidatorId::new(2)));
        held.forget(Height::new(KEPT_HEIGHTS + 2), ValidatorId::new(2));
        assert!(held.of(Height::new(KEPT_HEIGHTS + 2)).is_empty());
    }
}
