//! Batches: what may not stand in a block at all, what is refused with its sequence spent, and what is taken whole.

use super::draft::{Draft, blue, blue_of_2, receipt_key, uniqueness};
use super::ledger::{CODE, HOUR_MS, Ledger, T, issuer_signer, register_key};
use crate::batch::{BatchHeader, SignedBatchHeader};
use crate::blind::UniquenessType::Payment;
use crate::block::{Batch, Item};
use crate::entry::{BatchRefused, Entry, RecordRefusal};
use crate::governance::{Action, FenceIssuer, KeyOwner, RegisterKey, RevokeKey};
use crate::hash::Hash;
use crate::ids::{BatchSequence, IssuerId, KeyId, UnixMillis};
use crate::limits::{
    BATCH_BYTES_MAX, BATCH_RECORDS_MAX, ISSUE_TIME_AHEAD_MS_MAX, ISSUE_TIME_WAITS_MS_MAX, REFUSED_BYTES_MAX,
    REVOCATION_GRACE_MS,
};
use crate::reason::Reason;
use crate::state::tables::{BatchState, IssuerState, SegmentState, Table, batch_key_bytes};
use crate::state::{BatchFault, BlockRefusal};
use crate::suite::{ChainId, Signer, SoftwareKey};
use crate::testkit::software_key;

/// A header, who signs it, and for which chain.
struct HeaderDraft {
    header: BatchHeader,
    signer: SoftwareKey,
    chain: ChainId,
}

/// One record under an edited header; the block with it is refused for `expected` (`None`: taken).
fn check(prepare: impl FnOnce(&mut Ledger), edit: impl FnOnce(&mut HeaderDraft), expected: Option<Reason>) {
    let mut ledger = Ledger::new();
    prepare(&mut ledger);
    let leaves = vec![blue(&ledger, 1).leaf()];
    let header = ledger.header(1, &leaves);
    let mut draft = HeaderDraft { header, signer: issuer_signer(1), chain: ledger.chain.id };
    edit(&mut draft);
    let header = SignedBatchHeader::sign(draft.header, draft.chain, &draft.signer);
    let header_hash = header.header_hash();
    let result = ledger.execute(ledger.content(vec![Item::Batch(Batch { header, records: leaves })]));
    match expected {
        None => assert_eq!(result.unwrap().outcomes[0].refusals, []),
        Some(reason) => assert_eq!(result.unwrap_err(), BlockRefusal::Batch { header_hash, reason }),
    }
}

fn nothing(_: &mut Ledger) {}

fn sequence(sequence: u64) -> impl FnOnce(&mut HeaderDraft) {
    move |draft| draft.header.sequence = BatchSequence::new(sequence)
}

fn one_batch(ledger: &mut Ledger) {
    assert_eq!(ledger.submit(vec![blue(ledger, 2).leaf()]), []);
}

#[test]
fn a_header_is_its_issuers_next() {
    check(nothing, |_| {}, None);
    check(nothing, |draft| draft.header.issuer = IssuerId::new(3), Some(Reason::IssuerUnknown));
    check(nothing, sequence(0), Some(Reason::SequenceConflict));
    check(nothing, sequence(2), Some(Reason::SequenceGap));
    check(nothing, sequence(u64::MAX), Some(Reason::SequenceGap));
    check(one_batch, sequence(1), Some(Reason::SequenceConflict));
    check(one_batch, sequence(2), None);
    check(one_batch, sequence(3), Some(Reason::SequenceGap));
}

#[test]
fn a_taken_or_refused_sequence_is_spent() {
    let mut ledger = Ledger::new();
    let taken = ledger.batch(1, vec![blue(&ledger, 1).leaf()]);
    ledger.add(vec![taken.clone()]).unwrap();
    let bad = blue(&ledger, 1).leaf();
    let refused = ledger.batch(1, vec![bad]);
    ledger.add(vec![refused.clone()]).unwrap();
    for replayed in [taken, refused] {
        let Item::Batch(batch) = &replayed else { panic!("a batch") };
        let header_hash = batch.header.header_hash();
        let refusal = BlockRefusal::Batch { header_hash, reason: Reason::SequenceConflict };
        assert_eq!(ledger.execute(ledger.content(vec![replayed])).unwrap_err(), refusal);
    }
    let state = |sequence| {
        let key = batch_key_bytes(IssuerId::new(1), sequence);
        BatchState::decode(&ledger.get(Table::Batches, &key).unwrap()).unwrap()
    };
    assert_eq!((state(1).refused, state(2).refused, ledger.next_sequence(1)), (false, true, 3));
}

