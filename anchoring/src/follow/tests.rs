use bytes::Bytes;
use receipt_core::authorities::AuthoritySet;
use receipt_core::block::Item;
use receipt_core::governance::{Action, FenceIssuer, RegisterKind};
use receipt_core::hash::Hash;
use receipt_core::ids::{BatchSequence, LeafIndex, UnixMillis};
use receipt_core::note::PosixSeconds;
use receipt_core::reason::Reason;
use receipt_core::state::Writes;
use receipt_core::state::tables::{GovernanceState, META_GOVERNANCE, Table};
use receipt_core::testkit::{ISSUER, TestChain, TestValidator, issuer_key};
use receipt_core::trust::{SetEnd, TrustFile};
use receipt_core::validators::ValidatorSet;
use tallystick_proto::ledger::v1::SubmitBatchRequest;
use tallystick_service::clock::FixedClock;
use tallystick_service::metrics::Readiness;

use super::*;
use crate::fate::{Fate, fate};
use crate::flight::Flight;
use crate::gate::Gate;
use crate::journal::Durability;
use crate::judge::CheckpointJudge;
use crate::owner::Committed;
use crate::testkit::ledger::FakeLedger;
use crate::testkit::process::{TestProcess, init};
use crate::testkit::{ledger_block, offered};
use crate::trust::{FollowedTrust, TrustError};

struct Fixture {
    chain: TestChain,
    process: TestProcess,
}

fn fixture() -> Fixture {
    let dir = scratch::Directory::new();
    let chain = TestChain::new();
    let process = TestProcess::start(init(dir.path(), &chain), &chain);
    Fixture { chain, process }
}

#[test]
fn a_sealed_batch_seals_its_records_and_wakes_who_waits() {
    let Fixture { mut chain, mut process } = fixture();
    let keys: Vec<_> = (0..3).map(|_| process.acknowledge(&mut chain)).collect();
    let mut waiting = process.desk.waiters.register(keys[1]);
    let (sequence, request) = process.cut();
    assert_eq!(process.desk.flight.count(), 1);
    assert_eq!(fate(process.journal(), keys[0]).unwrap(), Fate::Pending);
    let height = chain.add_items(vec![offered(&request)]).unwrap();
    assert!(waiting.try_recv().is_err());
    process.follow(&chain);
    for (index, key) in (0..).zip(&keys) {
        let Fate::Sealed { sequence: of, index: at, height: sealed, .. } = fate(process.journal(), *key).unwrap()
        else {
            panic!("{key:?} is not sealed");
        };
        assert_eq!((of, at, sealed), (sequence, index, height));
        assert_eq!(process.told(*key), Some(2), "the owner's row is of the same write");
    }
    waiting.try_recv().unwrap();
    assert_eq!(process.desk.flight.count(), 0);
    let event = process.journal().event(1).unwrap().unwrap();
    assert_eq!((event.sequence, event.note.as_slice()), (sequence.get(), &b"sealed"[..]));
    assert_eq!(*process.owner.committed.lock().unwrap(), [Committed { sealed: 3, ..Committed::default() }]);
}

#[test]
fn a_refused_batch_ends_the_bad_and_cuts_the_good_again() {
    let Fixture { mut chain, mut process } = fixture();
    let bad_key = process.acknowledge(&mut chain);
    let good = process.acknowledge(&mut chain);
    let (first, request) = process.cut();
    // Corrupt one signature in the batch, under a genuine header.
    let bad = corrupt_first(&process, &request);
    chain.add_items(vec![bad.item]).unwrap();
    replace_header(&process, first, &bad.header);
    process.follow(&chain);
    let reason = Reason::SignatureInvalid;
    assert!(matches!(fate(process.journal(), bad_key).unwrap(), Fate::Refused { reason: why, .. } if why == reason));
    assert_eq!(fate(process.journal(), good).unwrap(), Fate::Pending);
    assert_eq!((process.told(bad_key), process.told(good)), (Some(3), Some(1)));
    let refused = Committed { refused: vec![(bad_key, reason)], ..Committed::default() };
    assert_eq!(*process.owner.committed.lock().unwrap(), [refused]);
    let event = process.journal().event(1).unwrap().unwrap();
    assert_eq!(
        (event.refused_indexes, event.refused_reasons, event.note),
        (vec![0], vec![reason.code()], b"refused".to_vec())
    );
    assert_eq!(process.desk.backlog.records(), 1);
    let (second, again) = process.cut();
    assert_eq!(second, first.next().unwrap());
    assert_eq!(again.records, vec![request.records[1].clone()], "the same signed record");
    chain.add_items(vec![offered(&again)]).unwrap();
    process.follow(&chain);
    assert!(matches!(fate(process.journal(), good).unwrap(), Fate::Sealed { sequence, .. } if sequence == second));
}

