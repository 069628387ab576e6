use std::os::unix::fs::FileExt as _;

use receipt_core::block::Item;
use receipt_core::governance::{Action, KeyOwner, RegisterKey, RevokeKey};
use receipt_core::ids::{TreeSize, UnixMillis};
use receipt_core::limits::ISSUE_TIME_CUT_AHEAD_MS_MAX;
use receipt_core::note::PosixSeconds;
use receipt_core::testkit::{GENESIS_TIME_MS, ISSUER, ISSUER_KEY, TestChain, issuer_key, software_key};

use super::*;
use crate::fate::{Fate, fate};
use crate::testkit::offered;
use crate::testkit::process::{TestProcess, init, open};

const HOUR_MS: u64 = 3_600_000;
const NEXT_KEY: KeyId = KeyId::new(2);

fn next_key() -> Arc<dyn Signer> {
    Arc::new(software_key("issuer-2"))
}

/// The submitter's second key.
fn register_next(from_ms: u64, until_ms: u64) -> Action {
    Action::RegisterKey(RegisterKey {
        key_id: NEXT_KEY.get(),
        owner_kind: KeyOwner::Issuer.number(),
        owner_id: ISSUER,
        suite: Suite::Ed25519Sha256.number(),
        public_key: next_key().public_key().0.to_vec(),
        valid_from_ms: from_ms,
        valid_until_ms: until_ms,
    })
}

struct Fixture {
    chain: TestChain,
    dir: scratch::Directory,
}

impl Fixture {
    fn new() -> Self {
        let fixture = Self { dir: scratch::Directory::new(), chain: TestChain::new() };
        init(fixture.dir.path(), &fixture.chain);
        fixture
    }

    /// A start of the same journal. The former one must have ended.
    fn start(&self, key: KeyId) -> TestProcess {
        let signer = if key == NEXT_KEY { next_key() } else { Arc::new(issuer_key()) };
        TestProcess::start_with_key(open(self.dir.path(), &self.chain), &self.chain, (key, signer))
    }

    fn govern(&mut self, actions: Vec<Action>) {
        let message = self.chain.governance(actions);
        self.chain.add_items(vec![Item::Governance(message)]).unwrap();
    }

    fn seal(&mut self, process: &mut TestProcess, request: &SubmitBatchRequest) {
        self.chain.add_items(vec![offered(request)]).unwrap();
        process.follow(&self.chain);
    }
}

fn header(request: &SubmitBatchRequest) -> BatchHeader {
    SignedBatchHeader::decode(&request.signed_header).unwrap().header
}

fn departed(process: &mut TestProcess) -> SubmitBatchRequest {
    process.departures.try_recv().unwrap().request.clone()
}

#[test]
fn under_a_revoked_key_nothing_is_cut() {
    let mut fixture = Fixture::new();
    let mut process = fixture.start(KeyId::new(ISSUER_KEY));
    let waiting = process.acknowledge(&mut fixture.chain);
    fixture.govern(vec![Action::RevokeKey(RevokeKey { key_id: ISSUER_KEY, revoked_from_ms: GENESIS_TIME_MS + 1 })]);
    process.follow(&fixture.chain);
    assert_eq!(process.batcher.cut().unwrap(), None);
    assert_eq!(
        (process.desk.flight.count(), process.desk.backlog.records()),
        (0, 1),
        "it waits, and no sequence is spent"
    );

    // The new key takes it up.
    fixture.govern(vec![register_next(GENESIS_TIME_MS, 0)]);
    process.follow(&fixture.chain);
    drop(process);
    let mut process = fixture.start(NEXT_KEY);
    let (sequence, request) = process.cut();
    assert_eq!(sequence, BatchSequence::new(1));
    fixture.seal(&mut process, &request);
    assert!(matches!(fate(process.journal(), waiting).unwrap(), Fate::Sealed { .. }));
}

#[test]
fn what_was_acknowledged_before_a_key_expired_is_sealed_after() {
    let mut fixture = Fixture::new();
    let end = GENESIS_TIME_MS + HOUR_MS;
    fixture.govern(vec![register_next(GENESIS_TIME_MS, end)]);
    let mut process = fixture.start(NEXT_KEY);
    process.follow(&fixture.chain);
    let last = process.acknowledge(&mut fixture.chain);
    fixture.chain.wait_until(UnixMillis::new(end + HOUR_MS));
    let (_, request) = process.cut();
    fixture.seal(&mut process, &request);
    assert!(matches!(fate(process.journal(), last).unwrap(), Fate::Sealed { .. }));
}

