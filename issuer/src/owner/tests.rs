use receipt_core::block::Item;
use receipt_core::governance::{Action, KeyOwner, RegisterKey, RegisterKind, RevokeKey};
use receipt_core::ids::{BatchSequence, KeyId, ReceiptCode, ReceiptKey, UnixMillis};
use receipt_core::reason::Reason;
use receipt_core::receipt::rules::Catalogue;
use receipt_core::suite::{Signer, Suite};
use receipt_core::testkit::{GENESIS_TIME_MS, ISSUER, TestChain, software_key};
use tallystick_proto::errors::Refusal;
use tallystick_proto::ledger::v1::SubmitBatchRequest;

use super::*;
use crate::authority::Audience;
use crate::fate::{Fate, fate, reversed_by};
use crate::issue::Issued;
use crate::journal::Durability;
use crate::registry::System;
use crate::testing::{Fixture, TestIssuer, draft, fixture, init, key_of, offered};
use crate::watch::{Change, WatchedOutcome, outcomes_after};

mod times;

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
fn watchers_hear_a_sealed_batch_receipt_by_receipt() {
    let Fixture { mut chain, mut issuer, .. } = fixture();
    let keys: Vec<_> = ["A", "B", "C"].map(|biz| issuer.issue_new(draft(&mut chain, "S01", biz)).key).to_vec();
    let (_, request) = issuer.cut();
    chain.add_items(vec![offered(&request)]).unwrap();
    issuer.follow(&chain);
    assert_eq!(changes(&issuer), keys.iter().map(|key| (*key, Change::Sealed)).collect::<Vec<_>>());
}