struct BadBatch {
    item: Item,
    header: Vec<u8>,
}

/// The batch with its first record's signature spoilt, under a header that fits.
fn corrupt_first(process: &TestProcess, request: &SubmitBatchRequest) -> BadBatch {
    use receipt_core::batch::SignedBatchHeader;
    use receipt_core::merkle::InnerTree;
    let mut records: Vec<Vec<u8>> = request.records.iter().map(|record| record.to_vec()).collect();
    let last = records[0].len() - 1;
    records[0][last] ^= 1;
    let mut header = SignedBatchHeader::decode(&request.signed_header).unwrap().header;
    header.root = InnerTree::from_leaves(header.suite, &records).unwrap().root();
    let chain = process.journal().identity().chain;
    let signed = SignedBatchHeader::sign(header, chain, &issuer_key());
    let header = signed.encode();
    BadBatch { item: Item::Batch(receipt_core::block::Batch { header: signed, records }), header }
}

/// Makes the journal believe that it cut that header.
fn replace_header(process: &TestProcess, sequence: BatchSequence, header: &[u8]) {
    let mut row = process.journal().batch(sequence).unwrap().unwrap();
    row.signed_header = header.to_vec();
    let mut write = process.journal().write();
    write.put_batch(sequence, sequence.next().unwrap(), &row);
    write.commit(Durability::Synced).unwrap();
}

#[test]
fn a_batch_that_this_journal_never_cut_halts_it() {
    let Fixture { mut chain, mut process } = fixture();
    let foreign = chain.issue("S01");
    chain.add_block(&[foreign]);
    process.follow(&chain);
    let why = process.journal().halted().unwrap().unwrap();
    assert!(why.contains("never cut"), "{why}");
    assert_eq!(process.desk.gate.check().unwrap_err().refusal().reason.as_str(), "NOT_READY");
    assert!(why.contains("`tallystick-test recover --config"), "{why}");
    // What `recover` must read is still before it.
    assert_eq!(process.journal().followed_tip().unwrap().height.get(), 0);
}

