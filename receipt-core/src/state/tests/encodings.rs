//! Values of the state: what is written reads back, and bytes that are cut or added to are refused.

use super::draft::receipt_key;
use super::ledger::CODE;
use crate::hash::sha256;
use crate::ids::{Fen, Height, LeafIndex, TreeSize, UnitId, UnixMillis};
use crate::state::schedule::Schedule;
use crate::state::tables::{BatchState, ReceiptState, SegmentRange, Table, Tip, Totals};
use crate::state::{ReadError, Status, StatusValue};

/// Every proper prefix but those in `also_good` is refused, and so is one byte more.
fn check<T: PartialEq + std::fmt::Debug>(
    value: &T,
    bytes: &[u8],
    decode: impl Fn(&[u8]) -> Result<T, ReadError>,
    also_good: &[usize],
) {
    assert_eq!(decode(bytes).as_ref(), Ok(value));
    for length in (0..bytes.len()).filter(|length| !also_good.contains(length)) {
        assert!(decode(&bytes[..length]).is_err(), "{value:?} cut to {length} bytes");
    }
    for extra in [0, 1, 255] {
        assert!(decode(&[bytes, &[extra]].concat()).is_err(), "{value:?} and one byte more");
    }
}

fn receipt() -> ReceiptState {
    ReceiptState {
        status_key: sha256(&[b"record"]),
        unit: UnitId::new(u32::MAX),
        total: Fen::new(-38_537),
        uniqueness_count: 16,
        leaf_index: LeafIndex::new(u64::MAX),
        batch_index: 4095,
        reversed_by: None,
    }
}

#[test]
fn receipts() {
    let in_force = receipt();
    check(&in_force, &in_force.encode(), ReceiptState::decode, &[]);
    assert!(in_force.is_red());
    let reversed = ReceiptState { reversed_by: Some(receipt_key(CODE, 9)), total: Fen::new(1), ..in_force };
    // Without its last field a reversed receipt is one in force: 12 bytes less.
    check(&reversed, &reversed.encode(), ReceiptState::decode, &[reversed.encode().len() - 12]);
    let mut bad_code = reversed.encode();
    let code = bad_code.len() - 12;
    bad_code[code..code + 4].copy_from_slice(&100_000_000_u32.to_be_bytes());
    assert!(ReceiptState::decode(&bad_code).is_err());
}

#[test]
fn tips_totals_and_batches() {
    let tip = Tip {
        height: Height::new(7),
        time: UnixMillis::new(u64::MAX),
        seal_hash: sha256(&[b"seal"]),
        effects_hash: sha256(&[b"effects"]),
        log_size: TreeSize::new(99),
        status_root: sha256(&[b"status"]),
        directory_root: sha256(&[b"directory"]),
        registry_root: sha256(&[b"registry"]),
        status_version: Some(Height::new(5)),
        registry_version: Height::new(3),
    };
    check(&tip, &tip.encode(), Tip::decode, &[]);
    let empty = Tip { status_version: None, ..tip };
    check(&empty, &empty.encode(), Tip::decode, &[]);
    let totals = Totals { blue_count: 3, blue_fen: i128::MAX, red_count: u64::MAX, red_fen: i128::MIN };
    check(&totals, &totals.encode(), Totals::decode, &[]);
    for refused in [false, true] {
        let batch = BatchState { refused, leaf_index: LeafIndex::new(12), header_hash: sha256(&[b"header"]) };
        check(&batch, &batch.encode(), BatchState::decode, &[]);
        let mut neither = batch.encode();
        neither[0] = 2;
        assert!(BatchState::decode(&neither).is_err());
    }
}

#[test]
fn statuses_schedules_and_segment_ranges() {
    let status = StatusValue { salt: [9; 16], status: Status::Reversed { by: receipt_key(CODE, 9_999_999_999) } };
    check(&status, &status.encode(), StatusValue::decode, &[]);
    let mut other_kind = status.encode();
    other_kind[16] = 2;
    assert!(StatusValue::decode(&other_kind).is_err());
    let records = [&[0, 0, 0, 1, 0, 0, 0, 2][..], &9_u64.to_be_bytes(), &[0, 0, 0, 3, 0, 0, 0, 1], &[0; 8]].concat();
    let schedule = Schedule::decode(&records).unwrap();
    assert_eq!(schedule.encode(), records);
    check(&schedule, &records, Schedule::decode, &[0, 16]);
    let ranges = vec![SegmentRange { segment: 1, first: 2, last: 3 }, SegmentRange { segment: 4, first: 5, last: 6 }];
    let mut bytes = Vec::new();
    for range in &ranges {
        range.append_to(&mut bytes);
    }
    check(&ranges, &bytes, SegmentRange::decode_all, &[0, 20]);
}

#[test]
fn tables_are_numbered_and_named_once() {
    for (number, table) in (0..).zip(Table::ALL) {
        assert_eq!(table as u8, number);
    }
    let mut names: Vec<&str> = Table::ALL.iter().map(|table| table.name()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), Table::ALL.len());
}
