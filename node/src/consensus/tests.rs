//! What a node proposes, and what it keeps of proposals, across crashes and lost logs.

use receipt_core::ids::UnixMillis;
use receipt_core::state::NoCache;
use receipt_core::testkit::{TestChain, TestValidator};
use tallystick_engine::{ConsensusSigner as _, SignRequest, VoteSlot};
use tallystick_service::clock::FixedClock;
use tallystick_service::rng::SeededEntropy;

use super::*;
use crate::config::PoolConfig;
use crate::guard::GuardedSigner;
use crate::store::Store;

/// One validator's disk, and applications over it: each is what runs after a start.
struct Bench {
    parts: ConsensusParts,
    signer: GuardedSigner,
    clock: Arc<FixedClock>,
}

/// Who proposes in this round of height 1, as an index from 0.
fn proposer(chain: &TestChain, round: u32) -> ValidatorId {
    let directory = scratch::Directory::new();
    let store = Store::init(&directory.path().join("data"), chain.genesis()).unwrap();
    let (_, set) = Ledger::new(store, chain.genesis().clone()).next_height_set(Timeouts::default()).unwrap();
    ValidatorId::new(set.proposer_order[round as usize % set.proposer_order.len()].get())
}

fn bench(chain: &TestChain, validator: ValidatorId) -> Bench {
    let directory = scratch::Directory::new();
    let store = Store::init(&directory.path().join("data"), chain.genesis()).unwrap();
    let ledger = Ledger::new(store, chain.genesis().clone());
    let clock = Arc::new(FixedClock::new(chain.now()));
    let path = directory.path().join("guard.bin");
    Guard::create(&path, ledger.chain.id).unwrap();
    let guard = Arc::new(Guard::open(&path, ledger.chain.id).unwrap());
    let parts = ConsensusParts {
        pool: Arc::new(Pool::new(ledger.clone(), PoolConfig::default(), clock.clone())),
        heights: Arc::new(ChainHeights::new(Height::ZERO, Height::ZERO)),
        guard: Arc::clone(&guard),
        evidence: Arc::new(EvidenceFolder::open(directory.path().join("evidence")).unwrap()),
        clock: Arc::clone(&clock) as Arc<dyn Clock>,
        entropy: Arc::new(SeededEntropy::new(u64::from(validator.get()))),
        timeouts: Timeouts::default(),
        validator,
        ledger,
    };
    Bench { parts, signer: GuardedSigner::new(guard, &[1; 32]), clock }
}

impl Bench {
    fn start(&self) -> LedgerApplication {
        LedgerApplication::new(self.parts.clone(), Metrics::default())
    }

    /// Signs as the engine would have it; what was really signed does not matter here.
    fn sign(&self, request: &SignRequest) {
        let chain = &self.parts.ledger.chain.id.0.0;
        let preimage = match request {
            SignRequest::Precommit { slot, block_id } => tallystick_engine::precommit(chain, *slot, block_id.as_ref()),
            SignRequest::Proposal { slot, pol_round, block_id } => {
                tallystick_engine::proposal(chain, *slot, *pol_round, block_id)
            }
            other => panic!("{other:?}"),
        };
        self.signer.sign(request, &preimage).unwrap();
    }
}

fn received(own: &OwnProposal, round: u32, pol_round: Option<u32>, proposer: ValidatorId) -> ReceivedProposal {
    let (block_id, bytes) = (own.block_id, own.bytes.clone());
    ReceivedProposal { height: 1, round, pol_round, proposer: MemberId::new(proposer.get()), block_id, bytes }
}

fn at(round: u32) -> VoteSlot {
    VoteSlot { height: 1, round }
}

#[test]
fn an_own_block_is_built_once_whoever_proposes_it_again() {
    let chain = TestChain::new();
    let bench = bench(&chain, proposer(&chain, 0));
    let first = bench.start().own_proposal(1, 0).unwrap().unwrap();
    assert_eq!(bench.start().own_proposal(1, 0).unwrap().unwrap(), first, "after a crash");
    let again = received(&first, 5, Some(0), proposer(&chain, 5));
    assert_eq!(bench.start().receive(&again).unwrap(), Verdict::Valid);
    assert_eq!(bench.start().own_proposal(1, 0).unwrap().unwrap(), first, "proposed again by another");
    let synced = SyncedBlock { height: 1, round: 5, bytes: first.bytes.clone() };
    assert_eq!(bench.start().sync(&synced).unwrap(), SyncVerdict::Valid(first.block_id));
    assert_eq!(bench.start().own_proposal(1, 0).unwrap().unwrap(), first, "synced");
    assert_ne!(bench.start().own_proposal(1, 4).unwrap().unwrap().block_id, first.block_id, "another round");
}

