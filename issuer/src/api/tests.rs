use std::collections::BTreeMap;
use std::time::Duration;

use receipt_core::code::Host;
use receipt_core::credential::{SignedCredential, UnitCredential};
use receipt_core::governance::{Action, Grant, RegisterSystem, RegisterUnit};
use receipt_core::ids::{KeyId, UnitId, UnixMillis};
use receipt_core::receipt::model::ReceiptDraft;
use receipt_core::suite::{Signer, Suite};
use receipt_core::testkit::{GENESIS_TIME_MS, TestChain, UNIT_KEY_BASE, UTC_OFFSET_MINUTES, unit_key};
use receipt_core::verdict::{Conclusion, verify_bundle};
use tallystick_anchoring::follow::{Followed, Follower, HeldLimits};
use tallystick_anchoring::gate::Gate;
use tallystick_anchoring::nodes::Nodes;
use tallystick_anchoring::own_fault::Standing;
use tallystick_anchoring::quorum_time::QuorumTime;
use tallystick_anchoring::submit::Submitter;
use tallystick_anchoring::testkit::ledger::{FakeLedger, StatusFault, dead_channel};
use tallystick_anchoring::trust::FollowedTrust;
use tallystick_proto::convert::draft_to_wire;
use tallystick_proto::receipt::v1 as receipt_wire;
use tallystick_service::clock::{Clock, FixedClock};
use tallystick_service::metrics::Readiness;
use tallystick_service::shutdown::CancellationToken;
use tokio::sync::watch;
use tokio_stream::StreamExt;
use tonic::transport::Channel;

use super::*;
use crate::bundle::Bundler;
use crate::config::DocumentsSettings;
use crate::credentials::Credentials;
use crate::documents::Documents;
use crate::issue::{issue_queue, run};
use crate::journal::ReceiptWrites as _;
use crate::testing::{MASTER, TestIssuer, draft, init};
use crate::tries::ticket::Tickets;
use crate::try_desk::{TryDesk, try_queue};

mod bundles;
mod documents;
mod erased;
mod fetching;
mod recovered;
mod reissue;
mod resubmit;
mod sameness;
mod standing;
mod unit;

const SYSTEM: SystemId = SystemId::new(1);
const STRANGER: SystemId = SystemId::new(2);

/// An issuer with all its tasks, over one node in memory.
struct Running {
    ledger: FakeLedger,
    context: Arc<ApiContext>,
    gate: Arc<Gate>,
    trust: Arc<FollowedTrust>,
    quorum_time: Arc<QuorumTime>,
    clock: Arc<FixedClock>,
    token: CancellationToken,
    dir: scratch::Directory,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.token.cancel();
    }
}

async fn running() -> Running {
    let chain = TestChain::new();
    let ledger = FakeLedger::new(chain);
    let channel = ledger.serve().await;
    running_over(ledger, vec![("node".to_owned(), channel)])
}

fn running_over(ledger: FakeLedger, channels: Vec<(String, Channel)>) -> Running {
    let dir = scratch::Directory::new();
    let journal = init(&dir.path().join("journal"), &ledger.chain.lock().unwrap());
    running_on(dir, journal, ledger, channels)
}

