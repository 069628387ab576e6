//! Nodes that lie, are late, or know nothing: stand-ins, because no real one does.

use std::pin::Pin;
use std::sync::atomic::AtomicBool;

use bytes::Bytes;
use receipt_core::block::Item;
use receipt_core::note::TlogProof;
use receipt_core::reason::Reason;
use receipt_core::record::status_key;
use receipt_core::testkit::{TestChain, TestReceipt, TestValidator};
use receipt_core::verdict::{PlaceVerdict, proved_place};
use tallystick_proto::ledger::v1::get_receipt_state_response::Answer as WireAnswer;
use tallystick_proto::ledger::v1::ledger_service_server::{LedgerService, LedgerServiceServer};
use tallystick_proto::ledger::v1::{
    GetBlockRequest, GetCheckpointRequest, GetCheckpointResponse, GetConsistencyProofRequest,
    GetConsistencyProofResponse, GetInclusionProofRequest, GetInclusionProofResponse, GetReceiptStateRequest,
    GetReceiptStateResponse, LedgerBlock, ReceiptKey as WireKey, RecordPlace as WirePlace, RefusedState,
    StreamBlocksRequest, SubmitBatchRequest, SubmitBatchResponse, TakenState,
};
use tallystick_service::clock::FixedClock;
use tokio::net::TcpListener;
use tokio_stream::Stream;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::{Endpoint, Server};
use tonic::{Request, Response};

use super::*;

/// What a node says to everything.
#[derive(Clone)]
enum Says {
    State(Box<GetReceiptStateResponse>),
    NotFound {
        checkpoint: String,
    },
    /// No such record, until it is asked for its checkpoint: then a block with it is sealed.
    SealsMeanwhile {
        checkpoint: String,
        state: Box<GetReceiptStateResponse>,
        is_sealed: Arc<AtomicBool>,
    },
    NotReady,
    Fails,
    Silent,
}

struct StandIn(Says);

type Blocks = Pin<Box<dyn Stream<Item = Result<LedgerBlock, Status>> + Send>>;

#[tonic::async_trait]
impl LedgerService for StandIn {
    type StreamBlocksStream = Blocks;

    async fn get_receipt_state(
        &self,
        _: Request<GetReceiptStateRequest>,
    ) -> Result<Response<GetReceiptStateResponse>, Status> {
        match &self.0 {
            Says::State(state) => Ok(Response::new(state.as_ref().clone())),
            Says::SealsMeanwhile { state, is_sealed, .. } if is_sealed.load(Ordering::Relaxed) => {
                Ok(Response::new(state.as_ref().clone()))
            }
            Says::NotFound { .. } | Says::SealsMeanwhile { .. } => Err(Refusal::new(CallReason::NotFound).to_status()),
            Says::NotReady => Err(Refusal::new(CallReason::NotReady).to_status()),
            Says::Fails => Err(Refusal::new(CallReason::Internal).to_status()),
            Says::Silent => std::future::pending().await,
        }
    }

    async fn get_checkpoint(
        &self,
        _: Request<GetCheckpointRequest>,
    ) -> Result<Response<GetCheckpointResponse>, Status> {
        match &self.0 {
            Says::NotFound { checkpoint } | Says::SealsMeanwhile { checkpoint, .. } => {
                if let Says::SealsMeanwhile { is_sealed, .. } = &self.0 {
                    is_sealed.store(true, Ordering::Relaxed);
                }
                let checkpoint = checkpoint.clone();
                Ok(Response::new(GetCheckpointResponse { checkpoint, ..GetCheckpointResponse::default() }))
            }
            _ => Err(Status::unavailable("not asked here")),
        }
    }

    async fn submit_batch(&self, _: Request<SubmitBatchRequest>) -> Result<Response<SubmitBatchResponse>, Status> {
        Err(Status::unimplemented("not asked here"))
    }

    async fn get_block(&self, _: Request<GetBlockRequest>) -> Result<Response<LedgerBlock>, Status> {
        Err(Status::unimplemented("not asked here"))
    }

