//! Talking to the other validators outside consensus: handing on what this node took in, and exchanging signatures.
//!
//! A batch goes to all peers at once when an issuer submits it; whatever still waits is announced again every 200 ms, so that
//! a peer that was away gets it from any holder. Signature lines go out as soon as a height is signed, and again while the tip
//! is unsealed. Every call has a deadline; a peer that is down costs nothing but its own task's attempts.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use receipt_core::governance::SignedGovernance;
use receipt_core::hash::Hash;
use receipt_core::ids::{Height, ValidatorId};
use receipt_core::state::BatchCache as _;
use tallystick_proto::peer::v1::peer_service_client::PeerServiceClient;
use tallystick_proto::peer::v1::{
    AnnounceBatchesRequest, ExchangeCosignaturesRequest, ForwardBatchRequest, ForwardGovernanceRequest,
};
use tokio::sync::broadcast;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use tonic::{Request, Status};

use crate::api::{checkpoint_id, hash_bytes, read_lines, signature_lines};
use crate::pool::Pool;
use crate::progress::Progress;
use crate::seal::{SealError, Sealer};

const ANNOUNCE_INTERVAL: Duration = Duration::from_millis(200);
const EXCHANGE_INTERVAL: Duration = Duration::from_secs(1);
const CALL_TIMEOUT: Duration = Duration::from_secs(5);
const FORWARDS_IN_FLIGHT_MAX: usize = 8;
const FORWARD_QUEUE: usize = 1024;
const ANNOUNCED_MAX: usize = 1024;
/// A node this far behind a peer's signed height says so.
const BEHIND_HEIGHTS: u64 = 5;

#[derive(Clone)]
enum Forward {
    Batch(Hash),
    Governance(Arc<SignedGovernance>),
}

/// Hands on what this node took in; knows which peers answer.
#[derive(Clone)]
pub(crate) struct Forwarder {
    queue: broadcast::Sender<Forward>,
    peers: Arc<Mutex<BTreeMap<ValidatorId, PeerView>>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct PeerView {
    connected: bool,
    signed_height: Height,
}

impl Default for Forwarder {
    fn default() -> Self {
        Self { queue: broadcast::Sender::new(FORWARD_QUEUE), peers: Arc::default() }
    }
}

impl Forwarder {
    /// Sends a pooled batch to every peer. Whoever misses it gets it by announcement.
    pub(crate) fn forward(&self, header_hash: Hash) {
        // No receivers: a chain of one validator.
        let _ = self.queue.send(Forward::Batch(header_hash));
    }

    /// Sends a governance message to every peer.
    pub(crate) fn forward_governance(&self, message: SignedGovernance) {
        let _ = self.queue.send(Forward::Governance(Arc::new(message)));
    }

    /// Validators that answered the last call.
    pub(crate) fn connected(&self) -> Vec<u32> {
        let peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        peers.iter().filter(|(_, view)| view.connected).map(|(id, _)| id.get()).collect()
    }

    /// Whether a peer has signed heights that this node has not decided.
    pub(crate) fn is_behind(&self, decided: Height) -> bool {
        let peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        peers.values().any(|view| view.signed_height.get() > decided.get() + BEHIND_HEIGHTS)
    }

    fn note(&self, id: ValidatorId, update: impl FnOnce(&mut PeerView)) {
        let mut peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        update(peers.entry(id).or_default());
    }
}

/// One peer and how to reach it.
#[derive(Clone)]
pub(crate) struct PeerLink {
    /// Its registry number.
    pub id: ValidatorId,
    /// A lazily connecting mTLS channel.
    pub channel: Channel,
    /// The chain's origin.
    pub origin: Arc<str>,
    /// What is handed on.
    pub pool: Arc<Pool>,
    /// What is exchanged.
    pub sealer: Arc<Sealer>,
    /// Heights.
    pub progress: Arc<Progress>,
    /// Shared views of the peers.
    pub forwarder: Forwarder,
}

fn timed<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(CALL_TIMEOUT);
    request
}

impl PeerLink {
    fn client(&self) -> PeerServiceClient<Channel> {
        let bytes = receipt_core::limits::REQUEST_BYTES_MAX;
        PeerServiceClient::new(self.channel.clone()).max_decoding_message_size(bytes).max_encoding_message_size(bytes)
    }

