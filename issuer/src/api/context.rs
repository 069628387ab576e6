//! What every call works with.

use std::sync::Arc;

use receipt_core::ids::ReceiptKey;
use receipt_core::receipt::disclosure::Seed;
use receipt_core::receipt::layout::from_values;
use receipt_core::receipt::model::Receipt;
use tallystick_proto::errors::Refusal;
use tallystick_service::clock::Clock;
use tallystick_service::shutdown::CancellationToken;
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

use crate::bundle::{Bundler, internal};
use crate::follow::Followed;
use crate::issue::IssueQueue;
use crate::journal::Journal;
use crate::keys::KeyRing;
use crate::registry::{Registry, RegistryView};
use crate::waiters::Waiters;

/// Shared by all calls.
pub struct ApiContext {
    /// What is on disk.
    pub journal: Arc<Journal>,
    /// Units, systems, items.
    pub registry: Arc<Registry>,
    /// For the keyed hashes.
    pub keys: Arc<KeyRing>,
    /// The way to the sequencer.
    pub queue: IssueQueue,
    /// Calls that wait for a seal.
    pub waiters: Arc<Waiters>,
    /// Makes bundles.
    pub bundler: Arc<Bundler>,
    /// How far the ledger has been followed.
    pub followed: watch::Receiver<Followed>,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// The chain's UTC offset.
    pub utc_offset_minutes: i32,
    /// Ends streams.
    pub stop: CancellationToken,
    /// The streams, so that the process can wait for their end.
    pub streams: TaskTracker,
}

impl ApiContext {
    /// The registry now.
    pub(super) fn view(&self) -> Arc<RegistryView> {
        self.registry.view()
    }

    /// Last sealed height that was acted on.
    pub(super) fn snapshot_height(&self) -> u64 {
        self.followed.borrow().height
    }

    /// A receipt with its seed; `None` if there is none here or its body was erased.
    pub(super) fn open_receipt(&self, key: ReceiptKey) -> Result<Option<(Receipt, Seed)>, Refusal> {
        let Some(body) = self.bundler.body(key)? else { return Ok(None) };
        Ok(Some((from_values(&body.values).map_err(internal)?, body.seed)))
    }
}