    async fn stream_blocks(&self, _: Request<StreamBlocksRequest>) -> Result<Response<Blocks>, Status> {
        Err(Status::unimplemented("not asked here"))
    }

    async fn get_inclusion_proof(
        &self,
        _: Request<GetInclusionProofRequest>,
    ) -> Result<Response<GetInclusionProofResponse>, Status> {
        Err(Status::unimplemented("not asked here"))
    }

    async fn get_consistency_proof(
        &self,
        _: Request<GetConsistencyProofRequest>,
    ) -> Result<Response<GetConsistencyProofResponse>, Status> {
        Err(Status::unimplemented("not asked here"))
    }
}

/// A chain with one receipt, sealed; later reversed.
struct World {
    chain: TestChain,
    receipt: TestReceipt,
}

impl World {
    fn new() -> Self {
        let mut chain = TestChain::new();
        let receipt = chain.issue("S01");
        chain.add_block(std::slice::from_ref(&receipt));
        Self { chain, receipt }
    }

    fn checkpoint(&self) -> String {
        self.chain.blocks().last().unwrap().checkpoint.clone()
    }

    /// What an honest node says, as of the tip.
    fn state(&self) -> GetReceiptStateResponse {
        let bundle = self.chain.bundle(&self.receipt);
        let proof = TlogProof::parse(bundle.status.proof.as_bytes()).unwrap();
        let (salt, status) = match &bundle.status.value {
            None => (Bytes::new(), Bytes::new()),
            Some(value) => (Bytes::copy_from_slice(&value[..16]), Bytes::copy_from_slice(&value[16..])),
        };
        GetReceiptStateResponse {
            seal: self.chain.blocks().last().unwrap().entries.last().unwrap().clone().into(),
            seal_path: bytes(&proof.path),
            answer: Some(WireAnswer::Taken(TakenState { status_proof: bundle.status.map.into(), status, salt })),
            ..self.place_only()
        }
    }

    /// Where the record stands, taken or refused.
    fn place_only(&self) -> GetReceiptStateResponse {
        let place = self.chain.place(&self.receipt.record);
        GetReceiptStateResponse {
            checkpoint: self.checkpoint(),
            height: self.chain.height().get(),
            status_key: Bytes::copy_from_slice(self.question().status_key.as_bytes()),
            place: Some(WirePlace {
                leaf_index: place.leaf_index.get(),
                entry: place.entry.clone().into(),
                path: bytes(&place.path),
                signed_header: place.signed_header.clone().into(),
                batch_index: u32::try_from(place.batch_index.get()).unwrap(),
                batch_path: bytes(&place.batch_path),
            }),
            ..GetReceiptStateResponse::default()
        }
    }

    fn question(&self) -> Question {
        let status_key = status_key(self.chain.trust().suite(), &self.receipt.record);
        Question { key: self.receipt.receipt.key(), status_key }
    }

    async fn nodes(&self, says: &[Says]) -> Nodes {
        let mut nodes = Vec::new();
        for (index, says) in says.iter().enumerate() {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let service = LedgerServiceServer::new(StandIn(says.clone()));
            let serving = Server::builder().add_service(service);
            tokio::spawn(serving.serve_with_incoming(TcpListenerStream::new(listener)));
            let channel = Endpoint::from_shared(format!("http://{address}")).unwrap().connect_lazy();
            nodes.push(Node::new(format!("node-{index}"), channel));
        }
        let clock: Arc<dyn Clock> = Arc::new(FixedClock::new(self.chain.now()));
        // Whoever answers has all the time that a busy machine takes; who is silent is waited for to the end.
        let is_waited_for = says.iter().any(|says| matches!(says, Says::Silent));
        let timeout = Duration::from_millis(if is_waited_for { 3_000 } else { 30_000 });
        Nodes::over(nodes, (self.chain.trust().clone(), clock), timeout, PortalMetrics::default())
    }
}

fn bytes(path: &[Hash]) -> Vec<Bytes> {
    path.iter().map(|hash| Bytes::copy_from_slice(hash.as_bytes())).collect()
}

