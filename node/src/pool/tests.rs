use receipt_core::block::Item;
use receipt_core::ids::Height;
use receipt_core::state::CheckedBlock;
use receipt_core::testkit::TestChain;

use super::*;
use crate::store::Store;

/// A pool over a store at genesis, and the chain whose issuer signs.
struct Bench {
    _directory: tempfile::TempDir,
    chain: TestChain,
    pool: Pool,
}

fn bench(bounds: PoolConfig) -> Bench {
    let directory = tempfile::tempdir().unwrap();
    let chain = TestChain::new();
    let store = Store::init(&directory.path().join("data"), chain.genesis()).unwrap();
    let pool = Pool::new(Ledger::new(store, chain.genesis().clone()), bounds);
    Bench { _directory: directory, chain, pool }
}

fn batch(chain: &mut TestChain) -> Batch {
    let receipt = chain.issue("S01");
    chain.batch(vec![receipt.record])
}

fn offer(pool: &Pool, batch: &Batch) -> Result<Offered, PoolError> {
    pool.offer(batch.header.clone(), batch.records.clone(), [0; 32])
}

fn reason(outcome: Result<Offered, PoolError>) -> Reason {
    match outcome {
        Err(PoolError::Refused { reason, .. }) => reason,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

#[test]
fn the_same_batch_again_is_known_and_another_header_is_a_conflict() {
    let Bench { mut chain, pool, .. } = bench(PoolConfig::default());
    let first = batch(&mut chain);
    assert_eq!(offer(&pool, &first).unwrap(), Offered::Pooled { known: false });
    assert_eq!(offer(&pool, &first).unwrap(), Offered::Pooled { known: true });
    let mut twin = TestChain::new();
    twin.issue("S04");
    let other = batch(&mut twin);
    assert_eq!(other.header.header.sequence, first.header.header.sequence);
    assert_eq!(reason(offer(&pool, &other)), Reason::SequenceConflict);
}

#[test]
fn records_that_are_not_the_headers_never_get_in() {
    let Bench { mut chain, pool, .. } = bench(PoolConfig::default());
    let good = batch(&mut chain);
    let mut garbage = good.clone();
    garbage.records[0][20] ^= 1;
    assert_eq!(reason(offer(&pool, &garbage)), Reason::RootMismatch);
    garbage.records.push(vec![1]);
    assert_eq!(reason(offer(&pool, &garbage)), Reason::CountMismatch);
    let mut forged = good.clone();
    forged.header.signature.0[3] ^= 1;
    assert_eq!(reason(offer(&pool, &forged)), Reason::SignatureInvalid);
    assert_eq!(pool.size().batches, 0);
    assert_eq!(offer(&pool, &good).unwrap(), Offered::Pooled { known: false });
}

#[test]
fn candidates_come_in_sequence_and_wait_for_gaps() {
    let Bench { mut chain, pool, .. } = bench(PoolConfig::default());
    let (first, second) = (batch(&mut chain), batch(&mut chain));
    offer(&pool, &second).unwrap();
    assert!(!pool.has_work().unwrap());
    assert!(pool.candidates(0).unwrap().batches.is_empty());
    offer(&pool, &first).unwrap();
    assert!(pool.has_work().unwrap());
    let hashes: Vec<Hash> = pool.candidates(0).unwrap().batches.iter().map(|batch| batch.header_hash()).collect();
    assert_eq!(hashes, vec![first.header.header_hash(), second.header.header_hash()]);
}

#[test]
fn a_sequence_far_ahead_and_a_full_pool_push_back() {
    let bounds = PoolConfig { bytes_max: 0, issuer_batches_max: 2 };
    let Bench { mut chain, pool, .. } = bench(bounds);
    let first = batch(&mut chain);
    assert!(matches!(offer(&pool, &first), Err(PoolError::Full { .. })));
    batch(&mut chain);
    let far = batch(&mut chain);
    assert_eq!(reason(offer(&pool, &far)), Reason::SequenceGap);
}

#[test]
fn what_a_block_decided_leaves_the_pool_and_stays_a_success() {
    let Bench { mut chain, pool, .. } = bench(PoolConfig::default());
    let batch = batch(&mut chain);
    offer(&pool, &batch).unwrap();
    chain.add_items(vec![Item::Batch(batch.clone())]).unwrap();
    let block = &chain.blocks()[1];
    let executed = pool.ledger.execute(&block.bytes, &pool, [0; 32]).unwrap();
    pool.ledger.store.commit_block(&executed.effects, &block.bytes, &block.certificate).unwrap();
    pool.forget_decided(&executed.effects).unwrap();
    assert_eq!(pool.size(), PoolSize { batches: 0, records: 0, bytes: 0 });
    assert!(matches!(offer(&pool, &batch).unwrap(), Offered::Decided { refused: false, .. }));
}

#[test]
fn governance_needs_its_sequence_and_its_signatures() {
    let Bench { mut chain, pool, .. } = bench(PoolConfig::default());
    let message = chain.governance(Vec::new());
    let mut unsigned = message.clone();
    unsigned.signatures.truncate(1);
    assert!(matches!(
        pool.offer_governance(unsigned),
        Err(PoolError::Refused { reason: Reason::SignatureInvalid, .. })
    ));
    assert!(!pool.offer_governance(message.clone()).unwrap());
    assert!(pool.offer_governance(message.clone()).unwrap(), "known");
    assert_eq!(pool.candidates(0).unwrap().governance, vec![message]);
}

#[test]
fn an_assembled_block_and_the_same_block_received_are_one() {
    let Bench { mut chain, pool, .. } = bench(PoolConfig::default());
    let waiting = batch(&mut chain);
    offer(&pool, &waiting).unwrap();
    let tip = pool.ledger.tip().unwrap();
    let content = receipt_core::block::BlockContent {
        height: Height::new(1),
        time: tip.time.plus_millis(3_600_000 * 24 * 365),
        parent_seal_hash: tip.seal_hash,
        proposer: receipt_core::ids::ValidatorId::new(2),
        proposer_round: 0,
        items: Vec::new(),
        salt: [9; 32],
    };
    let candidates = pool.candidates(0).unwrap();
    let block = CheckedBlock::assemble(content, candidates.governance, candidates.batches);
    let own = pool.ledger.execute_own(&block).unwrap();
    let received = pool.ledger.execute(&own.bytes, &receipt_core::state::NoCache, [1; 32]).unwrap();
    assert_eq!(own.block_id, received.block_id);
    assert_eq!(own.effects.writes, received.effects.writes);
    assert!(own.effects.outcomes[0].refusals.is_empty());
}

#[test]
fn governance_that_can_not_apply_never_waits() {
    let Bench { mut chain, pool, .. } = bench(PoolConfig::default());
    let unknown = receipt_core::governance::CloseSegment { segment_id: 999_999 };
    let message = chain.governance(vec![receipt_core::governance::Action::CloseSegment(unknown)]);
    assert!(matches!(pool.offer_governance(message), Err(PoolError::Refused { reason: Reason::FieldInvalid, .. })));
    let later = chain.governance(Vec::new());
    assert!(matches!(pool.offer_governance(later), Err(PoolError::Refused { reason: Reason::SequenceGap, .. })));
    assert!(!pool.has_work().unwrap());
}
