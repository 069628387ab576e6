//! The node's gRPC services: thin translations between messages and the parts behind them.
//!
//! Who may call what is decided before these methods run (one table, `tallystick_service::authorization`); what a caller sends is judged by the
//! pool, the sealer and the store.

mod admin;
mod decided;
mod ledger;
mod lists;
mod peer;
mod proofs;
mod registry;
mod states;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use receipt_core::ids::Height;
use receipt_core::limits;
use receipt_core::merkle::inclusion_path;
use receipt_core::reason::Reason;
use tallystick_proto::errors::{CallReason, Refusal};
use tallystick_service::rng::Entropy;
use tallystick_service::shutdown::CancellationToken;
use tonic::{Response, Status};

use crate::clocks::PeerClocks;
use crate::evidence::EvidenceFolder;
use crate::fatal::Fatal;
use crate::heights::ChainHeights;
use crate::ledger::Ledger;
use crate::memory::BLOCK_MESSAGE_BYTES_MAX;
use crate::peers::Forwarder;
use crate::pool::{Pool, PoolError};
use crate::seal::Sealer;
use crate::store::StoreError;
use crate::wire::hash_bytes;
use tallystick_service::callers::Places;

/// Block streams at once.
pub(crate) const BLOCK_STREAMS_MAX: usize = 64;
/// Block streams of one caller: an issuer follows with one, an auditor reads with one.
pub(crate) const CALLER_BLOCK_STREAMS_MAX: usize = 4;
/// Of the bytes of blocks that readers hold, bytes of one caller.
pub(crate) const CALLER_READ_BYTES_MAX: usize = 2 * BLOCK_MESSAGE_BYTES_MAX;
/// See [`Services::reader_patience`].
pub(crate) const READER_PATIENCE: Duration = Duration::from_secs(60);

/// See [`Services::answer_patience`]. A node that is behind waits three times as long for an answer.
pub(crate) const ANSWER_PATIENCE: Duration = Duration::from_secs(3);

/// One read at a time for each validator that is behind.
pub(crate) fn answer_turns() -> Places {
    Places::new(limits::VALIDATORS_MAX, 1)
}

/// When to repeat a call that a shortage of files or memory kept from being answered.
const SHORTAGE_RETRY_MS: u64 = 10_000;

/// What the services answer from.
#[derive(Clone)]
pub(crate) struct Services {
    /// Store and chain.
    pub ledger: Ledger,
    /// Waiting batches.
    pub pool: Arc<Pool>,
    /// Decided and sealed heights.
    pub heights: Arc<ChainHeights>,
    /// Signature lines.
    pub sealer: Arc<Sealer>,
    /// Proof of what other validators signed twice.
    pub evidence: Arc<EvidenceFolder>,
    /// What the others' clocks say of this node's.
    pub clocks: Arc<PeerClocks>,
    /// What the peers' engines say to this node's.
    pub network: tallystick_engine::Network,
    /// Sends what this node took in on to the others.
    pub forwarder: Forwarder,
    /// Batch-verification coefficients.
    pub entropy: Arc<dyn Entropy>,
    /// Whether the data disk is too full to take batches.
    pub disk: Arc<crate::disk::DiskWatch>,
    /// Block streams that may still begin.
    pub block_streams: Places,
    /// Bytes of blocks that are read and not on the wire, of all answers and streams.
    pub read_bytes: Places,
    /// A reader that takes no block for so long, or for which there is no room so long, has its stream ended, and may begin another where it was.
    pub reader_patience: Duration,
    /// Bytes of blocks for nodes that are behind: made, and not on the wire.
    pub answer_bytes: Places,
    /// Of each validator, one read for it.
    pub answer_turns: Places,
    /// A node that is behind, and for whose answer there is no room so long, is told to come again.
    pub answer_patience: Duration,
    /// Where errors go after which the process must end.
    pub fatal: Fatal,
    /// Ends streams when the node stops.
    pub stop: CancellationToken,
}