fn running_on(
    dir: scratch::Directory,
    journal: crate::journal::Journal,
    ledger: FakeLedger,
    channels: Vec<(String, Channel)>,
) -> Running {
    let issuer = {
        let chain = ledger.chain.lock().unwrap();
        write_credentials(dir.path(), &chain);
        // Secrets of its own: what another start has made is not made again.
        TestIssuer::start(journal, &chain, 11)
    };
    let token = CancellationToken::new();
    let nodes = Arc::new(Nodes::over(channels, Duration::from_secs(2)));
    let tip = issuer.journal.followed_tip().unwrap();
    let (followed, following) = watch::channel(Followed { height: tip.height.get(), event: tip.event });
    let (queue, jobs) = issue_queue(10_000);
    let fixed_clock = issuer.clock.clone();
    let clock: Arc<dyn Clock> = issuer.clock.clone();
    let quorum_time = Arc::clone(&issuer.quorum_time);
    let follower = Follower {
        nodes: Arc::clone(&nodes),
        outcomes: issuer.outcomes,
        desk: issuer.desk.clone(),
        clock: Arc::clone(&clock),
        quorum_time: Arc::clone(&issuer.quorum_time),
        fresh_seconds: 600,
        held: HeldLimits { entries: 10, ..HeldLimits::default() },
        followed,
        standing: Standing::new(&Readiness::new()),
    };
    let submitter = Submitter {
        nodes: Arc::clone(&nodes),
        journal: Arc::clone(&issuer.desk.journal),
        registered: Arc::clone(&issuer.desk.registered),
        metrics: Arc::clone(&issuer.desk.metrics),
        resubmit: Duration::from_millis(200),
    };
    let (tries, try_jobs) = try_queue(Arc::clone(&issuer.gate));
    let desk = TryDesk::open(Arc::clone(&issuer.journal), Arc::clone(&clock), Arc::clone(&issuer.metrics)).unwrap();
    tokio::spawn(desk.run(try_jobs, token.clone()));
    tokio::spawn(run(issuer.sequencer, jobs, 1024, token.clone()));
    tokio::spawn(issuer.batcher.run(token.clone()));
    tokio::spawn(submitter.run(issuer.departures, token.clone()));
    tokio::spawn(follower.run(token.clone()));
    let trust = Arc::clone(&issuer.desk.trust);
    let bundler = Bundler::new(
        Arc::clone(&issuer.journal),
        Arc::clone(&issuer.cipher),
        nodes,
        Arc::clone(&trust),
        Arc::clone(&clock),
        Credentials::new(dir.path().to_owned(), Arc::clone(&trust)),
    );
    // Without fonts, which a machine may not have.
    let settings =
        DocumentsSettings { host: Host::new("TALLY.EXAMPLE").unwrap(), fonts: Vec::new(), unit_lines: BTreeMap::new() };
    let documents = Documents::open(&settings, ledger.chain.lock().unwrap().genesis()).unwrap();
    let context = Arc::new(ApiContext {
        journal: issuer.journal,
        registry: issuer.registry,
        keys: issuer.keys,
        queue,
        waiters: issuer.waiters,
        bundler: Arc::new(bundler),
        documents: Some(Arc::new(documents)),
        followed: following,
        clock,
        quorum_time: issuer.quorum_time,
        tries,
        tickets: Tickets::new(&MASTER),
        metrics: issuer.metrics,
        utc_offset_minutes: UTC_OFFSET_MINUTES,
        stop: token.clone(),
        streams: tokio_util::task::TaskTracker::new(),
    });
    Running { dir, ledger, context, gate: issuer.gate, trust, quorum_time, clock: fixed_clock, token }
}

fn write_credentials(dir: &std::path::Path, chain: &TestChain) {
    for action in &chain.genesis().actions {
        let Action::RegisterUnit(unit) = action else { continue };
        let name = format!("{}.credential", UNIT_KEY_BASE + unit.unit_id);
        std::fs::write(dir.join(name), credential_of(chain, unit).encode()).unwrap();
    }
}

/// What the authorities say of a unit and its key.
fn credential_of(chain: &TestChain, unit: &RegisterUnit) -> SignedCredential {
    chain.sign_credential(UnitCredential {
        suite: Suite::Ed25519Sha256,
        unit: UnitId::new(unit.unit_id),
        unit_code: unit.unit_code.clone(),
        unit_name: unit.name.clone(),
        supervisor_area_code: unit.supervisor_area_code.clone(),
        signing_key: KeyId::new(UNIT_KEY_BASE + unit.unit_id),
        public_key: unit_key(unit.unit_id).public_key(),
        valid_from: UnixMillis::new(GENESIS_TIME_MS),
        valid_until: None,
    })
}

impl Running {
    fn draft(&self, sample: &str, biz_code: &str) -> ReceiptDraft {
        draft(&mut self.ledger.chain.lock().unwrap(), sample, biz_code)
    }

