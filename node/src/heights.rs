//! How far the chain is decided and how far it is sealed, for whoever waits for it.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use prometheus_client::metrics::histogram::Histogram;
use receipt_core::ids::Height;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::histogram::seconds;

/// Unsealed heights whose time of decision is remembered.
const TIMED_HEIGHTS_MAX: usize = 1024;

/// The newest decided and the newest sealed height. Both only rise.
pub struct ChainHeights {
    decided: watch::Sender<Height>,
    sealed: watch::Sender<Height>,
    /// Decided heights that are not sealed yet, and since when.
    waiting: Mutex<VecDeque<(Height, Instant)>>,
    seal_seconds: Histogram,
}

impl ChainHeights {
    /// The newest heights in the store.
    pub fn new(decided: Height, sealed: Height) -> Self {
        let (decided, sealed) = (watch::Sender::new(decided), watch::Sender::new(sealed));
        Self { decided, sealed, waiting: Mutex::default(), seal_seconds: seconds() }
    }

    /// A height is decided and committed.
    pub fn decided(&self, height: Height) {
        if self.decided.send_if_modified(|known| raise(known, height)) {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.push_back((height, Instant::now()));
            if waiting.len() > TIMED_HEIGHTS_MAX {
                waiting.pop_front();
            }
        }
    }

    /// A height is sealed, and with it all before.
    pub fn sealed(&self, height: Height) {
        self.sealed.send_if_modified(|known| raise(known, height));
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let sealed = waiting.partition_point(|(decided, _)| *decided <= height);
        for (_, since) in waiting.drain(..sealed) {
            self.seal_seconds.observe(since.elapsed().as_secs_f64());
        }
    }

    /// Seconds from the decision of a height to its seal.
    pub(crate) fn seal_seconds(&self) -> Histogram {
        self.seal_seconds.clone()
    }

    /// Follows decided heights.
    pub fn watch_decided(&self) -> watch::Receiver<Height> {
        self.decided.subscribe()
    }

    /// Follows sealed heights.
    pub fn watch_sealed(&self) -> watch::Receiver<Height> {
        self.sealed.subscribe()
    }

    /// Decided heights that no checkpoint seals yet.
    pub fn unsealed_heights(&self) -> u64 {
        self.decided.borrow().get().saturating_sub(self.sealed.borrow().get())
    }

    /// The newest sealed height.
    pub fn sealed_height(&self) -> Height {
        *self.sealed.borrow()
    }

    /// The newest decided height.
    pub fn decided_height(&self) -> Height {
        *self.decided.borrow()
    }
}

fn raise(known: &mut Height, height: Height) -> bool {
    let higher = height > *known;
    if higher {
        *known = height;
    }
    higher
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heights_only_rise_and_a_seal_seals_all_before() {
        let heights = ChainHeights::new(Height::new(3), Height::new(2));
        for height in [4, 5, 4] {
            heights.decided(Height::new(height));
        }
        assert_eq!((heights.decided_height(), heights.unsealed_heights()), (Height::new(5), 3));
        heights.sealed(Height::new(4));
        heights.sealed(Height::new(3));
        assert_eq!((heights.sealed_height(), heights.unsealed_heights()), (Height::new(4), 1));
        assert_eq!(heights.waiting.lock().unwrap().len(), 1, "only height 5 waits");
    }
}
