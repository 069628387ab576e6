use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use receipt_core::batch::SignedBatchHeader;
use receipt_core::block::Item;
use receipt_core::governance::{Action, FenceIssuer};
use receipt_core::ids::ReceiptKey;
use receipt_core::merkle::InnerTree;
use receipt_core::reason::Reason;
use receipt_core::state::{ApplyError, BlockRefusal};
use receipt_core::testkit::{ISSUER, TestChain};
use tallystick_anchoring::recover::RecoveryState;

use super::*;
use crate::fate::{Fate, fate};
use crate::issue::Issued;
use crate::journal::{Journal, ReceiptReads as _};
use crate::testing::recovery::{begin, fence, lose_and_restore, recovered, run};
use crate::testing::{TestIssuer, draft, init, key_of, ledger_block, offered};

struct Fixture {
    chain: TestChain,
    lost: TestIssuer,
    dir: scratch::Directory,
}

fn fixture() -> Fixture {
    let dir = scratch::Directory::new();
    let chain = TestChain::new();
    let lost = TestIssuer::start(init(&dir.path().join("lost"), &chain), &chain, 1);
    Fixture { dir, chain, lost }
}

impl Fixture {
    fn path(&self) -> std::path::PathBuf {
        self.dir.path().join("restored")
    }

    fn acknowledge(&mut self, biz_code: &str) -> ReceiptKey {
        self.lost.issue_new(draft(&mut self.chain, "S01", biz_code)).key
    }

    /// Cuts what waits at the lost journal, and seals it.
    fn seal(&mut self) {
        let (_, request) = self.lost.cut();
        self.chain.add_items(vec![offered(&request)]).unwrap();
        self.lost.follow(&self.chain);
    }

    fn restore(&self) -> Journal {
        lose_and_restore(&self.lost.journal, &self.path())
    }
}

fn restart(journal: Journal, chain: &TestChain) -> TestIssuer {
    let mut issuer = TestIssuer::start(journal, chain, 2);
    issuer.follow(chain);
    assert_eq!(issuer.gate.check(), Ok(()));
    issuer
}

fn is_sealed(issuer: &TestIssuer, key: ReceiptKey) -> bool {
    matches!(fate(&issuer.journal, key).unwrap(), Fate::Sealed { .. })
}

#[test]
fn what_the_ledger_has_is_learnt_and_no_number_is_given_out_twice() {
    let mut fixture = fixture();
    let before = fixture.acknowledge("before");
    fixture.seal();
    let journal = fixture.restore();
    let sealed = fixture.acknowledge("sealed");
    fixture.seal();
    let unsealed = fixture.acknowledge("unsealed");
    let journal = recovered(journal, &fixture.path(), &mut fixture.chain);
    let mut issuer = restart(journal, &fixture.chain);
    assert!(is_sealed(&issuer, before) && is_sealed(&issuer, sealed));
    assert!(issuer.journal.receipt(unsealed).unwrap().is_none(), "nobody can know it");
    let next = key_of(&issuer.issue(vec![draft(&mut fixture.chain, "S01", "after")])[0]);
    let keys = BTreeSet::from([before, sealed, unsealed, next]);
    assert_eq!(keys.len(), 4, "a number was given out twice");
    let (sequence, request) = issuer.cut();
    assert_eq!(sequence.get(), 3, "after the batches of the lost journal");
    fixture.chain.add_items(vec![offered(&request)]).unwrap();
    issuer.follow(&fixture.chain);
    assert!(is_sealed(&issuer, next));
    // The lost journal turns up again: the ledger takes no header of its epoch, and it halts when it looks.
    let (_, request) = fixture.lost.cut();
    let refused = fixture.chain.add_items(vec![offered(&request)]).unwrap_err();
    let ApplyError::Refused(BlockRefusal::Batch { reason, .. }) = refused else { panic!("{refused}") };
    assert!(matches!(reason, Reason::SequenceConflict | Reason::EpochFenced), "{reason}");
    fixture.lost.follow(&fixture.chain);
    assert!(fixture.lost.journal.halted().unwrap().unwrap().contains("epoch 2"));
}

#[test]
fn what_waited_in_the_backup_is_sealed_once_under_the_new_epoch() {
    let mut fixture = fixture();
    let cut = fixture.acknowledge("cut");
    let (_, first) = fixture.lost.cut();
    let cut_only = fixture.acknowledge("cut only");
    let (_, _) = fixture.lost.cut();
    let sealed_later = fixture.acknowledge("sealed later");
    let waiting = fixture.acknowledge("waiting");
    let journal = fixture.restore();
    // After the backup the first batch got through; nothing else did, but the second sequence is another batch in the end.
    fixture.chain.add_items(vec![offered(&first)]).unwrap();
    let journal = recovered(journal, &fixture.path(), &mut fixture.chain);
    let mut issuer = restart(journal, &fixture.chain);
    assert!(is_sealed(&issuer, cut));
    assert_eq!(issuer.backlog.records(), 3);
    let (sequence, request) = issuer.cut();
    assert_eq!((sequence.get(), request.records.len()), (2, 3));
    fixture.chain.add_items(vec![offered(&request)]).unwrap();
    issuer.follow(&fixture.chain);
    for key in [cut_only, sealed_later, waiting] {
        assert!(is_sealed(&issuer, key), "{key}");
    }
    assert_eq!(issuer.backlog.records(), 0);
    assert_eq!(issuer.issue(vec![draft(&mut fixture.chain, "S01", "cut")]), vec![Ok(Issued::Existing(cut))]);
}

