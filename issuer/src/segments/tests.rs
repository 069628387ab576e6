use receipt_core::block::Item;
use receipt_core::governance::{Action, CloseSegment, Governance, SignedGovernance};
use receipt_core::ids::{Height, UnixMillis};
use receipt_core::limits::REVOCATION_GRACE_MS;
use receipt_core::reason::Reason;
use receipt_core::state::tables::{GovernanceState, META_GOVERNANCE, Table};
use receipt_core::state::{ApplyError, BlockRefusal, StateRead as _};
use receipt_core::suite::Signer;
use receipt_core::testkit::{TestChain, authorities};

use super::*;
use crate::journal::{Durability, Placement};
use crate::testing::recovery::{lose_and_restore, recovered};
use crate::testing::{TestIssuer, draft, identity, init, key_of, offered};

struct Fixture {
    chain: TestChain,
    issuer: TestIssuer,
    dir: scratch::Directory,
}

fn fixture() -> Fixture {
    let dir = scratch::Directory::new();
    let chain = TestChain::new();
    let issuer = TestIssuer::start(init(&dir.path().join("journal"), &chain), &chain, 1);
    Fixture { dir, chain, issuer }
}

impl Fixture {
    fn issue(&mut self, biz_code: &str) -> ReceiptKey {
        self.issuer.issue_new(draft(&mut self.chain, "S01", biz_code)).key
    }

    fn seal(&mut self) {
        let (_, request) = self.issuer.cut();
        self.chain.add_items(vec![offered(&request)]).unwrap();
        self.issuer.follow(&self.chain);
    }

    /// The segment of the sample's unit and code.
    fn lease(&mut self) -> AllocateSegment {
        let sample = draft(&mut self.chain, "S01", "lease");
        let view = self.issuer.registry.view();
        let unit = view.unit_by_code(&sample.unit_code).unwrap().id;
        let id = view.leased(unit, sample.receipt_code)[0].id;
        registered(&self.issuer.journal, id).unwrap().segment
    }

    fn restart(self) -> Self {
        let Self { dir, chain, issuer } = self;
        drop(issuer);
        let journal = Journal::open(&dir.path().join("journal"), identity(&chain)).unwrap();
        let issuer = TestIssuer::start(journal, &chain, 2);
        Self { dir, chain, issuer }
    }

    fn govern(&mut self, sequence: u64, action: Action) -> Result<Height, ApplyError> {
        let keys = authorities();
        let signers: Vec<&dyn Signer> = keys[..2].iter().map(|key| key as &dyn Signer).collect();
        let (suite, expiry) = (self.chain.genesis().suite, Height::new(1_000));
        let last = self.chain.state().get(Table::Meta, META_GOVERNANCE).unwrap().unwrap();
        let previous = GovernanceState::decode(&last).unwrap().id;
        let governance = Governance { suite, area: None, sequence, expiry, previous, actions: vec![action] };
        let signed = SignedGovernance::sign(governance, self.chain.genesis().chain_id(), &signers);
        self.chain.add_items(vec![Item::Governance(signed)])
    }

    fn report(&self, lease: &AllocateSegment) -> Result<SegmentReport, SegmentError> {
        report(&self.issuer.journal, SegmentId::new(lease.segment_id))
    }
}

fn settlement(report: &SegmentReport) -> Settlement {
    let [ProposedAction::SettleSegment(settlement)] = report.actions.as_slice() else { panic!("{report:?}") };
    settlement.clone()
}

fn ranges(list: &[Range]) -> Vec<(u64, u64)> {
    list.iter().map(|range| (range.first, range.last)).collect()
}