/// As long as a batcher of the same settings takes that may cut, from its start to its first batch: one that began before it, and
/// has cut nothing by then, was kept from it.
async fn an_open_batcher_has_cut() {
    let Fixture { mut chain, mut process } = fixture();
    process.acknowledge(&mut chain);
    let token = CancellationToken::new();
    let running = tokio::spawn(process.batcher.run(token.clone()));
    process.departures.recv().await.unwrap();
    token.cancel();
    running.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_is_behind_signs_nothing_before_it_has_looked() {
    let Fixture { mut chain, mut process } = fixture();
    process.acknowledge(&mut chain);
    let gate = Arc::new(Gate::new(None));
    let (flight, mut departures) = Flight::new();
    let flight = Arc::new(flight);
    let batcher = process.batcher_under(&gate, &flight);
    let token = CancellationToken::new();
    let running = tokio::spawn(batcher.run(token.clone()));
    an_open_batcher_has_cut().await;
    assert_eq!(process.journal().next_sequence().unwrap(), BatchSequence::new(1), "signed before it caught up");
    gate.caught_up();
    assert_eq!(departures.recv().await.unwrap().sequence, BatchSequence::new(1));
    gate.halt("behind");
    process.acknowledge(&mut chain);
    an_open_batcher_has_cut().await;
    assert_eq!(process.journal().next_sequence().unwrap(), BatchSequence::new(2), "signed after it was halted");
    token.cancel();
    running.await.unwrap().unwrap();
    // A restart of the halted journal sends nothing of what was cut before.
    let (flight, mut departures) = Flight::new();
    let batcher = process.batcher_under(&gate, &Arc::new(flight));
    let token = CancellationToken::new();
    let running = tokio::spawn(batcher.run(token.clone()));
    an_open_batcher_has_cut().await;
    token.cancel();
    running.await.unwrap().unwrap();
    assert!(departures.recv().await.is_none(), "sent though halted");
}

#[test]
fn another_header_under_one_of_its_sequences_halts_it() {
    let Fixture { mut chain, mut process } = fixture();
    process.acknowledge(&mut chain);
    process.cut();
    let foreign = chain.issue("S02");
    chain.add_block(&[foreign]);
    process.follow(&chain);
    let why = process.journal().halted().unwrap().unwrap();
    assert!(why.contains("another batch 1"), "{why}");
}

#[test]
fn a_higher_epoch_halts_it() {
    let Fixture { mut chain, mut process } = fixture();
    let fence =
        chain.governance(vec![Action::FenceIssuer(FenceIssuer { issuer_id: ISSUER, epoch: 2, journal: Vec::new() })]);
    chain.add_items(vec![Item::Governance(fence)]).unwrap();
    process.follow(&chain);
    assert!(process.journal().halted().unwrap().unwrap().contains("epoch 2"));
    assert!(process.desk.gate.check().is_err());
}

#[test]
fn nothing_is_believed_that_does_not_lead_to_a_quorums_root() {
    let Fixture { mut chain, mut process } = fixture();
    let acknowledged = process.acknowledge(&mut chain);
    let (_, request) = process.cut();
    chain.add_items(vec![offered(&request)]).unwrap();
    let good = ledger_block(&chain, 1);
    let fresh = || Chain::new(process.journal().followed_tip().unwrap(), HeldLimits::default());
    let refused = |block: &tallystick_proto::ledger::v1::LedgerBlock| fresh().offer(block, chain.trust()).unwrap_err();

    let mut skipped = good.clone();
    skipped.height = 2;
    assert!(matches!(refused(&skipped), ChainError::Height { given: 2, expected: 1 }));
    let mut shifted = good.clone();
    shifted.first_leaf_index += 1;
    assert!(matches!(refused(&shifted), ChainError::Entries { .. }));
    let mut sealless = good.clone();
    sealless.entries.pop();
    assert!(matches!(refused(&sealless), ChainError::Entries { .. }));
    let mut missing = good.clone();
    missing.entries.remove(0);
    assert!(matches!(refused(&missing), ChainError::Root { .. }), "an outcome left out");
    let mut forged = good.clone();
    let other = TestChain::named("other");
    forged.checkpoint = other.blocks()[0].checkpoint.clone();
    assert!(matches!(refused(&forged), ChainError::Checkpoint { .. }));
    let mut two_of_four = good.clone();
    let validators = chain.validators_at(chain.height());
    two_of_four.checkpoint = chain.checkpoint_note(chain.log().size(), &validators[..2], chain.now().seconds());
    assert!(matches!(refused(&two_of_four), ChainError::Checkpoint { .. }), "two of four are no quorum");

    let mut unsealed = good.clone();
    unsealed.checkpoint.clear();
    unsealed.checkpoint_height = 0;
    assert_eq!(fresh().offer(&unsealed, chain.trust()).unwrap(), Vec::new(), "decided is not sealed");
    assert_eq!(fate(process.journal(), acknowledged).unwrap(), Fate::Pending);
    assert_eq!(fresh().offer(&good, chain.trust()).unwrap().len(), 1);
}

#[test]
fn a_later_checkpoint_seals_the_blocks_before_it() {
    let Fixture { mut chain, mut process } = fixture();
    process.acknowledge(&mut chain);
    let (_, request) = process.cut();
    chain.add_items(vec![offered(&request)]).unwrap();
    chain.add_items(Vec::new()).unwrap();
    let mut first = ledger_block(&chain, 1);
    let second = ledger_block(&chain, 2);
    first.checkpoint.clone_from(&second.checkpoint);
    first.checkpoint_height = 2;
    assert_eq!(process.log.offer(&first, chain.trust()).unwrap(), Vec::new());
    let sealed = process.log.offer(&second, chain.trust()).unwrap();
    assert_eq!(sealed.iter().map(|block| block.height.get()).collect::<Vec<_>>(), vec![1, 2]);
}

/// Blocks 1 to the tip, each naming the tip's checkpoint and no other: what a node has after an outage of the seals.
fn gap(chain: &TestChain) -> Vec<tallystick_proto::ledger::v1::LedgerBlock> {
    let tip = chain.height().get();
    let checkpoint = &chain.blocks().last().unwrap().checkpoint;
    let name = |height| {
        let mut block = ledger_block(chain, height);
        block.checkpoint.clone_from(checkpoint);
        block.checkpoint_height = tip;
        block
    };
    (1..=tip).map(name).collect()
}

/// Counts how often a quorum is judged.
struct Counting<'a>(&'a receipt_core::trust::TrustFile, std::cell::Cell<usize>);

impl CheckpointJudge for Counting<'_> {
    fn judge(&self, note: &str) -> Result<(TreeSize, Hash), CheckpointError> {
        self.1.set(self.1.get() + 1);
        self.0.judge(note)
    }
}

