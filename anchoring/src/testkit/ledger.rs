//! One node of a ledger in memory: takes batches into blocks at once, and serves proofs of what it took.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use receipt_core::block::Item;
use receipt_core::governance::Action;
use receipt_core::hash::Hash;
use receipt_core::state::StatusValue;
use receipt_core::testkit::TestChain;
use tallystick_proto::ledger::v1 as wire;
use tallystick_proto::ledger::v1::ledger_service_server::{LedgerService, LedgerServiceServer};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Response, Status};

use super::{ledger_block, offered};

/// The node. Blocks are sealed as soon as they are decided.
#[derive(Clone)]
pub struct FakeLedger {
    /// What it has decided.
    pub chain: Arc<Mutex<TestChain>>,
    height: watch::Sender<u64>,
    seals_tips_only: bool,
    status_fault: Option<StatusFault>,
}

/// What is wrong with what a node says of the status map.
#[derive(Clone)]
pub enum StatusFault {
    /// It repeats its first answer for a key for ever.
    Repeats(Arc<Mutex<HashMap<Bytes, wire::GetReceiptStateResponse>>>),
    /// Its proofs do not hold.
    Forged,
}

impl FakeLedger {
    /// Of this chain.
    pub fn new(chain: TestChain) -> Self {
        let height = watch::channel(chain.height().get()).0;
        Self { chain: Arc::new(Mutex::new(chain)), height, seals_tips_only: false, status_fault: None }
    }

    /// After an outage of the seals: of all blocks that it has, only the newest has a checkpoint.
    pub fn sealing_tips_only(chain: TestChain) -> Self {
        Self { seals_tips_only: true, ..Self::new(chain) }
    }

    /// Another node of the same ledger.
    pub fn with_status_fault(&self, fault: StatusFault) -> Self {
        Self { status_fault: Some(fault), ..self.clone() }
    }

    /// Tells the streams of blocks that were decided behind its back.
    pub fn refresh(&self) {
        let height = self.chain.lock().unwrap().height().get();
        self.height.send_replace(height);
    }

    /// Decides a block with these registry changes.
    pub fn govern(&self, actions: Vec<Action>) -> u64 {
        let mut chain = self.chain.lock().unwrap();
        let governance = chain.governance(actions);
        let height = chain.add_items(vec![Item::Governance(governance)]).unwrap().get();
        self.height.send_replace(height);
        height
    }

    fn block(&self, height: u64) -> wire::LedgerBlock {
        let chain = self.chain.lock().unwrap();
        let mut block = ledger_block(&chain, height);
        if self.seals_tips_only {
            block.checkpoint.clone_from(&chain.blocks().last().unwrap().checkpoint);
            block.checkpoint_height = chain.height().get();
        }
        block
    }

    /// Serves on a port of its own and connects to it.
    pub async fn serve(&self) -> Channel {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let service = LedgerServiceServer::new(self.clone()).max_decoding_message_size(8 << 20);
        let server = tonic::transport::Server::builder().add_service(service);
        tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
        Endpoint::from_shared(format!("http://{address}")).unwrap().connect_lazy()
    }

    fn checkpoint(chain: &TestChain) -> (String, u64, Vec<u8>, Vec<Bytes>) {
        let block = chain.blocks().last().unwrap();
        let path = chain.log().inclusion(block.log_size - 1, block.log_size);
        (block.checkpoint.clone(), block.log_size, block.entries.last().unwrap().clone(), bytes_of(path))
    }
}

fn bytes_of(path: Vec<Hash>) -> Vec<Bytes> {
    path.into_iter().map(|hash| Bytes::copy_from_slice(hash.as_bytes())).collect()
}

/// A channel to nobody.
pub fn dead_channel() -> Channel {
    Endpoint::from_static("http://127.0.0.1:1").connect_timeout(Duration::from_millis(200)).connect_lazy()
}

#[tonic::async_trait]
impl LedgerService for FakeLedger {
    async fn submit_batch(
        &self,
        request: Request<wire::SubmitBatchRequest>,
    ) -> Result<Response<wire::SubmitBatchResponse>, Status> {
        let mut chain = self.chain.lock().unwrap();
        // A batch that does not apply (offered again, or not the next) waits in no pool here.
        if chain.add_items(vec![offered(request.get_ref())]).is_ok() {
            self.height.send_replace(chain.height().get());
        }
        let mut response = wire::SubmitBatchResponse::default();
        response.set_outcome(wire::SubmitOutcome::Pooled);
        Ok(Response::new(response))
    }

    async fn get_block(&self, _: Request<wire::GetBlockRequest>) -> Result<Response<wire::LedgerBlock>, Status> {
        Err(Status::unimplemented("not needed"))
    }

