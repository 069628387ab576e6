//! Everything that runs while records are anchored, started together.
//!
//! ```text
//! batcher · submitter · follower · time keeper · guard
//! ```
//! Not here: what the owner runs besides (its API, its writer of records, [`Housekeeping`](crate::housekeeping::Housekeeping)).

use std::sync::Arc;
use std::time::Duration;

use receipt_core::ids::KeyId;
use receipt_core::state::ChainParameters;
use receipt_core::suite::{Signer, Suite};
use tallystick_service::clock::Clock;
use tallystick_service::shutdown::Tasks;
use tokio::sync::watch;

use crate::batcher::{Batcher, BatcherParts};
use crate::desk::Desk;
use crate::flight::Departures;
use crate::follow::{Followed, Follower, HeldLimits, Mode, Outcomes};
use crate::guard::Guard;
use crate::journal::JournalError;
use crate::nodes::Nodes;
use crate::own_fault::Standing;
use crate::quorum_time::{QuorumTime, TimeKeeper};
use crate::submit::Submitter;

/// Figures from the owner's config.
#[derive(Debug, Clone, Copy)]
pub struct AnchoringSettings {
    /// Records of a batch.
    pub records_max: usize,
    /// Bytes of all its records.
    pub bytes_max: usize,
    /// Age at which it is closed.
    pub age: Duration,
    /// Batches on their way at once.
    pub in_flight_max: usize,
    /// An offer not decided after this goes to the next node.
    pub resubmit: Duration,
    /// A checkpoint older than this does not show that the journal is up to date, seconds.
    pub fresh_seconds: u64,
}

/// What it takes to anchor the records of one journal.
pub struct Anchoring {
    /// Journal, gate, registry and metrics, shared by the parts.
    pub desk: Desk,
    /// Receives the batches to offer.
    pub departures: Departures,
    /// The nodes that batches are offered to and blocks are read from.
    pub nodes: Arc<Nodes>,
    /// The chain, for governance.
    pub chain: ChainParameters,
    /// The chain's suite.
    pub suite: Suite,
    /// Signs headers.
    pub signer: Arc<dyn Signer>,
    /// That key's number in the registry.
    pub signing_key: KeyId,
    /// Follows the journal; `None` of a halted one that lost it.
    pub guard: Option<Arc<Guard>>,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// The validators' time.
    pub quorum_time: Arc<QuorumTime>,
    /// Sizes and intervals.
    pub settings: AnchoringSettings,
    /// Tells how far the ledger is followed.
    pub followed: watch::Sender<Followed>,
    /// Tells what keeps it from being followed.
    pub standing: Standing,
}

impl Anchoring {
    /// Starts all of it. A journal whose epoch is over is halted here.
    pub fn start(self, tasks: &mut Tasks) -> Result<(), JournalError> {
        let token = tasks.token().clone();
        let settings = self.settings;
        let batcher = Batcher::open(BatcherParts {
            desk: self.desk.clone(),
            signer: self.signer,
            signing_key: self.signing_key,
            quorum_time: Arc::clone(&self.quorum_time),
            suite: self.suite,
            records_max: settings.records_max,
            bytes_max: settings.bytes_max,
            age: settings.age,
            in_flight_max: settings.in_flight_max,
        })?;
        let outcomes = Outcomes::new(self.desk.clone(), self.chain, Mode::Running);
        outcomes.check_epoch()?;
        if let Some(guard) = self.guard {
            tasks.spawn("guard", guard.run(Arc::clone(&self.desk.journal), token.clone()));
        }
        tasks.spawn("batcher", batcher.run(token.clone()));
        let submitter = Submitter {
            nodes: Arc::clone(&self.nodes),
            journal: Arc::clone(&self.desk.journal),
            registered: Arc::clone(&self.desk.registered),
            metrics: Arc::clone(&self.desk.metrics),
            resubmit: settings.resubmit,
        };
        tasks.spawn("submitter", submitter.run(self.departures, token.clone()));
        let keeper = TimeKeeper {
            nodes: Arc::clone(&self.nodes),
            trust: Arc::clone(&self.desk.trust),
            time: Arc::clone(&self.quorum_time),
        };
        tasks.spawn("time-keeper", keeper.run(token.clone()));
        let follower = Follower {
            nodes: self.nodes,
            outcomes,
            desk: self.desk,
            clock: self.clock,
            quorum_time: self.quorum_time,
            fresh_seconds: settings.fresh_seconds,
            held: HeldLimits::default(),
            followed: self.followed,
            standing: self.standing,
        };
        tasks.spawn("follower", follower.run(token));
        Ok(())
    }
}
