//! Talking to the other validators outside consensus: handing on what this node took in, and exchanging signatures.
//!
//! A batch goes to all peers at once when an issuer submits it; whatever still waits after 200 ms is announced every 200 ms, so
//! that a peer that was away gets it from any holder (`announced`). Signature lines go out as soon as a height is signed, and again
//! while the tip is unsealed; what is still missing after a second is pulled from whoever holds it. Every call has a deadline; a
//! peer that is down costs nothing but its own task's attempts.

mod announced;
mod forwarder;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use receipt_core::governance::SignedGovernance;
use receipt_core::hash::Hash;
use receipt_core::ids::{Height, ValidatorId};
use receipt_core::limits;
use receipt_core::note::{Checkpoint, SignatureLine};
use receipt_core::state::BatchCache as _;
use tallystick_proto::errors::Refusal;
use tallystick_proto::peer::v1::peer_service_client::PeerServiceClient;
use tallystick_proto::peer::v1::{
    AnnounceBatchesRequest, ExchangeCosignaturesRequest, ForwardBatchRequest, ForwardGovernanceRequest,
    GetCosignaturesRequest,
};
use tokio::sync::broadcast;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use tonic::{Request, Status};

use self::announced::Announced;
use self::forwarder::Forward;
pub(crate) use self::forwarder::{Answers, Forwarder};
use crate::heights::ChainHeights;
use crate::pool::Pool;
use crate::seal::{SealError, Sealer};
use crate::wire::{ANNOUNCED_MAX, checkpoint_id, hash_bytes, read_lines, signature_lines};

const ANNOUNCE_INTERVAL: Duration = Duration::from_millis(200);
const EXCHANGE_INTERVAL: Duration = Duration::from_secs(1);
const CALL_TIMEOUT: Duration = Duration::from_secs(5);
/// Interval at which a peer is asked whether it answers, also while there is nothing to say to it.
const PROBE_INTERVAL: Duration = Duration::from_secs(1);
const PROBE_TIMEOUT: Duration = Duration::from_secs(3);
const REFUSED_PAUSE: Duration = Duration::from_secs(1);
const FORWARDS_IN_FLIGHT_MAX: usize = 8;
const PUSHES_IN_FLIGHT_MAX: usize = 4;

/// One peer and how to reach it.
#[derive(Clone)]
pub(crate) struct PeerLink {
    /// Its registry number.
    pub id: ValidatorId,
    /// A lazily connecting mTLS channel.
    pub channel: Channel,
    /// The chain's origin.
    pub origin: Arc<str>,
    /// The pool whose batches are passed to peers.
    pub pool: Arc<Pool>,
    /// Holds the signature lines that are exchanged.
    pub sealer: Arc<Sealer>,
    /// Heights.
    pub heights: Arc<ChainHeights>,
    /// Shared views of the peers.
    pub forwarder: Forwarder,
}

/// Whether a peer will say the same of the same batch for ever: the batch is at fault.
fn is_final(status: &Status) -> bool {
    matches!(status.code(), tonic::Code::InvalidArgument | tonic::Code::AlreadyExists | tonic::Code::PermissionDenied)
}

/// Whether a peer is away, or has no room for now.
fn asks_for_rest(status: &Status) -> bool {
    use tonic::Code::{Cancelled, DeadlineExceeded, ResourceExhausted, Unavailable};
    matches!(status.code(), Cancelled | DeadlineExceeded | ResourceExhausted | Unavailable)
}

fn timed<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(CALL_TIMEOUT);
    request
}

impl PeerLink {
    fn client(&self) -> PeerServiceClient<Channel> {
        let bytes = limits::REQUEST_BYTES_MAX;
        PeerServiceClient::new(self.channel.clone()).max_decoding_message_size(bytes).max_encoding_message_size(bytes)
    }