/// Else one proposer halts the chain for good: it dates its block so that one honest validator finds it early and the others
/// do not, leaves those locked, and is silent.
#[test]
fn a_block_untimely_in_its_round_is_never_invalid() {
    let chain = TestChain::new();
    let block = bench(&chain, proposer(&chain, 0)).start().own_proposal(1, 0).unwrap().unwrap();
    let behind = || {
        let bench = bench(&chain, proposer(&chain, 2));
        bench.clock.set(UnixMillis::new(chain.now().get() - 10_200));
        bench
    };
    let bench = behind();
    let first = received(&block, 0, None, proposer(&chain, 0));
    let again = received(&block, 1, Some(0), proposer(&chain, 1));
    assert_eq!(bench.start().receive(&first).unwrap(), Verdict::Untimely);
    assert_eq!(bench.start().receive(&again).unwrap(), Verdict::Untimely, "prevotes decide, not what is said of them");
    let known = bench.parts.ledger.store.proposals(Height::new(1)).unwrap();
    assert!(matches!(known.as_slice(), [head] if head.valid && !head.timely), "{known:?}");
    // In time at last, and then for ever.
    bench.clock.advance_ms(200);
    assert_eq!(bench.start().receive(&first).unwrap(), Verdict::Valid);
    bench.clock.set(UnixMillis::new(chain.now().get() - 60_000));
    assert_eq!(bench.start().receive(&again).unwrap(), Verdict::Valid);

    // Synced or decided, nobody asks.
    let bench = behind();
    assert_eq!(bench.start().receive(&first).unwrap(), Verdict::Untimely);
    let synced = SyncedBlock { height: 1, round: 0, bytes: block.bytes.clone() };
    assert_eq!(bench.start().sync(&synced).unwrap(), SyncVerdict::Valid(block.block_id));
    let certificate = Certificate { height: 1, round: 0, block_id: block.block_id, signatures: Vec::new() };
    bench.start().commit(&certificate).unwrap();
    assert_eq!(bench.parts.ledger.tip().unwrap().height, Height::new(1));
}

const IDLE_MS: u64 = 11 * 60 * 1000;

/// One proposer with an old clock, or a malicious one, could else have every waiting receipt refused for good: after an idle spell of
/// eleven minutes it dates its block right after the old parent.
#[test]
fn a_block_dated_by_an_old_clock_is_untimely_and_carries_nothing_that_it_would_refuse() {
    let mut chain = TestChain::new();
    let [slow, right] = [0, 1].map(|round| bench(&chain, proposer(&chain, round)));
    chain.let_pass(IDLE_MS);
    right.clock.set(chain.now());
    slow.clock.set(UnixMillis::new(chain.genesis().time.get() + 1));
    // A full pool: some waited before, some came after the pause.
    let batches: Vec<_> = (0..8)
        .map(|_| {
            let record = chain.issue("S01").record;
            chain.batch(vec![record])
        })
        .collect();
    for bench in [&slow, &right] {
        for batch in &batches {
            bench.parts.pool.offer(batch.header.clone(), batch.records.clone(), [0; 32]).unwrap();
        }
    }
    let block = slow.start().own_proposal(1, 0).unwrap().unwrap();
    assert_eq!(receipt_core::block::Block::decode(&block.bytes).unwrap().content.items, [], "they wait");
    assert!(slow.parts.pool.size().batches == 8, "and stay");
    let verdict = right.start().receive(&received(&block, 0, None, proposer(&chain, 0))).unwrap();
    assert_eq!(verdict, Verdict::Untimely);
    // The next proposer's clock is right.
    let mut app = right.start();
    app.round = 1;
    let next = app.own_proposal(1, 1).unwrap().unwrap();
    assert_eq!(receipt_core::block::Block::decode(&next.bytes).unwrap().content.items.len(), 8);
    let executed = right.parts.ledger.execute(&next.bytes, right.parts.pool.as_ref(), [0; 32]).unwrap();
    assert!(executed.effects.outcomes.iter().all(|outcome| outcome.refusals.is_empty()));
    // A malicious one puts them in all the same: no block with them is valid.
    let mut content = receipt_core::block::Block::decode(&block.bytes).unwrap().content;
    content.items = vec![receipt_core::block::Item::Batch(batches[0].clone())];
    let (chain_id, cache) = (right.parts.ledger.chain.id, receipt_core::state::NoCache);
    let check = |key: &dyn Fn(_) -> _| CheckedBlock::check(content, chain_id, &cache, key, [0; 32]);
    let forced = right.parts.ledger.with_keys(check).unwrap().unwrap();
    let refused = right.parts.ledger.execute_own(&forced).unwrap_err();
    assert!(matches!(refused, ApplyError::Refused(BlockRefusal::Batch { reason: Reason::TooEarly, .. })), "{refused}");
}

