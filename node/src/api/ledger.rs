//! `LedgerService`: batches in, blocks and proofs out.

use std::pin::Pin;

use bytes::Bytes;
use receipt_core::batch::SignedBatchHeader;
use receipt_core::hash::Hash;
use receipt_core::ids::{Height, LeafIndex, ReceiptCode, ReceiptKey, ReceiptNumber, TreeSize};
use receipt_core::limits;
use receipt_core::merkle::{consistency_path, inclusion_path};
use receipt_core::state::tables::{ReceiptState, Table, receipt_key_bytes};
use receipt_core::state::{StateRead as _, StatusNodes};
use receipt_core::status::StatusMap;
use tallystick_proto::errors::{CallReason, Refusal};
use tallystick_proto::ledger::v1::ledger_service_server::LedgerService;
use tallystick_proto::ledger::v1::{
    GetBlockRequest, GetCheckpointRequest, GetCheckpointResponse, GetConsistencyProofRequest,
    GetConsistencyProofResponse, GetInclusionProofRequest, GetInclusionProofResponse, GetReceiptStateRequest,
    GetReceiptStateResponse, LedgerBlock, StreamBlocksRequest, SubmitBatchRequest, SubmitBatchResponse, SubmitOutcome,
    get_receipt_state_request::Selector,
};
use tallystick_service::identity::{PeerIdentity, Role};
use tallystick_service::rng::random_array;
use tokio_stream::Stream;
use tonic::{Request, Response, Status};

use super::{Services, blocking, hash_bytes, internal, invalid, not_found, not_sealed_yet, pool_status};
use crate::pool::Offered;
use crate::store::StoreError;

/// Blocks read ahead of a slow reader.
const STREAM_BUFFER: usize = 4;

type BlockStream = Pin<Box<dyn Stream<Item = Result<LedgerBlock, Status>> + Send>>;

fn hashes(path: &[Hash]) -> Vec<Bytes> {
    path.iter().map(hash_bytes).collect()
}

#[tonic::async_trait]
impl LedgerService for Services {
    async fn submit_batch(
        &self,
        request: Request<SubmitBatchRequest>,
    ) -> Result<Response<SubmitBatchResponse>, Status> {
        let services = self.clone();
        let caller = request.extensions().get::<PeerIdentity>().cloned();
        let response = blocking(move || services.take_batch(request.into_inner(), caller.as_ref())).await?;
        Ok(Response::new(response))
    }

    async fn get_block(&self, request: Request<GetBlockRequest>) -> Result<Response<LedgerBlock>, Status> {
        let request = request.into_inner();
        let block = self.ledger_block(Height::new(request.height), request.with_records)?;
        Ok(Response::new(block.ok_or_else(|| not_found(format!("height {} is not decided", request.height)))?))
    }

    type StreamBlocksStream = BlockStream;

    async fn stream_blocks(
        &self,
        request: Request<StreamBlocksRequest>,
    ) -> Result<Response<Self::StreamBlocksStream>, Status> {
        let request = request.into_inner();
        let (sender, receiver) = tokio::sync::mpsc::channel(STREAM_BUFFER);
        let services = self.clone();
        tokio::spawn(async move {
            let sent = tokio::select! {
                sent = services.send_blocks(request, &sender) => sent,
                () = services.stop.cancelled() => Err(Refusal::new(CallReason::ShuttingDown).to_status()),
            };
            if let Err(status) = sent {
                // The reader may be gone already. A slow one must hear of it too: an end without an error means "complete".
                let _ = sender.send(Err(status)).await;
            }
        });
        Ok(Response::new(Box::pin(tokio_stream::wrappers::ReceiverStream::new(receiver))))
    }

    async fn get_inclusion_proof(
        &self,
        request: Request<GetInclusionProofRequest>,
    ) -> Result<Response<GetInclusionProofResponse>, Status> {
        let request = request.into_inner();
        let (size, checkpoint) = self.sealed_size(request.tree_size)?;
        if request.leaf_index >= size.get() {
            return Err(not_found(format!("leaf {} is not under the tree of size {size}", request.leaf_index)));
        }
        let path = inclusion_path(&self.ledger.store, LeafIndex::new(request.leaf_index), size).map_err(internal)?;
        Ok(Response::new(GetInclusionProofResponse {
            leaf_index: request.leaf_index,
            tree_size: size.get(),
            path: hashes(&path),
            checkpoint,
        }))
    }