#[test]
fn the_same_batch_twice_in_one_block() {
    let ledger = Ledger::new();
    let batch = ledger.batch(1, vec![blue(&ledger, 1).leaf()]);
    let refusal = ledger.execute(ledger.content(vec![batch.clone(), batch])).unwrap_err();
    assert!(matches!(refusal, BlockRefusal::Batch { reason: Reason::SequenceConflict, .. }), "{refusal}");
}

#[test]
fn epochs() {
    let fence = |ledger: &mut Ledger| {
        ledger.govern(vec![Action::FenceIssuer(FenceIssuer { issuer_id: 1, epoch: 3, journal: Vec::new() })]);
    };
    let epoch = |epoch| move |draft: &mut HeaderDraft| draft.header.epoch = epoch;
    check(nothing, epoch(0), Some(Reason::EpochFenced));
    check(nothing, epoch(2), Some(Reason::EpochFenced));
    check(fence, epoch(1), Some(Reason::EpochFenced));
    check(fence, epoch(2), Some(Reason::EpochFenced));
    check(fence, epoch(3), None);
}

#[test]
fn header_signatures_and_keys() {
    let key = |id, signer: SoftwareKey| {
        move |draft: &mut HeaderDraft| {
            draft.header.signing_key = KeyId::new(id);
            draft.signer = signer;
        }
    };
    check(nothing, |draft| draft.signer = software_key("a thief"), Some(Reason::SignatureInvalid));
    let other_chain = ChainId(crate::hash::sha256(&[b"another chain"]));
    check(nothing, |draft| draft.chain = other_chain, Some(Reason::SignatureInvalid));
    check(nothing, key(999, issuer_signer(1)), Some(Reason::SignatureInvalid));
    check(nothing, key(2, issuer_signer(2)), Some(Reason::SignatureInvalid));
    check(nothing, key(101, crate::testkit::unit_key(1)), Some(Reason::SignatureInvalid));

    let with_key = |edit: fn(&mut RegisterKey)| {
        move |ledger: &mut Ledger| {
            let mut key = register_key(5, KeyOwner::Issuer, 1, issuer_signer(1).public_key());
            edit(&mut key);
            ledger.govern(vec![Action::RegisterKey(key)]);
        }
    };
    // The record is of T + 1 s.
    check(with_key(|_| {}), key(5, issuer_signer(1)), None);
    check(with_key(|key| key.valid_from_ms = T + 1001), key(5, issuer_signer(1)), Some(Reason::KeyRevoked));
    check(with_key(|key| key.valid_until_ms = T + 1000), key(5, issuer_signer(1)), Some(Reason::KeyRevoked));
    check(with_key(|key| key.valid_until_ms = T + 1001), key(5, issuer_signer(1)), None);
    let revoke = |from_ms, later_ms| {
        move |ledger: &mut Ledger| {
            ledger.time += later_ms;
            let revocation = RevokeKey { key_id: 1, revoked_from_ms: from_ms };
            ledger.time = ledger.govern(vec![Action::RevokeKey(revocation)]) + REVOCATION_GRACE_MS;
        }
    };
    check(revoke(T + 1000, 0), |_| {}, Some(Reason::KeyRevoked));
    check(revoke(T + 1001, HOUR_MS), |_| {}, None);
    let after_grace = |ledger: &mut Ledger| {
        revoke(T + 1001, 0)(ledger);
        ledger.time += 1;
    };
    check(after_grace, |_| {}, Some(Reason::KeyRevoked));
}

/// A batch of two records whose second is issued so late, under a header that says so; whether the block is refused, and which
/// records are.
fn issued_at(last: u64, key: u32) -> (Ledger, Result<Vec<u32>, Reason>) {
    let mut ledger = Ledger::new();
    let ending = RegisterKey {
        valid_until_ms: T + 3600 * HOUR_MS,
        ..register_key(5, KeyOwner::Issuer, 1, issuer_signer(1).public_key())
    };
    ledger.govern(vec![Action::RegisterKey(ending)]);
    ledger.time = T + 20_000;
    let late = blue(&ledger, 2).with(|draft| draft.record.issue_time = UnixMillis::new(last)).leaf();
    let leaves = vec![blue(&ledger, 1).leaf(), late];
    let header = BatchHeader { signing_key: KeyId::new(key), ..ledger.header(1, &leaves) };
    let batch = ledger.sign_header(header, leaves);
    let judged = match ledger.add(vec![batch]) {
        Ok(effects) => {
            let refusals = effects.outcomes[0].refusals.iter();
            Ok(refusals.inspect(|refusal| assert_eq!(refusal.reason, Reason::TimeInvalid)).map(|r| r.index).collect())
        }
        Err(BlockRefusal::Batch { reason, .. }) => Err(reason),
        Err(refusal) => panic!("{refusal}"),
    };
    (ledger, judged)
}

