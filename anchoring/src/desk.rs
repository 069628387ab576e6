//! What the parts of one anchoring process share.

use std::sync::Arc;

use crate::backlog::Backlog;
use crate::flight::{Departures, Flight};
use crate::gate::Gate;
use crate::journal::{Journal, JournalError};
use crate::metrics::AnchoringMetrics;
use crate::owner::Owner;
use crate::registered::Registered;
use crate::trust::FollowedTrust;
use crate::waiters::Waiters;

/// One of each; clones are of the same things.
#[derive(Debug, Clone)]
pub struct Desk {
    /// Everything that must not be forgotten.
    pub journal: Arc<Journal>,
    /// Knows what the records mean; called in each write that concerns them.
    pub owner: Arc<dyn Owner>,
    /// This submitter's keys and epoch on the ledger.
    pub registered: Arc<Registered>,
    /// Which validators' checkpoints are believed.
    pub trust: Arc<FollowedTrust>,
    /// Whether anything may be acknowledged, signed and sent.
    pub gate: Arc<Gate>,
    /// What waits for a batch.
    pub backlog: Arc<Backlog>,
    /// What is on its way.
    pub flight: Arc<Flight>,
    /// Who waits for a decision.
    pub waiters: Arc<Waiters>,
    /// Metrics to update.
    pub metrics: Arc<AnchoringMetrics>,
}

impl Desk {
    /// Takes up where the journal ends. `departures` is for the submitter.
    pub fn open(
        journal: Arc<Journal>,
        owner: Arc<dyn Owner>,
        metrics: Arc<AnchoringMetrics>,
        trust: Arc<FollowedTrust>,
    ) -> Result<(Self, Departures), JournalError> {
        let end = journal.outbox_end()?;
        let start = journal.outbox(0, 1)?.first().map_or(end, |(position, _)| *position);
        let requeued = journal.requeued(usize::MAX)?.len();
        let (flight, departures) = Flight::new();
        let desk = Self {
            registered: Arc::new(Registered::open(&journal)?),
            trust,
            gate: Arc::new(Gate::new(journal.halted()?)),
            backlog: Arc::new(Backlog::new(start, end, requeued as u64)),
            flight: Arc::new(flight),
            waiters: Arc::new(Waiters::default()),
            journal,
            owner,
            metrics,
        };
        Ok((desk, departures))
    }
}
