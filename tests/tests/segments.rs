//! V29 with real processes: a segment is closed, its issuer says what became of each number, the authorities settle it.
//!
//! The ledger takes a settlement ten days after the closing at the earliest. So one segment is closed by a genesis that is eleven
//! days old, and is settled; another one is used, closed now, and shows that what the issuer proposes is right but for its time,
//! and that no used number passes for void.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};

use receipt_core::governance::{Action, CloseSegment, Governance, NumberRange, SettleSegment};
use receipt_core::hash::Hash;
use receipt_core::ids::Height;
use receipt_core::suite::Suite;
use tallystick_devnet::generate_receipts::GeneratedReceipt;
use tallystick_devnet::logs::AllowList;
use tallystick_devnet::{Caller, NetworkOptions, governance};
use tallystick_proto::admin::v1::{
    GetNodeStatusRequest, ListSegmentsRequest, ListUnitsRequest, PageRequest, RegistryState, Segment,
};
use tallystick_proto::convert::draft_to_wire;
use tallystick_proto::errors::Refusal;
use tallystick_proto::issuer::v1::{IssueRequest, Wait};
use tallystick_tests::TestNetwork;
use tallystick_tests::judgement::all_sealed_once;
use tallystick_tests::load::{Acked, Clients, clients, issue};
use tallystick_tests::pages::Operator;

const ISSUER: u32 = 1;
const DAY_MS: u64 = 24 * 60 * 60 * 1000;
/// Of another unit than the samples that are issued here.
const CLOSED: u32 = 6;
const RECEIPTS: u64 = 3;
const WAIT_MAX: Duration = Duration::from_secs(60);
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// What the authorities are given to sign, read as they would.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Proposal {
    void: Vec<NumberRange>,
    lost: Vec<NumberRange>,
}

impl Proposal {
    fn read(text: &str, segment_id: u32) -> Self {
        let (_, action) = text.split_once("\n[[actions]]\n[actions.settle_segment]\n").unwrap();
        let (id, lists) = action.split_once('\n').unwrap();
        assert_eq!(id, format!("segment_id = {segment_id}"));
        let (void, lost) = lists.strip_prefix("void = [\n").unwrap().split_once("]\nlost = [\n").unwrap();
        let ranges = |list: &str| -> Vec<NumberRange> {
            let lines = list.lines().filter(|line| *line != "]");
            lines
                .map(|line| {
                    let mut numbers = line.split('"').skip(1).step_by(2).map(|number| number.parse().unwrap());
                    NumberRange { first: numbers.next().unwrap(), last: numbers.next().unwrap() }
                })
                .collect()
        };
        Self { void: ranges(void), lost: ranges(lost) }
    }

    fn action(&self, segment_id: u32) -> Action {
        Action::SettleSegment(SettleSegment { segment_id, void: self.void.clone(), lost: self.lost.clone() })
    }
}

async fn report(network: &TestNetwork, segment: u32, more: &[&str]) -> (i32, String) {
    let segment = segment.to_string();
    let arguments = [&["--segment", &segment], more].concat();
    network.run_issuer_command(ISSUER, "segment-report", &arguments).await.unwrap()
}