/// Clocks of two halves that differ by more than the bound would else never agree on a block.
#[test]
fn a_late_block_is_timely_in_a_later_round() {
    let chain = TestChain::new();
    let bounds = chain.genesis().timeliness;
    let behind_ms = 30_000;
    let first_round = u32::try_from((behind_ms - bounds.behind_ms_max).div_ceil(bounds.behind_round_ms)).unwrap();
    for (round, expected) in
        [(0, Verdict::Untimely), (first_round - 1, Verdict::Untimely), (first_round, Verdict::Valid)]
    {
        let block = bench(&chain, proposer(&chain, round)).start().own_proposal(1, round).unwrap().unwrap();
        let right = bench(&chain, proposer(&chain, round + 1));
        right.clock.advance_ms(behind_ms);
        let mut app = right.start();
        app.round = round;
        let verdict = app.receive(&received(&block, round, None, proposer(&chain, round))).unwrap();
        assert_eq!(verdict, expected, "round {round}");
    }
}

/// The quorum's clocks were ahead, and were set right: further rounds would be in vain, and grow longer.
#[tokio::test]
async fn a_chain_whose_time_lies_ahead_of_the_clock_rests_until_a_block_can_come_in_time() {
    let mut chain = TestChain::new();
    let bench = bench(&chain, proposer(&chain, 0));
    let mut app = bench.start();
    let record = chain.issue("S01").record;
    let batch = chain.batch(vec![record]);
    bench.parts.pool.offer(batch.header, batch.records, [0; 32]).unwrap();
    assert!(!app.is_idle(1).await.unwrap());
    let tip = bench.parts.ledger.tip().unwrap().time.get();
    bench.clock.set(UnixMillis::new(tip - 10_000));
    assert!(app.is_idle(1).await.unwrap());
    bench.clock.advance_ms(1);
    assert!(!app.is_idle(1).await.unwrap());
}

/// Members that have left sign no more: until the new set has decided a block, nobody says a later time of the ledger.
#[tokio::test]
async fn the_first_height_of_a_validator_set_is_never_idle_and_is_the_new_sets() {
    let mut chain = TestChain::new();
    chain.rotate_validators((4..=8).map(TestValidator::new).collect());
    let first = chain.height().get() + 1;
    chain.add_block(&[]);
    let bench = bench(&chain, ValidatorId::new(4));
    bench.clock.set(chain.now());
    let mut app = bench.start();
    for block in &chain.blocks()[1..] {
        let height = app.start_height().unwrap();
        assert_eq!(app.is_idle(height.height).await.unwrap(), height.height != first);
        let members = chain.validators_at(Height::new(height.height)).iter().map(|member| member.public());
        let members: Vec<_> = members.map(|member| (member.id.get(), member.consensus_key.0)).collect();
        let asked = height.set.members.iter().map(|member| (member.id.get(), member.public_key));
        assert_eq!(asked.collect::<Vec<_>>(), members);
        if height.height == first {
            // Only its seal can end a rest for want of seals.
            bench.parts.heights.decided(Height::new(first + 2 * limits::UNSEALED_HEIGHTS_MAX));
            assert!(!app.is_idle(first).await.unwrap());
        }
        let executed = bench.parts.ledger.execute(&block.bytes, &NoCache, [0; 32]).unwrap();
        bench.parts.ledger.store.commit_block(&executed.effects, &block.bytes, &block.certificate).unwrap();
    }
    assert!(app.is_idle(first + 1).await.unwrap());
}