    async fn get_consistency_proof(
        &self,
        request: Request<GetConsistencyProofRequest>,
    ) -> Result<Response<GetConsistencyProofResponse>, Status> {
        let request = request.into_inner();
        let (second, checkpoint) = self.sealed_size(request.second_size)?;
        if request.first_size == 0 || request.first_size > second.get() {
            return Err(invalid("first_size", "must be at least 1 and at most second_size"));
        }
        let first = TreeSize::new(request.first_size);
        let path = consistency_path(&self.ledger.store, first, second).map_err(internal)?;
        Ok(Response::new(GetConsistencyProofResponse {
            first_size: first.get(),
            second_size: second.get(),
            path: hashes(&path),
            checkpoint,
        }))
    }

    async fn get_checkpoint(
        &self,
        _: Request<GetCheckpointRequest>,
    ) -> Result<Response<GetCheckpointResponse>, Status> {
        let tip = self.sealed_tip().map_err(internal)?.ok_or_else(not_sealed_yet)?;
        Ok(Response::new(GetCheckpointResponse {
            checkpoint: tip.note,
            height: tip.height.get(),
            tree_size: tip.tree_size,
            seal: tip.seal_entry.into(),
            seal_path: tip.seal_path,
        }))
    }

    async fn get_receipt_state(
        &self,
        request: Request<GetReceiptStateRequest>,
    ) -> Result<Response<GetReceiptStateResponse>, Status> {
        let selector = request.into_inner().selector.ok_or_else(|| invalid("selector", "must be set"))?;
        let key = self.status_key(selector)?;
        let tip = self.sealed_tip().map_err(internal)?.ok_or_else(not_sealed_yet)?;
        let (proof, value) = self.status_proof(tip.height, key).map_err(internal)?;
        let (salt, status) = value.split_at_checked(16).unwrap_or_default();
        Ok(Response::new(GetReceiptStateResponse {
            checkpoint: tip.note,
            height: tip.height.get(),
            seal: tip.seal_entry.into(),
            seal_path: tip.seal_path,
            status_key: hash_bytes(&key),
            status_proof: proof.into(),
            status: Bytes::copy_from_slice(status),
            salt: Bytes::copy_from_slice(salt),
        }))
    }
}

impl Services {
    fn take_batch(
        &self,
        request: SubmitBatchRequest,
        caller: Option<&PeerIdentity>,
    ) -> Result<SubmitBatchResponse, Status> {
        if self.disk.is_low() {
            return Err(Refusal::new(CallReason::DiskLow).to_status());
        }
        if request.records.len() > limits::BATCH_RECORDS_MAX {
            return Err(invalid("records", "a batch has at most 4,096 records"));
        }
        let header = SignedBatchHeader::decode(&request.signed_header)
            .map_err(|reason| Refusal::new(reason).with_message("signed_header is not a batch header").to_status())?;
        let issuer = header.header.issuer;
        if !caller.is_some_and(|caller| caller.role == Role::Issuer && caller.id == issuer.get()) {
            let refusal = Refusal::new(CallReason::NotPermitted);
            return Err(refusal.with_message("an issuer submits its own batches only").to_status());
        }
        let header_hash = header.header_hash();
        let records = request.records.into_iter().map(Vec::from).collect();
        let entropy = random_array(self.entropy.as_ref()).map_err(internal)?;
        let offered = self.pool.offer(header, records, entropy).map_err(pool_status)?;
        if offered == (Offered::Pooled { known: false }) {
            self.forwarder.forward(header_hash);
        }
        let next_sequence = self.pool.issuer(issuer).map_err(internal)?.map_or(0, |state| state.next_sequence);
        let mut response = SubmitBatchResponse {
            outcome: SubmitOutcome::Pooled.into(),
            header_hash: hash_bytes(&header_hash),
            leaf_index: 0,
            block_height: 0,
            next_sequence,
        };
        if let Offered::Decided { refused, leaf_index } = offered {
            let outcome = if refused { SubmitOutcome::Refused } else { SubmitOutcome::Included };
            let height = self.ledger.store.height_of_leaf(leaf_index).map_err(internal)?;
            response.outcome = outcome.into();
            response.leaf_index = leaf_index.get();
            response.block_height = height.map_or(0, Height::get);
        }
        Ok(response)
    }