    /// Forwards batches and governance until `stop`.
    pub(crate) async fn run_forwarding(self, stop: CancellationToken) {
        let mut queue = self.forwarder.queue.subscribe();
        let mut announce = tokio::time::interval(ANNOUNCE_INTERVAL);
        announce.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut sending = JoinSet::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                forward = queue.recv(), if sending.len() < FORWARDS_IN_FLIGHT_MAX => match forward {
                    Ok(forward) => { sending.spawn(self.clone().send(forward)); }
                    Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Err(broadcast::error::RecvError::Closed) => return,
                },
                Some(_) = sending.join_next() => {}
                _ = announce.tick() => self.announce().await,
            }
        }
    }

    async fn send(self, forward: Forward) {
        let sent = match forward {
            Forward::Batch(hash) => self.send_batch(hash).await,
            Forward::Governance(message) => self.send_governance(&message).await,
        };
        self.report(sent);
    }

    async fn send_batch(&self, hash: Hash) -> Result<(), Status> {
        let Some(batch) = self.pool.checked_batch(hash) else { return Ok(()) };
        let records = batch.records().iter().map(|record| record.clone().into()).collect();
        let request = ForwardBatchRequest { signed_header: batch.header().encode().into(), records };
        self.client().forward_batch(timed(request)).await.map(|_| ())
    }

    async fn send_governance(&self, message: &SignedGovernance) -> Result<(), Status> {
        let request = ForwardGovernanceRequest { signed_governance: message.encode().into() };
        self.client().forward_governance(timed(request)).await.map(|_| ())
    }

    /// Offers everything that still waits; sends what the peer lacks.
    async fn announce(&self) {
        for message in self.pool.governance() {
            let sent = self.send_governance(&message).await;
            self.report(sent);
        }
        let mut hashes = self.pool.hashes();
        hashes.truncate(ANNOUNCED_MAX);
        if hashes.is_empty() {
            return;
        }
        let request = AnnounceBatchesRequest { header_hashes: hashes.iter().map(hash_bytes).collect() };
        let missing = match self.client().announce_batches(timed(request)).await {
            Ok(response) => response.into_inner().missing_hashes,
            Err(status) => return self.report(Err(status)),
        };
        for hash in missing.iter().filter_map(|hash| Hash::from_slice(hash)) {
            let sent = self.send_batch(hash).await;
            self.report(sent);
        }
    }

    /// Exchanges signature lines until `stop`. Fatal errors of the sealer end it.
    pub(crate) async fn run_sealing(self, stop: CancellationToken) -> Result<(), SealError> {
        let mut own = self.sealer.watch_own();
        let mut again = tokio::time::interval(EXCHANGE_INTERVAL);
        again.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                changed = own.changed() => if changed.is_err() { return Ok(()) },
                _ = again.tick() => if self.progress.unsealed_heights() == 0 { continue },
            }
            self.exchange().await?;
        }
    }

    async fn exchange(&self) -> Result<(), SealError> {
        let own = self.sealer.own_lines();
        let request = ExchangeCosignaturesRequest {
            checkpoint: own.as_ref().map(|own| checkpoint_id(own.height, &own.checkpoint)),
            own: own.as_ref().map(|own| signature_lines(self.sealer.validator_id(), &own.lines)),
        };
        let response = match self.client().exchange_cosignatures(timed(request)).await {
            Ok(response) => response.into_inner(),
            Err(status) => {
                self.report(Err(status));
                return Ok(());
            }
        };
        self.report(Ok(()));
        let (Some(id), Some(lines)) = (response.checkpoint, response.own) else { return Ok(()) };
        let Some((height, checkpoint, validator, lines)) = read_lines(&self.origin, &id, &lines) else {
            tracing::info!(peer = %self.id, "a peer sent malformed signature lines");
            return Ok(());
        };
        self.forwarder.note(self.id, |view| view.signed_height = view.signed_height.max(height));
        match self.sealer.take_lines(height, &checkpoint, validator, lines) {
            Err(error) if error.is_fatal() => Err(error),
            Err(error) => {
                tracing::info!(peer = %self.id, %error, "a peer's signature lines are refused");
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    /// Notes whether the peer answers; says so when that changes.
    fn report(&self, outcome: Result<(), Status>) {
        let down = outcome.as_ref().err().filter(|status| {
            matches!(status.code(), tonic::Code::Unavailable | tonic::Code::DeadlineExceeded | tonic::Code::Cancelled)
        });
        let mut changed = false;
        self.forwarder.note(self.id, |view| {
            changed = view.connected == down.is_some();
            view.connected = down.is_none();
        });
        match (&outcome, down) {
            (_, Some(status)) if changed => tracing::info!(peer = %self.id, %status, "a peer does not answer"),
            (_, None) if changed => tracing::info!(peer = %self.id, "a peer answers"),
            (Err(status), None) => tracing::info!(peer = %self.id, %status, "a peer refused a call"),
            _ => {}
        }
    }
}