/// The report and the proposal, once the issuer has followed what it must know for them.
async fn report_when_known(network: &TestNetwork, segment: u32, file: &str) -> (String, Proposal) {
    let path = network.backups().join(file);
    let deadline = Instant::now() + WAIT_MAX;
    loop {
        let (code, output) = report(network, segment, &["--proposal", path.to_str().unwrap()]).await;
        if code == 0 {
            let text = std::fs::read_to_string(&path).unwrap();
            return (output, Proposal::read(&text, segment));
        }
        assert!(Instant::now() < deadline, "{output}");
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

async fn segments(network: &TestNetwork) -> Vec<Segment> {
    let mut admin = network.admin_client(1, Caller::Operator).await.unwrap();
    let page = Some(PageRequest { page_limit: 1000, ..PageRequest::default() });
    admin
        .list_segments(ListSegmentsRequest { page, ..ListSegmentsRequest::default() })
        .await
        .unwrap()
        .into_inner()
        .segments
}

/// The segment from which a draft takes its number.
async fn segment_of(network: &TestNetwork, receipt: &GeneratedReceipt) -> Segment {
    let mut admin = network.admin_client(1, Caller::Operator).await.unwrap();
    let page = Some(PageRequest { page_limit: 1000, ..PageRequest::default() });
    let units = admin.list_units(ListUnitsRequest { page }).await.unwrap().into_inner().units;
    let unit = units.into_iter().find(|unit| unit.unit_code == receipt.draft.unit_code).unwrap().unit_id;
    let code = receipt.draft.receipt_code.to_string();
    let mut segments = segments(network).await.into_iter();
    segments.find(|segment| segment.unit_id == unit && segment.receipt_code == code).unwrap()
}

/// Signed by the authorities and offered.
async fn govern(network: &TestNetwork, sequence: u64, action: Action) -> Result<(), String> {
    let mut admin = network.admin_client(1, Caller::Operator).await.unwrap();
    let status = admin.get_node_status(GetNodeStatusRequest {}).await.unwrap().into_inner();
    let previous = Hash::from_slice(&status.governance_id).unwrap();
    let expiry = Height::new(status.decided_height + 1_000);
    let message =
        Governance { suite: Suite::Ed25519Sha256, area: None, sequence, expiry, previous, actions: vec![action] };
    let message = governance::sign(network.layout(), &message.encode()).unwrap();
    governance::submit(network.layout(), &message).await.map_err(|error| format!("{error:#}"))
}

async fn issue_sample(network: &TestNetwork, clients: &Clients, sample: &str, serial: u64) -> Acked {
    issue(clients, network.sample(sample, serial).unwrap()).await.unwrap()
}

async fn exhausted(clients: &Clients, receipt: &GeneratedReceipt) {
    let draft = Some(draft_to_wire(&receipt.draft));
    let request = IssueRequest { draft, wait: Wait::Pending.into(), ..IssueRequest::default() };
    let status = clients[&receipt.system_id].clone().issue(request).await.unwrap_err();
    assert_eq!(Refusal::from_status(&status).unwrap().reason.as_str(), "NUMBER_EXHAUSTED");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_segment_is_settled_by_what_its_issuer_knows() {
    let options =
        NetworkOptions { genesis_age_ms: 11 * DAY_MS, closed_segment: Some(CLOSED), ..NetworkOptions::default() };
    let mut network = TestNetwork::start_as_services(&options).await.unwrap();
    let issuer = clients(&network, ISSUER).await.unwrap();
    let mut all = Vec::new();
    for serial in 1..=RECEIPTS {
        all.push(issue_sample(&network, &issuer, "S01", serial).await);
    }
    all_sealed_once(&network, ISSUER, &all).await.unwrap();
    let used = segment_of(&network, &all[0].receipt).await;
    assert_ne!(used.segment_id, CLOSED);

    // Not by mistake: while the ledger has it open, the issuer goes on.
    let (code, output) = report(&network, used.segment_id, &[]).await;
    assert!(code == 1 && output.contains("is open on the ledger"), "{output}");
    all.push(issue_sample(&network, &issuer, "S01", 4).await);
    let close = Action::CloseSegment(CloseSegment { segment_id: used.segment_id });
    govern(&network, 1, close).await.unwrap();
    let (said, right) = report_when_known(&network, used.segment_id, "settle.toml").await;
    let void = options.segment_numbers - RECEIPTS - 1;
    for figure in [format!("\"used_count\": {}", RECEIPTS + 1), format!("\"void_count\": {void}")] {
        assert!(said.contains(&figure), "{said} lacks {figure}");
    }
    exhausted(&issuer, &network.sample("S01", 5).unwrap()).await;

    // A crash later it still gives out none of them, and says the same.
    network.issuer(ISSUER).unwrap().kill().await.unwrap();
    network.issuer(ISSUER).unwrap().start().unwrap();
    network.issuer(ISSUER).unwrap().wait_ready().await.unwrap();
    let issuer = clients(&network, ISSUER).await.unwrap();
    exhausted(&issuer, &network.sample("S01", 5).unwrap()).await;
    assert_eq!(report_when_known(&network, used.segment_id, "again.toml").await.1, right);

    let [NumberRange { first, last }] = right.void[..] else { panic!("{right:?}") };
    assert_eq!((last - first + 1, right.lost.len()), (void, 0));
    let wrong = Proposal { void: vec![NumberRange { first: first - 1, last: last - 1 }], ..right.clone() };
    let refused = govern(&network, 2, wrong.action(used.segment_id)).await.unwrap_err();
    assert!(refused.contains("a number is used and cannot be void or lost"), "{refused}");
    let early = govern(&network, 2, right.action(used.segment_id)).await.unwrap_err();
    assert!(early.contains("receipts of the segment may still come within the grace"), "{early}");

    // The one whose grace is over is settled, and every issuer follows.
    let old = report_when_known(&network, CLOSED, "closed.toml").await.1;
    // The same, typed as the page has it.
    let number = |number: u32| format!("--segment {number} ");
    let mut operator = Operator::of_issuer(&mut network, ISSUER).with("--segment 13 ", number(CLOSED));
    let said = operator.follow("docs/ops/segments.md", "Closing a segment of numbers").await.unwrap();
    assert!(said.contains("\"used_count\": 0"), "{said}");
    let proposal = network.backups().join("settle-13.toml");
    assert_eq!(Proposal::read(&std::fs::read_to_string(proposal).unwrap(), CLOSED), old);
    govern(&network, 2, old.action(CLOSED)).await.unwrap();
    let more = issue_sample(&network, &issuer, "S05", 6).await;
    all.push(more);
    all_sealed_once(&network, ISSUER, &all).await.unwrap();
    let twice = govern(&network, 3, old.action(CLOSED)).await.unwrap_err();
    assert!(twice.contains("the segment is settled already"), "{twice}");
    let closed = segments(&network).await.into_iter().find(|segment| segment.segment_id == CLOSED).unwrap();
    assert_eq!(closed.state(), RegistryState::Closed);
    network.wait_equal_tips().await.unwrap();
    network.audit(1).await.unwrap();
    network.finish(&AllowList::lifecycle()).await.unwrap();
}
