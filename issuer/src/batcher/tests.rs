use receipt_core::block::Item;
use receipt_core::governance::{Action, KeyOwner, RegisterKey, RevokeKey};
use receipt_core::ids::{TreeSize, UnixMillis};
use receipt_core::limits::ISSUE_TIME_CUT_AHEAD_MS_MAX;
use receipt_core::note::PosixSeconds;
use receipt_core::receipt::civil::CivilDate;
use receipt_core::suite::Signer;
use receipt_core::testkit::{
    GENESIS_TIME_MS, ISSUER, ISSUER_KEY, TestChain, UTC_OFFSET_MINUTES, issuer_key, software_key,
};
use tallystick_proto::errors::Refusal;
use tallystick_service::clock::Clock as _;

use super::*;
use crate::fate::{Fate, fate};
use crate::issue::Issued;
use crate::testing::{TestIssuer, draft, identity, init, offered};

const HOUR_MS: u64 = 3_600_000;
const NEXT_KEY: KeyId = KeyId::new(2);

fn next_key() -> Arc<dyn Signer> {
    Arc::new(software_key("issuer-2"))
}

/// The issuer's second key.
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
    dir: tempfile::TempDir,
    chain: TestChain,
}

impl Fixture {
    fn new() -> Self {
        let fixture = Self { dir: tempfile::tempdir().unwrap(), chain: TestChain::new() };
        init(fixture.dir.path(), &fixture.chain);
        fixture
    }

    /// A start of the same journal. The former one must have ended.
    fn start(&self, start: u64, key: KeyId) -> TestIssuer {
        let journal = Journal::open(self.dir.path(), identity(&self.chain)).unwrap();
        let signer = if key == NEXT_KEY { next_key() } else { Arc::new(issuer_key()) };
        TestIssuer::start_with_key(journal, &self.chain, start, (key, signer))
    }

    fn govern(&mut self, actions: Vec<Action>) {
        let message = self.chain.governance(actions);
        self.chain.add_items(vec![Item::Governance(message)]).unwrap();
    }

    fn seal(&mut self, issuer: &mut TestIssuer, request: &SubmitBatchRequest) {
        self.chain.add_items(vec![offered(request)]).unwrap();
        issuer.follow(&self.chain);
    }

    fn refused(&mut self, issuer: &mut TestIssuer, biz_code: &str) -> Refusal {
        let draft = draft(&mut self.chain, "S01", biz_code);
        issuer.issue(vec![draft]).remove(0).unwrap_err()
    }
}

fn header(request: &SubmitBatchRequest) -> BatchHeader {
    SignedBatchHeader::decode(&request.signed_header).unwrap().header
}

fn departed(issuer: &mut TestIssuer) -> SubmitBatchRequest {
    issuer.departures.try_recv().unwrap().request.clone()
}

#[test]
fn under_a_revoked_key_nothing_is_issued_and_nothing_is_cut() {
    let mut fixture = Fixture::new();
    let mut issuer = fixture.start(1, KeyId::new(ISSUER_KEY));
    let first = draft(&mut fixture.chain, "S01", "A");
    let waiting = issuer.issue_new(first.clone());
    let revoked_from_ms = issuer.clock.now().get();
    fixture.govern(vec![Action::RevokeKey(RevokeKey { key_id: ISSUER_KEY, revoked_from_ms })]);
    issuer.follow(&fixture.chain);
    let refusal = fixture.refused(&mut issuer, "B");
    assert_eq!((refusal.reason.as_str(), refusal.retry_after_ms), ("NOT_READY", Some(60_000)));
    assert!(refusal.message.contains("no valid key of its own"), "{refusal}");
    assert_eq!(issuer.issue(vec![first]), vec![Ok(Issued::Existing(waiting.key))], "what is issued is answered");
    assert_eq!(issuer.batcher.cut().unwrap(), None);
    assert_eq!((issuer.flight.count(), issuer.backlog.records()), (0, 1), "it waits, and no sequence is spent");

    // The new key takes it up.
    fixture.govern(vec![register_next(GENESIS_TIME_MS, 0)]);
    issuer.follow(&fixture.chain);
    drop(issuer);
    let mut issuer = fixture.start(2, NEXT_KEY);
    let (sequence, request) = issuer.cut();
    assert_eq!(sequence, BatchSequence::new(1));
    fixture.seal(&mut issuer, &request);
    assert!(matches!(fate(&issuer.journal, waiting.key).unwrap(), Fate::Sealed { .. }));
}