fn state(response: GetReceiptStateResponse) -> Says {
    Says::State(Box::new(response))
}

#[tokio::test]
async fn an_answer_is_the_proofs_of_a_bundle() {
    let world = World::new();
    let nodes = world.nodes(&[state(world.state())]).await;
    let answer = nodes.ask(&world.question(), 0).await.unwrap();
    let bundle = world.chain.bundle(&world.receipt);
    let Answer::Taken { batch, status, .. } = &answer else { panic!("{answer:?}") };
    assert_eq!((batch, status), (&bundle.batch, &bundle.status));
    let joined = receipt_core::answer::join(&bundle.encode(), &answer, world.chain.trust()).unwrap();
    let verdict = receipt_core::verdict::verify_bundle(&joined.encode(), world.chain.trust(), world.chain.now());
    assert!(verdict.is_in_force(), "{verdict:?}");
}

#[tokio::test]
async fn who_fails_or_has_no_quorum_is_passed_over() {
    let world = World::new();
    let stranger = TestChain::named("another");
    let forged = GetReceiptStateResponse { checkpoint: stranger.blocks()[0].checkpoint.clone(), ..world.state() };
    let unsigned = GetReceiptStateResponse { checkpoint: "x\n1\n".to_owned(), ..world.state() };
    let mut cut = world.state();
    cut.seal_path.push(Bytes::from_static(b"short"));
    let bare = GetReceiptStateResponse { place: None, ..world.state() };
    for bad in [state(forged), state(unsigned), state(cut), state(bare), Says::Fails, Says::Silent] {
        let nodes = world.nodes(&[bad.clone(), state(world.state())]).await;
        assert!(matches!(nodes.ask(&world.question(), 0).await, Ok(Answer::Taken { .. })));
        let alone = world.nodes(&[bad]).await;
        assert_eq!(alone.ask(&world.question(), 0).await, Err(NoAnswer::Unavailable));
    }
}

#[tokio::test]
async fn of_two_words_the_newer_is_handed_on() {
    let mut world = World::new();
    let old = world.state();
    world.chain.let_pass(10 * 60 * 1000);
    let red = world.chain.reverse(&world.receipt);
    world.chain.add_block(std::slice::from_ref(&red));
    let nodes = world.nodes(&[state(old.clone()), state(world.state())]).await;
    let reversed = |answer: &Answer| matches!(answer, Answer::Taken { status, .. } if status.value.is_some());
    // Nobody knows of a newer one yet.
    assert!(!reversed(&nodes.ask(&world.question(), 0).await.unwrap()));
    assert!(reversed(&nodes.ask(&world.question(), 1).await.unwrap()), "a later try begins with another node");
    assert!(reversed(&nodes.ask(&world.question(), 0).await.unwrap()), "and from then on the late one is passed over");
    let late = world.nodes(&[state(old)]).await;
    assert!(late.ask(&world.question(), 0).await.is_ok(), "an old word is better than none");
}

#[tokio::test]
async fn no_such_record_is_said_only_if_nobody_has_it() {
    let world = World::new();
    let none = || Says::NotFound { checkpoint: world.checkpoint() };
    let nodes = world.nodes(&[none(), none(), state(world.state())]).await;
    assert!(matches!(nodes.ask(&world.question(), 0).await, Ok(Answer::Taken { .. })));
    let nodes = world.nodes(&[none(), Says::Fails]).await;
    assert!(matches!(nodes.ask(&world.question(), 0).await, Ok(Answer::Absent { .. })));
    let stranger = Says::NotFound { checkpoint: TestChain::named("another").blocks()[0].checkpoint.clone() };
    let nodes = world.nodes(&[stranger]).await;
    assert_eq!(nodes.ask(&world.question(), 0).await, Err(NoAnswer::Unavailable), "whose word is under no quorum");
    let nodes = world.nodes(&[none(), Says::NotReady]).await;
    assert_eq!(nodes.ask(&world.question(), 0).await, Err(NoAnswer::NotYet), "it is just being sealed");
}

