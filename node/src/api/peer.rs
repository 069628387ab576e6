//! `PeerService`: what the other validators hand over and ask for.

use std::sync::Arc;
use std::time::Duration;

use receipt_core::batch::SignedBatchHeader;
use receipt_core::governance::SignedGovernance;
use receipt_core::hash::Hash;
use receipt_core::ids::Height;
use receipt_core::limits;
use receipt_core::reason::Reason;
use tallystick_engine::{Incoming, LinkError, MemberId, Session};
use tallystick_proto::errors::{CallReason, Refusal};
use tallystick_proto::peer::v1::peer_service_server::PeerService;
use tallystick_proto::peer::v1::{
    AnnounceBatchesRequest, AnnounceBatchesResponse, ConverseRequest, ConverseResponse, ExchangeCosignaturesRequest,
    ExchangeCosignaturesResponse, FetchDecidedRequest, FetchDecidedResponse, ForwardBatchRequest, ForwardBatchResponse,
    ForwardGovernanceRequest, ForwardGovernanceResponse, GetCosignaturesRequest, GetCosignaturesResponse,
};
use tallystick_service::identity::PeerIdentity;
use tallystick_service::inflight::HeldByAnswer;
use tallystick_service::rng::random_array;
use tallystick_service::tls::ConnectionInfo;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::{Failure, Services, internal, invalid};
use crate::pool::Offered;
use crate::seal::SealError;
use crate::wire::{ANNOUNCED_MAX, checkpoint_id, hash_bytes, read_lines, signature_lines};

/// An answer to a node that is behind holds its room for so long: the asker gives up before.
const TAKEN_WITHIN: Duration = Duration::from_secs(15);

/// The engine's word on a link or request, for the peer.
fn refused(error: &LinkError) -> Status {
    let (field, problem) = ("frame", error.to_string());
    match error {
        LinkError::Stranger(_) | LinkError::Unsigned => {
            Refusal::new(CallReason::NotPermitted).with_message(problem).to_status()
        }
        LinkError::NotRunning | LinkError::SetsUnread | LinkError::Replaced => {
            Refusal::new(CallReason::NotReady).with_message(problem).to_status()
        }
        LinkError::Resting => Refusal::new(Reason::Overloaded).with_message(problem).to_status(),
        LinkError::OtherLanguage
        | LinkError::TooLarge(_)
        | LinkError::Malformed(_)
        | LinkError::OthersVote(_)
        | LinkError::OthersStatus => invalid(field, &problem),
    }
}

/// Which validator calls: nobody else gets here.
fn caller_of<T>(request: &Request<T>) -> MemberId {
    MemberId::new(request.extensions().get::<PeerIdentity>().map_or(0, |caller| caller.id))
}

/// Of the call's connection. A port of tests has no TLS, and so none.
fn session_of<T>(request: &Request<T>) -> Session {
    request.extensions().get::<ConnectionInfo>().map_or([0; 32], |connection| connection.session)
}

/// Hands on what a peer says until the link ends; why, if the peer is there to hear it.
async fn hear(mut incoming: Incoming, mut frames: Streaming<ConverseRequest>) -> Option<Status> {
    loop {
        let over = incoming.over();
        let message = tokio::select! {
            why = over => return Some(refused(&why)),
            message = frames.message() => message,
        };
        let taken = match message {
            Ok(Some(message)) => incoming.receive(message.frame).await,
            // It has ended the link, or its connection is gone.
            Ok(None) | Err(_) => return None,
        };
        if let Err(error) = taken {
            return Some(refused(&error));
        }
    }
}

impl From<SealError> for Failure {
    fn from(error: SealError) -> Self {
        if error.is_fatal() { Self::Fatal(error.into()) } else { invalid("own.lines", &error.to_string()).into() }
    }
}

#[tonic::async_trait]
impl PeerService for Services {
    type ConverseStream = ReceiverStream<Result<ConverseResponse, Status>>;

    async fn converse(
        &self,
        request: Request<Streaming<ConverseRequest>>,
    ) -> Result<Response<Self::ConverseStream>, Status> {
        let (peer, session) = (caller_of(&request), session_of(&request));
        // Of others nothing is read.
        self.network.check_peer(peer).map_err(|error| refused(&error))?;
        let mut frames = request.into_inner();
        // Until it comes, the call is one that has no answer, and is cut as such.
        let hello = frames.message().await?.ok_or_else(|| invalid("frame", "a link begins with a hello"))?;
        let incoming = self.network.open(peer, &hello.frame, &session).map_err(|error| refused(&error))?;
        let (sender, receiver) = mpsc::channel(1);
        let stop = self.stop.clone();
        tokio::spawn(async move {
            let why = tokio::select! {
                why = hear(incoming, frames) => why,
                () = stop.cancelled() => Some(Refusal::new(CallReason::ShuttingDown).to_status()),
                // The caller is gone, or its certificate has ended.
                () = sender.closed() => return,
            };
            if let Some(why) = why {
                // An error: the peer has gone and nobody reads the reason.
                let _ = sender.send(Err(why)).await;
            }
        });
        Ok(Response::new(ReceiverStream::new(receiver)))
    }