/// Else a proposer with an old clock, or one that dates its block right after an old parent, has good receipts refused for good.
#[test]
fn a_batch_ahead_of_the_block_may_not_stand_in_it_yet_and_one_of_the_far_future_is_refused() {
    let block = T + 20_000;
    let (ahead, waits) = (block + ISSUE_TIME_AHEAD_MS_MAX, block + ISSUE_TIME_WAITS_MS_MAX);
    for (last, key, expected) in [
        (block, 1, Ok(vec![])),
        (ahead, 1, Ok(vec![])),
        (ahead + 1, 1, Err(Reason::TooEarly)),
        (waits, 1, Err(Reason::TooEarly)),
        (waits + 1, 1, Ok(vec![1])),
        // 2099, under a key that ends long before; and at the end of all times.
        (4_070_908_800_000, 5, Ok(vec![1])),
        (u64::MAX, 5, Ok(vec![1])),
        (ahead + 1, 5, Err(Reason::TooEarly)),
    ] {
        let (ledger, judged) = issued_at(last, key);
        assert_eq!(judged, expected, "{last} key {key}");
        assert_eq!(ledger.next_sequence(1), if expected.is_ok() { 2 } else { 1 }, "{last} key {key}");
    }
    // What follows a record of 2099 is not kept waiting, and nor is what came with it.
    let (mut ledger, _) = issued_at(4_070_908_800_000, 5);
    assert_eq!(ledger.submit(vec![blue(&ledger, 1).leaf()]), []);
    // The early one is taken unchanged as soon as it may be.
    let mut ledger = Ledger::new();
    let early = blue(&ledger, 1).with(|draft| draft.record.issue_time = UnixMillis::new(T + HOUR_MS)).leaf();
    let batch = ledger.batch(1, vec![early]);
    let Item::Batch(sent) = &batch else { panic!("a batch") };
    ledger.time = sent.header.header.ripe_at().get() - 1;
    assert!(ledger.execute(ledger.content(vec![batch.clone()])).is_err());
    ledger.time += 1;
    assert_eq!(ledger.add(vec![batch]).unwrap().outcomes[0].refusals, []);
}

/// A header that names a time which no record has takes nothing early into the ledger.
#[test]
fn a_header_of_the_far_future_takes_no_record() {
    let mut ledger = Ledger::new();
    let early = blue(&ledger, 2).with(|draft| draft.record.issue_time = UnixMillis::new(T + HOUR_MS)).leaf();
    let leaves = vec![blue(&ledger, 1).leaf(), early];
    let header = BatchHeader { last_issue_time: UnixMillis::new(4_070_908_800_000), ..ledger.header(1, &leaves) };
    let batch = ledger.sign_header(header, leaves);
    let refusals = ledger.add(vec![batch]).unwrap().outcomes[0].refusals.clone();
    let all = [0, 1].map(|index| RecordRefusal { index, reason: Reason::TimeInvalid });
    assert_eq!(refusals, all);
}

#[test]
fn records_that_do_not_fit_their_header() {
    let ledger = Ledger::new();
    let leaves = vec![blue(&ledger, 1).leaf(), blue(&ledger, 2).leaf()];
    let fault = |header: BatchHeader, leaves: Vec<Vec<u8>>| {
        ledger.check(ledger.content(vec![ledger.sign_header(header, leaves)])).err()
    };
    let header = ledger.header(1, &leaves);
    assert_eq!(fault(header.clone(), leaves.clone()), None);
    assert_eq!(fault(BatchHeader { count: 3, ..header.clone() }, leaves.clone()), Some(BatchFault::Count));
    assert_eq!(fault(header.clone(), leaves[..1].to_vec()), Some(BatchFault::Count));
    assert_eq!(fault(BatchHeader { root: Hash::ZERO, ..header.clone() }, leaves.clone()), Some(BatchFault::Root));
    let swapped = vec![leaves[1].clone(), leaves[0].clone()];
    assert_eq!(fault(header.clone(), swapped), Some(BatchFault::Root));
    let changed = vec![leaves[0].clone(), blue(&ledger, 3).leaf()];
    assert_eq!(fault(header, changed), Some(BatchFault::Root));

    let sized = |last: usize| {
        let mut leaves = vec![vec![0; 1024]; BATCH_BYTES_MAX / 1024 - 1];
        leaves.push(vec![0; last]);
        let header = ledger.header(1, &leaves);
        // Leaves and header together count.
        fault(header, leaves)
    };
    let header_bytes = {
        let leaves = vec![vec![0; 1024]; BATCH_BYTES_MAX / 1024];
        ledger.header(1, &leaves).encode().len()
    };
    assert_eq!(sized(1024 - header_bytes), None);
    assert_eq!(sized(1024 - header_bytes + 1), Some(BatchFault::Size));
    let reasons = [BatchFault::Count, BatchFault::Root, BatchFault::Size].map(BatchFault::reason);
    assert_eq!(reasons, [Reason::CountMismatch, Reason::RootMismatch, Reason::BatchTooLarge]);
}