#[test]
fn six_hundred_heights_without_a_seal_of_their_own_are_sealed_by_the_next_one() {
    let Fixture { mut chain, mut process } = fixture();
    process.acknowledge(&mut chain);
    let (_, request) = process.cut();
    chain.add_items(vec![offered(&request)]).unwrap();
    for _ in 0..600 {
        chain.add_items(Vec::new()).unwrap();
    }
    let mut log = Chain::new(process.journal().followed_tip().unwrap(), HeldLimits::default());
    let judge = Counting(chain.trust(), std::cell::Cell::new(0));
    let mut sealed = Vec::new();
    for block in gap(&chain) {
        assert_eq!(sealed, Vec::new());
        sealed = log.offer(&block, &judge).unwrap();
        assert_eq!(log.proof_wanted(), None);
    }
    assert_eq!(sealed.iter().map(|block| block.height.get()).collect::<Vec<_>>(), (1..=601).collect::<Vec<_>>());
    assert_eq!(judge.1.get(), 1, "one checkpoint is one quorum to judge");
}

#[test]
fn a_gap_beyond_what_is_held_back_is_crossed_by_proofs() {
    let Fixture { mut chain, mut process } = fixture();
    let acknowledged = process.acknowledge(&mut chain);
    let (_, request) = process.cut();
    chain.add_items(vec![offered(&request)]).unwrap();
    for _ in 0..100 {
        chain.add_items(Vec::new()).unwrap();
    }
    let blocks = gap(&chain);
    let limits = HeldLimits { entries: 10, ..HeldLimits::default() };
    process.log = Chain::new(process.journal().followed_tip().unwrap(), limits);
    let mut sealed_at_once = Vec::new();
    for block in &blocks {
        let mut sealed = process.log.offer(block, chain.trust()).unwrap();
        if let Some(ProofWanted { first, second }) = process.log.proof_wanted() {
            assert!(sealed.is_empty());
            sealed = process.log.prove(&chain.log().consistency(first.get(), second.get())).unwrap();
        }
        let Some(tip) = process.log.sealed_tip(&sealed) else { continue };
        let acted = process.outcomes.act(&sealed, tip).unwrap();
        process.log.acted(acted.event);
        sealed_at_once.push(sealed.len());
        // Sealed long before the checkpoint is reached, and a restart goes on from here.
        assert!(matches!(fate(process.journal(), acknowledged).unwrap(), Fate::Sealed { .. }));
        assert_eq!(process.journal().followed_tip().unwrap().height.get(), block.height);
    }
    assert_eq!(sealed_at_once.iter().sum::<usize>(), 101);
    assert!(sealed_at_once.len() >= 10 && sealed_at_once.iter().all(|count| *count <= 10), "{sealed_at_once:?}");
    assert_eq!(process.log.sealed_height(), 101);
}

#[test]
fn a_proof_covers_only_the_entries_that_were_sent() {
    let Fixture { mut chain, mut process } = fixture();
    process.acknowledge(&mut chain);
    let (_, request) = process.cut();
    chain.add_items(vec![offered(&request)]).unwrap();
    for _ in 0..20 {
        chain.add_items(Vec::new()).unwrap();
    }
    let mut blocks = gap(&chain);
    let fresh =
        || Chain::new(process.journal().followed_tip().unwrap(), HeldLimits { entries: 2, ..HeldLimits::default() });
    let mut honest = fresh();
    honest.offer(&blocks[0], chain.trust()).unwrap();
    let wanted = honest.proof_wanted().unwrap();
    let path = chain.log().consistency(wanted.first.get(), wanted.second.get());
    let unproved = honest.offer(&blocks[1], chain.trust()).unwrap_err();
    assert!(matches!(unproved, ChainError::Unsealed { height: 1, entries: 2 }), "{unproved}");
    assert!(matches!(honest.prove(&path[1..]).unwrap_err(), ChainError::Proof { height: 1, .. }));
    assert_eq!(honest.prove(&path).unwrap().len(), 1);

    // A batch left out, and a block of the same size in its place.
    let seal = blocks[0].entries[1].clone();
    let foreign = receipt_core::entry::Entry::Governance(chain.governance(Vec::new())).encode();
    blocks[0].entries = vec![Bytes::from(foreign), seal];
    let mut forged = fresh();
    forged.offer(&blocks[0], chain.trust()).unwrap();
    assert_eq!(forged.proof_wanted(), Some(wanted));
    assert!(matches!(forged.prove(&path).unwrap_err(), ChainError::Proof { .. }));
    assert_eq!(forged.sealed_height(), 0, "the sealed part is not touched");
}