#[test]
fn an_undecided_batch_of_a_revoked_key_is_signed_anew_under_its_sequence() {
    let mut fixture = Fixture::new();
    let mut process = fixture.start(KeyId::new(ISSUER_KEY));
    let keys: Vec<_> = (0..2).map(|_| process.acknowledge(&mut fixture.chain)).collect();
    let (sequence, old) = process.cut();

    // A new key alone changes nothing: the old header may still be decided.
    fixture.govern(vec![register_next(GENESIS_TIME_MS, 0)]);
    process.follow(&fixture.chain);
    drop(process);
    let mut process = fixture.start(NEXT_KEY);
    assert_eq!(departed(&mut process), old);

    // Revoked from before its last issue time: no block carries it any more.
    fixture.govern(vec![Action::RevokeKey(RevokeKey { key_id: ISSUER_KEY, revoked_from_ms: GENESIS_TIME_MS + 1 })]);
    assert!(fixture.chain.add_items(vec![offered(&old)]).is_err());
    drop(process);
    let mut process = fixture.start(NEXT_KEY);
    assert_eq!(departed(&mut process), old, "the journal has not followed the revocation yet");
    process.follow(&fixture.chain);
    drop(process);
    let mut process = fixture.start(NEXT_KEY);
    let new = departed(&mut process);
    assert_eq!(header(&new), BatchHeader { signing_key: NEXT_KEY, ..header(&old) });
    assert_eq!((header(&new).sequence, &new.records), (sequence, &old.records));
    drop(process);
    let mut process = fixture.start(NEXT_KEY);
    assert_eq!(departed(&mut process), new, "signed anew once");
    fixture.seal(&mut process, &new);
    for key in keys {
        assert!(matches!(fate(process.journal(), key).unwrap(), Fate::Sealed { .. }));
    }
    // Its successor follows without a gap.
    let third = process.acknowledge(&mut fixture.chain);
    let (_, request) = process.cut();
    fixture.seal(&mut process, &request);
    assert!(matches!(fate(process.journal(), third).unwrap(), Fate::Sealed { .. }));
}

#[test]
fn a_present_key_that_does_not_cover_an_undecided_batch_signs_nothing() {
    let mut fixture = Fixture::new();
    let mut process = fixture.start(KeyId::new(ISSUER_KEY));
    let waiting = process.acknowledge(&mut fixture.chain);
    let (_, old) = process.cut();
    let revocation = RevokeKey { key_id: ISSUER_KEY, revoked_from_ms: GENESIS_TIME_MS + 1 };
    let later = register_next(header(&old).last_issue_time.get() + 1, 0);
    fixture.govern(vec![Action::RevokeKey(revocation), later]);
    process.follow(&fixture.chain);
    drop(process);
    let mut process = fixture.start(NEXT_KEY);
    assert_eq!(departed(&mut process), old);
    assert_eq!(fate(process.journal(), waiting).unwrap(), Fate::Pending);
}