#[test]
fn a_key_that_expires_leaves_nothing_behind_that_is_never_sealed() {
    let mut fixture = Fixture::new();
    let end = GENESIS_TIME_MS + HOUR_MS;
    fixture.govern(vec![register_next(GENESIS_TIME_MS, end)]);
    let mut issuer = fixture.start(1, NEXT_KEY);
    assert_eq!(fixture.refused(&mut issuer, "0").reason.as_str(), "NOT_READY", "the key is not followed yet");
    issuer.follow(&fixture.chain);
    issuer.clock.set(UnixMillis::new(end - 1));
    let last = issuer.issue_new(draft(&mut fixture.chain, "S01", "A"));
    issuer.clock.set(UnixMillis::new(end));
    assert_eq!(fixture.refused(&mut issuer, "B").reason.as_str(), "NOT_READY");
    fixture.chain.wait_until(UnixMillis::new(end + HOUR_MS));
    let (_, request) = issuer.cut();
    fixture.seal(&mut issuer, &request);
    assert!(matches!(fate(&issuer.journal, last.key).unwrap(), Fate::Sealed { .. }));
}

#[test]
fn an_undecided_batch_of_a_revoked_key_is_signed_anew_under_its_sequence() {
    let mut fixture = Fixture::new();
    let mut issuer = fixture.start(1, KeyId::new(ISSUER_KEY));
    let keys: Vec<ReceiptKey> =
        ["A", "B"].map(|biz_code| issuer.issue_new(draft(&mut fixture.chain, "S01", biz_code)).key).to_vec();
    let (sequence, old) = issuer.cut();

    // A new key alone changes nothing: the old header may still be decided.
    fixture.govern(vec![register_next(GENESIS_TIME_MS, 0)]);
    issuer.follow(&fixture.chain);
    drop(issuer);
    let mut issuer = fixture.start(2, NEXT_KEY);
    assert_eq!(departed(&mut issuer), old);

    // Revoked from before its last issue time: no block carries it any more.
    let revoked_from_ms = GENESIS_TIME_MS + 1;
    fixture.govern(vec![Action::RevokeKey(RevokeKey { key_id: ISSUER_KEY, revoked_from_ms })]);
    assert!(fixture.chain.add_items(vec![offered(&old)]).is_err());
    drop(issuer);
    let mut issuer = fixture.start(3, NEXT_KEY);
    assert_eq!(departed(&mut issuer), old, "the journal has not followed the revocation yet");
    issuer.follow(&fixture.chain);
    drop(issuer);
    let mut issuer = fixture.start(4, NEXT_KEY);
    let new = departed(&mut issuer);
    assert_eq!(header(&new), BatchHeader { signing_key: NEXT_KEY, ..header(&old) });
    assert_eq!((header(&new).sequence, &new.records), (sequence, &old.records));
    drop(issuer);
    let mut issuer = fixture.start(5, NEXT_KEY);
    assert_eq!(departed(&mut issuer), new, "signed anew once");
    fixture.seal(&mut issuer, &new);
    for key in keys {
        assert!(matches!(fate(&issuer.journal, key).unwrap(), Fate::Sealed { .. }));
    }
    // Its successor follows without a gap.
    let third = issuer.issue_new(draft(&mut fixture.chain, "S01", "C"));
    let (_, request) = issuer.cut();
    fixture.seal(&mut issuer, &request);
    assert!(matches!(fate(&issuer.journal, third.key).unwrap(), Fate::Sealed { .. }));
}

#[test]
fn a_present_key_that_does_not_cover_an_undecided_batch_signs_nothing() {
    let mut fixture = Fixture::new();
    let mut issuer = fixture.start(1, KeyId::new(ISSUER_KEY));
    let issued = issuer.issue_new(draft(&mut fixture.chain, "S01", "A"));
    let (_, old) = issuer.cut();
    let revocation = RevokeKey { key_id: ISSUER_KEY, revoked_from_ms: GENESIS_TIME_MS + 1 };
    let later = register_next(issued.issue_time.get() + 1, 0);
    fixture.govern(vec![Action::RevokeKey(revocation), later]);
    issuer.follow(&fixture.chain);
    drop(issuer);
    let mut issuer = fixture.start(2, NEXT_KEY);
    assert_eq!(departed(&mut issuer), old);
    assert_eq!(fate(&issuer.journal, issued.key).unwrap(), Fate::Pending);
}

