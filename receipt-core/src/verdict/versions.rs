//! Formats that this program does not know: seen before a message is decoded, because a later format may have fields that make it
//! unreadable. Every message has its `format_version` first; a record has its `record_type` third.

use prost::encoding::decode_varint;

use crate::record::{FORMAT_VERSION, RecordType};

/// Protobuf keys: field number and wire type.
const FIELD_1_BYTES: u8 = 0x0a;
const FIELD_1_NUMBER: u8 = 0x08;
const FIELD_2_NUMBER: u8 = 0x10;
const FIELD_3_NUMBER: u8 = 0x18;

/// The version of a bare message, if it is another than this program's.
pub(super) fn unknown_in_message(mut message: &[u8]) -> Option<String> {
    let version = number(&mut message, FIELD_1_NUMBER)?;
    (version != u64::from(FORMAT_VERSION))
        .then(|| format!("format version {version}; this program knows {FORMAT_VERSION}"))
}

/// The same of a message that is wrapped with its signatures.
pub(super) fn unknown_in_signed(signed: &[u8]) -> Option<String> {
    unknown_in_message(message_of(signed)?)
}

/// The same of a signed record, whose type counts, too.
pub(super) fn unknown_in_record(signed: &[u8]) -> Option<String> {
    let mut message = message_of(signed)?;
    if let Some(unknown) = unknown_in_message(message) {
        return Some(unknown);
    }
    number(&mut message, FIELD_1_NUMBER)?;
    number(&mut message, FIELD_2_NUMBER)?;
    let record_type = number(&mut message, FIELD_3_NUMBER)?;
    (record_type != u64::from(RecordType::Receipt.number()))
        .then(|| format!("a record of type {record_type}, which is no receipt"))
}

fn message_of(mut signed: &[u8]) -> Option<&[u8]> {
    let tag = signed.split_off_first()?;
    let length = usize::try_from(decode_varint(&mut signed).ok()?).ok()?;
    if *tag == FIELD_1_BYTES { signed.get(..length) } else { None }
}

/// The next field, if it is this one and not zero: zero is not written out.
fn number(message: &mut &[u8], key: u8) -> Option<u64> {
    let tag = message.split_off_first()?;
    let value = decode_varint(message).ok()?;
    (*tag == key && value != 0).then_some(value)
}