    async fn fetch_decided(
        &self,
        request: Request<FetchDecidedRequest>,
    ) -> Result<Response<FetchDecidedResponse>, Status> {
        let peer = caller_of(&request);
        // Who gets no answer waits for no room, and takes none.
        let heights = self.network.requested(peer, &request.get_ref().request).map_err(|error| refused(&error))?;
        let (response, room) = self.decided(request.extensions().get::<PeerIdentity>(), heights).await?;
        let mut answer = Response::new(FetchDecidedResponse { response });
        answer.extensions_mut().insert(HeldByAnswer::new(room, TAKEN_WITHIN));
        Ok(answer)
    }

    async fn announce_batches(
        &self,
        request: Request<AnnounceBatchesRequest>,
    ) -> Result<Response<AnnounceBatchesResponse>, Status> {
        let announced = request.into_inner().header_hashes;
        if announced.len() > ANNOUNCED_MAX {
            return Err(invalid("header_hashes", "at most 1,024 hashes"));
        }
        let hashes: Option<Vec<Hash>> = announced.iter().map(|hash| Hash::from_slice(hash)).collect();
        let hashes = hashes.ok_or_else(|| invalid("header_hashes", "each must have 32 bytes"))?;
        let missing = hashes.into_iter().filter(|hash| !self.pool.knows(*hash));
        Ok(Response::new(AnnounceBatchesResponse { missing_hashes: missing.map(|hash| hash_bytes(&hash)).collect() }))
    }

    async fn forward_batch(
        &self,
        request: Request<ForwardBatchRequest>,
    ) -> Result<Response<ForwardBatchResponse>, Status> {
        let request = request.into_inner();
        if self.disk.is_low() {
            return Err(Refusal::new(CallReason::DiskLow).to_status());
        }
        if request.records.len() > limits::BATCH_RECORDS_MAX {
            return Err(invalid("records", "a batch has at most 4,096 records"));
        }
        let header =
            SignedBatchHeader::decode(&request.signed_header).map_err(|reason| Refusal::new(reason).to_status())?;
        let records = request.records.into_iter().map(Vec::from).collect();
        let entropy = random_array(self.entropy.as_ref()).map_err(internal)?;
        let pool = Arc::clone(&self.pool);
        let offered = self.blocking(move || Ok(pool.offer(header, records, entropy)?)).await?;
        // One that is early here may be ripe there: between nodes it is no refusal.
        let known = !matches!(offered, Offered::Pooled { known: false } | Offered::Early { known: false, .. });
        Ok(Response::new(ForwardBatchResponse { known }))
    }

    async fn forward_governance(
        &self,
        request: Request<ForwardGovernanceRequest>,
    ) -> Result<Response<ForwardGovernanceResponse>, Status> {
        let message = SignedGovernance::decode(&request.into_inner().signed_governance)
            .map_err(|error| invalid("signed_governance", &error.to_string()))?;
        let pool = Arc::clone(&self.pool);
        let known = self.blocking(move || Ok(pool.offer_governance(message)?)).await?;
        Ok(Response::new(ForwardGovernanceResponse { known }))
    }

    async fn exchange_cosignatures(
        &self,
        request: Request<ExchangeCosignaturesRequest>,
    ) -> Result<Response<ExchangeCosignaturesResponse>, Status> {
        let caller = request.extensions().get::<PeerIdentity>().map(|caller| caller.id);
        let request = request.into_inner();
        if let (Some(id), Some(own)) = (&request.checkpoint, &request.own) {
            let read = read_lines(&self.ledger.genesis.origin, id, own);
            let (height, checkpoint, validator, lines) = read.ok_or_else(|| invalid("own", "malformed lines"))?;
            if caller != Some(validator.get()) {
                return Err(invalid("own.validator_id", "a validator gives its own lines only"));
            }
            let sealer = Arc::clone(&self.sealer);
            self.blocking(move || Ok(sealer.accept_lines(height, &checkpoint, validator, lines)?)).await?;
        }
        let own = self.sealer.own_lines();
        Ok(Response::new(ExchangeCosignaturesResponse {
            checkpoint: own.as_ref().map(|own| checkpoint_id(own.height, &own.checkpoint)),
            own: own.as_ref().map(|own| signature_lines(self.sealer.validator_id(), &own.lines)),
        }))
    }

    async fn get_cosignatures(
        &self,
        request: Request<GetCosignaturesRequest>,
    ) -> Result<Response<GetCosignaturesResponse>, Status> {
        let height = match request.into_inner().height {
            0 => self.heights.sealed_height(),
            height => Height::new(height),
        };
        let sealer = Arc::clone(&self.sealer);
        let read = move || Ok((sealer.lines_of(height)?, sealer.handover_note(height)?));
        let (held, note) = self.blocking(read).await?;
        let note = note.unwrap_or_default();
        let Some((checkpoint, lines)) = held else {
            return Ok(Response::new(GetCosignaturesResponse { note, ..GetCosignaturesResponse::default() }));
        };
        Ok(Response::new(GetCosignaturesResponse {
            checkpoint: Some(checkpoint_id(height, &checkpoint)),
            signatures: lines.iter().map(|(id, lines)| signature_lines(*id, lines)).collect(),
            note,
        }))
    }
}