#[test]
fn a_stopped_segment_gives_out_nothing_ever_again_and_is_reported_whole() {
    let mut fixture = fixture();
    let lease = fixture.lease();
    let first = lease.first_number;
    fixture.issue("A");
    fixture.issue("B");
    fixture.seal();
    let refused = fixture.issue("C");
    assert!(matches!(fixture.report(&lease), Err(SegmentError::NotStopped(_))));
    assert_eq!(fixture.issuer.sequencer.stop(&lease).unwrap(), first + 3);
    // Stopped, then stopped by a power cut: the next start knows it.
    let mut fixture = fixture.restart();
    let results = fixture.issuer.issue(vec![draft(&mut fixture.chain, "S01", "D")]);
    assert_eq!(results[0].as_ref().unwrap_err().reason, Reason::NumberExhausted.into());
    assert_eq!(fixture.issuer.sequencer.stop(&lease).unwrap(), first + 3, "once");
    match fixture.report(&lease) {
        Err(SegmentError::Undecided { count: 1, first, .. }) => assert_eq!(first, refused),
        other => panic!("{other:?}"),
    }
    let mut write = fixture.issuer.journal.write();
    write.put_placement(refused, Placement::Refused { reason: Reason::TimeInvalid, height: Height::new(2) });
    write.commit(Durability::Synced).unwrap();
    let report = fixture.report(&lease).unwrap();
    assert_eq!((report.used_count, report.lost_count, report.void_count), (2, 1, 1_000_000 - 3));
    let proposal = settlement(&report);
    assert_eq!(ranges(&proposal.lost), [(first + 2, first + 2)]);
    assert_eq!(ranges(&proposal.void), [(first + 3, lease.last_number)]);
    assert_eq!((report.closed_at_ms, report.settleable_from_ms), (0, 0), "open on the ledger");
    // What goes to the authorities reads back as it was.
    let json = serde_json::to_string(&report).unwrap();
    assert!(json.contains("\"actions\":[{\"settle_segment\":{\"segment_id\":"), "{json}");
    assert!(json.contains(&format!("\"first\":\"{:010}\"", first + 3)), "numbers have ten digits: {json}");
    assert_eq!(serde_json::from_str::<SegmentReport>(&json).unwrap(), report);
    let description = report.to_description();
    let (comments, action) = description.split_once("\n\n").unwrap();
    assert!(comments.lines().all(|line| line.starts_with("# ")) && comments.contains("2 used, 999997 void, 1 lost"));
    let lost = format!("lost = [\n  {{ first = \"{0:010}\", last = \"{0:010}\" }},\n]\n", first + 2);
    assert!(action.starts_with("[[actions]]\n[actions.settle_segment]\nsegment_id = "), "{action}");
    assert!(action.ends_with(&lost), "{action}");
}

#[test]
fn the_ledger_takes_the_report_and_every_issuer_follows_it() {
    let mut fixture = fixture();
    let lease = fixture.lease();
    fixture.issue("A");
    fixture.issue("B");
    fixture.seal();
    fixture.govern(1, Action::CloseSegment(CloseSegment { segment_id: lease.segment_id })).unwrap();
    fixture.issuer.follow(&fixture.chain);
    fixture.issuer.sequencer.stop(&lease).unwrap();
    let report = fixture.report(&lease).unwrap();
    assert_eq!(report.settleable_from_ms, report.closed_at_ms + REVOCATION_GRACE_MS + 1);
    let proposal = settlement(&report);
    let action = Action::SettleSegment(proposal.to_action());
    let problem = |result: Result<Height, ApplyError>| match result {
        Err(ApplyError::Refused(BlockRefusal::Governance { problem, .. })) => problem,
        other => panic!("{other:?}"),
    };
    let early = problem(fixture.govern(2, action.clone()));
    assert_eq!(early, "receipts of the segment may still come within the grace");
    fixture.chain.wait_until(UnixMillis::new(report.settleable_from_ms));
    // As many numbers, but a used one among them.
    let mut wrong = proposal.clone();
    wrong.void = vec![
        Range { first: lease.first_number, last: lease.first_number },
        Range { first: lease.first_number + 3, last: lease.last_number },
    ];
    let refused = problem(fixture.govern(2, Action::SettleSegment(wrong.to_action())));
    assert_eq!(refused, "a number is used and cannot be void or lost");
    fixture.govern(2, action).unwrap();
    fixture.issuer.follow(&fixture.chain);
    assert_eq!(fixture.issuer.log.next_height(), fixture.chain.height().get() + 1);
    let state = registered(&fixture.issuer.journal, SegmentId::new(lease.segment_id)).unwrap();
    assert_ne!(state.settled_at_ms, 0);
    assert_eq!((state.void_count, state.lost_count), (report.void_count, 0));
}