    /// One block as the API shows it; `None` while it is not decided.
    fn ledger_block(&self, height: Height, with_records: bool) -> Result<Option<LedgerBlock>, Status> {
        crate::view::ledger_block(&self.ledger.store, height, with_records).map_err(internal)
    }

    async fn send_blocks(
        &self,
        request: StreamBlocksRequest,
        sender: &tokio::sync::mpsc::Sender<Result<LedgerBlock, Status>>,
    ) -> Result<(), Status> {
        let mut sealed = self.progress.watch_sealed();
        let mut height = request.from_height;
        loop {
            let newest = sealed.borrow_and_update().get();
            while height <= newest {
                let services = self.clone();
                let at = Height::new(height);
                let block = blocking(move || services.ledger_block(at, request.with_records)).await?;
                let block = block.ok_or_else(|| internal("a sealed height is missing"))?;
                if sender.send(Ok(block)).await.is_err() {
                    return Ok(());
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

    /// A sealed tree size and its note; 0 asks for the newest.
    fn sealed_size(&self, size: u64) -> Result<(TreeSize, String), Status> {
        let store = &self.ledger.store;
        if size == 0 {
            let tip = self.sealed_tip().map_err(internal)?.ok_or_else(not_sealed_yet)?;
            return Ok((TreeSize::new(tip.tree_size), tip.note));
        }
        let size = TreeSize::new(size);
        let missing = || not_found(format!("no checkpoint of size {size} was sealed here"));
        let height = store.height_of_size(size).map_err(internal)?.ok_or_else(missing)?;
        let note = store.checkpoint(height).map_err(internal)?.ok_or_else(missing)?;
        Ok((size, note))
    }

    fn status_key(&self, selector: Selector) -> Result<Hash, Status> {
        match selector {
            Selector::StatusKey(key) => {
                Hash::from_slice(&key).ok_or_else(|| invalid("status_key", "must have 32 bytes"))
            }
            Selector::Key(key) => {
                let code = ReceiptCode::parse(&key.receipt_code);
                let number = ReceiptNumber::parse(&key.receipt_number);
                let code = code.map_err(|error| invalid("key.receipt_code", error.problem))?;
                let number = number.map_err(|error| invalid("key.receipt_number", error.problem))?;
                let key = receipt_key_bytes(ReceiptKey { code, number });
                let bytes = self.ledger.store.get(Table::Receipts, &key).map_err(internal)?;
                let unknown = || not_found("no receipt with this code and number is on the ledger");
                Ok(ReceiptState::decode(&bytes.ok_or_else(unknown)?).map_err(internal)?.status_key)
            }
        }
    }

    /// Proof as of a height, and the salted status if the map has the key then.
    fn status_proof(&self, height: Height, key: Hash) -> Result<(Vec<u8>, Vec<u8>), StoreError> {
        let range = self.ledger.store.height_range(height)?;
        let range = range.ok_or_else(|| StoreError::Corrupt("a sealed height is missing".into()))?;
        let reader = StatusNodes(&self.ledger.store);
        let lookup = StatusMap::at(&reader, range.status_version).prove(&key);
        let lookup = lookup.map_err(|error| StoreError::Corrupt(error.to_string()))?;
        let value = match lookup.value {
            None => Vec::new(),
            Some(_) => self.ledger.store.get(Table::Statuses, key.as_bytes())?.unwrap_or_default(),
        };
        Ok((lookup.proof.encode(), value))
    }
}