#[test]
fn blocks_that_no_checkpoint_covers_are_not_collected_for_ever() {
    let Fixture { mut chain, process } = fixture();
    for _ in 0..20 {
        chain.add_items(Vec::new()).unwrap();
    }
    let limits = HeldLimits { entries: 10, ..HeldLimits::default() };
    let mut log = Chain::new(process.journal().followed_tip().unwrap(), limits);
    let mut blocks = gap(&chain).into_iter().map(|mut block| {
        block.checkpoint.clear();
        block
    });
    for block in blocks.by_ref().take(10) {
        assert_eq!(log.offer(&block, chain.trust()).unwrap(), Vec::new());
    }
    assert_eq!(log.proof_wanted(), None, "there is nothing to prove against");
    let error = log.offer(&blocks.next().unwrap(), chain.trust()).unwrap_err();
    assert!(matches!(error, ChainError::Unsealed { height: 10, entries: 10 }), "{error}");
}

/// Other validators take over twice, in one offer and across a restart: their checkpoints count from the very next block.
#[test]
fn validators_that_take_over_are_followed_and_a_restart_knows_them() {
    let Fixture { mut chain, mut process } = fixture();
    let genesis = TrustFile::from_genesis(chain.genesis()).unwrap();
    let mut kept = Vec::new();
    for ids in [2..=5, 3..=6] {
        let key = process.acknowledge(&mut chain);
        let (_, request) = process.cut();
        chain.rotate_validators(ids.map(TestValidator::new).collect());
        chain.add_items(vec![offered(&request)]).unwrap();
        process.follow(&chain);
        assert!(matches!(fate(process.journal(), key).unwrap(), Fate::Sealed { .. }), "under the new set's checkpoint");
        assert_eq!(process.desk.trust.current().to_text(), chain.trust().to_text());
        kept.push(chain.trust().clone());
    }
    let open = |given: &TrustFile| FollowedTrust::open(given.clone(), process.journal());
    let newest = chain.trust().to_text();
    // The file of the start, one that was brought up to date meanwhile, and one that knows more than was followed.
    chain.rotate_validators((4..=7).map(TestValidator::new).collect());
    for (given, expected) in [(&genesis, &newest), (&kept[0], &newest), (chain.trust(), &chain.trust().to_text())] {
        assert_eq!(&open(given).unwrap().current().to_text(), expected);
    }
    let mut other = TestChain::new();
    other.rotate_validators((6..=9).map(TestValidator::new).collect());
    assert!(matches!(open(other.trust()), Err(TrustError::OtherSets)), "another history");
}

fn takeovers_of(trust: &TrustFile) -> usize {
    trust.takeovers(TreeSize::ZERO, TreeSize::new(u64::MAX)).len()
}

/// Authorities are replaced: what comes right after the entry is theirs to sign, and a restart knows them.
#[test]
fn authorities_that_take_over_are_followed_and_a_restart_knows_them() {
    let Fixture { mut chain, mut process } = fixture();
    let given = chain.trust().clone();
    for names in [["authority-0", "authority-7", "authority-8"], ["authority-7", "authority-8", "authority-9"]] {
        chain.replace_authorities(&names);
        let kind = Action::RegisterKind(RegisterKind::named(123_456, "新"));
        let theirs = chain.governance(vec![kind]);
        chain.add_items(vec![Item::Governance(theirs)]).unwrap();
        process.follow(&chain);
        assert_eq!(process.desk.trust.current().to_text(), chain.trust().to_text());
    }
    // Both kinds of change, in one history.
    chain.rotate_validators((2..=5).map(TestValidator::new).collect());
    process.follow(&chain);
    let open = |given: &TrustFile| FollowedTrust::open(given.clone(), process.journal());
    let newest = chain.trust().to_text();
    assert_eq!(takeovers_of(chain.trust()), takeovers_of(&given) + 3);
    assert_eq!(open(&given).unwrap().current().to_text(), newest);
    chain.replace_authorities(&["authority-7", "authority-8", "authority-6"]);
    assert_eq!(&open(chain.trust()).unwrap().current().to_text(), &chain.trust().to_text());
    let mut other = TestChain::new();
    other.replace_authorities(&["authority-0", "authority-7", "authority-9"]);
    assert!(matches!(open(other.trust()), Err(TrustError::OtherSets)), "another history");
}