    async fn issue_sealed(&self, draft: &ReceiptDraft) -> Result<wire::IssueResponse, Refusal> {
        let request = wire::IssueRequest {
            draft: Some(draft_to_wire(draft)),
            wait: wire::Wait::Sealed.into(),
            wait_timeout_ms: 20_000,
            with_bundle: true,
        };
        self.context.issue(SYSTEM, request).await
    }

    async fn sealed(&self, sample: &str, biz_code: &str) -> wire::IssueResponse {
        let response = self.issue_sealed(&self.draft(sample, biz_code)).await.unwrap();
        assert_eq!(response.state(), wire::ReceiptState::Sealed, "{response:?}");
        response
    }

    /// Decides registry changes, and waits until the issuer knows them.
    async fn govern(&self, actions: Vec<Action>) {
        let height = self.ledger.govern(actions);
        let mut followed = self.context.followed.clone();
        followed.wait_for(|followed| followed.height >= height).await.unwrap();
    }

    /// A unit as registered at genesis.
    fn registered_unit(&self, unit_code: &str) -> RegisterUnit {
        let chain = self.ledger.chain.lock().unwrap();
        let unit = chain.genesis().actions.iter().find_map(|action| match action {
            Action::RegisterUnit(unit) if unit.unit_code == unit_code => Some(unit.clone()),
            _ => None,
        });
        unit.unwrap()
    }

    async fn bundle(&self, response: &wire::IssueResponse) -> Result<Conclusion, Refusal> {
        let selector = Some(wire::get_bundle_request::Selector::Key(key_of(response)));
        let bundle = self.context.get_bundle(SYSTEM, wire::GetBundleRequest { selector }).await?;
        Ok(self.conclusion(&bundle.bundle))
    }

    fn conclusion(&self, bundle: &[u8]) -> Conclusion {
        verify_bundle(bundle, &self.trust.current(), UnixMillis::new(GENESIS_TIME_MS + 120_000)).conclusion
    }

    fn reversal(&self, unit_code: &str, original: &wire::IssueResponse, biz_code: &str) -> wire::ReverseRequest {
        wire::ReverseRequest {
            unit_code: unit_code.to_owned(),
            original: Some(key_of(original)),
            reversal: Some(receipt_wire::Reversal {
                reason: receipt_wire::ReversalReason::FullRefund.into(),
                operator: "何某".to_owned(),
                refund_reference: "TK1".to_owned(),
                ..receipt_wire::Reversal::default()
            }),
            biz_code: biz_code.to_owned(),
            place_code: "MZ-01".to_owned(),
            handling_person: "何某".to_owned(),
            checker: "吴某".to_owned(),
            receipt_code: String::new(),
            wait: wire::Wait::Sealed.into(),
            wait_timeout_ms: 20_000,
            with_bundle: false,
        }
    }

    fn state(&self, system: SystemId, key: wire::ReceiptKey) -> wire::GetReceiptResponse {
        let selector = Some(wire::get_receipt_request::Selector::Key(key));
        self.context.get_receipt(system, wire::GetReceiptRequest { selector }).unwrap()
    }
}

