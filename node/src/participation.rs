//! Running the consensus engine: as a follower while this validator's past is ahead of its store, then as a voter.
//!
//! A store that was restored from an older copy, or made anew, lacks heights at which this validator has voted. The guard
//! remembers them and refuses to sign there again, on which the engine ends. So the node first follows its peers by sync,
//! without voting, until the store has caught up with the guard; then the engine is started anew, and votes.
//!
//! Invariant: no vote is asked for below the guard's height. Not here: the ledger behind the engine (`consensus`).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use receipt_core::ids::Height;
use tallystick_engine::{ConsensusSigner, EngineConfig, EngineError, EngineHandle};
use tallystick_service::metrics::ReadyPart;
use tallystick_service::shutdown::CancellationToken;

use crate::consensus::{ConsensusParts, LedgerApplication};
use crate::guard::Guard;
use crate::metrics::Metrics;

/// Log of a following engine. It never holds a vote, and the voting engine's own stays as it was found.
const FOLLOWING_LOG: &str = "following.wal";

const PORT_FREE_WITHIN: Duration = Duration::from_secs(10);
const PORT_LOOK: Duration = Duration::from_millis(20);

/// What it takes to start the engine.
pub(crate) struct Participation {
    /// Of the voting engine.
    pub engine: EngineConfig,
    /// The consensus key behind the guard.
    pub signer: Arc<dyn ConsensusSigner>,
    /// The ledger's side.
    pub consensus: ConsensusParts,
    /// Its counters.
    pub metrics: Metrics,
    /// What was signed before.
    pub guard: Arc<Guard>,
}

impl Participation {
    /// Runs until the stop is asked for. The engine's end before that is an error, and fatal to the process.
    pub(crate) async fn run(self, ready: ReadyPart, stop: CancellationToken) -> Result<(), EngineError> {
        let validator = self.engine.member;
        if let Some(height) = self.height_to_reach() {
            let tip = self.consensus.progress.decided_height();
            tracing::info!(%tip, guard = %height, "the store is behind what this validator has signed; following its peers");
            self.follow(height, &stop).await?;
            if stop.is_cancelled() {
                return Ok(());
            }
            tracing::info!(%height, "the store has caught up with what this validator has signed");
        }
        let engine = self.start(self.engine.clone()).await?;
        ready.ready();
        tracing::info!(%validator, "node runs");
        self.vote(engine, &stop).await
    }

    /// The height up to which this node must not vote, if its store is not there yet. At the guard's height itself the
    /// engine's log is needed: it holds what this validator is locked on.
    fn height_to_reach(&self) -> Option<Height> {
        let (voted, _) = self.guard.position();
        let next = self.consensus.progress.decided_height().get().saturating_add(1);
        let log_is_lost = !self.engine.log_path.exists();
        (next < voted || (next == voted && log_is_lost)).then_some(Height::new(voted))
    }

    async fn start(&self, config: EngineConfig) -> Result<EngineHandle, EngineError> {
        let application = LedgerApplication::new(self.consensus.clone(), self.metrics.clone());
        tallystick_engine::start(config, Arc::clone(&self.signer), Box::new(application)).await
    }

    async fn follow(&self, height: Height, stop: &CancellationToken) -> Result<(), EngineError> {
        let mut decided = self.consensus.progress.watch_decided();
        let moniker = format!("{}-following", self.engine.moniker);
        let log_path = self.engine.log_path.with_file_name(FOLLOWING_LOG);
        let mut engine = self.start(EngineConfig { moniker, log_path, votes: false, ..self.engine.clone() }).await?;
        tokio::select! {
            ended = engine.join() => return ended.and(Err(EngineError::Closed)),
            () = stop.cancelled() => {}
            _ = decided.wait_for(|tip| *tip >= height) => {}
        }
        engine.control().stop();
        engine.join().await?;
        // The engine's socket closes a moment after its parts have ended; one that never does is found at the next start.
        let _ = tokio::time::timeout(PORT_FREE_WITHIN, port_free(self.engine.listen)).await;
        Ok(())
    }

    async fn vote(&self, mut engine: EngineHandle, stop: &CancellationToken) -> Result<(), EngineError> {
        let mut work = self.consensus.pool.subscribe();
        let mut sealed = self.consensus.progress.watch_sealed();
        let control = engine.control();
        loop {
            tokio::select! {
                ended = engine.join() => return ended.and(Err(EngineError::Closed)),
                () = stop.cancelled() => break,
                Ok(()) = work.changed() => control.wake(),
                // The chain also rests while too many heights are unsealed.
                Ok(()) = sealed.changed() => control.wake(),
            }
        }
        control.stop();
        engine.join().await
    }
}

async fn port_free(address: SocketAddr) {
    while std::net::TcpListener::bind(address).is_err() {
        tokio::time::sleep(PORT_LOOK).await;
    }
}
