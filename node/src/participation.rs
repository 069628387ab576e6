//! Running the consensus engine: as a follower while this validator's past is ahead of its store, then as a voter.
//!
//! A node that is in no validator set runs the same engine as a voter does: it decides what the others decide, is asked for no
//! vote, and votes from the first height on whose set has it. Only while the set has its number with keys that it does not hold it
//! follows by sync alone.
//!
//! A store that was restored from an older copy, or made anew, lacks heights at which this validator has voted. The guard
//! remembers only the last of them, and refuses to sign below. So the node first follows its peers by sync, without
//! voting, until the store has reached the height before the guard's; then the engine is started anew, and votes.
//!
//! At the guard's own height it votes whether the engine's log is whole, older than the guard, or gone: the guard repeats what
//! was said and keeps the lock (`guard/answer.rs`). A log from which the engine could not go on is put aside before its start
//! (`voting_log`).
//!
//! Invariant: no vote is asked for below the guard's height. Not here: the ledger behind the engine (`consensus`).

use std::sync::Arc;
use std::time::Duration;

use receipt_core::ids::Height;
use tallystick_engine::{ConsensusSigner, EngineConfig, EngineError, EngineHandle};
use tallystick_service::config::ConfigError;
use tallystick_service::metrics::ReadyPart;
use tallystick_service::shutdown::CancellationToken;

use crate::consensus::{ConsensusParts, LedgerApplication};
use crate::guard::Guard;
use crate::ledger::Sets;
use crate::membership::Part;
use crate::metrics::Metrics;
use crate::peer_readiness::PeerReadiness;
use crate::preflight::Claims;
use crate::store::StoreError;
use crate::voting_log::{self, Judges, LogError};

/// Log of a following engine. It never holds a vote, and the voting engine's own stays as it was found.
const FOLLOWING_LOG: &str = "following.wal";

/// How often a node that follows looks what its peers have said.
const PEERS_LOOK: Duration = Duration::from_millis(100);

/// How often a resting chain is looked at again, for what only the passing of time changes.
const REST_LOOK: Duration = Duration::from_secs(1);

/// Of a node whose number the validator set has with other keys than it holds.
const OTHER_KEYS: &str = "does not vote and signs nothing: the validator set has its number with keys that it does not hold \
                          (docs/ops/validators.md)";

/// Why the node takes part no more. Fatal to the process.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ParticipationError {
    /// The engine's log cannot be used.
    #[error("{0}. Run `tallystick-node repair` with this node's config, then start the node again")]
    DamagedLog(EngineError),
    /// The engine ended.
    #[error(transparent)]
    Engine(EngineError),
    /// The newest validator set does not know this node as it is configured.
    #[error(transparent)]
    Config(ConfigError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The engine's log cannot be judged or put aside.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The engine's log cannot be written.
    #[error("{error}. What to do: {way}")]
    LogFailed {
        /// The engine's error.
        error: EngineError,
        /// What the operator can do.
        way: &'static str,
    },
}

impl From<EngineError> for ParticipationError {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::DamagedLog(_) => Self::DamagedLog(error),
            EngineError::LogFailed { ref source, .. } => {
                let way = voting_log::way_of(source);
                Self::LogFailed { error, way }
            }
            error => Self::Engine(error),
        }
    }
}

/// What it takes to start the engine.
pub(crate) struct Participation {
    /// Configuration of the engine that votes.
    pub engine: EngineConfig,
    /// The consensus key behind the guard.
    pub signer: Arc<dyn ConsensusSigner>,
    /// The ledger's side.
    pub consensus: ConsensusParts,
    /// Metrics to update.
    pub metrics: Metrics,
    /// Remembers what this validator has signed.
    pub guard: Arc<Guard>,
    /// How far the peers are.
    pub peer_readiness: PeerReadiness,
    /// What the store's validator set did not bear out.
    pub unproven: Option<Claims>,
}

/// The height that a node must have decided before it votes, if it has not: below the guard's height nothing is signed.
pub(crate) fn height_to_reach(decided: Height, guard_height: u64) -> Option<Height> {
    let before = guard_height.saturating_sub(1);
    (decided.get() < before).then_some(Height::new(before))
}