#[test]
fn a_record_that_waited_and_was_sealed_by_the_lost_journal_leaves_the_queue() {
    let mut fixture = fixture();
    let key = fixture.acknowledge("A");
    let journal = fixture.restore();
    fixture.seal();
    let journal = recovered(journal, &fixture.path(), &mut fixture.chain);
    assert_eq!(journal.outbox(0, 10).unwrap(), Vec::new());
    let issuer = restart(journal, &fixture.chain);
    assert!(is_sealed(&issuer, key));
    assert!(issuer.journal.body(key).unwrap().is_some(), "what the backup had of it stays");
}

#[test]
fn a_fenced_journal_comes_back_under_a_further_epoch() {
    let mut fixture = fixture();
    let sealed = fixture.acknowledge("sealed");
    fixture.seal();
    let waiting = fixture.acknowledge("waiting");
    // The authorities stop every journal of it: nobody is named.
    let stop = Action::FenceIssuer(FenceIssuer { issuer_id: ISSUER, epoch: 2, journal: Vec::new() });
    let stop = fixture.chain.governance(vec![stop]);
    fixture.chain.add_items(vec![Item::Governance(stop)]).unwrap();
    fixture.lost.follow(&fixture.chain);
    let journal = Arc::clone(&fixture.lost.journal);
    assert!(journal.halted().unwrap().unwrap().contains("epoch 2"));
    assert_eq!(run(&journal, &fixture.chain).1, RecoveryState::AwaitsFence { epoch: 2 });
    fence(&journal, &mut fixture.chain, 2);
    assert_eq!(run(&journal, &fixture.chain).1, RecoveryState::Recovered { epoch: 3, waiting: 1 });
    assert_eq!(journal.halted().unwrap(), None);
    assert!(matches!(fate(&journal, sealed).unwrap(), Fate::Sealed { .. }));
    assert_eq!(fate(&journal, waiting).unwrap(), Fate::Pending);
}

#[test]
fn without_any_backup_an_empty_journal_is_recovered() {
    let mut fixture = fixture();
    let sealed = fixture.acknowledge("A");
    fixture.seal();
    drop(init(&fixture.path(), &fixture.chain));
    let mut empty =
        TestIssuer::start(Journal::open(&fixture.path(), fixture.lost.journal.identity()).unwrap(), &fixture.chain, 3);
    empty.follow(&fixture.chain);
    assert!(empty.journal.halted().unwrap().unwrap().contains("never cut"));
    drop(empty);
    let journal = Journal::open(&fixture.path(), fixture.lost.journal.identity()).unwrap();
    let journal = recovered(journal, &fixture.path(), &mut fixture.chain);
    let mut issuer = restart(journal, &fixture.chain);
    assert!(is_sealed(&issuer, sealed));
    let next = key_of(&issuer.issue(vec![draft(&mut fixture.chain, "S01", "B")])[0]);
    assert!(next.number > sealed.number);
}

#[test]
fn an_interrupted_recovery_is_run_again() {
    let mut fixture = fixture();
    let journal = Arc::new(fixture.restore());
    for biz_code in ["A", "B", "C"] {
        fixture.acknowledge(biz_code);
        fixture.seal();
    }
    // Each run ends after one block more.
    for last in 1..=3 {
        let mut recovery = begin(&journal, &fixture.chain).unwrap();
        for height in recovery.next_height()..=last {
            recovery.offer(&ledger_block(&fixture.chain, height), fixture.chain.trust()).unwrap();
        }
    }
    assert_eq!(run(&journal, &fixture.chain).1, RecoveryState::AwaitsFence { epoch: 1 });
    let day_kind = journal.issued_kinds(receipt_core::ids::UnitId::new(1), 20_261_102, 10).unwrap();
    let counted: u64 = day_kind.iter().map(|kind| journal.issued(*kind).unwrap().blue_count).sum();
    assert_eq!(counted, 3, "counted once each");
}