#[test]
fn a_refused_batch_ends_the_bad_and_cuts_the_good_again() {
    let Fixture { mut chain, mut issuer, .. } = fixture();
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
    assert_eq!(request.records, vec![bytes::Bytes::from(good.signed_record)], "the same signed record");
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
fn corrupt_first(issuer: &mut TestIssuer, request: &SubmitBatchRequest) -> BadBatch {
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
    write.commit(Durability::Synced).unwrap();
}

#[test]
fn a_journal_that_is_not_the_newest_issues_nothing() {
    let Fixture { mut chain, mut issuer, .. } = fixture();
    let foreign = chain.issue("S01");
    chain.add_block(&[foreign]);
    issuer.follow(&chain);
    let why = issuer.journal.halted().unwrap().unwrap();
    let results = issuer.issue(vec![draft(&mut chain, "S02", "A")]);
    assert_eq!(results[0].as_ref().unwrap_err().reason.as_str(), "NOT_READY");
    assert!(why.contains("tallystick-issuer recover --config"), "{why}");
}

#[test]
fn under_a_key_that_has_ended_nothing_is_issued() {
    let dir = scratch::Directory::new();
    let mut chain = TestChain::new();
    let signer: Arc<dyn Signer> = Arc::new(software_key("issuer-2"));
    let end = GENESIS_TIME_MS + 3_600_000;
    let register = Action::RegisterKey(RegisterKey {
        key_id: 2,
        owner_kind: KeyOwner::Issuer.number(),
        owner_id: ISSUER,
        suite: Suite::Ed25519Sha256.number(),
        public_key: signer.public_key().0.to_vec(),
        valid_from_ms: GENESIS_TIME_MS,
        valid_until_ms: end,
    });
    let message = chain.governance(vec![register]);
    chain.add_items(vec![Item::Governance(message)]).unwrap();
    let mut issuer = TestIssuer::start_with_key(init(dir.path(), &chain), &chain, 1, (KeyId::new(2), signer));
    let refused = |issuer: &mut TestIssuer, chain: &mut TestChain, biz_code: &str| -> Refusal {
        issuer.issue(vec![draft(chain, "S01", biz_code)]).remove(0).unwrap_err()
    };
    assert_eq!(refused(&mut issuer, &mut chain, "0").reason.as_str(), "NOT_READY", "the key is not followed yet");
    issuer.follow(&chain);
    issuer.clock.set(UnixMillis::new(end - 1));
    let first = draft(&mut chain, "S01", "A");
    let last = issuer.issue_new(first.clone());
    issuer.clock.set(UnixMillis::new(end));
    let refusal = refused(&mut issuer, &mut chain, "B");
    assert_eq!((refusal.reason.as_str(), refusal.retry_after_ms), ("NOT_READY", Some(60_000)));
    assert!(refusal.message.contains("no valid key of its own"), "{refusal}");
    assert_eq!(issuer.issue(vec![first]), vec![Ok(Issued::Existing(last.key))], "what is issued is answered");
    // A revocation ends it as an expiry does.
    issuer.clock.set(UnixMillis::new(end - 1));
    let revoked =
        chain.governance(vec![Action::RevokeKey(RevokeKey { key_id: 2, revoked_from_ms: GENESIS_TIME_MS + 1 })]);
    chain.add_items(vec![Item::Governance(revoked)]).unwrap();
    issuer.follow(&chain);
    assert_eq!(refused(&mut issuer, &mut chain, "C").reason.as_str(), "NOT_READY");
}

#[test]
fn governance_reaches_the_registry_even_twice_in_a_block() {
    let Fixture { mut chain, mut issuer, .. } = fixture();
    let code = ReceiptCode::parse("99123426").unwrap();
    assert!(!issuer.registry.view().kind_is_registered(code));
    let kind = |name: &str| Action::RegisterKind(RegisterKind::named(991_234, name));
    let (first, second) = (chain.governance(vec![kind("one")]), chain.governance(vec![kind("two")]));
    chain.add_items(vec![Item::Governance(first), Item::Governance(second)]).unwrap();
    issuer.follow(&chain);
    assert!(issuer.registry.view().kind_is_registered(code));
}

#[test]
fn a_reversal_frees_the_payment_once_it_is_sealed() {
    let Fixture { mut chain, mut issuer, .. } = fixture();
    let original_draft = draft(&mut chain, "S01", "A");
    let original = issuer.issue_new(original_draft.clone());
    let (_, request) = issuer.cut();
    chain.add_items(vec![offered(&request)]).unwrap();
    issuer.follow(&chain);
    let red = issuer.reverse(&original_draft, original.key, "R");
    let red_key = key_of(&red);
    assert_eq!(reversed_by(&issuer.journal, original.key).unwrap(), None, "nothing is released before the seal");
    let second = issuer.reverse(&original_draft, original.key, "R2");
    assert_eq!(second.unwrap_err().reason, Reason::AlreadyReversed.into());
    let (_, request) = issuer.cut();
    let height = chain.add_items(vec![offered(&request)]).unwrap();
    issuer.follow(&chain);
    assert_eq!(reversed_by(&issuer.journal, original.key).unwrap(), Some((red_key, height)));
    let expected =
        [(original.key, Change::Sealed), (red_key, Change::Sealed), (original.key, Change::Reversed(red_key))];
    assert_eq!(changes(&issuer), expected);
}

#[test]
fn totals_and_days_count_what_became_of_receipts() {
    let Fixture { mut chain, mut issuer, .. } = fixture();
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

#[test]
fn a_long_past_is_watched_in_pages_and_only_by_whom_it_concerns() {
    let Fixture { mut chain, mut issuer, .. } = fixture();
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

    // Rows without units, as those that `recover` learns, are read in full and tell the same.
    let mut batch = issuer.journal.batch(BatchSequence::new(1)).unwrap().unwrap();
    let mut event = issuer.journal.event(1).unwrap().unwrap();
    let mut note = BatchNote::read(&batch.note).unwrap();
    note.units.clear();
    (batch.note, event.note) = (note.encode_to_vec(), Vec::new());
    let mut write = issuer.journal.write();
    write.put_batch(BatchSequence::new(1), BatchSequence::new(3), &batch);
    write.put_event(1, &event);
    write.commit(Durability::Synced).unwrap();
    assert_eq!(heard(&issuer.journal, &whole, 0), all);
    assert_eq!(heard(&issuer.journal, &office_only, 0).len(), 1);
}

/// A row that has rotted stops nobody: what the ledger decided of it is acted on, and what it took is free.
#[test]
fn what_the_ledger_decides_of_receipts_that_cannot_be_read_is_acted_on() {
    use crate::journal::ReceiptRow;
    let Fixture { mut chain, mut issuer, .. } = fixture();
    let original_draft = draft(&mut chain, "S01", "O");
    let original = issuer.issue_new(original_draft.clone()).key;
    let refused = issuer.issue_new(draft(&mut chain, "S01", "A")).key;
    let (first, request) = issuer.cut();
    // The second record is refused, the first one is cut again.
    let mut records: Vec<Vec<u8>> = request.records.iter().map(|record| record.to_vec()).collect();
    records.swap(0, 1);
    let bad = corrupt_first(
        &mut issuer,
        &SubmitBatchRequest { records: records.into_iter().map(Into::into).collect(), ..request },
    );
    chain.add_items(vec![bad.item]).unwrap();
    let mut row = issuer.journal.batch(first).unwrap().unwrap();
    row.signed_header = bad.header;
    row.record_keys.rotate_left(12);
    let mut write = issuer.journal.write();
    write.put_batch(first, first.next().unwrap(), &row);
    write.put_row(refused, &ReceiptRow::default());
    write.commit(Durability::Synced).unwrap();
    issuer.follow(&chain);
    assert!(matches!(fate(&issuer.journal, refused).unwrap(), Fate::Refused { .. }));
    let (_, request) = issuer.cut();
    chain.add_items(vec![offered(&request)]).unwrap();
    issuer.follow(&chain);

    let red = key_of(&issuer.reverse(&original_draft, original, "R"));
    let (_, request) = issuer.cut();
    chain.add_items(vec![offered(&request)]).unwrap();
    let mut write = issuer.journal.write();
    write.put_row(red, &ReceiptRow::default());
    write.commit(Durability::Synced).unwrap();
    issuer.follow(&chain);
    assert_eq!(reversed_by(&issuer.journal, original).unwrap().map(|(red, _)| red), Some(red));
    // The settlements of both are free.
    for settlement in ["O", "A"] {
        let again = draft(&mut chain, "S01", settlement);
        let again = receipt_core::receipt::model::ReceiptDraft { biz_code: format!("{settlement} again"), ..again };
        key_of(&issuer.issue(vec![again])[0]);
    }
    let (_, request) = issuer.cut();
    chain.add_items(vec![offered(&request)]).unwrap();
    issuer.follow(&chain);
    assert_eq!(issuer.journal.followed_tip().unwrap().height, chain.height());
}
