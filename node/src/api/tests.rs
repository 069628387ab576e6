use std::time::Duration;

use prost::Message as _;
use receipt_core::block::{Item, block_id};
use receipt_core::governance::{Action, FenceIssuer, Governance, RegisterKind};
use receipt_core::hash::{Hash, sha256};
use receipt_core::ids::{Height, LeafIndex, TreeSize, ValidatorId};
use receipt_core::limits;
use receipt_core::merkle::{leaf_hash, verify_consistency, verify_inclusion};
use receipt_core::note::Checkpoint;
use receipt_core::reason::Reason;
use receipt_core::record::status_key;
use receipt_core::state::tables::Table;
use receipt_core::state::{StateRead as _, StatusValue, status_value_hash};
use receipt_core::status::StatusProof;
use receipt_core::suite::Suite;
use receipt_core::testkit::{TestChain, TestReceipt, TestValidator};
use receipt_core::verdict::{PlaceVerdict, RecordPlace, proved_place};
use tallystick_proto::admin::v1::admin_service_server::AdminService as _;
use tallystick_proto::admin::v1::{
    GetNodeStatusRequest, ListIssuersRequest, ListKeysRequest, ListSegmentsRequest, ListSystemsRequest,
    ListUnitsRequest, PageRequest, PageResponse, ReadRegistryRequest, RegistryRow, SubmitGovernanceRequest,
    TryGovernanceRequest,
};
use tallystick_proto::errors::{CallReason, ErrorReason, Refusal};
use tallystick_proto::ledger::v1::get_receipt_state_response::Answer;
use tallystick_proto::ledger::v1::ledger_service_server::LedgerService as _;
use tallystick_proto::ledger::v1::{
    GetBlockRequest, GetCheckpointRequest, GetConsistencyProofRequest, GetInclusionProofRequest,
    GetReceiptStateRequest, GetReceiptStateResponse, LedgerBlock, ReceiptKey, StreamBlocksRequest, SubmitBatchRequest,
    SubmitOutcome,
};
use tallystick_proto::peer::v1::peer_service_server::PeerService as _;
use tallystick_proto::peer::v1::{ExchangeCosignaturesRequest, ForwardBatchRequest, GetCosignaturesRequest};
use tallystick_service::callers::Places;
use tallystick_service::identity::Role;
use tokio_stream::StreamExt as _;
use tonic::{Request, Status};

use super::Services;
use crate::testing::{TestNode, identity};
use crate::wire::{checkpoint_id, signature_lines};

const SUITE: Suite = Suite::Ed25519Sha256;

/// Heights 1 (two receipts), 2 (the first is reversed), 3 (empty), 4 (empty); of which 1 and 3 have checkpoints of their own.
struct World {
    chain: TestChain,
    node: TestNode,
    receipts: [TestReceipt; 2],
}

const SEALED: u64 = 3;

impl World {
    fn new() -> Self {
        let mut chain = TestChain::new();
        let receipts = [chain.issue("S01"), chain.issue("S04")];
        chain.add_block(&receipts);
        let red = chain.reverse(&receipts[0]);
        chain.add_block(&[red]);
        chain.add_block(&[]);
        let tip = chain.add_block(&[]);
        let node = TestNode::new(&chain, 1);
        node.decide(&chain, tip);
        for height in [1, SEALED] {
            node.seal(&chain, Height::new(height));
        }
        Self { chain, node, receipts }
    }

    fn services(&self) -> &Services {
        &self.node.services
    }

    fn size(&self, height: u64) -> u64 {
        self.chain.blocks()[height as usize].log_size
    }

    fn root(&self, size: u64) -> Hash {
        self.chain.log().root(size)
    }
}

fn reason(status: &Status) -> ErrorReason {
    Refusal::from_status(status).unwrap_or_else(|| panic!("not a refusal of ours: {status:?}")).reason
}

fn call(reason: CallReason) -> ErrorReason {
    ErrorReason::Call(reason)
}

fn hashes(path: &[bytes::Bytes]) -> Vec<Hash> {
    path.iter().map(|hash| Hash::from_slice(hash).unwrap()).collect()
}

fn from<T>(message: T, role: Role, id: u32) -> Request<T> {
    let mut request = Request::new(message);
    request.extensions_mut().insert(identity(role, id));
    request
}

#[tokio::test]
async fn the_checkpoint_is_the_quorums_and_its_seal_is_the_last_leaf() {
    let world = World::new();
    let answer = world.services().get_checkpoint(Request::new(GetCheckpointRequest {})).await.unwrap().into_inner();
    let checkpoint = world.chain.trust().verify_checkpoint(&answer.checkpoint).unwrap();
    assert_eq!((answer.height, answer.tree_size), (SEALED, world.size(SEALED)));
    assert_eq!((checkpoint.size.get(), checkpoint.root), (answer.tree_size, world.root(answer.tree_size)));
    let last = LeafIndex::new(answer.tree_size - 1);
    let path = hashes(&answer.seal_path);
    verify_inclusion(SUITE, &leaf_hash(SUITE, &answer.seal), last, checkpoint.size, &path, &checkpoint.root).unwrap();
}