#[test]
fn numbers_that_a_recovery_burnt_are_lost_but_for_those_whose_receipts_came_back() {
    let mut fixture = fixture();
    let lease = fixture.lease();
    fixture.issue("before");
    fixture.seal();
    let path = fixture.dir.path().join("restored");
    let journal = lose_and_restore(&fixture.issuer.journal, &path);
    fixture.issue("sealed");
    fixture.seal();
    fixture.issue("never seen again");
    let journal = recovered(journal, &path, &mut fixture.chain);
    let mut issuer = TestIssuer::start(journal, &fixture.chain, 3);
    let after = key_of(&issuer.issue(vec![draft(&mut fixture.chain, "S01", "after")])[0]);
    assert!(after.number.get() > lease.last_number, "from the segment after the fence");
    assert_eq!(issuer.sequencer.stop(&lease).unwrap(), lease.last_number + 1);
    let report = report(&issuer.journal, SegmentId::new(lease.segment_id)).unwrap();
    assert_eq!((report.used_count, report.void_count), (2, 0), "which of them were given out, nobody knows");
    assert_eq!(ranges(&settlement(&report).lost), [(lease.first_number + 2, lease.last_number)]);
}

#[test]
fn only_a_segment_of_this_issuer_is_reported() {
    let fixture = fixture();
    let unknown = SegmentId::new(999_999);
    assert!(matches!(report(&fixture.issuer.journal, unknown), Err(SegmentError::Unknown(_))));
}

#[test]
fn gaps_fall_apart_at_the_first_unused_number() {
    let mut count = Count::default();
    count.gap(1, 4, 6);
    count.gap(5, 9, 6);
    count.gap(10, 10, 6);
    assert_eq!((ranges(&count.lost.ranges), count.lost.count), (vec![(1, 3), (5, 5)], 4));
    assert_eq!((ranges(&count.void.ranges), count.void.count), (vec![(6, 8)], 3));
}

#[test]
fn the_printed_report_has_the_fields_of_its_schema_and_their_types() {
    let mut fixture = fixture();
    fixture.issue("A");
    fixture.seal();
    let lease = fixture.lease();
    fixture.issuer.sequencer.stop(&lease).unwrap();
    let report = fixture.report(&lease).unwrap();
    let program = ("tallystick-issuer", env!("CARGO_PKG_VERSION"));
    let stamped = tallystick_service::report::Stamped::new(program, None, UnixMillis::new(0), &report);
    let document = serde_json::to_value(stamped).unwrap();
    let schema = include_str!("../../../docs/spec/schemas/segment-report.schema.json");
    let schema: serde_json::Value = serde_json::from_str(schema).unwrap();
    let mut required: Vec<&str> =
        schema["required"].as_array().unwrap().iter().filter_map(|name| name.as_str()).collect();
    let mut shown: Vec<&str> = document.as_object().unwrap().keys().map(String::as_str).collect();
    required.sort_unstable();
    shown.sort_unstable();
    assert_eq!(shown, required);
    for name in shown {
        let value = &document[name];
        let fits = match schema["properties"][name]["type"].as_str().unwrap() {
            "integer" => value.is_u64(),
            "string" => value.is_string(),
            "array" => value.is_array(),
            other => panic!("{name}: {other}"),
        };
        assert!(fits, "{name} is {value}");
    }
}