fn key_of(response: &wire::IssueResponse) -> wire::ReceiptKey {
    wire::ReceiptKey { receipt_code: response.receipt_code.clone(), receipt_number: response.receipt_number.clone() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_travels_from_draft_to_a_bundle_that_verifies() {
    let running = running().await;
    let response = running.sealed("S01", "A").await;
    assert!(!response.replayed);
    assert!(matches!(running.conclusion(&response.bundle), Conclusion::InForce { .. }));
    let again = running.sealed("S01", "A").await;
    assert!(again.replayed);
    assert_eq!(key_of(&again), key_of(&response));
    assert_eq!(again.signed_record, response.signed_record);
    assert_eq!(again.check_code, response.check_code);
    assert_eq!(again.body_seed, response.body_seed);
    let state = running.state(SYSTEM, key_of(&response));
    assert_eq!((state.state(), state.standing()), (wire::ReceiptState::Sealed, wire::Standing::InForce));
    assert_eq!(state.check_code, response.check_code);
    assert_eq!(state.signed_record, response.signed_record);
    assert!(state.block_height > 0 && state.snapshot_height >= state.block_height);
    let unknown = running.state(STRANGER, key_of(&response));
    assert_eq!(unknown.state(), wire::ReceiptState::Unknown);
    assert_eq!(unknown.signed_record.len() + unknown.check_code.len(), 0, "nothing of another's receipt is told");
}

#[tokio::test(flavor = "multi_thread")]
async fn issue_many_answers_each_draft_in_its_place() {
    let running = running().await;
    let good = running.draft("S01", "A");
    let mut bad = running.draft("S01", "B");
    bad.total_amount = receipt_core::ids::Fen::new(1);
    let mut conflict = good.clone();
    conflict.payer_name.push('氏');
    let mut unreadable = draft_to_wire(&good);
    unreadable.issue_date = "2026-02-30".to_owned();
    let mut drafts: Vec<_> = [&good, &bad, &good, &conflict].into_iter().map(draft_to_wire).collect();
    drafts.push(unreadable);
    let many = |system, drafts| {
        let request = wire::IssueManyRequest { drafts, wait: wire::Wait::Sealed.into(), wait_timeout_ms: 20_000 };
        running.context.issue_many(system, request)
    };
    let results = many(SYSTEM, drafts.clone()).await.unwrap().results;
    let results: Vec<_> = results.into_iter().map(|result| result.result.unwrap()).collect();
    let issued = |index: usize| match &results[index] {
        wire::issue_result::Result::Issued(response) => response,
        wire::issue_result::Result::Error(error) => panic!("{error:?}"),
    };
    let error = |index: usize| match &results[index] {
        wire::issue_result::Result::Error(error) => error.reason.as_str(),
        wire::issue_result::Result::Issued(response) => panic!("{response:?}"),
    };
    assert_eq!(issued(0).state(), wire::ReceiptState::Sealed);
    assert_eq!(error(1), "SUM_MISMATCH");
    assert!(issued(2).replayed);
    assert_eq!(key_of(issued(0)), key_of(issued(2)));
    assert_eq!(error(3), "BIZ_CODE_CONFLICT");
    assert_eq!(error(4), "FIELD_INVALID");
    let strangers = many(STRANGER, drafts[..1].to_vec()).await.unwrap().results;
    let Some(wire::issue_result::Result::Error(refusal)) = &strangers[0].result else { panic!("{strangers:?}") };
    assert_eq!(refusal.reason, "NOT_DELEGATED");
    let refusal = many(SYSTEM, vec![drafts[0].clone(); 501]).await.unwrap_err();
    assert_eq!(refusal.reason.as_str(), "REQUEST_TOO_LARGE");
    let refusal = many(SYSTEM, Vec::new()).await.unwrap_err();
    assert_eq!((refusal.reason.as_str(), refusal.violations[0].field.as_str()), ("REQUEST_INVALID", "drafts"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reversal_is_made_once_and_shows_in_the_bundle() {
    let running = running().await;
    let original_draft = running.draft("S01", "A");
    let unit = original_draft.unit_code.clone();
    let pending_request = wire::IssueRequest {
        draft: Some(draft_to_wire(&original_draft)),
        wait: wire::Wait::Pending.into(),
        ..wire::IssueRequest::default()
    };
    let pending = running.context.issue(SYSTEM, pending_request).await.unwrap();
    assert_eq!(pending.state(), wire::ReceiptState::Pending);
    let early = running.context.reverse(SYSTEM, running.reversal(&unit, &pending, "R0")).await;
    if let Err(refusal) = early {
        assert_eq!(refusal.reason.as_str(), "IN_PROGRESS");
    }
    let original = running.issue_sealed(&original_draft).await.unwrap();
    let red = running.context.reverse(SYSTEM, running.reversal(&unit, &original, "R1")).await.unwrap();
    assert_eq!(red.state(), wire::ReceiptState::Sealed);
    let red_draft = red.red_draft.clone().unwrap();
    assert_eq!(red_draft.total_amount_fen, -original_draft.total_amount.get());
    let second = running.context.reverse(SYSTEM, running.reversal(&unit, &original, "R2")).await.unwrap();
    assert_eq!(key_of(&second), key_of(&red));
    assert!(second.replayed);
    let state = running.state(SYSTEM, key_of(&original));
    assert_eq!(state.standing(), wire::Standing::Reversed);
    assert_eq!(state.reversed_by, Some(key_of(&red)));
    assert_eq!(running.state(SYSTEM, key_of(&red)).reversal_of, Some(key_of(&original)));
    let selector = Some(wire::get_bundle_request::Selector::Key(key_of(&original)));
    let bundle = running.context.get_bundle(SYSTEM, wire::GetBundleRequest { selector }).await.unwrap();
    assert!(matches!(running.conclusion(&bundle.bundle), Conclusion::Reversed { .. }));
    assert!(matches!(running.conclusion(&original.bundle), Conclusion::InForce { .. }), "as of before");
    let of_red = running.context.reverse(SYSTEM, running.reversal(&unit, &red, "R3")).await.unwrap_err();
    assert_eq!(of_red.reason.as_str(), "ORIGINAL_IS_RED");
    let unknown = wire::IssueResponse { receipt_number: "9999999999".to_owned(), ..original };
    let refusal = running.context.reverse(SYSTEM, running.reversal(&unit, &unknown, "R4")).await.unwrap_err();
    assert_eq!(refusal.reason.as_str(), "NOT_FOUND_OR_MISMATCH");
}

#[tokio::test(flavor = "multi_thread")]
async fn watch_tells_the_past_and_goes_on_live() {
    let running = running().await;
    let first = running.sealed("S01", "A").await;
    let mut stream = ApiContext::watch(&running.context, SYSTEM, &wire::WatchRequest::default()).unwrap();
    let past = stream.next().await.unwrap().unwrap();
    assert_eq!(past.key, Some(key_of(&first)));
    assert_eq!(past.biz_key.as_ref().unwrap().biz_code, "A");
    let second = running.sealed("S02", "B").await;
    let live = stream.next().await.unwrap().unwrap();
    assert_eq!(live.key, Some(key_of(&second)));
    assert!(live.position > past.position);
    let from = wire::WatchRequest { after_position: past.position, unit_codes: Vec::new() };
    let mut resumed = ApiContext::watch(&running.context, SYSTEM, &from).unwrap();
    assert_eq!(resumed.next().await.unwrap().unwrap(), live);
    let unit_codes = vec!["129903004000000181".to_owned()];
    let foreign = wire::WatchRequest { after_position: 0, unit_codes };
    assert_eq!(
        ApiContext::watch(&running.context, STRANGER, &foreign).map(|_| ()).unwrap_err().reason.as_str(),
        "NOT_DELEGATED"
    );
    // At the stop a stream says so: one that ends well looks complete, and nobody comes back.
    running.token.cancel();
    let ended = loop {
        match resumed.next().await.unwrap() {
            Ok(_) => {}
            Err(status) => break status,
        }
    };
    assert_eq!(ended.code(), tonic::Code::Unavailable);
    let refusal = Refusal::from_status(&ended).unwrap();
    assert_eq!((refusal.reason.as_str(), refusal.retry_after_ms.is_some()), ("SHUTTING_DOWN", true));
    assert!(resumed.next().await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_paged_and_totals_add_up() {
    let running = running().await;
    let mut sum = 0;
    for biz_code in ["A", "B", "C"] {
        let draft = running.draft("S01", biz_code);
        sum += draft.total_amount.get();
        running.issue_sealed(&draft).await.unwrap();
    }
    let unit_code = running.draft("S01", "A").unit_code;
    let mut request = wire::ListReceiptsRequest {
        unit_code: unit_code.clone(),
        day: "2026-11-02".to_owned(),
        page_limit: 2,
        ..wire::ListReceiptsRequest::default()
    };
    let first = running.context.list_receipts(SYSTEM, &request).unwrap();
    assert_eq!(first.receipts.len(), 2);
    request.page_token.clone_from(&first.next_page_token);
    let second = running.context.list_receipts(SYSTEM, &request).unwrap();
    assert_eq!(second.snapshot_height, first.snapshot_height);
    let codes: Vec<_> = first.receipts.iter().chain(&second.receipts).map(|row| row.biz_code.as_str()).collect();
    assert_eq!(codes, ["A", "B", "C"]);
    assert_eq!(second.next_page_token, "");
    let other = wire::ListReceiptsRequest { day: "2026-11-03".to_owned(), ..request.clone() };
    assert_eq!(running.context.list_receipts(SYSTEM, &other).unwrap_err().reason.as_str(), "PAGE_TOKEN_INVALID");
    let elsewhere =
        wire::ListReceiptsRequest { place_code: "nowhere".to_owned(), page_token: String::new(), ..request };
    assert_eq!(running.context.list_receipts(SYSTEM, &elsewhere).unwrap().receipts, Vec::new());
    let totals = wire::DayTotalsRequest { unit_code, day: "2026-11-02".to_owned() };
    let totals = running.context.day_totals(SYSTEM, &totals).unwrap().total.unwrap();
    assert_eq!((totals.blue_count, totals.blue_sum_fen, totals.pending_count), (3, sum, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_node_is_passed_over() {
    let ledger = FakeLedger::new(TestChain::new());
    let channel = ledger.serve().await;
    let running = running_over(ledger, vec![("dead".to_owned(), dead_channel()), ("alive".to_owned(), channel)]);
    let response = running.sealed("S01", "A").await;
    assert!(matches!(running.conclusion(&response.bundle), Conclusion::InForce { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_ledger_receipts_are_pending_and_durable() {
    let ledger = FakeLedger::new(TestChain::new());
    let running = running_over(ledger, vec![("dead".to_owned(), dead_channel())]);
    let request = wire::IssueRequest {
        draft: Some(draft_to_wire(&running.draft("S01", "A"))),
        wait: wire::Wait::Sealed.into(),
        wait_timeout_ms: 50,
        with_bundle: true,
    };
    let response = running.context.issue(SYSTEM, request).await.unwrap();
    assert_eq!(response.state(), wire::ReceiptState::Pending, "a wait that ends is no error");
    assert!(response.bundle.is_empty());
    let selector = Some(wire::get_bundle_request::Selector::Key(key_of(&response)));
    let refusal = running.context.get_bundle(SYSTEM, wire::GetBundleRequest { selector }).await.unwrap_err();
    assert_eq!(refusal.reason.as_str(), "IN_PROGRESS");
    running.gate.halt("for the test");
    assert_eq!(running.issue_sealed(&running.draft("S01", "B")).await.unwrap_err().reason.as_str(), "NOT_READY");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_an_outage_of_the_seals_it_catches_up_and_goes_on() {
    let mut chain = TestChain::new();
    for _ in 0..100 {
        chain.add_items(Vec::new()).unwrap();
    }
    let ledger = FakeLedger::sealing_tips_only(chain);
    let channel = ledger.serve().await;
    // Ten entries may be held back: the hundred heights are crossed by proofs of the node.
    let running = running_over(ledger, vec![("node".to_owned(), channel)]);
    let response = running.sealed("S01", "A").await;
    assert!(matches!(running.conclusion(&response.bundle), Conclusion::InForce { .. }));
    assert!(running.state(SYSTEM, key_of(&response)).snapshot_height > 100);
}

/// A re-issue by another unit that names this receipt as its original, with a total above any.
async fn reissue_elsewhere(running: &Running, original: &wire::ReceiptKey, biz_code: &str) -> Refusal {
    let mut draft = draft_to_wire(&running.draft("S05", biz_code));
    let reference = receipt_wire::ReceiptReference {
        receipt_code: original.receipt_code.clone(),
        receipt_number: original.receipt_number.clone(),
    };
    let relation = receipt_wire::related::Relation::ReissueAfterPartialRefund(reference);
    draft.related = vec![receipt_wire::Related { relation: Some(relation) }];
    let request = wire::IssueRequest { draft: Some(draft), ..wire::IssueRequest::default() };
    running.context.issue(SYSTEM, request).await.unwrap_err()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_another_units_receipt_is_told_by_a_re_issue_or_a_reversal() {
    let running = running().await;
    let blue = running.sealed("S01", "A").await;
    let unit = running.draft("S01", "-").unit_code;
    let other_unit = running.draft("S05", "-").unit_code;
    assert_ne!(unit, other_unit);
    let red = running.context.reverse(SYSTEM, running.reversal(&unit, &blue, "R")).await.unwrap();
    let unknown = wire::ReceiptKey { receipt_number: "0000000007".to_owned(), ..key_of(&blue) };
    let said_of = |key: &wire::ReceiptKey, refusal: &Refusal| {
        assert_eq!(refusal.reason.as_str(), "ORIGINAL_UNKNOWN", "{refusal}");
        format!("{refusal:?}").replace(&key.receipt_number, "N")
    };
    let of_nothing = said_of(&unknown, &reissue_elsewhere(&running, &unknown, "B").await);
    for key in [key_of(&blue), key_of(&red)] {
        assert_eq!(said_of(&key, &reissue_elsewhere(&running, &key, "B").await), of_nothing);
    }

    let mut write = running.context.journal.write();
    write.erase_body(key_from_wire(&key_of(&blue)).unwrap(), UnixMillis::new(5));
    write.commit(crate::journal::Durability::Synced).unwrap();
    let reverse = |unit: &str, original: wire::ReceiptKey| {
        let mut request = running.reversal(unit, &blue, "X");
        request.original = Some(original);
        running.context.reverse(SYSTEM, request)
    };
    let of_nothing = reverse(&other_unit, unknown).await.unwrap_err();
    assert_eq!(of_nothing.reason.as_str(), "NOT_FOUND_OR_MISMATCH");
    // Neither that it is there, nor that it is red, nor that its body was erased.
    for key in [key_of(&blue), key_of(&red)] {
        assert_eq!(reverse(&other_unit, key).await.unwrap_err(), of_nothing);
    }
    assert!(reverse(&unit, key_of(&blue)).await.unwrap().replayed, "its own unit is answered");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delegation_to_one_place_reads_and_reverses_no_other() {
    const DESK: SystemId = SystemId::new(7);
    let running = running().await;
    let mut at_desk = running.draft("S01", "A");
    at_desk.place_code = "MZ-01".to_owned();
    let mut elsewhere = running.draft("S01", "B");
    elsewhere.place_code = "MZ-02".to_owned();
    let (unit, day) = (at_desk.unit_code.clone(), at_desk.issue_date.to_string());
    let unit_id = running.context.view().unit_by_code(&unit).unwrap().id.get();
    let grants = vec![Grant { unit_id, places: vec!["MZ-01".to_owned()] }];
    let system = RegisterSystem { system_id: DESK.get(), name: "desk".to_owned(), grants };
    let height = running.ledger.govern(vec![Action::RegisterSystem(system)]);
    let mut followed = running.context.followed.clone();
    followed.wait_for(|followed| followed.height >= height).await.unwrap();
    let own = running.issue_sealed(&at_desk).await.unwrap();
    let other = running.issue_sealed(&elsewhere).await.unwrap();

    // By number, by biz code, as a file.
    for (response, biz_code, state) in
        [(&own, "A", wire::ReceiptState::Sealed), (&other, "B", wire::ReceiptState::Unknown)]
    {
        assert_eq!(running.state(DESK, key_of(response)).state(), state, "{biz_code}");
        let biz = wire::BizKey { unit_code: unit.clone(), biz_code: biz_code.to_owned() };
        let selector = Some(wire::get_receipt_request::Selector::BizKey(biz));
        let by_biz = running.context.get_receipt(DESK, wire::GetReceiptRequest { selector }).unwrap();
        assert_eq!(by_biz.state(), state, "{biz_code}");
        let selector = Some(wire::get_bundle_request::Selector::Key(key_of(response)));
        let bundle = running.context.get_bundle(DESK, wire::GetBundleRequest { selector }).await;
        assert_eq!(bundle.is_ok(), state == wire::ReceiptState::Sealed, "{biz_code}");
    }
    // Lists show its place; totals are of the whole unit and not its business.
    let list = |place_code: &str| {
        let (unit_code, day, place_code) = (unit.clone(), day.clone(), place_code.to_owned());
        let request = wire::ListReceiptsRequest { unit_code, day, place_code, ..wire::ListReceiptsRequest::default() };
        running.context.list_receipts(DESK, &request)
    };
    for place_code in ["", "MZ-01"] {
        let rows = list(place_code).unwrap().receipts;
        assert_eq!(rows.iter().map(|row| row.biz_code.as_str()).collect::<Vec<_>>(), ["A"], "{place_code:?}");
    }
    assert_eq!(list("MZ-02").unwrap_err().reason.as_str(), "NOT_DELEGATED");
    let totals = wire::DayTotalsRequest { unit_code: unit.clone(), day: day.clone() };
    assert_eq!(running.context.day_totals(DESK, &totals).unwrap_err().reason.as_str(), "NOT_DELEGATED");
    assert_eq!(running.context.day_totals(SYSTEM, &totals).unwrap().total.unwrap().blue_count, 2);
    // Reversing: at its place, and what its place issued.
    let of_other = running.context.reverse(DESK, running.reversal(&unit, &other, "R1")).await.unwrap_err();
    assert_eq!(of_other.reason.as_str(), "NOT_FOUND_OR_MISMATCH");
    let mut at_other = running.reversal(&unit, &own, "R2");
    at_other.place_code = "MZ-02".to_owned();
    assert_eq!(running.context.reverse(DESK, at_other).await.unwrap_err().reason.as_str(), "NOT_DELEGATED");
    let red = running.context.reverse(DESK, running.reversal(&unit, &own, "R3")).await.unwrap();
    assert_eq!(red.state(), wire::ReceiptState::Sealed);
    // Watching: its own receipt, its red one, the reversal of its own; not the other's.
    let mut stream = ApiContext::watch(&running.context, DESK, &wire::WatchRequest::default()).unwrap();
    let mut heard = Vec::new();
    for _ in 0..3 {
        heard.push(stream.next().await.unwrap().unwrap().key.unwrap());
    }
    assert_eq!(heard, [key_of(&own), key_of(&red), key_of(&own)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_wrong_refuses_before_any_rule_with_a_hint() {
    let running = running().await;
    let first = running.sealed("S01", "A").await;
    let right = running.clock.now();
    running
        .quorum_time
        .observe(receipt_core::ids::TreeSize::new(1), receipt_core::note::PosixSeconds::new(right.seconds()));
    // A day ahead: the right date must not be called wrong, or the caller would give up.
    running.clock.set(right.plus_millis(86_400_000));
    let request =
        wire::IssueRequest { draft: Some(draft_to_wire(&running.draft("S01", "B"))), ..wire::IssueRequest::default() };
    let issued = running.context.issue(SYSTEM, request.clone()).await.unwrap_err();
    let unit = running.draft("S01", "-").unit_code;
    let reversed = running.context.reverse(SYSTEM, running.reversal(&unit, &first, "R")).await.unwrap_err();
    for refusal in [issued, reversed] {
        assert_eq!(refusal.reason.as_str(), "CLOCK_WRONG", "{refusal}");
        assert_eq!(refusal.retry_after_ms, Some(10_000));
    }
    assert!(running.issue_sealed(&running.draft("S01", "A")).await.unwrap().replayed, "old ones are answered");
    running.clock.set(right);
    assert!(!running.context.issue(SYSTEM, request).await.unwrap().replayed);
}
