//! Foreign bytes as records: everything but the canonical encoding is refused, alone and without harm to its neighbours.

use super::draft::{blue, uniqueness};
use super::ledger::Ledger;
use crate::batch::{BatchHeader, SignedBatchHeader};
use crate::blind::UNIQUENESS_KEY_BYTES;
use crate::blind::UniquenessType::Payment;
use crate::block::Block;
use crate::entry::{Entry, RecordRefusal};
use crate::limits::RECORD_BYTES_MAX;
use crate::reason::Reason;
use crate::record::{ReceiptRecord, SignedRecord};

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

fn number(tag: u64, value: u64) -> Vec<u8> {
    [varint(tag << 3), varint(value)].concat()
}

fn bytes(tag: u64, value: &[u8]) -> Vec<u8> {
    [varint(tag << 3 | 2), varint(value.len() as u64), value.to_vec()].concat()
}

/// The fields of a message, each with its tag, undecoded.
fn fields(message: &[u8]) -> Vec<(u64, Vec<u8>)> {
    let mut rest = message;
    let mut fields = Vec::new();
    let read = |rest: &mut &[u8]| {
        let length = rest.iter().position(|byte| byte & 0x80 == 0).unwrap() + 1;
        let value = rest[..length].iter().rev().fold(0, |value, byte| value << 7 | u64::from(byte & 0x7F));
        *rest = &rest[length..];
        value
    };
    while !rest.is_empty() {
        let start = rest;
        let key = read(&mut rest);
        let value = read(&mut rest);
        if key & 7 == 2 {
            rest = &rest[usize::try_from(value).unwrap()..];
        }
        fields.push((key >> 3, start[..start.len() - rest.len()].to_vec()));
    }
    fields
}

/// The message with field `tag` (all of them, if repeated) written in another way.
fn replaced(message: &[u8], tag: u64, field: &[u8]) -> Vec<u8> {
    let all = fields(message);
    let before = all.iter().filter(|(other, _)| *other < tag).flat_map(|(_, bytes)| bytes.clone());
    let after = all.iter().filter(|(other, _)| *other > tag).flat_map(|(_, bytes)| bytes.clone());
    before.chain(field.iter().copied()).chain(after).collect()
}

fn canonical() -> (Ledger, Vec<u8>) {
    let ledger = Ledger::new();
    let record = blue(&ledger, 1).with_keys(&[uniqueness(Payment, 1), uniqueness(Payment, 2)]).record.encode();
    (ledger, record)
}

fn check(what: &str, edit: impl FnOnce(&[u8]) -> Vec<u8>, reason: Reason) {
    let (mut ledger, good) = canonical();
    let bad = edit(&good);
    assert_ne!(bad, good, "{what}");
    assert_eq!(ReceiptRecord::decode(&bad), Err(reason), "{what}");
    let draft = blue(&ledger, 1);
    let leaves = vec![draft.leaf_over(bad), draft.leaf_over(good.clone())];
    assert_eq!(ledger.submit(leaves), [RecordRefusal { index: 0, reason }], "{what}");
    assert_eq!(ledger.submit(vec![draft.leaf_over(good)]), [], "{what}");
}

#[test]
fn the_editor_itself_changes_nothing() {
    let (_, good) = canonical();
    assert_eq!(replaced(&good, 8, &number(8, super::ledger::T + 1000)), good);
    assert_eq!(fields(&good).len(), 16);
}

#[test]
fn encodings_other_than_the_canonical_one() {
    const REASON: Reason = Reason::NotCanonical;
    let appended = |tail: Vec<u8>| move |good: &[u8]| [good, &tail].concat();
    check("unknown number", appended(number(18, 1)), REASON);
    check("unknown bytes", appended(bytes(100, b"note")), REASON);
    check("a field twice", appended(number(17, 5)), REASON);
    check("fields out of order", appended(number(13, 1)), REASON);
    check("default in front", |good| [number(16, 0), good.to_vec()].concat(), REASON);
    check("defaults written out", |good| replaced(good, 15, &number(15, 0)), REASON);
    check("empty bytes written out", |good| replaced(good, 12, &bytes(12, &[])), REASON);
    check("varint not minimal", |good| replaced(good, 6, &[6 << 3, 0x81, 0x00]), REASON);
    check("varint of a tag not minimal", |good| replaced(good, 6, &[6 << 3 | 0x80, 0x00, 1]), REASON);
    check(
        "length not minimal",
        |good| replaced(good, 12, &[&[12 << 3 | 2, 0x90, 0x00][..], &[7; 16]].concat()),
        REASON,
    );
    check("u32 above its range", |good| replaced(good, 6, &number(6, 1 << 32 | 1)), REASON);
    check("varint above 64 bits", |good| replaced(good, 5, &[&[5 << 3][..], &[0xFF; 9], &[0x7F]].concat()), REASON);
    check("another wire type", |good| replaced(good, 6, &[6 << 3 | 5, 1, 0, 0, 0]), REASON);
    check("a group", |good| replaced(good, 6, &[6 << 3 | 3, 6 << 3 | 4]), REASON);
    check("truncated", |good| good[..good.len() - 1].to_vec(), REASON);
    check("empty", |_| Vec::new(), REASON);
    check(
        "last field first",
        |good| {
            let all = fields(good);
            let (last, rest) = all.split_last().unwrap();
            std::iter::once(last).chain(rest).flat_map(|(_, bytes)| bytes.clone()).collect()
        },
        REASON,
    );
}

