//! A test chain as the verifier meets it: served blocks, export files, a node that answers.

#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has to fail")]

use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use prost::Message;
use receipt_core::block::block_id;
use receipt_core::bundle::{BodyContent, BodyLine};
use receipt_core::export::ExportEncoder;
use receipt_core::receipt::layout::to_values;
use receipt_core::testkit::{TestChain, TestReceipt};
use receipt_core::trust::TrustFile;
use tallystick_proto::ledger::v1::ledger_service_server::{LedgerService, LedgerServiceServer};
use tallystick_proto::ledger::v1::*;
use tallystick_service::rng::SeededEntropy;
use tallystick_verifier::audit::{AuditOptions, AuditReport, audit};
use tallystick_verifier::progress::Silent;
use tallystick_verifier::source::Source;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

/// A chain with receipts, a reversal, an empty block and a governance entry; and its receipts.
pub(crate) fn chain() -> (TestChain, Vec<TestReceipt>) {
    filled(TestChain::new())
}

/// The same under another name: another chain.
pub(crate) fn chain_named(name: &str) -> (TestChain, Vec<TestReceipt>) {
    filled(TestChain::named(name))
}

fn filled(mut chain: TestChain) -> (TestChain, Vec<TestReceipt>) {
    let mut receipts: Vec<TestReceipt> = ["S01", "S02", "S05", "S06"].iter().map(|id| chain.issue(id)).collect();
    chain.add_block(&receipts);
    let red = chain.reverse(&receipts[0]);
    chain.add_block(std::slice::from_ref(&red));
    receipts.push(red);
    chain.add_block(&[]);
    let more: Vec<TestReceipt> = ["S03", "S04"].iter().map(|id| chain.issue(id)).collect();
    chain.add_block(&more);
    receipts.extend(more);
    (chain, receipts)
}

/// What a node serves of every block.
pub(crate) fn served(chain: &TestChain) -> Vec<LedgerBlock> {
    let blocks = chain.blocks().iter().enumerate().map(|(height, block)| LedgerBlock {
        height: height as u64,
        block: block.bytes.clone().into(),
        entries: block.entries.iter().map(|entry| entry.clone().into()).collect(),
        first_leaf_index: block.first_leaf,
        certificate: block.certificate.clone().into(),
        checkpoint: block.checkpoint.clone(),
        checkpoint_height: height as u64,
        block_hash: block_id(block.seal.suite, &block.bytes).0.to_vec().into(),
    });
    blocks.collect()
}

/// An export file of these blocks.
pub(crate) fn export(chain: &TestChain, blocks: &[LedgerBlock]) -> Vec<u8> {
    let (mut encoder, mut bytes) = ExportEncoder::start(chain.genesis().chain_id());
    for block in blocks {
        bytes.extend(encoder.frame(&block.encode_to_vec()).unwrap());
    }
    bytes.extend(encoder.finish());
    bytes
}

/// A file in a directory of its own.
pub(crate) struct TestFile {
    directory: scratch::Directory,
    name: String,
}

impl TestFile {
    /// Writes it.
    pub(crate) fn new(name: &str, bytes: impl AsRef<[u8]>) -> Self {
        let file = Self { directory: scratch::Directory::new(), name: name.to_owned() };
        std::fs::write(file.path(), bytes).unwrap();
        file
    }

    /// Where it is.
    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join(&self.name)
    }
}

/// The content of receipts as an issuer hands it to an auditor.
pub(crate) fn bodies(receipts: &[TestReceipt]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for receipt in receipts {
        let values = to_values(&receipt.receipt).unwrap();
        let content = Ok(BodyContent { seed: receipt.seed.clone(), values });
        bytes.extend(BodyLine { record: receipt.record.clone(), content }.encode());
        bytes.push(b'\n');
    }
    bytes
}

/// What an audit is given beside the ledger.
pub(crate) struct Extra<'a> {
    pub(crate) bodies: Option<&'a TestFile>,
    pub(crate) trust: Option<TrustFile>,
    pub(crate) threads: usize,
}

/// Nothing but the ledger.
pub(crate) const PLAIN: Extra<'_> = Extra { bodies: None, trust: None, threads: 2 };

/// Audits a source.
pub(crate) fn audit_source(chain: &TestChain, source: &Source, extra: Extra<'_>) -> AuditReport {
    let options = AuditOptions {
        threads: extra.threads,
        bodies: extra.bodies.map(TestFile::path).into_iter().collect(),
        left_out: Vec::new(),
        trust: extra.trust,
        registry_at: None,
        entropy: &SeededEntropy::new(1),
    };
    audit(chain.genesis(), source, &options, &mut Silent).unwrap()
}