/// Issued while this issuer's clock was hours ahead, and nobody knew better. The ledger would let its batch wait, and all later ones.
#[test]
fn a_record_far_ahead_of_the_validators_waits_and_those_after_it_are_cut() {
    let mut fixture = Fixture::new();
    let mut issuer = fixture.start(1, KeyId::new(ISSUER_KEY));
    let right = issuer.clock.now();
    issuer.clock.advance_ms(6 * HOUR_MS);
    let early = issuer.issue_new(draft(&mut fixture.chain, "S01", "A"));
    issuer.clock.set(right);
    issuer.quorum_time.observe(TreeSize::new(1), PosixSeconds::new(right.seconds()));
    let after = ["B", "C"].map(|biz_code| issuer.issue_new(draft(&mut fixture.chain, "S01", biz_code)));
    assert_eq!(after[0].issue_time, right, "what follows is dated by the right clock");
    let (_, request) = issuer.cut();
    assert_eq!(request.records.len(), 2);
    assert_eq!(header(&request).last_issue_time, right);
    assert_eq!((issuer.backlog.records(), issuer.backlog.early()), (0, 1));
    assert_eq!(issuer.batcher.cut().unwrap(), None, "it waits, and no sequence is spent");
    fixture.seal(&mut issuer, &request);
    for sealed in after {
        assert!(matches!(fate(&issuer.journal, sealed.key).unwrap(), Fate::Sealed { .. }));
    }
    // A restart finds it again, and what came meanwhile.
    drop(issuer);
    let mut issuer = fixture.start(2, KeyId::new(ISSUER_KEY));
    issuer.clock.set(right);
    issuer.quorum_time.observe(TreeSize::new(1), PosixSeconds::new(right.seconds()));
    issuer.issue_new(draft(&mut fixture.chain, "S01", "D"));
    let (_, request) = issuer.cut();
    assert_eq!((request.records.len(), issuer.backlog.early()), (1, 1));
    fixture.seal(&mut issuer, &request);
    // Its time comes.
    let ripe_s = (6 * HOUR_MS - ISSUE_TIME_CUT_AHEAD_MS_MAX) / 1000 + 1;
    issuer.monotonic.advance_s(ripe_s - 60);
    assert_eq!(issuer.batcher.cut().unwrap(), None);
    issuer.monotonic.advance_s(60);
    let (_, request) = issuer.cut();
    assert_eq!((request.records.len(), issuer.backlog.early()), (1, 0));
    fixture.chain.wait_until(early.issue_time);
    fixture.seal(&mut issuer, &request);
    assert!(matches!(fate(&issuer.journal, early.key).unwrap(), Fate::Sealed { .. }));
}

/// Issuer and ledger ask one predicate: what is acknowledged until a planned revocation is sealed.
#[test]
fn what_is_issued_before_a_revocation_that_was_dated_far_ahead_is_sealed() {
    const DAY_MS: u64 = 24 * HOUR_MS;
    let mut fixture = Fixture::new();
    let mut issuer = fixture.start(1, KeyId::new(ISSUER_KEY));
    let first = draft(&mut fixture.chain, "S01", "A");
    let unit = issuer.registry.view().unit_by_code(&first.unit_code).unwrap().clone();
    let revoked_from_ms = GENESIS_TIME_MS + 20 * DAY_MS;
    let key_id = unit.keys[0].id.get();
    fixture.govern(vec![
        Action::RevokeKey(RevokeKey { key_id, revoked_from_ms }),
        Action::RevokeKey(RevokeKey { key_id: ISSUER_KEY, revoked_from_ms }),
    ]);
    issuer.follow(&fixture.chain);
    // Fifteen days later, beyond the grace of the recording.
    let issued_at = UnixMillis::new(GENESIS_TIME_MS + 15 * DAY_MS);
    issuer.clock.set(issued_at);
    fixture.chain.wait_until(issued_at);
    let mut late = draft(&mut fixture.chain, "S01", "B");
    late.issue_date = CivilDate::at(issued_at, UTC_OFFSET_MINUTES).unwrap();
    let issued = issuer.issue_new(late);
    let (_, request) = issuer.cut();
    fixture.seal(&mut issuer, &request);
    let fate = fate(&issuer.journal, issued.key).unwrap();
    assert!(matches!(fate, Fate::Sealed { .. }), "{fate:?}");
    // From its beginning on, neither of the two takes one.
    issuer.clock.set(UnixMillis::new(revoked_from_ms));
    let unit = issuer.registry.view().unit_by_code(&first.unit_code).unwrap().clone();
    assert!(!unit.keys[0].covers(UnixMillis::new(revoked_from_ms)));
    assert!(unit.keys[0].covers(UnixMillis::new(revoked_from_ms - 1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batcher_that_is_held_back_ends_when_it_is_told() {
    let mut fixture = Fixture::new();
    let mut issuer = fixture.start(1, KeyId::new(ISSUER_KEY));
    issuer.issue_new(draft(&mut fixture.chain, "S01", "A"));
    let revoked_from_ms = issuer.clock.now().get();
    fixture.govern(vec![Action::RevokeKey(RevokeKey { key_id: ISSUER_KEY, revoked_from_ms })]);
    issuer.follow(&fixture.chain);
    let token = CancellationToken::new();
    let running = tokio::spawn(issuer.batcher.run(token.clone()));
    token.cancel();
    running.await.unwrap().unwrap();
    assert_eq!(issuer.journal.next_sequence().unwrap(), BatchSequence::new(1));
}
