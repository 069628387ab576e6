use bytes::Bytes;
use receipt_core::block::Item;
use receipt_core::governance::{Action, FenceIssuer, RegisterKind};
use receipt_core::ids::{BatchSequence, ReceiptCode, ReceiptKey};
use receipt_core::reason::Reason;
use receipt_core::receipt::rules::Catalogue;
use receipt_core::testkit::{ISSUER, TestChain};

use super::*;
use crate::authority::Audience;
use crate::fate::{Fate, fate, reversed_by};
use crate::issue::Issued;
use crate::registry::System;
use crate::testing::{TestIssuer, draft, init, key_of, ledger_block, offered};
use crate::watch::{Change, WatchedOutcome, outcomes_after};

struct Fixture {
    _dir: tempfile::TempDir,
    chain: TestChain,
    issuer: TestIssuer,
}

fn fixture() -> Fixture {
    let dir = tempfile::tempdir().unwrap();
    let chain = TestChain::new();
    let issuer = TestIssuer::start(init(dir.path(), &chain), &chain, 1);
    Fixture { _dir: dir, chain, issuer }
}

/// Everything after a position.
fn heard(journal: &Journal, audience: &Audience<'_>, mut position: u64) -> Vec<WatchedOutcome> {
    let mut all = Vec::new();
    while let Some(page) = outcomes_after(journal, audience, position).unwrap() {
        assert!(page.next > position);
        assert!(page.outcomes.iter().all(|outcome| position < outcome.position && outcome.position <= page.next));
        position = page.next;
        all.extend(page.outcomes);
    }
    assert!(all.is_sorted_by(|before, after| before.position < after.position));
    all
}

fn changes(issuer: &TestIssuer) -> Vec<(ReceiptKey, Change)> {
    let all = System { grants: (1..100).map(|unit| (receipt_core::ids::UnitId::new(unit), None)).collect() };
    let audience = Audience { system: &all, units: None };
    heard(&issuer.journal, &audience, 0).into_iter().map(|outcome| (outcome.key, outcome.change)).collect()
}

#[test]
fn a_sealed_batch_seals_its_receipts_and_wakes_who_waits() {
    let Fixture { _dir, mut chain, mut issuer } = fixture();
    let keys: Vec<_> = ["A", "B", "C"].map(|biz| issuer.issue_new(draft(&mut chain, "S01", biz)).key).to_vec();
    let mut waiting = issuer.waiters.register(keys[1]);
    let (sequence, request) = issuer.cut();
    assert_eq!(issuer.flight.count(), 1);
    assert_eq!(fate(&issuer.journal, keys[0]).unwrap(), Fate::Pending);
    let height = chain.add_items(vec![offered(&request)]).unwrap();
    assert!(waiting.try_recv().is_err());
    issuer.follow(&chain);
    for (index, key) in (0..).zip(&keys) {
        let Fate::Sealed { sequence: of, index: at, height: sealed, .. } = fate(&issuer.journal, *key).unwrap() else {
            panic!("{key} is not sealed");
        };
        assert_eq!((of, at, sealed), (sequence, index, height));
    }
    waiting.try_recv().unwrap();
    assert_eq!(issuer.flight.count(), 0);
    assert_eq!(changes(&issuer), keys.iter().map(|key| (*key, Change::Sealed)).collect::<Vec<_>>());
}

