//! Bad batches through a real node's door: refused there with code and reason, or decided as a whole on the ledger. After
//! each of them the chain goes on, the sequence is still free (or spent, where the ledger decided), and nothing of it
//! was taken. The issuers' processes do not run; the test signs with their keys.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};

use receipt_core::batch::SignedBatchHeader;
use receipt_core::entry::{BatchRefused, Entry};
use receipt_core::ids::{Fen, IssuerId, KeyId, ReceiptKey, UnitId};
use receipt_core::limits;
use receipt_core::reason::Reason;
use receipt_core::record::SignedRecord;
use receipt_core::suite::ChainId;
use tallystick_devnet::clients::LedgerClient;
use tallystick_devnet::logs::AllowList;
use tallystick_devnet::registry::key_id;
use tallystick_devnet::{Caller, NetworkOptions};
use tallystick_proto::errors::{CallReason, ErrorReason, Refusal};
use tallystick_proto::ledger::v1::{
    GetBlockRequest, GetReceiptStateRequest, ReceiptKey as WireKey, SubmitBatchRequest, SubmitBatchResponse,
    SubmitOutcome,
};
use tallystick_tests::TestNetwork;
use tallystick_tests::forge::{Forge, request};
use tonic::{Code, Status};

const DECIDE_TIMEOUT: Duration = Duration::from_secs(30);
const POLL_INTERVAL: Duration = Duration::from_millis(20);
/// A field that no message of ours has: number 100, varint 0.
const UNKNOWN_FIELD: [u8; 3] = [0xa0, 0x06, 0x00];

fn core(reason: Reason) -> ErrorReason {
    ErrorReason::Core(reason)
}

fn reason(status: &Status) -> ErrorReason {
    Refusal::from_status(status).unwrap_or_else(|| panic!("not a refusal of ours: {status:?}")).reason
}

