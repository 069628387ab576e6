//! What every call works with.

use std::sync::Arc;

use receipt_core::ids::{ReceiptKey, SystemId, UnitId, UnixMillis};
use receipt_core::receipt::disclosure::Seed;
use receipt_core::receipt::layout::from_values;
use receipt_core::receipt::model::Receipt;
use receipt_core::record::SignedRecord;
use tallystick_anchoring::follow::Followed;
use tallystick_anchoring::quorum_time::QuorumTime;
use tallystick_anchoring::waiters::Waiters;
use tallystick_proto::errors::Refusal;
use tallystick_service::clock::Clock;
use tallystick_service::shutdown::CancellationToken;
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

use crate::authority::may_see;
use crate::bundle::Bundler;
use crate::documents::Documents;
use crate::failure::internal;
use crate::issue::IssueQueue;
use crate::journal::{Journal, ReceiptReads as _};
use crate::keys::KeyRing;
use crate::metrics::IssuerMetrics;
use crate::registry::{Registry, RegistryView};
use crate::tries::ticket::Tickets;
use crate::try_desk::TryQueue;

/// What all calls share.
pub struct ApiContext {
    /// The journal.
    pub journal: Arc<Journal>,
    /// Units, systems, items.
    pub registry: Arc<Registry>,
    /// Keys; the calls need the blinding secret, for keyed hashes.
    pub keys: Arc<KeyRing>,
    /// The way to the sequencer.
    pub queue: IssueQueue,
    /// Calls that wait for a seal.
    pub waiters: Arc<Waiters>,
    /// Makes bundles.
    pub bundler: Arc<Bundler>,
    /// Draws documents, if this issuer is set up for it.
    pub documents: Option<Arc<Documents>>,
    /// How far the ledger has been followed.
    pub followed: watch::Receiver<Followed>,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// Whether the time of day may be relied on.
    pub quorum_time: Arc<QuorumTime>,
    /// The way to the desk that counts tries to fetch a receipt.
    pub tries: TryQueue,
    /// Their places in time.
    pub tickets: Tickets,
    /// Counts what is refused.
    pub metrics: Arc<IssuerMetrics>,
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
    /// The record of a receipt that a call refers to, if it is of this unit and of a place for which the system may act.
    /// Judged by the record and the row alone: of any other receipt nothing is opened, and nothing is told.
    pub(super) fn own_record(
        &self,
        view: &RegistryView,
        system: SystemId,
        unit: UnitId,
        key: ReceiptKey,
    ) -> Result<Option<SignedRecord>, Refusal> {
        let Some(row) = self.journal.receipt(key).map_err(internal)? else { return Ok(None) };
        let signed = SignedRecord::decode(&row.signed_record).map_err(internal)?;
        let own = signed.record.unit == unit && may_see(view, system, unit, &row.place_code);
        Ok(own.then_some(signed))
    }

    /// The time of day, if it may be relied on.
    pub(super) fn reliable_now(&self) -> Result<UnixMillis, Refusal> {
        let now = self.clock.now();
        self.quorum_time.check(now).map_err(|fault| fault.refusal())?;
        Ok(now)
    }
}