#[test]
fn a_refused_batch_ends_the_bad_and_cuts_the_good_again() {
    let Fixture { _dir, mut chain, mut issuer } = fixture();
    // Another journal of this issuer has used the first number: what a restored backup would do.
    let taken = issuer.issue_new(draft(&mut chain, "S01", "A"));
    let good = issuer.issue_new(draft(&mut chain, "S01", "B"));
    let (first, request) = issuer.cut();
    // The ledger closes the unit's key for one of them: corrupt its signature in the batch, under a genuine header.
    let bad = corrupt_first(&mut issuer, &request);
    chain.add_items(vec![bad.item]).unwrap();
    replace_header(&issuer, first, &bad.header);
    issuer.follow(&chain);
    assert!(matches!(
        fate(&issuer.journal, taken.key).unwrap(),
        Fate::Refused { reason: Reason::SignatureInvalid, .. }
    ));
    assert_eq!(fate(&issuer.journal, good.key).unwrap(), Fate::Pending);
    assert_eq!(issuer.backlog.records(), 1);
    // A refused receipt keeps its biz code: the same call gives it back, for ever.
    assert_eq!(issuer.issue(vec![draft(&mut chain, "S01", "A")]), vec![Ok(Issued::Existing(taken.key))]);
    let (second, request) = issuer.cut();
    assert_eq!(second, first.next().unwrap());
    assert_eq!(request.records, vec![Bytes::from(good.signed_record)], "the same signed record");
    chain.add_items(vec![offered(&request)]).unwrap();
    issuer.follow(&chain);
    assert!(matches!(fate(&issuer.journal, good.key).unwrap(), Fate::Sealed { sequence, .. } if sequence == second));
    let refused = (taken.key, Change::Refused(Reason::SignatureInvalid));
    assert_eq!(changes(&issuer), vec![refused, (good.key, Change::Sealed)]);
}

struct BadBatch {
    item: Item,
    header: Vec<u8>,
}

/// The batch with its first record's signature spoilt, under a header that fits.
fn corrupt_first(issuer: &mut TestIssuer, request: &tallystick_proto::ledger::v1::SubmitBatchRequest) -> BadBatch {
    use receipt_core::batch::SignedBatchHeader;
    use receipt_core::merkle::InnerTree;
    let mut records: Vec<Vec<u8>> = request.records.iter().map(|record| record.to_vec()).collect();
    let last = records[0].len() - 1;
    records[0][last] ^= 1;
    let mut header = SignedBatchHeader::decode(&request.signed_header).unwrap().header;
    header.root = InnerTree::from_leaves(header.suite, &records).unwrap().root();
    let chain = issuer.journal.identity().chain;
    let signed = SignedBatchHeader::sign(header, chain, issuer.keys.issuer.as_ref());
    let header = signed.encode();
    BadBatch { item: Item::Batch(receipt_core::block::Batch { header: signed, records }), header }
}

/// Makes the journal believe that it cut that header.
fn replace_header(issuer: &TestIssuer, sequence: BatchSequence, header: &[u8]) {
    let mut row = issuer.journal.batch(sequence).unwrap().unwrap();
    row.signed_header = header.to_vec();
    let mut write = issuer.journal.write();
    write.put_batch(sequence, sequence.next().unwrap(), &row);
    write.commit(crate::journal::Durability::Synced).unwrap();
}

#[test]
fn a_batch_that_this_journal_never_cut_halts_it() {
    let Fixture { _dir, mut chain, mut issuer } = fixture();
    let foreign = chain.issue("S01");
    chain.add_block(&[foreign]);
    issuer.follow(&chain);
    let why = issuer.journal.halted().unwrap().unwrap();
    assert!(why.contains("never cut"), "{why}");
    let results = issuer.issue(vec![draft(&mut chain, "S02", "A")]);
    assert_eq!(results[0].as_ref().unwrap_err().reason.as_str(), "NOT_READY");
    assert!(why.contains("tallystick-issuer recover --config"), "{why}");
    // What `recover` must read is still before it.
    assert_eq!(issuer.journal.progress().unwrap().height.get(), 0);
}

