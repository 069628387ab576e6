//! Whether records may be acknowledged now, and if not, why.
//!
//! Closed at start: a journal restored from an older copy does not know what it has acknowledged since, so it first follows the
//! ledger up to a fresh checkpoint. Closed for good (halted) when the ledger shows that this journal is not the newest.
//! Batches ask too: a journal that is not the newest would sign a second header under a used sequence.

use tallystick_proto::errors::{CallReason, Refusal};
use tokio::sync::watch;

/// Why nothing is issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Closed {
    /// The ledger has not been caught up with since the start.
    CatchingUp,
    /// The ledger knows more of this issuer than the journal, or a newer epoch: `recover` comes first.
    Halted(String),
    /// What is known of the ledger is too old to acknowledge anything by it.
    CutOff,
    /// The disk is nearly full.
    DiskLow,
    /// The process is ending.
    ShuttingDown,
}

impl Closed {
    /// What a caller is told.
    pub fn refusal(&self) -> Refusal {
        match self {
            Self::CatchingUp => Refusal::new(CallReason::NotReady)
                .with_message("the issuer is catching up with the ledger; nothing is issued until it has"),
            // The reason is not for callers: it names files and commands of the operator.
            Self::Halted(_) => Refusal::new(CallReason::NotReady)
                .with_message(
                    "this issuer issues nothing until its operator has put its journal in order; try another issuer of the \
                     unit, or later",
                )
                .with_retry_after_ms(60_000),
            Self::CutOff => Refusal::new(CallReason::NotReady)
                .with_message(
                    "this issuer has heard nothing of the ledger for nine days, and issues nothing until it does; try another issuer of \
                     the unit, or later",
                )
                .with_retry_after_ms(60_000),
            Self::DiskLow => Refusal::new(CallReason::DiskLow),
            Self::ShuttingDown => Refusal::new(CallReason::ShuttingDown),
        }
    }
}

/// The gate. Halted beats all; each other reason comes and goes by itself.
#[derive(Debug)]
pub struct Gate {
    state: watch::Sender<State>,
}

#[derive(Debug, Clone)]
struct State {
    caught_up: bool,
    halted: Option<String>,
    cut_off: bool,
    disk_low: bool,
    shutting_down: bool,
}

impl Gate {
    /// Closed until caught up; for ever if `halted`.
    pub fn new(halted: Option<String>) -> Self {
        let state = State { caught_up: false, halted, cut_off: false, disk_low: false, shutting_down: false };
        Self { state: watch::Sender::new(state) }
    }

    /// Why nothing is issued; `Ok` if something is.
    pub fn check(&self) -> Result<(), Closed> {
        match &*self.state.borrow() {
            State { halted: Some(why), .. } => Err(Closed::Halted(why.clone())),
            State { shutting_down: true, .. } => Err(Closed::ShuttingDown),
            State { caught_up: false, .. } => Err(Closed::CatchingUp),
            State { cut_off: true, .. } => Err(Closed::CutOff),
            State { disk_low: true, .. } => Err(Closed::DiskLow),
            _ => Ok(()),
        }
    }

    /// The journal has caught up with the ledger.
    pub fn caught_up(&self) {
        self.update(|state| state.caught_up = true);
    }

    /// Closes for good. The journal remembers it.
    pub fn halt(&self, why: &str) {
        self.update(|state| state.halted = Some(why.to_owned()));
    }

    /// What is known of the ledger is (or is no longer) too old. Returns whether that is new.
    pub fn set_cut_off(&self, cut_off: bool) -> bool {
        self.state.send_if_modified(|state| std::mem::replace(&mut state.cut_off, cut_off) != cut_off)
    }

    /// The disk is (or is no longer) nearly full.
    pub fn set_disk_low(&self, low: bool) {
        self.update(|state| state.disk_low = low);
    }

    /// The process is ending.
    pub fn shut_down(&self) {
        self.update(|state| state.shutting_down = true);
    }

    /// Whether the journal has caught up with the ledger since the start.
    pub fn is_caught_up(&self) -> bool {
        self.state.borrow().caught_up
    }

    /// Whether the journal may never issue again without `recover`.
    pub fn is_halted(&self) -> bool {
        self.state.borrow().halted.is_some()
    }

    /// Whether batches may be signed and sent: caught up, and not halted. A full disk does not keep back what is on it.
    pub fn seals(&self) -> bool {
        self.state.borrow().seals()
    }

    /// Waits until batches may be signed and sent; for ever once halted.
    pub async fn until_it_seals(&self) {
        let mut state = self.state.subscribe();
        // Never an error: the sender is `self.state`, which lives as long as this borrow.
        let _ = state.wait_for(State::seals).await;
    }

    fn update(&self, change: impl FnOnce(&mut State)) {
        self.state.send_modify(change);
    }
}

impl State {
    fn seals(&self) -> bool {
        self.caught_up && self.halted.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_by_catching_up_and_stays_shut_once_halted() {
        let gate = Gate::new(None);
        assert_eq!(gate.check(), Err(Closed::CatchingUp));
        assert!(!gate.seals());
        gate.caught_up();
        assert_eq!(gate.check(), Ok(()));
        gate.set_disk_low(true);
        assert!(gate.seals(), "what was acknowledged is sealed all the same");
        assert_eq!(gate.check(), Err(Closed::DiskLow));
        gate.set_disk_low(false);
        assert_eq!(gate.check(), Ok(()));
        assert!(gate.set_cut_off(true) && !gate.set_cut_off(true), "told once");
        assert!(gate.seals(), "what was acknowledged is sealed as soon as a node can be reached");
        assert_eq!(gate.check(), Err(Closed::CutOff));
        assert_eq!(Closed::CutOff.refusal().reason.as_str(), "NOT_READY");
        assert!(gate.set_cut_off(false));
        assert_eq!(gate.check(), Ok(()));
        gate.halt("behind");
        gate.caught_up();
        assert_eq!(gate.check(), Err(Closed::Halted("behind".to_owned())));
        assert!(gate.is_halted() && !gate.seals());
    }

    #[test]
    fn a_halted_issuer_tells_callers_no_path_and_no_command_and_does_not_say_never() {
        let gate =
            Gate::new(Some("the guard file /var/lib/x/guard is missing; run `tallystick-issuer recover`".to_owned()));
        let refusal = gate.check().unwrap_err().refusal();
        assert_eq!((refusal.reason.as_str(), refusal.retry_after_ms), ("NOT_READY", Some(60_000)));
        for told in ["/var", "guard", "recover", "tallystick-issuer"] {
            assert!(!refusal.message.contains(told), "{}", refusal.message);
        }
    }
}