/// The ledger would have its batch wait, and all later ones behind it.
#[test]
fn an_early_record_waits_for_its_time_and_outlasts_a_restart() {
    let mut fixture = Fixture::new();
    let mut process = fixture.start(KeyId::new(ISSUER_KEY));
    let early = process.acknowledge(&mut fixture.chain);
    let issued = process.journal().last_issue_time().unwrap();
    let hour_before = PosixSeconds::new(issued.seconds() - 3600);
    process.quorum_time.observe(TreeSize::new(1), hour_before);
    assert_eq!(process.batcher.cut().unwrap(), None);
    assert_eq!((process.desk.backlog.records(), process.desk.backlog.early()), (0, 1));
    drop(process);
    let mut process = fixture.start(KeyId::new(ISSUER_KEY));
    process.quorum_time.observe(TreeSize::new(1), hour_before);
    process.monotonic.advance_s(3600 - ISSUE_TIME_CUT_AHEAD_MS_MAX / 1000 - 1);
    assert_eq!(process.batcher.cut().unwrap(), None, "a second too early");
    process.monotonic.advance_s(2);
    let (_, request) = process.cut();
    assert_eq!((request.records.len(), process.desk.backlog.early()), (1, 0));
    fixture.seal(&mut process, &request);
    assert!(matches!(fate(process.journal(), early).unwrap(), Fate::Sealed { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batcher_that_is_held_back_ends_when_it_is_told() {
    let mut fixture = Fixture::new();
    let mut process = fixture.start(KeyId::new(ISSUER_KEY));
    process.acknowledge(&mut fixture.chain);
    fixture.govern(vec![Action::RevokeKey(RevokeKey { key_id: ISSUER_KEY, revoked_from_ms: GENESIS_TIME_MS + 1 })]);
    process.follow(&fixture.chain);
    let token = CancellationToken::new();
    let running = tokio::spawn(process.batcher.run(token.clone()));
    token.cancel();
    running.await.unwrap().unwrap();
    assert_eq!(process.desk.journal.next_sequence().unwrap(), BatchSequence::new(1));
}

/// Has what the journal holds go into tables, and spoils the one that has this record, in the file itself. The process has ended.
fn rot(fixture: &Fixture, record: &[u8]) {
    let journal = open(fixture.dir.path(), &fixture.chain);
    journal.flush_logs().unwrap();
    drop(journal);
    let files = std::fs::read_dir(fixture.dir.path()).unwrap().map(|entry| entry.unwrap().path());
    let mut rotten = 0;
    for file in files.filter(|path| path.extension() == Some("sst".as_ref())) {
        let mut table = std::fs::read(&file).unwrap();
        if let Some(at) = table.windows(record.len()).position(|window| window == record) {
            table[at + 40] ^= 1;
            std::fs::write(&file, table).unwrap();
            rotten += 1;
        }
    }
    assert_eq!(rotten, 1);
}

/// The disk gives back what was written: undoes [`rot`] beside the running process.
fn recover_disk(fixture: &Fixture, record: &[u8]) {
    let mut rotten = record.to_vec();
    rotten[40] ^= 1;
    let files = std::fs::read_dir(fixture.dir.path()).unwrap().map(|entry| entry.unwrap().path());
    let mut recovered = 0;
    for file in files.filter(|path| path.extension() == Some("sst".as_ref())) {
        let table = std::fs::read(&file).unwrap();
        if let Some(at) = table.windows(rotten.len()).position(|window| window == rotten) {
            let file = std::fs::OpenOptions::new().write(true).open(&file).unwrap();
            file.write_all_at(&record[40..41], u64::try_from(at).unwrap() + 40).unwrap();
            recovered += 1;
        }
    }
    assert_eq!(recovered, 1);
}

fn row(process: &TestProcess, key: RecordKey) -> crate::journal::RecordRow {
    process.journal().record(key).unwrap().unwrap()
}

/// Somebody hands the record back.
fn mend(process: &TestProcess, key: RecordKey, row: &crate::journal::RecordRow) {
    let mut write = process.journal().write();
    write.put_record(key, row);
    write.commit(Durability::Synced).unwrap();
    process.desk.backlog.mended();
}

/// Before, each start ended with it.
#[test]
fn a_waiting_record_that_cannot_be_read_is_set_aside_and_cut_when_it_is_mended() {
    let mut fixture = Fixture::new();
    let mut process = fixture.start(KeyId::new(ISSUER_KEY));
    let lost = process.acknowledge(&mut fixture.chain);
    let kept = row(&process, lost);
    drop(process);
    rot(&fixture, &kept.signed_record);

    let mut process = fixture.start(KeyId::new(ISSUER_KEY));
    assert!(process.journal().record(lost).unwrap_err().is_damage());
    let others: Vec<_> = (0..2).map(|_| process.acknowledge(&mut fixture.chain)).collect();
    let (_, request) = process.cut();
    assert_eq!(request.records.len(), 2, "the others go on");
    let waits = |process: &TestProcess| (process.desk.backlog.records(), process.desk.backlog.unreadable());
    assert_eq!(waits(&process), (0, 1), "it is counted, and woken for no more");
    fixture.seal(&mut process, &request);
    for key in others {
        assert!(matches!(fate(process.journal(), key).unwrap(), Fate::Sealed { .. }));
    }
    assert_eq!(fate(process.journal(), lost).unwrap(), Fate::Pending, "it keeps its place");
    assert_eq!(process.batcher.cut().unwrap(), None);
    drop(process);

    let mut process = fixture.start(KeyId::new(ISSUER_KEY));
    assert_eq!(process.batcher.cut().unwrap(), None);
    assert_eq!(waits(&process), (0, 1), "a start finds it again");
    mend(&process, lost, &kept);
    let (_, request) = process.cut();
    assert_eq!(request.records, [Bytes::from(kept.signed_record)]);
    assert_eq!(waits(&process), (0, 0));
    fixture.seal(&mut process, &request);
    assert!(matches!(fate(process.journal(), lost).unwrap(), Fate::Sealed { .. }));
}

/// Without its records a batch cannot be offered, and no other header may have its sequence: it waits, or turns out to be decided.
#[test]
fn an_undecided_batch_with_a_record_that_cannot_be_read_stays_behind_and_sets_out_when_it_is_mended() {
    for decided_meanwhile in [false, true] {
        let mut fixture = Fixture::new();
        let mut process = fixture.start(KeyId::new(ISSUER_KEY));
        let lost = process.acknowledge(&mut fixture.chain);
        let kept = row(&process, lost);
        let (first, request) = process.cut();
        drop(process);
        rot(&fixture, &kept.signed_record);

        let mut process = fixture.start(KeyId::new(ISSUER_KEY));
        assert_eq!((process.desk.flight.count(), process.desk.flight.grounded()), (0, vec![first]));
        assert_eq!(process.desk.flight.records(), 1, "it is pending all the same");
        let other = process.acknowledge(&mut fixture.chain);
        let (_, second) = process.cut();
        if decided_meanwhile {
            // A node had it.
            fixture.seal(&mut process, &request);
        } else {
            mend(&process, lost, &kept);
            assert_eq!(process.batcher.cut().unwrap(), None);
            assert_eq!(departed(&mut process), request, "the same header and records");
            fixture.seal(&mut process, &request);
        }
        assert_eq!(process.desk.flight.grounded(), []);
        fixture.seal(&mut process, &second);
        for key in [lost, other] {
            assert!(matches!(fate(process.journal(), key).unwrap(), Fate::Sealed { .. }));
        }
    }
}

/// Of a refused batch, too: what waits there is not counted twice.
#[test]
fn a_record_that_waits_to_be_cut_again_and_cannot_be_read_is_set_aside() {
    let mut fixture = Fixture::new();
    let mut process = fixture.start(KeyId::new(ISSUER_KEY));
    let lost = process.acknowledge(&mut fixture.chain);
    let kept = row(&process, lost);
    // As the follower leaves it.
    let mut write = process.journal().write();
    write.delete_outbox(0);
    write.put_requeue(BatchSequence::new(9), 3, lost);
    write.commit(Durability::Synced).unwrap();
    drop(process);
    rot(&fixture, &kept.signed_record);
    let mut process = fixture.start(KeyId::new(ISSUER_KEY));
    assert_eq!(process.desk.backlog.records(), 1);
    assert_eq!(process.batcher.cut().unwrap(), None);
    assert_eq!((process.desk.backlog.records(), process.desk.backlog.unreadable()), (0, 1));
    mend(&process, lost, &kept);
    let (_, request) = process.cut();
    assert_eq!((process.desk.backlog.records(), process.desk.backlog.unreadable()), (0, 0));
    fixture.seal(&mut process, &request);
    assert!(matches!(fate(process.journal(), lost).unwrap(), Fate::Sealed { .. }));
}

/// The one task of a running process hears of the mending, also while it may cut no more.
#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_stayed_behind_sets_out_as_soon_as_it_is_mended() {
    let mut fixture = Fixture::new();
    let mut process = fixture.start(KeyId::new(ISSUER_KEY));
    let lost = process.acknowledge(&mut fixture.chain);
    let kept = row(&process, lost);
    let (_, request) = process.cut();
    drop(process);
    rot(&fixture, &kept.signed_record);
    let mut process = fixture.start(KeyId::new(ISSUER_KEY));
    for _ in 0..8 {
        process.acknowledge(&mut fixture.chain);
        process.cut();
    }
    let TestProcess { batcher, mut departures, desk, .. } = process;
    let token = CancellationToken::new();
    let running = tokio::spawn(batcher.run(token.clone()));
    // It sets out again what is on its way, the grounded one not.
    for _ in 0..8 {
        assert_ne!(departures.recv().await.unwrap().request, request);
    }
    let mut write = desk.journal.write();
    write.put_record(lost, &kept);
    write.commit(Durability::Synced).unwrap();
    desk.backlog.mended();
    assert_eq!(departures.recv().await.unwrap().request, request);
    token.cancel();
    running.await.unwrap().unwrap();
}

/// Before, what failed once was looked at no more until the next start.
#[test]
fn what_the_disk_gives_back_is_cut_and_sets_out_without_anybody_mending_it() {
    let mut fixture = Fixture::new();
    let mut process = fixture.start(KeyId::new(ISSUER_KEY));
    let batched = process.acknowledge(&mut fixture.chain);
    let batched = row(&process, batched).signed_record;
    let (first, request) = process.cut();
    drop(process);
    rot(&fixture, &batched);
    let mut process = fixture.start(KeyId::new(ISSUER_KEY));
    let waiting = process.acknowledge(&mut fixture.chain);
    let waiting = row(&process, waiting).signed_record;
    drop(process);
    rot(&fixture, &waiting);

    let mut process = fixture.start(KeyId::new(ISSUER_KEY));
    process.batcher.look_again_pause = Duration::ZERO;
    assert_eq!(process.batcher.cut().unwrap(), None);
    assert_eq!(process.batcher.cut().unwrap(), None, "looked at again, and still not readable");
    assert_eq!((process.desk.flight.grounded(), process.desk.backlog.unreadable()), (vec![first], 1));
    recover_disk(&fixture, &batched);
    recover_disk(&fixture, &waiting);
    assert!(process.batcher.cut().unwrap().is_some());
    assert_eq!((process.desk.flight.grounded(), process.desk.backlog.unreadable()), (vec![], 0));
    assert_eq!(departed(&mut process), request);
    assert_eq!(departed(&mut process).records, [Bytes::from(waiting)]);
}

/// The one task of a running process looks by itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_stayed_behind_sets_out_as_soon_as_the_disk_gives_it_back() {
    let mut fixture = Fixture::new();
    let mut process = fixture.start(KeyId::new(ISSUER_KEY));
    let lost = process.acknowledge(&mut fixture.chain);
    let lost = row(&process, lost).signed_record;
    let (_, request) = process.cut();
    drop(process);
    rot(&fixture, &lost);
    let mut process = fixture.start(KeyId::new(ISSUER_KEY));
    process.acknowledge(&mut fixture.chain);
    process.cut();
    process.batcher.look_again_pause = Duration::from_millis(1);
    let TestProcess { batcher, mut departures, .. } = process;
    let token = CancellationToken::new();
    let running = tokio::spawn(batcher.run(token.clone()));
    // It sets out again what is on its way, the grounded one not.
    assert_ne!(departures.recv().await.unwrap().request, request);
    recover_disk(&fixture, &lost);
    assert_eq!(departures.recv().await.unwrap().request, request);
    token.cancel();
    running.await.unwrap().unwrap();
}

/// After two journals ran side by side, the acknowledgement of the other one has the same number. Before, all nodes refused the batch, for ever.
#[test]
fn a_batch_that_was_mended_with_another_record_than_was_cut_stays_behind() {
    let mut fixture = Fixture::new();
    let mut process = fixture.start(KeyId::new(ISSUER_KEY));
    let lost = process.acknowledge(&mut fixture.chain);
    let kept = row(&process, lost);
    let (first, request) = process.cut();
    let beside = process.acknowledge(&mut fixture.chain);
    let other = row(&process, beside);
    drop(process);
    rot(&fixture, &kept.signed_record);
    let mut process = fixture.start(KeyId::new(ISSUER_KEY));
    // In the same block of the table.
    mend(&process, beside, &other);
    mend(&process, lost, &other);
    assert!(process.batcher.cut().unwrap().is_some());
    assert_eq!(process.desk.flight.grounded(), [first]);
    assert_eq!(departed(&mut process).records, [Bytes::from(other.signed_record)], "what was cut after it");
    mend(&process, lost, &kept);
    assert_eq!(process.batcher.cut().unwrap(), None);
    assert_eq!(departed(&mut process), request);
    assert_eq!(process.desk.flight.grounded(), []);
}