    type StreamBlocksStream = ReceiverStream<Result<wire::LedgerBlock, Status>>;

    async fn stream_blocks(
        &self,
        request: Request<wire::StreamBlocksRequest>,
    ) -> Result<Response<Self::StreamBlocksStream>, Status> {
        let (sender, receiver) = mpsc::channel(16);
        let (this, mut next) = (self.clone(), request.get_ref().from_height);
        tokio::spawn(async move {
            let mut height = this.height.subscribe();
            loop {
                let tip = *height.borrow_and_update();
                while next <= tip {
                    let block = this.block(next);
                    if sender.send(Ok(block)).await.is_err() {
                        return;
                    }
                    next += 1;
                }
                if height.changed().await.is_err() {
                    return;
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(receiver)))
    }

    async fn get_inclusion_proof(
        &self,
        request: Request<wire::GetInclusionProofRequest>,
    ) -> Result<Response<wire::GetInclusionProofResponse>, Status> {
        let chain = self.chain.lock().unwrap();
        let (leaf_index, size) = (request.get_ref().leaf_index, request.get_ref().tree_size);
        let sealed = chain.blocks().iter().rev().find(|block| size == 0 || block.log_size == size);
        let block = sealed.ok_or_else(|| Status::not_found("no such tree"))?;
        Ok(Response::new(wire::GetInclusionProofResponse {
            leaf_index,
            tree_size: block.log_size,
            path: bytes_of(chain.log().inclusion(leaf_index, block.log_size)),
            checkpoint: block.checkpoint.clone(),
        }))
    }

    async fn get_consistency_proof(
        &self,
        request: Request<wire::GetConsistencyProofRequest>,
    ) -> Result<Response<wire::GetConsistencyProofResponse>, Status> {
        let (first_size, second_size) = (request.get_ref().first_size, request.get_ref().second_size);
        let chain = self.chain.lock().unwrap();
        let sealed = chain.blocks().iter().find(|block| block.log_size == second_size);
        let checkpoint = sealed.ok_or_else(|| Status::not_found("no such tree"))?.checkpoint.clone();
        let path = bytes_of(chain.log().consistency(first_size, second_size));
        Ok(Response::new(wire::GetConsistencyProofResponse { first_size, second_size, path, checkpoint }))
    }

    async fn get_checkpoint(
        &self,
        _: Request<wire::GetCheckpointRequest>,
    ) -> Result<Response<wire::GetCheckpointResponse>, Status> {
        let chain = self.chain.lock().unwrap();
        let (checkpoint, tree_size, seal, seal_path) = Self::checkpoint(&chain);
        let (height, seal) = (chain.height().get(), seal.into());
        Ok(Response::new(wire::GetCheckpointResponse { checkpoint, height, tree_size, seal, seal_path }))
    }

    async fn get_receipt_state(
        &self,
        request: Request<wire::GetReceiptStateRequest>,
    ) -> Result<Response<wire::GetReceiptStateResponse>, Status> {
        let key = request.into_inner().status_key;
        if let Some(StatusFault::Repeats(answers)) = &self.status_fault
            && let Some(answer) = answers.lock().unwrap().get(&key)
        {
            return Ok(Response::new(answer.clone()));
        }
        let chain = self.chain.lock().unwrap();
        let lookup = chain.state().prove_status(chain.genesis().suite, &Hash::from_slice(&key).unwrap()).unwrap();
        let stored =
            receipt_core::state::StateRead::get(chain.state(), receipt_core::state::tables::Table::Statuses, &key);
        let value = stored.unwrap().map(|bytes| StatusValue::decode(&bytes).unwrap().encode()).unwrap_or_default();
        let (salt, status) = value.split_at(value.len().min(16));
        let (checkpoint, _, seal, seal_path) = Self::checkpoint(&chain);
        let mut taken = wire::TakenState {
            status_proof: lookup.proof.encode().into(),
            status: Bytes::copy_from_slice(status),
            salt: Bytes::copy_from_slice(salt),
        };
        if let Some(StatusFault::Forged) = &self.status_fault {
            // A status that the map does not have.
            taken.status = Bytes::from_static(&[1; 12]);
            taken.salt = Bytes::from_static(&[2; 16]);
        }
        let answer = wire::GetReceiptStateResponse {
            checkpoint,
            height: chain.height().get(),
            seal: seal.into(),
            seal_path,
            status_key: key.clone(),
            place: None,
            answer: Some(wire::get_receipt_state_response::Answer::Taken(taken)),
        };
        if let Some(StatusFault::Repeats(answers)) = &self.status_fault {
            answers.lock().unwrap().insert(key, answer.clone());
        }
        Ok(Response::new(answer))
    }
}
