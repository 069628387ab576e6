use receipt_core::area::Area;
use receipt_core::authorities::AuthoritySet;
use receipt_core::block::Item;
use receipt_core::governance::{
    Action, CloseSegment, FenceIssuer, Governance, NumberRange, RegisterKind, RevokeKey, SetAreaAuthorities,
    SetValidators, SettleSegment,
};
use receipt_core::ids::Height;
use receipt_core::state::CheckedBlock;
use receipt_core::suite::{Signer, SoftwareKey, Suite};
use receipt_core::testkit::{TestChain, software_key};
use tallystick_service::clock::FixedClock;

use super::*;
use crate::store::Store;

/// A pool over a store at genesis, and the chain whose issuer signs.
struct Bench {
    chain: TestChain,
    pool: Pool,
    clock: Arc<FixedClock>,
}

fn bench(bounds: PoolConfig) -> Bench {
    let directory = scratch::Directory::new();
    let chain = TestChain::new();
    let store = Store::init(&directory.path().join("data"), chain.genesis()).unwrap();
    let clock = Arc::new(FixedClock::new(chain.now()));
    let pool = Pool::new(Ledger::new(store, chain.genesis().clone()), bounds, clock.clone());
    Bench { chain, pool, clock }
}

fn batch(chain: &mut TestChain) -> Batch {
    let receipt = chain.issue("S01");
    chain.batch(vec![receipt.record])
}

fn offer(pool: &Pool, batch: &Batch) -> Result<Offered, PoolError> {
    pool.offer(batch.header.clone(), batch.records.clone(), [0; 32])
}