/// Audits an export of these blocks.
pub(crate) fn audit_blocks(chain: &TestChain, blocks: &[LedgerBlock], extra: Extra<'_>) -> AuditReport {
    let file = TestFile::new("ledger.export", export(chain, blocks));
    audit_source(chain, &Source::Export(file.path()), extra)
}

/// A node that serves a chain in plain text.
pub(crate) struct FakeNode {
    chain: Arc<TestChain>,
    blocks: Vec<LedgerBlock>,
}

type BlockStream = Pin<Box<dyn tokio_stream::Stream<Item = Result<LedgerBlock, Status>> + Send>>;

impl FakeNode {
    /// Starts serving on a port of its own, until the process ends.
    pub(crate) fn start(chain: TestChain) -> (SocketAddr, Arc<TestChain>) {
        Self::start_cut(chain, usize::MAX)
    }

    /// The same, streaming the first blocks only.
    pub(crate) fn start_cut(chain: TestChain, blocks: usize) -> (SocketAddr, Arc<TestChain>) {
        let chain = Arc::new(chain);
        let blocks = served(&chain).into_iter().take(blocks).collect();
        let node = Self { blocks, chain: chain.clone() };
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let incoming = TcpListenerStream::new(tokio::net::TcpListener::from_std(listener).unwrap());
                let server = tonic::transport::Server::builder().add_service(LedgerServiceServer::new(node));
                server.serve_with_incoming(incoming).await.unwrap();
            });
        });
        (address, chain)
    }

    fn note_of(&self, size: u64) -> Result<String, Status> {
        let block = self.chain.blocks().iter().find(|block| block.log_size == size);
        block.map(|block| block.checkpoint.clone()).ok_or_else(|| Status::not_found("no such checkpoint"))
    }
}

#[tonic::async_trait]
impl LedgerService for FakeNode {
    type StreamBlocksStream = BlockStream;

    async fn submit_batch(&self, _: Request<SubmitBatchRequest>) -> Result<Response<SubmitBatchResponse>, Status> {
        Err(Status::unimplemented("a fake"))
    }

    async fn get_block(&self, _: Request<GetBlockRequest>) -> Result<Response<LedgerBlock>, Status> {
        Err(Status::unimplemented("a fake"))
    }

    async fn stream_blocks(
        &self,
        request: Request<StreamBlocksRequest>,
    ) -> Result<Response<Self::StreamBlocksStream>, Status> {
        let request = request.into_inner();
        let mut blocks = self.blocks.clone();
        for block in &mut blocks {
            if !request.with_records {
                block.block = Vec::new().into();
            }
        }
        let from = usize::try_from(request.from_height).unwrap();
        let blocks: Vec<Result<LedgerBlock, Status>> = blocks.into_iter().skip(from).map(Ok).collect();
        Ok(Response::new(Box::pin(tokio_stream::iter(blocks))))
    }

    async fn get_inclusion_proof(
        &self,
        request: Request<GetInclusionProofRequest>,
    ) -> Result<Response<GetInclusionProofResponse>, Status> {
        let GetInclusionProofRequest { leaf_index, tree_size } = request.into_inner();
        let path = self.chain.log().inclusion(leaf_index, tree_size);
        let path = path.iter().map(|hash| hash.0.to_vec().into()).collect();
        let checkpoint = self.note_of(tree_size)?;
        Ok(Response::new(GetInclusionProofResponse { leaf_index, tree_size, path, checkpoint }))
    }

    async fn get_consistency_proof(
        &self,
        request: Request<GetConsistencyProofRequest>,
    ) -> Result<Response<GetConsistencyProofResponse>, Status> {
        let GetConsistencyProofRequest { first_size, second_size } = request.into_inner();
        let path = self.chain.log().consistency(first_size, second_size);
        let path = path.iter().map(|hash| hash.0.to_vec().into()).collect();
        let checkpoint = self.note_of(second_size)?;
        Ok(Response::new(GetConsistencyProofResponse { first_size, second_size, path, checkpoint }))
    }

    async fn get_checkpoint(
        &self,
        _: Request<GetCheckpointRequest>,
    ) -> Result<Response<GetCheckpointResponse>, Status> {
        let height = self.chain.height().get();
        let block = &self.chain.blocks()[usize::try_from(height).unwrap()];
        Ok(Response::new(GetCheckpointResponse {
            checkpoint: block.checkpoint.clone(),
            height,
            tree_size: block.log_size,
            seal: block.entries.last().unwrap().clone().into(),
            seal_path: Vec::new(),
        }))
    }

    async fn get_receipt_state(
        &self,
        _: Request<GetReceiptStateRequest>,
    ) -> Result<Response<GetReceiptStateResponse>, Status> {
        Err(Status::unimplemented("a fake"))
    }
}
