//! The small text forms shared by notes, checkpoints, policies and proofs: each value has exactly one spelling.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::hash::Hash;

/// ASCII decimal without leading zeros.
pub(super) fn parse_decimal(text: &str) -> Option<u64> {
    let canonical = text == "0" || (!text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit()));
    if canonical { text.parse().ok() } else { None }
}

/// RFC 4648 §4 with padding; unused bits must be zero.
pub(super) fn parse_base64(text: &str) -> Option<Vec<u8>> {
    BASE64_STANDARD.decode(text).ok()
}

/// RFC 4648 §4 with padding.
pub(super) fn base64(bytes: &[u8]) -> String {
    BASE64_STANDARD.encode(bytes)
}

/// The base64 of exactly 32 bytes.
pub(super) fn parse_hash(text: &str) -> Option<Hash> {
    Hash::from_slice(&parse_base64(text)?)
}

/// Whether a text has a control character other than newline, which no note may have.
pub(super) fn has_control_character(text: &str) -> bool {
    text.bytes().any(|byte| byte < 0x20 && byte != b'\n')
}