#[test]
fn a_copy_that_issued_beside_the_original_gives_its_numbers_up() {
    let mut fixture = fixture();
    let path = fixture.path();
    // A plain copy, started while the original runs: nothing told it that it is one.
    fixture.lost.journal.copy_to(&path).unwrap();
    let ours = fixture.lost.journal.identity();
    let open = |path: &Path| Journal::open(path, ours).unwrap();
    let mut copy = TestIssuer::start(open(&path), &fixture.chain, 4);
    let theirs = copy.issue_new(draft(&mut fixture.chain, "S01", "of the copy")).key;
    let original = fixture.lost.issue_new(draft(&mut fixture.chain, "S01", "of the original")).key;
    assert_eq!(theirs, original, "the accident");
    let (_, request) = fixture.lost.cut();
    fixture.chain.add_items(vec![offered(&request)]).unwrap();
    copy.follow(&fixture.chain);
    assert!(copy.journal.halted().unwrap().is_some());
    drop(copy);
    let journal = recovered(open(&path), &path, &mut fixture.chain);
    let mut issuer = restart(journal, &fixture.chain);
    assert!(is_sealed(&issuer, original), "the ledger's receipt has the number");
    assert!(issuer.journal.body(original).unwrap().is_none(), "not the copy's body");
    // The copy's caller asks again, and gets a receipt under a number of its own.
    let again = key_of(&issuer.issue(vec![draft(&mut fixture.chain, "S01", "of the copy")])[0]);
    assert_ne!(again, original);
    assert_eq!(issuer.backlog.records(), 1);
}

#[test]
fn a_refused_batch_of_the_lost_journal_is_learnt_with_its_good_records() {
    let mut fixture = fixture();
    let journal = fixture.restore();
    let (bad, good) = (fixture.acknowledge("bad"), fixture.acknowledge("good"));
    let (_, request) = fixture.lost.cut();
    let mut records: Vec<Vec<u8>> = request.records.iter().map(|record| record.to_vec()).collect();
    let last = records[0].len() - 1;
    records[0][last] ^= 1;
    let mut header = SignedBatchHeader::decode(&request.signed_header).unwrap().header;
    header.root = InnerTree::from_leaves(header.suite, &records).unwrap().root();
    let chain_id = journal.identity().chain;
    let header = SignedBatchHeader::sign(header, chain_id, fixture.lost.keys.issuer.as_ref());
    fixture.chain.add_items(vec![Item::Batch(receipt_core::block::Batch { header, records })]).unwrap();
    let journal = recovered(journal, &fixture.path(), &mut fixture.chain);
    let mut issuer = restart(journal, &fixture.chain);
    assert!(matches!(fate(&issuer.journal, bad).unwrap(), Fate::Refused { reason: Reason::SignatureInvalid, .. }));
    assert_eq!(fate(&issuer.journal, good).unwrap(), Fate::Pending);
    let (sequence, request) = issuer.cut();
    assert_eq!(sequence.get(), 2);
    fixture.chain.add_items(vec![offered(&request)]).unwrap();
    issuer.follow(&fixture.chain);
    assert!(is_sealed(&issuer, good));
}

#[test]
fn segments_leased_before_the_fence_are_burnt_even_in_its_own_message() {
    let mut fixture = fixture();
    let journal = Arc::new(fixture.restore());
    run(&journal, &fixture.chain);
    let mut actions =
        plan::governance_plan(&journal, receipt_core::suite::Suite::Ed25519Sha256, 1).unwrap().remove(0).actions;
    actions.rotate_left(1);
    let named = journal.fence_id().unwrap().unwrap().to_vec();
    assert_eq!(actions.last(), Some(&Action::FenceIssuer(FenceIssuer { issuer_id: ISSUER, epoch: 2, journal: named })));
    let signed = fixture.chain.governance(actions);
    fixture.chain.add_items(vec![Item::Governance(signed)]).unwrap();
    let state = run(&journal, &fixture.chain).1;
    assert!(matches!(state, RecoveryState::Recovered { epoch: 2, .. }), "{state:?}");
    drop(journal);
    let journal = Journal::open(&fixture.path(), fixture.lost.journal.identity()).unwrap();
    let mut issuer = restart(journal, &fixture.chain);
    let results = issuer.issue(vec![draft(&mut fixture.chain, "S01", "A")]);
    assert_eq!(results[0].as_ref().unwrap_err().reason, Reason::NumberExhausted.into());
}

/// The ledger has the record; its body is here still.
#[test]
fn a_row_that_cannot_be_read_is_learnt_anew_from_the_ledger() {
    use crate::journal::{Durability, ReceiptRow, ReceiptWrites as _};
    let mut fixture = fixture();
    let key = fixture.acknowledge("A");
    let journal = fixture.restore();
    let record = journal.receipt(key).unwrap().unwrap().signed_record;
    let mut write = journal.write();
    write.put_row(key, &ReceiptRow { signed_record: vec![1], ..ReceiptRow::default() });
    write.commit(Durability::Synced).unwrap();
    fixture.seal();
    let journal = recovered(journal, &fixture.path(), &mut fixture.chain);
    let issuer = restart(journal, &fixture.chain);
    assert!(is_sealed(&issuer, key));
    assert_eq!(issuer.journal.receipt(key).unwrap().unwrap().signed_record, record);
    assert!(issuer.journal.body(key).unwrap().is_some());
    assert_eq!(issuer.backlog.records(), 0);
}