/// Offers a batch again and again until it is decided.
async fn decided(ledger: &mut LedgerClient, batch: &SubmitBatchRequest) -> SubmitBatchResponse {
    let deadline = Instant::now() + DECIDE_TIMEOUT;
    loop {
        let answer = ledger.submit_batch(batch.clone()).await.unwrap().into_inner();
        if answer.outcome() != SubmitOutcome::Pooled {
            return answer;
        }
        assert!(Instant::now() < deadline, "a batch was not decided in {DECIDE_TIMEOUT:?}");
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// The entry that refused a batch.
async fn refusal(ledger: &mut LedgerClient, answer: &SubmitBatchResponse) -> BatchRefused {
    let height = answer.block_height;
    let block = ledger.get_block(GetBlockRequest { height, with_records: false }).await.unwrap().into_inner();
    let index = usize::try_from(answer.leaf_index - block.first_leaf_index).unwrap();
    match Entry::decode(&block.entries[index]).unwrap() {
        Entry::BatchRefused(refused) => refused,
        other => panic!("the entry is {other:?}"),
    }
}

/// Whether the ledger has a receipt of a leaf. What is decided and not sealed yet is asked for again.
async fn is_anchored(ledger: &mut LedgerClient, leaf: &[u8]) -> bool {
    let ReceiptKey { code, number } = SignedRecord::decode(leaf).unwrap().record.key;
    let key = WireKey { receipt_code: code.to_string(), receipt_number: number.to_string() };
    let request = GetReceiptStateRequest { key: Some(key), status_key: Default::default() };
    let deadline = Instant::now() + DECIDE_TIMEOUT;
    loop {
        let status = match ledger.get_receipt_state(request.clone()).await {
            Ok(_) => return true,
            Err(status) => status,
        };
        match reason(&status) {
            ErrorReason::Call(CallReason::NotFound) => return false,
            ErrorReason::Call(CallReason::NotReady) => {}
            _ => panic!("{status:?}"),
        }
        assert!(Instant::now() < deadline, "a decided batch was not sealed in {DECIDE_TIMEOUT:?}");
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// Two issuers, and their doors at the first validator.
struct Doors {
    forge: Forge,
    other: Forge,
    ledger: LedgerClient,
    ledger_of_other: LedgerClient,
}

impl Doors {
    /// What does not get past the door: name, batch, code, reason. All of them under `sequence`, which stays free.
    fn refused_at_the_door(&mut self, sequence: u64) -> Vec<(&'static str, SubmitBatchRequest, Code, ErrorReason)> {
        let forge = &mut self.forge;
        let leaves = forge.leaves(3).unwrap();
        let header = forge.header(sequence, &leaves).unwrap();
        let with = |change: &dyn Fn(&mut receipt_core::batch::BatchHeader)| {
            let mut header = header.clone();
            change(&mut header);
            request(&forge.sign_header(header), &leaves)
        };
        let good = forge.sign_header(header.clone());
        let mut flipped = good.clone();
        flipped.signature.0[7] ^= 1;
        let mut non_canonical = request(&good, &leaves);
        non_canonical.signed_header = [&non_canonical.signed_header[..], &UNKNOWN_FIELD].concat().into();
        let mut inner_bytes = good.header_bytes.clone();
        inner_bytes.extend(UNKNOWN_FIELD);
        let inner = SignedBatchHeader { header_bytes: inner_bytes, ..good.clone() };
        let elsewhere = ChainId(receipt_core::hash::sha256(&[b"another chain"]));
        let by_unit = SignedBatchHeader::sign(header.clone(), forge.chain, &forge.unit_key);
        let foreign_key = SignedBatchHeader::sign(
            receipt_core::batch::BatchHeader { signing_key: KeyId::new(key_id(2, 0)), ..header.clone() },
            forge.chain,
            &self.other.issuer_key,
        );
        let swapped: Vec<_> = [1, 0, 2].map(|index: usize| leaves[index].clone()).to_vec();
        let mut too_large: Vec<Vec<u8>> = vec![vec![0; limits::RECORD_BYTES_MAX]; 2_100];
        too_large[0][0] = 1;
        let large_header = forge.sign_header(forge.header(sequence, &too_large).unwrap());
        let (bad, denied) = (Code::InvalidArgument, Code::PermissionDenied);
        let not_permitted = ErrorReason::Call(CallReason::NotPermitted);
        vec![
            ("a bad signature", request(&flipped, &leaves), bad, core(Reason::SignatureInvalid)),
            ("a unit's signature", request(&by_unit, &leaves), bad, core(Reason::SignatureInvalid)),
            ("another issuer's key", request(&foreign_key, &leaves), bad, core(Reason::SignatureInvalid)),
            (
                "another chain",
                request(&SignedBatchHeader::sign(header.clone(), elsewhere, &forge.issuer_key), &leaves),
                bad,
                core(Reason::SignatureInvalid),
            ),
            ("a wrong root", with(&|header| header.root.0[0] ^= 1), bad, core(Reason::RootMismatch)),
            ("leaves in another order", request(&good, &swapped), bad, core(Reason::RootMismatch)),
            ("garbage instead of a leaf", request(&good, &vec![vec![9; 40]; 3]), bad, core(Reason::RootMismatch)),
            ("a count too high", with(&|header| header.count = 4), bad, core(Reason::CountMismatch)),
            ("a leaf missing", request(&good, &leaves[..2]), bad, core(Reason::CountMismatch)),
            ("no leaves", with(&|header| header.count = 0), bad, core(Reason::CountMismatch)),
            ("a header with an unknown field outside", non_canonical, bad, core(Reason::NotCanonical)),
            ("a header with an unknown field inside", request(&inner, &leaves), bad, core(Reason::NotCanonical)),
            ("no header", SubmitBatchRequest::default(), bad, core(Reason::NotCanonical)),
            ("more than 2 MiB", request(&large_header, &too_large), bad, core(Reason::BatchTooLarge)),
            ("more than 4,096 leaves", request(&good, &vec![vec![1]; 4_097]), bad, core(Reason::FieldInvalid)),
            ("another epoch", with(&|header| header.epoch = 2), denied, core(Reason::EpochFenced)),
            ("another issuer's id", with(&|header| header.issuer = IssuerId::new(2)), denied, not_permitted),
            ("nobody's id", with(&|header| header.issuer = IssuerId::new(99)), denied, not_permitted),
        ]
    }

    /// What the ledger refuses as a whole: what is done to the leaf, and the reason that the entry names.
    fn bad_leaves(&mut self) -> Vec<(&'static str, Vec<u8>, Reason)> {
        let forge = &mut self.forge;
        let record = forge.record().unwrap();
        let with = |change: &dyn Fn(&mut receipt_core::record::ReceiptRecord)| {
            let mut record = record.clone();
            change(&mut record);
            forge.sign(record)
        };
        let good = forge.sign(record.clone());
        let elsewhere = ChainId(receipt_core::hash::sha256(&[b"another chain"]));
        let foreign_number = self.other.record().unwrap().key;
        let mut flipped = good.clone();
        *flipped.last_mut().unwrap() ^= 1;
        let own = |unit_id: u32| KeyId::new(key_id(1, unit_id));
        vec![
            ("garbage", vec![0xff; 200], Reason::NotCanonical),
            ("an unknown field", [&good[..], &UNKNOWN_FIELD].concat(), Reason::NotCanonical),
            ("nothing", Vec::new(), Reason::NotCanonical),
            ("more than 1 KiB", vec![0; limits::RECORD_BYTES_MAX + 1], Reason::RecordTooLarge),
            ("a bad signature", flipped, Reason::SignatureInvalid),
            (
                "a record of another chain",
                SignedRecord::sign(record.clone(), elsewhere, &forge.unit_key).encode(),
                Reason::SignatureInvalid,
            ),
            ("another unit", with(&|record| record.unit = UnitId::new(1)), Reason::SignatureInvalid),
            (
                "another unit with its key's number",
                with(&|record| (record.unit, record.signing_key) = (UnitId::new(1), own(1))),
                Reason::SignatureInvalid,
            ),
            ("a unit that nobody registered", with(&|record| record.unit = UnitId::new(9_999)), Reason::UnitUnknown),
            ("a number of another issuer", with(&|record| record.key = foreign_number), Reason::NumberNotOwned),
            ("an amount of nothing", with(&|record| record.total = Fen::new(0)), Reason::FieldInvalid),
            (
                "25 hours ahead",
                with(&|record| record.issue_time = record.issue_time.plus_millis(25 * 3_600_000)),
                Reason::TimeInvalid,
            ),
        ]
    }
}

async fn assert_refused(
    ledger: &mut LedgerClient,
    (name, batch, code, expected): (&str, SubmitBatchRequest, Code, ErrorReason),
) {
    let status = ledger.submit_batch(batch).await.err().unwrap_or_else(|| panic!("{name} was taken"));
    assert_eq!((status.code(), reason(&status)), (code, expected), "{name}: {}", status.message());
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_batches_are_refused_and_the_chain_goes_on() {
    let options = NetworkOptions { issuers: 2, ..NetworkOptions::default() };
    let mut network = TestNetwork::generate(&options).await.unwrap();
    network.start_nodes().await.unwrap();
    let mut doors = Doors {
        forge: Forge::open(&network, 1, 0).unwrap(),
        other: Forge::open(&network, 2, 1).unwrap(),
        ledger: network.ledger_client(1, Caller::Issuer(1)).await.unwrap(),
        ledger_of_other: network.ledger_client(1, Caller::Issuer(2)).await.unwrap(),
    };

    // At the door, while sequence 1 is expected.
    for row in doors.refused_at_the_door(1) {
        assert_refused(&mut doors.ledger, row).await;
    }
    let leaves = doors.forge.leaves(2).unwrap();
    let first = doors.forge.batch(1, &leaves).unwrap();
    let (denied, not_permitted) = (Code::PermissionDenied, ErrorReason::Call(CallReason::NotPermitted));
    let row = ("a genuine batch, handed in by another", first.clone(), denied, not_permitted);
    assert_refused(&mut doors.ledger_of_other, row).await;
    // Larger than any request: the transport refuses it, before anybody reads it.
    let huge = SubmitBatchRequest { signed_header: vec![0; limits::REQUEST_BYTES_MAX + 1].into(), records: Vec::new() };
    let status = doors.ledger.submit_batch(huge).await.unwrap_err();
    assert_eq!(status.code(), Code::OutOfRange, "{status:?}");

    // After all that, the first one is included, and the same again is success.
    let included = decided(&mut doors.ledger, &first).await;
    assert_eq!((included.outcome(), included.next_sequence), (SubmitOutcome::Included, 2));
    let replayed = decided(&mut doors.ledger, &first).await;
    assert_eq!(replayed, included);

    sequences(&mut doors).await;
    refused_as_a_whole(&mut doors).await;
    one_among_4096(&mut doors).await;

    network.wait_equal_tips().await.unwrap();
    network.audit(3).await.unwrap();
    network.finish(&AllowList::lifecycle()).await.unwrap();
}

/// Skipped, replayed, given twice.
async fn sequences(doors: &mut Doors) {
    let Doors { forge, ledger, .. } = doors;
    let leaves = forge.leaves(6).unwrap();
    let conflict = (Code::AlreadyExists, core(Reason::SequenceConflict));
    // Another header under a spent sequence.
    let spent = forge.batch(1, &leaves[..1]).unwrap();
    assert_refused(ledger, ("a spent sequence", spent, conflict.0, conflict.1)).await;
    let zero = forge.batch(0, &leaves[..1]).unwrap();
    assert_refused(ledger, ("sequence 0", zero, conflict.0, conflict.1)).await;
    // Far ahead: not even pooled, and told that waiting helps.
    let far = forge.batch(2 + 64, &leaves[..1]).unwrap();
    let status = ledger.submit_batch(far).await.unwrap_err();
    assert_eq!((status.code(), reason(&status)), (Code::FailedPrecondition, core(Reason::SequenceGap)));
    assert!(Refusal::from_status(&status).unwrap().retry_after_ms.is_some());
    // One skipped: it waits, a second header under it is refused, and it is decided once the gap is closed.
    let third = forge.batch(3, &leaves[..1]).unwrap();
    let pooled = ledger.submit_batch(third.clone()).await.unwrap().into_inner();
    assert_eq!((pooled.outcome(), pooled.next_sequence), (SubmitOutcome::Pooled, 2));
    let twice = forge.batch(3, &leaves[1..2]).unwrap();
    assert_refused(ledger, ("two headers for one sequence", twice, conflict.0, conflict.1)).await;
    let second = forge.batch(2, &leaves[2..3]).unwrap();
    assert_eq!(decided(ledger, &second).await.outcome(), SubmitOutcome::Included);
    assert_eq!(decided(ledger, &third).await.outcome(), SubmitOutcome::Included);
    // A record that is anchored already, in a new batch: refused, decided, spent; the number keeps its first receipt.
    let again = forge.batch(4, &leaves[..1]).unwrap();
    let answer = decided(ledger, &again).await;
    assert_eq!((answer.outcome(), answer.next_sequence), (SubmitOutcome::Refused, 5));
    assert_eq!(refusal(ledger, &answer).await.refusals[0].reason, Reason::NumberUsed);
    for (leaf, expected) in leaves.iter().zip([true, false, true, false, false, false]) {
        assert_eq!(is_anchored(ledger, leaf).await, expected);
    }
}

/// A genuine header over a bad record between two good ones: decided as BatchRefused, naming the bad one only.
async fn refused_as_a_whole(doors: &mut Doors) {
    let rows = doors.bad_leaves();
    let Doors { forge, ledger, .. } = doors;
    let mut sequence = 5;
    let mut good = Vec::new();
    for (name, bad, expected) in rows {
        let leaves = [forge.leaves(1).unwrap(), vec![bad], forge.leaves(1).unwrap()].concat();
        let batch = forge.batch(sequence, &leaves).unwrap();
        let answer = decided(ledger, &batch).await;
        sequence += 1;
        assert_eq!((answer.outcome(), answer.next_sequence), (SubmitOutcome::Refused, sequence), "{name}");
        let refused = refusal(ledger, &answer).await;
        let refusals: Vec<_> = refused.refusals.iter().map(|refusal| (refusal.index, refusal.reason)).collect();
        assert_eq!(refusals, [(1, expected)], "{name}");
        good.extend([leaves[0].clone(), leaves[2].clone()]);
    }
    for leaf in &good {
        assert!(!is_anchored(ledger, leaf).await, "a good record of a refused batch was taken");
    }
    // The good ones, cut anew.
    let answer = decided(ledger, &forge.batch(sequence, &good).unwrap()).await;
    assert_eq!(answer.outcome(), SubmitOutcome::Included);
    for leaf in &good {
        assert!(is_anchored(ledger, leaf).await);
    }
}

/// The largest batch, with one bad record in it; then nothing but garbage.
async fn one_among_4096(doors: &mut Doors) {
    const BAD: usize = 2_345;
    let Doors { forge, ledger, .. } = doors;
    let next = 5 + 13;
    let mut leaves = forge.leaves(limits::BATCH_RECORDS_MAX).unwrap();
    leaves[BAD].pop();
    let answer = decided(ledger, &forge.batch(next, &leaves).unwrap()).await;
    assert_eq!((answer.outcome(), answer.next_sequence), (SubmitOutcome::Refused, next + 1));
    let refused = refusal(ledger, &answer).await;
    let refusals: Vec<_> = refused.refusals.iter().map(|refusal| (refusal.index, refusal.reason)).collect();
    assert_eq!(refusals, [(u32::try_from(BAD).unwrap(), Reason::NotCanonical)]);
    leaves.remove(BAD);
    for leaf in [&leaves[0], &leaves[4_094]] {
        assert!(!is_anchored(ledger, leaf).await);
    }
    let answer = decided(ledger, &forge.batch(next + 1, &leaves).unwrap()).await;
    assert_eq!(answer.outcome(), SubmitOutcome::Included);
    for leaf in [&leaves[0], &leaves[BAD], &leaves[4_094]] {
        assert!(is_anchored(ledger, leaf).await);
    }

    let garbage: Vec<Vec<u8>> = (0..limits::BATCH_RECORDS_MAX).map(|index| index.to_be_bytes().repeat(3)).collect();
    let answer = decided(ledger, &forge.batch(next + 2, &garbage).unwrap()).await;
    assert_eq!(answer.outcome(), SubmitOutcome::Refused);
    let refused = refusal(ledger, &answer).await;
    assert_eq!(refused.refusals.len(), limits::BATCH_RECORDS_MAX);
    assert!(refused.refusals.iter().all(|refusal| refusal.reason == Reason::NotCanonical));
}