    /// Forwards batches and governance until `stop`; calls under way are given up then.
    pub(crate) async fn run_forwarding(self, stop: CancellationToken) {
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.forward_all() => {}
            () = self.announce_all() => {}
            () = self.probe_all() => {}
        }
    }

    /// Asks for nothing: a peer that goes away while nothing happens is noticed, and one that comes back.
    async fn probe_all(&self) {
        let mut tick = tokio::time::interval(PROBE_INTERVAL);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            let mut request = Request::new(AnnounceBatchesRequest::default());
            request.set_timeout(PROBE_TIMEOUT);
            let answer = self.client().announce_batches(request).await;
            self.report(answer.map(|_| ()));
        }
    }

    async fn forward_all(&self) {
        let mut queue = self.forwarder.queue.subscribe();
        // When this task stops, dropping the set ends its calls.
        let mut sending = JoinSet::new();
        loop {
            tokio::select! {
                forward = queue.recv(), if sending.len() < FORWARDS_IN_FLIGHT_MAX => match forward {
                    Ok(forward) => { sending.spawn(self.clone().send(forward)); }
                    Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Err(broadcast::error::RecvError::Closed) => return,
                },
                Some(_) = sending.join_next() => {}
            }
        }
    }

    async fn announce_all(&self) {
        let mut tick = tokio::time::interval(ANNOUNCE_INTERVAL);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut announced = Announced::default();
        loop {
            tick.tick().await;
            if let Err(status) = self.announce(&mut announced).await {
                self.report(Err(status));
                // The peer is full, busy or cannot be reached. After a pause, what waits is announced again.
                tokio::time::sleep(REFUSED_PAUSE).await;
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

    /// Offers what waits since the last announcement or longer, and sends what the peer lacks. What is younger is on its way
    /// from whoever took it in, or decided soon. A batch that the peer finds at fault is not sent to it again, and one that was
    /// sent only after a growing rest.
    async fn announce(&self, announced: &mut Announced) -> Result<(), Status> {
        announced.next_round();
        if let Some(message) = announced.governance(self.pool.governance()) {
            match self.send_governance(&message).await {
                // The message is refused or too early there. That is no reason to keep the batches back.
                Err(status) if !asks_for_rest(&status) => self.report(Err(status)),
                sent => sent?,
            }
            announced.sent(message.hash());
        }
        let mut hashes = announced.batches(self.pool.hashes());
        hashes.truncate(ANNOUNCED_MAX);
        if hashes.is_empty() {
            return Ok(());
        }
        let request = AnnounceBatchesRequest { header_hashes: hashes.iter().map(hash_bytes).collect() };
        let missing = self.client().announce_batches(timed(request)).await?.into_inner().missing_hashes;
        self.report(Ok(()));
        let wanted: HashSet<Hash> = missing.iter().filter_map(|hash| Hash::from_slice(hash)).collect();
        for hash in hashes.into_iter().filter(|hash| wanted.contains(hash)) {
            match self.send_batch(hash).await {
                Err(status) if is_final(&status) => {
                    self.report(Err(status));
                    announced.refused(hash);
                }
                sent => {
                    sent?;
                    announced.sent(hash);
                }
            }
        }
        Ok(())
    }

    /// Exchanges signature lines until `stop`. Fatal errors of the sealer end it.
    pub(crate) async fn run_sealing(self, stop: CancellationToken) -> Result<(), SealError> {
        tokio::select! {
            () = stop.cancelled() => Ok(()),
            ended = self.push_own() => ended,
            ended = self.exchange_again() => ended,
        }
    }

    /// Sends this node's lines as soon as there are new ones, whatever answers are still on their way: from a far peer
    /// they take longer than a height, and a seal would wait for them.
    async fn push_own(&self) -> Result<(), SealError> {
        let mut own = self.sealer.watch_own();
        let mut pushing = JoinSet::new();
        loop {
            tokio::select! {
                changed = own.changed(), if pushing.len() < PUSHES_IN_FLIGHT_MAX => {
                    if changed.is_err() {
                        return Ok(());
                    }
                    let link = self.clone();
                    pushing.spawn(async move { link.exchange().await });
                }
                Some(pushed) = pushing.join_next() => match pushed {
                    Ok(pushed) => pushed?,
                    Err(ended) if ended.is_panic() => std::panic::resume_unwind(ended.into_panic()),
                    Err(_) => {}
                }
            }
        }
    }

    /// Exchanges again what is not sealed yet.
    async fn exchange_again(&self) -> Result<(), SealError> {
        let mut again = tokio::time::interval(EXCHANGE_INTERVAL);
        again.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut last_sealed = None;
        loop {
            again.tick().await;
            let sealed = self.heights.sealed_height();
            let stands_still = last_sealed.replace(sealed) == Some(sealed);
            // Ask each peer at least once, because its answer says how far it is.
            let handover = self.sealer.open_handover()?;
            if self.heights.unsealed_heights() == 0 && handover.is_none() && self.forwarder.was_asked(self.id) {
                continue;
            }
            self.exchange().await?;
            if stands_still || handover.is_some() {
                self.pull().await?;
            }
        }
    }

    /// Asks the peer for all lines that it holds: of this node's tip, and of what the peer has sealed. So a line reaches this
    /// node although its own link to the signer is down. And of a handover that lacks its note: its signers may be gone, and the
    /// others have newer lines to send, and the note itself.
    pub(crate) async fn pull(&self) -> Result<(), SealError> {
        let handover = self.sealer.open_handover()?;
        for wanted in handover.into_iter().chain([self.heights.decided_height(), Height::ZERO]) {
            if handover != Some(wanted) && self.heights.unsealed_heights() == 0 {
                return Ok(());
            }
            let request = GetCosignaturesRequest { height: wanted.get() };
            let response = match self.client().get_cosignatures(timed(request)).await {
                Ok(response) => response.into_inner(),
                Err(status) => {
                    self.report(Err(status));
                    return Ok(());
                }
            };
            if handover == Some(wanted) && !response.note.is_empty() {
                self.accept_handover_note(wanted, &response.note)?;
            }
            let Some(id) = response.checkpoint else { continue };
            for lines in response.signatures.iter().take(limits::VALIDATORS_MAX) {
                let Some((height, checkpoint, validator, lines)) = read_lines(&self.origin, &id, lines) else {
                    self.complain("a peer sent malformed signature lines");
                    return Ok(());
                };
                let decided = height <= self.heights.decided_height();
                if decided && !self.sealer.has_lines(height, validator) {
                    self.accept_lines(height, &checkpoint, validator, lines)?;
                }
            }
        }
        Ok(())
    }

    fn accept_handover_note(&self, height: Height, note: &str) -> Result<(), SealError> {
        self.complain_of(tokio::task::block_in_place(|| self.sealer.accept_handover_note(height, note)))
    }

    /// What a peer sent is at fault: it is told of, and nothing more.
    fn complain_of(&self, taken: Result<(), SealError>) -> Result<(), SealError> {
        match taken {
            Err(error) if !error.is_fatal() => {
                self.complain(&error.to_string());
                Ok(())
            }
            taken => taken,
        }
    }

    fn accept_lines(
        &self,
        height: Height,
        checkpoint: &Checkpoint,
        validator: ValidatorId,
        lines: Vec<SignatureLine>,
    ) -> Result<(), SealError> {
        // Signatures are checked, and a seal that it completes is synced to disk.
        self.complain_of(tokio::task::block_in_place(|| self.sealer.accept_lines(height, checkpoint, validator, lines)))
    }

    async fn exchange(&self) -> Result<(), SealError> {
        let exchanged = self.exchange_lines().await;
        self.forwarder.note_asked(self.id);
        exchanged
    }

    async fn exchange_lines(&self) -> Result<(), SealError> {
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
        let read = read_lines(&self.origin, &id, &lines).filter(|(_, _, validator, _)| *validator == self.id);
        let Some((height, checkpoint, validator, lines)) = read else {
            self.complain("a peer sent malformed signature lines, or another's");
            return Ok(());
        };
        self.forwarder.note_signed(self.id, height);
        self.accept_lines(height, &checkpoint, validator, lines)
    }

    /// Notes whether the peer answers; says so when that changes. A refusal is a complaint.
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
            _ => {}
        }
        if let (Err(status), None) = (&outcome, down) {
            // Log the reason and not the message: the message has numbers that differ from call to call, so every call would be logged.
            let reason =
                Refusal::from_status(status).map_or_else(|| status.code().to_string(), |r| r.reason.to_string());
            self.complain(&format!("it refused a call: {reason}"));
        }
    }

    /// Says what is wrong with a peer, once until it is something else: calls go out several times a second.
    fn complain(&self, problem: &str) {
        let mut is_new = false;
        self.forwarder.note(self.id, |view| {
            is_new = view.complaint != problem;
            problem.clone_into(&mut view.complaint);
        });
        if is_new {
            tracing::info!(peer = %self.id, problem, "a peer and this node disagree");
        }
    }
}

#[cfg(test)]
mod tests;