/// Why a call is not answered as it was asked.
#[derive(Debug)]
pub(crate) enum Failure {
    /// What the caller is told.
    Told(Status),
    /// Store or guard failed: the caller is told INTERNAL, and the process ends.
    Fatal(Box<dyn std::error::Error + Send + Sync>),
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        Self::Told(status)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Fatal(error.into())
    }
}

impl From<PoolError> for Failure {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::Refused { reason, detail } => Refusal::new(reason).with_message(detail).to_status().into(),
            PoolError::Full { .. } => {
                let refusal = Refusal::new(Reason::Overloaded).with_message(error.to_string());
                refusal.with_retry_after_ms(200).to_status().into()
            }
            PoolError::Store(error) => error.into(),
        }
    }
}

/// Something inside failed that is neither the store's nor the caller's fault: logged here, where it is handled; the caller learns
/// only that it happened. Never for a [`StoreError`]: that is a [`Failure`].
fn internal(error: impl std::fmt::Display) -> Status {
    tracing::error!(%error, "a request failed inside the node");
    Refusal::new(CallReason::Internal).to_status()
}

fn not_found(what: impl Into<String>) -> Status {
    Refusal::new(CallReason::NotFound).with_message(what).to_status()
}

fn invalid(field: &str, problem: &str) -> Status {
    Refusal::field(field, problem).to_status()
}

/// The newest sealed tree: height, note, seal bytes and the seal's inclusion path.
pub(crate) struct SealedTip {
    pub(crate) height: Height,
    pub(crate) tree_size: u64,
    pub(crate) note: String,
    pub(crate) seal_entry: Vec<u8>,
    pub(crate) seal_path: Vec<bytes::Bytes>,
}

impl Services {
    /// Answers a read off the async workers.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Self) -> Result<T, Failure> + Send + 'static,
    ) -> Result<Response<T>, Status> {
        let services = self.clone();
        self.blocking(move || read(&services)).await.map(Response::new)
    }

    /// Runs blocking work off the async workers.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Status> {
        if self.ledger.store.is_short() {
            return Err(short_of_files());
        }
        let done = tokio::task::spawn_blocking(work).await.map_err(internal)?;
        done.map_err(|failure| match failure {
            Failure::Told(status) => status,
            Failure::Fatal(error) => {
                self.fatal.report(error.as_ref());
                Refusal::new(CallReason::Internal).to_status()
            }
        })
    }

    pub(crate) fn sealed_tip(&self) -> Result<Option<SealedTip>, StoreError> {
        let store = &self.ledger.store;
        let Some((height, note)) = store.latest_checkpoint()? else { return Ok(None) };
        let range =
            store.height_range(height)?.ok_or_else(|| StoreError::Corrupt("a sealed height is missing".into()))?;
        let seal = receipt_core::ids::LeafIndex::new(range.size.get() - 1);
        let path = inclusion_path(store, seal, range.size).map_err(|error| StoreError::Corrupt(error.to_string()))?;
        let only_seal = crate::store::HeightRange { first_leaf: seal, ..range };
        let seal_entry = store.entries(&only_seal)?.pop().unwrap_or_default();
        Ok(Some(SealedTip {
            height,
            tree_size: range.size.get(),
            note,
            seal_entry,
            seal_path: path.iter().map(hash_bytes).collect(),
        }))
    }
}

/// A condition of this node that passes. Nothing was done.
fn short_of_files() -> Status {
    let refusal = Refusal::new(CallReason::NotReady).with_retry_after_ms(SHORTAGE_RETRY_MS);
    refusal
        .with_message("this node cannot read its store for the moment; ask another one, or repeat the call")
        .to_status()
}

fn not_sealed_yet() -> Status {
    Refusal::new(CallReason::NotReady).with_message("nothing is sealed yet").to_status()
}
