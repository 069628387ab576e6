//! How many bytes of refused batches an issuer may still leave on the ledger.
//!
//! A refused batch is kept by every node for ever, as a taken one is, but nobody pays for it with numbers or receipts. So each issuer
//! has [`limits::REFUSED_BYTES_MAX`], of which [`limits::REFUSED_BYTES_PER_HOUR`] come back by block time. A batch that would be
//! refused beyond it may not stand in a block yet: it waits, and so does what its issuer sent after it.

use super::tables::IssuerState;
use crate::ids::UnixMillis;
use crate::limits::{REFUSED_BYTES_MAX, REFUSED_BYTES_PER_HOUR};

const HOUR_MS: u128 = 3_600_000;

impl IssuerState {
    /// Bytes of refused batches that still count at a block time.
    pub fn refused_bytes_at(&self, block_time: UnixMillis) -> u64 {
        let elapsed_ms = block_time.since(UnixMillis::new(self.refused_at_ms));
        let back = u128::from(elapsed_ms) * u128::from(REFUSED_BYTES_PER_HOUR) / HOUR_MS;
        self.refused_bytes.saturating_sub(u64::try_from(back).unwrap_or(u64::MAX))
    }

    /// The first block time at which a batch of so many bytes may be refused.
    pub fn refusable_from(&self, bytes: u64) -> UnixMillis {
        let over = self.refused_bytes.saturating_add(bytes).saturating_sub(REFUSED_BYTES_MAX);
        let wait_ms = (u128::from(over) * HOUR_MS).div_ceil(u128::from(REFUSED_BYTES_PER_HOUR));
        UnixMillis::new(self.refused_at_ms).plus_millis(u64::try_from(wait_ms).unwrap_or(u64::MAX))
    }

    /// Counts a refused batch; `false`, and nothing is counted, if its bytes go beyond the budget.
    pub(crate) fn spend_on_refusal(&mut self, bytes: u64, block_time: UnixMillis) -> bool {
        let spent = self.refused_bytes_at(block_time).saturating_add(bytes);
        if spent > REFUSED_BYTES_MAX {
            return false;
        }
        (self.refused_bytes, self.refused_at_ms) = (spent, block_time.get());
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::governance::RegisterIssuer;
    use crate::limits::BATCH_BYTES_MAX;

    const HOUR: u64 = 3_600_000;
    const BATCH: u64 = BATCH_BYTES_MAX as u64;

    fn issuer() -> IssuerState {
        let issuer = RegisterIssuer::of_receipts(1, "issuer-1");
        IssuerState { issuer, epoch: 1, next_sequence: 1, refused_bytes: 0, refused_at_ms: 0 }
    }

    fn at(ms: u64) -> UnixMillis {
        UnixMillis::new(1_793_577_600_000 + ms)
    }

    #[test]
    fn the_budget_is_spent_and_comes_back_with_time() {
        let mut state = issuer();
        for _ in 0..REFUSED_BYTES_MAX / BATCH {
            assert!(state.spend_on_refusal(BATCH, at(0)));
        }
        let spent = state.clone();
        assert!(!state.spend_on_refusal(1, at(0)));
        assert_eq!(state, spent, "what is not refused is not counted");
        assert_eq!(state.refusable_from(BATCH), at(HOUR));
        assert!(!state.spend_on_refusal(BATCH, at(HOUR - 1)));
        assert!(state.spend_on_refusal(BATCH, at(HOUR)));
        assert!(!state.spend_on_refusal(1, at(HOUR)));
        assert_eq!(state.refused_bytes_at(at(HOUR * 33)), 0);
        assert_eq!(state.refused_bytes_at(at(u64::MAX / 2)), 0);
        assert!(state.spend_on_refusal(REFUSED_BYTES_MAX, at(HOUR * 33)), "never more than all of it");
        assert_eq!(state.refused_bytes_at(at(HOUR * 33)), REFUSED_BYTES_MAX);
    }

    /// However often an issuer asks, it leaves no more than the budget and what came back meanwhile.
    #[test]
    fn a_year_of_junk_is_bounded() {
        let mut state = issuer();
        let (mut bytes, mut now) = (0, 0);
        while now < 365 * 24 * HOUR {
            if state.spend_on_refusal(BATCH, at(now)) {
                bytes += BATCH;
            }
            now += 7 * 60 * 1000;
        }
        let most = REFUSED_BYTES_MAX + 365 * 24 * REFUSED_BYTES_PER_HOUR;
        assert!(bytes <= most && bytes > most * 9 / 10, "{bytes} of {most}");
    }
}