#[test]
fn the_count_of_a_header_has_bounds() {
    let ledger = Ledger::new();
    let header = ledger.header(1, &[blue(&ledger, 1).leaf()]);
    for (count, good) in [(0, false), (1, true), (4096, true), (4097, false), (u32::MAX, false)] {
        let header = BatchHeader { count, ..header.clone() };
        let expected = if good { Ok(header.clone()) } else { Err(Reason::CountMismatch) };
        assert_eq!(BatchHeader::decode(&header.encode()), expected, "count {count}");
    }
}

#[test]
fn one_bad_record_among_4096_refuses_exactly_itself() {
    const BAD: usize = 2_999;
    let mut ledger = Ledger::new();
    // Records do not depend on where the ledger stands.
    let twin = Ledger::new();
    let unique = |number: u64| {
        let mut draft = blue(&twin, number).with_keys(&[uniqueness(Payment, 0)]);
        draft.record.uniqueness_keys[0].hash[..8].copy_from_slice(&number.to_be_bytes());
        draft
    };
    let mut leaves: Vec<Vec<u8>> = (1..=BATCH_RECORDS_MAX as u64).map(|number| unique(number).leaf()).collect();
    leaves[BAD] = unique(BAD as u64 + 1).with(|draft| draft.signer = software_key("a thief")).leaf();

    let rows = |ledger: &Ledger| Table::ALL.map(|table| ledger.state.row_count(table));
    let before = rows(&ledger);
    let batch = ledger.batch(1, leaves.clone());
    let Item::Batch(sent) = &batch else { panic!("a batch") };
    let header_hash = sent.header.header_hash();
    let effects = ledger.add(vec![batch]).unwrap();
    let refusals = vec![RecordRefusal { index: BAD as u32, reason: Reason::SignatureInvalid }];
    assert_eq!(effects.outcomes[0].refusals, refusals);
    let entry = Entry::decode(&effects.entries[0]).unwrap();
    let (issuer, sequence) = (IssuerId::new(1), BatchSequence::new(1));
    assert_eq!(entry, Entry::BatchRefused(BatchRefused { issuer, sequence, header_hash, refusals }));
    let touched: Vec<Table> = effects.writes.keys().map(|(table, _)| *table).collect();
    assert_eq!(touched, [Table::Meta, Table::Meta, Table::Meta, Table::Batches, Table::Issuers]);
    let mut after = rows(&ledger);
    after[Table::Batches as usize] -= 1;
    assert_eq!((after, ledger.totals().blue_count), (before, 0));

    leaves.remove(BAD);
    assert_eq!(ledger.next_sequence(1), 2);
    assert_eq!(ledger.submit(leaves), [], "the good ones, cut anew");
    assert_eq!(ledger.totals().blue_count, 4095);
    let segment: SegmentState = ledger.message(Table::Segments, 11);
    assert_eq!((segment.used_count, segment.highest_used), (4095, 4096));
    // The refused number is free still.
    assert_eq!(ledger.submit(vec![unique(BAD as u64 + 1).leaf()]), []);
    assert_eq!(ledger.message::<SegmentState>(Table::Segments, 11).used_count, 4096);
}

