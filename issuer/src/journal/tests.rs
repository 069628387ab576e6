use receipt_core::ids::{ReceiptNumber, UnixMillis};
use receipt_core::testkit::TestChain;
use tallystick_anchoring::testkit::copy_as_after_a_crash;

use super::*;
use crate::fate::{Fate, fate};
use crate::issue::Issued;
use crate::testing::{TestIssuer, draft, identity, init, key_of, offered};

#[test]
fn a_crash_after_any_write_loses_nothing_that_was_acknowledged() {
    let dir = scratch::Directory::new();
    let at = |name: &str| dir.path().join(name);
    let mut chain = TestChain::new();
    let mut issuer = TestIssuer::start(init(&at("live"), &chain), &chain, 1);

    // Acknowledged, then a crash before the batch was cut.
    let acknowledged = issuer.issue_new(draft(&mut chain, "S01", "A"));
    copy_as_after_a_crash(&at("live"), &at("acknowledged"));
    let (sequence, request) = issuer.cut();
    // Cut, then a crash before any node had it.
    copy_as_after_a_crash(&at("live"), &at("cut"));
    copy_as_after_a_crash(&at("live"), &at("cut-again"));

    let restart = |name: &str, chain: &TestChain, seed| {
        TestIssuer::start(Journal::open(&at(name), identity(chain)).unwrap(), chain, seed)
    };
    let mut first = restart("acknowledged", &chain, 2);
    assert_eq!(first.backlog.records(), 1);
    let row = first.journal.receipt(acknowledged.key).unwrap().unwrap();
    assert_eq!(row.signed_record, acknowledged.signed_record);
    let again = first.issue(vec![draft(&mut chain, "S01", "A")]);
    assert_eq!(again, vec![Ok(Issued::Existing(acknowledged.key))]);
    assert_eq!(first.cut().0, sequence, "the sequence was not spent");
    let next = key_of(&first.issue(vec![draft(&mut chain, "S01", "B")])[0]);
    assert_eq!(next.number, ReceiptNumber::new(acknowledged.key.number.get() + 1).unwrap());

    let mut second = restart("cut", &chain, 3);
    assert_eq!(second.backlog.records(), 0);
    let departed = second.departures.try_recv().unwrap();
    assert_eq!(departed.request, request, "the same header sets out again");
    chain.add_items(vec![offered(&request)]).unwrap();
    second.follow(&chain);
    assert!(matches!(fate(&second.journal, acknowledged.key).unwrap(), Fate::Sealed { .. }));
    // Its progress is lost, the ledger is not: following again gives the same.
    let mut third = restart("cut-again", &chain, 4);
    third.follow(&chain);
    assert_eq!(fate(&third.journal, acknowledged.key).unwrap(), fate(&second.journal, acknowledged.key).unwrap());
    assert_eq!(third.journal.followed_tip().unwrap(), second.journal.followed_tip().unwrap());
}

#[test]
fn an_erased_body_is_gone_and_its_receipt_stays() {
    let dir = scratch::Directory::new();
    let mut chain = TestChain::new();
    let mut issuer = TestIssuer::start(init(dir.path(), &chain), &chain, 1);
    let key = issuer.issue_new(draft(&mut chain, "S01", "A")).key;
    assert!(issuer.journal.body(key).unwrap().is_some());
    let mut write = issuer.journal.write();
    write.erase_body(key, UnixMillis::new(5));
    write.commit(Durability::Synced).unwrap();
    assert_eq!(issuer.journal.body(key).unwrap(), None);
    assert!(issuer.journal.receipt(key).unwrap().is_some());
}