/// Work for a block of now.
fn candidates(pool: &Pool) -> Result<Candidates, StoreError> {
    pool.candidates(0, pool.block_time()?)
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
    assert!(candidates(&pool).unwrap().batches.is_empty());
    offer(&pool, &first).unwrap();
    assert!(pool.has_work().unwrap());
    let hashes: Vec<Hash> = candidates(&pool).unwrap().batches.iter().map(|batch| batch.header_hash()).collect();
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
fn a_batch_of_a_fenced_epoch_waits_no_longer() {
    let Bench { mut chain, pool, .. } = bench(PoolConfig::default());
    let batch = batch(&mut chain);
    offer(&pool, &batch).unwrap();
    let fence =
        chain.governance(vec![Action::FenceIssuer(FenceIssuer { issuer_id: 1, epoch: 2, journal: Vec::new() })]);
    chain.add_items(vec![Item::Governance(fence)]).unwrap();
    let block = &chain.blocks()[1];
    let executed = pool.ledger.execute(&block.bytes, &pool, [0; 32]).unwrap();
    pool.ledger.store.commit_block(&executed.effects, &block.bytes, &block.certificate).unwrap();
    pool.forget_decided(&executed.effects).unwrap();
    assert_eq!(pool.size(), PoolSize { batches: 0, records: 0, bytes: 0 });
    assert!(matches!(offer(&pool, &batch), Err(PoolError::Refused { reason: Reason::EpochFenced, .. })));
}

#[test]
fn a_batch_under_a_key_that_has_ended_is_refused_and_waits_no_longer() {
    let Bench { mut chain, pool, .. } = bench(PoolConfig::default());
    let first = batch(&mut chain);
    offer(&pool, &first).unwrap();
    let last = first.header.header.last_issue_time.get();
    let mut revoke = |revoked_from_ms: u64| {
        let revocation = RevokeKey { key_id: first.header.header.signing_key.get(), revoked_from_ms };
        let message = chain.governance(vec![Action::RevokeKey(revocation)]);
        chain.add_items(vec![Item::Governance(message)]).unwrap();
        let block = chain.blocks().last().unwrap();
        let executed = pool.ledger.execute(&block.bytes, &pool, [0; 32]).unwrap();
        pool.ledger.store.commit_block(&executed.effects, &block.bytes, &block.certificate).unwrap();
        pool.forget_decided(&executed.effects).unwrap();
    };
    revoke(last + 1);
    assert_eq!(offer(&pool, &first).unwrap(), Offered::Pooled { known: true }, "issued before the revocation");
    revoke(last);
    assert_eq!(pool.size(), PoolSize { batches: 0, records: 0, bytes: 0 });
    assert_eq!(reason(offer(&pool, &first)), Reason::KeyRevoked);
}

/// Nothing of it is refused for good: the ledger's tip may be old, and so may this node's clock.
#[test]
fn a_batch_ahead_of_the_clock_is_kept_and_proposed_when_a_block_may_carry_it() {
    const HOUR_MS: u64 = 3_600_000;
    let Bench { mut chain, pool, clock, .. } = bench(PoolConfig::default());
    let ripe = batch(&mut chain);
    chain.let_pass(2 * HOUR_MS);
    let (early, after) = (batch(&mut chain), batch(&mut chain));
    offer(&pool, &ripe).unwrap();
    let wait_ms = early.header.header.ripe_at().since(clock.now());
    assert_eq!(offer(&pool, &early).unwrap(), Offered::Early { known: false, wait_ms });
    assert_eq!(offer(&pool, &early).unwrap(), Offered::Early { known: true, wait_ms }, "a hint for whoever asks again");
    offer(&pool, &after).unwrap();
    let hashes = |pool: &Pool| -> Vec<Hash> {
        candidates(pool).unwrap().batches.iter().map(|batch| batch.header_hash()).collect()
    };
    assert_eq!(hashes(&pool), [ripe.header.header_hash()]);
    assert_eq!(pool.early_batches(), 2);

    // The first is decided; what is early is no work for an idle chain.
    let items = vec![Item::Batch(ripe.clone())];
    let mut twin = TestChain::new();
    twin.add_items(items).unwrap();
    let block = &twin.blocks()[1];
    let executed = pool.ledger.execute(&block.bytes, &pool, [0; 32]).unwrap();
    pool.ledger.store.commit_block(&executed.effects, &block.bytes, &block.certificate).unwrap();
    pool.forget_decided(&executed.effects).unwrap();
    assert!(!pool.has_work().unwrap());
    clock.advance_ms(wait_ms - 1);
    assert!(!pool.has_work().unwrap());
    clock.advance_ms(1);
    assert!(pool.has_work().unwrap());
    assert_eq!(hashes(&pool)[0], early.header.header_hash());
    assert_eq!(offer(&pool, &early).unwrap(), Offered::Pooled { known: true });
}

/// After a night the tip is old; a receipt of this morning is not early.
#[test]
fn after_an_idle_spell_the_clock_counts_and_not_the_old_tip() {
    let Bench { mut chain, pool, clock, .. } = bench(PoolConfig::default());
    chain.let_pass(9 * 3_600_000);
    clock.set(chain.now());
    let morning = batch(&mut chain);
    assert_eq!(offer(&pool, &morning).unwrap(), Offered::Pooled { known: false });
    assert_eq!(candidates(&pool).unwrap().batches.len(), 1);
}

/// A block carries it, refuses it, and spends its sequence: what follows is not kept waiting until then.
#[test]
fn a_batch_of_2099_is_no_early_one() {
    let Bench { mut chain, pool, .. } = bench(PoolConfig::default());
    let mut future = TestChain::new();
    future.wait_until(UnixMillis::new(4_070_908_800_000));
    let (first, second) = (batch(&mut future), batch(&mut chain));
    assert_eq!(offer(&pool, &first).unwrap(), Offered::Pooled { known: false });
    let (content, work) = {
        let tip = pool.ledger.tip().unwrap();
        let content = receipt_core::block::BlockContent {
            height: Height::new(1),
            time: pool.block_time().unwrap(),
            parent_seal_hash: tip.seal_hash,
            proposer: receipt_core::ids::ValidatorId::new(2),
            proposer_round: 0,
            items: Vec::new(),
            salt: [9; 32],
        };
        (content, candidates(&pool).unwrap())
    };
    let own = pool.ledger.execute_own(&CheckedBlock::assemble(content, work.governance, work.batches)).unwrap();
    let refusals = &own.effects.outcomes[0].refusals;
    assert!(matches!(refusals.as_slice(), [refusal] if refusal.reason == Reason::TimeInvalid), "{refusals:?}");
    pool.ledger.store.commit_block(&own.effects, &own.bytes, &[]).unwrap();
    pool.forget_decided(&own.effects).unwrap();
    assert_eq!(second.header.header.sequence, first.header.header.sequence);
    assert_eq!(pool.issuer(IssuerId::new(1)).unwrap().unwrap().next_sequence, 2);
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
    assert_eq!(candidates(&pool).unwrap().governance, vec![message]);
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
    let candidates = candidates(&pool).unwrap();
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

/// Decides a block of these items, on the chain and in the pool's ledger.
fn decide(chain: &mut TestChain, pool: &Pool, items: Vec<Item>) {
    chain.add_items(items).unwrap();
    let block = chain.blocks().last().unwrap();
    let executed = pool.ledger.execute(&block.bytes, pool, [0; 32]).unwrap();
    pool.ledger.store.commit_block(&executed.effects, &block.bytes, &block.certificate).unwrap();
    pool.forget_decided(&executed.effects).unwrap();
}

/// A message that the next block may carry and no later one: its height of effect is too near then.
fn of_the_next_block_alone(chain: &mut TestChain) -> SignedGovernance {
    let (effective_height, validators) = (chain.height().get() + 3, chain.genesis().validators.clone());
    chain.governance(vec![Action::SetValidators(SetValidators { effective_height, validators })])
}

#[test]
fn of_two_messages_that_exclude_each_other_the_one_not_decided_leaves_the_pool() {
    let Bench { mut chain, pool, .. } = bench(PoolConfig::default());
    let kind = |kind| vec![Action::RegisterKind(RegisterKind::named(kind, "kind"))];
    let waits = TestChain::new().governance(kind(990_777));
    assert!(!pool.offer_governance(waits.clone()).unwrap());
    let other = chain.governance(kind(990_778));
    decide(&mut chain, &pool, vec![Item::Governance(other)]);
    assert_eq!((pool.governance(), pool.has_work().unwrap()), (Vec::new(), false));
    assert_eq!(governance_refusal(&pool, waits).0, Reason::SequenceConflict);
}

#[test]
fn governance_that_no_later_block_may_carry_leaves_the_pool_and_its_submitter_hears_why() {
    type Make = fn(&mut TestChain) -> SignedGovernance;
    let expired: Make = |chain| chain.governance_until(Height::new(1), Vec::new());
    let cases = [
        ("two heights on at the earliest", of_the_next_block_alone as Make),
        ("it expires at height 1, the next is 2", expired),
    ];
    for (problem, message) in cases {
        let Bench { mut chain, pool, .. } = bench(PoolConfig::default());
        let message = message(&mut chain);
        assert!(!pool.offer_governance(message.clone()).unwrap());
        assert!(pool.has_work().unwrap());
        decide(&mut chain, &pool, Vec::new());
        assert_eq!(pool.governance(), Vec::new(), "{problem}: offered to no peer");
        assert!(!pool.has_work().unwrap(), "{problem}: no block is made for it");
        let (reason, detail) = governance_refusal(&pool, message);
        assert_eq!(reason, Reason::FieldInvalid);
        assert!(detail.contains(problem), "{detail}");
    }
}

/// An area that always has a next message keeps nobody from theirs: not the chain's own authorities, not another area.
#[test]
fn messages_of_areas_wait_beside_each_other_and_the_chains_come_first() {
    let Bench { mut chain, pool, .. } = bench(PoolConfig::default());
    let id = chain.genesis().chain_id();
    let sign = |message: Governance, names: &[&str]| {
        let keys: Vec<SoftwareKey> = names.iter().map(|name| software_key(name)).collect();
        let keys: Vec<&dyn Signer> = keys.iter().map(|key| key as &dyn Signer).collect();
        SignedGovernance::sign(message, id, &keys)
    };
    let name = |area: u32, name: &str| {
        let set = AuthoritySet { keys: vec![software_key(name).public_key()], threshold: 1 };
        Action::SetAreaAuthorities(SetAreaAuthorities { area: Area::new(area).unwrap(), set })
    };
    let of_area = |area: u32, sequence, previous, signer: &str| {
        let (area, suite, expiry) = (Area::new(area), Suite::Ed25519Sha256, Height::new(90));
        sign(Governance { suite, area, sequence, expiry, previous, actions: Vec::new() }, &[signer])
    };
    let zeros = receipt_core::hash::Hash([0; 32]);
    let early = of_area(990_106, 1, zeros, "district");
    let (reason, detail) = governance_refusal(&pool, early);
    assert_eq!((reason, &*detail), (Reason::SignatureInvalid, "area 990106 has no authorities of its own"));
    let named = chain.governance(vec![name(990_106, "district"), name(990_108, "other")]).governance;
    let named = sign(named, &["authority-0", "authority-1", "district", "other"]);
    decide(&mut chain, &pool, vec![Item::Governance(named)]);

    let (one, other) = (of_area(990_106, 1, zeros, "district"), of_area(990_108, 1, zeros, "other"));
    let own = chain.governance(Vec::new());
    for message in [&other, &one, &own] {
        assert!(!pool.offer_governance(message.clone()).unwrap());
        assert!(pool.offer_governance(message.clone()).unwrap(), "known");
    }
    // Areas take turns behind the chain's own message.
    for (start, expected) in [(0, [&own, &one, &other]), (1, [&own, &other, &one])] {
        let found = pool.candidates(start, pool.block_time().unwrap()).unwrap().governance;
        assert_eq!(found.iter().collect::<Vec<_>>(), expected);
    }
    decide(&mut chain, &pool, vec![Item::Governance(one.clone())]);
    assert_eq!(pool.governance(), [own.clone(), other.clone()], "the others wait on");
    let next = of_area(990_106, 2, one.hash(), "district");
    assert!(!pool.offer_governance(next.clone()).unwrap());
    assert_eq!(governance_refusal(&pool, one).0, Reason::SequenceConflict);
    pool.drop_governance(Area::new(990_106), 2);
    assert_eq!(pool.governance(), [own, other], "only what is meant is dropped");
}

/// Signatures are most of a message that hundreds sign. Had they not counted, a proposer would have made a block above the limit, and ended.
#[test]
fn messages_take_no_more_of_a_block_than_half_with_all_their_signatures() {
    let Bench { mut chain, pool, .. } = bench(PoolConfig::default());
    let mut message = chain.governance(Vec::new());
    let signed = message.signatures[0];
    message.signatures = vec![signed; 64];
    let size = message.encode().len();
    let (first, enough) = (message.governance.sequence, limits::BLOCK_BYTES_MAX / size);
    let waiting = (first..).map(|sequence| ((None, sequence), message.clone())).take(enough);
    pool.waiting().governance.extend(waiting);
    let found = pool.candidates(0, pool.block_time().unwrap()).unwrap().governance;
    let taken: usize = found.iter().map(|message| message.encode().len()).sum();
    let half = limits::BLOCK_BYTES_MAX / 2;
    assert!(taken <= half && taken > half - 2 * size, "{taken} bytes of {} messages", found.len());
}

/// A block that is decided between a message's check and its place in the pool does not see it there.
#[test]
fn governance_checked_before_a_block_gets_in_after_it_only_if_it_is_checked_again() {
    let Bench { mut chain, pool, .. } = bench(PoolConfig::default());
    let checked_at = pool.ledger.tip().unwrap().height;
    let message = of_the_next_block_alone(&mut chain);
    assert_eq!(pool.check_governance(&message).unwrap(), checked_at);
    decide(&mut chain, &pool, Vec::new());
    assert_eq!(pool.keep_governance(&message, checked_at).unwrap(), None);
    assert_eq!(pool.governance(), Vec::new());
}

/// After an idle night the tip is old, and a block of now may carry what one right after it could not.
#[test]
fn governance_is_judged_by_the_time_of_a_block_of_now() {
    let Bench { mut chain, pool, clock, .. } = bench(PoolConfig::default());
    let segment = chain.genesis().actions.iter().find_map(|action| match action {
        Action::AllocateSegment(segment) => Some(segment.clone()),
        _ => None,
    });
    let segment = segment.unwrap();
    let (segment_id, first, last) = (segment.segment_id, segment.first_number, segment.last_number);
    let close = chain.governance(vec![Action::CloseSegment(CloseSegment { segment_id })]);
    decide(&mut chain, &pool, vec![Item::Governance(close)]);
    let void = vec![NumberRange { first, last }];
    let settle = chain.governance(vec![Action::SettleSegment(SettleSegment { segment_id, void, lost: Vec::new() })]);
    assert!(governance_refusal(&pool, settle.clone()).1.contains("within the grace"));
    clock.advance_ms(limits::REVOCATION_GRACE_MS + 60_000);
    assert!(!pool.offer_governance(settle).unwrap());
}

fn governance_refusal(pool: &Pool, message: SignedGovernance) -> (Reason, String) {
    match pool.offer_governance(message) {
        Err(PoolError::Refused { reason, detail }) => (reason, detail),
        other => panic!("expected a refusal, got {other:?}"),
    }
}

/// Several batches at consecutive sequences, of one receipt each.
fn batches(chain: &mut TestChain, count: usize) -> Vec<Batch> {
    (0..count).map(|_| batch(chain)).collect()
}

fn byte_size(batch: &Batch) -> usize {
    batch.records.iter().map(Vec::len).sum::<usize>() + batch.header.header_bytes.len()
}

#[test]
fn batches_ahead_never_keep_the_next_one_out() {
    let mut chain = TestChain::new();
    let all = batches(&mut chain, 12);
    // Room for eight; a quarter of it is two.
    let bytes_max = all.iter().map(byte_size).max().unwrap() * 8;
    let Bench { pool, .. } = bench(PoolConfig { bytes_max, issuer_batches_max: 64 });
    let mut taken = 0;
    for ahead in &all[1..] {
        match offer(&pool, ahead) {
            Ok(_) => taken += 1,
            Err(error) => assert!(matches!(error, PoolError::Full { .. }), "{error}"),
        }
    }
    assert_eq!(taken, 2, "an issuer's share");
    offer(&pool, &all[0]).unwrap();
    assert!(pool.has_work().unwrap());
}

#[test]
fn the_next_batch_pushes_out_the_furthest_one() {
    let mut chain = TestChain::new();
    let all = batches(&mut chain, 3);
    let bytes_max = all.iter().map(byte_size).max().unwrap() * 8;
    let Bench { pool, .. } = bench(PoolConfig { bytes_max, issuer_batches_max: 64 });
    offer(&pool, &all[1]).unwrap();
    offer(&pool, &all[2]).unwrap();
    // As full as others could make it.
    pool.waiting().bytes = bytes_max;
    offer(&pool, &all[0]).unwrap();
    let left: Vec<Hash> = pool.hashes();
    assert_eq!(left, vec![all[0].header.header_hash(), all[1].header.header_hash()]);
}

#[test]
fn copies_of_one_batch_are_checked_once_and_its_bytes_are_given_back() {
    let Bench { mut chain, pool, .. } = bench(PoolConfig::default());
    let records: Vec<Vec<u8>> = (0..64).map(|_| chain.issue("S01").record).collect();
    let good = chain.batch(records);
    let mut bad = good.clone();
    bad.records[63][40] ^= 1;
    let outcomes: Vec<Result<Offered, PoolError>> = std::thread::scope(|scope| {
        let pool = &pool;
        let copies = (0..16).map(|turn| if turn % 4 == 0 { bad.clone() } else { good.clone() });
        let threads: Vec<_> = copies.map(|copy| scope.spawn(move || offer(pool, &copy))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let taken = outcomes.iter().filter(|outcome| matches!(outcome, Ok(Offered::Pooled { known: false }))).count();
    assert_eq!(taken, 1, "{outcomes:?}");
    // A copy with other records under the same header takes nothing from the good ones.
    let good_ones = outcomes.iter().enumerate().filter(|(turn, _)| turn % 4 != 0);
    assert!(good_ones.into_iter().all(|(_, outcome)| outcome.is_ok()), "{outcomes:?}");
    assert_eq!(pool.size().bytes, byte_size(&good));
    pool.drop_batch(good.header.header_hash());
    assert_eq!(pool.size(), PoolSize { batches: 0, records: 0, bytes: 0 });
    assert_eq!(reason(offer(&pool, &bad)), Reason::RootMismatch);
    assert_eq!(pool.size().bytes, 0);
}

#[test]
fn a_paused_pool_offers_no_batches_and_wakes_when_it_goes_on() {
    let Bench { mut chain, pool, .. } = bench(PoolConfig::default());
    offer(&pool, &batch(&mut chain)).unwrap();
    pool.pause(true);
    assert!(!pool.has_work().unwrap());
    assert!(candidates(&pool).unwrap().batches.is_empty());
    let mut changed = pool.subscribe();
    changed.borrow_and_update();
    pool.pause(false);
    assert!(changed.has_changed().unwrap());
    assert!(pool.has_work().unwrap());
    assert_eq!(candidates(&pool).unwrap().batches.len(), 1);
}

#[test]
fn a_batch_without_a_budget_to_be_refused_is_kept_back_and_comes_again() {
    let Bench { mut chain, pool, clock, .. } = bench(PoolConfig::default());
    let waits = batch(&mut chain);
    assert_eq!(offer(&pool, &waits).unwrap(), Offered::Pooled { known: false });
    assert!(pool.has_work().unwrap());
    let hash = waits.header.header_hash();
    pool.set_aside(hash, pool.block_time().unwrap()).unwrap();
    assert!(!pool.has_work().unwrap(), "no block is made for it");
    assert_eq!(candidates(&pool).unwrap().batches.len(), 0);
    assert_eq!(offer(&pool, &waits).unwrap(), Offered::Pooled { known: true }, "it is not lost");
    clock.advance_ms(BUDGET_PAUSE_MS);
    assert!(pool.has_work().unwrap());
    assert_eq!(candidates(&pool).unwrap().batches.len(), 1);
    // What is not here can not be set aside.
    pool.drop_batch(hash);
    pool.set_aside(hash, pool.block_time().unwrap()).unwrap();
    assert_eq!(pool.size().batches, 0);
}