/// Twice in one block, by a message each, and validators with the second: every entry counts from the one after it.
#[test]
fn authorities_and_validators_that_change_in_one_block_are_followed() {
    let Fixture { mut chain, mut process } = fixture();
    let given = chain.trust().clone();
    let successions: [&[&str]; 2] =
        [&["authority-0", "authority-7", "authority-8"], &["authority-7", "authority-8", "authority-9"]];
    chain.replace_all(&successions, (2..=5).map(TestValidator::new).collect());
    let kind = Action::RegisterKind(RegisterKind::named(123_456, "新"));
    let theirs = chain.governance(vec![kind]);
    chain.add_items(vec![Item::Governance(theirs)]).unwrap();
    process.follow(&chain);
    let newest = chain.trust().to_text();
    assert_eq!(process.desk.trust.current().to_text(), newest);
    assert_eq!(takeovers_of(chain.trust()), takeovers_of(&given) + 3);
    assert_eq!(FollowedTrust::open(given, process.journal()).unwrap().current().to_text(), newest);
}

/// A given file may know more than was followed. What the ledger then does not bring, it was told by somebody else.
#[test]
fn what_the_trust_file_has_and_the_ledger_does_not_bring_is_not_followed() {
    let Fixture { mut chain, mut process } = fixture();
    let given = chain.trust().clone();
    let (size, height) = (chain.log().size(), chain.height().get() + 1);
    chain.add_block(&[]);
    let others = AuthoritySet { threshold: 1, ..given.authorities().clone() };
    let end = SetEnd { last_size: TreeSize::new(size + 1), until: PosixSeconds::new(chain.now().seconds()) };
    for (what, forged) in [
        ("it has authorities from leaf", given.with_next_authorities(LeafIndex::new(size), &others).unwrap().unwrap()),
        ("it has validators from tree size", given.with_next_set(end, &chain.genesis().validators).unwrap()),
    ] {
        process.desk.trust.replace(forged);
        let mut log = Chain::new(process.journal().followed_tip().unwrap(), HeldLimits::default());
        let sealed = log.offer(&ledger_block(&chain, height), process.desk.trust.as_ref()).unwrap();
        let error = process.outcomes.act(&sealed, log.sealed_tip(&sealed).unwrap()).unwrap_err();
        let OutcomeError::Own(OwnFault::TrustFile(problem)) = error else { panic!("{error}") };
        assert!(problem.starts_with(what), "{problem}");
        assert_eq!(process.journal().followed_tip().unwrap().height.get(), height - 1, "nothing is acted on");
    }
    process.desk.trust.replace(given);
    process.follow(&chain);
    assert_eq!(process.journal().followed_tip().unwrap().height.get(), height);
}

/// The journal has followed past the place where a file that is given later has a set: it would have seen it.
#[test]
fn a_file_with_a_set_where_the_journal_saw_none_is_not_believed() {
    let Fixture { mut chain, mut process } = fixture();
    chain.replace_authorities(&["authority-0", "authority-7", "authority-8"]);
    chain.add_block(&[]);
    process.follow(&chain);
    let (trust, size) = (chain.trust(), chain.log().size());
    let others = AuthoritySet { threshold: 1, ..trust.authorities().clone() };
    let with = |leaf| trust.with_next_authorities(LeafIndex::new(leaf), &others).unwrap().unwrap();
    assert!(matches!(FollowedTrust::open(with(size - 1), process.journal()), Err(TrustError::OtherSets)));
    assert_eq!(FollowedTrust::open(with(size), process.journal()).unwrap().current().as_ref(), &with(size), "may come");
}

/// The file that was given first knew all that was followed, so nothing new was learnt. A file that is given later is held against it all the same.
#[test]
fn a_file_that_is_given_later_is_held_against_what_was_followed_under_the_first() {
    let Fixture { mut chain, mut process } = fixture();
    let founding = chain.trust().clone();
    chain.replace_authorities(&["authority-0", "authority-7", "authority-8"]);
    chain.rotate_validators((2..=5).map(TestValidator::new).collect());
    chain.add_block(&[]);
    let (given, size) = (chain.trust().clone(), chain.log().size());
    // It may also say more than is so: nobody can know yet.
    let others = AuthoritySet { threshold: 1, ..given.authorities().clone() };
    let bold = given.with_next_authorities(LeafIndex::new(size + 100), &others).unwrap().unwrap();
    process.desk.trust.replace(bold.clone());
    process.follow(&chain);
    let open =
        |file: &TrustFile| FollowedTrust::open(file.clone(), process.journal()).map(|open| open.current().to_text());
    for (file, expected) in [(&given, &given), (&bold, &bold), (&founding, &given)] {
        assert_eq!(open(file).unwrap(), expected.to_text());
    }
    let set = founding.with_next_authorities(LeafIndex::new(size - 1), &others).unwrap().unwrap();
    let mut other = TestChain::new();
    other.rotate_validators((6..=9).map(TestValidator::new).collect());
    for file in [&set, other.trust()] {
        assert!(matches!(open(file), Err(TrustError::OtherSets)), "{}", file.to_text());
    }
}

