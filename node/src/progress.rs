//! How far the chain is decided and how far it is sealed, for whoever waits for it.

use receipt_core::ids::Height;
use tokio::sync::watch;

/// Two heights that only rise.
pub struct Progress {
    decided: watch::Sender<Height>,
    sealed: watch::Sender<Height>,
}

impl Progress {
    /// Where the store stands.
    pub fn new(decided: Height, sealed: Height) -> Self {
        Self { decided: watch::Sender::new(decided), sealed: watch::Sender::new(sealed) }
    }

    /// A height is decided and committed.
    pub fn decided(&self, height: Height) {
        self.decided.send_if_modified(|known| raise(known, height));
    }

    /// A height is sealed, and with it all before.
    pub fn sealed(&self, height: Height) {
        self.sealed.send_if_modified(|known| raise(known, height));
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