#[test]
fn batches_of_two_issuers_meet_in_one_block() {
    type Row = (&'static str, fn(&mut Draft), Reason);
    let rows: [Row; 3] = [
        ("biz key", |draft| draft.record.biz_key = super::draft::biz_key(1), Reason::BizCodeUsed),
        ("payment", |draft| draft.record.uniqueness_keys = vec![uniqueness(Payment, 1)], Reason::PaymentReceipted),
        ("leased number", |draft| draft.record.key = receipt_key(CODE, 2), Reason::NumberNotOwned),
    ];
    for (what, edit, reason) in rows {
        let mut ledger = Ledger::new();
        let first = ledger.batch(1, vec![blue(&ledger, 1).with_keys(&[uniqueness(Payment, 1)]).leaf()]);
        let second = |ledger: &Ledger| {
            ledger.batch(2, vec![blue_of_2(ledger, 40_001).leaf(), blue(ledger, 10_001).with(edit).leaf()])
        };
        let effects = ledger.add(vec![first, second(&ledger)]).unwrap();
        assert_eq!(effects.outcomes[0].refusals, [], "{what}");
        assert_eq!(effects.outcomes[1].refusals, [RecordRefusal { index: 1, reason }], "{what}");
        assert_eq!([effects.outcomes[0].leaf_index.get(), effects.outcomes[1].leaf_index.get()], [2, 3]);
        assert_eq!((ledger.totals().blue_count, ledger.next_sequence(2)), (1, 2), "{what}");
        // The other way round, the other one is refused.
        let ledger = Ledger::new();
        let first = ledger.batch(1, vec![blue(&ledger, 1).with_keys(&[uniqueness(Payment, 1)]).leaf()]);
        let effects = ledger.execute(ledger.content(vec![second(&ledger), first])).unwrap();
        let refused: Vec<usize> = effects.outcomes.iter().map(|outcome| outcome.refusals.len()).collect();
        assert_eq!(refused, if reason == Reason::NumberNotOwned { [1, 0] } else { [0, 1] }, "{what}");
    }
}

#[test]
fn a_refused_batch_holds_nothing_against_the_next_batch_of_the_block() {
    let mut ledger = Ledger::new();
    let keyed = |draft: Draft| draft.with_keys(&[uniqueness(Payment, 1)]);
    let spoilt = blue(&ledger, 2).with(|draft| draft.record.disclosure_count = 0).leaf();
    let first = ledger.batch(1, vec![keyed(blue(&ledger, 1)).leaf(), spoilt]);
    let same_biz = |draft: &mut Draft| draft.record.biz_key = super::draft::biz_key(1);
    let second = ledger.batch(2, vec![keyed(blue(&ledger, 10_001)).with(same_biz).leaf()]);
    let effects = ledger.add(vec![first, second]).unwrap();
    assert_eq!(effects.outcomes[0].refusals, [RecordRefusal { index: 1, reason: Reason::FieldInvalid }]);
    assert_eq!(effects.outcomes[1].refusals, []);
}

/// One issuer key fills every disk with junk, a batch for each sequence: no longer.
#[test]
fn refused_batches_are_paid_from_a_budget_and_good_ones_are_not() {
    let mut ledger = Ledger::new();
    let junk = |ledger: &Ledger| {
        let leaves: Vec<Vec<u8>> = (0..2_040_u32).map(|index| index.to_be_bytes().repeat(255)).collect();
        ledger.batch(1, leaves)
    };
    let bytes = |batch: &Item| match batch {
        Item::Batch(batch) => {
            let records: usize = batch.records.iter().map(Vec::len).sum();
            (records + batch.header.header_bytes.len()) as u64
        }
        Item::Governance(_) => panic!("a batch"),
    };
    let first = junk(&ledger);
    let times = REFUSED_BYTES_MAX / bytes(&first);
    assert_eq!(times, 32, "of 2 MiB each");
    for _ in 0..times {
        let batch = junk(&ledger);
        assert!(!ledger.add(vec![batch]).unwrap().outcomes[0].refusals.is_empty());
    }
    let more = junk(&ledger);
    let (sequence, log_size) = (ledger.next_sequence(1), ledger.tip().log_size);
    let Item::Batch(batch) = &more else { panic!("a batch") };
    let refusal = BlockRefusal::Batch { header_hash: batch.header.header_hash(), reason: Reason::RefusalBudgetSpent };
    assert_eq!(ledger.execute(ledger.content(vec![more.clone()])).unwrap_err(), refusal, "no block carries it");
    assert_eq!((ledger.next_sequence(1), ledger.tip().log_size), (sequence, log_size), "and its sequence is not spent");
    // A good batch of the issuer, and a small bad one of another, are as welcome as ever.
    assert_eq!(ledger.submit(vec![blue(&ledger, 1).leaf()]), []);
    let other = ledger.batch(2, vec![vec![1]]);
    assert!(!ledger.add(vec![other]).unwrap().outcomes[0].refusals.is_empty());
    // With time it may be refused.
    let state: IssuerState = ledger.message(Table::Issuers, 1);
    ledger.time = state.refusable_from(bytes(&more)).get() - 1;
    let again = junk(&ledger);
    assert!(ledger.execute(ledger.content(vec![again.clone()])).is_err());
    ledger.time += 1;
    assert!(!ledger.add(vec![again]).unwrap().outcomes[0].refusals.is_empty());
}