#[test]
fn fields_outside_their_range() {
    let with = |tag, field: Vec<u8>| move |good: &[u8]| replaced(good, tag, &field);
    check("format 0", with(1, Vec::new()), Reason::NotCanonical);
    check("format 2", with(1, number(1, 2)), Reason::NotCanonical);
    check("suite 0", with(2, Vec::new()), Reason::SuiteUnknown);
    check("suite 2", with(2, number(2, 2)), Reason::SuiteUnknown);
    check("record type 2", with(3, number(3, 2)), Reason::NotCanonical);
    check("code of nine digits", with(4, number(4, 100_000_000)), Reason::FieldInvalid);
    check("number of eleven digits", with(5, number(5, 10_000_000_000)), Reason::FieldInvalid);
    check("no total", with(7, Vec::new()), Reason::FieldInvalid);
    check("body root of 31 bytes", with(10, bytes(10, &[1; 31])), Reason::NotCanonical);
    check("body root of 33 bytes", with(10, bytes(10, &[1; 33])), Reason::NotCanonical);
    check("no body root", with(10, Vec::new()), Reason::NotCanonical);
    check("no disclosures", with(11, Vec::new()), Reason::FieldInvalid);
    check("biz key of 15 bytes", with(12, bytes(12, &[1; 15])), Reason::NotCanonical);
    check("reverses a code of nine digits", with(15, number(15, 100_000_000)), Reason::FieldInvalid);
    check("reverses a number of eleven digits", with(16, number(16, 10_000_000_000)), Reason::FieldInvalid);
    check("blue, reverses a number", with(16, number(16, 1)), Reason::FieldInvalid);
}

#[test]
fn uniqueness_keys_are_typed_ascending_and_few() {
    let with = |keys: &[&[u8]]| {
        let field: Vec<u8> = keys.iter().flat_map(|key| bytes(14, key)).collect();
        move |good: &[u8]| replaced(good, 14, &field)
    };
    // type ‖ hash ‖ instalment ‖ epoch
    let key_of = |kind: u8, tag: u8, instalment: u16, epoch: u32| {
        let mut key = [tag; UNIQUENESS_KEY_BYTES];
        key[0] = kind;
        key[17..19].copy_from_slice(&instalment.to_be_bytes());
        key[19..].copy_from_slice(&epoch.to_be_bytes());
        key
    };
    let key = |kind, tag| key_of(kind, tag, 0, 1);
    check("type 0", with(&[&key(0, 1)]), Reason::NotCanonical);
    check("type 4", with(&[&key(4, 1)]), Reason::NotCanonical);
    check("22 bytes", with(&[&key(1, 1)[..22]]), Reason::NotCanonical);
    check("24 bytes", with(&[&[&key(1, 1)[..], &[0]].concat()]), Reason::NotCanonical);
    check("17 bytes", with(&[&key(1, 1)[..17]]), Reason::NotCanonical);
    check("empty", with(&[&[]]), Reason::NotCanonical);
    check("descending", with(&[&key(1, 2), &key(1, 1)]), Reason::NotCanonical);
    check("types descending", with(&[&key(2, 1), &key(1, 2)]), Reason::NotCanonical);
    check("instalments descending", with(&[&key_of(3, 1, 2, 1), &key_of(3, 1, 1, 1)]), Reason::NotCanonical);
    check("twice the same", with(&[&key(1, 1), &key(1, 1)]), Reason::NotCanonical);
    check("an instalment of a payment", with(&[&key_of(1, 1, 1, 1)]), Reason::NotCanonical);
    check("an instalment of a settlement", with(&[&key_of(2, 1, 1, 1)]), Reason::NotCanonical);
    // Keys that no two receipts may hold do not stand in one either.
    check("the same of two epochs", with(&[&key_of(1, 1, 0, 1), &key_of(1, 1, 0, 2)]), Reason::FieldInvalid);
    check("an instalment of two epochs", with(&[&key_of(3, 1, 1, 1), &key_of(3, 1, 1, 2)]), Reason::FieldInvalid);
    check("at once and an instalment", with(&[&key_of(3, 1, 0, 1), &key_of(3, 1, 7, 1)]), Reason::FieldInvalid);
    let many: Vec<[u8; UNIQUENESS_KEY_BYTES]> = (0..17).map(|tag| key(1, tag)).collect();
    let many: Vec<&[u8]> = many.iter().map(|key| key.as_slice()).collect();
    check("17 keys", with(&many), Reason::FieldInvalid);
    let (mut ledger, good) = canonical();
    let sixteen = with(&many[..16])(&good);
    let leaf = blue(&ledger, 1).leaf_over(sixteen);
    assert!(leaf.len() <= RECORD_BYTES_MAX);
    assert_eq!(ledger.submit(vec![leaf]), []);
}

