//! A process that may open no more files for a while: calls are refused, and the next ones go on where it was.

use tallystick_anchoring::follow::{Chain, HeldLimits, OutcomeError};
use tallystick_storage::StoreShare;

use super::*;
use crate::journal::{DayKind, day_number};
use crate::registry::kind_of;
use crate::testing::ledger_block;
use scratch::alone::{NoFiles, is_alone};

/// Before, it ended the issuer.
#[test]
fn calls_are_refused_as_long_as_no_file_can_be_opened_and_nothing_is_spent() {
    if !is_alone("issue::tests::shortage::calls_are_refused_as_long_as_no_file_can_be_opened_and_nothing_is_spent") {
        return;
    }
    let dir = scratch::Directory::new();
    let mut chain = TestChain::new();
    let mut issuer = TestIssuer::start(init(dir.path(), &chain), &chain, 1);
    let first = issuer.issue_new(draft(&mut chain, "S01", "A"));
    let (_, request) = issuer.cut();
    chain.add_items(vec![offered(&request)]).unwrap();
    issuer.follow(&chain);
    issuer.journal.flush_logs().unwrap();
    drop(issuer);
    // So few that most tables are not open yet.
    let share = StoreShare { files: 20, ..StoreShare::SMALL };
    let journal = Journal::open_within(dir.path(), identity(&chain), share).unwrap();
    let mut issuer = TestIssuer::start(journal, &chain, 2);
    let new = draft(&mut chain, "S01", "B");
    let assert_refused = |issuer: &mut TestIssuer| {
        let refusal = issuer.issue(vec![new.clone()]).remove(0).unwrap_err();
        assert_eq!((refusal.reason.as_str(), refusal.retry_after_ms), ("NOT_READY", Some(10_000)), "{refusal}");
    };
    let no_files = NoFiles::begin();
    assert_refused(&mut issuer);
    drop(no_files);

    // What the decision reads is open now, and what the write reads is not.
    let record = SignedRecord::decode(&first.signed_record).unwrap().record;
    let (unit, code) = (record.unit, record.key.code);
    assert_eq!(issuer.journal.biz(unit, "B").unwrap(), None);
    for key in issuer.prepare(new.clone(), None).unwrap().uniqueness {
        assert_eq!(issuer.journal.receipted(unit, key).unwrap(), None);
    }
    for segment in issuer.registry.view().segments(unit, code) {
        issuer.journal.next_number(segment.id).unwrap();
    }
    let day = day_number(record.issue_time, UTC_OFFSET_MINUTES);
    let day_kind = DayKind { unit, day, kind: kind_of(code) };
    let no_files = NoFiles::begin();
    assert_eq!(issuer.journal.biz(unit, "C").unwrap(), None);
    assert!(issuer.journal.issued(day_kind).unwrap_err().may_pass());
    assert_refused(&mut issuer);
    drop(no_files);

    let next = issuer.issue_new(new);
    assert_eq!(next.key.number.get(), first.key.number.get() + 1, "no number was spent");
    assert_eq!(issuer.journal.issued(day_kind).unwrap().blue_count, 2);
    let (_, request) = issuer.cut();
    assert_eq!(request.records, [next.signed_record]);
}

/// Before, they ended the issuer.
#[test]
fn blocks_are_not_acted_on_as_long_as_no_file_can_be_opened_and_wholly_later() {
    if !is_alone("issue::tests::shortage::blocks_are_not_acted_on_as_long_as_no_file_can_be_opened_and_wholly_later") {
        return;
    }
    let dir = scratch::Directory::new();
    let mut chain = TestChain::new();
    let mut issuer = TestIssuer::start(init(dir.path(), &chain), &chain, 1);
    issuer.issue_new(draft(&mut chain, "S01", "A"));
    let (_, request) = issuer.cut();
    chain.add_items(vec![offered(&request)]).unwrap();
    issuer.follow(&chain);
    let key = issuer.issue_new(draft(&mut chain, "S01", "B")).key;
    let (_, request) = issuer.cut();
    issuer.journal.flush_logs().unwrap();
    drop(issuer);
    let share = StoreShare { files: 20, ..StoreShare::SMALL };
    let journal = Journal::open_within(dir.path(), identity(&chain), share).unwrap();
    let mut issuer = TestIssuer::start(journal, &chain, 2);
    chain.add_items(vec![offered(&request)]).unwrap();
    let no_files = NoFiles::begin();
    let mut log = Chain::new(issuer.journal.followed_tip().unwrap(), HeldLimits::default());
    let sealed = log.offer(&ledger_block(&chain, chain.height().get()), &*issuer.desk.trust).unwrap();
    let refused = issuer.outcomes.act(&sealed, log.sealed_tip(&sealed).unwrap()).unwrap_err();
    assert!(matches!(&refused, OutcomeError::Journal(error) if error.may_pass()), "{refused}");
    drop(no_files);
    assert_eq!(fate(&issuer.journal, key).unwrap(), Fate::Pending);
    issuer.follow(&chain);
    assert!(matches!(fate(&issuer.journal, key).unwrap(), Fate::Sealed { .. }));
}