/// Before anybody took over, too: the first block that is followed says that nobody did.
#[test]
fn a_file_with_a_set_before_the_first_takeover_is_not_believed() {
    let Fixture { mut chain, mut process } = fixture();
    let before = chain.log().size();
    chain.add_block(&[]);
    process.follow(&chain);
    let trust = chain.trust();
    let others = AuthoritySet { threshold: 1, ..trust.authorities().clone() };
    let with = |leaf| trust.with_next_authorities(LeafIndex::new(leaf), &others).unwrap().unwrap();
    assert!(matches!(FollowedTrust::open(with(before), process.journal()), Err(TrustError::OtherSets)));
    let (may_come, size) = (with(chain.log().size()), chain.log().size());
    assert_eq!(FollowedTrust::open(may_come.clone(), process.journal()).unwrap().current().as_ref(), &may_come);
    assert_eq!(may_come.up_to(TreeSize::new(size)), *trust);
}

/// A seal under the old set's quorum hands over to a set that no governance announced, or to another one.
#[test]
fn a_handover_that_governance_did_not_announce_is_not_followed() {
    let Fixture { mut chain, mut process } = fixture();
    let trust = chain.trust().clone();
    let before = receipt_core::state::Writes::new();
    chain.rotate_validators((2..=5).map(TestValidator::new).collect());
    let (end, right) = (chain.trust().sets()[0].end.unwrap(), chain.trust().sets()[1].set_hash);
    let after = |process: &TestProcess, trust: &TrustFile, set_hash| {
        let registry = crate::owner::Layered::new(process.journal(), &before);
        crate::trust::after(trust, &crate::trust::Handover { set_hash, end }, &registry)
    };
    assert!(after(&process, &trust, right).is_err(), "nothing is announced yet");
    process.follow(&chain);
    assert_eq!(after(&process, &trust, right), Ok(Some(chain.trust().clone())));
    assert!(after(&process, &trust, Hash([7; 32])).is_err());
    assert_eq!(after(&process, chain.trust(), right), Ok(None), "known already");
}

/// A follower of two nodes that have the same ledger, what it tells of its way, and of what is in it.
async fn follower_of(
    process: TestProcess,
    desk: &Desk,
    ledger: &FakeLedger,
    now: UnixMillis,
) -> (Follower, watch::Receiver<Followed>, Readiness) {
    let nodes = vec![("node-1".to_owned(), ledger.serve().await), ("node-2".to_owned(), ledger.serve().await)];
    let (followed, following) = watch::channel(Followed { height: 0, event: 0 });
    let readiness = Readiness::new();
    let follower = Follower {
        nodes: Arc::new(Nodes::over(nodes, Duration::from_secs(5))),
        outcomes: process.outcomes,
        desk: desk.clone(),
        clock: Arc::new(FixedClock::new(now)),
        quorum_time: process.quorum_time,
        fresh_seconds: 600,
        held: HeldLimits::default(),
        followed,
        standing: Standing::new(&readiness),
    };
    (follower, following, readiness)
}

/// A trust file of another history than the chain's, if it is one.
type Forge<'a> = &'a dyn Fn(&TestChain) -> Option<TrustFile>;