/// As long as a batcher of the same settings takes that may cut, from its start to its first batch: one that began before it, and
/// has cut nothing by then, was kept from it.
async fn an_open_batcher_has_cut() {
    let Fixture { _dir, mut chain, mut issuer } = fixture();
    issuer.issue_new(draft(&mut chain, "S01", "control"));
    let token = CancellationToken::new();
    let running = tokio::spawn(issuer.batcher.run(token.clone()));
    issuer.departures.recv().await.unwrap();
    token.cancel();
    running.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_is_behind_signs_nothing_before_it_has_looked() {
    let Fixture { _dir, mut chain, mut issuer } = fixture();
    issuer.issue_new(draft(&mut chain, "S01", "A"));
    let gate = Arc::new(Gate::new(None));
    let (flight, mut departures) = Flight::new();
    let flight = Arc::new(flight);
    let batcher = issuer.batcher_under(&gate, &flight);
    let token = CancellationToken::new();
    let running = tokio::spawn(batcher.run(token.clone()));
    an_open_batcher_has_cut().await;
    assert_eq!(issuer.journal.next_sequence().unwrap(), BatchSequence::new(1), "signed before it caught up");
    gate.caught_up();
    assert_eq!(departures.recv().await.unwrap().sequence, BatchSequence::new(1));
    gate.halt("behind");
    issuer.issue_new(draft(&mut chain, "S01", "B"));
    an_open_batcher_has_cut().await;
    assert_eq!(issuer.journal.next_sequence().unwrap(), BatchSequence::new(2), "signed after it was halted");
    token.cancel();
    running.await.unwrap().unwrap();
    // A restart of the halted journal sends nothing of what was cut before.
    let (flight, mut departures) = Flight::new();
    let batcher = issuer.batcher_under(&gate, &Arc::new(flight));
    let token = CancellationToken::new();
    let running = tokio::spawn(batcher.run(token.clone()));
    an_open_batcher_has_cut().await;
    token.cancel();
    running.await.unwrap().unwrap();
    assert!(departures.recv().await.is_none(), "sent though halted");
}

#[test]
fn another_header_under_one_of_its_sequences_halts_it() {
    let Fixture { _dir, mut chain, mut issuer } = fixture();
    issuer.issue_new(draft(&mut chain, "S01", "A"));
    issuer.cut();
    let foreign = chain.issue("S02");
    chain.add_block(&[foreign]);
    issuer.follow(&chain);
    let why = issuer.journal.halted().unwrap().unwrap();
    assert!(why.contains("another batch 1"), "{why}");
}

#[test]
fn a_higher_epoch_halts_it() {
    let Fixture { _dir, mut chain, mut issuer } = fixture();
    let fence = chain.governance(vec![Action::FenceIssuer(FenceIssuer { issuer_id: ISSUER, epoch: 2 })]);
    chain.add_items(vec![Item::Governance(fence)]).unwrap();
    issuer.follow(&chain);
    assert!(issuer.journal.halted().unwrap().unwrap().contains("epoch 2"));
    assert!(issuer.gate.check().is_err());
}

#[test]
fn governance_reaches_the_registry_even_twice_in_a_block() {
    let Fixture { _dir, mut chain, mut issuer } = fixture();
    let code = ReceiptCode::parse("99123426").unwrap();
    assert!(!issuer.registry.view().kind_is_registered(code));
    let kind = |name: &str| Action::RegisterKind(RegisterKind { kind: 991_234, name: name.to_owned() });
    let (first, second) = (chain.governance(vec![kind("one")]), chain.governance(vec![kind("two")]));
    chain.add_items(vec![Item::Governance(first), Item::Governance(second)]).unwrap();
    issuer.follow(&chain);
    assert!(issuer.registry.view().kind_is_registered(code));
}

#[test]
fn a_reversal_frees_the_payment_once_it_is_sealed() {
    let Fixture { _dir, mut chain, mut issuer } = fixture();
    let original_draft = draft(&mut chain, "S01", "A");
    let original = issuer.issue_new(original_draft.clone());
    let (_, request) = issuer.cut();
    chain.add_items(vec![offered(&request)]).unwrap();
    issuer.follow(&chain);
    let red = reverse(&mut issuer, &original_draft, original.key, "R");
    let red_key = key_of(&red);
    assert_eq!(reversed_by(&issuer.journal, original.key).unwrap(), None, "nothing is released before the seal");
    let second = reverse(&mut issuer, &original_draft, original.key, "R2");
    assert_eq!(second.unwrap_err().reason, Reason::AlreadyReversed.into());
    let (_, request) = issuer.cut();
    let height = chain.add_items(vec![offered(&request)]).unwrap();
    issuer.follow(&chain);
    assert_eq!(reversed_by(&issuer.journal, original.key).unwrap(), Some((red_key, height)));
    let expected =
        [(original.key, Change::Sealed), (red_key, Change::Sealed), (original.key, Change::Reversed(red_key))];
    assert_eq!(changes(&issuer), expected);
}

/// Issues the red receipt of `original`, as Reverse does.
fn reverse(
    issuer: &mut TestIssuer,
    draft: &receipt_core::receipt::model::ReceiptDraft,
    original: ReceiptKey,
    biz_code: &str,
) -> crate::issue::IssueResult {
    use receipt_core::receipt::layout::from_values;
    use receipt_core::receipt::model::{Reversal, ReversalReason};
    use receipt_core::receipt::red::{RedRequest, red_draft};
    let open = issuer.cipher.open(original, &issuer.journal.body(original).unwrap().unwrap()).unwrap();
    let receipt = from_values(&open.values).unwrap();
    let request = RedRequest {
        receipt_code: draft.receipt_code,
        issue_date: draft.issue_date,
        biz_code: biz_code.to_owned(),
        place_code: draft.place_code.clone(),
        handling_person: draft.handling_person.clone(),
        checker: draft.checker.clone(),
        remark: String::new(),
        reversal: Reversal {
            reason: ReversalReason::FullRefund,
            text: String::new(),
            operator: "何某".to_owned(),
            refund_reference: "TK1".to_owned(),
            reissue_biz_code: String::new(),
        },
    };
    let red = red_draft(&receipt, &request).unwrap();
    let prepared = issuer.prepare(red, Some(&receipt)).unwrap();
    issuer.sequencer.issue(vec![prepared]).unwrap().remove(0)
}

#[test]
fn nothing_is_believed_that_does_not_lead_to_a_quorums_root() {
    let Fixture { _dir, mut chain, mut issuer } = fixture();
    let acknowledged = issuer.issue_new(draft(&mut chain, "S01", "A"));
    let (_, request) = issuer.cut();
    chain.add_items(vec![offered(&request)]).unwrap();
    let good = ledger_block(&chain, 1);
    let fresh = || Chain::new(issuer.journal.progress().unwrap(), HeldLimits::default());
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
    assert_eq!(fate(&issuer.journal, acknowledged.key).unwrap(), Fate::Pending);
    assert_eq!(fresh().offer(&good, chain.trust()).unwrap().len(), 1);
}

#[test]
fn a_later_checkpoint_seals_the_blocks_before_it() {
    let Fixture { _dir, mut chain, mut issuer } = fixture();
    issuer.issue_new(draft(&mut chain, "S01", "A"));
    let (_, request) = issuer.cut();
    chain.add_items(vec![offered(&request)]).unwrap();
    chain.add_items(Vec::new()).unwrap();
    let mut first = ledger_block(&chain, 1);
    let second = ledger_block(&chain, 2);
    first.checkpoint.clone_from(&second.checkpoint);
    first.checkpoint_height = 2;
    assert_eq!(issuer.log.offer(&first, chain.trust()).unwrap(), Vec::new());
    let sealed = issuer.log.offer(&second, chain.trust()).unwrap();
    assert_eq!(sealed.iter().map(|block| block.height.get()).collect::<Vec<_>>(), vec![1, 2]);
}

#[test]
fn totals_and_days_count_what_became_of_receipts() {
    let Fixture { _dir, mut chain, mut issuer } = fixture();
    let acknowledged = issuer.issue_new(draft(&mut chain, "S01", "A"));
    issuer.issue_new(draft(&mut chain, "S01", "B"));
    let record = receipt_core::record::SignedRecord::decode(&acknowledged.signed_record).unwrap().record;
    let day_kind = crate::journal::DayKind { unit: record.unit, day: 20_261_102, kind: record.key.code.get() / 100 };
    let issued = issuer.journal.issued(day_kind).unwrap();
    assert_eq!((issued.blue_count, issued.blue_fen), (2, 2 * record.total.get()));
    assert_eq!(issuer.journal.decided(day_kind).unwrap().sealed_count, 0);
    let (_, request) = issuer.cut();
    chain.add_items(vec![offered(&request)]).unwrap();
    issuer.follow(&chain);
    assert_eq!(issuer.journal.decided(day_kind).unwrap().sealed_count, 2);
    let rows = issuer.journal.day(record.unit, day_kind.day, None, 10).unwrap();
    assert_eq!(rows.len(), 2);
    assert_eq!(issuer.journal.day(record.unit, day_kind.day, Some(rows[0].0), 10).unwrap(), rows[1..]);
    assert_eq!(issuer.journal.issued_kinds(record.unit, day_kind.day, 10).unwrap(), vec![day_kind]);
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
    fn judge(&self, note: &str) -> Result<(TreeSize, Hash), String> {
        self.1.set(self.1.get() + 1);
        self.0.judge(note)
    }
}

#[test]
fn six_hundred_heights_without_a_seal_of_their_own_are_sealed_by_the_next_one() {
    let Fixture { _dir, mut chain, mut issuer } = fixture();
    issuer.issue_new(draft(&mut chain, "S01", "A"));
    let (_, request) = issuer.cut();
    chain.add_items(vec![offered(&request)]).unwrap();
    for _ in 0..600 {
        chain.add_items(Vec::new()).unwrap();
    }
    let mut log = Chain::new(issuer.journal.progress().unwrap(), HeldLimits::default());
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
    let Fixture { _dir, mut chain, mut issuer } = fixture();
    let acknowledged = issuer.issue_new(draft(&mut chain, "S01", "A"));
    let (_, request) = issuer.cut();
    chain.add_items(vec![offered(&request)]).unwrap();
    for _ in 0..100 {
        chain.add_items(Vec::new()).unwrap();
    }
    let blocks = gap(&chain);
    let limits = HeldLimits { entries: 10, ..HeldLimits::default() };
    issuer.log = Chain::new(issuer.journal.progress().unwrap(), limits);
    let mut sealed_at_once = Vec::new();
    for block in &blocks {
        let mut sealed = issuer.log.offer(block, chain.trust()).unwrap();
        if let Some(ProofWanted { first, second }) = issuer.log.proof_wanted() {
            assert!(sealed.is_empty());
            sealed = issuer.log.prove(&chain.log().consistency(first.get(), second.get())).unwrap();
        }
        let Some(progress) = issuer.log.sealed_progress(&sealed) else { continue };
        let acted = issuer.outcomes.act(&sealed, progress).unwrap();
        issuer.log.acted(acted.event);
        sealed_at_once.push(sealed.len());
        // Sealed long before the checkpoint is reached, and a restart goes on from here.
        assert!(matches!(fate(&issuer.journal, acknowledged.key).unwrap(), Fate::Sealed { .. }));
        assert_eq!(issuer.journal.progress().unwrap().height.get(), block.height);
    }
    assert_eq!(sealed_at_once.iter().sum::<usize>(), 101);
    assert!(sealed_at_once.len() >= 10 && sealed_at_once.iter().all(|count| *count <= 10), "{sealed_at_once:?}");
    assert_eq!(issuer.log.sealed_height(), 101);
}

#[test]
fn a_proof_covers_only_the_entries_that_were_sent() {
    let Fixture { _dir, mut chain, mut issuer } = fixture();
    issuer.issue_new(draft(&mut chain, "S01", "A"));
    let (_, request) = issuer.cut();
    chain.add_items(vec![offered(&request)]).unwrap();
    for _ in 0..20 {
        chain.add_items(Vec::new()).unwrap();
    }
    let mut blocks = gap(&chain);
    let fresh = || Chain::new(issuer.journal.progress().unwrap(), HeldLimits { entries: 2, ..HeldLimits::default() });
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
    let Fixture { _dir, mut chain, issuer } = fixture();
    for _ in 0..20 {
        chain.add_items(Vec::new()).unwrap();
    }
    let limits = HeldLimits { entries: 10, ..HeldLimits::default() };
    let mut log = Chain::new(issuer.journal.progress().unwrap(), limits);
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

#[test]
fn a_long_past_is_watched_in_pages_and_only_by_whom_it_concerns() {
    let Fixture { _dir, mut chain, mut issuer } = fixture();
    let drafts: Vec<_> = (0..300).map(|number| draft(&mut chain, "S01", &format!("A{number}"))).collect();
    let (hospital_code, desk) = (drafts[0].unit_code.clone(), drafts[0].place_code.clone());
    let office = draft(&mut chain, "S05", "B");
    let view = issuer.registry.view();
    let unit = |code: &str| view.unit_by_code(code).unwrap().id;
    let (hospital, office_unit) = (unit(&hospital_code), unit(&office.unit_code));
    assert_ne!(hospital, office_unit);
    let keys: Vec<ReceiptKey> = issuer.issue(drafts).iter().map(key_of).collect();
    let (_, request) = issuer.cut();
    chain.add_items(vec![offered(&request)]).unwrap();
    issuer.issue_new(office);
    let (_, request) = issuer.cut();
    chain.add_items(vec![offered(&request)]).unwrap();
    issuer.follow(&chain);

    let granted = |unit, places: Option<&str>| {
        let places = places.map(|place| [place.to_owned()].into_iter().collect());
        System { grants: [(unit, places)].into_iter().collect() }
    };
    let hospital_system = granted(hospital, None);
    let whole = Audience { system: &hospital_system, units: None };
    let all = heard(&issuer.journal, &whole, 0);
    assert_eq!(all.iter().map(|outcome| outcome.key).collect::<Vec<_>>(), keys);
    let first_page = outcomes_after(&issuer.journal, &whole, 0).unwrap().unwrap();
    assert!(first_page.outcomes.len() < 300, "a batch is read in pages");
    for taken in [0, 1, 255, 256, 257, 299] {
        assert_eq!(heard(&issuer.journal, &whole, all[taken].position), all[taken + 1..], "after {taken}");
    }
    // One place, another place, another unit, a filter: nothing but what concerns them.
    let desk_system = granted(hospital, Some(&desk));
    assert_eq!(heard(&issuer.journal, &Audience { system: &desk_system, units: None }, 0).len(), 300);
    let other_desk = granted(hospital, Some("elsewhere"));
    assert_eq!(heard(&issuer.journal, &Audience { system: &other_desk, units: None }, 0), Vec::new());
    let office_system = granted(office_unit, None);
    let office_only = Audience { system: &office_system, units: None };
    assert_eq!(heard(&issuer.journal, &office_only, 0).len(), 1);
    let past_the_first = outcomes_after(&issuer.journal, &office_only, 0).unwrap().unwrap();
    assert_eq!(past_the_first.outcomes.len(), 1, "the event of others is passed over in the same step");
    let filter = [office_unit].into_iter().collect();
    let filtered = Audience { system: &hospital_system, units: Some(&filter) };
    assert_eq!(heard(&issuer.journal, &filtered, 0), Vec::new(), "a filter grants nothing");

    // Rows without units, as an older program wrote them, are read in full and tell the same.
    let mut batch = issuer.journal.batch(BatchSequence::new(1)).unwrap().unwrap();
    let mut event = issuer.journal.event(1).unwrap().unwrap();
    (batch.units, event.units) = (Vec::new(), Vec::new());
    let mut write = issuer.journal.write();
    write.put_batch(BatchSequence::new(1), BatchSequence::new(3), &batch);
    write.put_event(1, &event);
    write.commit(crate::journal::Durability::Synced).unwrap();
    assert_eq!(heard(&issuer.journal, &whole, 0), all);
    assert_eq!(heard(&issuer.journal, &office_only, 0).len(), 1);
}