#[test]
fn signed_records_around_the_record() {
    let (mut ledger, _) = canonical();
    let good = blue(&ledger, 1).leaf();
    let with = |tag, field: Vec<u8>| replaced(&good, tag, &field);
    let rows: [(&str, Vec<u8>, Reason); 11] = [
        ("unknown field", [good.clone(), number(3, 1)].concat(), Reason::NotCanonical),
        ("no signature", with(2, Vec::new()), Reason::NotCanonical),
        ("signature of 63 bytes", with(2, bytes(2, &[1; 63])), Reason::NotCanonical),
        ("signature of 65 bytes", with(2, bytes(2, &[1; 65])), Reason::NotCanonical),
        ("no record", with(1, Vec::new()), Reason::NotCanonical),
        ("twice", [good.clone(), good.clone()].concat(), Reason::NotCanonical),
        ("truncated", good[..good.len() - 1].to_vec(), Reason::NotCanonical),
        ("empty", Vec::new(), Reason::NotCanonical),
        ("garbage", vec![0xFF; 200], Reason::NotCanonical),
        ("1,024 bytes", vec![0; RECORD_BYTES_MAX], Reason::NotCanonical),
        ("1,025 bytes", vec![0; RECORD_BYTES_MAX + 1], Reason::RecordTooLarge),
    ];
    for (what, bad, reason) in rows {
        assert_eq!(SignedRecord::decode(&bad), Err(reason), "{what}");
        assert_eq!(ledger.submit(vec![good.clone(), bad]), [RecordRefusal { index: 1, reason }], "{what}");
    }
    assert_eq!(ledger.submit(vec![good]), []);
}

#[test]
fn headers_entries_and_blocks_have_one_encoding() {
    let ledger = Ledger::new();
    let batch = ledger.batch(1, vec![blue(&ledger, 1).leaf(), vec![1; 9]]);
    let governance = crate::block::Item::Governance(ledger.governance(Vec::new()));
    let content = ledger.content(vec![governance, batch.clone()]);
    let effects = ledger.execute(content.clone()).unwrap();
    let crate::block::Item::Batch(batch) = batch else { panic!("a batch") };
    let block = Block { content, seal: effects.seal };

    let header = batch.header.header.encode();
    let spoilt = |good: &[u8]| {
        let unknown = [good, &number(60, 1)].concat();
        let cut = good[..good.len() - 1].to_vec();
        let version = fields(good).first().map(|(tag, _)| replaced(good, *tag, &number(*tag, 9))).unwrap();
        [unknown, cut, version, Vec::new()]
    };
    assert_eq!(BatchHeader::decode(&header).as_ref(), Ok(&batch.header.header));
    for bad in spoilt(&header) {
        assert!(BatchHeader::decode(&bad).is_err(), "{bad:x?}");
    }
    let signed = batch.header.encode();
    assert_eq!(SignedBatchHeader::decode(&signed).as_ref(), Ok(&batch.header));
    assert!(SignedBatchHeader::decode(&[signed, number(3, 1)].concat()).is_err());
    let bytes = block.encode();
    assert_eq!(Block::decode(&bytes).as_ref(), Ok(&block));
    for bad in spoilt(&bytes) {
        assert!(Block::decode(&bad).is_err(), "{bad:x?}");
    }
    assert_eq!(effects.entries.iter().map(|entry| entry[0]).collect::<Vec<_>>(), [3, 2, 4]);
    for entry in &effects.entries {
        assert_eq!(Entry::decode(entry).unwrap().encode(), *entry);
        assert!(Entry::decode(&[entry.as_slice(), &number(60, 1)].concat()).is_err());
        assert!(Entry::decode(&entry[..entry.len() - 1]).is_err());
        for tag in [0, 5, 255] {
            let mut other = entry.clone();
            other[0] = tag;
            assert!(Entry::decode(&other).is_err());
        }
    }
    assert!(Entry::decode(&[]).is_err());
}