/// What a quorum stands behind does not go with what this process has. Nodes that say what is so are not blamed for it.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_on_this_side_is_told_and_no_node_blamed_for_it() {
    let next_size = |chain: &TestChain| chain.log().size() + 1;
    let with_authorities = |chain: &TestChain| {
        let others = AuthoritySet { threshold: 1, ..chain.trust().authorities().clone() };
        chain.trust().with_next_authorities(LeafIndex::new(next_size(chain) - 1), &others).unwrap()
    };
    let with_validators = |chain: &TestChain| {
        let strangers = (91..=94).map(|id| TestValidator::new(id).public()).collect();
        let end = SetEnd { last_size: TreeSize::new(next_size(chain)), until: PosixSeconds::new(1) };
        Some(chain.trust().with_next_set(end, &ValidatorSet::new(strangers).unwrap()).unwrap())
    };
    let unchanged = |_: &TestChain| None;
    let forged: [(Forge<'_>, bool, bool, &str); 4] = [
        (&with_authorities, false, false, "trust_file contradicts the ledger: it has authorities from leaf "),
        // Closed, the gate asks for the newest checkpoint first; open, blocks are all that comes.
        (&with_validators, false, false, "trust_file contradicts the ledger: a tree of size "),
        (&with_validators, true, false, "trust_file contradicts the ledger: a tree of size "),
        (&unchanged, true, true, "ledger has what cannot be followed here: block 1: governance message 1 is refused"),
    ];
    for (forge, gate_is_open, registry_differs, expected) in forged {
        let Fixture { mut chain, process } = fixture();
        let forged = forge(&chain);
        let kind = Action::RegisterKind(RegisterKind::named(123_456, "新"));
        let governance = chain.governance(vec![kind]);
        chain.add_items(vec![Item::Governance(governance)]).unwrap();
        chain.add_block(&[]);
        if let Some(forged) = forged {
            process.desk.trust.replace(forged);
        }
        if registry_differs {
            let later = GovernanceState { sequence: 7, id: Hash([7; 32]) };
            put_meta(&process, META_GOVERNANCE, Some(later.encode()));
        }
        let (now, ledger) = (chain.now(), FakeLedger::new(chain));
        let desk = Desk { gate: Arc::new(Gate::new(None)), ..process.desk.clone() };
        if gate_is_open {
            desk.gate.caught_up();
        }
        let (follower, following, readiness) = follower_of(process, &desk, &ledger, now).await;
        let token = CancellationToken::new();
        let running = tokio::spawn(follower.run(token.clone()));
        let deadline = std::time::Instant::now() + Duration::from_secs(30);
        while readiness.is_ready() && desk.metrics.nodes_distrusted.get() == 0 {
            assert!(std::time::Instant::now() < deadline, "nothing is told");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let told = readiness.to_string();
        assert_eq!(desk.metrics.nodes_distrusted.get(), 0, "a node is blamed");
        assert!(told.starts_with(expected), "{told}");
        assert!(told.contains("compare its sets") || told.contains("run the newest version"), "{told}");
        assert_eq!(told.lines().count(), 1, "{told}");
        assert_eq!(*following.borrow(), Followed { height: 0, event: 0 }, "nothing is acted on");
        token.cancel();
        running.await.unwrap().unwrap();
    }
}

fn put_meta(process: &TestProcess, key: &[u8], value: Option<Vec<u8>>) {
    let mut write = process.journal().write();
    write.put_registry(&Writes::from([((Table::Meta, key.to_vec()), value)]));
    write.commit(Durability::Synced).unwrap();
}

/// The journal lost a row of the registry that governance is judged by: its own fault, with the way out of a damaged journal.
#[test]
fn a_registry_that_cannot_be_read_is_the_journals_fault() {
    let Fixture { mut chain, process } = fixture();
    let kind = Action::RegisterKind(RegisterKind::named(123_456, "新"));
    let governance = chain.governance(vec![kind]);
    chain.add_items(vec![Item::Governance(governance)]).unwrap();
    let act = |process: &TestProcess| {
        let mut log = Chain::new(process.journal().followed_tip().unwrap(), HeldLimits::default());
        let sealed = log.offer(&ledger_block(&chain, 1), chain.trust()).unwrap();
        process.outcomes.act(&sealed, log.sealed_tip(&sealed).unwrap())
    };
    let before = process.journal().registered(Table::Meta, META_GOVERNANCE).unwrap();
    put_meta(&process, META_GOVERNANCE, None);
    let error = act(&process).unwrap_err();
    assert!(matches!(&error, OutcomeError::Journal(JournalError::Corrupt(_))), "{error}");
    assert!(error.to_string().contains("`restore`"), "{error}");
    put_meta(&process, META_GOVERNANCE, before);
    let _acted = act(&process).unwrap();
}

/// Its newest checkpoint is of validators that the journal has not met yet: the blocks before lead to them.
#[tokio::test(flavor = "multi_thread")]
async fn a_journal_that_was_away_while_validators_changed_catches_up() {
    let Fixture { mut chain, process } = fixture();
    for ids in [2..=5, 3..=6] {
        chain.rotate_validators(ids.map(TestValidator::new).collect());
        chain.add_block(&[]);
    }
    let (now, newest, tip) = (chain.now(), chain.trust().to_text(), chain.height().get());
    let ledger = FakeLedger::new(chain);
    let desk = Desk { gate: Arc::new(Gate::new(None)), ..process.desk.clone() };
    let (follower, mut following, _) = follower_of(process, &desk, &ledger, now).await;
    let token = CancellationToken::new();
    let running = tokio::spawn(follower.run(token.clone()));
    following.wait_for(|followed| followed.height == tip).await.unwrap();
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    while !desk.gate.is_caught_up() {
        assert!(std::time::Instant::now() < deadline, "the gate stays closed");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(desk.trust.current().to_text(), newest);
    token.cancel();
    running.await.unwrap().unwrap();
}
