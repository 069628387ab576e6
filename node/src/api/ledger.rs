//! `LedgerService`: batches in, blocks and proofs out.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use prost::Message as _;
use receipt_core::batch::SignedBatchHeader;
use receipt_core::ids::Height;
use receipt_core::limits;
use receipt_core::reason::Reason;
use tallystick_proto::errors::{CallReason, Refusal};
use tallystick_proto::ledger::v1::ledger_service_server::LedgerService;
use tallystick_proto::ledger::v1::{
    GetBlockRequest, GetCheckpointRequest, GetCheckpointResponse, GetConsistencyProofRequest,
    GetConsistencyProofResponse, GetInclusionProofRequest, GetInclusionProofResponse, GetReceiptStateRequest,
    GetReceiptStateResponse, LedgerBlock, StreamBlocksRequest, SubmitBatchRequest, SubmitBatchResponse, SubmitOutcome,
};
use tallystick_service::callers::Place;
use tallystick_service::identity::{PeerIdentity, Role};
use tallystick_service::inflight::HeldByAnswer;
use tallystick_service::rng::random_array;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::{BLOCK_MESSAGE_BYTES_MAX, Failure, Services, internal, invalid, not_found};
use crate::pool::Offered;
use crate::store::StoreError;
use crate::wire::hash_bytes;

/// Blocks read ahead of a slow reader.
const STREAM_BUFFER: usize = 1;
const RETRY_AFTER_MS: u64 = 200;
/// A block that is read for a caller holds its room for so long; then the call is cut.
const READ_WITHIN: Duration = Duration::from_secs(60);

type BlockStream = Pin<Box<dyn Stream<Item = Result<LedgerBlock, Status>> + Send>>;

#[tonic::async_trait]
impl LedgerService for Services {
    async fn submit_batch(
        &self,
        request: Request<SubmitBatchRequest>,
    ) -> Result<Response<SubmitBatchResponse>, Status> {
        let services = self.clone();
        let caller = request.extensions().get::<PeerIdentity>().cloned();
        let response = self.blocking(move || services.accept_batch(request.into_inner(), caller.as_ref())).await?;
        Ok(Response::new(response))
    }

    async fn get_block(&self, request: Request<GetBlockRequest>) -> Result<Response<LedgerBlock>, Status> {
        let place =
            self.read_bytes.try_acquire_many(request.extensions().get::<PeerIdentity>(), BLOCK_MESSAGE_BYTES_MAX);
        let mut place = place.ok_or_else(|| {
            let refusal = Refusal::new(Reason::Overloaded).with_retry_after_ms(RETRY_AFTER_MS);
            let problem = "too many bytes of blocks are read for this caller, or for all, and not taken by them";
            refusal.with_message(problem).to_status()
        })?;
        let GetBlockRequest { height, with_records } = request.into_inner();
        let missing = move || not_found(format!("height {height} is not decided"));
        let read =
            move |node: &Self| node.ledger_block(Height::new(height), with_records)?.ok_or_else(|| missing().into());
        let mut answer = self.read(read).await?;
        place.keep(answer.get_ref().encoded_len());
        answer.extensions_mut().insert(HeldByAnswer::new(place, READ_WITHIN));
        Ok(answer)
    }

    type StreamBlocksStream = BlockStream;

    async fn stream_blocks(
        &self,
        request: Request<StreamBlocksRequest>,
    ) -> Result<Response<Self::StreamBlocksStream>, Status> {
        let caller = request.extensions().get::<PeerIdentity>().cloned();
        let request = request.into_inner();
        let busy = || Refusal::new(Reason::Overloaded).with_message("too many block streams; try another node");
        let place = self.block_streams.try_acquire(caller.as_ref()).ok_or_else(|| busy().to_status())?;
        let (sender, receiver) = tokio::sync::mpsc::channel(STREAM_BUFFER + 1);
        // Reserve one place for an error: a stream that ends without one means "complete", also to a reader whose buffer is full.
        let last_word = sender.clone().reserve_owned().await.map_err(internal)?;
        let services = self.clone();
        tokio::spawn(async move {
            let sent = tokio::select! {
                sent = services.send_blocks(request, caller.as_ref(), &sender) => sent,
                () = services.stop.cancelled() => Err(Refusal::new(CallReason::ShuttingDown).to_status()),
            };
            if let Err(status) = sent {
                last_word.send(Err(status));
            }
            drop(place);
        });
        Ok(Response::new(Box::pin(Blocks { read: ReceiverStream::new(receiver), leaving: None })))
    }

    async fn get_inclusion_proof(
        &self,
        request: Request<GetInclusionProofRequest>,
    ) -> Result<Response<GetInclusionProofResponse>, Status> {
        let request = request.into_inner();
        self.read(move |node| node.inclusion_proof(&request)).await
    }

    async fn get_consistency_proof(
        &self,
        request: Request<GetConsistencyProofRequest>,
    ) -> Result<Response<GetConsistencyProofResponse>, Status> {
        let request = request.into_inner();
        self.read(move |node| node.consistency_proof(&request)).await
    }

    async fn get_checkpoint(
        &self,
        _: Request<GetCheckpointRequest>,
    ) -> Result<Response<GetCheckpointResponse>, Status> {
        self.read(Services::checkpoint).await
    }

    async fn get_receipt_state(
        &self,
        request: Request<GetReceiptStateRequest>,
    ) -> Result<Response<GetReceiptStateResponse>, Status> {
        let caller = request.extensions().get::<PeerIdentity>().cloned();
        let request = request.into_inner();
        self.read(move |node| node.receipt_state(&request, caller.as_ref())).await
    }
}