/// A checkpoint beside the word "no such record" has to be from before the word, or the record may be in it.
#[tokio::test]
async fn what_is_sealed_between_two_calls_is_not_called_absent() {
    let world = World::new();
    let (checkpoint, state) = (world.checkpoint(), Box::new(world.state()));
    let nodes = world.nodes(&[Says::SealsMeanwhile { checkpoint, state, is_sealed: Arc::default() }]).await;
    let answer = nodes.ask(&world.question(), 0).await;
    assert!(matches!(answer, Ok(Answer::Taken { .. })), "{answer:?}");
}

#[tokio::test]
async fn who_is_late_and_has_it_counts_more_than_who_is_not_and_has_not() {
    let mut world = World::new();
    let late = state(world.state());
    world.chain.let_pass(10 * 60 * 1000);
    world.chain.add_block(&[]);
    let none = Says::NotFound { checkpoint: world.checkpoint() };
    for says in [[late.clone(), none.clone()], [none, late]] {
        let nodes = world.nodes(&says).await;
        // Both were heard once, so that the late one is known to be.
        for attempt in 0..3 {
            assert!(matches!(nodes.ask(&world.question(), attempt).await, Ok(Answer::Taken { .. })), "{attempt}");
        }
    }
}

#[tokio::test]
async fn validators_that_the_trust_file_does_not_know_are_heard_if_nobody_else_has_a_word() {
    let world = World::new();
    let (size, now) = (world.chain.log().size(), world.chain.now().seconds());
    let checkpoint = world.chain.checkpoint_note(size, &[TestValidator::new(91)], now);
    let none = Says::NotFound { checkpoint: checkpoint.clone() };
    let nodes = world.nodes(&[none.clone(), state(world.state())]).await;
    assert!(matches!(nodes.ask(&world.question(), 0).await, Ok(Answer::Taken { .. })));
    let known = Says::NotFound { checkpoint: world.checkpoint() };
    let taken = GetReceiptStateResponse { checkpoint, ..world.state() };
    let nodes = world.nodes(&[state(taken.clone()), known]).await;
    assert!(matches!(nodes.ask(&world.question(), 0).await, Ok(Answer::Absent { .. })), "a known quorum first");
    let nodes = world.nodes(&[none, state(taken)]).await;
    assert!(matches!(nodes.ask(&world.question(), 0).await, Ok(Answer::Taken { .. })));
}

#[tokio::test]
async fn a_refusal_is_handed_on_with_its_place() {
    let mut world = World::new();
    let mut twin = world.receipt.receipt.clone();
    "TWIN".clone_into(&mut twin.draft.biz_code);
    world.receipt = world.chain.sign(twin, Vec::new());
    let batch = world.chain.batch(vec![world.receipt.record.clone()]);
    world.chain.add_items(vec![Item::Batch(batch)]).unwrap();
    let key = WireKey { receipt_code: "99060126".to_owned(), receipt_number: "0000000009".to_owned() };
    let refused = RefusedState { reason: Reason::NumberUsed.as_str().to_owned(), replaced_by: Some(key) };
    let refused = WireAnswer::Refused(refused);
    let said = GetReceiptStateResponse { answer: Some(refused), ..world.place_only() };
    let nodes = world.nodes(&[state(said)]).await;
    let answer = nodes.ask(&world.question(), 0).await.unwrap();
    let Answer::Refused { checkpoint, place, replaced_by: Some(key) } = &answer else { panic!("{answer:?}") };
    assert_eq!(key.to_string(), "99060126-0000000009");
    assert_eq!(Answer::decode(&answer.encode()).as_ref(), Ok(&answer));
    let trust = world.chain.trust();
    let trusted = trust.verify_checkpoint(checkpoint).unwrap();
    let verdict = proved_place(trust.suite(), &trusted.root, trusted.size, &world.receipt.record, place);
    assert_eq!(verdict, Ok(PlaceVerdict::Refused(Reason::NumberUsed)));
}