#[tokio::test]
async fn before_anything_is_sealed_there_are_no_proofs() {
    let chain = TestChain::new();
    let node = TestNode::new(&chain, 1);
    let services = &node.services;
    let not_ready = call(CallReason::NotReady);
    let status = services.get_checkpoint(Request::new(GetCheckpointRequest {})).await.unwrap_err();
    assert_eq!(reason(&status), not_ready);
    let request = GetInclusionProofRequest { leaf_index: 0, tree_size: 0 };
    assert_eq!(reason(&services.get_inclusion_proof(Request::new(request)).await.unwrap_err()), not_ready);
    let request = GetConsistencyProofRequest { first_size: 1, second_size: 0 };
    assert_eq!(reason(&services.get_consistency_proof(Request::new(request)).await.unwrap_err()), not_ready);
    let key = ReceiptKey { receipt_code: "99060126".to_owned(), receipt_number: "0000000001".to_owned() };
    let request = Request::new(GetReceiptStateRequest { key: Some(key), status_key: vec![1; 32].into() });
    assert_eq!(reason(&services.get_receipt_state(request).await.unwrap_err()), not_ready);
}

#[tokio::test]
async fn consistency_is_proved_between_all_decided_sizes_up_to_the_sealed_one() {
    let world = World::new();
    for second in 1..=SEALED {
        for first in 0..=second {
            let (first_size, second_size) = (world.size(first), world.size(second));
            let request = GetConsistencyProofRequest { first_size, second_size };
            let answer = world.services().get_consistency_proof(Request::new(request)).await.unwrap().into_inner();
            assert_eq!((answer.first_size, answer.second_size), (first_size, second_size));
            let (first_tree, second_tree) = (TreeSize::new(first_size), TreeSize::new(second_size));
            let (old, new) = (world.root(first_size), world.root(second_size));
            verify_consistency(SUITE, first_tree, &old, second_tree, &new, &hashes(&answer.path)).unwrap();
            // Height 2 has no checkpoint of its own.
            assert_eq!(answer.checkpoint.is_empty(), second == 2, "height {second}");
        }
    }
    let newest = GetConsistencyProofRequest { first_size: 1, second_size: 0 };
    let newest = world.services().get_consistency_proof(Request::new(newest)).await.unwrap().into_inner();
    assert_eq!(newest.second_size, world.size(SEALED));
}

#[tokio::test]
async fn proofs_of_other_sizes_are_refused_with_the_reason() {
    let world = World::new();
    let (sealed, decided) = (world.size(SEALED), world.size(4));
    let rows = [
        // A decided tree that is not sealed; a size at which no block ended; nothing before, and a future before.
        ((1, decided), call(CallReason::NotFound)),
        ((1, sealed + 100), call(CallReason::NotFound)),
        ((1, world.size(1) - 1), call(CallReason::NotFound)),
        ((0, sealed), ErrorReason::Core(Reason::FieldInvalid)),
        ((sealed + 1, sealed), ErrorReason::Core(Reason::FieldInvalid)),
    ];
    for ((first_size, second_size), expected) in rows {
        let request = GetConsistencyProofRequest { first_size, second_size };
        let status = world.services().get_consistency_proof(Request::new(request)).await.unwrap_err();
        assert_eq!(reason(&status), expected, "{first_size} {second_size}");
    }
    for (leaf_index, tree_size) in [(sealed, 0), (0, decided), (0, world.size(1) - 1)] {
        let request = GetInclusionProofRequest { leaf_index, tree_size };
        let status = world.services().get_inclusion_proof(Request::new(request)).await.unwrap_err();
        assert_eq!(reason(&status), call(CallReason::NotFound), "{leaf_index} {tree_size}");
    }
}

#[tokio::test]
async fn every_leaf_is_proved_under_every_sealed_size() {
    let world = World::new();
    let entries: Vec<&Vec<u8>> = world.chain.blocks().iter().flat_map(|block| &block.entries).collect();
    for height in 1..=SEALED {
        let size = world.size(height);
        for leaf_index in 0..size {
            let request = GetInclusionProofRequest { leaf_index, tree_size: size };
            let answer = world.services().get_inclusion_proof(Request::new(request)).await.unwrap().into_inner();
            let leaf = leaf_hash(SUITE, entries[leaf_index as usize]);
            let (index, tree) = (LeafIndex::new(leaf_index), TreeSize::new(size));
            verify_inclusion(SUITE, &leaf, index, tree, &hashes(&answer.path), &world.root(size)).unwrap();
        }
    }
}

#[tokio::test]
async fn blocks_come_with_and_without_their_records() {
    let world = World::new();
    for (height, block) in world.chain.blocks().iter().enumerate() {
        for with_records in [true, false] {
            let request = GetBlockRequest { height: height as u64, with_records };
            let answer = world.services().get_block(Request::new(request)).await.unwrap().into_inner();
            let expected: &[u8] = if with_records { &block.bytes } else { &[] };
            assert_eq!(answer.block, expected);
            assert_eq!(answer.entries, block.entries);
            assert_eq!(answer.first_leaf_index, block.first_leaf);
            assert_eq!(answer.certificate, block.certificate);
            let id = if height == 0 { Vec::new() } else { block_id(SUITE, &block.bytes).0.to_vec() };
            assert_eq!(answer.block_hash, id);
            // Heights 0 and 1 are under the checkpoint of 1, 2 and 3 under that of 3, and 4 is not sealed.
            let sealed_by = [1, 1, 3, 3, 0][height];
            assert_eq!(answer.checkpoint_height, sealed_by);
            assert_eq!(answer.checkpoint.is_empty(), sealed_by == 0);
        }
    }
    let request = GetBlockRequest { height: 5, with_records: false };
    let status = world.services().get_block(Request::new(request)).await.unwrap_err();
    assert_eq!(reason(&status), call(CallReason::NotFound));
}