impl Participation {
    /// Runs until the stop is asked for. The engine's end before that is an error, and fatal to the process.
    pub(crate) async fn run(self, ready: ReadyPart, stop: CancellationToken) -> Result<(), ParticipationError> {
        let validator = self.engine.member;
        if let Some(claims) = &self.unproven {
            if let Err(misfit) = claims.check(&Sets::of(&self.consensus.ledger)?) {
                let until = "follows without a vote until a newer validator set knows it";
                ready.not_ready(format!("{until}: {}", misfit.error));
            }
            self.prove(claims, &stop).await?;
            if stop.is_cancelled() {
                return Ok(());
            }
            tracing::info!("the newer validator set knows this node");
        }
        let mut reach = height_to_reach(self.decided(), self.guard.summary().height);
        loop {
            if let Some(height) = reach {
                let tip = self.decided();
                ready.not_ready(format!(
                    "follows without a vote until height {height}: the store is at {tip}, behind what this validator has signed"
                ));
                tracing::info!(%tip, %height, "the store is behind what this validator has signed; following its peers");
                self.follow(|| Ok(self.decided() >= height), &stop).await?;
            }
            if self.part()? == Part::OtherKeys {
                ready.not_ready(OTHER_KEYS);
                tracing::warn!("this node {OTHER_KEYS}; it follows the others meanwhile");
                self.follow(|| Ok(self.part()? != Part::OtherKeys), &stop).await?;
                reach = height_to_reach(self.decided(), self.guard.summary().height);
                if !stop.is_cancelled() {
                    continue;
                }
            }
            if stop.is_cancelled() {
                return Ok(());
            }
            let next = self.decided().get().saturating_add(1);
            reach = voting_log::prepare(&self.engine.log_path, next, self.judges())?;
            if reach.is_some() {
                continue;
            }
            let engine = self.start(self.engine.clone()).await?;
            ready.ready();
            tracing::info!(%validator, "node runs");
            match self.vote(engine, &stop).await {
                // Nothing is wrong, but the guard permits no vote that fits here. The others decide this height.
                Err(EngineError::SignRefused(refusal)) if refusal.conflict => {
                    tracing::warn!(%refusal, "this validator does not vote at this height");
                    reach = Some(Height::new(self.guard.summary().height));
                }
                ended => return Ok(ended?),
            }
        }
    }

    /// Follows the peers, without a vote, until a validator set knows this node as it is configured, or until it is level with f + 1 of
    /// the set, and still is after they have answered once more: then the configuration is wrong. With fewer of them among its peers it
    /// follows on: it cannot know how far the chain is, and a newer set may have more of them.
    async fn prove(&self, claims: &Claims, stop: &CancellationToken) -> Result<(), ParticipationError> {
        let (mut judged, mut look) = (None, None);
        let judge = || -> Result<bool, StoreError> {
            // Ask this before reading the sets. A height that is decided in between makes the sets newer and this node farther, so the judgement
            // stays right.
            let level = self.peer_readiness.stays_level(&mut look)?;
            judged = match claims.check(&Sets::of(&self.consensus.ledger)?) {
                Ok(()) => Some(Ok(())),
                Err(misfit) => (level || !misfit.may_be_newer).then_some(Err(misfit.error)),
            };
            Ok(judged.is_some())
        };
        self.follow(judge, stop).await?;
        // There is no judgement if the node was asked to stop.
        judged.unwrap_or(Ok(())).map_err(ParticipationError::Config)
    }

    fn judges(&self) -> Judges<'_> {
        Judges { guard: &self.guard, store: &self.consensus.ledger.store, member: self.engine.member }
    }

    fn part(&self) -> Result<Part, StoreError> {
        self.peer_readiness.membership.part(&self.consensus.ledger)
    }

    fn decided(&self) -> Height {
        self.consensus.heights.decided_height()
    }

    async fn start(&self, config: EngineConfig) -> Result<EngineHandle, EngineError> {
        let application = LedgerApplication::new(self.consensus.clone(), self.metrics.clone());
        tallystick_engine::start(config, Arc::clone(&self.signer), Box::new(application)).await
    }

    /// Follows by sync until it is `enough`, which is asked after each height, and now and then for what peers say.
    async fn follow(
        &self,
        mut enough: impl FnMut() -> Result<bool, StoreError>,
        stop: &CancellationToken,
    ) -> Result<(), ParticipationError> {
        let mut decided = self.consensus.heights.watch_decided();
        let moniker = format!("{}-following", self.engine.moniker);
        let log_path = self.engine.log_path.with_file_name(FOLLOWING_LOG);
        // This log has no votes, so a damaged one is simply removed.
        let removed = std::fs::remove_file(&log_path);
        if let Some(source) = removed.err().filter(|error| error.kind() != std::io::ErrorKind::NotFound) {
            return Err(LogError::SetAside { path: log_path.display().to_string(), source }.into());
        }
        let mut engine = self.start(EngineConfig { moniker, log_path, votes: false, ..self.engine.clone() }).await?;
        while !enough()? {
            tokio::select! {
                ended = engine.join() => return Ok(ended.and(Err(EngineError::Closed))?),
                () = stop.cancelled() => break,
                changed = decided.changed() => if changed.is_err() { break },
                () = tokio::time::sleep(PEERS_LOOK) => {}
            }
        }
        engine.control().stop();
        Ok(engine.join().await?)
    }

    async fn vote(&self, mut engine: EngineHandle, stop: &CancellationToken) -> Result<(), EngineError> {
        let mut work = self.consensus.pool.subscribe();
        let mut sealed = self.consensus.heights.watch_sealed();
        let control = engine.control();
        let mut look = tokio::time::interval(REST_LOOK);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                ended = engine.join() => return ended.and(Err(EngineError::Closed)),
                () = stop.cancelled() => break,
                Ok(()) = work.changed() => control.wake(),
                // The chain may have rested because too many heights were unsealed.
                Ok(()) = sealed.changed() => control.wake(),
                // Or because no batch was ripe, or because the chain's time was too far from this clock.
                _ = look.tick() => control.wake(),
            }
        }
        control.stop();
        engine.join().await
    }
}

#[cfg(test)]
mod tests;