/// A proposer could hide the turns that it and others missed, or spoil a block for those that had not received it.
#[test]
fn a_block_of_another_round_is_untimely_whatever_proof_is_claimed_and_timely_in_its_own() {
    let chain = TestChain::new();
    let block = bench(&chain, proposer(&chain, 0)).start().own_proposal(1, 0).unwrap().unwrap();
    for pol_round in [None, Some(0)] {
        let bench = bench(&chain, proposer(&chain, 2));
        let early = received(&block, 1, pol_round, proposer(&chain, 1));
        assert_eq!(bench.start().receive(&early).unwrap(), Verdict::Untimely);
        let own = received(&block, 0, None, proposer(&chain, 0));
        assert_eq!(bench.start().receive(&own).unwrap(), Verdict::Valid);
        assert_eq!(bench.start().receive(&early).unwrap(), Verdict::Valid, "it came in time once");
    }
    // In a turn that is over.
    let late = bench(&chain, proposer(&chain, 2));
    let mut app = late.start();
    app.round = 4;
    assert_eq!(app.receive(&received(&block, 0, None, proposer(&chain, 0))).unwrap(), Verdict::Untimely);
    // By nobody's rules.
    let mut bytes = block.bytes.to_vec();
    bytes.truncate(bytes.len() - 1);
    let broken = OwnProposal {
        block_id: BlockId(receipt_core::block::block_id(receipt_core::suite::Suite::Ed25519Sha256, &bytes).0),
        bytes: bytes.into(),
    };
    let bench = bench(&chain, proposer(&chain, 2));
    for round in [0, 4] {
        let broken = received(&broken, round, None, proposer(&chain, 0));
        assert_eq!(bench.start().receive(&broken).unwrap(), Verdict::Invalid, "for ever");
    }
}

#[test]
fn a_validator_that_lost_its_log_proposes_what_it_is_locked_on() {
    let chain = TestChain::new();
    let other = bench(&chain, proposer(&chain, 0)).start().own_proposal(1, 0).unwrap().unwrap();
    let bench = bench(&chain, proposer(&chain, 1));
    assert_eq!(bench.start().receive(&received(&other, 0, None, proposer(&chain, 0))).unwrap(), Verdict::Valid);
    bench.sign(&SignRequest::Precommit { slot: at(0), block_id: Some(other.block_id) });
    let proposed = bench.start().own_proposal(1, 1).unwrap().unwrap();
    assert_eq!(proposed, other);
    bench.sign(&SignRequest::Proposal { slot: at(1), pol_round: None, block_id: other.block_id });
    assert_eq!(bench.start().own_proposal(1, 1).unwrap().unwrap(), other);
    // Proposed with a proof that is lost: not in this round again.
    bench.sign(&SignRequest::Proposal { slot: at(5), pol_round: Some(0), block_id: other.block_id });
    assert_eq!(bench.start().own_proposal(1, 5).unwrap(), None);
    assert_eq!(bench.start().own_proposal(1, 9).unwrap().unwrap(), other);
}

#[test]
fn a_signed_proposal_whose_block_is_gone_is_not_replaced() {
    let chain = TestChain::new();
    let bench = bench(&chain, proposer(&chain, 0));
    bench.sign(&SignRequest::Proposal { slot: at(0), pol_round: None, block_id: BlockId([9; 32]) });
    assert_eq!(bench.start().own_proposal(1, 0).unwrap(), None);
    assert!(bench.start().own_proposal(1, 4).unwrap().is_some());
}

#[test]
fn executed_blocks_are_bounded_and_a_displaced_one_is_committed_all_the_same() {
    let chain = TestChain::new();
    let sender = proposer(&chain, 0);
    let mut many = bench(&chain, sender).start();
    let bench = bench(&chain, proposer(&chain, 1));
    let mut app = bench.start();
    let mut first = None;
    for _ in 0..3 * EXECUTED_MAX {
        let built = many.build_block(1, 0).unwrap();
        let own = OwnProposal { block_id: BlockId(built.block_id.0), bytes: built.bytes.into() };
        assert_eq!(app.receive(&received(&own, 0, None, sender)).unwrap(), Verdict::Valid);
        first.get_or_insert(own.block_id);
        assert!(app.executed.0.len() <= EXECUTED_MAX);
    }
    let certificate = Certificate { height: 1, round: 0, block_id: first.unwrap(), signatures: Vec::new() };
    app.commit(&certificate).unwrap();
    assert_eq!(app.parts.ledger.tip().unwrap().height, Height::new(1));
    assert!(app.executed.0.is_empty());
}