impl Services {
    fn accept_batch(
        &self,
        request: SubmitBatchRequest,
        caller: Option<&PeerIdentity>,
    ) -> Result<SubmitBatchResponse, Failure> {
        if self.disk.is_low() {
            return Err(Refusal::new(CallReason::DiskLow).to_status().into());
        }
        if request.records.len() > limits::BATCH_RECORDS_MAX {
            return Err(invalid("records", "a batch has at most 4,096 records").into());
        }
        let header = SignedBatchHeader::decode(&request.signed_header)
            .map_err(|reason| Refusal::new(reason).with_message("signed_header is not a batch header").to_status())?;
        let issuer = header.header.issuer;
        if !caller.is_some_and(|caller| caller.role == Role::Issuer && caller.id == issuer.get()) {
            let refusal = Refusal::new(CallReason::NotPermitted);
            return Err(refusal.with_message("an issuer submits its own batches only").to_status().into());
        }
        let header_hash = header.header_hash();
        let records = request.records.into_iter().map(Vec::from).collect();
        let entropy = random_array(self.entropy.as_ref()).map_err(internal)?;
        let offered = self.pool.offer(header, records, entropy)?;
        if matches!(offered, Offered::Pooled { known: false } | Offered::Early { known: false, .. }) {
            self.forwarder.forward(header_hash);
        }
        if let Offered::Early { wait_ms, .. } = offered {
            let seconds = wait_ms.div_ceil(1000);
            let message =
                format!("the batch is kept, and no block may carry it for {seconds} s: its last issue time lies ahead");
            return Err(Refusal::new(Reason::TooEarly)
                .with_message(message)
                .with_retry_after_ms(wait_ms)
                .to_status()
                .into());
        }
        let next_sequence = self.pool.issuer(issuer)?.map_or(0, |state| state.next_sequence);
        let mut response = SubmitBatchResponse {
            outcome: SubmitOutcome::Pooled.into(),
            header_hash: hash_bytes(&header_hash),
            leaf_index: 0,
            block_height: 0,
            next_sequence,
        };
        if let Offered::Decided { refused, leaf_index } = offered {
            let outcome = if refused { SubmitOutcome::Refused } else { SubmitOutcome::Included };
            let height = self.ledger.store.height_of_leaf(leaf_index)?;
            response.outcome = outcome.into();
            response.leaf_index = leaf_index.get();
            response.block_height = height.map_or(0, Height::get);
        }
        Ok(response)
    }

    /// One block as the API shows it; `None` while it is not decided.
    fn ledger_block(&self, height: Height, with_records: bool) -> Result<Option<LedgerBlock>, StoreError> {
        crate::view::ledger_block(&self.ledger.store, height, with_records)
    }

    /// One block of a stream, once there is room for it among what this caller and all others have read.
    async fn read_block(
        &self,
        height: Height,
        with_records: bool,
        caller: Option<&PeerIdentity>,
    ) -> Result<ReadBlock, Status> {
        let mut place = self.read_bytes.acquire_many(caller, BLOCK_MESSAGE_BYTES_MAX).await;
        let services = self.clone();
        let read = move || {
            let block = services.ledger_block(height, with_records)?;
            Ok(block.ok_or_else(|| StoreError::corrupt("a sealed height is missing"))?)
        };
        let block = self.blocking(read).await?;
        place.keep(block.encoded_len());
        Ok(ReadBlock { block, place })
    }

    async fn send_blocks(
        &self,
        request: StreamBlocksRequest,
        caller: Option<&PeerIdentity>,
        sender: &tokio::sync::mpsc::Sender<Result<ReadBlock, Status>>,
    ) -> Result<(), Status> {
        let mut sealed = self.heights.watch_sealed();
        let mut height = request.from_height;
        loop {
            let newest = sealed.borrow_and_update().get();
            while height <= newest {
                let reading = async {
                    let block = self.read_block(Height::new(height), request.with_records, caller).await?;
                    // `false` if the receiver has gone: nobody reads any more.
                    Ok::<_, Status>(sender.send(Ok(block)).await.is_ok())
                };
                match tokio::time::timeout(self.reader_patience, reading).await {
                    Ok(Ok(true)) => {}
                    Ok(Ok(false)) => return Ok(()),
                    Ok(Err(status)) => return Err(status),
                    Err(_) => {
                        let refusal = Refusal::new(Reason::Overloaded);
                        let message = format!(
                            "for too long nobody took what was read for this caller; go on from height {height}"
                        );
                        return Err(refusal.with_message(message).to_status());
                    }
                }
                height += 1;
            }
            if !request.follow {
                return Ok(());
            }
            tokio::select! {
                changed = sealed.changed() => if changed.is_err() { return Ok(()) },
                () = sender.closed() => return Ok(()),
            }
        }
    }
}

/// A block on its way to a reader, and its bytes among all that are.
struct ReadBlock {
    block: LedgerBlock,
    place: Place,
}

/// The blocks of a stream. The bytes of one count until the transport asks for the next: then it has sent the one before.
struct Blocks {
    read: ReceiverStream<Result<ReadBlock, Status>>,
    leaving: Option<Place>,
}

impl Stream for Blocks {
    type Item = Result<LedgerBlock, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.leaving = None;
        Pin::new(&mut self.read).poll_next(cx).map(|next| {
            Some(next?.map(|ReadBlock { block, place }| {
                self.leaving = Some(place);
                block
            }))
        })
    }
}