#[tokio::test]
async fn a_stream_has_every_sealed_height_and_goes_on_as_they_come() {
    let world = World::new();
    let once = StreamBlocksRequest { from_height: 1, with_records: false, follow: false };
    let blocks = world.services().stream_blocks(Request::new(once)).await.unwrap().into_inner();
    let blocks: Vec<LedgerBlock> = blocks.map(Result::unwrap).collect().await;
    assert_eq!(blocks.iter().map(|block| block.height).collect::<Vec<_>>(), vec![1, 2, 3]);

    let on = StreamBlocksRequest { from_height: SEALED, with_records: true, follow: true };
    let mut blocks = world.services().stream_blocks(Request::new(on)).await.unwrap().into_inner();
    assert_eq!(blocks.next().await.unwrap().unwrap().height, SEALED);
    world.node.seal(&world.chain, Height::new(4));
    assert_eq!(blocks.next().await.unwrap().unwrap().height, 4);
    world.services().stop.cancel();
    let ended = blocks.next().await.unwrap().unwrap_err();
    assert_eq!(reason(&ended), call(CallReason::ShuttingDown));
}

#[tokio::test]
async fn streams_are_bounded_and_give_their_place_back() {
    let world = World::new();
    let services = world.services();
    let places: Vec<_> = std::iter::from_fn(|| services.block_streams.try_acquire(None)).collect();
    assert_eq!(places.len(), super::CALLER_BLOCK_STREAMS_MAX);
    let request = StreamBlocksRequest { from_height: 0, with_records: false, follow: false };
    let Err(refused) = services.stream_blocks(Request::new(request)).await else { panic!("one too many") };
    assert_eq!(reason(&refused), ErrorReason::Core(Reason::Overloaded));
    drop(places);
    let blocks = services.stream_blocks(Request::new(request)).await.unwrap().into_inner();
    assert_eq!(blocks.collect::<Vec<_>>().await.len(), 4);
    // The stream's task ends a moment after its last block.
    while services.block_streams.in_use() > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_stream_that_nobody_reads_ends_and_says_where_to_go_on() {
    let world = World::new();
    let mut services = world.services().clone();
    services.reader_patience = Duration::from_millis(10);
    let request = StreamBlocksRequest { from_height: 0, with_records: false, follow: false };
    let mut blocks = services.stream_blocks(Request::new(request)).await.unwrap().into_inner();
    assert_eq!(blocks.next().await.unwrap().unwrap().height, 0);
    while services.block_streams.in_use() > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(blocks.next().await.unwrap().unwrap().height, 1);
    let ended = blocks.next().await.unwrap().unwrap_err();
    assert_eq!(reason(&ended), ErrorReason::Core(Reason::Overloaded));
    assert!(ended.message().contains("height 2"), "{ended}");
    assert!(blocks.next().await.is_none());
}

/// A caller that takes nothing holds its share of bytes and no more, and others read on.
#[tokio::test]
async fn blocks_that_nobody_takes_are_bounded_in_bytes_and_for_each_caller() {
    let world = World::new();
    let mut services = world.services().clone();
    let largest = super::BLOCK_MESSAGE_BYTES_MAX;
    services.read_bytes = Places::new(3 * largest, largest);
    let request = StreamBlocksRequest { from_height: 0, with_records: true, follow: false };
    let stream = |id| services.stream_blocks(from(request, Role::Auditor, id));
    let mut first = stream(1).await.unwrap().into_inner();
    // It is taken, and not sent as far as anybody knows: there is no room for another of the same caller, in whatever stream.
    let block = first.next().await.unwrap().unwrap();
    let mut lazy = Vec::new();
    for _ in 1..super::CALLER_BLOCK_STREAMS_MAX {
        lazy.push(stream(1).await.unwrap().into_inner());
    }
    let others = stream(2).await.unwrap().into_inner();
    assert_eq!(others.collect::<Vec<_>>().await.len(), 4);
    assert_eq!(services.read_bytes.in_use(), block.encoded_len());
    let get = |id| services.get_block(from(GetBlockRequest { height: 1, with_records: true }, Role::Auditor, id));
    assert_eq!(reason(&get(1).await.unwrap_err()), ErrorReason::Core(Reason::Overloaded));
    let answer = get(2).await.unwrap();
    assert_eq!(services.read_bytes.in_use(), block.encoded_len() + answer.get_ref().encoded_len());
    drop(answer);
    // They are read after all.
    assert_eq!(first.collect::<Vec<_>>().await.len(), 3);
    for stream in lazy {
        assert_eq!(stream.collect::<Vec<_>>().await.len(), 4);
    }
    assert_eq!(services.read_bytes.in_use(), 0);
}

async fn state(
    world: &World,
    request: GetReceiptStateRequest,
    role: Role,
    id: u32,
) -> Result<GetReceiptStateResponse, ErrorReason> {
    let answer = world.services().get_receipt_state(from(request, role, id)).await;
    answer.map(tonic::Response::into_inner).map_err(|status| reason(&status))
}

fn by_number(receipt: &TestReceipt) -> GetReceiptStateRequest {
    let key = receipt.signed.record.key;
    let key = ReceiptKey { receipt_code: key.code.to_string(), receipt_number: key.number.to_string() };
    GetReceiptStateRequest { key: Some(key), status_key: bytes::Bytes::new() }
}

/// As whoever holds the receipt asks.
fn by_status_key(receipt: &TestReceipt) -> GetReceiptStateRequest {
    GetReceiptStateRequest { status_key: status_key(SUITE, &receipt.record).0.to_vec().into(), ..by_number(receipt) }
}

/// The place of an answer, judged under the sealed root.
fn place(world: &World, receipt: &TestReceipt, answer: &GetReceiptStateResponse) -> PlaceVerdict {
    let place = answer.place.clone().unwrap();
    let place = RecordPlace {
        leaf_index: LeafIndex::new(place.leaf_index),
        entry: place.entry.to_vec(),
        path: hashes(&place.path),
        signed_header: place.signed_header.to_vec(),
        batch_index: LeafIndex::new(place.batch_index.into()),
        batch_path: hashes(&place.batch_path),
    };
    let size = world.size(SEALED);
    proved_place(SUITE, &world.root(size), TreeSize::new(size), &receipt.record, &place).unwrap()
}

#[tokio::test]
async fn a_taken_receipt_is_answered_by_inclusion_and_status() {
    let world = World::new();
    let root = world.chain.blocks()[SEALED as usize].seal.status_root;
    for (receipt, is_reversed) in [(&world.receipts[0], true), (&world.receipts[1], false)] {
        let answer = state(&world, by_status_key(receipt), Role::Claimer, 1).await.unwrap();
        assert_eq!(place(&world, receipt, &answer), PlaceVerdict::Taken);
        assert_eq!(answer.seal, *world.chain.blocks()[SEALED as usize].entries.last().unwrap());
        let Some(Answer::Taken(taken)) = answer.answer else { panic!("it was taken") };
        let value = is_reversed.then(|| {
            let value = [taken.salt.as_ref(), taken.status.as_ref()].concat();
            status_value_hash(SUITE, &StatusValue::decode(&value).unwrap())
        });
        assert_eq!(taken.status.is_empty(), !is_reversed);
        let proof = StatusProof::decode(&taken.status_proof).unwrap();
        let key = status_key(SUITE, &receipt.record);
        proof.verify(SUITE, &root, &key, value.as_ref().map(|hash| hash.0.as_slice())).unwrap();
    }
}

/// A proof of absence from the status map, which the map has for any key, would read like "in force".
#[tokio::test]
async fn what_never_was_on_the_ledger_gets_no_answer() {
    let World { mut chain, node, receipts } = World::new();
    let never_sent = chain.issue("S01");
    let world = World { chain, node, receipts };
    let nobodys = sha256(&[b"nobody's"]).0.to_vec();
    let known = &world.receipts[0];
    let not_found = call(CallReason::NotFound);
    for request in [
        by_status_key(&never_sent),
        GetReceiptStateRequest { status_key: nobodys.into(), ..by_number(known) },
        GetReceiptStateRequest { status_key: by_status_key(&world.receipts[1]).status_key, ..by_number(known) },
    ] {
        assert_eq!(state(&world, request, Role::Claimer, 1).await.unwrap_err(), not_found);
    }
    let malformed = ErrorReason::Core(Reason::FieldInvalid);
    let short = GetReceiptStateRequest { status_key: vec![1; 31].into(), ..by_number(known) };
    assert_eq!(state(&world, short, Role::Auditor, 1).await.unwrap_err(), malformed);
    let nothing = GetReceiptStateRequest { key: None, ..by_status_key(known) };
    assert_eq!(state(&world, nothing, Role::Auditor, 1).await.unwrap_err(), malformed);
}

/// Between decision and checkpoint. NOT_FOUND would make its issuer believe that it never came.
#[tokio::test]
async fn what_is_decided_and_not_sealed_is_not_called_unknown() {
    let mut chain = TestChain::new();
    let receipts = [chain.issue("S01"), chain.issue("S04")];
    chain.add_block(&receipts[..1]);
    let sealed = chain.add_block(&[]);
    let batch = chain.batch(vec![receipts[1].record.clone()]);
    chain.add_items(vec![Item::Batch(batch)]).unwrap();
    let good = chain.issue("S01");
    let batch = chain.batch(vec![good.record.clone(), receipts[0].record.clone()]);
    let tip = chain.add_items(vec![Item::Batch(batch)]).unwrap();
    let mut again = receipts[1].receipt.clone();
    again.draft.biz_code = "another".to_owned();
    let refused = chain.sign(again, Vec::new());
    let batch = chain.batch(vec![refused.record.clone()]);
    let tip = chain.add_items(vec![Item::Batch(batch)]).unwrap().max(tip);
    let node = TestNode::new(&chain, 1);
    node.decide(&chain, tip);
    node.seal(&chain, sealed);
    let world = World { chain, node, receipts };
    for decided in [&world.receipts[1], &refused] {
        let told = state(&world, by_status_key(decided), Role::Claimer, 1).await.unwrap_err();
        assert_eq!(told, call(CallReason::NotReady));
    }
    world.node.seal(&world.chain, tip);
    let answer = state(&world, by_status_key(&world.receipts[1]), Role::Claimer, 1).await.unwrap();
    assert!(matches!(answer.answer, Some(Answer::Taken(_))));
    let answer = state(&world, by_status_key(&refused), Role::Claimer, 1).await.unwrap();
    assert!(matches!(answer.answer, Some(Answer::Refused(_))));
}

#[tokio::test]
async fn a_refused_receipt_is_answered_by_the_refusal_and_its_reason() {
    let mut chain = TestChain::new();
    let receipts = [chain.issue("S01"), chain.issue("S04")];
    chain.add_block(&receipts);
    // The first once more, beside a good one: the batch is refused.
    let good = chain.issue("S01");
    let batch = chain.batch(vec![good.record.clone(), receipts[0].record.clone()]);
    chain.add_items(vec![Item::Batch(batch)]).unwrap();
    // One that only ever was refused: signed by its unit, with a number that is used.
    let mut again = receipts[1].receipt.clone();
    again.draft.biz_code = "another".to_owned();
    let refused = chain.sign(again, Vec::new());
    let batch = chain.batch(vec![refused.record.clone()]);
    // Under new numbers: a transaction that has its receipt, and a payment that has one.
    let twin = chain.issue_draft(receipts[0].receipt.draft.clone(), Vec::new());
    let mut paid = receipts[1].receipt.draft.clone();
    paid.biz_code = "paid once more".to_owned();
    let paid = chain.issue_draft(paid, Vec::new());
    let others = [&twin, &paid].map(|receipt| Item::Batch(chain.batch(vec![receipt.record.clone()])));
    let tip = chain.add_items([Item::Batch(batch)].into_iter().chain(others).collect()).unwrap();
    let node = TestNode::new(&chain, 1);
    node.decide(&chain, tip);
    assert_eq!(tip.get(), SEALED);
    node.seal(&chain, tip);
    let world = World { chain, node, receipts };

    let answer = state(&world, by_status_key(&refused), Role::Claimer, 1).await.unwrap();
    assert_eq!(place(&world, &refused, &answer), PlaceVerdict::Refused(Reason::NumberUsed));
    let Some(Answer::Refused(told)) = answer.answer else { panic!("it was refused") };
    assert_eq!((told.reason.as_str(), told.replaced_by), (Reason::NumberUsed.as_str(), None));
    for (of, reason, holder) in [(&twin, Reason::BizCodeUsed, 0), (&paid, Reason::PaymentReceipted, 1)] {
        let answer = state(&world, by_status_key(of), Role::Claimer, 1).await.unwrap();
        assert_eq!(place(&world, of, &answer), PlaceVerdict::Refused(reason));
        let Some(Answer::Refused(told)) = answer.answer else { panic!("it was refused") };
        assert_eq!(told.replaced_by, by_number(&world.receipts[holder]).key, "{reason}");
    }
    // One that was taken before it was refused again stays taken; one that was good is not there yet.
    let answer = state(&world, by_status_key(&world.receipts[0]), Role::Claimer, 1).await.unwrap();
    assert_eq!(place(&world, &world.receipts[0], &answer), PlaceVerdict::Taken);
    let sent_back = state(&world, by_status_key(&good), Role::Claimer, 1).await.unwrap_err();
    assert_eq!(sent_back, call(CallReason::NotFound));
}

#[tokio::test]
async fn by_number_alone_only_those_may_ask_who_know_it_anyway() {
    let world = World::new();
    let receipt = &world.receipts[0];
    let key = status_key(SUITE, &receipt.record).0.to_vec();
    for role in [Role::Issuer, Role::Validator, Role::Auditor, Role::Operator] {
        assert_eq!(state(&world, by_number(receipt), role, 9).await.unwrap().status_key, key, "{role}");
    }
    let own = state(&world, by_number(receipt), Role::System, 1).await.unwrap();
    assert_eq!(own.status_key, key, "it acts for the unit");
    let stranger = state(&world, by_number(receipt), Role::System, 2).await.unwrap_err();
    assert_eq!(stranger, call(CallReason::NotFound), "as if it did not exist");
    let claimer = state(&world, by_number(receipt), Role::Claimer, 1).await.unwrap_err();
    assert_eq!(claimer, call(CallReason::NotPermitted));
    let with = |receipt_code: &str, receipt_number: &str| {
        let (receipt_code, receipt_number) = (receipt_code.to_owned(), receipt_number.to_owned());
        GetReceiptStateRequest { key: Some(ReceiptKey { receipt_code, receipt_number }), ..by_number(receipt) }
    };
    let code = receipt.signed.record.key.code.to_string();
    let missing = state(&world, with(&code, "9999999999"), Role::Auditor, 1).await.unwrap_err();
    assert_eq!(missing, call(CallReason::NotFound));
    let malformed = state(&world, with("12", "3"), Role::Auditor, 1).await.unwrap_err();
    assert_eq!(malformed, ErrorReason::Core(Reason::FieldInvalid));
}

#[tokio::test]
async fn a_batch_is_taken_from_its_own_issuer_and_its_fate_is_told() {
    let World { mut chain, node, .. } = World::new();
    let receipt = chain.issue("S01");
    let batch = chain.batch(vec![receipt.record]);
    let records: Vec<bytes::Bytes> = batch.records.iter().map(|record| record.clone().into()).collect();
    let request = SubmitBatchRequest { signed_header: batch.header.encode().into(), records };
    let services = &node.services;
    for (role, id) in [(Role::Issuer, 2), (Role::System, 1)] {
        let status = services.submit_batch(from(request.clone(), role, id)).await.unwrap_err();
        assert_eq!(reason(&status), call(CallReason::NotPermitted), "{role} {id}");
    }
    let garbage = SubmitBatchRequest { signed_header: vec![1, 2, 3].into(), records: Vec::new() };
    assert!(services.submit_batch(from(garbage, Role::Issuer, 1)).await.is_err());
    for _ in 0..2 {
        let answer = services.submit_batch(from(request.clone(), Role::Issuer, 1)).await.unwrap().into_inner();
        assert_eq!(answer.outcome(), SubmitOutcome::Pooled);
        assert_eq!(answer.next_sequence, batch.header.header.sequence.get());
    }
    let height = chain.add_items(vec![Item::Batch(batch.clone())]).unwrap();
    node.decide(&chain, height);
    services.pool.drop_batch(batch.header.header_hash());
    let answer = services.submit_batch(from(request, Role::Issuer, 1)).await.unwrap().into_inner();
    assert_eq!((answer.outcome(), answer.block_height), (SubmitOutcome::Included, height.get()));
    assert_eq!(answer.leaf_index, chain.blocks()[height.get() as usize].first_leaf);
    assert_eq!(answer.next_sequence, batch.header.header.sequence.get() + 1);
}

/// It is no refusal for good: the node keeps the batch, hands it on, and says how long no block may carry it.
#[tokio::test]
async fn a_batch_that_is_too_early_is_kept_and_told_how_long_it_waits() {
    let mut chain = TestChain::new();
    let node = TestNode::new(&chain, 1);
    chain.let_pass(2 * 3_600_000);
    let receipt = chain.issue("S01");
    let batch = chain.batch(vec![receipt.record]);
    let records: Vec<bytes::Bytes> = batch.records.iter().map(|record| record.clone().into()).collect();
    let request = SubmitBatchRequest { signed_header: batch.header.encode().into(), records };
    for _ in 0..2 {
        let status = node.services.submit_batch(from(request.clone(), Role::Issuer, 1)).await.unwrap_err();
        let refusal = Refusal::from_status(&status).unwrap();
        assert_eq!(refusal.reason, Reason::TooEarly.into());
        // The node's clock stands a minute after genesis.
        assert!((6_500_000..6_600_000).contains(&refusal.retry_after_ms.unwrap()), "{refusal:?}");
        assert_eq!((node.services.pool.size().batches, node.services.pool.early_batches()), (1, 1));
    }
    assert_eq!(node.services.pool.refused_batches(), 0);
}

#[tokio::test]
async fn governance_is_pooled_once_and_garbage_is_refused() {
    let World { mut chain, node, .. } = World::new();
    let message = chain.governance(Vec::new());
    let request = SubmitGovernanceRequest { signed_governance: message.encode().into() };
    for _ in 0..2 {
        let answer = node.services.submit_governance(Request::new(request.clone())).await.unwrap().into_inner();
        assert_eq!(answer.entry_hash, message.hash().0.to_vec());
    }
    assert_eq!(node.services.pool.governance(), vec![message]);
    let garbage = SubmitGovernanceRequest { signed_governance: vec![9; 9].into() };
    let status = node.services.submit_governance(Request::new(garbage)).await.unwrap_err();
    assert_eq!(reason(&status), ErrorReason::Core(Reason::FieldInvalid));
}

/// Reads a list to its end in pages of `page_limit`.
macro_rules! all_pages {
    ($services:expr, $method:ident, $rows:ident, $limit:expr, $request:expr) => {{
        let (mut rows, mut page_token, mut pages) = (Vec::new(), String::new(), 0);
        loop {
            let page = PageRequest { page_token: page_token.clone(), page_limit: $limit };
            let answer = $services.$method(Request::new($request(Some(page)))).await.unwrap().into_inner();
            assert!(answer.$rows.len() <= $limit as usize);
            rows.extend(answer.$rows);
            let PageResponse { next_page_token, snapshot_height } = answer.page.unwrap();
            assert_eq!(snapshot_height, 4, "the decided height");
            pages += 1;
            if next_page_token.is_empty() {
                break (rows, pages);
            }
            page_token = next_page_token;
        }
    }};
}

#[tokio::test]
async fn lists_are_the_same_in_pages_of_any_size() {
    let world = World::new();
    let services = world.services();
    let units = |page| ListUnitsRequest { page };
    let (all, pages) = all_pages!(services, list_units, units, 1000, units);
    assert_eq!(pages, 1);
    let (single, pages) = all_pages!(services, list_units, units, 1, units);
    assert_eq!((&single, pages), (&all, all.len()));
    assert!(all.is_sorted_by_key(|unit| unit.unit_id) && all.len() > 3, "{all:?}");

    let keys = |page| ListKeysRequest { page };
    let (all_keys, _) = all_pages!(services, list_keys, keys, 1000, keys);
    let (by_two, _) = all_pages!(services, list_keys, keys, 2, keys);
    assert_eq!(by_two, all_keys);
    assert_eq!(all_keys.len(), all.len() + 1, "one of each unit, one of the issuer");

    let systems = |page| ListSystemsRequest { page };
    let (systems, _) = all_pages!(services, list_systems, systems, 1, systems);
    assert_eq!(systems[0].delegations.len(), all.len());
    let issuers = |page| ListIssuersRequest { page };
    let (issuers, _) = all_pages!(services, list_issuers, issuers, 1, issuers);
    assert_eq!((issuers[0].issuer_id, issuers[0].epoch, issuers[0].next_sequence), (1, 1, 3));

    let segments = |page| ListSegmentsRequest { page, unit_id: 0 };
    let (segments, _) = all_pages!(services, list_segments, segments, 1000, segments);
    for unit in &all {
        let own = |page| ListSegmentsRequest { page, unit_id: unit.unit_id };
        let (found, _) = all_pages!(services, list_segments, segments, 1, own);
        let expected: Vec<_> = segments.iter().filter(|segment| segment.unit_id == unit.unit_id).cloned().collect();
        assert_eq!(found, expected);
    }
    let nobodys = |page| ListSegmentsRequest { page, unit_id: 9999 };
    let (found, pages) = all_pages!(services, list_segments, segments, 1, nobodys);
    assert_eq!((found.len(), pages), (0, 1));
}

#[tokio::test]
async fn the_registry_is_read_whole_and_only_it() {
    let world = World::new();
    let read = async |page_token: &str| {
        let request = ReadRegistryRequest { page_token: page_token.to_owned() };
        world.services().read_registry(Request::new(request)).await
    };
    let whole = read("").await.unwrap().into_inner();
    assert_eq!((whole.height, whole.governance_sequence, &*whole.next_page_token), (4, 0, ""));
    assert_eq!(whole.governance_id.to_vec(), world.chain.genesis().chain_id().0.0.to_vec());
    let place = |row: &RegistryRow| (row.table, row.key.clone());
    assert!(whole.rows.windows(2).all(|pair| place(&pair[0]) < place(&pair[1])));
    let state = world.chain.state();
    // Of Meta: the validators, the authorities and the blinding secrets.
    let mut expected = 3;
    for table in [5, 7, 8, 9, 11, 12, 13, 14, 19, 20, 21] {
        expected += state.row_count(Table::ALL[table]);
    }
    assert_eq!(whole.rows.len(), expected, "all tables of the registry, and its rows of Meta");
    for row in &whole.rows {
        let held = state.get(Table::ALL[row.table as usize], &row.key).unwrap();
        assert_eq!(held.as_deref(), Some(&*row.value), "{}", row.table);
    }
    // It goes on after any row; a token of a row outside the registry is none.
    for (at, row) in whole.rows.iter().enumerate() {
        let token = format!("{}-{}", row.table, hex::encode(&row.key));
        assert_eq!(read(&token).await.unwrap().into_inner().rows, whole.rows[at + 1..]);
    }
    for bad in ["0-746f74616c73", "1-00", "5", "5-0", "99-00", "-", "5-zz", "05-00000001"] {
        let status = read(bad).await.unwrap_err();
        assert_eq!(reason(&status), call(CallReason::PageTokenInvalid), "{bad}");
    }
}

#[test]
fn a_page_of_the_registry_ends_at_its_bytes() {
    let world = World::new();
    let store = &world.services().ledger.store;
    let whole = store.registry_page((Table::Meta, &[]), usize::MAX).unwrap();
    assert!(!whole.is_cut);
    let (mut rows, mut from) = (Vec::new(), (Table::Meta, Vec::new()));
    for _ in 0..=whole.rows.len() {
        let page = store.registry_page((from.0, &from.1), 1).unwrap();
        let is_cut = page.is_cut;
        assert_eq!(page.rows.len(), 1);
        let (table, (key, _)) = &page.rows[0];
        from = (*table, [&key[..], &[0]].concat());
        rows.extend(page.rows);
        if !is_cut {
            break;
        }
    }
    assert_eq!(rows, whole.rows);
}

#[tokio::test]
async fn a_message_is_tried_and_nothing_is_kept() {
    let World { mut chain, node, .. } = World::new();
    let kind = |kind| Action::RegisterKind(RegisterKind::named(kind, "新"));
    let now = chain.now().get() + 1;
    let attempt = async |message: &Governance, block_time_ms| {
        let request = TryGovernanceRequest { governance: message.encode().into(), block_time_ms };
        node.services.try_governance(Request::new(request)).await
    };
    let good = chain.governance(vec![kind(990_777)]).governance;
    let answer = attempt(&good, now).await.unwrap().into_inner();
    assert_eq!((answer.height, answer.governance_sequence), (5, 0));
    assert_eq!((&*answer.place_problem, &*answer.action_problem, answer.refused_action), ("", "", 0));
    let keys: Vec<(u32, Vec<u8>)> = answer.rows.iter().map(|row| (row.table, row.key.to_vec())).collect();
    assert_eq!(keys, [(Table::Kinds as u32, 990_777_u32.to_be_bytes().to_vec())], "the registry's rows alone");
    // The one after it, of which an action is refused.
    let second = vec![kind(990_778), Action::FenceIssuer(FenceIssuer { issuer_id: 1, epoch: 1, journal: Vec::new() })];
    let second = chain.governance(second).governance;
    let answer = attempt(&second, now).await.unwrap().into_inner();
    assert_eq!(&*answer.place_problem, "its sequence is not the next one");
    assert_eq!((&*answer.action_problem, answer.refused_action), ("an epoch only rises", 2));
    assert!(answer.rows.is_empty());
    let tip = chain.now().get();
    let status = attempt(&good, tip.min(node.services.ledger.tip().unwrap().time.get())).await.unwrap_err();
    assert_eq!(reason(&status), ErrorReason::Core(Reason::FieldInvalid), "no block of this time can come");
    for garbage in [vec![9; 9], vec![0; limits::ENTRY_BYTES_MAX]] {
        let request = TryGovernanceRequest { governance: garbage.into(), block_time_ms: now };
        let status = node.services.try_governance(Request::new(request)).await.unwrap_err();
        assert_eq!(reason(&status), ErrorReason::Core(Reason::FieldInvalid));
    }
    assert_eq!(node.services.pool.governance(), Vec::new());
    let kept = node.services.ledger.store.get(Table::Kinds, &990_777_u32.to_be_bytes()).unwrap();
    assert_eq!(kept, None);
}

#[tokio::test]
async fn a_page_is_refused_for_its_size_and_for_a_token_of_another_list() {
    let world = World::new();
    let services = world.services();
    let page = |page_token: &str, page_limit| Some(PageRequest { page_token: page_token.to_owned(), page_limit });
    let request = ListUnitsRequest { page: page("", 1001) };
    let status = services.list_units(Request::new(request)).await.unwrap_err();
    assert_eq!(reason(&status), ErrorReason::Core(Reason::FieldInvalid));
    let first = services.list_units(Request::new(ListUnitsRequest { page: page("", 1) })).await.unwrap().into_inner();
    let token = first.page.unwrap().next_page_token;
    let request = ListKeysRequest { page: page(&token, 1) };
    let foreign = services.list_keys(Request::new(request)).await.unwrap_err();
    assert_eq!(reason(&foreign), call(CallReason::PageTokenInvalid));
    let of_unit = |unit_id, token: &str| Request::new(ListSegmentsRequest { page: page(token, 1), unit_id });
    let first = services.list_segments(of_unit(0, "")).await.unwrap().into_inner();
    let token = first.page.unwrap().next_page_token;
    let status = services.list_segments(of_unit(1, &token)).await.unwrap_err();
    assert_eq!(reason(&status), call(CallReason::PageTokenInvalid), "of another filter");
    for garbage in ["x", "5-", "5-0-zzzzzzzz", "5-0-ffffffff", "5-0-+0000001", "-", "5-0-00000001-"] {
        let request = ListUnitsRequest { page: page(garbage, 1) };
        let status = services.list_units(Request::new(request)).await.unwrap_err();
        assert_eq!(reason(&status), call(CallReason::PageTokenInvalid), "{garbage}");
    }
}

#[tokio::test]
async fn the_nodes_status_is_that_of_its_sealed_tree() {
    let world = World::new();
    let answer = world.services().get_node_status(Request::new(GetNodeStatusRequest {})).await.unwrap().into_inner();
    let size = world.size(SEALED);
    assert_eq!((answer.validator_id, answer.decided_height, answer.sealed_height), (1, 4, SEALED));
    assert_eq!((answer.sealed_tree_size, answer.sealed_root.to_vec()), (size, world.root(size).0.to_vec()));
    assert_eq!(answer.origin, world.chain.genesis().origin);
    assert_eq!(answer.chain_id, world.chain.genesis().chain_id().0.0.to_vec());
    assert_eq!(answer.governance_sequence, 0, "genesis alone");
}

/// What is damaged (family, key), and a call that meets it. The caller learns INTERNAL, and the process is told to end: over a store
/// that has failed it must not go on.
#[tokio::test]
async fn a_call_that_meets_a_failed_store_ends_the_process() {
    let height = |height: u64| height.to_be_bytes().to_vec();
    let id = |id: u32| id.to_be_bytes().to_vec();
    let heights = crate::store::HEIGHTS;
    let rows: [(&str, Vec<u8>, &str); 9] = [
        (heights, height(SEALED), "get_checkpoint"),
        (heights, height(SEALED), "get_node_status"),
        (heights, height(1), "get_block"),
        (heights, height(1), "stream_blocks"),
        (heights, height(4), "exchange_cosignatures"),
        (heights, height(SEALED), "get_cosignatures"),
        (Table::Units.name(), id(1), "list_units"),
        (Table::Issuers.name(), id(1), "submit_batch"),
        (Table::Keys.name(), id(101), "forward_batch"),
    ];
    for (family, key, method) in rows {
        let mut world = World::new();
        let receipt = world.chain.issue("S01");
        let batch = world.chain.batch(vec![receipt.record.clone()]);
        let signed_header = batch.header.encode();
        let records: Vec<bytes::Bytes> = batch.records.iter().map(|record| record.clone().into()).collect();
        let services = world.services().clone();
        assert_eq!(services.fatal.told(), None);
        services.ledger.store.damage(family, &key);
        let status = match method {
            "get_checkpoint" => services.get_checkpoint(Request::new(GetCheckpointRequest {})).await.err(),
            "get_node_status" => services.get_node_status(Request::new(GetNodeStatusRequest {})).await.err(),
            "get_block" => {
                services.get_block(Request::new(GetBlockRequest { height: 1, with_records: true })).await.err()
            }
            "stream_blocks" => {
                let request = StreamBlocksRequest { from_height: 1, with_records: false, follow: false };
                let stream = services.stream_blocks(from(request, Role::Auditor, 1)).await.unwrap().into_inner();
                stream.collect::<Vec<_>>().await.pop().unwrap().err()
            }
            "exchange_cosignatures" => {
                let tip = &world.chain.blocks()[4];
                let origin = &world.chain.genesis().origin;
                let checkpoint =
                    Checkpoint::new(origin, TreeSize::new(tip.log_size), world.root(tip.log_size)).unwrap();
                let signer = TestValidator::new(2);
                let text = checkpoint.to_string();
                let lines = [signer.sign_as_log(origin, &text), signer.cosign(origin, &text, 1)];
                let request = ExchangeCosignaturesRequest {
                    checkpoint: Some(checkpoint_id(Height::new(4), &checkpoint)),
                    own: Some(signature_lines(ValidatorId::new(2), &lines)),
                };
                services.exchange_cosignatures(from(request, Role::Validator, 2)).await.err()
            }
            "get_cosignatures" => {
                let request = GetCosignaturesRequest { height: SEALED };
                services.get_cosignatures(from(request, Role::Validator, 2)).await.err()
            }
            "list_units" => services.list_units(Request::new(ListUnitsRequest { page: None })).await.err(),
            "submit_batch" => {
                let request = SubmitBatchRequest { signed_header: signed_header.into(), records };
                services.submit_batch(from(request, Role::Issuer, 1)).await.err()
            }
            _ => {
                let request = ForwardBatchRequest { signed_header: signed_header.into(), records };
                services.forward_batch(from(request, Role::Validator, 2)).await.err()
            }
        };
        let status = status.unwrap_or_else(|| panic!("{method} was answered"));
        assert_eq!(reason(&status), call(CallReason::Internal), "{method}: {status:?}");
        let told = services.fatal.told().unwrap_or_else(|| panic!("{method} told nobody"));
        assert!(told.contains("corrupt") && !status.message().contains("corrupt"), "{method}: {told}");
    }
}
